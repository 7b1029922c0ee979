/* SPDX-License-Identifier: MIT */
#include "base/relay.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "base/bigmem.h"

enum {
    SPINS = 2000,  /* pauses of the giver before the processor is given away, and ... */
    YIELDS = 100,  /* ... times that it is given away before the thread sleeps */
    LOOKS = 10000, /* of the taker for the next block before it sleeps: to be woken takes as long as many blocks do */
    LINE_BYTES = 64,
    NAP_NANOSECONDS = 50000,
};

/* Each counter has its cache line, since each is written by one thread and read by the other. */
struct relay {
    void (*take)(void *ctx, void *block);
    void *ctx;
    unsigned char *blocks;
    size_t block_bytes;
    pthread_t taker;
    pthread_mutex_t mutex; /* with `wake`, for a taker that sleeps */
    pthread_cond_t wake;
    uint64_t naps;
    char apart[LINE_BYTES];
    _Atomic uint64_t passed; /* blocks passed so far */
    _Atomic bool over;
    char apart_too[LINE_BYTES];
    _Atomic uint64_t done;   /* blocks done so far */
    _Atomic bool asleep;     /* the taker is, or is about to be */
};

static void pause_briefly(void)
{
#ifdef __x86_64__
    __builtin_ia32_pause();
#endif
}

static bool has_work(struct relay *r)
{
    return atomic_load_explicit(&r->passed, memory_order_seq_cst) !=
           atomic_load_explicit(&r->done, memory_order_relaxed) ||
           atomic_load_explicit(&r->over, memory_order_seq_cst);
}

/* The taker sleeps until the giver has passed a block. */
static void sleep_until_work(struct relay *r)
{
    pthread_mutex_lock(&r->mutex);
    atomic_store(&r->asleep, true);
    while (!has_work(r)) {
        pthread_cond_wait(&r->wake, &r->mutex);
    }
    atomic_store(&r->asleep, false);
    pthread_mutex_unlock(&r->mutex);
}

/* The giver has passed a block, or all is over. `asleep` is read after that was written, and the other way about. */
static void wake_taker(struct relay *r)
{
    if (__builtin_expect(atomic_load_explicit(&r->asleep, memory_order_seq_cst), 0)) {
        pthread_mutex_lock(&r->mutex);
        pthread_cond_signal(&r->wake);
        pthread_mutex_unlock(&r->mutex);
    }
}

static void *take_all(void *ctx)
{
    struct relay *r = ctx;
    uint64_t done = 0;
    for (;;) {
        unsigned tries = 0;
        while (atomic_load_explicit(&r->passed, memory_order_acquire) == done) {
            if (atomic_load_explicit(&r->over, memory_order_acquire)) {
                return NULL;
            }
            pause_briefly();
            if (tries++ == LOOKS) {
                sleep_until_work(r);
                tries = 0;
            }
        }
        r->take(r->ctx, r->blocks + done % RELAY_BLOCKS * r->block_bytes);
        done++;
        atomic_store_explicit(&r->done, done, memory_order_release);
    }
}

/* Starts the taker with all signals blocked: they are the giver's. */
static bool start(struct relay *r)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&r->taker, NULL, take_all, r) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

struct relay *relay_new(size_t block_bytes, void (*take)(void *ctx, void *block), void *ctx)
{
    struct relay *r = calloc(1, sizeof(*r));
    if (r == NULL) {
        return NULL;
    }
    r->take = take;
    r->ctx = ctx;
    r->block_bytes = (block_bytes + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
    r->blocks = bigmem_take(RELAY_BLOCKS, r->block_bytes);
    pthread_mutex_init(&r->mutex, NULL);
    pthread_cond_init(&r->wake, NULL);
    if (r->blocks != NULL && start(r)) {
        return r;
    }
    free(r->blocks);
    free(r);
    return NULL;
}

void relay_free(struct relay *r)
{
    if (r == NULL) {
        return;
    }
    relay_settle(r);
    atomic_store(&r->over, true);
    wake_taker(r);
    pthread_join(r->taker, NULL);
    pthread_cond_destroy(&r->wake);
    pthread_mutex_destroy(&r->mutex);
    free(r->blocks);
    free(r);
}

/*
 * The giver waits until at least so many blocks are done; returns how often it slept. The taker is awake as long as
 * one is not.
 */
static unsigned wait_for(struct relay *r, uint64_t done)
{
    static const struct timespec nap = {0, NAP_NANOSECONDS};
    unsigned naps = 0;
    for (unsigned tries = 0; atomic_load_explicit(&r->done, memory_order_acquire) < done; tries++) {
        if (tries < SPINS) {
            pause_briefly();
        } else if (tries < SPINS + YIELDS) {
            sched_yield();
        } else {
            naps++;
            nanosleep(&nap, NULL);
        }
    }
    return naps;
}

void *relay_block(struct relay *r)
{
    uint64_t passed = atomic_load_explicit(&r->passed, memory_order_relaxed);
    if (passed >= RELAY_BLOCKS) {
        r->naps += wait_for(r, passed - RELAY_BLOCKS + 1);
    }
    return r->blocks + passed % RELAY_BLOCKS * r->block_bytes;
}

void relay_pass(struct relay *r)
{
    uint64_t passed = atomic_load_explicit(&r->passed, memory_order_relaxed);
    atomic_store_explicit(&r->passed, passed + 1, memory_order_seq_cst);
    wake_taker(r);
}

void relay_settle(struct relay *r)
{
    (void)wait_for(r, atomic_load_explicit(&r->passed, memory_order_relaxed));
}

uint64_t relay_naps(const struct relay *r)
{
    return r->naps;
}
