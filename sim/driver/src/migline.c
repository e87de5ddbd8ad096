/* The statement "gpu SET instance ID …". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "migline.h"

#define EIGHTHS 8
#define SLICES 7

static bool together(const struct instance *i, int64_t from, int64_t to)
{
    return i->from < to && from < i->to;
}

/* The first place in the memory that is free for all of the time. */
static bool place(const struct gpu *g, const struct mig_row *row, int64_t from, int64_t to, unsigned *start)
{
    bool taken[EIGHTHS] = {false};
    unsigned slices = row->slices;
    for (const struct instance *i = g->instances; i < g->instances + g->instance_count; i++)
        if (together(i, from, to)) {
            slices += i->row->slices;
            for (unsigned e = 0; e < i->row->eighths; e++)
                taken[i->start + e] = true;
        }
    for (unsigned s = 0; slices <= SLICES && s + row->eighths <= EIGHTHS; s += row->eighths) {
        unsigned free = 0;
        while (free < row->eighths && !taken[s + free])
            free++;
        if (free == row->eighths) {
            *start = s;
            return true;
        }
    }
    return false;
}

static bool add_compute(struct line *l, struct instance *i, const char *own, const char *word)
{
    char *end;
    unsigned used = 0;
    unsigned long slices = strtoul(word, &end, 10);
    for (int n = 0; n < i->compute_count; n++)
        used += i->computes[n].slices;
    if (end == word || strncmp(end, "c.", 2) || strcmp(end + 2, own))
        return bad(l, "\"%s\" is not a compute instance such as 1c.%s", word, own);
    if (!slices || slices == 5 || slices + used > i->row->slices)
        return bad(l, "\"%s\" does not fit into %s any more", word, own);
    i->computes[i->compute_count] = (struct compute){.id = (unsigned)i->compute_count, .slices = (unsigned)slices, .start = used};
    i->compute_count++;
    return true;
}

/* Without a list there is one compute instance with all slices. */
static bool compute_list(struct line *l, struct instance *i, const char *own)
{
    if (!accept(l, "compute")) {
        i->computes[i->compute_count++] = (struct compute){.slices = i->row->slices};
        return true;
    }
    if (!peek(l))
        return bad(l, "compute takes one or more such as 1c.%s", own);
    for (char *word = next(l); word; word = next(l))
        if (!add_compute(l, i, own, word))
            return false;
    return true;
}

/* profile NAME [compute NAME…] [from=T to=T] */
static bool create(struct line *l, struct gpu *g, unsigned id)
{
    struct instance i = {.id = id, .from = INT64_MIN, .to = FOREVER};
    const char *word = next(l);
    i.row = word ? mig_row_find(g->profile, word) : NULL;
    if (!i.row)
        return bad(l, "%s has no instances \"%s\"", g->profile->word, word ? word : "");
    if (!option_time(l, "from", &i.from) || !option_time(l, "to", &i.to) || !compute_list(l, &i, word))
        return false;
    for (const struct instance *other = g->instances; other < g->instances + g->instance_count; other++)
        if (other->id == id && together(other, i.from, i.to))
            return bad(l, "instance %u is there already", id);
    if (!place(g, i.row, i.from, i.to, &i.start))
        return bad(l, "there is no room for another \"%s\"", word);
    struct instance *all = scenario_alloc(l->scenario, (size_t)(g->instance_count + 1) * sizeof *all);
    if (g->instance_count)
        memcpy(all, g->instances, (size_t)g->instance_count * sizeof *all);
    all[g->instance_count++] = i;
    g->instances = all;
    return true;
}

static struct instance *latest(struct gpu *g, unsigned id)
{
    for (int n = g->instance_count - 1; n >= 0; n--)
        if (g->instances[n].id == id)
            return &g->instances[n];
    return NULL;
}

/* pid= … as for a GPU, and compute=ID. */
static bool process(struct line *l, struct gpu *g, const struct instance *i)
{
    struct process p;
    uint64_t compute = 0;
    if (!option_uint(l, "compute", &compute) || !parse_process(l, &p))
        return false;
    if (compute >= MAX_CI || !mig_compute(i, (unsigned)compute))
        return bad(l, "instance %u has no compute instance %llu", i->id, (unsigned long long)compute);
    p.gi = i->id;
    p.ci = (unsigned)compute;
    add_process(l, g, &p);
    return true;
}

/* What comes after the id. */
static bool property(struct line *l, struct gpu *g, unsigned id, const char *word)
{
    enum curve_id curve;
    enum unit unit;
    if (!strcmp(word, "profile"))
        return create(l, g, id);
    struct instance *i = latest(g, id);
    if (!i)
        return bad(l, "GPU %td has no instance %u before this line", g - l->scenario->gpus, id);
    if (!strcmp(word, "process"))
        return process(l, g, i);
    if (curve_find(word, &curve, &unit))
        return parse_curve(l, unit, &i->gpu.curves[curve]);
    return bad(l, "unknown property \"%s\" of an instance", word);
}

bool parse_instance(struct line *l, struct gpu *g)
{
    uint64_t id;
    if (!word_uint(l, next(l), &id))
        return false;
    if (id >= MAX_GI)
        return bad(l, "instance %llu: ids are less than %d", (unsigned long long)id, MAX_GI);
    const char *word = next(l);
    return word ? property(l, g, (unsigned)id, word) : bad(l, "instance ID takes a property");
}
