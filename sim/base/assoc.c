/* SPDX-License-Identifier: MIT */
#include "base/assoc.h"

#include <stdlib.h>
#include <string.h>

#include "base/bigmem.h"

const char *const assoc_policy_names[] = {"lru", "plru", "random", "srrip", NULL};

enum {
    HINTED_ENTRIES = 1024,  /* in a larger array comparing a set is cheaper than a hint that misses the host's cache */
    HINTED_WIDE = 8192,     /* ... unless the sets are wide */
    WIDE_WAYS = 16,
    HINTS_LEAST = 1024,     /* for a few kilobytes of the host's cache two tags rarely share a hint */
    HINTS_PER_ENTRY = 4,
    SRRIP_LONG = 2,         /* re-reference prediction of a new entry: "long" */
    SRRIP_DISTANT = 3,      /* 2-bit counter's maximum: the next victim */
    RANDOM_SEED = 0x5eed,
};

static uint64_t round_up(uint64_t n, uint64_t to)
{
    return (n + to - 1) / to * to;
}

static uint64_t round_up_power_of_two(uint64_t n)
{
    uint64_t power = 1;
    while (power < n) {
        power <<= 1;
    }
    return power;
}

static bool take_all(struct assoc *a, uint64_t entries, bool with_payload)
{
    a->tags = bigmem_take(assoc_slots(a), sizeof(*a->tags));
    a->state = bigmem_take(assoc_slots(a), sizeof(*a->state));
    a->payload = with_payload ? bigmem_take(assoc_slots(a), sizeof(*a->payload)) : NULL;
    bool small = entries <= HINTED_ENTRIES || (a->ways > WIDE_WAYS && entries <= HINTED_WIDE);
    bool hinted = small && assoc_slots(a) <= UINT16_MAX;
    if (hinted) {
        uint64_t hints = HINTS_PER_ENTRY * round_up_power_of_two(entries);
        a->hint_mask = (hints > HINTS_LEAST ? hints : HINTS_LEAST) - 1;
        a->hints = bigmem_take(a->hint_mask + 1, sizeof(*a->hints));
    }
    return a->tags != NULL && a->state != NULL && (a->payload != NULL || !with_payload) &&
           (a->hints != NULL || !hinted);
}

bool assoc_init(struct assoc *a, uint64_t entries, uint64_t ways, enum assoc_policy policy, bool with_payload,
                struct hv_err *err)
{
    HV_ASSERT(entries > 0, "an absent structure is not initialised");
    if (ways == 0 || ways > entries || entries % ways != 0) {
        return hv_fail(err, "%llu entries cannot be divided into sets of %llu ways; choose ways that divide entries",
                       (unsigned long long)entries, (unsigned long long)ways);
    }
    memset(a, 0, sizeof(*a));
    /* The tree of PLRU has a node per way, of a power of two of ways. */
    uint64_t needed = policy == ASSOC_PLRU ? round_up_power_of_two(ways) : ways;
    a->sets = (uint32_t)(entries / ways);
    a->ways = (uint32_t)ways;
    a->stride = (uint32_t)round_up(needed, ASSOC_COMPARE_WIDTH);
    a->policy = policy;
    a->modulo = (a->sets & (a->sets - 1)) != 0;
    a->set_mask = a->sets - 1;
    if (!take_all(a, entries, with_payload)) {
        assoc_fini(a);
        return hv_fail(err, "no memory for a structure of %llu entries", (unsigned long long)entries);
    }
    assoc_reset(a);
    return true;
}

void assoc_fini(struct assoc *a)
{
    free(a->tags);
    free(a->state);
    free(a->payload);
    free(a->hints);
    memset(a, 0, sizeof(*a));
}

void assoc_reset(struct assoc *a)
{
    memset(a->tags, 0, assoc_slots(a) * sizeof(*a->tags));
    memset(a->state, 0, assoc_slots(a) * sizeof(*a->state));
    for (size_t slot = 0; a->policy == ASSOC_LRU && slot < assoc_slots(a); slot++) {
        /* Ways that do not exist are never the oldest. */
        a->state[slot] = slot % a->stride < a->ways ? 0 : UINT32_MAX;
    }
    a->clock = 0;
    rng_init(&a->rng, RANDOM_SEED);
}

/* Points every node on the way's path away from it. Node 1 is the root; a node holds which half is older. */
static void plru_touch(const struct assoc *a, uint32_t *nodes, unsigned way)
{
    uint64_t leaves = round_up_power_of_two(a->ways);
    for (uint64_t node = leaves + way; node > 1; node >>= 1) {
        nodes[node >> 1] = (node & 1) == 0; /* a touch on the left half makes the right one older */
    }
}

static unsigned plru_victim(const struct assoc *a, const uint32_t *nodes)
{
    uint64_t leaves = round_up_power_of_two(a->ways);
    uint64_t node = 1, first = 0, span = leaves;
    while (node < leaves) {
        span >>= 1;
        bool right = nodes[node] != 0 && first + span < a->ways; /* steer away from ways that do not exist */
        node = node * 2 + right;
        first += right ? span : 0;
    }
    return (unsigned)(node - leaves);
}

static unsigned srrip_victim(const struct assoc *a, uint32_t *counters)
{
    for (;;) {
        for (unsigned way = 0; way < a->ways; way++) {
            if (counters[way] >= SRRIP_DISTANT) {
                return way;
            }
        }
        for (unsigned way = 0; way < a->ways; way++) {
            counters[way]++;
        }
    }
}

/* Renumbers a set's stamps by their rank, 1 the oldest; empty ways keep 0. */
static void renumber_set(const struct assoc *a, uint32_t *stamps, uint32_t *ranks)
{
    for (unsigned way = 0; way < a->ways; way++) {
        ranks[way] = stamps[way] != 0;
        for (unsigned other = 0; other < a->ways; other++) {
            ranks[way] += stamps[way] != 0 && stamps[other] != 0 && stamps[other] < stamps[way];
        }
    }
    memcpy(stamps, ranks, a->ways * sizeof(*stamps));
}

/* The clock has wrapped: once in 2^32 touches every set is renumbered, which keeps the order. */
static void renumber(struct assoc *a)
{
    uint32_t *ranks = calloc(a->ways, sizeof(*ranks));
    HV_ASSERT(ranks != NULL, "out of memory");
    for (uint32_t set = 0; set < a->sets; set++) {
        renumber_set(a, a->state + (size_t)set * a->stride, ranks);
    }
    free(ranks);
    a->clock = a->ways + 1;
}

void assoc_touch_other(struct assoc *a, size_t slot)
{
    unsigned way = (unsigned)(slot % a->stride);
    uint32_t *state = a->state + (slot - way);
    switch ((enum assoc_policy)a->policy) {
    case ASSOC_LRU:
        renumber(a);
        state[way] = a->clock;
        break;
    case ASSOC_PLRU:
        plru_touch(a, state, way);
        break;
    case ASSOC_RANDOM:
        break;
    case ASSOC_SRRIP:
        state[way] = 0; /* hit priority: a hit predicts near-immediate reuse */
        break;
    }
}

size_t assoc_victim_other(struct assoc *a, size_t set)
{
    uint32_t *state = a->state + set;
    for (unsigned way = 0; way < a->ways; way++) {
        if (a->tags[set + way] == 0) {
            return set + way;
        }
    }
    switch ((enum assoc_policy)a->policy) {
    case ASSOC_PLRU:
        return set + plru_victim(a, state);
    case ASSOC_SRRIP:
        return set + srrip_victim(a, state);
    case ASSOC_RANDOM:
    case ASSOC_LRU:
        break;
    }
    return set + rng_below(&a->rng, a->ways);
}

void assoc_inserted_other(struct assoc *a, size_t slot)
{
    if (a->policy == ASSOC_SRRIP) {
        a->state[slot] = SRRIP_LONG;
    } else {
        assoc_touch_other(a, slot);
    }
}
