package trace

import (
	"cmp"
	"slices"
	"time"

	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

// end is one span of one GPU; frames are made where spans end.
type end struct {
	gpu string
	Span
}

// Player plays some GPUs of a trace as one node. Make one with Player.
type Player struct {
	trace *Trace
	model string
	ends  []end // by the time that they end
	start time.Time
}

// Player returns a player of these GPUs, which all are of one model.
func (t *Trace) Player(gpus []string, model string) *Player {
	p := &Player{trace: t, model: model}
	for _, g := range gpus {
		for _, s := range t.Spans(g) {
			p.ends = append(p.ends, end{g, s})
			if p.start.IsZero() || s.At.Before(p.start) {
				p.start = s.At
			}
		}
	}
	slices.SortStableFunc(p.ends, func(a, b end) int {
		return cmp.Or(a.Until.Compare(b.Until), cmp.Compare(a.gpu, b.gpu))
	})
	return p
}

// Grace is how long the meter must keep windows open for this player: a span
// is told when it ends, and may have begun three intervals before.
func (p *Player) Grace() time.Duration { return p.trace.Hold() }

// Frames calls f with every frame, by time: one at the start without looks,
// one wherever spans end, and one so late that every window is closed.
func (p *Player) Frames(f func(metric.Frame) error) error {
	if len(p.ends) == 0 {
		return nil
	}
	if err := f(p.frame(p.start)); err != nil {
		return err
	}
	for i := 0; i < len(p.ends); {
		fr := p.frame(p.ends[i].Until)
		for ; i < len(p.ends) && p.ends[i].Until.Equal(fr.Wall); i++ {
			fr.Looks = append(fr.Looks, p.look(p.ends[i]))
		}
		if err := f(fr); err != nil {
			return err
		}
	}
	return nil
}

// frame makes an empty frame. The trace's clock is both wall and boot clock.
func (p *Player) frame(at time.Time) metric.Frame {
	return metric.Frame{Boot: boot(at), Wall: at, Driver: metric.Driver{Up: true, Load: 1}}
}

func boot(at time.Time) time.Duration { return time.Duration(at.UnixNano()) }

func (p *Player) look(e end) metric.Look {
	l := metric.Look{
		GPU:       metric.GPU{UUID: e.gpu, Name: p.model},
		Condition: metric.Good,
		Since:     boot(e.At),
		At:        boot(e.Until),
		Util:      metric.KnownShare(e.Util),
	}
	if e.MemoryKnown {
		l.Readings = []metric.Reading{{Desc: memoryUsed, Value: float64(e.MemoryUsed)}}
	}
	return l
}

var memoryUsed = &metric.Desc{Name: "gpu.memory.used", Unit: metric.Bytes, Help: "Memory in use."}

// Holders says who holds a GPU of a trace: nobody knows who, but memory in use
// counts as held.
func Holders(l metric.Look) (holders []usage.Holder, known bool) {
	for _, r := range l.Readings {
		if r.Desc != memoryUsed {
			continue
		}
		if r.Value > 0 {
			return []usage.Holder{{Basis: usage.BasisMemory, Kind: "memory"}}, true
		}
		return nil, true
	}
	return nil, false
}
