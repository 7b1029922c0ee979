/* SPDX-License-Identifier: MIT */
#include "workload/alias.h"

#include "base/err.h"

/*
 * Vose's method: a column that is lighter than the average keeps itself in proportion, and takes the rest from a
 * heavier one. Columns left over at the end are average up to rounding, and stand for themselves alone.
 */
void alias_build(double *weight, uint16_t *alias, size_t count, double sum)
{
    uint16_t stack[ALIAS_COLUMNS_MAX]; /* light columns from the bottom, heavy ones from the top */
    size_t light = 0, heavy = count;
    HV_ASSERT(count <= ALIAS_COLUMNS_MAX, "an alias table of %zu columns", count);
    for (size_t i = 0; i < count; i++) {
        weight[i] = weight[i] * (double)count / sum;
        alias[i] = (uint16_t)i;
        if (weight[i] < 1) {
            stack[light++] = (uint16_t)i;
        } else {
            stack[--heavy] = (uint16_t)i;
        }
    }
    while (light > 0 && heavy < count) {
        uint16_t small = stack[--light];
        uint16_t large = stack[heavy];
        alias[small] = large;
        weight[large] -= 1 - weight[small];
        if (weight[large] < 1) {
            heavy++;
            stack[light++] = large;
        }
    }
    for (size_t i = 0; i < count; i++) {
        weight[i] = alias[i] == i ? 1 : weight[i];
    }
}
