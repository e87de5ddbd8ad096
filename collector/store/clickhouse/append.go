package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/usage"
)

// Append makes batches durable: see store.Store. A batch is there as a whole or
// not at all, but a call is not one transaction: after an error some of its
// batches may be there, and the same call again completes it.
func (d *DB) Append(ctx context.Context, batches []usage.Sealed) ([]store.Status, error) {
	out := make([]store.Status, len(batches))
	err := d.transact(ctx, func(w *draft) error {
		var ids []usage.ID
		for i := range batches {
			ids = append(ids, batches[i].Batch.ID())
		}
		var err error
		if w.known, w.prunings, err = d.lookUpIDs(ctx, ids); err != nil {
			return err
		}
		for i := range batches {
			out[i] = w.put(&batches[i])
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("append %d batches: %w", len(batches), err)
	}
	return out, nil
}

// Quarantine keeps bytes aside: see store.Store.
func (d *DB) Quarantine(ctx context.Context, id usage.ID, s usage.Sealed, reason string) error {
	if !utf8.ValidString(id.Agent) || !utf8.ValidString(id.Epoch) {
		return fmt.Errorf("quarantine batch %q: its identity is not text", id)
	}
	err := d.transact(ctx, func(w *draft) error {
		known, _, err := d.lookUpIDs(ctx, []usage.ID{id})
		if err != nil {
			return err
		}
		if w.known = known; !known[id].has(s.Hash) {
			w.aside = append(w.aside, asideRow{id, &s, kindQuarantine, strings.ToValidUTF8(reason, "\ufffd")})
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("quarantine batch %s: %w", id, err)
	}
	return nil
}

// transact lets f fill a draft, and writes it.
func (d *DB) transact(ctx context.Context, f func(*draft) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	d.writing.Lock()
	defer d.writing.Unlock()
	var w draft
	if err := f(&w); err != nil {
		return err
	}
	if err := d.write(ctx, &w); err != nil {
		return err
	}
	d.memo.keep(&w)
	return nil
}

// taken is what is there under one identity.
type taken struct {
	committed bool
	gone      bool         // a pruning merged it: of what it said, its sums are left
	first     usage.Hash   // of the batch that counts, if committed
	others    []usage.Hash // kept aside
}

func (t taken) has(h usage.Hash) bool {
	if t.committed && t.first == h {
		return true
	}
	for _, o := range t.others {
		if o == h {
			return true
		}
	}
	return false
}

// draft is what one call adds to the tables.
type draft struct {
	known    map[usage.ID]taken
	prunings map[uint32]pruning // that count, by day
	batches  []*usage.Sealed
	aside    []asideRow
}

type asideRow struct {
	id     usage.ID
	sealed *usage.Sealed
	kind   string
	reason string
}

// Kinds of rows of the table aside.
const (
	kindConflict   = "conflict"
	kindQuarantine = "quarantine"
)

// put decides what becomes of one batch.
func (w *draft) put(s *usage.Sealed) store.Status {
	id := s.Batch.ID()
	t := w.known[id]
	switch {
	case t.gone:
		return store.Duplicate
	case !t.committed && len(t.others) == 0:
		w.known[id] = taken{committed: true, first: s.Hash}
		w.batches = append(w.batches, s)
		return store.Committed
	case t.committed && t.first == s.Hash, !t.committed && t.has(s.Hash):
		return store.Duplicate
	case !t.has(s.Hash):
		t.others = append(t.others, s.Hash)
		w.known[id] = t
		w.aside = append(w.aside, asideRow{id, s, kindConflict, ""})
	}
	return store.Conflict
}

// write makes a draft durable, on all shards at once: the words first, then what
// is aside, and batches last. Whatever comes first is nothing without its batch.
// A shard that is in trouble does not keep the others from having theirs.
func (d *DB) write(ctx context.Context, w *draft) error {
	shares := make([]share, len(d.shards))
	for _, r := range w.aside {
		p := &shares[d.shardOf(r.id.Agent)]
		p.aside = append(p.aside, r)
	}
	for _, s := range w.batches {
		p := &shares[d.shardOf(s.Batch.Agent)]
		p.batches = append(p.batches, s)
	}
	nowMs := d.options.Now().UnixMilli()
	failed := make([]error, len(d.shards))
	var writing sync.WaitGroup
	for i, s := range d.shards {
		writing.Go(func() { failed[i] = d.writePart(ctx, s, &shares[i], w.prunings, nowMs) })
	}
	writing.Wait()
	return errors.Join(failed...)
}

// share is what a draft adds to one shard.
type share struct {
	batches []*usage.Sealed
	aside   []asideRow
}

func (d *DB) writePart(ctx context.Context, s *shard, p *share, prunings map[uint32]pruning, nowMs int64) error {
	v := d.words.newVocabulary(p.batches)
	for _, t := range append(v.tables(), asideTable(p.aside, nowMs), batchTable(p.batches, prunings, nowMs)) {
		if err := s.insert(ctx, t); err != nil {
			return err
		}
	}
	d.words.keep(v)
	return nil
}
