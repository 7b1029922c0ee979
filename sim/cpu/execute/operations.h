/* SPDX-License-Identifier: MIT */
/* What the files of sim/cpu/execute share. Nobody else includes it. */
#ifndef HV_CPU_EXECUTE_OPERATIONS_H
#define HV_CPU_EXECUTE_OPERATIONS_H

#include "cpu/execute/access.h"
#include "cpu/execute/deliver.h"
#include "cpu/execute/exit.h"
#include "cpu/execute/operand.h"

/* CR4 bits that only instructions look at. */
#define CPU_CR4_TSD (UINT64_C(1) << 2)
#define CPU_CR4_DE (UINT64_C(1) << 3)
#define CPU_CR4_PCE (UINT64_C(1) << 8)
#define CPU_CR4_UMIP (UINT64_C(1) << 11)
#define CPU_CR4_OSXSAVE (UINT64_C(1) << 18)
#define CPU_CR4_KL (UINT64_C(1) << 19)
#define CPU_RFLAGS_IOPL_SHIFT 12
#define CPU_RFLAGS_NT (UINT64_C(1) << 14)
#define CPU_RFLAGS_AC (UINT64_C(1) << 18)
#define CPU_DR6_BD (UINT64_C(1) << 13)
#define CPU_DR6_BS (UINT64_C(1) << 14)
#define CPU_DR7_GD (UINT64_C(1) << 13)

/* Whether no exception comes before a VM exit. False: *end. */
typedef bool cpu_allowed_fn(struct processor *p, const struct cpu_instruction *i, enum cpu_end *end);
typedef enum cpu_end cpu_effect_fn(struct processor *p, const struct cpu_instruction *i);

#define OP(name, allowed, effect, rip) extern cpu_allowed_fn may_##allowed; extern cpu_effect_fn do_##effect;
#include "cpu/execute/operations.def"
#undef OP

/* RFLAGS bits that say how an instruction ended. */
#define CPU_RFLAGS_STATUS \
    (CPU_RFLAGS_CF | CPU_RFLAGS_PF | CPU_RFLAGS_AF | CPU_RFLAGS_ZF | CPU_RFLAGS_SF | CPU_RFLAGS_OF)

/* --- small things ------------------------------------------------------------------------------------------------ */

/* A control of the guest that runs; false in root operation. */
#define GUEST_ON(p, word, name) ((p)->vmx.non_root && VMX_ON(p, word, name))

/* RIP goes behind the instruction under way. */
void cpu_skip_instruction(struct processor *p);

/* #GP(0), #UD. */
static inline enum cpu_end cpu_gp(struct processor *p)
{
    return processor_raise_code(p, CPU_GP, 0);
}

static inline enum cpu_end cpu_ud(struct processor *p)
{
    return processor_raise(p, CPU_UD);
}

/* The operand size of an instruction in bytes. */
static inline size_t cpu_operand_size(const struct processor *p, const struct cpu_instruction *i)
{
    bool valid = i->size == 1 || i->size == 2 || i->size == 4 || i->size == 8;
    return valid ? i->size : cpu_64_bit_mode(&p->state) ? 8 : 4;
}

/* EDX:EAX. */
uint64_t cpu_edx_eax(const struct processor *p);
void cpu_set_edx_eax(struct processor *p, uint64_t value);

static inline uint32_t cpu_ecx(const struct processor *p)
{
    return (uint32_t)p->state.registers[CPU_RCX];
}

static inline bool cpu_canonical(const struct processor *p, uint64_t address)
{
    return mmu_canonical(p->mmu, (hv_gva){address});
}

/* The stack pointer's and instruction pointer's bits that the mode uses. */
static inline uint64_t cpu_rip_mask(const struct processor *p)
{
    return cpu_64_bit_mode(&p->state) ? UINT64_MAX : UINT32_MAX;
}

/* --- intercept.c, bitmaps.c -------------------------------------------------------------------------------------- */

/* Whether an instruction of a guest, whose operands need not be read for it, exits; and its exit. */
bool cpu_intercepts(struct processor *p, const struct cpu_instruction *i);
enum cpu_end cpu_exit_intercepted(struct processor *p, const struct cpu_instruction *i);

bool cpu_io_exits(const struct processor *p, uint16_t port, size_t bytes);
bool cpu_msr_exits(const struct processor *p, uint32_t index, bool write);

/* The port of IN and OUT. */
uint16_t cpu_port(const struct processor *p, const struct cpu_instruction *i);
size_t cpu_port_bytes(const struct cpu_instruction *i);

/* Where the memory operand of INS or OUTS lies. */
hv_gva cpu_string_operand(const struct processor *p, const struct cpu_instruction *i);

/* --- control_registers.c ----------------------------------------------------------------------------------------- */

/* Loads the PDPTEs of PAE paging from the table that CR3 names. False: *end. */
bool cpu_load_pdptes(struct processor *p, uint64_t cr3, enum cpu_end *end);

/* Moves to CR0, after a VM exit has been ruled out: only bits of `mine` change. */
enum cpu_end cpu_write_cr0(struct processor *p, uint64_t value, uint64_t mine);

/* --- task_priority.c --------------------------------------------------------------------------------------------- */

enum cpu_end cpu_write_cr8(struct processor *p, uint64_t value);
uint64_t cpu_read_cr8(const struct processor *p);

/* --- time_stamp.c ------------------------------------------------------------------------------------------------ */

/* The TSC as RDTSC and RDMSR give it in the present mode, offset and scaled in a guest. */
uint64_t cpu_visible_tsc(const struct processor *p);

/* --- segments.c -------------------------------------------------------------------------------------------------- */

/* A descriptor of 8 bytes, or 16 with its upper half, with where it lies. */
struct cpu_descriptor {
    uint64_t low, high;
    uint64_t address;
};

/* An exception whose error code is a selector, with EXT set while an event other than INT n is being delivered. */
enum cpu_end cpu_selector_fault(struct processor *p, enum cpu_vector vector, uint16_t selector);

/* The descriptor that a selector names, or `vector` with the selector as error code. False: *end. */
bool cpu_read_descriptor(struct processor *p, uint16_t selector, enum cpu_vector vector, struct cpu_descriptor *d,
                         enum cpu_end *end);

/* The hidden part that a code or data descriptor gives. */
struct cpu_segment cpu_segment_from(uint16_t selector, const struct cpu_descriptor *d);

/* The upper half of a system descriptor in IA-32e mode. False: *end. */
bool cpu_read_descriptor_high(struct processor *p, struct cpu_descriptor *d, enum cpu_end *end);

/* Loads SS as MOV SS does at a CPL. False: *end, and nothing has changed. */
bool cpu_load_ss(struct processor *p, uint16_t selector, unsigned cpl, enum cpu_end *end);

/* The stack segment that a selector names for a CPL, checked as MOV SS does; loaded is 0 when it is null. */
bool cpu_check_ss(struct processor *p, uint16_t selector, unsigned cpl, struct cpu_segment *ss, enum cpu_end *end);

/* A return to CS: checks the descriptor for a return to the selector's RPL. False: *end. */
bool cpu_check_return_cs(struct processor *p, uint16_t selector, struct cpu_segment *cs, enum cpu_end *end);

/* Flat segments as SYSENTER, SYSCALL and so on make them, without a look at the GDT. */
void cpu_flat_code(struct processor *p, uint16_t selector, unsigned cpl, bool is_64_bit);
void cpu_flat_stack(struct processor *p, uint16_t selector, unsigned cpl);

/* After a change of CPL, CS or RFLAGS.AC. */
static inline void cpu_mode_changed(struct processor *p)
{
    processor_context_changed(p);
}

#endif
