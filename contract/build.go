package contract

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/gpumeter/gpumeter/usage"
)

// Build makes the report of a plan out of the answer to its Query. It is a
// pure function; the order within the answer does not matter. It returns an
// error, and no report, if the answer contradicts the placements: more
// observed than stood there.
//
// Everything in the report is exact, except that money is rounded half even,
// once for each tranche, rate span, model and period, and then shared out so that
// parts always add up. Quality.Conflicts, Quarantined and RecordedSince are the
// caller's to fill.
func (p *Plan) Build(a Answer, asOf time.Time) (Report, error) {
	if p.err != nil {
		return Report{}, p.err
	}
	sums, err := p.add(a)
	if err != nil {
		return Report{}, err
	}
	out := Report{
		Schema: Schema, AsOf: asOf, Period: p.stray.Name,
		Contracts: []Statement{}, Uncontracted: p.strays(sums),
		Quality: Quality{GPUs: p.gpus, OverlapRecords: a.Overlaps},
	}
	for i := range p.contracts {
		s, err := p.statement(i, sums)
		if err != nil {
			return Report{}, fmt.Errorf("contract %q, %w", p.contracts[i].ID, err)
		}
		out.Contracts = append(out.Contracts, s)
	}
	out.Breakdown, err = p.breakdown(out.Contracts, sums)
	return out, err
}

// tally is an answer, added up.
type tally struct {
	cells [][]usage.Sums // by key and slot
	// held is what groups of holders had of the cells, by key and group; nil
	// unless the report is broken down by holders.
	held []map[string]*usage.Sums
}

// newTally has a cell for each key and slot.
func (p *Plan) newTally() *tally {
	t := &tally{cells: make([][]usage.Sums, len(p.keys))}
	for i := range t.cells {
		t.cells[i] = make([]usage.Sums, len(p.edges)-1)
	}
	if p.by.Held() {
		t.held = make([]map[string]*usage.Sums, len(p.keys))
		for i := range t.held {
			t.held[i] = map[string]*usage.Sums{}
		}
	}
	return t
}

// hold gives time of a key to the group of its holder. Time in which nobody
// held the GPU is not the holder's, whatever record it stands in.
func (t *tally) hold(k int, group string, s usage.Sums) {
	if group == unattributed {
		return
	}
	held := t.held[k][group]
	if held == nil {
		held = &usage.Sums{}
		t.held[k][group] = held
	}
	s.UnallocatedMs = 0
	held.Add(s)
}

// add puts the answer into one cell for each key and slot.
func (p *Plan) add(a Answer) (*tally, error) {
	t := p.newTally()
	for _, s := range a.Sums {
		if s.Key < 0 || s.Key >= len(t.cells) || s.Slot < 0 || s.Slot >= len(t.cells[s.Key]) {
			return nil, fmt.Errorf("answer: sum for key %d, slot %d, which was not asked for", s.Key, s.Slot)
		}
		if negative(&s.Sums) {
			return nil, fmt.Errorf("answer: %s: a sum is negative", p.describe(s.Key, s.Slot))
		}
		t.cells[s.Key][s.Slot].Add(s.Sums)
		if !p.by.Held() {
			continue
		}
		if s.Group < 0 || s.Group >= len(a.Groups) {
			return nil, fmt.Errorf("answer: %s: a sum of group %d of %d", p.describe(s.Key, s.Slot), s.Group, len(a.Groups))
		}
		t.hold(s.Key, a.Groups[s.Group], s.Sums)
	}
	if err := p.addStraddles(t, a.Straddles); err != nil {
		return nil, err
	}
	for k := range t.cells {
		for slot := range t.cells[k] {
			if observed := t.cells[k][slot].ObservedMs(); observed > p.stood[k][slot] {
				return nil, fmt.Errorf("answer: %s: observed %d GPU-ms, but only %d stood there", p.describe(k, slot), observed, p.stood[k][slot])
			}
		}
	}
	return t, nil
}

func negative(s *usage.Sums) bool {
	return min(s.UnhealthyMs, s.UnallocatedMs, s.IdleMs, s.UnmeasuredMs, s.BusyMs,
		s.SMActiveMs, s.SMKnownMs, s.EnergyMJ, s.EnergyKnownMs) < 0
}

// describe names a cell for people.
func (p *Plan) describe(k, slot int) string {
	x := p.keys[k]
	name := "uncontracted GPUs"
	if x.fate != Uncontracted {
		name = fmt.Sprintf("contract %q, tranche %q", p.contracts[x.contract].ID, p.contracts[x.contract].Tranches[x.tranche].ID)
	}
	from, to := time.UnixMilli(p.edges[slot]).UTC(), time.UnixMilli(p.edges[slot+1]).UTC()
	return fmt.Sprintf("%s from %s to %s", name, from.Format(time.RFC3339), to.Format(time.RFC3339))
}

// addStraddles divides the records that an edge cuts. Holders share a window:
// the records of one unit with the same bounds are divided as one, so that
// together they never exceed the window's part.
func (p *Plan) addStraddles(t *tally, records []Straddle) error {
	sorted := make([]*Straddle, len(records))
	for i := range records {
		sorted[i] = &records[i]
	}
	slices.SortFunc(sorted, compareWindows)
	for len(sorted) > 0 {
		n, sums := 0, usage.Sums{}
		w := sorted[0]
		for ; n < len(sorted) && compareWindows(w, sorted[n]) == 0; n++ {
			if negative(&sorted[n].Sums) {
				return fmt.Errorf("answer: unit %d: a record has a negative sum", w.Unit)
			}
			sums.Add(sorted[n].Sums)
		}
		if w.StartMs >= w.EndMs || sums.ObservedMs() > w.EndMs-w.StartMs {
			return fmt.Errorf("answer: unit %d: observed %d ms of a window of %d ms", w.Unit, sums.ObservedMs(), w.EndMs-w.StartMs)
		}
		p.addWindow(t, sorted[:n], sums)
		sorted = sorted[n:]
	}
	return nil
}

func compareWindows(a, b *Straddle) int {
	return cmp.Or(cmp.Compare(a.Unit, b.Unit), cmp.Compare(a.StartMs, b.StartMs), cmp.Compare(a.EndMs, b.EndMs))
}

// addWindow divides what one unit did in one window, which is that of the
// records, among the cells that it lies in, and then what it did in each among
// the holders. What was not asked for is dropped.
func (p *Plan) addWindow(t *tally, records []*Straddle, sums usage.Sums) {
	w := records[0]
	parts := p.parts(w.Unit, w.StartMs, w.EndMs)
	lengths, down := make([]int64, len(parts)), make([]bool, len(parts))
	for i, part := range parts {
		lengths[i], down[i] = part.toMs-part.fromMs, part.key >= 0 && p.keys[part.key].down
	}
	divided := divideAround(sums, lengths, down)
	for i, v := range divided {
		if parts[i].key >= 0 {
			t.cells[parts[i].key][parts[i].slot].Add(v)
		}
	}
	if !p.by.Held() {
		return
	}
	holders := holdersOf(records)
	for i, row := range among(holders, divided) {
		for h, v := range row {
			if parts[i].key >= 0 {
				t.hold(parts[i].key, p.by.Group(holders[h].Holder), v)
			}
		}
	}
}

// holdersOf returns what each holder did in a window, ordered by holder.
func holdersOf(records []*Straddle) []usage.Record {
	var out []usage.Record
	for _, r := range records {
		i, ok := slices.BinarySearchFunc(out, r.Holder, func(x usage.Record, h usage.Holder) int { return compareHolders(x.Holder, h) })
		if !ok {
			out = slices.Insert(out, i, usage.Record{Holder: r.Holder})
		}
		out[i].Sums.Add(r.Sums)
	}
	return out
}

func compareHolders(a, b usage.Holder) int {
	return cmp.Or(cmp.Compare(a.Basis, b.Basis), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Group, b.Group),
		cmp.Compare(a.Name, b.Name), cmp.Compare(a.Part, b.Part), cmp.Compare(a.Labels, b.Labels))
}

// part is a piece of a record under one key and in one slot; key is -1 where
// it was not asked for.
type part struct {
	fromMs, toMs int64
	key, slot    int
}

// parts cuts the time of a unit's record at all span and slot edges.
func (p *Plan) parts(unit, fromMs, toMs int64) []part {
	var out []part
	at := fromMs
	i := sort.Search(len(p.spans), func(i int) bool {
		return cmp.Or(cmp.Compare(p.spans[i].Unit, unit), cmp.Compare(p.spans[i].ToMs, fromMs+1)) >= 0
	})
	for ; i < len(p.spans) && p.spans[i].Unit == unit && p.spans[i].FromMs < toMs; i++ {
		s := p.spans[i]
		p.cut(max(s.FromMs, at), min(s.ToMs, toMs), func(slot int, from, to int64) {
			if at < from {
				out = append(out, part{at, from, -1, -1})
			}
			out = append(out, part{from, to, s.Key, slot})
			at = to
		})
	}
	if at < toMs {
		out = append(out, part{at, toMs, -1, -1})
	}
	return out
}

// buckets is what became of GPU time that stood somewhere.
func buckets(stood int64, s usage.Sums) Time {
	var t Time
	t[Unobserved] = stood - s.ObservedMs()
	t[Unhealthy], t[Unallocated], t[Idle], t[Unmeasured], t[Busy] = s.UnhealthyMs, s.UnallocatedMs, s.IdleMs, s.UnmeasuredMs, s.BusyMs
	return t
}

// strays reports the uncontracted GPUs by group, in order.
func (p *Plan) strays(t *tally) []Stray {
	found := make([]stray, len(p.placed.Groups))
	for i := range p.placed.List {
		x := &p.placed.List[i]
		from, to := max(x.FromMs, p.stray.FromMs), min(x.ToMs, p.stray.ToMs)
		if x.Fate == Uncontracted && from < to {
			found[x.Group].add(x, to-from)
		}
	}
	for k, x := range p.keys {
		if x.fate != Uncontracted {
			continue
		}
		for slot, v := range t.cells[k] {
			found[x.tranche].buckets.Add(buckets(p.stood[k][slot], v))
		}
	}
	out := []Stray{}
	for g, f := range found {
		if len(f.gpus) == 0 {
			continue
		}
		group := p.placed.Groups[g]
		out = append(out, Stray{
			Provider: group.Provider, Account: group.Account, Region: group.Region, Model: group.Model,
			GPUs: len(f.gpus), Ms: f.buckets.Total(), Buckets: f.buckets, Near: f.nearest(),
		})
	}
	return out
}

// stray gathers what is said of one group.
type stray struct {
	gpus    map[string]bool
	near    map[string]int64 // GPU-ms by text
	buckets Time
}

func (s *stray) add(x *Placement, ms int64) {
	if s.gpus == nil {
		s.gpus, s.near = map[string]bool{}, map[string]int64{}
	}
	s.gpus[x.GPU] = true
	s.near[x.Near] += ms
}

// nearest is the explanation of most of the time.
func (s *stray) nearest() string {
	best, most := "", int64(0)
	for text, ms := range s.near {
		if ms > most || (ms == most && text < best) {
			best, most = text, ms
		}
	}
	return best
}
