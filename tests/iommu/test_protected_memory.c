/* SPDX-License-Identifier: MIT */
/* PMEN: which addresses are protected, and from which requests. */
#include "hardware_lab.h"

#include "iommu/iommu_parts.h"

enum { SOURCE = 0x0108, PROTECTED = 0x300000, FREE = 0x400000 };

static struct hardware_lab *make_default(void)
{
    struct iommu_params params = lab_params();
    return hardware_lab_make(&params);
}

/* Where the regions are. */
static void protected_regions(void **state)
{
    (void)state;
    struct hardware_lab *lab = make_default();
    lab_put32(lab, IOMMU_PLMBASE, 0x100000);
    lab_put32(lab, IOMMU_PLMLIMIT, 0x200000); /* inclusive: up to 2fffffH */
    lab_put64(lab, IOMMU_PHMBASE, UINT64_C(0x100000000));
    lab_put64(lab, IOMMU_PHMLIMIT, UINT64_C(0x100000000));
    assert_false(iommu_protected(&lab->u, 0x100000, 1));
    lab_put32(lab, IOMMU_PMEN, 1u << 31);
    assert_int_equal(lab_get32(lab, IOMMU_PMEN), 1u << 31 | 1);
    static const struct { uint64_t address, bytes; bool in; } rows[] = {
        {0xfffff, 1, false}, {0xfffff, 2, true}, {0x100000, 1, true}, {0x2fffff, 1, true}, {0x300000, 1, false},
        {0, 0x400000, true}, {0xffffffff, 1, false}, {0x100000000, 8, true}, {0x1000fffff, 1, true},
        {0x100100000, 1, false}, {UINT64_MAX, 2, false}, {0xfffffffff, 1, false},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        assert_int_equal(iommu_protected(&lab->u, rows[i].address, rows[i].bytes), rows[i].in);
    }
    lab_put32(lab, IOMMU_PLMBASE, 0x300000); /* above its limit: empty */
    assert_false(iommu_protected(&lab->u, 0x200000, 0x200000));
    lab_put32(lab, IOMMU_PMEN, 0);
    assert_int_equal(lab_get32(lab, IOMMU_PMEN), 0);
    assert_false(iommu_protected(&lab->u, 0x100000000, 8));
    hardware_lab_free(lab);
}

/* 1 MiB at PROTECTED, and a legacy context entry of a translation type, whose tables (if any) map nothing. */
static struct hardware_lab *make(uint64_t translation_type)
{
    struct hardware_lab *lab = make_default();
    lab_poke(lab, LAB_TABLES + 16 * (SOURCE >> 8), (LAB_TABLES + 0x1000) | 1);
    lab_poke(lab, LAB_TABLES + 0x1000 + 16 * (SOURCE & 0xff), (LAB_TABLES + 0x2000) | translation_type << 2 | 1);
    lab_poke(lab, LAB_TABLES + 0x1000 + 16 * (SOURCE & 0xff) + 8, 1 << 8 | 2);
    lab_table_mode(lab, IOMMU_LEGACY);
    lab_put32(lab, IOMMU_PLMBASE, PROTECTED);
    lab_put32(lab, IOMMU_PLMLIMIT, PROTECTED);
    lab_put32(lab, IOMMU_PMEN, 1u << 31);
    return lab;
}

static bool allowed(struct hardware_lab *lab, uint64_t address, enum iommu_address_type type)
{
    struct iommu_request r = {.source = SOURCE, .address = address, .bytes = 64, .access = IOMMU_WRITE, .type = type};
    return iommu_translate(&lab->u, &r, 0).ok;
}

/* "Protected Memory Enable Register": before there is translation every DMA into the regions is blocked. */
static void without_translation(void **state)
{
    (void)state;
    struct hardware_lab *lab = make(0);
    assert_false(allowed(lab, PROTECTED, IOMMU_UNTRANSLATED));
    assert_false(allowed(lab, PROTECTED + 0xfffc0, IOMMU_UNTRANSLATED));
    assert_true(allowed(lab, FREE, IOMMU_UNTRANSLATED));
    assert_int_equal(lab->u.stats.faults, 0); /* blocked without a record */
    lab_put32(lab, IOMMU_PMEN, 0);
    assert_true(allowed(lab, PROTECTED, IOMMU_UNTRANSLATED));
    hardware_lab_free(lab);
}

/* With translation: pass-through and translated requests into them are blocked too. */
static void with_translation(void **state)
{
    (void)state;
    struct hardware_lab *lab = make(2); /* pass-through */
    lab_command(lab, IOMMU_GSTS_TES, true);
    assert_false(allowed(lab, PROTECTED, IOMMU_UNTRANSLATED));
    assert_true(allowed(lab, FREE, IOMMU_UNTRANSLATED));
    hardware_lab_free(lab);
    lab = make(1); /* device TLB */
    lab_command(lab, IOMMU_GSTS_TES, true);
    assert_false(allowed(lab, PROTECTED, IOMMU_TRANSLATED));
    assert_true(allowed(lab, FREE, IOMMU_TRANSLATED));
    hardware_lab_free(lab);
}

GTEST_MAIN("IommuProtectedMemory", cmocka_unit_test(protected_regions), cmocka_unit_test(without_translation),
           cmocka_unit_test(with_translation))
