/* SPDX-License-Identifier: MIT */
#include "apic/apic_bus.h"

#include <string.h>

#include "apic/apic_parts.h"
#include "apic/ioapic.h"
#include "base/err.h"

const struct stat_row apic_bus_stat_rows[] = {
#define S(...) STAT_ROW(struct apic_bus_stats, __VA_ARGS__)
#include "apic/apic_bus_stats.def"
#undef S
};
const size_t apic_bus_stat_count = HV_ARRAY_LEN(apic_bus_stat_rows);

void apic_bus_init(struct apic_bus *b, const struct apic_params *params)
{
    memset(b, 0, sizeof(*b));
    b->params = params;
}

void apic_bus_add(struct apic_bus *b, struct apic *a)
{
    HV_ASSERT(b->apic_count < APIC_BUS_MAX_APICS, "more than %d local APICs", APIC_BUS_MAX_APICS);
    b->apics[b->apic_count++] = a;
    a->bus = b;
}

void apic_bus_add_ioapic(struct apic_bus *b, struct ioapic *io)
{
    HV_ASSERT(b->ioapic_count < APIC_BUS_MAX_IOAPICS, "more than %d I/O APICs", APIC_BUS_MAX_IOAPICS);
    b->ioapics[b->ioapic_count++] = io;
    io->bus = b;
}

void apic_bus_set_remapping(struct apic_bus *b, const struct interrupt_remapping *remapping)
{
    b->remapping = *remapping;
}

/* ---- Arrival ---- */

static bool is_target(const struct apic *a, const struct apic_bus_entry *e)
{
    switch (e->targets) {
    case APIC_BUS_ADDRESSED: return apic_is_destination(a, &e->message);
    case APIC_BUS_SELF: return a == e->sender;
    case APIC_BUS_ALL: return apic_mode(a) != APIC_MODE_DISABLED;
    case APIC_BUS_OTHERS: return a != e->sender && apic_mode(a) != APIC_MODE_DISABLED;
    }
    return false;
}

/*
 * Of the targets that software has enabled, the one with the lowest arbitration priority; of equals the first one
 * after the last winner, as rotating arbitration IDs do. SDM 11.6.2.4 (10.6.2.4), P6 family. MODEL: later processors
 * leave the choice to the chipset.
 */
static struct apic *arbitrate(struct apic_bus *b, const struct apic_bus_entry *e)
{
    struct apic *winner = NULL;
    uint32_t place = 0;
    for (uint32_t i = 1; i <= b->apic_count; i++) {
        uint32_t candidate = (b->last_winner + i) % b->apic_count;
        struct apic *a = b->apics[candidate];
        if (is_target(a, e) && apic_software_enabled(a) &&
            (winner == NULL || apic_arbitration_priority(a) < apic_arbitration_priority(winner))) {
            winner = a;
            place = candidate;
        }
    }
    b->last_winner = winner != NULL ? place : b->last_winner;
    return winner;
}

static bool deliver_to_all(struct apic_bus *b, const struct apic_bus_entry *e)
{
    bool claimed = false;
    for (uint32_t i = 0; i < b->apic_count; i++) {
        if (is_target(b->apics[i], e)) {
            claimed = true;
            apic_receive(b->apics[i], &e->message, e->arrival);
        }
    }
    return claimed;
}

static bool deliver_interrupt(struct apic_bus *b, const struct apic_bus_entry *e)
{
    if (e->message.mode != INTERRUPT_LOWEST_PRIORITY) {
        return deliver_to_all(b, e);
    }
    struct apic *winner = arbitrate(b, e);
    if (winner != NULL) {
        apic_receive(winner, &e->message, e->arrival);
    }
    return winner != NULL;
}

static void arrive(struct apic_bus *b, const struct apic_bus_entry *e)
{
    b->stats.arrived++;
    b->stats.transit_cycles += e->arrival - e->sent;
    if (e->is_eoi) {
        for (uint32_t i = 0; i < b->ioapic_count; i++) {
            ioapic_eoi(b->ioapics[i], e->message.vector, e->arrival);
        }
    } else if (!deliver_interrupt(b, e)) {
        b->stats.unclaimed++;
    }
}

/* ---- The messages under way ---- */

static bool is_before(const struct apic_bus_entry *x, const struct apic_bus_entry *y)
{
    return x->arrival != y->arrival ? x->arrival < y->arrival : x->sequence < y->sequence;
}

/* Puts an entry at a place or above it, moving down the parents that it comes before. */
static void sift_up(struct apic_bus *b, uint32_t place, const struct apic_bus_entry *e)
{
    while (place > 0 && is_before(e, &b->entries[(place - 1) / 2])) {
        b->entries[place] = b->entries[(place - 1) / 2];
        place = (place - 1) / 2;
    }
    b->entries[place] = *e;
}

/* Puts an entry at the root or below it, moving up the children that come before it. */
static void sift_down(struct apic_bus *b, const struct apic_bus_entry *e)
{
    uint32_t place = 0;
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child + 1 < b->entry_count && is_before(&b->entries[child + 1], &b->entries[child])) {
            child++;
        }
        if (child >= b->entry_count || !is_before(&b->entries[child], e)) {
            break;
        }
        b->entries[place] = b->entries[child];
        place = child;
    }
    b->entries[place] = *e;
}

static struct apic_bus_entry take_first(struct apic_bus *b)
{
    struct apic_bus_entry first = b->entries[0];
    b->entry_count--;
    if (b->entry_count > 0) {
        struct apic_bus_entry last = b->entries[b->entry_count];
        sift_down(b, &last);
    }
    return first;
}

static hv_cycles put(struct apic_bus *b, struct apic_bus_entry *e, hv_cycles now, hv_cycles latency)
{
    e->sent = now;
    e->arrival = now + latency;
    e->sequence = b->sequence++;
    sift_up(b, b->entry_count++, e);
    while (b->entry_count == APIC_BUS_MESSAGES) {
        b->stats.crowded++;
        struct apic_bus_entry first = take_first(b);
        arrive(b, &first);
    }
    return e->arrival;
}

hv_cycles apic_bus_next(const struct apic_bus *b)
{
    return b->entry_count > 0 ? b->entries[0].arrival : UINT64_MAX;
}

void apic_bus_advance(struct apic_bus *b, hv_cycles now)
{
    while (apic_bus_next(b) <= now && b->entry_count > 0) {
        struct apic_bus_entry first = take_first(b);
        arrive(b, &first);
    }
}

/* ---- Sending ---- */

hv_cycles apic_bus_send_ipi(struct apic_bus *b, const struct apic *sender, const struct interrupt_message *message,
                            enum apic_bus_targets targets, hv_cycles now)
{
    struct apic_bus_entry e = {.targets = targets, .sender = sender, .message = *message};
    b->stats.ipi_messages++;
    return put(b, &e, now, b->params->ipi_cycles);
}

/* MODEL: without an IOMMU the remappable-format bit has no meaning, and the message counts as compatible. */
static hv_cycles send_decoded(struct apic_bus *b, const struct msi *msi, hv_cycles now, hv_cycles latency)
{
    struct apic_bus_entry e = {.targets = APIC_BUS_ADDRESSED};
    hv_cycles added = 0;
    if (b->remapping.remap != NULL && msi_is_address(msi->address)) {
        if (!b->remapping.remap(b->remapping.ctx, msi, &e.message, now, &added)) {
            b->stats.blocked++;
            return now;
        }
    } else if (!msi_decode(msi, &e.message)) {
        b->stats.ignored++;
        return now;
    }
    return put(b, &e, now, latency + added);
}

hv_cycles apic_bus_send_msi(struct apic_bus *b, const struct msi *msi, hv_cycles now)
{
    b->stats.msi_messages++;
    return send_decoded(b, msi, now, b->params->msi_cycles);
}

hv_cycles apic_bus_send_ioapic(struct apic_bus *b, const struct msi *msi, hv_cycles now)
{
    b->stats.ioapic_messages++;
    return send_decoded(b, msi, now, b->params->ioapic_cycles);
}

void apic_bus_send_eoi(struct apic_bus *b, uint8_t vector, hv_cycles now)
{
    struct apic_bus_entry e = {.is_eoi = true, .message = {.vector = vector}};
    b->stats.eoi_messages++;
    put(b, &e, now, b->params->eoi_cycles);
}
