/* SPDX-License-Identifier: MIT */
/* Registers of the network card: what a write leaves, which accesses count; and the agenda behind its events. */
#include "nic_lab.h"

#include "base/rng.h"
#include "dev/agenda.h"

/* A register, and what it reads after all ones were written to it: with the queue off and MSI-X off. */
struct reg {
    const char *name;
    uint32_t offset;
    unsigned bytes;
    uint64_t reset, ones;
};

static const struct reg regs[] = {
    {"control", 0x000, 4, 0, 0}, /* the reset bit wins */
    {"status", 0x004, 4, 0x00020001, 0x00020001},
    {"cause", 0x008, 4, 0, 0},
    {"enable_set", 0x00c, 4, 0, 3},
    {"enable_clear", 0x010, 4, 0, 0},
    {"msix_control", 0x014, 4, 0, 0xc000},
    {"functions", 0x018, 4, 0x01000000, 0x01000000},
    {"nothing", 0x01c, 4, 0, 0},
    {"rx_base", 0x1000, 8, 0, UINT64_C(0xfffffffffffffff0)},
    {"rx_base_low", 0x1000, 4, 0, 0xfffffff0},
    {"rx_base_high", 0x1004, 4, 0, 0xffffffff},
    {"rx_length", 0x1008, 4, 0, 0x1ffff},
    {"rx_buffer", 0x100c, 4, 0, 0x1ffff},
    {"rx_head", 0x1010, 4, 0, 0},
    {"rx_tail", 0x1014, 4, 0, 0}, /* of a ring that is off */
    {"rx_control", 0x1018, 4, 0, 1},
    {"tx_base", 0x1040, 8, 0, UINT64_C(0xfffffffffffffff0)},
    {"tx_length", 0x1048, 4, 0, 0x1ffff},
    {"tx_length_of_queue_1", 0x1148, 4, 0, 0x1ffff},
    {"queue_2_is_not_there", 0x1248, 4, 0, 0},
    {"vector", 0x1080, 4, 0, 1}, /* 7 of two vectors */
    {"vector_of_queue_1", 0x1180, 4, 1, 1},
    {"moderation_ns", 0x1084, 4, 0, 0xffffffff},
    {"moderation_packets", 0x1088, 4, 0, 0xffff},
    {"msix_address", 0x2000, 8, 0, UINT64_C(0xfffffffffffffffc)},
    {"msix_data", 0x2008, 4, 0, 0xffffffff},
    {"msix_mask", 0x200c, 4, 1, 1},
    {"msix_entry_1", 0x2018, 8, UINT64_C(1) << 32, UINT64_C(0x1ffffffff)},
    {"msix_entry_2", 0x2028, 8, 0, 0},
    {"msix_pending", 0x3000, 8, 0, 0},
    {"end", 0x3ffc, 4, 0, 0},
    {"beyond", 0x4000, 4, 0, 0},
    {"far_beyond", 0xfffffff8, 8, 0, 0},
    {"unaligned", 0x100a, 4, 0, 0},
    {"unaligned_eight", 0x1044, 8, 0, 0},
    {"two_bytes", 0x1008, 2, 0, 0},
};

static void a_register_keeps_what_can_be_written(void **state)
{
    const struct reg *r = *state;
    struct dev_params params = nic_lab_params();
    params.queues = 2;
    params.functions = 0;
    struct nic_lab l = nic_lab_make(params);
    assert_int_equal(nic_read(l.nic, 0, r->offset, r->bytes, 0), r->reset);
    nic_write(l.nic, 0, r->offset, r->bytes, UINT64_MAX, 0);
    assert_int_equal(nic_read(l.nic, 0, r->offset, r->bytes, 0), r->ones);
    nic_write(l.nic, 0, NIC_REG_CONTROL, 4, NIC_RESET, 0);
    assert_int_equal(nic_read(l.nic, 0, r->offset, r->bytes, 0), r->reset);
    nic_lab_free(l);
}

/* Both halves of an address are written apart as well. */
static void halves_make_a_whole(void **state)
{
    (void)state;
    struct nic_lab l = nic_lab_make(nic_lab_params());
    nic_write(l.nic, 0, 0x1000, 8, UINT64_C(0x1111222233334440), 0);
    nic_write(l.nic, 0, 0x1004, 4, 0x55556666, 0);
    assert_int_equal(nic_read(l.nic, 0, 0x1000, 8, 0), UINT64_C(0x5555666633334440));
    nic_write(l.nic, 0, 0x1000, 4, 0x77778880, 0);
    assert_int_equal(nic_read(l.nic, 0, 0x1000, 8, 0), UINT64_C(0x5555666677778880));
    nic_lab_free(l);
}

static void windows_are_apart(void **state)
{
    (void)state;
    struct dev_params params = nic_lab_params();
    params.functions = 2;
    struct nic_lab l = nic_lab_make(params);
    nic_lab_queue_set(l, 1, 0, NIC_REG_RX_LENGTH, 77, 0);
    assert_int_equal(nic_lab_queue_get(l, 0, 0, NIC_REG_RX_LENGTH, 0), 0);
    assert_int_equal(nic_lab_queue_get(l, 1, 0, NIC_REG_RX_LENGTH, 0), 77);
    assert_int_equal(nic_lab_queue_get(l, 2, 0, NIC_REG_RX_LENGTH, 0), 0);
    assert_int_equal(nic_lab_get(l, 2, NIC_REG_STATUS, 0), 0x00010201);
    nic_write(l.nic, 2, NIC_REG_CONTROL, 4, NIC_RESET, 0); /* of one function alone */
    assert_int_equal(nic_lab_queue_get(l, 1, 0, NIC_REG_RX_LENGTH, 0), 77);
    nic_lab_free(l);
}

/* Against a search of all parts: the earliest, and of those due at the same time the lowest. */
static void the_agenda_knows_the_earliest(void **state)
{
    (void)state;
    enum { PARTS = 37 };
    struct agenda a;
    hv_cycles when[PARTS];
    struct hv_rng rng;
    rng_init(&rng, 9);
    agenda_init(&a, PARTS);
    assert_int_equal(agenda_next(&a), DEV_NEVER);
    for (unsigned i = 0; i < PARTS; i++) {
        when[i] = DEV_NEVER;
    }
    for (unsigned i = 0; i < 20000; i++) {
        uint32_t part = (uint32_t)rng_below(&rng, PARTS);
        when[part] = rng_below(&rng, 5) == 0 ? DEV_NEVER : rng_below(&rng, 50);
        agenda_set(&a, part, when[part]);
        uint32_t first = 0;
        for (uint32_t other = 1; other < PARTS; other++) {
            first = when[other] < when[first] ? other : first;
        }
        assert_int_equal(agenda_first(&a), first);
        assert_int_equal(agenda_next(&a), when[first]);
    }
    agenda_fini(&a);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(halves_make_a_whole), cmocka_unit_test(windows_are_apart),
                                       cmocka_unit_test(the_agenda_knows_the_earliest)};
    struct CMUnitTest rows[HV_ARRAY_LEN(regs)];
    gtest_rows(rows, a_register_keeps_what_can_be_written, regs, sizeof(regs[0]), HV_ARRAY_LEN(regs));
    const struct gtest_suite suites[] = {GTEST_SUITE("DeviceRegisters", tests), GTEST_SUITE("NicRegisters", rows)};
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
