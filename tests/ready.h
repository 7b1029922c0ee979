/* SPDX-License-Identifier: MIT */
/* When something is there, to the cycle. */
#ifndef HV_TESTS_READY_H
#define HV_TESTS_READY_H

#include "gtest.h"

#include "base/types.h"

static inline void assert_ready_exactly_at(hv_cycles ready, hv_cycles at)
{
    assert_true(ready > at - 1); /* not ready the cycle before */
    assert_true(ready <= at);    /* and then it is */
}

#endif
