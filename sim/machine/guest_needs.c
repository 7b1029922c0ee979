/* SPDX-License-Identifier: MIT */
#include "machine/guest_needs.h"

#include "cpu/vmx/vmx_controls.h"

/* What a guest is run with. The controls that vcpu.interrupts asks for are checked where they are chosen (guest_build.c). */
enum need { ALWAYS, WITH_EPT };

/* Other controls the hypervisor uses when they are there, or a check of the VM entry asks for them. */
static const struct need_row {
    enum need need;
    enum vmx_word word;
    uint64_t bit;
    const char *control, *instead;
} rows[] = {
    {ALWAYS, VMX_PRIMARY, VMX_CONTROL(PRIMARY, hlt_exiting), "primary.hlt_exiting", "use paging.mode native"},
    {ALWAYS, VMX_EXIT, VMX_CONTROL(EXIT, acknowledge_interrupt_on_exit), "exit.acknowledge_interrupt_on_exit",
     "use paging.mode native"},
    {WITH_EPT, VMX_PRIMARY, VMX_CONTROL(PRIMARY, activate_secondary_controls), "primary.activate_secondary_controls",
     "use a paging.mode without EPT"},
    {WITH_EPT, VMX_SECONDARY, VMX_CONTROL(SECONDARY, enable_ept), "secondary.enable_ept",
     "use a paging.mode without EPT"},
};

static bool applies(enum need need, const struct machine_params *p)
{
    switch (need) {
    case ALWAYS: return true;
    case WITH_EPT: return p->paging.mode == PAGING_NESTED || p->paging.mode == PAGING_AGILE;
    }
    return false;
}

/* A paravirtual device's guest notifies it by OUT: one of two controls has to make that exit. */
static bool check_ports(const struct vmx_caps *caps, const struct machine_params *p, struct hv_err *err)
{
    const uint64_t either = VMX_CONTROL(PRIMARY, use_io_bitmaps) | VMX_CONTROL(PRIMARY, unconditional_io_exiting);
    const bool notifies = p->io.device == IO_DEVICE_NIC && p->io.attach == IO_PARAVIRTUAL;
    return !notifies || (caps->may[VMX_PRIMARY] & either) != 0 ||
           hv_fail(err, "vmx.without takes primary.use_io_bitmaps and primary.unconditional_io_exiting away, one of "
                   "which io.attach paravirtual needs for its notifications; give one back, or choose another way");
}

bool guest_needs_check(const struct vmx_caps *caps, const struct machine_params *params, struct hv_err *err)
{
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        if (applies(rows[i].need, params) && (caps->may[rows[i].word] & rows[i].bit) == 0) {
            return hv_fail(err, "vmx.without takes %s away, which the guests of this machine need; give it back, "
                           "or %s", rows[i].control, rows[i].instead);
        }
    }
    return check_ports(caps, params, err);
}
