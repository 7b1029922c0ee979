/* SPDX-License-Identifier: MIT */
/* Points as processes: what they leave behind, and what is left when some of them die. */
#include "gtest.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host.h"
#include "sweep/rehearse.h"
#include "sweep/store.h"

/* Two groups of three points each: [mode][width]. */
#define TEXT "config: c\nmetrics: [core.cycles]\nset: {workload: {footprint: 256KiB, accesses: 3000}}\n" \
             "axes: {paging.mode: [native, nested], core.width: [1, 2, 4]}\n"

enum { POINTS = 6 };

struct rig {
    char directory[64];
    struct sweep sweep;
    struct sweep_host host;
    struct sweep_outcome outcomes[POINTS];
    struct sweep_job job;
};

static const size_t all_points[POINTS] = {0, 1, 2, 3, 4, 5};

static void begin(struct rig *r, void (*simulate)(struct run *run), unsigned processes)
{
    struct hv_err err = {""};
    *r = (struct rig){.directory = "/tmp/hvsim-engine-XXXXXX", .host = test_host};
    assert_non_null(mkdtemp(r->directory));
    r->host.simulate = simulate;
    assert_true(sweep_load_text(&r->sweep, "s.yaml", TEXT, &r->host, &err));
    assert_true(sweep_expand(&r->sweep, NULL, 0, &err));
    assert_true(store_open(r->directory, &err));
    r->job = (struct sweep_job){
        .sweep = &r->sweep, .points = all_points, .count = POINTS, .processes = processes, .directory = r->directory,
        .outcomes = r->outcomes,
    };
}

static void end(struct rig *r)
{
    char points[96];
    store_remove_points(r->directory);
    snprintf(points, sizeof(points), "%s/points", r->directory);
    assert_int_equal(rmdir(points), 0); /* and so nothing else was there */
    assert_int_equal(rmdir(r->directory), 0);
    sweep_fini(&r->sweep);
}

static void run(struct rig *r)
{
    struct hv_err err = {""};
    assert_true(sweep_engine_local.run(&r->job, &err));
}

/* Which points have a result, as letters: "+-" says the first has. */
static void assert_results(const struct rig *r, const char *expected)
{
    char got[POINTS + 1] = "";
    for (size_t i = 0; i < POINTS; i++) {
        bool done = store_state(r->directory, &r->sweep.points[i]) == SWEEP_DONE;
        got[i] = done ? '+' : '-';
        assert_int_equal(r->outcomes[i].end == SWEEP_COMPUTED, done);
    }
    assert_string_equal(got, expected);
}

/* --- What is computed --------------------------------------------------------------------------------------------- */

static char *read_point(const struct rig *r, size_t i)
{
    char path[512], *text = calloc(1, 1 << 20);
    assert_non_null(text);
    snprintf(path, sizeof(path), "%s/points/%s.json", r->directory, r->sweep.points[i].name);
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    assert_true(fread(text, 1, 1 << 20, in) > 0);
    fclose(in);
    return text;
}

/* A point that forked from a prepared machine has the same file as one that was computed alone. */
static void sharing_changes_nothing(void **state)
{
    (void)state;
    struct rig shared, alone;
    begin(&shared, run_plainly, 2);
    run(&shared);
    assert_results(&shared, "++++++");
    begin(&alone, run_plainly, 1);
    for (size_t i = 0; i < POINTS; i++) {
        struct run one;
        struct hv_err err = {""};
        assert_true(sweep_compute_point(&alone.job, &alone.sweep.points[i], NULL, &one, &err));
        char *a = read_point(&shared, i), *b = read_point(&alone, i);
        assert_string_equal(a, b);
        free(a);
        free(b);
    }
    end(&shared);
    end(&alone);
}

static void outcomes_have_times_and_accesses(void **state)
{
    (void)state;
    struct rig r;
    begin(&r, run_plainly, 1);
    run(&r);
    for (size_t i = 0; i < POINTS; i++) {
        assert_int_equal(r.outcomes[i].accesses, 3000);
        assert_true(r.outcomes[i].run_seconds > 0 && r.outcomes[i].setup_seconds > 0);
    }
    end(&r);
}

/* --- Who dies ----------------------------------------------------------------------------------------------------- */

static bool is_the_fourth(const struct run *r)
{
    return r->machine->params.paging.mode == PAGING_NESTED && r->machine->params.core.width == 1;
}

static void fourth_kills_itself(struct run *r)
{
    if (is_the_fourth(r)) {
        raise(SIGKILL);
    }
    run_plainly(r);
}

static void fourth_ends(struct run *r)
{
    if (is_the_fourth(r)) {
        _exit(HV_EXIT_BUG);
    }
    run_plainly(r);
}

static void fourth_breaks(struct run *r)
{
    run_plainly(r);
    if (is_the_fourth(r)) {
        r->end = RUN_DAMAGED_STREAM;
        snprintf(r->err.text, sizeof(r->err.text), "the stream is damaged");
    }
}

/* Whoever prepared the group of the fourth dies as well. */
static void fourth_kills_its_parent(struct run *r)
{
    if (is_the_fourth(r)) {
        kill(getppid(), SIGKILL);
        pause(); /* until the kernel has told us */
    }
    run_plainly(r);
}

static const struct death_row {
    const char *name;
    void (*simulate)(struct run *r);
    unsigned processes;
    const char *results, *reason;
} death_rows[] = {
    {"killed", fourth_kills_itself, 2, "+++-++",
     "its process was killed by signal 9 (Killed), by somebody or for want of memory"},
    {"bug", fourth_ends, 1, "+++-++", "its process met a simulator bug, which is told above"},
    {"damaged_stream", fourth_breaks, 2, "+++-++", "the stream is damaged"},
    {"parent_killed", fourth_kills_its_parent, 1, "+++---",
     "the process that prepared its workload was killed by signal 9 (Killed), by somebody or for want of memory"},
};

static void death(void **state)
{
    const struct death_row *row = *state;
    struct rig r;
    begin(&r, row->simulate, row->processes);
    run(&r);
    assert_results(&r, row->results);
    assert_int_equal(r.outcomes[3].end, SWEEP_FAILED);
    assert_string_equal(r.outcomes[3].reason, row->reason);
    /* Later, what failed is computed without it. */
    r.host.simulate = run_plainly;
    run(&r);
    assert_results(&r, "++++++");
    end(&r);
}

/* The third is slow, so that it still runs when the worker dies at the group behind it: it is begun again. */
static void third_sleeps(struct run *r)
{
    if (r->machine->params.paging.mode == PAGING_NATIVE && r->machine->params.core.width == 4) {
        usleep(100000);
    }
    fourth_kills_its_parent(r);
}

static void the_group_before_goes_on(void **state)
{
    (void)state;
    struct rig r;
    begin(&r, third_sleeps, 2);
    run(&r);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(r.outcomes[i].end, SWEEP_COMPUTED);
        assert_int_equal(store_state(r.directory, &r.sweep.points[i]), SWEEP_DONE);
    }
    assert_int_equal(r.outcomes[3].end, SWEEP_FAILED);
    end(&r);
}

/* --- Rehearsal ---------------------------------------------------------------------------------------------------- */

static void rehearsal_counts_accesses(void **state)
{
    (void)state;
    struct rig r;
    struct hv_err err = {""};
    begin(&r, run_plainly, 1);
    assert_true(sweep_rehearse(&r.sweep, all_points, POINTS, &err));
    for (size_t i = 0; i < POINTS; i++) {
        assert_int_equal(r.sweep.points[i].accesses, 3000);
    }
    struct sweep_estimate e = sweep_estimate(&r.job);
    assert_int_equal(e.samples, 3);
    assert_true(e.seconds > 0 && e.seconds < 600);
    end(&r); /* estimating left no file */
}

/* What is wrong with the hardware is found although the group's workload has been tried with another. */
static void rehearsal_tries_all_hardware(void **state)
{
    (void)state;
    static const size_t points[] = {0, 1};
    struct sweep s;
    struct hv_err err = {""};
    expand_sweep(&s, "config: c\nmetrics: [core.cycles]\nset: {workload.footprint: 1MiB}\n"
                 "axes: {tlb.l2.ways: [12, 5]}\n");
    assert_false(sweep_rehearse(&s, points, 2, &err));
    assert_string_equal(err.text, "s.yaml: with tlb.l2.ways=5: tlb.l2: 1536 entries cannot be divided into sets of 5 "
                                  "ways; choose ways that divide entries, or `full`");
    sweep_fini(&s);
}

/* --- Store -------------------------------------------------------------------------------------------------------- */

static void states_of_a_result(void **state)
{
    (void)state;
    struct rig r;
    begin(&r, run_plainly, 1);
    assert_int_equal(store_state(r.directory, &r.sweep.points[0]), SWEEP_MISSING);
    run(&r);
    assert_int_equal(store_state(r.directory, &r.sweep.points[0]), SWEEP_DONE);
    r.sweep.points[0].key ^= 1;
    assert_int_equal(store_state(r.directory, &r.sweep.points[0]), SWEEP_CHANGED);
    end(&r);
}

static void one_sweep_a_directory(void **state)
{
    (void)state;
    struct rig r;
    struct hv_err err = {""};
    char expected[256];
    begin(&r, run_plainly, 1);
    assert_false(store_open(r.directory, &err));
    snprintf(expected, sizeof(expected), "another hvsim sweep is working in %s; wait for it, or choose another --out",
             r.directory);
    assert_string_equal(err.text, expected);
    end(&r);
}

/* Only what atomic_file and the store themselves have named. */
static void leftovers_are_removed(void **state)
{
    (void)state;
    static const char *const names[] = {".a.json.123.0.tmp", "keep.tmp", ".keep", "points/.b.json.9.1.tmp"};
    struct rig r;
    char path[4][96];
    begin(&r, run_plainly, 1);
    for (size_t i = 0; i < 4; i++) {
        snprintf(path[i], sizeof(path[i]), "%s/%s", r.directory, names[i]);
        FILE *out = fopen(path[i], "w");
        assert_non_null(out);
        fclose(out);
    }
    store_remove_temporaries(r.directory);
    store_remove_points(r.directory);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(access(path[i], F_OK) == 0, i == 1 || i == 2);
        unlink(path[i]);
    }
    end(&r);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sharing_changes_nothing), cmocka_unit_test(outcomes_have_times_and_accesses),
        cmocka_unit_test(the_group_before_goes_on), cmocka_unit_test(rehearsal_counts_accesses),
        cmocka_unit_test(rehearsal_tries_all_hardware), cmocka_unit_test(states_of_a_result),
        cmocka_unit_test(one_sweep_a_directory), cmocka_unit_test(leftovers_are_removed),
    };
    struct CMUnitTest death_tests[HV_ARRAY_LEN(death_rows)];
    gtest_rows(death_tests, death, death_rows, sizeof(death_rows[0]), HV_ARRAY_LEN(death_rows));
    const struct gtest_suite suites[] = {GTEST_SUITE("Engine", tests), GTEST_SUITE("Death", death_tests)};
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
