/* Temperatures and fans. */
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

/* Fans turn with the temperature; most models are cooled by their server. */
static unsigned fan_speed(const struct call *c)
{
    double above = gpu_value(c->gpu, TEMPERATURE, c->t) - c->gpu->profile->idle_celsius;
    double range = c->gpu->profile->busy_celsius - c->gpu->profile->idle_celsius;
    double speed = 30 + 70 * above / range;
    return speed < 30 ? 30 : speed > 100 ? 100 : (unsigned)lround(speed);
}

nvmlReturn_t nvmlDeviceGetFanSpeed(nvmlDevice_t device, unsigned int *to)
{
    ENTER_DEVICE(nvmlDeviceGetFanSpeed, device);
    NEED(to);
    SUPPORTED(c.gpu->profile->fans);
    *to = fan_speed(&c);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetFanSpeed_v2(nvmlDevice_t device, unsigned int fan, unsigned int *to)
{
    ENTER_DEVICE(nvmlDeviceGetFanSpeed_v2, device);
    NEED(to);
    SUPPORTED(c.gpu->profile->fans);
    NEED(fan < c.gpu->profile->fans);
    *to = fan_speed(&c);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetFanSpeedRPM(nvmlDevice_t device, nvmlFanSpeedInfo_t *to)
{
    ENTER_DEVICE(nvmlDeviceGetFanSpeedRPM, device);
    NEED(to);
    VERSION(to->version, nvmlFanSpeedInfo_v1);
    SUPPORTED(c.gpu->profile->fans);
    NEED(to->fan < c.gpu->profile->fans);
    to->speed = fan_speed(&c) * 40;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetNumFans(nvmlDevice_t device, unsigned int *to)
{
    ENTER_DEVICE(nvmlDeviceGetNumFans, device);
    NEED(to);
    *to = c.gpu->profile->fans;
    return NVML_SUCCESS;
}
