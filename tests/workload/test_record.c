/* SPDX-License-Identifier: MIT */
/*
 * Recording real programs. Most tests put a script named valgrind first in PATH that prints what lackey would, so
 * that the expectations are exact; one runs the real valgrind where there is one.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"
#include "workload/record.h"
#include "workload/trace_reader.h"

struct recorder {
    struct record_request request;
    struct record_result result;
    struct hv_err err;
    char path[SCRATCH_PATH_BYTES];
    bool ok;
};

/* The log's descriptor is in valgrind's fourth argument; what follows "--" remains as the command. */
static const char script_head[] = "#!/bin/bash\nexec 9>&${4#--log-fd=}\nshift 5\n";

static void install_valgrind(void **state, const char *script)
{
    char path[SCRATCH_PATH_BYTES], text[1024];
    scratch_path(state, "valgrind", path);
    int length = snprintf(text, sizeof(text), "%s%s\n", script_head, script);
    file_write(path, text, (size_t)length);
    assert_int_equal(chmod(path, 0755), 0);
    snprintf(text, sizeof(text), "%s:/usr/bin:/bin", (const char *)*state);
    assert_int_equal(setenv("PATH", text, 1), 0);
}

static void record(void **state, struct recorder *r, char *const *argv)
{
    scratch_path(state, "t.hvt", r->path);
    r->request.argv = argv;
    r->request.output = r->path;
    r->ok = record_run(&r->request, &r->result, &r->err);
}

static uint64_t records_in(const char *path)
{
    struct hv_err err = { "" };
    struct trace_reader *r = trace_reader_open(path, &err);
    assert_non_null(r);
    uint64_t records = trace_info(r)->records;
    trace_reader_close(r);
    return records;
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static char *const true_command[] = { "true", NULL };

static void what_lackey_prints_is_in_the_trace(void **state)
{
    struct recorder r = { .err = { "" } };
    install_valgrind(state, "printf '==1== x\\nI  400000,4\\n L 103c,8\\n' >&9; exec 9>&-; \"$@\"");
    static char *const command[] = { "/bin/sh", "-c", "exit 5", NULL };
    record(state, &r, command);
    assert_true(r.ok);
    assert_int_equal(r.result.records, 3);
    assert_int_equal(r.result.end, RECORD_COMMAND_ENDED);
    assert_int_equal(r.result.exit_status, 5);
    assert_int_equal(r.result.signal, 0);
    struct trace_reader *reader = trace_reader_open(r.path, &r.err);
    assert_string_equal(trace_info(reader)->command, "/bin/sh -c 'exit 5'");
    assert_int_equal(trace_info(reader)->instructions, 1);
    trace_reader_close(reader);
}

static void a_limit_ends_an_endless_program(void **state)
{
    struct recorder r = { .request = { .limit = 12345 }, .err = { "" } };
    install_valgrind(state, "while :; do printf 'I  400000,4\\nI  400004,4\\n' >&9; done");
    record(state, &r, true_command);
    assert_true(r.ok);
    assert_int_equal(r.result.end, RECORD_LIMIT);
    assert_int_equal(r.result.records, 12345);
    assert_int_equal(records_in(r.path), 12345);
}

/*
 * Neither a program that ignores the polite signal nor what it has started survives. The orphan comes to us as the
 * subreaper, so that its end can be waited for.
 */
static void the_limit_ends_the_whole_group(void **state)
{
    struct recorder r = { .request = { .limit = 1 }, .err = { "" } };
    char pids[SCRATCH_PATH_BYTES], script[256];
    scratch_path(state, "pids", pids);
    snprintf(script, sizeof(script), "trap '' TERM; sleep 1000 & echo $$ $! > %s; "
             "while :; do echo 'I  400000,4' >&9; done", pids);
    install_valgrind(state, script);
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    record(state, &r, true_command);
    assert_true(r.ok);
    FILE *file = fopen(pids, "r");
    int self = 0, other = 0, status = 0;
    assert_int_equal(fscanf(file, "%d %d", &self, &other), 2);
    fclose(file);
    assert_int_equal(kill(self, 0), -1);
    assert_int_equal(waitpid(other, &status, 0), other);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
}

static void the_first_records_can_be_skipped(void **state)
{
    struct recorder r = { .request = { .skip = 5000, .limit = 10 }, .err = { "" } };
    install_valgrind(state, "i=0; while [ $i -lt 6000 ]; do printf 'I  %x,1\\n' $i >&9; i=$((i + 1)); done");
    record(state, &r, true_command);
    assert_true(r.ok);
    assert_int_equal(r.result.skipped, 5000);
    assert_int_equal(r.result.records, 10);
    struct hv_access first;
    struct trace_reader *reader = trace_reader_open(r.path, &r.err);
    assert_int_equal(trace_reader_next(reader, &first, 1, &r.err), 1);
    assert_int_equal(first.gva.v, 5000);
    trace_reader_close(reader);
}

static void skipping_all_is_a_mistake(void **state)
{
    struct recorder r = { .request = { .skip = 5000 }, .err = { "" } };
    install_valgrind(state, "echo 'I  10,1' >&9");
    record(state, &r, true_command);
    assert_false(r.ok);
    assert_non_null(strstr(r.err.text, "'true' made only 1 accesses"));
    assert_false(exists(r.path));
}

static void note_records(void *ctx, uint64_t records)
{
    *(uint64_t *)ctx = records;
}

static bool has_two_records(void *ctx)
{
    return *(uint64_t *)ctx == 2;
}

static void an_interrupt_keeps_what_there_is(void **state)
{
    uint64_t records = 0;
    struct recorder r = { .err = { "" } };
    r.request.progress = note_records;
    r.request.interrupted = has_two_records;
    r.request.ctx = &records;
    install_valgrind(state, "printf 'I  10,1\nI  11,1\n L 20' >&9; sleep 1000");
    record(state, &r, true_command);
    assert_true(r.ok);
    assert_int_equal(r.result.end, RECORD_INTERRUPTED);
    assert_int_equal(records_in(r.path), 2);
}

/*
 * With the terminal in its hands the program gets the Ctrl-C, and dies of it. Tests that a script runs in the background
 * have it ignored, and so would the program.
 */
static void a_program_that_dies_of_sigint_was_interrupted(void **state)
{
    struct recorder r = { .err = { "" } };
    signal(SIGINT, SIG_DFL);
    install_valgrind(state, "echo 'I  10,1' >&9; kill -INT $$");
    record(state, &r, true_command);
    assert_true(r.ok);
    assert_int_equal(r.result.end, RECORD_INTERRUPTED);
    assert_int_equal(records_in(r.path), 1);
}

static void a_program_that_crashes_leaves_a_trace(void **state)
{
    struct recorder r = { .err = { "" } };
    install_valgrind(state, "printf 'I  10,1\\n L 2' >&9; kill -SEGV $$");
    record(state, &r, true_command);
    assert_true(r.ok);
    assert_int_equal(r.result.end, RECORD_COMMAND_ENDED);
    assert_int_equal(r.result.signal, SIGSEGV);
    assert_int_equal(records_in(r.path), 1);
}

/* A daemon keeps the pipe open for as long as it lives, which must not keep us. */
static void a_daemon_left_behind_does_not_hold_the_recording(void **state)
{
    struct recorder r = { .err = { "" } };
    char pid_path[SCRATCH_PATH_BYTES], script[256];
    scratch_path(state, "pid", pid_path);
    snprintf(script, sizeof(script), "echo 'I  10,1' >&9; sleep 1000 & echo $! > %s", pid_path);
    install_valgrind(state, script);
    record(state, &r, true_command);
    FILE *file = fopen(pid_path, "r");
    int pid = 0;
    assert_int_equal(fscanf(file, "%d", &pid), 1);
    fclose(file);
    assert_int_equal(kill(pid, SIGKILL), 0); /* It lived on: a daemon is the user's affair. */
    assert_true(r.ok);
    assert_int_equal(r.result.end, RECORD_COMMAND_ENDED);
    assert_int_equal(records_in(r.path), 1);
}

static void malformed_output_is_one_sentence(void **state)
{
    struct recorder r = { .err = { "" } };
    install_valgrind(state, "printf 'I  10,1\\nnonsense\\n' >&9; sleep 1000");
    record(state, &r, true_command);
    assert_false(r.ok);
    assert_non_null(strstr(r.err.text, "the output of valgrind, line 2: 'nonsense'"));
    assert_false(exists(r.path));
}

static void nothing_recorded_is_one_sentence(void **state)
{
    struct recorder r = { .err = { "" } };
    install_valgrind(state, "exit 127");
    record(state, &r, true_command);
    assert_false(r.ok);
    assert_non_null(strstr(r.err.text, "valgrind recorded no access of 'true' (exit status 127)"));
    assert_false(exists(r.path));
}

static void a_missing_valgrind_is_one_sentence(void **state)
{
    struct recorder r = { .err = { "" } };
    static char *const command[] = { "/bin/true", NULL };
    assert_int_equal(setenv("PATH", *state, 1), 0);
    record(state, &r, command);
    assert_false(r.ok);
    assert_non_null(strstr(r.err.text, "install the package valgrind"));
    assert_int_equal(scratch_files(state), 0);
}

static void a_missing_command_is_one_sentence(void **state)
{
    static char *const commands[][2] = { { "no-such-program", NULL }, { "./no-such-program", NULL }, { "/tmp", NULL } };
    install_valgrind(state, "exit 0");
    for (size_t i = 0; i < HV_ARRAY_LEN(commands); i++) {
        struct recorder r = { .err = { "" } };
        record(state, &r, commands[i]);
        assert_false(r.ok);
        assert_non_null(strstr(r.err.text, "there is no such program"));
        assert_non_null(strstr(r.err.text, commands[i][0]));
        assert_false(exists(r.path));
    }
    struct recorder none = { .err = { "" } };
    static char *const nothing[] = { NULL };
    record(state, &none, nothing);
    assert_false(none.ok);
    assert_string_equal(none.err.text, "there is no command to record");
}

static void a_command_is_written_as_one_would_type_it(void **state)
{
    struct recorder r = { .err = { "" } };
    install_valgrind(state, "echo 'I  10,1' >&9");
    static char *const command[] = { "true", "a b", "", "it's", "x=1", NULL };
    record(state, &r, command);
    assert_true(r.ok);
    struct trace_reader *reader = trace_reader_open(r.path, &r.err);
    assert_string_equal(trace_info(reader)->command, "true 'a b' '' 'it'\\''s' x=1");
    trace_reader_close(reader);
}

/* ---- Threads ---- */

#define TURN(thread, why) "--1--   SCHED[" #thread "]:  acquired lock (" why ")\\n"
#define BEGINS(thread) TURN(thread, "thread_wrapper(starting new thread)")
#define RUNS(thread) TURN(thread, "VG_(vg_yield)")

static void assert_trace(void **state, const char *name, const uint64_t *addresses, size_t count)
{
    char path[SCRATCH_PATH_BYTES];
    struct hv_err err = { "" };
    struct hv_access got;
    scratch_path(state, name, path);
    struct trace_reader *r = trace_reader_open(path, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(trace_info(r)->records, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(trace_reader_next(r, &got, 1, &err), 1);
        assert_int_equal(got.gva.v, addresses[i]);
    }
    trace_reader_close(r);
}

static const char threads_script[] =
    "printf -- '==1== x\\n" BEGINS(1) "I  10,1\\n" BEGINS(2) "I  20,1\\n" RUNS(1) "I  11,1\\n L 100,8\\n" BEGINS(3)
    "I  30,1\\n" BEGINS(2) "I  40,1\\n" RUNS(3) "I  31,1\\n" RUNS(1) "I  12,1\\n' >&9";

/* Also of threads that get the number of one that has ended: number 2 is two threads. */
static void each_thread_has_its_trace(void **state)
{
    struct recorder r = { .request = { .threads = true }, .err = { "" } };
    install_valgrind(state, threads_script);
    record(state, &r, true_command);
    assert_string_equal(r.err.text, "");
    assert_true(r.ok);
    assert_int_equal(r.result.records, 8);
    assert_int_equal(r.result.traces, 4);
    assert_trace(state, "t-0.hvt", (const uint64_t[]){ 0x10, 0x11, 0x100, 0x12 }, 4);
    assert_trace(state, "t-1.hvt", (const uint64_t[]){ 0x20 }, 1);
    assert_trace(state, "t-2.hvt", (const uint64_t[]){ 0x30, 0x31 }, 2);
    assert_trace(state, "t-3.hvt", (const uint64_t[]){ 0x40 }, 1);
    assert_false(exists(r.path));
}

/* Skipping and the limit count all threads; a thread that has nothing left has no trace. */
static void threads_are_skipped_and_limited_together(void **state)
{
    struct recorder r = { .request = { .threads = true, .skip = 2, .limit = 3 }, .err = { "" } };
    install_valgrind(state, threads_script);
    record(state, &r, true_command);
    assert_true(r.ok);
    assert_int_equal(r.result.traces, 2);
    assert_trace(state, "t-0.hvt", (const uint64_t[]){ 0x11, 0x100 }, 2);
    assert_trace(state, "t-1.hvt", (const uint64_t[]){ 0x30 }, 1);
}

/* A thread that fails to be written takes the traces of all with it. */
static void malformed_output_leaves_no_trace_of_any_thread(void **state)
{
    struct recorder r = { .request = { .threads = true }, .err = { "" } };
    install_valgrind(state, "printf -- '" BEGINS(1) "I  10,1\\n" BEGINS(2) "I  20,1\\nnonsense\\n' >&9");
    record(state, &r, true_command);
    assert_false(r.ok);
    assert_non_null(strstr(r.err.text, "line 5: 'nonsense'"));
    assert_int_equal(scratch_files(state), 1); /* the script */
}

/* More threads than there can be traces continue those of the ended; more at once are too many. */
static void the_traces_are_limited(void **state)
{
    struct recorder r = { .request = { .threads = true }, .err = { "" } };
    install_valgrind(state, "i=1; while [ $i -le 300 ]; do printf -- '--1--   SCHED[%d]:  acquired lock "
                     "(thread_wrapper(starting new thread))\\nI  %x,1\\n' $((i % 2 + 1)) $i >&9; i=$((i + 1)); done");
    record(state, &r, true_command);
    assert_string_equal(r.err.text, "");
    assert_int_equal(r.result.traces, RECORD_THREADS_MAX);
    assert_int_equal(r.result.records, 300);
    assert_trace(state, "t-255.hvt", (const uint64_t[]){ 256 }, 1);

    struct recorder many = { .request = { .threads = true }, .err = { "" } };
    install_valgrind(state, "i=1; while [ $i -le 300 ]; do printf -- '--1--   SCHED[%d]:  acquired lock "
                     "(thread_wrapper(starting new thread))\\nI  %x,1\\n' $i $i >&9; i=$((i + 1)); done");
    record(state, &many, true_command);
    assert_false(many.ok);
    assert_non_null(strstr(many.err.text, "runs more than 256 threads at once"));
}

static void the_traces_of_threads_are_named_by_pattern(void **state)
{
    (void)state;
    static const struct {
        const char *output, *pattern;
    } rows[] = {
        { "t.hvt", "t-{core}.hvt" }, { "a/b.c", "a/b.c-{core}" }, { ".hvt", ".hvt-{core}" },
        { "a{core}b", "a{core}b" },
    };
    char pattern[32];
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        assert_true(record_thread_pattern(rows[i].output, pattern, sizeof(pattern)));
        assert_string_equal(pattern, rows[i].pattern);
        assert_false(record_thread_pattern(rows[i].output, pattern, strlen(rows[i].pattern)));
    }
}

/* The real thing: at least a hundred thousand accesses of the dynamic linker alone, ended in the middle. */
static void valgrind_itself_is_recorded(void **state)
{
    if (!exists("/usr/bin/valgrind")) {
        skip();
    }
    struct recorder r = { .request = { .limit = 50000 }, .err = { "" } };
    static char *const command[] = { "/bin/true", NULL };
    record(state, &r, command);
    assert_string_equal(r.err.text, "");
    assert_true(r.ok);
    assert_int_equal(r.result.end, RECORD_LIMIT);
    struct trace_reader *reader = trace_reader_open(r.path, &r.err);
    const struct trace_info *info = trace_info(reader);
    assert_int_equal(info->records, 50000);
    assert_int_equal(info->loads + info->stores + info->fetches, 50000);
    /* Instructions of up to 15 bytes are split at lines now and then: slightly fewer than there are fetches. */
    assert_in_range(info->instructions, info->fetches / 2, info->fetches);
    assert_in_range(info->file_bytes, 1, 50000);
    trace_reader_close(reader);
}

static int clean(void **state)
{
    setenv("PATH", "/usr/local/bin:/usr/bin:/bin", 1);
    return scratch_remove(state);
}

#define IN_CLEAN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_make, clean)

GTEST_MAIN("Record",
           IN_CLEAN_SCRATCH(what_lackey_prints_is_in_the_trace),
           IN_CLEAN_SCRATCH(a_limit_ends_an_endless_program),
           IN_CLEAN_SCRATCH(the_limit_ends_the_whole_group),
           IN_CLEAN_SCRATCH(the_first_records_can_be_skipped),
           IN_CLEAN_SCRATCH(skipping_all_is_a_mistake),
           IN_CLEAN_SCRATCH(an_interrupt_keeps_what_there_is),
           IN_CLEAN_SCRATCH(a_program_that_dies_of_sigint_was_interrupted),
           IN_CLEAN_SCRATCH(a_program_that_crashes_leaves_a_trace),
           IN_CLEAN_SCRATCH(a_daemon_left_behind_does_not_hold_the_recording),
           IN_CLEAN_SCRATCH(malformed_output_is_one_sentence),
           IN_CLEAN_SCRATCH(nothing_recorded_is_one_sentence),
           IN_CLEAN_SCRATCH(a_missing_valgrind_is_one_sentence),
           IN_CLEAN_SCRATCH(a_missing_command_is_one_sentence),
           IN_CLEAN_SCRATCH(a_command_is_written_as_one_would_type_it),
           IN_CLEAN_SCRATCH(each_thread_has_its_trace),
           IN_CLEAN_SCRATCH(threads_are_skipped_and_limited_together),
           IN_CLEAN_SCRATCH(malformed_output_leaves_no_trace_of_any_thread),
           IN_CLEAN_SCRATCH(the_traces_are_limited),
           cmocka_unit_test(the_traces_of_threads_are_named_by_pattern),
           IN_CLEAN_SCRATCH(valgrind_itself_is_recorded))
