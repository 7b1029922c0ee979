/* SPDX-License-Identifier: MIT */
/* DMAs of the world's devices, compared with what the oracle allows, flags of entries and fault records included. */
#include "world.h"

#include <stdio.h>
#include <string.h>

enum { FSTS = 0x34 };

/* "Fault Recording Registers". */
static void check_dma_record(struct world *w, const struct iommu_request *r, const struct iommu_reply *reply)
{
    uint64_t low, high;
    world_take_fault(w, &low, &high);
    uint64_t expected = UINT64_C(1) << 63 | (r->access == IOMMU_WRITE ? 0 : UINT64_C(1) << 62) |
                        (uint64_t)r->type << 60 | (uint64_t)reply->fault << 32 | r->source;
    if (r->has_pasid) {
        expected |= (uint64_t)r->pasid << 40 | UINT64_C(1) << 31 | (uint64_t)(r->access == IOMMU_EXECUTE) << 30 |
                    (uint64_t)r->privileged << 29;
    }
    if (high != expected) {
        world_fail(w, "the fault record's upper half is %#llx, not %#llx", (unsigned long long)high,
                   (unsigned long long)expected);
    }
    uint64_t width = UINT64_MAX >> 7; /* address bits above the largest width are reserved */
    if ((low & 0xfff) != 0 || ((low ^ r->address) & width & ~UINT64_C(0xfff)) != 0) {
        world_fail(w, "the fault record's address is %#llx", (unsigned long long)low);
    }
}

struct comparison {
    const struct iommu_reply *reply;
    bool recorded; /* hvsim has a fault record of it */
};

static bool same(void *ctx, const struct oracle_answer *a)
{
    struct comparison *c = ctx;
    const struct iommu_reply *r = c->reply;
    if (r->ok) {
        return a->ok && r->address == a->address && r->size_shift <= a->size_shift;
    }
    bool known = r->fault == 0 ? !c->recorded : oracle_may_fault(a, r->fault);
    return known && (a->ok ? a->open : a->recorded == c->recorded);
}

/* Flags that hardware must have set are there; they, and those that it may set, are what the table should hold. */
static void check_flags(struct world *w, const struct oracle_answer *a, bool ok)
{
    for (unsigned f = 0; f < a->flag_count; f++) {
        const struct oracle_flag *flag = &a->flags[f];
        uint64_t now = world_get(w, flag->address);
        if (ok && flag->must && (now & flag->bits) != flag->bits) {
            world_fail(w, "entry %#llx at %#llx lacks flags %#llx", (unsigned long long)now,
                       (unsigned long long)flag->address, (unsigned long long)flag->bits);
        }
        if (flag->address >= WORLD_ARENA && flag->address < WORLD_ARENA + WORLD_ARENA_BYTES) {
            w->shadow[(flag->address - WORLD_ARENA) / 8] |= now & flag->bits;
        }
    }
}

static void describe(struct world *w, const struct iommu_request *r, const struct iommu_reply *reply,
                     const struct oracle_answer *a)
{
    snprintf(
        w->what, sizeof(w->what),
        "HAW %u source %04x pasid %d/%u%s address %#llx access %d type %d: hvsim %s address %#llx shift %u fault %#x; "
        "oracle %s%s address %#llx shift %u faults %llx %llx %llx%s",
        w->oracle.caps.haw, r->source, r->has_pasid, r->pasid, r->privileged ? " privileged" : "",
        (unsigned long long)r->address, r->access, r->type, reply->ok ? "ok" : "blocked",
        (unsigned long long)reply->address, reply->size_shift, reply->fault, a->ok ? "ok" : "blocked",
        a->open ? " (open)" : "", (unsigned long long)a->address, a->size_shift, (unsigned long long)a->faults[0],
        (unsigned long long)a->faults[1], (unsigned long long)a->faults[2], a->recorded ? " recorded" : "");
}

/* A translation request is told what it may do, and is no fault when that is nothing. */
static void translation_request(struct world *w, const struct iommu_request *r)
{
    struct iommu_reply reply = iommu_translate(w->iommu, r, w->now);
    struct iommu_request read = *r, write = *r;
    read.access = IOMMU_READ;
    write.access = IOMMU_WRITE;
    struct oracle_answer may_read, may_write;
    oracle_translate(&w->oracle, &read, &may_read);
    oracle_translate(&w->oracle, &write, &may_write);
    describe(w, r, &reply, may_read.ok ? &may_read : &may_write);
    check_flags(w, &may_read, false);
    check_flags(w, &may_write, false);
    if ((iommu_read(w->iommu, FSTS, 4, w->now) & 0xff) != 0) {
        uint64_t low, high;
        world_take_fault(w, &low, &high);
    }
    if (may_read.open || may_write.open) {
        return;
    }
    size_t length = strlen(w->what);
    snprintf(w->what + length, sizeof(w->what) - length, "; may read %d, write %d", may_read.ok, may_write.ok);
    if (reply.ok && ((reply.read && !may_read.ok) || (reply.write && !may_write.ok))) {
        world_fail(w, "a translation request is granted too much: read %d write %d", reply.read, reply.write);
    }
    bool granted = reply.ok && (reply.read || reply.write);
    if (granted != (may_read.ok || may_write.ok) || (granted && reply.read != may_read.ok)) {
        world_fail(w, "a translation request is granted too little: ok %d read %d write %d", reply.ok, reply.read,
                   reply.write);
    }
    if (granted && reply.address != (may_read.ok ? may_read.address : may_write.address)) {
        world_fail(w, "a translation request gets another address");
    }
}

void world_dma(struct world *w, const struct iommu_request *r)
{
    w->dmas++;
    if (r->type == IOMMU_TRANSLATION_REQUEST) {
        translation_request(w, r);
        return;
    }
    struct oracle_answer answer;
    oracle_translate(&w->oracle, r, &answer);
    struct iommu_reply reply = iommu_translate(w->iommu, r, w->now);
    struct comparison c = {.reply = &reply, .recorded = world_has_fault(w)};
    describe(w, r, &reply, &answer);
    bool fits = same(&c, &answer);
    if (!fits && w->options.lazy) {
        fits = oracle_any_translation(&w->oracle, r, same, &c);
        w->stale += fits;
    }
    if (!fits) {
        world_fail(w, "a DMA is not answered as the oracle says");
    }
    if (reply.done < w->now) {
        world_fail(w, "a DMA is over before it began");
    }
    if (!w->options.lazy) {
        check_flags(w, &answer, reply.ok);
    }
    w->blocked += !reply.ok;
    w->reasons[reply.fault]++;
    if (c.recorded) {
        check_dma_record(w, r, &reply);
    } else {
        world_expect_no_fault(w);
    }
}

static uint64_t random_address(struct world *w, const struct world_space *s)
{
    uint64_t address = world_slot(w, s, s->kind == WORLD_FIRST || s->kind == WORLD_NESTED);
    if (world_chance(w, 3)) {
        address = rng_next(&w->rng) >> world_below(w, 40);
    } else if (world_chance(w, 3)) {
        address ^= UINT64_C(1) << (30 + world_below(w, 34));
    }
    address = (address & ~UINT64_C(0xfff)) | world_below(w, 0xfc0);
    return address >> 20 == 0xfee ? address ^ 1u << 30 : address; /* there a request is an interrupt */
}

/* A DMA by which something was cached, or by which is found that it no longer is. */
void world_probe(struct world *w, unsigned source, unsigned p, uint64_t address)
{
    struct iommu_request r = {
        .source = world_sources[source],
        .has_pasid = w->options.scalable && world_chance(w, 80),
        .address = (address & ~UINT64_C(0xfff)) | world_below(w, 0xfc0),
        .bytes = 64,
        .access = world_chance(w, 50) ? IOMMU_READ : IOMMU_WRITE,
    };
    r.pasid = r.has_pasid ? world_pasids[p] : 0;
    if (r.address >> 20 != 0xfee) {
        world_dma(w, &r);
    }
}

/* The same by somebody who is attached to an address space. */
void world_probe_space(struct world *w, const struct world_space *s, uint64_t address)
{
    unsigned pasids = w->options.scalable ? WORLD_PASIDS : 1, begin = (unsigned)world_below(w, WORLD_SOURCES * pasids);
    for (unsigned n = 0; n < WORLD_SOURCES * pasids; n++) {
        unsigned which = (begin + n) % (WORLD_SOURCES * pasids);
        int space = w->attached[which / pasids][which % pasids];
        if (&w->spaces[space] == s) {
            world_probe(w, which / pasids, which % pasids, address);
            return;
        }
    }
}

static struct iommu_request random_request(struct world *w)
{
    unsigned source = (unsigned)world_below(w, WORLD_SOURCES), p = (unsigned)world_below(w, WORLD_PASIDS);
    bool with_pasid = w->options.scalable ? world_chance(w, 70) : world_chance(w, 1);
    int space = w->attached[source][w->options.scalable ? p : 0];
    const struct world_space *s = &w->spaces[space];
    struct iommu_request r = {
        .source = world_chance(w, 99) ? world_sources[source] : (uint16_t)rng_next(&w->rng),
        .has_pasid = with_pasid,
        .pasid = !with_pasid           ? 0
                 : world_chance(w, 98) ? world_pasids[p]
                                       : (uint32_t)world_below(w, 1u << 20),
        .address = random_address(w, s),
        .bytes = 64,
        .access = world_chance(w, 50) ? IOMMU_READ : IOMMU_WRITE,
    };
    bool first = s->kind == WORLD_FIRST || s->kind == WORLD_NESTED;
    r.privileged = with_pasid && first && world_chance(w, 20);
    if (with_pasid && first && s->kind == WORLD_FIRST && world_chance(w, 5)) {
        r.access = IOMMU_EXECUTE;
    }
    return r;
}

void world_random_dma(struct world *w)
{
    struct iommu_request r = random_request(w);
    if (!w->options.lazy && r.access != IOMMU_EXECUTE && world_chance(w, 10)) {
        r.type = world_chance(w, 70) ? IOMMU_TRANSLATION_REQUEST : IOMMU_TRANSLATED;
        r.privileged = false;
    }
    world_dma(w, &r);
}
