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

var benchGPUs = flag.Int("gpus", 1000, "GPUs of BenchmarkReport, a multiple of 80")

// BenchmarkReport makes the report of a month, with its remarks upon teams, out
// of hour records of every GPU, and reports the most memory that it took. With
// -gpus 100000 they are 72 million.
func BenchmarkReport(b *testing.B) {
	from := at("2026-10-01T00:00:00Z")
	db, err := duckdb.Open(b.Context(), hourly(b, from), duckdb.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	var contracts []contract.Contract
	for i := range 10 {
		contracts = append(contracts, contract.Contract{
			ID: fmt.Sprint("c", i), Provider: "aws", Currency: "USD", Zone: time.UTC,
			Tranches: []contract.Tranche{{
				ID: "t", Model: "H100", Steps: []contract.Step{{FromMs: from, GPUs: *benchGPUs / 11}}, EndMs: from + 365*86_400_000,
				Rates: []contract.Rate{{FromMs: from, ToMs: from + 365*86_400_000, PerGPUHour: 2_500_000}},
			}},
		})
	}
	now := time.UnixMilli(from).AddDate(0, 1, 1)
	forgetPeak(b)
	b.ReportAllocs()
	for b.Loop() {
		r, err := collector.Report(b.Context(), db, contracts, collector.Ask{Month: "2026-10"}, now)
		if err != nil || len(r.Contracts) != 10 || r.Contracts[0].Total.Buckets[contract.Busy] == 0 {
			b.Fatalf("%d contracts, %v", len(r.Contracts), err)
		}
	}
	b.ReportMetric(peak(b), "MiB-peak")
}

// hourly makes a store with 30 days of hour records of every GPU.
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
	text, err := os.ReadFile("store/duckdb/testdata/month.sql")
	if err != nil {
		b.Fatal(err)
	}
	raw, err := sql.Open("duckdb", filepath.Join(dir, "gpumeter.duckdb")+"?memory_limit=512MB")
	if err != nil {
		b.Fatal(err)
	}
	defer raw.Close()
	values := strings.NewReplacer("$gpus", fmt.Sprint(*benchGPUs), "$first", fmt.Sprintf("%d::BIGINT", fromMs/3_600_000))
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
