/* SPDX-License-Identifier: MIT */
/* With _FORTIFY_SOURCE, which some distributions set, longjmp() refuses to leave a stack for another. */
#undef _FORTIFY_SOURCE
#include "base/coroutine.h"

#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/err.h"

/*
 * Enough for a core that decodes a batch of its stream and draws progress, also with sanitizers. Above 2 MB valgrind
 * knows a switch of stacks for what it is. What is not touched costs nothing.
 */
enum { STACK_BYTES = 4 << 20 };

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>

/* The sanitizer wants to know of each switch, and what the bounds of the new stack are. */
static void tell_leaving(struct coroutine *from, const struct coroutine *to)
{
    __sanitizer_start_switch_fiber(&from->sanitizer, to->stack, to->stack_bytes);
}

static void tell_arrived(struct coroutine *c)
{
    const void *bottom;
    size_t bytes;
    __sanitizer_finish_switch_fiber(c->sanitizer, &bottom, &bytes);
    c->left->stack = (void *)(uintptr_t)bottom; /* of a caller that is no coroutine, this is how it becomes known */
    c->left->stack_bytes = bytes;
}
#else
static void tell_leaving(struct coroutine *from, const struct coroutine *to)
{
    (void)from;
    (void)to;
}

static void tell_arrived(struct coroutine *c)
{
    (void)c;
}
#endif

/* The first function on a new stack. makecontext() passes on numbers only, so the pointer comes in two halves. */
static void begin(unsigned high, unsigned low)
{
    struct coroutine *c = (struct coroutine *)(uintptr_t)((uint64_t)high << 32 | low);
    void (*body)(void *ctx) = c->body;
    c->body = NULL;
    tell_arrived(c);
    body(c->ctx);
    HV_ASSERT(false, "a coroutine's body has returned");
}

static void take_stack(struct coroutine *c)
{
    size_t guard = (size_t)sysconf(_SC_PAGESIZE);
    char *memory = mmap(NULL, guard + STACK_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    HV_ASSERT(memory != MAP_FAILED && mprotect(memory, guard, PROT_NONE) == 0, "no memory for a stack");
    c->stack = memory + guard;
    c->stack_bytes = STACK_BYTES;
}

void coroutine_init(struct coroutine *c, void (*body)(void *ctx), void *ctx)
{
    *c = (struct coroutine){.body = body, .ctx = ctx};
    take_stack(c);
}

void coroutine_fini(struct coroutine *c)
{
    size_t guard = (size_t)sysconf(_SC_PAGESIZE);
    munmap((char *)c->stack - guard, guard + STACK_BYTES);
}

/*
 * Goes where no longjmp() can lead: to the beginning of a body. Nothing returns from here, so the address sanitizer must
 * leave no marks around the context: they would stay on the stack of the coroutine that is left.
 */
static _Noreturn __attribute__((no_sanitize_address)) void enter(struct coroutine *c)
{
    ucontext_t context;
    getcontext(&context);
    context.uc_stack.ss_sp = c->stack;
    context.uc_stack.ss_size = c->stack_bytes;
    makecontext(&context, (void (*)(void))begin, 2, (unsigned)((uint64_t)(uintptr_t)c >> 32),
                (unsigned)(uintptr_t)c);
    setcontext(&context);
    HV_ASSERT(false, "setcontext() failed");
}

void coroutine_switch(struct coroutine *from, struct coroutine *to)
{
    to->left = from;
    tell_leaving(from, to);
    if (setjmp(from->place) == 0) {
        if (to->body != NULL) {
            enter(to);
        }
        longjmp(to->place, 1);
    }
    tell_arrived(from);
}
