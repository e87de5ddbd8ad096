package duckdb_test

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/gpumeter/gpumeter/collector/store/storetest"
)

var crash = storetest.Crash{Open: open, Whole: true}

func TestDBSurvivesKill(t *testing.T) {
	t.Parallel()
	crash.AtRandom(t, 10)
}

// TestDBSurvivesKillAtEachStep kills in the middle of every write, and before
// every fsync, cut, removal and renaming, that DuckDB makes of its files. What Go
// does to files is not among the steps: it does not go through the C library.
func TestDBSurvivesKillAtEachStep(t *testing.T) {
	t.Parallel()
	if storetest.InCrash() {
		crash.AtEachStep(t, nil)
		return
	}
	library := filepath.Join(t.TempDir(), "step.so")
	out, err := exec.CommandContext(t.Context(), cmp.Or(os.Getenv("CC"), "gcc"), "-shared", "-fPIC", "-O1", "-o", library, filepath.Join("testdata", "step.c"), "-ldl").CombinedOutput()
	if err != nil {
		t.Fatalf("build %s: %v\n%s", library, err, out)
	}
	steps := crash.AtEachStep(t, func(p *exec.Cmd, _ func(), dir string, step int) {
		dir, err := filepath.EvalSymlinks(dir)
		if err != nil {
			t.Fatal(err)
		}
		p.Env = append(p.Env, "LD_PRELOAD="+library, "STEP_DIR="+dir+string(os.PathSeparator), "STEP="+strconv.Itoa(step))
	})
	t.Logf("killed at %d steps", steps)
	if steps < 20 {
		t.Errorf("killed at %d steps: the process takes more than that", steps)
	}
}
