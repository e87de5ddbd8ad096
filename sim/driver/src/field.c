/* nvmlDeviceGetFieldValues: one row per field that some model has. */
#include <math.h>

#include "sim.h"

struct field {
    unsigned since; /* driver branch */
    nvmlValueType_t type;
    nvmlReturn_t (*read)(const struct call *c, int arg, unsigned scope, double *value);
    int arg;
};

static nvmlReturn_t now(const struct call *c, int arg, unsigned scope, double *value)
{
    (void)scope;
    *value = round(gpu_value(c->gpu, (enum curve_id)arg, c->t));
    return NVML_SUCCESS;
}

static nvmlReturn_t level(const struct call *c, int arg, unsigned scope, double *value)
{
    (void)scope;
    *value = level_at(c->gpu, (enum level_id)arg, c->t);
    return NVML_SUCCESS;
}

static nvmlReturn_t remap(const struct call *c, int arg, unsigned scope, double *value)
{
    SUPPORTED(c->gpu->profile->remaps_rows);
    return level(c, arg, scope, value);
}

static nvmlReturn_t retire(const struct call *c, int arg, unsigned scope, double *value)
{
    SUPPORTED(c->gpu->profile->retires_pages);
    return level(c, arg, scope, value);
}

/* arg: the level, and VOLATILE or AGGREGATE. */
#define VOLATILE 0
#define AGGREGATE 0x100

static nvmlReturn_t ecc(const struct call *c, int arg, unsigned scope, double *value)
{
    (void)scope;
    SUPPORTED(level_at(c->gpu, ECC_MODE, c->t) > 0);
    *value = (double)ecc_count(c, (enum level_id)(arg & 0xff), arg & AGGREGATE);
    return NVML_SUCCESS;
}

/* Both memories: the sum of the DRAM level in arg and the SRAM level two later. */
static nvmlReturn_t ecc_total(const struct call *c, int arg, unsigned scope, double *value)
{
    double sram = 0;
    nvmlReturn_t rc = ecc(c, arg, scope, value);
    if (rc == NVML_SUCCESS)
        rc = ecc(c, arg + SRAM_CORRECTED - ECC_CORRECTED, scope, &sram);
    *value += sram;
    return rc;
}

static nvmlReturn_t energy(const struct call *c, int arg, unsigned scope, double *value)
{
    (void)arg;
    (void)scope;
    *value = (double)gpu_energy(c->gpu, c->t);
    return NVML_SUCCESS;
}

/* ns, of a curve in percent of the time. */
static nvmlReturn_t throttled(const struct call *c, int arg, unsigned scope, double *value)
{
    (void)scope;
    *value = gpu_counter(c->gpu, (enum curve_id)arg, c->t) * 1e7;
    return NVML_SUCCESS;
}

static nvmlReturn_t memory_temperature(const struct call *c, int arg, unsigned scope, double *value)
{
    SUPPORTED(c->gpu->profile->memory_sensor);
    return now(c, arg, scope, value);
}

/* Scope 0 is the GPU; there is no module (Grace) here yet. arg: average, or this moment. */
static nvmlReturn_t power(const struct call *c, int arg, unsigned scope, double *value)
{
    SUPPORTED(!scope && c->gpu->profile->averages_power);
    *value = arg ? gpu_average(c->gpu, POWER, c->t - SECOND, c->t) * 1000 : gpu_value(c->gpu, POWER, c->t) * 1000;
    return NVML_SUCCESS;
}

static nvmlReturn_t power_limit(const struct call *c, int arg, unsigned scope, double *value)
{
    SUPPORTED(!scope);
    const struct profile *p = c->gpu->profile;
    const double watts[] = {p->min_limit, p->max_limit, p->default_limit, level_at(c->gpu, POWER_LIMIT, c->t)};
    *value = watts[arg] * 1000;
    return NVML_SUCCESS;
}

/* Degrees between a threshold and the one at which clocks are lowered. */
static nvmlReturn_t threshold(const struct call *c, int arg, unsigned scope, double *value)
{
    (void)scope;
    const struct profile *p = c->gpu->profile;
    SUPPORTED(p->architecture >= NVML_DEVICE_ARCH_ADA);
    const unsigned at[] = {p->shutdown, p->slowdown, p->memory_max, p->gpu_max};
    *value = arg == 2 ? 0 : (double)p->gpu_max - at[arg];
    return NVML_SUCCESS;
}

/* These counters are 32 bits wide and wrap, nvml.h. */
static nvmlReturn_t pcie_bytes(const struct call *c, int arg, unsigned scope, double *value)
{
    (void)scope;
    SUPPORTED(c->gpu->profile->gpm);
    *value = fmod(gpu_counter(c->gpu, (enum curve_id)arg, c->t), 0x1p32);
    return NVML_SUCCESS;
}

static nvmlReturn_t link_count(const struct call *c, int arg, unsigned scope, double *value)
{
    (void)arg;
    (void)scope;
    *value = c->gpu->profile->nvlinks;
    return NVML_SUCCESS;
}

static nvmlReturn_t link_speed(const struct call *c, int arg, unsigned scope, double *value)
{
    (void)arg;
    (void)scope;
    SUPPORTED(c->gpu->profile->nvlinks);
    *value = c->gpu->profile->nvlink_mbps;
    return NVML_SUCCESS;
}

static nvmlReturn_t link_errors(const struct call *c, int arg, unsigned scope, double *value)
{
    SUPPORTED(c->gpu->profile->nvlinks);
    return level(c, arg, scope, value);
}

/* KiB of one link, or of all with UINT_MAX. */
static nvmlReturn_t link_traffic(const struct call *c, int arg, unsigned scope, double *value)
{
    unsigned n = c->gpu->profile->nvlinks;
    SUPPORTED(n);
    NEED(scope == UINT32_MAX || scope < n);
    *value = gpu_counter(c->gpu, (enum curve_id)arg, c->t) / 1024 / (scope == UINT32_MAX ? 1 : n);
    return NVML_SUCCESS;
}

#define UINT NVML_VALUE_TYPE_UNSIGNED_INT
#define ULL NVML_VALUE_TYPE_UNSIGNED_LONG_LONG
#define SIGNED NVML_VALUE_TYPE_SIGNED_INT

static const struct field fields[NVML_FI_MAX] = {
    [NVML_FI_DEV_ECC_CURRENT] = {470, UINT, level, ECC_MODE},
    [NVML_FI_DEV_ECC_PENDING] = {470, UINT, level, ECC_MODE},
    [NVML_FI_DEV_ECC_SBE_VOL_TOTAL] = {470, ULL, ecc_total, ECC_CORRECTED | VOLATILE},
    [NVML_FI_DEV_ECC_DBE_VOL_TOTAL] = {470, ULL, ecc_total, ECC_UNCORRECTED | VOLATILE},
    [NVML_FI_DEV_ECC_SBE_AGG_TOTAL] = {470, ULL, ecc_total, ECC_CORRECTED | AGGREGATE},
    [NVML_FI_DEV_ECC_DBE_AGG_TOTAL] = {470, ULL, ecc_total, ECC_UNCORRECTED | AGGREGATE},
    [NVML_FI_DEV_ECC_SBE_VOL_DEV] = {470, ULL, ecc, ECC_CORRECTED | VOLATILE},
    [NVML_FI_DEV_ECC_DBE_VOL_DEV] = {470, ULL, ecc, ECC_UNCORRECTED | VOLATILE},
    [NVML_FI_DEV_ECC_SBE_AGG_DEV] = {470, ULL, ecc, ECC_CORRECTED | AGGREGATE},
    [NVML_FI_DEV_ECC_DBE_AGG_DEV] = {470, ULL, ecc, ECC_UNCORRECTED | AGGREGATE},
    [NVML_FI_DEV_RETIRED_SBE] = {470, ULL, retire, RETIRED_SINGLE},
    [NVML_FI_DEV_RETIRED_DBE] = {470, ULL, retire, RETIRED_DOUBLE},
    [NVML_FI_DEV_RETIRED_PENDING] = {470, ULL, retire, RETIRED_PENDING},
    [NVML_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL] = {470, ULL, link_errors, NVLINK_CRC},
    [NVML_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL] = {470, ULL, link_errors, NVLINK_REPLAY},
    [NVML_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL] = {470, ULL, link_errors, NVLINK_RECOVERY},
    [NVML_FI_DEV_PERF_POLICY_POWER] = {470, ULL, throttled, THROTTLE_POWER},
    [NVML_FI_DEV_PERF_POLICY_THERMAL] = {470, ULL, throttled, THROTTLE_THERMAL},
    [NVML_FI_DEV_PERF_POLICY_SYNC_BOOST] = {470, ULL, throttled, THROTTLE_SYNC_BOOST},
    [NVML_FI_DEV_PERF_POLICY_BOARD_LIMIT] = {470, ULL, throttled, THROTTLE_BOARD_LIMIT},
    [NVML_FI_DEV_PERF_POLICY_LOW_UTILIZATION] = {470, ULL, throttled, THROTTLE_LOW_UTILIZATION},
    [NVML_FI_DEV_PERF_POLICY_RELIABILITY] = {470, ULL, throttled, THROTTLE_RELIABILITY},
    [NVML_FI_DEV_MEMORY_TEMP] = {470, UINT, memory_temperature, MEMORY_TEMPERATURE},
    [NVML_FI_DEV_TOTAL_ENERGY_CONSUMPTION] = {470, ULL, energy, 0},
    [NVML_FI_DEV_NVLINK_SPEED_MBPS_COMMON] = {470, UINT, link_speed, 0},
    [NVML_FI_DEV_NVLINK_LINK_COUNT] = {470, UINT, link_count, 0},
    [NVML_FI_DEV_PCIE_REPLAY_COUNTER] = {470, ULL, level, PCIE_REPLAY},
    [NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_TX] = {470, ULL, link_traffic, NVLINK_TX},
    [NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_RX] = {470, ULL, link_traffic, NVLINK_RX},
    [NVML_FI_DEV_NVLINK_THROUGHPUT_RAW_TX] = {470, ULL, link_traffic, NVLINK_TX},
    [NVML_FI_DEV_NVLINK_THROUGHPUT_RAW_RX] = {470, ULL, link_traffic, NVLINK_RX},
    [NVML_FI_DEV_REMAPPED_COR] = {470, UINT, remap, REMAPPED_CORRECTED},
    [NVML_FI_DEV_REMAPPED_UNC] = {470, UINT, remap, REMAPPED_UNCORRECTED},
    [NVML_FI_DEV_REMAPPED_PENDING] = {470, UINT, remap, REMAP_PENDING},
    [NVML_FI_DEV_REMAPPED_FAILURE] = {470, UINT, remap, REMAP_FAILED},
    [NVML_FI_DEV_POWER_AVERAGE] = {535, UINT, power, 1},
    [NVML_FI_DEV_POWER_INSTANT] = {535, UINT, power, 0},
    [NVML_FI_DEV_POWER_MIN_LIMIT] = {535, UINT, power_limit, 0},
    [NVML_FI_DEV_POWER_MAX_LIMIT] = {535, UINT, power_limit, 1},
    [NVML_FI_DEV_POWER_DEFAULT_LIMIT] = {535, UINT, power_limit, 2},
    [NVML_FI_DEV_POWER_CURRENT_LIMIT] = {535, UINT, power_limit, 3},
    [NVML_FI_DEV_ENERGY] = {535, ULL, energy, 0},
    [NVML_FI_DEV_POWER_REQUESTED_LIMIT] = {535, UINT, power_limit, 3},
    [NVML_FI_DEV_TEMPERATURE_SHUTDOWN_TLIMIT] = {535, SIGNED, threshold, 0},
    [NVML_FI_DEV_TEMPERATURE_SLOWDOWN_TLIMIT] = {535, SIGNED, threshold, 1},
    [NVML_FI_DEV_TEMPERATURE_MEM_MAX_TLIMIT] = {535, SIGNED, threshold, 2},
    [NVML_FI_DEV_TEMPERATURE_GPU_MAX_TLIMIT] = {535, SIGNED, threshold, 3},
    [NVML_FI_DEV_PCIE_COUNT_TX_BYTES] = {570, UINT, pcie_bytes, PCIE_TX},
    [NVML_FI_DEV_PCIE_COUNT_RX_BYTES] = {570, UINT, pcie_bytes, PCIE_RX},
    [NVML_FI_DEV_GET_GPU_RECOVERY_ACTION] = {570, UINT, level, RECOVERY_ACTION},
    [NVML_FI_DEV_CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN] = {580, ULL, throttled, THROTTLE_THERMAL},
    [NVML_FI_DEV_CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN] = {580, ULL, throttled, THROTTLE_HW_THERMAL},
    [NVML_FI_DEV_CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN] = {580, ULL, throttled, THROTTLE_POWER_BRAKE},
};

static void store(nvmlFieldValue_t *v, double value)
{
    if (v->valueType == NVML_VALUE_TYPE_SIGNED_INT)
        v->value.siVal = (int)value;
    else if (v->valueType == NVML_VALUE_TYPE_UNSIGNED_INT)
        v->value.ullVal = (unsigned)value; /* no stray upper half for a careless reader */
    else
        v->value.ullVal = (unsigned long long)value;
}

static nvmlReturn_t read_field(const struct call *c, nvmlFieldValue_t *v)
{
    NEED(v->fieldId < NVML_FI_MAX);
    const struct field *f = &fields[v->fieldId];
    SUPPORTED(f->read && f->since <= branch.number);
    int code = fault_field(c->scenario, v->fieldId, c->gpu->index, c->boot);
    if (code != PROCEED)
        return (nvmlReturn_t)code;
    double value = 0;
    nvmlReturn_t rc = f->read(c, f->arg, v->scopeId, &value);
    v->valueType = f->type;
    store(v, value);
    return rc;
}

/* The call succeeds when the GPU answers at all; each value has its own code. */
nvmlReturn_t nvmlDeviceGetFieldValues(nvmlDevice_t device, int count, nvmlFieldValue_t *values)
{
    ENTER_DEVICE(nvmlDeviceGetFieldValues, device);
    NEED(count > 0 && values);
    for (nvmlFieldValue_t *v = values; v < values + count; v++) {
        v->timestamp = (long long)wall_us(c.boot);
        v->latencyUsec = 0;
        v->nvmlReturn = read_field(&c, v);
    }
    return NVML_SUCCESS;
}
