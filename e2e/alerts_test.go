//go:build e2e

package e2e_test

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/gpumeter/gpumeter/dashboards"
)

// alertCase is what some series do to one alert.
type alertCase struct {
	alert, name string
	series      []string // a series and its values, in promtool's notation
	step        string   // between values; empty is one minute
	// fires is the step at which it fires, and not one earlier; silent until
	// the step `until` where it is never.
	fires  int
	labels string // of the alert, besides those of its rule
	until  int
}

// never is for cases in which nothing fires.
const never = -1

// unitTest is what promtool reads.
type unitTest struct {
	RuleFiles []string    `yaml:"rule_files"`
	Interval  string      `yaml:"evaluation_interval"`
	Order     []string    `yaml:"group_eval_order,omitempty"`
	Tests     []testGroup `yaml:"tests"`
}

type testGroup struct {
	Name     string       `yaml:"name"`
	Interval string       `yaml:"interval"`
	Series   []testSeries `yaml:"input_series"`
	Checks   []testCheck  `yaml:"promql_expr_test"`
}

type testSeries struct{ Series, Values string }

type testCheck struct {
	Expr     string       `yaml:"expr"`
	At       string       `yaml:"eval_time"`
	Expected []testSample `yaml:"exp_samples"`
}

type testSample struct {
	Labels string
	Value  float64
}

// group makes a test of a case.
func (c *alertCase) group(t *testing.T, a *dashboards.Alert) testGroup {
	t.Helper()
	step := c.step
	if step == "" {
		step = "1m"
	}
	length, err := time.ParseDuration(step)
	if err != nil {
		t.Fatal(err)
	}
	at := func(n int) string { return (time.Duration(n) * length).String() }
	g := testGroup{Name: c.alert + ": " + c.name, Interval: step, Series: parseSeries(t, c.series)}
	expr := fmt.Sprintf("ALERTS{alertname=%q,alertstate=\"firing\"}", a.Name)
	if a.Window != "" {
		expr = fmt.Sprintf("ALERTS{alertname=%q,alertstate=\"firing\",window=%q}", a.Name, a.Window)
	}
	if c.fires == never {
		g.Checks = []testCheck{{Expr: fmt.Sprintf("count_over_time(%s[%s])", expr, at(c.until+1)), At: at(c.until)}}
		return g
	}
	labels := fmt.Sprintf("ALERTS{alertname=%q,alertstate=\"firing\",severity=%q,action=%q,audience=%q", a.Name, a.Severity, a.Action, a.Audience)
	if a.Window != "" {
		labels += fmt.Sprintf(",window=%q", a.Window)
	}
	if c.labels != "" {
		labels += "," + c.labels
	}
	if c.fires > 0 {
		g.Checks = append(g.Checks, testCheck{Expr: expr, At: at(c.fires - 1)})
	}
	g.Checks = append(g.Checks, testCheck{Expr: expr, At: at(c.fires), Expected: []testSample{{labels + "}", 1}}})
	return g
}

func parseSeries(t *testing.T, lines []string) []testSeries {
	t.Helper()
	var out []testSeries
	for _, l := range lines {
		i := strings.Index(l, "} ")
		if i < 0 {
			t.Fatalf("series %q has no values", l)
		}
		out = append(out, testSeries{l[:i+1], l[i+2:]})
	}
	return out
}

// promtoolSays lets promtool run tests against rules, and returns what it says against
// them.
func promtoolSays(t *testing.T, rules []dashboards.Group, interval string, tests []testGroup) string {
	t.Helper()
	dir := t.TempDir()
	body, err := dashboards.RuleFile(rules)
	if err != nil {
		t.Fatal(err)
	}
	u := unitTest{RuleFiles: []string{"rules.yaml"}, Interval: interval, Tests: tests}
	for _, g := range rules {
		u.Order = append(u.Order, g.Name)
	}
	unit, err := yaml.Marshal(u)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"rules.yaml": body, "test.yaml": unit} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command(tool(t, "promtool"), "test", "rules", filepath.Join(dir, "test.yaml")).CombinedOutput()
	if err != nil {
		return string(out)
	}
	return ""
}

// only are the recording rules and one alert.
func only(a dashboards.Alert) []dashboards.Group {
	return []dashboards.Group{dashboards.Rules("")[0], {Name: "gpumeter-one", Rules: []dashboards.Rule{a.Rule("")}}}
}

// run tests one alert with its cases, those of a step of an hour apart.
func run(t *testing.T, a dashboards.Alert, cases []alertCase) string {
	t.Helper()
	tests := map[string][]testGroup{}
	for i := range cases {
		g := cases[i].group(t, &a)
		tests[g.Interval] = append(tests[g.Interval], g)
	}
	var out string
	for interval, list := range tests {
		out += promtoolSays(t, only(a), interval, list)
	}
	return out
}

// TestAlerts runs each alert with its cases, and then with its threshold and its
// delay changed a little: that must make a case fail.
func TestAlerts(t *testing.T) {
	cases := map[string][]alertCase{}
	for _, c := range alertCases() {
		cases[c.alert] = append(cases[c.alert], c)
	}
	var mu sync.Mutex // guards killed
	killed := 0
	places := make(chan struct{}, runtime.NumCPU())
	var wait sync.WaitGroup
	for _, a := range dashboards.AllAlerts() {
		mine := cases[a.ID()]
		delete(cases, a.ID())
		if len(mine) < 2 {
			t.Errorf("%s has %d cases, want one in which it fires and one at its threshold", a.ID(), len(mine))
			continue
		}
		places <- struct{}{}
		wait.Go(func() {
			defer func() { <-places }()
			if out := run(t, a, append(variants(t, a, mine), mine...)); out != "" {
				t.Errorf("%s:\n%s", a.ID(), out)
				return
			}
			for what, mutant := range mutants(a) {
				if run(t, mutant, mine) == "" {
					t.Errorf("%s with %s: no case fails", a.ID(), what)
					continue
				}
				mu.Lock()
				killed++
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	for id := range cases {
		t.Errorf("there are cases of %s, which is no alert", id)
	}
	t.Logf("%d mutants were found", killed)
}

// alwaysOne are alerts whose series is 1 or not there: no threshold below one
// makes a difference.
var alwaysOne = map[string]bool{"GPUMeterGPULost": true, "GPUMeterGPUUnobserved": true, "GPUMeterCollectorDown": true}

// mutants are an alert with a little more and a little less of what it waits
// for.
func mutants(a dashboards.Alert) map[string]dashboards.Alert {
	delta := a.Threshold * 0.05
	if a.Threshold == math.Trunc(a.Threshold) && a.Threshold <= 30 {
		delta = 1
	}
	out := map[string]dashboards.Alert{}
	add := func(what string, f func(*dashboards.Alert)) {
		m := a
		f(&m)
		out[what] = m
	}
	add("a higher threshold", func(m *dashboards.Alert) { m.Threshold += delta })
	if !alwaysOne[a.Name] {
		add("a lower threshold", func(m *dashboards.Alert) { m.Threshold -= delta })
	}
	wait, _ := time.ParseDuration(a.For)
	if a.For == "" {
		wait = 0
	}
	add("a longer delay", func(m *dashboards.Alert) { m.For = minutes(wait + time.Minute) })
	if wait > 0 {
		add("a shorter delay", func(m *dashboards.Alert) { m.For = minutes(wait - time.Minute) })
	}
	return out
}

func minutes(d time.Duration) string { return fmt.Sprintf("%dm", int(d.Minutes())) }

// TestHealthyFleetIsSilent runs all rules for a quarter of a day over a fleet on
// which all is well and whose agents and collector are started anew in between.
func TestHealthyFleetIsSilent(t *testing.T) {
	g := testGroup{Name: "a healthy fleet", Interval: "1m", Series: parseSeries(t, healthy()),
		Checks: []testCheck{{Expr: `count_over_time(ALERTS{alertstate="firing"}[6h])`, At: "6h"}}}
	if out := promtoolSays(t, dashboards.Rules(""), "1m", []testGroup{g}); out != "" {
		t.Error(out)
	}
}

// TestVanishedNodeDoesNotLookMended lets a node with a lost GPU die with all its
// series: its alert goes on until that of its silence has come.
func TestVanishedNodeDoesNotLookMended(t *testing.T) {
	series := []string{
		`gpumeter_node_info{job="g",instance="n1",cloud="aws",node="n1"} 1x9 stale`,
		`gpu_lost{job="g",instance="n1",gpu="3",uuid="GPU-3",reason="lost"} 1x9 stale`,
		`gpumeter_fleet_nodes{job="c",instance="c",cloud="aws",state="silent"} 0x19 1x600`,
		`gpumeter_fleet_nodes{job="c",instance="c",cloud="aws",state="reporting"} 30x19 29x600`,
		`gpumeter_collector_info{job="c",instance="c"} 1x600`,
	}
	firing := func(name string) string {
		return fmt.Sprintf("count(ALERTS{alertname=%q,alertstate=\"firing\"})", name)
	}
	one := []testSample{{"{}", 1}}
	g := testGroup{Name: "a vanished node", Interval: "1m", Series: parseSeries(t, series), Checks: []testCheck{
		{firing("GPUMeterGPULost"), "9m", one}, {firing("GPUMeterGPULost"), "24m", one}, {firing("GPUMeterNodesSilent"), "24m", nil}, {firing("GPUMeterNodesSilent"), "25m", one},
	}}
	if out := promtoolSays(t, dashboards.Rules(""), "1m", []testGroup{g}); out != "" {
		t.Error(out)
	}
}

// TestPromtoolTakesTheRules lints the files as they are exported.
func TestPromtoolTakesTheRules(t *testing.T) {
	files, err := dashboards.RuleFiles("https://wiki.example/runbooks")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Name != "alerts/rules.yaml" {
			continue
		}
		cmd := exec.Command(tool(t, "promtool"), "check", "rules", "--lint=all", "--lint-fatal")
		cmd.Stdin = bytes.NewReader(f.Body)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%v:\n%s", err, out)
		}
	}
}
