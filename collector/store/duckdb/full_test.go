package duckdb_test

import (
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/usage"
)

const fullDir = "DUCKDB_TEST_FULL_DIR"

// TestAppendGoesOnAfterAFullDisk lets a process of its own run against a limit
// on the size of files, which writes meet as they would meet a full disk.
func TestAppendGoesOnAfterAFullDisk(t *testing.T) {
	t.Parallel()
	if dir := os.Getenv(fullDir); dir != "" {
		appendOnAFullDisk(t, dir)
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), fullDir+"="+t.TempDir())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func appendOnAFullDisk(t *testing.T, dir string) {
	signal.Ignore(syscall.SIGXFSZ)
	limit := func(bytes uint64) {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: bytes, Max: 1 << 40}); err != nil {
			t.Fatal(err)
		}
	}
	var log strings.Builder
	db, err := duckdb.Open(t.Context(), dir, duckdb.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}

	// The log cannot grow: the transaction is as if it had not been.
	limit(1 << 18)
	seq := uint64(0)
	for err == nil {
		seq++
		err = appendNodes(t, db, seq, store.Committed)
	}
	n := int64(seq - 1)
	wantCounts(t, db, store.Counts{Records: 800 * n, Batches: 100 * n, Units: 800})
	limit(1 << 40)
	if err := appendNodes(t, db, seq, store.Committed); err != nil {
		t.Fatalf("append after the disk had room again: %v", err)
	}

	// The file cannot grow: what is in the log is durable, and found again. The
	// log grows until it cannot either.
	limit(20 << 20)
	r := rand.NewChaCha8([32]byte{1})
	want := store.Counts{Records: 800 * (n + 1), Batches: 100 * (n + 1), Units: 800}
	for {
		body := make([]byte, 1<<20)
		_, _ = r.Read(body)
		s := usage.Sealed{Body: body, Hash: usage.Hash{byte(want.Quarantined), 1}}
		if db.Quarantine(t.Context(), usage.ID{Agent: "a", Epoch: "e", Seq: uint64(want.Quarantined)}, s, "") != nil {
			break
		}
		want.Quarantined++
		if _, err := db.Events(t.Context(), t0, t0+1, 1); err != nil {
			t.Errorf("read beside a full disk, after %d failed checkpoints: %v", db.CheckpointErrors(), err)
		}
	}
	if strings.Count(log.String(), "checkpoint failed") != 1 || db.CheckpointErrors() != 1 {
		t.Errorf("not one checkpoint failed, and was left until the log had grown as much again:\n%s", &log)
	}
	limit(1 << 40)
	if err := appendNodes(t, db, seq, store.Duplicate); err != nil {
		t.Fatalf("append after the disk had room again: %v", err)
	}
	wantCounts(t, db, want)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open(t, dir).(*duckdb.DB)
	wantCounts(t, db, want)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// appendNodes appends the batches with one number of 100 nodes in one call.
func appendNodes(t *testing.T, db *duckdb.DB, seq uint64, want store.Status) error {
	var call []usage.Sealed
	for n := range 100 {
		call = append(call, node(t, n, seq, t0+int64(seq)*minute, minute))
	}
	got, err := db.Append(t.Context(), call)
	for i := range got {
		if got[i] != want {
			t.Errorf("batch %d: %s, want %s", i, got[i], want)
		}
	}
	return err
}

func wantCounts(t *testing.T, db *duckdb.DB, want store.Counts) {
	t.Helper()
	if got, err := db.Counts(t.Context()); err != nil || got != want {
		t.Errorf("counts = %+v, %v, want %+v", got, err, want)
	}
}
