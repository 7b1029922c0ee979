/* SPDX-License-Identifier: MIT */
/* One processor with memory and an MMU, for tests and fuzz programs: no function of cmocka is called. */
#ifndef HV_TESTS_VMX_MACHINE_H
#define HV_TESTS_VMX_MACHINE_H

#include "baseline.h"
#include "cpu/instruction.h"
#include "cpu/processor.h"
#include "cpu/vmx/vmx_watch.h"

enum { MACHINE_BYTES = 1 << 20, VMXON_AT = 0xc0000, VMCS_AT = 0xc1000, OTHER_AT = 0xc2000, SHADOW_AT = 0xc3000 };

/* Page tables, and tables of EPT, that map the memory to itself. */
enum { TABLES_AT = 0xd0000, EPT_AT = 0xd4000 };

/* Costs are different powers of ten, so that a sum tells what it is made of. */
enum {
    COST_ENTRY = 1, COST_EXIT = 10, COST_VMREAD = 100, COST_VMWRITE = 1000, COST_CONTROL = 10000, COST_OTHER = 100000,
    COST_MSR = 1000000
};

struct machine {
    struct physmem memory;
    struct mem_shared shared;
    struct mem_path path;
    struct trace_points trace;
    struct mmu mmu;
    struct vmx_caps caps;
    struct vmx_costs costs;
    struct processor p;
};

/* A processor with these capabilities, or (NULL) all, after RESET. */
struct machine *machine_new(const struct vmx_caps *caps);
void machine_free(struct machine *m);

/* The processor as after RESET; memory stays. */
void machine_reset(struct machine *m);

/* Another processor on the same memory and MMU. */
void machine_second(const struct machine *m, struct processor *p);

/* 64-bit mode at CPL 0 with everything that VMXON wants; and the same outside of IA-32e mode. */
void machine_ready(struct processor *p);
void machine_ready_32_bit(struct processor *p);

/* In VMX root operation, by VMXON. */
void machine_root(struct machine *m);

/* An instruction whose operand, if any, is a value in place of memory. */
int machine_do(struct processor *p, enum cpu_op op, uint64_t value);

/* VMREAD and VMWRITE by registers; the caller looks at RFLAGS. */
uint64_t machine_vmread(struct processor *p, uint64_t encoding);
void machine_vmwrite(struct processor *p, uint64_t encoding, uint64_t value);

/* VMCLEAR and VMPTRLD of a region that gets the revision first. */
void machine_load_vmcs(struct processor *p, uint64_t at);

/* That, and every field of a description stored into the VMCS. */
void machine_load_entry(struct processor *p, uint64_t at, const struct vmx_entry *e);

/* In a guest: a baseline, launched from the host that it wants. */
void machine_launch(struct machine *m, enum baseline base);

/* A VM exit like that of CPUID. */
int machine_exit(struct processor *p);

/* RFLAGS as VMsucceed, VMfailInvalid and VMfailValid leave it. */
enum status { STATUS_SUCCEED, STATUS_FAIL_INVALID, STATUS_FAIL_VALID, STATUS_OTHER };
enum status machine_status(const struct processor *p);

#endif
