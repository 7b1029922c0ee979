/* SPDX-License-Identifier: MIT */
/* Parameters from a YAML document. */
#include <stdlib.h>
#include <string.h>

#include "base/param_value.h"

struct load {
    const struct param_schema *schema;
    void *params;
    const struct conf_doc *doc;
    const struct conf_node **given; /* by parameter index: the entry that set it, or NULL */
    struct hv_err *err;
};

/* "cache.l1d takes ..., not a map": at the value, because the name is right. */
static bool fail_kind(const struct load *load, const struct param_ref *ref, const struct conf_node *node)
{
    char accepted[2 * PARAM_VALUE_BYTES];
    param_accepted(ref->row, accepted, sizeof(accepted));
    struct hv_where where = conf_where_value(load->doc, node);
    return hv_fail_at(load->err, &where, "%s takes %s, not a %s", ref->name, accepted,
                      node->kind == CONF_MAP ? "map" : "list");
}

/* `key:` with nothing after it, as opposed to `key: ""`. */
static bool is_omitted(const struct conf_node *node)
{
    return node->kind == CONF_SCALAR && node->text[0] == '\0' && !node->quoted;
}

static bool fail_omitted(const struct load *load, const struct param_ref *ref, const struct conf_node *node)
{
    char accepted[2 * PARAM_VALUE_BYTES];
    param_accepted(ref->row, accepted, sizeof(accepted));
    struct hv_where where = conf_where(load->doc, node);
    return hv_fail_at(load->err, &where, "%s has no value; it takes %s", ref->name, accepted);
}

static bool load_set(struct load *load, const struct param_ref *ref, const struct conf_node *list, void *member)
{
    uint32_t mask = 0, index;
    for (size_t i = 0; i < list->count; i++) {
        const struct conf_node *item = &list->children[i];
        struct hv_where where = conf_where_value(load->doc, item);
        if (item->kind != CONF_SCALAR) {
            return fail_kind(load, ref, item);
        }
        if (!param_parse_name(ref, item->text, &index, &where, load->err)) {
            return false;
        }
        mask |= UINT32_C(1) << index;
    }
    struct hv_where where = conf_where_value(load->doc, list);
    return param_store_set(ref, mask, member, &where, load->err);
}

static bool load_value(struct load *load, const struct param_ref *ref, const struct conf_node *node)
{
    const struct conf_node *first = load->given[ref->index];
    if (first != NULL) {
        struct hv_where where = conf_where(load->doc, node);
        return hv_fail_at(load->err, &where, "parameter \"%s\" is given twice, first at line %u", ref->name,
                          first->key_line);
    }
    load->given[ref->index] = node;
    void *member = param_member(ref, load->params);
    if (node->kind == CONF_LIST && ref->row->type == PARAM_SET) {
        return load_set(load, ref, node, member);
    }
    if (node->kind != CONF_SCALAR) {
        return fail_kind(load, ref, node);
    }
    if (is_omitted(node)) {
        return fail_omitted(load, ref, node);
    }
    struct hv_where where = conf_where_value(load->doc, node);
    return param_parse(ref, node->text, member, &where, load->err);
}

/* `name` is the dotted name of map, "" at the top; conf.c bounds the depth of the recursion. */
static bool load_map(struct load *load, const struct conf_node *map, const char *name)
{
    for (size_t i = 0; i < map->count; i++) {
        const struct conf_node *child = &map->children[i];
        struct hv_where where = conf_where(load->doc, child);
        struct param_ref ref;
        /* Longer than any parameter, so that a name cut short is unknown as well. */
        char child_name[2 * PARAM_NAME_BYTES];
        snprintf(child_name, sizeof(child_name), "%s%s%s", name, name[0] == '\0' ? "" : ".", child->key);
        bool ok;
        if (child->kind == CONF_MAP && param_is_group(load->schema, child_name)) {
            ok = load_map(load, child, child_name);
        } else if (params_find(load->schema, child_name, &ref)) {
            ok = load_value(load, &ref, child);
        } else if (child->kind == CONF_MAP) {
            ok = param_fail_unknown_group(load->schema, child_name, &where, load->err);
        } else {
            ok = param_fail_unknown(load->schema, child_name, &where, load->err);
        }
        if (!ok) {
            return false;
        }
    }
    return true;
}

bool params_load_map(const struct param_schema *schema, void *params, const struct conf_doc *doc,
                     const struct conf_node *map, struct hv_err *err)
{
    size_t count = 0;
    for (size_t i = 0; i < schema->count; i++) {
        count += *schema->mounts[i].count;
    }
    struct load load = { schema, params, doc, NULL, err };
    load.given = calloc(count + 1, sizeof(const struct conf_node *));
    HV_ASSERT(load.given != NULL, "out of memory");
    bool ok = load_map(&load, map, "");
    free(load.given);
    return ok;
}

bool params_load(const struct param_schema *schema, void *params, const char *path, struct hv_err *err)
{
    struct conf_doc doc;
    if (!conf_read(&doc, path, err)) {
        return false;
    }
    bool ok = params_load_map(schema, params, &doc, &doc.root, err);
    conf_fini(&doc);
    return ok;
}
