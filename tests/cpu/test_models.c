/* SPDX-License-Identifier: MIT */
/*
 * What holds for every model of a core, on whole machines: TLBs, caches and page tables go through the same states,
 * all cycles are accounted for, and a model can take over from another.
 */
#include "gtest.h"

#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "lab.h"

static const struct machine_row {
    const char *name, *settings;
} machine_rows[] = {
    {"nested", ""},
    {"native", "paging.mode=native"},
    {"no_walk_caches", "mmu.pwc.kind=none"},
    {"entry_caches", "mmu.pwc.kind=entry mmu.nested_tlb.entries=16 mmu.walkers=4"},
    {"demand_paging", "paging.prefault=false paging.preset_flags=false"},
    {"huge_pages", "paging.guest.huge_fraction=0.5 paging.host.page_size=2m"},
    {"checked", "check.stale=true"},
    {"slow_tlbs", "tlb.l1d_4k.latency_cycles=1 tlb.l1i_4k.latency_cycles=2 tlb.l1d_4k.replacement=random"},
    {"no_caches", "cache.l1d.size=0 cache.l1i.size=0 cache.l2.size=0 cache.llc.size=0"},
    {"no_first_level", "cache.l1d.size=0 mmu.walk_entry=l2"},
    {"narrow_window", "core.width=3 core.rob=5 core.mshrs=2 core.store_buffer=1"},
    {"wide_window", "core.width=16 core.rob=4096 core.mshrs=256 core.store_buffer=4096"},
};

static struct lab *machine_of(const struct machine_row *row, const char *model)
{
    char settings[512];
    snprintf(settings, sizeof(settings), "workload.footprint=16MiB core.model=%s %s", model, row->settings);
    return lab_new(settings);
}

/* Everything that a stream can hold, in the workload's 16 MiB, most of it in a few pages. */
static void add_anything(struct lab *l, unsigned count, struct hv_rng *rng)
{
    enum { LINES = 16 << 14, FEW_LINES = 1 << 11 };
    l->event_cycles = rng_below(rng, 200);
    for (unsigned i = 0; i < count; i++) {
        uint64_t draw = rng_next(rng);
        uint32_t gap = draw % 8 == 0 ? (uint32_t)rng_below(rng, 100) : (uint32_t)rng_below(rng, 5);
        if ((draw >> 8) % 256 == 0) {
            lab_event(l, gap);
            continue;
        }
        enum hv_access_kind kind = (enum hv_access_kind)(draw >> 16 & 3);
        kind = kind == HV_ACCESS_KINDS ? HV_LOAD : kind;
        uint64_t line = rng_below(rng, (draw >> 24 & 3) == 0 ? LINES : FEW_LINES);
        struct hv_access *a = lab_add(l, kind, line, gap);
        a->flags = (uint8_t)(draw >> 32 & (HV_ACCESS_DEPENDENT | HV_ACCESS_SAME_INSTRUCTION));
        if ((draw >> 40) % 512 == 0) {
            a->gva.v ^= UINT64_C(1) << (40 + draw % 24); /* nobody maps this, or it is no address at all */
        }
    }
}

enum { ROUNDS = 10, ELEMENTS = 3000 };

/* Runs the row's stream of that seed in a model; checks the stack on the way. */
static struct lab *run_model(const struct machine_row *row, const char *model, uint64_t seed)
{
    struct lab *l = machine_of(row, model);
    struct hv_rng rng;
    rng_init(&rng, seed);
    for (unsigned round = 0; round < ROUNDS; round++) {
        hv_cycles before = l->core->now;
        add_anything(l, ELEMENTS, &rng);
        hv_cycles took = lab_run(l);
        assert_true(l->core->now == before + took);
        core_charge(l->core, CORE_COST_INTERRUPT, rng_below(&rng, 300), "work");
    }
    assert_true(l->core->stats.cycles >= l->core->stats.instructions / l->core->width);
    return l;
}

/* What caches and page tables go through does not depend on time: all counters but those of time are the same. */
static bool is_of_time(const char *name)
{
    return strstr(name, "cycles") != NULL || strcmp(name, "mmu.walks_merged") == 0 || strncmp(name, "core.m", strlen("core.m")) == 0;
}

static void assert_same_state(const struct lab *a, const struct lab *b)
{
    unsigned compared = 0;
    for (size_t i = 0; i < a->m->stats.count; i++) {
        const char *name = a->m->stats.items[i].name;
        if (a->m->stats.items[i].kind == STAT_RATIO || is_of_time(name)) {
            continue;
        }
        if (stats_whole(&a->m->stats, i) != stats_whole(&b->m->stats, i)) {
            fail_msg("%s: %llu and %llu", name, (unsigned long long)stats_whole(&a->m->stats, i),
                     (unsigned long long)stats_whole(&b->m->stats, i));
        }
        compared++;
    }
    assert_true(compared > 100);
}

static void models_differ_in_time_only(void **state)
{
    const struct machine_row *row = *state;
    struct lab *in_order = run_model(row, "inorder", 1);
    struct lab *window = run_model(row, "window", 1);
    struct lab *functional = run_model(row, "functional", 1);
    assert_same_state(in_order, window);
    assert_same_state(in_order, functional);
    assert_true(in_order->core->stats.cycles > window->core->stats.cycles);
    const struct core_stats *s = &functional->core->stats;
    assert_int_equal(s->cycles, s->instructions / functional->core->width);
    assert_int_equal(s->cycles, s->cycles_base);
    lab_free(in_order);
    lab_free(window);
    lab_free(functional);
}

/*
 * With an event after each access nothing overlaps, and a window has the in-order model's cycles in every row. Stores
 * are left out, which retire before they are written, and chases, whose load-to-use time is charged elsewhere.
 */
static void alone_an_access_costs_the_same(void **state)
{
    const struct machine_row *row = *state;
    struct core_stats stats[2];
    for (unsigned model = 0; model < 2; model++) {
        struct lab *l = machine_of(row, model == 0 ? "inorder" : "window");
        struct hv_rng rng;
        rng_init(&rng, 2);
        add_anything(l, ELEMENTS / 2, &rng);
        size_t count = l->count;
        struct hv_access elements[ELEMENTS / 2];
        memcpy(elements, l->stream, count * sizeof(elements[0]));
        l->count = 0;
        for (size_t i = 0; i < count; i++) {
            if (elements[i].kind != HV_STORE) {
                elements[i].flags = 0;
                l->stream[l->count++] = elements[i];
                lab_event(l, 0);
            }
        }
        lab_run(l);
        stats[model] = l->core->stats;
        lab_free(l);
    }
    static const size_t rows[] = {
        offsetof(struct core_stats, cycles), offsetof(struct core_stats, cycles_base),
        offsetof(struct core_stats, cycles_tlb), offsetof(struct core_stats, cycles_walk_guest),
        offsetof(struct core_stats, cycles_walk_host), offsetof(struct core_stats, cycles_data),
        offsetof(struct core_stats, cycles_fault), offsetof(struct core_stats, cycles_exit),
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        uint64_t in_order, window;
        memcpy(&in_order, (const char *)&stats[0] + rows[i], sizeof(in_order));
        memcpy(&window, (const char *)&stats[1] + rows[i], sizeof(window));
        assert_int_equal(in_order, window);
    }
}

/* After a functional stretch no walker and no channel is taken, however much went through them. */
static void functional_leaves_nothing_reserved(void **state)
{
    (void)state;
    static const char *const models[] = {"inorder", "window"};
    for (size_t i = 0; i < HV_ARRAY_LEN(models); i++) {
        char settings[256];
        snprintf(settings, sizeof(settings),
                 "paging.mode=native workload.footprint=16MiB cache.l1d.size=0 cache.l2.size=0 cache.llc.size=0 "
                 "mmu.pwc.kind=none dram.latency_cycles=100 core.width=16 core.model=%s", models[i]);
        struct lab *l = lab_new(settings);
        for (unsigned page = 0; page < 4000; page++) {
            lab_add(l, HV_LOAD, page * 64, 0);
        }
        lab_warm(l, (enum core_model)l->m->params.core.model);
        lab_add(l, HV_LOAD, 0, 0); /* not in the TLBs any more: the second-level penalty, four entries, and the data */
        assert_int_equal(lab_run(l), 7 + 4 * 100 + 100);
        assert_int_equal(l->m->cores[0].mmu.stats.walk_queue_cycles, 0);
        lab_free(l);
    }
}

/* A model takes over in the middle of a stream: the state goes on, and so does time. */
static void models_take_turns(void **state)
{
    (void)state;
    struct lab *turns = machine_of(&machine_rows[0], "window"), *one = machine_of(&machine_rows[0], "window");
    struct hv_rng rng[2];
    rng_init(&rng[0], 3);
    rng_init(&rng[1], 3);
    for (unsigned round = 0; round < 3 * ROUNDS; round++) {
        hv_cycles before = turns->core->now;
        machine_set_model(turns->m, (enum core_model)(round % 3));
        assert_int_equal(turns->core->now, before);
        add_anything(turns, 500, &rng[0]);
        add_anything(one, 500, &rng[1]);
        lab_run(turns);
        lab_run(one);
        assert_true(turns->core->now > before);
    }
    assert_same_state(turns, one);
    lab_free(turns);
    lab_free(one);
}

int main(int argc, char **argv)
{
    struct CMUnitTest state_tests[HV_ARRAY_LEN(machine_rows)], alone_tests[HV_ARRAY_LEN(machine_rows)];
    const struct CMUnitTest change_tests[] = {
        cmocka_unit_test(functional_leaves_nothing_reserved),
        cmocka_unit_test(models_take_turns),
    };
    gtest_rows(state_tests, models_differ_in_time_only, machine_rows, sizeof(machine_rows[0]),
               HV_ARRAY_LEN(machine_rows));
    gtest_rows(alone_tests, alone_an_access_costs_the_same, machine_rows, sizeof(machine_rows[0]),
               HV_ARRAY_LEN(machine_rows));
    const struct gtest_suite suites[] = {
        GTEST_SUITE("ModelState", state_tests),
        GTEST_SUITE("ModelAlone", alone_tests),
        GTEST_SUITE("ModelChange", change_tests),
    };
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
