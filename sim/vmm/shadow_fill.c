/* SPDX-License-Identifier: MIT */
/* Filling the shadow in: a page, everything below a guest table, and what the hypervisor has changed in its own. */
#include "vmm/shadow.h"

/* --- one page ---------------------------------------------------------------------------------------------------- */

/* The shadow has tables for an address down to a level: the guest's of these levels are protected from now on. */
static void protect_path(struct vm *vm, uint32_t process, uint64_t gva, const struct shadow_path *path,
                         unsigned level)
{
    struct shadow *s = vm->shadow;
    uint64_t table = s->tables[process].root;
    for (unsigned l = s->tables[process].levels; l >= level && l >= path->level; l--) {
        uint32_t *mirrored = &s->mirrored[(table - s->start) / HV_PAGE_BYTES];
        if (*mirrored == 0) {
            struct shadow_guest_table *guest = shadow_guest_table(vm, path->table[l]);
            *guest = (struct shadow_guest_table){
                .state = SHADOW_PROTECTED, .level = (uint8_t)l, .process = process, .listed = guest->listed,
                .start = gva & ~shadow_offset_mask(l + 1),
            };
            *mirrored = (uint32_t)(guest - s->guest) + 1;
        }
        table = shadow_entries(vm, table)[shadow_index(gva, l)] & RADIX_ADDRESS_MASK;
    }
}

/* Puts an entry into the shadow, with the tables above it. */
static void put(struct vm *vm, uint32_t process, uint64_t gva, unsigned level, uint64_t value)
{
    uint64_t *entry = page_table_entry(&vm->shadow->tables[process], gva, level);
    HV_ASSERT(entry != NULL, "no room in the shadow for %#llx at level %u", (unsigned long long)gva, level);
    (void)shadow_drop(vm, process, gva, level);
    *entry = value;
}

/* The bits of the shadow's entry for a page; 0: it may not have one yet. */
static uint64_t leaf_bits(const struct vm *vm, const struct shadow_path *path, uint64_t host_entry)
{
    const uint64_t flags = vm->config.paging.accessed_dirty ? RADIX_IA32E_ACCESSED | RADIX_IA32E_DIRTY : 0;
    uint64_t entry = *path->entry[path->level];
    if ((flags & RADIX_IA32E_ACCESSED & ~entry) != 0) {
        return 0;
    }
    uint64_t bits = RADIX_IA32E_P | RADIX_IA32E_ACCESSED | path->rights;
    if ((flags & RADIX_IA32E_DIRTY & ~entry) != 0 || (host_entry & RADIX_EPT_W) == 0) {
        return bits & ~(uint64_t)RADIX_IA32E_W;
    }
    return bits | RADIX_IA32E_DIRTY;
}

_Static_assert((int)RADIX_EPT_W == (int)RADIX_IA32E_W, "EPT and NPT have the same bit for writable");

/* The guest-physical address that the guest's tables give. */
static uint64_t output_of(const struct shadow_path *path, uint64_t gva)
{
    uint64_t offset = shadow_offset_mask(path->level);
    return (*path->entry[path->level] & RADIX_ADDRESS_MASK & ~offset) | (gva & offset);
}

/* Remembers where the shadow has the guest's page. */
static void note_owner(struct vm *vm, uint32_t process, uint64_t gva, const struct shadow_path *path)
{
    uint64_t offset = shadow_offset_mask(path->level);
    uint64_t frame = output_of(path, gva & ~offset);
    vm->shadow->owners[(frame - vm->data_start) / HV_PAGE_BYTES] =
        (struct shadow_owner){gva & ~offset, process, path->level};
}

static bool fill_page(struct vm *vm, uint32_t process, uint64_t gva, const struct shadow_path *path)
{
    uint64_t gpa = output_of(path, gva);
    unsigned host_level;
    const uint64_t *host = page_table_find(&vm->host, gpa, &host_level);
    uint64_t bits = host != NULL ? leaf_bits(vm, path, *host) : 0;
    if (bits == 0) {
        return false;
    }
    unsigned level = path->level < host_level ? path->level : host_level;
    uint64_t host_offset = shadow_offset_mask(host_level);
    uint64_t hpa = (*host & RADIX_ADDRESS_MASK & ~host_offset) | (gpa & host_offset);
    uint64_t frame = hpa & ~shadow_offset_mask(level);
    put(vm, process, gva, level, frame | bits | (level > 1 ? RADIX_LARGE : 0));
    protect_path(vm, process, gva, path, level);
    note_owner(vm, process, gva, path);
    return true;
}

bool shadow_fill(struct vm *vm, uint32_t process, uint64_t gva)
{
    struct shadow_path path = shadow_guest_path(vm, process, gva);
    unsigned fixed = agile_fixed_level(vm);
    if (path.level >= fixed) {
        return path.mapped && fill_page(vm, process, gva, &path);
    }
    put(vm, process, gva, fixed, agile_switch_to(vm, path.table[fixed - 1]));
    protect_path(vm, process, gva, &path, fixed);
    shadow_guest_table(vm, path.table[fixed - 1])->state = SHADOW_NESTED;
    return true;
}

/* --- building ---------------------------------------------------------------------------------------------------- */

/* Fills in a page of the guest's, in as many pieces as the host has. */
static void fill_pieces(struct vm *vm, uint32_t process, uint64_t gva, unsigned level, uint64_t gpa)
{
    uint64_t end = UINT64_C(1) << radix_shift(level);
    for (uint64_t at = 0; at < end;) {
        unsigned host_level;
        (void)page_table_find(&vm->host, gpa + at, &host_level);
        shadow_fill(vm, process, gva + at);
        at += UINT64_C(1) << radix_shift(host_level < level ? host_level : level);
    }
}

/* The first address of an entry in a table for addresses from gva on; the upper half of a root is the space's. */
static uint64_t address_of(const struct page_table *t, uint64_t gva, unsigned level, unsigned index)
{
    uint64_t half = UINT64_C(1) << (radix_shift(level + 1) - 1);
    bool upper = level == t->levels && index >= SHADOW_TABLE_ENTRIES / 2;
    return (gva + ((uint64_t)index << radix_shift(level))) | (upper ? -half : 0);
}

uint64_t shadow_build(struct vm *vm, uint32_t process, uint64_t table, unsigned level, uint64_t gva)
{
    const struct page_table *t = &vm->processes[process].table;
    const uint64_t *entries = shadow_entries(vm, table + t->host_offset);
    unsigned fixed = agile_fixed_level(vm);
    uint64_t built = 1;
    for (unsigned i = 0; i < SHADOW_TABLE_ENTRIES; i++) {
        uint64_t at = address_of(t, gva, level, i), below = entries[i] & RADIX_ADDRESS_MASK;
        if (entries[i] == 0) {
            continue;
        }
        if (shadow_is_leaf(entries[i], level)) {
            fill_pieces(vm, process, at, level, below & ~shadow_offset_mask(level));
        } else if (level == fixed) {
            shadow_fill(vm, process, at);
        } else {
            built += shadow_build(vm, process, below, level - 1, at);
        }
    }
    return built;
}

/* --- the host's side --------------------------------------------------------------------------------------------- */

/*
 * Brings in line what the shadow has of the guest's page that begins at a gPA, as far as it lies in the host's page at
 * `gpa`. It may have the page no more, and then something else of the process is made anew in vain.
 */
static uint64_t follow_page(struct vm *vm, uint64_t start, uint64_t gpa, enum hv_page_size size)
{
    const struct shadow_owner *owner = &vm->shadow->owners[(start - vm->data_start) / HV_PAGE_BYTES];
    uint64_t inside = gpa > start ? gpa - start : 0;
    if (owner->level == 0 || inside >> radix_shift(owner->level) != 0) {
        return 0;
    }
    unsigned level = owner->level < size + 1u ? owner->level : size + 1u;
    uint32_t process = owner->process;
    uint64_t gva = owner->gva + inside;
    if (!shadow_drop(vm, process, gva, level)) {
        return 0;
    }
    shadow_fill(vm, process, gva);
    return 1;
}

uint64_t shadow_host_changed(struct vm *vm, uint64_t gpa, enum hv_page_size size)
{
    uint64_t end = gpa + hv_page_bytes(size), entries = 0;
    if (vm->shadow == NULL) {
        return 0;
    }
    for (uint64_t start = gpa; start < end; start += HV_PAGE_BYTES) {
        entries += follow_page(vm, start, gpa, size);
    }
    for (enum hv_page_size larger = size + 1; larger < HV_PAGE_SIZES; larger++) { /* it is a part of such a page */
        uint64_t start = gpa & ~(hv_page_bytes(larger) - 1);
        entries += start != gpa ? follow_page(vm, start, gpa, size) : 0;
    }
    return entries;
}
