package driver

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

func TestSamplesAverageToTheCurve(t *testing.T) {
	lib, _ := load(t, `
gpus 4 h100
gpu 0 util square period=1s on=0.4s
gpu 1 util 33.3%
gpu 2 util sine period=2s min=10% max=50%
gpu 3 util 100%
gpu 3 memory-util 12.5%
`)
	for i, want := range []float64{40, 33.3, 30, 100} {
		_, samples, ret := gpu(t, lib, i).GetSamples(nvml.GPU_UTILIZATION_SAMPLES, 0)
		if ret != nvml.SUCCESS || len(samples) != 120 {
			t.Fatalf("GPU %d: %d samples, %v", i, len(samples), ret)
		}
		mean := 0.0
		for _, s := range samples {
			mean += float64(number(s.SampleValue)) / float64(len(samples))
		}
		if math.Abs(mean-want) > 0.005*want {
			t.Errorf("GPU %d: mean %.3f %%, want %.1f %%", i, mean, want)
		}
	}
}

func TestSamplesComeOnce(t *testing.T) {
	lib, _ := load(t, "gpus 1 h100\ngpu 0 util 50%\n")
	d := gpu(t, lib, 0)
	var last uint64
	for range 3 {
		_, samples, ret := d.GetSamples(nvml.GPU_UTILIZATION_SAMPLES, last)
		if ret != nvml.SUCCESS {
			t.Fatalf("samples: %v", ret)
		}
		for _, s := range samples {
			if step := s.TimeStamp - last; last != 0 && (step < 166666 || step > 166667) {
				t.Errorf("sample %d µs after the one before, want a sixth of a second", step)
			}
			last = s.TimeStamp
		}
		if age := time.Since(time.UnixMicro(int64(last))); age < 0 || age > 200*time.Millisecond {
			t.Errorf("newest sample is %v old", age)
		}
		if _, _, ret := d.GetSamples(nvml.GPU_UTILIZATION_SAMPLES, last); ret != nvml.ERROR_NOT_FOUND {
			t.Errorf("samples again: %v, want %v", ret, nvml.ERROR_NOT_FOUND)
		}
		time.Sleep(350 * time.Millisecond)
	}
}

// One call gives energy, power and their moment, so the energy between two calls
// can be laid against the power between them.
func TestEnergyIsTheIntegralOfPower(t *testing.T) {
	curves := []string{
		"power 345W",
		"power square period=300ms on=100ms high=600W low=80W",
		"power sine period=400ms min=100W max=500W",
		"power ramp from=70W to=700W over=800ms begin=now",
		"power walk period=100ms min=100W max=600W",
		"power steps 0s=100W 150ms=650W 300ms=200W repeat=450ms",
		"util square period=200ms on=80ms",
	}
	text := fmt.Sprintf("start now\ngpus %d h100\n", len(curves))
	for i, c := range curves {
		text += fmt.Sprintf("gpu %d %s\n", i, c)
	}
	lib, _ := load(t, text)
	type point struct{ us, mj, mw float64 }
	last := make([]point, len(curves))
	energy, sum, span := make([]float64, len(curves)), make([]float64, len(curves)), 0.0
	// A look that came late says nothing of the power in between: it is left out.
	for start := time.Now(); span < 1.2e6 && time.Since(start) < 20*time.Second; time.Sleep(time.Millisecond) {
		for i := range curves {
			v := fields(t, gpu(t, lib, i), nvml.FI_DEV_TOTAL_ENERGY_CONSUMPTION, nvml.FI_DEV_POWER_INSTANT)
			p := point{us: float64(v[0].Timestamp), mj: float64(number(v[0].Value)), mw: float64(number(v[1].Value))}
			if step := p.us - last[i].us; last[i].us != 0 && step < 3000 {
				energy[i] += p.mj - last[i].mj
				sum[i] += (last[i].mw + p.mw) / 2 * step / 1e6
				if i == 0 {
					span += step
				}
			}
			last[i] = p
		}
	}
	for i, c := range curves {
		tolerance := 0.01
		if i == 0 {
			tolerance = 1e-4 // a constant needs no interpolation, only whole mJ
		}
		if math.Abs(energy[i]-sum[i]) > tolerance*sum[i] || sum[i] == 0 {
			t.Errorf("%s: %.0f mJ, its power adds up to %.0f mJ", c, energy[i], sum[i])
		}
	}
}

func TestPowerFollowsUtilisation(t *testing.T) {
	lib, _ := load(t, "gpus 4 h100\ngpu 2-3 model t4\ngpu 1,3 util 50%\n")
	for i, want := range []uint32{70000, 385000, 9000, 39500} {
		equal(t, fmt.Sprintf("power of GPU %d", i), ok[uint32](t)(gpu(t, lib, i).GetPowerUsage()), want)
	}
	equal(t, "temperature", ok[uint32](t)(gpu(t, lib, 1).GetTemperature(nvml.TEMPERATURE_GPU)), 46)
}

func TestGpmAveragesBetweenSamples(t *testing.T) {
	lib, _ := load(t, "gpus 2 h100\ngpu 1 model t4\ngpu 0 sm-active square period=100ms on=25ms\ngpu 0 tensor 12.5%\ngpu 0 nvlink-tx 1GiB/s\n")
	d := gpu(t, lib, 0)
	a, b := ok[nvml.GpmSample](t)(lib.GpmSampleAlloc()), ok[nvml.GpmSample](t)(lib.GpmSampleAlloc())
	defer a.Free()
	defer b.Free()
	a.Get(d)
	time.Sleep(500 * time.Millisecond)
	b.Get(d)
	get := nvml.GpmMetricsGetType{NumMetrics: 4, Sample1: a, Sample2: b}
	for i, id := range []nvml.GpmMetricId{nvml.GPM_METRIC_SM_UTIL, nvml.GPM_METRIC_ANY_TENSOR_UTIL,
		nvml.GPM_METRIC_NVLINK_TOTAL_TX_PER_SEC, nvml.GPM_METRIC_NVLINK_L17_TX_PER_SEC} {
		get.Metrics[i].MetricId = uint32(id)
	}
	if ret := lib.GpmMetricsGet(&get); ret != nvml.SUCCESS {
		t.Fatalf("metrics: %v", ret)
	}
	for i, want := range []float64{25, 12.5, 1024, 1024.0 / 18} {
		if got := get.Metrics[i].Value; math.Abs(got-want) > 0.05*want {
			t.Errorf("metric %d = %v, want %v", get.Metrics[i].MetricId, got, want)
		}
	}
	equal(t, "sample of a T4", b.Get(gpu(t, lib, 1)), nvml.ERROR_NOT_SUPPORTED)
}

func childSamples() {
	lib := nvml.New(nvml.WithLibraryPath(newest()))
	lib.Init()
	d, _ := lib.DeviceGetHandleByIndex(1)
	uuid, _ := d.GetUUID()
	fmt.Println(uuid)
	_, samples, _ := d.GetSamples(nvml.GPU_UTILIZATION_SAMPLES, 0)
	for _, s := range samples {
		fmt.Println(s.TimeStamp, number(s.SampleValue))
	}
}
