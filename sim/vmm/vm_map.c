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

enum hv_page_size vm_guest_size(const struct vm *vm, uint32_t process, uint64_t gva)
{
    const struct vm_process *p = &vm->processes[process];
    for (size_t i = p->rule_count; i-- > 0;) {
        if (gva >= p->rules[i].start && gva < p->rules[i].end) {
            return p->rules[i].size;
        }
    }
    return size_at(&vm->config.guest, vm->config.seed, gva);
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

bool vm_map_guest(struct vm *vm, uint32_t process, uint64_t gva)
{
    enum hv_page_size size = vm_guest_size(vm, process, gva);
    struct page_table *table = &vm->processes[process].table;
    /* A large page needs a frame of its size, and nothing smaller may still be mapped there. */
    return map(table, &vm->guest_data, gva, size) || (size != HV_PAGE_4K && map(table, &vm->guest_data, gva, HV_PAGE_4K));
}

bool vm_map_host(struct vm *vm, uint64_t gpa)
{
    enum hv_page_size size = vm_host_size(vm, gpa);
    return map(&vm->host, &vm->host_data, gpa, size) ||
           (size != HV_PAGE_4K && map(&vm->host, &vm->host_data, gpa, HV_PAGE_4K));
}
