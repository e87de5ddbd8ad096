/* Clocks, and what keeps them down. */
#include <math.h>

#include "sim.h"

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
    NEED((unsigned)id < NVML_CLOCK_ID_COUNT);
    *to = id == NVML_CLOCK_ID_CURRENT ? clock_now(&c, type) : clock_max(c.gpu->profile, type);
    return NVML_SUCCESS;
}

/* Nobody has set clocks here: what applications ask for is the most there is. */
#define MOST(fn)                                                                     \
    nvmlReturn_t fn(nvmlDevice_t device, nvmlClockType_t type, unsigned int *to)     \
    {                                                                                \
        ENTER_DEVICE(fn, device);                                                    \
        NEED(to && (unsigned)type < NVML_CLOCK_COUNT);                               \
        nvmlReturn_t rc = application(FN_##fn, type);                                \
        if (rc != NVML_SUCCESS)                                                      \
            return rc;                                                               \
        *to = clock_max(c.gpu->profile, type);                                       \
        return NVML_SUCCESS;                                                         \
    }

/* Application clocks are of two domains only, and no more with the branches since 590. */
static nvmlReturn_t application(enum function fn, nvmlClockType_t type)
{
    if (fn == FN_nvmlDeviceGetMaxCustomerBoostClock)
        return NVML_SUCCESS;
    if (branch.number >= 590)
        return NVML_ERROR_DEPRECATED;
    return type == NVML_CLOCK_GRAPHICS || type == NVML_CLOCK_MEM ? NVML_SUCCESS : NVML_ERROR_NOT_SUPPORTED;
}

MOST(nvmlDeviceGetApplicationsClock)
MOST(nvmlDeviceGetDefaultApplicationsClock)
MOST(nvmlDeviceGetMaxCustomerBoostClock)

const struct throttle throttles[] = {
    {THROTTLE_POWER, NVML_PERF_POLICY_POWER, nvmlClocksEventReasonSwPowerCap},
    {THROTTLE_THERMAL, NVML_PERF_POLICY_THERMAL, nvmlClocksEventReasonSwThermalSlowdown},
    {THROTTLE_SYNC_BOOST, NVML_PERF_POLICY_SYNC_BOOST, nvmlClocksEventReasonSyncBoost},
    {THROTTLE_BOARD_LIMIT, NVML_PERF_POLICY_BOARD_LIMIT, nvmlClocksEventReasonBoardLimit},
    {THROTTLE_LOW_UTILIZATION, NVML_PERF_POLICY_LOW_UTILIZATION, 0},
    {THROTTLE_RELIABILITY, NVML_PERF_POLICY_RELIABILITY, nvmlClocksEventReasonReliability},
    {THROTTLE_APP_CLOCKS, NVML_PERF_POLICY_TOTAL_APP_CLOCKS, 0},
    {THROTTLE_BASE_CLOCKS, NVML_PERF_POLICY_TOTAL_BASE_CLOCKS, 0},
    {THROTTLE_HW_THERMAL, NVML_PERF_POLICY_COUNT, nvmlClocksThrottleReasonHwSlowdown | nvmlClocksThrottleReasonHwThermalSlowdown},
    {THROTTLE_POWER_BRAKE, NVML_PERF_POLICY_COUNT,
     nvmlClocksThrottleReasonHwSlowdown | nvmlClocksThrottleReasonHwPowerBrakeSlowdown},
};
const int throttle_count = sizeof throttles / sizeof *throttles;

/* Two bits came with 615. */
static unsigned long long supported_reasons(void)
{
    return branch.number >= 615 ? 0x7ff : 0x1ff;
}

static unsigned long long reasons(const struct call *c)
{
    unsigned long long all = gpu_value(c->gpu, UTIL, c->t) == 0 ? nvmlClocksEventReasonGpuIdle : 0;
    for (int i = 0; i < throttle_count; i++)
        if (gpu_value(c->gpu, throttles[i].curve, c->t) > 0)
            all |= throttles[i].reason;
    return all & supported_reasons();
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
