package nvml_test

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/agent/nvml"
	"github.com/gpumeter/gpumeter/metric"
)

func TestReaderNamesEveryGPU(t *testing.T) {
	t.Parallel()
	n := start(t, `gpus 3 h100
gpu 1 model t4
gpu 1 uuid GPU-01234567-89ab-cdef-0123-456789abcdef
gpu 1 serial 1650000000001
`)
	f := n.until("with three good looks", good(3))
	g := f.Looks[1].GPU
	if g.UUID != "GPU-01234567-89ab-cdef-0123-456789abcdef" || g.Serial != "1650000000001" || g.Index != 1 ||
		g.Name != "Tesla T4" || g.PCI == "" || g.VBIOS == "" || g.MemoryBytes < 15<<30 {
		t.Errorf("identity = %+v", g)
	}
	if metric.Model(f.Looks[0].GPU.Name) != "H100" {
		t.Errorf("name = %q, want an H100", f.Looks[0].GPU.Name)
	}
	if f.Driver.Version == "" || f.Driver.NVML == "" || f.Driver.Load != 1 {
		t.Errorf("driver = %+v", f.Driver)
	}
}

// busyNode is a GPU with a value of its own for every row.
const busyNode = `start now
gpus 1 h100
gpu 0 util 50
gpu 0 memory-util 21
gpu 0 encoder 12
gpu 0 decoder 13
gpu 0 memory 10GiB
gpu 0 power 300W
gpu 0 power-limit 650
gpu 0 temperature 61
gpu 0 memory-temperature 71
gpu 0 sm-clock 1500MHz
gpu 0 memory-clock 2000MHz
gpu 0 throttle-power 10
gpu 0 throttle-thermal 20
gpu 0 throttle-sync-boost 30
gpu 0 throttle-board-limit 40
gpu 0 throttle-low-utilization 50
gpu 0 throttle-reliability 60
gpu 0 throttle-hw-thermal 70
gpu 0 throttle-power-brake 80
gpu 0 ecc-corrected 7
gpu 0 ecc-uncorrected 3
gpu 0 remapped-corrected 5
gpu 0 remapped-uncorrected 6
gpu 0 remap-pending on
gpu 0 remap-failed on
gpu 0 pcie-generation 4
gpu 0 pcie-width 8
gpu 0 pcie-replay 9
gpu 0 pcie-tx 1MiB/s
gpu 0 pcie-rx 2MiB/s
gpu 0 recovery-action drain-reset
`

// busyValues is what it must read. Rows that grow with time have their rate in
// growth; those that are left out are absent.
var (
	busyValues = map[string]float64{
		"gpu.utilization": 0.50, "gpu.memory.utilization": 0.21, "gpu.encoder.utilization": 0.12, "gpu.decoder.utilization": 0.13,
		"gpu.memory.total": 85520809984, "gpu.memory.used": 10 << 30, "gpu.memory.free": 85520809984 - 577765376 - 10<<30, "gpu.memory.reserved": 577765376,
		"gpu.power.usage": 300, "gpu.power.average": 300, "gpu.power.instant": 300,
		"gpu.power.limit.enforced": 650, "gpu.power.limit.default": 700, "gpu.power.limit.min": 200, "gpu.power.limit.max": 700,
		"gpu.temperature": 61, "gpu.memory.temperature": 71,
		"gpu.clock{domain=sm}": 1500e6, "gpu.clock{domain=memory}": 2000e6, "gpu.clock{domain=graphics}": 1500e6,
		"gpu.clock.max{domain=sm}": 1980e6, "gpu.clock.max{domain=memory}": 2619e6,
		"gpu.ecc.errors{type=volatile_corrected}": 7, "gpu.ecc.errors{type=volatile_uncorrected}": 3,
		"gpu.ecc.errors{type=aggregate_corrected}": 7, "gpu.ecc.errors{type=aggregate_uncorrected}": 3,
		"gpu.row_remap.correctable": 5, "gpu.row_remap.uncorrectable": 6, "gpu.row_remap.pending": 1, "gpu.row_remap.failure": 1,
		"gpu.pcie.generation": 4, "gpu.pcie.width": 8, "gpu.pcie.replay": 9,
		"gpu.performance.state": 0, "gpu.recovery.action": 4,
	}
	growth = map[string]float64{
		"gpu.energy.driver":          300,
		"gpu.throttle{reason=power}": 0.1, "gpu.throttle{reason=thermal}": 0.2, "gpu.throttle{reason=sync_boost}": 0.3,
		"gpu.throttle{reason=board_limit}": 0.4, "gpu.throttle{reason=low_utilization}": 0.5, "gpu.throttle{reason=reliability}": 0.6,
		"gpu.throttle{reason=sw_thermal}": 0.2, "gpu.throttle{reason=hw_thermal}": 0.7, "gpu.throttle{reason=hw_power_brake}": 0.8,
		"gpu.pcie.io{direction=transmit}": 1 << 20, "gpu.pcie.io{direction=receive}": 2 << 20,
	}
)

func TestReaderReadsEveryRow(t *testing.T) {
	t.Parallel()
	n := start(t, busyNode)
	first := n.until("with a known utilisation", func(f metric.Frame) bool { return good(1)(f) && f.Looks[0].Util.Known })
	time.Sleep(time.Second)
	last := n.until("with a good look", good(1))
	want, got := map[string]float64{}, values(last.Looks[0])
	for k, v := range busyValues {
		want[k] = v
	}
	before, span := values(first.Looks[0]), (last.Looks[0].At - first.Looks[0].At).Seconds()
	for k, rate := range growth {
		// Looks end up to a sample after what they speak for.
		if grown := got[k] - before[k]; math.Abs(grown-rate*span) > 0.5*rate*span {
			t.Errorf("%s grew by %v in %.2fs, want %v a second", k, grown, span, rate)
		}
		delete(got, k)
	}
	for k := range got {
		if _, ok := want[k]; !ok {
			delete(got, k)
		}
	}
	if d := cmp.Diff(want, got, cmp.Comparer(near)); d != "" {
		t.Errorf("readings (-want +got):\n%s", d)
	}
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(math.Abs(a), math.Abs(b)) }

func values(l metric.Look) map[string]float64 {
	out := map[string]float64{}
	for _, r := range l.Readings {
		out[r.Desc.Key()] = r.Value
	}
	return out
}

func TestReaderOmitsUnsupported(t *testing.T) {
	t.Parallel()
	n := start(t, "gpus 1 t4\n")
	got := values(n.until("with a good look", good(1)).Looks[0])
	for _, key := range []string{"gpu.memory.temperature", "gpu.row_remap.failure", "gpu.row_remap.correctable"} {
		if v, ok := got[key]; ok {
			t.Errorf("%s = %v on a T4, want it absent", key, v)
		}
	}
	for _, key := range []string{"gpu.temperature", "gpu.page_retirement.pending", "gpu.power.usage"} {
		if _, ok := got[key]; !ok {
			t.Errorf("%s is absent on a T4", key)
		}
	}
}

// TestReaderLivesWithoutSymbols reads through a library that lacks what came
// after branch 470: calling a missing symbol would kill the worker.
func TestReaderLivesWithoutSymbols(t *testing.T) {
	t.Parallel()
	n := start(t, "gpus 2 h100\ngpu * util 40\ngpu 0 process pid=4242 memory=1GiB\n", func(c *nvml.Config) {
		c.Library = nvml.SimDir(t) + "/470/libnvidia-ml.so.1"
	})
	f := n.until("with a known utilisation", func(f metric.Frame) bool { return good(2)(f) && f.Looks[0].Util.Known })
	if !strings.HasPrefix(f.Driver.Version, "470.") {
		t.Errorf("driver = %q, want one of branch 470", f.Driver.Version)
	}
	got := values(f.Looks[0])
	for _, key := range []string{"gpu.memory.reserved", "gpu.power.instant", "gpu.recovery.action", "gpu.throttle{reason=hw_thermal}"} {
		if v, ok := got[key]; ok {
			t.Errorf("%s = %v on branch 470, want it absent", key, v)
		}
	}
	if got["gpu.memory.total"] < 80e9 || got["gpu.power.usage"] == 0 || got["gpu.energy.driver"] == 0 {
		t.Errorf("memory, power or energy is missing: %v", got)
	}
	if l := f.Looks[0]; !l.ProcessesKnown || len(l.Processes) != 1 {
		t.Errorf("processes = %v (known %v), want one", l.Processes, l.ProcessesKnown)
	}
	if pids := n.workers(); len(pids) != 1 {
		t.Errorf("workers = %v, want one", pids)
	}
}

func TestReaderListsProcesses(t *testing.T) {
	t.Parallel()
	scenario := "gpus 1 h100\ngpu 0 process pid=100 memory=2GiB\ngpu 0 process pid=100 type=graphics memory=1GiB\ngpu 0 process pid=7 type=mps memory=1MiB\n"
	for pid := 1000; pid < 1040; pid++ { // more than the first buffer takes
		scenario += "gpu 0 process pid=" + strconv.Itoa(pid) + " memory=1MiB\n"
	}
	n := start(t, scenario)
	l := n.until("with a good look", good(1)).Looks[0]
	if !l.ProcessesKnown || len(l.Processes) != 42 {
		t.Fatalf("%d processes, known %v; want 42", len(l.Processes), l.ProcessesKnown)
	}
	if l.Processes[0] != (metric.Process{PID: 7, MemoryBytes: 1 << 20}) || l.Processes[1] != (metric.Process{PID: 100, MemoryBytes: 2 << 30}) {
		t.Errorf("processes = %v…", l.Processes[:2])
	}
	n.write("gpus 1 h100\nfault nvmlDeviceGetComputeRunningProcesses* return NO_PERMISSION\n")
	n.until("with unknown processes", func(f metric.Frame) bool { return good(1)(f) && !f.Looks[0].ProcessesKnown })
}

// TestTableIsWellFormed keeps what everything derived from the table relies on.
func TestTableIsWellFormed(t *testing.T) {
	if len(nvml.Table) < 30 {
		t.Errorf("%d rows, want 30 or more", len(nvml.Table))
	}
	seen := map[string]bool{}
	for i := range nvml.Table {
		r := &nvml.Table[i]
		if seen[r.Key()] {
			t.Errorf("%s is in the table twice", r.Key())
		}
		seen[r.Key()] = true
		if !strings.HasPrefix(r.Name, "gpu.") || strings.ToLower(r.Name) != r.Name || !strings.HasSuffix(r.Help, ".") || r.Source.Scale == 0 {
			t.Errorf("row %d is malformed: %+v", i, r)
		}
		for _, l := range r.Labels {
			if l.Name == "" || l.Value == "" {
				t.Errorf("%s: label %q has value %q", r.Name, l.Name, l.Value)
			}
		}
		if r.Source.Every > time.Minute {
			t.Errorf("%s is read every %s, less than once a minute", r.Name, r.Source.Every)
		}
		for _, other := range nvml.Table {
			if other.Name == r.Name && (other.Unit != r.Unit || other.Kind != r.Kind || !slices.EqualFunc(other.Labels, r.Labels, sameName) || other.Help != r.Help) {
				t.Errorf("rows of %s differ in unit, kind, label or help", r.Name)
			}
		}
	}
}

func sameName(a, b metric.Label) bool { return a.Name == b.Name }

// TestParentDoesNotOpenTheDriver looks at what this process has mapped while a
// worker reads through a library of its own.
func TestParentDoesNotOpenTheDriver(t *testing.T) {
	t.Parallel()
	library := filepath.Join(t.TempDir(), "libnvidia-ml.so.1")
	content, err := os.ReadFile(nvml.SimDir(t) + "/libnvidia-ml.so.1")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(library, content, 0o700); err != nil {
		t.Fatal(err)
	}
	n := start(t, "gpus 1 h100\n", func(c *nvml.Config) { c.Library = library })
	n.until("with a good look", good(1))
	if !mapped(t, strconv.Itoa(n.workers()[0]), library) {
		t.Error("the worker does not have the library mapped")
	}
	if mapped(t, "self", library) {
		t.Error("this process has the library mapped")
	}
}

func mapped(t *testing.T, pid, file string) bool {
	t.Helper()
	maps, err := os.ReadFile("/proc/" + pid + "/maps")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(maps), file)
}
