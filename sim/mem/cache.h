/* SPDX-License-Identifier: MIT */
/*
 * One level of data or instruction cache: tags and dirty bits, no data (the bytes live in physmem).
 *
 * Write-back, write-allocate, physically indexed. Whether a page-table entry hits here decides whether a
 * two-dimensional walk is cheap or dear, so walker references are counted apart.
 *
 * With cache.X.ports only so many references may begin in a cycle; the others wait. MODEL: lines that are filled or
 * written back take no port, which flatters a cache that misses often.
 */
#ifndef HV_MEM_CACHE_H
#define HV_MEM_CACHE_H

#include "base/assoc.h"
#include "base/calendar.h"
#include "base/param.h"
#include "base/stat.h"
#include "mem/packed.h"

enum { CACHE_LINE_SHIFT = 6, CACHE_LINE_BYTES = 1 << CACHE_LINE_SHIFT };

struct cache_params {
#define P PARAM_MEMBER
#include "mem/cache_params.def"
#undef P
};

extern const struct param_row cache_param_rows[];
extern const size_t cache_param_count;

struct cache_stats {
#define S STAT_MEMBER
#include "mem/cache_stats.def"
#undef S
};

extern const struct stat_row cache_stat_rows[];
extern const size_t cache_stat_count;

/*
 * The lines are in one of two layouts: packed, which large LRU caches have, or as an associative array. First-level
 * caches are small and have the second with its hints, which is faster where most lookups hit.
 */
struct cache {
    struct packed packed; /* words is NULL when not in use */
    struct assoc lines;   /* sets is 0 when not in use */
    hv_cycles latency_cycles;
    struct calendar *taken; /* the ports' shares of each cycle; NULL: any number of references may begin */
    uint32_t ports;
    struct cache_stats stats;
};

/* What a reference is for: decides the counter, not the time. */
enum cache_user { CACHE_DEMAND, CACHE_WALK };

bool cache_init(struct cache *c, const char *name, const struct cache_params *params, struct hv_err *err);
void cache_fini(struct cache *c);
void cache_reset(struct cache *c);

static inline bool cache_present(const struct cache *c)
{
    return c->lines.sets != 0 || c->packed.words != NULL;
}

/* The part of cache_begin() for a cache with few ports. */
hv_cycles cache_wait_for_port(struct cache *c, hv_cycles now);

/*
 * When a reference that is there at `now` finds a port and begins. Whatever answers a reference without cache_lookup()
 * has to leave caches with few ports alone.
 */
ASSOC_INLINE hv_cycles cache_begin(struct cache *c, hv_cycles now)
{
    return __builtin_expect(c->taken == NULL, 1) ? now : cache_wait_for_port(c, now);
}

/* A tag is the line number, a valid bit and a dirty bit. */
enum { CACHE_TAG_DIRTY = 1, CACHE_TAG_VALID = 2, CACHE_TAG_SHIFT = 2 };

static inline uint64_t cache_line(hv_hpa addr)
{
    return addr.v >> CACHE_LINE_SHIFT;
}

/* The tag of a clean line. */
static inline uint64_t cache_tag(uint64_t line)
{
    return line << CACHE_TAG_SHIFT | CACHE_TAG_VALID;
}

/* Moves the lines of a packed cache into an associative array: an address came that a packed word cannot hold. */
void cache_unpack(struct cache *c);

/* Whether the line is to be looked for in the packed layout. */
ASSOC_INLINE bool cache_is_packed(struct cache *c, uint64_t line)
{
    if (packed_fits(&c->packed, line)) {
        return true;
    }
    if (__builtin_expect(c->packed.words != NULL, 0)) {
        cache_unpack(c);
    }
    return false;
}

/* The slot that holds a line, or ASSOC_NONE. The cache is not packed. */
ASSOC_INLINE ptrdiff_t cache_find(const struct cache *c, uint64_t line)
{
    return assoc_find(&c->lines, line, cache_tag(line), CACHE_TAG_DIRTY);
}

/* Whether the line is here; if so touches it and, for a write, marks it dirty. */
ASSOC_INLINE bool cache_touch(struct cache *c, uint64_t line, bool write)
{
    if (cache_is_packed(c, line)) {
        return packed_touch(&c->packed, line, write ? PACKED_DIRTY : 0);
    }
    ptrdiff_t slot = cache_find(c, line);
    if (__builtin_expect(slot == ASSOC_NONE, 0)) {
        return false;
    }
    c->lines.tags[slot] |= write ? (uint64_t)CACHE_TAG_DIRTY : 0;
    assoc_touch(&c->lines, (size_t)slot);
    return true;
}

/* Looks the line up and counts it; on a hit touches it and, for a write, marks it dirty. The cache is present. */
ASSOC_INLINE bool cache_lookup(struct cache *c, uint64_t line, bool write, enum cache_user user)
{
    if (!cache_touch(c, line, write)) {
        *(user == CACHE_WALK ? &c->stats.walk_misses : &c->stats.misses) += 1;
        return false;
    }
    *(user == CACHE_WALK ? &c->stats.walk_hits : &c->stats.hits) += 1;
    return true;
}

/*
 * Brings a line in after a miss. Returns true and the evicted line's number when a dirty line has to be written to
 * the next level.
 */
ASSOC_INLINE bool cache_fill(struct cache *c, uint64_t line, bool dirty, uint64_t *evicted_line)
{
    bool write_back;
    if (cache_is_packed(c, line)) {
        uint32_t old = packed_fill(&c->packed, line, dirty ? PACKED_DIRTY : 0);
        *evicted_line = packed_line(&c->packed, line, old);
        write_back = (old & PACKED_DIRTY) != 0;
    } else {
        size_t slot = assoc_victim(&c->lines, line);
        uint64_t old = c->lines.tags[slot];
        assoc_place(&c->lines, line, slot, cache_tag(line) | (dirty ? (uint64_t)CACHE_TAG_DIRTY : 0));
        *evicted_line = old >> CACHE_TAG_SHIFT;
        write_back = (old & CACHE_TAG_DIRTY) != 0;
    }
    c->stats.writebacks += write_back;
    return write_back;
}

/* What cache_use() came to; CACHE_MISS_DIRTY: a dirty line has to be written to the next level. */
enum cache_outcome { CACHE_HIT, CACHE_MISS, CACHE_MISS_DIRTY };

/* cache_use() of a cache that is not packed. */
ASSOC_INLINE enum cache_outcome cache_use_lines(struct cache *c, uint64_t line, bool write, enum cache_user user,
                                                uint64_t *evicted_line)
{
    struct assoc *lines = &c->lines;
    uint64_t dirty = write ? (uint64_t)CACHE_TAG_DIRTY : 0;
    size_t set = assoc_set(lines, line);
    ptrdiff_t found = assoc_scan(lines, set, cache_tag(line), CACHE_TAG_DIRTY);
    if (found != ASSOC_NONE) {
        assoc_found(lines, line, (size_t)found);
        lines->tags[found] |= dirty;
        *(user == CACHE_WALK ? &c->stats.walk_hits : &c->stats.hits) += 1;
        return CACHE_HIT;
    }
    *(user == CACHE_WALK ? &c->stats.walk_misses : &c->stats.misses) += 1;
    size_t slot = assoc_victim_in(lines, set);
    uint64_t old = lines->tags[slot];
    assoc_place(lines, line, slot, cache_tag(line) | dirty);
    *evicted_line = old >> CACHE_TAG_SHIFT;
    c->stats.writebacks += old & CACHE_TAG_DIRTY;
    return (old & CACHE_TAG_DIRTY) == 0 ? CACHE_MISS : CACHE_MISS_DIRTY;
}

/* cache_use() of a cache that is packed and whose words can hold the line. */
ASSOC_INLINE enum cache_outcome cache_use_packed(struct cache *c, uint64_t line, bool write, enum cache_user user,
                                                 uint64_t *evicted_line)
{
    bool here;
    uint32_t old = packed_use(&c->packed, line, write ? PACKED_DIRTY : 0, &here);
    if (here) {
        *(user == CACHE_WALK ? &c->stats.walk_hits : &c->stats.hits) += 1;
        return CACHE_HIT;
    }
    *(user == CACHE_WALK ? &c->stats.walk_misses : &c->stats.misses) += 1;
    if ((old & PACKED_DIRTY) == 0) {
        return CACHE_MISS;
    }
    *evicted_line = packed_line(&c->packed, line, old);
    c->stats.writebacks++;
    return CACHE_MISS_DIRTY;
}

/* cache_lookup(), and on a miss cache_fill(), for a caller that does not expect the line where it was last found. */
ASSOC_INLINE enum cache_outcome cache_use(struct cache *c, uint64_t line, bool write, enum cache_user user,
                                          uint64_t *evicted_line)
{
    return cache_is_packed(c, line) ? cache_use_packed(c, line, write, user, evicted_line)
                                    : cache_use_lines(c, line, write, user, evicted_line);
}

/* Marks a line dirty, if it is here, without touching it. */
ASSOC_INLINE bool cache_make_dirty(struct cache *c, uint64_t line)
{
    if (cache_is_packed(c, line)) {
        int way = packed_find(&c->packed, line);
        if (way >= 0) {
            packed_set(&c->packed, line)[way] |= PACKED_DIRTY;
        }
        return way >= 0;
    }
    ptrdiff_t slot = cache_find(c, line);
    if (slot != ASSOC_NONE) {
        c->lines.tags[slot] |= CACHE_TAG_DIRTY;
    }
    return slot != ASSOC_NONE;
}

/* Accepts a line that the level above evicted: marks it dirty if it is here, else allocates it like a fill. */
ASSOC_INLINE bool cache_accept_writeback(struct cache *c, uint64_t line, uint64_t *evicted_line)
{
    return !cache_make_dirty(c, line) && cache_fill(c, line, true, evicted_line);
}

/*
 * Asks the host for the tags of a line's set ahead of their use; changes nothing that is modelled. Inlined always,
 * because a call whose only effect is a prefetch is one that the compiler deletes.
 */
ASSOC_INLINE void cache_prefetch_tags(const struct cache *c, uint64_t line)
{
    if (c->packed.words != NULL) {
        __builtin_prefetch(packed_set(&c->packed, line), 1, 3);
        return;
    }
    size_t set = assoc_set(&c->lines, line);
    const uint64_t *tags = c->lines.tags + set;
    __builtin_prefetch(tags, 1, 3);
    __builtin_prefetch(c->lines.state + set, 1, 3);
    if (c->lines.stride > 8) {
        __builtin_prefetch(tags + 8, 1, 3);
    }
}

#endif
