/* SPDX-License-Identifier: MIT */
/*
 * Which instructions of a guest exit: one row for each that may. SDM Vol. 3C "Instructions That Cause VM Exits" (26.1;
 * 25.1 in editions before 2022). The exit reason is that of instructions.def. LMSW decides in its effect, since its
 * operand has to be read before; VMX instructions in vmx_execute().
 */
#include "cpu/execute/operations.h"

typedef bool exits_fn(struct processor *p, const struct cpu_instruction *i);
typedef uint64_t qualification_fn(const struct processor *p, const struct cpu_instruction *i);

/* --- predicates -------------------------------------------------------------------------------------------------- */

#define EXITS(name) static bool name(struct processor *p, const struct cpu_instruction *i)
#define WHEN(name, word, control) \
    EXITS(name)                   \
    {                             \
        (void)i;                  \
        return VMX_ON(p, word, control); \
    }

WHEN(hlt, PRIMARY, hlt_exiting)
WHEN(invlpg, PRIMARY, invlpg_exiting)
WHEN(mwait, PRIMARY, mwait_exiting)
WHEN(monitor, PRIMARY, monitor_exiting)
WHEN(rdpmc, PRIMARY, rdpmc_exiting)
WHEN(rdtsc, PRIMARY, rdtsc_exiting)
WHEN(mov_dr, PRIMARY, mov_dr_exiting)
WHEN(table, SECONDARY, descriptor_table_exiting)
WHEN(wbinvd, SECONDARY, wbinvd_exiting)
WHEN(rdrand, SECONDARY, rdrand_exiting)
WHEN(rdseed, SECONDARY, rdseed_exiting)
WHEN(loadiwkey, TERTIARY, loadiwkey_exiting)

EXITS(always)
{
    (void)p;
    (void)i;
    return true;
}

EXITS(mov_to_cr)
{
    uint64_t value = cpu_register_value(p, i->reg1);
    switch (i->reg2) {
    case 0: return ((value ^ VMCS_GET(&p->vmx.current, cr0_read_shadow)) & p->vmx.cr0_mask) != 0;
    case 4: return ((value ^ VMCS_GET(&p->vmx.current, cr4_read_shadow)) & p->vmx.cr4_mask) != 0;
    case 8: return VMX_ON(p, PRIMARY, cr8_load_exiting);
    case 3: break;
    default: return false;
    }
    uint64_t targets = VMCS_GET(&p->vmx.current, cr3_target_count);
    for (uint64_t t = 0; t < targets && t < 4; t++) {
        if (vmcs_get(&p->vmx.current, (enum vmcs_index)(VMCS_INDEX_cr3_target_value_0 + t)) == value) {
            return false;
        }
    }
    return VMX_ON(p, PRIMARY, cr3_load_exiting);
}

EXITS(mov_from_cr)
{
    return i->reg2 == 3 ? VMX_ON(p, PRIMARY, cr3_store_exiting)
                        : i->reg2 == 8 && VMX_ON(p, PRIMARY, cr8_store_exiting);
}

EXITS(clts)
{
    (void)i;
    return (p->vmx.cr0_mask & VMCS_GET(&p->vmx.current, cr0_read_shadow) & CPU_CR0_TS) != 0;
}

EXITS(io)
{
    return cpu_io_exits(p, cpu_port(p, i), cpu_port_bytes(i));
}

EXITS(rdmsr)
{
    (void)i;
    return cpu_msr_exits(p, cpu_ecx(p), false);
}

EXITS(wrmsr)
{
    (void)i;
    return cpu_msr_exits(p, cpu_ecx(p), true);
}

/*
 * PAUSE-loop exiting, 26.1.3 (25.1.3): a PAUSE more than PLE_Gap after the last one is the first of a loop; one more
 * than PLE_Window after the first of its loop exits. Only at CPL 0, and not with PAUSE exiting.
 */
EXITS(pause)
{
    (void)i;
    struct vmx *x = &p->vmx;
    if (VMX_ON(p, PRIMARY, pause_exiting)) {
        return true;
    }
    if (!VMX_ON(p, SECONDARY, pause_loop_exiting) || cpu_cpl(&p->state) != 0) {
        return false;
    }
    hv_cycles last = x->ple_last;
    x->ple_last = p->now;
    if (last == 0 || p->now - last > VMCS_GET(&x->current, ple_gap)) {
        x->ple_first = p->now;
        return false;
    }
    return p->now - x->ple_first > VMCS_GET(&x->current, ple_window);
}

EXITS(invpcid)
{
    (void)i;
    return VMX_ON(p, PRIMARY, invlpg_exiting) && VMX_ON(p, SECONDARY, enable_invpcid);
}

EXITS(xsaves)
{
    (void)i;
    uint64_t components = cpu_edx_eax(p) & p->state.msrs.xss & VMCS_GET(&p->vmx.current, xss_exiting_bitmap);
    return components != 0;
}

/* The bit of EAX in a bitmap by leaf function; leaves from 63 on share the last. */
static bool leaf_exits(const struct processor *p, uint64_t bitmap)
{
    uint32_t leaf = (uint32_t)p->state.registers[CPU_RAX];
    return (bitmap >> (leaf < 63 ? leaf : 63) & 1) != 0;
}

EXITS(encls)
{
    (void)i;
    return VMX_ON(p, SECONDARY, enable_encls_exiting) &&
           leaf_exits(p, VMCS_GET(&p->vmx.current, encls_exiting_bitmap));
}

EXITS(enclv)
{
    (void)i;
    return VMX_ON(p, SECONDARY, enable_enclv_exiting) &&
           leaf_exits(p, VMCS_GET(&p->vmx.current, enclv_exiting_bitmap));
}

EXITS(pconfig)
{
    (void)i;
    return leaf_exits(p, VMCS_GET(&p->vmx.current, pconfig_exiting_bitmap));
}

/* --- exit qualifications: 28.2.1 (27.2.1), tables 28-3 to 28-5 -------------------------------------------------- */

#define QUALIFIES(name) static uint64_t name(const struct processor *p, const struct cpu_instruction *i)

enum { CR_FROM = 1 << 4, CR_CLTS = 2 << 4, REGISTER_SHIFT = 8, DR_FROM = 1 << 4 };

QUALIFIES(none)
{
    (void)p;
    (void)i;
    return 0;
}

/* The displacement of a memory operand. */
QUALIFIES(displacement)
{
    (void)p;
    return i->in_memory ? i->memory.displacement : 0;
}

QUALIFIES(linear)
{
    return cpu_linear_address(p, &i->memory).v;
}

QUALIFIES(to_cr)
{
    (void)p;
    return i->reg2 | (uint64_t)i->reg1 << REGISTER_SHIFT;
}

QUALIFIES(from_cr)
{
    (void)p;
    return i->reg2 | CR_FROM | (uint64_t)i->reg1 << REGISTER_SHIFT;
}

QUALIFIES(of_clts)
{
    (void)p;
    (void)i;
    return CR_CLTS;
}

QUALIFIES(dr)
{
    (void)p;
    return i->reg2 | (i->op == CPU_OP_mov_from_dr ? (uint64_t)DR_FROM : 0) | (uint64_t)i->reg1 << REGISTER_SHIFT;
}

/* Table 28-5: size - 1, direction, string, REP, operand encoding, port. The port is DX when reg2 is RDX. */
QUALIFIES(port)
{
    return (cpu_port_bytes(i) - 1) | (uint64_t)(i->op == CPU_OP_in) << 3 | (uint64_t)i->string << 4 |
           (uint64_t)(i->string && i->repeat) << 5 | (uint64_t)(!i->string && i->reg2 != CPU_RDX) << 6 |
           (uint64_t)cpu_port(p, i) << 16;
}

QUALIFIES(armed)
{
    (void)i;
    return p->progress.monitoring;
}

/* --- the table --------------------------------------------------------------------------------------------------- */

static const struct intercept {
    exits_fn *exits;
    qualification_fn *qualification;
} intercepts[CPU_OPS] = {
    [CPU_OP_task_switch] = {NULL, NULL}, /* decided in its effect */
    [CPU_OP_cpuid] = {always, none},
    [CPU_OP_getsec] = {always, none},
    [CPU_OP_hlt] = {hlt, none},
    [CPU_OP_invd] = {always, none},
    [CPU_OP_wbinvd] = {wbinvd, none},
    [CPU_OP_invlpg] = {invlpg, linear},
    [CPU_OP_invpcid] = {invpcid, displacement},
    [CPU_OP_rdpmc] = {rdpmc, none},
    [CPU_OP_rdtsc] = {rdtsc, none},
    [CPU_OP_rdtscp] = {rdtsc, none},
    [CPU_OP_mov_to_cr] = {mov_to_cr, to_cr},
    [CPU_OP_mov_from_cr] = {mov_from_cr, from_cr},
    [CPU_OP_clts] = {clts, of_clts},
    [CPU_OP_mov_to_dr] = {mov_dr, dr},
    [CPU_OP_mov_from_dr] = {mov_dr, dr},
    [CPU_OP_in] = {io, port},
    [CPU_OP_out] = {io, port},
    [CPU_OP_rdmsr] = {rdmsr, none},
    [CPU_OP_wrmsr] = {wrmsr, none},
    [CPU_OP_mwait] = {mwait, armed},
    [CPU_OP_monitor] = {monitor, none},
    [CPU_OP_pause] = {pause, none},
    [CPU_OP_rdrand] = {rdrand, none},
    [CPU_OP_rdseed] = {rdseed, none},
    [CPU_OP_xsetbv] = {always, none},
    [CPU_OP_xsaves] = {xsaves, displacement},
    [CPU_OP_xrstors] = {xsaves, displacement},
    [CPU_OP_tpause] = {rdtsc, none},
    [CPU_OP_umwait] = {rdtsc, none},
    [CPU_OP_encls] = {encls, none},
    [CPU_OP_enclv] = {enclv, none},
    [CPU_OP_pconfig] = {pconfig, none},
    [CPU_OP_loadiwkey] = {loadiwkey, none},
    [CPU_OP_lgdt] = {table, displacement},
    [CPU_OP_lidt] = {table, displacement},
    [CPU_OP_sgdt] = {table, displacement},
    [CPU_OP_sidt] = {table, displacement},
    [CPU_OP_lldt] = {table, displacement},
    [CPU_OP_ltr] = {table, displacement},
    [CPU_OP_sldt] = {table, displacement},
    [CPU_OP_str] = {table, displacement},
};

#define VMX_EXIT_none 0
static const uint8_t reasons[CPU_OPS] = {
#define I(name, length, privilege, exit, words) [CPU_OP_##name] = VMX_EXIT_##exit,
#include "cpu/instructions.def"
#undef I
};

bool cpu_intercepts(struct processor *p, const struct cpu_instruction *i)
{
    return intercepts[i->op].exits != NULL && intercepts[i->op].exits(p, i);
}

enum cpu_end cpu_exit_intercepted(struct processor *p, const struct cpu_instruction *i)
{
    struct vmx_exit exit = {
        .reason = reasons[i->op], .qualification = intercepts[i->op].qualification(p, i), .length = cpu_length(i),
        .information = cpu_instruction_information(p, i),
    };
    if ((i->op == CPU_OP_in || i->op == CPU_OP_out) && i->string) {
        exit.guest_linear = cpu_string_operand(p, i).v;
    }
    return cpu_exit(p, exit);
}
