package duckdb_test

import (
	"context"
	"database/sql"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// parquet asks an own DuckDB about exported files.
func parquet(t *testing.T, dir, query string) (n, busyMs, energy int64) {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	files := "read_parquet('" + strings.ReplaceAll(dir, "'", "''") + "/**/*.parquet', hive_partitioning = true)"
	err = db.QueryRow("SELECT count(*), sum(busy_ms)::BIGINT, sum(energy_mj)::BIGINT FROM "+files+" WHERE "+query).Scan(&n, &busyMs, &energy)
	if err != nil {
		t.Fatal(err)
	}
	return n, busyMs, energy
}

// TestExportIsWhatSumsAddUp exports three days of two providers, of which one
// node is recorded twice.
func TestExportIsWhatSumsAddUp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := open(t, dir)
	var batches []usage.Sealed
	for n := range 4 {
		for seq := range uint64(30) {
			b := node(t, n, seq+1, t0+int64(seq)*2*hour, hour).Batch
			if n > 1 {
				b.Node.Cloud.Provider = []string{"", "o'clock/cloud"}[n-2]
			}
			s, err := usage.Seal(b)
			if err != nil {
				t.Fatal(err)
			}
			batches = append(batches, s)
			if n == 0 && seq < 5 { // a later agent says the same
				b.Agent = strings.Repeat("f", 32)
				again, err := usage.Seal(b)
				if err != nil {
					t.Fatal(err)
				}
				batches = append(batches, again)
			}
		}
	}
	if _, err := db.Append(t.Context(), batches); err != nil {
		t.Fatal(err)
	}
	want := func(fromMs, toMs int64) usage.Sums {
		q := contract.Query{Edges: []int64{fromMs, toMs}}
		for unit := range int64(32) {
			q.Spans = append(q.Spans, contract.Span{Unit: unit + 1, FromMs: fromMs, ToMs: toMs})
		}
		a, err := db.Sums(t.Context(), q)
		if err != nil || len(a.Sums) != 1 || len(a.Straddles) > 0 {
			t.Fatalf("sums = %v, %v", a, err)
		}
		return a.Sums[0].Sums
	}
	all, day := want(0, math.MaxInt64), want(t0/86_400_000*86_400_000+86_400_000, t0/86_400_000*86_400_000+2*86_400_000)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "it's", "out")
	n, err := duckdb.Export(t.Context(), dir, to, 0, math.MaxInt64)
	if err != nil || n != 4*30*8 {
		t.Fatalf("export: %d records, %v", n, err)
	}
	rows, busy, energy := parquet(t, to, "true")
	if rows != n || busy != all.BusyMs || energy != all.EnergyMJ {
		t.Errorf("files have %d records, %d ms busy, %d mJ; want %d, %d, %d", rows, busy, energy, n, all.BusyMs, all.EnergyMJ)
	}
	second := filepath.Join(to, "provider=aws", "day=2026-09-22")
	if _, busy, _ := parquet(t, to, "day = '2026-09-22'"); busy != day.BusyMs {
		t.Errorf("%s: %d ms busy, want %d", second, busy, day.BusyMs)
	}
	var folders []string
	for _, pattern := range []string{"provider=*", "provider=aws/day=*"} {
		found, err := filepath.Glob(filepath.Join(to, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			folders = append(folders, strings.TrimPrefix(f, to+"/"))
		}
	}
	wantFolders := []string{"provider=aws", "provider=o%27clock%2Fcloud", "provider=unknown",
		"provider=aws/day=2026-09-21", "provider=aws/day=2026-09-22", "provider=aws/day=2026-09-23", "provider=aws/day=2026-09-24"}
	if !slices.Equal(folders, wantFolders) {
		t.Errorf("folders %q, want %q", folders, wantFolders)
	}
	// Part of it; nothing; what is refused.
	if n, err := duckdb.Export(t.Context(), dir, to+"2", t0+2*hour, t0+6*hour); err != nil || n != 4*2*8 {
		t.Errorf("export of four hours: %d records, %v", n, err)
	}
	if n, err := duckdb.Export(t.Context(), dir, to+"3", 0, t0); err != nil || n != 0 {
		t.Errorf("export of nothing: %d records, %v", n, err)
	}
	if _, err := duckdb.Export(t.Context(), dir, to, 0, math.MaxInt64); err == nil || !strings.Contains(err.Error(), "there already") {
		t.Errorf("export over files: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := duckdb.Export(gone, dir, to+"4", 0, math.MaxInt64); err == nil {
		t.Error("export that nobody waits for: no error")
	}
	if left, err := os.ReadDir(filepath.Dir(to)); err != nil || len(left) != 3 {
		t.Errorf("%v, %v are left", left, err)
	}
}

// TestExportHasHoursWhoseRecordsAreGone exports a store before and after it was
// pruned.
func TestExportHasHoursWhoseRecordsAreGone(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), &clock{t0}
	db := openAt(t, dir, c)
	if _, err := db.Append(t.Context(), steady(t, 1, 40, nil)); err != nil {
		t.Fatal(err)
	}
	c.ms += 3 * day
	if err := db.RollUp(t.Context(), c.now()); err != nil {
		t.Fatal(err)
	}
	export := func(db *duckdb.DB) (n, busy, energy int64) {
		t.Helper()
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(t.TempDir(), "out")
		n, err := duckdb.Export(t.Context(), dir, to, 0, math.MaxInt64)
		if err != nil {
			t.Fatal(err)
		}
		rows, busy, energy := parquet(t, to, "true")
		if rows != n {
			t.Errorf("files have %d records of %d", rows, n)
		}
		return n, busy, energy
	}
	before, busy, energy := export(db)
	db = openAt(t, dir, c)
	done, err := db.Prune(t.Context(), store.Pruning{FromMs: 0, ToMs: c.ms})
	if err != nil || done.Records == 0 {
		t.Fatalf("pruned %+v, %v", done, err)
	}
	after, busyAfter, energyAfter := export(db)
	if busyAfter != busy || energyAfter != energy || after >= before {
		t.Errorf("after pruning %d records, %d ms busy, %d mJ; before %d, %d, %d", after, busyAfter, energyAfter, before, busy, energy)
	}
}
