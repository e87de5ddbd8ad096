package nvml_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/agent/nvml"
	"github.com/gpumeter/gpumeter/metric"
)

// probe probes the simulated GPUs of a scenario in this process.
func probe(t *testing.T, scenario string, o nvml.ProbeOptions) nvml.ProbeReport {
	t.Helper()
	file := filepath.Join(t.TempDir(), "scenario")
	if err := os.WriteFile(file, []byte(scenario), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GPUMETER_SIM_SCENARIO", file)
	o.Rounds, o.Pause = 3, 120*time.Millisecond
	r, err := nvml.Probe(nvml.SimDir(t)+"/libnvidia-ml.so.1", o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestProbeSaysWhyThereIsNothing(t *testing.T) {
	r := probe(t, "gpus 2 h100\ngpu 1 model t4\ngpu * util 50\ngpu 0 power 300W\nfault nvmlDeviceGetClockInfo gpu 0 return UNKNOWN\n", nvml.ProbeOptions{})
	if len(r.GPUs) != 2 || r.Driver == "" || r.NVML == "" || r.Library == "" {
		t.Fatalf("report of %d GPUs, driver %q, NVML %q, library %q", len(r.GPUs), r.Driver, r.NVML, r.Library)
	}
	why := func(gpu int, key, want string) {
		t.Helper()
		for _, row := range r.GPUs[gpu].Rows {
			if row.Desc.Key() == key {
				if row.Known || row.Why != want {
					t.Errorf("GPU %d: %s = %v (known %v) because %q, want %q", gpu, key, row.Value, row.Known, row.Why, want)
				}
				return
			}
		}
		t.Errorf("GPU %d has no row %s", gpu, key)
	}
	why(0, "gpu.clock{domain=sm}", "unknown")
	why(0, "gpu.ecc.sram.threshold_exceeded", "no_permission")
	why(0, "gpu.page_retirement.pending", "not_supported")
	why(1, "gpu.memory.temperature", "not_supported")
	why(1, "gpu.sm.active", "not_supported")
	for i, g := range r.GPUs {
		if g.Condition != metric.Good || g.GPU.Index != i || len(g.Rows) != len(nvml.Table) {
			t.Errorf("GPU %d: condition %d %q, %d rows of %d", i, g.Condition, g.Reason, len(g.Rows), len(nvml.Table))
		}
		known := map[string]float64{}
		for _, row := range g.Rows {
			switch {
			case row.Known == (row.Why != ""), row.Source == "", row.Known && math.IsNaN(row.Value):
				t.Errorf("GPU %d: row %s from %q is %v (known %v) because %q", i, row.Desc.Key(), row.Source, row.Value, row.Known, row.Why)
			case row.Known:
				known[row.Desc.Key()] = row.Value
			}
		}
		if i == 0 && (known["gpu.power.usage"] != 300 || !near(known["gpu.sm.active"], 0.4)) {
			t.Errorf("power = %v, SM activity = %v, want 300 and 0.4", known["gpu.power.usage"], known["gpu.sm.active"])
		}
	}
}

func TestProbeTimesEveryCall(t *testing.T) {
	r := probe(t, "gpus 1 h100\nfault nvmlDeviceGetPerformanceState delay 20ms\n", nvml.ProbeOptions{Groups: []string{}})
	calls := map[string]nvml.ProbeCall{}
	for i, c := range r.Calls {
		calls[c.Name] = c
		if c.Count == 0 || c.P50 > c.Max || i > 0 && c.P50 > r.Calls[i-1].P50 {
			t.Errorf("%+v after %+v", c, r.Calls[max(i-1, 0)])
		}
	}
	slow := calls["nvmlDeviceGetPerformanceState"]
	if slow.Count != 3 || slow.P50 < 20*time.Millisecond || slow.P50 > time.Second {
		t.Errorf("the slow call cost %+v, want 3 of 20ms", slow)
	}
	for _, name := range []string{"nvmlInit_v2", "nvmlDeviceGetMemoryInfo_v2", "nvmlDeviceGetFieldValues, one", "nvmlGpmSampleGet", "nvmlGpmMetricsGet", "nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetSamples(1)"} {
		if calls[name].Count == 0 {
			t.Errorf("%s was not timed", name)
		}
	}
	for _, row := range r.GPUs[0].Rows {
		if row.Desc.Group != "" {
			t.Fatalf("%s of group %q was not asked for", row.Desc.Key(), row.Desc.Group)
		}
	}
}

func TestProbeOfALostGPUGoesOn(t *testing.T) {
	r := probe(t, "gpus 2 h100\ngpu 0 lost from=0s\n", nvml.ProbeOptions{Groups: []string{}})
	if len(r.GPUs) != 2 || r.GPUs[0].Reason != metric.ReasonLost || r.GPUs[0].Condition != metric.Lost || r.GPUs[1].Condition != metric.Good {
		t.Errorf("conditions %d %q and %d %q", r.GPUs[0].Condition, r.GPUs[0].Reason, r.GPUs[1].Condition, r.GPUs[1].Reason)
	}
}

func TestProbeShowsInstances(t *testing.T) {
	r := probe(t, "gpus 1 h100\ngpu 0 mig on\ngpu 0 instance 1 profile 3g.40gb\ngpu 0 instance 1 util 60\ngpu 0 instance 2 profile 1g.10gb\n", nvml.ProbeOptions{})
	if len(r.GPUs) != 1 || len(r.GPUs[0].Instances) != 2 {
		t.Fatalf("report = %+v", r.GPUs)
	}
	in := r.GPUs[0].Instances[0]
	if in.ID != 1 || in.Profile != "3g.40gb" || len(in.Compute) == 0 || len(in.Rows) != len(nvml.InstanceTable) {
		t.Errorf("instance %d %q with %q, %d rows", in.ID, in.Profile, in.Compute, len(in.Rows))
	}
	for _, row := range in.Rows {
		if row.Desc.Name == "gpu.instance.utilization" && (!row.Known || !near(row.Value, 0.6)) {
			t.Errorf("utilisation = %+v, want 0.6", row)
		}
		if row.Known == (row.Why != "") {
			t.Errorf("%s is %v (known %v) because %q", row.Desc.Key(), row.Value, row.Known, row.Why)
		}
	}
}

func TestProbeRefusesWhatItCannotDo(t *testing.T) {
	if _, err := nvml.Probe("/nowhere/libnvidia-ml.so.1", nvml.ProbeOptions{}); err == nil || !strings.Contains(err.Error(), "/nowhere") {
		t.Errorf("Probe without a library = %v, want an error that names it", err)
	}
	if _, err := nvml.Probe("", nvml.ProbeOptions{Groups: []string{"everything"}}); err == nil || !strings.Contains(err.Error(), "everything") {
		t.Errorf("Probe of an unknown group = %v, want an error that names it", err)
	}
}
