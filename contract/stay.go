package contract

import (
	"cmp"
	"slices"
)

// decommissionMs is Decommission in milliseconds.
const decommissionMs = int64(Decommission / 1_000_000)

// segment is a span of time in which a GPU stood somewhere under one unit,
// silence included.
type segment struct {
	fromMs, toMs int64
	p            *Presence
}

// stay is an unbroken time of one GPU in one node: segments that touch. It is
// what holds a seat in a tranche; a change of unit within it does not end it.
type stay struct {
	gpu    string
	segs   []segment
	silent bool // it ended because nothing was heard for Decommission
}

func (s *stay) fromMs() int64 { return s.segs[0].fromMs }
func (s *stay) toMs() int64   { return s.segs[len(s.segs)-1].toMs }

// standing returns when every GPU stood where, until nowMs, ordered by start
// and UUID: the order in which GPUs are preferred. Spans that end before they
// start, or start after now, stand for nothing.
func standing(presences []Presence, nowMs int64) []stay {
	ps := make([]*Presence, 0, len(presences))
	for i := range presences {
		if p := &presences[i]; p.StartMs < min(p.EndMs, nowMs) {
			ps = append(ps, p)
		}
	}
	slices.SortFunc(ps, func(a, b *Presence) int {
		return cmp.Or(cmp.Compare(a.GPU, b.GPU), cmp.Compare(a.StartMs, b.StartMs),
			cmp.Compare(a.EndMs, b.EndMs), cmp.Compare(a.Unit, b.Unit), cmp.Compare(a.Node, b.Node))
	})
	var out []stay
	for i := 0; i < len(ps); {
		j := i + 1
		for j < len(ps) && ps[j].GPU == ps[i].GPU {
			j++
		}
		out = appendStays(out, layers(ps[i:j], nowMs), nowMs)
		i = j
	}
	slices.SortFunc(out, func(a, b stay) int {
		return cmp.Or(cmp.Compare(a.fromMs(), b.fromMs()), cmp.Compare(a.gpu, b.gpu))
	})
	return out
}

// layers cuts the presences of one GPU, ordered by start, into disjoint
// segments: at every instant the one that started last counts. A GPU that
// shows up in another node has left the first, unless the second falls silent
// and the first goes on.
func layers(ps []*Presence, nowMs int64) []segment {
	var (
		out  []segment
		open []*Presence // by start
		at   int64
	)
	until := func(ms int64) {
		for len(open) > 0 && at < ms {
			top := open[len(open)-1]
			if end := min(top.EndMs, ms); end > at {
				out = append(out, segment{at, end, top})
				at = end
			}
			if top.EndMs <= at {
				open = open[:len(open)-1]
			}
		}
		at = ms
	}
	for _, p := range ps {
		until(p.StartMs)
		open = append(open, p)
	}
	until(nowMs)
	return out
}

// appendStays extends the segments of one GPU over the silence that still
// counts as standing there, and joins those that touch in one node.
func appendStays(out []stay, segs []segment, nowMs int64) []stay {
	joins := false
	for i, s := range segs {
		var next *segment
		if i+1 < len(segs) {
			next = &segs[i+1]
		}
		to, silent := silence(s, next, nowMs)
		s.toMs = to
		if !joins {
			out = append(out, stay{gpu: s.p.GPU})
		}
		last := &out[len(out)-1]
		last.segs = append(last.segs, s)
		last.silent = silent
		joins = next != nil && next.fromMs == to && next.p.Node == s.p.Node
	}
	return out
}

// silence returns until when a segment lasts over the silence after it, and
// whether that is the end of Decommission. Silence between two records in one
// node is always bridged; a goodbye is believed at once. (A segment that ends
// before its presence does has no silence after it.)
func silence(s segment, next *segment, nowMs int64) (toMs int64, decommissioned bool) {
	if s.p.Goodbye {
		return s.toMs, false
	}
	limit := nowMs
	if next != nil {
		limit = next.fromMs
		if next.p.Node == s.p.Node {
			return limit, false
		}
	}
	if gone := s.toMs + decommissionMs; gone < limit {
		return gone, true
	}
	return limit, false
}
