/* SPDX-License-Identifier: MIT */
#include "machine/result_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/param.h"
#include "base/stat.h"
#include "base/text.h"

#define FILE_LIMIT ((size_t)64 << 20) /* a result has a few hundred numbers */

enum { LIST_LIMIT = 32 }; /* a parameter that is a set has a few names */

static bool name_is_plain(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    size_t length = strlen(name);
    return length > 0 && length < STAT_NAME_BYTES && strspn(name, letters) == length;
}

static bool is_short_text(const json_t *value)
{
    return json_is_string(value) && json_string_length(value) < PARAM_TEXT_BYTES &&
           text_is_printable(json_string_value(value));
}

static bool is_parameter(const json_t *value)
{
    size_t i;
    json_t *element;
    json_array_foreach(value, i, element) {
        if (!is_short_text(element)) {
            return false;
        }
    }
    return json_array_size(value) <= LIST_LIMIT &&
           (json_is_array(value) || json_is_number(value) || json_is_boolean(value) || is_short_text(value));
}

static bool is_statistic(const json_t *value)
{
    return json_is_number(value) || json_is_null(value);
}

/* The member of this name, each element of which must pass. */
static json_t *find_table(const struct result_file *file, const char *name, bool (*passes)(const json_t *),
                          struct hv_err *err)
{
    json_t *table = json_object_get(file->root, name);
    const char *key;
    json_t *value;
    if (!json_is_object(table)) {
        hv_fail(err, "%s is not a result of hvsim run: it has no object \"%s\"", file->path, name);
        return NULL;
    }
    json_object_foreach(table, key, value) {
        if (!name_is_plain(key) || !passes(value)) {
            hv_fail(err, "%s is not a result of hvsim run: \"%.80s\" is no entry of \"%s\"", file->path, key, name);
            return NULL;
        }
    }
    return table;
}

static bool find_version(struct result_file *file, struct hv_err *err)
{
    const json_t *hvsim = json_object_get(file->root, "hvsim");
    const json_t *version = json_object_get(hvsim, "version"), *commit = json_object_get(hvsim, "commit");
    const json_t *complete = json_object_get(file->root, "complete");
    if (!is_short_text(version) || !is_short_text(commit)) {
        return hv_fail(err, "%s is not a result of hvsim run: it does not say which hvsim wrote it", file->path);
    }
    if (!json_is_boolean(complete)) {
        return hv_fail(err, "%s is not a result of hvsim run: it does not say whether it is complete", file->path);
    }
    file->version = json_string_value(version);
    file->commit = json_string_value(commit);
    file->complete = json_is_true(complete);
    return true;
}

/* Takes what has been parsed, or says where it could not be. */
static bool take_document(struct result_file *file, json_t *root, const json_error_t *error, struct hv_err *err)
{
    if (root == NULL) {
        struct hv_where where = {file->path, error->line > 0 ? (unsigned)error->line : 1,
                                 error->column > 0 ? (unsigned)error->column : 1};
        return hv_fail_at(err, &where, "this is not JSON: %s", error->text);
    }
    file->root = root;
    bool ok = find_version(file, err) &&
              (file->config = find_table(file, "config", is_parameter, err)) != NULL &&
              (file->stats = find_table(file, "stats", is_statistic, err)) != NULL;
    if (!ok) {
        result_file_fini(file);
    }
    return ok;
}

/* What Jansson reads from, piece by piece. */
struct source {
    FILE *in;
    size_t left; /* of FILE_LIMIT */
    int error;   /* errno of a failed read */
};

static size_t read_piece(void *buffer, size_t bytes, void *data)
{
    struct source *s = data;
    size_t done = fread(buffer, 1, bytes, s->in);
    if (ferror(s->in)) {
        s->error = errno;
    }
    if (s->error != 0 || done > s->left) {
        s->left = 0;
        return (size_t)-1;
    }
    s->left -= done;
    return done;
}

static bool load_open(struct result_file *file, FILE *in, struct hv_err *err)
{
    struct source source = {.in = in, .left = FILE_LIMIT};
    json_error_t error;
    json_t *root = json_load_callback(read_piece, &source, JSON_REJECT_DUPLICATES, &error);
    if (source.error != 0) {
        return hv_fail(err, "cannot read %s: %s", file->path, strerror(source.error));
    }
    if (root == NULL && source.left == 0) {
        return hv_fail(err, "%s is not a result of hvsim run: it is longer than 64 MiB", file->path);
    }
    return take_document(file, root, &error, err);
}

static bool set_path(struct result_file *file, const char *path, const char *rest, struct hv_err *err)
{
    int length = snprintf(file->path, sizeof(file->path), "%s%s", path, rest);
    return (length >= 0 && (size_t)length < sizeof(file->path)) ||
           hv_fail(err, "the file name %.80s... is too long", path);
}

bool result_file_load(struct result_file *file, const char *path, struct hv_err *err)
{
    struct stat status;
    bool directory = stat(path, &status) == 0 && S_ISDIR(status.st_mode);
    *file = (struct result_file){.root = NULL};
    if (!set_path(file, path, !directory ? "" : path[strlen(path) - 1] == '/' ? "result.json" : "/result.json", err)) {
        return false;
    }
    FILE *in = fopen(file->path, "rb");
    if (in == NULL && directory && errno == ENOENT) {
        return hv_fail(err, "directory %s holds no result.json; `hvsim run --out` makes directories that do", path);
    }
    if (in == NULL) {
        return hv_fail(err, "cannot read %s: %s", file->path, strerror(errno));
    }
    bool ok = load_open(file, in, err);
    fclose(in);
    return ok;
}

bool result_file_load_buffer(struct result_file *file, const char *name, const void *data, size_t size,
                             struct hv_err *err)
{
    json_error_t error;
    *file = (struct result_file){.root = NULL};
    return set_path(file, name, "", err) &&
           take_document(file, json_loadb(data, size, JSON_REJECT_DUPLICATES, &error), &error, err);
}

void result_file_fini(struct result_file *file)
{
    json_decref(file->root);
    *file = (struct result_file){.root = NULL};
}
