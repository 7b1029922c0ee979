/* SPDX-License-Identifier: MIT */
/*
 * Interrupts of devices: the bytes of the remapping table (VT-d chapter 9, "Interrupt Remapping Table Entry", with the
 * numbers spelled out), what the IOMMU makes of a request, moving to another processor, and who may not send.
 */
#include "dma_rig.h"

#include "gtest.h"

#include <string.h>

#include "apic/posted.h"

enum {
    INVALIDATION = DMA_RIG_SUBMIT + DMA_RIG_HARDWARE + DMA_RIG_WAIT,
    VECTOR = 0x51, NOTIFICATION = 0xf2,
};

#define DESCRIPTOR (HV_GIB(9) + 0x1340) /* beyond 4 GiB, so that its address has two halves */

struct setup {
    struct dma_rig r;
    struct irq_map irq;
    hv_cycles now;
};

static void begin(struct setup *s, unsigned entries_log2, bool extended, enum dma_mode mode)
{
    struct hv_err err = {""};
    memset(s, 0, sizeof(*s));
    dma_rig_init(&s->r);
    dma_rig_start(&s->r, mode);
    if (!irq_map_init(&s->irq, &s->r.unit, entries_log2, extended, &err)) {
        fail_msg("%s", err.text);
    }
    s->now = irq_map_start(&s->irq, s->r.now);
    memset(&s->r.unit.stats, 0, sizeof(s->r.unit.stats));
}

static void end(struct setup *s)
{
    irq_map_fini(&s->irq);
    dma_rig_fini(&s->r);
}

static struct irq_message add(struct setup *s, const struct irq_route *route)
{
    struct irq_message message = irq_map_add(&s->irq, route, s->now);
    assert_true(message.ok);
    s->now = message.done;
    return message;
}

static struct iommu_interrupt send(struct setup *s, uint16_t source, const struct irq_message *message)
{
    return iommu_interrupt(s->r.iommu, source, message->address, message->data, s->now);
}

static uint64_t entry_word(const struct setup *s, uint32_t index, unsigned word)
{
    return dma_rig_word(&s->r, s->irq.table + index * 16 + 8 * word);
}

/* --- bytes ------------------------------------------------------------------------------------------------------- */

/* P 0, vector 23:16, destination 63:32 (x2APIC) or 47:40; high: source 15:0, validation type 01 at 19:18. */
static void remapped_entries(void **state)
{
    (void)state;
    for (unsigned extended = 0; extended < 2; extended++) {
        struct setup s;
        begin(&s, 8, extended != 0, DMA_SECOND);
        struct irq_route route = {.source = DMA_RIG_SOURCE, .vector = VECTOR, .destination = 9};
        struct irq_message m = add(&s, &route);
        uint64_t destination = extended != 0 ? UINT64_C(9) << 32 : UINT64_C(9) << 40;
        assert_int_equal(entry_word(&s, m.index, 0), destination | VECTOR << 16 | 1);
        assert_int_equal(entry_word(&s, m.index, 1), 1 << 18 | DMA_RIG_SOURCE);
        end(&s);
    }
}

/* IM 15, URG 14, descriptor 31:6 at 63:38 and 63:32 at 127:96. */
static void posted_entries(void **state)
{
    (void)state;
    struct setup s;
    begin(&s, 8, true, DMA_SECOND);
    struct irq_route route = {.source = DMA_RIG_SOURCE, .vector = VECTOR, .posted = true, .descriptor = DESCRIPTOR};
    for (unsigned urgent = 0; urgent < 2; urgent++) {
        route.urgent = urgent != 0;
        struct irq_message m = add(&s, &route);
        uint64_t low = (DESCRIPTOR & UINT64_C(0xffffffff)) << 32;
        assert_int_equal(entry_word(&s, m.index, 0), low | VECTOR << 16 | 1 << 15 | urgent << 14 | 1);
        assert_int_equal(entry_word(&s, m.index, 1), (DESCRIPTOR >> 32) << 32 | 1 << 18 | DMA_RIG_SOURCE);
    }
    end(&s);
}

/* FEEH, index 14:0 at 19:5, format bit 4, index 15 at bit 2; no subhandle, so no data. */
static void messages_name_their_entry(void **state)
{
    (void)state;
    struct setup s;
    begin(&s, 16, true, DMA_LEGACY);
    for (uint32_t i = 0; i < 65536; i++) {
        struct irq_message m = irq_map_add(&s.irq, &(struct irq_route){.source = DMA_RIG_SOURCE, .vector = VECTOR}, 0);
        assert_true(m.ok);
        assert_int_equal(m.index, i);
        if (i == 1 || i == 32767 || i == 32768 || i == 65535) {
            assert_int_equal(m.address, 0xfee00010 | (i & 0x7fff) << 5 | (i >> 15) << 2);
            assert_int_equal(m.data, 0);
            assert_true(send(&s, DMA_RIG_SOURCE, &m).ok);
        }
    }
    assert_false(irq_map_add(&s.irq, &(struct irq_route){.source = DMA_RIG_SOURCE}, 0).ok);
    irq_map_remove(&s.irq, 40000, 0);
    assert_int_equal(irq_map_add(&s.irq, &(struct irq_route){.source = DMA_RIG_SOURCE}, 0).index, 40000);
    end(&s);
}

/* PIR 255:0, ON 256, SN 257, NV 279:272, NDST 319:288 (an xAPIC id in bits 15:8 of it). */
static void descriptors(void **state)
{
    (void)state;
    for (unsigned extended = 0; extended < 2; extended++) {
        struct setup s;
        begin(&s, 8, extended != 0, DMA_SECOND);
        physmem_write64(&s.r.memory, (hv_hpa){DESCRIPTOR + 8}, UINT64_MAX);
        irq_descriptor_init(&s.irq, DESCRIPTOR, NOTIFICATION, 6);
        uint64_t shift = extended != 0 ? 32 : 40;
        for (unsigned word = 0; word < 8; word++) {
            uint64_t expected = word == 4 ? UINT64_C(6) << shift | NOTIFICATION << 16 : 0;
            assert_int_equal(dma_rig_word(&s.r, DESCRIPTOR + 8 * word), expected);
        }
        assert_int_equal(irq_descriptor_move(&s.irq, DESCRIPTOR, 11, 100), 100 + DMA_RIG_INTERRUPT);
        assert_int_equal(dma_rig_word(&s.r, DESCRIPTOR + 32), UINT64_C(11) << shift | NOTIFICATION << 16);
        irq_descriptor_suppress(&s.irq, DESCRIPTOR, true, 0);
        assert_int_equal(dma_rig_word(&s.r, DESCRIPTOR + 32), UINT64_C(11) << shift | NOTIFICATION << 16 | 2);
        irq_descriptor_suppress(&s.irq, DESCRIPTOR, false, 0);
        assert_int_equal(dma_rig_word(&s.r, DESCRIPTOR + 32), UINT64_C(11) << shift | NOTIFICATION << 16);
        end(&s);
    }
}

/* --- through the IOMMU ------------------------------------------------------------------------------------------- */

static void a_remapped_interrupt_follows_its_entry(void **state)
{
    (void)state;
    for (unsigned extended = 0; extended < 2; extended++) {
        struct setup s;
        begin(&s, 8, extended != 0, DMA_LEGACY);
        hv_cycles start = s.now;
        struct irq_route route = {.source = DMA_RIG_SOURCE, .vector = VECTOR, .destination = 3};
        struct irq_message m = add(&s, &route);
        assert_int_equal(s.now - start, DMA_RIG_INTERRUPT);
        struct iommu_interrupt i = send(&s, DMA_RIG_SOURCE, &m);
        assert_true(i.ok && !i.posted);
        assert_int_equal(i.vector, VECTOR);
        assert_int_equal(i.destination, 3);
        assert_int_equal(i.delivery_mode + i.trigger + i.destination_mode + i.redirection_hint, 0);
        /* It is cached by now, and moves all the same. */
        start = s.now;
        s.now = irq_map_move(&s.irq, m.index, 200, s.now);
        assert_int_equal(s.now - start, DMA_RIG_INTERRUPT + INVALIDATION);
        i = send(&s, DMA_RIG_SOURCE, &m);
        assert_int_equal(i.vector, VECTOR);
        assert_int_equal(i.destination, 200);
        route.vector = 0x77;
        route.destination = 1;
        s.now = irq_map_change(&s.irq, m.index, &route, s.now);
        i = send(&s, DMA_RIG_SOURCE, &m);
        assert_int_equal(i.vector, 0x77);
        assert_int_equal(i.destination, 1);
        irq_map_remove(&s.irq, m.index, s.now);
        assert_false(send(&s, DMA_RIG_SOURCE, &m).ok);
        assert_int_equal(s.r.unit.stats.interrupt_moves, 1);
        assert_int_equal(s.r.unit.stats.interrupt_entries, 3);
        end(&s);
    }
}

/* A descriptor is read anew each time: the virtual processor moves without any invalidation. */
static void a_posted_interrupt_follows_its_descriptor(void **state)
{
    (void)state;
    struct setup s;
    begin(&s, 8, true, DMA_SECOND);
    irq_descriptor_init(&s.irq, DESCRIPTOR, NOTIFICATION, 6);
    struct irq_route route = {.source = DMA_RIG_SOURCE, .vector = VECTOR, .posted = true, .descriptor = DESCRIPTOR};
    struct irq_message m = add(&s, &route);
    struct iommu_interrupt i = send(&s, DMA_RIG_SOURCE, &m);
    assert_true(i.ok && i.posted && i.notify);
    assert_int_equal(i.vector, NOTIFICATION);
    assert_int_equal(i.destination, 6);
    struct vector_set taken = posted_take(&s.r.memory, (hv_hpa){DESCRIPTOR});
    assert_int_equal(taken.bits[VECTOR / 64], UINT64_C(1) << (VECTOR % 64));
    irq_descriptor_move(&s.irq, DESCRIPTOR, 7, s.now);
    i = send(&s, DMA_RIG_SOURCE, &m);
    assert_true(i.notify);
    assert_int_equal(i.destination, 7);
    assert_int_equal(s.r.unit.stats.invalidations, 0);
    /* While the virtual processor does not run, only what is urgent notifies. */
    posted_take(&s.r.memory, (hv_hpa){DESCRIPTOR});
    irq_descriptor_suppress(&s.irq, DESCRIPTOR, true, s.now);
    i = send(&s, DMA_RIG_SOURCE, &m);
    assert_true(i.ok && !i.notify);
    route.urgent = true;
    s.now = irq_map_change(&s.irq, m.index, &route, s.now);
    assert_true(send(&s, DMA_RIG_SOURCE, &m).notify);
    end(&s);
}

/* VT-d, "Interrupt Remapping Fault Conditions". */
enum { BEYOND_TABLE = 0x21, ABSENT = 0x22, COMPATIBILITY = 0x25, FOREIGN_SOURCE = 0x26 };

static void check_blocked(struct iommu_interrupt i, uint8_t fault)
{
    assert_false(i.ok || i.notify);
    assert_int_equal(i.fault, fault);
}

/* Another guest's function sends the message that was given to this one; nothing arrives. */
static void forged_interrupts_are_blocked(void **state)
{
    (void)state;
    struct setup s;
    begin(&s, 8, true, DMA_SECOND);
    irq_descriptor_init(&s.irq, DESCRIPTOR, NOTIFICATION, 6);
    struct irq_message m = add(&s, &(struct irq_route){.source = DMA_RIG_SOURCE, .vector = VECTOR, .destination = 3});
    struct irq_message p = add(&s, &(struct irq_route){.source = DMA_RIG_SOURCE, .vector = VECTOR, .posted = true,
                                                       .descriptor = DESCRIPTOR});
    for (unsigned warm = 0; warm < 2; warm++) {
        for (unsigned bit = 0; bit < 16; bit++) {
            uint16_t forger = (uint16_t)(DMA_RIG_SOURCE ^ 1u << bit);
            check_blocked(send(&s, forger, &m), FOREIGN_SOURCE);
            check_blocked(send(&s, forger, &p), FOREIGN_SOURCE);
        }
        assert_int_equal(dma_rig_word(&s.r, DESCRIPTOR + VECTOR / 64 * 8), 0);
        assert_true(send(&s, DMA_RIG_SOURCE, &m).ok);
    }
    assert_true(send(&s, DMA_RIG_SOURCE, &p).ok);
    /* Neither does the compatibility format, an entry that is free, or one behind the table. */
    check_blocked(iommu_interrupt(s.r.iommu, DMA_RIG_SOURCE, 0xfee03000, VECTOR, s.now), COMPATIBILITY);
    check_blocked(iommu_interrupt(s.r.iommu, DMA_RIG_SOURCE, 0xfee00010 | 77 << 5, 0, s.now), ABSENT);
    check_blocked(iommu_interrupt(s.r.iommu, DMA_RIG_SOURCE, 0xfee00010 | 256 << 5, 0, s.now), BEYOND_TABLE);
    end(&s);
}

static void hardware_without_remapping(void **state)
{
    (void)state;
    for (unsigned lacks = 0; lacks < 2; lacks++) {
        struct dma_rig r;
        struct irq_map irq;
        struct hv_err err = {""};
        dma_rig_init(&r);
        r.hardware.interrupt_remapping = lacks != 0;
        r.hardware.x2apic = false;
        r.hardware.posting = false;
        dma_rig_start(&r, DMA_SECOND);
        assert_false(irq_map_init(&irq, &r.unit, 8, true, &err));
        assert_non_null(strstr(err.text, lacks == 0 ? "iommu.interrupt_remapping" : "iommu.x2apic"));
        dma_rig_fini(&r);
    }
}

GTEST_MAIN("IrqMap", cmocka_unit_test(remapped_entries), cmocka_unit_test(posted_entries),
           cmocka_unit_test(messages_name_their_entry), cmocka_unit_test(descriptors),
           cmocka_unit_test(a_remapped_interrupt_follows_its_entry),
           cmocka_unit_test(a_posted_interrupt_follows_its_descriptor),
           cmocka_unit_test(forged_interrupts_are_blocked), cmocka_unit_test(hardware_without_remapping))
