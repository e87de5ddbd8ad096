package fleet

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/gpumeter/gpumeter/usage"
)

// events returns what happened on a node in minutes [from, to), by time.
// While its agent is down, a node reports nothing.
func (f *Fleet) events(n *node, from, to int64) []usage.Event {
	var out []usage.Event
	add := func(minute int64, e usage.Event) {
		if minute >= max(from, n.from) && minute < to && !n.silent(minute-f.day0()) {
			e.AtMs = minute * minuteMs
			out = append(out, e)
		}
	}
	add(n.from, usage.Event{Kind: usage.EventAgentStart})
	for _, s := range n.quiet {
		if k, ok := s.endsIn(from-f.day0(), to-f.day0()); ok {
			add(f.day0()+s.to+k*again, usage.Event{Kind: usage.EventAgentStart})
		}
	}
	for slot := range n.slots {
		for _, x := range n.slots[slot].faults {
			f.faultEvents(n, slot, x, span{from, to}, add)
		}
	}
	slices.SortStableFunc(out, func(a, b usage.Event) int { return cmp.Compare(a.AtMs, b.AtMs) })
	return out
}

// faultEvents adds how one fault began and ended within a span of Unix
// minutes. A lost GPU is replaced: it says goodbye.
func (f *Fleet) faultEvents(n *node, slot int, x fault, in span, add func(int64, usage.Event)) {
	lo, hi := in.from-f.day0(), in.to-f.day0()
	gpu := func(minute int64) string {
		_, gen := n.slots[slot].at(minute)
		return f.uuid(n, slot, gen)
	}
	if k, ok := (span{to: x.from}).endsIn(lo, hi); ok {
		begin := x.from + k*again
		e := usage.Event{Kind: usage.EventUnobserved, GPU: gpu(begin), Detail: reasons[x.condition]}
		if x.condition == lost {
			add(f.day0()+begin, usage.Event{Kind: usage.EventXid, GPU: e.GPU, Value: xidFellOff})
			e.Kind, e.Detail = usage.EventUnhealthy, fmt.Sprintf("xid %d", xidFellOff)
		}
		add(f.day0()+begin, e)
	}
	if k, ok := x.endsIn(lo, hi); ok {
		end := x.to + k*again
		e := usage.Event{Kind: usage.EventObserved, GPU: gpu(end - 1)}
		if x.condition == lost {
			e.Kind = usage.EventGoodbye
		}
		add(f.day0()+end, e)
	}
}

// endsIn finds the repetition of a span, if any, that ends within [lo, hi).
// The bounds lie less than one repetition apart.
func (s span) endsIn(lo, hi int64) (k int64, ok bool) {
	k = max(0, ceil(lo-s.to, again))
	return k, s.to+k*again >= lo && s.to+k*again < hi
}
