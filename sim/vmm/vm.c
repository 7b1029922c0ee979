/* SPDX-License-Identifier: MIT */
#include "vmm/vm.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/shadow.h"

const char *const vcpu_interrupts_names[] = {"emulated", "tpr_shadow", "virtual", "posted", "direct", NULL};
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

const struct param_row vmm_param_rows[] = {
#define P(...) PARAM_ROW(struct vmm_params, __VA_ARGS__)
#include "vmm/vmm_params.def"
#undef P
};
const size_t vmm_param_count = HV_ARRAY_LEN(vmm_param_rows);

const struct param_row vmm_cost_param_rows[] = {
#define P(...) PARAM_ROW(struct vmm_cost_params, __VA_ARGS__)
#include "vmm/vmm_cost_params.def"
#undef P
};
const size_t vmm_cost_param_count = HV_ARRAY_LEN(vmm_cost_param_rows);

const struct param_row vmm_shadow_param_rows[] = {
#define P(...) PARAM_ROW(struct vmm_shadow_params, __VA_ARGS__)
#include "vmm/vmm_shadow_params.def"
#undef P
};
const size_t vmm_shadow_param_count = HV_ARRAY_LEN(vmm_shadow_param_rows);

const struct param_row vmm_agile_param_rows[] = {
#define P(...) PARAM_ROW(struct vmm_agile_params, __VA_ARGS__)
#include "vmm/vmm_agile_params.def"
#undef P
};
const size_t vmm_agile_param_count = HV_ARRAY_LEN(vmm_agile_param_rows);

const struct param_row vm_param_rows[] = {
#define P(...) PARAM_ROW(struct vm_params, __VA_ARGS__)
#include "vmm/vm_params.def"
#undef P
};
const size_t vm_param_count = HV_ARRAY_LEN(vm_param_rows);

const struct param_row vcpu_param_rows[] = {
#define P(...) PARAM_ROW(struct vcpu_params, __VA_ARGS__)
#include "vmm/vcpu_params.def"
#undef P
};
const size_t vcpu_param_count = HV_ARRAY_LEN(vcpu_param_rows);

const struct param_row sched_param_rows[] = {
#define P(...) PARAM_ROW(struct sched_params, __VA_ARGS__)
#include "vmm/sched_params.def"
#undef P
};
const size_t sched_param_count = HV_ARRAY_LEN(sched_param_rows);

const struct stat_row vm_stat_rows[] = {
#define S(...) STAT_ROW(struct vm_stats, __VA_ARGS__)
#include "vmm/vm_stats.def"
#undef S
};
const size_t vm_stat_count = HV_ARRAY_LEN(vm_stat_rows);

enum { EPT_WRITE_BACK = 6 };

/* The guest made a table: the host page behind it is mapped, the first time one of its tables is made. */
static void back_table(void *ctx, uint64_t gpa)
{
    struct vm *vm = ctx;
    uint64_t bytes = hv_page_bytes(vm->table_size);
    uint64_t page = gpa & ~(bytes - 1);
    unsigned level;
    bool ok = page_table_find(&vm->host, gpa, &level) != NULL ||
              page_table_map(&vm->host, page, vm->table_size, vm->table_backing + page);
    HV_ASSERT(ok, "no host table for the guest's at %#llx", (unsigned long long)gpa);
}

/* What a page table of one dimension consists of, before it has a root. */
static struct page_table table_of(const struct paging_side_params *side, struct frames *arena,
                                  struct physmem *memory)
{
    return (struct page_table){.memory = memory, .levels = (unsigned)side->levels, .arena = arena};
}

/* Bits of table and leaf entries in each dimension, as Linux and KVM would write them. */
static void choose_guest_bits(const struct vm *vm, struct page_table *t)
{
    bool preset = vm->config.paging.preset_flags;
    t->table_bits = RADIX_IA32E_P | RADIX_IA32E_W | RADIX_IA32E_U | (preset ? RADIX_IA32E_ACCESSED : 0);
    t->leaf_bits = t->table_bits | (preset ? RADIX_IA32E_DIRTY : 0);
}

static void choose_host_bits(const struct vm *vm, struct page_table *t)
{
    bool preset = vm->config.paging.preset_flags;
    if (vm->config.host_more.format == PAGING_NPT) {
        choose_guest_bits(vm, t);
        return;
    }
    t->table_bits = RADIX_EPT_R | RADIX_EPT_W | RADIX_EPT_X | (preset ? RADIX_EPT_ACCESSED : 0);
    t->leaf_bits = t->table_bits | (uint64_t)EPT_WRITE_BACK << RADIX_EPT_MEMORY_TYPE_SHIFT |
                   (preset ? RADIX_EPT_DIRTY : 0);
}

static bool make_roots(struct vm *vm, struct physmem *memory)
{
    if (vm->nested) {
        vm->host = table_of(&vm->config.host, &vm->host_tables, memory);
        choose_host_bits(vm, &vm->host);
        if (!page_table_init(&vm->host)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < vm->config.processes; i++) {
        struct page_table *t = &vm->processes[i].table;
        *t = table_of(&vm->config.guest, &vm->guest_tables, memory);
        choose_guest_bits(vm, t);
        if (vm->nested) {
            t->host_offset = vm->table_backing;
            t->table_taken = back_table;
            t->entry_written = vm_has_shadow(vm) ? shadow_entry_written : NULL;
            t->ctx = vm;
            t->number = i;
        }
        vm->processes[i].pcid = (uint16_t)i;
        if (!page_table_init(t)) {
            return false;
        }
    }
    return true;
}

/*
 * Maps a region in the process's table, page by page of the guest's sizes. *covered is the first address behind what
 * has been mapped, 0 before and when that was the last page of the address space.
 */
static bool prefault(struct vm *vm, const struct vm_region *region, uint64_t *covered)
{
    const struct page_table *table = &vm->processes[region->process].table;
    uint64_t last = region->start.v + (region->pages * HV_PAGE_BYTES - 1);
    uint64_t gva = region->start.v > *covered ? region->start.v : *covered;
    while ((gva = page_table_canonical(table, gva)) <= last) {
        uint64_t bytes = hv_page_bytes(vm_guest_size(vm, region->process, gva));
        if (!vm_map_guest(vm, region->process, gva)) {
            return false;
        }
        gva = *covered = (gva & ~(bytes - 1)) + bytes;
        if (gva == 0) {
            break;
        }
    }
    return true;
}

/* Backs all guest-physical data that the guest may have taken so far. */
static bool back_all(struct vm *vm)
{
    uint64_t block = hv_page_bytes(HV_PAGE_2M); /* frames of a fragmented block are taken in scattered order */
    uint64_t end = vm->guest_data.fragmentation > 0 ? (vm->guest_data.next + block - 1) & ~(block - 1)
                                                    : vm->guest_data.next;
    end = end < vm->guest_data.end ? end : vm->guest_data.end;
    for (uint64_t gpa = vm->data_start; gpa < end;) {
        if (!vm_map_host(vm, gpa)) {
            return false;
        }
        uint64_t bytes = hv_page_bytes(vm_host_size(vm, gpa));
        gpa = (gpa & ~(bytes - 1)) + bytes;
    }
    return true;
}

static bool prefault_all(struct vm *vm, const struct vm_region *regions, size_t count)
{
    uint64_t covered = 0;
    for (size_t i = 0; i < count; i++) {
        covered = i > 0 && regions[i].process != regions[i - 1].process ? 0 : covered;
        if (!prefault(vm, &regions[i], &covered)) {
            return false;
        }
    }
    return !vm->nested || back_all(vm);
}

bool vm_init(struct vm *vm, const struct vm_config *config, const struct vm_region *regions, size_t count,
             struct physmem *memory, uint64_t *host_next, struct hv_err *err)
{
    memset(vm, 0, sizeof(*vm));
    vm->config = *config;
    vm->nested = config->paging.mode != PAGING_NATIVE;
    vm->agile = config->paging.mode == PAGING_AGILE && !agile_is_full(vm);
    vm->table_size = config->host_more.table_page_size == 0
                         ? (enum hv_page_size)config->host.page_size
                         : (enum hv_page_size)(config->host_more.table_page_size - 1);
    if (config->pcid && config->processes > VM_MAX_PCIDS) {
        return hv_fail(err, "a VM has %u processes, but there are PCIDs for %u; set sched.pcid to false, or lower "
                       "sched.processes or vm.vcpus", config->processes, VM_MAX_PCIDS);
    }
    if (!vm_lay_out(vm, regions, count, memory, host_next, err)) {
        return false;
    }
    vm->region_count = count;
    vm->regions = malloc((count + 1) * sizeof(*vm->regions));
    HV_ASSERT(vm->regions != NULL, "out of memory");
    memcpy(vm->regions, regions, count * sizeof(*regions));
    vm->processes = calloc(config->processes, sizeof(*vm->processes));
    HV_ASSERT(vm->processes != NULL, "out of memory");
    bool ok = make_roots(vm, memory) && (!config->paging.prefault || prefault_all(vm, regions, count));
    HV_ASSERT(ok, "the layout has room for every table and frame");
    if (vm_has_shadow(vm)) {
        shadow_begin(vm);
    }
    return true;
}

void vm_fini(struct vm *vm)
{
    for (uint32_t i = 0; vm->processes != NULL && i < vm->config.processes; i++) {
        size_rules_fini(&vm->processes[i].rules);
    }
    shadow_end(vm);
    free(vm->regions);
    free(vm->processes);
    frames_fini(&vm->shadow_tables);
    frames_fini(&vm->host_tables);
    frames_fini(&vm->guest_tables);
    frames_fini(&vm->guest_data);
    frames_fini(&vm->host_data);
    memset(vm, 0, sizeof(*vm));
}

bool vm_has_shadow(const struct vm *vm)
{
    return vm->config.paging.mode == PAGING_SHADOW || (vm->agile && !agile_root_switched(vm));
}

/* The table that CR3 names to the processor: the guest's own, or the hypervisor's in its place. */
static uint64_t root_of(const struct vm *vm, uint32_t process)
{
    uint64_t root = vm->processes[process].table.root;
    if (vm->shadow != NULL) {
        return vm->shadow->tables[process].root;
    }
    return vm->agile ? (root + vm->table_backing) | RADIX_SWITCH : root;
}

struct mmu_regs vm_regs(const struct vm *vm, uint32_t process, uint16_t vpid)
{
    const struct vm_process *p = &vm->processes[process];
    struct mmu_regs regs = {
        .cr0 = MMU_CR0_PG | MMU_CR0_WP | 1,
        .cr3 = root_of(vm, process) | (vm->config.pcid ? p->pcid : 0),
        .cr4 = MMU_CR4_PAE | MMU_CR4_PGE | (vm->config.guest.levels == 5 ? MMU_CR4_LA57 : 0) |
               (vm->config.pcid ? MMU_CR4_PCIDE : 0),
        .efer = MMU_EFER_LME | MMU_EFER_LMA | MMU_EFER_NXE,
        .user = true,
    };
    if (vm->nested) {
        regs.nested = vm->shadow == NULL && !vm->agile;
        regs.agile = vm->agile;
        regs.shadow = vm->shadow != NULL;
        regs.npt = vm->config.host_more.format == PAGING_NPT;
        regs.vpid = vpid;
        regs.eptp = vm->host.root | (vm->config.host.levels - 1) << MMU_EPTP_WALK_SHIFT | EPT_WRITE_BACK |
                    (vm->config.paging.accessed_dirty ? MMU_EPTP_FLAGS : 0);
    }
    return regs;
}
