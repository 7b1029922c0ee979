/* SPDX-License-Identifier: MIT */
/*
 * check.stale: hardware never tells a hypervisor that it forgot an invalidation; this does.
 *
 * Every use of a cached translation is compared with what a walk of memory would give now. A cached translation is
 * stale when memory gives none, another frame, or fewer rights. (More rights are no fault: SDM Vol. 3A "Optional
 * Invalidation", 4.10.4.3, lets software delay the invalidation.) Which instruction was forgotten follows from the
 * dimension that changed: the guest's tables call for INVLPG (or INVPCID, MOV CR3), the second level's for INVEPT.
 */
#include <stdlib.h>
#include <string.h>

#include "mmu/mmu.h"

static const char EITHER_SHADOW[] =
    "INVLPG (if the guest's tables changed) or INVVPID (if the hypervisor's shadow of them did)";
static const char EITHER[] = "INVLPG (if the guest's tables changed) or INVEPT (if EPT did)";

enum { STALE_KEPT = 16, STALE_FILLS = 1 << 16 };

struct stale_finding {
    hv_cycles now;
    hv_gva gva;
    const char *what;        /* which cache held it */
    const char *instruction; /* that was forgotten */
    uint64_t cached, memory; /* host-physical addresses; memory is UINT64_MAX when nothing is mapped */
};

/* The guest-physical address that a cached page translation went through. */
struct stale_fill {
    uint64_t page; /* gva >> 12 | 1 << 63; 0 when the slot is free */
    uint64_t gpa;
};

struct stale {
    struct stale_finding kept[STALE_KEPT];
    size_t count;
    struct stale_fill fills[STALE_FILLS];
};

struct stale *stale_new(void)
{
    struct stale *s = calloc(1, sizeof(*s));
    HV_ASSERT(s != NULL, "out of memory");
    return s;
}

void stale_free(struct stale *s)
{
    free(s);
}

static void found(struct mmu *m, const struct stale_finding *finding)
{
    m->stats.stale_found++;
    if (m->stale->count < STALE_KEPT) {
        m->stale->kept[m->stale->count++] = *finding;
    }
    HV_TRACE(m->trace, INVAL, finding->now, "stale %s gva=%#llx cached=%#llx memory=%#llx missing=%s", finding->what,
             (unsigned long long)finding->gva.v, (unsigned long long)finding->cached,
             (unsigned long long)finding->memory, finding->instruction);
}

static struct stale_fill *slot_of(struct mmu *m, hv_gva gva)
{
    return &m->stale->fills[rng_mix(gva.v >> HV_PAGE_SHIFT ^ (uint64_t)m->env.view.space << 48) % STALE_FILLS];
}

static uint64_t page_key(hv_gva gva)
{
    return gva.v >> HV_PAGE_SHIFT | UINT64_C(1) << 63;
}

static uint64_t page_offset(hv_gva gva)
{
    return gva.v & (HV_PAGE_BYTES - 1);
}

void stale_note_fill(struct mmu *m, const struct walk *walk)
{
    *slot_of(m, walk->gva) = (struct stale_fill){page_key(walk->gva), walk->gpa.v - page_offset(walk->gva)};
}

/* The rights that a payload grants, for comparing what is cached with what memory grants. */
static uint64_t rights(uint64_t payload)
{
    return payload & (TLB_GUEST_W | TLB_GUEST_U | TLB_GUEST_X | TLB_HOST_ALL);
}

/* Whose tables changed under a page translation: `walk` is what memory says of it now. */
static const char *forgotten(struct mmu *m, hv_gva gva, uint64_t payload, bool mapped, const struct walk *walk)
{
    const uint64_t guest_rights = TLB_GUEST_W | TLB_GUEST_U | TLB_GUEST_X;
    if (m->env.regs.shadow) {
        return m->env.agile ? EITHER : EITHER_SHADOW;
    }
    if (!m->env.nested || (!mapped && walk->fault.dimension == HV_GUEST) ||
        (mapped && (payload & ~walk->result & guest_rights) != 0)) {
        return "INVLPG";
    }
    if (walk->guest_step != 0) {
        return "INVEPT"; /* the second level refuses a guest table */
    }
    const struct stale_fill *fill = slot_of(m, gva);
    if (fill->page != page_key(gva)) {
        return EITHER;
    }
    return fill->gpa == walk->gpa.v - page_offset(gva) ? "INVEPT" : "INVLPG";
}

void stale_check_page(struct mmu *m, hv_gva gva, enum hv_access_kind access, uint64_t payload,
                      enum hv_page_size size, hv_cycles now)
{
    struct walk walk;
    bool mapped = mmu_probe(m, gva, access, &walk);
    uint64_t cached = tlb_entry_address(payload, gva.v, hv_page_shift(size)).v;
    uint64_t memory = UINT64_MAX;
    if (mapped) {
        memory = tlb_entry_address(walk.result, gva.v, hv_page_shift((enum hv_page_size)walk.size)).v;
        if (memory == cached && (rights(payload) & ~rights(walk.result)) == 0) {
            return;
        }
    }
    struct stale_finding finding = {now, gva, "TLB entry", forgotten(m, gva, payload, mapped, &walk), cached, memory};
    found(m, &finding);
}

void stale_check_nested(struct mmu *m, const struct walk *w, uint64_t payload, enum hv_page_size size,
                        hv_cycles now)
{
    struct walk walk = {.leaf = w->guest_step != 0 ? 0 : w->leaf};
    hv_gpa gpa = w->gpa;
    bool mapped = mmu_probe_host(m, gpa, w->guest_step != 0 ? HV_LOAD : w->access, 0, &walk);
    uint64_t cached = tlb_entry_address(payload, gpa.v, hv_page_shift(size)).v;
    uint64_t memory = UINT64_MAX;
    if (mapped) {
        enum hv_page_size now_size = (enum hv_page_size)walk.host_size;
        memory = tlb_entry_address(walk.host_payload, gpa.v, hv_page_shift(now_size)).v;
        if (memory == cached && (rights(payload) & ~rights(walk.host_payload)) == 0) {
            return;
        }
    }
    struct stale_finding finding = {now, w->gva, "nested-TLB entry", "INVEPT", cached, memory};
    found(m, &finding);
}

void stale_check_table(struct mmu *m, enum hv_dimension d, hv_gva gva, uint64_t address,
                       const struct pwc_table *cached, hv_cycles now)
{
    struct walk walk = {.leaf = 0};
    bool there, writable = true;
    uint32_t permission;
    uint64_t memory = UINT64_MAX;
    if (d == HV_HOST) {
        there = mmu_probe_host(m, (hv_gpa){address}, HV_LOAD, cached->level, &walk);
        permission = walk.host.permission;
        memory = there ? walk.host.table : UINT64_MAX;
    } else {
        there = mmu_probe_guest_table(m, gva, HV_LOAD, cached->level, &walk);
        permission = walk.guest.permission;
        writable = (walk.table_rights & TLB_HOST_W) != 0;
        memory = there ? walk.read.v & ~(uint64_t)(HV_PAGE_BYTES - 1) : UINT64_MAX;
    }
    if (memory == cached->table.v && (cached->permission & ~permission) == 0 && (writable || !cached->writable)) {
        return;
    }
    bool host = d == HV_HOST || (!there && walk.fault.dimension == HV_HOST);
    const char *guest = m->env.regs.shadow && !m->env.agile ? EITHER_SHADOW : "INVLPG";
    const char *missing = host ? "INVEPT" : (m->env.nested || m->env.agile) && there ? EITHER : guest;
    struct stale_finding finding = {now, gva, "paging-structure-cache entry", missing, cached->table.v, memory};
    found(m, &finding);
}

void stale_check_entry(struct mmu *m, const struct walk *w, uint64_t cached, hv_cycles now)
{
    bool host = w->host_level != 0;
    const struct radix_mode *mode = host ? &m->env.host : &m->env.guest;
    uint64_t memory = physmem_read64(m->memory, w->read);
    bool there = (memory & mode->present) != 0;
    uint64_t lost = (cached ^ mode->invert) & ~(memory ^ mode->invert) & (7 | mode->present | mode->invert);
    if (there && lost == 0 && ((cached ^ memory) & (RADIX_ADDRESS_MASK | RADIX_LARGE)) == 0) {
        return;
    }
    struct stale_finding finding = {now, w->gva, "page-walk-cache entry", host ? "INVEPT" : "INVLPG",
                                    cached & RADIX_ADDRESS_MASK, there ? memory & RADIX_ADDRESS_MASK : UINT64_MAX};
    found(m, &finding);
}

size_t stale_report(const struct mmu *m, FILE *out)
{
    if (m->stale == NULL) {
        return 0;
    }
    for (size_t i = 0; i < m->stale->count; i++) {
        const struct stale_finding *f = &m->stale->kept[i];
        fprintf(out, "stale %s used at cycle %llu for address %#llx: it says %#llx, memory says ", f->what,
                (unsigned long long)f->now, (unsigned long long)f->gva.v, (unsigned long long)f->cached);
        if (f->memory == UINT64_MAX) {
            fputs("nothing is mapped", out);
        } else {
            fprintf(out, "%#llx", (unsigned long long)f->memory);
        }
        fprintf(out, "; %s is missing after the change\n", f->instruction);
    }
    return m->stale->count;
}
