/* SPDX-License-Identifier: MIT */
#include "cpu/state.h"

#include <string.h>

/* Access rights of the usual segments: present, accessed. */
enum {
    CODE_64 = CPU_AR_P | CPU_AR_S | CPU_AR_L | CPU_AR_G | 11,
    DATA_32 = CPU_AR_P | CPU_AR_S | CPU_AR_DB | CPU_AR_G | 3,
    REAL_CODE = CPU_AR_P | CPU_AR_S | 11,
    REAL_DATA = CPU_AR_P | CPU_AR_S | 3,
    LDT = CPU_AR_P | 2,
    BUSY_TSS = CPU_AR_P | 11,
};

#define PAT_RESET UINT64_C(0x0007040600070406)
#define APIC_BASE_RESET UINT64_C(0xfee00900) /* enabled, bootstrap processor */
#define REAL_LIMIT 0xffffu
#define FLAT_LIMIT 0xffffffffu

void cpu_state_reset(struct cpu_state *s)
{
    memset(s, 0, sizeof(*s));
    for (unsigned i = 0; i < CPU_SEGMENTS; i++) {
        s->segments[i] = (struct cpu_segment){.limit = REAL_LIMIT, .access_rights = REAL_DATA};
    }
    s->segments[CPU_CS] = (struct cpu_segment){0xffff0000u, REAL_LIMIT, REAL_CODE, 0xf000};
    s->segments[CPU_LDTR].access_rights = LDT;
    s->segments[CPU_TR].access_rights = BUSY_TSS;
    s->gdtr.limit = s->idtr.limit = REAL_LIMIT;
    s->rip = 0xfff0;
    s->rflags = CPU_RFLAGS_FIXED;
    s->cr0 = CPU_CR0_ET | CPU_CR0_NW | CPU_CR0_CD;
    s->dr6 = 0xffff0ff0u;
    s->dr7 = 0x400;
    s->xcr0 = 1;
    s->msrs.pat = PAT_RESET;
    s->msrs.apic_base = APIC_BASE_RESET;
}

void cpu_state_long_mode(struct cpu_state *s, uint64_t cr3)
{
    cpu_state_reset(s);
    for (unsigned i = CPU_ES; i <= CPU_GS; i++) {
        s->segments[i] = (struct cpu_segment){.limit = FLAT_LIMIT, .access_rights = DATA_32, .selector = 0x10};
    }
    s->segments[CPU_CS] = (struct cpu_segment){.limit = FLAT_LIMIT, .access_rights = CODE_64, .selector = 8};
    s->segments[CPU_LDTR] = (struct cpu_segment){.access_rights = CPU_AR_UNUSABLE};
    s->segments[CPU_TR] = (struct cpu_segment){.limit = 103, .access_rights = BUSY_TSS, .selector = 0x18};
    s->rip = 0;
    s->cr0 = CPU_CR0_PE | CPU_CR0_MP | CPU_CR0_ET | CPU_CR0_NE | CPU_CR0_WP | CPU_CR0_PG;
    s->cr3 = cr3;
    s->cr4 = CPU_CR4_PAE | CPU_CR4_PGE;
    s->msrs.efer = CPU_EFER_SCE | CPU_EFER_LME | CPU_EFER_LMA | CPU_EFER_NXE;
}

uint64_t *cpu_msr(struct cpu_state *s, uint32_t index)
{
    switch (index) {
#define M(member, number, name) case number: return &s->msrs.member;
#include "cpu/msrs.def"
#undef M
    case CPU_MSR_fs_base: return &s->segments[CPU_FS].base;
    case CPU_MSR_gs_base: return &s->segments[CPU_GS].base;
    default: return NULL;
    }
}
