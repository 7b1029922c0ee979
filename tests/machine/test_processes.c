/* SPDX-License-Identifier: MIT */
/*
 * Processes, virtual processors and virtual machines that share cores: how often they switch, what that costs, and what
 * is left of their translations afterwards.
 */
#include "gtest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "build.h"
#include "script.h"

enum { SETTINGS_BYTES = 1024 };

/* --- switches -------------------------------------------------------------------------------------------------------- */

/*
 * P processes (or virtual processors) take turns on one core; each touches N pages in a circle, and all P * N fit in the
 * one TLB. With tags nothing misses once every page has been touched. Without, each switch empties the TLB, and the N
 * pages of the one that goes on are all the refilling there is.
 */
static const struct turns_row {
    const char *name, *settings;
    bool vcpus;   /* virtual processors take turns, not processes */
    bool flushes; /* each switch does */
} turns[] = {
    {"pcid", "paging.mode=native", false, false},
    {"no_pcid", "paging.mode=native sched.pcid=false", false, true},
    {"untagged", "paging.mode=native tlb.tagged=false", false, true},
    {"nested_pcid", "paging.mode=nested", false, false},
    {"nested_no_pcid", "paging.mode=nested sched.pcid=false", false, true},
    {"npt_pcid", "paging.host.format=npt", false, false},
    {"nested_untagged", "paging.mode=nested tlb.tagged=false", false, true},
    {"large_pages", "paging.mode=nested paging.guest.page_size=2m", false, false},
    {"pcid_without_vpid", "paging.mode=nested vcpu.vpid=false", false, false}, /* no VM exit comes between */
    {"vpid", "paging.mode=nested", true, false},
    {"vpid_no_pcid", "paging.mode=nested sched.pcid=false", true, false},
    {"no_vpid", "paging.mode=nested vcpu.vpid=false", true, true},
    {"npt_no_vpid", "paging.host.format=npt vcpu.vpid=false", true, true},
    {"vpid_untagged", "paging.mode=nested tlb.tagged=false", true, true},
    {"native_vcpus", "paging.mode=native", true, false}, /* natively they are processes of the one system */
    {"native_vcpus_no_pcid", "paging.mode=native sched.pcid=false", true, true},
};

enum { SWITCH_CYCLES = 1511, VCPU_CYCLES = 4001 };

struct turns {
    uint64_t sharers, pages, quantum, rounds;
};

static void check_turns(const struct turns_row *row, const struct turns *t)
{
    char settings[SETTINGS_BYTES];
    snprintf(settings, sizeof(settings),
             "%s tlb.l1d_4k.entries=64 tlb.l1d_4k.ways=full tlb.l2.entries=0 mmu.pwc.kind=none core.width=1 "
             "workload.kind=stride workload.stride=4KiB workload.write_fraction=0 workload.footprint=%llu "
             "workload.accesses=%llu workload.warmup=%llu %s=%llu sched.process_quantum=%llu sched.vcpu_quantum=%llu "
             "vmm.cost.process_switch_cycles=%d vmm.cost.vcpu_switch_cycles=%d", row->settings,
             (unsigned long long)(t->pages * HV_PAGE_BYTES), (unsigned long long)(t->quantum * (t->rounds + 1)),
             (unsigned long long)t->quantum, row->vcpus ? "vm.vcpus" : "sched.processes",
             (unsigned long long)t->sharers, (unsigned long long)t->quantum, (unsigned long long)t->quantum,
             SWITCH_CYCLES, VCPU_CYCLES);
    struct machine *m = run_settings(settings);
    /* The warm-up is the first turn of each; every later turn begins with a switch. */
    uint64_t switches = t->sharers * t->rounds;
    bool exits = row->vcpus && m->vms[0].nested;
    assert_int_equal(stat_of(m, "vmm.process_switches"), exits ? 0 : switches);
    assert_int_equal(stat_of(m, "vmm.vcpu_switches"), exits ? switches : 0);
    assert_int_equal(stat_of(m, "core.cycles_fault"), exits ? 0 : switches * SWITCH_CYCLES);
    assert_int_equal(stat_of(m, "core.cycles_exit"), exits ? switches * vcpu_switch_cycles(m, false) : 0);
    assert_int_equal(stat_of(m, "core.accesses"), t->sharers * t->rounds * t->quantum);
    uint64_t refilled = t->pages;
    if (m->params.guest.page_size == HV_PAGE_2M) {
        refilled = 0; /* nothing is flushed in that row */
    }
    assert_int_equal(stat_of(m, "mmu.walks"), row->flushes ? switches * refilled : 0);
    assert_int_equal(stat_of(m, "tlb.l1d.misses"), row->flushes ? switches * refilled : 0);
    assert_int_equal(stat_of(m, "vmm.late_flushes"), 0);
    machine_free(m);
}

static void refilling_explains_the_misses(void **state)
{
    static const struct turns all[] = {
        {2, 1, 1, 5}, {2, 32, 32, 4}, {2, 8, 80, 7}, {3, 7, 21, 4}, {5, 12, 12, 3}, {4, 16, 48, 6}, {16, 4, 4, 3},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(all); i++) {
        check_turns(*state, &all[i]);
    }
}

/* Who shares with nobody never switches, whatever the quantum. */
static void the_only_one_never_switches(void **state)
{
    (void)state;
    struct machine *m = run_settings("sched.process_quantum=3 sched.vcpu_quantum=2 workload.footprint=64KiB "
                                     "workload.accesses=1000");
    assert_int_equal(stat_of(m, "vmm.process_switches"), 0);
    assert_int_equal(stat_of(m, "vmm.vcpu_switches"), 0);
    assert_int_equal(stat_of(m, "core.cycles_exit") + stat_of(m, "core.cycles_fault"), 0);
    machine_free(m);
}

/* The two quanta are independent: a process's turn goes on where it was when its virtual processor comes back. */
static void quanta_within_quanta(void **state)
{
    (void)state;
    /*
     * Two virtual processors, each with two processes of 20 accesses. Each switches process after 4, 8, ... 36 of its 40
     * accesses, 9 times; and the core changes between the two after 10, 20, ... 70 of the 80, 7 times.
     */
    struct machine *m = run_settings("vm.vcpus=2 sched.processes=2 sched.process_quantum=4 sched.vcpu_quantum=10 "
                                     "workload.footprint=64KiB workload.accesses=20");
    assert_int_equal(stat_of(m, "vmm.process_switches"), 2 * 9);
    assert_int_equal(stat_of(m, "vmm.vcpu_switches"), 7);
    machine_free(m);
}

/* Streams of different lengths: nobody switches to one that has ended. */
static void streams_end_at_different_times(void **state)
{
    (void)state;
    struct machine *m = build_settings("sched.processes=3 sched.process_quantum=10 workload.footprint=64KiB "
                                       "workload.accesses=1 vmm.cost.process_switch_cycles=100");
    struct hv_access loads[40];
    for (unsigned i = 0; i < HV_ARRAY_LEN(loads); i++) {
        loads[i] = script_load(0, 0);
    }
    script_stream(m, 0, 0, 0, loads, 5);  /* ends in its first turn */
    script_stream(m, 0, 0, 1, loads, 40); /* 10, then 10, 10, 10 */
    script_stream(m, 0, 0, 2, loads, 20); /* 10, then 10 */
    script_run(m);
    /* 0 1 2 1 2 1, and the last turn of the second goes on without a switch */
    assert_int_equal(stat_of(m, "vmm.process_switches"), 5);
    assert_int_equal(stat_of(m, "core.cycles_fault"), 5 * 100);
    assert_int_equal(stat_of(m, "core.accesses"), 65);
    machine_free(m);
}

/* --- threads --------------------------------------------------------------------------------------------------------- */

/* Threads share page tables: each page faults once, for all of them together. */
static void threads_fault_once_per_page(void **state)
{
    (void)state;
    static const char *const modes[] = {"native", "nested"};
    static const char *const kinds[] = {"uniform", "sequential", "chase"};
    for (unsigned cores = 1; cores <= 4; cores += 3) {
        for (size_t i = 0; i < HV_ARRAY_LEN(modes) * HV_ARRAY_LEN(kinds); i++) {
            char settings[SETTINGS_BYTES];
            const uint64_t pages = 100;
            snprintf(settings, sizeof(settings), "machine.cores=%u vm.vcpus=4 vcpu.threads=true paging.prefault=false "
                     "paging.mode=%s workload.kind=%s workload.footprint=400KiB workload.accesses=60000",
                     cores, modes[i % 2], kinds[i / 2]);
            struct machine *m = run_settings(settings);
            uint64_t faults = stat_of(m, "vmm.page_faults") + stat_of(m, "vmm.ept_violations");
            assert_int_equal(faults - stat_of(m, "vmm.spurious_faults"), i % 2 == 0 ? pages : 2 * pages);
            assert_int_equal(stat_of(m, "core.aborted"), 0);
            machine_free(m);
        }
    }
}

/* Without threads each has pages of its own. */
static void processes_fault_for_themselves(void **state)
{
    (void)state;
    struct machine *m = run_settings("machine.cores=2 vm.vcpus=4 sched.processes=3 paging.prefault=false "
                                     "workload.kind=stride workload.footprint=400KiB workload.accesses=200");
    assert_int_equal(stat_of(m, "vmm.page_faults"), 4 * 3 * 100);
    assert_int_equal(stat_of(m, "vmm.ept_violations"), 4 * 3 * 100);
    assert_int_equal(stat_of(m, "vmm.spurious_faults"), 0);
    machine_free(m);
}

/* --- machines -------------------------------------------------------------------------------------------------------- */

/* The host frames behind all pages of what runs on a core. */
static void enter_frames(const struct machine *m, unsigned core, bool *used)
{
    for (uint64_t page = 0; page < 256; page++) {
        struct walk walk;
        assert_true(mmu_probe(&m->cores[core].mmu, (hv_gva){SCRIPT_BASE + page * HV_PAGE_BYTES}, HV_LOAD, &walk));
        uint64_t frame = (walk.result & TLB_FRAME_MASK) >> HV_PAGE_SHIFT;
        assert_true(frame < m->memory.size >> HV_PAGE_SHIFT);
        assert_false(used[frame]);
        used[frame] = true;
    }
}

static void machines_and_processes_share_no_frames(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "vm.count=4 vm.vcpus=1", "vm.count=2 vm.vcpus=2", "vm.count=1", "vm.count=4 vm.vcpus=1 paging.host.page_size=2m",
        "vm.count=1 paging.mode=native", "vm.count=4 vm.vcpus=1 paging.host.fragmentation=1",
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        char settings[SETTINGS_BYTES];
        snprintf(settings, sizeof(settings), "machine.cores=4 machine.memory=1GiB workload.footprint=1MiB "
                 "workload.accesses=10 tlb.l1d_4k.entries=0 %s", rows[i]);
        struct machine *m = build_settings(settings);
        bool *used = calloc(m->memory.size >> HV_PAGE_SHIFT, sizeof(*used));
        assert_non_null(used);
        for (unsigned core = 0; core < 4; core++) {
            enter_frames(m, core, used);
        }
        free(used);
        machine_free(m);
    }
}

static void too_little_guest_memory_is_refused(void **state)
{
    (void)state;
    struct machine_params params;
    struct hv_err err = {""};
    resolve_settings(&params, "machine.cores=2 workload.footprint=64MiB vm.memory=127MiB");
    assert_null(machine_new(&params, NULL, &err));
    assert_string_equal(err.text, "vm.memory is 127 MiB, but the processes of a VM use 128 MiB; raise vm.memory or lower "
                                  "workload.footprint");
    struct machine *m = run_settings("machine.cores=2 workload.footprint=64MiB vm.memory=128MiB workload.accesses=10");
    machine_free(m);
    /* Threads use the same memory. */
    m = run_settings("machine.cores=2 vcpu.threads=true workload.footprint=64MiB vm.memory=64MiB workload.accesses=10");
    machine_free(m);
}

/* The greatest numbers of virtual processors and processes have a PCID for each (tests/vmm: one more is refused). */
static void as_many_processes_as_pcids(void **state)
{
    (void)state;
    struct machine_params params;
    struct hv_err err = {""};
    resolve_settings(&params, "vm.vcpus=64 sched.processes=64 workload.footprint=4KiB");
    struct machine *m = machine_new(&params, NULL, &err);
    assert_non_null(m);
    machine_free(m);
}

/* --- cores ------------------------------------------------------------------------------------------------------------ */

/* Cores without a virtual processor are idle, and hold nobody up: not at the end, nor at the end of the warm-up. */
static void idle_cores(void **state)
{
    (void)state;
    static const char *const rows[] = {"workload.warmup=0", "workload.warmup=300"};
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        char settings[SETTINGS_BYTES];
        snprintf(settings, sizeof(settings), "machine.cores=4 vm.vcpus=2 workload.footprint=1MiB workload.accesses=1000 "
                 "%s", rows[i]);
        struct machine *m = run_settings(settings);
        assert_int_equal(stat_of(m, "core.accesses"), i == 0 ? 2000 : 1400);
        assert_int_equal(stat_of(m, "core0.accesses"), stat_of(m, "core1.accesses"));
        assert_int_equal(stat_of(m, "core2.accesses"), 0);
        assert_int_equal(stat_of(m, "core2.cycles"), 0);
        assert_int_equal(stat_of(m, "core3.cycles"), 0);
        machine_free(m);
    }
}

/* The statistics of all cores begin at the time when the last has done its warm-up. */
static void statistics_begin_at_one_time(void **state)
{
    (void)state;
    /* Core 0 has two virtual processors to warm up, the others one each. */
    struct machine *m = run_settings("machine.cores=3 vm.vcpus=4 workload.footprint=2MiB workload.accesses=2000 "
                                     "workload.warmup=700");
    hv_cycles longest = 0;
    for (unsigned i = 0; i < 3; i++) {
        const struct core *c = &m->cores[i].core;
        assert_true(c->started > 0);
        assert_int_equal(c->started, m->cores[0].core.started);
        assert_int_equal(c->stats.cycles, c->now - c->started);
        assert_int_equal(c->stats.accesses, (i == 0 ? 2 : 1) * 1300);
        longest = c->stats.cycles > longest ? c->stats.cycles : longest;
    }
    assert_int_equal(stat_of(m, "machine.cycles"), longest);
    machine_free(m);
}

/* What each core counts is there beside the sum, or, of a greatest value, the greatest. */
static void sums_are_over_the_cores(void **state)
{
    (void)state;
    struct machine *m = run_settings("machine.cores=3 workload.footprint=2MiB workload.accesses=2000");
    static const char *const names[] = {"cycles", "instructions", "accesses", "cycles_base", "cycles_data",
                                        "cycles_walk_guest", "cycles_walk_host"};
    for (size_t i = 0; i < HV_ARRAY_LEN(names); i++) {
        uint64_t sum = 0;
        char name[STAT_NAME_BYTES];
        for (unsigned core = 0; core < 3; core++) {
            snprintf(name, sizeof(name), "core%u.%s", core, names[i]);
            sum += stat_of(m, name);
        }
        snprintf(name, sizeof(name), "core.%s", names[i]);
        assert_int_equal(stat_of(m, name), sum);
    }
    uint64_t walks = 0, most = 0;
    for (unsigned core = 0; core < 3; core++) {
        const struct mmu_stats *s = &m->cores[core].mmu.stats;
        walks += s->walks;
        most = s->walk_refs_max > most ? s->walk_refs_max : most;
    }
    assert_int_equal(stat_of(m, "mmu.walks"), walks);
    assert_int_equal(stat_of(m, "mmu.walk_refs_max"), most);
    machine_free(m);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_only_one_never_switches), cmocka_unit_test(quanta_within_quanta),
        cmocka_unit_test(streams_end_at_different_times), cmocka_unit_test(threads_fault_once_per_page),
        cmocka_unit_test(processes_fault_for_themselves), cmocka_unit_test(machines_and_processes_share_no_frames),
        cmocka_unit_test(too_little_guest_memory_is_refused), cmocka_unit_test(as_many_processes_as_pcids),
        cmocka_unit_test(idle_cores), cmocka_unit_test(statistics_begin_at_one_time),
        cmocka_unit_test(sums_are_over_the_cores),
    };
    struct CMUnitTest turns_tests[HV_ARRAY_LEN(turns)];
    gtest_rows(turns_tests, refilling_explains_the_misses, turns, sizeof(turns[0]), HV_ARRAY_LEN(turns));
    const struct gtest_suite suites[] = {GTEST_SUITE("Turns", turns_tests), GTEST_SUITE("Processes", tests)};
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
