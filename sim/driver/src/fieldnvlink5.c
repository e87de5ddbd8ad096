/* Field values that only NVLink 5 has: each of one link, or of all with UINT_MAX. */
#include <math.h>

#include "field.h"

static nvmlReturn_t check(const struct call *c, const struct ask *a)
{
    SUPPORTED(c->gpu->profile->nvlinks && c->gpu->profile->nvlink_version >= 5);
    NEED(a->scope == UINT32_MAX || a->scope < c->gpu->profile->nvlinks);
    return NVML_SUCCESS;
}

static double moved(const struct call *c, const struct ask *a, enum curve_id id)
{
    return gpu_counter(c->gpu, id, c->t) / (a->scope == UINT32_MAX ? 1 : c->gpu->profile->nvlinks);
}

static nvmlReturn_t bytes(const struct call *c, const struct ask *a, double *value)
{
    *value = moved(c, a, (enum curve_id)a->arg);
    return check(c, a);
}

static nvmlReturn_t packets(const struct call *c, const struct ask *a, double *value)
{
    *value = moved(c, a, (enum curve_id)a->arg) / 256; /* bytes in a full packet */
    return check(c, a);
}

static double counted(const struct call *c, const struct ask *a, enum level_id id)
{
    return a->scope == UINT32_MAX ? level_at(c->gpu, id, c->t) : link_errors(c, id, a->scope);
}

static nvmlReturn_t errors(const struct call *c, const struct ask *a, double *value)
{
    *value = counted(c, a, (enum level_id)a->arg);
    return check(c, a);
}

static nvmlReturn_t recoveries(const struct call *c, const struct ask *a, double *value)
{
    *value = floor(counted(c, a, NVLINK_RECOVERY)) + floor(counted(c, a, NVLINK_RECOVERY_FAILED));
    return check(c, a);
}

/* Mantissa in bits 8-11 and negative exponent in bits 0-7, nvml.h. */
static double pack(double rate)
{
    if (!(rate > 0))
        return 0;
    int exponent = 255;
    while (exponent > 0 && round(rate * pow(10, exponent)) > 15)
        exponent--;
    return (double)((unsigned)round(rate * pow(10, exponent)) << 8 | (unsigned)exponent);
}

/* The rate of the faulty link; all others have what an idle link shows. */
static nvmlReturn_t error_rate(const struct call *c, const struct ask *a, double *value)
{
    const struct level *l = &c->gpu->levels[a->arg];
    bool faulty = a->scope == UINT32_MAX || a->scope == (unsigned)level_at(c->gpu, NVLINK_FAULTY, c->t);
    *value = pack(faulty ? level_at(c->gpu, (enum level_id)a->arg, c->t) : l->rest);
    return check(c, a);
}

/* Code words by corrected symbols: none in bin 0; the scenario's all had one. */
static nvmlReturn_t fec(const struct call *c, const struct ask *a, double *value)
{
    *value = a->index == 0 ? moved(c, a, NVLINK_RX) / 256 : a->index == 1 ? counted(c, a, NVLINK_FEC) : 0;
    return check(c, a);
}

const struct field nvlink5_fields[] = {
    {NVML_FI_DEV_NVLINK_COUNT_XMIT_PACKETS, 0, 570, ULL, packets, NVLINK_TX},
    {NVML_FI_DEV_NVLINK_COUNT_XMIT_BYTES, 0, 570, ULL, bytes, NVLINK_TX},
    {NVML_FI_DEV_NVLINK_COUNT_RCV_PACKETS, 0, 570, ULL, packets, NVLINK_RX},
    {NVML_FI_DEV_NVLINK_COUNT_RCV_BYTES, 0, 570, ULL, bytes, NVLINK_RX},
    {NVML_FI_DEV_NVLINK_COUNT_MALFORMED_PACKET_ERRORS, 0, 570, ULL, errors, NVLINK_MALFORMED},
    {NVML_FI_DEV_NVLINK_COUNT_BUFFER_OVERRUN_ERRORS, 0, 570, ULL, errors, NVLINK_OVERRUN},
    {NVML_FI_DEV_NVLINK_COUNT_RCV_ERRORS, 0, 570, ULL, errors, NVLINK_RX_ERRORS},
    {NVML_FI_DEV_NVLINK_COUNT_RCV_REMOTE_ERRORS, 0, 570, ULL, errors, NVLINK_RX_REMOTE},
    {NVML_FI_DEV_NVLINK_COUNT_RCV_GENERAL_ERRORS, 0, 570, ULL, errors, NVLINK_RX_GENERAL},
    {NVML_FI_DEV_NVLINK_COUNT_LOCAL_LINK_INTEGRITY_ERRORS, 0, 570, ULL, errors, NVLINK_INTEGRITY},
    {NVML_FI_DEV_NVLINK_COUNT_XMIT_DISCARDS, 0, 570, ULL, errors, NVLINK_DISCARDS},
    {NVML_FI_DEV_NVLINK_COUNT_LINK_RECOVERY_SUCCESSFUL_EVENTS, 0, 570, ULL, errors, NVLINK_RECOVERY},
    {NVML_FI_DEV_NVLINK_COUNT_LINK_RECOVERY_FAILED_EVENTS, 0, 570, ULL, errors, NVLINK_RECOVERY_FAILED},
    {NVML_FI_DEV_NVLINK_COUNT_LINK_RECOVERY_EVENTS, 0, 570, ULL, recoveries, 0},
    {NVML_FI_DEV_NVLINK_COUNT_EFFECTIVE_ERRORS, 0, 570, ULL, errors, NVLINK_EFFECTIVE_ERRORS},
    {NVML_FI_DEV_NVLINK_COUNT_EFFECTIVE_BER, 0, 570, ULL, error_rate, NVLINK_EFFECTIVE_BER},
    {NVML_FI_DEV_NVLINK_COUNT_SYMBOL_ERRORS, 0, 570, ULL, errors, NVLINK_SYMBOL_ERRORS},
    {NVML_FI_DEV_NVLINK_COUNT_SYMBOL_BER, 0, 570, ULL, error_rate, NVLINK_SYMBOL_BER},
    {NVML_FI_DEV_NVLINK_COUNT_FEC_HISTORY_0, NVML_FI_DEV_NVLINK_COUNT_FEC_HISTORY_15, 570, ULL, fec, 0},
    {0},
};
