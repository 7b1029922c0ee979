/* SPDX-License-Identifier: MIT */
/*
 * The driver of the storage device: keeps so many commands under way that the device has io.outstanding to choose from,
 * each for io.packet_bytes at the next place of the window, and starts the next when one is complete.
 */
#include "machine/io_parts.h"

#include <stdlib.h>

enum { INTERRUPTS_ON = 1 };

struct io_command {
    uint64_t iova;
    uint32_t next_free;
};

struct io_storage {
    struct io_driver *driver;
    uint64_t submissions, completions; /* the queues, host-physical */
    uint64_t submissions_seen, completions_seen;
    uint32_t entries, tail, head;
    bool phase;
    uint32_t unannounced;
    struct io_command *commands; /* by identifier */
    uint32_t free;               /* the first that is free; entries: none */
    uint64_t buffers, slots, next_slot;
    uint32_t bytes;
    uint64_t left;
    struct hv_rng rng;
};

static uint64_t slot_bytes(const struct machine_params *p)
{
    return (p->dev.packet_bytes + HV_PAGE_BYTES - 1) / HV_PAGE_BYTES * HV_PAGE_BYTES;
}

static uint64_t buffers_bytes(const struct machine_params *p)
{
    return p->dev.window > slot_bytes(p) ? p->dev.window : slot_bytes(p);
}

uint64_t io_storage_bytes(const struct machine_params *p)
{
    return p->dev.ring_entries * (STORAGE_COMMAND_BYTES + STORAGE_COMPLETION_BYTES) + buffers_bytes(p) + 4 * HV_PAGE_BYTES;
}

static bool init(struct io_driver *d, struct hv_err *err)
{
    const struct machine_params *p = &d->io->machine->params;
    struct io_storage *s = calloc(1, sizeof(*s));
    HV_ASSERT(s != NULL, "out of memory");
    d->state = s;
    s->driver = d;
    s->entries = (uint32_t)p->dev.ring_entries;
    s->submissions = io_memory_take(d, (uint64_t)s->entries * STORAGE_COMMAND_BYTES);
    s->completions = io_memory_take(d, (uint64_t)s->entries * STORAGE_COMPLETION_BYTES);
    s->buffers = io_memory_take(d, buffers_bytes(p));
    s->slots = buffers_bytes(p) / slot_bytes(p);
    s->bytes = (uint32_t)p->dev.packet_bytes;
    s->phase = true;
    s->left = d->share;
    s->commands = calloc(s->entries, sizeof(*s->commands));
    HV_ASSERT(s->commands != NULL, "out of memory");
    for (uint32_t i = 0; i < s->entries; i++) {
        s->commands[i].next_free = i + 1;
    }
    rng_init(&s->rng, p->dev.seed);
    bool mapped =
        io_memory_ring(d, s->submissions, (uint64_t)s->entries * STORAGE_COMMAND_BYTES, &s->submissions_seen) &&
        io_memory_ring(d, s->completions, (uint64_t)s->entries * STORAGE_COMPLETION_BYTES, &s->completions_seen);
    return mapped || hv_fail(err, "a queue of io.ring_entries cannot be mapped for the device; choose fewer");
}

static void fini(struct io_driver *d)
{
    struct io_storage *s = d->state;
    if (s != NULL) {
        free(s->commands);
        free(s);
    }
}

static void announce(struct io_storage *s)
{
    if (s->unannounced > 0) {
        s->unannounced = 0;
        io_work_write_register(s->driver, STORAGE_REG_SQ_TAIL, 4, s->tail);
    }
}

static uint64_t next_buffer(struct io_storage *s)
{
    const struct machine_params *p = &s->driver->io->machine->params;
    const uint64_t slot = p->dev.order == DEV_RANDOM ? rng_below(&s->rng, s->slots) : s->next_slot++ % s->slots;
    return s->buffers + slot * slot_bytes(p);
}

/* Reads of the medium, so the device writes memory. */
static bool submit(struct io_storage *s)
{
    struct io_driver *d = s->driver;
    const uint32_t identifier = s->free;
    struct io_command *c = &s->commands[identifier];
    if (!io_memory_map(d, next_buffer(s), s->bytes, DMA_DEVICE_WRITES, &c->iova)) {
        return false;
    }
    const uint64_t at = s->submissions + (uint64_t)s->tail * STORAGE_COMMAND_BYTES;
    struct storage_submission *command = physmem_pointer(&d->io->machine->memory, (hv_hpa){at}, sizeof(*command));
    *command = (struct storage_submission){
        .opcode = STORAGE_READ, .identifier = (uint16_t)identifier, .address = c->iova,
        .last_block = (uint16_t)((s->bytes + STORAGE_BLOCK_BYTES - 1) / STORAGE_BLOCK_BYTES - 1),
    };
    io_work_touch(d, at, STORAGE_COMMAND_BYTES, true);
    s->free = c->next_free;
    s->tail = (s->tail + 1) % s->entries;
    s->unannounced++;
    return true;
}

/* One command fewer than the queue has entries, lest a full queue look empty. */
static bool may_submit(const struct io_storage *s)
{
    return s->left > 0 && s->free < s->entries - 1;
}

static void submit_all(struct io_storage *s)
{
    while (may_submit(s) && submit(s)) {
        s->left -= s->left != UINT64_MAX;
        if (s->unannounced >= s->driver->io->params->batch) {
            announce(s);
        }
    }
    announce(s);
}

/* Whether a completion is there: its phase bit has changed. */
static bool complete_one(struct io_storage *s)
{
    struct io_driver *d = s->driver;
    const uint64_t at = s->completions + (uint64_t)s->head * STORAGE_COMPLETION_BYTES;
    io_work_join(d);
    io_work_read_new(d, at, STORAGE_COMPLETION_BYTES);
    const struct storage_completion *c = physmem_pointer(&d->io->machine->memory, (hv_hpa){at}, sizeof(*c));
    if ((c->status & 1) != s->phase || c->identifier >= s->entries) {
        return false;
    }
    struct io_command *command = &s->commands[c->identifier];
    io_work(d, d->io->params->driver_cycles, "driver");
    io_memory_unmap(d, command->iova, s->bytes);
    io_work_done(d, 1, s->bytes);
    command->next_free = s->free;
    s->free = c->identifier;
    s->head = (s->head + 1) % s->entries;
    s->phase ^= s->head == 0;
    return true;
}

static bool poll(struct io_driver *d, unsigned budget)
{
    struct io_storage *s = d->state;
    unsigned completed = 0;
    while (completed < budget && complete_one(s)) {
        completed++;
    }
    if (completed > 0) {
        io_work_write_register(d, STORAGE_REG_CQ_HEAD, 4, s->head);
    }
    submit_all(s);
    return completed >= budget;
}

static void begin(struct io_driver *d)
{
    const struct io_storage *s = d->state;
    const struct dev_params *p = &d->io->machine->params.dev;
    io_set_register(d, STORAGE_REG_SQ_BASE, 8, s->submissions_seen);
    io_set_register(d, STORAGE_REG_CQ_BASE, 8, s->completions_seen);
    io_set_register(d, STORAGE_REG_SQ_LENGTH, 4, s->entries);
    io_set_register(d, STORAGE_REG_CQ_LENGTH, 4, s->entries);
    io_set_register(d, STORAGE_MSIX_TABLE, 8, d->message_address);
    io_set_register(d, STORAGE_MSIX_TABLE + 8, 4, d->message_data);
    io_set_register(d, STORAGE_MSIX_TABLE + 12, 4, 0);
    io_set_register(d, STORAGE_REG_MSIX_CONTROL, 4, MSIX_CONTROL_ENABLE);
    io_set_register(d, STORAGE_REG_MODERATION_NS, 4, p->moderation_ns);
    io_set_register(d, STORAGE_REG_MODERATION_PACKETS, 4, p->moderation_packets);
    io_set_register(d, STORAGE_REG_INTERRUPT_ENABLE, 4, INTERRUPTS_ON);
    io_set_register(d, STORAGE_REG_CONTROL, 4, 1);
    io_driver_poll(d);
}

const struct io_driver_kind io_storage_driver = {.init = init, .fini = fini, .begin = begin, .poll = poll};
