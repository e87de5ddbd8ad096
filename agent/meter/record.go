package meter

import (
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
	var out []usage.Record
	var observed int64
	later := g.parts[:0]
	for _, p := range g.parts {
		// The parts of a window cut short carry the edge it would have had.
		if p.edgeMs > endMs && m.clock.edge(m.openMs, m.window) != p.edgeMs {
			later = append(later, p)
			continue
		}
		r := usage.Record{GPU: g.UUID, StartMs: startMs, EndMs: stopMs, Holder: p.holder, Sums: g.settle(p), Reason: p.why}
		observed += r.ObservedMs()
		out = append(out, r)
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

// settle turns a part into whole milliseconds. Only busy time is rounded; the
// rest is what remains of the covered time, so that the sum is exact. What
// rounding keeps back is carried to the GPU's next record.
func (g *gpu) settle(p *part) usage.Sums {
	ns := p.busyNs + g.carry
	busy := min(max((ns+500_000)/1_000_000, 0), p.coverMs)
	if p.coverMs > 0 {
		g.carry = min(max(ns-busy*1_000_000, -1_000_000), 1_000_000)
	}
	s := usage.Sums{
		UnhealthyMs: p.sickMs, UnmeasuredMs: p.blindMs, BusyMs: busy,
		SMActiveMs: min((p.smNs+500_000)/1_000_000, p.smMs), SMKnownMs: p.smMs,
		EnergyMJ: p.energyMJ, EnergyKnownMs: p.energyMs,
	}
	free := p.coverMs - busy
	switch p.rest {
	case restIdle:
		s.IdleMs += free
	case restUnallocated:
		// A free GPU is free whether or not its utilisation can be read.
		s.UnallocatedMs += free + p.blindMs
		s.UnmeasuredMs = 0
	default:
		s.UnmeasuredMs += free
	}
	return s
}
