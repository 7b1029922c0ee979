/* SPDX-License-Identifier: MIT */
#include "iommu/dev_vector.h"

#include <stdlib.h>
#include <string.h>

#include "base/bigmem.h"

enum {
    ADDRESS_BITS = 40, /* of these devices and of vectors: "Memory Space Accesses" */
    PAGES_PER_LINE_LOG2 = 9,
    LINE_BYTES = 64,
    MINIMUM_BYTES_LOG2 = 32, /* covered by a vector of SIZE 0 */
    DOMAIN_IN_TAG_SHIFT = 24,
};

const struct param_row dev_vector_param_rows[] = {
#define P(...) PARAM_ROW(struct dev_vector_params, __VA_ARGS__)
#include "iommu/dev_vector_params.def"
#undef P
};
const size_t dev_vector_param_count = HV_ARRAY_LEN(dev_vector_param_rows);

const struct stat_row dev_vector_stat_rows[] = {
#define S(...) STAT_ROW(struct dev_vector_stats, __VA_ARGS__)
#include "iommu/dev_vector_stats.def"
#undef S
};
const size_t dev_vector_stat_count = HV_ARRAY_LEN(dev_vector_stat_rows);

static bool init_cache(struct dev_vector *d, struct hv_err *err)
{
    const struct iommu_cache_params *p = &d->params.cache;
    if (p->entries == 0) {
        return true;
    }
    uint64_t ways = p->ways == PARAM_WAYS_FULL ? p->entries : p->ways;
    if (!assoc_init(&d->tags, p->entries, ways, (enum assoc_policy)p->replacement, false, err)) {
        return false;
    }
    d->lines = bigmem_take(assoc_slots(&d->tags), sizeof(*d->lines));
    if (d->lines == NULL) {
        assoc_fini(&d->tags);
        return hv_fail(err, "no memory for the cache of device exclusion vectors");
    }
    return true;
}

bool dev_vector_init(struct dev_vector *d, const struct dev_vector_params *params, struct physmem *memory,
                     const struct mem_port *port, struct hv_err *err)
{
    memset(d, 0, sizeof(*d));
    d->params = *params;
    d->memory = memory;
    d->port = *port;
    return init_cache(d, err);
}

void dev_vector_fini(struct dev_vector *d)
{
    if (d->lines != NULL) {
        assoc_fini(&d->tags);
        free(d->lines);
        d->lines = NULL;
    }
}

void dev_vector_reset(struct dev_vector *d)
{
    memset(d->base_low, 0, sizeof(d->base_low));
    memset(d->base_high, 0, sizeof(d->base_high));
    memset(d->map, 0, sizeof(d->map));
    d->operation = d->control = d->error_status = d->error_low = d->error_high = 0;
    d->loader = 0;
    d->invalidated = 0;
    d->stats = (struct dev_vector_stats){0};
    if (d->lines != NULL) {
        assoc_reset(&d->tags);
    }
}

/* "DEV_MAP Registers": the first that names bus and unit; otherwise domain 0. A domain that is not there is 0 too. */
static uint32_t domain_of(const struct dev_vector *d, uint16_t source)
{
    uint32_t bus = source >> 8, unit = source >> 3 & 0x1f, domain = 0;
    for (size_t i = 0; i < d->params.maps; i++) {
        uint32_t m = d->map[i];
        if ((m >> 12 & 0xff) != bus) {
            continue;
        }
        if ((m >> 5 & 1) != 0 && (m & 0x1f) == unit) {
            domain = m >> 20 & 0x3f;
            break;
        }
        if ((m >> 11 & 1) != 0 && (m >> 6 & 0x1f) == unit) {
            domain = m >> 26;
            break;
        }
    }
    return domain < d->params.domains ? domain : 0;
}

static uint64_t vector_of(const struct dev_vector *d, uint32_t domain)
{
    return (uint64_t)d->base_high[domain] << 32 | (d->base_low[domain] & UINT32_C(0xfffff000));
}

/* A line of a vector as it is in memory; where there is none, every page is excluded. */
static struct dev_vector_line line_in_memory(const struct dev_vector *d, uint32_t domain, uint64_t number)
{
    struct dev_vector_line line;
    uint64_t address = vector_of(d, domain) + number * LINE_BYTES;
    for (unsigned i = 0; i < HV_ARRAY_LEN(line.word); i++) {
        line.word[i] = physmem_read64(d->memory, (hv_hpa){address + 8 * i});
    }
    return line;
}

static uint64_t tag_of(uint32_t domain, uint64_t number)
{
    return ((uint64_t)domain << DOMAIN_IN_TAG_SHIFT | number) + 1;
}

static void check_stale(struct dev_vector *d, uint32_t domain, uint64_t number, const struct dev_vector_line *cached)
{
    if (d->check_stale) {
        struct dev_vector_line now = line_in_memory(d, domain, number);
        d->stats.stale_found += memcmp(&now, cached, sizeof(now)) != 0;
    }
}

/* Line `number` of a domain's vector, cached or from memory; `now` moves on by the reference. */
static struct dev_vector_line find_line(struct dev_vector *d, uint32_t domain, uint64_t number, hv_cycles *now)
{
    ptrdiff_t found = d->lines == NULL ? ASSOC_NONE : assoc_find(&d->tags, number, tag_of(domain, number), 0);
    if (found != ASSOC_NONE) {
        d->stats.cache.hits++;
        assoc_touch(&d->tags, (size_t)found);
        check_stale(d, domain, number, &d->lines[found]);
        return d->lines[found];
    }
    d->stats.cache.misses++;
    d->stats.walk_refs++;
    if (d->port.read != NULL) {
        uint64_t line = vector_of(d, domain) / LINE_BYTES + number;
        *now = d->port.read(d->port.ctx, line, CACHE_WALK, *now).done;
    }
    struct dev_vector_line line = line_in_memory(d, domain, number);
    if (d->lines != NULL) {
        size_t slot = assoc_victim(&d->tags, number);
        d->stats.cache.evictions += d->tags.tags[slot] != 0;
        assoc_place(&d->tags, number, slot, tag_of(domain, number));
        d->lines[slot] = line;
    }
    return line;
}

/* Whether the vectors exclude an access; the secure loader's memory is excluded whether they are on or not. */
static bool is_excluded(struct dev_vector *d, uint16_t source, uint64_t address, hv_cycles *now)
{
    if ((d->control & DEV_VECTOR_CR_SL_DEV) != 0 && address >> DEV_VECTOR_LOADER_LOG2 == d->loader) {
        return true;
    }
    uint32_t domain = domain_of(d, source), low = d->base_low[domain];
    if ((d->control & DEV_VECTOR_CR_ENABLE) == 0 || (low & DEV_VECTOR_BASE_VALID) == 0) {
        return false;
    }
    unsigned size = low >> DEV_VECTOR_BASE_SIZE_SHIFT & 0x1f;
    unsigned covered = size + MINIMUM_BYTES_LOG2 < ADDRESS_BITS ? size + MINIMUM_BYTES_LOG2 : ADDRESS_BITS;
    if (address >> covered != 0) {
        return (low & DEV_VECTOR_BASE_PROTECT) != 0;
    }
    uint64_t page = address >> HV_PAGE_SHIFT;
    struct dev_vector_line line = find_line(d, domain, page >> PAGES_PER_LINE_LOG2, now);
    return (line.word[page / 64 % HV_ARRAY_LEN(line.word)] >> (page % 64) & 1) != 0;
}

/* "Unauthorized Access Logging": the first is kept until software clears the status. */
static void log_error(struct dev_vector *d, uint64_t address, bool write)
{
    if ((d->error_status & DEV_VECTOR_ERR_VALID) != 0) {
        d->error_status |= DEV_VECTOR_ERR_MORE;
        return;
    }
    d->error_status = DEV_VECTOR_ERR_VALID | (write ? DEV_VECTOR_ERR_WRITE : DEV_VECTOR_ERR_READ);
    d->error_low = (uint32_t)address;
    d->error_high = (uint32_t)(address >> 32);
}

struct dev_vector_reply dev_vector_access(struct dev_vector *d, uint16_t source, uint64_t address, bool write,
                                          hv_cycles now)
{
    bool on = (d->control & (DEV_VECTOR_CR_ENABLE | DEV_VECTOR_CR_SL_DEV)) != 0;
    struct dev_vector_reply reply = {.ok = true, .done = now};
    if (!on) {
        return reply;
    }
    d->stats.checks++;
    reply.done += d->params.check_cycles;
    if (is_excluded(d, source, address, &reply.done)) {
        d->stats.blocked++;
        log_error(d, address, write);
        reply.ok = false;
    }
    return reply;
}
