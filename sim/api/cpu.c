/* SPDX-License-Identifier: MIT */
/* A processor of hvsim.h: registers, the clock, interrupts from outside. */
#include "api/api.h"

#include <string.h>

#include "cpu/execute/execute.h"

/* IA32_FEATURE_CONTROL, SDM Vol. 3C "Enabling and Entering VMX Operation" (24.7; 23.7): locked, VMXON without SMX. */
#define FEATURE_CONTROL_LOCK UINT64_C(1)
#define FEATURE_CONTROL_VMXON (UINT64_C(1) << 2)

_Static_assert(HV_IOAPIC == CPU_IOAPIC_ADDRESS, "hvsim.h says where the I/O APIC lies");

/* Software enable and the usual spurious vector, in the register that holds both. */
enum { SPURIOUS_VECTOR_ENABLED = 0x1ff, MSR_SPURIOUS_VECTOR = 0x80f, CYCLES_OF_EOI = 1 };

/* As a kernel leaves its local APIC: on, with nothing masked by priority. */
static void enable_apic(struct apic *local)
{
    uint64_t base = local->base | APIC_BASE_X2APIC;
    if (local->params->x2apic) {
        apic_write_msr(local, APIC_BASE_MSR, base, 0);
        apic_write_msr(local, MSR_SPURIOUS_VECTOR, SPURIOUS_VECTOR_ENABLED, 0);
    } else {
        apic_write(local, APIC_SVR, sizeof(uint32_t), SPURIOUS_VECTOR_ENABLED, 0);
    }
}

static void init_apic(struct hv_cpu *c, struct apic_bus *bus)
{
    struct apic_identity identity = {
        .processor = c->p.number, .id = c->p.number, .bootstrap = c->p.number == 0,
        .physical_bits = c->p.vmx.caps.physical_bits,
    };
    struct apic_output output = cpu_apic_output(&c->p);
    apic_init(&c->local, bus->params, &identity, &output);
    apic_bus_add(bus, &c->local);
    cpu_apic_connect(&c->apic, &c->p, &c->local, &c->wires);
    enable_apic(&c->local);
}

void api_cpu_init(struct hv_cpu *c, const struct processor_config *config, struct apic_bus *bus)
{
    memset(c, 0, sizeof(*c));
    c->limit = HV_LIMIT_DEFAULT;
    processor_init(&c->p, config);
    cpu_state_long_mode(&c->p.state, 0);
    c->p.state.cr4 |= CPU_CR4_VMXE;
    c->p.state.msrs.feature_control = FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMXON;
    init_apic(c, bus);
    processor_context_changed(&c->p);
}

static uint64_t *register_of(struct cpu_state *s, enum hv_register r)
{
    switch (r) {
    case HV_RIP: return &s->rip;
    case HV_RFLAGS: return &s->rflags;
    case HV_CR0: return &s->cr0;
    case HV_CR2: return &s->cr2;
    case HV_CR3: return &s->cr3;
    case HV_CR4: return &s->cr4;
    case HV_EFER: return &s->msrs.efer;
    case HV_CR8:
    case HV_REGISTERS: return NULL;
    default: return (unsigned)r <= HV_R15 ? &s->registers[r] : NULL;
    }
}

uint64_t hv_get(const struct hv_cpu *c, enum hv_register r)
{
    struct cpu_state copy = c->p.state;
    const uint64_t *value = register_of(&copy, r);
    if (value != NULL) {
        return *value;
    }
    uint64_t priority = 0;
    if (r == HV_CR8 && c->wires.task_priority != NULL) {
        c->wires.task_priority(c->wires.ctx, false, &priority);
    }
    return priority;
}

void hv_set(struct hv_cpu *c, enum hv_register r, uint64_t value)
{
    uint64_t *member = register_of(&c->p.state, r);
    if (member != NULL) {
        *member = value;
    } else if (r == HV_CR8 && c->wires.task_priority != NULL) {
        c->wires.task_priority(c->wires.ctx, true, &value);
    }
    processor_context_changed(&c->p);
}

uint64_t hv_now(const struct hv_cpu *c)
{
    return c->p.now;
}

void hv_work(struct hv_cpu *c, uint64_t cycles)
{
    c->p.now += cycles;
}

struct hv_exception hv_exception(const struct hv_cpu *c)
{
    const struct cpu_exception *e = &c->p.raised;
    return (struct hv_exception){e->vector, e->has_error_code, e->error_code};
}

void hv_interrupt(struct hv_cpu *c, uint8_t vector)
{
    struct interrupt_message message = {.vector = vector, .mode = INTERRUPT_FIXED, .trigger = INTERRUPT_EDGE};
    apic_receive(&c->local, &message, c->p.now);
}

void hv_eoi(struct hv_cpu *c)
{
    c->p.now += CYCLES_OF_EOI;
    apic_eoi(&c->local, c->p.now);
}

/* Two accesses, each an instruction of a cycle. */
static void access_ioapic(struct hv_cpu *c, uint32_t offset, enum hv_access_kind kind, uint32_t *value)
{
    struct cpu_device_access access = {
        .address = HV_IOAPIC + offset, .kind = kind, .bytes = value, .count = sizeof(*value),
    };
    c->p.now++;
    c->wires.device(c->wires.ctx, &access, c->p.now);
}

uint32_t hv_ioapic_read(struct hv_cpu *c, uint8_t index)
{
    uint32_t select = index, value = 0;
    access_ioapic(c, IOAPIC_SELECT, HV_STORE, &select);
    access_ioapic(c, IOAPIC_WINDOW, HV_LOAD, &value);
    return value;
}

void hv_ioapic_write(struct hv_cpu *c, uint8_t index, uint32_t value)
{
    uint32_t select = index;
    access_ioapic(c, IOAPIC_SELECT, HV_STORE, &select);
    access_ioapic(c, IOAPIC_WINDOW, HV_STORE, &value);
}

bool hv_pin(struct hv_cpu *c, unsigned pin, bool high)
{
    bool there = c->apic.ioapic != NULL && pin < IOAPIC_PINS;
    if (there) {
        ioapic_set_pin(c->apic.ioapic, pin, high, c->p.now);
    }
    return there;
}

void hv_nmi(struct hv_cpu *c)
{
    processor_signal(&c->p, CPU_SIGNAL_NMI, 0);
}
