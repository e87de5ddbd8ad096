package contract

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// rule is one of the conditions under which a GPU counts toward a tranche, in
// the order in which they are tried. The later the first one fails, the nearer
// the tranche.
type rule int

const (
	ruleProvider rule = iota
	ruleModel
	ruleAccount
	ruleRegion
	ruleReservation
	rulePin
	ruleNone // none failed
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

// fails returns the first rule that p does not meet, whatever the time. A GPU
// whose provider is unknown counts toward a tranche that pins it: the pin is
// the operator's word.
func (s *slot) fails(p *Presence) rule {
	scope := &s.t.Scope
	pinned := s.pins[p.GPU] || s.pins[p.Node]
	switch {
	case p.Provider != s.provider && (p.Provider != "" || !pinned):
		return ruleProvider
	case p.Model != s.t.Model:
		return ruleModel
	case !accepts(scope.Accounts, p.Account):
		return ruleAccount
	case !accepts(scope.Regions, p.Region):
		return ruleRegion
	case !accepts(scope.Reservations, p.Reservation):
		return ruleReservation
	case len(s.pins) > 0 && !pinned:
		return rulePin
	}
	return ruleNone
}

func accepts(list []string, v string) bool { return len(list) == 0 || slices.Contains(list, v) }

// explain says in words why p does not count toward the tranche at a time.
func (s *slot) explain(r rule, p *Presence, ms int64) string {
	scope := &s.t.Scope
	switch r {
	case ruleProvider:
		return fmt.Sprintf("%s: provider %s is not %q", s.name, word(p.Provider), s.provider)
	case ruleModel:
		return fmt.Sprintf("%s: model %s is not %q", s.name, word(p.Model), s.t.Model)
	case ruleAccount:
		return fmt.Sprintf("%s: account %s is not in %s", s.name, word(p.Account), listed(scope.Accounts))
	case ruleRegion:
		return fmt.Sprintf("%s: region %s is not in %s", s.name, word(p.Region), listed(scope.Regions))
	case ruleReservation:
		return fmt.Sprintf("%s: reservation %s is not in %s", s.name, word(p.Reservation), listed(scope.Reservations))
	case rulePin:
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
	matches []int     // slots, in order
	fails   []rule    // by slot
	// near is the text for uncontracted GPUs, valid while version is the
	// sweep's: it depends on which tranches run.
	near    string
	version int
}

// classKey is all that matching looks at. Node and GPU are in it only where
// some tranche pins them.
type classKey struct {
	Group
	reservation, node, gpu string
}

// classes finds the class of a presence.
type classes struct {
	slots  []slot
	pinned map[string]bool // by any slot
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
	}
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
	if i, ok := c.index[k]; ok {
		return i
	}
	g, ok := c.groups[k.Group]
	if !ok {
		g = len(c.groups)
		c.groups[k.Group] = g
	}
	made := class{group: g, first: p, fails: make([]rule, len(c.slots)), version: -1}
	for i := range c.slots {
		made.fails[i] = c.slots[i].fails(p)
		if made.fails[i] == ruleNone {
			made.matches = append(made.matches, i)
		}
	}
	c.index[k] = len(c.list)
	c.list = append(c.list, made)
	return len(c.list) - 1
}
