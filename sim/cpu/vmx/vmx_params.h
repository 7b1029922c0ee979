/* SPDX-License-Identifier: MIT */
/* Parameters of VMX: what the processor offers, and what it takes. */
#ifndef HV_CPU_VMX_VMX_PARAMS_H
#define HV_CPU_VMX_VMX_PARAMS_H

#include "base/param.h"
struct vmx_caps;
struct vmx_costs;

struct vmx_params {
#define P PARAM_MEMBER
#include "cpu/vmx/vmx_params.def"
#undef P
};

struct vmx_cost_params {
#define P PARAM_MEMBER
#include "cpu/vmx/vmx_cost_params.def"
#undef P
};

extern const struct param_row vmx_param_rows[], vmx_cost_param_rows[];
extern const size_t vmx_param_count, vmx_cost_param_count;

/* The capabilities of a processor: everything but what the parameters leave out. */
bool vmx_params_caps(const struct vmx_params *params, unsigned physical_bits, bool la57, struct vmx_caps *caps,
                     struct hv_err *err);

struct vmx_costs vmx_params_costs(const struct vmx_cost_params *params);

#endif
