/* SPDX-License-Identifier: MIT */
/*
 * IRET: SDM Vol. 2A, and its part in blocking by NMI in a guest, Vol. 3C 26.3 (25.3 in editions before 2022).
 *
 * MODEL: a return to virtual-8086 mode is #GP(0).
 */
#include "cpu/execute/operations.h"

#include <string.h>

#include "cpu/execute/task_switch.h"

enum { SELECTOR_RPL = 3, WORDS_LONG = 5, WORDS_SAME = 3 };
#define FLAGS_ALWAYS UINT64_C(0x254dd5) /* CF, PF, AF, ZF, SF, TF, DF, OF, NT, RF, AC and ID */
#define FLAGS_CPL_0 UINT64_C(0x183000)  /* IOPL, VIF and VIP */

struct frame {
    uint64_t words[WORDS_LONG]; /* RIP, CS, RFLAGS, RSP, SS */
};

/*
 * Blocking ends even if the IRET then faults. With "NMI exiting" 1 the physical blocking stays, and with "virtual
 * NMIs" that of virtual NMIs ends.
 */
static void unblock_nmis(struct processor *p)
{
    bool blocked;
    if (GUEST_ON(p, PIN, virtual_nmis)) {
        blocked = p->vmx.virtual_nmi_blocking;
        p->vmx.virtual_nmi_blocking = false;
    } else if (GUEST_ON(p, PIN, nmi_exiting)) {
        return;
    } else {
        blocked = (p->state.interruptibility & CPU_BLOCKED_BY_NMI) != 0;
        p->state.interruptibility &= ~(uint32_t)CPU_BLOCKED_BY_NMI;
    }
    p->progress.nmi_unblocked = blocked;
}

static size_t word_bytes(const struct processor *p, const struct cpu_instruction *i)
{
    if (i->size == 2 || i->size == 4 || (i->size == 8 && cpu_64_bit_mode(&p->state))) {
        return i->size;
    }
    return cpu_64_bit_mode(&p->state) ? 8 : cpu_protected_mode(&p->state) ? 4 : 2;
}

/* Reads words `from` to `to` of the frame at the stack pointer. */
static bool pop(struct processor *p, size_t bytes, size_t from, size_t to, struct frame *f, enum cpu_end *end)
{
    uint8_t raw[WORDS_LONG * 8];
    hv_gva linear;
    struct cpu_memory_operand at = {
        .base = CPU_RSP, .index = CPU_NO_REGISTER, .displacement = from * bytes, .segment = CPU_SS,
        .address_size_log2 = cpu_64_bit_mode(&p->state) ? 3
                             : (p->state.segments[CPU_SS].access_rights & CPU_AR_DB) != 0 ? 2 : 1,
    };
    if (!cpu_segment_check(p, &at, HV_LOAD, (to - from) * bytes, &linear, end) ||
        !cpu_access(p, linear, HV_LOAD, raw, (to - from) * bytes, end)) {
        return false;
    }
    for (size_t w = from; w < to; w++) {
        f->words[w] = 0;
        memcpy(&f->words[w], raw + (w - from) * bytes, bytes);
    }
    return true;
}

static void set_rflags(struct processor *p, uint64_t value, unsigned cpl, bool narrow)
{
    uint64_t rflags = p->state.rflags, may = FLAGS_ALWAYS;
    unsigned iopl = (unsigned)(rflags >> CPU_RFLAGS_IOPL_SHIFT) & 3;
    may |= cpl == 0 ? FLAGS_CPL_0 : 0;
    may |= cpl <= iopl ? CPU_RFLAGS_IF : 0;
    may &= narrow ? UINT16_MAX : UINT64_MAX;
    p->state.rflags = (rflags & ~may) | (value & may) | CPU_RFLAGS_FIXED;
}

/* Data segments that the outer ring may not use become null. */
static void drop_inner_segments(struct cpu_state *s, unsigned cpl)
{
    static const enum cpu_segment_name data[] = {CPU_ES, CPU_DS, CPU_FS, CPU_GS};
    for (size_t d = 0; d < HV_ARRAY_LEN(data); d++) {
        struct cpu_segment *each = &s->segments[data[d]];
        bool conforming = (each->access_rights & 0xc) == 0xc;
        if ((each->access_rights >> CPU_AR_DPL_SHIFT & 3) < cpl && !conforming) {
            each->selector = 0;
            each->access_rights |= CPU_AR_UNUSABLE;
        }
    }
}

static enum cpu_end return_real(struct processor *p, size_t bytes)
{
    struct frame f;
    enum cpu_end end;
    if (!pop(p, bytes, 0, WORDS_SAME, &f, &end)) {
        return end;
    }
    struct cpu_state *s = &p->state;
    s->rip = f.words[0];
    s->segments[CPU_CS].selector = (uint16_t)f.words[1];
    s->segments[CPU_CS].base = (f.words[1] & UINT16_MAX) << 4;
    set_rflags(p, f.words[2], 0, bytes == 2);
    s->registers[CPU_RSP] += WORDS_SAME * bytes;
    return CPU_COMPLETED;
}

/* The new stack, for a return to an outer ring, and always in 64-bit mode. */
static bool pop_stack(struct processor *p, size_t bytes, unsigned cpl, bool outer, struct frame *f,
                      struct cpu_segment *ss, enum cpu_end *end)
{
    *ss = p->state.segments[CPU_SS];
    if (!outer && !cpu_64_bit_mode(&p->state)) {
        f->words[3] = p->state.registers[CPU_RSP] + WORDS_SAME * bytes;
        return true;
    }
    return pop(p, bytes, WORDS_SAME, WORDS_LONG, f, end) && cpu_check_ss(p, (uint16_t)f->words[4], cpl, ss, end);
}

static enum cpu_end return_protected(struct processor *p, size_t bytes)
{
    struct cpu_state *s = &p->state;
    struct frame f;
    struct cpu_segment cs, ss;
    enum cpu_end end;
    if (!pop(p, bytes, 0, WORDS_SAME, &f, &end)) {
        return end;
    }
    if (!cpu_long_mode(s) && bytes == 4 && (f.words[2] & CPU_RFLAGS_VM) != 0) {
        return cpu_gp(p);
    }
    unsigned old = cpu_cpl(s), cpl = (unsigned)f.words[1] & SELECTOR_RPL;
    if (!cpu_check_return_cs(p, (uint16_t)f.words[1], &cs, &end) ||
        !pop_stack(p, bytes, cpl, cpl > old, &f, &ss, &end)) {
        return end;
    }
    bool wide = cpu_long_mode(s) && (cs.access_rights & CPU_AR_L) != 0;
    if (wide ? !cpu_canonical(p, f.words[0]) : f.words[0] > cs.limit) {
        return cpu_gp(p);
    }
    set_rflags(p, f.words[2], old, bytes == 2);
    s->segments[CPU_CS] = cs;
    s->segments[CPU_SS] = ss;
    s->registers[CPU_RSP] = f.words[3];
    s->rip = f.words[0];
    if (cpl > old) {
        drop_inner_segments(s, cpl);
    }
    cpu_mode_changed(p);
    return CPU_COMPLETED;
}

/* NT outside of IA-32e mode: a switch to the task that the present one names, which exits from a guest. */
static enum cpu_end return_from_task(struct processor *p, const struct cpu_instruction *i)
{
    uint16_t selector = 0;
    enum cpu_end end;
    if (!cpu_access_system(p, (hv_gva){p->state.segments[CPU_TR].base}, HV_LOAD, &selector, sizeof(selector), &end)) {
        return end;
    }
    if (!p->vmx.non_root) {
        return cpu_selector_fault(p, CPU_TS, selector);
    }
    if (!cpu_task_check(p, selector, CPU_TASK_IRET, &end)) {
        return end;
    }
    return cpu_exit_instruction(p, i, VMX_EXIT_task_switch, cpu_task_qualification(selector, CPU_TASK_IRET));
}

enum cpu_end do_iret(struct processor *p, const struct cpu_instruction *i)
{
    const struct cpu_state *s = &p->state;
    size_t bytes = word_bytes(p, i);
    unblock_nmis(p);
    if (!cpu_protected_mode(s)) {
        return return_real(p, bytes);
    }
    if (cpu_virtual_8086(s)) {
        return (s->rflags >> CPU_RFLAGS_IOPL_SHIFT & 3) == 3 ? return_real(p, bytes) : cpu_gp(p);
    }
    if ((s->rflags & CPU_RFLAGS_NT) != 0) {
        return cpu_long_mode(s) ? cpu_gp(p) : return_from_task(p, i);
    }
    return return_protected(p, bytes);
}
