/* SPDX-License-Identifier: MIT */
/* Names for hvsim.h, and that its numbers are those of the model. */
#include "api/hvsim.h"

#include "cpu/instruction.h"
#include "cpu/vmx/vmcs_field.h"

const char *const hv_end_names[] = {
    [HV_SUCCEEDED] = "succeeded", [HV_FAILED_INVALID] = "VMfailInvalid", [HV_FAILED_VALID] = "VMfailValid",
    [HV_RAISED] = "exception", [HV_EXITED] = "VM exit", [HV_IDLE] = "idle", [HV_PROGRAM_OVER] = "program over",
    [HV_STOPPED] = "stopped", [HV_LIMIT] = "limit",
};

_Static_assert((int)HV_OPS == (int)CPU_OPS && (int)HV_R15 == (int)CPU_R15, "the API has other numbers than the model");

const char *hv_exit_name(uint32_t reason)
{
    switch (reason & 0xffff) {
#define X(number, name, ...) case number: return #name;
#include "cpu/vmx/vmx_exit_reasons.def"
#undef X
    default: return NULL;
    }
}

const char *hv_field_name(uint32_t encoding)
{
    int index = vmcs_field_find(encoding);
    return index == VMCS_FIELD_NONE ? NULL : vmcs_fields[index].name;
}

const char *hv_error_words(uint32_t error)
{
    switch (error) {
#define R(number, name, words) case number: return words;
#include "cpu/vmx/vmx_errors.def"
#undef R
    default: return NULL;
    }
}
