/* SPDX-License-Identifier: MIT */
/*
 * An MSI-X table with its pending bits, and the moderation of its interrupts.
 *
 * PCI Local Bus Specification 3.0, 6.8.2: an entry is 16 bytes (address, upper address, data, vector control with the
 * mask in bit 0); the pending bit array has a bit a vector. A vector that is masked, or whose function is, leaves its
 * message pending; unmasking sends it. The message control register has the function mask in bit 14 and the enable
 * bit in bit 15.
 *
 * Moderation (Intel 82599 datasheet, "Interrupt Moderation", and ethtool's rx-usecs and rx-frames): the first event
 * after an interrupt starts a timer; the interrupt is sent when the timer runs out or enough events have gathered.
 * While the device's own enable bit of a vector is clear, or MSI-X is off, events gather and no time runs.
 */
#ifndef HV_DEV_MSIX_H
#define HV_DEV_MSIX_H

#include "dev/pcie.h"

enum { MSIX_VECTORS_MAX = 8, MSIX_ENTRY_BYTES = 16 };
enum { MSIX_CONTROL_MASK = 1 << 14, MSIX_CONTROL_ENABLE = 1 << 15 };

struct msix_vector {
    uint64_t address;
    uint32_t data;
    bool masked;          /* vector control, bit 0; set at reset */
    bool pending;
    bool enabled;         /* by the device's own register */
    uint32_t events;      /* since the last interrupt */
    uint32_t most_events; /* send at once when there are so many; 0: no matter how many */
    hv_cycles wait_cycles;
    hv_cycles due;        /* of the timer; DEV_NEVER: there is nothing to send */
};

struct msix {
    uint16_t source; /* whose messages these are */
    uint32_t count;
    uint16_t control;
    struct msix_vector vectors[MSIX_VECTORS_MAX];
};

/* Everything masked and nothing pending. */
void msix_reset(struct msix *m, uint16_t source, uint32_t count);

/* The table and the pending bits as memory, an access of 4 or 8 aligned bytes. Writes may send what is pending. */
uint64_t msix_table_read(const struct msix *m, uint32_t offset, unsigned bytes);
void msix_table_write(struct msix *m, struct pcie *link, uint32_t offset, unsigned bytes, uint64_t value,
                      hv_cycles now);
uint64_t msix_pending_bits(const struct msix *m);
void msix_control_write(struct msix *m, struct pcie *link, uint16_t value, hv_cycles now);

/* Something has happened for which a vector interrupts. msix_next() may be earlier then. */
void msix_event(struct msix *m, uint32_t vector, hv_cycles now);

/* The device's own enable bit. */
void msix_enable(struct msix *m, uint32_t vector, bool enabled, hv_cycles now);

/* Forgets the events of a vector that were not sent yet. */
void msix_clear_events(struct msix *m, uint32_t vector);

/* Sets the moderation of a vector, which counts for timers that start from now on. */
void msix_moderate(struct msix *m, uint32_t vector, hv_cycles wait_cycles, uint32_t most_events);

/* When the next moderated interrupt of any vector is due. */
hv_cycles msix_next(const struct msix *m);

/* Sends what is due. Returns the vectors of which an interrupt was sent or left pending, a bit each. */
uint32_t msix_act(struct msix *m, struct pcie *link, hv_cycles now);

#endif
