/* SPDX-License-Identifier: MIT */
#include "mem/memory.h"

const char *const mem_level_names[] = {"L1", "L2", "LLC", "DRAM", NULL};

ASSOC_INLINE struct mem_reply shared_read(struct mem_shared *s, uint64_t line, enum cache_user user, hv_cycles now)
{
    hv_cycles looked_up = now;
    if (cache_present(&s->llc)) {
        looked_up = cache_begin(&s->llc, now) + s->llc.latency_cycles;
        if (cache_lookup(&s->llc, line, false, user)) {
            return (struct mem_reply){looked_up, MEM_LLC};
        }
        uint64_t evicted;
        hv_cycles done = dram_read(&s->dram, line, looked_up);
        if (cache_fill(&s->llc, line, false, &evicted)) {
            dram_write(&s->dram, evicted, done);
        }
        return (struct mem_reply){done, MEM_DRAM};
    }
    return (struct mem_reply){dram_read(&s->dram, line, looked_up), MEM_DRAM};
}

struct mem_reply mem_shared_read(struct mem_shared *s, uint64_t line, enum cache_user user, hv_cycles now)
{
    return shared_read(s, line, user, now);
}

void mem_shared_write_back(struct mem_shared *s, uint64_t line, hv_cycles now)
{
    uint64_t evicted = line;
    if (!cache_present(&s->llc) || cache_accept_writeback(&s->llc, line, &evicted)) {
        dram_write(&s->dram, evicted, now);
    }
}

static void write_back_to_shared(struct mem_path *p, uint64_t line, hv_cycles now)
{
    if (p->shared != NULL) {
        mem_shared_write_back(p->shared, line, now);
    } else {
        p->port.write_back(p->port.ctx, line, now);
    }
}

void mem_path_connect(struct mem_path *p, bool has_llc)
{
    const struct cache *last = cache_present(&p->l2) ? &p->l2 : &p->l1d;
    p->below_cycles = !has_llc && cache_present(last) ? last->latency_cycles : 0;
}

ASSOC_INLINE struct mem_reply read_shared(struct mem_path *p, uint64_t line, enum cache_user user, hv_cycles now)
{
    now += p->below_cycles;
    return __builtin_expect(p->shared != NULL, 1) ? shared_read(p->shared, line, user, now)
                                                  : p->port.read(p->port.ctx, line, user, now);
}

/* Writes a dirty line that the first level evicted into the second, and on from there. */
static void write_back_below_first(struct mem_path *p, uint64_t line, hv_cycles now)
{
    uint64_t evicted = line;
    if (!cache_present(&p->l2) || cache_accept_writeback(&p->l2, line, &evicted)) {
        write_back_to_shared(p, evicted, now);
    }
}

/*
 * The second level and below. Latencies of caches are load-to-use times from the start of the access, so a level
 * that is asked in vain adds nothing of its own: the next one's figure contains it.
 */
ASSOC_INLINE struct mem_reply second_level_read(struct mem_path *p, uint64_t line, bool write, enum cache_user user,
                                                hv_cycles now)
{
    if (!cache_present(&p->l2)) {
        return read_shared(p, line, user, now);
    }
    now = cache_begin(&p->l2, now);
    if (cache_lookup(&p->l2, line, write, user)) {
        return (struct mem_reply){now + p->l2.latency_cycles, MEM_L2};
    }
    struct mem_reply reply = read_shared(p, line, user, now);
    uint64_t evicted;
    if (cache_fill(&p->l2, line, write, &evicted)) {
        write_back_to_shared(p, evicted, reply.done);
    }
    return reply;
}

ASSOC_INLINE struct mem_reply access_miss(struct mem_path *p, hv_hpa addr, enum mem_entry entry, enum cache_user user,
                                          bool write, hv_cycles now)
{
    uint64_t line = cache_line(addr);
    struct cache *first = entry == MEM_ENTRY_L1I ? &p->l1i : &p->l1d;
    bool fill_first = entry != MEM_ENTRY_L2 && cache_present(first);
    struct mem_reply reply = second_level_read(p, line, write && !fill_first, user, now);
    uint64_t evicted;
    if (fill_first && cache_fill(first, line, write, &evicted)) {
        write_back_below_first(p, evicted, reply.done);
    }
    if (__builtin_expect(write && !fill_first && !cache_present(&p->l2), 0)) {
        write_back_to_shared(p, line, reply.done); /* no private cache keeps the dirty line */
    }
    return reply;
}

struct mem_reply mem_access_miss(struct mem_path *p, const struct mem_request *request, hv_cycles now)
{
    return access_miss(p, request->addr, request->entry, request->user, request->write, now);
}

/* The same code with constants in it: walks read so often that a copy pays. */
struct mem_reply mem_walk_read(struct mem_path *p, hv_hpa addr, hv_cycles now)
{
    if (cache_lookup(&p->l1d, cache_line(addr), false, CACHE_WALK)) {
        return (struct mem_reply){now + p->l1d.latency_cycles, MEM_L1};
    }
    return access_miss(p, addr, MEM_ENTRY_L1D, CACHE_WALK, false, now);
}
