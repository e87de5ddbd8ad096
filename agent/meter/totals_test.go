package meter_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/agent/meter"
	"github.com/gpumeter/gpumeter/metric"
)

var (
	energyDesc = &metric.Desc{Name: meter.EnergyMetric, Unit: metric.Joules, Kind: metric.Counter}
	tensorDesc = &metric.Desc{Name: "gpu.tensor.active", Unit: metric.Ratio}
	memoryDesc = &metric.Desc{Name: "gpu.memory.active", Unit: metric.Ratio}
)

// totals returns a GPU's integrals by name.
func totals(m *meter.Meter, uuid string) map[string]float64 {
	out := map[string]float64{}
	for _, r := range m.Totals(uuid) {
		out[r.Desc.Name] = r.Value
	}
	return out
}

func saying(l metric.Look, rs ...metric.Reading) metric.Look {
	l.Readings = append(l.Readings, rs...)
	return l
}

func joules(v float64) metric.Reading { return metric.Reading{Desc: energyDesc, Value: v} }

func TestTotalsOmitWhatWasNeverReported(t *testing.T) {
	m := meter.New(meter.Config{}, meter.State{})
	run(m, 0, 10, func(sec int) []metric.Look { return []metric.Look{second("a", sec, 0.5)} })
	got := totals(m, "a")
	for _, name := range []string{"gpu.sm_active", "gpu.tensor_active", "gpu.memory_active", "gpu.energy"} {
		if v, there := got[name]; there {
			t.Errorf("%s is %v although the GPU never said", name, v)
		}
	}
	if got["gpu.busy"] != 5 || got["gpu.observed"] != 10 {
		t.Errorf("totals %v", got)
	}
	if m.Totals("b") != nil {
		t.Error("an unknown GPU has totals")
	}
}

func TestSharesAreAddedUpWhileTheGPUIsWell(t *testing.T) {
	m := meter.New(meter.Config{}, meter.State{})
	run(m, 0, 60, func(sec int) []metric.Look {
		l := saying(second("a", sec, 1), metric.Reading{Desc: tensorDesc, Value: 0.25}, metric.Reading{Desc: memoryDesc, Value: 1.5})
		if sec > 40 {
			l.Condition, l.Reason = metric.Lost, metric.ReasonLost
		}
		return []metric.Look{l}
	})
	got := totals(m, "a")
	if got["gpu.tensor_active"] != 10 {
		t.Errorf("tensor activity of %v s, want 40 s at a quarter", got["gpu.tensor_active"])
	}
	if got["gpu.memory_active"] != 40 {
		t.Errorf("memory activity of %v s, want a share beyond 1 to be held to the 40 s there were", got["gpu.memory_active"])
	}
}

func TestEnergyTotalGoesOnOverResetsAndGaps(t *testing.T) {
	m := meter.New(meter.Config{}, meter.State{})
	at := func(sec int, l metric.Look) float64 {
		m.Observe(frame(time.Duration(sec)*time.Second, l))
		return totals(m, "a")["gpu.energy"]
	}
	f := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-9 {
			t.Errorf("%s: %v J, want %v", what, got, want)
		}
	}
	f("at the first look", at(0, saying(second("a", 0, 1), joules(5e6))), 0)
	f("after a second", at(1, saying(second("a", 1, 1), joules(5e6+700))), 700)
	f("a look without a reading", at(2, second("a", 2, 1)), 700)
	f("over what was missed", at(600, saying(second("a", 600, 1), joules(5e6+70_000))), 70_000)
	f("unobserved", at(601, bad("a", metric.ReasonHang)), 70_000)
	f("after a reset", at(610, saying(second("a", 610, 1), joules(3000))), 73_000)
	f("another agent's look again", at(610, saying(second("a", 610, 1), joules(3000))), 73_000)
	f("not a number", at(611, saying(second("a", 611, 1), joules(math.NaN()))), 73_000)
	f("after a sleep of two hours", at(8000, saying(second("a", 8000, 1), joules(3000+36_000))), 109_000)
	f("more than any GPU draws", at(8001, saying(second("a", 8001, 1), joules(9e9))), 109_000)
	f("back from that mistake", at(8002, saying(second("a", 8002, 1), joules(39_700))), 109_000)
	f("and on", at(8003, saying(second("a", 8003, 1), joules(40_400))), 109_700)
}

// TestEnergyTotalCountsWhileTheGPUIsAtFault: that a GPU is of no use does not
// make it draw less.
func TestEnergyTotalCountsWhileTheGPUIsAtFault(t *testing.T) {
	m := meter.New(meter.Config{}, meter.State{})
	for sec := range 61 {
		f := frame(time.Duration(sec)*time.Second, saying(second("a", sec, 1), joules(100*float64(sec))))
		if sec == 10 {
			f.Xids = []metric.Xid{{UUID: "a", Code: 48, At: f.Boot}}
		}
		m.Observe(f)
	}
	if got := totals(m, "a"); got["gpu.energy"] != 6000 || got["gpu.unhealthy"] != 50 {
		t.Errorf("energy %v J, unhealthy %v s, want 6000 and 50", got["gpu.energy"], got["gpu.unhealthy"])
	}
}

// world is a GPU of which every millisecond is known.
type world struct {
	watts          int // now
	tensor, memory float64
	counter        float64 // joules since the last reset
	reset          bool    // since the last look
	sinceLook      float64 // joules
	sinceReset     float64 // joules, of those since the last look
	sumTensor      float64 // s, over the time since the look before
	sumMemory      float64
}

func (w *world) millisecond() {
	j := float64(w.watts) / 1e3
	w.counter += j
	w.sinceLook += j
	w.sinceReset += j
	w.sumTensor += w.tensor / 1e3
	w.sumMemory += w.memory / 1e3
}

// TestTotalsEqualASlowTimeline meters a random GPU through missed looks, resets,
// sleeps and steps of the wall clock, and compares the integrals with what the
// world did, millisecond by millisecond.
func TestTotalsEqualASlowTimeline(t *testing.T) {
	for seed := range uint64(200) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { checkTotals(t, rand.New(rand.NewPCG(seed, 11))) })
	}
}

func checkTotals(t *testing.T, rnd *rand.Rand) {
	const end, hold, window = 200_000, 3000, 60_000 // ms
	m := meter.New(meter.Config{}, meter.State{})
	var w world
	var tensor, memory, energy, lost, truth float64
	var step time.Duration
	last, before, cut, counted, started := 0, 0, 0, 0.0, false
	for now := 0; now < end; {
		l := good("a", time.Duration(last)*time.Millisecond, time.Duration(now)*time.Millisecond, 0)
		f := frame(time.Duration(now) * time.Millisecond)
		switch {
		case started && rnd.IntN(8) == 0:
			f.Looks = []metric.Look{bad("a", metric.ReasonHang)}
		default:
			n := float64(max(now-last, 1)) / 1e3
			f.Looks = []metric.Look{saying(l, joules(w.counter),
				metric.Reading{Desc: tensorDesc, Value: w.sumTensor / n}, metric.Reading{Desc: memoryDesc, Value: w.sumMemory / n})}
			// A look speaks for the time since the look before, three intervals
			// at most, and not for a window that an earlier frame closed.
			for ms := max(last, now-hold, before/window*window, cut); ms < now; ms++ {
				tensor += w.sumTensor / n / 1e3
				memory += w.sumMemory / n / 1e3
			}
			if started {
				truth += w.sinceLook
				switch hidden := w.reset && w.counter >= counted; {
				case hidden: // the counter has passed its old value already
					lost += w.sinceLook - w.sinceReset + counted
				case w.reset:
					lost += w.sinceLook - w.sinceReset
				}
			}
			energy = truth - lost
			started, last, counted = true, now, w.counter
			w.reset, w.sinceLook, w.sinceReset, w.sumTensor, w.sumMemory = false, 0, 0, 0, 0
		}
		if rnd.IntN(30) == 0 {
			step += time.Duration(1+rnd.IntN(120)) * time.Minute // it cuts the window
			cut = now
		}
		f.Wall = f.Wall.Add(step)
		m.Observe(f)
		before = now
		next := now + 200 + rnd.IntN(1800)
		if rnd.IntN(20) == 0 {
			next += rnd.IntN(20_000) // the agent stalls, or the node sleeps
		}
		for ; now < next; now++ {
			if rnd.IntN(300) == 0 {
				w.watts, w.tensor, w.memory = rnd.IntN(700), rnd.Float64(), rnd.Float64()
			}
			if rnd.IntN(20_000) == 0 {
				w.counter, w.sinceReset, w.reset = 0, 0, true
			}
			w.millisecond()
		}
	}
	got := totals(m, "a")
	for name, want := range map[string]float64{"gpu.tensor_active": tensor, "gpu.memory_active": memory, "gpu.energy": energy} {
		if math.Abs(got[name]-want) > 1e-4 {
			t.Errorf("%s = %.6f, want %.6f", name, got[name], want)
		}
	}
	if got["gpu.energy"] > truth+1e-6 {
		t.Errorf("%.3f J of %.3f: energy was invented", got["gpu.energy"], truth)
	}
}
