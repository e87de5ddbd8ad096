package clickhouse

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2/ext"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/gpumeter/gpumeter/collector/store/owner"
)

// unitHour is what starts in one hour of a unit; hours count from 1970.
type unitHour struct{ unit, hour int64 }

// reading is how a question's time is read: from hour records what starts in an
// hour that they tell, all else record by record. An hour of a unit of which
// the question cuts an hour record is rough: it is read record by record too.
type reading struct {
	told  []told
	rough []unitHour
	runs  []owner.Span // what is read record by record is of these
	slots int          // hours of which the slot is known
	cut   bool         // there are others, or a span begins or ends in a slot
}

// plan decides how a question is read, as of one look. What is rough depends on
// the hour records alone.
func (a *question) plan(ctx context.Context, v view, before reading) (r reading, err error) {
	if a.byHours {
		if r.told, err = v.told(ctx, a.reach()); err != nil {
			return r, err
		}
	}
	if r.rough = before.rough; len(r.told) > 0 && !sameTold(r.told, before.told) {
		if r.rough, err = a.cuts(ctx, r.told); err != nil {
			return r, fmt.Errorf("look for hour records that are cut: %w", err)
		}
	}
	r.runs = runsOf(a.reach(), wholeTime(r.told), r.rough)
	return r, nil
}

// reach is the time in which records start that may be asked for.
func (a *question) reach() owner.Span {
	return owner.Span{FromMs: a.within.FromMs - hourMs, ToMs: a.within.ToMs}
}

// maxRuns bounds the parts of a time in which records are compared.
const maxRuns = 16

// runsOf returns the time of x that is not known, with the hours that are
// rough, as few disjoint spans that hold little else.
func runsOf(x owner.Span, known []owner.Span, rough []unitHour) []owner.Span {
	var all []owner.Span
	at := x.FromMs
	for _, k := range known {
		if y := (owner.Span{FromMs: at, ToMs: k.FromMs}).Clip(x); !y.Empty() {
			all = append(all, y)
		}
		at = max(at, k.ToMs)
	}
	if y := (owner.Span{FromMs: at, ToMs: x.ToMs}); !y.Empty() {
		all = append(all, y)
	}
	for _, h := range rough {
		all = append(all, owner.Span{FromMs: h.hour * hourMs, ToMs: (h.hour + 1) * hourMs})
	}
	all = owner.Union(all)
	for gap := int64(hourMs); len(all) > maxRuns; gap *= 2 {
		all = bridge(all, gap)
	}
	return all
}

// bridge joins spans that are no more than a gap apart. It changes list.
func bridge(list []owner.Span, gap int64) []owner.Span {
	out := list[:1]
	for _, x := range list[1:] {
		if last := &out[len(out)-1]; x.FromMs-last.ToMs <= gap {
			last.ToMs = x.ToMs
			continue
		}
		out = append(out, x)
	}
	return out
}

// cuts finds the hours of units of which an edge, or the start or end of a span
// of the unit, cuts an hour record.
func (a *question) cuts(ctx context.Context, known []told) ([]unitHour, error) {
	used, err := usedTable(attemptsOf(known))
	if err != nil {
		return nil, err
	}
	hours := map[int64]bool{}
	for _, h := range hoursOf(known) {
		hours[h] = true
	}
	edges, err := a.hourEdges(hours)
	if err != nil {
		return nil, err
	}
	ends, err := a.hourEnds(hours)
	if err != nil {
		return nil, err
	}
	var out []unitHour
	for _, q := range []query{ask(sqlCutByEdges, nil, used, edges), ask(sqlCutBySpans, nil, used, ends)} {
		if q.tables[1].Block().Rows() == 0 {
			continue
		}
		list, err := gather(ctx, a.db, q.on(a.db.needsOfHours(known)), func(r driver.Rows) (h unitHour, err error) { return h, r.Scan(&h.unit, &h.hour) })
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	slices.SortFunc(out, func(x, y unitHour) int { return cmp.Or(cmp.Compare(x.hour, y.hour), cmp.Compare(x.unit, y.unit)) })
	return slices.Compact(out), nil
}

// hoursOf returns the hours that hour records tell.
func hoursOf(known []told) (out []int64) {
	for _, t := range known {
		for at := t.span().FromMs; at < t.untilMs; at += hourMs {
			out = append(out, at/hourMs)
		}
	}
	return out
}

// hourEdges has a row for every hour in which an hour record that an edge cuts
// may start: hour records end an hour after their hour at the latest.
func (a *question) hourEdges(hours map[int64]bool) (*ext.Table, error) {
	type row struct{ hour, edge int64 }
	var list []row
	for _, e := range a.Edges {
		for h := e/hourMs - 1; e > 0 && e < math.MaxInt64 && h <= e/hourMs; h++ {
			if hours[h] && h*hourMs != e {
				list = append(list, row{h, e})
			}
		}
	}
	return table("hour_edges", list, func(r row) []any { return []any{r.hour, r.edge} },
		ext.Column("hour", "Int64"), ext.Column("edge", "Int64"))
}

// hourEnds has the same for the ends of spans, by unit.
func (a *question) hourEnds(hours map[int64]bool) (*ext.Table, error) {
	type row struct{ unit, hour, edge int64 }
	seen := map[row]bool{}
	var list []row
	for _, s := range a.Spans {
		for _, e := range []int64{s.FromMs, s.ToMs} {
			for h := e/hourMs - 1; e > a.within.FromMs && e < a.within.ToMs && h <= e/hourMs; h++ {
				if r := (row{s.Unit, h, e}); hours[h] && h*hourMs != e && !seen[r] {
					seen[r] = true
					list = append(list, r)
				}
			}
		}
	}
	return table("hour_ends", list, func(r row) []any { return []any{r.unit, r.hour, r.edge} },
		ext.Column("unit", "Int64"), ext.Column("hour", "Int64"), ext.Column("edge", "Int64"))
}

// readingTables makes the temporary tables that say what is read how.
func (a *question) readingTables() ([]*ext.Table, error) {
	used, err := usedTable(attemptsOf(a.reading.told))
	if err != nil {
		return nil, err
	}
	told, err := table("told", hoursOf(a.reading.told), func(h int64) []any { return []any{h} }, ext.Column("hour", "Int64"))
	if err != nil {
		return nil, err
	}
	rough, err := table("rough", a.reading.rough, func(h unitHour) []any { return []any{h.unit, h.hour} },
		ext.Column("unit", "Int64"), ext.Column("hour", "Int64"))
	return []*ext.Table{used, told, rough}, err
}

// slotTables makes the temporary tables by which hour records find their slots:
// hour_slots for hours that no edge cuts, slot_spans, and split for the slots in
// which a span of a unit begins or ends.
func (a *question) slotTables() ([]*ext.Table, error) {
	type pair struct{ unit, slot int64 }
	var hours []pair // hour and slot
	cut := false
	for _, h := range hoursOf(a.reading.told) {
		first, last := a.edgesUpTo(h*hourMs), a.edgesUpTo((h+1)*hourMs-1)
		cut = cut || first != last
		if slot := a.slotOf(h * hourMs); first == last && slot >= 0 {
			hours = append(hours, pair{h, int64(slot)})
		}
	}
	split := map[pair]bool{}
	for _, s := range a.Spans {
		for _, e := range []int64{s.FromMs, s.ToMs} {
			if slot := a.slotOf(e); slot >= 0 && a.slotSpan(slot).FromMs < e && e < a.slotSpan(slot).ToMs {
				split[pair{s.Unit, int64(slot)}] = true
			}
		}
	}
	a.reading.slots, a.reading.cut = len(hours), cut || len(split) > 0
	row := func(p pair) []any { return []any{p.unit, p.slot} }
	hourSlots, err := table("hour_slots", hours, row, ext.Column("hour", "Int64"), ext.Column("slot", "Int64"))
	if err != nil {
		return nil, err
	}
	splitSlots, err := table("split", slices.Collect(maps.Keys(split)), row, ext.Column("unit", "Int64"), ext.Column("slot", "Int64"))
	if err != nil {
		return nil, err
	}
	var slots []int
	for slot := range len(a.Edges) - 1 {
		if !a.slotSpan(slot).Empty() {
			slots = append(slots, slot)
		}
	}
	slotSpans, err := table("slot_spans", slots, func(slot int) []any {
		x := a.slotSpan(slot)
		return []any{int64(slot), x.FromMs, x.ToMs}
	}, ext.Column("slot", "Int64"), ext.Column("from_ms", "Int64"), ext.Column("to_ms", "Int64"))
	return []*ext.Table{hourSlots, splitSlots, slotSpans}, err
}

// slotOf returns the slot of a moment, or -1.
func (a *question) slotOf(ms int64) int {
	if n := a.edgesUpTo(ms); n < len(a.Edges) {
		return n - 1
	}
	return -1
}

// edgesUpTo returns how many edges there are at a moment and before.
func (a *question) edgesUpTo(ms int64) int {
	n, found := slices.BinarySearch(a.Edges, ms)
	if found {
		n++
	}
	return n
}

// slotSpan is the part of a slot that records cover.
func (a *question) slotSpan(slot int) owner.Span {
	return owner.Span{FromMs: a.Edges[slot], ToMs: a.Edges[slot+1]}.Clip(a.within)
}
