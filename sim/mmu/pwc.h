/* SPDX-License-Identifier: MIT */
/*
 * Page-walk caches: one small translation cache per level and dimension.
 *
 * Two families exist. Caches of translations (Intel's paging-structure caches, SDM Vol. 3A 4.10.3) are looked up by
 * the address being translated; a hit at level L yields the table at L-1 and skips all references above, in a
 * nested walk with the nested translation of that table too (combined mappings, Vol. 3C 29.4.1). Caches of entries
 * (AMD, Bhargava et al., ASPLOS 2008) are looked up by the address of the entry; every reference of the walk is
 * still made, but at the cache's latency.
 */
#ifndef HV_MMU_PWC_H
#define HV_MMU_PWC_H

#include "base/stat.h"
#include "mmu/fault.h"
#include "mmu/radix.h"
#include "tlb/tlb.h"

enum pwc_kind { PWC_NONE, PWC_TRANSLATION, PWC_ENTRY };

extern const char *const pwc_kind_names[];

struct pwc_params {
#define P PARAM_MEMBER
#include "mmu/pwc_params.def"
#undef P
};

struct pwc_level_params {
#define P PARAM_MEMBER
#include "mmu/pwc_level_params.def"
#undef P
};

extern const struct param_row pwc_param_rows[], pwc_level_param_rows[];
extern const size_t pwc_param_count, pwc_level_param_count;

struct pwc_level_stats {
#define S STAT_MEMBER
#include "mmu/pwc_level_stats.def"
#undef S
};

extern const struct stat_row pwc_level_stat_rows[];
extern const size_t pwc_level_stat_count;

enum { PWC_LOWEST_LEVEL = 2, PWC_LEVELS = RADIX_MAX_LEVELS + 1 };

struct pwc {
    enum pwc_kind kind;
    hv_cycles latency_cycles;
    struct tlb cache[2][PWC_LEVELS]; /* by enum hv_dimension and level; levels 0 and 1 stay absent */
    struct pwc_level_stats stats[2][PWC_LEVELS];
};

/* params[dimension][level]. */
bool pwc_init(struct pwc *c, const struct pwc_params *params,
              const struct pwc_level_params (*levels)[PWC_LEVELS], struct hv_err *err);
void pwc_fini(struct pwc *c);
void pwc_reset(struct pwc *c);

/* The table that a hit of the translation family yields. */
struct pwc_table {
    hv_hpa table;
    uint32_t permission;  /* RADIX_*: of the entries above the table */
    unsigned level;       /* of the table's entries */
    bool writable;        /* the second level lets the table be written (guest dimension) */
    bool nested;          /* what its entries point to has guest-physical addresses (guest dimension) */
};

/*
 * Looks for the lowest table on the path of `address`, for a walk of `levels` levels; counts the levels probed.
 * False when there is none, or when the caches are of the other family.
 */
bool pwc_find_table(struct pwc *c, enum hv_dimension d, uint64_t address, unsigned levels, tlb_space_id space,
                    struct pwc_table *found);

/* Remembers the table at found->level; nothing happens if that level has no cache. */
void pwc_add_table(struct pwc *c, enum hv_dimension d, uint64_t address, tlb_space_id space,
                   const struct pwc_table *found);

/* The entry family: the entry cached for its address, and remembering one. The caller checks the kind and level. */
bool pwc_find_entry(struct pwc *c, enum hv_dimension d, unsigned level, hv_hpa address, tlb_space_id space,
                    uint64_t *entry);
void pwc_add_entry(struct pwc *c, enum hv_dimension d, unsigned level, hv_hpa address, tlb_space_id space,
                   uint64_t entry);

/*
 * Invalidation by tag; with an address, of what covers it in the translation family. Caches of entries cannot be
 * searched by translated address and lose everything that the tags name.
 */
void pwc_invalidate(struct pwc *c, const struct tlb_spaces *spaces, const uint64_t *address);
void pwc_flush(struct pwc *c);

/* What a fault removes: the tables on the path of one address of one dimension (entry family: nothing is kept). */
void pwc_drop(struct pwc *c, enum hv_dimension d, uint64_t address, tlb_space_id space);

#endif
