/* SPDX-License-Identifier: MIT */
#include "mem/cache.h"

#include <stdlib.h>
#include <string.h>

const struct param_row cache_param_rows[] = {
#define P(...) PARAM_ROW(struct cache_params, __VA_ARGS__)
#include "mem/cache_params.def"
#undef P
};
const size_t cache_param_count = HV_ARRAY_LEN(cache_param_rows);

const struct stat_row cache_stat_rows[] = {
#define S(...) STAT_ROW(struct cache_stats, __VA_ARGS__)
#include "mem/cache_stats.def"
#undef S
};
const size_t cache_stat_count = HV_ARRAY_LEN(cache_stat_rows);

bool cache_init(struct cache *c, const char *name, const struct cache_params *params, struct hv_err *err)
{
    memset(c, 0, sizeof(*c));
    c->latency_cycles = params->latency_cycles;
    if (params->size == 0) {
        return true;
    }
    uint64_t lines = params->size / CACHE_LINE_BYTES;
    uint64_t ways = params->ways == PARAM_WAYS_FULL ? lines : params->ways;
    if (params->size % CACHE_LINE_BYTES != 0 || ways > lines || lines % ways != 0) {
        return hv_fail(err, "cache.%s: %llu bytes in %llu ways is no whole number of sets of 64-byte lines; choose a "
                       "size that is a multiple of 64 x ways", name, (unsigned long long)params->size,
                       (unsigned long long)ways);
    }
    c->ports = (uint32_t)params->ports;
    if (c->ports != 0) {
        c->taken = calloc(1, sizeof(*c->taken));
        HV_ASSERT(c->taken != NULL, "out of memory");
    }
    return assoc_init(&c->lines, lines, ways, (enum assoc_policy)params->replacement, false, err);
}

void cache_fini(struct cache *c)
{
    assoc_fini(&c->lines);
    free(c->taken);
    c->taken = NULL;
}

void cache_reset(struct cache *c)
{
    if (cache_present(c)) {
        assoc_reset(&c->lines);
    }
    if (c->taken != NULL) {
        calendar_reset(c->taken);
    }
    memset(&c->stats, 0, sizeof(c->stats));
}

/* A cycle has as many slots of the calendar as there are ports. */
hv_cycles cache_wait_for_port(struct cache *c, hv_cycles now)
{
    uint64_t slot = calendar_take(c->taken, now * c->ports, 1) - 1;
    hv_cycles begin = slot / c->ports;
    c->stats.port_wait_cycles += begin - now;
    return begin;
}
