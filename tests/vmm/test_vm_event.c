/* SPDX-License-Identifier: MIT */
/*
 * Events that change mappings, one by one: what the tables say afterwards, what has to be invalidated, what it costs,
 * natively and in both formats of nested paging. After each the whole of the tables is checked (rig_check).
 */
#include "gtest.h"

#include <string.h>

#include "vm_rig.h"

static const struct mode_row {
    const char *name;
    enum paging_mode mode;
    enum paging_format format;
} modes[] = {
    {"native", PAGING_NATIVE, PAGING_EPT},
    {"nested_ept", PAGING_NESTED, PAGING_EPT},
    {"nested_npt", PAGING_NESTED, PAGING_NPT},
};

enum { PAGES = 1024 /* 4 MiB, two tables of leaves */ };

static const struct vm_region two_tables[] = {{{RIG_START}, PAGES, 0}};

static struct vm_config config_of(void **state)
{
    const struct mode_row *row = *state;
    return rig_config(row->mode, row->format);
}

static void begin(struct vm_rig *r, void **state)
{
    struct vm_config config = config_of(state);
    rig_init(r, &config, two_tables, 1);
    rig_check(r);
}

static void end(struct vm_rig *r)
{
    rig_check(r);
    rig_fini(r);
}

/* The change asks for this invalidation of a run, and costs so much in the guest and in the hypervisor. */
static void expect_change(const struct vm_change *c, enum vm_flush flush, hv_cycles guest, hv_cycles host)
{
    assert_int_equal(c->flush, flush);
    assert_int_equal(c->guest_cycles, guest);
    assert_int_equal(c->host_cycles, host);
}

static void expect_run(const struct vm_change *c, uint64_t start, uint64_t pages)
{
    assert_int_equal(c->start, start);
    assert_int_equal(c->pages, pages);
}

/* What an address translates to, page by page, before an event. */
static void note(struct vm_rig *r, uint64_t pages[PAGES])
{
    for (uint64_t i = 0; i < PAGES; i++) {
        pages[i] = rig_translate(r, 0, RIG_START + i * HV_PAGE_BYTES);
    }
}

static void everything_is_mapped_ahead(void **state)
{
    struct vm_rig r;
    begin(&r, state);
    uint64_t pages[PAGES];
    note(&r, pages);
    for (uint64_t i = 0; i < PAGES; i++) {
        assert_true(pages[i] != UINT64_MAX);
    }
    end(&r);
}

static void map_changes_nothing(void **state)
{
    struct vm_rig r;
    begin(&r, state);
    uint64_t before[PAGES], after[PAGES];
    note(&r, before);
    struct vm_change c = rig_event(&r, 0, HV_EVENT_MAP, RIG_START, 4);
    expect_change(&c, VM_FLUSH_NONE, RIG_SYSTEM_CALL, 0);
    note(&r, after);
    assert_memory_equal(before, after, sizeof(before));
    end(&r);
}

static void unmap_takes_the_run_and_no_more(void **state)
{
    struct vm_rig r;
    begin(&r, state);
    uint64_t before[PAGES], after[PAGES];
    note(&r, before);
    const uint64_t first = 512 - 16, start = RIG_START + first * HV_PAGE_BYTES;
    struct vm_change c = rig_event(&r, 0, HV_EVENT_UNMAP, start, 4);
    expect_change(&c, VM_FLUSH_RUN, RIG_SYSTEM_CALL + 16 * RIG_PAGE_UPDATE, 0);
    expect_run(&c, start, 16);
    note(&r, after);
    for (uint64_t i = 0; i < PAGES; i++) {
        assert_int_equal(after[i], i >= first && i < first + 16 ? UINT64_MAX : before[i]);
    }
    assert_int_equal(r.vm.stats.pages_unmapped, 16);
    rig_check(&r);
    /* The hole costs the call, and the pages around it their entries. */
    c = rig_event(&r, 0, HV_EVENT_UNMAP, start, 4);
    expect_change(&c, VM_FLUSH_NONE, RIG_SYSTEM_CALL, 0);
    c = rig_event(&r, 0, HV_EVENT_UNMAP, RIG_START, 10);
    expect_change(&c, VM_FLUSH_RUN, RIG_SYSTEM_CALL + (PAGES - 16) * RIG_PAGE_UPDATE, 0);
    assert_int_equal(r.vm.stats.pages_unmapped, PAGES);
    rig_check(&r);
    /* Touched again, all are there: a page fault each, as the host pages behind the guest's frames stayed. */
    for (uint64_t i = 0; i < PAGES; i++) {
        assert_int_equal(rig_touch(&r, 0, RIG_START + i * HV_PAGE_BYTES, false), RIG_PAGE_FAULT);
    }
    assert_int_equal(r.vm.stats.page_faults, PAGES);
    end(&r);
}

static void protect_makes_read_only_until_a_store(void **state)
{
    struct vm_rig r;
    begin(&r, state);
    uint64_t before[PAGES], after[PAGES];
    note(&r, before);
    const uint64_t start = RIG_START + 64 * HV_PAGE_BYTES;
    struct vm_change c = rig_event(&r, 0, HV_EVENT_PROTECT, start, 5);
    expect_change(&c, VM_FLUSH_RUN, RIG_SYSTEM_CALL + 32 * RIG_PAGE_UPDATE, 0);
    expect_run(&c, start, 32);
    assert_int_equal(r.vm.stats.pages_protected, 32);
    for (uint64_t i = 0; i < PAGES; i++) {
        bool writable = (rig_guest_page(&r, 0, RIG_START + i * HV_PAGE_BYTES).entry & 2) != 0;
        assert_int_equal(writable, i < 64 || i >= 96);
    }
    assert_int_equal(rig_touch(&r, 0, start, false), 0); /* a load does not mind */
    assert_int_equal(rig_touch(&r, 0, start, true), RIG_PAGE_FAULT);
    assert_int_equal(rig_touch(&r, 0, start, true), 0);
    note(&r, after);
    assert_memory_equal(before, after, sizeof(before));
    assert_int_equal(r.vm.stats.write_faults, 1);
    assert_int_equal(r.vm.stats.pages_copied, 0);
    assert_int_equal(rig_guest_page(&r, 0, start).entry & (VM_ENTRY_KEPT | VM_ENTRY_SHARED), 0);
    end(&r);
}

/* The copy of the tables: one page of them for each 512 entries, and one. */
static void fork_copies_at_the_first_store(void **state)
{
    struct vm_rig r;
    begin(&r, state);
    uint64_t before[PAGES], after[PAGES];
    note(&r, before);
    struct vm_change c = rig_event(&r, 0, HV_EVENT_FORK, RIG_START, 10);
    expect_change(&c, VM_FLUSH_RUN,
                  RIG_SYSTEM_CALL + PAGES * RIG_PAGE_UPDATE + (PAGES / 512 + 1) * RIG_TABLE_COPY, 0);
    expect_run(&c, RIG_START, PAGES);
    assert_int_equal(r.vm.stats.tables_copied, 3);
    rig_check(&r);
    const uint64_t page = RIG_START + 700 * HV_PAGE_BYTES;
    assert_int_equal(rig_touch(&r, 0, page, false), 0);
    /* The page that the guest copies to is one that nobody has had: nested, the host has to back it. */
    hv_cycles host = r.vm.nested ? RIG_VIOLATION : 0;
    bool backed = r.vm.nested && rig_host_page(&r, r.vm.guest_data.next).mapped;
    assert_int_equal(rig_touch(&r, 0, page, true), RIG_PAGE_FAULT + RIG_PAGE_COPY + (backed ? 0 : host));
    note(&r, after);
    for (uint64_t i = 0; i < PAGES; i++) {
        assert_true(i == 700 ? after[i] != before[i] : after[i] == before[i]);
    }
    assert_int_equal(r.vm.stats.pages_copied, 1);
    assert_int_equal(r.vm.stats.write_faults, 1);
    assert_int_equal(rig_touch(&r, 0, page, true), 0);
    end(&r);
}

/* A store fault asks for the page's invalidation: other processors may have it read-only, or the old frame. */
static void write_fault_asks_for_invalidation(void **state)
{
    struct vm_rig r;
    begin(&r, state);
    rig_event(&r, 0, HV_EVENT_FORK, RIG_START, 0);
    struct hv_fault fault = {
        .kind = HV_FAULT_PAGE, .gva = {RIG_START + 123}, .error_code = HV_PF_PRESENT | HV_PF_WRITE | HV_PF_USER,
    };
    struct vm_fault_reply reply = vm_handle_fault(&r.vm, 0, &fault);
    assert_true(reply.resolved);
    expect_change(&reply.change, VM_FLUSH_RUN, 0, 0);
    expect_run(&reply.change, RIG_START, 1);
    /* Another processor met the same fault before: nothing is left to do, nothing changes again. */
    uint64_t entry = rig_guest_page(&r, 0, RIG_START).entry;
    reply = vm_handle_fault(&r.vm, 0, &fault);
    assert_true(reply.resolved);
    assert_int_equal(reply.cycles, RIG_PAGE_FAULT);
    assert_int_equal(reply.change.flush, VM_FLUSH_NONE);
    assert_int_equal(rig_guest_page(&r, 0, RIG_START).entry, entry);
    assert_int_equal(r.vm.stats.spurious_faults, 1);
    /* And unmapped meanwhile, it is mapped, whatever the error code said of the entry then. */
    rig_event(&r, 0, HV_EVENT_UNMAP, RIG_START, 0);
    assert_true(vm_handle_fault(&r.vm, 0, &fault).resolved);
    assert_true(rig_guest_page(&r, 0, RIG_START).mapped);
    end(&r);
}

/* The same of first touches: the second processor to fault finds the page there, in both dimensions. */
static void first_touches_at_the_same_time(void **state)
{
    struct vm_rig r;
    begin(&r, state);
    struct hv_fault fault = {.kind = HV_FAULT_PAGE, .gva = {RIG_START + 5}, .error_code = HV_PF_USER};
    rig_event(&r, 0, HV_EVENT_UNMAP, RIG_START, 0);
    assert_true(vm_handle_fault(&r.vm, 0, &fault).resolved);
    uint64_t entry = rig_guest_page(&r, 0, RIG_START).entry;
    assert_true(vm_handle_fault(&r.vm, 0, &fault).resolved);
    assert_int_equal(rig_guest_page(&r, 0, RIG_START).entry, entry);
    assert_int_equal(r.vm.stats.page_faults, 2);
    assert_int_equal(r.vm.stats.spurious_faults, 1);
    if (r.vm.nested) {
        rig_event(&r, 0, HV_EVENT_BALLOON, RIG_START, 0);
        uint64_t gpa = rig_guest_page(&r, 0, RIG_START).frame;
        bool npt = r.vm.config.host_more.format == PAGING_NPT;
        fault.kind = npt ? HV_FAULT_NESTED_PAGE : HV_FAULT_VIOLATION;
        fault.error_code = npt ? HV_PF_USER : HV_EPTV_READ;
        fault.gpa.v = gpa;
        assert_true(vm_handle_fault(&r.vm, 0, &fault).resolved);
        entry = rig_host_page(&r, gpa).entry;
        assert_true(vm_handle_fault(&r.vm, 0, &fault).resolved);
        assert_int_equal(rig_host_page(&r, gpa).entry, entry);
        assert_int_equal(r.vm.stats.ept_violations, 2);
        assert_int_equal(r.vm.stats.spurious_faults, 2);
        /* Guest-physical addresses where nothing is: nobody maps them. */
        fault.gpa.v = r.data_end;
        assert_false(vm_handle_fault(&r.vm, 0, &fault).resolved);
        fault.gpa.v = r.data_start - HV_PAGE_BYTES;
        assert_false(vm_handle_fault(&r.vm, 0, &fault).resolved);
    }
    end(&r);
}

/* --- the hypervisor's ------------------------------------------------------------------------------------------------ */

static void migrate_moves_every_page_once(void **state)
{
    struct vm_rig r;
    begin(&r, state);
    uint64_t before[PAGES], after[PAGES];
    note(&r, before);
    uint64_t entry = rig_guest_page(&r, 0, RIG_START).entry;
    struct vm_change c = rig_event(&r, 0, HV_EVENT_MIGRATE, RIG_START, 6);
    hv_cycles pages = 64 * RIG_PAGE_UPDATE + 64 * RIG_PAGE_COPY;
    if (r.vm.nested) {
        expect_change(&c, VM_FLUSH_HOST, 0, RIG_VIOLATION + pages);
        assert_int_equal(rig_guest_page(&r, 0, RIG_START).entry, entry); /* the guest sees nothing of it */
    } else {
        expect_change(&c, VM_FLUSH_RUN, RIG_SYSTEM_CALL + pages, 0);
        expect_run(&c, RIG_START, 64);
    }
    assert_int_equal(r.vm.stats.pages_migrated, 64);
    note(&r, after);
    for (uint64_t i = 0; i < PAGES; i++) {
        assert_true(i < 64 ? after[i] != before[i] && after[i] != UINT64_MAX : after[i] == before[i]);
    }
    end(&r);
}

static void balloon_takes_until_the_next_touch(void **state)
{
    struct vm_rig r;
    begin(&r, state);
    struct vm_change c = rig_event(&r, 0, HV_EVENT_BALLOON, RIG_START, 6);
    if (r.vm.nested) {
        expect_change(&c, VM_FLUSH_HOST, 0, RIG_VIOLATION + 64 * RIG_PAGE_UPDATE);
        assert_true(rig_guest_page(&r, 0, RIG_START).mapped); /* the guest's tables stay */
    } else {
        expect_change(&c, VM_FLUSH_RUN, RIG_SYSTEM_CALL + 64 * RIG_PAGE_UPDATE, 0);
    }
    assert_int_equal(r.vm.stats.pages_ballooned, 64);
    rig_check(&r);
    for (uint64_t i = 0; i < PAGES; i++) {
        uint64_t gva = RIG_START + i * HV_PAGE_BYTES;
        assert_int_equal(rig_translate(&r, 0, gva) == UINT64_MAX, i < 64);
        hv_cycles fault = r.vm.nested ? RIG_VIOLATION : RIG_PAGE_FAULT;
        assert_int_equal(rig_touch(&r, 0, gva, false), i < 64 ? fault : 0);
    }
    c = rig_event(&r, 0, HV_EVENT_BALLOON, RIG_START - HV_PAGE_BYTES * 64, 6); /* where nothing is mapped */
    expect_change(&c, VM_FLUSH_NONE, r.vm.nested ? 0 : RIG_SYSTEM_CALL, r.vm.nested ? RIG_VIOLATION : 0);
    end(&r);
}

/* One host page of 2 MiB is behind 512 guest pages: it is moved, copied and paid for once. */
static void a_large_host_page_moves_once(void **state)
{
    struct vm_rig r;
    struct vm_config config = config_of(state);
    if (config.paging.mode == PAGING_NATIVE) {
        skip();
    }
    config.host.page_size = HV_PAGE_2M;
    rig_init(&r, &config, two_tables, 1);
    struct vm_change c = rig_event(&r, 0, HV_EVENT_MIGRATE, RIG_START, 9);
    expect_change(&c, VM_FLUSH_HOST, 0, RIG_VIOLATION + RIG_PAGE_UPDATE + 512 * RIG_PAGE_COPY);
    assert_int_equal(r.vm.stats.pages_migrated, 512);
    rig_check(&r);
    c = rig_event(&r, 0, HV_EVENT_MIGRATE, RIG_START, 10); /* and again: the marks of the first time are gone */
    expect_change(&c, VM_FLUSH_HOST, 0, RIG_VIOLATION + 2 * RIG_PAGE_UPDATE + 1024 * RIG_PAGE_COPY);
    rig_check(&r);
    c = rig_event(&r, 0, HV_EVENT_BALLOON, RIG_START + 5 * HV_PAGE_BYTES, 0); /* one guest page takes it whole */
    expect_change(&c, VM_FLUSH_HOST, 0, RIG_VIOLATION + RIG_PAGE_UPDATE);
    assert_int_equal(r.vm.stats.pages_ballooned, 512);
    assert_int_equal(rig_translate(&r, 0, RIG_START), UINT64_MAX);
    assert_int_equal(rig_touch(&r, 0, RIG_START, false), RIG_VIOLATION);
    assert_int_equal(rig_host_page(&r, rig_guest_page(&r, 0, RIG_START).frame).size, HV_PAGE_2M);
    end(&r);
}

/* --- sizes ----------------------------------------------------------------------------------------------------------- */

/* From 4K to 2M and 1G pages and back; what was cached of tables that made room has to be invalidated. */
static void pages_change_their_size(void **state)
{
    static const struct vm_region gigabyte[] = {{{RIG_START}, 1 << 18, 0}};
    struct vm_rig r;
    struct vm_config config = config_of(state);
    rig_init(&r, &config, gigabyte, 1);
    static const enum hv_event to[] = {HV_EVENT_PAGES_2M, HV_EVENT_PAGES_1G, HV_EVENT_PAGES_4K, HV_EVENT_PAGES_1G,
                                       HV_EVENT_PAGES_2M, HV_EVENT_PAGES_4K};
    uint64_t entries = 1 << 18;
    for (size_t i = 0; i < HV_ARRAY_LEN(to); i++) {
        struct vm_change c = rig_event(&r, 0, to[i], RIG_START, 18);
        expect_change(&c, VM_FLUSH_RUN, RIG_SYSTEM_CALL + entries * RIG_PAGE_UPDATE, 0);
        expect_run(&c, RIG_START, 1 << 18);
        enum hv_page_size size = (enum hv_page_size)(to[i] - HV_EVENT_PAGES_4K);
        /* Natively no frame of 1 GiB can be had: data begins at some multiple of 2 MiB. */
        size = size == HV_PAGE_1G && !r.vm.nested ? HV_PAGE_2M : size;
        entries = 0;
        for (uint64_t gva = RIG_START; gva < RIG_START + HV_GIB(1); gva += hv_page_bytes(size)) {
            uint64_t violations = r.vm.stats.ept_violations;
            hv_cycles cycles = rig_touch(&r, 0, gva, true);
            violations = r.vm.stats.ept_violations - violations;
            assert_int_equal(cycles, RIG_PAGE_FAULT + violations * RIG_VIOLATION);
            assert_int_equal(rig_guest_page(&r, 0, gva).size, size);
            entries++;
        }
        rig_check(&r);
    }
    assert_true(r.vm.stats.ept_violations <= 1); /* the one frame to spare, which nobody had touched */
    rig_fini(&r);
}

static void a_table_that_makes_room_is_invalidated(void **state)
{
    struct vm_rig r;
    begin(&r, state);
    rig_event(&r, 0, HV_EVENT_PAGES_2M, RIG_START, 9);
    struct hv_fault fault = {.kind = HV_FAULT_PAGE, .gva = {RIG_START + HV_KIB(64)}, .error_code = HV_PF_USER};
    struct vm_fault_reply reply = vm_handle_fault(&r.vm, 0, &fault);
    assert_true(reply.resolved);
    assert_int_equal(reply.change.flush, VM_FLUSH_RUN);
    expect_run(&reply.change, RIG_START, 512);
    assert_int_equal(rig_guest_page(&r, 0, RIG_START).size, HV_PAGE_2M);
    /* Nothing made room for this page: its table was there and stays. */
    rig_event(&r, 0, HV_EVENT_UNMAP, RIG_START + HV_MIB(2), 0);
    fault.gva.v = RIG_START + HV_MIB(2);
    reply = vm_handle_fault(&r.vm, 0, &fault);
    assert_true(reply.resolved);
    assert_int_equal(reply.change.flush, VM_FLUSH_NONE);
    end(&r);
}

/* A page is large where the run covers it whole, and where the process uses all of it; elsewhere it stays small. */
static void large_pages_need_room(void **state)
{
    static const struct vm_region regions[] = {{{RIG_START + HV_KIB(4)}, 511 + 512 + 100, 0}};
    struct vm_rig r;
    struct vm_config config = config_of(state);
    config.paging.prefault = false;
    rig_init(&r, &config, regions, 1);
    rig_event(&r, 0, HV_EVENT_PAGES_2M, RIG_START, 18);
    static const struct { uint64_t at; enum hv_page_size size; } uses[] = {
        {HV_KIB(4), HV_PAGE_4K}, {HV_MIB(2), HV_PAGE_2M}, {HV_MIB(4), HV_PAGE_4K},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(uses); i++) {
        rig_touch(&r, 0, RIG_START + uses[i].at, true);
        assert_int_equal(rig_guest_page(&r, 0, RIG_START + uses[i].at).size, uses[i].size);
    }
    rig_check(&r);
    /* One 4K page is excepted from the large one. */
    rig_event(&r, 0, HV_EVENT_PAGES_4K, RIG_START + HV_MIB(3), 0);
    rig_touch(&r, 0, RIG_START + HV_MIB(2), true);
    assert_int_equal(rig_guest_page(&r, 0, RIG_START + HV_MIB(2)).size, HV_PAGE_4K);
    /* Half of a large page is a run that covers none. */
    rig_event(&r, 0, HV_EVENT_PAGES_4K, RIG_START, 18);
    rig_event(&r, 0, HV_EVENT_PAGES_2M, RIG_START + HV_MIB(2), 8);
    rig_touch(&r, 0, RIG_START + HV_MIB(2), true);
    assert_int_equal(rig_guest_page(&r, 0, RIG_START + HV_MIB(2)).size, HV_PAGE_4K);
    end(&r);
}

static void a_processor_without_1g_pages_gets_2m(void **state)
{
    static const struct vm_region gigabyte[] = {{{RIG_START}, 1 << 18, 0}};
    struct vm_rig r;
    struct vm_config config = config_of(state);
    config.pages_1g = false;
    rig_init(&r, &config, gigabyte, 1);
    rig_event(&r, 0, HV_EVENT_PAGES_1G, RIG_START, 18);
    rig_touch(&r, 0, RIG_START, true);
    assert_int_equal(rig_guest_page(&r, 0, RIG_START).size, HV_PAGE_2M);
    end(&r);
}

/* An event of one 4K page within a large one takes, protects, copies or moves the large one. */
static void large_pages_are_taken_whole(void **state)
{
    struct vm_rig r;
    struct vm_config config = config_of(state);
    config.guest.page_size = HV_PAGE_2M;
    rig_init(&r, &config, two_tables, 1);
    const uint64_t inside = RIG_START + HV_MIB(3);
    struct vm_change c = rig_event(&r, 0, HV_EVENT_FORK, inside, 0);
    expect_change(&c, VM_FLUSH_RUN, RIG_SYSTEM_CALL + RIG_PAGE_UPDATE + RIG_TABLE_COPY, 0);
    rig_check(&r);
    uint64_t old = rig_guest_page(&r, 0, inside).frame;
    hv_cycles cycles = rig_touch(&r, 0, RIG_START + HV_MIB(2), true);
    assert_true(cycles >= RIG_PAGE_FAULT + 512 * RIG_PAGE_COPY);
    assert_true(rig_guest_page(&r, 0, inside).frame != old);
    assert_int_equal(r.vm.stats.pages_copied, 512);
    rig_check(&r);
    c = rig_event(&r, 0, HV_EVENT_UNMAP, inside, 0);
    expect_change(&c, VM_FLUSH_RUN, RIG_SYSTEM_CALL + RIG_PAGE_UPDATE, 0);
    assert_int_equal(r.vm.stats.pages_unmapped, 1);
    assert_int_equal(rig_translate(&r, 0, RIG_START + HV_MIB(4) - 1), UINT64_MAX);
    assert_true(rig_translate(&r, 0, RIG_START) != UINT64_MAX);
    /* As 4K pages it comes back from the one large frame, and that splits. */
    rig_event(&r, 0, HV_EVENT_PAGES_4K, RIG_START, 10);
    for (uint64_t i = 0; i < PAGES; i++) {
        rig_touch(&r, 0, RIG_START + i * HV_PAGE_BYTES, true);
        assert_int_equal(rig_guest_page(&r, 0, RIG_START + i * HV_PAGE_BYTES).size, HV_PAGE_4K);
    }
    end(&r);
}

/* --- hostile runs ---------------------------------------------------------------------------------------------------- */

#define LOW_HALF UINT64_C(0x00007ffffffff000)
#define HIGH_HALF UINT64_C(0xffff800000000000)
#define TOP UINT64_C(0xfffffffffffff000)

static const struct vm_region corners[] = {
    {{0}, 1, 0}, {{RIG_START}, 3, 0}, {{LOW_HALF}, 1, 0}, {{HIGH_HALF}, 2, 0}, {{TOP}, 1, 0},
};

static unsigned mapped_corners(struct vm_rig *r)
{
    unsigned mapped = 0;
    for (size_t i = 0; i < HV_ARRAY_LEN(corners); i++) {
        mapped |= (unsigned)(rig_translate(r, 0, corners[i].start.v) != UINT64_MAX) << i;
    }
    return mapped;
}

static void whole_address_spaces(void **state)
{
    struct vm_rig r;
    struct vm_config config = config_of(state);
    rig_init(&r, &config, corners, HV_ARRAY_LEN(corners));
    rig_check(&r);
    assert_int_equal(mapped_corners(&r), 31);
    /* The run of 2^36 pages from 0 on ends in the middle of what is not canonical: it has the lower half. */
    struct vm_change c = rig_event(&r, 0, HV_EVENT_PROTECT, 0, 36);
    expect_change(&c, VM_FLUSH_RUN, RIG_SYSTEM_CALL + 5 * RIG_PAGE_UPDATE, 0);
    c = rig_event(&r, 0, HV_EVENT_UNMAP, 0, 36);
    expect_change(&c, VM_FLUSH_RUN, RIG_SYSTEM_CALL + 5 * RIG_PAGE_UPDATE, 0);
    assert_int_equal(mapped_corners(&r), 8 + 16);
    /* Runs that lie where no address is canonical have nothing, wherever their low 48 bits point. */
    for (uint64_t start = UINT64_C(1) << 48; start != UINT64_C(0xffff000000000000); start += UINT64_C(1) << 48) {
        c = rig_event(&r, 0, start >> 48 & 1 ? HV_EVENT_UNMAP : HV_EVENT_BALLOON, start, 36);
        assert_int_equal(c.flush, VM_FLUSH_NONE);
    }
    c = rig_event(&r, 0, HV_EVENT_UNMAP, UINT64_C(0x0000800000000000), 35);
    expect_change(&c, VM_FLUSH_NONE, RIG_SYSTEM_CALL, 0);
    assert_int_equal(mapped_corners(&r), 8 + 16);
    rig_check(&r);
    /* The last run of the space ends with it. */
    c = rig_event(&r, 0, HV_EVENT_UNMAP, UINT64_C(0xffff000000000000), 36);
    expect_change(&c, VM_FLUSH_RUN, RIG_SYSTEM_CALL + 3 * RIG_PAGE_UPDATE, 0);
    assert_int_equal(mapped_corners(&r), 0);
    for (size_t i = 0; i < HV_ARRAY_LEN(corners); i++) {
        rig_touch(&r, 0, corners[i].start.v, true);
    }
    c = rig_event(&r, 0, HV_EVENT_UNMAP, TOP, 0);
    expect_change(&c, VM_FLUSH_RUN, RIG_SYSTEM_CALL + RIG_PAGE_UPDATE, 0);
    assert_int_equal(mapped_corners(&r), 15);
    end(&r);
}

/* With 5 levels the middle of the space is elsewhere. */
static void five_levels(void **state)
{
    static const struct vm_region regions[] = {{{LOW_HALF}, 2, 0}, {{UINT64_C(0xff00000000000000)}, 1, 0}};
    struct vm_rig r;
    struct vm_config config = config_of(state);
    config.guest.levels = config.host.levels = 5;
    rig_init(&r, &config, regions, HV_ARRAY_LEN(regions));
    rig_check(&r);
    struct vm_change c = rig_event(&r, 0, HV_EVENT_UNMAP, 0, 36);
    expect_change(&c, VM_FLUSH_RUN, RIG_SYSTEM_CALL + 2 * RIG_PAGE_UPDATE, 0);
    c = rig_event(&r, 0, HV_EVENT_UNMAP, UINT64_C(0x0100000000000000), 36);
    expect_change(&c, VM_FLUSH_NONE, RIG_SYSTEM_CALL, 0);
    c = rig_event(&r, 0, HV_EVENT_UNMAP, UINT64_C(0xff00000000000000), 36);
    expect_change(&c, VM_FLUSH_RUN, RIG_SYSTEM_CALL + RIG_PAGE_UPDATE, 0);
    end(&r);
}

/* A trace may touch what is not canonical: that faults, and no table is written for it, with whatever page sizes. */
static void regions_that_are_not_canonical(void **state)
{
    static const struct vm_region regions[] = {
        {{RIG_START}, 5, 0}, {{UINT64_C(0x0000800000000000)}, 600, 0}, {{UINT64_C(0x7000000000000000)}, 600, 0},
        {{UINT64_C(0xffff7fffffe00000)}, 512 + 600, 0},
    };
    for (unsigned share = 0; share <= 4; share++) {
        struct vm_rig r;
        struct vm_config config = config_of(state);
        config.guest.huge_fraction = share * 0.25;
        rig_init(&r, &config, regions, HV_ARRAY_LEN(regions));
        rig_check(&r);
        assert_true(rig_translate(&r, 0, RIG_START) != UINT64_MAX);
        assert_true(rig_translate(&r, 0, HIGH_HALF) != UINT64_MAX);
        assert_true(rig_translate(&r, 0, HIGH_HALF + 600 * HV_PAGE_BYTES - 1) != UINT64_MAX);
        rig_fini(&r);
    }
}

int main(int argc, char **argv)
{
    static const struct { const char *name; CMUnitTestFunction test; } all[] = {
#define T(test) {#test, test}
        T(everything_is_mapped_ahead), T(map_changes_nothing), T(unmap_takes_the_run_and_no_more),
        T(protect_makes_read_only_until_a_store), T(fork_copies_at_the_first_store),
        T(write_fault_asks_for_invalidation), T(first_touches_at_the_same_time), T(migrate_moves_every_page_once), T(balloon_takes_until_the_next_touch),
        T(a_large_host_page_moves_once), T(pages_change_their_size), T(a_table_that_makes_room_is_invalidated),
        T(large_pages_need_room), T(a_processor_without_1g_pages_gets_2m), T(large_pages_are_taken_whole),
        T(whole_address_spaces), T(five_levels), T(regions_that_are_not_canonical),
#undef T
    };
    struct CMUnitTest tests[HV_ARRAY_LEN(all)][HV_ARRAY_LEN(modes)];
    struct gtest_suite suites[HV_ARRAY_LEN(all)];
    for (size_t i = 0; i < HV_ARRAY_LEN(all); i++) {
        gtest_rows(tests[i], all[i].test, modes, sizeof(modes[0]), HV_ARRAY_LEN(modes));
        suites[i] = (struct gtest_suite)GTEST_SUITE(all[i].name, tests[i]);
    }
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
