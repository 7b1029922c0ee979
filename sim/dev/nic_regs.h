/* SPDX-License-Identifier: MIT */
/*
 * Layout of a function's register window and of a descriptor: what a driver has to know of the network card.
 *
 *     0000H  registers of the function            2000H  MSI-X table
 *     1000H  registers of queue 0, 1100H of 1...  3000H  MSI-X pending bits
 *
 * A descriptor is 16 bytes, in the manner of Intel's 82599 (datasheet, "Legacy Transmit Descriptor Format"):
 *
 *     0..7 address | 8..9 length | 10 command | 11 status | 12..15 of the driver's, kept
 *
 * The driver fills in the address, of a receive descriptor with status 0; of a transmit descriptor also the length
 * and the command. The device writes length and status of a receive descriptor, and the status of a transmit
 * descriptor whose command has NIC_REPORT. A ring whose tail equals its head is empty, so one descriptor stays free.
 */
#ifndef HV_DEV_NIC_REGS_H
#define HV_DEV_NIC_REGS_H

#include "base/types.h"

enum {
    NIC_WINDOW_BYTES = 0x4000,
    NIC_QUEUE_BASE = 0x1000,
    NIC_QUEUE_BYTES = 0x100,
    NIC_MSIX_TABLE = 0x2000,
    NIC_MSIX_PENDING = 0x3000,
    NIC_QUEUES_MAX = 8,
    NIC_RING_MAX = 65536,
    NIC_DESCRIPTOR_BYTES = 16,
};

/* Offsets: NIC_REG_CONTROL in the window, NIC_REG_RX_BASE in a queue's block. */
enum nic_offset {
#define R(offset, width, name, access, writable, text) NIC_REG_##name = offset,
#define Q R
#include "dev/nic_regs.def"
#undef R
#undef Q
};

/* The offset of a queue's register in the window. */
static inline uint32_t nic_queue_offset(unsigned queue, enum nic_offset offset)
{
    return NIC_QUEUE_BASE + queue * NIC_QUEUE_BYTES + (uint32_t)offset;
}

enum nic_control { NIC_ENABLE = 1 << 0, NIC_RESET = 1 << 1, NIC_AUTO_MASK = 1 << 2, NIC_TRANSMIT_EVENTS = 1 << 3 };
enum nic_status { NIC_LINK_UP = 1 << 0, NIC_QUEUE_STOPPED = 1 << 1 };
enum nic_command { NIC_REPORT = 1 << 0 };      /* of a descriptor, byte 10 */
enum nic_descriptor_status { NIC_DONE = 1 << 0, NIC_ERROR = 1 << 1 }; /* byte 11; error: cut to the buffer's size */

/*
 * Why a queue has stopped. The head is at the descriptor that could not be served; those before it are done. One that
 * stops for a descriptor it could not fetch, or for a bad ring, forgets what it has under way.
 */
enum nic_error {
    NIC_RUNNING = 0,
    NIC_BAD_RING = 1,          /* length 0 or more than 65536, or a tail beyond it */
    NIC_DESCRIPTOR_BLOCKED = 2, /* a descriptor could not be read */
    NIC_DATA_BLOCKED = 3,       /* a payload could not be read or written */
    NIC_WRITE_BACK_BLOCKED = 4, /* a descriptor could not be written */
};

struct nic_descriptor {
    uint64_t address;
    uint16_t length;
    uint8_t command, status;
    uint32_t driver;
};

_Static_assert(sizeof(struct nic_descriptor) == NIC_DESCRIPTOR_BYTES, "a descriptor is its bytes in memory");

#endif
