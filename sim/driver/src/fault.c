/* Errors, delays, hangs and crashes on demand. Nothing here holds a lock: a call
 * that never returns keeps nobody else from answering. */
#include <string.h>
#include <unistd.h>

#include "sim.h"

/* Whether this call is one that the rule means; counts it. */
static bool fires(const struct scenario *s, struct fault *f, unsigned slot, int64_t boot)
{
    int64_t t = boot - s->start;
    if (t < f->from || t >= f->to)
        return false;
    if (!f->any_gpu && (slot == NO_GPU || !gpuset_has(&f->gpus, slot)))
        return false;
    uint32_t n = atomic_fetch_add_explicit(&f->calls[slot], 1, memory_order_relaxed);
    if (n < f->after || (f->times && n - f->after >= f->times))
        return false;
    if (f->probability >= 1)
        return true;
    uint64_t seed = mix(mix(s->seed, (uint64_t)(f - s->faults) + 1), slot);
    return (double)(mix(seed, n) >> 11) * 0x1p-53 < f->probability;
}

static int act(int64_t delay, bool block, bool crash, int code)
{
    volatile int *volatile nowhere = NULL;
    if (crash)
        *nowhere = 0;
    while (block)
        pause();
    if (delay && !node_sleep(delay))
        return NVML_ERROR_UNKNOWN;
    return code;
}

/* The first rule that fires decides. The scenario may be replaced and freed
 * while act sleeps, so everything is read before. */
int fault_check(const struct scenario *s, enum function fn, unsigned slot, int64_t boot)
{
    if (!(s->faulty[fn / 64] >> fn % 64 & 1))
        return PROCEED;
    for (struct fault *f = s->faults; f < s->faults + s->fault_count; f++)
        if (!f->field && f->functions[fn / 64] >> fn % 64 & 1 && fires(s, f, slot, boot))
            return act(f->delay, f->block, f->crash, f->code);
    return PROCEED;
}

/* Rules with field=: one value of a nvmlDeviceGetFieldValues call. */
int fault_field(const struct scenario *s, unsigned field, unsigned slot, int64_t boot)
{
    for (struct fault *f = s->faults; f < s->faults + s->fault_count; f++)
        if (f->field == field && field && fires(s, f, slot, boot))
            return f->code;
    return PROCEED;
}

/* Rules whose text did not change go on counting where the old version was. */
void fault_carry(struct scenario *to, const struct scenario *from)
{
    for (struct fault *f = to->faults; f < to->faults + to->fault_count; f++)
        for (struct fault *old = from->faults; old < from->faults + from->fault_count; old++)
            if (!strcmp(f->text, old->text)) {
                for (int i = 0; i <= MAX_GPUS; i++)
                    atomic_store(&f->calls[i], atomic_load(&old->calls[i]));
                break;
            }
}
