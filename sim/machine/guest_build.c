/* SPDX-License-Identifier: MIT */
/* Making the guests of a core: controls, pages, a VMCS for each virtual processor, the first entry. */
#include "machine/guest_parts.h"

#include <stdlib.h>
#include <string.h>

#include "cpu/vmx/vmx_params.h"
#include "machine/guest_needs.h"
#include "vmm/vmcs_setup.h"

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
    uint8_t *bitmaps = physmem_pointer(&g->memory, (hv_hpa){guest_page(PAGE_MSR_BITMAPS)}, HV_PAGE_BYTES);
    for (unsigned i = 0; i < HV_PAGE_BYTES; i++) {
        bitmaps[i] = UINT8_MAX;
    }
    if (guest_interrupts_of(g) >= VCPU_INTERRUPTS_VIRTUAL) {
        allow_msr(bitmaps, BITMAP_WRITE, X2APIC_EOI);
    }
    if (guest_delivers_virtually(g)) {
        allow_msr(bitmaps, BITMAP_READ, X2APIC_TPR);
        allow_msr(bitmaps, BITMAP_WRITE, X2APIC_TPR);
    }
}

/* The I/O bitmaps: no port is the guest's own (SDM Vol. 3C 25.6.4; 24.6.4). */
static void write_io_bitmaps(struct machine_guest *g)
{
    memset(physmem_pointer(&g->memory, (hv_hpa){guest_page(PAGE_IO_BITMAP_A)}, 2 * HV_PAGE_BYTES), UINT8_MAX,
           2 * HV_PAGE_BYTES);
}

/* Without I/O bitmaps every access to a port exits, as all guests ask for that, too (vmcs_setup.c). */
static uint64_t io_bitmaps_if_there(struct machine_guest *g)
{
    const uint64_t wanted = BIT(PRIMARY, use_io_bitmaps);
    return vmcs_setup_allowed(&g->cpu, SETUP_PRIMARY, wanted) & wanted;
}

/* The controls by how interrupts reach the guest. Without MSR bitmaps every access to an MSR exits. */
static void choose_controls(struct machine_guest *g, struct vmcs_setup *s)
{
    s->more[SETUP_PIN] = BIT(PIN, external_interrupt_exiting);
    s->more[SETUP_PRIMARY] = guest_interrupts_of(g) >= VCPU_INTERRUPTS_VIRTUAL ? BIT(PRIMARY, use_msr_bitmaps) : 0;
    s->more[SETUP_PRIMARY] |= io_bitmaps_if_there(g);
    switch (guest_interrupts_of(g)) {
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
            return hv_fail(err, "vcpu.interrupts %s needs %s.%s, which vmx.without takes away; leave that out of it, "
                           "or choose another vcpu.interrupts",
                           vcpu_interrupts_names[guest_interrupts_of(g)], vmx_word_prefixes[words[w]], control->name);
        }
    }
    return true;
}

/* The descriptor of posted interrupts: bits 279:272 are the notification vector (apic/posted.h). */
static void write_apic_fields(struct machine_guest *g, uint32_t number)
{
    hv_hpa control = {g->vcpus[number].posted + 32};
    physmem_write64(&g->memory, control, (uint64_t)NOTIFICATION_VECTOR << 16);
    hv_vmwrite(&g->cpu, HV_VMCS_virtual_apic_address, guest_page_of_vcpu(number, PAGE_VIRTUAL_APIC));
    if (guest_interrupts_of(g) == VCPU_INTERRUPTS_POSTED) {
        hv_vmwrite(&g->cpu, HV_VMCS_posted_interrupt_descriptor_address, g->vcpus[number].posted);
        hv_vmwrite(&g->cpu, HV_VMCS_posted_interrupt_notification_vector, NOTIFICATION_VECTOR);
    }
    if (guest_interrupts_of(g) == VCPU_INTERRUPTS_DIRECT) {
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
    vcpu->vmcs = guest_page_of_vcpu(number, PAGE_VMCS);
    vcpu->posted = guest_page_of_vcpu(number, PAGE_POSTED);
    physmem_write64(&g->memory, (hv_hpa){vcpu->vmcs}, vmcs_setup_revision(&g->cpu));
    hv_vmclear(&g->cpu, vcpu->vmcs);
    hv_vmptrld(&g->cpu, vcpu->vmcs);
    choose_controls(g, &setup);
    vmcs_setup(&g->cpu, &setup);
    hv_vmwrite(&g->cpu, HV_VMCS_msr_bitmaps, guest_page(PAGE_MSR_BITMAPS));
    hv_vmwrite(&g->cpu, HV_VMCS_io_bitmap_a, guest_page(PAGE_IO_BITMAP_A));
    hv_vmwrite(&g->cpu, HV_VMCS_io_bitmap_b, guest_page(PAGE_IO_BITMAP_B));
    write_apic_fields(g, number);
    hypervisor_init(&vcpu->hypervisor, &g->core->machine->params.vmm_cost);
    const bool has_devices = g->core->machine->params.io.device != IO_DEVICE_NONE;
    vcpu->hypervisor.interrupts.device = DEVICE_VECTOR + (int)(has_devices ? number : 0);
    vcpu->hypervisor.interrupts.delivery = guest_delivers_virtually(g);
    return check_controls(g, &setup, err);
}

static bool deliver(void *ctx, uint8_t vector)
{
    struct machine_guest *g = ((struct cpu_apic *)ctx)->user;
    (void)vector;
    g->handling = true;
    return true;
}

static bool begin(struct machine_guest *g, struct hv_err *err)
{
    physmem_write64(&g->memory, (hv_hpa){guest_page(PAGE_VMXON)}, vmcs_setup_revision(&g->cpu));
    hv_vmxon(&g->cpu, guest_page(PAGE_VMXON));
    write_msr_bitmaps(g);
    write_io_bitmaps(g);
    for (uint32_t i = g->core->schedule.vcpu_count; i-- > 0;) {
        if (!make_vmcs(g, i, err)) { /* the first one last, so that it is current */
            return false;
        }
    }
    g->current = g->core->schedule.current;
    hv_vmptrld(&g->cpu, g->vcpus[g->current].vmcs);
    bool entered = guest_enter(g);
    guest_restore_context(g);
    g->cpu.p.vmx.stats = (struct vmx_stats){0}; /* time begins now */
    if (entered) {
        return true;
    }
    const char *rule = "a VM instruction failed";
    hv_broken_rules(&g->cpu, &rule, 1);
    return hv_fail(err, "a guest cannot be entered on this processor: %s; vmx.without takes away too much", rule);
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
        !physmem_init(&g->memory, guest_page_of_vcpu(c->schedule.vcpu_count, 0), err)) {
        guest_free(g);
        return NULL;
    }
    struct processor_config config = {
        .memory = &g->memory, .mmu = &c->mmu, .path = &c->path, .caps = &g->caps, .costs = &g->costs,
        .number = (unsigned)(c - c->machine->cores),
    };
    apic_bus_init(&g->bus, &params->apic);
    api_cpu_init(&g->cpu, &config, &g->bus);
    g->watch = params->check.vmx ? vmx_watch_new() : NULL;
    g->cpu.p.watch = g->watch;
    g->cpu.apic.user = g;
    g->cpu.wires.deliver = deliver;
    g->apic = g->cpu.wires.device;
    g->cpu.wires.device = guest_physical_access;
    if (!begin(g, err)) {
        guest_free(g);
        return NULL;
    }
    return g;
}

void guest_free(struct machine_guest *g)
{
    if (g != NULL) {
        vmx_watch_free(g->watch);
        physmem_fini(&g->memory);
        free(g->vcpus);
        free(g);
    }
}

size_t guest_report(const struct machine_core *c, FILE *out)
{
    return c->guest != NULL && c->guest->watch != NULL ? vmx_watch_report(c->guest->watch, out) : 0;
}
