/* Counters and states that the scenario gives as numbers. */
#include "level.h"

#include "sim.h"

static const char *const recovery_words[] = {"none", "reset", "reboot", "drain", "drain-reset",
                                             "imex", "bus-reset", "system-reboot", NULL};
static const char *const fabric_words[] = {"unsupported", "not-started", "in-progress", "completed", NULL};
static const char *const switch_words[] = {"off", "on", NULL};
static const char *const compute_words[] = {"default", "exclusive-thread", "prohibited", "exclusive-process", NULL};

const struct level_row level_rows[LEVEL_COUNT] = {
    [ECC_CORRECTED] = {"ecc-corrected", true, NULL},
    [ECC_UNCORRECTED] = {"ecc-uncorrected", true, NULL},
    [SRAM_CORRECTED] = {"sram-corrected", true, NULL},
    [SRAM_UNCORRECTED] = {"sram-uncorrected", true, NULL},
    [REMAPPED_CORRECTED] = {"remapped-corrected", true, NULL},
    [REMAPPED_UNCORRECTED] = {"remapped-uncorrected", true, NULL},
    [REMAP_PENDING] = {"remap-pending", false, switch_words},
    [REMAP_FAILED] = {"remap-failed", false, switch_words},
    [RETIRED_SINGLE] = {"retired-single", true, NULL},
    [RETIRED_DOUBLE] = {"retired-double", true, NULL},
    [RETIRED_PENDING] = {"retired-pending", false, switch_words},
    [PCIE_REPLAY] = {"pcie-replay", true, NULL},
    [NVLINK_CRC] = {"nvlink-crc", true, NULL},
    [NVLINK_REPLAY] = {"nvlink-replay", true, NULL},
    [NVLINK_RECOVERY] = {"nvlink-recovery", true, NULL},
    [NVLINK_DOWN] = {"nvlink-down", false, NULL},
    [RECOVERY_ACTION] = {"recovery-action", false, recovery_words},
    [ECC_MODE] = {"ecc", false, switch_words},
    [PERSISTENCE] = {"persistence", false, switch_words},
    [COMPUTE_MODE] = {"compute-mode", false, compute_words},
    [POWER_LIMIT] = {"power-limit", false, NULL},
    [PCIE_GENERATION] = {"pcie-generation", false, NULL},
    [PCIE_WIDTH] = {"pcie-width", false, NULL},
    [FABRIC_STATE] = {"fabric-state", false, fabric_words},
    [FABRIC_HEALTH] = {"fabric-health", false, NULL},
    [ENERGY_OFFSET] = {"energy-offset", true, NULL}, /* J */
    [ENERGY_STUCK] = {"energy-stuck", false, switch_words},
};

/* What a GPU of this model has where the scenario is silent. */
void level_defaults(struct gpu *g)
{
    const struct profile *p = g->profile;
    double rest[LEVEL_COUNT] = {
        [ECC_MODE] = 1,
        [PERSISTENCE] = 1,
        [POWER_LIMIT] = p->default_limit,
        [PCIE_GENERATION] = p->pcie_generation,
        [PCIE_WIDTH] = p->pcie_width,
        [FABRIC_STATE] = p->fabric ? NVML_GPU_FABRIC_STATE_COMPLETED : NVML_GPU_FABRIC_STATE_NOT_SUPPORTED,
    };
    for (int i = 0; i < LEVEL_COUNT; i++)
        g->levels[i].rest = rest[i];
}

/*
 * A counter jumps to its value at from, rises by its rate until to, and stays.
 * A state holds from from to to.
 */
double level_at(const struct gpu *g, enum level_id id, int64_t t)
{
    const struct level *l = &g->levels[id];
    if (!l->given || t < l->from)
        return l->rest;
    if (!level_rows[id].counter)
        return t < l->to ? l->value : l->rest;
    int64_t until = t < l->to ? t : l->to;
    return l->value + l->rate * (double)(until - l->from) * 1e-9;
}
