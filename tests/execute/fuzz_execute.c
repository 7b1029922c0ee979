/* SPDX-License-Identifier: MIT */
/*
 * Random instructions on random states, in root and non-root operation: nothing crashes, and each ends as it may. The
 * input is a stream of values; behind its end it goes on with pseudo-random ones that depend on all of it.
 */
#include "lab.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *data;
    size_t size;
    uint64_t random;
};

enum { STEPS = 24 };

/* splitmix64 */
static uint64_t random_next(uint64_t *random)
{
    uint64_t z = *random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static struct input open_input(const uint8_t *data, size_t size)
{
    struct input in = {data, size, size};
    for (size_t at = 0; at < size; at++) {
        in.random = random_next(&in.random) ^ data[at];
    }
    return in;
}

static uint64_t take(struct input *in, size_t bytes)
{
    uint64_t value = 0;
    if (in->size < bytes) {
        return random_next(&in->random) >> (64 - 8 * bytes);
    }
    memcpy(&value, in->data, bytes);
    in->data += bytes;
    in->size -= bytes;
    return value;
}

/* Often an address that means something. */
static uint64_t take_address(struct input *in)
{
    uint64_t kind = take(in, 1);
    if (kind < 160) {
        return 0x10000 + (kind << 12) + (take(in, 2) & 0xfff);
    }
    return take(in, 8);
}

/* A few more controls than those that the lab sets; when no VM entry takes them, none. */
static void launch(struct lab *l, struct input *in)
{
    static const struct cpu_instruction vmlaunch = {.op = CPU_OP_vmlaunch};
    uint64_t words[VMX_EXIT];
    for (unsigned word = 0; word < VMX_EXIT; word++) {
        words[word] = lab_get(l, vmx_word_fields[word]);
        uint64_t bits = take(in, 8) & take(in, 8) & take(in, 8) & take(in, 8) & l->caps.may[word];
        lab_control(l, (enum vmx_word)word, bits, true);
    }
    if (cpu_execute(&l->p, &vmlaunch) != CPU_COMPLETED) {
        return;
    }
    for (unsigned word = 0; word < VMX_EXIT; word++) {
        lab_set(l, vmx_word_fields[word], words[word]);
    }
    (void)cpu_execute(&l->p, &vmlaunch);
}

static void random_fields(struct lab *l, struct input *in)
{
    LAB_SET(l, exception_bitmap, take(in, 4));
    LAB_SET(l, cr0_guest_host_mask, take(in, 4));
    LAB_SET(l, cr4_guest_host_mask, take(in, 4));
    LAB_SET(l, tpr_threshold, take(in, 1) & 15);
    LAB_SET(l, eptp, LAB_EPTP);
    LAB_SET(l, vpid, 1);
}

static void random_state(struct lab *l, struct input *in)
{
    struct cpu_state *s = &l->p.state;
    uint64_t what = take(in, 1);
    for (unsigned r = 0; r < CPU_REGISTERS && (what & 1) != 0; r++) {
        s->registers[r] = take_address(in);
    }
    if ((what & 2) != 0) {
        struct cpu_segment *segment = &s->segments[take(in, 1) % CPU_SEGMENTS];
        *segment = (struct cpu_segment){take_address(in), (uint32_t)take(in, 4), (uint32_t)take(in, 3) & 0x1ffff,
                                        (uint16_t)take(in, 2)};
    }
    if ((what & 4) != 0) {
        s->rflags = (take(in, 3) & 0x3f7fd5) | 2;
        s->interruptibility = (uint32_t)take(in, 1) & 15;
        s->activity = (enum cpu_activity)(take(in, 1) & 3);
        s->pending_debug = take(in, 2);
    }
    if ((what & 8) != 0) {
        s->cr0 ^= take(in, 4) & take(in, 4);
        s->cr4 ^= take(in, 4) & take(in, 4);
        s->msrs.efer ^= take(in, 2) & 0xd01;
    }
    if ((what & 16) != 0) {
        s->gdtr = (struct cpu_table){take_address(in), (uint32_t)take(in, 2)};
        s->idtr = (struct cpu_table){take_address(in), (uint32_t)take(in, 2)};
    }
    if ((what & 32) != 0) { /* an entry of a table, a descriptor, a gate */
        lab_write(l, 0x10000 + (take(in, 3) & 0x2fff8), 8, take(in, 8));
    }
    processor_context_changed(&l->p);
}

static struct cpu_instruction random_instruction(struct input *in)
{
    return (struct cpu_instruction){
        .op = (enum cpu_op)(take(in, 1) % CPU_OPS), .length = (uint8_t)(take(in, 1) & 15),
        .reg1 = (uint8_t)take(in, 1), .reg2 = (uint8_t)(take(in, 1) & 15), .size = (uint8_t)(take(in, 1) & 15),
        .in_memory = (take(in, 1) & 1) != 0, .string = (take(in, 1) & 1) != 0, .repeat = (take(in, 1) & 1) != 0,
        .memory = {
            .displacement = take_address(in), .base = (uint8_t)take(in, 1), .index = (uint8_t)take(in, 1),
            .scale_log2 = (uint8_t)take(in, 1), .segment = (uint8_t)(take(in, 1) & 7),
            .address_size_log2 = (uint8_t)(take(in, 1) & 3),
        },
        .value = take_address(in), .value_high = take_address(in),
    };
}

/* What has to be true after anything. */
static void check(const struct lab *l, enum cpu_end end, bool was_guest)
{
    const struct processor *p = &l->p;
    HV_ASSERT(end <= CPU_STOPPED, "an end of the list");
    HV_ASSERT(end != CPU_RAISED || p->raised.vector <= CPU_CP, "vector %u", p->raised.vector);
    HV_ASSERT(end != CPU_EXITED || !p->vmx.non_root, "a VM exit leads to root operation");
    HV_ASSERT(end != CPU_ENTERED || p->vmx.non_root, "a VM entry leads to non-root operation");
    HV_ASSERT(end != CPU_COMPLETED || p->vmx.non_root == was_guest, "a completed instruction stays where it was");
    HV_ASSERT(end == CPU_RAISED || !p->progress.delivering, "no delivery is under way");
}

static enum cpu_end step(struct lab *l, struct input *in)
{
    struct cpu_instruction i = random_instruction(in);
    bool guest = l->p.vmx.non_root;
    enum cpu_end end = cpu_between(&l->p);
    check(l, end, guest);
    if (end != CPU_COMPLETED) {
        return end;
    }
    guest = l->p.vmx.non_root;
    end = cpu_execute(&l->p, &i);
    check(l, end, guest);
    if (end == CPU_RAISED) {
        end = cpu_deliver_raised(&l->p);
        HV_ASSERT(end != CPU_RAISED, "a delivered exception");
        check(l, end, guest);
    }
    (void)cpu_next_event(&l->p);
    return end;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = open_input(data, size);
    struct lab *l = lab_new();
    random_fields(l, &in);
    if ((take(&in, 1) & 1) != 0) { /* with a virtual APIC */
        cpu_apic_connect(&l->apic, &l->p, NULL, &l->wires);
    }
    launch(l, &in);
    for (unsigned s = 0; s < STEPS; s++) {
        random_state(l, &in);
        l->p.signals |= (uint32_t)take(&in, 1) & (uint32_t)take(&in, 1) & 31;
        l->interrupt = (take(&in, 1) & 3) == 0 ? 0x40 : -1;
        if (!l->p.vmx.non_root && (take(&in, 1) & 7) != 0) {
            (void)cpu_execute(&l->p, &(struct cpu_instruction){.op = CPU_OP_vmresume});
        }
        if (step(l, &in) == CPU_STOPPED) {
            break;
        }
    }
    lab_free(l);
    return 0;
}
