package nvml

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unsafe"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// soname is the driver library, as the loader knows it.
const soname = "libnvidia-ml.so.1"

// searchPaths is where drivers, containers and clouds put the library. The
// loader's own search comes after it.
var searchPaths = []string{
	"/usr/lib/x86_64-linux-gnu",                    // Debian, Ubuntu, container toolkit
	"/usr/lib/aarch64-linux-gnu",                   // the same on Grace
	"/usr/lib64",                                   // RHEL, SUSE, Amazon
	"/usr/lib",                                     // Arch
	"/usr/local/nvidia/lib64",                      // Google Kubernetes Engine, in the container
	"/home/kubernetes/bin/nvidia/lib64",            // the same, on the node
	"/run/nvidia/driver/usr/lib/x86_64-linux-gnu",  // GPU operator's driver container
	"/run/nvidia/driver/usr/lib/aarch64-linux-gnu", //
	"/run/nvidia/driver/usr/lib64",                 //
	"/usr/lib/wsl/lib",                             // WSL
	"/run/opengl-driver/lib",                       // NixOS
	"/opt/nvidia/driver/lib64",                     // Talos and friends
}

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

// library is an open driver library. A function that it lacks is nil, and
// calling it returns missing.
type library struct {
	path string
	fn   [functions]unsafe.Pointer
}

// openLibrary opens the library at an absolute path or, if that is empty, the
// first that it finds. It stays open until the process ends: a stuck call may
// still be inside of it.
func openLibrary(path string) (*library, error) {
	var tried []string
	for _, p := range candidates(path) {
		if filepath.IsAbs(p) && !isFile(p) {
			tried = append(tried, p)
			continue
		}
		handle, err := open(p)
		if err != nil {
			tried = append(tried, p+" ("+err.Error()+")")
			continue
		}
		return resolve(handle, p)
	}
	return nil, fmt.Errorf("open the NVIDIA driver library: not at %s", strings.Join(tried, ", "))
}

// Find returns the path of the driver library in the usual places, empty if it
// is in none of them. The loader may still know of another. It opens nothing.
func Find() string {
	for _, dir := range searchPaths {
		if path := dir + "/" + soname; isFile(path) {
			return path
		}
	}
	return ""
}

func isFile(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func candidates(path string) []string {
	if path != "" {
		return []string{path}
	}
	var out []string
	for _, dir := range searchPaths {
		out = append(out, dir+"/"+soname)
	}
	return append(out, soname)
}

func resolve(handle unsafe.Pointer, path string) (*library, error) {
	l := &library{path: path}
	for f, names := range symbols {
		for _, name := range names {
			if l.fn[f] = lookup(handle, name); l.fn[f] != nil {
				break
			}
		}
	}
	for _, f := range required {
		if l.fn[f] == nil {
			return nil, fmt.Errorf("driver library %s has no %s", path, symbols[f][0])
		}
	}
	return l, nil
}

// init initialises the driver for this process. It may take seconds per GPU.
func (l *library) init() error {
	if code := callNone(l.fn[fnInit]); code != nvml.SUCCESS {
		return &driverError{"initialise " + l.path, code}
	}
	return nil
}

// shutdown lets go of the driver.
func (l *library) shutdown() { _ = callNone(l.fn[fnShutdown]) }

func (l *library) count() (int, nvml.Return) {
	var n uint32
	code := callOne(l.fn[fnCount], unsafe.Pointer(&n))
	return int(n), code
}

// text asks for a string of the whole driver; empty if it has none.
func (l *library) text(f function) string {
	var buf [96]byte
	if callText(l.fn[f], buf[:]) != nvml.SUCCESS {
		return ""
	}
	return cString(buf[:])
}

// driverError is an error code of the driver, with what was tried.
type driverError struct {
	verb string
	code nvml.Return
}

func (e *driverError) Error() string {
	return fmt.Sprintf("%s: NVML %s (%d)", e.verb, codeWords(e.code), int(e.code))
}

// codeWords is an error code in words.
func codeWords(code nvml.Return) string {
	return strings.ToLower(strings.TrimPrefix(code.Error(), "ERROR_"))
}

func cString(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}
