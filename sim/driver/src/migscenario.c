/* What follows from the lines about instances: their defaults, the load of the GPU
 * as the sum of theirs, and the events of their coming and going. */
#include <stdio.h>
#include <string.h>

#include "mig.h"
#include "statements.h"

static void name_computes(const struct gpu *g, struct instance *i)
{
    for (struct compute *c = i->computes; c < i->computes + i->compute_count; c++) {
        uint64_t a = 0;
        for (const char *s = g->uuid; *s; s++)
            a = mix(a, (unsigned char)*s);
        a = mix(a, (uint64_t)i->row->id << 24 | (uint64_t)c->slices << 16 | (uint64_t)i->id << 8 | c->id);
        uint64_t b = mix(a, 1);
        snprintf(c->uuid, sizeof c->uuid, "MIG-%08x-%04x-%04x-%04x-%012llx", (unsigned)(a >> 32), (unsigned)(a >> 16 & 0xffff),
                 (unsigned)(a & 0xffff), (unsigned)(b >> 48), (unsigned long long)(b & 0xffffffffffff));
    }
}

static void take_processes(const struct gpu *g, struct instance *i)
{
    struct process *own = scenario_alloc((struct scenario *)g->scenario, (size_t)(g->process_count + 1) * sizeof *own);
    for (int n = 0; n < g->process_count; n++)
        if (g->processes[n].gi == i->id)
            own[i->gpu.process_count++] = g->processes[n];
    i->gpu.processes = own;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The GPU's utilisation is that of its instances by their slices, unless given. */
static void sum_up(struct gpu *g)
{
    const struct level *mode = &g->levels[MIG_MODE];
    if (g->curves[UTIL].given || !g->instance_count || mode->value <= 0)
        return;
    struct part *parts = scenario_alloc((struct scenario *)g->scenario, (size_t)g->instance_count * sizeof *parts);
    for (int n = 0; n < g->instance_count; n++) {
        const struct instance *i = &g->instances[n];
        int64_t from = later(i->from, mode->from), to = earlier(i->to, mode->to);
        parts[n] = (struct part){&i->gpu.curves[UTIL], i->gpu.part, from, later(from, to)};
    }
    g->curves[UTIL] = (struct curve){.kind = SUM, .scale = 1, .parts = parts, .count = g->instance_count};
}

void mig_finish(struct gpu *g)
{
    for (struct instance *i = g->instances; i < g->instances + g->instance_count; i++) {
        i->gpu.scenario = g->scenario;
        i->gpu.index = g->index;
        i->gpu.instance = i->id + 1;
        i->gpu.profile = g->profile;
        i->gpu.part = i->row->slices / 7.0;
        i->gpu.memory = mig_row_memory(g->profile, i->row);
        i->gpu.resets = g->resets;
        name_computes(g, i);
        take_processes(g, i);
        curves_finish(&i->gpu);
    }
    sum_up(g);
}

static void announce(struct scenario *s, unsigned gpu, int64_t at)
{
    if (at == INT64_MIN || at == FOREVER)
        return;
    struct xid x = {.type = nvmlEventMigConfigChange, .gi = NO_INSTANCE, .at = at, .count = 1};
    x.gpus.bits[gpu >> 6] = UINT64_C(1) << (gpu & 63);
    struct xid *all = scenario_alloc(s, (size_t)(s->xid_count + 1) * sizeof *all);
    if (s->xid_count)
        memcpy(all, s->xids, (size_t)s->xid_count * sizeof *all);
    all[s->xid_count++] = x;
    s->xids = all;
}

void mig_events(struct scenario *s)
{
    for (unsigned n = 0; n < s->gpu_count; n++) {
        const struct gpu *g = &s->gpus[n];
        if (g->levels[MIG_MODE].given) {
            announce(s, n, g->levels[MIG_MODE].from);
            announce(s, n, g->levels[MIG_MODE].to);
        }
        for (const struct instance *i = g->instances; i < g->instances + g->instance_count; i++) {
            announce(s, n, i->from);
            announce(s, n, i->to);
        }
    }
}

static const struct instance *same(const struct gpu *g, const struct instance *i, int64_t t)
{
    const struct instance *other = mig_instance(g, i->id, t);
    return other && other->row == i->row && other->compute_count == i->compute_count ? other : NULL;
}

/* Whether every instance of a that there is at its time t is one of b's at u. */
static bool all_in(const struct gpu *a, int64_t t, const struct gpu *b, int64_t u)
{
    for (const struct instance *i = a->instances; i < a->instances + a->instance_count; i++)
        if (mig_alive(a, i, t) && !same(b, i, u))
            return false;
    return true;
}

static void carry_instance(struct instance *to, const struct instance *from, int64_t t)
{
    for (int id = 0; id < CURVE_COUNT; id++) {
        to->gpu.carried[id] = gpu_counter(&from->gpu, (enum curve_id)id, t);
        to->gpu.total[id] = gpu_total(&from->gpu, (enum curve_id)id, t);
    }
}

/* A new version that divides a GPU otherwise is a change of its configuration. */
void mig_carry(struct scenario *s, const struct scenario *old)
{
    int64_t then = s->since_boot - old->start;
    for (unsigned n = 0; n < s->gpu_count && n < old->gpu_count; n++) {
        struct gpu *g = &s->gpus[n];
        const struct gpu *before = &old->gpus[n];
        for (struct instance *i = g->instances; i < g->instances + g->instance_count; i++) {
            const struct instance *from = same(before, i, then);
            if (from)
                carry_instance(i, from, then);
        }
        if (mig_on(g, s->since) != mig_on(before, then) || !all_in(g, s->since, before, then) ||
            !all_in(before, then, g, s->since))
            announce(s, n, s->since);
    }
}
