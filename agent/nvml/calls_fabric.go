package nvml

import (
	"math"
	"unsafe"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// readNVLinks gives how many NVLinks the GPU has and how many of them are up.
func readNVLinks(d *device, _ uint32, out *[maxParts]float64) nvml.Return {
	links, up := 0, 0
	for link := range uint32(nvml.NVLINK_MAX_LINKS) {
		d.begin()
		code := callArg(d.lib.fn[fnNVLinkState], d.handle, link, unsafe.Pointer(&d.scratch.number))
		d.end()
		if code == nvml.ERROR_INVALID_ARGUMENT || code == nvml.ERROR_NOT_SUPPORTED {
			continue // a number that no link has; there may be higher ones
		}
		if code != nvml.SUCCESS {
			return code
		}
		links++
		up += int(d.scratch.number & 1)
	}
	out[0], out[1] = float64(links), float64(up)
	if links == 0 {
		return nvml.ERROR_NOT_SUPPORTED
	}
	return nvml.SUCCESS
}

// fabricState is how a GPU stands to the NVLink fabric, whatever the version
// of the structure that it was read with.
type fabricState struct {
	cluster [16]uint8
	clique  uint32
	state   uint8
	status  nvml.Return
	// health is the mask, summary the verdict; 0 where the driver does not say.
	health  uint32
	summary uint8
}

// fabric reads the fabric state with the newest structure that the driver
// takes.
func (d *device) fabric(f *fabricState) nvml.Return {
	v3 := shared[nvml.GpuFabricInfo_v3](d)
	v3.Version = version[nvml.GpuFabricInfo_v3](3)
	code := d.fabricCall(fnFabricV, unsafe.Pointer(v3))
	*f = fabricState{v3.ClusterUuid, v3.CliqueId, v3.State, nvml.Return(v3.Status), v3.HealthMask, v3.HealthSummary}
	if !refused(code) {
		return code
	}
	v2 := shared[nvml.GpuFabricInfo_v2](d)
	v2.Version = version[nvml.GpuFabricInfo_v2](2)
	code = d.fabricCall(fnFabricV, unsafe.Pointer(v2))
	*f = fabricState{v2.ClusterUuid, v2.CliqueId, v2.State, nvml.Return(v2.Status), v2.HealthMask, 0}
	if !refused(code) {
		return code
	}
	v1 := shared[nvml.GpuFabricInfo](d)
	code = d.fabricCall(fnFabric, unsafe.Pointer(v1))
	*f = fabricState{v1.ClusterUuid, v1.CliqueId, v1.State, nvml.Return(v1.Status), 0, 0}
	return code
}

func (d *device) fabricCall(f function, to unsafe.Pointer) nvml.Return {
	d.begin()
	defer d.end()
	return callOut(d.lib.fn[f], d.handle, to)
}

// Parts of callFabric.
const (
	fabricStatePart = iota
	fabricStatusPart
	fabricSummaryPart
	fabricMaskPart
	fabricConfigurationPart
	fabricHealthPart // and the three after it: see fabricConditions
)

// fabricConditions are the conditions of which the health mask says in two
// bits whether they hold: 0 is not said, 1 yes, 2 no.
var fabricConditions = [...]struct {
	word  string
	shift uint
}{
	{"degraded_bandwidth", 0}, {"route_recovery", 2}, {"route_unhealthy", 4}, {"access_timeout_recovery", 6},
}

// fabricConfiguration is where the mask has what is wrong with the
// configuration: 0 is not said, 1 nothing.
const fabricConfiguration = 8

func readFabric(d *device, _ uint32, out *[maxParts]float64) nvml.Return {
	var f fabricState
	if code := d.fabric(&f); code != nvml.SUCCESS {
		return code
	}
	if f.state == nvml.GPU_FABRIC_STATE_NOT_SUPPORTED {
		return nvml.ERROR_NOT_SUPPORTED
	}
	for i := range out {
		out[i] = math.NaN()
	}
	out[fabricStatePart] = float64(f.state)
	if f.state == nvml.GPU_FABRIC_STATE_COMPLETED {
		out[fabricStatusPart] = float64(f.status) // means nothing before
	}
	if f.summary != 0 {
		out[fabricSummaryPart] = float64(f.summary)
	}
	if f.health != 0 {
		out[fabricMaskPart] = float64(f.health)
	}
	if c := f.health >> fabricConfiguration & 0xf; c != 0 {
		out[fabricConfigurationPart] = float64(c - 1)
	}
	for i, c := range fabricConditions {
		if v := f.health >> c.shift & 3; v != 0 {
			out[fabricHealthPart+i] = truth(v == 1)
		}
	}
	return nvml.SUCCESS
}
