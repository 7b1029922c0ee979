/* SPDX-License-Identifier: MIT */
#include "machine/guest_parts.h"

#include "cpu/execute/ept.h"
#include "cpu/execute/events.h"
#include "cpu/execute/execute.h"

/* Enters the current virtual processor. That its VMCS does not go is the parameters' fault: a feature is missing. */
bool guest_enter(struct machine_guest *g)
{
    struct guest_vcpu *v = &g->vcpus[g->current];
    enum hv_end end = api_enter(&g->cpu, v->launched ? HV_OP_vmresume : HV_OP_vmlaunch);
    v->launched = true;
    return end == HV_SUCCEEDED;
}

/* The MMU has the guest's registers again, of which the processor may not have VPIDs. */
void guest_restore_context(struct machine_guest *g)
{
    struct mmu_regs regs = g->regs;
    regs.vpid = VMX_ON(&g->cpu.p, SECONDARY, enable_vpid) ? regs.vpid : 0;
    mmu_set_context(&g->core->mmu, &regs);
}

/* ---- Between the core's clock and the processor's --------------------------------------------------------------- */

/*
 * From here on the processor's clock runs, until guest_end_exits() hands what it has counted to the core. The MMU's
 * registers are kept: those of agile paging are more than a VMCS holds.
 */
struct processor *guest_begin_exits(struct machine_guest *g)
{
    g->regs = g->core->mmu.env.regs;
    g->cpu.p.now = g->core->core.now;
    g->handler_cycles = 0;
    return &g->cpu.p;
}

static void to_ring_0(struct cpu_segment *s)
{
    s->selector &= (uint16_t)~3u;
    s->access_rights &= ~(3u << CPU_AR_DPL_SHIFT);
}

/* Ring 0, whose registers are its own. */
void guest_enter_kernel(struct machine_guest *g)
{
    struct cpu_state *s = &g->cpu.p.state;
    if (!g->in_kernel) {
        g->in_kernel = true;
        g->user_code = s->segments[CPU_CS];
        g->user_stack = s->segments[CPU_SS];
        g->user_cr3 = s->cr3;
        to_ring_0(&s->segments[CPU_CS]);
        to_ring_0(&s->segments[CPU_SS]);
    }
}

static void leave_kernel(struct machine_guest *g)
{
    struct cpu_state *s = &g->cpu.p.state;
    if (g->in_kernel) {
        g->in_kernel = false;
        s->segments[CPU_CS] = g->user_code;
        s->segments[CPU_SS] = g->user_stack;
        s->cr3 = g->user_cr3;
    }
}

/* What the processor and its APICs have counted becomes the core's; all are structs of counters alone. */
static void move_counts(void *to, void *from, size_t bytes)
{
    uint64_t *sum = to, *counts = from;
    for (size_t i = 0; i < bytes / sizeof(*sum); i++) {
        sum[i] += counts[i];
        counts[i] = 0;
    }
}

void guest_end_exits(struct machine_guest *g, const char *what)
{
    struct machine_core *c = g->core;
    if (g->cpu.p.vmx.non_root) {
        leave_kernel(g);
    }
    move_counts(&c->vmx_stats, &g->cpu.p.vmx.stats, sizeof(c->vmx_stats));
    move_counts(&c->apic_stats, &g->cpu.local.stats, sizeof(c->apic_stats));
    move_counts(&c->vapic_stats, &g->cpu.apic.vapic.stats, sizeof(c->vapic_stats));
    guest_restore_context(g);
    hv_cycles took = g->cpu.p.now - c->core.now;
    if (took > g->handler_cycles) {
        core_charge(&c->core, CORE_COST_EXIT, took - g->handler_cycles, what);
    }
    if (g->handler_cycles > 0) {
        core_charge(&c->core, CORE_COST_INTERRUPT, g->handler_cycles, "interrupt handler");
    }
}

/* ---- Exits ------------------------------------------------------------------------------------------------------ */

/* The guest's handler of the device's interrupt runs, and ends it by an EOI, which may exit. */
static enum cpu_end handle_interrupt(struct machine_guest *g)
{
    struct processor *p = &g->cpu.p;
    hv_cycles began = p->now;
    g->handling = false;
    p->now += guest_vcpu_params(g)->interrupt_handler_cycles;
    guest_enter_kernel(g);
    p->state.registers[CPU_RCX] = X2APIC_EOI;
    p->state.registers[CPU_RAX] = p->state.registers[CPU_RDX] = 0;
    enum cpu_end end = cpu_execute(p, &(struct cpu_instruction){.op = CPU_OP_wrmsr});
    HV_ASSERT(end != CPU_RAISED, "the guest's EOI has raised vector %u", p->raised.vector);
    io_core_handled(g->core, g->current, began, p->now);
    g->handler_cycles += end == CPU_COMPLETED ? p->now - began : guest_vcpu_params(g)->interrupt_handler_cycles;
    return end;
}

/*
 * The hypervisor's own memory, vmm.footprint bytes of it, comes through the core's data caches and displaces what the
 * guest has there. A line in the first level takes no time of its own: the hypervisor's work (vmm.cost) contains it.
 *
 * MODEL: every exit touches the same lines, one after the other, and all cores share them; they lie behind
 * machine.memory. A hypervisor maps itself by few large pages, so it takes no TLB entries; and the instruction cache,
 * which streams hardly use, is left alone.
 */
static void touch_hypervisor(struct machine_guest *g)
{
    const struct machine_params *params = &g->core->machine->params;
    struct mem_path *path = &g->core->path;
    hv_cycles *now = &g->cpu.p.now;
    for (uint64_t at = 0; at < params->vmm.footprint; at += CACHE_LINE_BYTES) {
        struct mem_reply reply = mem_data(path, (hv_hpa){params->machine.memory + at}, false, *now);
        *now = reply.level == MEM_L1 ? *now : reply.done;
    }
}

enum hypervisor_outcome guest_run_hypervisor(struct machine_guest *g)
{
    touch_hypervisor(g);
    return hypervisor_handle(&g->vcpus[g->current].hypervisor, &g->cpu);
}

/* Handles a VM exit, and enters the guest again. */
static void handle_exit(struct machine_guest *g)
{
    const char *why = hv_exit_name(g->cpu.p.vmx.exit.reason);
    enum hypervisor_outcome outcome = guest_run_hypervisor(g);
    HV_ASSERT(outcome != HYPERVISOR_LOST, "no way to go on after VM exit %s", why);
    if (outcome == HYPERVISOR_IDLE && g->next_interrupt != UINT64_MAX) {
        g->cpu.p.now = g->next_interrupt > g->cpu.p.now ? g->next_interrupt : g->cpu.p.now;
    }
    bool entered = guest_enter(g);
    HV_ASSERT(entered, "VM entry failed after VM exit %s", why);
}

/*
 * Until the guest runs on undisturbed: handles exits and enters again, and takes what waits between instructions,
 * which may exit in turn.
 */
void guest_settle(struct machine_guest *g, enum cpu_end end)
{
    for (unsigned i = 0; i < EVENTS_MAX; i++) {
        if (end == CPU_EXITED) {
            handle_exit(g);
            end = CPU_COMPLETED;
        } else if (g->handling) {
            end = handle_interrupt(g);
        } else {
            end = cpu_between(&g->cpu.p);
            if (end == CPU_COMPLETED && !g->handling) {
                return;
            }
        }
    }
    HV_ASSERT(false, "VM exits without end");
}

void guest_fault(struct machine_core *c, const struct hv_fault *fault, hv_cycles cycles)
{
    if (c->guest != NULL) {
        struct processor *p = guest_begin_exits(c->guest);
        enum cpu_end end = cpu_ept_fault(p, fault);
        p->now += cycles;
        guest_settle(c->guest, end);
        guest_end_exits(c->guest, hv_fault_names[fault->kind]);
    }
}

void guest_exit(struct machine_core *c, unsigned reason, hv_cycles cycles)
{
    if (c->guest != NULL) {
        struct vmx_exit exit = {.reason = reason};
        struct processor *p = guest_begin_exits(c->guest);
        enum cpu_end end = (enum cpu_end)vmx_exit(p, &exit);
        p->now += cycles;
        guest_settle(c->guest, end);
        guest_end_exits(c->guest, hv_exit_name(reason));
    }
}

/* ---- Instructions ----------------------------------------------------------------------------------------------- */

/* By event: the instruction, and the register that holds the event's value. */
static const struct instruction_row {
    enum hv_event event;
    struct cpu_instruction instruction;
    enum cpu_register value;
} instruction_rows[] = {
    {HV_EVENT_CPUID, {.op = CPU_OP_cpuid}, CPU_RAX},
    {HV_EVENT_VMCALL, {.op = CPU_OP_vmcall}, CPU_RAX},
    {HV_EVENT_PORT_IN, {.op = CPU_OP_in, .size = 4}, CPU_RDX},
    {HV_EVENT_PORT_OUT, {.op = CPU_OP_out, .size = 4}, CPU_RDX},
    {HV_EVENT_MSR_READ, {.op = CPU_OP_rdmsr}, CPU_RCX},
    {HV_EVENT_MSR_WRITE, {.op = CPU_OP_wrmsr}, CPU_RCX},
    {HV_EVENT_TPR_WRITE, {.op = CPU_OP_mov_to_cr, .reg1 = CPU_RAX, .reg2 = 8}, CPU_RAX},
    {HV_EVENT_HLT, {.op = CPU_OP_hlt}, CPU_RAX},
};

void guest_instruction(struct machine_core *c, const struct hv_access *event)
{
    struct machine_guest *g = c->guest;
    for (size_t i = 0; g != NULL && i < HV_ARRAY_LEN(instruction_rows); i++) {
        const struct instruction_row *row = &instruction_rows[i];
        if (row->event == (enum hv_event)event->bytes) {
            struct processor *p = guest_begin_exits(g);
            struct cpu_instruction instruction = row->instruction;
            instruction.value = event->gva.v;
            guest_enter_kernel(g);
            p->state.registers[row->value] = event->gva.v;
            guest_settle(g, cpu_execute(p, &instruction));
            guest_end_exits(g, hv_event_rows[event->bytes].name);
        }
    }
}
