package contract_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// trio is a month of three GPUs, a and b in node n1, c in n2 of the same rack,
// delivered by a unit. Of a's minutes 60, 61 and 62, 20 s, all and 5 s are
// unhealthy; b has no record of minute 61.
func trio(unit contract.DeliveryUnit) (contract.Watch, []contract.Straddle) {
	w := silentNode()
	start := w.Presences[0].StartMs
	at := func(k int64) int64 { return start + k*minuteMs }
	w.Contracts[0].Tranches[0].Steps[0].GPUs = 3
	w.Contracts[0].Tranches[0].Delivery.Unit = unit
	w.Contracts[0].SLAs[0].CountsDegraded = true
	w.Presences, w.Stretches = nil, nil
	var records []contract.Straddle
	say := func(unit int64, gpu string, from, to, unhealthy int64) {
		s := contract.Stretch{Unit: unit, FromMs: at(from), ToMs: at(to), UnhealthyMs: unhealthy, HealthyMs: (to-from)*minuteMs - unhealthy}
		if unhealthy > 0 {
			s.Fault = "xid_79"
		}
		w.Stretches = append(w.Stretches, s)
		records = append(records, contract.Straddle{Unit: unit, Record: usage.Record{GPU: gpu, StartMs: s.FromMs, EndMs: s.ToMs,
			Sums: usage.Sums{UnhealthyMs: unhealthy, BusyMs: s.HealthyMs}}})
	}
	for i, gpu := range []string{"a", "b", "c"} {
		n := int64(i + 1)
		w.Presences = append(w.Presences, contract.Presence{Unit: n, GPU: gpu, Model: "H100", Node: []string{"n1", "n1", "n2"}[i],
			Provider: "aws", Zone: "z1", Rack: "r1", StartMs: at(0), EndMs: at(600)})
		say(n, gpu, 0, 60, 0)
		switch gpu {
		case "a":
			say(n, gpu, 60, 61, 20_000)
			say(n, gpu, 61, 62, 60_000)
			say(n, gpu, 62, 63, 5_000)
		case "b":
			say(n, gpu, 60, 61, 0)
			say(n, gpu, 62, 63, 0)
		default:
			say(n, gpu, 60, 63, 0)
		}
		say(n, gpu, 63, 600, 0)
	}
	return w, records
}

// TestUnitDownSaysByWhom holds the sentence, and that partly unhealthy windows
// add up to the report as well.
func TestUnitDownSaysByWhom(t *testing.T) {
	f := func(unit contract.DeliveryUnit, want ...string) {
		t.Helper()
		w, records := trio(unit)
		m := contract.Month{Year: 2026, Month: time.March}
		d := docket(t, w, m)
		var got []string
		var unhealthy, unobserved int64
		for _, x := range d.Incidents {
			if x.Bucket == contract.Unhealthy.String() {
				rule, _, _ := strings.Cut(x.Rule, ": ")
				got = append(got, fmt.Sprintf("%s %s of %s, %d s: %s", x.Kind, x.Cause, strings.Join(x.GPUs, "+"), x.GPUMs/1000, rule))
				unhealthy += x.GPUMs
			}
		}
		for _, x := range d.Minor {
			unobserved += x.GapsMs
		}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("incidents by %q (-got +want):\n%s", unit, diff)
		}
		placed := contract.Ground(w.Contracts, contract.Place(w.Contracts, w.Presences, w.AsOfMs), w.Presences, contract.Outages(w.Stretches))
		period := m.In(time.UTC)
		plan := contract.NewPlan(w.Contracts, placed, []contract.Period{{FromMs: period.FromMs, ToMs: w.AsOfMs}}, period)
		rep, err := plan.Build(answer(plan.Query(), records), time.UnixMilli(w.AsOfMs))
		if err != nil {
			t.Fatal(err)
		}
		b := rep.Contracts[0].Total.Buckets
		if b[contract.Unhealthy] != unhealthy || b[contract.Unobserved] != unobserved {
			t.Errorf("by %q, the report has %d and %d ms unhealthy and unobserved, the incidents %d and %d",
				unit, b[contract.Unhealthy], b[contract.Unobserved], unhealthy, unobserved)
		}
	}
	f(contract.DeliverGPU, "xid xid_79 of a, 85 s: Xid 79")
	f(contract.DeliverNode,
		"unit_down xid_79 of b, 85 s: the whole node down by a (Xid 79)",
		"xid xid_79 of a, 85 s: Xid 79")
	f(contract.DeliverRack,
		"unit_down xid_79 of b, 85 s: the whole rack down by a (Xid 79)",
		"xid xid_79 of a, 85 s: Xid 79",
		"unit_down xid_79 of c, 85 s: the whole rack down by a (Xid 79)")
}

// TestUnitDownIsOfTheFirst holds whose the time is in which several are at fault:
// of the one whose outage began first, whatever its cause was then.
func TestUnitDownIsOfTheFirst(t *testing.T) {
	w, _ := trio(contract.DeliverRack)
	at := func(k int64) int64 { return w.Presences[0].StartMs + k*minuteMs }
	for i := range w.Stretches {
		if s := &w.Stretches[i]; s.Unit == 1 && s.FromMs >= at(61) && s.Fault != "" {
			s.Fault = "gpu_lost"
		}
	}
	w.Stretches = slices.DeleteFunc(w.Stretches, func(s contract.Stretch) bool { return s.Unit == 3 })
	for k, ms := range []int64{10_000, minuteMs, minuteMs} {
		from := at(60 + int64(k))
		w.Stretches = append(w.Stretches, contract.Stretch{Unit: 3, FromMs: from, ToMs: from + minuteMs, UnhealthyMs: ms, HealthyMs: minuteMs - ms, Fault: "gpu_lost"})
	}
	lost := map[string]int64{}
	for _, x := range docket(t, w, contract.Month{Year: 2026, Month: time.March}).Incidents {
		if x.Kind == contract.UnitDown {
			lost[x.Cause+": "+strings.Join(x.GPUs, "+")+" by "+strings.Join(x.DownBy, "+")] += x.GPUMs / 1000
		}
	}
	// a is down from 60:40 to 62:05, from 61:00 for another cause; c from 60:50 to
	// 63:00.
	want := map[string]int64{"xid_79: b by a": 20, "gpu_lost: a+b by a+c": 65 + 2*55, "xid_79: c by a": 10}
	if diff := cmp.Diff(lost, want); diff != "" {
		t.Errorf("lost seconds (-got +want):\n%s", diff)
	}
}
