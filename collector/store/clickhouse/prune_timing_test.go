package clickhouse_test

import (
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/usage"
)

// BenchmarkPrune lets go of a day of minutes in which nothing happened, and says
// how many bytes are on disk before and, an hour later, after. Making hour records
// before is not in its time.
func BenchmarkPrune(b *testing.B) {
	from := 20_700 * 24 * hour
	for b.Loop() {
		b.StopTimer()
		now := time.UnixMilli(from + 40*24*hour)
		db := benchAt(b, func() time.Time { return now })
		for h := range uint64(24) {
			var batches []usage.Sealed
			for n := range *benchGPUs / 8 {
				for i := range uint64(60) {
					batches = append(batches, node(b, n, h*60+i+1, from+int64(h*60+i)*60_000, 60_000))
				}
			}
			if _, err := db.Append(b.Context(), batches); err != nil {
				b.Fatal(err)
			}
		}
		now = now.Add(2 * time.Hour)
		if err := db.RollUp(b.Context(), now); err != nil {
			b.Fatal(err)
		}
		before, err := db.BytesOnDisk(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		b.StartTimer()
		pruned, err := db.Prune(b.Context(), store.Pruning{ToMs: from + 24*hour})
		b.StopTimer()
		took := time.Since(began)
		if want := int64(*benchGPUs * 22 * 60); err != nil || pruned.Records != want {
			b.Fatalf("%d records were pruned, %v, want %d", pruned.Records, err, want)
		}
		now = now.Add(2 * time.Hour)
		if err := db.RollUp(b.Context(), now); err != nil {
			b.Fatal(err)
		}
		if _, err := db.Rows(b.Context()); err != nil { // waits
			b.Fatal(err)
		}
		after, err := db.BytesOnDisk(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(pruned.Records)/took.Seconds(), "records/s")
		b.ReportMetric(float64(before)/1e6, "MB-before")
		b.ReportMetric(float64(after)/1e6, "MB-after")
		b.StartTimer()
	}
}
