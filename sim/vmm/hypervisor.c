/* SPDX-License-Identifier: MIT */
#include "vmm/hypervisor.h"

#include "base/types.h"

#define RFLAGS_IF (UINT64_C(1) << 9)
#define BLOCKED_BY_STI_OR_MOV_SS UINT64_C(3)
#define EVENT_VALID (UINT64_C(1) << 31)
#define X2APIC_EOI 0x80bu
/* Exit qualification for I/O instructions, SDM Vol. 3C table 28-5 (27-5 in editions before 2022). */
#define IO_IN (UINT64_C(1) << 3)
enum { IO_PORT_SHIFT = 16 };

void hypervisor_init(struct hypervisor *h, const struct vmm_cost_params *cost)
{
    *h = (struct hypervisor){.cost = cost, .interrupts = {.waiting = -1, .device = -1}};
}

static uint64_t read(struct hv_cpu *cpu, uint32_t field)
{
    uint64_t value = 0;
    hv_vmread(cpu, field, &value);
    return value;
}

/* The instruction is emulated: the guest goes on behind it. */
static void skip(struct hv_cpu *cpu)
{
    uint64_t rip = read(cpu, HV_VMCS_guest_rip), length = read(cpu, HV_VMCS_exit_instruction_length);
    hv_vmwrite(cpu, HV_VMCS_guest_rip, rip + length);
}

/* ---- Interrupts ------------------------------------------------------------------------------------------------- */

static void set_window(struct hv_cpu *cpu, bool wanted)
{
    uint64_t bit = HV_BIT(HV_CONTROL_PRIMARY_interrupt_window_exiting), word = read(cpu, HV_VMCS_primary_controls);
    if (((word & bit) != 0) != wanted) {
        hv_vmwrite(cpu, HV_VMCS_primary_controls, word ^ bit);
    }
}

/* Whether the guest would take an interrupt now: SDM Vol. 3A "Masking Maskable Hardware Interrupts" (6.8.1). */
static bool interruptible(struct hv_cpu *cpu)
{
    return (read(cpu, HV_VMCS_guest_rflags) & RFLAGS_IF) != 0 &&
           (read(cpu, HV_VMCS_guest_interruptibility_state) & BLOCKED_BY_STI_OR_MOV_SS) == 0;
}

/* Injects what waits as soon as the guest can take it and has ended the one before. */
static void try_to_inject(struct hypervisor *h, struct hv_cpu *cpu)
{
    struct hypervisor_interrupts *i = &h->interrupts;
    if (i->waiting < 0 || i->in_service) {
        return;
    }
    if (!interruptible(cpu)) {
        set_window(cpu, true);
        return;
    }
    hv_vmwrite(cpu, HV_VMCS_entry_interruption_information, EVENT_VALID | (uint64_t)i->waiting);
    i->waiting = -1;
    i->in_service = true;
}

/* With virtual-interrupt delivery the processor injects: the hypervisor requests by RVI (SDM Vol. 3C 30.2; 29.2). */
static void request(struct hv_cpu *cpu, uint8_t vector)
{
    uint64_t status = read(cpu, HV_VMCS_guest_interrupt_status);
    if ((status & 255) < vector) {
        hv_vmwrite(cpu, HV_VMCS_guest_interrupt_status, (status & ~UINT64_C(255)) | vector);
    }
}

void hypervisor_inject(struct hypervisor *h, struct hv_cpu *cpu, uint8_t vector)
{
    hv_work(cpu, h->cost->inject_cycles);
    if (h->interrupts.delivery) {
        request(cpu, vector);
        return;
    }
    h->interrupts.waiting = vector;
    try_to_inject(h, cpu);
}

/* ---- Exits ------------------------------------------------------------------------------------------------------ */

static enum hypervisor_outcome emulate_cpuid(struct hypervisor *h, struct hv_cpu *cpu)
{
    hv_work(cpu, h->cost->cpuid_cycles);
    for (enum hv_register r = HV_RAX; r <= HV_RBX; r++) {
        hv_set(cpu, r, 0);
    }
    skip(cpu);
    return HYPERVISOR_RESUME;
}

static enum hypervisor_outcome answer_call(struct hypervisor *h, struct hv_cpu *cpu)
{
    hv_work(cpu, h->cost->vmcall_cycles);
    skip(cpu);
    return HYPERVISOR_RESUME;
}

static enum hypervisor_outcome emulate_port(struct hypervisor *h, struct hv_cpu *cpu)
{
    const uint64_t qualification = read(cpu, HV_VMCS_exit_qualification);
    const bool in = (qualification & IO_IN) != 0;
    h->access = (struct hypervisor_access){HYPERVISOR_PORT, qualification >> IO_PORT_SHIFT & UINT16_MAX};
    hv_work(cpu, h->cost->port_cycles + (in ? h->cost->decode_cycles : 0) +
            (h->cost->port_in_user_space ? h->cost->user_space_cycles : 0));
    if (in) {
        hv_set(cpu, HV_RAX, UINT32_MAX); /* nobody is at the port */
    }
    skip(cpu);
    return HYPERVISOR_RESUME;
}

static enum hypervisor_outcome emulate_msr(struct hypervisor *h, struct hv_cpu *cpu)
{
    bool eoi = (uint32_t)hv_get(cpu, HV_RCX) == X2APIC_EOI;
    hv_work(cpu, eoi ? h->cost->eoi_cycles : h->cost->msr_cycles);
    skip(cpu);
    if (eoi) {
        h->interrupts.in_service = false;
        try_to_inject(h, cpu);
    }
    return HYPERVISOR_RESUME;
}

static enum hypervisor_outcome emulate_control_register(struct hypervisor *h, struct hv_cpu *cpu)
{
    read(cpu, HV_VMCS_exit_qualification);
    hv_work(cpu, h->cost->control_register_cycles);
    skip(cpu);
    return HYPERVISOR_RESUME;
}

static enum hypervisor_outcome take_external(struct hypervisor *h, struct hv_cpu *cpu)
{
    int vector = (int)(read(cpu, HV_VMCS_exit_interruption_information) & 255);
    hv_work(cpu, h->cost->interrupt_cycles);
    hv_eoi(cpu);
    if (vector == h->interrupts.device) {
        hv_work(cpu, h->cost->interrupt_in_thread ? 2 * h->cost->process_switch_cycles : 0);
        hypervisor_inject(h, cpu, (uint8_t)vector);
    }
    return HYPERVISOR_RESUME;
}

static enum hypervisor_outcome open_window(struct hypervisor *h, struct hv_cpu *cpu)
{
    set_window(cpu, false);
    try_to_inject(h, cpu);
    return HYPERVISOR_RESUME;
}

static enum hypervisor_outcome halt(struct hypervisor *h, struct hv_cpu *cpu)
{
    hv_work(cpu, h->cost->hlt_cycles);
    skip(cpu);
    return HYPERVISOR_IDLE;
}

/*
 * A register of a device that is emulated: EPT says no more than its address, not even the instruction's length, so
 * that the instruction has to be fetched and decoded. MODEL: a stream has none; that costs its cycles, and RIP stays.
 */
static enum hypervisor_outcome find_register(struct hypervisor *h, struct hv_cpu *cpu)
{
    h->access = (struct hypervisor_access){HYPERVISOR_MEMORY, read(cpu, HV_VMCS_guest_physical_address)};
    hv_work(cpu, h->cost->decode_cycles);
    return HYPERVISOR_RESUME;
}

/* The table walk is the caller's: here are the reads that it begins with. */
static enum hypervisor_outcome note_violation(struct hypervisor *h, struct hv_cpu *cpu)
{
    (void)h;
    read(cpu, HV_VMCS_exit_qualification);
    read(cpu, HV_VMCS_guest_physical_address);
    return HYPERVISOR_RESUME;
}

static enum hypervisor_outcome only_dispatch(struct hypervisor *h, struct hv_cpu *cpu)
{
    (void)h;
    (void)cpu;
    return HYPERVISOR_RESUME;
}

static enum hypervisor_outcome ignore(struct hypervisor *h, struct hv_cpu *cpu)
{
    (void)h;
    skip(cpu);
    return HYPERVISOR_RESUME;
}

typedef enum hypervisor_outcome handler_fn(struct hypervisor *h, struct hv_cpu *cpu);

/* By basic exit reason; what is missing ends the guest. */
static handler_fn *const handlers[] = {
    [HV_EXIT_exception_or_nmi] = only_dispatch,
    [HV_EXIT_external_interrupt] = take_external,
    [HV_EXIT_interrupt_window] = open_window,
    [HV_EXIT_cpuid] = emulate_cpuid,
    [HV_EXIT_hlt] = halt,
    [HV_EXIT_invlpg] = ignore,
    [HV_EXIT_vmcall] = answer_call,
    [HV_EXIT_cr_access] = emulate_control_register,
    [HV_EXIT_io_instruction] = emulate_port,
    [HV_EXIT_rdmsr] = emulate_msr,
    [HV_EXIT_wrmsr] = emulate_msr,
    [HV_EXIT_pause] = ignore,
    [HV_EXIT_tpr_below_threshold] = only_dispatch,
    [HV_EXIT_virtualized_eoi] = only_dispatch,
    [HV_EXIT_ept_violation] = note_violation,
    [HV_EXIT_ept_misconfiguration] = find_register,
    [HV_EXIT_preemption_timer] = only_dispatch,
    [HV_EXIT_wbinvd] = ignore,
    [HV_EXIT_xsetbv] = ignore,
    [HV_EXIT_apic_write] = only_dispatch,
};

enum hypervisor_outcome hypervisor_handle(struct hypervisor *h, struct hv_cpu *cpu)
{
    uint64_t reason = read(cpu, HV_VMCS_exit_reason);
    h->access.space = HYPERVISOR_NOTHING;
    hv_work(cpu, h->cost->dispatch_cycles);
    if (reason >= HV_ARRAY_LEN(handlers) || handlers[reason] == NULL) {
        return HYPERVISOR_LOST;
    }
    return handlers[reason](h, cpu);
}
