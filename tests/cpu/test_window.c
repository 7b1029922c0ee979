/* SPDX-License-Identifier: MIT */
/*
 * The limits of the window, one at a time: what overlaps, and what the first access beyond a limit waits for. On the
 * bench machine (lab.h) a miss takes LAB_MISS cycles exactly, so that every time is known to the cycle.
 */
#include "gtest.h"

#include <stdio.h>

#include "lab.h"

/* Sixteen instructions dispatch in a cycle: a handful of accesses in a row costs no time of its own. */
#define WIDE "core.width=16 "
#define AMPLE WIDE "core.rob=4096 core.mshrs=256 core.store_buffer=4096 "

static struct lab *bench(const char *settings, unsigned value)
{
    char text[256];
    snprintf(text, sizeof(text), settings, value);
    return lab_bench(text);
}

static void add_misses(struct lab *l, enum hv_access_kind kind, uint64_t first, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        lab_add(l, kind, first + i, 0);
    }
}

/* --- MSHRs ------------------------------------------------------------------------------------------------------ */

/* k independent misses with m MSHRs are ceil(k / m) rounds. */
static void independent_misses_overlap(void **state)
{
    (void)state;
    for (unsigned mshrs = 1; mshrs <= 12; mshrs++) {
        for (unsigned misses = 1; misses <= 15; misses++) {
            struct lab *l = bench(AMPLE "core.mshrs=%u", mshrs);
            add_misses(l, HV_LOAD, 0, misses);
            unsigned rounds = (misses + mshrs - 1) / mshrs;
            assert_int_equal(lab_run(l), rounds * LAB_MISS);
            assert_int_equal(l->core->stats.mshr_cycles, misses * LAB_MISS);
            assert_int_equal(l->core->stats.cycles_data, rounds * LAB_MISS);
            /* Those of round n have waited for n rounds. */
            unsigned waited = 0;
            for (unsigned i = 0; i < misses; i++) {
                waited += i / mshrs;
            }
            assert_int_equal(l->core->stats.mshr_full_cycles, waited * LAB_MISS);
            lab_free(l);
        }
    }
}

static void dependent_misses_do_not(void **state)
{
    (void)state;
    struct lab *l = lab_bench(AMPLE);
    for (unsigned i = 0; i < 15; i++) {
        lab_chase(l, i, 0);
    }
    assert_int_equal(lab_run(l), 15 * LAB_MISS);
    assert_int_equal(l->core->stats.cycles_data, 15 * LAB_MISS);
    lab_free(l);
}

/* A hit's data can be used after the load-to-use latency, and only those who depend on it wait for it. */
static void dependent_hits_take_their_latency(void **state)
{
    (void)state;
    struct lab *l = lab_bench(AMPLE);
    lab_add(l, HV_LOAD, LAB_WARM_LINE, 0);
    for (unsigned i = 0; i < 10; i++) {
        lab_chase(l, LAB_WARM_LINE, 0);
    }
    assert_int_equal(lab_run(l), 10 * LAB_HIT);
    for (unsigned i = 0; i < 16; i++) {
        lab_add(l, HV_LOAD, LAB_WARM_LINE, 0);
    }
    assert_int_equal(lab_run(l), 1);
    lab_free(l);
}

/* A chain of n misses has one MSHR in turn, and so leaves the other to the misses that do not depend on it. */
static void a_chain_keeps_to_one_mshr(void **state)
{
    (void)state;
    struct lab *l = lab_bench(AMPLE "core.mshrs=2");
    for (unsigned i = 0; i < 5; i++) {
        lab_chase(l, i, 0);
    }
    add_misses(l, HV_LOAD, 10, 5);
    assert_int_equal(lab_run(l), 5 * LAB_MISS);
    lab_free(l);
}

/* --- Lines under way -------------------------------------------------------------------------------------------- */

static void a_second_miss_to_a_line_takes_no_mshr(void **state)
{
    (void)state;
    for (unsigned mshrs = 1; mshrs <= 2; mshrs++) {
        struct lab *l = bench(AMPLE "core.mshrs=%u", mshrs);
        lab_add(l, HV_LOAD, 0, 0);
        lab_add(l, HV_LOAD, 0, 0);
        lab_add(l, HV_LOAD, 1, 0);
        assert_int_equal(lab_run(l), (3 - mshrs) * LAB_MISS);
        assert_int_equal(l->core->stats.mshr_merges, 1);
        assert_int_equal(l->core->stats.mshr_cycles, 2 * LAB_MISS);
        assert_int_equal(l->m->cores[0].path.l1d.stats.misses, 2);
        lab_free(l);
    }
}

/* The data of the second is there with that of the first: neither a hit's latency before it, nor a cycle later. */
static void a_second_miss_ends_with_the_first(void **state)
{
    (void)state;
    static const struct { unsigned instructions; hv_cycles begins; } rows[] = {
        {0, LAB_MISS}, {16 * 50, LAB_MISS}, {16 * (LAB_MISS - LAB_HIT), LAB_MISS},
        {16 * LAB_MISS, LAB_MISS + LAB_HIT}, {16 * 2 * LAB_MISS, 2 * LAB_MISS + LAB_HIT},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct lab *l = lab_bench(AMPLE);
        lab_add(l, HV_LOAD, 0, 0);
        lab_add(l, HV_LOAD, 0, rows[i].instructions);
        lab_chase(l, 1, 0);
        assert_int_equal(lab_run(l), rows[i].begins + LAB_MISS);
        assert_int_equal(l->core->stats.mshr_merges, rows[i].instructions < 16 * LAB_MISS - 1);
        lab_free(l);
    }
}

/* --- Reorder buffer --------------------------------------------------------------------------------------------- */

/*
 * Misses `apart` instructions from each other. The first leaves the window when it is there; by then those up to
 * rob - 1 instructions behind it have begun: 1 + (rob - 1) / apart in all.
 */
static void reorder_buffer_bounds_overlap(void **state)
{
    (void)state;
    static const struct { unsigned rob, apart; } rows[] = {
        {1, 1}, {2, 1}, {16, 1}, {31, 8}, {32, 8}, {33, 8}, {40, 8}, {224, 3}, {224, 16}, {225, 16}, {226, 16}, {7, 8},
    };
    enum { WIDTH = 16, MISS = WIDTH * LAB_MISS }; /* in slots */
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        unsigned rob = rows[i].rob, apart = rows[i].apart, together = 1 + (rob - 1) / apart;
        for (unsigned misses = together; misses <= together + 1; misses++) {
            struct lab *l = bench(WIDE "core.mshrs=256 core.rob=%u", rob);
            for (unsigned n = 0; n < misses; n++) {
                lab_add(l, HV_LOAD, n, apart - 1);
            }
            /* The last begins in its own slot; one too many begins in the slot after that in which the one that
               leaves for it has retired, which was held up by the first miss with all before it. */
            unsigned number = misses * apart, begins = misses == together ? number : number - rob + MISS + 1;
            assert_int_equal(lab_run(l), (begins + MISS) / WIDTH);
            assert_int_equal(l->core->stats.rob_full_cycles, begins / WIDTH - number / WIDTH);
            lab_free(l);
        }
    }
}

/* Everything that retires makes room, `width` entries a cycle, whatever stands between. */
static void retirement_is_as_wide_as_dispatch(void **state)
{
    (void)state;
    for (unsigned width = 1; width <= 6; width++) {
        struct lab *l = bench("core.width=%u core.rob=64", width);
        lab_add(l, HV_LOAD, 0, 0);
        lab_add(l, HV_LOAD, LAB_WARM_LINE, 999);
        /* The miss in slot 1 holds up retirement; the 1000 instructions behind it follow, one a slot. */
        assert_int_equal(lab_run(l), (1 + LAB_MISS * width + 1000) / width);
        lab_free(l);
    }
}

/* --- Stores ----------------------------------------------------------------------------------------------------- */

/* With s entries the stores come in rounds of s: the first of a round waits for the first of the one before. */
static void store_buffer_bounds_stores(void **state)
{
    (void)state;
    for (unsigned entries = 1; entries <= 5; entries++) {
        for (unsigned stores = 1; stores <= 15; stores++) {
            struct lab *l = bench(AMPLE "core.store_buffer=%u", entries);
            add_misses(l, HV_STORE, 0, stores);
            unsigned waits = (stores - 1) / entries;
            assert_int_equal(lab_run(l), waits * LAB_MISS);
            assert_int_equal(l->core->stats.store_buffer_full_cycles, waits * LAB_MISS);
            assert_int_equal(l->core->stats.cycles_data, waits * LAB_MISS);
            lab_free(l);
        }
    }
}

/* Total store order: stores that hit keep their entries until the miss among them is written. */
static void stores_are_written_in_order(void **state)
{
    (void)state;
    enum { ENTRIES = 4 };
    for (unsigned place = 0; place < ENTRIES; place++) {
        for (unsigned more = 0; more <= ENTRIES; more++) {
            struct lab *l = bench(AMPLE "core.store_buffer=%u", ENTRIES);
            for (unsigned i = 0; i < ENTRIES + more; i++) {
                lab_add(l, HV_STORE, i == place ? 0 : LAB_WARM_LINE, 0);
            }
            /* Stores before the miss are written and make room; those behind it do not until it is written. */
            assert_int_equal(lab_run(l), more <= place ? 0 : LAB_MISS);
            lab_free(l);
        }
    }
}

/* A store is in the buffer until it has retired, so a load that misses before it keeps it there. */
static void stores_wait_for_retirement(void **state)
{
    (void)state;
    for (unsigned stores = 4; stores <= 5; stores++) {
        struct lab *l = lab_bench(AMPLE "core.store_buffer=4");
        lab_add(l, HV_LOAD, 0, 0);
        for (unsigned i = 0; i < stores; i++) {
            lab_add(l, HV_STORE, LAB_WARM_LINE, 0);
        }
        lab_add(l, HV_LOAD, 1, 0);
        /* The fifth store, and with it the second miss, dispatches when the first miss and the first store retired. */
        assert_int_equal(lab_run(l), stores == 4 ? LAB_MISS : 2 * LAB_MISS);
        lab_free(l);
    }
}

/* Stores that miss take MSHRs like loads. */
static void stores_and_loads_share_the_mshrs(void **state)
{
    (void)state;
    for (unsigned mshrs = 1; mshrs <= 2; mshrs++) {
        struct lab *l = bench(AMPLE "core.mshrs=%u", mshrs);
        lab_add(l, HV_STORE, 0, 0);
        lab_add(l, HV_LOAD, 1, 0);
        assert_int_equal(lab_run(l), (3 - mshrs) * LAB_MISS);
        lab_free(l);
    }
}

/* --- Walks ------------------------------------------------------------------------------------------------------ */

enum { WALK = 4 * LAB_HIT }; /* four entries, all in the first-level cache */

static struct lab *walking_bench(unsigned walkers, unsigned pages)
{
    char settings[512];
    snprintf(settings, sizeof(settings),
             "core.model=window " AMPLE "paging.mode=native workload.footprint=1MiB cache.l1d.ways=full "
             "cache.l1d.latency_cycles=%d tlb.l1d_4k.entries=0 tlb.l2.entries=0 mmu.pwc.kind=none mmu.walkers=%u",
             LAB_HIT, walkers);
    struct lab *l = lab_new(settings);
    for (unsigned page = 0; page < pages; page++) {
        lab_add(l, HV_LOAD, page * 64, 0);
    }
    lab_warm(l, CORE_WINDOW);
    return l;
}

/* k walks with w walkers are ceil(k / w) rounds; they are charged as walks while one is under way, then as waiting. */
static void walks_overlap_as_there_are_walkers(void **state)
{
    (void)state;
    for (unsigned walkers = 1; walkers <= 4; walkers++) {
        for (unsigned pages = 1; pages <= 12; pages++) {
            struct lab *l = walking_bench(walkers, pages);
            for (unsigned page = 0; page < pages; page++) {
                lab_add(l, HV_LOAD, page * 64, 0);
            }
            unsigned rounds = (pages + walkers - 1) / walkers;
            assert_int_equal(lab_run(l), rounds * WALK);
            assert_int_equal(l->core->stats.cycles_walk_guest, rounds * WALK);
            lab_free(l);
        }
    }
}

/* The address of a dependent access is known when the load before it is there: only then can its walk begin. */
static void walks_of_dependent_accesses_do_not(void **state)
{
    (void)state;
    struct lab *l = walking_bench(4, 3);
    for (unsigned page = 0; page < 3; page++) {
        lab_chase(l, page * 64, 0);
    }
    assert_int_equal(lab_run(l), 3 * WALK + 2 * LAB_HIT);
    assert_int_equal(l->core->stats.cycles_walk_guest, 3 * WALK);
    assert_int_equal(l->core->stats.cycles_data, 2 * LAB_HIT);
    lab_free(l);
}

/* --- What stops the flow ---------------------------------------------------------------------------------------- */

/* Nothing dispatches before it has been fetched; what was on its way goes on meanwhile. */
static void a_fetch_miss_stops_dispatch(void **state)
{
    (void)state;
    struct lab *l = lab_bench(AMPLE);
    lab_add(l, HV_LOAD, 0, 0);
    lab_add(l, HV_FETCH, 0, 0);
    lab_add(l, HV_LOAD, 1, 0)->flags = HV_ACCESS_SAME_INSTRUCTION;
    assert_int_equal(lab_run(l), 2 * LAB_MISS);
    lab_warm(l, CORE_WINDOW);
    lab_add(l, HV_LOAD, 2, 0);
    lab_add(l, HV_FETCH, 0, 0); /* a hit this time */
    lab_add(l, HV_LOAD, 3, 0)->flags = HV_ACCESS_SAME_INSTRUCTION;
    assert_int_equal(lab_run(l), LAB_MISS);
    lab_free(l);
}

/* An event begins when all before has retired, and what follows begins after it. */
static void an_event_drains(void **state)
{
    (void)state;
    enum { COST = 37 };
    for (unsigned cost = 0; cost <= COST; cost += COST) {
        struct lab *l = lab_bench(AMPLE);
        l->event_cycles = cost;
        lab_add(l, HV_LOAD, 0, 0);
        lab_event(l, 0);
        lab_add(l, HV_LOAD, 1, 0);
        lab_add(l, HV_LOAD, 2, 0);
        assert_int_equal(lab_run(l), 2 * LAB_MISS + cost);
        assert_int_equal(l->core->stats.cycles_exit, cost);
        assert_int_equal(l->core->stats.cycles_data, 2 * LAB_MISS);
        lab_free(l);
    }
}

/* So does time that the core is charged between two runs. */
static void a_charge_drains(void **state)
{
    (void)state;
    enum { COST = 41 };
    struct lab *l = lab_bench(AMPLE);
    lab_add(l, HV_LOAD, 0, 0);
    lab_add(l, HV_STORE, 1, 0);
    hv_cycles before = lab_run(l);
    core_charge(l->core, CORE_COST_INTERRUPT, COST, "work");
    lab_add(l, HV_LOAD, 2, 0);
    assert_int_equal(before, LAB_MISS);
    assert_int_equal(l->core->stats.cycles, LAB_MISS + COST);
    core_check_stack(l->core);
    assert_int_equal(lab_run(l), LAB_MISS);
    assert_int_equal(l->core->stats.cycles, 2 * LAB_MISS + COST);
    assert_int_equal(l->core->stats.cycles_interrupt, COST);
    lab_free(l);
}

static struct core_fault_reply cannot_help(void *ctx, const struct hv_fault *fault, hv_cycles now)
{
    const struct lab *l = ctx;
    assert_int_equal(fault->kind, HV_FAULT_NON_CANONICAL);
    assert_int_equal(now - l->core->started, LAB_MISS); /* the load before has retired */
    return (struct core_fault_reply){false, 23, CORE_COST_FAULT};
}

static void a_fault_drains(void **state)
{
    (void)state;
    struct lab *l = lab_bench(AMPLE);
    l->core->software.fault = cannot_help;
    lab_add(l, HV_LOAD, 0, 0);
    lab_add(l, HV_LOAD, 0, 0)->gva.v = UINT64_C(1) << 60;
    lab_add(l, HV_LOAD, 1, 0);
    assert_int_equal(lab_run(l), 2 * LAB_MISS + 23);
    assert_int_equal(l->core->stats.cycles_fault, 23);
    assert_int_equal(l->core->stats.aborted, 1);
    lab_free(l);
}

/* After a change of model nothing is under way: no line, no MSHR, no store, no load that another depends on. */
static void a_new_start_is_clean(void **state)
{
    (void)state;
    struct lab *l = lab_bench(WIDE "core.mshrs=1 core.store_buffer=1");
    for (unsigned round = 0; round < 4; round++) {
        lab_add(l, round == 3 ? HV_LOAD : HV_STORE, round == 3 ? LAB_WARM_LINE : round, 0);
        assert_int_equal(lab_run(l), 0); /* it has retired, but not ended */
        machine_set_model(l->m, CORE_WINDOW);
        if (round == 0) {
            lab_add(l, HV_LOAD, round, 0);
            assert_int_equal(lab_run(l), 0);
            assert_int_equal(l->core->stats.mshr_merges, 0);
        } else if (round == 1) {
            lab_add(l, HV_LOAD, 10, 0);
            assert_int_equal(lab_run(l), LAB_MISS);
        } else if (round == 2) {
            lab_add(l, HV_STORE, LAB_WARM_LINE, 0);
            assert_int_equal(lab_run(l), 0);
        } else {
            lab_chase(l, LAB_WARM_LINE, 0);
            assert_int_equal(lab_run(l), 0);
        }
        lab_warm(l, CORE_WINDOW);
    }
    lab_free(l);
}

/* Time goes on where another model left it, within the cycle too. */
static void time_goes_on(void **state)
{
    (void)state;
    struct lab *l = lab_bench("core.width=8");
    machine_set_model(l->m, CORE_FUNCTIONAL);
    lab_add(l, HV_LOAD, LAB_WARM_LINE, 8004);
    assert_int_equal(lab_run(l), 8005 / 8);
    machine_set_model(l->m, CORE_WINDOW);
    lab_add(l, HV_LOAD, LAB_WARM_LINE, 1);
    assert_int_equal(lab_run(l), 0); /* instructions 8006 and 8007 */
    lab_add(l, HV_LOAD, LAB_WARM_LINE, 0);
    assert_int_equal(lab_run(l), 1);
    machine_set_model(l->m, CORE_INORDER);
    lab_add(l, HV_LOAD, LAB_WARM_LINE, 6);
    assert_int_equal(lab_run(l), 0);
    lab_add(l, HV_LOAD, LAB_WARM_LINE, 0);
    assert_int_equal(lab_run(l), 1);
    lab_free(l);
}

/* The horizon is compared with what has retired. */
static void core_stops_at_the_horizon(void **state)
{
    (void)state;
    static const struct { hv_cycles horizon; size_t executed; } rows[] = {
        {0, 0}, {1, 1}, {LAB_MISS, 1}, {LAB_MISS + 1, 2}, {2 * LAB_MISS, 2}, {2 * LAB_MISS + 1, 3},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct lab *l = lab_bench(AMPLE);
        for (unsigned n = 0; n < 3; n++) {
            lab_chase(l, n, 0);
        }
        l->core->horizon = l->core->now + rows[i].horizon;
        assert_int_equal(core_run(l->core, l->stream, l->count), rows[i].executed);
        assert_int_equal(l->core->stats.cycles, rows[i].executed * LAB_MISS);
        l->core->horizon = UINT64_MAX;
        size_t left = l->count - rows[i].executed;
        assert_int_equal(core_run(l->core, l->stream + rows[i].executed, left), left);
        assert_int_equal(l->core->stats.cycles, 3 * LAB_MISS);
        lab_free(l);
    }
}

GTEST_MAIN("CoreWindow", cmocka_unit_test(independent_misses_overlap), cmocka_unit_test(dependent_misses_do_not),
           cmocka_unit_test(dependent_hits_take_their_latency), cmocka_unit_test(a_chain_keeps_to_one_mshr),
           cmocka_unit_test(a_second_miss_to_a_line_takes_no_mshr),
           cmocka_unit_test(a_second_miss_ends_with_the_first), cmocka_unit_test(reorder_buffer_bounds_overlap),
           cmocka_unit_test(retirement_is_as_wide_as_dispatch), cmocka_unit_test(store_buffer_bounds_stores),
           cmocka_unit_test(stores_are_written_in_order), cmocka_unit_test(stores_wait_for_retirement),
           cmocka_unit_test(stores_and_loads_share_the_mshrs), cmocka_unit_test(walks_overlap_as_there_are_walkers),
           cmocka_unit_test(walks_of_dependent_accesses_do_not), cmocka_unit_test(a_fetch_miss_stops_dispatch),
           cmocka_unit_test(an_event_drains), cmocka_unit_test(a_charge_drains), cmocka_unit_test(a_fault_drains),
           cmocka_unit_test(a_new_start_is_clean), cmocka_unit_test(time_goes_on),
           cmocka_unit_test(core_stops_at_the_horizon))
