/* SPDX-License-Identifier: MIT */
/*
 * What the models of a core have in common on their way through a stream: counting instructions, the common case of an
 * access in the first TLB level and the first-level cache, and the loop. For sim/cpu/core*.c only.
 */
#ifndef HV_CPU_CORE_ACCESS_H
#define HV_CPU_CORE_ACCESS_H

#include "cpu/core.h"

#define CORE_INLINE static inline __attribute__((always_inline))
#define CORE_RARE static __attribute__((noinline))

enum {
    CORE_MAX_RETRIES = 64,      /* a fault that comes back this often is not being resolved */
    CORE_LOOK_AHEAD_WALKS = 64, /* looking ahead is worth it when one access in so many walked */
};

/* The cycle in which an instruction slot lies. */
CORE_INLINE hv_cycles core_cycle_of(const struct core *c, uint64_t slot)
{
    return c->width_log2 != UINT32_MAX ? slot >> c->width_log2 : slot / c->width;
}

/* Counts an element and the instructions up to it; returns how many instructions there were in all. */
CORE_INLINE uint64_t core_count(struct core *c, const struct hv_access *a)
{
    uint64_t instructions = a->gap;
    if (a->kind != HV_EVENT) {
        c->stats.accesses++;
        instructions += (uint64_t)((a->flags & HV_ACCESS_SAME_INSTRUCTION) == 0);
    }
    c->stats.instructions += instructions;
    return c->issued += instructions;
}

/*
 * The translation half of the common case: a 4K page in the first TLB level, where it was found last time. False, with
 * nothing changed, when any of this is not so. What it takes is c->fast[kind].tlb_cycles.
 */
CORE_INLINE bool core_find_page(struct core *c, const struct hv_access *a, hv_hpa *hpa)
{
    const struct core_fast *fast = &c->fast[a->kind];
    const struct mmu *m = c->mmu;
    if (__builtin_expect(fast->tlb == NULL || m->watched || !mmu_canonical(m, a->gva), 0)) {
        return false;
    }
    struct assoc *tlb = &fast->tlb->entries;
    const struct tlb_needs *needs = &m->env.needs[a->kind];
    uint64_t page = tlb_page_number(a->gva.v, HV_PAGE_SHIFT);
    uint32_t slot = *assoc_hint(tlb, page);
    uint64_t payload = tlb->payload[slot];
    if (tlb->tags[slot] != tlb_key(page, HV_PAGE_4K, m->env.view.space) || (payload & needs->mask) != needs->want) {
        return false;
    }
    assoc_touch(tlb, slot);
    ++*fast->tlb_hits;
    *hpa = tlb_entry_address(payload, a->gva.v, HV_PAGE_SHIFT);
    return true;
}

/*
 * The data half of the common case: the line is where it was found last time, at *place. False, with nothing changed,
 * if not.
 */
CORE_INLINE bool core_find_line(struct core *c, const struct hv_access *a, uint64_t line, uint32_t *place)
{
    struct cache *cache = c->fast[a->kind].cache;
    if (__builtin_expect(cache == NULL, 0)) {
        return false;
    }
    uint32_t slot = *assoc_hint(&cache->lines, line);
    if ((cache->lines.tags[slot] | CACHE_TAG_DIRTY) != (cache_tag(line) | CACHE_TAG_DIRTY)) {
        return false;
    }
    assoc_touch(&cache->lines, slot);
    cache->lines.tags[slot] |= (uint64_t)(a->kind == HV_STORE) * CACHE_TAG_DIRTY;
    cache->stats.hits++;
    *place = slot;
    return true;
}

/* The reference that an access makes once it is translated. */
CORE_INLINE struct mem_reply core_refer(struct core *c, const struct hv_access *a, hv_hpa hpa, hv_cycles now)
{
    if (__builtin_expect(a->kind == HV_FETCH, 0)) {
        struct mem_request request = {hpa, MEM_ENTRY_L1I, CACHE_DEMAND, false};
        return mem_access(c->path, &request, now);
    }
    return mem_data(c->path, hpa, a->kind == HV_STORE, now);
}

/* Whether the software has handled the fault and the access is worth another try. Its time is charged. */
bool core_handle_fault(struct core *c, const struct hv_fault *fault);

/* core_run() of the models in core_inorder.c; `functional` is the same without waiting. */
size_t core_inorder_run(struct core *c, const struct hv_access *accesses, size_t count);
size_t core_functional_run(struct core *c, const struct hv_access *accesses, size_t count);

/* The loop of every model: `execute` is one of its functions, inlined. */
CORE_INLINE size_t core_execute_each(struct core *c, const struct hv_access *accesses, size_t count,
                                     void (*execute)(struct core *c, const struct hv_access *a))
{
    size_t i = 0;
    if (c->look_ahead) {
        mmu_look_ahead_begin(c->mmu, accesses, count);
        for (; i < count && c->now < c->horizon; i++) {
            if (__builtin_expect(&accesses[i] == c->mmu->lookahead.turn, 0)) {
                mmu_look_ahead_turn(c->mmu);
            }
            execute(c, &accesses[i]);
        }
        c->mmu->lookahead.executed = accesses + i;
    } else {
        for (; i < count && c->now < c->horizon; i++) {
            execute(c, &accesses[i]);
        }
    }
    return i;
}

#endif
