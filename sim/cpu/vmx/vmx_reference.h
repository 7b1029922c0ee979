/* SPDX-License-Identifier: MIT */
/* The tables of VMX for `hvsim list`: as aligned text for people, or as an array of objects in JSON. */
#ifndef HV_CPU_VMX_VMX_REFERENCE_H
#define HV_CPU_VMX_VMX_REFERENCE_H

#include "base/print.h"

/* The fields of a VMCS: encoding, name, type, width, help. */
void vmx_print_fields(enum print_format format, FILE *out);

/* The controls: full name, bit, help. */
void vmx_print_controls(enum print_format format, FILE *out);

/* Basic exit reasons: number, name, words. */
void vmx_print_exits(enum print_format format, FILE *out);

/* The rules of a VM entry: section, name, outcome, words. */
void vmx_print_rules(enum print_format format, FILE *out);

#endif
