/* SPDX-License-Identifier: MIT */
/*
 * How far apart two spellings are: letters to insert, delete, replace or swap with a neighbour to get from one to
 * the other (the "optimal string alignment" distance).
 */
#ifndef HV_BASE_NEAREST_H
#define HV_BASE_NEAREST_H

#define NEAREST_FAR 1000u /* the distance of texts that are too long to be compared */

unsigned edit_distance(const char *a, const char *b);

/* The largest distance at which a known name is still worth suggesting for text. */
unsigned edit_distance_limit(const char *text);

#endif
