/* SPDX-License-Identifier: MIT */
/* Simulated physical memory: any size at no cost, real bytes, and a bus where nobody answers beyond its end. */
#include "gtest.h"

#include <stdio.h>

#include "base/rng.h"
#include "mem/physmem.h"

static struct physmem make(uint64_t bytes)
{
    struct physmem m;
    struct hv_err err = {""};
    if (!physmem_init(&m, bytes, &err)) {
        fail_msg("%s", err.text);
    }
    return m;
}

/* Resident memory of this process in bytes. */
static uint64_t resident(void)
{
    unsigned long long pages = 0, pages_resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%llu %llu", &pages, &pages_resident), 2);
    fclose(f);
    return pages_resident * HV_PAGE_BYTES;
}

/* A tebibyte, of which a thousand pages are written: the host pays for these alone. */
static void untouched_memory_costs_nothing(void **state)
{
    (void)state;
    enum { PAGES = 1000 };
    uint64_t before = resident();
    struct physmem m = make(PHYSMEM_MAX_BYTES);
    struct hv_rng rng;
    for (unsigned round = 0; round < 2; round++) {
        rng_init(&rng, 1);
        for (uint64_t i = 0; i < PAGES; i++) {
            hv_hpa addr = {rng_below(&rng, PHYSMEM_MAX_BYTES / 8) * 8};
            if (round == 0) {
                physmem_write64(&m, addr, i + 1);
            } else {
                assert_int_equal(physmem_read64(&m, addr), i + 1);
            }
        }
    }
    /* The pages themselves are 4 MB; a host with large pages may back some more. */
    assert_true(resident() - before < HV_MIB(64));
    physmem_fini(&m);
    assert_null(m.bytes);
}

static void memory_never_written_reads_as_zero(void **state)
{
    (void)state;
    struct physmem m = make(HV_GIB(64));
    static const uint64_t addresses[] = {0, 8, HV_MIB(1), HV_GIB(33) + 0x128, HV_GIB(64) - 8};
    for (size_t i = 0; i < HV_ARRAY_LEN(addresses); i++) {
        assert_int_equal(physmem_read64(&m, (hv_hpa){addresses[i]}), 0);
    }
    physmem_fini(&m);
}

/* Reads of what nobody answers are all ones; writes go nowhere, least of all back into memory. */
static void beyond_the_end_nobody_answers(void **state)
{
    (void)state;
    struct physmem m = make(HV_MIB(1));
    static const uint64_t addresses[] = {
        HV_MIB(1), HV_MIB(1) + 8, HV_GIB(1), UINT64_C(1) << 52, UINT64_MAX - 7, UINT64_MAX,
    };
    physmem_write64(&m, (hv_hpa){0}, 11);
    physmem_write64(&m, (hv_hpa){HV_MIB(1) - 8}, 22);
    for (size_t i = 0; i < HV_ARRAY_LEN(addresses); i++) {
        physmem_write64(&m, (hv_hpa){addresses[i]}, 33);
        assert_true(physmem_read64(&m, (hv_hpa){addresses[i]}) == UINT64_MAX);
        assert_null(physmem_pointer(&m, (hv_hpa){addresses[i]}, 1));
    }
    assert_int_equal(physmem_read64(&m, (hv_hpa){0}), 11);
    assert_int_equal(physmem_read64(&m, (hv_hpa){HV_MIB(1) - 8}), 22);
    physmem_fini(&m);
}

/* An entry is eight bytes at a multiple of eight, whatever the low bits of the address. */
static void entries_are_aligned_and_little_endian(void **state)
{
    (void)state;
    struct physmem m = make(HV_MIB(1));
    physmem_write64(&m, (hv_hpa){0x1000}, UINT64_C(0x8877665544332211));
    for (uint64_t low = 0; low < 8; low++) {
        assert_true(physmem_read64(&m, (hv_hpa){0x1000 + low}) == UINT64_C(0x8877665544332211));
        const uint8_t *byte = physmem_pointer(&m, (hv_hpa){0x1000 + low}, 1);
        assert_int_equal(*byte, 0x11 * (low + 1));
    }
    assert_int_equal(physmem_read64(&m, (hv_hpa){0x1008}), 0);
    assert_int_equal(physmem_read64(&m, (hv_hpa){0xff8}), 0);
    physmem_fini(&m);
}

static void pointers_stay_inside(void **state)
{
    (void)state;
    struct physmem m = make(HV_MIB(1));
    assert_ptr_equal(physmem_pointer(&m, (hv_hpa){0}, HV_MIB(1)), m.bytes);
    assert_null(physmem_pointer(&m, (hv_hpa){0}, HV_MIB(1) + 1));
    assert_ptr_equal(physmem_pointer(&m, (hv_hpa){HV_MIB(1) - 1}, 1), m.bytes + HV_MIB(1) - 1);
    assert_null(physmem_pointer(&m, (hv_hpa){HV_MIB(1) - 1}, 2));
    assert_null(physmem_pointer(&m, (hv_hpa){8}, UINT64_MAX)); /* the sum would wrap */
    physmem_fini(&m);
}

/* The hint changes no byte, and one that reaches beyond the memory is ignored. */
static void a_hint_changes_nothing(void **state)
{
    (void)state;
    struct physmem m = make(HV_MIB(8));
    physmem_write64(&m, (hv_hpa){HV_MIB(2) + 8}, 5);
    physmem_hint_dense(&m, (hv_hpa){HV_MIB(2) + 100}, HV_MIB(4));
    physmem_hint_dense(&m, (hv_hpa){HV_MIB(7)}, HV_MIB(4));
    physmem_hint_dense(&m, (hv_hpa){HV_GIB(7)}, HV_MIB(4));
    assert_int_equal(physmem_read64(&m, (hv_hpa){HV_MIB(2) + 8}), 5);
    assert_int_equal(physmem_read64(&m, (hv_hpa){HV_MIB(4)}), 0);
    physmem_fini(&m);
}

GTEST_MAIN("Physmem", cmocka_unit_test(untouched_memory_costs_nothing),
           cmocka_unit_test(memory_never_written_reads_as_zero), cmocka_unit_test(beyond_the_end_nobody_answers),
           cmocka_unit_test(entries_are_aligned_and_little_endian), cmocka_unit_test(pointers_stay_inside),
           cmocka_unit_test(a_hint_changes_nothing))
