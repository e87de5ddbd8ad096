package collector_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/contractfile"
	"github.com/gpumeter/gpumeter/collector/report"
	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

var update = flag.Bool("update", false, "write the golden files anew")

// fleet is a store of the GPUs of testdata/fleet.yaml over October 2026, made
// by formula. It answers what a report asks and nothing else.
type fleet struct {
	store.Store
	presences []contract.Presence
}

func at(s string) int64 {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t.UnixMilli()
}

func newFleet() *fleet {
	f := &fleet{}
	begin, end := at("2026-09-20T00:00:00Z"), at("2026-11-02T12:00:00Z")
	late := at("2026-10-11T06:00:00Z")
	aws := contract.Presence{Provider: "aws", Account: "012345678901", Region: "us-east-1", Model: "H100"}
	azure := contract.Presence{Provider: "azure", Account: "ml-prod", Region: "germanywestcentral", Model: "H200"}
	coreweave := contract.Presence{Provider: "coreweave", Region: "us-east-04", Model: "H100"}
	google := contract.Presence{Provider: "google", Account: "research", Region: "us-west4", Model: "H200"}
	oracle := contract.Presence{Provider: "oracle", Account: "tenancy-a", Region: "us-chicago-1", Model: "GB200"}
	f.add("aws", 256, aws, begin, end)
	f.add("az", 120, azure, begin, end)
	f.add("az-silent", 8, azure, begin, at("2026-10-25T18:00:00Z"))
	f.add("cw", 384, coreweave, begin, end)
	f.add("cw-growth", 116, coreweave, at("2026-10-15T09:00:00Z"), end)
	substitute := coreweave
	substitute.Model = "H200"
	f.add("cw-late", 16, substitute, at("2026-10-18T14:00:00Z"), end)
	f.add("gcp", 64, google, begin, end)
	f.add("oci", 56, oracle, at("2026-10-01T08:00:00Z"), end)
	f.add("oci-late", 16, oracle, late, end)
	elsewhere := aws
	elsewhere.Region = "us-west-2"
	f.add("aws-west", 8, elsewhere, late, end)
	f.add("lab", 4, contract.Presence{Model: "L40S"}, begin, end)
	return f
}

func (f *fleet) add(name string, n int, p contract.Presence, fromMs, toMs int64) {
	for i := range n {
		p.Unit = int64(len(f.presences) + 1)
		p.GPU = fmt.Sprintf("GPU-%s-%03d", name, i)
		p.Node = fmt.Sprintf("%s-n%02d", name, i/8)
		p.StartMs, p.EndMs = fromMs, toMs
		f.presences = append(f.presences, p)
	}
}

func (f *fleet) Presence(context.Context) ([]contract.Presence, error) { return f.presences, nil }

func (f *fleet) Counts(context.Context) (store.Counts, error) {
	return store.Counts{Conflicts: 1, Quarantined: 3}, nil
}

func (f *fleet) Extent(context.Context) (store.Extent, error) {
	return store.Extent{FromMs: at("2026-09-20T00:00:00Z"), ToMs: at("2026-11-02T12:00:00Z")}, nil
}

// Sums invents what each GPU did on each day: some are sick, some idle, and
// fewer work at weekends.
func (f *fleet) Sums(_ context.Context, q contract.Query) (contract.Answer, error) {
	a := contract.Answer{Overlaps: 2880}
	for _, s := range q.Spans {
		for slot := range len(q.Edges) - 1 {
			from, to := max(s.FromMs, q.Edges[slot]), min(s.ToMs, q.Edges[slot+1], f.presences[s.Unit-1].EndMs)
			if from < to {
				a.Sums = append(a.Sums, contract.Sum{Key: s.Key, Slot: slot, Sums: invent(s.Unit, from, to-from)})
			}
			if from < to && q.By.Held() {
				a.Sums[len(a.Sums)-1].Group = len(a.Groups)
				a.Groups = append(a.Groups, q.By.Group(holderOf(s.Unit, from/86_400_000)))
			}
		}
	}
	return a, nil
}

// holderOf gives nodes to teams for a week. Two have a label, two a namespace
// or account; a user has no team.
func holderOf(unit, day int64) usage.Holder {
	pod := usage.Holder{Basis: usage.BasisKubelet, Kind: "pod", Group: "ml", Name: fmt.Sprint("train-", day/7)}
	switch (unit/8*7 + day/7) % 11 {
	case 0, 1, 2, 3:
		pod.Labels = "cost-centre=42,team=llm-pretraining"
		return pod
	case 4, 5:
		pod.Labels = "cost-centre=7,team=search"
		return pod
	case 6, 7:
		return usage.Holder{Basis: usage.BasisKubelet, Kind: "pod", Group: "speech", Name: fmt.Sprint("asr-", unit/8%5)}
	case 8:
		return usage.Holder{Basis: usage.BasisScheduler, Kind: "job", Group: "vision", Name: fmt.Sprint(day/7*100 + unit/8)}
	case 9:
		return usage.Holder{Basis: usage.BasisProcess, Kind: "user", Name: "alice"}
	}
	return usage.Holder{Basis: usage.BasisProcess}
}

func invent(unit, fromMs, ms int64) usage.Sums {
	day := fromMs / 86_400_000
	h := (unit*2654435761 + day*40503) % 1000
	observed := ms - ms*(h%7)/1000
	s := usage.Sums{BusyMs: observed * (600 + h%350) / 1000}
	switch weekend := day%7 == 2 || day%7 == 3; {
	case h < 15:
		s.BusyMs = observed * 250 / 1000
		s.UnhealthyMs = observed / 2
	case weekend:
		s.BusyMs = s.BusyMs * 3 / 4
	}
	rest := observed - s.BusyMs - s.UnhealthyMs
	s.UnallocatedMs = rest * 45 / 100
	s.UnmeasuredMs = rest * (h % 5) / 100
	s.IdleMs = rest - s.UnallocatedMs - s.UnmeasuredMs
	s.SMKnownMs = observed - s.UnhealthyMs
	s.SMActiveMs = s.BusyMs * 66 / 100
	s.EnergyKnownMs = observed
	s.EnergyMJ = s.BusyMs*620 + (observed-s.BusyMs)*110
	return s
}

// fleetNow is when the sample report is asked for.
var fleetNow = time.Date(2026, 11, 2, 12, 2, 30, 0, time.UTC)

func fleetContracts(t testing.TB) []contract.Contract {
	t.Helper()
	c, err := contractfile.Load("testdata/fleet.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func fleetReport(t testing.TB, ask collector.Ask) contract.Report {
	t.Helper()
	r, err := collector.Report(t.Context(), newFleet(), fleetContracts(t), ask, fleetNow)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestReportOfTheSampleFleet holds the report that the tests of the packages
// report and web print.
func TestReportOfTheSampleFleet(t *testing.T) {
	var b bytes.Buffer
	if err := report.JSON(&b, fleetReport(t, collector.Ask{Month: "2026-10"})); err != nil {
		t.Fatal(err)
	}
	golden(t, filepath.Join("report", "testdata", "fleet.json"), b.Bytes())
	b.Reset()
	if err := report.JSON(&b, fleetReport(t, collector.Ask{Month: "2026-10", By: contract.ByTeam, Top: 3})); err != nil {
		t.Fatal(err)
	}
	golden(t, filepath.Join("report", "testdata", "fleet-team.json"), b.Bytes())
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs: run the test with -update and read the diff", name)
	}
}
