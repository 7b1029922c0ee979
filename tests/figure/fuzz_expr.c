/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as an expression: either it has a value, which is the same each time, or there is one sentence that points
 * into it.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "figure/expr.h"
#include "small_sweep.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_sentence(const struct hv_err *err, size_t length)
{
    unsigned column = 0;
    HV_ASSERT(strchr(err->text, '\n') == NULL, "more than one line");
    HV_ASSERT(sscanf(err->text, "fuzz:1:%u: value: ", &column) == 1, "\"%s\" says not where", err->text);
    HV_ASSERT(column >= 1 && column <= length + 1, "column %u of %zu", column, length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct hv_where where = {"fuzz", 1, 1};
    struct small_sweep small;
    struct hv_err err = {""};
    char *text = calloc(size + 1, 1);
    HV_ASSERT(text != NULL, "out of memory");
    if (size > 0) {
        memcpy(text, data, size);
    }
    small_sweep_init(&small);
    if (expr_check(&small.sweep, text, &where, &err)) {
        double value = expr_value(&small.table, text), again = expr_value(&small.table, text);
        HV_ASSERT(err.text[0] == '\0', "a sentence about what is right");
        HV_ASSERT(value == again || (isnan(value) && isnan(again)), "two values");
    } else {
        check_sentence(&err, strlen(text));
    }
    free(text);
    return 0;
}
