package nvml

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
)

// builtSim builds the simulated driver, or takes it from GPUMETER_SIM_DIR. It
// is built by the first test that needs it: the fuzzer's processes need none.
var builtSim = sync.OnceValues(func() (string, error) {
	if dir := os.Getenv("GPUMETER_SIM_DIR"); dir != "" {
		return dir, nil
	}
	dir, err := os.MkdirTemp("", "sim")
	if err != nil {
		return "", err
	}
	madeSim = dir
	out, err := exec.Command("make", "-s", "-C", "../../sim/driver", "OUT="+dir).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the simulated driver: %w\n%s", err, out)
	}
	return dir, nil
})

// madeSim is the folder that RemoveSim removes.
var madeSim string

// SimDir returns the folder that holds the simulated driver libraries.
func SimDir(t testing.TB) string {
	t.Helper()
	dir, err := builtSim()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// RemoveSim removes what SimDir built. It comes after all tests.
func RemoveSim() error {
	if madeSim == "" {
		return nil
	}
	return os.RemoveAll(madeSim)
}
