/* What each process does: its equal share of the GPU over the last second. */
#include "mig.h"

static bool running(const struct process *p, int64_t t)
{
    return t >= p->from && t < p->to;
}

static unsigned count(const struct call *c)
{
    unsigned n = 0;
    for (int i = 0; i < c->gpu->process_count; i++)
        n += running(&c->gpu->processes[i], c->t);
    return n;
}

static unsigned share(const struct call *c, enum curve_id id, unsigned processes)
{
    return (unsigned)(gpu_average(c->gpu, id, c->t - SECOND, c->t) / processes + 0.5);
}

/* Only processes that did something have a sample. */
static unsigned write_shares(const struct call *c, nvmlProcessUtilizationInfo_v1_t *to, unsigned processes)
{
    unsigned n = 0;
    nvmlProcessUtilizationInfo_v1_t s = {
        .timeStamp = wall_us(c->boot),
        .smUtil = share(c, UTIL, processes),
        .memUtil = share(c, MEMORY_UTIL, processes),
        .encUtil = share(c, ENCODER, processes),
        .decUtil = share(c, DECODER, processes),
        .jpgUtil = share(c, JPEG, processes),
        .ofaUtil = share(c, OFA, processes),
    };
    if (!(s.smUtil || s.encUtil || s.decUtil || s.jpgUtil || s.ofaUtil))
        return 0;
    for (int i = 0; i < c->gpu->process_count; i++)
        if (running(&c->gpu->processes[i], c->t)) {
            s.pid = c->gpu->processes[i].pid;
            to[n++] = s;
        }
    return n;
}

#define MOST 4096 /* processes of one GPU */

/* The shares into to, which has room; sets count to what there is. */
static nvmlReturn_t shares(const struct call *c, nvmlProcessUtilizationInfo_v1_t *to, unsigned *n, unsigned long long last_seen)
{
    unsigned room = *n;
    *n = count(c);
    if (!*n || *n > MOST || wall_us(c->boot) <= last_seen)
        return NVML_ERROR_NOT_FOUND;
    if (room < *n)
        return NVML_ERROR_INSUFFICIENT_SIZE;
    *n = write_shares(c, to, *n);
    return *n ? NVML_SUCCESS : NVML_ERROR_NOT_FOUND;
}

nvmlReturn_t nvmlDeviceGetProcessUtilization(nvmlDevice_t device, nvmlProcessUtilizationSample_t *to, unsigned int *n,
                                             unsigned long long last_seen)
{
    ENTER_DEVICE(nvmlDeviceGetProcessUtilization, device);
    NEED(n);
    SUPPORTED(!mig_on(c.gpu, c.t));
    static _Thread_local nvmlProcessUtilizationInfo_v1_t all[MOST];
    unsigned room = to ? *n : 0;
    *n = room < MOST ? room : MOST;
    nvmlReturn_t rc = shares(&c, all, n, last_seen);
    for (unsigned i = 0; rc == NVML_SUCCESS && i < *n; i++)
        to[i] = (nvmlProcessUtilizationSample_t){all[i].pid,     all[i].timeStamp, all[i].smUtil,
                                                 all[i].memUtil, all[i].encUtil,   all[i].decUtil};
    return rc;
}

nvmlReturn_t nvmlDeviceGetProcessesUtilizationInfo(nvmlDevice_t device, nvmlProcessesUtilizationInfo_t *to)
{
    ENTER_DEVICE(nvmlDeviceGetProcessesUtilizationInfo, device);
    NEED(to);
    VERSION(to->version, nvmlProcessesUtilizationInfo_v1);
    SUPPORTED(!mig_on(c.gpu, c.t));
    if (!to->procUtilArray)
        to->processSamplesCount = 0;
    return shares(&c, to->procUtilArray, &to->processSamplesCount, to->lastSeenTimeStamp);
}
