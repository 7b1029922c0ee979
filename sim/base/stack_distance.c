/* SPDX-License-Identifier: MIT */
#include "base/stack_distance.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/rng.h"

enum { WORD_BITS = 64, WINDOWS = 4 /* times per place: how seldom times are numbered anew */ };

#define STACK_EMPTY UINT32_MAX
#define DEPTH_MAX (1u << 24)

static uint32_t words(const struct stack_distance *s)
{
    return s->window / WORD_BITS;
}

void stack_distance_init(struct stack_distance *s, uint32_t depth)
{
    HV_ASSERT(depth >= 1 && depth <= DEPTH_MAX, "depth %u", depth);
    memset(s, 0, sizeof(*s));
    s->depth = depth;
    s->window = (depth + WORD_BITS) / WORD_BITS * WORD_BITS * WINDOWS;
    uint32_t slots = WORD_BITS;
    while (slots < 2 * depth) {
        slots *= 2;
    }
    s->slot_mask = slots - 1;
    s->marks = calloc(words(s), sizeof(*s->marks));
    s->tree = calloc(words(s) + 1, sizeof(*s->tree));
    s->key_at = calloc(s->window, sizeof(*s->key_at));
    s->slots = malloc(slots * sizeof(*s->slots));
    HV_ASSERT(s->marks != NULL && s->tree != NULL && s->key_at != NULL && s->slots != NULL, "out of memory");
    for (uint32_t i = 0; i < slots; i++) {
        s->slots[i].time = STACK_EMPTY;
    }
}

void stack_distance_fini(struct stack_distance *s)
{
    free(s->marks);
    free(s->tree);
    free(s->key_at);
    free(s->slots);
}

/* --- marks ------------------------------------------------------------------------------------------------------ */

static void tree_add(struct stack_distance *s, uint32_t word, uint32_t amount)
{
    for (uint32_t i = word + 1; i <= words(s); i += i & -i) {
        s->tree[i] += amount;
    }
}

static void set_mark(struct stack_distance *s, uint32_t time, uint64_t key)
{
    s->marks[time / WORD_BITS] |= UINT64_C(1) << time % WORD_BITS;
    s->key_at[time] = key;
    tree_add(s, time / WORD_BITS, 1);
    s->live++;
}

static void clear_mark(struct stack_distance *s, uint32_t time)
{
    s->marks[time / WORD_BITS] &= ~(UINT64_C(1) << time % WORD_BITS);
    tree_add(s, time / WORD_BITS, UINT32_MAX); /* one less */
    s->live--;
}

/* Marks up to and including a time. */
static uint32_t marks_until(const struct stack_distance *s, uint32_t time)
{
    uint32_t word = time / WORD_BITS;
    uint64_t upto = s->marks[word] & (UINT64_MAX >> (WORD_BITS - 1 - time % WORD_BITS));
    uint32_t count = (uint32_t)__builtin_popcountll(upto);
    for (uint32_t i = word; i > 0; i -= i & -i) {
        count += s->tree[i];
    }
    return count;
}

static uint32_t oldest_mark(struct stack_distance *s)
{
    uint32_t word = s->oldest / WORD_BITS;
    while (s->marks[word] == 0) {
        word++;
    }
    s->oldest = word * WORD_BITS + (uint32_t)__builtin_ctzll(s->marks[word]);
    return s->oldest;
}

/* --- the table of keys ------------------------------------------------------------------------------------------ */

static uint32_t home(const struct stack_distance *s, uint64_t key)
{
    return (uint32_t)rng_mix(key) & s->slot_mask;
}

/* The slot of a key, or the empty one where it would go. */
static struct stack_slot *slot_of(const struct stack_distance *s, uint64_t key)
{
    uint32_t i = home(s, key);
    while (s->slots[i].time != STACK_EMPTY && s->slots[i].key != key) {
        i = (i + 1) & s->slot_mask;
    }
    return &s->slots[i];
}

/* Empties a slot and moves up those behind it that it would cut off from their place. */
static void remove_slot(struct stack_distance *s, struct stack_slot *slot)
{
    uint32_t hole = (uint32_t)(slot - s->slots);
    for (uint32_t i = (hole + 1) & s->slot_mask; s->slots[i].time != STACK_EMPTY; i = (i + 1) & s->slot_mask) {
        uint32_t from_home = (i - home(s, s->slots[i].key)) & s->slot_mask;
        if (from_home >= ((i - hole) & s->slot_mask)) {
            s->slots[hole] = s->slots[i];
            hole = i;
        }
    }
    s->slots[hole].time = STACK_EMPTY;
}

/* --- the stack -------------------------------------------------------------------------------------------------- */

/* The times have run out: the keys in the stack get the first ones, in their order. */
static void renumber(struct stack_distance *s)
{
    uint32_t next = 0;
    for (uint32_t word = 0; word < words(s); word++) {
        for (uint64_t left = s->marks[word]; left != 0; left &= left - 1) {
            uint64_t key = s->key_at[word * WORD_BITS + (uint32_t)__builtin_ctzll(left)];
            s->key_at[next] = key;
            slot_of(s, key)->time = next++;
        }
    }
    memset(s->marks, 0, words(s) * sizeof(*s->marks));
    memset(s->tree, 0, (words(s) + 1) * sizeof(*s->tree));
    s->live = 0;
    for (uint32_t time = 0; time < next; time++) {
        set_mark(s, time, s->key_at[time]);
    }
    s->now = next;
    s->oldest = 0;
}

uint32_t stack_distance_use(struct stack_distance *s, uint64_t key)
{
    if (s->now == s->window) {
        renumber(s);
    }
    struct stack_slot *slot = slot_of(s, key);
    uint32_t place = 0;
    if (slot->time != STACK_EMPTY) {
        place = s->live - marks_until(s, slot->time) + 1;
        clear_mark(s, slot->time);
    } else if (s->live == s->depth) {
        uint32_t time = oldest_mark(s);
        remove_slot(s, slot_of(s, s->key_at[time]));
        clear_mark(s, time);
        slot = slot_of(s, key);
    }
    *slot = (struct stack_slot){key, s->now};
    set_mark(s, s->now++, key);
    return place;
}
