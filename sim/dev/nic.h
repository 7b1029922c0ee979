/* SPDX-License-Identifier: MIT */
/*
 * A network card: a physical function and up to 64 virtual ones (SR-IOV), each with a register window, queues and
 * MSI-X vectors of its own, that share one link to the network and one to the root port.
 *
 * Receiving: a packet comes from the network, at the link's rate, into the packet buffer; a free descriptor of its
 * queue is set aside for it, or it is dropped. Its payload is written to memory, then the descriptor is written back,
 * then the queue's vector has an event. Sending: payloads are read, several at a time, and go out in the order in
 * which they were asked for; what has left is written back, and has an event. Descriptors are fetched in batches.
 * Queues that have work share the card's engine, and with it both links, in turn (round robin, a packet each).
 *
 * Requester ids are those of Alternative Routing-ID Interpretation (PCI Express Base Specification 6.0, 6.13): the
 * physical function has the id that the card was given, virtual function n = 1, 2, ... the one NIC_FIRST_VF - 1 + n
 * above ("First VF Offset" NIC_FIRST_VF, "VF Stride" 1; 9.3.3). Every DMA and interrupt of a function has its own id.
 *
 * MODEL: rings lie in memory that is there: a write-back that would have to wait for a page (PRI) counts as blocked.
 * MODEL: packets for a function's queues are spread over them in turn, as many flows would be.
 */
#ifndef HV_DEV_NIC_H
#define HV_DEV_NIC_H

#include "dev/agenda.h"
#include "dev/dev_pace.h"
#include "dev/msix.h"
#include "dev/nic_regs.h"
#include "dev/pcie.h"

/*
 * On the network every packet has besides its bytes in memory: preamble and start of frame 8, frame check sequence 4,
 * gap between packets 12 (IEEE 802.3, clauses 3 and 4); and a frame is at least 60 bytes without its check sequence.
 */
enum { NIC_FRAME_BYTES = 24, NIC_FRAME_MIN = 60 };
enum { NIC_FIRST_VF = 16, NIC_FUNCTIONS_MAX = 65 };

/* The network card's own parts: nic_parts.h. */
struct nic_function;
struct nic_wire;

struct nic {
    struct pcie link;
    uint64_t clock_mhz;
    uint32_t functions, queues;     /* the physical function is number 0; queues of each */
    uint32_t batch;                 /* descriptors fetched at a time */
    uint64_t buffer_bytes;
    hv_cycles engine_cycles, peer_cycles;
    uint32_t packet_bytes;          /* of what the peer sends */
    bool answers;                   /* the peer answers each packet */
    hv_cycles now;                  /* of the latest thing done */
    struct agenda agenda;
    struct nic_function *function;  /* [functions] */
    struct nic_wire *wire;
};

/* `source` is the requester id of the physical function. Registers are as after a reset: everything off. */
bool nic_init(struct nic *n, const struct dev_params *params, const struct dev_port *port, uint64_t clock_mhz,
              uint16_t source, struct hv_err *err);
void nic_fini(struct nic *n);

uint16_t nic_source(const struct nic *n, unsigned function);

/*
 * Accesses to a function's window: 4 or 8 bytes, aligned; others read as 0 and write nothing. 8 bytes reach the one
 * register at that offset, two words of the MSI-X table. All that is due by `now` is done before.
 */
uint64_t nic_read(struct nic *n, unsigned function, uint32_t offset, unsigned bytes, hv_cycles now);
void nic_write(struct nic *n, unsigned function, uint32_t offset, unsigned bytes, uint64_t value, hv_cycles now);

/*
 * The network begins to send `packets` more to a function at `now`, at io.offered_mbps in all. Functions to which
 * packets are sent have their turns (round robin).
 */
void nic_receive(struct nic *n, unsigned function, uint64_t packets, hv_cycles now);

hv_cycles nic_next(const struct nic *n);
void nic_act(struct nic *n, hv_cycles now);

/* A page response for one of the functions. */
void nic_page_response(struct nic *n, const struct dev_page_response *r, hv_cycles now);

/* What one function has done. */
struct nic_counts {
    uint64_t received, transmitted, dropped, received_bytes, transmitted_bytes, interrupts;
};

struct nic_counts nic_counts_of(const struct nic *n, unsigned function);

#endif
