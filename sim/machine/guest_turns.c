/* SPDX-License-Identifier: MIT */
/* Virtual processors that take turns, and the interrupts of the guest's device. */
#include "machine/guest_parts.h"

#include "cpu/execute/events.h"

/* ---- Virtual processors ----------------------------------------------------------------------------------------- */

/* What a stream may have changed of a virtual processor while it was away: the process, and its VPID. */
static void prepare(struct machine_guest *g, const struct mmu_regs *regs)
{
    uint64_t vpid = 0;
    hv_vmread(&g->cpu, HV_VMCS_vpid, &vpid);
    if (vpid != regs->vpid) {
        hv_vmwrite(&g->cpu, HV_VMCS_vpid, regs->vpid);
    }
    hv_vmwrite(&g->cpu, HV_VMCS_guest_cr3, regs->cr3 & CR3_ADDRESS);
}

/* Without external-interrupt exiting the guest would take the host's timer; the VMX-preemption timer does it then. */
static void end_turn(struct machine_guest *g)
{
    if (guest_interrupts_of(g) == VCPU_INTERRUPTS_DIRECT) {
        g->cpu.p.vmx.preemption_deadline = g->cpu.p.now;
    } else {
        hv_interrupt(&g->cpu, TIMER_VECTOR);
    }
}

void guest_switch(struct machine_core *c, const struct mmu_regs *regs)
{
    struct machine_guest *g = c->guest;
    if (g == NULL) {
        return;
    }
    struct processor *p = guest_begin_exits(g);
    end_turn(g);
    enum cpu_end end = cpu_between(p);
    if (end == CPU_EXITED) {
        guest_run_hypervisor(g);
        p->now += c->machine->params.vmm_cost.vcpu_switch_cycles;
        guest_device_leave(g);
        g->current = c->schedule.current;
        hv_vmptrld(&g->cpu, g->vcpus[g->current].vmcs);
        prepare(g, regs);
        guest_device_enter(g);
        bool entered = guest_enter(g);
        HV_ASSERT(entered, "VM entry of another virtual processor failed");
        end = CPU_COMPLETED;
    }
    g->regs = *regs;
    guest_settle(g, end);
    guest_end_exits(g, "virtual processor switch");
}

void guest_loaded_cr3(struct machine_core *c, uint64_t cr3)
{
    if (c->guest != NULL) {
        c->guest->cpu.p.state.cr3 = cr3 & CR3_ADDRESS;
        c->guest->regs = c->mmu.env.regs;
    }
}

/* ---- Interrupts ------------------------------------------------------------------------------------------------- */

hv_cycles guest_next_interrupt(const struct machine_core *c)
{
    return c->guest != NULL ? c->guest->next_interrupt : UINT64_MAX;
}

/*
 * The device's interrupt arrives. A posted one is put into the descriptor of the virtual processor that runs, as an
 * IOMMU would, and the notification arrives in its place.
 */
static void interrupt(struct machine_guest *g)
{
    if (guest_interrupts_of(g) != VCPU_INTERRUPTS_POSTED) {
        hv_interrupt(&g->cpu, DEVICE_VECTOR);
        return;
    }
    hv_hpa descriptor = {g->vcpus[g->current].posted};
    struct posted_notification notification = posted_post(&g->memory, descriptor, DEVICE_VECTOR, POSTED_NORMAL);
    if (notification.send) {
        hv_interrupt(&g->cpu, notification.vector);
    }
}

/*
 * Interrupts that have fallen due since the guest last ran merge into one, as in the IRR of its local APIC.
 *
 * MODEL: when the next falls due while this one is handled, the guest gets a cycle of its own before it. Silicon would
 * leave it none (receive livelock), and a run would not end.
 */
void guest_take_interrupts(struct machine_core *c)
{
    struct machine_guest *g = c->guest;
    if (g == NULL || g->next_interrupt > c->core.now) {
        return;
    }
    hv_cycles interval = guest_vcpu_params(g)->interrupt_interval_cycles;
    g->next_interrupt += ((c->core.now - g->next_interrupt) / interval + 1) * interval;
    guest_begin_exits(g);
    interrupt(g);
    guest_settle(g, CPU_COMPLETED);
    guest_end_exits(g, "device interrupt");
    g->next_interrupt = g->next_interrupt > c->core.now ? g->next_interrupt : c->core.now + 1;
}
