/* The scenario file: one statement a line, bad lines named, never skipped. */
#include <stdlib.h>
#include <string.h>

#include "mig.h"
#include "statements.h"

struct chunk {
    struct chunk *next;
    max_align_t room[];
};

/* Memory that lives as long as the scenario. */
void *scenario_alloc(struct scenario *s, size_t size)
{
    struct chunk *c = calloc(1, sizeof *c + size);
    if (!c)
        abort();
    c->next = s->chunks;
    s->chunks = c;
    return c->room;
}

void scenario_free(struct scenario *s)
{
    if (!s)
        return;
    for (struct chunk *c = s->chunks, *following; c; c = following) {
        following = c->next;
        free(c);
    }
    free(s);
}

/* A random number out of two others: everything random here comes from it. */
uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t x = a * UINT64_C(0x9E3779B97F4A7C15) + b * UINT64_C(0xD1B54A32D192ED03) + UINT64_C(0x8BB84B93962EACC9);
    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

static bool parse_seed(struct line *l)
{
    return word_uint(l, next(l), &l->scenario->seed);
}

static bool parse_gpus(struct line *l)
{
    struct scenario *s = l->scenario;
    uint64_t n;
    if (s->gpu_count)
        return bad(l, "\"gpus\" is given twice");
    if (!word_uint(l, next(l), &n))
        return false;
    if (n < 1 || n > MAX_GPUS)
        return bad(l, "gpus %llu: a node has 1 to %d", (unsigned long long)n, MAX_GPUS);
    const char *model = peek(l) ? next(l) : "h100";
    const struct profile *p = profile_find(model);
    if (!p)
        return bad(l, "unknown model \"%s\" (there are %s)", model, profile_words());
    s->gpu_count = (unsigned)n;
    for (unsigned i = 0; i < s->gpu_count; i++)
        s->gpus[i].profile = p;
    return true;
}

/* Scenario time 0. It comes first: all other times are counted from it. */
static bool parse_start(struct line *l)
{
    struct scenario *s = l->scenario;
    int64_t boot_now = s->start + s->now, boot_file = s->start + s->file;
    if (s->gpu_count)
        return bad(l, "\"start\" must come before \"gpus\"");
    const char *word = next(l);
    if (word && !strcmp(word, "boot"))
        s->start = 0;
    else if (word && !strcmp(word, "now"))
        s->start = boot_now;
    else if (word && !strcmp(word, "file"))
        s->start = boot_file;
    else if (!word_duration(l, word, &s->start))
        return false;
    s->now = boot_now - s->start;
    s->file = boot_file - s->start;
    return true;
}

bool parse_reload(struct line *l, struct reloads *r)
{
    if (r->count == MAX_RELOADS)
        return bad(l, "more than %d of these", MAX_RELOADS);
    return word_time(l, next(l), &r->at[r->count++]);
}

static bool parse_driver(struct line *l)
{
    struct scenario *s = l->scenario;
    double cuda;
    if (accept(l, "version")) {
        const char *word = next(l);
        if (!word || strlen(word) >= sizeof s->driver)
            return bad(l, "a driver version such as %s is missing", branch.driver);
        strcpy(s->driver, word);
        return true;
    }
    if (accept(l, "cuda")) {
        if (!word_number(l, next(l), NUMBER, &cuda))
            return false;
        s->cuda = (int)(cuda * 1000 + 0.5);
        return true;
    }
    if (!accept(l, "reload") || !accept(l, "at"))
        return bad(l, "driver takes \"version V\", \"cuda V\" or \"reload at TIME\"");
    return parse_reload(l, &s->reloads);
}

static bool parse_leak(struct line *l)
{
    double bytes;
    if (!word_number(l, next(l), BYTES, &bytes))
        return false;
    if (bytes > 0x1p30)
        return bad(l, "a leak of more than 1 GiB a call");
    l->scenario->leak = (uint64_t)bytes;
    accept(l, "bytes");
    if (accept(l, "per") && !accept(l, "call"))
        return bad(l, "leak takes \"SIZE per call\"");
    return true;
}

static bool parse_root(struct line *l)
{
    if (accept(l, "on"))
        l->scenario->root = true;
    else if (!accept(l, "off"))
        return bad(l, "root takes on or off");
    return true;
}

/* confidential off|on|devtools [multi=none|ppcie|nvle] */
static bool parse_confidential(struct line *l)
{
    static const char *const modes[] = {"none", "ppcie", "nvle"};
    struct scenario *s = l->scenario;
    const char *multi = option(l, "multi");
    s->devtools = accept(l, "devtools");
    s->confidential = s->devtools || accept(l, "on");
    if (!s->confidential && !accept(l, "off"))
        return bad(l, "confidential takes off, on or devtools");
    for (unsigned i = 0; multi && i < 3; i++)
        if (!strcmp(modes[i], multi)) {
            s->multi_gpu = i;
            return true;
        }
    return !multi || bad(l, "multi=%s: there are none, ppcie and nvle", multi);
}

static const struct {
    const char *word;
    bool (*parse)(struct line *l);
} statements[] = {
    {"seed", parse_seed},     {"start", parse_start}, {"gpus", parse_gpus},   {"driver", parse_driver},
    {"gpu", parse_gpu},       {"fault", parse_fault}, {"leak", parse_leak},
    {"root", parse_root},     {"confidential", parse_confidential},
};

static bool parse_statement(struct line *l)
{
    const char *word = next(l);
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        if (!strcmp(statements[i].word, word))
            return statements[i].parse(l);
    return bad(l, "unknown statement \"%s\"", word);
}

static void parse_lines(struct line *l, char *text)
{
    for (char *following; text; text = following) {
        following = strchr(text, '\n');
        if (following)
            *following++ = 0;
        l->number++;
        line_split(l, text);
        if (l->count && !l->bad && parse_statement(l))
            line_finish(l);
    }
    l->number = 0;
    l->bad = false;
    if (!l->errors && !l->scenario->gpu_count)
        bad(l, "no \"gpus\" statement");
}

/* Reads a whole file; NULL after messages on stderr. text is cut into words. */
struct scenario *scenario_parse(char *text, const struct origin *origin)
{
    struct scenario *s = calloc(1, sizeof *s);
    struct line *l = calloc(1, sizeof *l);
    if (!s || !l)
        abort();
    s->now = origin->boot;
    s->file = origin->changed;
    s->cuda = branch.cuda;
    strcpy(s->driver, branch.driver);
    *l = (struct line){.file = origin->name, .scenario = s};
    parse_lines(l, text);
    int errors = l->errors;
    free(l);
    if (errors) {
        scenario_free(s);
        return NULL;
    }
    for (unsigned i = 0; i < s->gpu_count; i++) {
        s->gpus[i].scenario = s;
        s->gpus[i].index = i;
        gpu_finish(&s->gpus[i]);
    }
    mig_events(s);
    return s;
}
