/* SPDX-License-Identifier: MIT */
#include "lab.h"

#include <stdlib.h>
#include <string.h>

#include "gtest.h"

enum { SETTINGS_BYTES = 2048 };

static void apply(struct machine_params *params, const char *settings)
{
    char copy[SETTINGS_BYTES], *rest = copy, *setting;
    struct hv_err err = {""};
    assert_true(strlen(settings) < sizeof(copy));
    strcpy(copy, settings);
    while ((setting = strsep(&rest, " ")) != NULL) {
        if (setting[0] != '\0' && !params_set_option(&machine_schema, params, setting, &err)) {
            fail_msg("%s", err.text);
        }
    }
}

static struct core_fault_reply pass_on_fault(void *ctx, const struct hv_fault *fault, hv_cycles now)
{
    struct lab *l = ctx;
    return l->software.fault(l->software.ctx, fault, now);
}

static void charge_event(void *ctx, const struct hv_access *event)
{
    struct lab *l = ctx;
    (void)event;
    if (l->event_cycles > 0) {
        core_charge(l->core, CORE_COST_EXIT, l->event_cycles, "event");
    }
}

struct lab *lab_new(const char *settings)
{
    struct machine_params params;
    struct hv_err err = {""};
    struct lab *l = calloc(1, sizeof(*l));
    assert_non_null(l);
    machine_params_init(&params);
    apply(&params, settings);
    if (!machine_params_resolve(&params, &err)) {
        fail_msg("%s", err.text);
    }
    l->m = machine_new(&params, NULL, &err);
    if (l->m == NULL) {
        fail_msg("%s", err.text);
    }
    size_t regions;
    l->base = workload_regions(l->m->cores[0].schedule.vcpus[0].tasks[0].workload, &regions)[0].start.v;
    l->core = &l->m->cores[0].core;
    l->software = l->core->software;
    l->core->software = (struct core_software){pass_on_fault, charge_event, l};
    return l;
}

void lab_free(struct lab *l)
{
    machine_free(l->m);
    free(l);
}

struct lab *lab_bench(const char *settings)
{
    char all[SETTINGS_BYTES];
    snprintf(all, sizeof(all),
             "paging.mode=native paging.guest.page_size=1g workload.footprint=1GiB machine.memory=8GiB "
             "cache.l1d.size=%d cache.l1d.ways=full cache.l1d.latency_cycles=%d cache.l2.size=1MiB "
             "cache.l2.latency_cycles=%d core.model=window %s",
             LAB_CACHE * CACHE_LINE_BYTES, LAB_HIT, LAB_MISS, settings);
    struct lab *l = lab_new(all);
    for (uint64_t line = 0; line <= LAB_WARM_LINE; line++) {
        lab_add(l, HV_LOAD, line, 0);
    }
    lab_add(l, HV_FETCH, LAB_WARM_LINE, 0); /* for the TLB of instructions */
    lab_warm(l, (enum core_model)l->m->params.core.model);
    return l;
}

void lab_warm(struct lab *l, enum core_model model)
{
    machine_set_model(l->m, CORE_FUNCTIONAL);
    assert_int_equal(core_run(l->core, l->stream, l->count), l->count);
    l->count = 0;
    l->core->issued = 0;
    machine_set_model(l->m, model);
    machine_reset_stats(l->m);
}

struct hv_access *lab_add(struct lab *l, enum hv_access_kind kind, uint64_t line, uint32_t gap)
{
    assert_true(l->count < LAB_STREAM);
    struct hv_access *a = &l->stream[l->count++];
    *a = (struct hv_access){.gva = {l->base + line * CACHE_LINE_BYTES}, .gap = gap, .kind = (uint8_t)kind, .bytes = 8};
    return a;
}

struct hv_access *lab_chase(struct lab *l, uint64_t line, uint32_t gap)
{
    struct hv_access *a = lab_add(l, HV_LOAD, line, gap);
    a->flags = HV_ACCESS_DEPENDENT;
    return a;
}

void lab_event(struct lab *l, uint32_t gap)
{
    assert_true(l->count < LAB_STREAM);
    l->stream[l->count++] = (struct hv_access){.gap = gap, .kind = HV_EVENT, .bytes = HV_EVENT_PROCESS};
}

hv_cycles lab_run(struct lab *l)
{
    hv_cycles begin = l->core->now;
    assert_int_equal(core_run(l->core, l->stream, l->count), l->count);
    l->count = 0;
    machine_check(l->m);
    return l->core->now - begin;
}
