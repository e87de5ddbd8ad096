package cloud

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/gpumeter/gpumeter/usage"
)

// azureVersion is of the instance metadata service. Versions from 2021-01-01 on
// also send the user data, which may be larger than all that is read here.
const azureVersion = "2020-09-01"

// azureCompute is what is read of the category compute.
type azureCompute struct {
	Location          string `json:"location"`
	ResourceGroupName string `json:"resourceGroupName"`
	SubscriptionID    string `json:"subscriptionId"`
	VMID              string `json:"vmId"`
	VMScaleSetName    string `json:"vmScaleSetName"`
	VMSize            string `json:"vmSize"`
	Zone              string `json:"zone"`
	TagsList          []struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	} `json:"tagsList"`
}

// askAzure asks for the category compute and for the attested document. Azure
// does not tell an instance which capacity reservation group it runs in.
func askAzure(ctx context.Context, c *http.Client) (reply, error) {
	var r reply
	var v azureCompute
	if err := azureJSON(ctx, c, "/metadata/instance/compute", &v); err != nil {
		return r, err
	}
	r.Cloud = usage.Cloud{
		Account: v.SubscriptionID, Region: v.Location, Zone: v.Zone, InstanceType: v.VMSize, InstanceID: v.VMID,
	}
	for _, t := range v.TagsList {
		if t.Name == "aks-managed-poolName" {
			r.NodePool = t.Value
		}
	}
	// Without a scheduler that says better, a scale set is a pool of nodes, and
	// its resource group what holds them together: AKS makes one per cluster.
	r.Otherwise = usage.Cloud{NodePool: v.VMScaleSetName, Cluster: v.ResourceGroupName}
	var attested struct {
		Encoding  string `json:"encoding"`
		Signature []byte `json:"signature"`
	}
	err := optional(azureJSON(ctx, c, "/metadata/attested/document", &attested))
	r.Signed = attested.Encoding == "pkcs7" && len(attested.Signature) > 0
	return r, err
}

func azureJSON(ctx context.Context, c *http.Client, path string, v any) error {
	body, err := get(ctx, c, base+path+"?api-version="+azureVersion, "Metadata", "true")
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("decode %s: %w", path, err)
	}
	return nil
}
