/* SPDX-License-Identifier: MIT */
/*
 * The insides of the network card, shared by its files: nic.c (functions, time), nic_registers.c, nic_ring.c
 * (descriptors), nic_receive.c, nic_transmit.c.
 */
#ifndef HV_DEV_NIC_PARTS_H
#define HV_DEV_NIC_PARTS_H

#include "dev/dev_turns.h"
#include "dev/nic.h"

enum {
    NIC_CACHE = 128,            /* descriptors of a ring that the card holds; twice the largest batch */
    NIC_PACKETS = 4096,         /* packets in the receive buffer, besides the limit of its bytes */
    NIC_IN_FLIGHT = 256,        /* packets being transmitted */
    NIC_ANSWERS = 4096,         /* answers of the peer that are under way */
    NIC_COMPLETIONS = 1024,
};

/* Parts of the agenda: these, then the vectors of each function, then the two rings of each queue. */
enum nic_part { NIC_WIRE, NIC_RECEIVER, NIC_SENDER, NIC_SENT, NIC_COMPLETION, NIC_VECTORS };

/*
 * One ring as the card sees it. Base and length are those of when it was switched on, so that whatever software writes
 * later can lead nowhere. Indices go around at length:
 *
 *     head (finished) .. used (in work) .. fetched - arriving (held by the card) .. fetched .. tail
 */
struct nic_ring {
    uint64_t base_register;
    uint32_t length_register;
    uint64_t base;
    uint32_t length, head, used, fetched, tail;
    bool enabled;
    bool stalled;        /* waits for a page */
    bool stopping;       /* begins nothing more: what failed stops it when all before that is done */
    bool blocked;        /* the fetch under way has failed */
    uint8_t error;       /* enum nic_error */
    uint32_t generation; /* of being switched on: what was begun in an earlier one has no effect any more */
    uint32_t arriving;   /* descriptors of the fetch under way; 0: there is none */
    hv_cycles arrives;
    uint32_t cached, first;
    struct nic_descriptor cache[NIC_CACHE];
};

struct nic_queue {
    uint32_t number; /* in the whole card */
    struct nic_function *function;
    struct nic_ring rx, tx;
    bool rx_listed, tx_listed; /* has its turn with the receiver, the sender */
    uint32_t vector;
    uint32_t buffer_bytes;
    uint32_t moderation_ns, moderation_packets;
    uint32_t waiting;              /* packets that have a descriptor set aside; a list in nic_wire.packet */
    uint32_t oldest, newest;
};

struct nic_function {
    uint32_t number;
    uint16_t source;
    uint32_t control;
    uint32_t turn;         /* which queue gets the next packet */
    uint64_t stream;       /* packets that the network still has to send */
    struct msix msix;
    struct nic_counts counts;
    struct nic_queue *queue; /* [queues] */
};

struct nic_packet {
    uint32_t bytes;
    uint32_t next; /* of the same queue, or of the free ones */
};

/* A packet that is being transmitted, in the order in which they go out. */
struct nic_flight {
    struct nic_queue *queue;
    uint32_t generation, index;
    struct nic_descriptor descriptor;
    bool blocked;   /* its payload could not be read: it does not go out */
    hv_cycles sent; /* its last bit has gone out */
};

struct nic_answer {
    struct nic_function *function;
    hv_cycles ready;
};

/* A packet that is done at `when`: its descriptor has been written back, or the queue stops for it. */
struct nic_completion {
    hv_cycles when;
    struct nic_queue *queue;
    uint32_t generation;
    uint32_t bytes;      /* of the buffer that are free again */
    bool received;       /* else transmitted */
    bool lost;           /* neither, for an error */
    bool event;          /* for the vector */
    enum nic_error error;
};

/* What all functions share. */
struct nic_wire {
    /* What comes in: at most one packet is on the link, for `to`. */
    struct dev_pace in, source;
    struct nic_function *to;
    hv_cycles source_next;         /* when the network begins the next packet of the streams */
    struct dev_turns streams;      /* functions */
    uint32_t answer_first, answer_count;
    struct nic_answer answer[NIC_ANSWERS];
    /* The receive buffer. */
    uint64_t held_bytes;
    uint32_t free_packet;          /* the first of a list; NIC_PACKETS: none */
    struct nic_packet packet[NIC_PACKETS];
    struct dev_turns receiving;    /* queues */
    hv_cycles receiver_free, received[2];
    /* What goes out. */
    struct dev_pace out;
    struct dev_turns sending;      /* queues */
    hv_cycles sender_free;
    bool full;                     /* the sender waits for a completion */
    uint64_t out_bytes;
    uint32_t flight_first, flight_count; /* on their way out */
    uint32_t unfinished;                 /* these, and those that are being written back */
    struct nic_flight flight[NIC_IN_FLIGHT];
    uint32_t completion_first, completion_count;
    struct nic_completion completion[NIC_COMPLETIONS];
};

static inline struct nic_queue *nic_queue_of(const struct nic *n, uint32_t number)
{
    return &n->function[number / n->queues].queue[number % n->queues];
}

static inline uint32_t nic_ring_part(const struct nic *n, const struct nic_queue *q, const struct nic_ring *ring)
{
    return NIC_VECTORS + n->functions + 2 * q->number + (ring == &q->tx);
}

static inline hv_cycles nic_later(hv_cycles a, hv_cycles b)
{
    return a > b ? a : b;
}

/* The bytes of a packet on the network. */
static inline uint64_t nic_frame_bytes(uint64_t bytes)
{
    return (bytes < NIC_FRAME_MIN ? NIC_FRAME_MIN : bytes) + NIC_FRAME_BYTES;
}

/* Something is due at `when`, if nothing of that part is earlier. */
void nic_wake(struct nic *n, uint32_t part, hv_cycles when);

/* The packet is done when its write-back has been sent. Completions are in the order of time. */
void nic_complete(struct nic *n, const struct nic_completion *completion);

/* nic_ring.c */
bool nic_ring_runs(const struct nic_queue *q, const struct nic_ring *ring);
void nic_ring_switch(struct nic *n, struct nic_queue *q, struct nic_ring *ring, bool on, hv_cycles now);
void nic_ring_doorbell(struct nic *n, struct nic_queue *q, struct nic_ring *ring, uint32_t tail, hv_cycles now);
void nic_ring_act(struct nic *n, struct nic_queue *q, struct nic_ring *ring, hv_cycles now);
void nic_ring_fail(struct nic *n, struct nic_queue *q, struct nic_ring *ring, enum nic_error error, hv_cycles now);
uint32_t nic_ring_owned(const struct nic_ring *ring); /* descriptors that are the card's and not in work */
struct nic_descriptor nic_ring_take(struct nic *n, struct nic_queue *q, struct nic_ring *ring, hv_cycles now);
bool nic_ring_write_back(struct nic *n, struct nic_queue *q, const struct nic_ring *ring, uint32_t index,
                         struct nic_descriptor *descriptor, hv_cycles now);

/* nic_receive.c */
void nic_wire_act(struct nic *n, hv_cycles now);
void nic_answer(struct nic *n, struct nic_function *f, hv_cycles ready);
void nic_receiver_act(struct nic *n, hv_cycles now);
void nic_receiver_ready(struct nic *n, struct nic_queue *q, hv_cycles now);
void nic_drop_waiting(struct nic *n, struct nic_queue *q);

/* nic_transmit.c */
void nic_sender_act(struct nic *n, hv_cycles now);
void nic_sender_ready(struct nic *n, struct nic_queue *q, hv_cycles now);
void nic_sent_act(struct nic *n, hv_cycles now);

/* nic_registers.c: everything off, as after power-on. */
void nic_function_reset(struct nic *n, struct nic_function *f);

#endif
