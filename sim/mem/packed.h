/* SPDX-License-Identifier: MIT */
/*
 * The sets of a large LRU cache, packed for the host's own caches: a line is one 32-bit word, and the words of a set
 * stand in the order of recency, the most recent first. 16 ways are one host cache line, and a lookup, a touch or a
 * fill is one pass over it: the words before the line's old place, or before the end, move back by one, and the line's
 * word goes in front.
 *
 * As struct assoc with policy lru and no hints, to the last victim: empty ways are behind all others, so they are
 * taken first. The number of sets is a power of two, and lines beyond packed_fits() are for the owner to keep
 * elsewhere.
 */
#ifndef HV_MEM_PACKED_H
#define HV_MEM_PACKED_H

#ifdef __AVX512F__
#include <immintrin.h>
#endif

#include "base/types.h"

#define PACKED_INLINE static inline __attribute__((always_inline))

/* A word: the line's number above the set's bits, valid, dirty. 0: an empty way. */
enum {
    PACKED_DIRTY = 1 << 0, PACKED_VALID = 1 << 1, PACKED_TAG_SHIFT = 2,
    PACKED_TAG_BITS = 32 - PACKED_TAG_SHIFT, PACKED_MAX_WAYS = 16,
};

struct packed {
    uint32_t *words;      /* by set and recency; NULL: not in use */
    uint64_t lines;       /* the first line number too large for a word; 0 when not in use */
    uint64_t set_mask;
    uint32_t set_bits;
    uint32_t stride_log2; /* words of a set: the ways, rounded up so that no set straddles host lines needlessly */
    uint32_t ways;
    uint32_t way_mask;    /* a bit for each way ... */
    uint32_t last_way;    /* ... and that of the last one */
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
PACKED_INLINE __m512i packed_load(const struct packed *p, const uint32_t *words)
{
    return _mm512_maskz_loadu_epi32((__mmask16)p->way_mask, words);
}

/* The place of a word, dirty or not, as a bit; 0: nowhere. */
PACKED_INLINE unsigned packed_match(const struct packed *p, __m512i set, uint32_t word)
{
    __m512i differ = _mm512_xor_si512(set, _mm512_set1_epi32((int)word));
    return _mm512_mask_testn_epi32_mask((__mmask16)p->way_mask, differ, _mm512_set1_epi32(~PACKED_DIRTY));
}

/* Puts a word in front; those before the place that is given as a bit move back by one, over what was there. */
PACKED_INLINE void packed_push(uint32_t *words, __m512i set, unsigned place, uint32_t word)
{
    __m512i moved = _mm512_alignr_epi32(set, _mm512_set1_epi32((int)word), 15);
    _mm512_mask_storeu_epi32(words, (__mmask16)(place | (place - 1)), moved);
}

/* The place of a line, or -1. */
PACKED_INLINE int packed_find(const struct packed *p, uint64_t line)
{
    unsigned match = packed_match(p, packed_load(p, packed_set(p, line)), packed_word(p, line));
    return match != 0 ? __builtin_ctz(match) : -1;
}

/* Whether the line is here; it becomes the most recent and, with PACKED_DIRTY, dirty. */
PACKED_INLINE bool packed_touch(struct packed *p, uint64_t line, uint32_t dirty)
{
    uint32_t *words = packed_set(p, line);
    __m512i set = packed_load(p, words);
    unsigned match = packed_match(p, set, packed_word(p, line));
    if (match == 0) {
        return false;
    }
    packed_push(words, set, match, words[__builtin_ctz(match)] | dirty);
    return true;
}

/* Sets flags of a line that is here, without touching it; without a branch. False: it is not here. */
PACKED_INLINE bool packed_mark(struct packed *p, uint64_t line, uint32_t flags)
{
    uint32_t *words = packed_set(p, line);
    __m512i set = packed_load(p, words);
    unsigned match = packed_match(p, set, packed_word(p, line));
    __m512i marked = _mm512_or_si512(set, _mm512_set1_epi32((int)flags));
    _mm512_mask_storeu_epi32(words, (__mmask16)(flags != 0 ? match : 0), marked);
    return match != 0;
}

/*
 * packed_touch(), and if the line is not here packed_fill(), in one pass and without a branch between them. Returns
 * the word that was in its place.
 */
PACKED_INLINE uint32_t packed_use(struct packed *p, uint64_t line, uint32_t dirty, bool *here)
{
    uint32_t *words = packed_set(p, line), word = packed_word(p, line) | dirty;
    __m512i set = packed_load(p, words);
    unsigned match = packed_match(p, set, packed_word(p, line));
    unsigned place = match != 0 ? match : p->last_way;
    uint32_t old = words[__builtin_ctz(place)];
    packed_push(words, set, place, word | (match != 0 ? old & PACKED_DIRTY : 0));
    *here = match != 0;
    return old;
}

/* Puts a line that is not here in the place of the least recent one, whose word it returns. */
PACKED_INLINE uint32_t packed_fill(struct packed *p, uint64_t line, uint32_t dirty)
{
    uint32_t *words = packed_set(p, line), old = words[p->ways - 1];
    packed_push(words, packed_load(p, words), p->last_way, packed_word(p, line) | dirty);
    return old;
}
#else
/* Puts a word in front; those before `place` move back by one, over what was there. */
PACKED_INLINE void packed_push(uint32_t *words, uint32_t place, uint32_t word)
{
    for (uint32_t way = place; way > 0; way--) {
        words[way] = words[way - 1];
    }
    words[0] = word;
}

PACKED_INLINE int packed_find(const struct packed *p, uint64_t line)
{
    const uint32_t *words = packed_set(p, line);
    uint32_t wanted = packed_word(p, line);
    int found = -1;
    for (uint32_t way = 0; way < p->ways; way++) {
        found = (words[way] & ~(uint32_t)PACKED_DIRTY) == wanted ? (int)way : found;
    }
    return found;
}

PACKED_INLINE bool packed_mark(struct packed *p, uint64_t line, uint32_t flags)
{
    int way = packed_find(p, line);
    if (way >= 0) {
        packed_set(p, line)[way] |= flags;
    }
    return way >= 0;
}

PACKED_INLINE bool packed_touch(struct packed *p, uint64_t line, uint32_t dirty)
{
    int way = packed_find(p, line);
    if (way < 0) {
        return false;
    }
    uint32_t *words = packed_set(p, line);
    packed_push(words, (uint32_t)way, words[way] | dirty);
    return true;
}

PACKED_INLINE uint32_t packed_fill(struct packed *p, uint64_t line, uint32_t dirty)
{
    uint32_t *words = packed_set(p, line), old = words[p->ways - 1];
    packed_push(words, p->ways - 1, packed_word(p, line) | dirty);
    return old;
}

PACKED_INLINE uint32_t packed_use(struct packed *p, uint64_t line, uint32_t dirty, bool *here)
{
    int way = packed_find(p, line);
    *here = way >= 0;
    if (way < 0) {
        return packed_fill(p, line, dirty);
    }
    uint32_t *words = packed_set(p, line), old = words[way];
    packed_push(words, (uint32_t)way, old | dirty);
    return old;
}
#endif

#endif
