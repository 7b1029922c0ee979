/* SPDX-License-Identifier: MIT */
/*
 * Endless changes of mappings in the least memory: frames and tables never run out, nothing is lost, and every address
 * can be mapped again at any time.
 */
#include "gtest.h"

#include <stdio.h>

#include "vm_rig.h"

enum { ROUNDS = 100000, CHECK_EVERY = 20000 };

static const struct shape_row {
    const char *name;
    enum paging_mode mode;
    enum hv_page_size guest, host;
    double fragmentation, huge;
} shapes[] = {
    {"native", PAGING_NATIVE, HV_PAGE_4K, HV_PAGE_4K, 0, 0},
    {"native_in_pieces", PAGING_NATIVE, HV_PAGE_4K, HV_PAGE_4K, 0.5, 0},
    {"native_2m", PAGING_NATIVE, HV_PAGE_2M, HV_PAGE_4K, 0, 0},
    {"nested", PAGING_NESTED, HV_PAGE_4K, HV_PAGE_4K, 0, 0},
    {"nested_in_pieces", PAGING_NESTED, HV_PAGE_4K, HV_PAGE_4K, 1, 0},
    {"nested_2m_on_4k", PAGING_NESTED, HV_PAGE_2M, HV_PAGE_4K, 0, 0},
    {"nested_4k_on_2m", PAGING_NESTED, HV_PAGE_4K, HV_PAGE_2M, 0, 0},
    {"nested_2m_on_2m", PAGING_NESTED, HV_PAGE_2M, HV_PAGE_2M, 0.3, 0},
    {"nested_some_huge", PAGING_NESTED, HV_PAGE_4K, HV_PAGE_4K, 0, 0.5},
};

static void begin(struct vm_rig *r, void **state)
{
    const struct shape_row *row = *state;
    struct vm_config config = rig_config(row->mode, PAGING_EPT);
    config.guest.page_size = row->guest;
    config.host.page_size = row->host;
    config.guest.fragmentation = config.host.fragmentation = row->fragmentation;
    config.guest.huge_fraction = config.host.huge_fraction = row->huge;
    rig_begin(r, &config);
}

static void touch_some(struct vm_rig *r, struct hv_rng *rng, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        uint32_t process;
        uint64_t gva = rig_some_page(rng, &process);
        rig_touch(r, process, gva, rng_below(rng, 2) == 0);
        assert_true(rig_translate(r, process, gva) != UINT64_MAX);
    }
}

static void touch_all(struct vm_rig *r)
{
    for (size_t i = 0; i < RIG_REGIONS; i++) {
        for (uint64_t page = 0; page < rig_regions[i].pages; page++) {
            rig_touch(r, rig_regions[i].process, rig_regions[i].start.v + page * HV_PAGE_BYTES, true);
        }
    }
    rig_check(r);
}

/* The same event again and again, each time followed by touches. */
static void repeat(void **state, enum hv_event event, enum hv_event other)
{
    struct vm_rig r;
    struct hv_rng rng;
    rng_init(&rng, event);
    begin(&r, state);
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint32_t process;
        uint64_t gva = rig_some_page(&rng, &process);
        rig_event(&r, process, round % 2 == 0 ? event : other, gva, (unsigned)rng_below(&rng, 8));
        touch_some(&r, &rng, 2);
        if (round % CHECK_EVERY == 0) {
            rig_check(&r);
        }
    }
    touch_all(&r);
    rig_fini(&r);
}

static void remap(void **state)
{
    repeat(state, HV_EVENT_UNMAP, HV_EVENT_UNMAP);
}

static void fork_and_store(void **state)
{
    repeat(state, HV_EVENT_FORK, HV_EVENT_PROTECT);
}

static void migrate(void **state)
{
    repeat(state, HV_EVENT_MIGRATE, HV_EVENT_MIGRATE);
}

static void balloon(void **state)
{
    repeat(state, HV_EVENT_BALLOON, HV_EVENT_BALLOON);
}

static void resize(void **state)
{
    repeat(state, HV_EVENT_PAGES_2M, HV_EVENT_PAGES_4K);
}

/* Whatever comes, whole address spaces included. */
static void anything(void **state)
{
    struct vm_rig r;
    struct hv_rng rng;
    rng_init(&rng, 99);
    begin(&r, state);
    for (unsigned round = 0; round < ROUNDS / 4; round++) {
        uint32_t process;
        uint64_t gva = rng_below(&rng, 8) == 0 ? rng_next(&rng) : rig_some_page(&rng, &process);
        unsigned reach = rng_below(&rng, 16) == 0 ? HV_EVENT_RUN_LOG2_MAX : 10;
        enum hv_event event = HV_EVENT_MAP + (enum hv_event)rng_below(&rng, HV_EVENT_CPUID - HV_EVENT_MAP);
        rig_event(&r, (uint32_t)rng_below(&rng, 2), event, gva, (unsigned)rng_below(&rng, reach + 1));
        touch_some(&r, &rng, 3);
        if (round % 1000 == 0) {
            rig_check(&r);
        }
    }
    touch_all(&r);
    rig_fini(&r);
}

int main(int argc, char **argv)
{
    static const struct { const char *name; CMUnitTestFunction test; } all[] = {
#define T(test) {#test, test}
        T(remap), T(fork_and_store), T(migrate), T(balloon), T(resize), T(anything),
#undef T
    };
    struct CMUnitTest tests[HV_ARRAY_LEN(all)][HV_ARRAY_LEN(shapes)];
    struct gtest_suite suites[HV_ARRAY_LEN(all)];
    for (size_t i = 0; i < HV_ARRAY_LEN(all); i++) {
        gtest_rows(tests[i], all[i].test, shapes, sizeof(shapes[0]), HV_ARRAY_LEN(shapes));
        suites[i] = (struct gtest_suite)GTEST_SUITE(all[i].name, tests[i]);
    }
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
