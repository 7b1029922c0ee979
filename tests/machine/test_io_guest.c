/* SPDX-License-Identifier: MIT */
/* A guest's network card in its forms, and tenants that must not reach each other. */
#include "gtest.h"

#include <stdio.h>
#include <string.h>

#include "build.h"
#include "machine/io_parts.h"

/* A guest that has next to nothing of its own to do. */
#define IDLE "paging.mode=nested workload.kind=sequential workload.footprint=4KiB workload.accesses=1 io.device=nic "
#define ASSIGNED IDLE "iommu.mode=second "

/* --- exits per interrupt ------------------------------------------------------------------------------------------ */

/* How an assigned card's interrupts reach the guest: an external-interrupt exit and one for the EOI; the first; neither. */
static const struct way_row {
    const char *name, *settings;
    unsigned external, eoi;
} ways[] = {
    {"emulated", "vcpu.interrupts=emulated", 1, 1},
    {"tpr_shadow", "vcpu.interrupts=tpr_shadow", 1, 1},
    {"virtual", "vcpu.interrupts=virtual", 1, 0},
    {"direct", "vcpu.interrupts=direct", 0, 0},
    {"posted", "io.attach=posted", 0, 0},
};

/* Packets come slowly, so each has an interrupt of its own. */
static void exits_per_interrupt(void **state)
{
    const struct way_row *row = *state;
    struct machine *m = run_with(ASSIGNED "io.link_mbps=1000 io.packets=200 ", row->settings);
    assert_int_equal(stat_of(m, "io.interrupts_handled"), 200);
    assert_int_equal(stat_of(m, "io.interrupts"), 200);
    assert_int_equal(stat_of(m, "io.exits"), 200 * (row->external + row->eoi));
    assert_int_equal(stat_of(m, "vmx.exit.external_interrupt.count"), 200 * row->external);
    assert_int_equal(stat_of(m, "vmx.exit.wrmsr.count"), 200 * row->eoi);
    assert_int_equal(stat_of(m, "vmx.exits"), stat_of(m, "io.exits"));
    assert_int_equal(stat_of(m, "iommu.interrupts_posted"), strcmp(row->name, "posted") == 0 ? 200 : 0);
    machine_free(m);
}

/*
 * A paravirtual card's: the host's interrupt, the EOI of the injected one, and no notification, as the back end always
 * has buffers. An emulated one's: both, the read of the cause, a tail and the mask.
 */
static void exits_of_software_devices(void **state)
{
    (void)state;
    struct machine *paravirtual = run_with(IDLE "io.link_mbps=1000 io.packets=200 ", "io.attach=paravirtual");
    struct machine *emulated = run_with(IDLE "io.link_mbps=1000 io.packets=200 ", "io.attach=emulated");
    assert_int_equal(stat_of(paravirtual, "io.exits"), 200 * 2);
    assert_int_equal(stat_of(paravirtual, "io.kicks"), 0);
    assert_int_equal(stat_of(emulated, "io.exits"), 200 * 5);
    assert_int_equal(stat_of(emulated, "vmx.exit.ept_misconfiguration.count"), 200 * 3);
    assert_int_equal(stat_of(emulated, "io.status_reads"), 200);
    assert_int_equal(stat_of(emulated, "io.injections"), 200);
    machine_free(paravirtual);
    machine_free(emulated);
}

/* Sending, the back end is notified of each batch, and a register is written for each packet. */
static void notifications_are_batched(void **state)
{
    (void)state;
    struct machine *paravirtual = run_with(IDLE "io.pattern=transmit io.packets=640 io.batch=16",
                                           "io.attach=paravirtual");
    assert_int_equal(stat_of(paravirtual, "io.kicks"), 640 / 16);
    assert_int_equal(stat_of(paravirtual, "io.handled"), 640);
    machine_free(paravirtual);
}

/* --- the order of the forms --------------------------------------------------------------------------------------- */

/* Cycles a packet of each form, the cheapest first; what posting adds to the native path is hardly anything. */
static void forms_are_in_order(void **state)
{
    (void)state;
    static const char *const forms[] = {
        "paging.mode=native iommu.mode=off", "io.attach=posted", "io.attach=assigned", "io.attach=paravirtual",
        "io.attach=emulated",
    };
    double cycles[HV_ARRAY_LEN(forms)];
    for (size_t i = 0; i < HV_ARRAY_LEN(forms); i++) {
        struct machine *m = run_with(ASSIGNED "io.packets=2000 io.link_mbps=1000 iommu.policy=static ", forms[i]);
        assert_int_equal(stat_of(m, "io.handled"), 2000);
        cycles[i] = value_of(m, "io.cpu_cycles_per_packet");
        machine_free(m);
    }
    assert_true(cycles[1] < cycles[0] * 1.01);
    for (size_t i = 2; i < HV_ARRAY_LEN(forms); i++) {
        assert_true(cycles[i] > cycles[i - 1] * 1.2);
    }
}

/* --- the parts of an interrupt's time ----------------------------------------------------------------------------- */

/*
 * Posted, nothing but the bus and the handler: apic.msi_cycles until it is delivered, then the handler's cycles and an
 * instruction for the EOI. The core is idle, so it does not wait.
 */
static void an_interrupt_takes_its_parts(void **state)
{
    (void)state;
    struct machine *m = run_with(ASSIGNED "io.attach=posted io.link_mbps=1000 io.packets=100",
                                 "apic.msi_cycles=700 vcpu.interrupt_handler_cycles=900");
    assert_int_equal(stat_of(m, "io.deliver_cycles"), 100 * 700);
    assert_int_equal(stat_of(m, "io.acknowledge_cycles"), 100 * 901);
    machine_free(m);
}

/* --- tenants ------------------------------------------------------------------------------------------------------ */

#define TENANTS ASSIGNED "vm.count=16 vm.vcpus=1 io.functions=16 machine.memory=4GiB " \
    "workload.accesses=2000 sched.vcpu_quantum=500 "

/* Every tenant's packets come to its own driver, whoever shares the core, and nothing is blocked. */
static const struct way_row tenants[] = {
    {"assigned", "machine.cores=4", 0, 0},
    {"posted", "machine.cores=4 io.attach=posted", 0, 0},
    {"one_core", "machine.cores=1", 0, 0},
    {"one_core_posted", "machine.cores=1 io.attach=posted", 0, 0},
    {"cores_of_their_own", "machine.cores=16", 0, 0},
    {"paravirtual", "machine.cores=4 io.attach=paravirtual", 0, 0},
    {"emulated", "machine.cores=4 io.attach=emulated", 0, 0},
    {"quantum", "machine.cores=4 timing.sync=quantum", 0, 0},
    {"legacy", "machine.cores=4 iommu.mode=legacy", 0, 0},
};

static void tenants_get_their_packets(void **state)
{
    const struct way_row *row = *state;
    char settings[512];
    snprintf(settings, sizeof(settings), "io.packets=1600 %s", row->settings);
    struct machine *m = run_with(TENANTS, settings);
    assert_int_equal(stat_of(m, "io.handled") + stat_of(m, "io.dropped"), 1600);
    for (unsigned i = 0; i < 16; i++) {
        struct nic_counts counts = nic_counts_of(m->io->nic, m->io->drivers[i].function);
        assert_int_equal(counts.received + counts.dropped, 100);
        assert_true(counts.received > 0);
    }
    assert_int_equal(stat_of(m, "io.dma_failed"), 0);
    assert_int_equal(stat_of(m, "iommu.blocked"), 0);
    assert_int_equal(stat_of(m, "iommu.interrupts_blocked"), 0);
    machine_free(m);
}

/*
 * An attack: tenant 0 has its card receive into the memory of tenant 1, at the host-physical address of its buffers. The
 * IOMMU blocks each write and records it; tenant 1's memory stays as it was, and the others' packets go through.
 */
static void a_tenant_cannot_write_to_another(void **state)
{
    (void)state;
    struct machine *m = build_with(TENANTS, "machine.cores=4 io.packets=1600");
    struct io_driver *attacker = &m->io->drivers[0], *victim = &m->io->drivers[1];
    struct nic_descriptor *ring = physmem_pointer(&m->memory, (hv_hpa){attacker->memory.base}, NIC_DESCRIPTOR_BYTES);
    static uint8_t before[1 << 20];
    const uint64_t buffers = victim->memory.base + victim->memory.usable / 2;
    memcpy(before, physmem_pointer(&m->memory, (hv_hpa){buffers}, sizeof(before)), sizeof(before));
    for (unsigned i = 0; i < m->params.dev.ring_entries; i++) {
        ring[i].address = buffers + 4096 * i;
    }
    run_to_the_end(m);
    assert_true(stat_of(m, "io.dma_failed") > 0);
    assert_true(stat_of(m, "iommu.blocked") > 0);
    assert_true(stat_of(m, "iommu.faults_recorded") > 0);
    assert_memory_equal(before, physmem_pointer(&m->memory, (hv_hpa){buffers}, sizeof(before)), sizeof(before));
    /* The card had fetched its first descriptors before the attack. */
    assert_in_range(nic_counts_of(m->io->nic, attacker->function).received, 0, m->params.dev.descriptor_batch);
    for (unsigned i = 1; i < 16; i++) {
        struct nic_counts counts = nic_counts_of(m->io->nic, m->io->drivers[i].function);
        assert_int_equal(counts.received + counts.dropped, 100);
    }
    machine_free(m);
}

/*
 * An attack: tenant 0 programs its card with tenant 1's message, so that its own packets interrupt the other. Source
 * validation blocks and records each; tenant 1 handles no more interrupts than its own card raises.
 */
static void a_tenant_cannot_forge_interrupts(void **state)
{
    (void)state;
    struct machine *m = build_with(TENANTS, "machine.cores=16 io.packets=1600");
    struct io_driver *attacker = &m->io->drivers[0], *victim = &m->io->drivers[1];
    io_set_register(attacker, NIC_MSIX_TABLE, 8, victim->message_address);
    io_set_register(attacker, NIC_MSIX_TABLE + 8, 4, victim->message_data);
    run_to_the_end(m);
    assert_int_equal(stat_of(m, "iommu.interrupts_blocked"),
                     nic_counts_of(m->io->nic, attacker->function).interrupts);
    assert_true(stat_of(m, "iommu.interrupts_blocked") > 0);
    assert_true(stat_of(m, "iommu.faults_recorded") > 0);
    uint64_t own = 0;
    for (unsigned i = 1; i < 16; i++) {
        own += nic_counts_of(m->io->nic, m->io->drivers[i].function).interrupts;
    }
    assert_int_equal(stat_of(m, "io.interrupts_handled"), own);
    machine_free(m);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exits_of_software_devices),
        cmocka_unit_test(notifications_are_batched),
        cmocka_unit_test(forms_are_in_order),
        cmocka_unit_test(an_interrupt_takes_its_parts),
        cmocka_unit_test(a_tenant_cannot_write_to_another),
        cmocka_unit_test(a_tenant_cannot_forge_interrupts),
    };
    struct CMUnitTest way_tests[HV_ARRAY_LEN(ways)], tenant_tests[HV_ARRAY_LEN(tenants)];
    gtest_rows(way_tests, exits_per_interrupt, ways, sizeof(ways[0]), HV_ARRAY_LEN(ways));
    gtest_rows(tenant_tests, tenants_get_their_packets, tenants, sizeof(tenants[0]), HV_ARRAY_LEN(tenants));
    const struct gtest_suite suites[] = {
        GTEST_SUITE("IoGuest", tests), GTEST_SUITE("IoGuestExits", way_tests), GTEST_SUITE("IoTenants", tenant_tests),
    };
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
