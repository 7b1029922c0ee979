/* SPDX-License-Identifier: MIT */
#include "machine/turns.h"

#include <stdlib.h>

#include "machine/shared_trace.h"
#include "machine/software.h"

/* Where the turn passes, the host mispredicts every return up to the core's loop: no more calls than need be. */
#define TURN_INLINE static inline __attribute__((always_inline))

/*
 * A core stops before another could interrupt it: the earliest that any of the others can send something is when it
 * goes on, and it takes ipi_cycles to arrive. While the core keeps the turn the others' times only rise.
 */
static void set_limit(struct turn *t)
{
    const hv_cycles next = order_next_other(&t->turns->order, t->number), now = t->core->core.now;
    const hv_cycles delay = t->core->machine->params.vmm_cost.ipi_cycles;
    hv_cycles limit = ORDER_NEVER;
    if (next < ORDER_NEVER - delay) {
        limit = next + delay > now ? next + delay : now + 1;
    }
    software_set_limit(t->core, limit);
}

/* Goes on in the core that is first; returns when that is this one. */
TURN_INLINE void give_way(struct turn *t)
{
    struct turns *all = t->turns;
    coroutine_switch(&t->coroutine, &all->turn[order_first_other(&all->order, t->number)].coroutine);
}

static void join(void *ctx, hv_cycles now)
{
    struct turn *t = ctx;
    struct order *order = &t->turns->order;
    if (order_may_go(order, t->number, now)) {
        return;
    }
    order->at[t->number] = now;
    do {
        give_way(t);
    } while (!order_may_go(order, t->number, now));
    set_limit(t);
}

/*
 * Makes the request of a core. Returns the time before which that core does nothing else that is shared: one that
 * executes in order waits for what it reads.
 */
static hv_cycles perform(void *ctx, unsigned core)
{
    struct turns *all = ctx;
    struct turn *t = &all->turn[core];
    struct turn_request *r = &t->request;
    if (r->write_back) {
        t->memory.write_back(t->memory.ctx, r->line, r->start);
        shared_trace_write(t->core, r->line, r->start);
        return r->start;
    }
    r->reply = t->memory.read(t->memory.ctx, r->line, r->user, r->start);
    shared_trace_read(t->core, r->line, r->start, &r->reply);
    return all->in_order ? r->reply.done : r->start;
}

/* Posts the request of a core that is not first: another makes it as soon as it is behind, or the core in its turn. */
TURN_INLINE void post(struct turn *t)
{
    struct order *order = &t->turns->order;
    const struct cache *llc = &t->core->machine->shared.llc;
    order->at[t->number] = t->request.start;
    order->posted[t->number] = true;
    if (cache_present(llc)) {
        cache_prefetch_tags(llc, t->request.line);
    }
    do {
        give_way(t);
    } while (order->posted[t->number] && !order_may_go(order, t->number, t->request.start));
    if (order->posted[t->number]) {
        order->posted[t->number] = false;
        perform(t->turns, t->number);
    }
    set_limit(t);
}

TURN_INLINE void transport(struct turn *t)
{
    if (order_may_go(&t->turns->order, t->number, t->request.start)) {
        perform(t->turns, t->number);
    } else {
        post(t);
    }
}

static struct mem_reply port_read(void *ctx, uint64_t line, enum cache_user user, hv_cycles now)
{
    struct turn *t = ctx;
    t->request = (struct turn_request){.line = line, .start = now, .user = user};
    transport(t);
    return t->request.reply;
}

static void port_write_back(void *ctx, uint64_t line, hv_cycles now)
{
    struct turn *t = ctx;
    t->request = (struct turn_request){.line = line, .start = now, .write_back = true};
    transport(t);
}

/* A core's run, slice by slice. */
static void execute(void *ctx)
{
    struct turn *t = ctx;
    for (;;) {
        set_limit(t);
        enum run_next next = run_slice(t->turns->run, t->number);
        t->turns->order.at[t->number] = next == RUN_ON ? t->core->core.now : ORDER_NEVER;
        coroutine_switch(&t->coroutine, &t->turns->caller);
    }
}

static struct mem_reply read_directly(void *ctx, uint64_t line, enum cache_user user, hv_cycles now)
{
    return mem_shared_read(ctx, line, user, now);
}

static void write_back_directly(void *ctx, uint64_t line, hv_cycles now)
{
    mem_shared_write_back(ctx, line, now);
}

struct turns *turns_new(struct run *r)
{
    struct machine *m = r->machine;
    struct turns *all = calloc(1, sizeof(*all));
    HV_ASSERT(all != NULL, "out of memory");
    all->run = r;
    all->in_order = m->params.core.model == CORE_INORDER;
    order_init(&all->order, (unsigned)m->params.machine.cores);
    all->order.act = perform;
    all->order.ctx = all;
    for (unsigned i = 0; i < all->order.cores; i++) {
        struct turn *t = &all->turn[i];
        struct machine_core *c = &m->cores[i];
        *t = (struct turn){.turns = all, .core = c, .number = i};
        t->memory = (struct mem_port){read_directly, write_back_directly, &m->shared};
        coroutine_init(&t->coroutine, execute, t);
        c->path.shared = NULL;
        c->path.port = (struct mem_port){port_read, port_write_back, t};
        c->join = (struct machine_join){join, t};
    }
    return all;
}

void turns_free(struct turns *t)
{
    for (unsigned i = 0; i < t->order.cores; i++) {
        coroutine_fini(&t->turn[i].coroutine);
    }
    free(t);
}

bool turns_step(struct turns *t)
{
    unsigned first = order_first(&t->order);
    if (first == t->order.cores) {
        return false;
    }
    coroutine_switch(&t->caller, &t->turn[first].coroutine);
    return true;
}

void turns_start(struct turns *t, hv_cycles start)
{
    for (unsigned i = 0; i < t->order.cores; i++) {
        t->order.at[i] = t->turn[i].core->over ? ORDER_NEVER : start;
    }
}
