/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/interrupt.h"
#include "base/number.h"
#include "base/print.h"
#include "base/progress.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "workload/trace_convert.h"
#include "workload/trace_reader.h"
#include "workload/trace_scan.h"

enum { KEY_FORMAT = OPTION_LONG, KEY_FROM, KEY_TO, KEY_SKIP, KEY_LIMIT, KEY_SAMPLE };

/* --- trace info --------------------------------------------------------------------------------------------------- */

struct info_command {
    const char *file, *format;
};

static const struct argp_option info_options[] = {
    {"format", KEY_FORMAT, "FORMAT", 0, "text for people, or json for programs", 0},
    {0},
};

static error_t parse_info(int key, char *arg, struct argp_state *state)
{
    struct info_command *c = state->input;
    if (key == KEY_FORMAT) {
        c->format = arg;
        return 0;
    }
    if (key != ARGP_KEY_ARG || c->file != NULL) {
        return ARGP_ERR_UNKNOWN;
    }
    c->file = arg;
    return 0;
}

static const struct argp info_argp = {
    .options = info_options,
    .parser = parse_info,
    .args_doc = "FILE",
    .doc = "Says what is in a trace of any format that trace convert knows. Those without an index are read from front "
           "to back.",
};

/* Each count of a trace, as programs and as people call it (or do not). */
struct info_row {
    const char *key, *label;
    uint64_t value;
};

enum { INFO_ROWS = 16 };

static size_t info_rows(const struct trace_info *info, size_t regions, struct info_row rows[INFO_ROWS])
{
    const struct info_row all[] = {
        {"records", NULL, info->records},
        {"accesses", "accesses", info->records - info->events},
        {"loads", "loads", info->loads},
        {"stores", "stores", info->stores},
        {"fetches", "instruction fetches", info->fetches},
        {"event_count", "events", info->events},
        {"instructions", "instructions", info->instructions},
        {"processes", "processes", info->processes},
        {"vcpus", "virtual processors", info->vcpus},
        {"pages", "4 KiB pages touched", info->pages},
        {"regions", "runs of pages", regions},
        {"blocks", "compressed blocks", info->blocks},
        {"file_bytes", "bytes of the file", info->file_bytes},
    };
    _Static_assert(HV_ARRAY_LEN(all) <= INFO_ROWS, "room for every row");
    memcpy(rows, all, sizeof(all));
    return HV_ARRAY_LEN(all);
}

/* How many events there are of each kind that the trace has, by name. */
static json_t *events_json(const struct trace_info *info)
{
    json_t *object = json_object();
    for (unsigned i = 0; i < HV_EVENTS; i++) {
        if (info->events_of[i] > 0) {
            json_object_set_new(object, hv_event_rows[i].name, print_whole(info->events_of[i]));
        }
    }
    return object;
}

static void print_info_json(const struct trace_info *info, const struct info_row *rows, size_t count)
{
    json_t *object = json_object();
    json_object_set_new(object, "command", json_string(info->command));
    for (size_t i = 0; i < count; i++) {
        json_object_set_new(object, rows[i].key, print_whole(rows[i].value));
    }
    json_object_set_new(object, "events", events_json(info));
    print_json(object, stdout);
}

static void print_info_text(const struct trace_info *info, const struct info_row *rows, size_t count)
{
    printf("%s\n", info->command);
    for (size_t i = 0; i < count; i++) {
        if (rows[i].label != NULL) {
            printf("  %-20s %15llu\n", rows[i].label, (unsigned long long)rows[i].value);
        }
    }
    printf("  %-20s %15.2f\n", "bytes per access",
           (double)info->file_bytes / (double)(info->records - info->events));
    for (unsigned i = 0; i < HV_EVENTS; i++) {
        if (info->events_of[i] > 0) {
            printf("  event %-14s %15llu\n", hv_event_rows[i].name, (unsigned long long)info->events_of[i]);
        }
    }
}

static void print_info(const struct trace_info *info, size_t regions, int format)
{
    struct info_row rows[INFO_ROWS];
    size_t count = info_rows(info, regions, rows);
    (format == 0 ? print_info_text : print_info_json)(info, rows, count);
}

/* hvsim's own format has an index. */
static bool show_indexed(const char *path, int format, struct hv_err *err)
{
    struct trace_reader *reader = trace_reader_open(path, err);
    if (reader == NULL) {
        return false;
    }
    size_t regions;
    trace_reader_regions(reader, &regions);
    print_info(trace_info(reader), regions, format);
    trace_reader_close(reader);
    return true;
}

/* Others are read from front to back. */
static bool show_scanned(const struct trace_format *trace_format, const char *path, int format, struct hv_err *err)
{
    struct trace_scan scan;
    interrupt_install();
    bool ok = trace_scan(&scan, trace_format, path, err);
    if (ok) {
        print_info(&scan.info, scan.region_count, format);
    }
    trace_scan_fini(&scan);
    return ok;
}

static int trace_info_command(int argc, char **argv)
{
    static const char *const formats[] = {"text", "json", NULL};
    struct info_command c = {0};
    struct hv_err err = {""};
    int code = options_read(&info_argp, 0, argc, argv, &c);
    if (code != OPTIONS_READ) {
        return code;
    }
    int format = option_choice("--format", c.format, formats, &err);
    if (format < 0) {
        return cli_fail(&err);
    }
    if (c.file == NULL) {
        return cli_mistake("trace info needs a FILE: a trace");
    }
    /* An hvsim trace may have any name. */
    struct hv_err unknown = {""};
    const struct trace_format *trace_format = trace_format_find(NULL, c.file, &unknown);
    bool indexed = trace_format == NULL || trace_format == &hvsim_trace_format;
    bool ok = indexed ? show_indexed(c.file, format, &err) : show_scanned(trace_format, c.file, format, &err);
    if (!ok) {
        int failed = cli_fail(&err);
        return interrupt_requested() ? HV_EXIT_INTERRUPTED : failed;
    }
    return HV_EXIT_OK;
}

/* --- trace convert ------------------------------------------------------------------------------------------------ */

struct convert_command {
    const char *input, *output, *from, *to, *skip, *limit, *sample;
};

static const struct argp_option convert_options[] = {
    {"from", KEY_FROM, "FORMAT", 0, "what INPUT is: hvsim, lackey or champsim; without it, its extension says so",
     0},
    {"to", KEY_TO, "FORMAT", 0, "what OUTPUT becomes", 0},
    {"skip", KEY_SKIP, "N", 0, "leave out the first N accesses", 0},
    {"limit", KEY_LIMIT, "N", 0, "end when N accesses were converted", 0},
    {"sample", KEY_SAMPLE, "PERIOD:LENGTH", 0, "convert only the first LENGTH of every PERIOD accesses", 0},
    {0},
};

static error_t parse_convert(int key, char *arg, struct argp_state *state)
{
    struct convert_command *c = state->input;
    switch (key) {
    case KEY_FROM: c->from = arg; return 0;
    case KEY_TO: c->to = arg; return 0;
    case KEY_SKIP: c->skip = arg; return 0;
    case KEY_LIMIT: c->limit = arg; return 0;
    case KEY_SAMPLE: c->sample = arg; return 0;
    case ARGP_KEY_ARG:
        if (c->output != NULL) {
            return ARGP_ERR_UNKNOWN;
        }
        *(c->input == NULL ? &c->input : &c->output) = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp convert_argp = {
    .options = convert_options,
    .parser = parse_convert,
    .args_doc = "INPUT OUTPUT",
    .doc = "Converts a trace between hvsim's format (.hvt), the text of valgrind's lackey (.lackey, .txt or .log) and "
           "ChampSim's instructions (.champsim, .champsimtrace or .trace); the last two also with .gz, .xz or .zst "
           "behind it. Events between accesses are kept whatever --skip and --sample leave out.",
};

/* "PERIOD:LENGTH"; text NULL: all. */
static bool parse_sample(const char *text, struct sample *sample, struct hv_err *err)
{
    const char *colon = text == NULL ? NULL : strchr(text, ':');
    char period[32] = "";
    if (text == NULL) {
        return true;
    }
    if (colon != NULL && (size_t)(colon - text) < sizeof(period)) {
        memcpy(period, text, (size_t)(colon - text));
    }
    if (colon == NULL || number_parse_count(period, &sample->period) != NUMBER_OK ||
        number_parse_count(colon + 1, &sample->length) != NUMBER_OK || sample->length < 1 ||
        sample->length > sample->period) {
        return hv_fail(err, "--sample: \"%.80s\" is not PERIOD:LENGTH; it takes two whole numbers such as 1e6:1e4, the "
                       "length from 1 to the period", text);
    }
    return true;
}

static void show_progress(void *ctx, uint64_t accesses)
{
    progress_update(ctx, accesses);
}

static bool interrupted(void *ctx)
{
    (void)ctx;
    return interrupt_requested();
}

static int report_conversion(const struct convert_command *c, const struct trace_convert_result *result)
{
    if (result->interrupted) {
        fprintf(stderr, "hvsim: interrupted; %s was not written\n", c->output);
        return HV_EXIT_INTERRUPTED;
    }
    fprintf(stderr, "hvsim: converted %llu accesses", (unsigned long long)result->accesses);
    if (result->events > 0) {
        fprintf(stderr, " and %llu events", (unsigned long long)result->events);
    }
    fputc('\n', stderr);
    if (result->inexact > 0) {
        fprintf(stderr, "hvsim: the format of %s cannot say all there is to say of %llu of them\n", c->output,
                (unsigned long long)result->inexact);
    }
    return HV_EXIT_OK;
}

static int trace_convert_command(int argc, char **argv)
{
    struct convert_command c = {0};
    struct hv_err err = {""};
    struct progress progress;
    struct trace_convert_result result;
    struct trace_convert_request request = {.progress = show_progress, .interrupted = interrupted, .ctx = &progress};
    int code = options_read(&convert_argp, 0, argc, argv, &c);
    if (code != OPTIONS_READ) {
        return code;
    }
    if (c.output == NULL) {
        return cli_mistake("trace convert needs an INPUT and an OUTPUT file");
    }
    if (!option_count("--limit", c.limit, &request.limit, &err) ||
        !option_count("--skip", c.skip, &request.sample.skip, &err) ||
        !parse_sample(c.sample, &request.sample, &err)) {
        return cli_fail(&err);
    }
    request.input = c.input;
    request.output = c.output;
    request.from = c.from;
    request.to = c.to;
    interrupt_install();
    progress_init(&progress, stderr, "convert", "accesses", request.limit);
    bool ok = trace_convert(&request, &result, &err);
    progress_fini(&progress);
    return ok ? report_conversion(&c, &result) : cli_fail(&err);
}

/* --- trace -------------------------------------------------------------------------------------------------------- */

static error_t parse_nothing(int key, char *arg, struct argp_state *state)
{
    (void)key, (void)arg, (void)state;
    return ARGP_ERR_UNKNOWN;
}

static const struct argp trace_argp = {
    .parser = parse_nothing,
    .args_doc = "info FILE\nconvert INPUT OUTPUT",
    .doc = "Says what is in a trace, or converts one. Each has its own --help.",
};

int cmd_trace(int argc, char **argv)
{
    static const char *const names[] = {"info", "convert", NULL};
    static int (*const commands[])(int argc, char **argv) = {trace_info_command, trace_convert_command};
    struct hv_err err = {""};
    if (argc < 2 || argv[1][0] == '-') {
        int code = options_read(&trace_argp, 0, argc, argv, NULL);
        return code != OPTIONS_READ ? code : cli_mistake("trace needs a word that says what: info or convert");
    }
    int which = option_choice("trace", argv[1], names, &err);
    if (which < 0) {
        return cli_fail(&err);
    }
    char name[16];
    snprintf(name, sizeof(name), "trace %s", names[which]);
    argv[1] = name; /* what its --help calls it */
    return commands[which](argc - 1, argv + 1);
}
