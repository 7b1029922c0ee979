/* SPDX-License-Identifier: MIT */
/*
 * Memory that is taken piece by piece and given back all at once, so that no error path can leak.
 *
 * A zeroed struct is an empty arena. Pieces are zeroed and aligned for any type.
 */
#ifndef HV_BASE_ARENA_H
#define HV_BASE_ARENA_H

#include <stddef.h>

struct arena_chunk;

struct arena {
    struct arena_chunk *newest;
    size_t used; /* bytes of the newest chunk */
};

void *arena_alloc(struct arena *arena, size_t bytes);

/* A NUL-terminated copy. */
char *arena_copy(struct arena *arena, const char *text, size_t length);

void arena_fini(struct arena *arena);

#endif
