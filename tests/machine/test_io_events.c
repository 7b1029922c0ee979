/* SPDX-License-Identifier: MIT */
/*
 * The IOMMU's fault event in a machine: a device goes astray, a core takes the interrupt, its handler drains the fault
 * records; time and counts by arithmetic, overflow, and what happens when the event is masked.
 */
#include "gtest.h"

#include <stdio.h>
#include <string.h>

#include "build.h"
#include "machine/io_parts.h"

/* A DMA engine beside a core that has next to nothing to do. */
#define ENGINE "paging.mode=native workload.kind=sequential workload.footprint=4KiB workload.accesses=1 " \
    "io.device=dma io.pattern=read io.order=sequential io.packet_bytes=64 iommu.mode=second "
/* Each transfer has 100000 cycles at 4 GHz, so a handler is done before the next. */
#define SLOW "machine.clock_mhz=4000 io.engine_ns=25000 io.outstanding=1 io.packets=1000 "
#define CARD "workload.kind=sequential workload.footprint=4KiB workload.accesses=1 io.device=nic io.link_mbps=1000 " \
    "io.packets=400 iommu.mode=second "

/* The defaults of iommu.cost, vcpu.interrupt_handler_cycles and apic.msi_cycles. */
enum { REGISTER = 500, FAULT = 3000, HANDLER = 500, MESSAGE = 500 };

/*
 * Accesses for one fault: the status, a record's two halves and the write that gives it back, the record behind it, which
 * has no fault, and the status again.
 */
enum { ACCESSES = 6, ONE_FAULT = HANDLER + ACCESSES * REGISTER + FAULT };

static uint32_t register_of(const struct machine *m, uint32_t offset)
{
    return (uint32_t)iommu_read(m->io->iommu, offset, 4, 0);
}

/* A fault at a time: each is one interrupt, which the idle core takes when the message is there. */
static void each_fault_is_handled(void **state)
{
    (void)state;
    struct machine *m = run_with(ENGINE SLOW, "io.stray_interval=10");
    /* The run ends with the hundredth, which nobody waits for. */
    assert_int_equal(stat_of(m, "io.strays"), 100);
    assert_int_equal(stat_of(m, "io.strays_blocked"), 100);
    assert_int_equal(stat_of(m, "iommu.faults_recorded"), 100);
    const uint64_t handled = stat_of(m, "io.fault_events");
    assert_in_range(handled, 99, 100);
    assert_int_equal(stat_of(m, "io.fault_wait_cycles"), handled * MESSAGE);
    assert_int_equal(stat_of(m, "io.fault_event_cycles"), handled * ONE_FAULT);
    assert_int_equal(stat_of(m, "io.cpu_cycles"), handled * ONE_FAULT);
    assert_int_equal(stat_of(m, "iommu.map.fault_records"), handled);
    assert_int_equal(stat_of(m, "iommu.map.fault_overflows"), 0);
    machine_free(m);
}

/* Each cost shows as often as the handler pays it. */
static void costs(void **state)
{
    (void)state;
    static const struct { const char *setting; uint64_t handler; } rows[] = {
        {"iommu.cost.register_cycles=700", HANDLER + ACCESSES * 700 + FAULT},
        {"iommu.cost.fault_cycles=0", HANDLER + ACCESSES * REGISTER},
        {"vcpu.interrupt_handler_cycles=900", 900 + ACCESSES * REGISTER + FAULT},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        char settings[128];
        snprintf(settings, sizeof(settings), "io.stray_interval=10 %s", rows[i].setting);
        struct machine *m = run_with(ENGINE SLOW, settings);
        assert_int_equal(stat_of(m, "io.fault_event_cycles"), stat_of(m, "io.fault_events") * rows[i].handler);
        machine_free(m);
    }
}

/* Without faults there are no events, and nothing costs anything. */
static void no_fault_no_event(void **state)
{
    (void)state;
    struct machine *m = run_with(ENGINE SLOW, "");
    assert_int_equal(stat_of(m, "io.strays"), 0);
    assert_int_equal(stat_of(m, "io.fault_events"), 0);
    assert_int_equal(stat_of(m, "io.cpu_cycles"), 0);
    machine_free(m);
}

/* Masked, the first eight faults stay in their registers, the event stays pending, and the rest are lost. */
static void masked(void **state)
{
    (void)state;
    struct machine *m = run_with(ENGINE SLOW, "io.stray_interval=10 iommu.fault_events=false");
    assert_int_equal(stat_of(m, "io.strays_blocked"), 100);
    assert_int_equal(stat_of(m, "io.fault_events"), 0);
    assert_int_equal(stat_of(m, "iommu.faults_recorded"), 8);
    assert_int_equal(stat_of(m, "iommu.faults_overflowed"), 92);
    assert_int_equal(register_of(m, IOMMU_FSTS) & 3, IOMMU_FSTS_PFO | IOMMU_FSTS_PPF);
    assert_int_equal(register_of(m, IOMMU_FECTL), IOMMU_EVENT_IM | IOMMU_EVENT_IP);
    for (uint32_t i = 0; i < 8; i++) {
        assert_int_equal(register_of(m, IOMMU_FRCD_HIGH + 16 * i) & 0xffff, IO_DEVICE_ID);
    }
    machine_free(m);
}

/*
 * Faults that come faster than they are handled: with one record the second finds none, and the handler clears the
 * overflow. What was recorded has been given back, up to one interrupt under way at the end.
 */
static void overflow(void **state)
{
    (void)state;
    struct machine *m = run_with(ENGINE "io.packets=20000 io.outstanding=1 ", "io.stray_interval=1 iommu.fault_records=1");
    const uint64_t recorded = stat_of(m, "iommu.faults_recorded"), overflowed = stat_of(m, "iommu.faults_overflowed");
    assert_int_equal(recorded + overflowed, stat_of(m, "io.strays"));
    assert_int_equal(stat_of(m, "io.strays"), 20000);
    assert_true(overflowed > recorded);
    assert_in_range(stat_of(m, "iommu.map.fault_records"), recorded - 1, recorded);
    assert_true(stat_of(m, "iommu.map.fault_overflows") > 0);
    assert_true(stat_of(m, "iommu.map.fault_overflows") <= stat_of(m, "io.fault_events"));
    machine_free(m);
}

/* With more records one interrupt is for several faults, and fewer are lost. */
static void records_help(void **state)
{
    (void)state;
    uint64_t lost[2];
    for (unsigned i = 0; i < 2; i++) {
        struct machine *m = run_with(ENGINE "io.packets=20000 io.outstanding=1 ",
                                     i == 0 ? "io.stray_interval=2 iommu.fault_records=1"
                                            : "io.stray_interval=2 iommu.fault_records=64");
        lost[i] = stat_of(m, "iommu.faults_overflowed");
        machine_free(m);
    }
    assert_true(lost[1] < lost[0]);
}

/*
 * A guest's card: the event leaves the guest by an exit, and the hypervisor drains the records. Where the card's own
 * interrupts cause no exit, these are all there are.
 */
static void exits_of_a_guest(void **state)
{
    (void)state;
    struct machine *m = run_with("paging.mode=nested " CARD, "io.attach=posted io.stray_interval=20");
    const uint64_t events = stat_of(m, "io.fault_events");
    assert_true(stat_of(m, "io.strays") >= 20);
    assert_in_range(events, stat_of(m, "io.strays") - 1, stat_of(m, "io.strays"));
    assert_int_equal(stat_of(m, "vmx.exits"), events);
    assert_int_equal(stat_of(m, "vmx.exit.external_interrupt.count"), events);
    assert_int_equal(stat_of(m, "iommu.map.fault_records"), events);
    assert_true(stat_of(m, "io.fault_event_cycles") > events * (ACCESSES * REGISTER + FAULT));
    assert_int_equal(stat_of(m, "io.handled"), 400);
    machine_free(m);
}

/* A guest that takes all interrupts itself would take this one too, so it is masked. */
static void masked_for_direct_interrupts(void **state)
{
    (void)state;
    struct machine *m = run_with("paging.mode=nested " CARD, "vcpu.interrupts=direct io.stray_interval=20");
    assert_int_equal(stat_of(m, "io.fault_events"), 0);
    assert_int_equal(stat_of(m, "vmx.exits"), 0);
    assert_true(stat_of(m, "iommu.faults_recorded") > 0);
    assert_int_equal(register_of(m, IOMMU_FECTL), IOMMU_EVENT_IM | IOMMU_EVENT_IP);
    machine_free(m);
}

/* Ways to place cores in time: all faults are counted, and each record is given back but for the last ones. */
static const struct way_row {
    const char *name, *settings;
} ways[] = {
    {"native", "paging.mode=native"},
    {"assigned", "paging.mode=nested"},
    {"paravirtual", "paging.mode=nested io.attach=paravirtual"},
    {"four_cores", "paging.mode=nested machine.cores=4"},
    {"quantum", "paging.mode=nested machine.cores=4 timing.sync=quantum"},
    {"window", "paging.mode=native core.model=window"},
    {"legacy", "paging.mode=native iommu.mode=legacy"},
    {"first", "paging.mode=native iommu.mode=first"},
};

static void all_ways(void **state)
{
    const struct way_row *row = *state;
    char settings[256];
    snprintf(settings, sizeof(settings), "io.stray_interval=20 %s", row->settings);
    struct machine *m = run_with(CARD, settings);
    assert_int_equal(stat_of(m, "io.strays_blocked"), stat_of(m, "io.strays"));
    assert_true(stat_of(m, "io.strays") > 20);
    assert_int_equal(stat_of(m, "iommu.faults_recorded") + stat_of(m, "iommu.faults_overflowed"),
                     stat_of(m, "io.strays"));
    assert_in_range(stat_of(m, "iommu.map.fault_records"), stat_of(m, "iommu.faults_recorded") - 8,
                    stat_of(m, "iommu.faults_recorded"));
    assert_true(stat_of(m, "io.fault_events") > 0);
    assert_int_equal(stat_of(m, "io.handled") + stat_of(m, "io.dropped"), 400);
    machine_free(m);
}

/* Where nothing translates, what goes astray is a write to nowhere: no fault, no event. */
static void without_translation(void **state)
{
    (void)state;
    struct machine *m = run_with(ENGINE "iommu.mode=off " SLOW, "io.stray_interval=10");
    assert_int_equal(stat_of(m, "io.strays"), 100);
    assert_int_equal(stat_of(m, "io.strays_blocked"), 0);
    assert_int_equal(stat_of(m, "io.fault_events"), 0);
    machine_free(m);
}

/* Where the IOMMU has to write for its driver, memory must take it. */
static void read_only_status(void **state)
{
    (void)state;
    struct machine_params params;
    struct hv_err err = {""};
    resolve_settings(&params, ENGINE SLOW "iommu.rom_bytes=1TiB");
    assert_null(machine_new(&params, NULL, &err));
    assert_non_null(strstr(err.text, "iommu.rom_base"));
}

int main(int argc, char **argv)
{
    static struct CMUnitTest rows[HV_ARRAY_LEN(ways)];
    gtest_rows(rows, all_ways, ways, sizeof(ways[0]), HV_ARRAY_LEN(ways));
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fault_is_handled), cmocka_unit_test(costs), cmocka_unit_test(no_fault_no_event),
        cmocka_unit_test(masked), cmocka_unit_test(overflow), cmocka_unit_test(records_help),
        cmocka_unit_test(exits_of_a_guest), cmocka_unit_test(masked_for_direct_interrupts),
        cmocka_unit_test(without_translation), cmocka_unit_test(read_only_status),
    };
    const struct gtest_suite suites[] = {GTEST_SUITE("FaultEventWays", rows), GTEST_SUITE("FaultEvent", tests)};
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
