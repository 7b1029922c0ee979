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
    d->channel_mask = (d->channels & (d->channels - 1)) == 0 ? d->channels - 1 : 0;
}

void dram_reset(struct dram *d)
{
    memset(d->channel, 0, sizeof(d->channel));
    memset(&d->stats, 0, sizeof(d->stats));
}

/* The epoch that holds a time, emptied if its slot stood for an earlier one. */
static struct dram_epoch *epoch_at(struct dram_channel *c, hv_cycles time)
{
    uint64_t number = time >> DRAM_EPOCH_LOG2;
    struct dram_epoch *epoch = &c->epoch[number % DRAM_EPOCHS];
    if (epoch->number != number) {
        *epoch = (struct dram_epoch){number, 0};
    }
    return epoch;
}

hv_cycles dram_occupy_busy(struct dram *d, struct dram_channel *c, hv_cycles now)
{
    hv_cycles start = now;
    if (c->newest >= DRAM_EPOCHS && start >> DRAM_EPOCH_LOG2 <= c->newest - DRAM_EPOCHS) {
        start = (c->newest - DRAM_EPOCHS + 1) << DRAM_EPOCH_LOG2;
    }
    struct dram_epoch *epoch = epoch_at(c, start);
    while (epoch->free_at > start) {
        start = epoch->free_at;
        epoch = epoch_at(c, start);
    }
    hv_cycles end = start + d->line_cycles;
    epoch->free_at = end;
    struct dram_epoch *last = epoch_at(c, end); /* the transfer may reach into the next epoch */
    last->free_at = last->free_at > end ? last->free_at : end;
    c->newest = last->number > c->newest ? last->number : c->newest;
    return start;
}
