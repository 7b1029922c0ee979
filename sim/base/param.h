/* SPDX-License-Identifier: MIT */
/*
 * Parameters: one row of one table each.
 *
 * A block lists its parameters in `<block>_params.def`, one P() row each. From the row come the member of the
 * block's struct, the default, the range, the unit, the help text, the YAML loader, --set, the resolved
 * configuration, `hvsim params`, `hvsim check` and the reference page. A block of which a machine has several
 * (a TLB, a cache) is mounted several times under different prefixes, each mount with its own defaults.
 *
 *     P(TYPE, member, "default", min, max, "unit", "help", names)
 *
 *     TYPE    C member         written as
 *     BOOL    bool             true, false
 *     COUNT   uint64_t         1536, 1e6, 1_000_000
 *     SIZE    uint64_t bytes   64KiB, 2M, 4G, 4096
 *     REAL    double           0.99
 *     ENUM    uint32_t         one of names, stored as its index
 *     SET     uint32_t         [a, b] of names, stored as a bit mask
 *     WAYS    uint64_t         a count, or full (PARAM_WAYS_FULL)
 *     TEXT    char[PARAM_TEXT_BYTES]
 */
#ifndef HV_BASE_PARAM_H
#define HV_BASE_PARAM_H

#include <stdio.h>

#include "base/conf.h"
#include "base/err.h"
#include "base/types.h"

#define PARAM_TEXT_BYTES 1024
#define PARAM_WAYS_FULL UINT64_MAX
#define PARAM_NAME_BYTES 96 /* of a whole dotted name, NUL included */

enum param_type {
    PARAM_BOOL, PARAM_COUNT, PARAM_SIZE, PARAM_REAL, PARAM_ENUM, PARAM_SET, PARAM_WAYS, PARAM_TEXT
};

typedef bool param_bool_t;
typedef uint64_t param_count_t, param_size_t, param_ways_t;
typedef double param_real_t;
typedef uint32_t param_enum_t, param_set_t;
typedef char param_text_t[PARAM_TEXT_BYTES];

struct param_row {
    const char *name; /* within the mount */
    enum param_type type;
    size_t offset; /* of the member in the block's struct */
    const char *default_text;
    double min, max; /* inclusive; of BOOL, ENUM and TEXT ignored; a SET with min 1 needs at least one name */
    const char *unit;
    const char *help;
    const char *const *names; /* of an ENUM or SET: the spellings, NULL-terminated */
};

/* PARAM_MEMBER(...) makes the struct's members and PARAM_ROW(struct x, ...) its rows from the same P() lines. */
#define PARAM_T_BOOL param_bool_t
#define PARAM_T_COUNT param_count_t
#define PARAM_T_SIZE param_size_t
#define PARAM_T_REAL param_real_t
#define PARAM_T_ENUM param_enum_t
#define PARAM_T_SET param_set_t
#define PARAM_T_WAYS param_ways_t
#define PARAM_T_TEXT param_text_t
#define PARAM_MEMBER(type, member, def, min, max, unit, help, names) PARAM_T_##type member;
#define PARAM_ROW(block, type, member, def, min, max, unit, help, names) \
    { #member, PARAM_##type, offsetof(block, member), def, min, max, unit, help, names },

/* Places a block's rows in the whole: dotted prefix, where the block's struct lies, defaults that differ here. */
struct param_mount {
    const char *prefix; /* "tlb.l2" */
    size_t offset;      /* of the block's struct in the schema's struct */
    const struct param_row *rows;
    const size_t *count; /* of the rows; a pointer, because the table lives in the block's own file */
    const char *defaults; /* "entries=1536 ways=12", or NULL */
    const char *help;     /* what this instance is: "second-level TLB" */
};

struct param_schema {
    const struct param_mount *mounts;
    size_t count;
};

/* One parameter of a schema, found by name or by walking. */
struct param_ref {
    const struct param_mount *mount;
    const struct param_row *row;
    size_t index; /* in table order, over all mounts */
    char name[PARAM_NAME_BYTES];
};

/* Calls visit for every parameter in table order; stops early when visit returns false. */
void params_each(const struct param_schema *schema, bool (*visit)(void *ctx, const struct param_ref *ref), void *ctx);

bool params_find(const struct param_schema *schema, const char *name, struct param_ref *ref);

/*
 * Fills params (the schema's struct) with the defaults of rows and mounts. A bad default, or a name that is in the
 * schema twice, is a simulator bug.
 */
void params_defaults(const struct param_schema *schema, void *params);

/*
 * Sets one parameter from text. An unknown name, a malformed value or one out of range fails with a sentence
 * that names the accepted range and the nearest known name.
 */
bool params_set(const struct param_schema *schema, void *params, const char *name, const char *value,
                const struct hv_where *where, struct hv_err *err);

/* --set KEY=VALUE. */
bool params_set_option(const struct param_schema *schema, void *params, const char *key_equals_value,
                       struct hv_err *err);

/*
 * Reads a YAML file of nested keys, dotted keys or a mix over params; unknown and duplicate keys are errors with
 * file:line:column. After a failure some parameters may have been set.
 */
bool params_load(const struct param_schema *schema, void *params, const char *path, struct hv_err *err);

/* The same from a map of a document that was already read. */
bool params_load_map(const struct param_schema *schema, void *params, const struct conf_doc *doc,
                     const struct conf_node *map, struct hv_err *err);

/* Writes the value as a user would write it ("1536", "64KiB", "[4k, 2m]"). */
void params_format(const struct param_ref *ref, const void *params, char *text, size_t bytes);

/* Every parameter, resolved, as YAML that params_load reads back to the same values. */
void params_write_yaml(const struct param_schema *schema, const void *params, FILE *out);

/* The nearest known spelling to text (edit distance), or NULL when nothing is near. */
const char *nearest_name(const char *text, const char *const *names, size_t count);

#endif
