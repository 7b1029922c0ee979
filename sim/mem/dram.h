/* SPDX-License-Identifier: MIT */
/*
 * Main memory: a latency behind channels that a line occupies for the time its bytes take, and behind banks that have
 * one row open each.
 *
 * With dram.banks a reference goes to the bank that its address names. If the bank has the row open, the transfer may
 * begin. If not, the row is opened, which takes row_miss_cycles and can be done again bank_cycles later only. A row
 * stays open until the bank needs another.
 *
 * A line's number becomes, from its low end upwards:
 *
 *     row | bank | column | channel        channel = line % channels, a column is a line within the row,
 *                                          bank = bits above the column ^ low bits of the row
 *
 * so neighbouring lines go to all channels, then along the row; the exclusive or spreads over banks what lies whole
 * sets of rows apart and would else meet in one.
 *
 * MODEL: references are served in the order in which they come; a controller that serves row hits first would do
 * better when many wait. MODEL: without banks (the default) every reference is as fast as one that finds its row open,
 * which flatters random workloads by row_miss_cycles each, some tens of percent of the DRAM latency. MODEL: no
 * refresh, and reads and writes follow each other without turning the bus around; a few percent of the bandwidth.
 */
#ifndef HV_MEM_DRAM_H
#define HV_MEM_DRAM_H

#include "base/calendar.h"
#include "base/err.h"
#include "base/param.h"
#include "base/stat.h"

enum { DRAM_MAX_CHANNELS = 64, DRAM_MAX_BANKS = 64, DRAM_OPENINGS = 8 };

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

/* A row of a bank was opened, from `begin` on. */
struct dram_opening {
    hv_cycles begin;
    uint64_t row;
};

/*
 * The latest openings of a bank in the order of their time, because requests come out of order: one that lies before
 * the latest opening meets the row that was open then. MODEL: before all that are remembered the bank counts as idle,
 * and what an early request opens does not move the later ones that were simulated before.
 */
struct dram_bank {
    uint32_t count;
    struct dram_opening opening[DRAM_OPENINGS];
};

struct dram {
    hv_cycles latency_cycles;
    hv_cycles line_cycles; /* a line occupies its channel so long: 1..64 */
    hv_cycles row_miss_cycles, bank_cycles;
    uint32_t channels;
    uint32_t channel_mask; /* channels - 1 when channels is a power of two, else 0 */
    uint32_t banks;        /* of a channel; a power of two, or 0: not modelled */
    uint32_t row_lines_log2;
    bool untimed;          /* nothing waits and no channel is reserved */
    struct dram_stats stats;
    struct calendar channel[DRAM_MAX_CHANNELS];
    struct dram_bank bank[DRAM_MAX_CHANNELS][DRAM_MAX_BANKS];
};

/* False, with a sentence, when the geometry is impossible. */
bool dram_init(struct dram *d, const struct dram_params *params, struct hv_err *err);
void dram_reset(struct dram *d);

/* Where a line lies. Only with banks. */
struct dram_place {
    uint32_t channel, bank;
    uint64_t row;
};

struct dram_place dram_place_of(const struct dram *d, uint64_t line);

/* The statistics agree with each other (and with Little's law for reads), or it is a simulator bug. */
void dram_check(const struct dram *d);

enum dram_command { DRAM_READ, DRAM_WRITE };

/* When the line's row is open and its transfer may begin. Only with banks. */
hv_cycles dram_open_row(struct dram *d, uint64_t line, enum dram_command command, hv_cycles now);

static inline uint32_t dram_channel_of(const struct dram *d, uint64_t line)
{
    return (uint32_t)(d->channel_mask != 0 ? line & d->channel_mask : line % d->channels);
}

/* Reserves the line's channel from `ready` on and returns when the transfer starts. */
static inline hv_cycles dram_transfer(struct dram *d, uint64_t line, hv_cycles ready)
{
    d->stats.busy_cycles += d->line_cycles;
    if (__builtin_expect(d->untimed, 0)) {
        return ready;
    }
    return calendar_take(&d->channel[dram_channel_of(d, line)], ready, (unsigned)d->line_cycles) - d->line_cycles;
}

/* Reads a line; returns when its data is there. */
static inline hv_cycles dram_read(struct dram *d, uint64_t line, hv_cycles now)
{
    hv_cycles ready = __builtin_expect(d->banks == 0, 1) ? now : dram_open_row(d, line, DRAM_READ, now);
    hv_cycles start = dram_transfer(d, line, ready), done = start + d->latency_cycles;
    d->stats.reads++;
    d->stats.queue_cycles += start - ready;
    d->stats.read_cycles += done - now;
    return done;
}

/* Writes a line back. Nobody waits for it, but it occupies bank and channel. */
static inline void dram_write(struct dram *d, uint64_t line, hv_cycles now)
{
    hv_cycles ready = __builtin_expect(d->banks == 0, 1) ? now : dram_open_row(d, line, DRAM_WRITE, now);
    dram_transfer(d, line, ready);
    d->stats.writes++;
}

#endif
