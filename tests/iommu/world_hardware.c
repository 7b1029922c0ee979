/* SPDX-License-Identifier: MIT */
/* How the world's software drives the registers and the invalidation queue. VT-d 6.5 and chapter 11. */
#include "world.h"

#include <string.h>

enum {
    GCMD = 0x18,
    GSTS = 0x1c,
    RTADDR = 0x20,
    CCMD = 0x28,
    FSTS = 0x34,
    IQH = 0x80,
    IQT = 0x88,
    IQA = 0x90,
    IRTA = 0xb8
};

#define TE (UINT32_C(1) << 31)
#define SRTP (UINT32_C(1) << 30)
#define QIE (UINT32_C(1) << 26)
#define IRE (UINT32_C(1) << 25)
#define SIRTP (UINT32_C(1) << 24)
#define CFI (UINT32_C(1) << 23)
#define ONE_SHOT (SRTP | SIRTP | UINT32_C(1) << 29 | UINT32_C(1) << 27)

/* Until the hardware is done with what it was told. */
static void wait(struct world *w)
{
    hv_cycles done = iommu_busy_until(w->iommu);
    w->now = done > w->now ? done : w->now;
}

/* "Software must write with the present status": one command at a time. */
static void command(struct world *w, uint32_t bit, bool on)
{
    uint32_t status = (uint32_t)iommu_read(w->iommu, GSTS, 4, w->now) & ~ONE_SHOT;
    iommu_write(w->iommu, GCMD, 4, on ? status | bit : status & ~bit, w->now);
    wait(w);
    bool now_on = (iommu_read(w->iommu, GSTS, 4, w->now) & bit) != 0;
    if (now_on != on) {
        world_fail(w, "GCMD %#x does not show in GSTS", bit);
    }
}

/* --- Queued invalidation ----------------------------------------------------------------------------------------- */

static uint64_t queue_bytes(const struct world *w)
{
    return w->wide ? HV_KIB(8) : HV_KIB(4); /* QS is 0 or 1: 256 descriptors */
}

static void enqueue(struct world *w, uint64_t low, uint64_t high)
{
    uint64_t words[4] = {low, high, 0, 0};
    memcpy(w->memory.bytes + WORLD_QUEUE + w->tail, words, w->wide ? 32 : 16);
    w->tail = (w->tail + (w->wide ? 32 : 16)) % queue_bytes(w);
}

/* An invalidation is over when the wait descriptor behind it has written its status. */
static void submit(struct world *w)
{
    w->status++;
    enqueue(w, 5 | 1u << 5 | (w->status & 0xffffffff) << 32, WORLD_STATUS);
    iommu_write(w->iommu, IQT, 8, w->tail, w->now);
    wait(w);
    uint32_t written;
    memcpy(&written, w->memory.bytes + WORLD_STATUS, sizeof(written));
    if (written != (uint32_t)w->status) {
        world_fail(w, "the wait descriptor has not written its status");
    }
    if (iommu_read(w->iommu, IQH, 8, w->now) != w->tail || (iommu_read(w->iommu, FSTS, 4, w->now) & 0x70) != 0) {
        world_fail(w, "the queue is not empty, or has an error: FSTS %#llx",
                   (unsigned long long)iommu_read(w->iommu, FSTS, 4, w->now));
    }
}

static uint64_t page_word(const struct oracle_invalidation *i)
{
    return i->scope == ORACLE_PAGES ? (i->address & ~UINT64_C(0xfff)) | (i->hint ? 1u << 6 : 0) | i->mask_log2 : 0;
}

static void by_queue(struct world *w, const struct oracle_invalidation *i)
{
    static const uint64_t granularity[] = {
        [ORACLE_ALL] = 1, [ORACLE_DOMAIN] = 2, [ORACLE_DEVICE] = 3, [ORACLE_PAGES] = 3};
    uint64_t domain = (uint64_t)i->domain << 16;
    switch (i->what) {
    case ORACLE_CONTEXT:
        enqueue(w,
                1 | granularity[i->scope] << 4 | domain | (uint64_t)i->source << 32 | (uint64_t)i->function_mask << 48,
                0);
        break;
    case ORACLE_IOTLB: enqueue(w, 2 | granularity[i->scope] << 4 | domain | (w->rng.state & 0xc0), page_word(i)); break;
    case ORACLE_PASID: {
        uint64_t g = i->scope == ORACLE_ALL ? 3 : i->scope == ORACLE_DOMAIN ? 0 : 1;
        enqueue(w, 7 | g << 4 | domain | (uint64_t)i->pasid << 32, 0);
        break;
    }
    case ORACLE_PIOTLB:
        enqueue(w, 6 | (i->scope == ORACLE_PAGES ? 3u : 2u) << 4 | domain | (uint64_t)i->pasid << 32, page_word(i));
        break;
    case ORACLE_INTERRUPT:
        enqueue(w, 4 | (i->scope == ORACLE_ALL ? 0 : 1u << 4 | (uint64_t)i->mask_log2 << 27 | i->address << 32), 0);
        break;
    }
    submit(w);
}

/* --- Registers --------------------------------------------------------------------------------------------------- */

static void run_register(struct world *w, uint32_t offset, uint64_t value)
{
    if (world_chance(w, 50)) {
        iommu_write(w->iommu, offset, 8, value, w->now);
    } else { /* the upper half starts it */
        iommu_write(w->iommu, offset, 4, value & 0xffffffff, w->now);
        iommu_write(w->iommu, offset + 4, 4, value >> 32, w->now);
    }
    wait(w);
    if (iommu_read(w->iommu, offset, 8, w->now) >> 63 != 0) {
        world_fail(w, "the command at %#x is not over", offset);
    }
}

static void by_register(struct world *w, const struct oracle_invalidation *i)
{
    static const uint64_t granularity[] = {
        [ORACLE_ALL] = 1, [ORACLE_DOMAIN] = 2, [ORACLE_DEVICE] = 3, [ORACLE_PAGES] = 3};
    if (i->what == ORACLE_CONTEXT) {
        run_register(w, CCMD,
                     UINT64_C(1) << 63 | granularity[i->scope] << 61 | (uint64_t)i->function_mask << 32 |
                         (uint64_t)i->source << 16 | i->domain);
        return;
    }
    uint32_t base = (uint32_t)(w->oracle.caps.ecap >> 8 & 0x3ff) * 16;
    iommu_write(w->iommu, base, 8, page_word(i), w->now);
    run_register(w, base + 8, UINT64_C(1) << 63 | granularity[i->scope] << 60 | (uint64_t)i->domain << 32);
}

void world_invalidate(struct world *w, const struct oracle_invalidation *what)
{
    if (w->options.lazy) {
        if (world_chance(w, 50)) {
            return;
        }
        oracle_invalidated(&w->oracle, what);
    }
    /* Interrupt entries have no register, so with it a world without a queue turns that on for a moment. */
    if (w->queue || what->what == ORACLE_INTERRUPT) {
        by_queue(w, what);
    } else {
        by_register(w, what);
    }
}

void world_invalidate_all(struct world *w)
{
    bool lazy = w->options.lazy;
    w->options.lazy = false;
    for (unsigned what = ORACLE_CONTEXT; what <= ORACLE_INTERRUPT; what++) {
        struct oracle_invalidation all = {.what = (enum oracle_what)what, .scope = ORACLE_ALL};
        bool known = what != ORACLE_PIOTLB && (w->options.scalable || what != ORACLE_PASID);
        if (known && (w->queue || what != ORACLE_INTERRUPT)) {
            world_invalidate(w, &all);
        }
    }
    w->options.lazy = lazy;
    oracle_forget(&w->oracle);
}

/* --- The beginning ----------------------------------------------------------------------------------------------- */

static void latch_root(struct world *w, unsigned mode)
{
    struct oracle_registers *r = &w->oracle.registers;
    iommu_write(w->iommu, RTADDR, 8, w->root | (uint64_t)mode << 10, w->now);
    command(w, SRTP, true);
    r->root_table = w->root;
    r->table_mode = mode;
}

/* Root table and mode, of which all caches know nothing yet. */
static void set_root(struct world *w, unsigned mode)
{
    latch_root(w, mode);
    world_invalidate_all(w);
}

/* A mode that there is not: every DMA is a fault, and the queue does not work. */
static void reserved_mode(struct world *w)
{
    latch_root(w, 2);
    for (unsigned d = 0; d < 4; d++) {
        world_random_dma(w);
    }
}

static void set_interrupts(struct world *w)
{
    struct oracle_registers *r = &w->oracle.registers;
    r->eime = world_chance(w, 50);
    r->compatibility = world_chance(w, 50);
    iommu_write(w->iommu, IRTA, 8, WORLD_INTERRUPTS | 7 | (r->eime ? 0x800 : 0), w->now);
    command(w, SIRTP, true);
    world_invalidate_all(w);
    command(w, CFI, r->compatibility);
}

void world_start_hardware(struct world *w)
{
    struct oracle_registers *r = &w->oracle.registers;
    w->queue = w->options.scalable || world_chance(w, 70);
    w->wide = w->options.scalable || (w->queue && world_chance(w, 30) && oracle_has(&w->oracle.caps, ORACLE_SMTS));
    *r = (struct oracle_registers){.translation = true,
                                   .interrupt_table = WORLD_INTERRUPTS,
                                   .interrupt_entries = WORLD_ENTRIES,
                                   .remapping = w->queue};
    if (w->queue) {
        iommu_write(w->iommu, IQT, 8, 0, w->now);
        iommu_write(w->iommu, IQA, 8, WORLD_QUEUE | (w->wide ? 0x800 | 1 : 0), w->now);
        command(w, QIE, true);
    }
    set_root(w, w->options.scalable);
    if (r->remapping) {
        set_interrupts(w);
        command(w, IRE, true);
    }
    command(w, TE, true);
    w->running = true;
}

/* Translation off for a while; another root table, or one of a mode that there is not; other interrupt modes. */
void world_change_registers(struct world *w)
{
    struct oracle_registers *r = &w->oracle.registers;
    uint64_t what = world_below(w, 4);
    if (what == 0) {
        r->translation = !r->translation;
        command(w, TE, r->translation);
    } else if (what == 1) {
        if (world_chance(w, 20)) {
            reserved_mode(w);
        }
        world_new_root(w);
        set_root(w, w->options.scalable);
    } else if (what == 2 && r->remapping) {
        set_interrupts(w);
    } else if (r->translation) {
        world_fault_storm(w);
    }
}
