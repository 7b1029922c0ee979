/* SPDX-License-Identifier: MIT */
/* What the reference hypervisor cannot do without on a processor that lacks some controls (vmx.without). */
#ifndef HV_MACHINE_GUEST_NEEDS_H
#define HV_MACHINE_GUEST_NEEDS_H

#include "cpu/vmx/vmx_caps.h"
#include "machine/params.h"

/* Whether a processor has all controls that its guests, as the parameters want them, need. */
bool guest_needs_check(const struct vmx_caps *caps, const struct machine_params *params, struct hv_err *err);

#endif
