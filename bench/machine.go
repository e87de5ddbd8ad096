package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// machine is what the figures are of.
type machine struct {
	cpu    string // its model
	cores  int
	memory float64 // GiB
	load   string  // the load average when it began
	goes   string  // the version of Go
	commit string
}

func (m machine) String() string {
	return fmt.Sprintf("%s, %d cores, %.0f GiB, %s; commit %s; load average %s when it began", m.cpu, m.cores, m.memory, m.goes, m.commit, m.load)
}

// thisMachine reads what the kernel, and git, say of themselves. What cannot be
// read is unknown.
func thisMachine(ctx context.Context) machine {
	m := machine{cpu: "unknown CPU", cores: runtime.NumCPU(), load: "unknown", goes: runtime.Version(), commit: "unknown"}
	if s := field("/proc/cpuinfo", "model name"); s != "" {
		m.cpu = s
	}
	var kib float64
	if _, err := fmt.Sscanf(field("/proc/meminfo", "MemTotal"), "%f kB", &kib); err == nil {
		m.memory = kib / (1 << 20)
	}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.load = strings.Fields(string(text) + " ?")[0]
	}
	if out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output(); err == nil {
		m.commit = strings.TrimSpace(string(out))
	}
	return m
}

// field is the value of the first line "KEY: VALUE" of a file; empty if there
// is none.
func field(file, key string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return ""
}
