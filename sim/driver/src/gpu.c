/* One GPU at, between and up to moments of scenario time. */
#include <math.h>

#include "mig.h"

/* How long a replaced version is still asked about the time before it went. */
#define LOOK_BACK (30 * SECOND)

double gpu_value(const struct gpu *g, enum curve_id id, int64_t t)
{
    return curve_value(&g->curves[id], t);
}

static double integral(const struct gpu *g, enum curve_id id, int64_t from, int64_t to)
{
    const struct curve *c = &g->curves[id];
    return curve_integral(c, to) - curve_integral(c, from);
}

/* This GPU in the version before, if from is in that version's time. */
static const struct gpu *before(const struct gpu *g, int64_t from)
{
    const struct scenario *s = g->scenario;
    if (from >= s->since || !s->previous || boot_clock() - s->since_boot > LOOK_BACK || g->index >= s->previous->gpu_count)
        return NULL;
    const struct gpu *old = &s->previous->gpus[g->index];
    if (!g->instance)
        return old;
    const struct instance *i = mig_instance(old, g->instance - 1, from + s->start - s->previous->start);
    return i ? &i->gpu : NULL;
}

static double sum(const struct gpu *g, enum curve_id id, int64_t from, int64_t to)
{
    const struct gpu *old = before(g, from);
    if (!old)
        return integral(g, id, from, to);
    int64_t since = g->scenario->since, shift = g->scenario->start - old->scenario->start;
    int64_t until = to < since ? to : since;
    double part = sum(old, id, from + shift, until + shift);
    return to > until ? part + integral(g, id, until, to) : part;
}

double gpu_average(const struct gpu *g, enum curve_id id, int64_t from, int64_t to)
{
    return sum(g, id, from, to) / ((double)(to - from) * 1e-9);
}

/*
 * A sample as the driver gives it: a whole number, scale times the integral over
 * the sample. Rounding the running sum instead of each sample keeps the mean of
 * many samples exact.
 */
unsigned gpu_sample(const struct gpu *g, enum curve_id id, double scale, int64_t from, int64_t to)
{
    const struct curve *c = &g->curves[id];
    if (before(g, from))
        return (unsigned)lround(sum(g, id, from, to) * scale);
    double low = floor(curve_integral(c, from) * scale + 0.5);
    double high = floor(curve_integral(c, to) * scale + 0.5);
    return high > low ? (unsigned)(high - low) : 0;
}

static int64_t latest(const struct reloads *r, int64_t t, int64_t last)
{
    for (int i = 0; r && i < r->count; i++)
        if (r->at[i] <= t && r->at[i] > last)
            last = r->at[i];
    return last;
}

/* When the driver was last loaded or the GPU reset, as the scenario says; else
 * long ago. */
int64_t gpu_loaded(const struct gpu *g, int64_t t)
{
    return latest(g->resets, t, latest(&g->scenario->reloads, t, INT64_MIN));
}

/* The integral since the driver was loaded, over all versions of the scenario
 * that this process has seen. */
double gpu_counter(const struct gpu *g, enum curve_id id, int64_t t)
{
    int64_t since = g->scenario->since, loaded = gpu_loaded(g, t);
    if (loaded >= since)
        return integral(g, id, loaded, t);
    return g->carried[id] + (t > since ? integral(g, id, since, t) : 0);
}

double gpu_total(const struct gpu *g, enum curve_id id, int64_t t)
{
    int64_t since = g->scenario->since;
    return g->total[id] + (t > since ? integral(g, id, since, t) : 0);
}

static uint64_t held(const struct gpu *g, int64_t t)
{
    uint64_t used = 0;
    for (int i = 0; i < g->process_count; i++)
        if (t >= g->processes[i].from && t < g->processes[i].to)
            used += g->processes[i].memory;
    return used;
}

/* Without a memory curve, what the processes hold, or the instances. */
uint64_t gpu_memory_used(const struct gpu *g, int64_t t)
{
    uint64_t room = g->memory - g->reserved, used = 0;
    if (g->curves[MEMORY].given)
        used = (uint64_t)gpu_value(g, MEMORY, t);
    else if (!mig_on(g, t))
        used = held(g, t);
    else
        for (const struct instance *i = g->instances; i < g->instances + g->instance_count; i++)
            used += mig_alive(g, i, t) ? gpu_memory_used(&i->gpu, t) : 0;
    return used < room ? used : room;
}

/* Since the driver was loaded, with the scenario's jump and standstill. */
uint64_t gpu_energy(const struct gpu *g, int64_t t)
{
    if (level_at(g, ENERGY_STUCK, t) > 0)
        t = g->levels[ENERGY_STUCK].from;
    return (uint64_t)((gpu_counter(g, POWER, t) + level_at(g, ENERGY_OFFSET, t)) * 1000);
}
