/* What a GPU does where the scenario is silent: its model and its utilisation
 * give the rest. */
#include <stdio.h>
#include <string.h>

#include "level.h"
#include "mig.h"
#include "statements.h"

static const struct {
    const char *name;
    enum unit unit;
} curve_rows[CURVE_COUNT] = {
    [UTIL] = {"util", PERCENT},
    [MEMORY_UTIL] = {"memory-util", PERCENT},
    [ENCODER] = {"encoder", PERCENT},
    [DECODER] = {"decoder", PERCENT},
    [JPEG] = {"jpeg", PERCENT},
    [OFA] = {"ofa", PERCENT},
    [MEMORY] = {"memory", BYTES},
    [POWER] = {"power", WATTS},
    [TEMPERATURE] = {"temperature", CELSIUS},
    [MEMORY_TEMPERATURE] = {"memory-temperature", CELSIUS},
    [SM_CLOCK] = {"sm-clock", MEGAHERTZ},
    [MEMORY_CLOCK] = {"memory-clock", MEGAHERTZ},
    [VIDEO_CLOCK] = {"video-clock", MEGAHERTZ},
    [PCIE_TX] = {"pcie-tx", BYTES_PER_SECOND},
    [PCIE_RX] = {"pcie-rx", BYTES_PER_SECOND},
    [NVLINK_TX] = {"nvlink-tx", BYTES_PER_SECOND},
    [NVLINK_RX] = {"nvlink-rx", BYTES_PER_SECOND},
    [SM_ACTIVE] = {"sm-active", PERCENT},
    [SM_OCCUPANCY] = {"sm-occupancy", PERCENT},
    [TENSOR] = {"tensor", PERCENT},
    [TENSOR_DFMA] = {"tensor-dfma", PERCENT},
    [TENSOR_HMMA] = {"tensor-hmma", PERCENT},
    [TENSOR_DMMA] = {"tensor-dmma", PERCENT},
    [TENSOR_IMMA] = {"tensor-imma", PERCENT},
    [DRAM] = {"dram", PERCENT},
    [FP64] = {"fp64", PERCENT},
    [FP32] = {"fp32", PERCENT},
    [FP16] = {"fp16", PERCENT},
    [INTEGER] = {"integer", PERCENT},
    [THROTTLE_POWER] = {"throttle-power", PERCENT},
    [THROTTLE_THERMAL] = {"throttle-thermal", PERCENT},
    [THROTTLE_SYNC_BOOST] = {"throttle-sync-boost", PERCENT},
    [THROTTLE_BOARD_LIMIT] = {"throttle-board-limit", PERCENT},
    [THROTTLE_LOW_UTILIZATION] = {"throttle-low-utilization", PERCENT},
    [THROTTLE_RELIABILITY] = {"throttle-reliability", PERCENT},
    [THROTTLE_HW_THERMAL] = {"throttle-hw-thermal", PERCENT},
    [THROTTLE_POWER_BRAKE] = {"throttle-power-brake", PERCENT},
    [THROTTLE_APP_CLOCKS] = {"throttle-app-clocks", PERCENT},
    [THROTTLE_BASE_CLOCKS] = {"throttle-base-clocks", PERCENT},
};

bool curve_find(const char *name, enum curve_id *id, enum unit *unit)
{
    for (int i = 0; i < CURVE_COUNT; i++)
        if (!strcmp(curve_rows[i].name, name)) {
            *id = (enum curve_id)i;
            *unit = curve_rows[i].unit;
            return true;
        }
    return false;
}

/* low at rest, high at 100 % utilisation. */
static void follow(struct gpu *g, enum curve_id id, double low, double high)
{
    if (g->curves[id].given)
        return;
    g->curves[id] = (struct curve){
        .kind = FOLLOW, .source = &g->curves[UTIL], .low = low, .high = (high - low) / 100, .scale = 1};
}

/* The same as another of the GPU's curves. */
static void equal(struct gpu *g, enum curve_id id, enum curve_id source)
{
    if (!g->curves[id].given)
        g->curves[id] = (struct curve){.kind = FOLLOW, .source = &g->curves[source], .high = 1, .scale = 1};
}

static void follow_all(struct gpu *g)
{
    const struct profile *p = g->profile;
    follow(g, MEMORY_UTIL, 0, 50);
    follow(g, POWER, p->idle_watts, p->max_watts);
    follow(g, TEMPERATURE, p->idle_celsius, p->busy_celsius);
    follow(g, MEMORY_TEMPERATURE, p->idle_celsius + p->memory_above, p->busy_celsius + p->memory_above);
    follow(g, SM_CLOCK, p->idle_sm, p->max_sm);
    follow(g, MEMORY_CLOCK, p->idle_memory, p->max_memory);
    follow(g, VIDEO_CLOCK, p->idle_video, p->max_video);
    follow(g, PCIE_TX, 0, p->pcie_rate * g->part);
    follow(g, PCIE_RX, 0, p->pcie_rate * g->part);
    follow(g, NVLINK_TX, 0, p->nvlink_rate * g->part);
    follow(g, NVLINK_RX, 0, p->nvlink_rate * g->part);
    follow(g, SM_ACTIVE, 0, 80);
    follow(g, SM_OCCUPANCY, 0, 40);
    follow(g, TENSOR, 0, 35);
    equal(g, TENSOR_HMMA, TENSOR);
    follow(g, DRAM, 0, 30);
    follow(g, FP32, 0, 10);
    follow(g, FP16, 0, 10);
    follow(g, INTEGER, 0, 15);
}

/* Curves that were written once for several GPUs get what is each GPU's own. */
static void own(struct gpu *g, enum curve_id id)
{
    struct curve *c = &g->curves[id];
    if (c->scale == 0)
        c->scale = 1; /* never written: a constant zero */
    if (c->relative)
        c->scale = (double)g->memory / 100;
    if (c->kind != WALK)
        return;
    struct step *knots = scenario_alloc((struct scenario *)g->scenario, (WALK_KNOTS + 1) * sizeof *knots);
    uint64_t seed = mix(mix(g->scenario->seed, g->index + 1), (uint64_t)id + 1 + ((uint64_t)g->instance << 16));
    c->steps = walk_knots(knots, seed, c->low, c->high, c->period);
}

static void identity(struct gpu *g)
{
    /* The buses of the eight GPUs of a DGX H100; further trays get domains of their own. */
    static const unsigned buses[8] = {0x1b, 0x43, 0x52, 0x61, 0x9d, 0xc3, 0xd1, 0xdf};
    uint64_t a = mix(g->scenario->seed, 0x1000 + g->index), b = mix(a, g->index);
    if (!*g->uuid)
        snprintf(g->uuid, sizeof g->uuid, "GPU-%08x-%04x-%04x-%04x-%012llx", (unsigned)(a >> 32), (unsigned)(a >> 16 & 0xffff),
                 (unsigned)(a & 0xffff), (unsigned)(b >> 48), (unsigned long long)(b & 0xffffffffffff));
    if (!*g->serial)
        snprintf(g->serial, sizeof g->serial, "165%010llu", (unsigned long long)(b % 10000000000));
    nvmlPciInfo_t *p = &g->pci;
    p->domain = g->index / 8;
    p->bus = buses[g->index % 8];
    p->pciDeviceId = g->profile->device_id;
    p->pciSubSystemId = g->profile->subsystem_id;
    snprintf(p->busId, sizeof p->busId, NVML_DEVICE_PCI_BUS_ID_FMT, NVML_DEVICE_PCI_BUS_ID_FMT_ARGS(p));
    snprintf(p->busIdLegacy, sizeof p->busIdLegacy, NVML_DEVICE_PCI_BUS_ID_LEGACY_FMT, NVML_DEVICE_PCI_BUS_ID_FMT_ARGS(p));
}

void curves_finish(struct gpu *g)
{
    follow_all(g);
    for (int i = 0; i < CURVE_COUNT; i++)
        own(g, (enum curve_id)i);
}

void gpu_finish(struct gpu *g)
{
    g->part = 1;
    g->memory = g->profile->memory;
    g->reserved = g->profile->reserved;
    identity(g);
    level_defaults(g);
    mig_finish(g);
    curves_finish(g);
}
