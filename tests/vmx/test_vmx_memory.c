/* SPDX-License-Identifier: MIT */
/*
 * What reaches memory beside the current VMCS: fields of all widths by VMREAD and VMWRITE, shadow VMCSs with their
 * bitmaps, EPTP switching, INVEPT and INVVPID.
 */
#include "gtest.h"

#include <string.h>

#include "machine.h"

enum { READ_BITMAP = 0xe0000, WRITE_BITMAP = 0xe1000, EPTP_LIST = 0xe2000 };

#define SET(m, name, value) VMCS_SET(&(m)->p.vmx.current, name, value)
#define GET(m, name) VMCS_GET(&(m)->p.vmx.current, name)

static struct machine *machine_before(enum baseline base)
{
    struct machine *m = machine_new(NULL);
    struct vmx_entry e;
    struct vmx_caps caps;
    baseline_init(base, &e, &caps);
    machine_root(m);
    machine_load_entry(&m->p, VMCS_AT, &e);
    return m;
}

/* --- VMREAD and VMWRITE ------------------------------------------------------------------------------------------ */

static void fields_have_their_width(void **state)
{
    (void)state;
    struct machine *m = machine_before(BASE_LONG);
    const uint64_t all = UINT64_MAX;
    machine_vmwrite(&m->p, VMCS_guest_es_selector, all);
    assert_int_equal(machine_vmread(&m->p, VMCS_guest_es_selector), 0xffff);
    machine_vmwrite(&m->p, VMCS_guest_es_limit, all);
    assert_int_equal(machine_vmread(&m->p, VMCS_guest_es_limit), 0xffffffff);
    machine_vmwrite(&m->p, VMCS_guest_rip, all);
    assert_int_equal(machine_vmread(&m->p, VMCS_guest_rip), all);
    machine_free(m);
}

static void halves_of_64_bit_fields(void **state)
{
    (void)state;
    struct machine *m = machine_before(BASE_LONG);
    machine_vmwrite(&m->p, VMCS_tsc_offset, 0x1122334455667788);
    assert_int_equal(machine_vmread(&m->p, VMCS_tsc_offset + 1), 0x11223344);
    machine_vmwrite(&m->p, VMCS_tsc_offset + 1, 0xaabbccdd99);
    assert_int_equal(machine_vmread(&m->p, VMCS_tsc_offset), 0xbbccdd9955667788);
    machine_free(m);
}

/* Outside of 64-bit mode operands have 32 bits: VMREAD gives the low half, VMWRITE clears the high one. */
static void operands_outside_of_64_bit_mode(void **state)
{
    (void)state;
    struct machine *m = machine_before(BASE_LONG);
    SET(m, tsc_offset, 0x1122334455667788);
    machine_ready_32_bit(&m->p);
    assert_int_equal(machine_vmread(&m->p, VMCS_tsc_offset), 0x55667788);
    assert_int_equal(machine_vmread(&m->p, VMCS_tsc_offset + 1), 0x11223344);
    machine_vmwrite(&m->p, VMCS_tsc_offset, 0xff00000001);
    assert_int_equal(GET(m, tsc_offset), 1);
    machine_free(m);
}

static void read_only_fields_are_written_when_offered(void **state)
{
    (void)state;
    struct machine *m = machine_before(BASE_LONG);
    machine_vmwrite(&m->p, VMCS_exit_reason, 48);
    assert_int_equal(machine_status(&m->p), STATUS_SUCCEED);
    assert_int_equal(machine_vmread(&m->p, VMCS_exit_reason), 48);
    machine_free(m);
}

static void vmptrst_stores_the_pointer(void **state)
{
    (void)state;
    struct machine *m = machine_before(BASE_LONG);
    struct cpu_instruction i = {.op = CPU_OP_vmptrst, .reg1 = CPU_RSI};
    assert_int_equal(vmx_execute(&m->p, &i), CPU_COMPLETED);
    assert_int_equal(m->p.state.registers[CPU_RSI], VMCS_AT);
    assert_int_equal(machine_do(&m->p, CPU_OP_vmclear, VMCS_AT), CPU_COMPLETED);
    assert_int_equal(vmx_execute(&m->p, &i), CPU_COMPLETED);
    assert_int_equal(m->p.state.registers[CPU_RSI], UINT64_MAX);
    machine_free(m);
}

/* The operands lie in memory, at the linear address that segment DS and the displacement give. */
static void operands_in_memory(void **state)
{
    (void)state;
    struct machine *m = machine_before(BASE_LONG);
    struct cpu_instruction i = {.op = CPU_OP_vmptrld, .in_memory = true};
    i.memory = (struct cpu_memory_operand){0x8000, CPU_NO_REGISTER, CPU_NO_REGISTER, 0, CPU_DS, 3};
    struct vmcs other = {&m->memory, OTHER_AT};
    vmcs_set_revision(&other, VMCS_REVISION);
    physmem_write64(&m->memory, (hv_hpa){0x8000}, OTHER_AT);
    assert_int_equal(vmx_execute(&m->p, &i), CPU_COMPLETED);
    assert_int_equal(m->p.vmx.current.address, OTHER_AT);
    i.op = CPU_OP_vmptrst;
    i.memory.displacement = 0x8010;
    assert_int_equal(vmx_execute(&m->p, &i), CPU_COMPLETED);
    assert_int_equal(physmem_read64(&m->memory, (hv_hpa){0x8010}), OTHER_AT);
    machine_free(m);
}

/* --- VMCS shadowing ---------------------------------------------------------------------------------------------- */

static void set_bit(struct machine *m, uint64_t bitmap, uint32_t encoding)
{
    m->memory.bytes[bitmap + encoding / 8] |= (uint8_t)(1u << encoding % 8);
}

/* A guest with a shadow VMCS, in which VMREAD of guest RSP and VMWRITE of guest RIP exit. */
static struct machine *machine_with_shadow(void)
{
    struct machine *m = machine_before(BASE_LONG);
    struct vmcs shadow = {&m->memory, SHADOW_AT};
    vmcs_set_revision(&shadow, VMCS_REVISION | VMCS_SHADOW);
    SET(m, secondary_controls, 0x4020);
    SET(m, vmread_bitmap, READ_BITMAP);
    SET(m, vmwrite_bitmap, WRITE_BITMAP);
    SET(m, vmcs_link_pointer, SHADOW_AT);
    set_bit(m, READ_BITMAP, 0x681c);
    set_bit(m, WRITE_BITMAP, 0x681e);
    assert_int_equal(machine_do(&m->p, CPU_OP_vmlaunch, 0), CPU_ENTERED);
    return m;
}

static void a_guest_reaches_its_shadow_vmcs(void **state)
{
    (void)state;
    struct machine *m = machine_with_shadow();
    struct vmcs shadow = {&m->memory, SHADOW_AT};
    VMCS_SET(&shadow, guest_rip, 0x5555);
    assert_int_equal(machine_vmread(&m->p, 0x681e), 0x5555);
    assert_int_equal(machine_status(&m->p), STATUS_SUCCEED);
    machine_vmwrite(&m->p, 0x681c, 0x6666);
    assert_int_equal(VMCS_GET(&shadow, guest_rsp), 0x6666);
    assert_true(m->p.vmx.non_root);
    assert_false(m->p.vmx.dirty_controls);
    machine_free(m);
}

static void what_the_bitmaps_name_exits(void **state)
{
    (void)state;
    struct machine *m = machine_with_shadow();
    (void)machine_vmread(&m->p, 0x681c);
    assert_int_equal(GET(m, exit_reason), 23);
    assert_int_equal(machine_do(&m->p, CPU_OP_vmresume, 0), CPU_ENTERED);
    machine_vmwrite(&m->p, 0x681e, 0);
    assert_int_equal(GET(m, exit_reason), 25);
    assert_int_equal(machine_do(&m->p, CPU_OP_vmresume, 0), CPU_ENTERED);
    (void)machine_vmread(&m->p, 0x8000); /* beyond the bitmap */
    assert_int_equal(GET(m, exit_reason), 23);
    machine_free(m);
}

static void an_error_goes_to_the_shadow_vmcs(void **state)
{
    (void)state;
    struct machine *m = machine_with_shadow();
    struct vmcs shadow = {&m->memory, SHADOW_AT};
    (void)machine_vmread(&m->p, 0x6830);
    assert_int_equal(machine_status(&m->p), STATUS_FAIL_VALID);
    assert_int_equal(VMCS_GET(&shadow, vm_instruction_error), 12);
    assert_int_equal(GET(m, vm_instruction_error), 0);
    machine_free(m);
}

static void a_guest_without_a_shadow_vmcs_fails(void **state)
{
    (void)state;
    struct machine *m = machine_before(BASE_LONG);
    SET(m, secondary_controls, 0x4020);
    SET(m, vmread_bitmap, READ_BITMAP);
    SET(m, vmwrite_bitmap, WRITE_BITMAP);
    assert_int_equal(machine_do(&m->p, CPU_OP_vmlaunch, 0), CPU_ENTERED);
    (void)machine_vmread(&m->p, 0x681e);
    assert_int_equal(machine_status(&m->p), STATUS_FAIL_INVALID);
    machine_free(m);
}

static void a_guest_at_cpl_3_gets_gp(void **state)
{
    (void)state;
    struct machine *m = machine_with_shadow();
    struct cpu_instruction i = {.op = CPU_OP_vmread, .reg1 = CPU_RBX, .reg2 = CPU_RAX};
    m->p.state.registers[CPU_RAX] = 0x681e;
    m->p.state.segments[CPU_SS].access_rights |= 3u << CPU_AR_DPL_SHIFT;
    assert_int_equal(vmx_execute(&m->p, &i), CPU_RAISED);
    assert_int_equal(m->p.raised.vector, CPU_GP);
    machine_free(m);
}

/* --- VMFUNC ------------------------------------------------------------------------------------------------------ */

static struct machine *machine_with_eptps(void)
{
    struct machine *m = machine_before(BASE_LONG);
    SET(m, secondary_controls, 0x2022); /* VM functions, VPID, EPT */
    SET(m, eptp, EPT_AT | 0x1e);
    SET(m, vm_function_controls, 1);
    SET(m, eptp_list_address, EPTP_LIST);
    physmem_write64(&m->memory, (hv_hpa){EPTP_LIST + 8 * 7}, 0xf0000 | 0x5e);
    physmem_write64(&m->memory, (hv_hpa){EPTP_LIST + 8 * 511}, 0xf1000 | 0x1e);
    physmem_write64(&m->memory, (hv_hpa){EPTP_LIST + 8 * 8}, 0xf0000 | 0x1f);
    assert_int_equal(machine_do(&m->p, CPU_OP_vmlaunch, 0), CPU_ENTERED);
    return m;
}

static int vmfunc(struct machine *m, uint64_t function, uint64_t index)
{
    m->p.state.registers[CPU_RAX] = function;
    m->p.state.registers[CPU_RCX] = index;
    return machine_do(&m->p, CPU_OP_vmfunc, 0);
}

static void vmfunc_switches_eptps(void **state)
{
    (void)state;
    struct machine *m = machine_with_eptps();
    uint64_t rip = m->p.state.rip;
    m->p.state.segments[CPU_SS].access_rights |= 3u << CPU_AR_DPL_SHIFT; /* at any CPL */
    assert_int_equal(vmfunc(m, 0, 7), CPU_COMPLETED);
    assert_int_equal(GET(m, eptp), 0xf005e);
    assert_int_equal(GET(m, eptp_index), 7);
    assert_int_equal(m->mmu.env.regs.eptp, 0xf005e);
    assert_int_equal(m->p.state.rip, rip + 3);
    assert_int_equal(vmfunc(m, 0, 511), CPU_COMPLETED);
    assert_int_equal(m->mmu.env.regs.eptp, 0xf101e);
    machine_free(m);
}

/* The index beyond the list, an EPTP that no VM entry would take, a function that is not enabled. */
static void vmfunc_exits(void **state)
{
    (void)state;
    const uint64_t bad[][2] = {{0, 512}, {0, 8}, {0, 0}, {1, 0}, {63, 0}};
    for (size_t i = 0; i < HV_ARRAY_LEN(bad); i++) {
        struct machine *m = machine_with_eptps();
        assert_int_equal(vmfunc(m, bad[i][0], bad[i][1]), CPU_EXITED);
        assert_int_equal(GET(m, exit_reason), 59);
        assert_int_equal(GET(m, exit_instruction_length), 3);
        assert_int_equal(GET(m, eptp), EPT_AT | 0x1e);
        machine_free(m);
    }
}

static void vmfunc_is_undefined_beyond_63(void **state)
{
    (void)state;
    struct machine *m = machine_with_eptps();
    assert_int_equal(vmfunc(m, 64, 0), CPU_RAISED);
    assert_int_equal(m->p.raised.vector, CPU_UD);
    machine_free(m);
}

/* --- INVEPT, INVVPID --------------------------------------------------------------------------------------------- */

/* A translation in a context with a VPID and, if eptp is not 0, nested; whether it needed a walk. */
static bool walks(struct machine *m, uint16_t vpid, uint64_t eptp)
{
    struct mmu_reply reply;
    struct mmu_regs regs = processor_mmu_regs(&m->p);
    regs.vpid = vpid;
    regs.nested = eptp != 0;
    regs.eptp = eptp;
    mmu_set_context(&m->mmu, &regs);
    assert_true(mmu_translate(&m->mmu, (hv_gva){0x5000}, HV_LOAD, m->p.now, &reply));
    processor_context_changed(&m->p);
    m->p.now += 100000;
    return reply.walked;
}

static void invalidate(struct machine *m, enum cpu_op op, uint64_t type, uint64_t low, uint64_t high)
{
    struct cpu_instruction i = {.op = op, .reg1 = CPU_NO_REGISTER, .reg2 = CPU_RDX, .value = low, .value_high = high};
    m->p.state.registers[CPU_RDX] = type;
    assert_int_equal(vmx_execute(&m->p, &i), CPU_COMPLETED);
    assert_int_equal(machine_status(&m->p), STATUS_SUCCEED);
}

static void invvpid_removes_what_it_names(void **state)
{
    (void)state;
    struct machine *m = machine_before(BASE_LONG);
    const uint64_t removing[][3] = {{0, 5, 0x5000}, {1, 5, 0}, {2, 0, 0}, {3, 5, 0}};
    const uint64_t leaving[][3] = {{0, 6, 0x5000}, {0, 5, 0x6000}, {1, 6, 0}, {3, 6, 0}};
    for (size_t i = 0; i < HV_ARRAY_LEN(removing); i++) {
        (void)walks(m, 5, 0);
        assert_false(walks(m, 5, 0));
        invalidate(m, CPU_OP_invvpid, leaving[i][0], leaving[i][1], leaving[i][2]);
        assert_false(walks(m, 5, 0));
        invalidate(m, CPU_OP_invvpid, removing[i][0], removing[i][1], removing[i][2]);
        assert_true(walks(m, 5, 0));
    }
    machine_free(m);
}

static void invept_removes_what_it_names(void **state)
{
    (void)state;
    struct machine *m = machine_before(BASE_LONG);
    const uint64_t eptp = EPT_AT | 0x1e;
    assert_true(walks(m, 5, eptp));
    assert_false(walks(m, 5, eptp));
    invalidate(m, CPU_OP_invept, 1, 0xf001e, 0);
    assert_false(walks(m, 5, eptp));
    invalidate(m, CPU_OP_invept, 1, eptp, 0);
    assert_true(walks(m, 5, eptp));
    invalidate(m, CPU_OP_invept, 2, 0, 0);
    assert_true(walks(m, 5, eptp));
    machine_free(m);
}

/* SDM 29.4.3.1 (28.3.3.1): a transition without VPIDs forgets translations, one with them keeps all. */
static void transitions_without_vpids_forget(void **state)
{
    (void)state;
    for (unsigned vpids = 0; vpids < 2; vpids++) {
        struct machine *m = machine_before(BASE_LONG);
        SET(m, secondary_controls, vpids != 0 ? 0x20 : 0);
        SET(m, host_cr3, TABLES_AT);
        assert_true(walks(m, 0, 0));
        assert_false(walks(m, 0, 0));
        assert_int_equal(machine_do(&m->p, CPU_OP_vmlaunch, 0), CPU_ENTERED);
        assert_int_equal(m->mmu.env.regs.vpid, vpids);
        assert_int_equal(machine_exit(&m->p), CPU_EXITED);
        assert_int_equal(m->mmu.env.regs.vpid, 0);
        assert_int_equal(walks(m, 0, 0), vpids == 0);
        machine_free(m);
    }
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_have_their_width),
        cmocka_unit_test(halves_of_64_bit_fields),
        cmocka_unit_test(operands_outside_of_64_bit_mode),
        cmocka_unit_test(read_only_fields_are_written_when_offered),
        cmocka_unit_test(vmptrst_stores_the_pointer),
        cmocka_unit_test(operands_in_memory),
        cmocka_unit_test(a_guest_reaches_its_shadow_vmcs),
        cmocka_unit_test(what_the_bitmaps_name_exits),
        cmocka_unit_test(an_error_goes_to_the_shadow_vmcs),
        cmocka_unit_test(a_guest_without_a_shadow_vmcs_fails),
        cmocka_unit_test(a_guest_at_cpl_3_gets_gp),
        cmocka_unit_test(vmfunc_switches_eptps),
        cmocka_unit_test(vmfunc_exits),
        cmocka_unit_test(vmfunc_is_undefined_beyond_63),
        cmocka_unit_test(invvpid_removes_what_it_names),
        cmocka_unit_test(invept_removes_what_it_names),
        cmocka_unit_test(transitions_without_vpids_forget),
    };
    return gtest_main(argc, argv, "VmxMemory", tests, HV_ARRAY_LEN(tests));
}
