/* SPDX-License-Identifier: MIT */
#include "vmm/dev_map.h"

#include <string.h>

enum {
    COVERED_LOG2 = 32,  /* of size 0 */
    POLL_CYCLES = 100,
    DOMAINS_SHIFT = 8, MAPS_SHIFT = 16, /* of DEV_CAP */
};

/*
 * A DEV_MAP register holds two devices of one bus: of each a unit, a bit that says that it is valid, and a domain.
 */
enum { BUS_SHIFT = 12 };
static const struct half {
    unsigned unit, valid, domain; /* where these begin */
} halves[] = {{0, 5, 20}, {6, 11, 26}};

/* --- registers --------------------------------------------------------------------------------------------------- */

static void select_register(struct dev_map *m, enum dev_vector_function function, uint32_t instance, hv_cycles now)
{
    dev_vector_write(m->hardware, DEV_VECTOR_OP, (uint32_t)function << 8 | instance, now);
}

static uint32_t get(struct dev_map *m, enum dev_vector_function function, uint32_t instance, hv_cycles now)
{
    select_register(m, function, instance, now);
    return dev_vector_read(m->hardware, DEV_VECTOR_DATA, now);
}

static void put(struct dev_map *m, enum dev_vector_function function, uint32_t instance, uint32_t value, hv_cycles now)
{
    select_register(m, function, instance, now);
    dev_vector_write(m->hardware, DEV_VECTOR_DATA, value, now);
}

hv_cycles dev_map_invalidate(struct dev_map *m, hv_cycles now)
{
    uint32_t control = get(m, DEV_VECTOR_CR, 0, now);
    put(m, DEV_VECTOR_CR, 0, control | DEV_VECTOR_CR_INVALIDATE, now);
    do {
        now += POLL_CYCLES;
    } while ((get(m, DEV_VECTOR_CR, 0, now) & DEV_VECTOR_CR_INVALIDATE) != 0);
    return now;
}

/* --- domains ----------------------------------------------------------------------------------------------------- */

static uint64_t vector_bytes(const struct dev_map *m)
{
    return (UINT64_C(1) << (COVERED_LOG2 + m->size - HV_PAGE_SHIFT)) / 8;
}

/* Memory for a vector, in one piece; FRAMES_NONE: there is not so much left. */
static uint64_t take_vector(struct dev_map *m)
{
    uint64_t start = frames_take(m->frames, HV_PAGE_4K), last = start;
    for (uint64_t bytes = HV_PAGE_BYTES; bytes < vector_bytes(m) && last != FRAMES_NONE; bytes += HV_PAGE_BYTES) {
        last = frames_take(m->frames, HV_PAGE_4K);
        HV_ASSERT(last == FRAMES_NONE || last == start + bytes, "a vector in pieces: %#llx", (unsigned long long)last);
    }
    return last == FRAMES_NONE ? FRAMES_NONE : start;
}

/* The next domain, which reaches nothing. The register that makes it valid is written last. */
static bool add_domain(struct dev_map *m, struct hv_err *err)
{
    uint32_t domain = m->used;
    uint64_t vector = take_vector(m);
    void *bytes = vector != FRAMES_NONE ? physmem_pointer(m->memory, (hv_hpa){vector}, vector_bytes(m)) : NULL;
    if (bytes == NULL) {
        return hv_fail(err, "machine.memory has no room for the vectors of iommu.mode exclusion, %llu KiB for each "
                       "device; raise it", (unsigned long long)(vector_bytes(m) >> 10));
    }
    memset(bytes, 0xff, vector_bytes(m));
    m->vectors[domain] = vector;
    put(m, DEV_VECTOR_BASE_HI, domain, (uint32_t)(vector >> 32), 0);
    put(m, DEV_VECTOR_BASE_LO, domain, (uint32_t)vector | m->size << DEV_VECTOR_BASE_SIZE_SHIFT |
        DEV_VECTOR_BASE_PROTECT | DEV_VECTOR_BASE_VALID, 0);
    m->used++;
    return true;
}

bool dev_map_init(struct dev_map *m, struct dev_vector *hardware, const struct dev_map_config *config,
                  struct hv_err *err)
{
    *m = (struct dev_map){.hardware = hardware, .memory = config->memory, .frames = config->frames};
    uint32_t offered = get(m, DEV_VECTOR_CAP, 0, 0);
    m->domains = offered >> DOMAINS_SHIFT & 0xff;
    m->maps = offered >> MAPS_SHIFT & 0xff;
    while (config->end > UINT64_C(1) << (COVERED_LOG2 + m->size)) {
        m->size++;
    }
    if (!add_domain(m, err)) {
        return false;
    }
    put(m, DEV_VECTOR_CR, 0, DEV_VECTOR_CR_ENABLE | DEV_VECTOR_CR_IOSPEN, 0);
    dev_map_invalidate(m, 0);
    return true;
}

/* --- devices ----------------------------------------------------------------------------------------------------- */

static bool is_valid(uint32_t map, const struct half *h)
{
    return (map >> h->valid & 1) != 0;
}

/* Looks for a device among those that are named. */
static bool find(struct dev_map *m, uint32_t bus, uint32_t unit, uint32_t *domain)
{
    for (uint32_t i = 0; i < m->maps; i++) {
        uint32_t map = get(m, DEV_VECTOR_MAP, i, 0);
        for (size_t n = 0; n < HV_ARRAY_LEN(halves); n++) {
            const struct half *h = &halves[n];
            if (is_valid(map, h) && (map >> BUS_SHIFT & 0xff) == bus && (map >> h->unit & 0x1f) == unit) {
                *domain = map >> h->domain & 0x3f;
                return true;
            }
        }
    }
    return false;
}

/* Names a device: in a register that has another of its bus and room, or in an empty one. False: there is none. */
static bool name(struct dev_map *m, uint32_t bus, uint32_t unit, uint32_t domain)
{
    for (uint32_t i = 0; i < m->maps; i++) {
        uint32_t map = get(m, DEV_VECTOR_MAP, i, 0);
        const struct half *h = &halves[is_valid(map, &halves[0])];
        if (is_valid(map, h) || (h != &halves[0] && (map >> BUS_SHIFT & 0xff) != bus)) {
            continue;
        }
        put(m, DEV_VECTOR_MAP, i, map | bus << BUS_SHIFT | unit << h->unit | 1u << h->valid | domain << h->domain, 0);
        return true;
    }
    return false;
}

bool dev_map_place(struct dev_map *m, uint16_t source, uint32_t *domain, struct hv_err *err)
{
    uint32_t bus = source >> 8, unit = source >> 3 & 0x1f;
    if (find(m, bus, unit, domain)) {
        return true;
    }
    *domain = m->used;
    if (m->used >= m->domains) {
        return hv_fail(err, "iommu.exclusion.domains of %u is one for devices without memory and %u more, too few for "
                       "this device and its functions; raise it", (unsigned)m->domains, (unsigned)m->domains - 1);
    }
    if (!add_domain(m, err)) {
        return false;
    }
    return name(m, bus, unit, *domain) ||
           hv_fail(err, "iommu.exclusion.maps of %u registers, for two devices each, are too few for this device and "
                   "its functions; raise it", (unsigned)m->maps);
}

/* --- pages ------------------------------------------------------------------------------------------------------- */

static void set_pages(struct dev_map *m, uint32_t domain, const uint64_t ends[2], bool excluded)
{
    HV_ASSERT(ends[1] >> HV_PAGE_SHIFT <= vector_bytes(m) * 8, "%#llx is beyond the vectors",
              (unsigned long long)ends[1]);
    uint64_t last = (ends[1] + HV_PAGE_BYTES - 1) >> HV_PAGE_SHIFT;
    for (uint64_t page = ends[0] >> HV_PAGE_SHIFT; page < last; page++) {
        hv_hpa word = {m->vectors[domain] + page / 64 * 8};
        uint64_t bit = UINT64_C(1) << page % 64, now = physmem_read64(m->memory, word);
        physmem_write64(m->memory, word, excluded ? now | bit : now & ~bit);
    }
}

void dev_map_allow(struct dev_map *m, uint32_t domain, uint64_t address, uint64_t bytes)
{
    set_pages(m, domain, (const uint64_t[]){address, address + bytes}, false);
}

void dev_map_exclude(struct dev_map *m, uint32_t domain, uint64_t address, uint64_t bytes)
{
    set_pages(m, domain, (const uint64_t[]){address, address + bytes}, true);
}
