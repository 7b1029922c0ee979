/* SPDX-License-Identifier: MIT */
/*
 * tlb.prefetch: a second-level TLB miss also brings the translation of the next page into the second level.
 *
 * The prefetch is a walk behind the demand walk, on a walker that is free then; the same page-walk caches and data
 * caches serve it. SDM Vol. 3A "Details of TLB Use" (4.10.2.3) lets a processor cache translations for accesses that
 * never happen. This one reports no fault and ends where an accessed or dirty flag would have to be set, so that
 * software sees nothing of it. MODEL: a page whose accessed flag is clear is therefore never prefetched.
 */
#include "mmu/mmu.h"
#include "mmu/walker.h"

const char *const mmu_prefetch_names[] = {"none", "next_page", NULL};

/* Whether the page of an address is worth a walk: the second level may hold it, and no level does. */
static bool is_wanted(const struct mmu *m, hv_gva gva, enum hv_page_size size)
{
    bool wanted = mmu_canonical(m, gva) && m->tlb.level[TLB_LEVEL_L2].holds[size];
    for (unsigned level = 0; level < TLB_LEVELS; level++) {
        wanted = wanted && !tlb_levels_has(&m->tlb, (enum tlb_level)level, gva.v, m->env.view);
    }
    return wanted;
}

void mmu_prefetch(struct mmu *m, const struct mmu_walk_reply *demand)
{
    enum hv_page_size size = (enum hv_page_size)demand->walk.size;
    uint64_t bytes = hv_page_bytes(size);
    hv_gva next = {(demand->walk.gva.v & ~(bytes - 1)) + bytes};
    uint32_t which;
    if (!is_wanted(m, next, size) || walkers_begin(&m->walkers, demand->done, &which) != demand->done) {
        return;
    }
    struct mmu_walk_reply reply;
    walker_speculate(m, next, demand->walk.access == HV_FETCH ? HV_FETCH : HV_LOAD, demand->done, &reply);
    if (!reply.ok) {
        m->stats.prefetch_dropped++;
        return;
    }
    tlb_levels_fill(&m->tlb, TLB_LEVEL_L2, next.v, m->env.view, (enum hv_page_size)reply.walk.size,
                    reply.walk.result | TLB_PREFETCHED);
    mmu_pending_note(m, &reply);
    HV_TRACE(m->trace, WALK, reply.done, "prefetch gva=%#llx size=%s cycles=%llu", (unsigned long long)next.v,
             hv_page_size_names[reply.walk.size], (unsigned long long)(reply.done - demand->done));
    if (m->check_stale) {
        stale_note_fill(m, &reply.walk);
    }
}

void mmu_prefetch_used(struct mmu *m, hv_gva gva, struct tlb_hit *hit)
{
    m->stats.prefetch_hits++;
    hit->payload &= ~(uint64_t)TLB_PREFETCHED;
    tlb_levels_fill(&m->tlb, TLB_LEVEL_L2, gva.v, m->env.view, hit->size, hit->payload);
}
