package nvml

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/gpumeter/gpumeter/metric"
)

// lookAt makes one look at the first GPU of a scenario and returns the values
// that there are.
func lookAt(t *testing.T, branch, scenario string) map[string]float64 {
	t.Helper()
	s := openBranch(t, branch, scenario, AllGroups).slots[0]
	s.tick(BootClock())
	if s.look.condition != metric.Good {
		t.Fatalf("condition %d %q", s.look.condition, s.look.reason)
	}
	out := map[string]float64{}
	for row, v := range s.look.values {
		if !math.IsNaN(v) {
			out[Table[row].Key()] = v
		}
	}
	return out
}

// TestOlderStructuresStandIn reads through drivers that know only an older
// version of a structure, or an older function.
func TestOlderStructuresStandIn(t *testing.T) {
	const fabric = "gpus 1 h100\ngpu 0 fabric-health 0x1\ngpu 0 temperature 55\n"
	f := func(branch, scenario string, present, absent []string) {
		t.Helper()
		got := lookAt(t, branch, scenario)
		for _, k := range present {
			if _, ok := got[k]; !ok {
				t.Errorf("branch %s: %s is absent", branch, k)
			}
		}
		for _, k := range absent {
			if v, ok := got[k]; ok {
				t.Errorf("branch %s: %s = %v, want it absent", branch, k, v)
			}
		}
		if got["gpu.temperature"] != 55 {
			t.Errorf("branch %s: temperature = %v, want 55", branch, got["gpu.temperature"])
		}
	}
	const state, trouble, summary = "gpu.fabric.state", "gpu.fabric.trouble{type=degraded_bandwidth}", "gpu.fabric.health.summary"
	f("580", fabric, []string{state, trouble, summary}, nil)
	f("550", fabric, []string{state, trouble}, []string{summary}) // v2
	f("535", fabric, []string{state}, []string{trouble, summary}) // v1
	f("470", fabric, []string{"gpu.memory.total", "gpu.power.limit.requested"}, []string{state, trouble, summary, "gpu.memory.reserved"})
	f("580", fabric+"fault nvmlDeviceGetGpuFabricInfoV return ARGUMENT_VERSION_MISMATCH\n", []string{state}, []string{trouble, summary})
	f("580", fabric+"fault nvmlDeviceGetMemoryInfo_v2 return ARGUMENT_VERSION_MISMATCH\n", []string{"gpu.memory.total"}, []string{"gpu.memory.reserved"})
	f("580", fabric+"fault nvmlDeviceGetTemperatureV return NOT_SUPPORTED\n", nil, nil)
	f("580", fabric+"fault nvmlDeviceGetTemperatureV return ARGUMENT_VERSION_MISMATCH\n", nil, nil)
}

// TestBatchThatIsRefusedIsTakenApart has a driver that refuses all values
// because of one.
func TestBatchThatIsRefusedIsTakenApart(t *testing.T) {
	got := lookAt(t, "580", "gpus 1 h100\nfault nvmlDeviceGetFieldValues return INVALID_ARGUMENT times=1\n")
	for _, k := range []string{"gpu.power.instant", "gpu.energy.driver", "gpu.ecc.errors{type=volatile_uncorrected}"} {
		if _, ok := got[k]; !ok {
			t.Errorf("%s is absent", k)
		}
	}
}

// TestBatchesAreNotMixed keeps the counters of NVLink 5 apart: a driver was
// seen to answer other fields wrongly beside them.
func TestBatchesAreNotMixed(t *testing.T) {
	d := newDevice(&library{}, newPlan(Table, AllGroups), time.Second, BootClock)
	for i := range d.fieldDue {
		d.fieldDue[i].absent = true // so that what stands in is wanted too
	}
	seen := 0
	for n := range batches {
		d.wantFields(n)
		for i := range d.batch {
			seen++
			id := d.batch[i].FieldId
			link5 := id >= 201 && id <= 222 || id >= 235 && id <= 250
			if link5 != (n == nvlinkFields) {
				t.Errorf("field %d is in batch %d", id, n)
			}
		}
	}
	if seen != len(d.plan.fields) || seen < 200 {
		t.Errorf("%d fields in batches, want all %d", seen, len(d.plan.fields))
	}
}

// TestStandInIsAskedWhereTheFieldIsNotSupported reads a field that a GPU does
// not have, and then one that it has.
func TestStandInIsAskedWhereTheFieldIsNotSupported(t *testing.T) {
	stand := Source{Field: nvml.FI_DEV_POWER_INSTANT, Scale: milli}
	rows := []Row{{metric.Desc{Name: "gpu.a"}, Source{Field: nvml.FI_DEV_RETIRED_SBE, Scale: one, Or: &stand}},
		{metric.Desc{Name: "gpu.b"}, Source{Field: nvml.FI_DEV_POWER_AVERAGE, Scale: milli, Or: &stand}}}
	w := openSim(t, "gpus 1 h100\ngpu 0 power steps 0s=300W\n")
	d := newDevice(w.lib, newPlan(rows), time.Second, BootClock)
	if _, code := d.open(0); code != nvml.SUCCESS {
		t.Fatal(code)
	}
	for range 3 {
		d.read(BootClock())
	}
	if !slices.Equal(d.values, []float64{300, 300}) {
		t.Errorf("values = %v, want 300 of both", d.values)
	}
	if d.fieldDue[1].at == 0 || d.fieldDue[3].at != 0 {
		t.Errorf("what stands in was asked: %v for the first, %v for the second; want only the first", d.fieldDue[1].at != 0, d.fieldDue[3].at != 0)
	}
}

func TestErrorRateIsTakenApart(t *testing.T) {
	for word, want := range map[uint32]float64{0: 0, 1<<8 | 15: 1e-15, 15<<8 | 8: 15e-8, 3<<8 | 255: 3e-255} {
		if got := errorRate(float64(word)); math.Abs(got-want) > 1e-12*want {
			t.Errorf("errorRate(%#x) = %v, want %v", word, got, want)
		}
	}
	for _, v := range []float64{-1, 1 << 12, math.NaN(), math.Inf(1)} {
		if got := errorRate(v); !math.IsNaN(got) {
			t.Errorf("errorRate(%v) = %v, want none", v, got)
		}
	}
}

// TestGPUsDoNotReadRareRowsTogether counts, over ten minutes of eight GPUs, how
// many of them read what is due once a minute within one second.
func TestGPUsDoNotReadRareRowsTogether(t *testing.T) {
	var now time.Duration
	reads := map[time.Duration]int{}
	c := &Call{"test", func(*device, uint32, *[maxParts]float64) nvml.Return { reads[now/time.Second]++; return nvml.SUCCESS }}
	var devices []*device
	for i := range 8 {
		d := newDevice(&library{}, newPlan([]Row{{metric.Desc{Name: "gpu.test"}, Source{Call: c, Scale: 1, Every: rare}}}), time.Second, BootClock)
		d.index = i
		devices = append(devices, d)
	}
	const begin = 1000 * time.Second
	for now = begin; now < begin+10*time.Minute; now += time.Second {
		for _, d := range devices {
			d.now = now
			d.readCalls(&outcome{})
		}
	}
	total := 0
	for at, n := range reads {
		total += n
		if n > 1 && at != begin/time.Second {
			t.Errorf("%d GPUs read in second %d", n, at-begin/time.Second)
		}
	}
	if reads[begin/time.Second] != 8 || total < 80 || total > 88 {
		t.Errorf("%d reads, %d of them in the first second; want all 8 there and one a minute", total, reads[begin/time.Second])
	}
}
