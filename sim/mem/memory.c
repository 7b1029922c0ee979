/* SPDX-License-Identifier: MIT */
#include "mem/memory.h"

const char *const mem_level_names[] = {"L1", "L2", "LLC", "DRAM", NULL};

/*
 * `usual` is a constant in the functions that follow, true in a copy of them for what most machines have (mem_path):
 * the questions that need not be asked there would cost the host as much as the answers.
 */
ASSOC_INLINE struct mem_reply shared_read(struct mem_shared *s, uint64_t line, enum cache_user user, hv_cycles now,
                                          bool usual)
{
    if (!usual && !cache_present(&s->llc)) {
        return (struct mem_reply){dram_read(&s->dram, line, now), MEM_DRAM};
    }
    uint64_t evicted;
    hv_cycles looked_up = (usual ? now : cache_begin(&s->llc, now)) + s->llc.latency_cycles;
    enum cache_outcome outcome = usual ? cache_use_packed(&s->llc, line, false, user, &evicted)
                                       : cache_use(&s->llc, line, false, user, &evicted);
    if (outcome == CACHE_HIT) {
        return (struct mem_reply){looked_up, MEM_LLC};
    }
    hv_cycles done = dram_read(&s->dram, line, looked_up);
    if (outcome == CACHE_MISS_DIRTY) {
        dram_write(&s->dram, evicted, done);
    }
    return (struct mem_reply){done, MEM_DRAM};
}

struct mem_reply mem_shared_read(struct mem_shared *s, uint64_t line, enum cache_user user, hv_cycles now)
{
    return shared_read(s, line, user, now, false);
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
    p->usual = p->shared != NULL && p->l1d.lines.sets != 0 && p->l1d.taken == NULL && p->l2.taken == NULL &&
               p->shared->llc.taken == NULL && p->shared->dram.banks == 0;
}

/* Whether a reference that enters by the first-level data cache may go the usual way. */
ASSOC_INLINE bool goes_usual_way(const struct mem_path *p, uint64_t line)
{
    return __builtin_expect(p->usual && packed_fits(&p->l2.packed, line) && p->shared != NULL &&
                            packed_fits(&p->shared->llc.packed, line), 1);
}

ASSOC_INLINE struct mem_reply read_shared(struct mem_path *p, uint64_t line, enum cache_user user, hv_cycles now,
                                          bool usual)
{
    if (usual) {
        return shared_read(p->shared, line, user, now, true);
    }
    now += p->below_cycles;
    return p->shared != NULL ? shared_read(p->shared, line, user, now, false)
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
                                                hv_cycles now, bool usual)
{
    if (!usual && !cache_present(&p->l2)) {
        return read_shared(p, line, user, now, false);
    }
    uint64_t evicted;
    now = usual ? now : cache_begin(&p->l2, now);
    enum cache_outcome outcome = usual ? cache_use_packed(&p->l2, line, write, user, &evicted)
                                       : cache_use(&p->l2, line, write, user, &evicted);
    if (outcome == CACHE_HIT) {
        return (struct mem_reply){now + p->l2.latency_cycles, MEM_L2};
    }
    struct mem_reply reply = read_shared(p, line, user, now, usual);
    if (outcome == CACHE_MISS_DIRTY) {
        write_back_to_shared(p, evicted, reply.done);
    }
    return reply;
}

/* The usual way of a load or store. Whether the line that it evicts is dirty nobody can predict: no branch for that. */
ASSOC_INLINE struct mem_reply usual_data(struct mem_path *p, uint64_t line, bool write, hv_cycles now)
{
    uint64_t evicted = line;
    enum cache_outcome outcome = cache_use_lines(&p->l1d, line, write, CACHE_DEMAND, &evicted);
    if (outcome == CACHE_HIT) {
        return (struct mem_reply){now + p->l1d.latency_cycles, MEM_L1};
    }
    struct mem_reply reply = second_level_read(p, line, false, CACHE_DEMAND, now, true);
    uint32_t dirty = outcome == CACHE_MISS_DIRTY ? PACKED_DIRTY : 0;
    bool there = packed_mark(&p->l2.packed, evicted, dirty);
    if (__builtin_expect(!there && dirty != 0, 0)) {
        write_back_below_first(p, evicted, reply.done);
    }
    return reply;
}

/* A reference that enters by the first-level cache `first`. */
ASSOC_INLINE struct mem_reply first_level_access(struct mem_path *p, struct cache *first, uint64_t line, bool write,
                                                 enum cache_user user, hv_cycles now, bool usual)
{
    uint64_t evicted;
    now = usual ? now : cache_begin(first, now);
    enum cache_outcome outcome = usual ? cache_use_lines(first, line, write, user, &evicted)
                                       : cache_use(first, line, write, user, &evicted);
    if (outcome == CACHE_HIT) {
        return (struct mem_reply){now + first->latency_cycles, MEM_L1};
    }
    struct mem_reply reply = second_level_read(p, line, false, user, now, usual);
    if (outcome == CACHE_MISS_DIRTY) {
        write_back_below_first(p, evicted, reply.done);
    }
    return reply;
}

struct mem_reply mem_access(struct mem_path *p, const struct mem_request *request, hv_cycles now)
{
    uint64_t line = cache_line(request->addr);
    struct cache *first = request->entry == MEM_ENTRY_L1I ? &p->l1i : &p->l1d;
    if (request->entry != MEM_ENTRY_L2 && cache_present(first)) {
        return first_level_access(p, first, line, request->write, request->user, now, false);
    }
    struct mem_reply reply = second_level_read(p, line, request->write, request->user, now, false);
    if (request->write && !cache_present(&p->l2)) {
        write_back_to_shared(p, line, reply.done); /* no private cache keeps the dirty line */
    }
    return reply;
}

struct mem_reply mem_walk_read(struct mem_path *p, hv_hpa addr, hv_cycles now)
{
    uint64_t line = cache_line(addr);
    if (goes_usual_way(p, line)) {
        return first_level_access(p, &p->l1d, line, false, CACHE_WALK, now, true);
    }
    return mem_access(p, &(struct mem_request){addr, MEM_ENTRY_L1D, CACHE_WALK, false}, now);
}

struct mem_reply mem_data(struct mem_path *p, hv_hpa addr, bool write, hv_cycles now)
{
    uint64_t line = cache_line(addr);
    if (goes_usual_way(p, line)) {
        return usual_data(p, line, write, now);
    }
    return mem_access(p, &(struct mem_request){addr, MEM_ENTRY_L1D, CACHE_DEMAND, write}, now);
}
