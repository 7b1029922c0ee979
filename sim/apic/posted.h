/* SPDX-License-Identifier: MIT */
/*
 * Posted-interrupt descriptors: 64 bytes of memory in which devices (through the IOMMU) and other processors leave
 * interrupts for a virtual processor.
 *
 * SDM Vol. 3C "Posted-Interrupt Processing" (30.6; 29.6 in editions before 2022), the fields of software by "IPI
 * Virtualization" (30.1.6) and by VT-d "Posted Interrupt Descriptor" (9.11):
 *
 *     255:0 PIR | 256 ON | 257 SN | 279:272 NV | 319:288 NDST
 *
 * MODEL: a post is one step of the simulation, which is as good as the locked accesses of silicon. Its memory accesses
 * take no time here; whoever posts charges it.
 */
#ifndef HV_APIC_POSTED_H
#define HV_APIC_POSTED_H

#include "apic/vector_set.h"
#include "mem/physmem.h"

enum { POSTED_BYTES = 64 };

/* Of the word at byte 32. */
#define POSTED_ON (UINT64_C(1) << 0)
#define POSTED_SN (UINT64_C(1) << 1)

/* The notification that a post asks for. */
struct posted_notification {
    bool send;
    uint8_t vector; /* NV */
    uint32_t ndst;  /* as the descriptor has it: apic_send_notification() knows its two formats */
};

enum posted_urgency { POSTED_NORMAL, POSTED_URGENT };

/*
 * Posts a vector in the descriptor at an address: sets its bit of the PIR; and unless a notification is outstanding or
 * suppressed, sets ON and asks for one. An urgent post of VT-d is not suppressed (VT-d 5.2.3).
 */
struct posted_notification posted_post(struct physmem *memory, hv_hpa descriptor, uint8_t vector,
                                       enum posted_urgency urgency);

/* Takes what was posted: clears ON, then PIR, and returns what the PIR held. */
struct vector_set posted_take(struct physmem *memory, hv_hpa descriptor);

#endif
