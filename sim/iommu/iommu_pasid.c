/* SPDX-License-Identifier: MIT */
/*
 * PASID directory and PASID tables (VT-d "Scalable-Mode PASID Directory Entry", "Scalable-Mode PASID Table Entry").
 *
 * MODEL: bit 5 of word 0, which once made second-stage entries' execute permission count, is ignored; what may be read
 * in the second stage may be executed.
 */
#include <string.h>

#include "iommu/iommu_register_parts.h"
#include "iommu/iommu_tables.h"

static bool has_first_stage(unsigned pgtt)
{
    return pgtt == IOMMU_PGTT_FIRST || pgtt == IOMMU_PGTT_NESTED;
}

static bool has_second_stage(unsigned pgtt)
{
    return pgtt == IOMMU_PGTT_SECOND || pgtt == IOMMU_PGTT_NESTED;
}

static unsigned pgtt_of(const uint64_t *word)
{
    return (unsigned)(word[0] >> IOMMU_PASID_PGTT_SHIFT & 7);
}

static bool reserved_set(const struct iommu *u, const uint64_t *word)
{
    uint64_t beyond = iommu_beyond(u), rest = word[3] | word[6] | word[7];
    bool permissions = iommu_has_host_permissions(&u->params);
    rest |= word[4] & (permissions ? IOMMU_PASID_WORD4_RESERVED | beyond : UINT64_MAX);
    rest |= word[5] & (permissions ? IOMMU_PASID_WORD5_RESERVED : UINT64_MAX);
    return (word[0] & (IOMMU_PASID_RESERVED | (has_second_stage(pgtt_of(word)) ? beyond : 0))) != 0 ||
           (word[1] & IOMMU_PASID_WORD1_RESERVED) != 0 ||
           (word[2] & (IOMMU_PASID_WORD2_RESERVED | (has_first_stage(pgtt_of(word)) ? beyond : 0))) != 0 || rest != 0;
}

static bool type_offered(const struct iommu_params *p, unsigned pgtt)
{
    switch (pgtt) {
    case IOMMU_PGTT_FIRST:
        return p->first_stage;
    case IOMMU_PGTT_SECOND:
        return p->second_stage;
    case IOMMU_PGTT_NESTED:
        return p->first_stage && p->second_stage && p->nested;
    case IOMMU_PGTT_PASSTHROUGH:
        return p->passthrough;
    default:
        return false;
    }
}

/* Nested: the first-stage tables begin at an address that the second stage does not translate. */
static bool is_root_too_high(const uint64_t *word)
{
    unsigned levels = iommu_aw_levels(word[0] >> IOMMU_PASID_AW_SHIFT & 7);
    return (word[2] & IOMMU_POINTER) >> iommu_bits_of_levels(levels) != 0;
}

/* Whether the entry asks only for what the capabilities offer. */
static bool offered(const struct iommu *u, const uint64_t *word)
{
    const struct iommu_params *p = &u->params;
    unsigned pgtt = pgtt_of(word), mode = (unsigned)(word[2] >> IOMMU_PASID_FSPM_SHIFT & 3);
    if (!type_offered(p, pgtt)) {
        return false;
    }
    if (has_second_stage(pgtt) && (!iommu_levels_offered(u, word[0] >> IOMMU_PASID_AW_SHIFT & 7) ||
                                   ((word[0] & IOMMU_PASID_SSADE) != 0 && !p->second_stage_flags))) {
        return false;
    }
    if (pgtt == IOMMU_PGTT_NESTED && is_root_too_high(word)) {
        return false;
    }
    if (has_first_stage(pgtt) && (mode > 1 || (mode == 1 && !p->first_stage_5) ||
                                  ((word[2] & IOMMU_PASID_EAFE) != 0 && !p->extended_accessed))) {
        return false;
    }
    return (iommu_takes_execute(u) || (word[2] & IOMMU_PASID_ERE) == 0) &&
           (p->supervisor_requests || (word[2] & IOMMU_PASID_SRE) == 0);
}

static void decode(struct iommu *u, const uint64_t *word, struct iommu_mapping *m)
{
    static const uint8_t stages[] = {
        [IOMMU_PGTT_FIRST] = IOMMU_FIRST,
        [IOMMU_PGTT_SECOND] = IOMMU_SECOND,
        [IOMMU_PGTT_NESTED] = IOMMU_NESTED,
        [IOMMU_PGTT_PASSTHROUGH] = IOMMU_PASS,
    };
    unsigned pgtt = pgtt_of(word);
    m->stages = stages[pgtt];
    m->domain = m->tag_domain = (uint16_t)(word[1] & IOMMU_PASID_DID);
    m->snooped = u->params.coherent && (word[1] & IOMMU_PASID_PWSNP) != 0;
    m->execute_requests = (word[2] & IOMMU_PASID_ERE) != 0;
    m->supervisor_requests = (word[2] & IOMMU_PASID_SRE) != 0;
    m->host_permissions = word[4] & IOMMU_POINTER;
    m->host_permission_size = word[4] & IOMMU_PASID_HPTSZ;
    if (has_second_stage(pgtt)) {
        m->second_levels = (uint8_t)iommu_aw_levels(word[0] >> IOMMU_PASID_AW_SHIFT & 7);
        m->second_root = word[0] & IOMMU_POINTER;
        m->flags = (word[0] & IOMMU_PASID_SSADE) != 0;
    }
    if (has_first_stage(pgtt)) {
        m->first_levels = (uint8_t)(4 + (word[2] >> IOMMU_PASID_FSPM_SHIFT & 1));
        m->first_root = word[2] & IOMMU_POINTER;
        m->write_protect = (word[2] & IOMMU_PASID_WPE) != 0;
        m->no_execute = (word[2] & IOMMU_PASID_NXE) != 0;
        m->supervisor_no_execute = (word[2] & IOMMU_PASID_SMEP) != 0;
        m->extended_accessed = (word[2] & IOMMU_PASID_EAFE) != 0;
    }
    iommu_mapping_needs(u, m);
}

static enum iommu_reason read_directory(struct iommu_reader *r, const struct iommu_context *context, uint32_t pasid,
                                        struct iommu_mapping *m, uint64_t *table)
{
    uint64_t word;
    uint64_t address = context->directory + (uint64_t)pasid / IOMMU_PASIDS_PER_TABLE * IOMMU_PASID_DIRECTORY_BYTES;
    if (!iommu_read_entry(r, address, &word, 1)) {
        return IOMMU_FAULT_SPD_1;
    }
    m->disabled |= (word & IOMMU_DIRECTORY_FPD) != 0;
    if ((word & IOMMU_DIRECTORY_PRESENT) == 0) {
        return IOMMU_FAULT_SPD_2;
    }
    *table = word & IOMMU_POINTER;
    return (word & (IOMMU_DIRECTORY_RESERVED | iommu_beyond(r->u))) != 0 ? IOMMU_FAULT_SPD_3 : IOMMU_FAULT_NONE;
}

static enum iommu_reason read_pasid(struct iommu_reader *r, const struct iommu_context *context, uint32_t pasid,
                                    struct iommu_mapping *m)
{
    uint64_t table, word[IOMMU_PASID_BYTES / 8];
    enum iommu_reason reason = read_directory(r, context, pasid, m, &table);
    if (reason != IOMMU_FAULT_NONE) {
        return reason;
    }
    uint64_t address = table + (uint64_t)pasid % IOMMU_PASIDS_PER_TABLE * IOMMU_PASID_BYTES;
    if (!iommu_read_entry(r, address, word, HV_ARRAY_LEN(word))) {
        return IOMMU_FAULT_SPT_1;
    }
    m->disabled |= (word[0] & IOMMU_PASID_FPD) != 0;
    if ((word[0] & IOMMU_PASID_PRESENT) == 0) {
        return IOMMU_FAULT_SPT_2;
    }
    if (reserved_set(r->u, word)) {
        return IOMMU_FAULT_SPT_3;
    }
    if (!offered(r->u, word)) {
        return IOMMU_FAULT_SPT_4;
    }
    decode(r->u, word, m);
    return IOMMU_FAULT_NONE;
}

void iommu_read_pasid(struct iommu_reader *r, const struct iommu_context *context, uint32_t pasid,
                      struct iommu_mapping *mapping)
{
    memset(mapping, 0, sizeof(*mapping));
    mapping->scalable = true;
    mapping->pasid = pasid;
    mapping->fault = (uint8_t)read_pasid(r, context, pasid, mapping);
}
