/* SPDX-License-Identifier: MIT */
/* What of the Slurm engine needs no Slurm: reading squeue's answers, and the files that tasks are told and report by. */
#include "gtest.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host.h"
#include "sweep/slurm_run.h"

/* --- What squeue says --------------------------------------------------------------------------------------------- */

/* A line in squeue's columns: 20, 20, 24, 12, 24, 60 and 60 characters wide. */
#define ROW "%-20s%-20s%-24s%-12s%-24s%-60s%-60s\n"

static void rows_are_read(void **state)
{
    (void)state;
    char text[2048];
    struct slurm_queue queue;
    int used = snprintf(text, sizeof(text), ROW, "17", "3", "RUNNING", "0", "2026-11-21T13:32:31", "n1", "None");
    used += snprintf(text + used, sizeof(text) - (size_t)used, ROW, "17", "4", "PENDING", "0", "", "",
                     "launch failed requeued held");
    used += snprintf(text + used, sizeof(text) - (size_t)used, ROW, "17", "5", "FAILED", "24832", "x", "n2", "None");
    snprintf(text + used, sizeof(text) - (size_t)used, ROW, "17", "6", "FAILED", "9", "x", "n2", "None");
    slurm_read_queue(text, &queue);
    assert_int_equal(queue.count, 4);
    assert_int_equal(queue.rows[0].job, 17);
    assert_int_equal(queue.rows[0].task, 3);
    assert_null(queue.rows[0].end);
    assert_true(queue.rows[0].began);
    assert_string_equal(queue.rows[0].node, "n1");
    assert_null(queue.rows[1].end);
    assert_false(queue.rows[1].began);
    assert_string_equal(queue.rows[1].reason, "launch failed requeued held");
    assert_string_equal(queue.rows[2].end->state, "FAILED");
    assert_int_equal(WEXITSTATUS(queue.rows[2].status), SLURM_NO_RESULTS);
    assert_true(WIFSIGNALED(queue.rows[3].status));
    assert_int_equal(WTERMSIG(queue.rows[3].status), SIGKILL);
    slurm_queue_fini(&queue);
}

/* States that Slurm does not list as ends go on: more of them are invented with each version. */
static void only_ends_end(void **state)
{
    (void)state;
    static const char *const going[] = {"PENDING", "RUNNING", "COMPLETING", "SUSPENDED", "REQUEUED", "STAGE_OUT"};
    static const char *const over[] = {"COMPLETED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "PREEMPTED", "OUT_OF_MEMORY"};
    for (size_t i = 0; i < HV_ARRAY_LEN(going); i++) {
        char text[2][512];
        struct slurm_queue queue;
        snprintf(text[0], sizeof(text[0]), ROW, "1", "1", going[i], "0", "", "", "");
        snprintf(text[1], sizeof(text[1]), ROW, "1", "1", over[i], "0", "", "", "");
        slurm_read_queue(text[0], &queue);
        assert_null(queue.rows[0].end);
        slurm_queue_fini(&queue);
        slurm_read_queue(text[1], &queue);
        assert_non_null(queue.rows[0].end);
        slurm_queue_fini(&queue);
    }
}

static void other_text_is_no_row(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "\n", "slurm_load_jobs error: Invalid job id specified\n", "17", "17  \n\n"};
    for (size_t i = 0; i < HV_ARRAY_LEN(texts); i++) {
        struct slurm_queue queue;
        slurm_read_queue(texts[i], &queue);
        assert_int_equal(queue.count, 0);
        slurm_queue_fini(&queue);
    }
}

/* --- Tasks and reports -------------------------------------------------------------------------------------------- */

#define TEXT "config: c\nmetrics: [core.cycles]\naxes: {core.width: [1, 2, 3, 4, 5, 6, 7]}\n"
#define OTHER "config: c\nmetrics: [core.cycles]\naxes: {core.width: [1, 2, 3, 4, 5, 6, 8]}\n"

struct rig {
    char directory[64];
    struct sweep sweep;
    struct slurm_run run;
};

static void begin(struct rig *r)
{
    struct hv_err err = {""};
    *r = (struct rig){.directory = "/tmp/hvsim-slurm-XXXXXX"};
    assert_non_null(mkdtemp(r->directory));
    expand_sweep(&r->sweep, TEXT);
    assert_true(slurm_run_init(&r->run, r->directory, 3, &err));
}

static void end(struct rig *r)
{
    slurm_run_fini(&r->run);
    slurm_run_remove_all(r->directory);
    assert_int_equal(rmdir(r->directory), 0); /* and so nothing is left of the run */
    sweep_fini(&r->sweep);
}

static const size_t points[] = {6, 0, 1, 5, 2};

static void tasks_are_read_as_they_were_written(void **state)
{
    (void)state;
    struct rig r;
    struct slurm_run read;
    struct hv_err err = {""};
    begin(&r);
    assert_int_equal(slurm_run_newest(r.directory), 0);
    slurm_run_divide(&r.run, points, 5, 2);
    assert_int_equal(r.run.task_count, 3);
    assert_true(slurm_run_write(&r.run, &r.sweep, &err));
    assert_int_equal(slurm_run_newest(r.directory), 3);
    assert_true(slurm_run_init(&read, r.directory, 3, &err));
    assert_string_equal(read.name, r.run.name);
    assert_true(slurm_run_read(&read, &r.sweep, &err));
    assert_true(read.matches);
    assert_int_equal(read.task_count, 3);
    assert_memory_equal(read.points, points, sizeof(points));
    assert_int_equal(read.tasks[2].first, 4);
    assert_int_equal(read.tasks[2].count, 1);
    slurm_run_fini(&read);
    end(&r);
}

/* A task that begins after its sweep was changed must not compute something else. */
static void tasks_of_another_sweep_are_recognized(void **state)
{
    (void)state;
    struct rig r;
    struct slurm_run read;
    struct sweep other;
    struct hv_err err = {""};
    begin(&r);
    slurm_run_divide(&r.run, points, 5, 2);
    assert_true(slurm_run_write(&r.run, &r.sweep, &err));
    expand_sweep(&other, OTHER);
    assert_true(slurm_run_init(&read, r.directory, 3, &err));
    assert_true(slurm_run_read(&read, &other, &err));
    assert_false(read.matches);
    assert_int_equal(read.point_count, 5);
    slurm_run_fini(&read);
    sweep_fini(&other);
    end(&r);
}

static void a_report_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct rig r;
    struct hv_err err = {""};
    struct sweep_outcome written[3] = {
        {.end = SWEEP_COMPUTED},
        {.end = SWEEP_FAILED, .reason = "trace 'a\nb' is damaged"},
        {.end = SWEEP_FAILED, .killed = true, .reason = "its process was killed"},
    };
    struct sweep_outcome read[3] = {{.end = SWEEP_NOT_RUN}};
    begin(&r);
    slurm_run_divide(&r.run, points, 5, 3);
    assert_true(slurm_run_write(&r.run, &r.sweep, &err));
    slurm_report_read(&r.run, 0, read);
    assert_int_equal(read[0].end, SWEEP_NOT_RUN);
    assert_true(slurm_report_write(&r.run, 0, written, &err));
    slurm_run_find_reports(&r.run);
    assert_true(r.run.tasks[0].reported);
    assert_false(r.run.tasks[1].reported);
    slurm_report_read(&r.run, 0, read);
    assert_int_equal(read[0].end, SWEEP_COMPUTED);
    assert_int_equal(read[1].end, SWEEP_FAILED);
    assert_false(read[1].killed);
    assert_string_equal(read[1].reason, "trace 'a b' is damaged");
    assert_int_equal(read[2].end, SWEEP_FAILED);
    assert_true(read[2].killed);
    assert_string_equal(read[2].reason, "its process was killed");
    end(&r);
}

GTEST_MAIN("Slurm", cmocka_unit_test(rows_are_read), cmocka_unit_test(only_ends_end),
           cmocka_unit_test(other_text_is_no_row), cmocka_unit_test(tasks_are_read_as_they_were_written),
           cmocka_unit_test(tasks_of_another_sweep_are_recognized),
           cmocka_unit_test(a_report_is_read_as_it_was_written))
