package collector_test

import (
	"context"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/storetest"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// Stretches of the sample fleet: nobody was down as a whole.
func (f *fleet) Stretches(context.Context, int64, int64, func(contract.Stretch) error) error {
	return nil
}

// TestReportLosesTheWholeNodeWithOneGPU meters two GPUs of a node for ten
// minutes, of which one is unhealthy from 2:30 to 5:15, and reports a tranche
// that is delivered by node.
func TestReportLosesTheWholeNodeWithOneGPU(t *testing.T) {
	begin := testNow.Add(-24 * time.Hour).UnixMilli()
	sick := map[int]int64{2: 30_000, 3: 60_000, 4: 60_000, 5: 15_000}
	f := func(st store.Store, unit contract.DeliveryUnit, want, alone int64) {
		t.Helper()
		book := []contract.Contract{{
			ID: "acme", Provider: "aws", Currency: "USD", Zone: time.UTC,
			Tranches: []contract.Tranche{{
				ID: "h100", Model: "H100", EndMs: begin + 600_000, Delivery: contract.Delivery{Unit: unit},
				Steps: []contract.Step{{FromMs: begin, GPUs: 2}},
			}},
		}}
		rep, err := collector.Report(t.Context(), st, book, collector.Ask{Since: 48 * time.Hour}, testNow)
		if err != nil {
			t.Fatal(err)
		}
		l := rep.Contracts[0].Total
		if l.Buckets[contract.Unhealthy] != want || l.UnhealthyAloneMs != alone || l.Buckets.Total() != 1_200_000 {
			t.Errorf("unit %q: %+v, %d alone; want %d and %d", unit, l.Buckets, l.UnhealthyAloneMs, want, alone)
		}
	}
	for _, st := range []store.Store{openStore(t), storetest.NewModel()} {
		for minute := range 10 {
			b := batch(agentA, uint64(minute+1))
			b.Records[0].StartMs, b.Records[0].EndMs = begin+int64(minute)*60_000, begin+int64(minute+1)*60_000
			b.Records[0].Sums = usage.Sums{BusyMs: 60_000}
			other := b.Records[0]
			other.GPU += "-1"
			other.Sums = usage.Sums{BusyMs: 60_000 - sick[minute], UnhealthyMs: sick[minute]}
			b.GPUs = append(b.GPUs, usage.GPU{UUID: other.GPU, Model: "H100"})
			b.Records = append(b.Records, other)
			put(t, st, []usage.Sealed{seal(t, b)}, store.Committed)
		}
		f(st, contract.DeliverGPU, 165_000, 165_000)
		f(st, contract.DeliverNode, 330_000, 165_000)
	}
}
