#ifndef MIGLINE_H
#define MIGLINE_H

#include "mig.h"
#include "statements.h"

/* Takes the rest of the line for one GPU. */
bool parse_instance(struct line *l, struct gpu *g); /* migline.c */

#endif
