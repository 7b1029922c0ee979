/* SPDX-License-Identifier: MIT */
#include "streams.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

struct workload_params stream_params(enum workload_kind kind, uint64_t footprint, uint64_t accesses)
{
    return (struct workload_params){
        .kind = kind, .footprint = footprint, .accesses = accesses, .seed = 1, .write_fraction = 0.3,
        .instructions_per_access = 3, .stride = 4096, .theta = 0.99, .mix_quantum = 100, .code_theta = 0.8,
        .join = { .build_fraction = 0.3 }, .kvstore = { .value_bytes = 1024 },
        .events = { .remap_pages = 64, .protect_pages = 64, .fork_pages = 64, .migrate_pages = 64,
                    .balloon_pages = 64 },
    };
}

struct hv_access *stream_drain(struct workload *w, size_t batch, size_t *count)
{
    struct hv_err err = { "" };
    size_t capacity = 0, got;
    struct hv_access *all = NULL;
    *count = 0;
    do {
        if (capacity - *count < batch) {
            capacity = 2 * capacity + batch;
            all = realloc(all, capacity * sizeof(*all));
            assert_non_null(all);
        }
        got = workload_next(w, all + *count, batch, &err);
        assert_int_not_equal(got, (size_t)-1);
        assert_in_range(got, 0, batch);
        *count += got;
    } while (got > 0);
    uint64_t accesses = 0;
    for (size_t i = 0; i < *count; i++) {
        accesses += all[i].kind != HV_EVENT;
    }
    assert_int_equal(accesses, workload_total(w));
    workload_close(w);
    return all;
}

static struct workload *open_stream(const struct workload_params *params)
{
    struct hv_err err = { "" };
    struct workload *w = workload_open(params, &err);
    if (w == NULL) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(workload_total(w), params->accesses);
    return w;
}

struct hv_access *stream_read(const struct workload_params *params, size_t batch, size_t *count)
{
    return stream_drain(open_stream(params), batch, count);
}

void assert_batches_do_not_show(const struct workload_params *params)
{
    static const size_t batches[] = { 1, 37 };
    size_t count, other_count;
    struct hv_access *whole = stream_read(params, params->accesses, &count);
    for (size_t i = 0; i < HV_ARRAY_LEN(batches); i++) {
        struct hv_access *other = stream_read(params, batches[i], &other_count);
        assert_int_equal(other_count, count);
        assert_memory_equal(whole, other, count * sizeof(*whole));
        free(other);
    }
    free(whole);
}

void assert_seed_decides(const struct workload_params *params)
{
    struct workload_params changed = *params;
    size_t count, again_count, other_count;
    changed.seed++;
    struct hv_access *one = stream_read(params, 100, &count);
    struct hv_access *again = stream_read(params, 100, &again_count);
    struct hv_access *other = stream_read(&changed, 100, &other_count);
    assert_int_equal(count, again_count);
    assert_memory_equal(one, again, count * sizeof(*one));
    assert_true(count != other_count || memcmp(one, other, count * sizeof(*one)) != 0);
    free(one);
    free(again);
    free(other);
}

static void assert_regions_are_regular(const struct workload_region *regions, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(regions[i].start.v % HV_PAGE_BYTES, 0);
        assert_in_range(regions[i].pages, 1, UINT64_C(1) << 52);
        if (i > 0 && regions[i].process == regions[i - 1].process) {
            assert_true(regions[i].start.v >= regions[i - 1].start.v + regions[i - 1].pages * HV_PAGE_BYTES);
        } else if (i > 0) {
            assert_true(regions[i].process > regions[i - 1].process);
        }
    }
}

void assert_within_regions(const struct workload_params *params)
{
    size_t count, region_count;
    struct workload *w = open_stream(params);
    const struct workload_region *own = workload_regions(w, &region_count);
    struct workload_region *regions = malloc(region_count * sizeof(*regions));
    assert_non_null(regions);
    memcpy(regions, own, region_count * sizeof(*regions));
    assert_regions_are_regular(regions, region_count);
    struct hv_access *all = stream_drain(w, 256, &count);
    for (size_t i = 0; i < count; i++) {
        if (all[i].kind == HV_EVENT) {
            continue;
        }
        bool inside = false;
        for (size_t r = 0; r < region_count; r++) {
            inside |= all[i].asid == regions[r].process &&
                      all[i].gva.v - regions[r].start.v < regions[r].pages * HV_PAGE_BYTES;
        }
        assert_true(inside);
        assert_in_range(all[i].bytes, 1, 64 - all[i].gva.v % 64);
    }
    free(regions);
    free(all);
}

void assert_refused(const struct workload_params *params, const char *words)
{
    struct hv_err err = { "" };
    assert_null(workload_open(params, &err));
    if (strstr(err.text, words) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", words, err.text);
    }
}

void assert_binomial(uint64_t seen, uint64_t count, double probability)
{
    double mean = (double)count * probability, deviation = sqrt(mean * (1 - probability));
    if (fabs((double)seen - mean) > 5 * deviation) {
        fail_msg("%llu of %llu draws of probability %g: %g expected, with a deviation of %g",
                 (unsigned long long)seen, (unsigned long long)count, probability, mean, deviation);
    }
}

uint64_t instructions_among(const struct hv_access *elements, size_t count)
{
    uint64_t instructions = 0;
    for (size_t i = 0; i < count; i++) {
        bool own = elements[i].kind != HV_EVENT && (elements[i].flags & HV_ACCESS_SAME_INSTRUCTION) == 0;
        instructions += elements[i].gap + (uint64_t)own;
    }
    return instructions;
}
