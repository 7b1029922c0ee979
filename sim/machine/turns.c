/* SPDX-License-Identifier: MIT */
#include "machine/turns.h"

#include <stdlib.h>

#include "machine/io.h"
#include "machine/shared_trace.h"
#include "machine/software.h"

/* So much do devices do, while no core has anything to do, until somebody asks whether the run is to end. */
enum { ACTS_IN_A_STEP = 1 << 16 };

/* Where the turn passes, the host mispredicts every return up to the core's loop: no more calls than need be. */
#define TURN_INLINE static inline __attribute__((always_inline))

/*
 * A core stops before another could interrupt it: the earliest that any of the others can send something is when it
 * goes on, and it takes ipi_cycles to arrive. While the core keeps the turn the others' times only rise.
 */
static void set_limit(struct turn *t)
{
    const hv_cycles next = order_next_other(&t->turns->order, t->number), now = t->core->core.now;
    const struct machine *m = t->core->machine;
    const hv_cycles ipi = m->params.vmm_cost.ipi_cycles, msi = io_interrupt_cycles(m->io), delay = ipi < msi ? ipi : msi;
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
        t->idle = false;
        set_limit(t);
        enum run_next next = run_slice(t->turns->run, t->number);
        t->idle = next == RUN_IDLE;
        t->turns->order.at[t->number] = next == RUN_ON ? t->core->core.now : t->idle ? io_core_next(t->core) : ORDER_NEVER;
        coroutine_switch(&t->coroutine, &t->turns->caller);
    }
}

/* ---- Devices ---------------------------------------------------------------------------------------------------- */

/* Does what a participant has posted. The devices have always something posted. */
static hv_cycles perform_any(void *ctx, unsigned number)
{
    struct turns *all = ctx;
    if (number < all->cores) {
        return perform(ctx, number);
    }
    all->order.posted[number] = true;
    return io_act(all->run->machine->io, all->order.at[number]);
}

/* A core has told a device to do something, so that it acts earlier than it has announced. */
static void device_due(void *ctx, hv_cycles at)
{
    struct turns *all = ctx;
    all->order.at[all->cores] = at;
}

/* A device has interrupted a core, which may wait for just that. */
static void core_due(void *ctx, unsigned core, hv_cycles at)
{
    struct turns *all = ctx;
    if (all->turn[core].idle && at < all->order.at[core]) {
        all->order.at[core] = at;
    }
}

static void add_devices(struct turns *all, struct machine_io *io)
{
    all->order.at[all->cores] = io_next(io);
    all->order.posted[all->cores] = true;
    all->order.act = perform_any;
    io_set_order(io, &(struct io_order){device_due, core_due, all});
}

/* ---- All together ----------------------------------------------------------------------------------------------- */

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
    all->cores = (unsigned)m->params.machine.cores;
    order_init(&all->order, all->cores + (m->io != NULL ? 1 : 0));
    all->order.act = perform;
    all->order.ctx = all;
    if (m->io != NULL) {
        add_devices(all, m->io);
    }
    for (unsigned i = 0; i < all->cores; i++) {
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
    for (unsigned i = 0; i < t->cores; i++) {
        coroutine_fini(&t->turn[i].coroutine);
    }
    free(t);
}

bool turns_step(struct turns *t)
{
    for (unsigned acts = 0; acts < ACTS_IN_A_STEP; acts++) {
        unsigned first = order_first(&t->order);
        if (first == t->order.cores) {
            return false;
        }
        if (first < t->cores) {
            coroutine_switch(&t->caller, &t->turn[first].coroutine);
            return true;
        }
        t->order.at[first] = perform_any(t, first);
    }
    return true;
}

void turns_start(struct turns *t, hv_cycles start)
{
    for (unsigned i = 0; i < t->cores; i++) {
        t->order.at[i] = t->turn[i].core->over ? ORDER_NEVER : start;
    }
}
