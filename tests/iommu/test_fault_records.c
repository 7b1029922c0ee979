/* SPDX-License-Identifier: MIT */
/* Fault recording: what a record holds, which record is next, overflow, fault-processing disable, fault events. */
#include "hardware_lab.h"

#include "iommu/iommu_faults.h"
#include "iommu/iommu_parts.h"

enum { PFO = 1, PPF = 2, RECORDS = 8 };

#define F (UINT64_C(1) << 63)

static struct hardware_lab *make(void)
{
    struct iommu_params params = lab_params();
    struct hardware_lab *lab = hardware_lab_make(&params);
    lab_command(lab, IOMMU_GSTS_TES, true);
    lab_events(lab);
    return lab;
}

static void record(struct hardware_lab *lab, uint16_t source)
{
    struct iommu_fault f = {.source = source, .reason = 5, .access = IOMMU_WRITE, .address = 0x1234567};
    iommu_record_fault(&lab->u, &f, 0);
}

static uint64_t high(struct hardware_lab *lab, unsigned i)
{
    return lab_get64(lab, IOMMU_FRCD_HIGH + 16 * i);
}

static void clear(struct hardware_lab *lab, unsigned i)
{
    lab_put64(lab, IOMMU_FRCD_HIGH + 16 * i, F);
}

/* VT-d "Fault Recording Registers": each field at its place. */
static void fields(void **state)
{
    (void)state;
    static const struct { struct iommu_fault f; uint64_t low, high; } rows[] = {
        {{.source = 0xabcd, .reason = 5, .access = IOMMU_WRITE, .address = UINT64_C(0x123456789abcdef)},
         UINT64_C(0x123456789abc000), F | UINT64_C(5) << 32 | 0xabcd},
        {{.source = 1, .reason = 6, .access = IOMMU_READ}, 0, F | UINT64_C(1) << 62 | UINT64_C(6) << 32 | 1},
        {{.source = 1, .reason = 0x85, .access = IOMMU_WRITE, .type = IOMMU_TRANSLATED, .has_pasid = true,
          .pasid = 0xfedcb},
         0, F | UINT64_C(2) << 60 | UINT64_C(0xfedcb) << 40 | UINT64_C(0x85) << 32 | UINT64_C(1) << 31 | 1},
        {{.source = 1, .reason = 0x82, .access = IOMMU_EXECUTE, .has_pasid = true, .privileged = true},
         0, F | UINT64_C(1) << 62 | UINT64_C(0x82) << 32 | UINT64_C(7) << 29 | 1},
        {{.source = 1, .reason = 0x0d, .access = IOMMU_READ, .type = IOMMU_TRANSLATION_REQUEST},
         0, F | UINT64_C(5) << 60 | UINT64_C(0x0d) << 32 | 1},
        {{.source = 1, .reason = 0x47, .page_request = true, .access = IOMMU_READ, .address = 0x5000},
         0x5000, F | UINT64_C(0x47) << 32 | UINT64_C(1) << 28 | 1},
        /* Without PASID there are neither PASID nor permissions; of an interrupt there is only the index. */
        {{.source = 1, .reason = 5, .access = IOMMU_WRITE, .pasid = 9, .privileged = true}, 0,
         F | UINT64_C(5) << 32 | 1},
        {{.source = 1, .reason = 0x22, .access = IOMMU_READ, .address = UINT64_C(0x1234) << 48},
         UINT64_C(0x1234) << 48, F | UINT64_C(0x22) << 32 | 1},
    };
    struct hardware_lab *lab = make();
    for (unsigned i = 0; i < HV_ARRAY_LEN(rows); i++) {
        iommu_record_fault(&lab->u, &rows[i].f, 0);
        assert_int_equal(lab_get64(lab, IOMMU_FRCD_LOW + 16 * i), rows[i].low);
        assert_int_equal(high(lab, i), rows[i].high);
    }
    hardware_lab_free(lab);
}

/* Records are taken in turn; the first that is pending is in FRI; PPF stays until all are cleared. */
static void order(void **state)
{
    (void)state;
    struct hardware_lab *lab = make();
    for (uint16_t i = 0; i < 3; i++) {
        record(lab, i);
        assert_int_equal(lab_get32(lab, IOMMU_FSTS), PPF); /* FRI 0 */
        assert_int_equal(high(lab, i) & 0xffff, i);
    }
    clear(lab, 0);
    clear(lab, 2);
    assert_int_equal(lab_get32(lab, IOMMU_FSTS), PPF);
    assert_int_equal(high(lab, 0), UINT64_C(5) << 32); /* F alone is cleared */
    clear(lab, 1);
    assert_int_equal(lab_get32(lab, IOMMU_FSTS), 0);
    record(lab, 3);
    assert_int_equal(lab_get32(lab, IOMMU_FSTS), PPF | 3 << 8);
    hardware_lab_free(lab);
}

/* The ninth fault finds record 0 taken: PFO, and nothing is recorded until software clears it. */
static void overflow(void **state)
{
    (void)state;
    struct hardware_lab *lab = make();
    for (uint16_t i = 0; i < RECORDS + 2; i++) {
        record(lab, i);
    }
    assert_int_equal(lab_get32(lab, IOMMU_FSTS), PFO | PPF);
    for (unsigned i = 0; i < RECORDS; i++) {
        assert_int_equal(high(lab, i) & 0xffff, i); /* the first eight are kept */
        clear(lab, i);
    }
    assert_int_equal(lab_get32(lab, IOMMU_FSTS), PFO);
    record(lab, 100); /* records are free, but PFO is set */
    assert_int_equal(high(lab, 0) & F, 0);
    lab_put32(lab, IOMMU_FSTS, PFO);
    assert_int_equal(lab_get32(lab, IOMMU_FSTS), 0);
    record(lab, 101);
    assert_int_equal(high(lab, 0), F | UINT64_C(5) << 32 | 101);
    assert_int_equal(lab->u.stats.faults, RECORDS + 4);
    assert_int_equal(lab->u.stats.faults_recorded, RECORDS + 1);
    assert_int_equal(lab->u.stats.faults_overflowed, 3);
    hardware_lab_free(lab);
}

/* PPF cannot be cleared by writing FSTS. */
static void pending_is_an_or(void **state)
{
    (void)state;
    struct hardware_lab *lab = make();
    record(lab, 1);
    lab_put32(lab, IOMMU_FSTS, 0xffffffff);
    assert_int_equal(lab_get32(lab, IOMMU_FSTS), PPF);
    hardware_lab_free(lab);
}

/* FPD keeps qualified faults from being recorded, and no others. Of every reason. */
static void fault_processing_disable(void **state)
{
    (void)state;
    for (size_t i = 0; i < iommu_fault_count; i++) {
        struct hardware_lab *lab = make();
        struct iommu_fault f = {.source = 7, .reason = iommu_fault_rows[i].number, .disabled = true};
        iommu_record_fault(&lab->u, &f, 0);
        assert_int_equal((high(lab, 0) & F) == 0, iommu_fault_rows[i].qualified);
        assert_int_equal(lab->u.stats.faults_suppressed, iommu_fault_rows[i].qualified);
        assert_int_equal(lab->u.stats.faults, 1);
        hardware_lab_free(lab);
    }
}

/* One event for the first fault; the next when all reasons were served. */
static void events(void **state)
{
    (void)state;
    struct hardware_lab *lab = make();
    record(lab, 1);
    assert_int_equal(lab->msis, 1);
    assert_int_equal(lab->msi[0].address, 0xfee00000);
    assert_int_equal(lab->msi[0].data, 0x41);
    record(lab, 2);
    for (unsigned i = 0; i < RECORDS; i++) {
        record(lab, 3); /* overflow: PPF is set already, so no event */
    }
    assert_int_equal(lab->msis, 1);
    for (unsigned i = 0; i < RECORDS; i++) {
        clear(lab, i);
    }
    lab_put32(lab, IOMMU_FSTS, PFO);
    record(lab, 4);
    assert_int_equal(lab->msis, 2);
    hardware_lab_free(lab);
}

/* IM holds the event back (IP), and it is sent when software unmasks, or forgotten when software has served it. */
static void masked_events(void **state)
{
    (void)state;
    struct hardware_lab *lab = make();
    lab_put32(lab, IOMMU_FEUADDR, 0x12);
    lab_put32(lab, IOMMU_FECTL, 1u << 31);
    record(lab, 1);
    assert_int_equal(lab->msis, 0);
    assert_int_equal(lab_get32(lab, IOMMU_FECTL), 3u << 30);
    lab_put32(lab, IOMMU_FECTL, 0);
    assert_int_equal(lab->msis, 1);
    assert_int_equal(lab->msi[0].address, UINT64_C(0x12fee00000));
    assert_int_equal(lab_get32(lab, IOMMU_FECTL), 0);
    lab_put32(lab, IOMMU_FECTL, 0); /* nothing pending: nothing sent */
    assert_int_equal(lab->msis, 1);
    clear(lab, 0);
    lab_put32(lab, IOMMU_FECTL, 1u << 31);
    record(lab, 2);
    clear(lab, 1);
    assert_int_equal(lab_get32(lab, IOMMU_FECTL), 1u << 31); /* IP went with PPF */
    lab_put32(lab, IOMMU_FECTL, 0);
    assert_int_equal(lab->msis, 1);
    hardware_lab_free(lab);
}

/* The index of the next record goes back to 0 when neither translation nor interrupt remapping is on. */
static void index_is_reset(void **state)
{
    (void)state;
    struct hardware_lab *lab = make();
    lab_command(lab, IOMMU_GSTS_IRES, true);
    record(lab, 1);
    clear(lab, 0);
    lab_command(lab, IOMMU_GSTS_TES, false); /* interrupts are still remapped */
    record(lab, 2);
    assert_true((high(lab, 1) & F) != 0);
    clear(lab, 1);
    lab_command(lab, IOMMU_GSTS_IRES, false);
    record(lab, 3);
    assert_int_equal(high(lab, 0) & 0xffff, 3);
    hardware_lab_free(lab);
}

/* A single record serves as well. */
static void one_record(void **state)
{
    (void)state;
    struct iommu_params params = lab_params();
    params.fault_records = 1;
    struct hardware_lab *lab = hardware_lab_make(&params);
    record(lab, 1);
    record(lab, 2);
    assert_int_equal(lab_get32(lab, IOMMU_FSTS), PFO | PPF);
    assert_int_equal(high(lab, 0) & 0xffff, 1);
    lab_put32(lab, IOMMU_FSTS, PFO);
    clear(lab, 0);
    record(lab, 3);
    assert_int_equal(high(lab, 0) & 0xffff, 3);
    hardware_lab_free(lab);
}

GTEST_MAIN("IommuFaultRecords", cmocka_unit_test(fields), cmocka_unit_test(order), cmocka_unit_test(overflow),
           cmocka_unit_test(pending_is_an_or), cmocka_unit_test(fault_processing_disable), cmocka_unit_test(events),
           cmocka_unit_test(masked_events), cmocka_unit_test(index_is_reset), cmocka_unit_test(one_record))
