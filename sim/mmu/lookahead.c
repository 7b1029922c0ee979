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

/* How many accesses before its execution each stage handles an access. */
enum { AHEAD_HINT = 32, AHEAD_GUEST = 26, AHEAD_GPA = 20, AHEAD_HOST = 12, AHEAD_DATA = 4 };

_Static_assert((int)AHEAD_HINT < (int)LOOKAHEAD_RING, "an access keeps its slot until its last stage");

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

/* The guest's leaf is here: the address in the second dimension, or the data's, is known. */
static void follow_guest(struct mmu *m, struct lookahead_slot *slot, hv_gva gva)
{
    uint64_t entry = slot->guest != NULL ? *slot->guest : 0;
    slot->gpa = (entry & RADIX_ADDRESS_MASK) | (gva.v & (HV_PAGE_BYTES - 1));
    if (m->env.nested) {
        __builtin_prefetch(lookahead_hint_of(m->lookahead.host, slot->gpa), 0, 2);
    } else {
        prefetch_llc(m, slot->gpa);
    }
}

static void follow_host(const struct mmu *m, const struct lookahead_slot *slot)
{
    if (slot->host != NULL) {
        prefetch_llc(m, (*slot->host & RADIX_ADDRESS_MASK) | (slot->gpa & (HV_PAGE_BYTES - 1)));
    }
}

/* Whether a structure holds the 4K page of an address now; says nothing to its replacement policy. */
static bool holds(const struct tlb *t, uint64_t address, tlb_space_id space)
{
    uint64_t page = tlb_page_number(address, HV_PAGE_SHIFT);
    return tlb_present(t) && t->live[HV_PAGE_4K] != 0 &&
           assoc_find(&t->entries, page, tlb_key(page, HV_PAGE_4K, space), 0) != ASSOC_NONE;
}

/* What the TLBs hold some accesses before, they will mostly hold then; only the others are worth the stages. */
static bool may_walk(const struct mmu *m, hv_gva gva)
{
    return !holds(&m->tlb.unit[TLB_L1D_4K], gva.v, m->env.view.space) &&
           !holds(&m->tlb.unit[TLB_L2], gva.v, m->env.view.space);
}

static struct lookahead_slot *slot_at(struct mmu *m, size_t i)
{
    return &m->lookahead.ring[i % LOOKAHEAD_RING];
}

static void find_guest(const struct mmu *m, struct lookahead_slot *slot, hv_gva gva)
{
    const struct lookahead_hint *hint = lookahead_hint_of(m->lookahead.guest, gva.v);
    slot->guest = leaf_entry(m, hint, gva.v);
    prefetch_entry(m, slot->guest);
    prefetch_line(m, hint->above_line);
    if (m->env.nested) {
        prefetch_line(m, hint->behind_line);
    }
}

static void find_host(const struct mmu *m, struct lookahead_slot *slot)
{
    const struct lookahead_hint *hint = lookahead_hint_of(m->lookahead.host, slot->gpa);
    slot->host = leaf_entry(m, hint, slot->gpa);
    prefetch_entry(m, slot->host);
    prefetch_line(m, hint->above_line);
}

void mmu_look_ahead(struct mmu *m, const struct hv_access *accesses, size_t count, size_t now)
{
    if (now + AHEAD_HINT >= count) {
        return;
    }
    struct lookahead_slot *slot = slot_at(m, now + AHEAD_HINT);
    slot->wanted = may_walk(m, accesses[now + AHEAD_HINT].gva);
    if (slot->wanted) {
        __builtin_prefetch(lookahead_hint_of(m->lookahead.guest, accesses[now + AHEAD_HINT].gva.v), 0, 2);
    }
    slot = slot_at(m, now + AHEAD_GUEST);
    if (slot->wanted) {
        find_guest(m, slot, accesses[now + AHEAD_GUEST].gva);
    }
    slot = slot_at(m, now + AHEAD_GPA);
    if (slot->wanted) {
        follow_guest(m, slot, accesses[now + AHEAD_GPA].gva);
    }
    slot = slot_at(m, now + AHEAD_HOST);
    if (slot->wanted && m->env.nested) {
        find_host(m, slot);
    }
    slot = slot_at(m, now + AHEAD_DATA);
    if (slot->wanted && m->env.nested) {
        follow_host(m, slot);
    }
}
