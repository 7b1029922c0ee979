/* SPDX-License-Identifier: MIT */
/* What the files of guest.h share: guest_build.c makes guests, guest.c their VM exits, guest_turns.c turns and interrupts. */
#ifndef HV_MACHINE_GUEST_PARTS_H
#define HV_MACHINE_GUEST_PARTS_H

#include "api/api.h"
#include "cpu/vmx/vmx_watch.h"
#include "machine/guest.h"
#include "machine/io.h"
#include "vmm/hypervisor.h"

enum {
    TIMER_VECTOR = 0xec,        /* the host's own timer */
    NOTIFICATION_VECTOR = 0xf2, /* of posted interrupts ... */
    WAKE_VECTOR = 0xf1,         /* ... for a virtual processor that does not run, which go to the host */
    DEVICE_VECTOR = 0x51,       /* a device of the guest's */
    X2APIC_TPR = 0x808, X2APIC_EOI = 0x80b,
    EVENTS_MAX = 1000,          /* exits in a row, one causing the next: a bug */
};

/* The hypervisor's pages: those of the core, then those of each virtual processor. Page 0 is nobody's. */
enum { PAGE_VMXON = 1, PAGE_MSR_BITMAPS, PAGE_IO_BITMAP_A, PAGE_IO_BITMAP_B, PAGES_OF_CORE };
enum { PAGE_VMCS, PAGE_VIRTUAL_APIC, PAGE_POSTED, PAGES_OF_VCPU };

#define CR3_ADDRESS UINT64_C(0x000fffffffffffff) /* without what agile paging marks it with */
#define RFLAGS_IF (UINT64_C(1) << 9)
#define BIT(word, name) HV_BIT(HV_CONTROL_##word##_##name)

/* What the guest of one virtual processor is to VMX. */
struct guest_vcpu {
    uint64_t vmcs, posted; /* the VMCS, the posted-interrupt descriptor */
    bool launched;
    struct hypervisor hypervisor;
};

struct machine_guest {
    struct machine_core *core;
    struct hv_cpu cpu;
    struct apic_bus bus;       /* MODEL: of this core alone, as streams send no interrupts to each other */
    struct physmem memory;     /* of the hypervisor's structures */
    struct vmx_caps caps;
    struct vmx_costs costs;
    struct vmx_watch *watch;   /* check.vmx; NULL: off */
    struct guest_vcpu *vcpus;  /* by the schedule's number */
    uint32_t current;
    hv_cycles next_interrupt;  /* of the device; UINT64_MAX: it has none */
    bool handling;             /* the guest has taken the device's interrupt and not ended it */
    bool in_kernel;            /* the guest is in ring 0; what CS, SS and CR3 were before is kept */
    struct cpu_segment user_code, user_stack;
    uint64_t user_cr3;
    /* The wire to the local APIC's page. */
    enum cpu_answer (*apic)(void *ctx, const struct cpu_device_access *access, hv_cycles now);
    struct mmu_regs regs;      /* of the guest: the MMU has them whenever the core runs */
    hv_cycles handler_cycles;  /* of the guest's interrupt handlers, since begin_exits() */
};

static inline const struct vcpu_params *guest_vcpu_params(const struct machine_guest *g)
{
    return &g->core->machine->params.vcpu;
}

static inline enum vcpu_interrupts guest_interrupts_of(const struct machine_guest *g)
{
    return (enum vcpu_interrupts)guest_vcpu_params(g)->interrupts;
}

static inline bool guest_delivers_virtually(const struct machine_guest *g)
{
    return guest_interrupts_of(g) == VCPU_INTERRUPTS_VIRTUAL || guest_interrupts_of(g) == VCPU_INTERRUPTS_POSTED;
}

static inline uint64_t guest_page(uint64_t number)
{
    return number * HV_PAGE_BYTES;
}

static inline uint64_t guest_page_of_vcpu(uint32_t vcpu, unsigned which)
{
    return guest_page(PAGES_OF_CORE + (uint64_t)vcpu * PAGES_OF_VCPU + which);
}

/* ---- guest.c ---------------------------------------------------------------------------------------------------- */

/* Enters the current virtual processor. That its VMCS does not go is the parameters' fault: a feature is missing. */
bool guest_enter(struct machine_guest *g);

/* The hypervisor handles the VM exit of the current virtual processor. */
enum hypervisor_outcome guest_run_hypervisor(struct machine_guest *g);

/* The MMU has the guest's registers again, of which the processor may not have VPIDs. */
void guest_restore_context(struct machine_guest *g);

/* The guest's kernel takes over, until guest_end_exits() finds the processor in the guest. */
void guest_enter_kernel(struct machine_guest *g);

/* From here on the processor's clock runs, until guest_end_exits() hands what it has counted to the core. */
struct processor *guest_begin_exits(struct machine_guest *g);
void guest_end_exits(struct machine_guest *g, const char *what);

/* Until the guest runs on undisturbed: handles exits and enters again, and takes what waits between instructions. */
void guest_settle(struct machine_guest *g, enum cpu_end end);

/* ---- guest_device.c --------------------------------------------------------------------------------------------- */

/* The wire of an access of the guest's to a host-physical address: a device, the local APIC, the machine's memory. */
enum cpu_answer guest_physical_access(void *ctx, const struct cpu_device_access *access, hv_cycles now);

/* In a switch of virtual processors, before it and before the entry of the next. */
void guest_device_leave(struct machine_guest *g);
void guest_device_enter(struct machine_guest *g);

#endif
