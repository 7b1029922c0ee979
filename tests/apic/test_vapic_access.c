/* SPDX-License-Identifier: MIT */
/*
 * Which accesses to the virtual APIC are virtualized, under every combination of controls. The expectations are the
 * lists of SDM Vol. 3C 30.3 to 30.5 (29.3 to 29.5 in editions before 2022), written down once more as ranges.
 */
#include "vlab.h"

#include <string.h>

struct range { uint32_t first, last; };

/* 30.4.2. */
static const struct range readable[] = {
    {0x020, 0x023}, {0x030, 0x033}, {0x080, 0x083}, {0x0b0, 0x0b3}, {0x0d0, 0x0d3}, {0x0e0, 0x0e3}, {0x0f0, 0x0f3},
    {0x100, 0x103}, {0x110, 0x113}, {0x120, 0x123}, {0x130, 0x133}, {0x140, 0x143}, {0x150, 0x153}, {0x160, 0x163},
    {0x170, 0x173}, {0x180, 0x183}, {0x190, 0x193}, {0x1a0, 0x1a3}, {0x1b0, 0x1b3}, {0x1c0, 0x1c3}, {0x1d0, 0x1d3},
    {0x1e0, 0x1e3}, {0x1f0, 0x1f3}, {0x200, 0x203}, {0x210, 0x213}, {0x220, 0x223}, {0x230, 0x233}, {0x240, 0x243},
    {0x250, 0x253}, {0x260, 0x263}, {0x270, 0x273}, {0x280, 0x283}, {0x300, 0x303}, {0x310, 0x313}, {0x320, 0x323},
    {0x330, 0x333}, {0x340, 0x343}, {0x350, 0x353}, {0x360, 0x363}, {0x370, 0x373}, {0x380, 0x383}, {0x3e0, 0x3e3},
};

/* 30.4.3.1. */
static const struct range writable[] = {
    {0x020, 0x023}, {0x080, 0x083}, {0x0b0, 0x0b3}, {0x0d0, 0x0d3}, {0x0e0, 0x0e3}, {0x0f0, 0x0f3}, {0x280, 0x283},
    {0x300, 0x303}, {0x310, 0x313}, {0x320, 0x323}, {0x330, 0x333}, {0x340, 0x343}, {0x350, 0x353}, {0x360, 0x363},
    {0x370, 0x373}, {0x380, 0x383}, {0x3e0, 0x3e3},
};

static bool within(const struct range *ranges, size_t count, uint32_t offset, unsigned bytes)
{
    for (size_t i = 0; i < count; i++) {
        if (offset >= ranges[i].first && offset + bytes - 1 <= ranges[i].last) {
            return true;
        }
    }
    return false;
}

static bool expect_virtualized(unsigned controls, const struct vapic_access *access)
{
    bool write = access->kind == VAPIC_WRITE || access->kind == VAPIC_EVENT_WRITE;
    bool read = access->kind == VAPIC_READ || access->kind == VAPIC_EVENT_READ;
    uint32_t last = access->offset + access->bytes - 1;
    if ((controls & VLAB_TPR) == 0 || !(read || write) || access->bytes > 4) {
        return false;
    }
    if ((access->offset & 12) != 0 || (last & 12) != 0) {
        return false;
    }
    if (access->offset == 0x80) {
        return true;
    }
    if ((controls & VLAB_DELIVERY) != 0 && (access->offset == 0xb0 || access->offset == 0x300)) {
        return true;
    }
    if ((controls & VLAB_IPI) != 0 && write && access->offset == 0x300) {
        return true;
    }
    return (controls & VLAB_REGISTERS) != 0 &&
           (write ? within(writable, HV_ARRAY_LEN(writable), access->offset, access->bytes)
                  : within(readable, HV_ARRAY_LEN(readable), access->offset, access->bytes));
}

/* SDM table 28-6 (27-6): bits 15:12 of the exit qualification. */
static const unsigned access_types[] = {
    [VAPIC_READ] = 0, [VAPIC_WRITE] = 1, [VAPIC_FETCH] = 2, [VAPIC_EVENT_READ] = 3, [VAPIC_EVENT_WRITE] = 3,
    [VAPIC_PHYSICAL_EVENT] = 10, [VAPIC_PHYSICAL] = 15,
};

static void fill_page(struct vlab *lab)
{
    for (uint32_t i = 0; i < 4096; i++) {
        lab->memory.bytes[VLAB_PAGE + i] = (uint8_t)(i * 7 + (i >> 8) + 1);
    }
}

/* What the access must leave behind: the bytes written, or nothing. */
static void check_access(struct vlab *lab, unsigned controls, const struct vapic_access *access)
{
    static uint8_t before[4096];
    const uint8_t *page = lab->memory.bytes + VLAB_PAGE;
    memcpy(before, page, sizeof(before));
    struct vapic_result r = vapic_access(&lab->v, access, 0xc0debeef);
    if (!expect_virtualized(controls, access)) {
        assert_int_equal(r.action, VAPIC_EXIT_ACCESS);
        uint32_t offset = access->kind < VAPIC_PHYSICAL_EVENT ? access->offset : 0;
        assert_int_equal(r.qualification, offset | access_types[access->kind] << 12);
    } else if (access->kind == VAPIC_READ || access->kind == VAPIC_EVENT_READ) {
        uint64_t value = 0;
        memcpy(&value, before + access->offset, access->bytes);
        assert_int_equal(r.action, VAPIC_DONE);
        assert_int_equal(r.value, value);
    } else {
        uint32_t value = 0xc0debeef;
        assert_int_equal(r.action, VAPIC_EMULATE);
        memcpy(before + access->offset, &value, access->bytes);
    }
    assert_memory_equal(before, page, sizeof(before));
}

static void every_access_under_every_control(void **state)
{
    (void)state;
    static const unsigned sizes[] = {1, 2, 3, 4, 8, 16};
    struct vlab lab;
    vlab_init(&lab);
    for (unsigned controls = 0; controls < 16; controls++) {
        vlab_controls(&lab, controls);
        fill_page(&lab);
        for (unsigned kind = VAPIC_READ; kind <= VAPIC_PHYSICAL; kind++) {
            for (uint32_t offset = 0; offset < 4096; offset += offset < 0x400 ? 1 : 61) {
                for (size_t i = 0; i < HV_ARRAY_LEN(sizes); i++) {
                    struct vapic_access access = {offset, sizes[i], (enum vapic_access_kind)kind, 0, 0};
                    check_access(&lab, controls, &access);
                }
            }
        }
    }
    vlab_fini(&lab);
}

/* Of an operation that wrote the page, only the same write again is virtualized. */
static void one_operation_writes_one_place(void **state)
{
    (void)state;
    static const struct { uint32_t offset; unsigned bytes; enum vapic_access_kind kind; bool virtualized; } rows[] = {
        {0x80, 4, VAPIC_WRITE, true}, {0x80, 2, VAPIC_WRITE, false}, {0x300, 4, VAPIC_WRITE, false},
        {0x80, 4, VAPIC_READ, false}, {0x300, 4, VAPIC_READ, false},
    };
    struct vlab lab;
    vlab_init(&lab);
    vlab_controls(&lab, VLAB_TPR | VLAB_REGISTERS);
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct vapic_access access = {rows[i].offset, rows[i].bytes, rows[i].kind, 0x80, 4};
        assert_int_equal(vapic_access(&lab.v, &access, 0).action != VAPIC_EXIT_ACCESS, rows[i].virtualized);
    }
    vlab_fini(&lab);
}

/* 30.4.3.2, for every offset and every control. */
static void emulation_of_every_offset(void **state)
{
    (void)state;
    struct vlab lab;
    vlab_init(&lab);
    for (unsigned controls = 0; controls < 16; controls++) {
        for (uint32_t offset = 0; offset < 4096; offset++) {
            vlab_controls(&lab, controls);
            fill_page(&lab);
            vlab_set(&lab, 0x300, 0x00000700); /* an ICR that nothing virtualizes */
            vlab_set(&lab, 0xb0, 0x12345678);
            lab.v.svi = 0x55;
            struct vapic_result r = vapic_emulate_write(&lab.v, offset);
            if (offset == 0x80) {
                assert_int_equal(r.action, VAPIC_DONE); /* with a threshold of 0 */
                assert_int_equal(vlab_get(&lab, 0x80), (0x80 * 7 + 1) & 0xff);
            } else if (offset == 0xb0 && (controls & VLAB_DELIVERY) != 0) {
                assert_int_equal(r.action, VAPIC_DONE);
                assert_int_equal(vlab_get(&lab, 0xb0), 0);
            } else if (offset >= 0x310 && offset <= 0x313) {
                assert_int_equal(r.action, VAPIC_DONE);
                assert_int_equal(vlab_get(&lab, 0x310), (uint32_t)((0x313 * 7 + 3 + 1) & 0xff) << 24);
            } else {
                assert_int_equal(r.action, VAPIC_EXIT_WRITE);
                assert_int_equal(r.qualification, offset);
            }
        }
    }
    vlab_fini(&lab);
}

/* ---- The ICR ---- */

/* The bits of VICR_LO, one violation at a time and all pairs of fields that decide. */
static const uint32_t icr_bits[] = {
    0, 1u << 8, 2u << 8, 4u << 8, 5u << 8, 7u << 8, 1u << 11, 1u << 12, 1u << 13, 1u << 14, 1u << 15, 1u << 16,
    1u << 17, 1u << 18, 2u << 18, 3u << 18, 1u << 20, 1u << 31,
};

enum icr_outcome { ICR_EXIT, ICR_SELF, ICR_IPI };

static enum icr_outcome expect_icr(unsigned controls, uint32_t icr)
{
    bool clean = (icr >> 20) == 0 && (icr >> 16 & 3) == 0 && (icr >> 12 & 3) == 0;
    bool edge = (icr >> 15 & 1) == 0, fixed = (icr >> 8 & 7) == 0, legal = (icr >> 4 & 15) != 0;
    unsigned shorthand = icr >> 18 & 3;
    if (!clean || !edge || !fixed || !legal) {
        return ICR_EXIT;
    }
    if (shorthand == 1) {
        return (controls & VLAB_DELIVERY) != 0 ? ICR_SELF : ICR_EXIT;
    }
    bool physical = (icr >> 11 & 1) == 0;
    return shorthand == 0 && physical && (controls & VLAB_IPI) != 0 ? ICR_IPI : ICR_EXIT;
}

static uint64_t *descriptor(struct vlab *lab, unsigned n)
{
    return (uint64_t *)(void *)(lab->memory.bytes + VLAB_DESCRIPTORS + 64 * n);
}

static void set_pointer(struct vlab *lab, unsigned n, uint64_t value)
{
    memcpy(lab->memory.bytes + VLAB_TABLE + 8 * n, &value, sizeof(value));
}

static void check_icr(struct vlab *lab, unsigned controls, uint32_t icr)
{
    uint8_t vector = (uint8_t)icr;
    memset(lab->memory.bytes, 0, VLAB_MEMORY_BYTES);
    set_pointer(lab, 3, (VLAB_DESCRIPTORS + 64 * 3) | 1);
    vlab_set(lab, 0x300, icr);
    vlab_set(lab, 0x310, 0x03000000);
    lab->v.rvi = 0;
    struct vapic_result r = vapic_emulate_write(&lab->v, 0x300);
    enum icr_outcome outcome = expect_icr(controls, icr);
    assert_int_equal(r.action, outcome == ICR_EXIT ? VAPIC_EXIT_WRITE : VAPIC_DONE);
    assert_int_equal(r.qualification, outcome == ICR_EXIT ? 0x300 : 0);
    bool requested = (vlab_get(lab, 0x200u + vector / 32u * 16u) >> vector % 32 & 1) != 0;
    bool posted = (descriptor(lab, 3)[vector / 64] >> vector % 64 & 1) != 0;
    assert_int_equal(requested, outcome == ICR_SELF);
    assert_int_equal(posted, outcome == ICR_IPI);
    assert_int_equal(lab->v.rvi, outcome == ICR_SELF ? vector : 0);
    assert_int_equal(r.notification.send, outcome == ICR_IPI);
}

static void every_kind_of_icr(void **state)
{
    (void)state;
    struct vlab lab;
    vlab_init(&lab);
    for (unsigned controls = 0; controls < 16; controls++) {
        vlab_controls(&lab, controls);
        for (size_t i = 0; i < HV_ARRAY_LEN(icr_bits); i++) {
            for (size_t j = i; j < HV_ARRAY_LEN(icr_bits); j++) {
                check_icr(&lab, controls, icr_bits[i] | icr_bits[j] | 0x41);
                check_icr(&lab, controls, icr_bits[i] | icr_bits[j] | 0x0f);
            }
        }
    }
    vlab_fini(&lab);
}

/* 30.1.6: each way in which an entry of the PID-pointer table cannot be used. */
static void pid_pointers_are_checked(void **state)
{
    (void)state;
    static const struct { uint32_t id; uint64_t pointer; uint8_t vector; bool posts; } rows[] = {
        {0, VLAB_DESCRIPTORS | 1, 0x10, true},
        {15, VLAB_DESCRIPTORS | 1, 0xff, true},
        {16, VLAB_DESCRIPTORS | 1, 0x41, false}, /* beyond the last index */
        {UINT32_MAX, VLAB_DESCRIPTORS | 1, 0x41, false},
        {2, VLAB_DESCRIPTORS | 1, 0x0f, false},  /* illegal vector */
        {2, VLAB_DESCRIPTORS, 0x41, false},      /* not valid */
        {2, VLAB_DESCRIPTORS | 3, 0x41, false},  /* reserved bits */
        {2, VLAB_DESCRIPTORS | 0x21, 0x41, false},
        {2, UINT64_C(1) << VLAB_PHYSICAL_BITS | VLAB_DESCRIPTORS | 1, 0x41, false},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct vlab lab;
        vlab_init(&lab);
        vlab_controls(&lab, VLAB_TPR | VLAB_IPI);
        for (unsigned n = 0; n < 17; n++) {
            set_pointer(&lab, n, rows[i].pointer);
        }
        struct vapic_result r = vapic_send_ipi(&lab.v, rows[i].vector, rows[i].id);
        assert_int_equal(r.action, rows[i].posts ? VAPIC_DONE : VAPIC_EXIT_WRITE);
        assert_int_equal(r.qualification, rows[i].posts ? 0 : 0x300);
        assert_int_equal(descriptor(&lab, 0)[rows[i].vector / 64] >> rows[i].vector % 64 & 1, rows[i].posts);
        assert_int_equal(lab.v.stats.ipis, rows[i].posts);
        assert_int_equal(lab.v.stats.exits, !rows[i].posts);
        vlab_fini(&lab);
    }
}

/* ---- CR8 (30.3) ---- */

static void cr8_is_the_virtual_tpr(void **state)
{
    (void)state;
    struct vlab lab;
    vlab_init(&lab);
    assert_int_equal(vapic_read_cr8(&lab.v).action, VAPIC_NORMAL);
    assert_int_equal(vapic_write_cr8(&lab.v, 3).action, VAPIC_NORMAL);
    vlab_controls(&lab, VLAB_TPR);
    for (unsigned threshold = 0; threshold < 16; threshold++) {
        for (unsigned value = 0; value < 16; value++) {
            lab.v.controls.tpr_threshold = (uint8_t)threshold;
            vlab_set(&lab, 0x80, 0xffffffff);
            struct vapic_result r = vapic_write_cr8(&lab.v, value);
            assert_int_equal(r.action, value < threshold ? VAPIC_EXIT_TPR_THRESHOLD : VAPIC_DONE);
            assert_int_equal(vlab_get(&lab, 0x80), value << 4);
            assert_int_equal(vapic_read_cr8(&lab.v).value, value);
        }
    }
    vlab_fini(&lab);
}

/* SDM 27.7.7 (26.7.7): at VM entry, only with "virtualize APIC accesses" and without virtual-interrupt delivery. */
static void entry_looks_at_the_threshold(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 8; bits++) {
        for (unsigned tpr = 0; tpr < 16; tpr++) {
            struct vlab lab;
            vlab_init(&lab);
            vlab_controls(&lab, ((bits & 1) != 0 ? VLAB_TPR : 0u) | ((bits & 2) != 0 ? VLAB_DELIVERY : 0u));
            lab.v.controls.virtualize_apic_accesses = (bits & 4) != 0;
            lab.v.controls.tpr_threshold = 9;
            vlab_set(&lab, 0x80, tpr << 4);
            assert_int_equal(vapic_enter(&lab.v).action,
                             bits == 5 && tpr < 9 ? VAPIC_EXIT_TPR_THRESHOLD : VAPIC_DONE);
            vlab_fini(&lab);
        }
    }
}

/* ---- MSRs (30.5) ---- */

static void every_msr_read_under_every_control(void **state)
{
    (void)state;
    struct vlab lab;
    vlab_init(&lab);
    fill_page(&lab);
    for (unsigned controls = 0; controls < 32; controls++) {
        vlab_controls(&lab, controls);
        for (uint32_t index = 0x7f0; index < 0x910; index++) {
            struct vapic_result r = vapic_read_msr(&lab.v, index);
            bool range = index >= 0x800 && index <= 0x8ff && (controls & VLAB_X2APIC) != 0;
            bool virtualized = range && (index == 0x808 || (controls & VLAB_REGISTERS) != 0);
            assert_int_equal(r.action, virtualized ? VAPIC_DONE : VAPIC_NORMAL);
            if (virtualized) {
                uint64_t value;
                memcpy(&value, lab.memory.bytes + VLAB_PAGE + (index & 0xff) * 16, sizeof(value));
                assert_int_equal(r.value, value);
            }
        }
    }
    vlab_fini(&lab);
}

static bool special(unsigned controls, uint32_t index)
{
    bool delivery = (controls & VLAB_DELIVERY) != 0;
    return (controls & VLAB_X2APIC) != 0 &&
           (index == 0x808 || (index == 0x80b && delivery) || (index == 0x83f && delivery) ||
            (index == 0x830 && (controls & VLAB_IPI) != 0));
}

/* The bit that a write may not set: 808H and 83FH all but 7:0, 80BH all, 830H 31:20, 17:16 and 13. */
static bool reserved(uint32_t index, unsigned bit)
{
    switch (index) {
    case 0x80b: return true;
    case 0x830: return bit == 13 || bit == 16 || bit == 17 || (bit >= 20 && bit < 32);
    default: return bit >= 8;
    }
}

static void every_msr_write_under_every_control(void **state)
{
    (void)state;
    struct vlab lab;
    vlab_init(&lab);
    for (unsigned controls = 0; controls < 32; controls++) {
        for (uint32_t index = 0x7f0; index < 0x910; index++) {
            for (unsigned bit = 0; bit < 64; bit++) {
                vlab_controls(&lab, controls);
                struct vapic_result r = vapic_write_msr(&lab.v, index, UINT64_C(1) << bit);
                if (!special(controls, index)) {
                    assert_int_equal(r.action, VAPIC_NORMAL);
                } else if (reserved(index, bit)) {
                    assert_int_equal(r.action, VAPIC_FAULT);
                } else if (index == 0x830 || (index == 0x83f && bit < 4)) {
                    /* No ICR of a single bit is virtualized: its vector is illegal or its target has no descriptor. */
                    assert_int_equal(r.action, VAPIC_EXIT_WRITE);
                    assert_int_equal(r.qualification, index == 0x830 ? 0x300 : 0x3f0);
                } else {
                    assert_int_equal(r.action, VAPIC_DONE);
                }
                assert_int_equal(r.action == VAPIC_NORMAL || r.action == VAPIC_FAULT, lab.v.stats.writes == 0);
                lab.v.stats = (struct vapic_stats){0};
            }
        }
    }
    vlab_fini(&lab);
}

/* 30.5: the whole ICR is stored at 300H, and its upper half is the virtual APIC ID. */
static void an_icr_msr_posts(void **state)
{
    (void)state;
    struct vlab lab;
    vlab_init(&lab);
    vlab_controls(&lab, VLAB_TPR | VLAB_X2APIC | VLAB_IPI);
    set_pointer(&lab, 5, (VLAB_DESCRIPTORS + 64 * 5) | 1);
    descriptor(&lab, 5)[4] = UINT64_C(0x00000abc) << 32 | 0xf2u << 16;
    struct vapic_result r = vapic_write_msr(&lab.v, 0x830, UINT64_C(5) << 32 | 0x4041);
    assert_int_equal(r.action, VAPIC_DONE);
    assert_true(r.notification.send);
    assert_int_equal(r.notification.vector, 0xf2);
    assert_int_equal(r.notification.ndst, 0xabc);
    assert_int_equal(vlab_get(&lab, 0x300), 0x4041);
    assert_int_equal(vlab_get(&lab, 0x304), 5);
    assert_int_equal(descriptor(&lab, 5)[1], UINT64_C(1) << (0x41 - 64));
    assert_int_equal(descriptor(&lab, 5)[4] & 3, 1);
    static const uint32_t refused[] = {0x4141, 0x4841, 0x5041, 0xc041, 0x44041, 0x84041, 0xc4041};
    for (size_t i = 0; i < HV_ARRAY_LEN(refused); i++) {
        assert_int_equal(vapic_write_msr(&lab.v, 0x830, UINT64_C(5) << 32 | refused[i]).action, VAPIC_EXIT_WRITE);
        assert_int_equal(vlab_get(&lab, 0x300), refused[i]);
    }
    vlab_fini(&lab);
}

static void a_self_ipi_msr_needs_a_legal_vector(void **state)
{
    (void)state;
    for (unsigned vector = 0; vector < 256; vector++) {
        struct vlab lab;
        vlab_init(&lab);
        vlab_controls(&lab, VLAB_TPR | VLAB_X2APIC | VLAB_DELIVERY);
        struct vapic_result r = vapic_write_msr(&lab.v, 0x83f, vector);
        assert_int_equal(r.action, vector < 16 ? VAPIC_EXIT_WRITE : VAPIC_DONE);
        assert_int_equal(r.qualification, vector < 16 ? 0x3f0 : 0);
        assert_int_equal(lab.v.rvi, vector < 16 ? 0 : vector);
        assert_int_equal(vlab_get(&lab, 0x3f0), vector);
        vlab_fini(&lab);
    }
}

GTEST_MAIN("VirtualApicAccess", cmocka_unit_test(every_access_under_every_control),
           cmocka_unit_test(one_operation_writes_one_place), cmocka_unit_test(emulation_of_every_offset),
           cmocka_unit_test(every_kind_of_icr), cmocka_unit_test(pid_pointers_are_checked),
           cmocka_unit_test(cr8_is_the_virtual_tpr), cmocka_unit_test(entry_looks_at_the_threshold),
           cmocka_unit_test(every_msr_read_under_every_control), cmocka_unit_test(every_msr_write_under_every_control),
           cmocka_unit_test(an_icr_msr_posts), cmocka_unit_test(a_self_ipi_msr_needs_a_legal_vector))
