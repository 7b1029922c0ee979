/* SPDX-License-Identifier: MIT */
/*
 * A walk over a large footprint spends most of the host's time waiting for its own memory: the simulated page-table
 * leaves and the tags of the large simulated caches. The stream tells what will be needed, so each access passes
 * five stages on its way to execution, each of which asks the host for the lines that the next one reads.
 */
#include "mmu/lookahead.h"

#include <stdlib.h>

#include "base/bigmem.h"
#include "mmu/mmu.h"

/* How many groups before its execution each stage handles a group. */
enum { AHEAD_DATA = 1, AHEAD_HOST, AHEAD_GPA, AHEAD_GUEST, AHEAD_HINT };

_Static_assert((int)AHEAD_HINT < (int)LOOKAHEAD_RING, "a group keeps its place until its last stage");

void lookahead_init(struct lookahead *l)
{
    l->guest = bigmem_take(LOOKAHEAD_REGIONS, sizeof(*l->guest));
    l->host = bigmem_take(LOOKAHEAD_REGIONS, sizeof(*l->host));
    HV_ASSERT(l->guest != NULL && l->host != NULL, "out of memory");
}

void lookahead_fini(struct lookahead *l)
{
    free(l->guest);
    free(l->host);
    l->guest = l->host = NULL;
}

/* The entry for a 4K page in the leaf table that a hint names; NULL when that is nowhere in memory. */
static const uint64_t *leaf_entry(const struct mmu *m, const struct lookahead_hint *hint, uint64_t address)
{
    hv_hpa entry = {((uint64_t)hint->leaf_frame << HV_PAGE_SHIFT) +
                    (address >> HV_PAGE_SHIFT & 511) * RADIX_ENTRY_BYTES};
    return physmem_pointer(m->memory, entry, RADIX_ENTRY_BYTES);
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

/* Fetches a leaf entry and the tags of the large cache that its line will be looked up in. */
PREFETCHER void prefetch_entry(const struct mmu *m, const uint64_t *entry)
{
    if (entry != NULL) {
        __builtin_prefetch(entry, 0, 2);
        prefetch_llc(m, (uint64_t)((const uint8_t *)entry - m->memory->bytes));
    }
}

/* The same for a line that a hint names. */
PREFETCHER void prefetch_line(const struct mmu *m, uint32_t line)
{
    prefetch_entry(m, physmem_pointer(m->memory, (hv_hpa){(uint64_t)line << CACHE_LINE_SHIFT}, RADIX_ENTRY_BYTES));
}

/* Whether a structure holds the 4K page of an address now; says nothing to its replacement policy. */
static bool holds(const struct tlb *t, uint64_t page, uint64_t key)
{
    return tlb_present(t) && assoc_scan(&t->entries, assoc_set(&t->entries, page), key, 0) != ASSOC_NONE;
}

/*
 * What the TLBs hold some accesses before, they will mostly hold then; only the others are worth the stages. The first
 * level is asked for its hint only: what that overlooks, the second level has nearly always.
 */
static inline bool may_walk(const struct mmu *m, hv_gva gva)
{
    const struct assoc *first = &m->tlb.unit[TLB_L1D_4K].entries;
    uint64_t page = tlb_page_number(gva.v, HV_PAGE_SHIFT), key = tlb_key(page, HV_PAGE_4K, m->env.view.space);
    bool hinted = first->hints != NULL && first->tags[*assoc_hint(first, page)] == key;
    return !hinted && !holds(&m->tlb.unit[TLB_L2], page, key);
}

/* Chooses the accesses of the next group that are worth looking at, and fetches what is known of their regions. */
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
        __builtin_prefetch(lookahead_hint_of(l->guest, group->slot[i].gva), 0, 2);
    }
}

/* Fetches the entries of the guest's dimension. */
static void find_guest(const struct mmu *m, struct lookahead_group *group)
{
    for (unsigned i = 0; i < group->count; i++) {
        struct lookahead_slot *slot = &group->slot[i];
        const struct lookahead_hint *hint = lookahead_hint_of(m->lookahead.guest, slot->gva);
        slot->guest = leaf_entry(m, hint, slot->gva);
        prefetch_entry(m, slot->guest);
        prefetch_line(m, hint->above_line);
        if (m->env.nested) {
            prefetch_line(m, hint->behind_line);
        }
    }
}

/* The guest's leaves are here: the addresses in the second dimension, or the data's, are known. */
static void follow_guest(struct mmu *m, struct lookahead_group *group)
{
    for (unsigned i = 0; i < group->count; i++) {
        struct lookahead_slot *slot = &group->slot[i];
        uint64_t entry = slot->guest != NULL ? *slot->guest : 0;
        slot->gpa = (entry & RADIX_ADDRESS_MASK) | (slot->gva & (HV_PAGE_BYTES - 1));
        if (m->env.nested) {
            __builtin_prefetch(lookahead_hint_of(m->lookahead.host, slot->gpa), 0, 2);
        } else {
            prefetch_llc(m, slot->gpa);
        }
    }
}

/* Fetches the host's entries for the data pages. */
static void find_host(const struct mmu *m, struct lookahead_group *group)
{
    for (unsigned i = 0; i < group->count; i++) {
        struct lookahead_slot *slot = &group->slot[i];
        const struct lookahead_hint *hint = lookahead_hint_of(m->lookahead.host, slot->gpa);
        slot->host = leaf_entry(m, hint, slot->gpa);
        prefetch_entry(m, slot->host);
        prefetch_line(m, hint->above_line);
    }
}

/* They are here: where the data lies is known. */
static void follow_host(const struct mmu *m, const struct lookahead_group *group)
{
    for (unsigned i = 0; i < group->count; i++) {
        const struct lookahead_slot *slot = &group->slot[i];
        if (slot->host != NULL) {
            prefetch_llc(m, (*slot->host & RADIX_ADDRESS_MASK) | (slot->gpa & (HV_PAGE_BYTES - 1)));
        }
    }
}

/* Each group passes its next stage, and a new one the first. */
static void pass_stages(struct mmu *m)
{
    struct lookahead *l = &m->lookahead;
    struct lookahead_group *ring = l->ring;
    uint32_t first = l->first;
    choose(m, &ring[(first + AHEAD_HINT) % LOOKAHEAD_RING]);
    find_guest(m, &ring[(first + AHEAD_GUEST) % LOOKAHEAD_RING]);
    follow_guest(m, &ring[(first + AHEAD_GPA) % LOOKAHEAD_RING]);
    if (m->env.nested) {
        find_host(m, &ring[(first + AHEAD_HOST) % LOOKAHEAD_RING]);
        follow_host(m, &ring[(first + AHEAD_DATA) % LOOKAHEAD_RING]);
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
    for (unsigned i = 0; i < AHEAD_HINT; i++) { /* now the first group has passed all its stages */
        pass_stages(m);
    }
}
