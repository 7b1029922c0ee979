/* SPDX-License-Identifier: MIT */
/* Accesses, moves, interrupt flags and software interrupts: instructions that no control intercepts. */
#include "cpu/execute/operations.h"
#include "cpu/vmx/entry_check.h"

enum { MOV_SS_BYTES = 2 };

enum cpu_end do_nothing(struct processor *p, const struct cpu_instruction *i)
{
    (void)p;
    (void)i;
    return CPU_COMPLETED;
}

/* MODEL: ENCLS, ENCLV and PCONFIG have no leaf functions, so what does not exit is #GP(0). */
enum cpu_end do_refuse(struct processor *p, const struct cpu_instruction *i)
{
    (void)i;
    return cpu_gp(p);
}

enum cpu_end do_load(struct processor *p, const struct cpu_instruction *i)
{
    uint64_t value = 0;
    enum cpu_end end;
    size_t bytes = cpu_operand_size(p, i);
    if (!cpu_read(p, i, &value, bytes, &end)) {
        return end;
    }
    cpu_register_set(p, i->reg1, value, bytes);
    return CPU_COMPLETED;
}

enum cpu_end do_store(struct processor *p, const struct cpu_instruction *i)
{
    uint64_t value = i->reg1 < CPU_REGISTERS ? p->state.registers[i->reg1] : i->value;
    enum cpu_end end = CPU_COMPLETED;
    cpu_write(p, i, &value, cpu_operand_size(p, i), &end);
    return end;
}

/* The first byte of an instruction somewhere; RIP stays on its own way. */
enum cpu_end do_fetch(struct processor *p, const struct cpu_instruction *i)
{
    uint8_t byte;
    hv_gva linear;
    enum cpu_end end = CPU_COMPLETED;
    struct cpu_memory_operand code = i->memory;
    code.segment = CPU_CS;
    if (cpu_segment_check(p, &code, HV_FETCH, sizeof(byte), &linear, &end)) {
        cpu_access(p, linear, HV_FETCH, &byte, sizeof(byte), &end);
    }
    return end;
}

enum cpu_end do_mov(struct processor *p, const struct cpu_instruction *i)
{
    cpu_register_set(p, i->reg1, i->value, cpu_operand_size(p, i));
    return CPU_COMPLETED;
}

/* --- RFLAGS.IF and the shadows of STI and MOV SS ----------------------------------------------------------------- */

/* MODEL: without CR4.VME and PVI: CPL above IOPL is #GP(0). */
static bool may_change_if(const struct processor *p)
{
    unsigned iopl = (unsigned)(p->state.rflags >> CPU_RFLAGS_IOPL_SHIFT) & 3;
    unsigned cpl = cpu_virtual_8086(&p->state) ? 3 : cpu_cpl(&p->state);
    return !cpu_protected_mode(&p->state) || cpl <= iopl;
}

enum cpu_end do_cli(struct processor *p, const struct cpu_instruction *i)
{
    (void)i;
    if (!may_change_if(p)) {
        return cpu_gp(p);
    }
    p->state.rflags &= ~CPU_RFLAGS_IF;
    return CPU_COMPLETED;
}

enum cpu_end do_sti(struct processor *p, const struct cpu_instruction *i)
{
    (void)i;
    if (!may_change_if(p)) {
        return cpu_gp(p);
    }
    uint32_t shadow = (p->state.rflags & CPU_RFLAGS_IF) == 0 ? CPU_BLOCKED_BY_STI : 0;
    p->state.rflags |= CPU_RFLAGS_IF;
    p->state.interruptibility &= ~((uint32_t)CPU_BLOCKED_BY_STI | (uint32_t)CPU_BLOCKED_BY_MOV_SS);
    p->state.interruptibility |= shadow;
    return CPU_COMPLETED;
}

enum cpu_end do_mov_ss(struct processor *p, const struct cpu_instruction *i)
{
    uint16_t selector;
    enum cpu_end end;
    if (!cpu_read(p, i, &selector, MOV_SS_BYTES, &end) ||
        !cpu_load_ss(p, selector, cpu_cpl(&p->state), &end)) {
        return end;
    }
    /* A second MOV SS in the shadow of a first one does not prolong it (SDM Vol. 3A 6.8.3). */
    bool shadowed = (p->state.interruptibility & CPU_BLOCKED_BY_MOV_SS) != 0;
    p->state.interruptibility &= ~((uint32_t)CPU_BLOCKED_BY_STI | (uint32_t)CPU_BLOCKED_BY_MOV_SS);
    p->state.interruptibility |= shadowed ? 0 : (uint32_t)CPU_BLOCKED_BY_MOV_SS;
    return CPU_COMPLETED;
}

/* --- software interrupts and exceptions -------------------------------------------------------------------------- */

/*
 * #BP of INT3 and #DB of INT1 are exceptions, which the exception bitmap may intercept; INT n never exits by itself.
 */
static enum cpu_end interrupt(struct processor *p, const struct cpu_instruction *i, uint8_t vector,
                              enum vmx_event_type type)
{
    struct cpu_event event = {.vector = vector, .type = (uint8_t)type, .length = (uint8_t)cpu_length(i)};
    p->raised.information = 0; /* INT1 sets no bit of DR6 */
    if (type != VMX_EVENT_SOFTWARE_INTERRUPT && cpu_exception_exits(p, &event)) {
        return cpu_exit_exception(p, &event, 0);
    }
    return cpu_deliver(p, &event);
}

enum cpu_end do_int_n(struct processor *p, const struct cpu_instruction *i)
{
    return interrupt(p, i, (uint8_t)i->value, VMX_EVENT_SOFTWARE_INTERRUPT);
}

enum cpu_end do_int1(struct processor *p, const struct cpu_instruction *i)
{
    return interrupt(p, i, CPU_DB, VMX_EVENT_PRIVILEGED_SOFTWARE_EXCEPTION);
}

enum cpu_end do_int3(struct processor *p, const struct cpu_instruction *i)
{
    return interrupt(p, i, CPU_BP, VMX_EVENT_SOFTWARE_EXCEPTION);
}
