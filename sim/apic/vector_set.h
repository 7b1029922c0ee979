/* SPDX-License-Identifier: MIT */
/*
 * A set of interrupt vectors: 256 bits, as IRR, ISR, TMR and the posted-interrupt requests are.
 */
#ifndef HV_APIC_VECTOR_SET_H
#define HV_APIC_VECTOR_SET_H

#include "base/types.h"

enum { VECTOR_SET_WORDS = 4, VECTORS = 256, VECTOR_LEGAL_MIN = 16 };

struct vector_set {
    uint64_t bits[VECTOR_SET_WORDS];
};

static inline bool vector_set_has(const struct vector_set *s, uint8_t vector)
{
    return (s->bits[vector >> 6] >> (vector & 63) & 1) != 0;
}

static inline void vector_set_add(struct vector_set *s, uint8_t vector)
{
    s->bits[vector >> 6] |= UINT64_C(1) << (vector & 63);
}

static inline void vector_set_remove(struct vector_set *s, uint8_t vector)
{
    s->bits[vector >> 6] &= ~(UINT64_C(1) << (vector & 63));
}

/* The highest vector of the set, or -1 when it is empty. */
static inline int vector_set_highest(const struct vector_set *s)
{
    for (int word = VECTOR_SET_WORDS - 1; word >= 0; word--) {
        if (s->bits[word] != 0) {
            return word * 64 + 63 - __builtin_clzll(s->bits[word]);
        }
    }
    return -1;
}

static inline unsigned vector_set_count(const struct vector_set *s)
{
    unsigned count = 0;
    for (unsigned word = 0; word < VECTOR_SET_WORDS; word++) {
        count += (unsigned)__builtin_popcountll(s->bits[word]);
    }
    return count;
}

/* The eighth of the set that register `index` of eight shows: vectors 32 * index and above. */
static inline uint32_t vector_set_eighth(const struct vector_set *s, unsigned index)
{
    return (uint32_t)(s->bits[index >> 1] >> ((index & 1) * 32));
}

#endif
