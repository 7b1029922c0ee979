/* SPDX-License-Identifier: MIT */
/*
 * A YAML file as a tree that remembers where each piece stood.
 *
 * Read through libyaml. Accepted: mappings, sequences, scalars, comments; one document. Refused with
 * file:line:column: tabs used for indentation, anchors and aliases, tags, duplicate keys, nesting over 32 levels,
 * files over 16 MiB or without any key.
 */
#ifndef HV_BASE_CONF_H
#define HV_BASE_CONF_H

#include <stddef.h>

#include "base/err.h"

enum conf_kind { CONF_SCALAR, CONF_MAP, CONF_LIST };

struct conf_node {
    enum conf_kind kind;
    const char *key;                 /* in a map: this child's key; else NULL */
    const char *text;                /* of a scalar, as written without quotes */
    bool quoted;                     /* a scalar in quotes: its empty text is meant, `key:` is an omission */
    unsigned line, column;           /* of the value, from 1 */
    unsigned key_line, key_column;   /* of the key; 0 when there is none */
    struct conf_node *children;      /* of a map or list, in file order */
    size_t count;
};

struct conf_doc {
    const char *file;
    struct conf_node root; /* a map */
    void *memory;          /* owned by conf.c */
};

/* After a failure the document is empty, and conf_fini may but need not be called. */
bool conf_read(struct conf_doc *doc, const char *path, struct hv_err *err);

/* The same from memory; `name` stands for the file in messages. */
bool conf_read_buffer(struct conf_doc *doc, const char *name, const void *data, size_t size, struct hv_err *err);

void conf_fini(struct conf_doc *doc);

/* The child of a map by key, or NULL. */
const struct conf_node *conf_get(const struct conf_node *map, const char *key);

/* Where the node stands: its key when it has one, for what concerns the entry as a whole. */
struct hv_where conf_where(const struct conf_doc *doc, const struct conf_node *node);

/* Where its value stands, for what is wrong with the value alone. */
struct hv_where conf_where_value(const struct conf_doc *doc, const struct conf_node *node);

#endif
