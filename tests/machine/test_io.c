/* SPDX-License-Identifier: MIT */
/* Devices in a machine: throughput against closed forms, contention, the end of a run, order and conservation. */
#include "gtest.h"

#include <stdio.h>
#include <string.h>

#include "build.h"
#include "machine/io_parts.h"

/* A core that has next to nothing of its own to do. */
#define IDLE "paging.mode=native workload.kind=sequential workload.footprint=4KiB workload.accesses=1 "
#define ENGINE IDLE "io.device=dma io.pattern=read io.order=sequential "
#define CARD IDLE "io.device=nic "

static void assert_near(double value, double expected, double share)
{
    if (value < expected * (1 - share) || value > expected * (1 + share)) {
        fail_msg("%g is not within %g %% of %g", value, share * 100, expected);
    }
}

/* --- what bounds a device ----------------------------------------------------------------------------------------- */

/*
 * One 64-byte read at a time at 4 GHz: the round trip of 400 ns, 1600 cycles; the request's 24 bytes and the
 * completion's 64 + 20 on a link of 57.88 Gb/s, 13.3 and 46.4 cycles; and the last-level cache's 44. The first time
 * round the window of 64 lines comes from main memory.
 */
static void one_read_at_a_time_takes_the_round_trip(void **state)
{
    (void)state;
    struct machine *m = run_with(ENGINE, "io.packet_bytes=64 io.window=4KiB io.packets=20000 io.outstanding=1");
    assert_near(value_of(m, "io.cycles") / 20000, 1600 + 13.3 + 46.4 + 44, 0.005);
    machine_free(m);
}

/* As long as the link has room, n reads under way take an n-th of the time. */
static void reads_under_way_divide_the_time(void **state)
{
    (void)state;
    double one = 0;
    for (unsigned n = 1; n <= 16; n *= 4) {
        char settings[256];
        snprintf(settings, sizeof(settings), "io.packet_bytes=64 io.window=4KiB io.packets=20000 io.outstanding=%u", n);
        struct machine *m = run_with(ENGINE, settings);
        one = n == 1 ? value_of(m, "io.cycles") : one;
        assert_near(value_of(m, "io.cycles"), one / n, 0.01);
        machine_free(m);
    }
}

/* With enough reads under way the link's way back is full: 512 bytes are two completions of 256 and 20 more each. */
static void many_reads_fill_the_link(void **state)
{
    (void)state;
    struct machine *m = run_with(ENGINE, "io.packet_bytes=512 io.window=64KiB io.packets=50000 io.outstanding=256");
    assert_near(value_of(m, "io.throughput_mbps"), 57880.0 * 512 / (2 * (256 + 20)), 0.005);
    machine_free(m);
}

/* A card receives what the network brings: of each packet 24 bytes more are on the wire than in memory. */
static void a_card_keeps_up_with_its_link(void **state)
{
    (void)state;
    struct machine *m = run_with(CARD, "io.packets=5000");
    assert_int_equal(stat_of(m, "io.handled"), 5000);
    assert_int_equal(stat_of(m, "io.dropped"), 0);
    assert_near(value_of(m, "io.throughput_mbps"), 10000.0 * 1500 / 1524, 0.002);
    machine_free(m);
}

/* Where a packet takes the core longer than the network, the core is what bounds: it is never idle then. */
static void a_slow_driver_bounds_throughput(void **state)
{
    (void)state;
    struct machine *m = run_with(CARD, "io.packets=20000 io.driver_cycles=20000");
    const double cycles = value_of(m, "io.cpu_cycles_per_packet");
    assert_true(cycles > 20000);
    assert_true(stat_of(m, "io.dropped") > 0);
    assert_int_equal(stat_of(m, "io.handled") + stat_of(m, "io.dropped"), 20000);
    assert_near(value_of(m, "io.throughput_mbps"), 1500 * 8 * 4000 / cycles, 0.01);
    machine_free(m);
}

/* --- the IOMMU ---------------------------------------------------------------------------------------------------- */

#define TRANSLATED ENGINE "iommu.mode=second iommu.iotlb.entries=64 iommu.iotlb.ways=full io.packet_bytes=64 "

/* In turn through as many pages as the IOTLB has entries, each page is missed once; through one more, at each visit. */
static void the_knee_is_at_entries_times_page_size(void **state)
{
    (void)state;
    struct machine *fits = run_with(TRANSLATED, "io.window=256KiB io.packets=40960");
    struct machine *beyond = run_with(TRANSLATED, "io.window=260KiB io.packets=41600");
    assert_int_equal(stat_of(fits, "iommu.requests"), 40960);
    assert_int_equal(stat_of(fits, "iommu.walks"), 64);
    assert_int_equal(stat_of(beyond, "iommu.walks"), 41600 / 64);
    machine_free(fits);
    machine_free(beyond);
}

/* A walk with warm paging-structure caches reads one entry. */
static void huge_pages_cover_the_window(void **state)
{
    (void)state;
    struct machine *m = run_with(TRANSLATED, "io.window=64MiB io.packets=50000 io.order=random iommu.page_size=2m");
    assert_true(stat_of(m, "iommu.walks") <= 32);
    assert_int_equal(stat_of(m, "io.dma_failed"), 0);
    machine_free(m);
}

/* Of each policy the same packets go through, with an invalidation for each, for many, or none. */
static void policies_differ_in_invalidations(void **state)
{
    (void)state;
    static const struct { const char *policy; uint64_t most, least; } rows[] = {
        {"strict", 2000, 2000}, {"deferred", 2000 / 250 + 1, 2000 / 250 - 1}, {"static", 0, 0},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        char settings[256];
        snprintf(settings, sizeof(settings), "iommu.mode=second iommu.policy=%s io.packets=2000 io.link_mbps=1000",
                 rows[i].policy);
        struct machine *m = run_with(CARD, settings);
        assert_int_equal(stat_of(m, "io.handled"), 2000);
        assert_in_range(stat_of(m, "iommu.map.invalidations"), rows[i].least, rows[i].most);
        assert_int_equal(stat_of(m, "iommu.blocked"), 0);
        machine_free(m);
    }
}

/* --- the Device Exclusion Vector ------------------------------------------------------------------------------- */

#define EXCLUDING ENGINE "iommu.mode=exclusion io.packet_bytes=64 check.stale=true "

/* A line of a vector is 64 bytes, the bits of 2 MiB: 64 entries hold those of 128 MiB, and each is read once. */
static void a_line_of_a_vector_is_2_mib(void **state)
{
    (void)state;
    struct machine *m = run_with(EXCLUDING, "io.window=64MiB io.packets=40000 io.order=random iommu.page_size=2m");
    assert_int_equal(stat_of(m, "iommu.exclusion.checks"), 40000);
    assert_int_equal(stat_of(m, "iommu.exclusion.cache.misses"), 32);
    assert_int_equal(stat_of(m, "iommu.exclusion.walk_refs"), 32);
    assert_int_equal(stat_of(m, "iommu.exclusion.blocked") + stat_of(m, "iommu.exclusion.stale_found"), 0);
    assert_int_equal(stat_of(m, "io.dma_failed"), 0);
    machine_free(m);
}

static bool root_port_reads(struct machine *m, uint16_t source, uint64_t address)
{
    const struct dev_port *port = io_root_port(m->io);
    const struct dev_dma read = {.source = source, .address = address, .bytes = 64};
    return port->dma(port->ctx, &read, 0).ok;
}

/* The engine's addresses are the host's, and end where its window ends; of others there is nothing. */
static void exclusion_keeps_a_device_within_its_window(void **state)
{
    (void)state;
    struct machine *m = run_with(EXCLUDING, "io.window=64KiB io.packets=1000");
    const struct io_memory *window = &m->io->drivers[0].memory;
    assert_int_equal(window->seen, window->base);
    assert_true(root_port_reads(m, IO_DEVICE_ID, window->base));
    assert_true(root_port_reads(m, IO_DEVICE_ID, window->base + HV_KIB(64) - 64));
    assert_false(root_port_reads(m, IO_DEVICE_ID, window->base + HV_KIB(64)));
    assert_false(root_port_reads(m, IO_DEVICE_ID, window->base - 64));
    assert_false(root_port_reads(m, IO_DEVICE_ID, 0));
    assert_false(root_port_reads(m, IO_DEVICE_ID, HV_GIB(128)));
    assert_false(root_port_reads(m, 0x0900, window->base));
    assert_int_equal(m->io->exclusion->stats.blocked, 5);
    machine_free(m);
}

/* A hypervisor's own driver knows host-physical addresses, so its guest may have a device that is not its own. */
static void exclusion_serves_the_hypervisors_driver(void **state)
{
    (void)state;
    struct machine *m = run_settings("paging.mode=nested workload.kind=sequential workload.footprint=4KiB "
                                     "workload.accesses=1 io.device=nic io.attach=paravirtual io.packets=500 "
                                     "io.link_mbps=1000 iommu.mode=exclusion iommu.policy=static");
    assert_int_equal(stat_of(m, "io.handled"), 500);
    assert_int_equal(stat_of(m, "io.dma_failed"), 0);
    assert_int_equal(stat_of(m, "iommu.exclusion.blocked"), 0);
    assert_true(stat_of(m, "iommu.exclusion.checks") > 500);
    machine_free(m);
}

/* --- beside cores ------------------------------------------------------------------------------------------------- */

/* Main memory of one channel that moves a byte a cycle: 64 cycles a line, for the core and the device together. */
#define NARROW "paging.mode=native workload.kind=uniform workload.footprint=64MiB workload.accesses=20000 " \
    "paging.guest.page_size=2m cache.llc.size=0 dram.channels=1 dram.bytes_per_cycle=1 "

static void a_device_and_a_core_share_memory(void **state)
{
    (void)state;
    struct machine *alone = run_settings(NARROW);
    struct machine *both = run_settings(NARROW "io.device=dma io.pattern=read io.packet_bytes=64 io.window=64MiB "
                                        "io.packets=0 io.outstanding=4");
    assert_true(stat_of(both, "core.cycles") > stat_of(alone, "core.cycles") + stat_of(alone, "core.cycles") / 20);
    const uint64_t lines = stat_of(both, "dram.reads") + stat_of(both, "dram.writes");
    assert_true(lines > stat_of(alone, "dram.reads") + stat_of(alone, "dram.writes") + 1000);
    assert_true(lines * 64 <= stat_of(both, "io.cycles") + stat_of(both, "machine.cycles") + 64 * 64);
    machine_free(alone);
    machine_free(both);
}

/* In the order of time, how far a core might run ahead does not matter. */
static void the_quantum_does_not_matter(void **state)
{
    (void)state;
    static const char *const settings[] = {
        "timing.quantum_cycles=100", "timing.quantum_cycles=50000",
    };
    uint64_t cycles[2], latency[2], refs[2];
    for (unsigned i = 0; i < 2; i++) {
        struct machine *m = run_with("paging.mode=native machine.cores=2 workload.kind=zipf workload.footprint=16MiB "
                                     "workload.accesses=20000 io.device=nic io.packets=0 iommu.mode=second iommu.policy=static",
                                     settings[i]);
        cycles[i] = stat_of(m, "machine.cycles");
        latency[i] = stat_of(m, "io.deliver_cycles");
        refs[i] = stat_of(m, "iommu.walk_refs");
        machine_free(m);
    }
    assert_int_equal(cycles[0], cycles[1]);
    assert_int_equal(latency[0], latency[1]);
    assert_int_equal(refs[0], refs[1]);
}

/* Without io.packets a run lasts as long as its workload. */
static void the_workload_may_end_the_run(void **state)
{
    (void)state;
    struct machine *m = run_settings("paging.mode=native workload.footprint=1MiB workload.accesses=50000 io.device=nic "
                                     "io.packets=0");
    assert_int_equal(stat_of(m, "core.accesses"), 50000);
    assert_true(stat_of(m, "io.handled") > 100);
    assert_int_equal(stat_of(m, "io.idle_cycles"), 0);
    machine_free(m);
}

/* What was received has been handled or waits; the warm-up's packets do not count. */
static void a_warm_up_leaves_packets_out(void **state)
{
    (void)state;
    struct machine *m = run_settings("paging.mode=native workload.footprint=1MiB workload.accesses=50000 "
                                     "workload.warmup=25000 io.device=nic io.packets=2000");
    assert_in_range(stat_of(m, "io.handled"), 100, 1900);
    assert_int_equal(stat_of(m, "core.accesses"), 25000);
    assert_int_equal(m->io->settled, 2000);
    machine_free(m);
}

/* Each pattern and device comes to its end, with as many packets as were asked for. */
static const struct pattern_row {
    const char *name, *settings;
} patterns[] = {
    {"receive", "io.device=nic"},
    {"transmit", "io.device=nic io.pattern=transmit"},
    {"request_response", "io.device=nic io.pattern=request_response"},
    {"storage", "io.device=storage io.pattern=storage io.packet_bytes=4096"},
    {"functions", "io.device=nic io.functions=4 machine.cores=2"},
    {"large", "io.device=nic io.packet_bytes=9000"},
    {"small_ring", "io.device=nic io.ring_entries=4 io.link_mbps=100"},
    {"first_stage", "io.device=nic iommu.mode=first"},
    {"legacy", "io.device=nic iommu.mode=legacy"},
    {"passthrough", "io.device=nic iommu.mode=passthrough"},
    {"translations_in_the_device", "io.device=nic iommu.mode=second io.ats=true io.link_mbps=1000"},
    {"moderated", "io.device=nic io.moderation_ns=20000"},
    {"window_model", "io.device=nic core.model=window"},
    {"quantum", "io.device=nic timing.sync=quantum"},
    {"checked", "io.device=nic iommu.mode=second check.stale=true"},
    {"exclusion", "io.device=nic iommu.mode=exclusion iommu.policy=static check.stale=true"},
    {"exclusion_storage", "io.device=storage io.pattern=storage io.packet_bytes=4096 iommu.mode=exclusion "
     "iommu.policy=static"},
    {"exclusion_functions", "io.device=nic io.functions=12 iommu.mode=exclusion iommu.policy=static"},
};

static void a_pattern_ends(void **state)
{
    const struct pattern_row *row = *state;
    char settings[512];
    snprintf(settings, sizeof(settings), "%s io.packets=1000", row->settings);
    struct machine *m = run_with(IDLE, settings);
    const bool handles_all = stat_of(m, "io.dropped") == 0;
    assert_int_equal(stat_of(m, "io.handled") + stat_of(m, "io.dropped"), 1000);
    assert_true(handles_all);
    assert_int_equal(stat_of(m, "io.dma_failed"), 0);
    assert_int_equal(stat_of(m, "io.interrupts_blocked"), 0);
    assert_true(stat_of(m, "io.interrupts_handled") > 0);
    machine_free(m);
}

/* --- mistakes ----------------------------------------------------------------------------------------------------- */

static const struct mistake_row {
    const char *name, *settings, *words;
} mistakes[] = {
    {"pattern", "io.device=nic io.pattern=storage", "set that to receive, transmit or request_response"},
    {"engine_pattern", "io.device=dma", "set that to read or write"},
    {"no_iommu", "io.device=nic", "set iommu.mode to second"},
    {"passthrough", "io.device=nic iommu.mode=passthrough", "set iommu.mode to second"},
    {"first_stage", "io.device=nic iommu.mode=first", "second-stage tables"},
    {"shadow", "io.device=nic paging.mode=shadow", "needs paging.mode nested"},
    {"npt", "io.device=nic paging.host.format=npt", "needs paging.mode nested with EPT"},
    {"storage_emulated", "io.device=storage io.pattern=storage io.attach=emulated", "choose assigned or posted"},
    {"posted", "io.device=nic io.attach=posted iommu.mode=second vcpu.interrupts=virtual", "needs vcpu.interrupts posted"},
    {"posting", "io.device=nic io.attach=posted iommu.mode=second iommu.posting=false", "iommu.posting"},
    {"two_sources", "io.device=nic iommu.mode=second vcpu.interrupt_interval_cycles=1000", "second source"},
    {"functional", "io.device=nic core.model=functional", "no time for devices"},
    {"warmup_model", "io.device=nic core.warmup_model=functional", "no time for devices"},
    {"engine_nested", "io.device=dma io.pattern=read iommu.mode=nested", "set it to first"},
    {"direct", "io.device=nic io.attach=emulated vcpu.interrupts=direct", "set that to emulated"},
    {"exclusion_guest", "io.device=nic iommu.mode=exclusion iommu.policy=static", "translates nothing"},
    {"exclusion_policy", "io.device=nic paging.mode=native iommu.mode=exclusion",
     "set iommu.policy to static, not strict"},
    {"exclusion_ats", "io.device=dma io.pattern=read iommu.mode=exclusion io.ats=true",
     "ask an IOMMU for translations"},
    {"ats_alone", "io.device=nic paging.mode=native io.ats=true", "ask an IOMMU for translations"},
    {"payload", "io.device=nic iommu.mode=second io.pcie_payload_bytes=100", "power of two"},
};

static void a_mistake_is_a_sentence(void **state)
{
    const struct mistake_row *row = *state;
    struct machine_params params;
    struct hv_err err = {""};
    machine_params_init(&params);
    apply_settings(&params, row->settings);
    assert_false(machine_params_resolve(&params, &err));
    assert_non_null(strstr(err.text, row->words));
}

/* What only the machine knows: no room, no such feature. */
static const struct mistake_row lacks[] = {
    {"memory", CARD "machine.memory=16MiB io.window=64MiB", "lower io.window"},
    {"nested", IDLE "paging.mode=nested io.device=nic iommu.mode=nested iommu.nested=false", "iommu.nested"},
    {"exclusion_domains", CARD "iommu.mode=exclusion iommu.policy=static io.functions=32",
     "iommu.exclusion.domains of 4 "},
    {"exclusion_maps", CARD "iommu.mode=exclusion iommu.policy=static iommu.exclusion.maps=0",
     "iommu.exclusion.maps of 0 "},
    {"large_pages", CARD "iommu.mode=legacy iommu.page_size=1g iommu.large_pages=[2m]", "1g"},
};

static void a_lack_is_a_sentence(void **state)
{
    const struct mistake_row *row = *state;
    struct machine_params params;
    struct hv_err err = {""};
    resolve_settings(&params, row->settings);
    assert_null(machine_new(&params, NULL, &err));
    assert_non_null(strstr(err.text, row->words));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_read_at_a_time_takes_the_round_trip),
        cmocka_unit_test(reads_under_way_divide_the_time),
        cmocka_unit_test(many_reads_fill_the_link),
        cmocka_unit_test(a_card_keeps_up_with_its_link),
        cmocka_unit_test(a_slow_driver_bounds_throughput),
        cmocka_unit_test(the_knee_is_at_entries_times_page_size),
        cmocka_unit_test(huge_pages_cover_the_window),
        cmocka_unit_test(policies_differ_in_invalidations),
        cmocka_unit_test(a_line_of_a_vector_is_2_mib),
        cmocka_unit_test(exclusion_keeps_a_device_within_its_window),
        cmocka_unit_test(exclusion_serves_the_hypervisors_driver),
        cmocka_unit_test(a_device_and_a_core_share_memory),
        cmocka_unit_test(the_quantum_does_not_matter),
        cmocka_unit_test(the_workload_may_end_the_run),
        cmocka_unit_test(a_warm_up_leaves_packets_out),
    };
    struct CMUnitTest ends[HV_ARRAY_LEN(patterns)], refused[HV_ARRAY_LEN(mistakes)], lacking[HV_ARRAY_LEN(lacks)];
    gtest_rows(ends, a_pattern_ends, patterns, sizeof(patterns[0]), HV_ARRAY_LEN(patterns));
    gtest_rows(refused, a_mistake_is_a_sentence, mistakes, sizeof(mistakes[0]), HV_ARRAY_LEN(mistakes));
    gtest_rows(lacking, a_lack_is_a_sentence, lacks, sizeof(lacks[0]), HV_ARRAY_LEN(lacks));
    const struct gtest_suite suites[] = {
        GTEST_SUITE("Io", tests), GTEST_SUITE("IoPatterns", ends), GTEST_SUITE("IoMistakes", refused),
        GTEST_SUITE("IoLacks", lacking),
    };
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
