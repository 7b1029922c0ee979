/* SPDX-License-Identifier: MIT */
#include "oracle.h"

#include <stdlib.h>
#include <string.h>

/* Why a guest-physical address is translated. */
enum purpose { READ_GUEST_ENTRY, WRITE_GUEST_ENTRY, ACCESS_DATA };

struct oracle {
    const struct oracle_machine *m;
    struct oracle_answer *a;
    uint64_t gva;
    enum hv_access_kind access;
    bool guest_w, guest_u, guest_x; /* of the linear address, once guest paging has been through */
};

/* What the second level gives for a guest-physical address. */
struct host_page {
    uint64_t address;
    unsigned level;
    bool r, w, x, xu;
};

static bool bit(uint64_t value, unsigned n)
{
    return (value >> n & 1) != 0;
}

/* Is any of bits high..low set? */
static bool any(uint64_t value, unsigned high, unsigned low)
{
    for (unsigned n = low; n <= high; n++) {
        if (bit(value, n)) {
            return true;
        }
    }
    return false;
}

static uint64_t frame_of(uint64_t entry)
{
    return entry & UINT64_C(0x000ffffffffff000);
}

static unsigned page_bits(unsigned level)
{
    return level == 1 ? 12 : level == 2 ? 21 : 30;
}

static uint64_t index_of(uint64_t address, unsigned level)
{
    static const unsigned low_bit[] = {0, 12, 21, 30, 39, 48};
    return address >> low_bit[level] & 0x1ff;
}

/* An entry as memory holds it, with the flags that this very translation has set in it before. */
static uint64_t read_entry(struct oracle *o, uint64_t address)
{
    uint64_t entry = o->m->read(o->m->ctx, address);
    for (size_t i = 0; i < o->a->write_count; i++) {
        entry |= o->a->writes[i].address == address ? o->a->writes[i].bits : 0;
    }
    o->a->refs++;
    return entry;
}

static void write_flags(struct oracle *o, uint64_t address, uint64_t bits)
{
    if (o->a->write_count == ORACLE_MAX_WRITES) {
        abort();
    }
    o->a->writes[o->a->write_count++] = (struct oracle_write){address, bits};
}

static bool fault(struct oracle *o, enum hv_fault_kind kind, unsigned level, uint64_t gpa, uint64_t code)
{
    bool host = kind == HV_FAULT_VIOLATION || kind == HV_FAULT_MISCONFIG || kind == HV_FAULT_NESTED_PAGE;
    o->a->fault = (struct hv_fault){
        .kind = (uint8_t)kind,
        .dimension = host ? HV_HOST : HV_GUEST,
        .level = (uint8_t)level,
        .access = (uint8_t)o->access,
        .gva = {o->gva},
        .gpa = {gpa},
        .error_code = code,
    };
    return false;
}

/* --- Second level: EPT ------------------------------------------------------------------------------------------ */

/*
 * Table 28-7. Bits 2:0: data read, data write, fetch; with EPT's accessed and dirty flags, an access to a guest
 * paging-structure entry sets both bits 0 and 1. Bits 5:3 (and 6): the AND of the permissions of the entries used.
 * Bit 7: the linear address is valid. Bit 8: the access was to the translation of the linear address, and then bits
 * 11:9 are: user-mode address, read/write page, execute-disable page.
 */
static bool ept_violation(struct oracle *o, enum purpose purpose, uint64_t gpa, const struct host_page *page)
{
    uint64_t q = 0;
    if (purpose == WRITE_GUEST_ENTRY) {
        q = 2;
    } else if (purpose == READ_GUEST_ENTRY) {
        q = bit(o->m->eptp, 6) ? 3 : 1;
    } else {
        q = o->access == HV_LOAD ? 1 : o->access == HV_STORE ? 2 : 4;
    }
    q |= page->r ? 1u << 3 : 0;
    q |= page->w ? 1u << 4 : 0;
    q |= page->x ? 1u << 5 : 0;
    q |= page->xu && o->m->mode_based_execute ? 1u << 6 : 0;
    q |= 1u << 7;
    if (purpose == ACCESS_DATA) {
        q |= 1u << 8;
        q |= o->guest_u ? 1u << 9 : 0;
        q |= o->guest_w ? 1u << 10 : 0;
        q |= o->guest_x ? 0 : 1u << 11;
    }
    return fault(o, HV_FAULT_VIOLATION, page->level, gpa, q);
}

/* "EPT Misconfigurations", of an entry that is present. */
static bool ept_misconfigured(const struct oracle *o, uint64_t entry, unsigned level, bool leaf)
{
    bool r = bit(entry, 0), w = bit(entry, 1), x = bit(entry, 2), xu = bit(entry, 10);
    if (w && !r) {
        return true;
    }
    if (!o->m->ept_execute_only && !r && (x || (o->m->mode_based_execute && xu))) {
        return true;
    }
    if (o->m->maxphyaddr < 52 && any(entry, 51, o->m->maxphyaddr)) {
        return true;
    }
    if (!leaf) { /* PML5E, PML4E: bits 7:3; PDPTE and PDE that reference a table: bits 6:3 (bit 7 is 0) */
        return any(entry, 7, 3);
    }
    unsigned type = (unsigned)(entry >> 3) & 7;
    if (type == 2 || type == 3 || type == 7) {
        return true;
    }
    return level > 1 && any(entry, page_bits(level) - 1, 12);
}

/* "EPT Violations": what the access needs of the AND of all entries. */
static bool ept_allows(const struct oracle *o, enum purpose purpose, const struct host_page *page)
{
    if (purpose == WRITE_GUEST_ENTRY) {
        return page->w;
    }
    if (purpose == READ_GUEST_ENTRY) {
        return page->r && (page->w || !bit(o->m->eptp, 6)); /* treated as a write with EPT's flags on */
    }
    if (o->access == HV_FETCH) {
        /* Mode-based execute control: by whether paging maps the linear address as a user-mode address. */
        return o->m->mode_based_execute && o->guest_u ? page->xu : page->x;
    }
    return o->access == HV_STORE ? page->w : page->r;
}

static bool ept_walk(struct oracle *o, enum purpose purpose, uint64_t gpa, uint64_t table, unsigned level,
                     struct host_page *page)
{
    bool flags = bit(o->m->eptp, 6);
    uint64_t address = table + 8 * index_of(gpa, level);
    uint64_t entry = read_entry(o, address);
    page->level = level;
    if (!any(entry, 2, 0) && !(o->m->mode_based_execute && bit(entry, 10))) {
        page->r = page->w = page->x = page->xu = false;
        return ept_violation(o, purpose, gpa, page);
    }
    bool leaf = level == 1 || (level <= 3 && bit(entry, 7));
    if (ept_misconfigured(o, entry, level, leaf)) {
        return fault(o, HV_FAULT_MISCONFIG, level, gpa, 0);
    }
    page->r &= bit(entry, 0);
    page->w &= bit(entry, 1);
    page->x &= bit(entry, 2);
    page->xu &= bit(entry, 10);
    if (!leaf) {
        if (flags && !bit(entry, 8)) {
            write_flags(o, address, UINT64_C(1) << 8);
        }
        return ept_walk(o, purpose, gpa, frame_of(entry), level - 1, page);
    }
    if (!ept_allows(o, purpose, page)) {
        return ept_violation(o, purpose, gpa, page);
    }
    bool write = purpose != ACCESS_DATA || o->access == HV_STORE;
    uint64_t wanted = flags ? (UINT64_C(1) << 8 | (write ? UINT64_C(1) << 9 : 0)) : 0;
    if ((wanted & ~entry) != 0) {
        write_flags(o, address, wanted & ~entry);
    }
    uint64_t inside = (UINT64_C(1) << page_bits(level)) - 1;
    page->address = (frame_of(entry) & ~inside) | (gpa & inside);
    return true;
}

/* --- Second level: NPT ------------------------------------------------------------------------------------------ */

/*
 * APM 15.25.6, EXITINFO1: P, RW (accesses to guest tables are always writes), US (always a user access), RSV, ID of
 * the nested access; bit 32: on the final address; bit 33: on a guest page table.
 */
static bool nested_page_fault(struct oracle *o, enum purpose purpose, uint64_t gpa, unsigned level, uint64_t why)
{
    uint64_t info = why | 1u << 2;
    if (purpose == ACCESS_DATA) {
        info |= o->access == HV_STORE ? 1u << 1 : 0;
        info |= o->access == HV_FETCH ? 1u << 4 : 0;
        info |= UINT64_C(1) << 32;
    } else {
        info |= 1u << 1 | UINT64_C(1) << 33;
    }
    return fault(o, HV_FAULT_NESTED_PAGE, level, gpa, info);
}

static bool ia32e_reserved(const struct oracle *o, uint64_t entry, unsigned level, bool leaf, bool xd_legal);

static bool npt_walk(struct oracle *o, enum purpose purpose, uint64_t gpa, uint64_t table, unsigned level,
                     struct host_page *page)
{
    uint64_t address = table + 8 * index_of(gpa, level);
    uint64_t entry = read_entry(o, address);
    if (!bit(entry, 0)) {
        return nested_page_fault(o, purpose, gpa, level, 0);
    }
    bool leaf = level == 1 || (level <= 3 && bit(entry, 7));
    if (ia32e_reserved(o, entry, level, leaf, true)) {
        return nested_page_fault(o, purpose, gpa, level, 1 | 1u << 3);
    }
    page->w &= bit(entry, 1);
    page->r &= bit(entry, 2); /* here: usable by user accesses, which all nested accesses are */
    page->x &= !bit(entry, 63);
    if (!leaf) {
        if (!bit(entry, 5)) {
            write_flags(o, address, 1u << 5);
        }
        return npt_walk(o, purpose, gpa, frame_of(entry), level - 1, page);
    }
    bool write = purpose != ACCESS_DATA || o->access == HV_STORE;
    bool fetch = purpose == ACCESS_DATA && o->access == HV_FETCH;
    if (!page->r || (write && !page->w) || (fetch && !page->x)) {
        return nested_page_fault(o, purpose, gpa, level, 1);
    }
    uint64_t wanted = 1u << 5 | (write ? 1u << 6 : 0);
    if ((wanted & ~entry) != 0) {
        write_flags(o, address, wanted & ~entry);
    }
    uint64_t inside = (UINT64_C(1) << page_bits(level)) - 1;
    page->address = (frame_of(entry) & ~inside) | (gpa & inside);
    page->level = level;
    return true;
}

static bool host_translate(struct oracle *o, enum purpose purpose, uint64_t gpa, struct host_page *page)
{
    unsigned levels = (unsigned)(o->m->eptp >> 3 & 7) + 1;
    *page = (struct host_page){.level = levels, .r = true, .w = true, .x = true, .xu = true};
    return o->m->npt ? npt_walk(o, purpose, gpa, frame_of(o->m->eptp), levels, page)
                     : ept_walk(o, purpose, gpa, frame_of(o->m->eptp), levels, page);
}

/* --- First level: 4-level and 5-level paging -------------------------------------------------------------------- */

/* 4.7: the error code. `why` has P and RSVD. */
static bool page_fault(struct oracle *o, unsigned level, uint64_t why)
{
    bool nxe = bit(o->m->efer, 11), smep = bit(o->m->cr4, 20);
    uint64_t code = why;
    code |= o->access == HV_STORE ? 1u << 1 : 0;
    code |= o->m->user ? 1u << 2 : 0;
    code |= o->access == HV_FETCH && (smep || nxe) ? 1u << 4 : 0;
    return fault(o, HV_FAULT_PAGE, level, 0, code);
}

/* Tables 4-14 to 4-20: is a reserved bit of a present entry set? */
static bool ia32e_reserved(const struct oracle *o, uint64_t entry, unsigned level, bool leaf, bool xd_legal)
{
    if (bit(entry, 63) && !xd_legal) {
        return true;
    }
    if (o->m->maxphyaddr < 52 && any(entry, 51, o->m->maxphyaddr)) {
        return true;
    }
    if (leaf) {
        return level > 1 && any(entry, page_bits(level) - 1, 13); /* bit 12 is PAT */
    }
    return bit(entry, 7); /* PS where no large page exists */
}

/* "Determination of Access Rights" (4.6.1), in the order of its bullets. */
static bool guest_allows(const struct oracle *o)
{
    bool wp = bit(o->m->cr0, 16), smep = bit(o->m->cr4, 20), smap = bit(o->m->cr4, 21), ac = bit(o->m->rflags, 18);
    if (o->m->user) {
        return o->guest_u && (o->access != HV_STORE || o->guest_w) && (o->access != HV_FETCH || o->guest_x);
    }
    switch (o->access) {
    case HV_LOAD:
        return !o->guest_u || !smap || ac;
    case HV_STORE:
        return (!o->guest_u || !smap || ac) && (o->guest_w || !wp);
    case HV_FETCH:
    default:
        return (!o->guest_u || !smep) && o->guest_x;
    }
}

/*
 * Sets flags in a guest entry, which lies on `page` of the second level: a write, whose translation may forbid it.
 * (With NPT, and with EPT's flags on, the read has needed write permission already.)
 */
static bool guest_flags(struct oracle *o, uint64_t entry_gpa, uint64_t address, uint64_t bits,
                        const struct host_page *page)
{
    if (bits == 0) {
        return true;
    }
    if (o->m->nested && !page->w) {
        return ept_violation(o, WRITE_GUEST_ENTRY, entry_gpa, page);
    }
    write_flags(o, address, bits);
    return true;
}

static bool guest_walk(struct oracle *o, uint64_t table, unsigned level)
{
    uint64_t entry_gpa = table + 8 * index_of(o->gva, level);
    struct host_page page = {.address = entry_gpa};
    if (o->m->nested && !host_translate(o, READ_GUEST_ENTRY, entry_gpa, &page)) {
        return false;
    }
    uint64_t entry = read_entry(o, page.address);
    if (!bit(entry, 0)) {
        return page_fault(o, level, 0);
    }
    bool leaf = level == 1 || (bit(entry, 7) && (level == 2 || (level == 3 && o->m->guest_1g)));
    if (ia32e_reserved(o, entry, level, leaf, bit(o->m->efer, 11))) {
        return page_fault(o, level, 1 | 1u << 3);
    }
    o->guest_w &= bit(entry, 1);
    o->guest_u &= bit(entry, 2);
    o->guest_x &= !bit(entry, 63);
    uint64_t accessed = 1u << 5, dirty = leaf && o->access == HV_STORE ? 1u << 6 : 0;
    if (leaf && !guest_allows(o)) {
        return page_fault(o, level, 1);
    }
    if (!guest_flags(o, entry_gpa, page.address, (accessed | dirty) & ~entry, &page)) {
        return false;
    }
    if (!leaf) {
        return guest_walk(o, frame_of(entry), level - 1);
    }
    uint64_t inside = (UINT64_C(1) << page_bits(level)) - 1;
    uint64_t address = (frame_of(entry) & ~inside) | (o->gva & inside);
    page = (struct host_page){.address = address, .level = level};
    if (o->m->nested && !host_translate(o, ACCESS_DATA, address, &page)) {
        return false;
    }
    o->a->address = page.address;
    o->a->size = (page.level < level ? page.level : level) - 1;
    return true;
}

void oracle_translate(const struct oracle_machine *machine, hv_gva gva, enum hv_access_kind access,
                      struct oracle_answer *answer)
{
    answer->refs = 0;
    answer->write_count = 0;
    answer->fault.kind = HV_FAULT_NONE;
    struct oracle o = {machine, answer, gva.v, access, true, true, true};
    /* Canonical: bits 63:47 (63:56 with 5-level paging) are all 0 or all 1. */
    bool la57 = bit(machine->cr4, 12);
    uint64_t top = gva.v >> (la57 ? 56 : 47), all_ones = UINT64_MAX >> (la57 ? 56 : 47);
    if (top != 0 && top != all_ones) {
        (void)fault(&o, HV_FAULT_NON_CANONICAL, 0, 0, 0);
        return;
    }
    (void)guest_walk(&o, frame_of(machine->cr3), la57 ? 5 : 4);
}
