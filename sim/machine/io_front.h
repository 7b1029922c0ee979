/* SPDX-License-Identifier: MIT */
/*
 * A network card that the guest sees but does not have: the hypervisor's driver has the device's function, and a back
 * end copies packets between its buffers and the guest's.
 *
 * emulated       the guest's driver works on registers, whose pages are misconfigured in EPT (io_window.c): each write
 *                of a tail, each read of the cause of an interrupt and each write of the interrupt mask exits, and a
 *                process in user space does what the card would do. A tail is written for each packet that is sent and
 *                each buffer that is given back, as drivers of plain cards do.
 * paravirtual    a ring in memory is shared with a back end in the hypervisor's kernel. The guest notifies it by OUT to
 *                a port, which exits by the I/O bitmaps, of io.batch packets at a time, and of new buffers only when the
 *                back end has run out of them.
 *
 * io_front.c has the guest's driver and the back end. io_emulate.c is the way between the two: what the guest's driver
 * does to the machine, and what the hypervisor makes of the VM exit if there is one. It knows the device by the
 * address or port that the exit has told.
 *
 * An interrupt is injected when there is something new and the guest has asked for it, which it does when it has
 * nothing left to handle. MODEL: the back end runs on the core of the guest, where it costs the guest's time; it runs
 * when an interrupt of the device or a notification has brought the core into the hypervisor. MODEL: the ring's and
 * its entries' accesses are real, but what they hold is kept apart.
 */
#ifndef HV_MACHINE_IO_FRONT_H
#define HV_MACHINE_IO_FRONT_H

#include "machine/io_nic.h"

/*
 * Ports of a paravirtual card, as its legacy interface has them: the register that notifies, a queue's number in 16
 * bits.
 */
enum { IO_PORTS = 0xc000, IO_PORTS_EACH = 32, IO_PORT_NOTIFY = 16, IO_NOTIFY_BYTES = 2 };

struct io_front {
    struct io_driver driver;  /* the guest's: its work is on the guest's time */
    struct io_driver *back;   /* the hypervisor's */
    struct io_nic *nic;       /* of that */
    uint64_t ring, buffers;   /* of the guest, host-physical */
    uint16_t port;            /* paravirtual: of notifications */
    uint32_t entries;
    uint32_t free, waiting;   /* receive buffers: empty ones that the back end has, full ones that the guest has */
    uint32_t emptied;         /* that the guest has not given back yet */
    uint32_t next_in, next_out; /* buffers in turn */
    uint32_t queued;          /* packets to be sent, which the back end has not taken */
    uint32_t unannounced;     /* of these, the back end was not told of */
    uint32_t next_queued, next_taken;
    uint64_t left, requests;  /* packets to send, as in struct io_nic */
    bool wants_interrupt;
    bool was_interrupted;     /* and has not looked why */
    bool has_news;            /* since the last interrupt */
    bool starved;             /* the back end has no empty buffer for a packet that has come */
    bool stopped;             /* the guest has no room for a packet to send */
};

/* Memory that the guest's half of a function needs. */
uint64_t io_front_bytes(const struct machine_params *p);

/* Makes the guest's half of a driver of the hypervisor's; nothing for another. */
void io_front_init(struct io_driver *back);
void io_front_fini(struct io_driver *back);

static inline bool io_front_is_emulated(const struct io_front *f)
{
    return f->back->io->params->attach == IO_EMULATED;
}

/* ---- io_emulate.c ----------------------------------------------------------------------------------------------- */

/* The guest's driver accesses a register of 4 bytes of its emulated card, or notifies the back end of a queue. */
void io_front_write_register(struct io_front *f, uint32_t offset, uint32_t value);
void io_front_read_cause(struct io_front *f);
void io_front_notify(struct io_front *f, uint16_t queue);

/* The core leaves its guest by a host's interrupt, and the hypervisor's drivers that have work do it. */
void io_front_work_host(struct io_core *c, uint8_t vector);

/* ---- io_front.c: between the hypervisor's driver and its front end ---------------------------------------------- */

/* Packets of a driver of the hypervisor's that its guest has handled. */
static inline uint64_t io_front_settled(const struct io_driver *back)
{
    return back->front->driver.settled;
}

/* What the hypervisor's driver does with a packet that has come. False: the guest has no buffer for it. */
bool io_front_deliver(struct io_nic *n, const struct io_buffer *b);

/* The hypervisor's driver has sent so many packets and may take others. Returns how many it has taken. */
unsigned io_front_transmit(struct io_nic *n, unsigned sent, unsigned budget);

#endif
