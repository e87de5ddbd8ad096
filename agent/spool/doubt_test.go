package spool

import (
	"path/filepath"
	"syscall"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/gpumeter/gpumeter/usage"
)

func plain() usage.Batch {
	return usage.Batch{Evidence: usage.EvidenceAgent, Node: usage.Node{Name: "n"}}
}

// failing returns a commit that reports a lost fsync. If done, the transaction
// is visible all the same, as it is when the kernel lost only the disk's copy.
func failing(done bool) func(*bbolt.DB, func(*bbolt.Tx) error) error {
	return func(db *bbolt.DB, f func(*bbolt.Tx) error) error {
		if done {
			if err := db.Update(f); err != nil {
				return err
			}
		}
		return syscall.EIO
	}
}

// TestLostSyncIsNotRetriedOnTheSameFile has an fsync fail once. The batch is in
// the new file once, whether or not the old one has it.
func TestLostSyncIsNotRetriedOnTheSameFile(t *testing.T) {
	for _, done := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "spool.db")
		s, err := Open(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Append(plain(), nil); err != nil {
			t.Fatal(err)
		}
		s.commit = failing(done)
		if b, err := s.Append(plain(), nil); err != nil || b.Batch.Seq != 0 || s.db != nil {
			t.Fatalf("done %v: Append = seq %d, %v, want it held and the file closed", done, b.Batch.Seq, err)
		}
		if err := s.Unacked(1<<20, func(usage.ID, []byte, usage.Hash) {}); err == nil {
			t.Errorf("done %v: a file in doubt is read", done)
		}
		s.commit = (*bbolt.DB).Update
		if b, err := s.Append(plain(), nil); err != nil || b.Batch.Seq != 3 {
			t.Fatalf("done %v: Append = seq %d, %v, want 3", done, b.Batch.Seq, err)
		}
		var hashes []string
		prev := ""
		err = s.Unacked(1<<20, func(_ usage.ID, body []byte, hash usage.Hash) {
			b, err := usage.Open(body)
			if err != nil || b.Batch.Prev != prev {
				t.Errorf("done %v: seq %d after %.8s (%v), want after %.8s", done, b.Batch.Seq, b.Batch.Prev, err, prev)
			}
			prev = hash.String()
			hashes = append(hashes, prev)
		})
		if err != nil || len(hashes) != 3 {
			t.Errorf("done %v: %d batches, %v, want 3", done, len(hashes), err)
		}
		if st := s.Stats(); st.Failures != 1 || st.Held != 0 || st.Origin != OriginContinued {
			t.Errorf("done %v: stats %+v, want one failure and the same epoch", done, st)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestLostTransactionBeginsANewEpoch has a file that goes back behind what was
// durable, as a disk that lies about its cache does.
func TestLostTransactionBeginsANewEpoch(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "spool.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	first, err := s.Append(plain(), nil)
	if err != nil {
		t.Fatal(err)
	}
	s.commit = func(*bbolt.DB, func(*bbolt.Tx) error) error { return nil } // the lie
	if _, err := s.Append(plain(), nil); err != nil {
		t.Fatal(err)
	}
	s.commit = failing(false)
	if _, err := s.Append(plain(), nil); err != nil {
		t.Fatal(err)
	}
	s.commit = (*bbolt.DB).Update
	b, err := s.Append(plain(), nil)
	if err != nil || b.Batch.Epoch == first.Batch.Epoch || b.Batch.Agent != first.Batch.Agent || s.Stats().Origin != OriginTorn {
		t.Errorf("after the loss: %s (%v), want a new epoch of agent %.8s", b.Batch.ID(), err, first.Batch.Agent)
	}
}

// TestEpochOfMemoryIsNotForgotten has the write of a new epoch fail.
func TestEpochOfMemoryIsNotForgotten(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "spool.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	first, err := s.Append(plain(), nil)
	if err != nil {
		t.Fatal(err)
	}
	s.commit = failing(false)
	ahead := map[string]usage.Ranges{s.id.stream().String(): {{Lo: 1, Hi: 9}}}
	if err := s.Ack("a", ahead, nil); err == nil {
		t.Error("Ack on a failing disk reports success")
	}
	s.commit = (*bbolt.DB).Update
	if b, err := s.Append(plain(), nil); err != nil || b.Batch.Epoch == first.Batch.Epoch {
		t.Errorf("after the failure: %s (%v), want another epoch than %.8s", b.Batch.ID(), err, first.Batch.Epoch)
	}
}

// TestPanicInsideBoltIsAnError has bbolt meet a page that it does not expect.
func TestPanicInsideBoltIsAnError(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "spool.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.commit = func(*bbolt.DB, func(*bbolt.Tx) error) error {
		var page []byte
		_ = page[7]
		return nil
	}
	if b, err := s.Append(plain(), nil); err != nil || b.Batch.Seq != 0 {
		t.Fatalf("Append = seq %d, %v, want the batch held", b.Batch.Seq, err)
	}
	s.commit = (*bbolt.DB).Update
	if b, err := s.Append(plain(), nil); err != nil || b.Batch.Seq != 2 {
		t.Errorf("Append = seq %d, %v, want 2", b.Batch.Seq, err)
	}
}

// TestConflictOnAFailingDiskGoesOnWaiting has no way to store the batch anew: it
// must not count as acknowledged.
func TestConflictOnAFailingDiskGoesOnWaiting(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "spool.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b, err := s.Append(plain(), nil)
	if err != nil {
		t.Fatal(err)
	}
	committed := map[string]usage.Ranges{s.id.stream().String(): {{Lo: 1, Hi: 1}}}
	s.commit = failing(false)
	if err := s.Ack("a", committed, []usage.ID{b.Batch.ID()}); err == nil {
		t.Error("Ack on a failing disk reports success")
	}
	if st := s.Stats(); st.PendingBatches != 1 {
		t.Fatalf("stats %+v, want the batch in conflict pending", st)
	}
	if err := s.Flush(); err == nil {
		t.Error("Flush on a failing disk reports success")
	}
	s.commit = (*bbolt.DB).Update
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := s.Ack("a", committed, []usage.ID{b.Batch.ID()}); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Batches != 2 || st.PendingBatches != 1 || st.Epoch == b.Batch.Epoch {
		t.Errorf("stats %+v, want the batch pending in a new epoch", st)
	}
}

// TestDiskThatAlwaysFailsHoldsNothingUp has every commit fail, also those after
// the file was written anew.
func TestDiskThatAlwaysFailsHoldsNothingUp(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "spool.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.commit = failing(false)
	for range 5 {
		if b, err := s.Append(plain(), nil); err != nil || b.Batch.Seq != 0 {
			t.Fatalf("Append = seq %d, %v, want the batch held", b.Batch.Seq, err)
		}
	}
	if err := s.Flush(); err == nil || s.Stats().Held != 5 {
		t.Errorf("Flush = %v, stats %+v, want an error and 5 held", err, s.Stats())
	}
	s.commit = (*bbolt.DB).Update
	if err := s.Flush(); err != nil || s.Stats().Held != 0 || s.Stats().Seq != 5 {
		t.Errorf("Flush = %v, stats %+v, want all written", err, s.Stats())
	}
}
