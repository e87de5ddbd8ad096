package spool_test

import (
	"path/filepath"
	"testing"

	"github.com/gpumeter/gpumeter/agent/spool"
	"github.com/gpumeter/gpumeter/usage"
)

// BenchmarkAppend stores the window of a node with eight GPUs: two syncs of the
// disk below the temp folder.
func BenchmarkAppend(b *testing.B) {
	s, err := spool.Open(filepath.Join(b.TempDir(), "spool.db"), spool.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	w := batch(0)
	for len(w.Records) < 8 {
		w.Records = append(w.Records, w.Records[0])
	}
	b.ReportAllocs()
	for b.Loop() {
		sealed, err := s.Append(w, nil)
		if err != nil || sealed.Batch.Seq == 0 {
			b.Fatal(err, s.Stats().LastError)
		}
		b.SetBytes(int64(len(sealed.Body)))
	}
}

// BenchmarkUnacked hands out a request's worth of a backlog of one day.
func BenchmarkUnacked(b *testing.B) {
	s, err := spool.Open(filepath.Join(memoryDir(b), "spool.db"), spool.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for n := range 1440 {
		if _, err := s.Append(batch(n), nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		var n int64
		if err := s.Unacked(1<<20, func(_ usage.ID, body []byte, _ usage.Hash) { n += int64(len(body)) }); err != nil || n == 0 {
			b.Fatal(n, err)
		}
		b.SetBytes(n)
	}
}
