/* SPDX-License-Identifier: MIT */
/*
 * What VM entries load, VM exits save and VM exits load, field by field: SDM Vol. 3C 27.3.2, 28.3 and 28.5 (26.3.2, 27.3
 * and 27.5 in editions before 2022). Values differ from each other, so that a field in the wrong place is seen.
 */
#include "gtest.h"

#include <string.h>

#include "machine.h"

/* Every VM-entry and VM-exit control that loads, saves or clears something. */
#define ENTRY_LOADS 0x7de000u
#define EXIT_MOVES 0x7ebc1000u /* bits 12, 18 to 21, 23, 25 to 30; not 22, the timer */

#define MEMBER(name) offsetof(struct cpu_state, name), sizeof(((struct cpu_state *)0)->name)

/* entry and exit: the control without which the field is not moved, 0 for none. */
struct moved {
    const char *name;
    enum vmcs_index field;
    size_t offset, bytes;
    uint64_t entered, left; /* what the VMCS has at entry, what the state has at exit */
    uint32_t entry, exit;
};

#define MOVED(field, member, entered, left, entry, exit) \
    {#field, VMCS_INDEX_##field, MEMBER(member), entered, left, entry, exit}

static const struct moved guest[] = {
    MOVED(guest_cr0, cr0, 0x8005003b, 0x80010031, 0, 0),
    MOVED(guest_cr3, cr3, 0x5000, 0x6000, 0, 0),
    MOVED(guest_cr4, cr4, 0x20b0, 0x26f0, 0, 0),
    MOVED(guest_dr7, dr7, 0x401, 0x40c, 1u << 2, 1u << 2),
    MOVED(guest_rip, rip, 0xffffffff80001234, 0xffffffff80005678, 0, 0),
    MOVED(guest_rsp, registers[CPU_RSP], 0xffffc90000001000, 0xffffc90000002000, 0, 0),
    MOVED(guest_rflags, rflags, 0x246, 0x893, 0, 0),
    MOVED(guest_gdtr_base, gdtr.base, 0xfffffe0000111000, 0xfffffe0000222000, 0, 0),
    MOVED(guest_gdtr_limit, gdtr.limit, 0x6f, 0x17f, 0, 0),
    MOVED(guest_idtr_base, idtr.base, 0xfffffe0000333000, 0xfffffe0000444000, 0, 0),
    MOVED(guest_idtr_limit, idtr.limit, 0xaff, 0xbff, 0, 0),
    MOVED(guest_sysenter_cs, msrs.sysenter_cs, 0x10, 0x28, 0, 0),
    MOVED(guest_sysenter_esp, msrs.sysenter_esp, 0x1110, 0x2220, 0, 0),
    MOVED(guest_sysenter_eip, msrs.sysenter_eip, 0x1111, 0x2221, 0, 0),
    MOVED(guest_debugctl, msrs.debugctl, 0x1, 0x40, 1u << 2, 1u << 2),
    MOVED(guest_pat, msrs.pat, 0x0007010600070106, 0x0606060606060606, 1u << 14, 1u << 18),
    MOVED(guest_efer, msrs.efer, 0xd01, 0x501, 1u << 15, 1u << 20),
    MOVED(guest_perf_global_ctrl, msrs.perf_global_ctrl, 0x3, 0xf0, 1u << 13, 1u << 30),
    MOVED(guest_bndcfgs, msrs.bndcfgs, 0x7001, 0x8003, 1u << 16, 0),
    MOVED(guest_rtit_ctl, msrs.rtit_ctl, 0x4, 0x8, 1u << 18, 0),
    MOVED(guest_lbr_ctl, msrs.lbr_ctl, 0x3, 0x5, 1u << 21, 0),
    MOVED(guest_pkrs, msrs.pkrs, 0x55, 0xaa, 1u << 22, 0),
    MOVED(guest_s_cet, msrs.s_cet, 0x14, 0x24, 1u << 20, 0),
    MOVED(guest_ssp, ssp, 0x7770, 0x8880, 1u << 20, 0),
    MOVED(guest_interrupt_ssp_table, msrs.interrupt_ssp_table, 0x9990, 0xaaa0, 1u << 20, 0),
};

static const struct moved host[] = {
    MOVED(host_cr3, cr3, 0x1234000, 0, 0, 0),
    MOVED(host_cr4, cr4, 0x22e0, 0, 0, 0),
    MOVED(host_sysenter_cs, msrs.sysenter_cs, 0x30, 0, 0, 0),
    MOVED(host_sysenter_esp, msrs.sysenter_esp, 0x3330, 0, 0, 0),
    MOVED(host_sysenter_eip, msrs.sysenter_eip, 0x4440, 0, 0, 0),
    MOVED(host_perf_global_ctrl, msrs.perf_global_ctrl, 0x5, 0, 0, 1u << 12),
    MOVED(host_pat, msrs.pat, 0x0404040404040404, 0, 0, 1u << 19),
    MOVED(host_efer, msrs.efer, 0x500, 0, 0, 1u << 21),
    MOVED(host_pkrs, msrs.pkrs, 0x77, 0, 0, 1u << 29),
    MOVED(host_s_cet, msrs.s_cet, 0x34, 0, 0, 1u << 28),
    MOVED(host_ssp, ssp, 0x5550, 0, 0, 1u << 28),
    MOVED(host_interrupt_ssp_table, msrs.interrupt_ssp_table, 0x6660, 0, 0, 1u << 28),
    MOVED(host_gdtr_base, gdtr.base, 0xfffffe0000555000, 0, 0, 0),
    MOVED(host_idtr_base, idtr.base, 0xfffffe0000666000, 0, 0, 0),
    MOVED(host_rip, rip, 0xffffffff81234567, 0, 0, 0),
    MOVED(host_rsp, registers[CPU_RSP], 0xffffc90000abc000, 0, 0, 0),
};

/* A row of the processor's tables that no row here tests is found by its field. */
static bool has_row(const struct moved *rows, size_t count, enum vmcs_index field)
{
    for (size_t i = 0; i < count; i++) {
        if (rows[i].field == field) {
            return true;
        }
    }
    print_message("%s has no row\n", vmcs_fields[field].name);
    return false;
}

static void every_field_that_is_moved_has_a_row(void **state)
{
    (void)state;
    static const enum vmcs_index of_guest[] = {
#define STATE(field, member, loaded, saved) VMCS_INDEX_##field,
#include "cpu/vmx/vmx_guest_state.def"
#undef STATE
    };
    static const enum vmcs_index of_host[] = {
#define HOST(field, member, loaded) VMCS_INDEX_##field,
#define FIXED(member, value, set)
#include "cpu/vmx/vmx_host_state.def"
#undef FIXED
#undef HOST
    };
    bool all = true;
    for (size_t i = 0; i < HV_ARRAY_LEN(of_guest); i++) {
        all = has_row(guest, HV_ARRAY_LEN(guest), of_guest[i]) && all;
    }
    for (size_t i = 0; i < HV_ARRAY_LEN(of_host); i++) {
        all = has_row(host, HV_ARRAY_LEN(host), of_host[i]) && all;
    }
    assert_true(all);
}

static uint64_t get(const struct cpu_state *s, const struct moved *m)
{
    uint64_t value = 0;
    memcpy(&value, (const char *)s + m->offset, m->bytes);
    return value;
}

static void put(struct cpu_state *s, const struct moved *m, uint64_t value)
{
    memcpy((char *)s + m->offset, &value, m->bytes);
}

/* A processor about to launch a guest whose fields are the table's. */
static struct machine *machine_before(uint32_t entry, uint32_t exit)
{
    struct machine *m = machine_new(NULL);
    struct vmx_entry e;
    struct vmx_caps caps;
    baseline_init(BASE_LONG, &e, &caps);
    for (size_t i = 0; i < HV_ARRAY_LEN(guest); i++) {
        e.fields[guest[i].field] = guest[i].entered;
    }
    for (size_t i = 0; i < HV_ARRAY_LEN(host); i++) {
        e.fields[host[i].field] = host[i].entered;
    }
    e.fields[VMCS_INDEX_entry_controls] |= entry;
    e.fields[VMCS_INDEX_exit_controls] |= exit;
    e.fields[VMCS_INDEX_guest_uinv] = 0x2f;
    machine_root(m);
    machine_load_entry(&m->p, VMCS_AT, &e);
    return m;
}

static void launch(struct machine *m)
{
    assert_int_equal(machine_do(&m->p, CPU_OP_vmlaunch, 0), CPU_ENTERED);
}

static void an_entry_loads_every_field(void **state)
{
    (void)state;
    struct machine *m = machine_before(ENTRY_LOADS, EXIT_MOVES);
    launch(m);
    for (size_t i = 0; i < HV_ARRAY_LEN(guest); i++) {
        print_message("%s\n", guest[i].name);
        assert_int_equal(get(&m->p.state, &guest[i]), guest[i].entered);
    }
    assert_int_equal(m->p.state.msrs.uinv, UINT64_C(0x2f) << 32);
    machine_free(m);
}

/* IA32_EFER.LMA and LME follow the guest's mode even when IA32_EFER is not loaded; the host is in 64-bit mode too. */
static void an_entry_leaves_what_no_control_loads(void **state)
{
    (void)state;
    struct machine *m = machine_before(0, 0);
    VMCS_SET(&m->p.vmx.current, entry_controls, 0x13fb); /* debug controls are not loaded either */
    struct cpu_state before = m->p.state;
    launch(m);
    for (size_t i = 0; i < HV_ARRAY_LEN(guest); i++) {
        print_message("%s\n", guest[i].name);
        assert_int_equal(get(&m->p.state, &guest[i]),
                         guest[i].entry != 0 ? get(&before, &guest[i]) : guest[i].entered);
    }
    assert_int_equal(m->p.state.msrs.uinv, 0);
    machine_free(m);
}

static void an_exit_saves_every_field(void **state)
{
    (void)state;
    struct machine *m = machine_before(ENTRY_LOADS, EXIT_MOVES);
    launch(m);
    for (size_t i = 0; i < HV_ARRAY_LEN(guest); i++) {
        put(&m->p.state, &guest[i], guest[i].left);
    }
    m->p.state.msrs.uinv = UINT64_C(0x3e) << 32 | 7;
    assert_int_equal(machine_exit(&m->p), CPU_EXITED);
    for (size_t i = 0; i < HV_ARRAY_LEN(guest); i++) {
        print_message("%s\n", guest[i].name);
        assert_int_equal(vmcs_get(&m->p.vmx.current, guest[i].field), guest[i].left);
    }
    assert_int_equal(VMCS_GET(&m->p.vmx.current, guest_uinv), 0x3e);
    machine_free(m);
}

static void an_exit_leaves_what_no_control_saves(void **state)
{
    (void)state;
    struct machine *m = machine_before(ENTRY_LOADS, 0);
    VMCS_SET(&m->p.vmx.current, exit_controls, 0x36ffb); /* debug controls are not saved either */
    launch(m);
    for (size_t i = 0; i < HV_ARRAY_LEN(guest); i++) {
        put(&m->p.state, &guest[i], guest[i].left);
    }
    assert_int_equal(machine_exit(&m->p), CPU_EXITED);
    for (size_t i = 0; i < HV_ARRAY_LEN(guest); i++) {
        print_message("%s\n", guest[i].name);
        assert_int_equal(vmcs_get(&m->p.vmx.current, guest[i].field),
                         guest[i].exit != 0 ? guest[i].entered : guest[i].left);
    }
    machine_free(m);
}

/* --- the host ---------------------------------------------------------------------------------------------------- */

static void an_exit_loads_the_host(void **state)
{
    (void)state;
    struct machine *m = machine_before(ENTRY_LOADS, EXIT_MOVES);
    launch(m);
    assert_int_equal(machine_exit(&m->p), CPU_EXITED);
    const struct cpu_state *s = &m->p.state;
    for (size_t i = 0; i < HV_ARRAY_LEN(host); i++) {
        print_message("%s\n", host[i].name);
        assert_int_equal(get(s, &host[i]), host[i].entered);
    }
    assert_int_equal(s->cr0, 0x80050033);
    assert_int_equal(s->dr7, 0x400);
    assert_int_equal(s->rflags, 2);
    assert_int_equal(s->msrs.debugctl, 0);
    assert_int_equal(s->gdtr.limit, 0xffff);
    assert_int_equal(s->idtr.limit, 0xffff);
    assert_int_equal(s->msrs.bndcfgs | s->msrs.rtit_ctl | s->msrs.lbr_ctl | s->msrs.uinv, 0);
    machine_free(m);
}

static void an_exit_keeps_what_no_control_loads(void **state)
{
    (void)state;
    struct machine *m = machine_before(ENTRY_LOADS, 0);
    launch(m);
    struct cpu_state before = m->p.state;
    assert_int_equal(machine_exit(&m->p), CPU_EXITED);
    const struct cpu_state *s = &m->p.state;
    for (size_t i = 0; i < HV_ARRAY_LEN(host); i++) {
        print_message("%s\n", host[i].name);
        assert_int_equal(get(s, &host[i]), host[i].exit != 0 ? get(&before, &host[i]) : host[i].entered);
    }
    assert_int_equal(s->msrs.bndcfgs, 0x7001);
    assert_int_equal(s->msrs.lbr_ctl, 3);
    machine_free(m);
}

static void assert_segments(const struct machine *m, const struct cpu_segment expected[CPU_SEGMENTS])
{
    for (unsigned i = 0; i < CPU_SEGMENTS; i++) {
        const struct cpu_segment *s = &m->p.state.segments[i];
        assert_int_equal(s->selector, expected[i].selector);
        assert_int_equal(s->base, expected[i].base);
        assert_int_equal(s->limit, expected[i].limit);
        assert_int_equal(s->access_rights, expected[i].access_rights);
    }
}

/* SDM 28.5.2 (27.5.2): what is not in the VMCS has fixed values, whatever the host's descriptor tables say. */
static void the_hosts_segments_are_flat(void **state)
{
    (void)state;
    struct machine *m = machine_before(0, 0);
    VMCS_SET(&m->p.vmx.current, host_ds_selector, 0x20);
    VMCS_SET(&m->p.vmx.current, host_gs_selector, 0x28);
    launch(m);
    assert_int_equal(machine_exit(&m->p), CPU_EXITED);
    static const struct cpu_segment expected[CPU_SEGMENTS] = {
        [CPU_ES] = {0, 0, 0x10000, 0},
        [CPU_CS] = {0, 0xffffffff, 0xa09b, 0x10},
        [CPU_SS] = {0, 0, 0x10000, 0},
        [CPU_DS] = {0, 0xffffffff, 0xc093, 0x20},
        [CPU_FS] = {0x7fff12340000, 0, 0x10000, 0},
        [CPU_GS] = {0xffff888000000000, 0xffffffff, 0xc093, 0x28},
        [CPU_LDTR] = {0, 0, 0x10000, 0},
        [CPU_TR] = {0xfffffe0000003000, 0x67, 0x8b, 0x40},
    };
    assert_segments(m, expected);
    machine_free(m);
}

static void a_32_bit_hosts_code_is_32_bit(void **state)
{
    (void)state;
    struct machine *m = machine_new(NULL);
    machine_launch(m, BASE_32_BIT_HOST);
    VMCS_SET(&m->p.vmx.current, host_cr3, 0x6000); /* PDPTEs that are not present */
    assert_int_equal(machine_exit(&m->p), CPU_EXITED);
    assert_int_equal(m->p.state.segments[CPU_CS].access_rights, 0xc09b);
    assert_int_equal(m->p.state.msrs.efer & 0x500, 0);
    machine_free(m);
}

/* --- segment registers of the guest ------------------------------------------------------------------------------ */

/* Segment registers that no descriptor table has: they are what they were, hidden parts and all. */
static void hidden_segment_state_survives_exit_and_entry(void **state)
{
    (void)state;
    struct machine *m = machine_before(0, 0);
    launch(m);
    struct cpu_segment expected[CPU_SEGMENTS];
    for (unsigned i = 0; i < CPU_SEGMENTS; i++) {
        uint32_t rights = i == CPU_CS ? 0xa09b : i == CPU_LDTR ? 0x8082 : i == CPU_TR ? 0x808b : 0xc093;
        expected[i] = (struct cpu_segment){0x1000000u * (i + 1), (0x100u + i) << 12 | 0xfff, rights,
                                           (uint16_t)(8 * (i + 1))};
    }
    memcpy(m->p.state.segments, expected, sizeof(expected));
    assert_int_equal(machine_exit(&m->p), CPU_EXITED);
    assert_memory_not_equal(m->p.state.segments, expected, sizeof(expected));
    assert_int_equal(machine_do(&m->p, CPU_OP_vmresume, 0), CPU_ENTERED);
    assert_segments(m, expected);
    machine_free(m);
}

/* SDM 27.3.2.2 (26.3.2.2): the bases of FS and GS and the DPL of SS are loaded of unusable registers too. */
static void unusable_segments_keep_what_the_manual_says(void **state)
{
    (void)state;
    struct machine *m = machine_before(0, 0);
    for (int i = VMCS_INDEX_guest_es_selector; i <= VMCS_INDEX_guest_gs_selector; i++) {
        int rights = VMCS_INDEX_guest_es_access_rights + (i - VMCS_INDEX_guest_es_selector);
        if (i != VMCS_INDEX_guest_cs_selector) {
            vmcs_set(&m->p.vmx.current, (enum vmcs_index)rights, 0x10000);
        }
    }
    VMCS_SET(&m->p.vmx.current, guest_fs_base, 0x7f0000001000);
    VMCS_SET(&m->p.vmx.current, guest_ss_access_rights, 0x10060);
    VMCS_SET(&m->p.vmx.current, guest_ss_selector, 0x3);
    VMCS_SET(&m->p.vmx.current, guest_cs_selector, 0xb);
    VMCS_SET(&m->p.vmx.current, guest_cs_access_rights, 0xa0fb);
    launch(m);
    const struct cpu_segment *s = m->p.state.segments;
    assert_int_equal(s[CPU_FS].base, 0x7f0000001000);
    assert_int_equal(s[CPU_GS].base, 0xffff888000000000);
    assert_int_equal(cpu_cpl(&m->p.state), 3);
    for (unsigned i = CPU_ES; i <= CPU_GS; i++) {
        assert_int_equal((s[i].access_rights & CPU_AR_UNUSABLE) != 0, i != CPU_CS);
    }
    assert_true((s[CPU_SS].access_rights & CPU_AR_DB) != 0);
    machine_free(m);
}

/* --- parts of registers ------------------------------------------------------------------------------------------ */

static void bits_that_are_not_loaded_keep_their_values(void **state)
{
    (void)state;
    struct machine *m = machine_before(0, 0);
    VMCS_SET(&m->p.vmx.current, guest_cr0, 0xe0050033); /* NW, CD */
    VMCS_SET(&m->p.vmx.current, guest_dr7, 0xd001);     /* bits 12, 14 and 15, but not 10 */
    VMCS_SET(&m->p.vmx.current, host_cr0, 0xc0050023);
    launch(m);
    assert_int_equal(m->p.state.cr0, 0x80010033 | 0x40000);
    assert_int_equal(m->p.state.dr7, 0x401);
    m->p.state.cr0 |= CPU_CR0_CD | CPU_CR0_NW;
    assert_int_equal(machine_exit(&m->p), CPU_EXITED);
    assert_int_equal(m->p.state.cr0, 0xe0050033);
    machine_free(m);
}

static void an_entry_without_efer_sets_the_mode(void **state)
{
    (void)state;
    struct machine *m = machine_new(NULL);
    machine_launch(m, BASE_PROTECTED);
    assert_int_equal(m->p.state.msrs.efer, 0x801); /* of the host's D01H, LME and LMA are gone */
    assert_int_equal(machine_exit(&m->p), CPU_EXITED);
    assert_int_equal(m->p.state.msrs.efer, 0xd01);
    machine_free(m);
}

/* Without paging, LME stays. */
static void an_unpaged_guest_keeps_lme(void **state)
{
    (void)state;
    struct machine *m = machine_new(NULL);
    machine_launch(m, BASE_REAL);
    assert_int_equal(m->p.state.msrs.efer, 0x901);
    machine_free(m);
}

/* IA32_VMX_MISC bit 5: a guest that has left IA-32e mode is found so by the next entry. */
static void an_exit_stores_the_guests_mode(void **state)
{
    (void)state;
    struct machine *m = machine_before(0, 0);
    launch(m);
    m->p.state.msrs.efer &= ~CPU_EFER_LMA;
    m->p.state.segments[CPU_CS].access_rights = 0xc09b;
    m->p.vmx.words[VMX_EXIT] |= VMX_CONTROL(EXIT, host_address_space_size);
    assert_int_equal(machine_exit(&m->p), CPU_EXITED);
    assert_int_equal(VMCS_GET(&m->p.vmx.current, entry_controls) & VMX_CONTROL(ENTRY, ia32e_mode_guest), 0);
    machine_free(m);
}

/* --- PDPTEs ------------------------------------------------------------------------------------------------------ */

static void pdptes_come_from_the_vmcs_with_ept(void **state)
{
    (void)state;
    struct machine *m = machine_new(NULL);
    machine_launch(m, BASE_PAE);
    assert_int_equal(m->p.state.pdpte[0], 0x4001);
    assert_int_equal(m->p.state.pdpte[2], 0x5001);
    m->p.state.pdpte[3] = 0x6001;
    assert_int_equal(machine_exit(&m->p), CPU_EXITED);
    assert_int_equal(VMCS_GET(&m->p.vmx.current, guest_pdpte3), 0x6001);
    machine_free(m);
}

static void pdptes_come_from_memory_without_ept(void **state)
{
    (void)state;
    struct machine *m = machine_new(NULL);
    struct vmx_entry e;
    struct vmx_caps caps;
    baseline_init(BASE_PAE, &e, &caps);
    e.fields[VMCS_INDEX_secondary_controls] = 0x20;
    e.fields[VMCS_INDEX_guest_cr3] = 0x2f20;
    physmem_write64(&m->memory, (hv_hpa){0x2f28}, 0x7001);
    machine_root(m);
    machine_load_entry(&m->p, VMCS_AT, &e);
    launch(m);
    assert_int_equal(m->p.state.pdpte[1], 0x7001);
    assert_int_equal(m->p.state.pdpte[0], 0);
    machine_free(m);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_that_is_moved_has_a_row),
        cmocka_unit_test(an_entry_loads_every_field),
        cmocka_unit_test(an_entry_leaves_what_no_control_loads),
        cmocka_unit_test(an_exit_saves_every_field),
        cmocka_unit_test(an_exit_leaves_what_no_control_saves),
        cmocka_unit_test(an_exit_loads_the_host),
        cmocka_unit_test(an_exit_keeps_what_no_control_loads),
        cmocka_unit_test(the_hosts_segments_are_flat),
        cmocka_unit_test(a_32_bit_hosts_code_is_32_bit),
        cmocka_unit_test(hidden_segment_state_survives_exit_and_entry),
        cmocka_unit_test(unusable_segments_keep_what_the_manual_says),
        cmocka_unit_test(bits_that_are_not_loaded_keep_their_values),
        cmocka_unit_test(an_entry_without_efer_sets_the_mode),
        cmocka_unit_test(an_unpaged_guest_keeps_lme),
        cmocka_unit_test(an_exit_stores_the_guests_mode),
        cmocka_unit_test(pdptes_come_from_the_vmcs_with_ept),
        cmocka_unit_test(pdptes_come_from_memory_without_ept),
    };
    return gtest_main(argc, argv, "VmxState", tests, HV_ARRAY_LEN(tests));
}
