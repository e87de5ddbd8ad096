#ifndef FIELD_H
#define FIELD_H

#include "sim.h"

/* What one value is asked for. */
struct ask {
    int arg;        /* of the row */
    unsigned index; /* which id of the row's range */
    unsigned scope; /* as the caller gave it */
};

/* One row: a field id, or a range of them that differ by an index only. */
struct field {
    unsigned first, last; /* last 0: one id */
    unsigned since;       /* driver branch */
    nvmlValueType_t type;
    nvmlReturn_t (*read)(const struct call *c, const struct ask *a, double *value);
    int arg;
};

#define UINT NVML_VALUE_TYPE_UNSIGNED_INT
#define ULL NVML_VALUE_TYPE_UNSIGNED_LONG_LONG
#define SIGNED NVML_VALUE_TYPE_SIGNED_INT

/* The tables end with a row of zeros. */
extern const struct field health_fields[], power_fields[], pcie_fields[], link_fields[], nvlink5_fields[];

nvmlReturn_t field_level(const struct call *c, const struct ask *a, double *value);

#endif
