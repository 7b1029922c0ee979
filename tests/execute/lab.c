/* SPDX-License-Identifier: MIT */
#include "lab.h"

#include <stdlib.h>
#include <string.h>

enum { PHYSICAL_BITS = 46, TABLE = 0x07, EPT_TABLE = 0x407, EPT_LEAF = 0x437 };

static struct mmu_config mmu_config(void)
{
    struct mmu_config config;
    memset(&config, 0, sizeof(config));
    config.mmu.walkers = 1;
    config.mmu.merge_walks = true;
    config.mmu.physical_bits = PHYSICAL_BITS;
    config.mmu.pages_1g = config.mmu.ept_execute_only = config.mmu.mode_based_execute = true;
    config.tagged = config.flags = true;
    for (unsigned unit = 0; unit < TLB_UNITS; unit++) {
        config.tlb[unit].ways = PARAM_WAYS_FULL;
    }
    config.tlb[TLB_L1D_4K].entries = config.tlb[TLB_L1I_4K].entries = 16;
    config.tlb[TLB_L1D_4K].sizes = config.tlb[TLB_L1I_4K].sizes = 1;
    config.nested_tlb.ways = PARAM_WAYS_FULL;
    for (unsigned level = 0; level < PWC_LEVELS; level++) {
        config.pwc_level[HV_GUEST][level].ways = config.pwc_level[HV_HOST][level].ways = PARAM_WAYS_FULL;
    }
    return config;
}

/* --- tables in memory -------------------------------------------------------------------------------------------- */

uint64_t lab_read(const struct lab *l, uint64_t address, unsigned bytes)
{
    uint64_t value = 0;
    memcpy(&value, l->memory.bytes + address, bytes);
    return value;
}

void lab_write(struct lab *l, uint64_t address, unsigned bytes, uint64_t value)
{
    memcpy(l->memory.bytes + address, &value, bytes);
}

/* Four levels from `root` on, that map 2 MiB to itself. */
static void map(struct lab *l, uint64_t root, uint64_t table_bits, uint64_t leaf_bits)
{
    for (uint64_t level = 0; level < 3; level++) {
        lab_write(l, root + level * 0x1000, 8, (root + (level + 1) * 0x1000) | table_bits);
    }
    for (uint64_t page = 0; page < 512; page++) {
        lab_write(l, root + 0x3000 + 8 * page, 8, page << 12 | leaf_bits);
    }
}

void lab_gate(struct lab *l, unsigned vector, unsigned access, unsigned ist)
{
    uint64_t handler = LAB_HANDLERS + 16u * vector;
    lab_write(l, LAB_IDT + 16 * vector, 8,
              (handler & 0xffff) | (uint64_t)LAB_CODE_0 << 16 | (uint64_t)ist << 32 | (uint64_t)access << 40 |
                  handler >> 16 << 48);
    lab_write(l, LAB_IDT + 16 * vector + 8, 8, handler >> 32);
}

static void fill_tables(struct lab *l)
{
    map(l, 0x10000, TABLE, TABLE);
    map(l, 0x20000, EPT_TABLE, EPT_LEAF);
    lab_write(l, LAB_GDT + LAB_CODE_0, 8, 0x00af9b000000ffff);
    lab_write(l, LAB_GDT + LAB_DATA_0, 8, 0x00cf93000000ffff);
    lab_write(l, LAB_GDT + (LAB_CODE_3 & ~7), 8, 0x00affb000000ffff);
    lab_write(l, LAB_GDT + (LAB_DATA_3 & ~7), 8, 0x00cff3000000ffff);
    lab_write(l, LAB_GDT + LAB_TR, 8, 0x0000890320000067); /* available TSS at 0x32000, 104 bytes */
    lab_write(l, LAB_GDT + LAB_LDT, 8, 0x000082059000000f); /* LDT at 0x59000, 16 bytes */
    lab_write(l, LAB_TSS + 4, 8, LAB_STACK_0);
    for (unsigned vector = 0; vector < VECTORS; vector++) {
        lab_gate(l, vector, 0x8e, 0);
    }
    memset(l->memory.bytes + LAB_MSRS, 0, 0x1000);
}

/* --- the VMCS ---------------------------------------------------------------------------------------------------- */

void lab_set(struct lab *l, enum vmcs_index field, uint64_t value)
{
    vmcs_set(&l->p.vmx.current, field, value);
}

uint64_t lab_get(const struct lab *l, enum vmcs_index field)
{
    return vmcs_get(&l->p.vmx.current, field);
}

void lab_control(struct lab *l, enum vmx_word word, uint64_t bits, bool on)
{
    uint64_t old = lab_get(l, vmx_word_fields[word]);
    lab_set(l, vmx_word_fields[word], on ? old | bits : old & ~bits);
}

void lab_ept(struct lab *l)
{
    LAB_ON(l, SECONDARY, enable_ept);
    LAB_SET(l, eptp, LAB_EPTP);
}

void lab_unpaged(struct lab *l)
{
    lab_ept(l);
    LAB_ON(l, SECONDARY, unrestricted_guest);
    LAB_SET(l, entry_controls, 0x11ff);
    LAB_SET(l, guest_cr0, 0x31);
    LAB_SET(l, guest_cr4, 0x2000);
    LAB_SET(l, guest_cs_access_rights, 0xc09b);
}

/* Numbers as software would compute them. */
static void set_controls(struct lab *l)
{
    LAB_SET(l, pin_based_controls, 0x16);
    LAB_SET(l, primary_controls, 0x94006172);   /* MSR bitmaps, secondary controls */
    LAB_SET(l, secondary_controls, 0x0c101008); /* RDTSCP, INVPCID, XSAVES, user wait and PCONFIG exist */
    LAB_SET(l, exit_controls, 0x00036fff);      /* 64-bit host, save debug controls */
    LAB_SET(l, entry_controls, 0x000013ff);     /* IA-32e mode guest, load debug controls */
    LAB_SET(l, vmcs_link_pointer, UINT64_MAX);
    LAB_SET(l, msr_bitmaps, LAB_MSRS);
    LAB_SET(l, io_bitmap_a, LAB_IO_A);
    LAB_SET(l, io_bitmap_b, LAB_IO_B);
    LAB_SET(l, virtual_apic_address, LAB_VAPIC);
    LAB_SET(l, apic_access_address, LAB_APIC_ACCESS);
    LAB_SET(l, pml_address, LAB_LOG);
    LAB_SET(l, pml_index, 511);
    LAB_SET(l, ve_information_address, LAB_VE);
    LAB_SET(l, tsc_multiplier, UINT64_C(1) << 48);
}

static void set_host(struct lab *l)
{
    LAB_SET(l, host_cr0, 0x80050033);
    LAB_SET(l, host_cr3, 0x10000);
    LAB_SET(l, host_cr4, 0x26f0);
    LAB_SET(l, host_cs_selector, 0x10);
    LAB_SET(l, host_tr_selector, 0x40);
    LAB_SET(l, host_gs_base, 0xffff888000000000);
    LAB_SET(l, host_gdtr_base, 0xfffffe0000001000);
    LAB_SET(l, host_idtr_base, 0xfffffe0000000000);
    LAB_SET(l, host_tr_base, 0xfffffe0000003000);
    LAB_SET(l, host_rip, LAB_HOST_RIP);
    LAB_SET(l, host_rsp, LAB_HOST_STACK);
}

static void set_guest(struct lab *l)
{
    static const unsigned data[] = {CPU_ES, CPU_SS, CPU_DS, CPU_FS, CPU_GS};
    LAB_SET(l, guest_cr0, 0x80050033);
    LAB_SET(l, guest_cr3, 0x10000);
    LAB_SET(l, guest_cr4, 0x420e0); /* PAE, MCE, PGE, VMXE, OSXSAVE */
    LAB_SET(l, guest_dr7, 0x400);
    for (size_t d = 0; d < HV_ARRAY_LEN(data); d++) {
        lab_set(l, VMCS_INDEX_guest_es_selector + data[d], LAB_DATA_0);
        lab_set(l, VMCS_INDEX_guest_es_limit + data[d], 0xffffffff);
        lab_set(l, VMCS_INDEX_guest_es_access_rights + data[d], 0xc093);
    }
    LAB_SET(l, guest_cs_selector, LAB_CODE_0);
    LAB_SET(l, guest_cs_limit, 0xffffffff);
    LAB_SET(l, guest_cs_access_rights, 0xa09b);
    LAB_SET(l, guest_ldtr_access_rights, 0x10000);
    LAB_SET(l, guest_tr_selector, LAB_TR);
    LAB_SET(l, guest_tr_limit, 0x67);
    LAB_SET(l, guest_tr_base, LAB_TSS);
    LAB_SET(l, guest_tr_access_rights, 0x8b);
    LAB_SET(l, guest_gdtr_base, LAB_GDT);
    LAB_SET(l, guest_gdtr_limit, 0x3f);
    LAB_SET(l, guest_idtr_base, LAB_IDT);
    LAB_SET(l, guest_idtr_limit, 0xfff);
    LAB_SET(l, guest_rip, LAB_CODE);
    LAB_SET(l, guest_rsp, LAB_STACK);
    LAB_SET(l, guest_rflags, 2);
}

/* --- the processor ----------------------------------------------------------------------------------------------- */

static int interrupt_pending(void *ctx, hv_cycles now)
{
    const struct lab *l = ctx;
    (void)now;
    return l->interrupt;
}

static int interrupt_acknowledge(void *ctx, hv_cycles now)
{
    struct lab *l = ctx;
    int vector = l->interrupt;
    (void)now;
    l->interrupt = -1;
    return vector;
}

static void enter_root(struct lab *l)
{
    struct processor *p = &l->p;
    cpu_state_long_mode(&p->state, 0x10000);
    p->state.cr4 |= CPU_CR4_VMXE;
    p->state.msrs.feature_control = 5; /* locked, VMXON outside of SMX operation */
    processor_context_changed(p);
    lab_write(l, LAB_VMXON, 4, VMCS_REVISION);
    lab_write(l, LAB_VMCS, 4, VMCS_REVISION);
    static const enum cpu_op ops[] = {CPU_OP_vmxon, CPU_OP_vmclear, CPU_OP_vmptrld};
    for (size_t o = 0; o < HV_ARRAY_LEN(ops); o++) {
        struct cpu_instruction i = {
            .op = ops[o], .reg1 = CPU_NO_REGISTER, .reg2 = CPU_NO_REGISTER, .value = o == 0 ? LAB_VMXON : LAB_VMCS,
        };
        HV_ASSERT(cpu_execute(p, &i) == CPU_COMPLETED, "VMX operation begins");
    }
    HV_ASSERT(p->vmx.current.address == LAB_VMCS, "a current VMCS");
}

struct lab *lab_new(void)
{
    struct hv_err err = {""};
    struct lab *l = calloc(1, sizeof(*l));
    HV_ASSERT(l != NULL, "out of memory");
    HV_ASSERT(physmem_init(&l->memory, LAB_BYTES, &err), "%s", err.text);
    struct dram_params dram = {.latency_cycles = 100, .channels = 1, .bytes_per_cycle = 64};
    HV_ASSERT(dram_init(&l->shared.dram, &dram, &err), "%s", err.text);
    l->path.shared = &l->shared;
    struct mmu_config config = mmu_config();
    HV_ASSERT(mmu_init(&l->mmu, &config, &l->path, &l->memory, &l->trace, &err), "%s", err.text);
    vmx_caps_init(&l->caps, PHYSICAL_BITS, false);
    struct processor_config processor = {
        .memory = &l->memory, .mmu = &l->mmu, .caps = &l->caps, .costs = &l->costs,
    };
    fill_tables(l);
    processor_init(&l->p, &processor);
    l->p.wires = &l->wires;
    l->wires.ctx = l;
    l->interrupt = -1;
    l->p.interrupts = (struct processor_interrupts){interrupt_pending, interrupt_acknowledge, l};
    enter_root(l);
    set_controls(l);
    set_host(l);
    set_guest(l);
    return l;
}

void lab_free(struct lab *l)
{
    mmu_fini(&l->mmu);
    physmem_fini(&l->memory);
    free(l);
}

void lab_launch(struct lab *l)
{
    struct cpu_instruction i = {.op = CPU_OP_vmlaunch};
    enum cpu_end end = cpu_execute(&l->p, &i);
    HV_ASSERT(end == CPU_ENTERED, "VMLAUNCH ends with %d: error %llu, reason %#llx, qualification %llu", (int)end,
              (unsigned long long)LAB_GET(l, vm_instruction_error), (unsigned long long)LAB_GET(l, exit_reason),
              (unsigned long long)LAB_GET(l, exit_qualification));
}

void lab_user(struct lab *l)
{
    struct cpu_segment *s = l->p.state.segments;
    s[CPU_CS].selector = LAB_CODE_3;
    s[CPU_CS].access_rights = 0xa0fb;
    s[CPU_SS].selector = LAB_DATA_3;
    s[CPU_SS].access_rights = 0xc0f3;
    processor_context_changed(&l->p);
}

enum cpu_end lab_do(struct lab *l, const struct cpu_instruction *i)
{
    return cpu_execute(&l->p, i);
}
