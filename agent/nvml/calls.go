package nvml

import (
	"math"
	"unsafe"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// maxParts is how many values one call gives at most.
const maxParts = 12

// Call is a driver call that gives one or more values.
type Call struct {
	// Name is the NVML function, for documentation.
	Name string
	read func(d *device, arg uint32, out *[maxParts]float64) nvml.Return
}

var (
	callRates          = &Call{"nvmlDeviceGetUtilizationRates", readRates}
	callMemory         = &Call{"nvmlDeviceGetMemoryInfo_v2", readMemory}
	callBAR1           = &Call{"nvmlDeviceGetBAR1MemoryInfo", readBAR1}
	callEncoder        = &Call{"nvmlDeviceGetEncoderUtilization", pair(fnEncoder)}
	callDecoder        = &Call{"nvmlDeviceGetDecoderUtilization", pair(fnDecoder)}
	callJPEG           = &Call{"nvmlDeviceGetJpgUtilization", pair(fnJPEG)}
	callOFA            = &Call{"nvmlDeviceGetOfaUtilization", pair(fnOFA)}
	callEncoderStats   = &Call{"nvmlDeviceGetEncoderStats", readEncoderStats}
	callCaptureStats   = &Call{"nvmlDeviceGetFBCStats", readCaptureStats}
	callTemperature    = &Call{"nvmlDeviceGetTemperatureV", readTemperature}
	callMargin         = &Call{"nvmlDeviceGetMarginTemperature", readMargin}
	callThreshold      = &Call{"nvmlDeviceGetTemperatureThreshold", chosen(fnThreshold)}
	callFan            = &Call{"nvmlDeviceGetFanSpeed", plain(fnFan)}
	callClock          = &Call{"nvmlDeviceGetClockInfo", chosen(fnClock)}
	callMaxClock       = &Call{"nvmlDeviceGetMaxClockInfo", chosen(fnMaxClock)}
	callReasons        = &Call{"nvmlDeviceGetCurrentClocksEventReasons", readReasons}
	callPower          = &Call{"nvmlDeviceGetPowerUsage", plain(fnPower)}
	callLimit          = &Call{"nvmlDeviceGetPowerManagementLimit", plain(fnLimit)}
	callEnforcedLimit  = &Call{"nvmlDeviceGetEnforcedPowerLimit", plain(fnEnforcedLimit)}
	callDefaultLimit   = &Call{"nvmlDeviceGetPowerManagementDefaultLimit", plain(fnDefaultLimit)}
	callLimitRange     = &Call{"nvmlDeviceGetPowerManagementLimitConstraints", pair(fnLimitRange)}
	callPstate         = &Call{"nvmlDeviceGetPerformanceState", plain(fnPstate)}
	callPersistence    = &Call{"nvmlDeviceGetPersistenceMode", plain(fnPersistence)}
	callComputeMode    = &Call{"nvmlDeviceGetComputeMode", plain(fnComputeMode)}
	callMIGMode        = &Call{"nvmlDeviceGetMigMode", pair(fnMIGMode)}
	callVirtualization = &Call{"nvmlDeviceGetVirtualizationMode", plain(fnVirtualization)}
	callLicense        = &Call{"nvmlDeviceGetGridLicensableFeatures_v4", readLicense}
	callConfidential   = &Call{"nvmlSystemGetConfComputeState", readConfidential}
	callProtected      = &Call{"nvmlDeviceGetConfComputeProtectedMemoryUsage", readProtected}
	callOdometer       = &Call{"nvmlDeviceGetBBXTimeData_v1", readOdometer}
	callLinkGeneration = &Call{"nvmlDeviceGetCurrPcieLinkGeneration", plain(fnLinkGeneration)}
	callLinkWidth      = &Call{"nvmlDeviceGetCurrPcieLinkWidth", plain(fnLinkWidth)}
	callMaxGeneration  = &Call{"nvmlDeviceGetMaxPcieLinkGeneration", plain(fnMaxGeneration)}
	callMaxWidth       = &Call{"nvmlDeviceGetMaxPcieLinkWidth", plain(fnMaxWidth)}
	callErrorCounter   = &Call{"nvmlDeviceGetMemoryErrorCounter", readErrorCounter}
	callSRAM           = &Call{"nvmlDeviceGetSramEccErrorStatus", readSRAM}
	callHistogram      = &Call{"nvmlDeviceGetRowRemapperHistogram", readHistogram}
	callRepair         = &Call{"nvmlDeviceGetRepairStatus", readRepair}
	callUnrepairable   = &Call{"nvmlDeviceGetUnrepairableMemoryFlag_v1", readUnrepairable}
	callNVLinks        = &Call{"nvmlDeviceGetNvLinkState", readNVLinks}
	callNVLink         = &Call{"nvmlDeviceGetNvLinkState", chosen(fnNVLinkState)}
	callFabric         = &Call{"nvmlDeviceGetGpuFabricInfoV", readFabric}
)

// scratch is where the driver writes its answers. It is kept with the device,
// so that a look allocates nothing, and apart from it, because cgo lets no C
// function near memory that holds Go pointers.
type scratch struct {
	handle, sample           unsafe.Pointer // the driver's, not Go's
	number, number2, number3 uint32
	types                    uint64
	rates                    nvml.Utilization
	memory1                  nvml.Memory
	memory2                  nvml.Memory_v2
	pci                      nvml.PciInfo
	samples                  sampleCall
	text                     [96]byte
	any                      [128]uint64 // of shared
}

// shared is a structure in the device's scratch memory, as zeros. The next
// call of shared takes it back.
func shared[T any](d *device) *T {
	p := (*T)(unsafe.Pointer(&d.scratch.any))
	var zero T
	*p = zero
	return p
}

// version is the version word of a structure of the driver.
func version[T any](n uint32) uint32 {
	var zero T
	return uint32(unsafe.Sizeof(zero)) | n<<24
}

// refused reports whether a code says that the driver does not know a
// function, or this version of its structure.
func refused(code nvml.Return) bool {
	return code == missing || code == nvml.ERROR_ARGUMENT_VERSION_MISMATCH || code == nvml.ERROR_INVALID_ARGUMENT
}

// plain reads a function that gives one unsigned int.
func plain(f function) func(*device, uint32, *[maxParts]float64) nvml.Return {
	return func(d *device, _ uint32, out *[maxParts]float64) nvml.Return {
		d.begin()
		code := callOut(d.lib.fn[f], d.handle, unsafe.Pointer(&d.scratch.number))
		d.end()
		out[0] = float64(d.scratch.number)
		return code
	}
}

// chosen reads a function that gives one unsigned int for an argument.
func chosen(f function) func(*device, uint32, *[maxParts]float64) nvml.Return {
	return func(d *device, arg uint32, out *[maxParts]float64) nvml.Return {
		d.begin()
		code := callArg(d.lib.fn[f], d.handle, arg, unsafe.Pointer(&d.scratch.number))
		d.end()
		out[0] = float64(d.scratch.number)
		return code
	}
}

// pair reads a function that gives two unsigned ints: a value and the period
// that it is of.
func pair(f function) func(*device, uint32, *[maxParts]float64) nvml.Return {
	return func(d *device, _ uint32, out *[maxParts]float64) nvml.Return {
		d.begin()
		code := callTwo(d.lib.fn[f], d.handle, unsafe.Pointer(&d.scratch.number), unsafe.Pointer(&d.scratch.number2))
		d.end()
		out[0], out[1] = float64(d.scratch.number), float64(d.scratch.number2)
		return code
	}
}

// readRates gives the shares of the driver's last sample period in which the
// GPU and its memory were busy, in percent.
func readRates(d *device, _ uint32, out *[maxParts]float64) nvml.Return {
	d.begin()
	code := callOut(d.lib.fn[fnRates], d.handle, unsafe.Pointer(&d.scratch.rates))
	d.end()
	out[0], out[1] = float64(d.scratch.rates.Gpu), float64(d.scratch.rates.Memory)
	return code
}

// readMemory gives total, used, free and reserved bytes. Drivers before 510
// cannot say how much is reserved and count it as used.
func readMemory(d *device, _ uint32, out *[maxParts]float64) nvml.Return {
	m := &d.scratch.memory2
	*m = nvml.Memory_v2{Version: version[nvml.Memory_v2](2)}
	d.begin()
	code := callOut(d.lib.fn[fnMemory2], d.handle, unsafe.Pointer(m))
	d.end()
	if !refused(code) {
		out[0], out[1], out[2], out[3] = float64(m.Total), float64(m.Used), float64(m.Free), float64(m.Reserved)
		return code
	}
	d.begin()
	code = callOut(d.lib.fn[fnMemory1], d.handle, unsafe.Pointer(&d.scratch.memory1))
	d.end()
	o := &d.scratch.memory1
	out[0], out[1], out[2], out[3] = float64(o.Total), float64(o.Used), float64(o.Free), math.NaN()
	return code
}

// readBAR1 gives total, used and free bytes.
func readBAR1(d *device, _ uint32, out *[maxParts]float64) nvml.Return {
	m, code := ask[nvml.BAR1Memory](d, fnBAR1)
	out[0], out[1], out[2] = float64(m.Bar1Total), float64(m.Bar1Used), float64(m.Bar1Free)
	return code
}

// ask reads a function that fills a structure without a version.
func ask[T any](d *device, f function) (*T, nvml.Return) {
	p := shared[T](d)
	d.begin()
	code := callOut(d.lib.fn[f], d.handle, unsafe.Pointer(p))
	d.end()
	return p, code
}

// readEncoderStats gives sessions, frames per second, and µs of latency.
func readEncoderStats(d *device, _ uint32, out *[maxParts]float64) nvml.Return {
	s := d.scratch
	d.begin()
	code := callThree(d.lib.fn[fnEncoderStats], d.handle, unsafe.Pointer(&s.number), unsafe.Pointer(&s.number2), unsafe.Pointer(&s.number3))
	d.end()
	out[0], out[1], out[2] = float64(s.number), float64(s.number2), float64(s.number3)
	return code
}

// readCaptureStats gives the same of frame buffer captures.
func readCaptureStats(d *device, _ uint32, out *[maxParts]float64) nvml.Return {
	s, code := ask[nvml.FBCStats](d, fnCaptureStats)
	out[0], out[1], out[2] = float64(s.SessionsCount), float64(s.AverageFPS), float64(s.AverageLatency)
	return code
}
