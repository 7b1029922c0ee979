/* SPDX-License-Identifier: MIT */
#include "machine/guest.h"

#include <stdlib.h>

#include "api/api.h"
#include "cpu/execute/ept.h"
#include "cpu/execute/events.h"
#include "cpu/execute/execute.h"
#include "cpu/vmx/vmx_params.h"
#include "machine/guest_needs.h"
#include "vmm/hypervisor.h"
#include "vmm/vmcs_setup.h"

enum {
    TIMER_VECTOR = 0xec,        /* the host's own timer */
    NOTIFICATION_VECTOR = 0xf2, /* of posted interrupts */
    DEVICE_VECTOR = 0x51,       /* a device of the guest's */
    X2APIC_TPR = 0x808, X2APIC_EOI = 0x80b,
    EVENTS_MAX = 1000,          /* exits in a row, one causing the next: a bug */
};

/* The hypervisor's pages: those of the core, then those of each virtual processor. Page 0 is nobody's. */
enum { PAGE_VMXON = 1, PAGE_MSR_BITMAPS, PAGES_OF_CORE };
enum { PAGE_VMCS, PAGE_VIRTUAL_APIC, PAGE_POSTED, PAGES_OF_VCPU };

#define CR3_ADDRESS UINT64_C(0x000fffffffffffff) /* without what agile paging marks it with */
#define RFLAGS_IF (UINT64_C(1) << 9)
#define BIT(word, name) HV_BIT(HV_CONTROL_##word##_##name)

/* What the guest of one virtual processor is to VMX. */
struct guest_vcpu {
    uint64_t vmcs, posted; /* the VMCS, the posted-interrupt descriptor */
    bool launched;
    struct hypervisor hypervisor;
};

struct machine_guest {
    struct machine_core *core;
    struct hv_cpu cpu;
    struct apic_bus bus;       /* MODEL: of this core alone, as streams send no interrupts to each other */
    struct physmem memory;     /* of the hypervisor's structures */
    struct vmx_caps caps;
    struct vmx_costs costs;
    struct guest_vcpu *vcpus;  /* by the schedule's number */
    uint32_t current;
    hv_cycles next_interrupt;  /* of the device; UINT64_MAX: it has none */
    bool handling;             /* the guest has taken the device's interrupt and not ended it */
    bool in_kernel;            /* the guest is in ring 0; what CS and SS were before is kept */
    struct cpu_segment user_code, user_stack;
    struct mmu_regs regs;      /* of the guest: the MMU has them whenever the core runs */
    hv_cycles handler_cycles;  /* of the guest's interrupt handlers, since begin_exits() */
};

static const struct vcpu_params *vcpu_params(const struct machine_guest *g)
{
    return &g->core->machine->params.vcpu;
}

static enum vcpu_interrupts interrupts_of(const struct machine_guest *g)
{
    return (enum vcpu_interrupts)vcpu_params(g)->interrupts;
}

static bool delivers_virtually(const struct machine_guest *g)
{
    return interrupts_of(g) == VCPU_INTERRUPTS_VIRTUAL || interrupts_of(g) == VCPU_INTERRUPTS_POSTED;
}

static uint64_t page(uint64_t number)
{
    return number * HV_PAGE_BYTES;
}

static uint64_t page_of_vcpu(uint32_t vcpu, unsigned which)
{
    return page(PAGES_OF_CORE + (uint64_t)vcpu * PAGES_OF_VCPU + which);
}

/* ---- Building --------------------------------------------------------------------------------------------------- */

enum { BITMAP_READ = 0, BITMAP_WRITE = 2048 }; /* of MSRs 0 to 1FFFH, in the page of the bitmaps */

static void allow_msr(uint8_t *bitmaps, unsigned bitmap, unsigned index)
{
    bitmaps[bitmap + index / 8] &= (uint8_t)~(1u << index % 8);
}

/*
 * The MSR bitmaps: all exit but those that the guest may have for itself (SDM Vol. 3C 25.6.9; 24.6.9). With APICv
 * these are the virtual APIC's; with direct delivery EOI alone, of the physical one, as ELI exposes it.
 */
static void write_msr_bitmaps(struct machine_guest *g)
{
    uint8_t *bitmaps = physmem_pointer(&g->memory, (hv_hpa){page(PAGE_MSR_BITMAPS)}, HV_PAGE_BYTES);
    for (unsigned i = 0; i < HV_PAGE_BYTES; i++) {
        bitmaps[i] = UINT8_MAX;
    }
    if (interrupts_of(g) >= VCPU_INTERRUPTS_VIRTUAL) {
        allow_msr(bitmaps, BITMAP_WRITE, X2APIC_EOI);
    }
    if (delivers_virtually(g)) {
        allow_msr(bitmaps, BITMAP_READ, X2APIC_TPR);
        allow_msr(bitmaps, BITMAP_WRITE, X2APIC_TPR);
    }
}

/* The controls by how interrupts reach the guest. Without MSR bitmaps every access to an MSR exits. */
static void choose_controls(const struct machine_guest *g, struct vmcs_setup *s)
{
    s->more[SETUP_PIN] = BIT(PIN, external_interrupt_exiting);
    s->more[SETUP_PRIMARY] = interrupts_of(g) >= VCPU_INTERRUPTS_VIRTUAL ? BIT(PRIMARY, use_msr_bitmaps) : 0;
    switch (interrupts_of(g)) {
    case VCPU_INTERRUPTS_EMULATED:
        s->more[SETUP_PRIMARY] |= BIT(PRIMARY, cr8_load_exiting) | BIT(PRIMARY, cr8_store_exiting);
        break;
    case VCPU_INTERRUPTS_POSTED:
        s->more[SETUP_PIN] |= BIT(PIN, process_posted_interrupts);
        /* fallthrough */
    case VCPU_INTERRUPTS_VIRTUAL:
        s->more[SETUP_SECONDARY] |= BIT(SECONDARY, virtualize_x2apic_mode) |
                                    BIT(SECONDARY, virtual_interrupt_delivery) |
                                    BIT(SECONDARY, apic_register_virtualization);
        /* fallthrough */
    case VCPU_INTERRUPTS_TPR_SHADOW:
        s->more[SETUP_PRIMARY] |= BIT(PRIMARY, use_tpr_shadow);
        break;
    case VCPU_INTERRUPTS_DIRECT:
        s->more[SETUP_PRIMARY] |= BIT(PRIMARY, use_tpr_shadow);
        s->more[SETUP_PIN] = BIT(PIN, activate_preemption_timer);
        s->fewer[SETUP_PIN] = BIT(PIN, external_interrupt_exiting);
        break;
    }
}

/* A control that was asked for and that the processor does not have: the parameters' fault. */
static bool check_controls(struct machine_guest *g, const struct vmcs_setup *s, struct hv_err *err)
{
    static const enum vmx_word words[SETUP_WORDS] = {VMX_PIN, VMX_PRIMARY, VMX_SECONDARY, VMX_EXIT, VMX_ENTRY};
    for (unsigned w = 0; w < SETUP_WORDS; w++) {
        uint64_t missing = s->more[w] & ~vmcs_setup_allowed(&g->cpu, (enum vmcs_setup_word)w, s->more[w]);
        if (missing != 0) {
            const struct vmx_control *control = vmx_control_at(words[w], (unsigned)__builtin_ctzll(missing));
            return hv_fail(err, "vcpu.interrupts %s needs %s.%s, which this processor lacks; give it back "
                           "what vmx.without takes away, or choose another way",
                           vcpu_interrupts_names[interrupts_of(g)], vmx_word_prefixes[words[w]], control->name);
        }
    }
    return true;
}

/* The descriptor of posted interrupts: bits 279:272 are the notification vector (apic/posted.h). */
static void write_apic_fields(struct machine_guest *g, uint32_t number)
{
    hv_hpa control = {g->vcpus[number].posted + 32};
    physmem_write64(&g->memory, control, (uint64_t)NOTIFICATION_VECTOR << 16);
    hv_vmwrite(&g->cpu, HV_VMCS_virtual_apic_address, page_of_vcpu(number, PAGE_VIRTUAL_APIC));
    if (interrupts_of(g) == VCPU_INTERRUPTS_POSTED) {
        hv_vmwrite(&g->cpu, HV_VMCS_posted_interrupt_descriptor_address, g->vcpus[number].posted);
        hv_vmwrite(&g->cpu, HV_VMCS_posted_interrupt_notification_vector, NOTIFICATION_VECTOR);
    }
    if (interrupts_of(g) == VCPU_INTERRUPTS_DIRECT) {
        hv_vmwrite(&g->cpu, HV_VMCS_vmx_preemption_timer_value, UINT32_MAX);
    }
}

/* A VMCS for a virtual processor of the schedule, current afterwards. */
static bool make_vmcs(struct machine_guest *g, uint32_t number, struct hv_err *err)
{
    const struct machine_vcpu *v = &g->core->schedule.vcpus[number];
    const struct machine_task *t = &v->tasks[v->current];
    struct mmu_regs regs = vm_regs(&g->core->machine->vms[v->vm], t->first_process + t->process, v->vpid);
    struct vmcs_setup setup = {
        .eptp = regs.nested ? regs.eptp : 0, .vpid = v->vpid, .cr3 = regs.cr3 & CR3_ADDRESS, .cr4 = regs.cr4,
        .rflags = RFLAGS_IF, .user = regs.user,
    };
    struct guest_vcpu *vcpu = &g->vcpus[number];
    vcpu->vmcs = page_of_vcpu(number, PAGE_VMCS);
    vcpu->posted = page_of_vcpu(number, PAGE_POSTED);
    physmem_write64(&g->memory, (hv_hpa){vcpu->vmcs}, vmcs_setup_revision(&g->cpu));
    hv_vmclear(&g->cpu, vcpu->vmcs);
    hv_vmptrld(&g->cpu, vcpu->vmcs);
    choose_controls(g, &setup);
    vmcs_setup(&g->cpu, &setup);
    hv_vmwrite(&g->cpu, HV_VMCS_msr_bitmaps, page(PAGE_MSR_BITMAPS));
    write_apic_fields(g, number);
    hypervisor_init(&vcpu->hypervisor, &g->core->machine->params.vmm_cost);
    vcpu->hypervisor.interrupts.device = DEVICE_VECTOR;
    vcpu->hypervisor.interrupts.delivery = delivers_virtually(g);
    return check_controls(g, &setup, err);
}

/* Enters the current virtual processor. That its VMCS does not go is the parameters' fault: a feature is missing. */
static bool enter(struct machine_guest *g)
{
    struct guest_vcpu *v = &g->vcpus[g->current];
    struct vmx_stats *s = &g->core->vmx_stats;
    enum hv_end end = api_enter(&g->cpu, v->launched ? HV_OP_vmresume : HV_OP_vmlaunch);
    v->launched = true;
    s->entries += end == HV_SUCCEEDED;
    s->entry_failures += end != HV_SUCCEEDED;
    return end == HV_SUCCEEDED;
}

/* The guest has been entered again after a VM exit that began at a time: counts the round trip. */
static void count_round_trip(struct machine_guest *g, hv_cycles exited_at)
{
    struct vmx_stats *s = &g->core->vmx_stats;
    const struct vmx *x = &g->cpu.p.vmx;
    struct vmx_reason_stats *of = &s->reasons[x->exit.reason & 0xffff];
    hv_cycles cycles = g->cpu.p.now - exited_at;
    s->exits++;
    s->exit_cycles += cycles;
    of->count++;
    of->cycles += cycles;
}

static bool deliver(void *ctx, uint8_t vector)
{
    struct machine_guest *g = ((struct cpu_apic *)ctx)->user;
    (void)vector;
    g->handling = true;
    return true;
}

/* The MMU has the guest's registers again, of which the processor may not have VPIDs. */
static void restore_context(struct machine_guest *g)
{
    struct mmu_regs regs = g->regs;
    regs.vpid = VMX_ON(&g->cpu.p, SECONDARY, enable_vpid) ? regs.vpid : 0;
    mmu_set_context(&g->core->mmu, &regs);
}

static bool begin(struct machine_guest *g, struct hv_err *err)
{
    physmem_write64(&g->memory, (hv_hpa){page(PAGE_VMXON)}, vmcs_setup_revision(&g->cpu));
    hv_vmxon(&g->cpu, page(PAGE_VMXON));
    write_msr_bitmaps(g);
    for (uint32_t i = g->core->schedule.vcpu_count; i-- > 0;) {
        if (!make_vmcs(g, i, err)) { /* the first one last, so that it is current */
            return false;
        }
    }
    g->current = g->core->schedule.current;
    hv_vmptrld(&g->cpu, g->vcpus[g->current].vmcs);
    bool entered = enter(g);
    restore_context(g);
    g->core->vmx_stats = (struct vmx_stats){0}; /* time begins now */
    if (entered) {
        return true;
    }
    const char *rule = "a VM instruction failed";
    hv_broken_rules(&g->cpu, &rule, 1);
    return hv_fail(err, "a guest cannot be entered on this processor: %s; give it back what vmx.without takes "
                   "away", rule);
}

struct machine_guest *guest_new(struct machine_core *c, struct hv_err *err)
{
    const struct machine_params *params = &c->machine->params;
    struct machine_guest *g = calloc(1, sizeof(*g));
    HV_ASSERT(g != NULL, "out of memory");
    g->core = c;
    g->regs = c->mmu.env.regs;
    g->vcpus = calloc(c->schedule.vcpu_count, sizeof(*g->vcpus));
    HV_ASSERT(g->vcpus != NULL, "out of memory");
    g->costs = vmx_params_costs(&params->vmx_cost);
    uint64_t interval = params->vcpu.interrupt_interval_cycles;
    g->next_interrupt = interval == 0 ? UINT64_MAX : interval;
    if (!vmx_params_caps(&params->vmx, (unsigned)params->mmu.physical_bits, true, &g->caps, err) ||
        !guest_needs_check(&g->caps, params, err) ||
        !physmem_init(&g->memory, page_of_vcpu(c->schedule.vcpu_count, 0), err)) {
        guest_free(g);
        return NULL;
    }
    struct processor_config config = {
        .memory = &g->memory, .mmu = &c->mmu, .path = NULL, .caps = &g->caps, .costs = &g->costs,
        .number = (unsigned)(c - c->machine->cores),
    };
    apic_bus_init(&g->bus, &params->apic);
    api_cpu_init(&g->cpu, &config, &g->bus);
    g->cpu.apic.user = g;
    g->cpu.wires.deliver = deliver;
    if (!begin(g, err)) {
        guest_free(g);
        return NULL;
    }
    return g;
}

void guest_free(struct machine_guest *g)
{
    if (g != NULL) {
        physmem_fini(&g->memory);
        free(g->vcpus);
        free(g);
    }
}

struct vmx *guest_vmx(struct machine_guest *g)
{
    return g == NULL ? NULL : &g->cpu.p.vmx;
}

/* ---- Between the core's clock and the processor's --------------------------------------------------------------- */

/*
 * From here on the processor's clock runs, until end_exits() hands what it has counted to the core. The MMU's
 * registers are kept: those of agile paging are more than a VMCS holds.
 */
static struct processor *begin_exits(struct machine_guest *g)
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

/* The guest's kernel takes over: ring 0, whose registers are its own. */
static void enter_kernel(struct machine_guest *g)
{
    struct cpu_state *s = &g->cpu.p.state;
    if (!g->in_kernel) {
        g->in_kernel = true;
        g->user_code = s->segments[CPU_CS];
        g->user_stack = s->segments[CPU_SS];
        to_ring_0(&s->segments[CPU_CS]);
        to_ring_0(&s->segments[CPU_SS]);
    }
}

static void leave_kernel(struct machine_guest *g)
{
    if (g->in_kernel) {
        g->in_kernel = false;
        g->cpu.p.state.segments[CPU_CS] = g->user_code;
        g->cpu.p.state.segments[CPU_SS] = g->user_stack;
    }
}

/* What the APICs have counted becomes the core's; both are structs of counters alone. */
static void move_counts(void *to, void *from, size_t bytes)
{
    uint64_t *sum = to, *counts = from;
    for (size_t i = 0; i < bytes / sizeof(*sum); i++) {
        sum[i] += counts[i];
        counts[i] = 0;
    }
}

static void end_exits(struct machine_guest *g, const char *what)
{
    struct machine_core *c = g->core;
    leave_kernel(g);
    move_counts(&c->apic_stats, &g->cpu.local.stats, sizeof(c->apic_stats));
    move_counts(&c->vapic_stats, &g->cpu.apic.vapic.stats, sizeof(c->vapic_stats));
    restore_context(g);
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
    p->now += vcpu_params(g)->interrupt_handler_cycles;
    enter_kernel(g);
    p->state.registers[CPU_RCX] = X2APIC_EOI;
    p->state.registers[CPU_RAX] = p->state.registers[CPU_RDX] = 0;
    enum cpu_end end = cpu_execute(p, &(struct cpu_instruction){.op = CPU_OP_wrmsr});
    HV_ASSERT(end != CPU_RAISED, "the guest's EOI has raised vector %u", p->raised.vector);
    g->handler_cycles += end == CPU_COMPLETED ? p->now - began : vcpu_params(g)->interrupt_handler_cycles;
    return end;
}

/* Handles a VM exit, and enters the guest again. */
static void handle_exit(struct machine_guest *g)
{
    const char *why = hv_exit_name(g->cpu.p.vmx.exit.reason);
    hv_cycles exited_at = g->cpu.p.vmx.exited_at;
    enum hypervisor_outcome outcome = hypervisor_handle(&g->vcpus[g->current].hypervisor, &g->cpu);
    HV_ASSERT(outcome != HYPERVISOR_LOST, "no way to go on after VM exit %s", why);
    if (outcome == HYPERVISOR_IDLE && g->next_interrupt != UINT64_MAX) {
        g->cpu.p.now = g->next_interrupt > g->cpu.p.now ? g->next_interrupt : g->cpu.p.now;
    }
    bool entered = enter(g);
    HV_ASSERT(entered, "VM entry failed after VM exit %s", why);
    count_round_trip(g, exited_at);
}

/*
 * Until the guest runs on undisturbed: handles exits and enters again, and takes what waits between instructions,
 * which may exit in turn.
 */
static void settle(struct machine_guest *g, enum cpu_end end)
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
        struct processor *p = begin_exits(c->guest);
        enum cpu_end end = cpu_ept_fault(p, fault);
        p->now += cycles;
        settle(c->guest, end);
        end_exits(c->guest, hv_fault_names[fault->kind]);
    }
}

void guest_exit(struct machine_core *c, unsigned reason, hv_cycles cycles)
{
    if (c->guest != NULL) {
        struct vmx_exit exit = {.reason = reason};
        struct processor *p = begin_exits(c->guest);
        enum cpu_end end = (enum cpu_end)vmx_exit(p, &exit);
        p->now += cycles;
        settle(c->guest, end);
        end_exits(c->guest, hv_exit_name(reason));
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
            struct processor *p = begin_exits(g);
            struct cpu_instruction instruction = row->instruction;
            instruction.value = event->gva.v;
            enter_kernel(g);
            p->state.registers[row->value] = event->gva.v;
            settle(g, cpu_execute(p, &instruction));
            end_exits(g, hv_event_rows[event->bytes].name);
        }
    }
}

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
    if (interrupts_of(g) == VCPU_INTERRUPTS_DIRECT) {
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
    struct processor *p = begin_exits(g);
    end_turn(g);
    enum cpu_end end = cpu_between(p);
    if (end == CPU_EXITED) {
        hv_cycles exited_at = p->vmx.exited_at;
        hypervisor_handle(&g->vcpus[g->current].hypervisor, &g->cpu);
        p->now += c->machine->params.vmm_cost.vcpu_switch_cycles;
        g->current = c->schedule.current;
        hv_vmptrld(&g->cpu, g->vcpus[g->current].vmcs);
        prepare(g, regs);
        bool entered = enter(g);
        HV_ASSERT(entered, "VM entry of another virtual processor failed");
        count_round_trip(g, exited_at);
        end = CPU_COMPLETED;
    }
    g->regs = *regs;
    settle(g, end);
    end_exits(g, "virtual processor switch");
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
    if (interrupts_of(g) != VCPU_INTERRUPTS_POSTED) {
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
    hv_cycles interval = vcpu_params(g)->interrupt_interval_cycles;
    g->next_interrupt += ((c->core.now - g->next_interrupt) / interval + 1) * interval;
    begin_exits(g);
    interrupt(g);
    settle(g, CPU_COMPLETED);
    end_exits(g, "device interrupt");
    g->next_interrupt = g->next_interrupt > c->core.now ? g->next_interrupt : c->core.now + 1;
}
