/* SPDX-License-Identifier: MIT */
/*
 * The registers of the Device Exclusion Vector: AMD64 APM Vol. 2 "DEV Capability Block" and "DEV Control and Status
 * Registers" (15.24.4 to 15.24.6).
 */
#include "iommu/dev_vector.h"

enum { CAPABILITY_ID = 0x0f }; /* DEV_HDR: the rest, a next pointer and how errors are reported, is 0 */

#define BASE_LOW_BITS UINT32_C(0xfffff07f)
#define BASE_HIGH_BITS UINT32_C(0xff)
#define CONTROL_BITS UINT32_C(0x4f) /* that software sets and clears */

/* The register that DEV_OP selects among those that only hold what is written; NULL: another, or none. */
static uint32_t *selected(struct dev_vector *d)
{
    uint32_t instance = d->operation & 0xff;
    switch (d->operation >> 8) {
    case DEV_VECTOR_BASE_LO: return instance < d->params.domains ? &d->base_low[instance] : NULL;
    case DEV_VECTOR_BASE_HI: return instance < d->params.domains ? &d->base_high[instance] : NULL;
    case DEV_VECTOR_MAP: return instance < d->params.maps ? &d->map[instance] : NULL;
    case DEV_VECTOR_ERR_STATUS: return &d->error_status;
    case DEV_VECTOR_ERR_ADDR_LO: return &d->error_low;
    case DEV_VECTOR_ERR_ADDR_HI: return &d->error_high;
    default: return NULL;
    }
}

static uint32_t writable_bits(uint32_t function)
{
    return function == DEV_VECTOR_BASE_LO   ? BASE_LOW_BITS
           : function == DEV_VECTOR_BASE_HI ? BASE_HIGH_BITS
                                            : UINT32_MAX;
}

static uint32_t read_data(struct dev_vector *d, hv_cycles now)
{
    uint32_t function = d->operation >> 8;
    if (function == DEV_VECTOR_CAP) {
        return (uint32_t)d->params.maps << 16 | (uint32_t)d->params.domains << 8;
    }
    if (function == DEV_VECTOR_CR) {
        return d->control | (now < d->invalidated ? DEV_VECTOR_CR_INVALIDATE : 0);
    }
    const uint32_t *r = selected(d);
    return r == NULL ? 0 : *r;
}

uint32_t dev_vector_read(struct dev_vector *d, uint32_t offset, hv_cycles now)
{
    switch (offset) {
    case DEV_VECTOR_HDR: return CAPABILITY_ID;
    case DEV_VECTOR_OP: return d->operation;
    case DEV_VECTOR_DATA: return read_data(d, now);
    default: return 0;
    }
}

static void flush(struct dev_vector *d, hv_cycles now)
{
    d->stats.flushes++;
    d->invalidated = now + d->params.invalidation_cycles;
    for (size_t slot = 0; d->lines != NULL && slot < assoc_slots(&d->tags); slot++) {
        if (d->tags.tags[slot] != 0) {
            assoc_drop(&d->tags, slot);
            d->stats.cache.invalidations++;
        }
    }
}

/* SL_DEV_EN is set by SKINIT and can only be cleared. */
static void write_control(struct dev_vector *d, uint32_t value, hv_cycles now)
{
    uint32_t loader = d->control & value & DEV_VECTOR_CR_SL_DEV;
    d->control = (value & CONTROL_BITS) | loader;
    if ((value & DEV_VECTOR_CR_INVALIDATE) != 0) {
        flush(d, now);
    }
}

static void write_data(struct dev_vector *d, uint32_t value, hv_cycles now)
{
    uint32_t function = d->operation >> 8;
    uint32_t *r = selected(d);
    if (function == DEV_VECTOR_CR) {
        write_control(d, value, now);
    } else if (r != NULL) {
        *r = value & writable_bits(function);
    }
}

void dev_vector_write(struct dev_vector *d, uint32_t offset, uint32_t value, hv_cycles now)
{
    if (offset == DEV_VECTOR_OP) {
        d->operation = value & 0xffff;
    } else if (offset == DEV_VECTOR_DATA) {
        write_data(d, value, now);
    }
}

void dev_vector_protect_loader(struct dev_vector *d, uint64_t address)
{
    d->loader = address >> DEV_VECTOR_LOADER_LOG2;
    d->control |= DEV_VECTOR_CR_SL_DEV;
}

bool dev_vector_io_allowed(const struct dev_vector *d)
{
    return (d->control & DEV_VECTOR_CR_IOSPEN) == 0;
}
