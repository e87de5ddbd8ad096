package nvml

import (
	"encoding/binary"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/gpumeter/gpumeter/metric"
)

// openSim opens the simulated driver in this process.
func openSim(t testing.TB, scenario string) *worker {
	t.Helper()
	return openBranch(t, "580", scenario)
}

// openBranch opens the simulated driver of a branch, to read some groups.
func openBranch(t testing.TB, branch, scenario string, groups ...string) *worker {
	t.Helper()
	file := filepath.Join(t.TempDir(), "scenario")
	if err := os.WriteFile(file, []byte(scenario), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GPUMETER_SIM_SCENARIO", file)
	w := &worker{
		cfg:   WorkerConfig{Library: filepath.Join(SimDir(t), branch, "libnvidia-ml.so.1"), Interval: time.Second},
		clock: BootClock, plan: newPlan(Table, groups...), out: io.Discard,
		handles: map[unsafe.Pointer]int{}, end: func(err error) { t.Errorf("worker ended: %v", err) },
	}
	if err := w.open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.lib.shutdown)
	return w
}

const eightBusy = "gpus 8 h100\ngpu * util square period=1s on=0.4s\ngpu * process pid=100 memory=1GiB\ngpu * process pid=101 memory=1GiB\n"

// TestLookAllocatesNothing looks with the whole table.
func TestLookAllocatesNothing(t *testing.T) {
	s := openBranch(t, "580", eightBusy, AllGroups).slots[3]
	for range 2 { // the second sets up what GPM needs
		s.tick(BootClock())
		time.Sleep(110 * time.Millisecond)
	}
	if s.look.condition != metric.Good || len(s.look.processes) != 2 || !s.look.active.Known && s.dev.gpm.request == nil {
		t.Fatalf("look = %+v", s.look)
	}
	n := testing.AllocsPerRun(50, func() {
		clear(s.dev.callDue) // every row, also the slow ones
		clear(s.dev.fieldDue)
		clear(s.dev.gpm.due)
		s.dev.gpm.pair.at[s.dev.gpm.pair.newest] -= time.Second // as if it were time
		s.tick(BootClock())
	})
	if n != 0 {
		t.Errorf("a look allocates %v times, want 0", n)
	}
}

func TestPlanAsksOnceForRowsOfOneCall(t *testing.T) {
	p := newPlan(Table, AllGroups)
	filled := make([]int, len(Table))
	for i, c := range p.calls {
		for _, row := range c.rows {
			filled[row]++
		}
		for _, o := range p.calls[:i] {
			if o.Call == c.Call && o.arg == c.arg {
				t.Errorf("%s is called twice with %d", c.Name, c.arg)
			}
		}
	}
	for _, f := range p.fields {
		if f.or < 0 {
			filled[f.row]++
		}
	}
	for _, g := range p.gpm {
		if g.row >= 0 {
			filled[g.row]++
		}
	}
	for row, n := range filled {
		if n != 1 {
			t.Errorf("%s is filled from %d places, want one", Table[row].Key(), n)
		}
	}
}

func TestPlanLeavesOutWhatNobodyAskedFor(t *testing.T) {
	rows := func(p *plan) map[int]bool {
		seen := map[int]bool{}
		for _, c := range p.calls {
			for _, row := range c.rows {
				seen[row] = true
			}
		}
		for _, f := range p.fields {
			seen[f.row] = true
		}
		for _, g := range p.gpm {
			if g.row >= 0 {
				seen[g.row] = true
			}
		}
		return seen
	}
	for _, groups := range [][]string{nil, {"ecc"}, {"nvlink", "gpm"}, Groups()} {
		seen := rows(newPlan(Table, groups...))
		for i := range Table {
			if want := Table[i].Group == "" || slices.Contains(groups, Table[i].Group); seen[i] != want {
				t.Errorf("with groups %q %s is read: %v, want %v", groups, Table[i].Key(), seen[i], want)
			}
		}
	}
}

// TestUnsupportedIsNotAskedAgain counts calls of a call that is not supported,
// and of one that only fails.
func TestUnsupportedIsNotAskedAgain(t *testing.T) {
	for code, want := range map[nvml.Return]int{nvml.ERROR_NOT_SUPPORTED: 2, missing: 2, nvml.ERROR_UNKNOWN: 1200, nvml.ERROR_TIMEOUT: 1200} {
		asked := 0
		c := &Call{"test", func(*device, uint32, *[maxParts]float64) nvml.Return { asked++; return code }}
		d := newDevice(&library{}, newPlan([]Row{{metric.Desc{Name: "gpu.test"}, Source{Call: c, Scale: 1}}}), time.Second, BootClock)
		for now := range 1200 { // seconds: twice as long as it remembers
			d.now = time.Duration(now) * time.Second
			d.readCalls(&outcome{})
		}
		if asked != want {
			t.Errorf("a call that returns %d is asked %d times in 20 minutes, want %d", code, asked, want)
		}
	}
}

// TestSlowRowsCarryOn reads a row that is due every ten seconds.
func TestSlowRowsCarryOn(t *testing.T) {
	asked := 0
	c := &Call{"test", func(_ *device, _ uint32, out *[maxParts]float64) nvml.Return {
		asked++
		out[0] = float64(asked)
		return nvml.SUCCESS
	}}
	d := newDevice(&library{}, newPlan([]Row{{metric.Desc{Name: "gpu.test"}, Source{Call: c, Scale: 1, Every: slow}}}), time.Second, BootClock)
	for now := range 25 {
		d.now = time.Duration(now) * time.Second
		d.readCalls(&outcome{})
		if want := float64(now/10 + 1); d.values[0] != want {
			t.Errorf("after %ds the value is %v, want %v", now, d.values[0], want)
		}
	}
}

func TestVerdict(t *testing.T) {
	f := func(condition metric.Condition, reason string, busy nvml.Return, codes ...nvml.Return) {
		t.Helper()
		o := outcome{busy: busy}
		for _, c := range codes {
			o.note(c)
		}
		if c, r := o.verdict(); c != condition || r != reason {
			t.Errorf("verdict on %d with busy %d = %d %q, want %d %q", codes, busy, c, r, condition, reason)
		}
	}
	const ok, unknown = nvml.SUCCESS, nvml.ERROR_UNKNOWN
	f(metric.Good, "", ok, ok)
	f(metric.Good, "", ok, nvml.ERROR_NOT_SUPPORTED, ok, unknown) // a value is missing
	f(metric.Unobserved, metric.ReasonError, unknown, ok, unknown)
	f(metric.Unobserved, metric.ReasonError, ok, unknown, nvml.ERROR_NOT_SUPPORTED)
	f(metric.Unobserved, metric.ReasonPermission, ok, nvml.ERROR_NOT_SUPPORTED, nvml.ERROR_NO_PERMISSION)
	f(metric.Unobserved, metric.ReasonNotLoaded, ok, ok, nvml.ERROR_DRIVER_NOT_LOADED)
	f(metric.Lost, metric.ReasonLost, ok, ok, nvml.ERROR_GPU_IS_LOST)
	f(metric.Lost, ReasonResetRequired, ok, ok, unknown, nvml.ERROR_RESET_REQUIRED)
	f(metric.Lost, metric.ReasonLost, ok, nvml.ERROR_RESET_REQUIRED, nvml.ERROR_GPU_IS_LOST)
}

func TestFieldNumberDistrustsDrivers(t *testing.T) {
	f := func(what string, id uint32, typ nvml.ValueType, stamp int64, raw uint64, want float64) {
		t.Helper()
		v := nvml.FieldValue{FieldId: id, ValueType: uint32(typ), Timestamp: stamp}
		binary.NativeEndian.PutUint64(v.Value[:], raw)
		if got := fieldNumber(&v); got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Errorf("%s = %v, want %v", what, got, want)
		}
	}
	nan := math.NaN()
	f("energy", nvml.FI_DEV_TOTAL_ENERGY_CONSUMPTION, nvml.VALUE_TYPE_UNSIGNED_LONG_LONG, 1, 1<<40, 1<<40)
	f("power", nvml.FI_DEV_POWER_INSTANT, nvml.VALUE_TYPE_UNSIGNED_INT, 1, 0xffffffff_00000007, 7)
	f("double", nvml.FI_DEV_POWER_INSTANT, nvml.VALUE_TYPE_DOUBLE, 1, math.Float64bits(2.5), 2.5)
	f("signed", nvml.FI_DEV_POWER_INSTANT, nvml.VALUE_TYPE_SIGNED_INT, 1, 0xffffffff, -1)
	f("unknown type", nvml.FI_DEV_POWER_INSTANT, 99, 1, 7, nan)
	f("ECC of the wrong type", nvml.FI_DEV_ECC_DBE_VOL_TOTAL, nvml.VALUE_TYPE_UNSIGNED_INT, 1, 1<<33, 1<<33)
	f("ECC that is off", nvml.FI_DEV_ECC_DBE_VOL_TOTAL, nvml.VALUE_TYPE_DOUBLE, 0, 12345, nan)
	f("memory temperature of the wrong type", nvml.FI_DEV_MEMORY_TEMP, nvml.VALUE_TYPE_DOUBLE, 1, 55, 55)
}

func TestBaseValueRefusesWhatCannotBe(t *testing.T) {
	s := &Source{Scale: milli, Max: 1000}
	for v, want := range map[float64]float64{0: 0, 500: 0.5, 1000: 1} {
		if got := baseValue(s, v); got != want {
			t.Errorf("baseValue(%v) = %v, want %v", v, got, want)
		}
	}
	for _, v := range []float64{-1, 1001, math.NaN(), math.Inf(1)} {
		if got := baseValue(s, v); !math.IsNaN(got) {
			t.Errorf("baseValue(%v) = %v, want it absent", v, got)
		}
	}
	if got := baseValue(&Source{Scale: 1}, float64(uint64(math.MaxUint64))); !math.IsNaN(got) {
		t.Errorf("NVML_VALUE_NOT_AVAILABLE = %v, want it absent", got)
	}
}

func TestWrappingCountsOn(t *testing.T) {
	var w wrapping
	var got []float64
	for _, v := range []uint32{100, 150, math.MaxUint32, 9} {
		got = append(got, w.next(v))
	}
	if want := []float64{0, 50, math.MaxUint32 - 100, math.MaxUint32 - 100 + 10}; !slices.Equal(got, want) {
		t.Errorf("counter = %v, want %v", got, want)
	}
}

func TestMergeProcessesKeepsOneOfEach(t *testing.T) {
	got := mergeProcesses([]metric.Process{{PID: 9, MemoryBytes: 1}, {PID: 0, MemoryBytes: 5}, {PID: 3}, {PID: 9, MemoryBytes: 4}, {PID: 3, MemoryBytes: 2}})
	if want := []metric.Process{{PID: 3, MemoryBytes: 2}, {PID: 9, MemoryBytes: 4}}; !slices.Equal(got, want) {
		t.Errorf("processes = %v, want %v", got, want)
	}
}
