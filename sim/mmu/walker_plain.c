/* SPDX-License-Identifier: MIT */
/*
 * The plain path of the timed walker: no page-walk caches, no nested TLB, nobody watching. A two-dimensional walk is
 * then 24 references of the same few kinds, most of them the same as in the walk before, and this file makes them
 * fast. It adds nothing to what walker.c means: the engine's own radix_feed() parts decide, results and counters are
 * the same, and everything rare goes back to the engine.
 */
#include "mmu/walker.h"

/* A reference of the plain path that the first-level cache's hint did not answer. */
static __attribute__((noinline)) hv_cycles plain_read_miss(struct mmu *m, uint64_t address, hv_cycles now)
{
    struct mem_request request = {{address}, MEM_ENTRY_L1D, CACHE_WALK, false};
    return mem_access(m->path, &request, now).done - now;
}

/* How long the reference takes; most find their line in the first-level cache, where the last one found it. */
static inline hv_cycles plain_read(struct mmu *m, uint64_t address, hv_cycles now)
{
    struct cache *cache = m->plain.cache;
    struct assoc *lines = &cache->lines;
    uint64_t line = address >> CACHE_LINE_SHIFT;
    uint32_t slot = *assoc_hint(lines, line);
    uint64_t tag = line << CACHE_TAG_SHIFT | CACHE_TAG_VALID | CACHE_TAG_DIRTY;
    if (UNLIKELY((lines->tags[slot] | CACHE_TAG_DIRTY) != tag || lines->clock == UINT32_MAX)) {
        return plain_read_miss(m, address, now);
    }
    lines->state[slot] = ++lines->clock;
    cache->stats.walk_hits++;
    return cache->latency_cycles;
}

/* What has to hold for a reference just made to be repeated. */
static struct plain_ref remember_reference(const struct mmu *m, uint64_t address, uint64_t entry)
{
    uint64_t line = address >> CACHE_LINE_SHIFT;
    const uint64_t *bytes = physmem_pointer(m->memory, (hv_hpa){address}, RADIX_ENTRY_BYTES);
    static const uint64_t nowhere = 0;
    return (struct plain_ref){
        .entry = bytes != NULL ? bytes : &nowhere,
        .value = bytes != NULL ? entry : 1, /* what lies beyond memory is never repeated */
        .tag = line << CACHE_TAG_SHIFT | CACHE_TAG_VALID | CACHE_TAG_DIRTY,
        .slot = *assoc_hint(&m->plain.cache->lines, line),
    };
}

/*
 * The host walk of one gPA with nothing between the walker and the data caches, in registers: the engine's own
 * radix_feed() on a copy of its state. The entry that is no plain pointer to a table (a leaf, a fault, one whose
 * flag is to be set) goes through the engine itself.
 */
static enum walk_need plain_host_walk(struct timed_walk *t, struct plain_row *row)
{
    struct mmu *m = t->m;
    const struct radix_mode *mode = &m->env.host;
    struct mmu_cell *cells = m->grid[t->w->guest_step];
    struct radix_walk host = {t->w->gpa.v, m->env.host_root, RADIX_ALL, mode->levels};
    hv_cycles now = t->now;
    uint64_t address = 0, above, entry;
    unsigned refs = 0;
    for (;;) {
        above = address;
        address = radix_entry_address(&host);
        hv_cycles cycles = plain_read(m, address, now);
        entry = physmem_read64(m->memory, (hv_hpa){address});
        cells[host.level].refs++;
        cells[host.level].cycles += cycles;
        now += cycles;
        if (row != NULL) {
            row->ref[refs] = remember_reference(m, address, entry);
        }
        refs++;
        if (UNLIKELY(radix_classify(mode, host.level, entry) != RADIX_TABLE || (mode->accessed & ~entry) != 0)) {
            break;
        }
        radix_descend(&host, mode, entry);
    }
    if (host.level == 1) {
        lookahead_note_host(&m->lookahead, t->w->guest_step, t->w->gva, t->w->gpa, address, above);
    }
    t->refs[HV_HOST] += refs;
    t->cycles[HV_HOST] += now - t->now;
    t->now = now;
    t->w->host = host;
    t->w->host_level = host.level;
    enum walk_need need = walk_feed(t->w, entry);
    if (UNLIKELY(t->w->update != 0)) {
        walker_update_flags(t, (hv_hpa){address}, t->w->guest_step, host.level);
    } else if (row != NULL && need == WALK_READ && t->w->host_level == 0) {
        row->generation = m->plain.generation;
        row->page = t->w->gpa.v >> HV_PAGE_SHIFT;
        row->refs = refs;
        row->payload = t->w->host_payload;
        row->size = t->w->host_size;
    }
    return need;
}

/*
 * The host walk of a table's page is the same as last time when every entry still has its bytes and every line its
 * place in the first-level cache: then so are its result and its effects.
 */
static bool row_repeats(const struct mmu *m, const struct plain_row *row, hv_gpa gpa)
{
    const uint64_t *tags = m->plain.cache->lines.tags;
    bool same = row->page == gpa.v >> HV_PAGE_SHIFT && row->generation == m->plain.generation &&
                m->plain.cache->lines.clock < UINT32_MAX - RADIX_MAX_LEVELS;
    for (unsigned i = 0; same && i < row->refs; i++) {
        const struct plain_ref *ref = &row->ref[i];
        same = (tags[ref->slot] | CACHE_TAG_DIRTY) == ref->tag && *ref->entry == ref->value;
    }
    return same;
}

static enum walk_need repeat_row(struct timed_walk *t, const struct plain_row *row)
{
    struct mmu *m = t->m;
    struct cache *cache = m->plain.cache;
    struct mmu_cell *cells = &m->grid[t->w->guest_step][m->env.host.levels];
    hv_cycles latency = cache->latency_cycles;
    for (unsigned i = 0; i < row->refs; i++) {
        cache->lines.state[row->ref[i].slot] = ++cache->lines.clock;
        cells->refs++;
        cells->cycles += latency;
        cells--;
    }
    cache->stats.walk_hits += row->refs;
    t->refs[HV_HOST] += row->refs;
    t->cycles[HV_HOST] += row->refs * latency;
    t->now += row->refs * latency;
    t->w->host_payload = row->payload;
    return walk_host_answer(t->w, row->payload, (enum hv_page_size)row->size);
}

/* WALK_NESTED: the pages that hold upper guest tables are few and come again; the others are walked. */
static enum walk_need plain_nested(struct timed_walk *t)
{
    struct mmu *m = t->m;
    if (t->w->guest_step < 2) {
        return plain_host_walk(t, NULL);
    }
    struct plain_row *row = &m->plain.rows[t->w->gpa.v >> HV_PAGE_SHIFT & (PLAIN_ROWS - 1)];
    if (row_repeats(m, row, t->w->gpa)) {
        return repeat_row(t, row);
    }
    row->generation = 0; /* until this walk is done: one that faults leaves references of two pages behind */
    return plain_host_walk(t, row);
}

/* A guest reference of the plain path. */
static inline enum walk_need plain_guest_read(struct timed_walk *t)
{
    struct mmu *m = t->m;
    unsigned step = t->w->guest_step;
    uint64_t address = t->w->read.v;
    hv_cycles cycles = plain_read(m, address, t->now);
    uint64_t entry = physmem_read64(m->memory, (hv_hpa){address});
    m->grid[step][0].refs++;
    t->refs[HV_GUEST]++;
    walker_charge(t, step, 0, cycles);
    enum walk_need need = walk_feed(t->w, entry);
    if (UNLIKELY(t->w->update != 0)) {
        walker_update_flags(t, (hv_hpa){address}, step, 0);
    }
    lookahead_note_guest(&m->lookahead, step, t->w->gva, address);
    return need;
}

/*
 * A walk without page-walk caches, nested TLB and observer: 24 references of the same few kinds. What is rare is left
 * to the general driver: a need to go on in the middle of a host walk is handed back.
 */
enum walk_need walker_plain(struct timed_walk *t, enum walk_need need)
{
    for (;;) {
        if (need == WALK_NESTED) {
            need = plain_nested(t);
        } else if (need == WALK_READ && t->w->host_level == 0) {
            need = plain_guest_read(t);
        } else {
            return need;
        }
    }
}
