/* The way into every exported function. */
#include <stdlib.h>
#include <string.h>

#include "sim.h"

const char *const function_names[FUNCTION_COUNT] = {
#define FN(name, since) [FN_##name] = #name,
#include "functions.def"
#undef FN
};

struct nvmlDevice_st handles[MAX_GPUS];
atomic_uint init_count;

__attribute__((constructor)) static void number_handles(void)
{
    for (unsigned i = 0; i < MAX_GPUS; i++)
        handles[i].index = i;
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
    return enter(c, fn, NO_GPU);
}

nvmlReturn_t call_device(struct call *c, enum function fn, nvmlDevice_t device)
{
    uintptr_t offset = (uintptr_t)device - (uintptr_t)handles;
    unsigned index = (unsigned)(offset / sizeof *handles);
    if (offset >= sizeof handles || offset % sizeof *handles)
        return atomic_load(&init_count) ? NVML_ERROR_INVALID_ARGUMENT : NVML_ERROR_UNINITIALIZED;
    nvmlReturn_t rc = enter(c, fn, index);
    if (rc != NVML_SUCCESS)
        return rc;
    if (index >= c->scenario->gpu_count)
        return NVML_ERROR_INVALID_ARGUMENT;
    c->gpu = &c->scenario->gpus[index];
    if (c->t >= c->gpu->lost_from && c->t < c->gpu->lost_to)
        return c->gpu->lost_code;
    return NVML_SUCCESS;
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
