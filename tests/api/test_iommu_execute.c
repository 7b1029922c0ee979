/* SPDX-License-Identifier: MIT */
/* Requests to execute, which devices make with a PASID: what the first stage and the PASID-table entry say of them. */
#include <string.h>

#include "rig.h"

enum { CARD = 0x0300, PAGE = 4096, DENYING = 1, ALLOWING = 2 /* PASIDs */ };

#define CODE UINT64_C(0x10000) /* a page to execute; the next one has XD */
#define XD (UINT64_C(1) << 63)

enum { P_RW_US_A = 0x27, FIRST_STAGE = 1 << 6, ERE = 2, NXE = 1 << 5 };

struct scene {
    struct hv_machine *machine;
    struct hv_cpu *cpu;
    uint64_t code;
};

static void put(struct scene *s, uint64_t hpa, uint64_t word)
{
    assert_true(hv_write(s->machine, hpa, &word, sizeof(word)));
}

/* Two PASIDs of one first stage of 4 levels: one whose entry lets nobody execute, one that heeds XD. */
static void make_tables(struct scene *s)
{
    uint64_t root = hv_pages(s->machine, 8), context = root + PAGE, directory = root + 2 * PAGE,
             pasids = root + 3 * PAGE, table = root + 4 * PAGE;
    put(s, root + 16 * (CARD >> 8), context | 1);
    put(s, context + 32 * (CARD & 255), directory | 1 | 1 << 2 | 1 << 3); /* DTE, PASIDE */
    put(s, directory, pasids | 1);
    for (unsigned pasid = DENYING; pasid <= ALLOWING; pasid++) {
        put(s, pasids + 64 * pasid, 1 | FIRST_STAGE);
        put(s, pasids + 64 * pasid + 8, 9);
        put(s, pasids + 64 * pasid + 16, table | (pasid == ALLOWING ? ERE | NXE : 0));
    }
    for (unsigned level = 0; level < 3; level++) {
        put(s, table + level * PAGE, (table + (level + 1) * PAGE) | P_RW_US_A);
    }
    put(s, table + 3 * PAGE + 8 * (CODE / PAGE), s->code | P_RW_US_A);
    put(s, table + 3 * PAGE + 8 * (CODE / PAGE) + 8, s->code | P_RW_US_A | XD);
    hv_iommu_write(s->cpu, HV_IOMMU_RTADDR, 8, root | 1 << 10);
    hv_iommu_write(s->cpu, HV_IOMMU_GCMD, 4, UINT32_C(1) << 30);
    hv_iommu_write(s->cpu, HV_IOMMU_GCMD, 4, UINT32_C(1) << 31);
}

static struct scene begin(void)
{
    char error[HV_ERROR_BYTES] = "";
    struct scene s = {.machine = rig_machine()};
    s.cpu = hv_machine_cpu(s.machine, 0);
    s.code = hv_pages(s.machine, 1);
    assert_true(hv_iommu_attach(s.machine, error));
    make_tables(&s);
    return s;
}

static struct hv_dma_reply fetch(struct scene *s, uint32_t pasid, uint64_t address, void *data)
{
    struct hv_dma dma = {
        .source = CARD, .has_pasid = true, .execute = true, .pasid = pasid, .address = address, .data = data,
        .bytes = 8,
    };
    return hv_dma(s->cpu, &dma);
}

/* A fetch moves what a read would; XD and a clear ERE forbid it, and the record says what was asked (EXE, PP). */
static void fetches(void **state)
{
    (void)state;
    static const struct { uint32_t pasid; uint64_t address; uint8_t fault; } rows[] = {
        {ALLOWING, CODE, 0}, {ALLOWING, CODE + PAGE, HV_FAULT_SGN_3}, {DENYING, CODE, HV_FAULT_SPT_5},
    };
    for (size_t i = 0; i < RIG_COUNT(rows); i++) {
        struct scene s = begin();
        uint64_t word = 0;
        put(&s, s.code, 0x1234);
        struct hv_dma_reply r = fetch(&s, rows[i].pasid, rows[i].address, &word);
        assert_int_equal(r.fault, rows[i].fault);
        assert_int_equal(r.ok, rows[i].fault == 0);
        assert_int_equal(word, r.ok ? 0x1234 : 0);
        uint64_t record = hv_iommu_read(s.cpu, HV_IOMMU_FRCD_HIGH, 8);
        assert_int_equal(record >> 32 & 0xff, rows[i].fault);
        assert_int_equal(record >> 30 & 3, r.ok ? 0 : 3);
        hv_machine_free(s.machine);
    }
}

/*
 * What may not be executed may be read, but where NXE is clear, XD is a reserved bit. Without a PASID nobody can tell a
 * fetch from a read.
 */
static void reads(void **state)
{
    (void)state;
    static const struct { uint32_t pasid; uint64_t address; uint8_t fault; } rows[] = {
        {ALLOWING, CODE, 0}, {ALLOWING, CODE + PAGE, 0}, {DENYING, CODE, 0}, {DENYING, CODE + PAGE, HV_FAULT_SFS_3},
    };
    struct scene s = begin();
    for (size_t i = 0; i < RIG_COUNT(rows); i++) {
        struct hv_dma dma = {
            .source = CARD, .has_pasid = true, .pasid = rows[i].pasid, .address = rows[i].address, .bytes = 8,
        };
        assert_int_equal(hv_dma(s.cpu, &dma).fault, rows[i].fault);
    }
    struct hv_dma plain = {.source = CARD, .execute = true, .address = CODE, .bytes = 8};
    assert_int_equal(hv_dma(s.cpu, &plain).fault, HV_FAULT_SPT_2); /* RID_PASID has no entry: not SPT.5 */
    hv_machine_free(s.machine);
}

/* A translation request to execute is told whether it may. */
static void translations(void **state)
{
    (void)state;
    struct scene s = begin();
    struct hv_dma dma = {
        .source = CARD, .has_pasid = true, .execute = true, .pasid = ALLOWING, .address = CODE,
        .type = HV_DMA_TRANSLATION_REQUEST,
    };
    struct hv_dma_reply r = hv_dma(s.cpu, &dma);
    assert_true(r.ok && r.may_read && r.may_execute);
    dma.address = CODE + PAGE;
    r = hv_dma(s.cpu, &dma);
    assert_true(r.ok && !r.may_execute);
    hv_machine_free(s.machine);
}

GTEST_MAIN("ApiIommuExecute", cmocka_unit_test(fetches), cmocka_unit_test(reads), cmocka_unit_test(translations))
