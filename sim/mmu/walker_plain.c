/* SPDX-License-Identifier: MIT */
/*
 * The plain path of the timed walker: no page-walk caches, no nested TLB, nobody watching. A two-dimensional walk is
 * then 24 references of the same few kinds, most of them the same as in the walk before, and this file makes them
 * fast. It adds nothing to what walker.c means: the engine's own radix_feed() parts decide, results and counters are
 * the same, and everything rare goes back to the engine.
 */
#include "mmu/walker.h"

#include <string.h>

/* Remembers a reference just made. */
static void remember(const struct mmu *m, struct plain_run *run, unsigned step, unsigned level, uint64_t address)
{
    struct plain_ref cell = {.guest_step = (uint8_t)step, .host_level = (uint8_t)level};
    hv_hpa hpa = {address};
    plain_run_add(&m->plain, run, cell, physmem_pointer(m->memory, hpa, RADIX_ENTRY_BYTES), hpa);
}

__attribute__((noinline)) void walker_repeat_run(struct timed_walk *t, struct plain_run *run)
{
    struct mmu *m = t->m;
    for (uint32_t i = 0; i < run->refs; i++) {
        struct plain_ref ref = run->ref[i];
        uint64_t address = (uint64_t)((const uint8_t *)run->entry[ref.entry].bytes - m->memory->bytes);
        m->grid[ref.guest_step][ref.host_level].refs++;
        t->refs[ref.host_level != 0 ? HV_HOST : HV_GUEST]++;
        walker_charge(t, ref.guest_step, ref.host_level, walker_plain_read(m, address, t->now));
    }
    plain_run_find_lines(&m->plain, run);
}

/* A reference of the host walk has been made. */
static inline void count_host(struct timed_walk *t, unsigned step, unsigned level, hv_cycles cycles)
{
    t->m->grid[step][level].refs++;
    t->refs[HV_HOST]++;
    walker_charge(t, step, level, cycles);
}

/* Whether an entry is but a pointer to a table, with no flag to be set. */
static inline bool leads_on(const struct radix_mode *mode, unsigned level, uint64_t entry)
{
    return LIKELY(radix_classify(mode, level, entry) == RADIX_TABLE && (mode->accessed & ~entry) == 0);
}

/*
 * Goes down from t->w->host through pointers to tables until it stands at an entry of level `to`; false: at one
 * above that is something else. With nothing between the walker and the data caches this is the engine's own
 * radix_classify() and radix_descend(), and the engine need not be asked about each entry.
 */
static inline bool descend(struct timed_walk *t, unsigned step, unsigned to, struct plain_run *run)
{
    struct mmu *m = t->m;
    const struct radix_mode *mode = &m->env.host;
    struct radix_walk host = t->w->host;
    bool on = true;
    while (on && host.level > to) {
        uint64_t address = radix_entry_address(&host);
        uint64_t entry = physmem_read64(m->memory, (hv_hpa){address});
        on = leads_on(mode, host.level, entry);
        if (on) {
            count_host(t, step, host.level, walker_plain_read(m, address, t->now));
            radix_descend(&host, mode, entry);
            if (run != NULL) {
                remember(m, run, step, host.level + 1, address);
            }
        }
    }
    t->w->host = host;
    return on;
}

/* Stands where another walk stood, at the entry for its own address. */
static inline void go_to(struct radix_walk *walk, const struct radix_walk *other)
{
    walk->table = other->table;
    walk->permission = other->permission;
    walk->level = other->level;
}

/* Makes the references of a run of the host walk. */
static inline void repeat_host(struct timed_walk *t, unsigned step, struct plain_run *run, bool all_hit)
{
    if (all_hit) {
        walker_hit_host(t, step, run);
    } else {
        walker_repeat_run(t, run);
    }
    go_to(&t->w->host, &run->host);
}

/* Whether the host walk stands at a leaf entry: as good an end of a run as the level that it should lead to. */
static bool at_host_leaf(const struct timed_walk *t)
{
    uint64_t entry = physmem_read64(t->m->memory, (hv_hpa){radix_entry_address(&t->w->host)});
    return radix_classify(&t->m->env.host, t->w->host.level, entry) == RADIX_LEAF;
}

/* Goes down to an entry of level `to`, or what is above it and something else, as a run, repeated or remembered. */
static inline void descend_as_run(struct timed_walk *t, unsigned step, unsigned to, enum plain_part part)
{
    struct plain *plain = &t->m->plain;
    uint64_t key = t->w->gpa.v >> radix_shift(to + 1);
    struct plain_run *run = plain_run_of(plain, part, key);
    enum plain_repeat repeat = plain_run_repeats(plain, run, key);
    if (LIKELY(repeat != PLAIN_NEW)) {
        repeat_host(t, step, run, LIKELY(repeat == PLAIN_ALL_HIT));
        return;
    }
    plain_run_begin(run);
    if ((descend(t, step, to, run) || at_host_leaf(t)) && plain_run_end(plain, run, key)) {
        run->host = t->w->host;
    }
}

/* The entry that is no plain pointer to a table (a leaf, a fault, one whose flag is to be set) is the engine's. */
static inline __attribute__((always_inline)) enum walk_need feed_host(struct timed_walk *t, unsigned step,
                                                                      struct plain_run *run)
{
    struct mmu *m = t->m;
    unsigned level = t->w->host.level;
    uint64_t address = radix_entry_address(&t->w->host);
    count_host(t, step, level, walker_plain_read(m, address, t->now));
    uint64_t entry = physmem_read64(m->memory, (hv_hpa){address});
    if (run != NULL) {
        remember(m, run, step, level, address);
    }
    t->w->guest_step = step; /* as it is: but now the compiler knows it where it is a constant */
    t->w->host_level = level;
    t->w->update = 0;
    enum walk_need need = walk_feed_host(t->w, entry);
    if (UNLIKELY(t->w->update != 0)) {
        walker_update_flags(t, (hv_hpa){address}, step, level);
    }
    return need;
}

static inline void start_host(struct timed_walk *t)
{
    const struct mmu_env *env = &t->m->env;
    t->w->host = (struct radix_walk){t->w->gpa.v, env->host_root, RADIX_ALL, env->host.levels};
}

/* The host walk of a page that holds a table, and a part of the run if there is one. */
static enum walk_need translate_table(struct timed_walk *t, struct plain_run *run)
{
    unsigned step = t->w->guest_step;
    start_host(t);
    (void)descend(t, step, 1, run);
    return feed_host(t, step, run);
}

/* The host walk of the page that holds the guest's leaf table. */
static enum walk_need translate_leaf_table(struct timed_walk *t)
{
    start_host(t);
    descend_as_run(t, 1, 1, PLAIN_TABLE_PAGE);
    return feed_host(t, 1, NULL);
}

/* The host walk of the data page. */
static enum walk_need translate_data(struct timed_walk *t)
{
    start_host(t);
    descend_as_run(t, 0, 2, PLAIN_DATA_PAGE);
    (void)descend(t, 0, 1, NULL);
    return feed_host(t, 0, NULL);
}

/* A guest reference, and a part of the run if there is one. */
static inline enum walk_need read_guest(struct timed_walk *t, struct plain_run *run)
{
    struct mmu *m = t->m;
    unsigned step = t->w->guest_step;
    uint64_t address = t->w->read.v;
    hv_cycles cycles = walker_plain_read(m, address, t->now);
    uint64_t entry = physmem_read64(m->memory, (hv_hpa){address});
    m->grid[step][0].refs++;
    t->refs[HV_GUEST]++;
    walker_charge(t, step, 0, cycles);
    if (run != NULL) {
        remember(m, run, step, 0, address);
    }
    enum walk_need need = walk_feed(t->w, entry);
    if (UNLIKELY(t->w->update != 0)) {
        walker_update_flags(t, (hv_hpa){address}, step, 0);
    }
    if (step == 2) {
        lookahead_note(&m->lookahead, t->w->gva, address);
    }
    return need;
}

/*
 * All runs of the upper guest levels fill the same cells of the grid, unless the host's pages that hold tables differ
 * in size: then the runs remembered so far are forgotten, so that what a run adds is known without asking which.
 */
static void note_upper_cells(struct mmu *m, const struct plain_run *run)
{
    struct mmu_cell cells[MMU_GRID][MMU_GRID] = {{{0, 0}}};
    for (uint32_t i = 0; i < run->refs; i++) {
        struct mmu_cell *cell = &cells[run->ref[i].guest_step][run->ref[i].host_level];
        cell->refs++;
        cell->cycles += m->plain.cache->latency_cycles;
    }
    if (memcmp(cells, m->upper_cells, sizeof(cells)) != 0) {
        memcpy(m->upper_cells, cells, sizeof(cells));
        m->plain.generation++;
    }
}

/* The upper guest levels have been walked: the run ends, and the walk goes on to read the guest's level-2 entry. */
static enum walk_need end_upper(struct timed_walk *t, struct plain_run *run, enum walk_need need)
{
    struct mmu *m = t->m;
    bool whole = true;
    if (need == WALK_NESTED) {
        start_host(t);
        whole = descend(t, 2, 1, run) || at_host_leaf(t);
    }
    if (whole && run->refs <= PLAIN_RUN_REFS) {
        note_upper_cells(m, run);
        plain_run_end(&m->plain, run, t->w->gva.v >> radix_shift(3));
        run->guest = t->w->guest;
        run->host = t->w->host;
    }
    return need == WALK_NESTED ? feed_host(t, 2, NULL) : need;
}

/* Walks the upper guest levels, or to where something rare happens, and remembers the run. */
static __attribute__((noinline)) enum walk_need walk_upper(struct timed_walk *t, struct plain_run *run,
                                                           enum walk_need need)
{
    plain_run_begin(run);
    while (t->w->update == 0) { /* a flag that was set makes it another run the next time */
        bool reads = need == WALK_READ && t->w->host_level == 0;
        if (t->w->guest_step == 2 && (reads || need == WALK_NESTED)) {
            return end_upper(t, run, need);
        }
        if (t->w->guest_step < 2 || !(reads || need == WALK_NESTED)) {
            break;
        }
        need = reads ? read_guest(t, run) : translate_table(t, run);
    }
    return need;
}

/* Goes on from where a run of the upper guest levels has led. */
static inline enum walk_need resume_after_upper(struct timed_walk *t, const struct plain_run *run)
{
    go_to(&t->w->guest, &run->guest);
    enum walk_need need = walk_guest_entry(t->w);
    if (need == WALK_NESTED) {
        start_host(t);
        go_to(&t->w->host, &run->host);
        need = feed_host(t, 2, NULL);
    }
    return need;
}

/* The beginning of a walk: down to the table of the guest's level-2 entry, as a run if it can be one. */
static inline enum walk_need walk_or_repeat_upper(struct timed_walk *t, enum walk_need need)
{
    struct plain *plain = &t->m->plain;
    uint64_t key = t->w->gva.v >> radix_shift(3);
    struct plain_run *run = plain_run_of(plain, PLAIN_UPPER_GUEST, key);
    switch (plain_run_repeats(plain, run, key)) {
    case PLAIN_ALL_HIT:
        walker_hit_upper(t, run);
        return resume_after_upper(t, run);
    case PLAIN_SAME_WAY:
        walker_repeat_run(t, run);
        return resume_after_upper(t, run);
    case PLAIN_NEW:
        break;
    }
    return walk_upper(t, run, need);
}

static inline enum walk_need translate(struct timed_walk *t)
{
    switch (t->w->guest_step) {
    case 0:
        return translate_data(t);
    case 1:
        return translate_leaf_table(t);
    default:
        return translate_table(t, NULL);
    }
}

/*
 * A walk without page-walk caches, nested TLB and observer: 24 references of the same few kinds. What is rare is left
 * to the general driver: a need to go on in the middle of a host walk is handed back.
 */
enum walk_need walker_plain(struct timed_walk *t, enum walk_need need)
{
    bool begins = t->refs[HV_GUEST] + t->refs[HV_HOST] == 0;
    if (begins && need != WALK_FAULT && t->w->guest_step > 2) {
        need = walk_or_repeat_upper(t, need);
    }
    for (;;) {
        if (need == WALK_NESTED) {
            need = translate(t);
        } else if (need == WALK_READ && t->w->host_level == 0) {
            need = read_guest(t, NULL);
        } else {
            return need;
        }
    }
}
