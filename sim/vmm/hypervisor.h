/* SPDX-License-Identifier: MIT */
/*
 * The reference hypervisor's half of a VM exit: which fields it reads, what it emulates, which it writes, what that costs
 * beside the hardware. It is written on api/hvsim.h as a user's own would be.
 *
 * The cost of an exit therefore has three parts: the hardware's round trip (vmx.cost), the VMREADs and VMWRITEs that the
 * handler really makes, and the software's work (vmm.cost: dispatch_cycles for every exit, then what its reason takes).
 */
#ifndef HV_VMM_HYPERVISOR_H
#define HV_VMM_HYPERVISOR_H

#include "api/hvsim.h"
#include "vmm/vm.h"

/* What the guest has accessed that is not its own: a port, or guest-physical memory. */
enum hypervisor_space { HYPERVISOR_NOTHING, HYPERVISOR_PORT, HYPERVISOR_MEMORY };

struct hypervisor_access {
    enum hypervisor_space space;
    uint64_t address;
};

struct hypervisor {
    const struct vmm_cost_params *cost;
    struct hypervisor_access access; /* that the last exit was for */
    struct hypervisor_interrupts {
        int waiting;     /* vector of a virtual interrupt that has not been injected; -1: none */
        bool in_service; /* the guest has taken one and not ended it */
        bool delivery;   /* the processor delivers virtual interrupts (APICv) */
        int device;      /* vector of a device of the guest's, which is passed on; -1: none */
    } interrupts;
};

/* What became of an exit. */
enum hypervisor_outcome {
    HYPERVISOR_RESUME, /* emulated: enter again */
    HYPERVISOR_IDLE,   /* the guest has halted: enter again at its next interrupt */
    HYPERVISOR_LOST,   /* no hypervisor can go on with this guest: a triple fault, a failed entry */
};

void hypervisor_init(struct hypervisor *h, const struct vmm_cost_params *cost);

/*
 * Handles the VM exit that the processor has just taken. An EPT violation's page has been or will be mapped by the
 * caller, who owns the tables: here it costs its reads of the VMCS and no work. A device that h->access names is the
 * caller's to emulate.
 */
enum hypervisor_outcome hypervisor_handle(struct hypervisor *h, struct hv_cpu *cpu);

/* A virtual interrupt for the guest that is to be entered: injected at once if the guest can take it, or later. */
void hypervisor_inject(struct hypervisor *h, struct hv_cpu *cpu, uint8_t vector);

#endif
