/* SPDX-License-Identifier: MIT */
#include "cpu/execute/exit.h"

#include "cpu/execute/wires.h"
#include "cpu/vmx/entry_check.h"

/* Interruption information of a VMCS (SDM Vol. 3C 25.9.2; 24.9.2). */
enum { INFORMATION_TYPE_SHIFT = 8, INFORMATION_ERROR_CODE = 1 << 11, INFORMATION_NMI_UNBLOCKED = 1 << 12 };
#define INFORMATION_VALID (UINT32_C(1) << 31)

static const uint8_t usual_lengths[CPU_OPS] = {
#define I(name, length, privilege, exit, words) [CPU_OP_##name] = length,
#include "cpu/instructions.def"
#undef I
};

unsigned cpu_length(const struct cpu_instruction *i)
{
    return i->length != 0 ? i->length : usual_lengths[i->op];
}

uint32_t cpu_event_information(const struct cpu_event *event)
{
    return INFORMATION_VALID | event->vector | (uint32_t)event->type << INFORMATION_TYPE_SHIFT |
           (event->has_error_code ? (uint32_t)INFORMATION_ERROR_CODE : 0);
}

/*
 * Whether the interruption information is of an event that an instruction causes, so that its length is told
 * (28.2.5).
 */
static bool by_instruction(uint32_t information)
{
    unsigned type = information >> INFORMATION_TYPE_SHIFT & 7;
    return (information & INFORMATION_VALID) != 0 &&
           (type == VMX_EVENT_SOFTWARE_INTERRUPT || type == VMX_EVENT_PRIVILEGED_SOFTWARE_EXCEPTION ||
            type == VMX_EVENT_SOFTWARE_EXCEPTION);
}

enum cpu_end cpu_exit(struct processor *p, struct vmx_exit exit)
{
    exit.vectoring = p->vmx.vectoring;
    exit.vectoring_error = p->vmx.vectoring_error;
    if (exit.undefined_length && (by_instruction(exit.vectoring) || by_instruction(exit.interruption))) {
        exit.length = p->progress.length;
        exit.undefined_length = false;
    }
    p->vmx.vectoring = 0;
    p->vmx.vectoring_error = 0;
    p->progress.delivering = false;
    p->progress.nmi_unblocked = false;
    p->progress.monitoring = false;
    p->progress.apic_written = p->progress.trap.waits = false;
    return (enum cpu_end)vmx_exit(p, &exit);
}

enum cpu_end cpu_exit_instruction(struct processor *p, const struct cpu_instruction *i, enum vmx_exit_reason reason,
                                  uint64_t qualification)
{
    return cpu_exit(p, (struct vmx_exit){
        .reason = reason, .qualification = qualification, .length = cpu_length(i),
        .information = cpu_instruction_information(p, i),
    });
}

void cpu_request_exit(struct processor *p, enum vmx_exit_reason reason, uint64_t qualification)
{
    p->progress.trap = (struct cpu_trap){true, reason, qualification};
}

enum cpu_end cpu_exit_plain(struct processor *p, enum vmx_exit_reason reason, uint64_t qualification)
{
    return cpu_exit(p, (struct vmx_exit){.reason = reason, .qualification = qualification, .undefined_length = true});
}

void cpu_emulate_apic_write(struct processor *p)
{
    if (p->progress.apic_written) {
        p->progress.apic_written = false;
        p->wires->apic_written(p->wires->ctx);
    }
}

enum cpu_end cpu_take_trap(struct processor *p)
{
    return cpu_exit_plain(p, p->progress.trap.reason, p->progress.trap.qualification);
}

enum cpu_end cpu_exit_exception(struct processor *p, const struct cpu_event *event, uint64_t qualification)
{
    /* Bit 12 is undefined for a double fault and when IDT-vectoring information is valid (25.9.2): 0 here. */
    bool unblocked = p->progress.nmi_unblocked && event->vector != CPU_DF && p->vmx.vectoring == 0;
    return cpu_exit(p, (struct vmx_exit){
        .reason = VMX_EXIT_exception_or_nmi, .qualification = qualification,
        .interruption = cpu_event_information(event) | (unblocked ? (uint32_t)INFORMATION_NMI_UNBLOCKED : 0),
        .interruption_error = event->error_code, .undefined_length = true,
    });
}

bool cpu_exception_exits(const struct processor *p, const struct cpu_event *event)
{
    if (!p->vmx.non_root) {
        return false;
    }
    bool bit = (p->vmx.exception_bitmap >> (event->vector & 31) & 1) != 0;
    if (event->vector == CPU_PF) {
        /* A match makes bit 14 mean what it says; without one its meaning is inverted. */
        return ((event->error_code & p->vmx.page_fault_mask) == p->vmx.page_fault_match) == bit;
    }
    return bit;
}

uint64_t cpu_exception_qualification(const struct processor *p, unsigned vector)
{
    return vector == CPU_PF || vector == CPU_DB ? p->raised.information : 0;
}
