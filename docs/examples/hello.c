/* SPDX-License-Identifier: MIT */
/*
 * A virtual machine in twenty lines: the guest writes a greeting to a port, character by character, and halts.
 *
 *     cc hello.c $(pkg-config --cflags --libs hvsim) -o hello
 */
#include <stdio.h>

#include <hvsim.h>

enum { PORT = 0xe9, CODE = 0x1000, LETTERS = 6 };

int main(void)
{
    char error[HV_ERROR_BYTES];
    struct hv_operation program[2 * LETTERS + 1];
    for (int i = 0; i < LETTERS; i++) {
        program[2 * i] = (struct hv_operation){.op = HV_OP_mov, .reg = HV_RAX, .value = (unsigned char)"hello\n"[i]};
        program[2 * i + 1] = (struct hv_operation){.op = HV_OP_out, .size = 1, .value = PORT};
    }
    program[2 * LETTERS] = (struct hv_operation){.op = HV_OP_hlt};

    struct hv_machine *m = hv_machine_new("skylake", NULL, error);
    if (m == NULL) {
        fprintf(stderr, "%s\n", error);
        return 2;
    }
    struct hv_vm *vm = hv_vm_new(m);
    hv_vm_map(vm, 0, 1 << 20, HV_PROT_ALL);
    hv_vm_map_linear(vm, 0, 0, 1 << 20);
    struct hv_vcpu *v = hv_vcpu_new(vm, hv_machine_cpu(m, 0));
    hv_vcpu_program(v, CODE, program, 2 * LETTERS + 1);
    hv_vcpu_set(v, HV_RIP, CODE);

    struct hv_vm_exit exit;
    while (hv_vcpu_run(v, &exit) == HV_EXITED && exit.reason == HV_EXIT_io_instruction) {
        putchar((int)hv_vcpu_get(v, HV_RAX));
        hv_vcpu_skip(v);
    }
    printf("ended by %s after %llu cycles\n", hv_exit_name(exit.reason),
           (unsigned long long)hv_now(hv_machine_cpu(m, 0)));
    hv_vm_free(vm);
    hv_machine_free(m);
    return 0;
}
