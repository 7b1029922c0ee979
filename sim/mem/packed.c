/* SPDX-License-Identifier: MIT */
#include "mem/packed.h"

#include <stdlib.h>
#include <string.h>

#include "base/bigmem.h"

bool packed_init(struct packed *p, uint64_t sets, uint64_t ways)
{
    memset(p, 0, sizeof(*p));
    p->set_mask = sets - 1;
    p->set_bits = (uint32_t)__builtin_ctzll(sets);
    p->lines = UINT64_C(1) << (PACKED_TAG_BITS + p->set_bits);
    p->ways = (uint32_t)ways;
    p->way_mask = (UINT32_C(1) << ways) - 1;
    p->last_way = UINT32_C(1) << (ways - 1);
    while (UINT64_C(1) << p->stride_log2 < ways) {
        p->stride_log2++;
    }
    p->words = bigmem_take(sets << p->stride_log2, sizeof(*p->words));
    return p->words != NULL;
}

void packed_fini(struct packed *p)
{
    free(p->words);
    memset(p, 0, sizeof(*p));
}

void packed_reset(struct packed *p)
{
    memset(p->words, 0, ((p->set_mask + 1) << p->stride_log2) * sizeof(*p->words));
}
