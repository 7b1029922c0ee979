/* SPDX-License-Identifier: MIT */
/* The network card's driver (io_nic.c) and the guest's half of one that is not the guest's (io_front.c). */
#ifndef HV_MACHINE_IO_NIC_H
#define HV_MACHINE_IO_NIC_H

#include "machine/io_parts.h"

struct io_buffer {
    uint64_t host, iova;
};

/* A ring of descriptors: [head, tail) are the device's, or written back by it. */
struct io_ring {
    uint64_t host, iova;
    uint32_t entries, head, tail;
    uint32_t unannounced; /* at the end: the device was not told of them */
    struct io_buffer *buffers; /* by descriptor */
};

struct io_nic {
    struct io_driver *driver;
    struct io_ring receive, transmit;
    uint32_t packet_bytes;
    uint64_t buffer_bytes, buffers; /* of a buffer; the window's address */
    uint64_t buffer_count, next_buffer, step;
    uint64_t left;     /* packets that are still to be sent */
    uint64_t requests; /* of these, so many at once */
    struct io_front *front; /* whose packets these are; NULL: the driver's own system's */
    bool (*deliver)(struct io_nic *n, const struct io_buffer *b);
};

/* Of a buffer for packets of so many bytes. */
uint64_t io_nic_buffer_bytes(uint64_t packet_bytes);

/* Memory that a function needs. */
uint64_t io_nic_bytes(const struct machine_params *p);

uint64_t io_nic_next_buffer(struct io_nic *n);
uint32_t io_ring_room(const struct io_ring *r);

/* Sends a packet that lies in a buffer. False: it cannot be mapped. */
bool io_nic_send(struct io_nic *n, uint64_t buffer);

/* Tells the device of new descriptors. */
void io_nic_announce(struct io_nic *n, struct io_ring *r);

#endif
