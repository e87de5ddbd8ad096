package spool_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/agent/spool"
	"github.com/gpumeter/gpumeter/usage"
)

// smallDisk mounts a file system of one megabyte.
func smallDisk(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("mounting a small file system needs root")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("mounting a small file system: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// fill takes all the space that is left.
func fill(t *testing.T, dir string) string {
	t.Helper()
	name := filepath.Join(dir, "ballast")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for chunk := make([]byte, 4096); err == nil; {
		_, err = f.Write(chunk)
	}
	return name
}

// big is a batch that needs pages of its own.
func big(n int) usage.Batch {
	b := batch(n)
	for range 100 {
		b.Records = append(b.Records, b.Records[0])
	}
	return b
}

// TestFullDiskHoldsBatchesInMemory fills the disk below a spool and frees it again.
func TestFullDiskHoldsBatchesInMemory(t *testing.T) {
	dir := smallDisk(t)
	path := filepath.Join(dir, "spool.db")
	s := mustOpen(t, path, spool.Options{})
	mustAppend(t, s, 0)
	ballast := fill(t, dir)
	held := 0
	for n := 1; held < 5; n++ {
		b, err := s.Append(big(n), map[string][]byte{"meter": {byte(n)}})
		if err != nil {
			t.Fatalf("Append on a full disk = %v, want the batch held", err)
		}
		if b.Batch.Seq == 0 {
			held++
		}
		if n > 100 {
			t.Fatal("the disk does not get full")
		}
	}
	st := s.Stats()
	if st.Held != 5 || st.Failures == 0 || st.LastError == "" {
		t.Fatalf("stats on a full disk = %+v, want 5 held and an error", st)
	}
	durable := st.Seq
	if got := waiting(t, s); uint64(len(got)) != durable {
		t.Errorf("%d batches are handed out, want the %d durable ones", len(got), durable)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, s, 50)
	if st := s.Stats(); st.Held != 0 || st.Seq != durable+6 || st.LastError != "" || st.Origin != spool.OriginContinued && st.Origin != spool.OriginNew {
		t.Errorf("stats once there is room = %+v, want all of %d batches", st, durable+6)
	}
	s.Close()
	s = mustOpen(t, path, spool.Options{})
	checkChain(t, waiting(t, s), int(durable)+6)
}

// checkChain wants n batches numbered from 1, each with the hash before.
func checkChain(t *testing.T, got []usage.Sealed, n int) {
	t.Helper()
	if len(got) != n {
		t.Errorf("%d batches, want %d", len(got), n)
	}
	prev := ""
	for i, b := range got {
		if b.Batch.Seq != uint64(i+1) || b.Batch.Prev != prev {
			t.Fatalf("batch %d: seq %d after %.8s, want %d after %.8s", i, b.Batch.Seq, b.Batch.Prev, i+1, prev)
		}
		prev = b.Hash.String()
	}
}

// TestBeginsInMemoryOnAFullDisk starts a new agent where there is no room for a
// spool at all.
func TestBeginsInMemoryOnAFullDisk(t *testing.T) {
	dir := smallDisk(t)
	ballast := fill(t, dir)
	s := mustOpen(t, filepath.Join(dir, "spool.db"), spool.Options{})
	for n := range 3 {
		if b, err := s.Append(batch(n), nil); err != nil || b.Batch.Seq != 0 {
			t.Fatalf("Append = seq %d, %v, want the batch held", b.Batch.Seq, err)
		}
	}
	if err := s.Flush(); err == nil {
		t.Error("Flush on a full disk reports success")
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	checkChain(t, waiting(t, s), 3)
}

// TestHeldBatchesAreGivenUpWithANumber lets the disk stay full for too long.
func TestHeldBatchesAreGivenUpWithANumber(t *testing.T) {
	dir := smallDisk(t)
	c := newClock()
	s := mustOpen(t, filepath.Join(dir, "spool.db"), spool.Options{Now: c.Now, Hold: 10 * time.Minute})
	ballast := fill(t, dir)
	taken := 0
	for n := range 60 {
		if b, err := s.Append(big(n), nil); err != nil {
			t.Fatal(err)
		} else if b.Batch.Seq != 0 {
			taken++
		}
		c.now = c.now.Add(time.Minute)
	}
	st := s.Stats()
	lost := 60 - taken - st.Held
	if st.Held > 11 || lost < 1 || st.DroppedRecords != uint64(101*lost) {
		t.Fatalf("%d taken, stats %+v, want at most 11 held and the others counted", taken, st)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, s, 60)
	var told int64
	for _, b := range waiting(t, s) {
		for _, e := range b.Batch.Events {
			told += e.Value
		}
	}
	if want := int64(s.Stats().DroppedRecords); told != want {
		t.Errorf("events tell of %d records lost, want %d", told, want)
	}
}

// TestUnwritableFileHoldsBatches has every write to the file fail, as on a file
// system that became read-only: an open file keeps its right to write, so the
// limit on the size of files stands in for it.
func TestUnwritableFileHoldsBatches(t *testing.T) {
	dir := smallDisk(t)
	s := mustOpen(t, filepath.Join(dir, "spool.db"), spool.Options{})
	mustAppend(t, s, 0)
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 4096, Max: was.Max}); err != nil {
		t.Skipf("limit file size: %v", err)
	}
	b, err := s.Append(batch(1), nil)
	if err2 := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); err2 != nil {
		t.Fatal(err2)
	}
	if err != nil || b.Batch.Seq != 0 || s.Stats().Held != 1 {
		t.Fatalf("Append = seq %d, %v, stats %+v, want the batch held", b.Batch.Seq, err, s.Stats())
	}
	mustAppend(t, s, 2)
	checkChain(t, waiting(t, s), 3)
}
