/* SPDX-License-Identifier: MIT */
#include "machine/order.h"

#include <string.h>

#include "base/err.h"

void order_init(struct order *o, unsigned cores)
{
    HV_ASSERT(cores >= 1 && cores <= ORDER_MAX, "%u cores", cores);
    memset(o, 0, sizeof(*o));
    o->cores = cores; /* all at time 0: the first core is first */
}
