package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// watched is how long BenchmarkAgent watches the agent, once it has settled.
const watched = 20 * time.Second

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
	for b.Loop() {
		if u, err = t.measure(b.Context(), watched); err != nil {
			b.Fatal(err)
		}
	}
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
