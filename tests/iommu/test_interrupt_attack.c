/* SPDX-License-Identifier: MIT */
/*
 * A virtual machine that owns a device tries to interrupt another one. Each attempt is blocked and recorded with the
 * attacker's source id, and the victim gets nothing.
 *
 * The hypervisor has given function 02:00.0 to the attacker and 03:00.0 to the victim. The attacker programs its
 * device as it likes: any address, any data, any number of times; the source id is what it cannot choose.
 */
#include "hardware_lab.h"

enum {
    ATTACKER = 0x0200, VICTIM = 0x0300,
    ATTACKER_ENTRY = 4, VICTIM_POSTED_ENTRY = 5, VICTIM_REMAPPED_ENTRY = 6, ENTRIES = 16,
    ATTACKER_DESCRIPTOR = LAB_DESCRIPTORS, VICTIM_DESCRIPTOR = LAB_DESCRIPTORS + 64,
    VICTIM_VECTOR = 0x61, NOTIFICATION = 0xf2,
    VICTIM_WINDOW = 0x800000,      /* 4 KiB of the victim's memory */
    ATTACKER_IOVA = 0x7000,        /* which the attacker's tables map to the interrupt range */
};

#define DESCRIPTOR_CONTROL ((uint64_t)3 << 40 | (uint64_t)NOTIFICATION << 16)

static void set_entry(struct hardware_lab *lab, uint32_t index, uint64_t low, uint64_t high)
{
    lab_poke(lab, LAB_INTERRUPTS + 16 * index, low);
    lab_poke(lab, LAB_INTERRUPTS + 16 * index + 8, high);
}

static uint64_t posted_entry(uint64_t descriptor, uint64_t vector)
{
    return descriptor << 32 | vector << 16 | 1 << 15 | 1;
}

/* SVT 01, SQ 00: this requester and no other. */
static uint64_t only(uint16_t source)
{
    return UINT64_C(1) << 18 | source;
}

/* Legacy tables of the attacker: four levels, all at LAB_TABLES, that map one page, to the interrupt range. */
static void map_attacker(struct hardware_lab *lab)
{
    const uint64_t root = LAB_TABLES, context = root + 0x1000, page = root + 0x2000;
    lab_poke(lab, root + 16 * (ATTACKER >> 8), context | 1);
    lab_poke(lab, context + 16 * (ATTACKER & 0xff), page | 1);
    lab_poke(lab, context + 16 * (ATTACKER & 0xff) + 8, UINT64_C(7) << 8 | 2);
    lab_poke(lab, page, (page + 0x1000) | 3);
    lab_poke(lab, page + 0x1000, (page + 0x2000) | 3);
    lab_poke(lab, page + 0x2000, (page + 0x3000) | 3);
    lab_poke(lab, page + 0x3000 + 8 * (ATTACKER_IOVA >> 12), UINT64_C(0xfee00000) | 3);
}

static struct hardware_lab *two_machines(void)
{
    struct iommu_params params = lab_params();
    struct hardware_lab *lab = hardware_lab_make(&params);
    set_entry(lab, ATTACKER_ENTRY, posted_entry(ATTACKER_DESCRIPTOR, 0x51), only(ATTACKER));
    set_entry(lab, VICTIM_POSTED_ENTRY, posted_entry(VICTIM_DESCRIPTOR, VICTIM_VECTOR), only(VICTIM));
    set_entry(lab, VICTIM_REMAPPED_ENTRY, UINT64_C(0x0300) << 32 | VICTIM_VECTOR << 16 | 1, only(VICTIM));
    lab_poke(lab, ATTACKER_DESCRIPTOR + 32, DESCRIPTOR_CONTROL);
    lab_poke(lab, VICTIM_DESCRIPTOR + 32, DESCRIPTOR_CONTROL);
    map_attacker(lab);
    lab_events(lab);
    lab_table_mode(lab, IOMMU_LEGACY);
    lab_put64(lab, IOMMU_IRTA, LAB_INTERRUPTS | 3); /* 16 entries */
    lab_command(lab, IOMMU_GSTS_IRTPS, true);
    lab_command(lab, IOMMU_GSTS_IRES, true);
    lab_command(lab, IOMMU_GSTS_TES, true);
    return lab;
}

/* Nothing of the victim's has moved. */
static void assert_unharmed(struct hardware_lab *lab)
{
    for (unsigned word = 0; word < 8; word++) {
        assert_int_equal(lab_peek(lab, VICTIM_DESCRIPTOR + 8 * word), word == 4 ? DESCRIPTOR_CONTROL : 0);
    }
    for (size_t i = 0; i < lab->msis; i++) {
        assert_int_equal(lab->msi[i].data, 0x41); /* only the hypervisor's fault event */
    }
}

struct attack {
    const char *name;
    uint64_t address;
    uint32_t data;
    uint8_t reason;
    uint32_t index; /* in the record */
};

#define HANDLE(n) (0xfee00010 | (n) << 5)
#define WITH_SUBHANDLE 8

static const struct attack attacks[] = {
    {"compatibility_format_to_the_victims_core", 0xfee03000, VICTIM_VECTOR, 0x25, 0},
    {"compatibility_format_nmi_to_all", 0xfeeff000, 4 << 8, 0x25, 0},
    {"the_victims_posted_entry", HANDLE(VICTIM_POSTED_ENTRY), 0, 0x26, VICTIM_POSTED_ENTRY},
    {"the_victims_remapped_entry", HANDLE(VICTIM_REMAPPED_ENTRY), 0, 0x26, VICTIM_REMAPPED_ENTRY},
    {"own_handle_and_a_subhandle_that_leads_away", HANDLE(ATTACKER_ENTRY) | WITH_SUBHANDLE, 1, 0x26, 5},
    {"a_subhandle_that_wraps", HANDLE(ATTACKER_ENTRY) | WITH_SUBHANDLE, 0x10001, 0x20, 0},
    {"an_unused_entry", HANDLE(7), 0, 0x22, 7},
    {"behind_the_table", HANDLE(ENTRIES), 0, 0x21, ENTRIES},
    {"far_behind_the_table", HANDLE(0x7fff) | 4, 0, 0x21, 0xffff},
};

static void attack(void **state)
{
    const struct attack *a = *state;
    struct hardware_lab *lab = two_machines();
    struct iommu_interrupt i = iommu_interrupt(&lab->u, ATTACKER, a->address, a->data, 0);
    assert_true(!i.ok && !i.posted && !i.notify);
    assert_int_equal(i.fault, a->reason);
    assert_unharmed(lab);
    assert_int_equal(lab_get64(lab, IOMMU_FRCD_HIGH), UINT64_C(1) << 63 | (uint64_t)a->reason << 32 | ATTACKER);
    assert_int_equal(lab_get64(lab, IOMMU_FRCD_LOW), (uint64_t)a->index << 48);
    assert_int_equal(lab->msis, 1);
    hardware_lab_free(lab);
}

/* What is the attacker's own still works, and so does the victim's. */
static void owners_are_served(void **state)
{
    (void)state;
    struct hardware_lab *lab = two_machines();
    struct iommu_interrupt own = iommu_interrupt(&lab->u, ATTACKER, HANDLE(ATTACKER_ENTRY), 0, 0);
    assert_true(own.ok && own.posted && own.notify && own.vector == NOTIFICATION && own.destination == 3);
    assert_int_equal(lab_peek(lab, ATTACKER_DESCRIPTOR + 8), UINT64_C(1) << (0x51 - 64));
    assert_unharmed(lab);
    struct iommu_interrupt victim = iommu_interrupt(&lab->u, VICTIM, HANDLE(VICTIM_POSTED_ENTRY), 0, 0);
    assert_true(victim.ok && victim.posted);
    assert_int_equal(lab_peek(lab, VICTIM_DESCRIPTOR + 8), UINT64_C(1) << (VICTIM_VECTOR - 64));
    assert_int_equal(lab->u.stats.faults, 0);
    hardware_lab_free(lab);
}

/* A DMA write that its own tables lead to the interrupt range is not an interrupt, and no DMA either: 0EH, LGN.4. */
static void dma_into_the_interrupt_range(void **state)
{
    (void)state;
    struct hardware_lab *lab = two_machines();
    struct iommu_request write = {.source = ATTACKER, .address = ATTACKER_IOVA, .bytes = 4,
                                  .access = IOMMU_WRITE};
    struct iommu_reply reply = iommu_translate(&lab->u, &write, 0);
    assert_false(reply.ok);
    assert_int_equal(reply.fault, 0x0e);
    assert_int_equal(lab_get64(lab, IOMMU_FRCD_HIGH), UINT64_C(1) << 63 | UINT64_C(0x0e) << 32 | ATTACKER);
    assert_unharmed(lab);
    hardware_lab_free(lab);
}

/* The interrupt-remapping table and the descriptors are out of its DMA's reach as well: nothing maps them. */
static void dma_into_the_tables(void **state)
{
    (void)state;
    const uint64_t targets[] = {LAB_INTERRUPTS, VICTIM_DESCRIPTOR, LAB_TABLES, VICTIM_WINDOW};
    struct hardware_lab *lab = two_machines();
    for (size_t i = 0; i < HV_ARRAY_LEN(targets); i++) {
        struct iommu_request write = {.source = ATTACKER, .address = targets[i], .bytes = 64, .access = IOMMU_WRITE};
        assert_false(iommu_translate(&lab->u, &write, 0).ok);
    }
    assert_int_equal(lab->u.stats.blocked, HV_ARRAY_LEN(targets));
    assert_unharmed(lab);
    hardware_lab_free(lab);
}

/* A storm fills the records; the hypervisor still learns who it was, once, and that more came. */
static void storm(void **state)
{
    (void)state;
    struct hardware_lab *lab = two_machines();
    for (unsigned i = 0; i < 10000; i++) {
        assert_false(iommu_interrupt(&lab->u, ATTACKER, HANDLE(VICTIM_POSTED_ENTRY), 0, i).ok);
    }
    assert_unharmed(lab);
    assert_int_equal(lab->msis, 1);
    assert_int_equal(lab_get32(lab, IOMMU_FSTS), 3); /* PPF and PFO */
    assert_int_equal(lab_get64(lab, IOMMU_FRCD_HIGH) & 0xffff, ATTACKER);
    assert_int_equal(lab->u.stats.faults_recorded, 8);
    assert_int_equal(lab->u.stats.faults_overflowed, 10000 - 8);
    hardware_lab_free(lab);
}

/*
 * Taking the victim's entry back and giving the index to the attacker, without an invalidation: the cached entry still
 * names the victim, so the attacker is blocked; and the victim's device is served until then.
 */
static void stale_entry(void **state)
{
    (void)state;
    struct hardware_lab *lab = two_machines();
    iommu_check_stale(&lab->u, true);
    iommu_interrupt(&lab->u, VICTIM, HANDLE(VICTIM_REMAPPED_ENTRY), 0, 0);
    set_entry(lab, VICTIM_REMAPPED_ENTRY, UINT64_C(0x0200) << 32 | 0x51 << 16 | 1, only(ATTACKER));
    assert_int_equal(iommu_interrupt(&lab->u, ATTACKER, HANDLE(VICTIM_REMAPPED_ENTRY), 0, 0).fault, 0x26);
    assert_int_equal(lab->u.stats.stale_found, 1);
    lab_queue(lab, false);
    lab_push(lab, 4 | 1 << 4 | (uint64_t)VICTIM_REMAPPED_ENTRY << 32, 0);
    struct iommu_interrupt after = iommu_interrupt(&lab->u, ATTACKER, HANDLE(VICTIM_REMAPPED_ENTRY), 0, 0);
    assert_true(after.ok && after.vector == 0x51 && after.destination == 2);
    assert_int_equal(lab->u.stats.stale_found, 1);
    hardware_lab_free(lab);
}

int main(int argc, char **argv)
{
    static struct CMUnitTest rows[HV_ARRAY_LEN(attacks)];
    gtest_rows(rows, attack, attacks, sizeof(attacks[0]), HV_ARRAY_LEN(attacks));
    const struct CMUnitTest around[] = {
        cmocka_unit_test(owners_are_served), cmocka_unit_test(dma_into_the_interrupt_range),
        cmocka_unit_test(dma_into_the_tables), cmocka_unit_test(storm), cmocka_unit_test(stale_entry),
    };
    const struct gtest_suite suites[] = {
        GTEST_SUITE("IommuForgedInterrupt", rows), GTEST_SUITE("IommuInterruptIsolation", around),
    };
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
