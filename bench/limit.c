/* SPDX-License-Identifier: MIT */
/*
 * Hand-tuned loops that do the least that the scenarios of bench.c can mean: what the host could reach at best.
 *
 * Packed 64-bit tags compared four at a time; page tables as plain arrays of 8-byte entries, read for real; an 8-way
 * tag model of one cache level with not-most-recently-used replacement. No permissions, no statistics, no cycle
 * stack, no second cache level, no configuration.
 */
#include "bench.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/rng.h"
#ifdef __AVX2__
#include <immintrin.h>
#endif

enum {
    PAGE_SHIFT = 12, LINE_SHIFT = 6, LEVELS = 4,
    TLB_SETS = 16, TLB_WAYS = 4,
    L2_SETS = 128, L2_WAYS = 12,
    TAG_SETS = 64, TAG_WAYS = 8,
    BATCH = 32,
};

struct limit {
    uint64_t pages;
    uint64_t *guest[LEVELS], *host[LEVELS]; /* [0]: leaf entries, one per page; then one per 512 of the level below */
    _Alignas(64) uint64_t tlb[TLB_SETS][TLB_WAYS];
    _Alignas(64) uint64_t l2[L2_SETS][L2_WAYS];
    _Alignas(64) uint64_t tags[TAG_SETS][TAG_WAYS];
    uint8_t l2_next[L2_SETS], tlb_next[TLB_SETS], tag_next[TAG_SETS];
};

static uint64_t *entries_new(uint64_t count)
{
    size_t bytes = (count * sizeof(uint64_t) + (1 << 21) - 1) >> 21 << 21;
    uint64_t *entries = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (entries == MAP_FAILED) {
        abort();
    }
    madvise(entries, bytes, MADV_HUGEPAGE);
    for (uint64_t i = 0; i < count; i++) {
        entries[i] = i << PAGE_SHIFT | 7;
    }
    return entries;
}

struct limit *limit_new(uint64_t footprint)
{
    struct limit *l = aligned_alloc(64, sizeof(*l));
    if (l == NULL) {
        abort();
    }
    memset(l, 0, sizeof(*l));
    l->pages = footprint >> PAGE_SHIFT;
    uint64_t count = l->pages;
    for (unsigned level = 0; level < LEVELS; level++) {
        l->guest[level] = entries_new(count);
        l->host[level] = entries_new(count);
        count = (count + 511) / 512;
    }
    return l;
}

void limit_free(struct limit *l)
{
    uint64_t count = l->pages;
    for (unsigned level = 0; level < LEVELS; level++) {
        size_t bytes = (count * sizeof(uint64_t) + (1 << 21) - 1) >> 21 << 21;
        munmap(l->guest[level], bytes);
        munmap(l->host[level], bytes);
        count = (count + 511) / 512;
    }
    free(l);
}

/* The mask of the four tags that equal `tag`. */
static inline unsigned match4(const uint64_t *tags, uint64_t tag)
{
#ifdef __AVX2__
    __m256i equal = _mm256_cmpeq_epi64(_mm256_load_si256((const __m256i *)(const void *)tags),
                                       _mm256_set1_epi64x((long long)tag));
    return (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(equal));
#else
    unsigned mask = 0;
    for (unsigned i = 0; i < 4; i++) {
        mask |= (unsigned)(tags[i] == tag) << i;
    }
    return mask;
#endif
}

/* One reference through the 8-way tag model; a miss replaces round-robin. */
static inline uint64_t touch(struct limit *l, const uint64_t *entry)
{
    uint64_t line = (uint64_t)(uintptr_t)entry >> LINE_SHIFT;
    unsigned set = line % TAG_SETS;
    uint64_t *tags = l->tags[set];
    if ((match4(tags, line) | match4(tags + 4, line)) == 0) {
        tags[l->tag_next[set]++ % TAG_WAYS] = line;
    }
    return *entry;
}

/* The host half: four references for a guest-physical page. */
static inline uint64_t walk_host(struct limit *l, uint64_t frame)
{
    uint64_t sum = touch(l, &l->host[3][frame >> 27]);
    sum += touch(l, &l->host[2][frame >> 18]);
    sum += touch(l, &l->host[1][frame >> 9]);
    return sum + touch(l, &l->host[0][frame]);
}

/* 24 references: four guest entries, each behind four of the host, and the data page's four. */
static inline uint64_t walk(struct limit *l, uint64_t page)
{
    uint64_t sum = 0;
    for (unsigned level = LEVELS; level-- > 0;) {
        uint64_t index = page >> (9 * level);
        /* Where the guest's tables lie is as good as any: low frames. */
        sum += walk_host(l, (index >> 9) % l->pages);
        sum += touch(l, &l->guest[level][index]);
    }
    uint64_t frame = l->guest[0][page] >> PAGE_SHIFT;
    return sum + walk_host(l, frame);
}

uint64_t limit_hits(struct limit *l, uint64_t n)
{
    for (uint64_t page = 0; page < TLB_SETS * TLB_WAYS; page++) {
        l->tlb[page % TLB_SETS][page / TLB_SETS] = page + 1;
    }
    struct hv_rng rng;
    rng_init(&rng, 1);
    uint64_t hits = 0;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t page = rng_next(&rng) % (TLB_SETS * TLB_WAYS);
        hits += match4(l->tlb[page % TLB_SETS], page + 1) != 0;
    }
    return hits;
}

static inline bool l2_probe(struct limit *l, uint64_t page)
{
    const uint64_t *tags = l->l2[page % L2_SETS];
    return (match4(tags, page + 1) | match4(tags + 4, page + 1) | match4(tags + 8, page + 1)) != 0;
}

uint64_t limit_zipf(struct limit *l, const uint64_t *pages, uint64_t n)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t page = pages[i];
        unsigned set = page % TLB_SETS;
        if (match4(l->tlb[set], page + 1) != 0) {
            continue;
        }
        if (!l2_probe(l, page)) {
            sum += walk(l, page);
            l->l2[page % L2_SETS][l->l2_next[page % L2_SETS]++ % L2_WAYS] = page + 1;
        }
        l->tlb[set][l->tlb_next[set]++ % TLB_WAYS] = page + 1;
    }
    return sum;
}

uint64_t limit_walks(struct limit *l, uint64_t n)
{
    struct hv_rng rng;
    rng_init(&rng, 1);
    uint64_t sum = 0, pages[BATCH];
    for (uint64_t i = 0; i < n; i += BATCH) {
        for (unsigned k = 0; k < BATCH; k++) {
            pages[k] = rng_below(&rng, l->pages);
            __builtin_prefetch(&l->guest[0][pages[k]]);
        }
        for (unsigned k = 0; k < BATCH; k++) {
            __builtin_prefetch(&l->host[0][l->guest[0][pages[k]] >> PAGE_SHIFT]);
        }
        for (unsigned k = 0; k < BATCH; k++) {
            sum += walk(l, pages[k]);
        }
    }
    return sum;
}
