/* SPDX-License-Identifier: MIT */
/* Finding, defaulting and setting parameters; values are in param_parse.c, YAML in param_load.c. */
#include "base/param.h"

#include <stdlib.h>
#include <string.h>

#include "base/param_value.h"

static void make_ref(const struct param_mount *mount, const struct param_row *row, size_t index, struct param_ref *ref)
{
    ref->mount = mount;
    ref->row = row;
    ref->index = index;
    const char *dot = mount->prefix[0] == '\0' ? "" : ".";
    int length = snprintf(ref->name, sizeof(ref->name), "%s%s%s", mount->prefix, dot, row->name);
    HV_ASSERT((size_t)length < sizeof(ref->name), "parameter name %s is too long", ref->name);
}

void params_each(const struct param_schema *schema, bool (*visit)(void *ctx, const struct param_ref *ref), void *ctx)
{
    size_t index = 0;
    for (size_t m = 0; m < schema->count; m++) {
        const struct param_mount *mount = &schema->mounts[m];
        for (size_t i = 0; i < *mount->count; i++) {
            struct param_ref ref;
            make_ref(mount, &mount->rows[i], index++, &ref);
            if (!visit(ctx, &ref)) {
                return;
            }
        }
    }
}

struct collection {
    struct param_ref *refs;
    size_t count;
};

static bool collect(void *ctx, const struct param_ref *ref)
{
    struct collection *all = ctx;
    all->refs[all->count++] = *ref;
    return true;
}

struct param_ref *param_all(const struct param_schema *schema, size_t *count)
{
    *count = 0;
    for (size_t m = 0; m < schema->count; m++) {
        *count += *schema->mounts[m].count;
    }
    struct collection all = { calloc(*count + 1, sizeof(struct param_ref)), 0 };
    HV_ASSERT(all.refs != NULL, "out of memory");
    params_each(schema, collect, &all);
    return all.refs;
}

/* The part of name below the mount's prefix, or NULL. */
static const char *below_mount(const struct param_mount *mount, const char *name)
{
    size_t length = strlen(mount->prefix);
    if (length == 0) {
        return name;
    }
    return strncmp(name, mount->prefix, length) == 0 && name[length] == '.' ? name + length + 1 : NULL;
}

bool params_find(const struct param_schema *schema, const char *name, struct param_ref *ref)
{
    size_t index = 0;
    for (size_t m = 0; m < schema->count; m++) {
        const struct param_mount *mount = &schema->mounts[m];
        const char *rest = below_mount(mount, name);
        for (size_t i = 0; rest != NULL && i < *mount->count; i++) {
            if (strcmp(rest, mount->rows[i].name) == 0) {
                make_ref(mount, &mount->rows[i], index + i, ref);
                return true;
            }
        }
        index += *mount->count;
    }
    return false;
}

/* Steps through "entries=1536 ways=12": finds the next word and its "="; returns where to go on, NULL at the end. */
static const char *next_default(const char *text, const char **word, size_t *name_length, size_t *value_length)
{
    text += strspn(text, " ");
    if (*text == '\0') {
        return NULL;
    }
    size_t length = strcspn(text, " ");
    const char *equals = memchr(text, '=', length);
    HV_ASSERT(equals != NULL, "mount default \"%s\" has no =", text);
    *word = text;
    *name_length = (size_t)(equals - text);
    *value_length = length - *name_length - 1;
    return text + length;
}

void param_default_text(const struct param_ref *ref, char *text, size_t bytes)
{
    snprintf(text, bytes, "%s", ref->row->default_text);
    const char *rest = ref->mount->defaults == NULL ? "" : ref->mount->defaults, *word;
    size_t name_length, value_length;
    while ((rest = next_default(rest, &word, &name_length, &value_length)) != NULL) {
        if (strlen(ref->row->name) == name_length && memcmp(word, ref->row->name, name_length) == 0) {
            snprintf(text, bytes, "%.*s", (int)value_length, word + name_length + 1);
        }
    }
}

/* A mount default that names no row would be ignored silently. */
static void check_mount(const struct param_mount *mount)
{
    const char *rest = mount->defaults == NULL ? "" : mount->defaults, *word;
    size_t name_length, value_length;
    while ((rest = next_default(rest, &word, &name_length, &value_length)) != NULL) {
        bool known = false;
        for (size_t i = 0; i < *mount->count; i++) {
            const char *name = mount->rows[i].name;
            known |= strlen(name) == name_length && memcmp(word, name, name_length) == 0;
        }
        HV_ASSERT(known, "mount %s has a default for an unknown row: %s", mount->prefix, word);
    }
}

struct defaulting {
    const struct param_schema *schema;
    void *params;
};

static bool set_default(void *ctx, const struct param_ref *ref)
{
    struct defaulting *d = ctx;
    struct param_ref found;
    HV_ASSERT(params_find(d->schema, ref->name, &found) && found.index == ref->index, "%s is in the schema twice",
              ref->name);
    char text[PARAM_VALUE_BYTES];
    struct hv_err err = { "" };
    struct hv_where where = { "default", 0, 0 };
    param_default_text(ref, text, sizeof(text));
    HV_ASSERT(param_parse(ref, text, param_member(ref, d->params), &where, &err), "%s", err.text);
    return true;
}

void params_defaults(const struct param_schema *schema, void *params)
{
    for (size_t m = 0; m < schema->count; m++) {
        check_mount(&schema->mounts[m]);
    }
    struct defaulting d = { schema, params };
    params_each(schema, set_default, &d);
}

bool params_set(const struct param_schema *schema, void *params, const char *name, const char *value,
                const struct hv_where *where, struct hv_err *err)
{
    struct param_ref ref;
    if (!params_find(schema, name, &ref)) {
        return param_fail_unknown(schema, name, where, err);
    }
    return param_parse(&ref, value, param_member(&ref, params), where, err);
}

bool params_set_option(const struct param_schema *schema, void *params, const char *key_equals_value,
                       struct hv_err *err)
{
    const struct hv_where where = { "--set", 0, 0 };
    const char *equals = strchr(key_equals_value, '=');
    if (equals == NULL) {
        return hv_fail_at(err, &where, "\"%.80s\" has no \"=\"; write KEY=VALUE, such as core.width=4",
                          key_equals_value);
    }
    char name[2 * PARAM_NAME_BYTES];
    snprintf(name, sizeof(name), "%.*s", (int)(equals - key_equals_value), key_equals_value);
    return params_set(schema, params, name, equals + 1, &where, err);
}
