/* SPDX-License-Identifier: MIT */
/* IN, OUT, INS and OUTS: SDM Vol. 1 chapter 19 "Input/Output" (18 in editions before 2022), exits Vol. 3C 26.1.3. */
#include "cpu/execute/operations.h"
#include "cpu/execute/wires.h"

enum { TSS_IO_MAP = 0x66, DIRECTION_SHIFT = 10 };

/* In DX for strings and when reg2 is RDX, else immediate. */
uint16_t cpu_port(const struct processor *p, const struct cpu_instruction *i)
{
    return (uint16_t)(i->string || i->reg2 == CPU_RDX ? p->state.registers[CPU_RDX] : i->value);
}

size_t cpu_port_bytes(const struct cpu_instruction *i)
{
    return i->size == 1 || i->size == 2 ? i->size : 4;
}

/* ES:RDI for INS; the operand's segment, usually DS, and RSI for OUTS. */
static struct cpu_memory_operand string_memory(const struct cpu_instruction *i)
{
    bool in = i->op == CPU_OP_in;
    return (struct cpu_memory_operand){
        .base = in ? CPU_RDI : CPU_RSI, .index = CPU_NO_REGISTER, .segment = in ? (uint8_t)CPU_ES : i->memory.segment,
        .address_size_log2 = i->memory.address_size_log2,
    };
}

hv_gva cpu_string_operand(const struct processor *p, const struct cpu_instruction *i)
{
    struct cpu_memory_operand memory = string_memory(i);
    return cpu_linear_address(p, &memory);
}

/*
 * The I/O permission bitmap of the TSS: all bits of the ports have to be 0. It is read as two bytes.
 *
 * MODEL: a TSS of 16 bits, which has no bitmap, refuses every port as silicon does.
 */
static bool tss_allows(struct processor *p, uint16_t port, size_t bytes, bool *allowed, enum cpu_end *end)
{
    const struct cpu_segment *tr = &p->state.segments[CPU_TR];
    uint16_t map, bits;
    *allowed = false;
    if ((tr->access_rights & CPU_AR_UNUSABLE) != 0 || tr->limit < TSS_IO_MAP + 1 || (tr->access_rights & 8) == 0) {
        return true;
    }
    if (!cpu_access_system(p, (hv_gva){tr->base + TSS_IO_MAP}, HV_LOAD, &map, sizeof(map), end)) {
        return false;
    }
    uint32_t at = map + port / 8u;
    if (at + 1 > tr->limit) {
        return true;
    }
    if (!cpu_access_system(p, (hv_gva){tr->base + at}, HV_LOAD, &bits, sizeof(bits), end)) {
        return false;
    }
    *allowed = ((unsigned)bits >> port % 8 & ((1u << bytes) - 1)) == 0;
    return true;
}

/* Above IOPL, and in virtual-8086 mode, the TSS decides; that comes before a VM exit. */
bool may_io(struct processor *p, const struct cpu_instruction *i, enum cpu_end *end)
{
    const struct cpu_state *s = &p->state;
    unsigned iopl = (unsigned)(s->rflags >> CPU_RFLAGS_IOPL_SHIFT) & 3;
    bool allowed = true;
    if (cpu_virtual_8086(s) || (cpu_protected_mode(s) && cpu_cpl(s) > iopl)) {
        if (!tss_allows(p, cpu_port(p, i), cpu_port_bytes(i), &allowed, end)) {
            return false;
        }
    }
    if (!allowed) {
        *end = cpu_gp(p);
    }
    return allowed;
}

static void use_port(struct processor *p, const struct cpu_instruction *i, uint32_t *value)
{
    const struct cpu_wires *w = p->wires;
    bool write = i->op == CPU_OP_out;
    if (w != NULL && w->port != NULL) {
        w->port(w->ctx, cpu_port(p, i), (unsigned)cpu_port_bytes(i), write, value);
    } else if (!write) {
        *value = UINT32_MAX;
    }
}

static uint64_t count_mask(const struct processor *p, const struct cpu_instruction *i)
{
    return i->memory.address_size_log2 == 1 ? UINT16_MAX : i->memory.address_size_log2 == 2 ? UINT32_MAX
           : cpu_64_bit_mode(&p->state) ? UINT64_MAX : UINT32_MAX;
}

/* A register that counts or points moves within the address size. */
static void move_register(struct processor *p, enum cpu_register name, int64_t by, uint64_t mask)
{
    uint64_t *r = &p->state.registers[name];
    uint64_t moved = (*r + (uint64_t)by) & mask;
    *r = mask == UINT16_MAX ? (*r & ~mask) | moved : moved;
}

/* One element; RIP stays while REP has more to do. */
static enum cpu_end string_io(struct processor *p, const struct cpu_instruction *i)
{
    struct cpu_memory_operand memory = string_memory(i);
    bool in = i->op == CPU_OP_in;
    size_t bytes = cpu_port_bytes(i);
    uint64_t mask = count_mask(p, i);
    uint32_t value = 0;
    hv_gva linear;
    enum cpu_end end;
    if (i->repeat && (p->state.registers[CPU_RCX] & mask) == 0) {
        cpu_skip_instruction(p);
        return CPU_COMPLETED;
    }
    if (!cpu_segment_check(p, &memory, in ? HV_STORE : HV_LOAD, bytes, &linear, &end)) {
        return end;
    }
    /* MODEL: INS reads its port before the store that may fault; such a port is read again later. */
    if (in) {
        use_port(p, i, &value);
    }
    if (!cpu_access(p, linear, in ? HV_STORE : HV_LOAD, &value, bytes, &end)) {
        return end;
    }
    if (!in) {
        use_port(p, i, &value);
    }
    bool down = (p->state.rflags >> DIRECTION_SHIFT & 1) != 0;
    move_register(p, in ? CPU_RDI : CPU_RSI, down ? -(int64_t)bytes : (int64_t)bytes, mask);
    if (i->repeat) {
        move_register(p, CPU_RCX, -1, mask);
    }
    if (!i->repeat || (p->state.registers[CPU_RCX] & mask) == 0) {
        cpu_skip_instruction(p);
    }
    return CPU_COMPLETED;
}

enum cpu_end do_in(struct processor *p, const struct cpu_instruction *i)
{
    uint32_t value = 0;
    if (i->string) {
        return string_io(p, i);
    }
    use_port(p, i, &value);
    cpu_register_set(p, CPU_RAX, value, cpu_port_bytes(i));
    cpu_skip_instruction(p);
    return CPU_COMPLETED;
}

enum cpu_end do_out(struct processor *p, const struct cpu_instruction *i)
{
    size_t bytes = cpu_port_bytes(i);
    uint32_t value = (uint32_t)p->state.registers[CPU_RAX] & (bytes == 4 ? UINT32_MAX : (1u << 8 * bytes) - 1);
    if (i->string) {
        return string_io(p, i);
    }
    use_port(p, i, &value);
    cpu_skip_instruction(p);
    return CPU_COMPLETED;
}
