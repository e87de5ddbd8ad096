package nvml

import (
	"slices"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// InstanceTable is every metric of a GPU instance, in the order in which its
// readings come. Nobody changes it. A metric comes from where the GPU's comes
// from and has the same names elsewhere. Energy, power, temperature and errors
// are the GPU's alone: the driver repeats the GPU's total at each instance, and
// a sum over instances would count it as often as there are instances.
//
// Shares are of the instance's own engines: 1 is an instance that was busy all
// the time, whatever part of the GPU it is.
var InstanceTable = []Row{
	ofInstance("gpu.memory.total", "gpu.instance.memory.total", "Memory of the GPU instance, with what the driver reserves."),
	ofInstance("gpu.memory.used", "gpu.instance.memory.used", "Memory of the GPU instance in use; its compute instances share it."),
	ofInstance("gpu.memory.free", "gpu.instance.memory.free", "Memory of the GPU instance that can be allocated."),
	ofInstance("gpu.memory.reserved", "gpu.instance.memory.reserved", "Memory of the GPU instance that the driver and the firmware keep for themselves."),

	ofInstance("gpu.graphics.active", "gpu.instance.utilization", "Share of the time in which the compute engine of the GPU instance was active."),
	ofInstance("gpu.sm.active", "gpu.instance.sm.active", "Share of the cycles of the instance's SMs in which a warp was resident."),
	ofInstance("gpu.sm.occupancy", "gpu.instance.sm.occupancy", "Resident warps on the instance's SMs as a share of how many there can be."),
	ofInstance("gpu.tensor.active", "gpu.instance.tensor.active", "Share of the cycles in which any tensor pipe of the instance was active."),
	ofInstance("gpu.memory.active", "gpu.instance.memory.active", "Memory bandwidth used as a share of what the GPU instance has."),
	ofInstance("gpu.pipe.active{pipe=fp64}", "gpu.instance.pipe.active", instancePipes),
	ofInstance("gpu.pipe.active{pipe=fp32}", "gpu.instance.pipe.active", instancePipes),
	ofInstance("gpu.pipe.active{pipe=fp16}", "gpu.instance.pipe.active", instancePipes),
	ofInstance("gpu.pipe.active{pipe=integer}", "gpu.instance.pipe.active", instancePipes),
}

const instancePipes = "Share of the cycles in which an arithmetic pipe of the GPU instance was active, tensor pipes apart."

// ofInstance makes a row of the instance's from the GPU's with a key.
func ofInstance(key, name, help string) Row {
	row := Table[slices.IndexFunc(Table, func(r Row) bool { return r.Key() == key })]
	row.Name, row.Help, row.Source.Span = name, help, false
	return row
}

// instancePlan is how every instance is read.
var instancePlan = newPlan(InstanceTable)

// instanceBusyRow is the row whose share stands for how busy an instance was.
var instanceBusyRow = slices.IndexFunc(InstanceTable, func(r Row) bool { return r.Source.GPM == uint32(nvml.GPM_METRIC_GRAPHICS_UTIL) })
