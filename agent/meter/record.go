package meter

import (
	"math"

	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

// records closes a GPU's parts of the window that ends at endMs (boot time)
// and returns its records: at least one if the GPU was there, even if nothing
// was observed, so that missing time is on record with its reason.
func (m *Meter) records(g *gpu, endMs int64) []usage.Record {
	from := max(g.fromMs, m.openMs)
	if endMs <= from {
		return nil
	}
	startMs, stopMs := m.clock.label(from), m.clock.label(endMs)
	var now []*part
	later := g.parts[:0]
	for _, p := range g.parts {
		// The parts of a window cut short carry the edge it would have had.
		if p.edgeMs > endMs && m.clock.edge(m.openMs, m.window) != p.edgeMs {
			later = append(later, p)
			continue
		}
		now = append(now, p)
	}
	var out []usage.Record
	var observed int64
	for i, s := range g.settle(now) {
		if s == (usage.Sums{}) {
			continue // less than half a millisecond
		}
		observed += s.ObservedMs()
		out = append(out, usage.Record{GPU: g.UUID, StartMs: startMs, EndMs: stopMs, Holder: now[i].holder, Sums: s, Reason: now[i].why})
	}
	g.parts = append([]*part(nil), later...)
	g.doneMs = max(g.doneMs, endMs)
	missing := stopMs - startMs - observed
	g.sum.unobservedMs += missing
	out = explain(out, g, missing, usage.Record{GPU: g.UUID, StartMs: startMs, EndMs: stopMs})
	g.missed = g.reason
	return out
}

// explain gives missing time its reason. blank is the record of a GPU of which
// nothing was observed.
func explain(out []usage.Record, g *gpu, missing int64, blank usage.Record) []usage.Record {
	if missing == 0 {
		return out
	}
	why := g.missed
	if why == "" {
		why = metric.ReasonNotSampled
	}
	if len(out) == 0 {
		blank.Holder.Basis = usage.BasisNone
		blank.Reason = why
		return []usage.Record{blank}
	}
	for i := range out {
		if out[i].Reason == "" {
			out[i].Reason = why
			break
		}
	}
	return out
}

// settle turns the parts of a window into whole milliseconds, which add up to
// the time that there was. Each window begins with another part, so that over
// time nobody gains by rounding.
func (g *gpu) settle(parts []*part) []usage.Sums {
	var keep rounding
	out := make([]usage.Sums, len(parts))
	for n := range parts {
		i := (n + g.turn) % len(parts)
		out[i] = g.settlePart(parts[i], &keep)
	}
	g.turn++
	return out
}

// rounding is what rounding the times of one window's parts kept back so far.
type rounding struct{ coverNs, smKnownNs, energyNs int64 }

// settlePart rounds one part. What that keeps back of a time is carried to the
// next part, and of activity to the GPU's next record.
func (g *gpu) settlePart(p *part, keep *rounding) usage.Sums {
	cover := wholeMs(p.coverNs, math.MaxInt64, &keep.coverNs)
	blind := wholeMs(p.blindNs, math.MaxInt64, &keep.coverNs)
	known := wholeMs(p.smKnownNs, math.MaxInt64, &keep.smKnownNs)
	s := usage.Sums{
		UnhealthyMs: p.sickMs, UnmeasuredMs: blind, BusyMs: wholeMs(p.busyNs, cover, &g.carry),
		SMActiveMs: wholeMs(p.smNs, known, &g.smCarry), SMKnownMs: known,
		EnergyMJ: p.energyMJ, EnergyKnownMs: wholeMs(p.energyNs, math.MaxInt64, &keep.energyNs),
	}
	free := cover - s.BusyMs
	switch p.rest {
	case restIdle:
		s.IdleMs += free
	case restUnallocated:
		// A free GPU is free whether or not its utilisation can be read.
		s.UnallocatedMs += free + blind
		s.UnmeasuredMs = 0
	default:
		s.UnmeasuredMs += free
	}
	return s
}

// wholeMs rounds a time to milliseconds, at most withinMs, with what rounding
// kept back before. Where there is no time to put it in, it is kept.
func wholeMs(ns, withinMs int64, carry *int64) int64 {
	if withinMs == 0 {
		return 0
	}
	ns += *carry
	ms := min(max((ns+500_000)/1_000_000, 0), withinMs)
	*carry = min(max(ns-ms*1_000_000, -1_000_000), 1_000_000)
	return ms
}
