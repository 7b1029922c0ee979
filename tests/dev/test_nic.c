/* SPDX-License-Identifier: MIT */
/* The network card: times, order and counts of receiving and sending. */
#include "nic_lab.h"

#include <string.h>

enum {
    START = 10000, WIRE = 1024,
    PAYLOAD = 274,    /* 1000 bytes in four packets: (1000 + 4 x 24) / 4 */
    WRITE_BACK = 10,  /* (16 + 24) / 4 */
    MSI = 7,          /* (4 + 24) / 4 */
};

static uint64_t received(struct nic_lab l)
{
    return nic_counts_of(l.nic, 0).received;
}

/* When the card sent the last of its requests: a write-back, where the interrupts are not counted. */
static hv_cycles last_sent(struct nic_lab l)
{
    return l.lab->dma[l.lab->dmas - 1].at - LAB_HALF;
}

/* Arrives after its 1024 cycles; then payload and write-back take the link; the interrupt follows memory's 100. */
static void a_packet_is_received_at_its_time(void **state)
{
    (void)state;
    struct nic_lab l = nic_lab_receiving(nic_lab_params(), 8);
    nic_receive(l.nic, 0, 1, START);
    hv_cycles done = START + WIRE + PAYLOAD + WRITE_BACK;
    nic_act(l.nic, done - 1);
    assert_int_equal(received(l), 0);
    assert_int_equal(nic_lab_queue_get(l, 0, 0, NIC_REG_RX_HEAD, done - 1), 0);
    assert_int_equal(nic_next(l.nic), done);
    nic_act(l.nic, done);
    assert_int_equal(received(l), 1);
    assert_int_equal(nic_lab_queue_get(l, 0, 0, NIC_REG_RX_HEAD, done), 1);
    assert_int_equal(l.lab->interrupts, 1);
    assert_int_equal(l.lab->interrupt[0].at, done + LAB_HALF + LAB_MEMORY);
    assert_int_equal(l.lab->interrupt[0].data, 0x40);
    assert_int_equal(l.lab->interrupt[0].address, (uint32_t)NIC_LAB_MSI);
    assert_int_equal(nic_next(l.nic), DEV_NEVER);
    nic_lab_free(l);
}

static void a_descriptor_says_what_came(void **state)
{
    (void)state;
    struct nic_lab l = nic_lab_receiving(nic_lab_params(), 8);
    nic_receive(l.nic, 0, 2, START);
    nic_lab_run(l, DEV_NEVER);
    for (unsigned i = 0; i < 3; i++) {
        struct nic_descriptor d = nic_lab_descriptor(l, 0, i);
        assert_int_equal(d.address, NIC_LAB_BUFFERS + i * NIC_LAB_BUFFER);
        assert_int_equal(d.length, i < 2 ? 1000 : 0);
        assert_int_equal(d.status, i < 2 ? NIC_DONE : 0);
        assert_int_equal(d.driver, 0xd000 + i);
    }
    nic_lab_free(l);
}

/* A packet longer than the buffer is cut, and its descriptor says so. */
static void a_long_packet_is_cut(void **state)
{
    (void)state;
    struct nic_lab l = nic_lab_receiving(nic_lab_params(), 8);
    nic_lab_queue_set(l, 0, 0, NIC_REG_RX_BUFFER, 600, 0);
    nic_receive(l.nic, 0, 1, START);
    nic_lab_run(l, DEV_NEVER);
    assert_int_equal(nic_lab_descriptor(l, 0, 0).length, 600);
    assert_int_equal(nic_lab_descriptor(l, 0, 0).status, NIC_DONE | NIC_ERROR);
    nic_lab_free(l);
}

/* A ring of 8 has 7 descriptors to give. */
static void without_descriptors_packets_are_dropped(void **state)
{
    (void)state;
    struct nic_lab l = nic_lab_receiving(nic_lab_params(), 8);
    nic_receive(l.nic, 0, 20, START);
    nic_lab_run(l, DEV_NEVER);
    assert_int_equal(received(l), 7);
    assert_int_equal(nic_counts_of(l.nic, 0).dropped, 13);
    assert_int_equal(l.nic->link.stats.dropped, 13);
    assert_int_equal(l.nic->link.stats.packets, 7);
    assert_int_equal(l.nic->link.stats.bytes, 7000);
    nic_lab_queue_set(l, 0, 0, NIC_REG_RX_TAIL, 2, 100000); /* 7, 0, 1 */
    nic_receive(l.nic, 0, 5, 110000);
    nic_lab_run(l, DEV_NEVER);
    assert_int_equal(received(l), 10);
    assert_int_equal(nic_counts_of(l.nic, 0).dropped, 15);
    nic_lab_free(l);
}

/* A queue that is off, and a function that is. */
static void what_is_off_receives_nothing(void **state)
{
    (void)state;
    struct nic_lab l = nic_lab_make(nic_lab_params());
    nic_lab_open_rx(l, 0, 0, 8, 0);
    nic_receive(l.nic, 0, 3, START);
    nic_lab_run(l, DEV_NEVER);
    assert_int_equal(nic_counts_of(l.nic, 0).dropped, 3);
    nic_lab_queue_set(l, 0, 0, NIC_REG_RX_CONTROL, 0, 50000);
    nic_lab_enable(l, 0, 0, 50000);
    nic_receive(l.nic, 0, 3, 60000);
    nic_lab_run(l, DEV_NEVER);
    assert_int_equal(nic_counts_of(l.nic, 0).dropped, 6);
    assert_int_equal(l.lab->dmas, 0);
    nic_lab_free(l);
}

/* The driver gives back what it has seen; the ring goes around 125 times, in order. */
static void a_ring_goes_around(void **state)
{
    (void)state;
    struct nic_lab l = nic_lab_receiving(nic_lab_params(), 8);
    nic_receive(l.nic, 0, 1000, START);
    unsigned seen = 0;
    while (nic_next(l.nic) != DEV_NEVER) {
        hv_cycles now = nic_next(l.nic);
        nic_act(l.nic, now);
        uint32_t head = (uint32_t)nic_lab_queue_get(l, 0, 0, NIC_REG_RX_HEAD, now);
        for (; seen % 8 != head; seen++) {
            assert_int_equal(nic_lab_descriptor(l, 0, seen % 8).status, NIC_DONE);
            ((struct nic_descriptor *)physmem_pointer(&l.lab->memory, (hv_hpa){seen % 8 * 16}, 16))->status = 0;
            nic_lab_queue_set(l, 0, 0, NIC_REG_RX_TAIL, seen % 8, now);
        }
    }
    assert_int_equal(seen, 1000);
    assert_int_equal(nic_counts_of(l.nic, 0).dropped, 0);
    uint64_t payloads = 0;
    for (unsigned i = 0; i < l.lab->dmas; i++) {
        const struct dev_dma *d = &l.lab->dma[i].d;
        if (d->write && d->data == NULL && d->address % NIC_LAB_BUFFER == 0) { /* the first packet of a payload */
            assert_int_equal(d->address, NIC_LAB_BUFFERS + payloads % 8 * NIC_LAB_BUFFER);
            payloads++;
        }
    }
    assert_int_equal(payloads, 1000);
    nic_lab_free(l);
}

/* 7 Gb/s at 1 GHz: 1024 bytes each 8192 / 7 cycles; the 700th ends at 700 x 8192 / 7. */
static void the_network_keeps_its_rate(void **state)
{
    (void)state;
    struct dev_params params = nic_lab_params();
    params.link_mbps = 7000;
    struct nic_lab l = nic_lab_receiving(params, 4096);
    nic_receive(l.nic, 0, 700, START);
    nic_lab_run(l, DEV_NEVER);
    assert_int_equal(received(l), 700);
    assert_int_equal(last_sent(l), START + 700 * 8192 / 7 + PAYLOAD + WRITE_BACK);
    nic_lab_free(l);
}

/* 60 bytes are the least: 84 cycles each. 1 byte is padded to that. */
static void small_packets_are_padded(void **state)
{
    (void)state;
    struct dev_params params = nic_lab_params();
    params.packet_bytes = 1;
    struct nic_lab l = nic_lab_receiving(params, 64);
    nic_receive(l.nic, 0, 10, START);
    nic_lab_run(l, DEV_NEVER);
    assert_int_equal(last_sent(l), START + 10 * 84 + 7 + WRITE_BACK); /* 1 + 24 bytes: 7 double words */
    nic_lab_free(l);
}

/* Half the rate: each packet begins 2048 cycles after the one before. */
static void packets_are_offered_at_a_rate(void **state)
{
    (void)state;
    struct dev_params params = nic_lab_params();
    params.offered_mbps = 4000;
    struct nic_lab l = nic_lab_receiving(params, 64);
    nic_receive(l.nic, 0, 10, START);
    nic_lab_run(l, DEV_NEVER);
    assert_int_equal(last_sent(l), START + 9 * 2048 + WIRE + PAYLOAD + WRITE_BACK);
    nic_lab_free(l);
}

/*
 * A network of 64 bytes a cycle and an engine that needs 1000 cycles for a packet: a buffer of 10 packets is full at
 * once. The first packets come in at 16, 32, ... cycles; what is done gives room back after 284 cycles or more, so
 * of 20 packets, which are all there after 320, the tenth at 160, only the one that has been written makes room.
 */
static void the_buffer_is_finite(void **state)
{
    (void)state;
    struct dev_params params = nic_lab_params();
    params.link_mbps = 512000;
    params.engine_ns = 1000;
    params.buffer_bytes = 10000;
    struct nic_lab l = nic_lab_receiving(params, 64);
    nic_receive(l.nic, 0, 20, START);
    hv_cycles end = nic_lab_run(l, DEV_NEVER);
    /* Done at 16 + 284 = 300: room for one of those that arrive at 304 and 320. */
    assert_int_equal(received(l), 11);
    assert_int_equal(nic_counts_of(l.nic, 0).dropped, 9);
    assert_int_equal(end, START + 16 + 10 * 1000 + PAYLOAD + WRITE_BACK);
    nic_lab_free(l);
}

/* A slow PCIe link: 40 bytes of write-back and 1096 of payload at one double word in two cycles. */
static void a_slow_link_bounds_receiving(void **state)
{
    (void)state;
    struct dev_params params = nic_lab_params();
    params.pcie_mbps = LAB_MBPS / 2;
    params.link_mbps = 80000; /* ten bytes a cycle: 103 cycles a packet */
    params.buffer_bytes = 1 << 20;
    struct nic_lab l = nic_lab_receiving(params, 512);
    nic_receive(l.nic, 0, 200, START);
    nic_lab_run(l, DEV_NEVER);
    assert_int_equal(received(l), 200);
    hv_cycles first = 0, last = 0;
    for (unsigned i = 0; i < l.lab->dmas; i++) {
        if (l.lab->dma[i].d.write && l.lab->dma[i].d.bytes == 16) {
            first = first == 0 ? l.lab->dma[i].at : first;
            last = l.lab->dma[i].at;
        }
    }
    /* Between them also the requests for 200 - 8 - ... descriptors, 6 double words each, and an MSI a packet. */
    uint64_t least = 199 * 2 * (PAYLOAD + WRITE_BACK), most = least + 2 * (200 * MSI + 40 * 6);
    assert_in_range(last - first, least, most);
    nic_lab_free(l);
}

/* Doorbell; descriptors: 6 up, 200, 100, (20 + 48) / 4 down, 200; payload: 1000 bytes of 4 completions; network. */
static void a_packet_is_sent_at_its_time(void **state)
{
    (void)state;
    struct nic_lab l = nic_lab_make(nic_lab_params());
    nic_lab_enable(l, 0, NIC_TRANSMIT_EVENTS, 0);
    nic_lab_open_tx(l, 0, 0, 8, 0);
    nic_lab_send(l, 0, 0, 3, 1000, START);
    hv_cycles fetched = START + 6 + LAB_HALF + LAB_MEMORY + (20 + 48) / 4 + LAB_HALF;
    /* MRRS 512: two requests; 1000 + 4 x 20 bytes come back. */
    hv_cycles read = fetched + 6 + LAB_HALF + LAB_MEMORY + (1000 + 80) / 4 + LAB_HALF;
    hv_cycles sent = read + WIRE, done = sent + WRITE_BACK;
    nic_act(l.nic, done - 1);
    assert_int_equal(nic_counts_of(l.nic, 0).transmitted, 0);
    nic_act(l.nic, done);
    assert_int_equal(nic_counts_of(l.nic, 0).transmitted, 1);
    assert_int_equal(nic_lab_queue_get(l, 0, 0, NIC_REG_TX_HEAD, done), 1);
    assert_int_equal(nic_lab_descriptor(l, NIC_LAB_TX, 0).status, NIC_DONE);
    assert_int_equal(nic_lab_descriptor(l, NIC_LAB_TX, 1).status, 0);
    nic_act(l.nic, done + 2 * WIRE - 1);
    assert_int_equal(nic_counts_of(l.nic, 0).transmitted, 2);
    nic_act(l.nic, done + 2 * WIRE); /* the link paces them */
    assert_int_equal(nic_counts_of(l.nic, 0).transmitted, 3);
    assert_int_equal(l.lab->interrupts, 3);
    assert_int_equal(nic_next(l.nic), DEV_NEVER);
    nic_lab_free(l);
}

/* Payloads are asked for in the order of descriptors, and go out so, even when memory answers out of order. */
static void packets_leave_in_order(void **state)
{
    (void)state;
    struct dev_params params = nic_lab_params();
    params.packet_bytes = 100;
    struct nic_lab l = nic_lab_make(params);
    nic_lab_enable(l, 0, 0, 0);
    nic_lab_open_tx(l, 0, 0, 64, 0);
    nic_lab_send(l, 0, 0, 50, 100, START);
    uint64_t before = 0;
    while (nic_next(l.nic) != DEV_NEVER) {
        l.lab->read_cycles = 50 + nic_next(l.nic) * 7919 % 3000;
        nic_act(l.nic, nic_next(l.nic));
        uint64_t sent = nic_counts_of(l.nic, 0).transmitted;
        for (uint64_t i = 0; i < 50; i++) { /* DD bits are a prefix: nothing is done before its predecessors */
            bool is_done = nic_lab_descriptor(l, NIC_LAB_TX, (unsigned)i).status == NIC_DONE;
            assert_true(i < sent ? is_done : i > sent + 8 ? !is_done : true);
        }
        assert_true(sent >= before);
        before = sent;
    }
    assert_int_equal(before, 50);
    nic_lab_free(l);
}

/* Without the report bit nothing is written back, but the head moves. An empty packet sends nothing. */
static void only_reports_are_written_back(void **state)
{
    (void)state;
    struct nic_lab l = nic_lab_make(nic_lab_params());
    nic_lab_enable(l, 0, NIC_TRANSMIT_EVENTS, 0);
    nic_lab_open_tx(l, 0, 0, 8, 0);
    for (unsigned i = 0; i < 3; i++) {
        struct nic_descriptor *d = physmem_pointer(&l.lab->memory, (hv_hpa){NIC_LAB_TX + i * 16}, 16);
        *d = (struct nic_descriptor){.address = NIC_LAB_TX_BUFFERS, .length = i == 1 ? 0 : 500,
                                     .command = i == 2 ? NIC_REPORT : 0};
    }
    nic_lab_queue_set(l, 0, 0, NIC_REG_TX_TAIL, 3, START);
    nic_lab_run(l, DEV_NEVER);
    assert_int_equal(nic_lab_queue_get(l, 0, 0, NIC_REG_TX_HEAD, 1 << 20), 3);
    assert_int_equal(nic_lab_descriptor(l, NIC_LAB_TX, 0).status, 0);
    assert_int_equal(nic_lab_descriptor(l, NIC_LAB_TX, 1).status, 0);
    assert_int_equal(nic_lab_descriptor(l, NIC_LAB_TX, 2).status, NIC_DONE);
    assert_int_equal(l.nic->link.stats.dma_writes, 1);
    assert_int_equal(l.lab->interrupts, 1);
    assert_int_equal(l.nic->link.stats.bytes, 1000);
    nic_lab_free(l);
}

/* The peer's answer comes peer_ns and the time of a packet after the request has gone out. */
static void the_peer_answers(void **state)
{
    (void)state;
    struct dev_params params = nic_lab_params();
    params.pattern = DEV_REQUEST_RESPONSE;
    params.peer_ns = 5000;
    struct nic_lab l = nic_lab_receiving(params, 8);
    nic_lab_open_tx(l, 0, 0, 8, 0);
    nic_lab_send(l, 0, 0, 1, 1000, START);
    hv_cycles fetched = START + 6 + LAB_HALF + LAB_MEMORY + (20 + 16) / 4 + LAB_HALF;
    hv_cycles sent = fetched + 6 + LAB_HALF + LAB_MEMORY + (1000 + 80) / 4 + LAB_HALF + WIRE;
    hv_cycles done = sent + 5000 + WIRE + PAYLOAD + WRITE_BACK;
    nic_act(l.nic, done - 1);
    assert_int_equal(received(l), 0);
    nic_act(l.nic, done);
    assert_int_equal(received(l), 1);
    nic_lab_free(l);
}

/* What arrives while a stream comes in has to wait for the link. */
static void answers_and_streams_share_the_network(void **state)
{
    (void)state;
    struct dev_params params = nic_lab_params();
    params.pattern = DEV_REQUEST_RESPONSE;
    struct nic_lab l = nic_lab_receiving(params, 256);
    nic_lab_open_tx(l, 0, 0, 64, 0);
    nic_lab_send(l, 0, 0, 10, 1000, START);
    nic_receive(l.nic, 0, 100, START);
    nic_lab_run(l, DEV_NEVER);
    assert_int_equal(received(l), 110);
    assert_int_equal(last_sent(l), START + 110 * WIRE + PAYLOAD + WRITE_BACK);
    nic_lab_free(l);
}

GTEST_MAIN("Nic", cmocka_unit_test(a_packet_is_received_at_its_time), cmocka_unit_test(a_descriptor_says_what_came),
           cmocka_unit_test(a_long_packet_is_cut), cmocka_unit_test(without_descriptors_packets_are_dropped),
           cmocka_unit_test(what_is_off_receives_nothing), cmocka_unit_test(a_ring_goes_around),
           cmocka_unit_test(the_network_keeps_its_rate), cmocka_unit_test(small_packets_are_padded),
           cmocka_unit_test(packets_are_offered_at_a_rate), cmocka_unit_test(the_buffer_is_finite),
           cmocka_unit_test(a_slow_link_bounds_receiving), cmocka_unit_test(a_packet_is_sent_at_its_time),
           cmocka_unit_test(packets_leave_in_order), cmocka_unit_test(only_reports_are_written_back),
           cmocka_unit_test(the_peer_answers), cmocka_unit_test(answers_and_streams_share_the_network))
