package nvml

// function is one driver function, whatever the version suffix it has.
type function int

const (
	fnInit function = iota
	fnShutdown
	fnDriverVersion
	fnNVMLVersion
	fnCount
	fnHandle
	fnUUID
	fnName
	fnSerial
	fnVBIOS
	fnPCI
	fnPart
	fnInfoROM
	fnMinor
	fnArchitecture
	fnCapability
	fnGSP
	fnPlatform
	fnRates
	fnEncoder
	fnDecoder
	fnMemory2
	fnMemory1
	fnBAR1
	fnJPEG
	fnOFA
	fnEncoderStats
	fnCaptureStats
	fnTemperature
	fnTemperatureV
	fnMargin
	fnThreshold
	fnFan
	fnReasons
	fnClock
	fnMaxClock
	fnPower
	fnLimit
	fnEnforcedLimit
	fnDefaultLimit
	fnLimitRange
	fnPstate
	fnPersistence
	fnComputeMode
	fnMIGMode
	fnMIGCount
	fnMIGHandle
	fnGPUInstance
	fnComputeInstance
	fnAttributes
	fnProfile
	fnVirtualization
	fnLicense
	fnConfidential
	fnProtected
	fnOdometer
	fnLinkGeneration
	fnLinkWidth
	fnMaxGeneration
	fnMaxWidth
	fnErrorCounter
	fnSRAM
	fnHistogram
	fnRepair
	fnUnrepairable
	fnNVLinkState
	fnFabricV
	fnFabric
	fnGPMSupport
	fnGPMAlloc
	fnGPMFree
	fnGPMSample
	fnGPMInstanceSample
	fnGPMMetrics
	fnSamples
	fnFields
	fnCompute
	fnGraphics
	fnMPS
	fnEventTypes
	fnEventSet
	fnRegister
	fnWait
	functions
)

// symbols holds every name that a function may have, the newest first. All
// versions of one function have the same shape and the same structures, so a
// version with other structures (nvmlDeviceGetMemoryInfo) is another function.
var symbols = [functions][]string{
	fnInit:              {"nvmlInit_v2"},
	fnShutdown:          {"nvmlShutdown"},
	fnDriverVersion:     {"nvmlSystemGetDriverVersion"},
	fnNVMLVersion:       {"nvmlSystemGetNVMLVersion"},
	fnCount:             {"nvmlDeviceGetCount_v2"},
	fnHandle:            {"nvmlDeviceGetHandleByIndex_v2"},
	fnUUID:              {"nvmlDeviceGetUUID"},
	fnName:              {"nvmlDeviceGetName"},
	fnSerial:            {"nvmlDeviceGetSerial"},
	fnVBIOS:             {"nvmlDeviceGetVbiosVersion"},
	fnPCI:               {"nvmlDeviceGetPciInfo_v3"},
	fnPart:              {"nvmlDeviceGetBoardPartNumber"},
	fnInfoROM:           {"nvmlDeviceGetInforomImageVersion"},
	fnMinor:             {"nvmlDeviceGetMinorNumber"},
	fnArchitecture:      {"nvmlDeviceGetArchitecture"},
	fnCapability:        {"nvmlDeviceGetCudaComputeCapability"},
	fnGSP:               {"nvmlDeviceGetGspFirmwareVersion"},
	fnPlatform:          {"nvmlDeviceGetPlatformInfo"},
	fnRates:             {"nvmlDeviceGetUtilizationRates"},
	fnEncoder:           {"nvmlDeviceGetEncoderUtilization"},
	fnDecoder:           {"nvmlDeviceGetDecoderUtilization"},
	fnMemory2:           {"nvmlDeviceGetMemoryInfo_v2"},
	fnMemory1:           {"nvmlDeviceGetMemoryInfo"},
	fnBAR1:              {"nvmlDeviceGetBAR1MemoryInfo"},
	fnJPEG:              {"nvmlDeviceGetJpgUtilization"},
	fnOFA:               {"nvmlDeviceGetOfaUtilization"},
	fnEncoderStats:      {"nvmlDeviceGetEncoderStats"},
	fnCaptureStats:      {"nvmlDeviceGetFBCStats"},
	fnTemperature:       {"nvmlDeviceGetTemperature"},
	fnTemperatureV:      {"nvmlDeviceGetTemperatureV"},
	fnMargin:            {"nvmlDeviceGetMarginTemperature"},
	fnThreshold:         {"nvmlDeviceGetTemperatureThreshold"},
	fnFan:               {"nvmlDeviceGetFanSpeed"},
	fnReasons:           {"nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"},
	fnClock:             {"nvmlDeviceGetClockInfo"},
	fnMaxClock:          {"nvmlDeviceGetMaxClockInfo"},
	fnPower:             {"nvmlDeviceGetPowerUsage"},
	fnLimit:             {"nvmlDeviceGetPowerManagementLimit"},
	fnEnforcedLimit:     {"nvmlDeviceGetEnforcedPowerLimit"},
	fnDefaultLimit:      {"nvmlDeviceGetPowerManagementDefaultLimit"},
	fnLimitRange:        {"nvmlDeviceGetPowerManagementLimitConstraints"},
	fnPstate:            {"nvmlDeviceGetPerformanceState"},
	fnPersistence:       {"nvmlDeviceGetPersistenceMode"},
	fnComputeMode:       {"nvmlDeviceGetComputeMode"},
	fnMIGMode:           {"nvmlDeviceGetMigMode"},
	fnMIGCount:          {"nvmlDeviceGetMaxMigDeviceCount"},
	fnMIGHandle:         {"nvmlDeviceGetMigDeviceHandleByIndex"},
	fnGPUInstance:       {"nvmlDeviceGetGpuInstanceId"},
	fnComputeInstance:   {"nvmlDeviceGetComputeInstanceId"},
	fnAttributes:        {"nvmlDeviceGetAttributes_v2"},
	fnProfile:           {"nvmlDeviceGetGpuInstanceProfileInfo"},
	fnVirtualization:    {"nvmlDeviceGetVirtualizationMode"},
	fnLicense:           {"nvmlDeviceGetGridLicensableFeatures_v4"},
	fnConfidential:      {"nvmlSystemGetConfComputeState"},
	fnProtected:         {"nvmlDeviceGetConfComputeProtectedMemoryUsage"},
	fnOdometer:          {"nvmlDeviceGetBBXTimeData_v1"},
	fnLinkGeneration:    {"nvmlDeviceGetCurrPcieLinkGeneration"},
	fnLinkWidth:         {"nvmlDeviceGetCurrPcieLinkWidth"},
	fnMaxGeneration:     {"nvmlDeviceGetMaxPcieLinkGeneration"},
	fnMaxWidth:          {"nvmlDeviceGetMaxPcieLinkWidth"},
	fnErrorCounter:      {"nvmlDeviceGetMemoryErrorCounter"},
	fnSRAM:              {"nvmlDeviceGetSramEccErrorStatus"},
	fnHistogram:         {"nvmlDeviceGetRowRemapperHistogram"},
	fnRepair:            {"nvmlDeviceGetRepairStatus"},
	fnUnrepairable:      {"nvmlDeviceGetUnrepairableMemoryFlag_v1"},
	fnNVLinkState:       {"nvmlDeviceGetNvLinkState"},
	fnFabricV:           {"nvmlDeviceGetGpuFabricInfoV"},
	fnFabric:            {"nvmlDeviceGetGpuFabricInfo"},
	fnGPMSupport:        {"nvmlGpmQueryDeviceSupport"},
	fnGPMAlloc:          {"nvmlGpmSampleAlloc"},
	fnGPMFree:           {"nvmlGpmSampleFree"},
	fnGPMSample:         {"nvmlGpmSampleGet"},
	fnGPMInstanceSample: {"nvmlGpmMigSampleGet"},
	fnGPMMetrics:        {"nvmlGpmMetricsGet"},
	fnSamples:           {"nvmlDeviceGetSamples"},
	fnFields:            {"nvmlDeviceGetFieldValues"},
	fnCompute:           {"nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v2"},
	fnGraphics:          {"nvmlDeviceGetGraphicsRunningProcesses_v3", "nvmlDeviceGetGraphicsRunningProcesses_v2"},
	fnMPS:               {"nvmlDeviceGetMPSComputeRunningProcesses_v3", "nvmlDeviceGetMPSComputeRunningProcesses_v2"},
	fnEventTypes:        {"nvmlDeviceGetSupportedEventTypes"},
	fnEventSet:          {"nvmlEventSetCreate"},
	fnRegister:          {"nvmlDeviceRegisterEvents"},
	fnWait:              {"nvmlEventSetWait_v2", "nvmlEventSetWait"},
}

// required are the functions without which no GPU can be told from another.
var required = []function{fnInit, fnCount, fnHandle, fnUUID}
