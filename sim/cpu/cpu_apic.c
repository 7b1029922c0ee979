/* SPDX-License-Identifier: MIT */
#include "cpu/cpu_apic.h"

#include <string.h>

#include "apic/apic_bus.h"

/* ---- Time and interrupts ---------------------------------------------------------------------------------------- */

/*
 * All that has arrived or fallen due until now.
 *
 * MODEL: TSC = clock + IA32_TSC_ADJUST; a guest's offset is not the APIC's.
 */
static void advance(struct cpu_apic *a, hv_cycles now)
{
    uint64_t adjust = a->p->state.msrs.tsc_adjust;
    if (a->local->bus != NULL) {
        apic_bus_advance(a->local->bus, now);
    }
    if (adjust != a->local->tsc_offset) {
        apic_set_tsc_offset(a->local, adjust, now);
    }
    apic_advance(a->local, now);
}

static int pending(void *ctx, hv_cycles now)
{
    struct cpu_apic *a = ctx;
    advance(a, now);
    return apic_interrupt_pending(a->local) ? vector_set_highest(&a->local->irr) : -1;
}

static int acknowledge(void *ctx, hv_cycles now)
{
    struct cpu_apic *a = ctx;
    advance(a, now);
    return apic_acknowledge(a->local, now).vector;
}

/* Firing again brings nothing while the interrupt waits; so a processor that cannot take it need not look again. */
static hv_cycles timer_next(const struct apic *local)
{
    uint8_t vector = (uint8_t)local->registers[APIC_LVT_TIMER >> 4];
    return vector < VECTOR_LEGAL_MIN || vector_set_has(&local->irr, vector) ? UINT64_MAX : apic_timer_next(local);
}

static hv_cycles next_event(void *ctx, hv_cycles now)
{
    struct cpu_apic *a = ctx;
    if (a->local == NULL) {
        return UINT64_MAX;
    }
    advance(a, now);
    hv_cycles timer = timer_next(a->local);
    hv_cycles message = a->local->bus != NULL ? apic_bus_next(a->local->bus) : UINT64_MAX;
    return timer < message ? timer : message;
}

static void raise(void *ctx, uint32_t number, enum apic_signal signal, uint8_t vector, hv_cycles now)
{
    struct processor *p = ctx;
    (void)number;
    (void)now;
    switch (signal) {
    case APIC_SIGNAL_INTR: break; /* the processor asks */
    case APIC_SIGNAL_NMI: processor_signal(p, CPU_SIGNAL_NMI, 0); break;
    case APIC_SIGNAL_SMI: processor_signal(p, CPU_SIGNAL_SMI, 0); break;
    case APIC_SIGNAL_INIT: processor_signal(p, CPU_SIGNAL_INIT, 0); break;
    case APIC_SIGNAL_STARTUP: processor_signal(p, CPU_SIGNAL_SIPI, vector); break;
    }
}

struct apic_output cpu_apic_output(struct processor *p)
{
    return (struct apic_output){.raise = raise, .ctx = p};
}

static void reset_by_init(void *ctx)
{
    struct cpu_apic *a = ctx;
    if (a->local != NULL) {
        apic_reset_by_init(a->local);
    }
}

/* ---- Registers -------------------------------------------------------------------------------------------------- */

/* Whose registers lie at an address; of a machine without an I/O APIC its page is memory. */
enum owner { OWNER_LOCAL, OWNER_IOAPIC, OWNER_NONE };

static enum owner owner_of(const struct cpu_apic *a, uint64_t address)
{
    if (a->local != NULL && apic_owns_address(a->local, address)) {
        return OWNER_LOCAL;
    }
    bool in_page = address - address % HV_PAGE_BYTES == CPU_IOAPIC_ADDRESS;
    return a->local != NULL && a->ioapic != NULL && in_page ? OWNER_IOAPIC : OWNER_NONE;
}

/* A register has 4 bytes; of an access that is longer the rest reads as 0. */
static enum cpu_answer device(void *ctx, const struct cpu_device_access *access, hv_cycles now)
{
    struct cpu_apic *a = ctx;
    enum owner owner = owner_of(a, access->address);
    unsigned count = (unsigned)access->count;
    uint32_t offset = (uint32_t)(access->address % HV_PAGE_BYTES);
    uint64_t value = 0;
    size_t bytes = access->count < sizeof(value) ? access->count : sizeof(value);
    if (owner == OWNER_NONE) {
        return CPU_NOT_MINE;
    }
    advance(a, now);
    if (access->kind == HV_STORE) {
        memcpy(&value, access->bytes, bytes);
        owner == OWNER_LOCAL ? apic_write(a->local, offset, count, value, now)
                             : ioapic_write(a->ioapic, offset, count, (uint32_t)value, now);
        return CPU_ANSWERED;
    }
    value = owner == OWNER_LOCAL ? apic_read(a->local, offset, count, now)
                                 : ioapic_read(a->ioapic, offset, count, now);
    memset(access->bytes, 0, access->count);
    memcpy(access->bytes, &value, bytes);
    return CPU_ANSWERED;
}

enum cpu_answer cpu_apic_local_msr(struct cpu_apic *a, uint32_t index, bool write, uint64_t *value)
{
    hv_cycles now = a->p->now;
    if (a->local == NULL || !apic_owns_msr(index)) {
        return CPU_NOT_MINE;
    }
    advance(a, now);
    bool ok = write ? apic_write_msr(a->local, index, *value, now) : apic_read_msr(a->local, index, value, now);
    return ok ? CPU_ANSWERED : CPU_REFUSED;
}

static enum cpu_answer apic_msr(void *ctx, uint32_t index, bool write, uint64_t *value)
{
    struct cpu_apic *a = ctx;
    enum cpu_answer answer = a->p->vmx.non_root ? cpu_virtual_apic_msr(a, index, write, value) : CPU_NOT_MINE;
    return answer != CPU_NOT_MINE ? answer : cpu_apic_local_msr(a, index, write, value);
}

static void task_priority(void *ctx, bool write, uint64_t *priority)
{
    struct cpu_apic *a = ctx;
    if (a->local == NULL) {
        return;
    }
    if (write) {
        apic_write_cr8(a->local, *priority, a->p->now);
    } else {
        *priority = apic_read_cr8(a->local);
    }
}

/* ---- Connecting ------------------------------------------------------------------------------------------------- */

void cpu_apic_connect(struct cpu_apic *a, struct processor *p, struct apic *local, struct cpu_wires *wires)
{
    *a = (struct cpu_apic){.p = p, .local = local};
    wires->ctx = a;
    wires->device = device;
    wires->apic_msr = apic_msr;
    wires->task_priority = task_priority;
    wires->next_event = next_event;
    wires->reset_by_init = reset_by_init;
    cpu_virtual_apic_connect(wires);
    p->wires = wires;
    p->apic = local;
    if (local != NULL) {
        p->interrupts = (struct processor_interrupts){pending, acknowledge, a};
    }
}
