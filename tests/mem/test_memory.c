/* SPDX-License-Identifier: MIT */
/* The path of a reference: who answers, when, what is filled and what is written back. */
#include "ready.h"

#include <string.h>

#include "base/rng.h"
#include "mem/memory.h"

enum { L1_CYCLES = 4, L2_CYCLES = 14, LLC_CYCLES = 44, DRAM_CYCLES = 160, NOW = 1000 };

struct machine {
    struct mem_shared shared;
    struct mem_path path;
};

enum { L1D = 1, L1I = 2, L2 = 4, LLC = 8, ALL = 15 };

static void add_cache(struct cache *c, bool present, uint64_t size, uint64_t ways, hv_cycles latency)
{
    struct hv_err err = {""};
    struct cache_params params = {
        .size = present ? size : 0, .ways = ways, .line_bytes = 64, .latency_cycles = latency,
    };
    if (!cache_init(c, "test", &params, &err)) {
        fail_msg("%s", err.text);
    }
}

static void make(struct machine *m, unsigned caches)
{
    memset(m, 0, sizeof(*m));
    struct dram_params dram = {.latency_cycles = DRAM_CYCLES, .channels = 1, .bytes_per_cycle = 64};
    struct hv_err err = {""};
    assert_true(dram_init(&m->shared.dram, &dram, &err));
    add_cache(&m->path.l1d, (caches & L1D) != 0, HV_KIB(1), 2, L1_CYCLES);
    add_cache(&m->path.l1i, (caches & L1I) != 0, HV_KIB(1), 2, L1_CYCLES);
    add_cache(&m->path.l2, (caches & L2) != 0, HV_KIB(4), 4, L2_CYCLES);
    add_cache(&m->shared.llc, (caches & LLC) != 0, HV_KIB(16), 8, LLC_CYCLES);
    m->path.shared = &m->shared;
}

static void unmake(struct machine *m)
{
    cache_fini(&m->path.l1d);
    cache_fini(&m->path.l1i);
    cache_fini(&m->path.l2);
    cache_fini(&m->shared.llc);
}

static struct mem_reply access_at(struct machine *m, uint64_t address, bool write, hv_cycles now)
{
    struct mem_request request = {{address}, MEM_ENTRY_L1D, CACHE_DEMAND, write};
    return mem_access(&m->path, &request, now);
}

/* --- Latencies -------------------------------------------------------------------------------------------------- */

/* A line in exactly one level answers at that level's load-to-use time; DRAM's adds to what the LLC took to miss. */
static void each_level_answers_in_its_time(void **state)
{
    (void)state;
    static const struct {
        unsigned holders; /* of the line */
        enum mem_level level;
        hv_cycles cycles;
    } rows[] = {
        {L1D | L2 | LLC, MEM_L1, L1_CYCLES},
        {L2 | LLC, MEM_L2, L2_CYCLES},
        {LLC, MEM_LLC, LLC_CYCLES},
        {0, MEM_DRAM, LLC_CYCLES + DRAM_CYCLES},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct machine m;
        make(&m, ALL);
        (void)access_at(&m, 0x12340, false, 0);
        if ((rows[i].holders & L1D) == 0) {
            cache_reset(&m.path.l1d);
        }
        if ((rows[i].holders & L2) == 0) {
            cache_reset(&m.path.l2);
        }
        if ((rows[i].holders & LLC) == 0) {
            cache_reset(&m.shared.llc);
        }
        struct mem_reply reply = access_at(&m, 0x1237f, false, NOW); /* the line's last byte */
        assert_int_equal(reply.level, rows[i].level);
        assert_ready_exactly_at(reply.done, NOW + rows[i].cycles);
        /* Every level on the way was filled. */
        assert_ready_exactly_at(access_at(&m, 0x12340, false, 2 * NOW).done, 2 * NOW + L1_CYCLES);
        cache_reset(&m.path.l1d);
        assert_ready_exactly_at(access_at(&m, 0x12340, false, 3 * NOW).done, 3 * NOW + L2_CYCLES);
        unmake(&m);
    }
}

/* A level that does not exist costs nothing and answers nothing. */
static void absent_levels_are_passed(void **state)
{
    (void)state;
    static const struct {
        unsigned caches;
        enum mem_level again; /* who answers the second access */
        hv_cycles first, second;
    } rows[] = {
        {0, MEM_DRAM, DRAM_CYCLES, DRAM_CYCLES},
        {LLC, MEM_LLC, LLC_CYCLES + DRAM_CYCLES, LLC_CYCLES},
        {L2 | LLC, MEM_L2, LLC_CYCLES + DRAM_CYCLES, L2_CYCLES},
        {L1D | LLC, MEM_L1, LLC_CYCLES + DRAM_CYCLES, L1_CYCLES},
        {L1I | LLC, MEM_LLC, LLC_CYCLES + DRAM_CYCLES, LLC_CYCLES}, /* data does not enter by the L1I */
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct machine m;
        make(&m, rows[i].caches);
        assert_ready_exactly_at(access_at(&m, HV_MIB(1), false, NOW).done, NOW + rows[i].first);
        struct mem_reply reply = access_at(&m, HV_MIB(1), false, 2 * NOW);
        assert_ready_exactly_at(reply.done, 2 * NOW + rows[i].second);
        assert_int_equal(reply.level, rows[i].again);
        unmake(&m);
    }
}

/* Instructions and data have first levels of their own; a walk may enter at the second. */
static void each_entry_has_its_first_level(void **state)
{
    (void)state;
    static const enum mem_entry entries[] = {MEM_ENTRY_L1D, MEM_ENTRY_L1I, MEM_ENTRY_L2};
    static const hv_cycles hit[] = {L1_CYCLES, L1_CYCLES, L2_CYCLES};
    for (size_t i = 0; i < HV_ARRAY_LEN(entries); i++) {
        struct machine m;
        make(&m, ALL);
        struct mem_request request = {{HV_MIB(3)}, entries[i], CACHE_DEMAND, false};
        (void)mem_access(&m.path, &request, 0);
        assert_ready_exactly_at(mem_access(&m.path, &request, NOW).done, NOW + hit[i]);
        for (size_t other = 0; other < 2; other++) {
            struct mem_request elsewhere = {{HV_MIB(3)}, entries[other], CACHE_DEMAND, false};
            hv_cycles expected = other == i ? L1_CYCLES : L2_CYCLES;
            assert_ready_exactly_at(mem_access(&m.path, &elsewhere, 2 * NOW).done, 2 * NOW + expected);
        }
        unmake(&m);
    }
}

/* References of walks are counted apart, and otherwise treated the same. */
static void walks_are_counted_apart(void **state)
{
    (void)state;
    struct machine m;
    make(&m, ALL);
    struct mem_request walk = {{HV_MIB(3)}, MEM_ENTRY_L1D, CACHE_WALK, false};
    (void)mem_access(&m.path, &walk, 0);
    (void)mem_access(&m.path, &walk, NOW);
    (void)access_at(&m, HV_MIB(3), false, NOW);
    (void)access_at(&m, HV_MIB(4), false, NOW);
    assert_int_equal(m.path.l1d.stats.walk_misses, 1);
    assert_int_equal(m.path.l1d.stats.walk_hits, 1);
    assert_int_equal(m.path.l1d.stats.hits, 1);
    assert_int_equal(m.path.l1d.stats.misses, 1);
    assert_int_equal(m.path.l2.stats.walk_misses, 1);
    assert_int_equal(m.path.l2.stats.misses, 1);
    assert_int_equal(m.shared.llc.stats.walk_misses, 1);
    assert_int_equal(m.shared.llc.stats.misses, 1);
    assert_int_equal(m.shared.dram.stats.reads, 2);
    unmake(&m);
}

/* --- Ports ------------------------------------------------------------------------------------------------------ */

/* `count` hits of one cache that are there at once: with P ports P of them begin per cycle. */
static void expect_begins(struct machine *m, struct cache *c, const struct mem_request *hit, uint64_t ports)
{
    struct mem_request request = *hit;
    uint64_t waited = 0;
    for (uint64_t n = 0; n < 20; n++) {
        hv_cycles wait = ports != 0 ? n / ports : 0;
        request.user = n % 2 != 0 ? CACHE_WALK : CACHE_DEMAND; /* who asks makes no difference */
        assert_ready_exactly_at(mem_access(&m->path, &request, NOW).done, NOW + wait + c->latency_cycles);
        waited += wait;
    }
    assert_int_equal(c->stats.port_wait_cycles, waited);
    /* The cycle after the last is free, and so is the time before. */
    hv_cycles after = ports != 0 ? NOW + (20 + ports - 1) / ports : NOW;
    assert_ready_exactly_at(mem_access(&m->path, &request, after).done, after + c->latency_cycles);
    assert_ready_exactly_at(mem_access(&m->path, &request, NOW - 1).done, NOW - 1 + c->latency_cycles);
    assert_int_equal(c->stats.port_wait_cycles, waited);
}

static void each_cache_has_its_ports(void **state)
{
    (void)state;
    static const struct {
        unsigned caches;
        enum mem_entry entry;
        size_t offset; /* of the cache with few ports */
    } rows[] = {
        {ALL, MEM_ENTRY_L1D, offsetof(struct machine, path.l1d)},
        {ALL, MEM_ENTRY_L1I, offsetof(struct machine, path.l1i)},
        {ALL, MEM_ENTRY_L2, offsetof(struct machine, path.l2)},
        {LLC, MEM_ENTRY_L1D, offsetof(struct machine, shared.llc)},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        for (uint64_t ports = 0; ports <= 16; ports++) {
            struct machine m;
            make(&m, rows[i].caches);
            struct cache *c = (struct cache *)((char *)&m + rows[i].offset);
            struct cache_params params = {
                .size = HV_KIB(1), .ways = 2, .line_bytes = 64, .latency_cycles = 7, .ports = ports,
            };
            struct hv_err err = {""};
            cache_fini(c);
            assert_true(cache_init(c, "test", &params, &err));
            struct mem_request hit = {{HV_MIB(3)}, rows[i].entry, CACHE_DEMAND, false};
            (void)mem_access(&m.path, &hit, 0);
            expect_begins(&m, c, &hit, ports);
            cache_reset(c);
            assert_int_equal(c->stats.port_wait_cycles, 0);
            unmake(&m);
        }
    }
}

/* A miss takes a port of each cache that it asks, and its wait for one delays the next. */
static void a_miss_waits_at_every_cache(void **state)
{
    (void)state;
    struct machine m;
    make(&m, ALL);
    cache_fini(&m.path.l1d);
    cache_fini(&m.shared.llc);
    struct cache_params l1 = {.size = HV_KIB(1), .ways = 2, .line_bytes = 64, .latency_cycles = L1_CYCLES, .ports = 1};
    struct cache_params llc = {.size = HV_KIB(16), .ways = 8, .line_bytes = 64, .latency_cycles = 44, .ports = 1};
    struct hv_err err = {""};
    assert_true(cache_init(&m.path.l1d, "l1d", &l1, &err) && cache_init(&m.shared.llc, "llc", &llc, &err));
    /* The LLC's port is taken in the cycles 1000 and 1001. */
    struct mem_request below = {{HV_MIB(1)}, MEM_ENTRY_L2, CACHE_DEMAND, false};
    (void)mem_access(&m.path, &below, NOW);
    below.addr.v += 64;
    (void)mem_access(&m.path, &below, NOW);
    assert_ready_exactly_at(access_at(&m, HV_MIB(2), false, NOW).done, NOW + 2 + LLC_CYCLES + DRAM_CYCLES);
    assert_ready_exactly_at(access_at(&m, HV_MIB(3), false, NOW).done, NOW + 3 + LLC_CYCLES + DRAM_CYCLES);
    assert_int_equal(m.path.l1d.stats.port_wait_cycles, 1); /* then 2 at the LLC */
    assert_int_equal(m.shared.llc.stats.port_wait_cycles, 1 + 2 + 2);
    unmake(&m);
}

/* --- Stores ----------------------------------------------------------------------------------------------------- */

/*
 * A dirty line is written down to memory once nothing above holds it, whichever levels exist: after a store, lines of
 * reads push it out of every level.
 */
static void a_store_reaches_memory_in_the_end(void **state)
{
    (void)state;
    for (unsigned caches = 0; caches <= ALL; caches++) {
        struct machine m;
        make(&m, caches);
        (void)access_at(&m, 0, true, 0);
        for (uint64_t line = 1; line <= 4 * HV_KIB(16) / 64; line++) {
            (void)access_at(&m, line * 64, false, line * NOW);
        }
        assert_int_equal(m.shared.dram.stats.writes, 1);
        unmake(&m);
    }
}

static void clean_lines_are_not_written(void **state)
{
    (void)state;
    struct machine m;
    make(&m, ALL);
    for (uint64_t line = 0; line < 10000; line++) {
        (void)access_at(&m, line * 64, false, line * NOW);
    }
    assert_int_equal(m.shared.dram.stats.writes, 0);
    assert_int_equal(m.shared.dram.stats.reads, 10000);
    assert_int_equal(m.path.l1d.stats.writebacks + m.path.l2.stats.writebacks + m.shared.llc.stats.writebacks, 0);
    unmake(&m);
}

/* A store's victims delay nobody: a miss takes as long with dirty victims as without. */
static void write_backs_delay_no_reference(void **state)
{
    (void)state;
    struct machine m;
    make(&m, ALL);
    for (uint64_t line = 0; line < 2000; line++) {
        assert_ready_exactly_at(access_at(&m, line * 64, true, line * NOW).done,
                                line * NOW + LLC_CYCLES + DRAM_CYCLES);
    }
    assert_true(m.shared.dram.stats.writes > 1000);
    unmake(&m);
}

/* --- Content, against lists ------------------------------------------------------------------------------------- */

/* One set-associative LRU write-back cache in the plainest form. */
enum { MAX_LINES = 256, NO_LINE = -1 };

struct plain {
    int64_t line[MAX_LINES]; /* sets of `ways`, most recent first */
    bool dirty[MAX_LINES];
    unsigned sets, ways;
};

static void plain_init(struct plain *p, unsigned lines, unsigned ways)
{
    p->sets = lines / ways;
    p->ways = ways;
    for (unsigned i = 0; i < MAX_LINES; i++) {
        p->line[i] = NO_LINE;
        p->dirty[i] = false;
    }
}

static int plain_find(const struct plain *p, int64_t line)
{
    unsigned first = (unsigned)(line % p->sets) * p->ways;
    for (unsigned i = first; i < first + p->ways; i++) {
        if (p->line[i] == line) {
            return (int)i;
        }
    }
    return NO_LINE;
}

/* Moves position `at` of a line's set to the front, or puts the line there; returns the dirty line that falls out. */
static int64_t plain_to_front(struct plain *p, int at, int64_t line, bool dirty)
{
    unsigned first = (unsigned)(line % p->sets) * p->ways, last = at == NO_LINE ? first + p->ways - 1 : (unsigned)at;
    int64_t out = at == NO_LINE && p->dirty[last] ? p->line[last] : NO_LINE;
    dirty = dirty || (at != NO_LINE && p->dirty[last]);
    memmove(&p->line[first + 1], &p->line[first], (last - first) * sizeof(p->line[0]));
    memmove(&p->dirty[first + 1], &p->dirty[first], (last - first) * sizeof(p->dirty[0]));
    p->line[first] = line;
    p->dirty[first] = dirty;
    return out;
}

struct plain_machine {
    struct plain l1, l2, llc;
    unsigned reads, writes;
};

/* A dirty line from above: marked where it is (which is no use of it), else brought in. */
static int64_t plain_accept(struct plain *p, int64_t line)
{
    int at = plain_find(p, line);
    if (at != NO_LINE) {
        p->dirty[at] = true;
        return NO_LINE;
    }
    return plain_to_front(p, NO_LINE, line, true);
}

static void plain_write_back(struct plain_machine *m, int64_t line, bool from_l1)
{
    int64_t out = from_l1 ? plain_accept(&m->l2, line) : line;
    out = out != NO_LINE ? plain_accept(&m->llc, out) : NO_LINE;
    m->writes += out != NO_LINE;
}

static enum mem_level plain_access(struct plain_machine *m, int64_t line, bool write)
{
    int in_l1 = plain_find(&m->l1, line);
    if (in_l1 != NO_LINE) {
        (void)plain_to_front(&m->l1, in_l1, line, write);
        return MEM_L1;
    }
    enum mem_level level = MEM_L2;
    int in_l2 = plain_find(&m->l2, line);
    if (in_l2 == NO_LINE) {
        int in_llc = plain_find(&m->llc, line);
        level = in_llc != NO_LINE ? MEM_LLC : MEM_DRAM;
        m->reads += level == MEM_DRAM;
        m->writes += plain_to_front(&m->llc, in_llc, line, false) != NO_LINE;
    }
    int64_t out = plain_to_front(&m->l2, in_l2, line, false);
    if (out != NO_LINE) {
        plain_write_back(m, out, false);
    }
    out = plain_to_front(&m->l1, NO_LINE, line, write);
    if (out != NO_LINE) {
        plain_write_back(m, out, true);
    }
    return level;
}

static void content_follows_the_lists(void **state)
{
    (void)state;
    struct machine m;
    struct plain_machine plain = {.reads = 0};
    struct hv_rng rng;
    unsigned met[MEM_LEVELS] = {0};
    make(&m, ALL);
    plain_init(&plain.l1, 16, 2);
    plain_init(&plain.l2, 64, 4);
    plain_init(&plain.llc, 256, 8);
    rng_init(&rng, 3);
    for (unsigned i = 0; i < 200000; i++) {
        static const uint64_t reaches[] = {12, 60, 240, 700};
        uint64_t line = rng_below(&rng, reaches[rng_below(&rng, HV_ARRAY_LEN(reaches))]);
        bool write = rng_below(&rng, 3) == 0;
        enum mem_level level = access_at(&m, line * 64 + rng_below(&rng, 64), write, (hv_cycles)i * NOW).level;
        assert_int_equal(level, plain_access(&plain, (int64_t)line, write));
        assert_int_equal(m.shared.dram.stats.reads, plain.reads);
        assert_int_equal(m.shared.dram.stats.writes, plain.writes);
        met[level]++;
    }
    for (unsigned level = 0; level < MEM_LEVELS; level++) {
        assert_true(met[level] > 10000);
    }
    unmake(&m);
}

/* --- The port between private and shared ------------------------------------------------------------------------ */

struct recorder {
    unsigned reads, write_backs;
    uint64_t line;
    hv_cycles now;
};

static struct mem_reply record_read(void *ctx, uint64_t line, enum cache_user user, hv_cycles now)
{
    struct recorder *r = ctx;
    assert_int_equal(user, CACHE_DEMAND);
    r->reads++;
    r->line = line;
    r->now = now;
    return (struct mem_reply){now + 77, MEM_LLC};
}

static void record_write_back(void *ctx, uint64_t line, hv_cycles now)
{
    (void)now;
    struct recorder *r = ctx;
    r->write_backs++;
    r->line = line;
}

static void the_port_sees_what_the_private_caches_miss(void **state)
{
    (void)state;
    struct machine m;
    struct recorder r = {0};
    make(&m, L1D);
    m.path.shared = NULL;
    m.path.port = (struct mem_port){record_read, record_write_back, &r};
    assert_ready_exactly_at(access_at(&m, 5 * 64 + 9, true, NOW).done, NOW + 77);
    assert_int_equal(r.reads, 1);
    assert_int_equal(r.line, 5);
    assert_int_equal(r.now, NOW);
    (void)access_at(&m, 5 * 64, false, NOW);
    assert_int_equal(r.reads, 1);
    /* Two more lines of the same set of two ways (8 sets) push the dirty one out. */
    (void)access_at(&m, (5 + 8) * 64, false, NOW);
    assert_int_equal(r.write_backs, 0);
    (void)access_at(&m, (5 + 16) * 64, false, NOW);
    assert_int_equal(r.write_backs, 1);
    assert_int_equal(r.line, 5);
    unmake(&m);
}

static void impossible_caches_are_named(void **state)
{
    (void)state;
    static const struct {
        uint64_t size, ways;
    } rows[] = {{HV_KIB(32) + 1, 8}, {100, 1}, {HV_KIB(32), 7}, {64, 2}};
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct cache c;
        struct hv_err err = {""};
        struct cache_params params = {.size = rows[i].size, .ways = rows[i].ways, .line_bytes = 64};
        assert_false(cache_init(&c, "l2", &params, &err));
        assert_non_null(strstr(err.text, "cache.l2"));
    }
}

GTEST_MAIN("Memory", cmocka_unit_test(each_level_answers_in_its_time), cmocka_unit_test(absent_levels_are_passed),
           cmocka_unit_test(each_entry_has_its_first_level), cmocka_unit_test(walks_are_counted_apart),
           cmocka_unit_test(each_cache_has_its_ports), cmocka_unit_test(a_miss_waits_at_every_cache),
           cmocka_unit_test(a_store_reaches_memory_in_the_end), cmocka_unit_test(clean_lines_are_not_written),
           cmocka_unit_test(write_backs_delay_no_reference), cmocka_unit_test(content_follows_the_lists),
           cmocka_unit_test(the_port_sees_what_the_private_caches_miss),
           cmocka_unit_test(impossible_caches_are_named))
