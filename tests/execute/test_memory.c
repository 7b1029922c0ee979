/* SPDX-License-Identifier: MIT */
/* Accesses of a guest under EPT: the page-modification log, virtualization exceptions, devices, time. */
#include <string.h>

#include "checks.h"

enum { DIRTY = 1 << 9, ACCESSED = 1 << 8 };

static uint64_t ept_entry(uint64_t address)
{
    return LAB_EPT_PT + 8 * (address >> 12);
}

static enum cpu_end store(struct lab *l, uint64_t address)
{
    return LAB_DO(l, store, .reg1 = CPU_RBX, LAB_MEMORY(address));
}

/* --- page-modification logging: 29.3.6 --------------------------------------------------------------------------- */

/*
 * The store's walk reads four guest tables, each a write to EPT, whose dirty flags are set first and logged; then
 * comes the data page. Entries are written from 511 downwards.
 */
static void the_log_has_every_page_that_becomes_dirty(void **state)
{
    struct lab *l = *state;
    static const uint64_t pages[] = {0x10000, 0x11000, 0x12000, LAB_PT, LAB_DATA};
    lab_ept(l);
    LAB_ON(l, SECONDARY, enable_pml);
    lab_launch(l);
    assert_int_equal(store(l, LAB_DATA + 0x123), CPU_COMPLETED);
    for (unsigned n = 0; n < HV_ARRAY_LEN(pages); n++) {
        assert_int_equal(lab_read(l, LAB_LOG + 8 * (511 - n), 8), pages[n]);
    }
    assert_int_equal(LAB_GET(l, pml_index), 511 - 5);
    assert_int_equal(store(l, LAB_DATA + 0x456), CPU_COMPLETED);
    assert_int_equal(LAB_GET(l, pml_index), 511 - 5); /* dirty already */
}

/* Index 0 is the last entry; then it is FFFFH, and the next page finds the log full. */
static void a_full_log_keeps_the_flag_and_exits(void **state)
{
    struct lab *l = *state;
    lab_ept(l);
    LAB_ON(l, SECONDARY, enable_pml);
    LAB_SET(l, pml_index, 4);
    lab_launch(l);
    assert_int_equal(store(l, LAB_DATA), CPU_COMPLETED);
    assert_int_equal(LAB_GET(l, pml_index), 0xffff);
    assert_int_equal(store(l, LAB_DATA + 0x1000), CPU_EXITED);
    assert_int_equal(LAB_GET(l, exit_reason), VMX_EXIT_pml_full);
    assert_int_equal(lab_read(l, ept_entry(LAB_DATA + 0x1000), 8) & DIRTY, 0);
    LAB_SET(l, pml_index, 511);
    assert_int_equal(LAB_DO(l, vmresume, 0), CPU_ENTERED);
    assert_int_equal(store(l, LAB_DATA + 0x1000), CPU_COMPLETED);
    assert_int_equal(lab_read(l, LAB_LOG + 8 * 511, 8), LAB_DATA + 0x1000);
}

static void without_the_control_nothing_is_logged(void **state)
{
    struct lab *l = *state;
    lab_ept(l);
    LAB_SET(l, pml_index, 0xffff);
    lab_launch(l);
    assert_int_equal(store(l, LAB_DATA), CPU_COMPLETED);
    assert_int_equal(lab_read(l, ept_entry(LAB_DATA), 8) & (DIRTY | ACCESSED), DIRTY | ACCESSED);
    assert_int_equal(LAB_GET(l, pml_index), 0xffff);
}

/* --- virtualization exceptions: 26.5.7 --------------------------------------------------------------------------- */

static void convertible(struct lab *l, uint64_t entry)
{
    lab_ept(l);
    LAB_ON(l, SECONDARY, ept_violation_ve);
    LAB_SET(l, eptp_index, 7);
    lab_write(l, ept_entry(LAB_DATA), 8, entry);
    lab_launch(l);
}

/* Table 26-1: reason 48, FFFFFFFFH, qualification, linear and physical address, EPTP index. */
static void a_violation_becomes_an_exception_of_the_guest(void **state)
{
    struct lab *l = *state;
    convertible(l, 0);
    assert_int_equal(store(l, LAB_DATA + 8), CPU_RAISED);
    assert_int_equal(l->p.raised.vector, CPU_VE);
    assert_int_equal(lab_read(l, LAB_VE, 4), 48);
    assert_int_equal(lab_read(l, LAB_VE + 4, 4), 0xffffffff);
    assert_int_equal(lab_read(l, LAB_VE + 8, 8), 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 2);
    assert_int_equal(lab_read(l, LAB_VE + 16, 8), LAB_DATA + 8);
    assert_int_equal(lab_read(l, LAB_VE + 24, 8), LAB_DATA + 8);
    assert_int_equal(lab_read(l, LAB_VE + 32, 2), 7);
    assert_int_equal(cpu_deliver_raised(&l->p), CPU_COMPLETED);
    assert_int_equal(l->p.state.rip, LAB_HANDLERS + 16 * CPU_VE);
}

/* The area is in use until software writes 0 to its second word. */
static void a_second_violation_exits_while_the_area_is_in_use(void **state)
{
    struct lab *l = *state;
    convertible(l, 0);
    assert_int_equal(store(l, LAB_DATA), CPU_RAISED);
    assert_int_equal(store(l, LAB_DATA), CPU_EXITED);
    assert_int_equal(LAB_GET(l, exit_reason), VMX_EXIT_ept_violation);
}

static void suppress_ve_makes_it_exit(void **state)
{
    struct lab *l = *state;
    convertible(l, UINT64_C(1) << 63);
    assert_int_equal(store(l, LAB_DATA), CPU_EXITED);
    assert_int_equal(LAB_GET(l, exit_reason), VMX_EXIT_ept_violation);
}

/* A misconfiguration (writable, not readable) never converts. */
static void a_misconfiguration_never_converts(void **state)
{
    struct lab *l = *state;
    convertible(l, LAB_DATA | 2);
    assert_int_equal(store(l, LAB_DATA), CPU_EXITED);
    assert_int_equal(LAB_GET(l, exit_reason), VMX_EXIT_ept_misconfiguration);
}

/* --- mode-based execute control ---------------------------------------------------------------------------------- */

/* R, W, X for user-mode addresses (bit 10), none for supervisor-mode ones; guest paging maps it as user mode. */
static void user_execute_counts_only_with_its_control(void **state)
{
    struct lab *l = *state;
    lab_ept(l);
    lab_write(l, ept_entry(LAB_DATA), 8, LAB_DATA | 0x433);
    LAB_ON(l, SECONDARY, mode_based_execute_control);
    lab_launch(l);
    assert_int_equal(LAB_DO(l, fetch, LAB_MEMORY(LAB_DATA)), CPU_COMPLETED);
    assert_int_equal(LAB_DO(l, cpuid, 0), CPU_EXITED);
    lab_control(l, VMX_SECONDARY, VMX_CONTROL(SECONDARY, mode_based_execute_control), false);
    assert_int_equal(LAB_DO(l, vmresume, 0), CPU_ENTERED);
    mmu_flush_all(&l->mmu);
    assert_int_equal(LAB_DO(l, fetch, LAB_MEMORY(LAB_DATA)), CPU_EXITED);
    assert_int_equal(LAB_GET(l, exit_reason), VMX_EXIT_ept_violation);
}

/* --- without paging ---------------------------------------------------------------------------------------------- */

/* EPT alone translates; bits 11:9 say user mode, writable and executable. */
static void an_unpaged_guest_is_translated_by_ept(void **state)
{
    struct lab *l = *state;
    lab_unpaged(l);
    lab_write(l, ept_entry(LAB_DATA), 8, 0x61037);
    lab_write(l, ept_entry(LAB_DATA + 0x1000), 8, 0);
    lab_write(l, 0x61000, 4, 77);
    lab_launch(l);
    assert_int_equal(LAB_DO(l, load, .reg1 = CPU_RBX, LAB_MEMORY(LAB_DATA)), CPU_COMPLETED);
    assert_int_equal(REG(l, RBX), 77);
    assert_int_equal(store(l, LAB_DATA + 0x1000), CPU_EXITED);
    assert_int_equal(LAB_GET(l, exit_qualification), 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 2);
    assert_int_equal(LAB_GET(l, guest_linear_address), LAB_DATA + 0x1000);
}

/* --- wires ------------------------------------------------------------------------------------------------------- */

static enum cpu_answer device_at_61000(void *ctx, const struct cpu_device_access *access, hv_cycles now)
{
    (void)ctx;
    (void)now;
    if (access->address >> 12 != 0x61) {
        return CPU_NOT_MINE;
    }
    if (access->kind != HV_STORE) {
        memset(access->bytes, 0x5a, access->count);
    }
    return CPU_ANSWERED;
}

static void a_device_answers_its_physical_addresses(void **state)
{
    struct lab *l = *state;
    l->wires.device = device_at_61000;
    lab_launch(l);
    assert_int_equal(LAB_DO(l, load, .reg1 = CPU_RBX, .size = 4, LAB_MEMORY(0x61000)), CPU_COMPLETED);
    assert_int_equal(REG(l, RBX), 0x5a5a5a5a);
    assert_int_equal(LAB_DO(l, load, .reg1 = CPU_RBX, .size = 4, LAB_MEMORY(0x62000)), CPU_COMPLETED);
    assert_int_equal(REG(l, RBX), 0);
}

static enum cpu_answer virtual_register(void *ctx, const struct cpu_device_access *access)
{
    (void)ctx;
    memset(access->bytes, 0, access->count);
    memset(access->bytes, 0x70, 1);
    return access->address == 0x80 ? CPU_ANSWERED : CPU_NOT_MINE;
}

static void the_apic_wire_virtualizes_accesses(void **state)
{
    struct lab *l = *state;
    l->wires.apic_access = virtual_register;
    LAB_ON(l, SECONDARY, virtualize_apic_accesses);
    lab_launch(l);
    assert_int_equal(LAB_DO(l, load, .reg1 = CPU_RBX, .size = 4, LAB_MEMORY(LAB_APIC_ACCESS + 0x80)), CPU_COMPLETED);
    assert_int_equal(REG(l, RBX), 0x70);
    assert_int_equal(LAB_DO(l, load, .reg1 = CPU_RBX, .size = 4, LAB_MEMORY(LAB_APIC_ACCESS)), CPU_EXITED);
}

/* Table 28-6: type 3 is a linear access during event delivery. */
static void event_delivery_into_the_apic_page(void **state)
{
    struct lab *l = *state;
    LAB_ON(l, SECONDARY, virtualize_apic_accesses);
    LAB_SET(l, guest_rsp, LAB_APIC_ACCESS + 0x100);
    lab_launch(l);
    assert_int_equal(LAB_DO(l, int_n, .value = 0x80), CPU_EXITED);
    assert_int_equal(LAB_GET(l, exit_reason), VMX_EXIT_apic_access);
    assert_int_equal(LAB_GET(l, exit_qualification), 3 << 12 | (0x100 - 40));
}

/* --- time -------------------------------------------------------------------------------------------------------- */

/* No caches: each reference is 100 cycles of DRAM, and an instruction takes 1. A walk reads 4 entries. */
static void time_is_that_of_the_references(void **state)
{
    struct lab *l = *state;
    lab_launch(l);
    l->p.path = &l->path;
    assert_int_equal(LAB_DO(l, load, .reg1 = CPU_RBX, LAB_MEMORY(LAB_DATA)), CPU_COMPLETED);
    hv_cycles before = l->p.now;
    assert_int_equal(LAB_DO(l, load, .reg1 = CPU_RBX, LAB_MEMORY(LAB_DATA + 64)), CPU_COMPLETED);
    assert_int_equal(l->p.now - before, 1 + 100); /* the page is in the TLB */
    before = l->p.now;
    lab_write(l, LAB_PT + 8 * 0x5a, 8, 0x5a027); /* its accessed flag is set already */
    assert_int_equal(LAB_DO(l, load, .reg1 = CPU_RBX, LAB_MEMORY(LAB_DATA + 0x1000)), CPU_COMPLETED);
    assert_int_equal(l->p.now - before, 1 + 4 * 100 + 100);
}

GTEST_MAIN("GuestMemory", TEST(the_log_has_every_page_that_becomes_dirty), TEST(a_full_log_keeps_the_flag_and_exits),
           TEST(without_the_control_nothing_is_logged), TEST(a_violation_becomes_an_exception_of_the_guest),
           TEST(a_second_violation_exits_while_the_area_is_in_use), TEST(suppress_ve_makes_it_exit),
           TEST(a_misconfiguration_never_converts), TEST(user_execute_counts_only_with_its_control),
           TEST(an_unpaged_guest_is_translated_by_ept), TEST(a_device_answers_its_physical_addresses),
           TEST(the_apic_wire_virtualizes_accesses), TEST(event_delivery_into_the_apic_page),
           TEST(time_is_that_of_the_references))
