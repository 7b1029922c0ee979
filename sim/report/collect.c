/* SPDX-License-Identifier: MIT */
/* Finds what there is to report in a directory. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/atomic_file.h"
#include "base/types.h"
#include "machine/result_file.h"
#include "report/base64.h"
#include "report/page.h"
#include "report/report.h"

enum { FILE_LIMIT = 8 << 20 }; /* of a picture or table */

static bool join(char path[PATH_MAX], const char *directory, const char *name)
{
    int length = snprintf(path, PATH_MAX, "%s/%s", directory, name);
    return length > 0 && length < PATH_MAX;
}

/* --- Names in a directory ---------------------------------------------------------------------------------------- */

struct names {
    struct dirent **items; /* in their order, "size=512" before "size=1024" */
    int count;
};

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strverscmp((*a)->d_name, (*b)->d_name);
}

static int is_shown(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static bool list_names(const char *directory, struct names *names)
{
    names->count = scandir(directory, &names->items, is_shown, by_name);
    return names->count >= 0;
}

static void names_fini(struct names *names)
{
    for (int i = 0; i < names->count; i++) {
        free(names->items[i]);
    }
    if (names->count >= 0) {
        free(names->items);
    }
}

static bool ends_in(const char *name, const char *end)
{
    size_t length = strlen(name), wanted = strlen(end);
    return length > wanted && strcmp(name + length - wanted, end) == 0;
}

static bool is_directory(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* Something else, such as a pipe, could keep whoever opens it waiting. */
static bool is_regular(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

/* --- What is read ------------------------------------------------------------------------------------------------ */

static void leave_out(struct report *r, const struct hv_err *err)
{
    json_array_append_new(r->left_out, page_text(err->text));
}

static void add_result(struct report *r, const char *path, const char *label)
{
    struct result_file file;
    struct hv_err err = {""};
    if (json_array_size(r->points) >= REPORT_MAX_POINTS) {
        hv_fail(&err, "%s is not shown: a report has at most %d results", path, REPORT_MAX_POINTS);
    } else if (result_file_load(&file, path, &err)) {
        report_add(r, &file, label);
        result_file_fini(&file);
    }
    if (err.text[0] != '\0') {
        leave_out(r, &err);
    }
}

/* The bytes of a file, and a NUL behind them; to be freed. */
static char *read_file(const char *path, size_t *size, struct hv_err *err)
{
    FILE *in = fopen(path, "rb");
    if (in == NULL) {
        hv_fail(err, "cannot read %s: %s", path, strerror(errno));
        return NULL;
    }
    char *bytes = malloc(FILE_LIMIT + 1);
    HV_ASSERT(bytes != NULL, "out of memory");
    *size = fread(bytes, 1, FILE_LIMIT + 1, in);
    bool ok = (!ferror(in) || hv_fail(err, "cannot read %s", path)) &&
              (*size <= FILE_LIMIT || hv_fail(err, "%s is left out: it is longer than 8 MiB", path));
    fclose(in);
    if (!ok) {
        free(bytes);
        return NULL;
    }
    bytes[*size] = '\0';
    return bytes;
}

static void add_plot(struct report *r, const char *path, const char *name)
{
    size_t size;
    struct hv_err err = {""};
    char *bytes = read_file(path, &size, &err);
    bool ok = bytes != NULL;
    if (ok && json_array_size(r->plots) >= REPORT_MAX_PLOTS) {
        ok = hv_fail(&err, "%s is left out: a report has at most %d pictures", path, REPORT_MAX_PLOTS);
    }
    if (ok && memmem(bytes, size, "<svg", strlen("<svg")) == NULL) {
        ok = hv_fail(&err, "%s is left out: it is no SVG picture", path);
    }
    if (ok) {
        json_t *svg = base64_to_json(bytes, size);
        json_array_append_new(r->plots, json_pack("{s:o, s:o}", "name", page_text(name), "svg", svg));
    } else {
        leave_out(r, &err);
    }
    free(bytes);
}

static void add_table(struct report *r, const char *path, const char *name)
{
    size_t size;
    struct hv_err err = {""};
    char *bytes = read_file(path, &size, &err);
    json_t *table = bytes != NULL ? report_read_csv(path, bytes, size, &err) : NULL;
    if (table != NULL) {
        json_object_set_new(table, "name", page_text(name));
        json_array_append_new(r->tables, table);
    } else {
        leave_out(r, &err);
    }
    free(bytes);
}

/* --- Directories ------------------------------------------------------------------------------------------------- */

/* "prefix/name", or the name alone when there is no prefix. */
static void label_under(char label[PATH_MAX], const char *prefix, const char *name)
{
    snprintf(label, PATH_MAX, "%s%s%s", prefix, prefix[0] != '\0' ? "/" : "", name);
}

/* points/NAME.json */
static bool add_points(struct report *r, const char *directory, const char *prefix)
{
    char points[PATH_MAX], path[PATH_MAX], label[PATH_MAX];
    struct names names = {.count = -1};
    bool found = false;
    if (!join(points, directory, "points") || !is_directory(points) || !list_names(points, &names)) {
        return false;
    }
    for (int i = 0; i < names.count; i++) {
        char *name = names.items[i]->d_name;
        if (ends_in(name, ".json") && join(path, points, name) && is_regular(path)) {
            found = true;
            name[strlen(name) - strlen(".json")] = '\0';
            label_under(label, prefix, name);
            add_result(r, path, label);
        }
    }
    names_fini(&names);
    return found;
}

/* The pictures and tables beside results. */
static void add_companions(struct report *r, const char *directory, const char *prefix)
{
    char path[PATH_MAX], label[PATH_MAX];
    struct names names;
    if (!list_names(directory, &names)) {
        return;
    }
    for (int i = 0; i < names.count; i++) {
        const char *name = names.items[i]->d_name;
        bool plot = ends_in(name, ".svg"), table = strcmp(name, "table.csv") == 0;
        if ((plot || table) && join(path, directory, name) && is_regular(path)) {
            label_under(label, prefix, name);
            (plot ? add_plot : add_table)(r, path, label);
        }
    }
    names_fini(&names);
}

/* Adds the results of a directory of a run or a sweep; false when it is neither. */
static bool add_directory(struct report *r, const char *directory, const char *prefix)
{
    char path[PATH_MAX];
    bool run = join(path, directory, "result.json") && is_regular(path);
    if (run) {
        add_result(r, path, prefix[0] != '\0' ? prefix : json_string_value(r->title));
    }
    bool found = add_points(r, directory, prefix) || run;
    if (found) {
        add_companions(r, directory, prefix);
    }
    return found;
}

static bool add_subdirectories(struct report *r, const char *directory)
{
    char path[PATH_MAX];
    struct names names;
    bool found = false;
    if (!list_names(directory, &names)) {
        return false;
    }
    for (int i = 0; i < names.count; i++) {
        const char *name = names.items[i]->d_name;
        if (join(path, directory, name) && is_directory(path)) {
            found = add_directory(r, path, name) || found;
        }
    }
    names_fini(&names);
    return found;
}

static json_t *title_of(const char *directory)
{
    char path[PATH_MAX];
    const char *slash = realpath(directory, path) != NULL ? strrchr(path, '/') : NULL;
    return page_text(slash != NULL && slash[1] != '\0' ? slash + 1 : "results");
}

bool report_collect(struct report *r, const char *directory, struct hv_err *err)
{
    report_init(r);
    DIR *there = opendir(directory);
    if (there == NULL && errno == ENOTDIR) {
        return hv_fail(err, "%s is a file; report takes a directory, of hvsim run --out or of a sweep", directory);
    }
    if (there == NULL) {
        return hv_fail(err, "cannot read directory %s: %s", directory, strerror(errno));
    }
    closedir(there);
    json_decref(r->title);
    r->title = title_of(directory);
    if (!add_directory(r, directory, "") && !add_subdirectories(r, directory)) {
        return hv_fail(err, "directory %s holds no results, nor does any in it: no result.json of hvsim run --out, "
                       "and no points/*.json of a sweep", directory);
    }
    if (json_array_size(r->points) == 0) {
        return hv_fail(err, "%s", json_string_value(json_array_get(r->left_out, 0)));
    }
    return true;
}
