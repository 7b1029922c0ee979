/* SPDX-License-Identifier: MIT */
/*
 * A seeded pseudo-random permutation of 0..count-1 that needs no table.
 *
 * A round of "multiply by an odd number, add, fold the high half onto the low one" is a bijection of the numbers
 * below a power of two; two rounds scatter neighbours well. The power of two is the next at or above count:
 * what falls outside is stepped over, which keeps the map a bijection and costs less than one extra step on average.
 */
#ifndef HV_WORKLOAD_SCATTER_H
#define HV_WORKLOAD_SCATTER_H

#include "base/rng.h"

struct scatter {
    uint64_t count;
    uint64_t mask; /* of the power of two */
    uint64_t multiplier[2], addend;
    uint64_t inverse[2]; /* of the multipliers, modulo 2^64 */
    unsigned fold;       /* at least half of the bits, so that folding twice undoes it */
};

/* odd * result == 1 modulo 2^64, by Newton: an odd number is its own inverse modulo 8, and a step doubles the bits. */
static inline uint64_t scatter_inverse(uint64_t odd)
{
    uint64_t inverse = odd;
    for (unsigned bits = 3; bits < 64; bits *= 2) {
        inverse *= 2 - odd * inverse;
    }
    return inverse;
}

static inline void scatter_init(struct scatter *s, uint64_t count, uint64_t seed)
{
    struct hv_rng rng;
    rng_init(&rng, seed);
    unsigned bits = count > 1 ? 64u - (unsigned)__builtin_clzll(count - 1) : 0;
    s->count = count;
    s->mask = (UINT64_C(1) << bits) - 1;
    s->multiplier[0] = rng_next(&rng) | 1;
    s->multiplier[1] = rng_next(&rng) | 1;
    s->addend = rng_next(&rng);
    s->inverse[0] = scatter_inverse(s->multiplier[0]);
    s->inverse[1] = scatter_inverse(s->multiplier[1]);
    s->fold = bits > 1 ? (bits + 1) / 2 : 1;
}

/* The bijection of 0..mask; x may be any number and counts modulo the power of two. */
static inline uint64_t scatter_step(const struct scatter *s, uint64_t x)
{
    x = (x * s->multiplier[0] + s->addend) & s->mask;
    x ^= x >> s->fold;
    x = (x * s->multiplier[1]) & s->mask;
    return x ^ (x >> s->fold);
}

/* The bijection of 0..count-1: from inside, walking the cycle of steps always comes back inside. */
static inline uint64_t scatter_map(const struct scatter *s, uint64_t x)
{
    do {
        x = scatter_step(s, x);
    } while (x >= s->count);
    return x;
}

static inline uint64_t scatter_step_back(const struct scatter *s, uint64_t x)
{
    x ^= x >> s->fold;
    x = (x * s->inverse[1]) & s->mask;
    x ^= x >> s->fold;
    return ((x - s->addend) * s->inverse[0]) & s->mask;
}

/* The inverse: scatter_unmap(s, scatter_map(s, x)) == x. */
static inline uint64_t scatter_unmap(const struct scatter *s, uint64_t x)
{
    do {
        x = scatter_step_back(s, x);
    } while (x >= s->count);
    return x;
}

#endif
