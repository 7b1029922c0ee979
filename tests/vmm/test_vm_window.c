/* SPDX-License-Identifier: MIT */
/* Where a guest sees registers of devices: its kernel's page table and EPT, read back as bytes. */
#include "gtest.h"

#include <string.h>

#include "vm_rig.h"
#include "vmm/vm_window.h"

enum { REGISTERS = 8 * HV_PAGE_BYTES };

static bool make(struct vm_rig *r, struct vm_window *w, uint64_t *host_next, struct hv_err *err)
{
    const struct vm_window_config config = {REGISTERS, 46};
    return vm_window_init(w, &r->vm, &config, host_next, err);
}

static uint64_t word(const struct vm_rig *r, uint64_t address)
{
    return physmem_read64(&r->memory, (hv_hpa){address});
}

#define ADDRESS UINT64_C(0x000ffffffffff000)

/*
 * EPT's leaf of a guest-physical address, read by the manual's picture (SDM Vol. 3C figure 29-1): nine bits a level.
 */
static uint64_t ept_leaf(const struct vm_rig *r, uint64_t gpa)
{
    uint64_t table = r->vm.host.root;
    for (int shift = 12 + 9 * ((int)r->vm.config.host.levels - 1); shift > 12; shift -= 9) {
        uint64_t entry = word(r, table + (gpa >> shift & 511) * 8);
        if ((entry & 7) == 0) {
            return 0;
        }
        assert_int_equal(entry & 0x80, 0);
        table = entry & ADDRESS;
    }
    return word(r, table + (gpa >> 12 & 511) * 8);
}

/* The kernel's leaf of a linear address; its tables, of which *user is set if one says so, are memory in EPT. */
static uint64_t kernel_leaf(const struct vm_rig *r, const struct vm_window *w, uint64_t gva, bool *user)
{
    uint64_t table = vm_window_cr3(w, 0x123) & ADDRESS;
    assert_int_equal(vm_window_cr3(w, 0x123) & 0xfff, 0x123);
    *user = true;
    for (int shift = 12 + 9 * ((int)r->vm.config.guest.levels - 1);; shift -= 9) {
        const uint64_t backing = ept_leaf(r, table);
        assert_int_equal(backing & 0x3f, 7 | 6 << 3); /* read, write, execute; write-back */
        const uint64_t entry = word(r, (backing & ADDRESS) + (gva >> shift & 511) * 8);
        *user &= (entry & 4) != 0;
        if (shift == 12 || (entry & 1) == 0) {
            return entry;
        }
        table = entry & ADDRESS;
    }
}

/* Each page is the kernel's alone: present, writable, PWT and PCD, XD; and behind all memory of the guest. */
static void the_kernel_maps_each_page(void **state)
{
    (void)state;
    for (unsigned levels = 4; levels <= 5; levels++) {
        struct vm_config config = rig_config(PAGING_NESTED, PAGING_EPT);
        struct hv_err err = {""};
        struct vm_rig r;
        struct vm_window w;
        config.guest.levels = config.host.levels = levels;
        rig_begin(&r, &config);
        const uint64_t before = rig_translate(&r, 1, RIG_START);
        uint64_t next = r.host_end;
        assert_true(make(&r, &w, &next, &err));
        assert_true(next > r.host_end && next <= r.host_end + 16 * HV_PAGE_BYTES);
        for (uint64_t at = 0; at < REGISTERS; at += HV_PAGE_BYTES) {
            bool user;
            const uint64_t leaf = kernel_leaf(&r, &w, w.gva + at, &user);
            assert_int_equal(leaf & ADDRESS, w.gpa + at);
            assert_int_equal(leaf & 0x1f, 1 | 2 | 8 | 16);
            assert_int_equal(leaf >> 63, 1);
            assert_false(user);
            assert_int_equal(ept_leaf(&r, w.gpa + at), 0);
            assert_int_equal(rig_translate(&r, 0, w.gva + at), UINT64_MAX);
        }
        assert_true(w.gpa >= r.data_end);
        assert_int_equal(rig_translate(&r, 1, RIG_START), before);
        rig_fini(&r);
    }
}

/* Passing: the address, all rights, type 0 (UC). Trapping: write without read. Both to the page. */
static void ept_says_what_an_access_becomes(void **state)
{
    (void)state;
    struct vm_config config = rig_config(PAGING_NESTED, PAGING_EPT);
    struct hv_err err = {""};
    struct vm_rig r;
    struct vm_window w;
    rig_begin(&r, &config);
    assert_true(make(&r, &w, &r.host_end, &err));
    vm_window_pass(&w, HV_PAGE_BYTES, HV_GIB(512), 2 * HV_PAGE_BYTES);
    vm_window_trap(&w, 4 * HV_PAGE_BYTES, 2 * HV_PAGE_BYTES);
    for (uint64_t page = 0; page < 8; page++) {
        const uint64_t entry = ept_leaf(&r, w.gpa + page * HV_PAGE_BYTES);
        if (page == 1 || page == 2) {
            assert_int_equal(entry & ADDRESS, HV_GIB(512) + (page - 1) * HV_PAGE_BYTES);
            assert_int_equal(entry & 0x3f, 7);
        } else if (page == 4 || page == 5) {
            assert_int_equal(entry & 3, 2);
        } else {
            assert_int_equal(entry, 0);
        }
    }
    rig_fini(&r);
}

/* The n-th top-level entry of 4 levels from the end of the address space. */
static uint64_t entry_from_the_end(unsigned n)
{
    return -(uint64_t)n << 39;
}

/* Processes that use the end of the address space, as traces with a vsyscall page do, push the kernel down. */
static void the_kernel_gives_way_to_processes(void **state)
{
    (void)state;
    const struct vm_region regions[] = {
        {{RIG_START}, 1, 0}, {{entry_from_the_end(3) + HV_GIB(2)}, 1, 0}, {{-(UINT64_C(10) << 20)}, 1, 0},
        {{entry_from_the_end(2)}, 1, 1},
    };
    struct vm_config config = rig_config(PAGING_NESTED, PAGING_EPT);
    struct hv_err err = {""};
    struct vm_rig r;
    struct vm_window w;
    config.processes = 2;
    rig_init(&r, &config, regions, HV_ARRAY_LEN(regions));
    assert_true(make(&r, &w, &r.host_end, &err));
    assert_int_equal(w.gva, entry_from_the_end(4));
    rig_fini(&r);
}

/* One that leaves nothing of the upper half, one guest that is too large for the processor, one host that is full. */
static void what_cannot_be_is_a_sentence(void **state)
{
    (void)state;
    struct vm_region regions[256];
    struct vm_config config = rig_config(PAGING_NESTED, PAGING_EPT);
    struct hv_err err = {""};
    struct vm_rig r;
    struct vm_window w;
    for (unsigned i = 0; i < 256; i++) {
        regions[i] = (struct vm_region){{entry_from_the_end(256 - i) + HV_GIB(i)}, 1, 0};
    }
    rig_init(&r, &config, regions, 256);
    assert_false(make(&r, &w, &r.host_end, &err));
    assert_non_null(strstr(err.text, "upper half of the address space"));
    rig_fini(&r);

    rig_init(&r, &config, regions, 255);
    assert_true(make(&r, &w, &r.host_end, &err));
    assert_int_equal(w.gva, entry_from_the_end(1));
    err = (struct hv_err){""};
    assert_false(vm_window_init(&w, &r.vm, &(struct vm_window_config){REGISTERS, 30}, &r.host_end, &err));
    assert_non_null(strstr(err.text, "mmu.physical_bits of 30"));
    err = (struct hv_err){""};
    uint64_t full = r.memory.size - HV_PAGE_BYTES;
    assert_false(make(&r, &w, &full, &err));
    assert_non_null(strstr(err.text, "machine.memory of 65536 MiB"));
    rig_fini(&r);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_kernel_maps_each_page),
        cmocka_unit_test(ept_says_what_an_access_becomes),
        cmocka_unit_test(the_kernel_gives_way_to_processes),
        cmocka_unit_test(what_cannot_be_is_a_sentence),
    };
    return gtest_main(argc, argv, "VmWindow", tests, HV_ARRAY_LEN(tests));
}
