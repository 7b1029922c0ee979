/* SPDX-License-Identifier: MIT */
/* Root, context, PASID-directory and PASID-table entries of a world, and how its software changes them. VT-d 9.1
 * to 9.6. */
#include "world.h"

static uint64_t context_address(const struct world *w, uint16_t source)
{
    uint64_t table = w->context[source >> 8][w->options.scalable ? source >> 7 & 1 : 0];
    return table + (w->options.scalable ? 32 * (uint64_t)(source & 127) : 16 * (uint64_t)(source & 255));
}

static uint64_t root_of(const struct world_space *s, bool first)
{
    for (size_t t = 0; t < s->table_count; t++) {
        if (s->tables[t].first == first && s->tables[t].level == (first ? s->first_levels : s->second_levels)) {
            return s->tables[t].at;
        }
    }
    return 0;
}

static unsigned widest(const struct world *w)
{
    unsigned levels = 5;
    while (levels > 3 && !oracle_has_levels(&w->oracle.caps, levels)) {
        levels--;
    }
    return levels - 2;
}

static void legacy_context(struct world *w, unsigned source)
{
    uint64_t words[2] = {0, 0};
    int n = (int)world_below(w, WORLD_SPACES);
    const struct world_space *s = &w->spaces[n];
    w->attached[source][0] = n;
    words[0] = (world_chance(w, 95) ? 1 : 0) | (world_chance(w, 15) ? 2 : 0);
    if (s->kind == WORLD_PASS_THROUGH) {
        words[0] |= 2u << 2;
        words[1] = widest(w);
    } else {
        words[0] |= root_of(s, false) | (world_chance(w, 50) ? 1u << 2 : 0);
        words[1] = s->second_levels - 2;
    }
    words[1] |= (uint64_t)s->domain << 8 | world_below(w, 16) << 3;
    if (world_chance(w, 4)) {
        static const unsigned bits[] = {4, 11, 71, 88, 127};
        unsigned bit = bits[world_below(w, HV_ARRAY_LEN(bits))];
        words[bit / 64] |= UINT64_C(1) << bit % 64;
    }
    if (world_chance(w, 2)) {
        words[0] |= 3u << 2;
    }
    if (world_chance(w, 2)) {
        words[1] |= 7;
    }
    if (s->kind != WORLD_PASS_THROUGH && world_chance(w, 2)) { /* tables where no memory is, of a domain of their own */
        words[0] = (words[0] & 0xfff) | WORLD_BYTES;
        words[1] = (words[1] & ~UINT64_C(0xffff00)) | (uint64_t)(256 + source) << 8;
    }
    world_put(w, context_address(w, world_sources[source]), words, 2);
}

static void scalable_context(struct world *w, unsigned source)
{
    uint64_t words[4] = {0, 0, 0, 0};
    bool device_tlb = world_chance(w, 50), pasids = world_chance(w, 90);
    bool translated = oracle_has(&w->oracle.caps, ORACLE_PTRS) && world_chance(w, pasids ? 70 : 2);
    words[0] = (world_chance(w, 95) ? 1 : 0) | (world_chance(w, 10) ? 2 : 0) | (device_tlb ? 4 : 0) |
               (pasids ? 8 : 0) | (world_chance(w, device_tlb ? 90 : 2) ? 16 : 0) | (translated ? 64 : 0) |
               world_below(w, 2) << 9;
    words[0] |= world_chance(w, 98) ? w->directory[source] : WORLD_BYTES;
    words[1] = world_chance(w, 97) ? world_pasids[world_below(w, WORLD_PASIDS)] : (128u << 6 << (words[0] >> 9 & 1));
    if (world_chance(w, 4)) {
        static const unsigned bits[] = {5, 8, 64 + 21 + 10, 127, 128, 255};
        unsigned bit = bits[world_below(w, HV_ARRAY_LEN(bits))];
        words[bit / 64] |= UINT64_C(1) << bit % 64;
    }
    world_put(w, context_address(w, world_sources[source]), words, 4);
}

static uint64_t pasid_entry_address(const struct world *w, unsigned source, unsigned p)
{
    return w->pasid_table[source][world_pasids[p] >> 6] + 64 * (uint64_t)(world_pasids[p] & 63);
}

/* A space that may be reached by a PASID: one with a first stage has a PASID of its own. */
static int random_space(struct world *w, unsigned p)
{
    int n;
    do {
        n = (int)world_below(w, WORLD_SPACES);
    } while (w->spaces[n].kind != WORLD_SECOND && w->spaces[n].kind != WORLD_PASS_THROUGH &&
             w->spaces[n].pasid != world_pasids[p]);
    return n;
}

/* The pointers and modes of one that is well. */
static void good_pasid_entry(struct world *w, const struct world_space *s, uint64_t words[8])
{
    static const uint64_t types[] = {
        [WORLD_FIRST] = 1, [WORLD_SECOND] = 2, [WORLD_NESTED] = 3, [WORLD_PASS_THROUGH] = 4};
    words[0] = (world_chance(w, 95) ? 1 : 0) | (world_chance(w, 10) ? 2 : 0) | types[s->kind] << 6;
    words[1] = s->domain | (world_chance(w, 95) ? 1u << 23 : 0); /* PWSNP */
    if (s->kind == WORLD_SECOND || s->kind == WORLD_NESTED) {
        words[0] |= root_of(s, false) | (uint64_t)(s->second_levels - 2) << 2 | (s->ssade ? 1u << 9 : 0);
    }
    if (s->kind != WORLD_FIRST && s->kind != WORLD_NESTED) {
        words[2] = 1;
        return;
    }
    words[2] = root_of(s, true) | (uint64_t)(s->first_levels - 4) << 2 | (world_chance(w, 80) ? 1 : 0) |
               (s->wpe ? 16 : 0) | (s->eafe ? 128 : 0);
    if (oracle_has(&w->oracle.caps, ORACLE_ERS)) {
        words[2] |= 1u << 5 | (world_chance(w, 80) ? 2 : 0); /* NXE, ERE */
    }
}

/* What may be wrong with a PASID entry. */
static void spoil_pasid_entry(struct world *w, const struct world_space *s, uint64_t words[8], unsigned number)
{
    bool first = s->kind == WORLD_FIRST || s->kind == WORLD_NESTED;
    bool second = s->kind == WORLD_SECOND || s->kind == WORLD_NESTED;
    static const unsigned bits[] = {10, 11, 64 + 16, 64 + 22, 128 + 8, 128 + 11, 192, 320, 511};
    unsigned bit = bits[world_below(w, HV_ARRAY_LEN(bits))];
    switch (world_below(w, 5)) {
    case 0: words[bit / 64] |= UINT64_C(1) << bit % 64; break;
    case 1: /* a translation type that there is not */
        words[0] = (words[0] & ~UINT64_C(0x1c0)) | (world_chance(w, 50) ? 0 : 5 + world_below(w, 3)) << 6;
        break;
    case 2: words[0] |= second ? 7u << 2 : 0; break;
    case 3: words[2] |= first ? 3u << 2 : 0; break;
    default: /* tables where no memory is; the domain's are elsewhere, so it has a number of its own */
        words[0] = second ? (words[0] & 0xfff) | WORLD_BYTES : words[0];
        words[2] = first && !second ? (words[2] & 0xfff) | WORLD_BYTES : words[2];
        words[1] = (words[1] & ~UINT64_C(0xffff)) | (256 + number);
        break;
    }
}

static void pasid_entry(struct world *w, unsigned source, unsigned p)
{
    uint64_t words[8] = {0};
    int n = random_space(w, p);
    w->attached[source][p] = n;
    good_pasid_entry(w, &w->spaces[n], words);
    if (world_chance(w, 12)) {
        spoil_pasid_entry(w, &w->spaces[n], words, 8 * source + p);
    }
    world_put(w, pasid_entry_address(w, source, p), words, 8);
}

static void directory_entry(struct world *w, unsigned source, unsigned n)
{
    uint64_t word = w->pasid_table[source][n] | (world_chance(w, 95) ? 1 : 0) | (world_chance(w, 5) ? 2 : 0);
    word |= world_chance(w, 4) ? (world_chance(w, 50) ? 4 : 1u << 11) : 0;
    word = world_chance(w, 2) ? (word & 0xfff) | WORLD_BYTES : word;
    world_put(w, w->directory[source] + 8 * (uint64_t)n, &word, 1);
}

static void root_entry(struct world *w, unsigned bus, unsigned half)
{
    uint64_t words[2] = {w->context[bus][half], 0};
    words[0] |= world_chance(w, 97) ? 1 : 0;
    words[0] |= world_chance(w, 2) ? (world_chance(w, 50) ? 2 : 1u << 11) : 0;
    words[0] = world_chance(w, 1) ? (words[0] & 0xfff) | WORLD_BYTES : words[0];
    world_put(w, w->root + 16 * (uint64_t)bus + 8 * (uint64_t)half, words, w->options.scalable ? 1 : 2);
}

/* What a change of a root, context or directory entry asks for. */
static void everything_of(struct world *w, const struct oracle_invalidation *context)
{
    static const enum oracle_what order[] = {ORACLE_PASID, ORACLE_IOTLB};
    world_invalidate(w, context);
    for (size_t i = 0; i < HV_ARRAY_LEN(order); i++) {
        if (order[i] != ORACLE_PASID || w->options.scalable) {
            world_invalidate(w, &(struct oracle_invalidation){.what = order[i], .scope = ORACLE_ALL});
        }
    }
}

/* "Guidance to Software for Invalidations": context entry, then (scalable mode) PASID cache, then IOTLB. */
static void change_context(struct world *w, unsigned source)
{
    uint16_t id = world_sources[source];
    uint64_t at = context_address(w, id), low = world_get(w, at), high = world_get(w, at + 8);
    struct oracle_invalidation i = {.what = ORACLE_CONTEXT, .scope = ORACLE_DEVICE, .source = id};
    i.domain = w->options.scalable ? 0 : (uint16_t)(high >> 8);
    i.function_mask = (unsigned)(world_chance(w, 70) ? 0 : world_below(w, 4));
    if (w->options.scalable) {
        scalable_context(w, source);
    } else {
        legacy_context(w, source);
    }
    if ((low & 1) == 0 && !w->caching_mode && world_chance(w, 70)) {
        return;
    }
    if (w->caching_mode) { /* what is cached of an entry that is not present has no domain of its own */
        i.scope = ORACLE_ALL;
    } else if (world_chance(w, 20)) {
        i.scope = w->options.scalable || world_chance(w, 50) ? ORACLE_ALL : ORACLE_DOMAIN;
    }
    if (w->options.scalable) {
        everything_of(w, &i);
        return;
    }
    world_invalidate(w, &i);
    world_invalidate(w,
                     &(struct oracle_invalidation){.what = ORACLE_IOTLB, .scope = ORACLE_DOMAIN, .domain = i.domain});
}

static void change_pasid(struct world *w, unsigned source, unsigned p)
{
    uint64_t at = pasid_entry_address(w, source, p), low = world_get(w, at), high = world_get(w, at + 8);
    struct oracle_invalidation i = {
        .what = ORACLE_PASID, .scope = ORACLE_OF_PASID, .domain = (uint16_t)high, .pasid = world_pasids[p]};
    pasid_entry(w, source, p);
    if ((low & 1) == 0 && !w->caching_mode && world_chance(w, 70)) {
        return;
    }
    if (w->caching_mode || world_chance(w, 20)) {
        i.scope = w->caching_mode || world_chance(w, 50) ? ORACLE_ALL : ORACLE_DOMAIN;
    }
    world_invalidate(w, &i);
    i.what = ORACLE_IOTLB;
    i.scope = world_chance(w, 80) ? ORACLE_DOMAIN : ORACLE_ALL;
    if ((low >> 6 & 7) == 1 && world_chance(w, 50)) {
        i.what = ORACLE_PIOTLB;
        i.scope = ORACLE_OF_PASID;
    }
    world_invalidate(w, &i);
}

void world_change_structure(struct world *w)
{
    unsigned source = (unsigned)world_below(w, WORLD_SOURCES);
    struct oracle_invalidation all = {.what = ORACLE_CONTEXT, .scope = ORACLE_ALL};
    uint64_t what = world_below(w, 100);
    unsigned p = (unsigned)world_below(w, WORLD_PASIDS);
    int before = w->attached[source][w->options.scalable ? p : 0];
    const struct world_space *old = &w->spaces[before];
    uint64_t address = world_slot(w, old, old->kind == WORLD_FIRST || old->kind == WORLD_NESTED);
    world_probe(w, source, p, address);
    if (what < 10) {
        root_entry(w, world_sources[source] >> 8, w->options.scalable ? world_sources[source] >> 7 & 1 : 0);
        everything_of(w, &all);
    } else if (what < 40 || !w->options.scalable) {
        change_context(w, source);
    } else if (what < 90) {
        change_pasid(w, source, p);
    } else {
        directory_entry(w, source, world_pasids[p] >> 6);
        everything_of(w, &all);
    }
    world_probe(w, source, p, address);
    for (unsigned n = 0; n < 2; n++) {
        int space = w->attached[source][w->options.scalable ? p : 0];
        const struct world_space *s = &w->spaces[space];
        world_probe(w, source, p, world_slot(w, s, s->kind == WORLD_FIRST || s->kind == WORLD_NESTED));
    }
}

/* --- The beginning ----------------------------------------------------------------------------------------------- */

static void build_space(struct world *w, unsigned n)
{
    struct world_space *s = &w->spaces[n];
    static const enum world_kind kinds[WORLD_SPACES] = {WORLD_FIRST,  WORLD_FIRST,  WORLD_SECOND, WORLD_SECOND,
                                                        WORLD_NESTED, WORLD_NESTED, WORLD_SECOND, WORLD_PASS_THROUGH};
    s->kind = kinds[n];
    if (!w->options.scalable && s->kind != WORLD_PASS_THROUGH) {
        s->kind = WORLD_SECOND;
    }
    /* Two first stages share a domain, and differ by their PASIDs. */
    s->domain = (uint16_t)(n < 2 && w->options.scalable ? 7 : 16 + n);
    s->pasid = world_pasids[n % 2];
    s->first_levels = 4 + (unsigned)(world_chance(w, 40) && oracle_has(&w->oracle.caps, ORACLE_FS5LP));
    do {
        s->second_levels = 3 + (unsigned)world_below(w, 3);
    } while (!oracle_has_levels(&w->oracle.caps, s->second_levels));
    s->ssade = w->options.scalable && world_chance(w, 60) && oracle_has(&w->oracle.caps, ORACLE_SSADS);
    s->eafe = world_chance(w, 30) && oracle_has(&w->oracle.caps, ORACLE_EAFS);
    s->wpe = world_chance(w, 50);
    world_fill_space(w, s);
}

static void build_source(struct world *w, unsigned source)
{
    uint16_t id = world_sources[source];
    unsigned half = w->options.scalable ? id >> 7 & 1 : 0;
    if (w->context[id >> 8][half] == 0) {
        w->context[id >> 8][half] = world_table_page(w);
        root_entry(w, id >> 8, half);
    }
    if (w->options.scalable) {
        w->directory[source] = world_table_page(w);
        for (unsigned n = 0; n < 3; n++) {
            w->pasid_table[source][n] = world_table_page(w);
            directory_entry(w, source, n);
        }
        for (unsigned p = 0; p < WORLD_PASIDS; p++) {
            pasid_entry(w, source, p);
        }
        scalable_context(w, source);
    } else {
        legacy_context(w, source);
    }
}

/* A root table with the same context tables, more or less. */
void world_new_root(struct world *w)
{
    bool lazy = w->options.lazy; /* nothing of it is cached */
    w->options.lazy = false;
    w->root = world_table_page(w);
    for (unsigned bus = 0; bus < 256; bus++) {
        for (unsigned half = 0; half < 2; half++) {
            if (w->context[bus][half] != 0) {
                root_entry(w, bus, half);
            }
        }
    }
    w->options.lazy = lazy;
}

void world_build(struct world *w)
{
    bool lazy = w->options.lazy;
    w->options.lazy = false;
    w->root = world_table_page(w);
    for (unsigned n = 0; n < WORLD_SPACES; n++) {
        build_space(w, n);
    }
    for (unsigned source = 0; source < WORLD_SOURCES; source++) {
        build_source(w, source);
    }
    w->options.lazy = lazy;
}
