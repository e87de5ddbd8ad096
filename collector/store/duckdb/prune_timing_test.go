package duckdb_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/usage"
)

// BenchmarkPrune takes away the minutes of six hours of every GPU out of eight
// hours of them, and says how long a step took and how long an Append beside it
// waited at most.
func BenchmarkPrune(b *testing.B) {
	const first, hours = t0/hour + 100, 8
	records, steps := int64(0), 0
	var waited time.Duration
	for b.Loop() {
		b.StopTimer()
		dir := b.TempDir()
		month(b, dir)
		if err := alter(filepath.Join(dir, database), minutesOf(first, hours)); err != nil {
			b.Fatal(err)
		}
		db, err := duckdb.Open(b.Context(), dir, duckdb.Options{})
		if err != nil {
			b.Fatal(err)
		}
		stop, done := make(chan struct{}), make(chan time.Duration)
		go func() { done <- appendUntil(b, db, stop) }()
		b.StartTimer()
		for p := (store.Pruning{FromMs: first * hour, ToMs: (first + hours) * hour}); p.FromMs < p.ToMs; steps++ {
			x, err := db.Prune(b.Context(), p)
			if err != nil {
				b.Fatal(err)
			}
			p.FromMs, records = x.NextMs, records+x.Records
		}
		b.StopTimer()
		close(stop)
		waited = max(waited, <-done)
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(b.Elapsed().Seconds()/float64(steps), "s/step")
	b.ReportMetric(waited.Seconds(), "s-append-waited")
}

// minutesOf makes minutes of hour records, with the batches that they came in.
func minutesOf(first, hours int64) string {
	return fmt.Sprintf(`DELETE FROM records WHERE start_ms >= %[1]d * 3600000::BIGINT AND start_ms < %[2]d * 3600000::BIGINT;
		INSERT INTO batches SELECT n + 1, 10000 + m, unhex(sha256('h' || n || m)), unhex(sha256('h' || n || (m - 1))), n + 1,
			%[1]d * 3600000::BIGINT + m * 60000, 1000, 0, 8, 0, %[1]d * 3600000::BIGINT + m * 60000, %[1]d * 3600000::BIGINT + m * 60000, unhex(sha256('d' || n || m))
		FROM range((%[2]d - %[1]d) * 60) a(m), range(%[3]d // 8) b(n);
		INSERT INTO records
		SELECT unit, (unit - 1) // 8 + 1, 10000 + (hour - %[1]d) * 60 + m, holder, reason, hour * 3600000::BIGINT + m * 60000, hour * 3600000::BIGINT + (m + 1) * 60000,
			0, 0, idle_ms // 60, 0, busy_ms // 60, sm_active_ms // 60, 60000, energy_mj // 60, 60000
		FROM hours, range(60) r(m) WHERE hour >= %[1]d AND hour < %[2]d ORDER BY hour, m, unit; CHECKPOINT`, first, first+hours, *benchGPUs)
}

// appendUntil appends a batch again and again, and returns the longest that it
// took.
func appendUntil(b *testing.B, db *duckdb.DB, stop chan struct{}) (waited time.Duration) {
	for seq := uint64(1); ; seq++ {
		select {
		case <-stop:
			return waited
		case <-time.After(10 * time.Millisecond):
		}
		began := time.Now()
		if _, err := db.Append(b.Context(), []usage.Sealed{node(b, 1<<20, seq, t0+int64(seq)*minute, minute)}); err != nil {
			b.Error(err)
		}
		waited = max(waited, time.Since(began))
	}
}

// BenchmarkCloseDays writes eight hours of minutes of every GPU as days.
func BenchmarkCloseDays(b *testing.B) {
	const first, hours = t0/hour + 100, 8
	records, bytes := int64(0), int64(0)
	for b.Loop() {
		b.StopTimer()
		dir := b.TempDir()
		month(b, dir)
		if err := alter(filepath.Join(dir, database), minutesOf(first, hours)); err != nil {
			b.Fatal(err)
		}
		db, err := duckdb.Open(b.Context(), dir, duckdb.Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if n, err := db.CloseDays(b.Context(), time.UnixMilli((first+hours)*hour+2*day)); n == 0 || err != nil {
			b.Fatalf("%d days, %v", n, err)
		}
		b.StopTimer()
		records += hours * 60 * int64(*benchGPUs)
		files, err := filepath.Glob(filepath.Join(dir, "days", "*", "*"))
		if err != nil {
			b.Fatal(err)
		}
		for _, f := range files {
			if info, err := os.Stat(f); err == nil {
				bytes += info.Size()
			}
		}
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(float64(bytes)/float64(records), "bytes/record")
}
