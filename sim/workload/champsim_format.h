/* SPDX-License-Identifier: MIT */
/* The places of a ChampSim record's fields, and what its reader and writer must agree on; see champsim.h. */
#ifndef HV_WORKLOAD_CHAMPSIM_FORMAT_H
#define HV_WORKLOAD_CHAMPSIM_FORMAT_H

#include "base/types.h"

enum {
    CHAMPSIM_AT_IP = 0,
    CHAMPSIM_AT_BRANCH = 8,
    CHAMPSIM_AT_TAKEN = 9,
    CHAMPSIM_AT_REGISTERS_OUT = 10,
    CHAMPSIM_AT_REGISTERS_IN = 12,
    CHAMPSIM_AT_STORES = 16,
    CHAMPSIM_AT_LOADS = 32,
};

enum { CHAMPSIM_REGISTERS_OUT = 2, CHAMPSIM_REGISTERS_IN = 4 };

/* The numbers that ChampSim gives to registers which it knows; all others are just numbers. */
enum { CHAMPSIM_STACK_POINTER = 6, CHAMPSIM_FLAGS = 25, CHAMPSIM_INSTRUCTION_POINTER = 26 };

/* The bytes of an access at an address: MODEL in champsim.h. */
static inline uint8_t champsim_bytes(enum hv_access_kind kind, uint64_t address)
{
    uint64_t room = 64 - address % 64, bytes = kind == HV_FETCH ? 4 : 8;
    return (uint8_t)(bytes < room ? bytes : room);
}

#endif
