//go:build e2e_kubernetes

package kubernetes_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

const chart = "../../packaging/helm/gpumeter"

// places say where the objects of a kind are. Those of a namespace are in gpu.
var places = map[string]string{
	"Namespace":             "/api/v1/namespaces",
	"ServiceAccount":        "/api/v1/namespaces/gpu/serviceaccounts",
	"Secret":                "/api/v1/namespaces/gpu/secrets",
	"ConfigMap":             "/api/v1/namespaces/gpu/configmaps",
	"Service":               "/api/v1/namespaces/gpu/services",
	"PersistentVolumeClaim": "/api/v1/namespaces/gpu/persistentvolumeclaims",
	"DaemonSet":             "/apis/apps/v1/namespaces/gpu/daemonsets",
	"StatefulSet":           "/apis/apps/v1/namespaces/gpu/statefulsets",
	"Deployment":            "/apis/apps/v1/namespaces/gpu/deployments",
	"NetworkPolicy":         "/apis/networking.k8s.io/v1/namespaces/gpu/networkpolicies",
	"ClusterRole":           rbac + "clusterroles",
	"ClusterRoleBinding":    rbac + "clusterrolebindings",
	"PodMonitor":            "/apis/monitoring.coreos.com/v1/namespaces/gpu/podmonitors",
	"ServiceMonitor":        "/apis/monitoring.coreos.com/v1/namespaces/gpu/servicemonitors",
	"PrometheusRule":        "/apis/monitoring.coreos.com/v1/namespaces/gpu/prometheusrules",
}

var between = regexp.MustCompile(`(?m)^---\s*$`)

// documents are the objects of a text, in YAML.
func documents(t *testing.T, text string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, doc := range between.Split(text, -1) {
		var o struct {
			Kind     string
			Metadata struct{ Name string }
		}
		if err := yaml.Unmarshal([]byte(doc), &o); err != nil {
			t.Fatalf("%v in\n%s", err, doc)
		}
		if o.Kind != "" {
			out[o.Kind+"/"+o.Metadata.Name] = doc
		}
	}
	return out
}

// try has the server check an object as if it were applied.
func (c *cluster) try(t *testing.T, name, doc string) {
	t.Helper()
	kind, name, _ := strings.Cut(name, "/")
	path := places[kind] + "/" + name
	if strings.Contains(doc, "\n  namespace: gpumeter\n") {
		path = strings.Replace(path, "/namespaces/gpu/", "/namespaces/gpumeter/", 1)
	}
	status, answer := c.do(http.MethodPatch, path+"?dryRun=All&fieldManager=test&fieldValidation=Strict", "application/apply-patch+yaml", doc)
	if status != http.StatusOK && status != http.StatusCreated {
		t.Errorf("%s: %d: %s", path, status, answer)
	}
}

func TestChartIsInstalled(t *testing.T) {
	c := startCluster(t)
	kubeconfig := c.startControllers(t)
	c.create(t, places["Namespace"], "apiVersion: v1\nkind: Namespace\nmetadata: {name: gpu}\n")
	c.create(t, "/apis/node.k8s.io/v1/runtimeclasses", "apiVersion: node.k8s.io/v1\nkind: RuntimeClass\nmetadata: {name: nvidia}\nhandler: nvidia\n")
	c.defineMonitors(t)
	checkSets(t, c, kubeconfig)
	checkNodesOfAgents(t, c, kubeconfig)
	checkRights(t, c)
	checkPrograms(t, c)
	checkUpgrade(t, c, kubeconfig)
}

// defineMonitors tells the server the kinds of the Prometheus Operator.
func (c *cluster) defineMonitors(t *testing.T) {
	t.Helper()
	for _, kind := range []string{"podmonitors", "servicemonitors", "prometheusrules"} {
		c.define(t, kind)
	}
}

// define tells the server one of those kinds.
func (c *cluster) define(t *testing.T, kind string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(os.Getenv("GPUMETER_CRDS"), "monitoring.coreos.com_"+kind+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	c.create(t, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", string(text))
	eventually(t, kind+" are served", func() bool {
		status, _ := c.do(http.MethodGet, "/apis/monitoring.coreos.com/v1/"+kind, "", "")
		return status == http.StatusOK
	})
}

// checkSets has the server take every set of values, and the programs every
// argument that it makes.
func checkSets(t *testing.T, c *cluster, kubeconfig string) {
	t.Helper()
	sets, err := filepath.Glob(chart + "/ci/*-values.yaml")
	if err != nil || len(sets) < 6 {
		t.Fatalf("found %d sets of values: %v", len(sets), err)
	}
	for _, set := range sets {
		docs := documents(t, helm(t, kubeconfig, "template", "gpumeter", chart, "--kube-version", "1.37.0", "--values", set))
		for name, doc := range docs {
			c.try(t, name, doc)
			checkArgs(t, name, doc)
		}
		t.Logf("%s: %d objects", filepath.Base(set), len(docs))
	}
	text, err := os.ReadFile(chart + "/../plain/gpumeter.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c.create(t, places["Namespace"], "apiVersion: v1\nkind: Namespace\nmetadata: {name: gpumeter}\n")
	for name, doc := range documents(t, string(text)) {
		c.try(t, name, doc)
	}
}

// checkArgs lets each program read its arguments; --help keeps it from more.
func checkArgs(t *testing.T, name, doc string) {
	t.Helper()
	var w struct {
		Spec struct {
			Template struct {
				Spec struct {
					Containers []struct{ Command, Args []string }
				}
			}
		}
	}
	if err := yaml.Unmarshal([]byte(doc), &w); err != nil {
		t.Fatal(err)
	}
	for _, container := range w.Spec.Template.Spec.Containers {
		program := filepath.Join(os.Getenv("GPUMETER_BIN"), container.Command[0])
		args := append(append(container.Command[1:], container.Args...), "--help")
		if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %v\n%s", name, args, err, out)
		}
	}
}

// gpuLabels are those of a node with GPUs whose driver the GPU operator looks after.
var gpuLabels = map[string]string{"kubernetes.io/os": "linux", "nvidia.com/gpu.present": "true", "nvidia.com/gpu.deploy.client": "true", "nvidia.com/gpu.deploy.dcgm-exporter": "true"}

// addNode makes a node that is ready, as its kubelet would.
func (c *cluster) addNode(t *testing.T, name string, labels map[string]string, taints string) {
	t.Helper()
	path := "/api/v1/nodes"
	c.create(t, path, object(t, "Node", name, labels, "{}"))
	c.patch(t, path+"/"+name, `{"spec": {"taints": `+taints+`}}`)
	c.patch(t, path+"/"+name+"/status", `{"status": {
		"capacity": {"cpu": "96", "memory": "1Ti", "pods": "110", "nvidia.com/gpu": "8"}, "allocatable": {"cpu": "96", "memory": "1Ti", "pods": "110", "nvidia.com/gpu": "8"},
		"conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "ready"}]}}`)
}

// checkNodesOfAgents installs the chart and looks where agents are, and how
// labels of a node take them away.
func checkNodesOfAgents(t *testing.T, c *cluster, kubeconfig string) {
	t.Helper()
	c.addNode(t, "h100-1", gpuLabels, `[{"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}]`)
	c.addNode(t, "gke-2", map[string]string{"kubernetes.io/os": "linux", "cloud.google.com/gke-accelerator": "nvidia-h100-80gb"}, `[]`)
	c.addNode(t, "cpu-1", map[string]string{"kubernetes.io/os": "linux"}, `[]`)
	helm(t, kubeconfig, "install", "gpumeter", chart, "--values", chart+"/ci/default-values.yaml", "--set", "networkPolicy.enabled=true")
	eventually(t, "agents on the nodes with GPUs, and there only", func() bool {
		return cmp.Equal(c.agents(t), map[string]bool{"h100-1": true, "gke-2": true})
	})
	eventually(t, "a pod of the collector", func() bool { return len(c.pods(t, "collector")) == 1 })
	for _, label := range [][3]string{
		{"gpumeter/agent", "paused", ""},
		{"nvidia.com/gpu.deploy.client", "paused-for-driver-upgrade", "true"},
		{"nvidia.com/gpu.deploy.client", "paused-for-mig-change", "true"},
		{"nvidia.com/gpu.deploy.dcgm-exporter", "paused-for-driver-upgrade", "true"},
	} {
		c.label(t, "h100-1", label[0], label[1])
		eventually(t, fmt.Sprint("no agent while ", label), func() bool { return cmp.Equal(c.agents(t), map[string]bool{"gke-2": true}) })
		c.label(t, "h100-1", label[0], label[2])
		eventually(t, fmt.Sprint("the agent again after ", label), func() bool { return c.agents(t)["h100-1"] })
	}
}

func (c *cluster) label(t *testing.T, node, key, value string) {
	t.Helper()
	change := map[string]any{key: value}
	if value == "" {
		change[key] = nil
	}
	text, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": change}})
	if err != nil {
		t.Fatal(err)
	}
	c.patch(t, "/api/v1/nodes/"+node, string(text))
}

// agents returns the nodes that the scheduler gave an agent. Pods that are being
// deleted end at once, as a kubelet would end them.
func (c *cluster) agents(t *testing.T) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for _, p := range c.pods(t, "agent") {
		if p.Metadata.DeletionTimestamp != "" {
			_, _ = c.do(http.MethodDelete, "/api/v1/namespaces/gpu/pods/"+p.Metadata.Name+"?gracePeriodSeconds=0", "", "")
		} else if p.Spec.NodeName != "" {
			out[p.Spec.NodeName] = true
		}
	}
	return out
}

// checkRights asks the server what the account of the installed agent may: what
// the documentation says, and no more.
func checkRights(t *testing.T, c *cluster) {
	t.Helper()
	may := func(verb, resource string) bool {
		review := fmt.Sprintf("apiVersion: authorization.k8s.io/v1\nkind: SubjectAccessReview\nspec: {user: 'system:serviceaccount:gpu:gpumeter-agent', resourceAttributes: {verb: %s, resource: %s}}\n", verb, resource)
		var answer struct{ Status struct{ Allowed bool } }
		if err := json.Unmarshal(c.create(t, "/apis/authorization.k8s.io/v1/subjectaccessreviews", review), &answer); err != nil {
			t.Fatal(err)
		}
		return answer.Status.Allowed
	}
	for _, verb := range []string{"get", "list", "watch", "create", "update", "patch", "delete"} {
		for _, resource := range []string{"nodes", "pods", "secrets", "configmaps"} {
			if got, want := may(verb, resource), verb == "get" && resource == "nodes"; got != want {
				t.Errorf("the agent may %s %s: %v, want %v", verb, resource, got, want)
			}
		}
	}
}

// checkUpgrade wants tokens and certificates to outlive an upgrade, tokens also
// the release, and nothing else.
func checkUpgrade(t *testing.T, c *cluster, kubeconfig string) {
	t.Helper()
	secrets := []string{"gpumeter-tokens", "gpumeter-collector-tls", "gpumeter-agent-tls"}
	before := map[string]map[string]string{}
	for _, name := range secrets {
		s, _ := c.get(t, places["Secret"]+"/"+name)
		before[name] = s.Data
	}
	helm(t, kubeconfig, "upgrade", "gpumeter", chart, "--values", chart+"/ci/everything-values.yaml")
	for _, name := range secrets {
		s, _ := c.get(t, places["Secret"]+"/"+name)
		if diff := cmp.Diff(before[name], s.Data); diff != "" || len(s.Data) < 3 {
			t.Errorf("%s after an upgrade (-before +after):\n%s", name, diff)
		}
	}
	helm(t, kubeconfig, "uninstall", "gpumeter")
	for _, name := range secrets {
		if _, ok := c.get(t, places["Secret"]+"/"+name); !ok {
			t.Errorf("%s went with the release", name)
		}
	}
	if _, ok := c.get(t, places["DaemonSet"]+"/gpumeter-agent"); ok {
		t.Error("the agents outlived the release")
	}
	helm(t, kubeconfig, "install", "gpumeter", chart)
	if s, _ := c.get(t, places["Secret"]+"/gpumeter-tokens"); !cmp.Equal(s.Data, before["gpumeter-tokens"]) {
		t.Error("another installation has other tokens")
	}
}
