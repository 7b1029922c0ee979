/* SPDX-License-Identifier: MIT */
/* The inside of reading a sweep file, shared by the sweep_*read.c files: one reader a key. */
#ifndef HV_SWEEP_SWEEP_READ_H
#define HV_SWEEP_SWEEP_READ_H

#include "sweep/sweep.h"

/* Each gets the node of its key, or NULL when the file leaves it out. */
typedef bool sweep_reader(struct sweep *s, const struct conf_node *node, struct hv_err *err);

sweep_reader sweep_read_axes;    /* sweep_axes.c */
sweep_reader sweep_read_metrics; /* sweep_metrics.c */
sweep_reader sweep_read_plot;    /* sweep_plot_read.c */

/* Adds the axis of a list of configurations or workloads (sweep_axes.c). */
bool sweep_add_source_axis(struct sweep *s, enum sweep_source source, const struct conf_node *list,
                           struct hv_err *err);

/* Adds a value to an axis that has room for it (sweep_values.c). */
bool sweep_add_value(struct sweep *s, struct sweep_axis *axis, const struct conf_node *node, struct hv_err *err);

/* The index of the axis or metric that a node names, or -1 with the sentence for one that there is not. */
long sweep_find_axis(const struct sweep *s, const struct conf_node *node, struct hv_err *err);
long sweep_find_metric(const struct sweep *s, const struct conf_node *node, struct hv_err *err);

/* The text of a node that has to be a word; NULL, with "WHAT takes ACCEPTED", when it is something else. */
const char *sweep_read_word(const struct sweep *s, const struct conf_node *node, const char *what,
                            const char *accepted, struct hv_err *err);

/* Whether a map has only keys of the NULL-terminated list; `what` has them: a "sweep" or a "plot". */
bool sweep_check_keys(const struct sweep *s, const struct conf_node *map, const char *what,
                      const char *const *known, struct hv_err *err);

#endif
