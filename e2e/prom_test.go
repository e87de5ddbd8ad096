//go:build e2e

package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gpumeter/gpumeter/agent/nvml"
	"github.com/gpumeter/gpumeter/exporters"
	"github.com/gpumeter/gpumeter/exporters/prom"
	"github.com/gpumeter/gpumeter/exporters/prom/dcgm"
	"github.com/gpumeter/gpumeter/metric"
)

// target serves the pages of a node as the agent does, and one with both.
func target(t *testing.T) *httptest.Server {
	t.Helper()
	s := node(t)
	snapshot := func() exporters.Snapshot {
		now := s
		now.Frame.Wall = time.Now()
		return now
	}
	var known []*metric.Desc
	for i := range nvml.Table {
		known = append(known, &nvml.Table[i].Desc)
	}
	d, err := dcgm.New(dcgm.Options{Snapshot: snapshot, Known: known, Names: dcgm.BothNames})
	if err != nil {
		t.Fatal(err)
	}
	own := prom.Handler(prometheus.NewRegistry(), slog.New(slog.DiscardHandler), prom.New(prom.Options{Snapshot: snapshot}))
	mux := http.NewServeMux()
	mux.Handle("/metrics", own)
	mux.Handle("/both", prom.WithText(own, d))
	mux.Handle("/dcgm/metrics", prom.WithText(nil, d))
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv
}

const prometheusConfig = `
global: {scrape_interval: 1s}
scrape_configs:
- {job_name: own, static_configs: [{targets: [%[1]q]}]}
- {job_name: both, metrics_path: /both, static_configs: [{targets: [%[1]q]}]}
- {job_name: dcgm, metrics_path: /dcgm/metrics, static_configs: [{targets: [%[1]q]}]}
`

// server is a Prometheus.
type server struct{ url string }

// scraping starts a Prometheus and waits until it has scraped all pages.
func scraping(t *testing.T, target *httptest.Server) server {
	t.Helper()
	dir, addr := t.TempDir(), address(t)
	file := filepath.Join(dir, "prometheus.yml")
	config := fmt.Sprintf(prometheusConfig, target.Listener.Addr().String())
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	p := server{"http://" + addr}
	serve(t, p.url+"/-/ready", "prometheus", "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+addr)
	for deadline := time.Now().Add(20 * time.Second); len(p.query(t, "up == 1")) < 3; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("targets: %s", get(t, p.url+"/api/v1/targets"))
		}
	}
	return p
}

// answer is what all calls of Prometheus's API return.
type answer[T any] struct {
	Data T `json:"data"`
}

func call[T any](t *testing.T, url string) T {
	t.Helper()
	var a answer[T]
	if err := json.Unmarshal(get(t, url), &a); err != nil {
		t.Fatal(err)
	}
	return a.Data
}

// result is one series of what a query returns.
type result struct {
	Metric map[string]string `json:"metric"`
	Value  [2]any            `json:"value"`
}

func (p server) query(t *testing.T, q string) []result {
	t.Helper()
	type vector struct {
		Result []result `json:"result"`
	}
	return call[vector](t, p.url+"/api/v1/query?query="+url.QueryEscape(q)).Result
}

// TestPrometheusTakesEverySample compares what Prometheus stored with what is
// on the pages.
func TestPrometheusTakesEverySample(t *testing.T) {
	tgt := target(t)
	p := scraping(t, tgt)
	for job, path := range map[string]string{"own": "/metrics", "both": "/both", "dcgm": "/dcgm/metrics"} {
		want := 0
		for line := range strings.Lines(string(get(t, tgt.URL+path))) {
			if line != "\n" && !strings.HasPrefix(line, "#") {
				want++
			}
		}
		got := p.query(t, fmt.Sprintf(`count({job=%q,__name__!~"scrape_.*|up"})`, job))
		if len(got) != 1 || got[0].Value[1] != fmt.Sprint(want) {
			t.Errorf("%s: %v series stored, want %d", job, got, want)
		}
		t.Logf("%s: %d samples", job, want)
	}
	type metadata struct{ Type, Help, Unit string }
	// The page of both is text, which has no units; Prometheus keeps what each
	// page says, in no order.
	const name = "gpu_memory_used_bytes"
	m := call[map[string][]metadata](t, p.url+"/api/v1/metadata?metric="+name)
	if !slices.ContainsFunc(m[name], func(x metadata) bool { return x.Unit == "bytes" && x.Type == "gauge" && x.Help != "" }) {
		t.Errorf("metadata %+v, want unit, type and help: was OpenMetrics negotiated?", m)
	}
}

// TestPromtoolFindsNothing lints our own names.
func TestPromtoolFindsNothing(t *testing.T) {
	cmd := exec.Command(tool(t, "promtool"), "check", "metrics")
	cmd.Stdin = bytes.NewReader(get(t, target(t).URL+"/metrics"))
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v:\n%s", err, out)
	}
}

// TestPublicDashboardHasData asks each query of dcgm-exporter's own dashboard,
// over the page of both and the one of DCGM's names.
func TestPublicDashboardHasData(t *testing.T) {
	p := scraping(t, target(t))
	text, err := os.ReadFile(filepath.Join("testdata", "dcgm-dashboard.txt"))
	if err != nil {
		t.Fatal(err)
	}
	variables := map[string]string{}
	queries := 0
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "$"):
			f := strings.Fields(line)
			values := call[[]string](t, p.url+"/api/v1/label/"+f[2]+"/values?match[]="+f[1])
			if len(values) == 0 {
				t.Errorf("variable %s has no value", f[0])
			}
			variables[f[0]] = strings.Join(values, "|")
		default:
			queries++
			for name, values := range variables {
				line = strings.ReplaceAll(line, `"`+name+`"`, `"`+values+`"`)
			}
			if strings.Contains(line, "$") {
				t.Fatalf("%s: a variable that is not known", line)
			}
			if got := p.query(t, line); len(got) == 0 {
				t.Errorf("%s returns nothing", line)
			}
		}
	}
	t.Logf("%d queries", queries)
}
