/* SPDX-License-Identifier: MIT */
/* The storage device: time and order of commands, its queues, its errors. */
#include "lab.h"

#include <stdlib.h>

#include "base/rng.h"
#include "dev/storage.h"

enum {
    SOURCE = 0x0300, SQ = 0x10000, CQ = 0x20000, DATA = 0x100000,
    FETCH = 6 + LAB_HALF + LAB_MEMORY + (20 + 64) / 4 + LAB_HALF, /* of one command */
    MEDIA = 10000, BYTES = 4096,                                  /* the medium moves a byte a cycle */
    WRITE = 16 * (256 + 24) / 4,                                  /* of the data to memory */
    COMPLETION = (16 + 24) / 4,
};

struct storage_lab {
    struct lab *lab;
    struct storage *storage;
};

static struct dev_params depth(uint64_t commands)
{
    struct dev_params params = lab_params();
    params.link_mbps = 8000;
    params.outstanding = commands;
    return params;
}

static void set(struct storage_lab l, uint32_t offset, uint64_t value, hv_cycles now)
{
    bool wide = offset == STORAGE_REG_SQ_BASE || offset == STORAGE_REG_CQ_BASE;
    storage_write(l.storage, offset, wide ? 8 : 4, value, now);
}

static struct storage_lab open_storage(struct dev_params params, uint32_t entries)
{
    struct storage_lab l = {lab_make(), calloc(1, sizeof(struct storage))};
    struct hv_err err = {0};
    struct dev_port port = lab_port(l.lab);
    assert_true(storage_init(l.storage, &params, &port, LAB_MHZ, SOURCE, &err));
    set(l, STORAGE_REG_SQ_BASE, SQ, 0);
    set(l, STORAGE_REG_CQ_BASE, CQ, 0);
    set(l, STORAGE_REG_SQ_LENGTH, entries, 0);
    set(l, STORAGE_REG_CQ_LENGTH, entries, 0);
    set(l, STORAGE_REG_MSIX_CONTROL, MSIX_CONTROL_ENABLE, 0);
    storage_write(l.storage, STORAGE_MSIX_TABLE, 8, 0xfee00000, 0);
    storage_write(l.storage, STORAGE_MSIX_TABLE + 8, 8, 0x51, 0);
    set(l, STORAGE_REG_INTERRUPT_ENABLE, 1, 0);
    set(l, STORAGE_REG_CONTROL, 1, 0);
    return l;
}

static void close_storage(struct storage_lab l)
{
    storage_fini(l.storage);
    free(l.storage);
    lab_free(l.lab);
}

static void put(struct storage_lab l, unsigned index, uint8_t opcode, uint16_t identifier, uint32_t blocks)
{
    struct storage_submission *c = physmem_pointer(&l.lab->memory, (hv_hpa){SQ + index * 64}, 64);
    *c = (struct storage_submission){.opcode = opcode, .identifier = identifier, .address = DATA,
                                     .last_block = (uint16_t)(blocks - 1)};
}

static struct storage_completion completion(struct storage_lab l, unsigned index)
{
    struct storage_completion *c = physmem_pointer(&l.lab->memory, (hv_hpa){CQ + index * 16}, 16);
    return *c;
}

static void run(struct storage_lab l)
{
    hv_cycles last = 0;
    while (storage_next(l.storage) != DEV_NEVER) {
        assert_true(storage_next(l.storage) >= last);
        last = storage_next(l.storage);
        storage_act(l.storage, last);
    }
}

static void a_read_is_done_at_its_time(void **state)
{
    (void)state;
    struct storage_lab l = open_storage(depth(8), 16);
    put(l, 0, STORAGE_READ, 0x77, BYTES / 512);
    set(l, STORAGE_REG_SQ_TAIL, 1, 5000);
    hv_cycles done = 5000 + FETCH + MEDIA + BYTES + WRITE + COMPLETION;
    storage_act(l.storage, done - 1);
    assert_int_equal(l.storage->link.stats.packets, 0);
    assert_int_equal(l.lab->interrupts, 0);
    storage_act(l.storage, done);
    assert_int_equal(l.storage->link.stats.packets, 1);
    assert_int_equal(l.storage->link.stats.bytes, BYTES);
    assert_int_equal(l.storage->link.stats.dma_write_bytes, BYTES + 16);
    struct storage_completion c = completion(l, 0);
    assert_int_equal(c.identifier, 0x77);
    assert_int_equal(c.status, STORAGE_SUCCESS << 1 | 1);
    assert_int_equal(c.head, 1);
    assert_int_equal(l.lab->interrupts, 1);
    assert_int_equal(l.lab->interrupt[0].at, done + LAB_HALF + LAB_MEMORY); /* behind the completion */
    assert_int_equal(l.lab->interrupt[0].data, 0x51);
    assert_int_equal(l.lab->interrupt[0].source, SOURCE);
    assert_int_equal(storage_next(l.storage), DEV_NEVER);
    assert_int_equal(l.storage->latency.max, done - 5000 - FETCH);
    close_storage(l);
}

/* The data is read first: 8 requests, of which the last of 16 completions of 276 bytes ends the time. */
static void a_write_is_done_at_its_time(void **state)
{
    (void)state;
    struct storage_lab l = open_storage(depth(8), 16);
    put(l, 0, STORAGE_WRITE, 1, BYTES / 512);
    set(l, STORAGE_REG_SQ_TAIL, 1, 5000);
    hv_cycles data = 6 + LAB_HALF + LAB_MEMORY + 16 * (256 + 20) / 4 + LAB_HALF;
    hv_cycles done = 5000 + FETCH + data + BYTES + MEDIA + COMPLETION;
    storage_act(l.storage, done - 1);
    assert_int_equal(l.storage->link.stats.packets, 0);
    storage_act(l.storage, done);
    assert_int_equal(l.storage->link.stats.packets, 1);
    assert_int_equal(l.storage->link.stats.dma_read_bytes, BYTES + 64);
    close_storage(l);
}

/* One at a time: the latency of each. Many: the medium's bytes. */
static void throughput_is_depth_by_latency_or_the_medium(void **state)
{
    (void)state;
    enum { COMMANDS = 1000 };
    static const unsigned depths[] = {1, 64};
    for (unsigned i = 0; i < HV_ARRAY_LEN(depths); i++) {
        struct storage_lab l = open_storage(depth(depths[i]), 2048);
        for (unsigned c = 0; c < COMMANDS; c++) {
            put(l, c, STORAGE_READ, (uint16_t)c, BYTES / 512);
        }
        set(l, STORAGE_REG_SQ_TAIL, COMMANDS, 0);
        run(l);
        assert_int_equal(l.storage->link.stats.packets, COMMANDS);
        hv_cycles last = l.lab->dma[l.lab->dmas - 1].at - LAB_HALF; /* the last completion was sent */
        uint64_t one = FETCH + MEDIA + BYTES + WRITE + COMPLETION;
        /* A batch of eight is fetched at first: 48 double words more have come before it begins. */
        uint64_t eight = 7 * 64 / 4 + 20 / 4;
        assert_int_equal(last, depths[i] == 1 ? COMMANDS * one
                                              : FETCH + eight + MEDIA + COMMANDS * BYTES + WRITE + COMPLETION);
        close_storage(l);
    }
}

/* A completion queue of 4 has room for 3; each time it goes around, the phase changes. */
static void completions_wait_for_room(void **state)
{
    (void)state;
    struct storage_lab l = open_storage(depth(16), 16);
    set(l, STORAGE_REG_CONTROL, 0, 0);
    set(l, STORAGE_REG_CQ_LENGTH, 4, 0);
    set(l, STORAGE_REG_CONTROL, 1, 0);
    for (unsigned c = 0; c < 10; c++) {
        put(l, c, STORAGE_READ, (uint16_t)c, 1);
    }
    set(l, STORAGE_REG_SQ_TAIL, 10, 0);
    unsigned seen = 0;
    for (hv_cycles now = 1000000; seen < 10; now += 1000000) {
        run(l);
        unsigned before = seen;
        for (; (completion(l, seen % 4).status & 1) == (seen / 4 % 2 == 0); seen++) {
            assert_int_equal(completion(l, seen % 4).identifier, seen);
        }
        assert_int_equal(seen - before, before < 9 ? 3 : 1);
        set(l, STORAGE_REG_CQ_HEAD, seen % 4, now);
    }
    assert_int_equal(l.storage->link.stats.packets, 10);
    close_storage(l);
}

static void bad_commands_are_answered(void **state)
{
    (void)state;
    struct storage_lab l = open_storage(depth(8), 16);
    l.lab->blocked_from = DATA;
    l.lab->blocked_to = DATA + 4096;
    l.lab->blocked_reads = true;
    put(l, 0, 0x99, 10, 1);
    put(l, 1, STORAGE_READ, 11, STORAGE_TRANSFER_MAX / 512 + 1);
    put(l, 2, STORAGE_WRITE, 12, 1);
    put(l, 3, STORAGE_READ, 13, STORAGE_TRANSFER_MAX / 512);
    set(l, STORAGE_REG_SQ_TAIL, 4, 0);
    run(l);
    unsigned status[4] = {0};
    for (unsigned i = 0; i < 4; i++) {
        status[completion(l, i).identifier - 10] = completion(l, i).status >> 1;
    }
    assert_int_equal(status[0], STORAGE_BAD_OPCODE);
    assert_int_equal(status[1], STORAGE_BAD_FIELD);
    assert_int_equal(status[2], STORAGE_DATA_BLOCKED);
    assert_int_equal(status[3], STORAGE_SUCCESS);
    assert_int_equal(storage_read(l.storage, STORAGE_REG_STATUS, 4, 1 << 20), STORAGE_RUNNING);
    close_storage(l);
}

static void bad_queues_stop_it(void **state)
{
    (void)state;
    static const struct {
        uint64_t from, to;
        bool reads;
        uint32_t tail, entries;
        enum storage_error error;
    } rows[] = {
        {SQ, SQ + 64, true, 1, 16, STORAGE_COMMAND_BLOCKED}, {CQ, CQ + 64, false, 1, 16, STORAGE_COMPLETION_BLOCKED},
        {0, 0, false, 16, 16, STORAGE_BAD_QUEUE},            {0, 0, false, 0, 1, STORAGE_BAD_QUEUE},
        {0, 0, false, 0, 65537, STORAGE_BAD_QUEUE},
    };
    for (unsigned i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct storage_lab l = open_storage(depth(8), rows[i].entries);
        l.lab->blocked_from = rows[i].from;
        l.lab->blocked_to = rows[i].to;
        l.lab->blocked_reads = rows[i].reads;
        l.lab->blocked_writes = !rows[i].reads;
        put(l, 0, STORAGE_READ, 1, 1);
        set(l, STORAGE_REG_SQ_TAIL, rows[i].tail, 0);
        run(l);
        assert_int_equal(storage_read(l.storage, STORAGE_REG_STATUS, 4, 1 << 20), rows[i].error);
        assert_int_equal(l.lab->interrupts, 1);
        assert_int_equal(l.storage->link.stats.packets, 0);
        set(l, STORAGE_REG_CONTROL, 0, 1 << 20);
        assert_int_equal(storage_read(l.storage, STORAGE_REG_STATUS, 4, 1 << 20), STORAGE_RUNNING);
        close_storage(l);
    }
}

static void missing_pages_are_waited_for(void **state)
{
    (void)state;
    struct dev_params params = depth(8);
    params.ats = params.pri = true;
    struct storage_lab l = open_storage(params, 16);
    l.lab->present_below = DATA;
    put(l, 0, STORAGE_READ, 1, 16); /* two pages */
    set(l, STORAGE_REG_SQ_TAIL, 1, 0);
    run(l);
    assert_int_equal(l.lab->page_requests, 2);
    assert_int_equal(l.storage->link.stats.packets, 0);
    l.lab->present_below = UINT64_MAX;
    for (unsigned i = 0; i < 2; i++) {
        struct dev_page_response r = {SOURCE, l.lab->page_request[i].group, DEV_PAGE_SUCCESS};
        storage_page_response(l.storage, &r, 100000);
    }
    run(l);
    assert_int_equal(l.storage->link.stats.packets, 1);
    assert_int_equal(completion(l, 0).status, 1);
    close_storage(l);
}

/* Any writes and any contents of queues: it always comes to rest. */
static void no_software_breaks_it(void **state)
{
    (void)state;
    struct hv_rng rng;
    rng_init(&rng, 5);
    for (unsigned round = 0; round < 30; round++) {
        struct dev_params params = depth(1 + rng_below(&rng, 9));
        params.media_ns = rng_below(&rng, 1000);
        params.ats = rng_below(&rng, 2);
        params.pri = params.ats && rng_below(&rng, 2);
        struct storage_lab l = open_storage(params, 16);
        for (uint64_t at = 0; at < 1 << 18; at += 8) {
            physmem_write64(&l.lab->memory, (hv_hpa){at}, rng_below(&rng, 2) ? rng_next(&rng) : rng_below(&rng, 3));
        }
        hv_cycles now = 0;
        for (unsigned i = 0; i < 2000; i++) {
            uint32_t offset = (uint32_t)(rng_below(&rng, 4) == 0 ? rng_below(&rng, 0x4010) : rng_below(&rng, 16) * 4);
            uint64_t value = rng_below(&rng, 3) == 0 ? rng_next(&rng) : rng_below(&rng, 20);
            storage_write(l.storage, offset, rng_below(&rng, 2) ? 4 : 8, value, now);
            storage_read(l.storage, offset, rng_below(&rng, 2) ? 4 : 8, now);
            if (i % 8 == 0) {
                set(l, STORAGE_REG_CONTROL, i / 8 % 2, now);
                set(l, STORAGE_REG_SQ_TAIL, rng_below(&rng, 17), now);
            }
            l.lab->blocked_to = rng_below(&rng, 1 << 18);
            l.lab->blocked_reads = rng_below(&rng, 2);
            l.lab->present_below = rng_below(&rng, 1 << 19);
            struct dev_page_response r = {SOURCE, (uint16_t)rng_below(&rng, 33), (uint8_t)rng_below(&rng, 3)};
            storage_page_response(l.storage, &r, now);
            now += rng_below(&rng, 4000);
            storage_act(l.storage, now);
        }
        run(l);
        close_storage(l);
    }
}

GTEST_MAIN("Storage", cmocka_unit_test(a_read_is_done_at_its_time), cmocka_unit_test(a_write_is_done_at_its_time),
           cmocka_unit_test(throughput_is_depth_by_latency_or_the_medium),
           cmocka_unit_test(completions_wait_for_room), cmocka_unit_test(bad_commands_are_answered),
           cmocka_unit_test(bad_queues_stop_it), cmocka_unit_test(missing_pages_are_waited_for),
           cmocka_unit_test(no_software_breaks_it))
