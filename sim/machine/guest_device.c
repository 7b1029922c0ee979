/* SPDX-License-Identifier: MIT */
/*
 * Devices' interrupts for guests, and the hypervisor's own work for devices: it leaves the guest, works on the core's
 * clock, and goes back.
 */
#include "machine/guest_parts.h"

#include "apic/posted.h"
#include "cpu/execute/events.h"

void guest_interrupt(struct machine_core *c, uint8_t vector)
{
    struct machine_guest *g = c->guest;
    guest_begin_exits(g);
    hv_interrupt(&g->cpu, vector);
    guest_settle(g, CPU_COMPLETED);
    guest_end_exits(g, "device interrupt");
}

struct posted_notification guest_post(struct machine_core *c, uint32_t vcpu, uint8_t vector, bool urgent)
{
    struct machine_guest *g = c->guest;
    const hv_hpa descriptor = {g->vcpus[vcpu].posted};
    return posted_post(&g->memory, descriptor, vector, urgent ? POSTED_URGENT : POSTED_NORMAL);
}

/* The exit, and the hypervisor's handler up to where it would enter again. */
static void handle_first(struct machine_guest *g, enum cpu_end end)
{
    HV_ASSERT(end == CPU_EXITED, "the guest did not leave for the hypervisor");
    guest_run_hypervisor(g);
}

void guest_leave(struct machine_core *c, unsigned reason)
{
    struct machine_guest *g = c->guest;
    struct vmx_exit exit = {.reason = reason};
    struct processor *p = guest_begin_exits(g);
    handle_first(g, (enum cpu_end)vmx_exit(p, &exit));
    guest_end_exits(g, hv_exit_name(reason));
}

void guest_leave_by_interrupt(struct machine_core *c, uint8_t vector)
{
    struct machine_guest *g = c->guest;
    struct processor *p = guest_begin_exits(g);
    hv_interrupt(&g->cpu, vector);
    handle_first(g, cpu_between(p));
    guest_end_exits(g, "device interrupt");
}

void guest_return(struct machine_core *c, int vector)
{
    struct machine_guest *g = c->guest;
    guest_begin_exits(g);
    if (vector >= 0) {
        hypervisor_inject(&g->vcpus[g->current].hypervisor, &g->cpu, (uint8_t)vector);
    }
    bool entered = guest_enter(g);
    HV_ASSERT(entered, "VM entry failed after the hypervisor's work for a device");
    guest_settle(g, CPU_COMPLETED);
    guest_end_exits(g, "device interrupt");
}

/* ---- Turns of virtual processors -------------------------------------------------------------------------------- */

/* Where notifications of a descriptor go: bits 279:272, the vector. */
static void set_notification(struct machine_guest *g, uint32_t vcpu, uint8_t vector)
{
    const hv_hpa control = {g->vcpus[vcpu].posted + 32};
    uint64_t word = physmem_read64(&g->memory, control);
    physmem_write64(&g->memory, control, (word & ~(UINT64_C(255) << 16)) | (uint64_t)vector << 16);
}

void guest_device_leave(struct machine_guest *g)
{
    if (g->core->io != NULL && guest_interrupts_of(g) == VCPU_INTERRUPTS_POSTED) {
        set_notification(g, g->current, WAKE_VECTOR);
    }
}

/* What was posted meanwhile is delivered by a notification that the hypervisor sends to its own processor. */
static void deliver_posted(struct machine_guest *g)
{
    const hv_hpa control = {g->vcpus[g->current].posted + 32};
    set_notification(g, g->current, NOTIFICATION_VECTOR);
    if ((physmem_read64(&g->memory, control) & POSTED_ON) != 0) {
        hv_interrupt(&g->cpu, NOTIFICATION_VECTOR);
    }
}

void guest_device_enter(struct machine_guest *g)
{
    if (g->core->io == NULL) {
        return;
    }
    int vector = io_core_waiting(g->core, g->current);
    if (guest_interrupts_of(g) == VCPU_INTERRUPTS_POSTED) {
        deliver_posted(g);
    }
    if (vector >= 0) {
        hypervisor_inject(&g->vcpus[g->current].hypervisor, &g->cpu, (uint8_t)vector);
    }
}
