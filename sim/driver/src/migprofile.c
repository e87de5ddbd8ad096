/* The kinds of GPU instances. All models with MIG divide themselves alike: 7 slices
 * of SMs and 8 of memory. */
#include <stdio.h>
#include <string.h>

#include "mig.h"

const struct mig_row mig_rows[] = {
    {NVML_GPU_INSTANCE_PROFILE_1_SLICE, 19, 1, 1, 7, false},
    {NVML_GPU_INSTANCE_PROFILE_1_SLICE_REV1, 20, 1, 1, 1, true},
    {NVML_GPU_INSTANCE_PROFILE_1_SLICE_REV2, 15, 1, 2, 4, false},
    {NVML_GPU_INSTANCE_PROFILE_2_SLICE, 14, 2, 2, 3, false},
    {NVML_GPU_INSTANCE_PROFILE_3_SLICE, 9, 3, 4, 2, false},
    {NVML_GPU_INSTANCE_PROFILE_4_SLICE, 5, 4, 4, 1, false},
    {NVML_GPU_INSTANCE_PROFILE_7_SLICE, 0, 7, 8, 1, true},
};
const int mig_row_count = sizeof mig_rows / sizeof *mig_rows;

void mig_row_name(const struct profile *p, const struct mig_row *row, char *to, size_t size)
{
    unsigned at = row->eighths == 8 ? 3 : row->eighths / 2; /* 1, 2, 4, 8 */
    snprintf(to, size, "%ug.%ugb%s", row->slices, p->mig_gb[at], row->media && row->slices == 1 ? "+me" : "");
}

const struct mig_row *mig_row_find(const struct profile *p, const char *name)
{
    for (int i = 0; p->mig && i < mig_row_count; i++) {
        char own[32];
        mig_row_name(p, &mig_rows[i], own, sizeof own);
        if (!strcmp(own, name))
            return &mig_rows[i];
    }
    return NULL;
}

unsigned mig_row_sms(const struct profile *p, const struct mig_row *row)
{
    return p->mig_sms[row->slices == 7 ? 4 : row->slices - 1];
}

/* In whole 64 MiB, as the driver gives them out. */
uint64_t mig_row_memory(const struct profile *p, const struct mig_row *row)
{
    return (p->memory - p->reserved) / 8 * row->eighths >> 26 << 26;
}

/* Seven engines go with the slices, fewer with the memory. */
static unsigned engines(unsigned all, const struct mig_row *row)
{
    return all >= 7 ? row->slices : all * row->eighths / 8;
}

unsigned mig_row_decoders(const struct profile *p, const struct mig_row *row)
{
    unsigned n = engines(p->decoders, row);
    return !n && row->media ? 1 : n;
}

unsigned mig_row_jpegs(const struct profile *p, const struct mig_row *row)
{
    return p->jpegs >= 7 ? row->slices : row->media ? p->jpegs : 0;
}

unsigned mig_row_ofas(const struct profile *p, const struct mig_row *row)
{
    return row->media ? p->ofas : 0;
}
