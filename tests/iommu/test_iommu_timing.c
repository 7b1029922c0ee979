/* SPDX-License-Identifier: MIT */
/* When a translation is there: hits, misses, walkers, walks under way. */
#include "iommu/dma_lab.h"

enum { SOURCE = 0x0600, HIT = 20, WALK = 4 * DMA_READ_CYCLES, STRUCTURES = 2 * DMA_READ_CYCLES };

#define IOVA UINT64_C(0x0000001040200000)

static struct iommu_params timed_params(void)
{
    struct iommu_params params = dma_cached_params(64);
    params.hit_cycles = HIT;
    for (unsigned level = PWC_LOWEST_LEVEL; level < PWC_LEVELS; level++) {
        params.pwc[level].entries = 0;
    }
    return params;
}

static struct dma_lab *lab_new(const struct iommu_params *params, struct dma_tables *second)
{
    struct dma_lab *lab = dma_lab_new(params, IOMMU_LEGACY);
    *second = dma_second_tables(lab, 4);
    for (unsigned i = 0; i < 32; i++) {
        dma_map(second, IOVA + i * HV_PAGE_BYTES, HV_GIB(1) + i * HV_PAGE_BYTES, HV_PAGE_4K);
    }
    dma_attach(lab, SOURCE, 7, second);
    return lab;
}

static hv_cycles done_at(struct dma_lab *lab, unsigned page, hv_cycles now)
{
    struct iommu_request r = dma_request(SOURCE, IOVA + page * HV_PAGE_BYTES, IOMMU_READ);
    struct iommu_reply reply = iommu_translate(lab->u, &r, now);
    assert_true(reply.ok);
    return reply.done;
}

static void hit_and_miss(void **state)
{
    (void)state;
    struct iommu_params params = timed_params();
    struct dma_tables second;
    struct dma_lab *lab = lab_new(&params, &second);
    assert_int_equal(done_at(lab, 0, 1000), 1000 + STRUCTURES + WALK + HIT); /* root, context, four levels */
    assert_int_equal(done_at(lab, 0, 5000), 5000 + HIT);
    assert_int_equal(done_at(lab, 1, 6000), 6000 + WALK + HIT);
    assert_int_equal(lab->u->stats.walk_cycles, 2 * WALK);
    assert_int_equal(lab->u->stats.structure_cycles, STRUCTURES);
    assert_int_equal(lab->u->stats.translation_cycles, STRUCTURES + 2 * WALK + 3 * HIT);
    assert_int_equal(lab->u->translation_cycles.sum, lab->u->stats.translation_cycles);
    assert_int_equal(lab->u->stats.walkers_busy_cycles, STRUCTURES + 2 * WALK);
    dma_lab_free(lab);
}

static void latencies(void **state)
{
    (void)state;
    struct iommu_params params = timed_params();
    params.context_cycles = 7;
    params.walk_latency_cycles = 30;
    struct dma_tables second;
    struct dma_lab *lab = lab_new(&params, &second);
    assert_int_equal(done_at(lab, 0, 1000), 1000 + STRUCTURES + 7 + 30 + WALK + HIT);
    assert_int_equal(done_at(lab, 1, 5000), 5000 + 30 + WALK + HIT);
    dma_lab_free(lab);
}

/* A look-up of the paging-structure caches takes its time, and saves three references. */
static void paging_structure_caches(void **state)
{
    (void)state;
    struct iommu_params params = timed_params();
    params.pwc[2].entries = 4;
    params.pwc_latency_cycles = 3;
    struct dma_tables second;
    struct dma_lab *lab = lab_new(&params, &second);
    done_at(lab, 0, 0);
    assert_int_equal(done_at(lab, 1, 5000), 5000 + 3 + DMA_READ_CYCLES + HIT);
    dma_lab_free(lab);
}

/* Misses beyond the walkers wait for the first one that is free. */
static void walkers(void **state)
{
    (void)state;
    for (unsigned count = 1; count <= 4; count++) {
        struct iommu_params params = timed_params();
        params.walkers = count;
        struct dma_tables second;
        struct dma_lab *lab = lab_new(&params, &second);
        done_at(lab, 31, 0);
        for (unsigned i = 0; i < 8; i++) {
            assert_int_equal(done_at(lab, i, 10000), 10000 + (i / count + 1) * WALK + HIT);
        }
        dma_lab_free(lab);
    }
}

/* A request to a page whose walk is under way waits for that walk: until its end, and not a cycle longer. */
static void merged(void **state)
{
    (void)state;
    struct iommu_params params = timed_params();
    struct dma_tables second;
    struct dma_lab *lab = lab_new(&params, &second);
    done_at(lab, 31, 0);
    assert_int_equal(done_at(lab, 0, 10000), 10000 + WALK + HIT);
    assert_int_equal(done_at(lab, 0, 10001), 10000 + WALK + HIT);
    assert_int_equal(done_at(lab, 0, 10000 + WALK - 1), 10000 + WALK + HIT);
    assert_int_equal(done_at(lab, 0, 10000 + WALK), 10000 + WALK + HIT);
    assert_int_equal(done_at(lab, 0, 10000 + WALK + 1), 10000 + WALK + 1 + HIT);
    assert_int_equal(lab->u->stats.walks_merged, 2);
    assert_int_equal(lab->u->stats.walks, 2);
    /* One that comes earlier in time, but later in the simulation, would have made the walk. */
    assert_int_equal(done_at(lab, 0, 9000), 9000 + WALK + HIT);
    dma_lab_free(lab);
}

static void not_merged(void **state)
{
    (void)state;
    struct iommu_params params = timed_params();
    params.merge_walks = false;
    struct dma_tables second;
    struct dma_lab *lab = lab_new(&params, &second);
    done_at(lab, 31, 0);
    assert_int_equal(done_at(lab, 0, 10000), 10000 + WALK + HIT);
    assert_int_equal(done_at(lab, 0, 10001), 10001 + WALK + HIT);
    assert_int_equal(lab->u->stats.walks_merged, 0);
    assert_int_equal(lab->u->stats.walks, 3);
    dma_lab_free(lab);
}

/* A fault takes as long as it takes to find. */
static void faults(void **state)
{
    (void)state;
    struct iommu_params params = timed_params();
    struct dma_tables second;
    struct dma_lab *lab = lab_new(&params, &second);
    struct iommu_request r = dma_request(SOURCE, IOVA + HV_GIB(100), IOMMU_READ);
    struct iommu_reply reply = iommu_translate(lab->u, &r, 500);
    assert_int_equal(reply.fault, 0x06);
    assert_int_equal(reply.done, 500 + STRUCTURES + 2 * DMA_READ_CYCLES + HIT); /* nothing at level 3 */
    dma_lab_free(lab);
}

/* After a reset nothing is left: neither caches nor the time of walkers. */
static void reset(void **state)
{
    (void)state;
    struct iommu_params params = timed_params();
    params.walkers = 1;
    struct dma_tables second;
    struct dma_lab *lab = lab_new(&params, &second);
    hv_cycles first = done_at(lab, 0, 0);
    iommu_reset(lab->u);
    dma_program(lab, IOMMU_LEGACY, true);
    assert_int_equal(done_at(lab, 0, 0), first);
    assert_int_equal(lab->u->stats.requests, 1);
    dma_lab_free(lab);
}

GTEST_MAIN("IommuTiming", cmocka_unit_test(hit_and_miss), cmocka_unit_test(latencies),
           cmocka_unit_test(paging_structure_caches), cmocka_unit_test(walkers), cmocka_unit_test(merged),
           cmocka_unit_test(not_merged), cmocka_unit_test(faults), cmocka_unit_test(reset))
