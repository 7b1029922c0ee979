/* SPDX-License-Identifier: MIT */
/* What the tests on the lab share beyond it: fixtures and checks, which fuzz programs do without. */
#ifndef HV_TESTS_EXECUTE_CHECKS_H
#define HV_TESTS_EXECUTE_CHECKS_H

#include "gtest.h"

#include "lab.h"

/* cmocka fixtures: *state is a lab. */
int lab_set_up(void **state);
int lab_tear_down(void **state);

#define TEST(f) cmocka_unit_test_setup_teardown(f, lab_set_up, lab_tear_down)

/* The guest is at the start of the handler of a vector. */
void handler_of(const struct lab *l, unsigned vector);

#endif
