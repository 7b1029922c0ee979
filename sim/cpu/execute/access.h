/* SPDX-License-Identifier: MIT */
/*
 * A processor's accesses to memory by linear address: translation, faults, and what VMX makes of them.
 *
 * A page fault raises #PF or exits (exception bitmap with page-fault mask and match). An EPT violation exits, or
 * becomes #VE (SDM Vol. 3C 26.5.7 "Virtualization Exceptions"; 25.5.7 before 2022). An EPT misconfiguration exits.
 * The APIC-access page and a full page-modification log are looked for here too.
 *
 * Time: p->now advances by the TLBs' lookups, the walk and the references to the data, unless p->path is NULL.
 *
 * MODEL: without paging, and with 32-bit and PAE paging (legacy_paging.h), EPT is walked without time and without
 * setting its accessed and dirty flags, nothing is cached, and the exit qualification of an EPT violation says of
 * guest paging (bits 11:9) what it says without paging.
 */
#ifndef HV_CPU_EXECUTE_ACCESS_H
#define HV_CPU_EXECUTE_ACCESS_H

#include "cpu/processor.h"

enum { CPU_ACCESS_MAX_BYTES = 4096 };

/*
 * One access of `count` bytes, at most CPU_ACCESS_MAX_BYTES, with the privilege of the present CPL. Nothing is written
 * unless all of it can be. False: it did not happen, and *end is CPU_RAISED, CPU_EXITED or CPU_STOPPED.
 */
bool cpu_access(struct processor *p, hv_gva linear, enum hv_access_kind kind, void *bytes, size_t count,
                enum cpu_end *end);

/* The same as a supervisor-mode access whatever the CPL: to descriptor tables, task-state segments, inner stacks. */
bool cpu_access_system(struct processor *p, hv_gva linear, enum hv_access_kind kind, void *bytes, size_t count,
                       enum cpu_end *end);

/* A guest-physical address alone, for PDPTEs: EPT translates it when it is on. Bytes within one page. */
bool cpu_access_guest_physical(struct processor *p, hv_gpa address, enum hv_access_kind kind, void *bytes,
                               size_t count, enum cpu_end *end);

/* Host-physical memory that the processor itself uses, such as bitmaps; beyond the memory reads are all ones. */
uint8_t cpu_physical_byte(const struct processor *p, uint64_t address);
uint64_t cpu_physical_read(const struct processor *p, uint64_t address, unsigned bytes);
void cpu_physical_write(struct processor *p, uint64_t address, unsigned bytes, uint64_t value);

#endif
