/* SPDX-License-Identifier: MIT */
/*
 * Descriptors and the hidden parts of segment registers: SDM Vol. 3A chapter 3 "Protected-Mode Memory Management" and
 * chapter 5 "Protection".
 */
#include "cpu/execute/operations.h"

enum {
    SELECTOR_RPL = 3, SELECTOR_TI = 4, TYPE_ACCESSED = 1, TYPE_WRITABLE = 2, TYPE_CONFORMING = 4, TYPE_CODE = 8,
    FLAT_CODE = CPU_AR_P | CPU_AR_S | CPU_AR_G | 11, FLAT_DATA = CPU_AR_P | CPU_AR_S | CPU_AR_G | CPU_AR_DB | 3,
};
#define FLAT_LIMIT 0xffffffffu

static unsigned dpl_of(const struct cpu_segment *s)
{
    return s->access_rights >> CPU_AR_DPL_SHIFT & 3;
}

enum cpu_end cpu_selector_fault(struct processor *p, enum cpu_vector vector, uint16_t selector)
{
    return processor_raise_code(p, vector, (uint32_t)(selector & ~SELECTOR_RPL) | p->progress.external);
}

bool cpu_read_descriptor(struct processor *p, uint16_t selector, enum cpu_vector vector, struct cpu_descriptor *d,
                         enum cpu_end *end)
{
    const struct cpu_segment *ldtr = &p->state.segments[CPU_LDTR];
    bool local = (selector & SELECTOR_TI) != 0;
    bool usable = !local || (ldtr->access_rights & CPU_AR_UNUSABLE) == 0;
    uint32_t limit = local ? ldtr->limit : p->state.gdtr.limit;
    if (!usable || (selector | 7u) > limit) {
        *end = cpu_selector_fault(p, vector, selector);
        return false;
    }
    d->address = (local ? ldtr->base : p->state.gdtr.base) + (selector & ~7u);
    d->high = 0;
    return cpu_access_system(p, (hv_gva){d->address}, HV_LOAD, &d->low, sizeof(d->low), end);
}

bool cpu_read_descriptor_high(struct processor *p, struct cpu_descriptor *d, enum cpu_end *end)
{
    return cpu_access_system(p, (hv_gva){d->address + sizeof(d->low)}, HV_LOAD, &d->high, sizeof(d->high), end);
}

struct cpu_segment cpu_segment_from(uint16_t selector, const struct cpu_descriptor *d)
{
    uint32_t limit = (uint32_t)(d->low & UINT16_MAX) | (uint32_t)(d->low >> 48 & 15) << 16;
    uint32_t rights = (uint32_t)(d->low >> 40 & 0xf0ff);
    return (struct cpu_segment){
        .base = (d->low >> 16 & 0xffffff) | d->low >> 56 << 24 | d->high << 32,
        .limit = (rights & CPU_AR_G) != 0 ? limit << 12 | 0xfff : limit,
        .access_rights = rights,
        .selector = selector,
    };
}

/* The accessed bit of a code or data descriptor, as loading it sets. */
static bool mark_accessed(struct processor *p, struct cpu_descriptor *d, struct cpu_segment *s, enum cpu_end *end)
{
    if ((s->access_rights & TYPE_ACCESSED) != 0) {
        return true;
    }
    s->access_rights |= TYPE_ACCESSED;
    uint8_t rights = (uint8_t)s->access_rights;
    return cpu_access_system(p, (hv_gva){d->address + 5}, HV_STORE, &rights, sizeof(rights), end);
}

/* A null SS is allowed in 64-bit mode below CPL 3; its DPL still says the CPL. */
static bool null_ss(struct processor *p, uint16_t selector, unsigned cpl, struct cpu_segment *ss, enum cpu_end *end)
{
    if (!cpu_long_mode(&p->state) || cpl == 3 || (selector & SELECTOR_RPL) != cpl) {
        *end = processor_raise_code(p, CPU_GP, p->progress.external);
        return false;
    }
    *ss = (struct cpu_segment){.access_rights = CPU_AR_UNUSABLE | cpl << CPU_AR_DPL_SHIFT, .selector = selector};
    return true;
}

bool cpu_check_ss(struct processor *p, uint16_t selector, unsigned cpl, struct cpu_segment *ss, enum cpu_end *end)
{
    struct cpu_descriptor d;
    if ((selector & ~SELECTOR_RPL) == 0) {
        return null_ss(p, selector, cpl, ss, end);
    }
    if (!cpu_read_descriptor(p, selector, CPU_GP, &d, end)) {
        return false;
    }
    *ss = cpu_segment_from(selector, &d);
    uint32_t kind = ss->access_rights & (CPU_AR_S | TYPE_CODE | TYPE_WRITABLE);
    if ((selector & SELECTOR_RPL) != cpl || dpl_of(ss) != cpl || kind != (CPU_AR_S | TYPE_WRITABLE)) {
        *end = cpu_selector_fault(p, CPU_GP, selector);
        return false;
    }
    if ((ss->access_rights & CPU_AR_P) == 0) {
        *end = cpu_selector_fault(p, CPU_SS_FAULT, selector);
        return false;
    }
    return mark_accessed(p, &d, ss, end);
}

bool cpu_load_ss(struct processor *p, uint16_t selector, unsigned cpl, enum cpu_end *end)
{
    struct cpu_segment *to = &p->state.segments[CPU_SS], ss;
    if (!cpu_protected_mode(&p->state) || cpu_virtual_8086(&p->state)) {
        to->selector = selector;
        to->base = (uint64_t)selector << 4;
        return true;
    }
    if (!cpu_check_ss(p, selector, cpl, &ss, end)) {
        return false;
    }
    *to = ss;
    return true;
}

bool cpu_check_return_cs(struct processor *p, uint16_t selector, struct cpu_segment *cs, enum cpu_end *end)
{
    struct cpu_descriptor d;
    unsigned rpl = selector & SELECTOR_RPL;
    if ((selector & ~SELECTOR_RPL) == 0) {
        *end = cpu_gp(p);
        return false;
    }
    if (!cpu_read_descriptor(p, selector, CPU_GP, &d, end)) {
        return false;
    }
    *cs = cpu_segment_from(selector, &d);
    bool code = (cs->access_rights & (CPU_AR_S | TYPE_CODE)) == (CPU_AR_S | TYPE_CODE);
    bool conforming = (cs->access_rights & TYPE_CONFORMING) != 0;
    bool both = (cs->access_rights & CPU_AR_L) != 0 && (cs->access_rights & CPU_AR_DB) != 0;
    if (!code || rpl < cpu_cpl(&p->state) || (conforming ? dpl_of(cs) > rpl : dpl_of(cs) != rpl) ||
        (both && cpu_long_mode(&p->state))) {
        *end = cpu_selector_fault(p, CPU_GP, selector);
        return false;
    }
    if ((cs->access_rights & CPU_AR_P) == 0) {
        *end = cpu_selector_fault(p, CPU_NP, selector);
        return false;
    }
    return mark_accessed(p, &d, cs, end);
}

static struct cpu_segment flat(uint16_t selector, uint32_t rights)
{
    return (struct cpu_segment){.limit = FLAT_LIMIT, .access_rights = rights, .selector = selector};
}

void cpu_flat_code(struct processor *p, uint16_t selector, unsigned cpl, bool is_64_bit)
{
    uint32_t width = is_64_bit ? CPU_AR_L : CPU_AR_DB, rights = (uint32_t)FLAT_CODE | cpl << CPU_AR_DPL_SHIFT | width;
    p->state.segments[CPU_CS] = flat(selector, rights);
}

void cpu_flat_stack(struct processor *p, uint16_t selector, unsigned cpl)
{
    uint32_t rights = (uint32_t)FLAT_DATA | cpl << CPU_AR_DPL_SHIFT;
    p->state.segments[CPU_SS] = flat(selector, rights);
}
