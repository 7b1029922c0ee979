/* SPDX-License-Identifier: MIT */
/*
 * MOV to and from control registers, CLTS, LMSW and SMSW: SDM Vol. 2 for what each checks, Vol. 3C 26.3 (25.3 in
 * editions before 2022) for guest/host masks and read shadows. A bit that the host owns keeps its value; the guest
 * reads the shadow.
 */
#include "cpu/execute/operations.h"

#define CR0_BITS \
    (CPU_CR0_PE | CPU_CR0_MP | CPU_CR0_EM | CPU_CR0_TS | CPU_CR0_NE | CPU_CR0_WP | CPU_CR0_AM | CPU_CR0_NW | \
     CPU_CR0_CD | CPU_CR0_PG)
#define CR3_KEEP (UINT64_C(1) << 63) /* MOV to CR3 with PCIDs: invalidate nothing */
#define PDPTE_PRESENT UINT64_C(1)
enum { LMSW_BITS = 15, LMSW_QUALIFICATION = 3 << 4, LMSW_MEMORY = 1 << 6, LMSW_SOURCE_SHIFT = 16 };
enum { PDPTE_RESERVED = 0x1e6 };

/* The bits of CR0 or CR4 that the software running now owns. */
static uint64_t mine(const struct processor *p, uint64_t mask)
{
    return p->vmx.non_root ? ~mask : UINT64_MAX;
}

/* CR0 and CR4 as the guest sees them: bits that the host owns come from the read shadow. */
static uint64_t visible_cr0(const struct processor *p)
{
    uint64_t mask = ~mine(p, p->vmx.cr0_mask);
    return mask == 0 ? p->state.cr0 : (p->state.cr0 & ~mask) | (VMCS_GET(&p->vmx.current, cr0_read_shadow) & mask);
}

static uint64_t visible_cr4(const struct processor *p)
{
    uint64_t mask = ~mine(p, p->vmx.cr4_mask);
    return mask == 0 ? p->state.cr4 : (p->state.cr4 & ~mask) | (VMCS_GET(&p->vmx.current, cr4_read_shadow) & mask);
}

/* --- PDPTEs of PAE paging (SDM Vol. 3A 4.4.1) -------------------------------------------------------------------- */

bool cpu_load_pdptes(struct processor *p, uint64_t cr3, enum cpu_end *end)
{
    uint64_t loaded[4];
    uint64_t reserved = PDPTE_RESERVED | ~((UINT64_C(1) << p->vmx.caps.physical_bits) - 1);
    for (unsigned i = 0; i < 4; i++) {
        hv_gpa address = {(cr3 & UINT64_C(0xffffffe0)) + 8 * i};
        if (!cpu_access_guest_physical(p, address, HV_LOAD, &loaded[i], sizeof(loaded[i]), end)) {
            return false;
        }
        if ((loaded[i] & PDPTE_PRESENT) != 0 && (loaded[i] & reserved) != 0) {
            *end = cpu_gp(p);
            return false;
        }
    }
    for (unsigned i = 0; i < 4; i++) {
        p->state.pdpte[i] = loaded[i];
    }
    return true;
}

/* Whether these registers mean PAE paging. */
static bool pae_paging(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
    return (cr0 & CPU_CR0_PG) != 0 && (cr4 & CPU_CR4_PAE) != 0 && (efer & CPU_EFER_LMA) == 0;
}

/* New control registers take effect, and the MMU is told. */
static void commit(struct processor *p, uint64_t cr0, uint64_t cr4, uint64_t efer)
{
    p->state.cr0 = cr0;
    p->state.cr4 = cr4;
    p->state.msrs.efer = efer;
    mmu_mov_control(p->mmu, cr0, cr4, efer);
    processor_context_changed(p);
}

/* --- CR0 --------------------------------------------------------------------------------------------------------- */

/* Bits that have to be 1 in VMX operation; an unrestricted guest may do without protection and paging (24.8; 23.8). */
static uint64_t cr0_required(const struct processor *p)
{
    uint64_t free = GUEST_ON(p, SECONDARY, unrestricted_guest) ? CPU_CR0_PE | CPU_CR0_PG : 0;
    return p->vmx.on ? p->vmx.caps.cr0_fixed0 & ~free : 0;
}

static bool cr0_valid(const struct processor *p, uint64_t cr0)
{
    const struct cpu_state *s = &p->state;
    bool paging = (cr0 & CPU_CR0_PG) != 0, was_paging = (s->cr0 & CPU_CR0_PG) != 0;
    bool long_mode = (s->msrs.efer & CPU_EFER_LME) != 0;
    if (cr0 >> 32 != 0 || (paging && (cr0 & CPU_CR0_PE) == 0) || (cr0 & (CPU_CR0_NW | CPU_CR0_CD)) == CPU_CR0_NW ||
        ((cr0 & CPU_CR0_WP) == 0 && (s->cr4 & CPU_CR4_CET) != 0) ||
        (~cr0 & cr0_required(p)) != 0) {
        return false;
    }
    if (paging && !was_paging && long_mode) {
        return (s->cr4 & CPU_CR4_PAE) != 0 && (s->segments[CPU_CS].access_rights & CPU_AR_L) == 0;
    }
    return paging || !was_paging || (!cpu_64_bit_mode(s) && (s->cr4 & CPU_CR4_PCIDE) == 0);
}

enum cpu_end cpu_write_cr0(struct processor *p, uint64_t value, uint64_t owned)
{
    const struct cpu_state *s = &p->state;
    enum cpu_end end;
    uint64_t kept = owned & (CR0_BITS | ~(uint64_t)UINT32_MAX);
    uint64_t cr0 = (s->cr0 & ~kept) | (value & kept) | CPU_CR0_ET;
    if (!cr0_valid(p, cr0)) {
        return cpu_gp(p);
    }
    bool active = (cr0 & CPU_CR0_PG) != 0 && (s->msrs.efer & CPU_EFER_LME) != 0;
    uint64_t efer = (s->msrs.efer & ~CPU_EFER_LMA) | (active ? CPU_EFER_LMA : 0);
    uint64_t matters = CPU_CR0_PG | CPU_CR0_CD | CPU_CR0_NW;
    if (pae_paging(cr0, s->cr4, efer) && ((cr0 ^ s->cr0) & matters) != 0 && !cpu_load_pdptes(p, s->cr3, &end)) {
        return end;
    }
    commit(p, cr0, s->cr4, efer);
    return CPU_COMPLETED;
}

/* --- CR3 and CR4 ------------------------------------------------------------------------------------------------- */

static enum cpu_end write_cr3(struct processor *p, uint64_t value)
{
    struct cpu_state *s = &p->state;
    enum cpu_end end;
    bool pcids = (s->cr4 & CPU_CR4_PCIDE) != 0;
    uint64_t cr3 = pcids ? value & ~CR3_KEEP : value;
    if (cr3 >> p->vmx.caps.physical_bits != 0) {
        return cpu_gp(p);
    }
    if (pae_paging(s->cr0, s->cr4, s->msrs.efer) && !cpu_load_pdptes(p, cr3, &end)) {
        return end;
    }
    s->cr3 = cr3;
    mmu_mov_cr3(p->mmu, value);
    return CPU_COMPLETED;
}

static bool cr4_valid(const struct processor *p, uint64_t cr4)
{
    const struct cpu_state *s = &p->state;
    uint64_t set = cr4 & ~s->cr4, changed = cr4 ^ s->cr4;
    if ((cr4 & ~p->vmx.caps.cr4_fixed1) != 0 || (p->vmx.on && (~cr4 & p->vmx.caps.cr4_fixed0) != 0) ||
        ((cr4 & CPU_CR4_CET) != 0 && (s->cr0 & CPU_CR0_WP) == 0)) {
        return false;
    }
    if (cpu_long_mode(s) && ((cr4 & CPU_CR4_PAE) == 0 || (changed & CPU_CR4_LA57) != 0)) {
        return false;
    }
    return (set & CPU_CR4_PCIDE) == 0 || (cpu_long_mode(s) && (s->cr3 & MMU_CR3_PCID) == 0);
}

static enum cpu_end write_cr4(struct processor *p, uint64_t value)
{
    const struct cpu_state *s = &p->state;
    enum cpu_end end;
    uint64_t owned = mine(p, p->vmx.cr4_mask), cr4 = (s->cr4 & ~owned) | (value & owned);
    if (!cr4_valid(p, cr4)) {
        return cpu_gp(p);
    }
    uint64_t matters = CPU_CR4_PAE | CPU_CR4_PGE | CPU_CR4_PSE | CPU_CR4_SMEP;
    if (pae_paging(s->cr0, cr4, s->msrs.efer) && ((cr4 ^ s->cr4) & matters) != 0 &&
        !cpu_load_pdptes(p, s->cr3, &end)) {
        return end;
    }
    commit(p, s->cr0, cr4, s->msrs.efer);
    return CPU_COMPLETED;
}

/* --- the instructions -------------------------------------------------------------------------------------------- */

enum cpu_end do_mov_to_cr(struct processor *p, const struct cpu_instruction *i)
{
    uint64_t value = cpu_register_value(p, i->reg1);
    value = cpu_64_bit_mode(&p->state) ? value : value & UINT32_MAX;
    switch (i->reg2) {
    case 0: return cpu_write_cr0(p, value, mine(p, p->vmx.cr0_mask));
    case 2: p->state.cr2 = value; return CPU_COMPLETED;
    case 3: return write_cr3(p, value);
    case 4: return write_cr4(p, value);
    default: return cpu_write_cr8(p, value);
    }
}

enum cpu_end do_mov_from_cr(struct processor *p, const struct cpu_instruction *i)
{
    uint64_t value;
    switch (i->reg2) {
    case 0: value = visible_cr0(p); break;
    case 2: value = p->state.cr2; break;
    case 3: value = p->state.cr3; break;
    case 4: value = visible_cr4(p); break;
    default: value = cpu_read_cr8(p); break;
    }
    cpu_register_set(p, i->reg1, value, cpu_64_bit_mode(&p->state) ? 8 : 4);
    return CPU_COMPLETED;
}

/* A guest whose CR0.TS the host owns, with 0 in the shadow, clears nothing; with 1 it has exited. */
enum cpu_end do_clts(struct processor *p, const struct cpu_instruction *i)
{
    (void)i;
    p->state.cr0 &= ~(CPU_CR0_TS & mine(p, p->vmx.cr0_mask));
    return CPU_COMPLETED;
}

/* LMSW sets PE but never clears it, so of a PE that the host owns only setting a shadow of 0 matters. */
static bool lmsw_exits(const struct processor *p, uint64_t source)
{
    uint64_t shadow = VMCS_GET(&p->vmx.current, cr0_read_shadow), mask = p->vmx.cr0_mask & LMSW_BITS;
    uint64_t differs = (source & ~CPU_CR0_PE) ^ (shadow & ~CPU_CR0_PE);
    return (mask & ~CPU_CR0_PE & differs) != 0 || (mask & CPU_CR0_PE & source & ~shadow) != 0;
}

enum cpu_end do_lmsw(struct processor *p, const struct cpu_instruction *i)
{
    uint16_t source;
    enum cpu_end end;
    if (!cpu_read(p, i, &source, sizeof(source), &end)) {
        return end;
    }
    if (p->vmx.non_root && lmsw_exits(p, source)) {
        return cpu_exit(p, (struct vmx_exit){
            .reason = VMX_EXIT_cr_access, .length = cpu_length(i),
            .qualification = LMSW_QUALIFICATION | (i->in_memory ? (uint64_t)LMSW_MEMORY : 0) |
                             (uint64_t)source << LMSW_SOURCE_SHIFT,
            .guest_linear = i->in_memory ? cpu_linear_address(p, &i->memory).v : 0,
        });
    }
    uint64_t value = source | (p->state.cr0 & CPU_CR0_PE);
    return cpu_write_cr0(p, value, mine(p, p->vmx.cr0_mask) & LMSW_BITS);
}

enum cpu_end do_smsw(struct processor *p, const struct cpu_instruction *i)
{
    uint64_t cr0 = visible_cr0(p);
    enum cpu_end end = CPU_COMPLETED;
    cpu_write(p, i, &cr0, i->in_memory ? 2 : cpu_operand_size(p, i), &end);
    return end;
}
