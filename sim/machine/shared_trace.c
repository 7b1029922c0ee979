/* SPDX-License-Identifier: MIT */
#include "machine/shared_trace.h"

static unsigned number_of(const struct machine_core *c)
{
    return (unsigned)(c - c->machine->cores);
}

void shared_trace_read(const struct machine_core *c, uint64_t line, hv_cycles now, const struct mem_reply *reply)
{
    HV_TRACE(&c->machine->trace, SHARED, now, "read core=%u line=%#llx level=%s done=%llu", number_of(c),
             (unsigned long long)line, mem_level_names[reply->level], (unsigned long long)reply->done);
}

void shared_trace_write(const struct machine_core *c, uint64_t line, hv_cycles now)
{
    HV_TRACE(&c->machine->trace, SHARED, now, "write core=%u line=%#llx", number_of(c), (unsigned long long)line);
}

static struct mem_reply read_telling(void *ctx, uint64_t line, enum cache_user user, hv_cycles now)
{
    struct machine_core *c = ctx;
    struct mem_reply reply = mem_shared_read(&c->machine->shared, line, user, now);
    shared_trace_read(c, line, now, &reply);
    return reply;
}

static void write_back_telling(void *ctx, uint64_t line, hv_cycles now)
{
    struct machine_core *c = ctx;
    mem_shared_write_back(&c->machine->shared, line, now);
    shared_trace_write(c, line, now);
}

void shared_trace_connect(struct machine_core *c)
{
    if ((c->machine->trace.enabled & 1u << TRACE_SHARED) != 0) {
        c->path.shared = NULL;
        c->path.port = (struct mem_port){read_telling, write_back_telling, c};
    }
}
