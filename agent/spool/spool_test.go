package spool_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/agent/spool"
	"github.com/gpumeter/gpumeter/usage"
)

// start is the first instant of every test clock.
var start = time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)

// batch returns what an agent closes in minute n.
func batch(n int) usage.Batch {
	from := start.UnixMilli() + int64(n)*60_000
	return usage.Batch{
		Evidence: usage.EvidenceAgent, IntervalMs: 1000,
		Node: usage.Node{Name: "node-1"},
		GPUs: []usage.GPU{{UUID: "GPU-1", Model: "H100"}},
		Records: []usage.Record{{
			GPU: "GPU-1", StartMs: from, EndMs: from + 60_000,
			Sums: usage.Sums{BusyMs: int64(n % 60_000), IdleMs: 1},
		}},
	}
}

func mustOpen(t *testing.T, path string, o spool.Options) *spool.Spool {
	t.Helper()
	s, err := spool.Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func mustAppend(t *testing.T, s *spool.Spool, n int) usage.Sealed {
	t.Helper()
	sealed, err := s.Append(batch(n), nil)
	if err != nil {
		t.Fatal(err)
	}
	if sealed.Batch.Seq == 0 {
		t.Fatalf("batch %d is not durable: %s", n, s.Stats().LastError)
	}
	return sealed
}

// waiting returns all that the spool would send.
func waiting(t *testing.T, s *spool.Spool) []usage.Sealed {
	t.Helper()
	var out []usage.Sealed
	err := s.Unacked(1<<30, func(id usage.ID, body []byte, hash usage.Hash) {
		sealed, err := usage.Open(body)
		if err != nil {
			t.Fatal(err)
		}
		if sealed.Hash != hash || sealed.Batch.ID() != id {
			t.Fatalf("batch %s: hash or identity differ from the body's", id)
		}
		out = append(out, sealed)
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func seqs(bs []usage.Sealed) string {
	var r usage.Ranges
	for _, b := range bs {
		r = r.Add(b.Batch.Seq)
	}
	return fmt.Sprint(r)
}

func TestAppendNumbersAndChains(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spool.db")
	s := mustOpen(t, path, spool.Options{MachineID: "m"})
	for n := range 3 {
		mustAppend(t, s, n)
	}
	first := s.Stats()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, path, spool.Options{MachineID: "m"})
	for n := range 3 {
		mustAppend(t, s, n+3)
	}
	got := waiting(t, s)
	prev := ""
	for i, b := range got {
		if b.Batch.Seq != uint64(i+1) || b.Batch.Prev != prev {
			t.Errorf("batch %d: seq %d, prev %q, want %d, %q", i, b.Batch.Seq, b.Batch.Prev, i+1, prev)
		}
		if b.Batch.Agent != first.Agent || b.Batch.Epoch != first.Epoch {
			t.Errorf("batch %d: identity %s, want that of %s/%s", i, b.Batch.ID(), first.Agent, first.Epoch)
		}
		prev = b.Hash.String()
	}
	if st := s.Stats(); len(got) != 6 || st.PendingBatches != 6 || st.Origin != spool.OriginContinued {
		t.Errorf("%d batches wait, stats %+v, want 6 of a continued epoch", len(got), st)
	}
}

func TestOpenRefusesASpoolInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spool.db")
	mustOpen(t, path, spool.Options{})
	if _, err := spool.Open(path, spool.Options{}); !errors.Is(err, spool.ErrHeld) {
		t.Fatalf("second Open = %v, want ErrHeld", err)
	}
}
