/* SPDX-License-Identifier: MIT */
/*
 * The parts of an access of the in-order model. `timed` is a constant of each function that inlines them: the functional
 * model is the same without the waiting. For sim/cpu/core*.c only.
 */
#ifndef HV_CPU_CORE_INORDER_H
#define HV_CPU_CORE_INORDER_H

#include "cpu/core_access.h"

/* The instructions up to this element issue, `width` a cycle. */
CORE_INLINE void core_issue(struct core *c, const struct hv_access *a)
{
    hv_cycles before = core_cycle_of(c, c->issued);
    hv_cycles cycles = core_cycle_of(c, core_count(c, a)) - before;
    c->stats.cycles_base += cycles;
    c->now += cycles;
}

CORE_INLINE void core_wait_for_tlb(struct core *c, hv_cycles cycles)
{
    c->stats.cycles_tlb += cycles;
    c->now += cycles;
}

CORE_INLINE void core_wait_for_walk(struct core *c, hv_cycles guest_cycles, hv_cycles host_cycles)
{
    c->stats.cycles_walk_guest += guest_cycles;
    c->stats.cycles_walk_host += host_cycles;
    c->now += guest_cycles + host_cycles;
}

CORE_INLINE void core_charge_translation(struct core *c, const struct mmu_reply *reply)
{
    core_wait_for_tlb(c, reply->tlb_cycles + (reply->walked ? reply->queue_cycles : 0));
    if (reply->walked) {
        core_wait_for_walk(c, reply->walk_guest_cycles, reply->walk_host_cycles);
    }
}

/*
 * Goes on from what the first try of a translation has come to: faults are handled until one try succeeds. False: nobody
 * could help.
 */
CORE_INLINE bool core_end_translation(struct core *c, const struct hv_access *a, bool ok, struct mmu_reply *reply,
                                      hv_hpa *hpa, bool timed)
{
    for (unsigned tries = 0;; tries++) {
        if (timed) {
            core_charge_translation(c, reply);
        }
        if (__builtin_expect(ok, 1)) {
            *hpa = reply->hpa;
            return true;
        }
        if (tries == CORE_MAX_RETRIES || !core_handle_fault(c, &reply->fault)) {
            c->stats.aborted++;
            return false;
        }
        ok = mmu_translate_plain(c->mmu, a->gva, (enum hv_access_kind)a->kind, c->now, reply);
    }
}

CORE_INLINE void core_wait_for_data(struct core *c, hv_cycles done)
{
    c->stats.cycles_data += done - c->now;
    c->now = done;
}

/* The reference in general. */
void core_access_data(struct core *c, const struct hv_access *a, hv_hpa hpa);

/* The reference of an access that is translated. */
CORE_INLINE void core_access_timed(struct core *c, const struct hv_access *a, hv_hpa hpa)
{
    uint32_t place;
    if (!core_find_line(c, a, cache_line(hpa), &place)) {
        core_access_data(c, a, hpa);
    } else if ((a->flags & HV_ACCESS_DEPENDENT) != 0) {
        core_wait_for_data(c, c->now + c->fast[a->kind].cache->latency_cycles);
    }
}

/* One element, whole. */
void core_execute_inorder(struct core *c, const struct hv_access *a);

#endif
