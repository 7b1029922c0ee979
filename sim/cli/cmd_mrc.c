/* SPDX-License-Identifier: MIT */
/* hvsim mrc: the miss-ratio curve of the second-level TLB. */
#include <stdlib.h>
#include <string.h>

#include "base/interrupt.h"
#include "base/print.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "machine/mrc.h"

enum { KEY_SIZES = OPTION_LONG, KEY_WAYS, KEY_FORMAT };

enum { DEFAULT_SIZES = 64, DEFAULT_STEP = 64, BAR_WIDTH = 40 };

struct mrc_command {
    struct machine_options machine;
    const char *sizes, *ways, *format;
};

static const struct argp_option option_table[] = {
    {"sizes", KEY_SIZES, "LIST", 0, "entries, such as 64,512,1536 (default: 64, 128, ... 4096)", 2},
    {"ways", KEY_WAYS, "N|full", 0, "associativity of every size (default: full)", 2},
    {"format", KEY_FORMAT, "FORMAT", 0, "text, json or csv", 2},
    {0},
};

static const struct argp_child groups[] = {MACHINE_OPTIONS_CHILD, {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct mrc_command *c = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &c->machine; return 0;
    case KEY_SIZES: c->sizes = arg; return 0;
    case KEY_WAYS: c->ways = arg; return 0;
    case KEY_FORMAT: c->format = arg; return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp mrc_argp = {
    .options = option_table,
    .parser = parse,
    .children = groups,
    .doc = "Counts the misses of second-level TLBs of many sizes, with LRU, in one pass over the workload. Each is what "
           "a run with that tlb.l2.entries counts as tlb.l2.misses.",
};

static int ascending(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static bool add_size(struct mrc_request *request, const char *text, struct hv_err *err)
{
    uint64_t size = 0;
    if (!option_count("--sizes", text, &size, err)) {
        return false;
    }
    if (size == 0 || size > MRC_MAX_ENTRIES) {
        return hv_fail(err, "--sizes: %s entries; a TLB has 1 to %d", text, MRC_MAX_ENTRIES);
    }
    if (request->count == MRC_MAX_SIZES) {
        return hv_fail(err, "--sizes lists more than %d sizes", MRC_MAX_SIZES);
    }
    request->sizes[request->count++] = size;
    return true;
}

/* Sizes in ascending order, each once. */
static bool read_sizes(const char *list, struct mrc_request *request, struct hv_err *err)
{
    for (unsigned i = 1; list == NULL && i <= DEFAULT_SIZES; i++) {
        request->sizes[request->count++] = (uint64_t)i * DEFAULT_STEP;
    }
    char *copy = list != NULL ? strdup(list) : NULL, *rest = copy, *item;
    bool ok = true;
    while (ok && (item = strsep(&rest, ",")) != NULL) {
        ok = add_size(request, item, err);
    }
    free(copy);
    qsort(request->sizes, request->count, sizeof(request->sizes[0]), ascending);
    size_t kept = 0;
    for (size_t i = 0; i < request->count; i++) {
        if (kept == 0 || request->sizes[kept - 1] != request->sizes[i]) {
            request->sizes[kept++] = request->sizes[i];
        }
    }
    request->count = kept;
    return ok;
}

static bool read_ways(const char *text, struct mrc_request *request, struct hv_err *err)
{
    request->ways = PARAM_WAYS_FULL;
    if (text == NULL || strcmp(text, "full") == 0) {
        return true;
    }
    if (!option_count("--ways", text, &request->ways, err)) {
        return false;
    }
    return (request->ways >= 1 && request->ways <= MRC_MAX_ENTRIES) ||
           hv_fail(err, "--ways: %s; give 1 to %d, or full", text, MRC_MAX_ENTRIES);
}

static double ratio(uint64_t part, uint64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : 0;
}

/* The curve for the eye: a bar is the share of the lookups that miss. */
static void print_text(const struct mrc_request *request, const struct mrc *r)
{
    char ways[48] = "fully associative";
    if (request->ways != PARAM_WAYS_FULL) {
        snprintf(ways, sizeof(ways), "of %llu ways", (unsigned long long)request->ways);
    }
    printf("%llu accesses, of which %llu miss the first-level TLB and look up the second, %s, LRU%s\n\n",
           (unsigned long long)r->accesses, (unsigned long long)r->lookups, ways,
           r->complete ? "" : " (interrupted: the curve is of the accesses until then)");
    printf("%10s %14s %12s %17s\n", "entries", "misses", "miss ratio", "per 1000 instr.");
    for (size_t i = 0; i < request->count; i++) {
        double share = ratio(r->misses[i], r->lookups);
        printf("%10llu %14llu %12.6f %17.4f  ", (unsigned long long)request->sizes[i],
               (unsigned long long)r->misses[i], share, 1000 * ratio(r->misses[i], r->instructions));
        for (int bar = 0; bar < (int)(share * BAR_WIDTH + 0.5); bar++) {
            putchar('#');
        }
        putchar('\n');
    }
}

static void print_csv(const struct mrc_request *request, const struct mrc *r)
{
    printf("entries,misses,lookups,accesses,instructions\n");
    for (size_t i = 0; i < request->count; i++) {
        printf("%llu,%llu,%llu,%llu,%llu\n", (unsigned long long)request->sizes[i], (unsigned long long)r->misses[i],
               (unsigned long long)r->lookups, (unsigned long long)r->accesses, (unsigned long long)r->instructions);
    }
}

static void print_as_json(const struct mrc_request *request, const struct mrc *r)
{
    json_t *curve = json_array();
    for (size_t i = 0; i < request->count; i++) {
        json_array_append_new(curve, json_pack("{s:o, s:o, s:o}", "entries", print_whole(request->sizes[i]), "misses",
                                               print_whole(r->misses[i]), "miss_ratio",
                                               r->lookups > 0 ? json_real(ratio(r->misses[i], r->lookups))
                                                              : json_null()));
    }
    json_t *ways = request->ways == PARAM_WAYS_FULL ? json_string("full") : print_whole(request->ways);
    print_json(json_pack("{s:{s:s, s:s}, s:o, s:o, s:o, s:o, s:o, s:b}", "hvsim", "version", cli_version, "commit",
                         cli_commit, "ways", ways, "accesses", print_whole(r->accesses), "instructions",
                         print_whole(r->instructions), "lookups", print_whole(r->lookups), "curve", curve, "complete",
                         r->complete), stdout);
}

static int measure(const struct machine_params *params, const struct mrc_request *request, enum print_format format)
{
    static void (*const print[])(const struct mrc_request *, const struct mrc *) = {
        [PRINT_TEXT] = print_text, [PRINT_JSON] = print_as_json, [PRINT_CSV] = print_csv,
    };
    struct hv_err err = {""};
    struct machine *m = mrc_check(params, request, &err) ? machine_new(params, NULL, &err) : NULL;
    struct mrc *result = malloc(sizeof(*result));
    HV_ASSERT(result != NULL, "out of memory");
    int code = HV_EXIT_OK;
    if (m == NULL || !mrc_measure(m, request, result, &err)) {
        code = cli_fail(&err);
    } else {
        print[format](request, result);
        code = result->complete ? HV_EXIT_OK : HV_EXIT_INTERRUPTED;
    }
    if (m != NULL) {
        machine_free(m);
    }
    free(result);
    return code;
}

int cmd_mrc(int argc, char **argv)
{
    static const char *const formats[] = {[PRINT_TEXT] = "text", [PRINT_JSON] = "json", [PRINT_CSV] = "csv", NULL};
    struct mrc_command c = {0};
    int code = options_read(&mrc_argp, 0, argc, argv, &c);
    if (code == OPTIONS_READ) {
        struct machine_params params;
        struct mrc_request *request = calloc(1, sizeof(*request));
        struct hv_err err = {""};
        HV_ASSERT(request != NULL, "out of memory");
        request->show_progress = true;
        int format = option_choice("--format", c.format, formats, &err);
        if (format < 0 || !read_sizes(c.sizes, request, &err) || !read_ways(c.ways, request, &err) ||
            !machine_options_load(&c.machine, argv[0], &params, &err)) {
            code = cli_fail(&err);
        } else {
            interrupt_install();
            code = measure(&params, request, (enum print_format)format);
        }
        free(request);
    }
    machine_options_fini(&c.machine);
    return code;
}
