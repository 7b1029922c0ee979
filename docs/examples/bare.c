/* SPDX-License-Identifier: MIT */
/*
 * A hypervisor from nothing: VMXON, a VMCS, VMLAUNCH. The first try forgets most of the VMCS, and hvsim says which checks
 * of the VM entry failed; what no table of error numbers tells.
 *
 *     cc bare.c $(pkg-config --cflags --libs hvsim) -o bare
 */
#include <stdio.h>

#include <hvsim.h>

enum { RULES_SHOWN = 4 };

/* A page that begins with the processor's VMCS revision identifier. */
static uint64_t new_region(struct hv_machine *m, struct hv_cpu *cpu)
{
    uint64_t basic, page = hv_pages(m, 1);
    hv_rdmsr(cpu, 0x480, &basic); /* IA32_VMX_BASIC */
    uint32_t revision = (uint32_t)basic & 0x7fffffff;
    hv_write(m, page, &revision, sizeof(revision));
    return page;
}

static void say_why(struct hv_cpu *cpu)
{
    const char *rules[RULES_SHOWN];
    size_t broken = hv_broken_rules(cpu, rules, RULES_SHOWN);
    printf("error %u: %s; %zu rules are broken, among them:\n", hv_vmx_error(cpu), hv_error_words(hv_vmx_error(cpu)), broken);
    for (size_t i = 0; i < broken && i < RULES_SHOWN; i++) {
        printf("  %s\n", rules[i]);
    }
}

int main(void)
{
    char error[HV_ERROR_BYTES];
    struct hv_machine *m = hv_machine_new(NULL, NULL, error);
    if (m == NULL) {
        fprintf(stderr, "%s\n", error);
        return 2;
    }
    struct hv_cpu *cpu = hv_machine_cpu(m, 0);
    uint64_t vmcs = new_region(m, cpu);
    printf("VMLAUNCH before VMXON: %s", hv_end_names[hv_vmlaunch(cpu)]);
    printf(", vector %u\n", hv_exception(cpu).vector);
    printf("VMXON: %s\n", hv_end_names[hv_vmxon(cpu, new_region(m, cpu))]);
    printf("VMLAUNCH without a VMCS: %s\n", hv_end_names[hv_vmlaunch(cpu)]);
    printf("VMCLEAR: %s\n", hv_end_names[hv_vmclear(cpu, vmcs)]);
    printf("VMPTRLD: %s\n", hv_end_names[hv_vmptrld(cpu, vmcs)]);
    hv_vmwrite(cpu, HV_VMCS_guest_rip, 0x1000);
    printf("VMLAUNCH of an empty VMCS: %s\n", hv_end_names[hv_vmlaunch(cpu)]);
    say_why(cpu);
    printf("VMWRITE to the exit reason: %s\n", hv_end_names[hv_vmwrite(cpu, HV_VMCS_exit_reason, 0)]);
    hv_machine_free(m);
    return 0;
}
