/* The way into every exported function. */
#include <stdlib.h>
#include <string.h>

#include "mig.h"

const char *const function_names[FUNCTION_COUNT] = {
#define FN(name, since) [FN_##name] = #name,
#include "functions.def"
#undef FN
};

struct nvmlDevice_st handles[MAX_GPUS];
struct nvmlDevice_st mig_handles[MAX_GPUS][MAX_GI][MAX_CI];
atomic_uint init_count;

__attribute__((constructor)) static void number_handles(void)
{
    for (unsigned i = 0; i < MAX_GPUS; i++) {
        handles[i] = (struct nvmlDevice_st){i, NO_INSTANCE, NO_INSTANCE};
        for (unsigned gi = 0; gi < MAX_GI; gi++)
            for (unsigned ci = 0; ci < MAX_CI; ci++)
                mig_handles[i][gi][ci] = (struct nvmlDevice_st){i, gi, ci};
    }
}

static _Atomic(void *) leaked; /* keeps the compiler from dropping the leak */

static void leak(uint64_t bytes)
{
    void *p = malloc(bytes);
    if (p)
        memset(p, 1, bytes);
    atomic_store_explicit(&leaked, p, memory_order_relaxed);
}

static nvmlReturn_t enter(struct call *c, enum function fn, unsigned slot)
{
    if (!atomic_load_explicit(&init_count, memory_order_relaxed))
        return NVML_ERROR_UNINITIALIZED;
    c->boot = boot_clock();
    c->scenario = node_current(c->boot);
    if (c->scenario->leak)
        leak(c->scenario->leak);
    if (c->scenario->faulty[fn / 64] >> fn % 64 & 1) {
        int code = fault_check(c->scenario, fn, slot, c->boot);
        if (code != PROCEED)
            return (nvmlReturn_t)code;
        c->boot = boot_clock();
        c->scenario = node_current(c->boot);
    }
    c->t = c->boot - c->scenario->start;
    return NVML_SUCCESS;
}

nvmlReturn_t call_enter(struct call *c, enum function fn)
{
    c->gpu = NULL;
    c->instance = NULL;
    c->compute = NULL;
    return enter(c, fn, NO_GPU);
}

/* Whether p is one of the handles in an array. */
static bool inside(const void *p, const void *array, size_t size)
{
    uintptr_t offset = (uintptr_t)p - (uintptr_t)array;
    return offset < size && offset % sizeof(struct nvmlDevice_st) == 0;
}

nvmlReturn_t call_any(struct call *c, enum function fn, nvmlDevice_t device)
{
    bool part = inside(device, mig_handles, sizeof mig_handles);
    if (!part && !inside(device, handles, sizeof handles))
        return atomic_load(&init_count) ? NVML_ERROR_INVALID_ARGUMENT : NVML_ERROR_UNINITIALIZED;
    nvmlReturn_t rc = enter(c, fn, device->index);
    if (rc != NVML_SUCCESS)
        return rc;
    if (device->index >= c->scenario->gpu_count)
        return NVML_ERROR_INVALID_ARGUMENT;
    c->gpu = &c->scenario->gpus[device->index];
    c->instance = NULL;
    c->compute = NULL;
    if (c->t >= c->gpu->lost_from && c->t < c->gpu->lost_to)
        return c->gpu->lost_code;
    if (!part)
        return NVML_SUCCESS;
    c->instance = mig_instance(c->gpu, device->gi, c->t);
    c->compute = c->instance ? mig_compute(c->instance, device->ci) : NULL;
    return c->compute ? NVML_SUCCESS : NVML_ERROR_INVALID_ARGUMENT;
}

nvmlReturn_t call_device(struct call *c, enum function fn, nvmlDevice_t device)
{
    nvmlReturn_t rc = call_any(c, fn, device);
    return rc == NVML_SUCCESS && c->instance ? NVML_ERROR_NOT_SUPPORTED : rc;
}

nvmlReturn_t call_text(char *to, unsigned length, const char *text)
{
    if (!to)
        return NVML_ERROR_INVALID_ARGUMENT;
    size_t n = strlen(text);
    if (n >= length)
        return NVML_ERROR_INSUFFICIENT_SIZE;
    memcpy(to, text, n + 1);
    return NVML_SUCCESS;
}
