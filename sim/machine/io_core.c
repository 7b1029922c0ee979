/* SPDX-License-Identifier: MIT */
/*
 * A core's part: interrupts that reach it, and when its drivers work.
 *
 * As Linux's NAPI does, the handler of an interrupt only has the driver look at its rings; the driver then handles up to
 * io.budget packets, and goes on later when there are more. Meanwhile the device's interrupts are off. Between two such
 * turns the core's stream has as long as the first took, as where a kernel thread (ksoftirqd) shares the core with a
 * process; on a core without a stream the driver goes on at once.
 *
 * MODEL: a turn is not interrupted. What comes meanwhile waits for its end, up to io.budget packets later, interrupts of
 * other functions and fault events included; a real core would handle them in between.
 */
#include "machine/io_parts.h"

#include <string.h>

#include "machine/guest.h"
#include "machine/io_front.h"
#include "machine/software.h"

hv_cycles io_core_due(const struct io_core *c)
{
    return c->due;
}

/* Whether a driver's software runs on the core now: the hypervisor always does. */
static bool runs(const struct io_driver *d)
{
    return d->host || d->core->guest == NULL || d->core->schedule.current == d->vcpu;
}

/* Whether it would, if the core turned to its virtual processor: nothing else keeps it busy. */
static bool can_run(const struct io_driver *d)
{
    return runs(d) || d->core->idle;
}

static hv_cycles next_of(const struct io_driver *d)
{
    hv_cycles next = d->poll_at < io_memory_next(d) ? d->poll_at : io_memory_next(d);
    next = can_run(d) ? next : UINT64_MAX;
    return can_run(d) && d->waits ? 0 : next;
}

/* Works out what is due next. */
static void update(struct io_core *c)
{
    c->due = c->arrival_count > 0 ? c->arrivals[0].at : UINT64_MAX;
    for (unsigned i = 0; i < c->driver_count; i++) {
        hv_cycles next = next_of(c->drivers[i]);
        c->due = next < c->due ? next : c->due;
    }
}

void io_core_wake(struct io_core *c, hv_cycles at)
{
    const struct machine_io *io = c->core->machine->io;
    c->due = at < c->due ? at : c->due;
    c->core->core.horizon = at < c->core->core.horizon ? at : c->core->core.horizon;
    if (io->order.core != NULL) {
        io->order.core(io->order.ctx, (unsigned)(c - io->cores), at);
    }
}

void io_driver_poll(struct io_driver *d)
{
    d->poll_at = io_work_now(d);
    io_core_wake(d->core->io, d->poll_at);
}

/* ---- Interrupts ------------------------------------------------------------------------------------------------- */

/* The handler of a driver's interrupt has ended. */
static void handled(struct io_driver *d, hv_cycles delivered, hv_cycles ended)
{
    struct io_stats *s = &d->io->stats;
    d->waits = false;
    d->poll_at = ended;
    if (d->kind->handled != NULL) {
        d->kind->handled(d);
    }
    if (!d->interrupted) {
        return;
    }
    d->interrupted = false;
    delivered = delivered > d->times.remapped ? delivered : d->times.remapped;
    ended = ended > delivered ? ended : delivered;
    s->interrupts_handled++;
    s->remap_cycles += d->times.remapped - d->times.raised;
    s->deliver_cycles += delivered - d->times.remapped;
    s->acknowledge_cycles += ended - delivered;
    histogram_add(&d->io->latency, ended - d->times.raised);
    if (d->io->activity != NULL) {
        activity_add(d->io->activity, ACTIVITY_INTERRUPT, d->times.raised, ended - d->times.raised, "interrupt");
    }
}

void io_core_handled(struct machine_core *c, uint32_t vcpu, hv_cycles delivered, hv_cycles ended)
{
    for (unsigned i = 0; c->io != NULL && i < c->io->driver_count; i++) {
        struct io_driver *d = c->io->drivers[i];
        if (d->vcpu == vcpu && !d->host) {
            handled(d, delivered, ended);
        }
    }
    if (c->io != NULL) {
        io_core_wake(c->io, ended);
    }
}

int io_core_waiting(struct machine_core *c, uint32_t vcpu)
{
    int vector = -1;
    for (unsigned i = 0; c->io != NULL && i < c->io->driver_count; i++) {
        struct io_driver *d = c->io->drivers[i];
        if (d->vcpu == vcpu && !d->host && d->waits) {
            d->waits = false;
            vector = d->descriptor != 0 ? vector : (int)(IO_VECTOR + vcpu); /* a posted one is where it belongs */
        }
    }
    return vector;
}

/* Natively: the operating system's handler, for all drivers of the vector. */
static void handle_natively(struct io_core *c)
{
    struct machine_core *core = c->core;
    const hv_cycles delivered = core->core.now;
    core_charge(&core->core, CORE_COST_INTERRUPT, core->machine->params.vcpu.interrupt_handler_cycles,
                "device interrupt");
    for (unsigned i = 0; i < c->driver_count; i++) {
        if (c->drivers[i]->interrupted) {
            handled(c->drivers[i], delivered, core->core.now);
        }
    }
}

/*
 * The guest's virtual processor of an interrupt is away: the hypervisor takes the interrupt, and keeps it for later. A
 * posted one is in the descriptor, and says only that some virtual processor has something to do.
 */
static void keep(struct io_core *c, const struct io_arrival *arrival)
{
    for (unsigned i = 0; i < c->driver_count; i++) {
        struct io_driver *d = c->drivers[i];
        bool meant = arrival->vector == IO_WAKE_VECTOR ? d->interrupted : arrival->vector == IO_VECTOR + d->vcpu;
        if (meant && !d->host && !d->waits && d->vcpu != c->core->schedule.current) {
            d->waits = true;
            d->io->stats.interrupts_away++;
        }
    }
}

static void take(struct io_core *c, const struct io_arrival *arrival)
{
    const struct machine_core *core = c->core;
    if (arrival->vector == IO_EVENT_VECTOR) {
        io_event_take(c, arrival);
    } else if (core->guest == NULL) {
        handle_natively(c);
    } else if (arrival->vector == IO_HOST_VECTOR) {
        io_front_work_host(c, IO_HOST_VECTOR);
    } else {
        keep(c, arrival);
        guest_interrupt(c->core, arrival->vector);
    }
}

static void take_all(struct io_core *c)
{
    while (c->arrival_count > 0 && c->arrivals[0].at <= c->core->core.now) {
        struct io_arrival arrival = c->arrivals[0];
        c->arrival_count--;
        memmove(c->arrivals, c->arrivals + 1, c->arrival_count * sizeof(arrival));
        take(c, &arrival);
    }
}

/* ---- Drivers ---------------------------------------------------------------------------------------------------- */

void io_driver_turn(struct io_driver *d)
{
    const hv_cycles began = io_work_now(d);
    d->poll_at = UINT64_MAX;
    if (d->kind->poll(d, (unsigned)d->io->params->budget)) {
        const hv_cycles took = io_work_now(d) - began;
        d->poll_at = io_work_now(d) + (d->core->idle ? 1 : took + 1);
    }
}

/* A virtual processor of an idle core is woken for its driver. */
static void turn_to(struct io_driver *d)
{
    if (!runs(d)) {
        software_switch_vcpu(d->core, d->vcpu);
    }
}

static void work(struct io_driver *d)
{
    const hv_cycles now = io_work_now(d);
    if (can_run(d) && (d->waits || d->poll_at <= now)) {
        turn_to(d);
    }
    if (!runs(d)) {
        return;
    }
    if (io_memory_next(d) <= io_work_now(d)) {
        io_memory_act(d);
    }
    if (d->poll_at <= io_work_now(d) && d->host) {
        io_front_work_host(d->core->io, IO_HOST_VECTOR);
    } else if (d->poll_at <= io_work_now(d)) {
        io_driver_turn(d);
    }
}

static uint64_t exits_of(const struct machine_core *c)
{
    return c->vmx_stats.exits;
}

void io_core_serve(struct machine_core *core)
{
    struct io_core *c = core->io;
    struct io_stats *s = &core->machine->io->stats;
    const hv_cycles began = core->core.now;
    const uint64_t exits = exits_of(core);
    take_all(c);
    for (unsigned i = 0; i < c->driver_count; i++) {
        work(c->drivers[i]);
    }
    update(c);
    s->cpu_cycles += core->core.now - began;
    s->exits += exits_of(core) - exits;
}

void io_core_rest(struct machine_core *core)
{
    update(core->io); /* drivers whose virtual processors do not run may work now */
}

void io_core_wait(struct machine_core *core)
{
    const hv_cycles due = io_core_due(core->io), now = core->core.now;
    if (due != UINT64_MAX && due > now) {
        core->machine->io->stats.idle_cycles += due - now;
        core_charge(&core->core, CORE_COST_INTERRUPT, due - now, "idle");
    }
}
