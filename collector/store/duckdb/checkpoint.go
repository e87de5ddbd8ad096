package duckdb

import (
	"context"
	"database/sql"
	"fmt"
	"os"
)

// checkpointBytes is how long DuckDB's log grows before it is moved into the
// database file: as long as DuckDB lets it grow by itself.
const checkpointBytes = 16 << 20

// neverCheckpoint makes DuckDB leave all checkpoints to this package, because
// saveBlocks must come before each.
const neverCheckpoint = "1000000GB"

// checkpoint moves the log into the database file. Whatever stops it, the next
// start finds all that was committed. The caller is the only one who writes.
// dead says that DuckDB refuses all work from now on.
func (f *folder) checkpoint(ctx context.Context, conn *sql.Conn) (dead bool, err error) {
	if err := f.saveBlocks(ctx, conn); err != nil {
		return false, fmt.Errorf("save blocks before a checkpoint: %w", err)
	}
	if err := exec(ctx, conn, "CHECKPOINT store"); err != nil {
		return true, err
	}
	return false, os.Remove(f.path(doublewriteName))
}

// CheckpointErrors returns how many times, since Open, what was committed could
// not be moved from the log into the database file. It stays in the log, which
// grows until a later attempt succeeds.
func (d *DB) CheckpointErrors() int64 { return d.checkpointErrors.Load() }

// checkpointIfDue follows a transaction, which is durable whatever becomes of
// the checkpoint: a failure is told in the log, and the next attempt waits
// until DuckDB's log has grown once more.
func (d *DB) checkpointIfDue(ctx context.Context, conn *sql.Conn) {
	info, err := os.Stat(d.folder.path(databaseName + ".wal"))
	if err != nil || info.Size() < d.failedAt+checkpointBytes {
		return
	}
	d.failedAt = 0
	if d.stale, err = d.folder.checkpoint(context.WithoutCancel(ctx), conn); err == nil {
		return
	}
	d.failedAt = info.Size()
	d.checkpointErrors.Add(1)
	d.options.Log.Error("checkpoint failed", "dir", d.folder.dir, "wal_bytes", info.Size(), "error", err)
}
