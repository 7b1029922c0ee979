/* SPDX-License-Identifier: MIT */
#include "mem/cache.h"

#include <stdlib.h>
#include <string.h>

enum { PACKED_LINES = 2048 }; /* a smaller cache has its lines where a hint finds them at once */

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
    uint64_t sets = lines / ways;
    bool packable = params->replacement == ASSOC_LRU && ways <= PACKED_MAX_WAYS && (sets & (sets - 1)) == 0;
    if (packable && lines >= PACKED_LINES) {
        return packed_init(&c->packed, sets, ways) || hv_fail(err, "no memory for cache.%s", name);
    }
    return assoc_init(&c->lines, lines, ways, (enum assoc_policy)params->replacement, false, err);
}

/* Rebuilds the order of recency too: the first way of a set is the most recent, and so has the latest stamp. */
void cache_unpack(struct cache *c)
{
    struct hv_err err;
    struct packed *p = &c->packed;
    uint64_t sets = p->set_mask + 1;
    bool ok = assoc_init(&c->lines, sets * p->ways, p->ways, ASSOC_LRU, false, &err);
    HV_ASSERT(ok, "out of memory");
    for (uint64_t line = 0; line < sets; line++) { /* the first line of each set */
        const uint32_t *words = packed_set(p, line);
        size_t slot = assoc_set(&c->lines, line);
        for (uint32_t way = 0; way < p->ways; way++) {
            if ((words[way] & PACKED_VALID) != 0) {
                uint64_t dirty = (words[way] & PACKED_DIRTY) != 0 ? CACHE_TAG_DIRTY : 0;
                c->lines.tags[slot + way] = cache_tag(packed_line(p, line, words[way])) | dirty;
                c->lines.state[slot + way] = p->ways - way;
            }
        }
    }
    c->lines.clock = p->ways;
    packed_fini(p);
}

void cache_fini(struct cache *c)
{
    packed_fini(&c->packed);
    assoc_fini(&c->lines);
    free(c->taken);
    c->taken = NULL;
}

void cache_reset(struct cache *c)
{
    if (c->packed.words != NULL) {
        packed_reset(&c->packed);
    } else if (cache_present(c)) {
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
