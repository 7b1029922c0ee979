/* SPDX-License-Identifier: MIT */
/*
 * The plain path of the walker is a shortcut of the host's: what it does is what the general walker does, to the last
 * cycle. Two machines make the same walks, one of them watched by an observer, which keeps it on the general path.
 */
#include "gtest.h"

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "rig.h"

enum { PAGES = 400, STEPS = 60000, CACHE_BYTES = 8192 };

/* Pages far apart: each has guest tables of its own, more of them than the plain path remembers. */
static uint64_t page_address(uint64_t i)
{
    return i * HV_GIB(1) + (i % 7) * HV_MIB(2) + (i % 511) * HV_PAGE_BYTES;
}

struct pair {
    struct rig *rig;
    struct rig_tables guest, ept;
};

static void ignore(void *ctx, const struct mmu_event *event)
{
    (void)ctx;
    (void)event;
}

static struct pair pair_new(bool watched)
{
    struct mmu_config config = rig_bare_config();
    struct pair p = {.rig = rig_new(&config, RIG_MEMORY_BYTES)};
    struct cache_params cache = {.size = CACHE_BYTES, .ways = 4, .line_bytes = 64, .latency_cycles = 4};
    struct hv_err err = {""};
    assert_true(cache_init(&p.rig->path.l1d, "l1d", &cache, &err));
    p.rig->mmu.plain.cache = &p.rig->path.l1d;
    p.guest = rig_tables_new(p.rig, RIG_TABLES_GPA, RIG_BASE, 4);
    p.ept = rig_ept_new(p.rig, RIG_EPT_HPA, 4);
    for (uint64_t i = 0; i < PAGES; i++) {
        rig_map(&p.guest, page_address(i), RIG_DATA_GPA + i * HV_PAGE_BYTES, HV_PAGE_4K);
    }
    for (uint64_t gpa = p.guest.root & ~(HV_PAGE_BYTES - 1); gpa < p.guest.next; gpa += HV_PAGE_BYTES) {
        rig_map(&p.ept, gpa, RIG_BASE + gpa, HV_PAGE_4K);
    }
    for (uint64_t i = 0; i < PAGES; i++) {
        uint64_t gpa = RIG_DATA_GPA + i * HV_PAGE_BYTES;
        rig_map(&p.ept, gpa, RIG_BASE + gpa, HV_PAGE_4K);
    }
    struct mmu_regs regs = rig_regs(&p.guest, &p.ept);
    mmu_set_context(&p.rig->mmu, &regs);
    if (watched) {
        mmu_observe(&p.rig->mmu, (struct mmu_observer){ignore, NULL});
    }
    return p;
}

static void pair_free(struct pair *p)
{
    cache_fini(&p->rig->path.l1d);
    rig_free(p->rig);
}

/* Software changes the host's entry for a page that holds a guest table, or makes it right again. */
static void change(struct pair *p, uint64_t gpa, unsigned how)
{
    hv_hpa entry = rig_entry(&p->ept, gpa, 1);
    uint64_t there = RIG_BASE + gpa;
    uint64_t values[] = {
        there | RIG_EPT_LEAF, 0, (there + HV_GIB(8)) | RIG_EPT_LEAF, (there | RIG_EPT_LEAF) & ~RADIX_EPT_ACCESSED,
        (there | RIG_EPT_LEAF) & ~(uint64_t)RADIX_EPT_W,
    };
    physmem_write64(&p->rig->memory, entry, values[how % HV_ARRAY_LEN(values)]);
}

static void compare(struct pair *plain, struct pair *general, hv_gva gva, enum hv_access_kind kind, hv_cycles now)
{
    struct mmu_walk_reply a, b;
    mmu_walk(&plain->rig->mmu, gva, kind, now, &a);
    mmu_walk(&general->rig->mmu, gva, kind, now, &b);
    assert_int_equal(a.ok, b.ok);
    assert_int_equal(a.done, b.done);
    assert_int_equal(a.guest_cycles, b.guest_cycles);
    assert_int_equal(a.host_cycles, b.host_cycles);
    if (a.ok) {
        assert_int_equal(a.walk.result, b.walk.result);
        assert_int_equal(a.walk.size, b.walk.size);
    } else {
        assert_int_equal(a.walk.fault.kind, b.walk.fault.kind);
        assert_int_equal(a.walk.fault.gpa.v, b.walk.fault.gpa.v);
        assert_int_equal(a.walk.fault.error_code, b.walk.fault.error_code);
        assert_int_equal(a.walk.fault.level, b.walk.fault.level);
    }
}

static void the_shortcut_walks_as_the_general_walker(void **state)
{
    (void)state;
    struct pair plain = pair_new(false), general = pair_new(true);
    struct hv_rng rng;
    rng_init(&rng, 7);
    uint64_t tables = (plain.guest.next - RIG_TABLES_GPA) / HV_PAGE_BYTES;
    for (uint64_t step = 0; step < STEPS; step++) {
        uint64_t draw = rng_next(&rng);
        if (draw % 16 == 0) {
            uint64_t gpa = RIG_TABLES_GPA + rng_below(&rng, tables) * HV_PAGE_BYTES;
            unsigned how = (draw >> 8) % 3 != 0 ? 0 : (unsigned)(draw >> 16);
            change(&plain, gpa, how);
            change(&general, gpa, how);
        }
        hv_gva gva = {page_address(rng_below(&rng, PAGES)) + (draw >> 32) % HV_PAGE_BYTES / 8 * 8};
        compare(&plain, &general, gva, (draw >> 4) % 2 != 0 ? HV_LOAD : HV_STORE, step * 100000);
    }
    assert_memory_equal(plain.rig->mmu.grid, general.rig->mmu.grid, sizeof(plain.rig->mmu.grid));
    assert_memory_equal(&plain.rig->mmu.stats, &general.rig->mmu.stats, sizeof(plain.rig->mmu.stats));
    assert_memory_equal(&plain.rig->path.l1d.stats, &general.rig->path.l1d.stats, sizeof(struct cache_stats));
    pair_free(&plain);
    pair_free(&general);
}

/*
 * Pages whose upper tables are remembered in one place, PLAIN_RUNS of their regions apart. A walk of the second that
 * faults half-way must not leave the first one's result with the second one's references: when a host page behind the
 * first one's tables is gone, the first one faults too, on that page.
 */
static void fault_in(struct pair *p, hv_gva first, hv_gva second, uint64_t table)
{
    struct mmu_walk_reply reply;
    mmu_walk(&p->rig->mmu, first, HV_LOAD, 0, &reply);
    assert_true(reply.ok);
    change(p, table, 1);
    mmu_walk(&p->rig->mmu, second, HV_LOAD, 0, &reply);
    mmu_walk(&p->rig->mmu, first, HV_LOAD, 0, &reply);
    struct walk now;
    bool ok = mmu_probe(&p->rig->mmu, first, HV_LOAD, &now);
    assert_int_equal(reply.ok, ok);
    assert_true(ok || reply.walk.fault.gpa.v == now.fault.gpa.v);
    change(p, table, 0);
}

/* Pages close to each other: their walks have one form, and share tables. */
enum { NEAR_PAGES = 64, NEAR_REGIONS = 4, CHANGES = 4000, WALKS_BETWEEN = 24 };
static const uint64_t near_base = HV_GIB(1024);

static uint64_t near_address(uint64_t i)
{
    return near_base + i % NEAR_REGIONS * HV_MIB(2) + i * HV_PAGE_BYTES;
}

static uint64_t near_gpa(uint64_t i)
{
    return RIG_DATA_GPA + HV_GIB(2) + i * 9 * HV_PAGE_BYTES;
}

static struct pair near_pair_new(bool watched)
{
    struct pair p = pair_new(watched);
    uint64_t mapped = p.guest.next;
    for (uint64_t i = 0; i < NEAR_PAGES; i++) {
        rig_map(&p.guest, near_address(i), near_gpa(i), HV_PAGE_4K);
        rig_map(&p.ept, near_gpa(i), RIG_BASE + near_gpa(i), HV_PAGE_4K);
    }
    for (uint64_t gpa = mapped; gpa < p.guest.next; gpa += HV_PAGE_BYTES) {
        rig_map(&p.ept, gpa, RIG_BASE + gpa, HV_PAGE_4K);
    }
    return p;
}

/* An entry that a walk of the page reads below the runs: of the guest, or of the host for the data or for a table. */
static hv_hpa some_entry(struct pair *p, uint64_t page, uint64_t draw)
{
    uint64_t gpa = draw % 3 == 1 ? near_gpa(page) : RIG_TABLES_GPA + draw / 6 % 1024 * HV_PAGE_BYTES;
    unsigned level = 1 + (unsigned)(draw / 3 % 2);
    gpa = gpa < p->guest.next || draw % 3 == 1 ? gpa : p->guest.next - HV_PAGE_BYTES;
    return draw % 3 == 0 ? rig_entry(&p->guest, near_address(page), level) : rig_entry(&p->ept, gpa, level);
}

/* Walks a few pages, in whichever order, on both machines; returns how many walks came to a translation. */
static unsigned walk_near(struct pair *plain, struct pair *general, struct hv_rng *rng, hv_cycles *now)
{
    unsigned done = 0;
    for (unsigned i = 0; i < WALKS_BETWEEN; i++) {
        uint64_t draw = rng_next(rng);
        hv_gva gva = {near_address(draw % NEAR_PAGES) + (draw >> 32) % HV_PAGE_BYTES / 8 * 8};
        struct walk walk;
        compare(plain, general, gva, (enum hv_access_kind)((draw >> 8) % HV_ACCESS_KINDS), *now += 100000);
        done += mmu_probe(&plain->rig->mmu, gva, HV_LOAD, &walk);
    }
    return done;
}

/* Any one bit of an entry, of the address too, makes the walk another one, or it does not; both walkers agree. */
static void a_walk_like_one_before_notices_every_bit(void **state)
{
    (void)state;
    struct pair plain = near_pair_new(false), general = near_pair_new(true);
    struct hv_rng rng;
    rng_init(&rng, 11);
    hv_cycles now = 0;
    unsigned done = 0;
    for (unsigned step = 0; step < CHANGES; step++) {
        uint64_t draw = rng_next(&rng), bit = UINT64_C(1) << (draw >> 40) % 64;
        hv_hpa entry = some_entry(&plain, draw % NEAR_PAGES, draw >> 8);
        assert_int_equal(some_entry(&general, draw % NEAR_PAGES, draw >> 8).v, entry.v);
        uint64_t value = physmem_read64(&plain.rig->memory, entry);
        physmem_write64(&plain.rig->memory, entry, value ^ bit);
        physmem_write64(&general.rig->memory, entry, value ^ bit);
        done += walk_near(&plain, &general, &rng, &now);
        physmem_write64(&plain.rig->memory, entry, value);
        physmem_write64(&general.rig->memory, entry, value);
        done += walk_near(&plain, &general, &rng, &now);
    }
    assert_memory_equal(plain.rig->mmu.grid, general.rig->mmu.grid, sizeof(plain.rig->mmu.grid));
    assert_memory_equal(&plain.rig->mmu.stats, &general.rig->mmu.stats, sizeof(plain.rig->mmu.stats));
    assert_memory_equal(&plain.rig->path.l1d.stats, &general.rig->path.l1d.stats, sizeof(struct cache_stats));
    assert_in_range(done, CHANGES * WALKS_BETWEEN, 2 * CHANGES * WALKS_BETWEEN - CHANGES);
    assert_int_not_equal(plain.rig->mmu.plain.form[HV_LOAD].generation, 0);
    pair_free(&plain);
    pair_free(&general);
}

static void a_walk_that_faults_leaves_nothing_remembered(void **state)
{
    (void)state;
    struct pair p = pair_new(false);
    unsigned refused = 0;
    for (uint64_t i = 0; i + PLAIN_RUNS < PAGES; i += 100) {
        hv_gva first = {page_address(i)}, second = {page_address(i + PLAIN_RUNS)};
        assert_int_equal((first.v ^ second.v) / HV_GIB(1) % PLAIN_RUNS, 0);
        for (uint64_t table = RIG_TABLES_GPA; table < p.guest.next; table += HV_PAGE_BYTES) {
            struct walk now;
            change(&p, table, 1);
            refused += !mmu_probe(&p.rig->mmu, first, HV_LOAD, &now);
            change(&p, table, 0);
            fault_in(&p, first, second, table);
        }
    }
    assert_true(refused > 4);
    pair_free(&p);
}

GTEST_MAIN("WalkPlain",
           cmocka_unit_test(the_shortcut_walks_as_the_general_walker),
           cmocka_unit_test(a_walk_like_one_before_notices_every_bit),
           cmocka_unit_test(a_walk_that_faults_leaves_nothing_remembered))
