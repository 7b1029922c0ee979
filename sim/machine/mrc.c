/* SPDX-License-Identifier: MIT */
#include "machine/mrc.h"

#include <stdlib.h>
#include <string.h>

#include "base/interrupt.h"
#include "base/progress.h"
#include "base/stack_distance.h"

enum { KNOWN_PAGES = 1 << 16 /* translations kept at hand, a power of two */ };

/* A translation that was looked up in the page tables, by 4 KiB page: they do not change. */
struct known_page {
    uint64_t page; /* number + 1; 0: nothing */
    uint64_t payload;
    enum hv_page_size size;
};

/* A set-associative TLB of one size: each set's keys, the most recent first. 0: empty. */
struct tag_array {
    uint64_t sets;
    uint64_t *keys;
};

struct measurement {
    struct machine_core *core;
    const struct mrc_request *request;
    struct mrc *result;
    struct known_page *known;
    struct stack_distance stack;   /* fully associative */
    uint64_t *found_at;            /* by place: how often */
    struct tag_array *arrays;      /* set-associative: one for each size */
};

static bool is_full(const struct mrc_request *request)
{
    return request->ways == PARAM_WAYS_FULL;
}

bool mrc_check(const struct machine_params *p, const struct mrc_request *request, struct hv_err *err)
{
    for (size_t i = 0; i < request->count; i++) {
        uint64_t size = request->sizes[i];
        if (!is_full(request) && size % request->ways != 0) {
            return hv_fail(err, "--sizes: %llu entries cannot be divided into sets of %llu ways; choose multiples of "
                           "them, or --ways full", (unsigned long long)size, (unsigned long long)request->ways);
        }
    }
    if (p->machine.cores != 1 || p->vm.count != 1 || p->vm.vcpus > 1 || p->sched.processes != 1) {
        return hv_fail(err, "a miss-ratio curve is that of one process: set machine.cores, vm.count, vm.vcpus and "
                       "sched.processes to 1");
    }
    if (!p->paging.prefault || !p->paging.preset_flags) {
        return hv_fail(err, "a miss-ratio curve needs translations that stay as they are: set paging.prefault and "
                       "paging.preset_flags to true");
    }
    if ((p->tlb[TLB_L2].sizes & (1u << HV_PAGE_4K | 1u << HV_PAGE_2M)) == 0) {
        return hv_fail(err, "tlb.l2.sizes holds neither 4k nor 2m pages, so the curve would be empty");
    }
    return true;
}

/* --- one access ------------------------------------------------------------------------------------------------- */

/* What the page tables say about an address; NULL when it is not mapped, which no access of a stream is. */
static const struct known_page *translation_of(struct measurement *s, hv_gva gva, enum hv_access_kind access)
{
    uint64_t page = (gva.v >> HV_PAGE_SHIFT) + 1;
    struct known_page *known = &s->known[page % KNOWN_PAGES];
    if (known->page != page) {
        struct walk walk;
        if (!mmu_probe(&s->core->mmu, gva, access, &walk)) {
            return NULL;
        }
        *known = (struct known_page){page, walk.result, (enum hv_page_size)walk.size};
    }
    return known;
}

/* Uses a key in an array; whether it was there. */
static bool use_tags(struct tag_array *a, uint64_t ways, uint64_t page, uint64_t key)
{
    uint64_t *set = &a->keys[page % a->sets * ways];
    uint64_t moved = set[0];
    set[0] = key;
    for (uint64_t way = 1; moved != key && way < ways; way++) {
        uint64_t next = set[way];
        set[way] = moved;
        moved = next;
    }
    return moved == key;
}

/* The second level of every size is asked for a page that its structure holds. */
static void use_second_level(struct measurement *s, uint64_t page, uint64_t key)
{
    if (is_full(s->request)) {
        s->found_at[stack_distance_use(&s->stack, key)]++;
        return;
    }
    for (size_t i = 0; i < s->request->count; i++) {
        s->result->misses[i] += !use_tags(&s->arrays[i], s->request->ways, page, key);
    }
}

static void count_miss_of_all(struct measurement *s)
{
    for (size_t i = 0; i < s->request->count; i++) {
        s->result->misses[i]++;
    }
}

/* A page whose size is kept by another structure of the second level, or by none: the same for every size of this one. */
static void use_other_structure(struct measurement *s, hv_gva gva, const struct known_page *page)
{
    struct mmu *m = &s->core->mmu;
    const struct tlb_level_state *l = &m->tlb.level[TLB_LEVEL_L2];
    struct tlb_probe to = l->fill[page->size];
    if (!l->holds[page->size] || tlb_lookup(&m->tlb.unit[to.unit], gva.v, to.size, m->env.view.space) == NULL) {
        count_miss_of_all(s);
        tlb_levels_fill(&m->tlb, TLB_LEVEL_L2, gva.v, m->env.view, page->size, page->payload);
    }
}

static bool first_level_miss(struct measurement *s, hv_gva gva, enum hv_access_kind access)
{
    struct mmu *m = &s->core->mmu;
    const struct known_page *page = translation_of(s, gva, access);
    if (page == NULL) {
        return false;
    }
    const struct tlb_level_state *l = &m->tlb.level[TLB_LEVEL_L2];
    struct tlb_probe to = l->fill[page->size];
    s->result->lookups++;
    if (l->holds[page->size] && to.unit == TLB_L2) {
        uint64_t number = tlb_page_number(gva.v, hv_page_shift((enum hv_page_size)to.size));
        use_second_level(s, number, tlb_key(number, to.size, m->env.view.space));
    } else {
        use_other_structure(s, gva, page);
    }
    tlb_levels_fill(&m->tlb, mmu_first_level(access), gva.v, m->env.view, page->size, page->payload);
    return true;
}

/* --- the pass --------------------------------------------------------------------------------------------------- */

static void start_counting(struct measurement *s)
{
    memset(s->result->misses, 0, sizeof(s->result->misses));
    s->result->accesses = s->result->instructions = s->result->lookups = 0;
    if (s->found_at != NULL) {
        memset(s->found_at, 0, (s->stack.depth + 1) * sizeof(*s->found_at));
    }
}

/* Executes one element; false with a sentence when the curve cannot say what it does. */
static bool execute(struct measurement *s, const struct hv_access *a, struct hv_err *err)
{
    struct mmu *m = &s->core->mmu;
    struct tlb_hit hit;
    if (a->kind == HV_EVENT) {
        return hv_fail(err, "the stream holds an event (%s), which changes translations; a miss-ratio curve needs a "
                       "stream without", hv_event_rows[a->bytes].name);
    }
    enum hv_access_kind kind = (enum hv_access_kind)a->kind;
    s->result->accesses++;
    s->result->instructions += a->gap + (uint64_t)((a->flags & HV_ACCESS_SAME_INSTRUCTION) == 0);
    if (tlb_levels_lookup(&m->tlb, mmu_first_level(kind), a->gva.v, m->env.view, &m->env.needs[kind], &hit)) {
        return true;
    }
    return first_level_miss(s, a->gva, kind) ||
           hv_fail(err, "the stream touches %#llx, which is not mapped", (unsigned long long)a->gva.v);
}

static void set_up(struct measurement *s)
{
    uint64_t largest = s->request->sizes[s->request->count - 1];
    s->known = calloc(KNOWN_PAGES, sizeof(*s->known));
    HV_ASSERT(s->known != NULL, "out of memory");
    if (is_full(s->request)) {
        stack_distance_init(&s->stack, (uint32_t)largest);
        s->found_at = calloc(largest + 1, sizeof(*s->found_at));
        HV_ASSERT(s->found_at != NULL, "out of memory");
        return;
    }
    s->arrays = calloc(s->request->count, sizeof(*s->arrays));
    HV_ASSERT(s->arrays != NULL, "out of memory");
    for (size_t i = 0; i < s->request->count; i++) {
        s->arrays[i] = (struct tag_array){s->request->sizes[i] / s->request->ways,
                                          calloc(s->request->sizes[i], sizeof(uint64_t))};
        HV_ASSERT(s->arrays[i].keys != NULL, "out of memory");
    }
}

/* A cache of E entries misses what was found beyond place E, or not at all (place 0). */
static void sum_up(struct measurement *s)
{
    uint64_t place = 0, hits = 0, uses = 0;
    for (uint64_t i = 0; i <= s->stack.depth; i++) {
        uses += s->found_at[i];
    }
    for (size_t i = 0; i < s->request->count; i++) {
        while (place < s->request->sizes[i]) {
            hits += s->found_at[++place];
        }
        s->result->misses[i] += uses - hits;
    }
}

static void tear_down(struct measurement *s)
{
    if (is_full(s->request)) {
        sum_up(s);
        stack_distance_fini(&s->stack);
        free(s->found_at);
    }
    for (size_t i = 0; s->arrays != NULL && i < s->request->count; i++) {
        free(s->arrays[i].keys);
    }
    free(s->arrays);
    free(s->known);
}

/* Executes a batch; the warm-up ends behind its last access. */
static bool execute_batch(struct measurement *s, const struct hv_access *batch, size_t count, uint64_t *warmup,
                          struct hv_err *err)
{
    for (size_t i = 0; i < count; i++) {
        if (!execute(s, &batch[i], err)) {
            return false;
        }
        if (*warmup > 0 && --*warmup == 0) {
            start_counting(s);
        }
    }
    return true;
}

static bool pass(struct measurement *s, struct progress *progress, struct hv_err *err)
{
    struct machine_task *t = &s->core->schedule.vcpus[0].tasks[0];
    uint64_t warmup = s->core->machine->params.workload.warmup, done = 0;
    for (;;) {
        size_t count = workload_next(t->workload, t->batch, MACHINE_BATCH, err);
        if (count == (size_t)-1) {
            return false;
        }
        if (count == 0) {
            return true;
        }
        if (!execute_batch(s, t->batch, count, &warmup, err)) {
            return false;
        }
        progress_update(progress, done += count);
        if (interrupt_requested()) {
            s->result->complete = false;
            return true;
        }
    }
}

bool mrc_measure(struct machine *m, const struct mrc_request *request, struct mrc *result, struct hv_err *err)
{
    struct measurement s = {.core = &m->cores[0], .request = request, .result = result};
    struct progress progress = {0};
    memset(result, 0, sizeof(*result));
    result->complete = true;
    set_up(&s);
    if (request->show_progress) {
        progress_init(&progress, stderr, "mrc", "accesses", m->total);
    }
    bool ok = pass(&s, &progress, err);
    progress_fini(&progress);
    tear_down(&s);
    return ok;
}
