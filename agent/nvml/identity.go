package nvml

import (
	"encoding/hex"
	"strconv"
	"strings"
	"unsafe"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/gpumeter/gpumeter/metric"
)

// open gets the GPU at an index and says who it is. Getting it may take
// seconds: it wakes a GPU that no other process uses.
func (d *device) open(index int) (metric.GPU, nvml.Return) {
	d.close()
	d.begin()
	code := callIndex(d.lib.fn[fnHandle], index, unsafe.Pointer(&d.scratch.handle))
	d.end()
	if code != nvml.SUCCESS {
		return metric.GPU{}, code
	}
	d.handle = d.scratch.handle
	g, code := d.identify(index)
	if code != nvml.SUCCESS {
		d.handle = nil
	}
	return g, code
}

// identify asks an open GPU who it is. What it does not say is empty; only the
// UUID must be there.
func (d *device) identify(index int) (metric.GPU, nvml.Return) {
	uuid, code := d.name(fnUUID)
	if code == nvml.SUCCESS && uuid == "" {
		code = nvml.ERROR_NOT_FOUND
	}
	if code != nvml.SUCCESS {
		return metric.GPU{}, code
	}
	g := metric.GPU{UUID: uuid, Index: index, PCI: d.bus()}
	g.Name, _ = d.name(fnName)
	g.Serial, _ = d.name(fnSerial)
	g.VBIOS, _ = d.name(fnVBIOS)
	g.Part, _ = d.name(fnPart)
	g.InfoROM, _ = d.name(fnInfoROM)
	if readMemory(d, 0, &d.out) == nvml.SUCCESS {
		g.MemoryBytes = uint64(d.out[0])
	}
	g.Device, g.Architecture, g.Capability, g.GSP = d.node(), d.architecture(), d.capability(), d.firmware()
	g.Platform = d.platform()
	g.Fabric, g.Clique = d.domain()
	return g, nvml.SUCCESS
}

// name asks for a string of the GPU; empty if it has none. The code is that
// of the call.
func (d *device) name(f function) (string, nvml.Return) {
	d.begin()
	code := callName(d.lib.fn[f], d.handle, d.scratch.text[:])
	d.end()
	if code != nvml.SUCCESS {
		return "", code
	}
	return cString(d.scratch.text[:]), code
}

// same reports whether the handle still means the GPU with this UUID.
func (d *device) same(uuid string) (bool, nvml.Return) {
	d.begin()
	code := callName(d.lib.fn[fnUUID], d.handle, d.scratch.text[:])
	d.end()
	if code != nvml.SUCCESS {
		return true, code
	}
	n := len(uuid)
	return n < len(d.scratch.text) && string(d.scratch.text[:n]) == uuid && d.scratch.text[n] == 0, code
}

// bus returns the PCI bus id, empty if the driver does not say.
func (d *device) bus() string {
	info := &d.scratch.pci
	d.begin()
	code := callOut(d.lib.fn[fnPCI], d.handle, unsafe.Pointer(info))
	d.end()
	if code != nvml.SUCCESS {
		return ""
	}
	id := make([]byte, 0, len(info.BusId))
	for _, c := range info.BusId {
		if c == 0 {
			break
		}
		id = append(id, byte(c))
	}
	return string(id)
}

// number asks for one unsigned int, as text; empty if there is none.
func (d *device) number(f function) (uint32, bool) {
	d.begin()
	code := callOut(d.lib.fn[f], d.handle, unsafe.Pointer(&d.scratch.number))
	d.end()
	return d.scratch.number, code == nvml.SUCCESS
}

// node returns the GPU's name below /dev.
func (d *device) node() string {
	if n, ok := d.number(fnMinor); ok {
		return "nvidia" + strconv.FormatUint(uint64(n), 10)
	}
	return ""
}

// architectures are nvmlDeviceArchitecture_t's words.
var architectures = map[uint32]string{
	2: "kepler", 3: "maxwell", 4: "pascal", 5: "volta", 6: "turing", 7: "ampere",
	8: "ada", 9: "hopper", 10: "blackwell", 13: "rubin",
}

func (d *device) architecture() string {
	n, ok := d.number(fnArchitecture)
	if !ok {
		return ""
	}
	return architectures[n]
}

// capability returns the CUDA compute capability, "9.0".
func (d *device) capability() string {
	s := d.scratch
	d.begin()
	code := callTwo(d.lib.fn[fnCapability], d.handle, unsafe.Pointer(&s.number), unsafe.Pointer(&s.number2))
	d.end()
	if code != nvml.SUCCESS {
		return ""
	}
	return strconv.Itoa(int(int32(s.number))) + "." + strconv.Itoa(int(int32(s.number2)))
}

// firmware returns the version of the GSP's firmware.
func (d *device) firmware() string {
	clear(d.scratch.text[:]) // the call has no length; nvml.h says 64
	d.begin()
	code := callOut(d.lib.fn[fnGSP], d.handle, unsafe.Pointer(&d.scratch.text))
	d.end()
	if code != nvml.SUCCESS {
		return ""
	}
	return cString(d.scratch.text[:])
}

// platform returns the place in the rack. The structure's first version has no
// serial number, only an identifier of the rack.
func (d *device) platform() metric.Platform {
	p := shared[nvml.PlatformInfo_v2](d)
	p.Version = version[nvml.PlatformInfo_v2](2)
	code := d.platformCall(unsafe.Pointer(p))
	chassis := strings.TrimSpace(cString(p.ChassisSerialNumber[:]))
	if refused(code) {
		old := shared[nvml.PlatformInfo_v1](d)
		old.Version = version[nvml.PlatformInfo_v1](1)
		code = d.platformCall(unsafe.Pointer(old))
		chassis = ""
		p = &nvml.PlatformInfo_v2{SlotNumber: old.ChassisPhysicalSlotNumber, TrayIndex: old.ComputeSlotIndex, HostId: old.NodeIndex, ModuleId: old.ModuleId}
	}
	if code != nvml.SUCCESS {
		return metric.Platform{}
	}
	text := func(n uint8) string { return strconv.Itoa(int(n)) }
	at := metric.Platform{Chassis: strings.ToValidUTF8(chassis, "?"), Host: text(p.HostId), Module: text(p.ModuleId)}
	if chassis != "" || p.SlotNumber != 0 || p.TrayIndex != 0 { // else it is in no rack
		at.Slot, at.Tray = text(p.SlotNumber), text(p.TrayIndex)
	}
	return at
}

func (d *device) platformCall(to unsafe.Pointer) nvml.Return {
	d.begin()
	defer d.end()
	return callOut(d.lib.fn[fnPlatform], d.handle, to)
}

// domain returns the NVLink domain and the clique in it, once the GPU has
// joined it.
func (d *device) domain() (fabric, clique string) {
	var f fabricState
	if d.fabric(&f) != nvml.SUCCESS || f.state != nvml.GPU_FABRIC_STATE_COMPLETED || f.status != nvml.SUCCESS || f.cluster == [16]uint8{} {
		return "", ""
	}
	return uuidText(f.cluster), strconv.FormatUint(uint64(f.clique), 10)
}

// uuidText writes a UUID as everybody does.
func uuidText(id [16]uint8) string {
	h := hex.EncodeToString(id[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
