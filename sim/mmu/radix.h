/* SPDX-License-Identifier: MIT */
/*
 * One dimension of a walk: how an entry of a radix page table is read.
 *
 * Every format that hvsim walks (IA-32e 4- and 5-level, EPT, NPT, VT-d's second stage) is a row of masks, a `struct
 * radix_mode`, made once per control-register change. `radix_feed` takes one entry and says what it means; it knows
 * nothing of time, caches or the other dimension.
 *
 * Address of an entry at level L: bits 9L+11 : 9L+3 of the input address index the table of 512 entries.
 *
 *     56..48   47..39   38..30   29..21   20..12   11..0
 *     level 5  level 4  level 3  level 2  level 1  offset in a 4K page
 *
 * Sources: SDM Vol. 3A "4-Level Paging and 5-Level Paging" (4.5), Vol. 3C "The Extended Page-Table Mechanism
 * (EPT)" (29.3; 28.3 in editions before 2022), AMD APM Vol. 2 "Nested Paging" (15.25), VT-d "Second-Stage Paging
 * Entries" (chapter 9).
 */
#ifndef HV_MMU_RADIX_H
#define HV_MMU_RADIX_H

#include "base/types.h"

enum radix_format { RADIX_IA32E, RADIX_EPT, RADIX_NPT, RADIX_VTD };

/* Permissions that a walk accumulates (AND over the entries used), in the order of the format's low bits. */
enum {
    RADIX_IA32E_P = 1u << 0,
    RADIX_IA32E_W = 1u << 1,
    RADIX_IA32E_U = 1u << 2,
    RADIX_IA32E_X = 1u << 3, /* bit 63, XD, inverted */
    RADIX_EPT_R = 1u << 0,
    RADIX_EPT_W = 1u << 1,
    RADIX_EPT_X = 1u << 2,
    RADIX_EPT_XU = 1u << 3, /* bit 10, used with mode-based execute control only */
    RADIX_VTD_R = 1u << 0,
    RADIX_VTD_W = 1u << 1,
    RADIX_ALL = 15,
};

enum { RADIX_MAX_LEVELS = 5, RADIX_ENTRY_BYTES = 8 };

#define RADIX_ADDRESS_MASK UINT64_C(0x000ffffffffff000)
#define RADIX_LARGE (UINT64_C(1) << 7)   /* PS; in EPT also bit 7 */
#define RADIX_XD (UINT64_C(1) << 63)
#define RADIX_GLOBAL (UINT64_C(1) << 8)  /* IA-32e leaf */
#define RADIX_IA32E_ACCESSED (UINT64_C(1) << 5)
#define RADIX_IA32E_DIRTY (UINT64_C(1) << 6)
#define RADIX_EPT_ACCESSED (UINT64_C(1) << 8)
#define RADIX_EPT_DIRTY (UINT64_C(1) << 9)
/*
 * Software bit of a shadow entry that points to a table, and of a root: the table is the guest's own, given by its
 * host-physical address, and the walk goes on in two dimensions below it (agile paging).
 */
#define RADIX_SWITCH (UINT64_C(1) << 58)
#define RADIX_EPT_MODE_BASED (UINT64_C(1) << 10)
#define RADIX_EPT_MEMORY_TYPE_SHIFT 3
#define RADIX_VTD_ACCESSED (UINT64_C(1) << 8)
#define RADIX_VTD_DIRTY (UINT64_C(1) << 9)
#define RADIX_VTD_SNOOP (UINT64_C(1) << 11)     /* of a leaf, with snoop control */
#define RADIX_VTD_TRANSIENT (UINT64_C(1) << 62) /* of a leaf, a hint for device TLBs */

/* What the processor offers; wider than any one part, so that "hardware without X" is a configuration. */
struct radix_features {
    uint8_t physical_bits; /* MAXPHYADDR, 32..52 */
    bool pages_1g;
    bool execute_disable;  /* IA32_EFER.NXE */
    bool ept_execute_only; /* IA32_VMX_EPT_VPID_CAP bit 0 */
    bool mode_based_execute;
    bool flags;            /* whether accessed and dirty flags are kept */
    bool no_pages_2m;      /* VT-d: CAP.SSLPS; other formats have them always */
    bool snoop_control;    /* VT-d: ECAP.SC */
    bool device_tlb;       /* VT-d: ECAP.DT */
};

/* What an entry is. */
enum radix_step { RADIX_TABLE, RADIX_LEAF, RADIX_NOT_PRESENT, RADIX_RESERVED };

struct radix_mode {
    uint64_t present;      /* an entry is present when one of these bits is set */
    uint64_t invert;       /* bits that forbid, so that permissions can be ANDed: XD */
    uint64_t accessed;     /* bits that an access, or a write, has to find set; 0 when flags are off */
    uint64_t dirty;
    uint64_t reserved[RADIX_MAX_LEVELS + 1][2]; /* by level and (0) table pointer or (1) leaf */
    struct radix_features features; /* what the mode was made from */
    uint8_t format;        /* enum radix_format */
    uint8_t levels;        /* 4 or 5; of VT-d also 3 */
    uint8_t large_levels;  /* bit L: at level L bit 7 makes a leaf */
    uint8_t extra_shift;   /* brings XD inverted (63) or EPT's bit 10 to bit 3 of the permissions */
    uint8_t bad_low3;      /* bit N: the value N of bits 2:0 is a misconfiguration */
    uint8_t bad_type;      /* bit N: the value N of a leaf's bits 5:3 is one */
    uint8_t step[RADIX_MAX_LEVELS + 1][256]; /* enum radix_step by level and bits 7:0, as these alone say it */
};

/* levels: 4 or 5, of VT-d also 3. Costs nothing when the mode, zeroed before its first use, is that already. */
void radix_mode_init(struct radix_mode *mode, enum radix_format format, unsigned levels,
                     const struct radix_features *features);

/* A walk in one dimension: where it stands. */
struct radix_walk {
    uint64_t input;      /* the address being translated */
    uint64_t table;      /* of the table at `level` */
    uint32_t permission; /* AND over the entries read so far */
    uint32_t level;      /* of the entry to read next */
};

static inline unsigned radix_shift(unsigned level)
{
    return HV_PAGE_SHIFT + 9 * (level - 1);
}

static inline uint64_t radix_entry_address(const struct radix_walk *w)
{
    return w->table + (w->input >> radix_shift(w->level) & 511) * RADIX_ENTRY_BYTES;
}

/* What bits 7:0 of a present entry say at a level; the rows of radix_mode.step come from here. */
enum radix_step radix_classify_low(const struct radix_mode *mode, unsigned level, uint64_t entry);

/* What the entry means at a level. */
static inline enum radix_step radix_classify(const struct radix_mode *mode, unsigned level, uint64_t entry)
{
    unsigned step = mode->step[level][entry & 255];
    /* With mode-based execute control an EPT entry may be present by its bit 10 alone. */
    if (__builtin_expect(step == RADIX_NOT_PRESENT && (entry & mode->present) != 0, 0)) {
        step = radix_classify_low(mode, level, entry);
    }
    bool reserved = step <= RADIX_LEAF && (entry & mode->reserved[level][step]) != 0;
    return __builtin_expect(reserved, 0) ? RADIX_RESERVED : (enum radix_step)step;
}

static inline uint32_t radix_permission(const struct radix_mode *mode, uint64_t entry)
{
    return (uint32_t)((entry & 7) | ((entry ^ mode->invert) >> mode->extra_shift & 8));
}

/* Goes down through an entry that is a pointer to a table. */
static inline void radix_descend(struct radix_walk *w, const struct radix_mode *mode, uint64_t entry)
{
    w->permission &= radix_permission(mode, entry);
    w->table = entry & RADIX_ADDRESS_MASK;
    w->level--;
}

/*
 * Takes the entry at radix_entry_address(w). RADIX_TABLE: w stands one level lower. RADIX_LEAF: w->table is the
 * frame of the page and w->level says its size. Otherwise w still stands at the entry that stopped it.
 */
static inline enum radix_step radix_feed(struct radix_walk *w, const struct radix_mode *mode, uint64_t entry)
{
    enum radix_step step = radix_classify(mode, w->level, entry);
    if (__builtin_expect(step <= RADIX_LEAF, 1)) {
        w->permission &= radix_permission(mode, entry);
        w->table = entry & RADIX_ADDRESS_MASK;
        w->level -= step == RADIX_TABLE;
    }
    return step;
}

/* The address that a finished walk (RADIX_LEAF) yields. */
static inline uint64_t radix_output(const struct radix_walk *w)
{
    uint64_t offset = (UINT64_C(1) << radix_shift(w->level)) - 1;
    return (w->table & ~offset) | (w->input & offset);
}

#endif
