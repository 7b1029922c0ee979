/* SPDX-License-Identifier: MIT */
/* The references of the out-of-order model (core_window.h) that are not simply hits, and the MSHRs that they take. */
#include "cpu/core_window_access.h"

/* An MSHR that is taken is a worse candidate than any that is free. */
#define MSHR_BUSY (UINT64_C(1) << 55)

/*
 * The MSHR for a miss at `at`: of those free by then the one that became so last, so that a chain of dependent misses
 * keeps to one and leaves the others to misses that begin before; else the first to become free. The least candidate
 * wins, its place being in its low bits; which one that is nobody could predict, so there is no branch.
 */
#ifdef __AVX512F__
static uint64_t *mshr_for(struct core_window *w, uint64_t at)
{
    const __m512i wanted = _mm512_set1_epi64((long long)at), busy = _mm512_set1_epi64((long long)MSHR_BUSY);
    __m512i place = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0), best = _mm512_set1_epi64(-1);
    for (uint32_t i = 0; i < w->mshrs; i += MSHRS_AT_ONCE) {
        __m512i free = _mm512_loadu_si512(&w->mshr_free[i]);
        __m512i candidate = _mm512_sub_epi64(wanted, free);
        __mmask8 taken = _mm512_cmpgt_epu64_mask(free, wanted);
        candidate = _mm512_mask_sub_epi64(candidate, taken, _mm512_add_epi64(free, busy), wanted);
        candidate = _mm512_or_si512(_mm512_slli_epi64(candidate, 8), place);
        best = _mm512_min_epu64(best, candidate);
        place = _mm512_add_epi64(place, _mm512_set1_epi64(MSHRS_AT_ONCE));
    }
    return &w->mshr_free[_mm512_reduce_min_epu64(best) & UINT8_MAX];
}
#else
static uint64_t *mshr_for(struct core_window *w, uint64_t at)
{
    uint64_t best = UINT64_MAX;
    for (uint32_t i = 0; i < w->mshrs; i++) {
        uint64_t free = w->mshr_free[i];
        uint64_t candidate = choose(free > at, MSHR_BUSY + (free - at), at - free) << 8 | i;
        best = candidate < best ? candidate : best;
    }
    return &w->mshr_free[best & UINT8_MAX];
}
#endif

/* Where the first-level data cache holds the line of an access just made; 0 when there is no such cache. */
static size_t place_of(const struct core *c, hv_hpa hpa)
{
    if (!cache_present(&c->path->l1d)) {
        return 0;
    }
    ptrdiff_t place = cache_find(&c->path->l1d, cache_line(hpa));
    HV_ASSERT(place != ASSOC_NONE, "an access fills the first-level cache");
    return (size_t)place;
}

/* Tells who watches of a reference that began at `now`. */
static void note_miss(struct core *c, const struct mem_reply *reply, hv_cycles now)
{
    if (c->activity != NULL && reply->level != MEM_L1) {
        activity_add(c->activity, ACTIVITY_MISS, now, reply->done - now, mem_level_names[reply->level]);
    }
}

/*
 * The reference of a load or store in general, at `at`; returns when it is over. A first-level hit takes no time of
 * its own, so it may be looked up when a miss would begin: when there is an MSHR for it.
 */
__attribute__((noinline)) uint64_t core_window_access_data(struct core *c, const struct hv_access *a, hv_hpa hpa,
                                                           uint64_t at)
{
    struct core_window *w = &c->window;
    uint64_t *mshr = mshr_for(w, at);
    uint64_t start = later(at, *mshr);
    hv_cycles now = core_cycle_of(c, start);
    struct mem_reply reply = core_refer(c, a, hpa, now);
    size_t place = place_of(c, hpa);
    if (reply.level == MEM_L1) { /* it has waited for a port at most */
        return line_there(c, place, at + (reply.done - now - c->path->l1d.latency_cycles) * c->width);
    }
    uint64_t done = start + (reply.done - now) * c->width;
    note_miss(c, &reply, now);
    c->stats.mshr_full_cycles += now - core_cycle_of(c, at);
    c->stats.mshr_cycles += reply.done - now;
    *mshr = w->line_there[place] = done;
    return done;
}

/* The reference of a fetch; returns when it is there. */
__attribute__((noinline)) uint64_t core_window_fetch(struct core *c, const struct hv_access *a, hv_hpa hpa, uint64_t at)
{
    hv_cycles now = core_cycle_of(c, at);
    struct mem_reply reply = core_refer(c, a, hpa, now);
    note_miss(c, &reply, now);
    hv_cycles hidden = reply.level == MEM_L1 ? c->path->l1i.latency_cycles : 0;
    return at + (reply.done - now - hidden) * c->width;
}
