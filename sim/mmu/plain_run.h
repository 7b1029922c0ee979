/* SPDX-License-Identifier: MIT */
/*
 * Runs of references that walk after walk makes in the same way, remembered so that walker_plain.c can repeat one as a
 * whole. Purely a matter of host time: a run repeats only if all that it would do now is what it did before.
 *
 * It takes the same way as long as each entry that it read still has its bytes. If, besides, each line is in the
 * first-level cache, all its references hit, which moves nothing there but the order of recency, and they are made at
 * once; else they are made one by one, but their entries need no decoding.
 */
#ifndef HV_MMU_PLAIN_RUN_H
#define HV_MMU_PLAIN_RUN_H

#include "mem/cache.h"
#include "mmu/radix.h"

/*
 * Which part of a walk a run is. The addresses that share a run share all entries above the level that it leads to,
 * whose entries are too many, and differ too much, to be worth remembering.
 */
enum plain_part {
    PLAIN_UPPER_GUEST, /* from the guest's root to the host's leaf entry for the table of its level-2 entry */
    PLAIN_TABLE_PAGE,  /* the host walk of the guest's leaf table, from the root to the leaf entry */
    PLAIN_DATA_PAGE,   /* the host walk of the data page, from the root to the level-2 entry */
    PLAIN_PARTS
};

enum {
    PLAIN_RUNS = 128,
    PLAIN_RUN_ENTRIES = 16, PLAIN_RUN_REFS = 24, /* a longer run is not remembered */
};

/* An entry that the run reads. */
struct plain_entry {
    const uint64_t *bytes; /* in host memory ... */
    uint64_t value;        /* ... and what they were */
    uint64_t tag;          /* of the line in the first-level cache, the dirty bit set */
    uint64_t last;         /* the last reference to the line was the run's first, second ... */
};

/* A reference: to which of the entries, and its cell of the grid. */
struct plain_ref {
    uint8_t entry, guest_step, host_level;
};

struct plain_run {
    uint64_t generation;   /* of the context; 0: holds nothing */
    uint64_t key;          /* which addresses share it */
    uint32_t entries, refs;
    uint32_t host_refs;            /* of the references those in the second dimension */
    uint32_t *slot;                /* by entry: where the first-level cache had the line when the run was last made */
    struct radix_walk guest, host; /* where the walk then stands; its addresses are others in each walk */
    struct plain_entry entry[PLAIN_RUN_ENTRIES];
    struct plain_ref ref[PLAIN_RUN_REFS];
};

/*
 * The entries of a two-dimensional walk that no run remembers, since they are others in each walk. The host walk is
 * that of a guest table's page, or of the data page.
 */
enum plain_single {
    PLAIN_TABLE2_HOST1, /* the host's level-1 entry for the page of the guest's level-2 entry */
    PLAIN_GUEST2,
    PLAIN_TABLE1_HOST1, /* the same for the page of the guest's level-1 entry */
    PLAIN_GUEST1,
    PLAIN_DATA_HOST2,
    PLAIN_DATA_HOST1,
    PLAIN_SINGLES
};

/*
 * What all but the addresses in its entries was in a walk. What an entry means, and what rights a walk gives, depends
 * on nothing else, so walks of one form have the same result, but for the frame.
 */
struct plain_form {
    uint64_t generation;          /* of the context; 0: holds nothing */
    uint64_t bits[PLAIN_SINGLES]; /* of the entries */
    uint64_t runs;                /* the permissions that its runs gathered */
    uint64_t payload;             /* the result, without the frame */
};

struct plain {
    struct cache *cache;   /* the first-level cache, if walks enter there and it is LRU and hinted; else NULL */
    uint64_t generation;   /* counts changes of context */
    struct plain_run runs[PLAIN_PARTS][PLAIN_RUNS];
    uint32_t slots[PLAIN_PARTS][PLAIN_RUNS][PLAIN_RUN_ENTRIES]; /* apart: who times walks writes them (mmu_handover) */
    struct plain_form form[HV_ACCESS_KINDS];
};

/* All runs hold nothing. */
void plain_init(struct plain *p, struct cache *cache);

static inline struct plain_run *plain_run_of(struct plain *p, enum plain_part part, uint64_t key)
{
    return &p->runs[part][key % PLAIN_RUNS];
}

enum plain_repeat {
    PLAIN_NEW,      /* the run has to be walked */
    PLAIN_SAME_WAY, /* it takes the same way */
    PLAIN_ALL_HIT,  /* and all its references hit the first-level cache */
};

/* Whether it is the run for these addresses, and would take the same way now. */
static inline bool plain_run_leads(const struct plain *p, const struct plain_run *run, uint64_t key)
{
    uint64_t changed = (run->key ^ key) | (run->generation ^ p->generation);
    for (uint32_t i = 0; i < run->entries; i++) { /* no branch for each entry: nearly always all is as it was */
        changed |= *run->entry[i].bytes ^ run->entry[i].value;
    }
    return __builtin_expect(changed == 0, 1);
}

/* Whether the first-level cache has all lines of a run where it had them when the run was last made. */
static inline bool plain_run_in_place(const struct plain *p, const struct plain_run *run)
{
    const struct assoc *lines = &p->cache->lines;
    uint64_t elsewhere = lines->clock >= UINT32_MAX - PLAIN_RUN_REFS;
    for (uint32_t i = 0; i < run->entries; i++) {
        elsewhere |= (lines->tags[run->slot[i]] | CACHE_TAG_DIRTY) ^ run->entry[i].tag;
    }
    return __builtin_expect(elsewhere == 0, 1);
}

/* The part of plain_run_hits() for lines that are elsewhere: gone, or evicted and brought back by other references. */
bool plain_run_hits_elsewhere(const struct plain *p, struct plain_run *run);

/* Whether all references of a run would hit the first-level cache now. */
static inline bool plain_run_hits(const struct plain *p, struct plain_run *run)
{
    return __builtin_expect(plain_run_in_place(p, run), 1) || plain_run_hits_elsewhere(p, run);
}

/* What the run for these addresses would do now. */
static inline enum plain_repeat plain_run_repeats(const struct plain *p, struct plain_run *run, uint64_t key)
{
    return !plain_run_leads(p, run, key) ? PLAIN_NEW : !plain_run_hits(p, run) ? PLAIN_SAME_WAY : PLAIN_ALL_HIT;
}

/* Makes all references of a run of which all hit. */
static inline void plain_run_hit(const struct plain *p, const struct plain_run *run)
{
    struct assoc *lines = &p->cache->lines;
    for (uint32_t i = 0; i < run->entries; i++) {
        lines->state[run->slot[i]] = lines->clock + (uint32_t)run->entry[i].last;
    }
    lines->clock += run->refs;
    p->cache->stats.walk_hits += run->refs;
}

/* All references of a run have been made one by one: notes where their lines are now. */
void plain_run_find_lines(const struct plain *p, struct plain_run *run);

/* Begins to remember a run: it holds nothing until it ends, since a fault or a flag to set may cut it short. */
void plain_run_begin(struct plain_run *run);

/* A reference has just been made: to the entry at `bytes` in host memory and at `address` in the machine's. */
void plain_run_add(const struct plain *p, struct plain_run *run, struct plain_ref cell, const uint64_t *bytes,
                   hv_hpa address);

/* The run is complete; the caller then sets where it has led. False: it was too long. */
bool plain_run_end(const struct plain *p, struct plain_run *run, uint64_t key);

#endif
