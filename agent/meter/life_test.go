package meter_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/agent/meter"
	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

// TestAsManyStandAsTheNodeShouldHave meters random lives of a node and holds
// that at every time as many GPUs and slots are on record as it should have, and
// that who went said goodbye, also over restarts and crashes of the agent.
func TestAsManyStandAsTheNodeShouldHave(t *testing.T) {
	for seed := range uint64(400) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { live(t, rand.New(rand.NewPCG(seed, 11))) })
	}
}

// life is a node with seats for GPUs, its agent, and what the spool has of it.
// Times are in milliseconds since t0.
type life struct {
	t      *testing.T
	rnd    *rand.Rand
	m      *meter.Meter
	boot   int
	seats  []string        // the GPU in each seat; empty was never there
	lost   map[string]bool // it does not answer any more
	known  map[string]bool // by the agent
	names  int
	up     bool // the driver
	lastMs int64

	stored  meter.State
	faults  uint64
	closed  []meter.Closed
	runs    [][2]int64 // of the agent: the first frame and the end of what was closed
	crashes int

	// The slow calculation: whether missing siblings are at fault, and for how
	// long they all were.
	sick   bool
	sickMs int64
}

func live(t *testing.T, rnd *rand.Rand) {
	l := &life{t: t, rnd: rnd, seats: make([]string, 1+rnd.IntN(8)), lost: map[string]bool{}, up: rnd.IntN(2) == 0}
	for i := range l.seats {
		if rnd.IntN(4) > 0 {
			l.seats[i] = l.name()
		}
	}
	at := int64(rnd.IntN(60_000))
	for range 1 + rnd.IntN(4) {
		l.start(at)
		for range 20 + rnd.IntN(150) {
			l.happen()
			l.step(at)
			at += 200 + rnd.Int64N(1500)
			if rnd.IntN(60) == 0 {
				at += rnd.Int64N(15_000) // the agent stalls
			}
		}
		l.end()
		at += rnd.Int64N(40_000)
	}
	l.checkStanding()
	l.checkGoodbyes()
	l.checkSick()
}

func (l *life) name() string { l.names++; return fmt.Sprintf("GPU-%03d", l.names) }

func (l *life) start(at int64) {
	if l.rnd.IntN(3) == 0 {
		l.boot++
	}
	s := reload(l.t, l.stored)
	l.m = meter.New(meter.Config{Node: "n1", Window: 10 * time.Second, BootID: fmt.Sprint(l.boot)}, s)
	l.m.Expect(meter.Siblings{GPUs: len(l.seats), Model: "H100"})
	l.faults, l.lastMs = l.m.Faults(), at
	l.runs = append(l.runs, [2]int64{at, at})
	l.known = map[string]bool{}
	for _, g := range s.GPUs {
		l.known[g.UUID] = true
	}
}

// happen changes one thing or nothing.
func (l *life) happen() {
	i := l.rnd.IntN(len(l.seats))
	switch l.rnd.IntN(30) {
	case 0:
		l.up = !l.up
	case 1:
		l.seats[i] = l.name() // appears, or replaces another
	case 2:
		l.lost[l.seats[i]] = true
	}
}

// step takes a frame and follows it slowly.
func (l *life) step(at int64) {
	if l.sick {
		l.sickMs += int64(l.missing()) * min(at-l.lastMs, 3_000)
	}
	f := frame(time.Duration(at) * time.Millisecond)
	for _, u := range l.seats {
		if l.up && u != "" {
			l.known[u] = true
		}
	}
	for _, u := range slices.Sorted(maps.Keys(l.known)) {
		f.Looks = append(f.Looks, l.look(u, f.Boot))
	}
	if !l.up {
		f.Driver = metric.Driver{Reason: metric.ReasonNotLoaded}
	}
	l.keep(l.m.Observe(f))
	l.sick = l.missing() > 0 && (l.sick || l.up)
	l.lastMs = at
	if got, _ := l.m.Missing(); got != l.missing() {
		l.t.Fatalf("at %d: %d missing, want %d", at, got, l.missing())
	}
}

// look is what the driver says of a known GPU.
func (l *life) look(u string, boot time.Duration) metric.Look {
	switch {
	case !l.up:
		return bad(u, metric.ReasonNotLoaded)
	case !slices.Contains(l.seats, u):
		return bad(u, metric.ReasonGone)
	case l.lost[u]:
		return metric.Look{GPU: metric.GPU{UUID: u}, Condition: metric.Lost, Reason: metric.ReasonLost}
	}
	return metric.Look{GPU: metric.GPU{UUID: u}, Condition: metric.Good, Since: boot - min(boot, time.Second), At: boot, Util: metric.KnownShare(0.5)}
}

// missing counts the seats of which the agent knows no GPU, now or before.
func (l *life) missing() int { return max(len(l.seats)-len(l.known), 0) }

// keep is the spool.
func (l *life) keep(cs []meter.Closed) {
	if len(cs) == 0 && l.m.Faults() == l.faults {
		return
	}
	l.closed = append(l.closed, cs...)
	l.stored, l.faults = l.m.State(), l.m.Faults()
	if len(cs) > 0 {
		l.runs[len(l.runs)-1][1] = cs[len(cs)-1].EndMs - t0.UnixMilli()
	}
}

// end ends the agent, in good order or not.
func (l *life) end() {
	if l.rnd.IntN(2) == 0 {
		l.crashes++
		return
	}
	l.keep(l.m.Flush())
	l.stored = l.m.State()
}

// checkStanding counts at every edge of a record who stands from there on.
func (l *life) checkStanding() {
	change := map[int64]int{}
	for _, c := range l.closed {
		seen := map[usage.Record]bool{}
		for _, r := range c.Records {
			if r = (usage.Record{GPU: r.GPU, StartMs: r.StartMs - t0.UnixMilli(), EndMs: r.EndMs - t0.UnixMilli()}); !seen[r] {
				seen[r] = true
				change[r.StartMs]++
				change[r.EndMs]--
			}
		}
	}
	standing := 0
	for _, at := range slices.Sorted(maps.Keys(change)) {
		standing += change[at]
		want := 0
		for _, run := range l.runs {
			if run[0] <= at && at < run[1] {
				want = len(l.seats)
			}
		}
		if standing != want {
			l.t.Fatalf("from %d on %d stand, want %d (runs %v)", at, standing, want, l.runs)
		}
	}
}

// checkGoodbyes holds that who is not in the last window has said goodbye since
// its last record.
func (l *life) checkGoodbyes() {
	ended, goodbye := map[string]int64{}, map[string]int64{}
	var lastMs int64
	for _, c := range l.closed {
		lastMs = c.EndMs
		for _, r := range c.Records {
			ended[r.GPU] = max(ended[r.GPU], r.EndMs)
		}
		for _, e := range c.Events {
			if e.Kind == usage.EventGoodbye {
				goodbye[e.GPU] = max(goodbye[e.GPU], e.AtMs)
			}
		}
	}
	for id, at := range ended {
		if at < lastMs && goodbye[id] < at {
			l.t.Errorf("%s is silent since %d of %d and said goodbye at %d", id, at-t0.UnixMilli(), lastMs-t0.UnixMilli(), goodbye[id]-t0.UnixMilli())
		}
	}
}

func (l *life) checkSick() {
	var got int64
	for _, c := range l.closed {
		for _, r := range c.Records {
			if usage.IsSlot(r.GPU) {
				got += r.UnhealthyMs
			}
		}
	}
	// A slot that goes with the first frame of a run has a millisecond of it.
	if slack := int64(len(l.runs) * len(l.seats)); l.crashes == 0 && (got < l.sickMs || got > l.sickMs+slack) {
		l.t.Errorf("missing siblings were unhealthy for %d ms, want %d", got, l.sickMs)
	}
}
