/* nvmlDeviceGetFieldValues: finds the row of each field id; the rows are in the
 * field files by subject. */
#include "field.h"

static const struct field *rows[NVML_FI_MAX];

static void add(const struct field *table)
{
    for (const struct field *f = table; f->first; f++)
        for (unsigned id = f->first; id <= (f->last ? f->last : f->first); id++)
            rows[id] = f;
}

__attribute__((constructor)) static void index_rows(void)
{
    add(health_fields);
    add(power_fields);
    add(pcie_fields);
    add(link_fields);
    add(nvlink5_fields);
}

nvmlReturn_t field_level(const struct call *c, const struct ask *a, double *value)
{
    *value = level_at(c->gpu, (enum level_id)a->arg, c->t);
    return NVML_SUCCESS;
}

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
    NEED(v->fieldId && v->fieldId < NVML_FI_MAX);
    const struct field *f = rows[v->fieldId];
    SUPPORTED(f && f->since <= branch.number);
    int code = fault_field(c->scenario, v->fieldId, c->gpu->index, c->boot);
    if (code != PROCEED)
        return (nvmlReturn_t)code;
    double value = 0;
    struct ask a = {f->arg, v->fieldId - f->first, v->scopeId};
    nvmlReturn_t rc = f->read(c, &a, &value);
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
