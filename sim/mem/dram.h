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
 * One epoch of a channel's time. A walk is simulated to its end before the next access begins, and may have queued for
 * its walker before, so requests come out of order by many thousand cycles; with one time for the whole channel an
 * early request would queue behind a late one. Requests in order queue exactly. MODEL: of two out of order in one epoch
 * (64 cycles) the earlier waits for the later, and one that is behind the latest by more than all epochs (65536
 * cycles) is moved up to the first of them; both only delay what a nearly idle channel would serve at once.
 */
enum { DRAM_EPOCH_LOG2 = 6, DRAM_EPOCHS = 1024 }; /* a line takes at most an epoch */

struct dram_epoch {
    uint64_t number;   /* which epoch this slot now stands for */
    hv_cycles free_at; /* when the channel can start its next line within it */
};

struct dram_channel {
    uint64_t newest; /* number of the latest epoch in which a line was transferred */
    struct dram_epoch epoch[DRAM_EPOCHS];
};

struct dram {
    struct dram_channel channel[DRAM_MAX_CHANNELS];
    hv_cycles latency_cycles;
    hv_cycles line_cycles; /* a line occupies its channel so long */
    uint32_t channels;
    uint32_t channel_mask; /* channels - 1 when channels is a power of two, else 0 */
    struct dram_stats stats;
};

void dram_init(struct dram *d, const struct dram_params *params);
void dram_reset(struct dram *d);

/* The part of dram_occupy() for a channel that is or may be busy. */
hv_cycles dram_occupy_busy(struct dram *d, struct dram_channel *c, hv_cycles now);

/* Reserves the line's channel from `now` on and returns when the transfer can start. */
static inline hv_cycles dram_occupy(struct dram *d, uint64_t line, hv_cycles now)
{
    uint64_t channel = d->channel_mask != 0 ? line & d->channel_mask : line % d->channels;
    struct dram_channel *c = &d->channel[channel];
    uint64_t number = now >> DRAM_EPOCH_LOG2;
    struct dram_epoch *epoch = &c->epoch[number % DRAM_EPOCHS];
    hv_cycles end = now + d->line_cycles;
    d->stats.busy_cycles += d->line_cycles;
    bool free = number >= c->newest && (epoch->number != number || epoch->free_at <= now);
    if (__builtin_expect(free && end >> DRAM_EPOCH_LOG2 == number, 1)) {
        *epoch = (struct dram_epoch){number, end};
        c->newest = number;
        return now;
    }
    return dram_occupy_busy(d, c, now);
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
