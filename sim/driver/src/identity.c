/* Which GPUs there are, and who each of them is. */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "mig.h"

static nvmlReturn_t count(enum function fn, unsigned *n)
{
    struct call c;
    nvmlReturn_t rc = call_enter(&c, fn);
    if (rc != NVML_SUCCESS)
        return rc;
    NEED(n);
    *n = c.scenario->gpu_count;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetCount(unsigned int *n)
{
    return count(FN_nvmlDeviceGetCount, n);
}

nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int *n)
{
    return count(FN_nvmlDeviceGetCount_v2, n);
}

/* Taking a handle initialises the GPU, so it fails with the GPU. */
static nvmlReturn_t take(enum function fn, unsigned index, nvmlDevice_t *device)
{
    struct call c;
    NEED(device);
    NEED(index < MAX_GPUS);
    nvmlReturn_t rc = call_device(&c, fn, &handles[index]);
    if (rc == NVML_SUCCESS)
        *device = &handles[index];
    return rc;
}

nvmlReturn_t nvmlDeviceGetHandleByIndex(unsigned int index, nvmlDevice_t *device)
{
    return take(FN_nvmlDeviceGetHandleByIndex, index, device);
}

nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t *device)
{
    return take(FN_nvmlDeviceGetHandleByIndex_v2, index, device);
}

static bool has_uuid(const struct gpu *g, const char *text)
{
    return !strcasecmp(g->uuid, text);
}

static bool has_serial(const struct gpu *g, const char *text)
{
    return !strcmp(g->serial, text);
}

/* Both 00000000:1B:00.0 and 0000:1b:00.0 are in use. */
static bool has_bus_id(const struct gpu *g, const char *text)
{
    unsigned domain, bus, device, function = 0;
    return sscanf(text, "%x:%x:%x.%x", &domain, &bus, &device, &function) >= 3 && domain == g->pci.domain &&
           bus == g->pci.bus && device == g->pci.device && !function;
}

/* A MIG device by its UUID. */
static nvmlReturn_t find_part(const struct scenario *s, const char *text, nvmlDevice_t *device)
{
    int64_t t = boot_clock() - s->start;
    for (unsigned n = 0; n < s->gpu_count; n++) {
        const struct gpu *g = &s->gpus[n];
        for (const struct instance *i = g->instances; i < g->instances + g->instance_count; i++)
            for (int k = 0; mig_alive(g, i, t) && k < i->compute_count; k++)
                if (!strcasecmp(i->computes[k].uuid, text)) {
                    *device = &mig_handles[n][i->id][i->computes[k].id];
                    return NVML_SUCCESS;
                }
    }
    return NVML_ERROR_NOT_FOUND;
}

static nvmlReturn_t find(enum function fn, const char *text, bool (*is)(const struct gpu *, const char *), nvmlDevice_t *device)
{
    NEED(text && device);
    if (!atomic_load(&init_count))
        return NVML_ERROR_UNINITIALIZED;
    const struct scenario *s = node_current(boot_clock());
    for (unsigned i = 0; i < s->gpu_count; i++)
        if (is(&s->gpus[i], text))
            return take(fn, i, device);
    return fn == FN_nvmlDeviceGetHandleByUUID ? find_part(s, text, device) : NVML_ERROR_NOT_FOUND;
}

nvmlReturn_t nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *device)
{
    return find(FN_nvmlDeviceGetHandleByUUID, uuid, has_uuid, device);
}

nvmlReturn_t nvmlDeviceGetHandleBySerial(const char *serial, nvmlDevice_t *device)
{
    return find(FN_nvmlDeviceGetHandleBySerial, serial, has_serial, device);
}

nvmlReturn_t nvmlDeviceGetHandleByPciBusId(const char *id, nvmlDevice_t *device)
{
    return find(FN_nvmlDeviceGetHandleByPciBusId, id, has_bus_id, device);
}

nvmlReturn_t nvmlDeviceGetHandleByPciBusId_v2(const char *id, nvmlDevice_t *device)
{
    return find(FN_nvmlDeviceGetHandleByPciBusId_v2, id, has_bus_id, device);
}

/* A function that copies a text of the GPU. */
#define TEXT(fn, text)                                                       \
    nvmlReturn_t fn(nvmlDevice_t device, char *to, unsigned int length)      \
    {                                                                        \
        ENTER_DEVICE(fn, device);                                            \
        return call_text(to, length, text);                                  \
    }

nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char *to, unsigned int length)
{
    ENTER_ANY(nvmlDeviceGetUUID, device);
    return call_text(to, length, c.compute ? c.compute->uuid : c.gpu->uuid);
}

/* A compute instance that has not all of its GPU instance says how much. */
nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char *to, unsigned int length)
{
    ENTER_ANY(nvmlDeviceGetName, device);
    if (!c.instance)
        return call_text(to, length, c.gpu->profile->name);
    char part[8] = "", row[32], text[128];
    if (c.compute->slices != c.instance->row->slices)
        snprintf(part, sizeof part, "%uc.", c.compute->slices);
    mig_row_name(c.gpu->profile, c.instance->row, row, sizeof row);
    snprintf(text, sizeof text, "%s MIG %s%s", c.gpu->profile->name, part, row);
    return call_text(to, length, text);
}

TEXT(nvmlDeviceGetBoardPartNumber, c.gpu->profile->part)
TEXT(nvmlDeviceGetVbiosVersion, c.gpu->profile->vbios)

nvmlReturn_t nvmlDeviceGetSerial(nvmlDevice_t device, char *to, unsigned int length)
{
    ENTER_DEVICE(nvmlDeviceGetSerial, device);
    SUPPORTED(!c.gpu->profile->no_serial);
    return call_text(to, length, c.gpu->serial);
}

/* A function that gives one number. */
#define VALUE(fn, type, value)                                \
    nvmlReturn_t fn(nvmlDevice_t device, type *to)            \
    {                                                         \
        ENTER_DEVICE(fn, device);                             \
        NEED(to);                                             \
        *to = (type)(value);                                  \
        return NVML_SUCCESS;                                  \
    }

/* Of a GPU, or of a MIG device on its GPU. */
nvmlReturn_t nvmlDeviceGetIndex(nvmlDevice_t device, unsigned int *to)
{
    ENTER_ANY(nvmlDeviceGetIndex, device);
    NEED(to);
    *to = c.compute ? mig_index(&c) : c.gpu->index;
    return NVML_SUCCESS;
}

VALUE(nvmlDeviceGetMinorNumber, unsigned int, c.gpu->index)
VALUE(nvmlDeviceGetModuleId, unsigned int, c.gpu->index % 8 + 1)
VALUE(nvmlDeviceGetBoardId, unsigned int, c.gpu->pci.domain << 16 | c.gpu->pci.bus << 8)
VALUE(nvmlDeviceGetBrand, nvmlBrandType_t, c.gpu->profile->brand)
VALUE(nvmlDeviceGetArchitecture, nvmlDeviceArchitecture_t, c.gpu->profile->architecture)
/* Not of a divided GPU, nvml.h. */
nvmlReturn_t nvmlDeviceGetNumGpuCores(nvmlDevice_t device, unsigned int *to)
{
    ENTER_DEVICE(nvmlDeviceGetNumGpuCores, device);
    NEED(to);
    SUPPORTED(!mig_on(c.gpu, c.t));
    *to = c.gpu->profile->cores;
    return NVML_SUCCESS;
}

VALUE(nvmlDeviceGetMemoryBusWidth, unsigned int, c.gpu->profile->bus_width)
VALUE(nvmlDeviceGetPersistenceMode, nvmlEnableState_t, level_at(c.gpu, PERSISTENCE, c.t))
VALUE(nvmlDeviceGetComputeMode, nvmlComputeMode_t, level_at(c.gpu, COMPUTE_MODE, c.t))

nvmlReturn_t nvmlDeviceGetCudaComputeCapability(nvmlDevice_t device, int *major, int *minor)
{
    ENTER_DEVICE(nvmlDeviceGetCudaComputeCapability, device);
    NEED(major && minor);
    *major = c.gpu->profile->major;
    *minor = c.gpu->profile->minor;
    return NVML_SUCCESS;
}

static nvmlReturn_t pci(enum function fn, nvmlDevice_t device, nvmlPciInfo_t *to)
{
    struct call c;
    nvmlReturn_t rc = call_device(&c, fn, device);
    if (rc != NVML_SUCCESS)
        return rc;
    NEED(to);
    *to = c.gpu->pci;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetPciInfo(nvmlDevice_t device, nvmlPciInfo_t *to)
{
    return pci(FN_nvmlDeviceGetPciInfo, device, to);
}

nvmlReturn_t nvmlDeviceGetPciInfo_v2(nvmlDevice_t device, nvmlPciInfo_t *to)
{
    return pci(FN_nvmlDeviceGetPciInfo_v2, device, to);
}

nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t *to)
{
    return pci(FN_nvmlDeviceGetPciInfo_v3, device, to);
}
