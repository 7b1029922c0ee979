/* SPDX-License-Identifier: MIT */
/*
 * What lies around a processor and answers its instructions: ports, memory-mapped devices, the interrupt controller
 * and CPUID. Any function may be NULL, and so may the table: then nobody answers, as the comments say.
 *
 * The functions never raise anything. One that has to end the instruction otherwise says so in its result; one that
 * has found a VM exit like a trap calls cpu_request_exit() (exit.h).
 */
#ifndef HV_CPU_EXECUTE_WIRES_H
#define HV_CPU_EXECUTE_WIRES_H

#include "cpu/processor.h"

/* What a device made of an access that the processor offered to it. */
enum cpu_answer {
    CPU_NOT_MINE, /* not its address: memory, or the architecture's default */
    CPU_ANSWERED,
    CPU_REFUSED,  /* a VM exit of the kind that the access has, or #GP(0) of an MSR */
};

/* An access to a device: a store takes its bytes from `bytes`, anything else leaves them there. */
struct cpu_device_access {
    uint64_t address; /* host-physical; in the APIC-access page, the offset */
    enum hv_access_kind kind;
    void *bytes;
    size_t count;
    bool delivering; /* part of the delivery of an event */
};

struct cpu_wires {
    void *ctx;

    /* IN and OUT of 1, 2 or 4 bytes. Nobody: reads give all ones, writes are lost. */
    void (*port)(void *ctx, uint16_t port, unsigned bytes, bool write, uint32_t *value);

    /* CPUID. Nobody: all registers are 0. */
    void (*cpuid)(void *ctx, uint32_t leaf, uint32_t subleaf, uint32_t registers[4]);

    /* A reference to a host-physical address: the local APIC, a device. Nobody: memory. */
    enum cpu_answer (*device)(void *ctx, const struct cpu_device_access *access, hv_cycles now);

    /* A linear access to the APIC-access page (SDM Vol. 3C 30.4; 29.4 before 2022). Nobody: APIC-access VM exits. */
    enum cpu_answer (*apic_access)(void *ctx, const struct cpu_device_access *access);

    /* The operation that progress.apic_written tells of is over: APIC-write emulation (30.4.3.2; 29.4.3.2). */
    void (*apic_written)(void *ctx);

    /* RDMSR and WRMSR of 800H to 8FFH and of IA32_APIC_BASE, behind the MSR bitmaps. Nobody: #GP(0). */
    enum cpu_answer (*apic_msr)(void *ctx, uint32_t index, bool write, uint64_t *value);

    /* CR8 without a TPR shadow: the task priority, 0 to 15. Nobody: it is 0, and stays so. */
    void (*task_priority)(void *ctx, bool write, uint64_t *priority);

    /*
     * With a TPR shadow: the guest has written VTPR by MOV to CR8 (SDM Vol. 3C "TPR Virtualization", 30.1.2; 29.1.2).
     * Nobody: the threshold alone counts. With virtual-interrupt delivery: whether a virtual interrupt waits, as its
     * vector, or -1; taking it (30.2.2; 29.2.2).
     */
    void (*virtual_tpr)(void *ctx);
    int (*virtual_pending)(void *ctx);
    int (*virtual_acknowledge)(void *ctx);

    /* A guest has been entered, and no event injected yet: PPR virtualization and what follows (27.7.7; 26.7.7). */
    void (*entered)(void *ctx);

    /* With posted-interrupt processing: the notification vector has arrived (30.6; 29.6). Nobody: a VM exit. */
    void (*posted)(void *ctx);

    /*
     * An event is to be delivered to software that has no IDT, such as a stream of accesses: true, and it is. Nobody:
     * through the IDT.
     */
    bool (*deliver)(void *ctx, uint8_t vector);

    /* INIT has reset the processor. */
    void (*reset_by_init)(void *ctx);

    /* When the interrupt controller will have something next; UINT64_MAX for never. Nobody: never. */
    hv_cycles (*next_event)(void *ctx, hv_cycles now);
};

#endif
