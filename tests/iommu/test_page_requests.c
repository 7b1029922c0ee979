/* SPDX-License-Identifier: MIT */
/* Page requests of devices: their descriptors, the queue, overflow, events, refusals, and responses. */
#include "hardware_lab.h"

enum { SOURCE = 0x0108, PPR = 1, PRO = 2, ENTRIES = 128 /* of a queue of one page */ };

/* Scalable mode with a context entry that allows PASIDs (bit 3), and page requests (bit 4) if so asked. */
static struct hardware_lab *make(bool allowed)
{
    struct iommu_params params = lab_params();
    struct hardware_lab *lab = hardware_lab_make(&params);
    const uint64_t context = LAB_TABLES + 0x1000, directory = LAB_TABLES + 0x2000;
    lab_poke(lab, LAB_TABLES + 16 * (SOURCE >> 8), context | 1);
    lab_poke(lab, context + 32 * (SOURCE & 0x7f), directory | UINT64_C(7) << 9 | (allowed ? 0x1d : 0x0d));
    lab_events(lab);
    lab_table_mode(lab, IOMMU_SCALABLE);
    lab_queue(lab, true);
    lab_put64(lab, IOMMU_PQA, LAB_REQUESTS);
    lab_command(lab, IOMMU_GSTS_TES, true);
    return lab;
}

static struct iommu_page_request request(uint16_t group, bool last)
{
    return (struct iommu_page_request){.source = SOURCE, .has_pasid = true, .read = true, .last = last, .pasid = 9,
                                       .address = 0x5000, .group = group};
}

static void send(struct hardware_lab *lab, uint16_t group, bool last)
{
    struct iommu_page_request q = request(group, last);
    iommu_page_request(&lab->u, &q, 0);
}

/* VT-d "Page Request Descriptor": every field at its place. */
static void fields(void **state)
{
    (void)state;
    static const struct { struct iommu_page_request q; uint64_t low, high; } rows[] = {
        {{.source = SOURCE, .address = 0x123456789abcdef}, 1 | SOURCE << 16, 0x123456789abc000},
        {{.source = SOURCE, .read = true, .group = 0x1ff}, 1 | SOURCE << 16, 0x1ff << 3 | 1},
        {{.source = SOURCE, .write = true, .last = true}, 1 | SOURCE << 16, 4 | 2},
        {{.source = SOURCE, .has_pasid = true, .pasid = 0xabcde, .execute = true, .privileged = true},
         1 | 1 << 8 | SOURCE << 16 | UINT64_C(0xabcde) << 32 | UINT64_C(3) << 52, 0},
        {{.source = SOURCE, .pasid = 0xabcde, .execute = true, .privileged = true}, 1 | SOURCE << 16, 0},
    };
    struct hardware_lab *lab = make(true);
    for (unsigned i = 0; i < HV_ARRAY_LEN(rows); i++) {
        iommu_page_request(&lab->u, &rows[i].q, 0);
        assert_int_equal(lab_peek(lab, LAB_REQUESTS + 32 * i), rows[i].low);
        assert_int_equal(lab_peek(lab, LAB_REQUESTS + 32 * i + 8), rows[i].high);
        assert_int_equal(lab_peek(lab, LAB_REQUESTS + 32 * i + 16) | lab_peek(lab, LAB_REQUESTS + 32 * i + 24), 0);
        assert_int_equal(lab_get64(lab, IOMMU_PQT), 32 * (i + 1));
    }
    assert_int_equal(lab->responses, 0);
    assert_int_equal(lab->u.stats.faults, 0);
    hardware_lab_free(lab);
}

/* PPR and the event come with the last request of a group, and once until software has served them. */
static void event(void **state)
{
    (void)state;
    struct hardware_lab *lab = make(true);
    send(lab, 1, false);
    assert_int_equal(lab_get32(lab, IOMMU_PRS), 0);
    send(lab, 1, true);
    assert_int_equal(lab_get32(lab, IOMMU_PRS), PPR);
    assert_int_equal(lab->msis, 1);
    assert_int_equal(lab->msi[0].data, 0x43);
    send(lab, 2, true);
    assert_int_equal(lab->msis, 1);
    lab_put32(lab, IOMMU_PRS, PPR);
    send(lab, 3, true);
    assert_int_equal(lab->msis, 2);
    /* Masked, then served before it is unmasked: withdrawn. */
    lab_put32(lab, IOMMU_PRS, PPR);
    lab_put32(lab, IOMMU_PECTL, 1u << 31);
    send(lab, 4, true);
    assert_int_equal(lab_get32(lab, IOMMU_PECTL), 3u << 30);
    lab_put32(lab, IOMMU_PRS, PPR);
    lab_put32(lab, IOMMU_PECTL, 0);
    assert_int_equal(lab->msis, 2);
    hardware_lab_free(lab);
}

/*
 * A queue of 128 holds 127; then PRO, with an event, and hardware answers each group's last request with success. The
 * queue takes no more until PRO is cleared, even when there is room.
 */
static void overflow(void **state)
{
    (void)state;
    struct hardware_lab *lab = make(true);
    for (uint16_t i = 0; i < ENTRIES - 1; i++) {
        send(lab, i, false);
    }
    assert_int_equal(lab_get64(lab, IOMMU_PQT), 32 * (ENTRIES - 1));
    assert_int_equal(lab_get32(lab, IOMMU_PRS), 0);
    send(lab, 200, false);
    assert_int_equal(lab_get32(lab, IOMMU_PRS), PRO);
    assert_int_equal(lab->msis, 1);
    assert_int_equal(lab->responses, 0);
    lab_put64(lab, IOMMU_PQH, 32 * 4); /* room */
    send(lab, 201, true);
    assert_int_equal(lab->responses, 1);
    assert_true(lab->response[0].source == SOURCE && lab->response[0].group == 201 && lab->response[0].code == 0);
    assert_true(lab->response[0].has_pasid && lab->response[0].pasid == 9);
    assert_int_equal(lab_get64(lab, IOMMU_PQT), 32 * (ENTRIES - 1));
    lab_put32(lab, IOMMU_PRS, PRO);
    send(lab, 202, true); /* wraps */
    assert_int_equal(lab_get64(lab, IOMMU_PQT), 0);
    assert_int_equal(lab_get32(lab, IOMMU_PRS), PPR);
    assert_int_equal(lab->responses, 1);
    hardware_lab_free(lab);
}

/* A larger queue, and one where software has put head and tail out of range. */
static void sizes(void **state)
{
    (void)state;
    struct hardware_lab *lab = make(true);
    lab_put64(lab, IOMMU_PQA, LAB_REQUESTS | 2);
    for (uint16_t i = 0; i < 4 * ENTRIES; i++) {
        send(lab, i, false);
    }
    assert_int_equal(lab_get64(lab, IOMMU_PQT), 32 * (4 * ENTRIES - 1));
    assert_int_equal(lab_get32(lab, IOMMU_PRS), PRO);
    lab_put32(lab, IOMMU_PRS, PRO);
    lab_put64(lab, IOMMU_PQA, LAB_REQUESTS); /* smaller again: the tail counts modulo its size */
    send(lab, 1, false);
    assert_int_equal(lab_get32(lab, IOMMU_PRS), PRO);
    lab_put32(lab, IOMMU_PRS, PRO);
    lab_put64(lab, IOMMU_PQA, UINT64_C(0x3ffffffff000)); /* no memory: the request is lost, and nothing breaks */
    lab_put64(lab, IOMMU_PQT, 0x7ffe0);
    lab_put64(lab, IOMMU_PQH, 0x7ffe0);
    send(lab, 1, true);
    assert_int_equal(lab_get32(lab, IOMMU_PRS), PPR);
    hardware_lab_free(lab);
}

/* Refused: the group is answered with "invalid request" at its last request, and what is a fault is recorded. */
static void refusals(void **state)
{
    (void)state;
    struct hardware_lab *lab = make(false); /* PRE is clear: 47H, of type page request */
    send(lab, 5, false);
    assert_int_equal(lab->responses, 0);
    send(lab, 5, true);
    assert_int_equal(lab->responses, 1);
    assert_true(lab->response[0].group == 5 && lab->response[0].code == 1);
    uint64_t record = lab_get64(lab, IOMMU_FRCD_HIGH);
    assert_int_equal(record >> 32 & 0xff, 0x47);
    assert_int_equal(record >> 28 & 1, 1);
    assert_int_equal(record & 0xffff, SOURCE);
    assert_int_equal(lab_get64(lab, IOMMU_PQT), 0);
    lab_command(lab, IOMMU_GSTS_TES, false); /* no translation, nothing to ask for */
    send(lab, 6, true);
    assert_int_equal(lab->response[1].code, 1);
    assert_int_equal(lab->u.stats.faults, 2);
    hardware_lab_free(lab);
    lab = make(true);
    lab_table_mode(lab, IOMMU_LEGACY);
    send(lab, 7, true);
    assert_int_equal(lab->response[0].code, 1);
    assert_int_equal(lab_get64(lab, IOMMU_FRCD_HIGH) >> 32 & 0xff, 0x32);
    hardware_lab_free(lab);
}

static void not_offered(void **state)
{
    (void)state;
    struct iommu_params params = lab_params();
    params.page_requests = false;
    struct hardware_lab *lab = hardware_lab_make(&params);
    lab_table_mode(lab, IOMMU_SCALABLE);
    lab_command(lab, IOMMU_GSTS_TES, true);
    send(lab, 5, true);
    assert_int_equal(lab->responses, 1);
    assert_int_equal(lab->response[0].code, 1);
    assert_int_equal(lab->u.stats.faults, 0);
    hardware_lab_free(lab);
}

/* The response that software queues reaches the function as it is. */
static void response(void **state)
{
    (void)state;
    static const struct { uint64_t low, high; struct iommu_page_response r; } rows[] = {
        {9 | 1 << 4 | (uint64_t)SOURCE << 16 | UINT64_C(0xabcde) << 32, 0x1ff << 3 | 4,
         {SOURCE, true, 0xabcde, 0x1ff, 0}},
        {9 | 1 << 12 | (uint64_t)SOURCE << 16 | UINT64_C(0xabcde) << 32, 2 << 3, {SOURCE, false, 0, 2, 1}},
        {9 | 15 << 12 | UINT64_C(0xffff) << 16, 0, {0xffff, false, 0, 0, 15}},
    };
    struct hardware_lab *lab = make(true);
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        lab_push(lab, rows[i].low, rows[i].high);
        const struct iommu_page_response *r = &lab->response[i];
        assert_int_equal(r->source, rows[i].r.source);
        assert_int_equal(r->has_pasid, rows[i].r.has_pasid);
        assert_int_equal(r->pasid, rows[i].r.pasid);
        assert_int_equal(r->group, rows[i].r.group);
        assert_int_equal(r->code, rows[i].r.code);
    }
    assert_int_equal(lab->u.stats.page_responses, HV_ARRAY_LEN(rows));
    hardware_lab_free(lab);
}

GTEST_MAIN("IommuPageRequests", cmocka_unit_test(fields), cmocka_unit_test(event), cmocka_unit_test(overflow),
           cmocka_unit_test(sizes), cmocka_unit_test(refusals), cmocka_unit_test(not_offered),
           cmocka_unit_test(response))
