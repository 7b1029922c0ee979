/* SPDX-License-Identifier: MIT */
#include "machine/result.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/atomic_file.h"
#include "base/param_reference.h"
#include "base/stat_print.h"
#include "machine/intervals.h"

void result_init(struct result *result, const struct run *run, const char *version, const char *commit,
                 double setup_seconds)
{
    struct rusage usage = {0};
    getrusage(RUSAGE_SELF, &usage);
    *result = (struct result){
        .run = run,
        .version = version,
        .commit = commit,
        .setup_seconds = setup_seconds,
        .wall_seconds = run->wall_seconds,
        .accesses_per_second = run->wall_seconds > 0 ? (double)run->done / run->wall_seconds : 0,
        .max_rss_bytes = HV_KIB(usage.ru_maxrss),
    };
}

json_t *result_to_json(const struct result *result)
{
    const struct machine *m = result->run->machine;
    json_t *object = json_object();
    json_object_set_new(object, "hvsim", json_pack("{s:s, s:s}", "version", result->version, "commit", result->commit));
    json_object_set_new(object, "config", params_to_json(&machine_schema, &m->params));
    json_object_set_new(object, "stats", stats_to_json(&m->stats));
    json_object_set_new(object, "complete", json_boolean(result->run->end == RUN_COMPLETE));
    json_object_set_new(object, "host", json_pack("{s:f, s:f, s:f, s:o}", "wall_seconds", result->wall_seconds,
                                                  "setup_seconds", result->setup_seconds, "accesses_per_second",
                                                  result->accesses_per_second, "max_rss_bytes",
                                                  print_whole(result->max_rss_bytes)));
    return object;
}

/* The series of a run that took one and could keep it. */
static struct intervals *intervals_of(const struct result *result)
{
    struct intervals *intervals = result->run->options.intervals;
    return intervals != NULL && intervals_error(intervals) == 0 ? intervals : NULL;
}

static void write_json(const struct result *result, FILE *out)
{
    print_json(result_to_json(result), out);
}

/* The object and, as its last member, the series; that may be long, and is never in memory as a whole. */
static void write_json_with_intervals(const struct result *result, FILE *out)
{
    json_t *object = result_to_json(result);
    char *text = json_dumps(object, PRINT_JSON_FLAGS);
    HV_ASSERT(text != NULL, "a result is valid JSON");
    fprintf(out, "%.*s,\n  \"intervals\": [", (int)(strlen(text) - strlen("\n}")), text);
    intervals_write_json(intervals_of(result), out);
    fputs("\n  ]\n}\n", out);
    free(text);
    json_decref(object);
}

static void write_csv(const struct result *result, FILE *out)
{
    stats_write_csv(&result->run->machine->stats, out);
}

static void write_intervals(const struct result *result, FILE *out)
{
    intervals_write_csv(intervals_of(result), out);
}

static void write_yaml(const struct result *result, FILE *out)
{
    fprintf(out, "# Every parameter of a run by hvsim %s (%s); `hvsim run` of this file repeats it.\n",
            result->version, result->commit);
    params_write_yaml(&machine_schema, &result->run->machine->params, out);
}

void result_print(const struct result *result, enum print_format format, FILE *out)
{
    static void (*const writers[])(const struct result *, FILE *) = {
        [PRINT_TEXT] = result_write_text, [PRINT_JSON] = write_json, [PRINT_CSV] = write_csv,
    };
    if (format == PRINT_JSON && intervals_of(result) != NULL) {
        write_json_with_intervals(result, out);
        return;
    }
    writers[format](result, out);
    if (format == PRINT_TEXT && intervals_of(result) != NULL) {
        intervals_write_text(intervals_of(result), out);
    }
}

/* The files of a directory; result.json last, so that where it is, the others are. */
static const struct {
    const char *name;
    void (*write)(const struct result *result, FILE *out);
    bool of_intervals; /* only a run in intervals has it */
} parts[] = {
    {"config.yaml", write_yaml, false},
    {"stats.csv", write_csv, false},
    {"intervals.csv", write_intervals, true},
    {"result.json", write_json, false},
};

static bool has_part(const struct result *result, size_t i)
{
    return !parts[i].of_intervals || intervals_of(result) != NULL;
}

static bool open_part(struct atomic_file *file, const char *directory, const char *name, struct hv_err *err)
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof(path), "%s/%s", directory, name);
    if (length < 0 || (size_t)length >= sizeof(path)) {
        return hv_fail(err, "the name of directory %.80s... is too long", directory);
    }
    return atomic_file_open(file, path, err);
}

bool result_write_directory(const struct result *result, const char *directory, struct hv_err *err)
{
    struct atomic_file files[HV_ARRAY_LEN(parts)] = {0};
    bool ok = dir_create(directory, err);
    for (size_t i = 0; ok && i < HV_ARRAY_LEN(parts); i++) {
        ok = !has_part(result, i) || open_part(&files[i], directory, parts[i].name, err);
        if (files[i].out != NULL) {
            parts[i].write(result, files[i].out);
        }
    }
    for (size_t i = 0; ok && i < HV_ARRAY_LEN(parts); i++) {
        ok = files[i].out == NULL || atomic_file_commit(&files[i], err);
    }
    for (size_t i = 0; i < HV_ARRAY_LEN(parts); i++) {
        atomic_file_abort(&files[i]); /* nothing, once it is committed */
    }
    return ok;
}
