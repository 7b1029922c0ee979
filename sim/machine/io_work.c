/* SPDX-License-Identifier: MIT */
/*
 * What a driver does on its core: computes, accesses memory, writes registers.
 *
 * MODEL: the accesses to a payload overlap, so many at a time; those of a core that executes in order do, too, as copying
 * is what prefetchers are best at.
 */
#include "machine/io_parts.h"

enum { LINES_AT_ONCE = 8 };

hv_cycles io_work_now(const struct io_driver *d)
{
    return d->core->core.now;
}

void io_work(struct io_driver *d, hv_cycles cycles, const char *what)
{
    if (cycles > 0) {
        core_charge(&d->core->core, d->host ? CORE_COST_EXIT : CORE_COST_INTERRUPT, cycles, what);
    }
}

void io_work_join(struct io_driver *d)
{
    struct machine_core *c = d->core;
    if (c->join.wait != NULL) {
        c->join.wait(c->join.ctx, c->core.now);
    }
}

static hv_cycles read_shared(struct mem_path *p, uint64_t line, hv_cycles now)
{
    return p->shared != NULL ? mem_shared_read(p->shared, line, CACHE_DEMAND, now).done
                             : p->port.read(p->port.ctx, line, CACHE_DEMAND, now).done;
}

enum how { NEW, READ, WRITE };

static hv_cycles access_line(struct machine_core *c, uint64_t line, enum how how, hv_cycles now)
{
    const hv_hpa address = {line << CACHE_LINE_SHIFT};
    return how == NEW ? read_shared(&c->path, line, now) : mem_data(&c->path, address, how == WRITE, now).done;
}

static void access_lines(struct io_driver *d, uint64_t host, uint64_t bytes, enum how how)
{
    uint64_t line = host >> CACHE_LINE_SHIFT;
    const uint64_t end = ((host + bytes - 1) >> CACHE_LINE_SHIFT) + 1;
    while (line < end) {
        const hv_cycles now = io_work_now(d);
        hv_cycles done = now;
        for (unsigned i = 0; i < LINES_AT_ONCE && line < end; i++, line++) {
            hv_cycles answered = access_line(d->core, line, how, now);
            done = answered > done ? answered : done;
        }
        io_work(d, done - now, "driver's data");
    }
}

void io_work_read_new(struct io_driver *d, uint64_t host, uint64_t bytes)
{
    access_lines(d, host, bytes, NEW);
}

void io_work_touch(struct io_driver *d, uint64_t host, uint64_t bytes, bool write)
{
    access_lines(d, host, bytes, write ? WRITE : READ);
}

void io_work_done(struct io_driver *d, uint64_t packets, uint64_t bytes)
{
    struct machine_io *io = d->io;
    d->settled += packets;
    io->settled += packets;
    io->stats.handled += packets;
    io->stats.handled_bytes += packets * bytes;
    io->ended = io_work_now(d) > io->ended ? io_work_now(d) : io->ended;
}
