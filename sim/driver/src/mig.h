#ifndef MIG_H
#define MIG_H

#include "sim.h"

/* One kind of GPU instance. */
struct mig_row {
    unsigned profile; /* NVML_GPU_INSTANCE_PROFILE_… */
    unsigned id;      /* of the profile on the device, as nvidia-smi shows it */
    unsigned slices, eighths; /* of the SMs: of 7; of the memory */
    unsigned most;    /* instances of this kind */
    bool media;       /* with the engines that the others of this size have not */
};
extern const struct mig_row mig_rows[];
extern const int mig_row_count;

struct compute {
    unsigned id, slices, start;
    char uuid[NVML_DEVICE_UUID_BUFFER_SIZE];
};

struct instance {
    struct gpu gpu; /* its own curves and counters */
    const struct mig_row *row;
    unsigned id, start; /* start: its first eighth of the memory */
    int64_t from, to;
    struct compute computes[MAX_CI];
    int compute_count;
};

/* migprofile.c */
const struct mig_row *mig_row_find(const struct profile *p, const char *name);
void mig_row_name(const struct profile *p, const struct mig_row *row, char *to, size_t size);
unsigned mig_row_sms(const struct profile *p, const struct mig_row *row);
uint64_t mig_row_memory(const struct profile *p, const struct mig_row *row); /* bytes */
unsigned mig_row_decoders(const struct profile *p, const struct mig_row *row);
unsigned mig_row_jpegs(const struct profile *p, const struct mig_row *row);
unsigned mig_row_ofas(const struct profile *p, const struct mig_row *row);

/* mig.c */
bool mig_on(const struct gpu *g, int64_t t);
bool mig_alive(const struct gpu *g, const struct instance *i, int64_t t);
const struct instance *mig_instance(const struct gpu *g, unsigned id, int64_t t);
const struct compute *mig_compute(const struct instance *i, unsigned id);
unsigned mig_index(const struct call *c); /* of the compute instance of the call */

/* migscenario.c: what follows from the lines about instances. */
void mig_finish(struct gpu *g);
void mig_events(struct scenario *s);
void mig_carry(struct scenario *s, const struct scenario *old);

#endif
