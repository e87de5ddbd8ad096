package meter_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/agent/meter"
	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

// t0 is an hour's edge; boot time 1000 s is t0 in every test.
var t0 = time.Date(2026, 10, 1, 10, 0, 0, 0, time.UTC)

const boot0 = 1000 * time.Second

func held(names ...string) func(metric.Look) ([]usage.Holder, bool) {
	return func(metric.Look) ([]usage.Holder, bool) {
		var hs []usage.Holder
		for _, n := range names {
			hs = append(hs, usage.Holder{Basis: usage.BasisProcess, Kind: "user", Name: n})
		}
		return hs, true
	}
}

func frame(at time.Duration, looks ...metric.Look) metric.Frame {
	return metric.Frame{Boot: boot0 + at, Wall: t0.Add(at), Driver: metric.Driver{Up: true, Load: 1}, Looks: looks}
}

func good(uuid string, since, at time.Duration, util float64) metric.Look {
	return metric.Look{GPU: metric.GPU{UUID: uuid}, Condition: metric.Good,
		Since: boot0 + since, At: boot0 + at, Util: metric.KnownShare(util), ProcessesKnown: true}
}

func bad(uuid, reason string) metric.Look {
	return metric.Look{GPU: metric.GPU{UUID: uuid}, Reason: reason}
}

// run feeds one look a second about each GPU and returns all that was closed.
func run(m *meter.Meter, from, to int, look func(sec int) []metric.Look) []meter.Closed {
	var out []meter.Closed
	for sec := from; sec <= to; sec++ {
		at := time.Duration(sec) * time.Second
		out = append(out, m.Observe(frame(at, look(sec)...))...)
	}
	return out
}

func second(uuid string, sec int, util float64) metric.Look {
	since := time.Duration(max(sec-1, 0)) * time.Second
	return good(uuid, since, time.Duration(sec)*time.Second, util)
}

func sums(cs []meter.Closed) usage.Sums {
	var s usage.Sums
	for _, c := range cs {
		for _, r := range c.Records {
			s.Add(r.Sums)
		}
	}
	return s
}

func TestObserveSplitsBusyAndIdleOfAHeldGPU(t *testing.T) {
	m := meter.New(meter.Config{Holders: held("ada")}, meter.State{})
	cs := run(m, 0, 60, func(sec int) []metric.Look { return []metric.Look{second("a", sec, 0.4)} })
	want := []usage.Record{{
		GPU: "a", StartMs: t0.UnixMilli(), EndMs: t0.UnixMilli() + 60_000,
		Holder: usage.Holder{Basis: usage.BasisProcess, Kind: "user", Name: "ada"},
		Sums:   usage.Sums{BusyMs: 24_000, IdleMs: 36_000},
	}}
	if len(cs) != 1 {
		t.Fatalf("closed %d windows, want 1", len(cs))
	}
	if diff := cmp.Diff(want, cs[0].Records); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

func TestRestOfTheTimeDependsOnWhatIsKnownOfHolders(t *testing.T) {
	unknown := func(metric.Look) ([]usage.Holder, bool) { return nil, false }
	for name, c := range map[string]struct {
		holders func(metric.Look) ([]usage.Holder, bool)
		util    metric.Share
		want    usage.Sums
	}{
		"held":                         {held("ada"), metric.KnownShare(0.5), usage.Sums{BusyMs: 30_000, IdleMs: 30_000}},
		"free":                         {held(), metric.KnownShare(0.5), usage.Sums{BusyMs: 30_000, UnallocatedMs: 30_000}},
		"no source":                    {unknown, metric.KnownShare(0.5), usage.Sums{BusyMs: 30_000, UnmeasuredMs: 30_000}},
		"held, utilisation unreadable": {held("ada"), metric.Share{}, usage.Sums{UnmeasuredMs: 60_000}},
		"free, utilisation unreadable": {held(), metric.Share{}, usage.Sums{UnallocatedMs: 60_000}},
	} {
		t.Run(name, func(t *testing.T) {
			m := meter.New(meter.Config{Holders: c.holders}, meter.State{})
			got := sums(run(m, 0, 60, func(sec int) []metric.Look {
				l := second("a", sec, 0)
				l.Util = c.util
				return []metric.Look{l}
			}))
			if got != c.want {
				t.Errorf("sums = %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestHoldersOfOneGPUShareItsTimeExactly(t *testing.T) {
	m := meter.New(meter.Config{Holders: held("ada", "bob", "eve")}, meter.State{})
	cs := run(m, 0, 600, func(sec int) []metric.Look { return []metric.Look{second("a", sec, 0.333)} })
	perHolder := map[string]int64{}
	for _, c := range cs {
		var n int64
		for _, r := range c.Records {
			n += r.ObservedMs()
			perHolder[r.Holder.Name] += r.ObservedMs()
		}
		if n != 60_000 {
			t.Errorf("window of %d: holders sum to %d ms, want 60000", c.StartMs, n)
		}
	}
	for h, ms := range perHolder {
		if ms != 200_000 {
			t.Errorf("%s has %d ms of 600000, want a third", h, ms)
		}
	}
	if got := sums(cs).BusyMs; got != 199_800 {
		t.Errorf("busy = %d ms, want 199800", got)
	}
}

func TestLookSpeaksForThreeIntervalsAtMost(t *testing.T) {
	m := meter.New(meter.Config{Holders: held("ada")}, meter.State{})
	m.Observe(frame(0, good("a", 0, 0, 0)))
	cs := m.Observe(frame(60*time.Second, good("a", 0, 60*time.Second, 1)))
	r := cs[0].Records[0]
	if r.BusyMs != 3_000 || r.ObservedMs() != 3_000 {
		t.Errorf("busy %d, observed %d ms, want 3000 of each", r.BusyMs, r.ObservedMs())
	}
	if r.Reason != metric.ReasonNotSampled {
		t.Errorf("reason = %q, want %q", r.Reason, metric.ReasonNotSampled)
	}
}

func TestUnobservedGPUIsOnRecordWithItsReason(t *testing.T) {
	m := meter.New(meter.Config{Holders: held("ada")}, meter.State{})
	cs := run(m, 0, 60, func(sec int) []metric.Look {
		return []metric.Look{second("a", sec, 1), bad("b", metric.ReasonHang)}
	})
	rec := cs[0].Records
	if len(rec) != 2 || rec[1].GPU != "b" {
		t.Fatalf("records = %+v, want one of a and one of b", rec)
	}
	if rec[1].ObservedMs() != 0 || rec[1].Reason != metric.ReasonHang || rec[1].EndMs-rec[1].StartMs != 60_000 {
		t.Errorf("record of b = %+v, want a whole window unobserved for %s", rec[1], metric.ReasonHang)
	}
}

func TestHangInsideAWindowKeepsItsReasonAfterRecovery(t *testing.T) {
	m := meter.New(meter.Config{Holders: held("ada")}, meter.State{})
	cs := run(m, 0, 60, func(sec int) []metric.Look {
		if sec >= 20 && sec < 30 {
			return []metric.Look{bad("a", metric.ReasonHang)}
		}
		return []metric.Look{second("a", sec, 1)}
	})
	r := cs[0].Records[0]
	if r.BusyMs != 50_000 || r.Reason != metric.ReasonHang {
		t.Errorf("busy %d ms for reason %q, want 50000 ms and %q", r.BusyMs, r.Reason, metric.ReasonHang)
	}
}

func TestFatalXidLastsUntilTheDriverStartsAnew(t *testing.T) {
	m := meter.New(meter.Config{Holders: held("ada")}, meter.State{})
	load := uint64(1)
	var cs []meter.Closed
	for sec := 0; sec <= 240; sec++ {
		f := frame(time.Duration(sec)*time.Second, second("a", sec, 1))
		if sec == 90 {
			f.Xids = []metric.Xid{{UUID: "a", Code: 79, At: f.Boot}}
		}
		if sec == 150 {
			load = 2
		}
		f.Driver.Load = load
		cs = append(cs, m.Observe(f)...)
	}
	if got := sums(cs); got.UnhealthyMs != 59_000 || got.BusyMs != 181_000 {
		t.Errorf("unhealthy %d, busy %d ms, want 59000 and 181000", got.UnhealthyMs, got.BusyMs)
	}
}

func TestHarmlessXidIsAnEventAndNothingElse(t *testing.T) {
	m := meter.New(meter.Config{Holders: held("ada")}, meter.State{})
	var cs []meter.Closed
	for sec := 0; sec <= 60; sec++ {
		f := frame(time.Duration(sec)*time.Second, second("a", sec, 1))
		if sec == 30 {
			f.Xids = []metric.Xid{{UUID: "a", Code: 13, At: f.Boot}}
		}
		cs = append(cs, m.Observe(f)...)
	}
	if got := sums(cs); got.UnhealthyMs != 0 || got.BusyMs != 60_000 {
		t.Errorf("sums = %+v, want 60 s busy", got)
	}
	want := []usage.Event{{AtMs: t0.UnixMilli() + 30_000, Kind: usage.EventXid, GPU: "a", Value: 13}}
	if diff := cmp.Diff(want, cs[0].Events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestLostGPUStaysUnhealthyWhileTheAgentLives(t *testing.T) {
	m := meter.New(meter.Config{Holders: held("ada")}, meter.State{})
	cs := run(m, 0, 120, func(sec int) []metric.Look {
		b := second("b", sec, 1)
		if sec > 30 {
			b = metric.Look{GPU: b.GPU, Condition: metric.Lost, Reason: metric.ReasonLost}
		}
		return []metric.Look{second("a", sec, 1), b}
	})
	var b usage.Sums
	for _, c := range cs {
		for _, r := range c.Records {
			if r.GPU == "b" {
				b.Add(r.Sums)
			}
		}
	}
	// The second between the last good look and the loss is nobody's.
	if b.BusyMs != 30_000 || b.UnhealthyMs != 89_000 || b.ObservedMs() != 119_000 {
		t.Errorf("b = %+v, want 30 s busy, 89 s unhealthy", b)
	}
}

func TestReplacedGPUSaysGoodbye(t *testing.T) {
	m := meter.New(meter.Config{Holders: held("ada")}, meter.State{})
	cs := run(m, 0, 300, func(sec int) []metric.Look {
		switch {
		case sec <= 130:
			return []metric.Look{second("a", sec, 1), second("b", sec, 1)}
		case sec <= 190:
			return []metric.Look{second("a", sec, 1), bad("b", metric.ReasonGone)}
		}
		return []metric.Look{second("a", sec, 1), bad("b", metric.ReasonGone), second("c", sec, 1)}
	})
	last := cs[len(cs)-1]
	for _, r := range last.Records {
		if r.GPU == "b" {
			t.Errorf("replaced GPU still on record: %+v", r)
		}
	}
	var b usage.Sums
	for _, c := range cs {
		for _, r := range c.Records {
			if r.GPU == "b" {
				b.Add(r.Sums)
			}
		}
	}
	if b.BusyMs != 130_000 || b.UnhealthyMs != 60_000 {
		t.Errorf("b = %+v, want 130 s busy, then 60 s unhealthy until it was replaced", b)
	}
	goodbyes := 0
	for _, c := range cs {
		for _, e := range c.Events {
			if e.Kind == usage.EventGoodbye && e.GPU == "b" {
				goodbyes++
			}
		}
	}
	if goodbyes != 1 {
		t.Errorf("%d goodbyes of b, want 1", goodbyes)
	}
}

func TestRestartKeepsAFaultWhileTheDriverComesUp(t *testing.T) {
	s := meter.State{BootID: "x", Most: 1, GPUs: []meter.GPUState{{GPU: metric.GPU{UUID: "a"}, Fault: "xid_79"}}}
	m := meter.New(meter.Config{BootID: "x", Holders: held("ada")}, s)
	got := sums(run(m, 0, 60, func(sec int) []metric.Look { return []metric.Look{second("a", sec, 1)} }))
	if got.UnhealthyMs != 60_000 {
		t.Errorf("unhealthy %d ms, want 60000", got.UnhealthyMs)
	}
	m = meter.New(meter.Config{BootID: "x", Holders: held("ada")}, s)
	for sec := 0; sec <= 3; sec++ { // the driver's load is 0 until the worker has said hello
		f := frame(time.Duration(sec)*time.Second, bad("a", metric.ReasonNeverSeen))
		f.Driver = metric.Driver{}
		m.Observe(f)
	}
	got = sums(run(m, 4, 60, func(sec int) []metric.Look { return []metric.Look{second("a", sec, 1)} }))
	if got.BusyMs != 0 {
		t.Errorf("busy %d ms although the fault never ended", got.BusyMs)
	}
}

func TestResetOfALostGPUEndsItsFault(t *testing.T) {
	desc := &metric.Desc{Name: meter.EnergyMetric, Unit: metric.Joules, Kind: metric.Counter}
	m := meter.New(meter.Config{Holders: held("ada")}, meter.State{})
	got := sums(run(m, 0, 120, func(sec int) []metric.Look {
		l := second("a", sec, 1)
		l.Readings = []metric.Reading{{Desc: desc, Value: 5000 + float64(sec)}}
		switch {
		case sec > 60:
			l.Readings[0].Value = float64(sec - 60)
		case sec > 30:
			l = metric.Look{GPU: l.GPU, Condition: metric.Lost, Reason: metric.ReasonLost}
		}
		return []metric.Look{l}
	}))
	if got.BusyMs != 90_000 || got.UnhealthyMs != 29_000 {
		t.Errorf("busy %d, unhealthy %d ms, want 90000 and 29000", got.BusyMs, got.UnhealthyMs)
	}
}

func TestGoneGPUIsWellWhenItIsBack(t *testing.T) {
	s := meter.State{BootID: "x", Most: 1, GPUs: []meter.GPUState{{GPU: metric.GPU{UUID: "a"}, Fault: "xid_79"}}}
	m := meter.New(meter.Config{BootID: "after a reboot", Holders: held("ada")}, s)
	got := sums(run(m, 0, 60, func(sec int) []metric.Look {
		if sec < 10 {
			return []metric.Look{bad("a", metric.ReasonGone)}
		}
		return []metric.Look{second("a", sec, 1)}
	}))
	if got.BusyMs != 51_000 {
		t.Errorf("busy %d ms, want 51000: the reboot and the good look ended the fault", got.BusyMs)
	}
}

func TestRetiredGPUThatAnswersAgainIsOneGPU(t *testing.T) {
	m := meter.New(meter.Config{Holders: held("ada")}, meter.State{})
	cs := run(m, 0, 240, func(sec int) []metric.Look {
		ls := []metric.Look{second("b", sec, 1)}
		switch {
		case sec == 200 || sec == 201:
			return append(ls, metric.Look{GPU: metric.GPU{UUID: "a"}, Condition: metric.Lost, Reason: metric.ReasonLost}, second("c", sec, 1))
		case sec > 201:
			ls = append(ls, second("c", sec, 1))
		}
		return append(ls, second("a", sec, 1))
	})
	for _, c := range cs {
		b := c.Batch(usage.Node{Name: "n"}, time.Second)
		b.Agent, b.Epoch, b.Seq = "0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef", 1
		if err := b.Check(); err != nil {
			t.Errorf("window of %d: %v", c.StartMs, err)
		}
	}
}

func TestXidStormLeavesTheWindowAcceptable(t *testing.T) {
	m := meter.New(meter.Config{Holders: held("ada")}, meter.State{})
	var cs []meter.Closed
	for sec := 0; sec <= 60; sec++ {
		f := frame(time.Duration(sec)*time.Second, second("a", sec, 1))
		for range 200 {
			f.Xids = append(f.Xids, metric.Xid{UUID: "a", Code: 31, At: f.Boot})
		}
		cs = append(cs, m.Observe(f)...)
	}
	events := cs[0].Events
	last := events[len(events)-1]
	if len(events) > 3000 || last.Kind != usage.EventDropped || int(last.Value)+len(events)-1 != 61*200 {
		t.Errorf("%d events, the last %+v; want a bound, and a count of the rest", len(events), last)
	}
}

func TestLostGPUOfAFreshAgentIsKept(t *testing.T) {
	m := meter.New(meter.Config{Holders: held("ada")}, meter.State{})
	cs := run(m, 0, 300, func(sec int) []metric.Look {
		return []metric.Look{{GPU: metric.GPU{UUID: "a"}, Condition: metric.Lost, Reason: metric.ReasonLost}, second("b", sec, 1)}
	})
	if got := sums(cs).UnhealthyMs; got != 300_000 {
		t.Errorf("unhealthy %d ms, want 300000", got)
	}
}

func TestXidWithTheFirstLookCounts(t *testing.T) {
	m := meter.New(meter.Config{Holders: held("ada")}, meter.State{})
	f := frame(0, second("a", 0, 1))
	f.Xids = []metric.Xid{{UUID: "a", Code: 79, At: f.Boot}}
	m.Observe(f)
	got := sums(run(m, 1, 60, func(sec int) []metric.Look { return []metric.Look{second("a", sec, 1)} }))
	if got.UnhealthyMs != 60_000 {
		t.Errorf("unhealthy %d ms, want 60000", got.UnhealthyMs)
	}
}

func TestLongSleepWritesNoWindowsAndLosesNoTime(t *testing.T) {
	m := meter.New(meter.Config{Holders: held("ada")}, meter.State{})
	cs := run(m, 0, 100, func(sec int) []metric.Look { return []metric.Look{second("a", sec, 1)} })
	const woke = 30 * 24 * 3600
	cs = append(cs, run(m, woke, woke+100, func(sec int) []metric.Look { return []metric.Look{second("a", sec, 1)} })...)
	cs = append(cs, m.Flush()...)
	if len(cs) > 6 {
		t.Errorf("closed %d windows over a sleep of 30 days", len(cs))
	}
	if got := sums(cs).BusyMs; got != 201_000 {
		t.Errorf("busy %d ms, want the 100 s before and the 101 s after", got)
	}
}

func TestEnergyIsTheCountersGainAndNeverInvented(t *testing.T) {
	desc := &metric.Desc{Name: meter.EnergyMetric, Unit: metric.Joules, Kind: metric.Counter}
	m := meter.New(meter.Config{Holders: held("ada")}, meter.State{})
	cs := run(m, 0, 120, func(sec int) []metric.Look {
		l := second("a", sec, 1)
		joules := 500 + 700*float64(sec)
		if sec >= 90 {
			joules = 700 * float64(sec-90) // reset at 90 s
		}
		l.Readings = []metric.Reading{{Desc: desc, Value: joules}}
		return []metric.Look{l}
	})
	if got := sums(cs); got.EnergyMJ != 119*700_000 || got.EnergyKnownMs != 119_000 {
		t.Errorf("energy %d mJ over %d ms, want %d over 119000 (one second of reset is unknown)", got.EnergyMJ, got.EnergyKnownMs, 119*700_000)
	}
}

func TestGraceKeepsTheWindowOpenForLateLooks(t *testing.T) {
	m := meter.New(meter.Config{Holders: held("ada"), Grace: 2 * time.Second}, meter.State{})
	var cs []meter.Closed
	for tick := 0; tick <= 640; tick++ { // frames each 0.1 s, looks at x.5 s
		at := time.Duration(tick) * 100 * time.Millisecond
		end := (at - 500*time.Millisecond).Truncate(time.Second) + 500*time.Millisecond
		if at < 500*time.Millisecond {
			end = 0
		}
		cs = append(cs, m.Observe(frame(at, good("a", max(end-time.Second, 0), end, 1)))...)
	}
	if len(cs) != 1 || cs[0].Records[0].BusyMs != 60_000 {
		t.Fatalf("closed %+v, want one full window", cs)
	}
}

func TestClockStepsMoveLabelsAndNeverTotals(t *testing.T) {
	for _, step := range []time.Duration{time.Hour, -time.Hour, 2 * time.Second, -2 * time.Second, -24 * time.Hour, 300 * time.Millisecond} {
		t.Run(step.String(), func(t *testing.T) {
			m := meter.New(meter.Config{Holders: held("ada")}, meter.State{})
			var cs []meter.Closed
			for sec := 0; sec <= 300; sec++ {
				f := frame(time.Duration(sec)*time.Second, second("a", sec, 0.25))
				if sec >= 100 {
					f.Wall = f.Wall.Add(step)
				}
				cs = append(cs, m.Observe(f)...)
			}
			cs = append(cs, m.Flush()...)
			if got := sums(cs); got.BusyMs != 75_000 || got.ObservedMs() != 300_000 {
				t.Errorf("busy %d, observed %d ms, want 75000 and 300000", got.BusyMs, got.ObservedMs())
			}
			steps := 0
			for i, c := range cs {
				if i > 0 && step > -5*time.Minute && c.StartMs < cs[i-1].EndMs {
					t.Errorf("window [%d, %d) overlaps the one before, which ended at %d", c.StartMs, c.EndMs, cs[i-1].EndMs)
				}
				for _, e := range c.Events {
					if e.Kind == usage.EventClockStep {
						steps++
					}
				}
			}
			if want := map[bool]int{true: 1, false: 0}[step.Abs() >= time.Second]; steps != want {
				t.Errorf("%d clock_step events, want %d", steps, want)
			}
		})
	}
}

func TestStateSurvivesARestart(t *testing.T) {
	cfg := meter.Config{Holders: held("ada"), BootID: "boot-1"}
	m := meter.New(cfg, meter.State{})
	f := frame(0, second("a", 0, 1), second("b", 0, 1))
	f.Xids = nil
	m.Observe(f)
	f = frame(time.Second, second("a", 1, 1), second("b", 1, 1))
	f.Xids = []metric.Xid{{UUID: "a", Code: 48, At: f.Boot}}
	m.Observe(f)
	data, err := json.Marshal(m.State())
	if err != nil {
		t.Fatal(err)
	}
	var s meter.State
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatal(err)
	}
	unhealthy := func(cfg meter.Config) int64 {
		m := meter.New(cfg, s)
		return sums(run(m, 60, 120, func(sec int) []metric.Look {
			return []metric.Look{good("a", time.Duration(max(sec-1, 60))*time.Second, time.Duration(sec)*time.Second, 1)}
		})).UnhealthyMs
	}
	if got := unhealthy(cfg); got != 60_000 {
		t.Errorf("after an agent restart a is unhealthy for %d ms, want 60000", got)
	}
	cfg.BootID = "boot-2"
	if got := unhealthy(cfg); got != 0 {
		t.Errorf("after a reboot a is unhealthy for %d ms, want 0", got)
	}
}

func TestKnownGPUThatNeverAnswersIsOnRecord(t *testing.T) {
	s := meter.State{BootID: "x", Most: 1, GPUs: []meter.GPUState{{GPU: metric.GPU{UUID: "a"}}}}
	m := meter.New(meter.Config{BootID: "x"}, s)
	cs := run(m, 0, 60, func(int) []metric.Look { return nil })
	if len(cs) != 1 || len(cs[0].Records) != 1 || cs[0].Records[0].Reason != metric.ReasonNeverSeen {
		t.Errorf("closed %+v, want a record with reason %s", cs, metric.ReasonNeverSeen)
	}
}

// TestSumsEqualASlowTimeline meters random looks and compares with a timeline
// of single milliseconds.
func TestSumsEqualASlowTimeline(t *testing.T) {
	for seed := range uint64(200) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { checkTimeline(t, rand.New(rand.NewPCG(seed, 7))) })
	}
}

func checkTimeline(t *testing.T, rnd *rand.Rand) {
	const end = 200_000 // ms
	window := []int{10_000, 30_000, 60_000}[rnd.IntN(3)]
	cfg := meter.Config{Window: time.Duration(window) * time.Millisecond, Holders: held([]string{"ada", "bob"}[:rnd.IntN(3)]...)}
	m := meter.New(cfg, meter.State{})
	var covered [end]bool
	var busy float64
	cs := m.Observe(frame(0, good("a", 0, 0, 0)))
	for now, before, last := 0, 0, 0; ; before = now {
		now += 200 + rnd.IntN(1800)
		if rnd.IntN(20) == 0 {
			now += rnd.IntN(20_000) // the agent stalls
		}
		if now >= end {
			break
		}
		at := time.Duration(now) * time.Millisecond
		if rnd.IntN(10) == 0 {
			cs = append(cs, m.Observe(frame(at, bad("a", metric.ReasonError)))...)
			continue
		}
		u := float64(rnd.IntN(101)) / 100
		cs = append(cs, m.Observe(frame(at, good("a", time.Duration(last)*time.Millisecond, at, u)))...)
		// A look reaches back to the look before, three intervals at most, and
		// not into a window that an earlier frame closed.
		for ms := max(last, now-3000, before/window*window); ms < now; ms++ {
			if covered[ms] {
				t.Fatalf("millisecond %d is spoken for twice", ms)
			}
			covered[ms] = true
			busy += u
		}
		last = now
	}
	checkSums(t, append(cs, m.Flush()...), covered[:], busy)
}

func checkSums(t *testing.T, cs []meter.Closed, covered []bool, busy float64) {
	t.Helper()
	var observed int64
	for _, c := range covered {
		if c {
			observed++
		}
	}
	got := sums(cs)
	if got.ObservedMs() != observed {
		t.Errorf("observed %d ms, want %d", got.ObservedMs(), observed)
	}
	if math.Abs(float64(got.BusyMs)-busy) > 2 {
		t.Errorf("busy %d ms, want %.1f", got.BusyMs, busy)
	}
	for _, c := range cs {
		var n int64
		for _, r := range c.Records {
			n += r.ObservedMs()
		}
		if n > c.EndMs-c.StartMs {
			t.Errorf("window [%d, %d) holds %d ms", c.StartMs, c.EndMs, n)
		}
	}
}
