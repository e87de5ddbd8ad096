/* The options of a process, which a GPU or an instance runs. */
#include <string.h>
#include <unistd.h>

#include "statements.h"

static bool process_id(struct line *l, unsigned *pid)
{
    uint64_t n;
    const char *word = option(l, "pid");
    if (!word)
        return bad(l, "pid= is missing");
    if (!strcmp(word, "self")) {
        *pid = (unsigned)getpid();
    } else if (!strcmp(word, "ppid")) {
        *pid = (unsigned)getppid();
    } else {
        if (!word_uint(l, word, &n))
            return false;
        if (n > INT32_MAX)
            return bad(l, "\"%s\" is not a process id", word);
        *pid = (unsigned)n;
    }
    return true;
}

static bool process_mode(struct line *l, unsigned *mode)
{
    static const char *const words[] = {"compute", "graphics", "mps"};
    const char *word = option(l, "type");
    *mode = NVML_PROCESS_MODE_COMPUTE;
    if (!word)
        return true;
    for (unsigned i = 0; i < 3; i++)
        if (!strcmp(words[i], word)) {
            *mode = i;
            return true;
        }
    return bad(l, "type=%s: there are compute, graphics and mps", word);
}

bool parse_process(struct line *l, struct process *to)
{
    struct process p = {.gi = NO_INSTANCE, .ci = NO_INSTANCE, .from = INT64_MIN, .to = FOREVER};
    double memory = 0;
    if (!process_id(l, &p.pid) || !process_mode(l, &p.mode) || !option_number(l, "memory", BYTES, &memory) ||
        !option_time(l, "from", &p.from) || !option_time(l, "to", &p.to))
        return false;
    p.memory = (uint64_t)memory;
    const char *name = option(l, "name");
    if (name && strlen(name) >= sizeof p.name)
        return bad(l, "name= is too long");
    strcpy(p.name, name ? name : "");
    *to = p;
    return true;
}

void add_process(struct line *l, struct gpu *g, const struct process *p)
{
    struct process *all = scenario_alloc(l->scenario, (size_t)(g->process_count + 1) * sizeof *all);
    if (g->process_count)
        memcpy(all, g->processes, (size_t)g->process_count * sizeof *all);
    all[g->process_count++] = *p;
    g->processes = all;
}
