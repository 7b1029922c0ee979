/* SPDX-License-Identifier: MIT */
#include "cpu/core_split.h"

#include <stdlib.h>

#include "base/relay.h"
#include "cpu/core_inorder.h"

enum {
    SPLIT_STEPS = 128,       /* accesses that are handed on together */
    SPLIT_FETCH_AHEAD = 8,   /* so many accesses before its turn the host fetches what one will need */
    SPLIT_SETTLES = 64,      /* it is not worth while when one element in so many waits for the second thread ... */
    SPLIT_PAUSE = 16,        /* ... and then not tried again so many times */
    STEP_WALKED = 1u << 7,   /* a flag of a step beside HV_ACCESS_*: its walk is the next in `ways` */
};

/* What the second thread has to know of an access. */
struct step {
    hv_hpa hpa;
    uint32_t gap;
    uint8_t kind, flags;
    uint16_t tlb_cycles;
};

struct step_block {
    uint32_t count;
    struct step step[SPLIT_STEPS];
    struct mmu_way way[SPLIT_STEPS];
};

/* The first thread's. */
struct core_split {
    struct relay *relay;
    struct mmu_handover handover;
    struct step_block *block;     /* that is being filled */
    const struct hv_access *at;   /* the access that is being translated */
    bool settled;                 /* its translation has had to be made in time */
    uint64_t settles, elements, walks; /* since core_split_begin() */
    unsigned pause;
    const struct cache *llc;      /* whose tags look-ahead fetches otherwise: now the second thread does */
};

/* ---- The second thread ------------------------------------------------------------------------------------------ */

static void time_walk(struct core *c, const struct mmu_way *way)
{
    struct mmu_walk_reply walked;
    mmu_time_walk(c->mmu, way, c->now, &walked);
    core_wait_for_walk(c, walked.guest_cycles, walked.host_cycles);
}

/* Asks the host for the tags of the large caches that an access a little later will be looked up in. */
static inline __attribute__((always_inline)) void fetch_ahead(const struct mem_path *p, const struct step *s)
{
    if (p->l2.packed.words != NULL && p->shared->llc.packed.words != NULL) {
        cache_prefetch_tags(&p->l2, cache_line(s->hpa));
        cache_prefetch_tags(&p->shared->llc, cache_line(s->hpa));
    }
}

static void time_steps(void *ctx, void *work)
{
    struct core *c = ctx;
    const struct step_block *b = work;
    const struct mmu_way *way = b->way;
    for (uint32_t i = 0; i < b->count; i++) {
        const struct step *s = &b->step[i];
        const struct hv_access a = {.gap = s->gap, .kind = s->kind, .flags = s->flags};
        fetch_ahead(c->path, &b->step[(i + SPLIT_FETCH_AHEAD) % SPLIT_STEPS]);
        core_issue(c, &a);
        core_wait_for_tlb(c, s->tlb_cycles);
        if (__builtin_expect((s->flags & STEP_WALKED) != 0, 0)) {
            time_walk(c, way++);
        }
        core_access_timed(c, &a, s->hpa);
    }
}

/* ---- The first thread ------------------------------------------------------------------------------------------- */

static void take_block(struct core_split *s)
{
    s->block = relay_block(s->relay);
    s->block->count = 0;
    s->handover.way = s->block->way;
}

static void pass_block(struct core_split *s)
{
    relay_pass(s->relay);
    take_block(s);
}

static void settle(struct core_split *s)
{
    if (s->block->count > 0) {
        pass_block(s);
    }
    relay_settle(s->relay);
}

CORE_INLINE void give(struct core_split *s, const struct hv_access *a, hv_hpa hpa, hv_cycles tlb_cycles, unsigned flags)
{
    struct step_block *b = s->block;
    b->step[b->count++] = (struct step){
        .hpa = hpa, .gap = a->gap, .kind = a->kind, .flags = (uint8_t)(a->flags | flags),
        .tlb_cycles = (uint16_t)tlb_cycles,
    };
    if (b->count == SPLIT_STEPS) {
        pass_block(s);
    }
}

/* mmu_handover.settle: a walk has to be made in time; the access issues. */
static hv_cycles settle_for_walk(void *ctx)
{
    struct core *c = ctx;
    struct core_split *s = c->split;
    settle(s);
    s->settled = true;
    s->settles++;
    c->mmu->handover = NULL;
    core_issue(c, s->at);
    return c->now;
}

/* An element that is executed whole, when all before it are done. */
CORE_RARE void execute_in_time(struct core *c, const struct hv_access *a)
{
    struct core_split *s = c->split;
    settle(s);
    s->settles++;
    c->mmu->handover = NULL;
    core_execute_inorder(c, a);
    s->handover.since = c->now;
    c->mmu->handover = &s->handover;
}

/* The rest of an access whose translation has been made in time. */
static void end_in_time(struct core *c, const struct hv_access *a, bool ok, struct mmu_reply *reply)
{
    struct core_split *s = c->split;
    hv_hpa hpa;
    if (core_end_translation(c, a, ok, reply, &hpa, true)) {
        core_access_timed(c, a, hpa);
    }
    s->handover.since = c->now;
    c->mmu->handover = &s->handover;
}

/* An access that is not in the first TLB level, or not where it was found last time. */
CORE_RARE void translate_ahead(struct core *c, const struct hv_access *a)
{
    struct core_split *s = c->split;
    struct mmu_reply reply;
    if (!mmu_canonical(c->mmu, a->gva)) {
        execute_in_time(c, a);
        return;
    }
    s->at = a;
    s->settled = false;
    bool ok = mmu_translate_plain(c->mmu, a->gva, (enum hv_access_kind)a->kind, s->handover.since, &reply);
    s->walks += reply.walked;
    if (s->settled) {
        end_in_time(c, a, ok, &reply);
        return;
    }
    give(s, a, reply.hpa, reply.tlb_cycles, reply.walked ? STEP_WALKED : 0);
}

CORE_INLINE void translate_one(struct core *c, const struct hv_access *a)
{
    hv_hpa hpa;
    if (__builtin_expect(a->kind == HV_EVENT, 0)) {
        execute_in_time(c, a);
    } else if (core_find_page(c, a, &hpa)) {
        give(c->split, a, hpa, c->fast[a->kind].tlb_cycles, 0);
    } else {
        translate_ahead(c, a);
    }
}

bool core_split_pays(const struct core *c)
{
    const struct core_split *s = c->split;
    return s->settles * SPLIT_SETTLES <= s->elements + SPLIT_STEPS * SPLIT_SETTLES;
}

size_t core_split_run(struct core *c, const struct hv_access *elements, size_t count, uint64_t *accesses)
{
    struct core_split *s = c->split;
    struct lookahead *ahead = &c->mmu->lookahead;
    uint64_t walks = s->walks, events = 0;
    size_t i = 0;
    if (c->look_ahead) {
        mmu_look_ahead_begin(c->mmu, elements, count);
    }
    for (; i < count && c->horizon == UINT64_MAX; i++) {
        if (__builtin_expect(c->look_ahead && &elements[i] == ahead->turn, 0)) {
            mmu_look_ahead_turn(c->mmu);
        }
        events += elements[i].kind == HV_EVENT;
        translate_one(c, &elements[i]);
    }
    ahead->executed = elements + i;
    c->look_ahead = (s->walks - walks) * CORE_LOOK_AHEAD_WALKS > i;
    s->elements += i;
    *accesses = i - events;
    return i;
}

/* ---- Beginning and end ------------------------------------------------------------------------------------------ */

/* Whether nothing that the core does can matter to anybody before it is over. */
static bool is_alone(const struct core *c)
{
    const struct mmu *m = c->mmu;
    return c->model == CORE_INORDER && m->serial && !m->watched && c->activity == NULL && c->horizon == UINT64_MAX &&
           m->trace->enabled == 0 && c->path->shared != NULL;
}

/* A step has room for the latencies of the TLBs. */
static bool latencies_fit(const struct mmu *m)
{
    bool fit = true;
    for (unsigned unit = 0; unit < TLB_UNITS; unit++) {
        fit &= m->tlb.latency_cycles[unit] <= UINT16_MAX;
    }
    return fit;
}

static bool start(struct core *c)
{
    struct core_split *s = c->split;
    if (s->relay != NULL) {
        return true;
    }
    s->relay = relay_new(sizeof(struct step_block), time_steps, c);
    return s->relay != NULL;
}

bool core_split_begin(struct core *c)
{
    struct core_split *s = c->split;
    if (s == NULL || !is_alone(c) || !latencies_fit(c->mmu)) {
        return false;
    }
    if (s->pause > 0) {
        s->pause--;
        return false;
    }
    if (!start(c)) {
        return false;
    }
    take_block(s);
    s->settles = s->elements = s->walks = 0;
    s->llc = c->mmu->lookahead.llc;
    c->mmu->lookahead.llc = NULL;
    s->handover.since = c->now;
    s->handover.settle = settle_for_walk;
    s->handover.ctx = c;
    c->mmu->handover = &s->handover;
    return true;
}

void core_split_end(struct core *c)
{
    struct core_split *s = c->split;
    settle(s);
    c->mmu->handover = NULL;
    c->stats.cycles = c->now - c->started;
    s->pause = core_split_pays(c) ? 0 : SPLIT_PAUSE;
    c->mmu->lookahead.llc = s->llc;
}

void core_split_allow(struct core *c)
{
    if (c->split == NULL) {
        c->split = calloc(1, sizeof(*c->split));
    }
}

void core_split_fini(struct core *c)
{
    if (c->split != NULL) {
        relay_free(c->split->relay);
        free(c->split);
        c->split = NULL;
    }
}
