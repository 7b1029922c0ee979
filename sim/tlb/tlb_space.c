/* SPDX-License-Identifier: MIT */
#include "tlb/tlb_space.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/rng.h"

void tlb_spaces_init(struct tlb_spaces *s)
{
    s->items = calloc(TLB_SPACES, sizeof(*s->items));
    s->slots = calloc(TLB_SPACE_SLOTS, sizeof(*s->slots));
    s->named = calloc(TLB_SPACES, sizeof(*s->named));
    HV_ASSERT(s->items != NULL && s->slots != NULL && s->named != NULL, "out of memory");
    s->count = 1;
}

void tlb_spaces_fini(struct tlb_spaces *s)
{
    free(s->items);
    free(s->slots);
    free(s->named);
    memset(s, 0, sizeof(*s));
}

void tlb_spaces_reset(struct tlb_spaces *s)
{
    memset(s->slots, 0, TLB_SPACE_SLOTS * sizeof(*s->slots));
    s->count = 1;
}

static bool same_space(const struct tlb_space *a, const struct tlb_space *b)
{
    return a->ep4ta == b->ep4ta && a->vpid == b->vpid && a->pcid == b->pcid && a->mapping == b->mapping &&
           a->global == b->global;
}

tlb_space_id tlb_spaces_id(struct tlb_spaces *s, const struct tlb_space *space)
{
    uint64_t tags = (uint64_t)space->vpid << 32 | (uint64_t)space->pcid << 16 | (uint64_t)space->mapping << 1 |
                    space->global;
    uint64_t slot = rng_mix(rng_mix(tags) ^ space->ep4ta) % TLB_SPACE_SLOTS;
    for (; s->slots[slot] != 0; slot = (slot + 1) % TLB_SPACE_SLOTS) {
        if (same_space(&s->items[s->slots[slot]], space)) {
            return s->slots[slot];
        }
    }
    if (s->count == TLB_SPACES) {
        return 0;
    }
    s->items[s->count] = *space;
    s->slots[slot] = (tlb_space_id)s->count;
    return (tlb_space_id)s->count++;
}

static bool is_named(const struct tlb_space *space, const struct tlb_naming *n)
{
    if (space->mapping == TLB_GUEST_PHYSICAL) {
        return (n->by & TLB_KEEP_GUEST_PHYSICAL) == 0 && ((n->by & TLB_BY_EP4TA) == 0 || space->ep4ta == n->ep4ta);
    }
    if ((space->mapping == TLB_LINEAR && (n->by & TLB_KEEP_LINEAR) != 0) ||
        ((n->by & TLB_BY_VPID) != 0 && space->vpid != n->vpid) ||
        ((n->by & TLB_BUT_VPID_0) != 0 && space->vpid == 0) ||
        ((n->by & TLB_BY_EP4TA) != 0 && space->ep4ta != n->ep4ta)) {
        return false;
    }
    if (space->global) {
        return (n->by & TLB_KEEP_GLOBAL) == 0 && ((n->by & TLB_BY_PCID) == 0 || (n->by & TLB_GLOBAL_TOO) != 0);
    }
    return (n->by & TLB_BY_PCID) == 0 || space->pcid == n->pcid;
}

bool tlb_spaces_name(struct tlb_spaces *s, const struct tlb_naming *naming)
{
    bool any = false;
    for (uint32_t id = 1; id < s->count; id++) {
        s->named[id] = is_named(&s->items[id], naming);
        any |= s->named[id] != 0;
    }
    return any;
}
