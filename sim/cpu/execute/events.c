/* SPDX-License-Identifier: MIT */
#include "cpu/execute/events.h"

#include "cpu/execute/events_parts.h"
#include "cpu/execute/wires.h"
#include "cpu/vmx/entry_check.h"

#define PENDING_BREAKPOINT (UINT64_C(1) << 12) /* at least one of B3 to B0 is enabled */
#define PENDING_TO_DR6 UINT64_C(0x1400f)       /* B3 to B0, BS and RTM */
#define SHADOWS ((uint32_t)CPU_BLOCKED_BY_STI | (uint32_t)CPU_BLOCKED_BY_MOV_SS)

/* Active or halted: what neither shutdown nor wait-for-SIPI blocks (SDM Vol. 3C 25.4.2; 24.4.2). */
static bool awake(const struct processor *p)
{
    return cpu_in_activity(p, CPU_ACTIVE) || cpu_in_activity(p, CPU_HALTED);
}

static bool shadowed(const struct processor *p, uint32_t by)
{
    return (p->state.interruptibility & by) != 0;
}

/* --- traps on the instruction before: row 4 ---------------------------------------------------------------------- */

/*
 * A VM exit like a trap, of the virtual APIC, that a VM entry or the delivery of an event has asked for: before SMIs
 * and INIT; in shutdown and wait-for-SIPI it waits (27.7.7 and 30.4.3.3; 26.7.7 and 29.4.3.3).
 */
static bool trap_waits(const struct processor *p)
{
    return p->vmx.non_root && p->progress.trap.waits && awake(p);
}

static bool trap_flag_waits(const struct processor *p)
{
    return p->vmx.non_root && p->vmx.mtf_pending;
}

static enum cpu_end take_trap_flag(struct processor *p)
{
    p->vmx.mtf_pending = false;
    return cpu_exit_plain(p, VMX_EXIT_monitor_trap_flag, 0);
}

static bool debug_waits(const struct processor *p)
{
    uint64_t pending = p->state.pending_debug;
    return (pending & (CPU_DR6_BS | PENDING_BREAKPOINT)) != 0 && awake(p) && !shadowed(p, CPU_BLOCKED_BY_MOV_SS);
}

static enum cpu_end take_debug(struct processor *p)
{
    processor_raise(p, CPU_DB);
    p->raised.information = p->state.pending_debug & PENDING_TO_DR6;
    p->state.pending_debug = 0;
    return cpu_deliver_raised(p);
}

static bool timer_waits(const struct processor *p)
{
    return GUEST_ON(p, PIN, activate_preemption_timer) && p->now >= p->vmx.preemption_deadline &&
           !cpu_in_activity(p, CPU_WAIT_FOR_SIPI);
}

static enum cpu_end take_timer(struct processor *p)
{
    return cpu_exit_plain(p, VMX_EXIT_preemption_timer, 0);
}

/* --- NMIs: row 5 ------------------------------------------------------------------------------------------------- */

/* With virtual NMIs physical ones are not blocked by what the guest does; MOV SS blocks all. */
static bool nmi_waits(const struct processor *p)
{
    bool blocked = shadowed(p, (uint32_t)CPU_BLOCKED_BY_NMI | (uint32_t)CPU_BLOCKED_BY_MOV_SS);
    return cpu_signalled(p, CPU_SIGNAL_NMI) && !blocked && !cpu_in_activity(p, CPU_WAIT_FOR_SIPI);
}

static enum cpu_end take_nmi(struct processor *p)
{
    struct cpu_event nmi = {.vector = CPU_NMI, .type = VMX_EVENT_NMI};
    p->signals &= ~(uint32_t)CPU_SIGNAL_NMI;
    return GUEST_ON(p, PIN, nmi_exiting) ? cpu_exit_exception(p, &nmi, 0) : cpu_deliver(p, &nmi);
}

static bool nmi_window_opens(const struct processor *p)
{
    return GUEST_ON(p, PRIMARY, nmi_window_exiting) && !p->vmx.virtual_nmi_blocking &&
           !shadowed(p, CPU_BLOCKED_BY_MOV_SS) && !cpu_in_activity(p, CPU_WAIT_FOR_SIPI);
}

static enum cpu_end take_nmi_window(struct processor *p)
{
    return cpu_exit_plain(p, VMX_EXIT_nmi_window, 0);
}

/* --- interrupts: row 6 ------------------------------------------------------------------------------------------- */

static bool interrupts_enabled(const struct processor *p)
{
    return (p->state.rflags & CPU_RFLAGS_IF) != 0 && !shadowed(p, SHADOWS) && awake(p);
}

static bool interrupt_window_opens(const struct processor *p)
{
    return GUEST_ON(p, PRIMARY, interrupt_window_exiting) && interrupts_enabled(p);
}

static enum cpu_end take_interrupt_window(struct processor *p)
{
    return cpu_exit_plain(p, VMX_EXIT_interrupt_window, 0);
}

/* With external-interrupt exiting RFLAGS.IF does not block, the shadows do (26.3, "Event blocking"; 25.3). */
static bool interrupt_waits(const struct processor *p)
{
    const struct processor_interrupts *i = &p->interrupts;
    bool exits = GUEST_ON(p, PIN, external_interrupt_exiting);
    bool open = exits ? !shadowed(p, SHADOWS) && awake(p) : interrupts_enabled(p);
    return open && i->pending != NULL && i->pending(i->ctx, p->now) >= 0;
}

static int acknowledge(struct processor *p)
{
    const struct processor_interrupts *i = &p->interrupts;
    return i->acknowledge != NULL ? i->acknowledge(i->ctx, p->now) : i->pending(i->ctx, p->now);
}

static bool posts(const struct processor *p, int vector)
{
    return VMX_ON(p, PIN, process_posted_interrupts) && p->wires != NULL && p->wires->posted != NULL &&
           (uint64_t)vector == VMCS_GET(&p->vmx.current, posted_interrupt_notification_vector);
}

/* Recognized virtual interrupts wait while there is interrupt-window exiting (30.2.2; 29.2.2). */
static bool virtual_interrupt_waits(const struct processor *p)
{
    const struct cpu_wires *w = p->wires;
    return GUEST_ON(p, SECONDARY, virtual_interrupt_delivery) && interrupts_enabled(p) && w != NULL &&
           w->virtual_pending != NULL && w->virtual_acknowledge != NULL && w->virtual_pending(w->ctx) >= 0;
}

static enum cpu_end take_virtual_interrupt(struct processor *p)
{
    struct cpu_event event = {
        .vector = (uint8_t)p->wires->virtual_acknowledge(p->wires->ctx), .type = VMX_EVENT_EXTERNAL,
    };
    return cpu_deliver(p, &event);
}

/* A notification is no event of its own: the boundary goes on with what has been posted. */
static enum cpu_end exit_interrupt(struct processor *p)
{
    struct vmx_exit exit = {.reason = VMX_EXIT_external_interrupt, .undefined_length = true};
    if (VMX_ON(p, EXIT, acknowledge_interrupt_on_exit)) {
        int vector = acknowledge(p);
        if (posts(p, vector)) {
            p->wires->posted(p->wires->ctx);
            return virtual_interrupt_waits(p) ? take_virtual_interrupt(p) : CPU_COMPLETED;
        }
        struct cpu_event event = {.vector = (uint8_t)vector, .type = VMX_EVENT_EXTERNAL};
        exit.interruption = cpu_event_information(&event);
    }
    return cpu_exit(p, exit);
}

static enum cpu_end take_interrupt(struct processor *p)
{
    if (GUEST_ON(p, PIN, external_interrupt_exiting)) {
        return exit_interrupt(p);
    }
    struct cpu_event event = {.vector = (uint8_t)acknowledge(p), .type = VMX_EVENT_EXTERNAL};
    return cpu_deliver(p, &event);
}

/* --- the order --------------------------------------------------------------------------------------------------- */

/* A row of the table of priorities: whether it has something to do, which it then does. */
struct boundary {
    bool (*waits)(const struct processor *p);
    enum cpu_end (*take)(struct processor *p);
};

static const struct boundary boundaries[] = {
    {cpu_machine_check_waits, cpu_take_machine_check},
    {trap_waits, cpu_take_trap},
    {cpu_smi_waits, cpu_take_smi},
    {cpu_init_waits, cpu_take_init},
    {cpu_sipi_waits, cpu_take_sipi},
    {trap_flag_waits, take_trap_flag},
    {debug_waits, take_debug},
    {timer_waits, take_timer},
    {nmi_waits, take_nmi},
    {nmi_window_opens, take_nmi_window},
    {interrupt_window_opens, take_interrupt_window},
    {interrupt_waits, take_interrupt},
    {virtual_interrupt_waits, take_virtual_interrupt},
};

enum cpu_end cpu_between(struct processor *p)
{
    cpu_emulate_apic_write(p); /* of an event's delivery */
    for (size_t b = 0; b < HV_ARRAY_LEN(boundaries); b++) {
        if (boundaries[b].waits(p)) {
            p->progress.nmi_unblocked = false;
            return boundaries[b].take(p);
        }
    }
    return CPU_COMPLETED;
}

hv_cycles cpu_next_event(const struct processor *p)
{
    hv_cycles next = UINT64_MAX;
    for (size_t b = 0; b < HV_ARRAY_LEN(boundaries); b++) {
        if (boundaries[b].waits(p)) {
            return p->now;
        }
    }
    if (GUEST_ON(p, PIN, activate_preemption_timer) && !cpu_in_activity(p, CPU_WAIT_FOR_SIPI)) {
        next = p->vmx.preemption_deadline;
    }
    if (p->wires != NULL && p->wires->next_event != NULL) {
        hv_cycles controller = p->wires->next_event(p->wires->ctx, p->now);
        next = controller < next ? controller : next;
    }
    return next;
}
