/* SPDX-License-Identifier: MIT */
/*
 * Frames: every piece is aligned and handed out once, what is given back comes again oldest first, pieces split and
 * merge when there is no other way, and fragmentation permutes a block's frames.
 */
#include "gtest.h"

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "vmm/frames.h"

#define KIB4 hv_page_bytes(HV_PAGE_4K)
#define MIB2 hv_page_bytes(HV_PAGE_2M)
#define GIB1 hv_page_bytes(HV_PAGE_1G)

static struct frames frames_of(uint64_t start, uint64_t bytes)
{
    return (struct frames){.next = start, .end = start + bytes};
}

static void pieces_are_aligned_and_ascend(void **state)
{
    (void)state;
    struct frames f = frames_of(5 * KIB4, 3 * GIB1);
    assert_int_equal(frames_take(&f, HV_PAGE_4K), 5 * KIB4);
    assert_int_equal(frames_take(&f, HV_PAGE_4K), 6 * KIB4);
    assert_int_equal(frames_take(&f, HV_PAGE_2M), MIB2);
    assert_int_equal(frames_take(&f, HV_PAGE_2M), 2 * MIB2);
    assert_int_equal(frames_take(&f, HV_PAGE_1G), GIB1);
    assert_int_equal(frames_take(&f, HV_PAGE_1G), 2 * GIB1);
    assert_int_equal(frames_take(&f, HV_PAGE_1G), FRAMES_NONE);
    frames_fini(&f);
}

/* The end is the first address that is not handed out, whatever the size. */
static void the_end_is_exact(void **state)
{
    (void)state;
    struct frames f = frames_of(0, 2 * MIB2 + 3 * KIB4);
    assert_int_equal(frames_take(&f, HV_PAGE_1G), FRAMES_NONE);
    assert_int_equal(frames_take(&f, HV_PAGE_2M), 0);
    assert_int_equal(frames_take(&f, HV_PAGE_2M), MIB2);
    assert_int_equal(frames_take(&f, HV_PAGE_2M), FRAMES_NONE);
    for (uint64_t i = 0; i < 3; i++) {
        assert_int_equal(frames_take(&f, HV_PAGE_4K), 2 * MIB2 + i * KIB4);
    }
    assert_int_equal(frames_take(&f, HV_PAGE_4K), FRAMES_NONE);
    frames_fini(&f);
}

/* The top of the 64-bit space does not wrap around. */
static void the_top_of_the_space_is_an_end(void **state)
{
    (void)state;
    struct frames f = {.next = UINT64_MAX - 2 * KIB4 + 1, .end = UINT64_MAX - KIB4 + 1};
    assert_int_equal(frames_take(&f, HV_PAGE_2M), FRAMES_NONE);
    assert_int_equal(frames_take(&f, HV_PAGE_4K), UINT64_MAX - 2 * KIB4 + 1);
    assert_int_equal(frames_take(&f, HV_PAGE_4K), FRAMES_NONE);
    frames_fini(&f);
}

static void given_back_come_oldest_first(void **state)
{
    (void)state;
    struct frames f = frames_of(0, MIB2);
    uint64_t taken[512];
    for (unsigned i = 0; i < 512; i++) {
        taken[i] = frames_take(&f, HV_PAGE_4K);
    }
    /* An order that is neither ascending nor descending, longer than any first capacity of a ring. */
    for (unsigned i = 0; i < 300; i++) {
        frames_give(&f, taken[i * 7 % 512], HV_PAGE_4K);
    }
    for (unsigned i = 0; i < 300; i++) {
        assert_int_equal(frames_take(&f, HV_PAGE_4K), taken[i * 7 % 512]);
        frames_give(&f, taken[i * 7 % 512], HV_PAGE_4K); /* it goes to the end of the queue */
    }
    assert_int_equal(frames_take(&f, HV_PAGE_4K), taken[0]);
    frames_fini(&f);
}

/* What was given back goes first, before what nobody has had. */
static void given_back_go_before_new_ones(void **state)
{
    (void)state;
    struct frames f = frames_of(0, GIB1);
    uint64_t first = frames_take(&f, HV_PAGE_2M), second = frames_take(&f, HV_PAGE_2M);
    frames_give(&f, first, HV_PAGE_2M);
    assert_int_equal(frames_take(&f, HV_PAGE_2M), first);
    assert_int_equal(frames_take(&f, HV_PAGE_2M), second + MIB2);
    frames_fini(&f);
}

/* What alignment skips is not lost: in 2 MiB blocks, one 4 KiB frame and a large page leave 511 frames. */
static void skipped_frames_are_used(void **state)
{
    (void)state;
    struct frames f = frames_of(0, 2 * MIB2);
    assert_int_equal(frames_take(&f, HV_PAGE_4K), 0);
    assert_int_equal(frames_take(&f, HV_PAGE_2M), MIB2);
    for (uint64_t i = 1; i < 512; i++) {
        assert_int_equal(frames_take(&f, HV_PAGE_4K), i * KIB4);
    }
    assert_int_equal(frames_take(&f, HV_PAGE_4K), FRAMES_NONE);
    frames_fini(&f);
}

static void large_pieces_split(void **state)
{
    (void)state;
    struct frames f = frames_of(0, GIB1);
    assert_int_equal(frames_take(&f, HV_PAGE_1G), 0);
    assert_int_equal(frames_take(&f, HV_PAGE_4K), FRAMES_NONE);
    frames_give(&f, 0, HV_PAGE_1G);
    for (uint64_t i = 0; i < 512; i++) {
        assert_int_equal(frames_take(&f, HV_PAGE_4K), i * KIB4);
    }
    for (uint64_t i = 1; i < 512; i++) {
        assert_int_equal(frames_take(&f, HV_PAGE_2M), i * MIB2);
    }
    assert_int_equal(frames_take(&f, HV_PAGE_4K), FRAMES_NONE);
    frames_fini(&f);
}

/* All parts of a piece make it up again; with one part still in use they do not. */
static void small_pieces_merge(void **state)
{
    (void)state;
    struct frames f = frames_of(0, 3 * MIB2);
    for (unsigned i = 0; i < 3 * 512; i++) {
        frames_take(&f, HV_PAGE_4K);
    }
    for (uint64_t i = 0; i < 2 * 512; i++) { /* the second block, and then the first but for one */
        if (i != 1023) {
            frames_give(&f, (i * 205 % 512 + (i < 512 ? 512 : 0)) * KIB4, HV_PAGE_4K);
        }
    }
    assert_int_equal(frames_take(&f, HV_PAGE_2M), MIB2);
    assert_int_equal(frames_take(&f, HV_PAGE_2M), FRAMES_NONE);
    frames_give(&f, 1023 * 205 % 512 * KIB4, HV_PAGE_4K);
    assert_int_equal(frames_take(&f, HV_PAGE_2M), 0);
    assert_int_equal(frames_take(&f, HV_PAGE_4K), FRAMES_NONE);
    frames_fini(&f);
}

static void a_gigabyte_merges_from_small_pieces(void **state)
{
    (void)state;
    struct frames f = frames_of(0, GIB1);
    for (unsigned i = 0; i < 512 * 512; i++) {
        frames_take(&f, HV_PAGE_4K);
    }
    for (uint64_t i = 0; i < 512 * 512; i++) {
        frames_give(&f, i * 1000003 % (512 * 512) * KIB4, HV_PAGE_4K);
    }
    assert_int_equal(frames_take(&f, HV_PAGE_1G), 0);
    assert_int_equal(frames_take(&f, HV_PAGE_4K), FRAMES_NONE);
    frames_fini(&f);
}

/* --- fragmentation ----------------------------------------------------------------------------------------------- */

/* Takes a block's frames; says whether they came in ascending order, and that each came once. */
static bool takes_block_in_order(struct frames *f, uint64_t block)
{
    bool seen[512] = {false}, ascending = true;
    for (uint64_t i = 0; i < 512; i++) {
        uint64_t start = frames_take(f, HV_PAGE_4K);
        assert_int_equal(start >> 21, block);
        uint64_t frame = start >> 12 & 511;
        assert_false(seen[frame]);
        seen[frame] = true;
        ascending &= frame == i;
    }
    return ascending;
}

static void fragmentation_permutes_blocks(void **state)
{
    (void)state;
    enum { BLOCKS = 2000 };
    static const struct { double share; unsigned least, most; } rows[] = {
        /* 4 standard deviations of a binomial distribution: sqrt(2000 * 0.25 * 0.75) = 19.4, sqrt(2000) / 2 = 22.4 */
        {0, 0, 0}, {0.25, 500 - 78, 500 + 78}, {0.5, 1000 - 90, 1000 + 90}, {1, BLOCKS, BLOCKS},
    };
    for (size_t row = 0; row < HV_ARRAY_LEN(rows); row++) {
        struct frames f = frames_of(0, BLOCKS * MIB2);
        f.fragmentation = rows[row].share;
        f.seed = 7;
        unsigned scattered = 0;
        for (uint64_t block = 0; block < BLOCKS; block++) {
            scattered += !takes_block_in_order(&f, block);
        }
        assert_in_range(scattered, rows[row].least, rows[row].most);
        assert_int_equal(frames_take(&f, HV_PAGE_4K), FRAMES_NONE);
        frames_fini(&f);
    }
}

/* Two frames that come one after the other are hardly ever neighbours in a fragmented block. */
static void scattered_frames_are_no_neighbours(void **state)
{
    (void)state;
    struct frames f = frames_of(0, MIB2);
    f.fragmentation = 1;
    uint64_t last = frames_take(&f, HV_PAGE_4K);
    for (unsigned i = 1, neighbours = 0; i < 512; i++) {
        uint64_t now = frames_take(&f, HV_PAGE_4K);
        neighbours += now == last + KIB4 || last == now + KIB4;
        assert_true(neighbours < 8);
        last = now;
    }
    frames_fini(&f);
}

static void fragmented_blocks_do_not_merge(void **state)
{
    (void)state;
    struct frames f = frames_of(0, 64 * MIB2);
    f.fragmentation = 0.5;
    bool fragmented[64];
    for (uint64_t block = 0; block < 64; block++) {
        fragmented[block] = !takes_block_in_order(&f, block);
    }
    for (uint64_t i = 0; i < 64 * 512; i++) {
        frames_give(&f, i * KIB4, HV_PAGE_4K);
    }
    for (uint64_t block = 0; block < 64; block++) {
        if (!fragmented[block]) {
            assert_int_equal(frames_take(&f, HV_PAGE_2M), block * MIB2);
        }
    }
    assert_int_equal(frames_take(&f, HV_PAGE_2M), FRAMES_NONE);
    frames_fini(&f);
}

/* --- soak ---------------------------------------------------------------------------------------------------------- */

enum { SOAK_BLOCKS = 6, SOAK_FRAMES = SOAK_BLOCKS * 512 };

struct soak {
    struct frames f;
    bool used[SOAK_FRAMES];
    struct { uint64_t start; enum hv_page_size size; } held[SOAK_FRAMES];
    unsigned held_count, free_frames;
};

static void soak_take(struct soak *s, enum hv_page_size size)
{
    uint64_t start = frames_take(&s->f, size), frames = hv_page_bytes(size) / KIB4;
    if (start == FRAMES_NONE) {
        assert_true(size != HV_PAGE_4K || s->free_frames == 0);
        return;
    }
    assert_int_equal(start % hv_page_bytes(size), 0);
    for (uint64_t i = 0; i < frames; i++) {
        uint64_t frame = start / KIB4 - SOAK_FRAMES + i;
        assert_true(frame < SOAK_FRAMES);
        assert_false(s->used[frame]);
        s->used[frame] = true;
    }
    s->free_frames -= (unsigned)frames;
    s->held[s->held_count].start = start;
    s->held[s->held_count++].size = size;
}

static void soak_give(struct soak *s, unsigned which)
{
    uint64_t start = s->held[which].start, frames = hv_page_bytes(s->held[which].size) / KIB4;
    frames_give(&s->f, start, s->held[which].size);
    memset(&s->used[start / KIB4 - SOAK_FRAMES], 0, frames);
    s->free_frames += (unsigned)frames;
    s->held[which] = s->held[--s->held_count];
}

/* Random takes and gives: nothing is ever handed out twice, and a 4 KiB frame is refused only when none is free. */
static void nothing_is_handed_out_twice(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < 4; seed++) {
        struct soak *s = calloc(1, sizeof(*s));
        assert_non_null(s);
        s->f = frames_of(SOAK_BLOCKS * MIB2, SOAK_BLOCKS * MIB2);
        s->f.fragmentation = seed * 0.33;
        s->free_frames = SOAK_FRAMES;
        struct hv_rng rng;
        rng_init(&rng, seed);
        for (unsigned i = 0; i < 300000; i++) {
            bool give = rng_below(&rng, 100) < (i / 20000 % 2 == 0 ? 40 : 60); /* fills and empties in turn */
            if (give && s->held_count > 0) {
                soak_give(s, (unsigned)rng_below(&rng, s->held_count));
            } else {
                soak_take(s, rng_below(&rng, 50) == 0 ? HV_PAGE_2M : HV_PAGE_4K);
            }
        }
        frames_fini(&s->f);
        free(s);
    }
}

GTEST_MAIN("Frames", cmocka_unit_test(pieces_are_aligned_and_ascend), cmocka_unit_test(the_end_is_exact),
           cmocka_unit_test(the_top_of_the_space_is_an_end), cmocka_unit_test(given_back_come_oldest_first),
           cmocka_unit_test(given_back_go_before_new_ones), cmocka_unit_test(skipped_frames_are_used),
           cmocka_unit_test(large_pieces_split), cmocka_unit_test(small_pieces_merge),
           cmocka_unit_test(a_gigabyte_merges_from_small_pieces), cmocka_unit_test(fragmentation_permutes_blocks),
           cmocka_unit_test(scattered_frames_are_no_neighbours), cmocka_unit_test(fragmented_blocks_do_not_merge),
           cmocka_unit_test(nothing_is_handed_out_twice))
