/* SPDX-License-Identifier: MIT */
/*
 * An oracle of the IOMMU, for the tests: what may a request of a device be answered?
 *
 * Written from the text of the VT-d specification (revisions 4.x and 5.10) in the plainest way, and on purpose sharing no code
 * and no table with the simulator. It reads memory and changes nothing.
 *
 * Caches are not modelled by what is in them but by what could be in them. Who changes a table tells the oracle
 * (oracle_before_change), and who invalidates too (oracle_invalidated). An old value of an entry may be met as long as
 * no invalidation since has covered it; every mixture of old and new values that can arise is an allowed answer. With
 * nothing old the answer is exact. Entries that are not present, or that fault, are not cached (CAP.CM is 0).
 *
 * Where several faults hold at once and the specification leaves open which one is reported, each is allowed.
 */
#ifndef HV_TESTS_IOMMU_ORACLE_H
#define HV_TESTS_IOMMU_ORACLE_H

#include "iommu/iommu.h"

/* What capability and extended-capability register say, the width of a host address, memory that cannot be written. */
struct oracle_caps {
    uint64_t cap, ecap;
    unsigned haw;
    uint64_t rom_base, rom_bytes;
};

/* Bits of the capability register, and 64 + bits of the extended one. */
enum oracle_cap {
    ORACLE_PSI = 39,
    ORACLE_FS1GP = 56,
    ORACLE_FS5LP = 60,
    ORACLE_DT = 64 + 2,
    ORACLE_PT = 64 + 6,
    ORACLE_SC = 64 + 7,
    ORACLE_NEST = 64 + 26,
    ORACLE_ERS = 64 + 30,
    ORACLE_EAFS = 64 + 34,
    ORACLE_SMTS = 64 + 43,
    ORACLE_SSADS = 64 + 45,
    ORACLE_SSTS = 64 + 46,
    ORACLE_FSTS = 64 + 47,
    ORACLE_PTRS = 64 + 56,
    ORACLE_EIMER = 64 + 61,
    ORACLE_IRREQ = 64 + 62,
};

static inline bool oracle_has(const struct oracle_caps *caps, unsigned bit)
{
    return ((bit < 64 ? caps->cap : caps->ecap) >> (bit & 63) & 1) != 0;
}

/* Levels that second-stage tables may have: SAGAW. */
static inline bool oracle_has_levels(const struct oracle_caps *caps, unsigned levels)
{
    return levels >= 3 && levels <= 5 && oracle_has(caps, 6 + levels);
}

/* The widest input address of the second stage: MGAW. */
static inline unsigned oracle_mgaw(const struct oracle_caps *caps)
{
    return (unsigned)(caps->cap >> 16 & 63) + 1;
}

/* Bits of a PASID: PSS. */
static inline unsigned oracle_pasid_bits(const struct oracle_caps *caps)
{
    return (unsigned)(caps->ecap >> 35 & 31) + 1;
}

/* A flag of a paging entry that hardware sets. */
struct oracle_flag {
    uint64_t address, bits;
    bool must; /* false: it may */
};

enum { ORACLE_FLAGS = 96 };

struct oracle_answer {
    bool ok;
    bool open; /* the specification leaves open whether it is `ok` or one of the faults */
    uint64_t address;
    unsigned size_shift; /* the largest range that the answer may be said to hold for */
    uint64_t faults[4];  /* a set of reasons, when it is blocked */
    bool recorded;       /* false: fault-processing disable */
    struct oracle_flag flags[ORACLE_FLAGS];
    unsigned flag_count;
};

bool oracle_may_fault(const struct oracle_answer *answer, uint8_t reason);

struct oracle_interrupt {
    bool ok, posted, urgent;
    uint8_t vector, delivery_mode, trigger, destination_mode, redirection_hint;
    uint32_t destination;
    uint64_t descriptor; /* when posted */
    uint64_t faults[4];
    bool recorded;
    bool has_index; /* the fault record has it */
    uint16_t index;
};

/* The registers that matter, as the last commands latched them. */
struct oracle_registers {
    bool translation, remapping, compatibility, eime;
    unsigned table_mode; /* RTADDR.TTM */
    uint64_t root_table, interrupt_table, interrupt_entries;
};

/* One invalidation command, as the descriptors and registers have it. */
enum oracle_what { ORACLE_CONTEXT, ORACLE_PASID, ORACLE_IOTLB, ORACLE_PIOTLB, ORACLE_INTERRUPT };
enum oracle_scope { ORACLE_ALL, ORACLE_DOMAIN, ORACLE_DEVICE, ORACLE_OF_PASID, ORACLE_PAGES };

struct oracle_invalidation {
    enum oracle_what what;
    enum oracle_scope scope;
    uint16_t domain, source;
    unsigned function_mask; /* FM */
    uint32_t pasid;
    uint64_t address;   /* interrupts: index */
    unsigned mask_log2; /* AM, IM */
    bool hint;          /* IH: leaf entries only */
};

enum { ORACLE_WORDS = 8, ORACLE_OLD = 512, ORACLE_LOG = 512, ORACLE_CHOICES = 64 };

struct oracle_old {
    uint64_t address, until; /* when it was overwritten */
    unsigned words;
    uint64_t word[ORACLE_WORDS];
};

struct oracle_choice {
    unsigned taken, count;
};

struct oracle {
    struct oracle_caps caps;
    struct oracle_registers registers;
    const struct physmem *memory;
    const uint16_t *sources; /* all the devices, and all the PASIDs, that tables were ever made for */
    const uint32_t *pasids;
    size_t source_count, pasid_count;
    uint64_t clock; /* counts changes and invalidations */
    struct oracle_old old[ORACLE_OLD];
    size_t old_count;
    struct oracle_invalidation log[ORACLE_LOG];
    uint64_t log_time[ORACLE_LOG];
    size_t log_count;
    struct oracle_choice choice[ORACLE_CHOICES]; /* the run that is under way */
    unsigned depth;
    bool exact;      /* memory as it is: nothing to choose */
    bool impossible; /* this run's choices cannot occur together */
};

void oracle_init(struct oracle *o, const struct oracle_caps *caps, const struct physmem *memory);

/* Software is about to overwrite a structure of `words` 8-byte words. */
void oracle_before_change(struct oracle *o, uint64_t address, unsigned words);
void oracle_invalidated(struct oracle *o, const struct oracle_invalidation *what);

/* Everything was invalidated: no old value is left. */
void oracle_forget(struct oracle *o);

/* Whether the log of changes is so full that it has to be forgotten soon. */
bool oracle_full(const struct oracle *o);

/* The answer of memory as it is. */
void oracle_translate(struct oracle *o, const struct iommu_request *request, struct oracle_answer *answer);
void oracle_remap(struct oracle *o, uint16_t source, uint64_t address, uint32_t data, struct oracle_interrupt *answer);

/*
 * Whether `match` takes one of the allowed answers. They are tried beginning with that of memory as it is.
 */
bool oracle_any_translation(struct oracle *o, const struct iommu_request *request,
                            bool (*match)(void *ctx, const struct oracle_answer *answer), void *ctx);
bool oracle_any_interrupt(struct oracle *o, uint16_t source, uint64_t address, uint32_t data,
                          bool (*match)(void *ctx, const struct oracle_interrupt *answer), void *ctx);

#endif
