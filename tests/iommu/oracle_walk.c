/* SPDX-License-Identifier: MIT */
/*
 * First-stage, second-stage and nested translation. VT-d 3.6 "First-Stage Translation", 3.7 "Second-Stage
 * Translation", 3.8 "Nested Translation", 9.7 and 9.8 for the entries, 7.1.3 for the fault conditions.
 */
#include "oracle_parts.h"

enum { READ = 1, WRITE = 2 };

/* A walk that is under way. */
struct walk {
    struct oracle *o;
    const struct oracle_tables *t;
    const struct iommu_request *request;
    struct oracle_answer *answer;
    bool stopped;        /* by a fault */
    bool denied;         /* there is a fault, but what comes later may be reported as well */
    unsigned have;       /* what the second stage allowed last */
    unsigned dirty_flag; /* and which flag of the answer is the dirty flag of its leaf; ORACLE_FLAGS: none */
};

/* What the second stage is asked for. */
struct wish {
    uint64_t address;
    bool first_entry; /* of nested translation: an entry of the first stage lies there */
    bool top;         /* that of the first table */
};

bool oracle_is_interrupt_address(uint64_t address)
{
    return address >> 20 == 0xfee;
}

bool oracle_is_read_only(const struct oracle *o, uint64_t address, uint64_t bytes)
{
    uint64_t end = o->caps.rom_base + o->caps.rom_bytes;
    return o->caps.rom_bytes != 0 && address < end && address + bytes > o->caps.rom_base;
}

static void fault(struct walk *w, uint8_t reason)
{
    oracle_fault(w->answer->faults, reason);
}

static void stop(struct walk *w, uint8_t reason)
{
    fault(w, reason);
    w->stopped = true;
}

static void flag(struct walk *w, uint64_t address, uint64_t bits, bool must)
{
    struct oracle_answer *a = w->answer;
    if (bits != 0 && a->flag_count < ORACLE_FLAGS) {
        a->flags[a->flag_count++] = (struct oracle_flag){address, bits, must};
    }
}

/*
 * A flag that has to be set now, which walks without snooping cannot do (SFS.9, SSS.5), and nobody where memory cannot
 * be written (SFS.10, SSS.6).
 */
static void update(struct walk *w, uint64_t at, uint64_t entry, uint64_t bits, bool first)
{
    bool read_only = oracle_is_read_only(w->o, at, 8);
    if ((entry & bits) != bits && (!w->t->snoop || read_only)) {
        fault(w, w->t->snoop ? (first ? 0x91 : 0x7d) : (first ? 0x90 : 0x7c));
        w->denied = w->denied || w->o->exact; /* what is cached needs no update any more */
        w->answer->open = true;
    }
}

/* What may be reported when the first stage's entry at a place of the second stage cannot be read. */
static void not_readable(struct walk *w, const struct wish *wish)
{
    if (wish->first_entry) {
        fault(w, wish->top ? 0x75 : 0x76); /* SFS.6, SFS.7 */
    }
}

/* --- The second stage -------------------------------------------------------------------------------------------- */

static bool second_reserved(const struct oracle *o, uint64_t entry, unsigned level, bool leaf)
{
    uint64_t reserved = ~(UINT64_MAX >> (64 - o->caps.haw)) & (UINT64_MAX >> 12);
    if (!leaf || !oracle_has(&o->caps, ORACLE_SC)) {
        reserved |= UINT64_C(1) << 11;
    }
    if (level >= 4) {
        reserved |= 1u << 7;
    } else if (level > 1 && leaf) {
        bool supported = oracle_has(&o->caps, 32 + level); /* SSLPS: 34 for 2 MiB, 35 for 1 GiB */
        reserved |= supported ? (UINT64_C(1) << (12 + 9 * (level - 1))) - 0x1000 : 1u << 7;
    }
    return (entry & reserved) != 0;
}

static bool writes(const struct walk *w, const struct wish *wish)
{
    return !wish->first_entry && w->request->access == IOMMU_WRITE;
}

/*
 * Which permission is missing, if the walk stopped to look. An entry that allows nothing is not present (SSS.2);
 * whether entries that together allow nothing are is left open.
 */
static void second_permission(struct walk *w, const struct wish *wish, unsigned have, bool present)
{
    bool write = writes(w, wish);
    if (!w->t->scalable) {
        fault(w, write ? 0x05 : 0x06);
        return;
    }
    not_readable(w, wish);
    if (have == 0) {
        fault(w, 0x79);
    }
    if (present) {
        fault(w, write ? 0x85 : 0x86);
    }
}

/* One level: the entry, or a fault. */
static uint64_t second_entry(struct walk *w, const struct wish *wish, uint64_t address, unsigned level, bool *leaf)
{
    bool scalable = w->t->scalable;
    struct oracle_value v;
    if (!oracle_read(w->o, address, 1, &v)) {
        bool top = level == w->t->second_levels;
        stop(w, scalable ? (top ? 0x7b : 0x78) : (top ? 0x03 : 0x07));
        return 0;
    }
    uint64_t entry = v.word[0];
    *leaf = level == 1 || (level <= 3 && oracle_bit(entry, 7));
    if ((entry & (READ | WRITE)) == 0) {
        oracle_not_cached(w->o, &v);
        second_permission(w, wish, 0, false);
        w->stopped = true;
        return 0;
    }
    if (second_reserved(w->o, entry, level, *leaf)) {
        oracle_not_cached(w->o, &v);
        stop(w, scalable ? 0x7a : 0x0c);
        return 0;
    }
    struct oracle_place place = {w->t->domain, w->t->pasid, w->request->address, false, w->t->first, *leaf};
    if (v.until != ORACLE_NEVER && oracle_paging_end(w->o, v.until, &place) != ORACLE_NEVER) {
        w->o->impossible = true;
    }
    return entry;
}

/* MGAW and the width of the tables. */
static bool second_too_wide(const struct oracle *o, const struct oracle_tables *t, uint64_t address)
{
    unsigned width = 12 + 9 * t->second_levels, mgaw = oracle_mgaw(&o->caps);
    return address >> (width < mgaw ? width : mgaw) != 0;
}

/* The dirty flag; of a page with first-stage tables it is known only later whether it has to be set. */
static void second_leaf(struct walk *w, const struct wish *wish, uint64_t at, unsigned have)
{
    w->have = have;
    w->dirty_flag = ORACLE_FLAGS;
    if (w->t->ssade && (wish->first_entry || w->request->access == IOMMU_WRITE)) {
        w->dirty_flag = w->answer->flag_count;
        flag(w, at, 1u << 9, !wish->first_entry);
    }
}

static uint64_t second_stage(struct walk *w, const struct wish *wish)
{
    const struct oracle_tables *t = w->t;
    if (second_too_wide(w->o, t, wish->address)) {
        stop(w, t->first ? 0x74 : t->scalable ? 0x84 : 0x04); /* SFS.5, SGN.5, LGN.1 */
        return 0;
    }
    uint64_t table = t->second_root;
    unsigned have = READ | WRITE;
    bool leaf = false;
    for (unsigned level = t->second_levels;; level--) {
        unsigned shift = 12 + 9 * (level - 1);
        uint64_t at = table + 8 * (wish->address >> shift & 511);
        uint64_t entry = second_entry(w, wish, at, level, &leaf);
        if (w->stopped || w->o->impossible) {
            return 0;
        }
        have &= (unsigned)entry;
        bool allowed = (have & (writes(w, wish) ? WRITE : READ)) != 0;
        if (!allowed) {
            second_permission(w, wish, have, true);
        }
        if (t->ssade) {
            flag(w, at, 1u << 8, true);
            update(w, at, entry, 1u << 8 | (leaf && allowed && writes(w, wish) ? 1u << 9 : 0), false);
        }
        if (leaf) {
            second_leaf(w, wish, at, have);
            w->stopped = !allowed;
            uint64_t mask = (UINT64_C(1) << shift) - 1;
            if (!wish->first_entry && shift < w->answer->size_shift) {
                w->answer->size_shift = shift;
            }
            return (entry & (UINT64_MAX >> 12) & ~UINT64_C(0xfff) & ~mask) | (wish->address & mask);
        }
        table = entry & (UINT64_MAX >> 12) & ~UINT64_C(0xfff);
    }
}

/* --- The first stage --------------------------------------------------------------------------------------------- */

static bool first_reserved(const struct oracle *o, uint64_t entry, unsigned level)
{
    uint64_t reserved = ~(UINT64_MAX >> (64 - o->caps.haw)) & (UINT64_MAX >> 12);
    if (level >= 4 || (level == 3 && !oracle_has(&o->caps, ORACLE_FS1GP))) {
        reserved |= 1u << 7;
    } else if (level > 1 && oracle_bit(entry, 7)) {
        reserved |= (UINT64_C(1) << (12 + 9 * (level - 1))) - 0x2000; /* bit 12 is PAT */
    }
    return (entry & reserved) != 0;
}

static void first_permission(struct walk *w, bool user_page, bool writable, bool no_execute)
{
    enum iommu_access access = w->request->access;
    if (w->t->user && !user_page) {
        fault(w, 0x81); /* SGN.2 */
    }
    if (access == IOMMU_WRITE && !writable && (w->t->user || w->t->wpe)) {
        fault(w, 0x85); /* SGN.6 */
    }
    if (access == IOMMU_EXECUTE && no_execute && w->t->nxe) {
        fault(w, 0x82); /* SGN.3 */
    }
}

static bool first_allowed(const struct walk *w, bool user_page, bool writable, bool no_execute)
{
    enum iommu_access access = w->request->access;
    return (!w->t->user || user_page) && (access != IOMMU_WRITE || writable || (!w->t->user && !w->t->wpe)) &&
           (access != IOMMU_EXECUTE || !no_execute || !w->t->nxe);
}

/* The entry at an address of the first stage's tables, and the host address where it lies. */
static uint64_t first_entry(struct walk *w, uint64_t at, unsigned level, uint64_t *host)
{
    bool top = level == w->t->first_levels;
    *host = at;
    struct oracle_value v;
    if (w->t->second) {
        struct wish wish = {at, true, top};
        *host = second_stage(w, &wish);
        if (w->stopped || w->o->impossible) {
            return 0;
        }
    }
    if (!oracle_read(w->o, *host, 1, &v)) {
        stop(w, top ? 0x73 : 0x70); /* SFS.4, SFS.1 */
        return 0;
    }
    uint64_t entry = v.word[0];
    if (!oracle_bit(entry, 0)) {
        oracle_not_cached(w->o, &v);
        stop(w, 0x71);
        return 0;
    }
    if (first_reserved(w->o, entry, level)) {
        oracle_not_cached(w->o, &v);
        if (w->t->second) {
            fault(w, 0x74); /* an address beyond what the second stage takes */
        }
        stop(w, 0x72);
        return 0;
    }
    bool leaf = level == 1 || (level <= 3 && oracle_bit(entry, 7));
    struct oracle_place place = {w->t->domain, w->t->pasid, w->request->address, true, w->t->second, leaf};
    if (v.until != ORACLE_NEVER && oracle_paging_end(w->o, v.until, &place) != ORACLE_NEVER) {
        w->o->impossible = true;
    }
    return entry;
}

/* The flags of an entry that lies at `host`. Setting them is a write, which the second stage has to allow (SFS.8). */
static void first_flags(struct walk *w, uint64_t host, uint64_t entry, bool leaf)
{
    uint64_t bits = 1u << 5 | (w->t->eafe ? 1u << 10 : 0) | (leaf && w->request->access == IOMMU_WRITE ? 1u << 6 : 0);
    bool lacks = (entry & bits) != bits;
    flag(w, host, bits, true);
    update(w, host, entry, bits, true);
    if (!w->t->second) {
        return;
    }
    if ((w->have & WRITE) == 0) {
        /* Whether flags that are set already need the permission to set them is left open. */
        fault(w, 0x77);
        w->stopped = w->stopped || (lacks && w->o->exact);
        w->answer->open = true;
    } else if (lacks && w->dirty_flag < ORACLE_FLAGS) {
        w->answer->flags[w->dirty_flag].must = true;
    }
}

static uint64_t first_stage(struct walk *w)
{
    const struct oracle_tables *t = w->t;
    uint64_t address = w->request->address, table = t->first_root;
    unsigned sign = 12 + 9 * t->first_levels - 1;
    if (address >> sign != 0 && address >> sign != UINT64_MAX >> sign) {
        stop(w, 0x80);
        return 0;
    }
    bool user_page = true, writable = true, no_execute = false;
    for (unsigned level = t->first_levels;; level--) {
        unsigned shift = 12 + 9 * (level - 1);
        uint64_t at = table + 8 * (address >> shift & 511), host;
        uint64_t entry = first_entry(w, at, level, &host);
        if (w->stopped || w->o->impossible) {
            return 0;
        }
        user_page = user_page && oracle_bit(entry, 2);
        writable = writable && oracle_bit(entry, 1);
        no_execute = no_execute || oracle_bit(entry, 63);
        first_permission(w, user_page, writable, no_execute);
        bool leaf = level == 1 || (level <= 3 && oracle_bit(entry, 7));
        bool allowed = first_allowed(w, user_page, writable, no_execute);
        first_flags(w, host, entry, leaf);
        if (w->stopped) {
            return 0;
        }
        uint64_t mask = (UINT64_C(1) << shift) - 1;
        if (leaf) {
            w->denied = !allowed;
            w->answer->size_shift = shift < w->answer->size_shift ? shift : w->answer->size_shift;
            return (entry & (UINT64_MAX >> 12) & ~UINT64_C(0xfff) & ~mask) | (address & mask);
        }
        table = entry & (UINT64_MAX >> 12) & ~UINT64_C(0xfff);
    }
}

void oracle_walk(struct oracle *o, const struct oracle_tables *tables, const struct iommu_request *request,
                 struct oracle_answer *answer)
{
    struct walk w = {o, tables, request, answer, false, false, 0, ORACLE_FLAGS};
    uint64_t address = request->address;
    answer->size_shift = 63;
    if (tables->first) {
        address = first_stage(&w);
    }
    if (tables->second && !w.stopped && !o->impossible) {
        struct wish wish = {address, false, false};
        address = second_stage(&w, &wish);
    }
    w.stopped = w.stopped || w.denied;
    if (!w.stopped && oracle_is_interrupt_address(address)) {
        stop(&w, tables->scalable ? 0x87 : 0x0e);
    }
    answer->ok = !w.stopped;
    answer->address = address;
    for (unsigned f = 0; f < answer->flag_count && w.stopped; f++) {
        answer->flags[f].must = false;
    }
}
