/* SPDX-License-Identifier: MIT */
/*
 * The in-order model, and the functional one, which is the same without the waiting. `timed` is a constant of each
 * function that the loop inlines.
 */
#include "cpu/core_access.h"
#include "cpu/core_split.h"

/* The instructions up to this element issue, `width` a cycle. */
CORE_INLINE void issue(struct core *c, const struct hv_access *a)
{
    hv_cycles before = core_cycle_of(c, c->issued);
    hv_cycles cycles = core_cycle_of(c, core_count(c, a)) - before;
    c->stats.cycles_base += cycles;
    c->now += cycles;
}

CORE_INLINE void wait_for_tlb(struct core *c, hv_cycles cycles)
{
    c->stats.cycles_tlb += cycles;
    c->now += cycles;
}

CORE_INLINE void wait_for_walk(struct core *c, hv_cycles guest_cycles, hv_cycles host_cycles)
{
    c->stats.cycles_walk_guest += guest_cycles;
    c->stats.cycles_walk_host += host_cycles;
    c->now += guest_cycles + host_cycles;
}

CORE_INLINE void charge_translation(struct core *c, const struct mmu_reply *reply)
{
    wait_for_tlb(c, reply->tlb_cycles + (reply->walked ? reply->queue_cycles : 0));
    if (reply->walked) {
        wait_for_walk(c, reply->walk_guest_cycles, reply->walk_host_cycles);
    }
}

/*
 * Goes on from what the first try of a translation has come to: faults are handled until one try succeeds. False:
 * nobody could help.
 */
CORE_INLINE bool end_translation(struct core *c, const struct hv_access *a, bool ok, struct mmu_reply *reply,
                                 hv_hpa *hpa, bool timed)
{
    for (unsigned tries = 0;; tries++) {
        if (timed) {
            charge_translation(c, reply);
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

/* The translation in general. */
CORE_INLINE bool translate(struct core *c, const struct hv_access *a, hv_hpa *hpa, bool timed)
{
    struct mmu_reply reply;
    bool ok = mmu_translate_plain(c->mmu, a->gva, (enum hv_access_kind)a->kind, c->now, &reply);
    return end_translation(c, a, ok, &reply, hpa, timed);
}

CORE_RARE bool translate_timed(struct core *c, const struct hv_access *a, hv_hpa *hpa)
{
    return translate(c, a, hpa, true);
}

CORE_RARE bool translate_untimed(struct core *c, const struct hv_access *a, hv_hpa *hpa)
{
    return translate(c, a, hpa, false);
}

CORE_INLINE void wait_for_data(struct core *c, hv_cycles done)
{
    c->stats.cycles_data += done - c->now;
    c->now = done;
}

/* What a first-level hit takes, of which nothing is waited for; but a reference waits for its port. */
CORE_INLINE hv_cycles pipelined_cycles(const struct core *c, const struct hv_access *a)
{
    return a->kind == HV_FETCH ? c->path->l1i.latency_cycles : c->path->l1d.latency_cycles;
}

/* The reference in general. */
CORE_RARE void access_data_timed(struct core *c, const struct hv_access *a, hv_hpa hpa)
{
    struct mem_reply reply = core_refer(c, a, hpa, c->now);
    if (c->activity != NULL && reply.level != MEM_L1) {
        activity_add(c->activity, ACTIVITY_MISS, c->now, reply.done - c->now, mem_level_names[reply.level]);
    }
    if (reply.level == MEM_L1 && (a->flags & HV_ACCESS_DEPENDENT) == 0) {
        reply.done -= pipelined_cycles(c, a);
    }
    wait_for_data(c, reply.done);
}

/* The reference of an access that is translated. */
CORE_INLINE void access_timed(struct core *c, const struct hv_access *a, hv_hpa hpa)
{
    uint32_t place;
    if (!core_find_line(c, a, cache_line(hpa), &place)) {
        access_data_timed(c, a, hpa);
    } else if ((a->flags & HV_ACCESS_DEPENDENT) != 0) {
        wait_for_data(c, c->now + c->fast[a->kind].cache->latency_cycles);
    }
}

CORE_RARE void access_data_untimed(struct core *c, const struct hv_access *a, hv_hpa hpa)
{
    (void)core_refer(c, a, hpa, c->now);
}

/* An element that is no access: something happens between the accesses. */
CORE_RARE void execute_event(struct core *c, const struct hv_access *event)
{
    issue(c, event);
    c->software.event(c->software.ctx, event);
}

CORE_INLINE void execute_timed(struct core *c, const struct hv_access *a)
{
    hv_hpa hpa;
    if (__builtin_expect(a->kind == HV_EVENT, 0)) {
        execute_event(c, a);
        return;
    }
    issue(c, a);
    if (core_find_page(c, a, &hpa)) {
        wait_for_tlb(c, c->fast[a->kind].tlb_cycles);
    } else if (!translate_timed(c, a, &hpa)) {
        return;
    }
    access_timed(c, a, hpa);
}

CORE_INLINE void execute_untimed(struct core *c, const struct hv_access *a)
{
    hv_hpa hpa;
    uint32_t place;
    if (__builtin_expect(a->kind == HV_EVENT, 0)) {
        execute_event(c, a);
        return;
    }
    issue(c, a);
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

/* ---- On two threads of the host (core_split.h) ------------------------------------------------------------------ */

/* A walk begins at `now`; returns when it is over. */
CORE_RARE hv_cycles time_walk(struct core *c, const struct core_step *s, const struct mmu_way *way, hv_cycles now)
{
    struct mmu_reply reply = {.tlb_cycles = 0, .walked = true};
    hv_gva nowhere = {0}; /* walks come one after the other, so none is under way */
    mmu_time_walk(c->mmu, nowhere, (enum hv_access_kind)s->kind, way, now, &reply);
    c->stats.cycles_walk_guest += reply.walk_guest_cycles;
    c->stats.cycles_walk_host += reply.walk_host_cycles;
    return now + reply.walk_guest_cycles + reply.walk_host_cycles;
}

/* The reference of an access that is translated at `now`; returns when the core goes on. Nobody watches. */
CORE_INLINE hv_cycles time_reference(struct core *c, const struct core_step *s, hv_cycles now)
{
    const struct hv_access a = {.kind = s->kind, .flags = s->flags};
    bool waits = (s->flags & HV_ACCESS_DEPENDENT) != 0;
    uint32_t place;
    if (core_find_line(c, &a, cache_line(s->hpa), &place)) {
        return waits ? now + c->fast[s->kind].cache->latency_cycles : now;
    }
    struct mem_reply reply = core_refer(c, &a, s->hpa, now);
    return reply.level == MEM_L1 && !waits ? reply.done - pipelined_cycles(c, &a) : reply.done;
}

/* What execute_timed() does, with what each access changes kept in registers: sums are added at the end. */
static void time_steps(struct core *c, const struct core_step_block *b)
{
    const struct mmu_way *way = b->way;
    uint64_t issued = c->issued;
    hv_cycles now = c->now, tlb_cycles = 0, data_cycles = 0;
    for (uint32_t i = 0; i < b->count; i++) {
        const struct core_step *s = &b->step[i];
        core_split_fetch(c, b, i);
        hv_cycles before = core_cycle_of(c, issued);
        issued += s->gap + (uint64_t)((s->flags & HV_ACCESS_SAME_INSTRUCTION) == 0);
        now += core_cycle_of(c, issued) - before + s->tlb_cycles;
        tlb_cycles += s->tlb_cycles;
        if (__builtin_expect((s->flags & STEP_WALKED) != 0, 0)) {
            core_split_fetch_way(c, way + 1);
            now = time_walk(c, s, way++, now);
        }
        hv_cycles done = time_reference(c, s, now);
        data_cycles += done - now;
        now = done;
    }
    c->stats.accesses += b->count;
    c->stats.instructions += issued - c->issued;
    c->stats.cycles_base += core_cycle_of(c, issued) - core_cycle_of(c, c->issued);
    c->stats.cycles_tlb += tlb_cycles;
    c->stats.cycles_data += data_cycles;
    c->issued = issued;
    c->now = now;
}

static hv_cycles begin_access(struct core *c, const struct hv_access *a, struct core_begun *begun)
{
    (void)begun;
    issue(c, a);
    return c->now;
}

static void end_access(struct core *c, const struct hv_access *a, const struct core_begun *begun, bool ok,
                       struct mmu_reply *reply)
{
    hv_hpa hpa;
    (void)begun;
    if (end_translation(c, a, ok, reply, &hpa, true)) {
        access_timed(c, a, hpa);
    }
}

static void execute_one(struct core *c, const struct hv_access *a)
{
    execute_timed(c, a);
}

const struct core_split_model core_inorder_split = {time_steps, begin_access, end_access, execute_one};
