/* SPDX-License-Identifier: MIT */
/*
 * Call stacks that can be left and resumed, so that several computations take turns, each deep in its own calls.
 *
 * A switch asks the operating system for nothing and takes some ten nanoseconds: makecontext() gives a coroutine its
 * stack once, and from then on setjmp() and longjmp() go from one to another. All in one thread.
 */
#ifndef HV_BASE_COROUTINE_H
#define HV_BASE_COROUTINE_H

#include <setjmp.h>
#include <stddef.h>

struct coroutine {
    jmp_buf place;               /* where it goes on */
    void *stack;                 /* and the page below, which nobody may touch */
    size_t stack_bytes;
    void (*body)(void *ctx);     /* that has still to begin; then NULL */
    void *ctx;
    struct coroutine *left;      /* who switched here last */
    void *sanitizer;             /* what AddressSanitizer keeps for a stack that is not in use */
};

/*
 * Makes a coroutine that begins with body(ctx) when it is first switched to. The body never returns; it is forgotten
 * by coroutine_fini(), wherever it is.
 */
void coroutine_init(struct coroutine *c, void (*body)(void *ctx), void *ctx);
void coroutine_fini(struct coroutine *c);

/*
 * Goes on in `to`. Returns when somebody switches to `from`, in which the caller's place is kept: the coroutine that
 * calls, or a zeroed one for a caller that is none.
 */
void coroutine_switch(struct coroutine *from, struct coroutine *to);

#endif
