/* SPDX-License-Identifier: MIT */
/* How memory is divided: what is refused and with which words, machines beside each other, demand paging of any mix. */
#include "gtest.h"

#include <string.h>

#include "base/rng.h"
#include "vm_rig.h"

static const struct vm_region region_16m[] = {{{RIG_START}, 4096, 0}};

/* Tries to lay a machine out in so much host memory; leaves the sentence in err. */
static bool fits(const struct vm_config *config, const struct vm_region *regions, size_t count, uint64_t memory_bytes,
                 struct hv_err *err)
{
    struct physmem memory;
    struct vm vm;
    uint64_t next = VM_HOST_START;
    *err = (struct hv_err){""};
    assert_true(physmem_init(&memory, memory_bytes, err));
    bool ok = vm_init(&vm, config, regions, count, &memory, &next, err);
    assert_true(!ok || next <= memory_bytes + HV_MIB(2)); /* it is where the next machine would begin */
    vm_fini(&vm);
    physmem_fini(&memory);
    return ok;
}

static void guest_memory_that_is_too_small(void **state)
{
    (void)state;
    struct vm_config config = rig_config(PAGING_NESTED, PAGING_EPT);
    struct hv_err err;
    config.memory = HV_MIB(16);
    assert_true(fits(&config, region_16m, 1, HV_GIB(1), &err));
    config.memory = HV_MIB(16) - 1;
    assert_false(fits(&config, region_16m, 1, HV_GIB(1), &err));
    assert_string_equal(err.text, "vm.memory is 15 MiB, but the processes of a VM use 16 MiB; raise vm.memory or lower "
                                  "workload.footprint");
    /* Large pages round what is used up. */
    static const struct vm_region two_halves[] = {{{RIG_START + HV_MIB(1)}, 512, 0}};
    config.guest.page_size = HV_PAGE_2M;
    config.memory = HV_MIB(4);
    assert_true(fits(&config, two_halves, 1, HV_GIB(1), &err));
    config.memory = HV_MIB(3);
    assert_false(fits(&config, two_halves, 1, HV_GIB(1), &err));
    assert_string_equal(err.text, "vm.memory is 3 MiB, but the processes of a VM use 4 MiB; raise vm.memory or lower "
                                  "workload.footprint");
}

/* The sentence names a memory that is enough, and no less than what is used. */
static void host_memory_that_is_too_small(void **state)
{
    (void)state;
    for (unsigned mode = PAGING_NATIVE; mode <= PAGING_NESTED; mode++) {
        struct vm_config config = rig_config((enum paging_mode)mode, PAGING_EPT);
        struct hv_err err;
        unsigned long long have, need;
        assert_false(fits(&config, region_16m, 1, HV_MIB(16), &err));
        assert_int_equal(sscanf(err.text, "machine.memory is %llu MiB, but the workload with its page tables needs %llu "
                                          "MiB; raise machine.memory or lower workload.footprint", &have, &need), 2);
        assert_int_equal(have, 16);
        assert_in_range(need, 17, 24);
        assert_true(fits(&config, region_16m, 1, HV_MIB(need), &err));
    }
}

/* Regions whose sizes do not fit in 64 bits together, as a hostile trace may claim. */
static void absurd_regions_are_refused(void **state)
{
    (void)state;
    struct vm_region absurd[64];
    for (uint32_t i = 0; i < HV_ARRAY_LEN(absurd); i++) {
        absurd[i] = (struct vm_region){{0}, UINT64_C(1) << (i % 2 == 0 ? 52 : 51), i};
    }
    for (size_t count = 1; count <= HV_ARRAY_LEN(absurd); count++) {
        struct vm_config config = rig_config(PAGING_NESTED, PAGING_EPT);
        struct hv_err err;
        config.processes = HV_ARRAY_LEN(absurd);
        config.guest.page_size = (uint32_t)count % 3;
        assert_false(fits(&config, absurd, count, HV_GIB(1), &err));
        assert_memory_equal(err.text, "machine.memory is 1024 MiB", strlen("machine.memory is 1024 MiB"));
    }
}

static void more_processes_than_pcids(void **state)
{
    (void)state;
    struct vm_config config = rig_config(PAGING_NATIVE, PAGING_EPT);
    struct hv_err err;
    config.processes = 4096;
    assert_true(fits(&config, region_16m, 1, HV_GIB(1), &err));
    config.processes = 4097;
    assert_false(fits(&config, region_16m, 1, HV_GIB(1), &err));
    assert_string_equal(err.text, "a VM has 4097 processes, but there are PCIDs for 4096; set sched.pcid to false, or "
                                  "lower sched.processes or vm.vcpus");
    config.pcid = false;
    assert_true(fits(&config, region_16m, 1, HV_GIB(1), &err));
}

/* CR3 holds the root and the PCID, and neither disturbs the other, up to the last process. */
static void registers_of_many_processes(void **state)
{
    (void)state;
    struct vm_config config = rig_config(PAGING_NATIVE, PAGING_EPT);
    struct vm_rig r;
    config.processes = 4096;
    rig_init(&r, &config, region_16m, 1);
    for (uint32_t i = 0; i < 4096; i++) {
        struct mmu_regs regs = vm_regs(&r.vm, i, 3);
        assert_int_equal(regs.cr3, r.vm.processes[i].table.root | i);
        assert_int_equal(regs.vpid, 0); /* natively there are none */
    }
    rig_fini(&r);
}

/* --- machines beside each other -------------------------------------------------------------------------------------- */

static void machines_share_no_memory(void **state)
{
    (void)state;
    enum { VMS = 5 };
    struct physmem memory;
    struct vm vms[VMS];
    struct hv_err err = {""};
    uint64_t next = VM_HOST_START, starts[VMS + 1];
    assert_true(physmem_init(&memory, HV_GIB(1), &err));
    for (unsigned i = 0; i < VMS; i++) {
        struct vm_config config = rig_config(PAGING_NESTED, PAGING_EPT);
        config.seed = i;
        config.host.page_size = i % 2;
        starts[i] = next;
        assert_true(vm_init(&vms[i], &config, region_16m, 1, &memory, &next, &err));
        starts[i + 1] = next;
    }
    bool *used = test_calloc(HV_GIB(1) / HV_PAGE_BYTES, sizeof(*used));
    for (unsigned i = 0; i < VMS; i++) {
        struct vm_rig rig = {.memory = memory, .vm = vms[i]};
        for (uint64_t page = 0; page < region_16m[0].pages; page++) {
            uint64_t frame = rig_translate(&rig, 0, RIG_START + page * HV_PAGE_BYTES);
            assert_in_range(frame, starts[i], starts[i + 1] - 1);
            assert_false(used[frame / HV_PAGE_BYTES]);
            used[frame / HV_PAGE_BYTES] = true;
        }
    }
    test_free(used);
    for (unsigned i = 0; i < VMS; i++) {
        vm_fini(&vms[i]);
    }
    physmem_fini(&memory);
}

/* --- demand paging ---------------------------------------------------------------------------------------------------- */

static const struct mix_row {
    const char *name;
    enum paging_mode mode;
    struct paging_side_params guest, host;
} mixes[] = {
    {"native_huge", PAGING_NATIVE, {4, HV_PAGE_4K, 0.5, 0}, {4, HV_PAGE_4K, 0, 0}},
    {"native_pieces", PAGING_NATIVE, {4, HV_PAGE_2M, 0, 0.5}, {4, HV_PAGE_4K, 0, 0}},
    {"huge_guest", PAGING_NESTED, {4, HV_PAGE_4K, 0.5, 0}, {4, HV_PAGE_4K, 0, 0}},
    {"huge_host", PAGING_NESTED, {4, HV_PAGE_4K, 0, 0}, {4, HV_PAGE_4K, 0.5, 0}},
    {"pieces", PAGING_NESTED, {4, HV_PAGE_2M, 0, 0.5}, {4, HV_PAGE_2M, 0, 0.5}},
    {"huge_and_pieces", PAGING_NESTED, {4, HV_PAGE_4K, 0.3, 0.7}, {4, HV_PAGE_4K, 0.7, 0.3}},
    {"large", PAGING_NESTED, {4, HV_PAGE_1G, 0, 0}, {4, HV_PAGE_1G, 0, 0}},
};

/*
 * Pages of a mix of sizes, touched in random order: large and small frames are asked for by turns, and nevertheless
 * there is one for every page, of the size that the parameters say.
 */
static void every_first_touch_finds_a_frame(void **state)
{
    const struct mix_row *row = *state;
    static const struct vm_region regions[] = {
        {{RIG_START}, 8192, 0}, {{RIG_START + HV_MIB(101)}, 700, 0}, {{RIG_START + HV_KIB(8)}, 5000, 1},
    };
    struct vm_config config = rig_config(row->mode, PAGING_NPT);
    config.guest = row->guest;
    config.host = row->host;
    config.paging.prefault = false;
    config.processes = 2;
    struct vm_rig r;
    struct hv_rng rng;
    rng_init(&rng, 4);
    rig_init(&r, &config, regions, HV_ARRAY_LEN(regions));
    for (unsigned i = 0; i < 60000; i++) {
        const struct vm_region *region = &regions[rng_below(&rng, HV_ARRAY_LEN(regions))];
        uint64_t gva = region->start.v + rng_below(&rng, region->pages) * HV_PAGE_BYTES;
        rig_touch(&r, region->process, gva, true);
        assert_int_equal(rig_guest_page(&r, region->process, gva).size, vm_guest_size(&r.vm, region->process, gva));
    }
    rig_check(&r);
    rig_fini(&r);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guest_memory_that_is_too_small), cmocka_unit_test(host_memory_that_is_too_small),
        cmocka_unit_test(absurd_regions_are_refused), cmocka_unit_test(more_processes_than_pcids),
        cmocka_unit_test(registers_of_many_processes), cmocka_unit_test(machines_share_no_memory),
    };
    struct CMUnitTest mix_tests[HV_ARRAY_LEN(mixes)];
    gtest_rows(mix_tests, every_first_touch_finds_a_frame, mixes, sizeof(mixes[0]), HV_ARRAY_LEN(mixes));
    const struct gtest_suite suites[] = {GTEST_SUITE("VmLayout", tests), GTEST_SUITE("VmDemand", mix_tests)};
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
