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

// feed is what sequence numbers count in.
type feed struct{ agent, epoch string }

// memo holds sequence numbers that were seen committed, so that they are not
// read again and again. As nothing committed is taken away, it may lack
// numbers, and never has one too many. A database that was restored from a
// backup needs collectors that were started afterwards.
type memo struct {
	mu      sync.Mutex // guards what follows
	seqs    map[feed]usage.Ranges
	alarmed map[version]bool // losers that were reported
}

// maxFeeds bounds the memo; beyond it begins anew.
const maxFeeds = 1 << 20

// add notes numbers and returns all of the feed, the caller's to keep.
func (m *memo) add(f feed, list []usage.Range) usage.Ranges {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seqs == nil || len(m.seqs) >= maxFeeds {
		m.seqs = map[feed]usage.Ranges{}
	}
	r := m.seqs[f]
	for _, x := range list {
		r = r.AddRange(x)
	}
	m.seqs[f] = r
	return slices.Clone(r)
}

// keep notes what a draft wrote, of the feeds that are known.
func (m *memo) keep(w *draft) {
	m.mu.Lock()
	defer m.mu.Unlock()
	note := func(id usage.ID) {
		if r, ok := m.seqs[feed{id.Agent, id.Epoch}]; ok {
			m.seqs[feed{id.Agent, id.Epoch}] = r.Add(id.Seq)
		}
	}
	for _, s := range w.batches {
		note(s.Batch.ID())
	}
	for _, r := range w.aside {
		note(r.id)
	}
}

// frontier returns a number up to which all of a feed is known, from 1 on.
func (m *memo) frontier(f feed) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r := m.seqs[f]; len(r) > 0 && r[0].Lo <= 1 {
		return r[0].Hi
	}
	return 0
}

// Seqs reads what other collectors may have committed since it was last asked.
// The set is the caller's to keep.
func (d *DB) Seqs(ctx context.Context, agent, epoch string) (usage.Ranges, error) {
	f := feed{agent, epoch}
	asked, err := table("asked", []feed{f}, func(f feed) []any { return []any{f.agent, f.epoch, d.memo.frontier(f)} },
		ext.Column("agent", "String"), ext.Column("epoch", "String"), ext.Column("frontier", "UInt64"))
	if err != nil {
		return nil, err
	}
	prunings, err := d.readPrunings(ctx)
	if err != nil {
		return nil, err
	}
	var list []usage.Range
	for _, text := range []string{sqlSeqs, sqlSeqsAside} {
		q := ask(text, nil, asked)
		q.needs = d.needsOf(prunings)
		blocks, err := gather(ctx, d, q, scanBlock)
		if err != nil {
			return nil, fmt.Errorf("read committed numbers of %.8s/%.8s: %w", agent, epoch, err)
		}
		list = append(list, slices.Concat(blocks...)...)
	}
	if _, err := d.readPrunings(ctx); err != nil {
		return nil, err
	}
	return d.memo.add(f, append(list, d.gone.seqsOf(f)...)), nil
}

// scanBlock returns the numbers of a block: one interval if it holds all
// between its lowest and highest.
func scanBlock(r driver.Rows) ([]usage.Range, error) {
	var lo, hi uint64
	var holes []uint64
	if err := r.Scan(&lo, &hi, &holes); err != nil {
		return nil, err
	}
	if len(holes) == 0 {
		return []usage.Range{{Lo: lo, Hi: hi}}, nil
	}
	var out usage.Ranges
	for _, n := range holes {
		out = out.Add(n)
	}
	return out, nil
}
