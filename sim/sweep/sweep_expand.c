/* SPDX-License-Identifier: MIT */
/* From axes to points: the parameters of each, resolved, what its file is called and what decides its result. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/param_reference.h"
#include "sweep/fingerprint.h"
#include "sweep/sweep.h"

enum { NAME_BYTES = 200 }; /* of a point; file systems end at 255, and a temporary file needs some more */

/* --- Parameters --------------------------------------------------------------------------------------------------- */

static const char *source_of(const struct sweep *s, size_t row, enum sweep_source source)
{
    for (size_t i = 0; i < s->axis_count; i++) {
        const struct sweep_axis *axis = &s->axes[i];
        if ((axis->kind == SWEEP_AXIS_CONFIG && source == SWEEP_CONFIG) ||
            (axis->kind == SWEEP_AXIS_WORKLOAD && source == SWEEP_WORKLOAD)) {
            return sweep_value(s, row, axis)->text;
        }
    }
    return s->source[source];
}

static bool set_axes(const struct sweep *s, size_t row, struct machine_params *params, struct hv_err *err)
{
    for (size_t i = 0; i < s->axis_count; i++) {
        const struct sweep_axis *axis = &s->axes[i];
        if (axis->kind == SWEEP_AXIS_PARAM && !params_set(&machine_schema, params, axis->name,
                                                          sweep_value(s, row, axis)->text, &axis->where, err)) {
            return false;
        }
    }
    return true;
}

static bool set_params(const struct sweep *s, size_t row, struct machine_params *params, struct hv_err *err)
{
    const char *config = source_of(s, row, SWEEP_CONFIG), *workload = source_of(s, row, SWEEP_WORKLOAD);
    machine_params_init(params);
    if (!s->host->load(params, config, err) || (workload != NULL && !s->host->load(params, workload, err)) ||
        (s->set != NULL && !params_load_map(&machine_schema, params, &s->doc, s->set, err)) ||
        !set_axes(s, row, params, err) || !s->host->settle(params, s->doc.file, err)) {
        return false;
    }
    for (size_t i = 0; i < s->set_count; i++) {
        if (!params_set_option(&machine_schema, params, s->sets[i], err)) {
            return false;
        }
    }
    return s->host->settle(params, NULL, err);
}

void sweep_describe_row(const struct sweep *s, size_t row, char *text, size_t bytes)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < s->axis_count && used < bytes; i++) {
        used += (size_t)snprintf(text + used, bytes - used, "%s%s=%s", i > 0 ? ", " : "", s->axes[i].name,
                                 sweep_value(s, row, &s->axes[i])->label);
    }
}

/* What several parameters of a row together have wrong is told with the row. */
static bool resolve(const struct sweep *s, size_t row, struct machine_params *params, struct hv_err *err)
{
    struct hv_err why = {""};
    char description[512];
    if (machine_params_resolve(params, &why)) {
        return true;
    }
    sweep_describe_row(s, row, description, sizeof(description));
    return hv_fail(err, "%s: with %s: %s", s->doc.file, description, why.text);
}

/* A metric such as core3.cpi needs a machine with that core. */
static bool check_metrics(const struct sweep *s, size_t row, const struct machine_params *params, struct hv_err *err)
{
    for (size_t i = 0; i < s->metric_count; i++) {
        unsigned long long core;
        char description[512];
        if (sscanf(s->metrics[i].name, "core%llu.", &core) == 1 &&
            (params->machine.cores == 1 || core >= params->machine.cores)) {
            sweep_describe_row(s, row, description, sizeof(description));
            return hv_fail_at(err, &s->metrics[i].where, "with %s the machine has %llu core%s, and so no statistic %s",
                              description, (unsigned long long)params->machine.cores,
                              params->machine.cores == 1 ? "" : "s", s->metrics[i].name);
        }
    }
    return true;
}

/* --- Fingerprints ------------------------------------------------------------------------------------------------- */

/* The parameters of a machine as three sums: of all, of what software prepares, and of that but for the seed. */
struct summing {
    const struct machine_params *params;
    uint64_t key, group, family;
};

static bool add_param(void *ctx, const struct param_ref *ref)
{
    struct summing *sum = ctx;
    char value[2 * PARAM_TEXT_BYTES];
    /* A file is what it holds, wherever it lies: see add_files(). */
    if (ref->row->type == PARAM_TEXT) {
        return true;
    }
    params_format(ref, sum->params, value, sizeof(value));
    sum->key = fingerprint_text(fingerprint_text(sum->key, ref->name), value);
    if (!machine_param_is_hardware(ref)) {
        sum->group = fingerprint_text(sum->group, value);
        sum->family = strcmp(ref->name, "workload.seed") == 0 ? sum->family : fingerprint_text(sum->family, value);
    }
    return true;
}

/* Files that were read already; most points have the same. */
struct file_print {
    const char *path;
    uint64_t print;
};

struct file_prints {
    struct arena *memory;
    struct file_print items[256];
    size_t count;
    struct hv_err *err;
};

static bool print_of_file(struct file_prints *files, const char *path, uint64_t *print)
{
    for (size_t i = 0; i < files->count; i++) {
        if (strcmp(files->items[i].path, path) == 0) {
            *print = files->items[i].print;
            return true;
        }
    }
    *print = FINGERPRINT_NOTHING;
    if (!fingerprint_file(print, path, files->err)) {
        return false;
    }
    if (files->count < HV_ARRAY_LEN(files->items)) {
        files->items[files->count++] = (struct file_print){arena_copy(files->memory, path, strlen(path)), *print};
    }
    return true;
}

struct adding_files {
    struct file_prints *files;
    struct summing *sum;
    bool ok;
};

/* Text is the name of a file, or a list of names; what is no file is told by whoever opens it. */
static bool add_files(void *ctx, const struct param_ref *ref)
{
    struct adding_files *adding = ctx;
    struct summing *sum = adding->sum;
    char text[PARAM_TEXT_BYTES], *rest = text, *path;
    if (ref->row->type != PARAM_TEXT) {
        return true;
    }
    params_format(ref, sum->params, text, sizeof(text));
    while ((path = strsep(&rest, ",")) != NULL) {
        uint64_t print = FINGERPRINT_NOTHING;
        if (path[0] == '\0' || access(path, F_OK) != 0) {
            print = fingerprint_text(print, path);
        } else if (!print_of_file(adding->files, path, &print)) {
            adding->ok = false;
            return false;
        }
        sum->key = fingerprint_number(sum->key, print);
        sum->group = fingerprint_number(sum->group, print);
        sum->family = fingerprint_number(sum->family, print);
    }
    return true;
}

static bool sum_up(const struct sweep *s, struct sweep_point *p, struct file_prints *files)
{
    uint64_t start = fingerprint_text(FINGERPRINT_NOTHING, s->host->build);
    struct summing sum = {&p->params, start, FINGERPRINT_NOTHING, FINGERPRINT_NOTHING};
    struct adding_files adding = {files, &sum, true};
    params_each(&machine_schema, add_param, &sum);
    params_each(&machine_schema, add_files, &adding);
    p->key = sum.key;
    p->group = sum.group;
    p->family = sum.family;
    return adding.ok;
}

/* --- Names -------------------------------------------------------------------------------------------------------- */

/* "tlb.l2.entries=512,paging.mode=native,seed=1"; what a file name had better not hold is replaced, and told apart. */
static const char *name_point(struct sweep *s, size_t row, uint64_t seed)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.=,";
    char name[NAME_BYTES];
    uint64_t print = FINGERPRINT_NOTHING;
    size_t used = 0;
    bool exact = true;
    for (size_t i = 0; i <= s->axis_count; i++) {
        char part[2 * PARAM_TEXT_BYTES + PARAM_NAME_BYTES];
        if (i < s->axis_count) {
            snprintf(part, sizeof(part), "%s=%s,", s->axes[i].name, sweep_value(s, row, &s->axes[i])->label);
        } else {
            snprintf(part, sizeof(part), "seed=%llu", (unsigned long long)seed);
        }
        print = fingerprint_text(print, part);
        for (const char *c = part; *c != '\0'; c++) {
            bool plain = strchr(letters, *c) != NULL, room = used < NAME_BYTES - sizeof("-0123456789abcdef");
            exact = exact && plain && room;
            if (room) {
                name[used++] = plain ? *c : '_';
            }
        }
    }
    snprintf(name + used, sizeof(name) - used, exact ? "" : "-%016llx", (unsigned long long)print);
    return arena_copy(&s->memory, name, strlen(name));
}

/* --- Points ------------------------------------------------------------------------------------------------------- */

/* An axis that the command line set would have no effect; a seed is set for the first repeat. */
static bool check_sets(const struct sweep *s, struct hv_err *err)
{
    struct hv_where where = {"--set", 0, 0};
    for (size_t i = 0; i < s->set_count; i++) {
        for (size_t k = 0; k < s->axis_count; k++) {
            size_t length = strlen(s->axes[k].name);
            if (strncmp(s->sets[i], s->axes[k].name, length) == 0 && s->sets[i][length] == '=') {
                return hv_fail_at(err, &where, "%s is an axis of this sweep, whose values the file gives",
                                  s->axes[k].name);
            }
        }
    }
    return true;
}

static bool expand_seeds(struct sweep *s, size_t row, const struct machine_params *params, struct file_prints *files)
{
    for (uint64_t i = 0; i < s->seeds; i++) {
        struct sweep_point *p = &s->points[s->point_count++];
        p->row = row;
        p->params = *params;
        p->seed = p->params.workload.seed += i * SWEEP_SEED_STEP;
        p->name = name_point(s, row, p->seed);
        if (!sum_up(s, p, files)) {
            return false;
        }
    }
    return true;
}

static bool expand_rows(struct sweep *s, struct machine_params *params, struct file_prints *files, struct hv_err *err)
{
    for (size_t row = 0; row < s->rows; row++) {
        if (!set_params(s, row, params, err) || !resolve(s, row, params, err) ||
            !check_metrics(s, row, params, err) || !expand_seeds(s, row, params, files)) {
            return false;
        }
    }
    return true;
}

bool sweep_expand(struct sweep *s, const char *const *sets, size_t set_count, struct hv_err *err)
{
    s->sets = sets;
    s->set_count = set_count;
    if (s->seeds > SWEEP_MAX_POINTS / s->rows) {
        struct hv_where where = {s->doc.file, 1, 1};
        return hv_fail_at(err, &where, "%zu combinations times %llu seeds are more than %d points; take fewer", s->rows,
                          (unsigned long long)s->seeds, SWEEP_MAX_POINTS);
    }
    if (!check_sets(s, err)) {
        return false;
    }
    s->points = calloc(s->rows * s->seeds, sizeof(*s->points));
    struct machine_params *params = calloc(1, sizeof(*params));
    struct file_prints *files = calloc(1, sizeof(*files));
    HV_ASSERT(s->points != NULL && params != NULL && files != NULL, "out of memory");
    files->memory = &s->memory;
    files->err = err;
    bool ok = expand_rows(s, params, files, err);
    free(params);
    free(files);
    return ok;
}

/* --- Order -------------------------------------------------------------------------------------------------------- */

struct placed {
    size_t point, first; /* of the points of its group the first in the file */
    uint64_t group;
};

static int by_group(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    return x->group != y->group ? (x->group < y->group ? -1 : 1) : (x->point > y->point) - (x->point < y->point);
}

static int by_first(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    return x->first != y->first ? (x->first < y->first ? -1 : 1) : (x->point > y->point) - (x->point < y->point);
}

void sweep_order_points(const struct sweep *s, size_t *points, size_t count)
{
    struct placed *placed = calloc(count + 1, sizeof(*placed));
    HV_ASSERT(placed != NULL, "out of memory");
    for (size_t i = 0; i < count; i++) {
        placed[i] = (struct placed){.point = points[i], .group = s->points[points[i]].group};
    }
    qsort(placed, count, sizeof(*placed), by_group);
    for (size_t i = 0; i < count; i++) {
        bool begins = i == 0 || placed[i].group != placed[i - 1].group;
        placed[i].first = begins ? placed[i].point : placed[i - 1].first;
    }
    qsort(placed, count, sizeof(*placed), by_first);
    for (size_t i = 0; i < count; i++) {
        points[i] = placed[i].point;
    }
    free(placed);
}
