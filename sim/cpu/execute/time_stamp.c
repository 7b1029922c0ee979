/* SPDX-License-Identifier: MIT */
/* RDTSC, RDTSCP, RDPMC and the instructions that wait for a time: SDM Vol. 3B 18.17 (17.17), Vol. 3C 26.3 (25.3). */
#include "cpu/execute/operations.h"

enum { MULTIPLIER_FRACTION_BITS = 48, GENERAL_COUNTERS = 8, FIXED_COUNTERS = 4 };
#define FIXED_COUNTER 0x40000000u

uint64_t cpu_edx_eax(const struct processor *p)
{
    const uint64_t *r = p->state.registers;
    return r[CPU_RDX] << 32 | (r[CPU_RAX] & UINT32_MAX);
}

void cpu_set_edx_eax(struct processor *p, uint64_t value)
{
    p->state.registers[CPU_RAX] = value & UINT32_MAX;
    p->state.registers[CPU_RDX] = value >> 32;
}

/* "Use TSC scaling" counts only with "use TSC offsetting"; the product has 128 bits before the shift. */
uint64_t cpu_visible_tsc(const struct processor *p)
{
    uint64_t tsc = processor_tsc(p);
    if (!GUEST_ON(p, PRIMARY, use_tsc_offsetting)) {
        return tsc;
    }
    if (VMX_ON(p, SECONDARY, use_tsc_scaling)) {
        tsc = (uint64_t)((unsigned __int128)tsc * p->vmx.tsc_multiplier >> MULTIPLIER_FRACTION_BITS);
    }
    return tsc + p->vmx.tsc_offset;
}

enum cpu_end do_rdtsc(struct processor *p, const struct cpu_instruction *i)
{
    (void)i;
    cpu_set_edx_eax(p, cpu_visible_tsc(p));
    return CPU_COMPLETED;
}

enum cpu_end do_rdtscp(struct processor *p, const struct cpu_instruction *i)
{
    p->state.registers[CPU_RCX] = p->state.msrs.tsc_aux & UINT32_MAX;
    return do_rdtsc(p, i);
}

/* MODEL: every performance counter counts cycles of the processor's clock, whatever its event. */
enum cpu_end do_rdpmc(struct processor *p, const struct cpu_instruction *i)
{
    (void)i;
    uint32_t index = cpu_ecx(p);
    if (index >= GENERAL_COUNTERS && index - FIXED_COUNTER >= FIXED_COUNTERS) {
        return cpu_gp(p);
    }
    cpu_set_edx_eax(p, p->now & ((UINT64_C(1) << MULTIPLIER_FRACTION_BITS) - 1));
    return CPU_COMPLETED;
}

/* MODEL: TPAUSE and UMWAIT end at once, as they may at any time; the time they would wait is not spent. */
enum cpu_end do_user_wait(struct processor *p, const struct cpu_instruction *i)
{
    if ((cpu_register_value(p, i->reg1) & UINT32_MAX & ~UINT64_C(1)) != 0) {
        return cpu_gp(p);
    }
    p->state.rflags &= ~CPU_RFLAGS_STATUS;
    return CPU_COMPLETED;
}
