/* SPDX-License-Identifier: MIT */
#include "cpu/execute/operand.h"

#include <string.h>

enum { TYPE_CODE = 8, TYPE_EXPAND_DOWN = 4, TYPE_CONFORMING_OR_DOWN = 4, TYPE_WRITABLE_OR_READABLE = 2 };

uint64_t cpu_register_value(const struct processor *p, unsigned number)
{
    return number < CPU_REGISTERS ? p->state.registers[number] : 0;
}

void cpu_register_set(struct processor *p, unsigned number, uint64_t value, size_t bytes)
{
    if (number >= CPU_REGISTERS) {
        return;
    }
    uint64_t *to = &p->state.registers[number];
    switch (bytes) {
    case 1: *to = (*to & ~(uint64_t)UINT8_MAX) | (value & UINT8_MAX); break;
    case 2: *to = (*to & ~(uint64_t)UINT16_MAX) | (value & UINT16_MAX); break;
    case 4: *to = value & UINT32_MAX; break;
    default: *to = value; break;
    }
}

/* The bytes of an address: as the operand says, or (0) the usual ones of the mode. */
static uint64_t address_mask(const struct processor *p, const struct cpu_memory_operand *memory)
{
    switch (memory->address_size_log2) {
    case 1: return UINT16_MAX;
    case 2: return UINT32_MAX;
    default: return cpu_64_bit_mode(&p->state) ? UINT64_MAX : UINT32_MAX;
    }
}

uint64_t cpu_effective_address(const struct processor *p, const struct cpu_memory_operand *memory)
{
    uint64_t index = cpu_register_value(p, memory->index) << (memory->scale_log2 & 3);
    return (cpu_register_value(p, memory->base) + index + memory->displacement) & address_mask(p, memory);
}

/* In 64-bit mode only FS and GS have a base. */
static uint64_t base_of(const struct processor *p, unsigned segment)
{
    bool flat = cpu_64_bit_mode(&p->state) && segment != CPU_FS && segment != CPU_GS;
    return flat || segment > CPU_GS ? 0 : p->state.segments[segment].base;
}

hv_gva cpu_linear_address(const struct processor *p, const struct cpu_memory_operand *memory)
{
    uint64_t linear = base_of(p, memory->segment) + cpu_effective_address(p, memory);
    return (hv_gva){cpu_64_bit_mode(&p->state) ? linear : linear & UINT32_MAX};
}

/* SDM Vol. 3A "Type Checking" (5.4): what a segment's type lets be done with it. */
static bool type_allows(const struct cpu_segment *s, enum hv_access_kind kind)
{
    bool code = (s->access_rights & TYPE_CODE) != 0, bit1 = (s->access_rights & TYPE_WRITABLE_OR_READABLE) != 0;
    if (kind == HV_STORE) {
        return !code && bit1;
    }
    return kind == HV_FETCH ? code : !code || bit1;
}

static bool within_limit(const struct cpu_segment *s, uint64_t offset, size_t count)
{
    uint64_t last = offset + count - 1;
    if ((s->access_rights & TYPE_CODE) == 0 && (s->access_rights & TYPE_EXPAND_DOWN) != 0) {
        uint64_t top = (s->access_rights & CPU_AR_DB) != 0 ? UINT32_MAX : UINT16_MAX;
        return offset > s->limit && last <= top;
    }
    return last <= s->limit;
}

static bool canonical(const struct processor *p, uint64_t linear, size_t count)
{
    return mmu_canonical(p->mmu, (hv_gva){linear}) && mmu_canonical(p->mmu, (hv_gva){linear + count - 1});
}

bool cpu_segment_check(struct processor *p, const struct cpu_memory_operand *memory, enum hv_access_kind kind,
                       size_t count, hv_gva *linear, enum cpu_end *end)
{
    unsigned segment = memory->segment <= CPU_GS ? memory->segment : (unsigned)CPU_DS;
    const struct cpu_segment *s = &p->state.segments[segment];
    *linear = cpu_linear_address(p, memory);
    bool ok;
    if (cpu_64_bit_mode(&p->state)) {
        ok = canonical(p, linear->v, count);
    } else {
        bool typed = !cpu_protected_mode(&p->state) || cpu_virtual_8086(&p->state) || type_allows(s, kind);
        ok = (s->access_rights & CPU_AR_UNUSABLE) == 0 && typed &&
             within_limit(s, cpu_effective_address(p, memory), count);
    }
    if (!ok) {
        *end = processor_raise_code(p, segment == CPU_SS ? CPU_SS_FAULT : CPU_GP, 0);
    }
    return ok;
}

bool cpu_read(struct processor *p, const struct cpu_instruction *i, void *to, size_t bytes, enum cpu_end *end)
{
    if (i->in_memory) {
        hv_gva linear;
        return cpu_segment_check(p, &i->memory, HV_LOAD, bytes, &linear, end) &&
               cpu_access(p, linear, HV_LOAD, to, bytes, end);
    }
    uint64_t value = i->reg1 < CPU_REGISTERS ? p->state.registers[i->reg1] : i->value;
    memset(to, 0, bytes);
    memcpy(to, &value, bytes < sizeof(value) ? bytes : sizeof(value));
    return true;
}

bool cpu_write(struct processor *p, const struct cpu_instruction *i, const void *from, size_t bytes,
               enum cpu_end *end)
{
    uint8_t copy[CPU_ACCESS_MAX_BYTES];
    HV_ASSERT(bytes <= sizeof(copy), "an operand of %zu bytes", bytes);
    memcpy(copy, from, bytes);
    if (i->in_memory) {
        hv_gva linear;
        return cpu_segment_check(p, &i->memory, HV_STORE, bytes, &linear, end) &&
               cpu_access(p, linear, HV_STORE, copy, bytes, end);
    }
    uint64_t value = 0;
    memcpy(&value, copy, bytes < sizeof(value) ? bytes : sizeof(value));
    cpu_register_set(p, i->reg1, value, bytes);
    return true;
}
