/* SPDX-License-Identifier: MIT */
/* The file of a recipe. */
#include <math.h>
#include <string.h>

#include "base/number.h"
#include "figure/expr.h"
#include "figure/figure.h"
#include "sweep/sweep_read.h"

const struct figure_picture figure_pictures[] = {
    {"plot", "what the sweep's plot says", figure_draw_plot},
    {"walk-grid", "the cells of a nested walk, as a matrix; the sweep is one row with the metrics mmu.grid.*",
     figure_draw_grid},
};
const size_t figure_picture_count = HV_ARRAY_LEN(figure_pictures);

static const char *const figure_keys[] = {"title", "caption", "source", "sweep", "picture", "checks", NULL};
static const char *const check_keys[] = {"what", "value", "published", "band", "not_covered", "shortfall", NULL};

/* A text of a map by key; a key that is needed and missing is a mistake, told at `where`. */
static bool read_text(const struct figure *f, const struct conf_node *map, const char *key, bool needed,
                      const char **text, struct hv_err *err)
{
    const struct conf_node *node = conf_get(map, key);
    struct hv_where where = conf_where_value(&f->sweep.doc, map);
    *text = NULL;
    if (node == NULL) {
        return !needed || hv_fail_at(err, &where, "a %s needs %s: a text", map->key == NULL ? "check" : "figure", key);
    }
    *text = sweep_read_word(&f->sweep, node, key, "a text", err);
    return *text != NULL;
}

/* --- Checks ------------------------------------------------------------------------------------------------------- */

static bool read_bound(const struct conf_node *node, double *bound)
{
    return node->kind == CONF_SCALAR && number_parse_real(node->text, bound) == NUMBER_OK;
}

static bool read_band(const struct figure *f, const struct conf_node *node, struct figure_check *check,
                      struct hv_err *err)
{
    if (node == NULL) {
        return true;
    }
    struct hv_where where = conf_where_value(&f->sweep.doc, node);
    bool pair = node->kind == CONF_LIST && node->count == 2;
    bool ok = pair ? read_bound(&node->children[0], &check->low) && read_bound(&node->children[1], &check->high)
                   : read_bound(node, &check->low);
    check->high = pair ? check->high : check->low;
    check->has_band = true;
    return (ok && check->low <= check->high) ||
           hv_fail_at(err, &where, "band takes [least, most], or one number for both");
}

static bool read_check(struct figure *f, const struct conf_node *node, struct hv_err *err)
{
    const struct sweep *s = &f->sweep;
    struct figure_check *check = &f->checks[f->check_count];
    struct hv_where where = conf_where_value(&s->doc, node);
    if (node->kind != CONF_MAP) {
        return hv_fail_at(err, &where, "a check is a map: {what: ..., value: ..., published: ..., band: [..., ...]}");
    }
    if (!sweep_check_keys(s, node, "check", check_keys, err) ||
        !read_text(f, node, "what", true, &check->what, err) ||
        !read_text(f, node, "published", false, &check->published, err) ||
        !read_text(f, node, "not_covered", false, &check->not_covered, err) ||
        !read_text(f, node, "shortfall", false, &check->shortfall, err) ||
        !read_text(f, node, "value", check->not_covered == NULL, &check->value, err) ||
        !read_band(f, conf_get(node, "band"), check, err)) {
        return false;
    }
    if (!check->has_band && check->not_covered == NULL) {
        return hv_fail_at(err, &where, "a check needs band: [least, most], or not_covered: why the model cannot tell");
    }
    if (check->value != NULL) {
        const struct conf_node *value = conf_get(node, "value");
        check->value_where = conf_where_value(&s->doc, value);
        check->value_where.column += value->quoted;
    }
    f->check_count++;
    return check->value == NULL || expr_check(s, check->value, &check->value_where, err);
}

static bool read_checks(struct figure *f, const struct conf_node *root, struct hv_err *err)
{
    const struct conf_node *node = conf_get(root, "checks");
    struct hv_where where = node == NULL ? (struct hv_where){f->sweep.doc.file, 1, 1}
                                         : conf_where(&f->sweep.doc, node);
    if (node == NULL || node->kind != CONF_LIST || node->count == 0 || node->count > FIGURE_MAX_CHECKS) {
        return hv_fail_at(err, &where, "a figure needs checks: a list of 1 to %d maps with what, value, published and "
                          "band", FIGURE_MAX_CHECKS);
    }
    f->checks = arena_alloc(&f->sweep.memory, node->count * sizeof(*f->checks));
    for (size_t i = 0; i < node->count; i++) {
        if (!read_check(f, &node->children[i], err)) {
            return false;
        }
    }
    return true;
}

/* --- The whole ---------------------------------------------------------------------------------------------------- */

static bool read_picture(struct figure *f, const struct conf_node *root, struct hv_err *err)
{
    const char *names[8] = {NULL}, *word;
    const struct conf_node *node = conf_get(root, "picture");
    f->picture = &figure_pictures[0];
    if (node == NULL) {
        return true;
    }
    word = sweep_read_word(&f->sweep, node, "picture", "plot or walk-grid", err);
    for (size_t i = 0; word != NULL && i < figure_picture_count; i++) {
        names[i] = figure_pictures[i].name;
        if (strcmp(names[i], word) == 0) {
            f->picture = &figure_pictures[i];
            return true;
        }
    }
    struct hv_where where = conf_where_value(&f->sweep.doc, node);
    return word != NULL && hv_fail_at(err, &where, "picture: \"%.80s\" is neither plot nor walk-grid", word);
}

/* The sweep below a key takes the document over. */
static bool read_sweep(struct figure *f, const struct conf_node *root, const struct sweep_host *host,
                       struct hv_err *err)
{
    const struct conf_node *node = conf_get(root, "sweep");
    struct hv_where where = node == NULL ? (struct hv_where){f->sweep.doc.file, 1, 1}
                                         : conf_where(&f->sweep.doc, node);
    if (node == NULL || node->kind != CONF_MAP) {
        return hv_fail_at(err, &where, "a figure needs sweep: a map with the keys of a sweep file");
    }
    struct conf_doc below = f->sweep.doc;
    below.root = *node;
    struct hv_err why = {""};
    if (!sweep_load_doc(&f->sweep, &below, host, err)) {
        return false;
    }
    /* Such as a model that this version lacks: the other figures can be had in spite of it. */
    if (!sweep_expand(&f->sweep, NULL, 0, &why)) {
        snprintf(f->failure, sizeof(f->failure), "%.500s", why.text);
    }
    return true;
}

static bool read_figure(struct figure *f, const struct conf_node *root, const struct sweep_host *host,
                        struct hv_err *err)
{
    struct conf_node named = *root;
    named.key = ""; /* so that what it lacks is told of a figure, and not of a check */
    if (!sweep_check_keys(&f->sweep, root, "figure", figure_keys, err) || !read_sweep(f, root, host, err)) {
        return false;
    }
    f->name = f->sweep.name;
    if (!read_text(f, &named, "title", true, &f->title, err) ||
        !read_text(f, &named, "caption", false, &f->caption, err) ||
        !read_text(f, &named, "source", true, &f->source, err) || !read_picture(f, root, err)) {
        return false;
    }
    f->sweep.plot.title = f->sweep.plot.title != NULL ? f->sweep.plot.title : f->title;
    return read_checks(f, root, err);
}

bool figure_load(struct figure *f, const char *path, const struct sweep_host *host, struct hv_err *err)
{
    *f = (struct figure){.name = NULL};
    if (!conf_read(&f->sweep.doc, path, err)) {
        return false;
    }
    struct conf_node root = f->sweep.doc.root; /* outlives what the sweep makes its own root */
    bool ok = read_figure(f, &root, host, err);
    if (!ok) {
        figure_fini(f);
    }
    return ok;
}

void figure_fini(struct figure *f)
{
    sweep_fini(&f->sweep);
    *f = (struct figure){.name = NULL};
}
