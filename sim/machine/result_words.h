/* SPDX-License-Identifier: MIT */
/* How results are told to people, in text and in reports: which figures come first, and what is called what. */
#ifndef HV_MACHINE_RESULT_WORDS_H
#define HV_MACHINE_RESULT_WORDS_H

#include <stdio.h>

#include "machine/params.h"

/* A figure that most runs are made for. */
struct key_figure {
    const char *stat, *label, *unit;
    double scale;
    int decimals;
};

extern const struct key_figure result_key_figures[];
extern const size_t result_key_figure_count;

/* The same of a machine with devices; one without an IOMMU lacks some. */
extern const struct key_figure result_device_figures[];
extern const size_t result_device_figure_count;

/* A row of the cycle stack; together they are core.cycles. */
struct cycle_part {
    const char *stat, *label;
};

extern const struct cycle_part result_cycle_parts[];
extern const size_t result_cycle_part_count;

/* "1000000 accesses, zipf 0.99 over 1GiB, seed 1": what a workload of this kind is made of. */
void result_describe_workload(const struct workload_params *w, FILE *out);

/* "nic, receive of 1500, assigned; IOMMU: second", of a machine with a device */
void result_describe_device(const struct machine_params *p, FILE *out);

/* "nested: guest 4 levels, 4k pages; host 4 levels, 4k pages" */
void result_describe_paging(const struct machine_params *p, FILE *out);

#endif
