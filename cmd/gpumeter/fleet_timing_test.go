package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/sim/fleet"
)

// BenchmarkFleet is a whole fleet in front of a collector that is a process of
// its own, on the same cores. Its report must be what was made up, to the
// millisecond.
func BenchmarkFleet(b *testing.B) {
	for _, f := range []struct {
		name string
		simulateArgs
	}{
		{"million", simulateArgs{GPUs: 1_000_000, Minutes: 10, Live: true, Connections: 2048}},
		{"outage", simulateArgs{GPUs: 65_000, Minutes: 61, Outage: time.Hour, Connections: 256}},
	} {
		b.Run(f.name, func(b *testing.B) {
			for b.Loop() {
				a := f.simulateArgs
				a.Seed, a.Clouds, a.Faults = 1, fleet.Clouds, 5
				sendFleet(b, &a)
			}
		})
	}
}

// sendFleet sends what a fleet's agents would to a new collector, reports what
// that took, and compares the collector's report with the truth.
func sendFleet(b *testing.B, a *simulateArgs) {
	b.Helper()
	url, pid := benchedCollector(b)
	a.URL = url
	from, to := a.times(time.Now())
	f, err := fleet.New(fleet.Config{Seed: a.Seed, GPUs: a.GPUs, Clouds: a.Clouds, Start: from.Add(-storyBefore)})
	if err != nil {
		b.Fatal(err)
	}
	s, err := newSimulation(a, f, from, to)
	if err != nil {
		b.Fatal(err)
	}
	defer s.client.client.CloseIdleConnections()
	if err := s.send(b.Context(), func(float64) {}); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(s.truth.records), "records")
	b.ReportMetric(float64(s.marks.refused), "refused")
	b.ReportMetric(s.marks.behind.Seconds(), "s-behind")
	b.ReportMetric(float64(s.marks.quantile(990).Milliseconds()), "p99-ms")
	b.ReportMetric(s.outage.Seconds(), "s-drain")
	b.ReportMetric(peakMiB(b, pid), "MiB-sending")
	if err := rest(b.Context(), time.Until(to.Add(simulatedAgo))); err != nil {
		b.Fatal(err)
	}
	var said bytes.Buffer
	if err := s.truth.compare(b.Context(), &a.source, from, to, &said); err != nil {
		b.Fatalf("%v\n%s", err, &said)
	}
	b.ReportMetric(0, "ms-wrong") // else it has failed
	b.ReportMetric(peakMiB(b, pid), "MiB-peak")
}

// benchedCollector starts a collector as people start one, and returns its
// address and process. It is stopped with the benchmark.
func benchedCollector(b *testing.B) (url string, pid int) {
	b.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	at := ln.Addr().String()
	if err := ln.Close(); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "collector", "--data", b.TempDir(), "--listen", at, "--memory-mib", "1024", "--log-level", "error")
	cmd.Env, cmd.Stderr = append(os.Environ(), roleEnv+"=command"), os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			b.Errorf("the collector ended with %v", err)
		}
	})
	for range 100 {
		if c, err := net.DialTimeout("tcp", at, time.Second); err == nil {
			_ = c.Close()
			return "http://" + at, cmd.Process.Pid
		}
		time.Sleep(100 * time.Millisecond)
	}
	b.Fatal("the collector does not listen after ten seconds")
	return "", 0
}

// peakMiB is the most memory that a process had so far.
func peakMiB(b *testing.B, pid int) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var kib float64
		if _, err := fmt.Sscanf(line, "VmHWM: %f kB", &kib); err == nil {
			return kib / 1024
		}
	}
	b.Fatal("the kernel does not say how much memory the collector had")
	return 0
}
