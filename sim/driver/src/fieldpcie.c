/* Field values of PCIe and of the link to the CPU on the module (C2C). */
#include <math.h>

#include "field.h"

/* These counters are 32 bits wide and wrap, nvml.h. */
static nvmlReturn_t bytes(const struct call *c, const struct ask *a, double *value)
{
    SUPPORTED(c->gpu->profile->gpm);
    *value = fmod(gpu_counter(c->gpu, (enum curve_id)a->arg, c->t), 0x1p32);
    return NVML_SUCCESS;
}

/* The errors of fields 173 to 183 in order. */
static nvmlReturn_t errors(const struct call *c, const struct ask *a, double *value)
{
    *value = level_at(c->gpu, (enum level_id)(PCIE_CORRECTABLE + (int)a->index), c->t);
    return NVML_SUCCESS;
}

static nvmlReturn_t c2c_count(const struct call *c, const struct ask *a, double *value)
{
    (void)a;
    SUPPORTED(c->gpu->profile->c2c_links);
    *value = c->gpu->profile->c2c_links;
    return NVML_SUCCESS;
}

static bool c2c_up(const struct call *c, unsigned link)
{
    return link + (unsigned)level_at(c->gpu, C2C_DOWN, c->t) < c->gpu->profile->c2c_links;
}

static nvmlReturn_t c2c_status(const struct call *c, const struct ask *a, double *value)
{
    SUPPORTED(c->gpu->profile->c2c_links);
    NEED(a->scope < c->gpu->profile->c2c_links);
    *value = c2c_up(c, a->scope);
    return NVML_SUCCESS;
}

static nvmlReturn_t c2c_speed(const struct call *c, const struct ask *a, double *value)
{
    SUPPORTED(c->gpu->profile->c2c_links);
    NEED(a->scope < c->gpu->profile->c2c_links);
    SUPPORTED(c2c_up(c, a->scope));
    *value = c->gpu->profile->c2c_mbps;
    return NVML_SUCCESS;
}

/* Of one link; link 0 has all of it. */
static nvmlReturn_t c2c_errors(const struct call *c, const struct ask *a, double *value)
{
    SUPPORTED(c->gpu->profile->c2c_links);
    NEED(a->scope < c->gpu->profile->c2c_links);
    *value = a->scope ? 0 : level_at(c->gpu, (enum level_id)a->arg, c->t);
    return NVML_SUCCESS;
}

static nvmlReturn_t c2c_power(const struct call *c, const struct ask *a, double *value)
{
    SUPPORTED(c->gpu->profile->c2c_links);
    return field_level(c, a, value);
}

const struct field pcie_fields[] = {
    {NVML_FI_DEV_PCIE_REPLAY_COUNTER, 0, 470, ULL, field_level, PCIE_REPLAY},
    {NVML_FI_DEV_PCIE_REPLAY_ROLLOVER_COUNTER, 0, 470, ULL, field_level, PCIE_ROLLOVER},
    {NVML_FI_DEV_PCIE_L0_TO_RECOVERY_COUNTER, 0, 535, UINT, field_level, PCIE_L0_RECOVERY},
    {NVML_FI_DEV_PCIE_COUNT_CORRECTABLE_ERRORS, NVML_FI_DEV_PCIE_COUNT_LANE_ERROR, 535, UINT, errors, 0},
    {NVML_FI_DEV_PCIE_COUNT_TX_BYTES, 0, 570, UINT, bytes, PCIE_TX},
    {NVML_FI_DEV_PCIE_COUNT_RX_BYTES, 0, 570, UINT, bytes, PCIE_RX},
    {NVML_FI_DEV_C2C_LINK_COUNT, 0, 535, UINT, c2c_count, 0},
    {NVML_FI_DEV_C2C_LINK_GET_STATUS, 0, 535, UINT, c2c_status, 0},
    {NVML_FI_DEV_C2C_LINK_GET_MAX_BW, 0, 535, UINT, c2c_speed, 0},
    {NVML_FI_DEV_C2C_LINK_ERROR_INTR, 0, 570, UINT, c2c_errors, C2C_ERRORS},
    {NVML_FI_DEV_C2C_LINK_ERROR_REPLAY, 0, 570, UINT, c2c_errors, C2C_REPLAYS},
    {NVML_FI_DEV_C2C_LINK_ERROR_REPLAY_B2B, 0, 570, UINT, c2c_errors, C2C_REPLAYS_B2B},
    {NVML_FI_DEV_C2C_LINK_POWER_STATE, 0, 570, UINT, c2c_power, C2C_POWER},
    {0},
};
