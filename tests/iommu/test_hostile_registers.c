/* SPDX-License-Identifier: MIT */
/*
 * Nothing that software writes to registers, queues or tables crashes the IOMMU or keeps it busy for ever: random
 * writes, many of them to the places that do something, between random requests of devices.
 */
#include "hardware_lab.h"

#include <stdlib.h>

#include "base/rng.h"
#include "iommu/dev_vector.h"

enum { STEPS = 60000, QUEUE_MOST = 32768 /* entries of the largest queue */ };

static uint64_t any(struct hv_rng *rng)
{
    uint64_t value = rng_next(rng);
    switch (rng_below(rng, 4)) {
    case 0: return value;
    case 1: return value & (HV_MIB(16) - 1); /* an address in memory, with flags */
    case 2: return value & 0xfff;
    default: return value >> rng_below(rng, 64);
    }
}

/* Offsets of registers that exist, and a few that do not. */
static uint32_t any_offset(struct hv_rng *rng)
{
    static const uint32_t offsets[] = {
#define R(offset, name, bytes, kind, reset, writable, w1c, offered, text) offset,
#define B(name, bits, offered)
#include "iommu/iommu_regs.def"
#undef R
#undef B
        IOMMU_GCMD, IOMMU_IQT, IOMMU_FSTS, IOMMU_CCMD + 4, IOMMU_IOTLB + 4, 0x100, IOMMU_FRCD_LOW + 0x58,
    };
    return rng_below(rng, 8) == 0 ? (uint32_t)rng_next(rng) : offsets[rng_below(rng, HV_ARRAY_LEN(offsets))];
}

/* A field of some bits, or often nothing. */
static uint64_t maybe(struct hv_rng *rng, uint64_t most, unsigned shift)
{
    return rng_below(rng, 2) ? 0 : rng_below(rng, most) << shift;
}

/* The first word of a descriptor that is often right. */
static uint64_t any_descriptor(struct hv_rng *rng)
{
    uint64_t noise = rng_below(rng, 16) == 0 ? rng_next(rng) : 0;
    return rng_below(rng, 11) | maybe(rng, 16, 4) | maybe(rng, 32, 16) | maybe(rng, 32, 32) | noise;
}

static void poke_somewhere(struct hardware_lab *lab, struct hv_rng *rng)
{
    uint64_t value = rng_below(rng, 2) ? any(rng) : any_descriptor(rng);
    static const uint64_t places[] = {LAB_QUEUE, LAB_INTERRUPTS, LAB_DESCRIPTORS, LAB_TABLES, LAB_REQUESTS};
    lab_poke(lab, places[rng_below(rng, HV_ARRAY_LEN(places))] + 8 * rng_below(rng, 512), value);
}

static void write_register(struct hardware_lab *lab, struct hv_rng *rng)
{
    uint32_t offset = any_offset(rng);
    unsigned bytes = rng_below(rng, 16) == 0 ? (unsigned)rng_below(rng, 17) : rng_below(rng, 2) ? 4 : 8;
    uint64_t before = lab->u.stats.descriptors;
    iommu_write(&lab->u, offset, bytes, any(rng), rng_below(rng, 1000000));
    /* Two registers at a time at most, and each can start the queue once. */
    assert_true(lab->u.stats.descriptors - before <= 2 * QUEUE_MOST);
}

/* Gets the queue going and frees some fault records, so that not every error halts everything. */
static void revive(struct hardware_lab *lab, struct hv_rng *rng)
{
    for (uint32_t i = 0; i < 8; i++) {
        lab_put64(lab, IOMMU_FRCD_HIGH + 16 * i, UINT64_MAX);
    }
    lab_command(lab, IOMMU_GSTS_QIES, false);
    lab_put32(lab, IOMMU_FSTS, UINT32_MAX);
    lab_table_mode(lab, (enum iommu_table_mode)rng_below(rng, 4));
    lab_put64(lab, IOMMU_IRTA, LAB_INTERRUPTS | rng_below(rng, 16) | rng_below(rng, 2) << 11);
    lab_command(lab, IOMMU_GSTS_IRTPS, true);
    lab_command(lab, IOMMU_GSTS_IRES, rng_below(rng, 8) != 0);
    lab_command(lab, IOMMU_GSTS_TES, rng_below(rng, 8) != 0);
    lab_put64(lab, IOMMU_PQA, LAB_REQUESTS | rng_below(rng, 8));
    lab->silent_device = rng_below(rng, 16) == 0;
    lab_queue(lab, rng_below(rng, 2));
}

static void request(struct hardware_lab *lab, struct hv_rng *rng)
{
    hv_cycles now = rng_below(rng, 1000000);
    struct iommu_page_request page = {
        .source = (uint16_t)any(rng), .has_pasid = rng_below(rng, 2), .read = rng_below(rng, 2),
        .write = rng_below(rng, 2), .execute = rng_below(rng, 2), .privileged = rng_below(rng, 2),
        .last = rng_below(rng, 2), .pasid = (uint32_t)any(rng), .address = any(rng), .group = (uint16_t)any(rng),
    };
    struct iommu_request dma = {
        .source = (uint16_t)any(rng), .has_pasid = rng_below(rng, 2), .privileged = rng_below(rng, 2),
        .pasid = (uint32_t)rng_below(rng, 1 << 20), .address = any(rng) & ~UINT64_C(7), .bytes = 8,
        .access = (enum iommu_access)rng_below(rng, 3), .type = (enum iommu_address_type)rng_below(rng, 3),
    };
    switch (rng_below(rng, 3)) {
    case 0: iommu_page_request(&lab->u, &page, now); break;
    case 1: assert_true(iommu_translate(&lab->u, &dma, now).done >= now); break;
    default:
        assert_true(iommu_interrupt(&lab->u, (uint16_t)any(rng), 0xfee00000 | (any(rng) & 0xfffff),
                                    (uint32_t)any(rng), now).done >= now);
    }
}

static void run(const struct iommu_params *params, uint64_t seed)
{
    struct hardware_lab *lab = hardware_lab_make(params);
    struct hv_rng rng;
    rng_init(&rng, seed);
    iommu_check_stale(&lab->u, true);
    for (unsigned i = 0; i < STEPS; i++) {
        switch (rng_below(&rng, 8)) {
        case 0: case 1: write_register(lab, &rng); break;
        case 2: iommu_read(&lab->u, any_offset(&rng), (unsigned)rng_below(&rng, 17), any(&rng)); break;
        case 3: case 4: poke_somewhere(lab, &rng); break;
        case 5: lab_push(lab, any_descriptor(&rng), rng_below(&rng, 2) ? 0 : any(&rng) & ~UINT64_C(0xfff)); break;
        case 6: request(lab, &rng); break;
        default: revive(lab, &rng);
        }
    }
    /* It did work, not only refuse. */
    const struct iommu_stats *s = &lab->u.stats;
    assert_true(s->descriptors > 200 && s->interrupts > 500 && s->faults_recorded > 100 && s->page_requests > 500);
    hardware_lab_free(lab);
}

static void everything_offered(void **state)
{
    (void)state;
    struct iommu_params params = lab_params();
    run(&params, 1);
}

static void one_of_everything(void **state)
{
    (void)state;
    struct iommu_params params = lab_params();
    params.fault_records = 1;
    params.interrupt_cache.entries = params.context_cache.entries = params.pasid_cache.entries = 1;
    params.iotlb.entries = 1;
    params.caching_mode = true;
    params.physical_bits = 36;
    run(&params, 2);
}

static void nothing_cached(void **state)
{
    (void)state;
    struct iommu_params params = lab_params();
    params.fault_records = 256;
    params.interrupt_cache.entries = 0;
    params.x2apic = false;
    params.posting = false;
    params.physical_bits = 52;
    run(&params, 3);
}

/* A device whose every invalidation writes the tail again: the run ends after as many descriptors as there are. */
static struct hardware_lab *victim;

static void tail_again(void *ctx, const struct iommu_device_invalidation *what, hv_cycles now)
{
    (void)ctx;
    (void)what;
    uint64_t tail = (iommu_read(&victim->u, IOMMU_IQT, 8, now) + 16) % 4096;
    iommu_write(&victim->u, IOMMU_IQT, 8, tail, now);
}

static void chased_tail(void **state)
{
    (void)state;
    struct iommu_params params = lab_params();
    struct hardware_lab *lab = victim = hardware_lab_make(&params);
    lab->u.wires.device_tlb = tail_again;
    for (unsigned i = 0; i < 256; i++) {
        lab_poke(lab, LAB_QUEUE + 16 * i, 3);
    }
    lab_queue(lab, false);
    lab_put64(lab, IOMMU_IQT, 16);
    assert_int_equal(lab->u.stats.descriptors, 256);
    assert_int_equal(lab_get32(lab, IOMMU_FSTS), 0);
    hardware_lab_free(lab);
}

/* An event whose handler clears IQE at once, so that the queue runs into the same descriptor, for ever if it could. */
static void msi_again(void *ctx, uint64_t address, uint32_t data, hv_cycles now)
{
    (void)address;
    (void)data;
    struct hardware_lab *lab = ctx;
    lab->msis++;
    iommu_write(&lab->u, IOMMU_FSTS, 4, 0xff, now);
}

static void event_that_comes_back(void **state)
{
    (void)state;
    static const uint64_t tails[] = {16, 0x7fff0}; /* a bad descriptor, a bad tail */
    for (size_t i = 0; i < HV_ARRAY_LEN(tails); i++) {
        struct iommu_params params = lab_params();
        struct hardware_lab *lab = hardware_lab_make(&params);
        lab->u.wires.msi = msi_again;
        lab_events(lab);
        lab_queue(lab, false);
        lab_poke(lab, LAB_QUEUE, 15);
        lab_put64(lab, IOMMU_IQT, tails[i]);
        assert_int_equal(lab->msis, 256); /* as many attempts as the queue has entries */
        assert_int_equal(lab_get64(lab, IOMMU_IQH), 0);
        hardware_lab_free(lab);
    }
}

/* The same for the device exclusion vector. */
static void dev_vector(void **state)
{
    (void)state;
    struct physmem memory;
    struct hv_err err = {.text = ""};
    struct hv_rng rng;
    rng_init(&rng, 4);
    assert_true(physmem_init(&memory, HV_MIB(16), &err));
    struct dev_vector *d = calloc(1, sizeof(*d));
    const struct dev_vector_params params = {.domains = 64, .maps = 255, .cache = {.entries = 4, .ways = 2}};
    assert_true(dev_vector_init(d, &params, &memory, &(struct mem_port){0}, &err));
    d->check_stale = true;
    for (unsigned i = 0; i < STEPS; i++) {
        hv_cycles now = any(&rng);
        switch (rng_below(&rng, 4)) {
        case 0:
            dev_vector_write(d, DEV_VECTOR_OP, (uint32_t)(rng_below(&rng, 10) << 8 | rng_below(&rng, 256)), now);
            break;
        case 1: dev_vector_write(d, DEV_VECTOR_DATA, (uint32_t)any(&rng), now); break;
        case 2: dev_vector_read(d, (uint32_t)rng_below(&rng, 16), now); break;
        default: assert_true(dev_vector_access(d, (uint16_t)any(&rng), any(&rng), rng_below(&rng, 2), 5).done >= 5);
        }
    }
    assert_true(d->stats.blocked > 100 && d->stats.blocked < d->stats.checks);
    dev_vector_fini(d);
    physmem_fini(&memory);
    free(d);
}

GTEST_MAIN("IommuHostile", cmocka_unit_test(everything_offered), cmocka_unit_test(one_of_everything),
           cmocka_unit_test(nothing_cached), cmocka_unit_test(chased_tail), cmocka_unit_test(event_that_comes_back),
           cmocka_unit_test(dev_vector))
