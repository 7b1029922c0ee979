/* SPDX-License-Identifier: MIT */
/*
 * Each VM-instruction error number is produced, and conditions on operands: SDM Vol. 3C chapter 31 (30 in editions
 * before 2022). A row of vmx_errors.def without a test here fails, but for those of the dual-monitor treatment.
 */
#include "gtest.h"

#include <stdio.h>

#include "machine.h"

/* In root operation with the valid VMCS of a 64-bit guest. */
static struct machine *machine_with_vmcs(void)
{
    struct machine *m = machine_new(NULL);
    struct vmx_entry e;
    struct vmx_caps caps;
    baseline_init(BASE_LONG, &e, &caps);
    machine_root(m);
    machine_load_entry(&m->p, VMCS_AT, &e);
    return m;
}

/* --- each error number ------------------------------------------------------------------------------------------- */

typedef void provoke_fn(struct machine *m);

static void run(struct machine *m, enum cpu_op op, uint64_t value)
{
    assert_int_equal(machine_do(&m->p, op, value), CPU_COMPLETED);
}

static void provoke_1(struct machine *m) { run(m, CPU_OP_vmcall, 0); }
static void provoke_2(struct machine *m) { run(m, CPU_OP_vmclear, OTHER_AT + 8); }
static void provoke_2_wide(struct machine *m) { run(m, CPU_OP_vmclear, UINT64_C(1) << BASE_PHYSICAL_BITS); }
static void provoke_3(struct machine *m) { run(m, CPU_OP_vmclear, VMXON_AT); }
static void provoke_5(struct machine *m) { run(m, CPU_OP_vmresume, 0); }
static void provoke_9(struct machine *m) { run(m, CPU_OP_vmptrld, OTHER_AT + 1); }
static void provoke_9_wide(struct machine *m) { run(m, CPU_OP_vmptrld, UINT64_C(1) << BASE_PHYSICAL_BITS); }
static void provoke_10(struct machine *m) { run(m, CPU_OP_vmptrld, VMXON_AT); }
static void provoke_11(struct machine *m) { run(m, CPU_OP_vmptrld, OTHER_AT); }
static void provoke_11_nothing_there(struct machine *m) { run(m, CPU_OP_vmptrld, UINT64_C(1) << 40); }
static void provoke_12_read(struct machine *m) { (void)machine_vmread(&m->p, 0x6830); }
static void provoke_12_write(struct machine *m) { machine_vmwrite(&m->p, 0x6830, 1); }
static void provoke_12_wide(struct machine *m) { (void)machine_vmread(&m->p, UINT64_C(0x10000681e)); }
static void provoke_12_high_of_natural(struct machine *m) { (void)machine_vmread(&m->p, 0x681f); }
static void provoke_15(struct machine *m) { run(m, CPU_OP_vmxon, VMXON_AT); }
static void provoke_28_type(struct machine *m) { run(m, CPU_OP_invept, 0); }

static void provoke_4(struct machine *m)
{
    assert_int_equal(machine_do(&m->p, CPU_OP_vmlaunch, 0), CPU_ENTERED);
    assert_int_equal(machine_exit(&m->p), CPU_EXITED);
    run(m, CPU_OP_vmlaunch, 0);
}

static void provoke_6(struct machine *m)
{
    assert_int_equal(machine_do(&m->p, CPU_OP_vmlaunch, 0), CPU_ENTERED);
    assert_int_equal(machine_exit(&m->p), CPU_EXITED);
    run(m, CPU_OP_vmxoff, 0);
    machine_ready(&m->p);
    run(m, CPU_OP_vmxon, VMXON_AT);
    run(m, CPU_OP_vmptrld, VMCS_AT);
    run(m, CPU_OP_vmresume, 0);
}

static void provoke_7(struct machine *m)
{
    machine_vmwrite(&m->p, VMCS_vpid, 0);
    run(m, CPU_OP_vmlaunch, 0);
}

static void provoke_8(struct machine *m)
{
    machine_vmwrite(&m->p, VMCS_host_cs_selector, 0);
    run(m, CPU_OP_vmlaunch, 0);
}

static void provoke_11_shadow(struct machine *m)
{
    struct vmcs other = {&m->memory, OTHER_AT};
    m->p.vmx.caps.may[VMX_SECONDARY] &= ~VMX_CONTROL(SECONDARY, vmcs_shadowing);
    vmcs_set_revision(&other, VMCS_REVISION | VMCS_SHADOW);
    run(m, CPU_OP_vmptrld, OTHER_AT);
}

static void provoke_12_not_offered(struct machine *m)
{
    m->p.vmx.caps.may[VMX_SECONDARY] &= ~VMX_CONTROL(SECONDARY, use_tsc_scaling);
    (void)machine_vmread(&m->p, VMCS_tsc_multiplier);
}

static void provoke_13(struct machine *m)
{
    m->p.vmx.caps.misc &= ~VMX_MISC_WRITE_READ_ONLY;
    machine_vmwrite(&m->p, VMCS_exit_reason, 1);
}

static void provoke_26(struct machine *m)
{
    m->p.state.interruptibility = CPU_BLOCKED_BY_MOV_SS;
    run(m, CPU_OP_vmlaunch, 0);
}

/* A descriptor of INVEPT or INVVPID, with the type. */
static void invalidate(struct machine *m, enum cpu_op op, uint64_t type, uint64_t low, uint64_t high)
{
    struct cpu_instruction i = {.op = op, .reg1 = CPU_NO_REGISTER, .reg2 = CPU_RDX, .value = low, .value_high = high};
    m->p.state.registers[CPU_RDX] = type;
    assert_int_equal(vmx_execute(&m->p, &i), CPU_COMPLETED);
}

static void provoke_28_eptp(struct machine *m) { invalidate(m, CPU_OP_invept, 1, EPT_AT | 0x1f, 0); }
static void provoke_28_vpid_0(struct machine *m) { invalidate(m, CPU_OP_invvpid, 1, 0, 0); }
static void provoke_28_vpid_0_keep(struct machine *m) { invalidate(m, CPU_OP_invvpid, 3, 0, 0); }
static void provoke_28_reserved(struct machine *m) { invalidate(m, CPU_OP_invvpid, 2, 0x10000, 0); }
static void provoke_28_invvpid_type(struct machine *m) { invalidate(m, CPU_OP_invvpid, 4, 1, 0); }
static void provoke_28_address(struct machine *m) { invalidate(m, CPU_OP_invvpid, 0, 1, UINT64_C(1) << 47); }

static void provoke_28_not_offered(struct machine *m)
{
    m->p.vmx.caps.ept_vpid &= ~VMX_EPT_INVEPT_CONTEXT;
    invalidate(m, CPU_OP_invept, 1, EPT_AT | 0x1e, 0);
}

static const struct row {
    const char *name;
    unsigned error;
    provoke_fn *provoke;
} rows[] = {
    {"1_vmcall", 1, provoke_1}, {"2_misaligned", 2, provoke_2}, {"2_too_high", 2, provoke_2_wide},
    {"3_vmxon_pointer", 3, provoke_3}, {"4_launched", 4, provoke_4}, {"5_not_launched", 5, provoke_5},
    {"6_after_vmxoff", 6, provoke_6}, {"7_controls", 7, provoke_7}, {"8_host", 8, provoke_8},
    {"9_misaligned", 9, provoke_9}, {"9_too_high", 9, provoke_9_wide}, {"10_vmxon_pointer", 10, provoke_10},
    {"11_revision", 11, provoke_11}, {"11_nothing_there", 11, provoke_11_nothing_there},
    {"11_shadow_not_offered", 11, provoke_11_shadow}, {"12_read", 12, provoke_12_read},
    {"12_write", 12, provoke_12_write}, {"12_wide", 12, provoke_12_wide},
    {"12_high_of_natural", 12, provoke_12_high_of_natural}, {"12_not_offered", 12, provoke_12_not_offered},
    {"13_read_only", 13, provoke_13}, {"15_vmxon", 15, provoke_15}, {"26_mov_ss", 26, provoke_26},
    {"28_invept_type", 28, provoke_28_type}, {"28_eptp", 28, provoke_28_eptp},
    {"28_not_offered", 28, provoke_28_not_offered}, {"28_vpid_0", 28, provoke_28_vpid_0},
    {"28_vpid_0_keep_global", 28, provoke_28_vpid_0_keep}, {"28_reserved", 28, provoke_28_reserved},
    {"28_invvpid_type", 28, provoke_28_invvpid_type}, {"28_address", 28, provoke_28_address},
};

static void fails_with_its_number(void **state)
{
    const struct row *row = *state;
    struct machine *m = machine_with_vmcs();
    row->provoke(m);
    assert_int_equal(machine_status(&m->p), STATUS_FAIL_VALID);
    assert_int_equal(VMCS_GET(&m->p.vmx.current, vm_instruction_error), row->error);
    assert_int_equal(machine_vmread(&m->p, VMCS_vm_instruction_error), row->error);
    machine_free(m);
}

/* Numbers that need SMM, with its executive VMCS and the dual-monitor treatment. */
static bool is_of_smm(unsigned error)
{
    return (error >= 16 && error <= 25);
}

static void every_error_number_has_a_test(void **state)
{
    (void)state;
    static const unsigned errors[] = {
#define R(number, name, words) number,
#include "cpu/vmx/vmx_errors.def"
#undef R
    };
    unsigned tested = 0, of_smm = 0;
    for (size_t e = 0; e < HV_ARRAY_LEN(errors); e++) {
        bool found = false;
        for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
            found |= rows[i].error == errors[e];
        }
        tested += found;
        of_smm += is_of_smm(errors[e]);
        if (found == is_of_smm(errors[e])) {
            fail_msg("error %u has %s", errors[e], found ? "a test and should not" : "no test");
        }
    }
    printf("coverage: %u VM-instruction error numbers have a test, %u are of SMM\n", tested, of_smm);
    assert_int_equal(tested + of_smm, HV_ARRAY_LEN(errors));
}

/* --- fields of features -------------------------------------------------------------------------------------------- */

static bool readable(struct machine *m, uint32_t encoding)
{
    (void)machine_vmread(&m->p, encoding);
    return machine_status(&m->p) == STATUS_SUCCEED;
}

/* SDM Vol. 3D appendix B: fields that exist "only on processors that support the 1-setting" of a control. */
static void fields_go_with_their_controls(void **state)
{
    (void)state;
    static const struct {
        uint32_t encoding;
        enum vmx_word word;
        unsigned bit, other_bit; /* of a second control, for which the field exists as well; else the same */
        enum vmx_word other_word;
    } fields[] = {
        {0x0000, VMX_SECONDARY, 5, 5, VMX_SECONDARY},   {0x0002, VMX_PIN, 7, 7, VMX_PIN},
        {0x2012, VMX_PRIMARY, 21, 21, VMX_PRIMARY},     {0x201a, VMX_SECONDARY, 1, 1, VMX_SECONDARY},
        {0x2400, VMX_SECONDARY, 1, 1, VMX_SECONDARY},   {0x2026, VMX_SECONDARY, 14, 14, VMX_SECONDARY},
        {0x202a, VMX_SECONDARY, 18, 18, VMX_SECONDARY}, {0x200e, VMX_SECONDARY, 17, 17, VMX_SECONDARY},
        {0x4020, VMX_SECONDARY, 10, 10, VMX_SECONDARY}, {0x482e, VMX_PIN, 6, 6, VMX_PIN},
        {0x2034, VMX_PRIMARY, 17, 17, VMX_PRIMARY},     {0x401e, VMX_PRIMARY, 31, 31, VMX_PRIMARY},
        {0x2804, VMX_ENTRY, 14, 18, VMX_EXIT},          {0x2806, VMX_ENTRY, 15, 20, VMX_EXIT},
        {0x2c00, VMX_EXIT, 19, 19, VMX_EXIT},           {0x2812, VMX_ENTRY, 16, 23, VMX_EXIT},
        {0x682a, VMX_ENTRY, 20, 20, VMX_ENTRY},         {0x6c1a, VMX_EXIT, 28, 28, VMX_EXIT},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(fields); i++) {
        struct machine *m = machine_with_vmcs();
        print_message("%#x\n", fields[i].encoding);
        assert_true(readable(m, fields[i].encoding));
        m->p.vmx.caps.may[fields[i].word] &= ~(UINT64_C(1) << fields[i].bit);
        assert_int_equal(readable(m, fields[i].encoding), fields[i].bit != fields[i].other_bit);
        m->p.vmx.caps.may[fields[i].other_word] &= ~(UINT64_C(1) << fields[i].other_bit);
        assert_false(readable(m, fields[i].encoding));
        machine_free(m);
    }
}

static void fields_that_no_processor_has_or_too_many(void **state)
{
    (void)state;
    struct machine *m = machine_with_vmcs();
    assert_false(readable(m, 0x281a)); /* FRED */
    assert_false(readable(m, 0x203c)); /* TDX */
    assert_true(readable(m, 0x600e));
    m->p.vmx.caps.misc &= ~(UINT64_C(511) << 16);
    m->p.vmx.caps.misc |= UINT64_C(2) << 16; /* two CR3-target values */
    assert_true(readable(m, 0x600a));
    assert_false(readable(m, 0x600c));
    m->p.vmx.caps.may[VMX_PRIMARY] &= ~(UINT64_C(1) << 31);
    assert_false(readable(m, 0x0000)); /* VPIDs need the secondary controls */
    machine_free(m);
}

/* --- VMfailInvalid ----------------------------------------------------------------------------------------------- */

/* Without a current VMCS, what would be VMfailValid is VMfailInvalid. */
static void without_a_vmcs_there_is_no_error_number(void **state)
{
    (void)state;
    struct machine *m = machine_new(NULL);
    static const enum cpu_op ops[] = {
        CPU_OP_vmcall, CPU_OP_vmxon, CPU_OP_vmclear, CPU_OP_vmptrld, CPU_OP_vmread, CPU_OP_vmwrite, CPU_OP_vmlaunch,
        CPU_OP_vmresume, CPU_OP_invept, CPU_OP_invvpid,
    };
    machine_root(m);
    for (size_t i = 0; i < HV_ARRAY_LEN(ops); i++) {
        struct cpu_instruction instruction = {.op = ops[i], .value = 1};
        m->p.state.registers[CPU_RAX] = 99;
        assert_int_equal(vmx_execute(&m->p, &instruction), CPU_COMPLETED);
        assert_int_equal(machine_status(&m->p), STATUS_FAIL_INVALID);
    }
    machine_free(m);
}

static void a_shadow_vmcs_is_not_launched(void **state)
{
    (void)state;
    struct machine *m = machine_with_vmcs();
    vmcs_set_revision(&m->p.vmx.current, VMCS_REVISION | VMCS_SHADOW);
    run(m, CPU_OP_vmptrld, VMCS_AT);
    assert_int_equal(machine_status(&m->p), STATUS_SUCCEED);
    run(m, CPU_OP_vmlaunch, 0);
    assert_int_equal(machine_status(&m->p), STATUS_FAIL_INVALID);
    machine_free(m);
}

static void vmxon_wants_a_good_region(void **state)
{
    (void)state;
    struct machine *m = machine_new(NULL);
    struct vmcs shadow = {&m->memory, OTHER_AT};
    const uint64_t bad[] = {VMXON_AT + 8, UINT64_C(1) << BASE_PHYSICAL_BITS, 0xe0000, UINT64_C(1) << 40, OTHER_AT};
    vmcs_set_revision(&shadow, VMCS_REVISION | VMCS_SHADOW);
    machine_ready(&m->p);
    for (size_t i = 0; i < HV_ARRAY_LEN(bad); i++) {
        run(m, CPU_OP_vmxon, bad[i]);
        assert_int_equal(machine_status(&m->p), STATUS_FAIL_INVALID);
        assert_false(m->p.vmx.on);
    }
    machine_free(m);
}

/* --- VMXON's #GP(0) ---------------------------------------------------------------------------------------------- */

static void vmxon_raises_gp(void **state)
{
    (void)state;
    struct machine *m = machine_new(NULL);
    struct {
        uint64_t *bits, value;
    } bad[] = {
        {&m->p.state.cr0, 0x80050013},             /* NE is 0 */
        {&m->p.state.cr0, UINT64_C(0x180050033)},  /* bit 32 */
        {&m->p.state.cr4, 0x1000020a0},            /* FRED is not offered */
        {&m->p.state.msrs.feature_control, 4},     /* not locked */
        {&m->p.state.msrs.feature_control, 1},     /* not enabled */
        {&m->p.state.msrs.feature_control, 3},     /* enabled in SMX operation only */
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(bad); i++) {
        machine_ready(&m->p);
        *bad[i].bits = bad[i].value;
        assert_int_equal(machine_do(&m->p, CPU_OP_vmxon, VMXON_AT), CPU_RAISED);
        assert_int_equal(m->p.raised.vector, CPU_GP);
    }
    machine_free(m);
}

static void vmxon_without_vmxe_is_undefined(void **state)
{
    (void)state;
    struct machine *m = machine_new(NULL);
    machine_ready(&m->p);
    m->p.state.cr4 &= ~CPU_CR4_VMXE;
    assert_int_equal(machine_do(&m->p, CPU_OP_vmxon, VMXON_AT), CPU_RAISED);
    assert_int_equal(m->p.raised.vector, CPU_UD);
    machine_free(m);
}

static void invalidations_that_are_missing_are_undefined(void **state)
{
    (void)state;
    struct machine *m = machine_with_vmcs();
    m->p.vmx.caps.ept_vpid &= ~(VMX_EPT_INVEPT | VMX_VPID_INVVPID);
    assert_int_equal(machine_do(&m->p, CPU_OP_invept, 0), CPU_RAISED);
    assert_int_equal(m->p.raised.vector, CPU_UD);
    assert_int_equal(machine_do(&m->p, CPU_OP_invvpid, 0), CPU_RAISED);
    assert_int_equal(m->p.raised.vector, CPU_UD);
    machine_free(m);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest plain[] = {
        cmocka_unit_test(every_error_number_has_a_test),
        cmocka_unit_test(fields_go_with_their_controls),
        cmocka_unit_test(fields_that_no_processor_has_or_too_many),
        cmocka_unit_test(without_a_vmcs_there_is_no_error_number),
        cmocka_unit_test(a_shadow_vmcs_is_not_launched),
        cmocka_unit_test(vmxon_wants_a_good_region),
        cmocka_unit_test(vmxon_raises_gp),
        cmocka_unit_test(vmxon_without_vmxe_is_undefined),
        cmocka_unit_test(invalidations_that_are_missing_are_undefined),
    };
    struct CMUnitTest errors[HV_ARRAY_LEN(rows)];
    gtest_rows(errors, fails_with_its_number, rows, sizeof(rows[0]), HV_ARRAY_LEN(rows));
    const struct gtest_suite suites[] = {GTEST_SUITE("VmxErrors", plain), GTEST_SUITE("VmxErrorNumbers", errors)};
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
