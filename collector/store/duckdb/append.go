package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/usage"
)

// Append makes batches durable in one transaction: see store.Store. It keeps
// nothing of the batches. A batch whose identity is taken is looked up in the
// tables, which takes some milliseconds for a call that has any.
func (d *DB) Append(ctx context.Context, batches []usage.Sealed) ([]store.Status, error) {
	out := make([]store.Status, len(batches))
	err := d.transact(ctx, func(conn *sql.Conn, w *draft) error {
		first, err := d.firstHashes(ctx, conn, batches)
		if err != nil {
			return err
		}
		for i := range batches {
			hash, ok := first[batches[i].Batch.ID()]
			out[i] = w.put(&batches[i], hash, ok)
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
	err := d.transact(ctx, func(conn *sql.Conn, w *draft) error {
		same := usage.Sealed{Hash: s.Hash, Batch: usage.Batch{Agent: id.Agent, Epoch: id.Epoch, Seq: id.Seq}}
		first, err := d.firstHashes(ctx, conn, []usage.Sealed{same})
		if err != nil {
			return err
		}
		if hash, ok := first[id]; ok && hash == s.Hash || w.kept(id, s.Hash) || w.gone(id) {
			return nil
		}
		w.quarantine(id, &s, reason)
		return nil
	})
	if err != nil {
		return fmt.Errorf("quarantine batch %s: %w", id, err)
	}
	return nil
}

// transact lets f fill a draft, and makes the draft durable and visible, or
// nothing of it.
func (d *DB) transact(ctx context.Context, f func(*sql.Conn, *draft) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	d.writing.Lock()
	defer d.writing.Unlock()
	if err := d.revive(ctx); err != nil {
		return err
	}
	if err := d.transaction(ctx, f); err != nil {
		return err
	}
	d.checkpointIfDue(ctx)
	return nil
}

// transaction is transact's, whose caller writes.
func (d *DB) transaction(ctx context.Context, f func(*sql.Conn, *draft) error) error {
	conn, release, err := d.conn(ctx)
	if err != nil {
		return err
	}
	defer release()
	w := newDraft(d.state)
	if err := f(conn, w); err != nil {
		return err
	}
	if w.empty() {
		return d.syncNames()
	}
	if err := exec(ctx, conn, "BEGIN"); err != nil {
		return err
	}
	if err := errors.Join(w.write(ctx, conn, d.receivedMs()), ctx.Err()); err != nil {
		return errors.Join(err, end(ctx, conn, "ROLLBACK"))
	}
	if err := d.commit(ctx, conn, w); err != nil {
		return err
	}
	return d.syncNames()
}

// receivedMs is when what is written now was received: never on a day that is
// closed, also if the clock says so.
func (d *DB) receivedMs() int64 {
	return max(d.options.Now().UnixMilli(), d.notBefore, d.state.lastDay.until())
}

// syncNames makes the name of DuckDB's log durable. DuckDB makes the file anew
// after a checkpoint and syncs what is in it, but not the folder.
func (d *DB) syncNames() error {
	if !d.unsynced {
		return nil
	}
	if err := d.folder.sync(); err != nil {
		return fmt.Errorf("sync data folder: %w", err)
	}
	d.unsynced = false
	return nil
}

// commit is not interrupted by ctx: an outcome that nobody waits for would be
// unknown.
func (d *DB) commit(ctx context.Context, conn *sql.Conn, w *draft) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := end(ctx, conn, "COMMIT"); err != nil {
		d.stale = true
		d.options.Log.Error("commit failed", "dir", d.folder.dir, "error", err)
		return err
	}
	w.keep()
	d.unsynced = true
	if err := d.folder.writeTally(tallyOf(d.id, d.state)); err != nil {
		d.options.Log.Warn("tally not written", "dir", d.folder.dir, "error", err)
	}
	return nil
}

// revive opens the database again after a COMMIT or a checkpoint failed. DuckDB
// refuses all work once it could not move its log into the file, though what it
// logged is durable; and whether a failed transaction was is for the tables to
// say.
func (d *DB) revive(ctx context.Context) error {
	if !d.stale {
		return nil
	}
	d.using.Lock()
	defer d.using.Unlock()
	_ = d.sql.Close() // it may say again what is wrong
	fresh, err := d.folder.start(ctx, d.options)
	if err != nil {
		return fmt.Errorf("open the database again after a failed commit or checkpoint: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	fresh.state.follow(d.state)
	d.sql, d.state, d.stale = fresh.sql, fresh.state, false
	d.options.Log.Info("database opened again", "dir", d.folder.dir)
	return nil
}

// firstHashes returns the hashes of the batches in the tables that have the
// identity of one of these.
func (d *DB) firstHashes(ctx context.Context, conn *sql.Conn, batches []usage.Sealed) (map[usage.ID]usage.Hash, error) {
	var streams []int32
	var seqs []uint64
	for i := range batches {
		b := &batches[i].Batch
		if !d.state.seqs[feed{b.Agent, b.Epoch}].Has(b.Seq) {
			continue
		}
		for _, evidence := range []usage.Evidence{usage.EvidenceAgent, usage.EvidencePrometheus} {
			if id := d.state.streams.ids[stream{b.Agent, b.Epoch, evidence}]; id != 0 {
				streams, seqs = append(streams, id), append(seqs, b.Seq)
			}
		}
	}
	if len(streams) == 0 {
		return nil, nil
	}
	out := make(map[usage.ID]usage.Hash, len(streams))
	return out, each(ctx, conn, sqlFirstHashes, func(scan func(...any) error) error {
		var id int32
		var seq uint64
		var hash []byte
		if err := scan(&id, &seq, &hash); err != nil {
			return err
		}
		s := d.state.streams.list[id-1]
		out[usage.ID{Agent: s.agent, Epoch: s.epoch, Seq: seq}] = usage.Hash(hash)
		return nil
	}, streams, seqs)
}

// write adds the draft's rows to the tables.
func (d *draft) write(ctx context.Context, conn *sql.Conn, nowMs int64) error {
	if err := errors.Join(d.roll.clear(ctx, conn), d.prune.clear(ctx, conn)); err != nil {
		return err
	}
	for _, t := range append(append(d.tables(nowMs), d.dayTable()), d.pruneTables(nowMs)...) {
		if err := t.appendTo(ctx, conn, "store"); err != nil {
			return err
		}
	}
	return nil
}
