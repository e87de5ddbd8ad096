#ifndef PROFILE_H
#define PROFILE_H

#include "sim.h"

#define MIB (UINT64_C(1) << 20)

/* One row each, in the file of its generation. */
extern const struct profile profile_h100, profile_h200, profile_b200, profile_gb200, profile_a100, profile_a10g, profile_l40s,
    profile_v100, profile_t4;

#endif
