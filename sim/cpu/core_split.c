/* SPDX-License-Identifier: MIT */
#include "cpu/core_split.h"

#include <stdlib.h>

#include "base/relay.h"
#include "cpu/core_access.h"

enum {
    SPLIT_SETTLES = 64, /* it is not worth while when one element in so many waits for the second thread ... */
    SPLIT_NAP = 1 << 14, /* ... or this thread slept once in so many, because the host has better to do; ... */
    SPLIT_NAPS = 8,      /* ... (more often than a few times) ... */
    SPLIT_PAUSE = 16,    /* ... then it is not tried again so many times, and the next time ... */
    SPLIT_PAUSE_MAX = 1024, /* ... for twice as long, up to this, until it does pay */
};

/* The first thread's. */
struct core_split {
    struct relay *relay;
    const struct core_split_model *model;
    struct mmu_handover handover;
    struct core_step_block *block; /* that is being filled */
    bool window;                   /* its gva are asked for */
    const struct hv_access *at;    /* the access that is being translated ... */
    struct core_begun begun;       /* ... and where it stands, if ... */
    bool settled;                  /* ... its translation has had to be made in time */
    uint64_t settles, elements, walks, naps; /* since core_split_begin() */
    uint64_t handed;               /* accesses, ever */
    unsigned pause, next_pause;    /* how often it is still not tried, and would not be after the next failure */
    const struct cache *llc;       /* whose tags look-ahead fetches otherwise: now the second thread does */
};

static void take_steps(void *ctx, void *block)
{
    struct core *c = ctx;
    c->split->model->time(c, block);
}

/* ---- Handing on ------------------------------------------------------------------------------------------------- */

static void take_block(struct core_split *s)
{
    s->block = relay_block(s->relay);
    s->block->count = 0;
    s->handover.way = s->block->way;
}

static void pass_block(struct core_split *s)
{
    s->handed += s->block->count;
    relay_pass(s->relay);
    take_block(s);
}

CORE_INLINE void give(struct core_split *s, const struct hv_access *a, hv_hpa hpa, hv_cycles tlb_cycles,
                      unsigned flags)
{
    struct core_step_block *b = s->block;
    if (s->window) {
        b->gva[b->count] = a->gva;
    }
    b->step[b->count++] = (struct core_step){
        .hpa = hpa, .gap = a->gap, .kind = a->kind, .flags = (uint8_t)(a->flags | flags),
        .tlb_cycles = (uint16_t)tlb_cycles,
    };
    if (b->count == SPLIT_STEPS) {
        pass_block(s);
    }
}

/* ---- In time ---------------------------------------------------------------------------------------------------- */

/* Until resume() this thread is alone. */
static void settle(struct core *c)
{
    struct core_split *s = c->split;
    if (s->block->count > 0) {
        pass_block(s);
    }
    relay_settle(s->relay);
    c->mmu->handover = NULL;
}

static void resume(struct core *c)
{
    c->mmu->handover = &c->split->handover;
}

/* mmu_handover.settle: the access begins. */
static hv_cycles settle_for_walk(void *ctx)
{
    struct core *c = ctx;
    struct core_split *s = c->split;
    settle(c);
    s->settled = true;
    s->settles++;
    return s->model->begin(c, s->at, &s->begun);
}

/* An element that is executed whole, when all before it are done. */
CORE_RARE void execute_in_time(struct core *c, const struct hv_access *a)
{
    struct core_split *s = c->split;
    settle(c);
    s->settles++;
    s->model->execute(c, a);
    resume(c);
}

/* ---- The stream ------------------------------------------------------------------------------------------------- */

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
    bool ok = mmu_translate_plain(c->mmu, a->gva, (enum hv_access_kind)a->kind, 0, &reply);
    s->walks += reply.walked;
    if (s->settled) {
        s->model->end(c, a, &s->begun, ok, &reply);
        resume(c);
    } else {
        give(s, a, reply.hpa, reply.tlb_cycles, reply.walked ? STEP_WALKED : reply.second_level ? STEP_SECOND : 0);
    }
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

bool core_split_pays(const struct core *c)
{
    const struct core_split *s = c->split;
    return s->settles * SPLIT_SETTLES <= s->elements + SPLIT_STEPS * SPLIT_SETTLES &&
           relay_naps(s->relay) - s->naps <= SPLIT_NAPS + s->elements / SPLIT_NAP;
}

/* ---- Beginning and end ------------------------------------------------------------------------------------------ */

/* The model's part; NULL: it has none. */
static const struct core_split_model *model_of(const struct core *c)
{
    const struct mmu *m = c->mmu;
    switch (c->model) {
    case CORE_INORDER:
        return m->serial ? &core_inorder_split : NULL;
    case CORE_WINDOW: /* whether a page is walked for again would depend on time */
        return m->merge_walks && m->prefetch == MMU_PREFETCH_NONE ? &core_window_split : NULL;
    case CORE_FUNCTIONAL:
        break;
    }
    return NULL;
}

/* Whether nothing that the core does can matter to anybody before it is over. */
static bool is_alone(const struct core *c)
{
    return !c->mmu->watched && c->activity == NULL && c->horizon == UINT64_MAX && c->mmu->trace->enabled == 0 &&
           c->path->shared != NULL;
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

/* Whether there is a second thread. */
static bool start(struct core *c)
{
    struct core_split *s = c->split;
    if (s->relay == NULL) {
        s->relay = relay_new(sizeof(struct core_step_block), take_steps, c);
    }
    return s->relay != NULL;
}

void core_split_allow(struct core *c)
{
    if (c->split == NULL) {
        c->split = calloc(1, sizeof(*c->split)); /* without it the core runs on one thread */
    }
    if (c->split != NULL) {
        c->split->next_pause = SPLIT_PAUSE;
    }
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
    const struct core_split_model *model = model_of(c);
    if (model == NULL || !start(c)) {
        return false;
    }
    s->model = model;
    s->window = c->model == CORE_WINDOW;
    s->settles = s->elements = s->walks = 0;
    s->naps = relay_naps(s->relay);
    s->llc = c->mmu->lookahead.llc;
    c->mmu->lookahead.llc = NULL;
    s->handover.settle = settle_for_walk;
    s->handover.ctx = c;
    take_block(s);
    resume(c);
    return true;
}

void core_split_end(struct core *c)
{
    struct core_split *s = c->split;
    settle(c);
    c->stats.cycles = c->now - c->started;
    c->mmu->lookahead.llc = s->llc;
    if (core_split_pays(c)) {
        s->next_pause = SPLIT_PAUSE;
        return;
    }
    s->pause = s->next_pause;
    s->next_pause = s->pause < SPLIT_PAUSE_MAX ? s->pause * 2 : SPLIT_PAUSE_MAX;
}

uint64_t core_split_handed(const struct core *c)
{
    return c->split != NULL ? c->split->handed : 0;
}

void core_split_fini(struct core *c)
{
    if (c->split != NULL) {
        relay_free(c->split->relay);
        free(c->split);
        c->split = NULL;
    }
}
