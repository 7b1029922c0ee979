/* SPDX-License-Identifier: MIT */
/* The register windows of the network card's functions. */
#include "dev/dev_registers.h"
#include "dev/nic_parts.h"

static const struct dev_register function_rows[] = {
#define R DEV_REGISTER
#define Q(...)
#include "dev/nic_regs.def"
#undef R
#undef Q
};

static const struct dev_register queue_rows[] = {
#define R(...)
#define Q DEV_REGISTER
#include "dev/nic_regs.def"
#undef R
#undef Q
};

/* What an offset of a window is: a register of the function or, with `queue`, of a queue; NULL: nothing. */
static const struct dev_register *register_at(const struct nic *n, struct nic_function *f, uint32_t offset,
                                              struct nic_queue **queue)
{
    *queue = NULL;
    if (offset < NIC_QUEUE_BASE) {
        return dev_register_find(function_rows, HV_ARRAY_LEN(function_rows), offset);
    }
    uint32_t number = (offset - NIC_QUEUE_BASE) / NIC_QUEUE_BYTES;
    if (number >= n->queues) {
        return NULL;
    }
    *queue = &f->queue[number];
    return dev_register_find(queue_rows, HV_ARRAY_LEN(queue_rows), (offset - NIC_QUEUE_BASE) % NIC_QUEUE_BYTES);
}

void nic_function_reset(struct nic *n, struct nic_function *f)
{
    f->control = 0;
    f->turn = 0;
    msix_reset(&f->msix, f->source, n->queues);
    agenda_set(&n->agenda, NIC_VECTORS + f->number, DEV_NEVER);
    for (uint32_t i = 0; i < n->queues; i++) {
        struct nic_queue *q = &f->queue[i];
        nic_ring_switch(n, q, &q->rx, false, n->now);
        nic_ring_switch(n, q, &q->tx, false, n->now);
        q->rx.base_register = q->tx.base_register = 0;
        q->rx.length_register = q->tx.length_register = 0;
        q->vector = i;
        q->buffer_bytes = 0;
        q->moderation_ns = q->moderation_packets = 0;
    }
}

static uint32_t status_of(const struct nic *n, const struct nic_function *f)
{
    uint32_t status = NIC_LINK_UP | f->number << 8 | n->queues << 16;
    for (uint32_t i = 0; i < n->queues; i++) {
        bool stopped = f->queue[i].rx.error != NIC_RUNNING || f->queue[i].tx.error != NIC_RUNNING;
        status |= stopped ? NIC_QUEUE_STOPPED : 0;
    }
    return status;
}

/* The vectors with events that were not sent, and those that are enabled, a bit each. */
static uint32_t causes_of(const struct nic_function *f)
{
    uint32_t bits = 0;
    for (uint32_t v = 0; v < f->msix.count; v++) {
        bits |= (uint32_t)(f->msix.vectors[v].events != 0) << v;
    }
    return bits;
}

static uint32_t enabled_of(const struct nic_function *f)
{
    uint32_t bits = 0;
    for (uint32_t v = 0; v < f->msix.count; v++) {
        bits |= (uint32_t)f->msix.vectors[v].enabled << v;
    }
    return bits;
}

static uint64_t read_function(const struct nic *n, const struct nic_function *f, uint32_t offset)
{
    switch (offset) {
    case NIC_REG_CONTROL: return f->control;
    case NIC_REG_STATUS: return status_of(n, f);
    case NIC_REG_CAUSE: return causes_of(f);
    case NIC_REG_ENABLE_SET:
    case NIC_REG_ENABLE_CLEAR: return enabled_of(f);
    case NIC_REG_MSIX_CONTROL: return f->msix.control;
    default: return (n->functions - 1) | (uint32_t)f->source << 16; /* NIC_REG_FUNCTIONS */
    }
}

static uint64_t read_queue(const struct nic_queue *q, uint32_t offset)
{
    switch (offset) {
    case NIC_REG_RX_BASE: return q->rx.base_register;
    case NIC_REG_RX_LENGTH: return q->rx.length_register;
    case NIC_REG_RX_BUFFER: return q->buffer_bytes;
    case NIC_REG_RX_HEAD: return q->rx.head;
    case NIC_REG_RX_TAIL: return q->rx.tail;
    case NIC_REG_RX_CONTROL: return q->rx.enabled;
    case NIC_REG_RX_STATUS: return q->rx.error;
    case NIC_REG_TX_BASE: return q->tx.base_register;
    case NIC_REG_TX_LENGTH: return q->tx.length_register;
    case NIC_REG_TX_HEAD: return q->tx.head;
    case NIC_REG_TX_TAIL: return q->tx.tail;
    case NIC_REG_TX_CONTROL: return q->tx.enabled;
    case NIC_REG_TX_STATUS: return q->tx.error;
    case NIC_REG_VECTOR: return q->vector;
    case NIC_REG_MODERATION_NS: return q->moderation_ns;
    default: return q->moderation_packets;
    }
}

static uint64_t read_register(const struct dev_register *row, const struct nic *n, const struct nic_function *f,
                              const struct nic_queue *q)
{
    return q == NULL ? read_function(n, f, row->offset) : read_queue(q, row->offset);
}

static bool is_access(const struct nic *n, unsigned function, uint32_t offset, unsigned bytes)
{
    return function < n->functions && dev_register_is_access(offset, bytes, NIC_WINDOW_BYTES);
}

uint64_t nic_read(struct nic *n, unsigned function, uint32_t offset, unsigned bytes, hv_cycles now)
{
    if (!is_access(n, function, offset, bytes)) {
        return 0;
    }
    nic_act(n, now);
    struct nic_function *f = &n->function[function];
    if (offset >= NIC_MSIX_PENDING) {
        return offset - NIC_MSIX_PENDING < 8 ? msix_pending_bits(&f->msix) >> (offset % 8 * 8) : 0;
    }
    if (offset >= NIC_MSIX_TABLE) {
        return msix_table_read(&f->msix, offset - NIC_MSIX_TABLE, bytes);
    }
    struct nic_queue *q;
    const struct dev_register *row = register_at(n, f, offset, &q);
    return row == NULL ? 0 : dev_register_read(row, read_register(row, n, f, q), offset, bytes);
}

static void write_control(struct nic *n, struct nic_function *f, uint32_t value, hv_cycles now)
{
    if ((value & NIC_RESET) != 0) {
        nic_function_reset(n, f);
        return;
    }
    f->control = value & (NIC_ENABLE | NIC_AUTO_MASK | NIC_TRANSMIT_EVENTS);
    for (uint32_t i = 0; i < n->queues && (f->control & NIC_ENABLE) != 0; i++) {
        nic_wake(n, nic_ring_part(n, &f->queue[i], &f->queue[i].rx), now);
        nic_wake(n, nic_ring_part(n, &f->queue[i], &f->queue[i].tx), now);
    }
}

static void enable_vectors(struct nic_function *f, uint32_t bits, bool enabled, hv_cycles now)
{
    for (uint32_t v = 0; v < f->msix.count; v++) {
        if ((bits >> v & 1) != 0) {
            msix_enable(&f->msix, v, enabled, now);
        }
    }
}

static void write_function(struct nic *n, struct nic_function *f, const struct dev_register *row, uint64_t value,
                           hv_cycles now)
{
    uint32_t bits = (uint32_t)value;
    switch (row->offset) {
    case NIC_REG_CONTROL: write_control(n, f, bits, now); break;
    case NIC_REG_ENABLE_SET: enable_vectors(f, bits, true, now); break;
    case NIC_REG_ENABLE_CLEAR: enable_vectors(f, bits, false, now); break;
    case NIC_REG_MSIX_CONTROL: msix_control_write(&f->msix, &n->link, (uint16_t)bits, now); break;
    case NIC_REG_CAUSE:
        for (uint32_t v = 0; v < f->msix.count; v++) {
            if ((bits >> v & 1) != 0) {
                msix_clear_events(&f->msix, v);
            }
        }
        break;
    default: break;
    }
    agenda_set(&n->agenda, NIC_VECTORS + f->number, msix_next(&f->msix));
}

/* Moderation belongs to a vector; of two queues that share one the last to write it counts. */
static void moderate(struct nic *n, struct nic_queue *q)
{
    msix_moderate(&q->function->msix, q->vector, dev_cycles(q->moderation_ns, n->clock_mhz), q->moderation_packets);
}

static void write_queue(struct nic *n, struct nic_queue *q, const struct dev_register *row, uint64_t value,
                        hv_cycles now)
{
    switch (row->offset) {
    case NIC_REG_RX_BASE: q->rx.base_register = value; break;
    case NIC_REG_RX_LENGTH: q->rx.length_register = (uint32_t)value; break;
    case NIC_REG_RX_BUFFER: q->buffer_bytes = (uint32_t)value; break;
    case NIC_REG_RX_TAIL: nic_ring_doorbell(n, q, &q->rx, (uint32_t)value, now); break;
    case NIC_REG_RX_CONTROL: nic_ring_switch(n, q, &q->rx, (value & 1) != 0, now); break;
    case NIC_REG_TX_BASE: q->tx.base_register = value; break;
    case NIC_REG_TX_LENGTH: q->tx.length_register = (uint32_t)value; break;
    case NIC_REG_TX_TAIL: nic_ring_doorbell(n, q, &q->tx, (uint32_t)value, now); break;
    case NIC_REG_TX_CONTROL: nic_ring_switch(n, q, &q->tx, (value & 1) != 0, now); break;
    case NIC_REG_VECTOR: q->vector = (uint32_t)value % q->function->msix.count; break;
    case NIC_REG_MODERATION_NS: q->moderation_ns = (uint32_t)value; moderate(n, q); break;
    case NIC_REG_MODERATION_PACKETS: q->moderation_packets = (uint32_t)value; moderate(n, q); break;
    default: break;
    }
}

static void write_register(struct nic *n, struct nic_function *f, uint32_t offset, unsigned bytes, uint64_t value,
                           hv_cycles now)
{
    struct nic_queue *q;
    const struct dev_register *row = register_at(n, f, offset, &q);
    if (row == NULL || row->access == DEV_RO) {
        return;
    }
    uint64_t whole = dev_register_write(row, read_register(row, n, f, q), offset, bytes, value);
    if (q == NULL) {
        write_function(n, f, row, whole, now);
    } else {
        write_queue(n, q, row, whole, now);
    }
}

void nic_write(struct nic *n, unsigned function, uint32_t offset, unsigned bytes, uint64_t value, hv_cycles now)
{
    if (!is_access(n, function, offset, bytes)) {
        return;
    }
    nic_act(n, now);
    now = nic_later(now, n->now);
    struct nic_function *f = &n->function[function];
    uint64_t before = n->link.stats.interrupts;
    if (offset < NIC_MSIX_TABLE) {
        write_register(n, f, offset, bytes, value, now);
    } else if (offset < NIC_MSIX_PENDING) {
        msix_table_write(&f->msix, &n->link, offset - NIC_MSIX_TABLE, bytes, value, now);
    }
    f->counts.interrupts += n->link.stats.interrupts - before; /* pending ones, when they are unmasked */
}
