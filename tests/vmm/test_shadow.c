/* SPDX-License-Identifier: MIT */
/*
 * Shadow and agile paging against an oracle: whatever the guest and the hypervisor do to their tables, what the
 * processor is given to walk leads where the guest's and the host's tables lead together.
 */
#include "gtest.h"

#include <stdio.h>

#include "shadow_rig.h"

enum { ROUNDS = 4000, CHECK_EVERY = 50 };

static const struct shape_row {
    const char *name;
    enum paging_mode mode;
    enum paging_format format;
    enum hv_page_size guest, host;
    double huge;
    bool write_protect;    /* vmm.shadow.unsync is off */
    unsigned nested_levels;
    bool clean;            /* flags are not set ahead */
    bool lazy;             /* no prefault */
    unsigned levels;
} shapes[] = {
    {"shadow", PAGING_SHADOW, PAGING_EPT, HV_PAGE_4K, HV_PAGE_4K, 0, false, 0, false, false, 4},
    {"shadow_5_levels", PAGING_SHADOW, PAGING_NPT, HV_PAGE_4K, HV_PAGE_4K, 0, false, 0, true, true, 5},
    {"shadow_protected", PAGING_SHADOW, PAGING_EPT, HV_PAGE_4K, HV_PAGE_4K, 0, true, 0, false, false, 4},
    {"shadow_clean", PAGING_SHADOW, PAGING_NPT, HV_PAGE_4K, HV_PAGE_4K, 0, true, 0, true, false, 4},
    {"shadow_lazy", PAGING_SHADOW, PAGING_EPT, HV_PAGE_4K, HV_PAGE_4K, 0, false, 0, true, true, 4},
    {"shadow_2m_on_4k", PAGING_SHADOW, PAGING_EPT, HV_PAGE_2M, HV_PAGE_4K, 0, false, 0, false, false, 4},
    {"shadow_4k_on_2m", PAGING_SHADOW, PAGING_EPT, HV_PAGE_4K, HV_PAGE_2M, 0, false, 0, false, false, 4},
    {"shadow_2m_on_2m", PAGING_SHADOW, PAGING_EPT, HV_PAGE_2M, HV_PAGE_2M, 0, true, 0, true, true, 4},
    {"shadow_some_huge", PAGING_SHADOW, PAGING_EPT, HV_PAGE_4K, HV_PAGE_4K, 0.5, false, 0, false, false, 4},
    {"agile", PAGING_AGILE, PAGING_EPT, HV_PAGE_4K, HV_PAGE_4K, 0, false, NESTED_AUTO, false, false, 4},
    {"agile_lazy", PAGING_AGILE, PAGING_NPT, HV_PAGE_4K, HV_PAGE_4K, 0, false, NESTED_AUTO, true, true, 4},
    {"agile_2m_on_4k", PAGING_AGILE, PAGING_EPT, HV_PAGE_2M, HV_PAGE_4K, 0, false, NESTED_AUTO, false, false, 4},
    {"agile_some_huge", PAGING_AGILE, PAGING_EPT, HV_PAGE_4K, HV_PAGE_4K, 0.5, false, NESTED_AUTO, false, false, 5},
    {"agile_0", PAGING_AGILE, PAGING_EPT, HV_PAGE_4K, HV_PAGE_4K, 0.5, false, NESTED_0, false, false, 4},
    {"agile_1", PAGING_AGILE, PAGING_EPT, HV_PAGE_4K, HV_PAGE_4K, 0.5, false, NESTED_1, false, false, 4},
    {"agile_2", PAGING_AGILE, PAGING_EPT, HV_PAGE_4K, HV_PAGE_4K, 0, false, NESTED_2, true, true, 4},
    {"agile_3", PAGING_AGILE, PAGING_EPT, HV_PAGE_4K, HV_PAGE_4K, 0, false, NESTED_3, false, false, 4},
    {"agile_4", PAGING_AGILE, PAGING_EPT, HV_PAGE_4K, HV_PAGE_4K, 0, false, NESTED_4, false, true, 4},
    {"agile_full", PAGING_AGILE, PAGING_EPT, HV_PAGE_4K, HV_PAGE_4K, 0, false, NESTED_FULL, false, false, 4},
};

static void begin(struct vm_rig *r, void **state)
{
    const struct shape_row *row = *state;
    struct vm_config config = shadow_config(row->mode, row->format);
    config.guest.page_size = row->guest;
    config.host.page_size = row->host;
    config.guest.huge_fraction = config.host.huge_fraction = row->huge;
    config.guest.levels = row->levels;
    config.shadow.unsync = !row->write_protect;
    config.agile.nested_levels = row->nested_levels;
    config.paging.preset_flags = !row->clean;
    config.paging.prefault = !row->lazy;
    rig_begin(r, &config);
}

static void touch_some(struct vm_rig *r, struct hv_rng *rng, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        uint32_t process;
        uint64_t gva = rig_some_page(rng, &process);
        shadow_touch(r, process, gva, rng_below(rng, 2) == 0);
    }
}

static void scan_some(struct vm_rig *r, struct hv_rng *rng)
{
    if (vm_scan_interval(&r->vm) != UINT64_MAX && rng_below(rng, 20) == 0) {
        vm_scan(&r->vm);
    }
}

static void leads_where_guest_and_host_lead(void **state)
{
    struct vm_rig r;
    struct hv_rng rng;
    rng_init(&rng, 7);
    begin(&r, state);
    shadow_check(&r, rig_regions, RIG_REGIONS);
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint32_t process;
        uint64_t gva = rig_some_page(&rng, &process);
        enum hv_event event = HV_EVENT_MAP + (enum hv_event)rng_below(&rng, HV_EVENT_CPUID - HV_EVENT_MAP);
        shadow_event(&r, process, event, gva, (unsigned)rng_below(&rng, 11));
        touch_some(&r, &rng, 6);
        scan_some(&r, &rng);
        if (round % CHECK_EVERY == 0) {
            rig_check(&r);
            /* What a guest may still see of the past ends with its flush. */
            vm_mov_cr3(&r.vm, 0);
            vm_mov_cr3(&r.vm, 1);
            shadow_check(&r, rig_regions, RIG_REGIONS);
        }
    }
    rig_fini(&r);
}

/* The processor's walk of a shadow sets no flag of the guest's, so a first use and a first store have to be seen. */
static void guest_flags_are_set_by_use(void **state)
{
    struct vm_rig r;
    struct hv_rng rng;
    rng_init(&rng, 11);
    begin(&r, state);
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint32_t process;
        uint64_t gva = rig_some_page(&rng, &process);
        bool store = rng_below(&rng, 2) == 0;
        shadow_touch(&r, process, gva, store);
        struct shadow_page page = shadow_walk(&r, process, gva);
        bool walked_natively = r.vm.shadow != NULL && page.refs <= 5;
        if (walked_natively) {
            uint64_t flags = store ? 32 | 64 : 32;
            assert_int_equal(rig_guest_page(&r, process, gva).entry & flags, flags);
        }
    }
    rig_fini(&r);
}

int main(int argc, char **argv)
{
    static struct CMUnitTest oracle[HV_ARRAY_LEN(shapes)], flags[HV_ARRAY_LEN(shapes)];
    gtest_rows(oracle, leads_where_guest_and_host_lead, shapes, sizeof(shapes[0]), HV_ARRAY_LEN(shapes));
    gtest_rows(flags, guest_flags_are_set_by_use, shapes, sizeof(shapes[0]), HV_ARRAY_LEN(shapes));
    struct gtest_suite suites[] = {
        GTEST_SUITE("leads_where_guest_and_host_lead", oracle), GTEST_SUITE("guest_flags_are_set_by_use", flags),
    };
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
