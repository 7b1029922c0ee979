/* SPDX-License-Identifier: MIT */
/*
 * VMFUNC: SDM Vol. 3C "VM Functions" (26.5.6; 25.5.6 in editions before 2022). EAX selects the function; EPTP switching
 * is function 0, with the index of the new EPTP in ECX.
 */
#include "cpu/vmx/vmx_internal.h"

#include "cpu/execute/exit.h"
#include "cpu/vmx/vmx_watch.h"

enum { FUNCTIONS = 64, EPTP_SWITCHING = 0, LIST_ENTRIES = 512 };

static int exit_on(struct processor *p, const struct cpu_instruction *i)
{
    return cpu_exit_instruction(p, i, VMX_EXIT_vmfunc, 0);
}

/* Translations stay cached: those of the new EPTP have another tag (SDM 29.4.3.1; 28.3.3.1). */
static void use_eptp(struct processor *p, uint32_t index, uint64_t eptp)
{
    struct vmcs *v = &p->vmx.current;
    VMCS_SET(v, eptp, eptp);
    p->vmx.eptp = eptp;
    if (vmx_caps_has(&p->vmx.caps, VMX_SECONDARY, VMX_CONTROL(SECONDARY, ept_violation_ve))) {
        VMCS_SET(v, eptp_index, index);
    }
    vmx_watch_wrote(p->watch, p, v->address);
    processor_context_changed(p);
}

static int switch_eptp(struct processor *p, const struct cpu_instruction *i)
{
    uint32_t index = (uint32_t)p->state.registers[CPU_RCX];
    if (index >= LIST_ENTRIES) {
        return exit_on(p, i);
    }
    uint64_t list = VMCS_GET(&p->vmx.current, eptp_list_address);
    uint64_t eptp = physmem_read64(p->memory, (hv_hpa){list + 8 * (uint64_t)index});
    if (!vmx_eptp_ok(p, eptp)) {
        return exit_on(p, i);
    }
    use_eptp(p, index, eptp);
    return CPU_COMPLETED;
}

/* It has effect in any mode and at any CPL. Function 0 is the only one that the controls can allow. */
int vmx_vmfunc(struct processor *p, const struct cpu_instruction *i)
{
    uint32_t function = (uint32_t)p->state.registers[CPU_RAX];
    if (!p->vmx.non_root || !VMX_ON(p, SECONDARY, enable_vm_functions) || function >= FUNCTIONS) {
        return processor_raise(p, CPU_UD);
    }
    uint64_t enabled = VMCS_GET(&p->vmx.current, vm_function_controls) & p->vmx.caps.vmfunc;
    if ((enabled >> function & 1) == 0) {
        return exit_on(p, i);
    }
    return function == EPTP_SWITCHING ? switch_eptp(p, i) : exit_on(p, i);
}
