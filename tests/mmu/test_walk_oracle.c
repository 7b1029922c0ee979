/* SPDX-License-Identifier: MIT */
/* The walker against an oracle, over every combination of the bits that an entry, a mode and an access can have. */
#include "gtest.h"

#include "base/rng.h"
#include "scene.h"

/* Under the sanitizers everything is some ten times slower; the enumerations then skip, the sample shrinks. */
#ifdef __SANITIZE_ADDRESS__
enum { STRIDE = 7, SAMPLE = 300000, WARM_SAMPLE = 30000 };
#else
enum { STRIDE = 1, SAMPLE = 2500000, WARM_SAMPLE = 400000 };
#endif

#define XD (UINT64_C(1) << 63)

/* --- Enumeration: a combination is a number, its digits are the choices ----------------------------------------- */

static unsigned choose(uint64_t *combination, unsigned choices)
{
    unsigned digit = (unsigned)(*combination % choices);
    *combination /= choices;
    return digit;
}

/* Bits 0..5 of a choice become P, R/W, U/S, A, D and XD of a guest (or NPT) entry. */
static uint64_t guest_bits(unsigned choice)
{
    static const uint64_t bits[] = {1u << 0, 1u << 1, 1u << 2, 1u << 5, 1u << 6, XD};
    uint64_t entry = 0;
    for (unsigned i = 0; i < 6; i++) {
        entry |= (choice >> i & 1) != 0 ? bits[i] : 0;
    }
    return entry;
}

enum { GUEST_CHOICES = 64 };
#define GUEST_MASK (UINT64_C(0x67) | XD)

/* Bits 0..7 of a choice become R, W, X, memory type, A and D of an EPT entry, bit 8 its bit 10. */
static uint64_t ept_bits(unsigned choice)
{
    return (choice & 0x3f) | (uint64_t)(choice >> 6 & 7) << 8;
}

enum { EPT_CHOICES = 256, EPT_MODE_BASED_CHOICES = 512 };
#define EPT_MASK UINT64_C(0x73f)

static void replace(uint64_t *entry, uint64_t mask, uint64_t bits)
{
    *entry = (*entry & ~mask) | bits;
}

/* Access kind, CPL, WP, SMEP, SMAP with and without AC, NXE: everything in registers that rights depend on. */
static void choose_mode(uint64_t *n, struct scene *s)
{
    s->access = (enum hv_access_kind)choose(n, HV_ACCESS_KINDS);
    s->regs.user = choose(n, 2) != 0;
    s->regs.cr0 |= choose(n, 2) != 0 ? MMU_CR0_WP : 0;
    s->regs.cr4 |= choose(n, 2) != 0 ? MMU_CR4_SMEP : 0;
    unsigned smap = choose(n, 3);
    s->regs.cr4 |= smap != 0 ? MMU_CR4_SMAP : 0;
    s->regs.rflags |= smap == 2 ? MMU_RFLAGS_AC : 0;
    s->regs.efer &= choose(n, 2) != 0 ? ~UINT64_C(0) : ~MMU_EFER_NXE;
}

enum { MODE_CHOICES = 3 * 2 * 2 * 2 * 3 * 2 };

/* Native, NPT, and EPT with and without accessed and dirty flags. */
static void start(struct scene *s, unsigned choice)
{
    static const enum scene_mode modes[] = {SCENE_NATIVE, SCENE_EPT, SCENE_EPT, SCENE_NPT};
    scene_default(s, modes[choice]);
    s->regs.eptp &= choice == 1 ? ~MMU_EPTP_FLAGS : ~UINT64_C(0);
}

enum { START_CHOICES = 4 };

static int make_bench(void **state)
{
    *state = scene_bench_new();
    return 0;
}

static int free_bench(void **state)
{
    scene_bench_free(*state);
    return 0;
}

/* --- The guest's entries ---------------------------------------------------------------------------------------- */

static void every_guest_entry_in_every_mode(void **state)
{
    struct scene_bench *b = *state;
    uint64_t combinations = (uint64_t)GUEST_CHOICES * MODE_CHOICES * START_CHOICES * 2 * 3;
    for (uint64_t i = 0; i < combinations; i += STRIDE) {
        struct scene s;
        uint64_t n = i;
        start(&s, choose(&n, START_CHOICES));
        uint64_t bits = guest_bits(choose(&n, GUEST_CHOICES));
        s.guest_levels = 4 + choose(&n, 2);
        s.guest_leaf = 1 + choose(&n, 3);
        choose_mode(&n, &s);
        scene_fill(&s);
        for (unsigned level = s.guest_leaf; level <= s.guest_levels; level++) {
            struct scene varied = s;
            replace(&varied.guest[level], GUEST_MASK, bits);
            scene_check(b, &varied, SCENE_PATH);
        }
    }
}

/* Rights are the AND of all levels, so two entries at a time. */
static void every_pair_of_guest_entries(void **state)
{
    struct scene_bench *b = *state;
    uint64_t combinations = (uint64_t)GUEST_CHOICES * GUEST_CHOICES * 3 * 3 * 2;
    for (uint64_t i = 0; i < combinations; i += STRIDE) {
        struct scene s;
        uint64_t n = i;
        scene_default(&s, SCENE_NATIVE);
        uint64_t leaf = guest_bits(choose(&n, GUEST_CHOICES)), upper = guest_bits(choose(&n, GUEST_CHOICES));
        unsigned level = 2 + choose(&n, 3);
        s.access = (enum hv_access_kind)choose(&n, HV_ACCESS_KINDS);
        s.regs.user = choose(&n, 2) != 0;
        s.regs.cr0 |= MMU_CR0_WP;
        scene_fill(&s);
        replace(&s.guest[1], GUEST_MASK, leaf);
        replace(&s.guest[level], GUEST_MASK, upper);
        scene_check(b, &s, SCENE_PATH);
        scene_check_warm(b, &s);
    }
}

/* --- The second level's entries --------------------------------------------------------------------------------- */

/* What stands above a second-level entry that is varied: the target it translates, and the guest's access. */
static void choose_target(uint64_t *n, struct scene *s, unsigned *target)
{
    s->host_levels = 4 + choose(n, 2);
    *target = choose(n, 5);
    s->host_leaf[*target] = 1 + choose(n, 3);
    s->access = (enum hv_access_kind)choose(n, HV_ACCESS_KINDS);
}

enum { TARGET_CHOICES = 2 * 5 * 3 * 3 };

/* At the leaf and at every level above it; the guest's table entry with its accessed flag set and clear. */
static void vary_host_entry(struct scene_bench *b, const struct scene *s, unsigned target, uint64_t mask, uint64_t bits)
{
    for (unsigned level = s->host_leaf[target]; level <= s->host_levels; level++) {
        for (unsigned accessed = 0; accessed < (target == SCENE_DATA ? 1 : 2); accessed++) {
            struct scene varied = *s;
            replace(&varied.host[level == 5 ? 0 : target][level], mask, bits);
            if (accessed != 0) {
                varied.guest[target] &= ~UINT64_C(0x60);
            }
            scene_check(b, &varied, SCENE_PATH);
        }
    }
}

static void every_ept_entry(void **state)
{
    struct scene_bench *b = *state;
    uint64_t combinations = (uint64_t)EPT_CHOICES * TARGET_CHOICES * 2 * 2;
    for (uint64_t i = 0; i < combinations; i += STRIDE) {
        struct scene s;
        uint64_t n = i;
        unsigned target;
        scene_default(&s, SCENE_EPT);
        uint64_t bits = ept_bits(choose(&n, EPT_CHOICES));
        choose_target(&n, &s, &target);
        s.ept_execute_only = choose(&n, 2) != 0;
        s.regs.eptp ^= choose(&n, 2) != 0 ? MMU_EPTP_FLAGS : 0;
        scene_fill(&s);
        vary_host_entry(b, &s, target, EPT_MASK, bits);
    }
}

/* Mode-based execute control: bit 10, and whether the linear address is a user-mode one, decide. */
static void every_ept_entry_with_mode_based_execute(void **state)
{
    struct scene_bench *b = *state;
    uint64_t combinations = (uint64_t)EPT_MODE_BASED_CHOICES * 3 * 3 * 2 * 2 * 2 * 2;
    for (uint64_t i = 0; i < combinations; i += STRIDE) {
        struct scene s;
        uint64_t n = i;
        scene_default(&s, SCENE_EPT);
        uint64_t bits = ept_bits(choose(&n, EPT_MODE_BASED_CHOICES));
        s.mode_based_execute = true;
        s.host_leaf[SCENE_DATA] = 1 + choose(&n, 3);
        s.access = (enum hv_access_kind)choose(&n, HV_ACCESS_KINDS);
        s.regs.user = choose(&n, 2) != 0;
        s.regs.cr4 |= choose(&n, 2) != 0 ? MMU_CR4_SMEP : 0;
        s.ept_execute_only = choose(&n, 2) != 0;
        uint64_t user_page = choose(&n, 2) != 0 ? 4 : 0;
        scene_fill(&s);
        replace(&s.guest[1], 4, user_page);
        for (unsigned level = 2; level <= 4; level++) { /* an X in every entry above, so that the varied one decides */
            s.host[SCENE_DATA][level] |= UINT64_C(1) << 10;
        }
        vary_host_entry(b, &s, SCENE_DATA, EPT_MASK, bits);
        replace(&s.host[SCENE_DATA][s.host_leaf[SCENE_DATA]], EPT_MASK, bits);
        scene_check_warm(b, &s);
    }
}

static void every_npt_entry(void **state)
{
    struct scene_bench *b = *state;
    uint64_t combinations = (uint64_t)GUEST_CHOICES * TARGET_CHOICES * 2 * 2 * 2;
    for (uint64_t i = 0; i < combinations; i += STRIDE) {
        struct scene s;
        uint64_t n = i;
        unsigned target;
        scene_default(&s, SCENE_NPT);
        uint64_t bits = guest_bits(choose(&n, GUEST_CHOICES));
        choose_target(&n, &s, &target);
        s.regs.user = choose(&n, 2) != 0;
        s.regs.efer &= choose(&n, 2) != 0 ? ~UINT64_C(0) : ~MMU_EFER_NXE;
        s.regs.cr0 |= choose(&n, 2) != 0 ? MMU_CR0_WP : 0;
        scene_fill(&s);
        vary_host_entry(b, &s, target, GUEST_MASK, bits);
    }
}

/* --- Both dimensions -------------------------------------------------------------------------------------------- */

/* The guest's leaf entry times the second level's leaf of the data page times the mode. */
static void every_guest_leaf_with_every_ept_leaf(void **state)
{
    struct scene_bench *b = *state;
    uint64_t combinations = (uint64_t)GUEST_CHOICES * 32 * MODE_CHOICES * 2;
    for (uint64_t i = 0; i < combinations; i += STRIDE) {
        struct scene s;
        uint64_t n = i;
        scene_default(&s, SCENE_EPT);
        uint64_t guest = guest_bits(choose(&n, GUEST_CHOICES));
        unsigned host = choose(&n, 32);
        s.regs.eptp ^= choose(&n, 2) != 0 ? MMU_EPTP_FLAGS : 0;
        choose_mode(&n, &s);
        scene_fill(&s);
        replace(&s.guest[1], GUEST_MASK, guest);
        replace(&s.host[SCENE_DATA][1], 0x307, (host & 7) | (uint64_t)(host >> 3) << 8);
        scene_check(b, &s, SCENE_PATH);
        if (i % 8 == 0) {
            scene_check_warm(b, &s);
        }
    }
}

static void every_guest_leaf_with_every_npt_leaf(void **state)
{
    struct scene_bench *b = *state;
    uint64_t combinations = (uint64_t)GUEST_CHOICES * GUEST_CHOICES * MODE_CHOICES;
    for (uint64_t i = 0; i < combinations; i += STRIDE) {
        struct scene s;
        uint64_t n = i;
        scene_default(&s, SCENE_NPT);
        uint64_t guest = guest_bits(choose(&n, GUEST_CHOICES)), host = guest_bits(choose(&n, GUEST_CHOICES));
        choose_mode(&n, &s);
        scene_fill(&s);
        replace(&s.guest[1], GUEST_MASK, guest);
        replace(&s.host[SCENE_DATA][1], GUEST_MASK, host);
        scene_check(b, &s, SCENE_PATH);
        if (i % 8 == 0) {
            scene_check_warm(b, &s);
        }
    }
}

/* The guest's leaf, the second level's leaf under the table that holds it, and the one of the data page. */
static void every_guest_leaf_with_both_ept_leaves(void **state)
{
    struct scene_bench *b = *state;
    uint64_t combinations = (uint64_t)GUEST_CHOICES * 32 * 32 * HV_ACCESS_KINDS * 2 * 2;
    for (uint64_t i = 0; i < combinations; i += STRIDE) {
        struct scene s;
        uint64_t n = i;
        scene_default(&s, SCENE_EPT);
        uint64_t guest = guest_bits(choose(&n, GUEST_CHOICES));
        unsigned table = choose(&n, 32), data = choose(&n, 32);
        s.access = (enum hv_access_kind)choose(&n, HV_ACCESS_KINDS);
        s.regs.user = choose(&n, 2) != 0;
        s.regs.eptp ^= choose(&n, 2) != 0 ? MMU_EPTP_FLAGS : 0;
        scene_fill(&s);
        replace(&s.guest[1], GUEST_MASK, guest);
        replace(&s.host[1][1], 0x307, (table & 7) | (uint64_t)(table >> 3) << 8);
        replace(&s.host[SCENE_DATA][1], 0x307, (data & 7) | (uint64_t)(data >> 3) << 8);
        scene_check(b, &s, SCENE_PATH);
        if (i % 8 == 0) {
            scene_check_warm(b, &s);
        }
    }
}

/* --- Reserved bits ---------------------------------------------------------------------------------------------- */

/* One bit flipped, at every position of every entry: reserved bits, address bits, ignored bits. */
static void flip_each_bit(struct scene_bench *b, struct scene *s, uint64_t *entry)
{
    for (unsigned position = 0; position < 64; position++) {
        uint64_t flipped = UINT64_C(1) << position;
        *entry ^= flipped;
        scene_check(b, s, SCENE_ALL_MEMORY);
        scene_check_warm(b, s);
        *entry ^= flipped;
    }
}

static void every_bit_of_every_entry(void **state)
{
    static const unsigned widths[] = {36, 46, 52};
    struct scene_bench *b = *state;
    uint64_t combinations = (uint64_t)START_CHOICES * 2 * 3 * 2 * HV_ACCESS_KINDS * HV_ARRAY_LEN(widths);
    for (uint64_t i = 0; i < combinations; i += STRIDE) {
        struct scene s;
        uint64_t n = i;
        start(&s, choose(&n, START_CHOICES));
        s.guest_levels = s.host_levels = 4 + choose(&n, 2);
        s.guest_leaf = 1 + choose(&n, 3);
        for (unsigned target = 0; target < SCENE_TARGETS; target++) {
            s.host_leaf[target] = s.guest_leaf;
        }
        s.regs.efer &= choose(&n, 2) != 0 ? ~UINT64_C(0) : ~MMU_EFER_NXE;
        s.access = (enum hv_access_kind)choose(&n, HV_ACCESS_KINDS);
        s.maxphyaddr = widths[choose(&n, HV_ARRAY_LEN(widths))];
        scene_fill(&s);
        for (unsigned level = s.guest_leaf; level <= s.guest_levels; level++) {
            flip_each_bit(b, &s, &s.guest[level]);
        }
        for (unsigned target = 0; s.mode != SCENE_NATIVE && target < 2; target++) {
            for (unsigned level = s.guest_leaf; level <= s.host_levels; level++) {
                flip_each_bit(b, &s, &s.host[level == 5 ? 0 : target][level]);
            }
        }
    }
}

/* --- Everything together ---------------------------------------------------------------------------------------- */

static void mutate(struct hv_rng *rng, uint64_t *entry, uint64_t mask)
{
    switch (rng_below(rng, 12)) {
    case 0: /* any of the bits that mean something */
        *entry ^= rng_next(rng) & mask;
        break;
    case 1: /* one of them */
        *entry ^= mask & (UINT64_C(1) << rng_below(rng, 64));
        break;
    case 2: /* accessed and dirty alone, so that walks often get through */
        *entry ^= rng_next(rng) & mask & (mask == EPT_MASK ? 0x300 : 0x60);
        break;
    case 3:
        *entry ^= rng_below(rng, 8) == 0 ? UINT64_C(1) << rng_below(rng, 64) : 0;
        break;
    default:
        break;
    }
}

static void random_scene(struct hv_rng *rng, struct scene *s)
{
    static const unsigned widths[] = {40, 46, 52};
    start(s, (unsigned)rng_below(rng, START_CHOICES));
    s->guest_levels = 4 + (unsigned)rng_below(rng, 2);
    s->host_levels = 4 + (unsigned)rng_below(rng, 2);
    s->guest_leaf = 1 + (unsigned)rng_below(rng, 3);
    for (unsigned target = 0; target < SCENE_TARGETS; target++) {
        s->host_leaf[target] = 1 + (unsigned)rng_below(rng, 3);
    }
    s->maxphyaddr = widths[rng_below(rng, 16) < 14 ? 1 : rng_below(rng, HV_ARRAY_LEN(widths))];
    s->ept_execute_only = rng_below(rng, 2) != 0;
    s->mode_based_execute = rng_below(rng, 4) == 0;
    uint64_t n = rng_next(rng);
    choose_mode(&n, s);
    scene_fill(s);
    for (unsigned level = 1; level <= 5; level++) {
        mutate(rng, &s->guest[level], s->guest[level] == 0 ? 0 : GUEST_MASK);
        for (unsigned target = 0; s->mode != SCENE_NATIVE && target < SCENE_TARGETS; target++) {
            uint64_t mask = s->mode == SCENE_EPT ? EPT_MASK : GUEST_MASK;
            if (rng_below(rng, 3) == 0) {
                mutate(rng, &s->host[target][level], s->host[target][level] == 0 ? 0 : mask);
            }
        }
    }
    s->gva ^= rng_below(rng, 64) == 0 ? UINT64_C(1) << (47 + rng_below(rng, 17)) : 0;
}

static void random_scenes(void **state)
{
    struct scene_bench *b = *state;
    struct hv_rng rng;
    rng_init(&rng, 1);
    for (uint64_t i = 0; i < SAMPLE; i++) {
        struct scene s;
        random_scene(&rng, &s);
        scene_check(b, &s, i % 64 == 0 ? SCENE_ALL_MEMORY : SCENE_PATH);
    }
    /* The sample is worth something only if it meets every outcome, and each often. */
    for (unsigned kind = 0; kind < HV_FAULT_KINDS; kind++) {
        assert_true(scene_outcomes(b, (enum hv_fault_kind)kind) > SAMPLE / 1000);
    }
}

static void random_scenes_warm(void **state)
{
    struct scene_bench *b = *state;
    struct hv_rng rng;
    rng_init(&rng, 2);
    for (uint64_t i = 0; i < WARM_SAMPLE; i++) {
        struct scene s;
        random_scene(&rng, &s);
        scene_check_warm(b, &s);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_guest_entry_in_every_mode),
        cmocka_unit_test(every_pair_of_guest_entries),
        cmocka_unit_test(every_ept_entry),
        cmocka_unit_test(every_ept_entry_with_mode_based_execute),
        cmocka_unit_test(every_npt_entry),
        cmocka_unit_test(every_guest_leaf_with_every_ept_leaf),
        cmocka_unit_test(every_guest_leaf_with_every_npt_leaf),
        cmocka_unit_test(every_guest_leaf_with_both_ept_leaves),
        cmocka_unit_test(every_bit_of_every_entry),
        cmocka_unit_test(random_scenes),
        cmocka_unit_test(random_scenes_warm),
    };
    const struct gtest_suite suite = {
        .name = "WalkOracle", .tests = tests, .count = HV_ARRAY_LEN(tests), .setup = make_bench, .teardown = free_bench,
    };
    return gtest_main_suites(argc, argv, &suite, 1);
}
