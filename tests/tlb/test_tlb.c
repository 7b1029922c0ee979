/* SPDX-License-Identifier: MIT */
/* One translation cache: capacity, content against a plain list, keys, invalidation, counts of live entries. */
#include "gtest.h"

#include <stdlib.h>
#include <string.h>

#include "tlb/tlb.h"

enum { SPACE = 1 };

static struct tlb make(uint64_t entries, uint64_t ways, enum assoc_policy policy)
{
    struct tlb t;
    struct hv_err err = {""};
    struct tlb_geometry geometry = {entries, ways, policy, {12, 21, 30}};
    if (!tlb_init(&t, "tlb.test", &geometry, &err)) {
        fail_msg("%s", err.text);
    }
    return t;
}

/* --- Capacity --------------------------------------------------------------------------------------------------- */

/* Misses of one round through `pages` pages, each brought in when it misses. */
static unsigned misses_of_round(struct tlb *t, unsigned pages)
{
    unsigned misses = 0;
    for (uint64_t page = 0; page < pages; page++) {
        if (tlb_lookup(t, page << 12, HV_PAGE_4K, SPACE) == NULL) {
            misses++;
            (void)tlb_insert(t, page << 12, HV_PAGE_4K, SPACE, page << 12);
        }
    }
    return misses;
}

/* LRU on a cycle: what fits always hits, one page more and everything always misses. */
static void a_cycle_of_one_page_too_many_always_misses(void **state)
{
    (void)state;
    static const unsigned sizes[] = {1, 2, 3, 7, 16, 48, 64, 100, 1000};
    for (size_t i = 0; i < HV_ARRAY_LEN(sizes); i++) {
        unsigned entries = sizes[i];
        for (unsigned pages = entries > 2 ? entries - 2 : 1; pages <= entries + 2; pages++) {
            struct tlb t = make(entries, PARAM_WAYS_FULL, ASSOC_LRU);
            assert_int_equal(misses_of_round(&t, pages), pages);
            for (unsigned round = 0; round < 3; round++) {
                assert_int_equal(misses_of_round(&t, pages), pages <= entries ? 0 : pages);
            }
            tlb_fini(&t);
        }
    }
}

/* Consecutive pages fill the sets evenly, whatever the number of sets: the capacity is the same. */
static void consecutive_pages_use_all_sets(void **state)
{
    (void)state;
    static const struct {
        unsigned entries, ways;
    } rows[] = {{64, 4}, {1536, 12}, {72, 8}, {60, 5}, {1280, 5}, {30, 3}, {2048, 16}};
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct tlb t = make(rows[i].entries, rows[i].ways, ASSOC_LRU);
        (void)misses_of_round(&t, rows[i].entries);
        assert_int_equal(misses_of_round(&t, rows[i].entries), 0);
        /* Of the sets, one now has a page too many, so each of its pages misses: ways + 1. */
        (void)misses_of_round(&t, rows[i].entries + 1);
        assert_int_equal(misses_of_round(&t, rows[i].entries + 1), rows[i].ways + 1);
        tlb_fini(&t);
    }
}

/* --- Content, against a list per set ---------------------------------------------------------------------------- */

enum { MAX_WAYS = 16, MAX_SETS = 64, SPACES_USED = 3 };

struct line {
    uint64_t address; /* of the page's first byte */
    unsigned size;
    tlb_space_id space;
    uint64_t payload;
};

/* Most recent first. */
struct list {
    struct line lines[MAX_WAYS];
    unsigned count;
};

struct reference {
    struct list sets[MAX_SETS];
    unsigned set_count, ways;
};

static unsigned shift_of(unsigned size)
{
    return size == HV_PAGE_4K ? 12 : size == HV_PAGE_2M ? 21 : 30;
}

static struct list *list_of(struct reference *r, uint64_t address, unsigned size)
{
    return &r->sets[(address >> shift_of(size)) % r->set_count];
}

static int position(const struct list *l, uint64_t address, unsigned size, tlb_space_id space)
{
    for (unsigned i = 0; i < l->count; i++) {
        if (l->lines[i].size == size && l->lines[i].space == space &&
            l->lines[i].address >> shift_of(size) == address >> shift_of(size)) {
            return (int)i;
        }
    }
    return -1;
}

static struct line take(struct list *l, unsigned at)
{
    struct line line = l->lines[at];
    memmove(&l->lines[at], &l->lines[at + 1], (l->count - at - 1) * sizeof(line));
    l->count--;
    return line;
}

static void put_first(struct list *l, struct line line)
{
    memmove(&l->lines[1], &l->lines[0], l->count * sizeof(line));
    l->lines[0] = line;
    l->count++;
}

static void look_up_both(struct tlb *t, struct reference *r, uint64_t address, unsigned size, tlb_space_id space)
{
    struct list *l = list_of(r, address, size);
    int at = position(l, address, size, space);
    const uint64_t *payload = tlb_lookup(t, address, size, space);
    assert_int_equal(payload != NULL, at >= 0);
    if (payload != NULL && at >= 0) {
        assert_int_equal(*payload, l->lines[at].payload);
        put_first(l, take(l, (unsigned)at));
    }
}

static void insert_both(struct tlb *t, struct reference *r, const struct line *line)
{
    struct list *l = list_of(r, line->address, line->size);
    int at = position(l, line->address, line->size, line->space);
    enum tlb_insertion expected = TLB_FILLED;
    if (at >= 0) {
        (void)take(l, (unsigned)at);
        expected = TLB_REPLACED;
    } else if (l->count == r->ways) {
        (void)take(l, l->count - 1);
        expected = TLB_FILLED_EVICTING;
    }
    put_first(l, *line);
    assert_int_equal(tlb_insert(t, line->address, line->size, line->space, line->payload), expected);
}

static void drop_both(struct tlb *t, struct reference *r, uint64_t address, unsigned size, tlb_space_id space)
{
    struct list *l = list_of(r, address, size);
    int at = position(l, address, size, space);
    if (at >= 0) {
        (void)take(l, (unsigned)at);
    }
    assert_int_equal(tlb_drop(t, address, size, space), at >= 0);
}

/* Drops from the reference what an invalidation names; returns how many. */
static unsigned invalidate_reference(struct reference *r, const struct tlb_spaces *spaces, const uint64_t *address)
{
    unsigned dropped = 0;
    for (unsigned set = 0; set < r->set_count; set++) {
        for (unsigned i = r->sets[set].count; i-- > 0;) {
            const struct line *line = &r->sets[set].lines[i];
            unsigned shift = shift_of(line->size);
            if (spaces->named[line->space] && (address == NULL || line->address >> shift == *address >> shift)) {
                (void)take(&r->sets[set], i);
                dropped++;
            }
        }
    }
    return dropped;
}

/* The counts by size, on which the skipping of probes rests. */
static void compare_live(const struct tlb *t, const struct reference *r)
{
    unsigned live[HV_PAGE_SIZES] = {0}, global = 0;
    for (unsigned set = 0; set < r->set_count; set++) {
        for (unsigned i = 0; i < r->sets[set].count; i++) {
            live[r->sets[set].lines[i].size]++;
            global += (r->sets[set].lines[i].payload & TLB_GLOBAL) != 0;
        }
    }
    for (unsigned size = 0; size < HV_PAGE_SIZES; size++) {
        assert_int_equal(t->live[size], live[size]);
    }
    assert_int_equal(t->live_global, global);
}

static void random_operation(struct tlb *t, struct reference *r, struct tlb_spaces *spaces, struct hv_rng *rng)
{
    unsigned size = (unsigned)rng_below(rng, HV_PAGE_SIZES);
    struct line line = {
        .address = rng_below(rng, (uint64_t)r->set_count * r->ways) << shift_of(size),
        .size = size,
        .space = (tlb_space_id)(1 + rng_below(rng, SPACES_USED)),
        /* Bits 56:55, the guest's page size, stay 0: here every entry is a page of its own. */
        .payload = rng_next(rng) & ~(UINT64_C(3) << TLB_GUEST_SIZE_SHIFT),
    };
    uint64_t inside = line.address + rng_below(rng, UINT64_C(1) << shift_of(size));
    uint64_t choice = rng_below(rng, 200);
    if (choice < 110) {
        look_up_both(t, r, inside, size, line.space);
    } else if (choice < 190) {
        insert_both(t, r, &line);
    } else if (choice < 196) {
        drop_both(t, r, inside, size, line.space);
    } else {
        for (unsigned space = 1; space <= SPACES_USED; space++) {
            spaces->named[space] = rng_below(rng, 2) != 0;
        }
        if (choice < 199) {
            unsigned expected = invalidate_reference(r, spaces, &inside);
            assert_int_equal(tlb_invalidate_address(t, spaces, inside), expected);
        } else {
            unsigned expected = invalidate_reference(r, spaces, NULL);
            assert_int_equal(tlb_invalidate(t, spaces), expected);
        }
    }
}

static void content_follows_the_list(void **state)
{
    (void)state;
    static const struct {
        unsigned sets, ways;
    } rows[] = {{1, 16}, {16, 4}, {64, 2}, {3, 5}, {7, 12}, {12, 3}, {5, 1}, {60, 6}};
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct tlb t = make((uint64_t)rows[i].sets * rows[i].ways, rows[i].ways, ASSOC_LRU);
        struct reference *r = calloc(1, sizeof(*r));
        struct tlb_spaces spaces;
        struct hv_rng rng;
        assert_non_null(r);
        tlb_spaces_init(&spaces);
        rng_init(&rng, i);
        r->set_count = rows[i].sets;
        r->ways = rows[i].ways;
        for (unsigned n = 0; n < 40000; n++) {
            random_operation(&t, r, &spaces, &rng);
            if (n % 64 == 0) {
                compare_live(&t, r);
            }
        }
        unsigned all = t.live[0] + t.live[1] + t.live[2];
        assert_int_equal(tlb_flush(&t), all);
        assert_int_equal(t.live[0] + t.live[1] + t.live[2] + t.live_global, 0);
        tlb_spaces_fini(&spaces);
        free(r);
        tlb_fini(&t);
    }
}

/* --- Keys ------------------------------------------------------------------------------------------------------- */

/* Every bit of a page number, the size and the space tell translations apart. */
static void every_part_of_the_key_counts(void **state)
{
    (void)state;
    struct tlb t = make(4, PARAM_WAYS_FULL, ASSOC_LRU);
    uint64_t address = UINT64_C(0x0155555555555000);
    for (unsigned size = 0; size < HV_PAGE_SIZES; size++) {
        (void)tlb_flush(&t);
        (void)tlb_insert(&t, address, size, 7, 42);
        for (unsigned bit = 0; bit < TLB_ADDRESS_BITS; bit++) {
            bool hit = tlb_lookup(&t, address ^ UINT64_C(1) << bit, size, 7) != NULL;
            assert_int_equal(hit, bit < shift_of(size));
        }
        for (unsigned other = 0; other < HV_PAGE_SIZES; other++) {
            assert_int_equal(tlb_lookup(&t, address, other, 7) != NULL, other == size);
        }
        for (unsigned bit = 0; bit < 16; bit++) {
            assert_null(tlb_lookup(&t, address, size, (tlb_space_id)(7 ^ 1u << bit)));
        }
    }
    tlb_fini(&t);
}

/* A canonical address in the upper half is its lower 57 bits. */
static void addresses_of_the_upper_half(void **state)
{
    (void)state;
    struct tlb t = make(4, PARAM_WAYS_FULL, ASSOC_LRU);
    (void)tlb_insert(&t, UINT64_C(0xffff800000001000), HV_PAGE_4K, 1, 1);
    assert_non_null(tlb_lookup(&t, UINT64_C(0xffff800000001fff), HV_PAGE_4K, 1));
    assert_null(tlb_lookup(&t, UINT64_C(0x0000800000001000), HV_PAGE_4K, 1));
    assert_null(tlb_lookup(&t, UINT64_C(0x0000000000001000), HV_PAGE_4K, 1));
    tlb_fini(&t);
}

/* One guest page of 2M in pieces of 4K, and of 1G in pieces of both: one address takes all pieces, and no neighbour. */
static void an_address_takes_every_piece_of_its_guest_page(void **state)
{
    (void)state;
    struct tlb_spaces spaces;
    tlb_spaces_init(&spaces);
    spaces.named[1] = 1;
    for (unsigned guest = HV_PAGE_2M; guest <= HV_PAGE_1G; guest++) {
        uint64_t base = UINT64_C(0x7f40000000) & ~((UINT64_C(1) << shift_of(guest)) - 1);
        uint64_t bytes = UINT64_C(1) << shift_of(guest);
        for (unsigned piece = 0; piece < guest; piece++) {
            struct tlb t = make(8, PARAM_WAYS_FULL, ASSOC_LRU);
            uint64_t payload = (uint64_t)guest << TLB_GUEST_SIZE_SHIFT;
            uint64_t step = UINT64_C(1) << shift_of(piece);
            (void)tlb_insert(&t, base, piece, 1, payload);
            (void)tlb_insert(&t, base + 3 * step, piece, 1, payload);
            (void)tlb_insert(&t, base + bytes - step, piece, 1, payload);
            (void)tlb_insert(&t, base - step, piece, 1, payload);
            (void)tlb_insert(&t, base + bytes, piece, 1, payload);
            (void)tlb_insert(&t, base + step, piece, 2, payload); /* of another space */
            assert_int_equal(tlb_invalidate_address(&t, &spaces, base + bytes / 2 + 5), 3);
            assert_non_null(tlb_lookup(&t, base - step, piece, 1));
            assert_non_null(tlb_lookup(&t, base + bytes, piece, 1));
            assert_non_null(tlb_lookup(&t, base + step, piece, 2));
            tlb_fini(&t);
        }
    }
    tlb_spaces_fini(&spaces);
}

/* --- Making one ------------------------------------------------------------------------------------------------- */

static void no_entries_is_an_absent_structure(void **state)
{
    (void)state;
    struct tlb t = make(0, 4, ASSOC_LRU);
    struct tlb_spaces spaces;
    tlb_spaces_init(&spaces);
    assert_false(tlb_present(&t));
    assert_int_equal(tlb_flush(&t), 0);
    assert_int_equal(tlb_invalidate(&t, &spaces), 0);
    assert_int_equal(tlb_drop(&t, 0, HV_PAGE_4K, 1), 0);
    tlb_reset(&t);
    tlb_spaces_fini(&spaces);
    tlb_fini(&t);
}

static void impossible_geometries_are_named(void **state)
{
    (void)state;
    static const struct tlb_geometry rows[] = {
        {10, 4, ASSOC_LRU, {12, 21, 30}}, {4, 8, ASSOC_PLRU, {12, 21, 30}}, {1536, 11, ASSOC_LRU, {12, 21, 30}},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct tlb t;
        struct hv_err err = {""};
        assert_false(tlb_init(&t, "tlb.l2", &rows[i], &err));
        assert_non_null(strstr(err.text, "tlb.l2"));
        assert_false(tlb_present(&t));
    }
}

GTEST_MAIN("Tlb", cmocka_unit_test(a_cycle_of_one_page_too_many_always_misses),
           cmocka_unit_test(consecutive_pages_use_all_sets), cmocka_unit_test(content_follows_the_list),
           cmocka_unit_test(every_part_of_the_key_counts), cmocka_unit_test(addresses_of_the_upper_half),
           cmocka_unit_test(an_address_takes_every_piece_of_its_guest_page),
           cmocka_unit_test(no_entries_is_an_absent_structure), cmocka_unit_test(impossible_geometries_are_named))
