/* SPDX-License-Identifier: MIT */
/* Valid descriptions of a VM entry, on which every rule holds, for tests to change. */
#ifndef HV_TESTS_VMX_BASELINE_H
#define HV_TESTS_VMX_BASELINE_H

#include "cpu/vmx/entry_check.h"

enum baseline {
    BASE_LONG,         /* a 64-bit guest, neither EPT nor unrestricted */
    BASE_PROTECTED,    /* a 32-bit guest with 32-bit paging */
    BASE_PAE,          /* a 32-bit guest with PAE paging, with EPT */
    BASE_REAL,         /* an unrestricted guest in real-address mode */
    BASE_V86,          /* a guest in virtual-8086 mode */
    BASE_32_BIT_HOST,  /* BASE_PROTECTED under a host outside of IA-32e mode */
    BASELINES
};

extern const char *const baseline_names[BASELINES];

enum { BASE_PHYSICAL_BITS = 46 };

/* caps describe a processor with everything; what e points to stays the caller's. */
void baseline_init(enum baseline base, struct vmx_entry *e, struct vmx_caps *caps);

#endif
