/* SPDX-License-Identifier: MIT */
/*
 * The one random number generator: seeded, portable, the same bytes on every machine.
 *
 * SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014) expands a seed;
 * it is good enough, and fast enough, to be the stream itself.
 */
#ifndef HV_BASE_RNG_H
#define HV_BASE_RNG_H

#include <stdint.h>

struct hv_rng {
    uint64_t state;
};

static inline void rng_init(struct hv_rng *rng, uint64_t seed)
{
    rng->state = seed;
}

static inline uint64_t rng_mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline uint64_t rng_next(struct hv_rng *rng)
{
    rng->state += UINT64_C(0x9e3779b97f4a7c15);
    return rng_mix(rng->state);
}

/* Uniform in [0, bound), bound > 0: the high half of a 128-bit product (Lemire); its bias is below bound/2^64. */
static inline uint64_t rng_below(struct hv_rng *rng, uint64_t bound)
{
    return (uint64_t)(((unsigned __int128)rng_next(rng) * bound) >> 64);
}

/* Uniform in [0, 1) with 53 random bits. */
static inline double rng_unit(struct hv_rng *rng)
{
    return (double)(rng_next(rng) >> 11) * 0x1.0p-53;
}

#endif
