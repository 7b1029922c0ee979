/* SPDX-License-Identifier: MIT */
#include "machine/data_files.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/param.h"

enum { FOLDERS_MAX = 3 };

static const char EXTENSION[] = ".yaml";

/* What each kind is called, in `hvsim list` and in a sentence, and where it lies. */
static const struct {
    const char *list, *word, *folder;
} kinds[] = {
    [DATA_CONFIG] = {"configs", "config", "configs"},
    [DATA_WORKLOAD] = {"workloads", "workload", "workloads"},
    [DATA_SWEEP] = {"sweeps", "sweep", "configs/sweeps"},
    [DATA_FIGURE] = {"figures", "figure", "configs/figures"},
    [DATA_VMCS] = {"vmcs", "VMCS", "configs/vmcs"},
};

/* The folders that may hold shipped files, the first to be asked first. */
struct folders {
    char path[FOLDERS_MAX][PATH_MAX];
    size_t count;
};

/* The folder above that of the running program: build/.. in the source tree. */
static bool source_tree(char path[PATH_MAX])
{
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);
    if (length <= 0) {
        return false;
    }
    path[length] = '\0';
    for (int i = 0; i < 2; i++) { /* the program's name, then its folder */
        char *slash = strrchr(path, '/');
        if (slash == NULL) {
            return false;
        }
        *slash = '\0';
    }
    return true;
}

static void find_folders(struct folders *folders)
{
    *folders = (struct folders){.count = 0};
    const char *chosen = getenv("HVSIM_DATA");
    if (chosen != NULL && strlen(chosen) < PATH_MAX) {
        strcpy(folders->path[folders->count++], chosen);
    }
    folders->count += source_tree(folders->path[folders->count]);
    strcpy(folders->path[folders->count++], HVSIM_SHARE_DIR);
}

static bool is_file(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && !S_ISDIR(status.st_mode);
}

static bool ends_in_extension(const char *name)
{
    size_t length = strlen(name), end = strlen(EXTENSION);
    return length > end && strcmp(name + length - end, EXTENSION) == 0;
}

static bool find_shipped(enum data_kind kind, const char *name, char path[PATH_MAX])
{
    struct folders folders;
    find_folders(&folders);
    for (size_t i = 0; i < folders.count; i++) {
        int length = snprintf(path, PATH_MAX, "%s/%s/%s%s", folders.path[i], kinds[kind].folder, name, EXTENSION);
        if (length > 0 && length < PATH_MAX && is_file(path)) {
            return true;
        }
    }
    return false;
}

static bool fail_unknown(enum data_kind kind, const char *name, struct hv_err *err)
{
    struct data_files files;
    data_files_list(kind, &files);
    const char **names = calloc(files.count + 1, sizeof(*names));
    HV_ASSERT(names != NULL, "out of memory");
    for (size_t i = 0; i < files.count; i++) {
        names[i] = files.items[i].name;
    }
    const char *nearest = nearest_name(name, names, files.count);
    if (nearest != NULL) {
        hv_fail(err, "\"%.80s\" is neither a file nor a shipped %s; did you mean \"%s\"?", name, kinds[kind].word,
                nearest);
    } else {
        hv_fail(err, "\"%.80s\" is neither a file nor a shipped %s; see hvsim list %s", name, kinds[kind].word,
                kinds[kind].list);
    }
    free(names);
    data_files_fini(&files);
    return false;
}

bool data_file_find(enum data_kind kind, const char *name, char path[PATH_MAX], struct hv_err *err)
{
    if (strlen(name) >= PATH_MAX) {
        return hv_fail(err, "the file name \"%.80s...\" is too long", name);
    }
    if (!is_file(name) && find_shipped(kind, name, path)) {
        return true;
    }
    /* What was meant to be a path is told as a path: reading it says what is wrong. */
    if (is_file(name) || strchr(name, '/') != NULL || ends_in_extension(name)) {
        strcpy(path, name);
        return true;
    }
    return fail_unknown(kind, name, err);
}

static bool contains(const struct data_files *files, const char *name, size_t length)
{
    for (size_t i = 0; i < files->count; i++) {
        if (strlen(files->items[i].name) == length && memcmp(files->items[i].name, name, length) == 0) {
            return true;
        }
    }
    return false;
}

static void add_file(struct data_files *files, const char *folder, const char *entry)
{
    size_t length = strlen(entry) - strlen(EXTENSION);
    if (contains(files, entry, length)) {
        return;
    }
    files->items = reallocarray(files->items, files->count + 1, sizeof(*files->items));
    HV_ASSERT(files->items != NULL, "out of memory");
    struct data_file *file = &files->items[files->count++];
    file->name = strndup(entry, length);
    HV_ASSERT(file->name != NULL && asprintf(&file->path, "%s/%s", folder, entry) > 0, "out of memory");
}

static void add_folder(struct data_files *files, const char *folder)
{
    DIR *directory = opendir(folder);
    if (directory == NULL) {
        return;
    }
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] != '.' && ends_in_extension(entry->d_name)) {
            add_file(files, folder, entry->d_name);
        }
    }
    closedir(directory);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct data_file *)a)->name, ((const struct data_file *)b)->name);
}

void data_files_list(enum data_kind kind, struct data_files *files)
{
    struct folders folders;
    *files = (struct data_files){0};
    find_folders(&folders);
    for (size_t i = 0; i < folders.count; i++) {
        char folder[PATH_MAX];
        int length = snprintf(folder, sizeof(folder), "%s/%s", folders.path[i], kinds[kind].folder);
        if (length > 0 && (size_t)length < sizeof(folder)) {
            add_folder(files, folder);
        }
    }
    if (files->count > 0) {
        qsort(files->items, files->count, sizeof(*files->items), by_name);
    }
}

void data_files_fini(struct data_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        free(files->items[i].name);
        free(files->items[i].path);
    }
    free(files->items);
}
