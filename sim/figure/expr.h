/* SPDX-License-Identifier: MIT */
/*
 * An expression over the table of a sweep: a number that is compared with a published one.
 *
 *     core.cpi[paging.mode=nested] / core.cpi[paging.mode=native]
 *     max(mmu.walk_refs_mean[paging.mode=nested])
 *
 *     r2(core.cycles[], vmx.exits[])
 *
 * Numbers, + - * /, parentheses, and a metric's cells: those rows in which the axes between the brackets have these
 * values. A cell must be one row; sum, mean, min and max take several, and r2 the rows of
 * two metrics: R^2 of the straight line that fits them best. A row without a result makes the whole NaN.
 */
#ifndef HV_FIGURE_EXPR_H
#define HV_FIGURE_EXPR_H

#include "sweep/table.h"

/* Whether it can be computed from this sweep; the sentence says where in it something is wrong. */
bool expr_check(const struct sweep *s, const char *text, const struct hv_where *where, struct hv_err *err);

/* The value of an expression that has been checked. */
double expr_value(const struct table *table, const char *text);

#endif
