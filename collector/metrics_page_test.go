package collector_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gpumeter/gpumeter/collector"
)

// described takes apart how a prometheus.Desc prints itself.
var described = regexp.MustCompile(`fqName: "([^"]+)", help: "([^"]*)", unit: "[^"]*", constLabels: {[^}]*}, variableLabels: {([^}]*)}`)

// TestMetricsPage holds docs/collector-metrics.md against what /metrics says.
func TestMetricsPage(t *testing.T) {
	var rows []string
	for _, d := range collector.Descs() {
		m := described.FindStringSubmatch(d.String())
		if m == nil {
			t.Fatalf("a description prints itself otherwise now: %s", d)
		}
		if strings.HasPrefix(m[1], "gpumeter_") {
			rows = append(rows, fmt.Sprintf("| `%s` | %s | %s |", m[1], strings.ReplaceAll(m[3], ",", ", "), m[2]))
		}
	}
	slices.Sort(rows)
	want := "# Metrics of the collector\n\nWhat stands on the collector's `/metrics` besides those of Go and of the process\n" +
		"(written by a test, `go test ./collector -run MetricsPage -update`). Those of the agents\nare in [metrics.md](metrics.md), dashboards and alerts in [dashboards.md](dashboards.md).\n\n" +
		"| metric | labels | what it is |\n|---|---|---|\n" + strings.Join(rows, "\n") + "\n"
	const page = "../docs/collector-metrics.md"
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(page); err != nil || string(got) != want {
		t.Errorf("%s is not what /metrics says (%v): run with -update", page, err)
	}
}
