/* SPDX-License-Identifier: MIT */
#include "build.h"

#include <stdio.h>
#include <string.h>

#include "gtest.h"

void apply_settings(struct machine_params *params, const char *settings)
{
    char copy[BUILD_SETTINGS_BYTES], *rest = copy, *setting;
    struct hv_err err = {""};
    assert_true(strlen(settings) < sizeof(copy));
    strcpy(copy, settings);
    while ((setting = strsep(&rest, " ")) != NULL) {
        if (setting[0] != '\0' && !params_set_option(&machine_schema, params, setting, &err)) {
            fail_msg("%s", err.text);
        }
    }
}

void resolve_settings(struct machine_params *params, const char *settings)
{
    struct hv_err err = {""};
    machine_params_init(params);
    apply_settings(params, settings);
    if (!machine_params_resolve(params, &err)) {
        fail_msg("%s", err.text);
    }
}

struct machine *try_to_build(const char *base, const char *settings, struct hv_err *err)
{
    char all[BUILD_SETTINGS_BYTES];
    struct machine_params params;
    assert_true((size_t)snprintf(all, sizeof(all), "%s %s", base, settings) < sizeof(all));
    resolve_settings(&params, all);
    return machine_new(&params, NULL, err);
}

struct machine *build_with(const char *base, const char *settings)
{
    struct hv_err err = {""};
    struct machine *m = try_to_build(base, settings, &err);
    if (m == NULL) {
        fail_msg("%s", err.text);
    }
    return m;
}

struct machine *build_settings(const char *settings)
{
    return build_with("", settings);
}

void run_to_the_end(struct machine *m)
{
    struct hv_err err = {""};
    struct run run;
    struct run_options options = {.show_progress = false};
    if (!run_begin(&run, m, &options, &err)) {
        fail_msg("%s", err.text);
    }
    run_plainly(&run);
    run_finish(&run);
    assert_int_equal(run.end, RUN_COMPLETE);
    assert_int_equal(run.done, run.total);
}

struct machine *run_with(const char *base, const char *settings)
{
    struct machine *m = build_with(base, settings);
    run_to_the_end(m);
    return m;
}

struct machine *run_settings(const char *settings)
{
    return run_with("", settings);
}

uint64_t stat_of(const struct machine *m, const char *name)
{
    return stats_count(&m->stats, name);
}

double value_of(const struct machine *m, const char *name)
{
    double value = 0;
    long item = stats_find(&m->stats, name);
    assert_true(item >= 0 && stats_value(&m->stats, (size_t)item, &value));
    return value;
}

uint64_t vcpu_switch_cycles(const struct machine *m, bool changes_vpid)
{
    const struct vmx_cost_params *vmx = &m->params.vmx_cost;
    const struct vmm_cost_params *vmm = &m->params.vmm_cost;
    uint64_t cycles = vmx->exit_cycles + vmm->vcpu_switch_cycles + vmx->entry_cycles;
    if (m->params.host_more.format == PAGING_NPT) {
        return cycles;
    }
    cycles += 3 * vmx->vmread_cycles + vmx->vmwrite_cycles + vmx->instruction_cycles + 7;
    if (changes_vpid && m->params.vcpu.vpid) {
        cycles += vmx->vmwrite_cycles + vmx->control_write_cycles + 1;
    }
    return cycles + vmm->dispatch_cycles + vmm->interrupt_cycles;
}
