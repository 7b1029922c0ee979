/* SPDX-License-Identifier: MIT */
/* MOV to and from debug registers: SDM Vol. 3B 18.2 "Debug Registers" (17.2 in some editions). */
#include "cpu/execute/operations.h"

#define DR6_ONES UINT64_C(0xffff0ff0)
#define DR6_BITS UINT64_C(0xe00f)
#define DR7_ONES UINT64_C(0x400)
#define DR7_BITS UINT64_C(0xffff2bff)

/* DR4 and DR5 are DR6 and DR7 without CR4.DE; with it the instruction was #UD. */
static unsigned number_of(const struct cpu_instruction *i)
{
    return i->reg2 == 4 || i->reg2 == 5 ? i->reg2 + 2u : i->reg2;
}

/* DR7.GD: any access is a #DB, which clears GD when it is delivered. */
static bool guarded(struct processor *p, enum cpu_end *end)
{
    if ((p->state.dr7 & CPU_DR7_GD) == 0) {
        return false;
    }
    *end = processor_raise(p, CPU_DB);
    p->raised.information = CPU_DR6_BD;
    return true;
}

enum cpu_end do_mov_to_dr(struct processor *p, const struct cpu_instruction *i)
{
    enum cpu_end end;
    unsigned number = number_of(i);
    uint64_t value = cpu_register_value(p, i->reg1);
    value = cpu_64_bit_mode(&p->state) ? value : value & UINT32_MAX;
    if (guarded(p, &end)) {
        return end;
    }
    if (number < 4) {
        p->state.dr[number] = value;
    } else if (value >> 32 != 0) {
        return cpu_gp(p);
    } else if (number == 6) {
        p->state.dr6 = (value & DR6_BITS) | DR6_ONES;
    } else {
        p->state.dr7 = (value & DR7_BITS) | DR7_ONES;
    }
    return CPU_COMPLETED;
}

enum cpu_end do_mov_from_dr(struct processor *p, const struct cpu_instruction *i)
{
    enum cpu_end end;
    unsigned number = number_of(i);
    if (guarded(p, &end)) {
        return end;
    }
    uint64_t value = number < 4 ? p->state.dr[number] : number == 6 ? p->state.dr6 : p->state.dr7;
    cpu_register_set(p, i->reg1, value, cpu_64_bit_mode(&p->state) ? 8 : 4);
    return CPU_COMPLETED;
}
