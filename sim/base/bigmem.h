/* SPDX-License-Identifier: MIT */
/*
 * Zeroed memory for large tables that are read at random: backed by the host's large pages where it has them, since
 * the host's own TLB misses would cost more than the tables' work.
 */
#ifndef HV_BASE_BIGMEM_H
#define HV_BASE_BIGMEM_H

#include <stddef.h>

/* Zeroed, aligned to a host cache line; NULL when there is no memory. Given back with free(). */
void *bigmem_take(size_t count, size_t size);

#endif
