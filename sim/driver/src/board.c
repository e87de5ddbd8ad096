/* What the board keeps: InfoROM, odometer, and what its firmware says. */
#include <stdio.h>

#include "sim.h"

static nvmlReturn_t text_or_none(char *to, unsigned length, const char *text)
{
    SUPPORTED(text);
    return call_text(to, length, text);
}

nvmlReturn_t nvmlDeviceGetInforomImageVersion(nvmlDevice_t device, char *version, unsigned int length)
{
    ENTER_DEVICE(nvmlDeviceGetInforomImageVersion, device);
    return text_or_none(version, length, c.gpu->profile->image);
}

nvmlReturn_t nvmlDeviceGetInforomVersion(nvmlDevice_t device, nvmlInforomObject_t object, char *version, unsigned int length)
{
    ENTER_DEVICE(nvmlDeviceGetInforomVersion, device);
    NEED((unsigned)object < NVML_INFOROM_COUNT);
    const struct profile *p = c.gpu->profile;
    const char *const texts[NVML_INFOROM_COUNT] = {
        [NVML_INFOROM_OEM] = p->oem, [NVML_INFOROM_ECC] = p->ecc, [NVML_INFOROM_POWER] = p->pwr};
    return text_or_none(version, length, texts[object]);
}

nvmlReturn_t nvmlDeviceGetInforomConfigurationChecksum(nvmlDevice_t device, unsigned int *to)
{
    ENTER_DEVICE(nvmlDeviceGetInforomConfigurationChecksum, device);
    NEED(to);
    SUPPORTED(c.gpu->profile->image);
    *to = (unsigned)mix(c.gpu->profile->device_id, c.gpu->profile->subsystem_id);
    return NVML_SUCCESS;
}

/* Seconds with a driver: the board's past, and since the node booted. */
nvmlReturn_t nvmlDeviceGetBBXTimeData_v1(nvmlDevice_t device, nvmlBBXTimeData_v1_t *to)
{
    ENTER_DEVICE(nvmlDeviceGetBBXTimeData_v1, device);
    NEED(to);
    SUPPORTED(c.gpu->profile->image);
    to->timeRun = (unsigned)(level_at(c.gpu, ODOMETER, c.t) + (double)(c.boot / SECOND));
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetPdi(nvmlDevice_t device, nvmlPdi_t *to)
{
    ENTER_DEVICE(nvmlDeviceGetPdi, device);
    NEED(to);
    VERSION(to->version, nvmlPdi_v1);
    to->value = mix(c.scenario->seed, 0x5000 + c.gpu->index);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetGspFirmwareVersion(nvmlDevice_t device, char *version)
{
    ENTER_DEVICE(nvmlDeviceGetGspFirmwareVersion, device);
    SUPPORTED(c.gpu->profile->architecture >= NVML_DEVICE_ARCH_TURING);
    return call_text(version, NVML_GSP_FIRMWARE_VERSION_BUF_SIZE, c.scenario->driver);
}

nvmlReturn_t nvmlDeviceGetGspFirmwareMode(nvmlDevice_t device, unsigned int *enabled, unsigned int *by_default)
{
    ENTER_DEVICE(nvmlDeviceGetGspFirmwareMode, device);
    NEED(enabled && by_default);
    SUPPORTED(c.gpu->profile->architecture >= NVML_DEVICE_ARCH_TURING);
    *enabled = *by_default = 1;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetAddressingMode(nvmlDevice_t device, nvmlDeviceAddressingMode_t *to)
{
    ENTER_DEVICE(nvmlDeviceGetAddressingMode, device);
    NEED(to);
    VERSION(to->version, nvmlDeviceAddressingMode_v1);
    SUPPORTED(c.gpu->profile->architecture >= NVML_DEVICE_ARCH_TURING);
    to->value = (unsigned)level_at(c.gpu, ADDRESSING, c.t);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlSystemGetDriverBranch(nvmlSystemDriverBranchInfo_t *to, unsigned int length)
{
    ENTER(nvmlSystemGetDriverBranch);
    NEED(to);
    VERSION(to->version, nvmlSystemDriverBranchInfo_v1);
    char text[32];
    snprintf(text, sizeof text, "r%u_00", branch.number);
    return call_text(to->branch, length, text);
}
