package nvml

import "github.com/gpumeter/gpumeter/metric"

// memoryRows say how full a GPU's memory is, and the window through which the
// host reaches it.
var memoryRows = []Row{
	{metric.Desc{Name: "gpu.memory.total", Unit: metric.Bytes, Help: "Memory of the GPU, with what the driver reserves.",
		OTel: metric.Alias{Name: "hw.gpu.memory.limit"}, DCGM: "DCGM_FI_DEV_FB_TOTAL", DCGMOld: "DCGM_FI_DEV_FB_TOTAL"},
		Source{Call: callMemory, Part: 0, Scale: one}},
	{metric.Desc{Name: "gpu.memory.used", Unit: metric.Bytes, Help: "Memory in use.",
		OTel: metric.Alias{Name: "hw.gpu.memory.usage"}, DCGM: "DCGM_FI_DEV_FB_USED", DCGMOld: "DCGM_FI_DEV_FB_USED"},
		Source{Call: callMemory, Part: 1, Scale: one}},
	{metric.Desc{Name: "gpu.memory.free", Unit: metric.Bytes, Help: "Memory that can be allocated.",
		DCGM: "DCGM_FI_DEV_FB_FREE", DCGMOld: "DCGM_FI_DEV_FB_FREE"},
		Source{Call: callMemory, Part: 2, Scale: one}},
	{metric.Desc{Name: "gpu.memory.reserved", Unit: metric.Bytes, Help: "Memory that the driver and the firmware keep for themselves.",
		DCGM: "DCGM_FI_DEV_FB_RESERVED", DCGMOld: "DCGM_FI_DEV_FB_RESERVED"},
		Source{Call: callMemory, Part: 3, Scale: one}},
	bar1("total", "Size of the window through which the host reaches the GPU's memory.", "DCGM_FI_DEV_BAR1_TOTAL", 0),
	bar1("used", "Mapped part of the window through which the host reaches the GPU's memory.", "DCGM_FI_DEV_BAR1_USED", 1),
}

// memoryDetailRows follow from the others, or are of few nodes.
var memoryDetailRows = grouped("memory",
	bar1("free", "Unmapped part of the window through which the host reaches the GPU's memory.", "DCGM_FI_DEV_BAR1_FREE", 2),
	Row{metric.Desc{Name: "gpu.memory.protected.total", Unit: metric.Bytes, Help: "Memory that confidential computing protects."},
		state(callProtected, 0)},
	Row{metric.Desc{Name: "gpu.memory.protected.used", Unit: metric.Bytes, Help: "Protected memory in use."},
		state(callProtected, 1)},
)

func bar1(word, help, dcgm string, part int) Row {
	return Row{metric.Desc{Name: "gpu.bar1." + word, Unit: metric.Bytes, Help: help, DCGM: dcgm, DCGMOld: dcgm},
		Source{Call: callBAR1, Part: part, Scale: one, Every: slow}}
}
