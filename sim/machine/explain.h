/* SPDX-License-Identifier: MIT */
/*
 * One translation, explained: every reference that the walk made, every one that a cache saved, and the result.
 *
 * Two views of the same walk meet here. The plan is what a walk without any cache of translations would read, found
 * by driving the walk engine over memory without time. The events are what the timed walker did. A cell of the plan
 * that the walker did not read was saved by the cache that the events name.
 */
#ifndef HV_MACHINE_EXPLAIN_H
#define HV_MACHINE_EXPLAIN_H

#include <jansson.h>
#include <stdio.h>

#include "mmu/mmu.h"

/* Who answered a reference. The first are enum mem_level. */
enum explain_source { EXPLAIN_PWC = MEM_LEVELS, EXPLAIN_SOURCES };

extern const char *const explain_source_names[]; /* "L1", "L2", "LLC", "DRAM", "PWC" */
extern const char *const explain_access_names[]; /* "load", "store", "fetch", NULL */

/* What became of a cell of the grid. */
enum explain_fate {
    EXPLAIN_UNUSED, /* no part of this walk: below a large page, or behind a fault */
    EXPLAIN_READ,
    EXPLAIN_SAVED_BY_TLB,
    EXPLAIN_SAVED_BY_GUEST_PWC,
    EXPLAIN_SAVED_BY_HOST_PWC,
    EXPLAIN_SAVED_BY_NESTED_TLB,
    EXPLAIN_FATES
};

extern const char *const explain_saver_names[EXPLAIN_FATES]; /* "TLB", "guest PWC" ... for those that save */

struct explain_cell {
    bool planned;
    uint8_t fate;  /* enum explain_fate */
    uint16_t step; /* EXPLAIN_READ: index of the (last) step that read it */
    hv_gpa gpa;    /* column g: where the entry lies; others: what the host walk translates; or HV_GPA_UNKNOWN */
};

/* A page-table entry in the terms of its format. */
struct explain_entry {
    uint64_t value;
    uint64_t frame;       /* of the table or page */
    uint8_t meaning;      /* enum radix_step */
    bool readable, writable, executable, user; /* user: IA-32e and NPT only */
    bool keeps_flags, accessed, dirty;         /* dirty: of a leaf */
    bool has_memory_type; /* a leaf of EPT */
    uint8_t memory_type;
};

enum explain_step_kind {
    EXPLAIN_REFERENCE, EXPLAIN_GUEST_PWC_HIT, EXPLAIN_HOST_PWC_HIT, EXPLAIN_NESTED_HIT, EXPLAIN_NESTED_MISS
};

/* Something that the walker did, in the order of time. */
struct explain_step {
    uint8_t kind;                   /* enum explain_step_kind */
    uint8_t guest_step, host_level; /* cell, as in mmu/walk.h */
    bool restarted;                 /* the walk had begun again from the root before this step */
    uint16_t number;                /* references are numbered from 1 */
    uint16_t index;                 /* reference: of the entry in its table */
    uint16_t saved;                 /* hit: references that it saved */
    uint8_t source;                 /* reference: enum explain_source */
    hv_cycles start, cycles;
    uint64_t address;               /* reference: hPA of the entry; PWC hit: of the table; nested TLB: the gPA */
    struct explain_entry entry;     /* reference */
    uint64_t update;                /* reference: accessed and dirty flags that the walker then set */
    hv_cycles update_cycles;
};

struct explain_tlb {
    uint8_t level; /* enum tlb_level */
    bool hit;
};

/* A second try after a fault can double the references of a walk; each row adds a few look-ups. */
enum { EXPLAIN_MAX_STEPS = 2 * MMU_GRID * (MMU_GRID + 2) };

struct explain {
    hv_gva gva;
    enum hv_access_kind access;
    bool nested, npt;      /* nested: the walk has two dimensions, if only from some level on */
    bool shadow;           /* the tables that the walk begins with are the hypervisor's shadow */
    unsigned own_level;    /* the highest level at which it reads the guest's own table; 0: at none */
    unsigned guest_levels, host_levels;
    hv_cycles start, total_cycles;
    struct explain_tlb tlb[TLB_LEVELS];
    unsigned tlb_count;
    struct explain_step steps[EXPLAIN_MAX_STEPS];
    unsigned step_count;
    struct explain_cell cells[MMU_GRID][MMU_GRID]; /* [guest step][host level] */
    unsigned references[2], saved;                 /* by enum hv_dimension */
    hv_cycles reference_cycles;                    /* of the walk; the rest went into look-ups of its caches */
    bool ok;
    struct mmu_reply reply;                        /* address and cycles, or the fault */
    uint64_t payload;                              /* ok: rights and memory type, as in tlb_entry.h */
    enum hv_page_size size, guest_size, host_size; /* ok */
    const char *handler;                           /* not ok: whose software resolved the fault, if anybody's */
    hv_cycles handling_cycles;
};

/* Translates one access at `now` as mmu_translate() does, and explains it. What the MMU observes meanwhile is this. */
void explain_translation(struct explain *x, struct mmu *m, hv_gva gva, enum hv_access_kind access, hv_cycles now);

/* "g4.h4", "g1.g", "data.h1" */
enum { EXPLAIN_CELL_BYTES = 24 };
void explain_cell_name(unsigned guest_step, unsigned host_level, char name[EXPLAIN_CELL_BYTES]);

/* The levels that the walk reads in the host dimension for a row (guest step) when no cache helps. */
unsigned explain_planned_host(const struct explain *x, unsigned guest_step);
unsigned explain_planned(const struct explain *x);

/* The translation in a sentence: "load of 0x1000, nested paging, 4 guest levels, 4 host levels (EPT)" */
void explain_headline(const struct explain *x, FILE *out);

/* --- explain_entry.c: architectural bits in words -------------------------------------------------------------- */

struct explain_entry explain_decode(const struct radix_mode *mode, unsigned level, uint64_t value);

extern const char *const explain_memory_type_names[8]; /* "UC", "WC", ... by EPT's encoding */

/* Some bits of an entry. */
struct explain_field {
    uint8_t high, low;   /* both included */
    const char *name;    /* as in the manuals */
    const char *meaning; /* of this value */
    uint64_t value;
};

enum { EXPLAIN_MAX_FIELDS = 20 };

/* All 64 bits of an entry of this level in its fields, from bit 0 up (explain_fields.c). Returns how many there are. */
unsigned explain_fields(const struct explain_entry *e, enum radix_format format, unsigned level,
                        struct explain_field fields[EXPLAIN_MAX_FIELDS]);

/* The flags that a walker set in an entry: "the accessed and dirty flags" */
const char *explain_flags_name(bool ept, uint64_t update);

/* One bit of an error code or exit qualification. */
struct explain_bit {
    uint64_t mask;
    const char *name;
    const char *meaning[2]; /* when clear, when set */
};

/* Which bits the fault's error code has; the count is 0 when it has none. */
const struct explain_bit *explain_fault_bits(const struct hv_fault *fault, size_t *count);

/* How the manuals call the error code of this kind of fault. */
const char *explain_code_name(const struct hv_fault *fault);

/* --- The three forms ------------------------------------------------------------------------------------------- */

void explain_write_text(const struct explain *x, FILE *out);
json_t *explain_to_json(const struct explain *x);
void explain_write_svg(const struct explain *x, FILE *out);

#endif
