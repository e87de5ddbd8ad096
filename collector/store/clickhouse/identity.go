package clickhouse

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2/ext"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

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

// lookUpIDs returns what is there under some identities.
func (d *DB) lookUpIDs(ctx context.Context, ids []usage.ID) (map[usage.ID]taken, error) {
	out := make(map[usage.ID]taken, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	asked, err := table("asked", ids, func(id usage.ID) []any { return []any{id.Agent, id.Epoch, id.Seq} },
		ext.Column("agent", "String"), ext.Column("epoch", "String"), ext.Column("seq", "UInt64"))
	if err != nil {
		return nil, err
	}
	committed, err := gather(ctx, d, ask(sqlCommitted, nil, asked), scanVersion)
	if err != nil {
		return nil, fmt.Errorf("look up batches: %w", err)
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
		return nil, fmt.Errorf("look up batches set aside: %w", err)
	}
	for _, v := range aside {
		t := out[v.id]
		t.others = append(t.others, v.hash)
		out[v.id] = t
	}
	return out, nil
}

// rest returns the hashes that do not count when another one does.
func (t taken) rest() []usage.Hash {
	if t.committed {
		return append(t.others, t.first)
	}
	return t.others
}

// losers returns the batches that do not count because one with a lower hash
// got here under the same identity: two collectors took them at the same
// moment, so that neither saw the other.
func (d *DB) losers(ctx context.Context) ([]version, error) {
	all, err := gather(ctx, d, query{text: sqlRaced}, scanVersion)
	if err != nil {
		return nil, fmt.Errorf("look for batches in conflict: %w", err)
	}
	lowest := map[usage.ID]usage.Hash{}
	for _, v := range all {
		if h, ok := lowest[v.id]; !ok || bytes.Compare(v.hash[:], h[:]) < 0 {
			lowest[v.id] = v.hash
		}
	}
	out := map[version]bool{}
	for _, v := range all {
		if lowest[v.id] != v.hash {
			out[v] = true
		}
	}
	d.alarm(out)
	return slices.Collect(maps.Keys(out)), nil
}

// alarm says once of every loser that it is there: its sender was told that it
// is committed.
func (d *DB) alarm(losers map[version]bool) {
	d.memo.mu.Lock()
	defer d.memo.mu.Unlock()
	for v := range losers {
		if !d.memo.alarmed[v] {
			put(&d.memo.alarmed, v, true, maxWords)
			d.options.Log.Warn("two collectors took batches in conflict at one moment; the one with the lower hash counts",
				"batch", v.id.String(), "left_out", v.hash.String())
		}
	}
}

// loserTable makes the temporary table losers.
func loserTable(losers []version) (*ext.Table, error) {
	return table("losers", losers, func(v version) []any {
		return []any{v.id.Agent, v.id.Epoch, v.id.Seq, v.hash[:]}
	}, ext.Column("agent", "String"), ext.Column("epoch", "String"), ext.Column("seq", "UInt64"), ext.Column("hash", "FixedString(32)"))
}

// view is the tables when it is settled which batches count.
type view struct {
	*DB
	losers    *ext.Table
	conflicts int // batches that do not count
}

// settle finds the batches that do not count. All that one answer says rests on
// one look.
func (d *DB) settle(ctx context.Context) (view, error) {
	losers, err := d.losers(ctx)
	if err != nil {
		return view{}, err
	}
	t, err := loserTable(losers)
	return view{d, t, len(losers)}, err
}

// ask makes a query of the batches that count.
func (v view) ask(text string, numbers map[string]int64, tables ...*ext.Table) query {
	return ask(text, numbers, append(tables, v.losers)...)
}
