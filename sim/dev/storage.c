/* SPDX-License-Identifier: MIT */
#include "dev/storage.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "dev/storage_parts.h"

static hv_cycles later(hv_cycles a, hv_cycles b)
{
    return a > b ? a : b;
}

static void wake(struct storage *s, uint32_t part, hv_cycles when)
{
    if (when < agenda_when(&s->agenda, part)) {
        agenda_set(&s->agenda, part, when);
    }
}

bool storage_init(struct storage *s, const struct dev_params *params, const struct dev_port *port, uint64_t clock_mhz,
                  uint16_t source, struct hv_err *err)
{
    memset(s, 0, sizeof(*s));
    s->clock_mhz = clock_mhz;
    s->source = source;
    s->batch = (uint32_t)params->descriptor_batch;
    s->slots = (uint32_t)params->outstanding;
    s->engine_cycles = dev_cycles(params->engine_ns, clock_mhz);
    s->media_cycles = dev_cycles(params->media_ns, clock_mhz);
    dev_pace_init(&s->medium, params->link_mbps, clock_mhz);
    if (!pcie_init(&s->link, params, port, clock_mhz, err)) {
        return false;
    }
    agenda_init(&s->agenda, STORAGE_SLOTS + s->slots);
    s->fetched = calloc(s->batch, sizeof(*s->fetched));
    s->commands = calloc(s->slots, sizeof(*s->commands));
    if (s->fetched == NULL || s->commands == NULL || !dev_turns_init(&s->free, s->slots) ||
        !dev_turns_init(&s->waiting, s->slots)) {
        return hv_fail(err, "no memory for a storage device of %u commands; lower io.outstanding", s->slots);
    }
    msix_reset(&s->msix, source, 1);
    storage_abandon(s);
    return true;
}

void storage_fini(struct storage *s)
{
    dev_turns_fini(&s->free);
    dev_turns_fini(&s->waiting);
    free(s->fetched);
    free(s->commands);
    agenda_fini(&s->agenda);
    pcie_fini(&s->link);
    memset(s, 0, sizeof(*s));
}

void storage_abandon(struct storage *s)
{
    hv_cycles vector = agenda_when(&s->agenda, STORAGE_VECTOR);
    agenda_clear(&s->agenda);
    agenda_set(&s->agenda, STORAGE_VECTOR, vector);
    s->arriving = 0;
    s->fetch_stalled = s->fetch_blocked = false;
    dev_turns_clear(&s->waiting);
    dev_turns_clear(&s->free);
    for (uint32_t slot = 0; slot < s->slots; slot++) {
        s->commands[slot].stalled = false;
        dev_turns_push(&s->free, slot);
    }
}

static void interrupt(struct storage *s, hv_cycles now)
{
    msix_event(&s->msix, 0, now);
    agenda_set(&s->agenda, STORAGE_VECTOR, msix_next(&s->msix));
}

void storage_stop(struct storage *s, enum storage_error error, hv_cycles now)
{
    storage_abandon(s);
    s->error = error;
    s->link.stats.queue_errors++;
    interrupt(s, now);
}

static uint32_t advance(const struct storage_queue *q, uint32_t index, uint32_t count)
{
    index += count;
    return index >= q->length ? index - q->length : index;
}

static uint32_t bytes_of(const struct storage_command *c)
{
    return ((uint32_t)c->entry.last_block + 1) * STORAGE_BLOCK_BYTES;
}

static void schedule(struct storage *s, struct storage_command *c, enum storage_step step, hv_cycles when)
{
    c->step = step;
    agenda_set(&s->agenda, STORAGE_SLOTS + (uint32_t)(c - s->commands), when);
}

/* A command has been fetched: a read waits for the medium first, a write for its data. */
static void begin(struct storage *s, const struct storage_submission *entry, hv_cycles now)
{
    struct storage_command *c = &s->commands[dev_turns_pop(&s->free)];
    *c = (struct storage_command){.begun = now, .entry = *entry};
    hv_cycles start = later(now, s->engine_free);
    s->engine_free = start + s->engine_cycles;
    if (entry->opcode != STORAGE_READ && entry->opcode != STORAGE_WRITE) {
        c->status = STORAGE_BAD_OPCODE;
    } else if (bytes_of(c) > STORAGE_TRANSFER_MAX) {
        c->status = STORAGE_BAD_FIELD;
    }
    if (c->status != STORAGE_SUCCESS) {
        schedule(s, c, STORAGE_COMPLETE, start);
    } else if (entry->opcode == STORAGE_READ) {
        schedule(s, c, STORAGE_MEDIUM, start + s->media_cycles);
    } else {
        schedule(s, c, STORAGE_DATA, start);
    }
}

/* Fetches as many commands as there are slots for. */
static void fetch(struct storage *s, hv_cycles now)
{
    struct storage_queue *q = &s->submission;
    uint32_t count = (q->tail >= q->head ? q->tail : q->length) - q->head;
    count = count < s->batch ? count : s->batch;
    count = count < s->free.count ? count : s->free.count;
    if (count == 0) {
        return;
    }
    struct dev_dma d = {.source = s->source,
                        .address = q->base + (uint64_t)q->head * STORAGE_COMMAND_BYTES,
                        .bytes = count * STORAGE_COMMAND_BYTES,
                        .data = s->fetched};
    struct pcie_done done = pcie_dma(&s->link, &d, now);
    if (done.status == PCIE_STALLED) {
        s->fetch_stalled = true;
        return;
    }
    s->fetch_blocked = done.status == PCIE_BLOCKED;
    s->arriving = count;
    s->arrives = done.at;
    wake(s, STORAGE_FETCH, done.at);
}

/* Commands have arrived, or may be fetched. */
static void fetch_act(struct storage *s, hv_cycles now)
{
    if (!storage_runs(s) || s->fetch_stalled) {
        return;
    }
    if (s->arriving != 0 && now < s->arrives) {
        wake(s, STORAGE_FETCH, s->arrives);
        return;
    }
    if (s->fetch_blocked) {
        storage_stop(s, STORAGE_COMMAND_BLOCKED, now);
        return;
    }
    s->submission.head = advance(&s->submission, s->submission.head, s->arriving);
    for (uint32_t i = 0; i < s->arriving; i++) {
        begin(s, &s->fetched[i], now);
    }
    s->arriving = 0;
    fetch(s, now);
}

static void data_act(struct storage *s, struct storage_command *c, hv_cycles now)
{
    bool read = c->entry.opcode == STORAGE_READ; /* of the medium: a write of memory */
    struct dev_dma d = {.source = s->source, .write = read, .address = c->entry.address, .bytes = bytes_of(c)};
    struct pcie_done done = pcie_dma(&s->link, &d, now);
    if (done.status == PCIE_STALLED) {
        c->stalled = true;
    } else if (done.status == PCIE_BLOCKED) {
        c->status = STORAGE_DATA_BLOCKED;
        schedule(s, c, STORAGE_COMPLETE, done.at);
    } else {
        schedule(s, c, read ? STORAGE_COMPLETE : STORAGE_MEDIUM, done.at);
    }
}

static void medium_act(struct storage *s, struct storage_command *c, hv_cycles now)
{
    hv_cycles moved = dev_pace_move(&s->medium, bytes_of(c), now);
    if (c->entry.opcode == STORAGE_READ) {
        schedule(s, c, STORAGE_DATA, moved);
    } else {
        schedule(s, c, STORAGE_COMPLETE, moved + s->media_cycles);
    }
}

/* Writes the completion, when there is room for it. */
static void complete_act(struct storage *s, struct storage_command *c, hv_cycles now)
{
    struct storage_queue *q = &s->completion;
    uint32_t next = advance(q, q->tail, 1);
    if (next == q->head) {
        dev_turns_push(&s->waiting, (uint32_t)(c - s->commands));
        return;
    }
    struct storage_completion entry = {.head = (uint16_t)s->submission.head, .identifier = c->entry.identifier,
                                       .status = (uint16_t)((unsigned)c->status << 1 | s->phase)};
    struct dev_dma d = {.source = s->source,
                        .write = true,
                        .address = q->base + (uint64_t)q->tail * STORAGE_COMPLETION_BYTES,
                        .bytes = sizeof(entry),
                        .data = &entry};
    struct pcie_done done = pcie_dma(&s->link, &d, now);
    if (done.status != PCIE_OK) {
        storage_stop(s, STORAGE_COMPLETION_BLOCKED, done.at);
        return;
    }
    q->tail = next;
    s->phase ^= next == 0;
    schedule(s, c, STORAGE_DONE, done.at);
}

static void done_act(struct storage *s, struct storage_command *c, hv_cycles now)
{
    s->link.stats.packets++;
    s->link.stats.bytes += c->status == STORAGE_SUCCESS ? bytes_of(c) : 0;
    histogram_add(&s->latency, now - c->begun);
    dev_turns_push(&s->free, (uint32_t)(c - s->commands));
    interrupt(s, now);
    wake(s, STORAGE_FETCH, now);
}

static void act(struct storage *s, uint32_t part, hv_cycles now)
{
    if (part == STORAGE_FETCH) {
        fetch_act(s, now);
        return;
    }
    if (part == STORAGE_VECTOR) {
        msix_act(&s->msix, &s->link, now);
        agenda_set(&s->agenda, STORAGE_VECTOR, msix_next(&s->msix));
        return;
    }
    struct storage_command *c = &s->commands[part - STORAGE_SLOTS];
    switch (c->step) {
    case STORAGE_DATA: data_act(s, c, now); break;
    case STORAGE_MEDIUM: medium_act(s, c, now); break;
    case STORAGE_COMPLETE: complete_act(s, c, now); break;
    case STORAGE_DONE: done_act(s, c, now); break;
    }
}

hv_cycles storage_next(const struct storage *s)
{
    return agenda_next(&s->agenda);
}

void storage_act(struct storage *s, hv_cycles now)
{
    uint32_t part;
    hv_cycles when;
    while (agenda_take(&s->agenda, now, &part, &when)) {
        s->now = later(s->now, when);
        act(s, part, when);
    }
    s->now = later(s->now, now);
}

void storage_completion_room(struct storage *s, hv_cycles now)
{
    while (s->waiting.count != 0) { /* those that find no room wait again, in their order */
        schedule(s, &s->commands[dev_turns_pop(&s->waiting)], STORAGE_COMPLETE, now);
    }
}

void storage_page_response(struct storage *s, const struct dev_page_response *r, hv_cycles now)
{
    hv_cycles again = pcie_page_response(&s->link, r, now);
    if (again == DEV_NEVER) {
        return;
    }
    if (s->fetch_stalled) {
        s->fetch_stalled = false;
        wake(s, STORAGE_FETCH, again);
    }
    for (uint32_t slot = 0; slot < s->slots; slot++) {
        if (s->commands[slot].stalled) {
            s->commands[slot].stalled = false;
            schedule(s, &s->commands[slot], STORAGE_DATA, again);
        }
    }
}
