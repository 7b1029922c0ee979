/* SPDX-License-Identifier: MIT */
/*
 * LRU stack distances (Mattson et al., "Evaluation techniques for storage hierarchies", IBM Systems Journal 9(2), 1970).
 *
 * A fully associative LRU cache of E entries hits exactly when the key is among the E most recently used ones, so one
 * pass that says at which place of the LRU stack each key was found gives the misses of caches of every size.
 *
 * Each key in the stack has a mark at the time of its last use; its place is the number of later marks. Marks are bits,
 * counted by a binary indexed tree over words of 64, so an access takes a logarithm of the depth, not the depth.
 */
#ifndef HV_BASE_STACK_DISTANCE_H
#define HV_BASE_STACK_DISTANCE_H

#include "base/types.h"

struct stack_slot {
    uint64_t key;
    uint32_t time; /* of its last use; STACK_EMPTY: no key here */
};

struct stack_distance {
    uint32_t depth;  /* places that are told apart; what lies deeper is forgotten */
    uint32_t live;   /* keys in the stack */
    uint32_t now;    /* time of the next use, below `window` */
    uint32_t window;
    uint32_t oldest; /* no mark lies before this time */
    uint64_t *marks; /* by time, 64 to a word */
    uint32_t *tree;  /* binary indexed tree of the marks in each word */
    uint64_t *key_at; /* by time, where there is a mark */
    struct stack_slot *slots; /* open-addressed table: time by key */
    uint32_t slot_mask;
};

/* depth: 1..2^24. Takes about 100 bytes for each place. */
void stack_distance_init(struct stack_distance *s, uint32_t depth);
void stack_distance_fini(struct stack_distance *s);

/* Uses a key; returns the place at which it was found, 1 for the most recent, or 0 when it is not in the stack. */
uint32_t stack_distance_use(struct stack_distance *s, uint64_t key);

#endif
