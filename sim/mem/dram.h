/* SPDX-License-Identifier: MIT */
/*
 * Main memory: a fixed latency behind channels that a line occupies for the time its bytes take.
 *
 * MODEL: no banks, rows or refresh yet; a random stream is served as fast as one with row hits, which flatters
 * random workloads by some tens of percent of the DRAM latency.
 */
#ifndef HV_MEM_DRAM_H
#define HV_MEM_DRAM_H

#include "base/param.h"
#include "base/stat.h"

enum { DRAM_MAX_CHANNELS = 64 };

struct dram_params {
#define P PARAM_MEMBER
#include "mem/dram_params.def"
#undef P
};

extern const struct param_row dram_param_rows[];
extern const size_t dram_param_count;

struct dram_stats {
#define S STAT_MEMBER
#include "mem/dram_stats.def"
#undef S
};

extern const struct stat_row dram_stat_rows[];
extern const size_t dram_stat_count;

/*
 * One epoch of a channel's time. A walk is simulated to its end before the next access begins, so requests come out of
 * order by up to some thousand cycles; with one time for the whole channel an early request would queue behind a late
 * one. Requests of the same epoch and in order queue exactly.
 */
enum { DRAM_EPOCH_LOG2 = 7, DRAM_EPOCHS = 64 };

struct dram_epoch {
    uint64_t number;   /* which epoch this slot now stands for */
    hv_cycles free_at; /* when the channel can start its next line within it */
};

struct dram {
    struct dram_epoch epoch[DRAM_MAX_CHANNELS][DRAM_EPOCHS];
    hv_cycles latency_cycles;
    hv_cycles line_cycles; /* a line occupies its channel so long */
    uint32_t channels;
    struct dram_stats stats;
};

void dram_init(struct dram *d, const struct dram_params *params);
void dram_reset(struct dram *d);

/* Reads a line; returns when its data is there. */
hv_cycles dram_read(struct dram *d, uint64_t line, hv_cycles now);

/* Writes a line back. Nobody waits for it, but it occupies the channel. */
void dram_write(struct dram *d, uint64_t line, hv_cycles now);

#endif
