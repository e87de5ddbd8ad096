//go:build e2e_kubernetes

package kubernetes_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/agent/cloud"
	"github.com/gpumeter/gpumeter/agent/holder/pods"
	"github.com/gpumeter/gpumeter/usage"
)

const (
	account   = "gpumeter-agent"
	accounts  = "/api/v1/namespaces/default/serviceaccounts"
	namespace = "/api/v1/namespaces/default/pods"
	rbac      = "/apis/rbac.authorization.k8s.io/v1/"
)

// mounted is what a pod of the agent sees.
type mounted struct {
	c    *cluster
	root string
}

// mount makes the service account and writes its files as the kubelet does.
func mount(t *testing.T, c *cluster) *mounted {
	t.Helper()
	m := &mounted{c, t.TempDir()}
	c.create(t, accounts, "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: "+account+"}\n")
	write(t, m.file("ca.crt"), c.ca)
	m.renew(t)
	return m
}

func (m *mounted) file(name string) string {
	return filepath.Join(m.root, "var/run/secrets/kubernetes.io/serviceaccount", name)
}

// renew writes a new token.
func (m *mounted) renew(t *testing.T) {
	t.Helper()
	body := m.c.create(t, accounts+"/"+account+"/token", "apiVersion: authentication.k8s.io/v1\nkind: TokenRequest\nspec: {expirationSeconds: 600}\n")
	var answer struct {
		Status struct{ Token string } `json:"status"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Status.Token == "" {
		t.Fatalf("no token in %s: %v", body, err)
	}
	write(t, m.file("token"), []byte(answer.Status.Token))
}

// grant gives the account the rights that a page of the documentation asks for,
// in its words.
func (m *mounted) grant(t *testing.T, page string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../docs", page))
	if err != nil {
		t.Fatal(err)
	}
	_, role, ok := strings.Cut(string(text), "apiVersion: rbac.authorization.k8s.io/v1\n")
	if !ok {
		t.Fatalf("%s has no role", page)
	}
	var lines []string
	for line := range strings.Lines(role) {
		line = strings.TrimRight(line, "\n")
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "```") {
			break
		}
		lines = append(lines, line)
	}
	indent := len(lines[0]) - len(strings.TrimLeft(lines[0], " "))
	role = "apiVersion: rbac.authorization.k8s.io/v1\n"
	name := ""
	for _, line := range lines {
		role += line[indent:] + "\n"
		if _, rest, ok := strings.Cut(line, "{name: "); ok {
			name = strings.TrimSuffix(rest, "}")
		}
	}
	m.c.create(t, rbac+"clusterroles", role)
	m.c.create(t, rbac+"clusterrolebindings", fmt.Sprintf(`apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: %s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: %s}
subjects: [{kind: ServiceAccount, name: %s, namespace: default}]
`, name, name, account))
}

// getenv is the environment of a pod of the agent on a node.
func (m *mounted) getenv(node string) func(string) string {
	return func(key string) string {
		return map[string]string{"KUBERNETES_SERVICE_HOST": m.c.host, "KUBERNETES_SERVICE_PORT": m.c.port, "NODE_NAME": node}[key]
	}
}

// look asks as the agent of a node does; metadata services are not reached.
func (m *mounted) look(t *testing.T, node string) cloud.Found {
	t.Helper()
	return cloud.New(cloud.Config{Root: m.root, Getenv: m.getenv(node), Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("no route to a metadata service")
	}}).Look(t.Context())
}

// nodes are those of managed clusters, with what their clouds write on them.
var nodes = []struct {
	name, spec string
	labels     map[string]string
	want       usage.Cloud
}{
	{"aws-1", "{providerID: 'aws:///us-east-1d/i-0123456789abcdef0'}", map[string]string{
		"topology.kubernetes.io/region": "us-east-1", "topology.kubernetes.io/zone": "us-east-1d", "node.kubernetes.io/instance-type": "p5.48xlarge",
		"eks.amazonaws.com/nodegroup": "h100", "alpha.eksctl.io/cluster-name": "train",
	}, usage.Cloud{Provider: "aws", Region: "us-east-1", Zone: "us-east-1d", InstanceType: "p5.48xlarge", InstanceID: "i-0123456789abcdef0", Cluster: "train", NodePool: "h100"}},
	{"gke-1", "{providerID: 'gce://example-ml-prod/us-central1-b/gke-1'}", map[string]string{
		"topology.kubernetes.io/region": "us-central1", "topology.kubernetes.io/zone": "us-central1-b", "node.kubernetes.io/instance-type": "a3-highgpu-8g",
		"cloud.google.com/gke-nodepool": "a3", "cloud.google.com/reservation-name": "resv-7",
	}, usage.Cloud{Provider: "google", Account: "example-ml-prod", Region: "us-central1", Zone: "us-central1-b", InstanceType: "a3-highgpu-8g", Reservation: "resv-7", NodePool: "a3"}},
	{"cw-1", "{}", map[string]string{
		"topology.kubernetes.io/region": "US-EAST-04", "topology.kubernetes.io/zone": "US-EAST-04A", "node.kubernetes.io/instance-type": "gb200-4x",
		"node.coreweave.cloud/state": "production", "node.coreweave.cloud/reserved": "example-labs", "ds.coreweave.com/nvlink.domain": "dom-3",
	}, usage.Cloud{Provider: "coreweave", Account: "example-labs", Region: "US-EAST-04", Zone: "US-EAST-04A", InstanceType: "gb200-4x", Rack: "dom-3"}},
}

// object writes an object in YAML, which JSON is.
func object(t *testing.T, kind, name string, labels map[string]string, spec string) string {
	t.Helper()
	text, err := json.Marshal(labels)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("apiVersion: v1\nkind: %s\nmetadata: {name: %s, labels: %s}\nspec: %s\n", kind, name, text, spec)
}

func TestAgentAsksARealAPIServer(t *testing.T) {
	c := startCluster(t)
	for _, n := range nodes {
		c.create(t, "/api/v1/nodes", object(t, "Node", n.name, n.labels, n.spec))
	}
	m := mount(t, c)
	checkNodes(t, m)
	checkPods(t, m)
	checkRotation(t, m)
}

func checkNodes(t *testing.T, m *mounted) {
	t.Helper()
	if found := m.look(t, "aws-1"); found.Cloud != (usage.Cloud{}) || !strings.Contains(found.Failed["node"], "403") {
		t.Errorf("without the right: found %+v, failed %v", found.Cloud, found.Failed)
	}
	m.grant(t, "cloud.md")
	for _, n := range nodes {
		found := m.look(t, n.name)
		if diff := cmp.Diff(n.want, found.Cloud); diff != "" || found.Failed["node"] != "" {
			t.Errorf("%s (-want +got), failed %v:\n%s", n.name, found.Failed, diff)
		}
		t.Logf("%s: %+v", n.name, found.Cloud)
	}
	if found := m.look(t, "nobody"); found.Cloud != (usage.Cloud{}) || !strings.Contains(found.Failed["node"], "not there") {
		t.Errorf("a node that is not there: found %+v, failed %v", found.Cloud, found.Failed)
	}
}

func checkPods(t *testing.T, m *mounted) {
	t.Helper()
	pod := func(name, node string, labels map[string]string) {
		m.c.create(t, namespace, object(t, "Pod", name, labels, "{nodeName: "+node+", containers: [{name: main, image: example}]}"))
	}
	pod("train-0", "aws-1", map[string]string{"team": "search", "cost-centre": "42", "secret": "x"})
	pod("plain", "aws-1", nil)
	pod("elsewhere", "gke-1", map[string]string{"team": "ads"})
	client, err := pods.New(pods.Config{Labels: []string{"team", "cost-centre"}, Root: m.root, Getenv: m.getenv("aws-1")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.List(t.Context()); err == nil || !strings.Contains(err.Error(), "may the service account list pods?") {
		t.Errorf("without the right: %v", err)
	}
	m.grant(t, "holders.md")
	got, err := client.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := map[pods.Pod]string{{Namespace: "default", Name: "train-0"}: "cost-centre=42,team=search", {Namespace: "default", Name: "plain"}: ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pods of the node (-want +got):\n%s", diff)
	}
}

// checkRotation makes the account anew, which ends its tokens.
func checkRotation(t *testing.T, m *mounted) {
	t.Helper()
	client, err := pods.New(pods.Config{Labels: []string{"team"}, Root: m.root, Getenv: m.getenv("aws-1")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.List(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.c.remove(t, accounts+"/"+account)
	m.c.create(t, accounts, "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: "+account+"}\n")
	// The server remembers for some seconds that a token was good.
	failed := ""
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(failed, fmt.Sprint(http.StatusUnauthorized)); time.Sleep(time.Second) {
		if failed = m.look(t, "aws-1").Failed["node"]; time.Now().After(deadline) {
			t.Fatalf("a token that is no longer good: failed %q", failed)
		}
	}
	m.renew(t)
	if _, err := client.List(t.Context()); err != nil {
		t.Errorf("with the new token: %v", err)
	}
}
