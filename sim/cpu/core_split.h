/* SPDX-License-Identifier: MIT */
/*
 * A lone core on two threads of the host. What an access finds in the TLBs, and which entries a walk reads, depends on
 * the order of accesses alone; what it costs depends on caches, walkers and memory, which translations do not see. So
 * the first thread translates, ahead of time, and hands each access on to the second, which makes the references and
 * lets the time pass. Results are those of core_run(), to the last bit.
 *
 * Whatever is neither (an event, a fault, a walk that is not like one before) waits until the second thread has done
 * everything that precedes it, and is then executed whole by the first.
 */
#ifndef HV_CPU_CORE_SPLIT_H
#define HV_CPU_CORE_SPLIT_H

#include "cpu/core.h"

/* From now on the core may use a second thread of the host. */
void core_split_allow(struct core *c);

/*
 * Whether the core may run so now: its model can, nobody watches it or waits for a time of its, and it has not been
 * waiting for the second thread too often lately. Takes the thread at the first time. Until core_split_end() what time
 * changes (core.now, statistics, caches) belongs to the second thread.
 */
bool core_split_begin(struct core *c);

/*
 * core_run() of some elements; how many of them are accesses goes to *accesses. Ends early, with fewer elements, when
 * one has changed what the software wants of the core; then, as at any time, core_split_end() is due.
 */
size_t core_split_run(struct core *c, const struct hv_access *elements, size_t count, uint64_t *accesses);

/* Whether so few elements have had to wait for the second thread that it is worth while to go on. */
bool core_split_pays(const struct core *c);

/* All that has been handed on is done: the core is as core_run() leaves it. */
void core_split_end(struct core *c);

/* How many accesses have been handed on so far; those that waited for the second thread are not among them. */
uint64_t core_split_handed(const struct core *c);

/* Gives the thread back. */
void core_split_fini(struct core *c);

/* ---- What the models of a core do in it; for sim/cpu/core*.c only ----------------------------------------------- */

enum {
    SPLIT_STEPS = 256,     /* accesses that are handed on together */
    STEP_WALKED = 1u << 7, /* a flag of a step beside HV_ACCESS_*: it missed the TLBs, and its way is the next one */
    STEP_SECOND = 1u << 6, /* another: the second TLB level had its page */
};

_Static_assert(((STEP_WALKED | STEP_SECOND) & (HV_ACCESS_DEPENDENT | HV_ACCESS_SAME_INSTRUCTION)) == 0,
               "a step has its access's flags as well");

/* An access as the second thread has to know it. */
struct core_step {
    hv_hpa hpa;
    uint32_t gap;
    uint8_t kind, flags;
    uint16_t tlb_cycles;
};

struct core_step_block {
    uint32_t count;
    struct core_step step[SPLIT_STEPS];
    struct mmu_way way[SPLIT_STEPS + 1]; /* the last is never one */
    hv_gva gva[SPLIT_STEPS]; /* by step; in model window only, where a page may be on its way */
};

/* Where an access that is executed whole stands between its beginning and its translation. */
struct core_begun {
    uint64_t number, start; /* in model window: of its instruction, and its slot */
};

struct core_split_model {
    /* The second thread: time passes for all steps of a block. */
    void (*time)(struct core *c, const struct core_step_block *block);
    /* An access begins, at the time that is returned; and goes on from what its translation has come to. */
    hv_cycles (*begin)(struct core *c, const struct hv_access *a, struct core_begun *begun);
    void (*end)(struct core *c, const struct hv_access *a, const struct core_begun *begun, bool ok,
                struct mmu_reply *reply);
    /* An element, whole. */
    void (*execute)(struct core *c, const struct hv_access *a);
};

extern const struct core_split_model core_inorder_split, core_window_split;

/* Asks the host for the tags of the large caches that a step a little later will be looked up in. */
static inline __attribute__((always_inline)) void core_split_fetch(const struct core *c,
                                                                   const struct core_step_block *b, uint32_t i)
{
    enum { AHEAD = 8, STEPS_AHEAD = 32 };
    const struct cache *l2 = &c->path->l2, *llc = &c->path->shared->llc;
    __builtin_prefetch(&b->step[(i + STEPS_AHEAD) % SPLIT_STEPS], 0, 3);
    if (l2->packed.words != NULL && llc->packed.words != NULL) {
        uint64_t line = cache_line(b->step[(i + AHEAD) % SPLIT_STEPS].hpa);
        cache_prefetch_tags(l2, line);
        cache_prefetch_tags(llc, line);
    }
}

/* The same of the references of a walk; `way` may be behind the last one. */
static inline __attribute__((always_inline)) void core_split_fetch_way(const struct core *c, const struct mmu_way *way)
{
    const struct cache *llc = &c->path->shared->llc;
    if (llc->packed.words != NULL) {
        for (unsigned i = PLAIN_GUEST2; i < PLAIN_SINGLES; i++) {
            cache_prefetch_tags(llc, way->address[i] >> CACHE_LINE_SHIFT);
        }
    }
}

#endif
