/* SPDX-License-Identifier: MIT */
/*
 * Host permission tables (VT-d 4.2.4, 9.12) and zero-length reads (3.14, 3.15): which translated requests pass, at which
 * level a page is described, what a walk costs, and that nothing of it is there without the capability.
 */
#include "iommu/dma_lab.h"

#include "iommu/iommu_descriptors.h"

enum { SOURCE = 0x0500, PASID = 3, READ = 1, WRITE = 2, AV = 1 };

#define HOST (UINT64_C(5) << 41 | UINT64_C(200) << 33 | UINT64_C(6) << 30 | UINT64_C(7) << 25 | UINT64_C(13) << 21 | \
              UINT64_C(11) << 17 | UINT64_C(29) << 12)
#define HPTE (UINT64_C(1) << 5)
#define EPTR (UINT64_C(1) << 6)

struct scene {
    struct dma_lab *lab;
    uint64_t entry[5]; /* of HOST, by level */
};

/* An entry: bits of a 128-bit number, of which 64 is AV. */
static void set_bits(struct scene *s, unsigned level, unsigned bit, uint64_t value)
{
    uint64_t at = s->entry[level] + bit / 64 * 8;
    dma_poke(s->lab, at, dma_peek(s->lab, at) | value << bit % 64);
}

static struct scene start(const struct iommu_params *params, uint64_t context_bits)
{
    struct scene s = {.lab = dma_lab_new(params, IOMMU_SCALABLE)};
    static const unsigned index[] = {0, 13 * 16 + 11, 6 * 32 + 7, 200, 5}; /* bits 24:17, 32:25, 40:33, 48:41 */
    dma_attach_pasid(s.lab, SOURCE, 0, 7, NULL, NULL);
    dma_attach_pasid(s.lab, SOURCE, PASID, 7, NULL, NULL);
    uint64_t table[5];
    for (unsigned level = 4; level >= 1; level--) {
        table[level] = dma_take_page(s.lab);
        s.entry[level] = table[level] + 16 * index[level];
        if (level < 4) {
            dma_poke(s.lab, s.entry[level + 1] + 8, table[level] | AV);
        }
    }
    for (uint32_t pasid = 0; pasid <= PASID; pasid += PASID) {
        dma_poke(s.lab, dma_pasid_entry(s.lab, SOURCE, pasid) + 32, table[4]);
    }
    uint64_t context = dma_context_entry(s.lab, SOURCE);
    dma_poke(s.lab, context, dma_peek(s.lab, context) | context_bits);
    return s;
}

static struct iommu_params offered(void)
{
    struct iommu_params params = dma_bare_params();
    params.host_permissions = true;
    return params;
}

static struct iommu_request translated(uint64_t address, enum iommu_access access)
{
    struct iommu_request r = dma_request(SOURCE, address, access);
    r.type = IOMMU_TRANSLATED;
    return r;
}

/* Permissions of a page of 4 KiB, 2 MiB and 1 GiB: bit 4 * number of the page in the entry. Reads of each level. */
static void levels(void **state)
{
    (void)state;
    static const struct { unsigned level, bit, reads; uint64_t next; } rows[] = {
        {1, 4 * 29, 4, HV_KIB(4)}, {2, 4 * 13, 3, HV_MIB(2)}, {3, 4 * 6, 2, HV_GIB(1)},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        for (unsigned allowed = 0; allowed < 4; allowed++) {
            struct iommu_params params = offered();
            struct scene s = start(&params, HPTE);
            struct iommu_request read = translated(HOST + 64, IOMMU_READ), write = translated(HOST, IOMMU_WRITE);
            set_bits(&s, rows[i].level, rows[i].bit, allowed);
            uint64_t before = s.lab->reads;
            assert_int_equal(dma_send(s.lab, &read).ok, (allowed & READ) != 0);
            assert_int_equal(dma_send(s.lab, &write).ok, (allowed & WRITE) != 0);
            /* Root, context, directory and PASID-table entry each time; without permissions the walk goes on to the end. */
            unsigned reads = allowed != 0 ? rows[i].reads : 4;
            assert_int_equal(s.lab->reads - before, 2 * (4 + reads));
            assert_int_equal(s.lab->u->stats.permission_refs, 2 * reads);
            assert_int_equal(s.lab->u->stats.permission_walks, 2);
            read.address += rows[i].next; /* the page behind it is another's */
            dma_expect_fault(s.lab, &read, 0xa5);
            dma_lab_free(s.lab);
        }
    }
}

/* Entries that lead no further end the walk. */
static void ends(void **state)
{
    (void)state;
    for (unsigned level = 2; level <= 4; level++) {
        struct iommu_params params = offered();
        struct scene s = start(&params, HPTE);
        set_bits(&s, 1, 4 * 29, READ | WRITE);
        dma_poke(s.lab, s.entry[level] + 8, 0);
        struct iommu_request r = translated(HOST, IOMMU_WRITE);
        dma_expect_fault(s.lab, &r, 0xa4);
        assert_int_equal(s.lab->u->stats.permission_refs, 5 - level);
        dma_lab_free(s.lab);
    }
}

/* Each reserved bit of each level; what is ignored is not. */
static void reserved_bits(void **state)
{
    (void)state;
    static const struct { unsigned level, bit; uint8_t fault; } rows[] = {
        {4, 0, 0xa1}, {4, 63, 0xa1}, {4, 65, 0xa1}, {4, 75, 0xa1}, {4, 64 + 46, 0xa1}, {4, 115, 0xa1}, {4, 116, 0},
        {4, 127, 0}, {3, 2, 0xa1}, {3, 31, 0xa1}, {3, 32, 0xa1}, {3, 63, 0xa1}, {3, 65, 0xa1}, {3, 127, 0},
        {2, 3, 0xa1}, {2, 62, 0xa1}, {2, 75, 0xa1}, {2, 127, 0}, {1, 2, 0xa1}, {1, 63, 0xa1}, {1, 127, 0xa1},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct iommu_params params = offered();
        struct scene s = start(&params, HPTE);
        set_bits(&s, 1, 4 * 29, READ);
        set_bits(&s, rows[i].level, rows[i].bit, 1);
        struct iommu_request r = translated(HOST, IOMMU_READ);
        struct iommu_reply reply = dma_send(s.lab, &r);
        assert_int_equal(reply.fault, rows[i].fault);
        assert_int_equal(reply.ok, rows[i].fault == 0);
        dma_lab_free(s.lab);
    }
}

/* The size of the top table, and with it the widest address; behind 48 bits it goes on in the next page. */
static void sizes(void **state)
{
    (void)state;
    for (unsigned size = 0; size < 4; size++) {
        struct iommu_params params = offered();
        params.physical_bits = 52;
        struct scene s = start(&params, HPTE);
        uint64_t pasid = dma_pasid_entry(s.lab, SOURCE, 0) + 32, top = dma_peek(s.lab, pasid);
        dma_poke(s.lab, pasid, top | size);
        struct iommu_request r = translated(HOST | UINT64_C(1) << 49, IOMMU_READ);
        dma_poke(s.lab, top + 4096 + 16 * 5 + 8, dma_peek(s.lab, s.entry[4] + 8));
        set_bits(&s, 1, 4 * 29, READ);
        if (size == 0) {
            dma_expect_fault(s.lab, &r, 0x60);
        } else {
            dma_expect(s.lab, &r, r.address);
        }
        r.address = HOST | UINT64_C(1) << 51;
        struct iommu_reply reply = dma_send(s.lab, &r);
        assert_int_equal(reply.fault, size < 3 ? 0x60 : 0xa5);
        dma_lab_free(s.lab);
    }
}

/* Untranslated requests are not asked for; nor translated ones without HPTE. With a PASID, EPTR is needed. */
static void who_is_checked(void **state)
{
    (void)state;
    for (unsigned enabled = 0; enabled < 2; enabled++) {
        struct iommu_params params = offered();
        struct scene s = start(&params, enabled != 0 ? HPTE : 0);
        struct iommu_request r = translated(HOST, IOMMU_READ), plain = dma_request(SOURCE, HOST, IOMMU_READ);
        assert_true(dma_send(s.lab, &plain).ok);
        assert_int_equal(dma_send(s.lab, &r).ok, enabled == 0);
        r.has_pasid = true;
        r.pasid = PASID;
        dma_expect_fault(s.lab, &r, 0x49);
        dma_lab_free(s.lab);
        s = start(&params, EPTR | (enabled != 0 ? HPTE : 0));
        assert_int_equal(dma_send(s.lab, &r).ok, enabled == 0);
        set_bits(&s, 1, 4 * 29, READ);
        dma_expect(s.lab, &r, HOST);
        dma_lab_free(s.lab);
    }
}

/* Without the capability its bits are reserved, in context and PASID entry, and there is no such descriptor. */
static void not_offered(void **state)
{
    (void)state;
    struct iommu_params params = dma_bare_params();
    struct scene s = start(&params, 0);
    struct iommu_request r = dma_request(SOURCE, HOST, IOMMU_READ);
    dma_expect_fault(s.lab, &r, 0x5a); /* the address of the table, in word 4 */
    assert_int_equal(iommu_read(s.lab->u, IOMMU_ECAP, 8, 0) >> 55 & 0x11, 0);
    dma_lab_free(s.lab);
    s = start(&params, HPTE);
    dma_expect_fault(s.lab, &r, 0x42);
    dma_lab_free(s.lab);
    params = offered();
    s = start(&params, HPTE);
    assert_int_equal(iommu_read(s.lab->u, IOMMU_ECAP, 8, 0) >> 55 & 0x11, 0x11);
    dma_lab_free(s.lab);
}

/* The descriptor that invalidates the cache of these entries: taken, with its reserved bits, or of no known type. */
static void descriptor(void **state)
{
    (void)state;
    static const struct { bool offered; uint64_t low, high; uint32_t error; } rows[] = {
        {true, 0x1a, 0, 0}, {true, 0x2a | 7 << 16, 0, 0}, {true, 0x3a | 7 << 16, HOST | 3 << 6 | 9, 0},
        {true, 0x0a, 0, 4}, {true, 0x1a | 1 << 6, 0, 4}, {true, 0x1a | UINT64_C(1) << 32, 0, 4},
        {true, 0x3a, 1 << 8, 4}, {false, 0x1a, 0, 3},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct iommu_params params = offered();
        params.host_permissions = rows[i].offered;
        struct dma_lab *lab = dma_lab_new(&params, IOMMU_SCALABLE);
        uint64_t queue = dma_take_page(lab);
        iommu_write(lab->u, IOMMU_IQA, 8, queue | 1 << 11, 0);
        iommu_write(lab->u, IOMMU_GCMD, 4, IOMMU_GSTS_TES | IOMMU_GSTS_QIES, 0);
        dma_poke(lab, queue, rows[i].low);
        dma_poke(lab, queue + 8, rows[i].high);
        iommu_write(lab->u, IOMMU_IQT, 8, 32, 0);
        assert_int_equal(iommu_read(lab->u, IOMMU_IQERCD, 8, 0) & 15, rows[i].error);
        assert_int_equal(iommu_read(lab->u, IOMMU_IQH, 8, 0), rows[i].error == 0 ? 32 : 0);
        dma_lab_free(lab);
    }
}

/* A read of no bytes goes where writes may, with CAP.ZLR; it sets no dirty flag. Where nothing goes, neither does it. */
static void zero_length_reads(void **state)
{
    (void)state;
    for (unsigned row = 0; row < 8; row++) {
        bool zlr = (row & 1) != 0;
        uint64_t allowed = row >> 1;
        struct iommu_params params = dma_bare_params();
        params.zero_length_reads = zlr;
        struct dma_lab *lab = dma_lab_new(&params, IOMMU_SCALABLE);
        struct dma_tables second = dma_second_tables(lab, 4);
        second.leaf_bits = allowed;
        dma_map(&second, HV_MIB(2), HV_GIB(1), HV_PAGE_4K);
        dma_attach_pasid(lab, SOURCE, 0, 7, NULL, &second);
        uint64_t word0 = dma_pasid_entry(lab, SOURCE, 0);
        dma_poke(lab, word0, dma_peek(lab, word0) | IOMMU_PASID_SSADE);
        struct iommu_request r = dma_request(SOURCE, HV_MIB(2), IOMMU_READ);
        r.bytes = 0;
        struct iommu_reply reply = dma_send(lab, &r);
        assert_int_equal(reply.ok, allowed == 1 || allowed == 3 || (zlr && allowed == 2));
        if (reply.ok) {
            assert_int_equal(reply.address, HV_GIB(1));
        }
        assert_int_equal(dma_peek(lab, dma_entry(&second, HV_MIB(2), 1)) >> 9 & 1, 0);
        assert_int_equal(iommu_read(lab->u, IOMMU_CAP, 8, 0) >> 22 & 1, zlr);
        r.address = UINT64_C(0xfee00000); /* there it passes by everything */
        dma_expect(lab, &r, r.address);
        dma_lab_free(lab);
    }
}

/* The same of the host permission table. */
static void zero_length_translated(void **state)
{
    (void)state;
    for (unsigned allowed = 0; allowed < 4; allowed++) {
        struct iommu_params params = offered();
        params.zero_length_reads = true;
        struct scene s = start(&params, HPTE);
        set_bits(&s, 1, 4 * 29, allowed);
        struct iommu_request r = translated(HOST, IOMMU_READ);
        r.bytes = 0;
        struct iommu_reply reply = dma_send(s.lab, &r);
        assert_int_equal(reply.ok, allowed != 0);
        assert_int_equal(reply.fault, allowed != 0 ? 0 : 0xa3);
        dma_lab_free(s.lab);
    }
}

GTEST_MAIN("HostPermissions", cmocka_unit_test(levels), cmocka_unit_test(ends), cmocka_unit_test(reserved_bits),
           cmocka_unit_test(sizes), cmocka_unit_test(who_is_checked), cmocka_unit_test(not_offered),
           cmocka_unit_test(descriptor), cmocka_unit_test(zero_length_reads), cmocka_unit_test(zero_length_translated))
