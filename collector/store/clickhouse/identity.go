package clickhouse

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2/ext"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/gpumeter/gpumeter/collector/store/owner"
	"github.com/gpumeter/gpumeter/usage"
)

// version is one content under an identity.
type version struct {
	id   usage.ID
	hash usage.Hash
}

func scanVersion(r driver.Rows) (v version, err error) {
	var hash []byte
	err = r.Scan(&v.id.Agent, &v.id.Epoch, &v.id.Seq, &hash)
	copy(v.hash[:], hash)
	return v, err
}

// lookUpIDs returns what is there under some identities, and the prunings that
// count then.
func (d *DB) lookUpIDs(ctx context.Context, ids []usage.ID) (map[usage.ID]taken, map[uint32]pruning, error) {
	out := make(map[usage.ID]taken, len(ids))
	if len(ids) == 0 {
		return out, nil, nil
	}
	asked, err := table("asked", ids, func(id usage.ID) []any { return []any{id.Agent, id.Epoch, id.Seq} },
		ext.Column("agent", "String"), ext.Column("epoch", "String"), ext.Column("seq", "UInt64"))
	if err != nil {
		return nil, nil, err
	}
	before, err := d.readPrunings(ctx)
	if err != nil {
		return nil, nil, err
	}
	q := ask(sqlCommitted, nil, asked)
	q.needs = d.needsOf(before)
	committed, err := gather(ctx, d, q, scanVersion)
	if err != nil {
		return nil, nil, fmt.Errorf("look up batches: %w", err)
	}
	for _, v := range committed {
		if t := out[v.id]; !t.committed || bytes.Compare(v.hash[:], t.first[:]) < 0 {
			out[v.id] = taken{committed: true, first: v.hash, others: t.rest()}
		} else if t.first != v.hash {
			t.others = append(t.others, v.hash)
			out[v.id] = t
		}
	}
	aside, err := gather(ctx, d, ask(sqlAside, nil, asked), scanVersion)
	if err != nil {
		return nil, nil, fmt.Errorf("look up batches set aside: %w", err)
	}
	for _, v := range aside {
		t := out[v.id]
		t.others = append(t.others, v.hash)
		out[v.id] = t
	}
	prunings, err := d.markGone(ctx, ids, out)
	return out, prunings, err
}

// markGone says of which identities the batches went. It looks after batches
// were looked up, as prunings count long before batches are deleted.
func (d *DB) markGone(ctx context.Context, ids []usage.ID, out map[usage.ID]taken) (map[uint32]pruning, error) {
	prunings, err := d.readPrunings(ctx)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if d.gone.has(id) {
			t := out[id]
			t.gone = true
			out[id] = t
		}
	}
	return prunings, nil
}

// rest returns the hashes that do not count when another one does.
func (t taken) rest() []usage.Hash {
	if t.committed {
		return append(t.others, t.first)
	}
	return t.others
}

// loser is a batch that does not count because one with a lower hash got here
// under the same identity: two collectors took them at the same moment, so that
// neither saw the other.
type loser struct {
	version
	owner.Span        // of its records
	records    uint64 // how many
}

// losers returns the losers of all shards.
func (d *DB) losers(ctx context.Context, parts []map[partition]*part, needs needs) ([]loser, error) {
	var all []loser
	for i, s := range d.shards {
		list, err := s.raced(ctx, suspects(parts[i]), needs)
		if err != nil {
			return nil, fmt.Errorf("look for batches in conflict on shard %d: %w", s.number, err)
		}
		all = append(all, list...)
	}
	lowest := map[usage.ID]usage.Hash{}
	for _, v := range all {
		if h, ok := lowest[v.id]; !ok || bytes.Compare(v.hash[:], h[:]) < 0 {
			lowest[v.id] = v.hash
		}
	}
	var out []loser
	seen := map[version]bool{}
	for _, v := range all {
		if lowest[v.id] != v.hash && !seen[v.version] {
			seen[v.version] = true
			out = append(out, v)
		}
	}
	d.alarm(out)
	return out, nil
}

// suspects returns the feeds of a shard of which a number may have several
// contents: in one partition, or in two whose numbers overlap.
func suspects(parts map[partition]*part) []feed {
	ranges, found := map[feed][]usage.Range{}, map[feed]bool{}
	for _, p := range parts {
		for _, n := range p.feeds {
			ranges[n.feed] = append(ranges[n.feed], n.Range)
			if n.raced {
				found[n.feed] = true
			}
		}
	}
	for f, list := range ranges {
		slices.SortFunc(list, func(a, b usage.Range) int { return cmp.Compare(a.Lo, b.Lo) })
		for i := 1; i < len(list) && !found[f]; i++ {
			found[f] = list[i].Lo <= list[i-1].Hi
			list[i].Hi = max(list[i].Hi, list[i-1].Hi)
		}
	}
	for f, is := range found {
		if !is {
			delete(found, f)
		}
	}
	return slices.Collect(maps.Keys(found))
}

// raced returns all versions of the batches of some feeds that have several.
func (s *shard) raced(ctx context.Context, suspects []feed, needs needs) (out []loser, err error) {
	if len(suspects) == 0 {
		return nil, nil
	}
	t, err := table("suspects", suspects, func(f feed) []any { return []any{f.agent, f.epoch} },
		ext.Column("agent", "String"), ext.Column("epoch", "String"))
	if err != nil {
		return nil, err
	}
	q := ask(sqlRaced, nil, t)
	q.needs = needs
	err = s.each(ctx, q, func() { out = nil }, func(r driver.Rows) error {
		var l loser
		var hash []byte
		err := r.Scan(&l.id.Agent, &l.id.Epoch, &l.id.Seq, &hash, &l.FromMs, &l.ToMs, &l.records)
		copy(l.hash[:], hash)
		out = append(out, l)
		return err
	})
	return out, err
}

// alarm says once of every loser that it is there: its sender was told that it
// is committed.
func (d *DB) alarm(losers []loser) {
	d.memo.mu.Lock()
	defer d.memo.mu.Unlock()
	for _, l := range losers {
		if v := l.version; !d.memo.alarmed[v] {
			put(&d.memo.alarmed, v, true, maxWords)
			d.options.Log.Warn("two collectors took batches in conflict at one moment; the one with the lower hash counts",
				"batch", v.id.String(), "left_out", v.hash.String())
		}
	}
}

// loserTable makes the temporary table losers.
func loserTable(losers []loser) (*ext.Table, error) {
	return table("losers", losers, func(v loser) []any {
		return []any{v.id.Agent, v.id.Epoch, v.id.Seq, v.hash[:]}
	}, ext.Column("agent", "String"), ext.Column("epoch", "String"), ext.Column("seq", "UInt64"), ext.Column("hash", "FixedString(32)"))
}
