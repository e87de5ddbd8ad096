package clickhouse

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2/ext"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/owner"
	"github.com/gpumeter/gpumeter/usage"
)

// view is the tables when it is settled which batches count.
type view struct {
	*DB
	parts     []map[partition]*part // of every shard
	left      []loser               // batches that do not count
	losers    *ext.Table            // the same
	conflicts int                   // how many they are
	prunings  map[uint32]pruning    // that count, by day
	needs     needs                 // what these need
	pruned    *ext.Table            // since when what was received of a day counts, where there is older
}

// settle finds the batches that do not count. All that one answer says rests on
// one look.
func (d *DB) settle(ctx context.Context) (view, error) {
	prunings, err := d.readPrunings(ctx)
	if err != nil {
		return view{}, err
	}
	return d.settleWith(ctx, prunings)
}

// settleWith is settle as of some prunings.
func (d *DB) settleWith(ctx context.Context, prunings map[uint32]pruning) (view, error) {
	v := view{DB: d, prunings: prunings, needs: d.needsOf(prunings)}
	for _, s := range d.shards {
		list, err := s.look(ctx, prunings, v.needs[s.number].parts)
		if err != nil {
			return view{}, fmt.Errorf("look at the batches of shard %d: %w", s.number, err)
		}
		v.parts = append(v.parts, list)
	}
	var err error
	if v.left, err = d.losers(ctx, v.parts, v.needs); err != nil {
		return view{}, err
	}
	v.conflicts = len(v.left)
	if v.losers, err = loserTable(v.left); err != nil {
		return view{}, err
	}
	v.pruned, err = v.prunedTable()
	return v, err
}

// ask makes a query of the batches that count.
func (v view) ask(text string, numbers map[string]int64, tables ...*ext.Table) query {
	q := ask(text, numbers, append(tables, v.losers, v.pruned)...)
	q.needs = v.needs
	return q
}

// partTable makes the temporary table asked_parts: the partitions in which
// records may overlap some spans.
func (v view) partTable(spans []owner.Span) (*ext.Table, error) {
	return v.partsWith(func(p *part) bool {
		hull := p.hull()
		return slices.ContainsFunc(spans, func(x owner.Span) bool { return !hull.Clip(x).Empty() })
	})
}

// allParts is partTable for batches without records too.
func (v view) allParts() (*ext.Table, error) {
	return v.partsWith(func(p *part) bool { return len(p.bundles) > 0 })
}

func (v view) partsWith(wanted func(*part) bool) (*ext.Table, error) {
	asked := map[partition]bool{}
	for _, list := range v.parts {
		for at, p := range list {
			if wanted(p) {
				asked[at] = true
			}
		}
	}
	return partitionTable("asked_parts", slices.Collect(maps.Keys(asked)))
}

// Events returns events in the order of store.Event.Compare.
func (d *DB) Events(ctx context.Context, fromMs, toMs int64, limit int) ([]store.Event, error) {
	return d.EventsOf(ctx, store.EventQuery{FromMs: fromMs, ToMs: toMs, Limit: limit})
}

// EventsOf lets every shard return its first: see store.Evidence.
func (d *DB) EventsOf(ctx context.Context, q store.EventQuery) ([]store.Event, error) {
	out, err := d.eventsOf(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	slices.SortFunc(out, store.Event.Compare)
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
	type onNode struct {
		store.Event
		node int64
	}
	list, err := gather(ctx, d, v.ask(sqlEvents, numbers, kinds, nodes), func(r driver.Rows) (e onNode, err error) {
		var at row
		err = r.Scan(&at.agent, &at.epoch, &at.seq, &at.place, &e.node, &e.Node, &e.AtMs, (*string)(&e.Kind), &e.GPU, &e.Value, &e.Detail)
		return e, err
	})
	if err != nil {
		return nil, err
	}
	var on []int64
	var out []store.Event
	for _, e := range list {
		on, out = append(on, e.node), append(out, e.Event)
	}
	where, err := lookUp(ctx, d, &d.words.nodes, on, "node", sqlNodes, scanNode, maxUnits)
	for i := range out {
		out[i].Cloud = where[on[i]].Cloud
	}
	return out, err
}

// Extent is known of every partition.
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

// extent returns the span that all records cover; empty if there are none. It
// looks at every batch only where one that does not count may be the first or
// the last.
func (v view) extent(ctx context.Context) (out owner.Span, err error) {
	for _, list := range v.parts {
		for _, p := range list {
			out = hullWith(out, p.hull())
		}
	}
	if !slices.ContainsFunc(v.left, func(l loser) bool { return l.FromMs == out.FromMs || l.ToMs == out.ToMs }) {
		return out, nil
	}
	parts, err := gather(ctx, v.DB, v.ask(sqlExtent, nil), func(r driver.Rows) (x owner.Span, err error) {
		return x, r.Scan(&x.FromMs, &x.ToMs)
	})
	out = owner.Span{}
	for _, x := range parts { // of a shard without records empty
		out = hullWith(out, x)
	}
	return out, err
}

// Counts adds up what is known of every partition.
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
	there, err := v.there(ctx)
	if err != nil {
		return out, err
	}
	pair := func(r driver.Rows) (n [2]uint64, err error) { return n, r.Scan(&n[0], &n[1]) }
	aside, err := gather(ctx, d, query{text: sqlCountsAside}, pair)
	if err != nil {
		return out, err
	}
	for _, n := range aside {
		out.Conflicts, out.Quarantined = out.Conflicts+int64(n[0]), out.Quarantined+int64(n[1])
	}
	out.Units, out.Conflicts = int64(len(there)), out.Conflicts+int64(v.conflicts)
	for _, list := range v.parts {
		for _, p := range list {
			for _, b := range p.bundles {
				out.Batches, out.Records, out.Pruned = out.Batches+int64(b.batches), out.Records+int64(b.records), out.Pruned+int64(b.pruned)
			}
		}
	}
	for _, l := range v.left {
		out.Batches, out.Records = out.Batches-1, out.Records-int64(l.records)
	}
	return out, nil
}
