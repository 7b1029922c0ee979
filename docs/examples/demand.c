/* SPDX-License-Identifier: MIT */
/*
 * Memory on demand: the guest stores to eight pages that it has not got; each first store is an EPT violation, and the
 * hypervisor backs the page. The second round of stores exits no more, and the clock shows what an exit costs.
 *
 *     cc demand.c $(pkg-config --cflags --libs hvsim) -o demand
 */
#include <stdio.h>

#include <hvsim.h>

enum { PAGE = 4096, PAGES = 8, CODE = 0x1000, DATA = 0x100000 };

/* The guest: two rounds of stores with a hypercall behind each. */
static size_t write_program(struct hv_operation *program)
{
    size_t n = 0;
    for (int round = 0; round < 2; round++) {
        for (unsigned page = 0; page < PAGES; page++) {
            program[n++] = (struct hv_operation){.op = HV_OP_store, .address = DATA + page * PAGE, .size = 8};
        }
        program[n++] = (struct hv_operation){.op = HV_OP_vmcall};
    }
    return n;
}

int main(void)
{
    char error[HV_ERROR_BYTES];
    struct hv_operation program[2 * PAGES + 2];
    struct hv_machine *m = hv_machine_new("skylake", NULL, error);
    if (m == NULL) {
        fprintf(stderr, "%s\n", error);
        return 2;
    }
    struct hv_cpu *cpu = hv_machine_cpu(m, 0);
    struct hv_vm *vm = hv_vm_new(m);
    hv_vm_map(vm, 0, 1 << 16, HV_PROT_ALL);
    hv_vm_map_linear(vm, 0, 0, 2 << 20); /* the guest believes in 2 MiB, of which 64 KiB are there */
    struct hv_vcpu *v = hv_vcpu_new(vm, cpu);
    hv_vcpu_program(v, CODE, program, write_program(program));
    hv_vcpu_set(v, HV_RIP, CODE);

    struct hv_vm_exit exit;
    unsigned violations = 0, round = 0;
    uint64_t start = hv_now(cpu);
    while (round < 2 && hv_vcpu_run(v, &exit) == HV_EXITED) {
        if (exit.reason == HV_EXIT_ept_violation) {
            hv_vm_map(vm, exit.gpa & ~(uint64_t)(PAGE - 1), PAGE, HV_PROT_ALL);
            violations++;
        } else if (exit.reason == HV_EXIT_vmcall) {
            printf("round %u: %u EPT violations, %llu cycles\n", ++round, violations,
                   (unsigned long long)(hv_now(cpu) - start));
            violations = 0;
            start = hv_now(cpu);
            hv_vcpu_skip(v);
        } else {
            printf("unexpected: %s\n", hv_exit_name(exit.reason));
            return 1;
        }
    }
    hv_vm_free(vm);
    hv_machine_free(m);
    return round == 2 ? 0 : 1;
}
