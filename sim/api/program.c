/* SPDX-License-Identifier: MIT */
/*
 * A guest as lists of operations: each takes the bytes of its instruction from the list's address on, so RIP says which
 * comes next, across VM exits, interrupts and returns from them.
 */
#include "api/api.h"

#include "cpu/execute/deliver.h"
#include "cpu/execute/events.h"
#include "cpu/execute/execute.h"
#include "cpu/execute/exit.h"

static const uint8_t usual_length[HV_OPS] = {
#define I(name, length, privilege, exit, words) [HV_OP_##name] = length,
#include "cpu/instructions.def"
#undef I
};

unsigned api_operation_length(const struct hv_operation *o)
{
    return o->op < HV_OPS ? usual_length[o->op] : 1;
}

uint64_t hv_program_address(uint64_t rip, const struct hv_operation *operations, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        rip += api_operation_length(&operations[i]);
    }
    return rip;
}

bool hv_program(struct hv_cpu *c, uint64_t rip, const struct hv_operation *operations, size_t count)
{
    uint64_t bytes = hv_program_address(rip, operations, count) - rip;
    for (size_t i = 0; i < c->program_count; i++) {
        const struct api_program *p = &c->programs[i];
        if (rip < p->rip + p->bytes && p->rip < rip + bytes) {
            return false;
        }
    }
    if (c->program_count == API_PROGRAMS) {
        return false;
    }
    c->programs[c->program_count++] = (struct api_program){rip, bytes, operations, count, 0, rip};
    return true;
}

void hv_programs_clear(struct hv_cpu *c)
{
    c->program_count = 0;
}

/* The operation at an address, or NULL. */
static const struct hv_operation *find(struct hv_cpu *c, uint64_t rip)
{
    for (size_t i = 0; i < c->program_count; i++) {
        struct api_program *p = &c->programs[i];
        if (rip - p->rip >= p->bytes) {
            continue;
        }
        if (rip < p->at_rip) { /* back: from the start */
            p->at = 0;
            p->at_rip = p->rip;
        }
        while (p->at < p->count && p->at_rip < rip) {
            p->at_rip += api_operation_length(&p->operations[p->at++]);
        }
        return p->at < p->count && p->at_rip == rip ? &p->operations[p->at] : NULL;
    }
    return NULL;
}

/* An operation as an instruction: memory operands are absolute addresses in DS. */
static struct cpu_instruction instruction_of(const struct hv_operation *o)
{
    return (struct cpu_instruction){
        .op = o->op < HV_OPS ? (enum cpu_op)o->op : CPU_OP_ud2, .length = (uint8_t)api_operation_length(o),
        .reg1 = o->reg <= HV_R15 ? (uint8_t)o->reg : 0, .reg2 = o->number, .size = o->size, .in_memory = o->address != 0,
        .memory = {.displacement = o->address, .base = CPU_NO_REGISTER, .index = CPU_NO_REGISTER, .segment = CPU_DS,
                   .address_size_log2 = 3},
        .value = o->value,
    };
}

/* One step of the guest. */
static enum cpu_end step(struct hv_cpu *c, const struct hv_operation *o)
{
    struct cpu_instruction i = instruction_of(o);
    enum cpu_end end = cpu_execute(&c->p, &i);
    return end == CPU_RAISED ? cpu_deliver_raised(&c->p) : end;
}

/* The guest waits: time goes on to its next event. False: nothing will come. */
static bool pass_time(struct processor *p)
{
    hv_cycles next = cpu_next_event(p);
    p->now = next == UINT64_MAX ? p->now : next > p->now ? next : p->now + 1;
    return next != UINT64_MAX;
}

void hv_set_limit(struct hv_cpu *c, uint64_t operations)
{
    c->limit = operations;
}

enum hv_end api_run_guest(struct hv_cpu *c)
{
    struct processor *p = &c->p;
    for (uint64_t done = 0; c->limit == 0 || done < c->limit; done++) {
        enum cpu_end end = cpu_between(p);
        if (end == CPU_COMPLETED && p->state.activity != CPU_ACTIVE) {
            if (!pass_time(p)) {
                return HV_IDLE;
            }
            continue;
        }
        if (end == CPU_COMPLETED) {
            const struct hv_operation *o = find(c, p->state.rip);
            if (o == NULL) {
                return HV_PROGRAM_OVER;
            }
            end = step(c, o);
        }
        if (end == CPU_EXITED || end == CPU_STOPPED) {
            return api_end(c, end, false);
        }
    }
    return HV_LIMIT;
}

enum hv_end hv_continue(struct hv_cpu *c)
{
    return c->p.vmx.non_root ? api_run_guest(c) : HV_STOPPED;
}

enum hv_end hv_leave(struct hv_cpu *c)
{
    struct vmx_exit kick = {.reason = VMX_EXIT_external_interrupt, .undefined_length = true};
    return c->p.vmx.non_root ? api_end(c, cpu_exit(&c->p, kick), false) : HV_SUCCEEDED;
}
