/* SPDX-License-Identifier: MIT */
/* Interrupts of the network card: moderation, enable bits, MSI-X masks and pending bits. */
#include "nic_lab.h"

enum { START = 10000, WIRE = 1024, WRITTEN = 284 };

/* Packets that follow each other without a gap are done 1024 cycles apart. */
static struct nic_lab receive(uint64_t packets, uint64_t moderation_ns, uint64_t moderation_packets)
{
    struct nic_lab l = nic_lab_make(nic_lab_params());
    nic_lab_enable(l, 0, 0, 0);
    nic_lab_queue_set(l, 0, 0, NIC_REG_MODERATION_NS, moderation_ns, 0);
    nic_lab_queue_set(l, 0, 0, NIC_REG_MODERATION_PACKETS, moderation_packets, 0);
    nic_lab_open_rx(l, 0, 0, 4096, 0);
    nic_receive(l.nic, 0, packets, START);
    nic_lab_run(l, DEV_NEVER);
    assert_int_equal(nic_counts_of(l.nic, 0).received, packets);
    assert_int_equal(nic_counts_of(l.nic, 0).interrupts, l.lab->interrupts);
    assert_int_equal(l.nic->link.stats.interrupts, l.lab->interrupts);
    return l;
}

static void without_moderation_each_packet_interrupts(void **state)
{
    (void)state;
    struct nic_lab l = receive(1000, 0, 0);
    assert_int_equal(l.lab->interrupts, 1000);
    nic_lab_free(l);
}

/*
 * The timer starts with the first packet and gathers those of 4500 cycles: 1 + 4. It ends while no packet is
 * being written, so the MSI is alone on the link: 7 double words.
 */
static void moderation_by_time(void **state)
{
    (void)state;
    struct nic_lab l = receive(1000, 4500, 0);
    assert_int_equal(l.lab->interrupts, 200);
    hv_cycles first = START + WIRE + WRITTEN;
    for (unsigned i = 0; i < 200; i++) {
        assert_int_equal(l.lab->interrupt[i].at, first + i * 5 * WIRE + 4500 + 7 + LAB_HALF);
    }
    nic_lab_free(l);
}

/* The time of four packets exactly: the one that is done in that cycle is still in. */
static void a_packet_at_the_timers_end_counts(void **state)
{
    (void)state;
    struct nic_lab l = receive(1000, 4 * WIRE, 0);
    assert_int_equal(l.lab->interrupts, 200);
    nic_lab_free(l);
    l = receive(1000, 4 * WIRE - 1, 0);
    assert_int_equal(l.lab->interrupts, 250);
    nic_lab_free(l);
}

/* Three packets, or 5000 cycles for the one that is left. */
static void moderation_by_packets(void **state)
{
    (void)state;
    struct nic_lab l = receive(1000, 5000, 3);
    assert_int_equal(l.lab->interrupts, 334);
    hv_cycles last = START + 1000 * WIRE + WRITTEN;
    assert_int_equal(l.lab->interrupt[333].at, last + 5000 + 7 + LAB_HALF);
    nic_lab_free(l);
}

static uint64_t pending(struct nic_lab l, hv_cycles now)
{
    return nic_read(l.nic, 0, NIC_MSIX_PENDING, 8, now);
}

static void a_masked_vector_is_pending(void **state)
{
    (void)state;
    struct nic_lab l = nic_lab_receiving(nic_lab_params(), 64);
    nic_lab_set(l, 0, NIC_MSIX_TABLE + 12, 1, 0);
    nic_receive(l.nic, 0, 10, START);
    nic_lab_run(l, DEV_NEVER);
    assert_int_equal(l.lab->interrupts, 0);
    assert_int_equal(l.nic->link.stats.interrupts_masked, 1); /* further ones are the same pending bit */
    assert_int_equal(pending(l, 50000), 1);
    nic_lab_set(l, 0, NIC_MSIX_TABLE + 12, 0, 60000);
    assert_int_equal(l.lab->interrupts, 1);
    assert_int_equal(l.lab->interrupt[0].at, 60000 + 7 + LAB_HALF);
    assert_int_equal(pending(l, 60000), 0);
    assert_int_equal(nic_counts_of(l.nic, 0).interrupts, 1);
    nic_lab_set(l, 0, NIC_MSIX_TABLE + 12, 0, 70000);
    assert_int_equal(l.lab->interrupts, 1);
    nic_lab_free(l);
}

static void a_masked_function_is_too(void **state)
{
    (void)state;
    struct nic_lab l = nic_lab_receiving(nic_lab_params(), 64);
    nic_lab_set(l, 0, NIC_REG_MSIX_CONTROL, MSIX_CONTROL_ENABLE | MSIX_CONTROL_MASK, 0);
    nic_receive(l.nic, 0, 1, START);
    nic_lab_run(l, DEV_NEVER);
    assert_int_equal(pending(l, 50000), 1);
    nic_lab_set(l, 0, NIC_MSIX_TABLE + 12, 1, 50000);
    nic_lab_set(l, 0, NIC_REG_MSIX_CONTROL, MSIX_CONTROL_ENABLE, 50000);
    assert_int_equal(l.lab->interrupts, 0); /* the vector itself is masked now */
    nic_lab_set(l, 0, NIC_MSIX_TABLE + 12, 0, 50000);
    assert_int_equal(l.lab->interrupts, 1);
    nic_lab_free(l);
}

/* While the enable bit is clear causes gather; setting it starts the timer. */
static void a_disabled_vector_has_a_cause(void **state)
{
    (void)state;
    struct nic_lab l = nic_lab_receiving(nic_lab_params(), 64);
    nic_lab_queue_set(l, 0, 0, NIC_REG_MODERATION_NS, 500, 0);
    nic_lab_set(l, 0, NIC_REG_ENABLE_CLEAR, 1, 0);
    assert_int_equal(nic_lab_get(l, 0, NIC_REG_ENABLE_SET, 0), 0);
    nic_receive(l.nic, 0, 3, START);
    nic_lab_run(l, DEV_NEVER);
    assert_int_equal(l.lab->interrupts, 0);
    assert_int_equal(nic_lab_get(l, 0, NIC_REG_CAUSE, 50000), 1);
    nic_lab_set(l, 0, NIC_REG_ENABLE_SET, 1, 50000);
    assert_int_equal(nic_next(l.nic), 50500);
    nic_act(l.nic, 50499);
    assert_int_equal(l.lab->interrupts, 0);
    nic_act(l.nic, 50500);
    assert_int_equal(l.lab->interrupts, 1);
    assert_int_equal(nic_lab_get(l, 0, NIC_REG_CAUSE, 50500), 0);
    nic_lab_free(l);
}

static void a_cause_is_cleared_by_a_one(void **state)
{
    (void)state;
    struct nic_lab l = nic_lab_receiving(nic_lab_params(), 64);
    nic_lab_set(l, 0, NIC_REG_ENABLE_CLEAR, 1, 0);
    nic_receive(l.nic, 0, 3, START);
    nic_lab_run(l, DEV_NEVER);
    nic_lab_set(l, 0, NIC_REG_CAUSE, 0, 50000);
    assert_int_equal(nic_lab_get(l, 0, NIC_REG_CAUSE, 50000), 1);
    nic_lab_set(l, 0, NIC_REG_CAUSE, 1, 50000);
    assert_int_equal(nic_lab_get(l, 0, NIC_REG_CAUSE, 50000), 0);
    nic_lab_set(l, 0, NIC_REG_ENABLE_SET, 1, 50000);
    assert_int_equal(nic_next(l.nic), DEV_NEVER);
    nic_lab_free(l);
}

/* As a polling driver has it: one interrupt, then none until it has emptied the ring and enables the vector again. */
static void an_interrupt_may_mask_itself(void **state)
{
    (void)state;
    struct nic_lab l = nic_lab_make(nic_lab_params());
    nic_lab_enable(l, 0, NIC_AUTO_MASK, 0);
    nic_lab_open_rx(l, 0, 0, 64, 0);
    nic_receive(l.nic, 0, 20, START);
    nic_lab_run(l, DEV_NEVER);
    assert_int_equal(l.lab->interrupts, 1);
    assert_int_equal(nic_lab_get(l, 0, NIC_REG_ENABLE_SET, 50000), 0);
    nic_lab_set(l, 0, NIC_REG_ENABLE_SET, 1, 50000);
    nic_lab_run(l, DEV_NEVER);
    assert_int_equal(l.lab->interrupts, 2); /* for the other 19 */
    nic_lab_free(l);
}

static void each_queue_has_its_vector(void **state)
{
    (void)state;
    struct dev_params params = nic_lab_params();
    params.queues = 4;
    struct nic_lab l = nic_lab_make(params);
    nic_lab_enable(l, 0, 0, 0);
    for (unsigned q = 0; q < 4; q++) {
        nic_lab_open_rx(l, 0, q, 64, 0);
    }
    nic_lab_queue_set(l, 0, 3, NIC_REG_VECTOR, 1, 0);
    nic_receive(l.nic, 0, 8, START);
    nic_lab_run(l, DEV_NEVER);
    static const unsigned expected[] = {0x40, 0x41, 0x42, 0x41, 0x40, 0x41, 0x42, 0x41};
    for (unsigned i = 0; i < 8; i++) { /* packets are spread over queues in turn */
        assert_int_equal(l.lab->interrupt[i].data, expected[i]);
    }
    nic_lab_free(l);
}

GTEST_MAIN("NicInterrupts", cmocka_unit_test(without_moderation_each_packet_interrupts),
           cmocka_unit_test(moderation_by_time), cmocka_unit_test(a_packet_at_the_timers_end_counts),
           cmocka_unit_test(moderation_by_packets), cmocka_unit_test(a_masked_vector_is_pending),
           cmocka_unit_test(a_masked_function_is_too), cmocka_unit_test(a_disabled_vector_has_a_cause),
           cmocka_unit_test(a_cause_is_cleared_by_a_one), cmocka_unit_test(an_interrupt_may_mask_itself),
           cmocka_unit_test(each_queue_has_its_vector))
