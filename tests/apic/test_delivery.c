/* SPDX-License-Identifier: MIT */
/* Messages on the bus: who their destinations are, when and in which order they arrive, and what the ICR may send. */
#include "lab.h"

#include "apic/msi.h"
#include "base/rng.h"

enum { IPI_CYCLES = 100, MSI_CYCLES = 200 };

/* ---- Destinations ---- */

enum model { FLAT, CLUSTER, X2APIC };

/* Written from SDM 11.6.2 and 11.12.10, bit by bit rather than by masks. */
static bool predict_logical(enum model model, uint32_t logical, uint32_t destination)
{
    if (destination == UINT32_MAX) {
        return true;
    }
    unsigned members = model == FLAT ? 8 : model == CLUSTER ? 4 : 16;
    bool same_cluster = true;
    for (unsigned bit = members; bit < 32; bit++) {
        same_cluster &= model == FLAT || (destination >> bit & 1) == (logical >> bit & 1);
    }
    if (model == CLUSTER && destination == 0xff) {
        return true;
    }
    if (model != X2APIC && destination > 0xff) {
        return false;
    }
    for (unsigned bit = 0; bit < members; bit++) {
        if (same_cluster && (destination >> bit & 1) != 0 && (logical >> bit & 1) != 0) {
            return true;
        }
    }
    return false;
}

static void every_logical_destination_of_8_bits(void **state)
{
    struct lab *lab = *state;
    struct apic *a = &lab->apics[0];
    for (unsigned model = FLAT; model <= CLUSTER; model++) {
        lab_write(a, APIC_DFR, model == FLAT ? 0xf0000000 : 0, 0);
        for (uint32_t logical = 0; logical < 256; logical++) {
            lab_write(a, APIC_LDR, logical << 24, 0);
            for (uint32_t destination = 0; destination < 256; destination++) {
                struct interrupt_message message = {.destination_mode = INTERRUPT_LOGICAL, .destination = destination};
                assert_int_equal(apic_is_destination(a, &message),
                                 predict_logical((enum model)model, logical, destination));
            }
        }
    }
}

static void logical_destinations_of_x2apic(void **state)
{
    (void)state;
    struct hv_rng rng;
    rng_init(&rng, 11);
    for (unsigned i = 0; i < 300; i++) {
        struct lab *lab = lab_make(1);
        uint32_t id = (uint32_t)rng_below(&rng, 64), logical = (id / 16) << 16 | 1u << id % 16;
        lab_x2apic(lab, 0, id);
        for (unsigned j = 0; j < 300; j++) {
            uint32_t destination = (uint32_t)(rng_below(&rng, 5) << 16 | rng_below(&rng, 65536));
            struct interrupt_message message = {.destination_mode = INTERRUPT_LOGICAL, .destination = destination};
            assert_int_equal(apic_is_destination(&lab->apics[0], &message),
                             predict_logical(X2APIC, logical, destination));
        }
        struct interrupt_message everyone = {.destination_mode = INTERRUPT_LOGICAL, .destination = UINT32_MAX};
        assert_true(apic_is_destination(&lab->apics[0], &everyone));
        lab_free(lab);
    }
}

static void physical_destinations(void **state)
{
    (void)state;
    struct lab *lab = lab_make(2);
    lab_write(&lab->apics[0], APIC_ID, 0x7f000000, 0);
    lab_x2apic(lab, 1, 0x12345);
    static const struct { uint32_t destination; bool first, second; } rows[] = {
        {0x7f, true, false}, {0x12345, false, true}, {0x45, false, false}, {0x7f7f, false, false},
        {0, false, false}, {UINT32_MAX, true, true},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct interrupt_message message = {.destination = rows[i].destination};
        assert_int_equal(apic_is_destination(&lab->apics[0], &message), rows[i].first);
        assert_int_equal(apic_is_destination(&lab->apics[1], &message), rows[i].second);
    }
    lab_wrmsr(&lab->apics[0], APIC_BASE_MSR, APIC_BASE_DEFAULT, 0); /* disabled: hears nothing */
    struct interrupt_message everyone = {.destination = UINT32_MAX};
    assert_false(apic_is_destination(&lab->apics[0], &everyone));
    lab_free(lab);
}

/* An xAPIC has a logical ID of 8 bits: no longer destination names it, and of its own FFH not whoever has no ID. */
static void xapic_logical_ids_are_short(void **state)
{
    (void)state;
    struct lab *lab = lab_make(2);
    lab_write(&lab->apics[1], APIC_LDR, 0x41000000, 0);
    struct interrupt_message message = {.destination_mode = INTERRUPT_LOGICAL, .destination = 0x141};
    assert_false(apic_is_destination(&lab->apics[1], &message));
    message.destination = 0x41;
    assert_true(apic_is_destination(&lab->apics[1], &message));
    lab_write(&lab->apics[1], APIC_ICR_HIGH, 0xff000000, 0);
    lab_write(&lab->apics[1], APIC_ICR, 0x4861, 0); /* logical, to all that have an ID: 1 alone */
    apic_bus_advance(&lab->bus, IPI_CYCLES);
    assert_false(apic_interrupt_pending(&lab->apics[0]));
    assert_true(apic_interrupt_pending(&lab->apics[1]));
    lab_free(lab);
}

/* A reserved model in the DFR names nobody. */
static void reserved_models_match_nothing(void **state)
{
    struct lab *lab = *state;
    lab_write(&lab->apics[0], APIC_LDR, 0xff000000, 0);
    for (uint32_t model = 1; model < 15; model++) {
        lab_write(&lab->apics[0], APIC_DFR, model << 28, 0);
        struct interrupt_message message = {.destination_mode = INTERRUPT_LOGICAL, .destination = 0xff};
        assert_false(apic_is_destination(&lab->apics[0], &message));
    }
}

/* ---- The ICR ---- */

enum { NONE, SELF, ALL, OTHERS };

/* SDM table 11-3, for edge triggers; a level trigger is overridden to edge. */
static bool predict_valid(unsigned shorthand, unsigned mode)
{
    static const bool reserved[8] = {[3] = true, [7] = true};
    static const bool valid[4][8] = {
        [NONE] = {true, true, true, false, true, true, true, false},
        [SELF] = {true, false, false, false, false, false, false, false},
        [ALL] = {true, false, false, false, false, false, false, false},
        [OTHERS] = {true, true, true, false, true, true, true, false},
    };
    return !reserved[mode] && valid[shorthand][mode];
}

static size_t deliveries(struct lab *lab, uint32_t n, unsigned mode)
{
    static const enum apic_signal signals[8] = {
        [2] = APIC_SIGNAL_SMI, [4] = APIC_SIGNAL_NMI, [5] = APIC_SIGNAL_INIT, [6] = APIC_SIGNAL_STARTUP,
    };
    if (mode < 2) {
        return vector_set_has(&lab->apics[n].irr, 0x61);
    }
    return lab_signals(lab, n, signals[mode]);
}

/* Processor 1 of 4 sends each mode with each shorthand, level and trigger; without shorthand to processor 2. */
static void shorthands_reach_whom_they_name(void **state)
{
    (void)state;
    for (unsigned row = 0; row < 4 * 8 * 4; row++) {
        unsigned shorthand = row & 3, mode = row >> 2 & 7, level = row >> 5 & 1, assert_level = row >> 6 & 1;
        struct lab *lab = lab_make(4);
        lab_write(&lab->apics[1], APIC_ICR_HIGH, 2u << 24, 0);
        lab_write(&lab->apics[1], APIC_ICR, 0x61 | mode << 8 | assert_level << 14 | level << 15 | shorthand << 18, 0);
        apic_bus_advance(&lab->bus, IPI_CYCLES);
        bool deassert = mode == 5 && level == 1 && assert_level == 0;
        bool sent = predict_valid(shorthand, mode) && !deassert;
        assert_int_equal(lab->apics[1].stats.ipis, sent);
        size_t total = 0;
        for (uint32_t n = 0; n < 4; n++) {
            bool named = shorthand == NONE ? n == 2 : shorthand == SELF ? n == 1 : shorthand == ALL || n != 1;
            size_t got = mode == 3 || mode == 7 ? 0 : deliveries(lab, n, mode);
            total += got;
            if (mode != 1 || shorthand == NONE) {
                assert_int_equal(got, sent && named);
            } else {
                assert_true(named || got == 0);
            }
        }
        assert_true(mode != 1 || total == sent);
        assert_int_equal(vector_set_highest(&lab->apics[2].tmr), -1); /* never level-triggered */
        lab_free(lab);
    }
}

static void illegal_vectors_are_not_sent(void **state)
{
    (void)state;
    for (uint32_t vector = 0; vector < 256; vector++) {
        struct lab *lab = lab_make(2);
        lab_write(&lab->apics[0], APIC_ICR_HIGH, 1u << 24, 0);
        lab_write(&lab->apics[0], APIC_ICR, vector, 0);
        apic_bus_advance(&lab->bus, IPI_CYCLES);
        assert_int_equal(lab->apics[0].errors, vector < 16 ? APIC_ERROR_SENT_VECTOR : 0);
        assert_int_equal(apic_interrupt_pending(&lab->apics[1]), vector >= 16);
        lab_x2apic(lab, 0, 0);
        lab->apics[0].errors = 0;
        lab_wrmsr(&lab->apics[0], 0x83f, vector, IPI_CYCLES);
        assert_int_equal(lab->apics[0].errors, vector < 16 ? APIC_ERROR_SENT_VECTOR : 0);
        assert_int_equal(apic_interrupt_pending(&lab->apics[0]), vector >= 16);
        lab_free(lab);
    }
}

static void init_and_startup_reach_the_core(void **state)
{
    (void)state;
    struct lab *lab = lab_make(2);
    lab_write(&lab->apics[0], APIC_ICR_HIGH, 1u << 24, 0);
    lab_write(&lab->apics[0], APIC_ICR, 0xc500, 0);  /* INIT, assert, level */
    lab_write(&lab->apics[0], APIC_ICR, 0x8500, 0);  /* INIT level de-assert: nothing */
    lab_write(&lab->apics[0], APIC_ICR, 0x4608, 10); /* SIPI to page 8, a vector that no interrupt may have */
    apic_bus_advance(&lab->bus, 1000);
    assert_int_equal(lab->event_count, 2);
    assert_int_equal(lab->events[0].signal, APIC_SIGNAL_INIT);
    assert_int_equal(lab->events[1].signal, APIC_SIGNAL_STARTUP);
    assert_int_equal(lab->events[1].vector, 8);
    assert_int_equal(lab->events[1].processor, 1);
    lab_free(lab);
}

/* The 64-bit ICR of x2APIC mode: one write, 32-bit destinations, broadcast FFFFFFFFH. */
static void x2apic_sends_in_one_write(void **state)
{
    (void)state;
    struct lab *lab = lab_make(3);
    for (uint32_t n = 0; n < 3; n++) {
        lab_x2apic(lab, n, 0x100 + n);
    }
    lab_wrmsr(&lab->apics[0], 0x830, UINT64_C(0x102) << 32 | 0x4061, 0);
    apic_bus_advance(&lab->bus, IPI_CYCLES);
    assert_false(apic_interrupt_pending(&lab->apics[1]));
    assert_true(apic_interrupt_pending(&lab->apics[2]));
    lab_wrmsr(&lab->apics[0], 0x830, UINT64_C(0x100007) << 32 | 0x4862, 200); /* logical, cluster 10H, members 0-2 */
    apic_bus_advance(&lab->bus, 200 + IPI_CYCLES);
    for (uint32_t n = 0; n < 3; n++) {
        assert_true(vector_set_has(&lab->apics[n].irr, 0x62));
    }
    lab_wrmsr(&lab->apics[0], 0x830, UINT64_C(0xffffffff) << 32 | 0x4063, 400);
    apic_bus_advance(&lab->bus, 400 + IPI_CYCLES);
    for (uint32_t n = 0; n < 3; n++) {
        assert_true(vector_set_has(&lab->apics[n].irr, 0x63));
    }
    lab_free(lab);
}

static void a_notification_finds_its_processor(void **state)
{
    (void)state;
    struct lab *lab = lab_make(3);
    apic_send_notification(&lab->apics[0], 0x0200, 0xf2, 0); /* xAPIC: bits 15:8 */
    apic_bus_advance(&lab->bus, IPI_CYCLES);
    assert_true(vector_set_has(&lab->apics[2].irr, 0xf2));
    assert_false(apic_interrupt_pending(&lab->apics[1]));
    lab_x2apic(lab, 0, 0);
    apic_send_notification(&lab->apics[0], 1, 0xf2, 200);
    apic_bus_advance(&lab->bus, 200 + IPI_CYCLES);
    assert_true(vector_set_has(&lab->apics[1].irr, 0xf2));
    lab_free(lab);
}

/* ---- Time and order ---- */

static void a_message_takes_its_latency(void **state)
{
    (void)state;
    struct lab *lab = lab_make(2);
    assert_int_equal(apic_bus_next(&lab->bus), UINT64_MAX);
    lab_write(&lab->apics[0], APIC_ICR_HIGH, 1u << 24, 1000);
    lab_write(&lab->apics[0], APIC_ICR, 0x61, 1000);
    assert_int_equal(apic_bus_next(&lab->bus), 1000 + IPI_CYCLES);
    assert_int_equal(lab_read(&lab->apics[0], APIC_ICR, 1000 + IPI_CYCLES - 1) & APIC_PENDING, APIC_PENDING);
    assert_int_equal(lab_read(&lab->apics[0], APIC_ICR, 1000 + IPI_CYCLES) & APIC_PENDING, 0);
    apic_bus_advance(&lab->bus, 1000 + IPI_CYCLES - 1);
    assert_false(apic_interrupt_pending(&lab->apics[1]));
    apic_bus_advance(&lab->bus, 1000 + IPI_CYCLES);
    assert_true(apic_interrupt_pending(&lab->apics[1]));
    assert_int_equal(lab->events[0].now, 1000 + IPI_CYCLES);
    assert_int_equal(lab->bus.stats.transit_cycles, IPI_CYCLES);
    struct msi msi = {.address = 0xfee01000, .data = 0x4071};
    assert_int_equal(apic_bus_send_msi(&lab->bus, &msi, 2000), 2000 + MSI_CYCLES);
    apic_bus_advance(&lab->bus, 2000 + MSI_CYCLES - 1);
    assert_false(vector_set_has(&lab->apics[1].irr, 0x71));
    apic_bus_advance(&lab->bus, 2000 + MSI_CYCLES);
    assert_true(vector_set_has(&lab->apics[1].irr, 0x71));
    lab_free(lab);
}

/* Random messages arrive sorted by time, and by the order of sending within a time. */
static void messages_arrive_in_order(void **state)
{
    (void)state;
    enum { COUNT = 500 };
    struct hv_rng rng;
    rng_init(&rng, 3);
    struct lab *lab = lab_make(1);
    lab->params.ipi_cycles = 50;
    lab->params.msi_cycles = 0;
    hv_cycles arrivals[COUNT];
    for (unsigned i = 0; i < COUNT; i++) {
        hv_cycles now = rng_below(&rng, 100);
        bool ipi = rng_below(&rng, 2) == 0;
        /* Start-up IPIs, because these tell the core a number: here the order of sending, modulo 256. */
        struct msi msi = {.address = 0xfee00000, .data = 0x600 | (i & 0xff)};
        struct interrupt_message message = {.vector = (uint8_t)i, .mode = INTERRUPT_STARTUP};
        arrivals[i] = ipi ? apic_bus_send_ipi(&lab->bus, &lab->apics[0], &message, APIC_BUS_ALL, now)
                          : apic_bus_send_msi(&lab->bus, &msi, now);
        assert_int_equal(arrivals[i], now + (ipi ? 50 : 0));
    }
    apic_bus_advance(&lab->bus, 1000);
    assert_int_equal(lab->event_count, COUNT);
    size_t place = 0;
    for (hv_cycles t = 0; t <= 150; t++) {
        for (unsigned i = 0; i < COUNT; i++) {
            if (arrivals[i] == t) {
                assert_int_equal(lab->events[place].now, t);
                assert_int_equal(lab->events[place].vector, i & 0xff);
                place++;
            }
        }
    }
    assert_int_equal(lab->bus.stats.arrived, COUNT);
    lab_free(lab);
}

static void too_many_messages_arrive_early_but_all(void **state)
{
    (void)state;
    enum { COUNT = 3 * APIC_BUS_MESSAGES };
    struct lab *lab = lab_make(1);
    for (unsigned i = 0; i < COUNT; i++) {
        struct msi msi = {.address = 0xfee00000, .data = 0x400};
        apic_bus_send_msi(&lab->bus, &msi, i);
    }
    apic_bus_advance(&lab->bus, UINT64_MAX);
    assert_int_equal(lab->event_count, COUNT);
    assert_int_equal(lab->bus.stats.arrived, COUNT);
    assert_int_equal(lab->bus.stats.crowded, COUNT - (APIC_BUS_MESSAGES - 1));
    lab_free(lab);
}

/* SDM 11.6.2.4: the lowest priority wins; of equals, turn by turn. */
static void the_lowest_priority_is_chosen(void **state)
{
    (void)state;
    struct lab *lab = lab_make(4);
    for (uint32_t n = 0; n < 4; n++) {
        lab_write(&lab->apics[n], APIC_LDR, 0x01000000u << n, 0);
        apic_write_cr8(&lab->apics[n], n == 2 ? 1 : 5, 0);
    }
    struct msi msi = {.address = 0xfee0f00c, .data = 0x4161}; /* logical 0FH, redirection hint, lowest priority */
    apic_bus_send_msi(&lab->bus, &msi, 0);
    apic_bus_advance(&lab->bus, 1000);
    for (uint32_t n = 0; n < 4; n++) {
        assert_int_equal(vector_set_has(&lab->apics[n].irr, 0x61), n == 2);
    }
    apic_write_cr8(&lab->apics[2], 5, 1000);
    apic_acknowledge(&lab->apics[2], 1000);
    apic_eoi(&lab->apics[2], 1000);
    static const uint32_t turns[] = {3, 0, 1, 2, 3};
    for (size_t i = 0; i < HV_ARRAY_LEN(turns); i++) {
        struct msi next = {.address = 0xfee0f00c, .data = 0x4131};
        apic_bus_send_msi(&lab->bus, &next, 2000 * i);
        apic_bus_advance(&lab->bus, 2000 * i + MSI_CYCLES);
        assert_true(vector_set_has(&lab->apics[turns[i]].irr, 0x31));
        vector_set_remove(&lab->apics[turns[i]].irr, 0x31);
    }
    lab_write(&lab->apics[0], APIC_SVR, 0xff, 0); /* whoever is disabled does not take part */
    struct msi alone = {.address = 0xfee0100c, .data = 0x4141};
    apic_bus_send_msi(&lab->bus, &alone, 90000);
    apic_bus_advance(&lab->bus, 100000);
    assert_int_equal(lab->bus.stats.unclaimed, 1);
    lab_free(lab);
}

/* ---- MSIs ---- */

static void msis_decode_field_by_field(void **state)
{
    (void)state;
    static const struct {
        uint64_t address;
        uint32_t data;
        bool interrupt;
        struct interrupt_message message;
    } rows[] = {
        {0xfee12000, 0x4055, true, {0x55, INTERRUPT_FIXED, INTERRUPT_EDGE, INTERRUPT_PHYSICAL, 0x12}},
        {0xfee12004, 0x0155, true, {0x55, INTERRUPT_LOWEST_PRIORITY, INTERRUPT_EDGE, INTERRUPT_LOGICAL, 0x12}},
        {0xfee1200c, 0x0055, true, {0x55, INTERRUPT_LOWEST_PRIORITY, INTERRUPT_EDGE, INTERRUPT_LOGICAL, 0x12}},
        {0xfee12008, 0xc055, true, {0x55, INTERRUPT_LOWEST_PRIORITY, INTERRUPT_LEVEL, INTERRUPT_PHYSICAL, 0x12}},
        {0xfee1200c, 0x0455, true, {0x55, INTERRUPT_NMI, INTERRUPT_EDGE, INTERRUPT_LOGICAL, 0x12}},
        {0xfee12000, 0xc455, true, {0x55, INTERRUPT_NMI, INTERRUPT_LEVEL, INTERRUPT_PHYSICAL, 0x12}},
        {0xfee12000, 0x8055, false, {0}},
        {0xfeeff000, 0x4055, true, {0x55, INTERRUPT_FIXED, INTERRUPT_EDGE, INTERRUPT_PHYSICAL, INTERRUPT_BROADCAST}},
        {0xfeeff004, 0x4055, true, {0x55, INTERRUPT_FIXED, INTERRUPT_EDGE, INTERRUPT_LOGICAL, 0xff}},
        {0xfef00000, 0x4055, false, {0}},
        {0xfed00000, 0x4055, false, {0}},
        {UINT64_C(0x1fee12000), 0x4055, false, {0}},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct msi msi = {.address = rows[i].address, .data = rows[i].data};
        struct interrupt_message m = {0};
        assert_int_equal(msi_decode(&msi, &m), rows[i].interrupt);
        if (rows[i].interrupt) {
            assert_int_equal(m.vector, rows[i].message.vector);
            assert_int_equal(m.mode, rows[i].message.mode);
            assert_int_equal(m.trigger, rows[i].message.trigger);
            assert_int_equal(m.destination_mode, rows[i].message.destination_mode);
            assert_int_equal(m.destination, rows[i].message.destination);
        }
    }
    assert_true(msi_is_remappable(&(struct msi){.address = 0xfee00010}));
    assert_false(msi_is_remappable(&(struct msi){.address = 0xfee00008}));
    assert_false(msi_is_remappable(&(struct msi){.address = 0xfed00010}));
}

/* An IOMMU in the wire: it lets through what comes from one source, as another vector, 7 cycles later. */
static bool remap(void *ctx, const struct msi *msi, struct interrupt_message *message, hv_cycles now,
                  hv_cycles *latency)
{
    *(unsigned *)ctx += msi_is_remappable(msi);
    assert_int_equal(now, 500);
    *message = (struct interrupt_message){.vector = 0x99, .destination = 1};
    *latency = 7;
    return msi->source == 0x1234;
}

static void an_iommu_remaps_or_blocks(void **state)
{
    (void)state;
    struct lab *lab = lab_make(2);
    unsigned remappable = 0;
    apic_bus_set_remapping(&lab->bus, &(struct interrupt_remapping){remap, &remappable});
    struct msi good = {.address = 0xfee00010, .data = 0x4031, .source = 0x1234};
    struct msi bad = {.address = 0xfee00000, .data = 0x4031, .source = 0x1235};
    assert_int_equal(apic_bus_send_msi(&lab->bus, &good, 500), 500 + MSI_CYCLES + 7);
    assert_int_equal(apic_bus_send_msi(&lab->bus, &bad, 500), 500);
    apic_bus_advance(&lab->bus, 1000);
    assert_int_equal(vector_set_highest(&lab->apics[0].irr), -1);
    assert_int_equal(vector_set_highest(&lab->apics[1].irr), 0x99);
    assert_int_equal(remappable, 1);
    assert_int_equal(lab->bus.stats.blocked, 1);
    lab_free(lab);
}

GTEST_MAIN("ApicDelivery", LAB_TEST(every_logical_destination_of_8_bits),
           cmocka_unit_test(logical_destinations_of_x2apic), cmocka_unit_test(physical_destinations),
           cmocka_unit_test(xapic_logical_ids_are_short), LAB_TEST(reserved_models_match_nothing),
           cmocka_unit_test(shorthands_reach_whom_they_name),
           cmocka_unit_test(illegal_vectors_are_not_sent), cmocka_unit_test(init_and_startup_reach_the_core),
           cmocka_unit_test(x2apic_sends_in_one_write), cmocka_unit_test(a_notification_finds_its_processor),
           cmocka_unit_test(a_message_takes_its_latency), cmocka_unit_test(messages_arrive_in_order),
           cmocka_unit_test(too_many_messages_arrive_early_but_all), cmocka_unit_test(the_lowest_priority_is_chosen),
           cmocka_unit_test(msis_decode_field_by_field), cmocka_unit_test(an_iommu_remaps_or_blocks))
