package cloud

import (
	"strings"

	"github.com/gpumeter/gpumeter/usage"
)

// label is a label of a Kubernetes node and the field that it fills. Where
// several fill one, the first that the node has counts.
type label struct {
	key string
	to  func(*usage.Cloud) *string
}

var (
	toAccount     = func(c *usage.Cloud) *string { return &c.Account }
	toInstanceID  = func(c *usage.Cloud) *string { return &c.InstanceID }
	toReservation = func(c *usage.Cloud) *string { return &c.Reservation }
	toCluster     = func(c *usage.Cloud) *string { return &c.Cluster }
	toNodePool    = func(c *usage.Cloud) *string { return &c.NodePool }
	toRack        = func(c *usage.Cloud) *string { return &c.Rack }
)

// labels are those of Kubernetes itself, of the managed clusters of the clouds
// and of NVIDIA's GPU Feature Discovery.
var labels = []label{
	{"topology.kubernetes.io/region", func(c *usage.Cloud) *string { return &c.Region }},
	{"topology.kubernetes.io/zone", func(c *usage.Cloud) *string { return &c.Zone }},
	{"node.kubernetes.io/instance-type", func(c *usage.Cloud) *string { return &c.InstanceType }},
	{"beta.kubernetes.io/instance-type", func(c *usage.Cloud) *string { return &c.InstanceType }},
	{"crusoe.ai/project.id", toAccount},
	{"crusoe.ai/instance.id", toInstanceID},
	{"karpenter.k8s.aws/capacity-reservation-id", toReservation},
	{"cloud.google.com/reservation-name", toReservation},
	{"kubernetes.azure.com/cluster", toCluster},
	{"alpha.eksctl.io/cluster-name", toCluster},
	{"eks.amazonaws.com/nodegroup", toNodePool},
	{"karpenter.sh/nodepool", toNodePool},
	{"cloud.google.com/gke-nodepool", toNodePool},
	{"kubernetes.azure.com/agentpool", toNodePool},
	{"compute.coreweave.com/node-pool", toNodePool},
	{"crusoe.ai/nodepool.name", toNodePool},
	{"crusoe.ai/nodepool.id", toNodePool},
	{"ds.coreweave.com/nvlink.domain", toRack},
	{"topology.k8s.aws/ultraserver-id", toRack},
	{"nvidia.com/gpu.clique", toRack}, // cluster UUID and clique of the NVLink fabric
	{"cloud.google.com/gce-topology-subblock", toRack},
	{"node.coreweave.cloud/rack", toRack},
	{"oci.oraclecloud.com/rdma.local_block_id", toRack},
}

// families are prefixes of labels by which a provider is known whose nodes need
// not have a provider id.
var families = []struct{ prefix, provider string }{
	{"node.coreweave.cloud/", "coreweave"},
	{"crusoe.ai/", "crusoe"},
}

// read returns what a node's provider id and labels say.
func read(providerID string, has map[string]string) reply {
	r := readProviderID(providerID)
	for _, l := range labels {
		if to := l.to(&r.Cloud); *to == "" {
			*to = has[l.key]
		}
	}
	for _, f := range families {
		for key := range has {
			if r.Provider == "" && strings.HasPrefix(key, f.prefix) {
				r.Provider = f.provider
			}
		}
	}
	// On a node in production, CoreWeave's reserved is the organisation that has
	// it; otherwise it is a state.
	if r.Provider == "coreweave" && has["node.coreweave.cloud/state"] == "production" {
		r.Account = has["node.coreweave.cloud/reserved"]
	}
	// On a node in no zone, AKS writes the fault domain's digit instead.
	if r.Provider == "azure" && len(r.Zone) == 1 {
		r.Zone = ""
	}
	r.Cloud = named(r.Cloud)
	return r
}

// readProviderID takes a provider id apart, as the clouds' controllers write it.
func readProviderID(id string) reply {
	var r reply
	scheme, rest, _ := strings.Cut(id, "://")
	parts := strings.Split(strings.Trim(rest, "/"), "/")
	switch {
	case scheme == "aws" && len(parts) == 2: // aws:///us-east-1a/i-0123
		r.Provider, r.Zone, r.InstanceID = "aws", parts[0], parts[1]
	case scheme == "gce" && len(parts) == 3: // gce://project/us-central1-a/name
		r.Provider, r.Account, r.Zone = "google", parts[0], parts[1]
	case scheme == "azure" && len(parts) > 2: // azure:///subscriptions/ID/resourceGroups/…
		r.Provider, r.Account = "azure", parts[1]
	case scheme == "oci", strings.HasPrefix(id, "ocid1.instance."):
		r.Provider, r.InstanceID = "oracle", strings.TrimPrefix(id, "oci://")
	case scheme == "nebius" || scheme == "crusoe":
		r.Provider, r.InstanceID = scheme, rest
	}
	return r
}
