/* SPDX-License-Identifier: MIT */
/* INVEPT and INVVPID: SDM Vol. 3C chapter 31 (30 in editions before 2022). Type in reg2, descriptor in memory. */
#include "cpu/vmx/vmx_internal.h"

bool vmx_has_invept(const struct vmx_caps *c)
{
    return vmx_caps_has(c, VMX_SECONDARY, VMX_CONTROL(SECONDARY, enable_ept)) && (c->ept_vpid & VMX_EPT_INVEPT) != 0;
}

bool vmx_has_invvpid(const struct vmx_caps *c)
{
    return vmx_caps_has(c, VMX_SECONDARY, VMX_CONTROL(SECONDARY, enable_vpid)) &&
           (c->ept_vpid & VMX_VPID_INVVPID) != 0;
}

/* The checks of SDM 27.2.1.1 (26.2.1.1) on the EPTP alone, by their rules. */
bool vmx_eptp_ok(const struct processor *p, uint64_t eptp)
{
    static const enum vmx_rule_id rules[] = {
        VMX_RULE_eptp_memory_type, VMX_RULE_eptp_walk_length, VMX_RULE_eptp_flags, VMX_RULE_eptp_reserved,
    };
    struct vmx_entry e = {.caps = &p->vmx.caps, .current_vmcs = VMCS_NONE};
    ENTRY_FIELD(&e, primary_controls) = VMX_CONTROL(PRIMARY, activate_secondary_controls);
    ENTRY_FIELD(&e, secondary_controls) = VMX_CONTROL(SECONDARY, enable_ept);
    ENTRY_FIELD(&e, eptp) = eptp;
    for (size_t i = 0; i < HV_ARRAY_LEN(rules); i++) {
        if (!vmx_rules[rules[i]].holds(&e)) {
            return false;
        }
    }
    return true;
}

static bool invept_type_ok(const struct vmx_caps *c, uint64_t type)
{
    switch (type) {
    case MMU_INVEPT_CONTEXT: return (c->ept_vpid & VMX_EPT_INVEPT_CONTEXT) != 0;
    case MMU_INVEPT_ALL: return (c->ept_vpid & VMX_EPT_INVEPT_ALL) != 0;
    default: return false;
    }
}

int vmx_invept(struct processor *p, const struct cpu_instruction *i)
{
    uint64_t type = vmx_register(p, i->reg2), descriptor[2];
    enum cpu_end end;
    if (!invept_type_ok(&p->vmx.caps, type)) {
        return vmx_fail(p, VMX_ERROR_invalid_operand);
    }
    if (!vmx_operand128(p, i, descriptor, &end)) {
        return end;
    }
    if (type == MMU_INVEPT_CONTEXT && !vmx_eptp_ok(p, descriptor[0])) {
        return vmx_fail(p, VMX_ERROR_invalid_operand);
    }
    HV_ASSERT(mmu_invept(p->mmu, type, descriptor[0]), "INVEPT of type %llu", (unsigned long long)type);
    return vmx_succeed(p);
}

static bool invvpid_type_ok(const struct vmx_caps *c, uint64_t type)
{
    switch (type) {
    case MMU_INVVPID_ADDRESS: return (c->ept_vpid & VMX_VPID_ADDRESS) != 0;
    case MMU_INVVPID_CONTEXT: return (c->ept_vpid & VMX_VPID_CONTEXT) != 0;
    case MMU_INVVPID_ALL: return (c->ept_vpid & VMX_VPID_ALL) != 0;
    case MMU_INVVPID_CONTEXT_KEEP_GLOBAL: return (c->ept_vpid & VMX_VPID_CONTEXT_KEEP_GLOBAL) != 0;
    default: return false;
    }
}

/* The MMU refuses VPID 0 and addresses that are not canonical, as the instruction does. */
int vmx_invvpid(struct processor *p, const struct cpu_instruction *i)
{
    uint64_t type = vmx_register(p, i->reg2), descriptor[2];
    enum cpu_end end;
    if (!invvpid_type_ok(&p->vmx.caps, type)) {
        return vmx_fail(p, VMX_ERROR_invalid_operand);
    }
    if (!vmx_operand128(p, i, descriptor, &end)) {
        return end;
    }
    if (descriptor[0] > UINT16_MAX || !mmu_invvpid(p->mmu, type, (uint16_t)descriptor[0], (hv_gva){descriptor[1]})) {
        return vmx_fail(p, VMX_ERROR_invalid_operand);
    }
    return vmx_succeed(p);
}
