/* SPDX-License-Identifier: MIT */
/* What a driver has to know of the storage device: its register window, commands and completions. */
#ifndef HV_DEV_STORAGE_REGS_H
#define HV_DEV_STORAGE_REGS_H

#include "base/types.h"

enum {
    STORAGE_WINDOW_BYTES = 0x4000,
    STORAGE_MSIX_TABLE = 0x2000,
    STORAGE_MSIX_PENDING = 0x3000,
    STORAGE_COMMAND_BYTES = 64,
    STORAGE_COMPLETION_BYTES = 16,
    STORAGE_BLOCK_BYTES = 512,
    STORAGE_TRANSFER_MAX = 128 * 1024, /* bytes of one command (NVMe: MDTS) */
    STORAGE_QUEUE_MAX = 65536,
};

enum storage_offset {
#define R(offset, width, name, access, writable, text) STORAGE_REG_##name = offset,
#include "dev/storage_regs.def"
#undef R
};

enum storage_opcode { STORAGE_WRITE = 0x01, STORAGE_READ = 0x02 };

/* NVMe status codes, as in bits 15:1 of a completion's last word. */
enum storage_status {
    STORAGE_SUCCESS = 0,
    STORAGE_BAD_OPCODE = 1,
    STORAGE_BAD_FIELD = 2,      /* more than STORAGE_TRANSFER_MAX */
    STORAGE_DATA_BLOCKED = 4,   /* data transfer error */
};

/* Why the device has stopped. */
enum storage_error {
    STORAGE_RUNNING = 0,
    STORAGE_BAD_QUEUE = 1,          /* a length out of range, or a doorbell beyond it */
    STORAGE_COMMAND_BLOCKED = 2,    /* a command could not be read */
    STORAGE_COMPLETION_BLOCKED = 3, /* a completion could not be written */
};

struct storage_queue {
    uint64_t base;
    uint32_t length, head, tail;
};

/* A command and a completion as they lie in memory. */
struct storage_submission {
    uint8_t opcode, flags;
    uint16_t identifier;
    uint32_t reserved[5];
    uint64_t address;
    uint64_t reserved2;
    uint64_t first_block;
    uint16_t last_block; /* number of blocks - 1 */
    uint16_t reserved3[7];
};

struct storage_completion {
    uint32_t result[2];
    uint16_t head, queue;
    uint16_t identifier;
    uint16_t status; /* status << 1 | phase */
};

_Static_assert(sizeof(struct storage_submission) == STORAGE_COMMAND_BYTES, "a command is its bytes in memory");
_Static_assert(sizeof(struct storage_completion) == STORAGE_COMPLETION_BYTES, "a completion is its bytes in memory");

#endif
