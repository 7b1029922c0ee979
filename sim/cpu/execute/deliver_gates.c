/* SPDX-License-Identifier: MIT */
/* Gates of the IDT, and delivery in IA-32e mode: SDM Vol. 3A 6.12.1 and 6.14 (6.12.1 and 6.14 in all editions). */
#include "cpu/execute/deliver_gates.h"

#include "cpu/vmx/entry_check.h"

enum {
    ERROR_IDT = 2, TYPE_CONFORMING = 4, TYPE_CODE = 8, SELECTOR_RPL = 3, TSS_64_RSP = 4, TSS_64_IST = 36,
    FRAME_WORDS = 6, STACK_ALIGNMENT = 16,
};

bool cpu_event_by_software(const struct cpu_event *event)
{
    return event->type == VMX_EVENT_SOFTWARE_INTERRUPT || event->type == VMX_EVENT_SOFTWARE_EXCEPTION;
}

uint64_t cpu_event_rip(const struct processor *p, const struct cpu_event *event)
{
    bool behind = cpu_event_by_software(event) || event->type == VMX_EVENT_PRIVILEGED_SOFTWARE_EXCEPTION;
    return behind ? (p->state.rip + event->length) & cpu_rip_mask(p) : p->state.rip;
}

/* RF is set in the frame of a fault, so that the instruction breakpoint that was passed is passed again (18.3.1.1). */
uint64_t cpu_event_rflags(const struct processor *p, const struct cpu_event *event)
{
    bool fault = event->type == VMX_EVENT_HARDWARE_EXCEPTION && event->vector != CPU_DB && event->vector != CPU_DF &&
                 event->vector != CPU_MC;
    return p->state.rflags | (fault ? CPU_RFLAGS_RF : 0);
}

static enum cpu_end gate_fault(struct processor *p, enum cpu_vector vector, const struct cpu_event *event)
{
    return processor_raise_code(p, vector, (uint32_t)event->vector << 3 | ERROR_IDT | p->progress.external);
}

static bool type_valid(const struct processor *p, unsigned type)
{
    return type == CPU_GATE_INTERRUPT || type == CPU_GATE_TRAP ||
           (!cpu_long_mode(&p->state) &&
            (type == CPU_GATE_TASK || type == CPU_GATE_INTERRUPT_16 || type == CPU_GATE_TRAP_16));
}

bool cpu_read_gate(struct processor *p, const struct cpu_event *event, struct cpu_gate *gate, enum cpu_end *end)
{
    uint64_t words[2] = {0, 0};
    size_t bytes = cpu_long_mode(&p->state) ? 16 : 8;
    uint64_t offset = event->vector * bytes;
    if (offset + bytes - 1 > p->state.idtr.limit) {
        *end = gate_fault(p, CPU_GP, event);
        return false;
    }
    if (!cpu_access_system(p, (hv_gva){p->state.idtr.base + offset}, HV_LOAD, words, bytes, end)) {
        return false;
    }
    *gate = (struct cpu_gate){
        .selector = (uint16_t)(words[0] >> 16),
        .offset = (words[0] & UINT16_MAX) | (words[0] >> 48) << 16 | words[1] << 32,
        .type = (unsigned)(words[0] >> 40) & 31, /* with S, which has to be 0 */
        .ist = (unsigned)(words[0] >> 32) & 7,
    };
    unsigned dpl = (unsigned)(words[0] >> 45) & 3;
    unsigned cpl = cpu_virtual_8086(&p->state) ? 3 : cpu_cpl(&p->state);
    if (!type_valid(p, gate->type) || (cpu_event_by_software(event) && dpl < cpl)) {
        *end = gate_fault(p, CPU_GP, event);
        return false;
    }
    if ((words[0] >> 47 & 1) == 0) {
        *end = gate_fault(p, CPU_NP, event);
        return false;
    }
    return true;
}

bool cpu_check_handler(struct processor *p, uint16_t selector, struct cpu_segment *cs, unsigned *cpl,
                       enum cpu_end *end)
{
    struct cpu_descriptor d;
    unsigned now = cpu_virtual_8086(&p->state) ? 3 : cpu_cpl(&p->state);
    if ((selector & ~SELECTOR_RPL) == 0) {
        *end = processor_raise_code(p, CPU_GP, p->progress.external);
        return false;
    }
    if (!cpu_read_descriptor(p, selector, CPU_GP, &d, end)) {
        return false;
    }
    *cs = cpu_segment_from(selector, &d);
    unsigned dpl = cs->access_rights >> CPU_AR_DPL_SHIFT & 3;
    bool code = (cs->access_rights & (CPU_AR_S | TYPE_CODE)) == (CPU_AR_S | TYPE_CODE);
    bool wide = (cs->access_rights & (CPU_AR_L | CPU_AR_DB)) == CPU_AR_L;
    if (!code || dpl > now || (cpu_long_mode(&p->state) && !wide)) {
        *end = cpu_selector_fault(p, CPU_GP, selector);
        return false;
    }
    if ((cs->access_rights & CPU_AR_P) == 0) {
        *end = cpu_selector_fault(p, CPU_NP, selector);
        return false;
    }
    *cpl = (cs->access_rights & TYPE_CONFORMING) != 0 ? now : dpl;
    cs->selector = (uint16_t)((selector & ~(unsigned)SELECTOR_RPL) | *cpl);
    return true;
}

bool cpu_push_frame(struct processor *p, hv_gva at, unsigned cpl, void *frame, size_t bytes, enum cpu_end *end)
{
    return cpl < 3 ? cpu_access_system(p, at, HV_STORE, frame, bytes, end)
                   : cpu_access(p, at, HV_STORE, frame, bytes, end);
}

/* --- IA-32e mode ------------------------------------------------------------------------------------------------- */

/* A stack pointer from the task-state segment; beyond its limit #TS. */
static bool tss_stack(struct processor *p, uint32_t offset, uint64_t *rsp, enum cpu_end *end)
{
    const struct cpu_segment *tr = &p->state.segments[CPU_TR];
    if ((tr->access_rights & CPU_AR_UNUSABLE) != 0 || offset + 7 > tr->limit) {
        *end = cpu_selector_fault(p, CPU_TS, tr->selector);
        return false;
    }
    return cpu_access_system(p, (hv_gva){tr->base + offset}, HV_LOAD, rsp, sizeof(*rsp), end);
}

/* The interrupt-stack table, the stack of an inner ring, or the present stack; aligned (6.14.2 to 6.14.5). */
static bool choose_stack(struct processor *p, const struct cpu_gate *gate, unsigned cpl, uint64_t *rsp,
                         enum cpu_end *end)
{
    *rsp = p->state.registers[CPU_RSP];
    if (gate->ist != 0) {
        if (!tss_stack(p, TSS_64_IST + 8 * (gate->ist - 1), rsp, end)) {
            return false;
        }
    } else if (cpl < cpu_cpl(&p->state) && !tss_stack(p, TSS_64_RSP + 8 * cpl, rsp, end)) {
        return false;
    }
    *rsp &= ~(uint64_t)(STACK_ALIGNMENT - 1);
    if (!cpu_canonical(p, *rsp - FRAME_WORDS * 8) || !cpu_canonical(p, *rsp - 1)) {
        *end = processor_raise_code(p, CPU_SS_FAULT, p->progress.external);
        return false;
    }
    return true;
}

static void enter_handler(struct processor *p, const struct cpu_gate *gate, const struct cpu_segment *cs, unsigned cpl)
{
    struct cpu_state *s = &p->state;
    if (cpl < cpu_cpl(s)) {
        s->segments[CPU_SS] = (struct cpu_segment){
            .access_rights = CPU_AR_UNUSABLE | cpl << CPU_AR_DPL_SHIFT, .selector = (uint16_t)cpl,
        };
    }
    s->segments[CPU_CS] = *cs;
    s->rip = gate->offset;
    s->rflags &= ~(CPU_RFLAGS_TF | CPU_RFLAGS_NT | CPU_RFLAGS_RF | CPU_RFLAGS_VM |
                   (gate->type == CPU_GATE_INTERRUPT ? CPU_RFLAGS_IF : 0));
}

enum cpu_end cpu_deliver_long(struct processor *p, const struct cpu_event *event)
{
    struct cpu_state *s = &p->state;
    struct cpu_gate gate;
    struct cpu_segment cs;
    unsigned cpl;
    uint64_t rsp;
    enum cpu_end end;
    if (!cpu_read_gate(p, event, &gate, &end) || !cpu_check_handler(p, gate.selector, &cs, &cpl, &end) ||
        !choose_stack(p, &gate, cpl, &rsp, &end)) {
        return end;
    }
    if (!cpu_canonical(p, gate.offset)) {
        return processor_raise_code(p, CPU_GP, p->progress.external);
    }
    uint64_t frame[FRAME_WORDS] = {
        event->error_code, cpu_event_rip(p, event), s->segments[CPU_CS].selector, cpu_event_rflags(p, event),
        s->registers[CPU_RSP], s->segments[CPU_SS].selector,
    };
    size_t first = event->has_error_code ? 0 : 1, bytes = (FRAME_WORDS - first) * sizeof(frame[0]);
    if (!cpu_push_frame(p, (hv_gva){rsp - bytes}, cpl, frame + first, bytes, &end)) {
        return end;
    }
    enter_handler(p, &gate, &cs, cpl);
    s->registers[CPU_RSP] = rsp - bytes;
    return CPU_COMPLETED;
}
