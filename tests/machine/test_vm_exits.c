/* SPDX-License-Identifier: MIT */
/*
 * VM exits of streams: how many there are, and what each takes, to the cycle. Expectations are arithmetic over the
 * parameters and the VMREADs and VMWRITEs of the reference hypervisor's handlers (sim/vmm/hypervisor.c). Each of these
 * instructions, VMRESUME too, takes a cycle to issue beside its cost.
 */
#include "gtest.h"

#include <stdio.h>
#include <string.h>

#include "base/stat.h"
#include "build.h"
#include "script.h"

/* Costs that no sum of some others equals by chance. */
enum {
    EXIT = 1009, ENTRY = 2003, VMREAD = 31, VMWRITE = 47, DISPATCH = 401, CPUID = 5003, VMCALL = 6007, PORT = 7001,
    USER_SPACE = 80021, MSR = 9001, CONTROL_REGISTER = 10007, HLT = 11003, INTERRUPT = 12007, VCPU_SWITCH = 13001,
    VIOLATION = 14009, DECODE = 15013, EOI = 16001,
};
#define COSTS                                                                                                       \
    "vmx.cost.exit_cycles=1009 vmx.cost.entry_cycles=2003 vmx.cost.vmread_cycles=31 vmx.cost.vmwrite_cycles=47 "    \
    "vmm.cost.dispatch_cycles=401 vmm.cost.cpuid_cycles=5003 vmm.cost.vmcall_cycles=6007 "                          \
    "vmm.cost.port_cycles=7001 vmm.cost.user_space_cycles=80021 vmm.cost.msr_cycles=9001 "                          \
    "vmm.cost.control_register_cycles=10007 vmm.cost.hlt_cycles=11003 vmm.cost.interrupt_cycles=12007 "             \
    "vmm.cost.vcpu_switch_cycles=13001 vmm.cost.ept_violation_cycles=14009 "
#define SMALL "workload.footprint=256KiB paging.mode=nested "

/* What every exit takes whose handler reads and writes so many fields and works so long. */
static uint64_t round_trip(unsigned reads, unsigned writes, uint64_t work)
{
    return EXIT + DISPATCH + reads * (VMREAD + 1) + writes * (VMWRITE + 1) + work + ENTRY + 1;
}

static uint64_t reason_stat(const struct machine *m, const char *reason, const char *what)
{
    char name[STAT_NAME_BYTES];
    snprintf(name, sizeof(name), "vmx.exit.%s.%s", reason, what);
    return stat_of(m, name);
}

static struct machine *run(const char *settings, const char *more)
{
    char all[2048];
    snprintf(all, sizeof(all), SMALL COSTS "%s %s", settings, more);
    return run_settings(all);
}

/* ---- One exit for each instruction ----------------------------------------------------------------------------- */

/* The handlers read the reason; the instruction's length and RIP, which they then write; some the qualification. */
static const struct event_row {
    const char *name;
    enum hv_event event;
    uint64_t value; /* its argument; 0x8b: an MSR and a port of nobody's */
    const char *settings, *reason;
    unsigned reads, writes;
    uint64_t work;
} event_rows[] = {
    {"cpuid", HV_EVENT_CPUID, 0x8b, "", "cpuid", 3, 1, CPUID},
    {"vmcall", HV_EVENT_VMCALL, 0x8b, "", "vmcall", 3, 1, VMCALL},
    {"port_in", HV_EVENT_PORT_IN, 0x8b, "", "io_instruction", 4, 1, PORT},
    {"port_out", HV_EVENT_PORT_OUT, 0x8b, "", "io_instruction", 4, 1, PORT},
    {"port_in_decoded", HV_EVENT_PORT_IN, 0x8b, "vmm.cost.decode_cycles=15013", "io_instruction", 4, 1, PORT + DECODE},
    {"port_out_not_decoded", HV_EVENT_PORT_OUT, 0x8b, "vmm.cost.decode_cycles=15013", "io_instruction", 4, 1, PORT},
    {"port_in_user_space", HV_EVENT_PORT_IN, 0x8b, "vmm.cost.port_in_user_space=true", "io_instruction", 4, 1,
     PORT + USER_SPACE},
    {"msr_read", HV_EVENT_MSR_READ, 0x8b, "", "rdmsr", 3, 1, MSR},
    {"msr_write", HV_EVENT_MSR_WRITE, 0x8b, "", "wrmsr", 3, 1, MSR},
    {"eoi", HV_EVENT_MSR_WRITE, 0x80b, "vmm.cost.eoi_cycles=16001", "wrmsr", 3, 1, EOI},
    {"tpr_write", HV_EVENT_TPR_WRITE, 0x8b, "vcpu.interrupts=emulated", "cr_access", 4, 1, CONTROL_REGISTER},
    {"hlt", HV_EVENT_HLT, 0x8b, "", "hlt", 3, 1, HLT},
};

/* Five events of a row between loads, one of them the first and one the last element. */
static struct machine *run_events(const struct event_row *row, const char *more)
{
    char settings[2048];
    snprintf(settings, sizeof(settings), SMALL COSTS "workload.accesses=1 %s %s", row->settings, more);
    struct machine *m = build_settings(settings);
    struct hv_access event = script_switch(row->event, row->value);
    struct hv_access stream[] = {event, script_load(0, 0), event, event, script_load(1, 5), event, event};
    script_stream(m, 0, 0, 0, stream, sizeof(stream) / sizeof(stream[0]));
    script_run(m);
    return m;
}

static void each_event_exits_once(void **state)
{
    const struct event_row *row = *state;
    uint64_t cycles = round_trip(row->reads, row->writes, row->work);
    struct machine *m = run_events(row, "");
    assert_int_equal(stat_of(m, "vmx.exits"), 5);
    assert_int_equal(stat_of(m, "vmx.entries"), 5); /* the first is before time begins */
    assert_int_equal(stat_of(m, "vmx.entry_failures"), 0);
    assert_int_equal(reason_stat(m, row->reason, "count"), 5);
    assert_int_equal(reason_stat(m, row->reason, "cycles"), 5 * cycles);
    assert_int_equal(stat_of(m, "vmx.exit_cycles"), 5 * cycles);
    assert_int_equal(stat_of(m, "core.cycles_exit"), 5 * (cycles + 1)); /* the instruction itself */
    machine_free(m);
}

/* How many times each parameter is in the exit of a CPUID. */
static const struct part_row {
    const char *name, *setting;
    unsigned times;
} part_rows[] = {
    {"exit", "vmx.cost.exit_cycles=1109", 1},
    {"entry", "vmx.cost.entry_cycles=2103", 1},
    {"vmread", "vmx.cost.vmread_cycles=131", 3},
    {"vmwrite", "vmx.cost.vmwrite_cycles=147", 1},
    {"dispatch", "vmm.cost.dispatch_cycles=501", 1},
    {"cpuid", "vmm.cost.cpuid_cycles=5103", 1},
    {"vmcall", "vmm.cost.vmcall_cycles=6107", 0},
    {"port", "vmm.cost.port_cycles=7101", 0},
    {"user_space", "vmm.cost.user_space_cycles=80121", 0},
    {"violation", "vmm.cost.ept_violation_cycles=14109", 0},
    {"control_write", "vmx.cost.control_write_cycles=400", 0},
    {"instruction", "vmx.cost.instruction_cycles=200", 0}, /* a VM entry has its own */
};

static void each_parameter_has_its_effect(void **state)
{
    const struct part_row *row = *state;
    struct machine *before = run_events(&event_rows[0], ""), *after = run_events(&event_rows[0], row->setting);
    assert_int_equal(stat_of(after, "vmx.exit_cycles") - stat_of(before, "vmx.exit_cycles"), 5 * 100 * row->times);
    assert_int_equal(stat_of(after, "core.cycles") - stat_of(before, "core.cycles"), 5 * 100 * row->times);
    machine_free(before);
    machine_free(after);
}

/* ---- The hypervisor's memory ----------------------------------------------------------------------------------- */

/*
 * 64 lines come from memory at the first exit, one after the other, and from the first-level cache at the others, for
 * nothing. Twice as many as the first level has lines, in turn, come from the second level each time: LRU. The first
 * level is fully associative, since the entries of the guest's walks would meet in few sets.
 */
static const struct footprint_row {
    const char *name, *settings;
    uint64_t lines;
    bool second_level; /* exits but the first pay for the second level */
} footprint_rows[] = {
    {"none", "vmm.footprint=0", 0, false},
    {"first_level", "vmm.footprint=4KiB cache.l1d.ways=512", 64, false},
    {"second_level", "vmm.footprint=8KiB cache.l1d.size=4KiB cache.l1d.ways=64 cache.l1d.replacement=lru", 128, true},
};

static void its_memory_goes_through_the_caches(void **state)
{
    const struct footprint_row *row = *state;
    struct machine *without = run_events(&event_rows[0], ""), *with = run_events(&event_rows[0], row->settings);
    const struct machine_params *p = &with->params;
    uint64_t from_memory = p->cache[CACHE_LLC].latency_cycles + p->dram.latency_cycles;
    uint64_t later = row->second_level ? 4 * p->cache[CACHE_L2].latency_cycles : 0;
    assert_int_equal(stat_of(with, "vmx.exit_cycles") - stat_of(without, "vmx.exit_cycles"),
                     row->lines * (from_memory + later));
    assert_int_equal(stat_of(with, "vmx.exits"), stat_of(without, "vmx.exits"));
    machine_free(without);
    machine_free(with);
}

/* The program fits the first-level cache, and no longer does when as much of the hypervisor's comes in between. */
static void it_displaces_the_guests_lines(void **state)
{
    (void)state;
    static const char program[] = "workload.kind=sequential workload.footprint=32KiB workload.accesses=100000 "
        "workload.warmup=10000 workload.events.cpuid_interval=10000 paging.prefault=true";
    struct machine *without = run(program, ""), *with = run(program, "vmm.footprint=32KiB");
    assert_true(stat_of(with, "core.cycles_data") > stat_of(without, "core.cycles_data"));
    assert_int_equal(stat_of(with, "vmx.exits"), stat_of(without, "vmx.exits"));
    machine_free(without);
    machine_free(with);
}

/* Two cores share the last-level cache, and each goes in the order of time for its hypervisor's lines too. */
static void cores_share_what_is_below(void **state)
{
    (void)state;
    struct machine *m = run("machine.cores=2 vm.count=2 workload.accesses=20000 workload.events.cpuid_interval=1000",
                            "vmm.footprint=12KiB");
    assert_true(stat_of(m, "vmx.exits") >= 2 * 19);
    machine_check(m);
    machine_free(m);
}

/* ---- Other causes ---------------------------------------------------------------------------------------------- */

/* 64 pages of the program, each of which is there when its first access comes for the second time. */
static void violations_exit(void **state)
{
    (void)state;
    struct machine *m = run("paging.prefault=false workload.kind=stride workload.stride=4KiB",
                            "workload.accesses=300");
    uint64_t violations = stat_of(m, "mmu.faults_violation");
    assert_true(violations >= 64);
    assert_int_equal(reason_stat(m, "ept_violation", "count"), violations);
    assert_int_equal(stat_of(m, "vmx.exits"), violations);
    assert_int_equal(stat_of(m, "vmx.exit_cycles"), violations * round_trip(3, 0, VIOLATION));
    assert_int_equal(stat_of(m, "core.cycles_exit"), stat_of(m, "vmx.exit_cycles"));
    machine_free(m);
}

/* The host's timer: the handler reads reason and vector, then loads the other's VMCS and brings it up to date. */
static void switches_exit(void **state)
{
    (void)state;
    struct machine *m = run("vm.count=2 sched.vcpu_quantum=100 workload.accesses=1000", "");
    uint64_t switches = stat_of(m, "vmm.vcpu_switches");
    assert_int_equal(switches, 2 * 1000 / 100 - 1);
    assert_int_equal(reason_stat(m, "external_interrupt", "count"), switches);
    assert_int_equal(stat_of(m, "vmx.exits"), switches);
    assert_int_equal(stat_of(m, "vmx.entries"), switches);
    assert_true(stat_of(m, "vmx.exit_cycles") >= switches * round_trip(2, 0, INTERRUPT + VCPU_SWITCH));
    machine_free(m);
}

/* ---- Sums ------------------------------------------------------------------------------------------------------ */

#define MANY                                                                                                         \
    "workload.accesses=6000 workload.events.cpuid_interval=70 workload.events.vmcall_interval=110 "                   \
    "workload.events.port_in_interval=130 workload.events.msr_write_interval=170 workload.events.hlt_interval=190 "

static const struct mix_row {
    const char *name, *settings;
} mix_rows[] = {
    {"one", ""},
    {"faults", "paging.prefault=false"},
    {"two_vms", "vm.count=2 sched.vcpu_quantum=500"},
    {"without_vpid", "vcpu.vpid=false vm.count=2 sched.vcpu_quantum=500"},
    {"window", "core.model=window"},
    {"five_levels", "paging.guest.levels=5 paging.host.levels=5"},
};

struct sums {
    uint64_t count, cycles;
};

static struct sums sum_reasons(const struct machine *m)
{
    struct sums sums = {0, 0};
#define X(number, name, ...)                                                                                          \
    sums.count += reason_stat(m, #name, "count");                                                                     \
    sums.cycles += reason_stat(m, #name, "cycles");
#include "cpu/vmx/vmx_exit_reasons.def"
#undef X
    return sums;
}

static void reasons_sum_up(void **state)
{
    const struct mix_row *row = *state;
    struct machine *m = run(MANY, row->settings);
    struct sums sums = sum_reasons(m);
    assert_true(sums.count >= 6000 / 70);
    assert_int_equal(sums.count, stat_of(m, "vmx.exits"));
    assert_int_equal(sums.cycles, stat_of(m, "vmx.exit_cycles"));
    machine_free(m);
}

/* Instructions that exit are charged a cycle of their own; nothing else of a lone VM's exits is outside of vmx.*. */
static void all_exit_time_is_of_exits(void **state)
{
    (void)state;
    struct machine *m = run(MANY, "");
    assert_int_equal(stat_of(m, "core.cycles_exit"), stat_of(m, "vmx.exit_cycles") + stat_of(m, "vmx.exits"));
    machine_free(m);
}

static void the_same_again(void **state)
{
    const struct mix_row *row = *state;
    struct machine *a = run(MANY, row->settings), *b = run(MANY, row->settings);
    for (size_t i = 0; i < a->stats.count; i++) {
        const struct stat_item *of = &a->stats.items[i];
        if (of->kind == STAT_COUNTER) {
            assert_int_equal(stats_count(&a->stats, of->name), stats_count(&b->stats, of->name));
        }
    }
    machine_free(a);
    machine_free(b);
}

static void without_events_no_exits(void **state)
{
    (void)state;
    static const char plain[] = "workload.accesses=20000";
    struct machine *m = run(plain, ""), *free_of_cost = run(plain,
        "vmx.cost.exit_cycles=0 vmx.cost.entry_cycles=0 vmx.cost.vmread_cycles=0 vmx.cost.vmwrite_cycles=0 "
        "vmx.cost.control_write_cycles=0 vmx.cost.instruction_cycles=0 vmx.cost.msr_cycles=0");
    assert_int_equal(stat_of(m, "vmx.exits"), 0);
    assert_int_equal(stat_of(m, "core.cycles_exit"), 0);
    assert_int_equal(stat_of(m, "core.cycles"), stat_of(free_of_cost, "core.cycles"));
    assert_int_equal(stat_of(m, "mmu.walks"), stat_of(free_of_cost, "mmu.walks"));
    machine_free(m);
    machine_free(free_of_cost);
}

/* A CPUID every 100 of 6000 accesses, 4000 of which are warm-up. */
static void the_warmup_is_left_out(void **state)
{
    (void)state;
    static const char events[] = "workload.accesses=6000 workload.events.cpuid_interval=100";
    struct machine *all = run(events, ""), *rest = run(events, "workload.warmup=4000");
    uint64_t whole = stat_of(all, "vmx.exits"), left = stat_of(rest, "vmx.exits");
    assert_in_range(whole, 59, 60);
    assert_in_range(left, 19, 20);
    assert_int_equal(stat_of(rest, "vmx.exit_cycles"), left * round_trip(3, 1, CPUID));
    assert_int_equal(stat_of(rest, "vmx.entries"), left);
    machine_free(all);
    machine_free(rest);
}

static void native_runs_have_none(void **state)
{
    (void)state;
    struct machine *m = run(MANY, "paging.mode=native");
    assert_int_equal(stat_of(m, "vmx.exits"), 0);
    assert_int_equal(stat_of(m, "vmx.entries"), 0);
    assert_int_equal(stat_of(m, "core.cycles_exit"), 0);
    machine_free(m);
}

/* Two cores with a stream each, by hand: three CPUIDs here, one hypercall there. */
static void cores_count_for_themselves(void **state)
{
    (void)state;
    struct machine *m = build_settings(SMALL COSTS "workload.accesses=1 machine.cores=2");
    struct hv_access cpuid = script_switch(HV_EVENT_CPUID, 0), vmcall = script_switch(HV_EVENT_VMCALL, 0);
    struct hv_access first[] = {cpuid, script_load(0, 0), cpuid, cpuid}, second[] = {script_load(0, 0), vmcall};
    script_stream(m, 0, 0, 0, first, 4);
    script_stream(m, 1, 0, 0, second, 2);
    script_run(m);
    assert_int_equal(m->cores[0].vmx_stats.exits, 3);
    assert_int_equal(m->cores[1].vmx_stats.exits, 1);
    assert_int_equal(stat_of(m, "vmx.exits"), 4);
    assert_int_equal(reason_stat(m, "cpuid", "cycles"), 3 * round_trip(3, 1, CPUID));
    assert_int_equal(reason_stat(m, "vmcall", "cycles"), round_trip(3, 1, VMCALL));
    machine_free(m);
}

/* ---- Processors that lack something ---------------------------------------------------------------------------- */

static const struct control_row {
    const char *name, *without;
} control_rows[] = {
#define C(word, bit, name, ...) {#word "_" #name, #word "." #name},
#include "cpu/vmx/vmx_controls.def"
#undef C
};

static void lower(char *text)
{
    for (; *text != '\0'; text++) {
        *text = (char)(*text >= 'A' && *text <= 'Z' ? *text + ('a' - 'A') : *text);
    }
}

/* It runs, or a sentence says why not; whatever else happens would be a failed assertion. */
static void it_runs_or_says_why(const char *settings, const char *without)
{
    struct machine_params params;
    struct hv_err err = {""};
    char all[2048];
    snprintf(all, sizeof(all), SMALL MANY "vm.count=2 sched.vcpu_quantum=500 vmx.without=%s %s", without, settings);
    resolve_settings(&params, all);
    struct machine *m = machine_new(&params, NULL, &err);
    if (m == NULL) {
        assert_non_null(strstr(err.text, "vmx.without"));
        return;
    }
    assert_true(machine_run(m, 0, SIZE_MAX, &err) != (size_t)-1);
    machine_check(m);
    assert_true(stat_of(m, "vmx.exits") > 0);
    machine_free(m);
}

static void a_processor_without_it(void **state)
{
    const struct control_row *row = *state;
    char without[128];
    snprintf(without, sizeof(without), "%s", row->without);
    lower(without);
    it_runs_or_says_why("vcpu.interrupts=emulated vcpu.interrupt_interval_cycles=50000", without);
    it_runs_or_says_why("vcpu.interrupts=tpr_shadow", without);
    it_runs_or_says_why("vcpu.interrupts=virtual", without);
    it_runs_or_says_why("vcpu.interrupts=posted", without);
    it_runs_or_says_why("vcpu.interrupts=direct", without);
}

static void ept_is_asked_for(void **state)
{
    (void)state;
    struct machine_params params;
    struct hv_err err = {""};
    resolve_settings(&params, SMALL "vmx.without=secondary.enable_ept");
    assert_null(machine_new(&params, NULL, &err));
    assert_non_null(strstr(err.text, "secondary.enable_ept"));
}

/* A processor without VPIDs is one on which the hypervisor uses none. */
static void without_vpids_as_if_unused(void **state)
{
    (void)state;
    struct machine *lacks = run(MANY, "vmx.without=secondary.enable_vpid"), *unused = run(MANY, "vcpu.vpid=false");
    struct machine *has = run(MANY, "");
    assert_int_equal(stat_of(lacks, "mmu.walks"), stat_of(unused, "mmu.walks"));
    assert_int_equal(stat_of(lacks, "core.cycles"), stat_of(unused, "core.cycles"));
    assert_true(stat_of(lacks, "mmu.walks") > stat_of(has, "mmu.walks"));
    machine_free(lacks);
    machine_free(unused);
    machine_free(has);
}

enum {
    EVENT_ROWS = sizeof(event_rows) / sizeof(event_rows[0]), PART_ROWS = sizeof(part_rows) / sizeof(part_rows[0]),
    MIX_ROWS = sizeof(mix_rows) / sizeof(mix_rows[0]), CONTROL_ROWS = sizeof(control_rows) / sizeof(control_rows[0]),
    FOOTPRINT_ROWS = sizeof(footprint_rows) / sizeof(footprint_rows[0]),
};

int main(int argc, char **argv)
{
    struct CMUnitTest events[EVENT_ROWS], parts[PART_ROWS], sums[MIX_ROWS], again[MIX_ROWS], controls[CONTROL_ROWS];
    struct CMUnitTest footprints[FOOTPRINT_ROWS];
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(violations_exit), cmocka_unit_test(switches_exit),
        cmocka_unit_test(all_exit_time_is_of_exits), cmocka_unit_test(without_events_no_exits),
        cmocka_unit_test(the_warmup_is_left_out), cmocka_unit_test(native_runs_have_none),
        cmocka_unit_test(cores_count_for_themselves), cmocka_unit_test(ept_is_asked_for),
        cmocka_unit_test(without_vpids_as_if_unused),
        cmocka_unit_test(it_displaces_the_guests_lines), cmocka_unit_test(cores_share_what_is_below),
    };
    gtest_rows(events, each_event_exits_once, event_rows, sizeof(event_rows[0]), EVENT_ROWS);
    gtest_rows(footprints, its_memory_goes_through_the_caches, footprint_rows, sizeof(footprint_rows[0]),
               FOOTPRINT_ROWS);
    gtest_rows(parts, each_parameter_has_its_effect, part_rows, sizeof(part_rows[0]), PART_ROWS);
    gtest_rows(sums, reasons_sum_up, mix_rows, sizeof(mix_rows[0]), MIX_ROWS);
    gtest_rows(again, the_same_again, mix_rows, sizeof(mix_rows[0]), MIX_ROWS);
    gtest_rows(controls, a_processor_without_it, control_rows, sizeof(control_rows[0]), CONTROL_ROWS);
    const struct gtest_suite suites[] = {
        GTEST_SUITE("ExitOfEvent", events), GTEST_SUITE("ExitParameter", parts), GTEST_SUITE("ExitSums", sums),
        GTEST_SUITE("ExitsAgain", again), GTEST_SUITE("Exits", others), GTEST_SUITE("ProcessorWithout", controls),
        GTEST_SUITE("ExitFootprint", footprints),
    };
    return gtest_main_suites(argc, argv, suites, sizeof(suites) / sizeof(suites[0]));
}
