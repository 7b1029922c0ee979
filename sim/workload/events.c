/* SPDX-License-Identifier: MIT */
/*
 * Events between the accesses of any stream, at intervals: how often software changes page tables or executes
 * instructions that concern the hypervisor, as a parameter.
 *
 * Each kind of event comes every so many accesses. A change is about a run of 2^n pages at an aligned place that is drawn
 * for it; all places within the regions of the stream are equally likely. An instruction always has the same argument.
 * Events that are due together come in the order of the parameters.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/rng.h"
#include "workload/stream.h"

enum { EVENTS_AT_ONCE = 2 };

#define NO_RUN SIZE_MAX

/* The arguments of instructions: a port and an MSR that hypervisors intercept. */
enum { PORT = 0x80 /* POST codes: nobody is there */, MSR = 0x8b /* IA32_BIOS_SIGN_ID */ };

/* A kind of event: its parameters and what happens, in this order. */
static const struct change_row {
    const char *name; /* of its parameters, before "_interval" and "_pages" */
    size_t interval, pages; /* pages: NO_RUN for an instruction */
    enum hv_event events[EVENTS_AT_ONCE];
    unsigned count;
    uint64_t value; /* the argument of an instruction */
} change_rows[] = {
#define CHANGE(name, ...)                                                                                     \
    { #name, offsetof(struct events_params, name##_interval), offsetof(struct events_params, name##_pages),   \
      __VA_ARGS__, 0 }
#define INSTRUCTION(name, event, value)                                                                       \
    { #name, offsetof(struct events_params, name##_interval), NO_RUN, { HV_EVENT_##event }, 1, value }
    CHANGE(remap, { HV_EVENT_UNMAP, HV_EVENT_MAP }, 2),
    CHANGE(protect, { HV_EVENT_PROTECT }, 1),
    CHANGE(fork, { HV_EVENT_FORK }, 1),
    CHANGE(migrate, { HV_EVENT_MIGRATE }, 1),
    CHANGE(balloon, { HV_EVENT_BALLOON }, 1),
    INSTRUCTION(cpuid, CPUID, 0),
    INSTRUCTION(vmcall, VMCALL, 0),
    INSTRUCTION(port_in, PORT_IN, PORT),
    INSTRUCTION(port_out, PORT_OUT, PORT),
    INSTRUCTION(msr_read, MSR_READ, MSR),
    INSTRUCTION(msr_write, MSR_WRITE, MSR),
    INSTRUCTION(tpr_write, TPR_WRITE, 0),
    INSTRUCTION(hlt, HLT, 0),
#undef INSTRUCTION
#undef CHANGE
};

enum { CHANGES = HV_ARRAY_LEN(change_rows) };

struct change {
    uint64_t interval; /* 0: never */
    uint64_t due;      /* before which access, counted from 0, it comes next; UINT64_MAX: never */
    unsigned pages_log2;
    uint64_t *places; /* of each region and all before it, how many aligned runs they hold */
};

struct events {
    struct workload base;
    struct workload *inner;
    struct hv_rng rng;
    uint64_t passed; /* accesses so far */
    uint64_t due;    /* the earliest of the changes */
    struct change change[CHANGES];
    unsigned next, end; /* in waiting: events that are due */
    struct hv_access waiting[CHANGES * EVENTS_AT_ONCE];
};

static uint64_t param_at(const struct events_params *params, size_t offset)
{
    return *(const param_count_t *)((const char *)params + offset);
}

bool events_wanted(const struct events_params *params)
{
    bool wanted = false;
    for (unsigned i = 0; i < CHANGES; i++) {
        wanted |= param_at(params, change_rows[i].interval) != 0;
    }
    return wanted;
}

/* The number of the first aligned run that begins in the region, and of the first that does not end in it. */
static uint64_t first_place(const struct workload_region *region, unsigned pages_log2)
{
    uint64_t page = region->start.v >> HV_PAGE_SHIFT;
    return (page + (UINT64_C(1) << pages_log2) - 1) >> pages_log2;
}

static uint64_t end_place(const struct workload_region *region, unsigned pages_log2)
{
    return ((region->start.v >> HV_PAGE_SHIFT) + region->pages) >> pages_log2;
}

/* Draws a place: which region it is in by the counts that add up, then which of the region's. */
static const struct workload_region *draw_place(struct events *e, const struct change *c, uint64_t *address)
{
    const struct workload_region *regions = e->inner->regions;
    size_t low = 0, high = e->inner->region_count - 1;
    uint64_t draw = rng_below(&e->rng, c->places[high]);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (draw < c->places[middle]) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    uint64_t within = draw - (low > 0 ? c->places[low - 1] : 0);
    *address = (first_place(&regions[low], c->pages_log2) + within) << c->pages_log2 << HV_PAGE_SHIFT;
    return &regions[low];
}

/* Queues the events of a row. */
static void queue(struct events *e, unsigned row)
{
    const struct change_row *r = &change_rows[row];
    struct hv_access event = { .gva = { r->value }, .kind = HV_EVENT };
    if (r->pages != NO_RUN) {
        const struct change *c = &e->change[row];
        uint64_t address;
        event.asid = (uint8_t)draw_place(e, c, &address)->process;
        event.gva.v = hv_event_run(address, c->pages_log2);
    }
    for (unsigned k = 0; k < r->count; k++) {
        event.bytes = (uint8_t)r->events[k];
        e->waiting[e->end++] = event;
    }
}

/* Queues what is due now, and finds out when something is next. */
static void queue_due(struct events *e)
{
    e->next = e->end = 0;
    e->due = UINT64_MAX;
    for (unsigned i = 0; i < CHANGES; i++) {
        struct change *c = &e->change[i];
        if (c->due == e->passed) {
            queue(e, i);
            c->due += c->interval;
        }
        e->due = c->due < e->due ? c->due : e->due;
    }
}

static size_t next_events(struct workload *w, struct hv_access *batch, size_t capacity, struct hv_err *err)
{
    struct events *e = (struct events *)w;
    size_t done = 0;
    while (done < capacity) {
        if (e->next == e->end && e->passed == e->due) {
            queue_due(e);
        }
        if (e->next < e->end) {
            batch[done++] = e->waiting[e->next++];
            continue;
        }
        uint64_t room = capacity - done, until = e->due - e->passed;
        size_t got = workload_next(e->inner, batch + done, (size_t)(until < room ? until : room), err);
        if (got == 0 || got == (size_t)-1) {
            return done > 0 ? done : got;
        }
        e->passed += stream_count_accesses(e->inner, batch + done, got);
        done += got;
    }
    return done;
}

static void close_events(struct workload *w)
{
    struct events *e = (struct events *)w;
    for (unsigned i = 0; i < CHANGES; i++) {
        free(e->change[i].places);
    }
    workload_close(e->inner);
    free(e);
}

static const struct workload_ops events_ops = { .next = next_events, .close = close_events };

static bool change_init(struct events *e, unsigned i, const struct events_params *params, struct hv_err *err)
{
    struct change *c = &e->change[i];
    c->interval = param_at(params, change_rows[i].interval);
    c->due = c->interval == 0 ? UINT64_MAX : c->interval;
    if (c->interval == 0 || change_rows[i].pages == NO_RUN) {
        return true;
    }
    uint64_t pages = param_at(params, change_rows[i].pages), places = 0;
    c->pages_log2 = pages == 1 ? 0 : 64 - (unsigned)__builtin_clzll(pages - 1);
    c->places = calloc(e->inner->region_count, sizeof(*c->places));
    HV_ASSERT(c->places != NULL, "out of memory");
    for (size_t k = 0; k < e->inner->region_count; k++) {
        uint64_t first = first_place(&e->inner->regions[k], c->pages_log2);
        uint64_t end = end_place(&e->inner->regions[k], c->pages_log2);
        places += end > first ? end - first : 0;
        c->places[k] = places;
    }
    if (places == 0) {
        return hv_fail(err, "workload.events.%s_pages of %" PRIu64 " fits into no region of the workload at a "
                       "multiple of its size; lower it", change_rows[i].name, pages);
    }
    return true;
}

struct workload *events_open(struct workload *inner, const struct workload_params *params, struct hv_err *err)
{
    struct events *e = calloc(1, sizeof(*e));
    HV_ASSERT(e != NULL, "out of memory");
    e->inner = inner;
    e->base = (struct workload){
        .ops = &events_ops, .regions = inner->regions, .region_count = inner->region_count, .total = inner->total,
    };
    e->due = UINT64_MAX;
    rng_init(&e->rng, rng_mix(params->seed + UINT64_C(0x6576656e7473)));
    for (unsigned i = 0; i < CHANGES; i++) {
        if (!change_init(e, i, &params->events, err)) {
            close_events(&e->base);
            return NULL;
        }
        e->due = e->change[i].due < e->due ? e->change[i].due : e->due;
    }
    return &e->base;
}
