/* SPDX-License-Identifier: MIT */
/*
 * Events: what happens between the accesses of a stream: changes to how the next ones translate, and instructions that
 * concern the hypervisor.
 *
 * An event is a stream element (struct hv_access) whose kind is HV_EVENT: `bytes` is its number, `gva` its argument,
 * `asid` the process whose memory a run lies in, `gap` the instructions since the previous element. An argument is
 *
 *     process   the number of the process, 0..255
 *     vcpu      the number of the virtual processor, 0..255
 *     run       2^n pages of 4 KiB: their first address, a multiple of their size, with n in its low 12 bits
 *     value     32 bits that mean what the event's row says
 */
#ifndef HV_BASE_EVENT_H
#define HV_BASE_EVENT_H

#include "base/access.h"

/* The kind of a stream element that is no access. */
enum { HV_EVENT = HV_ACCESS_KINDS, HV_ELEMENT_KINDS };

enum hv_event {
#define E(id, name, argument, help) HV_EVENT_##id,
#include "base/event.def"
#undef E
    HV_EVENTS
};

enum hv_event_argument { HV_EVENT_PROCESS_NUMBER, HV_EVENT_VCPU_NUMBER, HV_EVENT_RUN, HV_EVENT_VALUE };

struct hv_event_row {
    const char *name;
    enum hv_event_argument argument;
    const char *help;
};

extern const struct hv_event_row hv_event_rows[HV_EVENTS];

enum { HV_EVENT_NUMBER_MAX = 255 }; /* of a process or virtual processor: asid has 8 bits */
#define HV_EVENT_VALUE_MAX UINT32_MAX
enum { HV_EVENT_RUN_LOG2_MAX = 36 };  /* pages of 4 KiB: half of a 49-bit space, more than any workload has */

/* The argument of a run of 2^pages_log2 pages around (or at) an address. */
static inline uint64_t hv_event_run(uint64_t address, unsigned pages_log2)
{
    uint64_t bytes = HV_PAGE_BYTES << pages_log2;
    return (address & ~(bytes - 1)) | pages_log2;
}

static inline uint64_t hv_event_run_start(uint64_t argument)
{
    return argument & ~(uint64_t)(HV_PAGE_BYTES - 1);
}

static inline uint64_t hv_event_run_pages(uint64_t argument)
{
    return UINT64_C(1) << (argument & (HV_PAGE_BYTES - 1));
}

/* Whether an element that says it is an event is one: a known number and an argument of its form. */
bool hv_event_valid(const struct hv_access *element);

#endif
