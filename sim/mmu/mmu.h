/* SPDX-License-Identifier: MIT */
/*
 * The memory-management unit of a core: TLBs, page-walk caches, nested TLB and walkers around the walk engine.
 *
 * mmu_translate() is the whole story of one access: L1 TLB, L2 TLB, walk. Invalidation instructions are in
 * mmu_invalidate.c, the timed walk in walker.c, an untimed walk for checks in probe.c.
 *
 * MODEL: translations of guest-physical addresses are cached for the nested TLB and the host page-walk caches only
 * as parameters say; a silicon TLB may also keep them elsewhere. MODEL: a walk's references are serial, as on every
 * published part; no speculation past a table that is not yet there.
 */
#ifndef HV_MMU_MMU_H
#define HV_MMU_MMU_H

#include "base/histogram.h"
#include "base/tracepoint.h"
#include "mem/memory.h"
#include "mem/physmem.h"
#include "mmu/fault.h"
#include "mmu/lookahead.h"
#include "mmu/mmu_env.h"
#include "mmu/pending.h"
#include "mmu/plain_run.h"
#include "mmu/pwc.h"
#include "mmu/walk.h"
#include "mmu/walkers.h"

extern const char *const mmu_walk_entry_names[]; /* "l1d", "l2" */

enum mmu_prefetch { MMU_PREFETCH_NONE, MMU_PREFETCH_NEXT_PAGE };

extern const char *const mmu_prefetch_names[];

struct mmu_params {
#define P PARAM_MEMBER
#include "mmu/mmu_params.def"
#undef P
};

struct nested_tlb_params {
#define P PARAM_MEMBER
#include "mmu/nested_tlb_params.def"
#undef P
};

extern const struct param_row mmu_param_rows[], nested_tlb_param_rows[];
extern const size_t mmu_param_count, nested_tlb_param_count;

struct mmu_stats {
#define S STAT_MEMBER
#include "mmu/mmu_stats.def"
#undef S
};

struct nested_tlb_stats {
#define S STAT_MEMBER
#include "mmu/nested_tlb_stats.def"
#undef S
};

extern const struct stat_row mmu_stat_rows[], nested_tlb_stat_rows[];
extern const size_t mmu_stat_count, nested_tlb_stat_count;

/* All that an MMU is built from. */
struct mmu_config {
    struct mmu_params mmu;
    struct pwc_params pwc;
    struct pwc_level_params pwc_level[2][PWC_LEVELS]; /* by enum hv_dimension and level */
    struct nested_tlb_params nested_tlb;
    struct tlb_params tlb[TLB_UNITS];
    enum mmu_prefetch prefetch;
    bool tagged;      /* false: every change of address space or mode flushes */
    bool flags;       /* guest paging keeps accessed and dirty flags */
    bool check_stale;
};

/* Cells of the walk's grid: [0] is the data page (row) and the guest entry (column), 1..5 are levels. */
enum { MMU_GRID = RADIX_MAX_LEVELS + 1 };

struct mmu_cell {
    uint64_t refs;
    uint64_t cycles;
};

/* What an observer of walks (the explainer, a test) is told. */
enum mmu_event_kind {
    MMU_EVENT_TLB_HIT, MMU_EVENT_TLB_MISS, MMU_EVENT_PWC_HIT, MMU_EVENT_NESTED_HIT, MMU_EVENT_NESTED_MISS,
    MMU_EVENT_READ, MMU_EVENT_UPDATE, MMU_EVENT_DONE, MMU_EVENT_FAULT
};

struct mmu_event {
    enum mmu_event_kind kind;
    hv_cycles start, cycles;  /* when it began, how long it took */
    hv_cycles queue_cycles;   /* DONE, FAULT: how long it had waited for a walker before */
    uint8_t guest_step, host_level; /* grid cell */
    bool from_pwc;            /* MMU_EVENT_READ: a cache of entries answered */
    enum mem_level level;     /* MMU_EVENT_READ: else who did */
    uint64_t address;         /* READ: of the entry (hPA); PWC_HIT: table found (hPA); NESTED_*: the gPA */
    uint64_t value;           /* READ: the entry; UPDATE: the bits set; NESTED_HIT, TLB_HIT, DONE: the payload */
    enum tlb_level tlb_level; /* TLB_*: which level */
    const struct hv_fault *fault;
};

struct mmu_observer {
    void (*event)(void *ctx, const struct mmu_event *event); /* NULL: nobody watches */
    void *ctx;
};

/*
 * Page-modification logging (SDM Vol. 3C 29.3.6; 28.3.6 before 2022): with mmu_regs.log_dirty asked before a walk sets a
 * dirty flag of the second dimension for a page. False: the log is full, the flag stays as it is and the walk ends in an
 * HV_FAULT_VIOLATION, which whoever refused knows better.
 */
struct mmu_log {
    bool (*dirty)(void *ctx, hv_gpa address);
    void *ctx;
};

/*
 * The way of a walk that goes like one made before: all that it takes to make its references. What the entries say is
 * known then, and what the references cost is not.
 */
struct mmu_way {
    uint64_t address[PLAIN_SINGLES]; /* of the entries between its runs */
    uint64_t payload;                /* the walk's result */
    uint32_t run[PLAIN_PARTS];       /* which of the runs of each part */
};

/*
 * Translations that run ahead of time (for a caller that says it is time 0). A walk's way is handed on, and timed later
 * by mmu_time_walk(), maybe in another thread of the host, which alone uses walkers and knows what is under way.
 */
struct mmu_handover {
    struct mmu_way *way; /* where the way of the next walk goes; there is room */
    /*
     * A walk that cannot be handed on: times all that was, and ends the handing on (mmu.handover is NULL then).
     * Returns the time at which the access begins.
     */
    hv_cycles (*settle)(void *ctx);
    void *ctx;
};

struct mmu {
    struct tlb_levels tlb;
    char apart_tlb[CACHE_LINE_BYTES]; /* who translates writes what precedes, and others read what follows */
    struct tlb *first_4k[HV_ACCESS_KINDS], *second_4k; /* what holds 4K pages in each level; NULL: nothing does */
    struct mmu_env env;
    struct pwc pwc;
    struct tlb nested_tlb;
    hv_cycles nested_tlb_latency;
    struct tlb_spaces spaces;
    struct mmu_features features;
    struct mem_path *path;
    struct physmem *memory;
    enum mem_entry walk_entry;
    bool tagged;
    bool check_stale;
    bool watched;    /* check_stale is on, or there is an observer: translations take the slow path */
    bool merge_walks;
    enum mmu_prefetch prefetch;
    bool serial;     /* no walk begins before the last is over: none waits for a walker, and none is reserved */
    struct mmu_observer observer;
    struct mmu_log log;
    const struct trace_points *trace;
    struct plain plain;
    struct lookahead lookahead;
    struct mmu_handover *handover; /* NULL: walks are timed when they are made */
    char apart_stats[CACHE_LINE_BYTES]; /* who times walks writes what follows, and reads little of what precedes */
    struct walkers walkers;
    struct pending pending;
    struct mmu_stats stats;
    struct nested_tlb_stats nested_tlb_stats;
    struct mmu_cell grid[MMU_GRID][MMU_GRID]; /* [guest step][host level] */
    struct mmu_cell upper_cells[MMU_GRID][MMU_GRID]; /* what a run of PLAIN_UPPER_GUEST adds to the grid */
    struct histogram walk_cycles;
    char apart_rest[CACHE_LINE_BYTES];
    struct stale *stale; /* check.stale: what stale.c keeps */
};

/* The memory path and physical memory outlive the MMU. `trace` may not be NULL. */
bool mmu_init(struct mmu *m, const struct mmu_config *config, struct mem_path *path, struct physmem *memory,
              const struct trace_points *trace, struct hv_err *err);
void mmu_fini(struct mmu *m);

/* Zeroes the counters and histograms only (the end of a warm-up). */
void mmu_reset_stats(struct mmu *m);

/*
 * Enters a context: new control registers, VPID, EPTP. Nothing is invalidated; the instruction that changes the
 * registers (mmu_mov_cr3, a VM entry) does what the architecture says.
 */
void mmu_set_context(struct mmu *m, const struct mmu_regs *regs);

/* What one translation came to. */
struct mmu_reply {
    hv_hpa hpa;                /* valid when the call returned true */
    hv_cycles tlb_cycles;      /* lookups of the TLB levels */
    bool second_level;         /* the second level had it */
    bool walked;               /* the fields below are valid */
    hv_cycles walk_guest_cycles, walk_host_cycles; /* of the walk, by dimension */
    hv_cycles queue_cycles;    /* waiting for a walker */
    struct hv_fault fault;     /* valid when the call returned false */
};

static inline enum tlb_level mmu_first_level(enum hv_access_kind access)
{
    return access == HV_FETCH ? TLB_LEVEL_L1I : TLB_LEVEL_L1D;
}

/* Whether an address has the form that the paging mode can translate (SDM Vol. 1 3.3.7.1). */
static inline bool mmu_canonical(const struct mmu *m, hv_gva gva)
{
    unsigned spare = 64u - m->env.linear_bits;
    return (uint64_t)((int64_t)(gva.v << spare) >> spare) == gva.v;
}

/* The parts of mmu_translate() that are not the common case: behind a first-level miss, and with somebody watching. */
bool mmu_translate_miss(struct mmu *m, hv_gva gva, enum hv_access_kind access, hv_cycles now, struct mmu_reply *reply);
bool mmu_translate_watched(struct mmu *m, hv_gva gva, enum hv_access_kind access, hv_cycles now,
                           struct mmu_reply *reply);

/* Translates one access starting at `now`. False: reply->fault says why. */
static inline __attribute__((always_inline)) bool mmu_translate(struct mmu *m, hv_gva gva,
                                                                enum hv_access_kind access, hv_cycles now,
                                                                struct mmu_reply *reply)
{
    struct tlb_hit hit;
    if (__builtin_expect(m->watched || !mmu_canonical(m, gva), 0)) {
        return mmu_translate_watched(m, gva, access, now, reply);
    }
    if (tlb_levels_lookup(&m->tlb, mmu_first_level(access), gva.v, m->env.view, &m->env.needs[access], &hit)) {
        reply->hpa = tlb_entry_address(hit.payload, gva.v, hv_page_shift(hit.size));
        reply->tlb_cycles = hit.latency_cycles;
        reply->second_level = reply->walked = false;
        return true;
    }
    return mmu_translate_miss(m, gva, access, now, reply);
}

/* The same, for a caller that expects a first-level miss: shorter in the common case. */
bool mmu_translate_plain(struct mmu *m, hv_gva gva, enum hv_access_kind access, hv_cycles now,
                         struct mmu_reply *reply);

/* Lets an observer watch every translation from now on (NULL event: nobody). */
void mmu_observe(struct mmu *m, struct mmu_observer observer);

/* --- walker.c ------------------------------------------------------------------------------------------------ */

struct mmu_walk_reply {
    struct walk walk;     /* result, size or fault */
    bool ok;
    hv_cycles done;
    hv_cycles guest_cycles, host_cycles, queue_cycles;
};

/* One timed walk, started when a walker is free. Fills no TLB. */
void mmu_walk(struct mmu *m, hv_gva gva, enum hv_access_kind access, hv_cycles now, struct mmu_walk_reply *reply);

/*
 * A translation that missed the TLBs at `now` and that was handed on: makes its walk, unless it can join one under
 * way. Completes the reply's times; reply->tlb_cycles is what the TLBs took, and grows if the walk is joined.
 */
void mmu_time_walk(struct mmu *m, hv_gva gva, enum hv_access_kind access, const struct mmu_way *way, hv_cycles now,
                   struct mmu_reply *reply);

/* The first half of that: a walk that can be handed on (mmu_handover). False, with nothing done: this one cannot. */
bool mmu_hand_over(struct mmu *m, hv_gva gva, enum hv_access_kind access, struct mmu_walk_reply *reply);

/*
 * Little's law for walkers: the integral of the number of walkers taken over time is the sum of what each walk and
 * prefetch took, or it is a simulator bug.
 */
void mmu_check_walkers(const struct mmu *m);

/* --- pending.c ----------------------------------------------------------------------------------------------- */

/* The part of mmu_pending_until() while some walk is under way. */
hv_cycles mmu_pending_wait(struct mmu *m, hv_gva gva, hv_cycles now);

/*
 * An access at `now` has found its page in a TLB: when the translation is there. That is `now` unless the walk that
 * brings it is still under way (see pending.h). Without mmu.merge_walks the access makes a walk of its own on the next
 * free walker, and this is its end.
 */
static inline hv_cycles mmu_pending_until(struct mmu *m, hv_gva gva, hv_cycles now)
{
    return __builtin_expect(pending_possible(&m->pending, gva, now), 0) ? mmu_pending_wait(m, gva, now) : now;
}

/* Whether an access that finds its page in a TLB at `now` has to walk nevertheless: only without mmu.merge_walks. */
bool mmu_walks_again(struct mmu *m, hv_gva gva, hv_cycles now);

/*
 * An access has missed the TLBs at now + reply->tlb_cycles. If the walk of its page is under way and its result serves
 * the access, fills the TLBs, completes the reply and returns true.
 */
bool mmu_join_walk(struct mmu *m, hv_gva gva, enum hv_access_kind access, hv_cycles now, struct mmu_reply *reply);

/* The part of that which is a matter of time: tlb_cycles grow by the waiting. Returns the walk's payload; 0: none. */
uint64_t mmu_join_in_time(struct mmu *m, hv_gva gva, enum hv_access_kind access, hv_cycles now,
                          struct mmu_reply *reply, enum hv_page_size *size);

/* A walk's result has been put into the TLBs, from which nobody may have it before the walk's end. */
void mmu_pending_note(struct mmu *m, const struct mmu_walk_reply *walked);

/* Translations have been invalidated: what is under way is not what it was. */
void mmu_pending_forget(struct mmu *m);

/* --- prefetch.c ---------------------------------------------------------------------------------------------- */

/* tlb.prefetch: behind the walk of a second-level miss, walks for the page that follows. */
void mmu_prefetch(struct mmu *m, const struct mmu_walk_reply *demand);

/* A second-level hit is the first use of a prefetched translation: counts it, and takes the mark off. */
void mmu_prefetch_used(struct mmu *m, hv_gva gva, struct tlb_hit *hit);

/* --- probe.c ------------------------------------------------------------------------------------------------- */

/*
 * The same walk without time, caches, counters or flag updates: what memory says now. Never changes anything.
 */
bool mmu_probe(const struct mmu *m, hv_gva gva, enum hv_access_kind access, struct walk *walk);

/* Walks until the guest entry at `level` would be read: walk->read says in which table. False: it stopped before. */
bool mmu_probe_guest_table(const struct mmu *m, hv_gva gva, enum hv_access_kind access, unsigned level,
                           struct walk *walk);

/*
 * Translates a gPA alone: to its page (stop_level 0: walk->host_payload, host_size), or to the table at a level. The
 * caller has set walk->leaf, which says whether a fetch is from a user-mode address.
 */
bool mmu_probe_host(const struct mmu *m, hv_gpa gpa, enum hv_access_kind access, unsigned stop_level,
                    struct walk *walk);

/* --- mmu_invalidate.c ---------------------------------------------------------------------------------------- */

/* Everything goes: power-on, an untagged machine's transition. */
void mmu_flush_all(struct mmu *m);

/* INVLPG in the current context. */
void mmu_invlpg(struct mmu *m, hv_gva gva);

enum mmu_invpcid { MMU_INVPCID_ADDRESS, MMU_INVPCID_CONTEXT, MMU_INVPCID_ALL_GLOBAL, MMU_INVPCID_ALL };

/* INVPCID in the current context (its VPID); false: the type or the descriptor is one that the SDM answers by #GP. */
bool mmu_invpcid(struct mmu *m, uint64_t type, uint64_t pcid, hv_gva gva);

enum mmu_invept { MMU_INVEPT_CONTEXT = 1, MMU_INVEPT_ALL = 2 };

/* INVEPT by EPTP; false: an unsupported type (VMfail with error 28). */
bool mmu_invept(struct mmu *m, uint64_t type, uint64_t eptp);

enum mmu_invvpid {
    MMU_INVVPID_ADDRESS, MMU_INVVPID_CONTEXT, MMU_INVVPID_ALL, MMU_INVVPID_CONTEXT_KEEP_GLOBAL
};

/* INVVPID; false: an unsupported type, VPID 0 where it is not allowed, or a non-canonical address (error 28). */
bool mmu_invvpid(struct mmu *m, uint64_t type, uint16_t vpid, hv_gva gva);

/* MOV to CR3: bit 63 of the value keeps the PCID's translations when CR4.PCIDE is set. */
void mmu_mov_cr3(struct mmu *m, uint64_t value);

/* MOV to CR0 or CR4, WRMSR of IA32_EFER: new registers, and the flush that the changed bits call for. */
void mmu_mov_control(struct mmu *m, uint64_t cr0, uint64_t cr4, uint64_t efer);

/* A VM entry or exit to the context in regs: with VPID 0 linear and combined mappings of VPID 0 are lost. */
void mmu_vm_transition(struct mmu *m, const struct mmu_regs *regs);

/* What a fault removes for its own address (SDM Vol. 3A 4.10.4.1, Vol. 3C 29.4.3.1). */
void mmu_drop_faulting(struct mmu *m, const struct hv_fault *fault);

/* --- stale.c ------------------------------------------------------------------------------------------------- */

struct stale *stale_new(void);
void stale_free(struct stale *s);

/* check.stale: a cached translation was used; is it still what memory says? Each finding is kept and counted. */
void stale_check_page(struct mmu *m, hv_gva gva, enum hv_access_kind access, uint64_t payload,
                      enum hv_page_size size, hv_cycles now);
void stale_check_nested(struct mmu *m, const struct walk *w, uint64_t payload, enum hv_page_size size,
                        hv_cycles now);
void stale_check_table(struct mmu *m, enum hv_dimension d, hv_gva gva, uint64_t address,
                       const struct pwc_table *found, hv_cycles now);

/* The same of an entry that a cache of entries gave in place of the one at w->read. */
void stale_check_entry(struct mmu *m, const struct walk *w, uint64_t cached, hv_cycles now);

/* A page translation was cached: remembers the guest-physical address it went through. */
void stale_note_fill(struct mmu *m, const struct walk *walk);

/* The findings as sentences, first come first; returns how many were kept. */
size_t stale_report(const struct mmu *m, FILE *out);

#endif
