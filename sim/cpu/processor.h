/* SPDX-License-Identifier: MIT */
/*
 * A logical processor: architectural state, VMX state, and its ways to memory and to the interrupt controller.
 *
 * It is driven one instruction at a time (execute.h). Time is p->now; an instruction adds what it takes. Everything
 * that can happen to software is data: an instruction ends in an enum cpu_end, and nothing that a guest or a
 * hypervisor does stops the simulator.
 */
#ifndef HV_CPU_PROCESSOR_H
#define HV_CPU_PROCESSOR_H

#include "cpu/state.h"
#include "cpu/vmx/vmx.h"
#include "mmu/mmu.h"

/* How an instruction ended. */
enum cpu_end {
    CPU_COMPLETED, /* its effects are there, and RIP is behind it */
    CPU_RAISED,    /* an exception: p->raised says which; RIP is at it, and it had no effect */
    CPU_EXITED,    /* a VM exit has taken place: root operation, host state, p->vmx.exit tells of it */
    CPU_ENTERED,   /* a VM entry has taken place: non-root operation */
    CPU_STOPPED,   /* nothing can go on: VMX abort, or shutdown outside of a guest */
};

/* SDM Vol. 3A table 6-1. */
enum cpu_vector {
    CPU_DE = 0, CPU_DB = 1, CPU_NMI = 2, CPU_BP = 3, CPU_OF = 4, CPU_BR = 5, CPU_UD = 6, CPU_NM = 7, CPU_DF = 8,
    CPU_TS = 10, CPU_NP = 11, CPU_SS_FAULT = 12, CPU_GP = 13, CPU_PF = 14, CPU_MF = 16, CPU_AC = 17, CPU_MC = 18,
    CPU_XM = 19, CPU_VE = 20, CPU_CP = 21
};

struct cpu_exception {
    uint8_t vector;
    bool has_error_code;
    uint32_t error_code;
    uint64_t information; /* #PF: the linear address, for CR2; #DB: what becomes of DR6 */
};

/* Signals that wait for the end of an instruction. The interrupt controller sets them by processor_signal(). */
enum cpu_signal {
    CPU_SIGNAL_NMI = 1 << 0,
    CPU_SIGNAL_INIT = 1 << 1,
    CPU_SIGNAL_SIPI = 1 << 2,
    CPU_SIGNAL_SMI = 1 << 3,
    CPU_SIGNAL_MACHINE_CHECK = 1 << 4,
};

/*
 * The wire from the interrupt controller: which external interrupt waits now (-1: none; its vector is not taken
 * yet), and taking it. NULL functions: no controller.
 */
struct processor_interrupts {
    int (*pending)(void *ctx, hv_cycles now);
    int (*acknowledge)(void *ctx, hv_cycles now);
    void *ctx;
};

struct cpu_wires; /* execute/wires.h: ports, devices, CPUID, the APIC's virtualization */

/* A VM exit like a trap: it follows the operation that caused it, before whatever else waits. */
struct cpu_trap {
    bool waits;
    enum vmx_exit_reason reason;
    uint64_t qualification;
};

/* What the parts of an instruction's execution tell each other (sim/cpu/execute). */
struct cpu_progress {
    unsigned length;      /* of the instruction */
    bool nmi_unblocked;   /* IRET has ended blocking by NMI: exits report it */
    bool log_full;        /* the walk ended because the page-modification log is full */
    bool delivering;      /* an event is being delivered through the IDT */
    bool external;        /* it is no software interrupt: error codes have EXT set */
    bool monitoring;      /* MONITOR has armed the address-range monitor */
    bool apic_written;    /* the operation has written to the APIC-access page: its emulation follows */
    struct cpu_trap trap; /* what cpu_request_exit() has asked for */
    uint64_t random;      /* how many random numbers RDRAND and RDSEED have given */
};

struct processor {
    struct cpu_state state;
    struct vmx vmx;
    struct physmem *memory;
    struct mmu *mmu;
    struct mem_path *path;
    struct processor_interrupts interrupts;
    struct apic *apic;            /* NULL: none */
    const struct cpu_wires *wires; /* NULL: nobody answers */
    struct cpu_progress progress;
    unsigned number;
    hv_cycles now;
    uint32_t signals;             /* enum cpu_signal */
    uint8_t sipi_vector;
    struct cpu_exception raised;  /* after CPU_RAISED */
    const struct vmx_costs *costs;
    struct vmx_watch *watch;      /* check.vmx: what all processors did to VMCSs; NULL: off */
};

struct processor_config {
    struct physmem *memory;
    struct mmu *mmu;       /* its features must fit the capabilities */
    struct mem_path *path; /* NULL: references take no time */
    const struct vmx_caps *caps;
    const struct vmx_costs *costs;
    unsigned number;
};

/* All that the configuration names outlives the processor. The state is that after RESET. */
void processor_init(struct processor *p, const struct processor_config *config);

/* A signal arrives; sipi_vector is the start-up IPI's, otherwise 0. */
void processor_signal(struct processor *p, enum cpu_signal signal, uint8_t sipi_vector);

/* Sets p->raised; returns CPU_RAISED, to be returned. */
enum cpu_end processor_raise(struct processor *p, enum cpu_vector vector);
enum cpu_end processor_raise_code(struct processor *p, enum cpu_vector vector, uint32_t error_code);

/*
 * Tells the MMU what control registers, EFER, RFLAGS.AC, CPL, VPID and EPTP are now. To be called whenever one of
 * them has changed; it invalidates nothing.
 */
void processor_context_changed(struct processor *p);

/* The registers that the MMU works with in the present mode. */
struct mmu_regs processor_mmu_regs(const struct processor *p);

/* The TSC as software outside a guest reads it: the clock plus IA32_TSC_ADJUST. */
uint64_t processor_tsc(const struct processor *p);

#endif
