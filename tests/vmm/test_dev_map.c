/* SPDX-License-Identifier: MIT */
/* Vectors of AMD's Device Exclusion Vector as software makes them: who reaches what, and when the hardware knows. */
#include "gtest.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/dev_map.h"

#define VECTORS HV_MIB(8)
#define MEMORY HV_MIB(64)
#define BUFFERS HV_MIB(32)
enum { CARD = 0x0100, CARD_FUNCTION = 0x0107, NEIGHBOUR = 0x0108, FAR_ONE = 0x0200, STRANGER = 0x0310 };

struct rig {
    struct physmem memory;
    struct frames frames;
    struct dev_vector hardware;
    struct dev_map map;
};

static struct rig *make(uint64_t domains, uint64_t maps, uint64_t end)
{
    struct rig *r = calloc(1, sizeof(*r));
    struct hv_err err = {""};
    assert_non_null(r);
    assert_true(physmem_init(&r->memory, MEMORY, &err));
    r->frames = (struct frames){.next = VECTORS, .end = MEMORY};
    const struct dev_vector_params params = {
        .domains = domains, .maps = maps, .check_cycles = 4, .invalidation_cycles = 250,
        .cache = {.entries = 8, .ways = PARAM_WAYS_FULL, .replacement = ASSOC_LRU},
    };
    const struct mem_port untimed = {0};
    assert_true(dev_vector_init(&r->hardware, &params, &r->memory, &untimed, &err));
    r->hardware.check_stale = true;
    const struct dev_map_config config = {&r->memory, &r->frames, end};
    assert_true(dev_map_init(&r->map, &r->hardware, &config, &err));
    return r;
}

static void free_rig(struct rig *r)
{
    dev_vector_fini(&r->hardware);
    frames_fini(&r->frames);
    physmem_fini(&r->memory);
    free(r);
}

static uint32_t place(struct rig *r, uint16_t source)
{
    struct hv_err err = {""};
    uint32_t domain = 0;
    assert_true(dev_map_place(&r->map, source, &domain, &err));
    return domain;
}

static bool reaches(struct rig *r, uint16_t source, uint64_t address)
{
    bool reads = dev_vector_access(&r->hardware, source, address, false, 0).ok;
    assert_int_equal(reads, dev_vector_access(&r->hardware, source, address, true, 0).ok);
    return reads;
}

/* --- who reaches what ----------------------------------------------------------------------------------------- */

static void a_device_reaches_whole_pages_of_what_it_may(void **state)
{
    (void)state;
    struct rig *r = make(4, 3, MEMORY);
    dev_map_allow(&r->map, place(r, CARD), BUFFERS + 100, 0x2000);
    dev_map_invalidate(&r->map, 0);
    assert_false(reaches(r, CARD, BUFFERS - 1));
    assert_true(reaches(r, CARD, BUFFERS));
    assert_true(reaches(r, CARD, BUFFERS + 0x2fff));
    assert_false(reaches(r, CARD, BUFFERS + 0x3000));
    assert_false(reaches(r, CARD, 0));
    assert_false(reaches(r, CARD, VECTORS));
    assert_false(reaches(r, CARD, HV_GIB(4) + BUFFERS));
    assert_false(reaches(r, STRANGER, BUFFERS));
    free_rig(r);
}

/* Two of one bus in a register, one of another bus in the next. */
static void devices_are_kept_apart(void **state)
{
    (void)state;
    static const uint16_t devices[] = {CARD, NEIGHBOUR, FAR_ONE};
    struct rig *r = make(4, 2, MEMORY);
    for (size_t i = 0; i < HV_ARRAY_LEN(devices); i++) {
        uint32_t domain = place(r, devices[i]);
        assert_int_equal(domain, i + 1);
        dev_map_allow(&r->map, domain, BUFFERS + i * HV_MIB(4), HV_MIB(4));
    }
    dev_map_invalidate(&r->map, 0);
    for (size_t i = 0; i < HV_ARRAY_LEN(devices); i++) {
        for (size_t n = 0; n < HV_ARRAY_LEN(devices); n++) {
            assert_int_equal(reaches(r, devices[i], BUFFERS + n * HV_MIB(4) + 0x1234), i == n);
        }
    }
    free_rig(r);
}

/* The hardware knows bus and unit only. */
static void functions_of_a_unit_share_a_domain(void **state)
{
    (void)state;
    struct rig *r = make(2, 1, MEMORY);
    dev_map_allow(&r->map, place(r, CARD), BUFFERS, HV_PAGE_BYTES);
    dev_map_invalidate(&r->map, 0);
    assert_int_equal(place(r, CARD_FUNCTION), place(r, CARD));
    assert_true(reaches(r, CARD_FUNCTION, BUFFERS));
    free_rig(r);
}

/* Of 8 GiB a vector of 256 KiB, two pages further than one of 4 GiB: the registers' SIZE says so. */
static void a_vector_covers_what_it_has_to(void **state)
{
    (void)state;
    struct rig *r = make(4, 3, HV_GIB(4) + HV_PAGE_BYTES);
    dev_map_allow(&r->map, place(r, CARD), HV_GIB(8) - HV_PAGE_BYTES, HV_PAGE_BYTES);
    dev_map_invalidate(&r->map, 0);
    assert_true(reaches(r, CARD, HV_GIB(8) - 1));
    assert_false(reaches(r, CARD, HV_GIB(4) - 1));
    assert_false(reaches(r, CARD, HV_GIB(8)));
    assert_int_equal(r->frames.next, VECTORS + 2 * (HV_GIB(8) / HV_PAGE_BYTES / 8));
    free_rig(r);
}

/* --- when the hardware knows ------------------------------------------------------------------------------------ */

/* What was cached holds until the invalidation, whichever way the bit went, and check.stale counts each use. */
static void a_change_needs_an_invalidation(void **state)
{
    (void)state;
    struct rig *r = make(4, 3, MEMORY);
    uint32_t domain = place(r, CARD);
    dev_map_allow(&r->map, domain, BUFFERS, HV_PAGE_BYTES);
    dev_map_invalidate(&r->map, 0);
    assert_true(reaches(r, CARD, BUFFERS));
    assert_int_equal(r->hardware.stats.stale_found, 0);
    dev_map_exclude(&r->map, domain, BUFFERS, HV_PAGE_BYTES);
    dev_map_allow(&r->map, domain, BUFFERS + HV_PAGE_BYTES, HV_PAGE_BYTES);
    assert_true(reaches(r, CARD, BUFFERS));
    assert_false(reaches(r, CARD, BUFFERS + HV_PAGE_BYTES));
    assert_int_equal(r->hardware.stats.stale_found, 4);
    dev_map_invalidate(&r->map, 0);
    assert_false(reaches(r, CARD, BUFFERS));
    assert_true(reaches(r, CARD, BUFFERS + HV_PAGE_BYTES));
    assert_int_equal(r->hardware.stats.stale_found, 4);
    free_rig(r);
}

/* Of 250 cycles, seen by the third look. */
static void an_invalidation_is_waited_for(void **state)
{
    (void)state;
    struct rig *r = make(4, 3, MEMORY);
    assert_int_equal(dev_map_invalidate(&r->map, 5000), 5300);
    free_rig(r);
}

/* --- what there is too little of -------------------------------------------------------------------------------- */

static void assert_refused(struct rig *r, const char *words)
{
    struct hv_err err = {""};
    uint32_t domain;
    assert_false(dev_map_place(&r->map, STRANGER, &domain, &err));
    assert_non_null(strstr(err.text, words));
    free_rig(r);
}

static void too_little_is_a_sentence(void **state)
{
    (void)state;
    assert_refused(make(1, 3, MEMORY), "iommu.exclusion.domains of 1 ");
    assert_refused(make(4, 0, MEMORY), "iommu.exclusion.maps of 0 ");
    struct rig *r = make(4, 3, MEMORY);
    r->frames.end = r->frames.next + HV_PAGE_BYTES;
    assert_refused(r, "128 KiB for each device");
}

GTEST_MAIN("DevMap", cmocka_unit_test(a_device_reaches_whole_pages_of_what_it_may),
           cmocka_unit_test(devices_are_kept_apart), cmocka_unit_test(functions_of_a_unit_share_a_domain),
           cmocka_unit_test(a_vector_covers_what_it_has_to), cmocka_unit_test(a_change_needs_an_invalidation),
           cmocka_unit_test(an_invalidation_is_waited_for), cmocka_unit_test(too_little_is_a_sentence))
