//go:build e2e_kubernetes

package kubernetes_test

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// monitored are an agent's DaemonSet and PodMonitor as the chart makes them, as
// far as a doctor looks.
const (
	monitoredAgents = `{"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "gpumeter-agent", "labels": {"app.kubernetes.io/name": "gpumeter"}}, "spec": {
		"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"runtimeClassName": "nvidia", "containers": [{"name": "agent", "image": "x"}]}}}}`
	monitoredPods = `{"apiVersion": "monitoring.coreos.com/v1", "kind": "PodMonitor", "metadata": {"name": "gpumeter-agent", "labels": {"app.kubernetes.io/name": "gpumeter"}},
		"spec": {"selector": {}, "podMetricsEndpoints": [{"port": "metrics"}]}}`
	// prometheusOfTheStack selects as that of kube-prometheus-stack does.
	prometheusOfTheStack = `{"apiVersion": "monitoring.coreos.com/v1", "kind": "Prometheus", "metadata": {"name": "stack", "namespace": "monitoring"}, "spec": {
		"podMonitorNamespaceSelector": {}, "podMonitorSelector": {"matchLabels": {"release": "kube-prometheus-stack"}}}}`
)

// doctor asks gpumeter doctor about the cluster, and returns what it says of one
// thing: its level and its sentence.
func doctor(t *testing.T, check string, access ...string) string {
	t.Helper()
	cmd := exec.Command(filepath.Join(os.Getenv("GPUMETER_BIN"), "gpumeter"), append([]string{"doctor", "--agent", "off", "--url", "http://127.0.0.1:1", "-o", "json"}, access...)...)
	cmd.Stderr = os.Stderr
	out, _ := cmd.Output() // there is no collector
	var r struct {
		Findings []struct{ Check, Level, What string }
	}
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	var all []string
	for _, f := range r.Findings {
		if f.Check == check {
			all = append(all, f.Level+": "+f.What)
		}
	}
	return strings.Join(all, "\n")
}

// byAddress names the cluster by its address, with files to show.
func (c *cluster) byAddress(t *testing.T, token string) []string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "token"), []byte(token))
	write(t, filepath.Join(dir, "ca.crt"), c.ca)
	return []string{"--kubernetes", c.url(), "--kubernetes-token-file", filepath.Join(dir, "token"), "--kubernetes-ca-file", filepath.Join(dir, "ca.crt")}
}

// byKubeconfig names it by a kubeconfig, as people have one.
func (c *cluster) byKubeconfig(t *testing.T, token string) []string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "ca.crt"), c.ca)
	write(t, filepath.Join(dir, "config"), fmt.Appendf(nil, "contexts: [{name: e2e, context: {cluster: e2e, user: me}}]\n"+
		"clusters: [{name: e2e, cluster: {server: %q, certificate-authority: ca.crt}}]\nusers: [{name: me, user: {token: %s}}]\n", c.url(), token))
	return []string{"--kubeconfig", filepath.Join(dir, "config"), "--context", "e2e"}
}

func (c *cluster) url() string { return "https://" + net.JoinHostPort(c.host, c.port) }

// TestDoctorSeesWhatPrometheusSelects goes the way of somebody who installs the
// chart beside kube-prometheus-stack.
func TestDoctorSeesWhatPrometheusSelects(t *testing.T) {
	c := startCluster(t)
	access := c.byKubeconfig(t, adminToken)
	says := func(check, want string) {
		t.Helper()
		eventually(t, check+" is "+want, func() bool { return strings.Contains(doctor(t, check, access...), want) })
	}
	if got := doctor(t, "kubernetes", c.byAddress(t, adminToken)...); !strings.HasPrefix(got, "n/a: No agent is installed") {
		t.Errorf("by its address: %s", got)
	}
	if got := doctor(t, "kubernetes", c.byAddress(t, "a-token-of-nobody-here")...); !strings.HasPrefix(got, "unknown: ") || !strings.Contains(got, "Unauthorized") {
		t.Errorf("a wrong token: %s", got)
	}
	says("kubernetes", "n/a: No agent is installed")
	says("prometheus", "n/a: There is no Prometheus Operator")
	for _, name := range []string{"gpu", "monitoring"} {
		c.create(t, places["Namespace"], "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+name+"}\n")
	}
	c.create(t, places["DaemonSet"], monitoredAgents)
	says("kubernetes", "fault: gpu/gpumeter-agent wants the runtime class nvidia, which is not there")
	c.create(t, "/apis/node.k8s.io/v1/runtimeclasses", "apiVersion: node.k8s.io/v1\nkind: RuntimeClass\nmetadata: {name: nvidia}\nhandler: nvidia\n")
	says("kubernetes", "warning: gpu/gpumeter-agent: no node fits")

	c.defineMonitors(t)
	c.define(t, "prometheuses")
	says("prometheus", "warning: No monitor of gpumeter is installed")
	c.create(t, places["PodMonitor"], monitoredPods)
	says("prometheus", "n/a: The operator runs no Prometheus")
	c.create(t, "/apis/monitoring.coreos.com/v1/namespaces/monitoring/prometheuses", prometheusOfTheStack)
	says("prometheus", "fault: No Prometheus selects PodMonitor gpu/gpumeter-agent (monitoring/stack: it lacks the labels release=kube-prometheus-stack)")
	c.patch(t, places["PodMonitor"]+"/gpumeter-agent", `{"metadata": {"labels": {"release": "kube-prometheus-stack"}}}`)
	says("prometheus", "ok: PodMonitor gpu/gpumeter-agent is selected by Prometheus monitoring/stack")
}
