/* The scenario in force: read at nvmlInit, read again when its file changes. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "mig.h"

#define CHECK_EVERY (SECOND / 20)   /* how often the file is looked at */
#define KEPT (60 * SECOND)          /* no call holds a version this long */
#define MAX_FILE (16 << 20)

/* What the node is without a scenario. */
static const char default_text[] = "gpus 8 h100\n";

static _Atomic(struct scenario *) current;
static _Atomic int64_t next_check;

/* The lock guards what follows; it is held while a file is read, never in a
 * call that another GPU could wait for: readers only try it. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char path[4096];
static struct stat seen; /* the version last read, good or bad */
static struct scenario *retired;
static int64_t wall_offset; /* µs; wall clock less boot clock */

int64_t boot_clock(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_BOOTTIME, &ts);
    return ts.tv_sec * SECOND + ts.tv_nsec;
}

static int64_t wall_clock(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return ts.tv_sec * SECOND + ts.tv_nsec;
}

/*
 * The wall time of a moment in µs. The offset is taken once per process, so that
 * one sample has one timestamp, and rounded down to 10 ms, so that the next
 * process gives it the same.
 */
uint64_t wall_us(int64_t boot)
{
    return (uint64_t)(wall_offset + boot / 1000);
}

__attribute__((constructor)) static void take_offset(void)
{
    wall_offset = (wall_clock() - boot_clock()) / 10000000 * 10000;
}

bool node_sleep(int64_t ns)
{
    struct timespec ts = {ns / SECOND, ns % SECOND};
    while (nanosleep(&ts, &ts))
        if (errno != EINTR)
            return false;
    return true;
}

static bool same(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* The whole file, or NULL after a message. */
static char *read_file(struct stat *st)
{
    FILE *f = fopen(path, "re");
    if (!f || fstat(fileno(f), st) || st->st_size > MAX_FILE) {
        fprintf(stderr, "%s: %s\n", path, f ? "too large" : strerror(errno));
        if (f)
            fclose(f);
        return NULL;
    }
    char *text = calloc(1, (size_t)st->st_size + 1);
    size_t n = text ? fread(text, 1, (size_t)st->st_size, f) : 0;
    fclose(f);
    if (text)
        text[n] = 0;
    return text;
}

static struct scenario *read_scenario(struct stat *st)
{
    struct origin origin = {"default scenario", boot_clock(), 0};
    if (!*path) {
        char text[sizeof default_text];
        memcpy(text, default_text, sizeof text);
        return scenario_parse(text, &origin);
    }
    char *text = read_file(st);
    if (!text)
        return NULL;
    int64_t changed = st->st_mtim.tv_sec * SECOND + st->st_mtim.tv_nsec;
    origin.name = path;
    origin.changed = changed - wall_offset * 1000;
    struct scenario *s = scenario_parse(text, &origin);
    free(text);
    return s;
}

/* Counters go on from where they are: a new version changes the future only. */
static void carry(struct scenario *s, const struct scenario *old, int64_t boot)
{
    s->since_boot = boot;
    s->since = boot - s->start;
    s->previous = old;
    for (unsigned i = 0; i < s->gpu_count && i < old->gpu_count; i++)
        for (int id = 0; id < CURVE_COUNT; id++) {
            s->gpus[i].carried[id] = gpu_counter(&old->gpus[i], (enum curve_id)id, boot - old->start);
            s->gpus[i].total[id] = gpu_total(&old->gpus[i], (enum curve_id)id, boot - old->start);
        }
    mig_carry(s, old);
    fault_carry(s, old);
}

static void free_retired(int64_t boot)
{
    struct scenario **link = &retired;
    while (*link) {
        struct scenario *s = *link;
        if (boot - s->retired < KEPT) {
            link = &s->older;
            continue;
        }
        *link = s->older;
        scenario_free(s);
    }
}

static void publish(struct scenario *s, bool fresh)
{
    struct scenario *old = atomic_load(&current);
    int64_t boot = boot_clock();
    if (old && !fresh)
        carry(s, old, boot);
    atomic_store_explicit(&current, s, memory_order_release);
    free_retired(boot);
    if (!old)
        return;
    old->retired = boot;
    old->older = retired;
    retired = old;
}

static void reload(void)
{
    struct stat st;
    if (!*path || stat(path, &st) || same(&st, &seen))
        return;
    seen = st;
    struct scenario *s = read_scenario(&seen);
    if (s)
        publish(s, false);
    else
        fprintf(stderr, "%s: the version before stays in force\n", path);
}

const struct scenario *node_current(int64_t boot)
{
    int64_t due = atomic_load_explicit(&next_check, memory_order_relaxed);
    if (boot >= due && !pthread_mutex_trylock(&lock)) {
        atomic_store(&next_check, boot + CHECK_EVERY);
        reload();
        pthread_mutex_unlock(&lock);
    }
    return atomic_load_explicit(&current, memory_order_acquire);
}

/* At nvmlInit. A process that initialises again goes on with the same scenario
 * unless the environment names another file. */
bool node_load(void)
{
    const char *name = getenv("GPUMETER_SIM_SCENARIO");
    if (!name)
        name = "";
    pthread_mutex_lock(&lock);
    bool fresh = !atomic_load(&current) || strcmp(path, name);
    bool loaded = true;
    if (strlen(name) >= sizeof path) {
        loaded = false;
    } else if (fresh) {
        strcpy(path, name);
        memset(&seen, 0, sizeof seen);
        struct scenario *s = read_scenario(&seen);
        loaded = s != NULL;
        if (s)
            publish(s, true);
        else
            *path = 0;
    } else {
        reload();
    }
    pthread_mutex_unlock(&lock);
    return loaded;
}
