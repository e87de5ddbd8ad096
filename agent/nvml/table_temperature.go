package nvml

import (
	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/gpumeter/gpumeter/metric"
)

// minCelsius is the smallest temperature, or distance to one, that is taken for
// true.
const minCelsius = -100

// temperatureRows are temperatures and what they must not exceed. Until Ampere
// limits are temperatures; since Ada they are margins: how far from the limit
// on its clocks a GPU may be.
var temperatureRows = []Row{
	{metric.Desc{Name: "gpu.temperature", Unit: metric.Celsius, Help: "Temperature of the GPU.",
		OTel: sensor("hw.temperature", "gpu", ""), DCGM: "DCGM_FI_DEV_GPU_TEMP_CELSIUS", DCGMOld: "DCGM_FI_DEV_GPU_TEMP"},
		Source{Call: callTemperature, Arg: uint32(nvml.TEMPERATURE_GPU), Scale: one, Min: minCelsius, Max: maxCelsius}},
	{metric.Desc{Name: "gpu.memory.temperature", Unit: metric.Celsius, Help: "Temperature of the memory.",
		OTel: sensor("hw.temperature", "memory", ""), DCGM: "DCGM_FI_DEV_MEMORY_TEMP_CELSIUS", DCGMOld: "DCGM_FI_DEV_MEMORY_TEMP"},
		Source{Field: nvml.FI_DEV_MEMORY_TEMP, Scale: one, Max: maxCelsius}},
	{metric.Desc{Name: "gpu.temperature.margin", Unit: metric.Celsius, Help: "Degrees to the temperature at which the clocks are lowered; below zero is beyond it.",
		DCGM: "DCGM_FI_DEV_GPU_TEMP_MARGIN_CELSIUS", DCGMOld: "DCGM_FI_DEV_GPU_TEMP_LIMIT"},
		Source{Call: callMargin, Scale: one, Every: slow, Min: minCelsius, Max: maxCelsius}},

	threshold("shutdown", sensor("hw.temperature.limit", "gpu", "critical"), "DCGM_FI_DEV_GPU_TEMP_SHUTDOWN_CELSIUS", "DCGM_FI_DEV_SHUTDOWN_TEMP", nvml.TEMPERATURE_THRESHOLD_SHUTDOWN),
	threshold("slowdown", sensor("hw.temperature.limit", "gpu", "throttled"), "DCGM_FI_DEV_GPU_TEMP_SLOWDOWN_CELSIUS", "DCGM_FI_DEV_SLOWDOWN_TEMP", nvml.TEMPERATURE_THRESHOLD_SLOWDOWN),
	threshold("memory_max", sensor("hw.temperature.limit", "memory", "max"), "DCGM_FI_DEV_MEMORY_MAX_OP_TEMP_CELSIUS", "DCGM_FI_DEV_MEM_MAX_OP_TEMP", nvml.TEMPERATURE_THRESHOLD_MEM_MAX),
	threshold("gpu_max", sensor("hw.temperature.limit", "gpu", "max"), "DCGM_FI_DEV_GPU_MAX_OP_TEMP_CELSIUS", "DCGM_FI_DEV_GPU_MAX_OP_TEMP", nvml.TEMPERATURE_THRESHOLD_GPU_MAX),
	marginLimit("shutdown", nvml.FI_DEV_TEMPERATURE_SHUTDOWN_TLIMIT),
	marginLimit("slowdown", nvml.FI_DEV_TEMPERATURE_SLOWDOWN_TLIMIT),
	marginLimit("memory_max", nvml.FI_DEV_TEMPERATURE_MEM_MAX_TLIMIT),
	marginLimit("gpu_max", nvml.FI_DEV_TEMPERATURE_GPU_MAX_TLIMIT),

	{metric.Desc{Name: "gpu.fan.speed", Unit: metric.Ratio, Help: "Fan speed that the board asks for, as a share of the highest that is quiet enough; it may exceed 1.",
		OTel: metric.Alias{Name: "hw.fan.speed_ratio"}, DCGM: "DCGM_FI_DEV_FAN_SPEED", DCGMOld: "DCGM_FI_DEV_FAN_SPEED"},
		Source{Call: callFan, Scale: percent, Every: slow, Max: maxFan}},
}

// sensor is OpenTelemetry's name for a temperature at a place, or a limit of a
// kind to it.
func sensor(name, place, kind string) metric.Alias {
	a := metric.Alias{Name: name, Attributes: label("hw.sensor_location", place)}
	if kind != "" {
		a.Attributes = append(a.Attributes, metric.Label{Name: "hw.limit_type", Value: kind})
	}
	return a
}

func threshold(word string, otel metric.Alias, dcgm, old string, t nvml.TemperatureThresholds) Row {
	return Row{metric.Desc{Name: "gpu.temperature.limit", Unit: metric.Celsius, Help: "Temperature at which the GPU shuts down, slows down, or leaves its normal range.",
		Labels: label("threshold", word), OTel: otel, DCGM: dcgm, DCGMOld: old},
		Source{Call: callThreshold, Arg: uint32(t), Scale: one, Every: rare, Max: maxCelsius}}
}

func marginLimit(word string, field uint32) Row {
	return Row{metric.Desc{Name: "gpu.temperature.margin.limit", Unit: metric.Celsius, Help: "Margin at which the GPU shuts down, slows down, or leaves its normal range.",
		Labels: label("threshold", word)},
		Source{Field: field, Scale: one, Every: rare, Min: minCelsius, Max: maxCelsius}}
}
