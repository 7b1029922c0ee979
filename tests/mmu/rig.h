/* SPDX-License-Identifier: MIT */
/*
 * A machine just big enough to translate, and page tables for it: what the tests of the MMU stand on.
 *
 * The bare configuration has nothing that caches: no TLB, page-walk cache, nested TLB or data cache, so every
 * reference of a walk takes RIG_DRAM_CYCLES. A test adds what it is about.
 */
#ifndef HV_TESTS_MMU_RIG_H
#define HV_TESTS_MMU_RIG_H

#include "mmu/mmu.h"

enum { RIG_DRAM_CYCLES = 100 };

struct rig {
    struct physmem memory;
    struct mem_shared shared;
    struct mem_path path;
    struct trace_points trace;
    struct mmu mmu;
};

struct mmu_config rig_bare_config(void);

/* Gives one TLB structure entries, all in one set, and a latency. */
void rig_add_tlb(struct mmu_config *config, enum tlb_unit unit, uint64_t entries, uint32_t sizes, hv_cycles latency);

/* Every TLB, page-walk cache and nested TLB, with `entries` entries each and no latency. */
struct mmu_config rig_warm_config(enum pwc_kind kind, uint64_t entries);

struct rig *rig_new(const struct mmu_config *config, uint64_t memory_bytes);
void rig_free(struct rig *r);

/* --- Page tables ------------------------------------------------------------------------------------------------ */

/* Bits of entries with every right and all flags set already, so that a walk updates nothing. */
#define RIG_GUEST_TABLE UINT64_C(0x27)  /* P, W, U, A */
#define RIG_GUEST_LEAF UINT64_C(0x67)   /* and D */
#define RIG_EPT_TABLE UINT64_C(0x107)   /* R, W, X, A */
#define RIG_EPT_LEAF UINT64_C(0x337)    /* and D, write-back */

/* The tables of one dimension, built as software would: a table page is taken when an address first needs it. */
struct rig_tables {
    struct physmem *memory;
    uint64_t root; /* in the address space in which the tables lie */
    uint64_t base; /* host-physical address of that space's address 0 */
    uint64_t next; /* the next free page for a table, in that space */
    unsigned levels;
    uint64_t table_bits, leaf_bits;
};

struct rig_tables rig_tables_new(struct rig *r, uint64_t first_table, uint64_t base, unsigned levels);

/* The same in the format of EPT. */
struct rig_tables rig_ept_new(struct rig *r, uint64_t first_table, unsigned levels);

/* Where the entry that translates `from` at `level` lies in host memory, making the tables above it. */
hv_hpa rig_entry(struct rig_tables *t, uint64_t from, unsigned level);

void rig_map(struct rig_tables *t, uint64_t from, uint64_t to, enum hv_page_size size);

/* --- A guest in nested paging ----------------------------------------------------------------------------------- */

/*
 * Guest-physical memory: tables from RIG_TABLES_GPA, data from RIG_DATA_GPA, at RIG_BASE + gPA in host memory; the
 * EPT's own tables at RIG_EPT_HPA. The regions are apart by gigabytes, so that each may be mapped by its own page size.
 */
#define RIG_MEMORY_BYTES HV_GIB(64)
#define RIG_EPT_HPA HV_MIB(16)
#define RIG_BASE HV_GIB(16)
#define RIG_TABLES_GPA HV_GIB(1)
#define RIG_DATA_GPA HV_GIB(4)
#define RIG_GVA UINT64_C(0x00005a3c9d476b58)

/* Registers with write protection, no-execute and EPT's accessed and dirty flags, CPL 0. */
struct mmu_regs rig_regs(const struct rig_tables *guest, const struct rig_tables *ept);

struct rig_guest_shape {
    unsigned guest_levels, host_levels;
    enum hv_page_size guest_page, host_page, host_table_page;
};

struct rig_guest {
    struct rig_tables guest, ept;
    uint64_t data_gpa; /* of RIG_GVA */
};

/*
 * Builds the tables that translate RIG_GVA (and 1 GiB around it as far as one page reaches), sets the context, and
 * returns them.
 */
struct rig_guest rig_build_guest(struct rig *r, const struct rig_guest_shape *shape);

/* --- A native machine of a few pages --------------------------------------------------------------------------- */

enum { RIG_PAGES = 8 };

/* A rig with tables of four levels that map the pages from RIG_GVA on to those from 1 GiB on. */
struct rig *rig_new_native(const struct mmu_config *config, struct rig_tables *t);

/* RIG_GVA's place in the n-th of these pages. */
hv_gva rig_page(unsigned n);

#endif
