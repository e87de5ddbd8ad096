package meter_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/agent/meter"
	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

// eight are the names of a node's GPUs.
var eight = []string{"a", "b", "c", "d", "e", "f", "g", "h"}

func seconds(sec int, uuids ...string) []metric.Look {
	var out []metric.Look
	for _, u := range uuids {
		l := second(u, sec, 1)
		l.GPU.Name = "NVIDIA H100 80GB HBM3"
		out = append(out, l)
	}
	return out
}

// expecting returns a meter of node n1 that should have GPUs of 8 H100.
func expecting(s meter.State) *meter.Meter {
	m := meter.New(meter.Config{Node: "n1", Window: 10 * time.Second, Holders: held("ada")}, s)
	m.Expect(meter.Siblings{GPUs: 8, Model: "H100"})
	return m
}

// reload passes a state through JSON, as the spool does.
func reload(t *testing.T, s meter.State) meter.State {
	t.Helper()
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var out meter.State
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// said returns all events of a kind as "gpu detail".
func said(cs []meter.Closed, kind usage.EventKind) []string {
	var out []string
	for _, c := range cs {
		for _, e := range c.Events {
			if e.Kind == kind {
				out = append(out, e.GPU+" "+e.Detail)
			}
		}
	}
	return out
}

func ofGPU(cs []meter.Closed, uuid string) (s usage.Sums, span int64, reasons map[string]bool) {
	reasons = map[string]bool{}
	for _, c := range cs {
		for _, r := range c.Records {
			if r.GPU == uuid {
				s.Add(r.Sums)
				span += r.EndMs - r.StartMs
				reasons[r.Reason] = true
			}
		}
	}
	return s, span, reasons
}

func TestMissingSiblingIsUnhealthyFromFirstSight(t *testing.T) {
	m := expecting(meter.State{})
	cs := run(m, 0, 60, func(sec int) []metric.Look { return seconds(sec, eight[:7]...) })
	for _, c := range cs {
		b := c.Batch(usage.Node{Name: "n1", ExpectedGPUs: 8}, time.Second)
		b.Agent, b.Epoch, b.Seq = "0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef", 1
		if err := b.Check(); err != nil {
			t.Fatal(err)
		}
		if len(b.GPUs) != 8 || b.GPUs[7] != (usage.GPU{UUID: "n1/slot-7", Model: "H100", Index: 7}) {
			t.Errorf("inventory %+v", b.GPUs)
		}
	}
	s, span, reasons := ofGPU(cs, "n1/slot-7")
	if s != (usage.Sums{UnhealthyMs: 60_000}) || span != 60_000 || !cmp.Equal(reasons, map[string]bool{metric.ReasonMissing: true}) {
		t.Errorf("slot: %+v of %d ms for %v, want 60 s unhealthy", s, span, reasons)
	}
	if got := said(cs, usage.EventUnhealthy); !cmp.Equal(got, []string{"n1/slot-7 missing_sibling"}) {
		t.Errorf("unhealthy %q", got)
	}
	if unseen, missing := m.Missing(); unseen != 1 || missing != 1 {
		t.Errorf("%d unseen, %d missing, want 1 of each", unseen, missing)
	}
}

func TestSiblingThatAppearsTakesItsSeat(t *testing.T) {
	m := expecting(meter.State{})
	cs := run(m, 0, 60, func(sec int) []metric.Look {
		if sec < 34 {
			return seconds(sec, eight[:7]...)
		}
		return seconds(sec, eight...)
	})
	slot, slotSpan, _ := ofGPU(cs, "n1/slot-7")
	h, span, _ := ofGPU(cs, "h")
	if slot.UnhealthyMs != 34_000 || slotSpan != 34_000 || span != 26_000 || h.BusyMs != 26_000 {
		t.Errorf("slot %d of %d ms, then h %d of %d ms; want 34 s and 26 s", slot.UnhealthyMs, slotSpan, h.BusyMs, span)
	}
	if got := said(cs, usage.EventGoodbye); !cmp.Equal(got, []string{"n1/slot-7 seen"}) {
		t.Errorf("goodbyes %q", got)
	}
	for _, c := range cs {
		for _, e := range c.Events {
			if e.Kind == usage.EventGoodbye && e.AtMs != t0.UnixMilli()+34_000 {
				t.Errorf("goodbye at %d", e.AtMs-t0.UnixMilli())
			}
		}
	}
}

// TestDriverThatComesUpLeavesNoSlotsBehind holds that an agent that starts on a
// whole node puts nothing but its GPUs on record.
func TestDriverThatComesUpLeavesNoSlotsBehind(t *testing.T) {
	m := expecting(meter.State{})
	var cs []meter.Closed
	for sec := range 31 {
		f := frame(time.Duration(sec)*time.Second, seconds(sec, eight[:max(min(2*sec-6, 8), 0)]...)...)
		f.Driver = metric.Driver{Reason: metric.ReasonNotLoaded}
		if sec >= 2 {
			f.Driver = metric.Driver{Up: true, Load: 1, GPUs: 8}
			for i := len(f.Looks); i < 8; i++ {
				f.Nameless = append(f.Nameless, metric.Nameless{Index: i, Reason: metric.ReasonNeverSeen})
			}
		}
		cs = append(cs, m.Observe(f)...)
	}
	for _, c := range cs {
		for _, r := range c.Records {
			if usage.IsSlot(r.GPU) {
				t.Errorf("record %+v", r)
			}
		}
	}
	if a, span, reasons := ofGPU(cs, "a"); span != 30_000 || a.BusyMs != 27_000 || !reasons[metric.ReasonNeverSeen] {
		t.Errorf("a: %+v of %d ms for %v", a, span, reasons)
	}
	if got := said(cs, usage.EventGoodbye); got != nil {
		t.Errorf("goodbyes %q", got)
	}
}

func TestGPUsOfADriverThatNeverCameUpAreUnobserved(t *testing.T) {
	m := expecting(meter.State{})
	var cs []meter.Closed
	for sec := range 21 {
		f := frame(time.Duration(sec) * time.Second)
		f.Driver = metric.Driver{Reason: metric.ReasonMismatch}
		cs = append(cs, m.Observe(f)...)
	}
	if unseen, missing := m.Missing(); unseen != 8 || missing != 0 {
		t.Errorf("%d unseen, %d missing, want all and none", unseen, missing)
	}
	for k := range 8 {
		s, span, reasons := ofGPU(cs, usage.Slot("n1", k))
		if s != (usage.Sums{}) || span != 20_000 || !cmp.Equal(reasons, map[string]bool{metric.ReasonMismatch: true}) {
			t.Errorf("slot %d: %+v of %d ms for %v", k, s, span, reasons)
		}
	}
}

func TestWhatTheDriverSaysOfANamelessGPUIsOnRecord(t *testing.T) {
	for reason, unhealthy := range map[string]int64{metric.ReasonHang: 0, metric.ReasonNeverSeen: 0, metric.ReasonLost: 20_000} {
		m := expecting(meter.State{})
		var cs []meter.Closed
		for sec := range 21 {
			f := frame(time.Duration(sec)*time.Second, seconds(sec, eight[:7]...)...)
			f.Driver.GPUs, f.Nameless = 8, []metric.Nameless{{Index: 7, Reason: reason}}
			cs = append(cs, m.Observe(f)...)
		}
		s, span, reasons := ofGPU(cs, "n1/slot-7")
		if s.UnhealthyMs != unhealthy || span != 20_000 || !reasons[reason] || len(reasons) != 1 {
			t.Errorf("%s: %+v of %d ms for %v", reason, s, span, reasons)
		}
	}
}

// TestPauseLeavesAMissingSiblingMissing holds that a fault outlives the time in
// which nobody looks.
func TestPauseLeavesAMissingSiblingMissing(t *testing.T) {
	m := expecting(meter.State{})
	var cs []meter.Closed
	for sec := range 61 {
		f := frame(time.Duration(sec)*time.Second, seconds(sec, eight[:7]...)...)
		if sec > 20 && sec < 40 {
			f.Driver = metric.Driver{Reason: metric.ReasonPaused}
			for i := range f.Looks {
				f.Looks[i] = bad(f.Looks[i].GPU.UUID, metric.ReasonPaused)
			}
		}
		cs = append(cs, m.Observe(f)...)
	}
	if s, _, _ := ofGPU(cs, "n1/slot-7"); s.UnhealthyMs != 60_000 {
		t.Errorf("unhealthy %d ms of 60 s", s.UnhealthyMs)
	}
}

func TestGPUThatIsElsewhereIsNotMissing(t *testing.T) {
	m := expecting(meter.State{})
	m.Expect(meter.Siblings{GPUs: 8, Model: "H100", Elsewhere: 1})
	cs := run(m, 0, 20, func(sec int) []metric.Look { return seconds(sec, eight[:6]...) })
	for id, unhealthy := range map[string]int64{"n1/slot-6": 20_000, "n1/slot-7": 0} {
		if s, span, _ := ofGPU(cs, id); s.ObservedMs() != unhealthy || span != 20_000 {
			t.Errorf("%s: %+v of %d ms, want %d unhealthy", id, s, span, unhealthy)
		}
	}
	m.Expect(meter.Siblings{GPUs: 8, Model: "H100", Elsewhere: 2}) // as it turns out
	cs = run(m, 21, 40, func(sec int) []metric.Look { return seconds(sec, eight[:6]...) })
	if s, _, reasons := ofGPU(cs, "n1/slot-6"); s.UnhealthyMs != 1_000 || !reasons[metric.ReasonElsewhere] {
		t.Errorf("slot-6: %+v for %v, want one more second unhealthy", s, reasons)
	}
}

func TestKnownLostGPUIsNotMissingToo(t *testing.T) {
	m := expecting(meter.State{})
	cs := run(m, 0, 60, func(sec int) []metric.Look {
		ls := seconds(sec, eight...)
		if sec > 30 {
			ls[3] = metric.Look{GPU: ls[3].GPU, Condition: metric.Lost, Reason: metric.ReasonLost}
		}
		return ls
	})
	for _, c := range cs {
		if len(c.Records) != 8 {
			t.Errorf("window of %d: %d records, want 8", c.StartMs-t0.UnixMilli(), len(c.Records))
		}
	}
}

func TestExpectationThatComesLateOrChanges(t *testing.T) {
	m := meter.New(meter.Config{Node: "n1", Window: 10 * time.Second}, meter.State{})
	look := func(sec int) []metric.Look { return seconds(sec, "a", "b") }
	cs := run(m, 0, 65, look)
	m.Expect(meter.Siblings{GPUs: 4})
	cs = append(cs, run(m, 66, 85, look)...)
	m.Expect(meter.Siblings{GPUs: 3})
	cs = append(cs, run(m, 86, 95, look)...)
	m.Expect(meter.Siblings{GPUs: 4})
	cs = append(cs, run(m, 96, 110, look)...)
	want := map[string]int64{"n1/slot-2": 44_000, "n1/slot-3": 20_000, "n1/slot-4": 14_000, "a": 110_000}
	for id, span := range want {
		if _, got, _ := ofGPU(cs, id); got != span {
			t.Errorf("%s is on record for %d ms, want %d", id, got, span)
		}
	}
	if got := said(cs, usage.EventGoodbye); !cmp.Equal(got, []string{"n1/slot-3 not expected"}) {
		t.Errorf("goodbyes %q", got)
	}
	if g := cs[len(cs)-1].Batch(usage.Node{}, 0).GPUs[2]; g.Model != "H100" {
		t.Errorf("model %q, want the siblings'", g.Model)
	}
	m.Expect(meter.Siblings{})
	cs = run(m, 111, 130, look)
	if got := said(cs, usage.EventGoodbye); len(got) != 2 {
		t.Errorf("goodbyes %q, want of both", got)
	}
}

func TestMoreGPUsThanExpectedAreAllOnRecord(t *testing.T) {
	m := meter.New(meter.Config{Node: "n1", Window: 10 * time.Second}, meter.State{})
	m.Expect(meter.Siblings{GPUs: 4})
	cs := run(m, 0, 300, func(sec int) []metric.Look {
		ls := seconds(sec, eight...)
		if sec > 30 {
			ls[0] = bad("a", metric.ReasonGone)
		}
		return ls
	})
	if s, _, _ := ofGPU(cs, "a"); s.UnhealthyMs != 269_000 {
		t.Errorf("the lost one of eight is unhealthy for %d ms: four expected do not replace it", s.UnhealthyMs)
	}
}

func TestInstanceThatWasMadeSmallerMissesNothing(t *testing.T) {
	m := expecting(meter.State{})
	run(m, 0, 200, func(sec int) []metric.Look { return seconds(sec, eight...) })
	m = meter.New(meter.Config{Node: "n1", Window: 10 * time.Second, BootID: "next"}, reload(t, m.State()))
	m.Expect(meter.Siblings{GPUs: 4, Model: "H100"})
	cs := run(m, 300, 330, func(sec int) []metric.Look {
		ls := seconds(sec, eight[:4]...)
		for _, u := range eight[4:] {
			ls = append(ls, bad(u, metric.ReasonGone))
		}
		return ls
	})
	if last := cs[len(cs)-1]; len(last.Records) != 4 || len(said(cs, usage.EventGoodbye)) != 4 {
		t.Errorf("%d records at last, goodbyes %q; want 4 of each", len(last.Records), said(cs, usage.EventGoodbye))
	}
}

// TestRenamedNodeKeepsItsSlots holds that a slot goes with its node, as GPUs do:
// under another id it would stand twice until the first is given up.
func TestRenamedNodeKeepsItsSlots(t *testing.T) {
	m := expecting(meter.State{})
	run(m, 0, 20, func(sec int) []metric.Look { return seconds(sec, eight[:7]...) })
	m = meter.New(meter.Config{Node: "other", Window: 10 * time.Second}, reload(t, m.State()))
	cs := run(m, 30, 50, func(sec int) []metric.Look { return seconds(sec, eight[:7]...) })
	if s, _, _ := ofGPU(cs, "n1/slot-7"); s.UnhealthyMs != 20_000 {
		t.Errorf("slot: %+v, want 20 s unhealthy", s)
	}
}

// TestGoodbyeIsInAWindowWithTheLastRecord holds that the goodbye of a slot can
// be told to be its own, whatever has changed about the node during a restart.
func TestGoodbyeIsInAWindowWithTheLastRecord(t *testing.T) {
	m := expecting(meter.State{})
	run(m, 0, 20, func(sec int) []metric.Look { return seconds(sec, eight[:7]...) })
	m = expecting(reload(t, m.State()))
	cs := run(m, 31, 40, func(sec int) []metric.Look { return seconds(sec, eight...) })
	_, span, _ := ofGPU(cs[:1], "n1/slot-7")
	if got := said(cs[:1], usage.EventGoodbye); span != 1 || len(got) != 1 {
		t.Errorf("goodbyes %q after %d ms, want one after one", got, span)
	}
}

func TestGoodbyeOutlivesCrashes(t *testing.T) {
	m := expecting(meter.State{})
	run(m, 0, 20, func(sec int) []metric.Look { return seconds(sec, eight[:7]...) })
	run(m, 21, 22, func(sec int) []metric.Look { return seconds(sec, eight...) })
	for sec := 31; sec < 34; sec++ {
		m = expecting(reload(t, m.State()))
		run(m, sec, sec, func(sec int) []metric.Look { return seconds(sec, eight...) })
	}
	cs := run(m, 34, 40, func(sec int) []metric.Look { return seconds(sec, eight...) })
	if got := said(cs, usage.EventGoodbye); !cmp.Equal(got, []string{"n1/slot-7 left before a restart"}) {
		t.Errorf("goodbyes %q", got)
	}
	if s := m.State(); len(s.Left) > 0 {
		t.Errorf("%q left, after the goodbye", s.Left)
	}
}
