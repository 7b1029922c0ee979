/* SPDX-License-Identifier: MIT */
/* Tests that each make one VM exit: rows, which test_exits.c runs and counts by exit reason. */
#ifndef HV_TESTS_EXECUTE_EXITS_H
#define HV_TESTS_EXECUTE_EXITS_H

#include "lab.h"

struct exit_row {
    const char *name;
    enum vmx_exit_reason reason;
    struct cpu_instruction i;           /* what exits, unless `cause` does it */
    enum cpu_end (*cause)(struct lab *l);
    void (*prepare)(struct lab *l);     /* the VMCS before the VM entry, or NULL */
    void (*arrange)(struct lab *l);     /* the guest after it, or NULL */
    enum vmx_word word;                 /* the control that makes it exit; mask 0: it exits without one */
    uint64_t control;
    uint64_t qualification;
    uint32_t length, information;
    uint32_t past;                      /* how far RIP is behind the instruction: 0 for what is like a fault */
    uint64_t linear, physical;          /* guest-linear and guest-physical address */
    void (*without)(const struct lab *l); /* the architecture's effect with the control 0 */
};

/* CONTROL(PRIMARY, hlt_exiting) in a row. */
#define CONTROL(name_of_word, name_of_control) \
    .word = VMX_##name_of_word, .control = VMX_CONTROL(name_of_word, name_of_control)

struct exit_rows {
    const struct exit_row *rows;
    size_t count;
};

extern const struct exit_rows instruction_exits, register_exits, table_exits, event_exits, memory_exits, vmx_exits,
    apic_exits;

#endif
