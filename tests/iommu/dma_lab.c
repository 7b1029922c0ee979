/* SPDX-License-Identifier: MIT */
#include "iommu/dma_lab.h"

#include <stdlib.h>
#include <string.h>

#define SECOND_TABLE UINT64_C(3) /* read, write */
#define FIRST_TABLE UINT64_C(0x27) /* present, writable, user, accessed */
#define FIRST_LEAF UINT64_C(0x67)  /* and dirty */
#define PAGE_SIZE_BIT UINT64_C(0x80)

static struct mem_reply read_line(void *ctx, uint64_t line, enum cache_user user, hv_cycles now)
{
    struct dma_lab *lab = ctx;
    (void)line;
    assert_int_equal(user, CACHE_WALK);
    lab->reads++;
    lab->last_read = now;
    return (struct mem_reply){.done = now + DMA_READ_CYCLES, .level = MEM_LLC};
}

static struct mem_reply read_dram(void *ctx, uint64_t line, enum cache_user user, hv_cycles now)
{
    struct dma_lab *lab = ctx;
    lab->dram_reads++;
    return read_line(ctx, line, user, now);
}

struct iommu_params dma_bare_params(void)
{
    struct iommu_params params;
    params_defaults(&iommu_schema, &params);
    params.hit_cycles = params.pwc_latency_cycles = 0;
    params.iotlb.entries = params.context_cache.entries = params.pasid_cache.entries = 0;
    for (unsigned level = PWC_LOWEST_LEVEL; level < PWC_LEVELS; level++) {
        params.pwc[level].entries = 0;
    }
    return params;
}

struct iommu_params dma_cached_params(uint64_t entries)
{
    struct iommu_params params = dma_bare_params();
    params.iotlb.entries = params.context_cache.entries = params.pasid_cache.entries = entries;
    for (unsigned level = PWC_LOWEST_LEVEL; level < PWC_LEVELS; level++) {
        params.pwc[level].entries = entries;
    }
    return params;
}

struct dma_lab *dma_lab_new(const struct iommu_params *params, enum iommu_table_mode mode)
{
    struct hv_err err = {.text = ""};
    struct dma_lab *lab = calloc(1, sizeof(*lab));
    assert_non_null(lab);
    lab->u = calloc(1, sizeof(*lab->u));
    assert_non_null(lab->u);
    assert_true(physmem_init(&lab->memory, DMA_BEYOND, &err));
    struct iommu_wires wires = {
        .memory = {.read = read_line, .ctx = lab}, .dram = {.read = read_dram, .ctx = lab}, .ctx = lab,
    };
    if (!iommu_init(lab->u, params, &lab->memory, &wires, &err)) {
        fail_msg("%s", err.text);
    }
    lab->next = HV_MIB(1);
    lab->root = dma_take_page(lab);
    dma_program(lab, mode, true);
    return lab;
}

void dma_lab_free(struct dma_lab *lab)
{
    iommu_check(lab->u);
    iommu_fini(lab->u);
    physmem_fini(&lab->memory);
    free(lab->u);
    free(lab);
}

void dma_program(struct dma_lab *lab, enum iommu_table_mode mode, bool on)
{
    lab->scalable = mode == IOMMU_SCALABLE;
    iommu_write(lab->u, IOMMU_RTADDR, 8, lab->root | (uint64_t)mode << 10, 0);
    iommu_write(lab->u, IOMMU_GCMD, 4, IOMMU_GSTS_RTPS, 0);
    iommu_write(lab->u, IOMMU_GCMD, 4, on ? IOMMU_GSTS_TES : 0, 0);
    assert_int_equal(lab->u->regs.translation_on, on);
}

uint64_t dma_take_page(struct dma_lab *lab)
{
    uint64_t page = lab->next;
    lab->next += HV_PAGE_BYTES;
    assert_true(lab->next < DMA_BEYOND);
    return page;
}

uint64_t dma_peek(const struct dma_lab *lab, uint64_t address)
{
    return physmem_read64(&lab->memory, (hv_hpa){address});
}

void dma_poke(struct dma_lab *lab, uint64_t address, uint64_t value)
{
    physmem_write64(&lab->memory, (hv_hpa){address}, value);
}

/* A page for a table, which the stage below maps if there is one. */
static uint64_t table_page(struct dma_tables *t)
{
    uint64_t page = dma_take_page(t->lab);
    if (t->below != NULL) {
        uint64_t inside = ~(hv_page_bytes(t->below_size) - 1);
        dma_map(t->below, page & inside, page & inside, t->below_size);
    }
    return page;
}

struct dma_tables dma_second_tables(struct dma_lab *lab, unsigned levels)
{
    struct dma_tables t = {.lab = lab, .levels = levels, .table_bits = SECOND_TABLE, .leaf_bits = SECOND_TABLE};
    t.root = table_page(&t);
    return t;
}

struct dma_tables dma_nested_tables(struct dma_lab *lab, unsigned levels, struct dma_tables *below,
                                    enum hv_page_size below_size)
{
    struct dma_tables t = {.lab = lab, .levels = levels, .table_bits = FIRST_TABLE, .leaf_bits = FIRST_LEAF,
                           .below = below, .below_size = below_size};
    t.root = table_page(&t);
    return t;
}

struct dma_tables dma_first_tables(struct dma_lab *lab, unsigned levels)
{
    return dma_nested_tables(lab, levels, NULL, HV_PAGE_4K);
}

uint64_t dma_entry(struct dma_tables *t, uint64_t address, unsigned level)
{
    uint64_t table = t->root;
    for (unsigned at = t->levels;; at--) {
        uint64_t entry = table + (address >> (12 + 9 * (at - 1)) & 511) * 8;
        if (at == level) {
            return entry;
        }
        if (dma_peek(t->lab, entry) == 0) {
            dma_poke(t->lab, entry, table_page(t) | t->table_bits);
        }
        table = dma_peek(t->lab, entry) & UINT64_C(0x000ffffffffff000);
    }
}

void dma_map(struct dma_tables *t, uint64_t from, uint64_t to, enum hv_page_size size)
{
    uint64_t large = size == HV_PAGE_4K ? 0 : PAGE_SIZE_BIT;
    dma_poke(t->lab, dma_entry(t, from, (unsigned)size + 1), to | t->leaf_bits | large);
}

uint64_t dma_root_entry(struct dma_lab *lab, uint16_t source)
{
    uint64_t half = lab->scalable && (source & 128) != 0 ? 8 : 0;
    return lab->root + (uint64_t)(source >> 8) * 16 + half;
}

uint64_t dma_context_entry(struct dma_lab *lab, uint16_t source)
{
    uint64_t root = dma_root_entry(lab, source);
    if (dma_peek(lab, root) == 0) {
        dma_poke(lab, root, dma_take_page(lab) | 1);
    }
    uint64_t index = lab->scalable ? (uint64_t)(source & 127) * 32 : (uint64_t)(source & 255) * 16;
    return (dma_peek(lab, root) & ~UINT64_C(0xfff)) + index;
}

uint64_t dma_directory_entry(struct dma_lab *lab, uint16_t source, uint32_t pasid)
{
    uint64_t context = dma_context_entry(lab, source);
    if (dma_peek(lab, context) == 0) {
        uint64_t enabled = IOMMU_SCALABLE_DTE | IOMMU_SCALABLE_PASIDE | IOMMU_SCALABLE_PRE;
        dma_poke(lab, context, dma_take_page(lab) | enabled | 1);
    }
    return (dma_peek(lab, context) & ~UINT64_C(0xfff)) + pasid / 64 * 8;
}

uint64_t dma_pasid_entry(struct dma_lab *lab, uint16_t source, uint32_t pasid)
{
    uint64_t directory = dma_directory_entry(lab, source, pasid);
    if (dma_peek(lab, directory) == 0) {
        dma_poke(lab, directory, dma_take_page(lab) | 1);
    }
    return (dma_peek(lab, directory) & ~UINT64_C(0xfff)) + pasid % 64 * 64;
}

void dma_attach(struct dma_lab *lab, uint16_t source, uint16_t domain, const struct dma_tables *second)
{
    uint64_t context = dma_context_entry(lab, source);
    unsigned levels = second != NULL ? second->levels : 4;
    dma_poke(lab, context + 8, (levels - 2) | (uint64_t)domain << 8);
    dma_poke(lab, context, second != NULL ? second->root | 1 : 1 | 2 << 2);
}

void dma_attach_pasid(struct dma_lab *lab, uint16_t source, uint32_t pasid, uint16_t domain,
                      const struct dma_tables *first, const struct dma_tables *second)
{
    uint64_t entry = dma_pasid_entry(lab, source, pasid), word0 = 1, word2 = 0;
    unsigned type = first != NULL ? (second != NULL ? 3 : 1) : (second != NULL ? 2 : 4);
    word0 |= type << 6;
    if (second != NULL) {
        word0 |= second->root | (uint64_t)(second->levels - 2) << 2;
    }
    if (first != NULL) {
        word2 = first->root | (uint64_t)(first->levels - 4) << 2;
    }
    dma_poke(lab, entry + 16, word2);
    dma_poke(lab, entry + 8, domain | UINT64_C(1) << 23);
    dma_poke(lab, entry, word0);
}

struct iommu_request dma_request(uint16_t source, uint64_t address, enum iommu_access access)
{
    return (struct iommu_request){.source = source, .address = address, .bytes = 64, .access = access};
}

struct iommu_request dma_pasid_request(uint16_t source, uint32_t pasid, uint64_t address, enum iommu_access access)
{
    struct iommu_request r = dma_request(source, address, access);
    r.has_pasid = pasid != 0;
    r.pasid = pasid;
    return r;
}

struct iommu_reply dma_send(struct dma_lab *lab, const struct iommu_request *request)
{
    return iommu_translate(lab->u, request, 0);
}

struct iommu_reply dma_read(struct dma_lab *lab, uint16_t source, uint64_t address)
{
    struct iommu_request r = dma_request(source, address, IOMMU_READ);
    return dma_send(lab, &r);
}

struct iommu_reply dma_write(struct dma_lab *lab, uint16_t source, uint64_t address)
{
    struct iommu_request r = dma_request(source, address, IOMMU_WRITE);
    return dma_send(lab, &r);
}

void dma_expect(struct dma_lab *lab, const struct iommu_request *request, uint64_t address)
{
    struct iommu_reply reply = dma_send(lab, request);
    if (!reply.ok) {
        fail_msg("%#llx is blocked for reason %#x", (unsigned long long)request->address, reply.fault);
    }
    assert_int_equal(reply.address, address);
}

void dma_expect_fault(struct dma_lab *lab, const struct iommu_request *request, uint8_t reason)
{
    uint64_t faults = lab->u->stats.faults;
    struct iommu_reply reply = dma_send(lab, request);
    assert_false(reply.ok);
    if (reply.fault != reason) {
        fail_msg("reason %#x in place of %#x", reply.fault, reason);
    }
    assert_int_equal(lab->u->stats.faults, faults + (reason != 0));
}
