/* SPDX-License-Identifier: MIT */
#include "workload/kronecker.h"

#include <stdlib.h>

#include "base/bigmem.h"
#include "base/err.h"
#include "workload/alias.h"

enum { BATCH = 256 }; /* edges between a prefetch of what they touch and the touch */

_Static_assert(KRONECKER_COLUMNS <= ALIAS_COLUMNS_MAX, "an alias table has room for all outcomes");
_Static_assert(2 * KRONECKER_STEP + KRONECKER_KEEP_BITS == 32, "a column and its probability share 32 bits");

/* The probability of an outcome: its bits are STEP bits of one end, then of the other. */
static double outcome_weight(uint32_t outcome)
{
    static const double quadrant[2][2] = { { 0.57, 0.19 }, { 0.19, 0.05 } };
    double weight = 1;
    for (unsigned bit = 0; bit < KRONECKER_STEP; bit++) {
        weight *= quadrant[outcome >> (bit + KRONECKER_STEP) & 1][outcome >> bit & 1];
    }
    return weight;
}

void kronecker_restart(struct kronecker *k, uint64_t seed)
{
    rng_init(&k->rng, rng_mix(seed));
}

void kronecker_init(struct kronecker *k, unsigned scale, uint64_t seed)
{
    double weight[KRONECKER_COLUMNS];
    uint16_t alias[KRONECKER_COLUMNS];
    for (uint32_t i = 0; i < KRONECKER_COLUMNS; i++) {
        weight[i] = outcome_weight(i);
    }
    alias_build(weight, alias, KRONECKER_COLUMNS, 1);
    for (uint32_t i = 0; i < KRONECKER_COLUMNS; i++) {
        /* A column that always stands for itself is its own alias. */
        uint32_t keep = weight[i] < 1 ? (uint32_t)(weight[i] * (1u << KRONECKER_KEEP_BITS)) : 0;
        k->column[i] = (uint32_t)alias[i] << KRONECKER_KEEP_BITS | keep;
    }
    k->scale = scale;
    scatter_init(&k->numbers, UINT64_C(1) << scale, ~seed);
    kronecker_restart(k, seed);
}

/* --- rows of neighbours ------------------------------------------------------------------------------------------ */

static uint64_t csr_vertices(unsigned scale)
{
    return UINT64_C(1) << scale;
}

static uint64_t csr_entries(unsigned scale)
{
    return csr_vertices(scale) * 2 * KRONECKER_EDGES_PER_VERTEX;
}

uint64_t csr_host_bytes(unsigned scale)
{
    return (csr_vertices(scale) + 1 + csr_entries(scale)) * sizeof(uint32_t);
}

/* The ends of up to BATCH of the edges that are left, two numbers an edge. Returns how many edges. */
static size_t next_ends(struct kronecker *k, uint64_t left, uint32_t *ends)
{
    size_t edges = left < BATCH ? (size_t)left : BATCH;
    for (size_t i = 0; i < edges; i++) {
        struct kronecker_edge edge = kronecker_next(k);
        ends[2 * i] = edge.from;
        ends[2 * i + 1] = edge.to;
    }
    return edges;
}

/* first[v] becomes how many neighbours v has. */
static void count_neighbours(struct csr *g, struct kronecker *k)
{
    uint32_t ends[2 * BATCH];
    for (uint64_t left = g->entries / 2; left > 0;) {
        size_t edges = next_ends(k, left, ends);
        for (size_t i = 0; i < 2 * edges; i++) {
            __builtin_prefetch(&g->first[ends[i]], 1);
        }
        for (size_t i = 0; i < 2 * edges; i++) {
            g->first[ends[i]]++;
        }
        left -= edges;
    }
}

/* first[v] is where the row of v ends; each neighbour goes before what the row has, until first[v] is its start. */
static void fill_rows(struct csr *g, struct kronecker *k)
{
    uint32_t ends[2 * BATCH], place[2 * BATCH];
    for (uint64_t left = g->entries / 2; left > 0;) {
        size_t edges = next_ends(k, left, ends);
        for (size_t i = 0; i < 2 * edges; i++) {
            __builtin_prefetch(&g->first[ends[i]], 1);
        }
        for (size_t i = 0; i < 2 * edges; i++) {
            place[i] = --g->first[ends[i]];
            __builtin_prefetch(&g->neighbour[place[i]], 1);
        }
        for (size_t i = 0; i < 2 * edges; i++) {
            g->neighbour[place[i]] = ends[i ^ 1];
        }
        left -= edges;
    }
}

static void draw(struct csr *g, struct kronecker *k, uint64_t seed)
{
    uint32_t sum = 0;
    count_neighbours(g, k);
    for (uint32_t v = 0; v < g->vertices; v++) {
        sum += g->first[v];
        g->first[v] = sum;
    }
    g->first[g->vertices] = sum;
    kronecker_restart(k, seed);
    fill_rows(g, k);
}

bool csr_init(struct csr *g, unsigned scale, uint64_t seed)
{
    HV_ASSERT(scale <= KRONECKER_SCALE_MAX, "a graph of scale %u", scale);
    struct kronecker *k = malloc(sizeof(*k));
    g->vertices = (uint32_t)csr_vertices(scale);
    g->entries = (uint32_t)csr_entries(scale);
    g->first = bigmem_take((size_t)g->vertices + 1, sizeof(*g->first));
    g->neighbour = bigmem_take(g->entries, sizeof(*g->neighbour));
    bool ok = k != NULL && g->first != NULL && g->neighbour != NULL;
    if (ok) {
        kronecker_init(k, scale, seed);
        draw(g, k, seed);
    } else {
        csr_fini(g);
    }
    free(k);
    return ok;
}

void csr_fini(struct csr *g)
{
    free(g->first);
    free(g->neighbour);
    g->first = g->neighbour = NULL;
}
