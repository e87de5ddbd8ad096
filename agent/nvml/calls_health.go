package nvml

import (
	"unsafe"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// readTemperature gives the temperature of a sensor. The older function cannot
// say less than zero.
func readTemperature(d *device, sensor uint32, out *[maxParts]float64) nvml.Return {
	t := shared[nvml.Temperature_v1](d)
	t.Version, t.SensorType = version[nvml.Temperature_v1](1), sensor
	d.begin()
	code := callOut(d.lib.fn[fnTemperatureV], d.handle, unsafe.Pointer(t))
	d.end()
	out[0] = float64(t.Temperature)
	if code == nvml.SUCCESS || rank(code) > rankUnsupported {
		return code
	}
	return chosen(fnTemperature)(d, sensor, out)
}

// readMargin gives how far the GPU is from the temperature at which its clocks
// are lowered.
func readMargin(d *device, _ uint32, out *[maxParts]float64) nvml.Return {
	m := shared[nvml.MarginTemperature_v1](d)
	m.Version = version[nvml.MarginTemperature_v1](1)
	d.begin()
	code := callOut(d.lib.fn[fnMargin], d.handle, unsafe.Pointer(m))
	d.end()
	out[0] = float64(m.MarginTemperature)
	return code
}

// reasonBits are the reasons why clocks are held down, in the order of the
// parts of callReasons, which end with the whole mask.
var reasonBits = [...]struct {
	word string
	bit  uint64
}{
	{"idle", nvml.ClocksEventReasonGpuIdle},
	{"app_clocks", nvml.ClocksEventReasonApplicationsClocksSetting},
	{"power", nvml.ClocksEventReasonSwPowerCap},
	{"hw_slowdown", nvml.ClocksThrottleReasonHwSlowdown},
	{"sync_boost", nvml.ClocksEventReasonSyncBoost},
	{"sw_thermal", nvml.ClocksEventReasonSwThermalSlowdown},
	{"hw_thermal", nvml.ClocksThrottleReasonHwThermalSlowdown},
	{"hw_power_brake", nvml.ClocksThrottleReasonHwPowerBrakeSlowdown},
	{"display", nvml.ClocksEventReasonDisplayClockSetting},
	{"board_limit", nvml.ClocksEventReasonBoardLimit},
	{"reliability", nvml.ClocksEventReasonReliability},
}

// readReasons gives 1 or 0 for each of reasonBits, and the mask.
func readReasons(d *device, _ uint32, out *[maxParts]float64) nvml.Return {
	mask := &d.scratch.types
	d.begin()
	code := callOut(d.lib.fn[fnReasons], d.handle, unsafe.Pointer(mask))
	d.end()
	for i, r := range reasonBits {
		out[i] = truth(*mask&r.bit != 0)
	}
	out[len(reasonBits)] = float64(*mask)
	return code
}

func truth(v bool) float64 {
	if v {
		return 1
	}
	return 0
}

// errorArg packs the counter of nvmlDeviceGetMemoryErrorCounter into an
// argument.
func errorArg(typ nvml.MemoryErrorType, kind nvml.EccCounterType, place nvml.MemoryLocation) uint32 {
	return uint32(typ) | uint32(kind)<<8 | uint32(place)<<16
}

func readErrorCounter(d *device, arg uint32, out *[maxParts]float64) nvml.Return {
	n := &d.scratch.types
	d.begin()
	code := callErrors(d.lib.fn[fnErrorCounter], d.handle, errorCounter{arg & 0xff, arg >> 8 & 0xff, arg >> 16}, unsafe.Pointer(n))
	d.end()
	out[0] = float64(*n)
	return code
}

// readSRAM gives what the driver knows of errors in SRAM, in the order of the
// structure, the threshold last. Root only.
func readSRAM(d *device, _ uint32, out *[maxParts]float64) nvml.Return {
	s := shared[nvml.EccSramErrorStatus_v1](d)
	s.Version = version[nvml.EccSramErrorStatus_v1](1)
	d.begin()
	code := callOut(d.lib.fn[fnSRAM], d.handle, unsafe.Pointer(s))
	d.end()
	for i, n := range [...]uint64{
		s.AggregateUncParity, s.AggregateUncSecDed, s.AggregateCor, s.VolatileUncParity, s.VolatileUncSecDed, s.VolatileCor,
		s.AggregateUncBucketL2, s.AggregateUncBucketSm, s.AggregateUncBucketPcie, s.AggregateUncBucketMcu, s.AggregateUncBucketOther,
	} {
		out[i] = float64(n)
	}
	out[11] = truth(s.BThresholdExceeded != 0)
	return code
}

// readHistogram gives how many banks have all, many, some, few and no spare
// rows left.
func readHistogram(d *device, _ uint32, out *[maxParts]float64) nvml.Return {
	h, code := ask[nvml.RowRemapperHistogramValues](d, fnHistogram)
	for i, n := range [...]uint32{h.Max, h.High, h.Partial, h.Low, h.None} {
		out[i] = float64(n)
	}
	return code
}

// readRepair gives whether a channel and a TPC wait for a repair.
func readRepair(d *device, _ uint32, out *[maxParts]float64) nvml.Return {
	r := shared[nvml.RepairStatus_v1](d)
	r.Version = version[nvml.RepairStatus_v1](1)
	d.begin()
	code := callOut(d.lib.fn[fnRepair], d.handle, unsafe.Pointer(r))
	d.end()
	out[0], out[1] = truth(r.BChannelRepairPending != 0), truth(r.BTpcRepairPending != 0)
	return code
}

func readUnrepairable(d *device, _ uint32, out *[maxParts]float64) nvml.Return {
	u, code := ask[nvml.UnrepairableMemoryStatus_v1](d, fnUnrepairable)
	out[0] = truth(u.BUnrepairableMemory != 0)
	return code
}

func readOdometer(d *device, _ uint32, out *[maxParts]float64) nvml.Return {
	t, code := ask[nvml.BBXTimeData_v1](d, fnOdometer)
	out[0] = float64(t.TimeRun)
	return code
}
