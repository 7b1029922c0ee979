/* SPDX-License-Identifier: MIT */
/*
 * A translation that failed, as data: what the guest or the hypervisor is told, and which entry stopped it.
 */
#ifndef HV_MMU_FAULT_H
#define HV_MMU_FAULT_H

#include "base/types.h"

enum hv_fault_kind {
    HV_FAULT_NONE,
    HV_FAULT_NON_CANONICAL, /* #GP(0), or #SS(0) for a stack reference */
    HV_FAULT_PAGE,          /* #PF; error_code is the one pushed */
    HV_FAULT_VIOLATION,     /* EPT violation; error_code is the exit qualification */
    HV_FAULT_MISCONFIG,     /* EPT misconfiguration; no qualification is defined */
    HV_FAULT_NESTED_PAGE,   /* #NPF; error_code is EXITINFO1 */
    HV_FAULT_KINDS
};

extern const char *const hv_fault_names[];

enum hv_dimension { HV_GUEST, HV_HOST };

struct hv_fault {
    uint8_t kind;        /* enum hv_fault_kind */
    uint8_t dimension;   /* whose entry stopped the walk */
    uint8_t level;       /* of that entry; 0 when none was read (non-canonical) */
    uint8_t access;      /* enum hv_access_kind of the access that was translated */
    hv_gva gva;
    hv_gpa gpa;          /* of a host fault: the address that the second level refused */
    uint64_t error_code; /* see the kind */
};

/* SDM Vol. 3A "Page-Fault Exceptions" (4.7), Figure 4-12. */
enum {
    HV_PF_PRESENT = 1u << 0,
    HV_PF_WRITE = 1u << 1,
    HV_PF_USER = 1u << 2,
    HV_PF_RESERVED = 1u << 3,
    HV_PF_FETCH = 1u << 4,
};

/* SDM Vol. 3C "Basic VM-Exit Information" (28.2.1; 27.2.1), Table 28-7: exit qualification for EPT violations. */
enum {
    HV_EPTV_READ = 1u << 0,
    HV_EPTV_WRITE = 1u << 1,
    HV_EPTV_FETCH = 1u << 2,
    HV_EPTV_READABLE = 1u << 3,
    HV_EPTV_WRITABLE = 1u << 4,
    HV_EPTV_EXECUTABLE = 1u << 5,
    HV_EPTV_USER_EXECUTABLE = 1u << 6,
    HV_EPTV_LINEAR_VALID = 1u << 7,
    HV_EPTV_FINAL = 1u << 8,         /* on the translation of the linear address, not on a paging-structure entry */
    HV_EPTV_GUEST_USER = 1u << 9,    /* advanced information, valid with bits 7 and 8 */
    HV_EPTV_GUEST_WRITABLE = 1u << 10,
    HV_EPTV_GUEST_XD = 1u << 11,
};

/* APM Vol. 2 "Nested Paging" (15.25.6): EXITINFO1 of #NPF beyond the page-fault bits. */
#define HV_NPF_FINAL (UINT64_C(1) << 32)
#define HV_NPF_TABLE (UINT64_C(1) << 33)

#endif
