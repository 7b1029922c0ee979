/* SPDX-License-Identifier: MIT */
/*
 * The walk engine: one translation as a resumable machine in one or two dimensions.
 *
 * The engine decides what has to be read next and what an entry means; it has no clock, no caches and no memory.
 * Its driver answers each need:
 *
 *     WALK_READ    read the 8-byte entry at w->read and hand it to walk_feed(), which may ask, in w->update, that
 *                  bits (accessed, dirty) be set in that same entry
 *     WALK_NESTED  w->gpa has to be translated by the second dimension: answer from a cache of translations with
 *                  walk_host_answer(), or begin a host walk with walk_host_start()
 *     WALK_DONE    w->result holds the translation
 *     WALK_FAULT   w->fault says what stopped it
 *
 * The timed walker (walker.c), the untimed probe (probe.c), the explainer and the IOMMU are such drivers.
 *
 * The grid of a 4x4 walk: rows are guest steps (w->guest_step: 5..1, and 0 for the data page), columns host levels
 * (w->host_level: 5..1, and 0 for the guest entry itself):
 *
 *          h4  h3  h2  h1   g
 *     g4    1   2   3   4   5
 *     g3    6   7   8   9  10
 *     g2   11  12  13  14  15
 *     g1   16  17  18  19  20
 *     data 21  22  23  24
 *
 * Agile paging (Gandhi, Hill, Swift: "Agile Paging", ISCA 2016) begins in the hypervisor's shadow tables, in one
 * dimension. A shadow entry with RADIX_SWITCH holds the host-physical address of the guest's own table of the next
 * level, and the walk goes on in two dimensions from there. With the lowest k of four guest levels behind the switch
 * it makes 4 + 4k references: rows above the switch have column g only, and so has the first row below it.
 */
#ifndef HV_MMU_WALK_H
#define HV_MMU_WALK_H

#include "mmu/fault.h"
#include "mmu/mmu_env.h"

#define HV_GPA_UNKNOWN UINT64_MAX

enum walk_need { WALK_READ, WALK_NESTED, WALK_DONE, WALK_FAULT };

struct walk {
    const struct mmu_env *env;
    hv_gva gva;
    enum hv_access_kind access;
    struct radix_walk guest, host;
    hv_hpa read;           /* WALK_READ: where the entry lies */
    hv_gpa gpa;            /* WALK_NESTED: what to translate */
    hv_gpa entry_gpa;      /* where the guest entry being read lies in guest-physical memory */
    uint64_t update;       /* after walk_feed: bits to set in the entry just read; usually 0 */
    uint32_t guest_step;   /* grid row: 5..1, or 0 for the data page */
    uint32_t host_level;   /* grid column: 5..1, or 0 for the guest entry */
    uint32_t guest_size;   /* enum hv_page_size of the guest's leaf, once reached */
    bool nested;           /* guest tables name guest-physical addresses: from the root, or from the switch on */
    uint64_t table_rights; /* host payload of the page that holds the guest table being read */
    uint64_t host_payload; /* what the last finished host walk gave: for a nested TLB */
    uint32_t host_size;    /* of the page that the last translation by the second dimension found */
    uint64_t leaf;         /* payload bits that the guest's leaf gave */
    uint64_t result;       /* WALK_DONE: payload of tlb_entry.h, frame of the page of `size` */
    uint32_t size;         /* WALK_DONE: enum hv_page_size, the smaller of both dimensions' leaves */
    struct hv_fault fault; /* WALK_FAULT */
};

/* Fault makers: the rare paths, out of line. */
enum walk_need walk_guest_fault(struct walk *w, unsigned page_fault_bits);
enum walk_need walk_host_violation(struct walk *w, bool present);
enum walk_need walk_host_misconfig(struct walk *w);
enum walk_need walk_table_not_writable(struct walk *w);
enum walk_need walk_begin_rarely(struct walk *w); /* not canonical, or the root is the guest's own in an agile walk */

/* Asks for the guest entry that w->guest stands at. */
static inline enum walk_need walk_guest_entry(struct walk *w)
{
    uint64_t address = radix_entry_address(&w->guest);
    w->guest_step = w->guest.level;
    w->host_level = 0;
    if (w->nested) {
        w->gpa = (hv_gpa){address};
        return WALK_NESTED;
    }
    w->table_rights = TLB_HOST_ALL | TLB_DIRTY;
    w->read = (hv_hpa){address};
    return WALK_READ;
}

/* Begins a translation of gva for one access from the root. */
static inline enum walk_need walk_begin(struct walk *w, const struct mmu_env *env, hv_gva gva,
                                        enum hv_access_kind access)
{
    w->env = env;
    w->gva = gva;
    w->access = access;
    w->update = 0;
    w->nested = env->nested;
    w->guest = (struct radix_walk){gva.v, env->guest_root, RADIX_ALL, env->guest.levels};
    unsigned spare = 64u - env->linear_bits;
    bool canonical = (uint64_t)((int64_t)(gva.v << spare) >> spare) == gva.v;
    if (__builtin_expect(!canonical | env->switched_root, 0)) {
        return walk_begin_rarely(w);
    }
    return walk_guest_entry(w);
}

/*
 * Goes on in the guest dimension at `level`, whose table a paging-structure cache of translations gave as a
 * host-physical address with the permissions of the entries above it. Such a cache does not know where the table
 * lies in guest-physical memory, so a fault on it (HV_GPA_UNKNOWN) has to be found again from the root.
 */
static inline enum walk_need walk_guest_resume(struct walk *w, unsigned level, hv_hpa table, uint32_t permission,
                                               uint64_t table_rights)
{
    w->guest.level = level;
    w->guest.table = table.v;
    w->guest.permission = permission;
    w->read = (hv_hpa){radix_entry_address(&w->guest)};
    w->guest_step = level;
    w->host_level = 0;
    w->table_rights = table_rights;
    w->entry_gpa = (hv_gpa){HV_GPA_UNKNOWN};
    return WALK_READ;
}

/* The guest table that w->guest stands at is the guest's own, at a host-physical address: two dimensions from here. */
static inline enum walk_need walk_switch(struct walk *w)
{
    w->nested = true;
    return walk_guest_resume(w, w->guest.level, (hv_hpa){w->guest.table}, w->guest.permission,
                             TLB_HOST_ALL | TLB_DIRTY);
}

/* Answers WALK_NESTED by walking the host tables from `level`, whose table and permissions above are known. */
static inline enum walk_need walk_host_start(struct walk *w, unsigned level, hv_hpa table, uint32_t permission)
{
    w->host = (struct radix_walk){w->gpa.v, table.v, permission, level};
    w->host_level = level;
    w->read = (hv_hpa){radix_entry_address(&w->host)};
    return WALK_READ;
}

/* Whether a cached host translation serves the access that WALK_NESTED is about. */
static inline const struct tlb_needs *walk_host_needs(const struct walk *w)
{
    return w->guest_step != 0 ? &w->env->table_needs : &w->env->needs[w->access];
}

/*
 * SDM Vol. 3C "EPT Violations" (29.3.3.2): which of EPT's two execute permissions counts depends on whether guest
 * paging maps the linear address as a user-mode address, not on the CPL. For a data page TLB_HOST_X becomes that one.
 */
static inline uint64_t walk_host_rights(const struct walk *w, uint64_t host_payload)
{
    uint64_t executes = (w->leaf & TLB_GUEST_U) != 0 ? TLB_HOST_XU : TLB_HOST_X;
    return (host_payload & ~(uint64_t)TLB_HOST_X) | ((host_payload & executes) != 0 ? (uint64_t)TLB_HOST_X : 0);
}

static inline bool walk_host_allows(const struct walk *w, uint64_t host_payload)
{
    const struct tlb_needs *needs = walk_host_needs(w);
    uint64_t mask = needs->mask & (TLB_HOST_ALL | TLB_DIRTY);
    uint64_t rights = w->guest_step != 0 ? host_payload : walk_host_rights(w, host_payload);
    return (rights & mask) == (needs->want & mask);
}

/* Answers WALK_NESTED with the translation of w->gpa: a host payload of a page of `size` that allows the access. */
static inline enum walk_need walk_host_answer(struct walk *w, uint64_t host_payload, enum hv_page_size size)
{
    uint64_t address = tlb_entry_address(host_payload, w->gpa.v, hv_page_shift(size)).v;
    w->host_level = 0;
    w->host_size = size;
    if (w->guest_step != 0) {
        w->table_rights = host_payload;
        w->entry_gpa = w->gpa;
        w->read = (hv_hpa){address};
        return WALK_READ;
    }
    w->size = w->guest_size < (uint32_t)size ? w->guest_size : (uint32_t)size;
    uint64_t offset = hv_page_bytes((enum hv_page_size)w->size) - 1;
    uint64_t dirty = w->leaf & host_payload & TLB_DIRTY;
    uint64_t rights = walk_host_rights(w, host_payload) & TLB_HOST_ALL;
    w->result = (address & ~offset & TLB_FRAME_MASK) | (w->leaf & ~(uint64_t)TLB_DIRTY) | dirty |
                rights | (host_payload & UINT64_C(7) << TLB_MEMORY_TYPE_SHIFT) |
                (uint64_t)size << TLB_HOST_SIZE_SHIFT;
    return WALK_DONE;
}

/* The guest's leaf entry has been read and is valid: rights, flags, then the data page. */
static inline enum walk_need walk_guest_leaf(struct walk *w, uint64_t entry)
{
    const struct mmu_env *env = w->env;
    const struct tlb_needs *needs = &env->needs[w->access];
    uint64_t rights = w->guest.permission >> 1; /* RADIX_IA32E_W, _U, _X become TLB_GUEST_W, _U, _X */
    if ((rights & needs->mask & 7) != (needs->want & 7)) {
        return walk_guest_fault(w, HV_PF_PRESENT);
    }
    uint64_t flags = env->guest.accessed | (w->access == HV_STORE ? env->guest.dirty : 0);
    w->update = flags & ~entry;
    if (w->update != 0 && (w->table_rights & TLB_HOST_W) == 0) {
        return walk_table_not_writable(w);
    }
    bool dirty = ((entry | w->update) & env->guest.dirty) == env->guest.dirty;
    w->guest_size = w->guest.level - 1;
    w->leaf = rights | (dirty ? (uint64_t)TLB_DIRTY : 0) | ((entry & env->global_mask) != 0 ? (uint64_t)TLB_GLOBAL : 0) |
              (uint64_t)w->guest_size << TLB_GUEST_SIZE_SHIFT;
    w->guest_step = 0;
    uint64_t output = radix_output(&w->guest);
    if (w->nested) {
        w->gpa = (hv_gpa){output};
        return WALK_NESTED;
    }
    w->size = w->guest_size;
    w->result = (output & ~(hv_page_bytes((enum hv_page_size)w->size) - 1) & TLB_FRAME_MASK) | w->leaf | TLB_HOST_ALL |
                (uint64_t)w->size << TLB_HOST_SIZE_SHIFT;
    return WALK_DONE;
}

static inline enum walk_need walk_feed_guest(struct walk *w, uint64_t entry)
{
    switch (radix_feed(&w->guest, &w->env->guest, entry)) {
    case RADIX_TABLE:
        w->update = w->env->guest.accessed & ~entry;
        if (w->update != 0 && (w->table_rights & TLB_HOST_W) == 0) {
            return walk_table_not_writable(w);
        }
        if (__builtin_expect((entry & w->env->switch_bit) != 0 && !w->nested, 0)) {
            return walk_switch(w);
        }
        return walk_guest_entry(w);
    case RADIX_LEAF:
        return walk_guest_leaf(w, entry);
    case RADIX_NOT_PRESENT:
        return walk_guest_fault(w, 0);
    case RADIX_RESERVED:
        return walk_guest_fault(w, HV_PF_PRESENT | HV_PF_RESERVED);
    }
    __builtin_unreachable();
}

/* The payload that a finished host walk gives, before its dirty flag is known. */
static inline uint64_t walk_host_payload(const struct walk *w, uint64_t entry)
{
    const struct mmu_env *env = w->env;
    uint64_t frame = w->host.table & ~((UINT64_C(1) << radix_shift(w->host.level)) - 1);
    uint64_t type = env->host.format == RADIX_EPT ? entry >> RADIX_EPT_MEMORY_TYPE_SHIFT & 7 : 0;
    return frame | env->host_permission[w->host.permission] | type << TLB_MEMORY_TYPE_SHIFT;
}

static inline enum walk_need walk_feed_host(struct walk *w, uint64_t entry)
{
    const struct radix_mode *mode = &w->env->host;
    switch (radix_feed(&w->host, mode, entry)) {
    case RADIX_TABLE:
        w->update = mode->accessed & ~entry;
        w->host_level = w->host.level;
        w->read = (hv_hpa){radix_entry_address(&w->host)};
        return WALK_READ;
    case RADIX_LEAF: {
        uint64_t payload = walk_host_payload(w, entry);
        if (!walk_host_allows(w, payload | TLB_DIRTY)) {
            return walk_host_violation(w, true);
        }
        bool write = (walk_host_needs(w)->want & TLB_HOST_W) != 0;
        w->update = (mode->accessed | (write ? mode->dirty : 0)) & ~entry;
        bool dirty = ((entry | w->update) & mode->dirty) == mode->dirty;
        w->host_payload = payload | (dirty ? (uint64_t)TLB_DIRTY : 0);
        return walk_host_answer(w, w->host_payload, (enum hv_page_size)(w->host.level - 1));
    }
    case RADIX_NOT_PRESENT:
        return walk_host_violation(w, false);
    case RADIX_RESERVED:
        return walk_host_misconfig(w);
    }
    __builtin_unreachable();
}

/* Hands over the entry at w->read. */
static inline enum walk_need walk_feed(struct walk *w, uint64_t entry)
{
    w->update = 0;
    return w->host_level != 0 ? walk_feed_host(w, entry) : walk_feed_guest(w, entry);
}

#endif
