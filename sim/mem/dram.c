/* SPDX-License-Identifier: MIT */
#include "mem/dram.h"

#include <string.h>

#include "mem/cache.h"

const struct param_row dram_param_rows[] = {
#define P(...) PARAM_ROW(struct dram_params, __VA_ARGS__)
#include "mem/dram_params.def"
#undef P
};
const size_t dram_param_count = HV_ARRAY_LEN(dram_param_rows);

const struct stat_row dram_stat_rows[] = {
#define S(...) STAT_ROW(struct dram_stats, __VA_ARGS__)
#include "mem/dram_stats.def"
#undef S
};
const size_t dram_stat_count = HV_ARRAY_LEN(dram_stat_rows);

void dram_init(struct dram *d, const struct dram_params *params)
{
    memset(d, 0, sizeof(*d));
    d->latency_cycles = params->latency_cycles;
    d->line_cycles = (CACHE_LINE_BYTES + params->bytes_per_cycle - 1) / params->bytes_per_cycle;
    d->channels = (uint32_t)params->channels;
}

void dram_reset(struct dram *d)
{
    memset(d->epoch, 0, sizeof(d->epoch));
    memset(&d->stats, 0, sizeof(d->stats));
}

/* The slot of the epoch that holds a time; NULL when the slot already stands for a later one. */
static struct dram_epoch *epoch_at(struct dram_epoch *epochs, hv_cycles time)
{
    uint64_t number = time >> DRAM_EPOCH_LOG2;
    struct dram_epoch *slot = &epochs[number % DRAM_EPOCHS];
    if (slot->number < number) {
        *slot = (struct dram_epoch){number, 0};
    }
    return slot->number == number ? slot : NULL;
}

/* Reserves the line's channel from `now` on and returns when the transfer can start. */
static hv_cycles occupy(struct dram *d, uint64_t line, hv_cycles now)
{
    struct dram_epoch *epochs = d->epoch[line % d->channels];
    hv_cycles start = now;
    struct dram_epoch *first = epoch_at(epochs, start);
    while (first != NULL && first->free_at > start) {
        start = first->free_at;
        first = epoch_at(epochs, start);
    }
    struct dram_epoch *last = epoch_at(epochs, start + d->line_cycles);
    if (first != NULL) {
        first->free_at = start + d->line_cycles;
    }
    if (last != NULL && last->free_at < start + d->line_cycles) {
        last->free_at = start + d->line_cycles;
    }
    d->stats.busy_cycles += d->line_cycles;
    return start;
}

hv_cycles dram_read(struct dram *d, uint64_t line, hv_cycles now)
{
    hv_cycles start = occupy(d, line, now);
    d->stats.reads++;
    d->stats.queue_cycles += start - now;
    return start + d->latency_cycles;
}

void dram_write(struct dram *d, uint64_t line, hv_cycles now)
{
    occupy(d, line, now);
    d->stats.writes++;
}
