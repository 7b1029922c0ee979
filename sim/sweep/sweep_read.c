/* SPDX-License-Identifier: MIT */
/* The document: its keys, and those of them that are simple. */
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/text.h"
#include "sweep/sweep_read.h"

const char *const sweep_source_names[] = {"config", "workload", NULL};

static sweep_reader read_name, read_config, read_workload, read_set, read_seeds;

/* In the order in which they are read: the plot names axes and metrics. */
static const struct sweep_key {
    const char *name;
    sweep_reader *read;
    const char *help;
} keys[] = {
    {"name", read_name, "what the sweep is called, and the directory of its results; default: the file's name"},
    {"config", read_config, "the machine: the name or file of a configuration; a list of them is an axis"},
    {"workload", read_workload, "the same for a workload; default: what config and set say"},
    {"set", read_set, "parameters of all points, over what config and workload say"},
    {"axes", sweep_read_axes,
     "parameters with lists of values, of which every combination is run; zip: [[a, b], ...] names parameters whose "
     "lists are of one length and go in step"},
    {"seeds", read_seeds, "how often each combination is repeated, each time with other random numbers; default: 1"},
    {"metrics", sweep_read_metrics, "the statistics that the table has"},
    {"plot", sweep_read_plot,
     "what is drawn: kind, x (an axis), by (axes), y (metrics), per (a metric to divide by), log, title, xlabel, "
     "ylabel; default: the first metric over the first axis"},
};

bool sweep_is_sweep(const struct conf_doc *doc)
{
    for (size_t i = 0; i < doc->root.count; i++) {
        const char *key = doc->root.children[i].key;
        /* "workload" is a group of parameters as well. */
        for (size_t k = 0; strcmp(key, "workload") != 0 && k < HV_ARRAY_LEN(keys); k++) {
            if (strcmp(key, keys[k].name) == 0) {
                return true;
            }
        }
    }
    return false;
}

void sweep_print_keys(FILE *out, int width)
{
    enum { INDENT = 11 };
    for (size_t i = 0; i < HV_ARRAY_LEN(keys); i++) {
        int column = fprintf(out, "  %-*s", INDENT - 3, keys[i].name);
        for (const char *word = keys[i].help; *word != '\0';) {
            int length = (int)strcspn(word, " ");
            column += column + 1 + length <= width ? fprintf(out, " %.*s", length, word)
                                                   : fprintf(out, "\n%*s%.*s", INDENT, "", length, word) - column - 1;
            word += length;
            word += strspn(word, " ");
        }
        fputc('\n', out);
    }
}

static bool fail_key(const struct sweep *s, const struct conf_node *node, const char *what, const char *const *known,
                     struct hv_err *err)
{
    struct hv_where where = conf_where(&s->doc, node);
    char list[256] = "";
    size_t count = 0;
    while (known[count] != NULL) {
        count++;
    }
    const char *nearest = nearest_name(node->key, known, count);
    if (nearest != NULL) {
        return hv_fail_at(err, &where, "unknown key of a %s \"%.80s\"; did you mean \"%s\"?", what, node->key, nearest);
    }
    for (size_t i = 0, used = 0; i < count; i++) {
        used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i > 0 ? ", " : "", known[i]);
        HV_ASSERT(used < sizeof(list), "the keys do not fit");
    }
    return hv_fail_at(err, &where, "unknown key of a %s \"%.80s\"; it has %s", what, node->key, list);
}

bool sweep_check_keys(const struct sweep *s, const struct conf_node *map, const char *what,
                      const char *const *known, struct hv_err *err)
{
    for (size_t i = 0; i < map->count; i++) {
        size_t k = 0;
        while (known[k] != NULL && strcmp(known[k], map->children[i].key) != 0) {
            k++;
        }
        if (known[k] == NULL) {
            return fail_key(s, &map->children[i], what, known, err);
        }
    }
    return true;
}

const char *sweep_read_word(const struct sweep *s, const struct conf_node *node, const char *what,
                            const char *accepted, struct hv_err *err)
{
    struct hv_where where = conf_where_value(&s->doc, node);
    if (node->kind != CONF_SCALAR || node->text[0] == '\0') {
        hv_fail_at(err, &where, "%s takes %s", what, accepted);
        return NULL;
    }
    if (!text_is_printable(node->text)) {
        hv_fail_at(err, &where, "%s takes %s, without control characters", what, accepted);
        return NULL;
    }
    return node->text;
}

/* --- The simple keys ---------------------------------------------------------------------------------------------- */

/* The file's name without folder and ending. */
static const char *name_of_file(struct sweep *s)
{
    const char *slash = strrchr(s->doc.file, '/'), *base = slash == NULL ? s->doc.file : slash + 1;
    const char *dot = strrchr(base, '.');
    return arena_copy(&s->memory, base, dot == NULL || dot == base ? strlen(base) : (size_t)(dot - base));
}

static bool read_name(struct sweep *s, const struct conf_node *node, struct hv_err *err)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    static const char accepted[] = "a name of letters, digits, \"-\", \"_\" and \".\"";
    struct hv_where where = node == NULL ? (struct hv_where){s->doc.file, 1, 1} : conf_where_value(&s->doc, node);
    s->name = node == NULL ? name_of_file(s) : sweep_read_word(s, node, "name", accepted, err);
    if (s->name == NULL) {
        return false;
    }
    size_t length = strlen(s->name);
    bool plain = length > 0 && length < 128 && strspn(s->name, letters) == length && s->name[0] != '.';
    return plain || hv_fail_at(err, &where, "name: \"%.80s\" is no name for a directory; it takes %s, and does not "
                               "begin with \".\"", s->name, accepted);
}

static bool read_source(struct sweep *s, enum sweep_source source, const struct conf_node *node, struct hv_err *err)
{
    const char *what = sweep_source_names[source];
    char path[PATH_MAX], accepted[128];
    struct hv_err why = {""};
    if (node->kind == CONF_LIST) {
        return sweep_add_source_axis(s, source, node, err);
    }
    snprintf(accepted, sizeof(accepted), "the name of a %s, or a list of names", what);
    if (node->kind == CONF_MAP) {
        struct hv_where where = conf_where(&s->doc, node);
        return hv_fail_at(err, &where, "%s takes %s; parameters go into set", what, accepted);
    }
    const char *name = sweep_read_word(s, node, what, accepted, err);
    if (name == NULL) {
        return false;
    }
    if (!s->host->find(source, name, s->doc.file, path, &why)) {
        struct hv_where where = conf_where_value(&s->doc, node);
        return hv_fail_at(err, &where, "%s", why.text);
    }
    s->source[source] = arena_copy(&s->memory, path, strlen(path));
    return true;
}

static bool read_config(struct sweep *s, const struct conf_node *node, struct hv_err *err)
{
    return node == NULL || read_source(s, SWEEP_CONFIG, node, err); /* it may be an axis */
}

static bool read_workload(struct sweep *s, const struct conf_node *node, struct hv_err *err)
{
    return node == NULL || read_source(s, SWEEP_WORKLOAD, node, err);
}

/* Judges the parameters now, where only their own places can be wrong; each point sets them again. */
static bool read_set(struct sweep *s, const struct conf_node *node, struct hv_err *err)
{
    if (node == NULL) {
        return true;
    }
    struct hv_where where = conf_where(&s->doc, node);
    if (node->kind != CONF_MAP) {
        return hv_fail_at(err, &where, "set takes a map of parameters, such as {workload.accesses: 2e6}");
    }
    struct machine_params *scratch = calloc(1, sizeof(*scratch));
    HV_ASSERT(scratch != NULL, "out of memory");
    machine_params_init(scratch);
    bool ok = params_load_map(&machine_schema, scratch, &s->doc, node, err);
    free(scratch);
    s->set = node;
    return ok;
}

static bool read_seeds(struct sweep *s, const struct conf_node *node, struct hv_err *err)
{
    s->seeds = 1;
    if (node == NULL) {
        return true;
    }
    struct hv_where where = conf_where_value(&s->doc, node);
    bool ok = node->kind == CONF_SCALAR && number_parse_count(node->text, &s->seeds) == NUMBER_OK && s->seeds >= 1 &&
              s->seeds <= SWEEP_MAX_SEEDS;
    return ok || hv_fail_at(err, &where, "seeds takes a whole number from 1 to %d", SWEEP_MAX_SEEDS);
}

/* --- The whole ---------------------------------------------------------------------------------------------------- */

static bool check_config(const struct sweep *s, struct hv_err *err)
{
    struct hv_where where = {s->doc.file, 1, 1};
    bool axis = false;
    for (size_t i = 0; i < s->axis_count; i++) {
        axis |= s->axes[i].kind == SWEEP_AXIS_CONFIG;
    }
    return axis || s->source[SWEEP_CONFIG] != NULL ||
           hv_fail_at(err, &where, "a sweep needs config: the name or file of a configuration");
}

static bool read_document(struct sweep *s, struct hv_err *err)
{
    const char *known[HV_ARRAY_LEN(keys) + 1] = {NULL};
    for (size_t k = 0; k < HV_ARRAY_LEN(keys); k++) {
        known[k] = keys[k].name;
    }
    bool ok = sweep_check_keys(s, &s->doc.root, "sweep", known, err);
    for (size_t k = 0; ok && k < HV_ARRAY_LEN(keys); k++) {
        ok = keys[k].read(s, conf_get(&s->doc.root, keys[k].name), err);
    }
    ok = ok && check_config(s, err);
    if (!ok) {
        sweep_fini(s);
    }
    return ok;
}

bool sweep_load(struct sweep *s, const char *path, const struct sweep_host *host, struct hv_err *err)
{
    *s = (struct sweep){.host = host};
    return conf_read(&s->doc, path, err) && read_document(s, err);
}

bool sweep_load_text(struct sweep *s, const char *name, const char *text, const struct sweep_host *host,
                     struct hv_err *err)
{
    *s = (struct sweep){.host = host};
    return conf_read_buffer(&s->doc, name, text, strlen(text), err) && read_document(s, err);
}

bool sweep_load_doc(struct sweep *s, const struct conf_doc *doc, const struct sweep_host *host, struct hv_err *err)
{
    *s = (struct sweep){.host = host, .doc = *doc};
    return read_document(s, err);
}

void sweep_fini(struct sweep *s)
{
    free(s->points);
    conf_fini(&s->doc);
    arena_fini(&s->memory);
    *s = (struct sweep){.host = NULL};
}
