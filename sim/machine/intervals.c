/* SPDX-License-Identifier: MIT */
#include "machine/intervals.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NEVER UINT64_MAX

/* A counter that is part of a statistic, and what it was when it was last taken. */
struct source {
    const uint64_t *counter;
    uint64_t last;
    size_t item;
};

/* All counters that are taken at the same time: those of a core, or those that no core owns. */
struct owner {
    struct source *sources;
    size_t count, capacity;
};

/* An interval that some core has left and another has not. */
struct open_row {
    struct open_row *next;
    uint64_t number;
    uint64_t values[];
};

struct intervals {
    struct machine *machine;
    hv_cycles length, begin;
    hv_cycles last_end;     /* of the row that was closed last */
    size_t cycles_item;     /* machine.cycles */
    bool *has;              /* by item */
    struct owner *owners;   /* one for each core, then the one of what is shared */
    uint64_t *present;      /* by core: the number of the interval it is in; NEVER when it is over */
    struct open_row *open;  /* by number */
    FILE *rows;
    int error;              /* errno of the first row that could not be kept, or 0 */
    uint64_t *values;       /* of the row that was read last */
};

static size_t shared_owner(const struct intervals *s)
{
    return s->machine->params.machine.cores;
}

/* --- Which counters there are ------------------------------------------------------------------------------------ */

struct collecting {
    struct intervals *series;
    size_t item;
};

static struct owner *owner_of(struct intervals *s, const uint64_t *counter)
{
    const struct machine *m = s->machine;
    uintptr_t at = (uintptr_t)counter, first = (uintptr_t)m->cores;
    bool private = at >= first && at < first + m->params.machine.cores * sizeof(*m->cores);
    return &s->owners[private ? (at - first) / sizeof(*m->cores) : shared_owner(s)];
}

static void add_source(void *ctx, const uint64_t *counter)
{
    const struct collecting *c = ctx;
    struct owner *o = owner_of(c->series, counter);
    if (o->count == o->capacity) {
        o->capacity = o->capacity == 0 ? 64 : 2 * o->capacity;
        o->sources = reallocarray(o->sources, o->capacity, sizeof(*o->sources));
        HV_ASSERT(o->sources != NULL, "out of memory");
    }
    o->sources[o->count++] = (struct source){.counter = counter, .item = c->item};
}

static void collect(struct intervals *s)
{
    const struct stat_registry *r = &s->machine->stats;
    s->cycles_item = (size_t)stats_find(r, "machine.cycles");
    for (size_t i = 0; i < r->count; i++) {
        const struct stat_item *item = &r->items[i];
        struct collecting c = {s, i};
        if (item->kind == STAT_RATIO) {
            s->has[i] = s->has[item->numerator] && s->has[item->denominator]; /* which were registered before */
        } else {
            s->has[i] = i == s->cycles_item || stats_visit_counters(r, i, add_source, &c);
        }
    }
}

/* --- Construction ------------------------------------------------------------------------------------------------ */

static bool check_length(const struct machine *m, hv_cycles length, struct hv_err *err)
{
    const struct machine_params *p = &m->params;
    bool together = p->machine.cores == 1 || p->timing.sync == TIMING_EXACT;
    return together || length >= p->timing.quantum_cycles ||
           hv_fail(err, "--interval of %llu cycles is shorter than timing.quantum_cycles, %llu, within which cores "
                   "have no common time; choose at least that", (unsigned long long)length,
                   (unsigned long long)p->timing.quantum_cycles);
}

struct intervals *intervals_new(struct machine *m, hv_cycles length, struct hv_err *err)
{
    if (!check_length(m, length, err)) {
        return NULL;
    }
    FILE *rows = tmpfile();
    if (rows == NULL) {
        hv_fail(err, "cannot make a temporary file for the intervals: %s", strerror(errno));
        return NULL;
    }
    struct intervals *s = calloc(1, sizeof(*s));
    HV_ASSERT(s != NULL, "out of memory");
    *s = (struct intervals){.machine = m, .length = length, .rows = rows};
    s->has = calloc(m->stats.count, sizeof(*s->has));
    s->values = calloc(m->stats.count, sizeof(*s->values));
    s->owners = calloc(shared_owner(s) + 1, sizeof(*s->owners));
    s->present = calloc(m->params.machine.cores, sizeof(*s->present));
    HV_ASSERT(s->has != NULL && s->values != NULL && s->owners != NULL && s->present != NULL, "out of memory");
    collect(s);
    return s;
}

void intervals_free(struct intervals *s)
{
    if (s == NULL) {
        return;
    }
    for (struct open_row *row = s->open, *next; row != NULL; row = next) {
        next = row->next;
        free(row);
    }
    for (size_t i = 0; i <= shared_owner(s); i++) {
        free(s->owners[i].sources);
    }
    fclose(s->rows);
    free(s->has);
    free(s->values);
    free(s->owners);
    free(s->present);
    free(s);
}

/* --- Sampling ---------------------------------------------------------------------------------------------------- */

/* The open row of an interval, made when it is not there yet. */
static struct open_row *row_of(struct intervals *s, uint64_t number)
{
    struct open_row **place = &s->open;
    while (*place != NULL && (*place)->number < number) {
        place = &(*place)->next;
    }
    if (*place == NULL || (*place)->number != number) {
        struct open_row *row = calloc(1, sizeof(*row) + s->machine->stats.count * sizeof(row->values[0]));
        HV_ASSERT(row != NULL, "out of memory");
        row->next = *place;
        row->number = number;
        *place = row;
    }
    return *place;
}

/* What an owner's counters have grown by since they were last taken belongs to an interval. */
static void take(struct intervals *s, struct owner *o, uint64_t number)
{
    struct open_row *row = NULL;
    for (size_t i = 0; i < o->count; i++) {
        struct source *source = &o->sources[i];
        if (*source->counter != source->last) {
            row = row == NULL ? row_of(s, number) : row;
            row->values[source->item] += *source->counter - source->last;
            source->last = *source->counter;
        }
    }
}

static void keep(struct intervals *s, hv_cycles end, const uint64_t *values)
{
    size_t count = s->machine->stats.count;
    errno = 0;
    if (s->error == 0 && (fwrite(&end, sizeof(end), 1, s->rows) != 1 ||
                          fwrite(values, sizeof(*values), count, s->rows) != count)) {
        s->error = errno != 0 ? errno : EIO;
    }
}

/* Every core has left the first of the open rows. */
static void close_first(struct intervals *s, hv_cycles end)
{
    struct open_row *row = s->open;
    take(s, &s->owners[shared_owner(s)], row->number);
    row->values[s->cycles_item] = end - s->last_end;
    s->last_end = end;
    keep(s, end, row->values);
    s->open = row->next;
    free(row);
}

static uint64_t first_present(const struct intervals *s)
{
    uint64_t first = NEVER;
    for (size_t i = 0; i < s->machine->params.machine.cores; i++) {
        first = s->present[i] < first ? s->present[i] : first;
    }
    return first;
}

/* A core goes on in the interval of its time, or never. */
static void enter(struct intervals *s, unsigned core)
{
    struct machine_core *c = &s->machine->cores[core];
    uint64_t number = (c->core.now - s->begin) / s->length;
    s->present[core] = c->over ? NEVER : number;
    c->sample_at = c->over ? NEVER : s->begin + (number + 1) * s->length;
}

void intervals_begin(struct intervals *s, hv_cycles now)
{
    s->begin = now;
    s->machine->intervals = s;
    for (size_t i = 0; i <= shared_owner(s); i++) {
        for (size_t k = 0; k < s->owners[i].count; k++) {
            s->owners[i].sources[k].last = *s->owners[i].sources[k].counter;
        }
    }
    for (unsigned i = 0; i < s->machine->params.machine.cores; i++) {
        enter(s, i);
    }
}

void intervals_sample(struct intervals *s, unsigned core)
{
    if (s->present[core] != NEVER) {
        take(s, &s->owners[core], s->present[core]);
    }
    enter(s, core);
    uint64_t first = first_present(s);
    while (s->open != NULL && s->open->number < first && first != NEVER) {
        close_first(s, (s->open->number + 1) * s->length);
    }
}

void intervals_end(struct intervals *s)
{
    hv_cycles elapsed = stats_count(&s->machine->stats, "machine.cycles");
    for (unsigned i = 0; i < s->machine->params.machine.cores; i++) {
        s->machine->cores[i].sample_at = NEVER;
        if (s->present[i] != NEVER) {
            take(s, &s->owners[i], s->present[i]);
        }
    }
    while (s->open != NULL) {
        hv_cycles end = (s->open->number + 1) * s->length;
        close_first(s, end < elapsed ? end : elapsed);
    }
    if (s->last_end < elapsed) {
        row_of(s, elapsed / s->length); /* the last access has outlasted the interval in which it began */
        close_first(s, elapsed);
    }
    s->machine->intervals = NULL;
    if (s->error == 0 && fflush(s->rows) != 0) {
        s->error = errno;
    }
}

/* --- Reading ----------------------------------------------------------------------------------------------------- */

int intervals_error(const struct intervals *s)
{
    return s->error;
}

void intervals_rewind(struct intervals *s)
{
    rewind(s->rows);
}

bool intervals_next(struct intervals *s, struct interval *row)
{
    size_t count = s->machine->stats.count;
    row->values = s->values;
    return fread(&row->end, sizeof(row->end), 1, s->rows) == 1 &&
           fread(s->values, sizeof(*s->values), count, s->rows) == count;
}

hv_cycles intervals_length(const struct intervals *s)
{
    return s->length;
}

const struct stat_registry *intervals_stats(const struct intervals *s)
{
    return &s->machine->stats;
}

bool intervals_has(const struct intervals *s, size_t i)
{
    return s->has[i];
}
