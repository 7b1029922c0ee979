/* SPDX-License-Identifier: MIT */
/* What the oracle's files share: old values, choices among them, and the walk of paging tables. */
#ifndef HV_TESTS_IOMMU_ORACLE_PARTS_H
#define HV_TESTS_IOMMU_ORACLE_PARTS_H

#include "oracle.h"

#define ORACLE_NEVER UINT64_MAX

/* Which cached translations a paging entry would be part of. */
struct oracle_place {
    uint16_t domain;
    uint32_t pasid;
    uint64_t address; /* of the request */
    bool first, nested;
    bool leaf;
};

struct oracle_value {
    uint64_t word[ORACLE_WORDS];
    uint64_t until; /* ORACLE_NEVER: it is what memory says */
};

/* What a request's context and PASID entry lead to. */
struct oracle_tables {
    bool scalable, first, second, pass_through;
    uint64_t first_root, second_root;
    unsigned first_levels, second_levels;
    bool wpe, eafe, ssade, nxe;
    bool snoop; /* walks may set flags */
    bool user;  /* of the request, its privilege being what the context entry says when it has no PASID */
    uint16_t domain;
    uint32_t pasid;
    uint64_t until; /* since when nobody can fill a cache with these tables any more */
};

/* One look-up of a request's tables, under way. */
struct oracle_lookup {
    struct oracle *o;
    const struct iommu_request *request;
    struct oracle_answer *answer;
    struct oracle_tables *t;
    uint64_t until;         /* of the oldest value that was read; in scalable mode, behind the context entry */
    uint64_t context_until; /* in scalable mode: of root and context entry */
    bool fpd;
    bool usable; /* the PASID entry may be cached, whatever becomes of this request */
};

static inline bool oracle_bit(uint64_t word, unsigned bit)
{
    return (word >> bit & 1) != 0;
}

static inline uint64_t oracle_field(uint64_t word, unsigned high, unsigned low)
{
    return word >> low & (UINT64_MAX >> (63 - (high - low)));
}

/* The reason joins the set of those that may be reported. */
static inline void oracle_fault(uint64_t faults[4], uint8_t reason)
{
    faults[reason >> 6] |= UINT64_C(1) << (reason & 63);
}

/* One of `count` possibilities; a later run takes another one. */
unsigned oracle_choose(struct oracle *o, unsigned count);

/* Begins with the first choices, and goes on to the next ones while there are. */
void oracle_first_run(struct oracle *o);
bool oracle_next_run(struct oracle *o);

/* What memory says at an address, or said earlier. False: nobody answers there. */
bool oracle_read(struct oracle *o, uint64_t address, unsigned words, struct oracle_value *value);

/* A fault because of what an entry says is never due to something cached: such entries are not cached. */
void oracle_not_cached(struct oracle *o, const struct oracle_value *value);

/* When the first invalidation after a time covered something, or ORACLE_NEVER. */
uint64_t oracle_context_end(const struct oracle *o, uint64_t since, uint16_t source, uint16_t domain, bool scalable);
uint64_t oracle_pasid_end(const struct oracle *o, uint64_t since, uint16_t domain, uint32_t pasid);
uint64_t oracle_paging_end(const struct oracle *o, uint64_t since, const struct oracle_place *place);
uint64_t oracle_interrupt_end(const struct oracle *o, uint64_t since, uint16_t index);

/* The walk from the tables on; a fault, or an address. */
void oracle_walk(struct oracle *o, const struct oracle_tables *tables, const struct iommu_request *request,
                 struct oracle_answer *answer);

/* Whether tables, or an address, were found; otherwise the answer says what is wrong. */
bool oracle_look_up(struct oracle_lookup *l);

bool oracle_is_interrupt_address(uint64_t address);

/* Whether some of the bytes can be read and not written. */
bool oracle_is_read_only(const struct oracle *o, uint64_t address, uint64_t bytes);

#endif
