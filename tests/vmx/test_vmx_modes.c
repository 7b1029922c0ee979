/* SPDX-License-Identifier: MIT */
/*
 * Each VMX instruction in each mode: what SDM Vol. 3C chapter 31 (30 in editions before 2022) says that it comes to.
 */
#include "gtest.h"

#include <stdio.h>

#include "machine.h"

enum mode {
    MODE_OUTSIDE,     /* 64-bit mode, CPL 0, not in VMX operation */
    MODE_REAL,        /* real-address mode */
    MODE_ROOT,        /* VMX root operation, 64-bit mode, CPL 0 */
    MODE_ROOT_USER,   /* CPL 3 */
    MODE_ROOT_COMPAT, /* compatibility mode */
    MODE_ROOT_V86,    /* virtual-8086 mode */
    MODE_GUEST,       /* VMX non-root operation, 64-bit mode, CPL 0 */
    MODE_GUEST_USER, MODE_GUEST_REAL, MODE_GUEST_COMPAT, MODE_GUEST_V86, MODES
};

/*
 * One letter for each mode: U #UD, G #GP(0), S VMsucceed, F VMfailValid with the error number, N VM entry, E VM exit
 * with the reason.
 */
static const struct instruction {
    const char *name;
    enum cpu_op op;
    const char *outcomes;
    unsigned error, reason;
} instructions[] = {
    {"vmxon", CPU_OP_vmxon, "SUFGUUEEUUU", 15, 27},     {"vmxoff", CPU_OP_vmxoff, "UUSGUUEEUUU", 0, 26},
    {"vmcall", CPU_OP_vmcall, "UUFGUUEEEEE", 1, 18},    {"vmclear", CPU_OP_vmclear, "UUSGUUEEUUU", 0, 19},
    {"vmptrld", CPU_OP_vmptrld, "UUSGUUEEUUU", 0, 21},  {"vmptrst", CPU_OP_vmptrst, "UUSGUUEEUUU", 0, 22},
    {"vmread", CPU_OP_vmread, "UUSGUUEEUUU", 0, 23},    {"vmwrite", CPU_OP_vmwrite, "UUSGUUEEUUU", 0, 25},
    {"vmlaunch", CPU_OP_vmlaunch, "UUNGUUEEUUU", 0, 20}, {"vmresume", CPU_OP_vmresume, "UUFGUUEEUUU", 5, 24},
    {"invept", CPU_OP_invept, "UUSGUUEEUUU", 0, 50},    {"invvpid", CPU_OP_invvpid, "UUSGUUEEUUU", 0, 53},
    {"vmfunc", CPU_OP_vmfunc, "UUUUUUUUUUU", 0, 59},
};

struct row {
    const char *name;
    const struct instruction *instruction;
    enum mode mode;
};

static void set_user(struct cpu_state *s)
{
    s->segments[CPU_SS].access_rights |= 3u << CPU_AR_DPL_SHIFT;
    s->segments[CPU_CS].access_rights |= 3u << CPU_AR_DPL_SHIFT;
}

static void set_compatibility(struct cpu_state *s)
{
    s->segments[CPU_CS].access_rights &= ~(uint32_t)CPU_AR_L;
}

static void set_real(struct cpu_state *s)
{
    s->cr0 &= ~(CPU_CR0_PE | CPU_CR0_PG);
    s->msrs.efer = 0;
    set_compatibility(s);
}

static void set_v86(struct cpu_state *s)
{
    s->msrs.efer = 0;
    s->rflags |= CPU_RFLAGS_VM;
    set_compatibility(s);
    set_user(s);
}

static void enter_mode(struct machine *m, enum mode mode)
{
    struct cpu_state *s = &m->p.state;
    struct vmx_entry e;
    struct vmx_caps caps;
    if (mode >= MODE_GUEST) {
        machine_launch(m, BASE_LONG);
    } else if (mode == MODE_OUTSIDE || mode == MODE_REAL) {
        struct vmcs region = {&m->memory, VMXON_AT};
        vmcs_set_revision(&region, VMCS_REVISION);
        machine_ready(&m->p);
    } else {
        baseline_init(BASE_LONG, &e, &caps);
        machine_root(m);
        machine_load_entry(&m->p, VMCS_AT, &e);
    }
    switch (mode) {
    case MODE_ROOT_USER:
    case MODE_GUEST_USER: set_user(s); break;
    case MODE_ROOT_COMPAT:
    case MODE_GUEST_COMPAT: set_compatibility(s); break;
    case MODE_ROOT_V86:
    case MODE_GUEST_V86: set_v86(s); break;
    case MODE_REAL:
    case MODE_GUEST_REAL: set_real(s); break;
    default: break;
    }
}

/* Operands that are right: the VMXON region, a VMCS, guest RIP (681EH), all contexts. */
static struct cpu_instruction instruction_of(struct machine *m, enum cpu_op op)
{
    struct cpu_instruction i = {.op = op, .reg1 = CPU_RCX, .reg2 = CPU_RDX, .value = OTHER_AT};
    struct vmcs other = {&m->memory, OTHER_AT};
    vmcs_set_revision(&other, VMCS_REVISION);
    i.value = op == CPU_OP_vmxon ? VMXON_AT : op == CPU_OP_invept || op == CPU_OP_invvpid ? 0 : OTHER_AT;
    m->p.state.registers[CPU_RCX] = 0x681e;
    m->p.state.registers[CPU_RDX] = op == CPU_OP_vmread ? 0x681e : 2;
    m->p.state.registers[CPU_RAX] = 0;
    return i;
}

/* An exception leaves everything as it was. */
static void check_raised(struct machine *m, int end, const struct cpu_state *before, unsigned vector)
{
    assert_int_equal(end, CPU_RAISED);
    assert_int_equal(m->p.raised.vector, vector);
    assert_int_equal(m->p.raised.has_error_code, vector == CPU_GP);
    assert_int_equal(m->p.raised.error_code, 0);
    assert_memory_equal(&m->p.state, before, sizeof(*before));
}

static void check_failed(struct machine *m, int end, unsigned error)
{
    assert_int_equal(end, CPU_COMPLETED);
    assert_int_equal(machine_status(&m->p), STATUS_FAIL_VALID);
    assert_int_equal(VMCS_GET(&m->p.vmx.current, vm_instruction_error), error);
}

static void check_exited(struct machine *m, int end, unsigned reason, uint64_t guest_rip)
{
    const struct vmcs *v = &m->p.vmx.current;
    assert_int_equal(end, CPU_EXITED);
    assert_false(m->p.vmx.non_root);
    assert_int_equal(VMCS_GET(v, exit_reason), reason);
    assert_int_equal(VMCS_GET(v, guest_rip), guest_rip);
    assert_int_equal(m->p.vmx.stats.reasons[reason].count, 1);
}

static void behaves(void **state)
{
    const struct row *row = *state;
    struct machine *m = machine_new(NULL);
    enter_mode(m, row->mode);
    struct cpu_instruction i = instruction_of(m, row->instruction->op);
    struct cpu_state before = m->p.state;
    int end = vmx_execute(&m->p, &i);
    switch (row->instruction->outcomes[row->mode]) {
    case 'U': check_raised(m, end, &before, CPU_UD); break;
    case 'G': check_raised(m, end, &before, CPU_GP); break;
    case 'F': check_failed(m, end, row->instruction->error); break;
    case 'E': check_exited(m, end, row->instruction->reason, before.rip); break;
    case 'N':
        assert_int_equal(end, CPU_ENTERED);
        assert_true(m->p.vmx.non_root);
        break;
    default:
        assert_int_equal(end, CPU_COMPLETED);
        assert_int_equal(machine_status(&m->p), STATUS_SUCCEED);
        assert_true(m->p.state.rip > before.rip);
    }
    machine_free(m);
}

int main(int argc, char **argv)
{
    static const char *const modes[MODES] = {
        "outside", "real", "root", "root_user", "root_compat", "root_v86", "guest", "guest_user", "guest_real",
        "guest_compat", "guest_v86",
    };
    enum { ROWS = HV_ARRAY_LEN(instructions) * MODES };
    static struct row rows[ROWS];
    static char names[ROWS][32];
    struct CMUnitTest tests[ROWS];
    for (unsigned i = 0; i < ROWS; i++) {
        rows[i] = (struct row){names[i], &instructions[i / MODES], (enum mode)(i % MODES)};
        snprintf(names[i], sizeof(names[i]), "%s/%s", rows[i].instruction->name, modes[i % MODES]);
    }
    gtest_rows(tests, behaves, rows, sizeof(rows[0]), ROWS);
    return gtest_main(argc, argv, "VmxModes", tests, ROWS);
}
