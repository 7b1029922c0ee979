/* SPDX-License-Identifier: MIT */
/* Exits of APIC virtualization (SDM Vol. 3C chapter 30), by instructions on its page and MSRs 800H to 8FFH. */
#include "gtest.h"

#include "exits.h"

enum {
    TPR = 0x80, EOI = 0xb0, ISR_64 = 0x120, ICR = 0x300, INITIAL_COUNT = 0x380, SELF_IPI = 0x3f0,
    MSR_EOI = 0x80b, MSR_ICR = 0x830, MSR_SELF_IPI = 0x83f, SERVICED = 0x41, MOV_BYTES = 4, WRMSR_BYTES = 2,
    THRESHOLD = 4,
};

static void connect(struct lab *l)
{
    cpu_apic_connect(&l->apic, &l->p, NULL, &l->wires);
    LAB_ON(l, PRIMARY, use_tpr_shadow);
}

static void page_registers(struct lab *l)
{
    connect(l);
    LAB_ON(l, SECONDARY, virtualize_apic_accesses);
    LAB_ON(l, SECONDARY, apic_register_virtualization);
}

/* A priority of 5 in the shadow, not below the threshold. */
static void page_with_threshold(struct lab *l)
{
    page_registers(l);
    lab_write(l, LAB_VAPIC + TPR, 4, 0x50);
    LAB_SET(l, tpr_threshold, THRESHOLD);
}

static void below_threshold_at_once(struct lab *l)
{
    page_with_threshold(l);
    lab_write(l, LAB_VAPIC + TPR, 4, 0x30);
}

/* Vector 41H is in service, and its bit of the EOI-exit bitmap is 1. */
static void serviced(struct lab *l)
{
    LAB_ON(l, PIN, external_interrupt_exiting);
    LAB_ON(l, SECONDARY, virtual_interrupt_delivery);
    LAB_SET(l, guest_interrupt_status, SERVICED << 8);
    LAB_SET(l, eoi_exit_bitmap_1, 1u << (SERVICED - 64));
    lab_write(l, LAB_VAPIC + ISR_64, 4, 1u << (SERVICED - 64));
}

static void page_eoi(struct lab *l)
{
    page_registers(l);
    serviced(l);
}

static void msr_eoi(struct lab *l)
{
    connect(l);
    LAB_ON(l, SECONDARY, virtualize_x2apic_mode);
    serviced(l);
}

/* An empty PID-pointer table: entry 0 is not valid, and there is no other. */
static void msr_ipi(struct lab *l)
{
    msr_eoi(l);
    LAB_ON(l, PRIMARY, activate_tertiary_controls);
    LAB_ON(l, TERTIARY, ipi_virtualization);
    LAB_SET(l, pid_pointer_table_address, LAB_DATA);
}

/* WRMSR of a value below 2^32. */
static void write_msr(struct lab *l, uint64_t index, uint64_t value)
{
    l->p.state.registers[CPU_RCX] = index;
    l->p.state.registers[CPU_RAX] = value;
    l->p.state.registers[CPU_RDX] = 0;
}

static void writes_eoi(struct lab *l)
{
    write_msr(l, MSR_EOI, 0);
}

static void writes_icr(struct lab *l)
{
    write_msr(l, MSR_ICR, 0x55);
}

static void writes_illegal_self_ipi(struct lab *l)
{
    write_msr(l, MSR_SELF_IPI, 15);
}

static enum cpu_end between(struct lab *l)
{
    return cpu_between(&l->p);
}

#define ACCESS(name, offset, bytes) \
    {.op = CPU_OP_##name, .reg1 = CPU_RBX, .size = (bytes), LAB_MEMORY(LAB_APIC_ACCESS + (offset))}
#define STORE(offset, bytes) ACCESS(store, offset, bytes)
#define LOAD(offset, bytes) ACCESS(load, offset, bytes)

static const struct exit_row rows[] = {
    /* RBX is 0: a priority of 0 is below the threshold */
    {"page_tpr", VMX_EXIT_tpr_below_threshold, STORE(TPR, 4), .prepare = page_with_threshold, .past = MOV_BYTES},
    {"tpr_after_entry", VMX_EXIT_tpr_below_threshold, .cause = between, .prepare = below_threshold_at_once},
    {"page_eoi", VMX_EXIT_virtualized_eoi, STORE(EOI, 4), .prepare = page_eoi, .qualification = SERVICED,
     .past = MOV_BYTES},
    {"msr_eoi", VMX_EXIT_virtualized_eoi, {.op = CPU_OP_wrmsr}, .prepare = msr_eoi, .arrange = writes_eoi,
     .qualification = SERVICED, .past = WRMSR_BYTES},
    /* the qualification is the register's offset in the page */
    {"page_timer", VMX_EXIT_apic_write, STORE(INITIAL_COUNT, 4), .prepare = page_registers,
     .qualification = INITIAL_COUNT, .past = MOV_BYTES},
    {"page_icr", VMX_EXIT_apic_write, STORE(ICR, 4), .prepare = page_registers, .qualification = ICR,
     .past = MOV_BYTES},
    {"page_eoi_without_delivery", VMX_EXIT_apic_write, STORE(EOI, 4), .prepare = page_registers, .qualification = EOI,
     .past = MOV_BYTES},
    {"msr_self_ipi", VMX_EXIT_apic_write, {.op = CPU_OP_wrmsr}, .prepare = msr_eoi, .arrange = writes_illegal_self_ipi,
     .qualification = SELF_IPI, .past = WRMSR_BYTES},
    {"msr_icr", VMX_EXIT_apic_write, {.op = CPU_OP_wrmsr}, .prepare = msr_ipi, .arrange = writes_icr,
     .qualification = ICR, .past = WRMSR_BYTES},
    /* not within the 4 bytes of a register: type 0 (linear read), 1 (linear write) in bits 15:12 */
    {"page_wide_load", VMX_EXIT_apic_access, LOAD(0x20, 8), .prepare = page_registers, .qualification = 0x20},
    {"page_wide_store", VMX_EXIT_apic_access, STORE(TPR, 8), .prepare = page_registers,
     .qualification = TPR | 1 << 12},
    /* the arbitration priority is not virtualized */
    {"page_other_register", VMX_EXIT_apic_access, LOAD(0x90, 4), .prepare = page_registers, .qualification = 0x90},
};

const struct exit_rows apic_exits = {rows, HV_ARRAY_LEN(rows)};
