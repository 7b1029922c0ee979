/* SPDX-License-Identifier: MIT */
#include "base/assoc.h"

#include <stdlib.h>
#include <string.h>

const char *const assoc_policy_names[] = {"lru", "plru", "random", "srrip", NULL};

enum {
    COMPARE_WIDTH = 4,      /* tags per vector comparison */
    HOST_LINE_BYTES = 64,
    SRRIP_LONG = 2,         /* re-reference prediction of a new entry: "long" */
    SRRIP_DISTANT = 3,      /* 2-bit counter's maximum: the next victim */
    RANDOM_SEED = 0x5eed,
};

static uint64_t round_up_power_of_two(uint64_t n)
{
    uint64_t power = 1;
    while (power < n) {
        power <<= 1;
    }
    return power;
}

/* Words of policy state per set: a stamp or counter per way, or a node per inner node of the tree (one a word). */
static uint64_t policy_words(uint64_t stride, uint64_t ways)
{
    uint64_t nodes = round_up_power_of_two(ways);
    return nodes > stride ? nodes : stride;
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
    /* A tree wider than its stride would overlap the payload, so the stride covers the tree. */
    uint64_t stride = (ways + COMPARE_WIDTH - 1) / COMPARE_WIDTH * COMPARE_WIDTH;
    if (policy == ASSOC_PLRU) {
        stride = policy_words(stride, ways);
    }
    a->sets = (uint32_t)(entries / ways);
    a->ways = (uint32_t)ways;
    a->stride = (uint32_t)stride;
    a->set_words = (uint32_t)(stride * (with_payload ? 3 : 2));
    a->policy = policy;
    a->set_mask = (a->sets & (a->sets - 1)) == 0 ? a->sets - 1 : 0;
    size_t bytes = (size_t)a->sets * a->set_words * sizeof(uint64_t);
    bytes = (bytes + HOST_LINE_BYTES - 1) / HOST_LINE_BYTES * HOST_LINE_BYTES;
    a->words = aligned_alloc(HOST_LINE_BYTES, bytes);
    if (a->words == NULL) {
        return hv_fail(err, "no memory for a structure of %llu entries", (unsigned long long)entries);
    }
    assoc_reset(a);
    return true;
}

void assoc_fini(struct assoc *a)
{
    free(a->words);
    a->words = NULL;
}

void assoc_reset(struct assoc *a)
{
    memset(a->words, 0, (size_t)a->sets * a->set_words * sizeof(uint64_t));
    a->clock = 0;
    rng_init(&a->rng, RANDOM_SEED);
}

/* Points every node on the way's path away from it. Node 1 is the root; a node holds which half is older. */
static void plru_touch(struct assoc *a, uint64_t *nodes, unsigned way)
{
    uint64_t leaves = round_up_power_of_two(a->ways);
    for (uint64_t node = leaves + way; node > 1; node >>= 1) {
        nodes[node >> 1] = (node & 1) == 0; /* a touch on the left half makes the right one older */
    }
}

static unsigned plru_victim(const struct assoc *a, const uint64_t *nodes)
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

static unsigned srrip_victim(const struct assoc *a, uint64_t *counters)
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

static unsigned lru_victim(const struct assoc *a, const uint64_t *stamps)
{
    unsigned oldest = 0;
    uint64_t stamp = stamps[0];
    for (unsigned way = 1; way < a->ways; way++) {
        bool older = stamps[way] < stamp;
        oldest = older ? way : oldest;
        stamp = older ? stamps[way] : stamp;
    }
    return oldest;
}

void assoc_touch_other(struct assoc *a, uint64_t *set, unsigned way)
{
    uint64_t *state = set + a->stride;
    switch ((enum assoc_policy)a->policy) {
    case ASSOC_LRU:
        break; /* done inline */
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

unsigned assoc_victim(struct assoc *a, uint64_t *set)
{
    uint64_t *state = set + a->stride;
    if (a->policy == ASSOC_LRU) {
        return lru_victim(a, state); /* an empty way's stamp is 0, older than any */
    }
    for (unsigned way = 0; way < a->ways; way++) {
        if (set[way] == 0) {
            return way;
        }
    }
    switch ((enum assoc_policy)a->policy) {
    case ASSOC_PLRU:
        return plru_victim(a, state);
    case ASSOC_SRRIP:
        return srrip_victim(a, state);
    case ASSOC_RANDOM:
    case ASSOC_LRU:
        break;
    }
    return (unsigned)rng_below(&a->rng, a->ways);
}

void assoc_place(struct assoc *a, uint64_t *set, unsigned way, uint64_t tag)
{
    HV_ASSERT(tag != 0 && way < a->ways, "tag %#llx into way %u of %u", (unsigned long long)tag, way, a->ways);
    set[way] = tag;
    if (a->policy == ASSOC_SRRIP) {
        set[a->stride + way] = SRRIP_LONG;
    } else {
        assoc_touch(a, set, way);
    }
}

void assoc_drop(const struct assoc *a, uint64_t *set, unsigned way)
{
    set[way] = 0;
    if (a->policy == ASSOC_LRU) {
        set[a->stride + way] = 0;
    }
}
