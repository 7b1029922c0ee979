/* SPDX-License-Identifier: MIT */
/* Interrupt remapping and posting: formats, entries, every fault, the cache, time. */
#include "hardware_lab.h"

#include "iommu/iommu_faults.h"

enum { SOURCE = 0x0108, ENTRIES_LOG2 = 8, IRTE_P = 1, IRTE_FPD = 2, IRTE_URG = 1 << 14, IRTE_IM = 1 << 15 };

/* On, with 256 entries at LAB_INTERRUPTS. */
static struct hardware_lab *make_with(const struct iommu_params *params, bool x2apic)
{
    struct hardware_lab *lab = hardware_lab_make(params);
    lab_put64(lab, IOMMU_IRTA, (uint64_t)LAB_INTERRUPTS | (x2apic ? 1 << 11 : 0) | (ENTRIES_LOG2 - 1));
    lab_command(lab, IOMMU_GSTS_IRTPS, true);
    lab_command(lab, IOMMU_GSTS_IRES, true);
    return lab;
}

static struct hardware_lab *make(bool x2apic)
{
    struct iommu_params params = lab_params();
    return make_with(&params, x2apic);
}

static void set_entry(struct hardware_lab *lab, uint32_t index, uint64_t low, uint64_t high)
{
    lab_poke(lab, LAB_INTERRUPTS + 16 * index, low);
    lab_poke(lab, LAB_INTERRUPTS + 16 * index + 8, high);
}

/* The address of VT-d "Interrupt Requests in Remappable Format": handle 14:0 in 19:5, handle 15 in 2, SHV in 3. */
static uint64_t address_of(uint32_t handle, bool subhandle)
{
    return 0xfee00010 | (handle & 0x7fff) << 5 | handle >> 15 << 2 | (subhandle ? 8u : 0);
}

static struct iommu_interrupt raise(struct hardware_lab *lab, uint16_t source, uint64_t address, uint32_t data)
{
    return iommu_interrupt(&lab->u, source, address, data, 1000);
}

/* Without remapping the bits of the MSI are the interrupt, whatever its format bit. */
static void off(void **state)
{
    (void)state;
    struct iommu_params params = lab_params();
    struct hardware_lab *lab = hardware_lab_make(&params);
    struct iommu_interrupt i = raise(lab, SOURCE, 0xfeeab00c | 1 << 4, 0xc731);
    assert_true(i.ok && !i.posted && i.fault == 0);
    assert_int_equal(i.vector, 0x31);
    assert_int_equal(i.delivery_mode, 7);
    assert_int_equal(i.trigger, 1);
    assert_int_equal(i.destination, 0xab);
    assert_int_equal(i.destination_mode, 1);
    assert_int_equal(i.redirection_hint, 1);
    assert_int_equal(i.done, 1000);
    assert_false(raise(lab, SOURCE, 0xfed00000, 0x31).ok); /* no interrupt */
    assert_false(raise(lab, SOURCE, UINT64_C(0x1fee00000), 0x31).ok);
    assert_int_equal(lab->u.stats.faults, 0);
    hardware_lab_free(lab);
}

/* CFIS lets the compatibility format pass, but not in x2APIC mode. */
static void compatibility(void **state)
{
    (void)state;
    for (int x2apic = 0; x2apic < 2; x2apic++) {
        for (int on = 0; on < 2; on++) {
            struct hardware_lab *lab = make(x2apic);
            lab_command(lab, IOMMU_GSTS_CFIS, on);
            struct iommu_interrupt i = raise(lab, SOURCE, 0xfee05000, 0x31);
            assert_int_equal(i.ok, on && !x2apic);
            assert_int_equal(i.fault, on && !x2apic ? 0 : 0x25);
            assert_int_equal(i.ok ? i.destination : 5, 5);
            hardware_lab_free(lab);
        }
    }
}

/* Each field of a remapped entry: DM 2, RH 3, TM 4, DLM 7:5, vector 23:16, DST. AVAIL 11:8 is software's. */
static void remapped_fields(void **state)
{
    (void)state;
    for (int x2apic = 0; x2apic < 2; x2apic++) {
        struct hardware_lab *lab = make(x2apic);
        uint64_t destination = x2apic ? UINT64_C(0x12345678) : UINT64_C(0x5600);
        set_entry(lab, 3, destination << 32 | 0x72 << 16 | 0xf << 8 | IRTE_P, 0);
        struct iommu_interrupt plain = raise(lab, SOURCE, address_of(3, false), 0xffffffff); /* data is ignored */
        assert_true(plain.ok && !plain.posted);
        assert_int_equal(plain.vector, 0x72);
        assert_int_equal(plain.destination, x2apic ? 0x12345678 : 0x56);
        assert_int_equal(plain.delivery_mode | plain.trigger | plain.destination_mode | plain.redirection_hint, 0);
        set_entry(lab, 4, destination << 32 | 0x72 << 16 | 4 << 5 | 1 << 4 | 1 << 3 | 1 << 2 | IRTE_P, 0);
        struct iommu_interrupt full = raise(lab, SOURCE, address_of(4, false), 0);
        assert_int_equal(full.delivery_mode, 4);
        assert_true(full.trigger == 1 && full.destination_mode == 1 && full.redirection_hint == 1);
        assert_int_equal(lab->u.stats.interrupts_remapped, 2);
        hardware_lab_free(lab);
    }
}

/* The index is the handle, plus the subhandle when SHV is set; bit 15 of the handle lies apart. */
static void indices(void **state)
{
    (void)state;
    struct iommu_params params = lab_params();
    struct hardware_lab *lab = hardware_lab_make(&params);
    lab_put64(lab, IOMMU_IRTA, HV_MIB(4) | 15); /* 65536 entries */
    lab_command(lab, IOMMU_GSTS_IRTPS, true);
    lab_command(lab, IOMMU_GSTS_IRES, true);
    static const struct { uint32_t handle, data; bool shv; uint32_t index; } rows[] = {
        {0, 0, false, 0}, {0x7fff, 0, false, 0x7fff}, {0x8000, 0, false, 0x8000}, {0xffff, 9, false, 0xffff},
        {0x1000, 0x234, true, 0x1234}, {0, 0xffff, true, 0xffff}, {0x8000, 0x7fff, true, 0xffff},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        lab_poke(lab, HV_MIB(4) + 16 * rows[i].index, (uint64_t)(0x20 + i) << 16 | IRTE_P);
        lab_poke(lab, HV_MIB(4) + 16 * rows[i].index + 8, 0);
    }
    lab_poke(lab, HV_MIB(4) + 16 * 0xffff, UINT64_C(0x99) << 16 | IRTE_P);
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct iommu_interrupt r = raise(lab, SOURCE, address_of(rows[i].handle, rows[i].shv), rows[i].data);
        assert_true(r.ok);
        assert_int_equal(r.vector, rows[i].index == 0xffff ? 0x99 : 0x20 + i);
    }
    assert_int_equal(raise(lab, SOURCE, address_of(0xffff, true), 1).fault, 0x21);
    hardware_lab_free(lab);
}

/* "Interrupt Remapping Fault Conditions": an entry or a request that goes wrong, and the reason's number. */
struct known_fault {
    const char *name;
    uint64_t low, high;       /* entry 3 */
    uint32_t handle, data;
    bool shv, x2apic;
    uint8_t reason;
    uint64_t descriptor[8];   /* the posted-interrupt descriptor */
};

/* A posted entry whose descriptor is at LAB_DESCRIPTORS. */
#define POSTED ((uint64_t)LAB_DESCRIPTORS << 32 | 0x44 << 16 | IRTE_IM | IRTE_P)
#define GOOD (UINT64_C(0x5600) << 32 | 0x72 << 16 | IRTE_P)

static const struct known_fault faults[] = {
    {"20_subhandle_31_16", GOOD, 0, 3, 0x10000, true, false, 0x20, {0}},
    {"21_index", GOOD, 0, 256, 0, false, false, 0x21, {0}},
    {"21_index_with_subhandle", GOOD, 0, 255, 1, true, false, 0x21, {0}},
    {"22_not_present", GOOD & ~UINT64_C(1), 0, 3, 0, false, false, 0x22, {0}},
    {"24_low_12", GOOD | 1 << 12, 0, 3, 0, false, false, 0x24, {0}},
    {"24_low_14", GOOD | 1 << 14, 0, 3, 0, false, false, 0x24, {0}},
    {"24_low_24", GOOD | 1 << 24, 0, 3, 0, false, false, 0x24, {0}},
    {"24_low_31", GOOD | UINT64_C(1) << 31, 0, 3, 0, false, true, 0x24, {0}},
    {"24_high_20", GOOD, 1 << 20, 3, 0, false, false, 0x24, {0}},
    {"24_high_63", GOOD, UINT64_C(1) << 63, 3, 0, false, true, 0x24, {0}},
    {"24_xapic_destination_low", GOOD | UINT64_C(1) << 32, 0, 3, 0, false, false, 0x24, {0}},
    {"24_xapic_destination_high", GOOD | UINT64_C(1) << 48, 0, 3, 0, false, false, 0x24, {0}},
    {"24_posted_2", POSTED | 1 << 2, 0, 3, 0, false, false, 0x24, {0}},
    {"24_posted_7", POSTED | 1 << 7, 0, 3, 0, false, false, 0x24, {0}},
    {"24_posted_12", POSTED | 1 << 12, 0, 3, 0, false, false, 0x24, {0}},
    {"24_posted_37", POSTED | UINT64_C(1) << 37, 0, 3, 0, false, false, 0x24, {0}},
    {"24_posted_high_20", POSTED, 1 << 20, 3, 0, false, false, 0x24, {0}},
    {"24_posted_high_31", POSTED, UINT64_C(1) << 31, 3, 0, false, false, 0x24, {0}},
    {"26_source", GOOD, 1 << 18 | 0x0200, 3, 0, false, false, 0x26, {0}},
    {"26_bus", GOOD, 2 << 18 | 0x0203, 3, 0, false, false, 0x26, {0}},
    {"26_svt_3", GOOD, 3 << 18 | SOURCE, 3, 0, false, false, 0x26, {0}},
    {"26_posted", POSTED, 1 << 18 | 0x0200, 3, 0, false, false, 0x26, {0}},
    {"27_descriptor_beyond_memory", POSTED, UINT64_C(1) << 32, 3, 0, false, false, 0x27, {0}},
    {"28_descriptor_258", POSTED, 0, 3, 0, false, false, 0x28, {0, 0, 0, 0, 1 << 2}},
    {"28_descriptor_287", POSTED, 0, 3, 0, false, false, 0x28, {0, 0, 0, 0, UINT64_C(1) << 31}},
    {"28_descriptor_320", POSTED, 0, 3, 0, false, false, 0x28, {0, 0, 0, 0, 0, 1}},
    {"28_descriptor_511", POSTED, 0, 3, 0, false, false, 0x28, {0, 0, 0, 0, 0, 0, 0, UINT64_C(1) << 63}},
};

static void run_fault(const struct known_fault *k, bool disable)
{
    struct hardware_lab *lab = make(k->x2apic);
    set_entry(lab, 3, k->low | (disable ? IRTE_FPD : 0), k->high);
    for (unsigned w = 0; w < 8; w++) {
        lab_poke(lab, LAB_DESCRIPTORS + 8 * w, k->descriptor[w]);
    }
    struct iommu_interrupt i = raise(lab, SOURCE, address_of(k->handle, k->shv), k->data);
    assert_true(!i.ok && !i.posted && !i.notify);
    assert_int_equal(i.fault, k->reason);
    assert_int_equal(lab->posts, 0);
    assert_int_equal(lab->u.stats.interrupts_blocked, 1);
    uint64_t record = lab_get64(lab, IOMMU_FRCD_HIGH);
    bool recorded = !disable || !iommu_fault_find(k->reason)->qualified;
    assert_int_equal(record >> 63, recorded);
    if (recorded) {
        uint32_t index = k->reason == 0x20 ? 0 : k->handle + (k->shv ? k->data : 0);
        assert_int_equal(record & 0xffff, SOURCE);
        assert_int_equal(record >> 32 & 0xff, k->reason);
        assert_int_equal(lab_get64(lab, IOMMU_FRCD_LOW) >> 48, index);
    }
    hardware_lab_free(lab);
}

static void fault(void **state)
{
    run_fault(*state, false);
    run_fault(*state, true);
}

/* 23H: there is no memory where the table should be. */
static void unreadable_entry(void **state)
{
    (void)state;
    struct iommu_params params = lab_params();
    struct hardware_lab *lab = hardware_lab_make(&params);
    lab_put64(lab, IOMMU_IRTA, HV_MIB(16) | 7);
    lab_command(lab, IOMMU_GSTS_IRTPS, true);
    lab_command(lab, IOMMU_GSTS_IRES, true);
    assert_int_equal(raise(lab, SOURCE, address_of(3, false), 0).fault, 0x23);
    assert_int_equal(lab_get64(lab, IOMMU_FRCD_HIGH), UINT64_C(1) << 63 | UINT64_C(0x23) << 32 | SOURCE);
    hardware_lab_free(lab);
}

/* 27H: the descriptor can be read, and not be written. Beside that memory all is well. */
static void read_only_descriptor(void **state)
{
    (void)state;
    static const struct { uint64_t base, bytes; uint8_t fault; } rows[] = {
        {LAB_DESCRIPTORS, 64, 0x27}, {LAB_DESCRIPTORS + 63, 1, 0x27}, {LAB_DESCRIPTORS - 64, 65, 0x27},
        {LAB_DESCRIPTORS - 64, 64, 0}, {LAB_DESCRIPTORS + 64, 64, 0}, {LAB_DESCRIPTORS, 0, 0},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct iommu_params params = lab_params();
        params.rom_base = rows[i].base;
        params.rom_bytes = rows[i].bytes;
        struct hardware_lab *lab = make_with(&params, false);
        set_entry(lab, 3, POSTED, 0);
        struct iommu_interrupt r = raise(lab, SOURCE, address_of(3, false), 0);
        assert_int_equal(r.ok, rows[i].fault == 0);
        assert_int_equal(r.fault, rows[i].fault);
        assert_int_equal(lab->posts, rows[i].fault == 0);
        hardware_lab_free(lab);
    }
}

/*
 * 29H: a read of the interrupt address range, or a write that is not of 4 bytes. With translation and remapping off
 * nobody records it; a request with PASID is a DMA like any other.
 */
static void no_interrupt_at_all(void **state)
{
    (void)state;
    static const struct { enum iommu_access access; uint32_t bytes; uint8_t fault; } rows[] = {
        {IOMMU_READ, 4, 0x29}, {IOMMU_READ, 64, 0x29}, {IOMMU_WRITE, 8, 0x29}, {IOMMU_WRITE, 2, 0x29},
        {IOMMU_WRITE, 4, 0},
    };
    for (size_t i = 0; i < 2 * HV_ARRAY_LEN(rows); i++) {
        bool on = i % 2 == 0;
        struct iommu_params params = lab_params();
        struct hardware_lab *lab = on ? make(false) : hardware_lab_make(&params);
        struct iommu_request r = {.source = SOURCE, .address = 0xfee00010, .bytes = rows[i / 2].bytes,
                                  .access = rows[i / 2].access};
        struct iommu_reply reply = iommu_translate(&lab->u, &r, 0);
        uint8_t fault = on ? rows[i / 2].fault : 0;
        assert_false(reply.ok);
        assert_int_equal(reply.fault, fault);
        assert_int_equal(lab_get64(lab, IOMMU_FRCD_HIGH),
                         fault != 0 ? UINT64_C(1) << 63 | UINT64_C(0x29) << 32 | SOURCE : 0);
        hardware_lab_free(lab);
    }
}

/* 2AH and 2BH: hardware that takes interrupts only remapped, and only with 32-bit destinations. */
static void required_modes(void **state)
{
    (void)state;
    for (unsigned mode = 0; mode < 8; mode++) {
        bool x2apic = (mode & 1) != 0, on = (mode & 2) != 0, required = (mode & 4) != 0;
        struct iommu_params params = lab_params();
        params.x2apic_required = params.remapping_required = required;
        struct hardware_lab *lab = hardware_lab_make(&params);
        lab_put64(lab, IOMMU_IRTA, (uint64_t)LAB_INTERRUPTS | (x2apic ? 1 << 11 : 0) | (ENTRIES_LOG2 - 1));
        lab_command(lab, IOMMU_GSTS_IRTPS, true);
        lab_command(lab, IOMMU_GSTS_IRES, on);
        set_entry(lab, 3, GOOD, 0);
        uint8_t fault = !required ? 0 : !on ? 0x2b : !x2apic ? 0x2a : 0;
        struct iommu_interrupt r = raise(lab, SOURCE, address_of(3, false), 0);
        assert_int_equal(r.fault, fault);
        assert_int_equal(r.ok, fault == 0);
        assert_int_equal(lab->u.stats.faults_recorded, fault != 0);
        assert_int_equal(lab_get64(lab, IOMMU_ECAP) >> 61 & 3, required ? 3 : 0);
        hardware_lab_free(lab);
    }
}

/* Without remapping at all nothing of it can be required. */
static void requirements_need_remapping(void **state)
{
    (void)state;
    struct iommu_params params = lab_params();
    params.x2apic_required = params.remapping_required = true;
    params.interrupt_remapping = false;
    struct hardware_lab *lab = hardware_lab_make(&params);
    assert_int_equal(lab_get64(lab, IOMMU_ECAP) >> 61 & 3, 0);
    assert_true(raise(lab, SOURCE, 0xfee00000, 0x31).ok);
    hardware_lab_free(lab);
}

/* Every interrupt reason has a row, or is met here: the same message to hardware in five states. */
static void all_reasons(void **state)
{
    (void)state;
    static const struct { uint8_t reason; bool on, required, no_table; uint64_t address; uint32_t bytes; } others[] = {
        {0x23, true, false, true, 0xfee00010, 4}, {0x25, true, false, false, 0xfee00000, 4},
        {0x29, true, false, false, 0xfee00010, 8}, {0x2a, true, true, false, 0xfee00010, 4},
        {0x2b, false, true, false, 0xfee00010, 4},
    };
    bool met[256] = {false};
    for (size_t i = 0; i < HV_ARRAY_LEN(others); i++) {
        struct iommu_params params = lab_params();
        params.x2apic_required = params.remapping_required = others[i].required;
        struct hardware_lab *lab = hardware_lab_make(&params);
        lab_put64(lab, IOMMU_IRTA, (others[i].no_table ? HV_MIB(16) : (uint64_t)LAB_INTERRUPTS) | (ENTRIES_LOG2 - 1));
        lab_command(lab, IOMMU_GSTS_IRTPS, true);
        lab_command(lab, IOMMU_GSTS_IRES, others[i].on);
        struct iommu_request write = {
            .source = SOURCE, .address = others[i].address, .bytes = others[i].bytes, .access = IOMMU_WRITE,
        };
        if (iommu_translate(&lab->u, &write, 0).fault == 0) { /* a write of 4 bytes is an interrupt */
            raise(lab, SOURCE, others[i].address, 0);
        }
        assert_int_equal(lab_get64(lab, IOMMU_FRCD_HIGH) >> 32 & 0xff, others[i].reason);
        met[others[i].reason] = true;
        hardware_lab_free(lab);
    }
    for (size_t k = 0; k < HV_ARRAY_LEN(faults); k++) {
        met[faults[k].reason] = true;
    }
    for (size_t i = 0; i < iommu_fault_count; i++) {
        assert_true(met[iommu_fault_rows[i].number] || iommu_fault_rows[i].area != IOMMU_AREA_INTERRUPT);
    }
}

/* Before the table is set by SIRTP it has no entry at all. */
static void no_table(void **state)
{
    (void)state;
    struct iommu_params params = lab_params();
    struct hardware_lab *lab = hardware_lab_make(&params);
    lab_command(lab, IOMMU_GSTS_IRES, true);
    assert_int_equal(raise(lab, SOURCE, address_of(0, false), 0).fault, 0x21);
    hardware_lab_free(lab);
}

/* SVT and SQ: who may use an entry that names function 01:01.0 (0108H), or buses 1 to 3. */
static void sources(void **state)
{
    (void)state;
    static const struct { uint64_t high; uint16_t source; bool ok; } rows[] = {
        {0x0108, 0xffff, true},                                       /* SVT 00: anyone */
        {1 << 18 | 0x0108, 0x0108, true}, {1 << 18 | 0x0108, 0x0109, false}, {1 << 18 | 0x0108, 0x0208, false},
        {1 << 18 | 1 << 16 | 0x0108, 0x010c, true}, {1 << 18 | 1 << 16 | 0x0108, 0x010a, false},
        {1 << 18 | 2 << 16 | 0x0108, 0x010e, true}, {1 << 18 | 2 << 16 | 0x0108, 0x0109, false},
        {1 << 18 | 3 << 16 | 0x0108, 0x010f, true}, {1 << 18 | 3 << 16 | 0x0108, 0x0110, false},
        {2 << 18 | 0x0103, 0x0100, true}, {2 << 18 | 0x0103, 0x02ff, true}, {2 << 18 | 0x0103, 0x03ff, true},
        {2 << 18 | 0x0103, 0x00ff, false}, {2 << 18 | 0x0103, 0x0400, false},
        {2 << 18 | 3 << 16 | 0x0301, 0x0200, false},                  /* from 3 to 1: nobody */
    };
    struct iommu_params params = lab_params();
    params.interrupt_cache.entries = 0;
    struct hardware_lab *lab = make_with(&params, false);
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        set_entry(lab, 3, GOOD, rows[i].high);
        struct iommu_interrupt r = raise(lab, rows[i].source, address_of(3, false), 0);
        assert_int_equal(r.ok, rows[i].ok);
        assert_int_equal(r.fault, rows[i].ok ? 0 : 0x26);
    }
    hardware_lab_free(lab);
}

/* Without posting IM is a reserved bit. */
static void posting_absent(void **state)
{
    (void)state;
    struct iommu_params params = lab_params();
    params.posting = false;
    struct hardware_lab *lab = make_with(&params, false);
    set_entry(lab, 3, POSTED, 0);
    assert_int_equal(raise(lab, SOURCE, address_of(3, false), 0).fault, 0x24);
    hardware_lab_free(lab);
}

enum { ON = 1, SN = 2 };

/* ON and SN before, and whether the entry is urgent: whether a notification is sent, and ON after. */
static void posting(void **state)
{
    (void)state;
    static const struct { uint64_t control; bool urgent, notify; uint64_t after; } rows[] = {
        {0, false, true, ON}, {0, true, true, ON}, {ON, false, false, ON}, {ON, true, false, ON},
        {SN, false, false, SN}, {SN, true, true, SN | ON}, {ON | SN, false, false, ON | SN},
        {ON | SN, true, false, ON | SN},
    };
    for (int x2apic = 0; x2apic < 2; x2apic++) {
        struct hardware_lab *lab = make(x2apic);
        for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
            uint64_t place = LAB_DESCRIPTORS + 64 * i, target = UINT64_C(0x00005600) << 32 | UINT64_C(0xf2) << 16;
            lab_poke(lab, place + 32, target | rows[i].control);
            uint64_t urgent = rows[i].urgent ? IRTE_URG : 0;
            set_entry(lab, (uint32_t)i, place << 32 | 0x44 << 16 | urgent | IRTE_IM | IRTE_P, 0);
            struct iommu_interrupt r = raise(lab, SOURCE, address_of((uint32_t)i, false), 0);
            assert_true(r.ok && r.posted);
            assert_int_equal(r.notify, rows[i].notify);
            assert_int_equal(r.vector, rows[i].notify ? 0xf2 : 0);
            assert_int_equal(r.destination, !rows[i].notify ? 0 : x2apic ? 0x5600 : 0x56);
            assert_int_equal(lab_peek(lab, place + 8), UINT64_C(1) << 4); /* vector 44H is bit 68 of the PIR */
            assert_int_equal(lab_peek(lab, place + 32), target | rows[i].after);
        }
        assert_int_equal(lab->u.stats.interrupts_posted, HV_ARRAY_LEN(rows));
        hardware_lab_free(lab);
    }
}

/* The upper half of the descriptor's address is in the entry's upper half. */
static void descriptor_address(void **state)
{
    (void)state;
    const struct iommu_irte e = {.low = UINT64_C(0xabcdefc0) << 32 | 0xffff, .high = UINT64_C(0x12345678) << 32 | 0xf};
    assert_int_equal(iommu_irte_descriptor(&e), UINT64_C(0x12345678abcdefc0));
    struct iommu_irte back = iommu_irte_of_descriptor(UINT64_C(0x12345678abcdefc0));
    assert_int_equal(back.low, UINT64_C(0xabcdefc0) << 32);
    assert_int_equal(back.high, UINT64_C(0x12345678) << 32);
    assert_int_equal(iommu_request_address(0x8003, true), address_of(0x8003, true));
    assert_int_equal(iommu_request_address(0x7fff, false), address_of(0x7fff, false));
}

/* A cached entry costs hit_cycles, one from memory a line more, a posted one the descriptor's line. */
static void times(void **state)
{
    (void)state;
    struct iommu_params params = lab_params();
    params.hit_cycles = 20;
    struct hardware_lab *lab = make_with(&params, false);
    set_entry(lab, 3, GOOD, 0);
    set_entry(lab, 4, POSTED, 0);
    assert_int_equal(raise(lab, SOURCE, address_of(3, false), 0).done, 1000 + 20 + LAB_READ_CYCLES);
    assert_int_equal(raise(lab, SOURCE, address_of(3, false), 0).done, 1000 + 20);
    assert_int_equal(raise(lab, SOURCE, address_of(4, false), 0).done, 1000 + 20 + 2 * LAB_READ_CYCLES);
    size_t writes = lab->writes;
    assert_int_equal(raise(lab, SOURCE, address_of(4, false), 0).done, 1000 + 20 + LAB_READ_CYCLES);
    assert_int_equal(lab->writes, writes + 1);
    assert_int_equal(lab->last_written_line, LAB_DESCRIPTORS / 64);
    assert_int_equal(lab->u.interrupt_cache.stats.hits, 2);
    assert_int_equal(lab->u.interrupt_cache.stats.misses, 2);
    hardware_lab_free(lab);
}

static void push_invalidation(struct hardware_lab *lab, uint64_t low)
{
    lab_push(lab, low, 0);
    assert_int_equal(lab_get64(lab, IOMMU_IQERCD), 0);
}

/* What is cached stays until its index is invalidated, alone or with 2^mask others, or all are. */
static void invalidations(void **state)
{
    (void)state;
    static const struct { uint64_t low; uint32_t from, to; } rows[] = { /* what goes */
        {4, 0, 255}, {4 | 1 << 4 | UINT64_C(5) << 32, 5, 5},
        {4 | 1 << 4 | UINT64_C(2) << 27 | UINT64_C(5) << 32, 4, 7},
        {4 | 1 << 4 | UINT64_C(15) << 27, 0, 255}, {4 | 1 << 4 | UINT64_C(4) << 27 | UINT64_C(16) << 32, 16, 31},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct hardware_lab *lab = make(false);
        lab_queue(lab, false);
        iommu_check_stale(&lab->u, true);
        for (uint32_t index = 0; index < 64; index++) {
            set_entry(lab, index, GOOD, 0);
            raise(lab, SOURCE, address_of(index, false), 0);
            set_entry(lab, index, GOOD ^ 1 << 16, 0); /* vector 73H */
        }
        push_invalidation(lab, rows[i].low);
        size_t stale = 0;
        for (uint32_t index = 0; index < 64; index++) {
            bool gone = index >= rows[i].from && index <= rows[i].to;
            assert_int_equal(raise(lab, SOURCE, address_of(index, false), 0).vector, gone ? 0x73 : 0x72);
            stale += !gone;
            assert_int_equal(lab->u.stats.stale_found, stale);
        }
        hardware_lab_free(lab);
    }
}

/* Sets and ways: with 2 entries of one set the least recent goes. Without the cache memory is asked each time. */
static void cache_geometry(void **state)
{
    (void)state;
    struct iommu_params params = lab_params();
    params.interrupt_cache.entries = 4;
    params.interrupt_cache.ways = 2;
    struct hardware_lab *lab = make_with(&params, false);
    for (uint32_t index = 0; index < 8; index++) {
        set_entry(lab, index, GOOD, 0);
    }
    const uint32_t walk[] = {0, 2, 0, 4, 0, 2}; /* all in set 0: misses 0, 2, 4 and 2 again */
    for (size_t i = 0; i < HV_ARRAY_LEN(walk); i++) {
        raise(lab, SOURCE, address_of(walk[i], false), 0);
    }
    assert_int_equal(lab->u.interrupt_cache.stats.misses, 4);
    assert_int_equal(lab->u.interrupt_cache.stats.evictions, 2);
    hardware_lab_free(lab);
    params.interrupt_cache.entries = 0;
    params.interrupt_cache.ways = PARAM_WAYS_FULL;
    lab = make_with(&params, false);
    set_entry(lab, 1, GOOD, 0);
    raise(lab, SOURCE, address_of(1, false), 0);
    raise(lab, SOURCE, address_of(1, false), 0);
    assert_int_equal(lab->u.interrupt_cache.stats.misses, 2);
    hardware_lab_free(lab);
}

/* An entry that is not present is cached only in caching mode. */
static void caching_mode(void **state)
{
    (void)state;
    for (int on = 0; on < 2; on++) {
        struct iommu_params params = lab_params();
        params.caching_mode = on;
        struct hardware_lab *lab = make_with(&params, false);
        set_entry(lab, 3, 0, 0);
        assert_int_equal(raise(lab, SOURCE, address_of(3, false), 0).fault, 0x22);
        set_entry(lab, 3, GOOD, 0);
        assert_int_equal(raise(lab, SOURCE, address_of(3, false), 0).fault, on ? 0x22 : 0);
        hardware_lab_free(lab);
    }
}

int main(int argc, char **argv)
{
    static struct CMUnitTest rows[HV_ARRAY_LEN(faults)];
    gtest_rows(rows, fault, faults, sizeof(faults[0]), HV_ARRAY_LEN(faults));
    const struct CMUnitTest remapping[] = {
        cmocka_unit_test(off), cmocka_unit_test(compatibility), cmocka_unit_test(remapped_fields),
        cmocka_unit_test(indices), cmocka_unit_test(unreadable_entry), cmocka_unit_test(all_reasons),
        cmocka_unit_test(read_only_descriptor), cmocka_unit_test(no_interrupt_at_all),
        cmocka_unit_test(required_modes), cmocka_unit_test(requirements_need_remapping),
        cmocka_unit_test(no_table), cmocka_unit_test(sources), cmocka_unit_test(posting_absent),
        cmocka_unit_test(posting), cmocka_unit_test(descriptor_address), cmocka_unit_test(times),
        cmocka_unit_test(invalidations), cmocka_unit_test(cache_geometry), cmocka_unit_test(caching_mode),
    };
    const struct gtest_suite suites[] = {
        GTEST_SUITE("IommuInterruptFault", rows), GTEST_SUITE("IommuInterruptRemapping", remapping),
    };
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
