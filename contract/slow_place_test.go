package contract_test

import (
	"cmp"
	"slices"
	"time"

	"github.com/gpumeter/gpumeter/contract"
)

// gridMs is the step of the slow calculation: everything in a random fleet
// that can change a placement happens on it, midnights of all zones included.
const gridMs = 30 * 60 * 1000

// slow is an independent calculation of Place and Build: it walks through time
// step by step, looks at every GPU in every step, and knows nothing of events,
// heaps, spans, or 64-bit money.
type slow struct {
	contracts []contract.Contract
	order     []ref // tranches in the order in which they are filled
	presences []contract.Presence
	fromMs    int64 // of step 0
	steps     int   // until now
	gpus      []string
	// stand[g][k] is the presence that GPU g stands for in step k; nil if none.
	stand [][]*contract.Presence
	// lost[g][k] says that g was given up in step k after 24 h of silence.
	lost [][]bool
	// seat[g][k] is what g counts as; missing[r][k] the unconfirmed of a tranche,
	// late[r][k] those of its missing GPUs that may be late.
	seat    [][]outcome
	missing map[ref][]int
	late    map[ref][]int
}

type ref struct{ c, t int }

type outcome struct {
	stands bool
	unit   int64
	fate   contract.Fate
	ref    ref
	group  contract.Group
}

func newSlow(contracts []contract.Contract, presences []contract.Presence, fromMs, nowMs int64) *slow {
	s := &slow{contracts: contracts, presences: presences, fromMs: fromMs, steps: int((nowMs - fromMs) / gridMs), missing: map[ref][]int{}, late: map[ref][]int{}}
	for c := range contracts {
		for t := range contracts[c].Tranches {
			s.order = append(s.order, ref{c, t})
		}
	}
	slices.SortFunc(s.order, func(a, b ref) int {
		x, y := s.tranche(a), s.tranche(b)
		return cmp.Or(cmp.Compare(x.Priority, y.Priority), cmp.Compare(x.EndMs, y.EndMs),
			cmp.Compare(contracts[a.c].ID, contracts[b.c].ID), cmp.Compare(x.ID, y.ID))
	})
	for _, p := range presences {
		if !slices.Contains(s.gpus, p.GPU) {
			s.gpus = append(s.gpus, p.GPU)
		}
	}
	slices.Sort(s.gpus)
	for _, g := range s.gpus {
		stand, lost := s.standing(g)
		s.stand, s.lost = append(s.stand, stand), append(s.lost, lost)
	}
	s.place()
	return s
}

func (s *slow) tranche(r ref) *contract.Tranche { return &s.contracts[r.c].Tranches[r.t] }

func (s *slow) at(k int) int64 { return s.fromMs + int64(k)*gridMs }

// standing looks for the records of one GPU in every step, then looks back and
// forth over the silence in between.
func (s *slow) standing(gpu string) ([]*contract.Presence, []bool) {
	heard := make([]*contract.Presence, s.steps)
	for k := range heard {
		for i := range s.presences {
			p := &s.presences[i]
			if p.GPU != gpu || p.StartMs > s.at(k) || p.EndMs <= s.at(k) {
				continue
			}
			best := heard[k]
			if best == nil || p.StartMs > best.StartMs ||
				(p.StartMs == best.StartMs && (p.EndMs > best.EndMs || (p.EndMs == best.EndMs && p.Unit > best.Unit))) {
				heard[k] = p
			}
		}
	}
	stand, lost := slices.Clone(heard), make([]bool, s.steps)
	for k := range heard {
		if heard[k] != nil {
			continue
		}
		before, after := k, k
		for before >= 0 && heard[before] == nil {
			before--
		}
		for after < s.steps && heard[after] == nil {
			after++
		}
		if before < 0 {
			continue
		}
		p, end := heard[before], s.at(before+1)
		switch {
		case p.Goodbye && p.EndMs == end:
		case after < s.steps && heard[after].Node == p.Node:
			stand[k] = p
		case s.at(k)-end < (24 * time.Hour).Milliseconds():
			stand[k] = p
		case s.at(k)-end == (24 * time.Hour).Milliseconds():
			lost[k] = true
		}
	}
	return stand, lost
}

// rank is how a GPU stands in the order for a tranche: smaller is better.
type rank struct {
	accepted                int
	pinned, reserved, lists int
	since                   int64
	gpu                     string
}

func (a rank) compare(b rank) int {
	return cmp.Or(cmp.Compare(a.accepted, b.accepted), -cmp.Compare(a.pinned, b.pinned), -cmp.Compare(a.reserved, b.reserved), -cmp.Compare(a.lists, b.lists),
		cmp.Compare(a.since, b.since), cmp.Compare(a.gpu, b.gpu))
}

// match returns the rank without the age, and whether p matches at all.
func (s *slow) match(r ref, p *contract.Presence) (rank, bool) {
	t := s.tranche(r)
	var out rank
	has := func(list []string, v string) bool {
		if len(list) > 0 && slices.Contains(list, v) {
			out.lists++
		}
		return len(list) == 0 || slices.Contains(list, v)
	}
	if slices.Contains(t.Scope.Pins, p.GPU) || slices.Contains(t.Scope.Pins, p.Node) {
		out.pinned = 1
	}
	provider := p.Provider == s.contracts[r.c].Provider || (p.Provider == "" && out.pinned == 1)
	if len(t.Scope.Reservations) > 0 && slices.Contains(t.Scope.Reservations, p.Reservation) {
		out.reserved = 1
	}
	ok := provider && p.Model == t.Model
	for _, x := range t.Accepts {
		if p.Model == x.Model && !ok {
			out.accepted, ok = 1, provider
		}
	}
	ok = ok && (slowScope(&t.Scope.Rules, p) || (t.Scope.Rules.Complex && out.pinned == 1))
	for _, x := range []bool{has(t.Scope.Accounts, p.Account), has(t.Scope.Regions, p.Region), has(t.Scope.Reservations, p.Reservation)} {
		ok = ok && x
	}
	return out, ok && (len(t.Scope.Pins) == 0 || out.pinned == 1)
}

func (s *slow) runs(r ref, k int) bool {
	t := s.tranche(r)
	return t.Steps[0].FromMs <= s.at(k) && s.at(k) < t.EndMs
}

// none is the seat of a GPU that has none; other seats index order.
const none = -1

// walk is where everybody is while place goes through time.
type walk struct {
	seats  []int   // by GPU
	since  []int64 // by GPU: when it came to its node
	silent map[ref]map[string]bool
}

// place goes through time step by step.
func (s *slow) place() {
	w := &walk{make([]int, len(s.gpus)), make([]int64, len(s.gpus)), map[ref]map[string]bool{}}
	for g := range s.gpus {
		w.seats[g] = none
		s.seat = append(s.seat, make([]outcome, s.steps))
	}
	for _, r := range s.order {
		s.missing[r], s.late[r] = make([]int, s.steps), make([]int, s.steps)
		w.silent[r] = map[string]bool{}
	}
	for k := range s.steps {
		for g := range s.gpus {
			s.endSeat(w, g, k)
		}
		for i, r := range s.order {
			for s.taken(w, i) > s.tranche(r).GPUsAt(s.at(k)) {
				w.seats[s.pick(w, i, k, i, +1)] = none
			}
		}
		for _, accepted := range []int{0, 1} {
			for i := range s.order {
				s.fill(w, i, k, accepted)
			}
		}
		for i := range s.order {
			s.miss(w, i, k)
		}
		for g := range s.gpus {
			s.seat[g][k] = s.outcome(g, k, w.seats[g])
		}
	}
}

// endSeat takes a GPU out of its seat for whatever happened to it or to the
// tranche, and notes who fell silent and who came back.
func (s *slow) endSeat(w *walk, g, k int) {
	now := s.stand[g][k]
	var before *contract.Presence
	if k > 0 {
		before = s.stand[g][k-1]
	}
	moved := now != nil && (before == nil || before.Node != now.Node)
	if moved {
		w.since[g] = s.at(k)
		for _, r := range s.order {
			delete(w.silent[r], s.gpus[g])
		}
	}
	if w.seats[g] == none {
		return
	}
	r := s.order[w.seats[g]]
	if s.lost[g][k] {
		w.silent[r][s.gpus[g]] = true
	}
	if now == nil || moved || !s.runs(r, k) {
		w.seats[g] = none
	} else if _, ok := s.match(r, now); !ok {
		w.seats[g] = none
	}
}

// fill gives the free seats of tranche i away.
func (s *slow) fill(w *walk, i, k, accepted int) {
	r := s.order[i]
	for s.runs(r, k) && s.taken(w, i) < s.tranche(r).GPUsAt(s.at(k)) {
		g := s.pick(w, none, k, i, -1)
		if g < 0 {
			break
		}
		if x, _ := s.match(r, s.stand[g][k]); x.accepted != accepted {
			break // the first in the order is of the other kind, and so are all
		}
		w.seats[g] = i
	}
}

// miss counts what is missing in tranche i, and why that may be so.
func (s *slow) miss(w *walk, i, k int) {
	r := s.order[i]
	t := s.tranche(r)
	missing := t.GPUsAt(s.at(k)) - s.taken(w, i)
	if missing == 0 || !s.runs(r, k) {
		clear(w.silent[r])
	}
	s.missing[r][k] = min(missing, len(w.silent[r]))
	fresh, before := 0, 0
	for _, step := range t.Steps {
		if step.FromMs <= s.at(k) && s.at(k) < step.FromMs+t.Delivery.GraceMs {
			fresh += max(0, step.GPUs-before)
		}
		before = step.GPUs
	}
	s.late[r][k] = min(missing, fresh)
}

func (s *slow) taken(w *walk, i int) int {
	n := 0
	for _, v := range w.seats {
		if v == i {
			n++
		}
	}
	return n
}

// pick returns the first (sign < 0) or last (sign > 0) in the order of tranche
// i of the standing and matching GPUs whose seat is in; -1 if there is none.
func (s *slow) pick(w *walk, in, k, i, sign int) int {
	best, top := -1, rank{}
	for g, gpu := range s.gpus {
		if w.seats[g] != in || s.stand[g][k] == nil {
			continue
		}
		r, ok := s.match(s.order[i], s.stand[g][k])
		r.since, r.gpu = w.since[g], gpu
		if ok && (best < 0 || r.compare(top)*sign > 0) {
			best, top = g, r
		}
	}
	return best
}

func (s *slow) outcome(g, k, seat int) outcome {
	p := s.stand[g][k]
	if p == nil {
		return outcome{}
	}
	out := outcome{stands: true, unit: p.Unit, fate: contract.Uncontracted, ref: ref{-1, -1},
		group: contract.Group{Provider: p.Provider, Account: p.Account, Region: p.Region, Model: p.Model}}
	if seat >= 0 {
		out.fate, out.ref = contract.Placed, s.order[seat]
		return out
	}
	for _, accepted := range []int{0, 1} {
		for _, r := range s.order {
			if x, ok := s.match(r, p); ok && x.accepted == accepted && s.runs(r, k) {
				out.fate, out.ref = contract.Overage, r
				return out
			}
		}
	}
	return out
}
