/* SPDX-License-Identifier: MIT */
/*
 * A set-associative array of tags with a replacement policy: the container under every cache of the machine.
 *
 * Any number of sets and ways is legal, not only powers of two; one set is fully associative. It knows nothing
 * of what it holds: a tag is a nonzero 64-bit word, some bits of which may be the owner's flags, and a payload word
 * per way is optional. A place is named by its slot: set * stride + way.
 *
 * Replacement: `lru` is exact (a 32-bit stamp per way, renumbered when the clock wraps); `plru` is the tree of Intel's caches (for a number of ways that
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

enum {
    ASSOC_NONE = -1,
    ASSOC_COMPARE_WIDTH = 8, /* tags compared at a time: a set's tags are padded to a multiple */
};

struct assoc {
    uint64_t *tags;     /* by slot; 0: empty */
    uint32_t *state;    /* by slot, the policy's: a stamp, a counter, or a node of the set's tree */
    uint64_t *payload;  /* by slot, the owner's; NULL when none was asked for */
    uint16_t *hints;    /* the slot where a tag of this index was last found; NULL in large arrays */
    uint64_t hint_mask;
    uint64_t set_mask;  /* sets - 1 when sets is a power of two */
    uint32_t sets;      /* 0: absent, nothing may be asked */
    uint32_t ways;
    uint32_t stride;    /* ways rounded up to the width of a comparison; the padding's tags stay 0 */
    uint32_t clock;     /* of the LRU stamps */
    uint32_t policy;
    bool modulo;        /* sets is no power of two */
    struct hv_rng rng;
};

/*
 * Takes the memory for entries / ways sets. with_payload adds a word per way. False (with a sentence) when the
 * geometry is impossible or memory is short.
 */
bool assoc_init(struct assoc *a, uint64_t entries, uint64_t ways, enum assoc_policy policy, bool with_payload,
                struct hv_err *err);
void assoc_fini(struct assoc *a);

/* Empties every way and forgets the recency. */
void assoc_reset(struct assoc *a);

#define ASSOC_INLINE static inline __attribute__((always_inline))

static inline size_t assoc_slots(const struct assoc *a)
{
    return (size_t)a->sets * a->stride;
}

/* The slot of way 0 of the set that an index (a page or line number) selects. */
ASSOC_INLINE size_t assoc_set(const struct assoc *a, uint64_t index)
{
    uint64_t set = __builtin_expect(a->modulo, 0) ? index % a->sets : index & a->set_mask;
    return set * a->stride;
}

/*
 * The hint's place for an index. Lines of page tables differ in their upper bits more than in their lower ones, so
 * both choose the place.
 */
ASSOC_INLINE uint16_t *assoc_hint(const struct assoc *a, uint64_t index)
{
    return &a->hints[(index ^ index >> 6) & a->hint_mask];
}

#if defined(__AVX512F__)
/* Which of eight (assoc_init rounds to that) tags equal `wanted` once `flags` are set in them. */
ASSOC_INLINE unsigned assoc_match(const uint64_t *tags, uint64_t wanted, uint64_t flags)
{
    __m512i all = _mm512_loadu_si512(tags);
    if (flags != 0) {
        all = _mm512_or_si512(all, _mm512_set1_epi64((long long)flags));
    }
    return _mm512_cmpeq_epi64_mask(all, _mm512_set1_epi64((long long)wanted));
}
#elif defined(__AVX2__)
ASSOC_INLINE unsigned assoc_match(const uint64_t *tags, uint64_t wanted, uint64_t flags)
{
    unsigned mask = 0;
    for (unsigned way = 0; way < ASSOC_COMPARE_WIDTH; way += 4) {
        __m256i four = _mm256_loadu_si256((const __m256i *)(const void *)(tags + way));
        four = _mm256_or_si256(four, _mm256_set1_epi64x((long long)flags));
        __m256i equal = _mm256_cmpeq_epi64(four, _mm256_set1_epi64x((long long)wanted));
        mask |= (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(equal)) << way;
    }
    return mask;
}
#else
ASSOC_INLINE unsigned assoc_match(const uint64_t *tags, uint64_t wanted, uint64_t flags)
{
    unsigned mask = 0;
    for (unsigned way = 0; way < ASSOC_COMPARE_WIDTH; way++) {
        mask |= (unsigned)((tags[way] | flags) == wanted) << way;
    }
    return mask;
}
#endif

/*
 * Compares all ways of the set that begins at `set`. Inlined, so that each structure's call has its own, well
 * predicted, branches.
 */
ASSOC_INLINE ptrdiff_t assoc_scan(const struct assoc *a, size_t set, uint64_t tag, uint64_t flags)
{
    const uint64_t *tags = a->tags + set;
    /* Where in a set a tag lies is random, so the common sizes are compared whole, without a branch in between. */
    unsigned mask = assoc_match(tags, tag | flags, flags);
    if (a->stride == 2 * ASSOC_COMPARE_WIDTH) {
        mask |= assoc_match(tags + ASSOC_COMPARE_WIDTH, tag | flags, flags) << ASSOC_COMPARE_WIDTH;
    } else if (__builtin_expect(a->stride != ASSOC_COMPARE_WIDTH, 0)) {
        for (uint32_t way = ASSOC_COMPARE_WIDTH; mask == 0 && way < a->stride; way += ASSOC_COMPARE_WIDTH) {
            mask = assoc_match(tags + way, tag | flags, flags);
            set += ASSOC_COMPARE_WIDTH;
        }
    }
    return mask != 0 ? (ptrdiff_t)(set + (unsigned)__builtin_ctz(mask)) : ASSOC_NONE;
}

/*
 * The slot in the set of `index` whose tag equals `tag`, the bits of `flags` not compared; ASSOC_NONE when none
 * does. `flags` is a constant at every call, so it costs nothing where it is 0.
 *
 * Most hits are where the last one was, so a hint of the slot is tried first. It saves host time only.
 */
ASSOC_INLINE ptrdiff_t assoc_find(const struct assoc *a, uint64_t index, uint64_t tag, uint64_t flags)
{
    if (a->hints == NULL) {
        return assoc_scan(a, assoc_set(a, index), tag, flags);
    }
    uint16_t *hint = assoc_hint(a, index);
    if (__builtin_expect((a->tags[*hint] | flags) == (tag | flags), 1)) {
        return (ptrdiff_t)*hint;
    }
    ptrdiff_t slot = assoc_scan(a, assoc_set(a, index), tag, flags);
    if (slot != ASSOC_NONE) {
        *hint = (uint16_t)slot;
    }
    return slot;
}

/* A touch by a policy other than LRU, or by LRU when its clock has wrapped. */
void assoc_touch_other(struct assoc *a, size_t slot);

/* A hit on a slot. */
ASSOC_INLINE void assoc_touch(struct assoc *a, size_t slot)
{
    if (__builtin_expect(a->policy == ASSOC_LRU && ++a->clock != 0, 1)) {
        a->state[slot] = a->clock;
    } else {
        assoc_touch_other(a, slot);
    }
}

/* A hit on a slot that assoc_scan() has found for this index. */
ASSOC_INLINE void assoc_found(struct assoc *a, uint64_t index, size_t slot)
{
    if (a->hints != NULL) {
        *assoc_hint(a, index) = (uint16_t)slot;
    }
    assoc_touch(a, slot);
}

#ifdef __AVX2__
/* The least of eight stamps, in every lane. */
ASSOC_INLINE __m256i assoc_least(__m256i stamps)
{
    stamps = _mm256_min_epu32(stamps, _mm256_permute2x128_si256(stamps, stamps, 1));
    stamps = _mm256_min_epu32(stamps, _mm256_shuffle_epi32(stamps, 0x4e));
    return _mm256_min_epu32(stamps, _mm256_shuffle_epi32(stamps, 0xb1));
}

/* Which of eight stamps equal those in `wanted`. */
ASSOC_INLINE unsigned assoc_equal(__m256i wanted, const uint32_t *stamps)
{
    __m256i equal = _mm256_cmpeq_epi32(wanted, _mm256_loadu_si256((const __m256i *)(const void *)stamps));
    return (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(equal));
}

/* The way with the least stamp, which is the least recent; an empty way has 0, one that is padding UINT32_MAX. */
ASSOC_INLINE unsigned assoc_oldest(const struct assoc *a, const uint32_t *stamps)
{
    __m256i least = _mm256_loadu_si256((const __m256i *)(const void *)stamps);
    if (__builtin_expect(a->stride == ASSOC_COMPARE_WIDTH, 1)) {
        return (unsigned)__builtin_ctz(assoc_equal(assoc_least(least), stamps));
    }
    for (uint32_t way = 8; way < a->stride; way += 8) {
        least = _mm256_min_epu32(least, _mm256_loadu_si256((const __m256i *)(const void *)(stamps + way)));
    }
    least = assoc_least(least);
    unsigned mask = assoc_equal(least, stamps);
    if (a->stride == 2 * ASSOC_COMPARE_WIDTH) { /* which half it is in is random: no branch */
        mask |= assoc_equal(least, stamps + ASSOC_COMPARE_WIDTH) << ASSOC_COMPARE_WIDTH;
    }
    uint32_t way = 0;
    while (mask == 0) {
        way += 8;
        mask = assoc_equal(least, stamps + way);
    }
    return way + (unsigned)__builtin_ctz(mask);
}
#else
ASSOC_INLINE unsigned assoc_oldest(const struct assoc *a, const uint32_t *stamps)
{
    unsigned oldest = 0;
    for (unsigned way = 1; way < a->ways; way++) {
        oldest = stamps[way] < stamps[oldest] ? way : oldest;
    }
    return oldest;
}
#endif

/* For policies other than LRU. */
size_t assoc_victim_other(struct assoc *a, size_t set);
void assoc_inserted_other(struct assoc *a, size_t slot);

/* The slot that a new tag of the set at `set` would take: an empty one, else the policy's victim. */
ASSOC_INLINE size_t assoc_victim_in(struct assoc *a, size_t set)
{
    if (__builtin_expect(a->policy == ASSOC_LRU, 1)) {
        return set + assoc_oldest(a, a->state + set);
    }
    return assoc_victim_other(a, set);
}

/* The same for a new tag of an index. */
ASSOC_INLINE size_t assoc_victim(struct assoc *a, uint64_t index)
{
    return assoc_victim_in(a, assoc_set(a, index));
}

/* Puts a tag of this index, which is not 0, into a slot; the policy sees an insertion. */
ASSOC_INLINE void assoc_place(struct assoc *a, uint64_t index, size_t slot, uint64_t tag)
{
    a->tags[slot] = tag;
    if (a->hints != NULL) {
        *assoc_hint(a, index) = (uint16_t)slot;
    }
    if (__builtin_expect(a->policy == ASSOC_LRU, 1)) {
        assoc_touch(a, slot);
    } else {
        assoc_inserted_other(a, slot);
    }
}

/* Empties a slot (an invalidation). */
static inline void assoc_drop(struct assoc *a, size_t slot)
{
    a->tags[slot] = 0;
    if (a->policy == ASSOC_LRU) {
        a->state[slot] = 0; /* older than any */
    }
}

#endif
