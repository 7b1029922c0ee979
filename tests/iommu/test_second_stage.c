/* SPDX-License-Identifier: MIT */
/* Second-stage entries bit by bit (VT-d chapter 9 "Second-Stage Paging Entries"). */
#include "gtest.h"

#include "mmu/radix.h"

enum { PHYSICAL_BITS = 46 };

static bool large_is_offered(unsigned level, const struct radix_features *f)
{
    return level == 2 ? !f->no_pages_2m : level == 3 && f->pages_1g;
}

/* Whether setting one bit of an entry with R and W makes it one with a reserved field. */
static bool is_reserved(unsigned level, bool leaf, unsigned bit, const struct radix_features *f)
{
    if (bit >= PHYSICAL_BITS && bit <= 51) {
        return true;
    }
    if (bit == 62) {
        return !leaf || !f->device_tlb; /* TM */
    }
    if (bit == 11) {
        return !leaf || !f->snoop_control; /* SNP */
    }
    if (bit == 7) {
        return level > 1 && !leaf && !large_is_offered(level, f);
    }
    return leaf && bit >= 12 && bit < 12 + 9 * (level - 1); /* within a large page */
}

static void check_level(const struct radix_mode *mode, unsigned level, bool leaf, const struct radix_features *f)
{
    uint64_t entry = 3 | (leaf && level > 1 ? RADIX_LARGE : 0);
    enum radix_step well = leaf ? RADIX_LEAF : RADIX_TABLE;
    assert_int_equal(radix_classify(mode, level, entry), well);
    assert_int_equal(radix_classify(mode, level, entry & ~UINT64_C(3)), RADIX_NOT_PRESENT);
    assert_int_equal(radix_classify(mode, level, entry & ~UINT64_C(2)), well); /* read only */
    assert_int_equal(radix_classify(mode, level, entry & ~UINT64_C(1)), well); /* write only */
    assert_int_equal(radix_classify(mode, level, UINT64_MAX & ~UINT64_C(3)), RADIX_NOT_PRESENT);
    for (unsigned bit = 2; bit < 64; bit++) {
        bool makes_a_leaf = bit == 7 && !leaf && large_is_offered(level, f);
        enum radix_step step = radix_classify(mode, level, entry | UINT64_C(1) << bit);
        enum radix_step expected = makes_a_leaf ? RADIX_LEAF : well;
        if (is_reserved(level, leaf, bit, f)) {
            expected = RADIX_RESERVED;
        }
        if (step != expected) {
            fail_msg("level %u, %s, bit %u: %d in place of %d", level, leaf ? "leaf" : "table", bit, step, expected);
        }
    }
}

/* All that the capabilities can say, and all levels. */
static void every_bit(void **state)
{
    (void)state;
    for (unsigned offered = 0; offered < 32; offered++) {
        struct radix_features f = {
            .physical_bits = PHYSICAL_BITS, .no_pages_2m = (offered & 1) != 0, .pages_1g = (offered & 2) != 0,
            .snoop_control = (offered & 4) != 0, .device_tlb = (offered & 8) != 0, .flags = (offered & 16) != 0,
        };
        for (unsigned levels = 3; levels <= 5; levels++) {
            struct radix_mode mode = {.levels = 0};
            radix_mode_init(&mode, RADIX_VTD, levels, &f);
            for (unsigned level = 1; level <= levels; level++) {
                if (level > 1) {
                    check_level(&mode, level, false, &f);
                }
                if (level == 1 || large_is_offered(level, &f)) {
                    check_level(&mode, level, true, &f);
                }
            }
            assert_int_equal(mode.accessed, f.flags ? 1u << 8 : 0);
            assert_int_equal(mode.dirty, f.flags ? 1u << 9 : 0);
        }
    }
}

GTEST_MAIN("SecondStage", cmocka_unit_test(every_bit))
