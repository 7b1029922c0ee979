/* SPDX-License-Identifier: MIT */
/*
 * Behind hvsim.h: what a struct hv_cpu is, for the blocks that build machines and hypervisors on it.
 */
#ifndef HV_API_API_H
#define HV_API_API_H

#include "api/hvsim.h"
#include "apic/apic_bus.h"
#include "cpu/cpu_apic.h"

enum { API_PROGRAMS = 16 };

/* A list of operations and where it lies. */
struct api_program {
    uint64_t rip, bytes;
    const struct hv_operation *operations;
    size_t count;
    size_t at;        /* the operation found last ... */
    uint64_t at_rip;  /* ... and its address: RIP mostly goes on from there */
};

struct hv_cpu {
    struct processor p;
    struct cpu_wires wires;
    struct apic local;
    struct cpu_apic apic; /* the ctx of the wires */
    struct api_program programs[API_PROGRAMS];
    size_t program_count;
    uint64_t limit; /* operations and events of the guest by VM entry; 0: none */
};

/*
 * A processor of 64-bit kernel mode with VMX allowed by IA32_FEATURE_CONTROL and CR4.VMXE set, so that VMXON is the
 * first thing to do. Its local APIC is on the bus and enabled, in x2APIC mode if there is one. What the configuration
 * names and the bus outlive it, and it stays where it is.
 */
void api_cpu_init(struct hv_cpu *c, const struct processor_config *config, struct apic_bus *bus);

/* What a call returns for how an instruction ended; after VM instructions RFLAGS say more. */
enum hv_end api_end(const struct hv_cpu *c, enum cpu_end end, bool vmx);

/* VMLAUNCH or VMRESUME without running the guest. HV_SUCCEEDED: it is entered; HV_EXITED: the entry failed late. */
enum hv_end api_enter(struct hv_cpu *c, enum hv_op op);

/* Runs the guest to the next VM exit, or to a reason to stop. The processor is in non-root operation. */
enum hv_end api_run_guest(struct hv_cpu *c);

/* The length of an operation's instruction, bytes. */
unsigned api_operation_length(const struct hv_operation *o);

#endif
