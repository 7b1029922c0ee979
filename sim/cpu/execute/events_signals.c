/* SPDX-License-Identifier: MIT */
/* Signals between instructions: rows 1 to 3 of SDM Vol. 3A table 6-2. */
#include "cpu/execute/events_parts.h"
#include "cpu/execute/wires.h"

#define CR4_MCE (UINT64_C(1) << 6)

bool cpu_sipi_waits(const struct processor *p)
{
    return cpu_signalled(p, CPU_SIGNAL_SIPI);
}

/* Start-up IPIs count in the wait-for-SIPI state only; elsewhere they are lost. */
enum cpu_end cpu_take_sipi(struct processor *p)
{
    p->signals &= ~(uint32_t)CPU_SIGNAL_SIPI;
    if (!cpu_in_activity(p, CPU_WAIT_FOR_SIPI)) {
        return CPU_COMPLETED;
    }
    if (p->vmx.non_root) {
        return cpu_exit_plain(p, VMX_EXIT_sipi, p->sipi_vector);
    }
    p->state.activity = CPU_ACTIVE;
    p->state.segments[CPU_CS].selector = (uint16_t)(p->sipi_vector << 8);
    p->state.segments[CPU_CS].base = (uint64_t)p->sipi_vector << 12;
    p->state.rip = 0;
    return CPU_COMPLETED;
}

bool cpu_machine_check_waits(const struct processor *p)
{
    return cpu_signalled(p, CPU_SIGNAL_MACHINE_CHECK);
}

/* Without CR4.MCE a machine check is a shutdown. */
enum cpu_end cpu_take_machine_check(struct processor *p)
{
    p->signals &= ~(uint32_t)CPU_SIGNAL_MACHINE_CHECK;
    if ((p->state.cr4 & CR4_MCE) == 0) {
        return cpu_shut_down(p);
    }
    processor_raise(p, CPU_MC);
    return cpu_deliver_raised(p);
}

bool cpu_smi_waits(const struct processor *p)
{
    return cpu_signalled(p, CPU_SIGNAL_SMI);
}

/* MODEL: there is no system-management mode, so an SMI has no effect and takes no time. */
enum cpu_end cpu_take_smi(struct processor *p)
{
    p->signals &= ~(uint32_t)CPU_SIGNAL_SMI;
    return CPU_COMPLETED;
}

/* Blocked, and kept, in VMX root operation and in the wait-for-SIPI state. */
bool cpu_init_waits(const struct processor *p)
{
    bool blocked = cpu_in_activity(p, CPU_WAIT_FOR_SIPI) || (p->vmx.on && !p->vmx.non_root);
    return cpu_signalled(p, CPU_SIGNAL_INIT) && !blocked;
}

/* MODEL: outside of VMX operation INIT is RESET that waits for a SIPI; caches and most MSRs are lost with it. */
enum cpu_end cpu_take_init(struct processor *p)
{
    p->signals &= ~(uint32_t)CPU_SIGNAL_INIT;
    if (p->vmx.non_root) {
        return cpu_exit_plain(p, VMX_EXIT_init_signal, 0);
    }
    cpu_state_reset(&p->state);
    p->state.activity = CPU_WAIT_FOR_SIPI;
    if (p->wires != NULL && p->wires->reset_by_init != NULL) {
        p->wires->reset_by_init(p->wires->ctx);
    }
    processor_context_changed(p);
    return CPU_COMPLETED;
}
