package duckdb_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/usage"
)

// leftBehind returns a folder as a kill after three appends leaves it: all is
// in the log. ends are the log's lengths after each append.
func leftBehind(t *testing.T) (dir string, ends []int64) {
	t.Helper()
	live, dir := t.TempDir(), t.TempDir()
	db := open(t, live)
	for seq := range uint64(3) {
		if _, err := db.Append(t.Context(), []usage.Sealed{node(t, 1, seq+1, t0+int64(seq)*hour, minute)}); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(live, database+".wal"))
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, info.Size())
	}
	for _, name := range []string{database, database + ".wal", "tally"} {
		content, err := os.ReadFile(filepath.Join(live, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, ends
}

// withLog opens such a folder with another log.
func withLog(t *testing.T, o duckdb.Options, change func(log []byte, ends []int64) []byte) (*duckdb.DB, error) {
	t.Helper()
	dir, ends := leftBehind(t)
	path := filepath.Join(dir, database+".wal")
	log, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, change(log, ends), 0o600); err != nil {
		t.Fatal(err)
	}
	return duckdb.Open(t.Context(), dir, o)
}

func TestOpenReadsTheLog(t *testing.T) {
	t.Parallel()
	same := func(log []byte, _ []int64) []byte { return log }
	for _, o := range []duckdb.Options{{}, {ReadOnly: true}} {
		db, err := withLog(t, o, same)
		if err != nil {
			t.Fatal(err)
		}
		wantCounts(t, db, store.Counts{Records: 24, Batches: 3, Units: 8})
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	// A transaction that a kill cut off was never acknowledged.
	db, err := withLog(t, duckdb.Options{}, func(log []byte, ends []int64) []byte {
		return append(log, log[ends[1]:ends[2]-20]...)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	wantCounts(t, db, store.Counts{Records: 24, Batches: 3, Units: 8})
}

// TestOpenRefusesADamagedLog damages what was acknowledged. DuckDB itself sees
// most of it, and takes the rest for a log that ends early.
func TestOpenRefusesADamagedLog(t *testing.T) {
	t.Parallel()
	f := func(name string, damage func(log []byte, ends []int64) []byte) {
		t.Helper()
		db, err := withLog(t, duckdb.Options{}, damage)
		if err == nil {
			counts, _ := db.Counts(t.Context())
			t.Errorf("%s: opened with %+v", name, counts)
			db.Close()
		}
	}
	flip := func(at func(ends []int64) int64) func([]byte, []int64) []byte {
		return func(log []byte, ends []int64) []byte {
			log[at(ends)] ^= 0x40
			return log
		}
	}
	f("a bit of the header", flip(func([]int64) int64 { return 12 }))
	f("a bit of the first", flip(func(e []int64) int64 { return e[0] / 2 }))
	f("a bit of the second", flip(func(e []int64) int64 { return e[1] - 30 }))
	f("a length", flip(func(e []int64) int64 { return e[0] }))
	f("the highest byte of a length", flip(func(e []int64) int64 { return e[0] + 6 }))
	f("the last", func(log []byte, ends []int64) []byte { return log[:ends[2]-10] })
	f("the second is zero", func(log []byte, e []int64) []byte {
		clear(log[e[0]:e[1]])
		return log
	})
	f("nothing", func([]byte, []int64) []byte { return nil })
}
