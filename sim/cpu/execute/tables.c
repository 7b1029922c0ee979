/* SPDX-License-Identifier: MIT */
/*
 * LGDT, LIDT, SGDT, SIDT, LLDT, LTR, SLDT and STR. A guest executes them on its own registers unless "descriptor-table
 * exiting" is 1: ring aliasing without a trace of the host.
 */
#include "cpu/execute/operations.h"

#include <string.h>

enum { LIMIT_BYTES = 2, TYPE_LDT = 2, TYPE_TSS_16 = 1, TYPE_TSS = 9, TYPE_BUSY = 2, SELECTOR_TI = 4, RIGHTS_BYTE = 5 };

/* Limit and base: 10 bytes in 64-bit mode, else 6. */
static size_t pseudo_descriptor_bytes(const struct processor *p)
{
    return LIMIT_BYTES + (cpu_64_bit_mode(&p->state) ? 8 : 4);
}

static enum cpu_end load_table(struct processor *p, const struct cpu_instruction *i, struct cpu_table *table)
{
    uint8_t bytes[LIMIT_BYTES + 8] = {0};
    uint16_t limit;
    uint64_t base;
    enum cpu_end end;
    if (!i->in_memory) {
        return cpu_ud(p);
    }
    if (!cpu_read(p, i, bytes, pseudo_descriptor_bytes(p), &end)) {
        return end;
    }
    memcpy(&limit, bytes, sizeof(limit));
    memcpy(&base, bytes + LIMIT_BYTES, sizeof(base));
    base = i->size == 2 ? base & 0xffffff : base;
    if (!cpu_canonical(p, base)) {
        return cpu_gp(p);
    }
    *table = (struct cpu_table){base, limit};
    return CPU_COMPLETED;
}

static enum cpu_end store_table(struct processor *p, const struct cpu_instruction *i, const struct cpu_table *table)
{
    uint8_t bytes[LIMIT_BYTES + 8];
    uint16_t limit = (uint16_t)table->limit;
    enum cpu_end end = CPU_COMPLETED;
    if (!i->in_memory) {
        return cpu_ud(p);
    }
    memcpy(bytes, &limit, sizeof(limit));
    memcpy(bytes + LIMIT_BYTES, &table->base, sizeof(table->base));
    cpu_write(p, i, bytes, pseudo_descriptor_bytes(p), &end);
    return end;
}

enum cpu_end do_lgdt(struct processor *p, const struct cpu_instruction *i)
{
    return load_table(p, i, &p->state.gdtr);
}

enum cpu_end do_lidt(struct processor *p, const struct cpu_instruction *i)
{
    return load_table(p, i, &p->state.idtr);
}

enum cpu_end do_sgdt(struct processor *p, const struct cpu_instruction *i)
{
    return store_table(p, i, &p->state.gdtr);
}

enum cpu_end do_sidt(struct processor *p, const struct cpu_instruction *i)
{
    return store_table(p, i, &p->state.idtr);
}

/* A system descriptor of the GDT; `type` and `other` are the types that it may have. */
static bool system_segment(struct processor *p, uint16_t selector, unsigned type, unsigned other,
                           struct cpu_descriptor *d, enum cpu_end *end)
{
    if ((selector & SELECTOR_TI) != 0) {
        *end = cpu_selector_fault(p, CPU_GP, selector);
        return false;
    }
    if (!cpu_read_descriptor(p, selector, CPU_GP, d, end) ||
        (cpu_long_mode(&p->state) && !cpu_read_descriptor_high(p, d, end))) {
        return false;
    }
    struct cpu_segment s = cpu_segment_from(selector, d);
    unsigned found = s.access_rights & (CPU_AR_TYPE | CPU_AR_S);
    if ((found != type && found != other) || !cpu_canonical(p, s.base)) {
        *end = cpu_selector_fault(p, CPU_GP, selector);
        return false;
    }
    if ((s.access_rights & CPU_AR_P) == 0) {
        *end = cpu_selector_fault(p, CPU_NP, selector);
        return false;
    }
    return true;
}

enum cpu_end do_lldt(struct processor *p, const struct cpu_instruction *i)
{
    struct cpu_descriptor d;
    uint16_t selector;
    enum cpu_end end;
    if (!cpu_read(p, i, &selector, sizeof(selector), &end)) {
        return end;
    }
    if ((selector & ~3) == 0) {
        p->state.segments[CPU_LDTR].selector = selector;
        p->state.segments[CPU_LDTR].access_rights |= CPU_AR_UNUSABLE;
        return CPU_COMPLETED;
    }
    if (!system_segment(p, selector, TYPE_LDT, TYPE_LDT, &d, &end)) {
        return end;
    }
    p->state.segments[CPU_LDTR] = cpu_segment_from(selector, &d);
    return CPU_COMPLETED;
}

enum cpu_end do_ltr(struct processor *p, const struct cpu_instruction *i)
{
    struct cpu_descriptor d;
    uint16_t selector;
    enum cpu_end end;
    if (!cpu_read(p, i, &selector, sizeof(selector), &end)) {
        return end;
    }
    if ((selector & ~3) == 0) {
        return cpu_gp(p);
    }
    unsigned small = cpu_long_mode(&p->state) ? TYPE_TSS : TYPE_TSS_16;
    if (!system_segment(p, selector, TYPE_TSS, small, &d, &end)) {
        return end;
    }
    struct cpu_segment tss = cpu_segment_from(selector, &d);
    tss.access_rights |= TYPE_BUSY;
    uint8_t rights = (uint8_t)tss.access_rights;
    if (!cpu_access_system(p, (hv_gva){d.address + RIGHTS_BYTE}, HV_STORE, &rights, sizeof(rights), &end)) {
        return end;
    }
    p->state.segments[CPU_TR] = tss;
    return CPU_COMPLETED;
}

static enum cpu_end store_selector(struct processor *p, const struct cpu_instruction *i, enum cpu_segment_name segment)
{
    uint64_t selector = p->state.segments[segment].selector;
    enum cpu_end end = CPU_COMPLETED;
    cpu_write(p, i, &selector, i->in_memory ? sizeof(uint16_t) : cpu_operand_size(p, i), &end);
    return end;
}

enum cpu_end do_sldt(struct processor *p, const struct cpu_instruction *i)
{
    return store_selector(p, i, CPU_LDTR);
}

enum cpu_end do_str(struct processor *p, const struct cpu_instruction *i)
{
    return store_selector(p, i, CPU_TR);
}
