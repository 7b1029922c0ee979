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

static bool is_power_of_two(uint64_t n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

bool dram_init(struct dram *d, const struct dram_params *params, struct hv_err *err)
{
    if (params->banks != 0 && !is_power_of_two(params->banks)) {
        return hv_fail(err, "dram.banks is %llu; choose a power of two up to 64, or 0 for no banks",
                       (unsigned long long)params->banks);
    }
    if (params->banks != 0 && !is_power_of_two(params->row_bytes)) {
        return hv_fail(err, "dram.row_bytes is %llu; choose a power of two, such as 8KiB",
                       (unsigned long long)params->row_bytes);
    }
    d->latency_cycles = params->latency_cycles;
    d->line_cycles = (CACHE_LINE_BYTES + params->bytes_per_cycle - 1) / params->bytes_per_cycle;
    d->untimed = false;
    d->row_miss_cycles = params->row_miss_cycles;
    d->bank_cycles = params->bank_cycles;
    d->channels = (uint32_t)params->channels;
    d->channel_mask = is_power_of_two(d->channels) ? d->channels - 1 : 0;
    d->banks = (uint32_t)params->banks;
    d->row_lines_log2 = d->banks != 0 ? (uint32_t)__builtin_ctzll(params->row_bytes) - CACHE_LINE_SHIFT : 0;
    dram_reset(d);
    return true;
}

void dram_reset(struct dram *d)
{
    for (uint32_t channel = 0; channel < d->channels; channel++) {
        calendar_reset(&d->channel[channel]);
        memset(d->bank[channel], 0, d->banks * sizeof(d->bank[channel][0]));
    }
    memset(&d->stats, 0, sizeof(d->stats));
}

struct dram_place dram_place_of(const struct dram *d, uint64_t line)
{
    uint64_t row_of_banks = line / d->channels >> d->row_lines_log2, row = row_of_banks / d->banks;
    return (struct dram_place){
        .channel = dram_channel_of(d, line),
        .bank = (uint32_t)((row_of_banks ^ row) & (d->banks - 1)),
        .row = row,
    };
}

/* Notes an opening before the `later` latest ones; the oldest is forgotten when there are too many. */
static void note_opening(struct dram_bank *b, uint32_t later, struct dram_opening opening)
{
    if (b->count == DRAM_OPENINGS) {
        if (later == DRAM_OPENINGS) {
            return; /* it would be the oldest itself */
        }
        b->count--;
        memmove(b->opening, b->opening + 1, b->count * sizeof(b->opening[0]));
    }
    struct dram_opening *at = &b->opening[b->count - later];
    memmove(at + 1, at, later * sizeof(*at));
    *at = opening;
    b->count++;
}

/* What a bank comes to for one request. */
struct bank_reply {
    hv_cycles begin; /* of the opening; of a row hit, when the row is open */
    bool hit;
};

/*
 * Goes through the bank's openings from the one before `now`: the row is open, or the bank has time to open it before
 * the next opening, or the request waits for that.
 */
static struct bank_reply find_row(const struct dram *d, struct dram_bank *b, uint64_t row, hv_cycles now)
{
    uint32_t later = 0;
    while (later < b->count && b->opening[b->count - 1 - later].begin > now) {
        later++;
    }
    for (;;) {
        const struct dram_opening *next = &b->opening[b->count - later];
        hv_cycles begin = now;
        if (later < b->count) {
            const struct dram_opening *last = next - 1;
            if (last->row == row) {
                hv_cycles open = last->begin + d->row_miss_cycles;
                return (struct bank_reply){open > now ? open : now, true};
            }
            hv_cycles ready = last->begin + d->bank_cycles;
            begin = ready > now ? ready : now;
        }
        if (later == 0 || begin + d->bank_cycles <= next->begin) {
            note_opening(b, later, (struct dram_opening){begin, row});
            return (struct bank_reply){begin, false};
        }
        now = next->begin;
        later--;
    }
}

hv_cycles dram_open_row(struct dram *d, uint64_t line, enum dram_command command, hv_cycles now)
{
    if (d->untimed) {
        d->stats.row_hits++; /* without time, rows are not told apart */
        return now;
    }
    struct dram_place place = dram_place_of(d, line);
    struct bank_reply reply = find_row(d, &d->bank[place.channel][place.bank], place.row, now);
    hv_cycles opening = reply.hit ? 0 : d->row_miss_cycles;
    *(reply.hit ? &d->stats.row_hits : &d->stats.row_misses) += 1;
    if (command == DRAM_READ) {
        d->stats.bank_queue_cycles += reply.begin - now;
        d->stats.row_open_cycles += opening;
    }
    return reply.begin + opening;
}

/*
 * Little's law for reads, L = rate x mean time: the integral of the number of reads under way over time, which
 * read_cycles gathers read by read, is the number of reads times the mean of what one takes, part by part.
 */
void dram_check(const struct dram *d)
{
    const struct dram_stats *s = &d->stats;
    uint64_t lines = s->reads + s->writes;
    uint64_t parts = s->reads * d->latency_cycles + s->queue_cycles + s->bank_queue_cycles + s->row_open_cycles;
    HV_ASSERT(s->read_cycles == parts, "reads took %llu cycles, their parts %llu",
              (unsigned long long)s->read_cycles, (unsigned long long)parts);
    HV_ASSERT(s->busy_cycles == lines * d->line_cycles, "%llu lines occupied channels for %llu cycles",
              (unsigned long long)lines, (unsigned long long)s->busy_cycles);
    HV_ASSERT(s->row_hits + s->row_misses == (d->banks != 0 ? lines : 0), "%llu lines met %llu rows",
              (unsigned long long)lines, (unsigned long long)(s->row_hits + s->row_misses));
}
