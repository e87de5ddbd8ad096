package duckdb_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/usage"
)

var someTime = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// whole opens a store, audits it, and returns its id and how many batches it
// has.
func whole(t *testing.T, dir string) (id string, batches int64) {
	t.Helper()
	db := open(t, dir).(*duckdb.DB)
	defer db.Close()
	seen, err := db.Audit(t.Context(), func(f store.Finding) {
		if !strings.Contains(f.Problem, "chain of hashes") { // node makes none
			t.Errorf("%s: %s", f.Where, f.Problem)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return db.ID(), seen.Batches
}

// TestBackupOfAStoreInUseIsWhole backs up again and again while batches are
// appended: each copy holds what was acknowledged when it began, and nothing
// that was not.
func TestBackupOfAStoreInUseIsWhole(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := open(t, dir).(*duckdb.DB)
	if err := os.WriteFile(filepath.Join(dir, "bill.csv"), []byte("12"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan error)
	go func() {
		for seq := uint64(1); ; seq++ {
			if ctx.Err() != nil {
				stopped <- nil
				return
			}
			if _, err := db.Append(t.Context(), []usage.Sealed{node(t, 1, seq, t0+int64(seq)*minute, minute)}); err != nil {
				stopped <- err
				return
			}
		}
	}()
	var backups []string
	var least []int64
	for i := range 4 {
		counts, err := db.Counts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(t.TempDir(), "deep", "backup")
		if err := db.Backup(t.Context(), to); err != nil {
			t.Fatal(err)
		}
		backups, least = append(backups, to), append(least, counts.Batches)
		if i == 1 { // a log that is empty, too
			if err := db.RollUp(t.Context(), time.UnixMilli(t0+100*hour)); err != nil {
				t.Fatal(err)
			}
		}
	}
	stop()
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	counts, err := db.Counts(t.Context())
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	for i, b := range backups {
		into := filepath.Join(t.TempDir(), "data")
		if aside, err := duckdb.Restore(t.Context(), b, into, someTime); err != nil || aside != "" {
			t.Fatalf("restore: %q, %v", aside, err)
		}
		id, batches := whole(t, into)
		if id != db.ID() || batches < least[i] || batches > counts.Batches {
			t.Errorf("backup %d is of store %s with %d batches, want %s with %d to %d", i, id, batches, db.ID(), least[i], counts.Batches)
		}
		if bill, err := os.ReadFile(filepath.Join(into, "bill.csv")); string(bill) != "12" {
			t.Errorf("bill.csv = %q, %v", bill, err)
		}
	}
}

// TestRestoreSetsAsideWhatIsThere puts a backup in the place of a damaged
// store, and takes again what the backup lacks.
func TestRestoreSetsAsideWhatIsThere(t *testing.T) {
	t.Parallel()
	dir, backup := filled(t), filepath.Join(t.TempDir(), "b")
	db := open(t, dir).(*duckdb.DB)
	if err := db.Backup(t.Context(), backup); err != nil {
		t.Fatal(err)
	}
	later := []usage.Sealed{node(t, 1, 2, t0+minute, minute)}
	if _, err := db.Append(t.Context(), later); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Repeat([]byte{7}, 10_000)
	if err := os.WriteFile(filepath.Join(dir, database), damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, dir, duckdb.Options{}, "is damaged")
	aside, err := duckdb.Restore(t.Context(), backup, dir, someTime)
	if want := filepath.Join(dir, "aside-20261128T120000.000Z"); err != nil || aside != want {
		t.Fatalf("restore: %q, %v, want %q", aside, err, want)
	}
	if kept, err := os.ReadFile(filepath.Join(aside, database)); err != nil || !bytes.Equal(kept, damaged) {
		t.Errorf("set aside: %d bytes, %v", len(kept), err)
	}
	again := open(t, dir)
	got, err := again.Append(t.Context(), later)
	if err != nil || got[0] != store.Committed {
		t.Errorf("append what the backup lacks: %v, %v", got, err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	if id, batches := whole(t, dir); id != db.ID() || batches != 2 {
		t.Errorf("store %s with %d batches, want %s with 2", id, batches, db.ID())
	}
}

func TestSetAsideMakesRoomForANewStore(t *testing.T) {
	t.Parallel()
	dir := filled(t)
	old, err := os.ReadFile(filepath.Join(dir, database))
	if err != nil {
		t.Fatal(err)
	}
	first, _ := whole(t, dir)
	aside, err := duckdb.SetAside(dir, someTime)
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := os.ReadFile(filepath.Join(aside, database)); err != nil || len(kept) != len(old) {
		t.Errorf("set aside: %d bytes of %d, %v", len(kept), len(old), err)
	}
	if id, batches := whole(t, dir); id == first || batches != 0 {
		t.Errorf("store %s with %d batches, want a new one", id, batches)
	}
	if id, batches := whole(t, aside); id != first || batches != 1 {
		t.Errorf("set aside is store %s with %d batches, want %s with 1", id, batches, first)
	}
	if again, err := duckdb.SetAside(t.TempDir(), someTime); again != "" || err != nil {
		t.Errorf("set nothing aside: %q, %v", again, err)
	}
	if _, err := duckdb.SetAside(filepath.Join(dir, "none"), someTime); err == nil {
		t.Error("set aside a folder that is not there: no error")
	}
}

func TestBackupAndRestoreRefuse(t *testing.T) {
	t.Parallel()
	dir := filled(t)
	db := open(t, dir).(*duckdb.DB)
	f := func(err error, want string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	f(db.Backup(t.Context(), t.TempDir()), "it is there already")
	f(db.Backup(t.Context(), filepath.Join(dir, "backups", "b")), "does not belong into the data folder")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	parent := t.TempDir()
	f(db.Backup(gone, filepath.Join(parent, "b")), "context canceled")
	if left := fileList(t, parent); left != "" {
		t.Errorf("a backup that was given up leaves %s", left)
	}
	backup := filepath.Join(parent, "b")
	if err := db.Backup(t.Context(), backup); err != nil {
		t.Fatal(err)
	}
	restore := func(ctx context.Context, from, into string) error {
		_, err := duckdb.Restore(ctx, from, into, someTime)
		return err
	}
	f(restore(t.Context(), backup, dir), "is held by process")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	f(restore(t.Context(), filepath.Join(dir, "none"), dir), "holds no store")
	f(restore(t.Context(), backup, parent), "is in the data folder")
	before := fileList(t, dir)
	if err := os.Truncate(filepath.Join(backup, database), 5000); err != nil {
		t.Fatal(err)
	}
	f(restore(t.Context(), backup, dir), "is damaged")
	if after := fileList(t, dir); after != before {
		t.Errorf("a refused restore left\n%s\nof\n%s", after, before)
	}
}

// TestRestoreThatWasCutShortIsNoStore lets a copy end before the database is
// there.
func TestRestoreThatWasCutShortIsNoStore(t *testing.T) {
	t.Parallel()
	dir, into := filled(t), t.TempDir()
	for _, name := range []string{"tally", database + ".unfinished"} {
		content, err := os.ReadFile(filepath.Join(dir, strings.TrimSuffix(name, ".unfinished")))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(into, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	wantRefused(t, into, duckdb.Options{}, "part of the store is missing")
	if _, err := duckdb.Restore(t.Context(), dir, into, someTime); err != nil {
		t.Fatal(err)
	}
	if _, batches := whole(t, into); batches != 1 {
		t.Errorf("%d batches, want 1", batches)
	}
}
