/* SPDX-License-Identifier: MIT */
#include "cpu/vmx/vmx_internal.h"

#include <string.h>

#include "cpu/vmx/vmx_watch.h"

void vmx_init(struct vmx *x, const struct vmx_caps *caps)
{
    memset(x, 0, sizeof(*x));
    x->caps = *caps;
    x->current.address = VMCS_NONE;
    x->preemption_deadline = x->exited_at = UINT64_MAX;
}

void vmx_end_round_trip(struct vmx *x, hv_cycles now)
{
    if (x->exited_at != UINT64_MAX) {
        hv_cycles cycles = now - x->exited_at;
        x->stats.exit_cycles += cycles;
        x->stats.reasons[x->exit.reason & UINT16_MAX].cycles += cycles;
        x->exited_at = UINT64_MAX;
    }
}

/* --- VMsucceed, VMfail ------------------------------------------------------------------------------------------ */

#define STATUS_FLAGS \
    (CPU_RFLAGS_CF | CPU_RFLAGS_PF | CPU_RFLAGS_AF | CPU_RFLAGS_ZF | CPU_RFLAGS_SF | CPU_RFLAGS_OF)

static int end_with(struct processor *p, uint64_t flag)
{
    p->state.rflags = (p->state.rflags & ~STATUS_FLAGS) | flag;
    return CPU_COMPLETED;
}

int vmx_succeed(struct processor *p)
{
    return end_with(p, 0);
}

int vmx_fail_invalid(struct processor *p)
{
    return end_with(p, CPU_RFLAGS_CF);
}

int vmx_fail_valid(struct processor *p, const struct vmcs *v, enum vmx_error error)
{
    vmx_watch_look(p->watch, p, v->address);
    VMCS_SET(v, vm_instruction_error, error);
    vmx_watch_wrote(p->watch, p, v->address);
    return end_with(p, CPU_RFLAGS_ZF);
}

int vmx_fail(struct processor *p, enum vmx_error error)
{
    return vmx_has_current(p) ? vmx_fail_valid(p, &p->vmx.current, error) : vmx_fail_invalid(p);
}

/* --- register operands ------------------------------------------------------------------------------------------ */

unsigned vmx_operand_bytes(const struct processor *p)
{
    return cpu_64_bit_mode(&p->state) ? 8 : 4;
}

uint64_t vmx_register(const struct processor *p, unsigned number)
{
    uint64_t value = number < CPU_REGISTERS ? p->state.registers[number] : 0;
    return vmx_operand_bytes(p) == 8 ? value : (uint32_t)value;
}

void vmx_set_register(struct processor *p, unsigned number, uint64_t value)
{
    if (number < CPU_REGISTERS) {
        p->state.registers[number] = vmx_operand_bytes(p) == 8 ? value : (uint32_t)value;
    }
}

/* --- what a VM entry copies ------------------------------------------------------------------------------------- */

void vmx_copy_controls(struct vmx *x, const struct vmx_entry *e)
{
    for (unsigned word = 0; word < VMX_WORDS; word++) {
        x->words[word] = vmx_entry_word(e, (enum vmx_word)word);
    }
    x->exception_bitmap = (uint32_t)ENTRY_FIELD(e, exception_bitmap);
    x->page_fault_mask = (uint32_t)ENTRY_FIELD(e, page_fault_error_code_mask);
    x->page_fault_match = (uint32_t)ENTRY_FIELD(e, page_fault_error_code_match);
    x->cr0_mask = ENTRY_FIELD(e, cr0_guest_host_mask);
    x->cr4_mask = ENTRY_FIELD(e, cr4_guest_host_mask);
    x->tsc_offset = ENTRY_FIELD(e, tsc_offset);
    x->tsc_multiplier = ENTRY_FIELD(e, tsc_multiplier);
    x->io_bitmap[0] = ENTRY_FIELD(e, io_bitmap_a);
    x->io_bitmap[1] = ENTRY_FIELD(e, io_bitmap_b);
    x->msr_bitmaps = ENTRY_FIELD(e, msr_bitmaps);
    x->eptp = ENTRY_FIELD(e, eptp);
    x->vpid = (uint16_t)ENTRY_FIELD(e, vpid);
}
