package main

import (
	"bytes"
	"path/filepath"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/agent/meter"
	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/contractfile"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

const siblingContract = `
contracts:
  - id: short
    provider: aws
    currency: USD
    billing_timezone: UTC
    tranches:
      - id: h100
        model: H100
        scope: {accounts: ["111111111111"], reservations: [cr-1]}
        start: 2026-10-01T10:00:00Z
        end: 2026-10-01T13:00:00Z
        gpus: 8
        per_gpu_hour: "2.50"
`

// TestNodeThatShowsSevenOfEightIsOneEighthUnhealthy goes the whole way, from the
// frames of a node with a missing sibling to the report. The sibling appears
// after an hour and a half.
func TestNodeThatShowsSevenOfEightIsOneEighthUnhealthy(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	st, err := duckdb.Open(ctx, filepath.Join(dir, "data"), duckdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	now := func() time.Time { return workedHour.Add(4 * time.Hour) }
	l, err := openLine(ctx, st, now)
	if err != nil {
		t.Fatal(err)
	}
	n := workedNode{name: "n1", look: func(int, int) (bool, bool) { return true, true }}
	s, err := l.openStation(ctx, filepath.Join(dir, "n1"), usage.Node{
		Name: "n1", Cloud: usage.Cloud{Provider: "aws", Account: "111111111111", Reservation: "cr-1"}, ExpectedGPUs: 8,
	}, meter.Config{Interval: 10 * time.Second, Holders: workedHolders, Basis: usage.BasisProcess, Node: "n1"})
	if err != nil {
		t.Fatal(err)
	}
	s.meter.Expect(meter.Siblings{GPUs: 8, Model: "H100"})
	for sec := 0; sec <= 3*3600; sec += 10 {
		f := n.frame(sec)
		if sec < 5400 {
			f.Looks = f.Looks[:7]
		}
		if err := s.observe(ctx, f); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.finish(ctx); err != nil {
		t.Fatal(err)
	}
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
	contracts, err := contractfile.Parse("short.yaml", bytes.NewReader([]byte(siblingContract)))
	if err != nil {
		t.Fatal(err)
	}
	for hour, unhealthySeconds := range map[string]int64{"10": 3600, "11": 1800, "12": 0} {
		from := "2026-10-01T" + hour + ":00:00Z"
		to, err := time.Parse(time.RFC3339, from)
		if err != nil {
			t.Fatal(err)
		}
		rep, err := collector.Report(ctx, st, contracts, collector.Ask{From: from, To: to.Add(time.Hour).Format(time.RFC3339)}, now())
		if err != nil {
			t.Fatal(err)
		}
		got := rep.Contracts[0].Total
		want := contract.Time{}
		want[contract.Unhealthy], want[contract.Busy] = unhealthySeconds*1000, (8*3600-unhealthySeconds)*1000
		if got.Buckets != want || got.ContractedMs != 8*3_600_000 || got.OverageMs != 0 || len(rep.Uncontracted) != 0 {
			t.Errorf("%s: %+v of %d ms, overage %d, uncontracted %+v; want %+v", from, got.Buckets, got.ContractedMs, got.OverageMs, rep.Uncontracted, want)
		}
		if money := contract.Money(unhealthySeconds) * 2_500_000 / 3600; got.Cost.Buckets[contract.Unhealthy] != money {
			t.Errorf("%s: unhealthy costs %s, want %s", from, got.Cost.Buckets[contract.Unhealthy], money)
		}
	}
}
