/* SPDX-License-Identifier: MIT */
/* Which page maps an address, and mapping it: the operating system's half and the hypervisor's. */
#include "base/rng.h"
#include "vmm/vm.h"

/* One draw for a 2 MiB region, the same whenever it is asked for. */
static bool lot(uint64_t seed, uint64_t address, double share)
{
    return (double)(rng_mix(seed ^ rng_mix(address >> 21)) >> 11) * 0x1.0p-53 < share;
}

/* The size of the page that maps an address: the configured one, but for what huge_fraction and fragmentation say. */
static enum hv_page_size size_at(const struct paging_side_params *side, uint64_t seed, uint64_t address)
{
    if (side->page_size == HV_PAGE_4K && side->huge_fraction > 0 && lot(seed, address, side->huge_fraction)) {
        return HV_PAGE_2M;
    }
    if (side->page_size == HV_PAGE_2M && side->fragmentation > 0 && lot(seed, address, side->fragmentation)) {
        return HV_PAGE_4K;
    }
    return (enum hv_page_size)side->page_size;
}

/* Whether a process uses all addresses from first to last, as one run. */
static bool uses(const struct vm *vm, uint32_t process, uint64_t first, uint64_t last)
{
    size_t low = 0, high = vm->region_count; /* the first region behind `first` is to be found */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct vm_region *r = &vm->regions[middle];
        if (r->process < process || (r->process == process && r->start.v <= first)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    const struct vm_region *r = low > 0 ? &vm->regions[low - 1] : NULL;
    return r != NULL && r->process == process && last <= r->start.v + (r->pages * HV_PAGE_BYTES - 1);
}

/*
 * A rule's page is no larger than its run, and lies within memory that the process uses: no more was laid out for it.
 * MODEL: an operating system with memory to spare would back the rest of such a page too.
 */
enum hv_page_size vm_guest_size(const struct vm *vm, uint32_t process, uint64_t gva)
{
    const struct vm_process *p = &vm->processes[process];
    enum hv_page_size size = size_at(&vm->config.guest, vm->config.seed, gva);
    if (p->rules.count == 0) {
        return size;
    }
    struct size_rule rule;
    bool ruled = size_rules_find(&p->rules, gva, &rule);
    size = !ruled ? size : rule.size == HV_PAGE_1G && !vm->config.pages_1g ? HV_PAGE_2M : rule.size;
    for (; size != HV_PAGE_4K; size--) {
        uint64_t offset = hv_page_bytes(size) - 1, first = gva & ~offset, last = gva | offset;
        if (first >= rule.first && last <= rule.last && (!ruled || uses(vm, process, first, last))) {
            break;
        }
    }
    return size;
}

enum hv_page_size vm_host_size(const struct vm *vm, uint64_t gpa)
{
    return size_at(&vm->config.host, ~vm->config.seed, gpa);
}

/* Takes a frame and maps it at the page around an address. */
static bool map(struct page_table *table, struct frames *frames, uint64_t address, enum hv_page_size size)
{
    uint64_t frame = frames_take(frames, size);
    if (frame == FRAMES_NONE) {
        return false;
    }
    if (page_table_map(table, address & ~(hv_page_bytes(size) - 1), size, frame)) {
        return true;
    }
    frames_give(frames, frame, size);
    return false;
}

/* A large page needs a frame of its size, and nothing smaller may be mapped there; if not, smaller pages do. */
static bool map_at_most(struct page_table *table, struct frames *frames, uint64_t address, enum hv_page_size size)
{
    while (!map(table, frames, address, size)) {
        if (size == HV_PAGE_4K) {
            return false;
        }
        size--;
    }
    return true;
}

bool vm_map_guest(struct vm *vm, uint32_t process, uint64_t gva)
{
    return map_at_most(&vm->processes[process].table, &vm->guest_data, gva, vm_guest_size(vm, process, gva));
}

bool vm_map_host(struct vm *vm, uint64_t gpa)
{
    return map_at_most(&vm->host, &vm->host_data, gpa, vm_host_size(vm, gpa));
}
