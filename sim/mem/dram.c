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
    memset(d->free_at, 0, sizeof(d->free_at));
    memset(&d->stats, 0, sizeof(d->stats));
}
