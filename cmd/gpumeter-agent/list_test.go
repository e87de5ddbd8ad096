package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func list(t *testing.T, output string) string {
	t.Helper()
	var b bytes.Buffer
	if err := writeCatalogue(&b, catalogue(), output); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestMetricsPageIsCurrent holds docs/metrics.md to the tables.
func TestMetricsPageIsCurrent(t *testing.T) {
	const page = "../../docs/metrics.md"
	got := list(t, "markdown")
	if *update {
		if err := os.WriteFile(page, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is not current; `go test ./cmd/gpumeter-agent -update` rewrites it (-page +tables):\n%s", page, diff)
	}
}

// TestCatalogueIsWhole holds what every entry owes its reader, and that every
// form has every metric.
func TestCatalogueIsWhole(t *testing.T) {
	n := 0
	names := map[string]bool{}
	for _, c := range catalogue() {
		for _, e := range c.Metrics {
			n++
			if names[e.Prometheus] {
				t.Errorf("%s is in the catalogue twice", e.Prometheus)
			}
			names[e.Prometheus] = true
			if e.Help == "" || len(e.Sources) == 0 {
				t.Errorf("%s says nothing of itself: %+v", e.Name, e)
			}
		}
	}
	rows, err := csv.NewReader(strings.NewReader(list(t, "csv"))).ReadAll()
	if err != nil || len(rows) != n+1 {
		t.Errorf("CSV has %d rows (%v), want a header and %d", len(rows), err, n)
	}
	var back []chapter
	if err := json.Unmarshal([]byte(list(t, "json")), &back); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(catalogue(), back); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
	table := list(t, "table")
	for name := range names {
		if !strings.Contains(table, "  "+name+" ") {
			t.Errorf("the table lacks %s", name)
		}
	}
}
