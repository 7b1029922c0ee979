/* SPDX-License-Identifier: MIT */
/* What a sweep needs from the command: files by name, SystemC, and which hvsim this is. */
#ifndef HV_CLI_SWEEP_HOST_H
#define HV_CLI_SWEEP_HOST_H

#include "sweep/sweep.h"

/* The host lives as long as the program; `build` is where its identity is put. */
enum { SWEEP_BUILD_BYTES = 256 };
struct sweep_host sweep_host_make(char build[SWEEP_BUILD_BYTES]);

#endif
