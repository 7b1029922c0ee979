/* SPDX-License-Identifier: MIT */
/*
 * SIGINT and SIGTERM as a question that long loops ask: the run ends at the next convenient place and writes what
 * it has. The second signal of the same kind ends the process at once.
 */
#ifndef HV_BASE_INTERRUPT_H
#define HV_BASE_INTERRUPT_H

#include <stdbool.h>

void interrupt_install(void);

bool interrupt_requested(void);

#endif
