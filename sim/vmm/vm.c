/* SPDX-License-Identifier: MIT */
#include "vmm/vm.h"

#include <string.h>

#include "base/rng.h"

const char *const paging_mode_names[] = {"native", "nested", "shadow", "agile", NULL};
const char *const paging_format_names[] = {"ept", "npt", NULL};
const char *const paging_table_size_names[] = {"same", "4k", "2m", "1g", NULL};

const struct param_row paging_param_rows[] = {
#define P(...) PARAM_ROW(struct paging_params, __VA_ARGS__)
#include "vmm/paging_params.def"
#undef P
};
const size_t paging_param_count = HV_ARRAY_LEN(paging_param_rows);

const struct param_row paging_side_param_rows[] = {
#define P(...) PARAM_ROW(struct paging_side_params, __VA_ARGS__)
#include "vmm/paging_side_params.def"
#undef P
};
const size_t paging_side_param_count = HV_ARRAY_LEN(paging_side_param_rows);

const struct param_row paging_host_param_rows[] = {
#define P(...) PARAM_ROW(struct paging_host_params, __VA_ARGS__)
#include "vmm/paging_host_params.def"
#undef P
};
const size_t paging_host_param_count = HV_ARRAY_LEN(paging_host_param_rows);

const struct param_row vmm_cost_param_rows[] = {
#define P(...) PARAM_ROW(struct vmm_cost_params, __VA_ARGS__)
#include "vmm/vmm_cost_params.def"
#undef P
};
const size_t vmm_cost_param_count = HV_ARRAY_LEN(vmm_cost_param_rows);

enum { FIRST_FRAME = 1 << 20, EPT_WRITE_BACK = 6 }; /* low memory stays unused, as on a PC */

static uint64_t align_up(uint64_t value, uint64_t to)
{
    return (value + to - 1) & ~(to - 1);
}

/* The size of the page that maps an address: the configured one, or 2m where huge_fraction says so. */
static enum hv_page_size page_size_at(const struct paging_side_params *side, uint64_t seed, uint64_t address)
{
    if (side->page_size == HV_PAGE_4K && side->huge_fraction > 0) {
        double lot = (double)(rng_mix(seed ^ rng_mix(address >> 21)) >> 11) * 0x1.0p-53;
        return lot < side->huge_fraction ? HV_PAGE_2M : HV_PAGE_4K;
    }
    return (enum hv_page_size)side->page_size;
}

static enum hv_page_size guest_size_at(const struct vm *vm, uint64_t gva)
{
    return page_size_at(&vm->config.guest, vm->config.seed, gva);
}

static enum hv_page_size host_size_at(const struct vm *vm, uint64_t gpa)
{
    return page_size_at(&vm->config.host, ~vm->config.seed, gpa);
}

/* Largest page that a side may use, to which addresses and sizes are rounded. */
static uint64_t largest_page(const struct paging_side_params *side)
{
    enum hv_page_size size = side->huge_fraction > 0 && side->page_size == HV_PAGE_4K
                                 ? HV_PAGE_2M : (enum hv_page_size)side->page_size;
    return hv_page_bytes(size);
}

/* The hypervisor backs one host page at gpa. */
static bool back(struct vm *vm, uint64_t gpa)
{
    enum hv_page_size size = host_size_at(vm, gpa);
    uint64_t frame = frames_take(&vm->host_data, hv_page_bytes(size));
    return frame != FRAMES_NONE && page_table_map(&vm->host, gpa & ~(hv_page_bytes(size) - 1), size, frame);
}

/* The guest made a table: the host page behind it is mapped, the first time one of its tables is made. */
static void back_table(void *ctx, uint64_t gpa)
{
    struct vm *vm = ctx;
    uint64_t bytes = hv_page_bytes(vm->table_size);
    uint64_t page = gpa & ~(bytes - 1);
    bool ok = page_table_map(&vm->host, page, vm->table_size, vm->table_backing + page);
    HV_ASSERT(ok, "no host table for the guest's at %#llx", (unsigned long long)gpa);
}

/* The guest's operating system maps one page at gva. */
static bool map(struct vm *vm, uint64_t gva)
{
    enum hv_page_size size = guest_size_at(vm, gva);
    uint64_t bytes = hv_page_bytes(size);
    uint64_t frame = frames_take(&vm->guest_data, bytes);
    return frame != FRAMES_NONE && page_table_map(&vm->guest, gva & ~(bytes - 1), size, frame);
}

/* Bits of table and leaf entries in each dimension, as Linux and KVM would write them. */
static void choose_entry_bits(struct vm *vm)
{
    const struct paging_params *p = &vm->config.paging;
    uint64_t guest_flags = p->preset_flags ? RADIX_IA32E_ACCESSED : 0;
    uint64_t guest_dirty = p->preset_flags ? RADIX_IA32E_DIRTY : 0;
    vm->guest.table_bits = RADIX_IA32E_P | RADIX_IA32E_W | RADIX_IA32E_U | guest_flags;
    vm->guest.leaf_bits = vm->guest.table_bits | guest_dirty;
    if (vm->config.host_more.format == PAGING_NPT) {
        vm->host.table_bits = vm->guest.table_bits;
        vm->host.leaf_bits = vm->guest.leaf_bits;
        return;
    }
    uint64_t all = RADIX_EPT_R | RADIX_EPT_W | RADIX_EPT_X;
    vm->host.table_bits = all | (p->preset_flags ? RADIX_EPT_ACCESSED : 0);
    vm->host.leaf_bits = vm->host.table_bits | (uint64_t)EPT_WRITE_BACK << RADIX_EPT_MEMORY_TYPE_SHIFT |
                         (p->preset_flags ? RADIX_EPT_DIRTY : 0);
}

/* Bytes of guest-physical data that the regions need when each is rounded to the guest's pages. */
static uint64_t data_bytes(const struct vm_config *config, const struct vm_region *regions, size_t count)
{
    uint64_t largest = largest_page(&config->guest);
    uint64_t bytes = 0, covered = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t start = regions[i].start.v & ~(largest - 1);
        uint64_t end = align_up(regions[i].start.v + regions[i].pages * HV_PAGE_BYTES, largest);
        start = start < covered ? covered : start; /* the page of the region before covers it already */
        bytes += end > start ? end - start : 0;
        covered = end > covered ? end : covered;
    }
    return bytes + largest;
}

/* Divides guest-physical and host-physical memory; fails when the host's is too small. */
static bool lay_out(struct vm *vm, const struct vm_region *regions, size_t count, struct physmem *memory,
                    struct hv_err *err)
{
    uint64_t data = data_bytes(&vm->config, regions, count);
    uint64_t guest_table_bytes = page_table_bound(data, count) * HV_PAGE_BYTES;
    uint64_t host_page = largest_page(&vm->config.host), table_page = hv_page_bytes(vm->table_size);
    vm->data_start = vm->nested ? align_up(guest_table_bytes, HV_GIB(1)) : 0;
    uint64_t data_end = vm->data_start + align_up(data, host_page);
    uint64_t host_table_bytes = vm->nested ? page_table_bound(data_end, 2) * HV_PAGE_BYTES : 0;
    vm->host_tables = (struct frames){FIRST_FRAME, FIRST_FRAME + host_table_bytes};
    vm->table_backing = align_up(vm->host_tables.end, vm->nested ? table_page : HV_PAGE_BYTES);
    uint64_t tables_end = vm->table_backing + align_up(guest_table_bytes, vm->nested ? table_page : HV_PAGE_BYTES);
    uint64_t host_data_bytes = vm->nested ? data_end - vm->data_start + 2 * host_page : data;
    vm->host_data = (struct frames){tables_end, tables_end + host_data_bytes};
    if (vm->host_data.end > memory->size) {
        return hv_fail(err, "machine.memory is %llu MiB, but the workload with its page tables needs %llu MiB; raise "
                       "machine.memory or lower workload.footprint", (unsigned long long)(memory->size >> 20),
                       (unsigned long long)((vm->host_data.end >> 20) + 1));
    }
    if (vm->nested) {
        vm->guest_tables = (struct frames){0, guest_table_bytes};
        vm->guest_data = (struct frames){vm->data_start, data_end};
    } else { /* one dimension: the guest's frames are the host's */
        vm->guest_tables = (struct frames){vm->table_backing, tables_end};
        vm->guest_data = vm->host_data;
    }
    physmem_hint_dense(memory, (hv_hpa){FIRST_FRAME}, host_table_bytes);
    physmem_hint_dense(memory, (hv_hpa){vm->table_backing}, guest_table_bytes);
    return true;
}

static bool make_roots(struct vm *vm, struct physmem *memory)
{
    vm->guest.memory = vm->host.memory = memory;
    vm->guest.levels = (unsigned)vm->config.guest.levels;
    vm->host.levels = (unsigned)vm->config.host.levels;
    vm->guest.arena = &vm->guest_tables;
    vm->host.arena = &vm->host_tables;
    choose_entry_bits(vm);
    if (vm->nested) {
        if (!page_table_init(&vm->host)) {
            return false;
        }
        vm->guest.host_offset = vm->table_backing;
        vm->guest.table_taken = back_table;
        vm->guest.ctx = vm;
    }
    return page_table_init(&vm->guest);
}

/* Maps a region in both dimensions, page by page of the guest's sizes. */
static bool prefault(struct vm *vm, const struct vm_region *region, uint64_t *covered)
{
    uint64_t end = region->start.v + region->pages * HV_PAGE_BYTES;
    uint64_t gva = region->start.v > *covered ? region->start.v : *covered;
    while (gva < end) {
        uint64_t bytes = hv_page_bytes(guest_size_at(vm, gva));
        if (!map(vm, gva)) {
            return false;
        }
        gva = (gva & ~(bytes - 1)) + bytes;
    }
    *covered = gva > *covered ? gva : *covered;
    return true;
}

/* Backs all guest-physical data that the guest has taken so far. */
static bool back_all(struct vm *vm)
{
    for (uint64_t gpa = vm->data_start; gpa < vm->guest_data.next;) {
        if (!back(vm, gpa)) {
            return false;
        }
        uint64_t bytes = hv_page_bytes(host_size_at(vm, gpa));
        gpa = (gpa & ~(bytes - 1)) + bytes;
    }
    return true;
}

bool vm_init(struct vm *vm, const struct vm_config *config, const struct vm_region *regions, size_t count,
             struct physmem *memory, struct hv_err *err)
{
    memset(vm, 0, sizeof(*vm));
    vm->config = *config;
    vm->nested = config->paging.mode == PAGING_NESTED;
    vm->table_size = config->host_more.table_page_size == 0
                         ? (enum hv_page_size)config->host.page_size
                         : (enum hv_page_size)(config->host_more.table_page_size - 1);
    if (!lay_out(vm, regions, count, memory, err)) {
        return false;
    }
    bool ok = make_roots(vm, memory);
    uint64_t covered = 0;
    for (size_t i = 0; config->paging.prefault && ok && i < count; i++) {
        ok = prefault(vm, &regions[i], &covered);
    }
    if (config->paging.prefault && vm->nested) {
        ok = ok && back_all(vm);
    }
    HV_ASSERT(ok, "the layout has room for every table and frame");
    return true;
}

struct mmu_regs vm_regs(const struct vm *vm)
{
    struct mmu_regs regs = {
        .cr0 = MMU_CR0_PG | MMU_CR0_WP | 1,
        .cr3 = vm->guest.root,
        .cr4 = MMU_CR4_PAE | MMU_CR4_PGE | (vm->config.guest.levels == 5 ? MMU_CR4_LA57 : 0),
        .efer = MMU_EFER_LME | MMU_EFER_LMA | MMU_EFER_NXE,
        .user = true,
    };
    if (vm->nested) {
        regs.nested = true;
        regs.npt = vm->config.host_more.format == PAGING_NPT;
        regs.vpid = 1;
        regs.eptp = vm->host.root | (vm->config.host.levels - 1) << MMU_EPTP_WALK_SHIFT | EPT_WRITE_BACK |
                    (vm->config.paging.accessed_dirty ? MMU_EPTP_FLAGS : 0);
    }
    return regs;
}

/* Whether the second level had no page there at all, as against one that forbids the access. */
static bool host_page_missing(const struct hv_fault *fault)
{
    return fault->kind == HV_FAULT_NESTED_PAGE
               ? (fault->error_code & HV_PF_PRESENT) == 0
               : (fault->error_code & (HV_EPTV_READABLE | HV_EPTV_WRITABLE | HV_EPTV_EXECUTABLE)) == 0;
}

/* A page fault is the guest's to resolve when nothing was mapped; a violation the hypervisor's likewise. */
struct vm_fault_reply vm_handle_fault(struct vm *vm, const struct hv_fault *fault)
{
    struct vm_fault_reply reply = {false, false, 0};
    switch ((enum hv_fault_kind)fault->kind) {
    case HV_FAULT_PAGE:
        reply.cycles = vm->config.cost.page_fault_cycles;
        reply.resolved = (fault->error_code & HV_PF_PRESENT) == 0 && map(vm, fault->gva.v);
        vm->stats.page_faults += reply.resolved;
        break;
    case HV_FAULT_VIOLATION:
    case HV_FAULT_NESTED_PAGE:
        reply.exit = true;
        reply.cycles = vm->config.cost.ept_violation_cycles;
        reply.resolved = host_page_missing(fault) && fault->gpa.v >= vm->data_start &&
                         fault->gpa.v < vm->guest_data.next && back(vm, fault->gpa.v);
        vm->stats.violations += reply.resolved;
        break;
    case HV_FAULT_NONE:
    case HV_FAULT_NON_CANONICAL:
    case HV_FAULT_MISCONFIG:
    case HV_FAULT_KINDS:
        break;
    }
    return reply;
}
