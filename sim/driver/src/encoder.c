/* Sessions of the video encoder. */
#include "sim.h"

static unsigned sessions(const struct call *c)
{
    return (unsigned)level_at(c->gpu, ENCODER_SESSIONS, c->t);
}

/* Averages over the sessions; without any they are 0. */
nvmlReturn_t nvmlDeviceGetEncoderStats(nvmlDevice_t device, unsigned int *count, unsigned int *fps, unsigned int *latency)
{
    ENTER_DEVICE(nvmlDeviceGetEncoderStats, device);
    NEED(count && fps && latency);
    *count = sessions(&c);
    *fps = *count ? (unsigned)level_at(c.gpu, ENCODER_FPS, c.t) : 0;
    *latency = *count ? (unsigned)level_at(c.gpu, ENCODER_LATENCY, c.t) : 0;
    return NVML_SUCCESS;
}

/* A count of 0 asks for the size. */
nvmlReturn_t nvmlDeviceGetEncoderSessions(nvmlDevice_t device, unsigned int *count, nvmlEncoderSessionInfo_t *infos)
{
    ENTER_DEVICE(nvmlDeviceGetEncoderSessions, device);
    NEED(count && (infos || !*count));
    unsigned n = sessions(&c), room = *count;
    *count = n;
    if (room < n)
        return room ? NVML_ERROR_INSUFFICIENT_SIZE : NVML_SUCCESS;
    for (unsigned i = 0; i < n; i++)
        infos[i] = (nvmlEncoderSessionInfo_t){
            .sessionId = i + 1,
            .pid = c.gpu->process_count ? c.gpu->processes[i % (unsigned)c.gpu->process_count].pid : 0,
            .codecType = NVML_ENCODER_QUERY_HEVC,
            .hResolution = 1920,
            .vResolution = 1080,
            .averageFps = (unsigned)level_at(c.gpu, ENCODER_FPS, c.t),
            .averageLatency = (unsigned)level_at(c.gpu, ENCODER_LATENCY, c.t),
        };
    return NVML_SUCCESS;
}

/* Percent of its whole capacity that is left. */
nvmlReturn_t nvmlDeviceGetEncoderCapacity(nvmlDevice_t device, nvmlEncoderType_t type, unsigned int *to)
{
    ENTER_DEVICE(nvmlDeviceGetEncoderCapacity, device);
    NEED(to && (type == NVML_ENCODER_QUERY_H264 || type == NVML_ENCODER_QUERY_HEVC || type == NVML_ENCODER_QUERY_AV1));
    SUPPORTED(c.gpu->profile->encoders);
    SUPPORTED(type != NVML_ENCODER_QUERY_AV1 || c.gpu->profile->architecture >= NVML_DEVICE_ARCH_ADA);
    *to = (unsigned)(100 - gpu_value(c.gpu, ENCODER, c.t));
    return NVML_SUCCESS;
}
