/* SPDX-License-Identifier: MIT */
#include "cpu/execute/deliver.h"

#include "cpu/execute/deliver_gates.h"
#include "cpu/execute/wires.h"
#include "cpu/vmx/entry_check.h"

#define DR6_STATUS UINT64_C(0xe00f)
#define DEBUGCTL_LBR UINT64_C(1)

/* --- table 6-5, "Conditions for Generating a Double Fault" ------------------------------------------------------- */

enum fault_class { BENIGN, CONTRIBUTORY, PAGE_FAULT, DOUBLE_FAULT };

static enum fault_class class_of(const struct cpu_event *event)
{
    if (event->type != VMX_EVENT_HARDWARE_EXCEPTION) {
        return BENIGN;
    }
    switch (event->vector) {
    case CPU_DE:
    case CPU_TS:
    case CPU_NP:
    case CPU_SS_FAULT:
    case CPU_GP:
    case CPU_CP: return CONTRIBUTORY;
    case CPU_PF:
    case CPU_VE: return PAGE_FAULT;
    case CPU_DF: return DOUBLE_FAULT;
    default: return BENIGN;
    }
}

/* What the second exception makes of the two: itself, #DF, or (DOUBLE_FAULT twice) shutdown. */
static bool makes_double_fault(enum fault_class first, enum fault_class second)
{
    return (first == CONTRIBUTORY && second == CONTRIBUTORY) || (first == PAGE_FAULT && second != BENIGN);
}

/* --- what an exception does beside the frame --------------------------------------------------------------------- */

struct cpu_event cpu_raised_event(const struct processor *p)
{
    const struct cpu_exception *r = &p->raised;
    return (struct cpu_event){
        .vector = r->vector, .type = VMX_EVENT_HARDWARE_EXCEPTION,
        .has_error_code = r->has_error_code && cpu_protected_mode(&p->state), .error_code = r->error_code,
    };
}

/* CR2 and DR6: not when the exception exits instead, and not when a VM entry injects it (27.6.1; 26.6.1). */
static void note_raised(struct processor *p)
{
    struct cpu_state *s = &p->state;
    if (p->raised.vector == CPU_PF) {
        s->cr2 = p->raised.information;
    } else if (p->raised.vector == CPU_DB) {
        s->dr6 |= p->raised.information & DR6_STATUS;
        s->dr7 &= ~CPU_DR7_GD;
        s->msrs.debugctl &= ~(DEBUGCTL_LBR | CPU_DEBUGCTL_BTF);
    }
}

/* --- one event after the other ----------------------------------------------------------------------------------- */

static void begin(struct processor *p, const struct cpu_event *event)
{
    p->vmx.vectoring = cpu_event_information(event);
    p->vmx.vectoring_error = event->has_error_code ? event->error_code : 0;
    p->progress.delivering = true;
    p->progress.external = !cpu_event_by_software(event);
    if (event->length != 0) {
        p->progress.length = event->length;
    }
}

static void end_delivery(struct processor *p)
{
    p->vmx.vectoring = 0;
    p->vmx.vectoring_error = 0;
    p->progress.delivering = p->progress.external = false;
}

static void delivered(struct processor *p, const struct cpu_event *event)
{
    struct cpu_state *s = &p->state;
    end_delivery(p);
    p->progress.nmi_unblocked = false;
    s->activity = CPU_ACTIVE;
    s->interruptibility &= ~((uint32_t)CPU_BLOCKED_BY_STI | (uint32_t)CPU_BLOCKED_BY_MOV_SS);
    if (event->type == VMX_EVENT_NMI && GUEST_ON(p, PIN, virtual_nmis)) {
        p->vmx.virtual_nmi_blocking = true;
    } else if (event->type == VMX_EVENT_NMI) {
        s->interruptibility |= CPU_BLOCKED_BY_NMI;
    }
    p->vmx.mtf_pending |= GUEST_ON(p, PRIMARY, monitor_trap_flag);
    processor_context_changed(p);
}

/* The VM exit is one that interrupts no event delivery (28.2.4; 27.2.4). */
enum cpu_end cpu_shut_down(struct processor *p)
{
    end_delivery(p);
    if (p->vmx.non_root) {
        return cpu_exit_plain(p, VMX_EXIT_triple_fault, 0);
    }
    p->state.activity = CPU_SHUTDOWN;
    return CPU_STOPPED;
}

static enum cpu_end deliver_once(struct processor *p, const struct cpu_event *event)
{
    if (cpu_long_mode(&p->state)) {
        return cpu_deliver_long(p, event);
    }
    return cpu_protected_mode(&p->state) ? cpu_deliver_protected(p, event) : cpu_deliver_real(p, event);
}

/*
 * An exception met in delivering *current: becomes the next *current. CPU_COMPLETED: it is to be delivered. The VM
 * exit that a #DF makes "directly" has no IDT-vectoring information.
 */
static enum cpu_end next_exception(struct processor *p, struct cpu_event *current)
{
    struct cpu_event second = cpu_raised_event(p);
    enum fault_class first_class = class_of(current), second_class = class_of(&second);
    if (first_class == DOUBLE_FAULT && second_class != BENIGN) {
        return cpu_shut_down(p);
    }
    if (makes_double_fault(first_class, second_class)) {
        end_delivery(p);
        processor_raise_code(p, CPU_DF, 0);
        second = cpu_raised_event(p);
    }
    if (cpu_exception_exits(p, &second)) {
        return cpu_exit_exception(p, &second, cpu_exception_qualification(p, second.vector));
    }
    note_raised(p);
    *current = second;
    return CPU_COMPLETED;
}

enum cpu_end cpu_deliver(struct processor *p, const struct cpu_event *event)
{
    struct cpu_event current = *event;
    for (;;) {
        begin(p, &current);
        bool by_wire = p->wires != NULL && p->wires->deliver != NULL && p->wires->deliver(p->wires->ctx, current.vector);
        enum cpu_end end = by_wire ? CPU_COMPLETED : deliver_once(p, &current);
        if (end == CPU_COMPLETED) {
            delivered(p, &current);
            return end;
        }
        if (end != CPU_RAISED) {
            return end;
        }
        end = next_exception(p, &current);
        if (end != CPU_COMPLETED) {
            return end;
        }
    }
}

enum cpu_end cpu_deliver_raised(struct processor *p)
{
    struct cpu_event event = cpu_raised_event(p);
    if (cpu_exception_exits(p, &event)) {
        return cpu_exit_exception(p, &event, cpu_exception_qualification(p, event.vector));
    }
    note_raised(p);
    return cpu_deliver(p, &event);
}
