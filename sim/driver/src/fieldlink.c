/* Field values of NVLink that all generations have, and those of generations up
 * to 4, which the fifth answers with NOT_SUPPORTED. */
#include "field.h"

static bool old(const struct call *c)
{
    return c->gpu->profile->nvlinks && c->gpu->profile->nvlink_version < 5;
}

static nvmlReturn_t count(const struct call *c, const struct ask *a, double *value)
{
    (void)a;
    *value = c->gpu->profile->nvlinks;
    return NVML_SUCCESS;
}

static nvmlReturn_t speed(const struct call *c, unsigned link, double *value)
{
    SUPPORTED(link < c->gpu->profile->nvlinks);
    *value = link_up(c, link) ? c->gpu->profile->nvlink_mbps : 0;
    return NVML_SUCCESS;
}

/* arg: the link of the range's first id. */
static nvmlReturn_t speed_by_id(const struct call *c, const struct ask *a, double *value)
{
    return speed(c, (unsigned)a->arg + a->index, value);
}

static nvmlReturn_t speed_by_scope(const struct call *c, const struct ask *a, double *value)
{
    SUPPORTED(c->gpu->profile->nvlinks);
    NEED(a->scope < c->gpu->profile->nvlinks);
    return speed(c, a->scope, value);
}

static nvmlReturn_t state(const struct call *c, const struct ask *a, double *value)
{
    SUPPORTED(c->gpu->profile->nvlinks);
    NEED(a->scope < c->gpu->profile->nvlinks);
    *value = link_up(c, a->scope) ? NVML_NVLINK_STATE_ACTIVE : NVML_NVLINK_STATE_INACTIVE;
    return NVML_SUCCESS;
}

static nvmlReturn_t version(const struct call *c, const struct ask *a, double *value)
{
    SUPPORTED(c->gpu->profile->nvlinks);
    NEED(a->scope < c->gpu->profile->nvlinks);
    *value = c->gpu->profile->nvlink_version;
    return NVML_SUCCESS;
}

static nvmlReturn_t errors_total(const struct call *c, const struct ask *a, double *value)
{
    SUPPORTED(old(c));
    return field_level(c, a, value);
}

/* arg: the level, and the link of the range's first id as FROM(link). */
#define FROM(link) ((link) << 8)

static nvmlReturn_t errors_by_id(const struct call *c, const struct ask *a, double *value)
{
    unsigned link = (unsigned)a->arg >> 8;
    link += a->index;
    SUPPORTED(old(c) && link < c->gpu->profile->nvlinks);
    *value = link_errors(c, (enum level_id)(a->arg & 0xff), link);
    return NVML_SUCCESS;
}

static nvmlReturn_t errors_by_scope(const struct call *c, const struct ask *a, double *value)
{
    SUPPORTED(old(c));
    NEED(a->scope < c->gpu->profile->nvlinks);
    *value = link_errors(c, (enum level_id)a->arg, a->scope);
    return NVML_SUCCESS;
}

/* KiB of one link, or of all with UINT_MAX; raw is data with its headers, 9/8. */
#define RAW 0x100

static nvmlReturn_t traffic(const struct call *c, const struct ask *a, double *value)
{
    unsigned n = c->gpu->profile->nvlinks;
    SUPPORTED(n);
    NEED(a->scope == UINT32_MAX || a->scope < n);
    *value = gpu_counter(c->gpu, (enum curve_id)(a->arg & 0xff), c->t) / 1024 / (a->scope == UINT32_MAX ? 1 : n);
    if (a->arg & RAW)
        *value *= 1.125;
    return NVML_SUCCESS;
}

static nvmlReturn_t to_switch(const struct call *c, const struct ask *a, double *value)
{
    (void)a;
    SUPPORTED(c->gpu->profile->nvlinks);
    double down = level_at(c->gpu, NVLINK_DOWN, c->t), n = c->gpu->profile->nvlinks;
    *value = down < n ? n - down : 0;
    return NVML_SUCCESS;
}

const struct field link_fields[] = {
    {NVML_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_L0, NVML_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_L5, 470, ULL, errors_by_id, NVLINK_CRC},
    {NVML_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_L6, NVML_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_L11, 470, ULL, errors_by_id,
     NVLINK_CRC | FROM(6)},
    {NVML_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL, 0, 470, ULL, errors_total, NVLINK_CRC},
    {NVML_FI_DEV_NVLINK_CRC_DATA_ERROR_COUNT_L0, NVML_FI_DEV_NVLINK_CRC_DATA_ERROR_COUNT_L5, 470, ULL, errors_by_id,
     NVLINK_CRC_DATA},
    {NVML_FI_DEV_NVLINK_CRC_DATA_ERROR_COUNT_L6, NVML_FI_DEV_NVLINK_CRC_DATA_ERROR_COUNT_L11, 470, ULL, errors_by_id,
     NVLINK_CRC_DATA | FROM(6)},
    {NVML_FI_DEV_NVLINK_CRC_DATA_ERROR_COUNT_TOTAL, 0, 470, ULL, errors_total, NVLINK_CRC_DATA},
    {NVML_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_L0, NVML_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_L5, 470, ULL, errors_by_id, NVLINK_REPLAY},
    {NVML_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_L6, NVML_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_L11, 470, ULL, errors_by_id,
     NVLINK_REPLAY | FROM(6)},
    {NVML_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL, 0, 470, ULL, errors_total, NVLINK_REPLAY},
    {NVML_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_L0, NVML_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_L5, 470, ULL, errors_by_id,
     NVLINK_RECOVERY},
    {NVML_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_L6, NVML_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_L11, 470, ULL, errors_by_id,
     NVLINK_RECOVERY | FROM(6)},
    {NVML_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL, 0, 470, ULL, errors_total, NVLINK_RECOVERY},
    {NVML_FI_DEV_NVLINK_ECC_DATA_ERROR_COUNT_L0, NVML_FI_DEV_NVLINK_ECC_DATA_ERROR_COUNT_L11, 470, ULL, errors_by_id, NVLINK_ECC},
    {NVML_FI_DEV_NVLINK_ECC_DATA_ERROR_COUNT_TOTAL, 0, 470, ULL, errors_total, NVLINK_ECC},
    {NVML_FI_DEV_NVLINK_SPEED_MBPS_L0, NVML_FI_DEV_NVLINK_SPEED_MBPS_L5, 470, UINT, speed_by_id, 0},
    {NVML_FI_DEV_NVLINK_SPEED_MBPS_COMMON, 0, 470, UINT, speed_by_id, 0},
    {NVML_FI_DEV_NVLINK_SPEED_MBPS_L6, NVML_FI_DEV_NVLINK_SPEED_MBPS_L11, 470, UINT, speed_by_id, 6},
    {NVML_FI_DEV_NVLINK_LINK_COUNT, 0, 470, UINT, count, 0},
    {NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_TX, 0, 470, ULL, traffic, NVLINK_TX},
    {NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_RX, 0, 470, ULL, traffic, NVLINK_RX},
    {NVML_FI_DEV_NVLINK_THROUGHPUT_RAW_TX, 0, 470, ULL, traffic, NVLINK_TX | RAW},
    {NVML_FI_DEV_NVLINK_THROUGHPUT_RAW_RX, 0, 470, ULL, traffic, NVLINK_RX | RAW},
    {NVML_FI_DEV_NVSWITCH_CONNECTED_LINK_COUNT, 0, 470, UINT, to_switch, 0},
    {NVML_FI_DEV_NVLINK_ERROR_DL_REPLAY, 0, 535, ULL, errors_by_scope, NVLINK_REPLAY},
    {NVML_FI_DEV_NVLINK_ERROR_DL_RECOVERY, 0, 535, ULL, errors_by_scope, NVLINK_RECOVERY},
    {NVML_FI_DEV_NVLINK_ERROR_DL_CRC, 0, 535, ULL, errors_by_scope, NVLINK_CRC},
    {NVML_FI_DEV_NVLINK_GET_SPEED, 0, 535, UINT, speed_by_scope, 0},
    {NVML_FI_DEV_NVLINK_GET_STATE, 0, 535, UINT, state, 0},
    {NVML_FI_DEV_NVLINK_GET_VERSION, 0, 535, UINT, version, 0},
    {0},
};
