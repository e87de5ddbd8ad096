package driver

import "github.com/NVIDIA/go-nvml/pkg/nvml"

// A probe calls one function of a GPU and returns its code.
type probe func(lib nvml.Interface, d nvml.Device) nvml.Return

func one[A any](f func(nvml.Device) (A, nvml.Return)) probe {
	return func(_ nvml.Interface, d nvml.Device) nvml.Return { _, ret := f(d); return ret }
}

func three[A, B any](f func(nvml.Device) (A, B, nvml.Return)) probe {
	return func(_ nvml.Interface, d nvml.Device) nvml.Return { _, _, ret := f(d); return ret }
}

// probes has a row for every function that a file of capabilities names.
var probes = map[string]probe{
	"nvmlDeviceGetAddressingMode":                  one(nvml.Device.GetAddressingMode),
	"nvmlDeviceGetApplicationsClock":               one(func(d nvml.Device) (uint32, nvml.Return) { return d.GetApplicationsClock(nvml.CLOCK_GRAPHICS) }),
	"nvmlDeviceGetArchitecture":                    one(nvml.Device.GetArchitecture),
	"nvmlDeviceGetBAR1MemoryInfo":                  one(nvml.Device.GetBAR1MemoryInfo),
	"nvmlDeviceGetBBXTimeData_v1":                  one(nvml.Device.GetBBXTimeData_v1),
	"nvmlDeviceGetBoardId":                         one(nvml.Device.GetBoardId),
	"nvmlDeviceGetBoardPartNumber":                 one(nvml.Device.GetBoardPartNumber),
	"nvmlDeviceGetBrand":                           one(nvml.Device.GetBrand),
	"nvmlDeviceGetC2cModeInfoV":                    one(func(d nvml.Device) (nvml.C2cModeInfo_v1, nvml.Return) { return d.GetC2cModeInfoV().V1() }),
	"nvmlDeviceGetClock":                           one(func(d nvml.Device) (uint32, nvml.Return) { return d.GetClock(nvml.CLOCK_SM, nvml.CLOCK_ID_CURRENT) }),
	"nvmlDeviceGetClockInfo":                       one(func(d nvml.Device) (uint32, nvml.Return) { return d.GetClockInfo(nvml.CLOCK_SM) }),
	"nvmlDeviceGetComputeMode":                     one(nvml.Device.GetComputeMode),
	"nvmlDeviceGetComputeRunningProcesses":         one(nvml.Device.GetComputeRunningProcesses),
	"nvmlDeviceGetConfComputeMemSizeInfo":          one(nvml.Device.GetConfComputeMemSizeInfo),
	"nvmlDeviceGetConfComputeProtectedMemoryUsage": one(nvml.Device.GetConfComputeProtectedMemoryUsage),
	"nvmlDeviceGetCudaComputeCapability":           three(nvml.Device.GetCudaComputeCapability),
	"nvmlDeviceGetCurrPcieLinkGeneration":          one(nvml.Device.GetCurrPcieLinkGeneration),
	"nvmlDeviceGetCurrPcieLinkWidth":               one(nvml.Device.GetCurrPcieLinkWidth),
	"nvmlDeviceGetCurrentClocksEventReasons":       one(nvml.Device.GetCurrentClocksEventReasons),
	"nvmlDeviceGetCurrentClocksThrottleReasons":    one(nvml.Device.GetCurrentClocksThrottleReasons),
	"nvmlDeviceGetDecoderUtilization":              three(nvml.Device.GetDecoderUtilization),
	"nvmlDeviceGetDefaultApplicationsClock":        one(func(d nvml.Device) (uint32, nvml.Return) { return d.GetDefaultApplicationsClock(nvml.CLOCK_GRAPHICS) }),
	"nvmlDeviceGetDefaultEccMode":                  one(nvml.Device.GetDefaultEccMode),
	"nvmlDeviceGetDramEncryptionMode":              three(nvml.Device.GetDramEncryptionMode),
	"nvmlDeviceGetEccMode":                         three(nvml.Device.GetEccMode),
	"nvmlDeviceGetEncoderCapacity":                 one(func(d nvml.Device) (int, nvml.Return) { return d.GetEncoderCapacity(nvml.ENCODER_QUERY_H264) }),
	"nvmlDeviceGetEncoderSessions":                 one(nvml.Device.GetEncoderSessions),
	"nvmlDeviceGetEncoderStats":                    func(_ nvml.Interface, d nvml.Device) nvml.Return { _, _, _, ret := d.GetEncoderStats(); return ret },
	"nvmlDeviceGetEncoderUtilization":              three(nvml.Device.GetEncoderUtilization),
	"nvmlDeviceGetEnforcedPowerLimit":              one(nvml.Device.GetEnforcedPowerLimit),
	"nvmlDeviceGetFanSpeed":                        one(nvml.Device.GetFanSpeed),
	"nvmlDeviceGetFanSpeed_v2":                     one(func(d nvml.Device) (uint32, nvml.Return) { return d.GetFanSpeed_v2(0) }),
	"nvmlDeviceGetGpuFabricInfo":                   one(nvml.Device.GetGpuFabricInfo),
	"nvmlDeviceGetGpuFabricInfoV":                  one(func(d nvml.Device) (nvml.GpuFabricInfo_v2, nvml.Return) { return d.GetGpuFabricInfoV().V2() }),
	"nvmlDeviceGetGpuFabricInfo_v4":                one(nvml.Device.GetGpuFabricInfo_v4),
	"nvmlDeviceGetGpuMaxPcieLinkGeneration":        one(nvml.Device.GetGpuMaxPcieLinkGeneration),
	"nvmlDeviceGetGridLicensableFeatures_v4":       one(nvml.Device.GetGridLicensableFeatures),
	"nvmlDeviceGetGspFirmwareMode":                 three(nvml.Device.GetGspFirmwareMode),
	"nvmlDeviceGetGspFirmwareVersion":              one(nvml.Device.GetGspFirmwareVersion),
	"nvmlDeviceGetInforomImageVersion":             one(nvml.Device.GetInforomImageVersion),
	"nvmlDeviceGetJpgUtilization":                  three(nvml.Device.GetJpgUtilization),
	"nvmlDeviceGetMarginTemperature":               one(nvml.Device.GetMarginTemperature),
	"nvmlDeviceGetMaxClockInfo":                    one(func(d nvml.Device) (uint32, nvml.Return) { return d.GetMaxClockInfo(nvml.CLOCK_SM) }),
	"nvmlDeviceGetMaxCustomerBoostClock":           one(func(d nvml.Device) (uint32, nvml.Return) { return d.GetMaxCustomerBoostClock(nvml.CLOCK_GRAPHICS) }),
	"nvmlDeviceGetMaxMigDeviceCount":               one(nvml.Device.GetMaxMigDeviceCount),
	"nvmlDeviceGetMaxPcieLinkGeneration":           one(nvml.Device.GetMaxPcieLinkGeneration),
	"nvmlDeviceGetMaxPcieLinkWidth":                one(nvml.Device.GetMaxPcieLinkWidth),
	"nvmlDeviceGetMemoryBusWidth":                  one(nvml.Device.GetMemoryBusWidth),
	"nvmlDeviceGetMemoryErrorCounter": one(func(d nvml.Device) (uint64, nvml.Return) {
		return d.GetMemoryErrorCounter(nvml.MEMORY_ERROR_TYPE_UNCORRECTED, nvml.VOLATILE_ECC, nvml.MEMORY_LOCATION_SRAM)
	}),
	"nvmlDeviceGetMemoryInfo":    one(nvml.Device.GetMemoryInfo),
	"nvmlDeviceGetMemoryInfo_v2": one(nvml.Device.GetMemoryInfo_v2),
	"nvmlDeviceGetMigMode":       three(nvml.Device.GetMigMode),
	"nvmlDeviceGetMinorNumber":   one(nvml.Device.GetMinorNumber),
	"nvmlDeviceGetModuleId":      one(nvml.Device.GetModuleId),
	"nvmlDeviceGetName":          one(nvml.Device.GetName),
	"nvmlDeviceGetNumFans":       one(nvml.Device.GetNumFans),
	"nvmlDeviceGetNumGpuCores":   one(nvml.Device.GetNumGpuCores),
	"nvmlDeviceGetNvLinkCapability": one(func(d nvml.Device) (uint32, nvml.Return) {
		return d.GetNvLinkCapability(0, nvml.NVLINK_CAP_P2P_SUPPORTED)
	}),
	"nvmlDeviceGetNvLinkErrorCounter": one(func(d nvml.Device) (uint64, nvml.Return) {
		return d.GetNvLinkErrorCounter(0, nvml.NVLINK_ERROR_DL_REPLAY)
	}),
	"nvmlDeviceGetNvLinkRemoteDeviceType":          one(func(d nvml.Device) (nvml.IntNvLinkDeviceType, nvml.Return) { return d.GetNvLinkRemoteDeviceType(0) }),
	"nvmlDeviceGetNvLinkState":                     one(func(d nvml.Device) (nvml.EnableState, nvml.Return) { return d.GetNvLinkState(0) }),
	"nvmlDeviceGetNvLinkVersion":                   one(func(d nvml.Device) (uint32, nvml.Return) { return d.GetNvLinkVersion(0) }),
	"nvmlDeviceGetOfaUtilization":                  three(nvml.Device.GetOfaUtilization),
	"nvmlDeviceGetPciInfo_v3":                      one(nvml.Device.GetPciInfo),
	"nvmlDeviceGetPcieLinkMaxSpeed":                one(nvml.Device.GetPcieLinkMaxSpeed),
	"nvmlDeviceGetPcieReplayCounter":               one(nvml.Device.GetPcieReplayCounter),
	"nvmlDeviceGetPcieSpeed":                       one(nvml.Device.GetPcieSpeed),
	"nvmlDeviceGetPcieThroughput":                  one(func(d nvml.Device) (uint32, nvml.Return) { return d.GetPcieThroughput(nvml.PCIE_UTIL_TX_BYTES) }),
	"nvmlDeviceGetPdi":                             one(nvml.Device.GetPdi),
	"nvmlDeviceGetPerformanceState":                one(nvml.Device.GetPerformanceState),
	"nvmlDeviceGetPersistenceMode":                 one(nvml.Device.GetPersistenceMode),
	"nvmlDeviceGetPlatformInfo":                    one(nvml.Device.GetPlatformInfo),
	"nvmlDeviceGetPowerManagementDefaultLimit":     one(nvml.Device.GetPowerManagementDefaultLimit),
	"nvmlDeviceGetPowerManagementLimit":            one(nvml.Device.GetPowerManagementLimit),
	"nvmlDeviceGetPowerManagementLimitConstraints": three(nvml.Device.GetPowerManagementLimitConstraints),
	"nvmlDeviceGetPowerUsage":                      one(nvml.Device.GetPowerUsage),
	"nvmlDeviceGetRemappedRows":                    func(_ nvml.Interface, d nvml.Device) nvml.Return { _, _, _, _, ret := d.GetRemappedRows(); return ret },
	"nvmlDeviceGetRemappedRows_v2":                 one(nvml.Device.GetRemappedRows_v2),
	"nvmlDeviceGetRepairStatus":                    one(nvml.Device.GetRepairStatus),
	"nvmlDeviceGetRetiredPages": one(func(d nvml.Device) ([]uint64, nvml.Return) {
		return d.GetRetiredPages(nvml.PAGE_RETIREMENT_CAUSE_DOUBLE_BIT_ECC_ERROR)
	}),
	"nvmlDeviceGetRetiredPagesPendingStatus": one(nvml.Device.GetRetiredPagesPendingStatus),
	"nvmlDeviceGetRowRemapperHistogram":      one(nvml.Device.GetRowRemapperHistogram),
	"nvmlDeviceGetSamples": three(func(d nvml.Device) (nvml.ValueType, []nvml.Sample, nvml.Return) {
		return d.GetSamples(nvml.GPU_UTILIZATION_SAMPLES, 0)
	}),
	"nvmlDeviceGetSerial":             one(nvml.Device.GetSerial),
	"nvmlDeviceGetSramEccErrorStatus": one(nvml.Device.GetSramEccErrorStatus),
	"nvmlDeviceGetSramUniqueUncorrectedEccErrorCounts": func(_ nvml.Interface, d nvml.Device) nvml.Return {
		counts := nvml.EccSramUniqueUncorrectedErrorCounts{Version: nvml.STRUCT_VERSION(nvml.EccSramUniqueUncorrectedErrorCounts{}, 1)}
		return d.GetSramUniqueUncorrectedEccErrorCounts(&counts)
	},
	"nvmlDeviceGetSupportedClocksEventReasons":    one(nvml.Device.GetSupportedClocksEventReasons),
	"nvmlDeviceGetSupportedClocksThrottleReasons": one(nvml.Device.GetSupportedClocksThrottleReasons),
	"nvmlDeviceGetSupportedEventTypes":            one(nvml.Device.GetSupportedEventTypes),
	"nvmlDeviceGetTemperature":                    one(func(d nvml.Device) (uint32, nvml.Return) { return d.GetTemperature(nvml.TEMPERATURE_GPU) }),
	"nvmlDeviceGetTemperatureThreshold": one(func(d nvml.Device) (uint32, nvml.Return) {
		return d.GetTemperatureThreshold(nvml.TEMPERATURE_THRESHOLD_SHUTDOWN)
	}),
	"nvmlDeviceGetTemperatureV": one(func(d nvml.Device) (nvml.Temperature, nvml.Return) { return d.GetTemperatureV().V1() }),
	"nvmlDeviceGetTotalEccErrors": one(func(d nvml.Device) (uint64, nvml.Return) {
		return d.GetTotalEccErrors(nvml.MEMORY_ERROR_TYPE_CORRECTED, nvml.VOLATILE_ECC)
	}),
	"nvmlDeviceGetTotalEnergyConsumption":    one(nvml.Device.GetTotalEnergyConsumption),
	"nvmlDeviceGetUUID":                      one(nvml.Device.GetUUID),
	"nvmlDeviceGetUnrepairableMemoryFlag_v1": one(nvml.Device.GetUnrepairableMemoryFlag_v1),
	"nvmlDeviceGetUtilizationRates":          one(nvml.Device.GetUtilizationRates),
	"nvmlDeviceGetVbiosVersion":              one(nvml.Device.GetVbiosVersion),
	"nvmlDeviceGetViolationStatus": one(func(d nvml.Device) (nvml.ViolationTime, nvml.Return) {
		return d.GetViolationStatus(nvml.PERF_POLICY_POWER)
	}),
	"nvmlDeviceGetVirtualizationMode": one(nvml.Device.GetVirtualizationMode),
	"nvmlGpmMigSampleGet": func(lib nvml.Interface, d nvml.Device) nvml.Return {
		s, _ := lib.GpmSampleAlloc()
		return d.GpmMigSampleGet(0, s)
	},
	"nvmlGpmQueryDeviceSupport": one(nvml.Device.GpmQueryDeviceSupport),
	"nvmlGpmSampleGet":          func(lib nvml.Interface, d nvml.Device) nvml.Return { s, _ := lib.GpmSampleAlloc(); return s.Get(d) },
	"nvmlSystemGetConfComputeSettings": func(lib nvml.Interface, _ nvml.Device) nvml.Return {
		_, ret := lib.SystemGetConfComputeSettings()
		return ret
	},
	"nvmlSystemGetConfComputeState": func(lib nvml.Interface, _ nvml.Device) nvml.Return {
		_, ret := lib.SystemGetConfComputeState()
		return ret
	},
}
