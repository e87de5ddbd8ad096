/* Field values of memory errors and repairs. */
#include "field.h"

static nvmlReturn_t remap(const struct call *c, const struct ask *a, double *value)
{
    SUPPORTED(c->gpu->profile->remaps_rows);
    return field_level(c, a, value);
}

static nvmlReturn_t retire(const struct call *c, const struct ask *a, double *value)
{
    SUPPORTED(c->gpu->profile->retires_pages);
    return field_level(c, a, value);
}

/* arg: the level, and VOLATILE or AGGREGATE. */
#define VOLATILE 0
#define AGGREGATE 0x100

static nvmlReturn_t count(const struct call *c, int arg, double *value)
{
    SUPPORTED(level_at(c->gpu, ECC_MODE, c->t) > 0);
    *value = (double)ecc_count(c, (enum level_id)(arg & 0xff), arg & AGGREGATE);
    return NVML_SUCCESS;
}

static nvmlReturn_t ecc(const struct call *c, const struct ask *a, double *value)
{
    return count(c, a->arg, value);
}

/* Both memories: the sum of the DRAM level in arg and the SRAM level two later. */
static nvmlReturn_t total(const struct call *c, const struct ask *a, double *value)
{
    double sram = 0;
    nvmlReturn_t rc = count(c, a->arg, value);
    if (rc == NVML_SUCCESS)
        rc = count(c, a->arg + SRAM_CORRECTED - ECC_CORRECTED, &sram);
    *value += sram;
    return rc;
}

/* Models with locations have all of their SRAM errors in the L2 cache. */
static nvmlReturn_t l2(const struct call *c, const struct ask *a, double *value)
{
    SUPPORTED(c->gpu->profile->ecc_locations);
    return count(c, a->arg, value);
}

static nvmlReturn_t elsewhere(const struct call *c, const struct ask *a, double *value)
{
    (void)a;
    SUPPORTED(c->gpu->profile->ecc_locations && level_at(c->gpu, ECC_MODE, c->t) > 0);
    *value = 0;
    return NVML_SUCCESS;
}

/* Rows that are remapped only after the next reset: the pending one. */
static nvmlReturn_t inactive(const struct call *c, const struct ask *a, double *value)
{
    SUPPORTED(c->gpu->profile->remaps_rows);
    *value = a->index && level_at(c->gpu, REMAP_PENDING, c->t) > 0;
    return NVML_SUCCESS;
}

const struct field health_fields[] = {
    {NVML_FI_DEV_ECC_CURRENT, NVML_FI_DEV_ECC_PENDING, 470, UINT, field_level, ECC_MODE},
    {NVML_FI_DEV_ECC_SBE_VOL_TOTAL, 0, 470, ULL, total, ECC_CORRECTED | VOLATILE},
    {NVML_FI_DEV_ECC_DBE_VOL_TOTAL, 0, 470, ULL, total, ECC_UNCORRECTED | VOLATILE},
    {NVML_FI_DEV_ECC_SBE_AGG_TOTAL, 0, 470, ULL, total, ECC_CORRECTED | AGGREGATE},
    {NVML_FI_DEV_ECC_DBE_AGG_TOTAL, 0, 470, ULL, total, ECC_UNCORRECTED | AGGREGATE},
    {NVML_FI_DEV_ECC_SBE_VOL_L1, NVML_FI_DEV_ECC_DBE_VOL_L1, 470, ULL, elsewhere, 0},
    {NVML_FI_DEV_ECC_SBE_VOL_L2, 0, 470, ULL, l2, SRAM_CORRECTED | VOLATILE},
    {NVML_FI_DEV_ECC_DBE_VOL_L2, 0, 470, ULL, l2, SRAM_UNCORRECTED | VOLATILE},
    {NVML_FI_DEV_ECC_SBE_VOL_DEV, 0, 470, ULL, ecc, ECC_CORRECTED | VOLATILE},
    {NVML_FI_DEV_ECC_DBE_VOL_DEV, 0, 470, ULL, ecc, ECC_UNCORRECTED | VOLATILE},
    {NVML_FI_DEV_ECC_SBE_VOL_REG, NVML_FI_DEV_ECC_DBE_VOL_CBU, 470, ULL, elsewhere, 0},
    {NVML_FI_DEV_ECC_SBE_AGG_L1, NVML_FI_DEV_ECC_DBE_AGG_L1, 470, ULL, elsewhere, 0},
    {NVML_FI_DEV_ECC_SBE_AGG_L2, 0, 470, ULL, l2, SRAM_CORRECTED | AGGREGATE},
    {NVML_FI_DEV_ECC_DBE_AGG_L2, 0, 470, ULL, l2, SRAM_UNCORRECTED | AGGREGATE},
    {NVML_FI_DEV_ECC_SBE_AGG_DEV, 0, 470, ULL, ecc, ECC_CORRECTED | AGGREGATE},
    {NVML_FI_DEV_ECC_DBE_AGG_DEV, 0, 470, ULL, ecc, ECC_UNCORRECTED | AGGREGATE},
    {NVML_FI_DEV_ECC_SBE_AGG_REG, NVML_FI_DEV_ECC_DBE_AGG_CBU, 470, ULL, elsewhere, 0},
    {NVML_FI_DEV_RETIRED_SBE, 0, 470, ULL, retire, RETIRED_SINGLE},
    {NVML_FI_DEV_RETIRED_DBE, 0, 470, ULL, retire, RETIRED_DOUBLE},
    {NVML_FI_DEV_RETIRED_PENDING, 0, 470, ULL, retire, RETIRED_PENDING},
    {NVML_FI_DEV_RETIRED_PENDING_SBE, NVML_FI_DEV_RETIRED_PENDING_DBE, 470, ULL, retire, RETIRED_PENDING},
    {NVML_FI_DEV_REMAPPED_COR, 0, 470, UINT, remap, REMAPPED_CORRECTED},
    {NVML_FI_DEV_REMAPPED_UNC, 0, 470, UINT, remap, REMAPPED_UNCORRECTED},
    {NVML_FI_DEV_REMAPPED_PENDING, 0, 470, UINT, remap, REMAP_PENDING},
    {NVML_FI_DEV_REMAPPED_FAILURE, 0, 470, UINT, remap, REMAP_FAILED},
    {NVML_FI_DEV_GET_GPU_RECOVERY_ACTION, 0, 570, UINT, field_level, RECOVERY_ACTION},
    {NVML_FI_DEV_REMAPPED_ROWS_COR_INACTIVE, NVML_FI_DEV_REMAPPED_ROWS_UNC_INACTIVE, 580, UINT, inactive, 0},
    {0},
};
