/* SPDX-License-Identifier: MIT */
/* Translation requests and translated requests of devices with a TLB of their own (VT-d chapter 4). */
#include "iommu/dma_lab.h"

enum { SOURCE = 0x0500, PASID = 3 };

#define IOVA UINT64_C(0x0000001040200000)
#define PAGE HV_GIB(1)

static struct iommu_request ats(uint64_t address)
{
    struct iommu_request r = dma_request(SOURCE, address, IOMMU_READ);
    r.type = IOMMU_TRANSLATION_REQUEST;
    return r;
}

static struct dma_lab *legacy_lab(struct dma_tables *second, enum iommu_translation_type type)
{
    struct iommu_params params = dma_cached_params(16);
    struct dma_lab *lab = dma_lab_new(&params, IOMMU_LEGACY);
    *second = dma_second_tables(lab, 4);
    dma_attach(lab, SOURCE, 7, second);
    uint64_t context = dma_context_entry(lab, SOURCE);
    dma_poke(lab, context, dma_peek(lab, context) | (uint64_t)type << IOMMU_CONTEXT_TT_SHIFT);
    return lab;
}

/* What is granted follows the page's rights, and "no write" asks for less. */
static void rights(void **state)
{
    (void)state;
    static const struct { uint64_t bits; bool no_write, read, write; } rows[] = {
        {3, false, true, true}, {3, true, true, false}, {1, false, true, false}, {2, false, false, true},
        {2, true, false, false}, {0, false, false, false},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct dma_tables second;
        struct dma_lab *lab = legacy_lab(&second, IOMMU_TT_DEVICE_TLB);
        second.leaf_bits = rows[i].bits;
        dma_map(&second, IOVA, PAGE, HV_PAGE_4K);
        struct iommu_request r = ats(IOVA + 8);
        r.no_write = rows[i].no_write;
        struct iommu_reply reply = dma_send(lab, &r);
        assert_true(reply.ok);
        assert_int_equal(reply.read, rows[i].read);
        assert_int_equal(reply.write, rows[i].write);
        assert_false(reply.execute);
        if (reply.read || reply.write) {
            assert_int_equal(reply.address, PAGE + 8);
        }
        assert_int_equal(reply.size_shift, 12);
        assert_int_equal(lab->u->stats.faults, 0);
        assert_int_equal(lab->u->stats.blocked, 0);
        dma_lab_free(lab);
    }
}

static void page_sizes(void **state)
{
    (void)state;
    for (unsigned size = HV_PAGE_4K; size < HV_PAGE_SIZES; size++) {
        struct dma_tables second;
        struct dma_lab *lab = legacy_lab(&second, IOMMU_TT_DEVICE_TLB);
        dma_map(&second, IOVA & ~(hv_page_bytes(size) - 1), PAGE, size);
        struct iommu_request r = ats(IOVA);
        struct iommu_reply reply = dma_send(lab, &r);
        assert_true(reply.ok && reply.read && reply.write);
        assert_int_equal(reply.size_shift, 12 + 9 * size);
        dma_lab_free(lab);
    }
}

/* A dirty flag that is clear is set when writing is asked for, and not when it is not. */
static void dirty_flag(void **state)
{
    (void)state;
    for (unsigned no_write = 0; no_write < 2; no_write++) {
        struct iommu_params params = dma_cached_params(16);
        struct dma_lab *lab = dma_lab_new(&params, IOMMU_SCALABLE);
        struct dma_tables first = dma_first_tables(lab, 4);
        first.leaf_bits = 7;
        dma_map(&first, IOVA, PAGE, HV_PAGE_4K);
        dma_attach_pasid(lab, SOURCE, PASID, 7, &first, NULL);
        struct iommu_request r = dma_pasid_request(SOURCE, PASID, IOVA, IOMMU_READ);
        r.type = IOMMU_TRANSLATION_REQUEST;
        r.no_write = no_write != 0;
        struct iommu_reply reply = dma_send(lab, &r);
        assert_true(reply.ok && reply.read);
        assert_int_equal(reply.write, no_write == 0);
        assert_int_equal(dma_peek(lab, dma_entry(&first, IOVA, 1)) >> 6 & 1, no_write == 0);
        dma_lab_free(lab);
    }
}

/* Execute permission is told to who asks for it. */
static void execute(void **state)
{
    (void)state;
    struct iommu_params params = dma_cached_params(16);
    struct dma_lab *lab = dma_lab_new(&params, IOMMU_SCALABLE);
    struct dma_tables first = dma_first_tables(lab, 4);
    dma_map(&first, IOVA, PAGE, HV_PAGE_4K);
    dma_map(&first, IOVA + HV_PAGE_BYTES, PAGE | UINT64_C(1) << 63, HV_PAGE_4K);
    dma_attach_pasid(lab, SOURCE, PASID, 7, &first, NULL);
    uint64_t word2 = dma_pasid_entry(lab, SOURCE, PASID) + 16;
    dma_poke(lab, word2, dma_peek(lab, word2) | IOMMU_PASID_ERE | IOMMU_PASID_NXE);
    for (unsigned page = 0; page < 2; page++) {
        struct iommu_request r = dma_pasid_request(SOURCE, PASID, IOVA + page * HV_PAGE_BYTES, IOMMU_EXECUTE);
        r.type = IOMMU_TRANSLATION_REQUEST;
        struct iommu_reply reply = dma_send(lab, &r);
        assert_true(reply.ok && reply.read);
        assert_int_equal(reply.execute, page == 0);
    }
    dma_lab_free(lab);
}

/* Only errors of the tables are faults: answered with UR or CA, and recorded. */
static void errors(void **state)
{
    (void)state;
    static const struct { unsigned level; uint64_t entry; uint8_t fault; } rows[] = {
        {1, 0, 0}, {3, 0, 0}, {1, PAGE | 3 | UINT64_C(1) << 50, 0x0c}, {3, DMA_BEYOND | 3, 0x07},
        {1, UINT64_C(0xfee00000) | 3, 0x0e},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct dma_tables second;
        struct dma_lab *lab = legacy_lab(&second, IOMMU_TT_DEVICE_TLB);
        dma_map(&second, IOVA, PAGE, HV_PAGE_4K);
        dma_poke(lab, dma_entry(&second, IOVA, rows[i].level), rows[i].entry);
        struct iommu_request r = ats(IOVA);
        struct iommu_reply reply = dma_send(lab, &r);
        assert_int_equal(reply.ok, rows[i].fault == 0);
        assert_int_equal(reply.fault, rows[i].fault);
        assert_false(reply.read || reply.write);
        assert_int_equal(lab->u->stats.faults_recorded, rows[i].fault != 0);
        dma_lab_free(lab);
    }
}

/* Who may ask: context entries of type 01 in legacy mode. */
static void who_may_ask(void **state)
{
    (void)state;
    struct dma_tables second;
    struct dma_lab *lab = legacy_lab(&second, IOMMU_TT_UNTRANSLATED);
    struct iommu_request r = ats(IOVA);
    dma_expect_fault(lab, &r, 0x0d);
    r.type = IOMMU_TRANSLATED;
    dma_expect_fault(lab, &r, 0x0d);
    dma_lab_free(lab);
}

static void not_with_translation_off(void **state)
{
    (void)state;
    struct dma_tables second;
    struct dma_lab *lab = legacy_lab(&second, IOMMU_TT_DEVICE_TLB);
    dma_program(lab, IOMMU_LEGACY, false);
    for (unsigned type = IOMMU_TRANSLATION_REQUEST; type <= IOMMU_TRANSLATED; type++) {
        struct iommu_request r = ats(IOVA);
        r.type = (enum iommu_address_type)type;
        dma_expect_fault(lab, &r, 0);
    }
    dma_lab_free(lab);
}

/* A translated address goes through as it is, with no look at paging structures; but not to interrupts, or too far. */
static void translated(void **state)
{
    (void)state;
    struct dma_tables second;
    struct dma_lab *lab = legacy_lab(&second, IOMMU_TT_DEVICE_TLB);
    struct iommu_request r = dma_request(SOURCE, HV_GIB(9) + 8, IOMMU_WRITE);
    r.type = IOMMU_TRANSLATED;
    dma_expect(lab, &r, HV_GIB(9) + 8);
    assert_int_equal(lab->u->stats.walks, 0);
    assert_int_equal(lab->u->stats.translated_requests, 1);
    r.address = UINT64_C(0xfee00000);
    dma_expect_fault(lab, &r, 0x0e);
    r.address = UINT64_C(1) << 46;
    dma_expect_fault(lab, &r, 0x04);
    dma_lab_free(lab);
}

/* Pass-through PASIDs grant the address itself. */
static void passthrough(void **state)
{
    (void)state;
    struct iommu_params params = dma_cached_params(16);
    struct dma_lab *lab = dma_lab_new(&params, IOMMU_SCALABLE);
    dma_attach_pasid(lab, SOURCE, 0, 7, NULL, NULL);
    struct iommu_request r = ats(HV_GIB(2));
    struct iommu_reply reply = dma_send(lab, &r);
    assert_true(reply.ok && reply.read && reply.write);
    assert_int_equal(reply.address, HV_GIB(2));
    dma_lab_free(lab);
}

/* Protected memory regions do not stop what is translated, but pass-through and translated requests. */
static void protected_memory(void **state)
{
    (void)state;
    struct dma_tables second;
    struct dma_lab *lab = legacy_lab(&second, IOMMU_TT_DEVICE_TLB);
    dma_map(&second, IOVA, HV_MIB(16), HV_PAGE_4K);
    iommu_write(lab->u, IOMMU_PLMBASE, 4, HV_MIB(16), 0);
    iommu_write(lab->u, IOMMU_PLMLIMIT, 4, HV_MIB(17), 0);
    iommu_write(lab->u, IOMMU_PMEN, 4, IOMMU_PMEN_EPM, 0);
    struct iommu_request r = dma_request(SOURCE, IOVA, IOMMU_WRITE);
    dma_expect(lab, &r, HV_MIB(16));
    r.type = IOMMU_TRANSLATED;
    r.address = HV_MIB(16);
    dma_expect_fault(lab, &r, 0);
    r.address = HV_MIB(18);
    dma_expect(lab, &r, HV_MIB(18));
    dma_program(lab, IOMMU_LEGACY, false);
    r.type = IOMMU_UNTRANSLATED;
    r.address = HV_MIB(17);
    dma_expect_fault(lab, &r, 0);
    dma_lab_free(lab);
}

GTEST_MAIN("Ats", cmocka_unit_test(rights), cmocka_unit_test(page_sizes), cmocka_unit_test(dirty_flag),
           cmocka_unit_test(execute), cmocka_unit_test(errors), cmocka_unit_test(who_may_ask),
           cmocka_unit_test(not_with_translation_off), cmocka_unit_test(translated), cmocka_unit_test(passthrough),
           cmocka_unit_test(protected_memory))
