package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"

	duck "github.com/duckdb/duckdb-go/v2"
)

// checkpointBytes is how long DuckDB's log grows before it is moved into the
// database file: as long as DuckDB lets it grow by itself. After readers were in
// the way, the next attempt comes when it has grown by patienceBytes.
const (
	checkpointBytes = 16 << 20
	patienceBytes   = 1 << 20
)

// neverCheckpoint makes DuckDB leave all checkpoints to this package, because
// saveBlocks must come before each.
const neverCheckpoint = "1000000GB"

// errReaders says that a checkpoint has to wait: a reader still sees what a
// transaction changed or took away.
var errReaders = errors.New("a reader is in the way")

// checkpoint moves the log into the database file. Whatever stops it, the next
// start finds all that was committed. The caller is the only one who writes.
func (f *folder) checkpoint(ctx context.Context, conn *sql.Conn, storeID string) error {
	if err := f.saveBlocks(ctx, conn, storeID); err != nil {
		return fmt.Errorf("save blocks before a checkpoint: %w", err)
	}
	err := exec(ctx, conn, "CHECKPOINT store")
	var refused *duck.Error
	if errors.As(err, &refused) && refused.Type == duck.ErrorTypeTransaction {
		err = fmt.Errorf("%w: %w", errReaders, err)
	}
	if err != nil {
		return err // the saved blocks stay: they do no harm where nothing was written
	}
	_ = os.Remove(f.path(doublewriteName)) // of no account any more: the headers are others
	return nil
}

// CheckpointErrors returns how many times, since Open, what was committed could
// not be moved from the log into the database file. It stays in the log, which
// grows until a later attempt succeeds.
func (d *DB) CheckpointErrors() int64 { return d.checkpointErrors.Load() }

// checkpointIfDue follows a transaction, which is durable whatever becomes of
// the checkpoint: a failure is told in the log, and the next attempt waits
// until DuckDB's log has grown. Its caller writes.
func (d *DB) checkpointIfDue(ctx context.Context) {
	info, err := os.Stat(d.folder.path(databaseName + ".wal"))
	if err != nil || info.Size() < checkpointBytes {
		d.checkpointAt = 0
		return
	}
	if info.Size() < d.checkpointAt {
		return
	}
	ctx = context.WithoutCancel(ctx)
	err = d.checkpoint(ctx)
	switch {
	case err == nil:
		d.checkpointAt = 0
	case errors.Is(err, errReaders):
		d.checkpointAt = info.Size() + patienceBytes
		d.options.Log.Debug("checkpoint waits", "dir", d.folder.dir, "wal_bytes", info.Size(), "error", err)
	default:
		d.checkpointAt = info.Size() + checkpointBytes
		d.checkpointErrors.Add(1)
		d.options.Log.Error("checkpoint failed", "dir", d.folder.dir, "wal_bytes", info.Size(), "error", err)
		if err := d.revive(ctx); err != nil {
			d.options.Log.Error("database not opened again", "dir", d.folder.dir, "error", err)
		}
	}
}

// checkpoint finds out whether DuckDB still works if it fails: after some errors
// it refuses everything.
func (d *DB) checkpoint(ctx context.Context) error {
	conn, release, err := d.conn(ctx)
	if err != nil {
		return err
	}
	defer release()
	err = d.folder.checkpoint(ctx, conn, d.id)
	if err != nil {
		d.stale = exec(ctx, conn, "SELECT store_id FROM meta") != nil
	}
	return err
}
