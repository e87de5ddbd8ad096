/* ECC errors, remapped rows and retired pages. */
#include "mig.h"

nvmlReturn_t nvmlDeviceGetEccMode(nvmlDevice_t device, nvmlEnableState_t *now, nvmlEnableState_t *pending)
{
    ENTER_DEVICE(nvmlDeviceGetEccMode, device);
    NEED(now && pending);
    *now = *pending = (nvmlEnableState_t)level_at(c.gpu, ECC_MODE, c.t);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetDefaultEccMode(nvmlDevice_t device, nvmlEnableState_t *to)
{
    ENTER_DEVICE(nvmlDeviceGetDefaultEccMode, device);
    NEED(to);
    *to = (nvmlEnableState_t)c.gpu->levels[ECC_MODE].rest;
    return NVML_SUCCESS;
}

/* Volatile counts begin again when the driver is loaded, aggregate ones never. */
uint64_t ecc_count(const struct call *c, enum level_id id, bool aggregate)
{
    double all = level_at(c->gpu, id, c->t);
    int64_t loaded = gpu_loaded(c->gpu, c->t);
    if (!aggregate && loaded != INT64_MIN)
        return (uint64_t)all - (uint64_t)level_at(c->gpu, id, loaded);
    return (uint64_t)all;
}

nvmlReturn_t nvmlDeviceGetTotalEccErrors(nvmlDevice_t device, nvmlMemoryErrorType_t type, nvmlEccCounterType_t counter,
                                         unsigned long long *to)
{
    ENTER_DEVICE(nvmlDeviceGetTotalEccErrors, device);
    NEED(to && (unsigned)type < NVML_MEMORY_ERROR_TYPE_COUNT && (unsigned)counter < NVML_ECC_COUNTER_TYPE_COUNT);
    SUPPORTED(level_at(c.gpu, ECC_MODE, c.t) > 0);
    bool aggregate = counter == NVML_AGGREGATE_ECC, bad = type == NVML_MEMORY_ERROR_TYPE_UNCORRECTED;
    *to = ecc_count(&c, bad ? ECC_UNCORRECTED : ECC_CORRECTED, aggregate) +
          ecc_count(&c, bad ? SRAM_UNCORRECTED : SRAM_CORRECTED, aggregate);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMemoryErrorCounter(nvmlDevice_t device, nvmlMemoryErrorType_t type, nvmlEccCounterType_t counter,
                                             nvmlMemoryLocation_t location, unsigned long long *to)
{
    ENTER_DEVICE(nvmlDeviceGetMemoryErrorCounter, device);
    NEED(to && (unsigned)type < NVML_MEMORY_ERROR_TYPE_COUNT && (unsigned)counter < NVML_ECC_COUNTER_TYPE_COUNT);
    NEED((unsigned)location < NVML_MEMORY_LOCATION_COUNT);
    bool dram = location == NVML_MEMORY_LOCATION_DRAM, bad = type == NVML_MEMORY_ERROR_TYPE_UNCORRECTED;
    bool located = c.gpu->profile->ecc_locations; /* then L2 has all of the SRAM's */
    SUPPORTED(level_at(c.gpu, ECC_MODE, c.t) > 0 && (dram || located == (location != NVML_MEMORY_LOCATION_SRAM)));
    *to = 0;
    if (located && !dram && location != NVML_MEMORY_LOCATION_L2_CACHE)
        return NVML_SUCCESS;
    enum level_id id = dram ? (bad ? ECC_UNCORRECTED : ECC_CORRECTED) : (bad ? SRAM_UNCORRECTED : SRAM_CORRECTED);
    *to = ecc_count(&c, id, counter == NVML_AGGREGATE_ECC);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetRemappedRows(nvmlDevice_t device, unsigned int *corrected, unsigned int *uncorrected,
                                       unsigned int *pending, unsigned int *failed)
{
    ENTER_DEVICE(nvmlDeviceGetRemappedRows, device);
    NEED(corrected && uncorrected && pending && failed);
    SUPPORTED(c.gpu->profile->remaps_rows && !mig_on(c.gpu, c.t));
    *corrected = (unsigned)level_at(c.gpu, REMAPPED_CORRECTED, c.t);
    *uncorrected = (unsigned)level_at(c.gpu, REMAPPED_UNCORRECTED, c.t);
    *pending = (unsigned)level_at(c.gpu, REMAP_PENDING, c.t);
    *failed = (unsigned)level_at(c.gpu, REMAP_FAILED, c.t);
    return NVML_SUCCESS;
}

/* Banks by the spare rows they have left; each remapping takes one of its own. */
nvmlReturn_t nvmlDeviceGetRowRemapperHistogram(nvmlDevice_t device, nvmlRowRemapperHistogramValues_t *to)
{
    ENTER_DEVICE(nvmlDeviceGetRowRemapperHistogram, device);
    NEED(to);
    SUPPORTED(c.gpu->profile->remaps_rows);
    const unsigned banks = c.gpu->profile->banks;
    unsigned used = (unsigned)(level_at(c.gpu, REMAPPED_CORRECTED, c.t) + level_at(c.gpu, REMAPPED_UNCORRECTED, c.t));
    unsigned full = (unsigned)level_at(c.gpu, REMAP_FAILED, c.t);
    used = used < banks - full ? used : banks - full;
    *to = (nvmlRowRemapperHistogramValues_t){.max = banks - used - full, .high = used, .none = full};
    return NVML_SUCCESS;
}

/* nvml.h: a count of 0 asks for the size. Addresses are made up, one page apart. */
static nvmlReturn_t retired(enum function fn, nvmlDevice_t device, nvmlPageRetirementCause_t cause, unsigned *count,
                            unsigned long long *addresses, unsigned long long *stamps)
{
    struct call c;
    nvmlReturn_t rc = call_device(&c, fn, device);
    if (rc != NVML_SUCCESS)
        return rc;
    NEED(count && (unsigned)cause < NVML_PAGE_RETIREMENT_CAUSE_COUNT && (addresses || !*count));
    SUPPORTED(c.gpu->profile->retires_pages);
    bool twice = cause == NVML_PAGE_RETIREMENT_CAUSE_DOUBLE_BIT_ECC_ERROR;
    unsigned n = (unsigned)level_at(c.gpu, twice ? RETIRED_DOUBLE : RETIRED_SINGLE, c.t), room = *count;
    *count = n;
    if (room < n)
        return NVML_ERROR_INSUFFICIENT_SIZE;
    for (unsigned i = 0; i < n; i++) {
        addresses[i] = 0x10000ULL * (i + 1 + (twice ? 0x1000 : 0));
        if (stamps)
            stamps[i] = wall_us(c.boot);
    }
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetRetiredPages(nvmlDevice_t device, nvmlPageRetirementCause_t cause, unsigned int *count,
                                       unsigned long long *addresses)
{
    return retired(FN_nvmlDeviceGetRetiredPages, device, cause, count, addresses, NULL);
}

nvmlReturn_t nvmlDeviceGetRetiredPages_v2(nvmlDevice_t device, nvmlPageRetirementCause_t cause, unsigned int *count,
                                          unsigned long long *addresses, unsigned long long *stamps)
{
    return retired(FN_nvmlDeviceGetRetiredPages_v2, device, cause, count, addresses, stamps);
}

nvmlReturn_t nvmlDeviceGetRetiredPagesPendingStatus(nvmlDevice_t device, nvmlEnableState_t *to)
{
    ENTER_DEVICE(nvmlDeviceGetRetiredPagesPendingStatus, device);
    NEED(to);
    SUPPORTED(c.gpu->profile->retires_pages);
    *to = (nvmlEnableState_t)level_at(c.gpu, RETIRED_PENDING, c.t);
    return NVML_SUCCESS;
}
