/* SPDX-License-Identifier: MIT */
#include "cloud.h"

#include <stdlib.h>
#include <string.h>

#include "apic/posted.h"

#include "gtest.h"

uint64_t cloud_below(struct cloud *c, uint64_t bound)
{
    return rng_below(&c->rng, bound);
}

void cloud_put(struct cloud *c, uint64_t at, uint64_t word)
{
    physmem_write64(&c->memory, (hv_hpa){at}, word);
}

uint64_t cloud_get(const struct cloud *c, uint64_t at)
{
    return physmem_read64(&c->memory, (hv_hpa){at});
}

/* --- Tables ------------------------------------------------------------------------------------------------------ */

static uint64_t new_table(struct cloud *c)
{
    c->next_table += HV_PAGE_BYTES;
    assert_true(c->next_table <= OWNED);
    return c->next_table - HV_PAGE_BYTES;
}

/* Where the last-level entry of an address is, in tables of four levels with pointers that are `offset` off. */
static uint64_t leaf(struct cloud *c, uint64_t root, uint64_t address, uint64_t bits, uint64_t offset)
{
    uint64_t table = root;
    for (unsigned level = 4; level > 1; level--) {
        uint64_t at = table - offset + 8 * (address >> (12 + 9 * (level - 1)) & 511);
        if (cloud_get(c, at) == 0) {
            cloud_put(c, at, (new_table(c) + offset) | bits);
        }
        table = cloud_get(c, at) & ~UINT64_C(0xfff);
    }
    return table - offset + 8 * (address >> 12 & 511);
}

static void map_second(struct cloud *c, const struct vm *vm, uint64_t guest, uint64_t host)
{
    cloud_put(c, leaf(c, vm->second_root, guest, 3, 0), host == 0 ? 0 : host | 3);
}

/* An I/O-virtual address to a host page, or to nowhere (0). In a nested one the first stage maps it to itself. */
static void map(struct cloud *c, const struct vm *vm, uint64_t address, uint64_t host)
{
    if (vm->kind == FIRST) {
        cloud_put(c, leaf(c, vm->first_root, address, 7, 0), host == 0 ? 0 : host | 7);
        return;
    }
    map_second(c, vm, address, host);
    if (vm->kind == NESTED) {
        cloud_put(c, leaf(c, vm->first_root, address, 7, GUEST_TABLES), address | 7);
    }
}

uint64_t cloud_page_address(unsigned vm, unsigned page)
{
    return HV_MIB(16) + ((uint64_t)vm << 21) + ((uint64_t)page << 12); /* other addresses in each virtual machine */
}

/* --- The hypervisor ---------------------------------------------------------------------------------------------- */

static void descriptor(struct cloud *c, uint64_t low, uint64_t high)
{
    unsigned bytes = c->scalable ? 32 : 16;
    uint64_t words[4] = {low, high, 0, 0};
    memcpy(c->memory.bytes + QUEUE + c->tail, words, bytes);
    c->tail = (c->tail + bytes) % 4096;
}

static void invalidate(struct cloud *c, uint64_t low, uint64_t high)
{
    cloud_put(c, STATUS, 0);
    descriptor(c, low, high);
    descriptor(c, 5 | 1u << 5 | UINT64_C(1) << 32, STATUS);
    iommu_write(c->iommu, 0x88, 8, c->tail, c->now);
    assert_int_equal(cloud_get(c, STATUS), 1);
}

static void give(struct cloud *c, unsigned vm, unsigned page, unsigned host)
{
    c->owner[host] = (uint8_t)vm;
    c->vm[vm].page[page] = OWNED + host * HV_PAGE_BYTES;
    for (uint64_t line = 0; line < HV_PAGE_BYTES; line += 64) {
        cloud_put(c, c->vm[vm].page[page] + line, vm);
    }
    map(c, &c->vm[vm], cloud_page_address(vm, page), c->vm[vm].page[page]);
}

/* The PASID of requests without one: none that requests may have. */
static uint32_t rid_pasid(const struct vm *vm)
{
    return vm->pasid + VMS;
}

/* What was not mapped before needs no invalidation. */
void cloud_take_and_give(struct cloud *c)
{
    unsigned from = (unsigned)cloud_below(c, VMS), page = (unsigned)cloud_below(c, PAGES),
             to = (unsigned)cloud_below(c, VMS);
    struct vm *vm = &c->vm[from];
    if (vm->page[page] != 0) {
        uint64_t address = cloud_page_address(from, page), domain = (uint64_t)vm->domain << 16;
        c->owner[(vm->page[page] - OWNED) / HV_PAGE_BYTES] = NOBODY;
        vm->page[page] = 0;
        map(c, vm, address, 0);
        if (vm->kind == FIRST) {
            invalidate(c, 6 | 3u << 4 | domain | (uint64_t)vm->pasid << 32, address);
            invalidate(c, 6 | 3u << 4 | domain | (uint64_t)rid_pasid(vm) << 32, address);
        } else if (vm->kind == SECOND) {
            invalidate(c, 2 | 3u << 4 | domain, address | 1u << 6);
        } else {
            invalidate(c, 2 | 2u << 4 | domain, 0);
        }
    }
    for (unsigned host = 0, p = (unsigned)cloud_below(c, PAGES); host < OWNED_PAGES && c->vm[to].page[p] == 0; host++) {
        if (c->owner[host] == NOBODY) {
            give(c, to, p, host);
        }
    }
}

/* --- Setting up -------------------------------------------------------------------------------------------------- */

static void new_roots(struct cloud *c, struct vm *vm)
{
    vm->second_root = vm->kind == FIRST ? 0 : new_table(c);
    vm->first_root = vm->kind == SECOND ? 0 : new_table(c) + (vm->kind == NESTED ? GUEST_TABLES : 0);
}

/* The second stage maps the tables of this virtual machine, and nobody else's. */
static void map_tables(struct cloud *c, const struct vm *vm, uint64_t first, uint64_t end)
{
    for (uint64_t table = first; table < end; table += HV_PAGE_BYTES) {
        map_second(c, vm, GUEST_TABLES + table, table);
    }
}

static void write_pasid_entry(struct cloud *c, const struct vm *vm, uint64_t at)
{
    static const uint64_t type[] = {[SECOND] = 2, [FIRST] = 1, [NESTED] = 3};
    cloud_put(c, at, 1 | type[vm->kind] << 6 | vm->second_root | (vm->kind == FIRST ? 0 : 2u << 2));
    cloud_put(c, at + 8, vm->domain | 1u << 23);
    cloud_put(c, at + 16, vm->first_root | 1);
}

static void write_context(struct cloud *c, unsigned n)
{
    struct vm *vm = &c->vm[n];
    if (!c->scalable) {
        cloud_put(c, CONTEXT + 16 * (uint64_t)(vm->source & 255), vm->second_root | 1);
        cloud_put(c, CONTEXT + 16 * (uint64_t)(vm->source & 255) + 8, 2 | (uint64_t)vm->domain << 8);
        return;
    }
    uint64_t context = CONTEXT + 32 * (uint64_t)(vm->source & 127), directory = DIRECTORIES + n * HV_PAGE_BYTES;
    uint64_t table = PASID_TABLES + n * HV_PAGE_BYTES;
    cloud_put(c, context, directory | 1 | 1u << 3);
    cloud_put(c, context + 8, rid_pasid(vm));
    cloud_put(c, directory, table | 1);
    write_pasid_entry(c, vm, table + 64 * (uint64_t)vm->pasid);
    write_pasid_entry(c, vm, table + 64 * (uint64_t)rid_pasid(vm));
}

static void write_interrupts(struct cloud *c, unsigned n)
{
    for (unsigned h = 0; h < HANDLES; h++) {
        uint64_t vector = 0x40 + n, at = INTERRUPTS + 16 * (uint64_t)(n * 2 * HANDLES + 2 * h);
        uint64_t pid = DESCRIPTORS + 64 * (uint64_t)n;
        cloud_put(c, at, 1 | vector << 16 | (uint64_t)n << 40); /* remapped */
        cloud_put(c, at + 8, c->vm[n].source | 1u << 18);
        cloud_put(c, at + 16, 1 | 1u << 15 | vector << 16 | (pid & 0xffffffff) << 32); /* posted */
        cloud_put(c, at + 24, c->vm[n].source | 1u << 18);
        cloud_put(c, pid + 32, (uint64_t)n << 40 | 0x20u << 16); /* NDST is the virtual machine's number */
    }
}

static bool post(void *ctx, uint64_t address, uint8_t vector, bool urgent, uint8_t *notify_vector, uint32_t *ndst)
{
    struct cloud *c = ctx;
    assert_int_equal(address, DESCRIPTORS + 64 * c->posting);
    assert_int_equal(vector, 0x40 + c->posting);
    struct posted_notification n =
        posted_post(&c->memory, (hv_hpa){address}, vector, urgent ? POSTED_URGENT : POSTED_NORMAL);
    *notify_vector = n.vector;
    *ndst = n.ndst;
    return n.send;
}

static void command(struct cloud *c, uint32_t bit)
{
    uint32_t status = (uint32_t)iommu_read(c->iommu, 0x1c, 4, c->now) & 0x96ffffff;
    iommu_write(c->iommu, 0x18, 4, status | bit, c->now);
}

static void start(struct cloud *c)
{
    iommu_write(c->iommu, 0x88, 8, 0, c->now);
    iommu_write(c->iommu, 0x90, 8, QUEUE | (c->scalable ? 0x800 : 0), c->now);
    command(c, 1u << 26); /* QIE */
    iommu_write(c->iommu, 0x20, 8, ROOT | (c->scalable ? 0x400 : 0), c->now);
    command(c, 1u << 30); /* SRTP */
    iommu_write(c->iommu, 0xb8, 8, INTERRUPTS | 7, c->now);
    command(c, 1u << 24); /* SIRTP */
    command(c, 1u << 25); /* IRE */
    invalidate(c, 1 | 1u << 4, 0);
    invalidate(c, 2 | 1u << 4, 0);
    invalidate(c, 4, 0);
    command(c, 1u << 31); /* TE */
}

struct cloud *cloud_new(bool scalable)
{
    struct cloud *c = calloc(1, sizeof(*c));
    assert_non_null(c);
    c->scalable = scalable;
    c->iommu = calloc(1, sizeof(*c->iommu));
    assert_non_null(c->iommu);
    struct hv_err err = {{0}};
    struct iommu_params params;
    params_defaults(&iommu_schema, &params);
    struct iommu_wires wires = {.post = post, .ctx = c};
    assert_true(physmem_init(&c->memory, MEMORY_BYTES, &err));
    assert_true(iommu_init(c->iommu, &params, &c->memory, &wires, &err));
    rng_init(&c->rng, 16);
    c->next_table = TABLES;
    memset(c->owner, NOBODY, sizeof(c->owner));
    cloud_put(c, ROOT, CONTEXT | 1);
    for (unsigned n = 0; n < VMS; n++) {
        struct vm *vm = &c->vm[n];
        uint64_t first = c->next_table;
        *vm = (struct vm){.kind = scalable ? (enum kind)(n % 3) : SECOND,
                          .source = (uint16_t)(0x20 + n),
                          .domain = (uint16_t)(n + 1),
                          .pasid = scalable ? n + 1 : 0};
        new_roots(c, vm);
        for (unsigned page = 0; page < PAGES; page++) {
            give(c, n, page, page * VMS + n); /* host pages of all of them lie side by side */
        }
        if (vm->kind == NESTED) {
            map_second(c, vm, GUEST_TABLES, 0);
            map_tables(c, vm, first, c->next_table);
        }
        write_context(c, n);
        write_interrupts(c, n);
    }
    start(c);
    return c;
}

void cloud_free(struct cloud *c)
{
    iommu_fini(c->iommu);
    physmem_fini(&c->memory);
    free(c->iommu);
    free(c);
}
