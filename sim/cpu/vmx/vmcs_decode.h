/* SPDX-License-Identifier: MIT */
/* What the number in a VMCS field means, in words. */
#ifndef HV_CPU_VMX_VMCS_DECODE_H
#define HV_CPU_VMX_VMCS_DECODE_H

#include "cpu/vmx/vmcs_field.h"

enum { VMCS_DECODE_BYTES = 1024 };

/*
 * "external_interrupt_exiting, nmi_exiting" of a control word, "type 11, S, DPL 0, P, L, G" of access rights; empty for
 * a field whose number says it all. Reserved bits of a control word that have to be 1 are not mentioned.
 */
void vmcs_decode(enum vmcs_index field, uint64_t value, char text[VMCS_DECODE_BYTES]);

/* The same of chosen bits, whatever they are; a bit without a name is "bit 15". */
void vmcs_decode_bits(enum vmcs_index field, uint64_t bits, char text[VMCS_DECODE_BYTES]);

#endif
