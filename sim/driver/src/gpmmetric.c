/* The metrics of GPM: averages between two samples, and counters since boot. */
#include "gpm.h"

enum kind { NO_METRIC, AVERAGE, COUNTER, CYCLES, ELAPSED };

/* A metric, or a range of them for engines 0, 1 … of the count in the profile. */
struct metric {
    unsigned first, last; /* last 0: one id */
    unsigned since;       /* driver branch */
    enum kind kind;
    enum curve_id curve;
    double scale;
    size_t engines; /* offset of the count in the profile; 0: always there */
};

#define ENGINES(name) offsetof(struct profile, name)
#define MIBPS 0x1p-20 /* traffic is in MiB/s */

static const struct metric metrics[] = {
    {NVML_GPM_METRIC_GRAPHICS_UTIL, 0, 535, AVERAGE, UTIL, 1, 0},
    {NVML_GPM_METRIC_SM_UTIL, 0, 535, AVERAGE, SM_ACTIVE, 1, 0},
    {NVML_GPM_METRIC_SM_OCCUPANCY, 0, 535, AVERAGE, SM_OCCUPANCY, 1, 0},
    {NVML_GPM_METRIC_INTEGER_UTIL, 0, 535, AVERAGE, INTEGER, 1, 0},
    {NVML_GPM_METRIC_ANY_TENSOR_UTIL, 0, 535, AVERAGE, TENSOR, 1, 0},
    {NVML_GPM_METRIC_DFMA_TENSOR_UTIL, 0, 535, AVERAGE, TENSOR_DFMA, 1, 0},
    {NVML_GPM_METRIC_HMMA_TENSOR_UTIL, 0, 535, AVERAGE, TENSOR_HMMA, 1, 0},
    {NVML_GPM_METRIC_DMMA_TENSOR_UTIL, 0, 580, AVERAGE, TENSOR_DMMA, 1, 0},
    {NVML_GPM_METRIC_IMMA_TENSOR_UTIL, 0, 535, AVERAGE, TENSOR_IMMA, 1, 0},
    {NVML_GPM_METRIC_DRAM_BW_UTIL, 0, 535, AVERAGE, DRAM, 1, 0},
    {NVML_GPM_METRIC_FP64_UTIL, 0, 535, AVERAGE, FP64, 1, 0},
    {NVML_GPM_METRIC_FP32_UTIL, 0, 535, AVERAGE, FP32, 1, 0},
    {NVML_GPM_METRIC_FP16_UTIL, 0, 535, AVERAGE, FP16, 1, 0},
    {NVML_GPM_METRIC_PCIE_TX_PER_SEC, 0, 535, AVERAGE, PCIE_TX, MIBPS, 0},
    {NVML_GPM_METRIC_PCIE_RX_PER_SEC, 0, 535, AVERAGE, PCIE_RX, MIBPS, 0},
    {NVML_GPM_METRIC_NVDEC_0_UTIL, NVML_GPM_METRIC_NVDEC_7_UTIL, 535, AVERAGE, DECODER, 1, ENGINES(decoders)},
    {NVML_GPM_METRIC_NVJPG_0_UTIL, NVML_GPM_METRIC_NVJPG_7_UTIL, 535, AVERAGE, JPEG, 1, ENGINES(jpegs)},
    {NVML_GPM_METRIC_NVOFA_0_UTIL, NVML_GPM_METRIC_NVOFA_1_UTIL, 535, AVERAGE, OFA, 1, ENGINES(ofas)},
    {NVML_GPM_METRIC_NVENC_0_UTIL, NVML_GPM_METRIC_NVENC_3_UTIL, 580, AVERAGE, ENCODER, 1, ENGINES(encoders)},
    {NVML_GPM_METRIC_NVLINK_TOTAL_RX_PER_SEC, 0, 535, AVERAGE, NVLINK_RX, MIBPS, ENGINES(nvlinks)},
    {NVML_GPM_METRIC_NVLINK_TOTAL_TX_PER_SEC, 0, 535, AVERAGE, NVLINK_TX, MIBPS, ENGINES(nvlinks)},
    {NVML_GPM_METRIC_SM_CYCLES_ELAPSED, 0, 610, ELAPSED, SM_ACTIVE, 1, 0},
    {NVML_GPM_METRIC_SM_CYCLES_ACTIVE, 0, 610, CYCLES, SM_ACTIVE, 1, 0},
    {NVML_GPM_METRIC_MMA_CYCLES_ACTIVE, 0, 610, CYCLES, TENSOR, 1, 0},
    {NVML_GPM_METRIC_DMMA_CYCLES_ACTIVE, 0, 610, CYCLES, TENSOR_DMMA, 1, 0},
    {NVML_GPM_METRIC_HMMA_CYCLES_ACTIVE, 0, 610, CYCLES, TENSOR_HMMA, 1, 0},
    {NVML_GPM_METRIC_IMMA_CYCLES_ACTIVE, 0, 610, CYCLES, TENSOR_IMMA, 1, 0},
    {NVML_GPM_METRIC_DFMA_CYCLES_ACTIVE, 0, 610, CYCLES, TENSOR_DFMA, 1, 0},
    {NVML_GPM_METRIC_PCIE_TX, 0, 610, COUNTER, PCIE_TX, 1, 0},
    {NVML_GPM_METRIC_PCIE_RX, 0, 610, COUNTER, PCIE_RX, 1, 0},
    {NVML_GPM_METRIC_INTEGER_CYCLES_ACTIVE, 0, 610, CYCLES, INTEGER, 1, 0},
    {NVML_GPM_METRIC_FP64_CYCLES_ACTIVE, 0, 610, CYCLES, FP64, 1, 0},
    {NVML_GPM_METRIC_FP32_CYCLES_ACTIVE, 0, 610, CYCLES, FP32, 1, 0},
    {NVML_GPM_METRIC_FP16_CYCLES_ACTIVE, 0, 610, CYCLES, FP16, 1, 0},
};

/* Receive and transmit of link 0, 1 … in turn, in two ranges and one of counters. */
static const struct {
    unsigned first, last, link, since;
    enum kind kind;
} links[] = {
    {NVML_GPM_METRIC_NVLINK_L0_RX_PER_SEC, NVML_GPM_METRIC_NVLINK_L17_TX_PER_SEC, 0, 535, AVERAGE},
    {NVML_GPM_METRIC_NVLINK_L18_RX_PER_SEC, NVML_GPM_METRIC_NVLINK_L35_TX_PER_SEC, 18, 580, AVERAGE},
    {NVML_GPM_METRIC_NVLINK_L0_RX, NVML_GPM_METRIC_NVLINK_L35_TX, 0, 610, COUNTER},
};

static bool link_metric(const struct profile *p, unsigned id, struct metric *m)
{
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        if (id >= links[i].first && id <= links[i].last) {
            unsigned link = links[i].link + (id - links[i].first) / 2;
            bool transmit = (id - links[i].first) % 2;
            /* Links share the traffic equally. */
            *m = (struct metric){.since = links[i].since, .kind = links[i].kind, .curve = transmit ? NVLINK_TX : NVLINK_RX};
            m->scale = (m->kind == AVERAGE ? MIBPS : 1) / (p->nvlinks ? p->nvlinks : 1);
            return link < p->nvlinks;
        }
    return false;
}

static bool engine_metric(const struct profile *p, unsigned id, struct metric *found)
{
    for (const struct metric *m = metrics; m < metrics + sizeof metrics / sizeof *metrics; m++) {
        if (id < m->first || id > (m->last ? m->last : m->first))
            continue;
        *found = *m;
        return !m->engines || id - m->first < *(const unsigned *)((const char *)p + m->engines);
    }
    return false;
}

/* Cycles of all SMs at their highest clock, whatever the clock is now: so the share
 * of active cycles is exactly the curve's. */
static double cycles(const struct nvmlGpmSample_st *s, double seconds)
{
    return seconds * s->profile->max_sm * 1e6 * s->sms;
}

nvmlReturn_t gpm_measure(const struct nvmlGpmSample_st *a, const struct nvmlGpmSample_st *b, unsigned id, double *value)
{
    NEED(id > 0 && id < NVML_GPM_METRIC_MAX);
    struct metric m = {.kind = NO_METRIC};
    SUPPORTED(engine_metric(a->profile, id, &m) || link_metric(a->profile, id, &m));
    SUPPORTED(m.since <= branch.number);
    switch (m.kind) {
    case AVERAGE:
        *value = (b->counters[m.curve] - a->counters[m.curve]) * m.scale / (b->seconds - a->seconds);
        return NVML_SUCCESS;
    case COUNTER:
        *value = b->totals[m.curve] * m.scale;
        return NVML_SUCCESS;
    case CYCLES:
        *value = cycles(b, b->totals[m.curve] / 100);
        return NVML_SUCCESS;
    case ELAPSED:
        *value = cycles(b, b->seconds);
        return NVML_SUCCESS;
    case NO_METRIC:
        break;
    }
    return NVML_ERROR_NOT_SUPPORTED;
}
