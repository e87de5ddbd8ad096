/* GPM (Hopper and later): true averages between two samples of a GPU. */
#include <stdlib.h>

#include "gpm.h"

nvmlReturn_t nvmlGpmQueryDeviceSupport(nvmlDevice_t device, nvmlGpmSupport_t *to)
{
    ENTER_ANY(nvmlGpmQueryDeviceSupport, device);
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

/* What the GPU, or one of its instances, did until now. */
static void take(struct nvmlGpmSample_st *sample, const struct call *c)
{
    const struct gpu *g = c->instance ? &c->instance->gpu : c->gpu;
    sample->taken = true;
    sample->gpu = g->index;
    sample->instance = g->instance;
    sample->born = c->instance && c->instance->from != INT64_MIN ? c->instance->from + c->scenario->start : INT64_MIN;
    sample->sms = c->instance ? mig_row_sms(g->profile, c->instance->row) : g->profile->sms;
    sample->profile = g->profile;
    sample->boot = c->boot;
    sample->seconds = (double)c->boot * 1e-9;
    for (int id = 0; id < CURVE_COUNT; id++) {
        sample->counters[id] = gpu_counter(g, (enum curve_id)id, c->t);
        sample->totals[id] = gpu_total(g, (enum curve_id)id, c->t);
    }
}

nvmlReturn_t nvmlGpmSampleGet(nvmlDevice_t device, nvmlGpmSample_t sample)
{
    ENTER_ANY(nvmlGpmSampleGet, device);
    NEED(sample);
    SUPPORTED(c.gpu->profile->gpm);
    take(sample, &c);
    return NVML_SUCCESS;
}

/* device is the parent. */
nvmlReturn_t nvmlGpmMigSampleGet(nvmlDevice_t device, unsigned int id, nvmlGpmSample_t sample)
{
    ENTER_DEVICE(nvmlGpmMigSampleGet, device);
    NEED(sample);
    SUPPORTED(c.gpu->profile->gpm && mig_on(c.gpu, c.t));
    c.instance = mig_instance(c.gpu, id, c.t);
    if (!c.instance)
        return NVML_ERROR_NOT_FOUND;
    take(sample, &c);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlGpmMetricsGet(nvmlGpmMetricsGet_t *get)
{
    ENTER(nvmlGpmMetricsGet);
    NEED(get);
    VERSION(get->version, NVML_GPM_METRICS_GET_VERSION);
    const struct nvmlGpmSample_st *a = get->sample1, *b = get->sample2;
    NEED(get->numMetrics && get->numMetrics <= NVML_GPM_METRIC_MAX);
    NEED(a && b && a->taken && b->taken && a->boot < b->boot);
    NEED(a->gpu == b->gpu && a->instance == b->instance && a->born == b->born && a->sms == b->sms);
    for (nvmlGpmMetric_t *m = get->metrics; m < get->metrics + get->numMetrics; m++) {
        m->value = 0;
        m->metricInfo.shortName = m->metricInfo.longName = m->metricInfo.unit = NULL;
        m->nvmlReturn = gpm_measure(a, b, m->metricId, &m->value);
    }
    return NVML_SUCCESS;
}
