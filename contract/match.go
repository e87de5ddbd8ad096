package contract

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// hurdle is one of the conditions under which a GPU counts toward a tranche,
// in the order in which they are tried. The later the first one fails, the
// nearer the tranche.
type hurdle int

const (
	hurdleProvider hurdle = iota
	hurdleModel
	hurdleAccount
	hurdleRegion
	hurdleReservation
	hurdleRules
	hurdlePin
	hurdleNone // none failed
)

// slot is a tranche in the order in which tranches are filled.
type slot struct {
	contract, tranche int // indices into the contracts given
	provider          string
	name              string // "acme-aws/h100"
	t                 *Tranche
	pins              map[string]bool
}

// slots orders the tranches of all contracts: by priority, then by earliest
// end (use first what expires first), then by contract and tranche id.
func slots(contracts []Contract) []slot {
	var out []slot
	for c := range contracts {
		for i := range contracts[c].Tranches {
			t := &contracts[c].Tranches[i]
			s := slot{contract: c, tranche: i, provider: contracts[c].Provider, name: contracts[c].ID + "/" + t.ID, t: t}
			if len(t.Scope.Pins) > 0 {
				s.pins = make(map[string]bool, len(t.Scope.Pins))
			}
			for _, pin := range t.Scope.Pins {
				s.pins[pin] = true
			}
			out = append(out, s)
		}
	}
	slices.SortStableFunc(out, func(a, b slot) int {
		return cmp.Or(cmp.Compare(a.t.Priority, b.t.Priority), cmp.Compare(a.t.EndMs, b.t.EndMs),
			cmp.Compare(contracts[a.contract].ID, contracts[b.contract].ID), cmp.Compare(a.t.ID, b.t.ID))
	})
	return out
}

// fails returns the first hurdle that p does not take, whatever the time. A GPU
// whose provider is unknown counts toward a tranche that pins it: the pin is
// the operator's word.
func (s *slot) fails(p *Presence) hurdle {
	scope := &s.t.Scope
	pinned := s.pins[p.GPU] || s.pins[p.Node]
	switch {
	case p.Provider != s.provider && (p.Provider != "" || !pinned):
		return hurdleProvider
	case p.Model != s.t.Model && s.t.substitute(p.Model) < 0:
		return hurdleModel
	case !accepts(scope.Accounts, p.Account):
		return hurdleAccount
	case !accepts(scope.Regions, p.Region):
		return hurdleRegion
	case !accepts(scope.Reservations, p.Reservation):
		return hurdleReservation
	case !scope.Rules.takes(p) && (!scope.Rules.Complex || !pinned):
		return hurdleRules
	case len(s.pins) > 0 && !pinned:
		return hurdlePin
	}
	return hurdleNone
}

func accepts(list []string, v string) bool { return len(list) == 0 || slices.Contains(list, v) }

// explain says in words why p does not count toward the tranche at a time.
func (s *slot) explain(h hurdle, p *Presence, ms int64) string {
	scope := &s.t.Scope
	switch h {
	case hurdleProvider:
		return fmt.Sprintf("%s: provider %s is not %q", s.name, word(p.Provider), s.provider)
	case hurdleModel:
		return fmt.Sprintf("%s: model %s is not %s", s.name, word(p.Model), s.t.models())
	case hurdleAccount:
		return fmt.Sprintf("%s: account %s is not in %s", s.name, word(p.Account), listed(scope.Accounts))
	case hurdleRegion:
		return fmt.Sprintf("%s: region %s is not in %s", s.name, word(p.Region), listed(scope.Regions))
	case hurdleReservation:
		return fmt.Sprintf("%s: reservation %s is not in %s", s.name, word(p.Reservation), listed(scope.Reservations))
	case hurdleRules:
		return s.name + ": " + scope.Rules.whyNot(p)
	case hurdlePin:
		return s.name + ": neither the GPU nor its node is pinned"
	}
	if ms >= s.t.EndMs || len(s.t.Steps) == 0 {
		return fmt.Sprintf("%s: ended %s", s.name, time.UnixMilli(s.t.EndMs).UTC().Format(time.RFC3339))
	}
	return fmt.Sprintf("%s: starts %s", s.name, time.UnixMilli(s.t.StartMs()).UTC().Format(time.RFC3339))
}

func word(v string) string {
	if v == "" {
		return "unknown"
	}
	return fmt.Sprintf("%q", v)
}

// listed prints a scope list, shortened: a tranche may name hundreds.
func listed(list []string) string {
	const most = 4
	if len(list) > most {
		return fmt.Sprintf("[%s, … %d more]", strings.Join(list[:most], ", "), len(list)-most)
	}
	return "[" + strings.Join(list, ", ") + "]"
}

// class is what GPUs have in common for which the same tranches do: GPUs are
// matched once per class and not once per instant.
type class struct {
	group   int
	first   *Presence // any of the class
	matches []int     // slots that bought its model, then those that accept it, each in order
	fails   []hurdle  // by slot
	// near is the text for uncontracted GPUs, valid while version is the
	// sweep's: it depends on which tranches run.
	near    string
	version int
}

// classKey is all that matching looks at. Node and GPU are in it only where
// some tranche pins them, rules what the scope rules of any tranche look at.
type classKey struct {
	Group
	reservation, node, gpu, rules string
}

// classes finds the class of a presence.
type classes struct {
	slots  []slot
	pinned map[string]bool // by any slot
	dims   []string        // that the scope rules of any slot look at
	index  map[classKey]int
	list   []class
	groups map[Group]int
}

func newClasses(slots []slot) *classes {
	c := &classes{slots: slots, pinned: map[string]bool{}, index: map[classKey]int{}, groups: map[Group]int{}}
	for i := range slots {
		for pin := range slots[i].pins {
			c.pinned[pin] = true
		}
		c.dims = append(c.dims, slots[i].t.Scope.Rules.dimensions()...)
	}
	slices.Sort(c.dims)
	c.dims = slices.Compact(c.dims)
	return c
}

// of returns the index of p's class, made when it is new.
func (c *classes) of(p *Presence) int {
	k := classKey{Group: Group{p.Provider, p.Account, p.Region, p.Model}, reservation: p.Reservation}
	if c.pinned[p.Node] {
		k.node = p.Node
	}
	if c.pinned[p.GPU] {
		k.gpu = p.GPU
	}
	for _, d := range c.dims {
		k.rules += p.Dimension(d) + "\x00"
	}
	if i, ok := c.index[k]; ok {
		return i
	}
	g, ok := c.groups[k.Group]
	if !ok {
		g = len(c.groups)
		c.groups[k.Group] = g
	}
	c.index[k] = len(c.list)
	c.list = append(c.list, newClass(c.slots, g, p))
	return len(c.list) - 1
}

func newClass(slots []slot, group int, p *Presence) class {
	c := class{group: group, first: p, fails: make([]hurdle, len(slots)), version: -1}
	var accepted []int
	for i := range slots {
		c.fails[i] = slots[i].fails(p)
		switch {
		case c.fails[i] != hurdleNone:
		case p.Model == slots[i].t.Model:
			c.matches = append(c.matches, i)
		default:
			accepted = append(accepted, i)
		}
	}
	c.matches = append(c.matches, accepted...)
	return c
}
