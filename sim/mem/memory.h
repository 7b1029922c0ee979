/* SPDX-License-Identifier: MIT */
/*
 * The path of a reference: a core's private caches (L1D, L1I, L2), then the part that all share (LLC, DRAM).
 *
 * A lone core calls the shared part directly; with several initiators a `struct mem_port` is between, whose functions
 * join global time first. Non-inclusive; a miss fills every level on its
 * way; dirty victims are written to the next level and delay nobody but the DRAM channel.
 */
#ifndef HV_MEM_MEMORY_H
#define HV_MEM_MEMORY_H

#include "mem/cache.h"
#include "mem/dram.h"

/* Where a reference was answered. */
enum mem_level { MEM_L1, MEM_L2, MEM_LLC, MEM_DRAM, MEM_LEVELS };

extern const char *const mem_level_names[]; /* "L1", "L2", "LLC", "DRAM" */

struct mem_reply {
    hv_cycles done;       /* when the data is there */
    enum mem_level level; /* who had it */
};

/* The shared part: one for a machine. */
struct mem_shared {
    struct cache llc;
    struct dram dram;
};

/* A line read from, or (write_back) written to, the shared part at `now`. */
struct mem_reply mem_shared_read(struct mem_shared *s, uint64_t line, enum cache_user user, hv_cycles now);
void mem_shared_write_back(struct mem_shared *s, uint64_t line, hv_cycles now);

/* What several initiators reach the shared part by: functions that join global time first. */
struct mem_port {
    struct mem_reply (*read)(void *ctx, uint64_t line, enum cache_user user, hv_cycles now);
    void (*write_back)(void *ctx, uint64_t line, hv_cycles now);
    void *ctx;
};

/* One core's private caches. */
struct mem_path {
    struct cache l1d, l1i, l2;
    struct mem_shared *shared; /* a lone core's: called directly */
    struct mem_port port;      /* otherwise (shared is NULL): through this */
    hv_cycles below_cycles;    /* without a last-level cache: what the last private one takes to miss, before DRAM */
    bool usual;                /* three levels without ports, packed below the first, and no banks: a shorter way */
};

/* Works out below_cycles and usual; to be called once the caches, and shared, are there. */
void mem_path_connect(struct mem_path *p, bool has_llc);

/* Which private cache a reference enters by. */
enum mem_entry { MEM_ENTRY_L1D, MEM_ENTRY_L1I, MEM_ENTRY_L2 };

struct mem_request {
    hv_hpa addr;
    enum mem_entry entry;
    enum cache_user user;
    bool write;
};

/* One reference starting at `now`. */
struct mem_reply mem_access(struct mem_path *p, const struct mem_request *request, hv_cycles now);

/* mem_access() of a page walker that enters by the first-level data cache, which is there. */
struct mem_reply mem_walk_read(struct mem_path *p, hv_hpa addr, hv_cycles now);

/* mem_access() of a load or store. */
struct mem_reply mem_data(struct mem_path *p, hv_hpa addr, bool write, hv_cycles now);

#endif
