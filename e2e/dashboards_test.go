//go:build e2e

package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/gpumeter/gpumeter/dashboards"
)

// program returns the path of one of ours: beside GPUMETER_BIN, which make e2e
// sets.
func program(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(filepath.Dir(os.Getenv("GPUMETER_BIN")), name)
	if os.Getenv("GPUMETER_BIN") == "" || !exists(path) {
		t.Fatalf("%s is not beside GPUMETER_BIN (make e2e builds it and says so)", name)
	}
	return path
}

// launch runs a program of ours until the test ends.
func launch(t *testing.T, env []string, name string, args ...string) *safe {
	t.Helper()
	out := &safe{}
	cmd := exec.Command(program(t, name), args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if t.Failed() {
			text := out.String()
			t.Logf("%s said:\n%s", name, text[max(0, len(text)-1500):])
		}
	})
	return out
}

// until waits for something.
func until(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !ok(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s", what, limit)
		}
	}
}

const scrapeConfig = `
global: {scrape_interval: 5s, evaluation_interval: 15s}
%s
scrape_configs:
- {job_name: gpumeter-agent, static_configs: [{targets: [%s]}]}
- {job_name: gpumeter-collector, static_configs: [{targets: [%q]}]}
- {job_name: dcgm, static_configs: [{targets: [%q]}]}
`

// shown is the demo, scraped by a Prometheus with our rules and by a
// VictoriaMetrics.
type shown struct{ prometheus, victoria server }

// showDemo starts the demo with its agents, an agent that says DCGM's names
// alone, and who scrapes them.
func showDemo(t *testing.T) shown {
	t.Helper()
	dir, collector := t.TempDir(), address(t)
	demo := launch(t, nil, "gpumeter", "demo", "--simulate", "--data", dir, "--gpus", "100", "--listen", collector)
	until(t, 3*time.Minute, "the demo runs", func() bool { return strings.Contains(demo.String(), "--fresh starts anew") })
	return scrape(t, dir, agents(t, dir), collector, dcgmAgent(t))
}

// agents are the addresses of the demo's agents, quoted.
func agents(t *testing.T, dir string) string {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(dir, "agents", "*", "agent.log"))
	if err != nil || len(logs) == 0 {
		t.Fatalf("the demo has no agents: %v", err)
	}
	var out []string
	listens := regexp.MustCompile(`msg="Listening on" address=(\S+)`)
	for _, name := range logs {
		until(t, 20*time.Second, name+" says where it listens", func() bool {
			text, err := os.ReadFile(name)
			m := listens.FindSubmatch(text)
			if err == nil && m != nil {
				out = append(out, fmt.Sprintf("%q", m[1]))
			}
			return m != nil
		})
	}
	return strings.Join(out, ", ")
}

// dcgmAgent is an agent in dcgm-exporter's place.
func dcgmAgent(t *testing.T) string {
	t.Helper()
	dir, addr := t.TempDir(), address(t)
	scenario := filepath.Join(dir, "scenario")
	if err := os.WriteFile(scenario, []byte("seed 7\nstart file\ngpus 2 h100\ngpu * util sine period=1m min=20 max=90\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	launch(t, []string{"GPUMETER_SIM_SCENARIO=" + scenario}, "gpumeter-agent", "run", "--state", dir, "--lock", filepath.Join(dir, "lock"), "--listen", addr,
		"--nvml", filepath.Join(filepath.Dir(program(t, "gpumeter")), "sim", "libnvidia-ml.so.1"), "--node", "dcgm-1", "--cloud", "off", "--dcgm-names", "old", "--own-names=false")
	return addr
}

func scrape(t *testing.T, dir, agents, collector, dcgm string) shown {
	t.Helper()
	files, err := dashboards.RuleFiles("")
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	rules := write("rules.yaml", string(files[0].Body))
	p := write("prometheus.yml", fmt.Sprintf(scrapeConfig, fmt.Sprintf("rule_files: [%q]", rules), agents, collector, dcgm))
	v := write("victoria.yml", strings.Replace(fmt.Sprintf(scrapeConfig, "", agents, collector, dcgm), ", evaluation_interval: 15s", "", 1))
	pa, va := address(t), address(t)
	serve(t, "http://"+pa+"/-/ready", "prometheus", "--config.file="+p, "--storage.tsdb.path="+filepath.Join(dir, "prometheus"), "--web.listen-address="+pa)
	serve(t, "http://"+va+"/health", "victoria-metrics", "-httpListenAddr="+va, "-storageDataPath="+filepath.Join(dir, "victoria"), "-promscrape.config="+v, "-search.latencyOffset=0s")
	return shown{server{"http://" + pa}, server{"http://" + va}}
}

// choice is what is chosen at the head of a dashboard, and what Grafana puts in
// for its own variables.
func choice(expr, node string) string {
	return strings.NewReplacer("$cloud", ".*", "$contract", ".*", "$model", ".*", "$gpu", ".*", "$node", node,
		"$__range", "10m", "$__rate_interval", "1m", "$__interval", "15s").Replace(expr)
}

// TestDashboardsHaveData asks every query of every dashboard of a Prometheus and
// of a VictoriaMetrics that scrape the demo. It prints what came of each.
func TestDashboardsHaveData(t *testing.T) {
	s := showDemo(t)
	until(t, 5*time.Minute, "the contract counters advance", func() bool {
		return len(s.prometheus.query(t, `increase(gpumeter_contract_gpu_seconds_total{bucket="busy"}[5m]) > 0`)) > 0
	})
	// The demo's story: after four minutes a GPU of this node falls off the bus.
	until(t, 7*time.Minute, "the alerts on the lost GPU fire", func() bool {
		return len(s.prometheus.query(t, `ALERTS{alertname=~"GPUMeterGPULost|GPUMeterXidFatal",alertstate="firing",node="oci-iad-live",gpu="5"}`)) == 2
	})
	until(t, time.Minute, "commitments are known", func() bool { return len(s.prometheus.query(t, `gpumeter_commitment_drawn_amount`)) > 0 })
	until(t, time.Minute, "records of a minute are there", func() bool { return len(s.prometheus.query(t, `contract:supply_failure:ratio_rate5m`)) > 0 })
	var text bytes.Buffer
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "dashboard\tpanel\tquery\tPrometheus\tVictoriaMetrics\twhy empty")
	asked, empty := 0, 0
	for _, b := range dashboards.Boards() {
		for _, v := range b.Variables {
			if values := call[[]string](t, s.prometheus.url+"/api/v1/label/"+v.Key+"/values?match[]="+url.QueryEscape(choice(v.Of, ".*"))); len(values) == 0 {
				t.Errorf("%s: variable %s has no value", b.UID, v.Name)
			}
		}
		for _, n := range b.Notes {
			s.prometheus.query(t, choice(n.Expr, "oci-iad-live"))
		}
		for _, r := range b.Rows {
			for _, p := range r.Panels {
				for i, q := range p.Queries {
					expr := choice(q.Expr, "oci-iad-live")
					pn, vn := len(s.prometheus.query(t, expr)), len(s.victoria.query(t, expr))
					why := q.Empty + p.Empty
					fmt.Fprintf(table, "%s\t%s\t%c\t%d\t%d\t%s\n", b.UID, p.Title, 'A'+i, pn, vn, why)
					asked++
					if pn == 0 || vn == 0 {
						empty++
					}
					if (pn == 0 || vn == 0) && why == "" {
						t.Errorf("%s, %s, %c has no data: Prometheus %d series, VictoriaMetrics %d: %s", b.UID, p.Title, 'A'+i, pn, vn, expr)
					}
				}
			}
		}
	}
	_ = table.Flush()
	t.Logf("%d queries, %d of them empty in one or both\n%s", asked, empty, text.String())
	rulesAreWell(t, s.prometheus)
	lostGPUIsNamed(t, s.prometheus)
	naIsNoNumber(t, s.prometheus)
}

// rulesAreWell wants every rule evaluated without an error.
func rulesAreWell(t *testing.T, p server) {
	t.Helper()
	type rule struct{ Name, Health, LastError string }
	type groups struct {
		Groups []struct{ Rules []rule } `json:"groups"`
	}
	n := 0
	for _, g := range call[groups](t, p.url+"/api/v1/rules").Groups {
		for _, r := range g.Rules {
			n++
			if r.Health != "ok" {
				t.Errorf("rule %s is %s: %s", r.Name, r.Health, r.LastError)
			}
		}
	}
	if n < 40 {
		t.Errorf("%d rules are loaded", n)
	}
}

// lostGPUIsNamed wants the alert as a person reads it.
func lostGPUIsNamed(t *testing.T, p server) {
	t.Helper()
	type alerts struct {
		Alerts []struct{ Labels, Annotations map[string]string } `json:"alerts"`
	}
	for _, a := range call[alerts](t, p.url+"/api/v1/alerts").Alerts {
		if a.Labels["alertname"] == "GPUMeterGPULost" {
			if got, want := a.Annotations["summary"], "GPU 5 of oci-iad-live (oracle) is gone from the bus"; got != want {
				t.Errorf("summary %q, want %q", got, want)
			}
			return
		}
	}
	t.Error("no alert on the lost GPU")
}

// naIsNoNumber wants NaN, and neither zero nor nothing, of GPUs that cannot say
// how active their SMs are: T4s.
func naIsNoNumber(t *testing.T, p server) {
	t.Helper()
	for _, b := range dashboards.Boards() {
		for _, r := range b.Rows {
			i := slices.IndexFunc(r.Panels, func(p dashboards.Panel) bool { return b.UID == "gpumeter-node" && p.Title == "SM activity" })
			if i < 0 {
				continue
			}
			got := p.query(t, choice(r.Panels[i].Queries[0].Expr, "gcp-usc1-live"))
			if len(got) != 4 || slices.ContainsFunc(got, func(r result) bool { return r.Value[1] != "NaN" }) {
				t.Errorf("SM activity of four T4 = %v, want NaN for each", got)
			}
			return
		}
	}
	t.Error("there is no panel for SM activity")
}

// grafanaTypes checks a dashboard against Grafana's types. Its string enums are
// taken as the strings that they are, and Prometheus' own fields of an annotation
// and of a query are allowed.
const grafanaTypes = `
import type { Dashboard, AnnotationQuery, Panel, RowPanel } from '@grafana/schema';
import type { Options as Stat } from '@grafana/schema/dist/types/raw/composable/stat/panelcfg/x/types.gen';
import type { Options as Series, FieldConfig as SeriesField } from '@grafana/schema/dist/types/raw/composable/timeseries/panelcfg/x/types.gen';
import type { Options as Table, FieldConfig as TableField } from '@grafana/schema/dist/types/raw/composable/table/panelcfg/x/types.gen';
import type { Options as Bars } from '@grafana/schema/dist/types/raw/composable/bargauge/panelcfg/x/types.gen';
import type { Options as Timeline, FieldConfig as TimelineField } from '@grafana/schema/dist/types/raw/composable/statetimeline/panelcfg/x/types.gen';
import type { Options as Text } from '@grafana/schema/dist/types/raw/composable/text/panelcfg/x/types.gen';

type Plain<T> = T extends string ? ` + "`${T}`" + ` : T extends (infer E)[] ? Plain<E>[] : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;
type Note = AnnotationQuery & { expr?: string; step?: string; titleFormat?: string; textFormat?: string; useValueForTime?: boolean; target?: { refId: string; expr: string } };
type Custom<F> = { defaults: { custom?: Plain<F> } };
type Of<K extends string, O, F = unknown> = Omit<Plain<Panel>, 'options' | 'type'> & { type: K; options: Plain<O>; fieldConfig?: Custom<F> };
type Known = Of<'stat', Stat> | Of<'timeseries', Series, SeriesField> | Of<'table', Table, TableField> | Of<'bargauge', Bars> | Of<'state-timeline', Timeline, TimelineField>
  | Of<'text', Text> | Of<'alertlist', Record<string, unknown>> | (Plain<RowPanel> & { type: 'row' });
type Board = Plain<Omit<Dashboard, 'annotations' | 'panels'>> & { annotations: { list: Plain<Note>[] }; panels: Known[] };
`

// TestGrafanaTakesTheDashboards checks the JSON with Grafana's published types,
// and that these types find what is wrong.
func TestGrafanaTakesTheDashboards(t *testing.T) {
	npm, err := exec.LookPath("npm")
	if err != nil {
		t.Skip("npm is not installed")
	}
	dir := t.TempDir()
	install := exec.Command(npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "@grafana/schema@13.2.3", "typescript@5.9.3")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Skipf("npm install: %v: %s", err, out)
	}
	var boards []string
	for i, b := range dashboards.Boards() {
		body, err := b.JSON("")
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(body) {
			t.Fatalf("%s is no JSON", b.UID)
		}
		boards = append(boards, fmt.Sprintf("export const b%d: Board = %s;\n", i, body))
	}
	if out := compile(t, dir, strings.Join(boards, "")); out != "" {
		t.Errorf("dashboards:\n%s", out)
	}
	for _, wrong := range [][2]string{{`"graphMode": "none"`, `"graphMode": "sparkles"`}, {`"graphTooltip": 1`, `"graphTooltip": "one"`}, {`"type": "stat"`, `"type": "singlestat"`}} {
		if changed := strings.Replace(boards[0], wrong[0], wrong[1], 1); changed == boards[0] || compile(t, dir, changed) == "" {
			t.Errorf("%s passes for %s", wrong[1], wrong[0])
		}
	}
}

// compile returns what the compiler says against a program.
func compile(t *testing.T, dir, text string) string {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "boards.ts"), []byte(grafanaTypes+text), 0o600); err != nil {
		t.Fatal(err)
	}
	tsc := exec.Command(filepath.Join(dir, "node_modules", ".bin", "tsc"), "--noEmit", "--strict", "--skipLibCheck", "--target", "es2022", "--module", "es2022", "--moduleResolution", "node10", "boards.ts")
	tsc.Dir = dir
	out, err := tsc.CombinedOutput()
	if err == nil {
		return ""
	}
	return string(out)
}
