/* Confidential computing, encryption of the memory, and licences of virtual GPUs. */
#include <string.h>

#include "sim.h"

static bool capable(const struct call *c)
{
    for (unsigned i = 0; i < c->scenario->gpu_count; i++)
        if (!c->scenario->gpus[i].profile->confidential)
            return false;
    return true;
}

nvmlReturn_t nvmlSystemGetConfComputeCapabilities(nvmlConfComputeSystemCaps_t *to)
{
    ENTER(nvmlSystemGetConfComputeCapabilities);
    NEED(to);
    to->cpuCaps = c.scenario->confidential ? NVML_CC_SYSTEM_CPU_CAPS_AMD_SEV : NVML_CC_SYSTEM_CPU_CAPS_NONE;
    to->gpusCaps = capable(&c);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlSystemGetConfComputeState(nvmlConfComputeSystemState_t *to)
{
    ENTER(nvmlSystemGetConfComputeState);
    NEED(to);
    SUPPORTED(capable(&c));
    to->environment = c.scenario->confidential ? NVML_CC_SYSTEM_ENVIRONMENT_PROD : NVML_CC_SYSTEM_ENVIRONMENT_UNAVAILABLE;
    to->ccFeature = c.scenario->confidential;
    to->devToolsMode = c.scenario->devtools;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlSystemGetConfComputeSettings(nvmlSystemConfComputeSettings_t *to)
{
    ENTER(nvmlSystemGetConfComputeSettings);
    NEED(to);
    VERSION(to->version, nvmlSystemConfComputeSettings_v1);
    SUPPORTED(capable(&c));
    to->environment = c.scenario->confidential ? NVML_CC_SYSTEM_ENVIRONMENT_PROD : NVML_CC_SYSTEM_ENVIRONMENT_UNAVAILABLE;
    to->ccFeature = c.scenario->confidential;
    to->devToolsMode = c.scenario->devtools;
    to->multiGpuMode = c.scenario->multi_gpu;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlSystemGetConfComputeGpusReadyState(unsigned int *to)
{
    ENTER(nvmlSystemGetConfComputeGpusReadyState);
    NEED(to);
    SUPPORTED(capable(&c) && c.scenario->confidential);
    *to = NVML_CC_ACCEPTING_CLIENT_REQUESTS_TRUE;
    return NVML_SUCCESS;
}

/* With the feature on all memory is protected, without it none. */
nvmlReturn_t nvmlDeviceGetConfComputeMemSizeInfo(nvmlDevice_t device, nvmlConfComputeMemSizeInfo_t *to)
{
    ENTER_DEVICE(nvmlDeviceGetConfComputeMemSizeInfo, device);
    NEED(to);
    SUPPORTED(c.gpu->profile->confidential);
    uint64_t kib = c.gpu->profile->memory >> 10;
    to->protectedMemSizeKib = c.scenario->confidential ? kib : 0;
    to->unprotectedMemSizeKib = c.scenario->confidential ? 0 : kib;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetConfComputeProtectedMemoryUsage(nvmlDevice_t device, nvmlMemory_t *to)
{
    ENTER_DEVICE(nvmlDeviceGetConfComputeProtectedMemoryUsage, device);
    NEED(to);
    SUPPORTED(c.gpu->profile->architecture >= NVML_DEVICE_ARCH_AMPERE);
    memset(to, 0, sizeof *to);
    if (!c.scenario->confidential || !c.gpu->profile->confidential)
        return NVML_SUCCESS;
    to->total = c.gpu->profile->memory;
    to->used = c.gpu->profile->reserved + gpu_memory_used(c.gpu, c.t);
    to->free = to->total - to->used;
    return NVML_SUCCESS;
}

/* Encrypted memory comes with Blackwell and follows the feature. */
nvmlReturn_t nvmlDeviceGetDramEncryptionMode(nvmlDevice_t device, nvmlDramEncryptionInfo_t *now, nvmlDramEncryptionInfo_t *pending)
{
    ENTER_DEVICE(nvmlDeviceGetDramEncryptionMode, device);
    NEED(now && pending);
    VERSION(now->version, nvmlDramEncryptionInfo_v1);
    VERSION(pending->version, nvmlDramEncryptionInfo_v1);
    SUPPORTED(c.gpu->profile->confidential && c.gpu->profile->architecture >= NVML_DEVICE_ARCH_BLACKWELL);
    now->encryptionState = pending->encryptionState = c.scenario->confidential ? NVML_FEATURE_ENABLED : NVML_FEATURE_DISABLED;
    return NVML_SUCCESS;
}

enum { NONE, UNLICENSED, LICENSED }; /* the words of vgpu */

static unsigned vgpu(const struct call *c)
{
    return (unsigned)level_at(c->gpu, VGPU, c->t);
}

nvmlReturn_t nvmlDeviceGetVirtualizationMode(nvmlDevice_t device, nvmlGpuVirtualizationMode_t *to)
{
    ENTER_DEVICE(nvmlDeviceGetVirtualizationMode, device);
    NEED(to);
    *to = vgpu(&c) == NONE ? NVML_GPU_VIRTUALIZATION_MODE_NONE : NVML_GPU_VIRTUALIZATION_MODE_VGPU;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetGridLicensableFeatures_v4(nvmlDevice_t device, nvmlGridLicensableFeatures_t *to)
{
    ENTER_DEVICE(nvmlDeviceGetGridLicensableFeatures_v4, device);
    NEED(to);
    memset(to, 0, sizeof *to);
    if (vgpu(&c) == NONE)
        return NVML_SUCCESS;
    to->isGridLicenseSupported = 1;
    to->licensableFeaturesCount = 1;
    nvmlGridLicensableFeature_t *f = to->gridLicensableFeatures;
    f->featureCode = NVML_GRID_LICENSE_FEATURE_CODE_COMPUTE;
    f->featureState = f->featureEnabled = vgpu(&c) == LICENSED;
    strcpy(f->productName, "NVIDIA Virtual Compute Server");
    f->licenseExpiry.status = vgpu(&c) == LICENSED ? NVML_GRID_LICENSE_EXPIRY_PERMANENT : NVML_GRID_LICENSE_EXPIRY_INVALID;
    return NVML_SUCCESS;
}
