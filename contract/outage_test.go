package contract_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

func TestOutagesPutPartsOfWindowsWhereTheTroubleGoesOn(t *testing.T) {
	// s is a minute of a unit with so many unhealthy seconds.
	s := func(unit, minute, sick int64) contract.Stretch {
		return contract.Stretch{Unit: unit, FromMs: minute * 60_000, ToMs: minute*60_000 + 60_000, UnhealthyMs: sick * 1000, HealthyMs: (60 - sick) * 1000}
	}
	o := func(unit, from, to int64) contract.Outage {
		return contract.Outage{Unit: unit, FromMs: from * 1000, ToMs: to * 1000}
	}
	f := func(stretches []contract.Stretch, want ...contract.Outage) {
		t.Helper()
		if d := cmp.Diff(want, contract.Outages(stretches)); d != "" {
			t.Errorf("outages (-want +got):\n%s", d)
		}
	}
	f(nil)
	f([]contract.Stretch{s(1, 0, 0)})
	f([]contract.Stretch{s(1, 0, 30), s(1, 1, 60), s(1, 2, 60), s(1, 3, 10)}, o(1, 30, 190))
	f([]contract.Stretch{s(1, 0, 20), s(1, 1, 20)}, o(1, 40, 80))
	f([]contract.Stretch{s(1, 5, 7)}, o(1, 300, 307))                                          // alone
	f([]contract.Stretch{s(1, 0, 60), s(1, 2, 60)}, o(1, 0, 60), o(1, 120, 180))               // not seen in between
	f([]contract.Stretch{s(1, 0, 60), s(2, 1, 60), s(2, 2, 30)}, o(1, 0, 60), o(2, 60, 150))   // another GPU
	f([]contract.Stretch{s(1, 0, 60), s(1, 1, 0), s(1, 2, 30)}, o(1, 0, 60), o(1, 120, 150))   // well in between
	f([]contract.Stretch{s(1, 0, 30), s(1, 1, 30), s(1, 2, 60)}, o(1, 30, 90), o(1, 120, 180)) // twice
	f([]contract.Stretch{{Unit: 1, FromMs: 0, ToMs: 1000, UnhealthyMs: 5000}}, o(1, 0, 1))     // more than there is
	f([]contract.Stretch{s(1, 0, 60), s(1, 1, 60), s(2, 0, 60)}, o(1, 0, 120), o(2, 0, 60))    // two at once
}

// TestGroundMakesTheWholeNodeUnhealthy loses one GPU of two in a node for two
// of ten hours, in tranches of each unit.
func TestGroundMakesTheWholeNodeUnhealthy(t *testing.T) {
	f := func(d contract.DeliveryUnit, rack string, wantHours, wantAlone float64) {
		t.Helper()
		lot := tranche("h100", 6, 0, 10)
		lot.Delivery.Unit = d
		in := func(p *contract.Presence) { p.Rack = rack }
		presences := []contract.Presence{
			stood("a", "n1", 0, 10, unit(1), in), stood("b", "n1", 0, 10, unit(2), in),
			stood("c", "n2", 0, 10, unit(3), in), stood("d", "n3", 0, 10, unit(4), func(p *contract.Presence) { p.Rack = "elsewhere" }),
		}
		records := []contract.Straddle{
			healthy(1, "a", 0, 10, 2), healthy(2, "b", 0, 10, 0), healthy(3, "c", 0, 10, 0), healthy(4, "d", 0, 10, 0)}
		contracts := bought(lot)
		placed := contract.Place(contracts, presences, h(10))
		outages := []contract.Outage{{Unit: 1, FromMs: h(3), ToMs: h(5)}}
		period := span(0, 10)
		plan := contract.NewPlan(contracts, contract.Ground(contracts, placed, presences, outages), []contract.Period{period}, period)
		rep, err := plan.Build(answer(plan.Query(), records), time.UnixMilli(h(10)))
		if err != nil {
			t.Fatal(err)
		}
		l := rep.Contracts[0].Total
		if got := float64(l.Buckets[contract.Unhealthy]) / 3.6e6; got != wantHours || float64(l.UnhealthyAloneMs)/3.6e6 != wantAlone {
			t.Errorf("unit %q, rack %q: %g hours unhealthy, %g alone; want %g and %g", d, rack, got, float64(l.UnhealthyAloneMs)/3.6e6, wantHours, wantAlone)
		}
		if l.Buckets.Total() != l.ContractedMs {
			t.Errorf("unit %q: buckets are %d of %d", d, l.Buckets.Total(), l.ContractedMs)
		}
	}
	f("", "r7", 2, 2)
	f(contract.DeliverGPU, "r7", 2, 2)
	f(contract.DeliverNode, "r7", 4, 2)
	f(contract.DeliverRack, "r7", 6, 2)
	f(contract.DeliverRack, "", 4, 2) // no rack is known: the node
}

// healthy is a record of ten hours in one, with so many hours unhealthy and
// the rest busy.
func healthy(unit int64, gpu string, from, to, sick float64) contract.Straddle {
	ms := int64(sick * 3.6e6)
	return contract.Straddle{Unit: unit, Record: usage.Record{GPU: gpu, StartMs: h(from), EndMs: h(to),
		Sums: usage.Sums{UnhealthyMs: ms, BusyMs: h(to) - h(from) - ms}}}
}
