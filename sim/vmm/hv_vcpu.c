/* SPDX-License-Identifier: MIT */
/* The small layer's virtual processors: a VMCS each, made ready and entered by the calls of hvsim.h. */
#include <stdlib.h>

#include "base/err.h"
#include "vmm/hv_vm.h"
#include "vmm/vmcs_setup.h"

#define EPTP_FOUR_LEVELS (UINT64_C(3) << 3)
#define EPTP_WRITE_BACK UINT64_C(6)
#define INVEPT_SINGLE_CONTEXT 1

enum { PROGRAMS_MAX = 16 };

struct program {
    uint64_t rip;
    const struct hv_operation *operations;
    size_t count;
};

struct hv_vcpu {
    struct hv_vm *vm;
    struct hv_cpu *cpu;
    struct hv_vcpu *next;
    uint64_t vmcs;
    uint64_t registers[HV_R15 + 1]; /* while it does not run; RSP is in the VMCS */
    struct program programs[PROGRAMS_MAX];
    size_t program_count;
    bool launched;
    bool has_tables; /* CR3 is the VM's page tables, or what the user has set */
};

uint64_t hv_vm_eptp(const struct hv_vm *vm)
{
    return vm->ept | EPTP_FOUR_LEVELS | EPTP_WRITE_BACK;
}

void hv_vm_invalidate(struct hv_vm *vm)
{
    for (struct hv_vcpu *v = vm->vcpus; v != NULL; v = v->next) {
        hv_invept(v->cpu, INVEPT_SINGLE_CONTEXT, hv_vm_eptp(vm));
    }
}

/* Makes the processor's current VMCS that of v. */
static void select_vmcs(struct hv_vcpu *v)
{
    uint64_t current = UINT64_MAX;
    if (hv_vmptrst(v->cpu, &current) != HV_SUCCEEDED || current != v->vmcs) {
        hv_vmptrld(v->cpu, v->vmcs);
    }
}

/* VMXON, unless the processor is in VMX operation already, which VMXON says by failing. */
static bool begin_vmx(struct hv_vm *vm, struct hv_cpu *c, uint32_t revision)
{
    uint64_t region = hv_pages(vm->machine, 1);
    if (region == HV_NO_MEMORY || !hv_write(vm->machine, region, &revision, sizeof(revision))) {
        return false;
    }
    enum hv_end end = hv_vmxon(c, region);
    return end == HV_SUCCEEDED || end == HV_FAILED_INVALID || end == HV_FAILED_VALID;
}

/* VPIDs are tags: the page of its VMCS is a number that no other virtual processor has. */
static uint16_t vpid_of(const struct hv_vcpu *v)
{
    return (uint16_t)(v->vmcs / HV_PAGE_BYTES % UINT16_MAX + 1);
}

static bool make_vmcs(struct hv_vcpu *v, uint32_t revision)
{
    v->vmcs = hv_pages(v->vm->machine, 1);
    if (v->vmcs == HV_NO_MEMORY || !hv_write(v->vm->machine, v->vmcs, &revision, sizeof(revision)) ||
        hv_vmclear(v->cpu, v->vmcs) != HV_SUCCEEDED || hv_vmptrld(v->cpu, v->vmcs) != HV_SUCCEEDED) {
        return false;
    }
    vmcs_setup(v->cpu, &(struct vmcs_setup){.eptp = hv_vm_eptp(v->vm), .vpid = vpid_of(v)});
    return true;
}

struct hv_vcpu *hv_vcpu_new(struct hv_vm *vm, struct hv_cpu *cpu)
{
    if (vm == NULL || cpu == NULL) { /* as what made them has told */
        return NULL;
    }
    struct hv_vcpu *v = calloc(1, sizeof(*v));
    HV_ASSERT(v != NULL, "out of memory");
    v->vm = vm;
    v->cpu = cpu;
    uint32_t revision = vmcs_setup_revision(cpu);
    if (!begin_vmx(vm, cpu, revision) || !make_vmcs(v, revision)) {
        free(v);
        return NULL;
    }
    v->next = vm->vcpus;
    vm->vcpus = v;
    return v;
}

void hv_vm_free(struct hv_vm *vm)
{
    for (struct hv_vcpu *v = vm != NULL ? vm->vcpus : NULL, *next; v != NULL; v = next) {
        next = v->next;
        hv_vmclear(v->cpu, v->vmcs);
        free(v);
    }
    free(vm);
}

bool hv_vcpu_program(struct hv_vcpu *v, uint64_t rip, const struct hv_operation *operations, size_t count)
{
    if (v->program_count == PROGRAMS_MAX) {
        return false;
    }
    v->programs[v->program_count++] = (struct program){rip, operations, count};
    return true;
}

static void exchange_registers(struct hv_vcpu *v)
{
    for (enum hv_register r = HV_RAX; r <= HV_R15; r++) {
        uint64_t host = hv_get(v->cpu, r);
        if (r != HV_RSP) {
            hv_set(v->cpu, r, v->registers[r]);
            v->registers[r] = host;
        }
    }
}

enum hv_end hv_vcpu_run(struct hv_vcpu *v, struct hv_vm_exit *exit)
{
    select_vmcs(v);
    if (!v->has_tables && v->vm->cr3 != 0) {
        hv_vcpu_set_field(v, HV_VMCS_guest_cr3, v->vm->cr3);
    }
    hv_programs_clear(v->cpu);
    for (size_t i = 0; i < v->program_count; i++) {
        hv_program(v->cpu, v->programs[i].rip, v->programs[i].operations, v->programs[i].count);
    }
    exchange_registers(v);
    enum hv_end end = v->launched ? hv_vmresume(v->cpu) : hv_vmlaunch(v->cpu);
    *exit = hv_exit_of(v->cpu);
    bool stopped_inside = end == HV_IDLE || end == HV_PROGRAM_OVER || end == HV_LIMIT;
    if (stopped_inside) {
        hv_leave(v->cpu);
    }
    exchange_registers(v);
    v->launched = v->launched || stopped_inside || (end == HV_EXITED && exit->reason >> 31 == 0);
    return end;
}

/* The field of a register that a VMCS holds; 0: none does. */
static uint32_t field_of(enum hv_register r)
{
    switch (r) {
    case HV_RSP: return HV_VMCS_guest_rsp;
    case HV_RIP: return HV_VMCS_guest_rip;
    case HV_RFLAGS: return HV_VMCS_guest_rflags;
    case HV_CR0: return HV_VMCS_guest_cr0;
    case HV_CR3: return HV_VMCS_guest_cr3;
    case HV_CR4: return HV_VMCS_guest_cr4;
    case HV_EFER: return HV_VMCS_guest_efer;
    default: return 0;
    }
}

uint64_t hv_vcpu_get(struct hv_vcpu *v, enum hv_register r)
{
    uint32_t field = field_of(r);
    return field != 0 ? hv_vcpu_field(v, field) : r <= HV_R15 ? v->registers[r] : 0;
}

void hv_vcpu_set(struct hv_vcpu *v, enum hv_register r, uint64_t value)
{
    uint32_t field = field_of(r);
    if (field != 0) {
        hv_vcpu_set_field(v, field, value);
    } else if (r <= HV_R15) {
        v->registers[r] = value;
    }
}

uint64_t hv_vcpu_field(struct hv_vcpu *v, uint32_t field)
{
    uint64_t value = 0;
    select_vmcs(v);
    return hv_vmread(v->cpu, field, &value) == HV_SUCCEEDED ? value : 0;
}

bool hv_vcpu_set_field(struct hv_vcpu *v, uint32_t field, uint64_t value)
{
    select_vmcs(v);
    v->has_tables = v->has_tables || field == HV_VMCS_guest_cr3;
    return hv_vmwrite(v->cpu, field, value) == HV_SUCCEEDED;
}

void hv_vcpu_skip(struct hv_vcpu *v)
{
    hv_vcpu_set(v, HV_RIP, hv_vcpu_get(v, HV_RIP) + hv_exit_of(v->cpu).length);
}
