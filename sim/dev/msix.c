/* SPDX-License-Identifier: MIT */
#include "dev/msix.h"

#include <string.h>

enum { WORDS_PER_ENTRY = 4, WORD_BYTES = 4, VECTOR_MASKED = 1 };

void msix_reset(struct msix *m, uint16_t source, uint32_t count)
{
    memset(m, 0, sizeof(*m));
    m->source = source;
    m->count = count;
    for (uint32_t v = 0; v < MSIX_VECTORS_MAX; v++) {
        m->vectors[v].masked = true;
        m->vectors[v].due = DEV_NEVER;
    }
}

static uint32_t read_word(const struct msix *m, uint32_t word)
{
    const struct msix_vector *v = &m->vectors[word / WORDS_PER_ENTRY];
    if (word / WORDS_PER_ENTRY >= m->count) {
        return 0;
    }
    switch (word % WORDS_PER_ENTRY) {
    case 0: return (uint32_t)v->address;
    case 1: return (uint32_t)(v->address >> 32);
    case 2: return v->data;
    default: return v->masked ? VECTOR_MASKED : 0;
    }
}

uint64_t msix_table_read(const struct msix *m, uint32_t offset, unsigned bytes)
{
    uint32_t word = offset / WORD_BYTES;
    return read_word(m, word) | (bytes == 8 ? (uint64_t)read_word(m, word + 1) << 32 : 0);
}

static void send(struct msix *m, struct pcie *link, const struct msix_vector *v, hv_cycles now)
{
    pcie_interrupt(link, m->source, v->address, v->data, now);
}

/* Sends what is pending of a vector, if that may be now. */
static void flush(struct msix *m, struct pcie *link, struct msix_vector *v, hv_cycles now)
{
    bool open = (m->control & (MSIX_CONTROL_ENABLE | MSIX_CONTROL_MASK)) == MSIX_CONTROL_ENABLE && !v->masked;
    if (v->pending && open) {
        v->pending = false;
        send(m, link, v, now);
    }
}

static void write_word(struct msix *m, struct pcie *link, uint32_t word, uint32_t value, hv_cycles now)
{
    struct msix_vector *v = &m->vectors[word / WORDS_PER_ENTRY];
    if (word / WORDS_PER_ENTRY >= m->count) {
        return;
    }
    switch (word % WORDS_PER_ENTRY) {
    case 0: v->address = (v->address & ~UINT64_C(0xffffffff)) | (value & ~3u); break;
    case 1: v->address = (v->address & UINT64_C(0xffffffff)) | (uint64_t)value << 32; break;
    case 2: v->data = value; break;
    default:
        v->masked = (value & VECTOR_MASKED) != 0;
        flush(m, link, v, now);
        break;
    }
}

void msix_table_write(struct msix *m, struct pcie *link, uint32_t offset, unsigned bytes, uint64_t value,
                      hv_cycles now)
{
    write_word(m, link, offset / WORD_BYTES, (uint32_t)value, now);
    if (bytes == 8) {
        write_word(m, link, offset / WORD_BYTES + 1, (uint32_t)(value >> 32), now);
    }
}

uint64_t msix_pending_bits(const struct msix *m)
{
    uint64_t bits = 0;
    for (uint32_t i = 0; i < m->count; i++) {
        bits |= (uint64_t)m->vectors[i].pending << i;
    }
    return bits;
}

/* The timer of a vector with events starts, unless it runs already or may not. */
static void start_timer(const struct msix *m, struct msix_vector *v, hv_cycles now)
{
    if (v->events == 0 || !v->enabled || (m->control & MSIX_CONTROL_ENABLE) == 0) {
        v->due = DEV_NEVER;
        return;
    }
    hv_cycles due = v->most_events != 0 && v->events >= v->most_events ? now : now + v->wait_cycles;
    v->due = due < v->due ? due : v->due;
}

void msix_control_write(struct msix *m, struct pcie *link, uint16_t value, hv_cycles now)
{
    m->control = value & (MSIX_CONTROL_ENABLE | MSIX_CONTROL_MASK);
    for (uint32_t i = 0; i < m->count; i++) {
        flush(m, link, &m->vectors[i], now);
        start_timer(m, &m->vectors[i], now);
    }
}

void msix_event(struct msix *m, uint32_t vector, hv_cycles now)
{
    struct msix_vector *v = &m->vectors[vector % m->count];
    v->events += v->events != UINT32_MAX;
    start_timer(m, v, now);
}

void msix_enable(struct msix *m, uint32_t vector, bool enabled, hv_cycles now)
{
    struct msix_vector *v = &m->vectors[vector % m->count];
    v->enabled = enabled;
    start_timer(m, v, now);
}

void msix_clear_events(struct msix *m, uint32_t vector)
{
    m->vectors[vector].events = 0;
    m->vectors[vector].due = DEV_NEVER;
}

void msix_moderate(struct msix *m, uint32_t vector, hv_cycles wait_cycles, uint32_t most_events)
{
    m->vectors[vector % m->count].wait_cycles = wait_cycles;
    m->vectors[vector % m->count].most_events = most_events;
}

hv_cycles msix_next(const struct msix *m)
{
    hv_cycles next = DEV_NEVER;
    for (uint32_t i = 0; i < m->count; i++) {
        next = m->vectors[i].due < next ? m->vectors[i].due : next;
    }
    return next;
}

uint32_t msix_act(struct msix *m, struct pcie *link, hv_cycles now)
{
    uint32_t done = 0;
    for (uint32_t i = 0; i < m->count; i++) {
        struct msix_vector *v = &m->vectors[i];
        if (v->due == DEV_NEVER || v->due > now) {
            continue;
        }
        v->due = DEV_NEVER;
        v->events = 0;
        done |= UINT32_C(1) << i;
        if (v->masked || (m->control & MSIX_CONTROL_MASK) != 0) {
            link->stats.interrupts_masked += !v->pending;
            v->pending = true;
        } else {
            send(m, link, v, now);
        }
    }
    return done;
}
