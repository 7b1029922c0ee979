/* SPDX-License-Identifier: MIT */
/*
 * Delivery outside of IA-32e mode: protected mode (SDM Vol. 3A 6.12), virtual-8086 mode and real-address mode.
 *
 * MODEL: a frame that wraps around the end of a 16-bit stack segment is a stack fault. Virtual-8086 mode extensions
 * (CR4.VME) are not modelled. A task gate in root operation is #GP, as tasks are not modelled.
 */
#include "cpu/execute/deliver_gates.h"

#include <string.h>

#include "cpu/execute/task_switch.h"

enum {
    TSS_32_STACK = 4, TSS_16_STACK = 2, TYPE_TSS_32 = 8, FRAME_MAX = 10, IVT_ENTRY = 4, REAL_FRAME = 6,
    SELECTOR_RPL = 3,
};

/* Words of 4 or 2 bytes, pushed from the last to the first. */
struct frame {
    uint8_t bytes[FRAME_MAX * 4];
    size_t used, word;
};

static void append(struct frame *f, uint64_t value)
{
    memcpy(f->bytes + f->used, &value, f->word);
    f->used += f->word;
}

/* The stack that the handler runs on. */
struct stack {
    struct cpu_segment ss;
    uint32_t esp;
};

/* The inner stack of the task-state segment; its faults are #TS. */
static bool inner_stack(struct processor *p, unsigned cpl, struct stack *to, enum cpu_end *end)
{
    const struct cpu_segment *tr = &p->state.segments[CPU_TR];
    bool wide = (tr->access_rights & TYPE_TSS_32) != 0;
    uint32_t size = wide ? 4 : 2, at = wide ? TSS_32_STACK + 8 * cpl : TSS_16_STACK + 4 * cpl, esp = 0;
    uint16_t selector;
    if ((tr->access_rights & CPU_AR_UNUSABLE) != 0 || at + size + 1 > tr->limit) {
        *end = cpu_selector_fault(p, CPU_TS, tr->selector);
        return false;
    }
    if (!cpu_access_system(p, (hv_gva){tr->base + at}, HV_LOAD, &esp, size, end) ||
        !cpu_access_system(p, (hv_gva){tr->base + at + size}, HV_LOAD, &selector, sizeof(selector), end)) {
        return false;
    }
    to->esp = esp;
    if (!cpu_check_ss(p, selector, cpl, &to->ss, end)) {
        if (*end == CPU_RAISED && p->raised.vector == CPU_GP) {
            p->raised.vector = CPU_TS;
        }
        return false;
    }
    return true;
}

static bool push(struct processor *p, struct stack *stack, unsigned cpl, struct frame *f, enum cpu_end *end)
{
    bool big = (stack->ss.access_rights & CPU_AR_DB) != 0;
    uint32_t mask = big ? UINT32_MAX : UINT16_MAX, at = (stack->esp - (uint32_t)f->used) & mask;
    uint64_t last = (uint64_t)at + f->used - 1;
    bool down = (stack->ss.access_rights & 4) != 0;
    if (down ? at <= stack->ss.limit || last > mask : last > stack->ss.limit) {
        *end = processor_raise_code(p, CPU_SS_FAULT, p->progress.external);
        return false;
    }
    stack->esp = (stack->esp & ~mask) | at;
    hv_gva linear = {(stack->ss.base + at) & UINT32_MAX};
    return cpu_push_frame(p, linear, cpl, f->bytes, f->used, end);
}

/* A task gate in a guest exits. */
static enum cpu_end task_gate(struct processor *p, const struct cpu_gate *gate)
{
    enum cpu_end end;
    if (!p->vmx.non_root) {
        return cpu_selector_fault(p, CPU_GP, gate->selector);
    }
    if (!cpu_task_check(p, gate->selector, CPU_TASK_GATE, &end)) {
        return end;
    }
    return cpu_exit_plain(p, VMX_EXIT_task_switch, cpu_task_qualification(gate->selector, CPU_TASK_GATE));
}

static void fill_frame(const struct processor *p, const struct cpu_event *event, bool inner, struct frame *f)
{
    const struct cpu_state *s = &p->state;
    if (event->has_error_code) {
        append(f, event->error_code);
    }
    append(f, cpu_event_rip(p, event));
    append(f, s->segments[CPU_CS].selector);
    append(f, cpu_event_rflags(p, event));
    if (inner) {
        append(f, s->registers[CPU_RSP]);
        append(f, s->segments[CPU_SS].selector);
    }
    if (cpu_virtual_8086(s)) {
        append(f, s->segments[CPU_ES].selector);
        append(f, s->segments[CPU_DS].selector);
        append(f, s->segments[CPU_FS].selector);
        append(f, s->segments[CPU_GS].selector);
    }
}

/* Leaving virtual-8086 mode, the data segments become null. */
static void drop_data_segments(struct cpu_state *s)
{
    static const enum cpu_segment_name data[] = {CPU_ES, CPU_DS, CPU_FS, CPU_GS};
    for (size_t d = 0; d < HV_ARRAY_LEN(data); d++) {
        s->segments[data[d]] = (struct cpu_segment){.access_rights = CPU_AR_UNUSABLE};
    }
}

enum cpu_end cpu_deliver_protected(struct processor *p, const struct cpu_event *event)
{
    struct cpu_state *s = &p->state;
    struct cpu_gate gate;
    struct cpu_segment cs;
    unsigned cpl;
    enum cpu_end end;
    if (!cpu_read_gate(p, event, &gate, &end)) {
        return end;
    }
    if (gate.type == CPU_GATE_TASK) {
        return task_gate(p, &gate);
    }
    if (!cpu_check_handler(p, gate.selector, &cs, &cpl, &end)) {
        return end;
    }
    bool virtual = cpu_virtual_8086(s), inner = cpl < (virtual ? 3 : cpu_cpl(s));
    if (virtual && cpl != 0) {
        return cpu_selector_fault(p, CPU_GP, gate.selector);
    }
    struct stack stack = {s->segments[CPU_SS], (uint32_t)s->registers[CPU_RSP]};
    struct frame frame = {.word = gate.type >= CPU_GATE_INTERRUPT ? 4 : 2};
    if (inner && !inner_stack(p, cpl, &stack, &end)) {
        return end;
    }
    fill_frame(p, event, inner, &frame);
    if (!push(p, &stack, cpl, &frame, &end)) {
        return end;
    }
    if (virtual) {
        drop_data_segments(s);
    }
    bool clears_if = gate.type == CPU_GATE_INTERRUPT || gate.type == CPU_GATE_INTERRUPT_16;
    s->segments[CPU_CS] = cs;
    s->segments[CPU_SS] = stack.ss;
    s->registers[CPU_RSP] = stack.esp;
    s->rip = gate.offset & (frame.word == 4 ? UINT32_MAX : UINT16_MAX);
    s->rflags &= ~(CPU_RFLAGS_TF | CPU_RFLAGS_NT | CPU_RFLAGS_RF | CPU_RFLAGS_VM | (clears_if ? CPU_RFLAGS_IF : 0));
    return CPU_COMPLETED;
}

enum cpu_end cpu_deliver_real(struct processor *p, const struct cpu_event *event)
{
    struct cpu_state *s = &p->state;
    uint16_t vector[2];
    struct stack stack = {s->segments[CPU_SS], (uint32_t)s->registers[CPU_RSP] & UINT16_MAX};
    struct frame frame = {.word = 2};
    uint32_t offset = event->vector * (uint32_t)IVT_ENTRY;
    enum cpu_end end;
    if (offset + IVT_ENTRY - 1 > s->idtr.limit) {
        return processor_raise(p, CPU_GP);
    }
    if (!cpu_access_system(p, (hv_gva){s->idtr.base + offset}, HV_LOAD, vector, sizeof(vector), &end)) {
        return end;
    }
    append(&frame, cpu_event_rip(p, event));
    append(&frame, s->segments[CPU_CS].selector);
    append(&frame, s->rflags);
    stack.ss.access_rights &= ~(uint32_t)CPU_AR_DB;
    if (!push(p, &stack, 0, &frame, &end)) {
        return end;
    }
    s->registers[CPU_RSP] = (s->registers[CPU_RSP] & ~(uint64_t)UINT16_MAX) | stack.esp;
    s->segments[CPU_CS].selector = vector[1];
    s->segments[CPU_CS].base = (uint64_t)vector[1] << 4;
    s->rip = vector[0];
    s->rflags &= ~(CPU_RFLAGS_IF | CPU_RFLAGS_TF | CPU_RFLAGS_RF | CPU_RFLAGS_AC);
    return CPU_COMPLETED;
}
