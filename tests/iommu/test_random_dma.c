/* SPDX-License-Identifier: MIT */
/*
 * Random software, random devices: each DMA and each interrupt is answered as the oracle says, which was written from
 * the specification alone.
 *
 * HVSIM_RANDOM_DMAS is how many DMAs there are, when not the usual 1000000.
 */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>

#include "gtest.h"

enum { STEPS = 600, USUAL_DMAS = 1000000 };

/* Fault reasons that careful software meets in each mode; besides these there are interrupts. */
static const uint8_t legacy_reasons[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x09, 0x0a, 0x0b, 0x0c, 0x0d,
                                         0x0e, 0x20, 0x21, 0x22, 0x24, 0x25, 0x26, 0x27, 0x28, 0x2a, 0x2b, 0x30, 0x31};
static const uint8_t scalable_reasons[] = {0x30, 0x39, 0x3a, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x48, 0x49, 0x50,
                                           0x51, 0x52, 0x58, 0x59, 0x5a, 0x5b, 0x5c, 0x5d, 0x70, 0x71, 0x72, 0x73, 0x77,
                                           0x78, 0x79, 0x7a, 0x7b, 0x7c, 0x7d, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86,
                                           0x87, 0x89, 0x90, 0x91};

/* A quarter of the DMAs: of legacy or scalable mode, careful or careless. */
static uint64_t dmas_wanted(void)
{
    const char *text = getenv("HVSIM_RANDOM_DMAS");
    return (text != NULL ? strtoull(text, NULL, 10) : USUAL_DMAS) / 4;
}

struct tally {
    uint64_t dmas, blocked, stale, interrupts, reasons[256];
};

static void run_world(struct tally *t, const struct world_options *options)
{
    struct world *w = world_new(options);
    for (unsigned step = 0; step < STEPS; step++) {
        world_step(w);
    }
    world_check_tables(w);
    t->dmas += w->dmas;
    t->blocked += w->blocked;
    t->interrupts += w->interrupts;
    t->stale += w->stale;
    for (unsigned reason = 0; reason < 256; reason++) {
        t->reasons[reason] += w->reasons[reason];
    }
    world_free(w);
}

/* Tables that block everything or nothing, or always for the same reasons, would test little. */
static void check_tally(const struct tally *t, bool scalable, bool lazy)
{
    const uint8_t *reasons = scalable ? scalable_reasons : legacy_reasons;
    size_t count = scalable ? sizeof(scalable_reasons) : sizeof(legacy_reasons);
    printf("%llu DMAs, %llu of them blocked, %llu answered from stale entries, %llu interrupts\n",
           (unsigned long long)t->dmas, (unsigned long long)t->blocked, (unsigned long long)t->stale,
           (unsigned long long)t->interrupts);
    if (t->dmas < USUAL_DMAS / 4) {
        return;
    }
    assert_in_range(t->blocked, t->dmas / 10, t->dmas * 7 / 10);
    assert_true(lazy == (t->stale > t->dmas / 200));
    for (size_t r = 0; r < count && !lazy; r++) {
        if (t->reasons[reasons[r]] == 0) {
            fail_msg("fault reason %#x was never met", reasons[r]);
        }
    }
}

static void run(bool scalable, bool lazy)
{
    struct tally tally = {0};
    for (uint64_t seed = 1; tally.dmas < dmas_wanted(); seed++) {
        struct world_options options = {.seed = seed, .scalable = scalable, .lazy = lazy, .interrupts_percent = 10};
        run_world(&tally, &options);
    }
    check_tally(&tally, scalable, lazy);
}

static void careful_legacy(void **state)
{
    (void)state;
    run(false, false);
}

static void careful_scalable(void **state)
{
    (void)state;
    run(true, false);
}

static void careless_legacy(void **state)
{
    (void)state;
    run(false, true);
}

static void careless_scalable(void **state)
{
    (void)state;
    run(true, true);
}

GTEST_MAIN("RandomDma", cmocka_unit_test(careful_legacy), cmocka_unit_test(careful_scalable),
           cmocka_unit_test(careless_legacy), cmocka_unit_test(careless_scalable))
