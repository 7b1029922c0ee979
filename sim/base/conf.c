/* SPDX-License-Identifier: MIT */
#include "base/conf.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/arena.h"

#define DEPTH_LIMIT 32

/* A child of an open map or list; the children become an array once their number is known. */
struct item {
    struct conf_node node;
    struct item *next;
};

/* A map or list that has begun and not yet ended. */
struct level {
    struct conf_node node;
    struct item *first, *last;
    const char *key; /* of a map: the key that waits for its value, or NULL */
    unsigned key_line, key_column;
};

struct reader {
    struct conf_doc *doc;
    struct arena *arena;
    struct hv_err *err;
    const char *data;
    size_t size;
    yaml_parser_t parser;
    struct level levels[DEPTH_LIMIT];
    size_t depth;
    bool has_root;
};

/* libyaml counts lines and columns from 0. */
static struct hv_where where_of(const struct reader *r, const yaml_mark_t *mark)
{
    return (struct hv_where){ r->doc->file, (unsigned)mark->line + 1, (unsigned)mark->column + 1 };
}

/* Are there only blanks, at least one of them a tab, between the start of the line and character `index`? */
static bool indented_by_tab(const struct reader *r, size_t index)
{
    size_t at = 0;
    /* A mark counts characters; those that continue a UTF-8 sequence are bytes of the same one. */
    for (size_t characters = 0; at < r->size; at++) {
        if (((unsigned char)r->data[at] & 0xc0) != 0x80 && characters++ == index) {
            break;
        }
    }
    bool tab = at < r->size && r->data[at] == '\t';
    while (at > 0 && (r->data[at - 1] == ' ' || r->data[at - 1] == '\t')) {
        at--;
        tab |= r->data[at] == '\t';
    }
    return tab && (at == 0 || r->data[at - 1] == '\n' || r->data[at - 1] == '\r');
}

/* A byte that is not text at all: libyaml gives its offset, the message needs a line. */
static bool fail_not_text(const struct reader *r)
{
    struct hv_where where = { r->doc->file, 1, 1 };
    for (size_t i = 0; i < r->parser.problem_offset && i < r->size; i++) {
        if (r->data[i] == '\n') {
            where.line++;
            where.column = 1;
        } else if (((unsigned char)r->data[i] & 0xc0) != 0x80) {
            where.column++;
        }
    }
    return hv_fail_at(r->err, &where, "not a text file in UTF-8: %s", r->parser.problem);
}

static bool fail_not_yaml(const struct reader *r)
{
    const yaml_parser_t *parser = &r->parser;
    HV_ASSERT(parser->error != YAML_MEMORY_ERROR, "out of memory");
    if (parser->error == YAML_READER_ERROR) {
        return fail_not_text(r);
    }
    struct hv_where where = where_of(r, &parser->problem_mark);
    if (indented_by_tab(r, parser->problem_mark.index)) {
        return hv_fail_at(r->err, &where, "a tab is used for indentation; YAML allows spaces only");
    }
    if (parser->context == NULL) {
        return hv_fail_at(r->err, &where, "not valid YAML: %s", parser->problem);
    }
    return hv_fail_at(r->err, &where, "not valid YAML: %s %s that starts at line %zu", parser->problem,
                      parser->context, parser->context_mark.line + 1);
}

/* Puts a finished node in its place: the root, or the next child of the innermost open map or list. */
static bool add_node(struct reader *r, const struct conf_node *node)
{
    if (r->depth == 0) {
        r->doc->root = *node;
        r->has_root = true;
        return true;
    }
    struct level *parent = &r->levels[r->depth - 1];
    struct item *item = arena_alloc(r->arena, sizeof(*item));
    item->node = *node;
    if (parent->node.kind == CONF_MAP) {
        item->node.key = parent->key;
        item->node.key_line = parent->key_line;
        item->node.key_column = parent->key_column;
        parent->key = NULL;
    }
    if (parent->last == NULL) {
        parent->first = item;
    } else {
        parent->last->next = item;
    }
    parent->last = item;
    parent->node.count++;
    return true;
}

static int compare_keys(const void *a, const void *b)
{
    const struct conf_node *const *x = a, *const *y = b;
    int order = strcmp((*x)->key, (*y)->key);
    return order != 0 ? order : (*x > *y) - (*x < *y);
}

/* Reports the first key that repeats an earlier one. Sorting keeps a hostile file of a million keys quick. */
static bool check_duplicates(struct reader *r, const struct conf_node *map)
{
    if (map->count < 2) {
        return true;
    }
    const struct conf_node **sorted = calloc(map->count, sizeof(const struct conf_node *));
    HV_ASSERT(sorted != NULL, "out of memory");
    for (size_t i = 0; i < map->count; i++) {
        sorted[i] = &map->children[i];
    }
    qsort(sorted, map->count, sizeof(sorted[0]), compare_keys);
    const struct conf_node *first = NULL, *second = NULL;
    for (size_t i = 1; i < map->count; i++) {
        if (strcmp(sorted[i - 1]->key, sorted[i]->key) == 0 && (second == NULL || sorted[i] < second)) {
            first = sorted[i - 1];
            second = sorted[i];
        }
    }
    free(sorted);
    if (second == NULL) {
        return true;
    }
    struct hv_where where = conf_where(r->doc, second);
    return hv_fail_at(r->err, &where, "key \"%.80s\" is given twice, first at line %u", second->key, first->key_line);
}

static bool end_level(struct reader *r)
{
    struct level *level = &r->levels[--r->depth];
    struct conf_node *node = &level->node;
    node->children = node->count == 0 ? NULL : arena_alloc(r->arena, node->count * sizeof(*node->children));
    size_t i = 0;
    for (const struct item *item = level->first; item != NULL; item = item->next) {
        node->children[i++] = item->node;
    }
    return (node->kind != CONF_MAP || check_duplicates(r, node)) && add_node(r, node);
}

/* Is a map open that waits for its next key? */
static bool key_expected(const struct reader *r)
{
    return r->depth > 0 && r->levels[r->depth - 1].node.kind == CONF_MAP && r->levels[r->depth - 1].key == NULL;
}

static bool begin_level(struct reader *r, enum conf_kind kind, const struct hv_where *where)
{
    if (key_expected(r)) {
        return hv_fail_at(r->err, where, "a key is a name, not a %s", kind == CONF_MAP ? "map" : "list");
    }
    if (r->depth == DEPTH_LIMIT) {
        return hv_fail_at(r->err, where, "nested more than %d levels deep", DEPTH_LIMIT);
    }
    r->levels[r->depth++] = (struct level){ .node = { .kind = kind, .line = where->line, .column = where->column } };
    return true;
}

static bool add_key(struct reader *r, const char *text, const struct hv_where *where)
{
    if (text[0] == '\0') {
        return hv_fail_at(r->err, where, "a name is missing before \":\"");
    }
    struct level *map = &r->levels[r->depth - 1];
    map->key = text;
    map->key_line = where->line;
    map->key_column = where->column;
    return true;
}

static bool add_scalar(struct reader *r, const yaml_event_t *event, const struct hv_where *where)
{
    const char *value = (const char *)event->data.scalar.value;
    size_t length = event->data.scalar.length;
    if (memchr(value, '\0', length) != NULL) {
        return hv_fail_at(r->err, where, "text cannot hold a NUL character");
    }
    const char *text = arena_copy(r->arena, value, length);
    if (key_expected(r)) {
        return add_key(r, text, where);
    }
    struct conf_node node = { .kind = CONF_SCALAR, .text = text, .line = where->line, .column = where->column };
    node.quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return add_node(r, &node);
}

/* Anchors and tags add nothing to a configuration and hide what it says. */
static bool refuse_properties(struct reader *r, const yaml_char_t *anchor, const yaml_char_t *tag,
                              const struct hv_where *where)
{
    if (anchor != NULL) {
        return hv_fail_at(r->err, where, "anchors are not accepted (&%.80s); write the value out",
                          (const char *)anchor);
    }
    if (tag != NULL) {
        return hv_fail_at(r->err, where, "tags are not accepted (%.80s); write the value alone", (const char *)tag);
    }
    return true;
}

static bool take_event(struct reader *r, const yaml_event_t *event)
{
    struct hv_where where = where_of(r, &event->start_mark);
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return refuse_properties(r, event->data.scalar.anchor, event->data.scalar.tag, &where) &&
               add_scalar(r, event, &where);
    case YAML_MAPPING_START_EVENT:
        return refuse_properties(r, event->data.mapping_start.anchor, event->data.mapping_start.tag, &where) &&
               begin_level(r, CONF_MAP, &where);
    case YAML_SEQUENCE_START_EVENT:
        return refuse_properties(r, event->data.sequence_start.anchor, event->data.sequence_start.tag, &where) &&
               begin_level(r, CONF_LIST, &where);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        return end_level(r);
    case YAML_ALIAS_EVENT:
        return hv_fail_at(r->err, &where, "aliases are not accepted (*%.80s); write the value out",
                          (const char *)event->data.alias.anchor);
    case YAML_DOCUMENT_START_EVENT:
        return !r->has_root || hv_fail_at(r->err, &where, "a second document starts here; a file holds one");
    default:
        return true;
    }
}

static bool read_events(struct reader *r)
{
    for (;;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&r->parser, &event)) {
            return fail_not_yaml(r);
        }
        bool last = event.type == YAML_STREAM_END_EVENT;
        bool ok = take_event(r, &event);
        yaml_event_delete(&event);
        if (!ok || last) {
            return ok;
        }
    }
}

static bool check_root(const struct reader *r)
{
    const struct conf_node *root = &r->doc->root;
    bool empty = !r->has_root || (root->kind == CONF_MAP && root->count == 0) ||
                 (root->kind == CONF_SCALAR && root->text[0] == '\0');
    struct hv_where where = { r->doc->file, 1, 1 };
    if (empty) {
        return hv_fail_at(r->err, &where, "no key in this file; write at least one line \"key: value\"");
    }
    where = conf_where(r->doc, root);
    return root->kind == CONF_MAP ||
           hv_fail_at(r->err, &where, "a %s is not a configuration; write lines \"key: value\"",
                      root->kind == CONF_LIST ? "list" : "lone value");
}

bool conf_read_buffer(struct conf_doc *doc, const char *name, const void *data, size_t size, struct hv_err *err)
{
    struct arena *arena = calloc(1, sizeof(*arena));
    struct reader *r = calloc(1, sizeof(*r));
    HV_ASSERT(arena != NULL && r != NULL, "out of memory");
    *doc = (struct conf_doc){ .file = arena_copy(arena, name, strlen(name)), .memory = arena };
    r->doc = doc;
    r->arena = arena;
    r->err = err;
    r->data = data;
    r->size = size;
    HV_ASSERT(yaml_parser_initialize(&r->parser), "out of memory");
    yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r->parser, (const unsigned char *)(size == 0 ? "" : data), size);
    bool ok = read_events(r) && check_root(r);
    yaml_parser_delete(&r->parser);
    free(r);
    if (!ok) {
        conf_fini(doc);
    }
    return ok;
}

void conf_fini(struct conf_doc *doc)
{
    if (doc->memory != NULL) {
        arena_fini(doc->memory);
        free(doc->memory);
    }
    *doc = (struct conf_doc){ 0 };
}

const struct conf_node *conf_get(const struct conf_node *map, const char *key)
{
    for (size_t i = 0; map->kind == CONF_MAP && i < map->count; i++) {
        if (strcmp(map->children[i].key, key) == 0) {
            return &map->children[i];
        }
    }
    return NULL;
}

struct hv_where conf_where(const struct conf_doc *doc, const struct conf_node *node)
{
    return node->key != NULL ? (struct hv_where){ doc->file, node->key_line, node->key_column }
                             : conf_where_value(doc, node);
}

struct hv_where conf_where_value(const struct conf_doc *doc, const struct conf_node *node)
{
    return (struct hv_where){ doc->file, node->line, node->column };
}
