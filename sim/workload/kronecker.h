/* SPDX-License-Identifier: MIT */
/*
 * The random graphs of the Graph500 benchmark (graph500.org, specification, "Generating the Edge List"):
 * 2^scale vertices and 16 edges for each. Which two vertices an edge joins is drawn bit by bit: with probability
 * A = 0.57, B = 0.19, C = 0.19 and the rest the next bits of its ends are 00, 01, 10 and 11. That gives few vertices
 * of enormous degree and very many of none. The numbers are then permuted, so that they say nothing of the degree.
 *
 * Edges are neither stored nor sorted: the same seed draws them again. Six bits of both ends are drawn at a time, by
 * an alias table of the 4^6 outcomes.
 */
#ifndef HV_WORKLOAD_KRONECKER_H
#define HV_WORKLOAD_KRONECKER_H

#include <stdbool.h>

#include "workload/scatter.h"

#define KRONECKER_EDGES_PER_VERTEX 16u
#define KRONECKER_SCALE_MAX 26u /* the entries of all rows have numbers of 32 bits */

enum { KRONECKER_STEP = 6, KRONECKER_COLUMNS = 1 << 2 * KRONECKER_STEP, KRONECKER_KEEP_BITS = 20 };

struct kronecker {
    unsigned scale;
    struct hv_rng rng;
    struct scatter numbers;
    uint32_t column[KRONECKER_COLUMNS]; /* alias << KRONECKER_KEEP_BITS | probability to keep, in 2^-20 */
};

struct kronecker_edge {
    uint32_t from, to;
};

/* Makes the first edge of the graph the next; restart does it again. */
void kronecker_init(struct kronecker *k, unsigned scale, uint64_t seed);
void kronecker_restart(struct kronecker *k, uint64_t seed);

/* Six more bits of both ends, by 32 random bits. */
static inline uint32_t kronecker_step(const struct kronecker *k, uint32_t random)
{
    uint32_t drawn = random >> KRONECKER_KEEP_BITS, column = k->column[drawn];
    uint32_t keep = column & ((1u << KRONECKER_KEEP_BITS) - 1);
    return (random & ((1u << KRONECKER_KEEP_BITS) - 1)) < keep ? drawn : column >> KRONECKER_KEEP_BITS;
}

/* The next edge. Bits drawn beyond the scale are dropped, which the others do not feel: levels are independent. */
static inline struct kronecker_edge kronecker_next(struct kronecker *k)
{
    uint64_t from = 0, to = 0;
    for (unsigned bits = 0; bits < k->scale; bits += 2 * KRONECKER_STEP) {
        uint64_t random = rng_next(&k->rng);
        uint32_t high = kronecker_step(k, (uint32_t)(random >> 32)), low = kronecker_step(k, (uint32_t)random);
        from = from << 2 * KRONECKER_STEP | (high >> KRONECKER_STEP) << KRONECKER_STEP | low >> KRONECKER_STEP;
        to = to << 2 * KRONECKER_STEP | (high % (1u << KRONECKER_STEP)) << KRONECKER_STEP |
             low % (1u << KRONECKER_STEP);
    }
    return (struct kronecker_edge){
        (uint32_t)scatter_step(&k->numbers, from), (uint32_t)scatter_step(&k->numbers, to),
    };
}

/* A graph as rows of neighbours: those of v are neighbour[first[v]] to neighbour[first[v + 1] - 1]. */
struct csr {
    uint32_t vertices, entries;
    uint32_t *first, *neighbour;
};

/* What csr_init takes of the host's memory. */
uint64_t csr_host_bytes(unsigned scale);

/*
 * Draws the graph. Each edge is an entry of both its ends; edges that are drawn twice and edges from a vertex to
 * itself are kept, as the specification allows, so the number of entries is known beforehand. False: no memory.
 */
bool csr_init(struct csr *g, unsigned scale, uint64_t seed);
void csr_fini(struct csr *g);

#endif
