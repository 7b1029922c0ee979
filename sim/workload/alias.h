/* SPDX-License-Identifier: MIT */
/*
 * Alias tables (A. J. Walker, 1977; M. Vose, 1991): one of many outcomes of different weight by one draw of a column.
 * The column stands for itself with some probability, and else for one other outcome, its alias.
 */
#ifndef HV_WORKLOAD_ALIAS_H
#define HV_WORKLOAD_ALIAS_H

#include <stddef.h>
#include <stdint.h>

#define ALIAS_COLUMNS_MAX 4096u

/*
 * Fills alias[0..count). On return weight[i] is the probability that column i stands for itself, 1 when it always
 * does. `sum` is that of the weights; count is at most ALIAS_COLUMNS_MAX.
 */
void alias_build(double *weight, uint16_t *alias, size_t count, double sum);

#endif
