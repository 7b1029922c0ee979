/* SPDX-License-Identifier: MIT */
/*
 * A timeline against the rules of the trace-event format: complete events of one thread never overlap, each thread
 * belongs to one process and has one name, times are microseconds.
 */
#include "gtest.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "machine/timeline.h"

enum { THREADS = 64, CLOCK_MHZ = 3000 /* a cycle is no whole number of picoseconds */ };

static json_t *written(const struct activity *a)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    timeline_write(a, CLOCK_MHZ, out);
    fclose(out);
    json_error_t error;
    json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (object == NULL) {
        fail_msg("line %d: %s", error.line, error.text);
    }
    free(text);
    return object;
}

static long long member(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static double real_member(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    assert_true(json_is_real(value));
    return json_real_value(value);
}

struct thread {
    long long process;
    double busy_until;
    bool named;
};

static void check_event(const json_t *event, struct thread threads[THREADS])
{
    const char *kind = json_string_value(json_object_get(event, "ph"));
    long long process = member(event, "pid"), number = member(event, "tid");
    assert_non_null(kind);
    assert_true(process > 0 && number >= 0 && number < THREADS);
    struct thread *thread = &threads[number];
    if (strcmp(kind, "M") == 0) {
        if (strcmp(json_string_value(json_object_get(event, "name")), "thread_name") == 0) {
            assert_false(thread->named);
            *thread = (struct thread){.process = process, .named = true};
        }
        return;
    }
    assert_string_equal(kind, "X");
    assert_true(thread->named);
    assert_int_equal(thread->process, process);
    const json_t *arguments = json_object_get(event, "args");
    double start = real_member(event, "ts"), end = start + real_member(event, "dur");
    double cycle = 1.0 / CLOCK_MHZ, start_cycle = (double)member(arguments, "start"); /* in microseconds */
    double end_cycle = start_cycle + (double)member(arguments, "cycles");
    assert_true(start >= thread->busy_until - 1e-9);
    assert_true(start > start_cycle * cycle - 1e-6 && start < start_cycle * cycle + 1e-6);
    assert_true(end > end_cycle * cycle - 1e-6 && end < end_cycle * cycle + 1e-6);
    thread->busy_until = end;
}

/* How many threads have this name. */
static unsigned named(const json_t *events, const char *name)
{
    unsigned count = 0;
    size_t i;
    json_t *event;
    json_array_foreach(events, i, event) {
        const char *is = json_string_value(json_object_get(json_object_get(event, "args"), "name"));
        count += is != NULL && strcmp(is, name) == 0;
    }
    return count;
}

static void spans_that_overlap_get_threads_of_their_own(void **state)
{
    (void)state;
    struct activity a;
    struct thread threads[THREADS] = {{0}};
    activity_init(&a, 2, 1000);
    activity_begin(&a, 0);
    activity_switch(&a.cores[1], ACTIVITY_PROCESS, 7, 0);
    /* Three walkers at a time on core 0, one on core 1, and neighbours that touch but do not overlap. */
    for (hv_cycles i = 0; i < 30; i++) {
        activity_add(&a.cores[0], ACTIVITY_WALK, 10 * i, 30, "walk");
        activity_add(&a.cores[1], ACTIVITY_WALK, 10 * i, 10, "walk");
    }
    activity_stop(&a.cores[1], 330);
    activity_end(&a, 330);
    json_t *object = written(&a), *event;
    const json_t *events = json_object_get(object, "traceEvents");
    size_t i, spans = 0;
    json_array_foreach(events, i, event) {
        check_event(event, threads);
        spans += strcmp(json_string_value(json_object_get(event, "ph")), "X") == 0;
    }
    assert_int_equal(spans, 61);
    assert_int_equal(named(events, "page walks"), 2); /* one of each core */
    assert_int_equal(named(events, "page walks 2"), 1);
    assert_int_equal(named(events, "page walks 3"), 1);
    assert_int_equal(named(events, "page walks 4"), 0);
    assert_int_equal(named(events, "process"), 1);
    assert_int_equal(named(events, "core 1"), 1);
    json_decref(object);
    activity_fini(&a);
}

static void a_recording_of_nothing_is_a_timeline(void **state)
{
    (void)state;
    struct activity a;
    activity_init(&a, 1, 1000);
    activity_begin(&a, 0);
    activity_end(&a, 0);
    json_t *object = written(&a);
    assert_true(json_is_array(json_object_get(object, "traceEvents")));
    json_decref(object);
    activity_fini(&a);
}

GTEST_MAIN("Timeline", cmocka_unit_test(spans_that_overlap_get_threads_of_their_own),
           cmocka_unit_test(a_recording_of_nothing_is_a_timeline))
