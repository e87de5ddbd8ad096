package nvml

import (
	"fmt"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/gpumeter/gpumeter/metric"
)

// Row is one metric of a GPU and where the driver has it.
type Row struct {
	metric.Desc
	Source Source
}

// Source says where a row's value comes from: a driver call of its own (Call),
// a field value (Field), or the driver's buffer of utilisation samples
// (neither).
type Source struct {
	Call  *Call
	Arg   uint32 // argument of Call: a clock, a sensor
	Part  int    // which of Call's values
	Field uint32 // NVML_FI_… id, 0 for none
	// Scale turns the driver's unit into the base unit.
	Scale float64
	// Every is how often the value is asked for; 0 is at every look. In
	// between, the value of the last time stands.
	Every time.Duration
	// Max is the largest value that can be true, in the driver's unit; above
	// it the driver is mistaken, and the value is absent. 0 is no limit.
	Max float64
}

// String says where the value comes from, for documentation.
func (s Source) String() string {
	switch {
	case s.Call != nil:
		return s.Call.Name
	case s.Field != 0:
		return fmt.Sprintf("nvmlDeviceGetFieldValues(%d)", s.Field)
	}
	return "nvmlDeviceGetSamples"
}

// How often values are read that change with the hardware's health (slow) or
// with its configuration (rare).
const (
	slow = 10 * time.Second
	rare = time.Minute
)

// Scales from the driver's units.
const (
	percent = 0.01
	milli   = 1e-3 // mW, mJ
	mega    = 1e6  // MHz
	nano    = 1e-9 // ns
	one     = 1
)

// Limits of what can be true.
const (
	maxPercent = 100
	maxCelsius = 200       // above it, memory sensors are known to lie
	maxWatts   = 20_000    // of one GPU or superchip module
	maxMHz     = 10_000    //
	maxPstate  = 15        // 32 is NVML_PSTATE_UNKNOWN
	maxLanes   = 32        //
	maxRemaps  = 1_000_000 // rows; far more than any board has
)

const (
	gauge   = metric.Gauge
	counter = metric.Counter
)

// Table is every metric of a GPU, in the order in which readings come. Nobody
// changes it.
var Table = []Row{
	{metric.Desc{Name: "gpu.utilization", Unit: metric.Ratio, Help: "Share of the time since the look before in which at least one kernel was resident.",
		OTel: metric.Alias{Name: "hw.gpu.utilization"}, DCGM: "DCGM_FI_DEV_GPU_UTIL_RATIO", DCGMOld: "DCGM_FI_DEV_GPU_UTIL"},
		Source{Scale: one}},
	{metric.Desc{Name: "gpu.memory.utilization", Unit: metric.Ratio, Help: "Share of the driver's last sample period in which memory was read or written.",
		DCGMOld: "DCGM_FI_DEV_MEM_COPY_UTIL"},
		Source{Call: callRates, Part: 1, Scale: percent, Max: maxPercent}},
	{metric.Desc{Name: "gpu.encoder.utilization", Unit: metric.Ratio, Help: "Share of the driver's sample period in which the video encoder was busy.",
		OTel: metric.Alias{Name: "hw.gpu.utilization"}, DCGMOld: "DCGM_FI_DEV_ENC_UTIL"},
		Source{Call: callEncoder, Scale: percent, Max: maxPercent}},
	{metric.Desc{Name: "gpu.decoder.utilization", Unit: metric.Ratio, Help: "Share of the driver's sample period in which the video decoder was busy.",
		OTel: metric.Alias{Name: "hw.gpu.utilization"}, DCGMOld: "DCGM_FI_DEV_DEC_UTIL"},
		Source{Call: callDecoder, Scale: percent, Max: maxPercent}},

	{metric.Desc{Name: "gpu.memory.total", Unit: metric.Bytes, Help: "Memory of the GPU, with what the driver reserves.",
		OTel: metric.Alias{Name: "hw.gpu.memory.limit"}, DCGMOld: "DCGM_FI_DEV_FB_TOTAL"},
		Source{Call: callMemory, Part: 0, Scale: one}},
	{metric.Desc{Name: "gpu.memory.used", Unit: metric.Bytes, Help: "Memory in use.",
		OTel: metric.Alias{Name: "hw.gpu.memory.usage"}, DCGMOld: "DCGM_FI_DEV_FB_USED"},
		Source{Call: callMemory, Part: 1, Scale: one}},
	{metric.Desc{Name: "gpu.memory.free", Unit: metric.Bytes, Help: "Memory that can be allocated.",
		DCGMOld: "DCGM_FI_DEV_FB_FREE"},
		Source{Call: callMemory, Part: 2, Scale: one}},
	{metric.Desc{Name: "gpu.memory.reserved", Unit: metric.Bytes, Help: "Memory that the driver and the firmware keep for themselves.",
		DCGMOld: "DCGM_FI_DEV_FB_RESERVED"},
		Source{Call: callMemory, Part: 3, Scale: one}},

	{metric.Desc{Name: "gpu.power.usage", Unit: metric.Watts, Help: "Power draw as the driver reports it by default: the average over one second since Ampere without GA100, the present value before.",
		OTel: metric.Alias{Name: "hw.power"}, DCGM: "DCGM_FI_DEV_BOARD_POWER_WATTS", DCGMOld: "DCGM_FI_DEV_POWER_USAGE"},
		Source{Call: callPower, Scale: milli, Max: maxWatts * 1000}},
	{metric.Desc{Name: "gpu.power.average", Unit: metric.Watts, Help: "Power draw, averaged over one second."},
		Source{Field: nvml.FI_DEV_POWER_AVERAGE, Scale: milli, Max: maxWatts * 1000}},
	{metric.Desc{Name: "gpu.power.instant", Unit: metric.Watts, Help: "Power draw at the moment of the look.",
		DCGMOld: "DCGM_FI_DEV_POWER_USAGE_INSTANT"},
		Source{Field: nvml.FI_DEV_POWER_INSTANT, Scale: milli, Max: maxWatts * 1000}},
	{metric.Desc{Name: "gpu.power.limit.enforced", Unit: metric.Watts, Help: "Power limit in force, whoever set it.",
		DCGMOld: "DCGM_FI_DEV_ENFORCED_POWER_LIMIT"},
		Source{Field: nvml.FI_DEV_POWER_CURRENT_LIMIT, Scale: milli, Every: rare, Max: maxWatts * 1000}},
	{metric.Desc{Name: "gpu.power.limit.default", Unit: metric.Watts, Help: "Power limit that the GPU starts with.",
		DCGMOld: "DCGM_FI_DEV_POWER_MGMT_LIMIT_DEF"},
		Source{Field: nvml.FI_DEV_POWER_DEFAULT_LIMIT, Scale: milli, Every: rare, Max: maxWatts * 1000}},
	{metric.Desc{Name: "gpu.power.limit.min", Unit: metric.Watts, Help: "Lowest power limit that can be set.",
		DCGMOld: "DCGM_FI_DEV_POWER_MGMT_LIMIT_MIN"},
		Source{Field: nvml.FI_DEV_POWER_MIN_LIMIT, Scale: milli, Every: rare, Max: maxWatts * 1000}},
	{metric.Desc{Name: "gpu.power.limit.max", Unit: metric.Watts, Help: "Highest power limit that can be set.",
		DCGMOld: "DCGM_FI_DEV_POWER_MGMT_LIMIT_MAX"},
		Source{Field: nvml.FI_DEV_POWER_MAX_LIMIT, Scale: milli, Every: rare, Max: maxWatts * 1000}},
	{metric.Desc{Name: "gpu.energy.driver", Unit: metric.Joules, Kind: counter, Help: "Energy as the driver counts it, since it was loaded or the GPU reset.",
		DCGMOld: "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"},
		Source{Field: nvml.FI_DEV_TOTAL_ENERGY_CONSUMPTION, Scale: milli}},

	{metric.Desc{Name: "gpu.temperature", Unit: metric.Celsius, Help: "Temperature of the GPU.",
		OTel: metric.Alias{Name: "hw.temperature"}, DCGM: "DCGM_FI_DEV_GPU_TEMP_CELSIUS", DCGMOld: "DCGM_FI_DEV_GPU_TEMP"},
		Source{Call: callTemperature, Arg: uint32(nvml.TEMPERATURE_GPU), Scale: one, Max: maxCelsius}},
	{metric.Desc{Name: "gpu.memory.temperature", Unit: metric.Celsius, Help: "Temperature of the memory.",
		DCGMOld: "DCGM_FI_DEV_MEMORY_TEMP"},
		Source{Field: nvml.FI_DEV_MEMORY_TEMP, Scale: one, Max: maxCelsius}},

	clock("gpu.clock", "Clock frequency.", "sm", "DCGM_FI_DEV_SM_CLOCK", Source{Call: callClock, Arg: uint32(nvml.CLOCK_SM)}),
	clock("gpu.clock", "Clock frequency.", "memory", "DCGM_FI_DEV_MEM_CLOCK", Source{Call: callClock, Arg: uint32(nvml.CLOCK_MEM)}),
	clock("gpu.clock", "Clock frequency.", "graphics", "", Source{Call: callClock, Arg: uint32(nvml.CLOCK_GRAPHICS)}),
	clock("gpu.clock.max", "Highest clock frequency of the GPU.", "sm", "DCGM_FI_DEV_MAX_SM_CLOCK", Source{Call: callMaxClock, Arg: uint32(nvml.CLOCK_SM), Every: rare}),
	clock("gpu.clock.max", "Highest clock frequency of the GPU.", "memory", "DCGM_FI_DEV_MAX_MEM_CLOCK", Source{Call: callMaxClock, Arg: uint32(nvml.CLOCK_MEM), Every: rare}),
	clock("gpu.clock.max", "Highest clock frequency of the GPU.", "graphics", "", Source{Call: callMaxClock, Arg: uint32(nvml.CLOCK_GRAPHICS), Every: rare}),

	throttle("power", "DCGM_FI_DEV_POWER_VIOLATION", nvml.FI_DEV_PERF_POLICY_POWER),
	throttle("thermal", "DCGM_FI_DEV_THERMAL_VIOLATION", nvml.FI_DEV_PERF_POLICY_THERMAL),
	throttle("sync_boost", "DCGM_FI_DEV_SYNC_BOOST_VIOLATION", nvml.FI_DEV_PERF_POLICY_SYNC_BOOST),
	throttle("board_limit", "DCGM_FI_DEV_BOARD_LIMIT_VIOLATION", nvml.FI_DEV_PERF_POLICY_BOARD_LIMIT),
	throttle("low_utilization", "DCGM_FI_DEV_LOW_UTIL_VIOLATION", nvml.FI_DEV_PERF_POLICY_LOW_UTILIZATION),
	throttle("reliability", "DCGM_FI_DEV_RELIABILITY_VIOLATION", nvml.FI_DEV_PERF_POLICY_RELIABILITY),
	throttle("sw_thermal", "", nvml.FI_DEV_CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN),
	throttle("hw_thermal", "", nvml.FI_DEV_CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN),
	throttle("hw_power_brake", "", nvml.FI_DEV_CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN),

	ecc("volatile_corrected", "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL", nvml.FI_DEV_ECC_SBE_VOL_TOTAL),
	ecc("volatile_uncorrected", "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", nvml.FI_DEV_ECC_DBE_VOL_TOTAL),
	ecc("aggregate_corrected", "DCGM_FI_DEV_ECC_SBE_AGG_TOTAL", nvml.FI_DEV_ECC_SBE_AGG_TOTAL),
	ecc("aggregate_uncorrected", "DCGM_FI_DEV_ECC_DBE_AGG_TOTAL", nvml.FI_DEV_ECC_DBE_AGG_TOTAL),

	{metric.Desc{Name: "gpu.row_remap.correctable", Kind: counter, Help: "Memory rows remapped after correctable errors.",
		DCGMOld: "DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS"},
		Source{Field: nvml.FI_DEV_REMAPPED_COR, Scale: one, Every: slow, Max: maxRemaps}},
	{metric.Desc{Name: "gpu.row_remap.uncorrectable", Kind: counter, Help: "Memory rows remapped after uncorrectable errors.",
		DCGM: "DCGM_FI_DEV_ROW_REMAP_UNCORRECTABLE_TOTAL", DCGMOld: "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS"},
		Source{Field: nvml.FI_DEV_REMAPPED_UNC, Scale: one, Every: slow, Max: maxRemaps}},
	{metric.Desc{Name: "gpu.row_remap.pending", Help: "1 if a memory row waits for a reset to be remapped.",
		DCGMOld: "DCGM_FI_DEV_ROW_REMAP_PENDING"},
		Source{Field: nvml.FI_DEV_REMAPPED_PENDING, Scale: one, Every: slow, Max: 1}},
	{metric.Desc{Name: "gpu.row_remap.failure", Help: "1 if a memory row could not be remapped.",
		DCGM: "DCGM_FI_DEV_ROW_REMAP_FAILED", DCGMOld: "DCGM_FI_DEV_ROW_REMAP_FAILURE"},
		Source{Field: nvml.FI_DEV_REMAPPED_FAILURE, Scale: one, Every: slow, Max: 1}},
	{metric.Desc{Name: "gpu.page_retirement.pending", Help: "1 if a memory page waits for a reset to be retired.",
		DCGMOld: "DCGM_FI_DEV_RETIRED_PENDING"},
		Source{Field: nvml.FI_DEV_RETIRED_PENDING, Scale: one, Every: slow, Max: 1}},

	{metric.Desc{Name: "gpu.pcie.generation", Help: "Generation of the PCIe link now; GPUs lower it when they rest."},
		Source{Call: callLinkGeneration, Scale: one, Every: slow, Max: maxLanes}},
	{metric.Desc{Name: "gpu.pcie.width", Help: "Lanes of the PCIe link now."},
		Source{Call: callLinkWidth, Scale: one, Every: slow, Max: maxLanes}},
	{metric.Desc{Name: "gpu.pcie.replay", Kind: counter, Help: "PCIe packets sent again.",
		DCGM: "DCGM_FI_DEV_PCIE_REPLAY_TOTAL", DCGMOld: "DCGM_FI_DEV_PCIE_REPLAY_COUNTER"},
		Source{Field: nvml.FI_DEV_PCIE_REPLAY_COUNTER, Scale: one, Every: slow}},
	pcie("transmit", nvml.FI_DEV_PCIE_COUNT_TX_BYTES),
	pcie("receive", nvml.FI_DEV_PCIE_COUNT_RX_BYTES),

	{metric.Desc{Name: "gpu.performance.state", Help: "Performance state: 0 is the fastest, 15 the slowest.",
		DCGMOld: "DCGM_FI_DEV_PSTATE"},
		Source{Call: callPstate, Scale: one, Max: maxPstate}},
	{metric.Desc{Name: "gpu.recovery.action", Help: "What the driver asks for: 0 nothing, 1 GPU reset, 2 node reboot, 3 drain P2P, 4 drain and reset, 5 recover IMEX domain, 6 bus reset, 7 system reboot.",
		DCGMOld: "DCGM_FI_DEV_GET_GPU_RECOVERY_ACTION"},
		Source{Field: nvml.FI_DEV_GET_GPU_RECOVERY_ACTION, Scale: one, Every: slow, Max: 255}},
}

func clock(name, help, domain, dcgm string, s Source) Row {
	s.Scale, s.Max = mega, maxMHz
	return Row{metric.Desc{Name: name, Unit: metric.Hertz, Help: help, Labels: []metric.Label{{Name: "domain", Value: domain}}, DCGMOld: dcgm}, s}
}

func throttle(reason, dcgm string, field uint32) Row {
	return Row{metric.Desc{Name: "gpu.throttle", Unit: metric.Seconds, Kind: counter,
		Help:   "Time for which the clocks were held down, by reason; reasons overlap.",
		Labels: []metric.Label{{Name: "reason", Value: reason}}, DCGMOld: dcgm},
		Source{Field: field, Scale: nano}}
}

func ecc(kind, dcgm string, field uint32) Row {
	return Row{metric.Desc{Name: "gpu.ecc.errors", Kind: counter,
		Help:   "Memory errors: volatile ones since the driver was loaded or the GPU reset, aggregate ones in the GPU's life.",
		Labels: []metric.Label{{Name: "type", Value: kind}}, OTel: metric.Alias{Name: "hw.errors"}, DCGMOld: dcgm},
		Source{Field: field, Scale: one, Every: slow}}
}

func pcie(direction string, field uint32) Row {
	return Row{metric.Desc{Name: "gpu.pcie.io", Unit: metric.Bytes, Kind: counter,
		Help:   "Bytes over PCIe since the worker started. At least: where the driver's counter has 32 bits, more than one overflow between two looks is seen as one.",
		Labels: []metric.Label{{Name: "direction", Value: direction}}, OTel: metric.Alias{Name: "hw.gpu.io"}},
		Source{Field: field, Scale: one}}
}
