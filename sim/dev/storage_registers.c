/* SPDX-License-Identifier: MIT */
/* The register window of the storage device. */
#include "dev/dev_registers.h"
#include "dev/storage_parts.h"

static const struct dev_register rows[] = {
#define R DEV_REGISTER
#include "dev/storage_regs.def"
#undef R
};

static uint64_t read_register(const struct storage *s, uint32_t offset)
{
    switch (offset) {
    case STORAGE_REG_CONTROL: return s->enabled;
    case STORAGE_REG_STATUS: return s->error;
    case STORAGE_REG_MSIX_CONTROL: return s->msix.control;
    case STORAGE_REG_INTERRUPT_ENABLE: return s->msix.vectors[0].enabled;
    case STORAGE_REG_SQ_BASE: return s->submission_base;
    case STORAGE_REG_CQ_BASE: return s->completion_base;
    case STORAGE_REG_SQ_LENGTH: return s->submission_length;
    case STORAGE_REG_CQ_LENGTH: return s->completion_length;
    case STORAGE_REG_MODERATION_NS: return s->moderation_ns;
    case STORAGE_REG_MODERATION_PACKETS: return s->moderation_packets;
    case STORAGE_REG_SQ_TAIL: return s->submission.tail;
    default: return s->completion.head; /* STORAGE_REG_CQ_HEAD */
    }
}

uint64_t storage_read(struct storage *s, uint32_t offset, unsigned bytes, hv_cycles now)
{
    if (!dev_register_is_access(offset, bytes, STORAGE_WINDOW_BYTES)) {
        return 0;
    }
    storage_act(s, now);
    if (offset >= STORAGE_MSIX_PENDING) {
        return offset == STORAGE_MSIX_PENDING ? msix_pending_bits(&s->msix) : 0;
    }
    if (offset >= STORAGE_MSIX_TABLE) {
        return msix_table_read(&s->msix, offset - STORAGE_MSIX_TABLE, bytes);
    }
    const struct dev_register *r = dev_register_find(rows, HV_ARRAY_LEN(rows), offset);
    return r == NULL ? 0 : dev_register_read(r, read_register(s, r->offset), offset, bytes);
}

static bool is_length(uint32_t length)
{
    return length >= 2 && length <= STORAGE_QUEUE_MAX;
}

static void switch_to(struct storage *s, bool on, hv_cycles now)
{
    if (on && s->enabled) {
        return;
    }
    storage_abandon(s);
    s->enabled = on;
    s->error = STORAGE_RUNNING;
    s->phase = true;
    s->submission = (struct storage_queue){s->submission_base, s->submission_length, 0, 0};
    s->completion = (struct storage_queue){s->completion_base, s->completion_length, 0, 0};
    if (on && !(is_length(s->submission.length) && is_length(s->completion.length))) {
        storage_stop(s, STORAGE_BAD_QUEUE, now);
    }
}

static void ring_doorbell(struct storage *s, uint32_t offset, uint32_t value, hv_cycles now)
{
    bool submission = offset == STORAGE_REG_SQ_TAIL;
    if (!storage_runs(s)) {
        return;
    }
    if (value >= (submission ? s->submission.length : s->completion.length)) {
        storage_stop(s, STORAGE_BAD_QUEUE, now);
    } else if (submission) {
        s->submission.tail = value;
        if (s->arriving == 0) {
            agenda_set(&s->agenda, STORAGE_FETCH, now);
        }
    } else {
        s->completion.head = value;
        storage_completion_room(s, now);
    }
}

static void write_register(struct storage *s, uint32_t offset, uint64_t value, hv_cycles now)
{
    uint32_t word = (uint32_t)value;
    switch (offset) {
    case STORAGE_REG_CONTROL: switch_to(s, (word & 1) != 0, now); break;
    case STORAGE_REG_MSIX_CONTROL: msix_control_write(&s->msix, &s->link, (uint16_t)word, now); break;
    case STORAGE_REG_INTERRUPT_ENABLE: msix_enable(&s->msix, 0, (word & 1) != 0, now); break;
    case STORAGE_REG_SQ_BASE: s->submission_base = value; break;
    case STORAGE_REG_CQ_BASE: s->completion_base = value; break;
    case STORAGE_REG_SQ_LENGTH: s->submission_length = word; break;
    case STORAGE_REG_CQ_LENGTH: s->completion_length = word; break;
    case STORAGE_REG_MODERATION_NS: s->moderation_ns = word; break;
    case STORAGE_REG_MODERATION_PACKETS: s->moderation_packets = word; break;
    default: ring_doorbell(s, offset, word, now); break;
    }
    msix_moderate(&s->msix, 0, dev_cycles(s->moderation_ns, s->clock_mhz), s->moderation_packets);
    agenda_set(&s->agenda, STORAGE_VECTOR, msix_next(&s->msix));
}

void storage_write(struct storage *s, uint32_t offset, unsigned bytes, uint64_t value, hv_cycles now)
{
    if (!dev_register_is_access(offset, bytes, STORAGE_WINDOW_BYTES)) {
        return;
    }
    storage_act(s, now);
    now = now > s->now ? now : s->now;
    if (offset >= STORAGE_MSIX_TABLE) {
        if (offset < STORAGE_MSIX_PENDING) {
            msix_table_write(&s->msix, &s->link, offset - STORAGE_MSIX_TABLE, bytes, value, now);
        }
        return;
    }
    const struct dev_register *r = dev_register_find(rows, HV_ARRAY_LEN(rows), offset);
    if (r != NULL && r->access != DEV_RO) {
        uint64_t whole = dev_register_write(r, read_register(s, r->offset), offset, bytes, value);
        write_register(s, r->offset, whole, now);
    }
}
