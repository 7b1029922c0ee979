/* SPDX-License-Identifier: MIT */
/* Mixes of parts whose own streams are known: when each runs, in whose memory, and what it does there. */
#include <stdlib.h>
#include <string.h>

#include "streams.h"
#include "support.h"
#include "workload/mix.h"

#include "gtest.h"

static struct workload_params mix_of(enum mix_as as, uint64_t quantum, uint64_t accesses)
{
    struct workload_params p = stream_params(WORKLOAD_MIX, HV_MIB(1), accesses);
    p.mix_as = as;
    p.mix_quantum = quantum;
    return p;
}

/* Steps of so many bytes over a footprint that they divide: access number i is at i * step modulo the footprint. */
static struct workload_params steps(uint64_t step, uint64_t footprint, uint64_t accesses)
{
    struct workload_params p = stream_params(WORKLOAD_STRIDE, footprint, accesses);
    p.stride = step;
    p.write_fraction = 0;
    return p;
}

static struct workload *open_mix(const struct workload_params *params, const struct workload_params *parts,
                                 size_t count)
{
    struct hv_err err = { "" };
    struct workload *w = mix_open(params, parts, count, &err);
    if (w == NULL) {
        fail_msg("%s", err.text);
    }
    return w;
}

static struct hv_access *read_mix(const struct workload_params *params, const struct workload_params *parts,
                                  size_t parts_count, size_t batch, size_t *count)
{
    return stream_drain(open_mix(params, parts, parts_count), batch, count);
}

/* A switch and a quantum of each in turn; each goes on where it was, and begins anew at the end of its footprint. */
static void processes_take_turns_of_a_quantum(void **state)
{
    (void)state;
    enum { PARTS = 3, ACCESSES = 10000 };
    static const uint64_t quanta[] = { 1, 7, 100, 4999, 10000, 50000 };
    const struct workload_params parts[PARTS] = { steps(8, 8192, 1), steps(64, 65536, 1), steps(4096, HV_MIB(1), 1) };
    for (size_t k = 0; k < HV_ARRAY_LEN(quanta); k++) {
        struct workload_params p = mix_of(MIX_PROCESSES, quanta[k], ACCESSES);
        size_t count, at = 0;
        uint64_t made[PARTS] = { 0 };
        struct hv_access *all = read_mix(&p, parts, PARTS, 1000, &count);
        for (uint64_t i = 0; i < ACCESSES; i++, at++) {
            unsigned part = (unsigned)(i / quanta[k] % PARTS);
            if (i % quanta[k] == 0) {
                assert_true(hv_event_valid(&all[at]));
                assert_int_equal(all[at].bytes, HV_EVENT_PROCESS);
                assert_int_equal(all[at].gva.v, part);
                assert_int_equal(all[at].asid, part);
                at++;
            }
            assert_int_equal(all[at].kind, HV_LOAD);
            assert_int_equal(all[at].asid, part);
            assert_int_equal(all[at].gva.v,
                             STREAM_BASE + made[part]++ * parts[part].stride % parts[part].footprint);
        }
        assert_int_equal(at, count);
        free(all);
    }
}

static void each_process_has_its_regions(void **state)
{
    (void)state;
    struct workload_params parts[2] = { steps(8, 8192, 1), steps(64, 65536, 1) };
    parts[0].code_footprint = 4096;
    struct workload_params p = mix_of(MIX_PROCESSES, 10, 100);
    size_t count;
    struct workload *w = open_mix(&p, parts, 2);
    const struct workload_region *regions = workload_regions(w, &count);
    static const struct workload_region expected[] = {
        { { STREAM_BASE }, 2, 0 }, { { STREAM_CODE_BASE }, 1, 0 }, { { STREAM_BASE }, 16, 1 },
    };
    assert_int_equal(count, 3);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(regions[i].start.v, expected[i].start.v);
        assert_int_equal(regions[i].pages, expected[i].pages);
        assert_int_equal(regions[i].process, expected[i].process);
    }
    workload_close(w);
}

static void one_process_is_switched_to_once(void **state)
{
    (void)state;
    struct workload_params part = steps(8, 8192, 1), p = mix_of(MIX_PROCESSES, 10, 100);
    size_t count;
    struct hv_access *all = read_mix(&p, &part, 1, 1000, &count);
    assert_int_equal(count, 101);
    assert_int_equal(all[0].bytes, HV_EVENT_PROCESS);
    free(all);
}

/* Each for its own accesses, round and round, in one address space without switches. */
static void phases_follow_each_other(void **state)
{
    (void)state;
    const struct workload_params parts[2] = { steps(8, 8192, 300), steps(64, 65536, 50) };
    struct workload_params p = mix_of(MIX_PHASES, 7, 10000);
    size_t count;
    uint64_t made[2] = { 0 };
    struct hv_access *all = read_mix(&p, parts, 2, 1000, &count);
    assert_int_equal(count, 10000);
    for (size_t i = 0; i < count; i++) {
        unsigned part = i % 350 >= 300;
        assert_int_equal(all[i].asid, 0);
        assert_int_equal(all[i].gva.v, STREAM_BASE + made[part]++ * parts[part].stride % parts[part].footprint);
    }
    free(all);
}

/* Two heaps at the same place are one, as long as the longer; code follows; pages apart stay apart. */
static void phases_share_their_memory(void **state)
{
    enum { LENGTH = 3 };
    static const uint64_t pages[LENGTH] = { (STREAM_BASE >> 12) - 1, (STREAM_BASE >> 12) + 20, 5 };
    struct hv_access record[LENGTH];
    for (size_t i = 0; i < LENGTH; i++) {
        record[i] = (struct hv_access){ .gva = { pages[i] << 12 }, .bytes = 8 };
    }
    struct workload_params parts[4] = {
        steps(8, 8192, 10), steps(8, 10 * HV_PAGE_BYTES, 10), steps(8, 4096, 10), stream_params(WORKLOAD_TRACE, 0, 10),
    };
    parts[2].code_footprint = 8192;
    scratch_path(state, "t.hvt", parts[3].trace);
    write_trace(parts[3].trace, record, LENGTH);
    struct workload_params p = mix_of(MIX_PHASES, 1, 100);
    static const struct workload_region expected[] = {
        { { 5 << 12 }, 1, 0 },
        { { STREAM_BASE - HV_PAGE_BYTES }, 11, 0 },
        { { STREAM_BASE + 20 * HV_PAGE_BYTES }, 1, 0 },
        { { STREAM_CODE_BASE }, 2, 0 },
    };
    size_t count;
    struct workload *w = open_mix(&p, parts, 4);
    const struct workload_region *regions = workload_regions(w, &count);
    assert_int_equal(count, HV_ARRAY_LEN(expected));
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(regions[i].start.v, expected[i].start.v);
        assert_int_equal(regions[i].pages, expected[i].pages);
        assert_int_equal(regions[i].process, 0);
    }
    workload_close(w);
}

/* A trace of 10 records: as a process it goes round within and across turns; as a phase it ends its turn. */
static void a_trace_begins_again(void **state)
{
    enum { LENGTH = 10 };
    struct hv_access record[LENGTH];
    struct workload_params parts[2] = { stream_params(WORKLOAD_TRACE, 0, 1000000), steps(8, 8192, 5) };
    for (size_t i = 0; i < LENGTH; i++) {
        record[i] = (struct hv_access){ .gva = { 4096 * (i + 1) }, .bytes = 8 };
    }
    scratch_path(state, "t.hvt", parts[0].trace);
    write_trace(parts[0].trace, record, LENGTH);
    size_t count;
    struct workload_params p = mix_of(MIX_PROCESSES, 7, 1000);
    struct hv_access *all = read_mix(&p, parts, 2, 64, &count);
    uint64_t made = 0;
    for (size_t i = 0; i < count; i++) {
        if (all[i].kind != HV_EVENT && all[i].asid == 0) {
            assert_int_equal(all[i].gva.v, 4096 * (made++ % LENGTH + 1));
        }
    }
    assert_int_equal(made, 1000 / 14 * 7 + 1000 % 14 - (1000 % 14 > 7 ? 1000 % 14 - 7 : 0));
    free(all);

    static const uint64_t limits[] = { 1000000, LENGTH, 4 }; /* all records twice, and the first four */
    for (size_t k = 0; k < HV_ARRAY_LEN(limits); k++) {
        uint64_t length = limits[k] < LENGTH ? limits[k] : LENGTH;
        parts[0].accesses = limits[k];
        p = mix_of(MIX_PHASES, 7, 1000);
        all = read_mix(&p, parts, 2, 64, &count);
        for (size_t i = 0; i < count; i++) {
            size_t within = i % (length + 5);
            assert_true(within < length ? all[i].gva.v == 4096 * (within + 1) : all[i].gva.v >= STREAM_BASE);
        }
        free(all);
    }
}

/* The same part twice is two streams; another seed of the mix changes both. */
static void parts_draw_by_their_own_seeds(void **state)
{
    (void)state;
    struct workload_params part = stream_params(WORKLOAD_UNIFORM, HV_MIB(1), 100);
    const struct workload_params parts[2] = { part, part };
    struct workload_params p = mix_of(MIX_PHASES, 1, 200);
    size_t count;
    struct hv_access *one = read_mix(&p, parts, 2, 1000, &count), *again = read_mix(&p, parts, 2, 1000, &count);
    p.seed = 2;
    struct hv_access *other = read_mix(&p, parts, 2, 1000, &count);
    assert_memory_equal(one, again, 200 * sizeof(*one));
    assert_memory_not_equal(one, one + 100, 100 * sizeof(*one));
    assert_memory_not_equal(one, other, 100 * sizeof(*one));
    assert_memory_not_equal(one + 100, other + 100, 100 * sizeof(*one));
    free(one);
    free(again);
    free(other);
}

/* Events of a part are about its process; events of the mix are about whose memory the run lies in. */
static void events_are_about_their_process(void **state)
{
    (void)state;
    struct workload_params parts[2] = { steps(8, 8192, 100), steps(8, 1024 * HV_PAGE_BYTES, 100) };
    struct workload_params p = mix_of(MIX_PROCESSES, 10, 4000);
    size_t count;
    uint64_t of_part = 0, of_mix[2] = { 0 };
    parts[1].events.migrate_interval = 4;
    parts[1].events.migrate_pages = 1;
    p.events.balloon_interval = 1;
    p.events.balloon_pages = 1;
    struct hv_access *all = read_mix(&p, parts, 2, 1000, &count);
    for (size_t i = 0; i < count; i++) {
        bool event = all[i].kind == HV_EVENT;
        if (event && all[i].bytes == HV_EVENT_MIGRATE) {
            assert_int_equal(all[i].asid, 1);
            of_part++;
        } else if (event && all[i].bytes == HV_EVENT_BALLOON) {
            assert_in_range(all[i].asid, 0, 1);
            of_mix[all[i].asid]++;
            assert_true(all[i].asid == 1 || hv_event_run_start(all[i].gva.v) < STREAM_BASE + 8192);
        }
    }
    assert_int_equal(of_part, (2000 - 1) / 4); /* of 2000 accesses, the last event would come after the last of them */
    assert_int_equal(of_mix[0] + of_mix[1], 3999);
    assert_binomial(of_mix[0], 3999, 2.0 / 1026);
    free(all);
}

static void batches_do_not_show(void **state)
{
    (void)state;
    static const size_t batches[] = { 1, 37 };
    for (unsigned as = MIX_PROCESSES; as <= MIX_PHASES; as++) {
        struct workload_params parts[3] = {
            stream_params(WORKLOAD_KVSTORE, HV_MIB(1), 1000), stream_params(WORKLOAD_JOIN, HV_MIB(1), 77),
            stream_params(WORKLOAD_ZIPF, HV_MIB(1), 333),
        };
        struct workload_params p = mix_of((enum mix_as)as, 55, 20000);
        size_t count, other_count;
        parts[1].code_footprint = HV_KIB(16);
        parts[2].events.fork_interval = 10;
        p.events.remap_interval = 21;
        struct hv_access *whole = read_mix(&p, parts, 3, 100000, &count);
        for (size_t k = 0; k < HV_ARRAY_LEN(batches); k++) {
            struct hv_access *other = read_mix(&p, parts, 3, batches[k], &other_count);
            assert_int_equal(other_count, count);
            assert_memory_equal(whole, other, count * sizeof(*whole));
            free(other);
        }
        free(whole);
    }
}

static void assert_mix_refused(const struct workload_params *p, const struct workload_params *part, const char *words)
{
    struct hv_err err = { "" };
    const struct workload_params parts[2] = { steps(8, 8192, 10), *part };
    assert_null(mix_open(p, parts, 2, &err));
    if (strstr(err.text, words) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", words, err.text);
    }
}

/* A part is one process: a trace of two is refused when it is opened, or at the latest where the second begins. */
static void a_trace_of_two_processes_is_no_part(void **state)
{
    struct hv_err err = { "" };
    struct hv_access record[2] = { { .gva = { 4096 }, .bytes = 8 }, { .gva = { 4096 }, .bytes = 8, .asid = 1 } };
    struct hv_access batch[16];
    struct workload_params part = stream_params(WORKLOAD_TRACE, 0, 10), p = mix_of(MIX_PHASES, 7, 1000);
    scratch_path(state, "t.hvt", part.trace);
    write_trace(part.trace, record, 2);
    struct workload *w = mix_open(&p, &part, 1, &err);
    if (w != NULL) {
        assert_int_equal(workload_next(w, batch, 1, &err), 1);
        assert_int_equal(workload_next(w, batch, 16, &err), (size_t)-1);
        workload_close(w);
    }
    assert_non_null(strstr(err.text, "part 1 of the mix is a trace of several processes, and a part is one"));
}

static void what_cannot_be_mixed_is_a_mistake(void **state)
{
    (void)state;
    struct workload_params p = mix_of(MIX_PHASES, 7, 1000), part = p;
    assert_mix_refused(&p, &part, "part 2 of the mix is a mix itself; name its parts instead");
    part = steps(16384, 8192, 10);
    assert_mix_refused(&p, &part, "part 2 of the mix: workload.stride of 16384");
    part = steps(8, 8192, 10);
    p.code_footprint = 4096;
    assert_mix_refused(&p, &part, "workload.code_footprint is not for a mix; set it in the files of its parts");
    p = mix_of(MIX_PHASES, 7, 1000);
    assert_refused(&p, "a workload of kind mix cannot be opened here");
}

GTEST_MAIN("Mix",
           cmocka_unit_test(processes_take_turns_of_a_quantum),
           cmocka_unit_test(each_process_has_its_regions),
           cmocka_unit_test(one_process_is_switched_to_once),
           cmocka_unit_test(phases_follow_each_other),
           IN_SCRATCH(phases_share_their_memory),
           IN_SCRATCH(a_trace_begins_again),
           cmocka_unit_test(parts_draw_by_their_own_seeds),
           cmocka_unit_test(events_are_about_their_process),
           cmocka_unit_test(batches_do_not_show),
           IN_SCRATCH(a_trace_of_two_processes_is_no_part),
           cmocka_unit_test(what_cannot_be_mixed_is_a_mistake))
