/* SPDX-License-Identifier: MIT */
#include "base/interrupt.h"

#include <signal.h>
#include <stddef.h>

/* The one mutable variable outside a struct: a signal handler gets no context, so it has nowhere else to write. */
static volatile sig_atomic_t requested;

static void handle(int number)
{
    (void)number;
    requested = 1;
}

void interrupt_install(void)
{
    struct sigaction action = { .sa_handler = handle };
    sigemptyset(&action.sa_mask);
    /* SA_RESETHAND: a second signal meets the default action, for when the simulator no longer listens. */
    action.sa_flags = (int)(SA_RESETHAND | SA_RESTART);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool interrupt_requested(void)
{
    return requested != 0;
}
