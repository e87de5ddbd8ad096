package duckdb_test

import (
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"path/filepath"
	"testing"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/usage"
)

// TestRunsNameTheBatchesOfASpan holds that batches that touch are one run, that
// a missing one ends it, and that a run changes with any batch in it and with
// no other.
func TestRunsNameTheBatchesOfASpan(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir).(*duckdb.DB)
	one, two := chained(t, 1, nil, nil, nil, nil, nil), chained(t, 2, nil, nil)
	appendAll := func(batches ...usage.Sealed) {
		t.Helper()
		if _, err := db.Append(t.Context(), batches); err != nil {
			t.Fatal(err)
		}
	}
	appendAll(one[0], one[1], one[3], two[0], two[1])
	runs, err := db.Runs(t.Context(), t0, t0+4*minute)
	if err != nil {
		t.Fatal(err)
	}
	want := [][2]usage.Sealed{{one[0], one[1]}, {one[3], one[3]}, {two[0], two[1]}}
	if len(runs) != len(want) {
		t.Fatalf("runs = %+v", runs)
	}
	seen := map[string]bool{}
	for i, r := range runs {
		lo, hi := want[i][0], want[i][1]
		if r.Agent != lo.Batch.Agent || r.Lo != lo.Batch.Seq || r.Hi != hi.Batch.Seq || r.Head != hi.Hash.String() || len(r.Kept) != 64 || seen[r.Kept] {
			t.Errorf("run %d = %+v", i, r)
		}
		seen[r.Kept] = true
	}
	// What comes later is in no run that was named before.
	appendAll(one[2], one[4])
	if again, err := db.Rerun(t.Context(), runs); err != nil || len(again) != 3 || again[0] != runs[0] || again[1] != runs[1] || again[2] != runs[2] {
		t.Errorf("after late batches: %+v, %v", again, err)
	}
	if some, err := db.Runs(t.Context(), t0+minute, t0+2*minute); err != nil || len(some) != 2 || some[0].Lo != 2 || some[0].Hi != 2 {
		t.Errorf("runs of a minute: %+v, %v", some, err)
	}
	gone := store.Run{Agent: one[0].Batch.Agent, Epoch: one[0].Batch.Epoch, Lo: 1, Hi: 9, Head: runs[0].Head, Kept: runs[0].Kept}
	if again, err := db.Rerun(t.Context(), []store.Run{gone}); err != nil || again[0].Head != "" || again[0].Kept != "" {
		t.Errorf("a run that is not whole: %+v, %v", again, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	holdsDigests(t, dir, runs)
}

// holdsDigests makes what runs keep anew from the table, and then changes a
// digest of the first one.
func holdsDigests(t *testing.T, dir string, runs []store.Run) {
	t.Helper()
	raw, err := sql.Open("duckdb", filepath.Join(dir, "gpumeter.duckdb"))
	if err != nil {
		t.Fatal(err)
	}
	var a, b []byte
	if err := raw.QueryRow("SELECT min(digest) FILTER (seq = 1), min(digest) FILTER (seq = 2) FROM batches WHERE stream = 1").Scan(&a, &b); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(hex.EncodeToString(a) + hex.EncodeToString(b)))
	if runs[0].Kept != hex.EncodeToString(sum[:]) {
		t.Errorf("the first run keeps %s, its digests make %x", runs[0].Kept, sum)
	}
	if _, err := raw.Exec("UPDATE batches SET digest = sha256('x')::BLOB WHERE stream = 1 AND seq = 1"); err != nil {
		t.Fatal(err)
	}
	if err := raw.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := duckdb.Open(t.Context(), dir, duckdb.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	again, err := db.Rerun(t.Context(), runs)
	if err != nil || again[0].Head != runs[0].Head || again[0].Kept == runs[0].Kept || again[1] != runs[1] || again[2] != runs[2] {
		t.Errorf("after a digest was changed: %+v, %v", again, err)
	}
}
