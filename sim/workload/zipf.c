/* SPDX-License-Identifier: MIT */
#include "workload/zipf.h"

#include <stddef.h>

#include "base/err.h"
#include "workload/alias.h"
#include "workload/detmath.h"

#define TWO_TO_32 0x1p32

_Static_assert(ZIPF_COLUMNS_MAX <= ALIAS_COLUMNS_MAX, "a zipf table has more columns than an alias table may");

/* Block i: itself below ZIPF_BLOCKS, then ZIPF_BLOCKS blocks for each power of two. Block 0 would be rank 0. */
static void set_block(struct zipf_column *column, uint64_t i)
{
    unsigned octave = i < ZIPF_BLOCKS ? 0 : (unsigned)(i / ZIPF_BLOCKS) - 1;
    column->first = i < ZIPF_BLOCKS ? i : (ZIPF_BLOCKS + i % ZIPF_BLOCKS) << octave;
    column->width_log2 = (uint8_t)octave;
}

/* Fills the blocks that hold ranks 1..ranks and their weights; returns the sum of the weights. */
static double fill_blocks(struct zipf *z, double *weight)
{
    double sum = 0;
    z->columns = 0;
    for (uint64_t i = 1;; i++) {
        struct zipf_column block = { 0 };
        set_block(&block, i);
        if (block.first > z->ranks) {
            return sum;
        }
        HV_ASSERT(z->columns < ZIPF_COLUMNS_MAX, "a zipf distribution over %llu ranks",
                  (unsigned long long)z->ranks);
        double width = (double)(UINT64_C(1) << block.width_log2);
        weight[z->columns] = width * detmath_pow((double)block.first, -z->theta);
        sum += weight[z->columns];
        z->column[z->columns++] = block;
    }
}

/* Spreads the weights over the columns. */
static void fill_aliases(struct zipf *z, double *weight, double sum)
{
    uint16_t alias[ZIPF_COLUMNS_MAX];
    alias_build(weight, alias, z->columns, sum);
    for (size_t i = 0; i < z->columns; i++) {
        z->column[i].keep = weight[i] < 1 ? (uint32_t)(weight[i] * TWO_TO_32) : UINT32_MAX;
        z->column[i].alias = alias[i];
    }
}

void zipf_init(struct zipf *z, uint64_t ranks, double theta)
{
    double weight[ZIPF_COLUMNS_MAX];
    z->ranks = ranks;
    z->theta = theta;
    /* The first rank after a block stands for its last: slightly pessimistic, so that it holds for every block. */
    z->sure = (uint64_t)(detmath_pow((double)ZIPF_BLOCKS / (ZIPF_BLOCKS + 1), theta) * TWO_TO_32);
    double sum = fill_blocks(z, weight);
    fill_aliases(z, weight, sum);
}

bool zipf_keeps(const struct zipf *z, uint64_t first, uint64_t rank, uint32_t draw)
{
    return rank <= z->ranks && draw < detmath_pow((double)first / (double)rank, z->theta) * TWO_TO_32;
}
