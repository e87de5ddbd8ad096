/* GPU instances and their kinds. Handles are fixed places, so an instance that comes
 * again has the handle of the one that went. */
#include <string.h>

#include "mig.h"

struct nvmlGpuInstance_st {
    unsigned gpu, id;
};
static struct nvmlGpuInstance_st instances[MAX_GPUS][MAX_GI];

struct nvmlComputeInstance_st {
    unsigned gpu, gi, id;
};
static struct nvmlComputeInstance_st computes[MAX_GPUS][MAX_GI][MAX_CI];

__attribute__((constructor)) static void number_instances(void)
{
    for (unsigned g = 0; g < MAX_GPUS; g++)
        for (unsigned i = 0; i < MAX_GI; i++) {
            instances[g][i] = (struct nvmlGpuInstance_st){g, i};
            for (unsigned ci = 0; ci < MAX_CI; ci++)
                computes[g][i][ci] = (struct nvmlComputeInstance_st){g, i, ci};
        }
}

static bool inside(const void *p, const void *array, size_t size, size_t each)
{
    uintptr_t offset = (uintptr_t)p - (uintptr_t)array;
    return offset < size && offset % each == 0;
}

/* Enters a function of an instance; c.instance is there on success. */
static nvmlReturn_t enter_instance(struct call *c, enum function fn, nvmlGpuInstance_t instance)
{
    NEED(inside(instance, instances, sizeof instances, sizeof **instances));
    nvmlReturn_t rc = call_device(c, fn, &handles[instance->gpu]);
    if (rc != NVML_SUCCESS)
        return rc;
    c->instance = mig_instance(c->gpu, instance->id, c->t);
    return c->instance ? NVML_SUCCESS : NVML_ERROR_INVALID_ARGUMENT;
}

#define ENTER_INSTANCE(fn, instance)                                \
    struct call c;                                                  \
    nvmlReturn_t entered = enter_instance(&c, FN_##fn, instance);   \
    if (entered != NVML_SUCCESS)                                    \
    return entered

static const struct mig_row *row_of(unsigned profile)
{
    for (int i = 0; i < mig_row_count; i++)
        if (mig_rows[i].profile == profile)
            return &mig_rows[i];
    return NULL;
}

static nvmlGpuInstanceProfileInfo_t describe(const struct profile *p, const struct mig_row *row)
{
    return (nvmlGpuInstanceProfileInfo_t){
        .id = row->id,
        .sliceCount = row->slices,
        .instanceCount = row->most,
        .multiprocessorCount = mig_row_sms(p, row),
        .copyEngineCount = row->slices,
        .decoderCount = mig_row_decoders(p, row),
        .jpegCount = mig_row_jpegs(p, row),
        .ofaCount = mig_row_ofas(p, row),
        .memorySizeMB = mig_row_memory(p, row) >> 20,
    };
}

nvmlReturn_t nvmlDeviceGetGpuInstanceProfileInfo(nvmlDevice_t device, unsigned int profile, nvmlGpuInstanceProfileInfo_t *to)
{
    ENTER_DEVICE(nvmlDeviceGetGpuInstanceProfileInfo, device);
    NEED(to && profile < NVML_GPU_INSTANCE_PROFILE_COUNT);
    const struct mig_row *row = row_of(profile);
    SUPPORTED(c.gpu->profile->mig && row);
    *to = describe(c.gpu->profile, row);
    return NVML_SUCCESS;
}

/* v3 has capabilities where v2 says whether there is P2P. */
nvmlReturn_t nvmlDeviceGetGpuInstanceProfileInfoV(nvmlDevice_t device, unsigned int profile, nvmlGpuInstanceProfileInfo_v2_t *to)
{
    ENTER_DEVICE(nvmlDeviceGetGpuInstanceProfileInfoV, device);
    NEED(to && profile < NVML_GPU_INSTANCE_PROFILE_COUNT);
    bool v3 = to->version == nvmlGpuInstanceProfileInfo_v3 && branch.number >= 535;
    if (to->version != nvmlGpuInstanceProfileInfo_v2 && !v3)
        return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    const struct mig_row *row = row_of(profile);
    SUPPORTED(mig_on(c.gpu, c.t) && row);
    nvmlGpuInstanceProfileInfo_t d = describe(c.gpu->profile, row);
    char name[NVML_DEVICE_NAME_V2_BUFFER_SIZE] = "MIG ";
    mig_row_name(c.gpu->profile, row, name + 4, sizeof name - 4);
    if (v3) {
        nvmlGpuInstanceProfileInfo_v3_t *info = (nvmlGpuInstanceProfileInfo_v3_t *)to;
        *info = (nvmlGpuInstanceProfileInfo_v3_t){to->version, d.id, d.sliceCount, d.instanceCount, d.multiprocessorCount,
                                                  d.copyEngineCount, d.decoderCount, d.encoderCount, d.jpegCount, d.ofaCount,
                                                  d.memorySizeMB, "", 0};
        strcpy(info->name, name);
        return NVML_SUCCESS;
    }
    *to = (nvmlGpuInstanceProfileInfo_v2_t){to->version, d.id, 0, d.sliceCount, d.instanceCount, d.multiprocessorCount,
                                            d.copyEngineCount, d.decoderCount, d.encoderCount, d.jpegCount, d.ofaCount,
                                            d.memorySizeMB, ""};
    strcpy(to->name, name);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetGpuInstances(nvmlDevice_t device, unsigned int id, nvmlGpuInstance_t *to, unsigned int *count)
{
    ENTER_DEVICE(nvmlDeviceGetGpuInstances, device);
    NEED(to && count);
    SUPPORTED(mig_on(c.gpu, c.t));
    PRIVILEGED(c);
    *count = 0;
    for (const struct instance *i = c.gpu->instances; i < c.gpu->instances + c.gpu->instance_count; i++)
        if (i->row->id == id && mig_alive(c.gpu, i, c.t))
            to[(*count)++] = &instances[c.gpu->index][i->id];
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetGpuInstanceById(nvmlDevice_t device, unsigned int id, nvmlGpuInstance_t *to)
{
    ENTER_DEVICE(nvmlDeviceGetGpuInstanceById, device);
    NEED(to);
    SUPPORTED(mig_on(c.gpu, c.t));
    PRIVILEGED(c);
    if (id >= MAX_GI || !mig_instance(c.gpu, id, c.t))
        return NVML_ERROR_NOT_FOUND;
    *to = &instances[c.gpu->index][id];
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlGpuInstanceGetInfo(nvmlGpuInstance_t instance, nvmlGpuInstanceInfo_t *to)
{
    ENTER_INSTANCE(nvmlGpuInstanceGetInfo, instance);
    NEED(to);
    const struct instance *i = c.instance;
    *to = (nvmlGpuInstanceInfo_t){&handles[c.gpu->index], i->id, i->row->id, {i->start, i->row->eighths}};
    return NVML_SUCCESS;
}

/* Kinds of compute instances by slices: their number is their id, too. */
static int compute_profile(unsigned slices)
{
    static const int profiles[] = {-1, NVML_COMPUTE_INSTANCE_PROFILE_1_SLICE, NVML_COMPUTE_INSTANCE_PROFILE_2_SLICE,
                                   NVML_COMPUTE_INSTANCE_PROFILE_3_SLICE, NVML_COMPUTE_INSTANCE_PROFILE_4_SLICE, -1,
                                   NVML_COMPUTE_INSTANCE_PROFILE_6_SLICE, NVML_COMPUTE_INSTANCE_PROFILE_7_SLICE};
    return slices < sizeof profiles / sizeof *profiles ? profiles[slices] : -1;
}

nvmlReturn_t nvmlGpuInstanceGetComputeInstanceProfileInfo(nvmlGpuInstance_t instance, unsigned int profile, unsigned int engine,
                                                          nvmlComputeInstanceProfileInfo_t *to)
{
    ENTER_INSTANCE(nvmlGpuInstanceGetComputeInstanceProfileInfo, instance);
    NEED(to && profile < NVML_COMPUTE_INSTANCE_PROFILE_COUNT && engine < NVML_COMPUTE_INSTANCE_ENGINE_PROFILE_COUNT);
    const struct mig_row *row = c.instance->row;
    unsigned slices = 0;
    for (unsigned n = 1; n <= row->slices; n++)
        if (compute_profile(n) == (int)profile)
            slices = n;
    SUPPORTED(slices);
    const struct profile *p = c.gpu->profile;
    *to = (nvmlComputeInstanceProfileInfo_t){
        .id = profile,
        .sliceCount = slices,
        .instanceCount = row->slices / slices,
        .multiprocessorCount = mig_row_sms(p, row) * slices / row->slices,
        .sharedCopyEngineCount = row->slices,
        .sharedDecoderCount = mig_row_decoders(p, row),
        .sharedJpegCount = mig_row_jpegs(p, row),
        .sharedOfaCount = mig_row_ofas(p, row),
    };
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlGpuInstanceGetComputeInstances(nvmlGpuInstance_t instance, unsigned int profile, nvmlComputeInstance_t *to,
                                                unsigned int *count)
{
    ENTER_INSTANCE(nvmlGpuInstanceGetComputeInstances, instance);
    NEED(to && count);
    PRIVILEGED(c);
    *count = 0;
    for (int i = 0; i < c.instance->compute_count; i++)
        if (compute_profile(c.instance->computes[i].slices) == (int)profile)
            to[(*count)++] = &computes[c.gpu->index][c.instance->id][c.instance->computes[i].id];
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlGpuInstanceGetComputeInstanceById(nvmlGpuInstance_t instance, unsigned int id, nvmlComputeInstance_t *to)
{
    ENTER_INSTANCE(nvmlGpuInstanceGetComputeInstanceById, instance);
    NEED(to);
    PRIVILEGED(c);
    if (!mig_compute(c.instance, id))
        return NVML_ERROR_NOT_FOUND;
    *to = &computes[c.gpu->index][c.instance->id][id];
    return NVML_SUCCESS;
}

static nvmlReturn_t compute_info(enum function fn, nvmlComputeInstance_t compute, nvmlComputeInstanceInfo_t *to)
{
    struct call c;
    NEED(to && inside(compute, computes, sizeof computes, sizeof ***computes));
    nvmlReturn_t rc = call_device(&c, fn, &handles[compute->gpu]);
    if (rc != NVML_SUCCESS)
        return rc;
    const struct instance *i = mig_instance(c.gpu, compute->gi, c.t);
    const struct compute *own = i ? mig_compute(i, compute->id) : NULL;
    NEED(own);
    *to = (nvmlComputeInstanceInfo_t){&handles[c.gpu->index], &instances[c.gpu->index][i->id], own->id,
                                      (unsigned)compute_profile(own->slices), {own->start, own->slices}};
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlComputeInstanceGetInfo(nvmlComputeInstance_t compute, nvmlComputeInstanceInfo_t *to)
{
    return compute_info(FN_nvmlComputeInstanceGetInfo, compute, to);
}

nvmlReturn_t nvmlComputeInstanceGetInfo_v2(nvmlComputeInstance_t compute, nvmlComputeInstanceInfo_t *to)
{
    return compute_info(FN_nvmlComputeInstanceGetInfo_v2, compute, to);
}
