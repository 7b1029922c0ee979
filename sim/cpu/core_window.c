/* SPDX-License-Identifier: MIT */
#include "cpu/core_window.h"

#include <stdlib.h>
#include <string.h>

#include "cpu/core_split.h"
#include "cpu/core_window_access.h"

/* --- State ------------------------------------------------------------------------------------------------------ */

static void *take_memory(uint64_t count, size_t bytes)
{
    void *memory = calloc(count, bytes);
    HV_ASSERT(memory != NULL, "out of memory");
    return memory;
}

void core_window_init(struct core *c, const struct core_params *params)
{
    struct core_window *w = &c->window;
    uint32_t steps = 1;
    while (steps < params->rob) {
        steps *= 2;
    }
    w->rob = params->rob;
    w->stores = (uint32_t)params->store_buffer;
    w->mshrs = (uint32_t)params->mshrs;
    w->places = cache_present(&c->path->l1d) ? assoc_slots(&c->path->l1d.lines) : 1;
    w->step_mask = steps - 1;
    w->steps = take_memory(steps, sizeof(*w->steps));
    w->store_written = take_memory(w->stores + 1, sizeof(*w->store_written));
    w->mshr_places = (w->mshrs + MSHRS_AT_ONCE - 1) / MSHRS_AT_ONCE * MSHRS_AT_ONCE;
    w->mshr_free = take_memory(w->mshr_places, sizeof(*w->mshr_free));
    w->line_there = take_memory(w->places, sizeof(*w->line_there));
    w->hit_slots = c->path->l1d.latency_cycles * c->width;
    for (unsigned kind = 0; kind < HV_ACCESS_KINDS; kind++) {
        w->tlb_slots[kind] = c->fast[kind].tlb_cycles * c->width;
    }
}

void core_window_fini(struct core *c)
{
    struct core_window *w = &c->window;
    free(w->steps);
    free(w->store_written);
    free(w->mshr_free);
    free(w->line_there);
}

static void forget_steps(struct core_window *w)
{
    w->step_count = 0;
    w->step_leaves = UINT64_MAX;
}

void core_window_start(struct core *c)
{
    struct core_window *w = &c->window;
    /* Time is never behind what issuing alone has taken; the part of a cycle that has issued stays. */
    w->retire_lag_slots = (c->now - core_cycle_of(c, c->issued)) * c->width;
    w->dispatch_lag_slots = w->retire_lag_slots;
    w->load_done_slots = w->walks_end_slots = 0;
    memset(w->store_written, 0, w->stores * sizeof(*w->store_written));
    for (uint32_t i = 0; i < w->mshr_places; i++) {
        w->mshr_free[i] = i < w->mshrs ? 0 : MSHR_NEVER;
    }
    memset(w->line_there, 0, w->places * sizeof(*w->line_there));
    forget_steps(w);
}

void core_window_drain(struct core *c, hv_cycles cycles)
{
    struct core_window *w = &c->window;
    w->retire_lag_slots += cycles * c->width;
    w->dispatch_lag_slots = w->retire_lag_slots;
    forget_steps(w);
}

/* --- Dispatch --------------------------------------------------------------------------------------------------- */

/* Puts dispatch off, from this instruction on; returns for how many cycles. */
static hv_cycles delay_dispatch(struct core *c, uint64_t number, uint64_t lag_slots)
{
    struct core_window *w = &c->window;
    hv_cycles before = core_cycle_of(c, number + w->dispatch_lag_slots);
    w->dispatch_lag_slots = lag_slots;
    return core_cycle_of(c, number + lag_slots) - before;
}

__attribute__((noinline)) void core_window_leave_steps(struct core *c, uint64_t number)
{
    struct core_window *w = &c->window;
    uint64_t lag = 0;
    while (w->step_count > 0 && w->steps[w->step_first].number + w->rob <= number) {
        lag = w->steps[w->step_first].lag_slots;
        w->step_first = (w->step_first + 1) & w->step_mask;
        w->step_count--;
    }
    w->step_leaves = w->step_count > 0 ? w->steps[w->step_first].number + w->rob : UINT64_MAX;
    if (lag + 1 > w->dispatch_lag_slots + w->rob) {
        c->stats.rob_full_cycles += delay_dispatch(c, number, lag + 1 - w->rob);
    }
}

__attribute__((noinline)) void core_window_wait_for_store_buffer(struct core *c, uint64_t number, uint64_t free_slot)
{
    c->stats.store_buffer_full_cycles += delay_dispatch(c, number, free_slot - number);
}

/* --- Retirement ------------------------------------------------------------------------------------------------- */

/* Of the cycles between `from` and *end, takes those after the slot `begin` off the end; returns how many. */
static hv_cycles take_back(const struct core *c, hv_cycles from, hv_cycles *end, uint64_t begin)
{
    hv_cycles at = core_cycle_of(c, begin);
    at = at > from ? at : from;
    hv_cycles taken = *end > at ? *end - at : 0;
    *end -= taken;
    return taken;
}

/* Nothing retires from now to `end`: each of these cycles goes to what the access was doing in it. */
static void blame(struct core *c, const struct life *l, hv_cycles end)
{
    struct core_stats *s = &c->stats;
    s->cycles_data += take_back(c, c->now, &end, l->data);
    hv_cycles walk = take_back(c, c->now, &end, l->walk);
    if (walk > 0) {
        hv_cycles guest = walk * l->walk_guest_cycles / (l->walk_guest_cycles + l->walk_host_cycles);
        s->cycles_walk_guest += guest;
        s->cycles_walk_host += walk - guest;
    }
    s->cycles_tlb += take_back(c, c->now, &end, l->start);
    s->cycles_data += end - c->now;
}

__attribute__((noinline)) void core_window_stall(struct core *c, const struct life *l)
{
    struct core_window *w = &c->window;
    hv_cycles end = core_cycle_of(c, l->done);
    blame(c, l, end);
    c->now = end;
    w->retire_lag_slots = l->done - l->number;
    uint32_t last = (w->step_first + w->step_count - 1) & w->step_mask;
    if (w->step_count == 0 || w->steps[last].number != l->number) {
        w->step_leaves = w->step_count == 0 ? l->number + w->rob : w->step_leaves;
        w->step_count++;
        last = (last + 1) & w->step_mask;
    }
    w->steps[last] = (struct window_step){l->number, w->retire_lag_slots};
}

/* --- Translation ------------------------------------------------------------------------------------------------ */

bool core_window_end_translation(struct core *c, const struct hv_access *a, struct life *l, bool ok,
                                 struct mmu_reply *reply, hv_hpa *hpa)
{
    for (unsigned tries = 0;; tries++) {
        add_translation(c, a, l, reply);
        if (__builtin_expect(ok, 1)) {
            *hpa = reply->hpa;
            return true;
        }
        l->done = l->data;
        retire(c, *l);
        if (tries == CORE_MAX_RETRIES || !core_handle_fault(c, &reply->fault)) {
            c->stats.aborted++;
            return false;
        }
        l->start = l->number + c->window.dispatch_lag_slots;
        hv_cycles now = core_cycle_of(c, l->start);
        ok = mmu_translate_plain(c->mmu, a->gva, (enum hv_access_kind)a->kind, now, reply);
    }
}

/* --- The stream ------------------------------------------------------------------------------------------------- */

/* An element that is no access. It happens when all before has retired, and what follows waits for it. */
CORE_RARE void execute_event(struct core *c, const struct hv_access *event)
{
    retire_in_turn(c, core_count(c, event));
    core_window_drain(c, 0);
    c->software.event(c->software.ctx, event);
}

/* What remains of an access whose page is not where the last look-up found it. */
CORE_RARE void execute_rest(struct core *c, const struct hv_access *a, uint64_t number, uint64_t start)
{
    hv_hpa hpa;
    struct life l = {.number = number, .start = start};
    struct mmu_reply reply;
    bool ok = mmu_translate_plain(c->mmu, a->gva, (enum hv_access_kind)a->kind, core_cycle_of(c, start), &reply);
    if (core_window_end_translation(c, a, &l, ok, &reply, &hpa)) {
        reference(c, a, l, hpa);
    }
}

CORE_INLINE void execute(struct core *c, const struct hv_access *a)
{
    if (__builtin_expect(a->kind == HV_EVENT, 0)) {
        execute_event(c, a);
        return;
    }
    hv_hpa hpa;
    uint64_t number = core_count(c, a), start = dispatch(c, a, number);
    if (core_find_page(c, a, &hpa)) {
        uint64_t there = page_there(c, a, start + c->window.tlb_slots[a->kind]);
        reference(c, a, (struct life){.number = number, .start = start, .walk = there, .data = there}, hpa);
    } else {
        execute_rest(c, a, number, start);
    }
}

size_t core_window_run(struct core *c, const struct hv_access *accesses, size_t count)
{
    return core_execute_each(c, accesses, count, execute);
}

/* --- On two threads of the host (core_split.h) ------------------------------------------------------------------- */

/* What a translation takes that has missed the first TLB level, at the time when it is there. */
static void time_translation(struct core *c, const struct core_step *s, hv_gva gva, const struct mmu_way *way,
                             hv_cycles now, struct mmu_reply *reply)
{
    hv_cycles looked_up = now + reply->tlb_cycles;
    reply->walked = (s->flags & STEP_WALKED) != 0;
    if (reply->walked) {
        mmu_time_walk(c->mmu, gva, (enum hv_access_kind)s->kind, way, looked_up, reply);
    } else if ((s->flags & STEP_SECOND) != 0) {
        reply->tlb_cycles = mmu_pending_until(c->mmu, gva, looked_up) - now;
    }
}

static void time_steps(struct core *c, const struct core_step_block *b)
{
    const struct mmu_way *way = b->way;
    uint64_t number = c->issued;
    for (uint32_t i = 0; i < b->count; i++) {
        const struct core_step *s = &b->step[i];
        const struct hv_access a = {.gva = b->gva[i], .kind = s->kind, .flags = s->flags};
        core_split_fetch(c, b, i);
        number += s->gap + (uint64_t)((s->flags & HV_ACCESS_SAME_INSTRUCTION) == 0);
        uint64_t start = dispatch(c, &a, number);
        struct life l = {.number = number, .start = start};
        if (__builtin_expect((s->flags & (STEP_WALKED | STEP_SECOND)) == 0, 1)) {
            l.walk = l.data = page_there(c, &a, start + (uint64_t)s->tlb_cycles * c->width);
        } else {
            struct mmu_reply reply = {.tlb_cycles = s->tlb_cycles};
            core_split_fetch_way(c, way + 1);
            time_translation(c, s, a.gva, way, core_cycle_of(c, start), &reply);
            way += (s->flags & STEP_WALKED) != 0;
            add_translation(c, &a, &l, &reply);
        }
        reference(c, &a, l, s->hpa);
    }
    c->stats.accesses += b->count;
    c->stats.instructions += number - c->issued;
    c->issued = number;
}

static hv_cycles begin_access(struct core *c, const struct hv_access *a, struct core_begun *begun)
{
    begun->number = core_count(c, a);
    begun->start = dispatch(c, a, begun->number);
    return core_cycle_of(c, begun->start);
}

static void end_access(struct core *c, const struct hv_access *a, const struct core_begun *begun, bool ok,
                       struct mmu_reply *reply)
{
    struct life l = {.number = begun->number, .start = begun->start};
    hv_hpa hpa;
    if (core_window_end_translation(c, a, &l, ok, reply, &hpa)) {
        reference(c, a, l, hpa);
    }
}

static void execute_one(struct core *c, const struct hv_access *a)
{
    execute(c, a);
}

const struct core_split_model core_window_split = {time_steps, begin_access, end_access, execute_one};
