/* Counters and states that the scenario gives as numbers. */
#include "level.h"

#include "sim.h"

static const char *const recovery_words[] = {"none", "reset", "reboot", "drain", "drain-reset",
                                             "imex", "bus-reset", "system-reboot", NULL};
static const char *const fabric_words[] = {"unsupported", "not-started", "in-progress", "completed", NULL};
static const char *const switch_words[] = {"off", "on", NULL};
static const char *const unit_words[] = {"l2", "sm", "pcie", "mcu", "other", NULL};
static const char *const power_words[] = {"full", "low", NULL};
static const char *const summary_words[] = {"unsupported", "healthy", "unhealthy", "limited", NULL};
static const char *const vgpu_words[] = {"none", "unlicensed", "licensed", NULL};
static const char *const addressing_words[] = {"none", "hmm", "ats", NULL};
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
    [SRAM_UNIT] = {"sram-unit", false, unit_words},
    [SRAM_PARITY] = {"sram-parity", false, switch_words},
    [SRAM_THRESHOLD] = {"sram-threshold", false, switch_words},
    [CHANNEL_REPAIR] = {"channel-repair", false, switch_words},
    [TPC_REPAIR] = {"tpc-repair", false, switch_words},
    [UNREPAIRABLE] = {"unrepairable", false, switch_words},
    [PCIE_ROLLOVER] = {"pcie-rollover", true, NULL},
    [PCIE_L0_RECOVERY] = {"pcie-l0-recovery", true, NULL},
    [PCIE_CORRECTABLE] = {"pcie-correctable", true, NULL},
    [PCIE_NAKS_RECEIVED] = {"pcie-naks-received", true, NULL},
    [PCIE_RECEIVER] = {"pcie-receiver-errors", true, NULL},
    [PCIE_BAD_TLP] = {"pcie-bad-tlp", true, NULL},
    [PCIE_NAKS_SENT] = {"pcie-naks-sent", true, NULL},
    [PCIE_BAD_DLLP] = {"pcie-bad-dllp", true, NULL},
    [PCIE_NON_FATAL] = {"pcie-non-fatal", true, NULL},
    [PCIE_FATAL] = {"pcie-fatal", true, NULL},
    [PCIE_UNSUPPORTED] = {"pcie-unsupported", true, NULL},
    [PCIE_LCRC] = {"pcie-lcrc", true, NULL},
    [PCIE_LANE] = {"pcie-lane-errors", true, NULL},
    [NVLINK_CRC_DATA] = {"nvlink-crc-data", true, NULL},
    [NVLINK_ECC] = {"nvlink-ecc", true, NULL},
    [NVLINK_FAULTY] = {"nvlink-faulty", false, NULL},
    [NVLINK_MALFORMED] = {"nvlink-malformed", true, NULL},
    [NVLINK_OVERRUN] = {"nvlink-overrun", true, NULL},
    [NVLINK_RX_ERRORS] = {"nvlink-rx-errors", true, NULL},
    [NVLINK_RX_REMOTE] = {"nvlink-rx-remote", true, NULL},
    [NVLINK_RX_GENERAL] = {"nvlink-rx-general", true, NULL},
    [NVLINK_INTEGRITY] = {"nvlink-integrity", true, NULL},
    [NVLINK_DISCARDS] = {"nvlink-discards", true, NULL},
    [NVLINK_RECOVERY_FAILED] = {"nvlink-recovery-failed", true, NULL},
    [NVLINK_EFFECTIVE_ERRORS] = {"nvlink-effective-errors", true, NULL},
    [NVLINK_SYMBOL_ERRORS] = {"nvlink-symbol-errors", true, NULL},
    [NVLINK_EFFECTIVE_BER] = {"nvlink-effective-ber", false, NULL},
    [NVLINK_SYMBOL_BER] = {"nvlink-symbol-ber", false, NULL},
    [NVLINK_FEC] = {"nvlink-fec", true, NULL},
    [C2C_ERRORS] = {"c2c-errors", true, NULL},
    [C2C_REPLAYS] = {"c2c-replays", true, NULL},
    [C2C_REPLAYS_B2B] = {"c2c-replays-b2b", true, NULL},
    [C2C_DOWN] = {"c2c-down", false, NULL},
    [C2C_POWER] = {"c2c-power", false, power_words},
    [POWER_REQUESTED] = {"power-requested", false, NULL},
    [EDPP] = {"edpp", false, NULL},
    [POWER_SMOOTHING] = {"power-smoothing", false, switch_words},
    [FABRIC_STATUS] = {"fabric-status", false, NULL},
    [FABRIC_SUMMARY] = {"fabric-summary", false, summary_words},
    [FABRIC_CLIQUE] = {"fabric-clique", false, NULL},
    [BAR1_USED] = {"bar1", false, NULL},
    [ODOMETER] = {"odometer", true, NULL},
    [VGPU] = {"vgpu", false, vgpu_words},
    [ENCODER_SESSIONS] = {"encoder-sessions", false, NULL},
    [ENCODER_FPS] = {"encoder-fps", false, NULL},
    [ENCODER_LATENCY] = {"encoder-latency", false, NULL},
    [MIG_MODE] = {"mig", false, switch_words},
    [ADDRESSING] = {"addressing", false, addressing_words},
};

/* What a GPU of this model has where the scenario is silent. */
void level_defaults(struct gpu *g)
{
    const struct profile *p = g->profile;
    double rest[LEVEL_COUNT] = {
        [ECC_MODE] = 1,
        [PERSISTENCE] = 1,
        [POWER_LIMIT] = p->default_limit,
        [POWER_REQUESTED] = p->default_limit,
        [EDPP] = 100,
        [SRAM_UNIT] = 4, /* other */
        [NVLINK_EFFECTIVE_BER] = 1.5e-254, /* as an idle link shows it */
        [NVLINK_SYMBOL_BER] = 1.5e-254,
        [BAR1_USED] = 0x1p21,
        [ODOMETER] = 1e7,
        [ADDRESSING] = p->c2c_links ? NVML_DEVICE_ADDRESSING_MODE_ATS : NVML_DEVICE_ADDRESSING_MODE_NONE,
        [FABRIC_CLIQUE] = p->rack ? 32766 : 0,
        [FABRIC_HEALTH] = p->rack ? 0x1aa : 0, /* all well, and right configured */
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
