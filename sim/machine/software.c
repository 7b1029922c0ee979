/* SPDX-License-Identifier: MIT */
#include "machine/software.h"

#include <stdlib.h>

#include "cpu/vmx/vmx.h"
#include "machine/guest.h"
#include "machine/io.h"

/* So many pages are invalidated one by one; more make flushing the process cheaper, as in Linux (33). */
enum { INVALIDATE_ONE_BY_ONE = 33 };

static struct machine_vcpu *vcpu_of(struct machine_core *c)
{
    return &c->schedule.vcpus[c->schedule.current];
}

static struct machine_task *task_of(struct machine_core *c)
{
    struct machine_vcpu *v = vcpu_of(c);
    return &v->tasks[v->current];
}

static struct vm *vm_of(struct machine_core *c)
{
    return &c->machine->vms[vcpu_of(c)->vm];
}

/* The number in its VM of the process that a core runs now. */
static uint32_t process_of(struct machine_core *c)
{
    const struct machine_task *t = task_of(c);
    return t->first_process + t->process;
}

/*
 * What the processor that runs now has seen of a process. With VPIDs each virtual processor has translations of its own,
 * which it follows by itself; without, all that runs on a core shares them.
 */
static struct machine_seen *seen_of(struct machine_core *c, uint32_t vm, uint32_t process)
{
    struct machine_vcpu *v = vcpu_of(c);
    return v->vpid != 0 ? &v->history[v->in_stream].processes[process]
                        : &c->schedule.seen[c->machine->first_process[vm] + process];
}

/* A virtual processor runs for the first time: it has cached nothing, so there is nothing to follow. */
static void begin_history(struct machine_core *c)
{
    struct machine_vcpu *v = vcpu_of(c);
    const struct vm *vm = vm_of(c);
    struct machine_seen **seen = &v->history[v->in_stream].processes;
    if (v->vpid == 0 || *seen != NULL) {
        return;
    }
    *seen = calloc(vm->config.processes, sizeof(**seen));
    HV_ASSERT(*seen != NULL, "out of memory");
    for (uint32_t i = 0; i < vm->config.processes; i++) {
        (*seen)[i].all_to = vm->processes[i].changes;
    }
}

/* Whether every change has been followed. */
static bool up_to_date(const struct machine_seen *seen, uint64_t changes)
{
    return seen->all_to + seen->more == changes;
}

/* Joins global time before something that others may see. A lone core has nobody to join. */
static void join(struct machine_core *c)
{
    if (c->join.wait != NULL) {
        c->join.wait(c->join.ctx, c->core.now);
    }
}

/* A VM exit with so much work of the hypervisor. MODEL: SVM's #VMEXIT, which NPT machines have, takes what VMX takes. */
static void make_exit(struct machine_core *c, unsigned reason, hv_cycles cycles, const char *why)
{
    const struct vmx_cost_params *hardware = &c->machine->params.vmx_cost;
    if (c->guest != NULL) {
        guest_exit(c, reason, cycles);
    } else {
        core_charge(&c->core, CORE_COST_EXIT, hardware->exit_cycles + cycles + hardware->entry_cycles, why);
    }
}

/* The hypervisor has worked for so many cycles, those of the VM exits that shadow page tables have caused among them. */
static void charge_exits(struct machine_core *c, hv_cycles cycles, const char *why)
{
    unsigned reason;
    hv_cycles each;
    while (vm_next_exit(vm_of(c), &reason, &each)) {
        cycles -= each;
        make_exit(c, reason, each, why);
    }
    if (cycles > 0) {
        core_charge(&c->core, CORE_COST_EXIT, cycles, why);
    }
}

/*
 * The hypervisor has changed how the present virtual processor's addresses translate: INVEPT, or where there are shadow
 * tables and nothing else, INVVPID; without VPIDs a VM entry does it. MODEL: INVVPID of all contexts, which takes the
 * translations of other VMs too, where a hypervisor could name the VPIDs of one VM.
 */
static void invalidate_host(struct machine_core *c)
{
    struct mmu *m = &c->mmu;
    struct mmu_regs regs = m->env.regs;
    if (regs.nested || regs.agile) {
        mmu_invept(m, MMU_INVEPT_CONTEXT, regs.eptp);
    } else if (regs.vpid != 0) {
        mmu_invvpid(m, MMU_INVVPID_ALL, 0, (hv_gva){0});
    } else {
        mmu_vm_transition(m, &regs);
    }
}

/* Invalidates in the present context what a change names; the guest's own instructions for that may exit. */
static void invalidate(struct machine_core *c, const struct vm_change *change)
{
    struct mmu *m = &c->mmu;
    hv_cycles exits = 0;
    if (change->flush == VM_FLUSH_HOST) {
        invalidate_host(c);
    } else if (change->pages > INVALIDATE_ONE_BY_ONE) {
        exits = vm_mov_cr3(vm_of(c), process_of(c));
        mmu_mov_cr3(m, m->env.regs.cr3);
    } else {
        exits = vm_invlpg(vm_of(c), process_of(c), change->start, change->pages);
        for (uint64_t i = 0; i < change->pages; i++) {
            mmu_invlpg(m, (hv_gva){change->start + i * HV_PAGE_BYTES});
        }
    }
    charge_exits(c, exits, "invalidation");
}

/* Whether a core runs, now, what a change is about. */
static bool runs(struct machine_core *c, const struct machine_interrupt *i)
{
    return c->schedule.vcpu_count > 0 && vcpu_of(c)->vm == i->vm &&
           (i->change.flush == VM_FLUSH_HOST || process_of(c) == i->process);
}

/* Notes that the processor that runs now has followed a change; of one before all_to it has been rid already. */
static void note_seen(struct machine_core *c, const struct machine_interrupt *i)
{
    struct machine_seen *seen =
        i->change.flush == VM_FLUSH_HOST ? &c->schedule.seen_host[i->vm] : seen_of(c, i->vm, i->process);
    seen->more += i->sequence > seen->all_to;
}

static void take(struct machine_core *c, const struct machine_interrupt *i)
{
    core_charge(&c->core, CORE_COST_INTERRUPT, c->machine->params.vmm_cost.shootdown_cycles, "shootdown");
    if (runs(c, i)) {
        invalidate(c, &i->change);
        note_seen(c, i);
    }
}

/* The core stops at its limit, or before when an interrupt arrives. */
static void set_horizon(struct machine_core *c)
{
    hv_cycles horizon = c->limit < c->sample_at ? c->limit : c->sample_at, device = guest_next_interrupt(c);
    horizon = device < horizon ? device : horizon;
    horizon = io_core_next(c) < horizon ? io_core_next(c) : horizon;
    for (size_t i = 0; i < c->schedule.interrupt_count; i++) {
        hv_cycles arrival = c->schedule.interrupts[i].arrival;
        horizon = arrival < horizon ? arrival : horizon;
    }
    c->core.horizon = horizon;
}

void software_set_limit(struct machine_core *c, hv_cycles limit)
{
    c->limit = limit;
    set_horizon(c);
}

/*
 * While an interrupt is on its way, the core may use the translations that it is about: the software that has changed
 * them waits for its acknowledgement before it relies on the change. Such a use is no stale one.
 */
static void set_stale_check(struct machine_core *c)
{
    c->mmu.check_stale = c->machine->params.check.stale && c->schedule.interrupt_count == 0;
}

void software_take_interrupts(struct machine_core *c)
{
    struct machine_schedule *s = &c->schedule;
    size_t kept = 0;
    if (guest_next_interrupt(c) <= c->core.now) {
        guest_take_interrupts(c);
        set_horizon(c);
    }
    if (io_core_next(c) <= c->core.now) {
        io_core_serve(c);
        set_horizon(c);
    }
    for (size_t i = 0; i < s->interrupt_count; i++) {
        if (s->interrupts[i].arrival <= c->core.now) {
            take(c, &s->interrupts[i]);
        } else {
            s->interrupts[kept++] = s->interrupts[i];
        }
    }
    if (kept != s->interrupt_count) {
        s->interrupt_count = kept;
        set_horizon(c);
        set_stale_check(c);
    }
}

static void post(struct machine_core *to, const struct machine_interrupt *interrupt)
{
    struct machine_schedule *s = &to->schedule;
    if (s->interrupt_count == s->interrupt_capacity) {
        s->interrupt_capacity = 2 * s->interrupt_capacity + 16;
        s->interrupts = realloc(s->interrupts, s->interrupt_capacity * sizeof(*s->interrupts));
        HV_ASSERT(s->interrupts != NULL, "out of memory");
    }
    s->interrupts[s->interrupt_count++] = *interrupt;
    to->core.horizon = interrupt->arrival < to->core.horizon ? interrupt->arrival : to->core.horizon;
    set_stale_check(to);
}

/* Makes the other cores that run what a change is about invalidate it, and waits for them. */
static void shoot_down(struct machine_core *c, const struct machine_interrupt *interrupt)
{
    struct machine *m = c->machine;
    uint64_t sent = 0;
    for (uint64_t i = 0; i < m->params.machine.cores; i++) {
        struct machine_core *other = &m->cores[i];
        if (other != c && !other->over && runs(other, interrupt)) {
            post(other, interrupt);
            sent++;
        }
    }
    if (sent > 0) {
        const struct vmm_cost_params *cost = &m->params.vmm_cost;
        m->vms[interrupt->vm].stats.shootdowns += sent;
        core_charge(&c->core, CORE_COST_INTERRUPT, cost->ipi_cycles + cost->shootdown_cycles,
                    "waiting for a shootdown");
    }
}

/* Invalidates what a change of the running VM names, on this core and on the others. */
static void spread(struct machine_core *c, uint32_t process, const struct vm_change *change)
{
    struct vm *vm = vm_of(c);
    struct machine_interrupt interrupt = {
        .arrival = c->core.now + c->machine->params.vmm_cost.ipi_cycles, .vm = vcpu_of(c)->vm, .process = process,
        .sequence = change->flush == VM_FLUSH_HOST ? ++vm->host_changes : ++vm->processes[process].changes,
        .change = *change,
    };
    if (runs(c, &interrupt)) {
        invalidate(c, change);
        note_seen(c, &interrupt);
    }
    shoot_down(c, &interrupt);
}

/* A mapping of a process of the running VM has changed. */
static void apply(struct machine_core *c, uint32_t process, const struct vm_change *change, const char *why)
{
    core_charge(&c->core, CORE_COST_FAULT, change->guest_cycles, why);
    charge_exits(c, change->host_cycles, why);
    if (change->host_too) {
        spread(c, process, &(struct vm_change){.flush = VM_FLUSH_HOST});
    }
    if (change->flush != VM_FLUSH_NONE) {
        spread(c, process, change);
    }
}

static bool is_of_second_level(const struct hv_fault *fault)
{
    return fault->kind == HV_FAULT_VIOLATION || fault->kind == HV_FAULT_MISCONFIG || fault->kind == HV_FAULT_NESTED_PAGE;
}

/* The hypervisor has handled a fault. */
static void charge_hypervisor(struct machine_core *c, const struct hv_fault *fault, struct vm_fault_reply *reply)
{
    const char *why = hv_fault_names[fault->kind];
    if (!is_of_second_level(fault)) {
        charge_exits(c, reply->exit_cycles + (reply->exit ? reply->cycles : 0), why);
        return;
    }
    charge_exits(c, reply->exit_cycles, why);
    if (c->guest != NULL) {
        guest_fault(c, fault, reply->cycles);
    } else {
        make_exit(c, VMX_EXIT_ept_violation, reply->cycles, why);
    }
}

static struct core_fault_reply handle_fault(void *ctx, const struct hv_fault *fault, hv_cycles now)
{
    struct machine_core *c = ctx;
    (void)now;
    join(c);
    struct vm_fault_reply reply = vm_handle_fault(vm_of(c), process_of(c), fault);
    charge_hypervisor(c, fault, &reply);
    if (reply.change.flush != VM_FLUSH_NONE || reply.change.host_too) {
        apply(c, process_of(c), &reply.change, hv_fault_names[fault->kind]);
    }
    return (struct core_fault_reply){reply.resolved, reply.exit ? 0 : reply.cycles, CORE_COST_FAULT};
}

/* The registers of the present task. */
static struct mmu_regs regs_of(struct machine_core *c)
{
    return vm_regs(vm_of(c), process_of(c), vcpu_of(c)->vpid);
}

void software_begin(struct machine_core *c)
{
    struct mmu_regs regs = regs_of(c);
    begin_history(c);
    mmu_set_context(&c->mmu, &regs);
}

static void note_process(struct machine_core *c)
{
    uint32_t number = c->machine->first_process[vcpu_of(c)->vm] + process_of(c);
    if (c->core.activity != NULL) {
        activity_switch(c->core.activity, ACTIVITY_PROCESS, number, c->core.now);
    }
}

void software_note_running(struct machine_core *c)
{
    note_process(c);
    if (c->core.activity != NULL && vm_of(c)->nested) {
        activity_switch(c->core.activity, ACTIVITY_VCPU, vcpu_of(c)->number, c->core.now);
    }
}

/* Loads CR3; the PCID keeps its translations unless something was invalidated while it was away. */
static void load_cr3(struct machine_core *c)
{
    struct vm *vm = vm_of(c);
    uint64_t changes = vm->processes[process_of(c)].changes;
    struct machine_seen *seen = seen_of(c, vcpu_of(c)->vm, process_of(c));
    bool late = !up_to_date(seen, changes), keep = vm->config.pcid && !late;
    vm->stats.late_flushes += late;
    *seen = (struct machine_seen){.all_to = changes};
    charge_exits(c, vm_mov_cr3(vm, process_of(c)), "MOV to CR3");
    mmu_mov_cr3(&c->mmu, regs_of(c).cr3 | (keep ? UINT64_C(1) << 63 : 0));
    guest_loaded_cr3(c, regs_of(c).cr3);
}

static void enter_process(struct machine_core *c)
{
    vm_of(c)->stats.process_switches++;
    core_charge(&c->core, CORE_COST_FAULT, c->machine->params.vmm_cost.process_switch_cycles, "process switch");
    load_cr3(c);
    note_process(c);
}

void software_switch_process(struct machine_core *c, uint32_t task)
{
    join(c);
    vcpu_of(c)->current = task;
    enter_process(c);
}

/* A VM exit to the hypervisor, in VMX root operation with VPID 0, and the entry to the present virtual processor. */
static void exit_and_enter(struct machine_core *c)
{
    struct vm *vm = vm_of(c);
    struct mmu_regs root = c->mmu.env.regs, guest = regs_of(c);
    root.nested = false;
    root.vpid = 0;
    vm->stats.vcpu_switches++;
    if (c->guest != NULL) {
        guest_switch(c, &guest);
    } else {
        make_exit(c, VMX_EXIT_external_interrupt, c->machine->params.vmm_cost.vcpu_switch_cycles,
                  "virtual processor switch");
        mmu_vm_transition(&c->mmu, &root);
        mmu_vm_transition(&c->mmu, &guest);
    }
    struct machine_seen *seen = &c->schedule.seen_host[vcpu_of(c)->vm];
    if (!up_to_date(seen, vm->host_changes)) {
        vm->stats.late_flushes++;
        invalidate_host(c);
    }
    *seen = (struct machine_seen){.all_to = vm->host_changes};
    begin_history(c);
    if (!up_to_date(seen_of(c, vcpu_of(c)->vm, process_of(c)), vm->processes[process_of(c)].changes)) {
        load_cr3(c);
    }
    software_note_running(c);
}

void software_switch_vcpu(struct machine_core *c, uint32_t vcpu)
{
    join(c);
    c->schedule.current = vcpu;
    if (vm_of(c)->nested) {
        exit_and_enter(c);
    } else {
        enter_process(c);
    }
}

/*
 * A stream says that another of its virtual processors goes on: their VPIDs follow each other at a distance. MODEL: with
 * more than 65535 of them in all machines some share a VPID, as on a processor that has no more.
 */
static void switch_vcpu_in_stream(struct machine_core *c, uint64_t number)
{
    struct machine_vcpu *v = vcpu_of(c);
    v->number = (uint32_t)(v->first_number + number * c->machine->vpid_step);
    if (v->vpid != 0) {
        v->in_stream = (uint32_t)number;
        v->vpid = (uint16_t)(v->number % UINT16_MAX + 1);
    }
    if (vm_of(c)->nested) {
        exit_and_enter(c);
    }
}

uint64_t software_scan(struct machine_core *c)
{
    join(c);
    struct vm_change change = vm_scan(vm_of(c));
    apply(c, process_of(c), &change, "scan of nested tables");
    return vm_scan_interval(vm_of(c));
}

static void carry_out(void *ctx, const struct hv_access *event)
{
    struct machine_core *c = ctx;
    struct machine_task *t = task_of(c);
    join(c);
    switch ((enum hv_event)event->bytes) {
    case HV_EVENT_PROCESS:
        t->process = event->gva.v < t->processes ? (uint32_t)event->gva.v : t->process;
        enter_process(c);
        return;
    case HV_EVENT_VCPU:
        switch_vcpu_in_stream(c, event->gva.v);
        return;
    case HV_EVENT_CPUID:
    case HV_EVENT_VMCALL:
    case HV_EVENT_PORT_IN:
    case HV_EVENT_PORT_OUT:
    case HV_EVENT_MSR_READ:
    case HV_EVENT_MSR_WRITE:
    case HV_EVENT_TPR_WRITE:
    case HV_EVENT_HLT:
        guest_instruction(c, event);
        return;
    default: {
        uint32_t process = t->first_process + (event->asid < t->processes ? event->asid : t->process);
        struct vm_change change = vm_event(vm_of(c), process, event);
        apply(c, process, &change, hv_event_rows[event->bytes].name);
    }
    }
}

struct core_software software_of(struct machine_core *c)
{
    return (struct core_software){handle_fault, carry_out, c};
}
