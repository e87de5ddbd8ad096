/* Memory, and the processes that hold it. */
#include <stdio.h>
#include <string.h>

#include "sim.h"

nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *to)
{
    ENTER_DEVICE(nvmlDeviceGetMemoryInfo, device);
    NEED(to);
    const struct profile *p = c.gpu->profile;
    to->total = p->memory;
    to->used = p->reserved + gpu_memory_used(c.gpu, c.t);
    to->free = to->total - to->used;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t *to)
{
    ENTER_DEVICE(nvmlDeviceGetMemoryInfo_v2, device);
    NEED(to);
    if (to->version != nvmlMemory_v2)
        return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    const struct profile *p = c.gpu->profile;
    to->total = p->memory;
    to->reserved = p->reserved;
    to->used = gpu_memory_used(c.gpu, c.t);
    to->free = to->total - to->reserved - to->used;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetBAR1MemoryInfo(nvmlDevice_t device, nvmlBAR1Memory_t *to)
{
    ENTER_DEVICE(nvmlDeviceGetBAR1MemoryInfo, device);
    NEED(to);
    to->bar1Total = c.gpu->profile->bar1;
    to->bar1Used = (unsigned long long)level_at(c.gpu, BAR1_USED, c.t);
    if (to->bar1Used > to->bar1Total)
        to->bar1Used = to->bar1Total;
    to->bar1Free = to->bar1Total - to->bar1Used;
    return NVML_SUCCESS;
}

static bool running(const struct process *p, unsigned mode, int64_t t)
{
    return p->mode == mode && t >= p->from && t < p->to;
}

/* nvmlProcessInfo_t is the same in v2 and v3; v1 ends after the memory. */
static void write_process(const struct process *p, unsigned i, nvmlProcessInfo_t *infos, nvmlProcessInfo_v1_t *old)
{
    if (old)
        old[i] = (nvmlProcessInfo_v1_t){p->pid, p->memory};
    else
        infos[i] = (nvmlProcessInfo_t){p->pid, p->memory, 0xFFFFFFFF, 0xFFFFFFFF};
}

static nvmlReturn_t list(enum function fn, unsigned mode, nvmlDevice_t device, unsigned *count, nvmlProcessInfo_t *infos,
                         nvmlProcessInfo_v1_t *old)
{
    struct call c;
    nvmlReturn_t rc = call_device(&c, fn, device);
    if (rc != NVML_SUCCESS)
        return rc;
    NEED(count && (!*count || infos || old));
    unsigned n = 0, room = *count;
    for (int i = 0; i < c.gpu->process_count; i++)
        if (running(&c.gpu->processes[i], mode, c.t)) {
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
