//go:build e2e_kubernetes

package kubernetes_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// startControllers starts what makes pods of workloads and gives them nodes, and
// returns the file by which Helm finds the server.
func (c *cluster) startControllers(t *testing.T) (kubeconfig string) {
	t.Helper()
	dir := t.TempDir()
	kubeconfig = filepath.Join(dir, "kubeconfig")
	ca := filepath.Join(dir, "ca.crt")
	write(t, ca, c.ca)
	write(t, kubeconfig, fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: "https://%s", certificate-authority: %s}}]
users: [{name: admin, user: {token: %s}}]
contexts: [{name: test, context: {cluster: test, user: admin}}]
current-context: test
`, net.JoinHostPort(c.host, c.port), ca, adminToken))
	for name, args := range map[string][]string{
		"kube-controller-manager": {"--controllers=daemonset-controller,statefulset-controller,deployment-controller,replicaset-controller,garbage-collector-controller"},
		"kube-scheduler":          nil,
	} {
		_, port, err := net.SplitHostPort(address(t))
		if err != nil {
			t.Fatal(err)
		}
		run(t, tool(t, name), append(args, "--kubeconfig="+kubeconfig, "--leader-elect=false", "--bind-address=127.0.0.1", "--secure-port="+port,
			"--cert-dir="+t.TempDir(), "--authentication-skip-lookup")...)
	}
	return kubeconfig
}

// thing is what these tests read of any object.
type thing struct {
	Kind     string `json:"kind"`
	Metadata struct {
		Name              string            `json:"name"`
		Labels            map[string]string `json:"labels"`
		DeletionTimestamp string            `json:"deletionTimestamp"`
	} `json:"metadata"`
	Spec struct {
		NodeName string `json:"nodeName"`
	} `json:"spec"`
	Data map[string]string `json:"data"`
}

// get reads one object; ok is false if it is not there.
func (c *cluster) get(t *testing.T, path string) (o thing, ok bool) {
	t.Helper()
	status, answer := c.do(http.MethodGet, path, "", "")
	if status == http.StatusNotFound {
		return o, false
	}
	if err := json.Unmarshal(answer, &o); err != nil || status != http.StatusOK {
		t.Fatalf("get %s: %d: %s: %v", path, status, answer, err)
	}
	return o, true
}

// pods lists the pods of a part of the chart.
func (c *cluster) pods(t *testing.T, part string) []thing {
	t.Helper()
	var list struct{ Items []thing }
	path := "/api/v1/namespaces/gpu/pods?labelSelector=app.kubernetes.io/component%3D" + part
	status, answer := c.do(http.MethodGet, path, "", "")
	if err := json.Unmarshal(answer, &list); err != nil || status != http.StatusOK {
		t.Fatalf("get %s: %d: %s: %v", path, status, answer, err)
	}
	return list.Items
}

// patch changes an object.
func (c *cluster) patch(t *testing.T, path, change string) {
	t.Helper()
	if status, answer := c.do(http.MethodPatch, path, "application/merge-patch+json", change); status != http.StatusOK {
		t.Fatalf("patch %s: %d: %s", path, status, answer)
	}
}

// eventually waits until a claim holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// helm runs Helm and returns what it writes.
func helm(t *testing.T, kubeconfig string, args ...string) string {
	t.Helper()
	cmd := exec.Command(tool(t, "helm"), append(args, "--kubeconfig", kubeconfig, "--namespace", "gpu")...)
	cmd.Env = append(cmd.Environ(), "HELM_CONFIG_HOME="+t.TempDir(), "HELM_CACHE_HOME="+t.TempDir(), "HELM_DATA_HOME="+t.TempDir())
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("helm %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}
