/* SPDX-License-Identifier: MIT */
/*
 * Several cores whose shared accesses happen in the order of time (timing.sync exact).
 *
 * Each core executes on a stack of its own (base/coroutine.h), ahead on what is its own, and stops in the middle of an
 * access before it touches what is shared, unless it is first (machine/order.h). Who is not first goes on in the core
 * that is. So the turn passes from core to core here, in C, and whoever calls turns_step() has it back only when a
 * core has ended a slice of its run.
 *
 * Devices (machine/io.h) are a participant without a stack: all they do they have posted, so whoever comes to be behind
 * them makes them act. A machine with devices takes turns even when it has one core.
 */
#ifndef HV_MACHINE_TURNS_H
#define HV_MACHINE_TURNS_H

#include "base/coroutine.h"
#include "machine/order.h"
#include "machine/run.h"

struct turns;

/* What a core wants of the shared memory system. */
struct turn_request {
    uint64_t line;
    hv_cycles start;
    enum cache_user user;
    bool write_back;
    struct mem_reply reply;
};

struct turn {
    struct turns *turns;
    struct machine_core *core;
    unsigned number;
    bool idle; /* its streams are over, and it waits for an interrupt of a device */
    struct coroutine coroutine;
    struct mem_port memory; /* what its requests are made to */
    struct turn_request request;
};

struct turns {
    struct run *run;
    unsigned cores;         /* of the order's participants; one more are the devices, if there are any */
    struct order order;
    struct coroutine caller;
    bool in_order; /* a core waits for what it reads */
    struct turn turn[ORDER_MAX_CORES];
};

/* Takes the cores of a run, which from now on execute by turns_step() only. */
struct turns *turns_new(struct run *r);
void turns_free(struct turns *t);

/* Lets the cores execute in turns until one has ended a slice. False: none has anything left to do. */
bool turns_step(struct turns *t);

/* All cores have waited for the end of the warm-up, and start at a time. */
void turns_start(struct turns *t, hv_cycles start);

#endif
