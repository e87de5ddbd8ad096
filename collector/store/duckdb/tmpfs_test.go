package duckdb_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
)

// small mounts a file system of so many bytes; only root may.
func small(t *testing.T, bytes string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+bytes); err != nil {
		t.Skipf("mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill takes all the room that there is, and returns the file that has it.
func fill(t *testing.T, dir string) (path string) {
	t.Helper()
	path = filepath.Join(dir, "ballast")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	block := bytes.Repeat([]byte{1}, 4096)
	for err == nil {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("fill the disk: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestStoreOnAFullDisk fills the disk at some moments of a store's life, and
// again and again makes room: what was acknowledged is there, and nothing else.
func TestStoreOnAFullDisk(t *testing.T) {
	t.Parallel()
	mount := small(t, "24m")
	dir := filepath.Join(mount, "data")
	db := open(t, dir).(*duckdb.DB)
	seq := uint64(0)
	want := store.Counts{Units: 800}
	appendTill := func(n int) (err error) {
		for range n {
			seq++
			if err = appendNodes(t, db, seq, store.Committed); err != nil {
				seq-- // sent again
				return err
			}
			want.Batches, want.Records = want.Batches+100, want.Records+800
		}
		return nil
	}
	for round := range 4 {
		if err := appendTill(3); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		ballast := fill(t, mount)
		if err := appendTill(1000); err == nil {
			t.Fatal("a full disk takes everything")
		}
		if err := db.RollUp(t.Context(), time.UnixMilli(t0+100*hour)); err == nil {
			t.Errorf("round %d: hour records on a full disk: no error", round)
		}
		if err := db.Backup(t.Context(), filepath.Join(mount, "backup")); err == nil || !strings.Contains(err.Error(), "no space left") {
			t.Errorf("round %d: backup on a full disk: %v", round, err)
		}
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		if err := appendTill(1); err != nil {
			t.Fatalf("round %d: append when there is room again: %v", round, err)
		}
		wantCounts(t, db, want)
	}
	if err := db.RollUp(t.Context(), time.UnixMilli(t0+100*hour)); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := filepath.Glob(filepath.Join(mount, "*")); err != nil || len(left) != 1 {
		t.Errorf("%v, %v: more than the data folder is left", left, err)
	}
	if _, batches := whole(t, dir); batches != want.Batches {
		t.Errorf("%d batches, want %d", batches, want.Batches)
	}
}
