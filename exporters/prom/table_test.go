package prom_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/gpumeter/gpumeter/agent/meter"
	"github.com/gpumeter/gpumeter/agent/nvml"
	"github.com/gpumeter/gpumeter/exporters"
	"github.com/gpumeter/gpumeter/exporters/prom"
	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

// whole is a node that says everything there is: every row of the driver's
// table, those on request too, every integral, and an error.
func whole() exporters.Snapshot {
	var descs []*metric.Desc
	for i := range nvml.Table {
		descs = append(descs, &nvml.Table[i].Desc)
	}
	s := node(descs)
	for i := range s.Frame.Looks {
		s.Totals[s.Frame.Looks[i].GPU.UUID] = totals(meter.Descs())
	}
	s.Xids = []exporters.XidCount{
		{UUID: s.Frame.Looks[0].GPU.UUID, Code: 79, Count: 2, Last: now, Severity: metric.Replace},
		{Code: 999, Count: 1, Last: now},
	}
	return s
}

// TestWholeTableIsLawful lints every name, as promtool does. A registry refuses
// the page by itself where a series is there twice or a name has two types.
func TestWholeTableIsLawful(t *testing.T) {
	problems, err := testutil.GatherAndLint(registry(t, exporter(whole())))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// TestRowsOfOneNameAgree holds what the formats demand of a name: one help
// text, one unit, one type, and the same labels on each of its rows.
func TestRowsOfOneNameAgree(t *testing.T) {
	first := map[string]*metric.Desc{}
	for i := range nvml.Table {
		d := &nvml.Table[i].Desc
		f := first[prom.Name(d)]
		if f == nil {
			first[prom.Name(d)] = d
			continue
		}
		if f.Help != d.Help || f.Unit != d.Unit || f.Kind != d.Kind {
			t.Errorf("%s and %s differ in help, unit or kind", f.Key(), d.Key())
		}
		if !slices.EqualFunc(f.Labels, d.Labels, func(a, b metric.Label) bool { return a.Name == b.Name }) {
			t.Errorf("%s and %s have different labels", f.Key(), d.Key())
		}
	}
}

// TestLabelsAreIdentity refuses labels that Prometheus itself attaches, and on
// everything that is no info those that no row announces.
func TestLabelsAreIdentity(t *testing.T) {
	known := map[string]bool{"uuid": true, "gpu": true, "reason": true, "xid": true, "severity": true}
	for i := range nvml.Table {
		for _, l := range nvml.Table[i].Labels {
			known[l.Name] = true
		}
	}
	families, err := registry(t, exporter(whole())).Gather()
	if err != nil {
		t.Fatal(err)
	}
	infos := []string{"gpu_info", "gpu_holder_info", "gpumeter_node_info", "gpumeter_driver_info"}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				switch l.GetName() {
				case "job", "instance", "pod", "namespace", "container", "service", "endpoint", "pstate":
					t.Errorf("%s has label %s, which a scrape attaches or which is a state", f.GetName(), l.GetName())
				default:
					if !known[l.GetName()] && !slices.Contains(infos, f.GetName()) {
						t.Errorf("%s has label %s, which is no identity", f.GetName(), l.GetName())
					}
				}
				if l.GetValue() == "" {
					t.Errorf("%s has an empty label %s", f.GetName(), l.GetName())
				}
			}
		}
	}
}

// TestSeriesBudget holds the stated bound of 150 series per GPU, with every row
// that is read by default, every integral and eight holders. No GPU has all of
// these rows; one that is shared by more has a series for each, up to 32.
func TestSeriesBudget(t *testing.T) {
	s := node(tableDescs())
	uuid := s.Frame.Looks[0].GPU.UUID
	s.Totals[uuid] = totals(meter.Descs())
	s.Holders[uuid] = nil
	for i := range 8 {
		s.Holders[uuid] = append(s.Holders[uuid], usage.Holder{Basis: usage.BasisProcess, Kind: "user", Name: fmt.Sprint("user-", i)})
	}
	families, err := registry(t, exporter(s)).Gather()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "uuid" && l.GetValue() == uuid {
					n++
				}
			}
		}
	}
	t.Logf("%d series of one GPU by default", n)
	if n < len(tableDescs()) || n > 150 {
		t.Errorf("%d series of one GPU with %d rows, want all and at most 150", n, len(tableDescs()))
	}
}
