/* SPDX-License-Identifier: MIT */
/*
 * Any register writes, descriptors, tables, DMAs and interrupts: nothing crashes, nothing runs for ever, and a few
 * things stay true. Tables that lead somewhere are there to begin with; the input changes them. It is a stream of
 * values; behind its end it goes on with pseudo-random ones that depend on all of it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "iommu/iommu.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    MEMORY = 0x40000,
    ROOT = 0x1000,
    SCALABLE_ROOT = 0x2000,
    CONTEXT = 0x3000,
    LOWER = 0x4000,
    UPPER = 0x5000,
    DIRECTORY = 0x6000,
    PASIDS = 0x7000,
    SECOND = 0x8000,
    FIRST = 0xd000,
    INTERRUPTS = 0x12000,
    QUEUE = 0x13000,
    REQUESTS = 0x15000,
    PERMISSIONS = 0x18000, /* host permission tables, 4 levels */
    PAGE = 0x1000,
    LEVELS = 5,
    STEPS = 32,
};

struct input {
    const uint8_t *data;
    size_t size;
    struct hv_rng random;
};

struct rig {
    struct iommu *iommu;
    struct physmem memory;
    struct input in;
    hv_cycles now;
    uint64_t tail;
    bool wide;
};

static struct input open_input(const uint8_t *data, size_t size)
{
    struct input in = {data, size, {size}};
    for (size_t at = 0; at < size; at++) {
        in.random.state = rng_next(&in.random) ^ data[at];
    }
    return in;
}

static uint64_t take(struct input *in, size_t bytes)
{
    uint64_t value = 0;
    if (in->size < bytes) {
        return rng_next(&in->random) >> (64 - 8 * bytes);
    }
    memcpy(&value, in->data, bytes);
    in->data += bytes;
    in->size -= bytes;
    return value;
}

static void put(struct rig *r, uint64_t at, uint64_t word)
{
    physmem_write64(&r->memory, (hv_hpa){at}, word);
}

/* --- What is there to begin with --------------------------------------------------------------------------------- */

/* The first entry of each table leads to the next one; the others map large pages, the last table's memory itself. */
static void fill_tables(struct rig *r, uint64_t root, uint64_t bits)
{
    for (uint64_t level = LEVELS; level > 0; level--) {
        uint64_t table = root + (LEVELS - level) * PAGE;
        put(r, table, level == 1 ? bits : (table + PAGE) | bits);
        for (uint64_t n = 1; n < 64; n++) {
            put(r, table + 8 * n, level > 3 ? 0 : n << (12 + 9 * (level - 1)) | bits | (level > 1 ? 1u << 7 : 0));
        }
    }
}

/* Some of the first pages of memory, in turn those of 4 KiB, 2 MiB and 1 GiB. */
static void fill_permissions(struct rig *r)
{
    for (uint64_t level = 4; level > 1; level--) {
        uint64_t table = PERMISSIONS + (4 - level) * PAGE;
        put(r, table, level < 4 ? UINT64_C(0x32103210) & ~UINT64_C(0xf) : 0);
        put(r, table + 8, (table + PAGE) | 1);
    }
    put(r, PERMISSIONS + 3 * PAGE, UINT64_C(0x3210321032103210));
}

static void fill_structures(struct rig *r)
{
    bool permissions = r->iommu->params.host_permissions;
    if (permissions) {
        fill_permissions(r);
    }
    put(r, ROOT, CONTEXT | 1);
    put(r, SCALABLE_ROOT, LOWER | 1);
    put(r, SCALABLE_ROOT + 8, UPPER | 1);
    for (uint64_t n = 0; n < 8; n++) {
        uint64_t width = 1 + n % 3; /* 3, 4 or 5 levels */
        for (uint64_t device = n; device < 256; device += 128) {
            put(r, CONTEXT + 16 * device, (SECOND + (3 - width) * PAGE) | n % 3 << 2 | 1);
            put(r, CONTEXT + 16 * device + 8, width | n << 8);
        }
        for (uint64_t half = LOWER; half <= UPPER; half += PAGE) {
            put(r, half + 32 * n, DIRECTORY | 0x1d | (permissions ? n % 2 << 5 | (n & 4) << 4 : 0));
            put(r, half + 32 * n + 8, n);
        }
        uint64_t type = 1 + n % 4, five = n / 4;
        put(r, PASIDS + 64 * n, (SECOND + (3 - width) * PAGE) | (n & 1) << 9 | type << 6 | width << 2 | 1);
        put(r, PASIDS + 64 * n + 8, n | 1u << 23);
        put(r, PASIDS + 64 * n + 32, permissions ? PERMISSIONS | n % 4 : 0);
        put(r, PASIDS + 64 * n + 16, (FIRST + (1 - five) * PAGE) | five << 2 | 1);
        put(r, INTERRUPTS + 16 * n,
            1 | n % 2 << 15 | (0x30 + n) << 16 | (n % 2 != 0 ? UINT64_C(0x16000) << 32 : n << 40));
        put(r, INTERRUPTS + 16 * n + 8, n % 3 == 2 ? 2u << 18 : n | n % 3 << 18);
    }
    put(r, DIRECTORY, PASIDS | 1);
    fill_tables(r, SECOND, 3);
    fill_tables(r, FIRST, 7);
}

static bool post(void *ctx, uint64_t descriptor, uint8_t vector, bool urgent, uint8_t *notify_vector, uint32_t *ndst)
{
    (void)ctx;
    *notify_vector = vector;
    *ndst = (uint32_t)descriptor;
    return urgent;
}

static struct mem_reply read_line(void *ctx, uint64_t line, enum cache_user user, hv_cycles now)
{
    (void)ctx;
    (void)user;
    return (struct mem_reply){now + (line & 7), MEM_LLC};
}

static void write_line(void *ctx, uint64_t line, hv_cycles now)
{
    (void)ctx;
    (void)line;
    (void)now;
}

static void write_register(struct rig *r, uint32_t offset, unsigned bytes, uint64_t value)
{
    iommu_write(r->iommu, offset, bytes, value, r->now);
}

static void start(struct rig *r)
{
    uint64_t how = take(&r->in, 1);
    bool scalable = (how & 1) != 0 && (iommu_read(r->iommu, 0x10, 8, r->now) >> 43 & 1) != 0;
    r->wide = scalable || (how & 2) != 0;
    write_register(r, 0x90, 8, QUEUE | (r->wide ? 0x801 : 0));
    write_register(r, 0x20, 8, scalable ? SCALABLE_ROOT | 0x400 : ROOT);
    write_register(r, 0xb8, 8, INTERRUPTS | 7 | (how & 4 ? 0x800 : 0));
    write_register(r, 0xd0, 8, REQUESTS);
    /* QIE, SRTP, SIRTP, IRE, TE; the second and third stay on for a moment only. */
    static const uint32_t commands[] = {1u << 26, 1u << 30, 1u << 24, 1u << 25, 1u << 31};
    uint32_t on = 0;
    for (size_t c = 0; c < HV_ARRAY_LEN(commands) && (how & 0xf0) != 0xf0; c++) {
        write_register(r, 0x18, 4, on | commands[c]);
        on |= c == 1 || c == 2 ? 0 : commands[c];
    }
}

/* --- Steps ------------------------------------------------------------------------------------------------------- */

static uint32_t some_offset(struct rig *r)
{
    static const uint16_t offsets[] = {
        0x18, 0x20, 0x28, 0x2c, 0x34, 0x38, 0x3c,  0x40,  0x44,  0x64,   0x68,   0x6c,
        0x70, 0x78, 0x88, 0x90, 0x9c, 0xa0, 0xa4,  0xa8,  0xac,  0xb8,   0xc0,   0xc8,
        0xd0, 0xdc, 0xe0, 0xe4, 0xe8, 0xec, 0x500, 0x508, 0x50c, 0x1008, 0x100c,
    };
    uint64_t which = take(&r->in, 1);
    return which < 224 ? offsets[which % HV_ARRAY_LEN(offsets)] : (uint32_t)take(&r->in, 2);
}

static void step_register(struct rig *r)
{
    uint32_t offset = some_offset(r);
    unsigned bytes = (take(&r->in, 1) & 1) != 0 ? 8 : 4;
    if (bytes == 8 && (offset & 4) != 0) {
        offset &= ~UINT32_C(4);
    }
    write_register(r, offset & ~UINT32_C(3), bytes, take(&r->in, bytes));
}

/* One bit of the global command, from its present status. */
static void step_command(struct rig *r)
{
    uint32_t status = (uint32_t)iommu_read(r->iommu, 0x1c, 4, r->now) & 0x96ffffff;
    write_register(r, 0x18, 4, status ^ UINT32_C(1) << (take(&r->in, 1) & 31));
}

/* Any descriptors, often of a type that there is; the tail is where they end, or anywhere. */
static void step_descriptors(struct rig *r)
{
    uint64_t how = take(&r->in, 1), bytes = r->wide ? 32 : 16;
    for (unsigned d = 0; d < 1 + (how & 3); d++) {
        uint64_t low = take(&r->in, 8), high = take(&r->in, 8);
        if ((how & 4) != 0) {
            low = (low & ~UINT64_C(0xe0f)) | (1 + low % 9);
        }
        put(r, QUEUE + r->tail, low);
        put(r, QUEUE + r->tail + 8, high);
        r->tail = (r->tail + bytes) % PAGE;
    }
    write_register(r, 0x88, 8, (how & 0xf8) == 0xf8 ? take(&r->in, 4) : r->tail);
}

static void step_memory(struct rig *r)
{
    uint64_t at = (take(&r->in, 2) << 3) % MEMORY, how = take(&r->in, 1);
    uint64_t old = physmem_read64(&r->memory, (hv_hpa){at});
    put(r, at, how < 192 ? old ^ UINT64_C(1) << (how & 63) : take(&r->in, 8));
}

static uint16_t some_source(struct rig *r)
{
    uint64_t which = take(&r->in, 1);
    return which < 192 ? (uint16_t)((which & 7) | (which & 8) << 4) : (uint16_t)take(&r->in, 2);
}

static uint64_t some_address(struct rig *r)
{
    uint64_t how = take(&r->in, 1);
    return how < 96 ? (how & 63) << 12 : how < 192 ? (how & 63) << 21 | 0x123 : take(&r->in, 8);
}

static void step_dma(struct rig *r)
{
    uint64_t how = take(&r->in, 1);
    struct iommu_request request = {
        .source = some_source(r),
        .has_pasid = (how & 3) == 1,
        .privileged = (how & 7) == 5,
        .no_write = (how & 8) != 0,
        .bytes = (how & 31) == 7 ? (uint32_t)take(&r->in, 1) & 12 : 64,
        .access = (enum iommu_access)(how >> 4 & 1),
        .type = IOMMU_UNTRANSLATED,
    };
    if (how >> 5 > 4) {
        request.type = how >> 5 == 7 ? IOMMU_TRANSLATED : IOMMU_TRANSLATION_REQUEST;
        request.access = request.has_pasid && how >> 5 == 5 ? IOMMU_EXECUTE : request.access;
    }
    request.pasid = !request.has_pasid ? 0
                    : how >> 5 == 0    ? (uint32_t)take(&r->in, 3) & 0xfffff
                                       : (uint32_t)take(&r->in, 1) & 7;
    request.address = some_address(r);
    struct iommu_reply reply = iommu_translate(r->iommu, &request, r->now);
    bool on = iommu_read(r->iommu, 0x1c, 4, r->now) >> 31 != 0;
    HV_ASSERT(reply.done >= r->now, "time goes on");
    HV_ASSERT(!reply.ok || reply.fault == 0, "what is allowed is no fault");
    HV_ASSERT(on || !reply.ok || reply.address == request.address, "nothing is translated while translation is off");
    HV_ASSERT(!reply.ok || ((reply.address ^ request.address) & 0xfff) == 0, "the offset in a page stays");
}

static void step_interrupt(struct rig *r)
{
    uint64_t how = take(&r->in, 2);
    uint64_t address = 0xfee00000 | (how & 15) << 5 | (how >> 4 & 0x18) | (how >> 9 & 15) / 15 << 2;
    struct iommu_interrupt i = iommu_interrupt(
        r->iommu, some_source(r), address, (uint32_t)take(&r->in, how >> 15 ? 4 : 1) & (how >> 15 ? ~0u : 7), r->now);
    HV_ASSERT(i.done >= r->now && (!i.ok || i.fault == 0), "an interrupt is delivered or blocked");
}

static void step_page_request(struct rig *r)
{
    uint64_t how = take(&r->in, 1);
    struct iommu_page_request request = {
        .source = some_source(r),
        .has_pasid = (how & 1) != 0,
        .read = (how & 2) != 0,
        .write = (how & 4) != 0,
        .execute = (how & 8) != 0,
        .privileged = (how & 16) != 0,
        .last = (how & 32) != 0,
        .pasid = (uint32_t)(how >> 6),
        .group = (uint16_t)take(&r->in, 1),
        .address = some_address(r),
    };
    iommu_page_request(r->iommu, &request, r->now);
}

/* FSTS.PPF is the disjunction of all F; the queue's head is inside the queue. */
static void check(struct rig *r)
{
    uint64_t cap = iommu_read(r->iommu, 8, 8, r->now), records = (cap >> 40 & 0xff) + 1, pending = 0;
    for (uint64_t n = 0; n < records; n++) {
        pending |= iommu_read(r->iommu, (uint32_t)((cap >> 24 & 0x3ff) * 16 + 16 * n + 8), 8, r->now) >> 63;
    }
    HV_ASSERT((iommu_read(r->iommu, 0x34, 4, r->now) >> 1 & 1) == pending, "PPF is what the records say");
    uint64_t queue_bytes = UINT64_C(4096) << (iommu_read(r->iommu, 0x90, 8, r->now) & 7);
    HV_ASSERT(iommu_read(r->iommu, 0x80, 8, r->now) < 2 * queue_bytes, "the head is in the queue");
}

static void step(struct rig *r)
{
    static void (*const steps[])(struct rig * r) = {
        step_register, step_command, step_descriptors, step_memory,    step_memory,
        step_dma,      step_dma,     step_dma,         step_interrupt, step_page_request,
    };
    uint64_t which = take(&r->in, 1);
    steps[which % HV_ARRAY_LEN(steps)](r);
    r->now += which * 8;
}

/* What the hardware offers, and small caches. */
static void parameters(struct input *in, struct iommu_params *p)
{
    uint64_t bits = take(in, 2);
    p->caching_mode = (bits & 1) != 0;
    p->physical_bits = (bits & 2) != 0 ? 46 : 36;
    p->iotlb.entries = p->context_cache.entries = p->pasid_cache.entries = p->interrupt_cache.entries = bits >> 2 & 7;
    p->scalable = (bits & 32) == 0;
    p->nested = (bits & 64) == 0;
    p->device_tlb = (bits & 128) == 0;
    p->x2apic = (bits & 256) == 0;
    p->posting = (bits & 512) == 0;
    p->fault_records = 1 + (bits >> 10 & 3);
    p->coherent = (bits & 4096) == 0;
    p->version = (bits & 8192) == 0 ? 6 : 8;
    bits = take(in, 2);
    p->host_permissions = (bits & 1) != 0;
    p->zero_length_reads = (bits & 2) != 0;
    p->pasid_bits = (bits & 4) != 0 ? 20 : 2;
    p->translated_pasid = (bits & 8) == 0;
    p->x2apic_required = (bits & 0x30) == 0x30;
    p->remapping_required = (bits & 0xc0) == 0xc0;
    p->rom_base = (bits >> 8 & 63) * PAGE;
    p->rom_bytes = (bits & 0x4000) != 0 ? 4 * PAGE : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rig r = {.in = open_input(data, size), .iommu = calloc(1, sizeof(*r.iommu))};
    struct iommu_params params;
    struct iommu_wires wires = {.memory = {read_line, write_line, NULL}, .post = post};
    struct hv_err err = {{0}};
    params_defaults(&iommu_schema, &params);
    parameters(&r.in, &params);
    HV_ASSERT(r.iommu != NULL && physmem_init(&r.memory, MEMORY, &err), "memory for the test");
    if (iommu_init(r.iommu, &params, &r.memory, &wires, &err)) { /* a combination may be a user's mistake */
        fill_structures(&r);
        start(&r);
        for (unsigned s = 0; s < STEPS; s++) {
            step(&r);
            check(&r);
        }
        iommu_fini(r.iommu);
    }
    physmem_fini(&r.memory);
    free(r.iommu);
    return 0;
}
