/* SPDX-License-Identifier: MIT */
/* The host that hvsim runs on. No result depends on it. */
#ifndef HV_BASE_HOST_H
#define HV_BASE_HOST_H

/* How many processors the host lets this process use, at least 1. */
unsigned host_processors(void);

#endif
