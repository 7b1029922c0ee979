/* SPDX-License-Identifier: MIT */
/* The registers one by one: reset values, which bits can be written, which are cleared by 1, and what is absent. */
#include "hardware_lab.h"

#include <string.h>

/*
 * From VT-d chapter 11 "Register Descriptions", for default parameters: `ones` is what a read shows after all ones
 * were written, `sticky` which bits a write of 1 clears. A register that does something when it is written is tested
 * with what it does, besides.
 */
struct known_register {
    const char *name;
    uint32_t offset, bytes;
    uint64_t reset, ones, sticky;
    uint64_t zeros; /* what a read shows after 0 was written */
};

#define CAP_VALUE                                                                                               \
    (UINT64_C(6) | UINT64_C(3) << 5 | UINT64_C(0xe) << 8 | UINT64_C(56) << 16 | UINT64_C(0x100) << 24 |         \
     UINT64_C(3) << 34 | UINT64_C(1) << 39 | UINT64_C(7) << 40 | UINT64_C(18) << 48 | UINT64_C(3) << 54 |       \
     UINT64_C(1) << 56 | UINT64_C(1) << 59 | UINT64_C(1) << 60)
#define ECAP_VALUE                                                                                              \
    (UINT64_C(0xdf) | UINT64_C(0x50) << 8 | UINT64_C(15) << 20 | UINT64_C(1) << 26 | UINT64_C(7) << 29 |        \
     UINT64_C(1) << 34 | UINT64_C(19) << 35 | UINT64_C(1) << 40 | UINT64_C(3) << 42 |       \
     UINT64_C(31) << 45 | UINT64_C(3) << 52 | UINT64_C(1) << 56)

static const struct known_register known[] = {
    {"VER", 0x000, 4, 0x60, 0x60, 0, 0x60},
    {"CAP", 0x008, 8, CAP_VALUE, CAP_VALUE, 0, CAP_VALUE},
    {"ECAP", 0x010, 8, ECAP_VALUE, ECAP_VALUE, 0, ECAP_VALUE},
    {"GCMD", 0x018, 4, 0, 0, 0, 0},
    {"GSTS", 0x01c, 4, 0, 0, 0, 0},
    {"RTADDR", 0x020, 8, 0, 0x3ffffffffc00, 0, 0},
    {"CCMD", 0x028, 8, 0, 0x60000003ffffffff, 0, 0},
    {"FSTS", 0x034, 4, 0, 0, 0x71, 0},
    {"FECTL", 0x038, 4, 0x80000000, 0x80000000, 0, 0},
    {"FEDATA", 0x03c, 4, 0, 0xffff, 0, 0},
    {"FEADDR", 0x040, 4, 0, 0xfffffffc, 0, 0},
    {"FEUADDR", 0x044, 4, 0, 0xffffffff, 0, 0},
    {"PMEN", 0x064, 4, 0, 0x80000001, 0, 0},
    {"PLMBASE", 0x068, 4, 0, 0xfff00000, 0, 0},
    {"PLMLIMIT", 0x06c, 4, 0, 0xfff00000, 0, 0},
    {"PHMBASE", 0x070, 8, 0, 0x3ffffff00000, 0, 0},
    {"PHMLIMIT", 0x078, 8, 0, 0x3ffffff00000, 0, 0},
    {"IQH", 0x080, 8, 0, 0, 0, 0},
    {"IQT", 0x088, 8, 0, 0x7fff0, 0, 0},
    {"IQA", 0x090, 8, 0, 0x3ffffffff807, 0, 0},
    {"ICS", 0x09c, 4, 0, 0, 1, 0},
    {"IECTL", 0x0a0, 4, 0x80000000, 0x80000000, 0, 0},
    {"IEDATA", 0x0a4, 4, 0, 0xffff, 0, 0},
    {"IEADDR", 0x0a8, 4, 0, 0xfffffffc, 0, 0},
    {"IEUADDR", 0x0ac, 4, 0, 0xffffffff, 0, 0},
    {"IQERCD", 0x0b0, 8, 0, 0, 0, 0},
    {"IRTA", 0x0b8, 8, 0, 0x3ffffffff80f, 0, 0},
    {"PQH", 0x0c0, 8, 0, 0x7ffe0, 0, 0},
    {"PQT", 0x0c8, 8, 0, 0x7ffe0, 0, 0},
    {"PQA", 0x0d0, 8, 0, 0x3ffffffff007, 0, 0},
    {"PRS", 0x0dc, 4, 0, 0, 3, 0},
    {"PECTL", 0x0e0, 4, 0x80000000, 0x80000000, 0, 0},
    {"PEDATA", 0x0e4, 4, 0, 0xffff, 0, 0},
    {"PEADDR", 0x0e8, 4, 0, 0xfffffffc, 0, 0},
    {"PEUADDR", 0x0ec, 4, 0, 0xffffffff, 0, 0},
    {"ECCAP", 0x430, 8, 0, 0, 0, 0},
    {"IVA", 0x500, 8, 0, 0xfffffffffffff07f, 0, 0},
    {"IOTLB", 0x508, 8, 0, 0x3003ffff00000000, 0, 0},
    {"FRCD_LOW", 0x1000, 8, 0, 0, 0, 0},
    {"FRCD_HIGH", 0x1008, 8, 0, 0, UINT64_C(1) << 63, 0},
};

static const char *const table[] = {
#define R(offset, name, bytes, kind, reset, writable, w1c, offered, text) #name,
#define B(name, bits, offered)
#include "iommu/iommu_regs.def"
#undef R
#undef B
};

static void every_row_is_known(void **state)
{
    (void)state;
    assert_int_equal(HV_ARRAY_LEN(table), HV_ARRAY_LEN(known));
    for (size_t i = 0; i < HV_ARRAY_LEN(table); i++) {
        assert_string_equal(table[i], known[i].name);
    }
}

static uint64_t get(struct hardware_lab *lab, const struct known_register *r)
{
    return r->bytes == 8 ? lab_get64(lab, r->offset) : lab_get32(lab, r->offset);
}

static void put(struct hardware_lab *lab, const struct known_register *r, uint64_t value)
{
    iommu_write(&lab->u, r->offset, r->bytes, value, 0);
}

static struct hardware_lab *make_default(void)
{
    struct iommu_params params = lab_params();
    return hardware_lab_make(&params);
}

static void row(void **state)
{
    const struct known_register *r = *state;
    struct hardware_lab *lab = make_default();
    assert_int_equal(get(lab, r), r->reset);
    /* All ones without the bits that are commands: 63 of CCMD and IOTLB, and everything in GCMD. */
    bool commands = r->offset == IOMMU_CCMD || r->offset == IOMMU_IOTLB;
    put(lab, r, r->offset == IOMMU_GCMD ? 0 : commands ? UINT64_MAX >> 1 : UINT64_MAX);
    assert_int_equal(get(lab, r), r->ones);
    put(lab, r, 0);
    assert_int_equal(get(lab, r), r->zeros);
    hardware_lab_free(lab);
}

/* Each half of a 64-bit register alone, and neighbours that stay as they were. */
static void halves(void **state)
{
    const struct known_register *r = *state;
    struct hardware_lab *lab = make_default();
    if (r->bytes == 8 && r->sticky == 0 && r->offset != IOMMU_CCMD && r->offset != IOMMU_IOTLB) {
        lab_put32(lab, r->offset, 0xffffffff);
        uint64_t low = r->ones & 0xffffffff, high = r->ones >> 32;
        assert_int_equal(lab_get64(lab, r->offset), (r->reset & ~UINT64_C(0xffffffff)) | low);
        lab_put32(lab, r->offset, 0);
        lab_put32(lab, r->offset + 4, 0xffffffff);
        assert_int_equal(lab_get64(lab, r->offset), high << 32 | (r->zeros & 0xffffffff));
    }
    hardware_lab_free(lab);
}

/* Status bits, set here as hardware would, survive a write of 0 and go by a write of 1, each alone. */
static void write_one_to_clear(void **state)
{
    const struct known_register *r = *state;
    struct hardware_lab *lab = make_default();
    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t one = UINT64_C(1) << bit;
        if ((r->sticky & one) == 0) {
            continue;
        }
        for (unsigned half = 0; half < r->bytes / 4; half++) {
            lab->u.regs.cell[r->offset / 4 + half] = (uint32_t)(r->sticky >> (32 * half));
        }
        put(lab, r, 0);
        assert_int_equal(get(lab, r), r->sticky);
        put(lab, r, one);
        assert_int_equal(get(lab, r), r->sticky & ~one);
    }
    hardware_lab_free(lab);
}

/* Between and behind the registers there is nothing; odd sizes and addresses do nothing. */
static void reserved_space(void **state)
{
    (void)state;
    struct hardware_lab *lab = make_default();
    bool taken[IOMMU_WINDOW_BYTES / 4] = {false};
    for (size_t i = 0; i < HV_ARRAY_LEN(known); i++) {
        for (uint32_t at = 0; at < known[i].bytes; at += 4) {
            taken[(known[i].offset + at) / 4] = true;
        }
    }
    for (uint32_t offset = 0; offset < IOMMU_FRCD_LOW; offset += 4) {
        if (!taken[offset / 4]) {
            lab_put32(lab, offset, 0xffffffff);
            assert_int_equal(lab_get32(lab, offset), 0);
        }
    }
    /* Eight records, then nothing up to the end of the window and beyond. */
    assert_int_equal(lab_get64(lab, IOMMU_FRCD_LOW + 8 * 16), 0);
    lab_put64(lab, IOMMU_FRCD_LOW + 8 * 16, UINT64_MAX);
    lab_put64(lab, IOMMU_WINDOW_BYTES, UINT64_MAX);
    lab_put64(lab, UINT32_MAX - 7, UINT64_MAX);
    assert_int_equal(lab_get64(lab, UINT32_MAX - 7), 0);
    const unsigned sizes[] = {0, 1, 2, 3, 5, 16};
    for (size_t i = 0; i < HV_ARRAY_LEN(sizes); i++) {
        iommu_write(&lab->u, IOMMU_FEDATA, sizes[i], 0xff, 0);
        assert_int_equal(iommu_read(&lab->u, IOMMU_CAP, sizes[i], 0), 0);
    }
    iommu_write(&lab->u, IOMMU_FEDATA + 1, 4, 0xffffffff, 0);
    iommu_write(&lab->u, IOMMU_FECTL + 4, 8, UINT64_MAX, 0); /* not a multiple of 8 */
    assert_int_equal(lab_get32(lab, IOMMU_FEDATA), 0);
    hardware_lab_free(lab);
}

/* A 64-bit access to two 32-bit registers reaches both. */
static void pairs(void **state)
{
    (void)state;
    struct hardware_lab *lab = make_default();
    lab_put64(lab, IOMMU_FEADDR, UINT64_C(0x12345678fee00004));
    assert_int_equal(lab_get32(lab, IOMMU_FEADDR), 0xfee00004);
    assert_int_equal(lab_get32(lab, IOMMU_FEUADDR), 0x12345678);
    assert_int_equal(lab_get64(lab, IOMMU_FEADDR), UINT64_C(0x12345678fee00004));
    hardware_lab_free(lab);
}

static void reset(void **state)
{
    (void)state;
    struct hardware_lab *lab = make_default();
    for (size_t i = 0; i < HV_ARRAY_LEN(known); i++) {
        if (known[i].offset != IOMMU_GCMD) {
            put(lab, &known[i], UINT64_MAX);
        }
    }
    iommu_reset(&lab->u);
    for (size_t i = 0; i < HV_ARRAY_LEN(known); i++) {
        assert_int_equal(get(lab, &known[i]), known[i].reset);
    }
    hardware_lab_free(lab);
}

/* What a capability is taken away with it: registers that read as zero, and bits that cannot be set. */
struct absence {
    const char *name;
    void (*take)(struct iommu_params *p);
    uint32_t offsets[16];    /* registers that are gone; ends with 0 */
    uint32_t narrowed;       /* a register that loses bits; 0: none */
    uint64_t lost;
    uint64_t cap, ecap;      /* capability bits that are gone */
};

static void take_queue(struct iommu_params *p) { p->queued_invalidation = false; }
static void take_remapping(struct iommu_params *p) { p->interrupt_remapping = false; }
static void take_x2apic(struct iommu_params *p) { p->x2apic = false; }
static void take_scalable(struct iommu_params *p) { p->scalable = false; }
static void take_page_requests(struct iommu_params *p) { p->page_requests = false; }
static void take_posting(struct iommu_params *p) { p->posting = false; }
static void take_device_tlb(struct iommu_params *p) { p->device_tlb = false; }

static const struct absence absences[] = {
    {"queue", take_queue, {0x80, 0x88, 0x90, 0x9c, 0xa0, 0xa4, 0xa8, 0xac, 0xb0, 0xc0, 0xd0, 0xdc, 0xe0}, 0, 0, 0,
     UINT64_C(6) | UINT64_C(1) << 29 | UINT64_C(1) << 42 | UINT64_C(1) << 56},
    {"remapping", take_remapping, {0xb8, 0x44, 0xac, 0xec}, 0, 0, UINT64_C(1) << 59,
     UINT64_C(0x18) | UINT64_C(15) << 20},
    {"x2apic", take_x2apic, {0x44, 0xac, 0xec}, 0xb8, 0x800, 0, 0x10},
    {"scalable", take_scalable, {0xc0, 0xc8, 0xd0, 0xdc, 0xe0, 0xe4, 0xe8, 0xec}, 0x20, 0xc00,
     UINT64_C(1) << 56 | UINT64_C(1) << 60, UINT64_C(0xfffffffff) << 26 & ECAP_VALUE},
    {"scalable_queue", take_scalable, {0xc0}, 0x90, 0x800, UINT64_C(1) << 56 | UINT64_C(1) << 60,
     UINT64_C(0xfffffffff) << 26 & ECAP_VALUE},
    {"page_requests", take_page_requests, {0xc0, 0xc8, 0xd0, 0xdc, 0xe0, 0xe4, 0xe8, 0xec}, 0, 0, 0,
     UINT64_C(1) << 29 | UINT64_C(1) << 42},
    {"posting", take_posting, {0}, 0, 0, UINT64_C(1) << 59, 0},
    {"device_tlb", take_device_tlb, {0xc0, 0xe0}, 0, 0, 0,
     UINT64_C(4) | UINT64_C(1) << 29 | UINT64_C(1) << 42 | UINT64_C(1) << 56},
};

static void absent(void **state)
{
    const struct absence *a = *state;
    struct iommu_params params = lab_params();
    a->take(&params);
    struct hardware_lab *lab = hardware_lab_make(&params);
    assert_int_equal(lab_get64(lab, IOMMU_CAP), CAP_VALUE & ~a->cap);
    assert_int_equal(lab_get64(lab, IOMMU_ECAP), ECAP_VALUE & ~a->ecap);
    for (size_t i = 0; i < HV_ARRAY_LEN(a->offsets) && a->offsets[i] != 0; i++) {
        assert_int_equal(lab_get32(lab, a->offsets[i]), 0);
        lab_put32(lab, a->offsets[i], 0xffffffff);
        assert_int_equal(lab_get32(lab, a->offsets[i]), 0);
    }
    if (a->narrowed != 0) {
        lab_put64(lab, a->narrowed, UINT64_MAX);
        assert_int_equal(lab_get64(lab, a->narrowed) & a->lost, 0);
        assert_int_not_equal(lab_get64(lab, a->narrowed), 0);
    }
    hardware_lab_free(lab);
}

/* Sizes in CAP follow the parameters. */
static void capability_numbers(void **state)
{
    (void)state;
    struct iommu_params params = lab_params();
    params.levels = 1;
    params.large_pages = 1;
    params.fault_records = 256;
    params.caching_mode = true;
    params.physical_bits = 39;
    struct hardware_lab *lab = hardware_lab_make(&params);
    uint64_t cap = lab_get64(lab, IOMMU_CAP);
    assert_int_equal(cap >> 8 & 0x1f, 2);   /* SAGAW: 3 levels */
    assert_int_equal(cap >> 16 & 0x3f, 38); /* MGAW: 39 bits */
    assert_int_equal(cap >> 34 & 0xf, 1);   /* SSLPS: 2 MiB */
    assert_int_equal(cap >> 40 & 0xff, 255);
    assert_int_equal(cap >> 7 & 1, 1);
    lab_put64(lab, IOMMU_RTADDR, UINT64_MAX);
    assert_int_equal(lab_get64(lab, IOMMU_RTADDR), UINT64_C(0x7ffffffc00));
    /* The last of 256 records ends the window. */
    assert_int_equal(IOMMU_FRCD_LOW + 256 * 16, IOMMU_WINDOW_BYTES);
    hardware_lab_free(lab);
}

int main(int argc, char **argv)
{
    static struct CMUnitTest rows[HV_ARRAY_LEN(known)], half[HV_ARRAY_LEN(known)], clear[HV_ARRAY_LEN(known)];
    static struct CMUnitTest gone[HV_ARRAY_LEN(absences)];
    gtest_rows(rows, row, known, sizeof(known[0]), HV_ARRAY_LEN(known));
    gtest_rows(half, halves, known, sizeof(known[0]), HV_ARRAY_LEN(known));
    gtest_rows(clear, write_one_to_clear, known, sizeof(known[0]), HV_ARRAY_LEN(known));
    gtest_rows(gone, absent, absences, sizeof(absences[0]), HV_ARRAY_LEN(absences));
    const struct CMUnitTest space[] = {
        cmocka_unit_test(every_row_is_known), cmocka_unit_test(reserved_space), cmocka_unit_test(pairs),
        cmocka_unit_test(reset), cmocka_unit_test(capability_numbers),
    };
    const struct gtest_suite suites[] = {
        GTEST_SUITE("IommuRegister", rows), GTEST_SUITE("IommuRegisterHalves", half),
        GTEST_SUITE("IommuRegisterClear", clear), GTEST_SUITE("IommuRegisterAbsent", gone),
        GTEST_SUITE("IommuRegisterSpace", space),
    };
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
