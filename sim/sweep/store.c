/* SPDX-License-Identifier: MIT */
#include "sweep/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "machine/result.h"

const char *const sweep_state_names[] = {"missing", "changed", "done", NULL};

static const char POINTS[] = "points";

enum { KEY_BYTES = 17 };

static bool join(char path[PATH_MAX], const char *directory, const char *name, const char *extension,
                 struct hv_err *err)
{
    int length = snprintf(path, PATH_MAX, "%s/%s%s", directory, name, extension);
    return (length > 0 && length < PATH_MAX) || hv_fail(err, "the name of directory %.80s... is too long", directory);
}

/* The directory is locked, not a file in it, so that nothing is left behind; the lock ends with the process. */
bool store_open(const char *directory, struct hv_err *err)
{
    char points[PATH_MAX];
    if (!join(points, directory, POINTS, "", err) || !dir_create(points, err)) {
        return false;
    }
    int lock = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock < 0) {
        return hv_fail(err, "cannot open directory %s: %s", directory, strerror(errno));
    }
    /* A file system that cannot lock is no reason to refuse it. */
    return flock(lock, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK ||
           hv_fail(err, "another hvsim sweep is working in %s; wait for it, or choose another --out", directory);
}

static bool point_path(char path[PATH_MAX], const char *directory, const struct sweep_point *point,
                       struct hv_err *err)
{
    char points[PATH_MAX];
    return join(points, directory, POINTS, "", err) && join(path, points, point->name, ".json", err);
}

static void format_key(const struct sweep_point *point, char text[KEY_BYTES])
{
    snprintf(text, KEY_BYTES, "%016llx", (unsigned long long)point->key);
}

/* --- Reading ------------------------------------------------------------------------------------------------------ */

enum sweep_state store_load(const char *directory, const struct sweep_point *point, struct result_file *result)
{
    char path[PATH_MAX], key[KEY_BYTES];
    struct hv_err ignored = {""}; /* a damaged result is computed again */
    format_key(point, key);
    if (!point_path(path, directory, point, &ignored) || access(path, F_OK) != 0 ||
        !result_file_load(result, path, &ignored)) {
        return SWEEP_MISSING;
    }
    const char *found = json_string_value(json_object_get(json_object_get(result->root, "sweep"), "key"));
    enum sweep_state state = !result->complete || found == NULL ? SWEEP_MISSING
                             : strcmp(found, key) != 0          ? SWEEP_CHANGED
                                                                : SWEEP_DONE;
    if (state != SWEEP_DONE) {
        result_file_fini(result);
    }
    return state;
}

enum sweep_state store_state(const char *directory, const struct sweep_point *point)
{
    struct result_file result = {.root = NULL};
    enum sweep_state state = store_load(directory, point, &result);
    result_file_fini(&result);
    return state;
}

/* --- Writing ------------------------------------------------------------------------------------------------------ */

static json_t *point_to_json(const struct sweep *s, const struct sweep_point *point)
{
    char key[KEY_BYTES];
    json_t *values = json_object();
    format_key(point, key);
    for (size_t i = 0; i < s->axis_count; i++) {
        const char *label = sweep_value(s, point->row, &s->axes[i])->label;
        json_object_set_new(values, s->axes[i].name, json_string(label));
    }
    return json_pack("{s:o, s:o, s:s}", "point", values, "seed", print_whole(point->seed), "key", key);
}

bool store_write(const struct sweep *s, const struct sweep_point *point, const struct run *run,
                 const char *directory, struct hv_err *err)
{
    static const char *const members[] = {"hvsim", "sweep", "config", "stats", "complete"};
    struct result result;
    struct atomic_file file;
    char path[PATH_MAX];
    if (!point_path(path, directory, point, err) || !atomic_file_open(&file, path, err)) {
        return false;
    }
    result_init(&result, run, s->host->version, s->host->commit, 0);
    json_t *whole = result_to_json(&result), *written = json_object();
    json_object_set_new(whole, "sweep", point_to_json(s, point));
    for (size_t i = 0; i < HV_ARRAY_LEN(members); i++) {
        json_object_set(written, members[i], json_object_get(whole, members[i]));
    }
    json_decref(whole);
    print_json(written, file.out); /* the commit finds what could not be written */
    return atomic_file_commit(&file, err);
}

/* --- Removing ----------------------------------------------------------------------------------------------------- */

static bool ends_in(const char *name, const char *end)
{
    size_t length = strlen(name), wanted = strlen(end);
    return length > wanted && strcmp(name + length - wanted, end) == 0;
}

static bool is_point(const char *name)
{
    return name[0] != '.' && ends_in(name, ".json");
}

/* As atomic_file names them. */
static bool is_temporary(const char *name)
{
    return name[0] == '.' && ends_in(name, ".tmp");
}

static void remove_files(const char *folder, bool (*chosen)(const char *name))
{
    DIR *directory = opendir(folder);
    if (directory == NULL) {
        return;
    }
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        if (chosen(entry->d_name)) {
            (void)unlinkat(dirfd(directory), entry->d_name, 0);
        }
    }
    closedir(directory);
}

void store_remove_points(const char *directory)
{
    char points[PATH_MAX];
    struct hv_err ignored = {""};
    if (join(points, directory, POINTS, "", &ignored)) {
        remove_files(points, is_point);
    }
}

void store_remove_empty(const char *directory)
{
    char points[PATH_MAX];
    struct hv_err ignored = {""};
    if (join(points, directory, POINTS, "", &ignored) && rmdir(points) == 0) {
        (void)rmdir(directory);
    }
}

void store_remove_temporaries(const char *directory)
{
    char points[PATH_MAX];
    struct hv_err ignored = {""};
    remove_files(directory, is_temporary);
    if (join(points, directory, POINTS, "", &ignored)) {
        remove_files(points, is_temporary);
    }
}
