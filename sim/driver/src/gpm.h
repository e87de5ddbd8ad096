#ifndef GPM_H
#define GPM_H

#include "mig.h"

struct nvmlGpmSample_st {
    bool taken;
    unsigned gpu, instance; /* instance: 0, or 1 + its id */
    int64_t born;           /* boot clock of the instance's beginning */
    unsigned sms;
    const struct profile *profile;
    int64_t boot;
    double seconds;               /* since the node booted */
    double counters[CURVE_COUNT]; /* since the driver was loaded */
    double totals[CURVE_COUNT];   /* since the node booted */
};

/* One metric between two samples; its NVML return code. */
nvmlReturn_t gpm_measure(const struct nvmlGpmSample_st *a, const struct nvmlGpmSample_st *b, unsigned id, double *value);

#endif
