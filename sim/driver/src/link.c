/* PCIe, NVLink and the NVLink fabric. */
#include "sim.h"

#define VALUE(fn, value)                                   \
    nvmlReturn_t fn(nvmlDevice_t device, unsigned int *to) \
    {                                                      \
        ENTER_DEVICE(fn, device);                          \
        NEED(to);                                          \
        *to = (unsigned)(value);                           \
        return NVML_SUCCESS;                               \
    }

VALUE(nvmlDeviceGetPcieReplayCounter, level_at(c.gpu, PCIE_REPLAY, c.t))
VALUE(nvmlDeviceGetCurrPcieLinkGeneration, level_at(c.gpu, PCIE_GENERATION, c.t))
VALUE(nvmlDeviceGetCurrPcieLinkWidth, level_at(c.gpu, PCIE_WIDTH, c.t))
VALUE(nvmlDeviceGetMaxPcieLinkGeneration, c.gpu->profile->pcie_generation)
VALUE(nvmlDeviceGetGpuMaxPcieLinkGeneration, c.gpu->profile->pcie_generation)
VALUE(nvmlDeviceGetMaxPcieLinkWidth, c.gpu->profile->pcie_width)

/* The real one counts for 20 ms and returns KB/s, nvml.h. */
nvmlReturn_t nvmlDeviceGetPcieThroughput(nvmlDevice_t device, nvmlPcieUtilCounter_t counter, unsigned int *to)
{
    const int64_t window = 20 * 1000000;
    ENTER_DEVICE(nvmlDeviceGetPcieThroughput, device);
    NEED(to && (unsigned)counter < NVML_PCIE_UTIL_COUNT);
    node_sleep(window);
    enum curve_id id = counter == NVML_PCIE_UTIL_TX_BYTES ? PCIE_TX : PCIE_RX;
    *to = (unsigned)(gpu_average(c.gpu, id, c.t, c.t + window) / 1000);
    return NVML_SUCCESS;
}

/* The last links are the first to be down. */
static bool link_up(const struct call *c, unsigned link)
{
    return link + (unsigned)level_at(c->gpu, NVLINK_DOWN, c->t) < c->gpu->profile->nvlinks;
}

nvmlReturn_t nvmlDeviceGetNvLinkState(nvmlDevice_t device, unsigned int link, nvmlEnableState_t *to)
{
    ENTER_DEVICE(nvmlDeviceGetNvLinkState, device);
    NEED(to && link < NVML_NVLINK_MAX_LINKS);
    SUPPORTED(c.gpu->profile->nvlinks);
    NEED(link < c.gpu->profile->nvlinks);
    *to = link_up(&c, link) ? NVML_FEATURE_ENABLED : NVML_FEATURE_DISABLED;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetNvLinkVersion(nvmlDevice_t device, unsigned int link, unsigned int *to)
{
    ENTER_DEVICE(nvmlDeviceGetNvLinkVersion, device);
    NEED(to && link < NVML_NVLINK_MAX_LINKS);
    SUPPORTED(c.gpu->profile->nvlinks);
    NEED(link < c.gpu->profile->nvlinks);
    *to = c.gpu->profile->nvlink_version;
    return NVML_SUCCESS;
}

/* The scenario counts per GPU; link 0 has all of it. */
nvmlReturn_t nvmlDeviceGetNvLinkErrorCounter(nvmlDevice_t device, unsigned int link, nvmlNvLinkErrorCounter_t counter,
                                             unsigned long long *to)
{
    static const enum level_id levels[] = {
        [NVML_NVLINK_ERROR_DL_REPLAY] = NVLINK_REPLAY,
        [NVML_NVLINK_ERROR_DL_RECOVERY] = NVLINK_RECOVERY,
        [NVML_NVLINK_ERROR_DL_CRC_FLIT] = NVLINK_CRC,
    };
    ENTER_DEVICE(nvmlDeviceGetNvLinkErrorCounter, device);
    NEED(to && link < NVML_NVLINK_MAX_LINKS && (unsigned)counter < NVML_NVLINK_ERROR_COUNT);
    SUPPORTED(c.gpu->profile->nvlinks && (unsigned)counter < sizeof levels / sizeof *levels);
    NEED(link < c.gpu->profile->nvlinks);
    *to = link ? 0 : (unsigned long long)level_at(c.gpu, levels[counter], c.t);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetGpuFabricInfo(nvmlDevice_t device, nvmlGpuFabricInfo_t *to)
{
    ENTER_DEVICE(nvmlDeviceGetGpuFabricInfo, device);
    NEED(to);
    SUPPORTED(c.gpu->profile->fabric);
    *to = (nvmlGpuFabricInfo_t){.state = (nvmlGpuFabricState_t)level_at(c.gpu, FABRIC_STATE, c.t)};
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
        .state = (nvmlGpuFabricState_t)level_at(c.gpu, FABRIC_STATE, c.t),
        .healthMask = (unsigned)level_at(c.gpu, FABRIC_HEALTH, c.t),
    };
    if (v3)
        to->healthSummary = info->healthMask ? NVML_GPU_FABRIC_HEALTH_SUMMARY_UNHEALTHY : NVML_GPU_FABRIC_HEALTH_SUMMARY_HEALTHY;
    return NVML_SUCCESS;
}
