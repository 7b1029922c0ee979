/* SPDX-License-Identifier: MIT */
/* The link: its bandwidth, packet by packet; its latency; tags, credits and order. */
#include "lab.h"

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

enum { SOURCE = 0x0108, MSI_ADDRESS = (int)0xfee01000 };

struct link_lab {
    struct lab *lab;
    struct pcie *link;
};

static struct link_lab open_link(struct dev_params params)
{
    struct link_lab l = {lab_make(), calloc(1, sizeof(struct pcie))};
    struct hv_err err = {0};
    struct dev_port port = lab_port(l.lab);
    assert_true(pcie_init(l.link, &params, &port, LAB_MHZ, &err));
    return l;
}

static void close_link(struct link_lab l)
{
    pcie_fini(l.link);
    free(l.link);
    lab_free(l.lab);
}

static struct pcie_done move(struct link_lab l, bool write, uint64_t address, uint32_t bytes, hv_cycles now)
{
    struct dev_dma d = {.source = SOURCE, .write = write, .address = address, .bytes = bytes};
    return pcie_dma(l.link, &d, now);
}

/* 24 bytes up are 6 cycles, 20 + 64 bytes down 21. */
static void a_read_takes_both_ways(void **state)
{
    (void)state;
    struct link_lab l = open_link(lab_params());
    struct pcie_done done = move(l, false, 0, 64, 1000);
    assert_int_equal(done.status, PCIE_OK);
    assert_int_equal(l.lab->dma[0].at, 1000 + 6 + LAB_HALF);
    assert_int_equal(done.at, 1000 + 6 + LAB_HALF + LAB_MEMORY + 21 + LAB_HALF);
    assert_int_equal(l.link->stats.dma_read_cycles, done.at - 1000);
    assert_int_equal(l.link->stats.link_up_bytes, 24);
    assert_int_equal(l.link->stats.link_down_bytes, 84);
    close_link(l);
}

static void a_write_is_over_when_it_is_sent(void **state)
{
    (void)state;
    struct link_lab l = open_link(lab_params());
    assert_int_equal(move(l, true, 0, 64, 1000).at, 1000 + 22);
    assert_int_equal(l.lab->dma[0].at, 1000 + 22 + LAB_HALF);
    assert_int_equal(l.link->stats.link_down_bytes, 0);
    close_link(l);
}

/* MRRS 512 and MPS 256: two requests of 6 cycles each, two completions of 69 cycles for each. */
static void a_long_read_is_cut(void **state)
{
    (void)state;
    struct link_lab l = open_link(lab_params());
    struct pcie_done done = move(l, false, 8192, 1024, 0);
    assert_int_equal(l.lab->dmas, 2);
    assert_int_equal(l.lab->dma[1].d.address, 8192 + 512);
    assert_int_equal(l.lab->dma[1].at, 12 + LAB_HALF);
    assert_int_equal(done.at, 6 + LAB_HALF + LAB_MEMORY + 4 * 69 + LAB_HALF);
    assert_int_equal(l.link->stats.link_up_bytes, 2 * 24);
    assert_int_equal(l.link->stats.link_down_bytes, 1024 + 4 * 20);
    close_link(l);
}

/* Completions end at multiples of MPS: 320 bytes from 192 on are 64 + 256. */
static void completions_end_at_boundaries(void **state)
{
    (void)state;
    struct link_lab l = open_link(lab_params());
    move(l, false, 192, 320, 0);
    assert_int_equal(l.lab->dmas, 1);
    assert_int_equal(l.link->stats.link_down_bytes, 320 + 2 * 20);
    move(l, false, 192, 321, 0);
    assert_int_equal(l.link->stats.link_down_bytes, 320 + 2 * 20 + 321 + 3 * 20);
    close_link(l);
}

static void nothing_crosses_a_page(void **state)
{
    (void)state;
    struct link_lab l = open_link(lab_params());
    move(l, true, 4096 - 10, 300, 0); /* 10 + 256 + 34 */
    assert_int_equal(l.lab->dmas, 3);
    assert_int_equal(l.lab->dma[0].d.bytes, 10);
    assert_int_equal(l.lab->dma[1].d.bytes, 256);
    assert_int_equal(l.lab->dma[2].d.bytes, 34);
    move(l, false, UINT64_MAX - 9, 20, 0); /* around the end of the address space */
    assert_int_equal(l.lab->dmas, 5);
    assert_int_equal(l.lab->dma[4].d.address, 0);
    move(l, false, 0, 0, 0);
    assert_int_equal(l.lab->dmas, 5);
    close_link(l);
}

static void bytes_reach_memory_and_come_back(void **state)
{
    (void)state;
    struct link_lab l = open_link(lab_params());
    uint8_t out[5000], in[5000];
    for (size_t i = 0; i < sizeof(out); i++) {
        out[i] = (uint8_t)(i * 7 + i / 256);
    }
    struct dev_dma d = {.source = SOURCE, .write = true, .address = 12345, .bytes = sizeof(out), .data = out};
    assert_int_equal(pcie_dma(l.link, &d, 0).status, PCIE_OK);
    d.write = false;
    d.data = in;
    assert_int_equal(pcie_dma(l.link, &d, 0).status, PCIE_OK);
    assert_memory_equal(in, out, sizeof(out));
    close_link(l);
}

/* With two tags the third read begins when the first is done. */
static void reads_wait_for_tags(void **state)
{
    (void)state;
    struct dev_params params = lab_params();
    params.outstanding = 2;
    struct link_lab l = open_link(params);
    hv_cycles first = move(l, false, 0, 64, 0).at;
    assert_int_equal(pcie_tag_free(l.link), 0);
    hv_cycles second = move(l, false, 0, 64, 0).at;
    assert_int_equal(first, 527);
    assert_int_equal(second, 548); /* behind the first one's 21 cycles */
    assert_int_equal(pcie_tag_free(l.link), first);
    assert_int_equal(move(l, false, 0, 64, 100).at, first + 527);
    assert_int_equal(l.link->stats.tag_wait_cycles, first - 100);
    close_link(l);
}

/* A credit is back half a round trip after memory has taken the write. */
static void writes_wait_for_credits(void **state)
{
    (void)state;
    struct dev_params params = lab_params();
    params.posted_credits = 1;
    struct link_lab l = open_link(params);
    l.lab->write_cycles = 5000;
    assert_int_equal(move(l, true, 0, 64, 0).at, 22);
    hv_cycles back = 22 + LAB_HALF + 5000 + LAB_HALF;
    assert_int_equal(pcie_credit_free(l.link), back);
    assert_int_equal(move(l, true, 0, 64, 30).at, back + 22);
    assert_int_equal(l.link->stats.credit_wait_cycles, back - 30);
    close_link(l);
}

/* A read whose answer comes late leaves the link to others that come earlier, though they are asked for later. */
static void order_of_calls_does_not_matter(void **state)
{
    (void)state;
    struct link_lab l = open_link(lab_params());
    l.lab->read_cycles = 100000;
    assert_int_equal(move(l, false, 0, 64, 0).at, 100427);
    l.lab->read_cycles = LAB_MEMORY;
    assert_int_equal(move(l, false, 0, 64, 10).at, 537);
    assert_int_equal(pcie_register_write(l.link, 4, 5), 5 + 7 + LAB_HALF);
    close_link(l);
}

static void an_interrupt_passes_no_write(void **state)
{
    (void)state;
    struct link_lab l = open_link(lab_params());
    l.lab->write_cycles = 7000;
    move(l, true, 0, 64, 0);
    /* Its own packet of 28 bytes would be there at 22 + 7 + 200; the write is in memory at 22 + 200 + 7000. */
    assert_int_equal(pcie_interrupt(l.link, SOURCE, (uint32_t)MSI_ADDRESS, 0x41, 3), 22 + LAB_HALF + 7000);
    assert_int_equal(l.lab->interrupts, 1);
    assert_int_equal(l.lab->interrupt[0].at, 22 + LAB_HALF + 7000);
    assert_int_equal(l.lab->interrupt[0].source, SOURCE);
    assert_int_equal(l.lab->interrupt[0].data, 0x41);
    assert_int_equal(pcie_interrupt(l.link, SOURCE, 0, 0, 20000), 20000 + 7 + LAB_HALF);
    close_link(l);
}

static void a_blocked_read_is_a_short_completion(void **state)
{
    (void)state;
    struct link_lab l = open_link(lab_params());
    l.lab->blocked_from = 4096;
    l.lab->blocked_to = 8192;
    l.lab->blocked_reads = l.lab->blocked_writes = true;
    struct pcie_done done = move(l, false, 4096, 512, 0);
    assert_int_equal(done.status, PCIE_BLOCKED);
    assert_int_equal(done.at, 6 + LAB_HALF + LAB_MEMORY + 5 + LAB_HALF);
    assert_int_equal(move(l, true, 4000, 4096, 10000).status, PCIE_BLOCKED);
    assert_int_equal(l.link->stats.dma_failed, 2);
    assert_int_equal(move(l, false, 8192, 64, 20000).status, PCIE_OK);
    close_link(l);
}

static void registers_are_reached_by_the_link(void **state)
{
    (void)state;
    struct link_lab l = open_link(lab_params());
    hv_cycles there = pcie_register_read(l.link, 0);
    assert_int_equal(there, 6 + LAB_HALF);
    assert_int_equal(pcie_register_answer(l.link, 4, there), there + 6 + LAB_HALF);
    assert_int_equal(pcie_register_write(l.link, 8, 6), 6 + 8 + LAB_HALF);
    close_link(l);
}

/* 57.88 Gb/s at 4 GHz: n writes of 64 bytes are 22 n double words; (22 n x 32 x 4000) / 57880 cycles, rounded up. */
static void bandwidth_is_exact_at_odd_rates(void **state)
{
    (void)state;
    struct dev_params params = lab_params();
    params.pcie_mbps = 57880;
    struct lab *lab = lab_make();
    struct pcie *link = calloc(1, sizeof(*link));
    struct hv_err err = {0};
    struct dev_port port = lab_port(lab);
    params.posted_credits = 1024;
    assert_true(pcie_init(link, &params, &port, 4000, &err));
    struct dev_dma d = {.source = SOURCE, .write = true, .bytes = 64};
    hv_cycles sent = 0;
    for (uint64_t n = 1; n <= 10000; n++) {
        sent = pcie_dma(link, &d, sent).at;
        assert_int_equal(sent, (22 * n * 32 * 4000 + 57879) / 57880);
    }
    pcie_fini(link);
    free(link);
    lab_free(lab);
}

/* Little's law: reads under way are at most the tags, and requests of many sizes at any time break nothing. */
static void a_mixture_holds_the_laws(void **state)
{
    (void)state;
    struct dev_params params = lab_params();
    params.outstanding = 7;
    struct link_lab l = open_link(params);
    struct hv_rng rng;
    rng_init(&rng, 3);
    hv_cycles now = 0, last = 0;
    for (int i = 0; i < 20000; i++) {
        struct pcie_done done = move(l, rng_below(&rng, 2), rng_next(&rng), (uint32_t)rng_below(&rng, 3000), now);
        assert_true(done.at >= now);
        last = done.at > last ? done.at : last;
        now += rng_below(&rng, 500);
    }
    assert_true(l.link->stats.dma_read_cycles <= 7 * last);
    assert_true(l.link->stats.link_up_bytes <= 4 * last);
    assert_true(l.link->stats.link_down_bytes <= 4 * last);
    close_link(l);
}

static void impossible_links_are_refused(void **state)
{
    (void)state;
    struct dev_params params = lab_params();
    struct hv_err err = {0};
    params.pcie_payload_bytes = 100;
    assert_false(dev_params_check(&params, &err));
    assert_non_null(strstr(err.text, "io.pcie_payload_bytes is 100"));
    params = lab_params();
    params.pcie_read_bytes = 96;
    err.text[0] = '\0';
    assert_false(dev_params_check(&params, &err));
    params = lab_params();
    params.pri = true;
    err.text[0] = '\0';
    assert_false(dev_params_check(&params, &err));
    assert_non_null(strstr(err.text, "io.ats"));
}

GTEST_MAIN("Pcie", cmocka_unit_test(a_read_takes_both_ways), cmocka_unit_test(a_write_is_over_when_it_is_sent),
           cmocka_unit_test(a_long_read_is_cut), cmocka_unit_test(completions_end_at_boundaries),
           cmocka_unit_test(nothing_crosses_a_page), cmocka_unit_test(bytes_reach_memory_and_come_back),
           cmocka_unit_test(reads_wait_for_tags), cmocka_unit_test(writes_wait_for_credits),
           cmocka_unit_test(order_of_calls_does_not_matter), cmocka_unit_test(an_interrupt_passes_no_write),
           cmocka_unit_test(a_blocked_read_is_a_short_completion), cmocka_unit_test(registers_are_reached_by_the_link),
           cmocka_unit_test(bandwidth_is_exact_at_odd_rates), cmocka_unit_test(a_mixture_holds_the_laws),
           cmocka_unit_test(impossible_links_are_refused))
