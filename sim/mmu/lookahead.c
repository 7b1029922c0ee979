/* SPDX-License-Identifier: MIT */
#include "mmu/mmu.h"

static const void *leaf_entry(const struct mmu *m, const uint32_t *hints, uint64_t address)
{
    uint64_t frame = hints[address >> 21 & (MMU_HINTS - 1)];
    hv_hpa entry = {(frame << HV_PAGE_SHIFT) + (address >> HV_PAGE_SHIFT & 511) * RADIX_ENTRY_BYTES};
    return physmem_pointer(m->memory, entry, RADIX_ENTRY_BYTES);
}

void mmu_lookahead_guest(const struct mmu *m, hv_gva gva)
{
    const void *entry = leaf_entry(m, m->guest_hints, gva.v);
    if (entry != NULL) {
        __builtin_prefetch(entry);
        cache_prefetch_tags(&m->path->l2, (uint64_t)((const uint8_t *)entry - m->memory->bytes) >> CACHE_LINE_SHIFT);
    }
}

void mmu_lookahead_host(const struct mmu *m, hv_gva gva)
{
    const uint64_t *guest = leaf_entry(m, m->guest_hints, gva.v);
    if (guest != NULL && m->env.nested) {
        const void *entry = leaf_entry(m, m->host_hints, (*guest & RADIX_ADDRESS_MASK) | (gva.v & 0xfff));
        if (entry != NULL) {
            __builtin_prefetch(entry);
        }
    }
}
