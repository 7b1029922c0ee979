/* SPDX-License-Identifier: MIT */
/* The series of intervals: where its borders are, and that it is the run, cut into pieces. */
#include "gtest.h"

#include <stdlib.h>
#include <string.h>

#include "build.h"
#include "machine/intervals.h"

enum { ROWS_MAX = 100000 };

/* A finished run and its series. */
struct series {
    struct machine *machine;
    struct intervals *intervals;
};

static struct series run_in_intervals(const char *settings, hv_cycles length)
{
    struct machine_params params;
    struct hv_err err = {""};
    struct run run;
    struct series s;
    resolve_settings(&params, settings);
    s.machine = machine_new(&params, NULL, &err);
    s.intervals = s.machine != NULL ? intervals_new(s.machine, length, &err) : NULL;
    struct run_options options = {.intervals = s.intervals};
    if (s.intervals == NULL || !run_begin(&run, s.machine, &options, &err)) {
        fail_msg("%s", err.text);
    }
    run_plainly(&run);
    run_finish(&run);
    assert_int_equal(run.end, RUN_COMPLETE);
    assert_int_equal(intervals_error(s.intervals), 0);
    return s;
}

static void end_series(struct series *s)
{
    intervals_free(s->intervals);
    machine_free(s->machine);
}

static uint64_t growth_of(const struct series *s, const struct interval *row, const char *name)
{
    long item = stats_find(&s->machine->stats, name);
    assert_true(item >= 0);
    assert_true(intervals_has(s->intervals, (size_t)item));
    return row->values[item];
}

/* Every counter: the sum of the rows is the total. Ends never go back, and the last is that of the run. */
static size_t check_sums(const struct series *s)
{
    const struct stat_registry *stats = &s->machine->stats;
    uint64_t *sums = calloc(stats->count, sizeof(*sums));
    assert_non_null(sums);
    struct interval row;
    size_t rows = 0;
    hv_cycles end = 0;
    for (intervals_rewind(s->intervals); intervals_next(s->intervals, &row); rows++) {
        assert_true(row.end > end);
        assert_int_equal(growth_of(s, &row, "machine.cycles"), row.end - end);
        end = row.end;
        for (size_t i = 0; i < stats->count; i++) {
            sums[i] += row.values[i];
        }
    }
    assert_int_equal(end, stat_of(s->machine, "machine.cycles"));
    for (size_t i = 0; i < stats->count; i++) {
        if (stats->items[i].kind != STAT_RATIO && intervals_has(s->intervals, i) && sums[i] != stats_whole(stats, i)) {
            fail_msg("%s: the intervals have %llu, the run %llu", stats->items[i].name, (unsigned long long)sums[i],
                     (unsigned long long)stats_whole(stats, i));
        }
    }
    free(sums);
    return rows;
}

/*
 * One page and one line: after the warm-up each access is a hit and takes what its 4 instructions take at width 4, one
 * cycle. So each interval of 100 cycles has 100 accesses, and the last of 1030 has the 30 that are left.
 */
static void borders_are_multiples_of_the_length(void **state)
{
    (void)state;
    struct series s = run_in_intervals("workload.kind=sequential workload.footprint=4KiB workload.accesses=2054 "
                                       "workload.warmup=1024 workload.instructions_per_access=4 core.width=4 "
                                       "workload.write_fraction=0 paging.mode=native", 100);
    struct interval row;
    uint64_t number = 0;
    for (intervals_rewind(s.intervals); intervals_next(s.intervals, &row); number++) {
        bool last = number == 10;
        assert_int_equal(row.end, last ? 1030 : (number + 1) * 100);
        assert_int_equal(growth_of(&s, &row, "core.accesses"), last ? 30 : 100);
        assert_int_equal(growth_of(&s, &row, "core.cycles"), last ? 30 : 100);
        assert_int_equal(growth_of(&s, &row, "tlb.l1d.lookups"), last ? 30 : 100);
    }
    assert_int_equal(number, 11);
    check_sums(&s);
    end_series(&s);
}

/*
 * Without caches and TLBs an access takes an instruction and 5 references of 100 cycles: 501. It counts where it
 * begins; where none begins there is no row, but the time of the last is in one.
 */
static void an_access_counts_where_it_begins(void **state)
{
    (void)state;
    struct series s = run_in_intervals(
        "workload.kind=uniform workload.accesses=4 workload.instructions_per_access=1 core.width=1 paging.mode=native "
        "mmu.pwc.kind=none tlb.l1d_4k.entries=0 tlb.l1d_2m.entries=0 tlb.l1d_1g.entries=0 tlb.l2.entries=0 "
        "tlb.l2_1g.entries=0 cache.l1d.size=0 cache.l2.size=0 cache.llc.size=0 dram.latency_cycles=100 "
        "dram.channels=64", 200);
    static const hv_cycles ends[] = {200, 600, 1200, 1600, 2004}; /* of those that begin at 0, 501, 1002, 1503 */
    struct interval row;
    size_t number = 0;
    for (intervals_rewind(s.intervals); intervals_next(s.intervals, &row); number++) {
        assert_true(number < HV_ARRAY_LEN(ends));
        assert_int_equal(row.end, ends[number]);
        assert_int_equal(growth_of(&s, &row, "core.accesses"), number < 4 ? 1 : 0);
        assert_int_equal(growth_of(&s, &row, "core.cycles"), number < 4 ? 501 : 0);
    }
    assert_int_equal(number, HV_ARRAY_LEN(ends));
    check_sums(&s);
    end_series(&s);
}

/* A machine whose every statistic moves, on several cores that reach a border at different times. */
static const struct length_row {
    const char *name;
    hv_cycles length;
    const char *settings;
} length_rows[] = {
    {"one_core", 1000, "machine.cores=1"},
    {"each_cycle", 1, "machine.cores=1 workload.accesses=3000"},
    {"longer_than_the_run", 1000000000000, "machine.cores=1"},
    {"warmed_up", 1000, "machine.cores=1 workload.warmup=5000"},
    {"two_cores", 1000, "machine.cores=2"},
    {"four_cores", 10, "machine.cores=4 workload.accesses=400"},
    {"a_core_of_none", 1000, "machine.cores=3 vm.vcpus=2"},
};

static void the_sum_is_the_run(void **state)
{
    const struct length_row *row = *state;
    char settings[512];
    snprintf(settings, sizeof(settings), "workload.kind=zipf workload.footprint=4MiB workload.accesses=20000 "
             "paging.prefault=false vcpu.threads=true sched.processes=2 sched.process_quantum=700 vm.count=2 "
             "sched.vcpu_quantum=1500 mmu.nested_tlb.entries=8 %s", row->settings);
    struct series s = run_in_intervals(settings, row->length);
    size_t rows = check_sums(&s);
    assert_true(rows >= 1 && rows < ROWS_MAX);
    assert_true(row->length < 1000000 ? rows > 10 : rows == 1);
    /* Taking the series changes nothing. */
    struct machine *plain = run_settings(settings);
    for (size_t i = 0; i < plain->stats.count; i++) {
        if (plain->stats.items[i].kind != STAT_RATIO &&
            stats_whole(&plain->stats, i) != stats_whole(&s.machine->stats, i)) {
            fail_msg("%s differs", plain->stats.items[i].name);
        }
    }
    machine_free(plain);
    end_series(&s);
}

static void what_cannot_be_added_is_left_out(void **state)
{
    (void)state;
    static const struct { const char *name; bool has; } rows[] = {
        {"machine.cycles", true}, {"core.cycles", true}, {"core.cpi", true}, {"tlb.l2.lookups", true},
        {"tlb.l2.miss_ratio", true}, {"mmu.walk_cycles_mean", true}, {"dram.reads", true}, {"vmm.page_faults", true},
        {"mmu.grid.g4.h4.refs", true}, {"mmu.walk_refs_max", false}, {"mmu.walk_cycles_max", false},
        {"mmu.walk_cycles_p50", false}, {"mmu.walk_cycles_p99", false},
    };
    struct series s = run_in_intervals("workload.footprint=1MiB workload.accesses=1000", 1000);
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        long item = stats_find(&s.machine->stats, rows[i].name);
        assert_true(item >= 0);
        if (intervals_has(s.intervals, (size_t)item) != rows[i].has) {
            fail_msg("an interval has %s: %d", rows[i].name, !rows[i].has);
        }
    }
    end_series(&s);
}

static void cores_without_common_time_need_long_intervals(void **state)
{
    (void)state;
    struct machine_params params;
    struct hv_err err = {""};
    resolve_settings(&params, "machine.cores=2 timing.sync=quantum timing.quantum_cycles=500 workload.accesses=10");
    struct machine *m = machine_new(&params, NULL, &err);
    assert_non_null(m);
    assert_null(intervals_new(m, 499, &err));
    assert_string_equal(err.text, "--interval of 499 cycles is shorter than timing.quantum_cycles, 500, within which "
                        "cores have no common time; choose at least that");
    struct intervals *s = intervals_new(m, 500, &err);
    assert_non_null(s);
    intervals_free(s);
    machine_free(m);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(borders_are_multiples_of_the_length),
        cmocka_unit_test(an_access_counts_where_it_begins),
        cmocka_unit_test(what_cannot_be_added_is_left_out),
        cmocka_unit_test(cores_without_common_time_need_long_intervals),
    };
    struct CMUnitTest sum_tests[HV_ARRAY_LEN(length_rows)];
    gtest_rows(sum_tests, the_sum_is_the_run, length_rows, sizeof(length_rows[0]), HV_ARRAY_LEN(length_rows));
    const struct gtest_suite suites[] = {
        GTEST_SUITE("Intervals", tests),
        GTEST_SUITE("IntervalSums", sum_tests),
    };
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
