/* SPDX-License-Identifier: MIT */
/* AMD's Device Exclusion Vector: registers, domains, what is excluded, its cache, its log. */
#include "gtest.h"

#include <stdlib.h>
#include <string.h>

#include "iommu/dev_vector.h"

enum {
    VECTORS = 0x400000,        /* domain n's vector is at VECTORS + n * VECTOR_BYTES */
    VECTOR_BYTES = 0x20000,    /* of 4 GiB: a bit for each of 2^20 pages */
    DEVICE = 0x0708,           /* bus 7, unit 1 */
    READ_CYCLES = 50, CHECK_CYCLES = 4,
};

struct dev_lab {
    struct physmem memory;
    struct dev_vector d;
    size_t reads;
    uint64_t last_line;
};

static struct mem_reply read_line(void *ctx, uint64_t line, enum cache_user user, hv_cycles now)
{
    struct dev_lab *lab = ctx;
    (void)user;
    lab->reads++;
    lab->last_line = line;
    return (struct mem_reply){.done = now + READ_CYCLES, .level = MEM_DRAM};
}

static struct dev_vector_params default_params(void)
{
    return (struct dev_vector_params){
        .domains = 4, .maps = 3, .check_cycles = CHECK_CYCLES, .invalidation_cycles = 100,
        .cache = {.entries = 8, .ways = PARAM_WAYS_FULL, .replacement = ASSOC_LRU},
    };
}

static struct dev_lab *make_with(const struct dev_vector_params *params)
{
    struct dev_lab *lab = calloc(1, sizeof(*lab));
    struct hv_err err = {.text = ""};
    assert_non_null(lab);
    assert_true(physmem_init(&lab->memory, HV_MIB(16), &err));
    struct mem_port port = {.read = read_line, .ctx = lab};
    assert_true(dev_vector_init(&lab->d, params, &lab->memory, &port, &err));
    return lab;
}

static struct dev_lab *make(void)
{
    struct dev_vector_params params = default_params();
    return make_with(&params);
}

static void free_lab(struct dev_lab *lab)
{
    dev_vector_fini(&lab->d);
    physmem_fini(&lab->memory);
    free(lab);
}

static uint32_t get(struct dev_lab *lab, uint32_t function, uint32_t index)
{
    dev_vector_write(&lab->d, DEV_VECTOR_OP, function << 8 | index, 1000);
    return dev_vector_read(&lab->d, DEV_VECTOR_DATA, 1000);
}

static void put(struct dev_lab *lab, uint32_t function, uint32_t index, uint32_t value)
{
    dev_vector_write(&lab->d, DEV_VECTOR_OP, function << 8 | index, 0);
    dev_vector_write(&lab->d, DEV_VECTOR_DATA, value, 0);
}

/* A vector of 4 GiB for a domain, with or without protection beyond it. */
static void set_domain(struct dev_lab *lab, uint32_t domain, uint32_t flags)
{
    put(lab, DEV_VECTOR_BASE_HI, domain, 0);
    put(lab, DEV_VECTOR_BASE_LO, domain, (VECTORS + domain * VECTOR_BYTES) | flags);
}

static void exclude(struct dev_lab *lab, uint32_t domain, uint64_t address, bool on)
{
    uint64_t page = address >> 12;
    uint8_t *byte = &lab->memory.bytes[VECTORS + domain * VECTOR_BYTES + page / 8];
    *byte = (uint8_t)(on ? *byte | 1 << page % 8 : *byte & ~(1 << page % 8));
}

static bool allowed(struct dev_lab *lab, uint16_t source, uint64_t address)
{
    return dev_vector_access(&lab->d, source, address, false, 0).ok;
}

/* AMD64 APM Vol. 2, 15.24.4 to 15.24.6: what each register holds after all ones. */
static void registers(void **state)
{
    (void)state;
    static const struct { uint32_t function, index, ones; } rows[] = {
        {0, 0, 0xfffff07f}, {0, 3, 0xfffff07f}, {0, 4, 0}, {1, 0, 0xff}, {1, 3, 0xff}, {1, 4, 0},
        {2, 0, 0xffffffff}, {2, 2, 0xffffffff}, {2, 3, 0}, {3, 0, 3 << 16 | 4 << 8}, {4, 0, 0x4f},
        {5, 0, 0xffffffff}, {6, 0, 0xffffffff}, {7, 0, 0xffffffff}, {8, 0, 0}, {255, 255, 0},
    };
    struct dev_lab *lab = make();
    assert_int_equal(dev_vector_read(&lab->d, DEV_VECTOR_HDR, 0), 0x0f);
    dev_vector_write(&lab->d, DEV_VECTOR_HDR, 0xffffffff, 0);
    assert_int_equal(dev_vector_read(&lab->d, DEV_VECTOR_HDR, 0), 0x0f);
    assert_int_equal(dev_vector_read(&lab->d, 12, 0), 0);
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        uint32_t reset = get(lab, rows[i].function, rows[i].index);
        assert_int_equal(reset, rows[i].function == 3 ? rows[i].ones : 0);
        put(lab, rows[i].function, rows[i].index, 0xffffffff);
        assert_int_equal(get(lab, rows[i].function, rows[i].index), rows[i].ones);
    }
    dev_vector_write(&lab->d, DEV_VECTOR_OP, 0xffffffff, 0);
    assert_int_equal(dev_vector_read(&lab->d, DEV_VECTOR_OP, 0), 0xffff);
    dev_vector_reset(&lab->d);
    assert_int_equal(get(lab, DEV_VECTOR_CR, 0), 0);
    assert_int_equal(get(lab, DEV_VECTOR_MAP, 0), 0);
    free_lab(lab);
}

/* Until it is switched on, and where V is clear, nothing is checked. */
static void off(void **state)
{
    (void)state;
    struct dev_lab *lab = make();
    exclude(lab, 0, 0x5000, true);
    set_domain(lab, 0, DEV_VECTOR_BASE_VALID);
    struct dev_vector_reply reply = dev_vector_access(&lab->d, DEVICE, 0x5000, true, 7);
    assert_true(reply.ok && reply.done == 7);
    put(lab, DEV_VECTOR_CR, 0, DEV_VECTOR_CR_ENABLE);
    assert_false(allowed(lab, DEVICE, 0x5000));
    set_domain(lab, 0, 0);
    assert_true(allowed(lab, DEVICE, 0x5000));
    free_lab(lab);
}

/* A bit for each page, and for nothing else. */
static void pages(void **state)
{
    (void)state;
    static const uint64_t excluded[] = {0, 0x5000, 0x3f000, 0x40000, 0x1ff000, 0x200000, 0xfffff000};
    struct dev_lab *lab = make();
    set_domain(lab, 0, DEV_VECTOR_BASE_VALID);
    put(lab, DEV_VECTOR_CR, 0, DEV_VECTOR_CR_ENABLE);
    for (size_t i = 0; i < HV_ARRAY_LEN(excluded); i++) {
        exclude(lab, 0, excluded[i], true);
    }
    put(lab, DEV_VECTOR_CR, 0, DEV_VECTOR_CR_ENABLE | DEV_VECTOR_CR_INVALIDATE);
    for (size_t i = 0; i < HV_ARRAY_LEN(excluded); i++) {
        assert_false(allowed(lab, DEVICE, excluded[i]));
        assert_false(allowed(lab, DEVICE, excluded[i] + 0xfff));
    }
    static const uint64_t free_pages[] = {0x1000, 0x4fff, 0x6000, 0x3e000, 0x41000, 0x1fe000, 0x201000, 0xffffe000};
    for (size_t i = 0; i < HV_ARRAY_LEN(free_pages); i++) {
        assert_true(allowed(lab, DEVICE, free_pages[i]));
    }
    free_lab(lab);
}

/* SIZE: 4 GiB * 2^SIZE are covered; beyond it P decides. */
static void beyond_the_vector(void **state)
{
    (void)state;
    struct dev_lab *lab = make();
    put(lab, DEV_VECTOR_CR, 0, DEV_VECTOR_CR_ENABLE);
    for (uint32_t size = 0; size < 3; size++) {
        for (uint32_t protect = 0; protect < 2; protect++) {
            set_domain(lab, 0, DEV_VECTOR_BASE_VALID | protect << 1 | size << 2);
            assert_true(allowed(lab, DEVICE, (HV_GIB(4) << size) - 1));
            assert_int_equal(allowed(lab, DEVICE, HV_GIB(4) << size), !protect);
            assert_int_equal(allowed(lab, DEVICE, UINT64_C(1) << 50), !protect);
        }
    }
    free_lab(lab);
}

/* DEV_MAP: unit 0 and unit 1 of a register, each with its valid bit and domain; nobody's devices are in domain 0. */
static void domains(void **state)
{
    (void)state;
    struct dev_lab *lab = make();
    put(lab, DEV_VECTOR_CR, 0, DEV_VECTOR_CR_ENABLE);
    for (uint32_t domain = 0; domain < 4; domain++) {
        exclude(lab, domain, domain << 12, true); /* domain n may not touch page n */
        set_domain(lab, domain, DEV_VECTOR_BASE_VALID);
    }
    put(lab, DEV_VECTOR_MAP, 0, 2u << 26 | 1 << 20 | 7 << 12 | 1 << 11 | 9 << 6 | 1 << 5 | 1); /* 7.1: 1, 7.9: 2 */
    put(lab, DEV_VECTOR_MAP, 1, 3u << 26 | 3 << 20 | 8 << 12 | 1 << 11 | 1 << 6 | 1);          /* 8.1: 3, by unit 1 */
    put(lab, DEV_VECTOR_MAP, 2, 63u << 20 | 9 << 12 | 1 << 5 | 1);                             /* a domain too many */
    static const struct { uint16_t source; uint32_t domain; } rows[] = {
        {0x0708, 1}, {0x070f, 1} /* functions are of the same unit */, {0x0748, 2}, {0x0710, 0}, {0x0608, 0},
        {0x0808, 3}, {0x0908, 0}, {0xffff, 0},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        for (uint32_t page = 0; page < 4; page++) {
            assert_int_equal(allowed(lab, rows[i].source, page << 12), page != rows[i].domain);
        }
    }
    free_lab(lab);
}

/* Cached until software invalidates, after which DEV_CR bit 4 reads as set for so long. */
static void cache(void **state)
{
    (void)state;
    struct dev_lab *lab = make();
    lab->d.check_stale = true;
    set_domain(lab, 0, DEV_VECTOR_BASE_VALID);
    put(lab, DEV_VECTOR_CR, 0, DEV_VECTOR_CR_ENABLE);
    assert_int_equal(dev_vector_access(&lab->d, DEVICE, 0x5000, false, 10).done, 10 + CHECK_CYCLES + READ_CYCLES);
    assert_int_equal(lab->last_line, VECTORS / 64);
    assert_int_equal(dev_vector_access(&lab->d, DEVICE, 0x1ff000, false, 10).done, 10 + CHECK_CYCLES); /* same line */
    assert_int_equal(dev_vector_access(&lab->d, DEVICE, 0x200000, false, 10).done, 10 + CHECK_CYCLES + READ_CYCLES);
    assert_int_equal(lab->last_line, VECTORS / 64 + 1);
    assert_int_equal(lab->d.stats.stale_found, 0);
    exclude(lab, 0, 0x5000, true);
    assert_true(allowed(lab, DEVICE, 0x5000)); /* stale */
    assert_int_equal(lab->d.stats.stale_found, 1);
    dev_vector_write(&lab->d, DEV_VECTOR_OP, DEV_VECTOR_CR << 8, 500);
    dev_vector_write(&lab->d, DEV_VECTOR_DATA, DEV_VECTOR_CR_ENABLE | DEV_VECTOR_CR_INVALIDATE, 500);
    assert_int_equal(dev_vector_read(&lab->d, DEV_VECTOR_DATA, 599), DEV_VECTOR_CR_ENABLE | DEV_VECTOR_CR_INVALIDATE);
    assert_int_equal(dev_vector_read(&lab->d, DEV_VECTOR_DATA, 600), DEV_VECTOR_CR_ENABLE);
    assert_false(allowed(lab, DEVICE, 0x5000));
    assert_int_equal(lab->d.stats.cache.invalidations, 2);
    assert_int_equal(lab->reads, 3);
    assert_int_equal(lab->d.stats.cache.hits, 2);
    free_lab(lab);
}

/* Lines of different domains do not answer for each other; without a cache every check reads memory. */
static void cache_tags(void **state)
{
    (void)state;
    struct dev_vector_params params = default_params();
    for (uint64_t entries = 0; entries <= 8; entries += 8) {
        params.cache.entries = entries;
        struct dev_lab *lab = make_with(&params);
        put(lab, DEV_VECTOR_MAP, 0, 1 << 20 | 7 << 12 | 1 << 5 | 1);
        set_domain(lab, 0, DEV_VECTOR_BASE_VALID);
        set_domain(lab, 1, DEV_VECTOR_BASE_VALID);
        exclude(lab, 1, 0x5000, true);
        put(lab, DEV_VECTOR_CR, 0, DEV_VECTOR_CR_ENABLE);
        for (unsigned i = 0; i < 10; i++) {
            assert_true(allowed(lab, 0x0100, 0x5000));
            assert_false(allowed(lab, DEVICE, 0x5000));
        }
        assert_int_equal(lab->reads, entries == 0 ? 20 : 2);
        free_lab(lab);
    }
}

/* The first blocked access is logged until software clears the status; later ones are only noticed. */
static void log_of_errors(void **state)
{
    (void)state;
    struct dev_lab *lab = make();
    set_domain(lab, 0, DEV_VECTOR_BASE_VALID | DEV_VECTOR_BASE_PROTECT);
    put(lab, DEV_VECTOR_CR, 0, DEV_VECTOR_CR_ENABLE);
    dev_vector_access(&lab->d, DEVICE, UINT64_C(0x123456789), true, 0);
    assert_int_equal(get(lab, DEV_VECTOR_ERR_STATUS, 0), DEV_VECTOR_ERR_VALID | DEV_VECTOR_ERR_WRITE);
    dev_vector_access(&lab->d, DEVICE, HV_GIB(8), false, 0);
    assert_int_equal(get(lab, DEV_VECTOR_ERR_STATUS, 0),
                     DEV_VECTOR_ERR_VALID | DEV_VECTOR_ERR_MORE | DEV_VECTOR_ERR_WRITE);
    assert_int_equal(get(lab, DEV_VECTOR_ERR_ADDR_LO, 0), 0x23456789);
    assert_int_equal(get(lab, DEV_VECTOR_ERR_ADDR_HI, 0), 1);
    put(lab, DEV_VECTOR_ERR_STATUS, 0, 0);
    dev_vector_access(&lab->d, DEVICE, HV_GIB(8), false, 0);
    assert_int_equal(get(lab, DEV_VECTOR_ERR_STATUS, 0), DEV_VECTOR_ERR_VALID | DEV_VECTOR_ERR_READ);
    assert_int_equal(get(lab, DEV_VECTOR_ERR_ADDR_HI, 0), 2);
    assert_int_equal(lab->d.stats.blocked, 3);
    free_lab(lab);
}

/* SKINIT's 64 KiB are protected without any vector; software can end that, and not begin it. */
static void secure_loader(void **state)
{
    (void)state;
    struct dev_lab *lab = make();
    put(lab, DEV_VECTOR_CR, 0, DEV_VECTOR_CR_SL_DEV);
    assert_int_equal(get(lab, DEV_VECTOR_CR, 0), 0);
    dev_vector_protect_loader(&lab->d, 0x70000);
    assert_int_equal(get(lab, DEV_VECTOR_CR, 0), DEV_VECTOR_CR_SL_DEV);
    assert_true(allowed(lab, DEVICE, 0x6ffff) && allowed(lab, DEVICE, 0x80000));
    assert_false(allowed(lab, DEVICE, 0x70000) || allowed(lab, DEVICE, 0x7ffff));
    put(lab, DEV_VECTOR_CR, 0, DEV_VECTOR_CR_SL_DEV | DEV_VECTOR_CR_IOSPEN); /* stays */
    assert_false(allowed(lab, DEVICE, 0x70000));
    assert_false(dev_vector_io_allowed(&lab->d));
    put(lab, DEV_VECTOR_CR, 0, 0);
    assert_true(allowed(lab, DEVICE, 0x70000));
    assert_true(dev_vector_io_allowed(&lab->d));
    free_lab(lab);
}

/* A vector where there is no memory excludes everything: reads there are all ones. */
static void vector_beyond_memory(void **state)
{
    (void)state;
    struct dev_lab *lab = make();
    put(lab, DEV_VECTOR_BASE_HI, 0, 0xff);
    put(lab, DEV_VECTOR_BASE_LO, 0, 0xffffffff);
    put(lab, DEV_VECTOR_CR, 0, DEV_VECTOR_CR_ENABLE);
    assert_false(allowed(lab, DEVICE, 0));
    assert_false(allowed(lab, DEVICE, UINT64_MAX));
    free_lab(lab);
}

static void parameters(void **state)
{
    (void)state;
    const struct param_mount mounts[] = {
        {"dev", 0, dev_vector_param_rows, &dev_vector_param_count, NULL, "the vector"},
        {"dev.cache", offsetof(struct dev_vector_params, cache), iommu_cache_param_rows, &iommu_cache_param_count,
         "entries=8", "its cache"},
    };
    const struct param_schema schema = {mounts, HV_ARRAY_LEN(mounts)};
    struct dev_vector_params params;
    params_defaults(&schema, &params);
    assert_true(params.domains == 4 && params.maps == 3 && params.cache.entries == 8); /* the first implementations */
    struct dev_vector d;
    struct hv_err err = {.text = ""};
    params.cache.ways = 3; /* does not divide 8 */
    assert_false(dev_vector_init(&d, &params, NULL, &(struct mem_port){0}, &err));
    assert_non_null(strstr(err.text, "ways"));
}

GTEST_MAIN("DevVector", cmocka_unit_test(registers), cmocka_unit_test(off), cmocka_unit_test(pages),
           cmocka_unit_test(beyond_the_vector), cmocka_unit_test(domains), cmocka_unit_test(cache),
           cmocka_unit_test(cache_tags), cmocka_unit_test(log_of_errors), cmocka_unit_test(secure_loader),
           cmocka_unit_test(vector_beyond_memory), cmocka_unit_test(parameters))
