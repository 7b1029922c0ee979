/* SPDX-License-Identifier: MIT */
/* Interrupts of the world's devices, and its interrupt-remapping table. VT-d 5.1, 9.9 and 9.10. */
#include "world.h"

#include <stdio.h>
#include <string.h>

struct interrupt_comparison {
    struct world *w;
    const struct iommu_interrupt *reply;
    struct oracle_interrupt *found;
    bool recorded; /* hvsim has a fault record of it */
};

static bool same_interrupt(void *ctx, const struct oracle_interrupt *a)
{
    struct interrupt_comparison *c = ctx;
    const struct iommu_interrupt *r = c->reply;
    *c->found = *a;
    if (!r->ok || !a->ok) {
        bool in_set = (a->faults[r->fault >> 6] >> (r->fault & 63) & 1) != 0;
        return r->ok == a->ok && c->recorded == a->recorded && (r->fault == 0 ? !a->recorded : in_set);
    }
    if (r->posted || a->posted) {
        return r->posted == a->posted && c->w->posted.count == 1 && c->w->posted.descriptor == a->descriptor &&
               c->w->posted.vector == a->vector && c->w->posted.urgent == a->urgent &&
               r->notify == c->w->posted.notify && (!r->notify || r->vector == c->w->posted.notify_vector);
    }
    return r->vector == a->vector && r->delivery_mode == a->delivery_mode && r->trigger == a->trigger &&
           r->destination_mode == a->destination_mode && r->redirection_hint == a->redirection_hint &&
           r->destination == a->destination && c->w->posted.count == 0;
}

static void check_interrupt_record(struct world *w, uint16_t source, uint8_t reason, const struct oracle_interrupt *a)
{
    uint64_t low, high;
    world_take_fault(w, &low, &high);
    if ((high & 0xffff) != source || (high >> 32 & 0xff) != reason) {
        world_fail(w, "the fault record's upper half is %#llx", (unsigned long long)high);
    }
    if (a->has_index && low >> 48 != a->index) {
        world_fail(w, "the fault record has index %#llx", (unsigned long long)(low >> 48));
    }
}

static void check_interrupt(struct world *w, uint16_t source, uint64_t address, uint32_t data)
{
    w->interrupts++;
    w->posted.count = 0;
    w->posted.notify = world_chance(w, 50);
    w->posted.notify_vector = (uint8_t)rng_next(&w->rng);
    w->posted.ndst = (uint32_t)rng_next(&w->rng) & 0xff00;
    struct iommu_interrupt reply = iommu_interrupt(w->iommu, source, address, data, w->now);
    struct oracle_interrupt a;
    struct interrupt_comparison c = {w, &reply, &a, world_has_fault(w)};
    oracle_remap(&w->oracle, source, address, data, &a);
    snprintf(w->what, sizeof(w->what),
             "interrupt of %04x address %#llx data %#x: hvsim %s%s fault %#x vector %#x destination %#x; oracle %s%s "
             "faults %llx vector %#x destination %#x index %u",
             source, (unsigned long long)address, data, reply.ok ? "ok" : "blocked", reply.posted ? " posted" : "",
             reply.fault, reply.vector, reply.destination, a.ok ? "ok" : "blocked", a.posted ? " posted" : "",
             (unsigned long long)a.faults[0], a.vector, a.destination, a.index);
    bool fits = w->options.lazy ? oracle_any_interrupt(&w->oracle, source, address, data, same_interrupt, &c)
                                : same_interrupt(&c, &a);
    if (!fits) {
        world_fail(w, "an interrupt is not answered as the oracle says");
    }
    w->reasons[reply.fault]++;
    if (c.recorded) {
        check_interrupt_record(w, source, reply.fault, &a);
    } else {
        world_expect_no_fault(w);
    }
}

/* By the entry's own source, mostly. */
static void probe_interrupt(struct world *w, uint64_t index)
{
    uint16_t source = (uint16_t)world_get(w, WORLD_INTERRUPTS + 16 * index + 8);
    if (w->oracle.registers.remapping) {
        check_interrupt(w, source, 0xfee00010 | index << 5, 0);
    }
}

void world_random_interrupt(struct world *w)
{
    uint16_t source = world_chance(w, 90) ? world_sources[world_below(w, WORLD_SOURCES)] : (uint16_t)rng_next(&w->rng);
    uint64_t address = 0xfee00000;
    uint32_t data = 0;
    if (!w->oracle.registers.remapping || world_chance(w, 10)) {
        address |= world_below(w, 0x100) << 12 | world_below(w, 4) << 2;
        data = (uint32_t)(world_below(w, 0x100) | world_below(w, 2) << 15);
    } else {
        uint64_t handle = world_chance(w, 98) ? world_below(w, WORLD_ENTRIES) : world_below(w, 0x10000);
        bool subhandle = world_chance(w, 40);
        address |= 0x10 | (handle & 0x7fff) << 5 | handle >> 15 << 2 | (subhandle ? 8 : 0);
        data = subhandle ? (uint32_t)world_below(w, 16) | (world_chance(w, 3) ? 0x10000 : 0) : 0;
    }
    check_interrupt(w, source, address, data);
}

/* --- Entries of the interrupt-remapping table -------------------------------------------------------------------- */

static void random_entry(struct world *w, uint64_t words[2])
{
    uint64_t vector = 16 + world_below(w, 240);
    uint16_t source = world_sources[world_below(w, WORLD_SOURCES)];
    uint64_t id =
        world_chance(w, 70) ? source : (uint64_t)(source >> 8) << 8 | (world_below(w, 3) + (source >> 8)) % 256;
    uint64_t mode = id == source ? world_below(w, 2) : 2;
    words[1] = id | world_below(w, 4) << 16 | mode << 18;
    words[0] = (world_chance(w, 90) ? 1 : 0) | (world_chance(w, 10) ? 2 : 0) | vector << 16 | world_below(w, 16) << 8;
    bool wide = w->oracle.registers.eime;
    if (world_chance(w, 40)) {
        uint64_t descriptor = WORLD_DESCRIPTORS + 64 * world_below(w, 1024);
        if (world_chance(w, 2)) { /* where no memory is */
            descriptor = WORLD_BYTES | (rng_next(&w->rng) & (UINT64_MAX >> (64 - w->oracle.caps.haw)) & ~UINT64_C(63));
            words[0] &= ~UINT64_C(2);
        }
        words[0] |= 1u << 15 | (world_chance(w, 50) ? 1u << 14 : 0) | (descriptor & 0xffffffff) << 32;
        words[1] |= descriptor >> 32 << 32;
    } else {
        static const uint64_t modes[] = {0, 1, 2, 4, 5, 7};
        words[0] |= world_below(w, 8) << 2 | modes[world_below(w, 6)] << 5;
        words[0] |= wide ? world_below(w, UINT64_C(1) << 32) << 32 : world_below(w, 256) << 40;
    }
    if (world_chance(w, 6)) { /* reserved in both formats, or in that of a narrow destination */
        static const unsigned bits[] = {12, 13, 24, 31, 64 + 20, 64 + 31};
        unsigned bit = bits[world_below(w, HV_ARRAY_LEN(bits))];
        words[bit / 64] |= UINT64_C(1) << bit % 64;
    } else if (!wide && world_chance(w, 3) && (words[0] >> 15 & 1) == 0) {
        words[0] |= world_chance(w, 50) ? UINT64_C(1) << 32 : UINT64_C(1) << 63;
    }
}

void world_build_interrupts(struct world *w)
{
    for (unsigned n = 0; n < 32; n++) { /* some descriptors with reserved bits */
        static const unsigned bits[] = {256 + 2, 256 + 15, 256 + 31, 320, 511};
        unsigned bit = bits[world_below(w, HV_ARRAY_LEN(bits))];
        uint64_t at = WORLD_DESCRIPTORS + 64 * world_below(w, 1024) + bit / 64 * 8;
        physmem_write64(&w->memory, (hv_hpa){at}, UINT64_C(1) << bit % 64);
    }
    for (uint64_t index = 0; index < WORLD_ENTRIES; index++) {
        uint64_t words[2];
        random_entry(w, words);
        memcpy(w->memory.bytes + WORLD_INTERRUPTS + 16 * index, words, sizeof(words));
    }
}

void world_change_interrupt(struct world *w)
{
    uint64_t index = world_below(w, WORLD_ENTRIES), words[2];
    uint64_t at = WORLD_INTERRUPTS + 16 * index;
    bool was_present = (world_get(w, at) & 1) != 0;
    probe_interrupt(w, index);
    random_entry(w, words);
    world_put(w, at, words, 2);
    struct oracle_invalidation i = {.what = ORACLE_INTERRUPT, .scope = ORACLE_PAGES, .address = index};
    if (world_chance(w, 30)) {
        i.mask_log2 = (unsigned)world_below(w, 1 + (w->oracle.caps.ecap >> 20 & 15)); /* MHMV */
    } else if (world_chance(w, 10)) {
        i.scope = ORACLE_ALL;
    }
    if (w->oracle.registers.remapping && (was_present || w->caching_mode || world_chance(w, 50))) {
        world_invalidate(w, &i);
    }
    probe_interrupt(w, index);
}
