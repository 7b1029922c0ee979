/* SPDX-License-Identifier: MIT */
/*
 * The SystemC shell adds nothing to a result: `hvsim run`, whose cores run in a process of the kernel and reach memory
 * by transactions, gives the same statistics as a plain loop over the slices of the same run. Tests are linked without
 * SystemC, so the command itself, named by HVSIM, is the other side.
 */
#include "gtest.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/print.h"
#include "base/stat_print.h"
#include "machine/run.h"

struct row {
    const char *name;
    const char *yaml;
};

/* Lone cores have several slices. */
static const struct row rows[] = {
    {"uniform", "workload: {kind: uniform, footprint: 64MiB, accesses: 150000}\n"},
    {"zipf_native", "paging: {mode: native}\n"
                    "workload: {kind: zipf, footprint: 1GiB, accesses: 200001, warmup: 70000}\n"},
    {"odd_clock", "machine: {clock_mhz: 3333}\nworkload: {kind: chase, footprint: 8MiB, accesses: 140000}\n"},
    {"two_cores", "machine: {cores: 2}\ntiming: {sync: quantum}\n"
                  "workload: {kind: uniform, footprint: 64MiB, accesses: 70000}\n"},
    {"short_quanta", "machine: {cores: 3, clock_mhz: 3333}\ntiming: {sync: quantum, quantum_cycles: 7}\n"
                     "workload: {kind: zipf, footprint: 1MiB, accesses: 20000, warmup: 3000}\n"},
    {"threads", "machine: {cores: 4}\ntiming: {sync: quantum}\nvcpu: {threads: true}\npaging: {prefault: false}\n"
                "workload: {kind: sequential, footprint: 1MiB, accesses: 40000}\n"},
    {"idle_cores", "machine: {cores: 4}\ntiming: {sync: quantum}\nvm: {count: 1, vcpus: 3}\n"
                   "sched: {processes: 2, process_quantum: 100}\n"
                   "workload: {kind: chase, footprint: 1MiB, accesses: 20000, warmup: 5000}\n"},
    {"machines", "machine: {cores: 2}\ntiming: {sync: quantum}\nvm: {count: 2, vcpus: 2}\n"
                 "sched: {vcpu_quantum: 500}\nworkload: {footprint: 2MiB, accesses: 30000}\n"},
    {"exact", "machine: {cores: 2}\nworkload: {kind: uniform, footprint: 64MiB, accesses: 70000}\n"},
    {"exact_threads", "machine: {cores: 4, clock_mhz: 3333}\nvcpu: {threads: true}\npaging: {prefault: false}\n"
                      "workload: {kind: zipf, footprint: 4MiB, accesses: 20000, warmup: 3000}\n"},
    {"exact_window", "machine: {cores: 3}\ncore: {model: window, warmup_model: functional}\n"
                     "workload: {kind: uniform, footprint: 64MiB, accesses: 20000, warmup: 3000}\n"},
    {"exact_machines", "machine: {cores: 3}\nvm: {count: 2, vcpus: 2}\nsched: {vcpu_quantum: 500}\n"
                       "workload: {footprint: 2MiB, accesses: 30000}\n"},
    {"faults", "paging: {prefault: false}\nworkload: {kind: sequential, footprint: 4MiB, accesses: 140000}\n"},
};

/* The digits that a printed number keeps. */
static json_t *as_printed(json_t *made)
{
    char *text = json_dumps(made, PRINT_JSON_FLAGS);
    json_decref(made);
    json_t *read = json_loads(text, 0, NULL);
    free(text);
    return read;
}

static json_t *plain_loop(const char *config)
{
    struct machine_params params;
    struct hv_err err = {""};
    machine_params_init(&params);
    if (!params_load(&machine_schema, &params, config, &err) || !machine_params_resolve(&params, &err)) {
        fail_msg("%s", err.text);
    }
    struct machine *m = machine_new(&params, NULL, &err);
    if (m == NULL) {
        fail_msg("%s", err.text);
    }
    struct run_options options = {.show_progress = false};
    struct run run;
    assert_true(run_begin(&run, m, &options, &err));
    run_plainly(&run);
    run_finish(&run);
    assert_int_equal(run.end, RUN_COMPLETE);
    json_t *stats = as_printed(stats_to_json(&m->stats));
    machine_free(m);
    return stats;
}

static json_t *under_systemc(const char *hvsim, const char *config)
{
    char *command;
    assert_true(asprintf(&command, "'%s' run '%s' --format json", hvsim, config) > 0);
    FILE *output = popen(command, "r");
    assert_non_null(output);
    json_t *result = json_loadf(output, 0, NULL);
    assert_int_equal(pclose(output), 0);
    free(command);
    assert_non_null(result);
    json_t *stats = json_incref(json_object_get(result, "stats"));
    json_decref(result);
    return stats;
}

static void write_config(char *path, const char *yaml)
{
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, yaml, strlen(yaml)), strlen(yaml));
    close(file);
}

static void kernel_adds_nothing(void **state)
{
    const struct row *row = *state;
    const char *hvsim = getenv("HVSIM");
    if (hvsim == NULL || access(hvsim, X_OK) != 0) {
        skip(); /* a test program by itself does not know where the command is */
    }
    char path[] = "/tmp/hvsim-systemc-XXXXXX";
    write_config(path, row->yaml);
    json_t *plain = plain_loop(path), *kernel = under_systemc(hvsim, path);
    unlink(path);
    assert_true(json_object_size(plain) > 0);
    const char *name;
    json_t *value;
    json_object_foreach(plain, name, value) {
        if (!json_equal(value, json_object_get(kernel, name))) {
            fail_msg("%s differs", name);
        }
    }
    assert_int_equal(json_object_size(plain), json_object_size(kernel));
    json_decref(plain);
    json_decref(kernel);
}

int main(int argc, char **argv)
{
    struct CMUnitTest tests[HV_ARRAY_LEN(rows)];
    gtest_rows(tests, kernel_adds_nothing, rows, sizeof(rows[0]), HV_ARRAY_LEN(rows));
    return gtest_main(argc, argv, "SystemC", tests, HV_ARRAY_LEN(tests));
}
