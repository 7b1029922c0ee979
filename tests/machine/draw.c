/* SPDX-License-Identifier: MIT */
#include "draw.h"

#include <stdio.h>
#include <string.h>

#include "gtest.h"

const struct draw_choice draw_machine[] = {
    {"machine.cores", {"1", "2", "3", "4", "7"}},
    {"timing.quantum_cycles", {"1", "100", "10000", "50000"}},
    {"vm.count", {"1", "2", "3"}},
    {"vm.vcpus", {"0", "1", "2", "3", "5"}},
    {"vcpu.vpid", {"true", "false"}},
    {"vcpu.threads", {"true", "false"}},
    {"sched.processes", {"1", "2", "3"}},
    {"sched.process_quantum", {"1", "7", "100", "1000"}},
    {"sched.vcpu_quantum", {"1", "13", "200", "2000"}},
    {"sched.pcid", {"true", "false"}},
    {"tlb.tagged", {"true", "false"}},
    {"tlb.l1d_4k.entries", {"0", "4", "64"}},
    {"tlb.l2.entries", {"0", "48", "1536"}},
    {"mmu.pwc.kind", {"none", "translation", "entry"}},
    {"mmu.nested_tlb.entries", {"0", "16"}},
    {"mmu.walkers", {"1", "2"}},
    {"mmu.pages_1g", {"true", "false"}},
    {"cache.l1d.size", {"0", "1KiB", "32KiB"}},
    {"cache.l2.size", {"0", "8KiB", "256KiB"}},
    {"cache.llc.size", {"0", "64KiB", "8MiB"}},
    {"dram.bytes_per_cycle", {"1", "8", "64"}},
    {"paging.mode", {"native", "nested", "nested"}},
    {"paging.prefault", {"true", "false"}},
    {"paging.preset_flags", {"true", "false"}},
    {"paging.accessed_dirty", {"true", "false"}},
    {"paging.guest.levels", {"4", "5"}},
    {"paging.host.levels", {"4", "5"}},
    {"paging.guest.page_size", {"4k", "4k", "2m", "1g"}},
    {"paging.host.page_size", {"4k", "4k", "2m", "1g"}},
    {"paging.host.format", {"ept", "npt"}},
    {"paging.host.table_page_size", {"same", "4k", "2m"}},
    {"paging.guest.huge_fraction", {"0", "0.4", "1"}},
    {"paging.host.huge_fraction", {"0", "0.4", "1"}},
    {"paging.guest.fragmentation", {"0", "0.4", "1"}},
    {"paging.host.fragmentation", {"0", "0.4", "1"}},
    {"workload.kind", {"uniform", "sequential", "chase", "zipf", "stride"}},
    {"workload.footprint", {"4KiB", "100KiB", "3MiB", "5000KiB"}},
    {"workload.accesses", {"1", "50", "3000"}},
    {"workload.warmup", {"0", "0", "40"}},
};
const size_t draw_machine_count = HV_ARRAY_LEN(draw_machine);

static unsigned values_of(const struct draw_choice *c)
{
    unsigned count = 0;
    while (count < HV_ARRAY_LEN(c->values) && c->values[count] != NULL) {
        count++;
    }
    return count;
}

void draw_settings(struct hv_rng *rng, const struct draw_choice *choices, size_t count,
                   char settings[BUILD_SETTINGS_BYTES])
{
    size_t used = strlen(settings);
    for (size_t i = 0; i < count; i++) {
        const char *value = choices[i].values[rng_below(rng, values_of(&choices[i]))];
        used += (size_t)snprintf(settings + used, BUILD_SETTINGS_BYTES - used, " %s=%s", choices[i].key, value);
        assert_true(used < BUILD_SETTINGS_BYTES);
    }
}

bool draw_possible(const char *settings)
{
    struct machine_params params;
    struct hv_err err = {""};
    machine_params_init(&params);
    apply_settings(&params, settings);
    return machine_params_resolve(&params, &err) && params.workload.warmup < params.workload.accesses;
}
