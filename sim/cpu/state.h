/* SPDX-License-Identifier: MIT */
/*
 * The architectural state of an x86-64 processor, complete from the start: VM entries and exits move all of it, and what
 * executes instructions works on it.
 *
 * Segment registers have their hidden parts, in the form of a VMCS: access rights as SDM Vol. 3C "Guest Register State"
 * (25.4.1; 24.4.1 in editions before 2022) lays them out, with bit 16 for "unusable".
 */
#ifndef HV_CPU_STATE_H
#define HV_CPU_STATE_H

#include "base/types.h"

enum cpu_register {
    CPU_RAX, CPU_RCX, CPU_RDX, CPU_RBX, CPU_RSP, CPU_RBP, CPU_RSI, CPU_RDI,
    CPU_R8, CPU_R9, CPU_R10, CPU_R11, CPU_R12, CPU_R13, CPU_R14, CPU_R15, CPU_REGISTERS
};

/* In the order of their numbers in instructions and of the fields of a VMCS. */
enum cpu_segment_name { CPU_ES, CPU_CS, CPU_SS, CPU_DS, CPU_FS, CPU_GS, CPU_LDTR, CPU_TR, CPU_SEGMENTS };

/* Access rights, bits as in a VMCS. */
enum {
    CPU_AR_TYPE = 15,          /* bits 3:0 */
    CPU_AR_S = 1 << 4,         /* code or data, not system */
    CPU_AR_DPL_SHIFT = 5,      /* bits 6:5 */
    CPU_AR_P = 1 << 7,
    CPU_AR_RESERVED_LOW = 0xf00, /* bits 11:8 */
    CPU_AR_AVL = 1 << 12,
    CPU_AR_L = 1 << 13,        /* 64-bit mode active (CS only) */
    CPU_AR_DB = 1 << 14,
    CPU_AR_G = 1 << 15,
    CPU_AR_UNUSABLE = 1 << 16,
};
#define CPU_AR_RESERVED_HIGH 0xfffe0000u /* bits 31:17 */

struct cpu_segment {
    uint64_t base;
    uint32_t limit; /* in bytes, also when G is set */
    uint32_t access_rights;
    uint16_t selector;
};

struct cpu_table { /* GDTR, IDTR */
    uint64_t base;
    uint32_t limit;
};

/* What a processor does between instructions. SDM "Guest Non-Register State" (25.4.2), activity state. */
enum cpu_activity { CPU_ACTIVE, CPU_HALTED, CPU_SHUTDOWN, CPU_WAIT_FOR_SIPI };

/* Interruptibility state, bits as in a VMCS. */
enum {
    CPU_BLOCKED_BY_STI = 1 << 0,
    CPU_BLOCKED_BY_MOV_SS = 1 << 1,
    CPU_BLOCKED_BY_SMI = 1 << 2,
    CPU_BLOCKED_BY_NMI = 1 << 3,
    CPU_ENCLAVE_INTERRUPTION = 1 << 4,
};

/* The model-specific registers that VMX or translation looks at: M(member, index, "IA32_NAME"). */
struct cpu_msrs {
#define M(member, index, name) uint64_t member;
#include "cpu/msrs.def"
#undef M
};

/* The index of each: CPU_MSR_efer. */
enum cpu_msr_index {
#define M(member, index, name) CPU_MSR_##member = index,
#include "cpu/msrs.def"
#undef M
    CPU_MSR_fs_base = 0xc0000100u, CPU_MSR_gs_base = 0xc0000101u /* they are the segments' bases */
};

struct cpu_state {
    uint64_t registers[CPU_REGISTERS];
    uint64_t rip, rflags;
    struct cpu_segment segments[CPU_SEGMENTS];
    struct cpu_table gdtr, idtr;
    uint64_t cr0, cr2, cr3, cr4, xcr0;
    uint64_t dr[4], dr6, dr7;
    uint64_t ssp;                  /* shadow-stack pointer */
    uint64_t pdpte[4];             /* PAE paging */
    uint64_t pending_debug;        /* pending debug exceptions, bits as in a VMCS */
    uint32_t interruptibility;
    enum cpu_activity activity;
    struct cpu_msrs msrs;
};

/* Control-register and RFLAGS bits that more than one file looks at. */
#define CPU_CR0_PE (UINT64_C(1) << 0)
#define CPU_CR0_MP (UINT64_C(1) << 1)
#define CPU_CR0_EM (UINT64_C(1) << 2)
#define CPU_CR0_TS (UINT64_C(1) << 3)
#define CPU_CR0_ET (UINT64_C(1) << 4)
#define CPU_CR0_NE (UINT64_C(1) << 5)
#define CPU_CR0_WP (UINT64_C(1) << 16)
#define CPU_CR0_AM (UINT64_C(1) << 18)
#define CPU_CR0_NW (UINT64_C(1) << 29)
#define CPU_CR0_CD (UINT64_C(1) << 30)
#define CPU_CR0_PG (UINT64_C(1) << 31)
#define CPU_CR4_PSE (UINT64_C(1) << 4)
#define CPU_CR4_PAE (UINT64_C(1) << 5)
#define CPU_CR4_PGE (UINT64_C(1) << 7)
#define CPU_CR4_LA57 (UINT64_C(1) << 12)
#define CPU_CR4_VMXE (UINT64_C(1) << 13)
#define CPU_CR4_SMXE (UINT64_C(1) << 14)
#define CPU_CR4_PCIDE (UINT64_C(1) << 17)
#define CPU_CR4_SMEP (UINT64_C(1) << 20)
#define CPU_CR4_SMAP (UINT64_C(1) << 21)
#define CPU_CR4_PKE (UINT64_C(1) << 22)
#define CPU_CR4_CET (UINT64_C(1) << 23)
#define CPU_CR4_PKS (UINT64_C(1) << 24)
#define CPU_CR4_UINTR (UINT64_C(1) << 25)
#define CPU_EFER_SCE (UINT64_C(1) << 0)
#define CPU_EFER_LME (UINT64_C(1) << 8)
#define CPU_EFER_LMA (UINT64_C(1) << 10)
#define CPU_EFER_NXE (UINT64_C(1) << 11)
#define CPU_DEBUGCTL_BTF (UINT64_C(1) << 1)
#define CPU_RFLAGS_CF (UINT64_C(1) << 0)
#define CPU_RFLAGS_FIXED (UINT64_C(1) << 1)
#define CPU_RFLAGS_PF (UINT64_C(1) << 2)
#define CPU_RFLAGS_AF (UINT64_C(1) << 4)
#define CPU_RFLAGS_ZF (UINT64_C(1) << 6)
#define CPU_RFLAGS_SF (UINT64_C(1) << 7)
#define CPU_RFLAGS_TF (UINT64_C(1) << 8)
#define CPU_RFLAGS_IF (UINT64_C(1) << 9)
#define CPU_RFLAGS_OF (UINT64_C(1) << 11)
#define CPU_RFLAGS_RF (UINT64_C(1) << 16)
#define CPU_RFLAGS_VM (UINT64_C(1) << 17)

/*
 * The bits of an MSR that exist. SDM Vol. 4 table 2-2; Vol. 3C "IA32_RTIT_CTL MSR" and Vol. 3B "IA32_LBR_CTL".
 *
 * MODEL: all features that these bits stand for are there; on silicon CPUID says which.
 */
#define CPU_DEBUGCTL_VALID UINT64_C(0xffc7)                /* all but 5:3 and 63:16 */
#define CPU_RTIT_CTL_VALID UINT64_C(0x0180ffff8f7bffff)    /* all but 18, 23, 30:28, 54:48 and 63:57 */
#define CPU_LBR_CTL_VALID UINT64_C(0x7f000f)               /* all but 15:4 and 63:23 */

/* SDM Vol. 3A "IA32_PAT MSR": each byte is a memory type that exists. */
static inline bool cpu_pat_ok(uint64_t pat)
{
    for (unsigned byte = 0; byte < 8; byte++) {
        uint64_t type = pat >> (8 * byte) & 255;
        if (type > 7 || type == 2 || type == 3) {
            return false;
        }
    }
    return true;
}

/* IA32_S_CET, IA32_U_CET: bits 9:6 are reserved, and SUPPRESS and TRACKER (bits 10 and 11) exclude each other. */
static inline bool cpu_cet_ok(uint64_t cet)
{
    return (cet & 0x3c0) == 0 && (cet & 0xc00) != 0xc00;
}

/* CPL is the DPL of SS (SDM Vol. 3C 25.4.1). */
static inline unsigned cpu_cpl(const struct cpu_state *s)
{
    return s->segments[CPU_SS].access_rights >> CPU_AR_DPL_SHIFT & 3;
}

static inline bool cpu_long_mode(const struct cpu_state *s)
{
    return (s->msrs.efer & CPU_EFER_LMA) != 0;
}

static inline bool cpu_64_bit_mode(const struct cpu_state *s)
{
    return cpu_long_mode(s) && (s->segments[CPU_CS].access_rights & CPU_AR_L) != 0;
}

static inline bool cpu_protected_mode(const struct cpu_state *s)
{
    return (s->cr0 & CPU_CR0_PE) != 0;
}

static inline bool cpu_virtual_8086(const struct cpu_state *s)
{
    return !cpu_long_mode(s) && (s->rflags & CPU_RFLAGS_VM) != 0;
}

/* The state after power-up or RESET (SDM Vol. 3A "Processor State After Reset", table 10-1; 9-1 before 2022). */
void cpu_state_reset(struct cpu_state *s);

/* A 64-bit kernel's usual state at CPL 0: flat segments, paging on with this CR3, interrupts off. */
void cpu_state_long_mode(struct cpu_state *s, uint64_t cr3);

/* The MSR with an index, or NULL when cpu_msrs has none. */
uint64_t *cpu_msr(struct cpu_state *s, uint32_t index);

#endif
