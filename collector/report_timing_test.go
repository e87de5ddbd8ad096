package collector_test

import (
	"bufio"
	"bytes"
	"database/sql"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/contract"
)

var (
	benchGPUs = flag.Int("gpus", 1000, "GPUs of BenchmarkReport, a multiple of 80")
	benchDays = flag.Int("days", 30, "days of BenchmarkReport, at most 366")
)

// BenchmarkReport makes the report of a span, with its remarks upon teams, out
// of hour records of every GPU, and reports the most memory that it took and
// what an hour record takes of the disk. With -gpus 100000 there are 72 million
// of a month. Bare lets DuckDB add up the same rows by GPU, and nothing else.
func BenchmarkReport(b *testing.B) {
	from := at("2026-10-01T00:00:00Z")
	dir := hourly(b, from)
	b.Run("whole", func(b *testing.B) { benchmarkReport(b, dir, from) })
	b.Run("bare", func(b *testing.B) { benchmarkBareSum(b, dir) })
}

func benchmarkReport(b *testing.B, dir string, from int64) {
	db, err := duckdb.Open(b.Context(), dir, duckdb.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	var contracts []contract.Contract
	for i := range 10 {
		contracts = append(contracts, contract.Contract{
			ID: fmt.Sprint("c", i), Provider: "aws", Currency: "USD", Zone: time.UTC,
			Tranches: []contract.Tranche{{
				ID: "t", Model: "H100", Steps: []contract.Step{{FromMs: from, GPUs: *benchGPUs / 11}}, EndMs: from + 400*86_400_000,
				Rates: []contract.Rate{{FromMs: from, ToMs: from + 400*86_400_000, PerGPUHour: 2_500_000}},
			}},
		})
	}
	end := time.UnixMilli(from).UTC().AddDate(0, 0, *benchDays)
	ask := collector.Ask{From: time.UnixMilli(from).UTC().Format(time.DateOnly), To: end.Format(time.DateOnly)}
	forgetPeak(b)
	b.ReportAllocs()
	for b.Loop() {
		r, err := collector.Report(b.Context(), db, contracts, ask, end.AddDate(0, 0, 1))
		if err != nil || len(r.Contracts) != 10 || r.Contracts[0].Total.Buckets[contract.Busy] == 0 {
			b.Fatalf("%d contracts, %v", len(r.Contracts), err)
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/report")
	b.ReportMetric(peak(b), "MiB-peak")
	info, err := os.Stat(filepath.Join(dir, "gpumeter.duckdb"))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(info.Size())/float64(*benchGPUs**benchDays*24), "B/hour-record")
}

// benchmarkBareSum opens the file as the store does, with the same limit.
func benchmarkBareSum(b *testing.B, dir string) {
	raw, err := sql.Open("duckdb", filepath.Join(dir, "gpumeter.duckdb")+"?memory_limit=512MB&access_mode=read_only")
	if err != nil {
		b.Fatal(err)
	}
	defer raw.Close()
	for b.Loop() {
		var units int
		err := raw.QueryRowContext(b.Context(), `SELECT count(*) FROM (SELECT unit, sum(unhealthy_ms) a, sum(unallocated_ms) b, sum(idle_ms) c,
			sum(unmeasured_ms) d, sum(busy_ms) e, sum(sm_active_ms) f, sum(sm_known_ms) g, sum(energy_mj) h, sum(energy_known_ms) i
			FROM hours GROUP BY unit) WHERE a + b + c + d + e + f + g + h + i > 0`).Scan(&units)
		if err != nil || units != *benchGPUs {
			b.Fatalf("%d units, %v", units, err)
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/report")
}

// hourly makes a store with the hour records of every GPU.
func hourly(b *testing.B, fromMs int64) (dir string) {
	b.Helper()
	dir = b.TempDir()
	db, err := duckdb.Open(b.Context(), dir, duckdb.Options{})
	if err != nil {
		b.Fatal(err)
	}
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
	text, err := os.ReadFile("store/duckdb/testdata/hours.sql")
	if err != nil {
		b.Fatal(err)
	}
	raw, err := sql.Open("duckdb", filepath.Join(dir, "gpumeter.duckdb")+"?memory_limit=512MB")
	if err != nil {
		b.Fatal(err)
	}
	defer raw.Close()
	values := strings.NewReplacer("$gpus", fmt.Sprint(*benchGPUs), "$days", fmt.Sprint(*benchDays), "$first", fmt.Sprintf("%d::BIGINT", fromMs/3_600_000))
	if _, err := raw.ExecContext(b.Context(), values.Replace(string(text))); err != nil {
		b.Fatal(err)
	}
	return dir
}

// forgetPeak lets the kernel count the most memory of this process anew.
func forgetPeak(b *testing.B) {
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		b.Log(err)
	}
}

// peak is the most memory that this process had, in MiB.
func peak(b *testing.B) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Log(err)
	}
	for lines := bufio.NewScanner(bytes.NewReader(status)); lines.Scan(); {
		var kib float64
		if _, err := fmt.Sscanf(lines.Text(), "VmHWM: %f kB", &kib); err == nil {
			return kib / 1024
		}
	}
	return 0
}
