/* SPDX-License-Identifier: MIT */
/*
 * The small layer of hvsim.h: virtual machines by create, map, run. It is a hypervisor like a user's own: all it does to
 * the hardware is done by the calls of hvsim.h.
 *
 * Guest-physical memory is mapped by 4 KiB pages of EPT. The guest's own page tables, for hv_vm_map_linear(), lie in
 * guest-physical memory from 1 TiB on, where nothing else is.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "vmm/hv_vm.h"

#define EPT_READ_WRITE_EXECUTE UINT64_C(7)
#define EPT_WRITE_BACK (UINT64_C(6) << 3)
#define PAGE_PRESENT_WRITE_USER UINT64_C(7)
#define ENTRY_ADDRESS UINT64_C(0x000ffffffffff000)
#define GUEST_TABLES (UINT64_C(1) << 40)

static uint64_t read_entry(const struct hv_machine *m, uint64_t hpa)
{
    uint64_t value = 0;
    return hv_read(m, hpa, &value, sizeof(value)) ? value : 0;
}

struct hv_vm *hv_vm_new(struct hv_machine *m)
{
    struct hv_vm *vm = calloc(1, sizeof(*vm));
    HV_ASSERT(vm != NULL, "out of memory");
    vm->machine = m;
    vm->next_table = GUEST_TABLES;
    vm->ept = hv_pages(m, 1);
    if (vm->ept == HV_NO_MEMORY) {
        free(vm);
        return NULL;
    }
    return vm;
}

/* ---- Guest-physical memory ------------------------------------------------------------------------------------------ */

/* A new table, and the entry at hpa that points to it; 0: no memory is left. */
static uint64_t make_table(struct hv_machine *m, uint64_t hpa)
{
    uint64_t page = hv_pages(m, 1), entry = page | EPT_READ_WRITE_EXECUTE;
    return page != HV_NO_MEMORY && hv_write(m, hpa, &entry, sizeof(entry)) ? entry : 0;
}

/* Where the EPT entry of a page lies; HV_NO_MEMORY: a table above it is missing, and is not to be made or cannot. */
static uint64_t ept_entry(const struct hv_vm *vm, uint64_t gpa, bool make)
{
    uint64_t table = vm->ept;
    for (unsigned shift = 39; shift > 12; shift -= 9) {
        uint64_t at = table + (gpa >> shift & 511) * 8, entry = read_entry(vm->machine, at);
        if (entry == 0 && make) {
            entry = make_table(vm->machine, at);
        }
        if (entry == 0) {
            return HV_NO_MEMORY;
        }
        table = entry & ENTRY_ADDRESS;
    }
    return table + (gpa >> 12 & 511) * 8;
}

static bool map_page(struct hv_vm *vm, uint64_t gpa, unsigned protection)
{
    uint64_t at = ept_entry(vm, gpa, true);
    if (at == HV_NO_MEMORY) {
        return false;
    }
    uint64_t page = read_entry(vm->machine, at) & ENTRY_ADDRESS;
    if (page == 0) {
        page = hv_pages(vm->machine, 1);
        if (page == HV_NO_MEMORY) {
            return false;
        }
    }
    uint64_t entry = page | EPT_WRITE_BACK | protection;
    return hv_write(vm->machine, at, &entry, sizeof(entry));
}

bool hv_vm_map(struct hv_vm *vm, uint64_t gpa, uint64_t bytes, unsigned protection)
{
    if (gpa % HV_PAGE_BYTES != 0 || bytes % HV_PAGE_BYTES != 0 || gpa + bytes < gpa || gpa + bytes > UINT64_C(1) << 48 ||
        (protection & ~(unsigned)HV_PROT_ALL) != 0) {
        return false;
    }
    for (uint64_t page = gpa; page < gpa + bytes; page += HV_PAGE_BYTES) {
        if (!map_page(vm, page, protection)) {
            return false;
        }
    }
    hv_vm_invalidate(vm);
    return true;
}

/* Where a guest-physical byte lies; HV_NO_MEMORY: nowhere. */
static uint64_t translate(const struct hv_vm *vm, uint64_t gpa)
{
    uint64_t at = gpa >> 48 == 0 ? ept_entry(vm, gpa, false) : HV_NO_MEMORY;
    uint64_t page = at == HV_NO_MEMORY ? 0 : read_entry(vm->machine, at) & ENTRY_ADDRESS;
    return page == 0 ? HV_NO_MEMORY : page | (gpa & (HV_PAGE_BYTES - 1));
}

/* How many of `bytes` bytes from an address on lie in its page. */
static size_t within_page(uint64_t gpa, size_t bytes)
{
    size_t left = (size_t)(HV_PAGE_BYTES - (gpa & (HV_PAGE_BYTES - 1)));
    return bytes < left ? bytes : left;
}

bool hv_vm_read(const struct hv_vm *vm, uint64_t gpa, void *to, size_t bytes)
{
    char *at = to;
    for (size_t n; bytes > 0; gpa += n, at += n, bytes -= n) {
        uint64_t hpa = translate(vm, gpa);
        n = within_page(gpa, bytes);
        if (hpa == HV_NO_MEMORY || !hv_read(vm->machine, hpa, at, n)) {
            return false;
        }
    }
    return true;
}

bool hv_vm_write(struct hv_vm *vm, uint64_t gpa, const void *from, size_t bytes)
{
    const char *at = from;
    for (size_t n; bytes > 0; gpa += n, at += n, bytes -= n) {
        uint64_t hpa = translate(vm, gpa);
        n = within_page(gpa, bytes);
        if (hpa == HV_NO_MEMORY || !hv_write(vm->machine, hpa, at, n)) {
            return false;
        }
    }
    return true;
}

/* ---- The guest's page tables ---------------------------------------------------------------------------------------- */

/* A page for a table of the guest's: guest-physical, 0 when there is no memory. */
static uint64_t guest_table(struct hv_vm *vm)
{
    uint64_t gpa = vm->next_table;
    if (!map_page(vm, gpa, HV_PROT_ALL)) {
        return 0;
    }
    vm->next_table += HV_PAGE_BYTES;
    return gpa;
}

static bool map_linear_page(struct hv_vm *vm, uint64_t gva, uint64_t gpa)
{
    uint64_t table = vm->cr3, entry = 0;
    for (unsigned shift = 39; shift > 12; shift -= 9) {
        uint64_t at = table + (gva >> shift & 511) * 8;
        if (!hv_vm_read(vm, at, &entry, sizeof(entry))) {
            return false;
        }
        if (entry == 0) {
            entry = guest_table(vm);
            if (entry == 0) {
                return false;
            }
            entry |= PAGE_PRESENT_WRITE_USER;
            hv_vm_write(vm, at, &entry, sizeof(entry));
        }
        table = entry & ENTRY_ADDRESS;
    }
    entry = gpa | PAGE_PRESENT_WRITE_USER;
    return hv_vm_write(vm, table + (gva >> 12 & 511) * 8, &entry, sizeof(entry));
}

bool hv_vm_map_linear(struct hv_vm *vm, uint64_t gva, uint64_t gpa, uint64_t bytes)
{
    if (gva % HV_PAGE_BYTES != 0 || gpa % HV_PAGE_BYTES != 0 || bytes % HV_PAGE_BYTES != 0 || gpa + bytes < gpa) {
        return false;
    }
    if (vm->cr3 == 0 && (vm->cr3 = guest_table(vm)) == 0) {
        return false;
    }
    for (uint64_t offset = 0; offset < bytes; offset += HV_PAGE_BYTES) {
        if (!map_linear_page(vm, gva + offset, gpa + offset)) {
            return false;
        }
    }
    return true;
}
