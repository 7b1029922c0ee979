/* SPDX-License-Identifier: MIT */
/* What a hypervisor with shadow tables does at VM exits, and what each costs. */
#include "vmm/shadow.h"

#include "cpu/vmx/vmx.h"

/*
 * Each kind of exit: its counter, its cost, and the VM exit that it is. Page faults are what a hypervisor with shadow tables
 * intercepts by the exception bitmap; stores to write-protected tables are such faults. Scans are made on a timer.
 */
static const struct exit_row {
    size_t count, cycles;
    unsigned reason;
} exit_rows[SHADOW_EXITS] = {
#define EXIT(counter, cost, reason) \
    {offsetof(struct vm_stats, counter), offsetof(struct vmm_cost_params, cost), VMX_EXIT_##reason}
    [SHADOW_EXIT_WRITE] = EXIT(shadow_writes, shadow_write_cycles, exception_or_nmi),
    [SHADOW_EXIT_FAULT] = EXIT(shadow_faults, shadow_fault_cycles, exception_or_nmi),
    [SHADOW_EXIT_REFLECT] = EXIT(shadow_reflected, shadow_reflect_cycles, exception_or_nmi),
    [SHADOW_EXIT_INVLPG] = EXIT(shadow_invlpgs, shadow_invlpg_cycles, invlpg),
    [SHADOW_EXIT_CR3] = EXIT(shadow_cr3_loads, shadow_cr3_cycles, cr_access),
    [SHADOW_EXIT_SCAN] = EXIT(agile_scans, agile_scan_cycles, preemption_timer),
#undef EXIT
};

static hv_cycles cost_of(const struct vm *vm, enum shadow_exit why)
{
    return *(const param_count_t *)((const char *)&vm->config.cost + exit_rows[why].cycles);
}

hv_cycles shadow_exit(struct vm *vm, enum shadow_exit why)
{
    const struct exit_row *row = &exit_rows[why];
    vm->stats.shadow_exits++;
    ++*(uint64_t *)((char *)&vm->stats + row->count);
    vm->exits_due[why]++;
    return cost_of(vm, why);
}

bool vm_next_exit(struct vm *vm, unsigned *reason, hv_cycles *cycles)
{
    for (enum shadow_exit why = 0; why < SHADOW_EXITS; why++) {
        if (vm->exits_due[why] > 0) {
            vm->exits_due[why]--;
            *reason = exit_rows[why].reason;
            *cycles = cost_of(vm, why);
            return true;
        }
    }
    return false;
}

hv_cycles shadow_settle(struct vm *vm, struct vm_change *change)
{
    struct shadow *s = vm->shadow;
    if (s == NULL) {
        return 0;
    }
    hv_cycles owed = s->owed;
    change->host_too = s->flush;
    s->owed = 0;
    s->flush = false;
    return owed;
}

/* --- the guest's writes to its tables ---------------------------------------------------------------------------- */

/*
 * Makes the shadow's entry anew from the guest's, at once if one entry is all it takes, else at the next use. Where
 * the shadow had a table in its place, the pieces of a large page, the guest's INVLPG would invalidate one piece only.
 */
static void follow_entry(struct vm *vm, uint32_t process, uint64_t gva, unsigned level)
{
    const uint64_t *given = &vm->shadow->tables[process].tables_given, before = *given;
    (void)shadow_drop(vm, process, gva, level);
    vm->shadow->flush |= *given != before;
    struct shadow_path path = shadow_guest_path(vm, process, gva);
    uint64_t offset = shadow_offset_mask(path.level);
    unsigned host_level;
    if (path.mapped && path.level == level &&
        page_table_find(&vm->host, *path.entry[level] & RADIX_ADDRESS_MASK & ~offset, &host_level) != NULL &&
        host_level >= level) {
        (void)shadow_fill(vm, process, gva);
    }
}

void shadow_entry_written(void *ctx, uint32_t process, uint64_t gva, unsigned level)
{
    struct vm *vm = ctx;
    struct shadow *s = vm->shadow;
    if (s == NULL) {
        return; /* the tables are being made, before there is a shadow */
    }
    struct shadow_path path = shadow_guest_path(vm, process, gva);
    struct shadow_guest_table *table = shadow_guest_table(vm, path.table[level]);
    uint32_t number = (uint32_t)(table - s->guest);
    table->written = true;
    if (table->state != SHADOW_PROTECTED) {
        return;
    }
    s->owed += shadow_exit(vm, SHADOW_EXIT_WRITE);
    if (vm->agile && agile_note_write(vm, number)) {
        return;
    }
    if (level == 1 && !vm->agile && vm->config.shadow.unsync) {
        table->state = SHADOW_UNSYNC;
        shadow_list_add(s, &s->unsync, number);
        return;
    }
    follow_entry(vm, process, gva, level);
}

/* --- page faults ------------------------------------------------------------------------------------------------- */

/* Whether the shadow leads to a guest table before it leads to the address: then the processor walks that itself. */
static bool is_nested(struct vm *vm, uint32_t process, uint64_t gva)
{
    for (unsigned level = vm->shadow->tables[process].levels; level > 1; level--) {
        const uint64_t *entry = shadow_entry(vm, process, gva, level);
        if (entry == NULL || (*entry & RADIX_SWITCH) != 0) {
            return entry != NULL;
        }
    }
    return false;
}

/* Sets the flags that the processor would have set in the guest's tables, had it walked them. */
static void set_flags(struct vm *vm, const struct shadow_path *path, unsigned levels, bool store)
{
    if (!vm->config.paging.accessed_dirty) {
        return;
    }
    for (unsigned level = path->level; level <= levels; level++) {
        *path->entry[level] |= RADIX_IA32E_ACCESSED;
    }
    uint64_t *leaf = path->entry[path->level];
    if (store && (*leaf & RADIX_IA32E_DIRTY) == 0) {
        *leaf |= RADIX_IA32E_DIRTY;
        vm->stats.shadow_first_stores++;
    }
}

/* Whether the host page behind an address is there, or now is. */
static bool back(struct vm *vm, uint64_t gpa, struct vm_fault_reply *reply)
{
    unsigned level;
    uint64_t given = vm->host.tables_given;
    if (page_table_find(&vm->host, gpa, &level) != NULL) {
        return true;
    }
    bool mapped = vm_map_host(vm, gpa);
    reply->change.flush = vm->host.tables_given != given ? VM_FLUSH_HOST : reply->change.flush;
    return mapped;
}

bool shadow_handle_fault(struct vm *vm, uint32_t process, const struct hv_fault *fault, struct vm_fault_reply *reply)
{
    struct shadow *s = vm->shadow;
    uint64_t gva = fault->gva.v;
    bool store = (fault->error_code & HV_PF_WRITE) != 0;
    if ((fault->error_code & HV_PF_RESERVED) != 0 || is_nested(vm, process, gva)) {
        return false;
    }
    struct shadow_path path = shadow_guest_path(vm, process, gva);
    if (!path.mapped || (store && (path.rights & RADIX_IA32E_W) == 0)) {
        s->owed += shadow_exit(vm, SHADOW_EXIT_REFLECT);
        return false;
    }
    uint64_t offset = shadow_offset_mask(path.level);
    uint64_t gpa = (*path.entry[path.level] & RADIX_ADDRESS_MASK & ~offset) | (gva & offset);
    uint64_t given = s->tables[process].tables_given;
    reply->exit = true;
    reply->cycles = shadow_exit(vm, SHADOW_EXIT_FAULT);
    set_flags(vm, &path, s->tables[process].levels, store);
    reply->resolved = back(vm, gpa, reply) && shadow_fill(vm, process, gva);
    if (s->tables[process].tables_given != given) { /* pieces of a page have made room for it */
        reply->change.flush = VM_FLUSH_HOST;
    }
    return true;
}

/* --- the guest's flushes ----------------------------------------------------------------------------------------- */

/* Brings the shadow in line with a guest table: its entries for what the guest has changed since. */
static void resync(struct vm *vm, struct shadow_guest_table *table)
{
    uint64_t *entry = shadow_entry(vm, table->process, table->start, table->level);
    uint32_t process = table->process;
    uint64_t start = table->start;
    HV_ASSERT(entry != NULL, "the shadow mirrors the table");
    table->state = SHADOW_PROTECTED;
    vm->stats.shadow_resyncs++;
    for (uint64_t i = 0; i < SHADOW_TABLE_ENTRIES; i++) {
        if (entry[i] != 0) {
            follow_entry(vm, process, start + i * HV_PAGE_BYTES, 1);
        }
    }
}

hv_cycles vm_mov_cr3(struct vm *vm, uint32_t process)
{
    hv_cycles cycles = 0;
    if (vm->shadow == NULL && !vm->agile) {
        return 0;
    }
    cycles += shadow_exit(vm, SHADOW_EXIT_CR3);
    if (vm->shadow == NULL) {
        return cycles;
    }
    struct shadow_list *unsync = &vm->shadow->unsync;
    size_t kept = 0;
    for (size_t i = 0; i < unsync->count; i++) {
        struct shadow_guest_table *table = &vm->shadow->guest[unsync->items[i]];
        if (table->state == SHADOW_UNSYNC && table->process != process) {
            unsync->items[kept++] = unsync->items[i];
            continue;
        }
        table->listed = false;
        if (table->state == SHADOW_UNSYNC) {
            resync(vm, table);
            cycles += vm->config.cost.shadow_resync_cycles;
        }
    }
    unsync->count = kept;
    return cycles;
}

hv_cycles vm_invlpg(struct vm *vm, uint32_t process, uint64_t start, uint64_t pages)
{
    hv_cycles cycles = 0;
    if (vm->shadow == NULL || vm->agile || !vm->config.shadow.unsync) {
        return 0; /* every write has been followed already, and INVLPG need not exit */
    }
    for (uint64_t i = 0; i < pages; i++) {
        uint64_t gva = start + i * HV_PAGE_BYTES;
        struct shadow_path path = shadow_guest_path(vm, process, gva);
        cycles += shadow_exit(vm, SHADOW_EXIT_INVLPG);
        if (path.level == 1 && shadow_guest_table(vm, path.table[1])->state == SHADOW_UNSYNC) {
            follow_entry(vm, process, gva, 1);
        }
    }
    return cycles;
}
