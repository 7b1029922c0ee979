/* SPDX-License-Identifier: MIT */
/*
 * APIC virtualization: what a processor in VMX non-root operation does with a guest's accesses to its APIC instead of
 * leaving them to the hypervisor, on the virtual-APIC page in memory.
 *
 * SDM Vol. 3C "APIC Virtualization and Virtual Interrupts", chapter 30 (29 in editions before 2022). Each function
 * below is one section of it and says in a vapic_result what the processor has to do. The VMX code fills a struct
 * vapic from the VMCS at VM entry, calls vapic_enter(), and writes rvi and svi back to the guest interrupt status at
 * VM exit. It calls a function only after the checks that go first: CR8-load and CR8-store exiting, the MSR bitmaps.
 *
 * Exits that are trap-like (all but APIC access) happen after the instruction: the guest's RIP is past it.
 *
 * Nothing here reads the time: memory accesses of APIC virtualization are charged by whoever knows the cost.
 */
#ifndef HV_APIC_VAPIC_H
#define HV_APIC_VAPIC_H

#include "apic/posted.h"
#include "apic/vapic_stats.h"

/* VM-execution controls and control fields, as the VMCS has them. */
struct vapic_controls {
    bool use_tpr_shadow;
    bool virtualize_apic_accesses;
    bool virtualize_x2apic_mode;
    bool apic_register_virtualization;
    bool virtual_interrupt_delivery;
    bool ipi_virtualization;
    bool interrupt_window_exiting;
    uint8_t tpr_threshold; /* bits 3:0 */
    struct vector_set eoi_exit_bitmap;
    hv_hpa posted_descriptor;
    hv_hpa pid_pointer_table;
    uint16_t last_pid_pointer_index;
    unsigned physical_bits; /* of addresses */
};

struct vapic {
    struct physmem *memory;
    hv_hpa page; /* the virtual-APIC page */
    struct vapic_controls controls;
    uint8_t rvi, svi; /* guest interrupt status: requesting and servicing virtual interrupt */
    bool recognized;  /* a virtual interrupt is pending: vapic_deliver() once the guest can take it */
    struct vapic_stats stats;
};

/* What the processor has to do. */
enum vapic_action {
    VAPIC_DONE,               /* nothing more; a read's value is in `value` */
    VAPIC_EMULATE,            /* after the instruction, vapic_emulate_write() with the access's offset */
    VAPIC_NORMAL,             /* this is not virtualized: the instruction operates on the physical APIC */
    VAPIC_FAULT,              /* #GP(0) */
    VAPIC_EXIT_ACCESS,        /* fault-like VM exit, "APIC access" */
    VAPIC_EXIT_WRITE,         /* trap-like VM exit, "APIC write" */
    VAPIC_EXIT_TPR_THRESHOLD, /* trap-like VM exit, "TPR below threshold" */
    VAPIC_EXIT_EOI,           /* trap-like VM exit, "virtualized EOI" */
};

struct vapic_result {
    enum vapic_action action;
    uint64_t value;         /* of a read */
    uint64_t qualification; /* of a VM exit; "TPR below threshold" has none, so 0 */
    struct posted_notification notification; /* to send, with apic_send_notification() */
};

/* ---- Events (vapic.c) ---- */

/*
 * VM entry, after the guest state is loaded: PPR virtualization and the evaluation of pending virtual interrupts with
 * "virtual-interrupt delivery" (27.3.2.5), or the VM exit for a TPR that is below its threshold (27.7.7). With event
 * injection the second is the caller's to delay.
 */
struct vapic_result vapic_enter(struct vapic *v);

/*
 * Whether a virtual interrupt is delivered now is the caller's to decide (RFLAGS.IF, blocking by STI and MOV SS): then
 * this moves it from the virtual IRR to the virtual ISR and returns its vector, 30.2.2. Only when v->recognized. The
 * caller delivers the vector through the IDT, or as a user interrupt when it is UINV.
 */
uint8_t vapic_deliver(struct vapic *v);

/*
 * apic_acknowledge() gave the posted-interrupt notification vector (with "process posted interrupts"), 30.6: steps 3
 * and 5 to 7. Step 4, apic_eoi() of the physical APIC, is the caller's and changes nothing here.
 */
void vapic_process_posted(struct vapic *v);

/* MOV from and to CR8, 30.3: bits 3:0 of the value. VAPIC_NORMAL without TPR shadow. */
struct vapic_result vapic_read_cr8(struct vapic *v);
struct vapic_result vapic_write_cr8(struct vapic *v, uint64_t value);

/*
 * IPI virtualization, 30.1.6, of a vector and a virtual APIC ID. Also for SENDUIPI, 30.7: there, a result of
 * VAPIC_EXIT_WRITE is as if the ICR had been written.
 */
struct vapic_result vapic_send_ipi(struct vapic *v, uint8_t vector, uint32_t virtual_id);

/* ---- The APIC-access page (vapic_page.c) ---- */

/*
 * How an access touches the page. Linear accesses are those of instructions and event delivery; guest-physical ones,
 * such as those of page walks and of writes to the page-modification log, always exit here. MODEL: silicon may let
 * guest-physical ones pass (30.4.6).
 */
enum vapic_access_kind {
    VAPIC_READ, VAPIC_WRITE, VAPIC_FETCH,
    VAPIC_EVENT_READ, VAPIC_EVENT_WRITE,  /* linear, during event delivery */
    VAPIC_PHYSICAL_EVENT,                 /* guest-physical, during event delivery */
    VAPIC_PHYSICAL,                       /* guest-physical, for an instruction's fetch or execution */
};

struct vapic_access {
    uint32_t offset; /* in the page */
    unsigned bytes;
    enum vapic_access_kind kind;
    /* Of the same operation, a write to this page was virtualized already: its offset and size; size 0: none. */
    uint32_t earlier_offset;
    unsigned earlier_bytes;
};

/*
 * An access to the APIC-access page with "virtualize APIC accesses", which must be set. A read is VAPIC_DONE with its
 * value; a write that is virtualized has stored its value and is VAPIC_EMULATE; anything else exits, with the exit
 * qualification of table 28-6 (27-6). Page faults and EPT violations go first (30.4.1).
 */
struct vapic_result vapic_access(struct vapic *v, const struct vapic_access *access, uint64_t value);

/*
 * APIC-write emulation, 30.4.3.2, after the operation that wrote. Not when that operation caused a VM exit.
 */
struct vapic_result vapic_emulate_write(struct vapic *v, uint32_t offset);

/* ---- MSRs 800H-8FFH (vapic_msr.c) ---- */

/*
 * RDMSR and WRMSR of 800H-8FFH, 30.5. VAPIC_NORMAL: the instruction operates on the physical APIC, as without
 * "virtualize x2APIC mode". A write is complete, emulation included: there is no VAPIC_EMULATE.
 */
struct vapic_result vapic_read_msr(struct vapic *v, uint32_t index);
struct vapic_result vapic_write_msr(struct vapic *v, uint32_t index, uint64_t value);

#endif
