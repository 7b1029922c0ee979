/* SPDX-License-Identifier: MIT */
/*
 * A processor's two APICs: the local APIC, which answers its registers and hands it interrupts, and in VMX non-root
 * operation the virtual one, whose state is the virtual-APIC page and the guest interrupt status.
 *
 * Both are reached through the wires of execute/wires.h. This block fills them in:
 *
 *     cpu_apic.c          the local APIC: its page, its MSRs, CR8, interrupts, what its messages do to the processor
 *     cpu_virtual_apic.c  SDM Vol. 3C "APIC Virtualization and Virtual Interrupts" (chapter 30; 29 before 2022):
 *                         the VMCS on one side, the functions of apic/vapic.h on the other
 *
 * MODEL: APIC virtualization, virtual-interrupt delivery and posted-interrupt processing take no time of their own.
 */
#ifndef HV_CPU_CPU_APIC_H
#define HV_CPU_CPU_APIC_H

#include "apic/apic.h"
#include "apic/ioapic.h"
#include "apic/vapic.h"
#include "cpu/execute/wires.h"

/* Where the I/O APIC's page of registers lies, as chipsets have it (Intel ICH datasheets, "I/O APIC"). */
#define CPU_IOAPIC_ADDRESS UINT64_C(0xfec00000)

struct cpu_apic {
    struct processor *p;
    struct apic *local;  /* NULL: there is none */
    struct ioapic *ioapic; /* of the machine; NULL: there is none */
    struct vapic vapic;  /* of the guest that runs */
    /* A write to the APIC-access page that the operation under way has made; bytes 0: none. */
    uint32_t written_offset;
    unsigned written_bytes;
    void *user; /* whoever adds functions of its own to the wires: their ctx is the struct cpu_apic too */
};

/*
 * Connects a processor with its APICs. The wires, which stay the caller's and outlive the processor, then hold the
 * functions below with `a` as ctx, and p->wires points to them. Without a local APIC the processor's interrupts stay
 * as they are.
 */
void cpu_apic_connect(struct cpu_apic *a, struct processor *p, struct apic *local, struct cpu_wires *wires);

/* The wire from a local APIC to its processor, for apic_init(). */
struct apic_output cpu_apic_output(struct processor *p);

/* RDMSR and WRMSR of the local APIC, as in root operation. */
enum cpu_answer cpu_apic_local_msr(struct cpu_apic *a, uint32_t index, bool write, uint64_t *value);

/* Fills in the wires of the virtual APIC. */
void cpu_virtual_apic_connect(struct cpu_wires *wires);

/* RDMSR and WRMSR in non-root operation. CPU_NOT_MINE: they are the local APIC's. */
enum cpu_answer cpu_virtual_apic_msr(struct cpu_apic *a, uint32_t index, bool write, uint64_t *value);

#endif
