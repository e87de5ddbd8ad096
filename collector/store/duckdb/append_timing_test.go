package duckdb_test

import (
	"testing"

	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/usage"
)

// BenchmarkAppend appends the batches of 1000 nodes, 8 records each, in one
// call, as the collector's group commit does.
func BenchmarkAppend(b *testing.B) {
	db, err := duckdb.Open(b.Context(), b.TempDir(), duckdb.Options{})
	if err != nil {
		b.Fatal(err)
	}
	const nodes = 1000
	b.ReportAllocs()
	var bytes, records int64
	for seq := uint64(1); b.Loop(); seq++ {
		b.StopTimer()
		batches := make([]usage.Sealed, nodes)
		for n := range batches {
			batches[n] = node(b, n, seq, t0+int64(seq)*minute, minute)
			bytes += int64(len(batches[n].Body))
			records += int64(len(batches[n].Batch.Records))
		}
		b.StartTimer()
		if _, err := db.Append(b.Context(), batches); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(bytes / int64(b.N))
	b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "records/s")
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
}
