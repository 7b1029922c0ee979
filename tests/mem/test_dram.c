/* SPDX-License-Identifier: MIT */
/* Channels of main memory: a line occupies its own for the time of its bytes, and nobody else's. */
#include "ready.h"

#include <stdlib.h>

#include "base/rng.h"
#include "mem/dram.h"

enum { LATENCY = 100 };

/* The returned memory is the caller's to free. */
static struct dram *make(uint64_t channels, uint64_t bytes_per_cycle)
{
    struct dram *d = malloc(sizeof(*d));
    assert_non_null(d);
    struct dram_params params = {
        .latency_cycles = LATENCY, .channels = channels, .bytes_per_cycle = bytes_per_cycle,
    };
    struct hv_err err = {""};
    assert_true(dram_init(d, &params, &err));
    return d;
}

/* 64 bytes at 8 a cycle are 8 cycles: reads of one channel at once are ready 8 cycles apart. */
static void lines_of_one_channel_queue(void **state)
{
    (void)state;
    static const struct {
        uint64_t bytes_per_cycle;
        hv_cycles line_cycles;
    } rows[] = {{1, 64}, {8, 8}, {16, 4}, {64, 1}, {24, 3}, {33, 2}, {63, 2}};
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct dram *d = make(1, rows[i].bytes_per_cycle);
        for (uint64_t n = 0; n < 100; n++) {
            assert_ready_exactly_at(dram_read(d, n * 17, 5000), 5000 + n * rows[i].line_cycles + LATENCY);
        }
        assert_int_equal(d->stats.reads, 100);
        assert_int_equal(d->stats.busy_cycles, 100 * rows[i].line_cycles);
        assert_int_equal(d->stats.queue_cycles, 99 * 100 / 2 * rows[i].line_cycles);
        free(d);
    }
}

/*
 * N lines that are there at once on C channels: the last of them is there after N / C - 1 lines and the latency, which
 * contains its own transfer; the next line a line later. Write-backs take the same bandwidth.
 */
static void bandwidth_is_what_the_channels_give(void **state)
{
    (void)state;
    enum { ARRIVAL = 777 };
    static const struct {
        uint64_t channels, bytes_per_cycle, line_cycles, lines;
    } rows[] = {{1, 8, 8, 20000}, {2, 8, 8, 20000}, {3, 24, 3, 30000}, {4, 1, 64, 4000}, {64, 64, 1, 64000}};
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        for (unsigned writes = 0; writes < 2; writes++) {
            struct dram *d = make(rows[i].channels, rows[i].bytes_per_cycle);
            hv_cycles last = 0;
            for (uint64_t line = 0; line < rows[i].lines; line++) {
                if (writes && line + rows[i].channels < rows[i].lines) {
                    dram_write(d, line, ARRIVAL);
                } else {
                    hv_cycles done = dram_read(d, line, ARRIVAL);
                    last = done > last ? done : last;
                }
            }
            hv_cycles all = rows[i].lines / rows[i].channels * rows[i].line_cycles;
            assert_ready_exactly_at(last, ARRIVAL + all - rows[i].line_cycles + LATENCY);
            assert_ready_exactly_at(dram_read(d, 0, ARRIVAL), ARRIVAL + all + LATENCY);
            assert_ready_exactly_at(dram_read(d, 0, ARRIVAL + all + rows[i].line_cycles - 1),
                                    ARRIVAL + all + rows[i].line_cycles + LATENCY); /* a cycle too early */
            dram_check(d);
            free(d);
        }
    }
}

/* Neighbouring lines lie in different channels and do not meet. */
static void channels_work_side_by_side(void **state)
{
    (void)state;
    static const uint64_t channels[] = {1, 2, 3, 6, 64};
    for (size_t i = 0; i < HV_ARRAY_LEN(channels); i++) {
        struct dram *d = make(channels[i], 8);
        for (uint64_t line = 0; line < 4 * channels[i]; line++) {
            assert_ready_exactly_at(dram_read(d, line, 1000), 1000 + line / channels[i] * 8 + LATENCY);
        }
        free(d);
    }
}

static void a_free_channel_starts_at_once(void **state)
{
    (void)state;
    struct dram *d = make(1, 8);
    assert_ready_exactly_at(dram_read(d, 0, 1000), 1000 + LATENCY);
    assert_ready_exactly_at(dram_read(d, 0, 1007), 1008 + LATENCY); /* a cycle too early */
    assert_ready_exactly_at(dram_read(d, 0, 1016), 1016 + LATENCY); /* just when it is free */
    assert_ready_exactly_at(dram_read(d, 0, 9999), 9999 + LATENCY);
    assert_int_equal(d->stats.queue_cycles, 1);
    free(d);
}

/* A write waits for nobody to see it done, but the next read waits for it. */
static void writes_occupy_the_channel(void **state)
{
    (void)state;
    struct dram *d = make(2, 8);
    dram_write(d, 0, 1000);
    dram_write(d, 2, 1000);
    assert_ready_exactly_at(dram_read(d, 4, 1000), 1016 + LATENCY);
    assert_ready_exactly_at(dram_read(d, 1, 1000), 1000 + LATENCY); /* the other channel */
    assert_int_equal(d->stats.writes, 2);
    assert_int_equal(d->stats.reads, 2);
    assert_int_equal(d->stats.busy_cycles, 4 * 8);
    free(d);
}

/*
 * An early request does not queue behind a late one that happened to be simulated first: what happens at 60000 does
 * not concern a read at 1000.
 */
static void the_future_does_not_delay_the_present(void **state)
{
    (void)state;
    struct dram *d = make(1, 8);
    assert_ready_exactly_at(dram_read(d, 0, 60000), 60000 + LATENCY);
    dram_write(d, 0, 3000);
    assert_ready_exactly_at(dram_read(d, 0, 1000), 1000 + LATENCY);
    assert_ready_exactly_at(dram_read(d, 0, 60000), 60008 + LATENCY);
    free(d);
}

/*
 * Requests in order queue as behind one time at which the channel is free; also when it is saturated and they fall
 * further and further behind.
 */
static void requests_in_order_queue_exactly(void **state)
{
    (void)state;
    static const hv_cycles longest_pause[] = {1, 5, 9, 20, 1000, 100000};
    for (size_t i = 0; i < HV_ARRAY_LEN(longest_pause); i++) {
        struct dram *d = make(1, 8);
        struct hv_rng rng;
        hv_cycles now = 0, free_at = 0;
        rng_init(&rng, i);
        for (unsigned n = 0; n < 20000; n++) {
            now += rng_below(&rng, longest_pause[i]);
            hv_cycles start = free_at > now ? free_at : now;
            free_at = start + 8;
            if (rng_below(&rng, 4) == 0) {
                dram_write(d, 0, now);
            } else {
                assert_ready_exactly_at(dram_read(d, 0, now), start + LATENCY);
            }
        }
        free(d);
    }
}

/*
 * In whatever order requests come, no cycle of a channel carries more than it can: a list of all cycles gives each
 * request the first free ones.
 */
static void no_order_of_requests_makes_bandwidth(void **state)
{
    (void)state;
    enum { SPAN = 30000, LINE_CYCLES = 8, LINES = 3000 };
    struct dram *d = make(2, 64 / LINE_CYCLES);
    bool (*taken)[2 * SPAN] = calloc(2, sizeof(*taken));
    assert_non_null(taken);
    struct hv_rng rng;
    rng_init(&rng, 11);
    for (unsigned n = 0; n < LINES; n++) {
        uint64_t line = rng_below(&rng, 1000);
        hv_cycles now = rng_below(&rng, SPAN), cycle = now;
        for (unsigned left = LINE_CYCLES; left > 0; cycle++) {
            left -= !taken[line % 2][cycle];
            taken[line % 2][cycle] = true;
        }
        assert_ready_exactly_at(dram_read(d, line, now), cycle - LINE_CYCLES + LATENCY);
    }
    dram_check(d);
    free(taken);
    free(d);
}

static void a_reset_frees_every_channel(void **state)
{
    (void)state;
    struct dram *d = make(4, 1);
    for (uint64_t line = 0; line < 16; line++) {
        (void)dram_read(d, line, 0);
    }
    dram_reset(d);
    for (uint64_t line = 0; line < 4; line++) {
        assert_ready_exactly_at(dram_read(d, line, 0), LATENCY);
    }
    assert_int_equal(d->stats.reads, 4);
    free(d);
}

GTEST_MAIN("Dram", cmocka_unit_test(lines_of_one_channel_queue),
           cmocka_unit_test(bandwidth_is_what_the_channels_give), cmocka_unit_test(channels_work_side_by_side),
           cmocka_unit_test(no_order_of_requests_makes_bandwidth),
           cmocka_unit_test(a_free_channel_starts_at_once), cmocka_unit_test(writes_occupy_the_channel),
           cmocka_unit_test(the_future_does_not_delay_the_present),
           cmocka_unit_test(requests_in_order_queue_exactly), cmocka_unit_test(a_reset_frees_every_channel))
