/* SPDX-License-Identifier: MIT */
#include "vmm/vm_window.h"

#include <string.h>

/*
 * The kernel takes a table for each level. EPT takes one for each level below the top, and one more, as the kernel's
 * tables and the registers are in two regions of 2 MiB.
 */
enum { TABLES = RADIX_MAX_LEVELS };

enum { KERNEL_ENTRIES = 256 }; /* of a top-level table, the last ones */

#define IA32E_UNCACHED (UINT64_C(3) << 3)     /* PCD and PWT, which IA32_PAT makes UC */
#define CR3_LOW UINT64_C(0xfff)               /* the PCID */
#define EPT_MEMORY_TYPE (UINT64_C(7) << RADIX_EPT_MEMORY_TYPE_SHIFT) /* 0: UC */
#define EPT_MISCONFIGURED (uint64_t)(RADIX_EPT_W | RADIX_EPT_X)

static uint64_t align_up(uint64_t value, uint64_t to)
{
    return (value + to - 1) / to * to;
}

static bool is_used(const struct vm *vm, uint64_t first, uint64_t last)
{
    for (size_t i = 0; i < vm->region_count; i++) {
        const struct vm_region *r = &vm->regions[i];
        if (r->start.v <= last && r->start.v + (r->pages * HV_PAGE_BYTES - 1) >= first) {
            return true;
        }
    }
    return false;
}

/* The highest top-level entry's addresses, of the kernel's half, that no process uses; 0: there are none. */
static uint64_t find_addresses(const struct vm *vm)
{
    const uint64_t bytes = UINT64_C(1) << radix_shift((unsigned)vm->config.guest.levels);
    for (uint64_t below = 1; below <= KERNEL_ENTRIES; below++) {
        const uint64_t first = -(below * bytes);
        if (!is_used(vm, first, first + (bytes - 1))) {
            return first;
        }
    }
    return 0;
}

/* Writes EPT's entry of a page, with tables of the window's own. */
static void write_host(struct vm_window *w, uint64_t gpa, uint64_t value)
{
    struct page_table *host = &w->vm->host;
    struct frames *usual = host->arena;
    host->arena = &w->host_tables;
    uint64_t *entry = page_table_entry(host, gpa, 1);
    host->arena = usual;
    HV_ASSERT(entry != NULL, "a window has room for its tables");
    *entry = value;
}

/* The kernel's tables are ordinary memory of the guest. */
static void back_tables(struct vm_window *w, uint64_t hpa)
{
    for (uint64_t at = 0; at < TABLES * HV_PAGE_BYTES; at += HV_PAGE_BYTES) {
        write_host(w, w->kernel_tables.next + at, (hpa + at) | w->vm->host.leaf_bits);
    }
}

static void map_registers(struct vm_window *w, uint64_t bytes)
{
    bool ok = page_table_init(&w->kernel);
    for (uint64_t at = 0; at < bytes; at += HV_PAGE_BYTES) {
        ok = ok && page_table_map(&w->kernel, w->gva + at, HV_PAGE_4K, w->gpa + at);
    }
    HV_ASSERT(ok, "a window has room for its tables");
}

static bool fits(const struct vm_window *w, const struct vm_window_config *config, uint64_t host, struct hv_err *err)
{
    if (w->gva == 0) {
        return hv_fail(err, "the processes of a VM use all of the upper half of the address space, where its kernel has "
                       "to map the registers of io.device; use less of it, or io.device none");
    }
    if (w->gpa + config->bytes > UINT64_C(1) << config->physical_bits) {
        return hv_fail(err, "mmu.physical_bits of %u has no guest-physical addresses left for the registers of "
                       "io.device; raise it, or lower workload.footprint", config->physical_bits);
    }
    return host + 2 * TABLES * HV_PAGE_BYTES <= w->vm->host.memory->size ||
           hv_fail(err, "machine.memory of %llu MiB has no room for the tables that map the registers of io.device; "
                   "raise it", (unsigned long long)(w->vm->host.memory->size >> 20));
}

bool vm_window_init(struct vm_window *w, struct vm *vm, const struct vm_window_config *config, uint64_t *host_next,
                    struct hv_err *err)
{
    const uint64_t start = align_up(vm->guest_data.end, HV_GIB(1)), host = align_up(*host_next, HV_PAGE_BYTES);
    const uint64_t bytes = TABLES * HV_PAGE_BYTES;
    HV_ASSERT(config->bytes <= hv_page_bytes(HV_PAGE_2M), "a window of %llu bytes", (unsigned long long)config->bytes);
    memset(w, 0, sizeof(*w));
    w->vm = vm;
    w->gpa = start + hv_page_bytes(HV_PAGE_2M);
    w->gva = find_addresses(vm);
    if (!fits(w, config, host, err)) {
        return false;
    }
    const uint64_t flags = vm->processes[0].table.leaf_bits & (RADIX_IA32E_ACCESSED | RADIX_IA32E_DIRTY);
    w->kernel_tables = (struct frames){.next = start, .end = start + bytes};
    w->host_tables = (struct frames){.next = host + bytes, .end = host + 2 * bytes};
    w->kernel = (struct page_table){
        .memory = vm->host.memory, .arena = &w->kernel_tables, .host_offset = host - start,
        .levels = (unsigned)vm->config.guest.levels,
        .table_bits = RADIX_IA32E_P | RADIX_IA32E_W | (flags & RADIX_IA32E_ACCESSED),
        .leaf_bits = RADIX_IA32E_P | RADIX_IA32E_W | IA32E_UNCACHED | RADIX_XD | flags,
    };
    back_tables(w, host);
    map_registers(w, config->bytes);
    *host_next = host + 2 * bytes;
    return true;
}

void vm_window_pass(struct vm_window *w, uint64_t offset, uint64_t hpa, uint64_t bytes)
{
    const uint64_t uncached = w->vm->host.leaf_bits & ~EPT_MEMORY_TYPE;
    for (uint64_t at = 0; at < bytes; at += HV_PAGE_BYTES) {
        write_host(w, w->gpa + offset + at, (hpa + at) | uncached);
    }
}

void vm_window_trap(struct vm_window *w, uint64_t offset, uint64_t bytes)
{
    for (uint64_t at = 0; at < bytes; at += HV_PAGE_BYTES) {
        write_host(w, w->gpa + offset + at, EPT_MISCONFIGURED);
    }
}

uint64_t vm_window_cr3(const struct vm_window *w, uint64_t cr3)
{
    return w->kernel.root | (cr3 & CR3_LOW);
}
