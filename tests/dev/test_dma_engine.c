/* SPDX-License-Identifier: MIT */
/* The DMA engine: its throughput is the closed form of whatever limits it, to the cycle. */
#include "lab.h"

#include <stdlib.h>
#include <string.h>

#include "dev/dma_engine.h"

struct engine_lab {
    struct lab *lab;
    struct dma_engine *engine;
};

static struct engine_lab open_engine(struct dev_params params)
{
    struct engine_lab l = {lab_make(), calloc(1, sizeof(struct dma_engine))};
    struct hv_err err = {0};
    struct dev_port port = lab_port(l.lab);
    assert_true(dma_engine_init(l.engine, &params, &port, LAB_MHZ, &err));
    return l;
}

static void close_engine(struct engine_lab l)
{
    dma_engine_fini(l.engine);
    free(l.engine);
    lab_free(l.lab);
}

static struct dev_params reads(uint64_t bytes, uint64_t outstanding)
{
    struct dev_params params = lab_params();
    params.pattern = DEV_READ;
    params.packet_bytes = bytes;
    params.outstanding = outstanding;
    params.window = 1 << 20;
    return params;
}

static struct dev_params writes(uint64_t bytes)
{
    struct dev_params params = reads(bytes, 32);
    params.pattern = DEV_WRITE;
    return params;
}

/* Runs it from event to event, and does nothing a cycle before each. */
static void run(struct dma_engine *e, uint64_t transfers, hv_cycles now)
{
    dma_engine_start(e, transfers, now);
    for (hv_cycles next = dma_engine_next(e); next != DEV_NEVER; next = dma_engine_next(e)) {
        uint64_t before = e->left;
        if (next > 0) {
            dma_engine_act(e, next - 1);
            assert_int_equal(e->left, before);
        }
        dma_engine_act(e, next);
        assert_true(e->left < before || e->stalled || e->failed);
    }
}

/* One read alone takes 6 + 200 + 100 + 21 + 200 = 527 cycles. */
static void a_transfer_begins_at_its_time(void **state)
{
    (void)state;
    struct engine_lab l = open_engine(reads(64, 1));
    dma_engine_start(l.engine, 2, 1000);
    assert_int_equal(dma_engine_next(l.engine), 1000);
    dma_engine_act(l.engine, 999);
    assert_int_equal(l.engine->link.stats.packets, 0);
    dma_engine_act(l.engine, 1000);
    assert_int_equal(l.engine->link.stats.packets, 1);
    assert_int_equal(dma_engine_next(l.engine), 1527);
    dma_engine_act(l.engine, 1526);
    assert_int_equal(l.engine->link.stats.packets, 1);
    dma_engine_act(l.engine, 1527);
    assert_int_equal(l.engine->link.stats.packets, 2);
    assert_int_equal(dma_engine_next(l.engine), DEV_NEVER);
    close_engine(l);
}

/* outstanding x bytes / latency: 8 reads each 527 cycles, in a row 21 cycles apart on the way down. */
static void reads_are_bound_by_latency(void **state)
{
    (void)state;
    struct engine_lab l = open_engine(reads(64, 8));
    run(l.engine, 8 * 500, 0);
    assert_int_equal(l.engine->last_done, 500 * 527 + 7 * 21);
    assert_int_equal(histogram_percentile(&l.engine->latency, 990), 527);
    close_engine(l);
}

/* With 64 of them, by the link: 84 bytes each. */
static void reads_are_bound_by_the_link(void **state)
{
    (void)state;
    struct engine_lab l = open_engine(reads(64, 64));
    run(l.engine, 4000, 0);
    assert_int_equal(l.engine->last_done, 527 + 3999 * 21);
    close_engine(l);
}

static void writes_are_bound_by_the_link(void **state)
{
    (void)state;
    struct engine_lab l = open_engine(writes(64));
    run(l.engine, 4000, 50);
    assert_int_equal(l.engine->last_done, 50 + 4000 * 22);
    assert_int_equal(l.engine->first_begin, 50);
    close_engine(l);
    l = open_engine(writes(1500)); /* 6 packets: 1500 + 6 x 24 bytes */
    run(l.engine, 1000, 0);
    assert_int_equal(l.lab->dmas, 6000);
    assert_int_equal(l.engine->last_done, 1000 * (1500 + 6 * 24) / 4);
    close_engine(l);
}

/* Four credits, each away for 22 + 200 + 5000 + 200 cycles. */
static void writes_are_bound_by_memory(void **state)
{
    (void)state;
    struct dev_params params = writes(64);
    params.posted_credits = 4;
    struct engine_lab l = open_engine(params);
    l.lab->write_cycles = 5000;
    run(l.engine, 4 * 100, 0);
    assert_int_equal(l.engine->last_done, 99 * (22 + 5400) + 4 * 22);
    close_engine(l);
}

static void an_engine_may_be_slower(void **state)
{
    (void)state;
    struct dev_params params = writes(64);
    params.engine_ns = 50;
    struct engine_lab l = open_engine(params);
    run(l.engine, 4000, 0);
    assert_int_equal(l.engine->last_done, 3999 * 50 + 22);
    close_engine(l);
}

/* 7 Gb/s at 1 GHz: 64 bytes each 512 / 7 cycles. */
static void a_rate_is_kept_exactly(void **state)
{
    (void)state;
    struct dev_params params = writes(64);
    params.offered_mbps = 7000;
    struct engine_lab l = open_engine(params);
    run(l.engine, 701, 0);
    assert_int_equal(l.engine->last_done, 700 * 512 / 7 + 22);
    close_engine(l);
}

static void addresses_stay_in_the_window(void **state)
{
    (void)state;
    struct dev_params params = reads(100, 16);
    params.window = 1000; /* 7 units of 128 bytes */
    params.order = DEV_SEQUENTIAL;
    struct engine_lab l = open_engine(params);
    dma_engine_place(l.engine, 0x0210, 0x40000);
    run(l.engine, 20, 0);
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(l.lab->dma[i].d.address, 0x40000 + i % 7 * 128);
        assert_int_equal(l.lab->dma[i].d.source, 0x0210);
    }
    close_engine(l);
    params.order = DEV_RANDOM;
    l = open_engine(params);
    run(l.engine, 7000, 0);
    unsigned seen[7] = {0};
    for (unsigned i = 0; i < 7000; i++) {
        assert_true(l.lab->dma[i].d.address % 128 == 0 && l.lab->dma[i].d.address / 128 < 7);
        seen[l.lab->dma[i].d.address / 128]++;
    }
    for (unsigned place = 0; place < 7; place++) { /* 1000 expected; its deviation is 29 */
        assert_in_range(seen[place], 850, 1150);
    }
    close_engine(l);
}

static void a_window_too_small_is_refused(void **state)
{
    (void)state;
    struct dev_params params = reads(65, 1);
    params.window = 127;
    struct dma_engine *engine = calloc(1, sizeof(*engine));
    struct dev_port port = {0};
    struct hv_err err = {0};
    assert_false(dma_engine_init(engine, &params, &port, LAB_MHZ, &err));
    assert_non_null(strstr(err.text, "io.window is 127 bytes"));
    dma_engine_fini(engine);
    free(engine);
}

static void a_blocked_transfer_stops_it(void **state)
{
    (void)state;
    struct dev_params params = reads(64, 1);
    params.order = DEV_SEQUENTIAL;
    struct engine_lab l = open_engine(params);
    l.lab->blocked_reads = true;
    l.lab->blocked_from = 5 * 64;
    l.lab->blocked_to = 6 * 64;
    run(l.engine, 100, 0);
    assert_true(l.engine->failed);
    assert_int_equal(l.engine->link.stats.packets, 5);
    assert_int_equal(l.engine->link.stats.dma_failed, 1);
    assert_int_equal(l.engine->link.stats.queue_errors, 1);
    l.lab->blocked_to = 0;
    run(l.engine, 1, 100000);
    assert_int_equal(l.engine->link.stats.packets, 5 + 95);
    close_engine(l);
}

/* Pages that are not there are waited for (PRI); the engine goes on where it was. */
static void a_missing_page_is_waited_for(void **state)
{
    (void)state;
    struct dev_params params = reads(64, 4);
    params.order = DEV_SEQUENTIAL;
    params.ats = params.pri = true;
    struct engine_lab l = open_engine(params);
    l.lab->present_below = 4096;
    run(l.engine, 65, 0);
    assert_true(l.engine->stalled);
    assert_int_equal(l.engine->link.stats.packets, 64);
    l.lab->present_below = 8192;
    struct dev_page_response r = {0x0100, l.lab->page_request[0].group, DEV_PAGE_SUCCESS};
    dma_engine_page_response(l.engine, &r, 100000);
    assert_int_equal(dma_engine_next(l.engine), 100000 + 6 + LAB_HALF);
    run(l.engine, 63, 100000);
    assert_int_equal(l.engine->link.stats.packets, 128);
    assert_int_equal(l.lab->translations, 3); /* page 0; page 1 in vain, and again */
    close_engine(l);
}

GTEST_MAIN("DmaEngine", cmocka_unit_test(a_transfer_begins_at_its_time), cmocka_unit_test(reads_are_bound_by_latency),
           cmocka_unit_test(reads_are_bound_by_the_link), cmocka_unit_test(writes_are_bound_by_the_link),
           cmocka_unit_test(writes_are_bound_by_memory), cmocka_unit_test(an_engine_may_be_slower),
           cmocka_unit_test(a_rate_is_kept_exactly), cmocka_unit_test(addresses_stay_in_the_window),
           cmocka_unit_test(a_window_too_small_is_refused), cmocka_unit_test(a_blocked_transfer_stops_it),
           cmocka_unit_test(a_missing_page_is_waited_for))
