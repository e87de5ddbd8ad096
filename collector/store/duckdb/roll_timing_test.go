package duckdb_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/collector/store/duckdb"
)

// BenchmarkRollUp makes the hour records of one hour of minutes of every GPU.
func BenchmarkRollUp(b *testing.B) {
	dir := b.TempDir()
	month(b, dir)
	// Minutes of the hour after the month.
	err := alter(filepath.Join(dir, database), fmt.Sprintf(`INSERT INTO records
		SELECT unit, (unit - 1) // 8 + 1, 1000 + m, holder, reason, hour * 3600000::BIGINT + m * 60000, hour * 3600000::BIGINT + (m + 1) * 60000,
			0, 0, idle_ms // 60, 0, busy_ms // 60, sm_active_ms // 60, 60000, energy_mj // 60, 60000
		FROM (SELECT * REPLACE (hour + 1 AS hour) FROM hours WHERE hour = %d), range(60) r(m)`, t0/hour+719))
	if err != nil {
		b.Fatal(err)
	}
	records := 0
	for b.Loop() {
		b.StopTimer()
		back := fmt.Sprintf("DELETE FROM hours WHERE hour >= %[1]d; UPDATE meta SET rolled_hour = %[1]d", t0/hour+720)
		if err := alter(filepath.Join(dir, database), back); err != nil {
			b.Fatal(err)
		}
		db, err := duckdb.Open(b.Context(), dir, duckdb.Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if err := db.RollUp(b.Context(), time.UnixMilli(t0+723*hour)); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		records += *benchGPUs * 60
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "records/s")
}
