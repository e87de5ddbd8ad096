package meter_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/agent/meter"
	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

// after meters 60 s of a busy GPU that had an error after 30 s.
func after(t *testing.T, m *meter.Meter, x metric.Xid) meter.Closed {
	t.Helper()
	var cs []meter.Closed
	for sec := 0; sec <= 60; sec++ {
		f := frame(time.Duration(sec)*time.Second, second("a", sec, 1))
		if sec == 30 {
			x.UUID, x.At = "a", f.Boot
			f.Xids = []metric.Xid{x}
		}
		f.Driver.Load = 1
		cs = append(cs, m.Observe(f)...)
	}
	if len(cs) != 1 {
		t.Fatalf("%d windows", len(cs))
	}
	return cs[0]
}

func TestLineOfAnXidDecidesHealth(t *testing.T) {
	f := func(x metric.Xid, unhealthyMs int64, detail string) {
		t.Helper()
		c := after(t, meter.New(meter.Config{Holders: held("ada")}, meter.State{}), x)
		if got := sums([]meter.Closed{c}).UnhealthyMs; got != unhealthyMs {
			t.Errorf("%+v: unhealthy %d ms, want %d", x, got, unhealthyMs)
		}
		want := usage.Event{AtMs: t0.UnixMilli() + 30_000, Kind: usage.EventXid, GPU: "a", Value: int64(x.Code), Detail: detail}
		if diff := cmp.Diff(want, c.Events[0]); diff != "" {
			t.Errorf("event (-want +got):\n%s", diff)
		}
	}
	f(metric.Xid{Code: 149}, 0, "")
	f(metric.Xid{Code: 149, Severity: metric.Record, Detail: "Nonfatal"}, 0, "Nonfatal")
	f(metric.Xid{Code: 149, Severity: metric.Reset, Detail: "Fatal", More: 8}, 30_000, "Fatal (and 8 more)")
	f(metric.Xid{Code: 154, Severity: metric.Replace}, 30_000, "")
	f(metric.Xid{Code: 154, Severity: metric.Service, More: 1}, 0, "and 1 more")
}

// The kernel's log of a new boot is read from its beginning, and what happened
// before the agent ran may have been mended since.
func TestXidFromBeforeTheAgentEndsWithTheFirstGoodLook(t *testing.T) {
	f := func(boot string, unhealthyMs int64) {
		t.Helper()
		s := meter.State{BootID: "x", Most: 1, GPUs: []meter.GPUState{{GPU: metric.GPU{UUID: "a"}}}}
		m := meter.New(meter.Config{BootID: boot, Holders: held("ada")}, s)
		var cs []meter.Closed
		for sec := 100; sec <= 220; sec++ {
			fr := frame(time.Duration(sec)*time.Second, second("a", sec, 1))
			fr.Driver.Load = 1
			if sec == 100 {
				fr.Xids = []metric.Xid{{UUID: "a", Code: 79, At: 50 * time.Second}}
			}
			cs = append(cs, m.Observe(fr)...)
		}
		cs = append(cs, m.Flush()...)
		var kinds []usage.EventKind
		for _, e := range cs[0].Events {
			kinds = append(kinds, e.Kind)
		}
		if len(kinds) < 2 || kinds[0] != usage.EventXid || kinds[1] != usage.EventUnhealthy {
			t.Errorf("boot %s: events %v", boot, kinds)
		}
		if got := sums(cs); got.UnhealthyMs != unhealthyMs || got.BusyMs != 120_000-unhealthyMs {
			t.Errorf("boot %s: unhealthy %d ms, busy %d ms, want %d unhealthy", boot, got.UnhealthyMs, got.BusyMs, unhealthyMs)
		}
	}
	f("y", 0)
	f("x", 120_000) // the same boot: only a reset that shows ends it
}
