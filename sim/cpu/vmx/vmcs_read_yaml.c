/* SPDX-License-Identifier: MIT */
/* The description of a VMCS as a YAML map. */
#include <ctype.h>

#include "base/conf.h"
#include "base/number.h"
#include "cpu/vmx/vmcs_description.h"
#include "cpu/vmx/vmx_caps.h"

static bool fail_control(enum vmx_word word, const char *name, const struct hv_where *where, struct hv_err *err)
{
    const char *nearest = vmx_control_nearest(word, name);
    return nearest != NULL ? hv_fail_at(err, where, "there is no %s control \"%.80s\"; did you mean \"%s\"?",
                                        vmx_word_names[word], name, nearest)
                           : hv_fail_at(err, where, "there is no %s control \"%.80s\"; see hvsim list controls",
                                        vmx_word_names[word], name);
}

/* One item of a list: the name of a control, or a number for bits that have no name. */
static bool add_control(enum vmx_word word, const struct conf_doc *doc, const struct conf_node *item, uint64_t *bits,
                        struct hv_err *err)
{
    struct hv_where where = conf_where_value(doc, item);
    uint64_t number;
    if (item->kind != CONF_SCALAR) {
        return hv_fail_at(err, &where, "an item of this list is the name of a control");
    }
    if (isdigit((unsigned char)item->text[0]) && number_parse_count(item->text, &number) == NUMBER_OK) {
        *bits |= number;
        return true;
    }
    const struct vmx_control *control = vmx_control_named(word, item->text);
    if (control == NULL) {
        return fail_control(word, item->text, &where, err);
    }
    *bits |= UINT64_C(1) << control->bit;
    return true;
}

static bool give_list(struct vmcs_description *d, uint32_t encoding, const struct conf_doc *doc,
                      const struct conf_node *list, struct hv_err *err)
{
    int field = vmcs_field_find(encoding);
    enum vmx_word word = vmx_word_of((enum vmcs_index)field);
    struct hv_where where = conf_where_value(doc, list);
    if (word == VMX_WORDS || vmcs_encoding_high(encoding)) {
        return hv_fail_at(err, &where, "%s takes a number; only control words take lists", vmcs_fields[field].name);
    }
    uint64_t bits = vmx_reserved_ones(word);
    for (size_t i = 0; i < list->count; i++) {
        if (!add_control(word, doc, &list->children[i], &bits, err)) {
            return false;
        }
    }
    return vmcs_description_give(d, encoding, bits, &where, err);
}

static bool give_node(struct vmcs_description *d, const struct conf_doc *doc, const struct conf_node *node,
                      struct hv_err *err)
{
    struct hv_where where = conf_where(doc, node), value_where = conf_where_value(doc, node);
    uint32_t encoding;
    if (!vmcs_description_find(node->key, &where, &encoding, err)) {
        return false;
    }
    switch (node->kind) {
    case CONF_LIST: return give_list(d, encoding, doc, node, err);
    case CONF_MAP: return hv_fail_at(err, &value_where, "%.80s takes a number, not a map", node->key);
    default: return vmcs_description_give_text(d, encoding, node->text, &value_where, err);
    }
}

bool vmcs_read_yaml(struct vmcs_description *d, const char *name, const char *data, size_t size, struct hv_err *err)
{
    struct conf_doc doc;
    if (!conf_read_buffer(&doc, name, data, size, err)) {
        return false;
    }
    bool ok = true;
    for (size_t i = 0; i < doc.root.count && ok; i++) {
        ok = give_node(d, &doc, &doc.root.children[i], err);
    }
    conf_fini(&doc);
    return ok;
}
