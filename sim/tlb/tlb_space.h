/* SPDX-License-Identifier: MIT */
/*
 * The address space that a cached translation belongs to: which mapping kind, VPID, PCID and EP4TA tag it.
 *
 * SDM Vol. 3C "Information That May Be Cached" (29.4.1; 28.3.1 in editions before 2022) has three kinds:
 *   linear          from guest paging without EPT; tagged VPID and PCID
 *   guest-physical  from EPT alone; tagged EP4TA (bits 51:12 of the EPTP)
 *   combined        from guest paging with EPT; tagged VPID, PCID and EP4TA
 * Global translations match whatever the PCID is, so they live in a space of their own per VPID (and EP4TA).
 *
 * Comparing three tags at every probe would be slow, so each combination in use gets a number, and that number is
 * part of the key that a probe compares. An invalidation works out once which numbers it names.
 */
#ifndef HV_TLB_TLB_SPACE_H
#define HV_TLB_TLB_SPACE_H

#include "base/types.h"

enum tlb_mapping { TLB_LINEAR, TLB_GUEST_PHYSICAL, TLB_COMBINED };

struct tlb_space {
    uint64_t ep4ta; /* 0 for linear mappings */
    uint16_t vpid;  /* 0 for guest-physical mappings, for VMX root, and with VPIDs disabled */
    uint16_t pcid;  /* 0 for guest-physical mappings and for global translations */
    uint8_t mapping;
    bool global;
};

/* 0 is no space, so that a key is never 0. */
typedef uint16_t tlb_space_id;

enum { TLB_SPACES = 16384, TLB_SPACE_SLOTS = 2 * TLB_SPACES };

struct tlb_spaces {
    struct tlb_space *items;  /* by id */
    tlb_space_id *slots;      /* open-addressing hash of ids */
    uint8_t *named;           /* by id: named by the invalidation under way */
    uint32_t count;           /* ids given, 0 included */
};

void tlb_spaces_init(struct tlb_spaces *s);
void tlb_spaces_fini(struct tlb_spaces *s);

/* Forgets all spaces; the caller has emptied every structure that used them. */
void tlb_spaces_reset(struct tlb_spaces *s);

/* The id of a space, given out on first use; 0 when TLB_SPACES are in use (flush, reset and ask again). */
tlb_space_id tlb_spaces_id(struct tlb_spaces *s, const struct tlb_space *space);

/* What an invalidation names, by tag. A field is compared only when its bit is in `by`. */
enum {
    TLB_BY_VPID = 1u << 0,
    TLB_BY_PCID = 1u << 1, /* never true of global translations */
    TLB_BY_EP4TA = 1u << 2,
    TLB_KEEP_GLOBAL = 1u << 3,     /* global translations are not named */
    TLB_KEEP_GUEST_PHYSICAL = 1u << 4,
    TLB_KEEP_LINEAR = 1u << 5,     /* INVEPT leaves linear mappings alone */
    TLB_GLOBAL_TOO = 1u << 6,      /* with TLB_BY_PCID: global translations match any PCID (INVLPG) */
    TLB_BUT_VPID_0 = 1u << 7,      /* INVVPID all-context keeps VPID 0 */
};

struct tlb_naming {
    uint32_t by;
    uint16_t vpid;
    uint16_t pcid;
    uint64_t ep4ta;
};

/* Marks s->named for every space and returns whether any is named. */
bool tlb_spaces_name(struct tlb_spaces *s, const struct tlb_naming *naming);

#endif
