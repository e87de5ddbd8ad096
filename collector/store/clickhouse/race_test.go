package clickhouse_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/clickhouse"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

const hour = int64(3_600_000)

// minute is a batch of one busy window of one GPU.
func minute(t *testing.T, seq uint64, busyMs int64) usage.Sealed {
	t.Helper()
	from := 497_000*hour + int64(seq)*60_000
	s, err := usage.Seal(usage.Batch{
		Agent: strings.Repeat("a", 32), Epoch: strings.Repeat("e", 32), Seq: seq, Evidence: usage.EvidenceAgent,
		Node: usage.Node{Name: "n1"}, GPUs: []usage.GPU{{UUID: "GPU-1", Model: "H100"}},
		Records: []usage.Record{{GPU: "GPU-1", StartMs: from, EndMs: from + 60_000, Sums: usage.Sums{BusyMs: busyMs}}},
		Events:  []usage.Event{{AtMs: from, Kind: usage.EventXid, GPU: "GPU-1", Value: busyMs}},
	})
	if err == nil {
		err = s.Batch.Check()
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// pair opens one database twice, as two collectors do.
func pair(t *testing.T) (a, b *clickhouse.DB) {
	t.Helper()
	dir := t.TempDir()
	var both [2]*clickhouse.DB
	for i := range both {
		both[i] = open(t, dir).(*clickhouse.DB)
		t.Cleanup(func() { both[i].Close() })
	}
	return both[0], both[1]
}

// busyOf adds up all that GPU-1 was busy.
func busyOf(t *testing.T, db *clickhouse.DB) int64 {
	t.Helper()
	presence, err := db.Presence(t.Context())
	if err != nil || len(presence) != 1 {
		t.Fatalf("presence = %v, %v, want one", presence, err)
	}
	from, to := presence[0].StartMs, presence[0].EndMs
	a, err := db.Sums(t.Context(), contract.Query{Edges: []int64{from, to}, Spans: []contract.Span{{Unit: presence[0].Unit, FromMs: from, ToMs: to}}})
	if err != nil || len(a.Sums) != 1 || len(a.Straddles) > 0 {
		t.Fatalf("sums = %+v, %v", a, err)
	}
	return a.Sums[0].BusyMs
}

// TestBatchesThatRacedAreSettledOnRead lets two collectors write at one moment
// under one identity.
func TestBatchesThatRacedAreSettledOnRead(t *testing.T) {
	a, b := pair(t)
	first, low, high := minute(t, 1, 7), minute(t, 2, 100), minute(t, 2, 200)
	if bytes.Compare(low.Hash[:], high.Hash[:]) > 0 {
		low, high = high, low
	}
	for _, s := range []usage.Sealed{first, high, low, high, first} {
		if err := b.WriteUnseen(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		if err := a.RollUp(t.Context(), time.Now()); err != nil { // made of what counts so far
			t.Fatal(err)
		}
	}
	if hours, _, err := b.Hours(t.Context()); err != nil || hours != 24 {
		t.Errorf("hour records tell %d hours, %v, want the day", hours, err)
	}
	want := 7 + low.Batch.Records[0].BusyMs
	for range 2 {
		for _, db := range []*clickhouse.DB{a, b} {
			if got := busyOf(t, db); got != want {
				t.Errorf("busy for %d ms, want %d", got, want)
			}
			counts, err := db.Counts(t.Context())
			if w := (store.Counts{Records: 2, Batches: 2, Conflicts: 1, Units: 1}); err != nil || counts != w {
				t.Errorf("counts = %+v, %v, want %+v", counts, err, w)
			}
			events, err := db.Events(t.Context(), 0, 1<<60, 9)
			if err != nil || len(events) != 2 || events[1].Value != low.Batch.Records[0].BusyMs {
				t.Errorf("events = %+v, %v, want those of the two that count", events, err)
			}
			got, err := db.Append(t.Context(), []usage.Sealed{high, low, first})
			if w := fmt.Sprint([]store.Status{store.Conflict, store.Duplicate, store.Duplicate}); err != nil || fmt.Sprint(got) != w {
				t.Errorf("statuses = %v, %v, want %s", got, err, w)
			}
		}
		if err := a.Exec(t.Context(), "OPTIMIZE TABLE batches"); err != nil {
			t.Fatal(err)
		}
	}
}

// TestARaceIsReportedOnce reads the log of a collector that finds two batches
// in conflict.
func TestARaceIsReportedOnce(t *testing.T) {
	dir := t.TempDir()
	other := open(t, dir).(*clickhouse.DB)
	defer other.Close()
	var log bytes.Buffer
	o := options(t, dir)
	o.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	db, err := clickhouse.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, busyMs := range []int64{1, 2} {
		if err := other.WriteUnseen(t.Context(), minute(t, 1, busyMs)); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if _, err := db.Counts(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(log.String(), "in conflict at one moment"); n != 1 {
		t.Errorf("%d lines, want one:\n%s", n, log.String())
	}
}

// TestCollectorsSeeWhatOthersCommitted lets two collectors take turns with one
// agent.
func TestCollectorsSeeWhatOthersCommitted(t *testing.T) {
	a, b := pair(t)
	var want int64
	for seq := uint64(1); seq <= 12; seq++ {
		if _, err := []*clickhouse.DB{a, b}[seq%2].Append(t.Context(), []usage.Sealed{minute(t, seq, int64(seq))}); err != nil {
			t.Fatal(err)
		}
		want += int64(seq)
		for _, db := range []*clickhouse.DB{a, b} {
			got, err := db.Seqs(t.Context(), strings.Repeat("a", 32), strings.Repeat("e", 32))
			if err != nil || len(got) != 1 || got[0] != (usage.Range{Lo: 1, Hi: seq}) {
				t.Fatalf("seqs = %v, %v, want 1 to %d", got, err, seq)
			}
		}
	}
	if err := a.Quarantine(t.Context(), usage.ID{Agent: strings.Repeat("a", 32), Epoch: strings.Repeat("e", 32), Seq: 14}, usage.Sealed{}, "odd"); err != nil {
		t.Fatal(err)
	}
	for _, db := range []*clickhouse.DB{a, b} {
		if got, err := db.Seqs(t.Context(), strings.Repeat("a", 32), strings.Repeat("e", 32)); err != nil || len(got) != 2 || got[1].Lo != 14 {
			t.Errorf("seqs = %v, %v, want 14 too", got, err)
		}
	}
	if _, err := b.Append(t.Context(), []usage.Sealed{minute(t, 13, 13)}); err != nil { // fills a hole behind the highest
		t.Fatal(err)
	}
	want += 13
	if got, err := a.Seqs(t.Context(), strings.Repeat("a", 32), strings.Repeat("e", 32)); err != nil || len(got) != 1 || got[0].Hi != 14 {
		t.Errorf("seqs = %v, %v, want 1 to 14", got, err)
	}
	if x, y := busyOf(t, a), busyOf(t, b); x != want || y != want {
		t.Errorf("busy for %d and %d ms, want %d", x, y, want)
	}
}

// TestPresenceFollowsWhatOthersCommit asks again and again while months change:
// by another collector, by late batches, and by merges that change nothing.
func TestPresenceFollowsWhatOthersCommit(t *testing.T) {
	a, b := pair(t)
	const month = 31 * 24 * 60 // in minutes, as sequence numbers
	wantSpans := func(want ...[2]uint64) {
		t.Helper()
		for _, db := range []*clickhouse.DB{a, b} {
			presence, err := db.Presence(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var got [][2]uint64
			for _, p := range presence {
				got = append(got, [2]uint64{uint64(p.StartMs-497_000*hour) / 60_000, uint64(p.EndMs-497_000*hour) / 60_000})
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("present %v, want %v", got, want)
			}
		}
	}
	commit := func(db *clickhouse.DB, seq uint64) {
		t.Helper()
		if _, err := db.Append(t.Context(), []usage.Sealed{minute(t, seq, 1)}); err != nil {
			t.Fatal(err)
		}
	}
	wantSpans()
	commit(a, 10)
	wantSpans([2]uint64{10, 11})
	commit(b, 2*month)
	wantSpans([2]uint64{10, 11}, [2]uint64{2 * month, 2*month + 1})
	commit(b, 2*month+5)
	commit(a, 4) // late, in a month that was read
	wantSpans([2]uint64{4, 11}, [2]uint64{2 * month, 2*month + 6})
	if err := a.Exec(t.Context(), "OPTIMIZE TABLE batches"); err != nil {
		t.Fatal(err)
	}
	wantSpans([2]uint64{4, 11}, [2]uint64{2 * month, 2*month + 6})
	// A batch that loses takes its minute away again.
	low, high := minute(t, 1, 100), minute(t, 1, 200)
	if bytes.Compare(low.Hash[:], high.Hash[:]) > 0 {
		low, high = high, low
	}
	other := high.Batch
	other.Records = []usage.Record{{GPU: "GPU-1", StartMs: 497_000*hour + month*60_000, EndMs: 497_000*hour + (month+1)*60_000}}
	moved, err := usage.Seal(other)
	if err != nil {
		t.Fatal(err)
	}
	commit(a, 3)
	if err := a.WriteUnseen(t.Context(), low, moved); err != nil {
		t.Fatal(err)
	}
	if bytes.Compare(low.Hash[:], moved.Hash[:]) < 0 {
		wantSpans([2]uint64{1, 11}, [2]uint64{2 * month, 2*month + 6})
	} else {
		wantSpans([2]uint64{3, 11}, [2]uint64{month, month + 1}, [2]uint64{2 * month, 2*month + 6})
	}
}

// TestOneOfManyHasTheName lets collectors that know nothing of each other put
// documents under one name at once.
func TestOneOfManyHasTheName(t *testing.T) {
	o := options(t, t.TempDir())
	o.Grace = 1
	t.Cleanup(func() {
		if err := clickhouse.Drop(context.Background(), o); err != nil {
			t.Error(err)
		}
	})
	const many = 4
	var dbs [many]*clickhouse.DB
	var won [many]bool
	var running sync.WaitGroup
	for i := range many {
		running.Go(func() {
			db, err := clickhouse.Open(t.Context(), o)
			if err != nil {
				t.Error(err)
				return
			}
			dbs[i] = db
			err = db.PutDocument(t.Context(), "ledger/1", []byte(fmt.Sprint(i)))
			if err != nil && !errors.Is(err, store.ErrTaken) {
				t.Error(err)
			}
			won[i] = err == nil
		})
	}
	running.Wait()
	if t.Failed() {
		return
	}
	winners := 0
	for i, db := range dbs {
		defer db.Close()
		if db.ID() != dbs[0].ID() {
			t.Errorf("collectors call the store %s and %s", db.ID(), dbs[0].ID())
		}
		body, err := db.Document(t.Context(), "ledger/1")
		if err != nil || (string(body) == fmt.Sprint(i)) != won[i] {
			t.Errorf("collector %d put its document: %v, and reads %q, %v", i, won[i], body, err)
		}
		if won[i] {
			winners++
		}
	}
	if winners != 1 {
		t.Errorf("%d collectors have the name, want one", winners)
	}
}

// TestALateClaimCountsForNothing writes a claim that was too long on its way,
// with the lower hash.
func TestALateClaimCountsForNothing(t *testing.T) {
	a, b := pair(t)
	for i, name := range []string{"before", "after"} {
		if i == 1 {
			if err := a.PutDocument(t.Context(), name, []byte("in time")); err != nil {
				t.Fatal(err)
			}
		}
		for n := range 8 {
			if err := b.ClaimLate(t.Context(), name, []byte{byte(n)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.PutDocument(t.Context(), name, []byte("in time")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if body, err := b.Document(t.Context(), name); err != nil || string(body) != "in time" {
			t.Errorf("%s: document = %q, %v", name, body, err)
		}
	}
}

func TestOpenRefusesAStoreOfBeforeTheFirstRelease(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir).(*clickhouse.DB)
	for _, s := range []string{"DROP TABLE schema", "CREATE TABLE schema (version UInt32) ENGINE = MergeTree ORDER BY version", "INSERT INTO schema SELECT toUInt32(1)"} {
		if err := db.Exec(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	defer db.Close()
	_, err := clickhouse.Open(t.Context(), options(t, dir))
	if err == nil || !strings.Contains(err.Error(), "use another database") {
		t.Errorf("open a store with schema 1: %v", err)
	}
}

func TestOpenRefusesANewerStore(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir).(*clickhouse.DB)
	if err := errors.Join(db.Exec(t.Context(), "INSERT INTO schema SELECT toUInt32(99)"), db.Close()); err != nil {
		t.Fatal(err)
	}
	_, err := clickhouse.Open(t.Context(), options(t, dir))
	if err == nil || !strings.Contains(err.Error(), "use a newer gpumeter") {
		t.Errorf("open a store with schema 99: %v", err)
	}
}
