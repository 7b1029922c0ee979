/* SPDX-License-Identifier: MIT */
/* The requests of the key-value store, taken apart again. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "streams.h"

#include "gtest.h"

#define FOOTPRINT HV_MIB(2)
#define BUCKETS_AT (STREAM_BASE + HV_PAGE_BYTES)

/* One request as its accesses tell it. */
struct request {
    uint64_t bucket, item; /* addresses */
    uint64_t chain[8];     /* headers that were read, the item's last */
    unsigned headers;
    bool put;
};

static struct workload_params kvstore(uint64_t value_bytes, uint64_t accesses)
{
    struct workload_params p = stream_params(WORKLOAD_KVSTORE, FOOTPRINT, accesses);
    p.kvstore.value_bytes = value_bytes;
    return p;
}

static void expect(const struct hv_access *a, enum hv_access_kind kind, uint8_t flags, uint64_t bytes)
{
    assert_int_equal(a->kind, kind);
    assert_int_equal(a->flags, flags);
    assert_int_equal(a->bytes, bytes);
    assert_int_equal(a->gap, 2);
}

/* The value follows the header, and is passed line by line to its last byte. */
static size_t read_value(const struct request *r, const struct hv_access *all, size_t at, uint64_t bytes)
{
    for (uint64_t done = 0; done < bytes; done += 64, at++) {
        uint64_t left = bytes - done;
        expect(&all[at], r->put ? HV_STORE : HV_LOAD, 0, left < 64 ? left : 64);
        assert_int_equal(all[at].gva.v, r->item + 64 + done);
    }
    return at;
}

static size_t read_request(struct request *r, const struct hv_access *all, size_t at, uint64_t value_bytes)
{
    expect(&all[at], HV_LOAD, 0, 8);
    r->bucket = all[at++].gva.v;
    for (r->headers = 0; (all[at].flags & HV_ACCESS_DEPENDENT) != 0; at++) {
        expect(&all[at], HV_LOAD, HV_ACCESS_DEPENDENT, 32);
        assert_in_range(r->headers, 0, 7);
        r->chain[r->headers++] = all[at].gva.v;
    }
    assert_in_range(r->headers, 1, 8);
    r->item = r->chain[r->headers - 1];
    r->put = all[at].kind == HV_STORE;
    at = read_value(r, all, at, value_bytes);
    expect(&all[at], HV_STORE, 0, 16);
    assert_int_equal(all[at].gva.v, r->item);
    expect(&all[at + 1], HV_STORE, 0, 8);
    expect(&all[at + 2], HV_STORE, 0, 8);
    assert_int_equal(all[at + 2].gva.v, STREAM_BASE);
    return at + 3;
}

/* All whole requests of a stream; the address of the second store to the list is the item of the request before. */
static struct request *read_requests(const struct workload_params *p, size_t *requests)
{
    size_t count;
    struct hv_access *all = stream_read(p, 1000, &count);
    struct request *request = calloc(count, sizeof(*request));
    size_t longest = 1 + 8 + p->kvstore.value_bytes / 64 + 1 + 3;
    *requests = 0;
    for (size_t at = 0; at + longest <= count; ++*requests) {
        at = read_request(&request[*requests], all, at, p->kvstore.value_bytes);
        if (*requests > 0) {
            assert_int_equal(all[at - 2].gva.v, request[*requests - 1].item);
        }
    }
    free(all);
    return request;
}

/* The lines of an item lie in its slot, and slots do not overlap. */
static void requests_have_the_form_of_the_store(void **state)
{
    (void)state;
    static const uint64_t values[] = { 1, 64, 65, 1000, 1344, 4096, 20000 };
    for (size_t k = 0; k < HV_ARRAY_LEN(values); k++) {
        struct workload_params p = kvstore(values[k], 200000);
        uint64_t slot = 64 + (values[k] + 63) / 64 * 64, items_at = UINT64_MAX;
        size_t requests;
        struct request *r = read_requests(&p, &requests);
        assert_in_range(requests, 100, p.accesses);
        for (size_t i = 0; i < requests; i++) {
            items_at = r[i].item < items_at ? r[i].item : items_at;
        }
        for (size_t i = 0; i < requests; i++) {
            assert_int_equal((r[i].item - items_at) % slot, 0);
            assert_true(r[i].item + slot <= STREAM_BASE + FOOTPRINT);
            assert_true(r[i].bucket % 8 == 0 && r[i].bucket >= BUCKETS_AT && r[i].bucket < items_at);
        }
        free(r);
    }
}

/* How many items the footprint has room for, to a few: 8 bytes of bucket, 64 of header, the value. */
static uint64_t items_of(uint64_t value_bytes)
{
    return FOOTPRINT / (72 + (value_bytes + 63) / 64 * 64);
}

static int by_bucket(const void *a, const void *b)
{
    const struct request *x = a, *y = b;
    return (x->bucket > y->bucket) - (x->bucket < y->bucket);
}

/* Of two requests to one bucket, one walks the beginning of the other's chain, or the same. */
static void a_bucket_has_one_chain(void **state)
{
    (void)state;
    size_t requests, longer = 0;
    struct workload_params p = kvstore(64, 400000);
    p.theta = 0;
    struct request *r = read_requests(&p, &requests);
    qsort(r, requests, sizeof(*r), by_bucket);
    for (size_t i = 1; i < requests; i++) {
        unsigned shorter = r[i].headers < r[i - 1].headers ? r[i].headers : r[i - 1].headers;
        if (r[i].bucket == r[i - 1].bucket) {
            assert_memory_equal(r[i].chain, r[i - 1].chain, shorter * sizeof(r->chain[0]));
            longer += shorter > 1;
        }
        for (unsigned h = 1; h < r[i].headers; h++) {
            assert_int_not_equal(r[i].chain[h], r[i].chain[h - 1]);
        }
    }
    assert_in_range(longer, 1000, requests);
    free(r);
}

static void the_share_of_puts_is_the_write_fraction(void **state)
{
    (void)state;
    static const double fractions[] = { 0, 0.05, 0.3, 1 };
    for (size_t k = 0; k < HV_ARRAY_LEN(fractions); k++) {
        size_t requests;
        uint64_t puts = 0;
        struct workload_params p = kvstore(100, 300000);
        p.write_fraction = fractions[k];
        struct request *r = read_requests(&p, &requests);
        for (size_t i = 0; i < requests; i++) {
            puts += r[i].put;
        }
        assert_in_range(requests, 30000, 50000);
        assert_binomial(puts, requests, fractions[k]);
        free(r);
    }
}

static int by_item(const void *a, const void *b)
{
    const struct request *x = a, *y = b;
    return (x->item > y->item) - (x->item < y->item);
}

/* The most popular of n items gets 1 / (1 + 2^-theta + ... + n^-theta) of the requests. */
static void keys_are_popular_by_rank(void **state)
{
    (void)state;
    static const double thetas[] = { 0.5, 0.99, 1.5 };
    for (size_t k = 0; k < HV_ARRAY_LEN(thetas); k++) {
        size_t requests, run = 0, most = 0;
        struct workload_params p = kvstore(64, 400000);
        p.theta = thetas[k];
        struct request *r = read_requests(&p, &requests);
        qsort(r, requests, sizeof(*r), by_item);
        for (size_t i = 0; i < requests; i++) {
            run = i > 0 && r[i].item == r[i - 1].item ? run + 1 : 1;
            most = run > most ? run : most;
        }
        double sum = 0;
        for (uint64_t rank = 1; rank <= items_of(64); rank++) {
            sum += pow((double)rank, -thetas[k]);
        }
        assert_binomial(most, requests, 1 / sum);
        free(r);
    }
}

/* Without popularity all items are requested: then the store holds as many as the footprint has room for. */
static void the_footprint_is_full_of_items(void **state)
{
    (void)state;
    size_t requests, different = 1;
    struct workload_params p = kvstore(4096, 3000000);
    p.theta = 0;
    struct request *r = read_requests(&p, &requests);
    qsort(r, requests, sizeof(*r), by_item);
    for (size_t i = 1; i < requests; i++) {
        different += r[i].item != r[i - 1].item;
    }
    assert_in_range(requests, 20 * items_of(4096), 3000000); /* an item is missed with e^-20 */
    assert_in_range(different, items_of(4096) - 4, items_of(4096));
    free(r);
}

static void the_stream_is_a_function_of_parameters_and_seed(void **state)
{
    (void)state;
    static const uint64_t values[] = { 1, 1000, 5000 };
    for (size_t k = 0; k < HV_ARRAY_LEN(values); k++) {
        struct workload_params p = kvstore(values[k], 20000);
        assert_batches_do_not_show(&p);
        assert_within_regions(&p);
        assert_seed_decides(&p);
    }
}

static void a_footprint_without_items_or_with_too_many_is_a_mistake(void **state)
{
    (void)state;
    struct workload_params p = kvstore(1024, 100);
    p.footprint = HV_KIB(12);
    assert_refused(&p, "workload.footprint of 12KiB has room for 0 items with values of 1KiB");
    p.footprint = HV_GIB(65536);
    p.kvstore.value_bytes = 1;
    assert_refused(&p, "items with values of 1, and kind kvstore takes 1 to 2^34");
}

GTEST_MAIN("Kvstore",
           cmocka_unit_test(requests_have_the_form_of_the_store),
           cmocka_unit_test(a_bucket_has_one_chain),
           cmocka_unit_test(the_share_of_puts_is_the_write_fraction),
           cmocka_unit_test(keys_are_popular_by_rank),
           cmocka_unit_test(the_footprint_is_full_of_items),
           cmocka_unit_test(the_stream_is_a_function_of_parameters_and_seed),
           cmocka_unit_test(a_footprint_without_items_or_with_too_many_is_a_mistake))
