/* SPDX-License-Identifier: MIT */
#include "workload/mix.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/rng.h"
#include "workload/stream.h"

#define ENDLESS (UINT64_C(1) << 62) /* accesses of a synthetic part: more than any mix makes */

struct mix_part {
    struct workload *stream;       /* NULL: it could not be opened again */
    struct workload_params params; /* how to open it again */
    uint64_t turn;                 /* accesses */
    bool fresh;                    /* has been opened and yielded nothing yet */
};

struct mix {
    struct workload base;
    enum mix_as as;
    struct workload_region *regions;
    size_t count, current;
    uint64_t left;   /* accesses of this turn */
    bool begun;      /* the first turn has begun */
    bool announce;   /* the event of this turn is still to come */
    bool turn_empty; /* nothing has come in this turn */
    struct mix_part part[MIX_PARTS_MAX];
};

/* --- the parts --------------------------------------------------------------------------------------------------- */

static bool fail_processes(size_t number, struct hv_err *err)
{
    return hv_fail(err, "part %zu of the mix is a trace of several processes, and a part is one; run it alone",
                   number + 1);
}

static bool reopen_part(struct mix_part *part, size_t number, struct hv_err *err)
{
    struct hv_err why = { "" };
    workload_close(part->stream);
    part->stream = workload_open(&part->params, &why);
    part->fresh = true;
    return part->stream != NULL || hv_fail(err, "part %zu of the mix: %s", number + 1, why.text);
}

static bool open_part(struct mix *m, size_t number, const struct workload_params *own, uint64_t seed,
                      struct hv_err *err)
{
    struct mix_part *part = &m->part[number];
    if (own->kind == WORKLOAD_MIX) {
        return hv_fail(err, "part %zu of the mix is a mix itself; name its parts instead", number + 1);
    }
    part->params = *own;
    part->params.seed = rng_mix(own->seed + rng_mix(seed * MIX_PARTS_MAX + number));
    part->params.accesses = own->kind == WORKLOAD_TRACE ? own->accesses : ENDLESS;
    if (!reopen_part(part, number, err)) {
        return false;
    }
    for (size_t i = 0; i < part->stream->region_count; i++) {
        if (part->stream->regions[i].process != 0) {
            return fail_processes(number, err);
        }
    }
    return true;
}

/* --- the regions ------------------------------------------------------------------------------------------------- */

static int by_address(const void *a, const void *b)
{
    const struct workload_region *x = a, *y = b;
    return (x->start.v > y->start.v) - (x->start.v < y->start.v);
}

/* Makes overlapping and touching regions of one address space one. */
static size_t merge_regions(struct workload_region *regions, size_t count)
{
    size_t merged = 0;
    qsort(regions, count, sizeof(*regions), by_address);
    for (size_t i = 1; i < count; i++) {
        struct workload_region *last = &regions[merged];
        uint64_t page = regions[i].start.v >> HV_PAGE_SHIFT, last_page = last->start.v >> HV_PAGE_SHIFT;
        if (page <= last_page + last->pages) {
            uint64_t end = page + regions[i].pages;
            last->pages = end > last_page + last->pages ? end - last_page : last->pages;
        } else {
            regions[++merged] = regions[i];
        }
    }
    return merged + 1;
}

static void collect_regions(struct mix *m)
{
    size_t count = 0;
    for (size_t p = 0; p < m->count; p++) {
        count += m->part[p].stream->region_count;
    }
    m->regions = calloc(count, sizeof(*m->regions));
    HV_ASSERT(m->regions != NULL, "out of memory");
    struct workload_region *next = m->regions;
    for (size_t p = 0; p < m->count; p++) {
        const struct workload *stream = m->part[p].stream;
        for (size_t i = 0; i < stream->region_count; i++) {
            *next = stream->regions[i];
            next++->process = m->as == MIX_PROCESSES ? (uint32_t)p : 0;
        }
    }
    m->base.regions = m->regions;
    m->base.region_count = m->as == MIX_PROCESSES ? count : merge_regions(m->regions, count);
}

/* --- the stream -------------------------------------------------------------------------------------------------- */

static void begin_turn(struct mix *m)
{
    m->current = m->begun ? (m->current + 1) % m->count : 0;
    m->left = m->part[m->current].turn;
    m->announce = m->as == MIX_PROCESSES && (m->count > 1 || !m->begun);
    m->begun = true;
    m->turn_empty = true;
}

/* In whose address space the present part runs. */
static uint8_t process_of(const struct mix *m)
{
    return m->as == MIX_PROCESSES ? (uint8_t)m->current : 0;
}

static struct hv_access process_switch(struct mix *m)
{
    m->announce = false;
    return (struct hv_access){
        .gva = { m->current }, .kind = HV_EVENT, .bytes = HV_EVENT_PROCESS, .asid = process_of(m),
    };
}

/* What a part says about its one process is about this process of the mix. False: it has another one. */
static bool stamp(const struct mix *m, struct hv_access *batch, size_t count)
{
    uint64_t others = 0;
    for (size_t i = 0; i < count; i++) {
        others |= batch[i].asid;
        batch[i].asid = process_of(m);
        if (batch[i].kind == HV_EVENT && batch[i].bytes == HV_EVENT_PROCESS) {
            others |= batch[i].gva.v;
            batch[i].gva.v = process_of(m);
        }
    }
    return others == 0;
}

/* The next elements of this turn; (size_t)-1 with a sentence, or 0 when the turn is over or the part begins again. */
static size_t next_of_turn(struct mix *m, struct hv_access *batch, size_t capacity, struct hv_err *err)
{
    struct mix_part *part = &m->part[m->current];
    if (part->stream == NULL && !reopen_part(part, m->current, err)) {
        return (size_t)-1;
    }
    size_t got = workload_next(part->stream, batch, m->left < capacity ? (size_t)m->left : capacity, err);
    if (got == (size_t)-1) {
        return got;
    }
    if (got == 0) {
        if (part->fresh) {
            hv_fail(err, "part %zu of the mix has no accesses", m->current + 1);
            return (size_t)-1;
        }
        m->left = m->as == MIX_PHASES && !m->turn_empty ? 0 : m->left;
        return reopen_part(part, m->current, err) ? 0 : (size_t)-1;
    }
    part->fresh = m->turn_empty = false;
    m->left -= stream_count_accesses(part->stream, batch, got);
    return stamp(m, batch, got) || fail_processes(m->current, err) ? got : (size_t)-1;
}

static size_t next_mix(struct workload *w, struct hv_access *batch, size_t capacity, struct hv_err *err)
{
    struct mix *m = (struct mix *)w;
    size_t done = 0;
    while (done < capacity) {
        if (m->left == 0) {
            begin_turn(m);
        }
        if (m->announce) {
            batch[done++] = process_switch(m);
            continue;
        }
        size_t got = next_of_turn(m, batch + done, capacity - done, err);
        if (got == (size_t)-1) {
            return done > 0 ? done : got;
        }
        done += got;
    }
    return done;
}

static void close_mix(struct workload *w)
{
    struct mix *m = (struct mix *)w;
    for (size_t p = 0; p < m->count; p++) {
        workload_close(m->part[p].stream);
    }
    free(m->regions);
    free(m);
}

static const struct workload_ops mix_ops = { .next = next_mix, .close = close_mix };

struct workload *mix_open(const struct workload_params *params, const struct workload_params *parts, size_t count,
                          struct hv_err *err)
{
    HV_ASSERT(count >= 1 && count <= MIX_PARTS_MAX, "a mix of %zu parts", count);
    if (params->code_footprint > 0) {
        hv_fail(err, "workload.code_footprint is not for a mix; set it in the files of its parts");
        return NULL;
    }
    struct workload_params whole;
    if (!sampled_whole(params, &whole, err)) {
        return NULL;
    }
    struct mix *m = calloc(1, sizeof(*m));
    HV_ASSERT(m != NULL, "out of memory");
    m->as = (enum mix_as)params->mix_as;
    m->base = (struct workload){ .ops = &mix_ops, .total = whole.accesses, .no_events = m->as == MIX_PHASES };
    for (; m->count < count; m->count++) {
        struct mix_part *part = &m->part[m->count];
        if (!open_part(m, m->count, &parts[m->count], params->seed, err)) {
            workload_close(part->stream);
            close_mix(&m->base);
            return NULL;
        }
        part->turn = m->as == MIX_PROCESSES ? params->mix_quantum : parts[m->count].accesses;
        m->base.no_events &= part->stream->no_events;
    }
    collect_regions(m);
    return sampled_open(stream_wrap(&m->base, &whole, err), params, err);
}
