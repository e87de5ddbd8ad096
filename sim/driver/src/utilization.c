/* Utilisation now, and the driver's buffers of past samples. */
#include "mig.h"

#define BUFFER 120 /* samples that the driver keeps of each kind */

/* Sample k lies between the boot clock's k-th and k+1-th sixth of a second (or
 * other part), so that every process cuts time alike. */
static int64_t edge(int64_t k, int64_t per_second)
{
    return k / per_second * SECOND + k % per_second * SECOND / per_second;
}

static int64_t complete(int64_t boot, int64_t per_second)
{
    int64_t k = boot / SECOND * per_second + boot % SECOND * per_second / SECOND;
    return edge(k + 1, per_second) <= boot ? k + 1 : k;
}

#define UTIL_RATE 6 /* samples a second; nvml.h: 1/6 s to 1 s */

/* Sample k, which ends at edge k. */
static unsigned sample(const struct call *c, enum curve_id id, double scale, int64_t k, int64_t per_second)
{
    int64_t start = c->scenario->start;
    scale *= (double)per_second;
    return gpu_sample(c->gpu, id, scale, edge(k - 1, per_second) - start, edge(k, per_second) - start);
}

static unsigned percent(const struct call *c, enum curve_id id)
{
    unsigned v = sample(c, id, 1, complete(c->boot, UTIL_RATE), UTIL_RATE);
    return v < 100 ? v : 100;
}

nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *to)
{
    ENTER_DEVICE(nvmlDeviceGetUtilizationRates, device);
    NEED(to);
    SUPPORTED(!mig_on(c.gpu, c.t));
    to->gpu = percent(&c, UTIL);
    to->memory = percent(&c, MEMORY_UTIL);
    return NVML_SUCCESS;
}

#define ENGINE(fn, curve)                                                          \
    nvmlReturn_t fn(nvmlDevice_t device, unsigned int *to, unsigned int *period)   \
    {                                                                              \
        ENTER_DEVICE(fn, device);                                                  \
        NEED(to && period);                                                        \
        SUPPORTED(!mig_on(c.gpu, c.t));                                            \
        *to = percent(&c, curve);                                                  \
        *period = 1000000 / UTIL_RATE;                                             \
        return NVML_SUCCESS;                                                       \
    }

ENGINE(nvmlDeviceGetEncoderUtilization, ENCODER)
ENGINE(nvmlDeviceGetDecoderUtilization, DECODER)
ENGINE(nvmlDeviceGetJpgUtilization, JPEG)
ENGINE(nvmlDeviceGetOfaUtilization, OFA)

static const struct {
    enum curve_id curve;
    double scale;
    int64_t per_second;
} kinds[NVML_SAMPLINGTYPE_COUNT] = {
    [NVML_TOTAL_POWER_SAMPLES] = {POWER, 1000, 10}, /* mW */
    [NVML_GPU_UTILIZATION_SAMPLES] = {UTIL, 1, UTIL_RATE},
    [NVML_MEMORY_UTILIZATION_SAMPLES] = {MEMORY_UTIL, 1, UTIL_RATE},
    [NVML_ENC_UTILIZATION_SAMPLES] = {ENCODER, 1, UTIL_RATE},
    [NVML_DEC_UTILIZATION_SAMPLES] = {DECODER, 1, UTIL_RATE},
    [NVML_PROCESSOR_CLK_SAMPLES] = {SM_CLOCK, 1, UTIL_RATE},
    [NVML_MEMORY_CLK_SAMPLES] = {MEMORY_CLOCK, 1, UTIL_RATE},
    [NVML_JPG_UTILIZATION_SAMPLES] = {JPEG, 1, UTIL_RATE},
    [NVML_OFA_UTILIZATION_SAMPLES] = {OFA, 1, UTIL_RATE},
};

static bool utilisation(nvmlSamplingType_t type)
{
    return kinds[type].scale == 1 && type != NVML_PROCESSOR_CLK_SAMPLES && type != NVML_MEMORY_CLK_SAMPLES;
}

/* The oldest kept sample: the buffer is empty when the driver is loaded. */
static int64_t oldest(const struct call *c, int64_t newest, int64_t per_second)
{
    int64_t k = newest - BUFFER + 1, loaded = gpu_loaded(c->gpu, c->t);
    while (k <= newest && edge(k - 1, per_second) < 0)
        k++;
    while (loaded != INT64_MIN && k <= newest && edge(k - 1, per_second) < loaded + c->scenario->start)
        k++;
    return k;
}

nvmlReturn_t nvmlDeviceGetSamples(nvmlDevice_t device, nvmlSamplingType_t type, unsigned long long last_seen,
                                  nvmlValueType_t *value_type, unsigned int *count, nvmlSample_t *samples)
{
    ENTER_DEVICE(nvmlDeviceGetSamples, device);
    NEED(value_type && count && (unsigned)type < NVML_SAMPLINGTYPE_COUNT && (!samples || *count));
    SUPPORTED(kinds[type].per_second);
    SUPPORTED(!mig_on(c.gpu, c.t) || !utilisation(type));
    *value_type = NVML_VALUE_TYPE_UNSIGNED_INT;
    if (!samples) {
        *count = BUFFER;
        return NVML_SUCCESS;
    }
    int64_t rate = kinds[type].per_second, newest = complete(c.boot, rate);
    unsigned n = 0;
    for (int64_t k = oldest(&c, newest, rate); k <= newest && n < *count; k++) {
        uint64_t stamp = wall_us(edge(k, rate));
        if (stamp <= last_seen)
            continue;
        samples[n].timeStamp = stamp;
        samples[n++].sampleValue.uiVal = sample(&c, kinds[type].curve, kinds[type].scale, k, rate);
    }
    *count = n;
    return n ? NVML_SUCCESS : NVML_ERROR_NOT_FOUND;
}
