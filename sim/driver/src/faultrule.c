/* The statement "fault FUNCTION [gpu SET] …". */
#include <stdlib.h>
#include <string.h>

#include "statements.h"

static void add(uint64_t *set, int fn)
{
    set[fn / 64] |= UINT64_C(1) << fn % 64;
}

/* A full name, a beginning and *, or init for every way to initialise. */
static bool functions(struct line *l, const char *word, uint64_t *set)
{
    if (!word)
        return bad(l, "fault takes a function");
    if (!strcmp(word, "init"))
        word = "nvmlInit*";
    size_t n = strlen(word);
    bool prefix = word[n - 1] == '*', found = false;
    if (prefix)
        n--;
    for (int i = 0; i < FUNCTION_COUNT; i++)
        if (!strncmp(function_names[i], word, n) && (prefix || !function_names[i][n])) {
            add(set, i);
            found = true;
        }
    return found || bad(l, "unknown function \"%s\"", word);
}

static bool action(struct line *l, struct fault *f)
{
    if (accept(l, "block"))
        f->block = true;
    else if (accept(l, "crash"))
        f->crash = true;
    else if (accept(l, "delay"))
        return word_duration(l, next(l), &f->delay);
    else if (accept(l, "return")) {
        const char *word = next(l);
        if (!word || !code_find(word, &f->code))
            return bad(l, "\"%s\" is not an NVML return code", word ? word : "");
    } else
        return bad(l, "a fault takes return CODE, delay TIME, block or crash");
    return true;
}

static bool count(struct line *l, const char *key, uint32_t *n)
{
    uint64_t wide = *n;
    if (!option_uint(l, key, &wide))
        return false;
    if (wide > UINT32_MAX)
        return bad(l, "%s= is too large", key);
    *n = (uint32_t)wide;
    return true;
}

static bool limits(struct line *l, struct fault *f)
{
    uint64_t field = 0;
    if (!count(l, "after", &f->after) || !count(l, "times", &f->times) || !option_time(l, "from", &f->from) ||
        !option_time(l, "to", &f->to) || !option_uint(l, "field", &field))
        return false;
    if (field >= NVML_FI_MAX)
        return bad(l, "field=%llu: fields end at %d", (unsigned long long)field, NVML_FI_MAX - 1);
    f->field = (unsigned)field;
    const char *word = option(l, "probability");
    if (!word)
        return true;
    char *end;
    f->probability = strtod(word, &end);
    return (end != word && !*end && f->probability >= 0 && f->probability <= 1) ||
           bad(l, "probability=%s is not between 0 and 1", word);
}

static char *text(struct line *l)
{
    size_t size = 1;
    for (int i = 0; i < l->count; i++)
        size += strlen(l->words[i]) + 1;
    char *t = scenario_alloc(l->scenario, size);
    for (int i = 0; i < l->count; i++)
        strcat(strcat(t, l->words[i]), " ");
    return t;
}

bool parse_fault(struct line *l)
{
    struct scenario *s = l->scenario;
    struct fault *all = scenario_alloc(s, (size_t)(s->fault_count + 1) * sizeof *all);
    if (s->fault_count)
        memcpy(all, s->faults, (size_t)s->fault_count * sizeof *all);
    struct fault *f = &all[s->fault_count];
    *f = (struct fault){.code = PROCEED, .from = INT64_MIN, .to = FOREVER, .probability = 1, .any_gpu = true, .text = text(l)};
    if (!functions(l, next(l), f->functions))
        return false;
    if (accept(l, "gpu")) {
        f->any_gpu = false;
        if (!word_gpus(l, next(l), &f->gpus))
            return false;
    }
    if (!limits(l, f) || !action(l, f))
        return false;
    while (peek(l))
        if (!action(l, f))
            return false;
    s->faults = all;
    s->fault_count++;
    for (int i = 0; i < FUNCTION_WORDS; i++)
        s->faulty[i] |= f->functions[i];
    return true;
}
