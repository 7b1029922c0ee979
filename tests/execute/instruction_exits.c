/* SPDX-License-Identifier: MIT */
/* System instructions that exit, with their control and without it. Figures are worked out from SDM Vol. 3C 28.2. */
#include "gtest.h"

#include "exits.h"

enum { FACTOR_3 = 3, OFFSET = 1000, TSC = 5000 };


static void nothing_happens(const struct lab *l)
{
    assert_true(l->p.vmx.non_root);
}

static void halts(const struct lab *l)
{
    assert_int_equal(l->p.state.activity, CPU_HALTED);
}

/* --- time -------------------------------------------------------------------------------------------------------- */

/* The TSC is 5000 when the instruction has begun; the guest sees three times that, plus 1000. */
static void scale(struct lab *l)
{
    LAB_ON(l, PRIMARY, use_tsc_offsetting);
    LAB_ON(l, SECONDARY, use_tsc_scaling);
    LAB_SET(l, tsc_offset, OFFSET);
    LAB_SET(l, tsc_multiplier, (uint64_t)FACTOR_3 << 48);
}

static void set_clock(struct lab *l)
{
    l->p.now = TSC - 1;
    l->p.state.msrs.tsc_aux = 7;
}

static void reads_scaled_tsc(const struct lab *l)
{
    assert_int_equal(REG(l, RAX), TSC * FACTOR_3 + OFFSET);
    assert_int_equal(REG(l, RDX), 0);
}

static void reads_scaled_tsc_and_aux(const struct lab *l)
{
    reads_scaled_tsc(l);
    assert_int_equal(REG(l, RCX), 7);
}

static void counter_0(struct lab *l)
{
    REG(l, RCX) = 0;
    REG(l, RDX) = UINT64_MAX;
}

static void reads_counter(const struct lab *l)
{
    assert_int_equal(REG(l, RDX), 0);
}

/* --- others ------------------------------------------------------------------------------------------------------ */

static void smx(struct lab *l)
{
    LAB_SET(l, guest_cr4, LAB_GET(l, guest_cr4) | CPU_CR4_SMXE);
}

static void key_locker(struct lab *l)
{
    LAB_SET(l, guest_cr4, LAB_GET(l, guest_cr4) | UINT64_C(1) << 19);
}

static void arm_monitor(struct lab *l)
{
    assert_int_equal(LAB_DO(l, monitor, 0), CPU_COMPLETED);
    assert_true(l->p.progress.monitoring);
    l->p.state.rip = LAB_CODE;
}

static void is_disarmed(const struct lab *l)
{
    assert_false(l->p.progress.monitoring);
}

static void is_armed(const struct lab *l)
{
    assert_true(l->p.progress.monitoring);
}

static void gives_random(const struct lab *l)
{
    assert_int_not_equal(REG(l, RBX), 0);
    assert_int_equal(l->p.state.rflags & CPU_RFLAGS_CF, CPU_RFLAGS_CF);
}

/* The TLB has the data page; its table entry changes behind its back. */
static void stale_page(struct lab *l)
{
    uint64_t byte;
    enum cpu_end end;
    assert_true(cpu_access(&l->p, (hv_gva){LAB_DATA}, HV_LOAD, &byte, 1, &end));
    lab_write(l, LAB_PT + 8 * (LAB_DATA >> 12), 8, 0x60007);
    lab_write(l, 0x60000, 8, 0x77);
}

static void sees_new_page(const struct lab *l)
{
    struct lab *changed = (struct lab *)(uintptr_t)l;
    uint64_t value = 0;
    enum cpu_end end;
    assert_true(cpu_access(&changed->p, (hv_gva){LAB_DATA}, HV_LOAD, &value, 8, &end));
    assert_int_equal(value, 0x77);
}

/* INVPCID of type 0 (one address) with its descriptor in memory. */
static void stale_page_and_descriptor(struct lab *l)
{
    stale_page(l);
    lab_write(l, LAB_VE, 8, 0);
    lab_write(l, LAB_VE + 8, 8, LAB_DATA);
    REG(l, RBX) = 0;
}

static void one_component(struct lab *l)
{
    l->p.state.msrs.xss = 1 << 8;
    REG(l, RAX) = 1 << 8;
    REG(l, RDX) = 0;
    lab_write(l, LAB_DATA + 520, 8, UINT64_C(1) << 63);
}

static void intercepted_component(struct lab *l)
{
    LAB_SET(l, xss_exiting_bitmap, 1 << 8);
}

static void leaf_2(struct lab *l)
{
    REG(l, RAX) = 2;
}

static void bitmaps_of_leaves(struct lab *l)
{
    LAB_ON(l, SECONDARY, enable_encls_exiting);
    LAB_ON(l, SECONDARY, enable_enclv_exiting);
    LAB_SET(l, encls_exiting_bitmap, 1 << 2);
    LAB_SET(l, enclv_exiting_bitmap, 1 << 2);
    LAB_SET(l, pconfig_exiting_bitmap, 1 << 2);
}

static void xcr0_of_sse(struct lab *l)
{
    REG(l, RAX) = 3;
    REG(l, RDX) = REG(l, RCX) = 0;
}

/* PLE_Gap 100, PLE_Window 1000: a PAUSE each 50 cycles is one loop; it exits at the first later than 1000. */
static void pause_window(struct lab *l)
{
    LAB_SET(l, ple_gap, 100);
    LAB_SET(l, ple_window, 1000);
}

static enum cpu_end spin(struct lab *l)
{
    for (unsigned n = 0; n < 21; n++) {
        assert_int_equal(LAB_DO(l, pause, 0), CPU_COMPLETED);
        l->p.now += 49;
    }
    l->p.state.rip = LAB_CODE; /* the loop's 22nd, 1050 cycles behind its first */
    return LAB_DO(l, pause, 0);
}

static const struct exit_row rows[] = {
    {"cpuid", VMX_EXIT_cpuid, {.op = CPU_OP_cpuid}, .length = 2},
    {"getsec", VMX_EXIT_getsec, {.op = CPU_OP_getsec}, .prepare = smx, .length = 2},
    {"invd", VMX_EXIT_invd, {.op = CPU_OP_invd}, .length = 2},
    {"xsetbv", VMX_EXIT_xsetbv, {.op = CPU_OP_xsetbv}, .arrange = xcr0_of_sse, .length = 3},
    {"hlt", VMX_EXIT_hlt, {.op = CPU_OP_hlt}, CONTROL(PRIMARY, hlt_exiting), .length = 1, .without = halts},
    {"invlpg", VMX_EXIT_invlpg, {.op = CPU_OP_invlpg, LAB_MEMORY(LAB_DATA)}, CONTROL(PRIMARY, invlpg_exiting),
     .arrange = stale_page, .length = 3, .qualification = LAB_DATA, .without = sees_new_page},
    /* reg2 (RBX, 3) in bits 31:28; the qualification is the displacement */
    {"invpcid", VMX_EXIT_invpcid, {.op = CPU_OP_invpcid, .reg2 = CPU_RBX, LAB_MEMORY(LAB_VE)},
     CONTROL(PRIMARY, invlpg_exiting), .arrange = stale_page_and_descriptor, .length = 5, .qualification = LAB_VE,
     .information = LAB_MEMORY_INFO | 3u << 28, .without = sees_new_page},
    {"rdpmc", VMX_EXIT_rdpmc, {.op = CPU_OP_rdpmc}, CONTROL(PRIMARY, rdpmc_exiting), .arrange = counter_0, .length = 2,
     .without = reads_counter},
    {"rdtsc", VMX_EXIT_rdtsc, {.op = CPU_OP_rdtsc}, CONTROL(PRIMARY, rdtsc_exiting), .prepare = scale,
     .arrange = set_clock, .length = 2, .without = reads_scaled_tsc},
    {"rdtscp", VMX_EXIT_rdtscp, {.op = CPU_OP_rdtscp}, CONTROL(PRIMARY, rdtsc_exiting), .prepare = scale,
     .arrange = set_clock, .length = 3, .without = reads_scaled_tsc_and_aux},
    /* register RBX (3) in bits 6:3; operand size 32 bits (1) in bits 12:11 */
    {"tpause", VMX_EXIT_tpause, {.op = CPU_OP_tpause, .reg1 = CPU_RBX}, CONTROL(PRIMARY, rdtsc_exiting), .length = 4,
     .information = 3u << 3 | 1u << 11, .without = nothing_happens},
    {"umwait", VMX_EXIT_umwait, {.op = CPU_OP_umwait, .reg1 = CPU_RBX}, CONTROL(PRIMARY, rdtsc_exiting), .length = 4,
     .information = 3u << 3 | 1u << 11, .without = nothing_happens},
    {"mwait_armed", VMX_EXIT_mwait, {.op = CPU_OP_mwait}, CONTROL(PRIMARY, mwait_exiting), .arrange = arm_monitor,
     .length = 3, .qualification = 1, .without = is_disarmed},
    {"mwait_unarmed", VMX_EXIT_mwait, {.op = CPU_OP_mwait}, CONTROL(PRIMARY, mwait_exiting), .length = 3,
     .without = nothing_happens},
    {"monitor", VMX_EXIT_monitor, {.op = CPU_OP_monitor}, CONTROL(PRIMARY, monitor_exiting), .length = 3,
     .without = is_armed},
    {"pause", VMX_EXIT_pause, {.op = CPU_OP_pause}, CONTROL(PRIMARY, pause_exiting), .length = 2,
     .without = nothing_happens},
    {"pause_loop", VMX_EXIT_pause, {.op = CPU_OP_pause}, .cause = spin, CONTROL(SECONDARY, pause_loop_exiting),
     .prepare = pause_window, .length = 2, .without = nothing_happens},
    {"wbinvd", VMX_EXIT_wbinvd, {.op = CPU_OP_wbinvd}, CONTROL(SECONDARY, wbinvd_exiting), .length = 2,
     .without = nothing_happens},
    /* operand size 64 bits (2) in bits 12:11 */
    {"rdrand", VMX_EXIT_rdrand, {.op = CPU_OP_rdrand, .reg1 = CPU_RBX, .size = 8}, CONTROL(SECONDARY, rdrand_exiting),
     .length = 4, .information = 3u << 3 | 2u << 11, .without = gives_random},
    {"rdseed", VMX_EXIT_rdseed, {.op = CPU_OP_rdseed, .reg1 = CPU_RBX, .size = 2}, CONTROL(SECONDARY, rdseed_exiting),
     .length = 4, .information = 3u << 3, .without = gives_random},
    {"xsaves", VMX_EXIT_xsaves, {.op = CPU_OP_xsaves, LAB_MEMORY(LAB_DATA)}, .prepare = intercepted_component,
     .arrange = one_component, .length = 5, .qualification = LAB_DATA, .information = LAB_MEMORY_INFO},
    {"xrstors", VMX_EXIT_xrstors, {.op = CPU_OP_xrstors, LAB_MEMORY(LAB_DATA)}, .prepare = intercepted_component,
     .arrange = one_component, .length = 5, .qualification = LAB_DATA, .information = LAB_MEMORY_INFO},
    {"encls", VMX_EXIT_encls, {.op = CPU_OP_encls}, .prepare = bitmaps_of_leaves, .arrange = leaf_2, .length = 3},
    {"enclv", VMX_EXIT_enclv, {.op = CPU_OP_enclv}, .prepare = bitmaps_of_leaves, .arrange = leaf_2, .length = 3},
    {"pconfig", VMX_EXIT_pconfig, {.op = CPU_OP_pconfig}, .prepare = bitmaps_of_leaves, .arrange = leaf_2,
     .length = 3},
    /* the first register operand in bits 6:3, the second in bits 31:28 */
    {"loadiwkey", VMX_EXIT_loadiwkey, {.op = CPU_OP_loadiwkey, .reg1 = 1, .reg2 = 2},
     CONTROL(TERTIARY, loadiwkey_exiting), .prepare = key_locker, .length = 4, .information = 1u << 3 | 2u << 28,
     .without = nothing_happens},
};

const struct exit_rows instruction_exits = {rows, HV_ARRAY_LEN(rows)};
