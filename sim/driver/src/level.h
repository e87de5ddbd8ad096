#ifndef LEVEL_H
#define LEVEL_H

#include "sim.h"

struct level_row {
    const char *name;
    bool counter;
    const char *const *words; /* names of the values 0, 1, 2 … */
};
extern const struct level_row level_rows[LEVEL_COUNT];

void level_defaults(struct gpu *g);

#endif
