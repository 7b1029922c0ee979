/* SPDX-License-Identifier: MIT */
#include "host.h"

#include <string.h>

#include "gtest.h"

static bool find(enum sweep_source kind, const char *name, const char *beside, char path[PATH_MAX],
                 struct hv_err *err)
{
    assert_string_equal(beside, "s.yaml");
    if (name[0] != (kind == SWEEP_CONFIG ? 'c' : 'w')) {
        return hv_fail(err, "no %s is called %s", sweep_source_names[kind], name);
    }
    snprintf(path, PATH_MAX, "/somewhere/%s", name);
    return true;
}

static bool load(struct machine_params *params, const char *path, struct hv_err *err)
{
    (void)err;
    assert_memory_equal(path, "/somewhere/", strlen("/somewhere/"));
    if (strcmp(path, "/somewhere/c-wide") == 0) {
        params->core.width = 8;
    }
    if (strcmp(path, "/somewhere/w-short") == 0) {
        params->workload.accesses = 100;
    }
    return true;
}

static bool settle(struct machine_params *params, const char *beside, struct hv_err *err)
{
    (void)params, (void)beside, (void)err;
    return true;
}

const struct sweep_host test_host = {
    .find = find, .load = load, .settle = settle, .simulate = run_plainly, .version = "1.2", .commit = "abc",
    .build = "1.2 abc",
};

void load_sweep(struct sweep *s, const char *text)
{
    struct hv_err err = {""};
    if (!sweep_load_text(s, "s.yaml", text, &test_host, &err)) {
        fail_msg("%s", err.text);
    }
}

void expand_sweep(struct sweep *s, const char *text)
{
    struct hv_err err = {""};
    load_sweep(s, text);
    if (!sweep_expand(s, NULL, 0, &err)) {
        fail_msg("%s", err.text);
    }
}

void assert_refused(const char *text, const char *sentence)
{
    struct sweep s;
    struct hv_err err = {""};
    bool ok = sweep_load_text(&s, "s.yaml", text, &test_host, &err) && sweep_expand(&s, NULL, 0, &err);
    assert_false(ok);
    assert_string_equal(err.text, sentence);
    sweep_fini(&s);
}
