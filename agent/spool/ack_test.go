package spool_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/agent/spool"
	"github.com/gpumeter/gpumeter/usage"
)

// clock is an injected clock that stands still until it is moved.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func newClock() *clock { return &clock{start} }

// tell acknowledges numbers of the spool's present epoch.
func tell(t *testing.T, s *spool.Spool, store string, r usage.Ranges) {
	t.Helper()
	st := s.Stats()
	if err := s.Ack(store, map[string]usage.Ranges{st.Agent + "/" + st.Epoch: r}, nil); err != nil {
		t.Fatal(err)
	}
}

func wantWaiting(t *testing.T, s *spool.Spool, want string) {
	t.Helper()
	if got := seqs(waiting(t, s)); got != want {
		t.Errorf("waiting = %s, want %s", got, want)
	}
}

func TestAckSurvivesReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spool.db")
	s := mustOpen(t, path, spool.Options{})
	for n := range 6 {
		mustAppend(t, s, n)
	}
	tell(t, s, "a", usage.Ranges{{Lo: 1, Hi: 2}, {Lo: 5, Hi: 5}})
	wantWaiting(t, s, "[{3 4} {6 6}]")
	tell(t, s, "a", usage.Ranges{{Lo: 1, Hi: 2}, {Lo: 5, Hi: 5}})
	s.Close()
	s = mustOpen(t, path, spool.Options{})
	wantWaiting(t, s, "[{3 4} {6 6}]")
	if st := s.Stats(); st.StoreID != "a" || st.PendingBatches != 3 || st.Batches != 6 {
		t.Errorf("stats = %+v, want 3 of 6 pending at store a", st)
	}
}

// TestRestoredCollectorIsRefilled has a collector that comes back with less
// than it had, and then a new one.
func TestRestoredCollectorIsRefilled(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "spool.db"), spool.Options{})
	for n := range 6 {
		mustAppend(t, s, n)
	}
	tell(t, s, "a", usage.Ranges{{Lo: 1, Hi: 6}})
	wantWaiting(t, s, "[]")
	tell(t, s, "a", usage.Ranges{{Lo: 1, Hi: 3}})
	wantWaiting(t, s, "[{4 6}]")
	tell(t, s, "a", usage.Ranges{{Lo: 1, Hi: 6}})
	wantWaiting(t, s, "[]")
	tell(t, s, "b", usage.Ranges{{Lo: 6, Hi: 6}})
	wantWaiting(t, s, "[{1 5}]")
	// An answer about another stream says nothing about this one.
	if err := s.Ack("b", map[string]usage.Ranges{"x/y": {{Lo: 1, Hi: 9}}}, nil); err != nil {
		t.Fatal(err)
	}
	wantWaiting(t, s, "[{1 5}]")
}

func TestAcknowledgedBatchesAreKeptForAWhile(t *testing.T) {
	c := newClock()
	s := mustOpen(t, filepath.Join(t.TempDir(), "spool.db"), spool.Options{Now: c.Now, Keep: time.Hour})
	for n := range 3 {
		mustAppend(t, s, n)
	}
	tell(t, s, "a", usage.Ranges{{Lo: 1, Hi: 2}})
	c.now = c.now.Add(time.Hour - time.Millisecond)
	if err := s.Flush(); err != nil || s.Stats().Batches != 3 {
		t.Errorf("%d batches before their time (%v), want 3", s.Stats().Batches, err)
	}
	c.now = c.now.Add(time.Millisecond)
	if err := s.Flush(); err != nil || s.Stats().Batches != 1 {
		t.Errorf("%d batches after their time (%v), want the one that waits", s.Stats().Batches, err)
	}
	if got := mustAppend(t, s, 3); got.Batch.Seq != 4 || len(got.Batch.Events) != 0 {
		t.Errorf("next batch has seq %d and events %v, want 4 and none", got.Batch.Seq, got.Batch.Events)
	}
}

func TestSetAsideIsNotSentAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spool.db")
	s := mustOpen(t, path, spool.Options{})
	mustAppend(t, s, 0)
	bad := mustAppend(t, s, 1)
	for range 2 {
		if err := s.SetAside(bad.Batch.ID(), "malformed"); err != nil {
			t.Fatal(err)
		}
	}
	tell(t, s, "a", usage.Ranges{{Lo: 1, Hi: 1}})
	wantWaiting(t, s, "[]")
	s.Close()
	s = mustOpen(t, path, spool.Options{})
	if st := s.Stats(); st.AsideBatches != 1 {
		t.Errorf("AsideBatches = %d, want 1", st.AsideBatches)
	}
	wantWaiting(t, s, "[]")
	tell(t, s, "b", usage.Ranges{}) // another store may think otherwise
	wantWaiting(t, s, "[{1 2}]")
}

// TestOldCopyBeginsANewEpoch opens a copy of a spool that went on without it.
func TestOldCopyBeginsANewEpoch(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "spool.db"), spool.Options{})
	mustAppend(t, s, 0)
	before := s.Stats()
	tell(t, s, "a", usage.Ranges{{Lo: 1, Hi: 7}})
	got := mustAppend(t, s, 1)
	if got.Batch.Agent != before.Agent || got.Batch.Epoch == before.Epoch || got.Batch.Seq != 1 || got.Batch.Prev != "" {
		t.Errorf("next batch is %s after %q, want seq 1 of a new epoch of the same agent", got.Batch.ID(), got.Batch.Prev)
	}
	if st := s.Stats(); st.Origin != spool.OriginOvertaken {
		t.Errorf("origin = %s, want overtaken", st.Origin)
	}
}

func TestConflictIsStoredAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spool.db")
	s := mustOpen(t, path, spool.Options{})
	mustAppend(t, s, 0)
	clash := mustAppend(t, s, 1)
	mustAppend(t, s, 2)
	st := s.Stats()
	err := s.Ack("a", map[string]usage.Ranges{st.Agent + "/" + st.Epoch: {{Lo: 1, Hi: 3}}}, []usage.ID{clash.Batch.ID()})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = mustOpen(t, path, spool.Options{})
	got := waiting(t, s)
	if len(got) != 1 {
		t.Fatalf("%d batches wait, want the one in conflict", len(got))
	}
	b := got[0].Batch
	if b.Epoch == st.Epoch || b.Epoch != s.Stats().Epoch || b.Seq != 1 || b.Records[0] != clash.Batch.Records[0] {
		t.Errorf("stored anew as %s with %+v, want seq 1 of the new epoch with %+v", b.ID(), b.Records[0], clash.Batch.Records[0])
	}
	if next := mustAppend(t, s, 3).Batch; next.Seq != 2 || next.Prev != got[0].Hash.String() {
		t.Errorf("next batch is %s after %.8s, want seq 2 after %.8s", next.ID(), next.Prev, got[0].Hash)
	}
}

func TestAnotherMachineIsAnotherAgent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spool.db")
	s := mustOpen(t, path, spool.Options{MachineID: "one"})
	if _, err := s.Append(batch(0), map[string][]byte{"meter": []byte("its GPUs")}); err != nil {
		t.Fatal(err)
	}
	before := s.Stats()
	s.Close()
	for range 2 {
		s = mustOpen(t, path, spool.Options{MachineID: "two"})
		if v, _ := s.State("meter"); v != nil {
			t.Errorf("state %q came along, want none: it is about the other machine", v)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(path, path+"-again"); err != nil { // a third machine, to see the move itself
		t.Fatal(err)
	}
	path += "-again"
	s = mustOpen(t, path, spool.Options{MachineID: "three"})
	mustAppend(t, s, 1)
	st := s.Stats()
	if st.Agent == before.Agent || st.Epoch == before.Epoch || st.Seq != 1 || st.Origin != spool.OriginMoved {
		t.Errorf("after the move: %+v, want another agent and epoch", st)
	}
	// What the first machine left is sent too, each stream by itself.
	streams := map[string]int{}
	for range 10 {
		for _, b := range waiting(t, s) {
			streams[b.Batch.Agent]++
		}
	}
	if streams[before.Agent] == 0 || streams[st.Agent] == 0 {
		t.Errorf("batches handed out by agent: %v, want both", streams)
	}
}

// TestNewestGetsThroughEarly has a backlog of a hundred requests.
func TestNewestGetsThroughEarly(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "spool.db"), spool.Options{})
	var size int
	for n := range 200 {
		size = len(mustAppend(t, s, n).Body)
	}
	var got []uint64
	limit := 12 * (size + 100)
	if err := s.Unacked(limit, func(id usage.ID, body []byte, _ usage.Hash) {
		got = append(got, id.Seq)
		limit -= len(body)
	}); err != nil {
		t.Fatal(err)
	}
	if limit < 0 {
		t.Errorf("handed out %d bytes too many", -limit)
	}
	live := 0
	for _, n := range got {
		if n > 100 {
			live++
		}
	}
	if old := len(got) - live; got[len(got)-1] != 200 || live < 1 || old < 3*live || got[0] != 1 {
		t.Errorf("handed out %v, want one of the newest for each four of the oldest", got)
	}
	if err := s.Unacked(1, func(id usage.ID, _ []byte, _ usage.Hash) { got = append(got[:0], id.Seq) }); err != nil || len(got) != 1 || got[0] != 200 {
		t.Errorf("with one byte of room: %v, want the newest", got)
	}
}

// TestFullSpoolDropsWithANumber fills a small spool far beyond its size.
func TestFullSpoolDropsWithANumber(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spool.db")
	s := mustOpen(t, path, spool.Options{MaxBytes: 20_000})
	var told, records int64
	for n := range 200 {
		b := mustAppend(t, s, n).Batch
		records += int64(len(b.Records))
		for _, e := range b.Events {
			if e.Kind != usage.EventDropped || !strings.HasPrefix(e.Detail, "spool full: seq ") {
				t.Fatalf("event %+v, want one that tells a loss", e)
			}
			told += e.Value
		}
		if n == 20 { // acknowledged ones go first, and are no loss
			tell(t, s, "a", usage.Ranges{{Lo: 1, Hi: 21}})
		}
		if st := s.Stats(); st.Bytes > 20_000 {
			t.Fatalf("%d bytes after %d batches, want at most 20000", st.Bytes, n)
		}
	}
	st := s.Stats()
	if want := records - 21 - int64(st.PendingBatches); told != want || st.DroppedRecords != uint64(want) {
		t.Errorf("told %d and counted %d records lost, want %d", told, st.DroppedRecords, want)
	}
	got := waiting(t, s)
	if len(got) != st.PendingBatches || got[len(got)-1].Batch.Seq != 200 {
		t.Errorf("%d batches wait up to seq %d, want %d up to 200", len(got), got[len(got)-1].Batch.Seq, st.PendingBatches)
	}
	if size := fileSize(t, path); size > 1<<20 {
		t.Errorf("file of %d bytes for 20000 stored, want free pages used again", size)
	}
}

func TestBatchBeyondAllBoundsIsGivenUpAlone(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "spool.db"), spool.Options{MaxBytes: 10_000})
	b := batch(0)
	for range 100 {
		b.Records = append(b.Records, b.Records[0])
	}
	if sealed, err := s.Append(b, nil); err != nil || sealed.Batch.Seq != 0 {
		t.Fatalf("Append = seq %d, %v, want neither", sealed.Batch.Seq, err)
	}
	got := mustAppend(t, s, 1).Batch
	if len(got.Events) != 1 || got.Events[0].Value != 101 || got.Seq != 1 {
		t.Errorf("next batch has seq %d, events %+v, want 1 and a loss of 101 records", got.Seq, got.Events)
	}
	if got := mustAppend(t, s, 2).Batch; len(got.Events) != 0 {
		t.Errorf("the loss is told twice: %+v", got.Events)
	}
}

func TestStateIsStoredWithItsBatch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spool.db")
	s := mustOpen(t, path, spool.Options{})
	if v, err := s.State("meter"); v != nil || err != nil {
		t.Errorf("State of an empty spool = %q, %v, want nil", v, err)
	}
	if _, err := s.Append(batch(0), map[string][]byte{"meter": []byte(`{"a":1}`)}); err != nil {
		t.Fatal(err)
	}
	if err := s.PutState("inventory", []byte("x")); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = mustOpen(t, path, spool.Options{})
	for name, want := range map[string]string{"meter": `{"a":1}`, "inventory": "x"} {
		if v, err := s.State(name); string(v) != want || err != nil {
			t.Errorf("State(%q) = %q, %v, want %q", name, v, err, want)
		}
	}
	s.Close()
	if _, err := s.Append(batch(1), nil); err == nil {
		t.Error("a closed spool takes a batch")
	}
}
