//go:build e2e_clickhouse

package clickhouse_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/report"
	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/clickhouse"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// TestKilledCollectorAndReplicaLoseNothing lets agents send through one address
// to two collectors on two shards of two replicas, and kills a collector and a
// replica meanwhile. What is there in the end is what was sent, once.
func TestKilledCollectorAndReplicaLoseNothing(t *testing.T) {
	var histories [][]usage.Sealed
	for a := range agents {
		histories = append(histories, history(t, a))
	}
	c := startServers(t, 2, 2)
	db := c.store("killed")
	first, second := startCollector(t, db), startCollector(t, db)
	l := &load{url: balance(t, first.at, second.at)}
	l.send(histories)

	const total = agents * minutes
	step := func(what string, share int64, f func()) {
		t.Helper()
		waitFor(t, what, func() bool { return l.acknowledged.Load() >= total*share/100 }, func() string { return first.tail() + second.tail() })
		t.Logf("%s at %d of %d batches", what, l.acknowledged.Load(), total)
		f()
	}
	victim := c.Shards[0][1]
	step("collector killed", 15, first.kill)
	step("collector back, replica killed", 30, func() {
		first.start()
		victim.kill()
	})
	time.Sleep(8 * time.Second) // longer than its session with ZooKeeper
	before := l.acknowledged.Load()
	victim.start()
	t.Logf("replica back at %d of %d batches", before, total)
	step("the other collector killed", 60, second.kill)
	step("the other collector back", 70, second.start)
	step("all sent", 100, func() {})
	l.running.Wait()
	t.Logf("%d posts were refused and sent again", l.refused.Load())
	holdAgainstTruth(t, c, db, histories)
}

// service is a collector's process.
type service struct {
	*process
	at string
}

// startCollector starts bin/gpumeter on a database.
func startCollector(t *testing.T, db string) *service {
	t.Helper()
	bin := os.Getenv("GPUMETER_BIN")
	if bin == "" {
		t.Fatal("GPUMETER_BIN is not set: make e2e-clickhouse sets it")
	}
	at := address(t)
	s := &service{run(t, filepath.Join(t.TempDir(), "out"), bin, "collector", "--store", db, "--listen", at, "--log-level", "warn"), at}
	waitFor(t, "collector", func() bool { return listens(at) }, s.tail)
	return s
}

// holdAgainstTruth compares the database with an embedded store that was given
// every batch once: how much there is, every sum, and the report byte by byte.
func holdAgainstTruth(t *testing.T, c *cluster, db string, histories [][]usage.Sealed) {
	t.Helper()
	a, err := clickhouse.ParseAddress(db)
	if err != nil {
		t.Fatal(err)
	}
	got, err := clickhouse.Open(t.Context(), clickhouse.Options{Address: a})
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	truth, err := duckdb.Open(t.Context(), t.TempDir(), duckdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer truth.Close()
	var busy int64
	for _, h := range histories {
		if _, err := truth.Append(t.Context(), h); err != nil {
			t.Fatal(err)
		}
		for _, s := range h {
			for _, r := range s.Batch.Records {
				busy += r.BusyMs
			}
		}
	}
	want := store.Counts{Records: agents * minutes * gpus, Batches: agents * minutes, Units: agents * gpus}
	if counts, err := got.Counts(t.Context()); err != nil || counts != want {
		t.Errorf("counts = %+v, %v, want %+v", counts, err, want)
	}
	text, rep := reportOf(t, got)
	if reported := rep.Contracts[0].Total.Buckets[contract.Busy]; reported != busy {
		t.Errorf("reported %d ms busy, sent %d", reported, busy)
	}
	if wantText, _ := reportOf(t, truth); !bytes.Equal(text, wantText) {
		t.Errorf("the reports differ:\n%s\n%s", text, wantText)
	}
	t.Logf("%d records, %d GPU-ms busy, a report of %d bytes: as sent", want.Records, busy, len(text))
	rollUpAtOnce(t, got, a)
	if again, _ := reportOf(t, got); !bytes.Equal(text, again) {
		t.Errorf("the report from hour records differs:\n%s\n%s", again, text)
	}
	changeHours(t, c, a.Database)
	if changed, _ := reportOf(t, got); bytes.Equal(text, changed) {
		t.Error("the report is the same when hour records are changed: it is not made of them")
	}
}

// changeHours adds a millisecond to every hour record of a database.
func changeHours(t *testing.T, c *cluster, database string) {
	t.Helper()
	for _, shard := range c.Shards {
		for i, s := range shard {
			e := oldEngine{"http://" + s.http + "/?database=" + database}
			if i == 0 {
				e.run(t, "ALTER TABLE hours UPDATE idle_ms = idle_ms + 1 WHERE lost = 0")
			}
			done := func() bool {
				return e.run(t, "SELECT count() FROM system.mutations WHERE table = 'hours' AND is_done = 1") > "0\n"
			}
			waitFor(t, "hour records changed", done, s.tail)
		}
	}
}

// rollUpAtOnce lets two collectors make hour records of one database.
func rollUpAtOnce(t *testing.T, first *clickhouse.DB, a clickhouse.Address) {
	t.Helper()
	second, err := clickhouse.Open(t.Context(), clickhouse.Options{Address: a})
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	var running sync.WaitGroup
	for _, db := range []*clickhouse.DB{first, second} {
		running.Go(func() {
			if err := db.RollUp(t.Context(), start.AddDate(0, 0, 2)); err != nil {
				t.Errorf("roll up: %v", err)
			}
		})
	}
	running.Wait()
}

// reportOf returns the report of the day by team, as JSON.
func reportOf(t *testing.T, st store.Store) ([]byte, contract.Report) {
	t.Helper()
	end := start.AddDate(0, 0, 1)
	book := collector.FixedBook([]contract.Contract{{
		ID: "acme", Provider: "aws", Currency: "USD", Zone: time.UTC,
		Tranches: []contract.Tranche{{
			ID: "h100", Model: "H100", EndMs: end.AddDate(0, 1, 0).UnixMilli(),
			Steps: []contract.Step{{FromMs: start.UnixMilli(), GPUs: agents * gpus}},
			Rates: []contract.Rate{{FromMs: start.UnixMilli(), ToMs: end.AddDate(0, 1, 0).UnixMilli(), PerGPUHour: 2_500_000}},
		}},
	}})
	c := collector.New(collector.Config{Store: st, Book: book, Now: func() time.Time { return end }, Log: slog.New(slog.DiscardHandler)})
	rep, err := c.Report(context.Background(), collector.Ask{From: "2026-09-14", To: "2026-09-15", By: contract.ByTeam})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := report.JSON(&out, rep); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), rep
}
