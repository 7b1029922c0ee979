/* SPDX-License-Identifier: MIT */
/*
 * Root and context tables: what they say of a source (VT-d "Root Entry", "Context Entry" and the scalable-mode forms).
 */
#include <string.h>

#include "iommu/iommu_register_parts.h"
#include "iommu/iommu_tables.h"

bool iommu_levels_offered(const struct iommu *u, uint64_t aw)
{
    return aw >= 1 && aw <= 3 && (u->params.levels >> (aw - 1) & 1) != 0;
}

uint64_t iommu_beyond(const struct iommu *u)
{
    return UINT64_MAX << u->params.physical_bits;
}

/* The context table of a legacy root entry. */
static enum iommu_reason legacy_root(struct iommu_reader *r, uint16_t source, uint64_t *table)
{
    uint64_t word[2];
    if (!iommu_read_entry(r, r->u->regs.root_table + (uint64_t)(source >> 8) * IOMMU_ROOT_BYTES, word, 2)) {
        return IOMMU_FAULT_LRT_1;
    }
    if ((word[0] & IOMMU_ROOT_PRESENT) == 0) {
        return IOMMU_FAULT_LRT_2;
    }
    *table = word[0] & IOMMU_POINTER;
    bool reserved = (word[0] & (IOMMU_ROOT_RESERVED | iommu_beyond(r->u))) != 0 || word[1] != 0;
    return reserved ? IOMMU_FAULT_LRT_3 : IOMMU_FAULT_NONE;
}

/* What a legacy context entry, which is present, asks for and does not get. */
static enum iommu_reason legacy_refusal(const struct iommu *u, const uint64_t *word)
{
    uint64_t type = word[0] >> IOMMU_CONTEXT_TT_SHIFT & 3;
    uint64_t pointer = type == IOMMU_TT_PASSTHROUGH ? 0 : iommu_beyond(u);
    if ((word[0] & (IOMMU_CONTEXT_RESERVED | pointer)) != 0 || (word[1] & IOMMU_CONTEXT_HIGH_RESERVED) != 0) {
        return IOMMU_FAULT_LCT_3;
    }
    const struct iommu_params *p = &u->params;
    bool offered = type == IOMMU_TT_UNTRANSLATED || (type == IOMMU_TT_DEVICE_TLB && iommu_has_device_tlb(p)) ||
                   (type == IOMMU_TT_PASSTHROUGH && p->passthrough);
    return offered && iommu_levels_offered(u, word[1] & 7) ? IOMMU_FAULT_NONE : IOMMU_FAULT_LCT_4;
}

static enum iommu_reason legacy_context(struct iommu_reader *r, uint16_t source, struct iommu_context *c)
{
    uint64_t table, word[2];
    enum iommu_reason reason = legacy_root(r, source, &table);
    if (reason != IOMMU_FAULT_NONE) {
        return reason;
    }
    if (!iommu_read_entry(r, table + (uint64_t)(source & 255) * IOMMU_CONTEXT_BYTES, word, 2)) {
        return IOMMU_FAULT_LCT_1;
    }
    struct iommu_mapping *m = &c->mapping;
    m->disabled = (word[0] & IOMMU_CONTEXT_FPD) != 0;
    if ((word[0] & IOMMU_CONTEXT_PRESENT) == 0) {
        return IOMMU_FAULT_LCT_2;
    }
    reason = legacy_refusal(r->u, word);
    if (reason != IOMMU_FAULT_NONE) {
        return reason;
    }
    uint64_t type = word[0] >> IOMMU_CONTEXT_TT_SHIFT & 3;
    c->device_tlb = type == IOMMU_TT_DEVICE_TLB;
    m->stages = type == IOMMU_TT_PASSTHROUGH ? IOMMU_PASS : IOMMU_SECOND;
    m->second_levels = (uint8_t)iommu_aw_levels(word[1] & 7);
    m->second_root = word[0] & IOMMU_POINTER;
    m->domain = m->tag_domain = (uint16_t)(word[1] >> IOMMU_CONTEXT_DID_SHIFT);
    m->snooped = r->u->params.coherent;
    iommu_mapping_needs(r->u, m);
    return IOMMU_FAULT_NONE;
}

/* Devices 0 to 15 of a bus are in the lower half of the scalable-mode root entry, 16 to 31 in the upper half. */
static enum iommu_reason scalable_root(struct iommu_reader *r, uint16_t source, uint64_t *table)
{
    uint64_t word[2];
    if (!iommu_read_entry(r, r->u->regs.root_table + (uint64_t)(source >> 8) * IOMMU_ROOT_BYTES, word, 2)) {
        return IOMMU_FAULT_SRT_1;
    }
    uint64_t half = word[source >> 7 & 1];
    if ((half & IOMMU_ROOT_PRESENT) == 0) {
        return IOMMU_FAULT_SRT_2;
    }
    *table = half & IOMMU_POINTER;
    return (half & (IOMMU_ROOT_RESERVED | iommu_beyond(r->u))) != 0 ? IOMMU_FAULT_SRT_3 : IOMMU_FAULT_NONE;
}

/* The PASIDs that the directory of a scalable-mode context entry has room for. */
static uint32_t directory_pasids(const uint64_t *word)
{
    return (uint32_t)IOMMU_PASIDS_PER_TABLE << ((word[0] >> IOMMU_SCALABLE_PDTS_SHIFT & 7) + 7);
}

/* Fields of it that do not go together: page requests without device TLB, PASIDs of translated requests alone. */
static bool is_inconsistent(const uint64_t *word)
{
    return ((word[0] & IOMMU_SCALABLE_PRE) != 0 && (word[0] & IOMMU_SCALABLE_DTE) == 0) ||
           ((word[0] & IOMMU_SCALABLE_EPTR) != 0 && (word[0] & IOMMU_SCALABLE_PASIDE) == 0) ||
           (word[1] & IOMMU_SCALABLE_RID_PASID) >= directory_pasids(word);
}

/* What a scalable-mode context entry, which is present, asks for and does not get. */
static enum iommu_reason scalable_refusal(const struct iommu *u, const uint64_t *word)
{
    const struct iommu_params *p = &u->params;
    uint64_t reserved = IOMMU_SCALABLE_RESERVED | (iommu_has_translated_pasid(p) ? 0 : IOMMU_SCALABLE_EPTR) |
                        (iommu_has_host_permissions(p) ? 0 : IOMMU_SCALABLE_HPTE);
    if ((word[0] & (reserved | iommu_beyond(u))) != 0 ||
        (word[1] & IOMMU_SCALABLE_WORD1_RESERVED) != 0 || word[2] != 0 || word[3] != 0) {
        return IOMMU_FAULT_SCT_3;
    }
    bool offered = (iommu_has_device_tlb(p) || (word[0] & IOMMU_SCALABLE_DTE) == 0) &&
                   (p->pasid || (word[0] & IOMMU_SCALABLE_PASIDE) == 0) &&
                   (iommu_has_page_requests(p) || (word[0] & IOMMU_SCALABLE_PRE) == 0) &&
                   (p->supervisor_requests || (word[1] & IOMMU_SCALABLE_RID_PRIV) == 0);
    return offered && !is_inconsistent(word) ? IOMMU_FAULT_NONE : IOMMU_FAULT_SCT_4;
}

static enum iommu_reason scalable_context(struct iommu_reader *r, uint16_t source, struct iommu_context *c)
{
    uint64_t table, word[4];
    enum iommu_reason reason = scalable_root(r, source, &table);
    if (reason != IOMMU_FAULT_NONE) {
        return reason;
    }
    if (!iommu_read_entry(r, table + (uint64_t)(source & 127) * IOMMU_SCALABLE_CONTEXT_BYTES, word, 4)) {
        return IOMMU_FAULT_SCT_1;
    }
    c->mapping.disabled = (word[0] & IOMMU_CONTEXT_FPD) != 0;
    if ((word[0] & IOMMU_CONTEXT_PRESENT) == 0) {
        return IOMMU_FAULT_SCT_2;
    }
    reason = scalable_refusal(r->u, word);
    if (reason != IOMMU_FAULT_NONE) {
        return reason;
    }
    c->device_tlb = (word[0] & IOMMU_SCALABLE_DTE) != 0;
    c->pasids = (word[0] & IOMMU_SCALABLE_PASIDE) != 0;
    c->page_requests = (word[0] & IOMMU_SCALABLE_PRE) != 0;
    c->host_permissions = (word[0] & IOMMU_SCALABLE_HPTE) != 0;
    c->translated_pasids = (word[0] & IOMMU_SCALABLE_EPTR) != 0;
    c->rid_pasid = (uint32_t)(word[1] & IOMMU_SCALABLE_RID_PASID);
    c->rid_privileged = (word[1] & IOMMU_SCALABLE_RID_PRIV) != 0;
    c->directory = word[0] & IOMMU_POINTER;
    c->directory_pasids = directory_pasids(word);
    return IOMMU_FAULT_NONE;
}

void iommu_read_context(struct iommu_reader *r, uint16_t source, struct iommu_context *context)
{
    memset(context, 0, sizeof(*context));
    bool scalable = r->u->regs.table_mode == IOMMU_SCALABLE;
    context->mapping.scalable = scalable;
    context->mapping.fault =
        (uint8_t)(scalable ? scalable_context(r, source, context) : legacy_context(r, source, context));
}
