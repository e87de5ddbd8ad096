/* Values over time, with integrals in closed form: energy, sample averages and
 * counters are exact, however seldom anybody looks. */
#include <math.h>

#include "sim.h"

static double seconds(int64_t ns)
{
    return (double)ns * 1e-9;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t floor_mod(int64_t a, int64_t b)
{
    return a - floor_div(a, b) * b;
}

/* The last step at or before t; the first one if there is none. */
static int find(const struct step *steps, int count, int64_t t)
{
    int low = 0, high = count - 1;
    while (low < high) {
        int middle = (low + high + 1) / 2;
        if (steps[middle].at <= t)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

static double sine_angle(const struct curve *c, int64_t t)
{
    return 2 * M_PI * (double)floor_mod(t - c->phase, c->period) / (double)c->period;
}

static double walk_value(const struct curve *c, int64_t t)
{
    t = floor_mod(t, c->period * WALK_KNOTS);
    const struct step *k = &c->steps[t / c->period];
    double part = (double)(t % c->period) / (double)c->period;
    return k[0].value + (k[1].value - k[0].value) * part;
}

static double steps_value(const struct curve *c, int64_t t)
{
    if (c->period)
        t = floor_mod(t, c->period);
    return c->steps[find(c->steps, c->count, t)].value;
}

static double ramp_value(const struct curve *c, int64_t t)
{
    if (t <= c->phase)
        return c->low;
    if (t >= c->phase + c->period)
        return c->high;
    return c->low + (c->high - c->low) * (double)(t - c->phase) / (double)c->period;
}

static double sum_value(const struct curve *c, int64_t t)
{
    double sum = 0;
    for (const struct part *p = c->parts; p < c->parts + c->count; p++)
        if (t >= p->from && t < p->to)
            sum += p->weight * curve_value(p->source, t);
    return sum;
}

double curve_value(const struct curve *c, int64_t t)
{
    switch (c->kind) {
    case CONSTANT:
        return c->scale * c->high;
    case SQUARE:
        return c->scale * (floor_mod(t - c->phase, c->period) < c->on ? c->high : c->low);
    case SINE:
        return c->scale * ((c->high + c->low) / 2 + (c->high - c->low) / 2 * sin(sine_angle(c, t)));
    case RAMP:
        return c->scale * ramp_value(c, t);
    case WALK:
        return c->scale * walk_value(c, t);
    case STEPS:
        return c->scale * steps_value(c, t);
    case FOLLOW:
        return c->scale * (c->low + c->high * curve_value(c->source, t));
    case SUM:
        return c->scale * sum_value(c, t);
    }
    return 0;
}

/* From the beginning of a period at time 0 to t, which may be negative. */
static double square_sum(const struct curve *c, int64_t t)
{
    int64_t periods = floor_div(t, c->period), rest = floor_mod(t, c->period);
    double whole = seconds(c->on) * c->high + seconds(c->period - c->on) * c->low;
    int64_t high = rest < c->on ? rest : c->on;
    return (double)periods * whole + seconds(high) * c->high + seconds(rest - high) * c->low;
}

static double sine_sum(const struct curve *c, int64_t t)
{
    double swing = (c->high - c->low) / 2 * seconds(c->period) / (2 * M_PI);
    return (c->high + c->low) / 2 * seconds(t) - swing * (cos(sine_angle(c, t)) - cos(sine_angle(c, 0)));
}

/* From the beginning of the ramp to t. */
static double ramp_sum(const struct curve *c, int64_t t)
{
    t -= c->phase;
    if (t <= 0)
        return c->low * seconds(t);
    int64_t rise = t < c->period ? t : c->period;
    return (c->low + ramp_value(c, c->phase + rise)) / 2 * seconds(rise) + c->high * seconds(t - rise);
}

static double walk_sum(const struct curve *c, int64_t t)
{
    int64_t cycle = c->period * WALK_KNOTS;
    int64_t cycles = floor_div(t, cycle), rest = floor_mod(t, cycle);
    const struct step *k = &c->steps[rest / c->period];
    double sum = (double)cycles * c->steps[WALK_KNOTS].before + k->before;
    return sum + (k->value + walk_value(c, rest)) / 2 * seconds(rest % c->period);
}

static double steps_part(const struct curve *c, int64_t t)
{
    const struct step *s = &c->steps[find(c->steps, c->count, t)];
    return s->before + s->value * seconds(t - s->at);
}

/* The first step's value also holds before it. */
static double steps_sum_to(const struct curve *c, int64_t t)
{
    double from = steps_part(c, 0);
    if (!c->period)
        return steps_part(c, t) - from;
    int64_t periods = floor_div(t, c->period);
    return (double)periods * (steps_part(c, c->period) - from) + steps_part(c, floor_mod(t, c->period)) - from;
}

static int64_t clamp(int64_t t, int64_t from, int64_t to)
{
    return t < from ? from : t > to ? to : t;
}

static double sum_sum(const struct curve *c, int64_t t)
{
    double sum = 0;
    for (const struct part *p = c->parts; p < c->parts + c->count; p++)
        sum += p->weight * (curve_integral(p->source, clamp(t, p->from, p->to)) - curve_integral(p->source, clamp(0, p->from, p->to)));
    return sum;
}

double curve_integral(const struct curve *c, int64_t t)
{
    switch (c->kind) {
    case CONSTANT:
        return c->scale * c->high * seconds(t);
    case SQUARE:
        return c->scale * (square_sum(c, t - c->phase) - square_sum(c, -c->phase));
    case SINE:
        return c->scale * sine_sum(c, t);
    case RAMP:
        return c->scale * (ramp_sum(c, t) - ramp_sum(c, 0));
    case WALK:
        return c->scale * walk_sum(c, t);
    case STEPS:
        return c->scale * steps_sum_to(c, t);
    case FOLLOW:
        return c->scale * (c->low * seconds(t) + c->high * curve_integral(c->source, t));
    case SUM:
        return c->scale * sum_sum(c, t);
    }
    return 0;
}

/* Fills in the integrals of steps that hold their value until the next. */
void steps_sum(struct step *steps, int count)
{
    steps[0].before = 0;
    for (int i = 1; i < count; i++)
        steps[i].before = steps[i - 1].before + steps[i - 1].value * seconds(steps[i].at - steps[i - 1].at);
}

/* Value noise: straight lines between random knots; the last knot is the first,
 * so that the walk repeats without a jump. Needs room for WALK_KNOTS + 1. */
struct step *walk_knots(struct step *knots, uint64_t seed, double low, double high, int64_t period)
{
    for (int i = 0; i <= WALK_KNOTS; i++) {
        double part = (double)(mix(seed, (uint64_t)(i % WALK_KNOTS)) >> 11) * 0x1p-53;
        knots[i].at = i * period;
        knots[i].value = low + (high - low) * part;
        knots[i].before = i ? knots[i - 1].before + (knots[i - 1].value + knots[i].value) / 2 * seconds(period) : 0;
    }
    return knots;
}
