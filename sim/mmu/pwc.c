/* SPDX-License-Identifier: MIT */
#include "mmu/pwc.h"

#include <stdio.h>
#include <string.h>

const char *const pwc_kind_names[] = {"none", "translation", "entry", NULL};

const struct param_row pwc_param_rows[] = {
#define P(...) PARAM_ROW(struct pwc_params, __VA_ARGS__)
#include "mmu/pwc_params.def"
#undef P
};
const size_t pwc_param_count = HV_ARRAY_LEN(pwc_param_rows);

const struct param_row pwc_level_param_rows[] = {
#define P(...) PARAM_ROW(struct pwc_level_params, __VA_ARGS__)
#include "mmu/pwc_level_params.def"
#undef P
};
const size_t pwc_level_param_count = HV_ARRAY_LEN(pwc_level_param_rows);

const struct stat_row pwc_level_stat_rows[] = {
#define S(...) STAT_ROW(struct pwc_level_stats, __VA_ARGS__)
#include "mmu/pwc_level_stats.def"
#undef S
};
const size_t pwc_level_stat_count = HV_ARRAY_LEN(pwc_level_stat_rows);

/* Payload of the translation family: the table's frame, permissions in bits 3:0, writable in 4, nested in 5. */
enum { PWC_WRITABLE = 1u << 4, PWC_NESTED = 1u << 5 };

bool pwc_init(struct pwc *c, const struct pwc_params *params,
              const struct pwc_level_params (*levels)[PWC_LEVELS], struct hv_err *err)
{
    memset(c, 0, sizeof(*c));
    c->kind = (enum pwc_kind)params->kind;
    c->latency_cycles = params->latency_cycles;
    for (unsigned d = HV_GUEST; c->kind != PWC_NONE && d <= HV_HOST; d++) {
        for (unsigned level = PWC_LOWEST_LEVEL; level < PWC_LEVELS; level++) {
            /* By translated address the level's reach is the page; by entry address it is the entry itself. */
            uint8_t shift = c->kind == PWC_TRANSLATION ? (uint8_t)radix_shift(level) : 3;
            struct tlb_geometry geometry = {
                levels[d][level].entries, levels[d][level].ways, ASSOC_LRU, {shift, shift, shift},
            };
            char name[32];
            snprintf(name, sizeof(name), "mmu.pwc.%s.l%u", d == HV_GUEST ? "guest" : "host", level);
            if (!tlb_init(&c->cache[d][level], name, &geometry, err)) {
                pwc_fini(c);
                return false;
            }
        }
    }
    return true;
}

void pwc_fini(struct pwc *c)
{
    for (unsigned level = 0; level < PWC_LEVELS; level++) {
        tlb_fini(&c->cache[HV_GUEST][level]);
        tlb_fini(&c->cache[HV_HOST][level]);
    }
}

void pwc_reset(struct pwc *c)
{
    for (unsigned level = 0; level < PWC_LEVELS; level++) {
        tlb_reset(&c->cache[HV_GUEST][level]);
        tlb_reset(&c->cache[HV_HOST][level]);
    }
    memset(c->stats, 0, sizeof(c->stats));
}

bool pwc_find_table(struct pwc *c, enum hv_dimension d, uint64_t address, unsigned levels, tlb_space_id space,
                    struct pwc_table *found)
{
    if (c->kind != PWC_TRANSLATION) {
        return false;
    }
    for (unsigned level = PWC_LOWEST_LEVEL; level <= levels; level++) {
        struct tlb *cache = &c->cache[d][level];
        if (!tlb_present(cache)) {
            continue;
        }
        const uint64_t *payload = tlb_lookup(cache, address, 0, space);
        if (payload != NULL) {
            c->stats[d][level].hits++;
            *found = (struct pwc_table){
                {*payload & RADIX_ADDRESS_MASK}, *payload & RADIX_ALL, level - 1, (*payload & PWC_WRITABLE) != 0,
                (*payload & PWC_NESTED) != 0,
            };
            return true;
        }
        c->stats[d][level].misses++;
    }
    return false;
}

void pwc_add_table(struct pwc *c, enum hv_dimension d, uint64_t address, tlb_space_id space,
                   const struct pwc_table *found)
{
    struct tlb *cache = &c->cache[d][found->level + 1];
    if (c->kind == PWC_TRANSLATION && tlb_present(cache)) {
        uint64_t payload = found->table.v | found->permission | (found->writable ? (uint64_t)PWC_WRITABLE : 0) |
                           (found->nested ? (uint64_t)PWC_NESTED : 0);
        tlb_insert(cache, address, 0, space, payload);
    }
}

bool pwc_find_entry(struct pwc *c, enum hv_dimension d, unsigned level, hv_hpa address, tlb_space_id space,
                    uint64_t *entry)
{
    struct tlb *cache = &c->cache[d][level];
    if (!tlb_present(cache)) {
        return false;
    }
    const uint64_t *payload = tlb_lookup(cache, address.v, 0, space);
    if (payload == NULL) {
        c->stats[d][level].misses++;
        return false;
    }
    c->stats[d][level].hits++;
    *entry = *payload;
    return true;
}

void pwc_add_entry(struct pwc *c, enum hv_dimension d, unsigned level, hv_hpa address, tlb_space_id space,
                   uint64_t entry)
{
    if (tlb_present(&c->cache[d][level])) {
        tlb_insert(&c->cache[d][level], address.v, 0, space, entry);
    }
}

void pwc_invalidate(struct pwc *c, const struct tlb_spaces *spaces, const uint64_t *address)
{
    for (unsigned d = HV_GUEST; d <= HV_HOST; d++) {
        for (unsigned level = PWC_LOWEST_LEVEL; level < PWC_LEVELS; level++) {
            if (address != NULL && c->kind == PWC_TRANSLATION) {
                tlb_invalidate_address(&c->cache[d][level], spaces, *address);
            } else {
                tlb_invalidate(&c->cache[d][level], spaces);
            }
        }
    }
}

void pwc_flush(struct pwc *c)
{
    for (unsigned level = PWC_LOWEST_LEVEL; level < PWC_LEVELS; level++) {
        tlb_flush(&c->cache[HV_GUEST][level]);
        tlb_flush(&c->cache[HV_HOST][level]);
    }
}

void pwc_drop(struct pwc *c, enum hv_dimension d, uint64_t address, tlb_space_id space)
{
    for (unsigned level = PWC_LOWEST_LEVEL; level < PWC_LEVELS; level++) {
        if (c->kind == PWC_TRANSLATION) {
            tlb_drop(&c->cache[d][level], address, 0, space);
        } else {
            tlb_flush(&c->cache[d][level]);
        }
    }
}
