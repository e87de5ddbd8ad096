package clickhouse

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2/ext"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/owner"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// Stretches reads what is whole by days, so that only days with a lapse are
// read window by window: see store.Evidence.
func (d *DB) Stretches(ctx context.Context, fromMs, toMs int64, f func(contract.Stretch) error) error {
	var list []contract.Stretch
	if fromMs < toMs {
		a := question{Query: contract.Query{Edges: []int64{fromMs, toMs}}, db: d}
		err := a.ask(ctx, func(ctx context.Context) (err error) {
			list, err = a.stretches(ctx)
			return err
		})
		if err != nil {
			return fmt.Errorf("read stretches: %w", err)
		}
	}
	slices.SortFunc(list, func(a, b contract.Stretch) int {
		return cmp.Or(cmp.Compare(a.Unit, b.Unit), cmp.Compare(a.FromMs, b.FromMs))
	})
	for i := 0; i < len(list); i++ {
		s := list[i]
		for s.Whole() && i+1 < len(list) && list[i+1].Unit == s.Unit && list[i+1].FromMs == s.ToMs && list[i+1].Whole() {
			i++
			s.ToMs, s.HealthyMs = list[i].ToMs, s.HealthyMs+list[i].HealthyMs
		}
		if err := f(s); err != nil {
			return fmt.Errorf("read stretches: %w", err)
		}
	}
	return nil
}

// stretches returns whole days, and the windows of the others, in no order.
func (a *question) stretches(ctx context.Context) ([]contract.Stretch, error) {
	type day struct{ unit, day int64 }
	type stretch struct {
		contract.Stretch
		day int64
	}
	days, err := gather(ctx, a.db, a.query(sqlStretchDays), func(r driver.Rows) (s stretch, err error) {
		var healthy uint64
		err = r.Scan(&s.Unit, &s.day, &s.FromMs, &s.ToMs, &healthy)
		s.HealthyMs = int64(healthy)
		return s, err
	})
	if err != nil {
		return nil, err
	}
	lapsed := map[day]bool{}
	for _, s := range days {
		if !s.Whole() {
			lapsed[day{s.Unit, s.day}] = true
		}
	}
	var out []contract.Stretch
	for _, s := range days { // a day may be whole on one shard only
		if !lapsed[day{s.Unit, s.day}] {
			out = append(out, s.Stretch)
		}
	}
	if len(lapsed) == 0 {
		return out, nil
	}
	t, err := table("lapsed", slices.Collect(maps.Keys(lapsed)), func(x day) []any { return []any{x.unit, x.day} },
		ext.Column("unit", "Int64"), ext.Column("day", "Int64"))
	if err != nil {
		return nil, err
	}
	a.tables = append(a.tables, t)
	windows, err := gather(ctx, a.db, a.query(sqlStretchWindows), func(r driver.Rows) (s contract.Stretch, err error) {
		var healthy, unhealthy uint64
		err = r.Scan(&s.Unit, &s.FromMs, &s.ToMs, &healthy, &unhealthy, &s.Fault, &s.Missing)
		s.HealthyMs, s.UnhealthyMs = int64(healthy), int64(unhealthy)
		return s, err
	})
	return append(out, windows...), err
}

// Entries sorts in memory: it is asked for some hours of a node, see
// store.Evidence.
func (d *DB) Entries(ctx context.Context, spans []contract.Span, f func(store.Entry) error) error {
	var edges owner.Span
	for i, s := range spans {
		if i == 0 {
			edges = owner.Span{FromMs: s.FromMs, ToMs: s.ToMs}
		}
		edges = owner.Span{FromMs: min(edges.FromMs, s.FromMs), ToMs: max(edges.ToMs, s.ToMs)}
	}
	if edges.Empty() {
		return nil
	}
	a := question{Query: contract.Query{Spans: spans, Edges: []int64{edges.FromMs, edges.ToMs}}, db: d}
	var out []store.Entry
	err := a.ask(ctx, func(ctx context.Context) (err error) {
		out, err = a.records(ctx, sqlEntries)
		return err
	})
	if err != nil {
		return fmt.Errorf("read entries: %w", err)
	}
	slices.SortFunc(out, compareEntries)
	for _, e := range out {
		if err := f(e); err != nil {
			return fmt.Errorf("read entries: %w", err)
		}
	}
	return nil
}

func compareEntries(a, b store.Entry) int {
	x, y := a.Holder, b.Holder
	return cmp.Or(cmp.Compare(a.GPU, b.GPU), cmp.Compare(a.StartMs, b.StartMs), cmp.Compare(a.EndMs, b.EndMs),
		cmp.Compare(x.Basis, y.Basis), cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Group, y.Group), cmp.Compare(x.Name, y.Name),
		cmp.Compare(x.Part, y.Part), cmp.Compare(x.Labels, y.Labels), cmp.Compare(a.Reason, b.Reason),
		cmp.Compare(a.BusyMs, b.BusyMs), cmp.Compare(a.IdleMs, b.IdleMs), cmp.Compare(a.UnallocatedMs, b.UnallocatedMs),
		cmp.Compare(a.UnmeasuredMs, b.UnmeasuredMs), cmp.Compare(a.UnhealthyMs, b.UnhealthyMs), cmp.Compare(a.EnergyMJ, b.EnergyMJ))
}

// Links reads the table of batches: see store.Evidence.
func (d *DB) Links(ctx context.Context, agent, epoch string, lo, hi uint64) ([]store.Link, error) {
	asked, err := table("asked", []feed{{agent, epoch}}, func(f feed) []any { return []any{f.agent, f.epoch, lo, hi} },
		ext.Column("agent", "String"), ext.Column("epoch", "String"), ext.Column("lo", "UInt64"), ext.Column("hi", "UInt64"))
	if err != nil {
		return nil, err
	}
	v, err := d.settle(ctx)
	if err != nil {
		return nil, fmt.Errorf("read batches: %w", err)
	}
	parts, err := v.allParts()
	if err != nil {
		return nil, fmt.Errorf("read batches: %w", err)
	}
	out, err := gather(ctx, d, v.ask(sqlLinks, nil, asked, parts), func(r driver.Rows) (store.Link, error) {
		l := store.Link{ID: usage.ID{Agent: agent, Epoch: epoch}}
		var hash []byte
		var prev string
		var records, events uint64
		err := r.Scan(&l.Seq, &l.Node, &hash, &prev, &l.ReceivedMs, &records, &events)
		copy(l.Hash[:], hash)
		l.Prev, l.Records, l.Events = hex.EncodeToString([]byte(prev)), int(records), int(events)
		return l, err
	})
	if err != nil {
		return nil, fmt.Errorf("read batches of %.8s/%.8s: %w", agent, epoch, err)
	}
	slices.SortFunc(out, func(a, b store.Link) int { return cmp.Compare(a.Seq, b.Seq) })
	return out, nil
}

// Beat adds a row to the first shard: see store.Evidence.
func (d *DB) Beat(ctx context.Context, life contract.Life) error {
	err := d.shards[0].insert(ctx, rows{table: "lives", columns: "start_ms, beat_ms", list: [][]any{{life.FromMs, life.ToMs}}})
	if err != nil {
		return fmt.Errorf("write sign of life: %w", err)
	}
	return nil
}

// Lives reads the table of lives: see store.Evidence.
func (d *DB) Lives(ctx context.Context) ([]contract.Life, error) {
	var out []contract.Life
	err := d.shards[0].each(ctx, query{text: sqlLives}, func() { out = nil }, func(r driver.Rows) error {
		var l contract.Life
		err := r.Scan(&l.FromMs, &l.ToMs)
		out = append(out, l)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read signs of life: %w", err)
	}
	return out, nil
}
