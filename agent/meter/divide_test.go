package meter_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gpumeter/gpumeter/agent/meter"
	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

func pod(name string) usage.Holder {
	return usage.Holder{Basis: usage.BasisKubelet, Kind: "pod", Group: "team", Name: name, Part: "main"}
}

// by adds up what was closed by holder.
func by(cs []meter.Closed) map[usage.Holder]usage.Sums {
	out := map[usage.Holder]usage.Sums{}
	for _, c := range cs {
		for _, r := range c.Records {
			s := out[r.Holder]
			s.Add(r.Sums)
			out[r.Holder] = s
		}
	}
	return out
}

// instance is a GPU instance of seven slices with one compute instance.
func instance(id, slices int, util float64) metric.Instance {
	return metric.Instance{ID: id, Slices: slices, Of: 7, Util: metric.KnownShare(util), SMActive: metric.KnownShare(util / 2),
		Compute: []metric.ComputeInstance{{UUID: fmt.Sprintf("MIG-%d", id), Slices: slices}}}
}

// migLook is a look at a divided GPU, with the activity of the whole.
func migLook(sec int, ins ...metric.Instance) metric.Look {
	var util, sm float64
	for _, in := range ins {
		util += in.Util.Value * float64(in.Slices) / 7
		sm += in.SMActive.Value * float64(in.Slices) / 7
	}
	l := second("a", sec, util)
	l.SMActive = metric.KnownShare(sm)
	l.MIG, l.Instances = true, ins
	return l
}

func TestSevenInstancesHaveASeventhOfTheGPUEach(t *testing.T) {
	m := meter.New(meter.Config{Parts: func(_ metric.Look, uuid string) ([]usage.Holder, bool) {
		return []usage.Holder{pod(uuid)}, true
	}}, meter.State{})
	cs := run(m, 0, 420, func(sec int) []metric.Look {
		var ins []metric.Instance
		for id := range 7 {
			ins = append(ins, instance(id, 1, float64(id)/10))
		}
		return []metric.Look{migLook(sec, ins...)}
	})
	for _, c := range cs {
		var n int64
		for _, r := range c.Records {
			n += r.ObservedMs()
		}
		if n != 60_000 {
			t.Errorf("window of %d: holders sum to %d ms, want 60000", c.StartMs, n)
		}
	}
	got := by(cs)
	for id := range 7 {
		s := got[pod(fmt.Sprintf("MIG-%d", id))]
		if busy := int64(6_000 * id); s.ObservedMs() != 60_000 || near(s.BusyMs, float64(busy)) > 2 || near(s.SMActiveMs, float64(busy)/2) > 2 {
			t.Errorf("holder of instance %d: %+v, want a minute, %d ms of it busy", id, s, busy)
		}
	}
	if s := sums(cs); s.BusyMs != 126_000 || s.SMActiveMs != 63_000 || s.ObservedMs() != 420_000 {
		t.Errorf("sums = %+v, want 126 s busy of 420 s", s)
	}
}

func near(got int64, want float64) float64 { return math.Abs(float64(got) - want) }

func TestPartsOfAGPUThatNobodyHasAreUnallocated(t *testing.T) {
	nobody := usage.Holder{Basis: usage.BasisKubelet}
	m := meter.New(meter.Config{Basis: usage.BasisProcess, Parts: func(_ metric.Look, uuid string) ([]usage.Holder, bool) {
		switch uuid {
		case "MIG-1":
			return []usage.Holder{pod("x")}, true
		case "MIG-2":
			return []usage.Holder{nobody}, true
		}
		return nil, false
	}}, meter.State{})
	cs := run(m, 0, 420, func(sec int) []metric.Look {
		return []metric.Look{migLook(sec, instance(1, 3, 1), instance(2, 1, 0), instance(3, 1, 0.5))}
	})
	for h, want := range map[usage.Holder]usage.Sums{
		pod("x"):                    {BusyMs: 180_000},
		nobody:                      {UnallocatedMs: 60_000},
		{Basis: usage.BasisNone}:    {BusyMs: 30_000, UnmeasuredMs: 30_000},
		{Basis: usage.BasisProcess}: {UnallocatedMs: 120_000}, // two slices are in no instance
	} {
		got := by(cs)[h]
		got.SMActiveMs, got.SMKnownMs = 0, 0
		for _, x := range [][2]int64{{got.BusyMs, want.BusyMs}, {got.UnallocatedMs, want.UnallocatedMs}, {got.UnmeasuredMs, want.UnmeasuredMs}, {got.IdleMs, want.IdleMs}} {
			if near(x[0], float64(x[1])) > 5 {
				t.Errorf("%+v: %+v, want %+v", h, got, want)
				break
			}
		}
	}
}

func TestInstancesThatTheDriverDoesNotSayAreUnmeasured(t *testing.T) {
	m := meter.New(meter.Config{Basis: usage.BasisProcess, Parts: func(metric.Look, string) ([]usage.Holder, bool) { return nil, true }}, meter.State{})
	cs := run(m, 0, 120, func(sec int) []metric.Look {
		l := second("a", sec, 0)
		l.MIG = true
		l.Util.Known = sec > 60 // then it says that there are none
		return []metric.Look{l}
	})
	if got := sums(cs); got.UnmeasuredMs != 60_000 || got.UnallocatedMs != 60_000 {
		t.Errorf("sums = %+v, want a minute unmeasured and a minute unallocated", got)
	}
}

// exact is the slow way: fractions of each look, for each holder.
type exact map[usage.Holder]struct{ ms, busy float64 }

func (e exact) add(h usage.Holder, ms, busy float64) {
	x := e[h]
	x.ms, x.busy = x.ms+ms, x.busy+busy
	e[h] = x
}

// TestHoldersOfInstancesAddUpToTheGPU meters GPUs whose instances, holders and
// activity change all the time, and calculates each holder's part with
// fractions beside it.
func TestHoldersOfInstancesAddUpToTheGPU(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 30 {
		var parts map[string][]usage.Holder
		m := meter.New(meter.Config{Parts: func(_ metric.Look, uuid string) ([]usage.Holder, bool) { return parts[uuid], true }}, meter.State{})
		want := exact{}
		var cs []meter.Closed
		for sec := range 301 {
			ms := 1000.0
			if sec == 0 {
				ms = 0
			}
			var ins []metric.Instance
			parts = map[string][]usage.Holder{}
			free := 7
			for id := 0; free > 0; id++ {
				in := instance(id, 1+r.IntN(free), r.Float64())
				if free -= in.Slices; r.IntN(6) == 0 {
					continue // its slices are free
				}
				ins = append(ins, in)
				n := r.IntN(4)
				for i := range n {
					h := pod(fmt.Sprint(id, i))
					parts[in.Compute[0].UUID] = append(parts[in.Compute[0].UUID], h)
					w := ms * float64(in.Slices) / 7 / float64(n)
					want.add(h, w, w*in.Util.Value)
				}
			}
			cs = append(cs, run(m, sec, sec, func(int) []metric.Look { return []metric.Look{migLook(sec, ins...)} })...)
		}
		var busy int64
		for _, c := range cs {
			var n int64
			for _, rec := range c.Records {
				n += rec.ObservedMs()
				busy += rec.BusyMs
			}
			if n != 60_000 {
				t.Fatalf("holders of a window sum to %d ms, want 60000", n)
			}
		}
		if total := total(t, m, "gpu.busy"); near(busy, total*1000) > 4 {
			t.Errorf("holders were busy for %d ms, the GPU for %.3f", busy, total*1000)
		}
		got := by(cs)
		for h, x := range want {
			if s := got[h]; near(s.ObservedMs(), x.ms) > 6 || near(s.BusyMs, x.busy) > 6 {
				t.Errorf("%s: %d ms, %d busy, want %.3f and %.3f", h.Name, s.ObservedMs(), s.BusyMs, x.ms, x.busy)
			}
		}
	}
}

// total is one of a GPU's integrals, in its base unit.
func total(t *testing.T, m *meter.Meter, name string) float64 {
	t.Helper()
	for _, r := range m.Totals("a") {
		if r.Desc.Name == name {
			return r.Value
		}
	}
	t.Fatalf("no total %s", name)
	return 0
}

func TestTwoPodsOnOneGPUShareIt(t *testing.T) {
	m := meter.New(meter.Config{Holders: func(metric.Look) ([]usage.Holder, bool) { return []usage.Holder{pod("x"), pod("y")}, true }}, meter.State{})
	cs := run(m, 0, 60, func(sec int) []metric.Look { return []metric.Look{second("a", sec, 0.333)} })
	got := by(cs)
	if x, y := got[pod("x")], got[pod("y")]; x.ObservedMs() != 30_000 || y.ObservedMs() != 30_000 || x.BusyMs+y.BusyMs != 19_980 || near(x.BusyMs, 9_990) > 1 {
		t.Errorf("x = %+v, y = %+v, want half a minute each, 19980 ms busy together", x, y)
	}
}

func TestPodThatComesAndGoesHasTheTimeItWasThere(t *testing.T) {
	var hs []usage.Holder
	m := meter.New(meter.Config{Holders: func(metric.Look) ([]usage.Holder, bool) { return hs, true }, Basis: usage.BasisKubelet}, meter.State{})
	var cs []meter.Closed
	for sec := range 61 {
		if hs = nil; sec%6 >= 1 && sec%6 <= 4 {
			hs = []usage.Holder{pod("x")}
		}
		cs = append(cs, run(m, sec, sec, func(int) []metric.Look { return []metric.Look{second("a", sec, 0.25)} })...)
	}
	got := by(cs)
	x, none := got[pod("x")], got[usage.Holder{Basis: usage.BasisKubelet}]
	if x.ObservedMs() != 40_000 || x.BusyMs != 10_000 || none.UnallocatedMs != 15_000 || none.BusyMs != 5_000 {
		t.Errorf("pod = %+v, nobody = %+v, want 40 s of a minute and 20 s", x, none)
	}
}
