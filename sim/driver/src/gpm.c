/* GPM (Hopper and later): true averages between two samples of a GPU. */
#include <stdlib.h>

#include "sim.h"

struct nvmlGpmSample_st {
    bool taken;
    unsigned gpu, nvlinks;
    int64_t boot;
    double counters[CURVE_COUNT];
};

/* Averages are in percent; traffic is in MiB/s. */
static const struct {
    enum curve_id curve;
    double scale; /* 0: no such metric */
} metrics[NVML_GPM_METRIC_MAX] = {
    [NVML_GPM_METRIC_GRAPHICS_UTIL] = {UTIL, 1},
    [NVML_GPM_METRIC_SM_UTIL] = {SM_ACTIVE, 1},
    [NVML_GPM_METRIC_SM_OCCUPANCY] = {SM_OCCUPANCY, 1},
    [NVML_GPM_METRIC_INTEGER_UTIL] = {INTEGER, 1},
    [NVML_GPM_METRIC_ANY_TENSOR_UTIL] = {TENSOR, 1},
    [NVML_GPM_METRIC_HMMA_TENSOR_UTIL] = {TENSOR, 1},
    [NVML_GPM_METRIC_DRAM_BW_UTIL] = {DRAM, 1},
    [NVML_GPM_METRIC_FP64_UTIL] = {FP64, 1},
    [NVML_GPM_METRIC_FP32_UTIL] = {FP32, 1},
    [NVML_GPM_METRIC_FP16_UTIL] = {FP16, 1},
    [NVML_GPM_METRIC_PCIE_TX_PER_SEC] = {PCIE_TX, 0x1p-20},
    [NVML_GPM_METRIC_PCIE_RX_PER_SEC] = {PCIE_RX, 0x1p-20},
    [NVML_GPM_METRIC_NVDEC_0_UTIL] = {DECODER, 1},
    [NVML_GPM_METRIC_NVJPG_0_UTIL] = {JPEG, 1},
    [NVML_GPM_METRIC_NVOFA_0_UTIL] = {OFA, 1},
    [NVML_GPM_METRIC_NVLINK_TOTAL_RX_PER_SEC] = {NVLINK_RX, 0x1p-20},
    [NVML_GPM_METRIC_NVLINK_TOTAL_TX_PER_SEC] = {NVLINK_TX, 0x1p-20},
};

nvmlReturn_t nvmlGpmQueryDeviceSupport(nvmlDevice_t device, nvmlGpmSupport_t *to)
{
    ENTER_DEVICE(nvmlGpmQueryDeviceSupport, device);
    NEED(to);
    if (to->version != NVML_GPM_SUPPORT_VERSION)
        return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    to->isSupportedDevice = c.gpu->profile->gpm;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlGpmSampleAlloc(nvmlGpmSample_t *sample)
{
    ENTER(nvmlGpmSampleAlloc);
    NEED(sample);
    *sample = calloc(1, sizeof **sample);
    return *sample ? NVML_SUCCESS : NVML_ERROR_MEMORY;
}

nvmlReturn_t nvmlGpmSampleFree(nvmlGpmSample_t sample)
{
    ENTER(nvmlGpmSampleFree);
    NEED(sample);
    free(sample);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlGpmSampleGet(nvmlDevice_t device, nvmlGpmSample_t sample)
{
    ENTER_DEVICE(nvmlGpmSampleGet, device);
    NEED(sample);
    SUPPORTED(c.gpu->profile->gpm);
    sample->taken = true;
    sample->gpu = c.gpu->index;
    sample->nvlinks = c.gpu->profile->nvlinks;
    sample->boot = c.boot;
    for (int id = 0; id < CURVE_COUNT; id++)
        sample->counters[id] = gpu_counter(c.gpu, (enum curve_id)id, c.t);
    return NVML_SUCCESS;
}

/* Receive and transmit of link 0, 1 … in turn; the header continues elsewhere
 * after link 17. */
static bool link_metric(unsigned id, unsigned nvlinks)
{
    return id >= NVML_GPM_METRIC_NVLINK_L0_RX_PER_SEC && (id - NVML_GPM_METRIC_NVLINK_L0_RX_PER_SEC) / 2 < nvlinks &&
           id <= NVML_GPM_METRIC_NVLINK_L17_TX_PER_SEC;
}

static nvmlReturn_t measure(const struct nvmlGpmSample_st *a, const struct nvmlGpmSample_st *b, nvmlGpmMetric_t *m)
{
    NEED(m->metricId > 0 && m->metricId < NVML_GPM_METRIC_MAX);
    enum curve_id curve = metrics[m->metricId].curve;
    double scale = metrics[m->metricId].scale;
    if (link_metric(m->metricId, a->nvlinks)) {
        curve = (m->metricId - NVML_GPM_METRIC_NVLINK_L0_RX_PER_SEC) % 2 ? NVLINK_TX : NVLINK_RX;
        scale = 0x1p-20 / a->nvlinks; /* links share the traffic equally */
    }
    SUPPORTED(scale > 0);
    m->value = (b->counters[curve] - a->counters[curve]) * scale / ((double)(b->boot - a->boot) * 1e-9);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlGpmMetricsGet(nvmlGpmMetricsGet_t *get)
{
    ENTER(nvmlGpmMetricsGet);
    NEED(get);
    if (get->version != NVML_GPM_METRICS_GET_VERSION)
        return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    const struct nvmlGpmSample_st *a = get->sample1, *b = get->sample2;
    NEED(get->numMetrics && get->numMetrics <= NVML_GPM_METRIC_MAX);
    NEED(a && b && a->taken && b->taken && a->gpu == b->gpu && a->boot < b->boot);
    for (nvmlGpmMetric_t *m = get->metrics; m < get->metrics + get->numMetrics; m++) {
        m->value = 0;
        m->metricInfo.shortName = m->metricInfo.longName = m->metricInfo.unit = NULL;
        m->nvmlReturn = measure(a, b, m);
    }
    return NVML_SUCCESS;
}
