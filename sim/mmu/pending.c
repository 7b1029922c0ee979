/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/rng.h"
#include "mmu/mmu.h"

/* Where the table keeps the walk of a page. */
static struct pending_walk *place_of(struct pending *p, uint64_t key)
{
    return &p->walk[rng_mix(key) % PENDING_WALKS];
}

static uint64_t key_of(hv_gva gva, enum hv_page_size size, tlb_space_id space)
{
    return tlb_key(tlb_page_number(gva.v, hv_page_shift(size)), size, space);
}

void mmu_pending_note(struct mmu *m, const struct mmu_walk_reply *walked)
{
    if (m->serial) {
        return; /* each walk is over before the next access */
    }
    struct pending *p = &m->pending;
    const struct walk *w = &walked->walk;
    bool global = (w->result & TLB_GLOBAL) != 0 && m->env.view.global != 0;
    hv_cycles begin = walked->done - walked->guest_cycles - walked->host_cycles;
    hv_cycles asked = begin - walked->queue_cycles;
    uint64_t key = key_of(w->gva, (enum hv_page_size)w->size, global ? m->env.view.global : m->env.view.space);
    struct pending_walk *walk = place_of(p, key);
    if (!m->merge_walks && walk->key == key && walk->done > asked && walk->done < walked->done) {
        return; /* another walk for the page brings the translation earlier */
    }
    *walk = (struct pending_walk){key, w->result, asked, begin, walked->done, w->access};
    p->sizes |= 1u << w->size;
    p->last_done = walked->done > p->last_done ? walked->done : p->last_done;
    hv_cycles *until = pending_page_until(p, w->gva);
    *until = walked->done > *until ? walked->done : *until;
}

void mmu_pending_forget(struct mmu *m)
{
    if (m->pending.last_done != 0) {
        memset(&m->pending, 0, sizeof(m->pending));
    }
}

/* The walk for an address that has not ended at `now`, or NULL; and the size of its page. */
static struct pending_walk *find(struct mmu *m, hv_gva gva, hv_cycles now, enum hv_page_size *size)
{
    const tlb_space_id spaces[] = {m->env.view.space, m->env.view.global};
    for (unsigned s = 0; s < HV_PAGE_SIZES; s++) {
        for (unsigned i = 0; (m->pending.sizes >> s & 1) != 0 && i < HV_ARRAY_LEN(spaces); i++) {
            uint64_t key = key_of(gva, (enum hv_page_size)s, spaces[i]);
            struct pending_walk *walk = place_of(&m->pending, key);
            if (spaces[i] != 0 && walk->key == key && walk->done > now) {
                *size = (enum hv_page_size)s;
                return walk;
            }
        }
    }
    return NULL;
}

/* The walk is asked for later than `now`, by an access simulated earlier: it is made now, as long as it was then. */
static void bring_forward(struct mmu *m, struct pending_walk *walk, hv_cycles now)
{
    uint32_t which;
    hv_cycles cycles = walk->done - walk->begin, begin = walkers_begin(&m->walkers, now, &which);
    if (begin + cycles < walk->done) {
        walk->begin = begin;
        walk->done = begin + cycles;
    }
    walk->asked = now;
}

bool mmu_walks_again(struct mmu *m, hv_gva gva, hv_cycles now)
{
    enum hv_page_size size;
    const struct pending_walk *walk = m->merge_walks ? NULL : find(m, gva, now, &size);
    return walk != NULL && walk->asked <= now;
}

hv_cycles mmu_pending_wait(struct mmu *m, hv_gva gva, hv_cycles now)
{
    enum hv_page_size size;
    struct pending_walk *walk = find(m, gva, now, &size);
    if (walk == NULL) {
        return now;
    }
    if (walk->asked > now) {
        bring_forward(m, walk, now);
        return walk->done;
    }
    if (!m->merge_walks) {
        struct mmu_walk_reply again;
        mmu_walk(m, gva, (enum hv_access_kind)walk->access, now, &again);
        return again.done;
    }
    m->stats.walks_merged++;
    return walk->done;
}

uint64_t mmu_join_in_time(struct mmu *m, hv_gva gva, enum hv_access_kind access, hv_cycles now,
                          struct mmu_reply *reply, enum hv_page_size *size)
{
    const struct tlb_needs *needs = &m->env.needs[access];
    hv_cycles missed = now + reply->tlb_cycles;
    const struct pending_walk *walk = m->merge_walks ? find(m, gva, missed, size) : NULL;
    if (walk == NULL || walk->asked > missed || (walk->payload & needs->mask) != needs->want) {
        return 0;
    }
    m->stats.walks_merged++;
    reply->tlb_cycles += walk->done - missed;
    return walk->payload;
}

bool mmu_join_walk(struct mmu *m, hv_gva gva, enum hv_access_kind access, hv_cycles now, struct mmu_reply *reply)
{
    enum hv_page_size size;
    uint64_t payload = mmu_join_in_time(m, gva, access, now, reply, &size);
    if (payload == 0) {
        return false;
    }
    reply->hpa = tlb_entry_address(payload, gva.v, hv_page_shift(size));
    tlb_levels_fill(&m->tlb, TLB_LEVEL_L2, gva.v, m->env.view, size, payload);
    tlb_levels_fill(&m->tlb, mmu_first_level(access), gva.v, m->env.view, size, payload);
    if (m->check_stale) {
        stale_check_page(m, gva, access, payload, size, now);
    }
    return true;
}
