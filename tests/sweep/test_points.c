/* SPDX-License-Identifier: MIT */
/* What a point is: its parameters, its name, and what makes it another point. */
#include "gtest.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host.h"
#include "sweep/fingerprint.h"

#define HEAD "config: c\nmetrics: [core.cpi]\n"

/* --- Parameters and names ----------------------------------------------------------------------------------------- */

/* config, then workload, then set, then the axes, then --set. */
static void later_sources_win(void **state)
{
    (void)state;
    static const char *const sets[] = {"core.mshrs=9"};
    struct sweep s;
    struct hv_err err = {""};
    load_sweep(&s, "config: c-wide\nworkload: w-short\nmetrics: [core.cpi]\nset: {core: {rob: 7, mshrs: 8}}\n"
               "axes: {core.width: [2, 3]}");
    assert_true(sweep_expand(&s, sets, 1, &err));
    assert_int_equal(s.point_count, 2);
    assert_int_equal(s.points[0].params.core.width, 2);
    assert_int_equal(s.points[1].params.core.width, 3);
    assert_int_equal(s.points[0].params.workload.accesses, 100);
    assert_int_equal(s.points[0].params.core.rob, 7);
    assert_int_equal(s.points[0].params.core.mshrs, 9);
    sweep_fini(&s);
    expand_sweep(&s, "metrics: [core.cpi]\naxes: {config: [c, c-wide]}");
    assert_int_equal(s.points[0].params.core.width, 4);
    assert_int_equal(s.points[1].params.core.width, 8);
    sweep_fini(&s);
}

/* The first repeat has the seed that is configured, the next are a million apart. */
static void seeds_are_apart(void **state)
{
    (void)state;
    struct sweep s;
    expand_sweep(&s, HEAD "axes: {core.width: [2, 3]}\nseeds: 3\nset: {workload.seed: 5}");
    assert_int_equal(s.point_count, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(s.points[i].row, i / 3);
        assert_int_equal(s.points[i].seed, 5 + i % 3 * 1000000);
        assert_int_equal(s.points[i].params.workload.seed, s.points[i].seed);
    }
    assert_string_equal(s.points[4].name, "core.width=3,seed=1000005");
    sweep_fini(&s);
}

/* A name has no character that a shell or file system would mind, nor too many; and still differs from others. */
static void names_are_plain(void **state)
{
    (void)state;
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.=,";
    char text[1024], longer[201];
    struct sweep s;
    memset(longer, 'x', 200);
    longer[200] = '\0';
    snprintf(text, sizeof(text), HEAD "axes: {workload.trace: ['/a b', '/a*b', %s1, %s2]}", longer, longer);
    expand_sweep(&s, text);
    for (size_t i = 0; i < s.point_count; i++) {
        const char *name = s.points[i].name;
        assert_int_equal(strspn(name, plain), strlen(name));
        assert_true(strlen(name) < 200);
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(name, s.points[k].name);
        }
    }
    assert_memory_equal(s.points[0].name, "workload.trace=_a_b,seed=1-", 27);
    sweep_fini(&s);
}

static void rows_are_described(void **state)
{
    (void)state;
    char text[256];
    struct sweep s;
    expand_sweep(&s, HEAD "axes: {workload.footprint: [64KiB], paging.mode: [native, nested]}");
    sweep_describe_row(&s, 1, text, sizeof(text));
    assert_string_equal(text, "workload.footprint=64KiB, paging.mode=nested");
    sweep_describe_row(&s, 1, text, 10);
    assert_string_equal(text, "workload.");
    sweep_fini(&s);
}

/* --- Keys --------------------------------------------------------------------------------------------------------- */

struct keys {
    uint64_t key, group, family;
};

static struct keys keys_with(const char *more, const struct sweep_host *host)
{
    char text[512];
    struct sweep s;
    struct hv_err err = {""};
    snprintf(text, sizeof(text), HEAD "axes: {core.mshrs: [5]}\n%s", more);
    if (!sweep_load_text(&s, "s.yaml", text, host, &err) || !sweep_expand(&s, NULL, 0, &err)) {
        fail_msg("%s", err.text);
    }
    struct keys keys = {s.points[0].key, s.points[0].group, s.points[0].family};
    sweep_fini(&s);
    return keys;
}

/* Which of the three differ from those of the sweep without more. */
enum { KEY = 1, GROUP = 2, FAMILY = 4 };

static const struct key_row {
    const char *name, *more;
    unsigned differ;
} key_rows[] = {
    {"nothing", "", 0},
    {"default_written_out", "set: {core.width: 4, tlb.l2.entries: 1_536}", 0},
    {"name_and_metrics_elsewhere", "name: other", 0},
    {"workload_that_says_nothing", "workload: w", 0},
    {"seeds", "seeds: 3", 0},
    {"core", "set: {core.width: 2}", KEY},
    {"tlb", "set: {tlb.l2.latency_cycles: 8}", KEY},
    {"walker", "set: {mmu.nested_tlb.entries: 8}", KEY},
    {"cache", "set: {cache.l2.latency_cycles: 15}", KEY},
    {"main_memory", "set: {dram.channels: 1}", KEY},
    {"check", "set: {check.stale: true}", KEY},
    {"timing", "set: {timing.sync: quantum}", KEY},
    {"workload", "set: {workload.accesses: 77}", KEY | GROUP | FAMILY},
    {"footprint", "set: {workload.footprint: 2MiB}", KEY | GROUP | FAMILY},
    {"paging", "set: {paging.mode: native}", KEY | GROUP | FAMILY},
    {"memory", "set: {machine.memory: 8GiB}", KEY | GROUP | FAMILY},
    {"processes", "set: {sched.processes: 2}", KEY | GROUP | FAMILY},
    {"costs", "set: {vmm.cost.page_fault_cycles: 1}", KEY | GROUP | FAMILY},
    {"seed", "set: {workload.seed: 2}", KEY | GROUP},
};

static void key(void **state)
{
    const struct key_row *row = *state;
    struct keys without = keys_with("", &test_host), with = keys_with(row->more, &test_host);
    assert_int_equal(with.key != without.key, (row->differ & KEY) != 0);
    assert_int_equal(with.group != without.group, (row->differ & GROUP) != 0);
    assert_int_equal(with.family != without.family, (row->differ & FAMILY) != 0);
}

/* Another hvsim computes another point, and prepares the same. */
static void another_build_is_another_key(void **state)
{
    (void)state;
    struct sweep_host other = test_host;
    other.build = "1.2 abd";
    struct keys a = keys_with("", &test_host), b = keys_with("", &other);
    assert_true(a.key != b.key);
    assert_true(a.group == b.group && a.family == b.family);
}

static void write_file(const char *path, const char *content)
{
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(content, out);
    assert_int_equal(fclose(out), 0);
}

/* A trace is what it holds: elsewhere it is the same, and with other content it is not. */
static void a_trace_is_its_content(void **state)
{
    (void)state;
    char directory[] = "/tmp/hvsim-points-XXXXXX", text[3][256], path[3][64];
    assert_non_null(mkdtemp(directory));
    struct keys k[3];
    for (size_t i = 0; i < 3; i++) {
        snprintf(path[i], sizeof(path[i]), "%s/%zu.hvt", directory, i);
        write_file(path[i], i < 2 ? "same" : "other");
        snprintf(text[i], sizeof(text[i]), "set: {workload.trace: %s}", path[i]);
        k[i] = keys_with(text[i], &test_host);
    }
    assert_true(k[0].key == k[1].key && k[0].group == k[1].group && k[0].family == k[1].family);
    assert_true(k[0].key != k[2].key && k[0].group != k[2].group && k[0].family != k[2].family);
    assert_true(k[0].key != keys_with("", &test_host).key);
    for (size_t i = 0; i < 3; i++) {
        unlink(path[i]);
    }
    rmdir(directory);
}

/* --- Order -------------------------------------------------------------------------------------------------------- */

/* Hardware varies first here, so the points of a group are two apart; seeds make groups of their own. */
static void groups_come_together(void **state)
{
    (void)state;
    struct sweep s;
    size_t points[] = {1, 2, 3, 4, 5, 7}, expected[] = {1, 3, 5, 7, 2, 4};
    expand_sweep(&s, HEAD "axes: {core.width: [1, 2, 3, 4], paging.mode: [native, nested]}");
    sweep_order_points(&s, points, 6);
    assert_memory_equal(points, expected, sizeof(points));
    sweep_fini(&s);
    size_t all[] = {0, 1, 2, 3}, by_seed[] = {0, 2, 1, 3};
    expand_sweep(&s, HEAD "axes: {core.width: [1, 2]}\nseeds: 2");
    sweep_order_points(&s, all, 4);
    assert_memory_equal(all, by_seed, sizeof(all));
    sweep_order_points(&s, all, 0);
    sweep_fini(&s);
}

/* --- Fingerprints ------------------------------------------------------------------------------------------------- */

static void fingerprints_tell_apart(void **state)
{
    (void)state;
    uint64_t start = FINGERPRINT_NOTHING;
    assert_true(fingerprint_text(start, "a") == fingerprint_text(start, "a"));
    assert_true(fingerprint_text(fingerprint_text(start, "ab"), "c") !=
                fingerprint_text(fingerprint_text(start, "a"), "bc"));
    assert_true(fingerprint_bytes(start, "\0", 1) != fingerprint_bytes(start, "\0\0", 2));
    assert_true(fingerprint_bytes(start, "12345678", 8) != fingerprint_bytes(start, "12345679", 8));
    assert_true(fingerprint_bytes(start, "123456789", 9) != fingerprint_bytes(start, "123456780", 9));
    assert_true(fingerprint_bytes(start, NULL, 0) != start);
}

static void a_file_that_cannot_be_read_is_a_sentence(void **state)
{
    (void)state;
    uint64_t print = FINGERPRINT_NOTHING;
    struct hv_err err = {""}, other = {""};
    assert_false(fingerprint_file(&print, "/nowhere/at/all", &err));
    assert_string_equal(err.text, "cannot read /nowhere/at/all: No such file or directory");
    assert_false(fingerprint_file(&print, "/", &other));
    assert_string_equal(other.text, "cannot read /: Is a directory");
}

/* What is a sweep and what a configuration, as `hvsim check` asks. */
static void sweeps_are_recognized(void **state)
{
    (void)state;
    static const struct { const char *text; bool sweep; } documents[] = {
        {"axes: {}", true}, {"metrics: [a]", true}, {"config: c", true}, {"plot: {}\ncore.width: 4", true},
        {"core.width: 4", false}, {"workload: {footprint: 1MiB}", false}, {"workload: w", false}, {"xyzzy: 1", false},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(documents); i++) {
        struct conf_doc doc;
        struct hv_err err = {""};
        assert_true(conf_read_buffer(&doc, "f", documents[i].text, strlen(documents[i].text), &err));
        assert_int_equal(sweep_is_sweep(&doc), documents[i].sweep);
        conf_fini(&doc);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest point_tests[] = {
        cmocka_unit_test(later_sources_win), cmocka_unit_test(seeds_are_apart), cmocka_unit_test(names_are_plain),
        cmocka_unit_test(rows_are_described), cmocka_unit_test(groups_come_together),
        cmocka_unit_test(another_build_is_another_key), cmocka_unit_test(a_trace_is_its_content),
        cmocka_unit_test(fingerprints_tell_apart), cmocka_unit_test(a_file_that_cannot_be_read_is_a_sentence),
        cmocka_unit_test(sweeps_are_recognized),
    };
    struct CMUnitTest key_tests[HV_ARRAY_LEN(key_rows)];
    gtest_rows(key_tests, key, key_rows, sizeof(key_rows[0]), HV_ARRAY_LEN(key_rows));
    const struct gtest_suite suites[] = {GTEST_SUITE("Points", point_tests), GTEST_SUITE("Key", key_tests)};
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
