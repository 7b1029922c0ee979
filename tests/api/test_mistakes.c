/* SPDX-License-Identifier: MIT */
/* A hypervisor's mistakes that hardware does not tell, found by check.vmx and check.stale. */
#include "gtest.h"

#include <stdlib.h>
#include <string.h>

#include "api/hvsim.h"

static struct hv_machine *machine(const char *first, const char *second)
{
    char error[HV_ERROR_BYTES] = "";
    struct hv_machine *m = hv_machine_new(NULL, (const char *[]){"machine.memory=64MiB", first, second, NULL}, error);
    if (m == NULL) {
        fail_msg("%s", error);
    }
    return m;
}

/* The findings as one text. */
static char *report(const struct hv_machine *m, size_t expected)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_int_equal(hv_report(m, out), expected);
    fclose(out);
    return text;
}

static void expect_finding(const struct hv_machine *m, const char *words)
{
    char *text = report(m, 1);
    if (strstr(text, words) == NULL) {
        fail_msg("\"%s\" is not in: %s", words, text);
    }
    free(text);
}

static uint64_t region(struct hv_machine *m, struct hv_cpu *cpu)
{
    uint64_t basic = 0, page = hv_pages(m, 1);
    assert_int_equal(hv_rdmsr(cpu, 0x480, &basic), HV_SUCCEEDED);
    uint32_t revision = (uint32_t)basic & INT32_MAX;
    assert_true(hv_write(m, page, &revision, sizeof(revision)));
    return page;
}

static void a_vmcs_on_two_processors(void **state)
{
    (void)state;
    struct hv_machine *m = machine("check.vmx=true", "machine.cores=2");
    struct hv_cpu *a = hv_machine_cpu(m, 0), *b = hv_machine_cpu(m, 1);
    uint64_t vmcs = region(m, a);
    assert_int_equal(hv_vmxon(a, region(m, a)), HV_SUCCEEDED);
    assert_int_equal(hv_vmxon(b, region(m, b)), HV_SUCCEEDED);
    assert_int_equal(hv_vmclear(a, vmcs), HV_SUCCEEDED);
    assert_int_equal(hv_vmptrld(a, vmcs), HV_SUCCEEDED);
    free(report(m, 0));
    assert_int_equal(hv_vmptrld(b, vmcs), HV_SUCCEEDED);
    expect_finding(m, "VMCLEAR");
    hv_machine_free(m);
}

static void a_vmcs_that_is_stored_to(void **state)
{
    (void)state;
    struct hv_machine *m = machine("check.vmx=true", NULL);
    struct hv_cpu *cpu = hv_machine_cpu(m, 0);
    uint64_t vmcs = region(m, cpu), value = 0x77;
    assert_int_equal(hv_vmxon(cpu, region(m, cpu)), HV_SUCCEEDED);
    assert_int_equal(hv_vmclear(cpu, vmcs), HV_SUCCEEDED);
    assert_int_equal(hv_vmptrld(cpu, vmcs), HV_SUCCEEDED);
    assert_int_equal(hv_vmwrite(cpu, HV_VMCS_guest_rip, 0x1000), HV_SUCCEEDED);
    free(report(m, 0));
    assert_true(hv_write(m, vmcs + 64, &value, sizeof(value))); /* where some field lies */
    (void)hv_vmread(cpu, HV_VMCS_guest_rip, &value);
    expect_finding(m, "ordinary store");
    hv_machine_free(m);
}

static void a_vmcs_that_was_never_cleared(void **state)
{
    (void)state;
    struct hv_machine *m = machine("check.vmx=true", NULL);
    struct hv_cpu *cpu = hv_machine_cpu(m, 0);
    uint64_t vmcs = region(m, cpu);
    assert_int_equal(hv_vmxon(cpu, region(m, cpu)), HV_SUCCEEDED);
    assert_int_equal(hv_vmptrld(cpu, vmcs), HV_SUCCEEDED);
    expect_finding(m, "VMCLEAR");
    hv_machine_free(m);
}

/* The guest reads a page, the hypervisor takes it away behind the small layer's back, and forgets INVEPT. */
static void a_forgotten_invept(void **state)
{
    (void)state;
    static const struct hv_operation program[] = {
        {.op = HV_OP_load, .address = 0x5000, .size = 8}, {.op = HV_OP_vmcall},
        {.op = HV_OP_load, .address = 0x5000, .size = 8}, {.op = HV_OP_vmcall},
    };
    struct hv_machine *m = machine("check.stale=true", NULL);
    struct hv_vm *vm = hv_vm_new(m);
    assert_true(hv_vm_map(vm, 0, 1 << 16, HV_PROT_ALL));
    assert_true(hv_vm_map_linear(vm, 0, 0, 1 << 16));
    struct hv_vcpu *v = hv_vcpu_new(vm, hv_machine_cpu(m, 0));
    assert_true(hv_vcpu_program(v, 0x1000, program, 4));
    hv_vcpu_set(v, HV_RIP, 0x1000);
    struct hv_vm_exit exit;
    assert_int_equal(hv_vcpu_run(v, &exit), HV_EXITED);
    assert_int_equal(exit.reason, HV_EXIT_vmcall);
    hv_vcpu_skip(v);
    free(report(m, 0));

    uint64_t table = hv_vcpu_field(v, HV_VMCS_eptp) & ~(uint64_t)0xfff, entry = 0;
    for (unsigned level = 0; level < 3; level++) { /* gPA 5000H: the first entry of each table above */
        assert_true(hv_read(m, table, &entry, sizeof(entry)));
        table = entry & 0x000ffffffffff000u;
    }
    entry = 0;
    assert_true(hv_write(m, table + 5 * sizeof(entry), &entry, sizeof(entry)));
    assert_int_equal(hv_vcpu_run(v, &exit), HV_EXITED);
    assert_int_equal(exit.reason, HV_EXIT_vmcall); /* the TLB still has it */
    expect_finding(m, "INVEPT");
    hv_vm_free(vm);
    hv_machine_free(m);
}

GTEST_MAIN("Mistakes", cmocka_unit_test(a_vmcs_on_two_processors), cmocka_unit_test(a_vmcs_that_is_stored_to),
           cmocka_unit_test(a_vmcs_that_was_never_cleared), cmocka_unit_test(a_forgotten_invept))
