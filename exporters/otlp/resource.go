package otlp

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/gpumeter/gpumeter/exporters"
	"github.com/gpumeter/gpumeter/usage"
)

const serviceName = "gpumeter-agent"

// providers are the conventions' words for clouds that we know by other ones.
var providers = map[string]string{
	"google":    semconv.CloudProviderGCP.Value.AsString(),
	"oracle":    semconv.CloudProviderOracleCloud.Value.AsString(),
	"oci":       semconv.CloudProviderOracleCloud.Value.AsString(),
	"alibaba":   semconv.CloudProviderAlibabaCloud.Value.AsString(),
	"ibm":       semconv.CloudProviderIBMCloud.Value.AsString(),
	"tencent":   semconv.CloudProviderTencentCloud.Value.AsString(),
	"akamai":    semconv.CloudProviderAkamaiCloud.Value.AsString(),
	"microsoft": semconv.CloudProviderAzure.Value.AsString(),
	"amazon":    semconv.CloudProviderAWS.Value.AsString(),
}

// resourceOf says whose metrics these are. What is unknown is absent. What
// OTEL_RESOURCE_ATTRIBUTES says stands unless the node knows better.
func resourceOf(n *usage.Node, environment *resource.Resource) *resource.Resource {
	c := &n.Cloud
	hostID := c.InstanceID // so the conventions want it in a cloud
	if hostID == "" {
		hostID = n.MachineID
	}
	provider := c.Provider
	if word, ok := providers[provider]; ok {
		provider = word
	}
	var kvs []attribute.KeyValue
	for _, a := range []struct {
		key   attribute.Key
		value string
	}{
		{semconv.ServiceNameKey, serviceName},
		{semconv.ServiceVersionKey, n.Agent},
		{semconv.ServiceInstanceIDKey, n.Name}, // one agent per node
		{semconv.HostNameKey, n.Name},
		{semconv.HostIDKey, hostID},
		{semconv.HostTypeKey, c.InstanceType},
		{semconv.CloudProviderKey, provider},
		{semconv.CloudAccountIDKey, c.Account},
		{semconv.CloudRegionKey, c.Region},
		{semconv.CloudAvailabilityZoneKey, c.Zone},
		// The conventions have no words for these.
		{"gpumeter.reservation", c.Reservation},
		{"gpumeter.cluster", c.Cluster},
		{"gpumeter.rack", c.Rack},
	} {
		if a.value != "" {
			kvs = append(kvs, a.key.String(exporters.Text(a.value)))
		}
	}
	ours := resource.NewWithAttributes(semconv.SchemaURL, kvs...)
	r, err := resource.Merge(environment, ours)
	if err != nil {
		return ours // the environment speaks another version of the conventions
	}
	return r
}
