/* SPDX-License-Identifier: MIT */
/* The tables of the shadow: what they mirror, and emptying them. */
#include "vmm/shadow.h"

#include <stdlib.h>

#include "base/bigmem.h"

/* --- the guest's side -------------------------------------------------------------------------------------------- */

struct shadow_guest_table *shadow_guest_table(struct vm *vm, uint64_t gpa)
{
    return &vm->shadow->guest[gpa / HV_PAGE_BYTES];
}

struct shadow_path shadow_guest_path(struct vm *vm, uint32_t process, uint64_t gva)
{
    const struct page_table *t = &vm->processes[process].table;
    struct shadow_path path = {.rights = RADIX_IA32E_W | RADIX_IA32E_U};
    uint64_t table = t->root;
    for (unsigned level = t->levels;; level--) {
        uint64_t *entry = &shadow_entries(vm, table + t->host_offset)[shadow_index(gva, level)];
        path.level = level;
        path.table[level] = table;
        path.entry[level] = entry;
        if (*entry == 0) {
            return path;
        }
        path.rights = (path.rights & (*entry | RADIX_XD)) | (*entry & RADIX_XD);
        if (shadow_is_leaf(*entry, level)) {
            path.mapped = true;
            return path;
        }
        table = *entry & RADIX_ADDRESS_MASK;
    }
}

void shadow_list_add(struct shadow *s, struct shadow_list *list, uint32_t number)
{
    if (s->guest[number].listed) {
        return;
    }
    s->guest[number].listed = true;
    if (list->count == list->capacity) {
        list->capacity = 2 * list->capacity + 16;
        list->items = realloc(list->items, list->capacity * sizeof(*list->items));
        HV_ASSERT(list->items != NULL, "out of memory");
    }
    list->items[list->count++] = number;
}

/* --- emptying ---------------------------------------------------------------------------------------------------- */

uint64_t *shadow_entry(struct vm *vm, uint32_t process, uint64_t gva, unsigned level)
{
    const struct page_table *t = &vm->shadow->tables[process];
    uint64_t *table = shadow_entries(vm, t->root);
    for (unsigned l = t->levels; l > level; l--) {
        uint64_t entry = table[shadow_index(gva, l)];
        if (entry == 0 || shadow_is_leaf(entry, l) || (entry & RADIX_SWITCH) != 0) {
            return NULL;
        }
        table = shadow_entries(vm, entry & RADIX_ADDRESS_MASK);
    }
    return &table[shadow_index(gva, level)];
}

/* Empties an entry at a level and gives the tables below back; the guest tables they mirror are protected no more. */
static void drop_entry(struct vm *vm, struct page_table *t, uint64_t *entry, unsigned level)
{
    struct shadow *s = vm->shadow;
    uint64_t below = *entry & RADIX_ADDRESS_MASK;
    if ((*entry & RADIX_SWITCH) != 0) {
        shadow_guest_table(vm, below - vm->table_backing)->state = SHADOW_NONE;
    } else if (!shadow_is_leaf(*entry, level)) {
        uint64_t *entries = shadow_entries(vm, below);
        for (unsigned i = 0; i < SHADOW_TABLE_ENTRIES; i++) {
            if (entries[i] != 0) {
                drop_entry(vm, t, &entries[i], level - 1);
            }
        }
        uint32_t *mirrored = &s->mirrored[(below - s->start) / HV_PAGE_BYTES];
        if (*mirrored != 0) {
            s->guest[*mirrored - 1].state = SHADOW_NONE;
            *mirrored = 0;
        }
        frames_give(t->arena, below, HV_PAGE_4K);
        t->tables_given++;
    }
    *entry = 0;
}

bool shadow_drop(struct vm *vm, uint32_t process, uint64_t gva, unsigned level)
{
    uint64_t *entry = shadow_entry(vm, process, gva, level);
    if (entry == NULL || *entry == 0) {
        return false;
    }
    drop_entry(vm, &vm->shadow->tables[process], entry, level);
    return true;
}

/* --- beginning and end ------------------------------------------------------------------------------------------- */

static void take_memory(struct vm *vm)
{
    struct shadow *s = vm->shadow;
    uint64_t shadow_pages = (vm->shadow_tables.end - vm->shadow_tables.next) / HV_PAGE_BYTES;
    uint64_t data_pages = (vm->guest_data.end - vm->data_start) / HV_PAGE_BYTES;
    s->start = vm->shadow_tables.next;
    s->tables = calloc(vm->config.processes, sizeof(*s->tables));
    s->mirrored = calloc(shadow_pages, sizeof(*s->mirrored));
    s->guest = calloc(vm->guest_tables.end / HV_PAGE_BYTES, sizeof(*s->guest));
    s->owners = bigmem_take(data_pages, sizeof(*s->owners));
    HV_ASSERT(s->tables != NULL && s->mirrored != NULL && s->guest != NULL && s->owners != NULL, "out of memory");
}

void shadow_begin(struct vm *vm)
{
    vm->shadow = calloc(1, sizeof(*vm->shadow));
    HV_ASSERT(vm->shadow != NULL, "out of memory");
    take_memory(vm);
    for (uint32_t i = 0; i < vm->config.processes; i++) {
        struct page_table *t = &vm->shadow->tables[i];
        *t = (struct page_table){
            .memory = vm->host.memory, .arena = &vm->shadow_tables, .levels = (unsigned)vm->config.guest.levels,
            .table_bits = RADIX_IA32E_P | RADIX_IA32E_W | RADIX_IA32E_U | RADIX_IA32E_ACCESSED,
        };
        bool ok = page_table_init(t);
        HV_ASSERT(ok, "the layout has room for every root");
        if (vm->config.paging.prefault) {
            shadow_build(vm, i, vm->processes[i].table.root, t->levels, 0);
        }
    }
}

void shadow_end(struct vm *vm)
{
    struct shadow *s = vm->shadow;
    if (s != NULL) {
        free(s->tables);
        free(s->mirrored);
        free(s->guest);
        free(s->owners);
        free(s->unsync.items);
        free(s->nested.items);
        free(s);
        vm->shadow = NULL;
    }
}
