/* SPDX-License-Identifier: MIT */
/* Banks and rows of main memory: where a line lies, and what the opening of its row costs. */
#include "ready.h"

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "mem/dram.h"

enum { LATENCY = 100, ROW_MISS = 30, BANK = 50, NOW = 10000, ROW_LINES = 4 };

/* The returned memory is the caller's to free. A line takes one cycle of its channel. */
static struct dram *make(uint64_t channels, uint64_t banks)
{
    struct dram *d = malloc(sizeof(*d));
    assert_non_null(d);
    struct dram_params params = {
        .latency_cycles = LATENCY, .channels = channels, .bytes_per_cycle = 64, .banks = banks,
        .row_bytes = ROW_LINES * 64, .row_miss_cycles = ROW_MISS, .bank_cycles = BANK,
    };
    struct hv_err err = {""};
    assert_true(dram_init(d, &params, &err));
    return d;
}

/* A line in a row of a bank, of one channel: the mapping the other way round. */
static uint64_t line_at(const struct dram *d, uint64_t row, uint64_t bank, uint64_t column)
{
    return ((row * d->banks + ((bank ^ row) & (d->banks - 1))) * ROW_LINES + column) * d->channels;
}

/* --- The mapping ------------------------------------------------------------------------------------------------ */

/* Every place is that of one line; channel by line, then the columns of a row, then banks, then rows. */
static void each_line_has_its_place(void **state)
{
    (void)state;
    static const uint64_t channels[] = {1, 2, 3, 64}, banks[] = {1, 2, 16, 64};
    for (size_t c = 0; c < HV_ARRAY_LEN(channels); c++) {
        for (size_t b = 0; b < HV_ARRAY_LEN(banks); b++) {
            struct dram *d = make(channels[c], banks[b]);
            uint64_t line = 0;
            for (uint64_t row = 0; row < 5; row++) {
                for (uint64_t bank = 0; bank < banks[b]; bank++) {
                    for (uint64_t i = 0; i < ROW_LINES * channels[c]; i++, line++) {
                        struct dram_place place = dram_place_of(d, line);
                        assert_int_equal(place.channel, line % channels[c]);
                        assert_int_equal(place.row, row);
                        assert_int_equal(place.bank, (bank ^ row) % banks[b]);
                    }
                }
            }
            free(d);
        }
    }
}

/* --- One bank --------------------------------------------------------------------------------------------------- */

static void an_open_row_costs_nothing(void **state)
{
    (void)state;
    struct dram *d = make(1, 4);
    assert_ready_exactly_at(dram_read(d, 0, NOW), NOW + ROW_MISS + LATENCY); /* no row was open */
    for (uint64_t column = 0; column < ROW_LINES; column++) {
        hv_cycles later = NOW + 1000 * (column + 1);
        assert_ready_exactly_at(dram_read(d, column, later), later + LATENCY);
    }
    assert_ready_exactly_at(dram_read(d, line_at(d, 1, 0, 0), 2 * NOW), 2 * NOW + ROW_MISS + LATENCY);
    assert_ready_exactly_at(dram_read(d, 0, 3 * NOW), 3 * NOW + ROW_MISS + LATENCY); /* closed meanwhile */
    assert_int_equal(d->stats.row_hits, ROW_LINES);
    assert_int_equal(d->stats.row_misses, 3);
    assert_int_equal(d->stats.row_open_cycles, 3 * ROW_MISS);
    assert_int_equal(d->stats.bank_queue_cycles, 0);
    dram_check(d);
    free(d);
}

/* A bank opens a row every BANK cycles, to the cycle. */
static void openings_of_a_bank_are_apart(void **state)
{
    (void)state;
    struct dram *d = make(1, 4);
    assert_ready_exactly_at(dram_read(d, line_at(d, 0, 2, 0), NOW), NOW + ROW_MISS + LATENCY);
    assert_ready_exactly_at(dram_read(d, line_at(d, 1, 2, 0), NOW + 1), NOW + BANK + ROW_MISS + LATENCY);
    assert_int_equal(d->stats.bank_queue_cycles, BANK - 1);
    assert_ready_exactly_at(dram_read(d, line_at(d, 2, 2, 0), NOW + 2 * BANK - 1),
                            NOW + 2 * BANK + ROW_MISS + LATENCY); /* a cycle too early */
    assert_int_equal(d->stats.bank_queue_cycles, BANK);
    assert_ready_exactly_at(dram_read(d, line_at(d, 3, 2, 0), NOW + 3 * BANK),
                            NOW + 3 * BANK + ROW_MISS + LATENCY); /* just when it can */
    assert_int_equal(d->stats.bank_queue_cycles, BANK);
    free(d);
}

/* A reference to a row that is being opened waits for that. */
static void a_row_is_open_when_it_has_been_opened(void **state)
{
    (void)state;
    struct dram *d = make(1, 4);
    assert_ready_exactly_at(dram_read(d, 0, NOW), NOW + ROW_MISS + LATENCY);
    assert_ready_exactly_at(dram_read(d, 1, NOW + ROW_MISS - 5), NOW + ROW_MISS + 1 + LATENCY); /* and the channel */
    assert_ready_exactly_at(dram_read(d, 2, NOW + ROW_MISS + 9), NOW + ROW_MISS + 9 + LATENCY);
    assert_int_equal(d->stats.bank_queue_cycles, 5);
    assert_int_equal(d->stats.queue_cycles, 1);
    free(d);
}

static void banks_work_side_by_side(void **state)
{
    (void)state;
    struct dram *d = make(2, 4);
    for (uint64_t bank = 0; bank < 4; bank++) {
        for (uint64_t channel = 0; channel < 2; channel++) {
            /* Their openings overlap; the transfers follow each other on the channel. */
            assert_ready_exactly_at(dram_read(d, line_at(d, 5, bank, 0) + channel, NOW),
                                    NOW + ROW_MISS + bank + LATENCY);
        }
    }
    assert_int_equal(d->stats.bank_queue_cycles, 0);
    free(d);
}

/* A write-back opens a row as well, for which nobody waits but the next reference to the bank. */
static void writes_open_rows(void **state)
{
    (void)state;
    struct dram *d = make(1, 4);
    dram_write(d, line_at(d, 7, 1, 0), NOW);
    assert_int_equal(d->stats.row_misses, 1);
    assert_int_equal(d->stats.row_open_cycles + d->stats.bank_queue_cycles, 0);
    assert_ready_exactly_at(dram_read(d, line_at(d, 8, 1, 0), NOW), NOW + BANK + ROW_MISS + LATENCY);
    assert_ready_exactly_at(dram_read(d, line_at(d, 8, 1, 1), NOW + 1000), NOW + 1000 + LATENCY);
    dram_check(d);
    free(d);
}

static void without_banks_rows_do_not_matter(void **state)
{
    (void)state;
    struct dram *d = make(1, 0);
    for (uint64_t n = 0; n < 100; n++) {
        assert_ready_exactly_at(dram_read(d, n * 12345, n * 10), n * 10 + LATENCY);
    }
    assert_int_equal(d->stats.row_hits + d->stats.row_misses, 0);
    dram_check(d);
    free(d);
}

/* --- Out of the order of time ----------------------------------------------------------------------------------- */

/* What a bank does at 10000 does not concern a read at 1000, which meets the row that was open then. */
static void the_future_does_not_delay_the_present(void **state)
{
    (void)state;
    struct dram *d = make(1, 4);
    uint64_t a = line_at(d, 1, 0, 0), b = line_at(d, 2, 0, 0), c = line_at(d, 3, 0, 0);
    assert_ready_exactly_at(dram_read(d, a, 500), 500 + ROW_MISS + LATENCY);
    assert_ready_exactly_at(dram_read(d, b, NOW), NOW + ROW_MISS + LATENCY);
    assert_ready_exactly_at(dram_read(d, a, 1000), 1000 + LATENCY);            /* still open */
    assert_ready_exactly_at(dram_read(d, c, 2000), 2000 + ROW_MISS + LATENCY); /* opened in between */
    assert_ready_exactly_at(dram_read(d, c, 3000), 3000 + LATENCY);
    assert_ready_exactly_at(dram_read(d, b, NOW + 100), NOW + 100 + LATENCY);  /* as it was simulated */
    /* From 9951 on there is no time for another opening before the one at 10000: it waits for that and itself. */
    assert_ready_exactly_at(dram_read(d, a, NOW - BANK), NOW - BANK + ROW_MISS + LATENCY);
    assert_ready_exactly_at(dram_read(d, c, NOW - 1), NOW + BANK + ROW_MISS + LATENCY);
    dram_check(d);
    free(d);
}

/* The row that a later opening brings is worth waiting for: no second opening. */
static void an_opening_to_come_may_serve(void **state)
{
    (void)state;
    struct dram *d = make(1, 4);
    uint64_t a = line_at(d, 1, 0, 0);
    assert_ready_exactly_at(dram_read(d, a, NOW), NOW + ROW_MISS + LATENCY);
    assert_ready_exactly_at(dram_read(d, a + 1, NOW - 10), NOW + ROW_MISS + 1 + LATENCY);
    assert_int_equal(d->stats.row_misses, 1);
    assert_int_equal(d->stats.bank_queue_cycles, ROW_MISS + 10);
    free(d);
}

/* So many openings are kept; before them the bank counts as idle, and what is older is not kept. */
static void old_openings_are_forgotten(void **state)
{
    (void)state;
    struct dram *d = make(1, 1);
    for (uint64_t n = 1; n <= DRAM_OPENINGS + 1; n++) {
        (void)dram_read(d, line_at(d, n, 0, 0), n * 1000);
    }
    assert_ready_exactly_at(dram_read(d, line_at(d, 2, 0, 1), 2500), 2500 + LATENCY);
    assert_ready_exactly_at(dram_read(d, line_at(d, 1, 0, 1), 1500), 1500 + ROW_MISS + LATENCY);
    assert_ready_exactly_at(dram_read(d, line_at(d, 1, 0, 2), 1500), 1501 + ROW_MISS + LATENCY);
    assert_ready_exactly_at(dram_read(d, line_at(d, 2, 0, 1), 2600), 2600 + LATENCY);
    dram_reset(d);
    assert_ready_exactly_at(dram_read(d, line_at(d, 2, 0, 1), 2600), 2600 + ROW_MISS + LATENCY);
    dram_check(d);
    free(d);
}

/* --- Little's law ----------------------------------------------------------------------------------------------- */

enum { REQUESTS = 4000, SPAN = 200000 };

/*
 * N(t), the number of reads under way in cycle t, from the list of arrivals and departures and nothing else: its sum
 * over all cycles is what the statistics publish, and L = rate x mean time.
 */
static void littles_law_holds_for_reads(void **state)
{
    (void)state;
    static const uint64_t channels[] = {1, 2, 3}, banks[] = {0, 4};
    for (size_t i = 0; i < HV_ARRAY_LEN(channels) * HV_ARRAY_LEN(banks); i++) {
        struct dram *d = make(channels[i / 2], banks[i % 2]);
        int32_t *change = calloc(2 * SPAN, sizeof(*change));
        assert_non_null(change);
        struct hv_rng rng;
        rng_init(&rng, i);
        hv_cycles individual = 0;
        for (unsigned n = 0; n < REQUESTS; n++) {
            hv_cycles now = rng_below(&rng, SPAN); /* in no order */
            uint64_t line = rng_below(&rng, 256);
            if (rng_below(&rng, 4) == 0) {
                dram_write(d, line, now);
                continue;
            }
            hv_cycles done = dram_read(d, line, now);
            assert_true(done >= now + LATENCY && done < 2 * SPAN);
            change[now]++;
            change[done]--;
            individual += done - now;
        }
        uint64_t integral = 0;
        int64_t under_way = 0;
        for (size_t t = 0; t < 2 * SPAN; t++) {
            under_way += change[t];
            assert_true(under_way >= 0);
            integral += (uint64_t)under_way;
        }
        assert_int_equal(under_way, 0);
        assert_int_equal(integral, d->stats.read_cycles);
        assert_int_equal(individual, d->stats.reads * LATENCY + d->stats.queue_cycles + d->stats.bank_queue_cycles +
                                     d->stats.row_open_cycles);
        assert_int_equal(integral, individual);
        dram_check(d);
        free(change);
        free(d);
    }
}

/* --- Geometry --------------------------------------------------------------------------------------------------- */

static void an_impossible_geometry_is_a_sentence(void **state)
{
    (void)state;
    static const struct {
        uint64_t banks, row_bytes;
        const char *sentence;
    } rows[] = {
        {3, 8192, "dram.banks is 3; choose a power of two up to 64, or 0 for no banks"},
        {4, 1000, "dram.row_bytes is 1000; choose a power of two, such as 8KiB"},
        {0, 1000, NULL}, /* rows do not count */
    };
    struct dram *d = malloc(sizeof(*d));
    assert_non_null(d);
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct hv_err err = {""};
        struct dram_params params = {
            .latency_cycles = 1, .channels = 1, .bytes_per_cycle = 1, .banks = rows[i].banks,
            .row_bytes = rows[i].row_bytes,
        };
        assert_int_equal(dram_init(d, &params, &err), rows[i].sentence == NULL);
        assert_string_equal(err.text, rows[i].sentence != NULL ? rows[i].sentence : "");
    }
    free(d);
}

GTEST_MAIN("DramBanks", cmocka_unit_test(each_line_has_its_place), cmocka_unit_test(an_open_row_costs_nothing),
           cmocka_unit_test(openings_of_a_bank_are_apart), cmocka_unit_test(a_row_is_open_when_it_has_been_opened),
           cmocka_unit_test(banks_work_side_by_side), cmocka_unit_test(writes_open_rows),
           cmocka_unit_test(without_banks_rows_do_not_matter),
           cmocka_unit_test(the_future_does_not_delay_the_present), cmocka_unit_test(an_opening_to_come_may_serve),
           cmocka_unit_test(old_openings_are_forgotten), cmocka_unit_test(littles_law_holds_for_reads),
           cmocka_unit_test(an_impossible_geometry_is_a_sentence))
