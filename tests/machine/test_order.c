/* SPDX-License-Identifier: MIT */
/*
 * Several cores under SystemC. With timing.sync exact, what they do to the last-level cache and to DRAM happens in the
 * order of time: access for access as in an independent simulation (reference.h), whatever the quantum. Bandwidth is the
 * configured one, and what cores cost each other is what their reads waited. With sync quantum only the shared part may
 * differ.
 */
#include "gtest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "build.h"
#include "command.h"
#include "reference.h"

enum { SETTINGS_BYTES = 2048 };

/* What the reference can model. */
#define SIMPLE                                                                                                      \
    "paging.mode=native mmu.pwc.kind=none tlb.l2.entries=0 tlb.l1d_4k.entries=8 tlb.l1d_4k.ways=full "              \
    "cache.l1d.size=1KiB cache.l1d.ways=2 cache.l2.size=2KiB cache.l2.ways=4 cache.llc.size=16KiB cache.llc.ways=8 " \
    "workload.write_fraction=0 workload.footprint=64KiB workload.accesses=3000 "
#define NO_LLC "cache.llc.size=0 workload.write_fraction=0.5 "
/* With stores, a last-level cache that holds everything, so that it writes nothing back. */
#define LARGE_LLC "cache.llc.size=512KiB workload.write_fraction=0.5 "

static const struct machine_row {
    const char *name, *settings;
} rows[] = {
    {"one_core", "machine.cores=1"},
    {"two_cores", "machine.cores=2"},
    {"four_cores", "machine.cores=4"},
    {"eight_cores", "machine.cores=8 workload.accesses=1000"},
    {"no_tlb", "machine.cores=2 tlb.l1d_4k.entries=0"},
    {"odd_clock", "machine.cores=3 machine.clock_mhz=3333"},
    {"slow_clock", "machine.cores=2 machine.clock_mhz=7"},
    {"one_slow_channel", "machine.cores=4 dram.channels=1 dram.bytes_per_cycle=1"},
    {"three_channels", "machine.cores=4 dram.channels=3 dram.bytes_per_cycle=3 dram.latency_cycles=31"},
    {"no_latency", "machine.cores=3 dram.latency_cycles=0 cache.llc.latency_cycles=0 cache.l2.latency_cycles=0 "
                   "cache.l1d.latency_cycles=0"},
    {"wide", "machine.cores=2 core.width=7 workload.instructions_per_access=5"},
    {"chase", "machine.cores=2 workload.kind=chase workload.footprint=1MiB"},
    {"sequential", "machine.cores=4 workload.kind=sequential"},
    {"zipf", "machine.cores=2 workload.kind=zipf workload.footprint=1MiB"},
    {"same_streams", "machine.cores=4 workload.kind=stride workload.stride=64"},
    {"threads", "machine.cores=3 vcpu.threads=true"},
    {"slices", "machine.cores=2 workload.accesses=150000 workload.footprint=8KiB tlb.l1d_4k.entries=64"},
    {"stores", "machine.cores=2 " NO_LLC},
    {"four_cores_store", "machine.cores=4 dram.channels=1 " NO_LLC},
    {"threads_store", "machine.cores=4 vcpu.threads=true " NO_LLC},
    {"stores_to_llc", "machine.cores=2 " LARGE_LLC},
    {"threads_store_to_llc", "machine.cores=3 vcpu.threads=true workload.kind=zipf " LARGE_LLC},
};

static void settings_of(const struct machine_row *row, char settings[SETTINGS_BYTES])
{
    assert_true(snprintf(settings, SETTINGS_BYTES, SIMPLE "%s", row->settings) < SETTINGS_BYTES);
}

/* --- the reference ----------------------------------------------------------------------------------------------------- */

static void expect_lines(const char *expected, const char *found)
{
    for (unsigned number = 1; *expected != '\0' || *found != '\0'; number++) {
        size_t wanted = strcspn(expected, "\n"), got = strcspn(found, "\n");
        if (wanted != got || memcmp(expected, found, wanted) != 0) {
            fail_msg("shared access %u is \"%.*s\", by the reference \"%.*s\"", number, (int)got, found, (int)wanted,
                     expected);
        }
        expected += wanted + (expected[wanted] == '\n');
        found += got + (found[got] == '\n');
    }
}

static void expect_stat(const json_t *stats, const char *name, uint64_t expected)
{
    if (command_stat(stats, name) != expected) {
        fail_msg("%s is %llu, by the reference %llu", name, (unsigned long long)command_stat(stats, name),
                 (unsigned long long)expected);
    }
}

static void expect_cache(const json_t *stats, const char *cache, const struct reference_counts *expected)
{
    const struct { const char *name; uint64_t value; } members[] = {
        {"hits", expected->hits}, {"misses", expected->misses}, {"walk_hits", expected->walk_hits},
        {"walk_misses", expected->walk_misses}, {"writebacks", expected->writebacks},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(members); i++) {
        char name[64];
        snprintf(name, sizeof(name), "cache.%s.%s", cache, members[i].name);
        expect_stat(stats, name, members[i].value);
    }
}

static void expect_result(const json_t *stats, const struct reference_result *expected, uint64_t cores)
{
    uint64_t longest = 0;
    for (uint64_t i = 0; i < cores; i++) {
        char name[32];
        snprintf(name, sizeof(name), cores > 1 ? "core%u.cycles" : "core.cycles", (unsigned)i);
        expect_stat(stats, name, expected->cycles[i]);
        longest = expected->cycles[i] > longest ? expected->cycles[i] : longest;
    }
    expect_stat(stats, "machine.cycles", longest);
    expect_cache(stats, "l1d", &expected->l1d);
    expect_cache(stats, "l2", &expected->l2);
    expect_cache(stats, "llc", &expected->llc);
    expect_stat(stats, "mmu.walks", expected->walks);
    expect_stat(stats, "dram.reads", expected->dram_reads);
    expect_stat(stats, "dram.writes", expected->dram_writes);
    expect_stat(stats, "dram.queue_cycles", expected->dram_queue_cycles);
}

/* The trace of the reference, and its result. */
static char *reference_of(const char *settings, struct reference_result *result)
{
    struct machine_params params;
    struct hv_err err = {""};
    resolve_settings(&params, settings);
    struct machine *m = machine_new(&params, NULL, &err);
    assert_non_null(m);
    char *text;
    size_t size;
    FILE *trace = open_memstream(&text, &size);
    reference_run(m, trace, result);
    fclose(trace);
    machine_free(m);
    return text;
}

static void the_order_is_that_of_time(void **state)
{
    const struct machine_row *row = *state;
    char settings[SETTINGS_BYTES], *found;
    command_or_skip();
    settings_of(row, settings);
    struct reference_result result;
    char *expected = reference_of(settings, &result);
    json_t *stats = command_run(settings, &found);
    expect_lines(expected, found);
    expect_result(stats, &result, (uint64_t)atoi(strstr(row->settings, "cores=") + strlen("cores=")));
    json_decref(stats);
    free(expected);
    free(found);
}

/* --- what does not matter ---------------------------------------------------------------------------------------------- */

/* Watching the accesses changes nothing, and an exact run knows no quantum. */
static void the_quantum_does_not_matter_to_exact(void **state)
{
    (void)state;
    static const char *const all[] = {
        SIMPLE "machine.cores=3", SIMPLE "machine.cores=2 " NO_LLC,
        "machine.cores=3 vcpu.threads=true paging.prefault=false workload.footprint=1MiB workload.accesses=20000 "
        "sched.processes=2 sched.process_quantum=700",
        "machine.cores=2 vm.count=2 vm.vcpus=2 sched.vcpu_quantum=300 workload.footprint=256KiB workload.accesses=9000 "
        "workload.warmup=1000",
    };
    command_or_skip();
    for (size_t i = 0; i < HV_ARRAY_LEN(all); i++) {
        static const char *const quanta[] = {"1", "777", "50000"};
        char *trace;
        json_t *plain = command_run(all[i], NULL), *watched = command_run(all[i], &trace);
        assert_true(json_equal(plain, watched));
        free(trace);
        json_decref(watched);
        for (size_t q = 0; q < HV_ARRAY_LEN(quanta); q++) {
            char settings[SETTINGS_BYTES];
            snprintf(settings, sizeof(settings), "%s timing.quantum_cycles=%s", all[i], quanta[q]);
            json_t *other = command_run(settings, NULL);
            assert_true(json_equal(plain, other));
            json_decref(other);
        }
        json_decref(plain);
    }
}

/* The result without what it says of the host. */
static char *repeatable_part(const char *settings)
{
    char *text = command_output(settings), *host = strstr(text, "\"host\"");
    assert_non_null(host);
    *host = '\0';
    return text;
}

static void every_rerun_is_the_same(void **state)
{
    (void)state;
    command_or_skip();
    static const char *const cores[] = {"1", "2", "4"}, *const syncs[] = {"exact", "quantum"};
    for (size_t i = 0; i < HV_ARRAY_LEN(cores) * HV_ARRAY_LEN(syncs); i++) {
        char settings[SETTINGS_BYTES];
        snprintf(settings, sizeof(settings), "machine.cores=%s timing.sync=%s vm.count=2 vm.vcpus=3 vcpu.threads=true "
                 "sched.processes=2 sched.process_quantum=300 sched.vcpu_quantum=1000 paging.prefault=false "
                 "workload.kind=zipf workload.footprint=2MiB workload.accesses=6000 workload.warmup=500", cores[i / 2],
                 syncs[i % 2]);
        char *first = repeatable_part(settings), *second = repeatable_part(settings);
        assert_string_equal(first, second);
        free(first);
        free(second);
    }
}

/* What a core has for itself sees the same stream in both ways of keeping time. */
static void a_quantum_changes_only_what_is_shared(void **state)
{
    (void)state;
    static const char *const same[] = {
        "core.accesses", "core.instructions", "core.cycles_base", "core.cycles_tlb", "tlb.l1d.hits", "tlb.l1d.misses",
        "tlb.l2.hits", "tlb.l2.misses", "mmu.walks", "mmu.walk_refs", "mmu.pwc.guest.l2.hits", "mmu.pwc.host.l2.hits",
        "cache.l1d.hits", "cache.l1d.misses", "cache.l1d.walk_hits", "cache.l2.hits", "cache.l2.misses",
        "cache.l2.walk_misses", "cache.l2.writebacks", "vmm.process_switches",
    };
    command_or_skip();
    const char *settings = "machine.cores=4 sched.processes=2 sched.process_quantum=500 workload.footprint=16MiB "
                           "workload.accesses=20000 workload.write_fraction=0.5 cache.llc.size=1MiB";
    json_t *exact = command_run(settings, NULL);
    for (unsigned quantum = 10; quantum <= 10000; quantum *= 10) {
        char more[SETTINGS_BYTES];
        snprintf(more, sizeof(more), "%s timing.sync=quantum timing.quantum_cycles=%u", settings, quantum);
        json_t *loose = command_run(more, NULL);
        for (size_t i = 0; i < HV_ARRAY_LEN(same); i++) {
            expect_stat(loose, same[i], command_stat(exact, same[i]));
        }
        assert_int_equal(command_stat(loose, "cache.llc.hits") + command_stat(loose, "cache.llc.misses"),
                         command_stat(exact, "cache.llc.hits") + command_stat(exact, "cache.llc.misses"));
        json_decref(loose);
    }
    json_decref(exact);
}

/* --- bandwidth ----------------------------------------------------------------------------------------------------------- */

/* Nothing keeps a line or a translation: an access is 5 lines of DRAM, one after the other. */
#define BARE                                                                                                        \
    "paging.mode=native mmu.pwc.kind=none tlb.l2.entries=0 tlb.l1d_4k.entries=0 cache.l1d.size=0 cache.l2.size=0 "  \
    "cache.llc.size=0 core.width=1 workload.write_fraction=0 workload.footprint=1GiB "

enum { ACCESSES = 2000, LINES = 5 * ACCESSES, ISSUE = 3 /* cycles: the default of instructions per access */ };

/*
 * One channel of a byte a cycle: each line takes 64 cycles, more than a core needs to ask for its next one. From the
 * first to the last the channel is never idle, however many cores there are.
 */
static void demand_beyond_the_bandwidth_gets_the_bandwidth(void **state)
{
    (void)state;
    command_or_skip();
    for (unsigned cores = 1; cores <= 8; cores *= 2) {
        char settings[SETTINGS_BYTES];
        snprintf(settings, sizeof(settings), BARE "machine.cores=%u workload.accesses=%d dram.channels=1 "
                 "dram.bytes_per_cycle=1 dram.latency_cycles=10", cores, ACCESSES);
        json_t *stats = command_run(settings, NULL);
        const uint64_t lines = (uint64_t)cores * LINES;
        assert_int_equal(command_stat(stats, "dram.reads"), lines);
        assert_int_equal(command_stat(stats, "dram.busy_cycles"), 64 * lines);
        assert_int_equal(command_stat(stats, "machine.cycles"), ISSUE + 64 * (lines - 1) + 10);
        json_decref(stats);
    }
}

/*
 * Several channels have their sum, as far as random lines spread over them: the TLB keeps the few pages, and each access
 * is a line of any channel. (16 customers before 4 equal servers keep them busy for 16/19 of the time if service times
 * are exponential, and for longer if they are all the same.)
 */
static void channels_add_up(void **state)
{
    (void)state;
    command_or_skip();
    json_t *stats = command_run(BARE "machine.cores=16 workload.accesses=12000 workload.warmup=2000 dram.channels=4 "
                                     "dram.bytes_per_cycle=2 dram.latency_cycles=10 workload.footprint=64KiB "
                                     "tlb.l1d_4k.entries=16 tlb.l1d_4k.ways=full", NULL);
    const uint64_t lines = 16 * 10000, least = lines * 32 / 4;
    assert_int_equal(command_stat(stats, "dram.reads"), lines);
    assert_in_range(command_stat(stats, "machine.cycles"), least, least + least / 4);
    json_decref(stats);
}

/* Cycles that a core's reads waited for DRAM, from the trace of shared accesses. */
static uint64_t waited(const char *trace, unsigned core, uint64_t latency)
{
    char wanted[64];
    uint64_t cycles = 0;
    snprintf(wanted, sizeof(wanted), " shared read core=%u line=", core);
    for (const char *at = trace; *at != '\0'; at += strcspn(at, "\n") + 1) {
        char *behind;
        uint64_t time = strtoull(at, &behind, 10);
        if (strncmp(behind, wanted, strlen(wanted)) == 0) {
            strtoull(behind + strlen(wanted), &behind, 16);
            assert_int_equal(strncmp(behind, " level=DRAM done=", strlen(" level=DRAM done=")), 0);
            cycles += strtoull(behind + strlen(" level=DRAM done="), NULL, 10) - time - latency;
        }
    }
    return cycles;
}

/* What a core loses to the others is what its reads wait for the channel, to the cycle. */
static void slowdown_is_queueing(void **state)
{
    (void)state;
    command_or_skip();
    char settings[SETTINGS_BYTES], *trace;
    snprintf(settings, sizeof(settings), BARE "workload.accesses=%d dram.channels=1 dram.bytes_per_cycle=2 "
             "dram.latency_cycles=100", ACCESSES);
    json_t *alone = command_run(settings, NULL);
    assert_int_equal(command_stat(alone, "dram.queue_cycles"), 0);
    const uint64_t cycles = (uint64_t)ACCESSES * ISSUE + (uint64_t)LINES * 100;
    assert_int_equal(command_stat(alone, "core.cycles"), cycles);
    json_decref(alone);
    for (unsigned cores = 2; cores <= 6; cores += 2) {
        char more[SETTINGS_BYTES + 32];
        uint64_t sum = 0;
        snprintf(more, sizeof(more), "%s machine.cores=%u", settings, cores);
        json_t *together = command_run(more, &trace);
        for (unsigned core = 0; core < cores; core++) {
            char name[32];
            snprintf(name, sizeof(name), "core%u.cycles", core);
            uint64_t lost = command_stat(together, name) - cycles;
            assert_int_equal(lost, waited(trace, core, 100));
            sum += lost;
        }
        assert_int_equal(command_stat(together, "dram.queue_cycles"), sum);
        assert_true(sum > 0);
        json_decref(together);
        free(trace);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_quantum_does_not_matter_to_exact), cmocka_unit_test(every_rerun_is_the_same),
        cmocka_unit_test(a_quantum_changes_only_what_is_shared),
        cmocka_unit_test(demand_beyond_the_bandwidth_gets_the_bandwidth), cmocka_unit_test(channels_add_up),
        cmocka_unit_test(slowdown_is_queueing),
    };
    struct CMUnitTest row_tests[HV_ARRAY_LEN(rows)];
    gtest_rows(row_tests, the_order_is_that_of_time, rows, sizeof(rows[0]), HV_ARRAY_LEN(rows));
    const struct gtest_suite suites[] = {GTEST_SUITE("Exact", row_tests), GTEST_SUITE("Order", tests)};
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
