package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/agent/nvml"
)

// TestProbe runs the whole command against the simulated driver.
func TestProbe(t *testing.T) {
	lib, err := library()
	if err != nil {
		t.Fatal(err)
	}
	scenario := filepath.Join(t.TempDir(), "scenario")
	if err := os.WriteFile(scenario, []byte("gpus 2 h100\ngpu 1 model t4\ngpu * util 50\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv(commandEnv, "1")
	t.Setenv("GPUMETER_SIM_SCENARIO", scenario)
	o := probeOptions{library: lib, watch: 3 * time.Second, rounds: 2, output: "json"}
	var out, log bytes.Buffer
	if err := o.run(t.Context(), &out, &log); err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	var r probeResult
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Driver.GPUs) != 2 || len(r.Driver.GPUs[0].Rows) != len(nvml.Table) {
		t.Errorf("%d GPUs of %d rows, want 2 of %d", len(r.Driver.GPUs), len(r.Driver.GPUs[0].Rows), len(nvml.Table))
	}
	known := [2]int{}
	for i := range r.Driver.GPUs {
		for _, row := range r.Driver.GPUs[i].Rows {
			switch {
			case row.Known:
				known[i]++
			case row.Why == "":
				t.Errorf("GPU %d, %s: absent without a reason", i, row.Desc.Key())
			}
		}
	}
	if known[0] <= known[1] || known[1] == 0 {
		t.Errorf("an H100 answers %d rows and a T4 %d, want more and some", known[0], known[1])
	}
	if r.Agent.GPUs != 2 || r.Agent.SeriesPerGPU < 50 || len(r.Agent.PSS) != 2 || r.Agent.CPU <= 0 {
		t.Errorf("agent %+v, want two GPUs and two processes that cost something", r.Agent)
	}
	if p := r.Pause; !p.MappedBefore || p.MappedAfter || p.ProcessesAfter != 1 || p.ResumedGPUs != 2 || p.Took > 2*time.Second {
		t.Errorf("pause %+v, want the library let go, and both GPUs back", p)
	}
	var page bytes.Buffer
	if err := r.write(&page); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# 2 × NVIDIA H100 80GB HBM3, driver 580", "| gpu.utilization | 0.5 | ratio |", "absent: ", "nvmlDeviceGetFieldValues"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page lacks %q:\n%.3000s", want, page.String())
		}
	}
}
