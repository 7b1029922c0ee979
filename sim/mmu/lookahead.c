/* SPDX-License-Identifier: MIT */
/*
 * A walk over a large footprint spends most of the host's time waiting for its own memory: the simulated page-table
 * leaves and the tags of the large simulated caches. The stream tells what will be needed, so each access goes through
 * the page tables in stages on its way to execution. Each stage reads an entry and asks the host for the next one, and
 * for the tags of the large cache that its line will be looked up in. The tables above level 2 are few and so are in
 * the host's caches anyway; where the guest's table of level-2 entries lies is remembered from earlier walks. Pages
 * are taken for small ones: what comes of it for others is never used.
 */
#include "mmu/lookahead.h"

#include "mmu/mmu.h"

/* How many groups before its execution each stage handles a group: the stage reads ... */
enum {
    AHEAD_DATA = 1, /* the host's level-1 entry for the data page: where the data lies */
    AHEAD_HOST,     /* the host's level-2 entry for it */
    AHEAD_GPA,      /* the guest's level-1 entry */
    AHEAD_GUEST,    /* the host's level-1 entry for the page that holds that */
    AHEAD_TABLE,    /* the guest's level-2 entry */
    AHEAD_CHOICE,   /* nothing: the group begins */
};

_Static_assert((int)AHEAD_CHOICE < (int)LOOKAHEAD_RING, "a group keeps its place until its last stage");

/* The address of an entry in a table. */
static inline uint64_t entry_in(uint64_t table, unsigned level, uint64_t address)
{
    return table + (address >> radix_shift(level) & 511) * RADIX_ENTRY_BYTES;
}

/* The host's table of level-2 entries for an address; beyond all memory if there is none. */
static inline uint64_t host_table2(const struct mmu *m, uint64_t gpa)
{
    uint64_t table = m->env.host_root;
    for (unsigned level = m->env.host.levels; level > 2; level--) {
        table = physmem_read64(m->memory, (hv_hpa){entry_in(table, level, gpa)}) & RADIX_ADDRESS_MASK;
    }
    return table;
}

/* What the entry that an access stands at points to; beyond all memory if it stands at none. */
static inline uint64_t read_entry(const struct lookahead_slot *slot)
{
    return (slot->entry != NULL ? *slot->entry : UINT64_MAX) & RADIX_ADDRESS_MASK;
}

/*
 * Always inlined: a function whose only effect is a prefetch has none in the compiler's eyes, and calls of it vanish.
 */
#define PREFETCHER static inline __attribute__((always_inline))

PREFETCHER void prefetch_llc(const struct mmu *m, uint64_t hpa)
{
    if (m->lookahead.llc != NULL) {
        cache_prefetch_tags(m->lookahead.llc, hpa >> CACHE_LINE_SHIFT);
    }
}

/* Goes on to an entry: fetches it, and the tags of the large cache that its line will be looked up in. */
PREFETCHER void go_to_entry(const struct mmu *m, struct lookahead_slot *slot, uint64_t address)
{
    hv_hpa entry = {address & ~(uint64_t)(RADIX_ENTRY_BYTES - 1)}; /* whatever was left of another context */
    slot->entry = physmem_pointer(m->memory, entry, RADIX_ENTRY_BYTES);
    if (slot->entry != NULL) {
        __builtin_prefetch(slot->entry, 0, 2);
        prefetch_llc(m, address);
    }
}

/* Whether a structure holds the 4K page of an address now; says nothing to its replacement policy. */
static bool holds(const struct tlb *t, uint64_t page, uint64_t key)
{
    return tlb_present(t) && assoc_scan(&t->entries, assoc_set(&t->entries, page), key, 0) != ASSOC_NONE;
}

/*
 * Only accesses that will walk are worth the stages: not those to pages that were seen a moment ago, nor those that
 * the second level of TLBs holds now and so mostly will then.
 */
static inline bool may_walk(struct mmu *m, hv_gva gva)
{
    uint64_t page = tlb_page_number(gva.v, HV_PAGE_SHIFT);
    uint32_t *seen = &m->lookahead.seen[page % LOOKAHEAD_SEEN], number = (uint32_t)page;
    bool lately = *seen == number;
    *seen = number;
    return !lately && !holds(&m->tlb.unit[TLB_L2], page, tlb_key(page, HV_PAGE_4K, m->env.view.space));
}

/* Chooses the accesses of the next group that are worth looking at: on to the guest's level-2 entries. */
static void choose(struct mmu *m, struct lookahead_group *group)
{
    struct lookahead *l = &m->lookahead;
    const struct hv_access *access = l->chosen;
    size_t left = (size_t)(l->end - access);
    const struct hv_access *end = access + (left < LOOKAHEAD_SPAN ? left : LOOKAHEAD_SPAN);
    uint32_t count = 0;
    group->begin = access;
    for (; access < end && count < LOOKAHEAD_GROUP; access++) {
        group->slot[count].gva = access->gva.v;
        count += may_walk(m, access->gva);
    }
    group->count = count;
    l->chosen = access;
    for (unsigned i = 0; i < count; i++) {
        struct lookahead_slot *slot = &group->slot[i];
        uint64_t table = (uint64_t)*lookahead_frame_of(l, (hv_gva){slot->gva}) << HV_PAGE_SHIFT;
        go_to_entry(m, slot, entry_in(table, 2, slot->gva));
    }
}

/* The guest's level-2 entries are here: on to the host's entries for the pages of leaf tables, or to the leaves. */
static void find_table(const struct mmu *m, struct lookahead_group *group)
{
    for (unsigned i = 0; i < group->count; i++) {
        struct lookahead_slot *slot = &group->slot[i];
        uint64_t leaf = entry_in(read_entry(slot), 1, slot->gva);
        if (m->env.nested) {
            hv_hpa above = {entry_in(host_table2(m, leaf), 2, leaf)};
            slot->gpa = leaf;
            leaf = entry_in(physmem_read64(m->memory, above) & RADIX_ADDRESS_MASK, 1, leaf);
        }
        go_to_entry(m, slot, leaf);
    }
}

/* On to the guest's leaf entries. Only with two dimensions, as all that follows. */
static void find_guest(const struct mmu *m, struct lookahead_group *group)
{
    for (unsigned i = 0; i < group->count; i++) {
        struct lookahead_slot *slot = &group->slot[i];
        go_to_entry(m, slot, read_entry(slot) | (slot->gpa & (HV_PAGE_BYTES - 1)));
    }
}

/* The guest's leaves are here: on to the host's level-2 entries, or to the data. */
static void follow_guest(const struct mmu *m, struct lookahead_group *group)
{
    for (unsigned i = 0; i < group->count; i++) {
        struct lookahead_slot *slot = &group->slot[i];
        slot->gpa = read_entry(slot) | (slot->gva & (HV_PAGE_BYTES - 1));
        if (m->env.nested) {
            go_to_entry(m, slot, entry_in(host_table2(m, slot->gpa), 2, slot->gpa));
        } else {
            prefetch_llc(m, slot->gpa);
        }
    }
}

static void find_host(const struct mmu *m, struct lookahead_group *group)
{
    for (unsigned i = 0; i < group->count; i++) {
        struct lookahead_slot *slot = &group->slot[i];
        go_to_entry(m, slot, entry_in(read_entry(slot), 1, slot->gpa));
    }
}

static void find_data(const struct mmu *m, const struct lookahead_group *group)
{
    for (unsigned i = 0; i < group->count; i++) {
        const struct lookahead_slot *slot = &group->slot[i];
        prefetch_llc(m, read_entry(slot) | (slot->gpa & (HV_PAGE_BYTES - 1)));
    }
}

/* Each group passes its next stage, and a new one the first. */
static void pass_stages(struct mmu *m)
{
    struct lookahead *l = &m->lookahead;
    struct lookahead_group *ring = l->ring;
    uint32_t first = l->first;
    choose(m, &ring[(first + AHEAD_CHOICE) % LOOKAHEAD_RING]);
    find_table(m, &ring[(first + AHEAD_TABLE) % LOOKAHEAD_RING]);
    if (m->env.nested) {
        find_guest(m, &ring[(first + AHEAD_GUEST) % LOOKAHEAD_RING]);
    }
    follow_guest(m, &ring[(first + AHEAD_GPA) % LOOKAHEAD_RING]);
    if (m->env.nested) {
        find_host(m, &ring[(first + AHEAD_HOST) % LOOKAHEAD_RING]);
        find_data(m, &ring[(first + AHEAD_DATA) % LOOKAHEAD_RING]);
    }
    l->first = (first + 1) % LOOKAHEAD_RING;
    l->turn = ring[l->first].begin;
}

void mmu_look_ahead_turn(struct mmu *m)
{
    const struct hv_access *now = m->lookahead.turn;
    while (m->lookahead.turn == now) { /* groups are empty where the accesses had ended before more of them came */
        pass_stages(m);
    }
}

void mmu_look_ahead_begin(struct mmu *m, const struct hv_access *accesses, size_t count)
{
    struct lookahead *l = &m->lookahead;
    l->end = accesses + count;
    if (accesses == l->executed && (uintptr_t)l->chosen <= (uintptr_t)l->end) {
        return; /* the rest of what was looked at before */
    }
    l->chosen = accesses;
    for (unsigned i = 0; i < LOOKAHEAD_RING; i++) {
        l->ring[i].begin = accesses;
        l->ring[i].count = 0;
    }
    for (unsigned i = 0; i < AHEAD_CHOICE; i++) { /* now the first group has passed all its stages */
        pass_stages(m);
    }
}
