/* SPDX-License-Identifier: MIT */
/*
 * Some hundreds of machines of random shape with short streams: whatever is combined, every access is made, none is
 * given up, no translation is stale, and the identities between statistics hold (run_finish checks them).
 */
#include "gtest.h"

#include <stdio.h>

#include "draw.h"

enum { MACHINES = 400, GROUPS = 8 };

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
        char settings[BUILD_SETTINGS_BYTES] = "check.stale=true workload.stride=4KiB";
        draw_settings(&rng, draw_machine, draw_machine_count, settings);
        if (!draw_possible(settings)) {
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
