/* SPDX-License-Identifier: MIT */
/* The inside of parameters, shared by the param_*.c files: one value, as text and as a member of its struct. */
#ifndef HV_BASE_PARAM_VALUE_H
#define HV_BASE_PARAM_VALUE_H

#include "base/param.h"

/* Room for any value as text: a TEXT is the longest. */
#define PARAM_VALUE_BYTES PARAM_TEXT_BYTES

/* Holds a member of any type. */
union param_value {
    param_bool_t boolean;
    uint64_t whole; /* COUNT, SIZE, WAYS */
    double real;
    uint32_t names; /* ENUM: index; SET: mask */
    param_text_t text;
};

static inline void *param_member(const struct param_ref *ref, void *params)
{
    return (char *)params + ref->mount->offset + ref->row->offset;
}

static inline const void *param_member_const(const struct param_ref *ref, const void *params)
{
    return (const char *)params + ref->mount->offset + ref->row->offset;
}

/* Every parameter in table order, to be freed by the caller. */
struct param_ref *param_all(const struct param_schema *schema, size_t *count);

/* The default of this row in this mount, as the tables write it. */
void param_default_text(const struct param_ref *ref, char *text, size_t bytes);

/* Is name a prefix that parameters share, such as "tlb" or "tlb.l2"? */
bool param_is_group(const struct param_schema *schema, const char *name);

/* Reads a value into member, which is left as it was on a failure. */
bool param_parse(const struct param_ref *ref, const char *text, void *member, const struct hv_where *where,
                 struct hv_err *err);

/* Reads one name of an ENUM or SET. */
bool param_parse_name(const struct param_ref *ref, const char *text, uint32_t *index, const struct hv_where *where,
                      struct hv_err *err);

/* Stores the mask of a SET, if it may be that. */
bool param_store_set(const struct param_ref *ref, uint32_t mask, void *member, const struct hv_where *where,
                     struct hv_err *err);

/* What the parameter takes, for messages: "a whole number from 0 to 8 ways". */
void param_accepted(const struct param_row *row, char *text, size_t bytes);

/* The range or choices alone, for the reference: "0 .. 8". */
void param_range(const struct param_row *row, char *text, size_t bytes);

/* Fails with the sentence for a name that is no parameter; the nearest known name is found here. */
bool param_fail_unknown(const struct param_schema *schema, const char *name, const struct hv_where *where,
                        struct hv_err *err);

/* The same for a name that has a map below it and is no group. */
bool param_fail_unknown_group(const struct param_schema *schema, const char *name, const struct hv_where *where,
                              struct hv_err *err);

/* The value as a user would write it. */
void param_format_member(const struct param_row *row, const void *member, char *text, size_t bytes);

#endif
