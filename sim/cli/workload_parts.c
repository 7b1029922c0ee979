/* SPDX-License-Identifier: MIT */
#include "cli/workload_parts.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine/data_files.h"
#include "machine/workload_files.h"

/* Tries FOLDER/NAME and FOLDER/NAME.yaml, in the folder of file. */
static bool find_beside(const char *file, const char *name, char path[PATH_MAX])
{
    const char *slash = file == NULL ? NULL : strrchr(file, '/');
    static const char *const extensions[] = {"", ".yaml"};
    for (size_t i = 0; slash != NULL && name[0] != '/' && i < HV_ARRAY_LEN(extensions); i++) {
        int length = snprintf(path, PATH_MAX, "%.*s/%s%s", (int)(slash - file), file, name, extensions[i]);
        if (length > 0 && length < PATH_MAX && access(path, F_OK) == 0) {
            return true;
        }
    }
    return false;
}

/* Appends the absolute path of the file that the name stands for to the list. */
static bool find_part(const char *file, const char *name, char list[PARAM_TEXT_BYTES], struct hv_err *err)
{
    char beside[PATH_MAX], path[PATH_MAX], absolute[PATH_MAX];
    if (name[0] == '\0') {
        return hv_fail(err, "workload.parts has a comma too many; write one between two workloads");
    }
    bool is_beside = access(name, F_OK) != 0 && find_beside(file, name, beside);
    if (!data_file_find(DATA_WORKLOAD, is_beside ? beside : name, path, err)) {
        return false;
    }
    if (realpath(path, absolute) == NULL) { /* reading it says what is wrong with it */
        strcpy(absolute, path);
    }
    if (strchr(absolute, ',') != NULL) {
        return hv_fail(err, "the path %.200s has a comma, which divides workload.parts; move or link the file",
                       absolute);
    }
    size_t used = strlen(list);
    int length = snprintf(list + used, PARAM_TEXT_BYTES - used, "%s%s", used > 0 ? "," : "", absolute);
    if (length < 0 || (size_t)length >= PARAM_TEXT_BYTES - used) {
        return hv_fail(err, "the paths of workload.parts have more than %d bytes together; use fewer parts or shorter "
                       "folders", PARAM_TEXT_BYTES - 1);
    }
    return true;
}

bool workload_parts_find(struct machine_params *params, const char *file, struct hv_err *err)
{
    char copy[PARAM_TEXT_BYTES], found[PARAM_TEXT_BYTES] = "", *rest = copy, *name;
    strcpy(copy, params->workload.parts);
    if (copy[0] == '\0') {
        return true;
    }
    while ((name = workload_parts_cut(&rest)) != NULL) {
        if (!find_part(file, name, found, err)) {
            return false;
        }
    }
    struct hv_where where = {"workload.parts", 0, 0};
    return params_set(&machine_schema, params, "workload.parts", found, &where, err);
}
