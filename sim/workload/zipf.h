/* SPDX-License-Identifier: MIT */
/*
 * Ranks 1..n with probability proportional to r^-theta, exactly and in constant time for any theta >= 0.
 *
 * The ranks are cut into blocks whose width grows with the rank: single ranks up to 2 * ZIPF_BLOCKS, then
 * ZIPF_BLOCKS equal blocks per power of two. A draw picks a block through an alias table as if all ranks of a block
 * were as likely as its first, picks a rank uniformly in the block, and keeps it with probability
 * (first / rank)^theta; else it draws again. That probability is never below (1 - 1/(ZIPF_BLOCKS + 1))^theta, so
 * nearly every draw passes by one comparison and the power is hardly ever computed. A table for 2^24 pages is under
 * 20 KiB and stays in the host's first-level cache.
 */
#ifndef HV_WORKLOAD_ZIPF_H
#define HV_WORKLOAD_ZIPF_H

#include <stdbool.h>

#include "base/rng.h"

#define ZIPF_BLOCKS 64u            /* per power of two */
#define ZIPF_RANK_BITS_MAX 34u     /* ranks up to 2^34 */
#define ZIPF_COLUMNS_MAX ((ZIPF_RANK_BITS_MAX - 6 + 2) * ZIPF_BLOCKS)

/* One block of ranks and one column of the alias table. */
struct zipf_column {
    uint64_t first;  /* lowest rank of the block */
    uint32_t keep;   /* the column stands for itself with probability keep / 2^32 ... */
    uint16_t alias;  /* ... and for this one else */
    uint8_t width_log2;
    uint8_t unused;
};

struct zipf {
    uint64_t ranks;
    double theta;
    uint64_t sure; /* a draw below sure / 2^32 keeps any rank of any block */
    uint64_t columns;
    struct zipf_column column[ZIPF_COLUMNS_MAX];
};

/* ranks is 1..2^ZIPF_RANK_BITS_MAX. */
void zipf_init(struct zipf *z, uint64_t ranks, double theta);

/* Whether a rank of the block that begins at first is kept by a draw that was not below `sure`. */
bool zipf_keeps(const struct zipf *z, uint64_t first, uint64_t rank, uint32_t draw);

/* What one draw yields: the rank, and random bits that had no part in choosing it. */
struct zipf_draw {
    uint64_t rank;
    uint32_t low_bits;   /* 32 random bits ... */
    uint32_t fresh_bits; /* ... and 32 more */
};

static inline struct zipf_draw zipf_draw(const struct zipf *z, struct hv_rng *rng)
{
    for (;;) {
        unsigned __int128 product = (unsigned __int128)rng_next(rng) * z->columns;
        uint64_t i = (uint64_t)(product >> 64);
        /*
         * The low half of the product is what choosing the column left over: again a uniform fraction. Which way
         * it falls cannot be predicted, so the choice is a mask and not a branch.
         */
        uint64_t other = -(uint64_t)((uint32_t)((uint64_t)product >> 32) >= z->column[i].keep);
        i ^= (i ^ z->column[i].alias) & other;
        const struct zipf_column *column = &z->column[i];
        uint64_t where = rng_next(rng);
        uint64_t rank = column->first + ((where >> 1) >> (63 - column->width_log2));
        uint64_t rest = rng_next(rng);
        uint32_t draw = (uint32_t)(rest >> 32);
        bool kept = ((draw < z->sure) | (rank == column->first)) & (rank <= z->ranks);
        if (__builtin_expect(kept, 1) || zipf_keeps(z, column->first, rank, draw)) {
            return (struct zipf_draw){ rank, (uint32_t)where, (uint32_t)rest };
        }
    }
}

#endif
