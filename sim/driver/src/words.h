#ifndef WORDS_H
#define WORDS_H

#include "sim.h"

/* Longest line: a list of steps. */
#define MAX_WORDS 1024

/* One line of a scenario. A word that no statement took is an error, so a
 * misspelt option is never ignored. */
struct line {
    const char *file;
    int number;
    int errors; /* over the whole file */
    struct scenario *scenario;
    char *words[MAX_WORDS];
    bool taken[MAX_WORDS];
    int count;
    bool bad; /* this line already has its message */
};

enum unit { NUMBER, PERCENT, WATTS, CELSIUS, MEGAHERTZ, BYTES, BYTES_PER_SECOND };

void line_split(struct line *l, char *text);
void line_finish(struct line *l);

/* All of these return false after a message, and only then; one message a line. */
bool bad(struct line *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool word_number(struct line *l, const char *word, enum unit unit, double *value);
bool word_percent(const char *word, double *value);
bool word_uint(struct line *l, const char *word, uint64_t *value);
bool word_time(struct line *l, const char *word, int64_t *t);
bool word_duration(struct line *l, const char *word, int64_t *ns);
bool word_gpus(struct line *l, char *word, struct gpuset *set);

/* The next untaken word, or NULL. */
char *next(struct line *l);
char *peek(struct line *l);
/* Takes the next word if it is this one. */
bool accept(struct line *l, const char *word);
/* The value of key=value among the untaken words, or NULL. */
char *option(struct line *l, const char *key);

/* Options with a value that stays as it is when the option is absent. */
bool option_number(struct line *l, const char *key, enum unit unit, double *value);
bool option_duration(struct line *l, const char *key, int64_t *ns);
bool option_time(struct line *l, const char *key, int64_t *t);
bool option_uint(struct line *l, const char *key, uint64_t *value);

#endif
