/* SPDX-License-Identifier: MIT */
/* What each way of vcpu.interrupts makes of a device's interrupts and of changes of the task priority. */
#include "gtest.h"

#include <stdio.h>
#include <string.h>

#include "build.h"
#include "machine/guest_parts.h"
#include "script.h"

/* Fast and small: no walks worth mentioning, so that the exits are what a run is about. */
#define RUN "paging.mode=nested workload.kind=sequential workload.footprint=64KiB workload.accesses=20000 "
#define INTERRUPTS "vcpu.interrupt_interval_cycles=5000 vcpu.interrupt_handler_cycles=600 "

static struct machine *run_way(const char *way, const char *settings)
{
    char all[1024];
    snprintf(all, sizeof(all), RUN "vcpu.interrupts=%s %s", way, settings);
    return run_settings(all);
}

/* Interrupts that the machine's device has raised: each reaches the local APIC once, itself or as a notification. */
static uint64_t interrupts_of(const struct machine *m)
{
    return stat_of(m, "apic.accepted");
}

/* --- exits per interrupt ----------------------------------------------------------------------------------------- */

static const struct way_row {
    const char *name;
    unsigned external, eoi;       /* exits per interrupt */
    bool virtual_eoi, is_posted;
    bool tpr_exits;
} ways[] = {
    {"emulated", 1, 1, false, false, true},
    {"tpr_shadow", 1, 1, false, false, false},
    {"virtual", 1, 0, true, false, false},
    {"posted", 0, 0, true, true, false},
    {"direct", 0, 0, false, false, false},
};

static void exits_per_interrupt(void **state)
{
    const struct way_row *row = *state;
    struct machine *m = run_way(row->name, INTERRUPTS);
    uint64_t n = interrupts_of(m);
    assert_true(n > 20);
    assert_int_equal(stat_of(m, "vmx.exit.external_interrupt.count"), n * row->external);
    assert_int_equal(stat_of(m, "vmx.exit.wrmsr.count"), n * row->eoi);
    assert_int_equal(stat_of(m, "vmx.exits"), n * (row->external + row->eoi));
    assert_int_equal(stat_of(m, "apic.delivered"), n);
    assert_int_equal(stat_of(m, "apic.eois"), n);
    assert_int_equal(stat_of(m, "apic.virtual.delivered"), row->virtual_eoi ? n : 0);
    assert_int_equal(stat_of(m, "apic.virtual.eois"), row->virtual_eoi ? n : 0);
    assert_int_equal(stat_of(m, "apic.virtual.posted_moved"), row->is_posted ? n : 0);
    machine_free(m);
}

/* The handler's 600 cycles and, where it does not exit, its EOI: an instruction of one cycle. */
static void handlers_take_their_time(void **state)
{
    const struct way_row *row = *state;
    struct machine *m = run_way(row->name, INTERRUPTS);
    uint64_t n = interrupts_of(m), each = 600 + (row->eoi == 0 ? 1 : 0);
    assert_int_equal(stat_of(m, "core.cycles_interrupt"), n * each);
    if (row->external + row->eoi == 0) {
        assert_int_equal(stat_of(m, "core.cycles_exit"), 0);
    }
    machine_free(m);
}

/* --- cycles = counts x costs ------------------------------------------------------------------------------------- */

/*
 * Hardware costs only: an exit of 1000 cycles, an entry of 2000, nothing for VMREADs and software. Each exit takes
 * these, one cycle for the instruction that enters again, and one for the instruction that exits or for the
 * hypervisor's EOI. The VMREADs and VMWRITEs of a handler take a cycle each as instructions; they are what is left,
 * the same for each exit of a kind, so that the cycles of n interrupts are n times those of one.
 */
static void exits_cost_their_number(void **state)
{
    const struct way_row *row = *state;
    static const char free_software[] = INTERRUPTS
        "vmx.cost.exit_cycles=1000 vmx.cost.entry_cycles=2000 vmx.cost.control_write_cycles=0 "
        "vmx.cost.vmread_cycles=0 vmx.cost.vmwrite_cycles=0 vmx.cost.instruction_cycles=0 "
        "vmm.cost.dispatch_cycles=0 vmm.cost.interrupt_cycles=0 "
        "vmm.cost.inject_cycles=0 vmm.cost.msr_cycles=0 vmm.cost.eoi_cycles=0 ";
    struct machine *m = run_way(row->name, free_software);
    uint64_t n = interrupts_of(m), exits = n * (row->external + row->eoi), cycles = stat_of(m, "core.cycles_exit");
    assert_true(cycles >= exits * 3000 && cycles <= exits * 3030);
    assert_int_equal(n > 0 ? cycles % n : 0, 0);
    machine_free(m);
}

/*
 * The mean exit of an external interrupt with and without the thread of interrupt_in_thread: how many there are
 * differs, as the run gets longer, but each takes two switches more. The other exits are as they were.
 */
static void a_thread_takes_two_switches(void **state)
{
    (void)state;
    static const char each[] = INTERRUPTS "vcpu.interrupt_interval_cycles=50000 vmm.cost.process_switch_cycles=1511 ";
    char threaded[512];
    snprintf(threaded, sizeof(threaded), "%s vmm.cost.interrupt_in_thread=true", each);
    struct machine *m[] = {run_way("emulated", each), run_way("emulated", threaded)};
    uint64_t mean[2], eoi[2];
    for (int i = 0; i < 2; i++) {
        uint64_t n = stat_of(m[i], "vmx.exit.external_interrupt.count");
        assert_true(n > 0);
        mean[i] = stat_of(m[i], "vmx.exit.external_interrupt.cycles") / n;
        eoi[i] = stat_of(m[i], "vmx.exit.wrmsr.cycles") / n;
        assert_int_equal(stat_of(m[i], "vmx.exit.external_interrupt.cycles") % n, 0);
        machine_free(m[i]);
    }
    assert_int_equal(mean[1] - mean[0], 2 * 1511);
    assert_int_equal(eoi[1], eoi[0]);
}

/* --- task priority ----------------------------------------------------------------------------------------------- */

static void a_priority_write_exits_or_does_not(void **state)
{
    const struct way_row *row = *state;
    struct machine *m = run_way(row->name, "workload.events.tpr_write_interval=1000");
    uint64_t writes = 20000 / 1000 - 1; /* none before the first access */
    assert_in_range(stat_of(m, "vmx.exit.cr_access.count"), row->tpr_exits ? writes : 0,
                    row->tpr_exits ? writes + 1 : 0);
    assert_int_equal(stat_of(m, "vmx.exits"), stat_of(m, "vmx.exit.cr_access.count"));
    machine_free(m);
}

/* A write that the shadow takes is an instruction of one cycle and vmx.cost.virtual_tpr_cycles. */
static void a_shadowed_write_takes_its_time(void **state)
{
    (void)state;
    struct machine *m =
        run_way("tpr_shadow", "workload.events.tpr_write_interval=1000 vmx.cost.virtual_tpr_cycles=37");
    assert_int_equal(stat_of(m, "vmx.exits"), 0);
    assert_in_range(stat_of(m, "core.cycles_exit"), (20000 / 1000 - 1) * 38, 20000 / 1000 * 38);
    assert_int_equal(stat_of(m, "core.cycles_exit") % 38, 0);
    machine_free(m);
}

/* --- nothing where nothing happens ------------------------------------------------------------------------------- */

/* APICv's null result: without interrupts each way takes the same time to the cycle. */
static void nothing_costs_nothing(void **state)
{
    const struct way_row *row = *state;
    struct machine *m = run_way(row->name, ""), *emulated = run_way("emulated", "");
    assert_int_equal(stat_of(m, "core.cycles"), stat_of(emulated, "core.cycles"));
    assert_int_equal(stat_of(m, "vmx.exits"), 0);
    assert_int_equal(interrupts_of(m), 0);
    machine_free(m);
    machine_free(emulated);
}

/* --- check.vmx --------------------------------------------------------------------------------------------------- */

static size_t mistakes_of(const struct machine *m, FILE *out)
{
    size_t mistakes = 0;
    for (uint64_t i = 0; i < m->params.machine.cores; i++) {
        mistakes += guest_report(&m->cores[i], out);
    }
    return mistakes;
}

static void the_hypervisor_makes_no_mistakes(void **state)
{
    const struct way_row *row = *state;
    struct machine *m = run_way(row->name, INTERRUPTS "check.vmx=true vm.count=3 sched.vcpu_quantum=1000 "
                                "machine.cores=2 workload.events.cpuid_interval=500");
    assert_true(stat_of(m, "vmx.exits") > 100);
    assert_int_equal(mistakes_of(m, stderr), 0);
    machine_free(m);
}

/* Somebody stores to the VMCS while the guest runs: what the check is for. */
static void a_store_to_its_vmcs_is_found(void **state)
{
    (void)state;
    struct machine *m = build_settings(RUN "check.vmx=true workload.accesses=1");
    struct hv_access cpuid = script_switch(HV_EVENT_CPUID, 0), stream[] = {cpuid, script_load(0, 0), cpuid};
    struct machine_guest *g = m->cores[0].guest;
    struct vmcs v = {&g->memory, g->vcpus[0].vmcs};
    char text[512] = "";
    FILE *out = fmemopen(text, sizeof(text), "w");
    script_stream(m, 0, 0, 0, stream, HV_ARRAY_LEN(stream));
    VMCS_SET(&v, guest_gs_base, 0x1234);
    script_run(m);
    assert_int_equal(mistakes_of(m, out), 1);
    fclose(out);
    assert_non_null(strstr(text, "changed by an ordinary store (guest_gs_base)"));
    machine_free(m);
}

/* --- virtual processors that share a core ------------------------------------------------------------------------ */

/* A turn ends by the hypervisor's timer, or, without external-interrupt exiting, by the VMX-preemption timer. */
static void turns_end_in_each_way(void **state)
{
    const struct way_row *row = *state;
    struct machine *m = run_way(row->name, "vm.count=2 sched.vcpu_quantum=1000");
    bool direct = row->external == 0 && !row->is_posted;
    uint64_t turns = stat_of(m, direct ? "vmx.exit.preemption_timer.count" : "vmx.exit.external_interrupt.count");
    assert_in_range(turns, 2 * 20000 / 1000 - 2, 2 * 20000 / 1000);
    assert_int_equal(stat_of(m, "vmx.exits"), turns);
    machine_free(m);
}

/* --- processors that lack a feature ------------------------------------------------------------------------------ */

static const struct lack_row {
    const char *name, *way, *control;
} lacks[] = {
    {"tpr_shadow", "tpr_shadow", "primary.use_tpr_shadow"},
    {"delivery", "virtual", "secondary.virtual_interrupt_delivery"},
    {"x2apic", "virtual", "secondary.virtualize_x2apic_mode"},
    {"posting", "posted", "pin.process_posted_interrupts"},
    {"exiting", "emulated", "pin.external_interrupt_exiting"},
    {"preemption", "direct", "pin.activate_preemption_timer"},
};

static void a_lack_is_a_sentence(void **state)
{
    const struct lack_row *row = *state;
    char settings[512], expected[512];
    struct machine_params params;
    struct hv_err err = {""};
    snprintf(settings, sizeof(settings), RUN "vcpu.interrupts=%s vmx.without=%s", row->way, row->control);
    snprintf(expected, sizeof(expected), "vcpu.interrupts %s needs %s, which vmx.without takes away; leave that out "
             "of it, or choose another vcpu.interrupts", row->way, row->control);
    resolve_settings(&params, settings);
    assert_null(machine_new(&params, NULL, &err));
    assert_string_equal(err.text, expected);
}

enum { WAYS = HV_ARRAY_LEN(ways), LACKS = HV_ARRAY_LEN(lacks), PER_WAY = 7 };

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        CMUnitTestFunction test;
    } per_way[PER_WAY] = {
        {"GuestExits", exits_per_interrupt}, {"GuestHandlers", handlers_take_their_time},
        {"GuestCosts", exits_cost_their_number}, {"GuestPriority", a_priority_write_exits_or_does_not},
        {"GuestQuiet", nothing_costs_nothing}, {"GuestTurns", turns_end_in_each_way},
        {"GuestMistakes", the_hypervisor_makes_no_mistakes},
    };
    static const struct CMUnitTest cost_tests[] = {
        cmocka_unit_test(a_thread_takes_two_switches), cmocka_unit_test(a_shadowed_write_takes_its_time),
        cmocka_unit_test(a_store_to_its_vmcs_is_found),
    };
    static struct CMUnitTest tests[PER_WAY][WAYS], lack_tests[LACKS];
    struct gtest_suite suites[PER_WAY + 2];
    for (size_t s = 0; s < PER_WAY; s++) {
        gtest_rows(tests[s], per_way[s].test, ways, sizeof(ways[0]), WAYS);
        suites[s] = (struct gtest_suite){.name = per_way[s].name, .tests = tests[s], .count = WAYS};
    }
    gtest_rows(lack_tests, a_lack_is_a_sentence, lacks, sizeof(lacks[0]), LACKS);
    suites[PER_WAY] = (struct gtest_suite){.name = "GuestLacks", .tests = lack_tests, .count = LACKS};
    suites[PER_WAY + 1] = (struct gtest_suite){
        .name = "GuestSoftware", .tests = cost_tests, .count = HV_ARRAY_LEN(cost_tests),
    };
    return gtest_main_suites(argc, argv, suites, PER_WAY + 2);
}
