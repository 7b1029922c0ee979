/* SPDX-License-Identifier: MIT */
/* Events that change mappings: what the tables look like afterwards, what it costs, what has to be invalidated. */
#include "vmm/shadow.h"

/* A run of a process's pages under way of being changed. */
struct run_change {
    struct vm *vm;
    struct page_table *table;
    uint64_t entries; /* page-table entries changed */
    uint64_t pages;   /* moved or taken, of 4 KiB */
};

/* What happens to one mapped page of a run; `address` is where it begins. */
typedef void page_action(struct run_change *r, uint64_t address, uint64_t *entry, enum hv_page_size size);

/* Applies an action to each page that is mapped in a run. A large page that reaches beyond it is taken whole. */
static void for_pages(struct run_change *r, uint64_t start, uint64_t pages, page_action *action)
{
    uint64_t last = start + (pages * HV_PAGE_BYTES - 1); /* a run may end where the address space does */
    uint64_t address = page_table_canonical(r->table, start);
    while (address <= last) {
        unsigned level;
        uint64_t *entry = page_table_find(r->table, address, &level);
        uint64_t offset = (UINT64_C(1) << radix_shift(level)) - 1; /* in the page, or in the hole */
        if (entry != NULL) {
            action(r, address & ~offset, entry, (enum hv_page_size)(level - 1));
        }
        if ((address | offset) == UINT64_MAX) {
            break;
        }
        address = page_table_canonical(r->table, (address | offset) + 1);
    }
}

static uint64_t frame_of(uint64_t entry, enum hv_page_size size)
{
    return entry & RADIX_ADDRESS_MASK & ~(hv_page_bytes(size) - 1);
}

/* Writes an entry of the guest's table. */
static void write_entry(struct run_change *r, uint64_t address, uint64_t *entry, enum hv_page_size size,
                        uint64_t value)
{
    *entry = value;
    page_table_written(r->table, address, size + 1u);
}

static void unmap(struct run_change *r, uint64_t address, uint64_t *entry, enum hv_page_size size)
{
    frames_give(&r->vm->guest_data, frame_of(*entry, size), size);
    write_entry(r, address, entry, size, 0);
    r->entries++;
    r->pages += hv_page_bytes(size) / HV_PAGE_BYTES;
    r->vm->stats.pages_unmapped++;
}

static void protect(struct run_change *r, uint64_t address, uint64_t *entry, enum hv_page_size size)
{
    write_entry(r, address, entry, size, (*entry & ~(uint64_t)RADIX_IA32E_W) | VM_ENTRY_KEPT);
    r->entries++;
    r->vm->stats.pages_protected++;
}

static void share(struct run_change *r, uint64_t address, uint64_t *entry, enum hv_page_size size)
{
    protect(r, address, entry, size);
    *entry |= VM_ENTRY_SHARED;
}

/* Gives the page of a leaf entry another frame; when there is none, it stays. */
static void move(struct run_change *r, struct frames *frames, uint64_t *entry, enum hv_page_size size)
{
    uint64_t frame = frames_take(frames, size);
    if (frame == FRAMES_NONE) {
        return;
    }
    frames_give(frames, frame_of(*entry, size), size);
    *entry = frame | (*entry & ~RADIX_ADDRESS_MASK);
    r->entries++;
    r->pages += hv_page_bytes(size) / HV_PAGE_BYTES;
}

static void migrate_native(struct run_change *r, uint64_t address, uint64_t *entry, enum hv_page_size size)
{
    (void)address;
    move(r, &r->vm->guest_data, entry, size);
}

/* Applies an action of the second level to every host page behind a guest page. */
static void for_host_pages(struct run_change *r, uint64_t *guest_entry, enum hv_page_size size, page_action *action)
{
    struct run_change host = {.vm = r->vm, .table = &r->vm->host};
    for_pages(&host, frame_of(*guest_entry, size), hv_page_bytes(size) / HV_PAGE_BYTES, action);
    r->entries += host.entries;
    r->pages += host.pages;
}

/* A host page may be behind several guest pages of the run; it moves once. */
static void move_host_page(struct run_change *r, uint64_t gpa, uint64_t *entry, enum hv_page_size size)
{
    if ((*entry & VM_ENTRY_MOVED) == 0) {
        move(r, &r->vm->host_data, entry, size);
        *entry |= VM_ENTRY_MOVED;
        r->entries += shadow_host_changed(r->vm, gpa, size);
    }
}

static void unmark_host_page(struct run_change *r, uint64_t gpa, uint64_t *entry, enum hv_page_size size)
{
    (void)r;
    (void)gpa;
    (void)size;
    *entry &= ~VM_ENTRY_MOVED;
}

static void take_host_page(struct run_change *r, uint64_t gpa, uint64_t *entry, enum hv_page_size size)
{
    frames_give(&r->vm->host_data, frame_of(*entry, size), size);
    *entry = 0;
    r->entries += 1 + shadow_host_changed(r->vm, gpa, size);
    r->pages += hv_page_bytes(size) / HV_PAGE_BYTES;
}

static void migrate_nested(struct run_change *r, uint64_t address, uint64_t *entry, enum hv_page_size size)
{
    (void)address;
    for_host_pages(r, entry, size, move_host_page);
}

static void unmark_nested(struct run_change *r, uint64_t address, uint64_t *entry, enum hv_page_size size)
{
    (void)address;
    for_host_pages(r, entry, size, unmark_host_page);
}

static void balloon_nested(struct run_change *r, uint64_t address, uint64_t *entry, enum hv_page_size size)
{
    (void)address;
    for_host_pages(r, entry, size, take_host_page);
}

/* A call of the guest's that changes the process's own table. */
static struct vm_change guest_call(struct vm *vm, const struct run_change *r, uint64_t start, uint64_t pages)
{
    const struct vmm_cost_params *cost = &vm->config.cost;
    return (struct vm_change){
        .flush = r->entries > 0 ? VM_FLUSH_RUN : VM_FLUSH_NONE, .start = start, .pages = pages,
        .guest_cycles = cost->system_call_cycles + r->entries * cost->page_update_cycles,
    };
}

/* The hypervisor takes or moves host pages: a VM exit, the pages, INVEPT. */
static struct vm_change host_work(const struct vm *vm, const struct run_change *r, hv_cycles page_cycles)
{
    const struct vmm_cost_params *cost = &vm->config.cost;
    return (struct vm_change){
        .flush = r->entries > 0 ? VM_FLUSH_HOST : VM_FLUSH_NONE,
        .host_cycles = cost->ept_violation_cycles + r->entries * cost->page_update_cycles + r->pages * page_cycles,
    };
}

static struct vm_change fork_run(struct vm *vm, struct run_change *r, uint64_t start, uint64_t pages)
{
    for_pages(r, start, pages, share);
    uint64_t tables = r->entries / 512 + 1;
    vm->stats.tables_copied += tables;
    struct vm_change change = guest_call(vm, r, start, pages);
    change.guest_cycles += tables * vm->config.cost.table_copy_cycles;
    return change;
}

static struct vm_change migrate_run(struct vm *vm, struct run_change *r, uint64_t start, uint64_t pages)
{
    for_pages(r, start, pages, vm->nested ? migrate_nested : migrate_native);
    vm->stats.pages_migrated += r->pages;
    if (vm->nested) {
        for_pages(r, start, pages, unmark_nested);
        return host_work(vm, r, vm->config.cost.page_copy_cycles);
    }
    struct vm_change change = guest_call(vm, r, start, pages);
    change.guest_cycles += r->pages * vm->config.cost.page_copy_cycles;
    return change;
}

/* Natively the operating system reclaims the pages itself. */
static struct vm_change balloon_run(struct vm *vm, struct run_change *r, uint64_t start, uint64_t pages)
{
    if (!vm->nested) {
        for_pages(r, start, pages, unmap);
        vm->stats.pages_ballooned += r->pages;
        return guest_call(vm, r, start, pages);
    }
    for_pages(r, start, pages, balloon_nested);
    vm->stats.pages_ballooned += r->pages;
    return host_work(vm, r, 0);
}

/* From here on the run is mapped by pages of a size. */
static void set_size(struct vm_process *p, uint64_t start, uint64_t pages, enum hv_page_size size)
{
    struct size_rule rule = {start, start + (pages * HV_PAGE_BYTES - 1), size};
    size_rules_set(&p->rules, &rule);
}

static struct vm_change carry_out(struct vm *vm, uint32_t process, const struct hv_access *event)
{
    struct vm_process *p = &vm->processes[process];
    struct run_change r = {.vm = vm, .table = &p->table};
    uint64_t start = hv_event_run_start(event->gva.v), pages = hv_event_run_pages(event->gva.v);
    switch ((enum hv_event)event->bytes) {
    case HV_EVENT_UNMAP:
        for_pages(&r, start, pages, unmap);
        break;
    case HV_EVENT_PROTECT:
        for_pages(&r, start, pages, protect);
        break;
    case HV_EVENT_FORK:
        return fork_run(vm, &r, start, pages);
    case HV_EVENT_PAGES_4K:
    case HV_EVENT_PAGES_2M:
    case HV_EVENT_PAGES_1G:
        set_size(p, start, pages, (enum hv_page_size)(event->bytes - HV_EVENT_PAGES_4K));
        for_pages(&r, start, pages, unmap); /* mapped again, by the new size, at the next touch */
        break;
    case HV_EVENT_MIGRATE:
        return migrate_run(vm, &r, start, pages);
    case HV_EVENT_BALLOON:
        return balloon_run(vm, &r, start, pages);
    case HV_EVENT_MAP: /* nothing is mapped before its first touch */
    case HV_EVENT_PROCESS:
    case HV_EVENT_VCPU:
    case HV_EVENT_CPUID:
    case HV_EVENT_VMCALL:
    case HV_EVENT_PORT_IN:
    case HV_EVENT_PORT_OUT:
    case HV_EVENT_MSR_READ:
    case HV_EVENT_MSR_WRITE:
    case HV_EVENT_TPR_WRITE:
    case HV_EVENT_HLT:
    case HV_EVENTS:
        break;
    }
    return guest_call(vm, &r, start, pages);
}

struct vm_change vm_event(struct vm *vm, uint32_t process, const struct hv_access *event)
{
    struct vm_change change = carry_out(vm, process, event);
    change.host_cycles += shadow_settle(vm, &change);
    return change;
}
