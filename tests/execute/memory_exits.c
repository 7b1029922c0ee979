/* SPDX-License-Identifier: MIT */
/* Exits that an access to memory causes. Qualifications by SDM Vol. 3C tables 28-6 and 28-7. */
#include "gtest.h"

#include "exits.h"

/* EPT entries of the data page: what is there beside the frame. */
enum { EPT_READ = 1, EPT_READ_WRITE_BACK = 0x31, EPT_READ_EXECUTE = 0x35, EPT_WRITE_ONLY = 0x32 };

static void ept_entry(struct lab *l, uint64_t address, uint64_t bits)
{
    lab_write(l, LAB_EPT_PT + 8 * (address >> 12), 8, (address & ~UINT64_C(0xfff)) | bits);
}

static void data_not_present(struct lab *l)
{
    lab_ept(l);
    ept_entry(l, LAB_DATA, 0);
}

static void data_read_only(struct lab *l)
{
    lab_ept(l);
    ept_entry(l, LAB_DATA, EPT_READ_WRITE_BACK);
}

static void data_misconfigured(struct lab *l)
{
    lab_ept(l);
    ept_entry(l, LAB_DATA, EPT_WRITE_ONLY);
}

/* The guest's page table itself is refused; with EPT's flags on its reads count as writes too. */
static void table_not_present(struct lab *l)
{
    lab_ept(l);
    ept_entry(l, LAB_PT, 0);
}

static void stack_not_present(struct lab *l)
{
    lab_ept(l);
    ept_entry(l, LAB_STACK - 0x1000, 0);
}

static void log_of_pages(struct lab *l)
{
    lab_ept(l);
    LAB_ON(l, SECONDARY, enable_pml);
}

/* FFFFH: the log's 512 entries are used up. */
static void full_log(struct lab *l)
{
    log_of_pages(l);
    LAB_SET(l, pml_index, 0xffff);
}

static void apic_access(struct lab *l)
{
    LAB_ON(l, SECONDARY, virtualize_apic_accesses);
}

/* What the virtual APIC says of a write to its page: register B0H is EOI of vector 61H, others are not emulated. */
static enum cpu_answer virtual_apic(void *ctx, const struct cpu_device_access *access)
{
    struct lab *l = ctx;
    bool eoi = access->address == 0xb0;
    cpu_request_exit(&l->p, eoi ? VMX_EXIT_virtualized_eoi : VMX_EXIT_apic_write, eoi ? 0x61 : access->address);
    return CPU_ANSWERED;
}

static void virtualized_apic(struct lab *l)
{
    apic_access(l);
    l->wires.apic_access = virtual_apic;
}

#define LOAD(address) {.op = CPU_OP_load, .reg1 = CPU_RBX, LAB_MEMORY(address)}
#define STORE(address) {.op = CPU_OP_store, .reg1 = CPU_RBX, LAB_MEMORY(address)}
#define FETCH(address) {.op = CPU_OP_fetch, .reg1 = CPU_RBX, LAB_MEMORY(address)}

/*
 * Linear address valid (7), its own translation (8), and of guest paging: user (9), writable (10), not XD (11 is 0).
 */
enum { OF_DATA = 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10, STORE_BYTES = 4 };

static const struct exit_row rows[] = {
    {"ept_load", VMX_EXIT_ept_violation, LOAD(LAB_DATA + 8), .prepare = data_not_present,
     .qualification = OF_DATA | 1, .linear = LAB_DATA + 8, .physical = LAB_DATA + 8},
    {"ept_store", VMX_EXIT_ept_violation, STORE(LAB_DATA + 8), .prepare = data_not_present,
     .qualification = OF_DATA | 2, .linear = LAB_DATA + 8, .physical = LAB_DATA + 8},
    {"ept_fetch", VMX_EXIT_ept_violation, FETCH(LAB_DATA + 8), .prepare = data_not_present,
     .qualification = OF_DATA | 4, .linear = LAB_DATA + 8, .physical = LAB_DATA + 8},
    /* readable (3), but neither writable nor executable */
    {"ept_store_read_only", VMX_EXIT_ept_violation, STORE(LAB_DATA), .prepare = data_read_only,
     .qualification = OF_DATA | 1 << 3 | 2, .linear = LAB_DATA, .physical = LAB_DATA},
    /* entry 59H of the page table at 13000H; not the final address: bits 11:8 are 0 */
    {"ept_guest_table", VMX_EXIT_ept_violation, LOAD(LAB_DATA), .prepare = table_not_present,
     .qualification = 1 << 7 | 3, .linear = LAB_DATA, .physical = LAB_PT + 8 * 0x59},
    {"ept_misconfiguration", VMX_EXIT_ept_misconfiguration, LOAD(LAB_DATA), .prepare = data_misconfigured,
     .physical = LAB_DATA, .linear = LAB_DATA},
    /* a frame of 40 bytes below the aligned stack pointer; the length is that of INT n */
    {"ept_in_delivery", VMX_EXIT_ept_violation, {.op = CPU_OP_int_n, .value = 0x80}, .prepare = stack_not_present,
     .qualification = OF_DATA | 2, .length = 2, .linear = LAB_STACK - 40, .physical = LAB_STACK - 40},
    {"pml_full", VMX_EXIT_pml_full, STORE(LAB_DATA), .prepare = full_log},
    /* offset in 11:0, type in 15:12: linear read 0, linear write 1, fetch 2 */
    {"apic_read", VMX_EXIT_apic_access, LOAD(LAB_APIC_ACCESS + 0x20), .prepare = apic_access, .qualification = 0x20},
    {"apic_write", VMX_EXIT_apic_access, STORE(LAB_APIC_ACCESS + 0xb0), .prepare = apic_access,
     .qualification = 0xb0 | 1 << 12},
    /* like a trap: RIP is behind the store */
    {"apic_virtualized_eoi", VMX_EXIT_virtualized_eoi, STORE(LAB_APIC_ACCESS + 0xb0), .prepare = virtualized_apic,
     .qualification = 0x61, .past = STORE_BYTES},
    {"apic_write_emulation", VMX_EXIT_apic_write, STORE(LAB_APIC_ACCESS + 0x300), .prepare = virtualized_apic,
     .qualification = 0x300, .past = STORE_BYTES},
    {"apic_fetch", VMX_EXIT_apic_access, FETCH(LAB_APIC_ACCESS), .prepare = apic_access, .qualification = 2 << 12},
};

const struct exit_rows memory_exits = {rows, HV_ARRAY_LEN(rows)};
