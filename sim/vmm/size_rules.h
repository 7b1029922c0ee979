/* SPDX-License-Identifier: MIT */
/*
 * By pages of which size a process's memory is mapped from some event on: runs of addresses, of which the last that
 * covers an address decides.
 */
#ifndef HV_VMM_SIZE_RULES_H
#define HV_VMM_SIZE_RULES_H

#include "base/types.h"

struct size_rule {
    uint64_t first, last; /* addresses, both included: a run may end where the address space does */
    enum hv_page_size size;
};

/* In ascending order, not overlapping: a new rule cuts the older ones. */
struct size_rules {
    struct size_rule *items;
    size_t count, capacity;
};

void size_rules_set(struct size_rules *rules, const struct size_rule *rule);

/*
 * The rule for an address: true, and the part of it that still holds around the address. False: there is none, and
 * *found says from where to where.
 */
bool size_rules_find(const struct size_rules *rules, uint64_t address, struct size_rule *found);

void size_rules_fini(struct size_rules *rules);

#endif
