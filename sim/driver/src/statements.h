#ifndef STATEMENTS_H
#define STATEMENTS_H

#include "words.h"

/* Statements in files of their own; each takes the rest of its line. */
bool parse_fault(struct line *l);                               /* faultrule.c */
bool parse_reload(struct line *l, struct reloads *r);          /* scenario.c */
bool parse_gpu(struct line *l);                                 /* gpuline.c */
bool parse_curve(struct line *l, enum unit unit, struct curve *c); /* curveline.c */
bool parse_process(struct line *l, struct process *p);         /* processline.c */
void add_process(struct line *l, struct gpu *g, const struct process *p);
void gpu_finish(struct gpu *g);                                 /* gpudefaults.c */
void curves_finish(struct gpu *g);
bool curve_find(const char *name, enum curve_id *id, enum unit *unit);
bool code_find(const char *word, int *code); /* library.c: NVML's names of its errors */

#endif
