//go:build e2e_packages

package packages_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// misc is where the kernel learns which program runs which files.
const misc = "/proc/sys/fs/binfmt_misc"

// foreign lets the kernel start programs of arm64 under emulation until the test
// ends: the agent starts itself anew as its worker, and names no emulator for it.
func foreign(t *testing.T) {
	t.Helper()
	if runtime.GOARCH == "arm64" {
		return
	}
	if _, err := os.Stat(misc + "/register"); err != nil {
		command(t, "mount", "-t", "binfmt_misc", "binfmt_misc", misc)
		t.Cleanup(func() { command(t, "umount", misc) })
	}
	emulator, err := exec.LookPath("qemu-aarch64")
	if err != nil {
		t.Fatal(err)
	}
	const magic = `\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00`
	const mask = `\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff`
	rule := misc + "/gpumeter-aarch64"
	if err := os.WriteFile(misc+"/register", []byte(":gpumeter-aarch64:M::"+magic+":"+mask+":"+emulator+":F"), 0); err != nil {
		t.Fatalf("let programs of arm64 start: %v", err)
	}
	t.Cleanup(func() {
		if err := os.WriteFile(rule, []byte("-1"), 0); err != nil {
			t.Error(err)
		}
	})
}

// TestProgramsOfARM64Start starts both, and scans an arm64 node of two GPUs.
func TestProgramsOfARM64Start(t *testing.T) {
	foreign(t)
	stage := filepath.Join(setting(t, "GPUMETER_STAGE"), "arm64")
	run := func(args ...string) string {
		cmd := exec.Command(filepath.Join(stage, args[0]), args[1:]...)
		cmd.Env = append(os.Environ(), "QEMU_LD_PREFIX=/usr/aarch64-linux-gnu", "GPUMETER_SIM_SCENARIO="+filepath.Join(t.TempDir(), "scenario"))
		if err := os.WriteFile(strings.TrimPrefix(cmd.Env[len(cmd.Env)-1], "GPUMETER_SIM_SCENARIO="), []byte("seed 7\ngpus 4 gb200\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := cmd.CombinedOutput()
		if err != nil && cmd.ProcessState.ExitCode() > 3 { // the verdict of a scan is its status
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	for _, program := range []string{"gpumeter", "gpumeter-agent"} {
		if said := run(program, "--version"); !strings.HasPrefix(said, program+" version ") {
			t.Errorf("%s says %q", program, said)
		}
	}
	if said := run("gpumeter", "contract", "schema"); !strings.HasPrefix(said, "{") {
		t.Errorf("gpumeter contract schema says %q", said)
	}
	// DuckDB throws: the C++ library is in the program, and libgcc_s is not.
	data := t.TempDir()
	if err := os.WriteFile(filepath.Join(data, "gpumeter.duckdb"), []byte(strings.Repeat("no database", 2000)), 0o644); err != nil {
		t.Fatal(err)
	}
	if said := run("gpumeter", "report", "--data", data); !strings.Contains(said, "not a valid DuckDB database file") {
		t.Errorf("gpumeter report on a damaged store says %q", said)
	}
	said := run("gpumeter-agent", "scan", "--nvml", filepath.Join(stage, "sim", "libnvidia-ml.so.1"))
	if !strings.Contains(said, "4 GPUs") || !strings.Contains(said, "GB200") {
		t.Errorf("scan says\n%s", said)
	}
	t.Log(said)
}
