/* SPDX-License-Identifier: MIT */
/* What a stream of records comes to: how many of which kind, on which pages, in which processes. */
#ifndef HV_WORKLOAD_TRACE_TALLY_H
#define HV_WORKLOAD_TRACE_TALLY_H

#include "base/event.h"
#include "workload/page_set.h"

struct trace_tally {
    uint64_t records, instructions;
    uint64_t kinds[HV_ELEMENT_KINDS]; /* records of each */
    uint64_t events[HV_EVENTS];       /* of each number */
    bool several;                     /* a process other than number 0 */
    uint8_t vcpu;                     /* the virtual processor that runs */
    bool vcpu_ran[HV_EVENT_NUMBER_MAX + 1];
    struct page_set pages;
    uint64_t last_page[HV_ACCESS_KINDS]; /* most accesses are to the page of the one before: no look-up for them */
    uint8_t last_asid[HV_ACCESS_KINDS];  /* in whose memory that page is */
};

/* False when memory runs out. */
bool trace_tally_init(struct trace_tally *t);
void trace_tally_fini(struct trace_tally *t);

/* Adds an access or a valid event. False when memory runs out. */
bool trace_tally_add(struct trace_tally *t, const struct hv_access *record);

/* Virtual processors that made accesses. */
uint64_t trace_tally_vcpus(const struct trace_tally *t);

#endif
