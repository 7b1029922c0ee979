/* SPDX-License-Identifier: MIT */
/*
 * Changes of mappings on machines of several cores, from hand-made streams: who is interrupted, when it invalidates,
 * what both sides pay, and who makes up for it later. check.stale watches every use of a cached translation.
 */
#include "gtest.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"
#include "build.h"
#include "script.h"

/* One instruction a cycle; data that a first-level cache has, and translations that a TLB has, take no time. */
#define PLAIN                                                                                                      \
    "core.width=1 check.stale=true workload.footprint=4MiB workload.accesses=1 tlb.l2.latency_cycles=0 "           \
    "vmm.cost.page_fault_cycles=1009 vmm.cost.ept_violation_cycles=2003 vmm.cost.system_call_cycles=307 "          \
    "vmm.cost.page_update_cycles=53 vmm.cost.page_copy_cycles=7 vmm.cost.process_switch_cycles=1511 "            \
    "vmm.cost.vcpu_switch_cycles=4001 vmm.cost.ipi_cycles=809 vmm.cost.shootdown_cycles=401 "
#define THREADS "machine.cores=2 vcpu.threads=true "

enum {
    PAGE_FAULT = 1009, VIOLATION = 2003, SYSTEM_CALL = 307, PAGE_UPDATE = 53, PROCESS_SWITCH = 1511,
    VCPU_SWITCH = 4001, IPI = 809, SHOOTDOWN = 401,
};

/* A stream that grows. */
struct stream {
    struct hv_access *elements;
    size_t count, capacity;
};

static void add(struct stream *s, struct hv_access element)
{
    if (s->count == s->capacity) {
        s->capacity = 2 * s->capacity + 16;
        s->elements = realloc(s->elements, s->capacity * sizeof(*s->elements));
        assert_non_null(s->elements);
    }
    s->elements[s->count++] = element;
}

/* Loads of a page, one a cycle once its translation and line are there. */
static void add_loads(struct stream *s, uint64_t page, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        add(s, script_load(page, 0));
    }
}

/* An event after so many cycles in which nothing else happens; its own time is then the core's, to the cycle. */
static void add_event(struct stream *s, enum hv_event event, uint64_t page, unsigned pages_log2, uint32_t after)
{
    add(s, script_load(1000, after));
    add(s, script_event(event, page, pages_log2));
}

static void use(struct machine *m, unsigned core, unsigned vcpu, unsigned task, const struct stream *s)
{
    script_stream(m, core, vcpu, task, s->elements, s->count);
}

static const struct core_stats *core_of(const struct machine *m, unsigned core)
{
    return &m->cores[core].core.stats;
}

static uint64_t faults_of(const struct machine *m, unsigned core)
{
    return m->cores[core].mmu.stats.faults_guest_page + m->cores[core].mmu.stats.faults_violation;
}

/* --- the other core ------------------------------------------------------------------------------------------------- */

static const struct kind_row {
    const char *name, *settings;
} kinds[] = {
    {"native", "paging.mode=native"},
    {"native_without_pcid", "paging.mode=native sched.pcid=false"},
    {"nested", "paging.mode=nested"},
    {"nested_npt", "paging.host.format=npt"},
    {"without_vpid", "vcpu.vpid=false"},
    {"untagged", "tlb.tagged=false"},
    {"caches_of_entries", "mmu.pwc.kind=entry mmu.nested_tlb.entries=16"},
    {"large_pages", "paging.guest.page_size=2m"},
};

static struct machine *machine_of(void **state, const char *more)
{
    const struct kind_row *row = *state;
    char settings[1024];
    snprintf(settings, sizeof(settings), PLAIN "%s %s", row->settings, more);
    return build_settings(settings);
}

/* One stream for each of two cores. */
static void run_pair(struct machine *m, const struct stream *a, const struct stream *b)
{
    use(m, 0, 0, 0, a);
    use(m, 1, 0, 0, b);
    script_run(m);
}

static void end_pair(struct machine *m, struct stream *a, struct stream *b)
{
    machine_free(m);
    free(a->elements);
    free(b->elements);
}

/* Core 0 unmaps what core 1 has in its TLB. */
static void unmap_reaches_the_other_core(void **state)
{
    struct machine *m = machine_of(state, THREADS);
    struct stream a = {0}, b = {0};
    add(&a, script_load(0, 0));
    add_event(&a, HV_EVENT_UNMAP, 0, 0, 20000);
    add(&a, script_load(600, 0));
    add(&b, script_load(0, 0));
    add_loads(&b, 600, 40000);
    add(&b, script_load(0, 0));
    run_pair(m, &a, &b);
    assert_int_equal(stat_of(m, "vmm.shootdowns"), 1);
    assert_int_equal(stat_of(m, "vmm.late_flushes"), 0);
    assert_int_equal(stat_of(m, "vmm.pages_unmapped"), 1);
    assert_int_equal(faults_of(m, 0), 0);
    assert_int_equal(faults_of(m, 1), 1); /* the translation had gone */
    assert_int_equal(core_of(m, 0)->cycles_fault, SYSTEM_CALL + PAGE_UPDATE);
    assert_int_equal(core_of(m, 0)->cycles_interrupt, IPI + SHOOTDOWN);
    assert_int_equal(core_of(m, 1)->cycles_fault, PAGE_FAULT);
    assert_int_equal(core_of(m, 1)->cycles_interrupt, SHOOTDOWN);
    assert_int_equal(stat_of(m, "mmu.stale_found"), 0);
    end_pair(m, &a, &b);
}

/* When core 1 last found page 0 in its TLB, and when it missed it for the first time after that. */
struct watch {
    hv_cycles last_hit, first_miss;
};

static void watch_event(void *ctx, const struct mmu_event *e)
{
    struct watch *w = ctx;
    if (e->kind == MMU_EVENT_TLB_HIT && w->first_miss == 0) {
        w->last_hit = e->start;
    } else if (e->kind == MMU_EVENT_TLB_MISS && w->first_miss == 0 && w->last_hit != 0) {
        w->first_miss = e->start;
    }
}

/*
 * The interrupt arrives so many cycles after it was sent: the last access that starts before uses the old translation,
 * the first that starts then does not. Each takes one cycle, at the end of which it looks the translation up.
 */
static void the_interrupt_takes_its_time(void **state)
{
    struct machine *m = machine_of(state, THREADS);
    struct stream a = {0}, b = {0};
    struct watch watch = {0, 0};
    add(&a, script_load(0, 0));
    add_event(&a, HV_EVENT_UNMAP, 0, 0, 20000);
    add_loads(&b, 0, 40000);
    use(m, 0, 0, 0, &a);
    use(m, 1, 0, 0, &b);
    mmu_observe(&m->cores[1].mmu, (struct mmu_observer){watch_event, &watch});
    script_run(m);
    /* Core 0 has nothing to do after the event but to wait for core 1, so its end says when it sent the interrupt. */
    hv_cycles arrival = m->cores[0].core.now - SHOOTDOWN;
    assert_int_equal(watch.last_hit, arrival);
    assert_int_equal(watch.first_miss, arrival + SHOOTDOWN + 1);
    assert_int_equal(core_of(m, 1)->cycles_interrupt, SHOOTDOWN);
    assert_int_equal(stat_of(m, "mmu.stale_found"), 0); /* the software knew of these uses and waited */
    end_pair(m, &a, &b);
}

/* Each kind of change reaches the other core, which goes on as the tables say. */
static void every_change_reaches_the_other_core(void **state)
{
    static const enum hv_event events[] = {HV_EVENT_UNMAP, HV_EVENT_PROTECT, HV_EVENT_FORK, HV_EVENT_PAGES_4K,
                                           HV_EVENT_PAGES_2M, HV_EVENT_MIGRATE, HV_EVENT_BALLOON};
    for (size_t i = 0; i < HV_ARRAY_LEN(events); i++) {
        for (unsigned log2 = 0; log2 <= 9; log2 += 3) { /* invalidated page by page, and as a whole process */
            struct machine *m = machine_of(state, THREADS);
            struct stream a = {0}, b = {0};
            add(&a, script_store(3, 0));
            add_event(&a, events[i], 3, log2, 20000);
            add(&a, script_store(3, 0));
            add(&b, script_store(3, 0));
            add_loads(&b, 700, 60000);
            add(&b, script_store(3, 0));
            run_pair(m, &a, &b);
            assert_true(stat_of(m, "vmm.shootdowns") >= 1);
            assert_int_equal(stat_of(m, "core.aborted"), 0);
            assert_int_equal(stat_of(m, "mmu.stale_found"), 0);
            assert_int_equal(stat_of(m, "core.cycles_interrupt"), stat_of(m, "vmm.shootdowns") * (IPI + 2 * SHOOTDOWN));
            end_pair(m, &a, &b);
        }
    }
}

/* --- whom an interrupt is for ---------------------------------------------------------------------------------------- */

/* Processes that are not shared need no interrupts. */
static void strangers_are_not_interrupted(void **state)
{
    struct machine *m = machine_of(state, "machine.cores=2 vcpu.threads=false");
    struct stream a = {0}, b = {0};
    add(&a, script_load(0, 0));
    add_event(&a, HV_EVENT_UNMAP, 0, 0, 20000);
    add_loads(&b, 0, 60000);
    run_pair(m, &a, &b);
    assert_int_equal(stat_of(m, "vmm.shootdowns"), 0);
    assert_int_equal(stat_of(m, "core.cycles_interrupt"), 0);
    assert_int_equal(faults_of(m, 1), 0);
    end_pair(m, &a, &b);
}

/* The second level belongs to the VM: all cores that run it are interrupted, whatever the process. */
static void the_second_level_is_every_processes(void **state)
{
    struct machine *m = machine_of(state, "machine.cores=3 vcpu.threads=false vm.vcpus=3");
    struct stream a = {0}, b = {0};
    if (!m->vms[0].nested) {
        machine_free(m);
        skip();
    }
    add(&a, script_load(0, 0));
    add_event(&a, HV_EVENT_BALLOON, 0, 0, 20000);
    add_loads(&b, 0, 60000);
    use(m, 0, 0, 0, &a);
    use(m, 1, 0, 0, &b);
    use(m, 2, 0, 0, &b);
    script_run(m);
    assert_int_equal(stat_of(m, "vmm.shootdowns"), 2);
    assert_int_equal(core_of(m, 0)->cycles_interrupt, IPI + SHOOTDOWN); /* sent together, waited for once */
    assert_int_equal(core_of(m, 1)->cycles_interrupt, SHOOTDOWN);
    assert_int_equal(core_of(m, 2)->cycles_interrupt, SHOOTDOWN);
    uint64_t host_pages = m->params.guest.page_size == HV_PAGE_2M ? 512 : 1;
    assert_int_equal(core_of(m, 0)->cycles_exit, VIOLATION + host_pages * PAGE_UPDATE);
    assert_int_equal(m->cores[1].mmu.stats.walks, 2); /* its own page has moved nowhere, but is walked again */
    assert_int_equal(stat_of(m, "mmu.stale_found"), 0);
    end_pair(m, &a, &b);
}

/* --- later ------------------------------------------------------------------------------------------------------------ */

/*
 * Core 1 runs another process when the change is made: it is not interrupted, and invalidates when the first process
 * comes back. Its processes share the memory of those of core 0 (threads).
 */
static void a_process_that_was_away_is_flushed_late(void **state)
{
    struct machine *m = machine_of(state, THREADS "sched.processes=2 sched.process_quantum=10000");
    struct stream a = {0}, b = {0}, c = {0}, other = {0};
    add(&a, script_load(0, 0));
    add_event(&a, HV_EVENT_UNMAP, 0, 0, 17000); /* core 1 is in its second process */
    add(&b, script_load(0, 0));
    add_loads(&b, 600, 9999);
    add(&b, script_load(0, 0));
    add_loads(&c, 0, 40000);
    add(&other, script_load(0, 0));
    use(m, 0, 0, 0, &a);
    use(m, 0, 0, 1, &other);
    use(m, 1, 0, 0, &b);
    use(m, 1, 0, 1, &c);
    m->cores[1].schedule.vcpus[0].left = 10000;
    script_run(m);
    assert_int_equal(stat_of(m, "vmm.shootdowns"), 0);
    assert_int_equal(stat_of(m, "vmm.late_flushes"), 1);
    assert_int_equal(core_of(m, 1)->cycles_interrupt, 0);
    assert_int_equal(faults_of(m, 1), 1);
    assert_int_equal(stat_of(m, "mmu.stale_found"), 0);
    end_pair(m, &a, &b);
    free(c.elements);
    free(other.elements);
}

/*
 * Two virtual processors of one process take turns on one core, each with a VPID and so with translations of its own:
 * what the second unmaps, the first still has when it comes back.
 */
static void a_virtual_processor_that_was_away_is_flushed_late(void **state)
{
    struct machine *m = machine_of(state, "machine.cores=1 vm.vcpus=2 vcpu.threads=true sched.vcpu_quantum=5");
    struct stream a = {0}, b = {0};
    add_loads(&a, 0, 10);
    add_loads(&b, 0, 3);
    add(&b, script_event(HV_EVENT_UNMAP, 0, 0));
    add_loads(&b, 600, 7);
    use(m, 0, 0, 0, &a);
    use(m, 0, 1, 0, &b);
    script_run(m);
    assert_int_equal(stat_of(m, "mmu.stale_found"), 0);
    assert_int_equal(faults_of(m, 0), 1);
    assert_int_equal(stat_of(m, "vmm.shootdowns"), 0);
    end_pair(m, &a, &b);
}

/* The same with virtual processors that the stream itself switches between. */
static void virtual_processors_of_a_stream(void **state)
{
    struct machine *m = machine_of(state, "machine.cores=1");
    struct stream a = {0};
    add_loads(&a, 0, 3);
    add(&a, script_switch(HV_EVENT_VCPU, 255));
    add_loads(&a, 0, 3);
    add(&a, script_event(HV_EVENT_UNMAP, 0, 0));
    add(&a, script_switch(HV_EVENT_VCPU, 0));
    add_loads(&a, 0, 3);
    add(&a, script_switch(HV_EVENT_VCPU, 255));
    add_loads(&a, 0, 3);
    use(m, 0, 0, 0, &a);
    script_run(m);
    assert_int_equal(stat_of(m, "mmu.stale_found"), 0);
    assert_int_equal(faults_of(m, 0), 1);
    if (m->vms[0].nested) {
        assert_int_equal(stat_of(m, "vmm.vcpu_switches"), 3);
        assert_int_equal(core_of(m, 0)->cycles_exit, 3 * vcpu_switch_cycles(m, true));
    }
    machine_free(m);
    free(a.elements);
}

/* A VM that was away when its second level changed. */
static void a_vm_that_was_away_is_flushed_late(void **state)
{
    struct machine *m = machine_of(state, "machine.cores=2 vm.vcpus=2 sched.vcpu_quantum=10000");
    if (!m->vms[0].nested) {
        machine_free(m);
        skip();
    }
    machine_free(m);
    m = machine_of(state, "machine.cores=2 vm.count=2 vm.vcpus=2 vcpu.threads=true sched.vcpu_quantum=10000");
    struct stream a = {0}, b = {0}, c = {0}, other = {0};
    add(&a, script_load(0, 0));
    add_event(&a, HV_EVENT_BALLOON, 0, 0, 19000); /* core 1 runs the other VM */
    add(&b, script_load(0, 0));
    add_loads(&b, 600, 9999);
    add(&b, script_load(0, 0));
    add_loads(&c, 0, 40000);
    add(&other, script_load(0, 0));
    use(m, 0, 0, 0, &a);
    use(m, 0, 1, 0, &other);
    use(m, 1, 0, 0, &b);
    use(m, 1, 1, 0, &c);
    script_run(m);
    assert_int_equal(stat_of(m, "vmm.shootdowns"), 0);
    assert_int_equal(stat_of(m, "vmm.late_flushes"), 1);
    assert_int_equal(faults_of(m, 1), 1);
    assert_int_equal(stat_of(m, "mmu.stale_found"), 0);
    end_pair(m, &a, &b);
    free(c.elements);
    free(other.elements);
}

/*
 * Two changes whose interrupts arrive the other way round: the call of core 0 is long, that of core 2 short. Core 1 takes
 * the second, goes to another process and comes back before the first arrives: it must not believe itself up to date.
 */
static void interrupts_may_overtake_each_other(void **state)
{
    struct machine *m = machine_of(state, "machine.cores=3 vcpu.threads=true sched.processes=2 "
                                          "sched.process_quantum=20000 vmm.cost.page_update_cycles=1000");
    if (m->params.guest.page_size != HV_PAGE_4K) {
        machine_free(m);
        skip(); /* the long call would be one of a single page */
    }
    struct stream a = {0}, b = {0}, c = {0}, away = {0}, other = {0};
    add(&a, script_load(0, 0));
    add_event(&a, HV_EVENT_UNMAP, 0, 8, 15000); /* 256 pages of 1000 cycles */
    add(&c, script_load(600, 0));
    add_event(&c, HV_EVENT_UNMAP, 600, 0, 16000);
    add(&b, script_load(0, 0));
    add_loads(&b, 900, 19999);
    for (unsigned i = 0; i < 20000; i++) {
        add(&b, script_load(0, 0));
    }
    add_loads(&away, 900, 20000);
    add(&other, script_load(900, 0));
    use(m, 0, 0, 0, &a);
    use(m, 0, 0, 1, &other);
    use(m, 1, 0, 0, &b);
    use(m, 1, 0, 1, &away);
    use(m, 2, 0, 0, &c);
    use(m, 2, 0, 1, &other);
    script_run(m);
    assert_true(stat_of(m, "vmm.late_flushes") >= 1);
    assert_int_equal(stat_of(m, "mmu.stale_found"), 0);
    assert_int_equal(faults_of(m, 1), 1);
    end_pair(m, &a, &b);
    free(c.elements);
    free(away.elements);
    free(other.elements);
}

/* --- many ------------------------------------------------------------------------------------------------------------- */

/* More interrupts on their way than any fixed number, to a core that is busy with one long access. */
static void a_thousand_interrupts_wait(void **state)
{
    struct machine *m = machine_of(state, THREADS "vmm.cost.ipi_cycles=0 vmm.cost.shootdown_cycles=1 "
                                          "vmm.cost.system_call_cycles=0 vmm.cost.page_update_cycles=1 "
                                          "vmm.cost.page_fault_cycles=1 vmm.cost.ept_violation_cycles=0");
    struct stream a = {0}, b = {0};
    for (unsigned i = 0; i < 1000; i++) {
        add(&a, script_store(0, 0));
        add(&a, script_event(HV_EVENT_UNMAP, 0, 0));
    }
    add(&b, script_load(0, 10000000)); /* the instructions before it take longer than all of core 0's stream */
    add(&b, script_load(0, 0));
    run_pair(m, &a, &b);
    assert_int_equal(stat_of(m, "vmm.shootdowns"), 1000);
    assert_int_equal(core_of(m, 1)->cycles_interrupt, 1000);
    assert_int_equal(stat_of(m, "mmu.stale_found"), 0);
    end_pair(m, &a, &b);
}

/* Two threads store to the same pages at the same time: each page is made writable, or mapped, once. */
static void faults_that_another_processor_resolved(void **state)
{
    static const enum hv_event before[] = {HV_EVENT_UNMAP, HV_EVENT_FORK, HV_EVENT_PROTECT, HV_EVENT_BALLOON};
    for (size_t i = 0; i < HV_ARRAY_LEN(before); i++) {
        struct machine *m = machine_of(state, THREADS);
        struct stream a = {0}, b = {0};
        for (unsigned round = 0; round < 50; round++) {
            add(&a, script_event(before[i], 0, 6));
            for (uint64_t page = 0; page < 64; page++) {
                add(&a, script_store(page, 3));
                add(&b, script_store(page, 3));
            }
        }
        run_pair(m, &a, &b);
        assert_int_equal(stat_of(m, "core.aborted"), 0);
        assert_int_equal(stat_of(m, "mmu.stale_found"), 0);
        uint64_t resolved = stat_of(m, "vmm.page_faults") + stat_of(m, "vmm.ept_violations") -
                            stat_of(m, "vmm.spurious_faults");
        assert_true(resolved <= 50 * 64 + 1 && resolved > 0); /* the frame to spare that fork takes has to be backed */
        end_pair(m, &a, &b);
    }
}

/* --- anything --------------------------------------------------------------------------------------------------------- */

static struct hv_access random_element(struct hv_rng *rng, unsigned pages)
{
    uint32_t gap = rng_below(rng, 4) == 0 ? (uint32_t)rng_below(rng, 3000) : 0;
    if (rng_below(rng, 12) != 0) {
        uint64_t page = rng_below(rng, pages);
        return rng_below(rng, 2) == 0 ? script_load(page, gap) : script_store(page, gap);
    }
    enum hv_event event = (enum hv_event)rng_below(rng, HV_EVENTS);
    if (event == HV_EVENT_VCPU || event == HV_EVENT_PROCESS) {
        return script_switch(event, rng_below(rng, 3));
    }
    unsigned log2 = (unsigned)rng_below(rng, rng_below(rng, 10) == 0 ? 37 : 11);
    return script_event(event, rng_below(rng, pages), log2);
}

/* Random streams of accesses and events on every core: no stale translation is ever used, no access is given up. */
static void no_stale_translation_is_used(void **state)
{
    static const char *const shapes[] = {
        "machine.cores=1 vm.vcpus=3 vcpu.threads=true sched.processes=2",
        "machine.cores=2 vcpu.threads=true sched.processes=2",
        "machine.cores=3 vm.vcpus=5 vcpu.threads=true",
        "machine.cores=4 vm.vcpus=4 vcpu.threads=false sched.processes=3",
    };
    for (size_t shape = 0; shape < HV_ARRAY_LEN(shapes); shape++) {
        char settings[512];
        snprintf(settings, sizeof(settings), "%s sched.process_quantum=30 sched.vcpu_quantum=70 vmm.cost.ipi_cycles=%u "
                 "paging.host.huge_fraction=0.5 paging.prefault=%s", shapes[shape], shape % 2 == 0 ? 800u : 0u,
                 shape % 2 == 0 ? "true" : "false");
        struct machine *m = machine_of(state, settings);
        struct stream streams[64] = {0};
        struct hv_rng rng;
        rng_init(&rng, shape);
        unsigned used = 0;
        for (unsigned core = 0; core < m->params.machine.cores; core++) {
            for (unsigned v = 0; v < m->cores[core].schedule.vcpu_count; v++) {
                for (unsigned task = 0; task < m->params.sched.processes; task++) {
                    struct stream *s = &streams[used++];
                    for (unsigned i = 0; i < 3000; i++) {
                        add(s, random_element(&rng, 1024));
                    }
                    use(m, core, v, task, s);
                }
            }
        }
        script_run(m);
        assert_int_equal(stat_of(m, "mmu.stale_found"), 0);
        assert_int_equal(stat_of(m, "core.aborted"), 0);
        machine_free(m);
        for (unsigned i = 0; i < used; i++) {
            free(streams[i].elements);
        }
    }
}

int main(int argc, char **argv)
{
    static const struct { const char *name; CMUnitTestFunction test; } all[] = {
#define T(test) {#test, test}
        T(unmap_reaches_the_other_core), T(the_interrupt_takes_its_time), T(every_change_reaches_the_other_core),
        T(strangers_are_not_interrupted), T(the_second_level_is_every_processes),
        T(a_process_that_was_away_is_flushed_late), T(a_virtual_processor_that_was_away_is_flushed_late),
        T(virtual_processors_of_a_stream), T(a_vm_that_was_away_is_flushed_late),
        T(interrupts_may_overtake_each_other), T(a_thousand_interrupts_wait),
        T(faults_that_another_processor_resolved), T(no_stale_translation_is_used),
#undef T
    };
    struct CMUnitTest tests[HV_ARRAY_LEN(all)][HV_ARRAY_LEN(kinds)];
    struct gtest_suite suites[HV_ARRAY_LEN(all)];
    for (size_t i = 0; i < HV_ARRAY_LEN(all); i++) {
        gtest_rows(tests[i], all[i].test, kinds, sizeof(kinds[0]), HV_ARRAY_LEN(kinds));
        suites[i] = (struct gtest_suite)GTEST_SUITE(all[i].name, tests[i]);
    }
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
