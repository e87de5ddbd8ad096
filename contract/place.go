package contract

import (
	"cmp"
	"slices"
)

// Place decides which GPU counted toward which tranche, from when to when,
// until nowMs. It is a pure function: the order of its arguments does not
// matter, nothing that happens later changes what it says of an earlier time,
// except that silence which turns out to have been short was none.
//
// A GPU stands from its presence's start to its end, and on through silence:
// up to its next presence in the same node, else for at most Decommission.
// Where presences of one GPU overlap, the one that started last counts.
//
// Tranches are filled by Priority, then earliest end, then id, each with the
// matching GPUs that have stood in their node the longest, then by UUID: first
// all tranches with GPUs of the model that they bought, then what is left of
// them with models that they accept, so that no substitute is taken from a
// tranche that bought it and runs. (That
// a GPU is pinned, or in a listed reservation, or matches more scope lists
// does not tell the GPUs of one tranche apart: it takes only those that match
// all of its lists.) A GPU keeps its seat while it stands in its node, still
// matches, and the tranche runs; when the contracted number falls, the last in
// the order go. At one instant, ends come first, then changes of the
// contracted number, then placing.
//
// The contracts have passed ValidateAll.
func Place(contracts []Contract, presences []Presence, nowMs int64) Placements {
	s := newSweep(slots(contracts), standing(presences, nowMs))
	events := s.events(nowMs)
	for i := 0; i < len(events); {
		ms := events[i].ms
		for ; i < len(events) && events[i].ms == ms; i++ {
			s.apply(events[i])
		}
		s.settle(ms)
	}
	return s.finish(nowMs)
}

// phase orders what happens at one instant.
type phase uint8

const (
	phaseLeave  phase = iota // a stay ends
	phaseUnit                // a stay goes on under another unit
	phaseEnd                 // a tranche ends
	phaseStep                // the contracted number changes; the first starts the tranche
	phaseGrace               // what a step added may be late from here on, or no longer
	phaseArrive              // a stay begins
)

// event is one change; ref is the stay's rank or the slot's index, n the
// contracted number of a step, or the change of the number that may be late.
type event struct {
	ms    int64
	phase phase
	ref   int
	n     int
}

// events lists all that happens up to and including nowMs, in order.
func (s *sweep) events(nowMs int64) []event {
	var out []event
	for i := range s.crew {
		t := s.crew[i].slot.t
		for j, step := range t.Steps {
			last := j+1 == len(t.Steps)
			if step.FromMs <= nowMs && step.FromMs < t.EndMs && (last || t.Steps[j+1].FromMs > step.FromMs) {
				out = append(out, event{step.FromMs, phaseStep, i, step.GPUs})
			}
		}
		if t.EndMs <= nowMs {
			out = append(out, event{t.EndMs, phaseEnd, i, 0})
		}
		for _, e := range graces(t, i) {
			if e.ms <= nowMs {
				out = append(out, e)
			}
		}
	}
	for i := range s.stays {
		st := &s.stays[i]
		out = append(out, event{st.fromMs(), phaseArrive, i, 0}, event{st.toMs(), phaseLeave, i, 0})
		for _, seg := range st.segs[1:] {
			out = append(out, event{seg.fromMs, phaseUnit, i, 0})
		}
	}
	slices.SortFunc(out, func(a, b event) int {
		return cmp.Or(cmp.Compare(a.ms, b.ms), cmp.Compare(a.phase, b.phase), cmp.Compare(a.ref, b.ref))
	})
	return out
}

// graces lists when the GPUs that a tranche's steps add may be late.
func graces(t *Tranche, ref int) []event {
	var out []event
	before := 0
	for _, step := range t.Steps {
		if n := step.GPUs - before; n > 0 && t.Delivery.GraceMs > 0 {
			out = append(out, event{step.FromMs, phaseGrace, ref, n}, event{step.FromMs + t.Delivery.GraceMs, phaseGrace, ref, -n})
		}
		before = step.GPUs
	}
	return out
}

// apply makes one change; GPUs that it sets free wait until settle.
func (s *sweep) apply(e event) {
	switch e.phase {
	case phaseLeave:
		s.leave(e.ref)
	case phaseUnit:
		s.changeUnit(e.ref)
	case phaseEnd:
		s.end(e.ref)
	case phaseStep:
		s.step(e.ref, e.n)
	case phaseGrace:
		s.crew[e.ref].mayBeLate += e.n
	case phaseArrive:
		s.arrive(e.ref)
	}
}

// settle ends an instant: it fills the free seats and writes down what became
// of every GPU that was touched.
func (s *sweep) settle(ms int64) {
	for k := range kinds {
		for i := range s.crew {
			s.fill(i, k)
		}
	}
	for i := range s.crew {
		s.count(i, ms)
	}
	if s.changed { // other tranches run now: what the waiting count as may differ
		for _, rank := range s.waiting {
			s.touch(rank)
		}
		s.changed = false
		s.version++
	}
	for _, rank := range s.touched {
		s.members[rank].touched = false
		s.write(rank, s.standsFor(rank, ms), ms)
	}
	s.touched = s.touched[:0]
}

// finish closes what is still open at nowMs and sorts.
func (s *sweep) finish(nowMs int64) Placements {
	out := Placements{List: s.list}
	for i := range s.crew {
		c := &s.crew[i]
		c.silence.set(0, nowMs)
		c.grace.set(0, nowMs)
		out.Vacancies = append(out.Vacancies, c.silence.vacancies(c.slot)...)
		out.Graces = append(out.Graces, c.grace.vacancies(c.slot)...)
	}
	out.Groups = s.sortGroups()
	slices.SortFunc(out.List, func(a, b Placement) int {
		return cmp.Or(cmp.Compare(a.GPU, b.GPU), cmp.Compare(a.FromMs, b.FromMs))
	})
	slices.SortFunc(out.Vacancies, compareVacancies)
	slices.SortFunc(out.Graces, compareVacancies)
	return out
}

func compareVacancies(a, b Vacancy) int {
	return cmp.Or(cmp.Compare(a.Contract, b.Contract), cmp.Compare(a.Tranche, b.Tranche), cmp.Compare(a.FromMs, b.FromMs))
}

// sortGroups returns the groups in order and renumbers the placements.
func (s *sweep) sortGroups() []Group {
	groups := make([]Group, 0, len(s.classes.groups))
	for g := range s.classes.groups {
		groups = append(groups, g)
	}
	slices.SortFunc(groups, compareGroups)
	renumber := make([]int, len(groups))
	for i, g := range groups {
		renumber[s.classes.groups[g]] = i
	}
	for i := range s.list {
		s.list[i].Group = renumber[s.list[i].Group]
	}
	return groups
}

func compareGroups(a, b Group) int {
	return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Account, b.Account),
		cmp.Compare(a.Region, b.Region), cmp.Compare(a.Model, b.Model))
}
