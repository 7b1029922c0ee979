/* SPDX-License-Identifier: MIT */
/* A machine, a virtual machine and a virtual processor for the tests of this folder. */
#ifndef HV_TESTS_API_RIG_H
#define HV_TESTS_API_RIG_H

#include "gtest.h"

#include "api/hvsim.h"

enum { RIG_CODE = 0x1000, RIG_MEMORY = 1 << 20 };

/* A VM that has RIG_MEMORY at 0, also at the same linear addresses, and a virtual processor on processor 0 of two. */
struct rig {
    struct hv_machine *machine;
    struct hv_cpu *cpu;
    struct hv_vm *vm;
    struct hv_vcpu *vcpu;
};

/* A machine of 64 MiB and two processors. */
struct hv_machine *rig_machine(void);

void rig_init(struct rig *r);
void rig_fini(struct rig *r);

/* Makes a program the virtual processor's, from RIG_CODE on, and RIP points to it. */
void rig_program(struct rig *r, const struct hv_operation *operations, size_t count);

/* Runs to the next exit, which has this reason. */
struct hv_vm_exit rig_expect(struct rig *r, enum hv_exit_reason reason);

#define RIG_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
