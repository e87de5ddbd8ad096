package dashboards_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/dashboards"
)

// exprs are all expressions of dashboards, rules and alerts, by where they are.
func exprs() map[string]string {
	out := map[string]string{}
	for _, b := range dashboards.Boards() {
		for _, v := range b.Variables {
			out[b.UID+" variable "+v.Name] = v.Of
		}
		for _, n := range b.Notes {
			out[b.UID+" annotation "+n.Name] = n.Expr
		}
		for _, r := range b.Rows {
			for _, p := range r.Panels {
				for i, q := range p.Queries {
					out[b.UID+" panel "+p.Title+" "+string(rune('A'+i))] = q.Expr
				}
			}
		}
	}
	for _, g := range dashboards.Rules("") {
		for _, r := range g.Rules {
			out["rule "+r.Record+r.Alert+" "+r.Labels["window"]] = r.Expr
		}
	}
	return out
}

// known are the metrics of agents (docs/metrics.md is held current by a test of
// its own) and of collectors, with the labels that they are declared with.
func known(t *testing.T) map[string]bool {
	t.Helper()
	page, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z0-9_]+)`").FindAllStringSubmatch(string(page), -1) {
		out[m[1]] = true
	}
	for _, m := range regexp.MustCompile("`(DCGM_[A-Z0-9_]+)`").FindAllStringSubmatch(string(page), -1) {
		out[m[1]] = true
	}
	for _, d := range collector.Descs() {
		out[regexp.MustCompile(`fqName: "([^"]+)"`).FindStringSubmatch(d.String())[1]] = true
	}
	for _, r := range dashboards.Rules("")[0].Rules {
		out[r.Record] = true
	}
	// dcgm-exporter makes this one itself, and so do we in its place.
	out["DCGM_FI_DEV_XID_ERRORS"] = true
	if len(out) < 300 {
		t.Fatalf("only %d metrics are known: is docs/metrics.md another page now?", len(out))
	}
	return out
}

var word = regexp.MustCompile(`\b(gpu_[a-z0-9_]+|gpumeter_[a-z0-9_]+|host_[a-z0-9_]+|contract:[a-z0-9_:]+|DCGM_[A-Z0-9_]+)\b`)

// labels are words that look like metrics and are not.
var labels = []string{"gpu_model", "gpu_instance"}

// Every name in an expression is that of a metric that is exported.
func TestNamesExist(t *testing.T) {
	metrics, used := known(t), map[string]bool{}
	for where, expr := range exprs() {
		for _, name := range word.FindAllString(expr, -1) {
			if slices.Contains(labels, name) {
				continue
			}
			used[name] = true
			if !metrics[name] {
				t.Errorf("%s: %s is exported by nobody", where, name)
			}
		}
	}
	if len(used) < 60 {
		t.Errorf("only %d names were found in the expressions: what reads them is wrong", len(used))
	}
	listUnused(t, metrics, used)
}

// listUnused holds the other way round: what the meter exists for must be shown,
// and what is shown nowhere is listed for who runs the test with -v.
func listUnused(t *testing.T, metrics, used map[string]bool) {
	t.Helper()
	var unused []string
	for name := range metrics {
		if used[name] || strings.HasPrefix(name, "DCGM_") {
			continue
		}
		unused = append(unused, name)
		if strings.HasPrefix(name, "gpumeter_contract_") || strings.HasPrefix(name, "gpumeter_claim_") || strings.HasPrefix(name, "gpumeter_commitment_") || strings.HasPrefix(name, "contract:") {
			t.Errorf("%s is in no dashboard and no rule", name)
		}
	}
	slices.Sort(unused)
	t.Logf("%d of %d metrics are in no dashboard and no rule: %s", len(unused), len(metrics), strings.Join(unused, " "))
}
