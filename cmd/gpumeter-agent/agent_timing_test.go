package main

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// watched is how long BenchmarkAgent watches the agent, once it has settled.
const watched = 20 * time.Second

// busyShare is the share of the time in which the GPUs of BenchmarkAgent work: a
// square wave of 0.4 s and 0.6 s.
const busyShare = 0.4

// waveOf returns how long all GPUs together were busy, and how long observed.
func waveOf(b *testing.B, t *trial) (busy, observed float64) {
	b.Helper()
	page, _, err := t.scrape(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(page) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "} ")
		v, _ := strconv.ParseFloat(value, 64)
		switch {
		case strings.HasPrefix(name, "gpu_busy_seconds_total{"):
			busy += v
		case strings.HasPrefix(name, "gpu_observed_seconds_total{"):
			observed += v
		}
	}
	return busy, observed
}

// BenchmarkAgent is a whole agent with eight GPUs at one look a second, in real
// time: what its processes take of a core and of memory, and what a scrape of
// it costs over loopback.
func BenchmarkAgent(b *testing.B) {
	lib, err := library()
	if err != nil {
		b.Fatal(err)
	}
	scenario := filepath.Join(b.TempDir(), "scenario")
	if err := os.WriteFile(scenario, []byte("gpus 8 h100\ngpu * util square period=1s on=0.4s\ngpu * process pid=self memory=1GiB\n"), 0o644); err != nil {
		b.Fatal(err)
	}
	b.Setenv(commandEnv, "1")
	b.Setenv("GPUMETER_SIM_SCENARIO", scenario)
	t, err := startTrial(b.Context(), os.Stderr, "--nvml", lib)
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := t.stop(); err != nil {
			b.Error(err)
		}
	}()
	if err := t.ready(b.Context(), 30*time.Second); err != nil {
		b.Fatal(err)
	}
	time.Sleep(5 * time.Second)
	var u trialUsage
	busy, observed := waveOf(b, t)
	for b.Loop() {
		if u, err = t.measure(b.Context(), watched); err != nil {
			b.Fatal(err)
		}
	}
	busyAfter, observedAfter := waveOf(b, t)
	b.ReportMetric(100*math.Abs((busyAfter-busy)/(observedAfter-observed)/busyShare-1), "%wave-error")
	b.ReportMetric(100*u.CPU, "%core")
	b.ReportMetric(60*u.CPU, "CPU-s/min")
	var pss float64
	for _, p := range u.PSS {
		pss += float64(p)
	}
	b.ReportMetric(pss/(1<<20), "PSS-MiB")
	b.ReportMetric(u.Scrape.Seconds()*1e3, "scrape-p50-ms")
	b.ReportMetric(float64(u.SeriesPerGPU), "series/GPU")
	b.ReportMetric(float64(u.ScrapeBytes), "bytes/scrape")
}
