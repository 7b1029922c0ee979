/* SPDX-License-Identifier: MIT */
/* The registry of statistics and its printed forms. */
#include "gtest.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/stat_print.h"

/* Two of the same block, as a machine has several TLBs. */
struct block_stats {
    uint64_t lookups;
    uint64_t hits;
};

static const struct stat_row block_rows[] = {
    STAT_ROW(struct block_stats, lookups, "lookups", "questions asked")
    STAT_ROW(struct block_stats, hits, "lookups", "questions answered")
};

struct fixture {
    struct stat_registry registry;
    struct block_stats l1, l2;
    uint64_t cycles, refs;
};

/* The value of a block's state: arg names which power. */
static uint64_t power(const void *ctx, uint64_t arg)
{
    uint64_t value = 1;
    for (uint64_t i = 0; i < arg; i++) {
        value *= *(const uint64_t *)ctx;
    }
    return value;
}

static void build(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    stats_init(&f->registry);
    stats_add_counter(&f->registry, "core.cycles", "cycles", "time", &f->cycles);
    stats_add_value(&f->registry, "core.cycles_squared", "", "a computed value", power, &f->cycles, 2);
    stats_add(&f->registry, "tlb.l1", block_rows, HV_ARRAY_LEN(block_rows), &f->l1);
    stats_add(&f->registry, "tlb.l2", block_rows, HV_ARRAY_LEN(block_rows), &f->l2);
    stats_add_ratio(&f->registry, "tlb.l1.hit_ratio", "share answered", "tlb.l1.hits", "tlb.l1.lookups");
    stats_add_ratio(&f->registry, "tlb.l2.hit_ratio", "share answered", "tlb.l2.hits", "tlb.l2.lookups");
    stats_add(&f->registry, "", (const struct stat_row[]){ { "refs", 0, "references", "no prefix" } }, 1, &f->refs);
    f->cycles = 12;
    f->l1 = (struct block_stats){ 3, 1 };
    f->refs = 7;
}

static void values_come_from_where_they_are_counted(void **state)
{
    (void)state;
    struct fixture f;
    build(&f);
    assert_int_equal(f.registry.count, 9);
    assert_int_equal(stats_count(&f.registry, "core.cycles"), 12);
    assert_int_equal(stats_count(&f.registry, "core.cycles_squared"), 144);
    assert_int_equal(stats_count(&f.registry, "tlb.l1.hits"), 1);
    assert_int_equal(stats_count(&f.registry, "refs"), 7);
    f.l1.hits++;
    assert_int_equal(stats_count(&f.registry, "tlb.l1.hits"), 2);
    assert_int_equal(stats_count(&f.registry, "tlb.l2.hits"), 0);
    assert_int_equal(stats_find(&f.registry, "tlb.l1"), -1);
    assert_int_equal(stats_find(&f.registry, "core.cycles_squared"), 1);
    stats_fini(&f.registry);
}

static void a_ratio_to_zero_is_absent(void **state)
{
    (void)state;
    struct fixture f;
    double value = -1;
    build(&f);
    assert_true(stats_value(&f.registry, (size_t)stats_find(&f.registry, "tlb.l1.hit_ratio"), &value));
    assert_true(value == 1.0 / 3.0);
    size_t l2 = (size_t)stats_find(&f.registry, "tlb.l2.hit_ratio");
    assert_false(stats_value(&f.registry, l2, &value));
    /* A ratio of a ratio that is absent is absent too. */
    stats_add_ratio(&f.registry, "x", "", "tlb.l2.hit_ratio", "core.cycles");
    assert_false(stats_value(&f.registry, (size_t)stats_find(&f.registry, "x"), &value));
    f.l2 = (struct block_stats){ 4, 2 };
    assert_true(stats_value(&f.registry, (size_t)stats_find(&f.registry, "x"), &value));
    assert_true(value == 0.5 / 12);
    stats_fini(&f.registry);
}

struct visited {
    const uint64_t *counters[8];
    size_t count;
};

static void visit(void *ctx, const uint64_t *counter)
{
    struct visited *v = ctx;
    v->counters[v->count++] = counter;
}

/* What a statistic of part of a run is made of. */
static void counters_that_add_up_can_be_visited(void **state)
{
    (void)state;
    struct stat_registry registry;
    struct block_stats blocks[2] = {{10, 4}, {20, 6}};
    uint64_t most = 3;
    stats_init(&registry);
    stats_add_sum(&registry, "both", "", "", &blocks[0].lookups, &blocks[0].hits);
    stats_add_counter(&registry, "lookups", "", "", &blocks[0].lookups);
    stats_repeat(&registry, 0, 2, sizeof(blocks[0]));
    stats_add_counter(&registry, "refs_max", "", "", &most);
    stats_add_value(&registry, "square", "", "", power, &most, 2);
    stats_add_ratio(&registry, "ratio", "", "both", "lookups");
    assert_int_equal(stats_count(&registry, "both"), 10 + 4 + 20 + 6);
    struct visited v = {.count = 0};
    assert_true(stats_visit_counters(&registry, 0, visit, &v));
    assert_int_equal(v.count, 4);
    assert_ptr_equal(v.counters[0], &blocks[0].lookups);
    assert_ptr_equal(v.counters[1], &blocks[0].hits);
    assert_ptr_equal(v.counters[2], &blocks[1].lookups);
    assert_ptr_equal(v.counters[3], &blocks[1].hits);
    for (size_t i = 2; i < registry.count; i++) {
        assert_false(stats_visit_counters(&registry, i, visit, &v));
    }
    assert_int_equal(v.count, 4);
    /* The same ratio of other numbers. */
    double value;
    assert_true(stats_ratio_of(&registry, 4, (const uint64_t[]){9, 2, 0, 0, 0}, &value));
    assert_true(value == 4.5);
    assert_false(stats_ratio_of(&registry, 4, (const uint64_t[]){9, 0, 0, 0, 0}, &value));
    stats_fini(&registry);
}

static void reset_clears_counters(void **state)
{
    (void)state;
    struct fixture f;
    build(&f);
    stats_reset(&f.registry);
    assert_int_equal(f.cycles, 0);
    assert_int_equal(f.l1.lookups, 0);
    assert_int_equal(f.refs, 0);
    stats_fini(&f.registry);
}

static void many_are_registered(void **state)
{
    (void)state;
    struct stat_registry registry;
    uint64_t counters[300];
    stats_init(&registry);
    for (size_t i = 0; i < HV_ARRAY_LEN(counters); i++) {
        char name[16];
        snprintf(name, sizeof(name), "c%zu", i);
        counters[i] = i;
        stats_add_counter(&registry, name, "", "", &counters[i]);
    }
    assert_int_equal(stats_count(&registry, "c0"), 0);
    assert_int_equal(stats_count(&registry, "c299"), 299);
    stats_fini(&registry);
    assert_null(registry.items);
}

static void register_twice(struct fixture *f)
{
    stats_add_counter(&f->registry, "refs", "", "", &f->refs);
}

static void ratio_of_unknown(struct fixture *f)
{
    stats_add_ratio(&f->registry, "r", "", "refs", "unknown");
}

static void count_of_unknown(struct fixture *f)
{
    stats_count(&f->registry, "unknown");
}

static void count_of_ratio(struct fixture *f)
{
    stats_count(&f->registry, "tlb.l1.hit_ratio");
}

static void mistakes_of_the_simulator_are_bugs(void **state)
{
    (void)state;
    static void (*const mistakes[])(struct fixture *f) = { register_twice, ratio_of_unknown, count_of_unknown,
                                                           count_of_ratio };
    for (size_t i = 0; i < HV_ARRAY_LEN(mistakes); i++) {
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            struct fixture f;
            build(&f);
            mistakes[i](&f);
            _Exit(0);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), HV_EXIT_BUG);
    }
}

static void json_has_null_for_absent_ratios(void **state)
{
    (void)state;
    struct fixture f;
    build(&f);
    f.refs = INT64_MAX;
    json_t *json = stats_to_json(&f.registry);
    char *text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(NUMBER_DIGITS_DATA));
    assert_string_equal(text, "{\"core.cycles\":12,\"core.cycles_squared\":144,\"tlb.l1.lookups\":3,\"tlb.l1.hits\":1,"
                              "\"tlb.l2.lookups\":0,\"tlb.l2.hits\":0,\"tlb.l1.hit_ratio\":0.333333333333333,"
                              "\"tlb.l2.hit_ratio\":null,\"refs\":9223372036854775807}");
    free(text);
    json_decref(json);
    stats_fini(&f.registry);
}

static char *print(const struct fixture *f, enum print_format format, enum stats_zeros zeros)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    if (format == PRINT_CSV) {
        stats_write_csv(&f->registry, out);
    } else {
        stats_write_text(&f->registry, zeros, out);
    }
    fclose(out);
    return text;
}

static void csv_leaves_absent_ratios_empty(void **state)
{
    (void)state;
    struct fixture f;
    build(&f);
    char *text = print(&f, PRINT_CSV, STATS_ALL);
    assert_string_equal(text, "name,value,unit\n"
                              "core.cycles,12,cycles\n"
                              "core.cycles_squared,144,\n"
                              "tlb.l1.lookups,3,lookups\n"
                              "tlb.l1.hits,1,lookups\n"
                              "tlb.l2.lookups,0,lookups\n"
                              "tlb.l2.hits,0,lookups\n"
                              "tlb.l1.hit_ratio,0.333333333333333,\n"
                              "tlb.l2.hit_ratio,,\n"
                              "refs,7,references\n");
    free(text);
    stats_fini(&f.registry);
}

static void text_is_aligned_and_grouped(void **state)
{
    (void)state;
    struct fixture f;
    build(&f);
    char *text = print(&f, PRINT_TEXT, STATS_ALL);
    assert_string_equal(text, "core.cycles                12  cycles      # time\n"
                              "core.cycles_squared       144              # a computed value\n"
                              "\n"
                              "tlb.l1.lookups              3  lookups     # questions asked\n"
                              "tlb.l1.hits                 1  lookups     # questions answered\n"
                              "tlb.l2.lookups              0  lookups     # questions asked\n"
                              "tlb.l2.hits                 0  lookups     # questions answered\n"
                              "tlb.l1.hit_ratio     0.333333              # share answered\n"
                              "tlb.l2.hit_ratio            -              # share answered\n"
                              "\n"
                              "refs                        7  references  # no prefix\n");
    free(text);
    stats_fini(&f.registry);
}

/* All of tlb.l2.* is zero or absent; core.* would stay even then. */
static void zero_groups_can_be_left_out(void **state)
{
    (void)state;
    struct fixture f;
    build(&f);
    f.cycles = 0;
    char *text = print(&f, PRINT_TEXT, STATS_HIDE_ZERO_GROUPS);
    assert_string_equal(text, "core.cycles                 0  cycles      # time\n"
                              "core.cycles_squared         0              # a computed value\n"
                              "\n"
                              "tlb.l1.lookups              3  lookups     # questions asked\n"
                              "tlb.l1.hits                 1  lookups     # questions answered\n"
                              "tlb.l1.hit_ratio     0.333333              # share answered\n"
                              "\n"
                              "refs                        7  references  # no prefix\n");
    free(text);
    stats_fini(&f.registry);
}

static void the_reference_lists_what_is_asked_for(void **state)
{
    (void)state;
    struct fixture f;
    char *text = NULL;
    size_t size;
    build(&f);
    FILE *out = open_memstream(&text, &size);
    assert_int_equal(stats_print_reference(&f.registry, "*.lookups", PRINT_TEXT, out), 2);
    fclose(out);
    assert_string_equal(text, "name            unit     help\n"
                              "tlb.l1.lookups  lookups  questions asked\n"
                              "tlb.l2.lookups  lookups  questions asked\n");
    free(text);
    out = open_memstream(&text, &size);
    assert_int_equal(stats_print_reference(&f.registry, "refs", PRINT_JSON, out), 1);
    fclose(out);
    json_t *json = json_loads(text, 0, NULL);
    assert_int_equal(json_array_size(json), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(json, 0), "name")), "refs");
    assert_string_equal(json_string_value(json_object_get(json_array_get(json, 0), "unit")), "references");
    json_decref(json);
    free(text);
    stats_fini(&f.registry);
}

GTEST_MAIN("Stat", cmocka_unit_test(values_come_from_where_they_are_counted),
           cmocka_unit_test(a_ratio_to_zero_is_absent), cmocka_unit_test(counters_that_add_up_can_be_visited),
           cmocka_unit_test(reset_clears_counters),
           cmocka_unit_test(many_are_registered), cmocka_unit_test(mistakes_of_the_simulator_are_bugs),
           cmocka_unit_test(json_has_null_for_absent_ratios), cmocka_unit_test(csv_leaves_absent_ratios_empty),
           cmocka_unit_test(text_is_aligned_and_grouped), cmocka_unit_test(zero_groups_can_be_left_out),
           cmocka_unit_test(the_reference_lists_what_is_asked_for))
