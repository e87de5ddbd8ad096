package contract

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"time"
)

// Period is the span of time that a report is about, already clipped to what
// is settled. Name is what was asked for: "2026-10".
type Period struct {
	Name         string
	FromMs, ToMs int64
}

// Plan is a report before its sums are known: which units are to be asked for
// which time, and what each answer counts toward. It is not changed after
// NewPlan; its methods may be called concurrently.
type Plan struct {
	contracts []Contract
	periods   []Period
	stray     Period
	placed    Placements
	by        By
	machines  Machines            // by node
	units     map[int64]*Presence // by unit; nil unless by where GPUs stand
	keys      []key
	spans     []Span
	edges     []int64
	// stood is the GPU-ms that spans cover, by key and slot.
	stood [][]int64
	gpus  int   // distinct
	err   error // what is wrong with the arguments, for Build to say
}

// key is what sums are added up by. rate indexes the tranche's rates and is
// unpriced where none applies, sub the models that it accepts and is asBought
// where the model is the one bought; for an uncontracted key, tranche is the
// index of the Group. group is what the report is broken down by, if that is
// where GPUs stand. down says that the node or rack was, as a whole.
type key struct {
	contract, tranche int
	fate              Fate
	rate, sub         int
	group             string
	down              bool
}

const (
	unpriced = -1
	asBought = -1
)

// NewPlan lays placements against periods: periods[i] is that of contracts[i],
// stray that of the uncontracted GPUs and of the report. The contracts are
// those that Place was given, in the same order.
func NewPlan(contracts []Contract, p Placements, periods []Period, stray Period) *Plan {
	return NewPlanBy(Grouping{}, contracts, p, periods, stray)
}

// Grouping says what a report is to be broken down by. Presences are those
// that Place was given; they are not needed where By looks at holders.
type Grouping struct {
	By        By
	Presences []Presence
}

// NewPlanBy is NewPlan for a report that is broken down.
func NewPlanBy(g Grouping, contracts []Contract, p Placements, periods []Period, stray Period) *Plan {
	plan := &Plan{contracts: contracts, periods: periods, stray: stray, placed: p, by: g.By}
	if g.By != "" && !g.By.Held() {
		plan.units = make(map[int64]*Presence, len(g.Presences))
		for i := range g.Presences {
			plan.units[g.Presences[i].Unit] = &g.Presences[i]
		}
		if g.By == ByNode {
			plan.machines = MachinesOf(g.Presences)
		}
	}
	if plan.err = plan.check(); plan.err != nil {
		plan.edges = []int64{stray.FromMs, max(stray.ToMs, stray.FromMs+1)}
		return plan
	}
	plan.addEdges()
	plan.addSpans()
	plan.addStood()
	return plan
}

// Query returns what to ask a store. Its spans do not overlap for a unit; the
// number of keys follows the contracts and, broken down by where GPUs stand,
// the groups; not the GPUs.
func (p *Plan) Query() Query { return Query{Spans: p.spans, Edges: p.edges, By: p.by} }

func (p *Plan) check() error {
	if len(p.periods) != len(p.contracts) {
		return fmt.Errorf("plan: %d periods for %d contracts", len(p.periods), len(p.contracts))
	}
	for i := range p.contracts {
		if p.contracts[i].Zone == nil {
			return fmt.Errorf("plan: contract %q has no billing time zone", p.contracts[i].ID)
		}
	}
	for _, x := range p.placed.List {
		if p.units != nil && p.units[x.Unit] == nil {
			return fmt.Errorf("plan: placement of %q is of unit %d, which has no presence", x.GPU, x.Unit)
		}
		if x.Fate != Uncontracted && (x.Contract < 0 || x.Contract >= len(p.contracts) || x.Tranche < 0 || x.Tranche >= len(p.contracts[x.Contract].Tranches)) {
			return fmt.Errorf("plan: placement of %q is in a tranche that is not there", x.GPU)
		}
		groupless := x.Fate != Uncontracted && len(p.contracts[x.Contract].Tranches[x.Tranche].Accepts) == 0
		if !groupless && (x.Group < 0 || x.Group >= len(p.placed.Groups)) {
			return fmt.Errorf("plan: placement of %q is in group %d of %d", x.GPU, x.Group, len(p.placed.Groups))
		}
	}
	return nil
}

// addEdges makes the slots: the days of every contract's zone, so that each
// slot lies in one day of each.
func (p *Plan) addEdges() {
	edges := []int64{p.stray.FromMs, max(p.stray.ToMs, p.stray.FromMs+1)}
	for i, period := range p.periods {
		for _, d := range daysOf(period.FromMs, period.ToMs, p.contracts[i].Zone) {
			edges = append(edges, d.fromMs, d.toMs)
		}
	}
	slices.Sort(edges)
	p.edges = slices.Compact(edges)
}

// addSpans cuts the placements at the bounds of the periods and where the
// rate changes.
func (p *Plan) addSpans() {
	index := map[key]int{}
	seen := map[string]bool{}
	add := func(x *Placement, k key, from, to int64) {
		i, ok := index[k]
		if !ok {
			i = len(p.keys)
			index[k] = i
			p.keys = append(p.keys, k)
		}
		p.spans = append(p.spans, Span{Unit: x.Unit, FromMs: from, ToMs: to, Key: i})
		seen[x.GPU] = true
	}
	for i := range p.placed.List {
		x := &p.placed.List[i]
		if x.Fate == Uncontracted {
			if from, to := max(x.FromMs, p.stray.FromMs), min(x.ToMs, p.stray.ToMs); from < to {
				add(x, key{-1, x.Group, Uncontracted, unpriced, asBought, p.groupOf(x, nil), false}, from, to)
			}
			continue
		}
		period := p.periods[x.Contract]
		t := &p.contracts[x.Contract].Tranches[x.Tranche]
		k := key{x.Contract, x.Tranche, x.Fate, unpriced, asBought, p.groupOf(x, &p.contracts[x.Contract]), x.Down}
		if len(t.Accepts) > 0 {
			k.sub = t.substitute(p.placed.Groups[x.Group].Model)
		}
		for _, c := range t.priced(max(x.FromMs, period.FromMs), min(x.ToMs, period.ToMs)) {
			k.rate = c.rate
			add(x, k, c.fromMs, c.toMs)
		}
	}
	slices.SortFunc(p.spans, func(a, b Span) int {
		return cmp.Or(cmp.Compare(a.Unit, b.Unit), cmp.Compare(a.FromMs, b.FromMs))
	})
	p.spans = join(p.spans)
	p.gpus = len(seen)
}

// groupOf returns the group that a placement's GPU stands in; c is nil for an
// uncontracted one.
func (p *Plan) groupOf(x *Placement, c *Contract) string {
	if p.units == nil {
		return unattributed
	}
	if p.by == ByNode {
		return p.machines.Name(p.units[x.Unit].Machine())
	}
	return p.by.ofPresence(p.units[x.Unit], c)
}

// join makes one span of those that touch and count toward the same: every
// edge less is a record less that has to be divided.
func join(spans []Span) []Span {
	var out []Span
	for _, s := range spans {
		if n := len(out); n > 0 && out[n-1].Unit == s.Unit && out[n-1].Key == s.Key && out[n-1].ToMs == s.FromMs {
			out[n-1].ToMs = s.ToMs
			continue
		}
		out = append(out, s)
	}
	return out
}

func (p *Plan) addStood() {
	p.stood = make([][]int64, len(p.keys))
	for i := range p.stood {
		p.stood[i] = make([]int64, len(p.edges)-1)
	}
	for _, s := range p.spans {
		p.cut(s.FromMs, s.ToMs, func(slot int, from, to int64) { p.stood[s.Key][slot] += to - from })
	}
}

// cut calls f for each part of [fromMs, toMs) that lies in one slot.
func (p *Plan) cut(fromMs, toMs int64, f func(slot int, fromMs, toMs int64)) {
	slot := sort.Search(len(p.edges), func(i int) bool { return p.edges[i] > fromMs }) - 1
	for slot = max(slot, 0); slot+1 < len(p.edges) && p.edges[slot] < toMs; slot++ {
		if from, to := max(fromMs, p.edges[slot]), min(toMs, p.edges[slot+1]); from < to {
			f(slot, from, to)
		}
	}
}

// piece is a span of time under one rate, or under none.
type piece struct {
	fromMs, toMs int64
	rate         int
}

// priced cuts [fromMs, toMs) where the rate changes.
func (t *Tranche) priced(fromMs, toMs int64) []piece {
	var out []piece
	at := fromMs
	for i := range t.Rates {
		r := &t.Rates[i]
		from, to := max(at, r.FromMs), min(toMs, r.ToMs)
		if from >= to {
			continue
		}
		if at < from {
			out = append(out, piece{at, from, unpriced})
		}
		out = append(out, piece{from, to, i})
		at = to
	}
	if at < toMs {
		out = append(out, piece{at, toMs, unpriced})
	}
	return out
}

// contractedMs is the contracted GPU-ms of [fromMs, toMs), exactly.
func (t *Tranche) contractedMs(fromMs, toMs int64) int64 {
	var sum int64
	for i, s := range t.Steps {
		end := t.EndMs
		if i+1 < len(t.Steps) {
			end = min(end, t.Steps[i+1].FromMs)
		}
		if from, to := max(fromMs, s.FromMs), min(toMs, end); from < to {
			sum += int64(s.GPUs) * (to - from)
		}
	}
	return sum
}

// local is a moment in the contract's billing zone.
func (c *Contract) local(ms int64) time.Time { return time.UnixMilli(ms).In(c.Zone) }
