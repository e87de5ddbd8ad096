/* Errors of the SRAM by unit, and what cannot be repaired any more. */
#include "mig.h"

nvmlReturn_t nvmlDeviceGetSramEccErrorStatus(nvmlDevice_t device, nvmlEccSramErrorStatus_t *to)
{
    ENTER_DEVICE(nvmlDeviceGetSramEccErrorStatus, device);
    NEED(to);
    VERSION(to->version, nvmlEccSramErrorStatus_v1);
    SUPPORTED(c.gpu->profile->architecture >= NVML_DEVICE_ARCH_AMPERE && level_at(c.gpu, ECC_MODE, c.t) > 0);
    PRIVILEGED(c);
    bool parity = level_at(c.gpu, SRAM_PARITY, c.t) > 0;
    unsigned long long all = ecc_count(&c, SRAM_UNCORRECTED, true), fresh = ecc_count(&c, SRAM_UNCORRECTED, false);
    *to = (nvmlEccSramErrorStatus_t){
        .version = to->version,
        .aggregateUncParity = parity ? all : 0,
        .aggregateUncSecDed = parity ? 0 : all,
        .aggregateCor = ecc_count(&c, SRAM_CORRECTED, true),
        .volatileUncParity = parity ? fresh : 0,
        .volatileUncSecDed = parity ? 0 : fresh,
        .volatileCor = ecc_count(&c, SRAM_CORRECTED, false),
        .bThresholdExceeded = level_at(c.gpu, SRAM_THRESHOLD, c.t) > 0,
    };
    unsigned long long *units[] = {&to->aggregateUncBucketL2, &to->aggregateUncBucketSm, &to->aggregateUncBucketPcie,
                                   &to->aggregateUncBucketMcu, &to->aggregateUncBucketOther};
    *units[(unsigned)level_at(c.gpu, SRAM_UNIT, c.t) % 5] = all;
    return NVML_SUCCESS;
}

/* All errors of a scenario happen at one address. A count of 0 asks for the size. */
nvmlReturn_t nvmlDeviceGetSramUniqueUncorrectedEccErrorCounts(nvmlDevice_t device,
                                                              nvmlEccSramUniqueUncorrectedErrorCounts_t *to)
{
    ENTER_DEVICE(nvmlDeviceGetSramUniqueUncorrectedEccErrorCounts, device);
    NEED(to);
    VERSION(to->version, nvmlEccSramUniqueUncorrectedErrorCounts_v1);
    SUPPORTED(c.gpu->profile->architecture >= NVML_DEVICE_ARCH_AMPERE && level_at(c.gpu, ECC_MODE, c.t) > 0);
    PRIVILEGED(c);
    unsigned n = (unsigned)ecc_count(&c, SRAM_UNCORRECTED, true), room = to->entryCount;
    to->entryCount = n > 0;
    if (room < to->entryCount)
        return NVML_ERROR_INSUFFICIENT_SIZE;
    NEED(!to->entryCount || to->entries);
    if (to->entryCount)
        to->entries[0] = (nvmlEccSramUniqueUncorrectedErrorEntry_v1_t){
            .unit = (unsigned)level_at(c.gpu, SRAM_UNIT, c.t),
            .isParity = level_at(c.gpu, SRAM_PARITY, c.t) > 0,
            .count = n,
        };
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetRepairStatus(nvmlDevice_t device, nvmlRepairStatus_t *to)
{
    ENTER_DEVICE(nvmlDeviceGetRepairStatus, device);
    NEED(to);
    VERSION(to->version, nvmlRepairStatus_v1);
    SUPPORTED(c.gpu->profile->architecture >= NVML_DEVICE_ARCH_AMPERE);
    to->bChannelRepairPending = level_at(c.gpu, CHANNEL_REPAIR, c.t) > 0;
    to->bTpcRepairPending = level_at(c.gpu, TPC_REPAIR, c.t) > 0;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetUnrepairableMemoryFlag_v1(nvmlDevice_t device, nvmlUnrepairableMemoryStatus_v1_t *to)
{
    ENTER_DEVICE(nvmlDeviceGetUnrepairableMemoryFlag_v1, device);
    NEED(to);
    SUPPORTED(c.gpu->profile->architecture >= NVML_DEVICE_ARCH_HOPPER);
    to->bUnrepairableMemory = level_at(c.gpu, UNREPAIRABLE, c.t) > 0;
    return NVML_SUCCESS;
}

/* What is remapped at the next reset is not active yet: the pending row. */
nvmlReturn_t nvmlDeviceGetRemappedRows_v2(nvmlDevice_t device, nvmlRemappedRowsInfo_v2_t *to)
{
    ENTER_DEVICE(nvmlDeviceGetRemappedRows_v2, device);
    NEED(to);
    SUPPORTED(c.gpu->profile->remaps_rows && !mig_on(c.gpu, c.t));
    unsigned pending = level_at(c.gpu, REMAP_PENDING, c.t) > 0;
    *to = (nvmlRemappedRowsInfo_v2_t){
        .corrActiveRemaps = (unsigned)level_at(c.gpu, REMAPPED_CORRECTED, c.t),
        .uncActiveRemaps = (unsigned)level_at(c.gpu, REMAPPED_UNCORRECTED, c.t),
        .uncInactiveRemaps = pending,
        .bPending = pending,
        .bFailureOccurred = level_at(c.gpu, REMAP_FAILED, c.t) > 0,
    };
    return NVML_SUCCESS;
}
