/* MIG devices: the compute instances, as handles like those of GPUs. */
#include <stdio.h>

#include "mig.h"

bool mig_on(const struct gpu *g, int64_t t)
{
    return g->profile->mig && level_at(g, MIG_MODE, t) > 0;
}

bool mig_alive(const struct gpu *g, const struct instance *i, int64_t t)
{
    return mig_on(g, t) && t >= i->from && t < i->to;
}

const struct instance *mig_instance(const struct gpu *g, unsigned id, int64_t t)
{
    for (const struct instance *i = g->instances; i < g->instances + g->instance_count; i++)
        if (i->id == id && mig_alive(g, i, t))
            return i;
    return NULL;
}

const struct compute *mig_compute(const struct instance *i, unsigned id)
{
    for (const struct compute *c = i->computes; c < i->computes + i->compute_count; c++)
        if (c->id == id)
            return c;
    return NULL;
}

nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned int *mode, unsigned int *pending)
{
    ENTER_DEVICE(nvmlDeviceGetMigMode, device);
    NEED(mode && pending);
    SUPPORTED(c.gpu->profile->mig);
    *mode = *pending = mig_on(c.gpu, c.t) ? NVML_DEVICE_MIG_ENABLE : NVML_DEVICE_MIG_DISABLE;
    return NVML_SUCCESS;
}

/* 0 also where MIG is supported and not enabled, nvml.h. */
nvmlReturn_t nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t device, unsigned int *count)
{
    ENTER_DEVICE(nvmlDeviceGetMaxMigDeviceCount, device);
    NEED(count);
    *count = mig_on(c.gpu, c.t) ? 7 : 0;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceIsMigDeviceHandle(nvmlDevice_t device, unsigned int *is)
{
    ENTER_ANY(nvmlDeviceIsMigDeviceHandle, device);
    NEED(is);
    *is = c.instance != NULL;
    return NVML_SUCCESS;
}

/* The n-th compute instance of the GPU that there is now. */
static struct nvmlDevice_st *nth(const struct call *c, unsigned n)
{
    for (const struct instance *i = c->gpu->instances; i < c->gpu->instances + c->gpu->instance_count; i++) {
        if (!mig_alive(c->gpu, i, c->t))
            continue;
        if (n < (unsigned)i->compute_count)
            return &mig_handles[c->gpu->index][i->id][i->computes[n].id];
        n -= (unsigned)i->compute_count;
    }
    return NULL;
}

unsigned mig_index(const struct call *c)
{
    unsigned n = 0;
    for (const struct instance *i = c->gpu->instances; i < c->instance; i++)
        n += mig_alive(c->gpu, i, c->t) ? (unsigned)i->compute_count : 0;
    return n + (unsigned)(c->compute - c->instance->computes);
}

nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device, unsigned int index, nvmlDevice_t *to)
{
    ENTER_DEVICE(nvmlDeviceGetMigDeviceHandleByIndex, device);
    NEED(to);
    SUPPORTED(c.gpu->profile->mig);
    nvmlDevice_t found = mig_on(c.gpu, c.t) ? nth(&c, index) : NULL;
    if (!found)
        return NVML_ERROR_NOT_FOUND;
    *to = found;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetDeviceHandleFromMigDeviceHandle(nvmlDevice_t device, nvmlDevice_t *to)
{
    ENTER_ANY(nvmlDeviceGetDeviceHandleFromMigDeviceHandle, device);
    NEED(to && c.instance);
    *to = &handles[c.gpu->index];
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetGpuInstanceId(nvmlDevice_t device, unsigned int *id)
{
    ENTER_ANY(nvmlDeviceGetGpuInstanceId, device);
    NEED(id);
    SUPPORTED(c.instance);
    *id = c.instance->id;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetComputeInstanceId(nvmlDevice_t device, unsigned int *id)
{
    ENTER_ANY(nvmlDeviceGetComputeInstanceId, device);
    NEED(id);
    SUPPORTED(c.compute);
    *id = c.compute->id;
    return NVML_SUCCESS;
}

/* The engines are the GPU instance's, shared by its compute instances. */
static nvmlReturn_t attributes(enum function fn, nvmlDevice_t device, nvmlDeviceAttributes_t *to)
{
    struct call c;
    nvmlReturn_t rc = call_any(&c, fn, device);
    if (rc != NVML_SUCCESS)
        return rc;
    NEED(to);
    SUPPORTED(c.instance);
    const struct profile *p = c.gpu->profile;
    const struct mig_row *row = c.instance->row;
    *to = (nvmlDeviceAttributes_t){
        .multiprocessorCount = mig_row_sms(p, row) * c.compute->slices / row->slices,
        .sharedCopyEngineCount = row->slices,
        .sharedDecoderCount = mig_row_decoders(p, row),
        .sharedJpegCount = mig_row_jpegs(p, row),
        .sharedOfaCount = mig_row_ofas(p, row),
        .gpuInstanceSliceCount = row->slices,
        .computeInstanceSliceCount = c.compute->slices,
        .memorySizeMB = c.instance->gpu.memory >> 20,
    };
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetAttributes(nvmlDevice_t device, nvmlDeviceAttributes_t *to)
{
    return attributes(FN_nvmlDeviceGetAttributes, device, to);
}

nvmlReturn_t nvmlDeviceGetAttributes_v2(nvmlDevice_t device, nvmlDeviceAttributes_t *to)
{
    return attributes(FN_nvmlDeviceGetAttributes_v2, device, to);
}
