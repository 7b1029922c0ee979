/* SPDX-License-Identifier: MIT */
/*
 * Whether the access of a guest's driver to a device exits, with which reason and what else the VMCS says of it, is
 * what the machine's state makes of it: the guest's page tables, EPT, the I/O bitmaps. Sections are of the SDM's Vol.
 * 3C, as numbered since 2022; before that, of one chapter less.
 */
#include "gtest.h"

#include <stdio.h>
#include <string.h>

#include "build.h"
#include "machine/guest_parts.h"
#include "machine/io_front.h"

#define IDLE "paging.mode=nested workload.kind=sequential workload.footprint=4KiB workload.accesses=1 io.device=nic "
#define ASSIGNED IDLE "iommu.mode=second "
#define BARE "tlb.l1d_4k.entries=0 tlb.l1d_2m.entries=0 tlb.l1d_1g.entries=0 tlb.l2.entries=0 tlb.l2_1g.entries=0 " \
    "mmu.pwc.kind=none mmu.nested_tlb.entries=0 "

static uint64_t field(struct machine *m, uint32_t encoding)
{
    uint64_t value = UINT64_MAX;
    assert_int_equal(hv_vmread(&m->cores[0].guest->cpu, encoding, &value), HV_SUCCEEDED);
    return value;
}

static bool access_register(const struct io_driver *d, enum hv_access_kind kind, uint32_t offset, uint64_t value)
{
    return guest_access_register(d->core, &(struct guest_register){
        .window = d->window, .offset = d->window_offset + offset, .kind = kind, .bytes = 4, .value = value,
    });
}

/* EPT's entry of a page of a driver's window. */
static uint64_t *ept_entry(const struct io_driver *d, uint32_t offset)
{
    return page_table_entry(&d->window->vm->host, d->window->gpa + d->window_offset + offset, 1);
}

/* ---- Registers in memory ---------------------------------------------------------------------------------------- */

/*
 * An emulated card's register, both ways. Basic exit reason 49 (appendix C); the guest-physical address of the access
 * (28.2.1 "Guest-physical address"), and no qualification (table 28-7 is of EPT violations only); the guest was in
 * ring 0.
 */
static void a_misconfigured_register_exits(void **state)
{
    (void)state;
    struct machine *m = build_with(IDLE, "io.attach=emulated");
    const struct io_driver *d = &m->io->drivers[0];
    static const struct { enum hv_access_kind kind; uint32_t offset; } rows[] = {
        {HV_STORE, 0x1014}, {HV_STORE, 0x00c}, {HV_LOAD, 0x008},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        assert_true(access_register(d, rows[i].kind, rows[i].offset, 7));
        assert_int_equal(field(m, HV_VMCS_exit_reason), 49);
        assert_int_equal(field(m, HV_VMCS_exit_qualification), 0);
        assert_int_equal(field(m, HV_VMCS_guest_physical_address), d->window->gpa + rows[i].offset);
        assert_int_equal(field(m, HV_VMCS_guest_ss_access_rights) >> 5 & 3, 0);
        const struct hypervisor_access wanted = guest_wanted(d->core);
        assert_int_equal(wanted.space, HYPERVISOR_MEMORY);
        assert_int_equal(wanted.address, d->window->gpa + rows[i].offset);
        guest_return(d->core, -1);
        assert_int_equal(stat_of(m, "vmx.exit.ept_misconfiguration.count"), i + 1);
    }
    assert_int_equal(stat_of(m, "vmx.exits"), HV_ARRAY_LEN(rows));
    machine_free(m);
}

/*
 * 29.3.3.1: an entry with bit 0 clear and bit 1 set is misconfigured. 29.4.2: no translation is made of it, so every
 * access walks; without caches for page walks, through (4 + 1)(4 + 1) - 1 = 24 entries, which end at the last one.
 */
static void a_misconfigured_entry_is_walked_each_time(void **state)
{
    (void)state;
    struct machine *m = build_with(BARE IDLE, "io.attach=emulated");
    const struct io_driver *d = &m->io->drivers[0];
    assert_int_equal(*ept_entry(d, 0x1014) & 3, 2);
    for (unsigned i = 1; i <= 3; i++) {
        assert_true(access_register(d, HV_STORE, 0x1014, i));
        guest_return(d->core, -1);
        assert_int_equal(stat_of(m, "mmu.walks"), i);
        assert_int_equal(stat_of(m, "mmu.walk_refs"), 24 * i);
    }
    machine_free(m);
}

/* With tables that allow it the same store is a store: it is in memory, and nobody was asked. */
static void a_mapped_page_does_not_exit(void **state)
{
    (void)state;
    struct machine *m = build_with(IDLE, "io.attach=emulated");
    const struct io_driver *d = &m->io->drivers[0];
    const uint64_t frame = HV_MIB(64);
    *ept_entry(d, 0x1014) = frame | d->window->vm->host.leaf_bits;
    assert_false(access_register(d, HV_STORE, 0x1014, 0x12345678));
    assert_int_equal(stat_of(m, "vmx.exits"), 0);
    uint32_t *word = physmem_pointer(&m->memory, (hv_hpa){frame + 0x014}, sizeof(*word));
    assert_int_equal(*word, 0x12345678);
    *word = 0x9abcdef0;
    assert_false(access_register(d, HV_LOAD, 0x1014, 0));
    assert_int_equal(m->cores[0].guest->cpu.p.state.registers[CPU_RAX], 0x9abcdef0);
    *ept_entry(d, 0x2000) = (UINT64_C(1) << 45) | d->window->vm->host.leaf_bits; /* where nobody answers */
    assert_false(access_register(d, HV_STORE, 0x2000, 1));
    assert_false(access_register(d, HV_LOAD, 0x2000, 0));
    assert_int_equal(m->cores[0].guest->cpu.p.state.registers[CPU_RAX], UINT32_MAX);
    assert_int_equal(stat_of(m, "vmx.exits"), 0);
    machine_free(m);
}

/*
 * Without an entry: reason 48. Table 28-7: bit 1, a write; 7 and 8, a linear address and its own translation; 10 and
 * 11, the guest's page is writable and not executable; bit 9 clear, it is the kernel's; bits 5:3 clear, nothing was
 * allowed.
 */
static void a_page_that_is_not_present_is_a_violation(void **state)
{
    (void)state;
    struct machine *m = build_with(IDLE, "io.attach=emulated");
    const struct io_driver *d = &m->io->drivers[0];
    *ept_entry(d, 0x1014) = 0;
    assert_true(access_register(d, HV_STORE, 0x1014, 1));
    assert_int_equal(field(m, HV_VMCS_exit_reason), 48);
    assert_int_equal(field(m, HV_VMCS_exit_qualification), 1 << 1 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 11);
    assert_int_equal(field(m, HV_VMCS_guest_physical_address), d->window->gpa + 0x1014);
    assert_int_equal(field(m, HV_VMCS_guest_linear_address), d->window->gva + 0x1014);
    assert_int_equal(guest_wanted(d->core).space, HYPERVISOR_NOTHING);
    guest_return(d->core, -1);
    machine_free(m);
}

/*
 * The exit takes the hardware's round trip, VMREADs of reason and address, dispatch and decoding, and VMRESUME a
 * cycle.
 */
static void what_a_register_costs(void **state)
{
    (void)state;
    struct machine *m = build_with(IDLE, "io.attach=emulated vmx.cost.exit_cycles=1009 vmx.cost.entry_cycles=2003 "
                                   "vmx.cost.vmread_cycles=31 vmm.cost.dispatch_cycles=401 vmm.cost.decode_cycles=15013");
    const struct io_driver *d = &m->io->drivers[0];
    assert_true(access_register(d, HV_STORE, 0x1014, 1));
    guest_return(d->core, -1);
    assert_int_equal(stat_of(m, "vmx.exit.ept_misconfiguration.cycles"), 1009 + 401 + 2 * (31 + 1) + 15013 + 2003 + 1);
    machine_free(m);
}

/* After the exit and back the process goes on as it was: in its ring, with its page table, on processor and MMU. */
static void the_process_goes_on_as_it_was(void **state)
{
    (void)state;
    struct machine *m = build_with(IDLE, "io.attach=emulated");
    const struct io_driver *d = &m->io->drivers[0];
    const struct cpu_state before = m->cores[0].guest->cpu.p.state;
    const struct mmu_regs regs = m->cores[0].mmu.env.regs;
    assert_true(access_register(d, HV_STORE, 0x1014, 1));
    guest_return(d->core, -1);
    const struct cpu_state *after = &m->cores[0].guest->cpu.p.state;
    assert_int_equal(after->cr3, before.cr3);
    assert_int_equal(after->segments[CPU_CS].selector, before.segments[CPU_CS].selector);
    assert_int_equal(after->segments[CPU_SS].access_rights, before.segments[CPU_SS].access_rights);
    assert_int_equal(m->cores[0].mmu.env.regs.cr3, regs.cr3);
    assert_true(regs.user && m->cores[0].mmu.env.regs.user);
    assert_int_equal(m->cores[0].mmu.env.regs.vpid, regs.vpid);
    machine_free(m);
}

/* ---- Ports ------------------------------------------------------------------------------------------------------ */

enum { NOTIFY_PORT = 0xc010 };

static uint8_t *io_bitmaps(const struct machine *m)
{
    const struct machine_guest *g = m->cores[0].guest;
    return physmem_pointer(&g->memory, (hv_hpa){guest_page(PAGE_IO_BITMAP_A)}, 2 * HV_PAGE_BYTES);
}

static struct port_write {
    unsigned count;
    uint16_t port;
    unsigned bytes;
    uint32_t value;
} port_written;

static void write_port(void *ctx, uint16_t port, unsigned bytes, bool write, uint32_t *value)
{
    (void)ctx;
    assert_true(write);
    port_written = (struct port_write){port_written.count + 1, port, bytes, *value};
}

/*
 * 26.1.3: OUT exits when the bit of any port that it accesses is 1; reason 30. Table 28-5: bits 2:0 its size less one,
 * bit 3 clear for OUT, bits 4 to 6 clear: no string, no REP, the port in DX; bits 31:16 the port. OUT DX has one byte.
 */
static void a_notification_exits_by_the_bitmap(void **state)
{
    (void)state;
    struct machine *m = build_with(IDLE, "io.attach=paravirtual");
    struct machine_core *c = &m->cores[0];
    uint8_t *bits = io_bitmaps(m);
    assert_int_equal(m->io->drivers[0].front->port, NOTIFY_PORT);
    bits[NOTIFY_PORT / 8] = (uint8_t)~(1u << NOTIFY_PORT % 8); /* the second of its two ports is left */
    assert_true(guest_out(c, NOTIFY_PORT, 2, 1));
    assert_int_equal(field(m, HV_VMCS_exit_reason), 30);
    assert_int_equal(field(m, HV_VMCS_exit_qualification), (uint64_t)NOTIFY_PORT << 16 | (2 - 1));
    assert_int_equal(field(m, HV_VMCS_exit_instruction_length), 2); /* with the operand-size prefix */
    assert_int_equal(guest_wanted(c).space, HYPERVISOR_PORT);
    assert_int_equal(guest_wanted(c).address, NOTIFY_PORT);
    guest_return(c, -1);
    assert_int_equal(stat_of(m, "vmx.exit.io_instruction.count"), 1);
    machine_free(m);
}

/* With both bits clear it is the guest's own: it reaches the port, and the hypervisor does not see it. */
static void a_port_of_the_guests_own_does_not_exit(void **state)
{
    (void)state;
    struct machine *m = build_with(IDLE, "io.attach=paravirtual");
    struct machine_core *c = &m->cores[0];
    uint8_t *bits = io_bitmaps(m);
    bits[NOTIFY_PORT / 8] = (uint8_t)~(3u << NOTIFY_PORT % 8);
    c->guest->cpu.wires.port = write_port;
    port_written = (struct port_write){0};
    assert_false(guest_out(c, NOTIFY_PORT, 2, 0xabcd0001));
    assert_int_equal(stat_of(m, "vmx.exits"), 0);
    assert_int_equal(port_written.count, 1);
    assert_int_equal(port_written.port, NOTIFY_PORT);
    assert_int_equal(port_written.bytes, 2);
    assert_int_equal(port_written.value, 1);
    assert_true(guest_out(c, NOTIFY_PORT + 2, 2, 1));
    guest_return(c, -1);
    assert_int_equal(port_written.count, 1);
    machine_free(m);
}

/*
 * A processor without I/O bitmaps has the other control: 26.1.3, "unconditional I/O exiting". Without either it
 * refuses.
 */
static void without_bitmaps_all_ports_exit(void **state)
{
    (void)state;
    struct hv_err err = {""};
    struct machine *m = build_with(IDLE, "io.attach=paravirtual vmx.without=primary.use_io_bitmaps");
    memset(io_bitmaps(m), 0, 2 * HV_PAGE_BYTES);
    assert_true(guest_out(&m->cores[0], NOTIFY_PORT, 2, 1));
    assert_int_equal(field(m, HV_VMCS_exit_reason), 30);
    guest_return(&m->cores[0], -1);
    machine_free(m);
    static const char *const neither = "vmx.without=primary.use_io_bitmaps,primary.unconditional_io_exiting";
    char settings[256];
    snprintf(settings, sizeof(settings), "io.attach=paravirtual %s", neither);
    assert_null(try_to_build(IDLE, settings, &err));
    assert_non_null(strstr(err.text, "io.attach paravirtual needs"));
    snprintf(settings, sizeof(settings), "io.attach=assigned %s", neither);
    m = build_with(ASSIGNED, settings);
    machine_free(m);
}

/*
 * The guest's driver queues what it has to send; a back end that sees no notification takes nothing, until one exits.
 */
static void nobody_hears_a_notification_that_does_not_exit(void **state)
{
    (void)state;
    struct machine *m = build_with(IDLE, "io.attach=paravirtual io.pattern=transmit io.packets=64");
    struct io_front *f = m->io->drivers[0].front;
    memset(io_bitmaps(m), 0, 2 * HV_PAGE_BYTES);
    io_driver_turn(&f->driver);
    assert_true(stat_of(m, "io.kicks") > 0);
    assert_int_equal(stat_of(m, "vmx.exits"), 0);
    assert_int_equal(f->queued, 64);
    memset(io_bitmaps(m), UINT8_MAX, 2 * HV_PAGE_BYTES);
    io_front_notify(f, 1);
    assert_int_equal(stat_of(m, "vmx.exit.io_instruction.count"), 1);
    assert_int_equal(f->queued, 0);
    machine_free(m);
}

/* ---- What the hypervisor makes of it ---------------------------------------------------------------------------- */

/*
 * Two cards of one virtual processor: the exit's address, or port, says whose back end is to look at its ring, and of an
 * emulated card which register it was. A packet that nobody looked at stays where it is.
 */
static void the_hypervisor_finds_device_and_register(void **state)
{
    (void)state;
    struct machine *m = build_with(IDLE, "io.attach=emulated io.functions=2");
    struct io_front *first = m->io->drivers[0].front, *second = m->io->drivers[1].front;
    second->queued = 1;
    io_front_write_register(first, nic_queue_offset(0, NIC_REG_TX_TAIL), 1);
    io_front_write_register(second, NIC_REG_ENABLE_SET, 1);
    io_front_read_cause(second);
    assert_int_equal(second->queued, 1);
    io_front_write_register(second, nic_queue_offset(0, NIC_REG_TX_TAIL), 1);
    assert_int_equal(second->queued, 0);
    assert_int_equal(stat_of(m, "vmx.exit.ept_misconfiguration.count"), 4);
    machine_free(m);
}

static void the_hypervisor_finds_the_port(void **state)
{
    (void)state;
    struct machine *m = build_with(IDLE, "io.attach=paravirtual io.functions=2");
    struct io_front *first = m->io->drivers[0].front, *second = m->io->drivers[1].front;
    second->queued = 1;
    io_front_notify(first, 1);
    assert_true(guest_out(&m->cores[0], (uint16_t)(second->port + 2), 2, 1)); /* nobody's */
    guest_return(&m->cores[0], -1);
    assert_int_equal(second->queued, 1);
    io_front_notify(second, 1);
    assert_int_equal(second->queued, 0);
    assert_int_equal(stat_of(m, "vmx.exit.io_instruction.count"), 3);
    machine_free(m);
}

/* ---- An assigned device ----------------------------------------------------------------------------------------- */

/* The store's way: EPT's entry is of type UC (29.3.7.2; 0 in bits 5:3) and names the register; the device is told. */
static void a_doorbell_reaches_the_device_without_an_exit(void **state)
{
    (void)state;
    struct machine *m = build_with(ASSIGNED, "io.functions=2");
    for (unsigned i = 0; i < 2; i++) {
        const struct io_driver *d = &m->io->drivers[i];
        const uint64_t registers = m->io->registers + (uint64_t)d->function * NIC_WINDOW_BYTES;
        assert_int_equal(*ept_entry(d, 0x1014) & RADIX_ADDRESS_MASK, registers + 0x1000);
        assert_int_equal(*ept_entry(d, 0x1014) >> 3 & 7, 0);
        assert_true(registers >= m->memory.size);
        assert_false(access_register(d, HV_STORE, 0x1014, 40 + i));
        const struct io_register_write *w = &m->io->writes[m->io->write_count - 1];
        assert_int_equal(m->io->write_count, i + 1);
        assert_int_equal(w->function, d->function);
        assert_int_equal(w->offset, 0x1014);
        assert_int_equal(w->bytes, 4);
        assert_int_equal(w->value, 40 + i);
        assert_true(w->at > d->core->core.now - 1);
    }
    io_registers_act(m->io, UINT64_MAX / 2);
    for (unsigned i = 0; i < 2; i++) {
        const struct io_driver *d = &m->io->drivers[i];
        assert_false(access_register(d, HV_LOAD, 0x1014, 0));
        assert_int_equal(m->cores[0].guest->cpu.p.state.registers[CPU_RAX], 40 + i);
    }
    assert_int_equal(stat_of(m, "vmx.exits"), 0);
    machine_free(m);
}

/*
 * A whole run without any cache of translations: each access of the stream and each doorbell is a walk of 24
 * references. Posted, nothing exits.
 */
static void a_doorbell_is_a_nested_walk(void **state)
{
    (void)state;
    struct machine *m = run_with(BARE ASSIGNED, "io.attach=posted io.packets=500 io.link_mbps=10000");
    const uint64_t doorbells = stat_of(m, "io.doorbells");
    assert_int_equal(stat_of(m, "io.handled"), 500);
    assert_true(doorbells >= 500 / 16);
    assert_int_equal(stat_of(m, "mmu.walks"), stat_of(m, "core.accesses") + doorbells);
    assert_int_equal(stat_of(m, "mmu.walk_refs"), 24 * stat_of(m, "mmu.walks"));
    assert_int_equal(stat_of(m, "vmx.exits"), 0);
    machine_free(m);
}

/* With TLBs the translation stays there; natively the register needs none. */
static void a_doorbell_is_cached_or_needs_no_walk(void **state)
{
    (void)state;
    struct machine *posted = run_with(ASSIGNED, "io.attach=posted io.packets=500 io.link_mbps=10000");
    struct machine *native = run_with(BARE ASSIGNED, "paging.mode=native io.packets=500 io.link_mbps=10000");
    assert_true(stat_of(posted, "io.doorbells") >= 500 / 16);
    assert_int_equal(stat_of(posted, "mmu.walks"), stat_of(posted, "core.accesses") + 2); /* pages of tail and mask */
    assert_int_equal(stat_of(native, "mmu.walks"), stat_of(native, "core.accesses"));
    assert_null(native->io->windows);
    machine_free(posted);
    machine_free(native);
}

/* The page of the MSI-X table is not the guest's: its store exits, and the device's messages stay as they are. */
static void the_table_of_messages_is_the_hypervisors(void **state)
{
    (void)state;
    struct machine *m = build_with(ASSIGNED, "");
    const struct io_driver *d = &m->io->drivers[0];
    const uint64_t before = nic_read(m->io->nic, 0, NIC_MSIX_TABLE, 4, 0);
    assert_int_not_equal(before, 0xfee0d000);
    assert_true(access_register(d, HV_STORE, NIC_MSIX_TABLE, 0xfee0d000));
    assert_int_equal(field(m, HV_VMCS_exit_reason), 48);
    assert_int_equal(field(m, HV_VMCS_guest_physical_address), d->window->gpa + NIC_MSIX_TABLE);
    guest_return(d->core, -1);
    io_registers_act(m->io, UINT64_MAX / 2);
    assert_int_equal(nic_read(m->io->nic, 0, NIC_MSIX_TABLE, 4, 1), before);
    machine_free(m);
}

/* Tenants: whatever page of its window a VM has, it leads to registers of the VM's own functions. */
static void a_window_leads_to_the_vms_own_functions(void **state)
{
    (void)state;
    struct machine *m = build_with(ASSIGNED, "vm.count=3 vm.vcpus=1 io.functions=8 machine.memory=4GiB");
    unsigned seen = 0;
    for (unsigned i = 0; i < 8; i++) {
        const struct io_driver *d = &m->io->drivers[i];
        assert_ptr_equal(d->window->vm, &m->vms[i % 3]);
        for (uint32_t at = 0; at < NIC_WINDOW_BYTES; at += HV_PAGE_BYTES) {
            const uint64_t entry = *ept_entry(d, at), registers = m->io->registers + d->function * UINT64_C(0x4000);
            seen += entry != 0;
            assert_true(entry == 0 || (entry & RADIX_ADDRESS_MASK) == registers + at);
        }
    }
    assert_int_equal(seen, 8 * 2);
    unsigned level;
    assert_null(page_table_find(&m->vms[2].host, m->io->windows[2].gpa + UINT64_C(0x4000) * 2, &level));
    machine_free(m);
}

/* ---- What cannot be --------------------------------------------------------------------------------------------- */

static void registers_need_addresses(void **state)
{
    (void)state;
    struct hv_err err = {""};
    assert_null(try_to_build(ASSIGNED, "machine.memory=64GiB mmu.physical_bits=36", &err));
    assert_non_null(strstr(err.text, "mmu.physical_bits of 36"));
    struct machine *m = build_with(ASSIGNED, "machine.memory=63GiB mmu.physical_bits=36");
    assert_int_equal(m->io->registers, HV_GIB(63));
    machine_free(m);
    m = build_with(IDLE, "machine.memory=64GiB mmu.physical_bits=36 io.attach=paravirtual"); /* ports need none */
    machine_free(m);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_misconfigured_register_exits),
        cmocka_unit_test(a_misconfigured_entry_is_walked_each_time),
        cmocka_unit_test(a_mapped_page_does_not_exit),
        cmocka_unit_test(a_page_that_is_not_present_is_a_violation),
        cmocka_unit_test(what_a_register_costs),
        cmocka_unit_test(the_process_goes_on_as_it_was),
        cmocka_unit_test(a_notification_exits_by_the_bitmap),
        cmocka_unit_test(a_port_of_the_guests_own_does_not_exit),
        cmocka_unit_test(without_bitmaps_all_ports_exit),
        cmocka_unit_test(nobody_hears_a_notification_that_does_not_exit),
        cmocka_unit_test(the_hypervisor_finds_device_and_register),
        cmocka_unit_test(the_hypervisor_finds_the_port),
        cmocka_unit_test(a_doorbell_reaches_the_device_without_an_exit),
        cmocka_unit_test(a_doorbell_is_a_nested_walk),
        cmocka_unit_test(a_doorbell_is_cached_or_needs_no_walk),
        cmocka_unit_test(the_table_of_messages_is_the_hypervisors),
        cmocka_unit_test(a_window_leads_to_the_vms_own_functions),
        cmocka_unit_test(registers_need_addresses),
    };
    return gtest_main(argc, argv, "IoExits", tests, HV_ARRAY_LEN(tests));
}
