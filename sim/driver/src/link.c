/* PCIe and NVLink. */
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

/* Mbps of all lanes by generation: 0, 1 … */
static unsigned pcie_speed(unsigned generation)
{
    static const unsigned speeds[] = {0, 2500, 5000, 8000, 16000, 32000, 64000};
    return generation < sizeof speeds / sizeof *speeds ? speeds[generation] : 0;
}

static unsigned pcie_max(unsigned generation)
{
    static const unsigned codes[] = {0, NVML_PCIE_LINK_MAX_SPEED_2500MBPS, NVML_PCIE_LINK_MAX_SPEED_5000MBPS,
                                     NVML_PCIE_LINK_MAX_SPEED_8000MBPS, NVML_PCIE_LINK_MAX_SPEED_16000MBPS,
                                     NVML_PCIE_LINK_MAX_SPEED_32000MBPS, NVML_PCIE_LINK_MAX_SPEED_64000MBPS};
    return generation < sizeof codes / sizeof *codes ? codes[generation] : 0;
}

VALUE(nvmlDeviceGetPcieSpeed, pcie_speed((unsigned)level_at(c.gpu, PCIE_GENERATION, c.t)))
VALUE(nvmlDeviceGetPcieLinkMaxSpeed, pcie_max(c.gpu->profile->pcie_generation))

/* The last links are the first to be down. */
bool link_up(const struct call *c, unsigned link)
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

/* The scenario counts per GPU; the faulty link has all of it. */
double link_errors(const struct call *c, enum level_id id, unsigned link)
{
    return link == (unsigned)level_at(c->gpu, NVLINK_FAULTY, c->t) ? level_at(c->gpu, id, c->t) : 0;
}

nvmlReturn_t nvmlDeviceGetNvLinkErrorCounter(nvmlDevice_t device, unsigned int link, nvmlNvLinkErrorCounter_t counter,
                                             unsigned long long *to)
{
    static const enum level_id levels[] = {
        [NVML_NVLINK_ERROR_DL_REPLAY] = NVLINK_REPLAY,
        [NVML_NVLINK_ERROR_DL_RECOVERY] = NVLINK_RECOVERY,
        [NVML_NVLINK_ERROR_DL_CRC_FLIT] = NVLINK_CRC,
        [NVML_NVLINK_ERROR_DL_CRC_DATA] = NVLINK_CRC_DATA,
        [NVML_NVLINK_ERROR_DL_ECC_DATA] = NVLINK_ECC,
    };
    ENTER_DEVICE(nvmlDeviceGetNvLinkErrorCounter, device);
    NEED(to && link < NVML_NVLINK_MAX_LINKS && (unsigned)counter < NVML_NVLINK_ERROR_COUNT);
    SUPPORTED(c.gpu->profile->nvlinks && c.gpu->profile->nvlink_version < 5);
    NEED(link < c.gpu->profile->nvlinks);
    *to = (unsigned long long)link_errors(&c, levels[counter], link);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetNvLinkCapability(nvmlDevice_t device, unsigned int link, nvmlNvLinkCapability_t capability,
                                           unsigned int *to)
{
    ENTER_DEVICE(nvmlDeviceGetNvLinkCapability, device);
    NEED(to && link < NVML_NVLINK_MAX_LINKS && (unsigned)capability < NVML_NVLINK_CAP_COUNT);
    SUPPORTED(c.gpu->profile->nvlinks);
    NEED(link < c.gpu->profile->nvlinks);
    *to = capability != NVML_NVLINK_CAP_SLI_BRIDGE;
    return NVML_SUCCESS;
}

/* Models with a fabric sit on switches, the others on each other. */
nvmlReturn_t nvmlDeviceGetNvLinkRemoteDeviceType(nvmlDevice_t device, unsigned int link, nvmlIntNvLinkDeviceType_t *to)
{
    ENTER_DEVICE(nvmlDeviceGetNvLinkRemoteDeviceType, device);
    NEED(to && link < NVML_NVLINK_MAX_LINKS);
    SUPPORTED(c.gpu->profile->nvlinks);
    NEED(link < c.gpu->profile->nvlinks);
    *to = c.gpu->profile->fabric ? NVML_NVLINK_DEVICE_TYPE_SWITCH : NVML_NVLINK_DEVICE_TYPE_GPU;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetC2cModeInfoV(nvmlDevice_t device, nvmlC2cModeInfo_v1_t *to)
{
    ENTER_DEVICE(nvmlDeviceGetC2cModeInfoV, device);
    NEED(to);
    SUPPORTED(c.gpu->profile->architecture >= NVML_DEVICE_ARCH_HOPPER);
    to->isC2cEnabled = c.gpu->profile->c2c_links > 0;
    return NVML_SUCCESS;
}
