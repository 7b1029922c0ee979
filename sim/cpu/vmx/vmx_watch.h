/* SPDX-License-Identifier: MIT */
/*
 * check.vmx: mistakes with VMCSs that silicon punishes by chance, or not at all until the machine is busy. One watch
 * sees all processors of a machine.
 *
 * SDM Vol. 3C "Software Use of Virtual-Machine Control Structures" (25.11.1; 24.11.1 before 2022): a VMCS is
 * active on one processor at a time; VMCLEAR comes before its first use and before another processor's; the region of an
 * active VMCS is not accessed by ordinary stores.
 */
#ifndef HV_CPU_VMX_VMX_WATCH_H
#define HV_CPU_VMX_VMX_WATCH_H

#include <stdio.h>

#include "base/types.h"

struct processor;
struct vmx_watch;

enum vmx_mistake {
    VMX_MISTAKE_ACTIVE_ELSEWHERE, /* a VMCS used on a processor while it is active on another */
    VMX_MISTAKE_STORED,           /* the region of an active VMCS changed by ordinary stores */
    VMX_MISTAKE_NEVER_CLEARED,    /* VMPTRLD of a region that was never VMCLEARed */
    VMX_MISTAKE_LEFT_ACTIVE,      /* VMXOFF with a VMCS that is still active */
    VMX_MISTAKES
};

extern const char *const vmx_mistake_names[]; /* "active_elsewhere", ... */

struct vmx_watch *vmx_watch_new(void);
void vmx_watch_free(struct vmx_watch *w);

/* How often, also of those whose sentence was not kept. */
uint64_t vmx_watch_count(const struct vmx_watch *w, enum vmx_mistake mistake);

/* The findings as sentences, first come first; returns how many were kept. */
size_t vmx_watch_report(const struct vmx_watch *w, FILE *out);

/* --- what processors tell it; NULL: nobody watches ---------------------------------------------------------------- */

void vmx_watch_vmclear(struct vmx_watch *w, const struct processor *p, uint64_t address);
void vmx_watch_vmptrld(struct vmx_watch *w, const struct processor *p); /* the VMCS is current now */
void vmx_watch_vmxoff(struct vmx_watch *w, const struct processor *p);

/* The processor is about to use a VMCS: is the region as it left it? And it has changed the region itself. */
void vmx_watch_look(struct vmx_watch *w, const struct processor *p, uint64_t address);
void vmx_watch_wrote(struct vmx_watch *w, const struct processor *p, uint64_t address);

#endif
