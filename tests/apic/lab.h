/* SPDX-License-Identifier: MIT */
/* A few local APICs and an I/O APIC on a bus, and what they told their cores. */
#ifndef HV_TESTS_APIC_LAB_H
#define HV_TESTS_APIC_LAB_H

#include "gtest.h"

#include "apic/apic_bus.h"
#include "apic/ioapic.h"

enum { LAB_APICS = 8, LAB_EVENTS = 512, LAB_SVR_ENABLED = 0x1ff };

struct lab_event {
    uint32_t processor;
    enum apic_signal signal;
    uint8_t vector;
    hv_cycles now;
};

struct lab {
    struct apic_params params;
    uint32_t count;
    struct apic apics[LAB_APICS];
    struct apic_bus bus;
    struct ioapic ioapic;
    struct lab_event events[LAB_EVENTS]; /* the first ones; event_count goes on */
    size_t event_count;
    uint8_t external_vector; /* what the 8259 answers */
};

/* So many APICs in xAPIC mode, enabled by software, with IDs 0, 1, ...; latencies 100, 200, 300, 400. */
struct lab *lab_make(uint32_t count);
void lab_free(struct lab *lab);

/* A test whose *state is a lab with one APIC. */
int lab_set_up(void **state);
int lab_tear_down(void **state);

#define LAB_TEST(test) cmocka_unit_test_setup_teardown(test, lab_set_up, lab_tear_down)

/* Puts an APIC into x2APIC mode with an ID of its own. */
void lab_x2apic(struct lab *lab, uint32_t n, uint32_t id);

/* The common accesses, which must succeed. */
uint32_t lab_read(struct apic *a, uint32_t offset, hv_cycles now);
void lab_write(struct apic *a, uint32_t offset, uint32_t value, hv_cycles now);
uint64_t lab_rdmsr(struct apic *a, uint32_t index, hv_cycles now);
void lab_wrmsr(struct apic *a, uint32_t index, uint64_t value, hv_cycles now);

/* A fixed, edge-triggered interrupt arrives. */
void lab_interrupt(struct apic *a, uint8_t vector, hv_cycles now);

/* How many events of a signal a core was told. */
size_t lab_signals(const struct lab *lab, uint32_t processor, enum apic_signal signal);

#endif
