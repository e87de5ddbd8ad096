package nvml

import (
	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/gpumeter/gpumeter/metric"
)

// stateRows are modes that people set, and the board's age.
var stateRows = []Row{
	{metric.Desc{Name: "gpu.persistence.mode", Help: "1 if the driver keeps the GPU awake while nobody uses it.", DCGM: "DCGM_FI_DEV_GPU_PERSISTENCE_MODE", DCGMOld: "DCGM_FI_DEV_PERSISTENCE_MODE"},
		state(callPersistence, 0)},
	{metric.Desc{Name: "gpu.mig.mode", Help: "1 if the GPU is divided into instances.", DCGM: "DCGM_FI_DEV_MIG_MODE", DCGMOld: "DCGM_FI_DEV_MIG_MODE"},
		state(callMIGMode, 0)},
	{metric.Desc{Name: "gpu.vgpu.licensed", Help: "1 if a vGPU software licence is in force.", DCGM: "DCGM_FI_DEV_VGPU_LICENSE_STATUS", DCGMOld: "DCGM_FI_DEV_VGPU_LICENSE_STATUS"},
		state(callLicense, 0)},
	{metric.Desc{Name: "gpu.confidential.mode", Help: "1 if the node computes confidentially.", DCGM: "DCGM_FI_DEV_CC_MODE", DCGMOld: "DCGM_FI_DEV_CC_MODE"},
		state(callConfidential, 0)},
	{metric.Desc{Name: "gpu.board.loaded", Unit: metric.Seconds, Kind: counter, Help: "Time in the board's life for which it had a driver loaded, on whatever node."},
		state(callOdometer, 0)},
}

// stateDetailRows are modes that hardly ever change.
var stateDetailRows = grouped("state",
	Row{metric.Desc{Name: "gpu.ecc.mode.pending", Help: "1 if memory errors will be detected and corrected after the next reset.", DCGM: "DCGM_FI_DEV_ECC_PENDING", DCGMOld: "DCGM_FI_DEV_ECC_PENDING"},
		Source{Field: nvml.FI_DEV_ECC_PENDING, Scale: one, Every: rare, Max: 1}},
	Row{metric.Desc{Name: "gpu.mig.mode.pending", Help: "1 if the GPU will be divided into instances after the next reset."},
		state(callMIGMode, 1)},
	Row{metric.Desc{Name: "gpu.compute.mode", Help: "Who may use the GPU: 0 everybody, 2 nobody, 3 one process.", DCGM: "DCGM_FI_DEV_GPU_COMPUTE_MODE", DCGMOld: "DCGM_FI_DEV_COMPUTE_MODE"},
		state(callComputeMode, 0)},
	Row{metric.Desc{Name: "gpu.virtualization.mode", Help: "How the GPU is given to this system: 0 bare metal, 1 passed through, 2 as a vGPU, 3 to be divided into vGPUs, 4 to be shared.",
		DCGM: "DCGM_FI_DEV_GPU_VIRTUAL_MODE", DCGMOld: "DCGM_FI_DEV_VIRTUAL_MODE"},
		state(callVirtualization, 0)},
)

func state(c *Call, part int) Source { return Source{Call: c, Part: part, Scale: one, Every: rare} }
