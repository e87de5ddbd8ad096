package nvml

import (
	"strconv"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/gpumeter/gpumeter/metric"
)

// gpmRows are averages of performance counters over the whole time between
// two looks. GPUs older than Hopper do not have them.
var gpmRows = []Row{
	{metric.Desc{Name: "gpu.graphics.active", Unit: metric.Ratio, Help: "Share of the time in which the graphics or compute engine was active.",
		DCGM: "DCGM_FI_PROF_GR_ENGINE_UTIL_RATIO", DCGMOld: "DCGM_FI_PROF_GR_ENGINE_ACTIVE"}, share(nvml.GPM_METRIC_GRAPHICS_UTIL)},
	{metric.Desc{Name: "gpu.sm.active", Unit: metric.Ratio, Help: "Share of the SMs' cycles in which a warp was resident.",
		DCGM: "DCGM_FI_PROF_SM_UTIL_RATIO", DCGMOld: "DCGM_FI_PROF_SM_ACTIVE"}, share(nvml.GPM_METRIC_SM_UTIL)},
	{metric.Desc{Name: "gpu.sm.occupancy", Unit: metric.Ratio, Help: "Resident warps as a share of how many there can be.",
		DCGM: "DCGM_FI_PROF_SM_OCCUPANCY_RATIO", DCGMOld: "DCGM_FI_PROF_SM_OCCUPANCY"}, share(nvml.GPM_METRIC_SM_OCCUPANCY)},
	{metric.Desc{Name: "gpu.tensor.active", Unit: metric.Ratio, Help: "Share of the cycles in which any tensor pipe was active.",
		DCGM: "DCGM_FI_PROF_TENSOR_UTIL_RATIO", DCGMOld: "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE"}, ofSpan(share(nvml.GPM_METRIC_ANY_TENSOR_UTIL))},
	{metric.Desc{Name: "gpu.memory.active", Unit: metric.Ratio, Help: "Memory bandwidth used as a share of what there is.",
		DCGM: "DCGM_FI_PROF_DRAM_UTIL_RATIO", DCGMOld: "DCGM_FI_PROF_DRAM_ACTIVE"}, ofSpan(share(nvml.GPM_METRIC_DRAM_BW_UTIL))},

	pipe("fp64", "DCGM_FI_PROF_FP64_UTIL_RATIO", "DCGM_FI_PROF_PIPE_FP64_ACTIVE", nvml.GPM_METRIC_FP64_UTIL),
	pipe("fp32", "DCGM_FI_PROF_FP32_UTIL_RATIO", "DCGM_FI_PROF_PIPE_FP32_ACTIVE", nvml.GPM_METRIC_FP32_UTIL),
	pipe("fp16", "DCGM_FI_PROF_FP16_UTIL_RATIO", "DCGM_FI_PROF_PIPE_FP16_ACTIVE", nvml.GPM_METRIC_FP16_UTIL),
	pipe("integer", "DCGM_FI_PROF_INT_UTIL_RATIO", "DCGM_FI_PROF_PIPE_INT_ACTIVE", nvml.GPM_METRIC_INTEGER_UTIL),

	rate("gpu.pcie.rate", "Bytes per second over PCIe, headers included.", "transmit", "DCGM_FI_PROF_PCIE_TX_BYTES", nvml.GPM_METRIC_PCIE_TX_PER_SEC),
	rate("gpu.pcie.rate", "Bytes per second over PCIe, headers included.", "receive", "DCGM_FI_PROF_PCIE_RX_BYTES", nvml.GPM_METRIC_PCIE_RX_PER_SEC),
	rate("gpu.nvlink.rate", "Bytes per second over all NVLinks, headers included.", "transmit", "DCGM_FI_PROF_NVLINK_TX_BYTES", nvml.GPM_METRIC_NVLINK_TOTAL_TX_PER_SEC),
	rate("gpu.nvlink.rate", "Bytes per second over all NVLinks, headers included.", "receive", "DCGM_FI_PROF_NVLINK_RX_BYTES", nvml.GPM_METRIC_NVLINK_TOTAL_RX_PER_SEC),
}

func share(id nvml.GpmMetricId) Source {
	return Source{GPM: uint32(id), Scale: percent, Max: maxPercent}
}

func ofSpan(s Source) Source {
	s.Span = true
	return s
}

// spanRows are the rows whose value is of the span of a look.
var spanRows = func() (rows []int) {
	for i := range Table {
		if Table[i].Source.Span {
			rows = append(rows, i)
		}
	}
	return rows
}()

func pipe(word, dcgm, old string, id nvml.GpmMetricId) Row {
	return Row{metric.Desc{Name: "gpu.pipe.active", Unit: metric.Ratio, Help: "Share of the cycles in which an arithmetic pipe was active, tensor pipes apart.",
		Labels: label("pipe", word), DCGM: dcgm, DCGMOld: old}, share(id)}
}

func rate(name, help, direction, dcgm string, id nvml.GpmMetricId) Row {
	return Row{metric.Desc{Name: name, Unit: metric.BytesPerSecond, Help: help, Labels: label("direction", direction), DCGM: dcgm, DCGMOld: dcgm},
		Source{GPM: uint32(id), Scale: mebi}}
}

// gpmDetailRows are what GPM says of single engines and kinds of work.
func gpmDetailRows() []Row {
	rows := []Row{
		tensor("dfma", "DCGM_FI_PROF_DFMA_UTIL_RATIO", "DCGM_FI_PROF_PIPE_TENSOR_DFMA_ACTIVE", nvml.GPM_METRIC_DFMA_TENSOR_UTIL),
		tensor("hmma", "DCGM_FI_PROF_HMMA_UTIL_RATIO", "DCGM_FI_PROF_PIPE_TENSOR_HMMA_ACTIVE", nvml.GPM_METRIC_HMMA_TENSOR_UTIL),
		tensor("dmma", "", "", nvml.GPM_METRIC_DMMA_TENSOR_UTIL),
		tensor("imma", "DCGM_FI_PROF_IMMA_UTIL_RATIO", "DCGM_FI_PROF_PIPE_TENSOR_IMMA_ACTIVE", nvml.GPM_METRIC_IMMA_TENSOR_UTIL),
	}
	for _, e := range []struct {
		word  string
		n     int
		first nvml.GpmMetricId
	}{
		{"nvdec", 8, nvml.GPM_METRIC_NVDEC_0_UTIL}, {"nvenc", 4, nvml.GPM_METRIC_NVENC_0_UTIL},
		{"nvjpg", 8, nvml.GPM_METRIC_NVJPG_0_UTIL}, {"nvofa", 2, nvml.GPM_METRIC_NVOFA_0_UTIL},
	} {
		for n := range e.n {
			rows = append(rows, videoEngine(e.word, strconv.Itoa(n), e.first+nvml.GpmMetricId(n)))
		}
	}
	return append(rows,
		cache("host", "hit", "DCGM_FI_PROF_HOSTMEM_CACHE_HIT", nvml.GPM_METRIC_HOSTMEM_CACHE_HIT),
		cache("host", "miss", "DCGM_FI_PROF_HOSTMEM_CACHE_MISS", nvml.GPM_METRIC_HOSTMEM_CACHE_MISS),
		cache("peer", "hit", "DCGM_FI_PROF_PEERMEM_CACHE_HIT", nvml.GPM_METRIC_PEERMEM_CACHE_HIT),
		cache("peer", "miss", "DCGM_FI_PROF_PEERMEM_CACHE_MISS", nvml.GPM_METRIC_PEERMEM_CACHE_MISS),
		cache("dram", "hit", "", nvml.GPM_METRIC_DRAM_CACHE_HIT),
		cache("dram", "miss", "", nvml.GPM_METRIC_DRAM_CACHE_MISS),

		cycle("sm_elapsed", "DCGM_FI_PROF_SM_CYCLES_ELAPSED_TOTAL", nvml.GPM_METRIC_SM_CYCLES_ELAPSED),
		cycle("sm", "DCGM_FI_PROF_SM_CYCLES_ACTIVE_TOTAL", nvml.GPM_METRIC_SM_CYCLES_ACTIVE),
		cycle("tensor", "DCGM_FI_PROF_MMA_CYCLES_ACTIVE_TOTAL", nvml.GPM_METRIC_MMA_CYCLES_ACTIVE),
		cycle("tensor_dmma", "DCGM_FI_PROF_DMMA_CYCLES_ACTIVE_TOTAL", nvml.GPM_METRIC_DMMA_CYCLES_ACTIVE),
		cycle("tensor_hmma", "DCGM_FI_PROF_HMMA_CYCLES_ACTIVE_TOTAL", nvml.GPM_METRIC_HMMA_CYCLES_ACTIVE),
		cycle("tensor_imma", "DCGM_FI_PROF_IMMA_CYCLES_ACTIVE_TOTAL", nvml.GPM_METRIC_IMMA_CYCLES_ACTIVE),
		cycle("tensor_dfma", "DCGM_FI_PROF_DFMA_CYCLES_ACTIVE_TOTAL", nvml.GPM_METRIC_DFMA_CYCLES_ACTIVE),
		cycle("integer", "DCGM_FI_PROF_INT_CYCLES_ACTIVE_TOTAL", nvml.GPM_METRIC_INTEGER_CYCLES_ACTIVE),
		cycle("fp64", "DCGM_FI_PROF_FP64_CYCLES_ACTIVE_TOTAL", nvml.GPM_METRIC_FP64_CYCLES_ACTIVE),
		cycle("fp32", "DCGM_FI_PROF_FP32_CYCLES_ACTIVE_TOTAL", nvml.GPM_METRIC_FP32_CYCLES_ACTIVE),
		cycle("fp16", "DCGM_FI_PROF_FP16_CYCLES_ACTIVE_TOTAL", nvml.GPM_METRIC_FP16_CYCLES_ACTIVE),
	)
}

func tensor(word, dcgm, old string, id nvml.GpmMetricId) Row {
	return Row{metric.Desc{Name: "gpu.tensor.pipe.active", Unit: metric.Ratio, Help: "Share of the cycles in which one kind of tensor pipe was active.",
		Labels: label("pipe", word), DCGM: dcgm, DCGMOld: old}, share(id)}
}

// videoEngine is one of several engines of a kind. DCGM 4.6 spells its name
// with the number behind the word, older ones before it; it does not know
// encoders.
func videoEngine(word, n string, id nvml.GpmMetricId) Row {
	d := metric.Desc{Name: "gpu.engine.active", Unit: metric.Ratio, Help: "Share of the time in which a video engine was active.",
		Labels: label("engine", word+n)}
	if upper := map[string]string{"nvdec": "NVDEC", "nvjpg": "NVJPG", "nvofa": "NVOFA"}[word]; upper != "" {
		d.DCGM, d.DCGMOld = "DCGM_FI_PROF_"+upper+"_UTIL_"+n+"_RATIO", "DCGM_FI_PROF_"+upper+n+"_ACTIVE"
	}
	return Row{d, share(id)}
}

func cache(memory, result, dcgm string, id nvml.GpmMetricId) Row {
	return Row{metric.Desc{Name: "gpu.cache.share", Unit: metric.Ratio, Help: "Share of the accesses to a memory that the cache answered (hit) or did not (miss).",
		Labels: []metric.Label{{Name: "memory", Value: memory}, {Name: "result", Value: result}}, DCGM: dcgm, DCGMOld: dcgm}, share(id)}
}

func cycle(word, dcgm string, id nvml.GpmMetricId) Row {
	return Row{metric.Desc{Name: "gpu.cycles", Kind: counter, Help: "Cycles since the node booted in which a unit was active; sm_elapsed is all cycles.",
		Labels: label("unit", word), DCGM: dcgm, DCGMOld: dcgm}, Source{GPM: uint32(id), Scale: one}}
}
