/* SPDX-License-Identifier: MIT */
/*
 * A set-associative array of tags with a replacement policy: the container under every cache of the machine.
 *
 * Any number of sets and ways is legal, not only powers of two; one set is fully associative. It knows nothing
 * of what it holds: a tag is a nonzero 64-bit word, some bits of which may be the owner's flags, and a payload word
 * per way is optional. All words of a set lie together, tags first, so that one probe touches as
 * few host cache lines as it can.
 *
 * Replacement: `lru` is exact (a stamp per way); `plru` is the tree of Intel's caches (for a number of ways that
 * is no power of two the tree is rounded up and steers away from the ways that do not exist); `srrip` is Jaleel
 * et al., ISCA 2010, 2 bits, hit priority; `random` is seeded. An empty way is always taken first.
 */
#ifndef HV_BASE_ASSOC_H
#define HV_BASE_ASSOC_H

#ifdef __AVX2__
#include <immintrin.h>
#endif

#include "base/err.h"
#include "base/rng.h"
#include "base/types.h"

enum assoc_policy { ASSOC_LRU, ASSOC_PLRU, ASSOC_RANDOM, ASSOC_SRRIP };

extern const char *const assoc_policy_names[]; /* NULL-terminated, in the order of the enum */

enum { ASSOC_NO_WAY = -1 };

struct assoc {
    uint64_t *words;    /* sets * set_words */
    uint64_t set_mask;  /* sets - 1 when sets is a power of two, else 0 */
    uint64_t clock;     /* of the LRU stamps */
    uint32_t sets;
    uint32_t ways;
    uint32_t stride;    /* ways rounded up to the width of a tag comparison */
    uint32_t set_words; /* of one set: tags, policy state, payload */
    uint32_t policy;
    struct hv_rng rng;
};

/*
 * Takes the memory. entries = sets * ways must hold; `full` has become a number by now. with_payload adds one
 * word per way. False (with a sentence) when the geometry is impossible or memory is short.
 */
bool assoc_init(struct assoc *a, uint64_t entries, uint64_t ways, enum assoc_policy policy, bool with_payload,
                struct hv_err *err);
void assoc_fini(struct assoc *a);

/* Empties every way and forgets the recency. */
void assoc_reset(struct assoc *a);

/* The words of the set that an index (a page or line number) selects. */
static inline uint64_t *assoc_set(const struct assoc *a, uint64_t index)
{
    uint64_t set = a->set_mask != 0 || a->sets == 1 ? index & a->set_mask : index % a->sets;
    return a->words + set * a->set_words;
}

static inline uint64_t *assoc_payload(const struct assoc *a, uint64_t *set)
{
    return set + 2 * (size_t)a->stride;
}

/*
 * The way of a set whose tag equals `tag`, the bits of `flags` not compared; ASSOC_NO_WAY when none does.
 * `flags` is a constant at every call, so it costs nothing where it is 0.
 */
static inline int assoc_find(const struct assoc *a, const uint64_t *set, uint64_t tag, uint64_t flags)
{
#ifdef __AVX2__
    const __m256i wanted = _mm256_set1_epi64x((long long)(tag | flags));
    const __m256i ignored = _mm256_set1_epi64x((long long)flags);
    for (uint32_t way = 0; way < a->stride; way += 4) {
        __m256i tags = _mm256_load_si256((const __m256i *)(const void *)(set + way));
        __m256i equal = _mm256_cmpeq_epi64(_mm256_or_si256(tags, ignored), wanted);
        unsigned mask = (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(equal));
        if (mask != 0) {
            return (int)(way + (unsigned)__builtin_ctz(mask));
        }
    }
#else
    for (uint32_t way = 0; way < a->ways; way++) {
        if ((set[way] | flags) == (tag | flags)) {
            return (int)way;
        }
    }
#endif
    return ASSOC_NO_WAY;
}

/* For policies other than LRU. */
void assoc_touch_other(struct assoc *a, uint64_t *set, unsigned way);

/* A hit on a way. */
static inline void assoc_touch(struct assoc *a, uint64_t *set, unsigned way)
{
    if (__builtin_expect(a->policy == ASSOC_LRU, 1)) {
        set[a->stride + way] = ++a->clock;
    } else {
        assoc_touch_other(a, set, way);
    }
}

/* The way that a new tag of this set would take: an empty one, else the policy's victim. */
unsigned assoc_victim(struct assoc *a, uint64_t *set);

/* Puts a tag into a way; the policy sees an insertion. */
void assoc_place(struct assoc *a, uint64_t *set, unsigned way, uint64_t tag);

/* Empties a way (an invalidation). */
void assoc_drop(const struct assoc *a, uint64_t *set, unsigned way);

#endif
