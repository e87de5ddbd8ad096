/* Event sets: what the scenario schedules, from registration on. */
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define LOOK_EVERY (SECOND / 5) /* for a changed scenario while waiting */

/* A place in the order of events: time by the boot clock, then line. */
struct place {
    int64_t boot;
    int line;
};

struct registration {
    unsigned long long types;
    struct place delivered; /* everything up to here */
};

struct nvmlEventSet_st {
    pthread_mutex_t lock; /* guards gpus; never held over a sleep */
    struct registration gpus[MAX_GPUS];
};

nvmlReturn_t nvmlEventSetCreate(nvmlEventSet_t *set)
{
    ENTER(nvmlEventSetCreate);
    NEED(set);
    *set = calloc(1, sizeof **set);
    if (!*set)
        return NVML_ERROR_MEMORY;
    pthread_mutex_init(&(*set)->lock, NULL);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlEventSetFree(nvmlEventSet_t set)
{
    ENTER(nvmlEventSetFree);
    NEED(set);
    free(set);
    return NVML_SUCCESS;
}

static unsigned long long supported(const struct gpu *g)
{
    unsigned long long types = nvmlEventTypeXidCriticalError | nvmlEventTypePState | nvmlEventTypeClock;
    types |= nvmlEventTypeSingleBitEccError | nvmlEventTypeDoubleBitEccError;
    if (g->profile->mig)
        types |= nvmlEventMigConfigChange;
    if (branch.number >= 570 && g->profile->remaps_rows)
        types |= nvmlEventTypeGpuUnavailableError | nvmlEventTypeGpuRecoveryAction;
    return types;
}

nvmlReturn_t nvmlDeviceGetSupportedEventTypes(nvmlDevice_t device, unsigned long long *types)
{
    ENTER_DEVICE(nvmlDeviceGetSupportedEventTypes, device);
    NEED(types);
    *types = supported(c.gpu);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceRegisterEvents(nvmlDevice_t device, unsigned long long types, nvmlEventSet_t set)
{
    ENTER_DEVICE(nvmlDeviceRegisterEvents, device);
    NEED(set && types);
    SUPPORTED(!(types & ~supported(c.gpu)));
    pthread_mutex_lock(&set->lock);
    struct registration *r = &set->gpus[c.gpu->index];
    if (!r->types)
        r->delivered = (struct place){c.boot, INT_MAX};
    r->types |= types;
    pthread_mutex_unlock(&set->lock);
    return NVML_SUCCESS;
}

static bool earlier(struct place a, struct place b)
{
    return a.boot != b.boot ? a.boot < b.boot : a.line < b.line;
}

/* When this line next happens after a place; false if it does not. */
static bool following(const struct scenario *s, int line, struct place after, struct place *when)
{
    const struct xid *x = &s->xids[line];
    *when = (struct place){x->at + s->start, line};
    if (earlier(after, *when))
        return x->count > 0;
    if (x->count < 2)
        return false;
    uint64_t n = (uint64_t)(after.boot - when->boot) / (uint64_t)x->every;
    when->boot += (int64_t)n * x->every;
    if (!earlier(after, *when)) {
        when->boot += x->every;
        n++;
    }
    return n < x->count;
}

/* The earliest event of the set that was not delivered, however far away. */
static bool earliest(const struct scenario *s, const struct nvmlEventSet_st *set, struct place *when, unsigned *gpu)
{
    bool found = false;
    for (int line = 0; line < s->xid_count; line++)
        for (unsigned i = 0; i < s->gpu_count; i++) {
            struct place p;
            if (!gpuset_has(&s->xids[line].gpus, i) || !(set->gpus[i].types & s->xids[line].type))
                continue;
            if (!following(s, line, set->gpus[i].delivered, &p) || (found && !earlier(p, *when)))
                continue;
            *when = p;
            *gpu = i;
            found = true;
        }
    return found;
}

/* Takes the next due event; otherwise says until when there is none. */
static bool take(nvmlEventSet_t set, int64_t boot, nvmlEventData_t *data, int64_t *until)
{
    const struct scenario *s = node_current(boot);
    struct place when;
    unsigned gpu;
    pthread_mutex_lock(&set->lock);
    bool found = earliest(s, set, &when, &gpu), due = found && when.boot <= boot;
    *until = found ? when.boot : FOREVER;
    if (due) {
        const struct xid *x = &s->xids[when.line];
        set->gpus[gpu].delivered = when;
        *data = (nvmlEventData_t){&handles[gpu], x->type, x->code, s->root ? x->gi : NO_INSTANCE, NO_INSTANCE};
    }
    pthread_mutex_unlock(&set->lock);
    return due;
}

static nvmlReturn_t wait_event(enum function fn, nvmlEventSet_t set, nvmlEventData_t *data, unsigned milliseconds)
{
    struct call c;
    nvmlReturn_t rc = call_enter(&c, fn);
    if (rc != NVML_SUCCESS)
        return rc;
    NEED(set && data);
    int64_t end = c.boot + (int64_t)milliseconds * 1000000, boot, until;
    while (boot = boot_clock(), !take(set, boot, data, &until)) {
        if (boot >= end)
            return NVML_ERROR_TIMEOUT;
        int64_t pause = end < until ? end - boot : until - boot;
        node_sleep(pause < LOOK_EVERY ? pause : LOOK_EVERY);
    }
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlEventSetWait(nvmlEventSet_t set, nvmlEventData_t *data, unsigned int milliseconds)
{
    return wait_event(FN_nvmlEventSetWait, set, data, milliseconds);
}

nvmlReturn_t nvmlEventSetWait_v2(nvmlEventSet_t set, nvmlEventData_t *data, unsigned int milliseconds)
{
    return wait_event(FN_nvmlEventSetWait_v2, set, data, milliseconds);
}

/* All events here are of the old kind; the new fields say so by 0. */
nvmlReturn_t nvmlEventSetWait_v3(nvmlEventSet_t set, nvmlEventSetWait_v3_t *params)
{
    NEED(params);
    nvmlEventData_t data;
    unsigned timeout = params->timeoutMs;
    nvmlReturn_t rc = wait_event(FN_nvmlEventSetWait_v3, set, &data, timeout);
    if (rc != NVML_SUCCESS)
        return rc;
    memset(params, 0, sizeof *params);
    params->timeoutMs = timeout;
    params->dataType = NVML_EVENT_DATA_TYPE_NVML_EVENT;
    params->eventType = data.eventType;
    params->eventData = data.eventData;
    params->gpuInstanceId = data.gpuInstanceId;
    params->computeInstanceId = data.computeInstanceId;
    return nvmlDeviceGetUUID(data.device, params->uuid, sizeof params->uuid);
}
