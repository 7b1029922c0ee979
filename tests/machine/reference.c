/* SPDX-License-Identifier: MIT */
#include "reference.h"

#include <stdlib.h>
#include <string.h>

#include "gtest.h"

enum { WALK_REFS = 4, MAX_OPS = 4, MAX_CHANNELS = 16 };

/* --- LRU arrays: sets of (line, last use), the plainest way ------------------------------------------------------------ */

struct entry {
    uint64_t line, used; /* used is 0 while empty */
    bool dirty;
};

struct array {
    struct entry *entries;
    uint64_t sets, ways, clock;
};

static struct array array_new(uint64_t entries, uint64_t ways)
{
    struct array a = {calloc(entries + 1, sizeof(struct entry)), entries / ways, ways, 0};
    assert_non_null(a.entries);
    return a;
}

static struct entry *find(struct array *a, uint64_t line)
{
    for (uint64_t way = 0; a->sets > 0 && way < a->ways; way++) {
        struct entry *e = &a->entries[line % a->sets * a->ways + way];
        if (e->used != 0 && e->line == line) {
            return e;
        }
    }
    return NULL;
}

static bool look_up(struct array *a, uint64_t line, bool write)
{
    struct entry *e = find(a, line);
    if (e != NULL) {
        e->used = ++a->clock;
        e->dirty |= write;
    }
    return e != NULL;
}

/* Puts a line in the place of an empty or the least recent one; true when that was dirty, and which. */
static bool put(struct array *a, uint64_t line, bool dirty, uint64_t *evicted)
{
    struct entry *victim = &a->entries[line % a->sets * a->ways];
    for (uint64_t way = 1; way < a->ways; way++) {
        struct entry *e = &a->entries[line % a->sets * a->ways + way];
        victim = e->used < victim->used ? e : victim;
    }
    bool writes = victim->used != 0 && victim->dirty;
    *evicted = victim->line;
    *victim = (struct entry){line, ++a->clock, dirty};
    return writes;
}

/* A dirty line comes from above: the line is marked if it is there, else put in. */
static bool accept(struct array *a, uint64_t line, uint64_t *evicted)
{
    struct entry *e = find(a, line);
    if (e != NULL) {
        e->dirty = true;
        return false;
    }
    return put(a, line, true, evicted);
}

/* --- cores -------------------------------------------------------------------------------------------------------------- */

/* Something that a core wants to do to what is shared, and when. */
struct op {
    bool write;
    uint64_t line, time;
};

struct ref_core {
    struct workload *stream;
    uint64_t root, now, issued;
    struct hv_access access;
    uint64_t addresses[WALK_REFS + 1]; /* of the page-table entries, then of the data */
    unsigned next, count;              /* references of the access: the one under way, and how many */
    struct op ops[MAX_OPS];            /* of that reference, still to be done, in order */
    unsigned op_count;
    bool ended;
    struct array tlb, l1, l2;
};

struct reference {
    const struct machine *m;
    const struct machine_params *p;
    struct ref_core cores[REFERENCE_CORES];
    struct array llc;
    uint64_t channel_free[MAX_CHANNELS];
    struct reference_result *result;
    FILE *trace;
};

static bool is_data(const struct ref_core *c)
{
    return c->next == c->count - 1;
}

static bool is_store(const struct ref_core *c)
{
    return is_data(c) && c->access.kind == HV_STORE;
}

static void count(struct reference_counts *counts, const struct ref_core *c, bool hit)
{
    uint64_t *const counter[2][2] = {{&counts->walk_misses, &counts->walk_hits}, {&counts->misses, &counts->hits}};
    ++*counter[is_data(c)][hit];
}

static void want(struct ref_core *c, bool write, uint64_t line, uint64_t time)
{
    assert_true(c->op_count < MAX_OPS);
    c->ops[c->op_count++] = (struct op){write, line, time};
}

/* Takes the next access: its instructions issue, and its references are known. */
static void begin_access(struct reference *r, struct ref_core *c)
{
    struct hv_err err;
    if (workload_next(c->stream, &c->access, 1, &err) != 1) {
        c->ended = true;
        return;
    }
    uint64_t width = r->p->core.width, instructions = c->access.gap + 1, gva = c->access.gva.v, table = c->root;
    c->now += (c->issued + instructions) / width - c->issued / width;
    c->issued += instructions;
    bool known = look_up(&c->tlb, gva >> 12, false);
    c->next = c->count = 0;
    for (unsigned shift = 39; shift >= 12; shift -= 9) {
        uint64_t at = table + (gva >> shift & 511) * 8;
        if (!known) {
            c->addresses[c->count++] = at;
        }
        table = physmem_read64(&r->m->memory, (hv_hpa){at}) & UINT64_C(0x000ffffffffff000);
    }
    c->addresses[c->count++] = table | (gva & 4095);
    r->result->walks += !known;
    if (!known && c->tlb.sets > 0) {
        uint64_t evicted;
        put(&c->tlb, gva >> 12, false, &evicted);
    }
}

/* The reference under way has its line at `done`; the levels above `below` take it in. */
static void fill(struct reference *r, struct ref_core *c, bool second, uint64_t done)
{
    uint64_t line = c->addresses[c->next] >> 6, evicted, further;
    if (second && put(&c->l2, line, false, &evicted)) {
        r->result->l2.writebacks++;
        want(c, true, evicted, done);
    }
    if (put(&c->l1, line, is_store(c), &evicted)) {
        r->result->l1d.writebacks++;
        if (accept(&c->l2, evicted, &further)) {
            r->result->l2.writebacks++;
            want(c, true, further, done);
        }
    }
    c->now = done;
}

/* Goes through private caches until something shared is wanted, or the stream has ended. */
static void advance(struct reference *r, struct ref_core *c)
{
    const struct cache_params *l1 = &r->p->cache[CACHE_L1D], *l2 = &r->p->cache[CACHE_L2];
    while (c->op_count == 0 && !c->ended) {
        if (c->next == c->count) {
            begin_access(r, c);
            continue;
        }
        uint64_t line = c->addresses[c->next] >> 6;
        bool first = look_up(&c->l1, line, is_store(c));
        count(&r->result->l1d, c, first);
        if (first) {
            /* Data that the first level has is free, but for an access whose address depends on it. */
            c->now += !is_data(c) || (c->access.flags & HV_ACCESS_DEPENDENT) != 0 ? l1->latency_cycles : 0;
            c->next++;
            continue;
        }
        bool there = look_up(&c->l2, line, false);
        count(&r->result->l2, c, there);
        if (there) {
            fill(r, c, false, c->now + l2->latency_cycles);
            c->next++;
        } else { /* without a last level, the second one's time to miss comes before DRAM */
            want(c, false, line, c->now + (r->llc.sets == 0 ? l2->latency_cycles : 0));
        }
    }
}

/* --- what is shared ------------------------------------------------------------------------------------------------------ */

/* A line occupies its channel; returns when it begins to. */
static uint64_t occupy(struct reference *r, uint64_t line, uint64_t time)
{
    uint64_t *channel_free = &r->channel_free[line % r->p->dram.channels];
    uint64_t start = *channel_free > time ? *channel_free : time;
    *channel_free = start + (64 + r->p->dram.bytes_per_cycle - 1) / r->p->dram.bytes_per_cycle;
    return start;
}

static void write_line(struct reference *r, uint64_t line, uint64_t time)
{
    uint64_t evicted = line;
    if (r->llc.sets == 0 || accept(&r->llc, line, &evicted)) {
        r->result->llc.writebacks += r->llc.sets != 0;
        r->result->dram_writes++;
        occupy(r, evicted, time);
    }
}

static uint64_t read_line(struct reference *r, struct ref_core *c, uint64_t line, uint64_t time, const char **level)
{
    uint64_t evicted;
    *level = "LLC";
    if (r->llc.sets != 0) {
        bool there = look_up(&r->llc, line, false);
        count(&r->result->llc, c, there);
        time += r->p->cache[CACHE_LLC].latency_cycles;
        if (there) {
            return time;
        }
        bool dirty = put(&r->llc, line, false, &evicted);
        assert_false(dirty); /* its write would be out of the order of time: no machine here has one */
    }
    uint64_t start = occupy(r, line, time);
    *level = "DRAM";
    r->result->dram_reads++;
    r->result->dram_queue_cycles += start - time;
    r->result->read_queue_cycles[c - r->cores] += start - time;
    return start + r->p->dram.latency_cycles;
}

/* Does the first thing that a core wants. */
static void do_first(struct reference *r, struct ref_core *c)
{
    struct op op = c->ops[0];
    memmove(&c->ops[0], &c->ops[1], --c->op_count * sizeof(op));
    unsigned number = (unsigned)(c - r->cores);
    unsigned long long time = op.time, line = op.line;
    if (op.write) {
        write_line(r, op.line, op.time);
        fprintf(r->trace, "%llu shared write core=%u line=%#llx\n", time, number, line);
    } else {
        const char *level;
        uint64_t done = read_line(r, c, op.line, op.time, &level);
        fprintf(r->trace, "%llu shared read core=%u line=%#llx level=%s done=%llu\n", time, number, line, level,
                (unsigned long long)done);
        r->result->shared_reads[number]++;
        fill(r, c, true, done);
        c->next++;
    }
}

static struct ref_core *first_core(struct reference *r)
{
    struct ref_core *first = NULL;
    for (unsigned i = 0; i < r->p->machine.cores; i++) {
        struct ref_core *c = &r->cores[i];
        advance(r, c);
        first = !c->ended && (first == NULL || c->ops[0].time < first->ops[0].time) ? c : first;
    }
    return first;
}

static void begin_core(struct reference *r, unsigned i)
{
    const struct machine_params *p = r->p;
    const struct cache_params *l1 = &p->cache[CACHE_L1D], *l2 = &p->cache[CACHE_L2];
    struct hv_err err = {""};
    struct ref_core *c = &r->cores[i];
    struct workload_params stream = p->workload;
    stream.seed += i;
    c->stream = workload_open(&stream, &err);
    assert_non_null(c->stream);
    c->root = r->m->vms[0].processes[p->vcpu.threads ? 0 : i].table.root;
    c->l1 = array_new(l1->size / 64, l1->ways);
    c->l2 = array_new(l2->size / 64, l2->ways);
    c->tlb = array_new(p->tlb[TLB_L1D_4K].entries, p->tlb[TLB_L1D_4K].entries != 0 ? p->tlb[TLB_L1D_4K].entries : 1);
}

void reference_run(const struct machine *m, FILE *trace, struct reference_result *result)
{
    const struct cache_params *llc = &m->params.cache[CACHE_LLC];
    struct reference r = {.m = m, .p = &m->params, .trace = trace, .result = result};
    memset(result, 0, sizeof(*result));
    assert_true(r.p->machine.cores <= REFERENCE_CORES && r.p->dram.channels <= MAX_CHANNELS);
    r.llc = array_new(llc->size / 64, llc->ways);
    for (unsigned i = 0; i < r.p->machine.cores; i++) {
        begin_core(&r, i);
    }
    for (struct ref_core *c; (c = first_core(&r)) != NULL;) {
        do_first(&r, c);
    }
    for (unsigned i = 0; i < r.p->machine.cores; i++) {
        struct ref_core *c = &r.cores[i];
        result->cycles[i] = c->now;
        workload_close(c->stream);
        free(c->l1.entries);
        free(c->l2.entries);
        free(c->tlb.entries);
    }
    free(r.llc.entries);
}
