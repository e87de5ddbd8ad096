//go:build e2e_packages

// Package packages_test installs what make packages builds into a Debian that is
// booted with its own systemd, and starts the programs of arm64 under emulation.
package packages_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// machine is a booted Debian without a network but loopback.
type machine struct {
	root   string
	leader string // process id of its systemd, as this machine counts
}

// boot unpacks a Debian and starts it; it is shut down with the test.
func boot(t *testing.T) *machine {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("only root can boot a machine")
	}
	m := &machine{root: t.TempDir()}
	command(t, "tar", "xf", setting(t, "GPUMETER_E2E_ROOT"), "-C", m.root, "--numeric-owner")
	log, err := os.Create(filepath.Join(t.TempDir(), "console"))
	if err != nil {
		t.Fatal(err)
	}
	// bpf: systemd keeps devices away from a unit by a program in the kernel.
	nspawn := exec.Command("systemd-nspawn", "-q", "-D", m.root, "--keep-unit", "--register=no", "--private-network",
		"--system-call-filter=bpf", "--capability=CAP_BPF,CAP_SYSLOG", "--console=pipe", "--boot")
	nspawn.Env = append(os.Environ(), "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1")
	nspawn.Stdout, nspawn.Stderr = log, log
	if err := nspawn.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = nspawn.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		_, _ = m.try("systemctl", "poweroff")
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			_ = nspawn.Process.Kill()
			<-ended
		}
	})
	wait(t, time.Minute, "the machine to boot", func() bool {
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", nspawn.Process.Pid))
		if err != nil || len(strings.Fields(string(children))) == 0 {
			return false
		}
		m.leader = strings.Fields(string(children))[0]
		said, _ := m.try("systemctl", "is-system-running")
		return strings.HasPrefix(said, "running") || strings.HasPrefix(said, "degraded")
	})
	return m
}

// try runs a command on the machine, as its root.
func (m *machine) try(args ...string) (string, error) {
	cmd := exec.Command("nsenter", append([]string{"-t", m.leader, "-m", "-u", "-i", "-n", "-p", "-C", "--"}, args...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "SYSTEMD_PAGER=", "DEBIAN_FRONTEND=noninteractive"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// run is try of a command that must work.
func (m *machine) run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := m.try(args...)
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return out
}

// write writes a file of the machine, for its root.
func (m *machine) write(t *testing.T, name, text string, mode os.FileMode) {
	t.Helper()
	name = filepath.Join(m.root, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil {
		t.Fatal(err)
	}
}

// has reports whether the machine has a file.
func (m *machine) has(name string) bool {
	_, err := os.Lstat(filepath.Join(m.root, name))
	return err == nil
}

// show returns a property of a unit.
func (m *machine) show(t *testing.T, unit, property string) string {
	t.Helper()
	return strings.TrimSpace(m.run(t, "systemctl", "show", "--value", "-p", property, unit))
}

// count is show of a number.
func (m *machine) count(t *testing.T, unit, property string) int {
	t.Helper()
	n, err := strconv.Atoi(m.show(t, unit, property))
	if err != nil {
		t.Fatalf("%s of %s: %v", property, unit, err)
	}
	return n
}

// journal returns what a unit wrote.
func (m *machine) journal(t *testing.T, unit string) string {
	t.Helper()
	return m.run(t, "journalctl", "--no-pager", "-o", "cat", "-u", unit)
}

// wait returns when something is so.
func wait(t *testing.T, limit time.Duration, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !so(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s for %s", limit, what)
		}
	}
}

// command runs a program of this machine that must work.
func command(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}

// setting is what make e2e-packages names.
func setting(t *testing.T, name string) string {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		t.Fatalf("%s is not set: run make e2e-packages", name)
	}
	return v
}
