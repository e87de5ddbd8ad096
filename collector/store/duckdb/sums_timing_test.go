package duckdb_test

import (
	"flag"
	"testing"

	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// With -gpus 10000 the month holds 7.2 million records.
var benchGPUs = flag.Int("gpus", 1000, "GPUs of BenchmarkSums and BenchmarkOpen, a multiple of 8")

// month makes a store with 30 days of hour records of every GPU.
func month(b *testing.B, dir string) {
	b.Helper()
	db, err := duckdb.Open(b.Context(), dir, duckdb.Options{})
	if err != nil {
		b.Fatal(err)
	}
	for seq := range uint64(720) {
		batches := make([]usage.Sealed, *benchGPUs/8)
		for n := range batches {
			batches[n] = node(b, n, seq+1, t0+int64(seq)*hour, hour)
		}
		if _, err := db.Append(b.Context(), batches); err != nil {
			b.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkSums adds up a month by day and by 50 keys, as a report does.
func BenchmarkSums(b *testing.B) {
	benchmarkSums(b, "")
}

// BenchmarkSumsByHolder does the same apart for each holder: 8 GPUs have one
// for two days, and there are up to 1,000, all of one team.
func BenchmarkSumsByHolder(b *testing.B) {
	benchmarkSums(b, contract.ByHolder)
}

// BenchmarkSumsByTeam does the same apart for each team.
func BenchmarkSumsByTeam(b *testing.B) {
	benchmarkSums(b, contract.ByTeam)
}

func benchmarkSums(b *testing.B, by contract.By) {
	dir := b.TempDir()
	month(b, dir)
	db, err := duckdb.Open(b.Context(), dir, duckdb.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	presence, err := db.Presence(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	q := contract.Query{By: by}
	for i, p := range presence {
		q.Spans = append(q.Spans, contract.Span{Unit: p.Unit, FromMs: p.StartMs, ToMs: p.EndMs, Key: i % 50})
	}
	for day := range int64(31) {
		q.Edges = append(q.Edges, t0+day*24*hour)
	}
	b.ReportAllocs()
	var sums int
	for b.Loop() {
		a, err := db.Sums(b.Context(), q)
		if sums = len(a.Sums); err != nil || sums < 50*30 || (sums != 50*30) != (by == contract.ByHolder) || len(a.Straddles) != 0 {
			b.Fatalf("%d sums, %d straddling records, %v", len(a.Sums), len(a.Straddles), err)
		}
	}
	b.ReportMetric(float64(sums), "sums")
	b.ReportMetric(float64(len(presence)*720*b.N)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkOpen opens the same month.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	month(b, dir)
	for b.Loop() {
		db, err := duckdb.Open(b.Context(), dir, duckdb.Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
