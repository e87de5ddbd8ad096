package nvml

import (
	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/gpumeter/gpumeter/metric"
)

// repairRows are what a GPU did about defects of its memory, and what it
// cannot do any more.
var repairRows = []Row{
	{metric.Desc{Name: "gpu.row_remap.correctable", Kind: counter, Help: "Memory rows remapped after correctable errors.",
		DCGM: "DCGM_FI_DEV_ROW_REMAP_CORRECTABLE_TOTAL", DCGMOld: "DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS"},
		health(nvml.FI_DEV_REMAPPED_COR, maxRemaps)},
	{metric.Desc{Name: "gpu.row_remap.uncorrectable", Kind: counter, Help: "Memory rows remapped after uncorrectable errors.",
		DCGM: "DCGM_FI_DEV_ROW_REMAP_UNCORRECTABLE_TOTAL", DCGMOld: "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS"},
		health(nvml.FI_DEV_REMAPPED_UNC, maxRemaps)},
	{metric.Desc{Name: "gpu.row_remap.pending", Help: "1 if a memory row waits for a reset to be remapped.",
		DCGM: "DCGM_FI_DEV_ROW_REMAP_PENDING", DCGMOld: "DCGM_FI_DEV_ROW_REMAP_PENDING"},
		health(nvml.FI_DEV_REMAPPED_PENDING, 1)},
	{metric.Desc{Name: "gpu.row_remap.failure", Help: "1 if a memory row could not be remapped.",
		DCGM: "DCGM_FI_DEV_ROW_REMAP_FAILED", DCGMOld: "DCGM_FI_DEV_ROW_REMAP_FAILURE"},
		health(nvml.FI_DEV_REMAPPED_FAILURE, 1)},
	remapBanks("max", "DCGM_FI_DEV_BANK_REMAP_AVAIL_MAX", "DCGM_FI_DEV_BANKS_REMAP_ROWS_AVAIL_MAX", 0),
	remapBanks("high", "DCGM_FI_DEV_BANK_REMAP_AVAIL_HIGH", "DCGM_FI_DEV_BANKS_REMAP_ROWS_AVAIL_HIGH", 1),
	remapBanks("partial", "DCGM_FI_DEV_BANK_REMAP_AVAIL_PARTIAL", "DCGM_FI_DEV_BANKS_REMAP_ROWS_AVAIL_PARTIAL", 2),
	remapBanks("low", "DCGM_FI_DEV_BANK_REMAP_AVAIL_LOW", "DCGM_FI_DEV_BANKS_REMAP_ROWS_AVAIL_LOW", 3),
	remapBanks("none", "DCGM_FI_DEV_BANK_REMAP_AVAIL_NONE", "DCGM_FI_DEV_BANKS_REMAP_ROWS_AVAIL_NONE", 4),

	{metric.Desc{Name: "gpu.page_retirement.pages", Kind: counter, Help: "Memory pages retired, by the errors that they had.", Labels: label("cause", "single_bit"),
		DCGM: "DCGM_FI_DEV_PAGE_RETIRED_SBE_TOTAL", DCGMOld: "DCGM_FI_DEV_RETIRED_SBE"},
		health(nvml.FI_DEV_RETIRED_SBE, maxRemaps)},
	{metric.Desc{Name: "gpu.page_retirement.pages", Kind: counter, Help: "Memory pages retired, by the errors that they had.", Labels: label("cause", "double_bit"),
		DCGM: "DCGM_FI_DEV_PAGE_RETIRED_DBE_TOTAL", DCGMOld: "DCGM_FI_DEV_RETIRED_DBE"},
		health(nvml.FI_DEV_RETIRED_DBE, maxRemaps)},
	{metric.Desc{Name: "gpu.page_retirement.pending", Help: "1 if a memory page waits for a reset to be retired.",
		DCGM: "DCGM_FI_DEV_PAGE_RETIRED_PENDING", DCGMOld: "DCGM_FI_DEV_RETIRED_PENDING"},
		health(nvml.FI_DEV_RETIRED_PENDING, 1)},

	repairPending("channel", 0),
	repairPending("tpc", 1),
	{metric.Desc{Name: "gpu.memory.unrepairable", Help: "1 if the memory has a defect that cannot be repaired.",
		DCGM: "DCGM_FI_DEV_MEMORY_UNREPAIRABLE", DCGMOld: "DCGM_FI_DEV_MEMORY_UNREPAIRABLE_FLAG"},
		Source{Call: callUnrepairable, Scale: one, Every: slow}},
	{metric.Desc{Name: "gpu.recovery.action", Help: "What the driver asks for: 0 nothing, 1 GPU reset, 2 node reboot, 3 drain P2P, 4 drain and reset, 5 recover IMEX domain, 6 bus reset, 7 system reboot.",
		DCGM: "DCGM_FI_DEV_GPU_RECOVERY_ACTION", DCGMOld: "DCGM_FI_DEV_GET_GPU_RECOVERY_ACTION"},
		health(nvml.FI_DEV_GET_GPU_RECOVERY_ACTION, 255)},
}

var repairDetailRows = grouped("ecc",
	Row{metric.Desc{Name: "gpu.bank_remap.active", Kind: counter, Help: "Memory banks that are remapped."}, health(nvml.FI_DEV_ACTIVE_BANK_REMAPPINGS, maxRemaps)},
	Row{metric.Desc{Name: "gpu.bank_remap.pending", Help: "1 if a memory bank waits for a reset to be remapped."}, health(nvml.FI_DEV_PENDING_BANK_REMAPPING, 1)},
)

// health is a field that changes with a GPU's health.
func health(field uint32, limit float64) Source {
	return Source{Field: field, Scale: one, Every: slow, Max: limit}
}

func remapBanks(word, dcgm, old string, part int) Row {
	return Row{metric.Desc{Name: "gpu.row_remap.banks", Help: "Memory banks by how many spare rows they have left.",
		Labels: label("spare", word), DCGM: dcgm, DCGMOld: old},
		Source{Call: callHistogram, Part: part, Scale: one, Every: rare}}
}

func repairPending(unit string, part int) Row {
	return Row{metric.Desc{Name: "gpu.repair.pending", Help: "1 if a defect waits for a reset to be repaired, by unit.", Labels: label("unit", unit)},
		Source{Call: callRepair, Part: part, Scale: one, Every: slow}}
}
