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

func TestReaderReadsTheGroupsThatItIsAskedFor(t *testing.T) {
	t.Parallel()
	n := start(t, "gpus 1 h100\n", func(c *nvml.Config) { c.Groups = []string{"ecc", "pcie"} })
	got := values(n.until("with a good look", good(1)).Looks[0])
	for key, want := range map[string]bool{
		"gpu.power.usage": true, "gpu.ecc.place.errors{place=dram,type=volatile_corrected}": true, "gpu.pcie.errors{type=lane}": true,
		"gpu.nvlink.link.up{link=0}": false, "gpu.bar1.free": false,
	} {
		if _, ok := got[key]; ok != want {
			t.Errorf("%s is there: %v, want %v", key, ok, want)
		}
	}
}

func TestUnknownGroupsAreRefusedByName(t *testing.T) {
	err := nvml.NewReader(nvml.Config{Groups: []string{"ecc", "nvlinks"}}).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), `"nvlinks"`) || !strings.Contains(err.Error(), "nvlink, ") || !strings.Contains(err.Error(), nvml.AllGroups) {
		t.Errorf("Run = %v, want an error that names the word and the known ones", err)
	}
	if err := nvml.CheckGroups(append(nvml.Groups(), nvml.AllGroups)); err != nil {
		t.Errorf("CheckGroups of all = %v", err)
	}
}

// TestDefaultTableIsSmall holds the budget of series: everything that a GPU
// says by default, and what the exporters add, must stay below 150.
func TestDefaultTableIsSmall(t *testing.T) {
	t.Parallel()
	rows := 0
	for i := range nvml.Table {
		if nvml.Table[i].Group == "" {
			rows++
		}
	}
	n := start(t, "root on\ngpus 1 h100\ngpu 0 util 50\ngpu 0 fabric-health 0x1159\n", func(c *nvml.Config) { c.Interval = 2 * interval })
	f := n.until("with known activity", func(f metric.Frame) bool { return good(1)(f) && f.Looks[0].SMActive.Known })
	if got := len(f.Looks[0].Readings); got > 120 || rows > 135 {
		t.Errorf("a H100 says %d things by default, of %d rows; want at most 120 of 135", got, rows)
	}
}

// TestTableIsWellFormed keeps what everything derived from the table relies on.
func TestTableIsWellFormed(t *testing.T) {
	if len(nvml.Table) < 1000 {
		t.Errorf("%d rows, want 1000 or more", len(nvml.Table))
	}
	dcgm := map[string]string{}
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
		if (r.DCGM == "") != (r.DCGMOld == "") {
			t.Errorf("%s has DCGM names %q and %q, want both or none", r.Key(), r.DCGM, r.DCGMOld)
		}
		for _, name := range []string{r.DCGM, "old " + r.DCGMOld} {
			if dcgm[name] != "" && r.DCGM != "" {
				t.Errorf("%s and %s are both %s", r.Key(), dcgm[name], name)
			}
			dcgm[name] = r.Key()
		}
		if sources := r.Source.String(); sources == "" {
			t.Errorf("%s comes from nowhere", r.Key())
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
