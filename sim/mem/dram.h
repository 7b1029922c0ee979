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

struct dram {
    hv_cycles free_at[DRAM_MAX_CHANNELS]; /* when each channel can start its next line */
    hv_cycles latency_cycles;
    hv_cycles line_cycles; /* a line occupies its channel so long */
    uint32_t channels;
    uint32_t channel_mask; /* channels - 1 when channels is a power of two, else 0 */
    struct dram_stats stats;
};

void dram_init(struct dram *d, const struct dram_params *params);
void dram_reset(struct dram *d);

/* Reserves the line's channel from `now` on and returns when the transfer can start. */
static inline hv_cycles dram_occupy(struct dram *d, uint64_t line, hv_cycles now)
{
    uint64_t channel = d->channel_mask != 0 ? line & d->channel_mask : line % d->channels;
    hv_cycles start = d->free_at[channel] > now ? d->free_at[channel] : now;
    d->free_at[channel] = start + d->line_cycles;
    d->stats.busy_cycles += d->line_cycles;
    return start;
}

/* Reads a line; returns when its data is there. */
static inline hv_cycles dram_read(struct dram *d, uint64_t line, hv_cycles now)
{
    hv_cycles start = dram_occupy(d, line, now);
    d->stats.reads++;
    d->stats.queue_cycles += start - now;
    return start + d->latency_cycles;
}

/* Writes a line back. Nobody waits for it, but it occupies the channel. */
static inline void dram_write(struct dram *d, uint64_t line, hv_cycles now)
{
    dram_occupy(d, line, now);
    d->stats.writes++;
}

#endif
