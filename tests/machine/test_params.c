/* SPDX-License-Identifier: MIT */
/* The parameters of a whole machine: the names that are promised, defaults, and what no single range can say. */
#include "gtest.h"

#include <stdlib.h>
#include <string.h>

#include "build.h"

/* Names that scripts, courses and papers rely on. */
static const char *const promised[] = {
    "machine.cores", "machine.clock_mhz", "machine.memory", "timing.sync", "timing.quantum_cycles", "check.stale",
    "core.model", "core.width", "core.rob", "core.mshrs", "tlb.tagged", "tlb.l2.sizes", "mmu.walkers", "mmu.pwc.kind",
    "mmu.pwc.latency_cycles", "mmu.nested_tlb.entries", "mmu.nested_tlb.ways", "mmu.nested_tlb.latency_cycles",
    "dram.latency_cycles", "dram.channels", "dram.bytes_per_cycle", "paging.mode", "paging.guest.levels",
    "paging.guest.page_size", "paging.guest.huge_fraction", "paging.host.levels", "paging.host.page_size",
    "paging.host.huge_fraction", "paging.host.table_page_size", "paging.accessed_dirty", "paging.prefault",
    "workload.kind", "workload.footprint", "workload.accesses", "workload.seed", "workload.write_fraction",
    "workload.instructions_per_access", "workload.stride", "workload.theta",
};

static void assert_known(const char *name)
{
    struct param_ref ref;
    if (!params_find(&machine_schema, name, &ref)) {
        fail_msg("there is no parameter %s", name);
    }
}

/* Every combination of a folder of names and a list of members. */
static void assert_all_known(const char *const *prefixes, size_t prefix_count, const char *const *members,
                             size_t member_count)
{
    for (size_t i = 0; i < prefix_count; i++) {
        for (size_t j = 0; j < member_count; j++) {
            char name[PARAM_NAME_BYTES];
            snprintf(name, sizeof(name), "%s.%s", prefixes[i], members[j]);
            assert_known(name);
        }
    }
}

static void promised_names_exist(void **state)
{
    (void)state;
    static const char *const tlbs[] = {"tlb.l1d_4k", "tlb.l1d_2m", "tlb.l1d_1g", "tlb.l1i_4k", "tlb.l1i_2m", "tlb.l2",
                                       "tlb.l2_1g"};
    static const char *const tlb_members[] = {"entries", "ways", "latency_cycles", "replacement"};
    static const char *const pwcs[] = {"mmu.pwc.guest.l5", "mmu.pwc.guest.l4", "mmu.pwc.guest.l3", "mmu.pwc.guest.l2",
                                       "mmu.pwc.host.l5", "mmu.pwc.host.l4", "mmu.pwc.host.l3", "mmu.pwc.host.l2"};
    static const char *const pwc_members[] = {"entries", "ways"};
    static const char *const caches[] = {"cache.l1d", "cache.l1i", "cache.l2", "cache.llc"};
    static const char *const cache_members[] = {"size", "ways", "line_bytes", "latency_cycles"};
    for (size_t i = 0; i < HV_ARRAY_LEN(promised); i++) {
        assert_known(promised[i]);
    }
    assert_all_known(tlbs, HV_ARRAY_LEN(tlbs), tlb_members, HV_ARRAY_LEN(tlb_members));
    assert_all_known(pwcs, HV_ARRAY_LEN(pwcs), pwc_members, HV_ARRAY_LEN(pwc_members));
    assert_all_known(caches, HV_ARRAY_LEN(caches), cache_members, HV_ARRAY_LEN(cache_members));
}

/* --- defaults ----------------------------------------------------------------------------------------------------- */

/* Each default, set as a user would set it, is accepted and is the same value. An empty text is no value to set. */
static bool default_can_be_set(void *ctx, const struct param_ref *ref)
{
    struct machine_params *params = ctx;
    char before[512], after[512];
    struct hv_err err = {""};
    struct hv_where where = {"test", 0, 0};
    params_format(ref, params, before, sizeof(before));
    if (before[0] == '\0') {
        return true;
    }
    if (!params_set(&machine_schema, params, ref->name, before, &where, &err)) {
        fail_msg("%s", err.text);
    }
    params_format(ref, params, after, sizeof(after));
    assert_string_equal(before, after);
    return true;
}

static void every_default_can_be_set(void **state)
{
    (void)state;
    struct machine_params params;
    resolve_settings(&params, "");
    params_each(&machine_schema, default_can_be_set, &params);
}

/* What params_write_yaml says of params. */
static char *yaml_of(const struct machine_params *params)
{
    char *text;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    params_write_yaml(&machine_schema, params, out);
    fclose(out);
    return text;
}

static void written_parameters_are_read_back(void **state)
{
    (void)state;
    struct machine_params params, again;
    struct conf_doc doc;
    struct hv_err err = {""};
    resolve_settings(&params, "tlb.l2.entries=96 tlb.l2.ways=full tlb.l2.sizes=[4k] cache.llc.size=3MiB "
                              "workload.theta=0.1 paging.mode=native workload.trace=/tmp/a\"b.hvt workload.warmup=12 "
                              "check.stale=true mmu.pwc.host.l2.entries=7 core.width=6");
    char *text = yaml_of(&params);
    machine_params_init(&again);
    if (!conf_read_buffer(&doc, "text", text, strlen(text), &err) ||
        !params_load_map(&machine_schema, &again, &doc, &doc.root, &err)) {
        fail_msg("%s", err.text);
    }
    char *text_again = yaml_of(&again);
    assert_string_equal(text, text_again);
    assert_int_equal(again.tlb[TLB_L2].entries, 96);
    assert_int_equal(again.tlb[TLB_L2].ways, PARAM_WAYS_FULL);
    assert_int_equal(again.cache[CACHE_LLC].size, 3 << 20);
    assert_int_equal(again.pwc_level[HV_HOST][2].entries, 7);
    assert_string_equal(again.workload.trace, "/tmp/a\"b.hvt");
    assert_true(again.check.stale);
    conf_fini(&doc);
    free(text);
    free(text_again);
}

/* A mount has its own defaults: those of a Skylake client core. */
static void mounts_have_their_own_defaults(void **state)
{
    (void)state;
    struct machine_params params;
    resolve_settings(&params, "");
    assert_int_equal(params.tlb[TLB_L1D_4K].entries, 64);
    assert_int_equal(params.tlb[TLB_L1D_4K].ways, 4);
    assert_int_equal(params.tlb[TLB_L2].entries, 1536);
    assert_int_equal(params.tlb[TLB_L2].ways, 12);
    assert_int_equal(params.tlb[TLB_L2].sizes, 1u << HV_PAGE_4K | 1u << HV_PAGE_2M);
    assert_int_equal(params.tlb[TLB_L2_1G].sizes, 1u << HV_PAGE_1G);
    assert_int_equal(params.cache[CACHE_L1D].size, HV_KIB(32));
    assert_int_equal(params.cache[CACHE_LLC].size, HV_MIB(8));
    assert_int_equal(params.pwc_level[HV_GUEST][2].entries, 32);
    assert_int_equal(params.pwc_level[HV_HOST][4].entries, 2);
}

/* Unless somebody says so, a synthetic workload is a million accesses and a trace is run to its end. */
static void length_of_a_run(void **state)
{
    (void)state;
    struct machine_params params;
    resolve_settings(&params, "");
    assert_int_equal(params.workload.accesses, 1000000);
    resolve_settings(&params, "workload.accesses=5000");
    assert_int_equal(params.workload.accesses, 5000);
    resolve_settings(&params, "workload.kind=trace workload.trace=x.hvt");
    assert_true(params.workload.accesses > UINT64_C(1) << 40);
    resolve_settings(&params, "workload.kind=trace workload.trace=x.hvt workload.accesses=7");
    assert_int_equal(params.workload.accesses, 7);
}

/* --- what no single range can say --------------------------------------------------------------------------------- */

static const struct refused {
    const char *name, *settings, *sentence;
} refused[] = {
    {"native_vms", "paging.mode=native vm.count=2",
     "vm.count is 2, but paging.mode native has no virtual machines; use sched.processes, or paging.mode nested"},
    {"no_1g_pages", "paging.guest.page_size=1g mmu.pages_1g=false",
     "paging.guest.page_size is 1g, but mmu.pages_1g is false; set one of them otherwise"},
    {"half_a_page", "machine.memory=1048577", "machine.memory is 1048577 bytes, no multiple of 4KiB"},
    {"narrow_addresses", "machine.memory=1TiB mmu.physical_bits=39",
     "machine.memory of 1024 GiB does not fit mmu.physical_bits of 39; raise the bits or lower the memory"},
    {"huge_in_guest", "paging.guest.huge_fraction=0.5 paging.guest.page_size=2m",
     "paging.guest.huge_fraction applies to page_size 4k only; set it to 0 or page_size to 4k"},
    {"huge_in_host", "paging.host.huge_fraction=0.5 paging.host.page_size=1g",
     "paging.host.huge_fraction applies to page_size 4k only; set it to 0 or page_size to 4k"},
    {"pieces_of_1g_in_guest", "paging.guest.fragmentation=0.5 paging.guest.page_size=1g",
     "paging.guest.fragmentation applies to page_size 4k and 2m only; set it to 0 or page_size to one of these"},
    {"pieces_of_1g_in_host", "paging.host.fragmentation=0.5 paging.host.page_size=1g",
     "paging.host.fragmentation applies to page_size 4k and 2m only; set it to 0 or page_size to one of these"},
};

static void is_refused(void **state)
{
    const struct refused *row = *state;
    struct machine_params params;
    struct hv_err err = {""};
    machine_params_init(&params);
    apply_settings(&params, row->settings);
    assert_false(machine_params_resolve(&params, &err));
    assert_string_equal(err.text, row->sentence);
}

/* Just inside what is refused. */
static const struct accepted {
    const char *name, *settings;
} accepted[] = {
    {"1g_pages", "paging.guest.page_size=1g mmu.pages_1g=true"},
    {"memory_that_fills_the_addresses", "machine.memory=512GiB mmu.physical_bits=39"},
    {"whole_pages", "machine.memory=1052672"},
    {"huge_pages_among_small", "paging.guest.huge_fraction=1 paging.host.huge_fraction=1"},
    {"pieces", "paging.guest.fragmentation=1 paging.host.fragmentation=1 paging.host.page_size=2m"},
    {"sizes_that_differ", "paging.guest.page_size=2m paging.host.page_size=1g paging.host.table_page_size=4k"},
};

static void is_accepted(void **state)
{
    const struct accepted *row = *state;
    struct machine_params params;
    resolve_settings(&params, row->settings);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(promised_names_exist),
        cmocka_unit_test(every_default_can_be_set),
        cmocka_unit_test(written_parameters_are_read_back),
        cmocka_unit_test(mounts_have_their_own_defaults),
        cmocka_unit_test(length_of_a_run),
    };
    struct CMUnitTest refused_tests[HV_ARRAY_LEN(refused)], accepted_tests[HV_ARRAY_LEN(accepted)];
    gtest_rows(refused_tests, is_refused, refused, sizeof(refused[0]), HV_ARRAY_LEN(refused));
    gtest_rows(accepted_tests, is_accepted, accepted, sizeof(accepted[0]), HV_ARRAY_LEN(accepted));
    const struct gtest_suite suites[] = {
        GTEST_SUITE("MachineParams", tests),
        GTEST_SUITE("MachineParamsRefused", refused_tests),
        GTEST_SUITE("MachineParamsAccepted", accepted_tests),
    };
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
