/* SPDX-License-Identifier: MIT */
#include "cli/run_outputs.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "machine/timeline.h"

enum { KEY_OUT = OPTION_LONG, KEY_INTERVAL, KEY_TIMELINE, KEY_VCD, KEY_ACTIVITY_LIMIT };

#define ACTIVITY_LIMIT_DEFAULT 1000000u     /* 32 MB in memory, about 150 MB as a timeline */
#define ACTIVITY_LIMIT_MAX 1000000000u
#define INTERVAL_MAX UINT64_C(1000000000000000)

static const struct argp_option option_table[] = {
    {"out", KEY_OUT, "DIR", 0, "also write result.json, config.yaml and stats.csv into this directory", 2},
    {"interval", KEY_INTERVAL, "N", 0,
     "also say what each N cycles of simulated time added to the statistics: a table, \"intervals\" in JSON, and "
     "intervals.csv in the directory of --out", 3},
    {"timeline", KEY_TIMELINE, "FILE", 0,
     "write what each core did when as Chrome trace events, which Perfetto opens", 3},
    {"vcd", KEY_VCD, "FILE", 0, "write the same as signals, which GTKWave opens", 3},
    {"activity-limit", KEY_ACTIVITY_LIMIT, "N", 0,
     "--timeline and --vcd end after N spans of activity (1e6; each takes 32 bytes of memory)", 3},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct run_output_options *o = state->input;
    switch (key) {
    case KEY_OUT: o->out = arg; return 0;
    case KEY_INTERVAL: o->interval = arg; return 0;
    case KEY_TIMELINE: o->timeline = arg; return 0;
    case KEY_VCD: o->vcd = arg; return 0;
    case KEY_ACTIVITY_LIMIT: o->activity_limit = arg; return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

const struct argp run_outputs_argp = {.options = option_table, .parser = parse};

/* A count from 1 to max; text NULL leaves it as it is. */
static bool read_count(const char *option, const char *text, uint64_t max, uint64_t *value, struct hv_err *err)
{
    if (!option_count(option, text, value, err)) {
        return false;
    }
    return text == NULL || (*value >= 1 && *value <= max) ||
           hv_fail(err, "%s: \"%.80s\" is out of range; it takes a whole number from 1 to %" PRIu64, option, text,
                   max);
}

static bool records(const struct run_outputs *o)
{
    return o->options->timeline != NULL || o->options->vcd != NULL;
}

bool run_outputs_init(struct run_outputs *o, const struct run_output_options *options, enum print_format format,
                      struct hv_err *err)
{
    *o = (struct run_outputs){.options = options, .activity_limit = ACTIVITY_LIMIT_DEFAULT};
    if (!read_count("--interval", options->interval, INTERVAL_MAX, &o->interval, err) ||
        !read_count("--activity-limit", options->activity_limit, ACTIVITY_LIMIT_MAX, &o->activity_limit, err)) {
        return false;
    }
    if (options->activity_limit != NULL && !records(o)) {
        return hv_fail(err, "--activity-limit is for --timeline and --vcd; give one of them");
    }
    if (options->timeline != NULL && options->vcd != NULL && strcmp(options->timeline, options->vcd) == 0) {
        return hv_fail(err, "--timeline and --vcd cannot be the same file");
    }
    if (options->interval != NULL && format == PRINT_CSV && options->out == NULL) {
        return hv_fail(err, "--interval has no place in --format csv; add --out DIR, which gets an intervals.csv");
    }
    return true;
}

bool run_outputs_prepare(struct run_outputs *o, struct machine *machine, struct run_options *run, struct hv_err *err)
{
    if (o->interval > 0) {
        o->intervals = intervals_new(machine, o->interval, err);
        if (o->intervals == NULL) {
            return false;
        }
        run->intervals = o->intervals;
    }
    if (records(o)) {
        const bool has_devices = machine->io != NULL;
        activity_init(&o->activity, (unsigned)machine->params.machine.cores + has_devices, o->activity_limit);
        o->activity.has_devices = has_devices;
        run->activity = &o->activity;
    }
    return true;
}

bool run_outputs_open(struct run_outputs *o, struct hv_err *err)
{
    const struct run_output_options *options = o->options;
    o->new_directory = options->out != NULL && access(options->out, F_OK) != 0;
    if ((options->out == NULL || dir_create(options->out, err)) &&
        (options->timeline == NULL || atomic_file_open(&o->timeline, options->timeline, err)) &&
        (options->vcd == NULL || wave_file_open(&o->vcd, options->vcd, err))) {
        return true;
    }
    run_outputs_abort(o);
    return false;
}

struct wave_file *run_outputs_waves(struct run_outputs *o)
{
    return o->options->vcd != NULL ? &o->vcd : NULL;
}

static void say_what_is_cut(const struct run_outputs *o, const struct machine *m)
{
    if (o->activity.cut) {
        fprintf(stderr, "hvsim: the recording of activity ends at cycle %" PRIu64 " of %" PRIu64 ", after %" PRIu64
                " spans; --activity-limit takes more\n", o->activity.end, stats_count(&m->stats, "machine.cycles"),
                o->activity_limit);
    }
}

bool run_outputs_write(struct run_outputs *o, const struct result *result, struct hv_err *err)
{
    const struct run_output_options *options = o->options;
    const struct machine *m = result->run->machine;
    int error = o->intervals != NULL ? intervals_error(o->intervals) : 0;
    bool ok = error == 0 || hv_fail(err, "cannot keep the intervals in a temporary file: %s", strerror(error));
    ok = (options->out == NULL || result_write_directory(result, options->out, err)) && ok;
    if (options->timeline != NULL) {
        timeline_write(&o->activity, m->params.machine.clock_mhz, o->timeline.out);
        ok = atomic_file_commit(&o->timeline, err) && ok;
    }
    if (options->vcd != NULL) {
        ok = wave_file_commit(&o->vcd, err) && ok;
    }
    say_what_is_cut(o, m);
    return ok;
}

void run_outputs_abort(struct run_outputs *o)
{
    wave_file_abort(&o->vcd);
    atomic_file_abort(&o->timeline);
    if (o->new_directory) {
        rmdir(o->options->out);
    }
}

void run_outputs_fini(struct run_outputs *o)
{
    activity_fini(&o->activity);
    intervals_free(o->intervals);
}
