/* The statement "gpu SET …". */
#include <stdlib.h>
#include <string.h>

#include "level.h"
#include "migline.h"

/* For every GPU g of the set that the scenario has. */
#define EACH_GPU(g, l, set)                                                                  \
    for (struct gpu *g = (l)->scenario->gpus; g < (l)->scenario->gpus + (l)->scenario->gpu_count; g++) \
        if (gpuset_has(set, (unsigned)(g - (l)->scenario->gpus)))

static bool gpu_model(struct line *l, const struct gpuset *set)
{
    const char *word = next(l);
    const struct profile *p = word ? profile_find(word) : NULL;
    if (!p)
        return bad(l, "unknown model \"%s\" (there are %s)", word ? word : "", profile_words());
    EACH_GPU(g, l, set)
        g->profile = p;
    return true;
}

static bool single(struct line *l, const struct gpuset *set)
{
    int n = 0;
    EACH_GPU(g, l, set)
        n++;
    return n == 1 || bad(l, "this line takes one GPU only");
}

static bool gpu_uuid(struct line *l, const struct gpuset *set)
{
    const char *word = next(l);
    if (!single(l, set))
        return false;
    if (!word || strlen(word) != strlen("GPU-00000000-0000-0000-0000-000000000000") || strncmp(word, "GPU-", 4))
        return bad(l, "\"%s\" is not a UUID such as GPU-00000000-0000-0000-0000-000000000000", word ? word : "");
    EACH_GPU(g, l, set)
        strcpy(g->uuid, word);
    return true;
}

static bool gpu_serial(struct line *l, const struct gpuset *set)
{
    const char *word = next(l);
    if (!single(l, set))
        return false;
    if (!word || strlen(word) >= NVML_DEVICE_SERIAL_BUFFER_SIZE)
        return bad(l, "a serial number of less than %d characters is missing", NVML_DEVICE_SERIAL_BUFFER_SIZE);
    EACH_GPU(g, l, set)
        strcpy(g->serial, word);
    return true;
}

static bool gpu_lost(struct line *l, const struct gpuset *set)
{
    int64_t from = INT64_MIN, to = FOREVER;
    int code = NVML_ERROR_GPU_IS_LOST;
    if (!option_time(l, "from", &from) || !option_time(l, "to", &to))
        return false;
    const char *word = option(l, "code");
    if (word && !code_find(word, &code))
        return bad(l, "\"%s\" is not an NVML return code", word);
    EACH_GPU(g, l, set) {
        g->lost_from = from;
        g->lost_to = to;
        g->lost_code = (nvmlReturn_t)code;
    }
    return true;
}

/* gpu SET reset at TIME */
static bool gpu_reset(struct line *l, const struct gpuset *set)
{
    struct reloads one = {.count = 0};
    if (!accept(l, "at"))
        return bad(l, "reset takes \"at TIME\"");
    if (!parse_reload(l, &one))
        return false;
    EACH_GPU(g, l, set) {
        if (!g->resets)
            g->resets = scenario_alloc(l->scenario, sizeof *g->resets);
        if (g->resets->count == MAX_RELOADS)
            return bad(l, "more than %d resets of GPU %td", MAX_RELOADS, g - l->scenario->gpus);
        g->resets->at[g->resets->count++] = one.at[0];
    }
    return true;
}

static bool gpu_process(struct line *l, const struct gpuset *set)
{
    struct process p;
    if (!parse_process(l, &p))
        return false;
    EACH_GPU(g, l, set)
        add_process(l, g, &p);
    return true;
}

/* Parsing takes words and cuts them up, so each GPU gets the line as it was. */
static bool gpu_instance(struct line *l, const struct gpuset *set)
{
    const struct line before = *l;
    EACH_GPU(g, l, set) {
        int errors = l->errors;
        *l = before;
        l->errors = errors;
        for (int i = 0; i < l->count; i++) {
            l->words[i] = scenario_alloc(l->scenario, strlen(before.words[i]) + 1);
            strcpy(l->words[i], before.words[i]);
        }
        if (!parse_instance(l, g))
            return false;
    }
    return true;
}

/* gpu SET at TIME xid CODE [every=TIME count=N instance=ID] */
static bool gpu_at(struct line *l, const struct gpuset *set)
{
    struct scenario *s = l->scenario;
    struct xid x = {.gpus = *set, .type = nvmlEventTypeXidCriticalError, .gi = NO_INSTANCE, .count = 1};
    uint64_t instance = NO_INSTANCE;
    if (!word_time(l, next(l), &x.at))
        return false;
    if (accept(l, "event")) {
        if (!word_uint(l, next(l), &x.type))
            return false;
    } else if (!accept(l, "xid")) {
        return bad(l, "\"at TIME\" takes \"xid CODE\" or \"event TYPE\"");
    } else if (!word_uint(l, next(l), &x.code)) {
        return false;
    }
    if (!option_duration(l, "every", &x.every) || !option_uint(l, "count", &x.count) ||
        !option_uint(l, "instance", &instance))
        return false;
    x.gi = (unsigned)instance;
    if (x.count > 1 && !x.every)
        return bad(l, "count= needs every=");
    struct xid *all = scenario_alloc(s, (size_t)(s->xid_count + 1) * sizeof *all);
    if (s->xid_count)
        memcpy(all, s->xids, (size_t)s->xid_count * sizeof *all);
    all[s->xid_count++] = x;
    s->xids = all;
    return true;
}

static const struct {
    const char *word;
    bool (*parse)(struct line *l, const struct gpuset *set);
} properties[] = {
    {"model", gpu_model}, {"uuid", gpu_uuid}, {"serial", gpu_serial}, {"lost", gpu_lost}, {"reset", gpu_reset}, {"process", gpu_process}, {"at", gpu_at},
    {"instance", gpu_instance},
};

static bool gpu_curve(struct line *l, const struct gpuset *set, enum curve_id id, enum unit unit)
{
    struct curve c;
    if (!parse_curve(l, unit, &c))
        return false;
    EACH_GPU(g, l, set)
        g->curves[id] = c;
    return true;
}

static bool level_value(struct line *l, const struct level_row *row, const char *word, double *value)
{
    if (!word)
        return bad(l, "%s takes a value", row->name);
    for (int i = 0; row->words && row->words[i]; i++)
        if (!strcmp(row->words[i], word)) {
            *value = i;
            return true;
        }
    if (row->words && (*word < '0' || *word > '9'))
        return bad(l, "%s: unknown value \"%s\"", row->name, word);
    bool watts = row == &level_rows[POWER_LIMIT] || row == &level_rows[POWER_REQUESTED];
    return word_number(l, word, watts ? WATTS : row == &level_rows[BAR1_USED] ? BYTES : NUMBER, value);
}

static bool gpu_level(struct line *l, const struct gpuset *set, int id)
{
    const struct level_row *row = &level_rows[id];
    struct level v = {.given = true, .to = FOREVER};
    if (!row->counter)
        v.from = INT64_MIN;
    if (!level_value(l, row, next(l), &v.value) || !option_time(l, "from", &v.from) || !option_time(l, "to", &v.to))
        return false;
    const char *rate = row->counter ? option(l, "rate") : NULL;
    if (rate) {
        char *end;
        v.rate = strtod(rate, &end);
        if (end == rate || (*end && strcmp(end, "/s")) || !(v.rate >= 0 && v.rate < 1e18))
            return bad(l, "rate=%s is not a number per second", rate);
    }
    EACH_GPU(g, l, set)
        g->levels[id] = v;
    return true;
}

bool parse_gpu(struct line *l)
{
    struct gpuset set;
    enum curve_id curve;
    enum unit unit;
    if (!word_gpus(l, next(l), &set))
        return false;
    const char *word = next(l);
    if (!word)
        return bad(l, "gpu SET takes a property");
    for (size_t i = 0; i < sizeof properties / sizeof *properties; i++)
        if (!strcmp(properties[i].word, word))
            return properties[i].parse(l, &set);
    if (curve_find(word, &curve, &unit))
        return gpu_curve(l, &set, curve, unit);
    for (int i = 0; i < LEVEL_COUNT; i++)
        if (!strcmp(level_rows[i].name, word))
            return gpu_level(l, &set, i);
    return bad(l, "unknown property \"%s\"", word);
}
