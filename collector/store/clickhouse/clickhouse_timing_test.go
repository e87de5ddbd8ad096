package clickhouse_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/store/clickhouse"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

var benchGPUs = flag.Int("gpus", 1000, "GPUs of BenchmarkSums and BenchmarkPrune, a multiple of 8")

// node returns one batch of a node with eight GPUs.
func node(b *testing.B, n int, seq uint64, fromMs, ms int64) usage.Sealed {
	batch := usage.Batch{Agent: fmt.Sprintf("%032x", n), Epoch: fmt.Sprintf("%032x", 1), Seq: seq, Evidence: usage.EvidenceAgent,
		Node: usage.Node{Name: fmt.Sprintf("node-%d", n), Cloud: usage.Cloud{Provider: "aws", Region: "r"}}}
	for g := range 8 {
		id := fmt.Sprintf("GPU-%08d-0000-0000-0000-%012d", n, g)
		batch.GPUs = append(batch.GPUs, usage.GPU{UUID: id, Model: "H100", Index: g})
		batch.Records = append(batch.Records, usage.Record{GPU: id, StartMs: fromMs, EndMs: fromMs + ms,
			Holder: usage.Holder{Basis: usage.BasisScheduler, Kind: "job", Group: "team", Name: fmt.Sprint(n % 50)},
			Sums:   usage.Sums{BusyMs: ms / 2, IdleMs: ms - ms/2, EnergyMJ: int64(seq) * 1000, EnergyKnownMs: ms}})
	}
	s, err := usage.Seal(batch)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// bench opens a database of the benchmark's own.
func bench(b *testing.B) *clickhouse.DB {
	b.Helper()
	return benchAt(b, time.Now)
}

// benchAt is bench by a clock.
func benchAt(b *testing.B, now func() time.Time) *clickhouse.DB {
	b.Helper()
	o := options(b, b.TempDir())
	o.Now = now
	db, err := clickhouse.Open(b.Context(), o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		db.Close()
		if err := clickhouse.Drop(context.Background(), o); err != nil {
			b.Error(err)
		}
	})
	return db
}

// BenchmarkAppend appends 1000 batches of eight records in a call.
func BenchmarkAppend(b *testing.B) {
	db := bench(b)
	const nodes = 1000
	seq := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		seq++
		batches := make([]usage.Sealed, nodes)
		for n := range batches {
			batches[n] = node(b, n, seq, 497_000*hour+int64(seq)*60_000, 60_000)
		}
		b.StartTimer()
		if _, err := db.Append(b.Context(), batches); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(8*nodes*b.N)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkSums adds up a month of hour-long records by day and by 50 keys, as a
// report does: record by record, from hour records, and from these by holder.
// Between the first two the hour records are made. In the end it makes the
// report itself, and says what the most memory of this process was.
func BenchmarkSums(b *testing.B) {
	db := bench(b)
	from := 20_700 * 24 * hour
	for seq := uint64(0); seq < 720; seq += 24 {
		var batches []usage.Sealed
		for n := range *benchGPUs / 8 {
			for i := range uint64(24) {
				batches = append(batches, node(b, n, seq+i+1, from+int64(seq+i)*hour, hour))
			}
		}
		if _, err := db.Append(b.Context(), batches); err != nil {
			b.Fatal(err)
		}
	}
	presence, err := db.Presence(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	q := contract.Query{}
	for i, p := range presence {
		q.Spans = append(q.Spans, contract.Span{Unit: p.Unit, FromMs: p.StartMs, ToMs: p.EndMs, Key: i % 50})
	}
	for day := range int64(31) {
		q.Edges = append(q.Edges, from+day*24*hour)
	}
	sums := func(by contract.By, want int) func(b *testing.B) {
		q.By = by
		return func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				a, err := db.Sums(b.Context(), q)
				if err != nil || len(a.Sums) != want || len(a.Straddles) != 0 {
					b.Fatalf("%d sums, %d straddling records, %v", len(a.Sums), len(a.Straddles), err)
				}
			}
			b.ReportMetric(float64(len(presence)*720*b.N)/b.Elapsed().Seconds(), "records/s")
		}
	}
	if *benchGPUs <= 1000 {
		b.Run("records", sums("", 50*30))
	}
	began := time.Now()
	if err := db.RollUp(b.Context(), time.UnixMilli(from+40*24*hour)); err != nil {
		b.Fatal(err)
	}
	b.Logf("hour records made in %v", time.Since(began))
	b.Run("hours", sums("", 50*30))
	b.Run("team", sums(contract.ByTeam, 50*30))
	b.Run("report", func(b *testing.B) { report(b, db, from) })
	b.Run("presence", func(b *testing.B) {
		for b.Loop() {
			if p, err := db.Presence(b.Context()); err != nil || len(p) != len(presence) {
				b.Fatalf("%d present, %v", len(p), err)
			}
		}
	})
	if bytes, err := db.BytesOnDisk(b.Context()); err == nil {
		b.Logf("%.1f bytes on disk for each hour record and its record", float64(bytes)/float64(len(presence)*720))
	}
}

// report makes the report of the month under ten contracts.
func report(b *testing.B, db *clickhouse.DB, fromMs int64) {
	var contracts []contract.Contract
	for i := range 10 {
		contracts = append(contracts, contract.Contract{
			ID: fmt.Sprint("c", i), Provider: "aws", Currency: "USD", Zone: time.UTC,
			Tranches: []contract.Tranche{{
				ID: "t", Model: "H100", Steps: []contract.Step{{FromMs: fromMs, GPUs: *benchGPUs / 11}}, EndMs: fromMs + 365*24*hour,
				Rates: []contract.Rate{{FromMs: fromMs, ToMs: fromMs + 365*24*hour, PerGPUHour: 2_500_000}},
			}},
		})
	}
	now := time.UnixMilli(fromMs).AddDate(0, 1, 1)
	day := func(t time.Time) string { return t.UTC().Format(time.DateOnly) }
	ask := collector.Ask{From: day(time.UnixMilli(fromMs)), To: day(time.UnixMilli(fromMs).AddDate(0, 0, 30))}
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // the most memory is counted anew
	for b.Loop() {
		r, err := collector.Report(b.Context(), db, contracts, ask, now)
		if err != nil || len(r.Contracts) != 10 || r.Contracts[0].Total.Buckets[contract.Busy] == 0 {
			b.Fatalf("%d contracts, %v", len(r.Contracts), err)
		}
	}
	text, _ := os.ReadFile("/proc/self/status")
	var kib float64
	if _, rest, ok := strings.Cut(string(text), "VmHWM:"); ok {
		_, _ = fmt.Sscan(rest, &kib)
	}
	b.ReportMetric(kib/1024, "MiB-peak")
}
