/* SPDX-License-Identifier: MIT */
/*
 * 16 virtual machines with a function of a device each, behind one IOMMU: whatever a function asks for, and whatever a
 * guest writes into its own tables, no translation leads into another's memory.
 */
#include "dma_rig.h"

#include "gtest.h"

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

enum { MACHINES = 16, ROUNDS = 100000, FIRST_SOURCE = 0x0400 };

#define GUEST_BYTES HV_MIB(64)
#define BLOCKED UINT64_MAX

struct machine {
    uint64_t start;             /* of its memory in the host */
    struct frames frames;       /* nested: guest-physical, for the guest's tables */
    struct dma_domain domain;
    struct dma_map map;
};

struct setup {
    struct dma_rig r;
    struct machine machines[MACHINES];
    struct hv_rng rng;
};

/* Memories lie side by side, in another order than the functions. */
static uint64_t start_of(unsigned number)
{
    return DMA_RIG_BUFFERS + (number * 5u % MACHINES) * GUEST_BYTES;
}

static void make_machine(struct setup *s, unsigned number, enum dma_mode mode, enum hv_page_size largest)
{
    struct machine *m = &s->machines[number];
    struct hv_err err = {""};
    m->start = start_of(number);
    m->frames = (struct frames){.next = HV_MIB(1), .end = HV_MIB(8)};
    struct dma_domain_config c = {
        .id = (uint16_t)(number + 1), .mode = mode, .first_levels = 4, .second_levels = 4,
        .first_frames = &m->frames, .first_offset = m->start,
    };
    assert_true(dma_domain_init(&m->domain, &s->r.unit, &c, &err));
    assert_true(dma_domain_map(&m->domain, 0, m->start, GUEST_BYTES, largest));
    struct dma_device device = {.source = (uint16_t)(FIRST_SOURCE + number)};
    assert_true(dma_attach(&m->domain, &device, 0).ok);
    struct dma_map_params params = {.policy = DMA_STRICT};
    struct dma_map_config config = {.params = &params, .clock_mhz = 1000};
    assert_true(dma_map_init(&m->map, &m->domain, &config, &err));
}

static struct setup *begin(enum dma_mode mode, enum hv_page_size largest)
{
    struct setup *s = calloc(1, sizeof(*s));
    assert_non_null(s);
    dma_rig_init(&s->r);
    dma_rig_start(&s->r, mode);
    rng_init(&s->rng, mode);
    for (unsigned i = 0; i < MACHINES; i++) {
        make_machine(s, i, mode, largest);
    }
    return s;
}

static void end(struct setup *s)
{
    for (unsigned i = 0; i < MACHINES; i++) {
        dma_map_fini(&s->machines[i].map);
        dma_domain_fini(&s->machines[i].domain);
        frames_fini(&s->machines[i].frames);
    }
    dma_rig_fini(&s->r);
    free(s);
}

static uint64_t access_of(struct setup *s, unsigned number, uint64_t iova)
{
    enum iommu_access access = rng_below(&s->rng, 2) != 0 ? IOMMU_WRITE : IOMMU_READ;
    return dma_rig_access(&s->r, (uint16_t)(FIRST_SOURCE + number), iova, access);
}

static bool is_own(const struct machine *m, uint64_t address)
{
    return address == BLOCKED || (address >= m->start && address - m->start < GUEST_BYTES);
}

/* Assigned functions that use guest-physical addresses: theirs are translated exactly, all others are blocked. */
static void guest_physical_addresses(void **state)
{
    (void)state;
    static const struct { enum dma_mode mode; enum hv_page_size largest; } rows[] = {
        {DMA_LEGACY, HV_PAGE_4K}, {DMA_LEGACY, HV_PAGE_2M}, {DMA_SECOND, HV_PAGE_4K},
    };
    for (size_t row = 0; row < HV_ARRAY_LEN(rows); row++) {
        struct setup *s = begin(rows[row].mode, rows[row].largest);
        iommu_check_stale(s->r.iommu, true);
        for (unsigned i = 0; i < ROUNDS; i++) {
            unsigned number = (unsigned)rng_below(&s->rng, MACHINES);
            /* Few pages of each, so that the IOTLB holds those of others at the same addresses. */
            uint64_t page = rng_below(&s->rng, 8) != 0 ? rng_below(&s->rng, 6) : rng_below(&s->rng, 1 << 20);
            uint64_t iova = page * HV_PAGE_BYTES + rng_below(&s->rng, HV_PAGE_BYTES);
            uint64_t address = access_of(s, number, iova);
            assert_int_equal(address, iova < GUEST_BYTES ? s->machines[number].start + iova : BLOCKED);
        }
        assert_true(s->r.iommu->caches.iotlb_stats.hits > ROUNDS / 4);
        assert_int_equal(s->r.iommu->stats.stale_found, 0);
        end(s);
    }
}

/* A function that belongs to no machine reaches nothing, nor does one that was taken away, even with a warm IOTLB. */
static void strangers_and_functions_taken_away(void **state)
{
    (void)state;
    static const enum dma_mode modes[] = {DMA_LEGACY, DMA_SECOND};
    for (size_t row = 0; row < HV_ARRAY_LEN(modes); row++) {
        struct setup *s = begin(modes[row], HV_PAGE_4K);
        assert_int_equal(access_of(s, MACHINES, 4096), BLOCKED);
        assert_int_equal(access_of(s, 3, 4096), start_of(3) + 4096);
        struct dma_device device = {.source = FIRST_SOURCE + 3};
        dma_detach(&s->machines[3].domain, &device, 0);
        assert_int_equal(access_of(s, 3, 4096), BLOCKED);
        /* It goes to another machine, and sees that one's memory alone. */
        assert_true(dma_attach(&s->machines[9].domain, &device, 0).ok);
        assert_int_equal(access_of(s, 3, 4096), start_of(9) + 4096);
        assert_int_equal(access_of(s, 9, 4096), start_of(9) + 4096);
        end(s);
    }
}

/* Nested: honest guests map and unmap their buffers while all use the same addresses. */
static void guests_with_tables_of_their_own(void **state)
{
    (void)state;
    struct setup *s = begin(DMA_NESTED, HV_PAGE_4K);
    uint64_t iova[MACHINES] = {0}, buffer[MACHINES] = {0};
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned n = (unsigned)rng_below(&s->rng, MACHINES), other = (unsigned)rng_below(&s->rng, MACHINES);
        if (iova[n] != 0 && rng_below(&s->rng, 4) == 0) {
            dma_unmap(&s->machines[n].map, iova[n], 4096, 0);
            assert_int_equal(access_of(s, n, iova[n]), BLOCKED);
            iova[n] = 0;
        } else if (iova[n] == 0) {
            buffer[n] = HV_MIB(16) + rng_below(&s->rng, 4096) * 4096;
            iova[n] = dma_map(&s->machines[n].map, buffer[n], 4096, DMA_DEVICE_BOTH, 0).iova;
        }
        uint64_t tried = iova[other] != 0 ? iova[other] : HV_GIB(4) - 4096;
        assert_int_equal(access_of(s, n, tried), iova[n] == tried ? s->machines[n].start + buffer[n] : BLOCKED);
    }
    end(s);
}

enum { WINDOW = 64 << 10 };

/* An entry that a hostile guest might write: most lead to the window that its tables lie in, others anywhere. */
static uint64_t hostile_entry(struct hv_rng *rng, uint64_t window)
{
    uint64_t flags = 1; /* present; then writable, user, accessed, dirty, large */
    flags |= (rng_below(rng, 4) != 0 ? 2 : 0) | (rng_below(rng, 8) != 0 ? 4 : 0);
    flags |= (rng_below(rng, 8) != 0 ? 0x60 : 0) | (rng_below(rng, 8) == 0 ? 0x80 : 0);
    uint64_t address = rng_next(rng) >> rng_below(rng, 40);
    switch (rng_below(rng, 8)) {
    case 0:
        break;
    case 1:
        address = rng_below(rng, GUEST_BYTES);
        break;
    default:
        address = window + rng_below(rng, WINDOW);
    }
    return (address & UINT64_C(0x000ffffffffff000)) | flags;
}

static void write_hostile(struct setup *s, const struct machine *m, uint64_t offset)
{
    uint64_t window = m->domain.first.root;
    physmem_write64(&s->r.memory, (hv_hpa){m->start + window + offset}, hostile_entry(&s->rng, window));
}

/*
 * Hostile guests: all that a guest's first-stage tables consist of is random, and changes all the time without any
 * invalidation; tables point to each other, to data, and out of the guest.
 */
static void guests_with_hostile_tables(void **state)
{
    (void)state;
    struct setup *s = begin(DMA_NESTED, HV_PAGE_4K);
    for (unsigned n = 0; n < MACHINES; n++) {
        for (uint64_t offset = 0; offset < WINDOW; offset += 8) {
            write_hostile(s, &s->machines[n], offset);
        }
    }
    uint64_t reached = 0;
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned n = (unsigned)rng_below(&s->rng, MACHINES);
        write_hostile(s, &s->machines[n], rng_below(&s->rng, WINDOW));
        uint64_t address = access_of(s, n, rng_next(&s->rng) >> 17);
        assert_true(is_own(&s->machines[n], address));
        reached += address != BLOCKED;
    }
    assert_true(reached > ROUNDS / 100);
    end(s);
}

GTEST_MAIN("DmaIsolation", cmocka_unit_test(guest_physical_addresses),
           cmocka_unit_test(strangers_and_functions_taken_away),
           cmocka_unit_test(guests_with_tables_of_their_own), cmocka_unit_test(guests_with_hostile_tables))
