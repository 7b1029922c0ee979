/* SPDX-License-Identifier: MIT */
#include "rig.h"

#include "gtest.h"

#include <stdlib.h>
#include <string.h>

struct mmu_config rig_bare_config(void)
{
    struct mmu_config config;
    memset(&config, 0, sizeof(config)); /* no entries anywhere: every structure is absent */
    config.mmu.walkers = 1;
    config.mmu.merge_walks = true;
    config.mmu.physical_bits = 46;
    config.mmu.pages_1g = true;
    config.mmu.ept_execute_only = true;
    config.tagged = true;
    config.flags = true;
    for (unsigned unit = 0; unit < TLB_UNITS; unit++) {
        config.tlb[unit].ways = PARAM_WAYS_FULL;
    }
    config.nested_tlb.ways = PARAM_WAYS_FULL;
    for (unsigned level = 0; level < PWC_LEVELS; level++) {
        config.pwc_level[HV_GUEST][level].ways = config.pwc_level[HV_HOST][level].ways = PARAM_WAYS_FULL;
    }
    return config;
}

void rig_add_tlb(struct mmu_config *config, enum tlb_unit unit, uint64_t entries, uint32_t sizes, hv_cycles latency)
{
    config->tlb[unit].entries = entries;
    config->tlb[unit].sizes = sizes;
    config->tlb[unit].latency_cycles = latency;
}

struct mmu_config rig_warm_config(enum pwc_kind kind, uint64_t entries)
{
    struct mmu_config config = rig_bare_config();
    rig_add_tlb(&config, TLB_L1D_4K, entries, 1, 0);
    rig_add_tlb(&config, TLB_L1D_2M, entries, 2, 0);
    rig_add_tlb(&config, TLB_L1D_1G, entries, 4, 0);
    rig_add_tlb(&config, TLB_L1I_4K, entries, 1, 0);
    rig_add_tlb(&config, TLB_L1I_2M, entries, 2, 0);
    rig_add_tlb(&config, TLB_L2, entries, 3, 0);
    rig_add_tlb(&config, TLB_L2_1G, entries, 4, 0);
    config.nested_tlb.entries = entries;
    config.pwc.kind = kind;
    for (unsigned level = PWC_LOWEST_LEVEL; level < PWC_LEVELS; level++) {
        config.pwc_level[HV_GUEST][level].entries = config.pwc_level[HV_HOST][level].entries = entries;
    }
    return config;
}

struct rig *rig_new(const struct mmu_config *config, uint64_t memory_bytes)
{
    struct hv_err err = {""};
    struct rig *r = calloc(1, sizeof(*r));
    assert_non_null(r);
    assert_true(physmem_init(&r->memory, memory_bytes, &err));
    struct dram_params dram = {.latency_cycles = RIG_DRAM_CYCLES, .channels = 1, .bytes_per_cycle = 64};
    assert_true(dram_init(&r->shared.dram, &dram, &err));
    r->path.shared = &r->shared;
    bool built = mmu_init(&r->mmu, config, &r->path, &r->memory, &r->trace, &err);
    if (!built) {
        fail_msg("%s", err.text);
    }
    return r;
}

void rig_free(struct rig *r)
{
    mmu_fini(&r->mmu);
    physmem_fini(&r->memory);
    free(r);
}

struct rig_tables rig_tables_new(struct rig *r, uint64_t first_table, uint64_t base, unsigned levels)
{
    return (struct rig_tables){
        .memory = &r->memory,
        .root = first_table,
        .base = base,
        .next = first_table + HV_PAGE_BYTES,
        .levels = levels,
        .table_bits = RIG_GUEST_TABLE,
        .leaf_bits = RIG_GUEST_LEAF,
    };
}

struct rig_tables rig_ept_new(struct rig *r, uint64_t first_table, unsigned levels)
{
    struct rig_tables t = rig_tables_new(r, first_table, 0, levels);
    t.table_bits = RIG_EPT_TABLE;
    t.leaf_bits = RIG_EPT_LEAF;
    return t;
}

static hv_hpa slot(const struct rig_tables *t, uint64_t table, uint64_t from, unsigned level)
{
    return (hv_hpa){t->base + table + 8 * (from >> (12 + 9 * (level - 1)) & 511)};
}

hv_hpa rig_entry(struct rig_tables *t, uint64_t from, unsigned level)
{
    uint64_t table = t->root;
    for (unsigned above = t->levels; above > level; above--) {
        hv_hpa at = slot(t, table, from, above);
        uint64_t entry = physmem_read64(t->memory, at);
        if (entry == 0) {
            entry = t->next | t->table_bits;
            t->next += HV_PAGE_BYTES;
            physmem_write64(t->memory, at, entry);
        }
        table = entry & UINT64_C(0x000ffffffffff000);
    }
    return slot(t, table, from, level);
}

void rig_map(struct rig_tables *t, uint64_t from, uint64_t to, enum hv_page_size size)
{
    uint64_t frame = to & ~(hv_page_bytes(size) - 1);
    uint64_t large = size == HV_PAGE_4K ? 0 : UINT64_C(1) << 7;
    physmem_write64(t->memory, rig_entry(t, from, (unsigned)size + 1), frame | t->leaf_bits | large);
}

struct mmu_regs rig_regs(const struct rig_tables *guest, const struct rig_tables *ept)
{
    struct mmu_regs regs;
    memset(&regs, 0, sizeof(regs));
    regs.cr0 = MMU_CR0_PG | MMU_CR0_WP;
    regs.cr3 = guest->root;
    regs.cr4 = MMU_CR4_PAE | MMU_CR4_PGE | (guest->levels == 5 ? MMU_CR4_LA57 : 0);
    regs.efer = MMU_EFER_LME | MMU_EFER_LMA | MMU_EFER_NXE;
    if (ept != NULL) {
        regs.nested = true;
        regs.eptp = ept->root | (uint64_t)(ept->levels - 1) << 3 | 6 | MMU_EPTP_FLAGS;
    }
    return regs;
}

struct rig_guest rig_build_guest(struct rig *r, const struct rig_guest_shape *shape)
{
    struct rig_guest g = {
        .guest = rig_tables_new(r, RIG_TABLES_GPA, RIG_BASE, shape->guest_levels),
        .ept = rig_ept_new(r, RIG_EPT_HPA, shape->host_levels),
        .data_gpa = RIG_DATA_GPA | (RIG_GVA & (HV_GIB(1) - 1)),
    };
    rig_map(&g.guest, RIG_GVA, g.data_gpa, shape->guest_page);
    for (uint64_t table = RIG_TABLES_GPA; table < g.guest.next; table += HV_PAGE_BYTES) {
        rig_map(&g.ept, table, RIG_BASE + table, shape->host_table_page);
    }
    rig_map(&g.ept, g.data_gpa, RIG_BASE + g.data_gpa, shape->host_page);
    struct mmu_regs regs = rig_regs(&g.guest, &g.ept);
    mmu_set_context(&r->mmu, &regs);
    return g;
}

hv_gva rig_page(unsigned n)
{
    return (hv_gva){RIG_GVA + n * HV_PAGE_BYTES};
}

struct rig *rig_new_native(const struct mmu_config *config, struct rig_tables *t)
{
    struct rig *r = rig_new(config, RIG_MEMORY_BYTES);
    *t = rig_tables_new(r, HV_MIB(1), 0, 4);
    for (unsigned n = 0; n < RIG_PAGES; n++) {
        rig_map(t, rig_page(n).v, HV_GIB(1) + n * HV_PAGE_BYTES, HV_PAGE_4K);
    }
    struct mmu_regs regs = rig_regs(t, NULL);
    mmu_set_context(&r->mmu, &regs);
    return r;
}
