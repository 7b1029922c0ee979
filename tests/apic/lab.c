/* SPDX-License-Identifier: MIT */
#include "lab.h"

#include <stdlib.h>

static void raise_signal(void *ctx, uint32_t processor, enum apic_signal signal, uint8_t vector, hv_cycles now)
{
    struct lab *lab = ctx;
    if (lab->event_count < LAB_EVENTS) {
        lab->events[lab->event_count] = (struct lab_event){processor, signal, vector, now};
    }
    lab->event_count++;
}

static uint8_t external_vector(void *ctx, uint32_t processor)
{
    (void)processor;
    return ((struct lab *)ctx)->external_vector;
}

struct lab *lab_make(uint32_t count)
{
    struct lab *lab = calloc(1, sizeof(*lab));
    assert_non_null(lab);
    lab->params = (struct apic_params){
        .x2apic = true, .tsc_deadline = true, .eoi_suppression = true, .timer_cycles = 40,
        .ipi_cycles = 100, .msi_cycles = 200, .ioapic_cycles = 300, .eoi_cycles = 400,
    };
    lab->count = count;
    apic_bus_init(&lab->bus, &lab->params);
    struct apic_output output = {raise_signal, external_vector, lab};
    for (uint32_t i = 0; i < count; i++) {
        struct apic_identity identity = {.processor = i, .id = i, .bootstrap = i == 0, .physical_bits = 46};
        apic_init(&lab->apics[i], &lab->params, &identity, &output);
        apic_bus_add(&lab->bus, &lab->apics[i]);
        lab_write(&lab->apics[i], APIC_SVR, LAB_SVR_ENABLED, 0);
    }
    ioapic_init(&lab->ioapic, 0, 0xf0f8);
    apic_bus_add_ioapic(&lab->bus, &lab->ioapic);
    return lab;
}

void lab_free(struct lab *lab)
{
    free(lab);
}

int lab_set_up(void **state)
{
    *state = lab_make(1);
    return 0;
}

int lab_tear_down(void **state)
{
    lab_free(*state);
    return 0;
}

void lab_x2apic(struct lab *lab, uint32_t n, uint32_t id)
{
    struct apic *a = &lab->apics[n];
    a->identity.id = id;
    lab_wrmsr(a, APIC_BASE_MSR, a->base | APIC_BASE_X2APIC, 0);
}

uint32_t lab_read(struct apic *a, uint32_t offset, hv_cycles now)
{
    return (uint32_t)apic_read(a, offset, 4, now);
}

void lab_write(struct apic *a, uint32_t offset, uint32_t value, hv_cycles now)
{
    apic_write(a, offset, 4, value, now);
}

uint64_t lab_rdmsr(struct apic *a, uint32_t index, hv_cycles now)
{
    uint64_t value;
    assert_true(apic_read_msr(a, index, &value, now));
    return value;
}

void lab_wrmsr(struct apic *a, uint32_t index, uint64_t value, hv_cycles now)
{
    assert_true(apic_write_msr(a, index, value, now));
}

void lab_interrupt(struct apic *a, uint8_t vector, hv_cycles now)
{
    struct interrupt_message message = {.vector = vector, .mode = INTERRUPT_FIXED};
    apic_receive(a, &message, now);
}

size_t lab_signals(const struct lab *lab, uint32_t processor, enum apic_signal signal)
{
    size_t count = 0;
    for (size_t i = 0; i < lab->event_count && i < LAB_EVENTS; i++) {
        count += lab->events[i].processor == processor && lab->events[i].signal == signal;
    }
    return count;
}
