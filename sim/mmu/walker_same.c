/* SPDX-License-Identifier: MIT */
/*
 * Walks that go like one before: the shortest way through a two-dimensional walk of 4K pages on 4K pages, of which a
 * random workload makes millions. Such a walk is three runs (plain_run.h) and six single entries between them.
 *
 * All entries are read first, which changes nothing that is modelled. If the runs lead where they led, and the single
 * entries differ from those of an earlier walk by the same kind of access in their addresses only (struct plain_form),
 * then it is known what the engine would do: no entry needs decoding, and the references are made one after the other.
 * Else nothing has been done, and the walk is made by walker_plain.c. Purely a matter of host time.
 */
#include "mmu/walker.h"

#define SAME_INLINE static inline __attribute__((always_inline))

/* The way of a walk: where its runs are, and where its single entries lie and what they are. */
struct way {
    struct plain_run *upper, *table, *data;
    uint64_t address[PLAIN_SINGLES], entry[PLAIN_SINGLES];
};

/* Of an address that a table at `level` translates: where in the table its entry is. */
SAME_INLINE uint64_t entry_offset(uint64_t address, unsigned level)
{
    return (address >> radix_shift(level) & 511) * RADIX_ENTRY_BYTES;
}

SAME_INLINE uint64_t page_offset(uint64_t address)
{
    return address & (HV_PAGE_BYTES - 1);
}

SAME_INLINE uint64_t look_at(const struct mmu *m, struct way *way, enum plain_single which, uint64_t address)
{
    way->address[which] = address;
    way->entry[which] = physmem_read64(m->memory, (hv_hpa){address});
    return way->entry[which] & RADIX_ADDRESS_MASK;
}

/* Looks where the entries for an address lead, as pointers to 4K pages. False: the runs do not lead there. */
SAME_INLINE bool find_way(struct mmu *m, hv_gva gva, struct way *way)
{
    struct plain *plain = &m->plain;
    uint64_t key = gva.v >> radix_shift(3);
    way->upper = plain_run_of(plain, PLAIN_UPPER_GUEST, key);
    if (!plain_run_leads(plain, way->upper, key) || way->upper->host.level != 1 || way->upper->guest.level != 2) {
        return false;
    }
    uint64_t gpa = way->upper->guest.table + entry_offset(gva.v, 2);
    uint64_t page = look_at(m, way, PLAIN_TABLE2_HOST1, way->upper->host.table + entry_offset(gpa, 1));
    gpa = look_at(m, way, PLAIN_GUEST2, page + page_offset(gpa)) + entry_offset(gva.v, 1);
    key = gpa >> radix_shift(2);
    way->table = plain_run_of(plain, PLAIN_TABLE_PAGE, key);
    if (!plain_run_leads(plain, way->table, key) || way->table->host.level != 1) {
        return false;
    }
    page = look_at(m, way, PLAIN_TABLE1_HOST1, way->table->host.table + entry_offset(gpa, 1));
    gpa = look_at(m, way, PLAIN_GUEST1, page + page_offset(gpa)) + page_offset(gva.v);
    key = gpa >> radix_shift(3);
    way->data = plain_run_of(plain, PLAIN_DATA_PAGE, key);
    if (!plain_run_leads(plain, way->data, key) || way->data->host.level != 2) {
        return false;
    }
    uint64_t table = look_at(m, way, PLAIN_DATA_HOST2, way->data->host.table + entry_offset(gpa, 2));
    (void)look_at(m, way, PLAIN_DATA_HOST1, table + entry_offset(gpa, 1));
    return true;
}

/* What the form of a walk takes from its runs: the permissions that they have gathered. */
SAME_INLINE uint64_t form_of_runs(const struct way *way)
{
    return way->upper->guest.permission | (uint64_t)way->upper->host.permission << 8 |
           (uint64_t)way->table->host.permission << 16 | (uint64_t)way->data->host.permission << 24;
}

/* The bits of an address that would make an entry a reserved one are part of the form. */
SAME_INLINE uint64_t form_mask(const struct radix_mode *mode)
{
    return ~(RADIX_ADDRESS_MASK & ~mode->reserved[1][RADIX_LEAF]);
}

SAME_INLINE bool is_of_form(const struct mmu *m, const struct way *way, const struct plain_form *form)
{
    const uint64_t *bits = form->bits, *entry = way->entry;
    uint64_t guest = (entry[PLAIN_GUEST2] ^ bits[PLAIN_GUEST2]) | (entry[PLAIN_GUEST1] ^ bits[PLAIN_GUEST1]);
    uint64_t host = (entry[PLAIN_TABLE2_HOST1] ^ bits[PLAIN_TABLE2_HOST1]) |
                    (entry[PLAIN_TABLE1_HOST1] ^ bits[PLAIN_TABLE1_HOST1]) |
                    (entry[PLAIN_DATA_HOST2] ^ bits[PLAIN_DATA_HOST2]) |
                    (entry[PLAIN_DATA_HOST1] ^ bits[PLAIN_DATA_HOST1]);
    uint64_t differs = (guest & form_mask(&m->env.guest)) | (host & form_mask(&m->env.host)) |
                       (form_of_runs(way) ^ form->runs);
    return LIKELY(differs == 0);
}

/* One reference. */
SAME_INLINE void refer(struct timed_walk *t, const uint64_t *address, enum plain_single which, unsigned step,
                       unsigned level)
{
    hv_cycles cycles = walker_plain_read(t->m, address[which], t->now);
    t->m->grid[step][level].refs++;
    t->refs[level != 0 ? HV_HOST : HV_GUEST]++;
    walker_charge(t, step, level, cycles);
}

/* The references of a run of a host walk. */
SAME_INLINE void refer_to_run(struct timed_walk *t, struct plain_run *run, unsigned step)
{
    struct mmu *m = t->m;
    if (!plain_run_hits(&m->plain, run)) {
        walker_repeat_run(t, run);
        return;
    }
    walker_hit_host(t, step, run);
}

/* All references of the walk, in its order. */
SAME_INLINE void walk_along(struct timed_walk *t, struct plain_run *upper, struct plain_run *table,
                            struct plain_run *data, const uint64_t *address)
{
    if (LIKELY(plain_run_hits(&t->m->plain, upper))) {
        walker_hit_upper(t, upper);
    } else {
        walker_repeat_run(t, upper);
    }
    refer(t, address, PLAIN_TABLE2_HOST1, 2, 1);
    refer(t, address, PLAIN_GUEST2, 2, 0);
    refer_to_run(t, table, 1);
    refer(t, address, PLAIN_TABLE1_HOST1, 1, 1);
    refer(t, address, PLAIN_GUEST1, 1, 0);
    refer_to_run(t, data, 0);
    refer(t, address, PLAIN_DATA_HOST2, 0, 2);
    refer(t, address, PLAIN_DATA_HOST1, 0, 1);
}

/* Where a walk leads that goes like one made before; false: it does not. Changes nothing that is modelled. */
SAME_INLINE bool find_same(struct mmu *m, struct walk *w, hv_gva gva, enum hv_access_kind access, struct way *way)
{
    const struct plain_form *form = &m->plain.form[access];
    if (form->generation != m->plain.generation || !find_way(m, gva, way) || !is_of_form(m, way, form)) {
        return false;
    }
    lookahead_note(&m->lookahead, gva, way->address[PLAIN_GUEST2]);
    w->gva = gva;
    w->access = access;
    w->size = HV_PAGE_4K;
    w->result = form->payload | (way->entry[PLAIN_DATA_HOST1] & RADIX_ADDRESS_MASK);
    return true;
}

bool walker_same(struct timed_walk *t, hv_gva gva, enum hv_access_kind access)
{
    struct way way;
    if (!find_same(t->m, t->w, gva, access, &way)) {
        return false;
    }
    walk_along(t, way.upper, way.table, way.data, way.address);
    return true;
}

bool walker_same_ahead(struct mmu *m, struct walk *w, hv_gva gva, enum hv_access_kind access, struct mmu_way *ahead)
{
    struct way way;
    if (!find_same(m, w, gva, access, &way)) {
        return false;
    }
    ahead->payload = w->result;
    ahead->run[PLAIN_UPPER_GUEST] = (uint32_t)(way.upper - m->plain.runs[PLAIN_UPPER_GUEST]);
    ahead->run[PLAIN_TABLE_PAGE] = (uint32_t)(way.table - m->plain.runs[PLAIN_TABLE_PAGE]);
    ahead->run[PLAIN_DATA_PAGE] = (uint32_t)(way.data - m->plain.runs[PLAIN_DATA_PAGE]);
    for (unsigned i = 0; i < PLAIN_SINGLES; i++) {
        ahead->address[i] = way.address[i];
    }
    return true;
}

void walker_same_time(struct timed_walk *t, const struct mmu_way *way)
{
    struct plain *p = &t->m->plain;
    walk_along(t, &p->runs[PLAIN_UPPER_GUEST][way->run[PLAIN_UPPER_GUEST]],
               &p->runs[PLAIN_TABLE_PAGE][way->run[PLAIN_TABLE_PAGE]],
               &p->runs[PLAIN_DATA_PAGE][way->run[PLAIN_DATA_PAGE]], way->address);
}

void walker_same_note(struct timed_walk *t)
{
    struct mmu *m = t->m;
    const struct walk *w = t->w;
    struct way way;
    bool small = w->guest_size == HV_PAGE_4K && w->host_size == HV_PAGE_4K;
    if (!m->env.nested || !small || !find_way(m, w->gva, &way)) {
        return;
    }
    struct plain_form *form = &m->plain.form[w->access];
    form->generation = m->plain.generation;
    form->runs = form_of_runs(&way);
    form->payload = w->result & ~TLB_FRAME_MASK;
    for (unsigned i = 0; i < PLAIN_SINGLES; i++) {
        form->bits[i] = way.entry[i];
    }
}
