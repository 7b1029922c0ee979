/* SPDX-License-Identifier: MIT */
/* A processor of hvsim.h: registers, the clock, interrupts from outside. */
#include "api/api.h"

#include <string.h>

#include "cpu/execute/execute.h"

/* SDM Vol. 3C "IA32_FEATURE_CONTROL MSR" (24.7; 23.7 in editions before 2022): locked, VMXON allowed outside of SMX. */
#define FEATURE_CONTROL_LOCK UINT64_C(1)
#define FEATURE_CONTROL_VMXON (UINT64_C(1) << 2)

/* The highest waiting vector, as a local APIC gives it. MODEL: no priorities against the TPR, no EOI. */
static int pending(void *ctx, hv_cycles now)
{
    const struct hv_cpu *c = ctx;
    (void)now;
    for (int word = (int)HV_ARRAY_LEN(c->waiting) - 1; word >= 0; word--) {
        if (c->waiting[word] != 0) {
            return word * 32 + 31 - __builtin_clz(c->waiting[word]);
        }
    }
    return -1;
}

static int acknowledge(void *ctx, hv_cycles now)
{
    struct hv_cpu *c = ctx;
    int vector = pending(ctx, now);
    if (vector >= 0) {
        c->waiting[vector / 32] &= ~(UINT32_C(1) << vector % 32);
    }
    return vector;
}

void api_cpu_init(struct hv_cpu *c, const struct processor_config *config)
{
    memset(c, 0, sizeof(*c));
    c->limit = HV_LIMIT_DEFAULT;
    processor_init(&c->p, config);
    cpu_state_long_mode(&c->p.state, 0);
    c->p.state.cr4 |= CPU_CR4_VMXE;
    c->p.state.msrs.feature_control = FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMXON;
    c->p.wires = &c->wires;
    c->wires.ctx = c;
    c->p.interrupts = (struct processor_interrupts){pending, acknowledge, c};
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
    c->waiting[vector / 32] |= UINT32_C(1) << vector % 32;
}

void hv_nmi(struct hv_cpu *c)
{
    processor_signal(&c->p, CPU_SIGNAL_NMI, 0);
}
