/* SPDX-License-Identifier: MIT */
#include "checks.h"

int lab_set_up(void **state)
{
    *state = lab_new();
    return 0;
}

int lab_tear_down(void **state)
{
    lab_free(*state);
    return 0;
}

void handler_of(const struct lab *l, unsigned vector)
{
    assert_int_equal(STATE(l).rip, LAB_HANDLERS + 16 * vector);
}
