/* The words of a scenario line: numbers with units, times, sets of GPUs. */
#include "words.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool bad(struct line *l, const char *format, ...)
{
    if (l->bad)
        return false;
    char message[512];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    if (l->number)
        fprintf(stderr, "%s:%d: %s\n", l->file, l->number, message);
    else
        fprintf(stderr, "%s: %s\n", l->file, message);
    l->bad = true;
    l->errors++;
    return false;
}

void line_split(struct line *l, char *text)
{
    l->count = 0;
    l->bad = false;
    text[strcspn(text, "#")] = 0;
    char *rest = NULL;
    for (char *w = strtok_r(text, " \t\r", &rest); w; w = strtok_r(NULL, " \t\r", &rest)) {
        if (l->count == MAX_WORDS) {
            bad(l, "more than %d words", MAX_WORDS);
            return;
        }
        l->taken[l->count] = false;
        l->words[l->count++] = w;
    }
}

void line_finish(struct line *l)
{
    const char *word = peek(l);
    if (word)
        bad(l, "unknown word \"%s\"", word);
}

char *peek(struct line *l)
{
    for (int i = 0; i < l->count; i++)
        if (!l->taken[i])
            return l->words[i];
    return NULL;
}

char *next(struct line *l)
{
    for (int i = 0; i < l->count; i++)
        if (!l->taken[i]) {
            l->taken[i] = true;
            return l->words[i];
        }
    return NULL;
}

bool accept(struct line *l, const char *word)
{
    const char *w = peek(l);
    if (!w || strcmp(w, word))
        return false;
    next(l);
    return true;
}

char *option(struct line *l, const char *key)
{
    size_t n = strlen(key);
    for (int i = 0; i < l->count; i++)
        if (!l->taken[i] && !strncmp(l->words[i], key, n) && l->words[i][n] == '=') {
            l->taken[i] = true;
            return l->words[i] + n + 1;
        }
    return NULL;
}

static const struct {
    const char *suffix;
    enum unit unit;
    double factor;
} units[] = {
    {"%", PERCENT, 1},
    {"mW", WATTS, 1e-3},
    {"W", WATTS, 1},
    {"kW", WATTS, 1e3},
    {"C", CELSIUS, 1},
    {"MHz", MEGAHERTZ, 1},
    {"GHz", MEGAHERTZ, 1e3},
    {"B", BYTES, 1},
    {"KiB", BYTES, 0x1p10},
    {"MiB", BYTES, 0x1p20},
    {"GiB", BYTES, 0x1p30},
    {"TiB", BYTES, 0x1p40},
    {"kB", BYTES, 1e3},
    {"MB", BYTES, 1e6},
    {"GB", BYTES, 1e9},
    {"B/s", BYTES_PER_SECOND, 1},
    {"KiB/s", BYTES_PER_SECOND, 0x1p10},
    {"MiB/s", BYTES_PER_SECOND, 0x1p20},
    {"GiB/s", BYTES_PER_SECOND, 0x1p30},
    {"MB/s", BYTES_PER_SECOND, 1e6},
    {"GB/s", BYTES_PER_SECOND, 1e9},
};

static bool unit_factor(const char *suffix, enum unit unit, double *factor)
{
    *factor = 1;
    if (!*suffix)
        return true;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (units[i].unit == unit && !strcmp(units[i].suffix, suffix)) {
            *factor = units[i].factor;
            return true;
        }
    return false;
}

bool word_number(struct line *l, const char *word, enum unit unit, double *value)
{
    char *end;
    double factor, v = word ? strtod(word, &end) : 0;
    if (!word)
        return bad(l, "a number is missing");
    if (end == word || !(v >= 0 && v < 1e300))
        return bad(l, "\"%s\" is not a number of zero or more", word);
    if (!unit_factor(end, unit, &factor))
        return bad(l, "\"%s\" has the wrong unit \"%s\"", word, end);
    *value = v * factor;
    if (unit == PERCENT && *value > 100)
        return bad(l, "\"%s\" is more than 100 %%", word);
    return true;
}

/* Whether the word is a plain percentage; no message. */
bool word_percent(const char *word, double *value)
{
    char *end;
    *value = strtod(word, &end);
    return end != word && !strcmp(end, "%") && *value >= 0 && *value <= 100;
}

bool word_uint(struct line *l, const char *word, uint64_t *value)
{
    char *end;
    errno = 0;
    if (word && *word >= '0' && *word <= '9') {
        *value = strtoull(word, &end, 0);
        if (!*end && !errno)
            return true;
    }
    return bad(l, "\"%s\" is not a whole number", word ? word : "");
}

static const struct {
    const char *suffix;
    int64_t ns;
} time_units[] = {
    {"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", SECOND}, {"m", 60 * SECOND}, {"h", 3600 * SECOND}, {"d", 86400 * SECOND},
};

static int64_t time_unit(const char *suffix, size_t length)
{
    for (size_t i = 0; i < sizeof time_units / sizeof *time_units; i++)
        if (strlen(time_units[i].suffix) == length && !strncmp(time_units[i].suffix, suffix, length))
            return time_units[i].ns;
    return 0;
}

/* 1h30m, 250ms, 1.5s; a bare 0 is the only number that needs no unit. */
bool word_duration(struct line *l, const char *word, int64_t *ns)
{
    const char *w = word;
    double sum = 0;
    while (w && *w) {
        char *end;
        double v = strtod(w, &end);
        size_t length = strcspn(end, "0123456789.");
        int64_t unit = time_unit(end, length);
        if (end == w || v < 0 || (!unit && !(v == 0 && !length)))
            return bad(l, "\"%s\" is not a time such as 250ms, 12s or 1h30m", word);
        sum += v * (double)unit;
        w = end + length;
    }
    if (!w || !*word || sum > 9e18)
        return bad(l, "a time such as 250ms, 12s or 1h30m is missing");
    *ns = (int64_t)(sum + 0.5);
    return true;
}

/* A moment: since start, or now (loading) or file (its change) plus a time. */
bool word_time(struct line *l, const char *word, int64_t *t)
{
    int64_t base = 0, after = 0;
    size_t n = word ? strcspn(word, "+") : 0;
    if (word && n == 3 && !strncmp(word, "now", n))
        base = l->scenario->now;
    else if (word && n == 4 && !strncmp(word, "file", n))
        base = l->scenario->file;
    else
        return word_duration(l, word, t);
    if (word[n] && !word_duration(l, word + n + 1, &after))
        return false;
    *t = base + after;
    return true;
}

static bool add_range(struct line *l, const char *part, struct gpuset *set)
{
    unsigned long first, last, n = l->scenario->gpu_count;
    char *end;
    first = last = strtoul(part, &end, 10);
    if (*end == '-' && end != part) {
        const char *second = end + 1;
        last = strtoul(second, &end, 10);
        if (end == second)
            return bad(l, "\"%s\" is not a range of GPUs", part);
    }
    if (end == part || *end || *part == '-')
        return bad(l, "\"%s\" is not a GPU, a range such as 0-3, or *", part);
    if (last >= n || first > last)
        return bad(l, "GPU %s: the scenario has GPUs 0-%lu", part, n - 1);
    for (unsigned long i = first; i <= last; i++)
        set->bits[i >> 6] |= UINT64_C(1) << (i & 63);
    return true;
}

bool word_gpus(struct line *l, char *word, struct gpuset *set)
{
    *set = (struct gpuset){{0, 0}};
    if (!word)
        return bad(l, "which GPU is missing");
    if (!l->scenario->gpu_count)
        return bad(l, "\"gpus\" must come before this line");
    if (!strcmp(word, "*")) {
        *set = (struct gpuset){{~UINT64_C(0), ~UINT64_C(0)}};
        return true;
    }
    char *rest = NULL;
    for (char *part = strtok_r(word, ",", &rest); part; part = strtok_r(NULL, ",", &rest))
        if (!add_range(l, part, set))
            return false;
    return true;
}

bool option_number(struct line *l, const char *key, enum unit unit, double *value)
{
    const char *word = option(l, key);
    return !word || word_number(l, word, unit, value);
}

bool option_duration(struct line *l, const char *key, int64_t *ns)
{
    const char *word = option(l, key);
    return !word || word_duration(l, word, ns);
}

bool option_time(struct line *l, const char *key, int64_t *t)
{
    const char *word = option(l, key);
    return !word || word_time(l, word, t);
}

bool option_uint(struct line *l, const char *key, uint64_t *value)
{
    const char *word = option(l, key);
    return !word || word_uint(l, word, value);
}
