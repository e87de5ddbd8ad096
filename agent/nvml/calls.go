package nvml

import (
	"math"
	"unsafe"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// maxParts is how many values one call gives at most.
const maxParts = 4

// Call is a driver call that gives one or more values.
type Call struct {
	// Name is the NVML function, for documentation.
	Name string
	read func(d *device, arg uint32, out *[maxParts]float64) nvml.Return
}

var (
	callRates          = &Call{"nvmlDeviceGetUtilizationRates", readRates}
	callMemory         = &Call{"nvmlDeviceGetMemoryInfo_v2", readMemory}
	callEncoder        = &Call{"nvmlDeviceGetEncoderUtilization", pair(fnEncoder)}
	callDecoder        = &Call{"nvmlDeviceGetDecoderUtilization", pair(fnDecoder)}
	callTemperature    = &Call{"nvmlDeviceGetTemperature", chosen(fnTemperature)}
	callClock          = &Call{"nvmlDeviceGetClockInfo", chosen(fnClock)}
	callMaxClock       = &Call{"nvmlDeviceGetMaxClockInfo", chosen(fnMaxClock)}
	callPower          = &Call{"nvmlDeviceGetPowerUsage", plain(fnPower)}
	callPstate         = &Call{"nvmlDeviceGetPerformanceState", plain(fnPstate)}
	callLinkGeneration = &Call{"nvmlDeviceGetCurrPcieLinkGeneration", plain(fnLinkGeneration)}
	callLinkWidth      = &Call{"nvmlDeviceGetCurrPcieLinkWidth", plain(fnLinkWidth)}
)

// scratch is where the driver writes its answers. It is kept with the device,
// so that a look allocates nothing, and apart from it, because cgo lets no C
// function near memory that holds Go pointers.
type scratch struct {
	handle          unsafe.Pointer // the driver's, not Go's
	number, number2 uint32
	types           uint64
	rates           nvml.Utilization
	memory1         nvml.Memory
	memory2         nvml.Memory_v2
	pci             nvml.PciInfo
	samples         sampleCall
	text            [96]byte
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

// memory2Version is the version word of nvmlMemory_v2_t.
const memory2Version = uint32(unsafe.Sizeof(nvml.Memory_v2{})) | 2<<24

// readMemory gives total, used, free and reserved bytes. Drivers before 510
// cannot say how much is reserved and count it as used.
func readMemory(d *device, _ uint32, out *[maxParts]float64) nvml.Return {
	m := &d.scratch.memory2
	*m = nvml.Memory_v2{Version: memory2Version}
	d.begin()
	code := callOut(d.lib.fn[fnMemory2], d.handle, unsafe.Pointer(m))
	d.end()
	if code != missing && code != nvml.ERROR_ARGUMENT_VERSION_MISMATCH && code != nvml.ERROR_INVALID_ARGUMENT {
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
