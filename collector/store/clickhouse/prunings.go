package clickhouse

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/ClickHouse/clickhouse-go/v2/ext"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/gpumeter/gpumeter/usage"
)

// pruning is one that counts from the moment at which it is in the table
// prunings. What it left of a day is a part of its own on every shard; of what
// else is of the day and not long, only that counts which was received since.
type pruning struct {
	day     uint32 // YYYYMMDD
	number  uint64 // begins with the time, as those of attempts do
	sinceMs int64
	madeMs  int64    // when it began to count
	rows    []uint64 // of the part, on each shard
}

// readPrunings returns the last pruning of each day, and sees to it that the
// numbers which any merged are known.
func (d *DB) readPrunings(ctx context.Context) (map[uint32]pruning, error) {
	var all []pruning
	err := d.shards[0].each(ctx, query{text: sqlPrunings}, func() { all = nil }, func(r driver.Rows) error {
		var p pruning
		err := r.Scan(&p.day, &p.number, &p.sinceMs, &p.madeMs, &p.rows)
		all = append(all, p)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read prunings: %w", err)
	}
	if err := d.learnGone(ctx, all); err != nil {
		return nil, fmt.Errorf("read numbers of what was pruned: %w", err)
	}
	out := map[uint32]pruning{}
	for _, p := range all {
		if out[p.day].number < p.number {
			out[p.day] = p
		}
	}
	return out, nil
}

// counted reports whether a partition counts after some prunings, and since
// when what was received of it does.
func counted(prunings map[uint32]pruning, at partition) (sinceMs int64, counts bool) {
	p, ok := prunings[at.day]
	switch at.part {
	case partLong:
		return 0, true
	case partDay:
		return p.sinceMs, true
	}
	return 0, ok && p.number == at.part
}

// prunedTable makes the temporary table pruned: the days of which there are
// batches beside older ones that do not count any more.
func (v view) prunedTable() (*ext.Table, error) {
	var list []pruning
	for _, p := range v.prunings {
		at := partition{p.day, partDay}
		if slices.ContainsFunc(v.parts, func(parts map[partition]*part) bool { return parts[at] != nil && parts[at].older }) {
			list = append(list, p)
		}
	}
	return table("pruned", list, func(p pruning) []any { return []any{p.day, p.sinceMs} },
		ext.Column("day", "UInt32"), ext.Column("since_ms", "Int64"))
}

// gone are the numbers that prunings merged. They are loaded once for each
// pruning.
type gone struct {
	mu     sync.Mutex // guards what follows
	loaded map[uint64]bool
	seqs   map[feed]usage.Ranges
}

// learnGone loads the numbers of prunings that were not seen yet.
func (d *DB) learnGone(ctx context.Context, all []pruning) error {
	d.gone.mu.Lock()
	defer d.gone.mu.Unlock()
	var fresh []uint64
	for _, p := range all {
		if !d.gone.loaded[p.number] {
			fresh = append(fresh, p.number)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	asked, err := table("asked", fresh, func(n uint64) []any { return []any{n} }, ext.Column("pruning", "UInt64"))
	if err != nil {
		return err
	}
	if d.gone.seqs == nil {
		d.gone.loaded, d.gone.seqs = map[uint64]bool{}, map[feed]usage.Ranges{}
	}
	err = d.each(ctx, ask(sqlGone, nil, asked), func(r driver.Rows) error {
		var f feed
		var x usage.Range
		err := r.Scan(&f.agent, &f.epoch, &x.Lo, &x.Hi)
		d.gone.seqs[f] = d.gone.seqs[f].AddRange(x)
		return err
	})
	for _, n := range fresh {
		d.gone.loaded[n] = err == nil
	}
	return err
}

// seqsOf returns the numbers of a feed that prunings merged, the caller's to
// keep.
func (g *gone) seqsOf(f feed) usage.Ranges {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.seqs[f])
}

func (g *gone) has(id usage.ID) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.seqs[feed{id.Agent, id.Epoch}].Has(id.Seq)
}
