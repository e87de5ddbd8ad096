package duckdb_test

import (
	"testing"

	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// BenchmarkStretches looks for lapses in the month of BenchmarkSums, in which a
// GPU of every tenth node was lost for an hour.
func BenchmarkStretches(b *testing.B) {
	dir := b.TempDir()
	month(b, dir)
	db, err := duckdb.Open(b.Context(), dir, duckdb.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	var lost []usage.Sealed
	for n := 0; n < *benchGPUs/8; n += 10 {
		s := node(b, n, 721, t0+720*hour, hour)
		r := &s.Batch.Records[0]
		r.Sums = usage.Sums{UnhealthyMs: r.EndMs - r.StartMs}
		again, err := usage.Seal(s.Batch)
		if err != nil {
			b.Fatal(err)
		}
		lost = append(lost, again)
	}
	if _, err := db.Append(b.Context(), lost); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		n, sick := 0, 0
		err := db.Stretches(b.Context(), t0, t0+721*hour, func(s contract.Stretch) error {
			n++
			if s.UnhealthyMs > 0 {
				sick++
			}
			return nil
		})
		if err != nil || sick != len(lost) {
			b.Fatalf("%d stretches, %d unhealthy, want %d: %v", n, sick, len(lost), err)
		}
		b.ReportMetric(float64(n), "stretches")
	}
	b.ReportMetric(float64(*benchGPUs*720*b.N)/b.Elapsed().Seconds(), "records/s")
}
