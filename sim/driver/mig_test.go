package driver

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

const divided = `
start now
root on
gpus 2 h100
gpu 0 mig on
gpu 0 instance 1 profile 3g.40gb compute 1c.3g.40gb 2c.3g.40gb
gpu 0 instance 1 util square period=20ms on=5ms
gpu 0 instance 1 process pid=11 memory=3GiB compute=1
gpu 0 instance 2 profile 4g.40gb
gpu 0 instance 2 util 50%
gpu 0 instance 2 process pid=22 memory=5GiB
`

// parts lists the MIG devices of a GPU as gi/ci.
func parts(t *testing.T, d nvml.Device) (devices []nvml.Device, names string) {
	t.Helper()
	for i := 0; ; i++ {
		m, ret := d.GetMigDeviceHandleByIndex(i)
		if ret == nvml.ERROR_NOT_FOUND {
			return devices, strings.TrimSpace(names)
		}
		if ret != nvml.SUCCESS {
			t.Fatalf("MIG device %d: %v", i, ret)
		}
		devices = append(devices, m)
		names += fmt.Sprintf("%d/%d ", ok[int](t)(m.GetGpuInstanceId()), ok[int](t)(m.GetComputeInstanceId()))
	}
}

func TestMigDevicesAreEnumerated(t *testing.T) {
	lib, _ := load(t, divided)
	d := gpu(t, lib, 0)
	current, pending, ret := d.GetMigMode()
	equal(t, "mode", fmt.Sprint(current, pending, ret), "1 1 Success")
	equal(t, "most", ok[int](t)(d.GetMaxMigDeviceCount()), 7)
	devices, ids := parts(t, d)
	equal(t, "instances", ids, "1/0 1/1 2/0")
	var names, attributes []string
	for _, m := range devices {
		names = append(names, ok[string](t)(m.GetName()))
		a := ok[nvml.DeviceAttributes](t)(m.GetAttributes())
		attributes = append(attributes, fmt.Sprint(a.MultiprocessorCount, " ", a.GpuInstanceSliceCount, " ", a.ComputeInstanceSliceCount))
		uuid := ok[string](t)(m.GetUUID())
		equal(t, "index", ok[int](t)(m.GetIndex()), len(names)-1)
		back := ok[nvml.Device](t)(lib.DeviceGetHandleByUUID(uuid))
		equal(t, "UUID", ok[string](t)(back.GetUUID()), uuid)
		parent := ok[nvml.Device](t)(m.GetDeviceHandleFromMigDeviceHandle())
		equal(t, "parent", ok[string](t)(parent.GetUUID()), ok[string](t)(d.GetUUID()))
		equal(t, "is MIG", ok[bool](t)(m.IsMigDeviceHandle()), true)
	}
	equal(t, "names", strings.Join(names, ","),
		"NVIDIA H100 80GB HBM3 MIG 1c.3g.40gb,NVIDIA H100 80GB HBM3 MIG 2c.3g.40gb,NVIDIA H100 80GB HBM3 MIG 4g.40gb")
	equal(t, "attributes", strings.Join(attributes, ","), "20 3 1,40 3 2,64 4 4")
	equal(t, "parent is MIG", ok[bool](t)(d.IsMigDeviceHandle()), false)
	_, other := parts(t, gpu(t, lib, 1))
	equal(t, "instances of the undivided GPU", other, "")
}

func TestMigMemoryIsTheInstances(t *testing.T) {
	lib, _ := load(t, divided)
	d := gpu(t, lib, 0)
	devices, _ := parts(t, d)
	for i, want := range []uint64{3 << 30, 3 << 30, 5 << 30} {
		m := ok[nvml.Memory_v2](t)(devices[i].GetMemoryInfo_v2())
		equal(t, fmt.Sprintf("memory used by %d", i), m.Used, want)
		if m.Total < 38<<30 || m.Total > 41<<30 {
			t.Errorf("memory of %d = %d, want about half of the GPU", i, m.Total)
		}
	}
	equal(t, "memory used by all", ok[nvml.Memory_v2](t)(d.GetMemoryInfo_v2()).Used, 8<<30)
	own := ok[[]nvml.ProcessInfo](t)(devices[1].GetComputeRunningProcesses())
	all := ok[[]nvml.ProcessInfo](t)(d.GetComputeRunningProcesses())
	none := ok[[]nvml.ProcessInfo](t)(devices[0].GetComputeRunningProcesses())
	equal(t, "processes", fmt.Sprint(none, own, all), "[] [{11 3221225472 1 1}] [{11 3221225472 1 1} {22 5368709120 2 0}]")
}

func TestDividedGpuHasNoUtilisationOfItsOwn(t *testing.T) {
	lib, _ := load(t, divided)
	d := gpu(t, lib, 0)
	_, rates := d.GetUtilizationRates()
	_, _, encoder := d.GetEncoderUtilization()
	_, _, samples := d.GetSamples(nvml.GPU_UTILIZATION_SAMPLES, 0)
	_, shares := d.GetProcessUtilization(0)
	equal(t, "answers", fmt.Sprint(rates, encoder, samples, shares), strings.TrimSpace(strings.Repeat("Not Supported ", 4)))
	ok[uint32](t)(d.GetPowerUsage())
	devices, _ := parts(t, d)
	_, ret := devices[0].GetUtilizationRates()
	equal(t, "utilisation of a MIG device", ret, nvml.ERROR_NOT_SUPPORTED)
	_, ret = devices[0].GetSerial()
	equal(t, "serial of a MIG device", ret, nvml.ERROR_NOT_SUPPORTED)
	whole, part := ok[uint64](t)(d.GetTotalEnergyConsumption()), ok[uint64](t)(devices[2].GetTotalEnergyConsumption())
	if part < whole || part > whole+100000 {
		t.Errorf("energy of a MIG device = %d mJ, of its GPU %d mJ before", part, whole)
	}
}

// The whole GPU draws power by the weighted mean of its instances, 3/7 of 25 %
// and 4/7 of 50 %.
func TestInstancesAddUpToTheGpu(t *testing.T) {
	lib, _ := load(t, divided)
	d := gpu(t, lib, 0)
	first, second, whole := newPair(t, lib), newPair(t, lib), newPair(t, lib)
	take := func(i int) {
		equal(t, "sample", d.GpmMigSampleGet(1, first[i]), nvml.SUCCESS)
		equal(t, "sample", d.GpmMigSampleGet(2, second[i]), nvml.SUCCESS)
		equal(t, "sample", whole[i].Get(d), nvml.SUCCESS)
	}
	take(0)
	time.Sleep(400 * time.Millisecond)
	take(1)
	for i, row := range []struct {
		pair [2]nvml.GpmSample
		want float64
	}{{first, 25}, {second, 50}, {whole, (3*25 + 4*50) / 7.0}} {
		got := measure(t, lib, row.pair, nvml.GPM_METRIC_GRAPHICS_UTIL)
		if math.Abs(got-row.want) > 0.06*row.want {
			t.Errorf("utilisation %d = %.2f %%, want %.2f %%", i, got, row.want)
		}
	}
	equal(t, "sample of no instance", d.GpmMigSampleGet(5, first[0]), nvml.ERROR_NOT_FOUND)
	get := nvml.GpmMetricsGetType{NumMetrics: 1, Sample1: first[0], Sample2: second[1]}
	get.Metrics[0].MetricId = uint32(nvml.GPM_METRIC_GRAPHICS_UTIL)
	equal(t, "metrics over two instances", lib.GpmMetricsGet(&get), nvml.ERROR_INVALID_ARGUMENT)
}

func newPair(t *testing.T, lib nvml.Interface) (p [2]nvml.GpmSample) {
	t.Helper()
	for i := range p {
		p[i] = ok[nvml.GpmSample](t)(lib.GpmSampleAlloc())
		t.Cleanup(func() { p[i].Free() })
	}
	return p
}

func measure(t *testing.T, lib nvml.Interface, p [2]nvml.GpmSample, id nvml.GpmMetricId) float64 {
	t.Helper()
	get := nvml.GpmMetricsGetType{NumMetrics: 1, Sample1: p[0], Sample2: p[1]}
	get.Metrics[0].MetricId = uint32(id)
	if ret := lib.GpmMetricsGet(&get); ret != nvml.SUCCESS || get.Metrics[0].NvmlReturn != uint32(nvml.SUCCESS) {
		t.Fatalf("metric %d: %v, %v", id, ret, nvml.Return(get.Metrics[0].NvmlReturn))
	}
	return get.Metrics[0].Value
}

func TestInstancesComeAndGo(t *testing.T) {
	lib, path := load(t, `
start now
gpus 1 h100
gpu 0 mig on
gpu 0 instance 1 profile 1g.10gb to=300ms
gpu 0 instance 2 profile 2g.20gb from=300ms
`)
	d := gpu(t, lib, 0)
	set := ok[nvml.EventSet](t)(lib.EventSetCreate())
	defer set.Free()
	equal(t, "register", d.RegisterEvents(nvml.EventMigConfigChange, set), nvml.SUCCESS)
	devices, ids := parts(t, d)
	equal(t, "before", ids, "1/0")
	e, ret := set.Wait(2000)
	equal(t, "event", fmt.Sprint(ret, e.EventType), fmt.Sprint(nvml.SUCCESS, nvml.EventMigConfigChange))
	_, ids = parts(t, d)
	equal(t, "after", ids, "2/0")
	_, ret = devices[0].GetUUID()
	equal(t, "handle of what is gone", ret, nvml.ERROR_INVALID_ARGUMENT)
	set.Wait(10) // the other line of the same moment
	write(t, path, "start now\ngpus 1 h100\n")
	e, ret = set.Wait(2000)
	equal(t, "event of a new version", fmt.Sprint(ret, e.EventType), fmt.Sprint(nvml.SUCCESS, nvml.EventMigConfigChange))
	current, _, _ := d.GetMigMode()
	equal(t, "mode", current, nvml.DEVICE_MIG_DISABLE)
}

func TestParentUnderMigNeedsPrivilege(t *testing.T) {
	lib, _ := load(t, "gpus 1 h100\ngpu 0 mig on\ngpu 0 instance 1 profile 7g.80gb\n")
	d := gpu(t, lib, 0)
	_, memory := d.GetMemoryInfo()
	_, processes := d.GetComputeRunningProcesses()
	_, instance := d.GetGpuInstanceById(1)
	equal(t, "answers", fmt.Sprint(memory, processes, instance),
		strings.TrimSpace(strings.Repeat("Insufficient Permissions ", 3)))
	devices, ids := parts(t, d)
	equal(t, "instances", ids, "1/0")
	ok[nvml.Memory](t)(devices[0].GetMemoryInfo())
}

func TestGpuInstancesDescribeThemselves(t *testing.T) {
	lib, _ := load(t, divided)
	d := gpu(t, lib, 0)
	i := ok[nvml.GpuInstance](t)(d.GetGpuInstanceById(2))
	info := ok[nvml.GpuInstanceInfo](t)(i.GetInfo())
	equal(t, "info", fmt.Sprint(info.Id, info.ProfileId, info.Placement), "2 5 {4 4}")
	profile := ok[nvml.GpuInstanceProfileInfo](t)(d.GetGpuInstanceProfileInfo(nvml.GPU_INSTANCE_PROFILE_4_SLICE))
	equal(t, "profile", fmt.Sprint(profile.Id, profile.SliceCount, profile.MultiprocessorCount, profile.DecoderCount), "5 4 64 4")
	named := ok[nvml.GpuInstanceProfileInfo_v2](t)(d.GetGpuInstanceProfileInfoV(nvml.GPU_INSTANCE_PROFILE_1_SLICE).V2())
	equal(t, "name", string(int8s(named.Name[:])), "MIG 1g.10gb")
}

func int8s(v []int8) (b []byte) {
	for _, c := range v {
		if c == 0 {
			break
		}
		b = append(b, byte(c))
	}
	return b
}
