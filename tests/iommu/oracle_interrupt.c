/* SPDX-License-Identifier: MIT */
/* Interrupt remapping. VT-d chapter 5, 9.9 and 9.10 for the entries. */
#include "oracle_parts.h"

#include <string.h>

static void block(struct oracle_interrupt *a, uint8_t reason)
{
    oracle_fault(a->faults, reason);
}

/* "Interrupt Requests in Compatibility Format". */
static void take_as_it_is(struct oracle_interrupt *a, uint64_t address, uint32_t data)
{
    a->ok = true;
    a->vector = (uint8_t)data;
    a->delivery_mode = (uint8_t)oracle_field(data, 10, 8);
    a->trigger = (uint8_t)oracle_field(data, 15, 15);
    a->destination = (uint32_t)oracle_field(address, 19, 12);
    a->destination_mode = (uint8_t)oracle_field(address, 2, 2);
    a->redirection_hint = (uint8_t)oracle_field(address, 3, 3);
}

/* SVT and SQ: false, the source may not use this entry. */
static bool source_fits(uint64_t high, uint16_t source)
{
    static const uint16_t ignored[] = {0, 4, 6, 7};
    uint16_t id = (uint16_t)high;
    switch (oracle_field(high, 19, 18)) {
    case 0: return true;
    case 1: return ((id ^ source) & ~ignored[oracle_field(high, 17, 16)]) == 0;
    case 2: return source >> 8 >= id >> 8 && source >> 8 <= (id & 255);
    default: return false;
    }
}

static bool reserved(uint64_t low, uint64_t high, bool eime)
{
    if (oracle_bit(low, 15)) {
        return (low & (UINT64_C(0x3fff000000) | 0x30fc)) != 0 || oracle_field(high, 31, 20) != 0;
    }
    bool wide = !eime && (oracle_field(low, 39, 32) != 0 || oracle_field(low, 63, 48) != 0);
    return (low & (0x7000 | UINT64_C(0xff000000))) != 0 || high >> 20 != 0 || wide;
}

/* "Posted Interrupt Descriptor (PID)": what an interrupt that is otherwise well may still be blocked by. */
static void check_descriptor(struct oracle *o, struct oracle_interrupt *a)
{
    if (a->descriptor >= o->memory->size || oracle_is_read_only(o, a->descriptor, 64)) {
        a->ok = false;
        block(a, 0x27);
        return;
    }
    const uint64_t *word = (const uint64_t *)(const void *)(o->memory->bytes + a->descriptor);
    if ((word[4] & 0xff00fffc) != 0 || (word[5] | word[6] | word[7]) != 0) {
        a->ok = false;
        block(a, 0x28);
    }
}

static void use_entry(struct oracle *o, struct oracle_interrupt *a, uint64_t low, uint64_t high)
{
    a->ok = true;
    a->vector = (uint8_t)oracle_field(low, 23, 16);
    a->posted = oracle_bit(low, 15);
    if (a->posted) {
        a->urgent = oracle_bit(low, 14);
        a->descriptor = oracle_field(low, 63, 38) << 6 | oracle_field(high, 63, 32) << 32;
        check_descriptor(o, a);
        return;
    }
    a->destination_mode = (uint8_t)oracle_field(low, 2, 2);
    a->redirection_hint = (uint8_t)oracle_field(low, 3, 3);
    a->trigger = (uint8_t)oracle_field(low, 4, 4);
    a->delivery_mode = (uint8_t)oracle_field(low, 7, 5);
    a->destination = (uint32_t)(o->registers.eime ? oracle_field(low, 63, 32) : oracle_field(low, 47, 40));
}

/* "Interrupt Requests in Remappable Format". */
static void remap(struct oracle *o, uint16_t source, uint64_t address, uint32_t data, struct oracle_interrupt *a)
{
    uint32_t handle = (uint32_t)(oracle_field(address, 19, 5) | oracle_field(address, 2, 2) << 15);
    bool subhandle = oracle_bit(address, 3);
    if (subhandle && data >> 16 != 0) {
        block(a, 0x20);
        return;
    }
    uint32_t index = handle + (subhandle ? data & 0xffff : 0);
    if (index >= o->registers.interrupt_entries) {
        block(a, 0x21);
        return;
    }
    a->index = (uint16_t)index;
    a->has_index = true;
    struct oracle_value v;
    if (!oracle_read(o, o->registers.interrupt_table + 16 * (uint64_t)index, 2, &v)) {
        block(a, 0x23);
        return;
    }
    if (v.until != ORACLE_NEVER && oracle_interrupt_end(o, v.until, a->index) != ORACLE_NEVER) {
        o->impossible = true;
    }
    a->recorded = !oracle_bit(v.word[0], 1);
    if (!oracle_bit(v.word[0], 0)) {
        oracle_not_cached(o, &v);
        block(a, 0x22);
        return;
    }
    bool bad = reserved(v.word[0], v.word[1], o->registers.eime);
    if (bad) {
        oracle_not_cached(o, &v);
        block(a, 0x24);
    }
    if (!source_fits(v.word[1], source)) {
        block(a, 0x26);
    } else if (!bad) {
        use_entry(o, a, v.word[0], v.word[1]);
    }
}

static void run(struct oracle *o, uint16_t source, uint64_t address, uint32_t data, struct oracle_interrupt *a)
{
    memset(a, 0, sizeof(*a));
    a->recorded = true;
    if (!o->registers.remapping && oracle_has(&o->caps, ORACLE_IRREQ)) {
        block(a, 0x2b);
    } else if (!o->registers.remapping) {
        take_as_it_is(a, address, data);
    } else if (!o->registers.eime && oracle_has(&o->caps, ORACLE_EIMER)) {
        block(a, 0x2a);
    } else if (oracle_bit(address, 4)) {
        remap(o, source, address, data, a);
    } else if (o->registers.eime || !o->registers.compatibility) {
        block(a, 0x25);
    } else {
        take_as_it_is(a, address, data);
    }
}

void oracle_remap(struct oracle *o, uint16_t source, uint64_t address, uint32_t data, struct oracle_interrupt *answer)
{
    o->exact = true;
    oracle_first_run(o);
    run(o, source, address, data, answer);
    o->exact = false;
}

bool oracle_any_interrupt(struct oracle *o, uint16_t source, uint64_t address, uint32_t data,
                          bool (*match)(void *ctx, const struct oracle_interrupt *answer), void *ctx)
{
    struct oracle_interrupt answer;
    oracle_first_run(o);
    do {
        run(o, source, address, data, &answer);
        if (!o->impossible && match(ctx, &answer)) {
            return true;
        }
    } while (oracle_next_run(o));
    return false;
}
