/* SPDX-License-Identifier: MIT */
/* Tables written by software: what is mapped is found, holes say how far they reach, empty tables are given back. */
#include "gtest.h"

#include <string.h>

#include "vmm/page_table.h"

#define TABLE_BITS UINT64_C(0x27) /* P, W, U, A */
#define LEAF_BITS UINT64_C(0x67)  /* and D */

struct setup {
    struct physmem memory;
    struct frames arena;
    struct page_table table;
};

static void begin(struct setup *s, unsigned levels, uint64_t tables)
{
    struct hv_err err = {""};
    memset(s, 0, sizeof(*s));
    assert_true(physmem_init(&s->memory, HV_GIB(1), &err));
    s->arena = (struct frames){.next = HV_MIB(1), .end = HV_MIB(1) + tables * HV_PAGE_BYTES};
    s->table = (struct page_table){
        .memory = &s->memory, .arena = &s->arena, .levels = levels, .table_bits = TABLE_BITS, .leaf_bits = LEAF_BITS,
    };
    assert_true(page_table_init(&s->table));
}

static void end(struct setup *s)
{
    frames_fini(&s->arena);
    physmem_fini(&s->memory);
}

static uint64_t tables_taken(const struct setup *s)
{
    return (s->arena.next - HV_MIB(1)) / HV_PAGE_BYTES - s->arena.given_back[HV_PAGE_4K].count;
}

static uint64_t word(const struct setup *s, uint64_t table, unsigned index)
{
    return physmem_read64(&s->memory, (hv_hpa){table + index * 8});
}

/* The bytes are those of the SDM's format: an index of 9 bits per level, P and the address in each entry. */
static void entries_are_where_hardware_looks(void **state)
{
    (void)state;
    struct setup s;
    for (unsigned levels = 4; levels <= 5; levels++) {
        begin(&s, levels, 16);
        const uint64_t gva = UINT64_C(0x00007b3c9d476000);
        assert_true(page_table_map(&s.table, gva, HV_PAGE_4K, HV_MIB(512)));
        uint64_t table = s.table.root;
        for (unsigned level = levels; level > 1; level--) {
            uint64_t entry = word(&s, table, (unsigned)(gva >> (12 + 9 * (level - 1)) & 511));
            assert_int_equal(entry & 0xfff, TABLE_BITS);
            table = entry & UINT64_C(0x000ffffffffff000);
        }
        assert_int_equal(word(&s, table, (unsigned)(gva >> 12 & 511)), HV_MIB(512) | LEAF_BITS);
        assert_int_equal(tables_taken(&s), levels);
        end(&s);
    }
}

static void large_pages_have_bit_7(void **state)
{
    (void)state;
    struct setup s;
    begin(&s, 4, 16);
    unsigned level;
    assert_true(page_table_map(&s.table, HV_GIB(3), HV_PAGE_1G, HV_GIB(7)));
    assert_true(page_table_map(&s.table, HV_MIB(6), HV_PAGE_2M, HV_MIB(10)));
    assert_int_equal(*page_table_find(&s.table, HV_GIB(3) + 12345678, &level), HV_GIB(7) | LEAF_BITS | 1u << 7);
    assert_int_equal(level, 3);
    assert_int_equal(*page_table_find(&s.table, HV_MIB(8) - 1, &level), HV_MIB(10) | LEAF_BITS | 1u << 7);
    assert_int_equal(level, 2);
    assert_int_equal(tables_taken(&s), 3); /* root, one of level 3, one of level 2 */
    end(&s);
}

/* The level of the empty entry says how far nothing is mapped. */
static void holes_say_how_far_they_reach(void **state)
{
    (void)state;
    struct setup s;
    begin(&s, 4, 16);
    unsigned level;
    assert_null(page_table_find(&s.table, 0, &level));
    assert_int_equal(level, 4);
    assert_true(page_table_map(&s.table, 0, HV_PAGE_4K, HV_MIB(32)));
    static const struct { uint64_t address; unsigned level; } holes[] = {
        {HV_KIB(4), 1}, {HV_MIB(2) - 1, 1}, {HV_MIB(2), 2}, {HV_GIB(1) - 1, 2}, {HV_GIB(1), 3}, {HV_GIB(512) - 1, 3},
        {HV_GIB(512), 4},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(holes); i++) {
        assert_null(page_table_find(&s.table, holes[i].address, &level));
        assert_int_equal(level, holes[i].level);
    }
    end(&s);
}

/* --- large pages in the place of tables ---------------------------------------------------------------------------- */

static void nothing_is_mapped_over_something(void **state)
{
    (void)state;
    struct setup s;
    begin(&s, 4, 16);
    unsigned level;
    assert_true(page_table_map(&s.table, HV_MIB(2) + HV_KIB(8), HV_PAGE_4K, HV_MIB(32)));
    assert_false(page_table_map(&s.table, HV_MIB(2), HV_PAGE_2M, HV_MIB(64)));
    assert_false(page_table_map(&s.table, 0, HV_PAGE_1G, HV_GIB(1)));
    assert_int_equal(*page_table_find(&s.table, HV_MIB(2) + HV_KIB(8), &level) >> 12, HV_MIB(32) >> 12);
    assert_true(page_table_map(&s.table, HV_MIB(4), HV_PAGE_2M, HV_MIB(64)));
    assert_false(page_table_map(&s.table, HV_MIB(4), HV_PAGE_4K, HV_MIB(96)));
    assert_int_equal(level, 1);
    assert_int_equal(s.table.tables_given, 0);
    end(&s);
}

static void empty_tables_make_room(void **state)
{
    (void)state;
    struct setup s;
    begin(&s, 4, 16);
    unsigned level;
    assert_true(page_table_map(&s.table, HV_MIB(2), HV_PAGE_4K, HV_MIB(32)));
    assert_int_equal(tables_taken(&s), 4);
    *page_table_find(&s.table, HV_MIB(2), &level) = 0;
    assert_true(page_table_map(&s.table, HV_MIB(2), HV_PAGE_2M, HV_MIB(64)));
    assert_int_equal(tables_taken(&s), 3);
    assert_int_equal(s.table.tables_given, 1);
    /* What was remembered of the last table written is of no use now: this page needs a table again. */
    *page_table_find(&s.table, HV_MIB(2), &level) = 0;
    assert_int_equal(level, 2);
    assert_true(page_table_map(&s.table, HV_MIB(2) + HV_KIB(4), HV_PAGE_4K, HV_MIB(32)));
    assert_non_null(page_table_find(&s.table, HV_MIB(2) + HV_KIB(4), &level));
    assert_int_equal(level, 1);
    assert_int_equal(tables_taken(&s), 4);
    end(&s);
}

/* A page of 1 GiB takes the place of a table of empty tables; all of them come back empty. */
static void nested_empty_tables_make_room(void **state)
{
    (void)state;
    struct setup s;
    begin(&s, 4, 16);
    unsigned level;
    for (uint64_t i = 0; i < 5; i++) {
        assert_true(page_table_map(&s.table, i * HV_MIB(200), HV_PAGE_4K, HV_MIB(32)));
    }
    assert_int_equal(tables_taken(&s), 3 + 5);
    for (uint64_t i = 0; i < 5; i++) {
        assert_false(page_table_map(&s.table, 0, HV_PAGE_1G, HV_GIB(2)));
        *page_table_find(&s.table, i * HV_MIB(200), &level) = 0;
    }
    assert_true(page_table_map(&s.table, 0, HV_PAGE_1G, HV_GIB(2)));
    assert_int_equal(tables_taken(&s), 2);
    assert_int_equal(s.table.tables_given, 6);
    for (unsigned i = 0; i < 6; i++) { /* tables are empty when they are handed out again */
        uint64_t table = frames_take(&s.arena, HV_PAGE_4K);
        for (unsigned entry = 0; entry < 512; entry++) {
            assert_int_equal(word(&s, table, entry), 0);
        }
    }
    end(&s);
}

/* --- the arena ----------------------------------------------------------------------------------------------------- */

static void a_used_up_arena_is_said(void **state)
{
    (void)state;
    struct setup s;
    begin(&s, 4, 4);
    assert_true(page_table_map(&s.table, 0, HV_PAGE_4K, HV_MIB(32)));
    assert_true(page_table_map(&s.table, HV_KIB(4), HV_PAGE_4K, HV_MIB(32)));
    assert_false(page_table_map(&s.table, HV_MIB(2), HV_PAGE_4K, HV_MIB(32)));
    assert_true(page_table_map(&s.table, HV_MIB(4), HV_PAGE_2M, HV_MIB(32))); /* needs no further table */
    end(&s);
}

/* The bound is one: the worst place of a run, across the ends of tables of every level. */
static void the_bound_bounds(void **state)
{
    (void)state;
    static const struct { uint64_t start, pages; } runs[] = {
        {0, 1}, {0, 512}, {HV_MIB(2) - HV_KIB(4), 2}, {HV_GIB(1) - HV_KIB(4), 2}, {HV_GIB(512) - HV_KIB(4), 2},
        {HV_GIB(512) - HV_KIB(4), 514}, {(UINT64_C(1) << 48) - HV_KIB(4), 2}, {HV_MIB(1), 5000},
    };
    struct setup s;
    for (unsigned levels = 4; levels <= 5; levels++) {
        for (size_t i = 0; i < HV_ARRAY_LEN(runs); i++) {
            uint64_t bound = page_table_bound(runs[i].pages * HV_PAGE_BYTES, 1);
            begin(&s, levels, bound);
            for (uint64_t page = 0; page < runs[i].pages; page++) {
                assert_true(page_table_map(&s.table, runs[i].start + page * HV_PAGE_BYTES, HV_PAGE_4K, HV_MIB(32)));
            }
            end(&s);
        }
    }
}

/* SDM Vol. 1 3.3.7.1: bits 63:47 (63:56 with five levels) are all equal. */
static void the_middle_of_the_space_is_not_canonical(void **state)
{
    (void)state;
    static const struct { unsigned levels; uint64_t from, to; } rows[] = {
        {4, 0, 0},
        {4, UINT64_C(0x00007fffffffffff), UINT64_C(0x00007fffffffffff)},
        {4, UINT64_C(0x0000800000000000), UINT64_C(0xffff800000000000)},
        {4, UINT64_C(0xffff7fffffffffff), UINT64_C(0xffff800000000000)},
        {4, UINT64_C(0xffff800000000000), UINT64_C(0xffff800000000000)},
        {4, UINT64_MAX, UINT64_MAX},
        {5, UINT64_C(0x0000800000000000), UINT64_C(0x0000800000000000)},
        {5, UINT64_C(0x0100000000000000), UINT64_C(0xff00000000000000)},
        {5, UINT64_C(0xff00000000000000), UINT64_C(0xff00000000000000)},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct page_table t = {.levels = rows[i].levels};
        assert_int_equal(page_table_canonical(&t, rows[i].from), rows[i].to);
    }
}

GTEST_MAIN("PageTable", cmocka_unit_test(entries_are_where_hardware_looks), cmocka_unit_test(large_pages_have_bit_7),
           cmocka_unit_test(holes_say_how_far_they_reach), cmocka_unit_test(nothing_is_mapped_over_something),
           cmocka_unit_test(empty_tables_make_room), cmocka_unit_test(nested_empty_tables_make_room),
           cmocka_unit_test(a_used_up_arena_is_said), cmocka_unit_test(the_bound_bounds),
           cmocka_unit_test(the_middle_of_the_space_is_not_canonical))
