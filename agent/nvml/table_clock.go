package nvml

import (
	"slices"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/gpumeter/gpumeter/metric"
)

// clockRows are clock frequencies, and what holds them down: now, and since
// the driver was loaded.
var clockRows = append([]Row{
	clock("sm", "DCGM_FI_DEV_SM_CLOCK", nvml.CLOCK_SM),
	clock("memory", "DCGM_FI_DEV_MEM_CLOCK", nvml.CLOCK_MEM),
	seldom(clock("graphics", "", nvml.CLOCK_GRAPHICS)), // as that of the SMs, on all boards that are rented
	seldom(clock("video", "DCGM_FI_DEV_VIDEO_CLOCK", nvml.CLOCK_VIDEO)),
	maxClock("sm", "DCGM_FI_DEV_MAX_SM_CLOCK", nvml.CLOCK_SM),
	maxClock("memory", "DCGM_FI_DEV_MAX_MEM_CLOCK", nvml.CLOCK_MEM),
	{metric.Desc{Name: "gpu.performance.state", Help: "Performance state: 0 is the fastest, 15 the slowest.",
		DCGM: "DCGM_FI_DEV_GPU_PSTATE", DCGMOld: "DCGM_FI_DEV_PSTATE"},
		Source{Call: callPstate, Scale: one, Max: maxPstate}},

	throttle("power", "DCGM_FI_DEV_POWER_VIOLATION", nvml.FI_DEV_PERF_POLICY_POWER),
	throttle("thermal", "DCGM_FI_DEV_THERMAL_VIOLATION", nvml.FI_DEV_PERF_POLICY_THERMAL),
	throttle("sync_boost", "DCGM_FI_DEV_SYNC_BOOST_VIOLATION", nvml.FI_DEV_PERF_POLICY_SYNC_BOOST),
	throttle("board_limit", "DCGM_FI_DEV_BOARD_LIMIT_VIOLATION", nvml.FI_DEV_PERF_POLICY_BOARD_LIMIT),
	throttle("low_utilization", "DCGM_FI_DEV_LOW_UTIL_VIOLATION", nvml.FI_DEV_PERF_POLICY_LOW_UTILIZATION),
	throttle("reliability", "DCGM_FI_DEV_RELIABILITY_VIOLATION", nvml.FI_DEV_PERF_POLICY_RELIABILITY),
	throttle("sw_thermal", "DCGM_FI_DEV_CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN_NS", nvml.FI_DEV_CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN),
	throttle("hw_thermal", "DCGM_FI_DEV_CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN_NS", nvml.FI_DEV_CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN),
	throttle("hw_power_brake", "DCGM_FI_DEV_CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN_NS", nvml.FI_DEV_CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN),
}, throttleActiveRows(troubles...)...)

// troubles are the reasons that are read by default. The others are what
// people set, and rest.
var troubles = []string{"idle", "power", "hw_slowdown", "sync_boost", "sw_thermal", "hw_thermal", "hw_power_brake", "board_limit", "reliability"}

var clockDetailRows = grouped("clock", append([]Row{
	maxClock("graphics", "", nvml.CLOCK_GRAPHICS),
	maxClock("video", "DCGM_FI_DEV_MAX_VIDEO_CLOCK", nvml.CLOCK_VIDEO),
	throttle("app_clocks", "DCGM_FI_DEV_TOTAL_APP_CLOCKS_VIOLATION", nvml.FI_DEV_PERF_POLICY_TOTAL_APP_CLOCKS),
	throttle("base_clocks", "DCGM_FI_DEV_TOTAL_BASE_CLOCKS_VIOLATION", nvml.FI_DEV_PERF_POLICY_TOTAL_BASE_CLOCKS),
	{metric.Desc{Name: "gpu.throttle.mask", Help: "What holds the clocks down now, as the driver's bit mask of reasons.",
		DCGM: "DCGM_FI_DEV_CLOCKS_EVENT_REASONS", DCGMOld: "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS"},
		Source{Call: callReasons, Part: len(reasonBits), Scale: one}},
}, throttleActiveRows("app_clocks", "display")...)...)

func clock(domain, dcgm string, c nvml.ClockType) Row {
	return Row{metric.Desc{Name: "gpu.clock", Unit: metric.Hertz, Help: "Clock frequency.", Labels: label("domain", domain), DCGM: dcgm, DCGMOld: dcgm},
		Source{Call: callClock, Arg: uint32(c), Scale: mega, Max: maxMHz}}
}

func seldom(r Row) Row {
	r.Source.Every = slow
	return r
}

func maxClock(domain, dcgm string, c nvml.ClockType) Row {
	return Row{metric.Desc{Name: "gpu.clock.max", Unit: metric.Hertz, Help: "Highest clock frequency of the GPU.", Labels: label("domain", domain), DCGM: dcgm, DCGMOld: dcgm},
		Source{Call: callMaxClock, Arg: uint32(c), Scale: mega, Every: rare, Max: maxMHz}}
}

func throttle(reason, dcgm string, field uint32) Row {
	return Row{metric.Desc{Name: "gpu.throttle", Unit: metric.Seconds, Kind: counter,
		Help:   "Time for which the clocks were held down, by reason; reasons overlap.",
		Labels: label("reason", reason), DCGM: dcgm, DCGMOld: dcgm},
		Source{Field: field, Scale: nano}}
}

func throttleActiveRows(words ...string) []Row {
	var rows []Row
	for i, r := range reasonBits {
		if slices.Contains(words, r.word) {
			rows = append(rows, Row{metric.Desc{Name: "gpu.throttle.active", Help: "1 if a reason holds the clocks down now.", Labels: label("reason", r.word)},
				Source{Call: callReasons, Part: i, Scale: one}})
		}
	}
	return rows
}
