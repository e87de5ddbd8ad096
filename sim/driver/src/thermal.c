/* Temperatures, clocks, and what keeps the clocks down. */
#include <math.h>

#include "sim.h"

nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device, nvmlTemperatureSensors_t sensor, unsigned int *to)
{
    ENTER_DEVICE(nvmlDeviceGetTemperature, device);
    NEED(to && sensor == NVML_TEMPERATURE_GPU);
    *to = (unsigned)lround(gpu_value(c.gpu, TEMPERATURE, c.t));
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetTemperatureV(nvmlDevice_t device, nvmlTemperature_t *to)
{
    ENTER_DEVICE(nvmlDeviceGetTemperatureV, device);
    NEED(to);
    if (to->version != nvmlTemperature_v1)
        return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    NEED(to->sensorType == NVML_TEMPERATURE_GPU);
    to->temperature = (int)lround(gpu_value(c.gpu, TEMPERATURE, c.t));
    return NVML_SUCCESS;
}

/* Degrees left until the clocks are lowered. */
nvmlReturn_t nvmlDeviceGetMarginTemperature(nvmlDevice_t device, nvmlMarginTemperature_t *to)
{
    ENTER_DEVICE(nvmlDeviceGetMarginTemperature, device);
    NEED(to);
    if (to->version != nvmlMarginTemperature_v1)
        return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    SUPPORTED(c.gpu->profile->architecture >= NVML_DEVICE_ARCH_ADA);
    to->marginTemperature = (int)c.gpu->profile->gpu_max - (int)lround(gpu_value(c.gpu, TEMPERATURE, c.t));
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetTemperatureThreshold(nvmlDevice_t device, nvmlTemperatureThresholds_t which, unsigned int *to)
{
    ENTER_DEVICE(nvmlDeviceGetTemperatureThreshold, device);
    NEED(to && (unsigned)which < NVML_TEMPERATURE_THRESHOLD_COUNT);
    const struct profile *p = c.gpu->profile;
    const unsigned thresholds[NVML_TEMPERATURE_THRESHOLD_COUNT] = {
        [NVML_TEMPERATURE_THRESHOLD_SHUTDOWN] = p->shutdown,
        [NVML_TEMPERATURE_THRESHOLD_SLOWDOWN] = p->slowdown,
        [NVML_TEMPERATURE_THRESHOLD_MEM_MAX] = p->memory_max,
        [NVML_TEMPERATURE_THRESHOLD_GPU_MAX] = p->gpu_max,
    };
    SUPPORTED(thresholds[which]);
    *to = thresholds[which];
    return NVML_SUCCESS;
}

/* Every model here is cooled by its server. */
nvmlReturn_t nvmlDeviceGetFanSpeed(nvmlDevice_t device, unsigned int *to)
{
    ENTER_DEVICE(nvmlDeviceGetFanSpeed, device);
    NEED(to);
    return NVML_ERROR_NOT_SUPPORTED;
}

nvmlReturn_t nvmlDeviceGetFanSpeed_v2(nvmlDevice_t device, unsigned int fan, unsigned int *to)
{
    ENTER_DEVICE(nvmlDeviceGetFanSpeed_v2, device);
    (void)fan;
    NEED(to);
    return NVML_ERROR_NOT_SUPPORTED;
}

nvmlReturn_t nvmlDeviceGetNumFans(nvmlDevice_t device, unsigned int *to)
{
    ENTER_DEVICE(nvmlDeviceGetNumFans, device);
    NEED(to);
    *to = 0;
    return NVML_SUCCESS;
}

static const enum curve_id clocks[NVML_CLOCK_COUNT] = {
    [NVML_CLOCK_GRAPHICS] = SM_CLOCK,
    [NVML_CLOCK_SM] = SM_CLOCK,
    [NVML_CLOCK_MEM] = MEMORY_CLOCK,
    [NVML_CLOCK_VIDEO] = VIDEO_CLOCK,
};

static unsigned clock_now(const struct call *c, nvmlClockType_t type)
{
    return (unsigned)lround(gpu_value(c->gpu, clocks[type], c->t));
}

static unsigned clock_max(const struct profile *p, nvmlClockType_t type)
{
    return (unsigned)(type == NVML_CLOCK_MEM ? p->max_memory : type == NVML_CLOCK_VIDEO ? p->max_video : p->max_sm);
}

nvmlReturn_t nvmlDeviceGetClockInfo(nvmlDevice_t device, nvmlClockType_t type, unsigned int *to)
{
    ENTER_DEVICE(nvmlDeviceGetClockInfo, device);
    NEED(to && (unsigned)type < NVML_CLOCK_COUNT);
    *to = clock_now(&c, type);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMaxClockInfo(nvmlDevice_t device, nvmlClockType_t type, unsigned int *to)
{
    ENTER_DEVICE(nvmlDeviceGetMaxClockInfo, device);
    NEED(to && (unsigned)type < NVML_CLOCK_COUNT);
    *to = clock_max(c.gpu->profile, type);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetClock(nvmlDevice_t device, nvmlClockType_t type, nvmlClockId_t id, unsigned int *to)
{
    ENTER_DEVICE(nvmlDeviceGetClock, device);
    NEED(to && (unsigned)type < NVML_CLOCK_COUNT);
    SUPPORTED(id == NVML_CLOCK_ID_CURRENT || id == NVML_CLOCK_ID_CUSTOMER_BOOST_MAX);
    *to = id == NVML_CLOCK_ID_CURRENT ? clock_now(&c, type) : clock_max(c.gpu->profile, type);
    return NVML_SUCCESS;
}

const struct throttle throttles[] = {
    {THROTTLE_POWER, NVML_PERF_POLICY_POWER, nvmlClocksEventReasonSwPowerCap},
    {THROTTLE_THERMAL, NVML_PERF_POLICY_THERMAL, nvmlClocksEventReasonSwThermalSlowdown},
    {THROTTLE_SYNC_BOOST, NVML_PERF_POLICY_SYNC_BOOST, nvmlClocksEventReasonSyncBoost},
    {THROTTLE_BOARD_LIMIT, NVML_PERF_POLICY_BOARD_LIMIT, 0}, /* its bit is newer than our branches */
    {THROTTLE_LOW_UTILIZATION, NVML_PERF_POLICY_LOW_UTILIZATION, 0},
    {THROTTLE_RELIABILITY, NVML_PERF_POLICY_RELIABILITY, 0},
    {THROTTLE_HW_THERMAL, NVML_PERF_POLICY_COUNT, nvmlClocksThrottleReasonHwSlowdown | nvmlClocksThrottleReasonHwThermalSlowdown},
    {THROTTLE_POWER_BRAKE, NVML_PERF_POLICY_COUNT,
     nvmlClocksThrottleReasonHwSlowdown | nvmlClocksThrottleReasonHwPowerBrakeSlowdown},
};
const int throttle_count = sizeof throttles / sizeof *throttles;

static unsigned long long reasons(const struct call *c)
{
    unsigned long long all = gpu_value(c->gpu, UTIL, c->t) == 0 ? nvmlClocksEventReasonGpuIdle : 0;
    for (int i = 0; i < throttle_count; i++)
        if (gpu_value(c->gpu, throttles[i].curve, c->t) > 0)
            all |= throttles[i].reason;
    return all;
}

static unsigned long long supported_reasons(void)
{
    unsigned long long all = nvmlClocksEventReasonGpuIdle | nvmlClocksEventReasonApplicationsClocksSetting;
    for (int i = 0; i < throttle_count; i++)
        all |= throttles[i].reason;
    return all;
}

#define REASONS(fn, value)                                       \
    nvmlReturn_t fn(nvmlDevice_t device, unsigned long long *to) \
    {                                                            \
        ENTER_DEVICE(fn, device);                                \
        NEED(to);                                                \
        *to = value;                                             \
        return NVML_SUCCESS;                                     \
    }

REASONS(nvmlDeviceGetCurrentClocksEventReasons, reasons(&c))
REASONS(nvmlDeviceGetCurrentClocksThrottleReasons, reasons(&c))
REASONS(nvmlDeviceGetSupportedClocksEventReasons, supported_reasons())
REASONS(nvmlDeviceGetSupportedClocksThrottleReasons, supported_reasons())

nvmlReturn_t nvmlDeviceGetViolationStatus(nvmlDevice_t device, nvmlPerfPolicyType_t policy, nvmlViolationTime_t *to)
{
    ENTER_DEVICE(nvmlDeviceGetViolationStatus, device);
    NEED(to && (unsigned)policy < NVML_PERF_POLICY_COUNT);
    for (int i = 0; i < throttle_count; i++)
        if (throttles[i].policy == (unsigned)policy) {
            to->referenceTime = wall_us(c.boot);
            to->violationTime = (unsigned long long)(gpu_counter(c.gpu, throttles[i].curve, c.t) * 1e7); /* % s to ns */
            return NVML_SUCCESS;
        }
    return NVML_ERROR_NOT_SUPPORTED;
}
