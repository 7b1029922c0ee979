/* SPDX-License-Identifier: MIT */
/* The library's instructions, machine, programs, and what hostile callers and guests do to them. */
#include "rig.h"

#include <string.h>

#include "base/rng.h"

#define MSR_VMX_BASIC 0x480
#define MSR_LSTAR 0xc0000082
#define VECTOR_UD 6
#define VECTOR_GP 13

/* A page that begins with the revision identifier. */
static uint64_t region(struct hv_machine *m, struct hv_cpu *c)
{
    uint64_t basic = 0, page = hv_pages(m, 1);
    assert_int_equal(hv_rdmsr(c, MSR_VMX_BASIC, &basic), HV_SUCCEEDED);
    uint32_t revision = (uint32_t)basic & INT32_MAX;
    assert_true(hv_write(m, page, &revision, sizeof(revision)));
    return page;
}

/* ---- The machine ----------------------------------------------------------------------------------------------- */

static void mistakes_are_sentences(void **state)
{
    (void)state;
    char error[HV_ERROR_BYTES] = "";
    assert_null(hv_machine_new("no-such-machine", NULL, error));
    assert_non_null(strstr(error, "no-such-machine"));
    assert_null(hv_machine_new(NULL, (const char *[]){"tlb.l2.entires=4", NULL}, error));
    assert_non_null(strstr(error, "tlb.l2.entries"));
    assert_null(hv_machine_new(NULL, (const char *[]){"vmx.without=secondary.enable_epd", NULL}, error));
    assert_non_null(strstr(error, "secondary.enable_ept"));
    hv_machine_free(NULL);
}

static void memory_has_an_end(void **state)
{
    (void)state;
    struct hv_machine *m = rig_machine();
    uint64_t value = 5;
    assert_int_equal(hv_pages(m, SIZE_MAX), HV_NO_MEMORY);
    uint64_t page = hv_pages(m, 2);
    assert_int_equal(page % 4096, 0);
    assert_true(hv_read(m, page, &value, 8));
    assert_int_equal(value, 0); /* zeroed */
    assert_false(hv_read(m, 64 << 20, &value, 8));
    assert_false(hv_write(m, (64 << 20) - 4, &value, 8));
    assert_false(hv_write(m, UINT64_MAX - 3, &value, 8));
    assert_null(hv_machine_cpu(m, 2));
    assert_ptr_not_equal(hv_machine_cpu(m, 0), hv_machine_cpu(m, 1));
    hv_machine_free(m);
}

static void names(void **state)
{
    (void)state;
    assert_string_equal(hv_exit_name(HV_EXIT_cpuid), "cpuid");
    assert_string_equal(hv_exit_name(UINT32_C(1) << 31 | HV_EXIT_entry_failure_guest_state),
                        "entry_failure_guest_state");
    assert_null(hv_exit_name(0xffff));
    assert_string_equal(hv_field_name(HV_VMCS_guest_rip), "guest_rip");
    assert_null(hv_field_name(UINT32_MAX));
    assert_non_null(hv_error_words(HV_ERROR_vmlaunch_not_clear));
    assert_null(hv_error_words(999));
    for (int end = HV_SUCCEEDED; end <= HV_LIMIT; end++) {
        assert_non_null(hv_end_names[end]);
    }
}

static void registers_and_time(void **state)
{
    (void)state;
    struct hv_machine *m = rig_machine();
    struct hv_cpu *c = hv_machine_cpu(m, 0);
    for (enum hv_register r = HV_RAX; r <= HV_RIP; r++) {
        hv_set(c, r, 7000 + r);
        assert_int_equal(hv_get(c, r), 7000 + r);
    }
    hv_set(c, HV_REGISTERS, 1); /* no register: no effect */
    hv_set(c, (enum hv_register)200, 1);
    assert_int_equal(hv_get(c, (enum hv_register)200), 0);
    uint64_t now = hv_now(c);
    hv_work(c, 123);
    assert_int_equal(hv_now(c), now + 123);
    assert_int_equal(hv_now(hv_machine_cpu(m, 1)), 0); /* each has its own clock */
    hv_machine_free(m);
}

/* ---- The instructions ------------------------------------------------------------------------------------------ */

static void before_vmxon(void **state)
{
    (void)state;
    struct hv_machine *m = rig_machine();
    struct hv_cpu *c = hv_machine_cpu(m, 0);
    uint64_t value = 0;
    enum hv_end ends[] = {
        hv_vmxoff(c), hv_vmclear(c, 4096), hv_vmptrld(c, 4096), hv_vmptrst(c, &value), hv_vmread(c, 0, &value),
        hv_vmwrite(c, 0, 0), hv_invept(c, 2, 0), hv_invvpid(c, 2, 0, 0), hv_vmlaunch(c), hv_vmresume(c),
    };
    for (size_t i = 0; i < RIG_COUNT(ends); i++) {
        assert_int_equal(ends[i], HV_RAISED);
    }
    assert_int_equal(hv_exception(c).vector, VECTOR_UD);
    assert_false(hv_exception(c).has_error_code);
    assert_int_equal(hv_vmx_error(c), 0);
    assert_int_equal(hv_broken_rules(c, NULL, 0), 0);
    assert_int_equal(hv_rdmsr(c, 0xdeadbeef, &value), HV_RAISED);
    assert_int_equal(hv_exception(c).vector, VECTOR_GP);
    assert_int_equal(hv_wrmsr(c, MSR_VMX_BASIC, 1), HV_RAISED); /* read only */
    hv_machine_free(m);
}

static void the_life_of_a_vmcs(void **state)
{
    (void)state;
    struct hv_machine *m = rig_machine();
    struct hv_cpu *c = hv_machine_cpu(m, 0);
    uint64_t vmxon = region(m, c), vmcs = region(m, c), value = 0;
    assert_int_equal(hv_vmxon(c, vmxon + 1), HV_FAILED_INVALID); /* not aligned */
    assert_int_equal(hv_vmxon(c, vmxon), HV_SUCCEEDED);
    assert_int_equal(hv_vmread(c, HV_VMCS_guest_rip, &value), HV_FAILED_INVALID);
    assert_int_equal(hv_vmclear(c, vmcs), HV_SUCCEEDED);
    assert_int_equal(hv_vmptrld(c, vmcs), HV_SUCCEEDED);
    assert_int_equal(hv_vmptrst(c, &value), HV_SUCCEEDED);
    assert_int_equal(value, vmcs);
    assert_int_equal(hv_vmwrite(c, HV_VMCS_guest_rip, 0x1234), HV_SUCCEEDED);
    assert_int_equal(hv_vmread(c, HV_VMCS_guest_rip, &value), HV_SUCCEEDED);
    assert_int_equal(value, 0x1234);
    assert_int_equal(hv_vmread(c, UINT32_MAX, &value), HV_FAILED_VALID);
    assert_int_equal(hv_vmx_error(c), HV_ERROR_unsupported_component);
    assert_int_equal(hv_vmresume(c), HV_FAILED_VALID);
    assert_int_equal(hv_vmx_error(c), HV_ERROR_vmresume_not_launched);
    assert_int_equal(hv_vmlaunch(c), HV_FAILED_VALID);
    const char *rule = NULL;
    assert_true(hv_broken_rules(c, &rule, 1) > 1);
    assert_non_null(rule);
    assert_int_equal(hv_invept(c, 2, 0), HV_SUCCEEDED);
    assert_int_equal(hv_invept(c, 3, 0), HV_FAILED_VALID);
    assert_int_equal(hv_invvpid(c, 2, 0, 0), HV_SUCCEEDED);
    assert_int_equal(hv_invvpid(c, 1, 0, 0), HV_FAILED_VALID); /* VPID 0 */
    assert_int_equal(hv_vmxoff(c), HV_SUCCEEDED);
    assert_int_equal(hv_vmxoff(c), HV_RAISED);
    hv_machine_free(m);
}

/* Calls that are instructions leave the hypervisor's registers as they were. */
static void calls_keep_registers(void **state)
{
    (void)state;
    struct rig r;
    uint64_t value = 0;
    rig_init(&r);
    for (enum hv_register i = HV_RAX; i <= HV_RDX; i++) {
        hv_set(r.cpu, i, 31 + i);
    }
    hv_vmread(r.cpu, HV_VMCS_guest_rip, &value);
    hv_vmwrite(r.cpu, HV_VMCS_guest_rip, 5);
    hv_rdmsr(r.cpu, MSR_VMX_BASIC, &value);
    hv_invept(r.cpu, 2, 0);
    hv_vmptrst(r.cpu, &value);
    for (enum hv_register i = HV_RAX; i <= HV_RDX; i++) {
        assert_int_equal(hv_get(r.cpu, i), 31 + i);
    }
    rig_fini(&r);
}

static void nmis_exit(void **state)
{
    (void)state;
    static const struct hv_operation program[] = {{.op = HV_OP_nop}, {.op = HV_OP_hlt}};
    struct rig r;
    rig_init(&r);
    rig_program(&r, program, 2);
    hv_nmi(r.cpu);
    struct hv_vm_exit exit = rig_expect(&r, HV_EXIT_exception_or_nmi);
    assert_int_equal(exit.interruption & 255, 2);
    assert_int_equal(hv_exit_of(r.cpu).reason, exit.reason);
    rig_expect(&r, HV_EXIT_hlt);
    rig_fini(&r);
}

/* ---- Programs -------------------------------------------------------------------------------------------------- */

static void programs_do_not_overlap(void **state)
{
    (void)state;
    static const struct hv_operation two[] = {{.op = HV_OP_cpuid}, {.op = HV_OP_hlt}}; /* 2 + 1 bytes */
    struct hv_machine *m = rig_machine();
    struct hv_cpu *c = hv_machine_cpu(m, 0);
    assert_int_equal(hv_program_address(100, two, 2), 103);
    assert_true(hv_program(c, 100, two, 2));
    assert_false(hv_program(c, 102, two, 2));
    assert_false(hv_program(c, 98, two, 2));
    assert_true(hv_program(c, 97, two, 2));
    assert_true(hv_program(c, 103, two, 2));
    for (unsigned i = 3; i < 16; i++) {
        assert_true(hv_program(c, 1000 * i, two, 2));
    }
    assert_false(hv_program(c, 100000, two, 2)); /* the seventeenth */
    hv_programs_clear(c);
    assert_true(hv_program(c, 102, two, 2));
    hv_machine_free(m);
}

/* A SYSCALL whose handler it is itself never exits; the limit brings it back, and it can go on or be left. */
static void a_guest_without_end(void **state)
{
    (void)state;
    static const struct hv_operation program[] = {{.op = HV_OP_syscall}, {.op = HV_OP_hlt}};
    struct rig r;
    struct hv_vm_exit exit;
    rig_init(&r);
    rig_program(&r, program, 2);
    hv_set_limit(r.cpu, 1000);
    assert_int_equal(hv_wrmsr(r.cpu, MSR_LSTAR, RIG_CODE), HV_SUCCEEDED); /* which VM entries do not change */
    uint64_t before = hv_now(r.cpu);
    assert_int_equal(hv_continue(r.cpu), HV_STOPPED); /* no guest */
    assert_int_equal(hv_leave(r.cpu), HV_SUCCEEDED);
    assert_int_equal(hv_vcpu_run(r.vcpu, &exit), HV_LIMIT);
    assert_true(hv_now(r.cpu) >= before + 1000);
    assert_int_equal(hv_vcpu_get(r.vcpu, HV_RIP), RIG_CODE);
    assert_int_equal(hv_vmresume(r.cpu), HV_LIMIT); /* by the instructions: still in the guest */
    assert_int_equal(hv_continue(r.cpu), HV_LIMIT);
    assert_int_equal(hv_leave(r.cpu), HV_EXITED);
    assert_int_equal(hv_exit_of(r.cpu).reason, HV_EXIT_external_interrupt);
    hv_vcpu_set(r.vcpu, HV_RIP, hv_program_address(RIG_CODE, program, 1));
    rig_expect(&r, HV_EXIT_hlt);
    rig_fini(&r);
}

/* An exception without an IDT: a double fault, then a triple fault, which exits. */
static void a_guest_that_faults(void **state)
{
    (void)state;
    static const struct hv_operation program[] = {{.op = HV_OP_ud2}};
    struct rig r;
    rig_init(&r);
    rig_program(&r, program, 1);
    rig_expect(&r, HV_EXIT_triple_fault);
    rig_fini(&r);
}

/* Operations of random bytes: whatever they do, it ends, and nothing stops the simulator. */
static void random_operations(void **state)
{
    (void)state;
    enum { ROUNDS = 2000, LENGTH = 8 };
    struct hv_rng rng;
    rng_init(&rng, 1);
    for (unsigned round = 0; round < ROUNDS; round++) {
        static struct rig r;
        struct hv_operation program[LENGTH];
        struct hv_vm_exit exit;
        if (round % 50 == 0) {
            rig_init(&r);
            hv_set_limit(r.cpu, 100);
        }
        for (unsigned i = 0; i < LENGTH; i++) {
            program[i] = (struct hv_operation){
                .op = (enum hv_op)rng_below(&rng, HV_OPS + 2), .reg = (enum hv_register)rng_below(&rng, 20),
                .size = (uint8_t)(rng_below(&rng, 2) == 0 ? rng_below(&rng, 256) : 1u << rng_below(&rng, 4)),
                .number = (uint8_t)rng_below(&rng, 256), .address = rng_below(&rng, 2 * RIG_MEMORY) & ~UINT64_C(7),
                .value = rng_next(&rng) >> rng_below(&rng, 64),
            };
        }
        hv_programs_clear(r.cpu);
        struct hv_vcpu *v = hv_vcpu_new(r.vm, r.cpu);
        assert_non_null(v);
        assert_true(hv_vcpu_program(v, RIG_CODE, program, LENGTH));
        hv_vcpu_set(v, HV_RIP, RIG_CODE);
        hv_vcpu_set(v, HV_RSP, RIG_MEMORY / 2);
        for (unsigned exits = 0; exits < LENGTH && hv_vcpu_run(v, &exit) == HV_EXITED; exits++) {
            hv_vcpu_skip(v);
        }
        if (round % 50 == 49) {
            rig_fini(&r);
        }
    }
}

GTEST_MAIN("Library", cmocka_unit_test(mistakes_are_sentences), cmocka_unit_test(memory_has_an_end),
           cmocka_unit_test(names), cmocka_unit_test(registers_and_time), cmocka_unit_test(before_vmxon),
           cmocka_unit_test(the_life_of_a_vmcs), cmocka_unit_test(calls_keep_registers), cmocka_unit_test(nmis_exit),
           cmocka_unit_test(programs_do_not_overlap), cmocka_unit_test(a_guest_without_end),
           cmocka_unit_test(a_guest_that_faults), cmocka_unit_test(random_operations))
