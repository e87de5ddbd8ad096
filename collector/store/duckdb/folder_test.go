package duckdb_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	_ "github.com/duckdb/duckdb-go/v2"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/usage"
)

const database = "gpumeter.duckdb"

// filled makes a closed store with a batch in it.
func filled(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	db := open(t, dir)
	if _, err := db.Append(t.Context(), []usage.Sealed{node(t, 1, 1, t0, minute)}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// wantRefused fails the test unless Open fails with an error that says so, and
// leaves the files as they are.
func wantRefused(t *testing.T, dir string, o duckdb.Options, want string) {
	t.Helper()
	before := fileList(t, dir)
	db, err := duckdb.Open(t.Context(), dir, o)
	if err == nil {
		db.Close()
		t.Fatalf("open: no error, want one with %q", want)
	}
	if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), dir) {
		t.Errorf("open: %v\nwant the folder, and %q", err, want)
	}
	if after := fileList(t, dir); after != before {
		t.Errorf("files after a refused open:\n%s\nbefore:\n%s", after, before)
	}
}

// fileList lists a folder, without locks.
func fileList(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, e := range entries {
		if info, err := e.Info(); err == nil && e.Name() != "lock" {
			fmt.Fprintln(&out, e.Name(), info.Size())
		}
	}
	return out.String()
}

func TestOpenRefusesAFolderThatIsHeld(t *testing.T) {
	t.Parallel()
	dir := filled(t)
	db := open(t, dir)
	held := fmt.Sprintf("data folder %s is held by process %d", dir, os.Getpid())
	wantRefused(t, dir, duckdb.Options{}, held)
	wantRefused(t, dir, duckdb.Options{ReadOnly: true}, held)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	// Readers stand one another, but no writer.
	for range 2 {
		reader, err := duckdb.Open(t.Context(), dir, duckdb.Options{ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		defer reader.Close()
	}
	wantRefused(t, dir, duckdb.Options{}, held)
}

func TestOpenReadOnlyReadsAndDoesNotWrite(t *testing.T) {
	t.Parallel()
	dir := filled(t)
	db, err := duckdb.Open(t.Context(), dir, duckdb.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	wantCounts(t, db, store.Counts{Records: 8, Batches: 1, Units: 8})
	if _, err := db.Append(t.Context(), []usage.Sealed{node(t, 1, 2, t0+hour, minute)}); err == nil {
		t.Error("append to a store that was opened for reading: no error")
	}
	wantCounts(t, db, store.Counts{Records: 8, Batches: 1, Units: 8})
	wantRefused(t, t.TempDir(), duckdb.Options{ReadOnly: true}, "holds no store")
}

func TestOpenRefusesDamage(t *testing.T) {
	t.Parallel()
	f := func(want string, damage func(path string, content []byte) error) {
		t.Helper()
		dir := filled(t)
		path := filepath.Join(dir, database)
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := damage(path, content); err != nil {
			t.Fatal(err)
		}
		wantRefused(t, dir, duckdb.Options{}, want)
	}
	write := func(path string, content []byte) error { return os.WriteFile(path, content, 0o600) }
	f("it is damaged", func(path string, _ []byte) error { return write(path, nil) })
	f("the file is damaged", func(path string, _ []byte) error { return write(path, []byte("no database")) })
	f("the file is damaged", func(path string, c []byte) error { return write(path, c[:len(c)/3]) })
	f("the file is damaged", func(path string, c []byte) error { return write(path, make([]byte, len(c))) })
	f("part of the store is missing", func(path string, _ []byte) error { return os.Remove(path) })
	f("part of the store is missing", func(path string, c []byte) error { return os.Rename(path, path+".wal") })
	f("open store", func(path string, c []byte) error { // every block but the headers
		return write(path, append(c[:3*4096], bytes.Repeat([]byte{7}, len(c)-3*4096)...))
	})
	f("not a gpumeter store", func(path string, _ []byte) error { return alter(path, "DROP TABLE meta") })
	f("not a gpumeter store", func(path string, _ []byte) error { return alter(path, "INSERT INTO meta SELECT * FROM meta") })
	f("use a newer gpumeter", func(path string, _ []byte) error { return alter(path, "UPDATE meta SET schema = 99") })
	f("the folder belongs to store", func(path string, _ []byte) error { return alter(path, "UPDATE meta SET store_id = 'other'") })
	f("were committed, but", func(path string, _ []byte) error { return alter(path, "DELETE FROM batches") })
	f("read table units", func(path string, _ []byte) error { return alter(path, "UPDATE units SET id = id + 1") })
	f("read table records", func(path string, _ []byte) error { return alter(path, "UPDATE records SET unit = 9") })
}

// alter changes a database that no store holds.
func alter(path, statement string) error {
	db, err := sql.Open("duckdb", path)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.Exec(statement)
	return err
}

func TestOpenClearsAwayWhatAKillLeft(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{database + ".new", database + ".new.wal", "spill"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	db := open(t, dir)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 { // the database and the lock; nothing was committed
		t.Errorf("files = %v, %v", entries, err)
	}
}

func TestOpenTakesOddFolderNames(t *testing.T) {
	t.Parallel()
	odd := filepath.Join(t.TempDir(), "what?")
	if _, err := duckdb.Open(t.Context(), odd, duckdb.Options{}); err == nil || !strings.Contains(err.Error(), "question mark") {
		t.Errorf("open a folder with a question mark in its name: %v", err)
	}
	if _, err := os.Stat(odd); err == nil {
		t.Error("a refused folder was made")
	}

	dir := filepath.Join(t.TempDir(), "it's a #%zz folder; --", "x")
	db := open(t, dir)
	first := db.ID()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, database)); err != nil {
		t.Error(err)
	}
	db = open(t, dir)
	defer db.Close()
	if db.ID() != first {
		t.Errorf("id = %s, want %s", db.ID(), first)
	}
}

// TestOpenBringsAnOldStoreUpToDate takes a store back to the first schema.
func TestOpenBringsAnOldStoreUpToDate(t *testing.T) {
	t.Parallel()
	dir := filled(t)
	err := alter(filepath.Join(dir, database), `ALTER TABLE holders DROP COLUMN labels; ALTER TABLE nodes DROP COLUMN node_pool;
		ALTER TABLE nodes DROP COLUMN expected_gpus; DROP TABLE documents; DROP TABLE lives; ALTER TABLE aside DROP COLUMN digest;
		ALTER TABLE batches DROP COLUMN digest; ALTER TABLE batches DROP COLUMN from_ms; ALTER TABLE batches DROP COLUMN to_ms;
		ALTER TABLE inventory DROP COLUMN stream; ALTER TABLE inventory DROP COLUMN seq; ALTER TABLE doubts DROP COLUMN stream;
		ALTER TABLE doubts DROP COLUMN seq; ALTER TABLE meta DROP COLUMN unsealed_batches; ALTER TABLE meta DROP COLUMN unsealed_aside; ALTER TABLE meta DROP COLUMN unsealed_lives;
		DROP TABLE hours; DROP TABLE rough; DROP TABLE hours_lost;
		DROP TABLE prunings; DROP TABLE pruned_hours; DROP TABLE pruned_courses; DROP TABLE pruned_batches; DROP TABLE late; DROP TABLE days; ALTER TABLE meta DROP COLUMN rolled_hour; UPDATE meta SET schema = 1`)
	if err != nil {
		t.Fatal(err)
	}
	wantRefused(t, dir, duckdb.Options{ReadOnly: true}, "the store has schema 1")
	for records := int64(8); records <= 16; records += 8 {
		db, err := duckdb.Open(t.Context(), dir, duckdb.Options{})
		if err != nil {
			t.Fatal(err)
		}
		wantCounts(t, db, store.Counts{Records: records, Batches: records / 8, Units: 8})
		if records == 8 {
			if _, err := db.Append(t.Context(), []usage.Sealed{node(t, 1, 2, t0+hour, minute)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestClosedFolderIsFree holds for a process that starts others: until they run
// their program, they have a copy of the lock's descriptor.
func TestClosedFolderIsFree(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := open(t, dir).(*duckdb.DB)
	fd, err := db.DupLock()
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := open(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
}
