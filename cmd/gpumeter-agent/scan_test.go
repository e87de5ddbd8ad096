package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/agent/nvml"
	"github.com/gpumeter/gpumeter/agent/scan"
)

// scanned is what came of a scan.
type scanned struct {
	status         int
	stdout, stderr string
	took           time.Duration
	report         struct {
		Schema   int
		Verdict  string
		ExitCode int `json:"exit_code"`
		Driver   struct{ Reason string }
		GPUs     []struct {
			Index    int
			Verdict  string
			Reason   string
			Readings []struct{ Name string }
		}
		Findings []struct {
			Rule, Level, PCI string
			GPU              *int
		}
		Errors []struct{ Code, Count int }
	}
}

// scanNode runs a scan of a simulated node in a process of its own.
func scanNode(t *testing.T, scenario string, args ...string) scanned {
	t.Helper()
	file := filepath.Join(t.TempDir(), "scenario")
	if err := os.WriteFile(file, []byte(scenario), 0o644); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(args, "--nvml") {
		lib, err := library()
		if err != nil {
			t.Fatal(err)
		}
		args = append(args, "--nvml", lib)
	}
	var s scanned
	var out, said strings.Builder
	cmd := exec.Command(os.Args[0], append([]string{"scan", "--cloud", "off"}, args...)...)
	cmd.Env = append(os.Environ(), commandEnv+"=1", "GPUMETER_SIM_SCENARIO="+file)
	cmd.Stdout, cmd.Stderr = &out, &said
	began := time.Now()
	err := cmd.Run()
	s.took = time.Since(began)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	s.status, s.stdout, s.stderr = cmd.ProcessState.ExitCode(), out.String(), said.String()
	if slices.Contains(args, "json") {
		if err := json.Unmarshal([]byte(s.stdout), &s.report); err != nil {
			t.Fatalf("%v in %s%s", err, s.stdout, s.stderr)
		}
		if s.report.ExitCode != s.status || s.report.Schema != scan.Schema {
			t.Errorf("the report has schema %d and exit code %d, the process ended with %d", s.report.Schema, s.report.ExitCode, s.status)
		}
	}
	return s
}

// found returns the findings about a GPU: "critical row-remap-failed"; -1 is the
// node, without what it says of its kernel log.
func (s *scanned) found(gpu int) string {
	var out []string
	for _, f := range s.report.Findings {
		if f.GPU == nil && gpu == -1 && f.Rule != "kernel-log" || f.GPU != nil && *f.GPU == gpu {
			out = append(out, f.Level+" "+f.Rule)
		}
	}
	return strings.Join(out, ", ")
}

// scanLimit is what a scan promises, whatever the driver does.
const scanLimit = 15 * time.Second

func TestScanOfAWellNodeIsHealthy(t *testing.T) {
	t.Parallel()
	s := scanNode(t, "seed 7\ngpus 8 h100\ngpu * util 100%\n", "--kmsg", "off", "-o", "json")
	if s.status != 0 || s.report.Verdict != "healthy" || len(s.report.GPUs) != 8 {
		t.Errorf("status %d: %s%s", s.status, s.stdout, s.stderr)
	}
	for _, g := range s.report.GPUs {
		if len(g.Readings) < 100 {
			t.Errorf("GPU %d said %d things, want all that it can", g.Index, len(g.Readings))
		}
	}
	if s.took > scanLimit {
		t.Errorf("it took %s", s.took)
	}
}

// TestScanFindsEveryFaultOfASimulatedNode breaks each GPU in a way of its own:
// a reading that is renamed would go unnoticed otherwise.
func TestScanFindsEveryFaultOfASimulatedNode(t *testing.T) {
	t.Parallel()
	faults := []struct{ line, want string }{
		{"ecc-uncorrected 1", "critical ecc-uncorrected"},
		{"remap-failed on", "critical row-remap-failed"},
		{"recovery-action reset", "critical recovery-action"},
		{"unrepairable on", "critical memory-unrepairable"},
		{"sram-threshold on", "critical sram-threshold"},
		{"fabric-state not-started", "critical fabric-not-registered"},
		{"fabric-summary unhealthy", "critical fabric-unhealthy"},
		{"nvlink-down 18", "critical nvlink-all-down"},
		{"lost from=now+1s", "critical gpu-lost"},
		{"at now+1500ms xid 79", "critical xid"},
		{"at now+1500ms xid 63", "note xid"},
		{"remap-pending on", "warning row-remap-pending"},
		{"channel-repair on", "warning repair-pending"},
		{"tpc-repair on", "warning repair-pending"},
		{"fabric-state in-progress", "warning fabric-in-progress"},
		{"fabric-summary limited", "warning fabric-limited"},
		{"nvlink-down 2", "warning nvlink-down"},
		{"nvlink-recovery 3", "warning nvlink-recovery"},
		{"nvlink-replay 3", "note nvlink-replay"},
		{"pcie-width 8", "warning pcie-width"},
		{"pcie-generation 3", "warning pcie-generation"},
		{"throttle-hw-thermal 100%", "warning throttled-by-heat"},
		{"throttle-power-brake 100%", "warning throttled-by-power-brake"},
		{"ecc off", "warning ecc-off"},
		{"persistence off", "note persistence-off"},
		{"power-limit 500W", "note power-capped"},
		{"util 50%", ""},
	}
	scenario := fmt.Sprintf("seed 7\nstart now\nroot on\ngpus %d h100\ngpu * util 100%%\n", len(faults))
	for i, f := range faults {
		scenario += fmt.Sprintf("gpu %d %s\n", i, f.line)
	}
	s := scanNode(t, scenario, "--kmsg", "off", "-o", "json")
	for i, f := range faults {
		if got := s.found(i); got != f.want && !strings.Contains(got, f.want+",") {
			t.Errorf("%s: found %q, want %q", f.line, got, f.want)
		}
	}
	if s.status != 2 || s.found(-1) != "" {
		t.Errorf("status %d, of the node %q", s.status, s.found(-1))
	}
}

func TestScanMissesTheEighthOfEight(t *testing.T) {
	s := scanNode(t, "gpus 7 h100\n", "-o", "json", "--expected-gpus", "8")
	if got := s.found(-1); s.status != 2 || got != "critical sibling-missing" {
		t.Errorf("status %d, found %q", s.status, got)
	}
	if s = scanNode(t, "gpus 7 h100\n", "-o", "json", "--expected-gpus", "7"); s.status != 0 {
		t.Errorf("seven of seven: status %d, found %q", s.status, s.found(-1))
	}
}

func TestScanEndsWhateverTheDriverDoes(t *testing.T) {
	const two = "seed 7\ngpus 2 h100\n"
	f := func(name, scenario string, status int, node, gpu1 string, args ...string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := scanNode(t, scenario, append(args, "--kmsg", "off", "-o", "json")...)
			if s.status != status || s.found(-1) != node || s.found(1) != gpu1 {
				t.Errorf("status %d, of the node %q, of GPU 1 %q, want %d, %q and %q", s.status, s.found(-1), s.found(1), status, node, gpu1)
			}
			if s.took > scanLimit {
				t.Errorf("it took %s", s.took)
			}
			t.Logf("it took %s", s.took.Round(10*time.Millisecond))
		})
	}
	f("opening it hangs", two+"fault init block\n", 2, "critical driver", "")
	f("one GPU hangs from the beginning", two+"fault * gpu 1 block\n", 2, "critical gpu-nameless", "")
	f("one GPU hangs at its first reading", two+"fault nvmlDeviceGetTemperature* gpu 1 block\n", 2, "", "critical gpu-unobserved")
	f("every GPU hangs from the beginning", two+"fault * gpu 0-1 block\n", 3, "unknown gpu-nameless", "")
	f("it crashes", two+"fault nvmlDeviceGetUUID crash\n", 3, "unknown driver", "")
	f("it is of another version", two+"fault init return LIB_RM_VERSION_MISMATCH\n", 2, "critical driver", "")
	f("it is not loaded", two+"fault init return DRIVER_NOT_LOADED\n", 3, "unknown driver", "")
	f("it is not there", two, 3, "unknown driver", "", "--nvml", "/no/such/libnvidia-ml.so.1")
}

// TestScanReadsTheKernelLog gives it a log that is a FIFO.
func TestScanReadsTheKernelLog(t *testing.T) {
	t.Parallel()
	fifo := filepath.Join(t.TempDir(), "kmsg")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for i := range 3 {
		fmt.Fprintf(w, "4,%d,%d,-;NVRM: Xid (PCI:0000:1b:00): 31, pid=4242, name=train.py, Ch 00000008, MMU Fault\n", 10+i, 1000+i)
	}
	fmt.Fprintf(w, "4,13,2000,-;NVRM: Xid (PCI:0000:fe:00): 79, pid=1, GPU has fallen off the bus.\n")
	s := scanNode(t, "seed 7\ngpus 1 h100\n", "--kmsg", fifo, "-o", "json")
	if s.status != 2 || s.found(-1) != "critical xid" || s.found(0) != "note xid" {
		t.Errorf("status %d, of the node %q, of the GPU %q", s.status, s.found(-1), s.found(0))
	}
	got := map[int]int{}
	for _, e := range s.report.Errors {
		got[e.Code] = e.Count
	}
	if d := cmp.Diff(map[int]int{31: 3, 79: 1}, got); d != "" {
		t.Error(d)
	}
}

func TestScanForPeopleIsATable(t *testing.T) {
	t.Parallel()
	s := scanNode(t, "seed 7\ngpus 2 h100\ngpu 1 remap-pending on\n", "--kmsg", "off")
	if s.status != 1 {
		t.Errorf("status %d", s.status)
	}
	for _, want := range []string{"   2 GPUs   warning\n", "VERDICT\n", "0000:1b:00", "/80 GiB", "  healthy\n", "warning  GPU 1: A memory row waits"} {
		if !strings.Contains(s.stdout, want) {
			t.Errorf("%q is not in\n%s", want, s.stdout)
		}
	}
	if strings.Contains(s.stdout, "\x1b") {
		t.Error("a pipe gets colours")
	}
	if s.stderr != "" {
		t.Errorf("it also said %q", s.stderr)
	}
}

func TestScanCalledWronglyIsUnknown(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-o", "xml"}, {"--wat"}, {"--wait", "-1s"}, {"--nvml", "lib.so"}, {"more"}} {
		cmd := exec.Command(os.Args[0], append([]string{"scan", "--cloud", "off"}, args...)...)
		cmd.Env = append(os.Environ(), commandEnv+"=1")
		out, _ := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != 3 || !strings.HasPrefix(string(out), "gpumeter-agent: ") {
			t.Errorf("scan %q: status %d, %s", args, cmd.ProcessState.ExitCode(), out)
		}
	}
}

// TestScanKnowsItsMetrics holds the names in the rules against the driver's
// table.
func TestScanKnowsItsMetrics(t *testing.T) {
	names := map[string]bool{}
	for i := range nvml.Table {
		names[nvml.Table[i].Name] = true
	}
	files, err := filepath.Glob(filepath.Join("..", "..", "agent", "scan", "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("the rules are not there: %v", err)
	}
	literal := regexp.MustCompile(`"(gpu\.[a-z0-9_.]+)"`)
	found := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range literal.FindAllStringSubmatch(string(src), -1) {
			found++
			if !names[m[1]] {
				t.Errorf("%s asks for %s, which no row has", filepath.Base(file), m[1])
			}
		}
	}
	if found < 30 {
		t.Errorf("found %d names: do the rules say them in another way now?", found)
	}
}

func TestBusGPUsAreNVIDIAsDisplays(t *testing.T) {
	dir := t.TempDir()
	add := func(id, vendor, class, driver string) {
		t.Helper()
		at := filepath.Join(dir, id)
		if err := os.MkdirAll(at, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{"vendor": vendor, "class": class} {
			if err := os.WriteFile(filepath.Join(at, name), []byte(text+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if driver != "" {
			if err := os.Symlink("../../../bus/pci/drivers/"+driver, filepath.Join(at, "driver")); err != nil {
				t.Fatal(err)
			}
		}
	}
	add("0000:9b:00.0", "0x10de", "0x030200", "nvidia")
	add("0000:1b:00.0", "0x10de", "0x030000", "vfio-pci")
	add("0000:1c:00.0", "0x10de", "0x030200", "")
	add("0000:1b:00.1", "0x10de", "0x040300", "snd_hda_intel") // its sound
	add("0000:1d:00.0", "0x10de", "0x068000", "nvidia-nvswitch")
	add("0000:1e:00.0", "0x1002", "0x030000", "amdgpu")
	want := []scan.Device{{PCI: "0000:1b:00.0", Bound: "vfio-pci"}, {PCI: "0000:1c:00.0"}, {PCI: "0000:9b:00.0", Bound: "nvidia"}}
	if d := cmp.Diff(want, busGPUs(dir)); d != "" {
		t.Error(d)
	}
	if got := busGPUs(filepath.Join(dir, "none")); got != nil {
		t.Errorf("a bus that cannot be read has %v", got)
	}
	for _, name := range []string{"nvidia0", "nvidia17", "nvidiactl", "nvidia-uvm", "null"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got := deviceFiles(dir); got != 2 {
		t.Errorf("%d device files, want 2", got)
	}
}
