/* SPDX-License-Identifier: MIT */
/*
 * Agile paging (Gandhi, Hill, Swift: "Agile Paging", ISCA 2016): the guest tables that are written often are left to
 * nested walks, all others are shadowed.
 *
 * The paper's policy: a guest table that is written twice within an interval becomes nested, with all tables below it;
 * at the end of each interval those that were not written are shadowed again. A hypervisor would look at the dirty
 * flags of the host pages behind nested tables for that. MODEL: here it knows each write, since with the flags of EPT
 * a walk that only reads a guest table makes its page dirty (SDM Vol. 3C 29.3.5). MODEL: the root is shadowed, unless
 * vmm.agile.nested_levels says otherwise. MODEL: accessed and dirty flags of what is shadowed cost exits, and so does
 * MOV to CR3, without the help that the paper's hardware gives with both; agile paging is worth less for it.
 */
#include "vmm/shadow.h"

const char *const vm_nested_levels_names[] = {"auto", "0", "1", "2", "3", "4", "5", "full", NULL};

enum { NESTED_LEVELS_AUTO, NESTED_LEVELS_0, NESTED_LEVELS_FULL = NESTED_LEVELS_0 + RADIX_MAX_LEVELS + 1 };

/* How many of the lowest guest levels are nested by the parameter. */
static unsigned nested_levels(const struct vm *vm)
{
    unsigned chosen = vm->config.agile.nested_levels, levels = (unsigned)vm->config.guest.levels;
    unsigned count = chosen == NESTED_LEVELS_AUTO ? 0 : chosen - NESTED_LEVELS_0;
    return count < levels ? count : levels;
}

unsigned agile_fixed_level(const struct vm *vm)
{
    return vm->agile && nested_levels(vm) > 0 ? nested_levels(vm) + 1 : 0;
}

bool agile_root_switched(const struct vm *vm)
{
    return vm->agile && nested_levels(vm) == vm->config.guest.levels;
}

bool agile_is_full(const struct vm *vm)
{
    return vm->config.agile.nested_levels == NESTED_LEVELS_FULL;
}

uint64_t agile_switch_to(const struct vm *vm, uint64_t gpa)
{
    return (gpa + vm->table_backing) | RADIX_SWITCH | RADIX_IA32E_P | RADIX_IA32E_W | RADIX_IA32E_U |
           RADIX_IA32E_ACCESSED;
}

static bool is_auto(const struct vm *vm)
{
    return vm->agile && vm->shadow != NULL && vm->config.agile.nested_levels == NESTED_LEVELS_AUTO;
}

/* The number of a guest table is that of its guest-physical page. */
static void make_nested(struct vm *vm, uint32_t number)
{
    struct shadow *s = vm->shadow;
    struct shadow_guest_table *table = &s->guest[number];
    uint64_t *entry = shadow_entry(vm, table->process, table->start, table->level + 1u);
    HV_ASSERT(entry != NULL, "a protected table has a shadow above it");
    (void)shadow_drop(vm, table->process, table->start, table->level + 1u);
    *entry = agile_switch_to(vm, (uint64_t)number * HV_PAGE_BYTES);
    table->state = SHADOW_NESTED;
    shadow_list_add(s, &s->nested, number);
    s->flush = true;
    s->owed += vm->config.cost.agile_switch_cycles;
    vm->stats.agile_to_nested++;
}

bool agile_note_write(struct vm *vm, uint32_t number)
{
    struct shadow_guest_table *table = &vm->shadow->guest[number];
    if (!is_auto(vm) || table->level == vm->config.guest.levels) {
        return false;
    }
    table->writes = table->interval == vm->shadow->interval ? table->writes + 1 : 1;
    table->interval = vm->shadow->interval;
    if (table->writes < vm->config.agile.write_threshold) {
        return false;
    }
    make_nested(vm, number);
    return true;
}

static void make_shadowed(struct vm *vm, uint32_t number)
{
    struct shadow *s = vm->shadow;
    struct shadow_guest_table table = s->guest[number];
    (void)shadow_drop(vm, table.process, table.start, table.level + 1u);
    uint64_t built = shadow_build(vm, table.process, (uint64_t)number * HV_PAGE_BYTES, table.level, table.start);
    s->flush = true;
    s->owed += built * vm->config.cost.shadow_resync_cycles;
    vm->stats.agile_to_shadow++;
}

uint64_t vm_scan_interval(const struct vm *vm)
{
    return is_auto(vm) ? vm->config.agile.interval : UINT64_MAX;
}

struct vm_change vm_scan(struct vm *vm)
{
    struct shadow *s = vm->shadow;
    struct vm_change change = {.flush = VM_FLUSH_NONE};
    size_t kept = 0;
    s->interval++;
    s->owed += shadow_exit(vm, SHADOW_EXIT_SCAN);
    for (size_t i = 0; i < s->nested.count; i++) {
        uint32_t number = s->nested.items[i];
        struct shadow_guest_table *table = &s->guest[number];
        if (table->state == SHADOW_NESTED && table->written) {
            s->nested.items[kept++] = number;
            table->written = false;
            continue;
        }
        table->listed = false;
        if (table->state == SHADOW_NESTED) {
            make_shadowed(vm, number);
        }
    }
    s->nested.count = kept;
    change.host_cycles = shadow_settle(vm, &change);
    return change;
}
