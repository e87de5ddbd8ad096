package duckdb_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/usage"
)

// bulky keeps a megabyte aside, which goes into DuckDB's log as it is.
func bulky(t *testing.T, db *duckdb.DB, n int) error {
	s := usage.Sealed{Body: make([]byte, 1<<20), Hash: usage.Hash{byte(n), 1}}
	return db.Quarantine(t.Context(), usage.ID{Agent: "a", Epoch: "e", Seq: uint64(n)}, s, "")
}

func logSize(t *testing.T, dir string) int64 {
	t.Helper()
	info, err := os.Stat(filepath.Join(dir, database+".wal"))
	if errors.Is(err, os.ErrNotExist) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// TestCheckpointWaitsForAReader has a reader that began before hours were rolled
// up: DuckDB makes no checkpoint beside it, and nobody must wait for it.
func TestCheckpointWaitsForAReader(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := open(t, dir).(*duckdb.DB)
	if _, err := db.Append(t.Context(), steady(t, 1, 6, nil)); err != nil {
		t.Fatal(err)
	}
	n := 0
	grow := func(by int) {
		t.Helper()
		for range by {
			if err := bulky(t, db, n); err != nil {
				t.Fatal(err)
			}
			n++
		}
	}
	err := db.View(t.Context(), func() {
		if err := db.RollUp(t.Context(), time.UnixMilli(t0).Add(24*time.Hour)); err != nil {
			t.Fatal(err)
		}
		grow(20)
		if size := logSize(t, dir); size < 20<<20 {
			t.Errorf("the log has %d bytes: a checkpoint was made beside a reader, and the test shows nothing", size)
		}
		if _, err := db.Events(t.Context(), t0, t0+1, 1); err != nil {
			t.Error(err)
		}
	})
	if n := db.CheckpointErrors(); err != nil || n != 0 {
		t.Errorf("%d checkpoints failed, %v", n, err)
	}
	grow(2)
	if size := logSize(t, dir); size >= 16<<20 {
		t.Errorf("the log still has %d bytes after the reader ended", size)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestCloseBesideAReader(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := open(t, dir).(*duckdb.DB)
	if _, err := db.Append(t.Context(), steady(t, 1, 6, nil)); err != nil {
		t.Fatal(err)
	}
	want, err := db.Counts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	reading, end, read := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		read <- db.View(t.Context(), func() { close(reading); <-end })
	}()
	<-reading
	if err := db.RollUp(t.Context(), time.UnixMilli(t0).Add(24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Errorf("close beside a reader: %v", err)
	}
	close(end)
	<-read // its store is gone
	db = open(t, dir).(*duckdb.DB)
	wantCounts(t, db, want)
	wantAudited(t, db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestCloseWaitsForWhoWrites(t *testing.T) {
	t.Parallel()
	db := open(t, t.TempDir()).(*duckdb.DB)
	closed := make(chan error, 1)
	db.Writing(func() {
		go func() { closed <- db.Close() }()
		select {
		case err := <-closed:
			t.Errorf("closed while somebody writes: %v", err)
			closed <- err
		case <-time.After(100 * time.Millisecond):
		}
	})
	if err := <-closed; err != nil {
		t.Error(err)
	}
}
