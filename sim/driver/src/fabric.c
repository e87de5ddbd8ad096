/* The NVLink fabric, and where in a rack the GPU is. */
#include <stdio.h>
#include <string.h>

#include "sim.h"

/* A rack is one cluster; the trays of an HGX node are none, and have zeros. */
static void cluster(const struct call *c, unsigned char *to)
{
    uint64_t id[2] = {mix(c->scenario->seed, 0x2000), mix(c->scenario->seed, 0x2001)};
    memset(to, 0, NVML_GPU_FABRIC_UUID_LEN);
    if (c->gpu->profile->rack)
        memcpy(to, id, NVML_GPU_FABRIC_UUID_LEN);
}

static nvmlGpuFabricState_t state(const struct call *c)
{
    return (nvmlGpuFabricState_t)level_at(c->gpu, FABRIC_STATE, c->t);
}

static nvmlReturn_t status(const struct call *c)
{
    return (nvmlReturn_t)level_at(c->gpu, FABRIC_STATUS, c->t);
}

static unsigned clique(const struct call *c)
{
    return (unsigned)level_at(c->gpu, FABRIC_CLIQUE, c->t);
}

/* As the scenario says, else what the bits of the mask amount to. */
static unsigned char summary(const struct call *c, unsigned mask)
{
    if (c->gpu->levels[FABRIC_SUMMARY].given)
        return (unsigned char)level_at(c->gpu, FABRIC_SUMMARY, c->t);
    if (!mask)
        return NVML_GPU_FABRIC_HEALTH_SUMMARY_NOT_SUPPORTED; /* as on a node without a rack */
    bool well = NVML_GPU_FABRIC_HEALTH_GET(mask, _DEGRADED_BW) != NVML_GPU_FABRIC_HEALTH_MASK_DEGRADED_BW_TRUE &&
                NVML_GPU_FABRIC_HEALTH_GET(mask, _ROUTE_RECOVERY) != NVML_GPU_FABRIC_HEALTH_MASK_ROUTE_RECOVERY_TRUE &&
                NVML_GPU_FABRIC_HEALTH_GET(mask, _ROUTE_UNHEALTHY) != NVML_GPU_FABRIC_HEALTH_MASK_ROUTE_UNHEALTHY_TRUE &&
                NVML_GPU_FABRIC_HEALTH_GET(mask, _ACCESS_TIMEOUT_RECOVERY) !=
                    NVML_GPU_FABRIC_HEALTH_MASK_ACCESS_TIMEOUT_RECOVERY_TRUE &&
                NVML_GPU_FABRIC_HEALTH_GET(mask, _INCORRECT_CONFIGURATION) <=
                    NVML_GPU_FABRIC_HEALTH_MASK_INCORRECT_CONFIGURATION_NONE;
    return well ? NVML_GPU_FABRIC_HEALTH_SUMMARY_HEALTHY : NVML_GPU_FABRIC_HEALTH_SUMMARY_UNHEALTHY;
}

nvmlReturn_t nvmlDeviceGetGpuFabricInfo(nvmlDevice_t device, nvmlGpuFabricInfo_t *to)
{
    ENTER_DEVICE(nvmlDeviceGetGpuFabricInfo, device);
    NEED(to);
    SUPPORTED(c.gpu->profile->fabric);
    *to = (nvmlGpuFabricInfo_t){.state = state(&c), .status = status(&c), .cliqueId = clique(&c)};
    cluster(&c, to->clusterUuid);
    return NVML_SUCCESS;
}

/* v3 is v2 with a summary behind it; the header gives both one name. */
nvmlReturn_t nvmlDeviceGetGpuFabricInfoV(nvmlDevice_t device, nvmlGpuFabricInfoV_t *to)
{
    ENTER_DEVICE(nvmlDeviceGetGpuFabricInfoV, device);
    NEED(to);
    bool v3 = to->version == nvmlGpuFabricInfo_v3 && branch.number >= 570;
    if (to->version != nvmlGpuFabricInfo_v2 && !v3)
        return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    SUPPORTED(c.gpu->profile->fabric);
    nvmlGpuFabricInfo_v2_t *info = (nvmlGpuFabricInfo_v2_t *)to;
    *info = (nvmlGpuFabricInfo_v2_t){
        .version = to->version,
        .state = state(&c),
        .status = status(&c),
        .cliqueId = clique(&c),
        .healthMask = (unsigned)level_at(c.gpu, FABRIC_HEALTH, c.t),
    };
    cluster(&c, info->clusterUuid);
    if (v3)
        to->healthSummary = summary(&c, info->healthMask);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetGpuFabricInfo_v4(nvmlDevice_t device, nvmlGpuFabricInfo_v4_t *to)
{
    ENTER_DEVICE(nvmlDeviceGetGpuFabricInfo_v4, device);
    NEED(to);
    SUPPORTED(c.gpu->profile->fabric);
    memset(to, 0, sizeof *to);
    cluster(&c, to->clusterUuid);
    to->state = state(&c);
    to->status = status(&c);
    to->numCliques = 1;
    to->cliques[0] = (nvmlGpuFabricClique_v1_t){NVML_GPU_FABRIC_CLIQUE_TYPE_UNICAST_POINTER, clique(&c)};
    to->healthMask = (unsigned)level_at(c.gpu, FABRIC_HEALTH, c.t);
    to->healthSummary = summary(&c, to->healthMask);
    return NVML_SUCCESS;
}

#define PER_TRAY 4 /* GPUs of a compute tray; nine switch trays lie in the middle of the rack */

/* v1 has the rack's GUID where v2 has the chassis' serial number, in as many bytes. */
nvmlReturn_t nvmlDeviceGetPlatformInfo(nvmlDevice_t device, nvmlPlatformInfo_t *to)
{
    ENTER_DEVICE(nvmlDeviceGetPlatformInfo, device);
    NEED(to);
    unsigned version = to->version, tray = c.gpu->index / PER_TRAY, module = c.gpu->index % PER_TRAY + 1;
    if (version != nvmlPlatformInfo_v2 && version != nvmlPlatformInfo_v1)
        return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    SUPPORTED(c.gpu->profile->architecture >= NVML_DEVICE_ARCH_ADA); /* nvml.h says Blackwell; captures say more */
    *to = (nvmlPlatformInfo_t){.version = version, .moduleId = (unsigned char)module, .hostId = 1};
    if (!c.gpu->profile->rack)
        return NVML_SUCCESS;
    uint64_t guid = mix(c.scenario->seed, 0x3000 + c.gpu->index), chassis = mix(c.scenario->seed, 0x4000);
    memcpy(to->ibGuid, &guid, sizeof guid);
    char serial[17];
    snprintf(serial, sizeof serial, "18%011llu", (unsigned long long)(chassis % 100000000000));
    memcpy(to->chassisSerialNumber, serial, 13);
    to->slotNumber = (unsigned char)(tray < 10 ? tray + 1 : tray + 10);
    to->trayIndex = (unsigned char)tray;
    to->peerType = 1; /* a switch */
    return NVML_SUCCESS;
}
