package nvml

import (
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/gpumeter/gpumeter/metric"
)

// pcieRows are the link to the host. nvmlDeviceGetPcieThroughput is never
// called: it measures for 20 ms while everybody waits.
var pcieRows = []Row{
	pcieLink("gpu.pcie.generation", "Generation of the PCIe link now; GPUs lower it when they rest.", "DCGM_FI_DEV_PCIE_LINK_GEN", callLinkGeneration, slow),
	pcieLink("gpu.pcie.width", "Lanes of the PCIe link now.", "DCGM_FI_DEV_PCIE_LINK_WIDTH", callLinkWidth, slow),
	pcieLink("gpu.pcie.generation.max", "Highest generation that GPU and slot agree on.", "DCGM_FI_DEV_PCIE_MAX_LINK_GEN", callMaxGeneration, rare),
	pcieLink("gpu.pcie.width.max", "Most lanes that GPU and slot agree on.", "DCGM_FI_DEV_PCIE_MAX_LINK_WIDTH", callMaxWidth, rare),
	{metric.Desc{Name: "gpu.pcie.replay", Kind: counter, Help: "PCIe packets sent again.",
		DCGM: "DCGM_FI_DEV_PCIE_REPLAY_TOTAL", DCGMOld: "DCGM_FI_DEV_PCIE_REPLAY_COUNTER"},
		Source{Field: nvml.FI_DEV_PCIE_REPLAY_COUNTER, Scale: one, Every: slow}},
	pcieIO("transmit", nvml.FI_DEV_PCIE_COUNT_TX_BYTES),
	pcieIO("receive", nvml.FI_DEV_PCIE_COUNT_RX_BYTES),
}

// pcieDetailRows count what goes wrong on the link.
var pcieDetailRows = grouped("pcie",
	pcieErrors("correctable", "DCGM_FI_DEV_PCIE_CORRECTABLE_ERROR_TOTAL", "DCGM_FI_DEV_PCIE_COUNT_CORRECTABLE_ERRORS", nvml.FI_DEV_PCIE_COUNT_CORRECTABLE_ERRORS),
	pcieErrors("nonfatal", "", "", nvml.FI_DEV_PCIE_COUNT_NON_FATAL_ERROR),
	pcieErrors("fatal", "", "", nvml.FI_DEV_PCIE_COUNT_FATAL_ERROR),
	pcieErrors("unsupported_request", "", "", nvml.FI_DEV_PCIE_COUNT_UNSUPPORTED_REQ),
	pcieErrors("receiver", "", "", nvml.FI_DEV_PCIE_COUNT_RECEIVER_ERROR),
	pcieErrors("bad_tlp", "", "", nvml.FI_DEV_PCIE_COUNT_BAD_TLP),
	pcieErrors("bad_dllp", "", "", nvml.FI_DEV_PCIE_COUNT_BAD_DLLP),
	pcieErrors("lcrc", "", "", nvml.FI_DEV_PCIE_COUNT_LCRC_ERROR),
	pcieErrors("lane", "", "", nvml.FI_DEV_PCIE_COUNT_LANE_ERROR),
	pcieErrors("nak_sent", "", "", nvml.FI_DEV_PCIE_COUNT_NAKS_SENT),
	pcieErrors("nak_received", "", "", nvml.FI_DEV_PCIE_COUNT_NAKS_RECEIVED),
	pcieErrors("recovery", "", "", nvml.FI_DEV_PCIE_L0_TO_RECOVERY_COUNTER),
	pcieErrors("replay_rollover", "", "", nvml.FI_DEV_PCIE_REPLAY_ROLLOVER_COUNTER),
)

func pcieLink(name, help, dcgm string, c *Call, every time.Duration) Row {
	return Row{metric.Desc{Name: name, Help: help, DCGM: dcgm, DCGMOld: dcgm}, Source{Call: c, Scale: one, Every: every, Max: maxLanes}}
}

func pcieIO(direction string, field uint32) Row {
	return Row{metric.Desc{Name: "gpu.pcie.io", Unit: metric.Bytes, Kind: counter,
		Help:   "Bytes over PCIe since the worker started. At least: where the driver's counter has 32 bits, more than one overflow between two looks is seen as one.",
		Labels: label("direction", direction), OTel: metric.Alias{Name: "hw.gpu.io", Attributes: label("network.io.direction", direction)}},
		Source{Field: field, Scale: one}}
}

func pcieErrors(word, dcgm, old string, field uint32) Row {
	return Row{metric.Desc{Name: "gpu.pcie.errors", Kind: counter, Help: "Trouble on the PCIe link, by kind.",
		Labels: label("type", word), DCGM: dcgm, DCGMOld: old}, Source{Field: field, Scale: one, Every: slow}}
}
