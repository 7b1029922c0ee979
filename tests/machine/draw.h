/* SPDX-License-Identifier: MIT */
/* Machines of random shape: settings drawn from tables. */
#ifndef HV_TESTS_MACHINE_DRAW_H
#define HV_TESTS_MACHINE_DRAW_H

#include "base/rng.h"
#include "build.h"

/* A parameter and the values of which one is drawn. */
struct draw_choice {
    const char *key;
    const char *values[7];
};

/* Whatever may be combined in a machine and its workload. */
extern const struct draw_choice draw_machine[];
extern const size_t draw_machine_count;

/* Appends a value of each parameter of a table to settings. */
void draw_settings(struct hv_rng *rng, const struct draw_choice *choices, size_t count,
                   char settings[BUILD_SETTINGS_BYTES]);

/* Combinations that the parameters' own check refuses are no machines, nor is a warm-up without an end. */
bool draw_possible(const char *settings);

#endif
