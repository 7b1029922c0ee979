/* SPDX-License-Identifier: MIT */
/* Sampling: which accesses of a stream are run, that events always are, and that traces are sampled by jumping. */
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "workload/sample.h"
#include "workload/workload.h"

static const struct sample samples[] = {
    { 0, 0, 0 }, { 7, 0, 0 }, { 0, 10, 3 }, { 5, 10, 10 }, { 5, 3, 1 }, { 100, 1, 1 }, { 29, 64, 20 },
};

/* The rule, said once more for one access. */
static bool is_kept(const struct sample *s, uint64_t position)
{
    return position >= s->skip && (s->period == 0 || (position - s->skip) % s->period < s->length);
}

static void the_arithmetic_agrees_with_counting(void **state)
{
    (void)state;
    for (size_t i = 0; i < HV_ARRAY_LEN(samples); i++) {
        const struct sample *s = &samples[i];
        uint64_t kept = 0;
        for (uint64_t position = 0; position < 500; position++) {
            assert_int_equal(sample_kept(s, position), kept);
            kept += is_kept(s, position);
            if (is_kept(s, position)) {
                assert_int_equal(sample_needed(s, kept), position + 1);
            }
        }
    }
}

static void a_stretch_has_one_fate(void **state)
{
    (void)state;
    for (size_t i = 0; i < HV_ARRAY_LEN(samples); i++) {
        for (uint64_t position = 0; position < 300; position++) {
            bool kept;
            uint64_t stretch = sample_stretch(&samples[i], position, &kept);
            assert_in_range(stretch, 1, UINT64_MAX);
            for (uint64_t k = 0; k < stretch && k < 300; k++) {
                assert_int_equal(is_kept(&samples[i], position + k), kept);
            }
        }
    }
}

static void what_cannot_be_counted_is_endless(void **state)
{
    (void)state;
    struct sample far = { .period = UINT64_MAX, .length = 1 }, late = { .skip = UINT64_MAX };
    assert_int_equal(sample_needed(&far, 1), 1);
    assert_int_equal(sample_needed(&far, 2), UINT64_MAX);
    assert_int_equal(sample_needed(&far, UINT64_MAX), UINT64_MAX);
    assert_int_equal(sample_needed(&late, 1), UINT64_MAX);
}

/* ---- The sampler ---- */

/* A source that can pass over elements up to the next event, or cannot at all. */
struct source {
    const struct hv_access *elements;
    size_t count, at;
    size_t read; /* elements that were handed out */
};

static size_t next_of(void *ctx, struct hv_access *batch, size_t capacity, struct hv_err *err)
{
    (void)err;
    struct source *s = ctx;
    size_t count = s->count - s->at < capacity ? s->count - s->at : capacity;
    memcpy(batch, s->elements + s->at, count * sizeof(*batch));
    s->at += count;
    s->read += count;
    return count;
}

static uint64_t skip_of(void *ctx, uint64_t elements, struct hv_err *err)
{
    (void)err;
    struct source *s = ctx;
    size_t start = s->at;
    while (s->at < s->count && s->at - start < elements && s->elements[s->at].kind != HV_EVENT) {
        s->at++;
    }
    return s->at - start;
}

/*
 * What is kept comes as it is, and of the rest the events, without the instructions before them. Only accesses count;
 * an event belongs to the access that comes after it. Returns how many elements that makes of them all.
 */
static size_t sample_slowly(const struct sample *s, const struct hv_access *elements, size_t count,
                            struct hv_access *out)
{
    size_t made = 0;
    uint64_t position = 0;
    for (size_t i = 0; i < count; i++) {
        bool kept = is_kept(s, position), event = elements[i].kind == HV_EVENT;
        if (kept || event) {
            out[made] = elements[i];
            out[made++].gap = kept ? elements[i].gap : 0;
        }
        position += !event;
    }
    return made;
}

static void events_come_whatever_is_left_out(void **state)
{
    (void)state;
    enum { ELEMENTS = 3000 };
    struct hv_access *elements = random_elements(ELEMENTS, 4), batch[64], expected[ELEMENTS];
    for (size_t i = 0; i < HV_ARRAY_LEN(samples); i++) {
        size_t count = sample_slowly(&samples[i], elements, ELEMENTS, expected);
        assert_in_range(count, ELEMENTS / 16, ELEMENTS); /* one in eight is an event */
        for (unsigned skips = 0; skips < 2; skips++) {
            struct hv_err err = { "" };
            struct source source = { elements, ELEMENTS, 0, 0 };
            struct sampler sampler = { .sample = samples[i], .source = &source, .next = next_of,
                                       .skip = skips ? skip_of : NULL };
            size_t at = 0, got;
            while ((got = sampler_next(&sampler, batch, 1 + at % 64, &err)) != 0) {
                assert_in_range(got, 1, 1 + at % 64);
                for (size_t k = 0; k < got; k++, at++) {
                    assert_access_equal(&batch[k], &expected[at]);
                }
            }
            assert_int_equal(at, count);
        }
    }
    free(elements);
}

static void what_is_skipped_is_not_read(void **state)
{
    (void)state;
    enum { ELEMENTS = 10000 };
    struct hv_access *elements = random_records(ELEMENTS, 4), batch[64];
    struct hv_err err = { "" };
    struct source source = { elements, ELEMENTS, 0, 0 };
    struct sampler sampler = { .sample = { 500, 1000, 10 }, .source = &source, .next = next_of, .skip = skip_of };
    size_t count = 0, got;
    while ((got = sampler_next(&sampler, batch, 64, &err)) != 0) {
        count += got;
    }
    assert_int_equal(count, 100);
    assert_int_equal(source.read, 100);
    free(elements);
}

/* ---- Sampled workloads ---- */

static struct workload *open_workload(const struct workload_params *p)
{
    struct hv_err err = { "" };
    struct workload *w = workload_open(p, &err);
    assert_string_equal(err.text, "");
    assert_non_null(w);
    return w;
}

/* All that a workload yields, at most `most`, in memory that the caller frees. */
static struct hv_access *drain(struct workload *w, size_t most, size_t batch, size_t *count)
{
    struct hv_err err = { "" };
    struct hv_access *elements = malloc((most + batch) * sizeof(*elements));
    size_t got;
    for (*count = 0; *count < most && (got = workload_next(w, elements + *count, batch, &err)) != 0; *count += got) {
        assert_in_range(got, 1, batch);
    }
    assert_string_equal(err.text, "");
    return elements;
}

/* The sample of a workload is that of its whole stream, however it is asked for. */
static void assert_sampled(const struct workload_params *whole_params, const struct sample *sample, uint64_t accesses)
{
    struct workload_params p = *whole_params;
    size_t whole_count, count, at = 0;
    struct workload *whole = open_workload(&p);
    struct hv_access *all = drain(whole, 1u << 20, 1000, &whole_count);
    workload_close(whole);
    p.accesses = accesses;
    p.skip = sample->skip;
    p.sample_period = sample->period;
    p.sample_length = sample->length;
    for (size_t batch = 1; batch <= 5000; batch *= 17) {
        struct workload *w = open_workload(&p);
        uint64_t kept = sample_kept(sample, whole_count);
        uint64_t expected = accesses < kept ? accesses : kept;
        assert_int_equal(workload_total(w), expected);
        struct hv_access *some = drain(w, 1u << 20, batch, &count);
        assert_int_equal(count, expected);
        at = 0;
        for (size_t i = 0; i < count; i++, at++) {
            while (!is_kept(sample, at)) {
                at++;
            }
            assert_access_equal(&some[i], &all[at]);
        }
        workload_close(w);
        free(some);
    }
    free(all);
}

static void a_synthetic_stream_is_sampled(void **state)
{
    (void)state;
    static const enum workload_kind kinds[] = { WORKLOAD_UNIFORM, WORKLOAD_SEQUENTIAL, WORKLOAD_CHASE };
    for (size_t k = 0; k < HV_ARRAY_LEN(kinds); k++) {
        struct workload_params p = { .kind = kinds[k], .footprint = 1 << 20, .accesses = 20000, .seed = 3,
                                     .write_fraction = 0.5, .instructions_per_access = 3, .stride = 64 };
        for (size_t i = 1; i < HV_ARRAY_LEN(samples); i++) {
            assert_sampled(&p, &samples[i], 500);
        }
    }
}

static void a_trace_is_sampled(void **state)
{
    enum { RECORDS = 150000 };
    static const struct sample far[] = { { 65536, 0, 0 }, { 100000, 0, 0 }, { 10, 65536, 65536 }, { 0, 70000, 10 },
                                         { 131000, 9000, 100 }, { 149999, 0, 0 } };
    struct workload_params p = { .kind = WORKLOAD_TRACE, .accesses = UINT64_MAX };
    scratch_path(state, "t.hvt", p.trace);
    struct hv_access *records = random_records(RECORDS, 7);
    write_trace(p.trace, records, RECORDS);
    free(records);
    for (size_t i = 0; i < HV_ARRAY_LEN(far); i++) {
        assert_sampled(&p, &far[i], UINT64_MAX);
        assert_sampled(&p, &far[i], 50);
    }
}

/* Events of what is left out come on top of what is counted, and in front of it. */
static void a_trace_with_events_keeps_them(void **state)
{
    enum { RECORDS = 200000, EVENTS = 5 };
    struct workload_params p = { .kind = WORKLOAD_TRACE, .accesses = UINT64_MAX, .skip = 150000 };
    scratch_path(state, "t.hvt", p.trace);
    struct hv_access *records = random_records(RECORDS, 7), *expected = malloc(RECORDS * sizeof(*expected));
    static const size_t events[EVENTS] = { 3, 70000, 149999, 150003, 199990 };
    for (size_t i = 0; i < EVENTS; i++) {
        records[events[i]] = (struct hv_access){ .gva = { i }, .kind = HV_EVENT, .bytes = HV_EVENT_PROCESS, .gap = 9 };
    }
    write_trace(p.trace, records, RECORDS);
    struct sample sample = { .skip = p.skip };
    size_t expected_count = sample_slowly(&sample, records, RECORDS, expected);
    /* The first three events lie before access 150000, which is record 150004. */
    assert_int_equal(expected_count, EVENTS + (RECORDS - 150004) - 1);
    assert_int_equal(expected[3].gva.v, 3);
    for (size_t batch = 1; batch <= 10000; batch *= 100) {
        size_t count;
        struct workload *w = open_workload(&p);
        assert_int_equal(workload_total(w), RECORDS - EVENTS - p.skip);
        struct hv_access *some = drain(w, RECORDS, batch, &count);
        assert_int_equal(count, expected_count);
        assert_memory_equal(some, expected, count * sizeof(*some));
        workload_close(w);
        free(some);
    }
    p.accesses = 2;
    size_t count;
    struct workload *w = open_workload(&p);
    struct hv_access *some = drain(w, RECORDS, 1000, &count);
    assert_int_equal(count, 4 + 2);
    assert_memory_equal(some, expected, count * sizeof(*some));
    workload_close(w);
    free(some);
    free(expected);
    free(records);
}

static void mistakes_are_one_sentence(void **state)
{
    static const struct {
        struct sample sample;
        const char *says;
    } rows[] = {
        { { 100, 0, 0 }, "workload.skip of 100 leaves nothing of a workload of 100; lower it" },
        { { UINT64_MAX, 0, 0 }, "leaves nothing of a workload of 100" },
        { { 0, 10, 0 }, "workload.sample_length is 0 and workload.sample_period 10; the length must be from 1 to" },
        { { 0, 10, 11 }, "workload.sample_length is 11 and workload.sample_period 10" },
        { { 0, 0, 5 }, "workload.sample_length is 5 and workload.sample_period 0" },
    };
    struct workload_params p = { .kind = WORKLOAD_TRACE, .accesses = 1000000 };
    scratch_path(state, "t.hvt", p.trace);
    struct hv_access *records = random_records(100, 7);
    write_trace(p.trace, records, 100);
    free(records);
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct hv_err err = { "" };
        p.skip = rows[i].sample.skip;
        p.sample_period = rows[i].sample.period;
        p.sample_length = rows[i].sample.length;
        assert_null(workload_open(&p, &err));
        assert_non_null(strstr(err.text, rows[i].says));
    }
}

GTEST_MAIN("Sample",
           cmocka_unit_test(the_arithmetic_agrees_with_counting),
           cmocka_unit_test(a_stretch_has_one_fate),
           cmocka_unit_test(what_cannot_be_counted_is_endless),
           cmocka_unit_test(events_come_whatever_is_left_out),
           cmocka_unit_test(what_is_skipped_is_not_read),
           cmocka_unit_test(a_synthetic_stream_is_sampled),
           IN_SCRATCH(a_trace_is_sampled),
           IN_SCRATCH(a_trace_with_events_keeps_them),
           IN_SCRATCH(mistakes_are_one_sentence))
