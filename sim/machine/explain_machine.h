/* SPDX-License-Identifier: MIT */
/* What an explained translation needs of the machine around the MMU: an address worth explaining, and software. */
#ifndef HV_MACHINE_EXPLAIN_MACHINE_H
#define HV_MACHINE_EXPLAIN_MACHINE_H

#include "machine/explain.h"
#include "machine/machine.h"

/* Where the memory of the first core's first process begins. */
hv_gva explain_first_page(const struct machine *m);

/* Software resolves a fault as in a run, where memory of that process is touched for the first time. */
void explain_resolve_fault(struct explain *x, struct machine *m);

#endif
