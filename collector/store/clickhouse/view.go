package clickhouse

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2/ext"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/owner"
	"github.com/gpumeter/gpumeter/usage"
)

// Events returns events of one millisecond by node, kind, GPU, value and
// detail.
func (d *DB) Events(ctx context.Context, fromMs, toMs int64, limit int) ([]store.Event, error) {
	return d.EventsOf(ctx, store.EventQuery{FromMs: fromMs, ToMs: toMs, Limit: limit})
}

// EventsOf lets every shard return its first: see store.Evidence.
func (d *DB) EventsOf(ctx context.Context, q store.EventQuery) ([]store.Event, error) {
	out, err := d.eventsOf(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	slices.SortFunc(out, func(a, b store.Event) int {
		return cmp.Or(cmp.Compare(a.AtMs, b.AtMs), cmp.Compare(a.Node, b.Node), cmp.Compare(a.Kind, b.Kind),
			cmp.Compare(a.GPU, b.GPU), cmp.Compare(a.Value, b.Value), cmp.Compare(a.Detail, b.Detail))
	})
	return out[:min(len(out), max(q.Limit, 0))], nil
}

func (d *DB) eventsOf(ctx context.Context, q store.EventQuery) ([]store.Event, error) {
	kinds, err := table("asked_kinds", q.Kinds, func(k usage.EventKind) []any { return []any{string(k)} }, ext.Column("text", "String"))
	if err != nil {
		return nil, err
	}
	nodes, err := table("asked_nodes", []string{q.Node}, func(s string) []any { return []any{s} }, ext.Column("text", "String"))
	if err != nil {
		return nil, err
	}
	numbers := map[string]int64{"from": q.FromMs, "to": q.ToMs, "limit": int64(max(q.Limit, 0)), "every_node": 0, "every_kind": 0}
	if q.Node == "" {
		numbers["every_node"] = 1
	}
	if len(q.Kinds) == 0 {
		numbers["every_kind"] = 1
	}
	v, err := d.settle(ctx)
	if err != nil {
		return nil, err
	}
	return gather(ctx, d, v.ask(sqlEvents, numbers, kinds, nodes), func(r driver.Rows) (e store.Event, err error) {
		var at row
		err = r.Scan(&at.agent, &at.epoch, &at.seq, &at.place, &e.Node, &e.AtMs, (*string)(&e.Kind), &e.GPU, &e.Value, &e.Detail)
		return e, err
	})
}

// Extent looks at every batch.
func (d *DB) Extent(ctx context.Context) (store.Extent, error) {
	v, err := d.settle(ctx)
	if err != nil {
		return store.Extent{}, fmt.Errorf("read extent: %w", err)
	}
	x, err := v.extent(ctx)
	if err != nil {
		return store.Extent{}, fmt.Errorf("read extent: %w", err)
	}
	return store.Extent{FromMs: x.FromMs, ToMs: x.ToMs}, nil
}

// extent returns the span that all records cover; empty if there are none.
func (v view) extent(ctx context.Context) (owner.Span, error) {
	parts, err := gather(ctx, v.DB, v.ask(sqlExtent, nil), func(r driver.Rows) (x owner.Span, err error) {
		return x, r.Scan(&x.FromMs, &x.ToMs)
	})
	var out owner.Span
	for _, x := range parts {
		switch {
		case x.Empty(): // a shard without records
		case out.Empty():
			out = x
		default:
			out = owner.Span{FromMs: min(out.FromMs, x.FromMs), ToMs: max(out.ToMs, x.ToMs)}
		}
	}
	return out, err
}

// Counts counts batches that wait in a table to be collapsed once.
func (d *DB) Counts(ctx context.Context) (store.Counts, error) {
	out, err := d.counts(ctx)
	if err != nil {
		return store.Counts{}, fmt.Errorf("count: %w", err)
	}
	return out, nil
}

func (d *DB) counts(ctx context.Context) (out store.Counts, err error) {
	v, err := d.settle(ctx)
	if err != nil {
		return out, err
	}
	pair := func(r driver.Rows) (n [2]uint64, err error) { return n, r.Scan(&n[0], &n[1]) }
	batches, err := gather(ctx, d, v.ask(sqlCounts, nil), pair)
	if err != nil {
		return out, err
	}
	aside, err := gather(ctx, d, query{text: sqlCountsAside}, pair)
	if err != nil {
		return out, err
	}
	units, err := gather(ctx, d, v.ask(sqlUnitNumbers, nil), func(r driver.Rows) (n int64, err error) { return n, r.Scan(&n) })
	if err != nil {
		return out, err
	}
	for _, n := range batches {
		out.Batches, out.Records = out.Batches+int64(n[0]), out.Records+int64(n[1])
	}
	for _, n := range aside {
		out.Conflicts, out.Quarantined = out.Conflicts+int64(n[0]), out.Quarantined+int64(n[1])
	}
	slices.Sort(units)
	out.Units = int64(len(slices.Compact(units)))
	out.Conflicts += int64(v.conflicts)
	return out, nil
}
