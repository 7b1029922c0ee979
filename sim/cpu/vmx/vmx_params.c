/* SPDX-License-Identifier: MIT */
#include "cpu/vmx/vmx_params.h"

#include <string.h>

#include "cpu/vmx/vmx.h"

const struct param_row vmx_param_rows[] = {
#define P(...) PARAM_ROW(struct vmx_params, __VA_ARGS__)
#include "cpu/vmx/vmx_params.def"
#undef P
};

const struct param_row vmx_cost_param_rows[] = {
#define P(...) PARAM_ROW(struct vmx_cost_params, __VA_ARGS__)
#include "cpu/vmx/vmx_cost_params.def"
#undef P
};

const size_t vmx_param_count = HV_ARRAY_LEN(vmx_param_rows), vmx_cost_param_count = HV_ARRAY_LEN(vmx_cost_param_rows);

bool vmx_params_caps(const struct vmx_params *params, unsigned physical_bits, bool la57, struct vmx_caps *caps,
                     struct hv_err *err)
{
    char list[PARAM_TEXT_BYTES], *rest = list, *name;
    vmx_caps_init(caps, physical_bits, la57);
    memcpy(list, params->without, sizeof(list));
    while ((name = strsep(&rest, ", ")) != NULL) {
        struct hv_err why = {""};
        if (*name != '\0' && !vmx_caps_without(caps, name, &why)) {
            return hv_fail(err, "vmx.without: %s", why.text);
        }
    }
    return true;
}

struct vmx_costs vmx_params_costs(const struct vmx_cost_params *params)
{
    return (struct vmx_costs){
        .entry_cycles = params->entry_cycles, .exit_cycles = params->exit_cycles,
        .vmread_cycles = params->vmread_cycles, .vmwrite_cycles = params->vmwrite_cycles,
        .control_write_cycles = params->control_write_cycles, .instruction_cycles = params->instruction_cycles,
        .msr_cycles = params->msr_cycles, .virtual_tpr_cycles = params->virtual_tpr_cycles,
    };
}
