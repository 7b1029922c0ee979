/* SPDX-License-Identifier: MIT */
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "base/interrupt.h"
#include "base/progress.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "workload/record.h"
#include "workload/trace_path.h"

enum { KEY_LIMIT = OPTION_LONG, KEY_SKIP, KEY_THREADS };

struct record_command {
    const char *output, *limit, *skip;
    bool threads;
    char **command;
};

static const struct argp_option option_table[] = {
    {"output", 'o', "FILE", 0, "the trace to write (trace.hvt)", 0},
    {"limit", KEY_LIMIT, "N", 0, "end the program after N accesses; without it, record until it ends by itself", 0},
    {"skip", KEY_SKIP, "N", 0, "let the first N accesses pass unrecorded", 0},
    {"threads", KEY_THREADS, NULL, 0,
     "write one trace a thread: FILE with -0, -1, ... before .hvt, or the number in place of {core}", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct record_command *c = state->input;
    switch (key) {
    case 'o': c->output = arg; return 0;
    case KEY_LIMIT: c->limit = arg; return 0;
    case KEY_SKIP: c->skip = arg; return 0;
    case KEY_THREADS: c->threads = true; return 0;
    case ARGP_KEY_ARG:
        /* The rest of the line is the program's, options too. */
        c->command = state->argv + state->next - 1;
        state->next = state->argc;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp record_argp = {
    .options = option_table,
    .parser = parse,
    .args_doc = "[--] COMMAND...",
    .doc = "Runs a program under valgrind and records every load, store and instruction fetch that it makes into a "
           "compressed trace. Ctrl-C ends the program; what was recorded until then stays.",
};

static void show_progress(void *ctx, uint64_t records)
{
    progress_update(ctx, records);
}

static bool interrupted(void *ctx)
{
    (void)ctx;
    return interrupt_requested();
}

/* How the program ended, when it matters to what the trace holds; returns the exit code. */
static int report_end(const char *program, const struct record_result *result)
{
    if (result->end == RECORD_INTERRUPTED) {
        fprintf(stderr, "hvsim: interrupted; the trace ends there\n");
        return HV_EXIT_INTERRUPTED;
    }
    if (result->end == RECORD_LIMIT) {
        fprintf(stderr, "hvsim: %s was ended at the limit\n", program);
    } else if (result->signal != 0) {
        fprintf(stderr, "hvsim: %s was ended by signal %d (%s); its trace was kept\n", program, result->signal,
                strsignal(result->signal));
        return HV_EXIT_RUN_FAILED;
    } else if (result->exit_status != 0) {
        fprintf(stderr, "hvsim: %s ended with exit code %d; its trace was kept\n", program, result->exit_status);
        return HV_EXIT_RUN_FAILED;
    }
    return HV_EXIT_OK;
}

static double mib_of(const char *path)
{
    struct stat status = {0};
    stat(path, &status);
    return (double)status.st_size / (1 << 20);
}

static void report_traces(const struct record_request *request, const struct record_result *result)
{
    char pattern[PATH_MAX], path[PATH_MAX];
    unsigned long long records = result->records;
    if (!request->threads) {
        fprintf(stderr, "hvsim: recorded %llu accesses into %s, %.1f MiB\n", records, request->output,
                mib_of(request->output));
        return;
    }
    double mib = 0;
    for (unsigned i = 0; i < result->traces; i++) {
        if (record_thread_pattern(request->output, pattern, sizeof(pattern)) &&
            trace_path_for_core(pattern, i, path, sizeof(path))) {
            mib += mib_of(path);
        }
    }
    fprintf(stderr, "hvsim: recorded %llu accesses into %u trace%s %s, {core} from 0 to %u, %.1f MiB\n", records,
            result->traces, result->traces == 1 ? "" : "s", pattern, result->traces - 1, mib);
}

static int record(const struct record_command *c, uint64_t limit, uint64_t skip)
{
    struct progress progress;
    struct hv_err err = {""};
    struct record_result result;
    struct record_request request = {
        .argv = c->command,
        .output = c->output != NULL ? c->output : "trace.hvt",
        .threads = c->threads,
        .limit = limit,
        .skip = skip,
        .progress = show_progress,
        .interrupted = interrupted,
        .ctx = &progress,
    };
    interrupt_install();
    progress_init(&progress, stderr, "record", "accesses", limit);
    bool ok = record_run(&request, &result, &err);
    progress_fini(&progress);
    if (!ok) {
        int code = cli_fail(&err);
        return interrupt_requested() ? HV_EXIT_INTERRUPTED : code;
    }
    report_traces(&request, &result);
    return report_end(c->command[0], &result);
}

int cmd_record(int argc, char **argv)
{
    struct record_command c = {0};
    struct hv_err err = {""};
    uint64_t limit = 0, skip = 0;
    int code = options_read(&record_argp, ARGP_IN_ORDER, argc, argv, &c);
    if (code != OPTIONS_READ) {
        return code;
    }
    if (!option_count("--limit", c.limit, &limit, &err) || !option_count("--skip", c.skip, &skip, &err)) {
        return cli_fail(&err);
    }
    if (c.limit != NULL && limit == 0) {
        return cli_mistake("--limit 0 would record nothing; leave it out to record all");
    }
    if (c.command == NULL) {
        return cli_mistake("record needs a COMMAND, as in: hvsim record -- ls -l");
    }
    return record(&c, limit, skip);
}
