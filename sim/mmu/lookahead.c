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

static void prefetch_llc(const struct mmu *m, uint64_t hpa)
{
    if (m->lookahead.llc != NULL) {
        cache_prefetch_tags(m->lookahead.llc, hpa >> CACHE_LINE_SHIFT);
    }
}

/* Fetches a leaf entry and the tags of the large cache that its line will be looked up in. */
static void prefetch_entry(const struct mmu *m, const uint64_t *entry)
{
    if (entry != NULL) {
        __builtin_prefetch(entry, 0, 2);
        prefetch_llc(m, (uint64_t)((const uint8_t *)entry - m->memory->bytes));
    }
}

/* The same for a line that a hint names. */
static void prefetch_line(const struct mmu *m, uint32_t line)
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

void mmu_look_ahead(struct mmu *m, const struct hv_access *accesses, size_t count, size_t now)
{
    struct lookahead_slot *ring = m->lookahead.ring;
    if (now + AHEAD_HINT >= count) {
        return;
    }
    __builtin_prefetch(lookahead_hint_of(m->lookahead.guest, accesses[now + AHEAD_HINT].gva.v), 0, 2);
    size_t i = now + AHEAD_GUEST;
    struct lookahead_slot *slot = &ring[i % LOOKAHEAD_RING];
    const struct lookahead_hint *hint = lookahead_hint_of(m->lookahead.guest, accesses[i].gva.v);
    slot->guest = leaf_entry(m, hint, accesses[i].gva.v);
    prefetch_entry(m, slot->guest);
    prefetch_line(m, hint->above_line);
    i = now + AHEAD_GPA;
    follow_guest(m, &ring[i % LOOKAHEAD_RING], accesses[i].gva);
    if (!m->env.nested) {
        return;
    }
    prefetch_line(m, hint->behind_line);
    slot = &ring[(now + AHEAD_HOST) % LOOKAHEAD_RING];
    hint = lookahead_hint_of(m->lookahead.host, slot->gpa);
    slot->host = leaf_entry(m, hint, slot->gpa);
    prefetch_entry(m, slot->host);
    prefetch_line(m, hint->above_line);
    follow_host(m, &ring[(now + AHEAD_DATA) % LOOKAHEAD_RING]);
}
