/* Power, energy and performance states. */
#include "sim.h"

/* mW; a 1 s average where the model averages, nvml.h. */
static unsigned milliwatts(const struct call *c)
{
    double watts = c->gpu->profile->averages_power ? gpu_average(c->gpu, POWER, c->t - SECOND, c->t) : gpu_value(c->gpu, POWER, c->t);
    return (unsigned)(watts * 1000 + 0.5);
}

static unsigned limit(const struct call *c)
{
    return (unsigned)(level_at(c->gpu, POWER_LIMIT, c->t) * 1000 + 0.5);
}

static nvmlPstates_t pstate(const struct call *c)
{
    return c->gpu->profile->low_pstate && gpu_value(c->gpu, UTIL, c->t) == 0 ? NVML_PSTATE_8 : NVML_PSTATE_0;
}

#define VALUE(fn, type, value)                     \
    nvmlReturn_t fn(nvmlDevice_t device, type *to) \
    {                                              \
        ENTER_DEVICE(fn, device);                  \
        NEED(to);                                  \
        *to = (type)(value);                       \
        return NVML_SUCCESS;                       \
    }

/* A MIG device has no meter of its own: these two give what the whole GPU draws. */
nvmlReturn_t nvmlDeviceGetPowerUsage(nvmlDevice_t device, unsigned int *to)
{
    ENTER_ANY(nvmlDeviceGetPowerUsage, device);
    NEED(to);
    *to = milliwatts(&c);
    return NVML_SUCCESS;
}

/* mJ since the driver was loaded. */
nvmlReturn_t nvmlDeviceGetTotalEnergyConsumption(nvmlDevice_t device, unsigned long long *to)
{
    ENTER_ANY(nvmlDeviceGetTotalEnergyConsumption, device);
    NEED(to);
    *to = gpu_energy(c.gpu, c.t);
    return NVML_SUCCESS;
}

VALUE(nvmlDeviceGetPowerManagementMode, nvmlEnableState_t, NVML_FEATURE_ENABLED)
VALUE(nvmlDeviceGetPowerManagementLimit, unsigned int, limit(&c))
VALUE(nvmlDeviceGetPowerManagementDefaultLimit, unsigned int, c.gpu->profile->default_limit * 1000)
VALUE(nvmlDeviceGetEnforcedPowerLimit, unsigned int, limit(&c))
VALUE(nvmlDeviceGetPerformanceState, nvmlPstates_t, pstate(&c))
VALUE(nvmlDeviceGetPowerState, nvmlPstates_t, pstate(&c))

nvmlReturn_t nvmlDeviceGetPowerManagementLimitConstraints(nvmlDevice_t device, unsigned int *min, unsigned int *max)
{
    ENTER_DEVICE(nvmlDeviceGetPowerManagementLimitConstraints, device);
    NEED(min && max);
    *min = (unsigned)(c.gpu->profile->min_limit * 1000);
    *max = (unsigned)(c.gpu->profile->max_limit * 1000);
    return NVML_SUCCESS;
}
