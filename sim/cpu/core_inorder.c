/* SPDX-License-Identifier: MIT */
/* The in-order model, and the functional one, which is the same without the waiting. */
#include "cpu/core_inorder.h"

/* The translation in general. */
CORE_INLINE bool translate(struct core *c, const struct hv_access *a, hv_hpa *hpa, bool timed)
{
    struct mmu_reply reply;
    bool ok = mmu_translate_plain(c->mmu, a->gva, (enum hv_access_kind)a->kind, c->now, &reply);
    return core_end_translation(c, a, ok, &reply, hpa, timed);
}

CORE_RARE bool translate_timed(struct core *c, const struct hv_access *a, hv_hpa *hpa)
{
    return translate(c, a, hpa, true);
}

CORE_RARE bool translate_untimed(struct core *c, const struct hv_access *a, hv_hpa *hpa)
{
    return translate(c, a, hpa, false);
}

__attribute__((noinline)) void core_access_data(struct core *c, const struct hv_access *a, hv_hpa hpa)
{
    struct mem_reply reply = core_refer(c, a, hpa, c->now);
    if (c->activity != NULL && reply.level != MEM_L1) {
        activity_add(c->activity, ACTIVITY_MISS, c->now, reply.done - c->now, mem_level_names[reply.level]);
    }
    if (reply.level == MEM_L1 && (a->flags & HV_ACCESS_DEPENDENT) == 0) {
        /* Pipelined; but a reference waits for its port. */
        reply.done -= a->kind == HV_FETCH ? c->path->l1i.latency_cycles : c->path->l1d.latency_cycles;
    }
    core_wait_for_data(c, reply.done);
}

CORE_RARE void access_data_untimed(struct core *c, const struct hv_access *a, hv_hpa hpa)
{
    (void)core_refer(c, a, hpa, c->now);
}

/* An element that is no access: something happens between the accesses. */
CORE_RARE void execute_event(struct core *c, const struct hv_access *event)
{
    core_issue(c, event);
    c->software.event(c->software.ctx, event);
}

CORE_INLINE void execute_timed(struct core *c, const struct hv_access *a)
{
    hv_hpa hpa;
    if (__builtin_expect(a->kind == HV_EVENT, 0)) {
        execute_event(c, a);
        return;
    }
    core_issue(c, a);
    if (core_find_page(c, a, &hpa)) {
        core_wait_for_tlb(c, c->fast[a->kind].tlb_cycles);
    } else if (!translate_timed(c, a, &hpa)) {
        return;
    }
    core_access_timed(c, a, hpa);
}

void core_execute_inorder(struct core *c, const struct hv_access *a)
{
    execute_timed(c, a);
}

CORE_INLINE void execute_untimed(struct core *c, const struct hv_access *a)
{
    hv_hpa hpa;
    uint32_t place;
    if (__builtin_expect(a->kind == HV_EVENT, 0)) {
        execute_event(c, a);
        return;
    }
    core_issue(c, a);
    if (!core_find_page(c, a, &hpa) && !translate_untimed(c, a, &hpa)) {
        return;
    }
    if (!core_find_line(c, a, cache_line(hpa), &place)) {
        access_data_untimed(c, a, hpa);
    }
}

size_t core_inorder_run(struct core *c, const struct hv_access *accesses, size_t count)
{
    return core_execute_each(c, accesses, count, execute_timed);
}

size_t core_functional_run(struct core *c, const struct hv_access *accesses, size_t count)
{
    return core_execute_each(c, accesses, count, execute_untimed);
}
