/* SPDX-License-Identifier: MIT */
/*
 * hvsim as a library: hypervisor logic in C against a model of the hardware, before there is silicon.
 *
 * A machine has processors and memory. Hypervisor code is C that runs on your own machine; what it does to the
 * simulated processor it does by calls, one for each VMX instruction, which behave as the Software Developer's Manual
 * says: they succeed, fail with a VM-instruction error, or raise an exception. The guest is a list of operations
 * (accesses, privileged instructions, I/O), or machine code later. hv_vmlaunch() and hv_vmresume() run it until the
 * next VM exit.
 *
 * Two ways to use it:
 *
 *     the instructions    hv_vmxon, hv_vmptrld, hv_vmwrite, hv_vmlaunch, ...: you are the hypervisor
 *     a small layer       hv_vm_new, hv_vm_map, hv_vcpu_run, ...: a virtual machine in twenty lines
 *
 * Time: every call takes the simulated time that the hardware would take; hv_now() reads the clock. Nothing that a
 * guest or a hypervisor does stops the program: mistakes come back as data. Machines are independent of each other;
 * one machine is used by one thread at a time. Addresses: gva, gpa and hpa are guest-linear, guest-physical and
 * host-physical.
 */
#ifndef HVSIM_H
#define HVSIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { HV_ERROR_BYTES = 512 };

struct hv_machine;
struct hv_cpu;

/* ---- Names, from the tables that the model itself works with ---------------------------------------------------- */

/* The fields of a VMCS by their encodings: HV_VMCS_guest_rip. */
enum hv_vmcs_field {
#define V(encoding, name, help) HV_VMCS_##name = encoding,
#include "cpu/vmx/vmcs_fields.def"
#undef V
};

/* Basic exit reasons: HV_EXIT_cpuid. */
enum hv_exit_reason {
#define X(number, name, ...) HV_EXIT_##name = number,
#include "cpu/vmx/vmx_exit_reasons.def"
#undef X
};

/* VM-instruction errors: HV_ERROR_vmlaunch_not_clear. */
enum hv_vmx_error {
#define R(number, name, words) HV_ERROR_##name = number,
#include "cpu/vmx/vmx_errors.def"
#undef R
};

/* Bits of the control fields: HV_CONTROL_PRIMARY_hlt_exiting is a bit's number; HV_BIT makes it a mask. */
enum hv_control {
#define C(word, bit, name, help) HV_CONTROL_##word##_##name = bit,
#include "cpu/vmx/vmx_controls.def"
#undef C
};
#define HV_BIT(control) (UINT64_C(1) << (control))

/* Operations of a guest: HV_OP_cpuid. What each takes is said in the table. */
enum hv_op {
#define I(name, length, privilege, exit, words) HV_OP_##name,
#include "cpu/instructions.def"
#undef I
    HV_OPS
};

/* "cpuid"; NULL for a number without a name. */
const char *hv_exit_name(uint32_t reason);
const char *hv_field_name(uint32_t encoding);
const char *hv_error_words(uint32_t error);

enum hv_register {
    HV_RAX, HV_RCX, HV_RDX, HV_RBX, HV_RSP, HV_RBP, HV_RSI, HV_RDI, HV_R8, HV_R9, HV_R10, HV_R11, HV_R12, HV_R13,
    HV_R14, HV_R15, HV_RIP, HV_RFLAGS, HV_CR0, HV_CR2, HV_CR3, HV_CR4, HV_CR8, HV_EFER, HV_REGISTERS
};

/* ---- The machine ------------------------------------------------------------------------------------------------ */

/*
 * A machine of `config`, a file or the name of a shipped one (NULL: the defaults), with each "KEY=VALUE" of `settings`
 * (ends with NULL; may be NULL) on top. The workload of a configuration is not used. NULL: `error` says in one
 * sentence what to change.
 */
struct hv_machine *hv_machine_new(const char *config, const char *const *settings, char error[HV_ERROR_BYTES]);
void hv_machine_free(struct hv_machine *m);

/* Processor n, from 0 to machine.cores - 1; NULL: there is none. Its state is that of a 64-bit kernel in ring 0. */
struct hv_cpu *hv_machine_cpu(struct hv_machine *m, unsigned n);

/* 4 KiB pages of host-physical memory that nobody uses, zeroed; HV_NO_MEMORY: there are not so many in a row. */
uint64_t hv_pages(struct hv_machine *m, size_t count);
#define HV_NO_MEMORY UINT64_MAX

/* Host-physical memory, without time. False: it is beyond the end. */
bool hv_read(const struct hv_machine *m, uint64_t hpa, void *to, size_t bytes);
bool hv_write(struct hv_machine *m, uint64_t hpa, const void *from, size_t bytes);

/*
 * What check.stale (translations used although memory no longer backs them: a forgotten INVEPT, INVVPID or INVLPG) and
 * check.vmx (a VMCS active on two processors, changed by ordinary stores, or not VMCLEARed) have found, a sentence a
 * line. Returns how many. Both are settings: "check.stale=true".
 */
size_t hv_report(const struct hv_machine *m, FILE *out);

/* ---- A processor ------------------------------------------------------------------------------------------------ */

/* How a call ended. */
enum hv_end {
    HV_SUCCEEDED,      /* VMsucceed, or an ordinary instruction is done */
    HV_FAILED_INVALID, /* VMfailInvalid: there is no current VMCS */
    HV_FAILED_VALID,   /* VMfailValid: hv_vmx_error() says why */
    HV_RAISED,         /* an exception: hv_exception() */
    HV_EXITED,         /* a VM exit: hv_exit_of() */
    HV_IDLE,           /* the guest waits for an event that nothing will bring: halted without a timer, say */
    HV_PROGRAM_OVER,   /* RIP is at no operation of the guest's program */
    HV_STOPPED,        /* the processor has shut down, or a VMX abort */
    HV_LIMIT,          /* the guest has run as long as hv_set_limit() allows; it is still in non-root operation */
};

extern const char *const hv_end_names[];

uint64_t hv_get(const struct hv_cpu *c, enum hv_register r);
void hv_set(struct hv_cpu *c, enum hv_register r, uint64_t value);

/* The clock in cycles, and time in which the hypervisor computes. */
uint64_t hv_now(const struct hv_cpu *c);
void hv_work(struct hv_cpu *c, uint64_t cycles);

struct hv_exception {
    unsigned vector;
    bool has_error_code;
    uint32_t error_code;
};
struct hv_exception hv_exception(const struct hv_cpu *c);

/* ---- The instructions ------------------------------------------------------------------------------------------- */

enum hv_end hv_rdmsr(struct hv_cpu *c, uint32_t index, uint64_t *value);
enum hv_end hv_wrmsr(struct hv_cpu *c, uint32_t index, uint64_t value);

enum hv_end hv_vmxon(struct hv_cpu *c, uint64_t hpa);
enum hv_end hv_vmxoff(struct hv_cpu *c);
enum hv_end hv_vmclear(struct hv_cpu *c, uint64_t hpa);
enum hv_end hv_vmptrld(struct hv_cpu *c, uint64_t hpa);
enum hv_end hv_vmptrst(struct hv_cpu *c, uint64_t *hpa);
enum hv_end hv_vmread(struct hv_cpu *c, uint32_t field, uint64_t *value);
enum hv_end hv_vmwrite(struct hv_cpu *c, uint32_t field, uint64_t value);
enum hv_end hv_invept(struct hv_cpu *c, uint64_t type, uint64_t eptp);
enum hv_end hv_invvpid(struct hv_cpu *c, uint64_t type, uint16_t vpid, uint64_t gva);

/* VM entry; then the guest runs, to the next VM exit or to a reason to stop that is not one. */
enum hv_end hv_vmlaunch(struct hv_cpu *c);
enum hv_end hv_vmresume(struct hv_cpu *c);

/*
 * How many operations and interrupts of a guest one VM entry runs at most, HV_LIMIT_DEFAULT if nothing else is said: a
 * guest that never exits, a handler that faults again and again, comes back as HV_LIMIT. 0 is no limit.
 */
#define HV_LIMIT_DEFAULT UINT64_C(100000000)
void hv_set_limit(struct hv_cpu *c, uint64_t operations);

/*
 * After HV_IDLE, HV_PROGRAM_OVER and HV_LIMIT the processor is still in the guest. The first runs it on without a VM
 * entry, HV_STOPPED: it is in no guest. The second brings it back to the hypervisor by a VM exit for an external
 * interrupt without a vector, as one from another processor of the host would; HV_SUCCEEDED: it was there.
 */
enum hv_end hv_continue(struct hv_cpu *c);
enum hv_end hv_leave(struct hv_cpu *c);

/* The VM-instruction error of the current VMCS; 0: there is none. */
uint32_t hv_vmx_error(const struct hv_cpu *c);

/* The checks of a VM entry that the current VMCS fails now, each as a sentence; returns how many there are. */
size_t hv_broken_rules(const struct hv_cpu *c, const char **sentences, size_t max);

/* What the last VM exit recorded. */
struct hv_vm_exit {
    uint32_t reason; /* enum hv_exit_reason; bit 31: the VM entry failed */
    uint64_t qualification;
    uint64_t gva, gpa;
    uint32_t length; /* of the instruction */
    uint32_t information;
    uint32_t interruption, vectoring; /* bit 31: valid */
};
struct hv_vm_exit hv_exit_of(const struct hv_cpu *c);

/* ---- The guest as a list of operations -------------------------------------------------------------------------- */

/*
 * Operands by operation: `address` is the guest-linear address of an operand in memory (0: it is in a register),
 * `value` a port, vector, immediate or descriptor, `number` that of a control or debug register, `reg` the register
 * operand. A size of 0 is the usual one.
 */
struct hv_operation {
    enum hv_op op;
    enum hv_register reg;
    uint8_t size;
    uint8_t number;
    uint64_t address;
    uint64_t value;
};

/*
 * The guest's program at a linear address: each operation takes the bytes of its instruction, so that RIP runs through
 * the list. A processor may have several, handlers of interrupts say. The list is not copied. False: it overlaps one
 * that is there, or there are too many.
 */
bool hv_program(struct hv_cpu *c, uint64_t rip, const struct hv_operation *operations, size_t count);

/* Forgets all programs of a processor. */
void hv_programs_clear(struct hv_cpu *c);

/* Where operation number n of a list that begins at rip lies. */
uint64_t hv_program_address(uint64_t rip, const struct hv_operation *operations, size_t n);

/*
 * An external interrupt (vector 16 to 255) arrives at the processor's local APIC; an NMI. Whoever takes the interrupt
 * ends it: until then the local APIC keeps those of the same and of lower priority back. Hypervisor code does so by
 * hv_eoi(), which is a write of the EOI register in the mode that the APIC is in.
 *
 * The local APIC is enabled, in x2APIC mode unless apic.x2apic is false: its registers are MSRs 800H to 8FFH for
 * hv_rdmsr() and hv_wrmsr(). Interprocessor interrupts go to the machine's other processors, each of which sees them
 * when it next runs.
 */
void hv_interrupt(struct hv_cpu *c, uint8_t vector);
void hv_eoi(struct hv_cpu *c);

/*
 * The machine's I/O APIC, of 24 pins, whose page of registers lies at HV_IOAPIC: a register by its index, through the
 * index and window registers as software reaches it, and the level that a device drives a pin to at the time of this
 * processor's clock. False: there is no such pin. Every entry begins masked; an interrupt arrives as the local APIC of
 * its destination sees it.
 */
#define HV_IOAPIC UINT64_C(0xfec00000)
uint32_t hv_ioapic_read(struct hv_cpu *c, uint8_t index);
void hv_ioapic_write(struct hv_cpu *c, uint8_t index, uint32_t value);
bool hv_pin(struct hv_cpu *c, unsigned pin, bool high);
void hv_nmi(struct hv_cpu *c);

/* ---- Devices behind an IOMMU ------------------------------------------------------------------------------------- */

/* Registers of the IOMMU by their offsets: HV_IOMMU_GCMD. The fault records begin at HV_IOMMU_FRCD_LOW. */
enum hv_iommu_register {
#define R(offset, name, bytes, kind, reset, writable, w1c, offered, text) HV_IOMMU_##name = offset,
#define B(name, bits, offered)
#include "iommu/iommu_regs.def"
#undef R
#undef B
};

/* Fault reasons: HV_FAULT_SRT_2; and in words, NULL for a number that is none. */
enum hv_fault_reason {
#define F(number, name, area, qualified, answer, code, words) HV_FAULT_##name = number,
#include "iommu/iommu_faults.def"
#undef F
};
const char *hv_fault_words(uint8_t reason);

/*
 * Puts an IOMMU (VT-d, of the settings iommu.*) between the machine's devices and its memory and processors. Until then
 * devices use host-physical addresses and any interrupt. Its registers lie from HV_IOMMU on, 8 KiB of them, for
 * whatever reads and writes physical memory: a guest whose EPT leads there, or hypervisor code by the two calls, 4 or 8
 * bytes at a time. Its own interrupts arrive at local APICs. False: `error` says why.
 */
#define HV_IOMMU UINT64_C(0xfed90000)
bool hv_iommu_attach(struct hv_machine *m, char error[HV_ERROR_BYTES]);
uint64_t hv_iommu_read(struct hv_cpu *c, uint32_t offset, unsigned bytes);
void hv_iommu_write(struct hv_cpu *c, uint32_t offset, unsigned bytes, uint64_t value);

/* When the hardware is done with the last invalidation that it was given. What it writes then is there before. */
uint64_t hv_iommu_busy_until(const struct hv_machine *m);

enum hv_dma_type { HV_DMA_UNTRANSLATED, HV_DMA_TRANSLATION_REQUEST, HV_DMA_TRANSLATED };

/*
 * What a device asks for: to move `bytes` of data, from (`write`) or to `data`, which may be NULL. With a PASID it may
 * ask with supervisor privilege, and a read may be one that fetches what is to be executed.
 */
struct hv_dma {
    uint16_t source;     /* requester id: bus 15:8, device 7:3, function 2:0 */
    bool has_pasid, privileged, execute;
    uint32_t pasid;
    enum hv_dma_type type; /* a translation request moves nothing */
    bool write;
    uint64_t address;
    void *data;
    size_t bytes;        /* 0: a zero-length access */
};

/* What became of it. A DMA of several pages ends at the first one that is blocked. */
struct hv_dma_reply {
    bool ok;
    uint8_t fault;       /* a fault reason; 0: none, also when it was blocked without one */
    size_t moved;        /* bytes */
    uint64_t hpa;        /* of the last page that it reached, with the offset in it */
    bool may_read, may_write, may_execute; /* answer to a translation request, for as many bytes as 2^size_log2 */
    unsigned size_log2;
    uint64_t done;
};

/*
 * A DMA at the time of this processor's clock, which goes on meanwhile. With an IOMMU, a write of 4 bytes to FEE00000H
 * and the MiB behind it is no DMA but an interrupt, and blocked here without a fault: hv_msi() is for those.
 */
struct hv_dma_reply hv_dma(struct hv_cpu *c, const struct hv_dma *dma);

/*
 * PRI: a device asks software to map a page. Hypervisor code finds the request in the page request queue, and answers
 * its group, at the one that is `last`, by a descriptor of the invalidation queue; what software may not see, the
 * IOMMU answers. Answers come back oldest first; false: there is none left.
 */
struct hv_page_request {
    uint16_t source;
    bool has_pasid, privileged, read, write, execute, last;
    uint32_t pasid;
    uint64_t address;
    uint16_t group;      /* 0 to 511 */
};
struct hv_page_response {
    uint16_t source;
    bool has_pasid;
    uint32_t pasid;
    uint16_t group;
    uint8_t code;        /* 0: success; 1: invalid request; 15: failure */
};
void hv_page_request(struct hv_cpu *c, const struct hv_page_request *request);
bool hv_page_response(struct hv_machine *m, struct hv_page_response *response);

/* What became of a message that a device sends as an interrupt. */
struct hv_msi_reply {
    bool ok;
    uint8_t fault;
    bool posted;         /* in the descriptor of a virtual processor; */
    bool notified;       /* and a notification is on its way */
    uint8_t vector;      /* of the interrupt, or of the notification */
    uint32_t destination; /* APIC ID */
    uint64_t arrives;
};
struct hv_msi_reply hv_msi(struct hv_cpu *c, uint16_t source, uint64_t address, uint32_t data);

/* ---- A virtual machine in twenty lines -------------------------------------------------------------------------- */

struct hv_vm;
struct hv_vcpu;

/* A virtual machine with an empty guest-physical memory. NULL: no memory is left. */
struct hv_vm *hv_vm_new(struct hv_machine *m);
void hv_vm_free(struct hv_vm *vm);

enum { HV_PROT_READ = 1, HV_PROT_WRITE = 2, HV_PROT_EXECUTE = 4, HV_PROT_ALL = 7 };

/* Backs guest-physical memory by new pages; both numbers are multiples of 4 KiB. */
bool hv_vm_map(struct hv_vm *vm, uint64_t gpa, uint64_t bytes, unsigned protection);

/* Maps linear addresses to guest-physical ones in the guest's page tables, which lie in the guest's memory. */
bool hv_vm_map_linear(struct hv_vm *vm, uint64_t gva, uint64_t gpa, uint64_t bytes);

/* Guest-physical memory, through EPT and without time. False: a byte of it is not mapped. */
bool hv_vm_read(const struct hv_vm *vm, uint64_t gpa, void *to, size_t bytes);
bool hv_vm_write(struct hv_vm *vm, uint64_t gpa, const void *from, size_t bytes);

/* A virtual processor in 64-bit mode, ring 0, on a processor of the machine; its VMCS is ready to enter. */
struct hv_vcpu *hv_vcpu_new(struct hv_vm *vm, struct hv_cpu *cpu);
bool hv_vcpu_program(struct hv_vcpu *v, uint64_t rip, const struct hv_operation *operations, size_t count);

/*
 * Runs to the next VM exit, or to another reason to stop, whereupon the layer leaves the guest (hv_leave()): in any
 * case the virtual processor's fields can be read and changed, and it or another of the same processor run next.
 */
enum hv_end hv_vcpu_run(struct hv_vcpu *v, struct hv_vm_exit *exit);
uint64_t hv_vcpu_get(struct hv_vcpu *v, enum hv_register r);
void hv_vcpu_set(struct hv_vcpu *v, enum hv_register r, uint64_t value);

/* Any field of its VMCS, for what the layer does not wrap. */
uint64_t hv_vcpu_field(struct hv_vcpu *v, uint32_t field);
bool hv_vcpu_set_field(struct hv_vcpu *v, uint32_t field, uint64_t value);

/* RIP goes to the next instruction: an exit's instruction has been emulated. */
void hv_vcpu_skip(struct hv_vcpu *v);

#ifdef __cplusplus
}
#endif

#endif
