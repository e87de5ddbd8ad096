package spool_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gpumeter/gpumeter/agent/spool"
	"github.com/gpumeter/gpumeter/usage"
)

// sound is a closed spool with what it holds.
type sound struct {
	file    []byte
	batches map[usage.ID]usage.Hash
}

// makeSound appends n batches, and acknowledges some, so that the file has free
// pages, branches and marks.
func makeSound(t testing.TB, n int) sound {
	t.Helper()
	path := filepath.Join(memoryDir(t), "spool.db")
	s, err := spool.Open(path, spool.Options{MachineID: "m"})
	if err != nil {
		t.Fatal(err)
	}
	out := sound{batches: map[usage.ID]usage.Hash{}}
	for i := range n {
		b, err := s.Append(batch(i), map[string][]byte{"meter": []byte("state")})
		if err != nil {
			t.Fatal(err)
		}
		out.batches[b.Batch.ID()] = b.Hash
		if i == n/2 {
			st := s.Stats()
			if err := s.Ack("a", map[string]usage.Ranges{st.Agent + "/" + st.Epoch: {{Lo: 1, Hi: uint64(n / 4)}}}, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if out.file, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	return out
}

// memoryDir is a folder that needs no disk, where the system has one: damage is
// about bytes, and hundreds of spools need not wait for a sync each.
func memoryDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "spool-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// survive opens a damaged copy of a spool and holds what must be true of any:
// it opens, it hands out only what was stored, it goes on, and no identity that
// was ever used gets another content. It returns how many batches it has.
func survive(t testing.TB, was sound, file []byte) (kept int, st spool.Stats) {
	t.Helper()
	dir := memoryDir(t)
	path := filepath.Join(dir, "spool.db")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	for round := range 2 {
		s, err := spool.Open(path, spool.Options{MachineID: "m"})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if round == 0 {
			kept, st = s.Stats().Batches, s.Stats()
		}
		b, err := s.Append(batch(1000+round), nil)
		if err != nil || b.Batch.Seq == 0 {
			t.Fatalf("round %d: append: seq %d, %v, %s", round, b.Batch.Seq, err, s.Stats().LastError)
		}
		if _, used := was.batches[b.Batch.ID()]; used {
			t.Fatalf("round %d: %s is used twice", round, b.Batch.ID())
		}
		err = s.Unacked(1<<30, func(id usage.ID, body []byte, hash usage.Hash) {
			if want, ok := was.batches[id]; ok && want != hash {
				t.Fatalf("round %d: %s has another content", round, id)
			}
		})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if err := s.Close(); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
	}
	if st.Origin == spool.OriginDamaged {
		checkAside(t, dir, file)
	}
	return kept, st
}

// checkAside wants the damaged bytes under another name.
func checkAside(t testing.TB, dir string, file []byte) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "spool.db.damaged-*"))
	if err != nil || len(names) != 1 {
		t.Fatalf("damaged files set aside: %v, %v, want one", names, err)
	}
	if got, err := os.ReadFile(names[0]); err != nil || !bytes.Equal(got, file) {
		t.Fatalf("what was set aside is not what was found (%v)", err)
	}
}

func TestOpenSurvivesTruncation(t *testing.T) {
	was := makeSound(t, 60)
	if kept, st := survive(t, was, was.file); kept != 60 || st.Origin != spool.OriginContinued {
		t.Fatalf("the sound file: %d batches, %s, want 60, continued", kept, st.Origin)
	}
	damaged := 0
	for size := 0; size < len(was.file); size += 1 + len(was.file)/60 {
		if _, st := survive(t, was, was.file[:size]); st.Origin == spool.OriginDamaged {
			damaged++
		}
	}
	if damaged < 5 {
		t.Errorf("only %d cuts are seen as damage", damaged)
	}
}

// TestOpenSurvivesFlippedBytes damages one to eight bytes at a time. What no
// flipped byte touches is saved.
func TestOpenSurvivesFlippedBytes(t *testing.T) {
	was := makeSound(t, 40)
	rng := rand.New(rand.NewPCG(7, 7))
	origins := map[spool.Origin]int{}
	for range 120 {
		file := bytes.Clone(was.file)
		flips := 1 + rng.IntN(8)
		for range flips {
			file[rng.IntN(len(file))] ^= byte(1 + rng.IntN(255))
		}
		kept, st := survive(t, was, file)
		origins[st.Origin]++
		if kept < 40-flips {
			t.Errorf("%d of 40 batches kept after %d flipped bytes", kept, flips)
		}
	}
	if origins[spool.OriginDamaged] == 0 || origins[spool.OriginContinued] == 0 {
		t.Errorf("origins = %v, want damage in some and luck in others", origins)
	}
}

// TestOpenSurvivesEveryHeader flips each byte of the pages' headers and of the
// meta pages, where bbolt is at its most trusting.
func TestOpenSurvivesEveryHeader(t *testing.T) {
	was := makeSound(t, 24)
	page := os.Getpagesize()
	for at := 0; at < len(was.file); at += page {
		head := 16
		if at <= page {
			head = 80
		}
		for i := range head {
			for _, bit := range []byte{0x01, 0x80} {
				file := bytes.Clone(was.file)
				file[at+i] ^= bit
				survive(t, was, file)
			}
		}
	}
}

// TestTornMetaBeginsANewEpoch damages either meta page: bbolt would silently go
// on with the other one, which may be older by a batch that was sent already.
func TestTornMetaBeginsANewEpoch(t *testing.T) {
	was := makeSound(t, 20)
	for _, at := range []int{20, os.Getpagesize() + 20} {
		file := bytes.Clone(was.file)
		file[at] ^= 0xff
		if kept, st := survive(t, was, file); st.Origin != spool.OriginTorn || kept < 19 {
			t.Errorf("meta page at %d: origin %s with %d batches, want torn with at least 19", at, st.Origin, kept)
		}
	}
}

// TestDamageIsTold wants the loss in the next batch, without a number that
// nobody knows.
func TestDamageIsTold(t *testing.T) {
	was := makeSound(t, 20)
	path := filepath.Join(t.TempDir(), "spool.db")
	if err := os.WriteFile(path, was.file[:len(was.file)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, path, spool.Options{MachineID: "m"})
	got := mustAppend(t, s, 0).Batch.Events
	if len(got) != 1 || got[0].Kind != usage.EventDropped || got[0].Value != 0 || !strings.Contains(got[0].Detail, "damaged") {
		t.Errorf("events = %+v, want one that tells of the damage", got)
	}
}

// FuzzOpen opens whatever bytes, in place of a part of a sound file.
func FuzzOpen(f *testing.F) {
	was := makeSound(f, 12)
	page := os.Getpagesize()
	for p := range min(8, len(was.file)/page) {
		f.Add(uint32(p*page), was.file[p*page:p*page+64])
		f.Add(uint32(p*page+8), []byte{1, 0, 1, 0})
	}
	f.Fuzz(func(t *testing.T, at uint32, patch []byte) {
		file := bytes.Clone(was.file)
		copy(file[int(at)%len(file):], patch)
		survive(t, was, file)
	})
}
