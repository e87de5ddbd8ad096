// Package driver tests the simulated libnvidia-ml.so.1 in src/ the way the agent
// uses it: loaded by go-nvml at run time, one process after another. The library
// is C only, so this folder holds no Go beside its tests.
package driver

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// built is the folder with the library and its variants.
var built string

// children are what this test binary does when a test runs it again: a crash or
// a second process needs one.
var children = map[string]func(){
	"init":    func() { fmt.Println("init", nvml.New(nvml.WithLibraryPath(newest())).Init()) },
	"crash":   childPower,
	"samples": childSamples,
	"oldest":  childOldest,
	"answers": childAnswers,
	"cycles":  childCycles,
}

func newest() string { return filepath.Join(built, "libnvidia-ml.so.1") }

func TestMain(m *testing.M) {
	if child := children[os.Getenv("DRIVER_TEST_CHILD")]; child != nil {
		built = os.Getenv("DRIVER_TEST_BUILT")
		child()
		os.Exit(0)
	}
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "driver")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if out, err := exec.Command("make", "-s", "-j2", "OUT="+dir).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "make: %v\n%s", err, out)
		return 1
	}
	built = dir
	return m.Run()
}

// child runs one of children in a process of its own.
func child(t *testing.T, name, path string) (stdout, stderr string, err error) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "DRIVER_TEST_CHILD="+name, "DRIVER_TEST_BUILT="+built, "GPUMETER_SIM_SCENARIO="+path)
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	err = cmd.Run()
	return o.String(), e.String(), err
}

// write replaces a scenario as its users should: by rename.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// load initialises the library with a scenario of this test's own.
func load(t *testing.T, text string) (nvml.Interface, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "scenario")
	write(t, path, text)
	t.Setenv("GPUMETER_SIM_SCENARIO", path)
	lib := nvml.New(nvml.WithLibraryPath(newest()))
	if ret := lib.Init(); ret != nvml.SUCCESS {
		t.Fatalf("init = %v", ret)
	}
	t.Cleanup(func() { lib.Shutdown() })
	return lib, path
}

func gpu(t *testing.T, lib nvml.Interface, index int) nvml.Device {
	t.Helper()
	d, ret := lib.DeviceGetHandleByIndex(index)
	if ret != nvml.SUCCESS {
		t.Fatalf("handle of GPU %d: %v", index, ret)
	}
	return d
}

// ok takes what a getter returns and insists on success.
func ok[T any](t *testing.T) func(v T, ret nvml.Return) T {
	return func(v T, ret nvml.Return) T {
		t.Helper()
		if ret != nvml.SUCCESS {
			t.Fatalf("%T: %v", v, ret)
		}
		return v
	}
}

// eventually waits for something that the library notices within 50 ms.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if f() {
			return
		}
	}
	t.Fatalf("%s: not within 3 s", what)
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

func TestProfilesIdentifyThemselves(t *testing.T) {
	lib, _ := load(t, "gpus 2 h100\ngpu 1 model t4\n")
	rows := []struct {
		name                string
		memory              uint64
		arch                nvml.DeviceArchitecture
		major, minor        int
		min, limit, max, sm uint32
		links, pcie         int
		gpm                 uint32
		remap, retired, mig nvml.Return
	}{
		{"NVIDIA H100 80GB HBM3", 81559 << 20, nvml.DEVICE_ARCH_HOPPER, 9, 0, 200000, 700000, 700000, 1980, 18, 5, 1,
			nvml.SUCCESS, nvml.ERROR_NOT_SUPPORTED, nvml.SUCCESS},
		{"Tesla T4", 15360 << 20, nvml.DEVICE_ARCH_TURING, 7, 5, 60000, 70000, 70000, 1590, 0, 3, 0,
			nvml.ERROR_NOT_SUPPORTED, nvml.SUCCESS, nvml.ERROR_NOT_SUPPORTED},
	}
	for i, want := range rows {
		d := gpu(t, lib, i)
		equal(t, "name", ok[string](t)(d.GetName()), want.name)
		equal(t, "memory", ok[nvml.Memory](t)(d.GetMemoryInfo()).Total, want.memory)
		equal(t, "memory v2", ok[nvml.Memory_v2](t)(d.GetMemoryInfo_v2()).Total, want.memory)
		equal(t, "architecture", ok[nvml.DeviceArchitecture](t)(d.GetArchitecture()), want.arch)
		major, minor, _ := d.GetCudaComputeCapability()
		equal(t, "capability", [2]int{major, minor}, [2]int{want.major, want.minor})
		low, high, _ := d.GetPowerManagementLimitConstraints()
		equal(t, "power limits", [3]uint32{low, ok[uint32](t)(d.GetPowerManagementDefaultLimit()), high},
			[3]uint32{want.min, want.limit, want.max})
		equal(t, "SM clock", ok[uint32](t)(d.GetMaxClockInfo(nvml.CLOCK_SM)), want.sm)
		equal(t, "PCIe generation", ok[int](t)(d.GetMaxPcieLinkGeneration()), want.pcie)
		equal(t, "GPM", ok[nvml.GpmSupport](t)(d.GpmQueryDeviceSupport()).IsSupportedDevice, want.gpm)
		links := 0
		for ; ; links++ {
			if _, ret := d.GetNvLinkState(links); ret != nvml.SUCCESS {
				break
			}
		}
		equal(t, "NVLinks", links, want.links)
		_, _, _, _, remap := d.GetRemappedRows()
		equal(t, "remapped rows", remap, want.remap)
		_, retired := d.GetRetiredPages(nvml.PAGE_RETIREMENT_CAUSE_DOUBLE_BIT_ECC_ERROR)
		equal(t, "retired pages", retired, want.retired)
		_, _, mig := d.GetMigMode()
		equal(t, "MIG", mig, want.mig)
		_, fan := d.GetFanSpeed()
		equal(t, "fan", fan, nvml.ERROR_NOT_SUPPORTED)
	}
}

func TestHandlesAreFoundByEveryName(t *testing.T) {
	lib, _ := load(t, "seed 3\ngpus 72 h100\ngpu 5 uuid GPU-00000000-1111-2222-3333-444444444444\n")
	equal(t, "count", ok[int](t)(lib.DeviceGetCount()), 72)
	seen := map[string]bool{}
	for i := range 72 {
		d := gpu(t, lib, i)
		uuid := ok[string](t)(d.GetUUID())
		bus := ""
		for _, c := range ok[nvml.PciInfo](t)(d.GetPciInfo()).BusId {
			if c != 0 {
				bus += string(rune(c))
			}
		}
		equal(t, "index by UUID", ok[int](t)(ok[nvml.Device](t)(lib.DeviceGetHandleByUUID(uuid)).GetIndex()), i)
		equal(t, "index by bus id", ok[int](t)(ok[nvml.Device](t)(lib.DeviceGetHandleByPciBusId(bus)).GetIndex()), i)
		if seen[uuid] || seen[bus] {
			t.Errorf("GPU %d: UUID %s or bus id %s is not its own", i, uuid, bus)
		}
		seen[uuid], seen[bus] = true, true
	}
	equal(t, "UUID", ok[string](t)(gpu(t, lib, 5).GetUUID()), "GPU-00000000-1111-2222-3333-444444444444")
	_, ret := lib.DeviceGetHandleByIndex(72)
	equal(t, "handle 72", ret, nvml.ERROR_INVALID_ARGUMENT)
}

func TestVariantsExportTheirBranch(t *testing.T) {
	rows, err := os.ReadFile("src/functions.def")
	if err != nil {
		t.Fatal(err)
	}
	for _, branch := range []int{470, 535, 550, 570, 580, 590, 610, 615} {
		var want []string
		for line := range strings.Lines(string(rows)) {
			var since int
			name, rest, found := strings.Cut(strings.TrimPrefix(line, "FN("), ", ")
			if found && strings.HasPrefix(line, "FN(") {
				if fmt.Sscanf(rest, "%d)", &since); since <= branch {
					want = append(want, name)
				}
			}
		}
		got := exported(t, filepath.Join(built, fmt.Sprint(branch), "libnvidia-ml.so.1"))
		if diff := difference(want, got); diff != "" {
			t.Errorf("branch %d: %s", branch, diff)
		}
	}
}

// childOldest does on the oldest branch what go-nvml does with older versions of
// its functions, and looks for a field and a function that came later.
func childOldest() {
	lib := nvml.New(nvml.WithLibraryPath(filepath.Join(built, "470", "libnvidia-ml.so.1")))
	lib.Init()
	d, _ := lib.DeviceGetHandleByIndex(0)
	version, _ := lib.SystemGetDriverVersion()
	processes, ret := d.GetComputeRunningProcesses()
	values := []nvml.FieldValue{{FieldId: nvml.FI_DEV_GET_GPU_RECOVERY_ACTION}}
	d.GetFieldValues(values)
	missing := lib.Extensions().LookupSymbol("nvmlDeviceGetMemoryInfo_v2") != nil
	fmt.Println(version, len(processes), ret, nvml.Return(values[0].NvmlReturn), missing)
}

func TestOldestBranchServesItsOwnVersions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scenario")
	write(t, path, "gpus 1 t4\ngpu 0 process pid=5 memory=1GiB\n")
	stdout, stderr, _ := child(t, "oldest", path)
	equal(t, "answers", stdout+stderr, "470.256.02 1 Success Not Supported true\n")
}

func exported(t *testing.T, library string) []string {
	t.Helper()
	out, err := exec.Command("nm", "-D", "--defined-only", library).Output()
	if err != nil {
		t.Fatalf("nm %s: %v", library, err)
	}
	var names []string
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) == 3 {
			names = append(names, f[2])
		}
	}
	return names
}

func difference(want, got []string) string {
	count := map[string]int{}
	for _, n := range want {
		count[n]++
	}
	for _, n := range got {
		count[n]--
	}
	var d []string
	for n, c := range count {
		if c > 0 {
			d = append(d, "missing "+n)
		} else if c < 0 {
			d = append(d, "not asked for "+n)
		}
	}
	return strings.Join(d, ", ")
}

func number(v [8]byte) uint64 { return binary.LittleEndian.Uint64(v[:]) }

// fields reads field values in one call.
func fields(t *testing.T, d nvml.Device, ids ...uint32) []nvml.FieldValue {
	t.Helper()
	values := make([]nvml.FieldValue, len(ids))
	for i, id := range ids {
		values[i].FieldId = id
	}
	if ret := d.GetFieldValues(values); ret != nvml.SUCCESS {
		t.Fatalf("field values: %v", ret)
	}
	return values
}
