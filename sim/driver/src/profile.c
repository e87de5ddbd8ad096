/* The models: one row each, with the limits that its real driver reports. */
#include <string.h>
#include <strings.h>

#include "sim.h"

#define MIB (UINT64_C(1) << 20)

static const struct profile profiles[] = {
    {
        .word = "h100",
        .name = "NVIDIA H100 80GB HBM3",
        .part = "692-2G520-0200-000",
        .vbios = "96.00.74.00.01",
        .image = "G520.0200.00.05",
        .oem = "2.1",
        .ecc = "7.16",
        .architecture = NVML_DEVICE_ARCH_HOPPER,
        .brand = NVML_BRAND_NVIDIA,
        .device_id = 0x233010DE,
        .subsystem_id = 0x16C110DE,
        .major = 9,
        .minor = 0,
        .cores = 16896,
        .sms = 132,
        .decoders = 7,
        .jpegs = 7,
        .ofas = 1,
        .banks = 2560,
        .mig_sms = {16, 32, 60, 64, 132},
        .mig_gb = {10, 20, 40, 80},
        .bus_width = 5120,
        .memory = 81559 * MIB,
        .reserved = 551 * MIB,
        .bar1 = 131072 * MIB,
        .idle_watts = 70,
        .max_watts = 700,
        .min_limit = 200,
        .default_limit = 700,
        .max_limit = 700,
        .idle_celsius = 28,
        .busy_celsius = 64,
        .memory_above = 8,
        .shutdown = 92,
        .slowdown = 89,
        .memory_max = 95,
        .gpu_max = 87,
        .idle_sm = 345,
        .max_sm = 1980,
        .idle_memory = 2619, /* HBM keeps its clock */
        .max_memory = 2619,
        .idle_video = 765,
        .max_video = 1545,
        .pcie_generation = 5,
        .pcie_width = 16,
        .nvlinks = 18,
        .nvlink_version = 4,
        .nvlink_mbps = 26562,
        .pcie_rate = 4e9,
        .nvlink_rate = 150e9,
        .gpm = true,
        .remaps_rows = true,
        .memory_sensor = true,
        .averages_power = true, /* over 1 s, nvml.h nvmlDeviceGetPowerUsage */
        .mig = true,
        .fabric = true,
        .confidential = true,
    },
    {
        .word = "t4",
        .name = "Tesla T4",
        .part = "900-2G183-0000-001",
        .vbios = "90.04.96.00.01",
        .image = "G183.0200.00.02",
        .oem = "1.1",
        .ecc = "5.0",
        .architecture = NVML_DEVICE_ARCH_TURING,
        .brand = NVML_BRAND_TESLA,
        .device_id = 0x1EB810DE,
        .subsystem_id = 0x12A210DE,
        .major = 7,
        .minor = 5,
        .cores = 2560,
        .sms = 40,
        .encoders = 1,
        .decoders = 2,
        .bus_width = 256,
        .memory = 15360 * MIB,
        .reserved = 268 * MIB,
        .bar1 = 256 * MIB,
        .idle_watts = 9,
        .max_watts = 70,
        .min_limit = 60,
        .default_limit = 70,
        .max_limit = 70,
        .idle_celsius = 32,
        .busy_celsius = 71,
        .shutdown = 96,
        .slowdown = 93,
        .gpu_max = 85,
        .idle_sm = 300,
        .max_sm = 1590,
        .idle_memory = 405,
        .max_memory = 5001,
        .idle_video = 540,
        .max_video = 1470,
        .pcie_generation = 3,
        .pcie_width = 16,
        .pcie_rate = 2e9,
        .retires_pages = true,
        .low_pstate = true,
    },
};

#define PROFILE_COUNT (sizeof profiles / sizeof *profiles)

const struct profile *profile_find(const char *word)
{
    for (size_t i = 0; i < PROFILE_COUNT; i++)
        if (!strcasecmp(profiles[i].word, word))
            return &profiles[i];
    return NULL;
}

/* For the message that names the choices. */
const char *profile_words(void)
{
    static char words[16 * PROFILE_COUNT];
    words[0] = 0;
    for (size_t i = 0; i < PROFILE_COUNT; i++) {
        strcat(words, i ? ", " : "");
        strcat(words, profiles[i].word);
    }
    return words;
}
