package duckdb_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/usage"
)

const (
	doublewrite = database + ".doublewrite"
	page        = 4096
	headers     = 3 * page
)

// files are the files of a data folder that a store consists of.
type files map[string][]byte

func filesIn(t *testing.T, dir string) files {
	t.Helper()
	out := files{}
	for _, name := range []string{database, database + ".wal", "tally", doublewrite} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		if err == nil {
			out[name] = content
		}
	}
	return out
}

func (f files) with(name string, content []byte) files {
	out := maps.Clone(f)
	out[name] = content
	return out
}

func (f files) write(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, content := range f {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// checkpoints lets f see the files before and after each of some checkpoints
// of a store that grows, and what it holds.
func checkpoints(t *testing.T, f func(round int, before, after files, want store.Counts)) {
	dir, seq := t.TempDir(), 0
	var agents [40][]usage.Sealed
	for n := range agents {
		agents[n] = steady(t, n+1, 5, nil)
	}
	for round := range 8 {
		db := open(t, dir).(*duckdb.DB)
		for range 1 + round%4 {
			var call []usage.Sealed
			for _, batches := range agents {
				call = append(call, batches[seq])
			}
			seq++
			if _, err := db.Append(t.Context(), call); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.SaveBlocks(t.Context()); err != nil {
			t.Fatal(err)
		}
		before := filesIn(t, dir)
		want, err := db.Counts(t.Context())
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		f(round, before, filesIn(t, dir), want)
	}
}

// torn is a database of which some pages are those of before a checkpoint and
// some those of after it, the headers those of before: what a process leaves
// that is killed within a checkpoint, and a machine that stops.
func torn(r *rand.Rand, before, after []byte) []byte {
	out := bytes.Clone(before)
	if r.IntN(2) == 0 && len(after) > len(out) {
		out = append(out, make([]byte, len(after)-len(out))...)
	}
	share := r.Float64()
	for at := headers; at < min(len(out), len(after)); at += page {
		if r.Float64() < share {
			copy(out[at:at+page], after[at:])
		}
	}
	return out
}

func TestOpenAfterACheckpointCutShort(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	refused := 0
	checkpoints(t, func(round int, before, after files, want store.Counts) {
		for i := range 4 {
			cut := before.with(database, torn(r, before[database], after[database]))
			dir := cut.write(t)
			for _, readOnly := range []bool{i%2 == 0, false} {
				db, err := duckdb.Open(t.Context(), dir, duckdb.Options{ReadOnly: readOnly})
				if err != nil {
					t.Fatalf("round %d, read-only %t: %v", round, readOnly, err)
				}
				wantCounts(t, db, want)
				wantAudited(t, db)
				if err := db.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := os.Stat(filepath.Join(dir, doublewrite)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("round %d: the saved blocks are still there: %v", round, err)
			}
			delete(cut, doublewrite)
			if _, err := duckdb.Inspect(t.Context(), cut.write(t), duckdb.Options{}); err != nil {
				refused++
			}
		}
	})
	if refused == 0 {
		t.Error("no torn file was refused without its saved blocks: the test shows nothing")
	}
}

func wantAudited(t *testing.T, db *duckdb.DB) {
	t.Helper()
	if _, err := db.Audit(t.Context(), func(f store.Finding) { t.Errorf("%s: %s", f.Where, f.Problem) }); err != nil {
		t.Error(err)
	}
}

// TestSavedBlocksThatDoNotCount shows that a file is left alone if its
// checkpoint has not begun, or is complete.
func TestSavedBlocksThatDoNotCount(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	checkpoints(t, func(round int, before, after files, want store.Counts) {
		saved := before[doublewrite]
		damaged := bytes.Clone(saved)
		damaged[r.IntN(len(damaged))] ^= 1 << r.IntN(8)
		for name, f := range map[string]files{
			"half written":    before.with(doublewrite, saved[:r.IntN(len(saved))]),
			"empty":           before.with(doublewrite, nil),
			"damaged":         before.with(doublewrite, damaged),
			"of a checkpoint": after.with(doublewrite, saved),
		} {
			dir := f.write(t)
			db := open(t, dir).(*duckdb.DB)
			opened := filesIn(t, dir)
			if !bytes.Equal(opened[database], f[database]) {
				t.Errorf("round %d: %s: the database was changed", round, name)
			}
			if opened[doublewrite] != nil {
				t.Errorf("round %d: %s: the saved blocks are still there", round, name)
			}
			wantCounts(t, db, want)
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestBlocksOfAnotherStoreAreNotPutBack gives a torn database the blocks that
// were saved of another store.
func TestBlocksOfAnotherStoreAreNotPutBack(t *testing.T) {
	t.Parallel()
	checkpoints(t, func(round int, before, after files, _ store.Counts) {
		const id = len("gpmdblw1")
		saved := bytes.Clone(before[doublewrite])
		if !bytes.Equal(saved[id:id+32], before["tally"][:32]) {
			t.Fatalf("round %d: the saved blocks are of store %q", round, saved[id:id+32])
		}
		copy(saved[id:], strings.Repeat("0", 32))
		sum := sha256.Sum256(saved[:len(saved)-sha256.Size])
		copy(saved[len(saved)-sha256.Size:], sum[:])
		cut := append(before[database][:headers:headers], after[database][headers:]...)
		dir := before.with(doublewrite, saved).with(database, cut).write(t)
		if db, err := duckdb.Open(t.Context(), dir, duckdb.Options{ReadOnly: true}); err == nil {
			_ = db.Close()
		}
		if !bytes.Equal(filesIn(t, dir)[database], cut) {
			t.Errorf("round %d: the database was changed", round)
		}
	})
}

// TestNewStoreHeedsNoOldBlocks shows that what another store left is not put
// into a new one.
func TestNewStoreHeedsNoOldBlocks(t *testing.T) {
	t.Parallel()
	checkpoints(t, func(round int, before, _ files, _ store.Counts) {
		if round > 0 {
			return // no new store has such headers
		}
		var log strings.Builder
		dir := files{doublewrite: before[doublewrite]}.write(t)
		db, err := duckdb.Open(t.Context(), dir, duckdb.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(log.String(), "put back") {
			t.Errorf("blocks of another store were put into a new one:\n%s", &log)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestRefusedStoreIsLeftAsItIs opens a store that lacks something, with a log
// that DuckDB would like to move into the file.
func TestRefusedStoreIsLeftAsItIs(t *testing.T) {
	t.Parallel()
	checkpoints(t, func(round int, before, _ files, _ store.Counts) {
		f := before.with("tally", bytes.Replace(before["tally"], []byte(" 00"), []byte(" 01"), 1))
		dir := f.write(t)
		if db, err := duckdb.Open(t.Context(), dir, duckdb.Options{}); err == nil {
			t.Fatalf("round %d: a store that lacks batches was opened: %v", round, db.Close())
		}
		for name, content := range filesIn(t, dir) {
			if !bytes.Equal(content, f[name]) {
				t.Errorf("round %d: %s was changed", round, name)
			}
		}
	})
}

func TestReaderMendsNothingBesideOthers(t *testing.T) {
	t.Parallel()
	checkpoints(t, func(round int, before, after files, _ store.Counts) {
		dir := before.with(database, append(before[database][:headers:headers], after[database][headers:]...)).write(t)
		if round == 0 {
			return // no block of metadata has changed yet
		}
		other, err := os.Create(filepath.Join(dir, "lock"))
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		if err := syscall.Flock(int(other.Fd()), syscall.LOCK_SH); err != nil {
			t.Fatal(err)
		}
		if _, err := duckdb.Inspect(t.Context(), dir, duckdb.Options{}); err == nil || !strings.Contains(err.Error(), "others read the folder") {
			t.Errorf("round %d: a reader beside another: %v", round, err)
		}
	})
}

// TestOthersAreKeptOut shows that DuckDB's lock on the file, which keeps other
// programs from writing to it, outlives all that is done with the file.
func TestOthersAreKeptOut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := open(t, dir).(*duckdb.DB)
	other, err := os.OpenFile(filepath.Join(dir, database), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	locked := func(when string) {
		t.Helper()
		lock := syscall.Flock_t{Type: syscall.F_WRLCK}
		const ofdGetLock = 36 // F_OFD_GETLK: asks as another process would
		if err := syscall.FcntlFlock(other.Fd(), ofdGetLock, &lock); err != nil {
			t.Fatal(err)
		}
		if lock.Type == syscall.F_UNLCK {
			t.Errorf("%s, others may write to the database", when)
		}
	}
	locked("after Open")
	if _, err := db.Append(t.Context(), []usage.Sealed{node(t, 1, 1, t0, minute)}); err != nil {
		t.Fatal(err)
	}
	if err := db.SaveBlocks(t.Context()); err != nil {
		t.Fatal(err)
	}
	locked("after blocks were saved")
	backup := filepath.Join(t.TempDir(), "copy")
	if err := db.Backup(t.Context(), backup); err != nil {
		t.Fatal(err)
	}
	locked("after a backup")
	if filesIn(t, backup)[doublewrite] != nil {
		t.Error("a backup has saved blocks, which may be half written")
	}
	if err := errors.Join(db.Close(), other.Close()); err != nil {
		t.Fatal(err)
	}
}
