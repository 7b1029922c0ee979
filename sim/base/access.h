/* SPDX-License-Identifier: MIT */
/*
 * One element of an instruction stream: what a workload or a trace hands to a core.
 *
 * `gap` counts the instructions that ran since the previous element and touched no memory that the stream
 * records; the instruction that makes this access is counted apart (a load or store belongs to the fetch
 * before it when the stream records fetches, see HV_ACCESS_SAME_INSTRUCTION).
 */
#ifndef HV_BASE_ACCESS_H
#define HV_BASE_ACCESS_H

#include "base/types.h"

enum {
    /* The address comes from the data of the previous load (pointer chase): no overlap with it. */
    HV_ACCESS_DEPENDENT = 1u << 0,
    /* Made by the same instruction as the element before it, so it starts no new instruction. */
    HV_ACCESS_SAME_INSTRUCTION = 1u << 1,
};

struct hv_access {
    hv_gva gva;
    uint32_t gap;  /* instructions without a recorded access since the previous element */
    uint8_t kind;  /* enum hv_access_kind */
    uint8_t flags; /* HV_ACCESS_* */
    uint8_t bytes; /* 1..64; an access that crosses a cache line is its two halves, two elements */
    uint8_t asid;  /* which process of the workload, 0 when there is one */
};

_Static_assert(sizeof(struct hv_access) == 16, "four stream elements share a host cache line");

#endif
