/* SPDX-License-Identifier: MIT */
/*
 * A machine on two threads of the host (machine_use_threads) against the same one on one thread: every statistic is
 * the same. A core that never handed an access on would pass, so where it should have, that is looked at as well.
 */
#include "gtest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "build.h"
#include "cpu/core_split.h"
#include "draw.h"
#include "mmu/radix.h"
#include "script.h"

/* ---- Both ways -------------------------------------------------------------------------------------------------- */

static struct machine *build(const char *settings, unsigned threads)
{
    struct machine *m = build_settings(settings);
    machine_use_threads(m, threads);
    return m;
}

static void run_all(struct machine *m, struct run *run)
{
    struct hv_err err = {""};
    struct run_options options = {.show_progress = false};
    if (!run_begin(run, m, &options, &err)) {
        fail_msg("%s", err.text);
    }
    run_plainly(run);
    run_finish(run);
}

/* One after the other, so that the time of each core is compared as well, and not only their sum. */
static void assert_same_times(const struct machine *one, const struct machine *two, const char *settings)
{
    for (uint64_t i = 0; i < one->params.machine.cores; i++) {
        if (one->cores[i].core.now != two->cores[i].core.now || one->cores[i].over != two->cores[i].over) {
            fail_msg("core %llu is at %llu, not %llu: %s", (unsigned long long)i,
                     (unsigned long long)two->cores[i].core.now, (unsigned long long)one->cores[i].core.now, settings);
        }
    }
}

static void assert_same_machines(const struct machine *one, const struct machine *two, const char *settings)
{
    assert_int_equal(one->stats.count, two->stats.count);
    for (size_t i = 0; i < one->stats.count; i++) {
        double a = 0, b = 0;
        bool has_a = stats_value(&one->stats, i, &a), has_b = stats_value(&two->stats, i, &b);
        if (has_a != has_b || a < b || b < a) {
            fail_msg("%s is %.17g, not %.17g: %s", two->stats.items[i].name, b, a, settings);
        }
    }
    assert_same_times(one, two, settings);
}

/* Runs the settings both ways; returns how many accesses were handed on. */
static uint64_t compare(const char *settings)
{
    struct run run_one, run_two;
    struct machine *one = build(settings, 1), *two = build(settings, 2);
    run_all(one, &run_one);
    run_all(two, &run_two);
    assert_same_machines(one, two, settings);
    assert_int_equal(run_one.end, run_two.end);
    assert_int_equal(run_one.done, run_two.done);
    assert_int_equal(run_one.end, RUN_COMPLETE);
    assert_true(core_split_handed(&one->cores[0].core) == 0);
    uint64_t handed = core_split_handed(&two->cores[0].core);
    machine_free(one);
    machine_free(two);
    return handed;
}

/* ---- Machines --------------------------------------------------------------------------------------------------- */

/* Walks of the kind that can be handed on. */
#define PLAIN "mmu.pwc.kind=none mmu.nested_tlb.entries=0 "
#define SMALL_TLBS "tlb.l1d_4k.entries=16 tlb.l2.entries=48 tlb.l2.ways=4 "
#define TINY_TLBS "tlb.l1d_4k.entries=4 tlb.l1d_4k.ways=full tlb.l2.entries=4 tlb.l2.ways=full "
#define EVENTS "workload.events."

/*
 * What is expected to be handed on. How much that is in a whole run depends on how busy the host is; but the first
 * batch of a stream is executed so to its end, whatever happens.
 */
enum splits {
    MOST,  /* most of the first batch */
    SOME,  /* something: much waits for the second thread */
    NONE,  /* nothing: time decides what happens, or there are several cores */
};

static const struct machine_row {
    const char *name;
    enum splits inorder, window;
    const char *settings;
} machine_rows[] = {
    {"nested", MOST, MOST, PLAIN},
    {"nested_hits", MOST, MOST, "workload.footprint=16KiB"},
    {"nested_warm", MOST, MOST, "workload.footprint=4MiB"},
    {"nested_small_tlbs", MOST, MOST, PLAIN SMALL_TLBS "workload.footprint=512KiB"},
    {"nested_tiny_tlbs", MOST, MOST, PLAIN TINY_TLBS "workload.footprint=64KiB"},
    {"native", SOME, SOME, PLAIN "paging.mode=native"},
    {"native_hits", MOST, MOST, "paging.mode=native workload.footprint=64KiB"},
    {"native_pauses", SOME, SOME, "paging.mode=native workload.accesses=250000"},
    {"walk_caches", SOME, SOME, "mmu.nested_tlb.entries=16"},
    {"walk_caches_pauses", SOME, SOME, "workload.accesses=250000"},
    {"entry_caches", SOME, SOME, "mmu.pwc.kind=entry mmu.nested_tlb.entries=16"},
    {"shadow", SOME, SOME, PLAIN "paging.mode=shadow workload.footprint=8MiB"},
    {"agile", SOME, SOME, PLAIN "paging.mode=agile workload.footprint=8MiB " EVENTS "remap_interval=3000"},
    {"npt", MOST, MOST, PLAIN "paging.host.format=npt"},
    {"no_accessed_dirty", MOST, MOST, PLAIN "paging.accessed_dirty=false"},
    {"flags_set_by_walks", SOME, SOME, PLAIN "paging.preset_flags=false"},
    {"flags_zipf", SOME, SOME, PLAIN "paging.preset_flags=false workload.kind=zipf workload.theta=1.2"},
    {"demand_paging", SOME, SOME, PLAIN "paging.prefault=false workload.footprint=12MiB"},
    {"demand_zipf", SOME, SOME, PLAIN "paging.prefault=false workload.kind=zipf"},
    {"demand_flags", SOME, SOME, PLAIN "paging.prefault=false paging.preset_flags=false workload.kind=zipf"},
    {"five_levels", MOST, MOST, PLAIN "paging.guest.levels=5 paging.host.levels=5"},
    {"levels_5_4", MOST, MOST, PLAIN "paging.guest.levels=5"},
    {"levels_4_5", MOST, MOST, PLAIN "paging.host.levels=5"},
    {"pages_2m", SOME, SOME, PLAIN "paging.guest.page_size=2m paging.host.page_size=2m workload.footprint=8GiB"},
    {"pages_1g", SOME, SOME, PLAIN "paging.guest.page_size=1g paging.host.page_size=1g workload.footprint=64GiB"},
    {"host_2m", SOME, SOME, PLAIN "paging.host.page_size=2m"},
    {"splintered", SOME, SOME, PLAIN "paging.guest.page_size=2m"},
    {"half_huge", SOME, SOME, PLAIN "paging.guest.huge_fraction=0.5 paging.host.huge_fraction=0.5"},
    {"fragmented", MOST, MOST, PLAIN "paging.guest.fragmentation=0.7 paging.host.fragmentation=0.7"},
    {"sequential", MOST, MOST, PLAIN "workload.kind=sequential"},
    {"stride", MOST, MOST, PLAIN "workload.kind=stride workload.stride=4160"},
    {"chase", MOST, MOST, PLAIN "workload.kind=chase"},
    {"zipf", MOST, MOST, PLAIN "workload.kind=zipf"},
    {"graph", MOST, MOST, PLAIN "workload.kind=graph"},
    {"kvstore", MOST, MOST, PLAIN "workload.kind=kvstore"},
    {"join", MOST, MOST, PLAIN "workload.kind=join"},
    {"fetches", MOST, MOST, PLAIN "workload.code_footprint=2MiB"},
    {"fetches_small_tlbs", MOST, MOST, PLAIN SMALL_TLBS "tlb.l1i_4k.entries=8 workload.code_footprint=4MiB"},
    {"fetches_flags", SOME, SOME, PLAIN "paging.preset_flags=false workload.code_footprint=1MiB"},
    {"stores", MOST, MOST, PLAIN "workload.write_fraction=1 core.store_buffer=3"},
    {"remap", MOST, MOST, PLAIN EVENTS "remap_interval=900 " EVENTS "remap_pages=8"},
    {"protect", MOST, MOST, PLAIN EVENTS "protect_interval=900 " EVENTS "protect_pages=8"},
    {"fork", SOME, SOME, PLAIN EVENTS "fork_interval=5000 " EVENTS "fork_pages=8192"},
    {"migrate", MOST, MOST, PLAIN EVENTS "migrate_interval=1000 " EVENTS "migrate_pages=16"},
    {"balloon", MOST, MOST, PLAIN EVENTS "balloon_interval=1000 " EVENTS "balloon_pages=16"},
    {"exits", MOST, MOST, PLAIN EVENTS "cpuid_interval=700 " EVENTS "vmcall_interval=1100 " EVENTS "hlt_interval=3000 "
     EVENTS "tpr_write_interval=2100"},
    {"events_every_access", SOME, SOME, PLAIN EVENTS "vmcall_interval=2"},
    {"guest_interrupts", NONE, NONE, PLAIN "vcpu.interrupt_interval_cycles=100000"},
    {"processes", MOST, MOST, PLAIN "sched.processes=3 sched.process_quantum=1000"},
    {"processes_often", MOST, MOST, PLAIN "sched.processes=3 sched.process_quantum=17 workload.footprint=1MiB"},
    {"processes_without_pcid", MOST, MOST, PLAIN "sched.processes=2 sched.process_quantum=500 sched.pcid=false"},
    {"vms", MOST, MOST, PLAIN "vm.count=2 sched.vcpu_quantum=777"},
    {"vcpus", MOST, MOST, PLAIN "vm.vcpus=3 vcpu.threads=true sched.vcpu_quantum=300"},
    {"vcpus_without_vpid", MOST, MOST, PLAIN "vm.vcpus=2 vcpu.vpid=false sched.vcpu_quantum=2000"},
    {"untagged", MOST, MOST, PLAIN "tlb.tagged=false vm.count=2 sched.processes=2 sched.process_quantum=333"},
    {"random_replacement", MOST, MOST, PLAIN "tlb.l1d_4k.replacement=random tlb.l2.replacement=random"},
    {"other_replacement", MOST, MOST, PLAIN "tlb.l1d_4k.replacement=plru tlb.l2.replacement=srrip "
     "cache.l2.replacement=plru cache.llc.replacement=random"},
    {"first_level_srrip", SOME, SOME, PLAIN "cache.l1d.replacement=srrip"},
    {"no_first_level_tlb", MOST, MOST, PLAIN "tlb.l1d_4k.entries=0"},
    {"no_second_level_tlb", MOST, MOST, PLAIN "tlb.l2.entries=0"},
    {"slow_tlbs", MOST, MOST, PLAIN "tlb.l1d_4k.latency_cycles=3 tlb.l2.latency_cycles=900"},
    {"latencies_too_long", NONE, NONE, PLAIN "tlb.l2.latency_cycles=70000"},
    {"walks_enter_l2", SOME, SOME, PLAIN "mmu.walk_entry=l2"},
    {"no_caches", SOME, SOME, PLAIN "cache.l1d.size=0 cache.l2.size=0 cache.llc.size=0 workload.footprint=8MiB"},
    {"small_caches", MOST, MOST, PLAIN "cache.l1d.size=1KiB cache.l2.size=8KiB cache.llc.size=64KiB"},
    {"ports", SOME, SOME, PLAIN "cache.l1d.ports=1 cache.l2.ports=1 cache.llc.ports=1 core.width=8"},
    {"banks", MOST, MOST, PLAIN "dram.banks=16 dram.channels=3 cache.llc.size=256KiB"},
    {"narrow_memory", MOST, MOST, PLAIN "dram.channels=1 dram.bytes_per_cycle=1 cache.llc.size=256KiB"},
    {"walkers", MOST, MOST, PLAIN SMALL_TLBS "mmu.walkers=4"},
    {"joins", MOST, MOST, PLAIN TINY_TLBS "mmu.walkers=2 workload.footprint=256KiB "
     "workload.instructions_per_access=1"},
    {"joins_stores", MOST, MOST, PLAIN TINY_TLBS "workload.footprint=128KiB workload.write_fraction=0.5 "
     "core.mshrs=32 core.rob=1000"},
    {"joins_flags", SOME, SOME, PLAIN TINY_TLBS "workload.footprint=2MiB paging.preset_flags=false mmu.walkers=8"},
    {"walks_not_merged", MOST, NONE, PLAIN SMALL_TLBS "mmu.merge_walks=false mmu.walkers=2"},
    {"prefetch", NONE, NONE, PLAIN "tlb.prefetch=next_page"},
    {"wide", MOST, MOST, PLAIN "core.width=16 core.rob=4096 core.mshrs=256"},
    {"narrow", MOST, MOST, PLAIN "core.width=3 core.rob=5 core.mshrs=2 core.store_buffer=1"},
    {"warmup", MOST, MOST, PLAIN "workload.warmup=9999"},
    {"warmup_functional", MOST, MOST, PLAIN "workload.warmup=9999 core.warmup_model=functional"},
    {"trace", SOME, SOME, PLAIN "workload.kind=trace workload.trace=workloads/sqlite.hvt"},
    {"trace_sampled", SOME, SOME, "workload.kind=trace workload.trace=workloads/sqlite.hvt workload.skip=1000 "
     "workload.sample_period=5000 workload.sample_length=300"},
    {"mix_of_processes", SOME, SOME, PLAIN "workload.kind=mix workload.mix_quantum=700 "
     "workload.parts=workloads/chase-4m.yaml,workloads/graph-64m.yaml"},
    {"mix_of_phases", SOME, SOME, PLAIN "workload.kind=mix workload.mix_as=phases workload.accesses=40000 "
     "workload.parts=workloads/chase-4m.yaml,workloads/graph-64m.yaml"},
    {"checked", NONE, NONE, PLAIN "check.stale=true"},
    {"cores_exact", NONE, NONE, "machine.cores=3"},
    {"cores_exact_remap", NONE, NONE, "machine.cores=2 vcpu.threads=true sched.processes=2 sched.process_quantum=3000 "
     EVENTS "remap_interval=3000"},
    {"cores_quantum", NONE, NONE, "machine.cores=3 timing.sync=quantum timing.quantum_cycles=5000"},
    {"cores_many", NONE, NONE, "machine.cores=20 workload.accesses=20000 workload.footprint=1MiB timing.sync=quantum"},
    {"cores_more_tasks", NONE, NONE, "machine.cores=2 vm.count=3 vm.vcpus=2 sched.processes=3 workload.accesses=20000 "
     "sched.process_quantum=100 sched.vcpu_quantum=999"},
    {"cores_trace", NONE, NONE, "machine.cores=2 workload.kind=trace workload.trace=workloads/sqlite.hvt"},
    {"cores_mix", NONE, NONE, "machine.cores=2 workload.kind=mix workload.mix_quantum=700 workload.accesses=20000 "
     "workload.parts=workloads/chase-4m.yaml,workloads/graph-64m.yaml"},
    {"cores_warmup", NONE, NONE, "machine.cores=2 workload.warmup=12345 core.warmup_model=functional"},
};

static void check_handed(const char *settings, enum splits expected, uint64_t handed)
{
    const uint64_t least[] = {[MOST] = MACHINE_BATCH / 2, [SOME] = 1, [NONE] = 0};
    if (handed < least[expected] || (expected == NONE && handed > 0)) {
        fail_msg("%llu accesses were handed on: %s", (unsigned long long)handed, settings);
    }
}

static void threads_do_not_matter(void **state)
{
    static const char *const models[] = {"inorder", "window", "functional"};
    const struct machine_row *row = *state;
    const enum splits expected[] = {row->inorder, row->window, NONE};
    for (unsigned i = 0; i < HV_ARRAY_LEN(models); i++) {
        char settings[BUILD_SETTINGS_BYTES];
        snprintf(settings, sizeof(settings), "workload.footprint=32MiB workload.accesses=30000 core.model=%s %s",
                 models[i], row->settings);
        check_handed(settings, expected[i], compare(settings));
    }
}

/* ---- Random machines -------------------------------------------------------------------------------------------- */

enum { GROUPS = 8, MACHINES = 8 };

/* Beside what any machine may be: what matters to who times accesses apart. */
static const struct draw_choice more[] = {
    {"core.model", {"inorder", "inorder", "window", "window", "window", "functional"}},
    {"core.warmup_model", {"same", "functional"}},
    {"core.width", {"1", "3", "4", "8"}},
    {"core.rob", {"7", "224", "1000"}},
    {"core.mshrs", {"1", "10", "64"}},
    {"core.store_buffer", {"1", "56"}},
    {"timing.sync", {"exact", "quantum"}},
    {"mmu.walkers", {"1", "2", "4"}},
    {"mmu.merge_walks", {"true", "true", "true", "false"}},
    {"tlb.prefetch", {"none", "none", "none", "next_page"}},
    {"tlb.l1d_4k.latency_cycles", {"0", "0", "2"}},
    {"tlb.l2.replacement", {"lru", "lru", "random"}},
    {"cache.l1d.ports", {"0", "0", "0", "1"}},
    {"dram.banks", {"0", "8"}},
    {"workload.footprint", {"100KiB", "3MiB", "5000KiB"}},
    {"workload.accesses", {"50", "1000", "4000"}},
    {"workload.seed", {"1", "2", "3"}},
    {"workload.write_fraction", {"0", "0.3", "1"}},
    {"workload.instructions_per_access", {"1", "3", "30"}},
    {"workload.code_footprint", {"0", "0", "100KiB", "1MiB"}},
    {"workload.events.remap_interval", {"0", "0", "0", "500"}},
    {"workload.events.fork_interval", {"0", "0", "0", "2000"}},
    {"workload.events.migrate_interval", {"0", "0", "0", "700"}},
    {"workload.events.vmcall_interval", {"0", "0", "0", "300"}},
};

/* Most are lone cores whose walks can be handed on, the rest are anything. */
static const char *const kinds[] = {
    "machine.cores=1 mmu.pwc.kind=none mmu.nested_tlb.entries=0 cache.l1d.size=32KiB paging.mode=nested "
    "paging.guest.page_size=4k paging.host.page_size=4k paging.guest.huge_fraction=0 paging.host.huge_fraction=0 "
    "tlb.prefetch=none mmu.merge_walks=true workload.accesses=4000",
    "machine.cores=1 mmu.pwc.kind=none mmu.nested_tlb.entries=0 cache.l1d.size=1KiB paging.preset_flags=true",
    "machine.cores=1",
    "workload.accesses=1000",
};

static void random_machine(struct hv_rng *rng, unsigned number, char settings[BUILD_SETTINGS_BYTES])
{
    do {
        strcpy(settings, "workload.stride=4KiB workload.events.remap_pages=16 workload.events.fork_pages=16 "
                         "workload.events.migrate_pages=4");
        draw_settings(rng, draw_machine, draw_machine_count, settings);
        draw_settings(rng, more, HV_ARRAY_LEN(more), settings);
        strcat(settings, " ");
        strcat(settings, kinds[number % HV_ARRAY_LEN(kinds)]);
    } while (!draw_possible(settings));
}

static void threads_do_not_matter_to_random_machines(void **state)
{
    unsigned group = *(const unsigned *)*state, split = 0;
    struct hv_rng rng;
    rng_init(&rng, 1000 + group);
    for (unsigned i = 0; i < MACHINES; i++) {
        char settings[BUILD_SETTINGS_BYTES];
        random_machine(&rng, i, settings);
        split += compare(settings) > 0;
    }
    assert_true(split >= MACHINES / 8);
}

/* ---- Streams by hand -------------------------------------------------------------------------------------------- */

enum { ELEMENTS = 20000, PAGES = 4096 };

/* An access anywhere, now and then to what is not mapped or no address at all. */
static struct hv_access random_access(struct hv_rng *rng)
{
    uint64_t draw = rng_next(rng);
    struct hv_access a = script_load(draw % 4 == 0 ? rng_below(rng, PAGES) : rng_below(rng, 24), 0);
    a.gap = (uint32_t)rng_below(rng, (draw >> 2) % 8 == 0 ? 300 : 4);
    a.kind = (uint8_t)rng_below(rng, HV_ACCESS_KINDS);
    a.gva.v += rng_below(rng, HV_PAGE_BYTES / 8) * 8;
    a.flags = (uint8_t)(draw >> 32 & (HV_ACCESS_DEPENDENT | HV_ACCESS_SAME_INSTRUCTION));
    if ((draw >> 40) % 2000 == 0) {
        a.gva.v ^= UINT64_C(1) << (41 + (draw >> 52) % 23);
    }
    return a;
}

static struct hv_access random_element(struct hv_rng *rng)
{
    static const enum hv_event events[] = {
        HV_EVENT_MAP, HV_EVENT_UNMAP, HV_EVENT_PROTECT, HV_EVENT_FORK, HV_EVENT_MIGRATE, HV_EVENT_BALLOON,
    };
    if (rng_below(rng, 400) != 0) {
        return random_access(rng);
    }
    enum hv_event event = events[rng_below(rng, HV_ARRAY_LEN(events))];
    return script_event(event, rng_below(rng, PAGES), (unsigned)rng_below(rng, 7));
}

/* Makes some pages of the guest global, as an operating system's own are. */
static void make_global(struct machine *m, struct hv_rng *rng)
{
    for (uint64_t page = 0; page < PAGES; page++) {
        struct walk walk;
        hv_gva gva = {SCRIPT_BASE + page * HV_PAGE_BYTES};
        if (rng_below(rng, 2) == 0 && mmu_probe_guest_table(&m->cores[0].mmu, gva, HV_LOAD, 1, &walk)) {
            physmem_write64(&m->memory, walk.read, physmem_read64(&m->memory, walk.read) | RADIX_GLOBAL);
        }
    }
}

/* Runs a random stream in calls of machine_run() of at most so many accesses, with a reset of statistics on the way. */
static struct machine *run_stream(const char *settings, unsigned threads, uint64_t seed, uint64_t slice, bool global)
{
    static struct hv_access elements[ELEMENTS];
    struct hv_err err = {""};
    struct hv_rng rng, slices;
    rng_init(&rng, seed);
    rng_init(&slices, slice);
    struct machine *m = build(settings, threads);
    for (unsigned i = 0; i < ELEMENTS; i++) {
        elements[i] = random_element(&rng);
    }
    if (global) {
        make_global(m, &rng);
    }
    script_stream(m, 0, 0, 0, elements, ELEMENTS);
    for (uint64_t left = ELEMENTS / 3; left > 0;) {
        left -= machine_run(m, 0, 1 + rng_below(&slices, left < slice ? left : slice), &err);
    }
    machine_reset_stats(m);
    while (!m->cores[0].over) {
        assert_true(machine_run(m, 0, 1 + rng_below(&slices, slice), &err) != (size_t)-1);
    }
    machine_check(m);
    return m;
}

static const struct stream_row {
    const char *name, *settings;
    bool global;
} stream_rows[] = {
    {"inorder", "core.model=inorder", false},
    {"window", "core.model=window", false},
    {"window_tiny_tlbs", "core.model=window " TINY_TLBS, false},
    {"inorder_tiny_tlbs", "core.model=inorder " TINY_TLBS, false},
    {"window_walkers", "core.model=window mmu.walkers=3 " SMALL_TLBS, false},
    {"inorder_global", "core.model=inorder", true},
    {"window_global", "core.model=window " SMALL_TLBS, true},
    {"inorder_native", "core.model=inorder paging.mode=native", true},
    {"inorder_demand", "core.model=inorder paging.prefault=false paging.preset_flags=false", false},
    {"window_demand", "core.model=window paging.prefault=false paging.preset_flags=false " TINY_TLBS, false},
    {"window_walk_caches", "core.model=window mmu.pwc.kind=translation mmu.nested_tlb.entries=8", false},
};

static void threads_and_slices_do_not_matter_to_streams(void **state)
{
    static const uint64_t slices[] = {ELEMENTS, 1000, 77, 3};
    const struct stream_row *row = *state;
    for (unsigned i = 0; i < HV_ARRAY_LEN(slices); i++) {
        char settings[BUILD_SETTINGS_BYTES];
        snprintf(settings, sizeof(settings), "workload.footprint=16MiB " PLAIN "%s", row->settings);
        struct machine *one = run_stream(settings, 1, i, ELEMENTS, row->global);
        struct machine *two = run_stream(settings, 2, i, slices[i], row->global);
        assert_same_machines(one, two, settings);
        assert_true(core_split_handed(&two->cores[0].core) > 1000);
        machine_free(one);
        machine_free(two);
    }
}

/* Whatever is under way when a run is given up in the middle is given up with it. */
static void machines_end_anywhere(void **state)
{
    static const size_t ends[] = {1, 255, 256, 257, 8191, 8192, 8193, 12345, 65537};
    (void)state;
    for (unsigned i = 0; i < 2 * HV_ARRAY_LEN(ends); i++) {
        struct hv_err err = {""};
        char settings[BUILD_SETTINGS_BYTES];
        snprintf(settings, sizeof(settings), PLAIN "workload.footprint=32MiB workload.accesses=200000 core.model=%s",
                 i % 2 == 0 ? "inorder" : "window");
        struct machine *one = build(settings, 1), *two = build(settings, 2);
        assert_int_equal(machine_run(one, 0, ends[i / 2], &err), ends[i / 2]);
        assert_int_equal(machine_run(two, 0, ends[i / 2], &err), ends[i / 2]);
        assert_same_machines(one, two, settings);
        machine_free(one);
        machine_free(two);
    }
}

/* Beside devices a lone core stops for them, and no more than its stream is decoded ahead. */
static void devices_come_in_time(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        char settings[BUILD_SETTINGS_BYTES];
        snprintf(settings, sizeof(settings), PLAIN "workload.footprint=1MiB workload.accesses=30000 core.model=%s "
                 "io.device=nic io.attach=paravirtual io.packets=200", i == 0 ? "inorder" : "window");
        check_handed(settings, NONE, compare(settings));
    }
}

/* ---- Damaged streams -------------------------------------------------------------------------------------------- */

/* Writes a copy of a trace with one byte changed. */
static void damage(const char *from, const char *to, double where)
{
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    assert_non_null(in);
    assert_non_null(out);
    assert_int_equal(fseek(in, 0, SEEK_END), 0);
    long bytes = ftell(in), at = (long)((double)bytes * where);
    rewind(in);
    for (long i = 0; i < bytes; i++) {
        int byte = fgetc(in);
        assert_true(byte != EOF && fputc(i == at ? byte ^ 0x55 : byte, out) != EOF);
    }
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

static void compare_damaged(const char *settings)
{
    struct run run[2];
    struct machine *m[2];
    for (unsigned i = 0; i < 2; i++) {
        m[i] = build(settings, i + 1);
        run_all(m[i], &run[i]);
        assert_int_equal(run[i].end, RUN_DAMAGED_STREAM);
    }
    assert_string_equal(run[0].err.text, run[1].err.text);
    assert_int_equal(run[0].done, run[1].done);
    assert_same_machines(m[0], m[1], settings);
    machine_free(m[0]);
    machine_free(m[1]);
}

static void damage_is_found_at_the_same_place(void **state)
{
    static const char *const machines[] = {
        "core.model=inorder", "core.model=window", "machine.cores=2", "machine.cores=2 timing.sync=quantum",
        "sched.processes=2 sched.process_quantum=500",
    };
    (void)state;
    char path[] = "/tmp/hvsim-host-threads-XXXXXX", settings[BUILD_SETTINGS_BYTES];
    int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    for (unsigned i = 0; i < 2 * HV_ARRAY_LEN(machines); i++) {
        damage("workloads/sqlite.hvt", path, i % 2 == 0 ? 0.02 : 0.1);
        snprintf(settings, sizeof(settings), PLAIN "workload.kind=trace workload.trace=%s workload.accesses=1e9 %s",
                 path, machines[i / 2]);
        compare_damaged(settings);
    }
    unlink(path);
}

/* ---- All -------------------------------------------------------------------------------------------------------- */

int main(int argc, char **argv)
{
    static const struct group {
        const char *name;
    } names[GROUPS] = {{"group_0"}, {"group_1"}, {"group_2"}, {"group_3"},
                       {"group_4"}, {"group_5"}, {"group_6"}, {"group_7"}};
    static const unsigned groups[GROUPS] = {0, 1, 2, 3, 4, 5, 6, 7};
    static struct CMUnitTest machines[HV_ARRAY_LEN(machine_rows)], streams[HV_ARRAY_LEN(stream_rows)];
    static struct CMUnitTest random[GROUPS];
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(machines_end_anywhere), cmocka_unit_test(devices_come_in_time),
        cmocka_unit_test(damage_is_found_at_the_same_place),
    };
    gtest_rows(machines, threads_do_not_matter, machine_rows, sizeof(machine_rows[0]), HV_ARRAY_LEN(machine_rows));
    gtest_rows(streams, threads_and_slices_do_not_matter_to_streams, stream_rows, sizeof(stream_rows[0]),
               HV_ARRAY_LEN(stream_rows));
    for (unsigned i = 0; i < GROUPS; i++) {
        random[i] = (struct CMUnitTest){names[i].name, threads_do_not_matter_to_random_machines, NULL, NULL,
                                        (void *)(uintptr_t)&groups[i]};
    }
    const struct gtest_suite suites[] = {
        GTEST_SUITE("HostThreads", machines), GTEST_SUITE("HostThreadsRandom", random),
        GTEST_SUITE("HostThreadsStreams", streams), GTEST_SUITE("HostThreadsEnds", others),
    };
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
