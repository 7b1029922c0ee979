/* SPDX-License-Identifier: MIT */
#include "mmu/radix.h"

#include <string.h>

#include "base/err.h"

/* Bits high..low, both included. */
static uint64_t bits(unsigned high, unsigned low)
{
    return high < low ? 0 : (UINT64_MAX >> (63 - high)) & (UINT64_MAX << low);
}

/*
 * SDM Vol. 3A Tables 4-14 to 4-20: what must be 0 in each IA-32e entry. Bits 51:M are reserved for M = MAXPHYADDR,
 * bit 63 without NXE, PS at level 4 and 5 (and 3, without 1G pages), and in a large leaf the address bits below
 * the page, PAT (bit 12) apart.
 */
static void ia32e_init(struct radix_mode *mode, const struct radix_features *features)
{
    uint64_t always = bits(51, features->physical_bits) | (features->execute_disable ? 0 : RADIX_XD);
    mode->present = RADIX_IA32E_P;
    mode->invert = RADIX_XD;
    mode->extra_shift = 60;
    mode->accessed = features->flags ? RADIX_IA32E_ACCESSED : 0;
    mode->dirty = features->flags ? RADIX_IA32E_DIRTY : 0;
    for (unsigned level = 1; level <= RADIX_MAX_LEVELS; level++) {
        bool may_be_leaf = level == 1 || (mode->large_levels >> level & 1) != 0;
        mode->reserved[level][0] = always | (may_be_leaf ? 0 : RADIX_LARGE);
        mode->reserved[level][1] = always | (level > 1 ? bits(radix_shift(level) - 1, 13) : 0);
    }
}

/*
 * SDM Vol. 3C "EPT Misconfigurations" (29.3.3.1): writable but not readable; execute-only without the capability;
 * a leaf's memory type 2, 3 or 7; and the reserved bits of Tables 29-1 to 29-7 (28-1 to 28-7).
 */
static void ept_init(struct radix_mode *mode, const struct radix_features *features)
{
    uint64_t always = bits(51, features->physical_bits);
    uint64_t execute_bits = features->mode_based_execute ? RADIX_EPT_MODE_BASED : 0;
    mode->present = 7 | execute_bits;
    mode->extra_shift = 7;
    mode->bad_low3 = (uint8_t)(1u << 2 | 1u << 6 | (features->ept_execute_only ? 0 : 1u << 4));
    if (features->mode_based_execute && !features->ept_execute_only) {
        mode->bad_low3 |= 1u << 0; /* present by bit 10 alone: executable, not readable */
    }
    mode->bad_type = (uint8_t)(1u << 2 | 1u << 3 | 1u << 7);
    mode->accessed = features->flags ? RADIX_EPT_ACCESSED : 0;
    mode->dirty = features->flags ? RADIX_EPT_DIRTY : 0;
    for (unsigned level = 1; level <= RADIX_MAX_LEVELS; level++) {
        bool may_be_large = (mode->large_levels >> level & 1) != 0;
        mode->reserved[level][0] = always | bits(may_be_large ? 6 : 7, 3);
        mode->reserved[level][1] = always | (level > 1 ? bits(radix_shift(level) - 1, 12) : 0);
    }
}

/*
 * VT-d "Second-Stage Paging Entries" (chapter 9): present when it may be read or written, and write-only is legal.
 * Memory types, bit 2 (execute) and bits 63 and 61:52 are ignored; bit 11 (snoop) and bit 62 (transient mapping) are
 * reserved but in a leaf of hardware that knows them.
 */
static void vtd_init(struct radix_mode *mode, const struct radix_features *features)
{
    uint64_t always = bits(51, features->physical_bits);
    uint64_t leaf = (features->snoop_control ? 0 : RADIX_VTD_SNOOP) | (features->device_tlb ? 0 : RADIX_VTD_TRANSIENT);
    mode->present = RADIX_VTD_R | RADIX_VTD_W;
    mode->accessed = features->flags ? RADIX_VTD_ACCESSED : 0;
    mode->dirty = features->flags ? RADIX_VTD_DIRTY : 0;
    for (unsigned level = 1; level <= RADIX_MAX_LEVELS; level++) {
        bool may_be_leaf = level == 1 || (mode->large_levels >> level & 1) != 0;
        mode->reserved[level][0] =
            always | RADIX_VTD_SNOOP | RADIX_VTD_TRANSIENT | (may_be_leaf ? 0 : RADIX_LARGE);
        mode->reserved[level][1] = always | leaf | (level > 1 ? bits(radix_shift(level) - 1, 12) : 0);
    }
}

enum radix_step radix_classify_low(const struct radix_mode *mode, unsigned level, uint64_t entry)
{
    bool leaf = level == 1 || ((entry & RADIX_LARGE) != 0 && (mode->large_levels >> level & 1) != 0);
    if ((mode->bad_low3 >> (entry & 7) & 1) != 0 || (leaf && (mode->bad_type >> (entry >> 3 & 7) & 1) != 0)) {
        return RADIX_RESERVED;
    }
    return leaf ? RADIX_LEAF : RADIX_TABLE;
}

static bool same_features(const struct radix_features *a, const struct radix_features *b)
{
    return a->physical_bits == b->physical_bits && a->pages_1g == b->pages_1g &&
           a->execute_disable == b->execute_disable && a->ept_execute_only == b->ept_execute_only &&
           a->mode_based_execute == b->mode_based_execute && a->flags == b->flags &&
           a->no_pages_2m == b->no_pages_2m && a->snoop_control == b->snoop_control && a->device_tlb == b->device_tlb;
}

void radix_mode_init(struct radix_mode *mode, enum radix_format format, unsigned levels,
                     const struct radix_features *features)
{
    HV_ASSERT(levels == 4 || levels == 5 || (levels == 3 && format == RADIX_VTD), "levels %u", levels);
    if (mode->format == format && mode->levels == levels && same_features(&mode->features, features)) {
        return;
    }
    memset(mode, 0, sizeof(*mode));
    mode->features = *features;
    mode->format = (uint8_t)format;
    mode->levels = (uint8_t)levels;
    mode->large_levels = (uint8_t)((features->no_pages_2m ? 0 : 1u << 2) | (features->pages_1g ? 1u << 3 : 0));
    if (format == RADIX_EPT) {
        ept_init(mode, features);
    } else if (format == RADIX_VTD) {
        vtd_init(mode, features);
    } else {
        ia32e_init(mode, features); /* APM Vol. 2 15.25.5: nested tables have the format of the host's own */
    }
    for (unsigned level = 1; level <= RADIX_MAX_LEVELS; level++) {
        for (unsigned low = 0; low < HV_ARRAY_LEN(mode->step[level]); low++) {
            bool present = (low & mode->present) != 0;
            mode->step[level][low] =
                (uint8_t)(present ? radix_classify_low(mode, level, low) : RADIX_NOT_PRESENT);
        }
    }
}
