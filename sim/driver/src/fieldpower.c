/* Field values of power, energy, temperature and of what keeps the clocks down. */
#include <math.h>

#include "field.h"

enum scope { GPU, MODULE, BASE }; /* of power fields, nvml.h */

static nvmlReturn_t energy(const struct call *c, const struct ask *a, double *value)
{
    (void)a;
    *value = (double)gpu_energy(c->gpu, c->t);
    return NVML_SUCCESS;
}

/* ns, of a curve in percent of the time. */
static nvmlReturn_t throttled(const struct call *c, const struct ask *a, double *value)
{
    *value = gpu_counter(c->gpu, (enum curve_id)a->arg, c->t) * 1e7;
    return NVML_SUCCESS;
}

static nvmlReturn_t memory_temperature(const struct call *c, const struct ask *a, double *value)
{
    (void)a;
    SUPPORTED(c->gpu->profile->memory_sensor);
    *value = round(gpu_value(c->gpu, MEMORY_TEMPERATURE, c->t));
    return NVML_SUCCESS;
}

/* arg: average, or this moment. A module has its CPU beside the GPU. */
static nvmlReturn_t power(const struct call *c, const struct ask *a, double *value)
{
    const struct profile *p = c->gpu->profile;
    SUPPORTED(a->scope == GPU || (a->scope == MODULE && p->module_watts > 0));
    SUPPORTED(!a->arg || p->averages_power);
    double watts = a->arg ? gpu_average(c->gpu, POWER, c->t - SECOND, c->t) : gpu_value(c->gpu, POWER, c->t);
    *value = round((watts + (a->scope == MODULE ? p->module_watts : 0)) * 1000); /* mW */
    return NVML_SUCCESS;
}

static nvmlReturn_t limit(const struct call *c, const struct ask *a, double *value)
{
    const struct profile *p = c->gpu->profile;
    SUPPORTED(a->scope == GPU || (a->scope == MODULE && p->module_watts > 0));
    const double watts[] = {p->min_limit, p->max_limit, p->default_limit, level_at(c->gpu, POWER_LIMIT, c->t),
                            level_at(c->gpu, POWER_REQUESTED, c->t)};
    *value = (watts[a->arg] + (a->scope == MODULE ? p->module_watts : 0)) * 1000;
    return NVML_SUCCESS;
}

/* Degrees between a threshold and the one at which clocks are lowered. */
static nvmlReturn_t threshold(const struct call *c, const struct ask *a, double *value)
{
    const struct profile *p = c->gpu->profile;
    SUPPORTED(p->architecture >= NVML_DEVICE_ARCH_ADA && (a->index != 2 || p->memory_max));
    const unsigned at[] = {p->shutdown, p->slowdown, 0, p->gpu_max};
    *value = a->index == 2 ? 0 : (double)p->gpu_max - at[a->index];
    return NVML_SUCCESS;
}

static nvmlReturn_t edpp(const struct call *c, const struct ask *a, double *value)
{
    SUPPORTED(c->gpu->profile->architecture >= NVML_DEVICE_ARCH_HOPPER);
    return field_level(c, a, value);
}

/* Fields 251 to 264 in order: what a GPU with the default profile says. */
static nvmlReturn_t smoothing(const struct call *c, const struct ask *a, double *value)
{
    const struct profile *p = c->gpu->profile;
    SUPPORTED(p->smooths_power);
    double on = level_at(c->gpu, POWER_SMOOTHING, c->t), enforced = level_at(c->gpu, POWER_LIMIT, c->t);
    const double values[] = {on, 0, 0, on * enforced, on * enforced / 2, 50, 0, 100, 5, 50, 50000, 50000, 1000, 0};
    NEED(a->index < 9 || a->index > 12 || a->scope < values[8]); /* of one preset profile */
    *value = values[a->index];
    return NVML_SUCCESS;
}

const struct field power_fields[] = {
    {NVML_FI_DEV_PERF_POLICY_POWER, 0, 470, ULL, throttled, THROTTLE_POWER},
    {NVML_FI_DEV_PERF_POLICY_THERMAL, 0, 470, ULL, throttled, THROTTLE_THERMAL},
    {NVML_FI_DEV_PERF_POLICY_SYNC_BOOST, 0, 470, ULL, throttled, THROTTLE_SYNC_BOOST},
    {NVML_FI_DEV_PERF_POLICY_BOARD_LIMIT, 0, 470, ULL, throttled, THROTTLE_BOARD_LIMIT},
    {NVML_FI_DEV_PERF_POLICY_LOW_UTILIZATION, 0, 470, ULL, throttled, THROTTLE_LOW_UTILIZATION},
    {NVML_FI_DEV_PERF_POLICY_RELIABILITY, 0, 470, ULL, throttled, THROTTLE_RELIABILITY},
    {NVML_FI_DEV_PERF_POLICY_TOTAL_APP_CLOCKS, 0, 470, ULL, throttled, THROTTLE_APP_CLOCKS},
    {NVML_FI_DEV_PERF_POLICY_TOTAL_BASE_CLOCKS, 0, 470, ULL, throttled, THROTTLE_BASE_CLOCKS},
    {NVML_FI_DEV_CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN, 0, 580, ULL, throttled, THROTTLE_THERMAL},
    {NVML_FI_DEV_CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN, 0, 580, ULL, throttled, THROTTLE_HW_THERMAL},
    {NVML_FI_DEV_CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN, 0, 580, ULL, throttled, THROTTLE_POWER_BRAKE},
    {NVML_FI_DEV_MEMORY_TEMP, 0, 470, UINT, memory_temperature, 0},
    {NVML_FI_DEV_TEMPERATURE_SHUTDOWN_TLIMIT, NVML_FI_DEV_TEMPERATURE_GPU_MAX_TLIMIT, 535, SIGNED, threshold, 0},
    {NVML_FI_DEV_TOTAL_ENERGY_CONSUMPTION, 0, 470, ULL, energy, 0},
    {NVML_FI_DEV_ENERGY, 0, 535, ULL, energy, 0},
    {NVML_FI_DEV_POWER_AVERAGE, 0, 535, UINT, power, 1},
    {NVML_FI_DEV_POWER_INSTANT, 0, 535, UINT, power, 0},
    {NVML_FI_DEV_POWER_MIN_LIMIT, 0, 535, UINT, limit, 0},
    {NVML_FI_DEV_POWER_MAX_LIMIT, 0, 535, UINT, limit, 1},
    {NVML_FI_DEV_POWER_DEFAULT_LIMIT, 0, 535, UINT, limit, 2},
    {NVML_FI_DEV_POWER_CURRENT_LIMIT, 0, 535, UINT, limit, 3},
    {NVML_FI_DEV_POWER_REQUESTED_LIMIT, 0, 535, UINT, limit, 4},
    {NVML_FI_PWR_SMOOTHING_ENABLED, NVML_FI_PWR_SMOOTHING_ACTIVE_PRESET_PROFILE, 570, UINT, smoothing, 0},
    {NVML_FI_DEV_EDPP_MULTIPLIER, 0, 590, UINT, edpp, EDPP},
    {0},
};
