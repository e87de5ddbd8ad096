/* The curves as a scenario writes them. */
#include <ctype.h>
#include <string.h>

#include "statements.h"

/* Reads a value in the curve's unit; memory may also be given in percent of the
 * GPU's total, all values of one curve alike. */
static bool value(struct line *l, struct curve *c, const char *word, enum unit unit, double *v)
{
    if (unit == BYTES && word && word_percent(word, v)) {
        c->relative = true;
        return true;
    }
    if (c->relative)
        return bad(l, "\"%s\" must be in percent like the other values", word ? word : "");
    return word_number(l, word, unit, v);
}

static bool optional(struct line *l, struct curve *c, const char *key, enum unit unit, double *v)
{
    char *word = option(l, key);
    return !word || value(l, c, word, unit, v);
}

static bool required(struct line *l, struct curve *c, const char *key, enum unit unit, double *v)
{
    char *word = option(l, key);
    if (!word)
        return bad(l, "%s= is missing", key);
    return value(l, c, word, unit, v);
}

static bool period(struct line *l, const char *key, struct curve *c)
{
    if (!option_duration(l, key, &c->period))
        return false;
    if (c->period < 1000)
        return bad(l, "%s= is missing or shorter than 1us", key);
    return option_time(l, "phase", &c->phase);
}

static bool square(struct line *l, enum unit unit, struct curve *c)
{
    c->high = unit == PERCENT ? 100 : -1;
    if (!period(l, "period", c) || !option_duration(l, "on", &c->on))
        return false;
    if (c->on <= 0 || c->on > c->period)
        return bad(l, "on= must be more than 0 and at most the period");
    if (!optional(l, c, "high", unit, &c->high) || !optional(l, c, "low", unit, &c->low))
        return false;
    return c->high >= 0 || bad(l, "high= is missing");
}

/* Sines and walks. The knots of a walk are random and made once its GPU is
 * known; see gpu_finish. */
static bool between(struct line *l, enum unit unit, struct curve *c)
{
    c->high = unit == PERCENT ? 100 : -1;
    if (!period(l, "period", c))
        return false;
    if (!optional(l, c, "max", unit, &c->high) || !optional(l, c, "min", unit, &c->low))
        return false;
    return c->high >= c->low || bad(l, "max= is missing or less than min=");
}

static bool ramp(struct line *l, enum unit unit, struct curve *c)
{
    if (!required(l, c, "from", unit, &c->low) || !required(l, c, "to", unit, &c->high))
        return false;
    return period(l, "over", c) && option_time(l, "begin", &c->phase);
}

static bool step(struct line *l, enum unit unit, struct curve *c, struct step *s, char *word)
{
    char *equals = strchr(word, '=');
    if (!equals)
        return bad(l, "\"%s\" is not TIME=VALUE", word);
    *equals = 0;
    return word_time(l, word, &s->at) && value(l, c, equals + 1, unit, &s->value);
}

static bool steps(struct line *l, enum unit unit, struct curve *c)
{
    if (!option_duration(l, "repeat", &c->period))
        return false;
    struct step *list = scenario_alloc(l->scenario, MAX_WORDS * sizeof *list);
    for (char *word = next(l); word; word = next(l)) {
        struct step *s = &list[c->count];
        if (!step(l, unit, c, s, word))
            return false;
        if (c->count && s->at <= s[-1].at)
            return bad(l, "steps must come in order of time");
        if (c->period && s->at >= c->period)
            return bad(l, "a step lies after repeat=");
        c->count++;
    }
    if (!c->count)
        return bad(l, "steps takes TIME=VALUE, one or more");
    steps_sum(list, c->count);
    c->steps = list;
    return true;
}

static const struct {
    const char *word;
    enum curve_kind kind;
    bool (*parse)(struct line *l, enum unit unit, struct curve *c);
} kinds[] = {
    {"square", SQUARE, square}, {"sine", SINE, between}, {"ramp", RAMP, ramp}, {"walk", WALK, between}, {"steps", STEPS, steps},
};

bool parse_curve(struct line *l, enum unit unit, struct curve *c)
{
    *c = (struct curve){.given = true, .scale = 1};
    char *word = next(l);
    if (!word)
        return bad(l, "a value or a curve is missing");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(kinds[i].word, word)) {
            c->kind = kinds[i].kind;
            return kinds[i].parse(l, unit, c);
        }
    if (!isdigit((unsigned char)*word))
        return bad(l, "\"%s\" is neither a value nor square, sine, ramp, walk, steps", word);
    return value(l, c, word, unit, &c->high);
}
