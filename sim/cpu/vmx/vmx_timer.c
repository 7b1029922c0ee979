/* SPDX-License-Identifier: MIT */
/*
 * The VMX-preemption timer: SDM Vol. 3C "VMX-Preemption Timer" (26.5.1; 25.5.1 in editions before 2022). It counts
 * down by 1 each time that the bit of the TSC changes which bits 4:0 of IA32_VMX_MISC name.
 */
#include "cpu/vmx/vmx_internal.h"

static unsigned rate_log2(const struct processor *p)
{
    return (unsigned)(p->vmx.caps.misc & 31);
}

/* It reaches 0 with the value-th change of the bit from now on. */
void vmx_timer_start(struct processor *p, uint32_t value)
{
    if (!VMX_ON(p, PIN, activate_preemption_timer)) {
        p->vmx.preemption_deadline = UINT64_MAX;
        return;
    }
    unsigned rate = rate_log2(p);
    uint64_t tsc = processor_tsc(p), ends = ((tsc >> rate) + value) << rate;
    p->vmx.preemption_deadline = value == 0 ? p->now : p->now + (ends - tsc);
}

uint32_t vmx_timer_left(const struct processor *p)
{
    if (p->vmx.preemption_deadline <= p->now) {
        return 0;
    }
    unsigned rate = rate_log2(p);
    uint64_t tsc = processor_tsc(p), ends = tsc + (p->vmx.preemption_deadline - p->now);
    return (uint32_t)((ends >> rate) - (tsc >> rate));
}
