package contract_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

var update = flag.Bool("update", false, "write the golden files anew")

// worked is the worked example: 24 H100 at $2.50 from 10:00 to 11:00. n1 is
// busy, one of its GPUs fails at 10:30. Half of n2 is busy, half is held idle;
// nothing is heard of it from 10:40 to 10:50. n3 comes at 10:15, is free until
// 10:30 and then busy.
func worked() ([]contract.Contract, []contract.Presence, []contract.Straddle) {
	lot := tranche("h100", 24, 10, 11)
	lot.Rates = []contract.Rate{{FromMs: h(10), ToMs: h(11), PerGPUHour: 2_500_000}}
	contracts := bought(lot)
	var presences []contract.Presence
	var records []contract.Straddle
	for g := range 24 {
		node, from := g/8+1, 0
		if node == 3 {
			from = 15
		}
		p := stood(fmt.Sprintf("GPU-%02d", g), fmt.Sprintf("n%d", node), 10+float64(from)/60, 11, unit(int64(g+1)))
		presences = append(presences, p)
		for minute := from; minute < 60; minute += 5 {
			r := contract.Straddle{Unit: p.Unit, Record: usage.Record{GPU: p.GPU, StartMs: h(10) + int64(minute)*60_000, EndMs: h(10) + int64(minute+5)*60_000}}
			switch {
			case g == 0 && minute >= 30:
				r.UnhealthyMs = 300_000
			case node == 2 && minute >= 40 && minute < 50:
				continue
			case node == 2 && g%2 == 0:
				r.IdleMs = 300_000
			case node == 3 && minute < 30:
				r.UnallocatedMs = 300_000
			default:
				r.BusyMs = 300_000
			}
			records = append(records, r)
		}
	}
	return contracts, presences, records
}

func workedReport(t *testing.T) contract.Report {
	t.Helper()
	contracts, presences, records := worked()
	hour := contract.Period{Name: "2026-10-01T10", FromMs: h(10), ToMs: h(11)}
	plan := contract.NewPlan(contracts, contract.Place(contracts, presences, h(11)), []contract.Period{hour}, hour)
	rep, err := plan.Build(answer(plan.Query(), records), time.UnixMilli(h(11)).UTC())
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

func TestWorkedExample(t *testing.T) {
	line := workedReport(t).Contracts[0].Total
	if line.ContractedMs != 86_400_000 {
		t.Errorf("contracted %d GPU-ms, want 86,400 GPU-s", line.ContractedMs)
	}
	wantTime := contract.Time{7_200_000, 4_800_000, 1_800_000, 7_200_000, 12_000_000, 0, 53_400_000}
	if d := cmp.Diff(wantTime, line.Buckets); d != "" {
		t.Errorf("buckets (-want +got):\n%s", d)
	}
	// The exact parts miss a micro-dollar, which goes to the larger amount.
	wantCost := contract.Amounts{5_000_000, 3_333_333, 1_250_000, 5_000_000, 8_333_333, 0, 37_083_334}
	if d := cmp.Diff(wantCost, line.Cost.Buckets); d != "" {
		t.Errorf("cost (-want +got):\n%s", d)
	}
	if got := line.Cost.Contracted.String(); got != "60.000000" {
		t.Errorf("cost %s, want 60.000000", got)
	}
	u := line.Utilisation
	if got := fmt.Sprintf("%.2f %% [%.2f %%, %.2f %%]", 100*u.Busy, 100*u.Lower, 100*u.Upper); got != "61.81 % [61.81 %, 67.36 %]" {
		t.Errorf("utilisation %s", got)
	}
	stage := map[string]float64{}
	for _, s := range line.Stages {
		stage[s.Name] = float64(s.Ms)
	}
	f := func(name string, part, of float64, want string) {
		t.Helper()
		if got := fmt.Sprintf("%.2f", 100*part/of); got != want {
			t.Errorf("%s is %s %%, want %s %%", name, got, want)
		}
	}
	f("busy of observed", stage["busy"], stage["observed"], "71.77")
	f("delivery", stage["delivered"], stage["contracted"], "91.67")
	f("observation", stage["observed"], stage["delivered"], "93.94")
}

func TestWorkedExampleJSON(t *testing.T) {
	got, err := json.MarshalIndent(workedReport(t), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	name := filepath.Join("testdata", "worked.json")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatalf("%v (go test -update writes it)", err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s (-want +got):\n%s", name, d)
	}
}
