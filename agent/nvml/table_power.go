package nvml

import (
	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/gpumeter/gpumeter/metric"
)

const maxMilliwatts = maxWatts * 1000

// powerRows are power, its limits, and energy. The module is a superchip: Grace
// with its GPUs.
var powerRows = []Row{
	{metric.Desc{Name: "gpu.power.usage", Unit: metric.Watts, Help: "Power draw as the driver reports it by default: the average over one second since Ampere without GA100, the present value before.",
		OTel: metric.Alias{Name: "hw.power"}, DCGM: "DCGM_FI_DEV_BOARD_POWER_WATTS", DCGMOld: "DCGM_FI_DEV_POWER_USAGE"},
		Source{Call: callPower, Scale: milli, Max: maxMilliwatts}},
	{metric.Desc{Name: "gpu.power.average", Unit: metric.Watts, Help: "Power draw, averaged over one second."},
		watts(nvml.FI_DEV_POWER_AVERAGE, 0)},
	{metric.Desc{Name: "gpu.power.instant", Unit: metric.Watts, Help: "Power draw at the moment of the look.",
		DCGM: "DCGM_FI_DEV_BOARD_POWER_RAW_WATTS", DCGMOld: "DCGM_FI_DEV_POWER_USAGE_INSTANT"},
		watts(nvml.FI_DEV_POWER_INSTANT, 0)},
	{metric.Desc{Name: "gpu.module.power.average", Unit: metric.Watts, Help: "Power draw of the module that the GPU is on, with its CPU, averaged over one second."},
		watts(nvml.FI_DEV_POWER_AVERAGE, moduleScope)},

	limit("gpu.power.limit.enforced", "Power limit in force, whoever set it.", "DCGM_FI_DEV_BOARD_POWER_LIMIT_ENFORCED_WATTS", "DCGM_FI_DEV_ENFORCED_POWER_LIMIT", callEnforcedLimit, 0),
	limit("gpu.power.limit.requested", "Power limit that software on this node asked for.", "DCGM_FI_DEV_BOARD_POWER_LIMIT_REQUESTED_WATTS", "DCGM_FI_DEV_POWER_MGMT_LIMIT", callLimit, 0),
	limit("gpu.power.limit.default", "Power limit that the GPU starts with.", "DCGM_FI_DEV_BOARD_POWER_LIMIT_DEFAULT_WATTS", "DCGM_FI_DEV_POWER_MGMT_LIMIT_DEF", callDefaultLimit, 0),
	limit("gpu.power.limit.min", "Lowest power limit that can be set.", "DCGM_FI_DEV_BOARD_POWER_LIMIT_MIN_WATTS", "DCGM_FI_DEV_POWER_MGMT_LIMIT_MIN", callLimitRange, 0),
	limit("gpu.power.limit.max", "Highest power limit that can be set.", "DCGM_FI_DEV_BOARD_POWER_LIMIT_MAX_WATTS", "DCGM_FI_DEV_POWER_MGMT_LIMIT_MAX", callLimitRange, 1),

	{metric.Desc{Name: "gpu.energy.driver", Unit: metric.Joules, Kind: counter, Help: "Energy as the driver counts it, since it was loaded or the GPU reset.",
		DCGM: "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", DCGMOld: "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"},
		Source{Field: nvml.FI_DEV_TOTAL_ENERGY_CONSUMPTION, Scale: milli}},
}

func watts(field, scope uint32) Source {
	return Source{Field: field, Scope: scope, Scale: milli, Max: maxMilliwatts}
}

func limit(name, help, dcgm, old string, c *Call, part int) Row {
	return Row{metric.Desc{Name: name, Unit: metric.Watts, Help: help, DCGM: dcgm, DCGMOld: old},
		Source{Call: c, Part: part, Scale: milli, Every: rare, Max: maxMilliwatts}}
}

func moduleLimit(word, help string, field uint32) Row {
	s := watts(field, moduleScope)
	s.Every = rare
	return Row{metric.Desc{Name: "gpu.module.power.limit." + word, Unit: metric.Watts, Help: help}, s}
}

// powerDetailRows are the power of the module, and what a GPU does about peaks
// and sudden changes of power.
var powerDetailRows = grouped("power",
	Row{metric.Desc{Name: "gpu.module.power.instant", Unit: metric.Watts, Help: "Power draw of the module that the GPU is on, with its CPU, at the moment of the look."},
		watts(nvml.FI_DEV_POWER_INSTANT, moduleScope)},
	moduleLimit("enforced", "Power limit of the module in force, whoever set it.", nvml.FI_DEV_POWER_CURRENT_LIMIT),
	moduleLimit("requested", "Power limit of the module that software on this node asked for.", nvml.FI_DEV_POWER_REQUESTED_LIMIT),
	moduleLimit("default", "Power limit that the module starts with.", nvml.FI_DEV_POWER_DEFAULT_LIMIT),
	moduleLimit("min", "Lowest power limit of the module that can be set.", nvml.FI_DEV_POWER_MIN_LIMIT),
	moduleLimit("max", "Highest power limit of the module that can be set.", nvml.FI_DEV_POWER_MAX_LIMIT),
	Row{metric.Desc{Name: "gpu.power.edpp.multiplier", Unit: metric.Ratio, Help: "Short peaks of power that are allowed, as a multiple of the power limit."},
		Source{Field: nvml.FI_DEV_EDPP_MULTIPLIER, Scale: percent, Every: rare}},
	smoothing("enabled", metric.Count, "1 if power smoothing is on.", "DCGM_FI_DEV_PWR_SMOOTHING_ENABLED", Source{Field: nvml.FI_PWR_SMOOTHING_ENABLED, Scale: one, Max: 1}),
	smoothing("ceiling", metric.Watts, "Power above which smoothing does not lift the draw.", "DCGM_FI_DEV_PWR_SMOOTHING_APPLIED_TMP_CEIL", Source{Field: nvml.FI_PWR_SMOOTHING_APPLIED_TMP_CEIL, Scale: one, Max: maxWatts}),
	smoothing("floor", metric.Watts, "Power below which smoothing does not let the draw fall.", "DCGM_FI_DEV_PWR_SMOOTHING_APPLIED_TMP_FLOOR", Source{Field: nvml.FI_PWR_SMOOTHING_APPLIED_TMP_FLOOR, Scale: one, Max: maxWatts}),
	smoothing("lifetime", metric.Ratio, "Share of the smoothing circuit's life that is left.", "DCGM_FI_DEV_PWR_SMOOTHING_HW_CIRCUITRY_PERCENT_LIFETIME_REMAINING", Source{Field: nvml.FI_PWR_SMOOTHING_HW_CIRCUITRY_PERCENT_LIFETIME_REMAINING, Scale: percent, Max: maxPercent}),
	smoothing("profile", metric.Count, "Number of the smoothing profile in force.", "DCGM_FI_DEV_PWR_SMOOTHING_ACTIVE_PRESET_PROFILE", Source{Field: nvml.FI_PWR_SMOOTHING_ACTIVE_PRESET_PROFILE, Scale: one, Max: 255}),
)

func smoothing(word string, unit metric.Unit, help, dcgm string, s Source) Row {
	s.Every = rare
	return Row{metric.Desc{Name: "gpu.power.smoothing." + word, Unit: unit, Help: help, DCGM: dcgm, DCGMOld: dcgm}, s}
}
