/* SPDX-License-Identifier: MIT */
/* How guest-physical and host-physical memory are divided. */
#include "vmm/vm.h"

enum { SPARE_PAGES = 4 }; /* of the largest size: what is moved has its new place before the old one is free */

static uint64_t align_up(uint64_t value, uint64_t to)
{
    return (value + to - 1) & ~(to - 1);
}

/* Largest page that a side may use, to which addresses and sizes are rounded. */
static uint64_t largest_page(const struct paging_side_params *side)
{
    bool some_huge = side->page_size == HV_PAGE_4K && (side->huge_fraction > 0 || side->fragmentation > 0);
    return hv_page_bytes(some_huge ? HV_PAGE_2M : (enum hv_page_size)side->page_size);
}

/*
 * Bytes of guest-physical data that the regions need when each is rounded to the guest's pages; no more than a sum of
 * which the other sizes can be worked out without overflow, and which no memory holds.
 */
static uint64_t data_bytes(const struct vm_config *config, const struct vm_region *regions, size_t count)
{
    const uint64_t most = UINT64_C(1) << 56;
    uint64_t offset = largest_page(&config->guest) - 1;
    uint64_t bytes = 0, covered = 0; /* the first address behind what has been counted */
    for (size_t i = 0; i < count; i++) {
        covered = i > 0 && regions[i].process != regions[i - 1].process ? 0 : covered;
        uint64_t first = regions[i].start.v & ~offset;
        uint64_t last = (regions[i].start.v + (regions[i].pages * HV_PAGE_BYTES - 1)) | offset;
        first = first < covered ? covered : first; /* the page of the region before covers it already */
        if (first <= last) {
            if (last - first >= most - bytes) {
                return most;
            }
            bytes += last - first + 1;
            covered = last + 1;
        }
    }
    return bytes;
}

/* Sizes and places, worked out once. */
struct plan {
    uint64_t used;              /* bytes of data that the processes use */
    uint64_t data;              /* the same with a page to spare, in guest-physical memory */
    uint64_t guest_table_bytes; /* of all processes */
    uint64_t data_end;          /* guest-physical */
    uint64_t host_table_bytes;
    uint64_t shadow_bytes;      /* tables for the same addresses as the guest's */
    uint64_t tables_end;        /* host-physical: behind the pages under guest tables */
    uint64_t host_data_bytes;
};

static struct plan make_plan(struct vm *vm, const struct vm_region *regions, size_t count, uint64_t host_start)
{
    const struct vm_config *config = &vm->config;
    uint64_t host_page = largest_page(&config->host), table_page = hv_page_bytes(vm->table_size);
    struct plan p = {.used = data_bytes(config, regions, count)};
    p.data = p.used + largest_page(&config->guest);
    p.guest_table_bytes = (page_table_bound(p.data, count) + config->processes - 1) * HV_PAGE_BYTES;
    vm->data_start = vm->nested ? align_up(p.guest_table_bytes, HV_GIB(1)) : 0;
    p.data_end = vm->data_start + align_up(p.data, host_page);
    p.host_table_bytes = vm->nested ? page_table_bound(p.data_end, 2) * HV_PAGE_BYTES : 0;
    p.shadow_bytes = vm_has_shadow(vm) ? p.guest_table_bytes : 0;
    uint64_t tables_end = host_start + p.host_table_bytes + p.shadow_bytes;
    vm->table_backing = align_up(tables_end, vm->nested ? table_page : HV_PAGE_BYTES);
    p.tables_end = vm->table_backing + align_up(p.guest_table_bytes, vm->nested ? table_page : HV_PAGE_BYTES);
    /* Natively, so that whole 2 MiB of a process's memory are one block that can become a large page. */
    bool blocks = config->host.fragmentation > 0 || config->guest.fragmentation > 0 || !vm->nested;
    p.tables_end = blocks ? align_up(p.tables_end, hv_page_bytes(HV_PAGE_2M)) : p.tables_end;
    p.host_data_bytes = vm->nested ? p.data_end - vm->data_start + 2 * host_page : p.data;
    return p;
}

bool vm_lay_out(struct vm *vm, const struct vm_region *regions, size_t count, struct physmem *memory,
                uint64_t *host_next, struct hv_err *err)
{
    const struct vm_config *config = &vm->config;
    struct plan p = make_plan(vm, regions, count, *host_next);
    uint64_t spare = SPARE_PAGES * largest_page(vm->nested ? &config->host : &config->guest);
    vm->host_tables = (struct frames){.next = *host_next, .end = *host_next + p.host_table_bytes};
    vm->shadow_tables = (struct frames){
        .next = vm->host_tables.end, .end = vm->host_tables.end + p.shadow_bytes,
    };
    vm->host_data = (struct frames){
        .next = p.tables_end, .end = p.tables_end + p.host_data_bytes + spare,
        .fragmentation = vm->nested ? config->host.fragmentation : config->guest.fragmentation, .seed = ~config->seed,
    };
    if (vm->host_data.end > memory->size) {
        return hv_fail(err, "machine.memory is %llu MiB, but the workload with its page tables needs %llu MiB; raise "
                       "machine.memory or lower workload.footprint", (unsigned long long)(memory->size >> 20),
                       (unsigned long long)((vm->host_data.end >> 20) + 1));
    }
    if (config->memory != 0 && p.used > config->memory) {
        return hv_fail(err, "vm.memory is %llu MiB, but the processes of a VM use %llu MiB; raise vm.memory or lower "
                       "workload.footprint", (unsigned long long)(config->memory >> 20),
                       (unsigned long long)((p.used + HV_MIB(1) - 1) >> 20));
    }
    if (vm->nested) {
        vm->guest_tables = (struct frames){.next = 0, .end = p.guest_table_bytes};
        vm->guest_data = (struct frames){
            .next = vm->data_start, .end = p.data_end, .fragmentation = config->guest.fragmentation,
            .seed = config->seed,
        };
    } else { /* one dimension: the guest's frames are the host's */
        vm->guest_tables = (struct frames){.next = vm->table_backing, .end = vm->table_backing + p.guest_table_bytes};
        vm->guest_data = vm->host_data;
    }
    physmem_hint_dense(memory, (hv_hpa){*host_next}, p.host_table_bytes + p.shadow_bytes);
    physmem_hint_dense(memory, (hv_hpa){vm->table_backing}, p.guest_table_bytes);
    *host_next = align_up(vm->host_data.end, hv_page_bytes(HV_PAGE_2M));
    return true;
}
