/* SPDX-License-Identifier: MIT */
/* Events at intervals: when, which, where. */
#include <stdlib.h>
#include <string.h>

#include "streams.h"
#include "support.h"

#include "gtest.h"

enum { ACCESSES = 20000, PAGES = 256 };

static struct workload_params uniform(void)
{
    return stream_params(WORKLOAD_UNIFORM, PAGES * HV_PAGE_BYTES, ACCESSES);
}

/* A kind of change: its parameters, and its events. */
static const struct change {
    const char *name;
    size_t interval, pages;
    enum hv_event events[2];
    unsigned count;
} changes[] = {
    { "remap", offsetof(struct events_params, remap_interval), offsetof(struct events_params, remap_pages),
      { HV_EVENT_UNMAP, HV_EVENT_MAP }, 2 },
    { "protect", offsetof(struct events_params, protect_interval), offsetof(struct events_params, protect_pages),
      { HV_EVENT_PROTECT }, 1 },
    { "fork", offsetof(struct events_params, fork_interval), offsetof(struct events_params, fork_pages),
      { HV_EVENT_FORK }, 1 },
    { "migrate", offsetof(struct events_params, migrate_interval), offsetof(struct events_params, migrate_pages),
      { HV_EVENT_MIGRATE }, 1 },
    { "balloon", offsetof(struct events_params, balloon_interval), offsetof(struct events_params, balloon_pages),
      { HV_EVENT_BALLOON }, 1 },
};

static uint64_t *param(struct workload_params *p, size_t offset)
{
    return (uint64_t *)((char *)&p->events + offset);
}

static void check_run(const struct hv_access *event, uint64_t pages)
{
    uint64_t start = hv_event_run_start(event->gva.v);
    assert_true(hv_event_valid(event));
    assert_int_equal(event->gap, 0);
    assert_int_equal(event->flags, 0);
    assert_int_equal(hv_event_run_pages(event->gva.v), pages);
    assert_in_range(start, STREAM_BASE, STREAM_BASE + (PAGES - pages) * HV_PAGE_BYTES);
}

/* After every so many accesses come the events of the change, about one run, and nothing else comes. */
static void each_change_comes_at_its_interval(void **state)
{
    (void)state;
    for (size_t c = 0; c < HV_ARRAY_LEN(changes); c++) {
        static const uint64_t intervals[] = { 1, 7, 1000, ACCESSES - 1 };
        for (size_t k = 0; k < HV_ARRAY_LEN(intervals); k++) {
            struct workload_params p = uniform();
            size_t count, at = 0;
            *param(&p, changes[c].interval) = intervals[k];
            *param(&p, changes[c].pages) = 5; /* becomes 8 */
            struct hv_access *all = stream_read(&p, 1000, &count);
            for (uint64_t access = 0; access < ACCESSES; access++, at++) {
                for (unsigned e = 0; access > 0 && access % intervals[k] == 0 && e < changes[c].count; e++, at++) {
                    assert_int_equal(all[at].kind, HV_EVENT);
                    assert_int_equal(all[at].bytes, changes[c].events[e]);
                    assert_int_equal(all[at].gva.v, all[at - e].gva.v);
                    check_run(&all[at], 8);
                }
                assert_int_not_equal(all[at].kind, HV_EVENT);
            }
            assert_int_equal(at, count);
            free(all);
        }
    }
}

/* Instructions: at their interval, with the same argument each time, wherever the stream is. */
static void each_instruction_comes_at_its_interval(void **state)
{
    (void)state;
    static const struct {
        size_t interval;
        enum hv_event event;
    } rows[] = {
#define ROW(name, event) { offsetof(struct events_params, name##_interval), HV_EVENT_##event }
        ROW(cpuid, CPUID), ROW(vmcall, VMCALL), ROW(port_in, PORT_IN), ROW(port_out, PORT_OUT), ROW(msr_read, MSR_READ),
        ROW(msr_write, MSR_WRITE), ROW(tpr_write, TPR_WRITE), ROW(hlt, HLT),
#undef ROW
    };
    for (size_t r = 0; r < HV_ARRAY_LEN(rows); r++) {
        struct workload_params p = uniform();
        size_t count, events = 0;
        *param(&p, rows[r].interval) = 7;
        struct hv_access *all = stream_read(&p, 1000, &count);
        for (size_t i = 0; i < count; i++) {
            if (all[i].kind == HV_EVENT) {
                assert_int_equal(i % 8, 7); /* seven accesses, then the event */
                assert_int_equal(all[i].bytes, rows[r].event);
                assert_true(hv_event_valid(&all[i]));
                events++;
            }
        }
        assert_int_equal(events, (ACCESSES - 1) / 7);
        free(all);
    }
}

/* Accesses and instructions are those without events, whatever comes between. */
static void accesses_are_those_without_events(void **state)
{
    (void)state;
    struct workload_params p = uniform();
    size_t count, plain_count, next = 0;
    struct hv_access *plain = stream_read(&p, 1000, &plain_count);
    for (size_t c = 0; c < HV_ARRAY_LEN(changes); c++) {
        *param(&p, changes[c].interval) = 30 + c;
    }
    struct hv_access *all = stream_read(&p, 1000, &count);
    assert_int_equal(instructions_among(all, count), instructions_among(plain, plain_count));
    for (size_t i = 0; i < count; i++) {
        if (all[i].kind != HV_EVENT) {
            assert_memory_equal(&all[i], &plain[next++], sizeof(*all));
        }
    }
    assert_int_equal(next, plain_count);
    free(plain);
    free(all);
}

/* Intervals of 2 and 3: together before access 6, in the order of the parameters. */
static void changes_that_meet_come_in_order(void **state)
{
    (void)state;
    static const struct {
        uint64_t balloon, remap;
    } orders[] = { { 2, 3 }, { 3, 2 } };
    for (size_t k = 0; k < HV_ARRAY_LEN(orders); k++) {
        struct workload_params p = uniform();
        size_t count, at = 0;
        p.events.balloon_interval = orders[k].balloon;
        p.events.remap_interval = orders[k].remap;
        struct hv_access *all = stream_read(&p, 1000, &count);
        for (uint64_t access = 0; access < 6; at++) {
            access += all[at].kind != HV_EVENT;
        }
        assert_int_equal(all[at].bytes, HV_EVENT_UNMAP);
        assert_int_equal(all[at + 1].bytes, HV_EVENT_MAP);
        assert_int_equal(all[at + 2].bytes, HV_EVENT_BALLOON);
        assert_int_not_equal(all[at + 3].kind, HV_EVENT);
        free(all);
    }
}

/* 256 pages hold 32 runs of 8, all equally likely. */
static void places_are_uniform(void **state)
{
    (void)state;
    enum { RUNS = PAGES / 8 };
    struct workload_params p = uniform();
    size_t count;
    uint64_t seen[RUNS] = { 0 };
    p.events.migrate_interval = 1;
    p.events.migrate_pages = 8;
    struct hv_access *all = stream_read(&p, 1000, &count);
    for (size_t i = 0; i < count; i++) {
        if (all[i].kind == HV_EVENT) {
            seen[(hv_event_run_start(all[i].gva.v) - STREAM_BASE) / (8 * HV_PAGE_BYTES)]++;
        }
    }
    for (unsigned i = 0; i < RUNS; i++) {
        assert_binomial(seen[i], ACCESSES - 1, 1.0 / RUNS);
    }
    free(all);
}

/* A trace of three pieces of memory: one of a page, one that holds no aligned run of two pages, one of five pages. */
static void runs_lie_in_regions_at_multiples_of_their_size(void **state)
{
    enum { LENGTH = 9000 };
    static const uint64_t pages[] = { 4, 7, 8, 17, 18, 19, 20, 21 };
    struct hv_access record[LENGTH];
    struct workload_params p = stream_params(WORKLOAD_TRACE, 0, LENGTH);
    for (size_t i = 0; i < LENGTH; i++) {
        record[i] = (struct hv_access){ .gva = { pages[i % HV_ARRAY_LEN(pages)] << 12 }, .bytes = 8 };
    }
    scratch_path(state, "t.hvt", p.trace);
    write_trace(p.trace, record, LENGTH);
    p.events.remap_interval = 1;
    p.events.remap_pages = 2;
    size_t count;
    uint64_t seen[32] = { 0 };
    struct hv_access *all = stream_read(&p, 1000, &count);
    for (size_t i = 0; i < count; i++) {
        if (all[i].kind == HV_EVENT && all[i].bytes == HV_EVENT_MAP) {
            seen[hv_event_run_start(all[i].gva.v) >> 12]++;
        }
    }
    assert_binomial(seen[18], LENGTH - 1, 0.5);
    assert_int_equal(seen[18] + seen[20], LENGTH - 1);
    free(all);
    p.events.remap_pages = 8;
    assert_refused(&p, "workload.events.remap_pages of 8 fits into no region of the workload");
}

static void the_stream_is_a_function_of_parameters_and_seed(void **state)
{
    (void)state;
    struct workload_params p = uniform();
    for (size_t c = 0; c < HV_ARRAY_LEN(changes); c++) {
        *param(&p, changes[c].interval) = 3 + c;
        *param(&p, changes[c].pages) = 1 + c;
    }
    assert_batches_do_not_show(&p);
    assert_within_regions(&p);
    assert_seed_decides(&p);
}

GTEST_MAIN("Events",
           cmocka_unit_test(each_change_comes_at_its_interval),
           cmocka_unit_test(each_instruction_comes_at_its_interval),
           cmocka_unit_test(accesses_are_those_without_events),
           cmocka_unit_test(changes_that_meet_come_in_order),
           cmocka_unit_test(places_are_uniform),
           IN_SCRATCH(runs_lie_in_regions_at_multiples_of_their_size),
           cmocka_unit_test(the_stream_is_a_function_of_parameters_and_seed))
