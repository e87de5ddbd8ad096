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

/* What every process did; false if it was nothing: then there is no sample. */
static bool shares(const struct call *c, unsigned processes, nvmlProcessUtilizationInfo_v1_t *s)
{
    *s = (nvmlProcessUtilizationInfo_v1_t){
        .timeStamp = wall_us(c->boot),
        .smUtil = share(c, UTIL, processes),
        .memUtil = share(c, MEMORY_UTIL, processes),
        .encUtil = share(c, ENCODER, processes),
        .decUtil = share(c, DECODER, processes),
        .jpgUtil = share(c, JPEG, processes),
        .ofaUtil = share(c, OFA, processes),
    };
    return s->smUtil || s->encUtil || s->decUtil || s->jpgUtil || s->ofaUtil;
}

/* Sets n to the processes there are, and s to what each of them did. */
static nvmlReturn_t ask(const struct call *c, unsigned *n, unsigned long long last_seen, nvmlProcessUtilizationInfo_v1_t *s)
{
    unsigned room = *n;
    *n = count(c);
    if (!*n || wall_us(c->boot) <= last_seen)
        return NVML_ERROR_NOT_FOUND;
    if (room < *n)
        return NVML_ERROR_INSUFFICIENT_SIZE;
    return shares(c, *n, s) ? NVML_SUCCESS : NVML_ERROR_NOT_FOUND;
}

nvmlReturn_t nvmlDeviceGetProcessUtilization(nvmlDevice_t device, nvmlProcessUtilizationSample_t *to, unsigned int *n,
                                             unsigned long long last_seen)
{
    nvmlProcessUtilizationInfo_v1_t s;
    ENTER_DEVICE(nvmlDeviceGetProcessUtilization, device);
    NEED(n);
    SUPPORTED(!mig_on(c.gpu, c.t));
    if (!to)
        *n = 0;
    nvmlReturn_t rc = ask(&c, n, last_seen, &s);
    for (int i = 0, k = 0; rc == NVML_SUCCESS && i < c.gpu->process_count; i++)
        if (running(&c.gpu->processes[i], c.t))
            to[k++] = (nvmlProcessUtilizationSample_t){c.gpu->processes[i].pid, s.timeStamp, s.smUtil, s.memUtil, s.encUtil, s.decUtil};
    return rc;
}

nvmlReturn_t nvmlDeviceGetProcessesUtilizationInfo(nvmlDevice_t device, nvmlProcessesUtilizationInfo_t *to)
{
    nvmlProcessUtilizationInfo_v1_t s;
    ENTER_DEVICE(nvmlDeviceGetProcessesUtilizationInfo, device);
    NEED(to);
    VERSION(to->version, nvmlProcessesUtilizationInfo_v1);
    SUPPORTED(!mig_on(c.gpu, c.t));
    if (!to->procUtilArray)
        to->processSamplesCount = 0;
    nvmlReturn_t rc = ask(&c, &to->processSamplesCount, to->lastSeenTimeStamp, &s);
    for (int i = 0, k = 0; rc == NVML_SUCCESS && i < c.gpu->process_count; i++)
        if (running(&c.gpu->processes[i], c.t)) {
            s.pid = c.gpu->processes[i].pid;
            to->procUtilArray[k++] = s;
        }
    return rc;
}
