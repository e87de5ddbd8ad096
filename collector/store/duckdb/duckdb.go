// Package duckdb keeps batches in one DuckDB file in a data folder: the store
// of a collector on one machine.
//
// One process holds a folder at a time. What Append has returned is durable:
// all batches of a call are one DuckDB transaction, and COMMIT returns after
// DuckDB has written them to its log (gpumeter.duckdb.wal) and called fsync on
// it; then the folder is synced too. docs/storage.md describes the tables.
package duckdb

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gpumeter/gpumeter/collector/store"
)

// Options are how a store is opened. The zero Options are good.
type Options struct {
	// MemoryLimit is how much DuckDB may use, in bytes; 512 MB if 0. What goes
	// beyond is spilled to the data folder. The state that a DB keeps of its
	// own comes on top: about a kilobyte for each GPU.
	MemoryLimit int64
	Threads     int          // of DuckDB; GOMAXPROCS if 0
	Log         *slog.Logger // discarded if nil
	// ReadOnly opens a store that is there, for reading. Several processes may
	// do so at once, but not beside one that writes.
	ReadOnly bool
	Now      func() time.Time // says when batches were received; time.Now if nil

	writable string // a folder that statements may write into, besides that of the days; none if empty
}

func (o Options) withDefaults() Options {
	if o.MemoryLimit == 0 {
		o.MemoryLimit = 512 << 20
	}
	if o.Threads == 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// DB is a store.Store in a data folder. Its methods may be called
// concurrently; Append and Quarantine take turns.
type DB struct {
	options Options
	folder  *folder
	id      string

	// using is held for reading while a connection is used, and for writing
	// while the database is opened again.
	using sync.RWMutex
	sql   *sql.DB

	rollingUp sync.Mutex // held while hour records are made, and records pruned
	closing   sync.Mutex // held while days are closed or copied

	// writing is held for a whole transaction. Its holder may read the state
	// without mu: nobody else changes it.
	writing sync.Mutex
	// stale says that a COMMIT or a checkpoint failed, so that state may not be
	// what the tables hold, or DuckDB refuses work; guarded by writing.
	stale bool
	// checkpointAt is how long DuckDB's log has to be, bytes, before another
	// checkpoint is tried after one that failed; guarded by writing.
	checkpointAt     int64
	checkpointErrors atomic.Int64
	// unsynced says that the folder's names may not be durable since the last
	// COMMIT; guarded by writing.
	unsynced bool

	// notBefore is the end of a day that is being closed, Unix ms; guarded by
	// writing.
	notBefore int64

	// mu is held for writing while a transaction becomes visible in the tables
	// and in the state, so that under it both say the same.
	mu    sync.RWMutex
	state *state
}

var _ store.Store = (*DB)(nil)

// Open opens the store in a data folder and makes both if they are not there.
// It is an error if another process holds the folder, if what it finds is
// damaged, or was written by a newer version.
func Open(ctx context.Context, dir string, o Options) (*DB, error) {
	o = o.withDefaults()
	f, err := hold(dir, o.ReadOnly)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	db, err := open(ctx, f, o)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open store in %s: %w", dir, err), f.release())
	}
	return db, nil
}

func open(ctx context.Context, f *folder, o Options) (*DB, error) {
	began := o.Now()
	if !o.ReadOnly {
		if err := f.prepare(ctx, o); err != nil {
			return nil, err
		}
	}
	d, err := f.start(ctx, o)
	if err != nil {
		return nil, err
	}
	o.Log.Info("store opened", "dir", f.dir, "store_id", d.id, "records", d.state.counts.Records,
		"units", len(d.state.units.list), "seconds", o.Now().Sub(began).Seconds())
	return d, nil
}

// start opens the database that is there, brings its tables up to date and
// reads the state.
func (f *folder) start(ctx context.Context, o Options) (*DB, error) {
	if err := f.openDatabase(); err != nil {
		return nil, err
	}
	if n, err := f.mend(o.ReadOnly); err != nil {
		return nil, err
	} else if n > 0 {
		o.Log.Warn("a checkpoint was cut short, what it had overwritten is put back", "dir", f.dir, "blocks", n)
	}
	db, err := engine(ctx, f.path(databaseName), f.path(spillName), o)
	if err != nil {
		return nil, fmt.Errorf("%w (the file is damaged, or not a DuckDB database; it was left as it is)", err)
	}
	d := &DB{options: o, folder: f, sql: db}
	if err := d.read(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return d, nil
}

func (d *DB) read(ctx context.Context) error {
	conn, err := d.sql.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	id, changed, err := upgrade(ctx, conn, d.options.ReadOnly)
	if err == nil && changed {
		err = d.folder.checkpoint(ctx, conn, id)
	}
	if err != nil {
		return err
	}
	d.id = id
	if d.state, err = load(ctx, conn); err != nil {
		return err
	}
	return d.folder.checkTally(tallyOf(d.id, d.state))
}

// conn returns a connection; release is called when it is no longer used.
func (d *DB) conn(ctx context.Context) (conn *sql.Conn, release func(), err error) {
	d.using.RLock()
	if conn, err = d.sql.Conn(ctx); err != nil {
		d.using.RUnlock()
		return nil, nil, err
	}
	return conn, func() {
		conn.Close()
		d.using.RUnlock()
	}, nil
}

// prepare clears away what a killed process left, and makes a new database if
// the folder has none.
func (f *folder) prepare(ctx context.Context, o Options) error {
	if err := os.RemoveAll(f.path(spillName)); err != nil {
		return err
	}
	_, err := os.Stat(f.path(databaseName))
	if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return f.create(ctx, o)
}

// openDatabase refuses what DuckDB would take for a new database.
func (f *folder) openDatabase() (err error) {
	if f.database == nil {
		if f.database, err = os.Open(f.path(databaseName)); err != nil {
			return err
		}
	}
	info, err := f.database.Stat()
	if err != nil {
		return err
	}
	if info.Size() == 0 {
		return fmt.Errorf("%s is empty: it is damaged", info.Name())
	}
	return nil
}

// create makes a database under another name and renames it when it is whole
// and durable, so that a database that is there is never half made.
func (f *folder) create(ctx context.Context, o Options) error {
	for _, name := range []string{databaseName + ".wal", tallyName} {
		if _, err := os.Stat(f.path(name)); err == nil {
			return fmt.Errorf("there is a file %s, but no %s: part of the store is missing", name, databaseName)
		}
	}
	unfinished := f.path(databaseName + ".new")
	for _, name := range []string{unfinished, unfinished + ".wal", f.path(doublewriteName)} {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	db, err := engine(ctx, unfinished, f.path(spillName), o)
	if err != nil {
		return err
	}
	if err := errors.Join(found(ctx, db, o.Now()), db.Close()); err != nil {
		return fmt.Errorf("create database: %w", err)
	}
	if err := os.Rename(unfinished, f.path(databaseName)); err != nil {
		return err
	}
	return f.sync()
}

// mint returns a new store id.
func mint() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails, says its documentation
	return hex.EncodeToString(id[:])
}

// ID returns the store's id: 32 hex digits.
func (d *DB) ID() string { return d.id }

// Close moves the log into the database file, unless a reader is in the way,
// and lets go of the folder.
func (d *DB) Close() error {
	var err error
	if !d.options.ReadOnly {
		d.writing.Lock()
		defer d.writing.Unlock()
		if err = d.checkpoint(context.Background()); errors.Is(err, errReaders) {
			err = nil // the log keeps everything
		}
	}
	err = errors.Join(err, d.sql.Close(), d.folder.release())
	if err != nil {
		return fmt.Errorf("close store in %s: %w", d.folder.dir, err)
	}
	return nil
}
