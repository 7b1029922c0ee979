/* SPDX-License-Identifier: MIT */
/* Numbers for address spaces, and which of them an invalidation names. */
#include "gtest.h"

#include <stdlib.h>

#include "base/rng.h"
#include "tlb/tlb_space.h"

#define THIS_EPT UINT64_C(0x100000)
#define OTHER_EPT UINT64_C(0x200000)

static void each_space_has_its_number(void **state)
{
    (void)state;
    struct tlb_spaces s;
    tlb_spaces_init(&s);
    static const struct tlb_space base = {.ep4ta = THIS_EPT, .vpid = 1, .pcid = 2, .mapping = TLB_COMBINED};
    struct tlb_space spaces[6] = {base, base, base, base, base, base};
    spaces[1].ep4ta = OTHER_EPT;
    spaces[2].vpid = 3;
    spaces[3].pcid = 3;
    spaces[4].mapping = TLB_LINEAR;
    spaces[5].global = true;
    for (unsigned i = 0; i < 6; i++) {
        tlb_space_id id = tlb_spaces_id(&s, &spaces[i]);
        assert_int_not_equal(id, 0);
        for (unsigned other = 0; other < i; other++) {
            assert_int_not_equal(id, tlb_spaces_id(&s, &spaces[other]));
        }
        assert_int_equal(id, tlb_spaces_id(&s, &spaces[i]));
    }
    tlb_spaces_fini(&s);
}

/* All numbers can be given out, each once; then the answer is 0, and a reset makes room. */
static void numbers_run_out(void **state)
{
    (void)state;
    struct tlb_spaces s;
    tlb_spaces_init(&s);
    uint8_t *given = calloc(TLB_SPACES, 1);
    assert_non_null(given);
    for (unsigned i = 1; i < TLB_SPACES; i++) {
        struct tlb_space space = {.vpid = (uint16_t)i, .pcid = (uint16_t)(i * 7)};
        tlb_space_id id = tlb_spaces_id(&s, &space);
        assert_in_range(id, 1, TLB_SPACES - 1);
        assert_int_equal(given[id]++, 0);
    }
    struct tlb_space one_more = {.vpid = 1, .pcid = 1};
    assert_int_equal(tlb_spaces_id(&s, &one_more), 0);
    struct tlb_space known = {.vpid = 1, .pcid = 7};
    assert_int_not_equal(tlb_spaces_id(&s, &known), 0);
    tlb_spaces_reset(&s);
    assert_int_not_equal(tlb_spaces_id(&s, &one_more), 0);
    free(given);
    tlb_spaces_fini(&s);
}

/* --- Naming: each flag of a naming says one thing --------------------------------------------------------------- */

static bool names(const struct tlb_naming *naming, const struct tlb_space *space)
{
    struct tlb_spaces s;
    tlb_spaces_init(&s);
    tlb_space_id id = tlb_spaces_id(&s, space);
    bool any = tlb_spaces_name(&s, naming);
    bool named = s.named[id] != 0;
    assert_int_equal(any, named); /* it is the only one there is */
    tlb_spaces_fini(&s);
    return named;
}

static void flags_of_a_naming(void **state)
{
    (void)state;
    const struct tlb_space linear = {.vpid = 5, .pcid = 3, .mapping = TLB_LINEAR};
    const struct tlb_space combined = {.ep4ta = THIS_EPT, .vpid = 5, .pcid = 3, .mapping = TLB_COMBINED};
    const struct tlb_space global = {.ep4ta = THIS_EPT, .vpid = 5, .mapping = TLB_COMBINED, .global = true};
    const struct tlb_space guest_physical = {.ep4ta = THIS_EPT, .mapping = TLB_GUEST_PHYSICAL};
    const struct tlb_space root = {.pcid = 3, .mapping = TLB_LINEAR};
    const struct {
        struct tlb_naming naming;
        bool linear, combined, global, guest_physical, root;
    } rows[] = {
        {{0, 0, 0, 0}, true, true, true, true, true},
        {{TLB_BY_VPID, 5, 0, 0}, true, true, true, true, false},
        {{TLB_BY_VPID, 6, 0, 0}, false, false, false, true, false},
        {{TLB_BY_PCID, 0, 3, 0}, true, true, false, true, true},
        {{TLB_BY_PCID, 0, 4, 0}, false, false, false, true, false},
        {{TLB_BY_PCID | TLB_GLOBAL_TOO, 0, 4, 0}, false, false, true, true, false},
        {{TLB_BY_EP4TA | TLB_KEEP_LINEAR, 0, 0, THIS_EPT}, false, true, true, true, false},
        {{TLB_BY_EP4TA | TLB_KEEP_LINEAR, 0, 0, OTHER_EPT}, false, false, false, false, false},
        {{TLB_KEEP_LINEAR, 0, 0, 0}, false, true, true, true, false},
        {{TLB_KEEP_GLOBAL, 0, 0, 0}, true, true, false, true, true},
        {{TLB_KEEP_GUEST_PHYSICAL, 0, 0, 0}, true, true, true, false, true},
        {{TLB_BUT_VPID_0, 0, 0, 0}, true, true, true, true, false},
        {{TLB_BUT_VPID_0 | TLB_KEEP_GUEST_PHYSICAL, 0, 0, 0}, true, true, true, false, false},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        assert_int_equal(names(&rows[i].naming, &linear), rows[i].linear);
        assert_int_equal(names(&rows[i].naming, &combined), rows[i].combined);
        assert_int_equal(names(&rows[i].naming, &global), rows[i].global);
        assert_int_equal(names(&rows[i].naming, &guest_physical), rows[i].guest_physical);
        assert_int_equal(names(&rows[i].naming, &root), rows[i].root);
    }
}

/* A second naming forgets the first. */
static void a_naming_replaces_the_one_before(void **state)
{
    (void)state;
    struct tlb_spaces s;
    tlb_spaces_init(&s);
    struct tlb_space a = {.vpid = 1}, b = {.vpid = 2};
    tlb_space_id id_a = tlb_spaces_id(&s, &a), id_b = tlb_spaces_id(&s, &b);
    assert_true(tlb_spaces_name(&s, &(struct tlb_naming){TLB_BY_VPID, 1, 0, 0}));
    assert_int_equal(s.named[id_a], 1);
    assert_int_equal(s.named[id_b], 0);
    assert_true(tlb_spaces_name(&s, &(struct tlb_naming){TLB_BY_VPID, 2, 0, 0}));
    assert_int_equal(s.named[id_a], 0);
    assert_int_equal(s.named[id_b], 1);
    assert_false(tlb_spaces_name(&s, &(struct tlb_naming){TLB_BY_VPID, 3, 0, 0}));
    tlb_spaces_fini(&s);
}

GTEST_MAIN("TlbSpace", cmocka_unit_test(each_space_has_its_number), cmocka_unit_test(numbers_run_out),
           cmocka_unit_test(flags_of_a_naming), cmocka_unit_test(a_naming_replaces_the_one_before))
