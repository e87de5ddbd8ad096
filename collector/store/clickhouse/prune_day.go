package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/ClickHouse/clickhouse-go/v2/ext"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/owner"
	"github.com/gpumeter/gpumeter/usage"
)

// dayPruning is what is let go of one day at once.
type dayPruning struct {
	view
	day         uint32
	hours       owner.Span // full hours that are looked at
	sinceMs     int64      // what was received since stays
	used        []told     // hour records of the day and its neighbours
	wanted      []unitHour // hours that stay
	wantedHours []int64    // the same of all units

	number           uint64
	going            [][]goingHour // of every shard
	records, batches uint64        // that go
}

// goingHour is the batches of one feed from one node in an hour that go: all
// between two numbers.
type goingHour struct {
	feed
	node, hour       int64
	lo, hi           uint64 // inclusive
	batches, records uint64
}

func ceilHour(ms int64) int64 { return (max(ms, 0) + hourMs - 1) / hourMs * hourMs }

// bound finds the hours that are to stay, and what tells of the others.
func (x *dayPruning) bound(p store.Pruning, known []told) {
	x.sinceMs = x.options.Now().Add(-pruneFence).UnixMilli()
	near := spanOfDay(x.day)
	near = owner.Span{FromMs: near.FromMs - dayMs, ToMs: near.ToMs + dayMs}
	for _, t := range known {
		if !t.span().Clip(near).Empty() {
			x.used = append(x.used, t)
		}
	}
	for _, k := range p.Keep {
		y := owner.Span{FromMs: k.FromMs, ToMs: k.ToMs}.Clip(x.hours)
		for h := y.FromMs / hourMs; !y.Empty() && h*hourMs < y.ToMs; h++ {
			x.wanted = append(x.wanted, unitHour{k.Unit, h})
		}
	}
	for _, q := range p.Same {
		for _, e := range q.Edges {
			if x.cutBy(e) {
				x.wantedHours = append(x.wantedHours, e/hourMs)
			}
		}
		for _, s := range q.Spans {
			for _, e := range []int64{s.FromMs, s.ToMs} {
				if x.cutBy(e) {
					x.wanted = append(x.wanted, unitHour{s.Unit, e / hourMs})
				}
			}
		}
	}
}

// cutBy reports whether a moment is amid one of the hours.
func (x *dayPruning) cutBy(ms int64) bool {
	return ms > x.hours.FromMs && ms < x.hours.ToMs && ms%hourMs != 0
}

// tables are the temporary tables that its statements ask about.
func (x *dayPruning) tables(going []goingHour) ([]*ext.Table, error) {
	var out []*ext.Table
	for _, make := range []func() (*ext.Table, error){
		func() (*ext.Table, error) { return x.partTable([]owner.Span{spanOfDay(x.day)}) },
		func() (*ext.Table, error) { return usedTable(attemptsOf(x.used)) },
		func() (*ext.Table, error) {
			return table("wanted", x.wanted, func(h unitHour) []any { return []any{h.unit, h.hour} },
				ext.Column("unit", "Int64"), ext.Column("hour", "Int64"))
		},
		func() (*ext.Table, error) {
			return table("asked_hours", x.wantedHours, func(h int64) []any { return []any{h} }, ext.Column("hour", "Int64"))
		},
		func() (*ext.Table, error) {
			return table("going", going, func(g goingHour) []any {
				return []any{g.agent, g.epoch, g.node, g.hour, g.lo, g.batches, g.records}
			}, ext.Column("agent", "String"), ext.Column("epoch", "String"), ext.Column("node", "Int64"), ext.Column("hour", "Int64"),
				ext.Column("lo", "UInt64"), ext.Column("batches", "UInt64"), ext.Column("records", "UInt64"))
		},
	} {
		t, err := make()
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

// numbers are those of its statements.
func (x *dayPruning) numbers() map[string]int64 {
	return map[string]int64{
		"day": int64(x.day), "first": x.hours.FromMs / hourMs, "last": x.hours.ToMs / hourMs,
		"since": x.sinceMs, "pruning": int64(x.number),
	}
}

// choose finds which batches go.
func (x *dayPruning) choose(ctx context.Context) error {
	lost, err := x.lost(ctx, spanOfDay(x.day))
	if err != nil {
		return err
	}
	left, err := lostTable(lost)
	if err != nil {
		return err
	}
	tables, err := x.tables(nil)
	if err != nil {
		return err
	}
	q := x.ask(sqlPruneHours, x.numbers(), append(tables, left)...).on(x.needsOfHours(x.used))
	for _, s := range x.shards {
		var list []goingHour
		err := s.each(ctx, q, func() { list = nil }, func(r driver.Rows) error {
			var g goingHour
			err := r.Scan(&g.agent, &g.epoch, &g.node, &g.hour, &g.lo, &g.hi, &g.batches, &g.records)
			list = append(list, g)
			return err
		})
		if err != nil {
			return fmt.Errorf("look for hours that may go on shard %d: %w", s.number, err)
		}
		x.going = append(x.going, list)
		for _, g := range list {
			x.batches, x.records = x.batches+g.batches, x.records+g.records
		}
	}
	return nil
}

// carryOut writes what the day will be, and lets it count unless something came
// in between.
func (x *dayPruning) carryOut(ctx context.Context) (counts bool, err error) {
	if x.number = x.newNumber(); x.number <= x.prunings[x.day].number {
		return false, errors.New("it was pruned by a collector whose clock is ahead of this one's")
	}
	next := pruning{day: x.day, number: x.number, sinceMs: x.sinceMs}
	for i, s := range x.shards {
		rows, err := x.write(ctx, s, x.going[i])
		if err != nil {
			return false, fmt.Errorf("write what is left of shard %d: %w", s.number, err)
		}
		next.rows = append(next.rows, rows)
	}
	prunings := maps.Clone(x.prunings)
	prunings[x.day] = next
	then, err := x.settleWith(ctx, prunings)
	if err != nil {
		return false, err
	}
	after, err := x.settle(ctx)
	until := spanOfDay(x.day).ToMs
	if err != nil || after.print(x.day, until) != x.print(x.day, until) || after.prunings[x.day].number != x.prunings[x.day].number {
		return false, err
	}
	if got, want := then.countsOf(x.day), after.countsOf(x.day); got != want {
		return false, fmt.Errorf("%d batches and %d records would be left of %d and %d", got[0], got[1], want[0], want[1])
	}
	now := x.options.Now().UnixMilli()
	if uint64(now)-x.number>>attemptShift > uint64(prunePatience.Milliseconds()) {
		return false, nil
	}
	err = x.shards[0].insert(ctx, rows{table: "prunings", columns: "day, pruning, since_ms, made_ms, rows",
		list: [][]any{{next.day, next.number, next.sinceMs, now, next.rows}}})
	return err == nil, err
}

// write writes what a shard will have of the day, and returns how many rows its
// part has, when a quorum of replicas has them.
func (x *dayPruning) write(ctx context.Context, s *shard, going []goingHour) (count uint64, err error) {
	tables, err := x.tables(going)
	if err != nil {
		return 0, err
	}
	at := partition{x.day, x.number}
	err = s.once(ctx, func(ctx context.Context, r *replica) error {
		for _, text := range []string{sqlPruneKeep, sqlPruneMerge} {
			if err := r.derive(ctx, x.ask(text, x.numbers(), tables...), x.needs[s.number]); err != nil {
				return err
			}
		}
		stamps, err := r.stamps(ctx)
		count = stamps[at].rows
		return err
	})
	if err != nil {
		return 0, err
	}
	if err := s.spread(ctx, map[partition]uint64{at: count}); err != nil {
		return 0, err
	}
	seqs := map[feed]usage.Ranges{}
	for _, g := range going {
		seqs[g.feed] = seqs[g.feed].AddRange(usage.Range{Lo: g.lo, Hi: g.hi})
	}
	t := rows{table: "gone", columns: "pruning, agent, epoch, lo, hi"}
	for f, list := range seqs {
		for _, r := range list {
			t.list = append(t.list, []any{x.number, f.agent, f.epoch, r.Lo, r.Hi})
		}
	}
	return count, s.insert(ctx, t)
}

// countsOf returns how many batches and records of a day count.
func (v view) countsOf(day uint32) (out [2]uint64) {
	for _, list := range v.parts {
		for at, p := range list {
			for _, b := range p.bundles {
				if at.day == day {
					out[0], out[1] = out[0]+b.batches, out[1]+b.records
				}
			}
		}
	}
	return out
}
