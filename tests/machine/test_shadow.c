/* SPDX-License-Identifier: MIT */
/* Shadow and agile paging in whole runs: references, VM exits and cycles by arithmetic, and no stale translation. */
#include "gtest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "build.h"
#include "command.h"

/* Nothing caches a translation: each access walks, and makes every reference. */
#define COLD                                                                                                       \
    "tlb.l1d_4k.entries=0 tlb.l1d_2m.entries=0 tlb.l1d_1g.entries=0 tlb.l2.entries=0 tlb.l2_1g.entries=0 "           \
    "mmu.pwc.kind=none mmu.nested_tlb.entries=0 "

#define UNIFORM "workload.kind=uniform workload.footprint=16MiB workload.accesses=20000 "

enum { SETTINGS_BYTES = 2048 };

/*
 * Gandhi, Hill, Swift (ISCA 2016): 4 + 4k references with the lowest k of four guest levels nested, four host levels.
 * Without the switch at the root, the translation of the root's own address is 4 more.
 */
static const struct count_row {
    const char *name, *settings;
    uint64_t refs, guest_refs;
} counts[] = {
    {"shadow", "paging.mode=shadow", 4, 4},
    {"nested_0", "paging.mode=agile vmm.agile.nested_levels=0", 4, 4},
    {"nested_1", "paging.mode=agile vmm.agile.nested_levels=1", 8, 4},
    {"nested_2", "paging.mode=agile vmm.agile.nested_levels=2", 12, 4},
    {"nested_3", "paging.mode=agile vmm.agile.nested_levels=3", 16, 4},
    {"nested_4", "paging.mode=agile vmm.agile.nested_levels=4", 20, 4},
    {"nested_full", "paging.mode=agile vmm.agile.nested_levels=full", 24, 4},
    {"npt", "paging.mode=agile vmm.agile.nested_levels=2 paging.host.format=npt", 12, 4},
    {"5_levels", "paging.mode=agile vmm.agile.nested_levels=5 paging.guest.levels=5 paging.host.levels=5", 5 + 25, 5},
    {"large_pages", "paging.mode=agile vmm.agile.nested_levels=3 paging.guest.page_size=2m paging.host.page_size=2m "
                    "paging.host.table_page_size=4k", 3 + 4 + 3, 3},
};

static void references(void **state)
{
    const struct count_row *row = *state;
    char settings[SETTINGS_BYTES];
    snprintf(settings, sizeof(settings), COLD UNIFORM "%s", row->settings);
    struct machine *m = run_settings(settings);
    uint64_t walks = stat_of(m, "mmu.walks");
    assert_int_equal(walks, 20000);
    assert_int_equal(stat_of(m, "mmu.walk_refs"), row->refs * walks);
    assert_int_equal(stat_of(m, "mmu.walk_refs_guest"), row->guest_refs * walks);
    assert_int_equal(stat_of(m, "mmu.walk_refs_max"), row->refs);
    assert_int_equal(stat_of(m, "vmm.shadow_exits"), 0);
    machine_free(m);
}

/* As long as nobody updates a table, a shadow is walked as the machine's own tables are natively. */
static void without_updates_a_shadow_is_native(void **state)
{
    (void)state;
    static const char *const equal[] = {
        "mmu.walks", "mmu.walk_refs", "mmu.walk_refs_guest", "mmu.walk_refs_host", "tlb.l1d.misses", "tlb.l2.misses",
        "mmu.pwc.guest.l2.hits", "mmu.pwc.guest.l3.hits", "core.cycles_fault", "core.cycles_exit",
    };
    struct machine *native = run_settings("paging.mode=native " UNIFORM);
    struct machine *shadow = run_settings("paging.mode=shadow " UNIFORM);
    struct machine *agile = run_settings("paging.mode=agile vmm.agile.interval=1000000 " UNIFORM);
    for (size_t i = 0; i < HV_ARRAY_LEN(equal); i++) {
        assert_int_equal(stat_of(shadow, equal[i]), stat_of(native, equal[i]));
        assert_int_equal(stat_of(agile, equal[i]), stat_of(native, equal[i]));
    }
    machine_free(native);
    machine_free(shadow);
    machine_free(agile);
}

/*
 * What an exit takes beside the work on the tables: the hardware's round trip, the VMREAD of the reason and the VMRESUME,
 * which are instructions of a cycle each, and finding the handler.
 */
static uint64_t round_trip(const struct machine *m)
{
    const struct vmx_cost_params *vmx = &m->params.vmx_cost;
    return vmx->exit_cycles + vmx->entry_cycles + vmx->vmread_cycles + 2 + m->params.vmm_cost.dispatch_cycles;
}

/*
 * Runs of 16 pages are unmapped and touched again. All tables are protected from the start, so each entry unmapped and
 * each mapped is a write that exits, and each page fault exits first; INVLPG does not.
 */
static void updates_cost_their_exits(void **state)
{
    (void)state;
    struct machine *m = run_settings(
        "paging.mode=shadow vmm.shadow.unsync=false workload.events.remap_interval=100 workload.events.remap_pages=16 "
        "vmm.cost.shadow_write_cycles=3001 vmm.cost.shadow_reflect_cycles=1511 vmm.cost.page_fault_cycles=0 " UNIFORM);
    uint64_t updates = stat_of(m, "vmm.pages_unmapped") + stat_of(m, "vmm.page_faults");
    assert_true(stat_of(m, "vmm.page_faults") > 1000);
    assert_int_equal(stat_of(m, "vmm.shadow_writes"), updates);
    assert_int_equal(stat_of(m, "vmm.shadow_reflected"), stat_of(m, "vmm.page_faults"));
    assert_int_equal(stat_of(m, "vmm.shadow_exits"), updates + stat_of(m, "vmm.page_faults"));
    uint64_t work = 3001 * updates + 1511 * stat_of(m, "vmm.page_faults");
    assert_int_equal(stat_of(m, "core.cycles_exit"), work + stat_of(m, "vmm.shadow_exits") * round_trip(m));
    assert_int_equal(stat_of(m, "vmx.exit.exception_or_nmi.count"), stat_of(m, "vmm.shadow_exits"));
    machine_free(m);
}

/* Processes that take turns load CR3, which exits in shadow and agile mode, and finds its translations with a PCID. */
static void switching_processes_exits(void **state)
{
    (void)state;
    static const char *const modes[] = {"shadow", "agile"};
    for (size_t i = 0; i < HV_ARRAY_LEN(modes); i++) {
        char settings[SETTINGS_BYTES];
        snprintf(settings, sizeof(settings),
                 "paging.mode=%s sched.processes=2 sched.process_quantum=1000 vmm.cost.shadow_cr3_cycles=1531 "
                 "workload.kind=stride workload.stride=4KiB workload.footprint=64KiB workload.accesses=10000",
                 modes[i]);
        struct machine *m = run_settings(settings);
        uint64_t switches = stat_of(m, "vmm.process_switches");
        assert_int_equal(switches, 19);
        assert_int_equal(stat_of(m, "vmm.shadow_cr3_loads"), switches);
        /* Three more fields are read and RIP is written, to emulate MOV to CR3. */
        const struct vmx_cost_params *vmx = &m->params.vmx_cost;
        uint64_t emulated = 3 * vmx->vmread_cycles + vmx->vmwrite_cycles + 4 + m->params.vmm_cost.control_register_cycles;
        assert_int_equal(stat_of(m, "core.cycles_exit"), (1531 + round_trip(m) + emulated) * switches);
        assert_int_equal(stat_of(m, "vmx.exit.cr_access.count"), switches);
        assert_int_equal(stat_of(m, "mmu.walks"), 2 * 16);
        machine_free(m);
    }
}

/* An interval in which nothing is written is a scan's cost, and no more. */
static void scans_come_at_intervals(void **state)
{
    (void)state;
    struct machine *m =
        run_settings("paging.mode=agile vmm.agile.interval=1000 vmm.cost.agile_scan_cycles=2017 " UNIFORM);
    assert_int_equal(stat_of(m, "vmm.agile_scans"), 19);
    assert_int_equal(stat_of(m, "core.cycles_exit"), 19 * (2017 + round_trip(m)));
    machine_free(m);
}

/* Everything at once, several cores included: whatever a TLB answers is what memory says, and twice the same. */
#define EVENTS                                                                                                     \
    "workload.events.remap_interval=97 workload.events.protect_interval=131 workload.events.fork_interval=509 "     \
    "workload.events.fork_pages=512 workload.events.migrate_interval=211 workload.events.migrate_pages=64 "         \
    "workload.events.balloon_interval=307 workload.events.balloon_pages=64 workload.write_fraction=0.5 "

static const struct together_row {
    const char *name, *settings;
} together[] = {
    {"shadow", "paging.mode=shadow"},
    {"shadow_protected", "paging.mode=shadow vmm.shadow.unsync=false"},
    {"shadow_no_tags", "paging.mode=shadow vcpu.vpid=false sched.pcid=false"},
    {"shadow_lazy", "paging.mode=shadow paging.prefault=false paging.preset_flags=false"},
    {"shadow_splintered", "paging.mode=shadow paging.guest.page_size=2m paging.host.huge_fraction=0.5"},
    {"shadow_entry_caches", "paging.mode=shadow mmu.pwc.kind=entry mmu.nested_tlb.entries=16"},
    {"agile", "paging.mode=agile vmm.agile.interval=500"},
    {"agile_no_tags", "paging.mode=agile vmm.agile.interval=500 vcpu.vpid=false sched.pcid=false"},
    {"agile_lazy", "paging.mode=agile vmm.agile.interval=500 paging.prefault=false paging.preset_flags=false"},
    {"agile_entry_caches", "paging.mode=agile vmm.agile.interval=500 mmu.pwc.kind=entry mmu.nested_tlb.entries=16"},
    {"agile_2", "paging.mode=agile vmm.agile.nested_levels=2 mmu.nested_tlb.entries=16"},
};

static void nothing_is_stale_and_all_repeats(void **state)
{
    const struct together_row *row = *state;
    char settings[SETTINGS_BYTES];
    command_or_skip();
    snprintf(settings, sizeof(settings),
             "%s " EVENTS "check.stale=true machine.cores=2 vm.count=2 vcpu.threads=true sched.processes=2 "
             "sched.process_quantum=300 sched.vcpu_quantum=700 workload.kind=uniform workload.footprint=8MiB "
             "workload.accesses=3000", row->settings);
    json_t *first = command_run(settings, NULL), *second = command_run(settings, NULL);
    assert_int_equal(command_stat(first, "mmu.stale_found"), 0);
    assert_int_equal(command_stat(first, "core.aborted"), 0);
    assert_true(command_stat(first, "vmm.shadow_exits") > 0);
    assert_true(json_equal(first, second));
    json_decref(first);
    json_decref(second);
}

int main(int argc, char **argv)
{
    static struct CMUnitTest count_tests[HV_ARRAY_LEN(counts)], together_tests[HV_ARRAY_LEN(together)];
    static const struct CMUnitTest costs[] = {
        cmocka_unit_test(without_updates_a_shadow_is_native),
        cmocka_unit_test(updates_cost_their_exits),
        cmocka_unit_test(switching_processes_exits),
        cmocka_unit_test(scans_come_at_intervals),
    };
    gtest_rows(count_tests, references, counts, sizeof(counts[0]), HV_ARRAY_LEN(counts));
    gtest_rows(together_tests, nothing_is_stale_and_all_repeats, together, sizeof(together[0]),
               HV_ARRAY_LEN(together));
    struct gtest_suite suites[] = {
        GTEST_SUITE("references", count_tests), GTEST_SUITE("costs", costs), GTEST_SUITE("together", together_tests),
    };
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
