/* Memory, and the processes that hold it. */
#include <stdio.h>
#include <string.h>

#include "mig.h"

/* Of what the call is about: the GPU, or the GPU instance of a MIG device. What
 * all instances of a divided GPU hold together is not for everybody. */
static nvmlReturn_t subject(const struct call *c, const struct gpu **of)
{
    *of = c->instance ? &c->instance->gpu : c->gpu;
    return !c->instance && mig_on(c->gpu, c->t) && !c->scenario->root ? NVML_ERROR_NO_PERMISSION : NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *to)
{
    const struct gpu *g;
    ENTER_ANY(nvmlDeviceGetMemoryInfo, device);
    NEED(to);
    nvmlReturn_t rc = subject(&c, &g);
    if (rc != NVML_SUCCESS)
        return rc;
    to->total = g->memory;
    to->used = g->reserved + gpu_memory_used(g, c.t);
    to->free = to->total - to->used;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t *to)
{
    const struct gpu *g;
    ENTER_ANY(nvmlDeviceGetMemoryInfo_v2, device);
    NEED(to);
    VERSION(to->version, nvmlMemory_v2);
    nvmlReturn_t rc = subject(&c, &g);
    if (rc != NVML_SUCCESS)
        return rc;
    to->total = g->memory;
    to->reserved = g->reserved;
    to->used = gpu_memory_used(g, c.t);
    to->free = to->total - to->reserved - to->used;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetBAR1MemoryInfo(nvmlDevice_t device, nvmlBAR1Memory_t *to)
{
    const struct gpu *g;
    ENTER_ANY(nvmlDeviceGetBAR1MemoryInfo, device);
    NEED(to);
    nvmlReturn_t rc = subject(&c, &g);
    if (rc != NVML_SUCCESS)
        return rc;
    to->bar1Total = c.instance ? c.gpu->profile->bar1 / 8 * c.instance->row->eighths : c.gpu->profile->bar1;
    to->bar1Used = (unsigned long long)level_at(c.gpu, BAR1_USED, c.t);
    if (to->bar1Used > to->bar1Total)
        to->bar1Used = to->bar1Total;
    to->bar1Free = to->bar1Total - to->bar1Used;
    return NVML_SUCCESS;
}

/* On a divided GPU a process runs as long as its instance. */
static bool running(const struct call *c, const struct process *p, unsigned mode)
{
    if (p->mode != mode || c->t < p->from || c->t >= p->to)
        return false;
    if (c->instance)
        return p->gi == c->instance->id && p->ci == c->compute->id;
    return p->gi == NO_INSTANCE ? !mig_on(c->gpu, c->t) : mig_instance(c->gpu, p->gi, c->t) != NULL;
}

/* nvmlProcessInfo_t is the same in v2 and v3; v1 ends after the memory. */
static void write_process(const struct process *p, unsigned i, nvmlProcessInfo_t *infos, nvmlProcessInfo_v1_t *old)
{
    if (old)
        old[i] = (nvmlProcessInfo_v1_t){p->pid, p->memory};
    else
        infos[i] = (nvmlProcessInfo_t){p->pid, p->memory, p->gi, p->ci};
}

static nvmlReturn_t list(enum function fn, unsigned mode, nvmlDevice_t device, unsigned *count, nvmlProcessInfo_t *infos,
                         nvmlProcessInfo_v1_t *old)
{
    struct call c;
    const struct gpu *g;
    nvmlReturn_t rc = call_any(&c, fn, device);
    if (rc == NVML_SUCCESS)
        rc = subject(&c, &g);
    if (rc != NVML_SUCCESS)
        return rc;
    NEED(count && (!*count || infos || old));
    unsigned n = 0, room = *count;
    for (int i = 0; i < c.gpu->process_count; i++)
        if (running(&c, &c.gpu->processes[i], mode)) {
            if (n < room)
                write_process(&c.gpu->processes[i], n, infos, old);
            n++;
        }
    *count = n;
    return n <= room ? NVML_SUCCESS : NVML_ERROR_INSUFFICIENT_SIZE;
}

#define PROCESSES(kind, mode)                                                                                          \
    nvmlReturn_t nvmlDeviceGet##kind##RunningProcesses(nvmlDevice_t device, unsigned *count, nvmlProcessInfo_v1_t *to) \
    {                                                                                                                  \
        return list(FN_nvmlDeviceGet##kind##RunningProcesses, mode, device, count, NULL, to);                          \
    }                                                                                                                  \
    nvmlReturn_t nvmlDeviceGet##kind##RunningProcesses_v2(nvmlDevice_t device, unsigned *count,                        \
                                                          nvmlProcessInfo_v2_t *to)                                    \
    {                                                                                                                  \
        return list(FN_nvmlDeviceGet##kind##RunningProcesses_v2, mode, device, count, to, NULL);                       \
    }                                                                                                                  \
    nvmlReturn_t nvmlDeviceGet##kind##RunningProcesses_v3(nvmlDevice_t device, unsigned *count, nvmlProcessInfo_t *to) \
    {                                                                                                                  \
        return list(FN_nvmlDeviceGet##kind##RunningProcesses_v3, mode, device, count, to, NULL);                       \
    }

PROCESSES(Compute, NVML_PROCESS_MODE_COMPUTE)
PROCESSES(Graphics, NVML_PROCESS_MODE_GRAPHICS)
PROCESSES(MPSCompute, NVML_PROCESS_MODE_MPS)

static const struct process *find(const struct scenario *s, unsigned pid)
{
    for (unsigned i = 0; i < s->gpu_count; i++)
        for (int j = 0; j < s->gpus[i].process_count; j++)
            if (s->gpus[i].processes[j].pid == pid && *s->gpus[i].processes[j].name)
                return &s->gpus[i].processes[j];
    return NULL;
}

/* The scenario's name of a process, else what the kernel says of a real one. */
nvmlReturn_t nvmlSystemGetProcessName(unsigned int pid, char *name, unsigned int length)
{
    ENTER(nvmlSystemGetProcessName);
    NEED(name && length);
    const struct process *p = find(c.scenario, pid);
    if (p)
        return call_text(name, length, p->name);
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%u/cmdline", pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return NVML_ERROR_NOT_FOUND;
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = 0;
    if (strlen(text) >= length)
        text[length - 1] = 0;
    return call_text(name, length, text);
}
