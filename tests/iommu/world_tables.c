/* SPDX-License-Identifier: MIT */
/* The paging tables of a world's address spaces, and how its software changes them. VT-d 9.7 and 9.8 for the formats.
 */
#include "world.h"

#include <string.h>

static uint64_t host_mask(const struct world *w)
{
    return UINT64_MAX >> (64 - w->oracle.caps.haw);
}

static unsigned levels_of(const struct world_space *s, bool first)
{
    return first ? s->first_levels : s->second_levels;
}

/* --- Addresses --------------------------------------------------------------------------------------------------- */

/*
 * An address of the few that a space maps: in four regions of 1 GiB, the last one at the top; in each, three ranges of
 * 2 MiB; in each, four pages. So they share tables, and large pages cover several.
 */
static uint64_t slot(const struct world *w, unsigned n, unsigned levels, bool first)
{
    unsigned width = 12 + 9 * levels, mgaw = oracle_mgaw(&w->oracle.caps);
    uint64_t top = UINT64_C(1) << (!first && mgaw < width ? mgaw : width);
    uint64_t regions[] = {0, HV_GIB(1), first ? top / 2 - HV_GIB(1) : top - HV_GIB(2),
                          first ? -HV_GIB(1) : top - HV_GIB(1)};
    static const uint64_t ranges[] = {0, HV_MIB(2), HV_GIB(1) - HV_MIB(2)};
    static const uint64_t pages[] = {0, HV_KIB(4), HV_KIB(16), HV_MIB(2) - HV_KIB(4)};
    return regions[n % 4] + ranges[n / 4 % 3] + pages[n / 12 % 4];
}

enum { SLOTS = 48 };

uint64_t world_slot(struct world *w, const struct world_space *s, bool first)
{
    unsigned levels = s->kind == WORLD_PASS_THROUGH ? 3 : levels_of(s, first);
    return slot(w, (unsigned)world_below(w, SLOTS), levels, first);
}

/* --- Entries ----------------------------------------------------------------------------------------------------- */

/* Where the bytes of a table are. */
static uint64_t host_of(const struct world_space *s, bool first, uint64_t at)
{
    return first && s->kind == WORLD_NESTED ? at - WORLD_GUEST_TABLES + WORLD_ARENA : at;
}

static void map_guest_table(struct world *w, struct world_space *s, uint64_t at);

static uint64_t table_for(struct world *w, struct world_space *s, bool first, unsigned level, uint64_t address)
{
    unsigned above = 12 + 9 * level;
    uint64_t prefix = level == levels_of(s, first) ? 0 : address >> above;
    for (size_t t = 0; t < s->table_count; t++) {
        const struct world_table *it = &s->tables[t];
        if (it->first == first && it->level == level && it->prefix == prefix) {
            return it->at;
        }
    }
    HV_ASSERT(s->table_count < WORLD_TABLES, "a space has few tables");
    uint64_t page = world_table_page(w);
    uint64_t at = first && s->kind == WORLD_NESTED ? page - WORLD_ARENA + WORLD_GUEST_TABLES : page;
    s->tables[s->table_count++] = (struct world_table){first, level, prefix, at};
    if (at != page) {
        map_guest_table(w, s, at);
    }
    return at;
}

/* Where the page of an entry that maps one lies: usually in no memory at all, which translation does not mind. */
static uint64_t random_page(struct world *w, const struct world_space *s, bool first, unsigned level)
{
    uint64_t size = UINT64_C(1) << (12 + 9 * (level - 1));
    if (world_chance(w, 2)) {
        return 0xfee00000 & ~(size - 1);
    }
    if (first && s->kind == WORLD_NESTED) { /* guest-physical: what the second stage maps, seldom anything */
        return (world_chance(w, 98) ? world_slot(w, s, false) : rng_next(&w->rng) & host_mask(w)) & ~(size - 1);
    }
    return ((rng_next(&w->rng) & host_mask(w)) | HV_GIB(8)) & ~(size - 1);
}

static uint64_t second_ignored(struct world *w, const struct world_space *s)
{
    uint64_t ignored = UINT64_C(0x01f0000000000478) | (s->ssade ? 0 : 0x300);
    return rng_next(&w->rng) & rng_next(&w->rng) & ignored;
}

/* Bits that are reserved in an entry, whatever the capabilities; 0: none are. */
static uint64_t reserved_bit(struct world *w, bool first, unsigned level, bool leaf)
{
    if (w->oracle.caps.haw < 52 && world_chance(w, 50)) {
        return UINT64_C(1) << (w->oracle.caps.haw + world_below(w, 52 - w->oracle.caps.haw));
    }
    if (level >= 4) {
        return 1u << 7;
    }
    if (level > 1 && leaf) {
        return UINT64_C(1) << (13 + world_below(w, 9 * (level - 1) - 1));
    }
    return first || leaf ? 0 : 1u << 11;
}

static bool large_allowed(const struct world *w, bool first, unsigned level)
{
    return (level == 2 && first) ||
           ((level == 2 || level == 3) && oracle_has(&w->oracle.caps, first ? ORACLE_FS1GP : 32 + level));
}

static uint64_t permissions(struct world *w, const struct world_space *s, bool first, bool fresh)
{
    bool narrow = world_chance(w, fresh ? 5 : 20);
    if (first) {
        uint64_t flags = world_chance(w, 50) ? 0 : 0x20 | (world_chance(w, 50) ? 0x40 : 0) | (s->eafe ? 0x400 : 0);
        uint64_t no_execute = oracle_has(&w->oracle.caps, ORACLE_ERS) && world_chance(w, 15) ? UINT64_C(1) << 63 : 0;
        return 1 | (narrow ? world_below(w, 4) << 1 : 6) | flags | no_execute |
               (rng_next(&w->rng) & UINT64_C(0x01f0000000000a00));
    }
    return (narrow ? 1 + world_below(w, 3) : 3) | second_ignored(w, s) |
           (s->ssade && world_chance(w, 50) ? 0x100 | (world_chance(w, 50) ? 0x200 : 0) : 0);
}

/* A new value for an entry. `fresh`: of a table that is being filled, where most is well. */
static uint64_t random_entry(struct world *w, struct world_space *s, bool first, unsigned level, uint64_t address,
                             bool fresh)
{
    if (world_chance(w, fresh ? 4 : 15)) { /* not present, whatever else it says */
        return rng_next(&w->rng) & ~(first ? UINT64_C(1) : UINT64_C(3));
    }
    bool leaf = level == 1 || (large_allowed(w, first, level) && world_chance(w, 20));
    uint64_t entry = permissions(w, s, first, fresh) | (leaf && level > 1 ? 1u << 7 : 0);
    if (leaf) {
        entry |= random_page(w, s, first, level);
    } else if (world_chance(w, 1)) {
        entry |= WORLD_BYTES + (world_below(w, 16) << 12); /* where no memory is */
    } else {
        entry |= table_for(w, s, first, level - 1, address);
    }
    return entry | (world_chance(w, fresh ? 1 : 4) ? reserved_bit(w, first, level, leaf) : 0);
}

static uint64_t entry_address(struct world *w, struct world_space *s, bool first, unsigned level, uint64_t address)
{
    uint64_t at = table_for(w, s, first, level, address) + 8 * (address >> (12 + 9 * (level - 1)) & 511);
    return host_of(s, first, at);
}

/* The second stage's way to a page of first-stage tables: it begins without mistakes. */
static void map_guest_table(struct world *w, struct world_space *s, uint64_t at)
{
    for (unsigned level = s->second_levels; level > 0; level--) {
        uint64_t where = entry_address(w, s, false, level, at);
        uint64_t target = level == 1 ? host_of(s, true, at) : table_for(w, s, false, level - 1, at);
        uint64_t entry = target | 3;
        world_put(w, where, &entry, 1);
    }
    if (w->running) {
        world_invalidate(
            w, &(struct oracle_invalidation){.what = ORACLE_IOTLB, .scope = ORACLE_DOMAIN, .domain = s->domain});
    }
}

static void fill(struct world *w, struct world_space *s, bool first)
{
    for (unsigned n = 0; n < SLOTS; n++) {
        uint64_t address = slot(w, n, levels_of(s, first), first);
        for (unsigned level = levels_of(s, first); level > 0; level--) {
            uint64_t where = entry_address(w, s, first, level, address);
            if (world_get(w, where) == 0) {
                uint64_t entry = random_entry(w, s, first, level, address, true);
                world_put(w, where, &entry, 1);
            }
        }
    }
}

void world_fill_space(struct world *w, struct world_space *s)
{
    if (s->kind == WORLD_SECOND || s->kind == WORLD_NESTED) {
        fill(w, s, false);
    }
    if (s->kind == WORLD_FIRST || s->kind == WORLD_NESTED) {
        fill(w, s, true);
    }
}

/* --- Changes ----------------------------------------------------------------------------------------------------- */

/* The command that covers the change of one entry; or one that covers more. */
static void invalidate_entry(struct world *w, const struct world_space *s, bool first, unsigned level, uint64_t address)
{
    struct oracle_invalidation i = {.scope = ORACLE_PAGES, .domain = s->domain, .pasid = s->pasid};
    i.what = first ? ORACLE_PIOTLB : ORACLE_IOTLB;
    i.mask_log2 = 9 * (level - 1);
    i.hint = level == 1 && world_chance(w, 50);
    i.address = address & ~((UINT64_C(1) << (12 + i.mask_log2)) - 1);
    unsigned limit = first ? 52 : (unsigned)(w->oracle.caps.cap >> 48 & 63); /* MAMV */
    bool by_pages = oracle_has(&w->oracle.caps, ORACLE_PSI) && i.mask_log2 <= limit && level <= 3 &&
                    (first || s->kind != WORLD_NESTED);
    if (!by_pages || world_chance(w, 20)) {
        i.scope = first ? ORACLE_OF_PASID : ORACLE_DOMAIN;
    }
    if (world_chance(w, 10)) {
        i.what = ORACLE_IOTLB;
        i.scope = world_chance(w, 70) ? ORACLE_DOMAIN : ORACLE_ALL;
    }
    world_invalidate(w, &i);
}

void world_change_page(struct world *w)
{
    struct world_space *s = &w->spaces[world_below(w, WORLD_SPACES)];
    if (s->kind == WORLD_PASS_THROUGH) {
        return;
    }
    bool first = s->kind == WORLD_FIRST || (s->kind == WORLD_NESTED && world_chance(w, 50));
    uint64_t address = world_slot(w, s, first);
    unsigned level = 1 + (unsigned)(world_chance(w, 60) ? 0 : world_below(w, levels_of(s, first)));
    bool guest_table = !first && s->kind == WORLD_NESTED && world_chance(w, 20);
    if (guest_table) {
        address = s->tables[world_below(w, s->table_count)].at;
        guest_table = address >= WORLD_GUEST_TABLES && address < WORLD_GUEST_TABLES + WORLD_ARENA_BYTES;
        level = 1;
    }
    uint64_t where = entry_address(w, s, first, level, address), old = world_get(w, where);
    uint64_t entry = random_entry(w, s, first, level, address, world_chance(w, 50));
    if (guest_table && world_chance(w, 80)) {
        entry = host_of(s, true, address) | (world_chance(w, 80) ? 3 : 1);
    }
    bool probe = !guest_table && (first || s->kind != WORLD_NESTED);
    for (unsigned n = 0; n < 2 && probe; n++) {
        world_probe_space(w, s, address);
    }
    world_put(w, where, &entry, 1);
    /* What was not present was not cached. */
    if ((old & (first ? 1 : 3)) != 0 || w->caching_mode || world_chance(w, 30)) {
        invalidate_entry(w, s, first, level, address);
    }
    for (unsigned n = 0; n < 2 && probe; n++) {
        world_probe_space(w, s, address);
    }
}
