/* SPDX-License-Identifier: MIT */
/*
 * A hash table that needs no memory: which bucket an item is in, and which other items share it, by arithmetic.
 *
 * A permutation gives each item a place. Eight neighbouring places share eight neighbouring buckets, and each place
 * is in one of the eight at random. So a bucket holds one item on average, and its length is binomial (8, 1/8):
 * 34 % are empty, and the chance of three or more is 7 %. MODEL: with a hash over all buckets it would be Poisson,
 * 37 % and 8 %, so chains are a little shorter here than in a real table.
 */
#ifndef HV_WORKLOAD_HASH_TABLE_H
#define HV_WORKLOAD_HASH_TABLE_H

#include "workload/scatter.h"

#define HASH_GROUP 8u

struct hash_table {
    uint64_t items;
    uint64_t seed;
    struct scatter places; /* from items to places */
};

static inline void hash_table_init(struct hash_table *t, uint64_t items, uint64_t seed)
{
    t->items = items;
    t->seed = rng_mix(seed);
    scatter_init(&t->places, items, seed);
}

/* How many buckets there are. */
static inline uint64_t hash_table_buckets(uint64_t items)
{
    return (items + HASH_GROUP - 1) / HASH_GROUP * HASH_GROUP;
}

/* In byte i of the result, the bucket within the group of place i of the group. */
static inline uint64_t hash_group_buckets(const struct hash_table *t, uint64_t group)
{
    return rng_mix(group * UINT64_C(0x9e3779b97f4a7c15) + t->seed) & UINT64_C(0x0707070707070707);
}

static inline uint64_t hash_bucket_of_place(const struct hash_table *t, uint64_t place)
{
    uint64_t group = place / HASH_GROUP;
    return group * HASH_GROUP + (hash_group_buckets(t, group) >> place % HASH_GROUP * 8 & 7);
}

/* Which places of the group are in the same bucket as this one, itself included: bit 7 of a byte each. */
static inline uint64_t hash_same_bucket(const struct hash_table *t, uint64_t place)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t group = place / HASH_GROUP, buckets = hash_group_buckets(t, group);
    uint64_t different = buckets ^ ones * (buckets >> place % HASH_GROUP * 8 & 7);
    uint64_t same = ~(different + ones * 0x7f) & ones * 0x80; /* no byte exceeds 7, so nothing is carried */
    uint64_t left = t->items - group * HASH_GROUP; /* places of the last group that nobody has */
    return left < HASH_GROUP ? same & ((UINT64_C(1) << left * 8) - 1) : same;
}

#endif
