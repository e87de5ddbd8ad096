package contract

import (
	"slices"

	"github.com/gpumeter/gpumeter/usage"
)

// Watch is all that incidents are derived from. The order within it does not
// matter, and saying something twice changes nothing.
type Watch struct {
	// Contracts have passed ValidateAll.
	Contracts []Contract
	// Presences are all that the store has, as for Place.
	Presences []Presence
	// Stretches are what the store says of every unit over the time that Reach
	// asks for, at least.
	Stretches []Stretch
	// Events are the nodes' over the same time and an hour more, at least those
	// of WatchedEvents.
	Events []NodeEvent
	// Lives are the spans in which a collector ran, all that are known.
	Lives []Life
	// AsOfMs is the moment up to which everything is settled.
	AsOfMs int64
}

// Stretch is what the records that own their time say of one unit over a span.
// Spans of one unit do not overlap; time in none of them has no record. What
// is neither healthy nor unhealthy in a span was not observed.
type Stretch struct {
	Unit                   int64
	FromMs, ToMs           int64
	HealthyMs, UnhealthyMs int64
	// Fault says why it was unhealthy, Missing why it was not observed; empty
	// where no record says it.
	Fault, Missing string
}

// Whole reports whether the GPU was seen healthy all the time.
func (s *Stretch) Whole() bool { return s.HealthyMs == s.ToMs-s.FromMs }

// UnobservedMs is the time that nobody observed.
func (s *Stretch) UnobservedMs() int64 { return s.ToMs - s.FromMs - s.HealthyMs - s.UnhealthyMs }

// NodeEvent is an event with the node it happened on.
type NodeEvent struct {
	Machine
	usage.Event
}

// machines are those that events happened on.
func (w *Watch) machines() []Machine {
	out := make([]Machine, len(w.Events))
	for i := range w.Events {
		out[i] = w.Events[i].Machine
	}
	return out
}

// WatchedEvents are the kinds of events that decide whose an incident is.
var WatchedEvents = []usage.EventKind{usage.EventAgentStart, usage.EventAgentStop, usage.EventDropped}

// Life is a span in which a collector ran, as far as it could write down: from
// its start to its last sign of life.
type Life struct{ FromMs, ToMs int64 }

// beganMs is the first moment at which anybody looked: a collector ran, or a
// record of any GPU begins, also one that was brought in later. It is AsOfMs
// where nobody has.
func (w *Watch) beganMs() int64 {
	first := w.AsOfMs
	for _, l := range w.Lives {
		first = min(first, l.FromMs)
	}
	for i := range w.Presences {
		first = min(first, w.Presences[i].StartMs)
	}
	return first
}

// Reach returns the time that must be known for the incidents of a month: that
// of the promises whose uptime the month counts toward.
func Reach(contracts []Contract, m Month, asOfMs int64) (fromMs, toMs int64) {
	for i := range contracts {
		s := contracts[i].reach(m)
		if i == 0 {
			fromMs, toMs = s.fromMs, s.toMs
		}
		fromMs, toMs = min(fromMs, s.fromMs), max(toMs, s.toMs)
	}
	return fromMs, max(fromMs, min(toMs, asOfMs))
}

// reach is the longest period of the contract's promises that a month is in.
func (c *Contract) reach(m Month) timeSpan {
	p := m.In(c.Zone)
	out := timeSpan{p.FromMs, p.ToMs}
	for i := range c.SLAs {
		s := c.SLAs[i].Period.around(m, c)
		out = timeSpan{min(out.fromMs, s.fromMs), max(out.toMs, s.toMs)}
	}
	return out
}

// around returns the calendar span of a promise that a month is in.
func (p SLAPeriod) around(m Month, c *Contract) timeSpan {
	first, last := m, m
	switch p {
	case SLAByQuarter:
		first.Month = m.Month - (m.Month-1)%3
		last.Month = first.Month + 2
	case SLAByYear:
		first.Month, last.Month = 1, 12
	}
	return timeSpan{first.In(c.Zone).FromMs, last.In(c.Zone).ToMs}
}

// months returns the months that a span touches.
func (c *Contract) months(s timeSpan) []Month {
	var out []Month
	for m := MonthOf(s.fromMs, c.Zone); m.In(c.Zone).FromMs < s.toMs; m = m.Next() {
		out = append(out, m)
	}
	return out
}

// heard is when something was on record, by whose it is: disjoint spans, by
// time.
type heard map[bundle][]timeSpan

// listen adds up the stretches of the units by what place returns; units for
// which it is the zero bundle are left out.
func (q *inquest) listen(place func(*Presence) bundle) heard {
	w, all := q.w, heard{}
	for i := range w.Stretches {
		s := &w.Stretches[i]
		if p := q.units[s.Unit]; p != nil {
			if k := place(p); k != (bundle{}) {
				all[k] = append(all[k], timeSpan{s.FromMs, min(s.ToMs, w.AsOfMs)})
			}
		}
	}
	for k := range all {
		all[k] = union(all[k])
	}
	return all
}

// in returns the time within s that was heard.
func within(s timeSpan, spans []timeSpan) []timeSpan {
	var out []timeSpan
	for _, x := range spans {
		if x = x.clip(s); x.ms() > 0 {
			out = append(out, x)
		}
	}
	return out
}

// throughout reports whether spans cover s but for pauses of at most pauseMs.
func throughout(s timeSpan, spans []timeSpan, pauseMs int64) bool {
	return !slices.ContainsFunc(s.without(spans), func(hole timeSpan) bool { return hole.ms() > pauseMs })
}

// node, rack and zone are where a GPU stands; of what is not known, the zero
// bundle.
func (q *inquest) node(p *Presence) bundle { return bundle{machine: q.machines.Of(p)} }

func (q *inquest) rack(p *Presence) bundle {
	if p.Rack == "" {
		return bundle{}
	}
	_, rack := bundlesOf(q.machines, p)
	return rack
}

func (q *inquest) zone(p *Presence) bundle {
	if p.Zone == "" {
		return bundle{}
	}
	m := q.machines.Of(p)
	return bundle{machine: Machine{Provider: m.Provider, Account: m.Account, Region: m.Region}, zone: p.Zone}
}
