package cloud

import (
	"strings"
	"testing"

	"github.com/gpumeter/gpumeter/usage"
)

// FuzzRead has a Kubernetes node with one foreign label: what is read of it can
// travel, and names a provider only where the node does.
func FuzzRead(f *testing.F) {
	f.Add("aws:///us-east-1a/i-0", "topology.kubernetes.io/region", "us-east-1")
	f.Add("azure:///subscriptions/", "node.coreweave.cloud/reserved", "x\x00")
	f.Add("ocid1.instance.", "crusoe.ai/", "")
	f.Add("gce://a/b/c", "nvidia.com/gpu.clique", strings.Repeat("x", 300))
	f.Fuzz(func(t *testing.T, providerID, key, value string) {
		r := read(providerID, map[string]string{key: value})
		if err := (usage.Node{Name: "n", Cloud: r.Cloud}).Check(); err != nil {
			t.Error(err)
		}
		if providerID == "" && r.Provider != "" && !strings.HasPrefix(key, "node.coreweave.cloud/") && !strings.HasPrefix(key, "crusoe.ai/") {
			t.Errorf("provider %q out of label %q", r.Provider, key)
		}
	})
}
