package cloud_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/agent/cloud"
	"github.com/gpumeter/gpumeter/sim/metadata"
	"github.com/gpumeter/gpumeter/usage"
)

// node is a Kubernetes node as the API server shows it.
type node struct {
	ProviderID string
	Labels     map[string]string
}

func (n node) body() []byte {
	b, err := json.Marshal(map[string]any{
		"kind": "Node", "metadata": map[string]any{"name": "gpu-0", "labels": n.Labels},
		"spec": map[string]any{"providerID": n.ProviderID}, "status": map[string]any{"images": make([]string, 50)},
	})
	if err != nil {
		panic(err)
	}
	return b
}

// pod returns the configuration of an agent in a pod, whose API server h is.
func pod(t testing.TB, h http.Handler, files map[string]string) cloud.Config {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path != "/api/v1/nodes/gpu-0" || req.Header.Get("Authorization") != "Bearer secret" {
			http.Error(w, "", http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, req)
	}))
	t.Cleanup(srv.Close)
	const account = "var/run/secrets/kubernetes.io/serviceaccount/"
	all := map[string]string{
		account + "token":  "secret",
		account + "ca.crt": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})),
	}
	for name, text := range files {
		all[name] = text
	}
	host, port, err := net.SplitHostPort(srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port, "NODE_NAME": "gpu-0"}
	return cloud.Config{Root: folder(t, all), Getenv: func(key string) string { return env[key] }, Dial: new(metadata.Network).Dial}
}

func shows(n node) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(n.body())
	})
}

// TestLookReadsTheNodesLabels has a node of each managed cluster, as their
// documentation has it, without any metadata service.
func TestLookReadsTheNodesLabels(t *testing.T) {
	for name, c := range map[string]struct {
		node node
		want usage.Cloud
	}{
		"coreweave": {
			node{Labels: map[string]string{
				"topology.kubernetes.io/region": "US-EAST-04", "topology.kubernetes.io/zone": "US-EAST-04A",
				"node.kubernetes.io/instance-type": "gb200-4x", "node.coreweave.cloud/state": "production", "node.coreweave.cloud/reserved": "example-labs",
				"compute.coreweave.com/node-pool": "train", "ds.coreweave.com/nvlink.domain": "DH1-392-US-EAST-04A", "node.coreweave.cloud/rack": "392",
				"nvidia.com/gpu.clique": "3c8e.32766",
			}},
			usage.Cloud{
				Provider: "coreweave", Account: "example-labs", Region: "US-EAST-04", Zone: "US-EAST-04A", InstanceType: "gb200-4x",
				NodePool: "train", Rack: "DH1-392-US-EAST-04A",
			},
		},
		"coreweave in triage": {
			node{Labels: map[string]string{"node.coreweave.cloud/state": "triage", "node.coreweave.cloud/reserved": "triage"}},
			usage.Cloud{Provider: "coreweave"},
		},
		"crusoe": {
			node{"crusoe://6852824b-e409-4c77-94df-819629d135b9", map[string]string{
				"crusoe.ai/project.id": "1841af90", "crusoe.ai/nodepool.name": "h100", "beta.kubernetes.io/instance-type": "h100-80gb-sxm-ib.8x",
			}},
			usage.Cloud{Provider: "crusoe", Account: "1841af90", InstanceID: "6852824b-e409-4c77-94df-819629d135b9", InstanceType: "h100-80gb-sxm-ib.8x", NodePool: "h100"},
		},
		"eks": {
			node{"aws:///us-west-2a/i-0abc", map[string]string{
				"topology.kubernetes.io/region": "us-west-2", "topology.kubernetes.io/zone": "us-west-2a", "node.kubernetes.io/instance-type": "p5en.48xlarge",
				"karpenter.sh/nodepool": "gpu", "karpenter.k8s.aws/capacity-reservation-id": "cr-56fac701cc1951b03", "topology.k8s.aws/ultraserver-id": "us-1",
			}},
			usage.Cloud{
				Provider: "aws", Region: "us-west-2", Zone: "us-west-2a", InstanceID: "i-0abc", InstanceType: "p5en.48xlarge",
				NodePool: "gpu", Reservation: "cr-56fac701cc1951b03", Rack: "us-1",
			},
		},
		"gke": {
			node{"gce://example-ml/us-central1-b/gke-train-0", map[string]string{
				"cloud.google.com/gke-nodepool": "a3", "cloud.google.com/reservation-name": "h200-2026", "cloud.google.com/gce-topology-subblock": "77a0",
			}},
			usage.Cloud{Provider: "google", Account: "example-ml", Zone: "us-central1-b", NodePool: "a3", Reservation: "h200-2026", Rack: "77a0"},
		},
		"aks in no zone": {
			node{"azure:///subscriptions/1111/resourceGroups/mc_ml/providers/Microsoft.Compute/virtualMachineScaleSets/gpu/virtualMachines/0", map[string]string{
				"kubernetes.azure.com/agentpool": "gpu", "kubernetes.azure.com/cluster": "MC_ml_train_eastus", "topology.kubernetes.io/zone": "0",
			}},
			usage.Cloud{Provider: "azure", Account: "1111", NodePool: "gpu", Cluster: "MC_ml_train_eastus"},
		},
		"oke": {
			node{ProviderID: "ocid1.instance.oc1.iad.example"},
			usage.Cloud{Provider: "oracle", InstanceID: "ocid1.instance.oc1.iad.example"},
		},
		"nebius":          {node{ProviderID: "nebius://computeinstance-e00"}, usage.Cloud{Provider: "nebius", InstanceID: "computeinstance-e00"}},
		"bare metal":      {node{ProviderID: "k3s://gpu-0", Labels: map[string]string{"nvidia.com/gpu.clique": "3c8e.1"}}, usage.Cloud{Rack: "3c8e.1"}},
		"hostile":         {node{"aws:///<b>/i-1\n", map[string]string{"topology.kubernetes.io/region": strings.Repeat("x", 300)}}, usage.Cloud{Provider: "aws", InstanceID: "i-1"}},
		"malformed":       {node{ProviderID: "aws://"}, usage.Cloud{}},
		"nothing at all":  {},
		"unknown scheme":  {node{ProviderID: "vsphere://42"}, usage.Cloud{}},
		"another's label": {node{ProviderID: "crusoe://1", Labels: map[string]string{"node.coreweave.cloud/rack": "7"}}, usage.Cloud{Provider: "crusoe", InstanceID: "1", Rack: "7"}},
	} {
		t.Run(name, func(t *testing.T) {
			found := cloud.New(pod(t, shows(c.node), nil)).Look(t.Context())
			if diff := cmp.Diff(c.want, found.Cloud); diff != "" {
				t.Errorf("identity (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAServiceThatOnlyKubernetesNamesIsAsked has a node whose firmware cannot
// be read.
func TestAServiceThatOnlyKubernetesNamesIsAsked(t *testing.T) {
	r := rents[0]
	var n metadata.Network
	defer n.Close()
	n.Serve(linkLocal, r.service(r.instance))
	cfg := pod(t, shows(node{ProviderID: "aws:///us-east-1d/" + r.instance.ID, Labels: map[string]string{"nvidia.com/gpu.clique": "3c8e.1"}}), nil)
	cfg.Dial = n.Dial
	golden(t, "aws-in-a-pod", cloud.New(cfg).Look(t.Context()))
}

func TestAServiceThatBothNameIsAskedOnce(t *testing.T) {
	r := rents[0]
	var asked atomic.Int64
	var n metadata.Network
	defer n.Close()
	n.Serve(linkLocal, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if strings.HasSuffix(req.URL.Path, "/document") {
			asked.Add(1)
		}
		r.service(r.instance).ServeHTTP(w, req)
	}))
	cfg := pod(t, shows(node{ProviderID: "aws:///us-east-1d/" + r.instance.ID}), prefixed(r.dmi))
	cfg.Dial = n.Dial
	cloud.New(cfg).Look(t.Context())
	if got := asked.Load(); got != 1 {
		t.Errorf("identity document asked for %d times in one look", got)
	}
}

// TestContradictingSourcesAreNotHeard has the firmware of one cloud and a node
// object of another: its region would be wrong.
func TestContradictingSourcesAreNotHeard(t *testing.T) {
	n := node{ProviderID: "gce://p/us-central1-b/x", Labels: map[string]string{"topology.kubernetes.io/region": "us-central1"}}
	cfg := pod(t, shows(n), prefixed(map[string]string{"chassis_asset_tag": "OracleCloud.com"}))
	cfg.Given.Provider = "coreweave"
	var network metadata.Network
	cfg.Dial = network.Dial
	found := cloud.New(cfg).Look(t.Context())
	if d := network.Dialled(); len(d) > 0 {
		t.Errorf("dialled %v: the service of a provider that is not the operator's", d)
	}
	if found.Cloud != (usage.Cloud{Provider: "coreweave"}) {
		t.Errorf("found %+v, want what is configured only", found.Cloud)
	}
	for _, source := range []string{"node", "dmi"} {
		if !strings.Contains(found.Failed[source], "speaks of provider") {
			t.Errorf("%s: failed %q, want that it speaks of another provider", source, found.Failed[source])
		}
	}
}

func TestTroubleInKubernetesDoesNoHarm(t *testing.T) {
	good := shows(node{ProviderID: "aws:///us-east-1d/i-1"})
	for _, trouble := range metadata.Troubles() {
		if trouble == metadata.NoToken || trouble == metadata.NoFlavor || trouble == metadata.Braces || trouble == metadata.Hostile {
			continue // no trouble to Kubernetes, or a node that says nothing
		}
		t.Run(string(trouble), func(t *testing.T) {
			start := time.Now()
			found := cloud.New(pod(t, metadata.With(trouble, good), nil)).Look(t.Context())
			why := found.Failed["node"]
			if found.Cloud != (usage.Cloud{}) || why == "" || !strings.Contains(strings.ReplaceAll(why, "512", "64"), reasons[trouble]) {
				t.Errorf("found %+v, failed %v", found.Cloud, found.Failed)
			}
			if took := time.Since(start); took > 3*time.Second {
				t.Errorf("look took %s", took)
			}
		})
	}
}

// otherAuthority returns a certificate that signed nothing.
func otherAuthority(t *testing.T) []byte {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func TestAPIServerIsTrustedByItsAuthorityOnly(t *testing.T) {
	cfg := pod(t, shows(node{ProviderID: "nebius://x"}), nil)
	ca := filepath.Join(cfg.Root, "var/run/secrets/kubernetes.io/serviceaccount/ca.crt")
	for name, text := range map[string][]byte{
		"another authority": otherAuthority(t),
		"nothing":           []byte("x"),
	} {
		if err := os.WriteFile(ca, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if found := cloud.New(cfg).Look(t.Context()); found.Cloud.InstanceID != "" || found.Failed["node"] == "" {
			t.Errorf("%s: found %+v, failed %v", name, found.Cloud, found.Failed)
		}
	}
}

func TestAPodWithoutATokenAsksNothing(t *testing.T) {
	cfg := pod(t, shows(node{ProviderID: "nebius://x"}), nil)
	if err := os.Remove(filepath.Join(cfg.Root, "var/run/secrets/kubernetes.io/serviceaccount/token")); err != nil {
		t.Fatal(err)
	}
	if found := cloud.New(cfg).Look(t.Context()); found.Cloud != (usage.Cloud{}) || len(found.Failed) > 0 {
		t.Errorf("found %+v, failed %v", found.Cloud, found.Failed)
	}
}

func TestSlurmNamesTheCluster(t *testing.T) {
	env := func(pairs ...string) func(string) string {
		return func(key string) string {
			for i := 0; i < len(pairs); i += 2 {
				if pairs[i] == key {
					return pairs[i+1]
				}
			}
			return ""
		}
	}
	root := folder(t, map[string]string{
		"etc/slurm/slurm.conf": "# ClusterName=no\nSlurmctldHost=c1 clustername=hermes # ours\nClusterName=second",
		"opt/slurm.conf":       "ClusterName=apollo",
		"opt/bad.conf":         "ClusterName=<x>",
	})
	for want, getenv := range map[string]func(string) string{
		"hermes": env(),
		"apollo": env("SLURM_CONF", "/opt/slurm.conf"),
		"zeus":   env("SLURM_CLUSTER_NAME", "zeus", "SLURM_CONF", "/opt/slurm.conf"),
	} {
		found := cloud.New(cloud.Config{Root: root, Getenv: getenv}).Look(t.Context())
		if found.Cloud.Cluster != want || found.From["cluster"] != "slurm" {
			t.Errorf("cluster %q from %q, want %q of slurm", found.Cloud.Cluster, found.From["cluster"], want)
		}
	}
	found := cloud.New(cloud.Config{Root: t.TempDir(), Getenv: env("SLURM_CONF", "opt/slurm.conf")}).Look(t.Context())
	if found.Cloud.Cluster != "" {
		t.Errorf("cluster %q of a file that is not there", found.Cloud.Cluster)
	}
}
