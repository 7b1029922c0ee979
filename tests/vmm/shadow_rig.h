/* SPDX-License-Identifier: MIT */
/*
 * A virtual machine under a hypervisor with shadow tables, without processors: what a walk of the bytes gives, from
 * the registers on, and what the guest does, with the flushes that it owes its processors.
 */
#ifndef HV_TESTS_VMM_SHADOW_RIG_H
#define HV_TESTS_VMM_SHADOW_RIG_H

#include "vm_rig.h"

/* What each VM exit costs: primes, and different from those of vm_rig.h. */
enum {
    RIG_WRITE = 3001, RIG_FAULT = 2411, RIG_REFLECT = 1511, RIG_INVLPG = 1523, RIG_CR3 = 1531, RIG_RESYNC = 1049,
    RIG_SWITCH = 503, RIG_SCAN = 2017,
};

/* rig_config() with these costs. */
struct vm_config shadow_config(enum paging_mode mode, enum paging_format format);

/* The values of vmm.agile.nested_levels. */
enum { NESTED_AUTO, NESTED_0, NESTED_1, NESTED_2, NESTED_3, NESTED_4, NESTED_5, NESTED_FULL };

/* What the processor's walk would find. */
struct shadow_page {
    bool mapped, writable;
    uint64_t hpa;
    unsigned refs; /* page-table entries that the walk reads */
    uint64_t gpa;  /* not mapped: the host has nothing there, after such a walk; else 0 */
};

struct shadow_page shadow_walk(struct vm_rig *r, uint32_t process, uint64_t gva);

/* The cycles of an access, in the guest and in VM exits. */
struct shadow_cost {
    hv_cycles guest, exits;
};

/* Makes an access as rig_touch() does; afterwards it must translate to what guest and host tables give together. */
struct shadow_cost shadow_touch(struct vm_rig *r, uint32_t process, uint64_t gva, bool store);

/* An event, and the guest's invalidations after it. */
struct shadow_cost shadow_event(struct vm_rig *r, uint32_t process, enum hv_event event, uint64_t address,
                                unsigned pages_log2);

/*
 * Each page of the regions that the processor can reach lies where guest and host have it, with no more rights; and
 * the walk engine finds the same as shadow_walk(), by as many references.
 */
void shadow_check(struct vm_rig *r, const struct vm_region *regions, size_t count);

#endif
