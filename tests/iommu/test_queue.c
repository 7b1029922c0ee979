/* SPDX-License-Identifier: MIT */
/* The invalidation queue: every descriptor, every error, waits, time, and devices that do not answer. */
#include "hardware_lab.h"

enum {
    FSTS_IQE = 1 << 4, FSTS_ICE = 1 << 5, FSTS_ITE = 1 << 6,
    WAIT = 5, WAIT_IF = 1 << 4, WAIT_SW = 1 << 5, WAIT_FN = 1 << 6, WAIT_PD = 1 << 7,
};

static struct hardware_lab *make(enum iommu_table_mode mode, bool wide)
{
    struct iommu_params params = lab_params();
    struct hardware_lab *lab = hardware_lab_make(&params);
    lab_table_mode(lab, mode);
    lab_events(lab);
    lab_queue(lab, wide);
    return lab;
}

/* The statistic that a descriptor of a type moves. */
static uint64_t effect(const struct hardware_lab *lab, uint64_t type)
{
    const struct iommu_stats *s = &lab->u.stats;
    switch (type) {
    case 1: return s->invalidations_context;
    case 2: case 6: return s->invalidations_iotlb;
    case 3: case 8: return s->invalidations_device;
    case 4: return s->invalidations_interrupt;
    case 5: return s->waits;
    case 7: return s->invalidations_pasid;
    case 9: return s->page_responses;
    default: return 0;
    }
}

/*
 * From VT-d "Invalidation Descriptors" (6.5.2): a descriptor, and what becomes of it. error is IQERCD.IQEI; 0: it is
 * done. Reserved bits are tried one by one elsewhere.
 */
struct known_descriptor {
    const char *name;
    uint64_t low, high;
    uint32_t error;
    bool scalable; /* of scalable mode only */
};

#define DOMAIN_5 (UINT64_C(5) << 16)
#define SOURCE_32(s) ((uint64_t)(s) << 32)

static const struct known_descriptor known[] = {
    {"null", 0, 0, 3, false},
    {"context_reserved", 1 | DOMAIN_5, 0, 4, false},
    {"context_global", 1 | 1 << 4, 0, 0, false},
    {"context_domain", 1 | 2 << 4 | DOMAIN_5, 0, 0, false},
    {"context_device", 1 | 3 << 4 | DOMAIN_5 | SOURCE_32(0x0108) | UINT64_C(3) << 48, 0, 0, false},
    {"iotlb_reserved", 2, 0, 4, false},
    {"iotlb_global", 2 | 1 << 4, 0, 0, false},
    {"iotlb_domain_drain", 2 | 2 << 4 | 3 << 6 | DOMAIN_5, 63, 0, false},
    {"iotlb_page", 2 | 3 << 4 | DOMAIN_5, 0x7000 | 1 << 6 | 18, 0, false},
    {"iotlb_page_mask_19", 2 | 3 << 4 | DOMAIN_5, 0x7000 | 19, 4, false},
    {"device_tlb", 3 | 31 << 16 | SOURCE_32(0x0108), 0x7000, 0, false},
    {"device_tlb_pfsid", 3 | UINT64_C(0xfff) << 52 | 0xf000 | SOURCE_32(0x0108), 0x7001, 0, false},
    {"interrupt_global", 4, 0, 0, false},
    {"interrupt_one", 4 | 1 << 4 | UINT64_C(15) << 27 | SOURCE_32(0xffff), 0, 0, false},
    {"interrupt_mask_16", 4 | 1 << 4 | UINT64_C(16) << 27, 0, 4, false},
    {"interrupt_global_mask_16", 4 | UINT64_C(16) << 27, 0, 0, false},
    {"wait", 5 | 1 << 5 | UINT64_C(7) << 32, LAB_STATUS, 0, false},
    {"wait_all", 5 | 0xf << 4 | UINT64_C(7) << 32, LAB_STATUS, 0, false},
    {"wait_nothing", 5, 0, 0, false},
    {"pasid_iotlb_0", 6 | DOMAIN_5 | SOURCE_32(9), 0, 4, true},
    {"pasid_iotlb_1", 6 | 1 << 4 | DOMAIN_5 | SOURCE_32(9), 0, 4, true},
    {"pasid_iotlb_all", 6 | 2 << 4 | DOMAIN_5 | SOURCE_32(0xfffff), 0x3f, 0, true},
    {"pasid_iotlb_page", 6 | 3 << 4 | DOMAIN_5 | SOURCE_32(9), 0x7000 | 1 << 6 | 18, 0, true},
    {"pasid_iotlb_page_mask_19", 6 | 3 << 4 | DOMAIN_5 | SOURCE_32(9), 0x7000 | 19, 4, true},
    {"pasid_cache_domain", 7 | DOMAIN_5, 0, 0, true},
    {"pasid_cache_one", 7 | 1 << 4 | DOMAIN_5 | SOURCE_32(9), 0, 0, true},
    {"pasid_cache_reserved", 7 | 2 << 4, 0, 4, true},
    {"pasid_cache_global", 7 | 3 << 4, 0, 0, true},
    {"pasid_device_tlb", 8 | 31 << 4 | UINT64_C(0x0108) << 16 | SOURCE_32(9), 0x7000, 0, true},
    {"pasid_device_tlb_global", 8 | UINT64_C(0x0108) << 16, 0x7000 | 1 << 11 | 1, 0, true},
    {"page_response", 9 | 1 << 4 | 1 << 12 | UINT64_C(0x0108) << 16 | SOURCE_32(9), 0x1ff << 3 | 1 << 2, 0, true},
    {"type_10", 10, 0, 3, false}, {"type_15", 15, 0, 3, false},
    {"type_17", 1 | 1 << 9 | 1 << 4, 0, 3, false}, {"type_133", 5 | 4 << 9, 0, 3, false},
};

static void run_one(const struct known_descriptor *k, enum iommu_table_mode mode, bool wide, uint32_t error)
{
    struct hardware_lab *lab = make(mode, wide);
    uint64_t type = (k->low & 15) | (k->low >> 5 & 0x70), before = effect(lab, type);
    lab_push(lab, k->low, k->high);
    bool stopped = error != 0;
    assert_int_equal(lab_get64(lab, IOMMU_IQH), stopped ? 0 : wide ? 32 : 16);
    assert_int_equal(lab_get32(lab, IOMMU_FSTS), stopped ? FSTS_IQE : 0);
    assert_int_equal(lab_get64(lab, IOMMU_IQERCD), error);
    assert_int_equal(effect(lab, type) - before, stopped ? 0 : 1);
    assert_int_equal(lab->u.stats.descriptors, stopped ? 0 : 1);
    hardware_lab_free(lab);
}

static void descriptor(void **state)
{
    const struct known_descriptor *k = *state;
    run_one(k, IOMMU_LEGACY, false, k->scalable ? 3 : k->error);
    run_one(k, IOMMU_LEGACY, true, k->scalable ? 3 : k->error);
    run_one(k, IOMMU_SCALABLE, true, k->error);
}

/* Every bit that no field has, one by one, and every bit of the upper half of a wide descriptor. */
static void reserved_bits(void **state)
{
    (void)state;
    static const struct { uint64_t low, fields_low, fields_high; } rows[] = {
        {0x011, 0x0003ffffffff0e3f, 0},
        {0x012, 0x00000000ffff0eff, 0xfffffffffffff07f},
        {0x003, 0xfff0ffff001ffe0f, 0xfffffffffffff001},
        {0x004, 0x0000fffff8000e1f, 0},
        {0x005, 0xffffffff00000eff, 0xfffffffffffffffc},
        {0x026, 0x000fffffffff0e3f, 0xfffffffffffff07f},
        {0x037, 0x000fffffffff0e3f, 0},
        {0x008, 0xffffffffffffffff, 0xfffffffffffff801},
        {0x009, 0x000ffffffffffe1f, 0x0000000000000ffc},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        for (unsigned bit = 0; bit < 256; bit++) {
            uint64_t word[4] = {rows[i].low, 0, 0, 0};
            uint64_t fields = bit < 64 ? rows[i].fields_low : bit < 128 ? rows[i].fields_high : 0;
            if ((fields >> (bit % 64) & 1) != 0) {
                continue;
            }
            struct hardware_lab *lab = make(IOMMU_SCALABLE, true);
            word[bit / 64] |= UINT64_C(1) << (bit % 64);
            for (unsigned w = 0; w < 4; w++) {
                lab_poke(lab, LAB_QUEUE + 8 * w, word[w]);
            }
            lab_put64(lab, IOMMU_IQT, 32);
            assert_int_equal(lab_get64(lab, IOMMU_IQERCD), 4);
            assert_int_equal(lab_get64(lab, IOMMU_IQH), 0);
            hardware_lab_free(lab);
        }
    }
}

/* A descriptor of what is not offered has an unknown type; PD without page requests is reserved. */
static void absent_descriptors(void **state)
{
    (void)state;
    struct iommu_params params = lab_params();
    params.device_tlb = params.interrupt_remapping = false;
    static const struct { uint64_t low; uint32_t error; } rows[] = {
        {3, 3}, {4, 3}, {8, 3}, {9, 3}, {WAIT | WAIT_PD, 4},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct hardware_lab *lab = hardware_lab_make(&params);
        lab_table_mode(lab, IOMMU_SCALABLE);
        lab_queue(lab, true);
        lab_push(lab, rows[i].low, 0);
        assert_int_equal(lab_get64(lab, IOMMU_IQERCD), rows[i].error);
        hardware_lab_free(lab);
    }
}

/* Errors of the queue itself. */
static void queue_errors(void **state)
{
    (void)state;
    static const struct { uint64_t mode, iqa, tail; uint32_t error; } rows[] = {
        {IOMMU_LEGACY, LAB_QUEUE, 4096, 1},            /* tail behind one page */
        {IOMMU_LEGACY, LAB_QUEUE | 1, 8192, 1},        /* two pages */
        {IOMMU_LEGACY, LAB_QUEUE, 0x7fff0, 1},
        {IOMMU_LEGACY, UINT64_C(0x3ffffffff000), 16, 2}, /* no memory there */
        {IOMMU_SCALABLE, LAB_QUEUE, 16, 5},            /* 128 bits in scalable mode */
        {IOMMU_LEGACY, LAB_QUEUE | 1 << 11, 16, 6},    /* a tail in the middle of 256 bits */
        {IOMMU_TABLE_RESERVED, LAB_QUEUE, 16, 7},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct iommu_params params = lab_params();
        struct hardware_lab *lab = hardware_lab_make(&params);
        lab_table_mode(lab, (enum iommu_table_mode)rows[i].mode);
        lab_put64(lab, IOMMU_IQA, rows[i].iqa);
        lab_command(lab, IOMMU_GSTS_QIES, true);
        lab_put64(lab, IOMMU_IQT, rows[i].tail);
        assert_int_equal(lab_get64(lab, IOMMU_IQERCD), rows[i].error);
        assert_int_equal(lab_get32(lab, IOMMU_FSTS), FSTS_IQE);
        assert_int_equal(lab_get64(lab, IOMMU_IQH), 0);
        hardware_lab_free(lab);
    }
}

/* After an error nothing is fetched until software has repaired the descriptor and cleared IQE. */
static void error_halts(void **state)
{
    (void)state;
    struct hardware_lab *lab = make(IOMMU_LEGACY, false);
    lab_push(lab, 2 | 1 << 4, 0);
    lab_push(lab, 15, 0);
    assert_int_equal(lab->msis, 1);
    assert_int_equal(lab->msi[0].data, 0x41);
    lab_push(lab, 2 | 1 << 4, 0);
    assert_int_equal(lab_get64(lab, IOMMU_IQH), 16);
    assert_int_equal(lab->u.stats.invalidations_iotlb, 1);
    lab_put32(lab, IOMMU_FSTS, FSTS_IQE); /* not repaired: the same error again, a new event */
    assert_int_equal(lab_get32(lab, IOMMU_FSTS), FSTS_IQE);
    assert_int_equal(lab->msis, 2);
    lab_poke(lab, LAB_QUEUE + 16, 2 | 1 << 4);
    lab_put32(lab, IOMMU_FSTS, FSTS_IQE);
    assert_int_equal(lab_get64(lab, IOMMU_IQH), 48);
    assert_int_equal(lab->u.stats.invalidations_iotlb, 3);
    assert_int_equal(lab_get32(lab, IOMMU_FSTS), 0);
    hardware_lab_free(lab);
}

/* Status data, 32 bits of it at any aligned address, and nothing besides. */
static void wait_status(void **state)
{
    (void)state;
    struct hardware_lab *lab = make(IOMMU_LEGACY, false);
    lab_poke(lab, LAB_STATUS, UINT64_MAX);
    lab_push(lab, WAIT | WAIT_SW | WAIT_FN | UINT64_C(0x12345678) << 32, LAB_STATUS + 4);
    assert_int_equal(lab_peek(lab, LAB_STATUS), UINT64_C(0x12345678ffffffff));
    assert_int_equal(lab->writes, 1);
    assert_int_equal(lab->last_written_line, LAB_STATUS / 64);
    lab_push(lab, WAIT | UINT64_C(1) << 32, LAB_STATUS); /* without SW */
    assert_int_equal(lab_peek(lab, LAB_STATUS), UINT64_C(0x12345678ffffffff));
    /* A status beyond memory is written nowhere. */
    lab_push(lab, WAIT | WAIT_SW | UINT64_C(1) << 32, UINT64_C(0xfffffffffffffffc));
    lab_push(lab, WAIT | WAIT_SW | UINT64_C(1) << 32, HV_MIB(16));
    assert_int_equal(lab_get64(lab, IOMMU_IQH), 64);
    assert_int_equal(lab->writes, 1);
    hardware_lab_free(lab);
}

/* ICS.IWC and the invalidation completion event: once until served, held back while masked. */
static void wait_interrupt(void **state)
{
    (void)state;
    struct hardware_lab *lab = make(IOMMU_LEGACY, false);
    lab_push(lab, WAIT | WAIT_IF, 0);
    assert_int_equal(lab_get32(lab, IOMMU_ICS), 1);
    assert_int_equal(lab->msis, 1);
    assert_int_equal(lab->msi[0].data, 0x42);
    assert_int_equal(lab->msi[0].address, 0xfee00000);
    lab_push(lab, WAIT | WAIT_IF, 0); /* not served yet: no new event */
    assert_int_equal(lab->msis, 1);
    lab_put32(lab, IOMMU_ICS, 1);
    assert_int_equal(lab_get32(lab, IOMMU_ICS), 0);
    lab_put32(lab, IOMMU_IECTL, 1u << 31);
    lab_push(lab, WAIT | WAIT_IF, 0);
    assert_int_equal(lab->msis, 1);
    assert_int_equal(lab_get32(lab, IOMMU_IECTL), 3u << 30); /* masked and pending */
    lab_put32(lab, IOMMU_IECTL, 0);
    assert_int_equal(lab->msis, 2);
    assert_int_equal(lab_get32(lab, IOMMU_IECTL), 0);
    /* Served while masked: the event is withdrawn. */
    lab_put32(lab, IOMMU_ICS, 1);
    lab_put32(lab, IOMMU_IECTL, 1u << 31);
    lab_push(lab, WAIT | WAIT_IF, 0);
    lab_put32(lab, IOMMU_ICS, 1);
    lab_put32(lab, IOMMU_IECTL, 0);
    assert_int_equal(lab->msis, 2);
    hardware_lab_free(lab);
}

/* Head and tail wrap at the end of the queue, of each size and width. */
static void wraps(void **state)
{
    (void)state;
    for (uint64_t size = 0; size < 8; size++) {
        for (uint64_t wide = 0; wide < 2; wide++) {
            struct iommu_params params = lab_params();
            struct hardware_lab *lab = hardware_lab_make(&params);
            uint64_t bytes = UINT64_C(4096) << size, entry = wide ? 32 : 16;
            for (uint64_t at = 0; at < bytes; at += entry) {
                lab_poke(lab, HV_MIB(1) + at, 4);
            }
            lab_put64(lab, IOMMU_IQA, HV_MIB(1) | wide << 11 | size);
            lab_command(lab, IOMMU_GSTS_QIES, true);
            lab_put64(lab, IOMMU_IQT, bytes - entry);
            assert_int_equal(lab_get64(lab, IOMMU_IQH), bytes - entry);
            assert_int_equal(lab->u.stats.descriptors, bytes / entry - 1);
            lab_put64(lab, IOMMU_IQT, entry);
            assert_int_equal(lab_get64(lab, IOMMU_IQH), entry);
            assert_int_equal(lab->u.stats.descriptors, bytes / entry + 1);
            hardware_lab_free(lab);
        }
    }
}

/* Turning the queue off puts the head back to 0; while it is off the tail moves nothing. */
static void off_and_on(void **state)
{
    (void)state;
    struct hardware_lab *lab = make(IOMMU_LEGACY, false);
    lab_push(lab, 4, 0);
    lab_command(lab, IOMMU_GSTS_QIES, false);
    assert_int_equal(lab_get64(lab, IOMMU_IQH), 0);
    lab_push(lab, 4, 0);
    assert_int_equal(lab->u.stats.descriptors, 1);
    lab_command(lab, IOMMU_GSTS_QIES, true);
    assert_int_equal(lab->u.stats.descriptors, 3); /* from 0 to the tail */
    hardware_lab_free(lab);
}

/*
 * Time: a reference for each line of descriptors, iommu.invalidation_cycles for each that invalidates, and one after
 * the other. Four narrow descriptors share a line.
 */
static void takes_time(void **state)
{
    (void)state;
    struct hardware_lab *lab = make(IOMMU_LEGACY, false);
    for (unsigned i = 0; i < 8; i++) {
        lab_poke(lab, LAB_QUEUE + 16 * i, 4);
    }
    lab_poke(lab, LAB_QUEUE + 7 * 16, WAIT | WAIT_IF);
    size_t reads = lab->reads;
    iommu_write(&lab->u, IOMMU_IQT, 8, 8 * 16, 1000);
    hv_cycles done = 1000 + 2 * LAB_READ_CYCLES + 7 * LAB_INVALIDATION_CYCLES;
    assert_int_equal(iommu_busy_until(&lab->u), done);
    assert_int_equal(lab->reads - reads, 2);
    assert_int_equal(lab->msi[0].now, done);
    /* What comes while it is busy waits. */
    lab_poke(lab, LAB_QUEUE + 8 * 16, 4);
    iommu_write(&lab->u, IOMMU_IQT, 8, 9 * 16, 2000);
    assert_int_equal(iommu_busy_until(&lab->u), done + LAB_READ_CYCLES + LAB_INVALIDATION_CYCLES);
    hardware_lab_free(lab);
}

/* What a function's TLB is told: PCI Express ATS, "Invalidate Request": the size is in the address. */
static void device_tlb_ranges(void **state)
{
    (void)state;
    static const struct { uint64_t high; uint32_t log2; uint64_t address; } rows[] = {
        {0x7000, 0, 0x7000}, {0x6000 | 1, 1, 0x6000}, {0x7001, 4, 0}, {0x5001, 2, 0x4000}, {0x17001, 4, 0x10000},
        {0xff001, 9, 0}, {UINT64_C(0x7ffffffffffff001), 52, 0}, {UINT64_C(0xfffffffffffff001), 52, 0},
        {UINT64_C(0xfffffffffffff000), 0, UINT64_C(0xfffffffffffff000)},
        {UINT64_C(0x3ffffffffffff001), 51, 0}, {UINT64_C(0xbffffffffffff001), 51, UINT64_C(1) << 63},
    };
    struct hardware_lab *lab = make(IOMMU_SCALABLE, true);
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        lab_push(lab, 3 | SOURCE_32(0x0108), rows[i].high);
        const struct iommu_device_invalidation *what = &lab->invalidation[i];
        assert_int_equal(what->source, 0x0108);
        assert_false(what->has_pasid);
        assert_int_equal(what->pages_log2, rows[i].log2);
        assert_int_equal(what->address, rows[i].address);
    }
    lab_push(lab, 8 | UINT64_C(0x0209) << 16 | SOURCE_32(0xabcde), 0x6800);
    const struct iommu_device_invalidation *one = &lab->invalidation[lab->invalidations - 1];
    assert_true(one->has_pasid && !one->global && one->source == 0x0209 && one->pasid == 0xabcde);
    assert_true(one->pages_log2 == 1 && one->address == 0x6000);
    lab_push(lab, 8 | UINT64_C(0x0209) << 16, 1);
    assert_true(lab->invalidation[lab->invalidations - 1].global);
    hardware_lab_free(lab);
}

/*
 * A device that does not answer: ITE with its id, the waits behind the invalidation given up without status, and
 * nothing more until software clears ITE.
 */
static void device_timeout(void **state)
{
    (void)state;
    struct hardware_lab *lab = make(IOMMU_LEGACY, false);
    lab_poke(lab, LAB_QUEUE, 3 | SOURCE_32(0x0108));
    lab_poke(lab, LAB_QUEUE + 16, WAIT | WAIT_SW | WAIT_IF | UINT64_C(1) << 32);
    lab_poke(lab, LAB_QUEUE + 24, LAB_STATUS);
    lab_poke(lab, LAB_QUEUE + 32, 2 | 1 << 4);
    lab_poke(lab, LAB_QUEUE + 48, WAIT | WAIT_SW | UINT64_C(2) << 32);
    lab_poke(lab, LAB_QUEUE + 56, LAB_STATUS);
    lab->silent_device = true;
    lab_put64(lab, IOMMU_IQT, 64);
    assert_int_equal(lab_get32(lab, IOMMU_FSTS), FSTS_ITE);
    assert_int_equal(lab_get64(lab, IOMMU_IQERCD), SOURCE_32(0x0108));
    assert_int_equal(lab_get64(lab, IOMMU_IQH), 32);
    assert_int_equal(lab_peek(lab, LAB_STATUS), 0);
    assert_int_equal(lab_get32(lab, IOMMU_ICS), 0);
    assert_int_equal(lab->msis, 1);
    assert_int_equal(lab->msi[0].data, 0x41);
    lab_put32(lab, IOMMU_FSTS, FSTS_ITE);
    assert_int_equal(lab_get64(lab, IOMMU_IQH), 64);
    assert_int_equal(lab_peek(lab, LAB_STATUS), 2);
    hardware_lab_free(lab);
}

/* An answer that nobody asked for: ICE with its sender; the queue goes on. The first sender of each kind stays. */
static void unexpected_completion(void **state)
{
    (void)state;
    struct hardware_lab *lab = make(IOMMU_LEGACY, false);
    iommu_device_tlb_error(&lab->u, IOMMU_DEVICE_TLB_UNEXPECTED, 0x0300, 0);
    iommu_device_tlb_error(&lab->u, IOMMU_DEVICE_TLB_UNEXPECTED, 0x0400, 0);
    assert_int_equal(lab_get32(lab, IOMMU_FSTS), FSTS_ICE);
    assert_int_equal(lab_get64(lab, IOMMU_IQERCD), UINT64_C(0x0300) << 48);
    lab_push(lab, 4, 0);
    assert_int_equal(lab_get64(lab, IOMMU_IQH), 16);
    iommu_device_tlb_error(&lab->u, IOMMU_DEVICE_TLB_TIMEOUT, 0x0500, 0);
    assert_int_equal(lab_get64(lab, IOMMU_IQERCD), UINT64_C(0x0300) << 48 | UINT64_C(0x0500) << 32);
    assert_int_equal(lab->msis, 1); /* one event for all until it is served */
    hardware_lab_free(lab);
}

int main(int argc, char **argv)
{
    static struct CMUnitTest rows[HV_ARRAY_LEN(known)];
    gtest_rows(rows, descriptor, known, sizeof(known[0]), HV_ARRAY_LEN(known));
    const struct CMUnitTest queue[] = {
        cmocka_unit_test(reserved_bits), cmocka_unit_test(absent_descriptors), cmocka_unit_test(queue_errors),
        cmocka_unit_test(error_halts), cmocka_unit_test(wait_status), cmocka_unit_test(wait_interrupt),
        cmocka_unit_test(wraps), cmocka_unit_test(off_and_on), cmocka_unit_test(takes_time),
        cmocka_unit_test(device_tlb_ranges), cmocka_unit_test(device_timeout),
        cmocka_unit_test(unexpected_completion),
    };
    const struct gtest_suite suites[] = {
        GTEST_SUITE("IommuDescriptor", rows), GTEST_SUITE("IommuQueue", queue),
    };
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
