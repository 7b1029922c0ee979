/* SPDX-License-Identifier: MIT */
/*
 * The virtual processors of a core under VMX: each has a VMCS, runs in VMX non-root operation, and leaves it by VM exits
 * that the reference hypervisor handles. What an exit costs is the sum of what really happens: the processor's
 * transitions (vmx.cost), the hypervisor's VMREADs, VMWRITEs and work (vmm.cost), and what TLBs lose on the way.
 *
 * A stream has no code, no IDT and no kernel of its own. MODEL: an instruction of an event is executed in ring 0, as a
 * guest's kernel would, without the system call that leads there; an interrupt is delivered to a handler that takes
 * vcpu.interrupt_handler_cycles and makes no accesses. MODEL: the hypervisor's own structures (VMCSs, bitmaps) lie in
 * memory of its own, outside of machine.memory, and reading them takes no cache accesses.
 */
#ifndef HV_MACHINE_GUEST_H
#define HV_MACHINE_GUEST_H

#include <stdio.h>

#include "apic/posted.h"
#include "machine/machine.h"
#include "vmm/hypervisor.h"
#include "vmm/vm_window.h"

struct machine_guest;

/* Enters the present virtual processor of a core of an EPT machine. NULL with a sentence: the parameters do not go. */
struct machine_guest *guest_new(struct machine_core *c, struct hv_err *err);
void guest_free(struct machine_guest *g);

/* What check.vmx has found of the built-in hypervisor, a sentence a line; returns how many. */
size_t guest_report(const struct machine_core *c, FILE *out);

/* All of these do nothing on a core that has no guest. Time is charged to the core. */

/* An EPT violation or misconfiguration, with `cycles` of the hypervisor's work on the tables. */
void guest_fault(struct machine_core *c, const struct hv_fault *fault, hv_cycles cycles);

/* An exit that the hypervisor's shadow tables cause, an enum vmx_exit_reason, with so much work of the hypervisor. */
void guest_exit(struct machine_core *c, unsigned reason, hv_cycles cycles);

/* An instruction of the stream: one of event.def's that has a value. */
void guest_instruction(struct machine_core *c, const struct hv_access *event);

/* The hypervisor's timer interrupts the guest, and the present virtual processor of the schedule is entered. */
void guest_switch(struct machine_core *c, const struct mmu_regs *regs);

/* The guest's operating system has loaded CR3. */
void guest_loaded_cr3(struct machine_core *c, uint64_t cr3);

/* When the next interrupt for the guest is due; UINT64_MAX: none. Delivering those that are. */
hv_cycles guest_next_interrupt(const struct machine_core *c);
void guest_take_interrupts(struct machine_core *c);

/* ---- guest_device.c: of a core that has a guest, and devices (io.h) ---------------------------------------------- */

/* An interrupt arrives at the core's local APIC while the guest runs. */
void guest_interrupt(struct machine_core *c, uint8_t vector);

/* An interrupt is posted in a virtual processor's descriptor; the notification that is to be sent, to this core. */
struct posted_notification guest_post(struct machine_core *c, uint32_t vcpu, uint8_t vector, bool urgent);

/*
 * A driver of the guest's writes to a port, or accesses a register of up to 8 bytes at an offset in a window: ring 0
 * executes OUT or MOV. Bitmaps, page tables and EPT say what becomes of it. True: a VM exit, which the hypervisor has
 * looked at (guest_wanted) and has to emulate; false: it is done. MODEL: the time of its walk is charged with it, as
 * the driver's or as the exit's, so the cycle stack's rows of walks lack that part of mmu.walk_cycles.
 */
struct guest_register {
    const struct vm_window *window;
    uint64_t offset;
    enum hv_access_kind kind; /* HV_LOAD or HV_STORE */
    unsigned bytes;
    uint64_t value;
};
bool guest_out(struct machine_core *c, uint16_t port, unsigned bytes, uint32_t value);
bool guest_access_register(struct machine_core *c, const struct guest_register *r);

/* What the hypervisor has read of that exit. */
struct hypervisor_access guest_wanted(const struct machine_core *c);

/*
 * A host's interrupt, too, makes the guest leave for the hypervisor. Then that works on the core's clock, and then the
 * guest goes on, with the vector of an interrupt for it unless that is -1.
 */
void guest_leave_by_interrupt(struct machine_core *c, uint8_t vector);
void guest_return(struct machine_core *c, int vector);

#endif
