/* SPDX-License-Identifier: MIT */
/* Rules of page sizes against the plainest keeping of them: a size for each address. */
#include "gtest.h"

#include <string.h>

#include "base/rng.h"
#include "vmm/size_rules.h"

enum { PLACES = 128, NO_RULE = 9 };

/* Place i of the model stands for this address: the last one for the end of the address space. */
static uint64_t address_of(unsigned place)
{
    return place < PLACES / 2 ? place : UINT64_MAX - (PLACES - 1 - place);
}

static void check_against(const struct size_rules *rules, const uint8_t *model)
{
    for (unsigned place = 0; place < PLACES; place++) {
        struct size_rule found;
        bool ruled = size_rules_find(rules, address_of(place), &found);
        assert_int_equal(ruled, model[place] != NO_RULE);
        assert_true(!ruled || found.size == model[place]);
        assert_true(found.first <= address_of(place) && address_of(place) <= found.last);
        for (unsigned other = 0; other < PLACES; other++) {
            bool inside = address_of(other) >= found.first && address_of(other) <= found.last;
            assert_true(!inside || model[other] == model[place]);
        }
    }
    for (size_t i = 1; i < rules->count; i++) {
        assert_true(rules->items[i - 1].last < rules->items[i].first);
    }
}

static void the_last_rule_decides(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < 200; seed++) {
        struct size_rules rules = {0};
        uint8_t model[PLACES];
        struct hv_rng rng;
        rng_init(&rng, seed);
        memset(model, NO_RULE, sizeof(model));
        check_against(&rules, model);
        for (unsigned i = 0; i < 40; i++) {
            unsigned first = (unsigned)rng_below(&rng, PLACES);
            unsigned last = first + (unsigned)rng_below(&rng, rng_below(&rng, PLACES - first) + 1);
            enum hv_page_size size = (enum hv_page_size)rng_below(&rng, HV_PAGE_SIZES);
            struct size_rule rule = {address_of(first), address_of(last), size};
            size_rules_set(&rules, &rule);
            memset(model + first, (int)size, last - first + 1);
            check_against(&rules, model);
        }
        size_rules_fini(&rules);
    }
}

/* Rules that take each other's place take no room. */
static void the_same_runs_again_cost_nothing(void **state)
{
    (void)state;
    struct size_rules rules = {0};
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t first = i % 4 * 1000;
        struct size_rule rule = {first, first + 999, i % 2 == 0 ? HV_PAGE_2M : HV_PAGE_4K};
        size_rules_set(&rules, &rule);
    }
    assert_int_equal(rules.count, 4);
    struct size_rule whole = {0, UINT64_MAX, HV_PAGE_1G};
    size_rules_set(&rules, &whole);
    assert_int_equal(rules.count, 1);
    size_rules_fini(&rules);
}

GTEST_MAIN("SizeRules", cmocka_unit_test(the_last_rule_decides), cmocka_unit_test(the_same_runs_again_cost_nothing))
