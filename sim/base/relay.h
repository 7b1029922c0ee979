/* SPDX-License-Identifier: MIT */
/*
 * Hands blocks of work from one thread of the host to another, which does them in the same order: a ring of blocks of
 * one size, a giver who fills them and a taker who calls a function with each. What the taker does is what the giver
 * could have done itself, a little later: so the only thing that depends on the host's threads is how long it takes.
 *
 * Whatever the giver wrote before relay_pass() the taker sees, and whatever the taker did the giver sees after
 * relay_settle(). Both spin for a while before they sleep.
 */
#ifndef HV_BASE_RELAY_H
#define HV_BASE_RELAY_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { RELAY_BLOCKS = 16 };

struct relay;

/* Starts the taker, which calls take(ctx, block). NULL when the host has no memory or thread left. */
struct relay *relay_new(size_t block_bytes, void (*take)(void *ctx, void *block), void *ctx);

/* Settles, and ends the taker. NULL is allowed. */
void relay_free(struct relay *r);

/* The block to fill next; waits while the taker still needs it. The same one until it is passed. */
void *relay_block(struct relay *r);

/* Passes the block that relay_block() gave. */
void relay_pass(struct relay *r);

/* Waits until all blocks that were passed are done. */
void relay_settle(struct relay *r);

/* How often the giver has had to sleep for a block so far: the host has too few processors for both. */
uint64_t relay_naps(const struct relay *r);

#endif
