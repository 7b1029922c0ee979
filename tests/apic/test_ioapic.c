/* SPDX-License-Identifier: MIT */
/* The I/O APIC: its registers, edges and levels, and the way of a level-triggered interrupt and back. */
#include "lab.h"

#include "base/rng.h"

enum { IOAPIC_CYCLES = 300, EOI_CYCLES = 400, MASKED = 1 << 16, LEVEL = 1 << 15, REMOTE_IRR = 1 << 14, LOW = 1 << 13 };

static uint32_t read_index(struct ioapic *io, uint32_t index, hv_cycles now)
{
    ioapic_write(io, IOAPIC_SELECT, 4, index, now);
    return ioapic_read(io, IOAPIC_WINDOW, 4, now);
}

static void write_index(struct ioapic *io, uint32_t index, uint32_t value, hv_cycles now)
{
    ioapic_write(io, IOAPIC_SELECT, 4, index, now);
    ioapic_write(io, IOAPIC_WINDOW, 4, value, now);
}

/* 82093AA chapter 3: bits 12 and 14 of an entry are read-only. */
static void registers_read_and_write(void **state)
{
    struct lab *lab = *state;
    struct ioapic *io = &lab->ioapic;
    for (uint32_t index = 0; index < 256; index++) {
        uint32_t reset = 0, ones = 0;
        if (index == 0) {
            ones = 0x0f000000;
        } else if (index == 1) {
            reset = ones = 0x00170020;
        } else if (index == 2) {
            reset = 0x0f000000; /* the arbitration ID follows the ID, written before */
            ones = 0x0f000000;
        } else if (index >= 0x10 && index < 0x40) {
            reset = index % 2 == 0 ? MASKED : 0;
            ones = index % 2 == 0 ? 0x1afff : 0xffff0000;
        }
        assert_int_equal(read_index(io, index, 0), reset);
        write_index(io, index, UINT32_MAX, 0);
        assert_int_equal(read_index(io, index, 0), ones);
    }
    assert_int_equal(ioapic_read(io, IOAPIC_SELECT, 4, 0), 255);
    assert_int_equal(ioapic_read(io, 0x20, 4, 0), 0);
    assert_int_equal(ioapic_read(io, IOAPIC_SELECT, 1, 0), 0);
    ioapic_write(io, IOAPIC_SELECT, 1, 1, 0);
    assert_int_equal(ioapic_read(io, IOAPIC_SELECT, 4, 0), 255);
}

static void an_edge_sends_once(void **state)
{
    (void)state;
    struct lab *lab = lab_make(2);
    struct ioapic *io = &lab->ioapic;
    struct apic *a = &lab->apics[1];
    write_index(io, 0x10 + 2 * 5 + 1, 1u << 24, 0);
    ioapic_set_pin(io, 5, true, 10); /* masked: lost */
    write_index(io, 0x10 + 2 * 5, 0x44, 20);
    apic_bus_advance(&lab->bus, 10000);
    assert_int_equal(vector_set_highest(&a->irr), -1);
    ioapic_set_pin(io, 5, false, 10000);
    ioapic_set_pin(io, 5, true, 10000);
    ioapic_set_pin(io, 5, true, 10001);
    assert_int_equal(read_index(io, 0x1a, 10000 + IOAPIC_CYCLES - 1), 0x44 | APIC_PENDING);
    assert_int_equal(read_index(io, 0x1a, 10000 + IOAPIC_CYCLES), 0x44);
    apic_bus_advance(&lab->bus, 10000 + IOAPIC_CYCLES - 1);
    assert_false(apic_interrupt_pending(a));
    apic_bus_advance(&lab->bus, 10000 + IOAPIC_CYCLES);
    assert_true(apic_interrupt_pending(a));
    assert_int_equal(a->stats.accepted + a->stats.merged, 1);
    assert_false(vector_set_has(&a->tmr, 0x44));
    lab_free(lab);
}

/* The level of a pin: sent, taken, EOI broadcast back, sent again while it is still active. */
static void a_level_comes_back_after_the_eoi(void **state)
{
    (void)state;
    for (unsigned active_low = 0; active_low < 2; active_low++) {
        struct lab *lab = lab_make(1);
        struct ioapic *io = &lab->ioapic;
        struct apic *a = &lab->apics[0];
        ioapic_set_pin(io, 3, active_low != 0, 0);
        uint32_t entry = 0x52 | LEVEL | (active_low != 0 ? LOW : 0);
        write_index(io, 0x16, entry, 0);
        assert_int_equal(apic_bus_next(&lab->bus), UINT64_MAX);
        ioapic_set_pin(io, 3, active_low == 0, 1000);
        assert_int_equal(read_index(io, 0x16, 5000), entry | REMOTE_IRR);
        apic_bus_advance(&lab->bus, 1000 + IOAPIC_CYCLES);
        assert_int_equal(apic_acknowledge(a, 1300).vector, 0x52);
        assert_int_equal(lab_read(a, APIC_TMR + 0x20, 1300), 1 << (0x52 - 0x40));
        apic_eoi(a, 2000);
        assert_int_equal(apic_bus_next(&lab->bus), 2000 + EOI_CYCLES);
        apic_bus_advance(&lab->bus, 2000 + EOI_CYCLES);
        assert_int_equal(apic_bus_next(&lab->bus), 2000 + EOI_CYCLES + IOAPIC_CYCLES);
        apic_bus_advance(&lab->bus, 3000);
        assert_int_equal(apic_acknowledge(a, 3000).vector, 0x52);
        ioapic_set_pin(io, 3, active_low != 0, 3001);
        apic_eoi(a, 3002);
        apic_bus_advance(&lab->bus, 10000);
        assert_int_equal(read_index(io, 0x16, 10000), entry);
        assert_false(apic_interrupt_pending(a));
        assert_int_equal(a->stats.eoi_broadcasts, 2);
        assert_int_equal(lab->bus.stats.eoi_messages, 2);
        assert_int_equal(lab->bus.stats.ioapic_messages, 2);
        lab_free(lab);
    }
}

/* SDM 11.8.5: with suppression, the I/O APIC hears of the EOI from software alone. */
static void a_suppressed_eoi_needs_a_directed_one(void **state)
{
    struct lab *lab = *state;
    struct ioapic *io = &lab->ioapic;
    struct apic *a = &lab->apics[0];
    lab_write(a, APIC_SVR, LAB_SVR_ENABLED | APIC_SVR_NO_EOI_BROADCAST, 0);
    write_index(io, 0x10, 0x52 | LEVEL, 0);
    ioapic_set_pin(io, 0, true, 0);
    apic_bus_advance(&lab->bus, IOAPIC_CYCLES);
    apic_acknowledge(a, 400);
    apic_eoi(a, 500);
    assert_int_equal(apic_bus_next(&lab->bus), UINT64_MAX);
    assert_int_equal(a->stats.eois, 1);
    assert_int_equal(a->stats.eoi_broadcasts, 0);
    ioapic_write(io, IOAPIC_EOI, 4, 0x53, 600); /* of another vector */
    assert_int_equal(apic_bus_next(&lab->bus), UINT64_MAX);
    ioapic_write(io, IOAPIC_EOI, 4, 0x52, 700);
    assert_int_equal(apic_bus_next(&lab->bus), 700 + IOAPIC_CYCLES);
}

static void an_edge_needs_no_eoi_broadcast(void **state)
{
    struct lab *lab = *state;
    lab_interrupt(&lab->apics[0], 0x52, 0);
    apic_acknowledge(&lab->apics[0], 0);
    apic_eoi(&lab->apics[0], 0);
    assert_int_equal(apic_bus_next(&lab->bus), UINT64_MAX);
}

/* An entry whose vector software changes while remote IRR is set is freed by becoming edge-triggered for a moment. */
static void becoming_edge_triggered_clears_remote_irr(void **state)
{
    struct lab *lab = *state;
    struct ioapic *io = &lab->ioapic;
    write_index(io, 0x10, 0x52 | LEVEL, 0);
    ioapic_set_pin(io, 0, true, 0);
    ioapic_set_pin(io, 0, false, 1);
    write_index(io, 0x10, 0x53 | LEVEL | MASKED, 2);
    assert_int_equal(read_index(io, 0x10, 5000), 0x53 | LEVEL | MASKED | REMOTE_IRR);
    write_index(io, 0x10, 0x53 | MASKED, 3);
    write_index(io, 0x10, 0x53 | LEVEL, 4);
    assert_int_equal(read_index(io, 0x10, 5000), 0x53 | LEVEL);
}

/* VT-d 5.1.5.1: bits 63:49 of an entry are handle bits 14:0, bit 48 the format, bit 11 handle bit 15. */
struct captured { struct msi msi; };

static bool capture(void *ctx, const struct msi *msi, struct interrupt_message *message, hv_cycles now,
                    hv_cycles *latency)
{
    (void)message; (void)now; (void)latency;
    ((struct captured *)ctx)->msi = *msi;
    return false;
}

static void entries_in_remappable_format_carry_a_handle(void **state)
{
    struct lab *lab = *state;
    struct ioapic *io = &lab->ioapic;
    struct captured captured = {{0}};
    apic_bus_set_remapping(&lab->bus, &(struct interrupt_remapping){capture, &captured});
    static const uint32_t handles[] = {0, 1, 0x1234, 0x7fff, 0x8000, 0xffff};
    for (size_t i = 0; i < HV_ARRAY_LEN(handles); i++) {
        write_index(io, 0x11, (handles[i] & 0x7fff) << 17 | 1u << 16, 0);
        write_index(io, 0x10, 0x66 | (handles[i] >> 15) << 11, 0);
        ioapic_set_pin(io, 0, true, 0);
        ioapic_set_pin(io, 0, false, 0);
        assert_true(msi_is_remappable(&captured.msi));
        uint32_t address = (uint32_t)captured.msi.address;
        assert_int_equal((address >> 5 & 0x7fff) | (address >> 2 & 1) << 15, handles[i]);
        assert_int_equal(address >> 20, 0xfee);
        assert_int_equal(captured.msi.data & 0xff, 0x66);
        assert_int_equal(captured.msi.source, 0xf0f8);
    }
}

/* One pin driven and programmed at random: how many messages it sends, against the rules once more. */
static void random_pins_match_the_predictor(void **state)
{
    (void)state;
    struct hv_rng rng;
    rng_init(&rng, 17);
    for (unsigned run = 0; run < 50; run++) {
        struct lab *lab = lab_make(1);
        struct ioapic *io = &lab->ioapic;
        bool high = false, masked = true, level = false, low = false, remote = false;
        uint64_t sent = 0;
        for (unsigned i = 0; i < 500; i++) {
            bool was_active = high != low;
            switch (rng_below(&rng, 3)) {
            case 0:
                high = rng_below(&rng, 2) != 0;
                ioapic_set_pin(io, 7, high, i);
                sent += !level && !masked && !was_active && high != low;
                break;
            case 1:
                masked = rng_below(&rng, 3) == 0;
                level = rng_below(&rng, 2) == 0;
                low = rng_below(&rng, 4) == 0;
                write_index(io, 0x1e, 0x31u | (masked ? MASKED : 0u) | (level ? LEVEL : 0u) | (low ? LOW : 0u), i);
                remote = remote && level;
                break;
            default:
                ioapic_eoi(io, 0x31, i);
                remote = false;
                break;
            }
            if (level && !masked && high != low && !remote) {
                sent++;
                remote = true;
            }
            assert_int_equal(lab->bus.stats.ioapic_messages, sent);
            assert_int_equal((read_index(io, 0x1e, 1000000) & REMOTE_IRR) != 0, remote);
        }
        lab_free(lab);
    }
}

GTEST_MAIN("IoApic", LAB_TEST(registers_read_and_write), cmocka_unit_test(an_edge_sends_once),
           cmocka_unit_test(a_level_comes_back_after_the_eoi), LAB_TEST(a_suppressed_eoi_needs_a_directed_one),
           LAB_TEST(an_edge_needs_no_eoi_broadcast),
           LAB_TEST(becoming_edge_triggered_clears_remote_irr),
           LAB_TEST(entries_in_remappable_format_carry_a_handle),
           cmocka_unit_test(random_pins_match_the_predictor))
