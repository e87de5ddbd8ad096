// Package packaging_test holds what people install against the tools that will
// read it, and against the programs.
package packaging_test

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// mostExposed is what systemd-analyze security may say of a unit, of 10.
const mostExposed = 2.0

var printExposure = flag.Bool("exposure", false, "print how exposed each unit is")

// units are the units, each alone and with each of its drop-ins.
func units(t *testing.T) (out []struct{ unit, dropIn string }) {
	t.Helper()
	names, err := filepath.Glob("systemd/*.service")
	if err != nil || len(names) != 2 {
		t.Fatalf("units are %v, %v", names, err)
	}
	for _, unit := range names {
		part := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(unit), "gpumeter-"), ".service")
		dropIns, err := filepath.Glob("systemd/" + part + "/*.conf")
		if err != nil || part == "agent" && len(dropIns) == 0 {
			t.Fatalf("drop-ins of %s are %v, %v", unit, dropIns, err)
		}
		for _, d := range append([]string{""}, dropIns...) {
			out = append(out, struct{ unit, dropIn string }{unit, d})
		}
	}
	return out
}

// place writes a unit with a drop-in into a folder, for a program that is there.
func place(t *testing.T, unit, dropIn string) string {
	t.Helper()
	dir := t.TempDir()
	text := regexp.MustCompile(`(?m)^ExecStart=\S+`).ReplaceAllString(read(t, unit), "ExecStart=/bin/true")
	name := filepath.Join(dir, filepath.Base(unit))
	write(t, name, text)
	if dropIn != "" {
		write(t, filepath.Join(name+".d", filepath.Base(dropIn)), read(t, dropIn))
	}
	return name
}

// TestUnitsAreVerified wants silence of systemd's own checker.
func TestUnitsAreVerified(t *testing.T) {
	needsAnalyze(t)
	for _, u := range units(t) {
		if said := analyze(t, "verify", "--man=no", place(t, u.unit, u.dropIn)); said != "" {
			t.Errorf("%s %s: %s", u.unit, u.dropIn, said)
		}
	}
}

// TestUnitsAreHardlyExposed holds every unit, with any drop-in, to mostExposed.
func TestUnitsAreHardlyExposed(t *testing.T) {
	needsAnalyze(t)
	level := regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`)
	for _, u := range units(t) {
		said := analyze(t, "security", "--offline=true", place(t, u.unit, u.dropIn))
		m := level.FindStringSubmatch(said)
		if m == nil {
			t.Errorf("%s %s: no level in %q", u.unit, u.dropIn, said)
			continue
		}
		got, err := strconv.ParseFloat(m[1], 64)
		if err != nil || got > mostExposed {
			t.Errorf("%s %s: exposure %s, want at most %.1f", u.unit, u.dropIn, m[1], mostExposed)
		}
		if *printExposure {
			t.Logf("%s %s: exposure %s", u.unit, u.dropIn, m[1])
		}
	}
}

// TestAgentUnitKeepsOutWhatItDoesNotNeed names the directives that are the point
// of the unit: a score can be kept while one of them is lost.
func TestAgentUnitKeepsOutWhatItDoesNotNeed(t *testing.T) {
	unit := read(t, "systemd/gpumeter-agent.service")
	for _, line := range []string{
		"Type=notify", "WatchdogSec=60", "DynamicUser=yes", "DevicePolicy=closed", "DeviceAllow=char-195 rw", "CapabilityBoundingSet=",
		"NoNewPrivileges=yes", "ProtectSystem=strict", "StateDirectory=gpumeter", "LoadCredential=token:/etc/gpumeter/agent.token",
	} {
		if !strings.Contains(unit, "\n"+line+"\n") {
			t.Errorf("the agent's unit lacks %s", line)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^DeviceAllow=(.*)$`).FindAllStringSubmatch(unit, -1) {
		if m[1] != "char-195 rw" && m[1] != "char-nvidia-caps r" {
			t.Errorf("the agent may use %s", m[1])
		}
	}
	if strings.Contains(unit, "User=root") {
		t.Error("the agent is root")
	}
}

func needsAnalyze(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not installed: make e2e-packages installs it")
	}
}

// analyze returns all that systemd-analyze says.
func analyze(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("systemd-analyze", args...)
	cmd.Env = append(os.Environ(), "SYSTEMD_LOG_LEVEL=notice", "SYSTEMD_PAGER=")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		t.Fatalf("systemd-analyze %v: %v\n%s", args, err, said.String())
	}
	return said.String()
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
