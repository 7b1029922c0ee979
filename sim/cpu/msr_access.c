/* SPDX-License-Identifier: MIT */
#include "cpu/msr_access.h"

static bool is_capability(uint32_t index)
{
    return index >= VMX_MSR_FIRST && index <= VMX_MSR_LAST;
}

bool cpu_msr_read(const struct processor *p, uint32_t index, uint64_t *value)
{
    struct cpu_state copy = p->state;
    if (index == CPU_MSR_tsc) {
        *value = processor_tsc(p);
        return true;
    }
    if (is_capability(index)) {
        return vmx_caps_msr(&p->vmx.caps, index, value);
    }
    const uint64_t *msr = cpu_msr(&copy, index);
    if (msr == NULL) {
        return false;
    }
    *value = *msr;
    return true;
}

/* --- values ------------------------------------------------------------------------------------------------------- */

static bool canonical(const struct processor *p, uint64_t address)
{
    unsigned spare = 64 - p->vmx.caps.linear_bits;
    return (uint64_t)((int64_t)(address << spare) >> spare) == address;
}

/* LMA is read-only and ignored; LME cannot change with paging on (SDM Vol. 3A 10.8.5; 9.8.5 before 2022). */
static bool efer_ok(const struct processor *p, uint64_t value)
{
    bool changes = ((value ^ p->state.msrs.efer) & CPU_EFER_LME) != 0;
    return (value & ~p->vmx.caps.efer_valid) == 0 && !(changes && (p->state.cr0 & CPU_CR0_PG) != 0);
}

/* Once locked, IA32_FEATURE_CONTROL is read-only. */
static bool feature_control_ok(const struct processor *p)
{
    return (p->state.msrs.feature_control & 1) == 0;
}

static bool value_ok(const struct processor *p, uint32_t index, uint64_t value)
{
    switch (index) {
    case CPU_MSR_feature_control: return feature_control_ok(p);
    case CPU_MSR_efer: return efer_ok(p, value);
    case CPU_MSR_pat: return cpu_pat_ok(value);
    case CPU_MSR_debugctl: return (value & ~CPU_DEBUGCTL_VALID) == 0;
    case CPU_MSR_rtit_ctl: return (value & ~CPU_RTIT_CTL_VALID) == 0;
    case CPU_MSR_lbr_ctl: return (value & ~CPU_LBR_CTL_VALID) == 0;
    case CPU_MSR_perf_global_ctrl: return (value & ~p->vmx.caps.perf_global_ctrl_valid) == 0;
    case CPU_MSR_u_cet:
    case CPU_MSR_s_cet: return cpu_cet_ok(value) && canonical(p, value);
    case CPU_MSR_bndcfgs: return (value & 0xffc) == 0 && canonical(p, value & ~UINT64_C(0xfff));
    case CPU_MSR_pkrs:
    case CPU_MSR_fmask:
    case CPU_MSR_tsc_aux: return value >> 32 == 0;
    case CPU_MSR_apic_base: return value >> p->vmx.caps.physical_bits == 0 && (value & 0x2ff) == 0;
    case CPU_MSR_sysenter_esp:
    case CPU_MSR_sysenter_eip:
    case CPU_MSR_interrupt_ssp_table:
    case CPU_MSR_lstar:
    case CPU_MSR_cstar:
    case CPU_MSR_fs_base:
    case CPU_MSR_gs_base:
    case CPU_MSR_kernel_gs_base: return canonical(p, value);
    default: return index < CPU_MSR_pl0_ssp || index > CPU_MSR_pl3_ssp || ((value & 3) == 0 && canonical(p, value));
    }
}

bool cpu_msr_write(struct processor *p, uint32_t index, uint64_t value)
{
    uint64_t *msr = cpu_msr(&p->state, index);
    if (msr == NULL || !value_ok(p, index, value)) {
        return false;
    }
    if (index == CPU_MSR_efer) {
        value = (value & ~CPU_EFER_LMA) | (*msr & CPU_EFER_LMA);
    }
    if (index == CPU_MSR_tsc) { /* what the TSC is ahead of the clock moves with it */
        p->state.msrs.tsc_adjust = value - p->now;
        return true;
    }
    *msr = value;
    return true;
}
