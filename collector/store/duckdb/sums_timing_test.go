package duckdb_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/contract"
)

// With -gpus 10000 the month holds 7.2 million hour records.
var benchGPUs = flag.Int("gpus", 1000, "GPUs of BenchmarkSums and BenchmarkOpen, a multiple of 8")

// month makes a store with 30 days of hour records of every GPU.
func month(b *testing.B, dir string) {
	b.Helper()
	db, err := duckdb.Open(b.Context(), dir, duckdb.Options{})
	if err != nil {
		b.Fatal(err)
	}
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
	text, err := os.ReadFile("testdata/hours.sql")
	if err != nil {
		b.Fatal(err)
	}
	sql := strings.NewReplacer("$gpus", fmt.Sprint(*benchGPUs), "$days", "30", "$first", fmt.Sprintf("%d::BIGINT", t0/hour)).Replace(string(text))
	path := filepath.Join(dir, database)
	if err := alter(path, sql); err != nil {
		b.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(info.Size())/float64(*benchGPUs*720), "bytes/hour")
}

// BenchmarkSums adds up a month by day and by 50 keys, as a report does.
func BenchmarkSums(b *testing.B) {
	benchmarkSums(b, "", "")
}

// BenchmarkSumsByHolder does the same apart for each holder: 8 GPUs have one
// for two days, and there are up to 1,000, all of one team.
func BenchmarkSumsByHolder(b *testing.B) {
	benchmarkSums(b, contract.ByHolder, "")
}

// BenchmarkSumsByTeam does the same apart for each team.
func BenchmarkSumsByTeam(b *testing.B) {
	benchmarkSums(b, contract.ByTeam, "")
}

// BenchmarkSumsTwice adds up a fleet that a second stream has recorded, too.
func BenchmarkSumsTwice(b *testing.B) {
	benchmarkSums(b, "", `INSERT INTO streams SELECT id + (SELECT count(*) FROM streams), 'f' || agent[2:], epoch, evidence FROM streams;
		INSERT INTO records SELECT * REPLACE (stream + (SELECT count(*) // 2 FROM streams) AS stream) FROM records`)
}

// benchmarkSums changes the month by a statement first.
func benchmarkSums(b *testing.B, by contract.By, change string) {
	dir := b.TempDir()
	month(b, dir)
	if change != "" {
		if err := alter(filepath.Join(dir, database), change); err != nil {
			b.Fatal(err)
		}
	}
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
		if sums = len(a.Sums); err != nil || sums < 50*30 || (sums != 50*30) != by.Held() || len(a.Straddles) != 0 {
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
