/* SPDX-License-Identifier: MIT */
/*
 * What each invalidating instruction and event removes, and what it keeps: a row for each, a column for each kind of
 * cached translation. The rows quote the SDM (Vol. 2 instruction pages, Vol. 3A 4.10.4.1, Vol. 3C 29.4.3.1).
 */
#include "gtest.h"

#include <string.h>

#include "rig.h"

#define A UINT64_C(0x00007f1234567000)       /* the address that instructions name */
#define A_SAME_2M UINT64_C(0x00007f1234401000) /* another 4 KiB of the 2 MiB around it */
#define B UINT64_C(0x0000123456789000)       /* shares no paging-structure entry with A */
#define GPA UINT64_C(0x0000000212345000)     /* the guest-physical address of a fault */
#define OTHER_GPA UINT64_C(0x0000015987654000)
#define THIS_EPT UINT64_C(0x100000)
#define OTHER_EPT UINT64_C(0x200000)

enum { VPID = 5, OTHER_VPID = 6, OTHER_PCID = 9, PCID = 3 };

/* --- The columns ------------------------------------------------------------------------------------------------ */

enum where { PAGE, SPLINTER, GUEST_TABLE, NESTED_TLB, HOST_TABLE };

struct column {
    const char *name;
    enum where where;
    uint64_t address;
    struct tlb_space space;
};

enum { CURRENT_PCID = 0xffff }; /* stands for that of the row's context */

#define COMBINED(ept, vpid_, pcid_) {.mapping = TLB_COMBINED, .ep4ta = (ept), .vpid = (vpid_), .pcid = (pcid_)}
#define COMBINED_GLOBAL(ept, vpid_) {.mapping = TLB_COMBINED, .ep4ta = (ept), .vpid = (vpid_), .global = true}
#define LINEAR(vpid_, pcid_) {.mapping = TLB_LINEAR, .vpid = (vpid_), .pcid = (pcid_)}
#define LINEAR_GLOBAL(vpid_) {.mapping = TLB_LINEAR, .vpid = (vpid_), .global = true}
#define GUEST_PHYSICAL(ept) {.mapping = TLB_GUEST_PHYSICAL, .ep4ta = (ept)}

static const struct column columns[] = {
    /* Group 1: combined, this VPID, this EP4TA. */
    {"combined A", PAGE, A, COMBINED(THIS_EPT, VPID, CURRENT_PCID)},
    {"combined B", PAGE, B, COMBINED(THIS_EPT, VPID, CURRENT_PCID)},
    {"combined A of another PCID", PAGE, A, COMBINED(THIS_EPT, VPID, OTHER_PCID)},
    {"combined B of another PCID", PAGE, B, COMBINED(THIS_EPT, VPID, OTHER_PCID)},
    {"combined global A", PAGE, A, COMBINED_GLOBAL(THIS_EPT, VPID)},
    {"combined global B", PAGE, B, COMBINED_GLOBAL(THIS_EPT, VPID)},
    {"piece of a 2M guest page around A", SPLINTER, A_SAME_2M, COMBINED(THIS_EPT, VPID, CURRENT_PCID)},
    /* Group 2: combined, this VPID, another EP4TA. */
    {"combined A of another EP4TA", PAGE, A, COMBINED(OTHER_EPT, VPID, CURRENT_PCID)},
    {"combined B of another EP4TA", PAGE, B, COMBINED(OTHER_EPT, VPID, CURRENT_PCID)},
    {"combined global A of another EP4TA", PAGE, A, COMBINED_GLOBAL(OTHER_EPT, VPID)},
    {"combined A of another EP4TA and PCID", PAGE, A, COMBINED(OTHER_EPT, VPID, OTHER_PCID)},
    /* Group 3: linear, this VPID. */
    {"linear A", PAGE, A, LINEAR(VPID, CURRENT_PCID)},
    {"linear B", PAGE, B, LINEAR(VPID, CURRENT_PCID)},
    {"linear global B", PAGE, B, LINEAR_GLOBAL(VPID)},
    /* Group 4: another VPID. */
    {"combined A of another VPID", PAGE, A, COMBINED(THIS_EPT, OTHER_VPID, CURRENT_PCID)},
    {"combined global A of another VPID", PAGE, A, COMBINED_GLOBAL(THIS_EPT, OTHER_VPID)},
    {"linear A of another VPID", PAGE, A, LINEAR(OTHER_VPID, CURRENT_PCID)},
    /* Group 5: VPID 0000H, of the hypervisor itself and of guests without a VPID. */
    {"linear A of VPID 0", PAGE, A, LINEAR(0, CURRENT_PCID)},
    {"linear A of VPID 0, another PCID", PAGE, A, LINEAR(0, OTHER_PCID)},
    {"linear global A of VPID 0", PAGE, A, LINEAR_GLOBAL(0)},
    {"combined A of VPID 0", PAGE, A, COMBINED(THIS_EPT, 0, CURRENT_PCID)},
    /* Group 6: paging-structure caches of the guest dimension. */
    {"tables of A", GUEST_TABLE, A, COMBINED(THIS_EPT, VPID, CURRENT_PCID)},
    {"tables of B", GUEST_TABLE, B, COMBINED(THIS_EPT, VPID, CURRENT_PCID)},
    {"tables of A of another PCID", GUEST_TABLE, A, COMBINED(THIS_EPT, VPID, OTHER_PCID)},
    {"tables of A of another VPID", GUEST_TABLE, A, COMBINED(THIS_EPT, OTHER_VPID, CURRENT_PCID)},
    {"tables of A of VPID 0", GUEST_TABLE, A, LINEAR(0, CURRENT_PCID)},
    /* Group 7: guest-physical mappings. */
    {"nested TLB", NESTED_TLB, GPA, GUEST_PHYSICAL(THIS_EPT)},
    {"nested TLB of another EP4TA", NESTED_TLB, GPA, GUEST_PHYSICAL(OTHER_EPT)},
    {"EPT tables", HOST_TABLE, GPA, GUEST_PHYSICAL(THIS_EPT)},
    {"EPT tables of another EP4TA", HOST_TABLE, GPA, GUEST_PHYSICAL(OTHER_EPT)},
    {"nested TLB, another address", NESTED_TLB, OTHER_GPA, GUEST_PHYSICAL(THIS_EPT)},
};

/* --- The contexts and the actions ------------------------------------------------------------------------------- */

enum context { GUEST, GUEST_WITHOUT_PCIDE, ROOT };

static struct mmu_regs regs_of(enum context context)
{
    struct mmu_regs regs;
    memset(&regs, 0, sizeof(regs));
    bool pcids = context != GUEST_WITHOUT_PCIDE;
    regs.cr0 = MMU_CR0_PG | MMU_CR0_WP;
    regs.cr3 = HV_MIB(4) | (pcids ? PCID : 0);
    regs.cr4 = MMU_CR4_PAE | MMU_CR4_PGE | (pcids ? MMU_CR4_PCIDE : 0);
    regs.efer = MMU_EFER_LME | MMU_EFER_LMA | MMU_EFER_NXE;
    if (context != ROOT) {
        regs.nested = true;
        regs.vpid = VPID;
        regs.eptp = THIS_EPT | 3 << 3 | 6 | MMU_EPTP_FLAGS;
    }
    return regs;
}

static void invlpg(struct mmu *m)
{
    mmu_invlpg(m, (hv_gva){A});
}

static void invlpg_inside_page(struct mmu *m)
{
    mmu_invlpg(m, (hv_gva){A + 0xabc});
}

static void invlpg_non_canonical(struct mmu *m)
{
    mmu_invlpg(m, (hv_gva){A ^ UINT64_C(1) << 60});
}

static void invpcid_address(struct mmu *m)
{
    assert_true(mmu_invpcid(m, 0, PCID, (hv_gva){A}));
}

static void invpcid_address_of_other(struct mmu *m)
{
    assert_true(mmu_invpcid(m, 0, OTHER_PCID, (hv_gva){A}));
}

static void invpcid_context(struct mmu *m)
{
    assert_true(mmu_invpcid(m, 1, PCID, (hv_gva){0}));
}

static void invpcid_context_of_other(struct mmu *m)
{
    assert_true(mmu_invpcid(m, 1, OTHER_PCID, (hv_gva){0}));
}

static void invpcid_all_global(struct mmu *m)
{
    assert_true(mmu_invpcid(m, 2, 0, (hv_gva){0}));
}

static void invpcid_all(struct mmu *m)
{
    assert_true(mmu_invpcid(m, 3, 0, (hv_gva){0}));
}

static void invept_context(struct mmu *m)
{
    /* Bits 11:0 of the EPTP are no part of the tag. */
    assert_true(mmu_invept(m, 1, THIS_EPT | 3 << 3 | 6));
}

static void invept_context_of_other(struct mmu *m)
{
    assert_true(mmu_invept(m, 1, OTHER_EPT | 3 << 3 | 6 | MMU_EPTP_FLAGS));
}

static void invept_all(struct mmu *m)
{
    assert_true(mmu_invept(m, 2, 0));
}

static void invvpid_address(struct mmu *m)
{
    assert_true(mmu_invvpid(m, 0, VPID, (hv_gva){A}));
}

static void invvpid_address_of_other(struct mmu *m)
{
    assert_true(mmu_invvpid(m, 0, OTHER_VPID, (hv_gva){A}));
}

static void invvpid_context(struct mmu *m)
{
    assert_true(mmu_invvpid(m, 1, VPID, (hv_gva){0}));
}

static void invvpid_all(struct mmu *m)
{
    assert_true(mmu_invvpid(m, 2, 0, (hv_gva){0}));
}

static void invvpid_keep_global(struct mmu *m)
{
    assert_true(mmu_invvpid(m, 3, VPID, (hv_gva){0}));
}

static void mov_cr3(struct mmu *m)
{
    mmu_mov_cr3(m, HV_MIB(8) | m->env.pcid);
}

static void mov_cr3_to_other(struct mmu *m)
{
    mmu_mov_cr3(m, HV_MIB(8) | OTHER_PCID);
}

static void mov_cr3_to_other_keeping(struct mmu *m)
{
    mmu_mov_cr3(m, HV_MIB(8) | OTHER_PCID | UINT64_C(1) << 63);
}

static void mov_cr4(struct mmu *m, uint64_t toggled)
{
    struct mmu_regs regs = m->env.regs;
    mmu_mov_control(m, regs.cr0, regs.cr4 ^ toggled, regs.efer);
}

static void mov_cr4_clear_pge(struct mmu *m)
{
    mov_cr4(m, MMU_CR4_PGE);
}

static void mov_cr4_clear_pcide(struct mmu *m)
{
    mov_cr4(m, MMU_CR4_PCIDE);
}

static void mov_cr4_set_smep(struct mmu *m)
{
    mov_cr4(m, MMU_CR4_SMEP);
}

static void mov_cr4_set_smap(struct mmu *m)
{
    mov_cr4(m, MMU_CR4_SMAP);
}

static void mov_cr0_clear_pg(struct mmu *m)
{
    struct mmu_regs regs = m->env.regs;
    mmu_mov_control(m, regs.cr0 & ~MMU_CR0_PG, regs.cr4, regs.efer);
}

static void mov_cr0_clear_wp(struct mmu *m)
{
    struct mmu_regs regs = m->env.regs;
    mmu_mov_control(m, regs.cr0 & ~MMU_CR0_WP, regs.cr4, regs.efer);
}

static void to_root(struct mmu *m)
{
    struct mmu_regs regs = regs_of(ROOT);
    mmu_vm_transition(m, &regs);
}

static void to_guest(struct mmu *m)
{
    struct mmu_regs regs = regs_of(GUEST);
    mmu_vm_transition(m, &regs);
}

static void to_guest_without_vpid(struct mmu *m)
{
    struct mmu_regs regs = regs_of(GUEST);
    regs.vpid = 0;
    mmu_vm_transition(m, &regs);
}

static void page_fault(struct mmu *m)
{
    struct hv_fault fault = {.kind = HV_FAULT_PAGE, .dimension = HV_GUEST, .gva = {A}};
    mmu_drop_faulting(m, &fault);
}

static void violation(struct mmu *m)
{
    struct hv_fault fault = {.kind = HV_FAULT_VIOLATION, .dimension = HV_HOST, .gva = {A}, .gpa = {GPA}};
    mmu_drop_faulting(m, &fault);
}

/* --- The rows --------------------------------------------------------------------------------------------------- */

/* R: removed, K: kept, '.': the SDM allows both. A group of columns is a word. */
struct row {
    const char *name;
    enum context context;
    void (*act)(struct mmu *m);
    const char *expected;
    bool untagged;
};

#define NOTHING "KKKKKKK KKKK KKK KKK KKKK KKKKK KKKKK"
#define ALL_OF_VPID "RRRRRRR RRRR RRR KKK KKKK RRRKK KKKKK"
#define NON_GLOBAL_OF_VPID "RRRRKKR RRKR RRK KKK KKKK RRRKK KKKKK"
#define NON_GLOBAL_OF_PCID "RRKKKKR RRKK RRK KKK KKKK RRKKK KKKKK"
#define NON_GLOBAL_OF_OTHER_PCID "KKRRKKK KKKR KKK KKK KKKK KKRKK KKKKK"
#define EVERYTHING "RRRRRRR RRRR RRR RRR RRRR RRRRR RRRRR"

static const struct row rows[] = {
    /*
     * "INVLPG invalidates any TLB entries that are for a page number corresponding to the linear address and that are
     * associated with the current PCID. It also invalidates any global TLB entries with that page number, regardless
     * of PCID. INVLPG also invalidates all entries in all paging-structure caches associated with the current PCID,
     * regardless of the linear addresses to which they correspond." And: "If the paging structures map the linear
     * address using a page larger than 4 KBytes and there are multiple TLB entries for that page, the instruction
     * invalidates all of them." And: "They are required to do so only for the current VPID (but, for combined
     * mappings, all EP4TAs). Linear mappings for the current VPID are invalidated even if EPT is in use."
     */
    {"invlpg", GUEST, invlpg, "RKKKRKR RKRK RKK KKK KKKK RRKKK KKKKK", false},
    {"invlpg/inside_the_page", GUEST, invlpg_inside_page, "RKKKRKR RKRK RKK KKK KKKK RRKKK KKKKK", false},
    /* "Combined mappings for the current VPID are invalidated even if EPT is not in use." */
    {"invlpg/in_root", ROOT, invlpg, "KKKKKKK KKKK KKK KKK RKRR KKKKR KKKKK", false},
    /* INVLPG: "if the memory address is in a non-canonical form [...] INVLPG is the same as a NOP." */
    {"invlpg/non_canonical", GUEST, invlpg_non_canonical, NOTHING, false},
    /*
     * Type 0: "invalidates mappings -- except global translations -- associated with the PCID specified in the INVPCID
     * descriptor and that would be used to translate the linear address specified in the INVPCID descriptor."
     */
    {"invpcid/address", GUEST, invpcid_address, "RKKKKKR RKKK RKK KKK KKKK RKKKK KKKKK", false},
    {"invpcid/address_of_other", GUEST, invpcid_address_of_other, "KKRKKKK KKKR KKK KKK KKKK KKRKK KKKKK", false},
    /* Type 1: "all mappings -- except global translations -- associated with the PCID specified". */
    {"invpcid/context", GUEST, invpcid_context, NON_GLOBAL_OF_PCID, false},
    {"invpcid/context_of_other", GUEST, invpcid_context_of_other, NON_GLOBAL_OF_OTHER_PCID, false},
    /* Type 2: "all mappings -- including global translations -- associated with all PCIDs". */
    {"invpcid/all_with_global", GUEST, invpcid_all_global, ALL_OF_VPID, false},
    /* Type 3: "all mappings -- except global translations -- associated with all PCIDs". */
    {"invpcid/all", GUEST, invpcid_all, NON_GLOBAL_OF_VPID, false},
    /*
     * Type 1: "invalidates all guest-physical mappings and combined mappings associated with the EP4TA specified in
     * the INVEPT descriptor. Combined mappings for that EP4TA are invalidated for all VPIDs and all PCIDs."
     */
    {"invept/context", GUEST, invept_context, "RRRRRRR KKKK KKK RRK KKKR RRRRK RKRKR", false},
    {"invept/context_in_root", ROOT, invept_context, "RRRRRRR KKKK KKK RRK KKKR RRRRK RKRKR", false},
    {"invept/context_of_other", GUEST, invept_context_of_other, "KKKKKKK RRRR KKK KKK KKKK KKKKK KRKRK", false},
    /* Type 2: "invalidates guest-physical mappings and combined mappings associated with all EP4TAs." */
    {"invept/all", GUEST, invept_all, "RRRRRRR RRRR KKK RRK KKKR RRRRK RRRRR", false},
    /*
     * Type 0: "invalidates linear mappings and combined mappings associated with the VPID specified in the INVVPID
     * descriptor and that would be used to translate the linear address specified in of the INVVPID descriptor. Linear
     * mappings and combined mappings for that VPID and linear address are invalidated for all PCIDs and, for combined
     * mappings, all EP4TAs."
     */
    {"invvpid/address", GUEST, invvpid_address, "RKRKRKR RKRR RKK KKK KKKK RKRKK KKKKK", false},
    {"invvpid/address_in_root", ROOT, invvpid_address, "RKRKRKR RKRR RKK KKK KKKK RKRKK KKKKK", false},
    {"invvpid/address_of_other", GUEST, invvpid_address_of_other, "KKKKKKK KKKK KKK RRR KKKK KKKRK KKKKK", false},
    /* Type 1: "all linear mappings and combined mappings associated with the VPID", all PCIDs and EP4TAs. */
    {"invvpid/context", GUEST, invvpid_context, ALL_OF_VPID, false},
    /* Type 2: "linear mappings and combined mappings associated with all VPIDs except VPID 0000H". */
    {"invvpid/all", GUEST, invvpid_all, "RRRRRRR RRRR RRR RRR KKKK RRRRK KKKKK", false},
    /* Type 3: as type 1, but "not required to invalidate information that was used for global translations". */
    {"invvpid/context_keeping_global", GUEST, invvpid_keep_global, NON_GLOBAL_OF_VPID, false},
    /*
     * MOV to CR3. "If CR4.PCIDE = 0, the instruction invalidates all TLB entries associated with PCID 000H except those
     * for global pages. It also invalidates all entries in all paging-structure caches associated with PCID 000H."
     */
    {"mov_cr3/without_pcide", GUEST_WITHOUT_PCIDE, mov_cr3, NON_GLOBAL_OF_PCID, false},
    /* "If CR4.PCIDE = 1 and bit 63 of the instruction's source operand is 0": the PCID of its bits 11:0. */
    {"mov_cr3/same_pcid", GUEST, mov_cr3, NON_GLOBAL_OF_PCID, false},
    {"mov_cr3/another_pcid", GUEST, mov_cr3_to_other, NON_GLOBAL_OF_OTHER_PCID, false},
    {"mov_cr3/in_root", ROOT, mov_cr3, "KKKKKKK KKKK KKK KKK RKKR KKKKR KKKKK", false},
    /* "If [...] bit 63 is 1, the instruction is not required to invalidate any TLB entries". */
    {"mov_cr3/bit_63", GUEST, mov_cr3_to_other_keeping, NOTHING, false},
    /*
     * MOV to CR4: "invalidates all TLB entries (including global entries) and all entries in all paging-structure
     * caches (for all PCIDs) if (1) it changes the value of CR4.PGE; or (2) it changes the value of the CR4.PCIDE from
     * 1 to 0."
     */
    {"mov_cr4/pge", GUEST, mov_cr4_clear_pge, ALL_OF_VPID, false},
    {"mov_cr4/clear_pcide", GUEST, mov_cr4_clear_pcide, ALL_OF_VPID, false},
    /*
     * "invalidates all TLB entries and all entries in all paging-structure caches for the current PCID if [...] it
     * changes the value of CR4.SMEP from 0 to 1."
     */
    {"mov_cr4/set_smep", GUEST, mov_cr4_set_smep, "RR....R RR.. RR. KKK KKKK RR.KK KKKKK", false},
    {"mov_cr4/set_smap", GUEST, mov_cr4_set_smap, NOTHING, false},
    /* MOV to CR0: all, global ones included, "if it changes the value of CR0.PG from 1 to 0". */
    {"mov_cr0/clear_pg", GUEST, mov_cr0_clear_pg, ALL_OF_VPID, false},
    {"mov_cr0/clear_wp", GUEST, mov_cr0_clear_wp, NOTHING, false},
    /*
     * "If the 'enable VPID' VM-execution control is 0, VM entries and VM exits invalidate linear mappings and combined
     * mappings associated with VPID 0000H (for all PCIDs). Combined mappings for VPID 0000H are invalidated for all
     * EP4TAs." If it is 1, "VMX transitions are not required to invalidate any linear mappings or combined mappings."
     */
    {"vm_exit/vpid", GUEST, to_root, NOTHING, false},
    {"vm_entry/vpid", ROOT, to_guest, NOTHING, false},
    {"vm_entry/no_vpid", ROOT, to_guest_without_vpid, "KKKKKKK KKKK KKK KKK RRRR KKKKR KKKKK", false},
    /* A part without tags loses everything at every change of address space or of mode. */
    {"untagged/mov_cr3", GUEST, mov_cr3_to_other_keeping, EVERYTHING, true},
    {"untagged/vm_exit", GUEST, to_root, EVERYTHING, true},
    {"untagged/vm_entry", ROOT, to_guest, EVERYTHING, true},
    /*
     * "A page-fault exception resulting from an attempt to use a linear address will invalidate any TLB entries that
     * are for a page number corresponding to that linear address and that are associated with the current PCID. It
     * also invalidates all entries in the paging-structure caches that would be used for that linear address and that
     * are associated with the current PCID." (A global entry that would be used goes too, or the fault might recur.)
     */
    {"page_fault", GUEST, page_fault, "RKKKRK. KKKK KKK KKK KKKK RKKKK KKKKK", false},
    /*
     * "An EPT violation invalidates any guest-physical mappings (associated with the current EP4TA) that would be used
     * to translate the guest-physical address that caused the EPT violation. If that guest-physical address was the
     * translation of a linear address, the EPT violation also invalidates any combined mappings for that linear
     * address associated with the current PCID, the current VPID and the current EP4TA."
     */
    {"ept_violation", GUEST, violation, "RKKKRK. KKKK KKK KKK KKKK RKKKK RKRKK", false},
};

/* --- Filling, and looking afterwards ---------------------------------------------------------------------------- */

static struct tlb_space space_of(const struct column *c, uint16_t current_pcid)
{
    struct tlb_space space = c->space;
    space.pcid = space.pcid == CURRENT_PCID ? current_pcid : space.pcid;
    return space;
}

static const enum tlb_level page_levels[] = {TLB_LEVEL_L1D, TLB_LEVEL_L1I, TLB_LEVEL_L2};
static const enum tlb_unit page_units[] = {TLB_L1D_4K, TLB_L1I_4K, TLB_L2};

static void put(struct mmu *m, const struct column *c, tlb_space_id id)
{
    uint64_t payload = HV_MIB(64) | TLB_HOST_ALL | TLB_DIRTY | (c->space.global ? (uint64_t)TLB_GLOBAL : 0);
    payload |= c->where == SPLINTER ? UINT64_C(1) << TLB_GUEST_SIZE_SHIFT : 0;
    struct pwc_table table = {{HV_MIB(64)}, RADIX_ALL, 0, true, false};
    for (table.level = 1; table.level <= 3; table.level++) {
        if (c->where == GUEST_TABLE || c->where == HOST_TABLE) {
            pwc_add_table(&m->pwc, c->where == GUEST_TABLE ? HV_GUEST : HV_HOST, c->address, id, &table);
        }
    }
    if (c->where == NESTED_TLB) {
        (void)tlb_insert(&m->nested_tlb, c->address, HV_PAGE_4K, id, payload);
    }
    for (size_t i = 0; i < HV_ARRAY_LEN(page_levels) && c->where <= SPLINTER; i++) {
        struct tlb_view view = {id, id};
        tlb_levels_fill(&m->tlb, page_levels[i], c->address, view, HV_PAGE_4K, payload);
    }
}

/* How many of the structures that hold a column's translation still do, and of how many. */
static unsigned still_there(struct mmu *m, const struct column *c, tlb_space_id id, unsigned *of)
{
    unsigned there = 0;
    if (c->where == NESTED_TLB) {
        *of = 1;
        return tlb_lookup(&m->nested_tlb, c->address, HV_PAGE_4K, id) != NULL;
    }
    *of = 3;
    for (unsigned i = 0; i < 3; i++) {
        struct tlb *t = c->where <= SPLINTER
                            ? &m->tlb.unit[page_units[i]]
                            : &m->pwc.cache[c->where == GUEST_TABLE ? HV_GUEST : HV_HOST][PWC_LOWEST_LEVEL + i];
        there += tlb_lookup(t, c->address, 0, id) != NULL;
    }
    return there;
}

static void check_column(struct mmu *m, const struct row *row, const struct column *c, tlb_space_id id, char expected)
{
    unsigned of = 0, there = still_there(m, c, id, &of);
    if (expected == 'R' ? there != 0 : expected == 'K' ? there != of : false) {
        fail_msg("%s: '%s' is in %u of %u structures, expected %s", row->name, c->name, there, of,
                 expected == 'R' ? "none" : "all");
    }
}

static void removes_what_it_names(void **state)
{
    const struct row *row = *state;
    struct mmu_config config = rig_warm_config(PWC_TRANSLATION, 64);
    config.tagged = !row->untagged;
    struct rig *r = rig_new(&config, HV_MIB(1));
    struct mmu *m = &r->mmu;
    struct mmu_regs regs = regs_of(row->context);
    mmu_set_context(m, &regs);
    tlb_space_id ids[HV_ARRAY_LEN(columns)];
    for (size_t i = 0; i < HV_ARRAY_LEN(columns); i++) {
        struct tlb_space space = space_of(&columns[i], m->env.pcid);
        ids[i] = tlb_spaces_id(&m->spaces, &space);
        put(m, &columns[i], ids[i]);
    }
    for (size_t i = 0; i < HV_ARRAY_LEN(columns); i++) {
        struct row filled = {.name = "before"};
        check_column(m, &filled, &columns[i], ids[i], 'K');
    }
    row->act(m);
    const char *expected = row->expected;
    for (size_t i = 0; i < HV_ARRAY_LEN(columns); i++, expected++) {
        expected += *expected == ' ';
        check_column(m, row, &columns[i], ids[i], *expected);
    }
    assert_int_equal(*expected, '\0');
    rig_free(r);
}

/* --- Operands that instructions refuse -------------------------------------------------------------------------- */

static void refused_operands_change_nothing(void **state)
{
    (void)state;
    struct mmu_config config = rig_warm_config(PWC_TRANSLATION, 16);
    struct rig *r = rig_new(&config, HV_MIB(1));
    struct mmu *m = &r->mmu;
    struct mmu_regs regs = regs_of(GUEST);
    mmu_set_context(m, &regs);
    put(m, &columns[0], m->env.view.space);
    hv_gva bad = {UINT64_C(0x0000800000000000)};

    /*
     * INVPCID: #GP(0) for a type above 3, for bits 63:12 of the descriptor that are not all zero, and with type 0 for a
     * linear address that is not canonical.
     */
    assert_false(mmu_invpcid(m, 4, 0, (hv_gva){A}));
    assert_false(mmu_invpcid(m, UINT64_MAX, 0, (hv_gva){A}));
    for (uint64_t type = 0; type <= 3; type++) {
        assert_false(mmu_invpcid(m, type, 0x1000, (hv_gva){A}));
        assert_false(mmu_invpcid(m, type, UINT64_C(1) << 63 | PCID, (hv_gva){A}));
    }
    assert_false(mmu_invpcid(m, 0, PCID, bad));

    /* INVEPT: VMfail(28) for a type that is not supported; 1 and 2 are. */
    assert_false(mmu_invept(m, 0, THIS_EPT));
    assert_false(mmu_invept(m, 3, THIS_EPT));
    assert_false(mmu_invept(m, UINT64_C(1) << 32 | 1, THIS_EPT));

    /* INVVPID: VMfail(28) for an unsupported type, VPID 0 with types 0, 1 and 3, and a bad address with type 0. */
    assert_false(mmu_invvpid(m, 4, VPID, (hv_gva){A}));
    assert_false(mmu_invvpid(m, 0, 0, (hv_gva){A}));
    assert_false(mmu_invvpid(m, 1, 0, (hv_gva){A}));
    assert_false(mmu_invvpid(m, 3, 0, (hv_gva){A}));
    assert_false(mmu_invvpid(m, 0, VPID, bad));

    unsigned of = 0;
    assert_int_equal(still_there(m, &columns[0], m->env.view.space, &of), 3);

    /* INVPCID: #GP(0) if CR4.PCIDE is 0, the type 0 or 1, and the PCID not zero. */
    regs = regs_of(GUEST_WITHOUT_PCIDE);
    mmu_set_context(m, &regs);
    assert_false(mmu_invpcid(m, 0, PCID, (hv_gva){A}));
    assert_false(mmu_invpcid(m, 1, PCID, (hv_gva){A}));
    assert_true(mmu_invpcid(m, 0, 0, (hv_gva){A}));
    assert_true(mmu_invpcid(m, 1, 0, bad));
    assert_true(mmu_invpcid(m, 2, PCID, bad));
    assert_true(mmu_invpcid(m, 3, PCID, bad));
    rig_free(r);
}

/* With 5-level paging more addresses are canonical. */
static void canonical_follows_the_paging_mode(void **state)
{
    (void)state;
    struct mmu_config config = rig_bare_config();
    struct rig *r = rig_new(&config, HV_MIB(1));
    struct mmu_regs regs = regs_of(GUEST);
    for (unsigned la57 = 0; la57 < 2; la57++) {
        regs.cr4 = la57 != 0 ? regs.cr4 | MMU_CR4_LA57 : regs.cr4;
        mmu_set_context(&r->mmu, &regs);
        unsigned top = la57 != 0 ? 56 : 47;
        assert_true(mmu_canonical(&r->mmu, (hv_gva){(UINT64_C(1) << top) - 1}));
        assert_false(mmu_canonical(&r->mmu, (hv_gva){UINT64_C(1) << top}));
        assert_true(mmu_canonical(&r->mmu, (hv_gva){UINT64_MAX << top}));
        assert_false(mmu_canonical(&r->mmu, (hv_gva){UINT64_MAX << (top + 1)}));
    }
    rig_free(r);
}

/* Caches of entries know no linear address, so an instruction that names one takes all that its tags name. */
static void caches_of_entries_lose_what_the_tags_name(void **state)
{
    (void)state;
    struct mmu_config config = rig_warm_config(PWC_ENTRY, 16);
    struct rig *r = rig_new(&config, HV_MIB(1));
    struct mmu *m = &r->mmu;
    struct mmu_regs regs = regs_of(GUEST);
    mmu_set_context(m, &regs);
    uint64_t entry;
    pwc_add_entry(&m->pwc, HV_GUEST, 2, (hv_hpa){0x8000}, m->env.view.space, 0x9027);
    pwc_add_entry(&m->pwc, HV_HOST, 2, (hv_hpa){0xa000}, m->env.host_space, 0xb107);
    assert_true(mmu_invpcid(m, 0, OTHER_PCID, (hv_gva){A}));
    assert_true(pwc_find_entry(&m->pwc, HV_GUEST, 2, (hv_hpa){0x8000}, m->env.view.space, &entry));
    assert_true(mmu_invpcid(m, 0, PCID, (hv_gva){A}));
    assert_false(pwc_find_entry(&m->pwc, HV_GUEST, 2, (hv_hpa){0x8000}, m->env.view.space, &entry));
    assert_true(pwc_find_entry(&m->pwc, HV_HOST, 2, (hv_hpa){0xa000}, m->env.host_space, &entry));
    assert_int_equal(entry, 0xb107);
    assert_true(mmu_invept(m, 1, THIS_EPT));
    assert_false(pwc_find_entry(&m->pwc, HV_HOST, 2, (hv_hpa){0xa000}, m->env.host_space, &entry));
    rig_free(r);
}

int main(int argc, char **argv)
{
    struct CMUnitTest matrix[HV_ARRAY_LEN(rows)];
    gtest_rows(matrix, removes_what_it_names, rows, sizeof(rows[0]), HV_ARRAY_LEN(rows));
    const struct CMUnitTest others[] = {
        cmocka_unit_test(refused_operands_change_nothing),
        cmocka_unit_test(canonical_follows_the_paging_mode),
        cmocka_unit_test(caches_of_entries_lose_what_the_tags_name),
    };
    const struct gtest_suite suites[] = {GTEST_SUITE("Removes", matrix), GTEST_SUITE("Invalidate", others)};
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
