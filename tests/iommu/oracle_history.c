/* SPDX-License-Identifier: MIT */
/* Old values of entries, invalidations, and which of the former the latter leave. VT-d chapter 6. */
#include "oracle_parts.h"

#include <string.h>

void oracle_init(struct oracle *o, const struct oracle_caps *caps, const struct physmem *memory)
{
    memset(o, 0, sizeof(*o));
    o->caps = *caps;
    o->memory = memory;
}

void oracle_forget(struct oracle *o)
{
    o->old_count = o->log_count = 0;
}

bool oracle_full(const struct oracle *o)
{
    return o->old_count > ORACLE_OLD - 16 || o->log_count > ORACLE_LOG - 16;
}

void oracle_before_change(struct oracle *o, uint64_t address, unsigned words)
{
    HV_ASSERT(o->old_count < ORACLE_OLD, "the user of the oracle forgets in time");
    struct oracle_old *old = &o->old[o->old_count++];
    *old = (struct oracle_old){.address = address, .until = ++o->clock, .words = words};
    memcpy(old->word, o->memory->bytes + address, words * sizeof(uint64_t));
}

void oracle_invalidated(struct oracle *o, const struct oracle_invalidation *what)
{
    HV_ASSERT(o->log_count < ORACLE_LOG, "the user of the oracle forgets in time");
    o->log_time[o->log_count] = ++o->clock;
    o->log[o->log_count++] = *what;
}

/* --- Choices ----------------------------------------------------------------------------------------------------- */

void oracle_first_run(struct oracle *o)
{
    o->depth = 0;
    o->impossible = false;
    memset(o->choice, 0, sizeof(o->choice));
}

unsigned oracle_choose(struct oracle *o, unsigned count)
{
    if (o->exact || count == 1 || o->depth == ORACLE_CHOICES) {
        return 0;
    }
    struct oracle_choice *choice = &o->choice[o->depth++];
    choice->count = count;
    return choice->taken;
}

bool oracle_next_run(struct oracle *o)
{
    o->impossible = false;
    for (unsigned d = o->depth; d-- > 0;) {
        if (o->choice[d].taken + 1 < o->choice[d].count) {
            o->choice[d].taken++;
            memset(&o->choice[d + 1], 0, sizeof(o->choice) - (d + 1) * sizeof(o->choice[0]));
            o->depth = 0;
            return true;
        }
    }
    return false;
}

static unsigned olds_of(const struct oracle *o, uint64_t address)
{
    unsigned count = 0;
    for (size_t i = 0; i < o->old_count && !o->exact; i++) {
        count += o->old[i].address == address;
    }
    return count;
}

/* The nth, beginning with 1 at the latest. */
static const struct oracle_old *nth_old(const struct oracle *o, uint64_t address, unsigned n)
{
    for (size_t i = o->old_count; i-- > 0;) {
        if (o->old[i].address == address && --n == 0) {
            return &o->old[i];
        }
    }
    return NULL;
}

bool oracle_read(struct oracle *o, uint64_t address, unsigned words, struct oracle_value *value)
{
    uint64_t bytes = words * sizeof(uint64_t);
    if (address >> o->caps.haw != 0 || address >= o->memory->size || bytes > o->memory->size - address) {
        return false;
    }
    unsigned n = oracle_choose(o, 1 + olds_of(o, address));
    if (n == 0) {
        memcpy(value->word, o->memory->bytes + address, bytes);
        value->until = ORACLE_NEVER;
    } else {
        const struct oracle_old *old = nth_old(o, address, n);
        memcpy(value->word, old->word, bytes);
        value->until = old->until;
    }
    return true;
}

void oracle_not_cached(struct oracle *o, const struct oracle_value *value)
{
    if (value->until != ORACLE_NEVER) {
        o->impossible = true;
    }
}

/* --- Which invalidations cover what ------------------------------------------------------------------------------ */

/* "Context-cache Invalidate Descriptor": the function mask ignores bits 2, 2:1 or 2:0 of the function. */
static bool covers_context(const struct oracle_invalidation *i, uint16_t source, uint16_t domain, bool scalable)
{
    static const uint16_t ignored[] = {0, 4, 6, 7};
    if (i->what != ORACLE_CONTEXT || i->scope == ORACLE_ALL) {
        return i->what == ORACLE_CONTEXT;
    }
    /* A scalable-mode context entry has no domain: what a domain-selective command removes is left open. */
    bool same_domain = scalable || i->domain == domain;
    bool same_device = ((i->source ^ source) & ~ignored[i->function_mask & 3]) == 0;
    return i->scope == ORACLE_DEVICE ? same_domain && same_device : !scalable && same_domain;
}

uint64_t oracle_context_end(const struct oracle *o, uint64_t since, uint16_t source, uint16_t domain, bool scalable)
{
    for (size_t i = 0; i < o->log_count; i++) {
        if (o->log_time[i] > since && covers_context(&o->log[i], source, domain, scalable)) {
            return o->log_time[i];
        }
    }
    return ORACLE_NEVER;
}

static bool covers_pasid(const struct oracle_invalidation *i, uint16_t domain, uint32_t pasid)
{
    return i->what == ORACLE_PASID &&
           (i->scope == ORACLE_ALL || (i->domain == domain && (i->scope == ORACLE_DOMAIN || i->pasid == pasid)));
}

uint64_t oracle_pasid_end(const struct oracle *o, uint64_t since, uint16_t domain, uint32_t pasid)
{
    for (size_t i = 0; i < o->log_count; i++) {
        if (o->log_time[i] > since && covers_pasid(&o->log[i], domain, pasid)) {
            return o->log_time[i];
        }
    }
    return ORACLE_NEVER;
}

/*
 * "IOTLB Invalidate Descriptor" and "PASID-based-IOTLB Invalidate Descriptor". By pages, the former is for the second
 * stage alone and the latter for the first stage; what else they take is left open, and not relied on here.
 */
static bool covers_paging(const struct oracle_invalidation *i, const struct oracle_place *place)
{
    if (i->what == ORACLE_IOTLB) {
        if (i->scope != ORACLE_PAGES) {
            return i->scope == ORACLE_ALL || i->domain == place->domain;
        }
        if (place->first || place->nested || i->domain != place->domain) {
            return false;
        }
    } else if (i->what == ORACLE_PIOTLB) {
        if (!place->first || i->domain != place->domain || i->pasid != place->pasid) {
            return false;
        }
        if (i->scope == ORACLE_OF_PASID) {
            return true;
        }
    } else {
        return false;
    }
    unsigned shift = 12 + i->mask_log2;
    bool same_pages = shift >= 64 || i->address >> shift == place->address >> shift;
    return same_pages && (place->leaf || !i->hint);
}

uint64_t oracle_paging_end(const struct oracle *o, uint64_t since, const struct oracle_place *place)
{
    for (size_t i = 0; i < o->log_count; i++) {
        if (o->log_time[i] > since && covers_paging(&o->log[i], place)) {
            return o->log_time[i];
        }
    }
    return ORACLE_NEVER;
}

uint64_t oracle_interrupt_end(const struct oracle *o, uint64_t since, uint16_t index)
{
    for (size_t i = 0; i < o->log_count; i++) {
        const struct oracle_invalidation *it = &o->log[i];
        if (o->log_time[i] > since && it->what == ORACLE_INTERRUPT &&
            (it->scope == ORACLE_ALL || it->address >> it->mask_log2 == (uint64_t)index >> it->mask_log2)) {
            return o->log_time[i];
        }
    }
    return ORACLE_NEVER;
}
