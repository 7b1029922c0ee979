/* SPDX-License-Identifier: MIT */
/*
 * VMCLEAR, VMPTRLD, VMPTRST, VMREAD and VMWRITE, with VMCS shadowing: SDM Vol. 3C chapter 31 (30 in editions before
 * 2022), and "VMCS Types: Ordinary and Shadow" (25.10; 24.10).
 */
#include "cpu/vmx/vmx_internal.h"

#include "cpu/execute/operand.h"
#include "cpu/vmx/vmx_watch.h"

/* --- the current VMCS ------------------------------------------------------------------------------------------- */

/* MODEL: a region beyond the installed memory is cleared without effect, as its writes find nobody. */
static void clear_region(struct processor *p, uint64_t address)
{
    struct vmcs v = vmx_vmcs_at(p, address);
    if (!vmcs_region_valid(p->memory, address, p->vmx.caps.physical_bits)) {
        return;
    }
    vmx_watch_vmclear(p->watch, p, address);
    vmcs_set_launch_state(&v, VMCS_CLEAR);
}

int vmx_vmclear(struct processor *p, const struct cpu_instruction *i)
{
    uint64_t address;
    enum cpu_end end;
    if (!vmx_operand64(p, i, &address, &end)) {
        return end;
    }
    if (!vmx_page_ok(p, address)) {
        return vmx_fail(p, VMX_ERROR_vmclear_invalid_address);
    }
    if (address == p->vmx.vmxon_pointer) {
        return vmx_fail(p, VMX_ERROR_vmclear_vmxon_pointer);
    }
    clear_region(p, address);
    if (address == p->vmx.current.address) {
        p->vmx.current.address = VMCS_NONE;
    }
    return vmx_succeed(p);
}

/* Memory that is not there reads as all ones, which is no revision. */
static bool revision_ok(const struct processor *p, uint64_t address)
{
    uint32_t revision = (uint32_t)physmem_read64(p->memory, (hv_hpa){address});
    bool shadow = (revision & VMCS_SHADOW) != 0;
    return (revision & ~VMCS_SHADOW) == VMCS_REVISION &&
           (!shadow || vmx_caps_has(&p->vmx.caps, VMX_SECONDARY, VMX_CONTROL(SECONDARY, vmcs_shadowing)));
}

int vmx_vmptrld(struct processor *p, const struct cpu_instruction *i)
{
    uint64_t address;
    enum cpu_end end;
    if (!vmx_operand64(p, i, &address, &end)) {
        return end;
    }
    if (!vmx_page_ok(p, address)) {
        return vmx_fail(p, VMX_ERROR_vmptrld_invalid_address);
    }
    if (address == p->vmx.vmxon_pointer) {
        return vmx_fail(p, VMX_ERROR_vmptrld_vmxon_pointer);
    }
    if (!revision_ok(p, address)) {
        return vmx_fail(p, VMX_ERROR_vmptrld_incorrect_revision);
    }
    p->vmx.current.address = address;
    vmx_watch_vmptrld(p->watch, p);
    return vmx_succeed(p);
}

/* A caller in C that gives no memory operand finds the pointer in register reg1. */
int vmx_vmptrst(struct processor *p, const struct cpu_instruction *i)
{
    enum cpu_end end;
    uint64_t address = p->vmx.current.address;
    if (!i->in_memory && i->reg1 < CPU_REGISTERS) {
        p->state.registers[i->reg1] = address; /* 64 bits in every mode */
    } else if (i->in_memory && !cpu_write(p, i, &address, sizeof(address), &end)) {
        return end;
    }
    return vmx_succeed(p);
}

/* --- fields ----------------------------------------------------------------------------------------------------- */

/* The register operand that names the field. */
static uint64_t encoding_of(const struct processor *p, const struct cpu_instruction *i)
{
    return vmx_register(p, i->op == CPU_OP_vmread ? i->reg2 : i->reg1);
}

/* One bit for each encoding of 15 bits: SDM "VMCS Shadowing Bitmap Addresses" (25.6.15; 24.6.15). */
static bool bitmap_says_exit(const struct processor *p, uint64_t bitmap, uint64_t encoding)
{
    uint64_t word = physmem_read64(p->memory, (hv_hpa){bitmap + encoding / 64 * 8});
    return (word >> encoding % 64 & 1) != 0;
}

bool vmx_is_shadowed(const struct processor *p, const struct cpu_instruction *i)
{
    if ((i->op != CPU_OP_vmread && i->op != CPU_OP_vmwrite) || !VMX_ON(p, SECONDARY, vmcs_shadowing)) {
        return false;
    }
    uint64_t encoding = encoding_of(p, i);
    uint64_t bitmap = i->op == CPU_OP_vmread ? VMCS_GET(&p->vmx.current, vmread_bitmap)
                                             : VMCS_GET(&p->vmx.current, vmwrite_bitmap);
    return encoding >> 15 == 0 && !bitmap_says_exit(p, bitmap, encoding);
}

/* The VMCS that VMREAD and VMWRITE reach: the current one, or a guest's shadow VMCS; VMCS_NONE when there is none. */
static struct vmcs reached(const struct processor *p)
{
    return p->vmx.non_root ? vmx_vmcs_at(p, VMCS_GET(&p->vmx.current, vmcs_link_pointer)) : p->vmx.current;
}

/* The encoding, when a field of this processor has it. */
static bool find_field(const struct processor *p, const struct cpu_instruction *i, uint32_t *encoding)
{
    uint64_t value = encoding_of(p, i);
    int field = vmcs_field_find(value);
    *encoding = (uint32_t)value;
    return field != VMCS_FIELD_NONE && vmx_caps_has_field(&p->vmx.caps, (enum vmcs_index)field);
}

int vmx_vmread(struct processor *p, const struct cpu_instruction *i)
{
    struct vmcs v = reached(p);
    uint32_t encoding;
    enum cpu_end end;
    if (v.address == VMCS_NONE) {
        return vmx_fail_invalid(p);
    }
    if (!find_field(p, i, &encoding)) {
        return vmx_fail_valid(p, &v, VMX_ERROR_unsupported_component);
    }
    vmx_watch_look(p->watch, p, v.address);
    uint64_t value = vmcs_read(&v, encoding);
    if (!i->in_memory) {
        vmx_set_register(p, i->reg1, value);
    } else if (!cpu_write(p, i, &value, vmx_operand_bytes(p), &end)) {
        return end;
    }
    return vmx_succeed(p);
}

/* The value to write: 64 bits, or 32 outside of 64-bit mode. */
static bool source(struct processor *p, const struct cpu_instruction *i, uint64_t *value, enum cpu_end *end)
{
    *value = i->in_memory ? 0 : vmx_register(p, i->reg2);
    return !i->in_memory || cpu_read(p, i, value, vmx_operand_bytes(p), end);
}

static void write_field(struct processor *p, const struct vmcs *v, uint32_t encoding, uint64_t value)
{
    vmx_watch_look(p->watch, p, v->address);
    vmcs_write(v, encoding, value);
    vmx_watch_wrote(p->watch, p, v->address);
    p->vmx.dirty_controls |= !p->vmx.non_root && vmcs_encoding_type(encoding) == VMCS_CONTROL;
}

int vmx_vmwrite(struct processor *p, const struct cpu_instruction *i)
{
    struct vmcs v = reached(p);
    uint32_t encoding;
    uint64_t value;
    enum cpu_end end;
    if (v.address == VMCS_NONE) {
        return vmx_fail_invalid(p);
    }
    if (!find_field(p, i, &encoding)) {
        return vmx_fail_valid(p, &v, VMX_ERROR_unsupported_component);
    }
    if (vmcs_encoding_type(encoding) == VMCS_READ_ONLY && (p->vmx.caps.misc & VMX_MISC_WRITE_READ_ONLY) == 0) {
        return vmx_fail_valid(p, &v, VMX_ERROR_vmwrite_read_only);
    }
    if (!source(p, i, &value, &end)) {
        return end;
    }
    write_field(p, &v, encoding, value);
    return vmx_succeed(p);
}
