/* SPDX-License-Identifier: MIT */
/*
 * The sets of a large LRU cache, packed for the host's own caches: a line is one 32-bit word, with its place in the
 * order of recency inside, so that 16 ways are one host cache line and a lookup, a touch or a fill one pass over it.
 *
 * As struct assoc with policy lru and no hints, to the last victim: an empty way is taken first, the lowest one first.
 * The number of sets is a power of two, and lines beyond packed_fits() are for the owner to keep elsewhere.
 */
#ifndef HV_MEM_PACKED_H
#define HV_MEM_PACKED_H

#ifdef __AVX512F__
#include <immintrin.h>
#endif

#include "base/types.h"

#define PACKED_INLINE static inline __attribute__((always_inline))

/* A word: the line's number above the set's bits, valid, dirty, and a rank: 0 the most recent, ways - 1 the victim. */
enum {
    PACKED_RANK = 15, PACKED_DIRTY = 1 << 4, PACKED_VALID = 1 << 5, PACKED_TAG_SHIFT = 6,
    PACKED_TAG_BITS = 32 - PACKED_TAG_SHIFT, PACKED_MAX_WAYS = 16,
};

struct packed {
    uint32_t *words;      /* by set and way; NULL: not in use */
    uint64_t lines;       /* the first line number too large for a word; 0 when not in use */
    uint64_t set_mask;
    uint32_t set_bits;
    uint32_t stride_log2; /* words of a set: the ways, rounded up so that no set straddles host lines needlessly */
    uint32_t ways;
    uint32_t way_mask;    /* a bit for each way */
};

/* False when memory is short. sets is a power of two, ways at most PACKED_MAX_WAYS. */
bool packed_init(struct packed *p, uint64_t sets, uint64_t ways);
void packed_fini(struct packed *p);

/* Empties every way and forgets the recency. */
void packed_reset(struct packed *p);

PACKED_INLINE bool packed_fits(const struct packed *p, uint64_t line)
{
    return line < p->lines;
}

PACKED_INLINE uint32_t *packed_set(const struct packed *p, uint64_t line)
{
    return &p->words[(line & p->set_mask) << p->stride_log2];
}

/* The word of a clean line that has just been used. */
PACKED_INLINE uint32_t packed_word(const struct packed *p, uint64_t line)
{
    return (uint32_t)(line >> p->set_bits) << PACKED_TAG_SHIFT | PACKED_VALID;
}

/* The line that a word of the same set as `line` stands for. */
PACKED_INLINE uint64_t packed_line(const struct packed *p, uint64_t line, uint32_t word)
{
    return (uint64_t)(word >> PACKED_TAG_SHIFT) << p->set_bits | (line & p->set_mask);
}

#ifdef __AVX512F__
/* A set in one register; the ways that do not exist are neither loaded, compared nor stored. */
PACKED_INLINE __mmask16 packed_match(__mmask16 ways, __m512i set, uint32_t word)
{
    __m512i differ = _mm512_xor_si512(set, _mm512_set1_epi32((int)word));
    return _mm512_mask_testn_epi32_mask(ways, differ, _mm512_set1_epi32(~(PACKED_RANK | PACKED_DIRTY)));
}

/* The way of a line, or -1. */
PACKED_INLINE int packed_find(const struct packed *p, uint64_t line)
{
    __mmask16 ways = (__mmask16)p->way_mask;
    __m512i set = _mm512_maskz_loadu_epi32(ways, packed_set(p, line));
    __mmask16 here = packed_match(ways, set, packed_word(p, line));
    return here != 0 ? __builtin_ctz(here) : -1;
}

/* Whether the line is here; it becomes the most recent and, with PACKED_DIRTY, dirty. */
PACKED_INLINE bool packed_touch(struct packed *p, uint64_t line, uint32_t dirty)
{
    uint32_t *words = packed_set(p, line);
    __mmask16 ways = (__mmask16)p->way_mask;
    __m512i set = _mm512_maskz_loadu_epi32(ways, words);
    __mmask16 here = packed_match(ways, set, packed_word(p, line));
    if (here == 0) {
        return false;
    }
    __m512i rank = _mm512_set1_epi32((int)(words[__builtin_ctz(here)] & PACKED_RANK));
    __m512i ranks = _mm512_and_si512(set, _mm512_set1_epi32(PACKED_RANK));
    set = _mm512_mask_add_epi32(set, _mm512_cmplt_epu32_mask(ranks, rank), set, _mm512_set1_epi32(1));
    set = _mm512_mask_sub_epi32(set, here, set, rank);
    set = _mm512_mask_or_epi32(set, here, set, _mm512_set1_epi32((int)dirty));
    _mm512_mask_storeu_epi32(words, ways, set);
    return true;
}

/*
 * packed_touch(), and if the line is not here packed_fill(), in one pass and without a branch between them. Returns
 * the word that was in its place.
 */
PACKED_INLINE uint32_t packed_use(struct packed *p, uint64_t line, uint32_t dirty, bool *here)
{
    uint32_t *words = packed_set(p, line), word = packed_word(p, line);
    __mmask16 ways = (__mmask16)p->way_mask;
    __m512i set = _mm512_maskz_loadu_epi32(ways, words);
    __m512i ranks = _mm512_and_si512(set, _mm512_set1_epi32(PACKED_RANK));
    unsigned match = packed_match(ways, set, word);
    unsigned oldest = _mm512_mask_cmpeq_epi32_mask(ways, ranks, _mm512_set1_epi32((int)p->ways - 1));
    unsigned place = match != 0 ? match : oldest;
    uint32_t old = words[__builtin_ctz(place)];
    uint32_t now = word | dirty | (match != 0 ? old & PACKED_DIRTY : 0);
    __m512i rank = _mm512_set1_epi32((int)(old & PACKED_RANK));
    set = _mm512_mask_add_epi32(set, _mm512_cmplt_epu32_mask(ranks, rank), set, _mm512_set1_epi32(1));
    set = _mm512_mask_mov_epi32(set, (__mmask16)place, _mm512_set1_epi32((int)now));
    _mm512_mask_storeu_epi32(words, ways, set);
    *here = match != 0;
    return old;
}

/* Puts a line that is not here in the place of the least recent one, whose word it returns. */
PACKED_INLINE uint32_t packed_fill(struct packed *p, uint64_t line, uint32_t dirty)
{
    uint32_t *words = packed_set(p, line);
    __mmask16 ways = (__mmask16)p->way_mask;
    __m512i set = _mm512_maskz_loadu_epi32(ways, words);
    __m512i ranks = _mm512_and_si512(set, _mm512_set1_epi32(PACKED_RANK));
    __mmask16 oldest = _mm512_mask_cmpeq_epi32_mask(ways, ranks, _mm512_set1_epi32((int)p->ways - 1));
    uint32_t old = words[__builtin_ctz(oldest)];
    set = _mm512_add_epi32(set, _mm512_set1_epi32(1));
    set = _mm512_mask_mov_epi32(set, oldest, _mm512_set1_epi32((int)(packed_word(p, line) | dirty)));
    _mm512_mask_storeu_epi32(words, ways, set);
    return old;
}
#else
PACKED_INLINE int packed_find(const struct packed *p, uint64_t line)
{
    const uint32_t *words = packed_set(p, line);
    uint32_t wanted = packed_word(p, line);
    int found = -1;
    for (uint32_t way = 0; way < p->ways; way++) {
        bool here = (words[way] & ~(uint32_t)(PACKED_RANK | PACKED_DIRTY)) == wanted;
        found = here ? (int)way : found;
    }
    return found;
}

/* Moves every line that was used after `rank` one place back, and leaves room for a most recent one. */
PACKED_INLINE void packed_age(const struct packed *p, uint32_t *words, uint32_t rank)
{
    for (uint32_t way = 0; way < p->ways; way++) {
        words[way] += (words[way] & PACKED_RANK) < rank;
    }
}

PACKED_INLINE bool packed_touch(struct packed *p, uint64_t line, uint32_t dirty)
{
    int way = packed_find(p, line);
    if (way < 0) {
        return false;
    }
    uint32_t *words = packed_set(p, line);
    packed_age(p, words, words[way] & PACKED_RANK);
    words[way] = (words[way] & ~(uint32_t)PACKED_RANK) | dirty;
    return true;
}

PACKED_INLINE uint32_t packed_fill(struct packed *p, uint64_t line, uint32_t dirty)
{
    uint32_t *words = packed_set(p, line);
    uint32_t oldest = 0;
    for (uint32_t way = 0; way < p->ways; way++) {
        oldest = (words[way] & PACKED_RANK) == p->ways - 1 ? way : oldest;
    }
    uint32_t old = words[oldest];
    packed_age(p, words, p->ways - 1);
    words[oldest] = packed_word(p, line) | dirty;
    return old;
}

PACKED_INLINE uint32_t packed_use(struct packed *p, uint64_t line, uint32_t dirty, bool *here)
{
    int way = packed_find(p, line);
    *here = way >= 0;
    if (way < 0) {
        return packed_fill(p, line, dirty);
    }
    uint32_t old = packed_set(p, line)[way];
    packed_touch(p, line, dirty);
    return old;
}
#endif

#endif
