/* SPDX-License-Identifier: MIT */
/*
 * A storage device with a submission and a completion queue in memory, in the manner of NVMe (NVM Express Base
 * Specification 2.0, 3.3 "Queue models", 4.1 "Submission Queue Entry", 4.2 "Completion Queue Entry").
 *
 * The driver writes commands of 64 bytes and rings the submission doorbell. The device fetches them, up to
 * io.descriptor_batch at a time, and has at most io.outstanding under way; each waits for the medium (io.media_ns,
 * then its bytes at io.link_mbps), moves its data by DMA, and is completed by an entry of 16 bytes with a phase bit
 * and an interrupt (MSI-X vector 0). Commands may be completed in another order than they were submitted.
 *
 *     command      0 opcode (01H write, 02H read) | 2..3 identifier | 24..31 address of the data |
 *                  40..47 first block | 48..49 blocks - 1, of 512 bytes
 *     completion   8..9 submission queue head | 12..13 identifier | 14..15 status << 1 | phase
 *
 * MODEL: the data is one contiguous range (no PRP or SGL lists), and blocks hold nothing.
 */
#ifndef HV_DEV_STORAGE_H
#define HV_DEV_STORAGE_H

#include "base/histogram.h"
#include "dev/agenda.h"
#include "dev/dev_pace.h"
#include "dev/dev_turns.h"
#include "dev/msix.h"
#include "dev/storage_regs.h"

enum { STORAGE_IN_FLIGHT_MAX = PCIE_MAX_IN_FLIGHT };

/* What a command that is under way does next. */
enum storage_step { STORAGE_DATA, STORAGE_MEDIUM, STORAGE_COMPLETE, STORAGE_DONE };

struct storage_command {
    enum storage_step step;
    enum storage_status status;
    bool stalled; /* its data waits for a page */
    hv_cycles begun;
    struct storage_submission entry;
};

struct storage {
    struct pcie link;
    uint64_t clock_mhz;
    uint16_t source;
    uint32_t batch, slots; /* commands fetched at a time, and under way, at most */
    hv_cycles engine_cycles, media_cycles;
    /* Base and length are registers; those of the queues are what they were when the device was switched on. */
    uint64_t submission_base, completion_base;
    uint32_t submission_length, completion_length;
    struct storage_queue submission, completion;
    bool enabled, phase;
    enum storage_error error;
    uint32_t moderation_ns, moderation_packets;
    struct msix msix;
    struct agenda agenda;
    uint32_t arriving;  /* commands of the fetch under way; 0: there is none */
    hv_cycles arrives;
    bool fetch_stalled, fetch_blocked;
    struct storage_submission *fetched; /* [batch] */
    struct storage_command *commands;   /* [slots] */
    struct dev_turns free;              /* slots */
    struct dev_turns waiting;           /* slots, for room in the completion queue */
    struct dev_pace medium;
    hv_cycles engine_free;
    hv_cycles now;
    struct histogram latency; /* of commands, from their fetch until their completions are written */
};

bool storage_init(struct storage *s, const struct dev_params *params, const struct dev_port *port, uint64_t clock_mhz,
                  uint16_t source, struct hv_err *err);
void storage_fini(struct storage *s);

uint64_t storage_read(struct storage *s, uint32_t offset, unsigned bytes, hv_cycles now);
void storage_write(struct storage *s, uint32_t offset, unsigned bytes, uint64_t value, hv_cycles now);

hv_cycles storage_next(const struct storage *s);
void storage_act(struct storage *s, hv_cycles now);
void storage_page_response(struct storage *s, const struct dev_page_response *r, hv_cycles now);

#endif
