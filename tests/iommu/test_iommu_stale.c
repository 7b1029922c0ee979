/* SPDX-License-Identifier: MIT */
/* check.stale: what is used although memory no longer says it, and which invalidation is missing. */
#include "iommu/dma_scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "iommu/iommu_parts.h"

static struct scene checked_scene(enum scene_kind kind, bool iotlb)
{
    struct iommu_params params = dma_cached_params(16);
    params.iotlb.entries = iotlb ? 16 : 0;
    struct scene s = scene_new(&params, kind, IOMMU_READ);
    iommu_check_stale(s.lab->u, true);
    return s;
}

/* Uses the translation twice: nothing is stale. */
static void use(struct scene *s)
{
    assert_true(dma_send(s->lab, &s->request).ok);
    assert_true(dma_send(s->lab, &s->request).ok);
    assert_int_equal(s->lab->u->stats.stale_found, 0);
}

/* The report's text; the caller frees it. */
static char *report_of(const struct scene *s)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    iommu_stale_report(s->lab->u, out);
    fclose(out);
    return text;
}

static void unmap(struct scene *s) { dma_poke(s->lab, dma_entry(&s->second, SCENE_IOVA, 1), 0); }
static void remap(struct scene *s) { dma_map(&s->second, SCENE_IOVA, HV_GIB(2), HV_PAGE_4K); }
static void take_rights(struct scene *s) { dma_poke(s->lab, dma_entry(&s->second, SCENE_IOVA, 1), SCENE_PAGE | 1); }
static void unmap_first(struct scene *s) { dma_poke(s->lab, dma_entry(&s->first, SCENE_IOVA, 1), 0); }
static void unmap_below(struct scene *s) { dma_poke(s->lab, dma_entry(&s->second, SCENE_PAGE, 1), 0); }
static void move_table(struct scene *s)
{
    uint64_t entry = dma_entry(&s->second, SCENE_IOVA, 2), page = dma_take_page(s->lab);
    dma_poke(s->lab, page + (SCENE_IOVA >> 12 & 511) * 8, dma_peek(s->lab, dma_entry(&s->second, SCENE_IOVA, 1)));
    dma_poke(s->lab, entry, page | 3);
}
static void move_first_table(struct scene *s)
{
    uint64_t entry = dma_entry(&s->first, SCENE_IOVA, 2), page = dma_take_page(s->lab);
    dma_poke(s->lab, page + (SCENE_IOVA >> 12 & 511) * 8, dma_peek(s->lab, dma_entry(&s->first, SCENE_IOVA, 1)));
    dma_poke(s->lab, entry, page | 0x27);
}
static void detach(struct scene *s) { dma_poke(s->lab, dma_context_entry(s->lab, SCENE_SOURCE), 0); }
static void clear_pasid(struct scene *s) { dma_poke(s->lab, dma_pasid_entry(s->lab, SCENE_SOURCE, SCENE_PASID), 0); }

static const struct stale_row {
    const char *name;
    enum scene_kind kind;
    bool iotlb;
    void (*change)(struct scene *s);
    const char *what, *missing;
} rows[] = {
    {"unmapped", LEGACY, true, unmap, "stale IOTLB entry", "an IOTLB invalidation is missing"},
    {"remapped", SECOND, true, remap, "stale IOTLB entry", "an IOTLB invalidation is missing"},
    {"rights", SECOND, true, take_rights, "stale IOTLB entry", "an IOTLB invalidation is missing"},
    {"first_stage", FIRST, true, unmap_first, "stale IOTLB entry", "a PASID-based IOTLB invalidation is missing"},
    {"nested_first", NESTED, true, unmap_first, "stale IOTLB entry", "a PASID-based IOTLB invalidation (if"},
    {"nested_second", NESTED, true, unmap_below, "stale IOTLB entry", "or an IOTLB invalidation (if the second did)"},
    {"table", LEGACY, false, move_table, "stale paging-structure-cache entry", "an IOTLB invalidation is missing"},
    {"first_table", FIRST, false, move_first_table, "stale paging-structure-cache entry",
     "a PASID-based IOTLB invalidation is missing"},
    {"context", LEGACY, true, detach, "stale context-cache entry", "a context-cache invalidation is missing"},
    {"scalable_context", SECOND, true, detach, "stale context-cache entry", "a context-cache invalidation is missing"},
    {"pasid", SECOND, true, clear_pasid, "stale PASID-cache entry", "a PASID-cache invalidation is missing"},
};

static void finds(void **state)
{
    const struct stale_row *row = *state;
    struct scene s = checked_scene(row->kind, row->iotlb);
    use(&s);
    row->change(&s);
    assert_true(dma_send(s.lab, &s.request).ok); /* from what is cached */
    assert_true(s.lab->u->stats.stale_found > 0);
    char *text = report_of(&s);
    if (strstr(text, row->what) == NULL || strstr(text, row->missing) == NULL) {
        fail_msg("the report says: %s", text);
    }
    free(text);
    dma_lab_free(s.lab);
}

/* With the invalidations, in the order of the specification, nothing is reported. */
static void invalidated(void **state)
{
    const struct stale_row *row = *state;
    struct scene s = checked_scene(row->kind, row->iotlb);
    use(&s);
    row->change(&s);
    iommu_invalidate_context(s.lab->u, IOMMU_CONTEXT_ALL, 0, 0, 0);
    iommu_invalidate_pasid(s.lab->u, IOMMU_PASID_ALL, 0, 0);
    iommu_invalidate_iotlb(s.lab->u, IOMMU_IOTLB_DOMAIN, SCENE_DOMAIN, 0, 0, false);
    dma_send(s.lab, &s.request);
    dma_send(s.lab, &s.request);
    assert_int_equal(s.lab->u->stats.stale_found, 0);
    dma_lab_free(s.lab);
}

/* More rights than are cached are no fault, and no use is reported while it is off. */
static void more_rights(void **state)
{
    (void)state;
    struct scene s = checked_scene(LEGACY, true);
    take_rights(&s);
    use(&s);
    dma_map(&s.second, SCENE_IOVA, SCENE_PAGE, HV_PAGE_4K);
    use(&s);
    iommu_check_stale(s.lab->u, false);
    unmap(&s);
    use(&s);
    dma_lab_free(s.lab);
}

/* Caching mode: an error that is cached, although software has mended it. */
static void cached_errors(void **state)
{
    (void)state;
    struct iommu_params params = dma_cached_params(16);
    params.caching_mode = true;
    struct dma_lab *lab = dma_lab_new(&params, IOMMU_LEGACY);
    struct dma_tables second = dma_second_tables(lab, 4);
    dma_attach(lab, SCENE_SOURCE, SCENE_DOMAIN, &second);
    iommu_check_stale(lab->u, true);
    assert_int_equal(dma_read(lab, SCENE_SOURCE, SCENE_IOVA).fault, 0x06);
    assert_int_equal(dma_read(lab, SCENE_SOURCE, SCENE_IOVA).fault, 0x06);
    assert_int_equal(lab->u->stats.stale_found, 0);
    dma_map(&second, SCENE_IOVA, SCENE_PAGE, HV_PAGE_4K);
    assert_int_equal(dma_read(lab, SCENE_SOURCE, SCENE_IOVA).fault, 0x06);
    assert_int_equal(lab->u->stats.stale_found, 1);
    dma_lab_free(lab);
}

static struct CMUnitTest finds_tests[HV_ARRAY_LEN(rows)], invalidated_tests[HV_ARRAY_LEN(rows)];

int main(int argc, char **argv)
{
    static const struct CMUnitTest rest[] = {cmocka_unit_test(more_rights), cmocka_unit_test(cached_errors)};
    gtest_rows(finds_tests, finds, rows, sizeof(rows[0]), HV_ARRAY_LEN(rows));
    gtest_rows(invalidated_tests, invalidated, rows, sizeof(rows[0]), HV_ARRAY_LEN(rows));
    const struct gtest_suite suites[] = {
        GTEST_SUITE("StaleFinds", finds_tests), GTEST_SUITE("StaleInvalidated", invalidated_tests),
        GTEST_SUITE("Stale", rest),
    };
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
