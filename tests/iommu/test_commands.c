/* SPDX-License-Identifier: MIT */
/* GCMD with GSTS, and the register-based invalidations. */
#include "hardware_lab.h"

#define ICC (UINT64_C(1) << 63)

static struct hardware_lab *make_default(void)
{
    struct iommu_params params = lab_params();
    return hardware_lab_make(&params);
}

/* Each command alone: GSTS shows it, the others stay. */
static void global_commands(void **state)
{
    (void)state;
    static const uint32_t switches[] = {IOMMU_GSTS_TES, IOMMU_GSTS_QIES, IOMMU_GSTS_IRES, IOMMU_GSTS_CFIS};
    struct hardware_lab *lab = make_default();
    uint32_t expected = 0;
    for (size_t i = 0; i < HV_ARRAY_LEN(switches); i++) {
        lab_command(lab, switches[i], true);
        expected |= switches[i];
        assert_int_equal(lab_get32(lab, IOMMU_GSTS), expected);
    }
    lab_command(lab, IOMMU_GSTS_RTPS, true);
    lab_command(lab, IOMMU_GSTS_IRTPS, true);
    expected |= IOMMU_GSTS_RTPS | IOMMU_GSTS_IRTPS; /* stay set: the commands are done */
    assert_int_equal(lab_get32(lab, IOMMU_GSTS), expected);
    for (size_t i = 0; i < HV_ARRAY_LEN(switches); i++) {
        lab_command(lab, switches[i], false);
        expected &= ~switches[i];
        assert_int_equal(lab_get32(lab, IOMMU_GSTS), expected);
    }
    assert_int_equal(lab_get32(lab, IOMMU_GCMD), 0);
    hardware_lab_free(lab);
}

/* Fault log (SFL, EAFL) and write-buffer flush are not offered, and what is absent is not switched on. */
static void absent_commands(void **state)
{
    (void)state;
    struct iommu_params params = lab_params();
    params.queued_invalidation = params.interrupt_remapping = false;
    struct hardware_lab *lab = hardware_lab_make(&params);
    lab_put32(lab, IOMMU_GCMD, 0x3fffffff); /* all but TE and SRTP */
    assert_int_equal(lab_get32(lab, IOMMU_GSTS), 0);
    hardware_lab_free(lab);
    lab = make_default();
    lab_put32(lab, IOMMU_GCMD, 7u << 27);
    assert_int_equal(lab_get32(lab, IOMMU_GSTS), 0);
    hardware_lab_free(lab);
}

/* RTADDR and IRTA count only from the command on. */
static void pointers_are_latched(void **state)
{
    (void)state;
    struct hardware_lab *lab = make_default();
    lab_put64(lab, IOMMU_RTADDR, 0x123000 | 1 << 10);
    lab_put64(lab, IOMMU_IRTA, 0x456000 | 1 << 11 | 7);
    assert_int_equal(lab->u.regs.root_table, 0);
    assert_int_equal(lab->u.regs.interrupt_entries, 0);
    lab_command(lab, IOMMU_GSTS_RTPS, true);
    lab_command(lab, IOMMU_GSTS_IRTPS, true);
    lab_put64(lab, IOMMU_RTADDR, 0);
    lab_put64(lab, IOMMU_IRTA, 0);
    assert_int_equal(lab->u.regs.root_table, 0x123000);
    assert_int_equal(lab->u.regs.table_mode, IOMMU_SCALABLE);
    assert_int_equal(lab->u.regs.interrupt_table, 0x456000);
    assert_int_equal(lab->u.regs.interrupt_entries, 256); /* 2^(7 + 1) */
    assert_true(lab->u.regs.extended_interrupts);
    hardware_lab_free(lab);
}

/* ICC with each granularity: done at what was asked, 00 ignored; busy for exactly iommu.invalidation_cycles. */
static void context_command(void **state)
{
    (void)state;
    struct hardware_lab *lab = make_default();
    for (uint64_t granularity = 0; granularity < 4; granularity++) {
        hv_cycles now = 10000 * (granularity + 1);
        uint64_t before = lab->u.stats.invalidations_context;
        iommu_write(&lab->u, IOMMU_CCMD, 8, ICC | granularity << 61 | 0x00080005, now);
        uint64_t done = granularity == 0 ? now : now + LAB_INVALIDATION_CYCLES;
        if (granularity != 0) {
            assert_true((iommu_read(&lab->u, IOMMU_CCMD, 8, done - 1) & ICC) != 0);
            assert_true((iommu_read(&lab->u, IOMMU_CCMD + 4, 4, done - 1) & 0x80000000) != 0);
            assert_int_equal(iommu_busy_until(&lab->u), done);
        }
        uint64_t value = iommu_read(&lab->u, IOMMU_CCMD, 8, done);
        assert_true((value & ICC) == 0);
        assert_int_equal(value >> 59 & 3, granularity);
        assert_int_equal(lab->u.stats.invalidations_context - before, granularity != 0);
    }
    hardware_lab_free(lab);
}

/* While ICC is set, software must leave the register alone: what it writes is ignored. */
static void one_command_at_a_time(void **state)
{
    (void)state;
    struct hardware_lab *lab = make_default();
    iommu_write(&lab->u, IOMMU_CCMD, 8, ICC | UINT64_C(1) << 61, 0);
    iommu_write(&lab->u, IOMMU_CCMD, 8, ICC | UINT64_C(2) << 61 | 7, LAB_INVALIDATION_CYCLES - 1);
    assert_int_equal(lab->u.stats.invalidations_context, 1);
    uint64_t first = iommu_read(&lab->u, IOMMU_CCMD, 8, LAB_INVALIDATION_CYCLES);
    assert_int_equal(first, UINT64_C(1) << 61 | UINT64_C(1) << 59);
    iommu_write(&lab->u, IOMMU_CCMD, 8, ICC | UINT64_C(2) << 61 | 7, LAB_INVALIDATION_CYCLES);
    assert_int_equal(lab->u.stats.invalidations_context, 2);
    iommu_write(&lab->u, IOMMU_IOTLB, 8, ICC | UINT64_C(1) << 60, 5000);
    iommu_write(&lab->u, IOMMU_IOTLB, 8, ICC | UINT64_C(1) << 60, 5000 + LAB_INVALIDATION_CYCLES - 1);
    assert_int_equal(lab->u.stats.invalidations_iotlb, 1);
    /* The two commands share the hardware: one after the other. */
    iommu_write(&lab->u, IOMMU_CCMD, 8, ICC | UINT64_C(1) << 61, 5100);
    assert_int_equal(iommu_busy_until(&lab->u), 5000 + 2 * LAB_INVALIDATION_CYCLES);
    /* A command of another core that is simulated later, but comes before them, does not wait for them. */
    iommu_write(&lab->u, IOMMU_IOTLB, 8, ICC | UINT64_C(1) << 60, 100000);
    iommu_write(&lab->u, IOMMU_CCMD, 8, ICC | UINT64_C(1) << 61, 50000);
    assert_int_equal(iommu_busy_until(&lab->u), 50000 + LAB_INVALIDATION_CYCLES);
    hardware_lab_free(lab);
}

/* The lower half alone is no command; the upper half takes its operands from both. */
static void command_by_halves(void **state)
{
    (void)state;
    struct hardware_lab *lab = make_default();
    lab_put32(lab, IOMMU_CCMD, 0x00080005);
    assert_int_equal(lab->u.stats.invalidations_context, 0);
    lab_put32(lab, IOMMU_CCMD + 4, 1u << 31 | 2u << 29);
    assert_int_equal(lab->u.stats.invalidations_context, 1);
    assert_int_equal(lab_get64(lab, IOMMU_CCMD), UINT64_C(2) << 61 | UINT64_C(2) << 59 | 0x00080005);
    hardware_lab_free(lab);
}

static void iotlb_command(void **state)
{
    (void)state;
    static const struct { uint64_t granularity, address; bool done; } rows[] = {
        {0, 0, false}, {1, 0, true}, {2, 0, true}, {3, 0x5000, true}, {3, 0x5000 | 1 << 6, true},
        {3, 18, true}, {3, 19, false}, {3, 63, false}, {2, 63, true}, /* AM is of page-selective ones only */
    };
    struct hardware_lab *lab = make_default();
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        uint64_t before = lab->u.stats.invalidations_iotlb;
        lab_put64(lab, IOMMU_IVA, rows[i].address);
        lab_put64(lab, IOMMU_IOTLB, ICC | rows[i].granularity << 60 | UINT64_C(3) << 48 | UINT64_C(9) << 32);
        uint64_t value = lab_get64(lab, IOMMU_IOTLB);
        assert_true((value & ICC) == 0);
        assert_int_equal(value >> 57 & 3, rows[i].done ? rows[i].granularity : 0);
        assert_int_equal(lab->u.stats.invalidations_iotlb - before, rows[i].done);
    }
    hardware_lab_free(lab);
}

/* Once the queue is on, or the tables are scalable, the registers invalidate nothing and say so (CAIG, IAIG 00). */
static void registers_give_way(void **state)
{
    (void)state;
    for (int scalable = 0; scalable < 2; scalable++) {
        struct hardware_lab *lab = make_default();
        if (scalable) {
            lab_table_mode(lab, IOMMU_SCALABLE);
        } else {
            lab_queue(lab, false);
        }
        lab_put64(lab, IOMMU_CCMD, ICC | UINT64_C(1) << 61);
        lab_put64(lab, IOMMU_IOTLB, ICC | UINT64_C(1) << 60);
        assert_int_equal(lab_get64(lab, IOMMU_CCMD), UINT64_C(1) << 61);
        assert_int_equal(lab_get64(lab, IOMMU_IOTLB), UINT64_C(1) << 60);
        assert_int_equal(lab->u.stats.invalidations_context + lab->u.stats.invalidations_iotlb, 0);
        hardware_lab_free(lab);
    }
}

GTEST_MAIN("IommuCommands", cmocka_unit_test(global_commands), cmocka_unit_test(absent_commands),
           cmocka_unit_test(pointers_are_latched), cmocka_unit_test(context_command),
           cmocka_unit_test(one_command_at_a_time), cmocka_unit_test(command_by_halves),
           cmocka_unit_test(iotlb_command), cmocka_unit_test(registers_give_way))
