/* SPDX-License-Identifier: MIT */
#include "machine.h"

#include <stdlib.h>
#include <string.h>

/* CF, PF, AF, ZF, SF, OF. */
#define STATUS_BITS UINT64_C(0x8d5)

static struct mmu_config mmu_config(void)
{
    struct mmu_config config;
    memset(&config, 0, sizeof(config));
    config.mmu.walkers = 1;
    config.mmu.merge_walks = true;
    config.mmu.physical_bits = BASE_PHYSICAL_BITS;
    config.mmu.pages_1g = config.mmu.ept_execute_only = true;
    config.tagged = config.flags = true;
    for (unsigned unit = 0; unit < TLB_UNITS; unit++) {
        config.tlb[unit].ways = PARAM_WAYS_FULL;
    }
    config.tlb[TLB_L1D_4K].entries = 16;
    config.tlb[TLB_L1D_4K].sizes = 1;
    config.nested_tlb.ways = PARAM_WAYS_FULL;
    for (unsigned level = 0; level < PWC_LEVELS; level++) {
        config.pwc_level[HV_GUEST][level].ways = config.pwc_level[HV_HOST][level].ways = PARAM_WAYS_FULL;
    }
    return config;
}

static struct processor_config config_of(const struct machine *m, unsigned number)
{
    return (struct processor_config){
        .memory = (struct physmem *)(uintptr_t)&m->memory, .mmu = (struct mmu *)(uintptr_t)&m->mmu,
        .caps = &m->caps, .costs = &m->costs, .number = number,
    };
}

void machine_reset(struct machine *m)
{
    struct processor_config config = config_of(m, 0);
    processor_init(&m->p, &config);
}

void machine_second(const struct machine *m, struct processor *p)
{
    struct processor_config config = config_of(m, 1);
    processor_init(p, &config);
    p->watch = m->p.watch;
}

/* Four levels of tables that map the first 2 MiB to themselves in 4 KiB pages. */
static void write_tables(struct machine *m, uint64_t root, uint64_t table_bits, uint64_t leaf_bits)
{
    for (uint64_t table = root; table < root + 3 * HV_PAGE_BYTES; table += HV_PAGE_BYTES) {
        physmem_write64(&m->memory, (hv_hpa){table}, (table + HV_PAGE_BYTES) | table_bits);
    }
    for (uint64_t page = 0; page < 512; page++) {
        hv_hpa at = {root + 3 * HV_PAGE_BYTES + 8 * page};
        physmem_write64(&m->memory, at, page << HV_PAGE_SHIFT | leaf_bits);
    }
}

struct machine *machine_new(const struct vmx_caps *caps)
{
    struct hv_err err = {""};
    struct machine *m = calloc(1, sizeof(*m));
    HV_ASSERT(m != NULL, "out of memory");
    HV_ASSERT(physmem_init(&m->memory, MACHINE_BYTES, &err), "%s", err.text);
    struct dram_params dram = {.latency_cycles = 100, .channels = 1, .bytes_per_cycle = 64};
    HV_ASSERT(dram_init(&m->shared.dram, &dram, &err), "%s", err.text);
    m->path.shared = &m->shared;
    struct mmu_config config = mmu_config();
    HV_ASSERT(mmu_init(&m->mmu, &config, &m->path, &m->memory, &m->trace, &err), "%s", err.text);
    vmx_caps_init(&m->caps, BASE_PHYSICAL_BITS, false);
    m->caps = caps != NULL ? *caps : m->caps;
    m->costs = (struct vmx_costs){
        COST_ENTRY, COST_EXIT, COST_VMREAD, COST_VMWRITE, COST_CONTROL, COST_OTHER, COST_MSR, .virtual_tpr_cycles = 0,
    };
    write_tables(m, TABLES_AT, 0x27, 0x67);
    write_tables(m, EPT_AT, 0x107, 0x337);
    machine_reset(m);
    return m;
}

void machine_free(struct machine *m)
{
    mmu_fini(&m->mmu);
    physmem_fini(&m->memory);
    free(m);
}

void machine_ready(struct processor *p)
{
    cpu_state_long_mode(&p->state, TABLES_AT);
    p->state.cr4 |= CPU_CR4_VMXE;
    p->state.msrs.feature_control = 5; /* locked, VMXON outside of SMX operation */
    processor_context_changed(p);
}

void machine_ready_32_bit(struct processor *p)
{
    machine_ready(p);
    p->state.msrs.efer = 0;
    p->state.segments[CPU_CS].access_rights = 0xc09b;
    processor_context_changed(p);
}

static void write_revision(struct processor *p, uint64_t at)
{
    struct vmcs v = {p->memory, at};
    vmcs_set_revision(&v, 0x48560001);
}

int machine_do(struct processor *p, enum cpu_op op, uint64_t value)
{
    struct cpu_instruction i = {.op = op, .reg1 = CPU_NO_REGISTER, .reg2 = CPU_NO_REGISTER, .value = value};
    return vmx_execute(p, &i);
}

/* RAX is the encoding, RBX the value. */
uint64_t machine_vmread(struct processor *p, uint64_t encoding)
{
    struct cpu_instruction i = {.op = CPU_OP_vmread, .reg1 = CPU_RBX, .reg2 = CPU_RAX};
    p->state.registers[CPU_RAX] = encoding;
    (void)vmx_execute(p, &i);
    return p->state.registers[CPU_RBX];
}

void machine_vmwrite(struct processor *p, uint64_t encoding, uint64_t value)
{
    struct cpu_instruction i = {.op = CPU_OP_vmwrite, .reg1 = CPU_RAX, .reg2 = CPU_RBX};
    p->state.registers[CPU_RAX] = encoding;
    p->state.registers[CPU_RBX] = value;
    (void)vmx_execute(p, &i);
}

void machine_root(struct machine *m)
{
    machine_ready(&m->p);
    write_revision(&m->p, VMXON_AT);
    HV_ASSERT(machine_do(&m->p, CPU_OP_vmxon, VMXON_AT) == CPU_COMPLETED && m->p.vmx.on, "VMXON");
}

void machine_load_vmcs(struct processor *p, uint64_t at)
{
    write_revision(p, at);
    HV_ASSERT(machine_do(p, CPU_OP_vmclear, at) == CPU_COMPLETED, "VMCLEAR");
    HV_ASSERT(machine_do(p, CPU_OP_vmptrld, at) == CPU_COMPLETED, "VMPTRLD");
    HV_ASSERT(p->vmx.current.address == at, "no current VMCS");
}

void machine_load_entry(struct processor *p, uint64_t at, const struct vmx_entry *e)
{
    machine_load_vmcs(p, at);
    for (int field = 0; field < VMCS_FIELDS; field++) {
        vmcs_set(&p->vmx.current, (enum vmcs_index)field, e->fields[field]);
    }
}

void machine_launch(struct machine *m, enum baseline base)
{
    struct vmx_entry e;
    struct vmx_caps caps;
    baseline_init(base, &e, &caps);
    machine_root(m);
    if (!e.host_long_mode) {
        machine_ready_32_bit(&m->p);
    }
    machine_load_entry(&m->p, VMCS_AT, &e);
    HV_ASSERT(machine_do(&m->p, CPU_OP_vmlaunch, 0) == CPU_ENTERED, "VMLAUNCH");
}

int machine_exit(struct processor *p)
{
    struct vmx_exit exit = {.reason = VMX_EXIT_cpuid, .length = 2};
    return vmx_exit(p, &exit);
}

enum status machine_status(const struct processor *p)
{
    switch (p->state.rflags & STATUS_BITS) {
    case 0: return STATUS_SUCCEED;
    case CPU_RFLAGS_CF: return STATUS_FAIL_INVALID;
    case CPU_RFLAGS_ZF: return STATUS_FAIL_VALID;
    default: return STATUS_OTHER;
    }
}
