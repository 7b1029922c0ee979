/* SPDX-License-Identifier: MIT */
/* Whole runs of small machines: identities between statistics, the warm-up, and what a TLB's capacity costs. */
#include "gtest.h"

#include <stdio.h>
#include <string.h>

#include "build.h"

/* --- identities --------------------------------------------------------------------------------------------------- */

/* What is not as usual in a run. */
enum {
    FAULTS = 1 << 0,     /* accesses are made again, and a walk that faults fills nothing */
    REWRITES = 1 << 1,   /* a store through an entry that is not dirty yet misses, and rewrites it in place */
    OTHER_REFS = 1 << 2, /* not each reference of a walk, or more than these, goes to the L1 data cache */
    OVERLAPS = 1 << 3,   /* the core does not wait for every walk */
};

static const struct machine_row {
    const char *name, *settings;
    unsigned traits;
} machine_rows[] = {
    {"native", "paging.mode=native", 0},
    {"nested", "paging.mode=nested", 0},
    {"five_levels", "paging.guest.levels=5 paging.host.levels=5 workload.kind=zipf", 0},
    {"no_walk_caches", "mmu.pwc.kind=none", 0},
    {"entry_caches", "mmu.pwc.kind=entry mmu.nested_tlb.entries=16", OTHER_REFS},
    {"nested_tlb", "mmu.nested_tlb.entries=24 mmu.nested_tlb.ways=4", 0},
    {"npt", "paging.host.format=npt", 0},
    {"splintered", "paging.guest.page_size=2m paging.host.huge_fraction=0.5", 0},
    {"host_1g", "paging.host.page_size=1g paging.host.table_page_size=4k", 0},
    {"odd_geometry", "tlb.l2.entries=900 tlb.l2.ways=9 tlb.l1d_4k.entries=12 tlb.l1d_4k.ways=3", 0},
    {"walks_enter_l2", "mmu.walk_entry=l2", OTHER_REFS},
    {"demand_paging", "paging.prefault=false", FAULTS},
    {"demand_paging_native", "paging.prefault=false paging.mode=native", FAULTS},
    {"checked", "check.stale=true workload.kind=stride workload.stride=8200", 0},
    {"flags_set_by_walks", "paging.preset_flags=false", REWRITES | OTHER_REFS},
    {"untagged", "tlb.tagged=false", 0},
    {"prefetch", "tlb.prefetch=next_page workload.kind=stride workload.stride=4096", OTHER_REFS},
    {"prefetch_checked", "tlb.prefetch=next_page check.stale=true mmu.walkers=2", OTHER_REFS},
    {"banks", "dram.banks=16 dram.channels=3", 0},
    {"narrow_memory", "dram.channels=1 dram.bytes_per_cycle=1", 0},
    {"few_ports", "cache.l1d.ports=1 cache.l2.ports=1 cache.llc.ports=1 core.width=8", 0},
    {"window", "core.model=window mmu.walkers=2", OVERLAPS},
    {"window_demand_paging", "core.model=window paging.prefault=false", FAULTS | OVERLAPS},
    {"functional", "core.model=functional", OVERLAPS},
};

static uint64_t sum(const struct machine *m, const char *a, const char *b)
{
    return stat_of(m, a) + stat_of(m, b);
}

static void check_translations(const struct machine *m, const struct machine_row *row, uint64_t accesses)
{
    uint64_t faults = stat_of(m, "mmu.faults_guest_page") + stat_of(m, "mmu.faults_violation");
    assert_int_equal(faults > 0, (row->traits & FAULTS) != 0);
    assert_int_equal(stat_of(m, "core.aborted"), 0);
    assert_int_equal(stat_of(m, "core.accesses"), accesses);
    /* Each fault that was handled looks the address up once more. */
    assert_int_equal(sum(m, "tlb.l1d.lookups", "tlb.l1i.lookups"), accesses + faults);
    assert_int_equal(stat_of(m, "tlb.l2.lookups"), sum(m, "tlb.l1d.misses", "tlb.l1i.misses"));
    assert_int_equal(stat_of(m, "mmu.walks"), stat_of(m, "tlb.l2.misses"));
    uint64_t fills = stat_of(m, "tlb.l1d.fills"), wanted = stat_of(m, "tlb.l1d.misses") - faults;
    assert_true((row->traits & REWRITES) != 0 ? fills < wanted : fills == wanted);
    assert_int_equal(sum(m, "vmm.page_faults", "vmm.ept_violations"), faults);
    assert_int_equal(stat_of(m, "mmu.stale_found"), 0);
}

static void check_walks(const struct machine *m, const struct machine_row *row)
{
    uint64_t refs = 0, cycles = 0;
    for (size_t i = 0; i < m->stats.count; i++) {
        const char *name = m->stats.items[i].name;
        if (strncmp(name, "mmu.grid.", strlen("mmu.grid.")) == 0) {
            bool is_refs = strcmp(strrchr(name, '.'), ".refs") == 0;
            *(is_refs ? &refs : &cycles) += stats_whole(&m->stats, i);
        }
    }
    assert_true(refs > 0);
    assert_int_equal(refs, stat_of(m, "mmu.walk_refs"));
    assert_int_equal(refs, sum(m, "mmu.walk_refs_guest", "mmu.walk_refs_host"));
    assert_int_equal(cycles, stat_of(m, "mmu.walk_cycles"));
    assert_true(stat_of(m, "mmu.walk_refs_max") * stat_of(m, "mmu.walks") >= refs);
    assert_true(stat_of(m, "mmu.walk_cycles_max") >= stat_of(m, "mmu.walk_cycles_p99"));
    assert_true(stat_of(m, "mmu.walk_cycles_p99") >= stat_of(m, "mmu.walk_cycles_p50"));
    uint64_t waited = sum(m, "core.cycles_walk_guest", "core.cycles_walk_host");
    assert_true((row->traits & OVERLAPS) != 0 ? waited < cycles : waited == cycles);
}

static void assert_same(double a, double b)
{
    assert_true(a > 0 && a - b < 1e-12 * a && b - a < 1e-12 * a);
}

/* Little's law: how many there are on average is the rate at which they come times the mean time that one stays. */
static void check_littles_law(const struct machine *m)
{
    double cycles = value_of(m, "core.cycles"), reads = value_of(m, "dram.reads");
    double prefetching = value_of(m, "mmu.prefetch_cycles") / cycles;
    assert_same(value_of(m, "mmu.walkers_busy_mean"),
                value_of(m, "mmu.walks") / cycles * value_of(m, "mmu.walk_cycles_mean") + prefetching);
    double waited = value_of(m, "dram.queue_cycles") + value_of(m, "dram.bank_queue_cycles") +
                    value_of(m, "dram.row_open_cycles");
    double mean = (double)m->params.dram.latency_cycles + waited / reads;
    assert_same(value_of(m, "dram.read_cycles_mean"), mean);
    assert_same(value_of(m, "dram.occupancy_mean"), reads / cycles * mean);
}

/* What one cache misses, the next one sees, down to DRAM. */
static void check_caches(const struct machine *m, const struct machine_row *row, uint64_t accesses)
{
    assert_int_equal(sum(m, "cache.l1d.hits", "cache.l1d.misses"), accesses);
    assert_int_equal(sum(m, "cache.l2.hits", "cache.l2.misses"), stat_of(m, "cache.l1d.misses"));
    assert_int_equal(sum(m, "cache.llc.hits", "cache.llc.misses"), stat_of(m, "cache.l2.misses"));
    if ((row->traits & OTHER_REFS) == 0) {
        assert_int_equal(sum(m, "cache.l1d.walk_hits", "cache.l1d.walk_misses"), stat_of(m, "mmu.walk_refs"));
        assert_int_equal(sum(m, "cache.l2.walk_hits", "cache.l2.walk_misses"), stat_of(m, "cache.l1d.walk_misses"));
    }
    assert_int_equal(stat_of(m, "dram.reads"), sum(m, "cache.llc.misses", "cache.llc.walk_misses"));
}

static void check_cycle_stack(const struct machine *m)
{
    uint64_t total = sum(m, "core.cycles_base", "core.cycles_tlb") +
                     sum(m, "core.cycles_walk_guest", "core.cycles_walk_host") +
                     sum(m, "core.cycles_data", "core.cycles_fault") +
                     sum(m, "core.cycles_exit", "core.cycles_interrupt");
    assert_int_equal(total, stat_of(m, "core.cycles"));
    assert_true(stat_of(m, "core.cycles_base") > 0);
}

static void identities_hold(void **state)
{
    const struct machine_row *row = *state;
    char settings[512];
    const uint64_t accesses = 150000; /* more than two slices */
    snprintf(settings, sizeof(settings), "workload.footprint=24MiB workload.accesses=%llu %s",
             (unsigned long long)accesses, row->settings);
    struct machine *m = run_settings(settings);
    check_translations(m, row, accesses);
    check_walks(m, row);
    check_caches(m, row, accesses);
    check_cycle_stack(m);
    check_littles_law(m);
    machine_free(m);
}

/* --- warm-up ------------------------------------------------------------------------------------------------------ */

/* What the warm-up counted and what was counted after it are together the run without one. */
static void warmup_splits_a_run(void **state)
{
    (void)state;
    static const char *const additive[] = {
        "core.accesses", "core.instructions", "core.cycles", "tlb.l1d.misses", "tlb.l2.hits", "mmu.walks",
        "mmu.walk_refs", "mmu.walk_cycles", "cache.l1d.hits", "cache.llc.walk_misses", "dram.reads",
    };
    /* 70000 ends within a slice, and the stream of the first run is the beginning of the second's. */
    struct machine *begin = run_settings("workload.footprint=32MiB workload.accesses=70000");
    struct machine *rest = run_settings("workload.footprint=32MiB workload.accesses=200000 workload.warmup=70000");
    struct machine *whole = run_settings("workload.footprint=32MiB workload.accesses=200000");
    for (size_t i = 0; i < HV_ARRAY_LEN(additive); i++) {
        uint64_t parts = stat_of(begin, additive[i]) + stat_of(rest, additive[i]);
        if (parts != stat_of(whole, additive[i])) {
            fail_msg("%s: %llu in two parts, %llu as a whole", additive[i], (unsigned long long)parts,
                     (unsigned long long)stat_of(whole, additive[i]));
        }
    }
    assert_int_equal(stat_of(rest, "core.accesses"), 130000);
    machine_free(begin);
    machine_free(rest);
    machine_free(whole);
}

/* A warm-up without time leaves what the same warm-up with time leaves; then the model of the run begins. */
static void warmup_may_be_functional(void **state)
{
    (void)state;
    static const char *const models[] = {"inorder", "window"};
    static const char *const same[] = {
        "core.accesses", "core.instructions", "tlb.l1d.hits", "tlb.l2.hits", "mmu.walks", "mmu.walk_refs",
        "cache.l1d.hits", "cache.l2.hits", "cache.llc.hits", "cache.llc.walk_hits", "dram.reads", "dram.writes",
    };
    for (size_t model = 0; model < HV_ARRAY_LEN(models); model++) {
        char settings[256];
        snprintf(settings, sizeof(settings), "workload.footprint=32MiB workload.accesses=200000 "
                 "workload.warmup=70000 core.model=%s", models[model]);
        struct machine *timed = run_settings(settings);
        strcat(settings, " core.warmup_model=functional");
        struct machine *functional = run_settings(settings);
        for (size_t i = 0; i < HV_ARRAY_LEN(same); i++) {
            assert_int_equal(stat_of(functional, same[i]), stat_of(timed, same[i]));
        }
        /* Only the first accesses can tell: those that would have found something under way. */
        uint64_t cycles = stat_of(timed, "core.cycles"), other = stat_of(functional, "core.cycles");
        assert_true(other > cycles - cycles / 1000 && other < cycles + cycles / 1000);
        assert_true(functional->cores[0].core.now < timed->cores[0].core.now);
        machine_free(timed);
        machine_free(functional);
    }
}

static void warmup_must_leave_something(void **state)
{
    (void)state;
    struct machine_params params;
    struct hv_err err = {""};
    struct run run;
    struct run_options options = {.show_progress = false};
    resolve_settings(&params, "workload.accesses=10 workload.warmup=10");
    struct machine *m = machine_new(&params, NULL, &err);
    assert_non_null(m);
    assert_false(run_begin(&run, m, &options, &err));
    assert_string_equal(err.text,
                        "workload.warmup of 10 accesses leaves none to measure of a workload of 10; lower it");
    machine_free(m);
    m = run_settings("workload.accesses=10 workload.warmup=9");
    assert_int_equal(stat_of(m, "core.accesses"), 1);
    machine_free(m);
}

/* --- contention --------------------------------------------------------------------------------------------------- */

/*
 * Accesses that all hit, four instructions a cycle and each an access: with P ports, four accesses take 4 / P cycles.
 * What is beyond the one that they need to issue is charged to data.
 */
static void ports_limit_a_core_that_always_hits(void **state)
{
    (void)state;
    enum { ACCESSES = 20000 };
    static const struct {
        unsigned ports, accesses_per_cycle;
    } rows[] = {{0, 4}, {1, 1}, {2, 2}, {4, 4}, {16, 4}};
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        char settings[512];
        snprintf(settings, sizeof(settings),
                 "workload.footprint=16KiB workload.accesses=%d workload.warmup=%d workload.instructions_per_access=1 "
                 "core.width=4 cache.l1d.ports=%u", 2 * ACCESSES, ACCESSES, rows[i].ports);
        struct machine *m = run_settings(settings);
        assert_int_equal(stat_of(m, "cache.l1d.hits"), ACCESSES);
        assert_int_equal(stat_of(m, "core.cycles"), ACCESSES / rows[i].accesses_per_cycle);
        assert_int_equal(stat_of(m, "cache.l1d.port_wait_cycles"), stat_of(m, "core.cycles_data"));
        machine_free(m);
    }
}

/* An in-order core has one thing under way at a time: there is nothing to wait for or to merge, however many walkers. */
static void an_inorder_core_does_not_contend(void **state)
{
    (void)state;
    struct machine *one = run_settings("workload.footprint=64MiB workload.accesses=50000");
    struct machine *many = run_settings("workload.footprint=64MiB workload.accesses=50000 mmu.walkers=16 "
                                        "mmu.merge_walks=false dram.channels=64");
    for (size_t i = 0; i < one->stats.count; i++) {
        if (one->stats.items[i].kind != STAT_RATIO &&
            stats_whole(&one->stats, i) != stats_whole(&many->stats, i)) {
            fail_msg("%s differs", one->stats.items[i].name);
        }
    }
    assert_int_equal(stat_of(one, "mmu.walk_queue_cycles") + stat_of(one, "mmu.walks_merged"), 0);
    machine_free(one);
    machine_free(many);
}

/* A sequential walk through memory finds every page but the first brought already, or on its way. */
static void prefetching_serves_a_sequential_stream(void **state)
{
    (void)state;
    static const char settings[] = "workload.kind=sequential workload.footprint=8MiB workload.accesses=1048576 "
                                   "paging.mode=native";
    struct machine *without = run_settings(settings);
    char with_prefetch[sizeof(settings) + 32];
    snprintf(with_prefetch, sizeof(with_prefetch), "%s tlb.prefetch=next_page", settings);
    struct machine *with = run_settings(with_prefetch);
    uint64_t pages = HV_MIB(8) / HV_PAGE_BYTES;
    assert_int_equal(stat_of(without, "mmu.walks"), pages);
    assert_int_equal(stat_of(with, "mmu.walks"), pages / 2); /* a hit starts no prefetch, so every other page misses */
    assert_int_equal(stat_of(with, "mmu.prefetch_hits"), pages / 2);
    assert_true(stat_of(with, "core.cycles") < stat_of(without, "core.cycles"));
    machine_free(without);
    machine_free(with);
}

/* --- capacity ----------------------------------------------------------------------------------------------------- */

/*
 * A chase visits N pages in turn. An LRU TLB of E entries, fully associative, holds them all while N <= E; with one
 * page more, each access needs just the page that was thrown out for the last one. What that costs is the latency of
 * whatever answers instead: there are no data caches, so that nothing else changes with N.
 */
static const struct capacity_row {
    const char *name;
    uint64_t entries;
    const char *settings; /* who answers a miss */
    uint64_t step_cycles; /* how long that takes */
} capacity_rows[] = {
    {"one_entry", 1, "tlb.l2.latency_cycles=7", 7},
    {"two_entries", 2, "tlb.l2.latency_cycles=7", 7},
    {"no_power_of_two", 37, "tlb.l2.latency_cycles=7", 7},
    {"sixty_four_entries", 64, "tlb.l2.latency_cycles=7", 7},
    {"fast", 64, "tlb.l2.latency_cycles=1", 1},
    {"slow", 64, "tlb.l2.latency_cycles=25", 25},
    {"native_walk", 64, "tlb.l2.entries=0 paging.mode=native", 4 * 100},
    {"native_walk_five", 64, "tlb.l2.entries=0 paging.mode=native paging.guest.levels=5", 5 * 100},
    {"nested_walk_2m", 64, "tlb.l2.entries=0 paging.mode=nested paging.host.page_size=2m", 19 * 100},
    {"nested_walk", 64, "tlb.l2.entries=0 paging.mode=nested", 24 * 100},
    {"nested_walk_five", 3, "tlb.l2.entries=0 paging.guest.levels=5 paging.host.levels=5", 35 * 100},
};

enum { CHASED = 4000 };

static struct machine *chase(const struct capacity_row *row, uint64_t pages)
{
    char settings[1024];
    snprintf(settings, sizeof(settings),
             "workload.kind=chase workload.footprint=%llu workload.accesses=%llu workload.warmup=%llu "
             "workload.instructions_per_access=1 core.width=1 tlb.l1d_4k.entries=%llu tlb.l1d_4k.ways=full "
             "tlb.l1d_4k.replacement=lru mmu.pwc.kind=none cache.l1d.size=0 cache.l2.size=0 cache.llc.size=0 "
             "dram.latency_cycles=100 %s",
             (unsigned long long)(pages * HV_PAGE_BYTES), (unsigned long long)(CHASED + 2 * pages),
             (unsigned long long)(2 * pages), (unsigned long long)row->entries, row->settings);
    return run_settings(settings);
}

static void capacity_is_a_step(void **state)
{
    const struct capacity_row *row = *state;
    struct machine *fits = chase(row, row->entries);
    struct machine *less = chase(row, (row->entries + 1) / 2);
    struct machine *over = chase(row, row->entries + 1);
    struct machine *more = chase(row, 3 * row->entries);
    assert_int_equal(stat_of(fits, "tlb.l1d.misses"), 0);
    assert_int_equal(stat_of(less, "tlb.l1d.misses"), 0);
    assert_int_equal(stat_of(over, "tlb.l1d.hits"), 0);
    assert_int_equal(stat_of(more, "tlb.l1d.hits"), 0);
    assert_int_equal(stat_of(fits, "tlb.l1d.hits"), CHASED);
    assert_int_equal(stat_of(over, "tlb.l1d.misses"), CHASED);

    /* An instruction and a line of memory each: 1 + 100 cycles, and not one more while the pages fit. */
    assert_int_equal(stat_of(fits, "core.cycles"), CHASED * 101);
    assert_int_equal(stat_of(less, "core.cycles"), CHASED * 101);
    assert_int_equal(stat_of(over, "core.cycles"), CHASED * (101 + row->step_cycles));
    assert_int_equal(stat_of(more, "core.cycles"), CHASED * (101 + row->step_cycles));
    machine_free(fits);
    machine_free(less);
    machine_free(over);
    machine_free(more);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest warmup_tests[] = {
        cmocka_unit_test(warmup_splits_a_run),
        cmocka_unit_test(warmup_may_be_functional),
        cmocka_unit_test(warmup_must_leave_something),
    };
    const struct CMUnitTest contention_tests[] = {
        cmocka_unit_test(ports_limit_a_core_that_always_hits),
        cmocka_unit_test(an_inorder_core_does_not_contend),
        cmocka_unit_test(prefetching_serves_a_sequential_stream),
    };
    struct CMUnitTest identity_tests[HV_ARRAY_LEN(machine_rows)], capacity_tests[HV_ARRAY_LEN(capacity_rows)];
    gtest_rows(identity_tests, identities_hold, machine_rows, sizeof(machine_rows[0]), HV_ARRAY_LEN(machine_rows));
    gtest_rows(capacity_tests, capacity_is_a_step, capacity_rows, sizeof(capacity_rows[0]),
               HV_ARRAY_LEN(capacity_rows));
    const struct gtest_suite suites[] = {
        GTEST_SUITE("RunIdentities", identity_tests),
        GTEST_SUITE("RunWarmup", warmup_tests),
        GTEST_SUITE("RunContention", contention_tests),
        GTEST_SUITE("RunCapacity", capacity_tests),
    };
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
