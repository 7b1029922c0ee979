/* SPDX-License-Identifier: MIT */
/*
 * Some hundreds of machines of random shape with short streams: whatever is combined, every access is made, none is
 * given up, no translation is stale, and the identities between statistics hold (run_finish checks them).
 */
#include "gtest.h"

#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "build.h"

enum { MACHINES = 400, GROUPS = 8, SETTINGS_BYTES = 2048 };

/* A parameter and the values of which one is drawn. */
static const struct choice {
    const char *key;
    const char *values[7];
} choices[] = {
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

static unsigned values_of(const struct choice *c)
{
    unsigned count = 0;
    while (count < HV_ARRAY_LEN(c->values) && c->values[count] != NULL) {
        count++;
    }
    return count;
}

static void draw(struct hv_rng *rng, char settings[SETTINGS_BYTES])
{
    size_t used = (size_t)snprintf(settings, SETTINGS_BYTES, "check.stale=true workload.stride=4KiB");
    for (size_t i = 0; i < HV_ARRAY_LEN(choices); i++) {
        const char *value = choices[i].values[rng_below(rng, values_of(&choices[i]))];
        used += (size_t)snprintf(settings + used, SETTINGS_BYTES - used, " %s=%s", choices[i].key, value);
        assert_true(used < SETTINGS_BYTES);
    }
}

/* Combinations that the parameters' own check refuses are no machines; run_begin refuses a warm-up that is too long. */
static bool possible(const char *settings)
{
    struct machine_params params;
    struct hv_err err = {""};
    machine_params_init(&params);
    apply_settings(&params, settings);
    return machine_params_resolve(&params, &err) && params.workload.warmup < params.workload.accesses;
}

static void check(const struct machine *m, const char *settings)
{
    uint64_t streams = m->params.vm.count * m->params.sched.processes *
                       (m->params.vm.vcpus != 0 ? m->params.vm.vcpus : m->params.machine.cores);
    uint64_t accesses = stat_of(m, "core.accesses"), measured = m->params.workload.accesses - m->params.workload.warmup;
    if (accesses != streams * measured || stat_of(m, "core.aborted") != 0 || stat_of(m, "mmu.stale_found") != 0) {
        fail_msg("%llu accesses of %llu, %llu aborted, %llu stale: %s", (unsigned long long)accesses,
                 (unsigned long long)(streams * measured), (unsigned long long)stat_of(m, "core.aborted"),
                 (unsigned long long)stat_of(m, "mmu.stale_found"), settings);
    }
    assert_true(stat_of(m, "machine.cycles") * m->params.machine.cores >= stat_of(m, "core.cycles"));
}

static void random_machines_hold_together(void **state)
{
    unsigned group = *(const unsigned *)*state, made = 0;
    struct hv_rng rng;
    rng_init(&rng, group);
    while (made < MACHINES / GROUPS) {
        char settings[SETTINGS_BYTES];
        draw(&rng, settings);
        if (!possible(settings)) {
            continue;
        }
        struct machine *m = run_settings(settings);
        check(m, settings);
        machine_free(m);
        made++;
    }
}

int main(int argc, char **argv)
{
    static const unsigned groups[GROUPS] = {0, 1, 2, 3, 4, 5, 6, 7};
    struct CMUnitTest tests[GROUPS];
    static char names[GROUPS][16];
    for (unsigned i = 0; i < GROUPS; i++) {
        snprintf(names[i], sizeof(names[i]), "group_%u", i);
        tests[i] = (struct CMUnitTest){names[i], random_machines_hold_together, NULL, NULL, (void *)(uintptr_t)&groups[i]};
    }
    return gtest_main(argc, argv, "RandomMachines", tests, GROUPS);
}
