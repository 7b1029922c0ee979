/* SPDX-License-Identifier: MIT */
/* What shadow and agile paging cost: each VM exit by arithmetic, and which guest tables agile paging leaves nested. */
#include "gtest.h"

#include "shadow_rig.h"

enum { PAGES = 1024 /* 4 MiB, two tables of leaves */, TABLE = 512 };

static const struct vm_region two_tables[] = {{{RIG_START}, PAGES, 0}};

static void begin(struct vm_rig *r, const struct vm_config *config)
{
    rig_init(r, config, two_tables, 1);
    rig_check(r);
}

static void end(struct vm_rig *r)
{
    rig_check(r);
    shadow_check(r, two_tables, 1);
    rig_fini(r);
}

static struct vm_config protected_config(void)
{
    struct vm_config config = shadow_config(PAGING_SHADOW, PAGING_EPT);
    config.shadow.unsync = false;
    return config;
}

static uint64_t page_at(unsigned page)
{
    return RIG_START + page * HV_PAGE_BYTES;
}

static void expect_cost(struct shadow_cost cost, hv_cycles guest, hv_cycles exits)
{
    assert_int_equal(cost.guest, guest);
    assert_int_equal(cost.exits, exits);
}

static void what_is_mapped_ahead_needs_no_exit(void **state)
{
    struct vm_rig r;
    struct vm_config config = protected_config();
    (void)state;
    begin(&r, &config);
    for (unsigned i = 0; i < PAGES; i++) {
        expect_cost(shadow_touch(&r, 0, page_at(i), i % 2 == 0), 0, 0);
        assert_int_equal(shadow_walk(&r, 0, page_at(i)).refs, 4);
    }
    assert_int_equal(r.vm.stats.shadow_exits, 0);
    end(&r);
}

/* N updates of entries of protected tables are N exits; INVLPG and what follows need none. */
static void every_write_to_a_protected_table_exits(void **state)
{
    struct vm_rig r;
    struct vm_config config = protected_config();
    (void)state;
    begin(&r, &config);
    expect_cost(shadow_event(&r, 0, HV_EVENT_PROTECT, page_at(TABLE - 16), 4), RIG_SYSTEM_CALL + 16 * RIG_PAGE_UPDATE,
                16 * RIG_WRITE);
    assert_int_equal(r.vm.stats.shadow_writes, 16);
    /* A load needs nothing; a store is the guest's fault, whose handler writes one entry. */
    expect_cost(shadow_touch(&r, 0, page_at(TABLE - 1), false), 0, 0);
    expect_cost(shadow_touch(&r, 0, page_at(TABLE - 1), true), RIG_PAGE_FAULT, RIG_REFLECT + RIG_WRITE);
    expect_cost(shadow_touch(&r, 0, page_at(TABLE - 1), true), 0, 0);
    /* Unmapped and mapped again: the emulated write fills the shadow, as the host page behind the frame is there. */
    expect_cost(shadow_event(&r, 0, HV_EVENT_UNMAP, page_at(0), 3), RIG_SYSTEM_CALL + 8 * RIG_PAGE_UPDATE,
                8 * RIG_WRITE);
    expect_cost(shadow_touch(&r, 0, page_at(3), false), RIG_PAGE_FAULT, RIG_REFLECT + RIG_WRITE);
    assert_int_equal(r.vm.stats.shadow_faults, 0);
    assert_int_equal(r.vm.stats.shadow_exits, 16 + 2 + 8 + 2);
    end(&r);
}

/* More pages than are invalidated one by one: the guest loads CR3, which exits. */
static void loading_cr3_exits(void **state)
{
    struct vm_rig r;
    struct vm_config config = protected_config();
    (void)state;
    begin(&r, &config);
    expect_cost(shadow_event(&r, 0, HV_EVENT_UNMAP, page_at(0), 6), RIG_SYSTEM_CALL + 64 * RIG_PAGE_UPDATE,
                64 * RIG_WRITE + RIG_CR3);
    assert_int_equal(r.vm.stats.shadow_cr3_loads, 1);
    end(&r);
}

/* The first write makes a leaf table unsynchronised, for one exit; then each INVLPG exits, or MOV to CR3, once. */
static void an_unsynchronised_table_is_written_freely(void **state)
{
    struct vm_rig r;
    struct vm_config config = shadow_config(PAGING_SHADOW, PAGING_EPT);
    config.shadow.unsync = true;
    (void)state;
    begin(&r, &config);
    expect_cost(shadow_event(&r, 0, HV_EVENT_UNMAP, page_at(0), 4), RIG_SYSTEM_CALL + 16 * RIG_PAGE_UPDATE,
                RIG_WRITE + 16 * RIG_INVLPG);
    expect_cost(shadow_event(&r, 0, HV_EVENT_UNMAP, page_at(32), 4), RIG_SYSTEM_CALL + 16 * RIG_PAGE_UPDATE,
                16 * RIG_INVLPG);
    /* Mapped again without an exit for the write; the hidden fault is what synchronises the entry. */
    expect_cost(shadow_touch(&r, 0, page_at(3), false), RIG_PAGE_FAULT, RIG_REFLECT + RIG_FAULT);
    /* Both tables are unsynchronised when CR3 is loaded, and none afterwards. */
    expect_cost(shadow_event(&r, 0, HV_EVENT_PROTECT, RIG_START, 10),
                RIG_SYSTEM_CALL + (PAGES - 31) * RIG_PAGE_UPDATE, RIG_WRITE + RIG_CR3 + 2 * RIG_RESYNC);
    expect_cost(shadow_event(&r, 0, HV_EVENT_PROTECT, page_at(TABLE), 0), RIG_SYSTEM_CALL + RIG_PAGE_UPDATE,
                RIG_WRITE + RIG_INVLPG);
    assert_int_equal(r.vm.stats.shadow_resyncs, 2);
    end(&r);
}

/* Nothing is there ahead: the first page of a table needs no write exit, as nothing is shadowed yet. */
static void first_touches(void **state)
{
    struct vm_rig r;
    struct vm_config config = protected_config();
    config.paging.prefault = false;
    (void)state;
    begin(&r, &config);
    expect_cost(shadow_touch(&r, 0, page_at(0), true), RIG_PAGE_FAULT, RIG_REFLECT + RIG_FAULT);
    expect_cost(shadow_touch(&r, 0, page_at(1), true), RIG_PAGE_FAULT, RIG_REFLECT + RIG_WRITE + RIG_FAULT);
    /* The table for the next 2 MiB is linked by a write to the level above, which is protected by now. */
    expect_cost(shadow_touch(&r, 0, page_at(TABLE), false), RIG_PAGE_FAULT, RIG_REFLECT + RIG_WRITE + RIG_FAULT);
    assert_int_equal(r.vm.stats.ept_violations, 0);
    assert_int_equal(r.vm.stats.page_faults, 3);
    end(&r);
}

/* Flags are the guest's to see: a first use and a first store are hidden faults, and one fault serves both. */
static void first_stores_exit(void **state)
{
    struct vm_rig r;
    struct vm_config config = protected_config();
    config.paging.preset_flags = false;
    (void)state;
    begin(&r, &config);
    expect_cost(shadow_touch(&r, 0, page_at(0), false), 0, RIG_FAULT);
    assert_int_equal(rig_guest_page(&r, 0, page_at(0)).entry & (32 | 64), 32);
    assert_false(shadow_walk(&r, 0, page_at(0)).writable);
    expect_cost(shadow_touch(&r, 0, page_at(0), true), 0, RIG_FAULT);
    assert_int_equal(rig_guest_page(&r, 0, page_at(0)).entry & (32 | 64), 32 | 64);
    expect_cost(shadow_touch(&r, 0, page_at(0), true), 0, 0);
    expect_cost(shadow_touch(&r, 0, page_at(1), true), 0, RIG_FAULT);
    assert_int_equal(r.vm.stats.shadow_first_stores, 2);
    assert_int_equal(r.vm.stats.shadow_faults, 3);
    end(&r);
}

/* Without these flags in the guest's tables nobody has to keep them. */
static void no_flags_no_exits(void **state)
{
    struct vm_rig r;
    struct vm_config config = protected_config();
    config.paging.preset_flags = config.paging.accessed_dirty = false;
    (void)state;
    begin(&r, &config);
    expect_cost(shadow_touch(&r, 0, page_at(0), true), 0, 0);
    rig_fini(&r);
}

/* The hypervisor moves host pages and follows with the shadow at once; what it takes, the next touch finds missing. */
static void host_changes_are_followed(void **state)
{
    struct vm_rig r;
    struct vm_config config = protected_config();
    (void)state;
    begin(&r, &config);
    uint64_t before = rig_translate(&r, 0, page_at(5));
    /* 16 host entries and 16 entries of the shadow. */
    expect_cost(shadow_event(&r, 0, HV_EVENT_MIGRATE, page_at(0), 4), 0,
                RIG_VIOLATION + 32 * RIG_PAGE_UPDATE + 16 * RIG_PAGE_COPY);
    assert_true(rig_translate(&r, 0, page_at(5)) != before);
    expect_cost(shadow_touch(&r, 0, page_at(5), true), 0, 0);
    expect_cost(shadow_event(&r, 0, HV_EVENT_BALLOON, page_at(0), 4), 0, RIG_VIOLATION + 32 * RIG_PAGE_UPDATE);
    expect_cost(shadow_touch(&r, 0, page_at(5), true), 0, RIG_FAULT);
    end(&r);
}

/* A guest page of 2M on host pages of 4K is in the shadow as 512 pages. */
static void a_shadow_page_is_the_smaller_of_both(void **state)
{
    (void)state;
    static const struct { enum hv_page_size guest, host; unsigned refs; } rows[] = {
        {HV_PAGE_4K, HV_PAGE_2M, 4}, {HV_PAGE_2M, HV_PAGE_4K, 4}, {HV_PAGE_2M, HV_PAGE_2M, 3},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct vm_rig r;
        struct vm_config config = protected_config();
        config.guest.page_size = rows[i].guest;
        config.host.page_size = rows[i].host;
        begin(&r, &config);
        assert_int_equal(shadow_walk(&r, 0, page_at(7)).refs, rows[i].refs);
        end(&r);
    }
}

/* --- agile ------------------------------------------------------------------------------------------------------- */

static struct vm_config agile_config(unsigned nested_levels)
{
    struct vm_config config = shadow_config(PAGING_AGILE, PAGING_EPT);
    config.agile.nested_levels = nested_levels;
    return config;
}

/* 4 references for the guest's levels, and 4 for each guest-physical address that is translated on the way. */
static void references_by_nested_levels(void **state)
{
    (void)state;
    for (unsigned nested = NESTED_0; nested <= NESTED_4; nested++) {
        struct vm_rig r;
        struct vm_config config = agile_config(nested);
        begin(&r, &config);
        assert_int_equal(shadow_walk(&r, 0, page_at(9)).refs, 4 + 4 * (nested - NESTED_0));
        end(&r);
    }
    struct vm_rig r;
    struct vm_config config = agile_config(NESTED_FULL);
    begin(&r, &config);
    assert_int_equal(shadow_walk(&r, 0, page_at(9)).refs, 24);
    end(&r);
}

/* So many writes within an interval make a table nested: from then on it is written without exits. */
static void a_table_that_is_written_often_becomes_nested(void **state)
{
    struct vm_rig r;
    struct vm_config config = agile_config(NESTED_AUTO);
    config.agile.write_threshold = 3;
    (void)state;
    begin(&r, &config);
    expect_cost(shadow_event(&r, 0, HV_EVENT_PROTECT, page_at(0), 1), RIG_SYSTEM_CALL + 2 * RIG_PAGE_UPDATE,
                2 * RIG_WRITE);
    assert_int_equal(shadow_walk(&r, 0, page_at(0)).refs, 4);
    expect_cost(shadow_event(&r, 0, HV_EVENT_PROTECT, page_at(4), 2), RIG_SYSTEM_CALL + 4 * RIG_PAGE_UPDATE,
                RIG_WRITE + RIG_SWITCH);
    assert_int_equal(r.vm.stats.agile_to_nested, 1);
    assert_int_equal(shadow_walk(&r, 0, page_at(0)).refs, 8);
    assert_int_equal(shadow_walk(&r, 0, page_at(TABLE)).refs, 4); /* the other table */
    /* The guest's own faults on it are no exits either. */
    expect_cost(shadow_touch(&r, 0, page_at(4), true), RIG_PAGE_FAULT, 0);
    end(&r);
}

static void writes_of_different_intervals_do_not_add_up(void **state)
{
    struct vm_rig r;
    struct vm_config config = agile_config(NESTED_AUTO);
    (void)state;
    begin(&r, &config);
    for (unsigned i = 0; i < 5; i++) {
        expect_cost(shadow_event(&r, 0, HV_EVENT_UNMAP, page_at(i), 0), RIG_SYSTEM_CALL + RIG_PAGE_UPDATE, RIG_WRITE);
        assert_int_equal(vm_scan(&r.vm).host_cycles, RIG_SCAN);
    }
    assert_int_equal(r.vm.stats.agile_to_nested, 0);
    assert_int_equal(r.vm.stats.agile_scans, 5);
    end(&r);
}

/* Nested as long as each interval sees a write; after one without, the table is shadowed again, all at once. */
static void a_table_that_is_left_alone_is_shadowed_again(void **state)
{
    struct vm_rig r;
    struct vm_config config = agile_config(NESTED_AUTO);
    (void)state;
    begin(&r, &config);
    shadow_event(&r, 0, HV_EVENT_PROTECT, page_at(0), 2);
    assert_int_equal(r.vm.stats.agile_to_nested, 1);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(vm_scan(&r.vm).host_cycles, RIG_SCAN);
        expect_cost(shadow_event(&r, 0, HV_EVENT_PROTECT, page_at(8), 0), RIG_SYSTEM_CALL + RIG_PAGE_UPDATE, 0);
    }
    assert_int_equal(vm_scan(&r.vm).host_cycles, RIG_SCAN); /* the last write was within this interval */
    struct vm_change change = vm_scan(&r.vm);
    assert_int_equal(change.host_cycles, RIG_SCAN + RIG_RESYNC);
    assert_true(change.host_too);
    assert_int_equal(r.vm.stats.agile_to_shadow, 1);
    assert_int_equal(shadow_walk(&r, 0, page_at(0)).refs, 4);
    expect_cost(shadow_touch(&r, 0, page_at(100), true), 0, 0);
    end(&r);
}

/* A table of large pages becomes nested like one of leaves. */
static void a_table_of_large_pages_becomes_nested(void **state)
{
    struct vm_rig r;
    struct vm_config config = agile_config(NESTED_AUTO);
    config.guest.page_size = HV_PAGE_2M;
    config.host.page_size = HV_PAGE_2M;
    (void)state;
    begin(&r, &config);
    assert_int_equal(shadow_walk(&r, 0, page_at(0)).refs, 3);
    expect_cost(shadow_event(&r, 0, HV_EVENT_PROTECT, page_at(0), 10), RIG_SYSTEM_CALL + 2 * RIG_PAGE_UPDATE,
                2 * RIG_WRITE + RIG_SWITCH + RIG_CR3);
    /* 2 levels of shadow, the guest's leaf, whose table's hPA the switch says, and 3 host levels for the data page. */
    assert_int_equal(shadow_walk(&r, 0, page_at(0)).refs, 2 + 1 + 3);
    assert_int_equal(shadow_walk(&r, 0, page_at(TABLE)).refs, 6);
    end(&r);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest shadow[] = {
        cmocka_unit_test(what_is_mapped_ahead_needs_no_exit),
        cmocka_unit_test(every_write_to_a_protected_table_exits),
        cmocka_unit_test(loading_cr3_exits),
        cmocka_unit_test(an_unsynchronised_table_is_written_freely),
        cmocka_unit_test(first_touches),
        cmocka_unit_test(first_stores_exit),
        cmocka_unit_test(no_flags_no_exits),
        cmocka_unit_test(host_changes_are_followed),
        cmocka_unit_test(a_shadow_page_is_the_smaller_of_both),
    };
    static const struct CMUnitTest agile[] = {
        cmocka_unit_test(references_by_nested_levels),
        cmocka_unit_test(a_table_that_is_written_often_becomes_nested),
        cmocka_unit_test(writes_of_different_intervals_do_not_add_up),
        cmocka_unit_test(a_table_that_is_left_alone_is_shadowed_again),
        cmocka_unit_test(a_table_of_large_pages_becomes_nested),
    };
    struct gtest_suite suites[] = {GTEST_SUITE("shadow", shadow), GTEST_SUITE("agile", agile)};
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
