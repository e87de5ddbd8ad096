package nvml

import (
	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/gpumeter/gpumeter/metric"
)

// utilizationRows say for what share of the time the parts of a GPU were at
// work, from the driver's buffers of samples where it keeps them.
var utilizationRows = []Row{
	{metric.Desc{Name: "gpu.utilization", Unit: metric.Ratio, Help: "Share of the time since the look before in which at least one kernel was resident.",
		OTel: task("general"), DCGM: "DCGM_FI_DEV_GPU_UTIL_RATIO", DCGMOld: "DCGM_FI_DEV_GPU_UTIL"},
		Source{Samples: nvml.GPU_UTILIZATION_SAMPLES, Call: callRates, Scale: percent, Max: maxPercent}},
	{metric.Desc{Name: "gpu.memory.utilization", Unit: metric.Ratio, Help: "Share of the time since the look before in which memory was read or written.",
		DCGM: "DCGM_FI_DEV_MEM_COPY_UTIL", DCGMOld: "DCGM_FI_DEV_MEM_COPY_UTIL"},
		Source{Samples: nvml.MEMORY_UTILIZATION_SAMPLES, Call: callRates, Part: 1, Scale: percent, Max: maxPercent}},
	{metric.Desc{Name: "gpu.encoder.utilization", Unit: metric.Ratio, Help: "Share of the last five seconds in which the video encoders were busy.",
		OTel: task("encoder"), DCGM: "DCGM_FI_DEV_ENC_UTIL", DCGMOld: "DCGM_FI_DEV_ENC_UTIL"},
		Source{Samples: nvml.ENC_UTILIZATION_SAMPLES, Call: callEncoder, Scale: percent, Every: video, Max: maxPercent}},
	{metric.Desc{Name: "gpu.decoder.utilization", Unit: metric.Ratio, Help: "Share of the last five seconds in which the video decoders were busy.",
		OTel: task("decoder"), DCGM: "DCGM_FI_DEV_DEC_UTIL", DCGMOld: "DCGM_FI_DEV_DEC_UTIL"},
		Source{Samples: nvml.DEC_UTILIZATION_SAMPLES, Call: callDecoder, Scale: percent, Every: video, Max: maxPercent}},
	{metric.Desc{Name: "gpu.jpeg.utilization", Unit: metric.Ratio, Help: "Share of the last five seconds in which the JPEG units were busy."},
		Source{Samples: nvml.JPG_UTILIZATION_SAMPLES, Call: callJPEG, Scale: percent, Every: video, Max: maxPercent}},
	{metric.Desc{Name: "gpu.ofa.utilization", Unit: metric.Ratio, Help: "Share of the last five seconds in which the optical flow units were busy."},
		Source{Samples: nvml.OFA_UTILIZATION_SAMPLES, Call: callOFA, Scale: percent, Every: video, Max: maxPercent}},
}

// task is OpenTelemetry's name for the utilisation of a part of a GPU.
func task(what string) metric.Alias {
	return metric.Alias{Name: "hw.gpu.utilization", Attributes: label("hw.gpu.task", what)}
}

// videoRows count the sessions of video software.
var videoRows = []Row{
	{metric.Desc{Name: "gpu.encoder.sessions", Help: "Video encoding sessions."},
		Source{Call: callEncoderStats, Scale: one, Every: slow}},
}

var videoDetailRows = grouped("video",
	Row{metric.Desc{Name: "gpu.encoder.frames", Unit: metric.Hertz, Help: "Frames per second of a video encoding session, on average."},
		Source{Call: callEncoderStats, Part: 1, Scale: one, Every: slow}},
	Row{metric.Desc{Name: "gpu.encoder.latency", Unit: metric.Seconds, Help: "Time to encode a frame, on average."},
		Source{Call: callEncoderStats, Part: 2, Scale: micro, Every: slow}},
	Row{metric.Desc{Name: "gpu.capture.sessions", Help: "Frame buffer capture sessions."},
		Source{Call: callCaptureStats, Scale: one, Every: slow}},
	Row{metric.Desc{Name: "gpu.capture.frames", Unit: metric.Hertz, Help: "New frames captured per second, on average."},
		Source{Call: callCaptureStats, Part: 1, Scale: one, Every: slow}},
	Row{metric.Desc{Name: "gpu.capture.latency", Unit: metric.Seconds, Help: "Time to capture a frame, on average."},
		Source{Call: callCaptureStats, Part: 2, Scale: micro, Every: slow}},
)
