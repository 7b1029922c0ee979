/* SPDX-License-Identifier: MIT */
/*
 * Task switches: SDM Vol. 3C "Treatment of Task Switches" (26.4.2; 25.4.2 before 2022). A guest that tries one
 * exits, after the checks on gate, selector and descriptor, whose faults go first; Vol. 3A "Task Switching" has them.
 * The exit qualification is the selector of the new TSS, and the source in bits 31:30 (table 28-2; 27-2).
 *
 * MODEL: outside of a guest there are no tasks: the switch is #GP(selector), as it is in IA-32e mode on silicon.
 */
#include "cpu/execute/task_switch.h"

#include "cpu/execute/operations.h"

enum {
    SELECTOR_RPL = 3, SELECTOR_TI = 4, TYPE_TSS_16 = 1, TYPE_TASK_GATE = 5, TYPE_BUSY = 2, TYPE_32_BITS = 8,
    LIMIT_16 = 43, LIMIT_32 = 103, /* the least of a TSS */
    SOURCE_SHIFT = 30,
};

static unsigned type_of(const struct cpu_segment *s)
{
    return s->access_rights & (CPU_AR_TYPE | CPU_AR_S);
}

/* A descriptor of the GDT. An IRET blames the TSS that it comes from. */
static bool read_tss(struct processor *p, uint16_t selector, enum cpu_vector vector, struct cpu_segment *tss,
                     enum cpu_end *end)
{
    struct cpu_descriptor d;
    if ((selector & ~SELECTOR_RPL) == 0 || (selector & SELECTOR_TI) != 0) {
        *end = cpu_selector_fault(p, vector, selector);
        return false;
    }
    if (!cpu_read_descriptor(p, selector, vector, &d, end)) {
        return false;
    }
    *tss = cpu_segment_from(selector, &d);
    return true;
}

/* The new task is busy when an IRET returns to it, and available otherwise. */
bool cpu_task_check(struct processor *p, uint16_t selector, enum cpu_task_source source, enum cpu_end *end)
{
    struct cpu_segment tss;
    enum cpu_vector vector = source == CPU_TASK_IRET ? CPU_TS : CPU_GP;
    if (!read_tss(p, selector, vector, &tss, end)) {
        return false;
    }
    unsigned kind = TYPE_TSS_16 | (source == CPU_TASK_IRET ? TYPE_BUSY : 0u);
    uint32_t least = (type_of(&tss) & TYPE_32_BITS) != 0 ? LIMIT_32 : LIMIT_16;
    if ((type_of(&tss) & ~(unsigned)TYPE_32_BITS) != kind) {
        *end = cpu_selector_fault(p, vector, selector);
    } else if ((tss.access_rights & CPU_AR_P) == 0) {
        *end = cpu_selector_fault(p, CPU_NP, selector);
    } else if (tss.limit < least) {
        *end = cpu_selector_fault(p, CPU_TS, selector);
    } else {
        return true;
    }
    return false;
}

uint64_t cpu_task_qualification(uint16_t selector, enum cpu_task_source source)
{
    return selector | (uint64_t)source << SOURCE_SHIFT;
}

/* A far CALL or JMP names a TSS, or a task gate that names one; then the privilege that the gate asks for counts. */
static bool find_task(struct processor *p, uint16_t selector, uint16_t *task, enum cpu_end *end)
{
    struct cpu_descriptor d;
    unsigned rpl = selector & SELECTOR_RPL, cpl = cpu_cpl(&p->state);
    if (!cpu_read_descriptor(p, selector, CPU_GP, &d, end)) {
        return false;
    }
    struct cpu_segment s = cpu_segment_from(selector, &d);
    unsigned dpl = s.access_rights >> CPU_AR_DPL_SHIFT & 3;
    bool gate = type_of(&s) == TYPE_TASK_GATE;
    *task = gate ? (uint16_t)(d.low >> 16) : selector;
    if (dpl < rpl || dpl < cpl) {
        *end = cpu_selector_fault(p, CPU_GP, selector);
        return false;
    }
    if (gate && (s.access_rights & CPU_AR_P) == 0) {
        *end = cpu_selector_fault(p, CPU_NP, selector);
        return false;
    }
    return true;
}

/* A far CALL (reg2 is 0) or JMP (reg2 is 1) to the selector in `value`. */
enum cpu_end do_task_switch(struct processor *p, const struct cpu_instruction *i)
{
    uint16_t selector = (uint16_t)i->value, task;
    enum cpu_task_source source = i->reg2 == 1 ? CPU_TASK_JMP : CPU_TASK_CALL;
    enum cpu_end end;
    if (cpu_long_mode(&p->state) || !p->vmx.non_root) {
        return cpu_selector_fault(p, CPU_GP, selector);
    }
    if (!find_task(p, selector, &task, &end) || !cpu_task_check(p, task, source, &end)) {
        return end;
    }
    return cpu_exit_instruction(p, i, VMX_EXIT_task_switch, cpu_task_qualification(task, source));
}
