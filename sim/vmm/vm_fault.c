/* SPDX-License-Identifier: MIT */
/* What the operating system and the hypervisor do about faults. */
#include "vmm/shadow.h"

/* Whether the second level had no page there at all, as against one that forbids the access. */
static bool host_page_missing(const struct hv_fault *fault)
{
    return fault->kind == HV_FAULT_NESTED_PAGE
               ? (fault->error_code & HV_PF_PRESENT) == 0
               : (fault->error_code & (HV_EPTV_READABLE | HV_EPTV_WRITABLE | HV_EPTV_EXECUTABLE)) == 0;
}

/* The page around an address has changed. */
static struct vm_change change_of_page(uint64_t address, enum hv_page_size size)
{
    uint64_t bytes = hv_page_bytes(size);
    return (struct vm_change){
        .flush = VM_FLUSH_RUN, .start = address & ~(bytes - 1), .pages = bytes / HV_PAGE_BYTES,
    };
}

/* Gives the page of an entry a new frame; returns what copying it takes. */
static hv_cycles copy_page(struct vm *vm, uint64_t *entry, enum hv_page_size size)
{
    uint64_t frame = frames_take(&vm->guest_data, size);
    if (frame == FRAMES_NONE) {
        return 0; /* memory is short: the child is gone by now, and the page is the parent's alone */
    }
    uint64_t pages = hv_page_bytes(size) / HV_PAGE_BYTES;
    frames_give(&vm->guest_data, *entry & RADIX_ADDRESS_MASK & ~(hv_page_bytes(size) - 1), size);
    uint64_t bits = *entry & ~RADIX_ADDRESS_MASK;
    *entry = frame | bits;
    vm->stats.pages_copied += pages;
    return pages * vm->config.cost.page_copy_cycles;
}

/*
 * A store to a page that software keeps read-only: it becomes writable, after a fork by copying. MODEL: by the time
 * its frame would be used again the forked child has ended, so the old frame is free at once.
 */
static bool make_writable(struct vm *vm, uint32_t process, const struct hv_fault *fault, struct vm_fault_reply *reply)
{
    unsigned level;
    uint64_t *entry = page_table_find(&vm->processes[process].table, fault->gva.v, &level);
    enum hv_page_size size = (enum hv_page_size)(level - 1);
    if ((*entry & (VM_ENTRY_KEPT | VM_ENTRY_SHARED)) == 0) {
        return false;
    }
    if ((*entry & VM_ENTRY_SHARED) != 0) {
        reply->cycles += copy_page(vm, entry, size);
    }
    *entry = (*entry & ~(VM_ENTRY_KEPT | VM_ENTRY_SHARED)) | RADIX_IA32E_W;
    page_table_written(&vm->processes[process].table, fault->gva.v, level);
    reply->change = change_of_page(fault->gva.v, size);
    vm->stats.write_faults++;
    return true;
}

/* Maps a page. What processors have cached of tables that had to make room for a large one has to go. */
static bool map_missing(struct vm *vm, uint32_t process, const struct hv_fault *fault, struct vm_fault_reply *reply)
{
    struct page_table *table = &vm->processes[process].table;
    uint64_t given = table->tables_given;
    unsigned level;
    bool mapped = vm_map_guest(vm, process, fault->gva.v);
    if (table->tables_given != given && page_table_find(table, fault->gva.v, &level) != NULL) {
        reply->change = change_of_page(fault->gva.v, (enum hv_page_size)(level - 1));
    }
    return mapped;
}

/* The table decides, not the error code: another processor may have changed it since the walk. */
static bool resolve_page_fault(struct vm *vm, uint32_t process, const struct hv_fault *fault,
                               struct vm_fault_reply *reply)
{
    unsigned level;
    uint64_t *entry = page_table_find(&vm->processes[process].table, fault->gva.v, &level);
    reply->cycles = vm->config.cost.page_fault_cycles;
    if ((fault->error_code & HV_PF_RESERVED) != 0) {
        return false; /* nothing that software can mend */
    }
    if (entry == NULL) {
        return map_missing(vm, process, fault, reply);
    }
    if ((fault->error_code & HV_PF_WRITE) != 0 && (*entry & RADIX_IA32E_W) == 0) {
        return make_writable(vm, process, fault, reply);
    }
    vm->stats.spurious_faults++;
    return true;
}

static bool resolve_violation(struct vm *vm, const struct hv_fault *fault, struct vm_fault_reply *reply)
{
    unsigned level;
    if (!host_page_missing(fault) || fault->gpa.v < vm->data_start || fault->gpa.v >= vm->guest_data.end) {
        return false;
    }
    if (page_table_find(&vm->host, fault->gpa.v, &level) != NULL) {
        vm->stats.spurious_faults++;
        return true;
    }
    uint64_t given = vm->host.tables_given;
    bool mapped = vm_map_host(vm, fault->gpa.v);
    reply->change.flush = vm->host.tables_given != given ? VM_FLUSH_HOST : VM_FLUSH_NONE;
    return mapped;
}

/* A page fault is the guest's to resolve when nothing was mapped; a violation the hypervisor's likewise. */
struct vm_fault_reply vm_handle_fault(struct vm *vm, uint32_t process, const struct hv_fault *fault)
{
    struct vm_fault_reply reply = {.change = {.flush = VM_FLUSH_NONE}};
    switch ((enum hv_fault_kind)fault->kind) {
    case HV_FAULT_PAGE:
        if (vm->shadow != NULL && shadow_handle_fault(vm, process, fault, &reply)) {
            break;
        }
        reply.resolved = resolve_page_fault(vm, process, fault, &reply);
        vm->stats.page_faults += reply.resolved;
        break;
    case HV_FAULT_VIOLATION:
    case HV_FAULT_NESTED_PAGE:
        reply.exit = true;
        reply.cycles = vm->config.cost.ept_violation_cycles;
        reply.resolved = resolve_violation(vm, fault, &reply);
        vm->stats.ept_violations += reply.resolved;
        break;
    case HV_FAULT_NONE:
    case HV_FAULT_NON_CANONICAL:
    case HV_FAULT_MISCONFIG:
    case HV_FAULT_KINDS:
        break;
    }
    reply.exit_cycles = shadow_settle(vm, &reply.change);
    return reply;
}
