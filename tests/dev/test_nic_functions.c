/* SPDX-License-Identifier: MIT */
/* Virtual functions, errors, pages that are missing, and software that writes anything at all. */
#include "nic_lab.h"

#include <stdlib.h>

#include "base/rng.h"

enum { START = 10000, WIRE = 1024 };

/* Requester ids are those of ARI: PF, then from PF + 16 on. */
static void functions_have_ids_of_their_own(void **state)
{
    (void)state;
    struct dev_params params = nic_lab_params();
    params.functions = 64;
    struct nic_lab l = nic_lab_make(params);
    assert_int_equal(nic_source(l.nic, 0), 0x0100);
    assert_int_equal(nic_source(l.nic, 1), 0x0110);
    assert_int_equal(nic_source(l.nic, 64), 0x014f);
    assert_int_equal(nic_lab_get(l, 64, NIC_REG_FUNCTIONS, 0), 0x014f0000 | 64);
    assert_int_equal(nic_lab_get(l, 65, NIC_REG_FUNCTIONS, 0), 0);
    nic_lab_free(l);
}

/* 16 functions receive and send at full rate: whoever touches a region is the function that it belongs to. */
static void no_function_uses_anothers_id(void **state)
{
    (void)state;
    enum { FUNCTIONS = 17, PACKETS = 60 };
    struct dev_params params = nic_lab_params();
    params.functions = FUNCTIONS - 1;
    params.link_mbps = 64000; /* more than the PCIe link carries: the buffer takes all */
    params.buffer_bytes = 4 << 20;
    struct nic_lab l = nic_lab_make(params);
    for (unsigned f = 0; f < FUNCTIONS; f++) {
        nic_lab_enable(l, f, NIC_TRANSMIT_EVENTS, 0);
        nic_write(l.nic, f, NIC_MSIX_TABLE + 8, 4, 0x1000 + f, 0); /* the message says whose it is */
        nic_lab_open_rx(l, f, 0, 128, 0);
        nic_lab_open_tx(l, f, 0, 128, 0);
        nic_lab_send(l, f, 0, PACKETS, 1000, START);
        nic_receive(l.nic, f, PACKETS, START);
    }
    nic_lab_run(l, DEV_NEVER);
    assert_true(l.lab->dmas < LAB_RECORDS && l.lab->interrupts < LAB_RECORDS);
    for (unsigned i = 0; i < l.lab->dmas; i++) {
        unsigned owner = (unsigned)(l.lab->dma[i].d.address / NIC_LAB_REGION);
        assert_int_equal(l.lab->dma[i].d.source, nic_source(l.nic, owner));
    }
    for (unsigned i = 0; i < l.lab->interrupts; i++) {
        assert_int_equal(l.lab->interrupt[i].source, nic_source(l.nic, l.lab->interrupt[i].data - 0x1000));
    }
    for (unsigned f = 0; f < FUNCTIONS; f++) {
        assert_int_equal(nic_counts_of(l.nic, f).received, PACKETS);
        assert_int_equal(nic_counts_of(l.nic, f).transmitted, PACKETS);
        assert_int_equal(nic_counts_of(l.nic, f).interrupts, 2 * PACKETS);
    }
    nic_lab_free(l);
}

/* Streams to all functions come in turn; those that send have their turns as well. */
static void functions_share_the_links(void **state)
{
    (void)state;
    enum { FUNCTIONS = 5 };
    struct dev_params params = nic_lab_params();
    params.functions = FUNCTIONS - 1;
    struct nic_lab l = nic_lab_make(params);
    for (unsigned f = 0; f < FUNCTIONS; f++) {
        nic_lab_enable(l, f, 0, 0);
        nic_lab_open_rx(l, f, 0, 512, 0);
        nic_lab_open_tx(l, f, 0, 512, 0);
        nic_lab_send(l, f, 0, 500, 1000, 0);
    }
    for (unsigned f = 0; f < FUNCTIONS; f++) {
        nic_receive(l.nic, f, 1000, START);
    }
    nic_lab_run(l, START + 100 * WIRE);
    struct nic_counts before[FUNCTIONS];
    for (unsigned f = 0; f < FUNCTIONS; f++) {
        before[f] = nic_counts_of(l.nic, f);
    }
    nic_lab_run(l, START + 400 * WIRE);
    for (unsigned f = 0; f < FUNCTIONS; f++) { /* 300 packets each way, for five */
        assert_in_range(nic_counts_of(l.nic, f).received - before[f].received, 59, 61);
        assert_in_range(nic_counts_of(l.nic, f).transmitted - before[f].transmitted, 59, 61);
    }
    nic_lab_free(l);
}

/* The ways in which a queue stops, and how software learns of each. */
struct failure {
    const char *name;
    uint64_t from, to; /* what is blocked */
    bool reads, writes, transmit;
    enum nic_error error;
};

static const struct failure failures[] = {
    {"receive_descriptor", 0, 4096, true, false, false, NIC_DESCRIPTOR_BLOCKED},
    {"receive_data", NIC_LAB_BUFFERS + NIC_LAB_BUFFER, NIC_LAB_BUFFERS + 2 * NIC_LAB_BUFFER, false, true, false,
     NIC_DATA_BLOCKED},
    {"receive_write_back", 16, 32, false, true, false, NIC_WRITE_BACK_BLOCKED},
    {"transmit_descriptor", NIC_LAB_TX, NIC_LAB_TX + 4096, true, false, true, NIC_DESCRIPTOR_BLOCKED},
    {"transmit_data", NIC_LAB_TX_BUFFERS + NIC_LAB_BUFFER, NIC_LAB_TX_BUFFERS + 2 * NIC_LAB_BUFFER, true, false, true,
     NIC_DATA_BLOCKED},
    {"transmit_write_back", NIC_LAB_TX + 16, NIC_LAB_TX + 32, false, true, true, NIC_WRITE_BACK_BLOCKED},
};

static void a_blocked_queue_stops_and_says_so(void **state)
{
    const struct failure *f = *state;
    uint32_t status = f->transmit ? NIC_REG_TX_STATUS : NIC_REG_RX_STATUS;
    struct nic_lab l = nic_lab_make(nic_lab_params());
    l.lab->blocked_from = f->from;
    l.lab->blocked_to = f->to;
    l.lab->blocked_reads = f->reads;
    l.lab->blocked_writes = f->writes;
    nic_lab_enable(l, 0, 0, 0);
    nic_lab_open_rx(l, 0, 0, 64, 0);
    nic_lab_open_tx(l, 0, 0, 64, 0);
    nic_lab_send(l, 0, 0, 5, 1000, START);
    nic_receive(l.nic, 0, 5, START);
    nic_lab_run(l, DEV_NEVER);
    struct nic_counts counts = nic_counts_of(l.nic, 0);
    assert_int_equal(nic_lab_queue_get(l, 0, 0, status, 50000), f->error);
    assert_int_equal(nic_lab_get(l, 0, NIC_REG_STATUS, 50000) & NIC_QUEUE_STOPPED, NIC_QUEUE_STOPPED);
    assert_int_equal(l.nic->link.stats.queue_errors, 1);
    assert_int_equal(l.nic->link.stats.dma_failed, 1);
    assert_true(l.lab->interrupts >= 1);
    assert_int_equal(f->transmit ? counts.received : counts.transmitted, 5); /* the other queue goes on */
    /* The head is at the descriptor that failed, and the one before it is done. */
    bool fetched = f->error != NIC_DESCRIPTOR_BLOCKED;
    assert_int_equal(nic_lab_queue_get(l, 0, 0, f->transmit ? NIC_REG_TX_HEAD : NIC_REG_RX_HEAD, 50000), fetched);
    assert_int_equal(nic_lab_descriptor(l, f->transmit ? NIC_LAB_TX : 0, 0).status, fetched ? NIC_DONE : 0);
    assert_int_equal(counts.received + counts.dropped, 5);
    /* Switched off and on again it works. */
    l.lab->blocked_reads = l.lab->blocked_writes = false;
    nic_lab_queue_set(l, 0, 0, f->transmit ? NIC_REG_TX_CONTROL : NIC_REG_RX_CONTROL, 0, 60000);
    if (f->transmit) {
        nic_lab_open_tx(l, 0, 0, 64, 60000);
        nic_lab_send(l, 0, 0, 5, 1000, 60000);
    } else {
        nic_lab_open_rx(l, 0, 0, 64, 60000);
        nic_receive(l.nic, 0, 5, 70000);
    }
    nic_lab_run(l, DEV_NEVER);
    struct nic_counts after = nic_counts_of(l.nic, 0);
    assert_int_equal(f->transmit ? after.transmitted - counts.transmitted : after.received - counts.received, 5);
    assert_int_equal(nic_lab_queue_get(l, 0, 0, status, 200000), NIC_RUNNING);
    nic_lab_free(l);
}

static void bad_rings_are_errors(void **state)
{
    (void)state;
    struct nic_lab l = nic_lab_make(nic_lab_params());
    nic_lab_enable(l, 0, 0, 0);
    static const uint32_t lengths[] = {0, 65537, 0x1ffff};
    for (unsigned i = 0; i < HV_ARRAY_LEN(lengths); i++) {
        nic_lab_queue_set(l, 0, 0, NIC_REG_TX_LENGTH, lengths[i], 0);
        nic_lab_queue_set(l, 0, 0, NIC_REG_TX_CONTROL, 1, 0);
        assert_int_equal(nic_lab_queue_get(l, 0, 0, NIC_REG_TX_STATUS, 0), NIC_BAD_RING);
        nic_lab_queue_set(l, 0, 0, NIC_REG_TX_CONTROL, 0, 0);
    }
    nic_lab_queue_set(l, 0, 0, NIC_REG_TX_LENGTH, 65536, 0);
    nic_lab_queue_set(l, 0, 0, NIC_REG_TX_CONTROL, 1, 0);
    nic_lab_queue_set(l, 0, 0, NIC_REG_TX_TAIL, 65535, 0);
    assert_int_equal(nic_lab_queue_get(l, 0, 0, NIC_REG_TX_STATUS, 0), NIC_RUNNING);
    nic_lab_queue_set(l, 0, 0, NIC_REG_TX_TAIL, 65536, 0);
    assert_int_equal(nic_lab_queue_get(l, 0, 0, NIC_REG_TX_STATUS, 0), NIC_BAD_RING);
    nic_lab_free(l);
}

/* A reset while everything is under way: what was begun comes to nothing, and the card works afterwards. */
static void a_reset_forgets_everything(void **state)
{
    (void)state;
    for (hv_cycles at = START; at < START + 8000; at += 61) {
        struct nic_lab l = nic_lab_receiving(nic_lab_params(), 64);
        nic_lab_open_tx(l, 0, 0, 64, 0);
        nic_lab_send(l, 0, 0, 20, 1000, START);
        nic_receive(l.nic, 0, 5, START);
        nic_act(l.nic, at);
        nic_lab_set(l, 0, NIC_REG_CONTROL, NIC_RESET, at);
        uint64_t interrupts = l.lab->interrupts;
        nic_lab_run(l, DEV_NEVER);
        assert_int_equal(l.lab->interrupts, interrupts);
        assert_int_equal(nic_lab_queue_get(l, 0, 0, NIC_REG_TX_HEAD, 50000), 0);
        struct nic_counts counts = nic_counts_of(l.nic, 0);
        assert_int_equal(counts.received + counts.dropped, 5);
        nic_lab_enable(l, 0, 0, 50000);
        nic_lab_open_rx(l, 0, 0, 64, 50000);
        nic_lab_open_tx(l, 0, 0, 64, 50000);
        nic_lab_send(l, 0, 0, 3, 1000, 50000);
        nic_receive(l.nic, 0, 3, 60000);
        nic_lab_run(l, DEV_NEVER);
        assert_int_equal(nic_counts_of(l.nic, 0).received - counts.received, 3);
        assert_int_equal(nic_counts_of(l.nic, 0).transmitted - counts.transmitted, 3);
        nic_lab_free(l);
    }
}

static struct nic_lab open_paging(uint64_t present_below)
{
    struct dev_params params = nic_lab_params();
    params.ats = params.pri = true;
    struct nic_lab l = nic_lab_make(params);
    l.lab->present_below = present_below;
    nic_lab_enable(l, 0, 0, 0);
    nic_lab_open_rx(l, 0, 0, 64, 0);
    nic_lab_open_tx(l, 0, 0, 64, 0);
    return l;
}

static void respond(struct nic_lab l, uint8_t code, hv_cycles now)
{
    uint64_t last = (l.lab->page_requests - 1) % HV_ARRAY_LEN(l.lab->page_request);
    struct dev_page_response response = {nic_source(l.nic, 0), l.lab->page_request[last].group, code};
    nic_page_response(l.nic, &response, now);
}

/* A buffer that is not there: the queue waits for its page, and the packet is received then. */
static void a_missing_page_is_requested(void **state)
{
    (void)state;
    struct nic_lab l = open_paging(NIC_LAB_BUFFERS);
    nic_receive(l.nic, 0, 4, START);
    nic_lab_run(l, DEV_NEVER);
    assert_int_equal(nic_counts_of(l.nic, 0).received, 0);
    assert_int_equal(l.lab->page_requests, 1);
    assert_int_equal(l.lab->page_request[0].address, NIC_LAB_BUFFERS);
    assert_true(l.lab->page_request[0].write && !l.lab->page_request[0].read && l.lab->page_request[0].last);
    l.lab->present_below = UINT64_MAX;
    respond(l, DEV_PAGE_SUCCESS, 100000);
    nic_lab_run(l, DEV_NEVER);
    assert_int_equal(nic_counts_of(l.nic, 0).received, 4);
    assert_int_equal(l.nic->link.stats.queue_errors, 0);
    nic_lab_free(l);
}

static void a_refused_page_stops_the_queue(void **state)
{
    (void)state;
    for (unsigned code = 0; code < 16; code++) { /* with success too, when the page is still not there */
        struct nic_lab l = open_paging(NIC_LAB_TX_BUFFERS);
        nic_lab_send(l, 0, 0, 2, 1000, START);
        nic_lab_run(l, DEV_NEVER);
        assert_int_equal(l.lab->page_requests, 1);
        assert_int_equal(nic_lab_queue_get(l, 0, 0, NIC_REG_TX_STATUS, 50000), NIC_RUNNING);
        respond(l, (uint8_t)code, 100000);
        nic_lab_run(l, DEV_NEVER);
        assert_int_equal(nic_lab_queue_get(l, 0, 0, NIC_REG_TX_STATUS, 200000), NIC_DATA_BLOCKED);
        assert_int_equal(l.lab->page_requests, 1);
        nic_lab_free(l);
    }
}

static void fill_with_noise(struct lab *lab, struct hv_rng *rng)
{
    for (unsigned i = 0; i < 20000; i++) {
        physmem_write64(&lab->memory, (hv_hpa){rng_below(rng, LAB_MEMORY_BYTES) & ~UINT64_C(7)}, rng_next(rng));
    }
    for (uint64_t at = 0; at < 64 * 1024; at += 8) {
        physmem_write64(&lab->memory, (hv_hpa){at}, rng_below(rng, 3) == 0 ? rng_next(rng) : rng_below(rng, 1 << 26));
    }
}

/* A value that is likely to be bad in an interesting way. */
static uint64_t some_value(struct hv_rng *rng)
{
    switch (rng_below(rng, 4)) {
    case 0: return rng_below(rng, 4);
    case 1: return rng_below(rng, 300);
    case 2: return rng_below(rng, 1 << 17) & ~UINT64_C(15);
    default: return rng_next(rng);
    }
}

/* Any writes, any contents of rings, pages that come and go: the card always comes to rest. */
static void no_software_breaks_it(void **state)
{
    (void)state;
    struct hv_rng rng;
    rng_init(&rng, 11);
    for (unsigned round = 0; round < 40; round++) {
        struct dev_params params = nic_lab_params();
        params.functions = rng_below(&rng, 3);
        params.queues = 1 + rng_below(&rng, 3);
        params.ats = rng_below(&rng, 2);
        params.pri = params.ats && rng_below(&rng, 2);
        params.ats_entries = 1 + rng_below(&rng, 8);
        params.pattern = rng_below(&rng, 2) ? DEV_REQUEST_RESPONSE : DEV_RECEIVE;
        params.packet_bytes = 1 + rng_below(&rng, 9000);
        struct nic_lab l = nic_lab_make(params);
        fill_with_noise(l.lab, &rng);
        hv_cycles now = 0;
        for (unsigned i = 0; i < 3000; i++) {
            unsigned function = (unsigned)rng_below(&rng, 4);
            static const uint32_t blocks[] = {0, 0x1000, 0x1100, 0x1200, 0x1040, NIC_MSIX_TABLE, NIC_MSIX_PENDING};
            uint32_t offset = blocks[rng_below(&rng, 7)] + (uint32_t)rng_below(&rng, 24) * 4;
            unsigned bytes = rng_below(&rng, 8) == 0 ? (unsigned)rng_below(&rng, 9) : rng_below(&rng, 2) ? 4 : 8;
            if (i % 16 == 0) {
                nic_write(l.nic, function, NIC_REG_CONTROL, 4, NIC_ENABLE, now);
            }
            nic_write(l.nic, function, offset, bytes, some_value(&rng), now);
            nic_read(l.nic, function, offset, bytes, now);
            nic_receive(l.nic, (unsigned)rng_below(&rng, l.nic->functions), rng_below(&rng, 3), now);
            l.lab->present_below = some_value(&rng);
            l.lab->blocked_to = some_value(&rng);
            l.lab->blocked_reads = rng_below(&rng, 2);
            l.lab->blocked_writes = rng_below(&rng, 2);
            struct dev_page_response response = {nic_source(l.nic, (unsigned)rng_below(&rng, l.nic->functions)),
                                                 (uint16_t)rng_below(&rng, 40), (uint8_t)rng_below(&rng, 16)};
            nic_page_response(l.nic, &response, now);
            now += rng_below(&rng, 3000);
            nic_act(l.nic, now);
        }
        nic_lab_run(l, DEV_NEVER);
        nic_lab_free(l);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_have_ids_of_their_own), cmocka_unit_test(no_function_uses_anothers_id),
        cmocka_unit_test(functions_share_the_links), cmocka_unit_test(bad_rings_are_errors),
        cmocka_unit_test(a_reset_forgets_everything), cmocka_unit_test(a_missing_page_is_requested),
        cmocka_unit_test(a_refused_page_stops_the_queue), cmocka_unit_test(no_software_breaks_it)};
    struct CMUnitTest rows[HV_ARRAY_LEN(failures)];
    gtest_rows(rows, a_blocked_queue_stops_and_says_so, failures, sizeof(failures[0]), HV_ARRAY_LEN(failures));
    const struct gtest_suite suites[] = {GTEST_SUITE("NicFunctions", tests), GTEST_SUITE("NicFailures", rows)};
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
