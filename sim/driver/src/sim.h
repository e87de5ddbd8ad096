/*
 * A driver library out of nothing: libnvidia-ml.so.1 for nodes that have no
 * GPU. A scenario file says what the GPUs do; every call computes its answer
 * from that file and the clock alone, so two processes that read the same file
 * see the same GPUs.
 *
 * curve.c    values over time, and their exact integrals
 * level.c    counters and states
 * profile.c  the models and their limits
 * scenario.c the file; words.c its words; node.c its loading while it runs
 * gpu.c      what one GPU did up to a moment
 * fault.c    errors, delays, hangs and crashes; call.c the way into a function
 * the rest   the exported functions, by theme; functions.def lists them
 */
#ifndef SIM_H
#define SIM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The library implements the old names beside the new ones. */
#define NVML_NO_UNVERSIONED_FUNC_DEFS
#pragma GCC visibility push(default)
#include <nvml.h>
#pragma GCC visibility pop

#define MAX_GPUS 72 /* an NVL72 rack seen as one node */
#define SECOND INT64_C(1000000000) /* all times are nanoseconds */
#define FOREVER INT64_MAX
#define NO_GPU MAX_GPUS /* the fault slot of calls without a device */

enum function {
#define FN(name, since) FN_##name,
#include "functions.def"
#undef FN
    FUNCTION_COUNT
};
#define FUNCTION_WORDS ((FUNCTION_COUNT + 63) / 64)
extern const char *const function_names[FUNCTION_COUNT];

/* The driver branch that this build claims to be; see branch.c. */
struct branch {
    unsigned number;
    const char *driver;
    int cuda; /* as NVML gives it: 13000 is 13.0 */
};
extern const struct branch branch;

/* --- curves: what changes over time ------------------------------------ */

enum curve_kind { CONSTANT, SQUARE, SINE, RAMP, WALK, STEPS, FOLLOW, SUM };

struct step {
    int64_t at;
    double value;
    double before; /* integral from the first step to this one */
};

/* One source of a SUM, which counts while it is there. */
struct part {
    const struct curve *source;
    double weight;
    int64_t from, to;
};

struct curve {
    enum curve_kind kind;
    bool given;        /* by the scenario, not by the profile */
    bool relative;     /* memory in percent of the GPU's total */
    double low, high;  /* FOLLOW: low + high * source */
    double scale;
    int64_t period, on, phase;
    const struct step *steps;
    int count; /* of steps, or of parts */
    const struct part *parts;
    const struct curve *source;
};

double curve_value(const struct curve *c, int64_t t);
/* The integral from 0 to t, in units times seconds. */
double curve_integral(const struct curve *c, int64_t t);
void steps_sum(struct step *steps, int count);
struct step *walk_knots(struct step *knots, uint64_t seed, double low, double high, int64_t period);
#define WALK_KNOTS 512 /* a walk repeats after so many periods */

enum curve_id {
    UTIL, MEMORY_UTIL, ENCODER, DECODER, JPEG, OFA,
    MEMORY, POWER, TEMPERATURE, MEMORY_TEMPERATURE, SM_CLOCK, MEMORY_CLOCK, VIDEO_CLOCK,
    PCIE_TX, PCIE_RX, NVLINK_TX, NVLINK_RX,
    SM_ACTIVE, SM_OCCUPANCY, TENSOR, TENSOR_DFMA, TENSOR_HMMA, TENSOR_DMMA, TENSOR_IMMA, DRAM, FP64, FP32, FP16, INTEGER,
    THROTTLE_POWER, THROTTLE_THERMAL, THROTTLE_SYNC_BOOST, THROTTLE_BOARD_LIMIT,
    THROTTLE_LOW_UTILIZATION, THROTTLE_RELIABILITY, THROTTLE_HW_THERMAL, THROTTLE_POWER_BRAKE,
    THROTTLE_APP_CLOCKS, THROTTLE_BASE_CLOCKS,
    CURVE_COUNT
};

/* --- levels: counters and states ---------------------------------------- */

struct level {
    bool given;
    double value, rest; /* rest: the value of a state outside from-to */
    double rate;        /* per second, counters only */
    int64_t from, to;
};

enum level_id {
    ECC_CORRECTED, ECC_UNCORRECTED, SRAM_CORRECTED, SRAM_UNCORRECTED,
    REMAPPED_CORRECTED, REMAPPED_UNCORRECTED, REMAP_PENDING, REMAP_FAILED,
    RETIRED_SINGLE, RETIRED_DOUBLE, RETIRED_PENDING,
    SRAM_UNIT, SRAM_PARITY, SRAM_THRESHOLD, CHANNEL_REPAIR, TPC_REPAIR, UNREPAIRABLE,
    PCIE_REPLAY, PCIE_ROLLOVER, PCIE_L0_RECOVERY, PCIE_CORRECTABLE, PCIE_NAKS_RECEIVED, PCIE_RECEIVER,
    PCIE_BAD_TLP, PCIE_NAKS_SENT, PCIE_BAD_DLLP, PCIE_NON_FATAL, PCIE_FATAL, PCIE_UNSUPPORTED, PCIE_LCRC, PCIE_LANE,
    NVLINK_CRC, NVLINK_CRC_DATA, NVLINK_ECC, NVLINK_REPLAY, NVLINK_RECOVERY, NVLINK_DOWN, NVLINK_FAULTY,
    NVLINK_MALFORMED, NVLINK_OVERRUN, NVLINK_RX_ERRORS, NVLINK_RX_REMOTE, NVLINK_RX_GENERAL, NVLINK_INTEGRITY,
    NVLINK_DISCARDS, NVLINK_RECOVERY_FAILED, NVLINK_EFFECTIVE_ERRORS, NVLINK_SYMBOL_ERRORS,
    NVLINK_EFFECTIVE_BER, NVLINK_SYMBOL_BER, NVLINK_FEC,
    C2C_ERRORS, C2C_REPLAYS, C2C_REPLAYS_B2B, C2C_DOWN, C2C_POWER,
    RECOVERY_ACTION, ECC_MODE, PERSISTENCE, COMPUTE_MODE, POWER_LIMIT, POWER_REQUESTED, EDPP, POWER_SMOOTHING,
    PCIE_GENERATION, PCIE_WIDTH, FABRIC_STATE, FABRIC_STATUS, FABRIC_HEALTH, FABRIC_SUMMARY, FABRIC_CLIQUE,
    ENERGY_OFFSET, ENERGY_STUCK, BAR1_USED, ODOMETER, VGPU,
    ENCODER_SESSIONS, ENCODER_FPS, ENCODER_LATENCY, ADDRESSING, MIG_MODE,
    LEVEL_COUNT
};

/* --- the scenario -------------------------------------------------------- */

struct profile {
    const char *word; /* in the scenario */
    const char *name, *part, *vbios;
    const char *image, *oem, *ecc, *pwr; /* InfoROM versions, NULL: no such object */
    unsigned architecture, brand, device_id, subsystem_id;
    int major, minor;
    unsigned cores, sms, bus_width;
    unsigned encoders, decoders, jpegs, ofas, fans; /* how many */
    uint64_t memory, reserved, bar1; /* bytes */
    double idle_watts, max_watts, min_limit, default_limit, max_limit;
    double idle_celsius, busy_celsius, memory_above; /* memory runs warmer by */
    unsigned shutdown, slowdown, memory_max, gpu_max; /* °C */
    double idle_sm, max_sm, idle_memory, max_memory, idle_video, max_video; /* MHz */
    unsigned pcie_generation, pcie_width;
    unsigned nvlinks, nvlink_version, nvlink_mbps;
    double pcie_rate, nvlink_rate; /* bytes/s at full load, either way */
    unsigned c2c_links, c2c_mbps;
    double module_watts; /* what the module has beside the GPU, at rest; 0: no module */
    unsigned banks;      /* for the histogram of spare rows */
    bool gpm, remaps_rows, retires_pages, memory_sensor, averages_power, mig, fabric, low_pstate;
    bool ecc_locations; /* before Turing: L1, L2, registers … instead of SRAM */
    unsigned mig_sms[5]; /* of instances with 1, 2, 3, 4 and 7 slices */
    unsigned mig_gb[4];  /* as the names of instances say, of 1, 2, 4 and 8 eighths */
    bool rack;          /* part of a NVLink rack: platform, cluster */
    bool confidential, smooths_power, no_serial;
};
const struct profile *profile_find(const char *word);
const char *profile_words(void);

struct process {
    unsigned pid;
    char name[96];
    uint64_t memory;
    unsigned mode; /* nvmlProcessMode_t */
    unsigned gi, ci; /* NO_INSTANCE on a GPU that is not divided */
    int64_t from, to;
};
#define NO_INSTANCE 0xFFFFFFFFu

#define MAX_RELOADS 64 /* of the driver, or resets of one GPU */

/* The moments at which counters begin again. */
struct reloads {
    int64_t at[MAX_RELOADS];
    int count;
};

struct gpu {
    const struct scenario *scenario;
    unsigned index;
    unsigned instance;         /* 0 for a whole GPU, else 1 + the id of the instance that this is */
    double part;               /* of the GPU's slices */
    uint64_t memory, reserved; /* bytes */
    const struct profile *profile;
    char uuid[NVML_DEVICE_UUID_BUFFER_SIZE];
    char serial[NVML_DEVICE_SERIAL_BUFFER_SIZE];
    nvmlPciInfo_t pci;
    struct curve curves[CURVE_COUNT];
    struct level levels[LEVEL_COUNT];
    double carried[CURVE_COUNT]; /* counters at the moment this version took over */
    double total[CURVE_COUNT];   /* the same without any reload: since scenario time 0 */
    int64_t lost_from, lost_to;
    nvmlReturn_t lost_code;
    struct process *processes;
    int process_count;
    struct reloads *resets; /* NULL: none */
    struct instance *instances;
    int instance_count;
};

struct gpuset {
    uint64_t bits[2];
};

struct xid {
    struct gpuset gpus;
    uint64_t code, type;
    unsigned gi; /* NO_INSTANCE: of no instance */
    int64_t at, every;
    uint64_t count;
};

struct fault {
    uint64_t functions[FUNCTION_WORDS];
    struct gpuset gpus;
    bool any_gpu; /* no gpu clause: calls without a device too */
    int code;     /* nvmlReturn_t, or PROCEED */
    unsigned field;
    int64_t delay, from, to;
    bool block, crash;
    uint32_t after, times;
    double probability;
    char *text; /* a rule keeps its count over a reload as long as its text stays */
    atomic_uint calls[MAX_GPUS + 1];
};

struct scenario {
    uint64_t seed;
    unsigned gpu_count;
    int64_t start;      /* boot clock of scenario time 0 */
    int64_t since;      /* scenario time at which this version took over */
    int64_t since_boot; /* the same moment by the boot clock */
    int64_t now, file;  /* scenario times of loading and of the file's change */
    char driver[80];
    int cuda;
    struct reloads reloads;
    struct xid *xids;
    int xid_count;
    struct fault *faults;
    int fault_count;
    uint64_t faulty[FUNCTION_WORDS];
    uint64_t leak; /* bytes per call */
    bool root;     /* what needs a privilege is answered */
    unsigned confidential, multi_gpu; /* NVML_CC_SYSTEM_… */
    bool devtools;
    const struct scenario *previous;
    struct scenario *older; /* list of versions waiting to be freed */
    int64_t retired;
    struct chunk *chunks;
    struct gpu gpus[MAX_GPUS];
};

/* scenario.c */
struct origin {
    const char *name; /* for messages */
    int64_t boot;     /* when it is being loaded */
    int64_t changed;  /* when the file changed, by the boot clock */
};
struct scenario *scenario_parse(char *text, const struct origin *origin);
void scenario_free(struct scenario *s);
void *scenario_alloc(struct scenario *s, size_t size);
uint64_t mix(uint64_t a, uint64_t b);

static inline bool gpuset_has(const struct gpuset *set, unsigned gpu)
{
    return set->bits[gpu >> 6] >> (gpu & 63) & 1;
}

/* level.c */
double level_at(const struct gpu *g, enum level_id id, int64_t t);

/* node.c */
int64_t boot_clock(void);
uint64_t wall_us(int64_t boot);
const struct scenario *node_current(int64_t boot);
bool node_load(void);
bool node_sleep(int64_t ns);

/* gpu.c: one GPU at, between and up to moments of scenario time */
double gpu_value(const struct gpu *g, enum curve_id id, int64_t t);
double gpu_average(const struct gpu *g, enum curve_id id, int64_t from, int64_t to);
double gpu_counter(const struct gpu *g, enum curve_id id, int64_t t); /* since the driver was loaded */
double gpu_total(const struct gpu *g, enum curve_id id, int64_t t);   /* since the node booted */
unsigned gpu_sample(const struct gpu *g, enum curve_id id, double scale, int64_t from, int64_t to);
int64_t gpu_loaded(const struct gpu *g, int64_t t);
uint64_t gpu_memory_used(const struct gpu *g, int64_t t);
uint64_t gpu_energy(const struct gpu *g, int64_t t); /* mJ */

/* --- calls ---------------------------------------------------------------- */

/* Of a GPU, or of a compute instance on it: a MIG device. */
struct nvmlDevice_st {
    unsigned index, gi, ci;
};
extern struct nvmlDevice_st handles[MAX_GPUS];
#define MAX_GI 16 /* ids of GPU instances are less */
#define MAX_CI 8
extern struct nvmlDevice_st mig_handles[MAX_GPUS][MAX_GI][MAX_CI];

/*
 * One call: which GPU, when. A version of the scenario is freed a minute after
 * it was replaced, so no call may use one for longer; fault_check sees to it.
 */
struct call {
    const struct scenario *scenario;
    const struct gpu *gpu;
    const struct instance *instance; /* NULL: the whole GPU */
    const struct compute *compute;
    int64_t boot, t;
};

#define PROCEED (-1)
void fault_carry(struct scenario *to, const struct scenario *from);
int fault_check(const struct scenario *s, enum function fn, unsigned slot, int64_t boot);
int fault_field(const struct scenario *s, unsigned field, unsigned slot, int64_t boot);

nvmlReturn_t call_enter(struct call *c, enum function fn);
nvmlReturn_t call_device(struct call *c, enum function fn, nvmlDevice_t device);
nvmlReturn_t call_any(struct call *c, enum function fn, nvmlDevice_t device);
nvmlReturn_t call_text(char *to, unsigned length, const char *text);
extern atomic_uint init_count;

/* The first line of every exported function; c is the call from here on. */
#define ENTER(fn)                                   \
    struct call c;                                  \
    nvmlReturn_t entered = call_enter(&c, FN_##fn); \
    if (entered != NVML_SUCCESS)                    \
    return entered
#define ENTER_DEVICE(fn, device)                             \
    struct call c;                                           \
    nvmlReturn_t entered = call_device(&c, FN_##fn, device); \
    if (entered != NVML_SUCCESS)                             \
    return entered
/* The same for functions that MIG devices have, too. */
#define ENTER_ANY(fn, device)                                \
    struct call c;                                           \
    nvmlReturn_t entered = call_any(&c, FN_##fn, device);    \
    if (entered != NVML_SUCCESS)                             \
    return entered
#define NEED(condition)                         \
    if (!(condition))                           \
    return NVML_ERROR_INVALID_ARGUMENT
#define SUPPORTED(condition)                 \
    if (!(condition))                        \
    return NVML_ERROR_NOT_SUPPORTED
#define VERSION(struct_version, expected)    \
    if ((struct_version) != (expected))      \
    return NVML_ERROR_ARGUMENT_VERSION_MISMATCH
#define PRIVILEGED(c)                        \
    if (!(c).scenario->root)                 \
    return NVML_ERROR_NO_PERMISSION

/* health.c */
uint64_t ecc_count(const struct call *c, enum level_id id, bool aggregate);

/* link.c: whether this link is up; and what it counted, all of it on the faulty link. */
bool link_up(const struct call *c, unsigned link);
double link_errors(const struct call *c, enum level_id id, unsigned link);

/* thermal.c: one row per reason for lower clocks, shared with the field values. */
struct throttle {
    enum curve_id curve;
    unsigned policy; /* nvmlPerfPolicyType_t */
    unsigned long long reason;
};
extern const struct throttle throttles[];
extern const int throttle_count;

#endif
