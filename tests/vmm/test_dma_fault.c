/* SPDX-License-Identifier: MIT */
/* The handler of the IOMMU's fault event: what it programs, what it reads of a record, that nothing stays behind. */
#include "dma_rig.h"

#include "gtest.h"

#include <string.h>

#include "vmm/dma_fault.h"

#define UNMAPPED UINT64_C(0x123456000)

static struct dma_rig start(unsigned records)
{
    struct dma_rig r;
    memset(&r, 0, sizeof(r));
    dma_rig_init(&r);
    r.hardware.fault_records = records;
    return r;
}

static void attach(struct dma_rig *r)
{
    const struct dma_rig_setup setup = {.mode = DMA_SECOND, .levels = 4, .page = HV_PAGE_4K, .policy = DMA_STRICT};
    dma_rig_start(r, DMA_SECOND);
    dma_rig_attach(r, &setup);
}

static void miss(struct dma_rig *r, unsigned page)
{
    uint64_t address = UNMAPPED + page * HV_PAGE_BYTES;
    assert_int_equal(dma_rig_access(r, DMA_RIG_SOURCE, address, IOMMU_WRITE), UINT64_MAX);
}

/* "Remapping Hardware Event Interrupt Programming", both halves of the destination. */
static void message(void **state)
{
    (void)state;
    struct dma_rig r = start(8);
    attach(&r);
    dma_fault_route(&r.unit, 0xe1, 0x12345678, r.now);
    assert_int_equal(iommu_read(r.iommu, 0x3c, 4, 0), 0xe1);
    assert_int_equal(iommu_read(r.iommu, 0x40, 4, 0), 0xfee78000);
    assert_int_equal(iommu_read(r.iommu, 0x44, 4, 0), 0x12345600);
    assert_int_equal(iommu_read(r.iommu, 0x38, 4, 0), 0);
    dma_rig_fini(&r);
}

/* Two faults after the records have gone round once: what they say, and that the status is clear behind them. */
static void records(void **state)
{
    (void)state;
    struct dma_rig r = start(3);
    attach(&r);
    struct dma_fault fault;
    for (unsigned round = 0; round < 5; round++) {
        miss(&r, 2 * round);
        miss(&r, 2 * round + 1);
        unsigned record = dma_fault_begin(&r.unit, r.now);
        assert_int_equal(record, 2 * round % 3);
        for (unsigned i = 0; i < 2; i++) {
            assert_true(dma_fault_next(&r.unit, &record, &fault, r.now));
            assert_int_equal(fault.source, DMA_RIG_SOURCE);
            assert_int_equal(fault.reason, 0x79);
            assert_int_equal(fault.address, UNMAPPED + (2 * round + i) * HV_PAGE_BYTES);
        }
        assert_false(dma_fault_next(&r.unit, &record, &fault, r.now));
        assert_false(dma_fault_is_lost(&r.unit, r.now));
        assert_int_equal(iommu_read(r.iommu, 0x34, 4, 0) & 3, 0);
    }
    assert_int_equal(r.unit.stats.fault_records, 10);
    assert_int_equal(r.unit.stats.fault_overflows, 0);
    dma_rig_fini(&r);
}

/* Four faults for three records: the fourth is lost, and so is a fifth until the overflow is cleared. */
static void overflow(void **state)
{
    (void)state;
    struct dma_rig r = start(3);
    attach(&r);
    struct dma_fault fault;
    for (unsigned page = 0; page < 4; page++) {
        miss(&r, page);
    }
    unsigned record = dma_fault_begin(&r.unit, r.now);
    for (unsigned page = 0; page < 3; page++) {
        assert_true(dma_fault_next(&r.unit, &record, &fault, r.now));
        assert_int_equal(fault.address, UNMAPPED + page * HV_PAGE_BYTES);
    }
    assert_false(dma_fault_next(&r.unit, &record, &fault, r.now));
    miss(&r, 4);
    assert_int_equal(r.iommu->stats.faults_overflowed, 2);
    assert_true(dma_fault_is_lost(&r.unit, r.now));
    dma_fault_go_on(&r.unit, r.now);
    assert_false(dma_fault_is_lost(&r.unit, r.now));
    assert_int_equal(r.unit.stats.fault_overflows, 1);
    miss(&r, 5);
    assert_int_equal(r.iommu->stats.faults_recorded, 4);
    assert_int_equal(iommu_read(r.iommu, 0x34, 4, 0) & 3, IOMMU_FSTS_PPF);
    dma_rig_fini(&r);
}

GTEST_MAIN("DmaFault", cmocka_unit_test(message), cmocka_unit_test(records), cmocka_unit_test(overflow))
