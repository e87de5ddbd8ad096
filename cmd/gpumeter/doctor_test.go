package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/cmd/internal/doctor"
	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/contract"
)

// metricsPage is what a collector of a fleet of nine nodes says, less what the
// checks do not read.
const metricsPage = `# TYPE gpumeter_collector_info gauge
gpumeter_collector_info{store_id="s",version="1"} 1
gpumeter_collector_commit_errors_total 0
gpumeter_collector_contract_file_ok 1
gpumeter_collector_contracts 2
gpumeter_collector_quarantined_batches_total 0
gpumeter_fleet_nodes{cloud="aws",state="reporting"} 4
gpumeter_fleet_nodes{cloud="azure",state="reporting"} 5
gpumeter_fleet_nodes{cloud="azure",state="silent"} 0
`

// wellSite is a site at which nothing stands in the way: a cluster with an agent
// on each of two nodes, and a Prometheus of kube-prometheus-stack.
func wellSite(t *testing.T) siteFacts {
	s := siteFacts{
		answer: doctor.Answer{Target: doctor.Target{URL: "https://gpumeter.example:9410", TokenFile: "t"}, Status: 200, Collector: true, Page: metricsPage,
			At: time.Unix(1_790_000_000, 0), Expires: time.Unix(1_800_000_000, 0), HasOffset: true, Offset: 3 * time.Millisecond, Doubt: 500 * time.Millisecond},
		clock: doctor.Clock{Kept: true}, file: "contracts.yaml", contracts: make([]contract.Contract, 2),
		data: &disk{path: "/data", used: 10 * gib, free: 90 * gib, size: 200 * gib},
		cluster: cluster{
			asked: true, name: "this cluster", operator: true, classes: []string{"nvidia"},
			namespaces: map[string]map[string]string{"gpumeter": {"team": "metering"}, "monitoring": {}},
		},
	}
	decode(t, &s.cluster.sets, `[{"metadata":{"name":"gpumeter-agent","namespace":"gpumeter"},
		"spec":{"template":{"spec":{"runtimeClassName":"nvidia"}}},"status":{"desiredNumberScheduled":2,"numberReady":2}}]`)
	decode(t, &s.cluster.prometheuses, `[{"metadata":{"name":"k8s","namespace":"monitoring"},"spec":{
		"podMonitorSelector":{"matchLabels":{"release":"kps"}},"podMonitorNamespaceSelector":{},
		"serviceMonitorSelector":{"matchLabels":{"release":"kps"}},"serviceMonitorNamespaceSelector":{"matchLabels":{"team":"metering"}},
		"ruleSelector":{},"ruleNamespaceSelector":{}}}]`)
	decode(t, &s.cluster.monitors, `[
		{"kind":"PodMonitor","metadata":{"name":"gpumeter-agent","namespace":"gpumeter","labels":{"release":"kps"}}},
		{"kind":"ServiceMonitor","metadata":{"name":"gpumeter-collector","namespace":"gpumeter","labels":{"release":"kps"}}},
		{"kind":"PrometheusRule","metadata":{"name":"gpumeter","namespace":"gpumeter"}}]`)
	return s
}

func decode(t *testing.T, into any, text string) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatal(err)
	}
}

// says replaces a line of the page that begins so.
func says(line string) func(*siteFacts) {
	name, _, _ := strings.Cut(line, " ")
	return func(s *siteFacts) {
		lines := strings.Split(s.answer.Page, "\n")
		lines = slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, name+" ") })
		s.answer.Page = strings.Join(append(lines, line), "\n") + "\n"
	}
}

// ailments break one thing of a site that is well.
var ailments = []struct {
	name string
	do   func(*siteFacts)
}{
	{"nothing", func(*siteFacts) {}},
	{"a collector that is gone", func(s *siteFacts) {
		s.answer = doctor.Answer{Target: s.answer.Target, Err: errors.New("dial tcp: connection refused")}
	}},
	{"a certificate that ends", func(s *siteFacts) { s.answer.Expires = s.answer.At.Add(time.Hour) }},
	{"a token of agents", func(s *siteFacts) { s.answer.Status, s.answer.Page = 403, "" }},
	{"a clock that is wrong", func(s *siteFacts) { s.answer.Offset = 10 * time.Second }},
	{"a wrong contract file", func(s *siteFacts) { s.wrong = errors.New(`contracts.yaml:7: unknown key "gpu"`) }},
	{"an empty contract file", func(s *siteFacts) { s.contracts = nil }},
	{"no contract file", func(s *siteFacts) { s.file = "" }},
	{"a collector without contracts", says("gpumeter_collector_contracts 0")},
	{"a collector with a wrong contract file", says("gpumeter_collector_contract_file_ok 0")},
	{"commits that were refused", says("gpumeter_collector_commit_errors_total 3")},
	{"batches that were kept aside", says("gpumeter_collector_quarantined_batches_total 2")},
	{"a full disk", func(s *siteFacts) { s.data.free = gib / 2 }},
	{"a disk that will be full", func(s *siteFacts) { s.data.used, s.data.free = 80*gib, 15*gib }},
	{"no data folder there", func(s *siteFacts) { s.data.err = &fs.PathError{Op: "open", Path: "/data", Err: fs.ErrNotExist} }},
	{"a data folder of another user", func(s *siteFacts) { s.data.err = &fs.PathError{Op: "open", Path: "/data", Err: fs.ErrPermission} }},
	{"a silent node", says(`gpumeter_fleet_nodes{cloud="azure",state="silent"} 1`)},
	{"no node", func(s *siteFacts) { s.answer.Page = "\ngpumeter_collector_info{} 1\n" }},
	{"one node of one", func(s *siteFacts) {
		s.answer.Page = strings.ReplaceAll(strings.ReplaceAll(s.answer.Page, "} 4\n", "} 1\n"), "} 5\n", "} 0\n")
	}},
	{"no node, and a collector on this machine", func(s *siteFacts) {
		s.answer.Target.URL, s.answer.Page = "http://127.0.0.1:9410", "\ngpumeter_collector_info{} 1\n"
	}},
	{"a missing GPU", says(`gpumeter_fleet_gpus{cloud="aws",state="missing"} 1`)},
	{"a node that is well", func(s *siteFacts) {
		s.node = &doctor.Report{Findings: []doctor.Finding{{Check: "driver", What: "Driver 580 answers."}}}
	}},
	{"a node at fault", func(s *siteFacts) {
		f := doctor.Bad("The driver does not answer.", "Reboot.")
		f.Check = "driver"
		s.node = &doctor.Report{Findings: []doctor.Finding{f}}
	}},
	{"an agent that does not look", func(s *siteFacts) { s.silent = errors.New("ask gpumeter-agent to look at this node: unknown command") }},
	{"no cluster", func(s *siteFacts) { s.cluster = cluster{left: errNone} }},
	{"a cluster that says nothing", func(s *siteFacts) {
		s.cluster = cluster{asked: true, name: "this cluster", agents: &apiError{"apis/apps/v1/daemonsets", "forbidden", 403}, monitoring: errors.New("connection refused")}
	}},
	{"a cluster that was found, and says nothing", func(s *siteFacts) {
		s.cluster = cluster{asked: true, name: `the cluster of the context "kind"`, found: "/home/me/.kube/config", agents: errors.New("connection refused"), monitoring: errors.New("connection refused")}
	}},
	{"a kubeconfig that was found, and cannot be followed", func(s *siteFacts) {
		s.cluster = cluster{left: fmt.Errorf("%w: read kubeconfig /home/me/.kube/config: it has no current-context", errFound)}
	}},
	{"no agents in the cluster", func(s *siteFacts) { s.cluster.sets = nil }},
	{"no runtime class", func(s *siteFacts) { s.cluster.classes = nil }},
	{"no node that fits", func(s *siteFacts) { s.cluster.sets[0].Status.Desired, s.cluster.sets[0].Status.Ready = 0, 0 }},
	{"an agent that is not ready", func(s *siteFacts) { s.cluster.sets[0].Status.Ready = 1 }},
	{"no operator", func(s *siteFacts) { s.cluster.operator = false }},
	{"no monitors", func(s *siteFacts) { s.cluster.monitors = nil }},
	{"no Prometheus", func(s *siteFacts) { s.cluster.prometheuses = nil }},
	{"the label release is missing", func(s *siteFacts) { s.cluster.monitors[0].Metadata.Labels = nil }},
	{"a namespace that is not selected", func(s *siteFacts) { s.cluster.namespaces["gpumeter"] = nil }},
	{"a Prometheus of its own namespace", func(s *siteFacts) { s.cluster.prometheuses[0].Spec.RuleNamespaces = nil }},
	{"a Prometheus without rules", func(s *siteFacts) { s.cluster.prometheuses[0].Spec.Rules = nil }},
	{"a second Prometheus that selects", func(s *siteFacts) {
		second := s.cluster.prometheuses[0]
		second.Metadata.Name = "second"
		s.cluster.prometheuses[0].Spec.Rules = nil
		s.cluster.prometheuses = append(s.cluster.prometheuses, second)
	}},
}

// TestDoctorGolden writes, for each ailment, what differs from the site that is
// well.
func TestDoctorGolden(t *testing.T) {
	well := wellSite(t)
	healthy := doctor.Run(siteChecks, &well)
	if healthy.ExitCode() != 0 {
		t.Errorf("the site that is well has exit code %d", healthy.ExitCode())
	}
	ill := map[string]bool{}
	var out bytes.Buffer
	for i, a := range ailments {
		s := wellSite(t)
		a.do(&s)
		r := doctor.Run(siteChecks, &s)
		if i > 0 {
			r.Findings = slices.DeleteFunc(r.Findings, func(f doctor.Finding) bool { return slices.Contains(healthy.Findings, f) })
		}
		for _, f := range r.Findings {
			check, _, _ := strings.Cut(f.Check, ":")
			ill[check] = ill[check] || f.Level > doctor.Aside
			if (f.Level > doctor.Aside) != (f.Remedy != "") {
				t.Errorf("%s: %+v has a remedy, or needs none", a.name, f)
			}
		}
		fmt.Fprintf(&out, "== %s\n", a.name)
		if err := doctor.Write(&out, &r, "text", doctor.Options{}); err != nil {
			t.Fatal(err)
		}
		out.WriteByte('\n')
	}
	for _, c := range siteChecks {
		if !ill[c.Name] {
			t.Errorf("no ailment shows in the check %s", c.Name)
		}
	}
	path := filepath.Join("testdata", "doctor.txt")
	if *updateExamples {
		if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(out.Bytes(), want) {
		t.Errorf("%v, or it is not what %s has (-update writes it anew):\n%s", err, path, out.Bytes())
	}
}

func TestSelectorsSelectAsKubernetesDoes(t *testing.T) {
	labels := map[string]string{"a": "1", "b": "2"}
	f := func(selector string, want string) {
		t.Helper()
		var s labelSelector
		decode(t, &s, selector)
		if got := strings.Join(s.misses(labels), "; "); got != want {
			t.Errorf("%s misses %q, want %q", selector, got, want)
		}
	}
	f(`{}`, "")
	f(`{"matchLabels":{"a":"1","b":"2"}}`, "")
	f(`{"matchLabels":{"b":"1","a":"2","c":"3"}}`, "a=2; b=1; c=3")
	f(`{"matchExpressions":[{"key":"a","operator":"In","values":["0","1"]}]}`, "")
	f(`{"matchExpressions":[{"key":"a","operator":"In","values":["0"]}]}`, "a In 0")
	f(`{"matchExpressions":[{"key":"c","operator":"In","values":[""]}]}`, "c In")
	f(`{"matchExpressions":[{"key":"a","operator":"NotIn","values":["0"]}]}`, "")
	f(`{"matchExpressions":[{"key":"c","operator":"NotIn","values":["0"]}]}`, "")
	f(`{"matchExpressions":[{"key":"a","operator":"NotIn","values":["0","1"]}]}`, "a NotIn 0, 1")
	f(`{"matchExpressions":[{"key":"a","operator":"Exists"},{"key":"c","operator":"DoesNotExist"}]}`, "")
	f(`{"matchExpressions":[{"key":"c","operator":"Exists"},{"key":"a","operator":"DoesNotExist"}]}`, "c Exists; a DoesNotExist")
	f(`{"matchExpressions":[{"key":"a","operator":"Near"}]}`, "a Near")
}

// TestDoctorAsksARealCollector gives it an empty store, a contract file and a
// certificate-less address on loopback.
func TestDoctorAsksARealCollector(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	st, err := duckdb.Open(ctx, filepath.Join(dir, "data"), duckdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	tokens := collector.Tokens{Agents: []string{"a-token-for-agents"}, Readers: []string{"a-token-for-readers"}}
	book, err := collector.OpenBook(examples+"aws.yaml", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	c := collector.New(collector.Config{Store: st, Book: book, Tokens: tokens, Now: time.Now, Log: slog.New(slog.DiscardHandler), Version: "1"})
	url := serving(t, c, tokens)
	file := func(name, token string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	agents, readers := file("agents", tokens.Agents[0]), file("readers", tokens.Readers[0])
	f := func(code int, want []string, args ...string) {
		t.Helper()
		out, err := gpumeter(t, append([]string{"doctor", "--agent", "off", "--kubernetes", "off", "--url", url, "-o", "csv"}, args...)...)
		got := 0
		if err != nil {
			got = exitCode(err)
		}
		if got != code {
			t.Errorf("%v: exit code %d, want %d: %s", args, got, code, out)
		}
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("%v: no %q in %s", args, w, out)
			}
		}
	}
	f(doctor.StatusDoubt, []string{"collector,ok,", "token,ok,The collector takes", "contracts,ok,The collector has", "store,ok,The store has taken", "nodes,warning,No node reports", "clock,ok,"}, "--token-file", readers)
	f(doctor.StatusFault, []string{"token,fault,The token in " + agents + " is not one for readers"}, "--token-file", agents)
	f(doctor.StatusFault, []string{`token,fault,"The collector wants a token`})
	f(doctor.StatusDoubt, []string{"store,ok,", " GiB are free on the disk of " + dir, "contracts,ok," + examples + "aws.yaml holds"}, "--token-file", readers, "--data", dir, "--contracts", examples+"aws.yaml")
	// The agent's question changes nothing, and its answer has the clock.
	a := doctor.Ask(ctx, doctor.Target{URL: url, TokenFile: agents, Agent: true})
	if f := a.FindToken(); f.Level != doctor.Well || !a.HasOffset || a.Offset.Abs() > time.Second || a.Doubt > time.Second {
		t.Errorf("an agent: %+v, offset %s ± %s", f, a.Offset, a.Doubt)
	}
	counts, err := st.Counts(ctx)
	if err != nil || counts.Batches != 0 {
		t.Errorf("%+v, %v: a question brought a batch", counts, err)
	}
	if b := doctor.Ask(ctx, doctor.Target{URL: url, TokenFile: readers, Agent: true}); b.FindToken().Level != doctor.Fault {
		t.Errorf("an agent with a reader's token: %+v", b.FindToken())
	}
}

// serving serves a collector on loopback until the test ends, and returns its
// address.
func serving(t *testing.T, c *collector.Collector, tokens collector.Tokens) string {
	t.Helper()
	ln, err := collector.Listen(t.Context(), collector.Address{Addr: "127.0.0.1:0"}, tokens)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- c.Serve(ctx, ln) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return "http://" + ln.Addr().String()
}

// TestDoctorLooksAtACluster asks a server that answers as Kubernetes does, as far
// as lists go.
func TestDoctorLooksAtACluster(t *testing.T) {
	const token = "a-token-of-an-account"
	lists := map[string]string{
		"/apis/apps/v1/daemonsets":                       `[{"metadata":{"name":"gpumeter-agent","namespace":"g"},"spec":{"template":{"spec":{"runtimeClassName":"nvidia"}}},"status":{"desiredNumberScheduled":3,"numberReady":3}}]`,
		"/apis/node.k8s.io/v1/runtimeclasses":            `[{"metadata":{"name":"nvidia"}}]`,
		"/apis/monitoring.coreos.com/v1/prometheuses":    `[{"metadata":{"name":"k8s","namespace":"m"},"spec":{"podMonitorSelector":{"matchLabels":{"release":"kps"}},"podMonitorNamespaceSelector":{}}}]`,
		"/apis/monitoring.coreos.com/v1/podmonitors":     `[{"metadata":{"name":"gpumeter-agent","namespace":"g"}}]`,
		"/apis/monitoring.coreos.com/v1/servicemonitors": `[]`,
		"/apis/monitoring.coreos.com/v1/prometheusrules": `[]`,
		"/api/v1/namespaces":                             `[{"metadata":{"name":"g"}},{"metadata":{"name":"m"}}]`,
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		items, ok := lists[r.URL.Path]
		switch mine := strings.Contains(r.URL.Path, "daemonsets") || strings.HasSuffix(r.URL.Path, "monitors") || strings.HasSuffix(r.URL.Path, "rules"); {
		case r.Header.Get("Authorization") != "Bearer "+token:
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"kind":"Status","message":"daemonsets.apps is forbidden"}`)
		case !ok:
			w.WriteHeader(http.StatusNotFound)
		case mine != (r.URL.Query().Get("labelSelector") == ours):
			w.WriteHeader(http.StatusBadRequest)
		default:
			fmt.Fprintf(w, `{"items":%s}`, items)
		}
	}))
	defer srv.Close()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	look := func(args ...string) string {
		t.Helper()
		out, err := gpumeter(t, append([]string{"doctor", "--agent", "off", "--url", "http://127.0.0.1:1", "--kubernetes", srv.URL, "-o", "csv"}, args...)...)
		if err == nil || exitCode(err) != doctor.StatusFault { // there is no collector
			t.Errorf("%v: %v", args, err)
		}
		return out
	}
	f := func(out, want string) {
		t.Helper()
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
	f(look("--kubernetes-token-file", file), "kubernetes,ok,g/gpumeter-agent: 3 of 3 agents are ready.")
	f(look("--kubernetes-token-file", file), `prometheus,fault,No Prometheus selects PodMonitor g/gpumeter-agent (m/k8s: it lacks the labels release=kps).,"Upgrade the chart with --set monitoring.labels.release=kps`)
	f(look(), "kubernetes,unknown,This cluster does not say how the agents are: list apis/apps/v1/daemonsets: daemonsets.apps is forbidden.")
	lists["/apis/monitoring.coreos.com/v1/podmonitors"] = `[{"metadata":{"name":"gpumeter-agent","namespace":"g","labels":{"release":"kps"}}}]`
	f(look("--kubernetes-token-file", file), "prometheus,ok,PodMonitor g/gpumeter-agent is selected by Prometheus m/k8s.")
	delete(lists, "/apis/monitoring.coreos.com/v1/prometheuses")
	f(look("--kubernetes-token-file", file), "prometheus,n/a,There is no Prometheus Operator")
	srv.Close()
	f(look("--kubernetes-token-file", file), "connection refused")
}

// TestDoctorGoesWhereKubectlGoes asks a server in TLS, by a kubeconfig that is
// named and by one that lies there.
func TestDoctorGoesWhereKubectlGoes(t *testing.T) {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer a-token-of-somebody" {
			w.WriteHeader(http.StatusUnauthorized)
		}
		fmt.Fprint(w, `{"items":[]}`)
	}))
	defer srv.Close()
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	dir := t.TempDir()
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	config := func(token string) string {
		t.Helper()
		path := filepath.Join(dir, "config")
		text := fmt.Sprintf("current-context: mine\ncontexts: [{name: mine, context: {cluster: c, user: u}}, {name: eks, context: {cluster: c, user: e}}]\n"+
			"clusters: [{name: c, cluster: {server: %q, certificate-authority-data: %s}}]\nusers: [{name: u, user: {token: %s}}, {name: e, user: {exec: {command: aws}}}]\n",
			srv.URL, base64.StdEncoding.EncodeToString(authority), token)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	t.Setenv("HOME", dir)
	f := func(variable, want string, args ...string) {
		t.Helper()
		t.Setenv("KUBECONFIG", variable)
		out, err := gpumeter(t, append([]string{"doctor", "--agent", "off", "--url", "http://127.0.0.1:1", "-o", "csv"}, args...)...)
		if err != nil && exitCode(err) != doctor.StatusFault {
			out = err.Error()
		}
		if !strings.Contains(out, want) {
			t.Errorf("KUBECONFIG=%s, %v: no %q in %s", variable, args, want, out)
		}
	}
	good := config("a-token-of-somebody")
	const seen = `kubernetes,n/a,"No agent is installed in the cluster of the context ""mine"": docs`
	f("", seen, "--kubeconfig", good)
	f("", seen, "--kubeconfig", good, "--context", "mine")
	f(good, seen)
	f(good, "kubernetes,n/a,No cluster is to be looked at.", "--kubernetes", "off")
	f("", "kubernetes,n/a,\"No cluster is named, there is no kubeconfig, and this is no pod.\"")
	f(good, `kubernetes: read kubeconfig `+good+`: user "e": exec: gpumeter does not start "aws" for a token; kubectl does: kubectl --context eks proxy`, "--context", "eks")
	f("", `kubernetes: read kubeconfig /nowhere: open /nowhere`, "--kubeconfig", "/nowhere")
	f("", "kubernetes: there is no kubeconfig", "--context", "mine")
	f(good, "--kubeconfig and --context choose a cluster, and so does --kubernetes", "--context", "mine", "--kubernetes", srv.URL)
	f(good, "leave --kubernetes-token-file and --kubernetes-ca-file out", "--context", "mine", "--kubernetes-token-file", good)
	bad := config("a-token-of-nobody")
	f("", "kubernetes,unknown,", "--kubeconfig", bad)
	f(bad, `kubernetes,n/a,"The cluster of the context ""mine"" does not say how the agents are: list apis/apps/v1/daemonsets: 401 Unauthorized. This counts only`)
	if err := os.WriteFile(bad, []byte("current-context: eks"), 0o600); err != nil {
		t.Fatal(err)
	}
	f(bad, `kubernetes,n/a,"No cluster was looked at: read kubeconfig `+bad+`: it has no context ""eks""`)
}

func TestDoctorRefusesWhatCannotBeAsked(t *testing.T) {
	f := func(code int, want string, args ...string) {
		t.Helper()
		if _, err := gpumeter(t, append([]string{"doctor", "--agent", "off"}, args...)...); err == nil || exitCode(err) != code || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %d and %q", args, err, code, want)
		}
	}
	f(2, "plain http goes to loopback only", "--kubernetes", "http://10.0.0.1")
	f(2, `"x" is not an argument`, "x")
	f(2, `output "xml"`, "-o", "xml")
	f(1, "read token", "--kubernetes", "https://x", "--kubernetes-token-file", "/nowhere")
	f(1, "read certificate authority", "--kubernetes", "https://x", "--kubernetes-ca-file", "/nowhere")
}

// TestDoctorTakesTheAgentsWord has a program in the agent's place.
func TestDoctorTakesTheAgentsWord(t *testing.T) {
	dir := t.TempDir()
	agent := filepath.Join(dir, "gpumeter-agent")
	f := func(script, want string) {
		t.Helper()
		if err := os.WriteFile(agent, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		out, _ := gpumeter(t, "doctor", "--kubernetes", "off", "--url", "http://127.0.0.1:1", "--agent", agent, "-o", "csv")
		if !strings.Contains(out, want) {
			t.Errorf("%s: no %q in %s", script, want, out)
		}
	}
	f(`test "$*" = "doctor -o json" || exit 1; echo '{"schema":"gpumeter.doctor/v1","findings":[{"check":"driver","level":"fault","what":"It is gone.","remedy":"Fetch it."}]}'; exit 3`, "node: driver,fault,It is gone.,Fetch it.")
	f(`echo 'unknown command "doctor"' >&2; exit 2`, `unknown command ""doctor""`)
	f(`echo hello`, "node,unknown,This node was not looked at: ask "+agent)
	out, _ := gpumeter(t, "doctor", "--kubernetes", "off", "--url", "http://127.0.0.1:1", "--agent", filepath.Join(dir, "none"), "-o", "csv")
	if !strings.Contains(out, "node,unknown,This node was not looked at: ask "+dir) {
		t.Errorf("a program that is not there: %s", out)
	}
}

func TestGPUsAreSeenOnTheBus(t *testing.T) {
	dir := t.TempDir()
	put := func(device, vendor, class string) {
		t.Helper()
		d := filepath.Join(dir, device)
		if err := errors.Join(os.MkdirAll(d, 0o755), os.WriteFile(filepath.Join(d, "vendor"), []byte(vendor+"\n"), 0o644), os.WriteFile(filepath.Join(d, "class"), []byte(class+"\n"), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	put("1", "0x8086", "0x030000")
	put("2", "0x10de", "0x068000") // a switch
	if hasGPUs(dir) {
		t.Error("GPUs of another maker, or a switch, count")
	}
	put("3", "0x10de", "0x030200")
	if !hasGPUs(dir) {
		t.Error("a GPU is not seen")
	}
}
